//! Commits: wholly or not at all, guards, positions, operations.

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, RootId, Seq, limits};

use super::{
    bench::{AT, Bench, delete, edit, flag, guid, part, plain, text, top},
    block_on,
    dump::dump,
};
use crate::{Commit, Guard, ItemChange, NameTarget, NewItem, NewItemId, PartChange, Store, StoreError, Write};

/// Writes that reach every kind of row, on a folder with two items of which the first has a part.
fn writes_of_every_kind(folder: CollectionId, first: ItemId, second: ItemId) -> Vec<Write> {
    vec![
        top("new"),
        Write::UpdateCollection { collection: folder, bag: Some(text("renamed")), parent: None },
        Write::CreateItem(NewItem { parts: vec![part(1, "p")], ..plain(folder) }),
        Write::CreateItem(NewItem { id: NewItemId::Numbered, ..plain(folder) }),
        flag(first, ItemFlags::READ),
        Write::UpdateItem(ItemChange {
            item: first,
            flags: Some(ItemFlags::ASSOCIATED),
            bag: Some(text("edited")),
            parts: vec![PartChange::Clear, PartChange::Put(part(2, "new"))],
            content: true,
        }),
        Write::CopyItem { item: first, to: folder.into(), id: NewItemId::Seq, bag: None, flags: None },
        Write::MoveItem { item: first, to: folder.into(), id: NewItemId::Seq, bag: None, note: Bytes::new() },
        Write::MarkItem { item: second, kind: crate::TombstoneKind::Renamed, note: text("mark") },
        delete(second),
        Write::PutName { scope: 1, name: text("kept"), target: NameTarget::Id(9) },
        Write::PutName { scope: 1, name: text("new"), target: NameTarget::Write(0) },
        Write::DropName { scope: 1, name: text("other") },
        Write::TrimTombstones { before: AT.plus_seconds(60), rows_max: 10 },
        Write::DropCollection { collection: folder },
    ]
}

/// A commit whose last write fails leaves everything as it was, whatever its other writes did.
pub fn a_failing_write_leaves_nothing(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let first = bench.create(NewItem { parts: vec![part(1, vec![7; 100_000])], ..plain(folder) });
    let second = bench.item(folder);
    let third = bench.item(folder);
    bench.write(vec![
        delete(third),
        Write::PutName { scope: 1, name: text("kept"), target: NameTarget::Id(1) },
        Write::PutName { scope: 1, name: text("other"), target: NameTarget::Id(2) },
    ]);
    let before = dump(store, bench.root, &[1]);
    let writes = writes_of_every_kind(folder, first, second);
    for length in 0..=writes.len() {
        let mut commit = Commit { operation: Some(guid(length as u64)), ..bench.empty() };
        commit.writes = writes[..length].to_vec();
        commit.writes.push(delete(ItemId(4_000)));
        assert_eq!(bench.commit(commit), Err(StoreError::NoItem(ItemId(4_000))), "{length} writes");
        assert_eq!(dump(store, bench.root, &[1]), before, "{length} writes");
        assert_eq!(block_on(store.outcome(bench.root, guid(length as u64))), Ok(None));
    }
    bench.write(writes);
    assert_ne!(dump(store, bench.root, &[1]), before);
}

/// Each guard holds exactly when it says so, and a conflict names the first that does not.
pub fn guards_hold_or_name_the_first_that_fails(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let (folder, empty, parent) = (bench.folder(), bench.folder(), bench.folder());
    let associated = bench.folder();
    bench.folder_in(parent);
    bench.create(NewItem { flags: ItemFlags::ASSOCIATED, ..plain(associated) });
    let item = bench.item(folder);
    let created = bench.row(item).seq;
    let seq = bench.one(flag(item, ItemFlags::READ)).seq;
    bench.one(Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(5) });
    let (no_item, no_folder) = (ItemId(4_000), CollectionId(4_000));
    let folder_seq = bench.collection(folder).seq;
    let cases = [
        (Guard::ItemAt(item, seq), true),
        (Guard::ItemAt(item, created), false),
        (Guard::ItemAt(no_item, seq), false),
        (Guard::ItemContentAt(item, created), true),
        (Guard::ItemContentAt(item, seq), false),
        (Guard::ItemContentAt(no_item, created), false),
        (Guard::ItemIn(item, folder), true),
        (Guard::ItemIn(item, empty), false),
        (Guard::ItemIn(no_item, folder), false),
        (Guard::CollectionAt(folder, folder_seq), true),
        (Guard::CollectionAt(folder, seq), false),
        (Guard::CollectionAt(no_folder, folder_seq), false),
        (Guard::CollectionItemsAt(folder, seq), true),
        (Guard::CollectionItemsAt(folder, folder_seq), false),
        (Guard::CollectionItemsAt(no_folder, seq), false),
        (Guard::CollectionExists(folder), true),
        (Guard::CollectionExists(no_folder), false),
        (Guard::CollectionEmpty(empty), true),
        (Guard::CollectionEmpty(folder), false),
        (Guard::CollectionEmpty(parent), false),
        (Guard::CollectionEmpty(associated), false),
        (Guard::CollectionEmpty(no_folder), false),
        (Guard::NameFree(1, text("b")), true),
        (Guard::NameFree(2, text("a")), true),
        (Guard::NameFree(1, text("a")), false),
        (Guard::NameIs(1, text("a"), 5), true),
        (Guard::NameIs(1, text("a"), 6), false),
        (Guard::NameIs(2, text("a"), 5), false),
        (Guard::NameIs(1, text("b"), 5), false),
    ];
    for (guard, holds) in &cases {
        assert_eq!(bench.holds(guard.clone()), *holds, "{guard:?}");
    }
    let true_ones: Vec<Guard> = cases.iter().filter(|(_, holds)| *holds).map(|(guard, _)| guard.clone()).collect();
    let last_seq = bench.last_seq();
    for (false_one, _) in cases.iter().filter(|(_, holds)| !holds) {
        for at in 0..=true_ones.len() {
            let mut guards = true_ones.clone();
            guards.insert(at, false_one.clone());
            guards.push(Guard::CollectionExists(no_folder));
            let commit = Commit { guards, writes: vec![top("x")], ..bench.empty() };
            assert_eq!(bench.commit(commit), Err(StoreError::Conflict { guard: at }), "{false_one:?}");
        }
    }
    assert_eq!(bench.last_seq(), last_seq);
    bench.commit(Commit { guards: true_ones, writes: vec![top("x")], ..bench.empty() }).unwrap();
    assert_eq!(bench.last_seq(), last_seq.next());
}

