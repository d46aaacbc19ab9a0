//! The battery of the port, each behaviour in a schema of its own of one private cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use store::{Store, memory::MemoryStore};
use store_postgres::{Options, PostgresStore};

/// An empty store; where there is no PostgreSQL the one in memory, so that the test says that it was skipped and passes.
fn empty() -> Box<dyn Store> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let Some(cluster) = cluster::or_skip(cluster::shared(), "the battery on PostgreSQL") else {
        return Box::new(MemoryStore::new(number));
    };
    let options = Options { readers: 4, writers: 2, ..Options::new(number) };
    Box::new(PostgresStore::open(&cluster.fresh_url(), options).unwrap())
}

store::battery!(battery, empty);
store::battery!(@transfer copies, empty);
