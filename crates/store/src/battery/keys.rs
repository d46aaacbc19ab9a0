//! Keys.

use std::ops::Bound;

use bytes::Bytes;
use model::{CollectionId, ItemId, limits};

use super::{
    bench::{Bench, plain, text, top},
    block_on,
    dump::goes_on,
};
use crate::{Direction, FieldKey, ItemRef, KeyRange, Snapshot, Store, StoreError, Write};

type Key = (Bytes, ItemId);

fn key(field: u32, value: impl Into<Bytes>) -> FieldKey {
    FieldKey { field, value: value.into() }
}

fn change(collection: CollectionId, item: impl Into<ItemRef>, drop: Vec<FieldKey>, put: Vec<FieldKey>) -> Write {
    Write::ChangeKeys { collection, item: item.into(), drop, put }
}

fn put(collection: CollectionId, item: u64, field: u32, value: &'static [u8]) -> Write {
    change(collection, ItemId(item), Vec::new(), vec![key(field, value)])
}

/// All keys of a range, page by page.
fn read(
    view: &mut dyn Snapshot,
    collection: CollectionId,
    field: u32,
    range: &KeyRange,
    direction: Direction,
    limit: usize,
) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    loop {
        let after = found.last().map(|(value, item)| (&value[..], *item));
        let page = block_on(view.keys(collection, field, range, direction, after, limit)).unwrap();
        assert!(page.rows.len() <= limit);
        goes_on(&page, found.len());
        found.extend(page.rows.iter().cloned());
        if !page.more {
            return found;
        }
    }
}

fn all(bench: Bench<'_>, collection: CollectionId, field: u32) -> Vec<Key> {
    read(bench.view().0.as_mut(), collection, field, &KeyRange::ALL, Direction::Ascending, 3)
}

/// Keys come in the order of value and id, from any bound to any other, in both directions, page by page.
pub fn keys_are_paged_in_order(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (list, other) = (bench.folder(), bench.folder());
    let values: [&[u8]; 8] = [b"", b"\0", b"\0\xff", b"a", b"a\0", b"aa", b"b", b"\xff\xff\xff"];
    let mut expected: Vec<Key> = Vec::new();
    let mut writes = Vec::new();
    for (at, value) in values.into_iter().enumerate().rev() {
        for item in [9, 2, 70_000 + at as u64] {
            writes.push(put(list, item, 3, value));
            expected.push((Bytes::from_static(value), ItemId(item)));
        }
        writes.push(put(list, 5, 2, value));
        writes.push(put(list, 5, 4, value));
        writes.push(put(other, 5, 3, value));
    }
    bench.write(writes);
    expected.sort();
    let mut view = bench.view().0;
    let mut bounds = vec![Bound::Unbounded];
    for value in values.into_iter().chain([&b"ab"[..]]) {
        bounds.extend([Bound::Included(Bytes::from_static(value)), Bound::Excluded(Bytes::from_static(value))]);
    }
    for (number, from) in bounds.iter().enumerate() {
        for to in &bounds {
            let range = KeyRange { from: from.clone(), to: to.clone() };
            let wanted: Vec<Key> = expected.iter().filter(|(value, _)| range.contains(value)).cloned().collect();
            let backwards: Vec<Key> = wanted.iter().rev().cloned().collect();
            let limit = 1 + number % 7;
            let found = read(view.as_mut(), list, 3, &range, Direction::Ascending, limit);
            assert_eq!(found, wanted, "{range:?} by {limit}");
            let found = read(view.as_mut(), list, 3, &range, Direction::Descending, limit);
            assert_eq!(found, backwards, "{range:?} by {limit}, descending");
        }
    }
    // A place to go on from need not be that of a key.
    let after = Some((&b"a\0\0"[..], ItemId(0)));
    let page = block_on(view.keys(list, 3, &KeyRange::ALL, Direction::Ascending, after, 1)).unwrap();
    assert_eq!((page.rows, page.more), (vec![(Bytes::from_static(b"aa"), ItemId(2))], true));
    let page = block_on(view.keys(list, 3, &KeyRange::ALL, Direction::Descending, after, 1)).unwrap();
    assert_eq!((page.rows, page.more), (vec![(Bytes::from_static(b"a\0"), ItemId(70_004))], true));
    let point = KeyRange::point(Bytes::from_static(b"a"));
    assert_eq!(read(view.as_mut(), list, 3, &point, Direction::Ascending, 2).len(), 3);
    assert_eq!(block_on(view.keys(list, 9, &KeyRange::ALL, Direction::Ascending, None, 5)).unwrap().rows, []);
}

