//! The battery's behaviours of parts with an object store: a folder with every part in it, and an S3 server.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use cluster::{Fault, ObjectLine, ObjectServer, Seen};
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Rope, Time};
use store::{
    Commit, NewItem, NewItemId, PartData, RootKind, Store, StoreError, Write, battery::block_on, memory::MemoryStore,
};
use store_postgres::{BlobsAddress, BlobsPatience, Options, PostgresStore};
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

store::battery!(@transfer copies, in_folder);

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

const ROOT: RootId = RootId(7);
const AT: Time = Time::from_unix(1_700_000_000);

fn commit(store: &PostgresStore, create_root: bool, write: Write) -> Result<store::Receipt, StoreError> {
    let mut commit = Commit::new(ROOT, AT);
    commit.create_root = create_root.then_some((RootKind::Mailbox, Guid([7; 16])));
    commit.writes = vec![write];
    block_on(store.commit(commit))
}

/// Content that differs by its seed: in one piece, or in an upload of two.
fn content(seed: u32) -> Bytes {
    let length = if seed % 4 == 3 { 6 << 20 } else { 70_000 };
    (0..length).map(|at: u32| (at.wrapping_mul(2_654_435_761 + seed * 2) >> 13) as u8).collect::<Vec<_>>().into()
}

fn create(store: &PostgresStore, seed: u32) -> Result<ItemId, StoreError> {
    let new = NewItem {
        collection: CollectionId(1).into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: Bytes::new(),
        parts: vec![PartData { part: 1, bytes: Rope::from(content(seed)) }],
    };
    commit(store, false, Write::CreateItem(new)).map(|receipt| receipt.write(0).item.unwrap())
}

/// An object store that is busy, loses requests and answers, says that it has stored what it has not, and damages what it
/// gives: what was acknowledged is there, what was not may be repeated, and nothing damaged is passed on.
#[test]
fn what_was_acknowledged_survives_a_bad_object_store() {
    const FAULTS: [Fault; 8] = [
        Fault::Busy,
        Fault::Lied,
        Fault::AnswerLost,
        Fault::Dropped,
        Fault::CutOff,
        Fault::Lied,
        Fault::Flipped,
        Fault::Shorter,
    ];
    let test = "a bad object store";
    let Some(cluster) = cluster::or_skip(cluster::shared(), test) else { return };
    let Some(server) = cluster::or_skip(ObjectServer::shared(), test) else { return };
    let rule = |seen: &Seen<'_>| match seen.number {
        number if !seen.is_about_parts() || number % 2 == 1 => Fault::None,
        number => FAULTS.get(number / 2 % FAULTS.len()).copied().unwrap_or(Fault::None),
    };
    let line = ObjectLine::start(server.address(), rule).unwrap();
    let (url, bucket) = (cluster.fresh_url(), server.bucket().unwrap());
    let open = |address| {
        let blobs = Some(server.url(&bucket, address).parse().unwrap());
        let blobs_patience = BlobsPatience { request: std::time::Duration::from_secs(3), ..BlobsPatience::new() };
        PostgresStore::open(&url, Options { blobs, blobs_patience, ..Options::new(3) }).unwrap()
    };
    let (good, bad) = (open(server.address()), open(line.address()));
    commit(&good, true, Write::CreateCollection { parent: None, bag: Bytes::new() }).unwrap();
    let acknowledged: Vec<(u32, ItemId)> = std::thread::scope(|scope| {
        let write = |seed: u32| {
            // As a client does that is told to try again.
            (0..20).find_map(|_| match create(&bad, seed) {
                Ok(item) => Some((seed, item)),
                Err(StoreError::TryAgain(_)) => None,
                Err(other) => panic!("{other}"),
            })
        };
        let tasks: Vec<_> = (0..3)
            .map(|task| scope.spawn(move || (0..4).filter_map(|at| write(task * 4 + at)).collect::<Vec<_>>()))
            .collect();
        tasks.into_iter().flat_map(|task| task.join().unwrap()).collect()
    });
    assert_eq!(acknowledged.len(), 12, "each came through in the end");
    let read = |store: &PostgresStore, item| block_on(async { store.snapshot(ROOT).await?.part(item, 1).await });
    for (seed, item) in acknowledged {
        assert!(read(&good, item).unwrap().unwrap() == content(seed), "{seed} was acknowledged");
        match read(&bad, item) {
            Ok(bytes) => assert!(bytes.unwrap() == content(seed), "{seed} was damaged on the way"),
            Err(StoreError::TryAgain(_)) => {}
            Err(other) => panic!("{seed}: {other}"),
        }
    }
}

/// While the object store is out, nodes serve what has no large parts, and are ready; what has some may be repeated.
#[test]
fn an_object_store_that_is_out_takes_nothing_else_along() {
    let test = "an object store that is out";
    let Some(cluster) = cluster::or_skip(cluster::shared(), test) else { return };
    let Some(server) = cluster::or_skip(ObjectServer::shared(), test) else { return };
    static IS_OUT: AtomicU64 = AtomicU64::new(0);
    let rule = |_: &Seen<'_>| match IS_OUT.load(Ordering::SeqCst) {
        0 => Fault::None,
        1 => Fault::Dropped,
        _ => Fault::Hangs,
    };
    let line = ObjectLine::start(server.address(), rule).unwrap();
    let blobs = Some(server.url(&server.bucket().unwrap(), line.address()).parse().unwrap());
    let (request, patience) = (std::time::Duration::from_millis(700), std::time::Duration::from_secs(2));
    let blobs_patience = BlobsPatience { request, read_patience: patience, write_patience: patience };
    let options = Options { blobs, blobs_patience, ..Options::new(3) };
    let store = PostgresStore::open(&cluster.fresh_url(), options).unwrap();
    commit(&store, true, Write::CreateCollection { parent: None, bag: Bytes::new() }).unwrap();
    let item = create(&store, 1).unwrap();
    let read = || block_on(async { store.snapshot(ROOT).await?.part(item, 1).await });
    for out in [1, 2] {
        IS_OUT.store(out, Ordering::SeqCst);
        assert_eq!(block_on(store.check()), Ok(()));
        commit(&store, false, Write::CreateCollection { parent: None, bag: Bytes::new() }).unwrap();
        assert!(matches!(read(), Err(StoreError::TryAgain(_))));
        assert!(matches!(create(&store, 2), Err(StoreError::TryAgain(_))));
    }
    IS_OUT.store(0, Ordering::SeqCst);
    assert!(read().unwrap().unwrap() == content(1));
    create(&store, 2).unwrap();
}
