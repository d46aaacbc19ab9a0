//! Ordered reads and their pages.

use model::{CollectionId, ItemFlags, ItemId, Seq, limits::PAGE_ROWS_MAX};

use super::{
    bench::{Bench, delete, edit, flag, plain, top},
    block_on,
    dump::goes_on,
};
use crate::{ChangeRow, ItemRow, NewItem, NewItemId, Page, Store, StoreError, Want, Write};

/// A folder with a neighbour on both sides and a history of changes and deletions; gives the folder.
fn history(bench: Bench<'_>) -> CollectionId {
    let (before, folder, after) = (bench.folder(), bench.folder(), bench.folder());
    let items: Vec<ItemId> = (0..6).map(|_| bench.item(folder)).collect();
    for neighbour in [before, after] {
        let item = bench.item(neighbour);
        bench.item(neighbour);
        bench.one(delete(item));
    }
    bench.one(edit(items[3], super::bench::text("edited")));
    bench.one(delete(items[1]));
    bench.one(flag(items[0], ItemFlags::READ));
    bench.one(delete(items[4]));
    bench.create(NewItem { id: NewItemId::Numbered, ..plain(folder) });
    folder
}

/// Reads all pages with `read`, which is given the last row; checks that each page is full or the last.
fn pages<T: Clone>(limit: usize, mut read: impl FnMut(Option<&T>) -> Page<T>) -> Vec<T> {
    let mut rows: Vec<T> = Vec::new();
    loop {
        let page = read(rows.last());
        assert!(page.rows.len() == limit || page.rows.len() < limit && !page.more, "limit {limit}");
        goes_on(&page, rows.len());
        rows.extend(page.rows);
        if !page.more {
            return rows;
        }
    }
}

/// Changes come in ascending order of position from behind the mark, items and tombstones together, at any limit.
pub fn changes_are_paged_by_position(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = history(bench);
    let mut view = bench.view();
    let all = view.changes(folder, Seq::ZERO, 100);
    assert!(!all.more);
    let seqs: Vec<u64> = all.rows.iter().map(|row| row.seq().0).collect();
    assert_eq!(seqs, [6, 9, 16, 17, 18, 19, 20]);
    let kinds: Vec<bool> = all.rows.iter().map(|row| matches!(row, ChangeRow::Item(_))).collect();
    assert_eq!(kinds, [true, true, true, false, true, false, true]);
    for limit in 1..=8 {
        let paged = pages(limit, |last: Option<&ChangeRow>| {
            view.changes(folder, last.map_or(Seq::ZERO, ChangeRow::seq), limit)
        });
        assert_eq!(paged, all.rows, "limit {limit}");
    }
    for after in 0..22 {
        let expected: Vec<_> = all.rows.iter().filter(|row| row.seq().0 > after).cloned().collect();
        assert_eq!(view.changes(folder, Seq(after), 100).rows, expected, "after {after}");
    }
    assert_eq!(view.changes(CollectionId(4_000), Seq::ZERO, 100), Page { rows: vec![], more: false });
}

/// A listing comes in ascending order of id, at any limit.
pub fn listing_is_paged_by_id(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = history(bench);
    let mut view = bench.view().0;
    let mut list = |after, limit| block_on(view.list(folder, after, limit, Want::BAG)).unwrap();
    let all = list(None, 100);
    let ids: Vec<ItemId> = all.rows.iter().map(|row| row.item).collect();
    assert_eq!(ids, [ItemId(4), ItemId(6), ItemId(7), ItemId(9), ItemId::in_list(folder, 1)]);
    assert!(!all.more);
    for limit in 1..=6 {
        let paged = pages(limit, |last: Option<&ItemRow>| list(last.map(|row| row.item), limit));
        assert_eq!(paged, all.rows, "limit {limit}");
    }
    let behind_gap = list(Some(ItemId(5)), 1);
    assert_eq!((behind_gap.rows[0].item, behind_gap.more), (ItemId(6), true));
    assert_eq!(block_on(view.list(CollectionId(4_000), None, 9, Want::HOT)), Ok(Page { rows: vec![], more: false }));
}