/// Keys change with the rest of their commit, and take no position.
pub fn keys_change_as_they_are_told(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let list = bench.folder();
    let created = bench.write(vec![
        Write::CreateItem(plain(list)),
        change(list, ItemRef::Write(0), Vec::new(), vec![key(1, "a"), key(2, "x")]),
    ]);
    let item = created.write(0).item.unwrap();
    assert_eq!(created.last_seq, created.write(0).seq);
    assert_eq!(all(bench, list, 1), [(text("a"), item)]);
    assert_eq!(all(bench, list, 2), [(text("x"), item)]);
    // Dropped and put in this order; what is not there is passed over, and so is what is.
    bench.one(change(list, item, vec![key(1, "a"), key(1, "b"), key(2, "x")], vec![key(1, "c"), key(2, "x")]));
    bench.one(change(list, item, Vec::new(), vec![key(1, "c")]));
    assert_eq!(all(bench, list, 1), [(text("c"), item)]);
    assert_eq!(all(bench, list, 2), [(text("x"), item)]);
    assert_eq!(bench.last_seq(), created.last_seq);
    // A commit that fails leaves them as they were.
    let fails = Write::DeleteItem { item: ItemId(9_999), note: Bytes::new() };
    bench.try_write(vec![change(list, item, vec![key(1, "c")], vec![key(1, "d")]), fails]).unwrap_err();
    assert_eq!(all(bench, list, 1), [(text("c"), item)]);
    // An item that changes or goes keeps them until told.
    bench.one(Write::DeleteItem { item, note: Bytes::new() });
    assert_eq!(all(bench, list, 1), [(text("c"), item)]);
    let missing = CollectionId(999);
    let result = bench.try_write(vec![put(missing, 5, 1, b"a")]);
    assert_eq!(result, Err(StoreError::NoCollection(missing)));
    let result = bench.try_write(vec![top("x"), change(list, ItemRef::Write(0), Vec::new(), vec![key(1, "a")])]);
    assert!(matches!(result, Err(StoreError::TooLarge(_))), "{result:?}");
}

/// Keys go with their collection, and those of a field in bounded steps.
pub fn keys_go_in_steps_or_with_their_collection(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (list, other) = (bench.folder(), bench.folder());
    let writes = (1..=10).flat_map(|item| [1, 2, 3].map(|field| put(list, item, field, b"v"))).collect();
    bench.write(writes);
    bench.one(put(other, 5, 2, b"v"));
    let step = |rows_max| bench.one(Write::DropKeys { collection: list, field: 2, rows_max }).rows;
    assert_eq!([step(0), step(4), step(4), step(4), step(4)], [0, 4, 4, 2, 0]);
    assert_eq!([1, 2, 3].map(|field| all(bench, list, field).len()), [10, 0, 10]);
    bench.one(Write::DropCollection { collection: list });
    assert_eq!([1, 2, 3].map(|field| all(bench, list, field).len()), [0, 0, 0]);
    assert_eq!(all(bench, other, 2), [(text("v"), ItemId(5))]);
}

/// Keys that are too long or too many are refused.
pub fn keys_keep_their_bounds(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let list = bench.folder();
    let longest = vec![7; limits::KEY_VALUE_BYTES_MAX];
    let longer = vec![7; limits::KEY_VALUE_BYTES_MAX + 1];
    bench.one(change(list, ItemId(1), Vec::new(), vec![key(1, longest.clone())]));
    assert_eq!(all(bench, list, 1), [(Bytes::from(longest), ItemId(1))]);
    for keys in [vec![key(1, longer)], vec![key(1, "a"); limits::KEYS_OF_WRITE_MAX + 1]] {
        let result = bench.try_write(vec![change(list, ItemId(1), keys, Vec::new())]);
        assert!(matches!(result, Err(StoreError::TooLarge(_))), "{result:?}");
    }
}
