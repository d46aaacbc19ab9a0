//! What the layer benchmarks and their guard in the tests have in common: a world on disk with both adapters, and a
//! timer that reports counts beside times.
//!
//! It must not know what happens below the adapters: it sends what a client sends, in process, and reads the counters of
//! the store. Everything here panics at the first surprise, since its callers are measurements and tests.
#![expect(clippy::expect_used, reason = "measurements stop at a surprise")]

mod fill;
mod ledger;
pub mod scale;
mod timer;
mod world;

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts what is allocated; SQLite's own is not among it.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

pub use ledger::condition;
pub use timer::{Row, measure, measure_after, table};
pub use world::{Counts, World};
