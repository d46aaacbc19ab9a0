//! Opening, closing, and what a start means.

use model::Seq;
use store::battery::dump::dump;

use super::*;
use crate::schema;

#[test]
fn everything_is_there_after_reopening() {
    let Fixture { store, directory } = begun();
    let operation = Guid([3; 16]);
    let mut last = Commit::new(ROOT, at(3));
    last.operation = Some(operation);
    last.writes.push(new(vec![PartData { part: 1, bytes: vec![1; 100_000].into() }]));
    last.writes.push(Write::PutName {
        scope: 1,
        name: Bytes::from_static(b"name"),
        target: store::NameTarget::Write(0),
    });
    let gone = create(&store, Vec::new());
    delete(&store, at(1), gone);
    let receipt = block_on(store.commit(last)).unwrap();
    let before = dump(&store, ROOT, &[1]);
    drop(store);
    // The number of shards is that of the creation.
    let store = SqliteStore::open(directory.path(), Options { shards: 9, ..options(2) }).unwrap();
    assert_eq!(dump(&store, ROOT, &[1]), before);
    assert_eq!(block_on(store.outcome(ROOT, operation)), Ok(Some(receipt)));
    assert_eq!(block_on(view(&store).position_at(at(3))), Ok(Seq(3)));
    assert_eq!(store.shards.len(), 4);
}

#[test]
fn each_start_that_writes_is_an_epoch() {
    let Fixture { store, directory } = begun();
    create(&store, Vec::new());
    drop(store);
    drop(open(&directory, 22));
    let first = open(&directory, 33);
    let second = open(&directory, 44);
    create(&second, Vec::new());
    create(&first, Vec::new());
    drop(first);
    let third = open(&directory, 55);
    create(&third, Vec::new());
    let epochs: Vec<_> =
        block_on(view(&third).epochs()).unwrap().into_iter().map(|epoch| (epoch.epoch, epoch.first_seq)).collect();
    assert_eq!(epochs, [(1, Seq(0)), (33, Seq(2))]);
}

#[test]
fn a_copy_that_was_put_back_is_another_history() {
    let Fixture { store, directory } = begun();
    create(&store, Vec::new());
    drop(store);
    let copy = scratch();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    let (original, restored) = (open(&directory, 2), open(&copy, 3));
    create(&original, Vec::new());
    create(&restored, Vec::new());
    let last = |store| block_on(view(store).epochs()).unwrap().pop().unwrap();
    assert_ne!(last(&original).epoch, last(&restored).epoch);
    assert_eq!(last(&original).first_seq, last(&restored).first_seq);
}

#[test]
fn a_newer_schema_is_refused() {
    for file in ["control.db", "shard-2.db"] {
        let Fixture { store, directory } = begun();
        drop(store);
        let connection = Connection::open(directory.path().join(file)).unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        drop(connection);
        let error = SqliteStore::open(directory.path(), options(2)).unwrap_err();
        assert!(matches!(error, OpenError::Newer { have: 99, known: 1 }), "{error}");
    }
}

#[test]
fn steps_lead_from_any_version_to_the_latest() {
    let steps = ["CREATE TABLE a(x);", "CREATE TABLE b(x);", "DROP TABLE a;"];
    for known in 0..=steps.len() {
        let connection = Connection::open_in_memory().unwrap();
        schema::upgrade(&connection, &steps[..known]).unwrap();
        schema::upgrade(&connection, &steps).unwrap();
        assert_eq!(schema::check(&connection, &steps).unwrap(), 3);
        assert!(connection.prepare("SELECT * FROM b").is_ok());
        assert!(connection.prepare("SELECT * FROM a").is_err());
    }
    // A step that fails leaves nothing of itself.
    let connection = Connection::open_in_memory().unwrap();
    assert!(schema::upgrade(&connection, &["CREATE TABLE a(x);", "CREATE TABLE b(x); CREATE TABLE a(x);"]).is_err());
    connection.execute_batch("ROLLBACK").unwrap();
    assert!(connection.prepare("SELECT * FROM b").is_err());
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let directory = scratch();
    fs::write(directory.path().join("control.db"), vec![7; 10_000]).unwrap();
    let error = SqliteStore::open(directory.path(), options(1)).unwrap_err();
    assert!(matches!(error, OpenError::Database(_)), "{error}");
}

#[test]
fn a_damaged_page_is_corrupt() {
    let Fixture { store, directory } = begun();
    drop(store);
    let path = shard_path(directory.path(), (ROOT.0 % 4) as usize);
    let shard = Connection::open(&path).unwrap();
    let find = "SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'root'";
    let page = shard.query_row(find, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    drop(shard);
    let mut bytes = fs::read(&path).unwrap();
    bytes[page * 8_192..(page + 1) * 8_192].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = open(&directory, 2);
    assert!(matches!(block_on(store.snapshot(ROOT)).err(), Some(StoreError::Corrupt(_))));
    assert!(matches!(commit(&store, at(0), new(Vec::new())), Err(StoreError::Corrupt(_))));
}
