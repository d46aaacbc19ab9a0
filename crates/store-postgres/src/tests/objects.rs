//! Large parts as objects in a folder: what is stored when, and what goes when.

use std::fs;

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Rope, Time};
use store::{NewItem, NewItemId, PartData, RootKind, Write};
use tempfile::TempDir;

use super::*;
use crate::{statements::objects::NOTE_OBJECT, sweep::Swept};

const ROOT: RootId = RootId(7);
const COLLECTION: CollectionId = CollectionId(1);
/// When commits happen.
const AT: Time = Time::from_unix(1_700_000_000);

/// A database with its objects.
struct Place {
    cluster: &'static Postgres,
    url: String,
    folder: TempDir,
    store: PostgresStore,
}

impl Place {
    /// With a root and a collection in it; nothing, and a line, where there is no PostgreSQL.
    fn new(test: &str) -> Option<Self> {
        let cluster = cluster(test)?;
        let (url, folder) = (cluster.fresh_url(), tempfile::tempdir().unwrap());
        let store = open(&url, &folder);
        let mut commit = Commit::new(ROOT, AT);
        commit.create_root = Some((RootKind::Mailbox, Guid([7; 16])));
        commit.writes = vec![Write::CreateCollection { parent: None, bag: Bytes::from_static(b"c") }];
        block_on(store.commit(commit)).unwrap();
        Some(Self { cluster, url, folder, store })
    }

    /// The names of the objects, in order.
    fn objects(&self) -> Vec<String> {
        let folder = self.folder.path().join("7");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| format!("7/{}", entry.file_name().to_string_lossy())).collect();
        names.sort();
        names
    }

    /// The names of objects in rows, in order.
    fn named(&self) -> Vec<String> {
        let rows = self.cluster.sql_at(&self.url, "SELECT object FROM blob_ref ORDER BY object").unwrap();
        rows.lines().map(str::to_owned).collect()
    }

    /// A sweep as at a time, with a grace of an hour, of objects of any age.
    fn sweep(&self, freed_before: Time) -> Swept {
        let sweeper = self.store.sweeper.as_ref().unwrap();
        block_on(sweeper.sweep_before(freed_before, Time::from_date(2200, 1, 1))).unwrap()
    }
}

fn open(url: &str, folder: &TempDir) -> PostgresStore {
    let address = format!("file://{}", folder.path().display()).parse().unwrap();
    PostgresStore::open(url, Options { blobs: Some(address), ..options() }).unwrap()
}

