//! Commits in memory. What they mean is shown by the battery; here is what only this way of applying them has.

use model::{Guid, ItemFlags, RootId};
use store::{ItemChange, NewItem, NewItemId, PartChange, PartData, RootKind};

use super::*;

const ROOT: RootId = RootId(7);
const FOLDER: CollectionId = CollectionId(1);

fn commit(writes: Vec<Write>) -> Commit {
    Commit { writes, ..Commit::new(ROOT, Time(10)) }
}

fn item() -> NewItem {
    NewItem {
        collection: FOLDER.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: "bag".into(),
        parts: vec![PartData { part: 1, bytes: Bytes::from_static(b"part").into() }],
    }
}

/// A root at position 5 with a folder that holds item 2, whose part 1 lies in its row and part 2 outside of it.
fn loaded() -> Overlay {
    let root = Some(Root { last_seq: Seq(5), epoch: Some(3) });
    let mut overlay = Overlay { root_base: root, root, ..Overlay::default() };
    let numbers = Collection {
        parent: None,
        seq: Seq(1),
        created_seq: Seq(1),
        items_seq: Seq(2),
        items: 1,
        unread: 1,
        associated: 0,
        last_number: 0,
    };
    overlay.collections.load(FOLDER, Some(numbers));
    let row = Item {
        collection: FOLDER,
        seq: Seq(2),
        created_seq: Seq(2),
        content_seq: Seq(2),
        flags: ItemFlags::default(),
        bag: Source::Stored(ItemId(2)),
    };
    overlay.items.load(ItemId(2), Some(row));
    overlay.items.load(ItemId(4_000), None);
    overlay.parts_known.insert(ItemId(2));
    overlay.parts.load((ItemId(2), 1), Some(Part { size: 4, content: Content::Inline(Source::Stored(ItemId(2))) }));
    overlay.parts.load((ItemId(2), 2), Some(Part { size: 70_000, content: Content::Large([9; 32]) }));
    overlay
}

