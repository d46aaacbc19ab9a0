//! What each write does to an item.

use model::{CollectionId, ItemFlags, ItemId, Seq};

use super::{
    bench::{AT, Bench, delete, edit, flag, plain, text, touch},
    block_on,
};
use crate::{
    ItemChange, ItemRow, NewItem, NewItemId, Store, StoreError, Tombstone, TombstoneKind, Want, Write, WriteReceipt,
};

const READ: ItemFlags = ItemFlags::READ;
const ASSOCIATED: ItemFlags = ItemFlags::ASSOCIATED;

/// A new item stands at the position of its creation, which is also its id where no other is asked for.
pub fn creation_sets_all_positions(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let flags = READ.with(ItemFlags::FOLDER);
    let receipt = bench.one(Write::CreateItem(NewItem { flags, ..plain(folder) }));
    let (item, seq) = (ItemId(2), Seq(2));
    assert_eq!(receipt, WriteReceipt { seq, collection: Some(folder), item: Some(item), rows: 0 });
    let row = ItemRow { item, collection: folder, seq, created_seq: seq, content_seq: seq, flags, bag: text("bag") };
    assert_eq!(bench.row(item), row);
    assert_eq!(bench.collection(folder).items_seq, seq);
    assert_eq!(bench.collection(folder).seq, Seq(1));
}

/// A change of the read flag moves `seq` alone; a change of content moves `content_seq` too; `created_seq` stays.
pub fn read_flag_changes_leave_content_seq(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.item(folder);
    let positions = || {
        let row = bench.row(item);
        (row.seq.0, row.created_seq.0, row.content_seq.0, row.flags, row.bag)
    };
    let receipt = bench.one(flag(item, READ));
    assert_eq!(receipt, WriteReceipt { seq: Seq(3), collection: Some(folder), item: Some(item), rows: 0 });
    assert_eq!(positions(), (3, 2, 2, READ, text("bag")));
    bench.one(edit(item, text("edited")));
    assert_eq!(positions(), (4, 2, 4, READ, text("edited")));
    bench.one(flag(item, ItemFlags::default()));
    assert_eq!(positions(), (5, 2, 4, ItemFlags::default(), text("edited")));
    bench.one(Write::UpdateItem(ItemChange { content: true, flags: Some(ItemFlags::FOLDER), ..touch(item) }));
    assert_eq!(positions(), (6, 2, 6, ItemFlags::FOLDER, text("edited")));
    assert_eq!(bench.collection(folder).items_seq, Seq(6));
    assert_eq!(bench.view().history(folder), [(6, item, true)]);
    assert_eq!(block_on(bench.view().0.created(folder, Seq(1), Seq(2), 5, Want::HOT)).unwrap().rows.len(), 1);
}

/// A deleted item is gone, and a tombstone stands at the position of the deletion.
pub fn deletion_leaves_a_tombstone(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.item(folder);
    bench.one(flag(item, READ));
    let receipt = bench.one(Write::DeleteItem { item, note: text("note") });
    assert_eq!((receipt.seq, receipt.collection), (Seq(4), Some(folder)));
    let mut view = bench.view();
    assert_eq!(view.item(item), None);
    assert_eq!(view.list(folder), []);
    assert_eq!(block_on(view.0.created(folder, Seq(0), Seq(9), 5, Want::HOT)).unwrap().rows, []);
    let tombstone = Tombstone {
        item,
        seq: Seq(4),
        created_seq: Seq(2),
        flags: READ,
        kind: TombstoneKind::Deleted,
        at: AT,
        moved_to: None,
        note: text("note"),
    };
    assert_eq!(view.gone(folder), [tombstone]);
    assert_eq!(view.collection(folder).unwrap().items_seq, Seq(4));
}