/// Content that differs by its seed.
fn content(seed: u8) -> Bytes {
    (0..200_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect::<Vec<_>>().into()
}

fn create(store: &PostgresStore, seed: u8) -> Result<ItemId, StoreError> {
    let new = NewItem {
        collection: COLLECTION.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: Bytes::from_static(b"bag"),
        parts: vec![PartData { part: 1, bytes: Rope::from(content(seed)) }],
    };
    let receipt = write_at(store, AT, Write::CreateItem(new))?;
    Ok(receipt.write(0).item.unwrap())
}

fn write_at(store: &PostgresStore, at: Time, write: Write) -> Result<Receipt, StoreError> {
    block_on(store.commit(Commit { writes: vec![write], ..Commit::new(ROOT, at) }))
}

fn delete(store: &PostgresStore, item: ItemId, at: Time) {
    write_at(store, at, Write::DeleteItem { item, note: Bytes::new() }).unwrap();
}

fn part(store: &PostgresStore, item: ItemId) -> Result<Option<Bytes>, StoreError> {
    block_on(async { store.snapshot(ROOT).await?.part(item, 1).await })
}

#[test]
fn equal_content_is_one_object_whoever_stores_it() {
    let Some(place) = Place::new("equal content") else { return };
    let others: Vec<_> = (0..3).map(|_| open(&place.url, &place.folder)).collect();
    let items: Vec<ItemId> = std::thread::scope(|scope| {
        let tasks: Vec<_> = others.iter().map(|store| scope.spawn(|| create(store, 1).unwrap())).collect();
        tasks.into_iter().map(|task| task.join().unwrap()).collect()
    });
    create(&place.store, 1).unwrap();
    // Who came second has removed its own.
    assert_eq!((place.objects().len(), place.objects()), (1, place.named()));
    for item in items {
        assert!(part(&place.store, item).unwrap().unwrap() == content(1));
    }
}

#[test]
fn freed_objects_go_after_the_grace_and_not_before() {
    let Some(place) = Place::new("freed objects") else { return };
    let (one, two) = (create(&place.store, 1).unwrap(), create(&place.store, 2).unwrap());
    assert_eq!((place.objects().len(), place.objects()), (2, place.named()));
    let deleted = AT.plus_seconds(100);
    let mut reader = block_on(place.store.snapshot(ROOT)).unwrap();
    delete(&place.store, one, deleted);
    assert_eq!(place.sweep(deleted), Swept::default(), "freed just now");
    // A snapshot from before can still read it.
    assert!(block_on(reader.part(one, 1)).unwrap().unwrap() == content(1));
    // Needed again meanwhile, and then no more.
    let again = create(&place.store, 1).unwrap();
    assert_eq!(place.sweep(deleted.plus_seconds(1)), Swept::default(), "in use");
    delete(&place.store, again, deleted.plus_seconds(50));
    assert_eq!(place.sweep(deleted.plus_seconds(50)), Swept::default());
    assert_eq!(place.sweep(deleted.plus_seconds(51)), Swept { freed: 1, ..Swept::default() });
    assert_eq!((place.objects().len(), place.objects()), (1, place.named()));
    assert!(part(&place.store, two).unwrap().unwrap() == content(2));
    // And stored anew after that.
    let anew = create(&place.store, 1).unwrap();
    assert!(part(&place.store, anew).unwrap().unwrap() == content(1));
    // A whole root.
    block_on(place.store.drop_root(ROOT)).unwrap();
    assert_eq!(place.sweep(AT.plus_seconds(86_400)).freed, 2);
    assert_eq!((place.objects(), place.named()), (Vec::new(), Vec::new()));
}

#[test]
fn objects_without_a_row_go_when_they_are_old() {
    let Some(place) = Place::new("left over objects") else { return };
    let item = create(&place.store, 1).unwrap();
    let rope = Rope::from(content(1));
    let hash = blobs::hash_rope(&rope).unwrap();
    let blobs = place.store.blobs.as_ref().unwrap();
    // What a node leaves that died before the row: also content that there is a row for, and a root that is not there.
    block_on(blobs.put(ROOT, &hash, 1, &rope)).unwrap();
    let other = Rope::from(content(2));
    block_on(blobs.put(RootId(9), &blobs::hash_rope(&other).unwrap(), 2, &other)).unwrap();
    assert_eq!(place.objects().len(), 2);
    // By its age nothing goes: all is younger than the grace.
    assert_eq!(block_on(place.store.sweep()), Ok(Swept::default()));
    assert_eq!(place.sweep(AT), Swept { left_over: 2, ..Swept::default() });
    assert_eq!(place.objects(), place.named());
    assert!(part(&place.store, item).unwrap().unwrap() == content(1));
    assert!(!place.folder.path().join("9").join(hex(&hash)).exists());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A node that stood still between object and row for so long that the sweep may have come: the database refuses its row.
#[test]
fn a_row_comes_in_time_or_not_at_all() {
    let Some(place) = Place::new("late rows") else { return };
    let note = |until: i64| {
        block_on(async {
            let session = place.store.writers.take(place.store.patience).await.unwrap();
            let (name, pieces) = ("7/x", &[0_u8; 32][..]);
            session.rows(NOTE_OBJECT, &[&7_i64, &&[1_u8; 32][..], &AT.0, &name, &pieces, &until]).await.unwrap().len()
        })
    };
    let now: i64 =
        place.cluster.sql_at(&place.url, "SELECT (extract(epoch FROM now()) * 1000)::int8").unwrap().parse().unwrap();
    assert_eq!((note(now - 1_000), place.named().len()), (0, 0));
    assert_eq!((note(now + 60_000), place.named().len()), (1, 1));
}

#[test]
fn without_the_object_store_nothing_large_is_written_or_said_to_be_lost() {
    let Some(place) = Place::new("object store out") else { return };
    let item = create(&place.store, 1).unwrap();
    let (there, away) = (place.folder.path().join("7"), place.folder.path().join(".away"));
    fs::rename(place.folder.path().join(".highwater"), &away).unwrap();
    fs::rename(&there, place.folder.path().join("7.away")).unwrap();
    fs::write(&there, "not a folder").unwrap();
    assert!(matches!(part(&place.store, item), Err(StoreError::TryAgain(_))));
    assert!(matches!(create(&place.store, 2), Err(StoreError::TryAgain(_))));
    assert!(block_on(place.store.sweep()).is_err(), "an empty store is not taken for ours");
    // Nothing of the failed commit is there, and what has no large parts works.
    let seq = block_on(place.store.snapshot(ROOT)).unwrap().root().last_seq;
    write_at(&place.store, AT, Write::CreateCollection { parent: None, bag: Bytes::new() }).unwrap();
    assert_eq!(block_on(place.store.snapshot(ROOT)).unwrap().root().last_seq, seq.next());
    fs::remove_file(&there).unwrap();
    fs::rename(place.folder.path().join("7.away"), &there).unwrap();
    fs::rename(&away, place.folder.path().join(".highwater")).unwrap();
    assert!(part(&place.store, item).unwrap().unwrap() == content(1));
    create(&place.store, 2).unwrap();
}

/// One node at a time, as often as it is told.
#[test]
fn nodes_take_turns_at_sweeping() {
    let Some(place) = Place::new("turns") else { return };
    let nodes: Vec<_> = (0..3).map(|_| open(&place.url, &place.folder)).collect();
    let due = |every: u64| {
        let ask =
            |node: &PostgresStore| block_on(node.sweeper.as_ref().unwrap().is_due(Duration::from_secs(every))).unwrap();
        nodes.iter().filter(|node| ask(node)).count()
    };
    assert_eq!((due(3_600), due(3_600)), (1, 0));
    place.cluster.sql_at(&place.url, "UPDATE meta SET value = value - 3601 WHERE key = 'swept_at'").unwrap();
    assert_eq!((due(3_600), due(3_600)), (1, 0));
}

/// Copies the rows of a database into another schema; its URL.
fn backup(place: &Place) -> String {
    let url = place.cluster.fresh_url();
    drop(PostgresStore::open(&url, options()).unwrap());
    let schema = |url: &str| url.rsplit("%3D").next().unwrap().to_owned();
    let (from, to) = (schema(&place.url), schema(&url));
    let copy = format!(
        "DO $$ DECLARE t text; BEGIN
           FOR t IN SELECT table_name FROM information_schema.tables WHERE table_schema = '{from}' LOOP
             EXECUTE format('TRUNCATE {to}.%I', t);
             EXECUTE format('INSERT INTO {to}.%I SELECT * FROM {from}.%I', t, t);
           END LOOP; END $$"
    );
    place.cluster.sql_at(&url, &copy).unwrap();
    url
}

/// Copies the objects.
fn backup_objects(place: &Place) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("7")).unwrap();
    for name in place.objects().into_iter().chain([".highwater".to_owned()]) {
        fs::copy(place.folder.path().join(&name), copy.path().join(&name)).unwrap();
    }
    copy
}