/// Everything that would be written, as text.
fn written(overlay: &Overlay) -> String {
    let mut lines = vec![format!("{:?} {:?} {:?}", overlay.root, overlay.new_epoch, overlay.ticks)];
    lines.extend(overlay.collections.slots().map(|(key, slot)| format!("{key} {slot:?}")));
    lines.extend(overlay.collection_bags.slots().map(|(key, slot)| format!("{key} {slot:?}")));
    lines.extend(overlay.spans.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.ended.slots().map(|(key, slot)| format!("{key} {slot:?}")));
    lines.extend(overlay.items.slots().map(|(key, slot)| format!("{key} {slot:?}")));
    lines.extend(overlay.parts.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.references.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.graves.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.names_changed.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.keys.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.extend(overlay.operations.slots().map(|(key, slot)| format!("{key:?} {slot:?}")));
    lines.join("\n")
}

fn writes_of_every_kind() -> Vec<Write> {
    let moved = |id| Write::MoveItem { item: ItemId(2), to: FOLDER.into(), id, bag: None, note: Bytes::new() };
    vec![
        Write::CreateCollection { parent: Some(FOLDER.into()), bag: "inner".into() },
        Write::UpdateCollection { collection: FOLDER, bag: Some("outer".into()), parent: Some(None) },
        Write::CreateItem(item()),
        Write::UpdateItem(ItemChange {
            item: ItemId(2),
            flags: Some(ItemFlags::ASSOCIATED),
            bag: Some("new".into()),
            parts: vec![PartChange::Remove(2)],
            content: true,
        }),
        Write::CopyItem { item: ItemId(2), to: FOLDER.into(), id: NewItemId::Seq, bag: None, flags: None },
        moved(NewItemId::Numbered),
        Write::PutName { scope: 1, name: "name".into(), target: NameTarget::Write(2) },
        Write::DropName { scope: 1, name: "other".into() },
        Write::ChangeKeys {
            collection: FOLDER,
            item: store::ItemRef::Write(2),
            drop: Vec::new(),
            put: vec![store::FieldKey { field: 1, value: "key".into() }],
        },
    ]
}

#[test]
fn a_commit_that_fails_leaves_what_the_group_did_before_it() {
    let mut overlay = loaded();
    apply(&mut overlay, &commit(vec![Write::CreateItem(item())]), &Hashes::new(), 3).unwrap();
    let before = written(&overlay);
    let writes = writes_of_every_kind();
    for length in 0..=writes.len() {
        let mut failing = commit(writes[..length].to_vec());
        failing.operation = Some(Guid([1; 16]));
        failing.writes.push(Write::DeleteItem { item: ItemId(4_000), note: Bytes::new() });
        let refused = apply(&mut overlay, &failing, &Hashes::new(), 4);
        assert_eq!(refused, Err(Refusal::Port(StoreError::NoItem(ItemId(4_000)))), "{length} writes");
        assert_eq!(written(&overlay), before, "{length} writes");
    }
    let whole = Commit { operation: Some(Guid([1; 16])), ..commit(writes) };
    let receipt = apply(&mut overlay, &whole, &Hashes::new(), 4).unwrap();
    assert_eq!(receipt.writes.iter().map(|write| write.seq.0).collect::<Vec<_>>(), [7, 8, 9, 11, 12, 14, 0, 0, 0]);
    assert_eq!(overlay.new_epoch, Some(NewEpoch { epoch: 4, first_seq: Seq(6), at: Time(10) }));
    assert_eq!(
        overlay.references.slots().map(|(hash, slot)| (*hash, slot.now)).collect::<Vec<_>>(),
        [([9; 32], Some(-1))]
    );
}

#[test]
fn later_commits_of_a_group_see_what_earlier_ones_did() {
    let mut overlay = loaded();
    let first = apply(&mut overlay, &commit(vec![Write::CreateItem(item())]), &Hashes::new(), 3).unwrap();
    assert_eq!(first.last_seq, Seq(6));
    let mut second = commit(vec![Write::DeleteItem { item: ItemId(6), note: Bytes::new() }]);
    second.guards = vec![Guard::CollectionItemsAt(FOLDER, Seq(6)), Guard::ItemAt(ItemId(6), Seq(6))];
    assert_eq!(apply(&mut overlay, &second, &Hashes::new(), 3).map(|receipt| receipt.last_seq), Ok(Seq(7)));
    assert_eq!(apply(&mut overlay, &second, &Hashes::new(), 3), Err(StoreError::Conflict { guard: 0 }.into()));
    // What the first did is known to be undone, so nothing of it is written but the counts and the tombstone.
    assert!(
        overlay.items.slots().filter(|(id, _)| id.0 == 6).all(|(_, slot)| slot.base.is_none() && slot.now.is_none())
    );
}

#[test]
fn what_takes_the_place_of_a_stored_row_is_done_after_it_has_gone() {
    let mut overlay = loaded();
    let give =
        |id| Write::CopyItem { item: id, to: FOLDER.into(), id: NewItemId::Given(ItemId(2)), bag: None, flags: None };
    let writes = vec![
        Write::CopyItem { item: ItemId(2), to: FOLDER.into(), id: NewItemId::Seq, bag: None, flags: None },
        Write::DeleteItem { item: ItemId(2), note: Bytes::new() },
        give(ItemId(6)),
    ];
    // The copy has its bag from the row of item 2, so the way back to id 2 is the row's own place.
    assert!(apply(&mut overlay, &commit(writes), &Hashes::new(), 3).is_ok());
    let mut overlay = loaded();
    let row = overlay.items.get(&ItemId(2)).flatten().cloned().unwrap();
    overlay.items.load(ItemId(3), Some(Item { seq: Seq(3), bag: Source::Stored(ItemId(3)), ..row }));
    overlay.parts_known.insert(ItemId(3));
    let writes = vec![Write::DeleteItem { item: ItemId(2), note: Bytes::new() }, give(ItemId(3))];
    assert_eq!(apply(&mut overlay, &commit(writes), &Hashes::new(), 3), Err(Refusal::Alone));
    let drop = Write::DropCollection { collection: FOLDER };
    assert_eq!(apply(&mut overlay, &commit(vec![drop]), &Hashes::new(), 3), Err(Refusal::Alone));
}

#[test]
fn a_root_is_created_once_in_a_group_and_the_time_line_has_each_minute_once() {
    let mut overlay = Overlay::default();
    let missing = apply(&mut overlay, &commit(Vec::new()), &Hashes::new(), 3);
    assert_eq!(missing, Err(StoreError::NoRoot(ROOT).into()));
    let create = |at| Commit { create_root: Some((RootKind::Site, Guid::NIL)), ..Commit::new(ROOT, Time(at)) };
    let failing = Commit { guards: vec![Guard::NameFree(1, "x".into())], ..create(1) };
    overlay.names.load((1, "x".into()), Some(5));
    assert_eq!(apply(&mut overlay, &failing, &Hashes::new(), 3), Err(StoreError::Conflict { guard: 0 }.into()));
    assert_eq!((overlay.root, overlay.created), (None, None));
    apply(&mut overlay, &create(1), &Hashes::new(), 3).unwrap();
    assert_eq!(apply(&mut overlay, &create(1), &Hashes::new(), 3), Err(CONFLICT.into()));
    let top = || vec![Write::CreateCollection { parent: None, bag: Bytes::new() }];
    for at in [2, 60 * Time::SECOND, 5, 61 * Time::SECOND, 120 * Time::SECOND] {
        let commit = Commit { writes: top(), ..Commit::new(ROOT, Time(at)) };
        apply(&mut overlay, &commit, &Hashes::new(), 3).unwrap();
    }
    assert_eq!(overlay.ticks, [(0, Seq(0)), (1, Seq(1)), (2, Seq(4))]);
}
