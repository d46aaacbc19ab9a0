//! What reads cost.

use std::ops::Bound;

use model::Seq;
use store::{Direction, Want};

use super::*;

const PAGE: usize = 50;

/// Steps and rows of a page of changes, one of creations, one of the listing and two of keys, in a history of `items` items of
/// which every second was deleted.
fn costs(items: usize) -> [(u64, u64); 6] {
    let Fixture { store, directory: _directory } = begun();
    let mut made = Vec::new();
    for _ in 0..items / 500 {
        let mut commit = Commit::new(ROOT, at(0));
        commit.writes = vec![new(Vec::new()); 500];
        let receipt = block_on(store.commit(commit)).unwrap();
        made.extend(receipt.writes.iter().filter_map(|write| write.item));
    }
    for chunk in made.chunks(1_000) {
        let mut commit = Commit::new(ROOT, at(0));
        commit.writes =
            chunk.iter().step_by(2).map(|item| Write::DeleteItem { item: *item, note: Bytes::new() }).collect();
        block_on(store.commit(commit)).unwrap();
    }
    for chunk in made.chunks(1_000) {
        let mut commit = Commit::new(ROOT, at(0));
        commit.writes.extend(chunk.iter().map(|item| {
            let value = Bytes::copy_from_slice(&(item.0 / 100).to_be_bytes());
            let put = vec![store::FieldKey { field: 1, value }];
            Write::ChangeKeys { collection: COLLECTION, item: (*item).into(), drop: Vec::new(), put }
        }));
        block_on(store.commit(commit)).unwrap();
    }
    let mut view = view(&store);
    let (last, middle) = (view.root().last_seq, Seq(items as u64));
    let mut before = store.stats();
    let mut cost = || {
        let after = store.stats();
        let cost = (after.read_steps - before.read_steps, after.rows_read - before.rows_read);
        before = after;
        cost
    };
    let changes =
        |view: &mut Box<dyn Snapshot>, after| block_on(view.changes(COLLECTION, after, PAGE, Want::HOT)).unwrap();
    assert_eq!(changes(&mut view, middle).rows.len(), PAGE);
    let at_the_middle = cost();
    assert_eq!(changes(&mut view, Seq(last.0 - 20)).rows.len(), 20);
    let near_the_end = cost();
    assert_eq!(block_on(view.created(COLLECTION, Seq::ZERO, middle, PAGE, Want::HOT)).unwrap().rows.len(), PAGE);
    let created = cost();
    assert_eq!(block_on(view.list(COLLECTION, Some(ItemId(100)), PAGE, Want::HOT)).unwrap().rows.len(), PAGE);
    let listed = cost();
    let from = |item: u64| Bytes::copy_from_slice(&item.to_be_bytes());
    let range = store::KeyRange { from: Bound::Included(from(2)), to: Bound::Excluded(from(4)) };
    let [up, down] = [Direction::Ascending, Direction::Descending].map(|direction| {
        let value = from(3);
        let after = Some((&value[..], ItemId(310)));
        let page = block_on(view.keys(COLLECTION, 1, &range, direction, after, PAGE)).unwrap();
        assert!(page.rows.len() == PAGE && page.more, "{page:?}");
        cost()
    });
    [at_the_middle, near_the_end, created, listed, up, down]
}

#[test]
fn a_page_costs_its_rows_however_long_the_history() {
    let (short, long) = (costs(1_000), costs(20_000));
    assert_eq!(short, long);
    for ((steps, rows), returned) in short.into_iter().zip([PAGE + 1, 20, PAGE + 1, PAGE + 1, PAGE + 1, PAGE + 1]) {
        assert_eq!(rows, returned as u64);
        assert!(steps < 30 * rows + 100, "{steps} steps for {rows} rows");
    }
}

#[test]
fn pages_are_ranges_of_one_index() {
    let Fixture { store, directory: _directory } = begun();
    let shard = store.shard_of(ROOT).unwrap().unwrap();
    let reader = shard.readers.take().unwrap();
    for (sql, index, is_index_alone) in snapshot::RANGES {
        let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let count = statement.parameter_count();
        let plan: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let found = plan.join("; ");
        assert!(
            plan[0].starts_with("SEARCH") && found.contains(index) && !found.contains("TEMP B-TREE"),
            "{sql}: {found}"
        );
        assert_eq!(plan.len() == 1 && found.contains("COVERING"), *is_index_alone, "{sql}: {found}");
    }
}

#[test]
fn a_change_of_the_read_flag_leaves_the_bag_alone() {
    let Fixture { store, directory } = begun();
    let item = create(&store, Vec::new());
    let shard = Connection::open(shard_path(directory.path(), (ROOT.0 % 4) as usize)).unwrap();
    shard
        .execute_batch("CREATE TRIGGER watch BEFORE UPDATE ON item_bag BEGIN SELECT RAISE(ABORT, 'bag'); END")
        .unwrap();
    let change = |bag: Option<&'static [u8]>| {
        let content = bag.is_some();
        let bag = bag.map(Bytes::from_static);
        Write::UpdateItem(store::ItemChange { item, flags: Some(ItemFlags::READ), bag, parts: Vec::new(), content })
    };
    commit(&store, at(0), change(None)).unwrap();
    assert!(commit(&store, at(0), change(Some(b"other"))).is_err());
}

#[test]
fn times_before_the_kept_time_line_are_before_everything() {
    let Fixture { store, directory: _directory } = begun();
    let day = 24 * 60;
    for minutes in [10, 5 * day, 6 * day] {
        commit(&store, at(minutes), new(Vec::new())).unwrap();
    }
    commit(&store, at(6 * day), Write::TrimTombstones { before: at(5 * day), rows_max: 10 }).unwrap();
    let mut view = view(&store);
    let mut position = |minutes| block_on(view.position_at(at(minutes))).unwrap();
    assert_eq!([position(0), position(2 * day), position(5 * day)], [Seq(0), Seq(0), Seq(2)]);
    assert_eq!([position(5 * day + 1), position(6 * day), position(6 * day + 1)], [Seq(3), Seq(3), Seq(4)]);
}

#[test]
fn who_waits_for_a_reader_gets_it() {
    let fixture = fixture_with(Options { readers: 1, ..options(1) });
    begin(&fixture.store, ROOT);
    let first = view(&fixture.store);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| view(&fixture.store).root().last_seq);
        drop(first);
        assert_eq!(second.join().unwrap(), Seq(1));
    });
}