/// The database first, then the objects: everything that the copy names is there, although items come and go between the
/// two and the sweep goes on; what is too much is swept. The other way round a part is missing.
#[test]
fn a_backup_is_whole_where_the_database_comes_first() {
    let Some(place) = Place::new("backup") else { return };
    let (one, two) = (create(&place.store, 1).unwrap(), create(&place.store, 2).unwrap());
    let early_objects = backup_objects(&place);
    let three = create(&place.store, 3).unwrap();
    let copied_at = AT.plus_seconds(10);
    let url = backup(&place);
    // Meanwhile: one goes, another comes, and the sweep takes what was freed before its grace, which is longer than this.
    delete(&place.store, one, copied_at.plus_seconds(5));
    create(&place.store, 4).unwrap();
    assert_eq!(place.sweep(copied_at), Swept::default());
    let late_objects = backup_objects(&place);

    let restored = open(&url, &late_objects);
    for (item, seed) in [(one, 1), (two, 2), (three, 3)] {
        assert!(part(&restored, item).unwrap().unwrap() == content(seed), "{seed}");
    }
    let sweeper = restored.sweeper.as_ref().unwrap();
    let swept = block_on(sweeper.sweep_before(copied_at, Time::from_date(2200, 1, 1))).unwrap();
    assert_eq!(swept, Swept { left_over: 1, ..Swept::default() });
    for (item, seed) in [(one, 1), (two, 2), (three, 3)] {
        assert!(part(&restored, item).unwrap().unwrap() == content(seed), "{seed} after the sweep");
    }
    drop(restored);

    let wrong = open(&url, &early_objects);
    assert!(part(&wrong, one).unwrap().unwrap() == content(1));
    assert!(matches!(part(&wrong, three), Err(StoreError::Corrupt(text)) if text.contains("is missing")));
}
