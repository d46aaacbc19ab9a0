//! What is particular to this store; the battery is in `tests/battery.rs`.

mod encryption;
mod engines;
mod failover;
mod objects;
mod opening;
mod plans;
mod reading;
mod waking;

use cluster::Postgres;
use store::battery::block_on;

use super::*;

/// The cluster of this test process; `None`, with a line that says so, where there is no PostgreSQL.
fn cluster(test: &str) -> Option<&'static Postgres> {
    cluster::or_skip(cluster::shared(), test)
}

/// Few sessions, little patience.
fn options() -> Options {
    let (patience, open_patience) = (Duration::from_secs(2), Duration::from_secs(10));
    Options { readers: 3, writers: 2, patience, open_patience, ..Options::new(7) }
}
