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
    assert_eq!(view(&third).root().epoch, 33);
    // Trimming takes those that were over before the time.
    drop((second, third));
    let fourth = open(&directory, 66);
    create(&fourth, Vec::new());
    let trim = |before| Commit {
        writes: vec![Write::TrimTombstones { before, rows_max: 9 }],
        ..Commit::new(view(&fourth).root().root, at(90))
    };
    let left = || {
        let epochs = block_on(view(&fourth).epochs()).unwrap();
        epochs.into_iter().map(|epoch| epoch.epoch).collect::<Vec<_>>()
    };
    block_on(fourth.commit(trim(Time(0)))).unwrap();
    assert_eq!(left(), [1, 33, 66]);
    block_on(fourth.commit(trim(at(0)))).unwrap();
    assert_eq!(left(), [1, 33, 66]);
    block_on(fourth.commit(trim(at(1)))).unwrap();
    assert_eq!(left(), [66]);
    // What takes no position is no beginning.
    drop(fourth);
    let fifth = open(&directory, 77);
    let names = Write::PutName { scope: 1, name: Bytes::new(), target: store::NameTarget::Id(1) };
    commit(&fifth, at(90), names).unwrap();
    assert_eq!((view(&fifth).root().epoch, block_on(view(&fifth).epochs()).unwrap().len()), (66, 1));
    assert_eq!(block_on(view(&fifth).position_at(at(90))).unwrap(), view(&fifth).root().last_seq);
    create(&fifth, Vec::new());
    assert_eq!(view(&fifth).root().epoch, 77);
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
        assert!(matches!(error, OpenError::Newer { have: 99, known: 1 | 2 }), "{error}");
    }
}

/// A key of an item.
fn key(item: ItemId) -> Write {
    let put = vec![store::FieldKey { field: 1, value: Bytes::from_static(b"value") }];
    Write::ChangeKeys { collection: COLLECTION, item: item.into(), drop: Vec::new(), put }
}

#[test]
fn files_of_the_first_version_are_brought_up_to_date() {
    let Fixture { store, directory } = begun();
    let item = create(&store, vec![PartData { part: 1, bytes: vec![1; 100].into() }]);
    let before = dump(&store, ROOT, &[1]);
    drop(store);
    for shard in 0..4 {
        let connection = Connection::open(shard_path(directory.path(), shard)).unwrap();
        connection.execute_batch("DROP TABLE item_key; PRAGMA user_version = 1;").unwrap();
    }
    let store = open(&directory, 2);
    assert_eq!(dump(&store, ROOT, &[1]), before);
    commit(&store, at(1), key(item)).unwrap();
    let after = dump(&store, ROOT, &[1]);
    assert_eq!(after.collections[0].keys, [(1, Bytes::from_static(b"value"), item)]);
    drop(store);
    assert_eq!(dump(&open(&directory, 3), ROOT, &[1]), after);
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
    bytes[page * 4_096..(page + 1) * 4_096].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let store = open(&directory, 2);
    assert!(matches!(block_on(store.snapshot(ROOT)).err(), Some(StoreError::Corrupt(_))));
    assert!(matches!(commit(&store, at(0), new(Vec::new())), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_root_goes_in_steps() {
    let Fixture { store, directory } = begun();
    begin(&store, RootId(8));
    let beside = dump(&store, RootId(8), &[1]);
    let fill = |store: &SqliteStore| {
        let operation = Guid([5; 16]);
        let mut commit = Commit::new(ROOT, at(1));
        commit.operation = Some(operation);
        for number in 0..40_u8 {
            commit.writes.push(new(vec![PartData { part: 1, bytes: vec![number; 100].into() }]));
            let name = Bytes::copy_from_slice(&[number]);
            commit.writes.push(Write::PutName { scope: 1, name, target: store::NameTarget::Id(1) });
            commit.writes.push(key(ItemId(u64::from(number))));
        }
        let receipt = block_on(store.commit(commit)).unwrap();
        for item in receipt.writes.iter().filter_map(|write| write.item).take(20) {
            delete(store, at(2), item);
        }
        operation
    };
    let operation = fill(&store);
    let rows = |table: &str| -> i64 {
        (0..4)
            .map(|shard| {
                let connection = Connection::open(directory.path().join(format!("shard-{shard}.db"))).unwrap();
                let sql = format!("SELECT COUNT(*) FROM {table} WHERE root_id = 7");
                connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
            })
            .sum()
    };
    let tables = [
        "root",
        "epoch",
        "tick",
        "collection",
        "collection_bag",
        "span",
        "item",
        "item_bag",
        "tombstone",
        "item_part",
        "item_key",
        "name",
        "operation",
    ];
    assert!(tables.iter().all(|table| rows(table) > 0));
    // One step, after which the power fails: the root is not there, and what is left goes at the next start.
    let shard = store.shard_of(ROOT).unwrap().unwrap();
    let step = || block_on(written(shard.writer.send(Job::DropRoot(ROOT)).unwrap())).unwrap().write(0).rows;
    assert_eq!(step(), 1);
    assert!(rows("item") > 0 && rows("name") > 0);
    let is_gone = |store: &SqliteStore| {
        assert_eq!(block_on(store.snapshot(ROOT)).map(drop), Err(StoreError::NoRoot(ROOT)));
        assert_eq!(commit(store, at(3), new(Vec::new())), Err(StoreError::NoRoot(ROOT)));
        assert_eq!(block_on(store.outcome(ROOT, operation)), Ok(None));
        let roots = block_on(store.roots(None, 9)).unwrap().rows;
        assert_eq!(roots.iter().map(|row| row.root).collect::<Vec<_>>(), [RootId(8)]);
    };
    is_gone(&store);
    drop(store);
    let store = open(&directory, 2);
    is_gone(&store);
    assert!(tables.iter().all(|table| rows(table) == 0));
    // One that is made anew in between begins empty.
    begin(&store, ROOT);
    fill(&store);
    let shard = store.shard_of(ROOT).unwrap().unwrap();
    assert_eq!(block_on(written(shard.writer.send(Job::DropRoot(ROOT)).unwrap())).unwrap().write(0).rows, 1);
    begin(&store, ROOT);
    assert_eq!((rows("item"), rows("name"), rows("tombstone"), rows("collection")), (0, 0, 0, 1));
    fill(&store);
    block_on(store.drop_root(ROOT)).unwrap();
    is_gone(&store);
    assert!(tables.iter().all(|table| rows(table) == 0));
    let after = dump(&store, RootId(8), &[1]);
    assert_eq!(after, beside);
}
