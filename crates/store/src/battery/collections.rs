//! What each write does to a collection.

use model::{CollectionId, ItemFlags, ItemId, Seq};

use super::{
    bench::{Bench, delete, edit, flag, part, plain, text, top, touch},
    block_on,
};
use crate::{
    CollectionRef, CollectionRow, Guard, ItemChange, NewItem, NewItemId, Span, Store, StoreError, Write, WriteReceipt,
};

/// A new collection is empty; its id is the position of its creation.
pub fn a_collection_is_born_at_its_position(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let receipt = bench.one(top("folder"));
    let (collection, seq) = (CollectionId(1), Seq(1));
    assert_eq!(receipt, WriteReceipt { seq, collection: Some(collection), item: None, rows: 0 });
    let row = CollectionRow {
        collection,
        parent: None,
        seq,
        created_seq: seq,
        items_seq: seq,
        purged_seq: Seq::ZERO,
        items: 0,
        unread: 0,
        associated: 0,
        last_number: 0,
        bag: text("folder"),
    };
    assert_eq!(bench.collection(collection), row);
    let inner = bench.folder_in(collection);
    assert_eq!(bench.collection(inner).parent, Some(collection));
    assert_eq!(bench.collection(collection), row);
    assert_eq!(bench.view().collection(CollectionId(9)), None);
}

/// A change of a collection moves its `seq` and `items_seq`; a change of an item moves `items_seq` alone.
pub fn own_changes_move_seq_and_items_seq(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, other) = (bench.folder(), bench.folder());
    let item = bench.item(folder);
    bench.one(edit(item, text("edited")));
    let row = bench.collection(folder);
    assert_eq!((row.seq, row.items_seq), (Seq(1), Seq(4)));
    let update = |bag, parent| Write::UpdateCollection { collection: folder, bag, parent };
    let receipt = bench.one(update(Some(text("renamed")), None));
    assert_eq!(receipt, WriteReceipt { seq: Seq(5), collection: Some(folder), item: None, rows: 0 });
    let row = bench.collection(folder);
    assert_eq!((row.seq, row.items_seq, row.created_seq), (Seq(5), Seq(5), Seq(1)));
    assert_eq!((row.bag, row.parent, row.items), (text("renamed"), None, 1));
    bench.one(update(None, Some(Some(other))));
    let row = bench.collection(folder);
    assert_eq!((row.seq, row.bag, row.parent), (Seq(6), text("renamed"), Some(other)));
    bench.one(update(None, None));
    assert_eq!(bench.collection(folder).seq, Seq(7));
    assert_eq!(bench.collection(folder).parent, Some(other));
    assert_eq!(bench.collection(other).items_seq, Seq(2));
    assert_eq!(bench.view().history(folder), [(4, item, true)]);
}

/// The counts of a collection follow every write on its items.
pub fn counts_follow_items_and_flags(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, other) = (bench.folder(), bench.folder());
    let counts = |collection| {
        let row = bench.collection(collection);
        (row.items, row.unread, row.associated)
    };
    let (none, read, associated) = (ItemFlags::default(), ItemFlags::READ, ItemFlags::ASSOCIATED);
    let create = |flags| bench.create(NewItem { flags, ..plain(folder) });
    let (first, second, third) = (create(none), create(read), create(associated));
    assert_eq!(counts(folder), (2, 1, 1));
    bench.one(flag(first, read));
    assert_eq!(counts(folder), (2, 0, 1));
    bench.one(flag(second, none));
    assert_eq!(counts(folder), (2, 1, 1));
    bench.one(flag(third, associated.with(read)));
    assert_eq!(counts(folder), (2, 1, 1));
    bench.one(edit(second, text("edited")));
    assert_eq!(counts(folder), (2, 1, 1));
    let rescope = |flags| Write::UpdateItem(ItemChange { flags: Some(flags), content: true, ..touch(third) });
    bench.one(rescope(none));
    assert_eq!(counts(folder), (3, 2, 0));
    bench.one(rescope(associated));
    assert_eq!(counts(folder), (2, 1, 1));
    let (to, id) = (other.into(), NewItemId::Seq);
    bench.one(Write::CopyItem { item: second, to, id, bag: None, flags: None });
    assert_eq!((counts(folder), counts(other)), ((2, 1, 1), (1, 1, 0)));
    bench.one(Write::MoveItem { item: second, to, id, bag: None, note: text("") });
    bench.one(Write::MoveItem { item: third, to, id, bag: None, note: text("") });
    assert_eq!((counts(folder), counts(other)), ((1, 0, 0), (2, 2, 1)));
    bench.one(delete(first));
    assert_eq!(counts(folder), (0, 0, 0));
}

/// A dropped collection takes its items, parts and tombstones along and ends its span.
pub fn drop_removes_items_and_keeps_the_span(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, other) = (bench.folder(), bench.folder());
    let item = bench.create(NewItem { parts: vec![part(1, "p")], ..plain(folder) });
    let numbered = bench.create(NewItem { id: NewItemId::Numbered, ..plain(folder) });
    let gone = bench.item(folder);
    bench.one(delete(gone));
    let kept = bench.item(other);
    let receipt = bench.one(Write::DropCollection { collection: folder });
    assert_eq!((receipt.seq, receipt.collection), (Seq(8), Some(folder)));
    let mut view = bench.view();
    assert_eq!(view.collection(folder), None);
    assert_eq!((view.item(item), view.item(numbered), view.part(item, 1)), (None, None, None));
    assert_eq!(view.parts(item), []);
    assert_eq!((view.list(folder), view.history(folder)), (vec![], vec![]));
    assert_eq!(block_on(view.0.created(folder, Seq(0), Seq(9), 9, crate::Want::HOT)).unwrap().rows, []);
    assert_eq!(view.list(other), [kept]);
    let spans = block_on(view.0.spans(Seq(0))).unwrap();
    let span = |collection, from, to_seq| Span { collection, parent: None, from_seq: Seq(from), to_seq };
    assert_eq!(spans, [span(folder, 1, Some(Seq(8))), span(other, 2, None)]);
    assert_eq!(block_on(view.0.spans(Seq(8))).unwrap(), [span(other, 2, None)]);
    assert_eq!(bench.try_write(vec![Write::DropCollection { collection: folder }]), no_collection(folder));
}

