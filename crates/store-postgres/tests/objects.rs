//! The battery's behaviours of parts with an object store: a folder with every part in it, and an S3 server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use cluster::ObjectServer;
use store::{Store, memory::MemoryStore};
use store_postgres::{BlobsAddress, Options, PostgresStore};
use tempfile::TempDir;

/// A store, with the folder of its objects.
struct Fixture {
    store: Box<dyn Store>,
    _folder: Option<TempDir>,
}

impl AsRef<dyn Store> for Fixture {
    fn as_ref(&self) -> &(dyn Store + 'static) {
        &*self.store
    }
}

/// An empty store; where there is no PostgreSQL or no object store the one in memory, so that the test says that it was
/// skipped and passes.
fn with(objects: Option<(BlobsAddress, usize)>, folder: Option<TempDir>) -> Fixture {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let cluster = cluster::or_skip(cluster::shared(), "parts in an object store");
    let store: Box<dyn Store> = match cluster.zip(objects) {
        Some((cluster, (address, blob_threshold_bytes))) => {
            let options = Options { readers: 4, writers: 2, blob_threshold_bytes, ..Options::new(number) };
            let options = Options { blobs: Some(address), ..options };
            Box::new(PostgresStore::open(&cluster.fresh_url(), options).unwrap())
        }
        None => Box::new(MemoryStore::new(number)),
    };
    Fixture { store, _folder: folder }
}

/// Every part of more than a few bytes is an object.
fn in_folder() -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("file://{}", folder.path().display()).parse().unwrap();
    with(Some((address, 4)), Some(folder))
}

fn in_bucket() -> Fixture {
    let Some(server) = cluster::or_skip(ObjectServer::shared(), "parts in S3") else { return with(None, None) };
    let address = server.url(&server.bucket().unwrap(), server.address()).parse().unwrap();
    with(Some((address, 64 << 10)), None)
}

mod folder {
    use super::in_folder;

    store::battery! {@tests in_folder;
        concurrent::committers_share_the_positions,
        parts::copies_and_moves_keep_parts,
        parts::equal_parts_live_as_long_as_one_needs_them,
        parts::large_parts_come_back_whole,
        parts::parts_change_in_order,
        parts::parts_come_in_ranges,
        parts::parts_go_with_their_item,
        parts::parts_may_lie_outside_of_memory,
        random::random_histories_agree_with_the_memory_store,
        retention::trimming_moves_the_marks,
    }
}

mod s3 {
    use super::in_bucket;

    store::battery! {@tests in_bucket;
        parts::copies_and_moves_keep_parts,
        parts::equal_parts_live_as_long_as_one_needs_them,
        parts::large_parts_come_back_whole,
        parts::parts_change_in_order,
        parts::parts_come_in_ranges,
        parts::parts_go_with_their_item,
        parts::parts_may_lie_outside_of_memory,
    }
}
