//! A fleet of nodes over one database, simulated event by event: what is busy, what waits for what, how long requests
//! take, and which part is full first.
//!
//! What an operation costs comes from a file of measured figures ([`Figures`]); how often it is asked for is an
//! assumption that stands in one table ([`load`]). The rest is queues: cores, sessions, the lock of a root's row, the
//! write-ahead log. Time is counted in nanoseconds, chance comes from a seed, and the arithmetic is the same on every
//! machine, so that a run is repeatable to the last digit.

mod chance;
mod figures;
mod fleet;
mod histogram;
pub mod load;
mod page;
mod queue;
mod report;
mod run;
mod scenario;
mod size;
mod slots;
mod writes;

pub use figures::{Cost, Figures, FiguresError, Observation, Operation};
pub use fleet::{Fleet, Machine};
pub use histogram::Histogram;
pub use page::{BEGIN, END, block, put};
pub use report::{Answer, Part, Report};
pub use run::simulate;
pub use scenario::{Event, Scenario, Source};
pub use size::{Sizing, size};
