//! What writes come to when the database, the line to it or this process goes bad: nothing that was acknowledged is lost,
//! nothing is done twice, nothing that was refused happened.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "harm is done in its own time, and what a server does gives no sign")]

mod child;
mod cuts;
mod cutter;
mod ledger;
mod locks;
mod nodes;
mod restarts;

use std::time::Duration;

use cluster::Postgres;
use store_postgres::{Options, PostgresStore};

/// A cluster of its own; `None`, with a line that says so, where there is no PostgreSQL.
fn cluster(test: &str) -> Option<Postgres> {
    cluster::or_skip(Postgres::start(cluster::Options::default()), test)
}

fn options(number: u64, patience: Duration) -> Options {
    Options { readers: 4, writers: 4, patience, open_patience: Duration::from_secs(30), ..Options::new(number) }
}

fn open(url: &str, number: u64, patience: Duration) -> PostgresStore {
    PostgresStore::open(url, options(number, patience)).unwrap()
}
