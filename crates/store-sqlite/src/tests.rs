//! The battery, and what is particular to this store.

mod files;
mod opening;
mod reading;
mod sharing;

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Time};
use store::{NewItem, NewItemId, RootKind, battery::block_on};
use tempfile::TempDir;

use super::*;

/// A store in a directory that goes with it.
struct Fixture {
    store: SqliteStore,
    directory: TempDir,
}

impl AsRef<dyn Store> for Fixture {
    fn as_ref(&self) -> &(dyn Store + 'static) {
        &self.store
    }
}

const ROOT: RootId = RootId(7);
/// The collection that [`begun`] creates.
const COLLECTION: CollectionId = CollectionId(1);

/// A directory in memory where there is such a thing: what a sync does is tested elsewhere.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap()
}

fn options(epoch: u64) -> Options {
    Options { synchronous: Synchronous::Off, ..Options::new(epoch) }
}

fn open(directory: &TempDir, epoch: u64) -> SqliteStore {
    SqliteStore::open(directory.path(), options(epoch)).unwrap()
}

fn fixture_with(options: Options) -> Fixture {
    let directory = scratch();
    Fixture { store: SqliteStore::open(directory.path(), options).unwrap(), directory }
}

fn fixture() -> Fixture {
    fixture_with(options(1))
}

/// One shard, and every part of more than a few bytes is a file.
fn fixture_of_files() -> Fixture {
    fixture_with(Options { shards: 1, blob_threshold_bytes: 4, ..options(1) })
}

/// As in earnest.
fn fixture_in_full() -> Fixture {
    fixture_with(Options::new(1))
}

store::battery!(plain, fixture);
store::battery!(@transfer copies, fixture);
store::battery!(@transfer copies_of_files, fixture_of_files);
store::battery!(files_of_parts, fixture_of_files);
store::battery!(synchronous, fixture_in_full);

/// A store with a root and a collection in it.
fn begun() -> Fixture {
    let fixture = fixture();
    begin(&fixture.store, ROOT);
    fixture
}

fn begin(store: &SqliteStore, root: RootId) {
    let mut commit = Commit::new(root, at(0));
    commit.create_root = Some((RootKind::Mailbox, Guid::NIL));
    commit.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
    block_on(store.commit(commit)).unwrap();
}

/// A time in minutes.
fn at(minutes: i64) -> Time {
    Time::from_unix(minutes * 60)
}

fn commit(store: &SqliteStore, time: Time, write: Write) -> Result<Receipt, StoreError> {
    let mut commit = Commit::new(ROOT, time);
    commit.writes.push(write);
    block_on(store.commit(commit))
}

fn new(parts: Vec<PartData>) -> Write {
    Write::CreateItem(NewItem {
        collection: COLLECTION.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: Bytes::from_static(b"bag"),
        parts,
    })
}

fn create(store: &SqliteStore, parts: Vec<PartData>) -> ItemId {
    commit(store, at(0), new(parts)).unwrap().write(0).item.unwrap()
}

fn delete(store: &SqliteStore, time: Time, item: ItemId) {
    commit(store, time, Write::DeleteItem { item, note: Bytes::new() }).unwrap();
}

fn view(store: &SqliteStore) -> Box<dyn Snapshot> {
    block_on(store.snapshot(ROOT)).unwrap()
}