const fn no_collection<T>(collection: CollectionId) -> Result<T, StoreError> {
    Err(StoreError::NoCollection(collection))
}

/// A collection with children cannot be dropped; without them it can.
pub fn drop_of_a_parent_conflicts(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let inner = bench.folder_in(folder);
    let drop = |collection| Write::DropCollection { collection };
    assert_eq!(bench.try_write(vec![drop(folder)]), Err(StoreError::Conflict { guard: usize::MAX }));
    bench.one(drop(inner));
    // A child that did not come to be hinders nothing.
    let child = Write::CreateCollection { parent: Some(folder.into()), bag: text("") };
    bench.try_write(vec![child, delete(ItemId(4_000))]).unwrap_err();
    assert!(bench.holds(Guard::CollectionEmpty(folder)));
    let inner = bench.folder_in(folder);
    bench.write(vec![drop(inner), drop(folder)]);
    assert_eq!(bench.view().collection(folder), None);
}

/// Each move of a collection ends a span and begins another; a rename does not.
pub fn moves_make_spans(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (first, second) = (bench.folder(), bench.folder());
    let inner = bench.folder_in(first);
    let update = |bag, parent| Write::UpdateCollection { collection: inner, bag, parent };
    bench.one(update(Some(text("renamed")), None));
    bench.one(update(None, Some(Some(second))));
    bench.one(update(None, Some(None)));
    bench.one(Write::DropCollection { collection: inner });
    let span = |collection, parent, from, to: Option<u64>| Span {
        collection,
        parent,
        from_seq: Seq(from),
        to_seq: to.map(Seq),
    };
    let spans = [
        span(first, None, 1, None),
        span(second, None, 2, None),
        span(inner, Some(first), 3, Some(5)),
        span(inner, Some(second), 5, Some(6)),
        span(inner, None, 6, Some(7)),
    ];
    let mut view = bench.view();
    for since in 0..8 {
        let expected: Vec<Span> =
            spans.iter().filter(|span| span.to_seq.is_none_or(|to| to.0 > since)).copied().collect();
        assert_eq!(block_on(view.0.spans(Seq(since))).unwrap(), expected, "since {since}");
    }
    // The moved collection no longer hinders its former parent.
    bench.write(vec![Write::DropCollection { collection: first }, Write::DropCollection { collection: second }]);
}

/// Writes into, under or on a collection that is not there say so.
pub fn missing_collections_are_named(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, gone) = (bench.folder(), CollectionId(4_000));
    let item = bench.item(folder);
    let (to, id) = (gone.into(), NewItemId::Seq);
    let writes = [
        Write::CreateCollection { parent: Some(to), bag: text("") },
        Write::UpdateCollection { collection: gone, bag: None, parent: None },
        Write::UpdateCollection { collection: folder, bag: None, parent: Some(Some(gone)) },
        Write::DropCollection { collection: gone },
        Write::CreateItem(plain(gone)),
        Write::CreateItem(NewItem { id: NewItemId::Numbered, ..plain(gone) }),
        Write::MoveItem { item, to, id, bag: None, note: text("") },
        Write::CopyItem { item, to, id, bag: None, flags: None },
    ];
    let before = super::dump::dump(store, bench.root, &[]);
    for write in writes {
        assert_eq!(bench.try_write(vec![write.clone()]), no_collection(gone), "{write:?}");
    }
    assert_eq!(super::dump::dump(store, bench.root, &[]), before);
}

/// A write may refer to the collection that an earlier write of its commit created, and to no other write.
pub fn references_reach_earlier_writes(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let under = |index| Some(CollectionRef::Write(index));
    let new = |index| Write::CreateItem(NewItem { collection: CollectionRef::Write(index), ..plain(CollectionId(0)) });
    let receipt = bench.write(vec![
        top("outer"),
        Write::CreateCollection { parent: under(0), bag: text("inner") },
        new(1),
        Write::CopyItem {
            item: ItemId(3),
            to: CollectionRef::Write(0),
            id: NewItemId::Numbered,
            bag: None,
            flags: None,
        },
        Write::MoveItem { item: ItemId(3), to: CollectionRef::Write(0), id: NewItemId::Seq, bag: None, note: text("") },
    ]);
    let (outer, inner) = (CollectionId(1), CollectionId(2));
    assert_eq!(receipt.writes.iter().map(|write| write.collection.unwrap().0).collect::<Vec<_>>(), [1, 2, 2, 1, 1]);
    assert_eq!(bench.collection(inner).parent, Some(outer));
    assert_eq!(bench.view().list(outer), [ItemId(6), ItemId::in_list(outer, 1)]);
    assert_eq!(bench.view().list(inner), []);
    let name = Write::PutName { scope: 1, name: text("a"), target: crate::NameTarget::Id(1) };
    for writes in [vec![new(0)], vec![new(1), top("late")], vec![name, new(0)], vec![top("x"), new(7)]] {
        let result = bench.try_write(writes);
        assert!(matches!(result, Err(StoreError::TooLarge(_))), "{result:?}");
    }
}