/// Items by creation come newest first from both bounds, the upper one included, at any limit.
pub fn created_is_paged_newest_first(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = history(bench);
    let mut view = bench.view().0;
    let mut created =
        |above, up_to, limit| block_on(view.created(folder, Seq(above), Seq(up_to), limit, Want::BAG)).unwrap();
    let all = created(0, 100, 100);
    let seqs: Vec<u64> = all.rows.iter().map(|row| row.created_seq.0).collect();
    assert_eq!(seqs, [20, 9, 7, 6, 4]);
    assert!(!all.more);
    for above in 0..22 {
        for up_to in 0..22 {
            let in_range = |row: &&ItemRow| row.created_seq.0 > above && row.created_seq.0 <= up_to;
            let expected: Vec<ItemRow> = all.rows.iter().filter(in_range).cloned().collect();
            for limit in [1, 2, 3, 5] {
                let paged = pages(limit, |last: Option<&ItemRow>| {
                    created(above, last.map_or(up_to, |row| row.created_seq.0 - 1), limit)
                });
                assert_eq!(paged, expected, "({above}, {up_to}] by {limit}");
            }
        }
    }
}

/// Collections come in ascending order of id, at any limit.
pub fn collections_are_paged_by_id(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let mut ids: Vec<CollectionId> = (0..7).map(|_| bench.folder()).collect();
    bench.one(Write::DropCollection { collection: ids.remove(2) });
    let mut view = bench.view().0;
    for limit in 1..=7 {
        let rows = pages(limit, |last: Option<&crate::CollectionRow>| {
            block_on(view.collections(last.map(|row| row.collection), limit)).unwrap()
        });
        assert_eq!(rows.iter().map(|row| row.collection).collect::<Vec<_>>(), ids, "limit {limit}");
    }
    let behind = block_on(view.collections(Some(CollectionId(3)), 1)).unwrap();
    assert_eq!(behind.rows[0].collection, CollectionId(4));
}

/// Items by id fill one slot an id in the order asked, repeated and missing ones too; too many ids are refused.
pub fn items_come_in_the_order_asked(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let (first, second) = (bench.item(folder), bench.item(folder));
    let mut view = bench.view().0;
    let ids = [second, ItemId(4_000), first, second, ItemId(0)];
    let found = block_on(view.items(&ids, Want::HOT)).unwrap();
    let found: Vec<Option<ItemId>> = found.iter().map(|row| row.as_ref().map(|row| row.item)).collect();
    assert_eq!(found, [Some(second), None, Some(first), Some(second), None]);
    assert_eq!(block_on(view.items(&[], Want::BAG)), Ok(vec![]));
    assert_eq!(block_on(view.items(&vec![first; PAGE_ROWS_MAX], Want::HOT)).unwrap().len(), PAGE_ROWS_MAX);
    let many = block_on(view.items(&vec![first; PAGE_ROWS_MAX + 1], Want::HOT));
    assert!(matches!(many, Err(StoreError::TooLarge(_))), "{many:?}");
}

/// A limit above the bound of the port is taken as the bound.
pub fn limits_above_the_bound_count_as_the_bound(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    bench.write(vec![Write::CreateItem(plain(folder)); PAGE_ROWS_MAX + 1]);
    bench.write(vec![top("more"); PAGE_ROWS_MAX]);
    let mut view = bench.view().0;
    for limit in [PAGE_ROWS_MAX, PAGE_ROWS_MAX + 1, usize::MAX] {
        let list = block_on(view.list(folder, None, limit, Want::HOT)).unwrap();
        let changes = block_on(view.changes(folder, Seq::ZERO, limit, Want::HOT)).unwrap();
        let created = block_on(view.created(folder, Seq::ZERO, Seq(1_000_000), limit, Want::HOT)).unwrap();
        let collections = block_on(view.collections(None, limit)).unwrap();
        let found = [
            (list.rows.len(), list.more),
            (changes.rows.len(), changes.more),
            (created.rows.len(), created.more),
            (collections.rows.len(), collections.more),
        ];
        assert_eq!(found, [(PAGE_ROWS_MAX, true); 4], "limit {limit}");
    }
}

/// An item has one entry in the change range, at its latest position, however often it changed.
pub fn one_entry_stands_for_an_item_however_often_it_changed(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.item(folder);
    for round in 0..50 {
        bench.one(flag(item, ItemFlags::default().set(ItemFlags::READ, round % 2 == 0)));
    }
    assert_eq!(bench.view().history(folder), [(52, item, true)]);
    bench.one(delete(item));
    assert_eq!(bench.view().history(folder), [(53, item, false)]);
}