/// A move leaves a tombstone where the item was and makes a new item, with its flags and bag, where it goes.
pub fn moves_leave_a_tombstone_and_make_a_new_item(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (from, to) = (bench.folder(), bench.folder());
    let item = bench.create(NewItem { flags: READ, ..plain(from) });
    let write = |item, to: CollectionId, id, bag| Write::MoveItem { item, to: to.into(), id, bag, note: text("note") };
    let receipt = bench.one(write(item, to, NewItemId::Seq, None));
    let moved = ItemId(5);
    assert_eq!(receipt, WriteReceipt { seq: Seq(5), collection: Some(to), item: Some(moved), rows: 0 });
    let row = |item, seq, bag| ItemRow {
        item,
        collection: to,
        seq,
        created_seq: seq,
        content_seq: seq,
        flags: READ,
        bag: text(bag),
    };
    let mut view = bench.view();
    assert_eq!(view.item(item), None);
    assert_eq!(view.item(moved), Some(row(moved, Seq(5), "bag")));
    let [gone] = &view.gone(from)[..] else { panic!("one tombstone") };
    assert_eq!((gone.item, gone.seq, gone.created_seq), (item, Seq(4), Seq(3)));
    assert_eq!((gone.kind, gone.flags, gone.note.clone()), (TombstoneKind::Moved, READ, text("note")));
    assert_eq!(gone.moved_to, Some((to, moved)));
    assert_eq!(view.collection(from).unwrap().items_seq, Seq(4));
    assert_eq!(view.collection(to).unwrap().items_seq, Seq(5));
    // Inside its collection, under its old id, with another bag.
    bench.one(write(moved, to, NewItemId::Given(moved), Some(text("other"))));
    assert_eq!(bench.row(moved), ItemRow { created_seq: Seq(5), ..row(moved, Seq(7), "other") });
    assert_eq!(bench.view().history(to), [(7, moved, true)]);
    assert_eq!(block_on(bench.view().0.created(to, Seq(0), Seq(9), 9, Want::HOT)).unwrap().rows.len(), 1);
    bench.one(write(moved, from, NewItemId::Numbered, None));
    assert_eq!(bench.view().list(from), [ItemId::in_list(from, 1)]);
    assert_eq!(bench.view().list(to), []);
}

/// A copy is a new item beside the old one, which stays as it was.
pub fn copies_are_new_items(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (from, to) = (bench.folder(), bench.folder());
    let item = bench.create(NewItem { flags: READ, ..plain(from) });
    let before = bench.row(item);
    let copy = |to: CollectionId, bag, flags| Write::CopyItem { item, to: to.into(), id: NewItemId::Seq, bag, flags };
    let same = bench.one(copy(to, None, None)).item.unwrap();
    let other = bench.one(copy(from, Some(text("other")), Some(ItemFlags::default()))).item.unwrap();
    assert_eq!((same, other), (ItemId(4), ItemId(5)));
    assert_eq!(bench.row(item), before);
    let (first, second) = (bench.row(same), bench.row(other));
    assert_eq!((first.collection, first.flags, first.bag), (to, READ, text("bag")));
    assert_eq!((first.seq, first.created_seq, first.content_seq), (Seq(4), Seq(4), Seq(4)));
    assert_eq!((second.collection, second.flags, second.bag), (from, ItemFlags::default(), text("other")));
    assert_eq!(bench.collection(from).items_seq, Seq(5));
    assert_eq!(bench.view().gone(from), []);
}

/// An item that changes its scope leaves a tombstone for the one it left and counts as created at the change.
pub fn associated_flips_leave_a_rescoped_tombstone(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.create(NewItem { flags: READ, ..plain(folder) });
    let change = ItemChange { flags: Some(READ.with(ASSOCIATED)), content: true, ..touch(item) };
    let receipt = bench.one(Write::UpdateItem(change.clone()));
    assert_eq!(receipt.seq, Seq(4));
    let row = bench.row(item);
    assert_eq!((row.seq, row.created_seq, row.content_seq), (Seq(4), Seq(4), Seq(4)));
    assert_eq!(row.flags, READ.with(ASSOCIATED));
    let mut view = bench.view();
    let [gone] = &view.gone(folder)[..] else { panic!("one tombstone") };
    assert_eq!((gone.item, gone.seq, gone.created_seq), (item, Seq(3), Seq(2)));
    assert_eq!((gone.kind, gone.flags, gone.at), (TombstoneKind::Rescoped, READ, AT));
    assert_eq!(view.history(folder), [(3, item, false), (4, item, true)]);
    let created = block_on(view.0.created(folder, Seq(0), Seq(9), 9, Want::BAG)).unwrap();
    assert_eq!(created.rows, [row]);
    // Pages of one show both.
    let first = view.changes(folder, Seq(0), 1);
    assert_eq!((first.rows[0].seq(), first.more), (Seq(3), true));
    assert_eq!(view.changes(folder, Seq(3), 1).rows[0].seq(), Seq(4));
    // Staying in its scope leaves none.
    bench.one(Write::UpdateItem(change));
    assert_eq!(bench.view().gone(folder).len(), 1);
    assert_eq!(bench.row(item).created_seq, Seq(4));
    bench.one(Write::UpdateItem(ItemChange { flags: Some(READ), content: true, ..touch(item) }));
    assert_eq!(bench.view().history(folder), [(3, item, false), (6, item, false), (7, item, true)]);
}