/// Guards are checked before any write of their commit is done.
pub fn guards_see_the_state_before_the_writes(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.item(folder);
    let seq = bench.row(item).seq;
    let guards = vec![Guard::ItemAt(item, seq), Guard::NameFree(1, text("a")), Guard::ItemIn(item, folder)];
    let name = Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(5) };
    bench.commit(Commit { guards, writes: vec![name, delete(item)], ..bench.empty() }).unwrap();
    let guards = vec![Guard::CollectionExists(CollectionId(bench.last_seq().0 + 1))];
    let commit = Commit { guards, writes: vec![top("x")], ..bench.empty() };
    assert_eq!(bench.commit(commit), Err(StoreError::Conflict { guard: 0 }));
}

/// Every write takes the positions the port says, without gaps, and the receipts name them.
pub fn positions_have_no_gaps(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let (first, second) = (bench.item(folder), bench.item(folder));
    let receipt = bench.write(writes_of_every_kind(folder, first, second));
    // The change that flips `ASSOCIATED` and the move take two each; names and trimming take none.
    let taken = [4, 5, 6, 7, 8, 10, 11, 13, 14, 15, 0, 0, 0, 0, 16];
    assert_eq!(receipt.writes.iter().map(|write| write.seq.0).collect::<Vec<_>>(), taken);
    assert_eq!(receipt.last_seq, Seq(16));
    assert_eq!(bench.last_seq(), Seq(16));
    let failed = bench.try_write(vec![top("x"), delete(ItemId(4_000))]);
    assert_eq!(failed, Err(StoreError::NoItem(ItemId(4_000))));
    assert_eq!(bench.one(top("x")).seq, Seq(17));
    assert_eq!(bench.write(Vec::new()).last_seq, Seq(17));
}

/// The receipt of a commit that names an operation is found again; what failed or never was is not.
pub fn operations_are_remembered(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let commit = |operation, writes| Commit { operation: Some(guid(operation)), writes, ..bench.empty() };
    let many = vec![Write::CreateItem(plain(folder)); 300];
    let receipt = bench.commit(commit(1, many)).unwrap();
    let name = Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(5) };
    let named = bench.commit(commit(2, vec![name])).unwrap();
    bench.commit(commit(3, vec![delete(ItemId(4_000))])).unwrap_err();
    bench.item(folder);
    let outcome = |root, operation| block_on(store.outcome(root, guid(operation))).unwrap();
    assert_eq!(outcome(bench.root, 1), Some(receipt));
    assert_eq!(outcome(bench.root, 2), Some(named));
    assert_eq!(outcome(bench.root, 3), None);
    assert_eq!(outcome(bench.root, 4), None);
    assert_eq!(outcome(RootId(8), 1), None);
}

/// A snapshot shows nothing of the commits that came after it.
pub fn snapshots_stand_still(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let first = bench.create(NewItem { parts: vec![part(1, "old")], ..plain(folder) });
    let second = bench.item(folder);
    let mut view = bench.view();
    let before = super::dump::dump_view(view.0.as_mut(), &[1]);
    bench.write(vec![
        edit(first, text("edited")),
        Write::UpdateItem(ItemChange {
            parts: vec![PartChange::Put(part(1, "new"))],
            content: true,
            ..super::bench::touch(first)
        }),
        delete(second),
        Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(5) },
        top("new"),
    ]);
    bench.item(folder);
    assert_eq!(super::dump::dump_view(view.0.as_mut(), &[1]), before);
    assert_eq!(view.part(first, 1), Some(text("old")));
    assert_eq!(bench.view().part(first, 1), Some(text("new")));
    assert_ne!(dump(store, bench.root, &[1]), before);
}

/// Commits past the bounds of the port are refused and leave nothing.
pub fn too_much_is_refused(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let last_seq = bench.last_seq();
    let name = Write::DropName { scope: 1, name: text("a") };
    let many = bench.try_write(vec![name.clone(); limits::COMMIT_WRITES_MAX + 1]);
    assert!(matches!(many, Err(StoreError::TooLarge(_))), "{many:?}");
    let bag = Bytes::from(vec![0; limits::BAG_BYTES_MAX + 1]);
    let large = bench.try_write(vec![Write::CreateItem(NewItem { bag, ..plain(folder) })]);
    assert!(matches!(large, Err(StoreError::TooLarge(_))), "{large:?}");
    assert_eq!(bench.last_seq(), last_seq);
    bench.write(vec![name; limits::COMMIT_WRITES_MAX]);
    let bag = Bytes::from(vec![3; limits::BAG_BYTES_MAX]);
    let item = bench.create(NewItem { bag: bag.clone(), ..plain(folder) });
    assert_eq!(bench.row(item).bag, bag);
}
