//! The files of large parts come and go.

use model::Seq;
use store::Guard;

use super::*;

fn large(fill: u8) -> PartData {
    PartData { part: 1, bytes: vec![fill; 100_000].into() }
}

fn files(directory: &TempDir) -> usize {
    let directories = fs::read_dir(directory.path().join("blobs")).unwrap();
    directories.map(|directory| fs::read_dir(directory.unwrap().path()).unwrap().count()).sum()
}

#[test]
fn a_file_outlives_its_last_reference_by_the_time_of_grace() {
    let Fixture { store, directory } = begun();
    let (one, two) = (create(&store, vec![large(1)]), create(&store, vec![large(1)]));
    assert_eq!(files(&directory), 1);
    delete(&store, at(10), one);
    let mut before = view(&store);
    delete(&store, at(20), two);
    commit(&store, at(79), new(Vec::new())).unwrap();
    assert_eq!(block_on(before.part(two, 1)).unwrap().unwrap().len(), 100_000);
    assert_eq!(files(&directory), 1);
    commit(&store, at(81), new(Vec::new())).unwrap();
    assert_eq!(files(&directory), 0);
    let again = create(&store, vec![large(1)]);
    assert_eq!(block_on(view(&store).part(again, 1)).unwrap().unwrap().len(), 100_000);
}

#[test]
fn a_file_that_is_needed_again_stays() {
    let Fixture { store, directory } = begun();
    let one = create(&store, vec![large(1)]);
    delete(&store, at(10), one);
    let two = commit(&store, at(60), new(vec![large(1)])).unwrap().write(0).item.unwrap();
    commit(&store, at(600), new(Vec::new())).unwrap();
    assert_eq!(files(&directory), 1);
    assert_eq!(block_on(view(&store).part(two, 1)).unwrap().unwrap().len(), 100_000);
}

#[test]
fn the_file_of_a_failed_commit_goes() {
    let Fixture { store, directory } = begun();
    let mut refused = Commit::new(ROOT, at(0));
    refused.guards.push(Guard::ItemAt(ItemId(99), Seq(99)));
    refused.writes.push(new(vec![large(1)]));
    assert_eq!(block_on(store.commit(refused)), Err(StoreError::Conflict { guard: 0 }));
    assert_eq!(files(&directory), 1);
    commit(&store, at(61), new(Vec::new())).unwrap();
    assert_eq!(files(&directory), 0);
}

#[test]
fn drops_free_files() {
    let Fixture { store, directory } = begun();
    begin(&store, RootId(8));
    let mut elsewhere = Commit::new(RootId(8), at(0));
    elsewhere.writes.push(new(vec![large(2)]));
    block_on(store.commit(elsewhere)).unwrap();
    create(&store, vec![large(1), PartData { part: 2, ..large(2) }]);
    assert_eq!(files(&directory), 3);
    commit(&store, at(5), Write::DropCollection { collection: COLLECTION }).unwrap();
    commit(&store, at(70), Write::CreateCollection { parent: None, bag: Bytes::new() }).unwrap();
    assert_eq!(files(&directory), 1);
    block_on(store.drop_root(RootId(8))).unwrap();
    assert_eq!(files(&directory), 1);
    begin(&store, RootId(8));
    let mut later = Commit::new(RootId(8), at(70));
    later.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
    block_on(store.commit(later)).unwrap();
    assert_eq!(files(&directory), 0);
}

#[test]
fn what_a_crash_left_is_swept_at_the_next_start() {
    let Fixture { store, directory } = begun();
    let kept = create(&store, vec![large(1)]);
    let orphan = directory.path().join("blobs/ab").join(format!("{}.7", "cd".repeat(31)));
    let stray = |store: SqliteStore, is_crash: bool| {
        drop(store);
        fs::write(&orphan, b"orphan").unwrap();
        fs::write(directory.path().join("blobs/00/new-1-1"), b"unfinished").unwrap();
        if is_crash {
            let control = Connection::open(directory.path().join("control.db")).unwrap();
            control.execute("UPDATE meta SET value = 1 WHERE key = 'open'", []).unwrap();
        }
        open(&directory, 2)
    };
    let store = stray(store, false);
    assert_eq!(files(&directory), 3, "a store that was closed properly is not searched");
    let store = stray(store, true);
    assert_eq!(files(&directory), 1);
    assert!(block_on(view(&store).part(kept, 1)).unwrap().is_some());
}

#[test]
fn a_damaged_file_is_corrupt() {
    let Fixture { store, directory } = begun();
    let item = create(&store, vec![large(1), PartData { part: 2, bytes: Bytes::from_static(b"small").into() }]);
    for entry in fs::read_dir(directory.path().join("blobs")).unwrap() {
        for file in fs::read_dir(entry.unwrap().path()).unwrap() {
            fs::write(file.unwrap().path(), vec![2; 100_000]).unwrap();
        }
    }
    let mut view = view(&store);
    assert!(matches!(block_on(view.part(item, 1)), Err(StoreError::Corrupt(_))));
    assert_eq!(block_on(view.part(item, 2)).unwrap().unwrap(), "small");
}