/// A mark takes a position in the change range and leaves the item as it was.
pub fn marks_do_not_touch_the_item(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.create(NewItem { flags: READ, ..plain(folder) });
    let before = bench.row(item);
    let kinds = [TombstoneKind::Renamed, TombstoneKind::Restored, TombstoneKind::SystemUpdated];
    for (index, kind) in (0..).zip(kinds) {
        let receipt = bench.one(Write::MarkItem { item, kind, note: text("note") });
        let seq = Seq(3 + index);
        assert_eq!(receipt, WriteReceipt { seq, collection: Some(folder), item: Some(item), rows: 0 });
        let mark =
            Tombstone { item, seq, created_seq: Seq(2), flags: READ, kind, at: AT, moved_to: None, note: text("note") };
        assert_eq!(bench.view().gone(folder).last(), Some(&mark));
        assert_eq!(bench.collection(folder).items_seq, seq);
    }
    assert_eq!(bench.row(item), before);
    assert_eq!(bench.collection(folder).items, 1);
    assert_eq!(bench.view().history(folder).len(), 4);
}

/// Numbers of a list go up and are not given again, even when the last one was deleted.
pub fn numbers_are_never_given_again(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (list, other) = (bench.folder(), bench.folder());
    let numbered = |collection: CollectionId| {
        let item = bench.create(NewItem { id: NewItemId::Numbered, ..plain(collection) });
        assert_eq!(item, ItemId::in_list(collection, item.number()));
        item
    };
    assert_eq!((numbered(list).number(), numbered(list).number(), numbered(other).number()), (1, 2, 1));
    bench.one(delete(ItemId::in_list(list, 2)));
    assert_eq!(numbered(list).number(), 3);
    let to = list.into();
    let (item, id) = (ItemId::in_list(other, 1), NewItemId::Numbered);
    assert_eq!(bench.one(Write::CopyItem { item, to, id, bag: None, flags: None }).item.unwrap().number(), 4);
    let moved = bench.one(Write::MoveItem { item, to, id, bag: None, note: text("") });
    assert_eq!(moved.item.unwrap().number(), 5);
    assert_eq!(numbered(other).number(), 2);
    assert_eq!(bench.collection(list).last_number, 5);
    // A failed commit gives none away.
    let new = Write::CreateItem(NewItem { id, ..plain(list) });
    bench.try_write(vec![new.clone(), delete(ItemId(4_000))]).unwrap_err();
    let receipt = bench.write(vec![new.clone(), new]);
    assert_eq!((receipt.write(0).item.unwrap().number(), receipt.write(1).item.unwrap().number()), (6, 7));
}

/// A given id is used where it is free and conflicts where it is not; a given number is not given again.
pub fn given_ids_must_be_free(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let list = bench.folder();
    let given = |item| Write::CreateItem(NewItem { id: NewItemId::Given(item), ..plain(list) });
    let item = bench.item(list);
    assert_eq!(bench.try_write(vec![given(item)]), Err(StoreError::Conflict { guard: usize::MAX }));
    bench.one(delete(item));
    let receipt = bench.one(given(item));
    assert_eq!((receipt.item, receipt.seq), (Some(item), Seq(4)));
    assert_eq!((bench.row(item).created_seq, bench.row(item).content_seq), (Seq(2), Seq(4)));
    bench.one(given(ItemId::in_list(list, 9)));
    bench.one(given(ItemId::in_list(list, 4)));
    assert_eq!(bench.collection(list).last_number, 9);
    let next = bench.create(NewItem { id: NewItemId::Numbered, ..plain(list) });
    assert_eq!(next, ItemId::in_list(list, 10));
}

/// An item that comes back under its old id takes away what said that it went, where it comes back and nowhere else.
pub fn what_comes_back_loses_its_tombstones(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (list, other) = (bench.folder(), bench.folder());
    let (item, beside) = (bench.item(list), bench.item(list));
    let mark = |kind| Write::MarkItem { item, kind, note: text("mark") };
    let given = |collection| Write::CreateItem(NewItem { id: NewItemId::Given(item), ..plain(collection) });
    bench.write(vec![delete(beside), mark(TombstoneKind::Renamed), flag(item, ItemFlags::ASSOCIATED)]);
    assert_eq!(bench.view().history(list), [(5, beside, false), (6, item, false), (7, item, false), (8, item, true)]);
    bench.one(delete(item));
    // Elsewhere it is another item.
    bench.one(given(other));
    assert_eq!(bench.view().gone(list).len(), 4);
    bench.one(delete(item));
    // A commit that fails takes nothing.
    bench.try_write(vec![given(list), delete(ItemId(4_000))]).unwrap_err();
    assert_eq!(bench.view().gone(list).len(), 4);
    let before = bench.collection(list).purged_seq;
    let receipt = bench.write(vec![given(list), mark(TombstoneKind::Restored)]);
    assert_eq!((receipt.write(0).seq, receipt.write(1).seq), (Seq(12), Seq(13)));
    let row = bench.row(item);
    assert_eq!((row.seq, row.created_seq, row.content_seq), (Seq(12), Seq(3), Seq(12)));
    let left = [(5, beside, false), (6, item, false), (12, item, true), (13, item, false)];
    assert_eq!(bench.view().history(list), left);
    assert_eq!(bench.view().gone(other).len(), 1);
    assert_eq!(bench.collection(list).purged_seq, before);
    // So does one that moves or is copied back.
    let away = Write::MoveItem { item, to: other.into(), id: NewItemId::Seq, bag: None, note: text("") };
    let away = bench.one(away).item.unwrap();
    assert_eq!(bench.view().gone(list).len(), 4);
    let (to, id) = (list.into(), NewItemId::Given(item));
    bench.one(Write::CopyItem { item: away, to, id, bag: None, flags: None });
    assert_eq!(bench.view().gone(list).len(), 3);
    bench.one(delete(item));
    bench.one(Write::MoveItem { item: away, to, id, bag: None, note: text("") });
    assert_eq!(bench.view().gone(list).len(), 3);
}

/// Writes on an item that is not there say so, also when an earlier write of the commit removed it.
pub fn missing_items_are_named(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let gone = bench.item(folder);
    bench.one(delete(gone));
    let here = bench.item(folder);
    let (to, id) = (folder.into(), NewItemId::Seq);
    let writes = |item| {
        [
            flag(item, READ),
            delete(item),
            Write::MoveItem { item, to, id, bag: None, note: text("") },
            Write::CopyItem { item, to, id, bag: None, flags: None },
            Write::MarkItem { item, kind: TombstoneKind::Renamed, note: text("") },
        ]
    };
    for write in writes(gone) {
        assert_eq!(bench.try_write(vec![write]), Err(StoreError::NoItem(gone)));
    }
    for write in writes(here) {
        assert_eq!(bench.try_write(vec![delete(here), write]), Err(StoreError::NoItem(here)));
    }
    bench.row(here);
}

/// Rows carry the bag where it is wanted and none where it is not.
pub fn wanted_bags_come_along(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.item(folder);
    let full = bench.row(item);
    let hot = ItemRow { bag: text(""), ..full.clone() };
    let mut view = bench.view().0;
    for (want, row) in [(Want::HOT, hot), (Want::BAG, full)] {
        assert_eq!(block_on(view.items(&[item], want)).unwrap(), [Some(row.clone())]);
        assert_eq!(block_on(view.list(folder, None, 1, want)).unwrap().rows, std::slice::from_ref(&row));
        assert_eq!(block_on(view.created(folder, Seq(0), Seq(9), 1, want)).unwrap().rows, std::slice::from_ref(&row));
        let changes = block_on(view.changes(folder, Seq(0), 1, want)).unwrap();
        assert_eq!(changes.rows, [crate::ChangeRow::Item(row)]);
    }
}
