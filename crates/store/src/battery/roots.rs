//! Roots.

use model::{RootId, Seq};

use super::{
    bench::{AT, Bench, guid, plain, text, top},
    block_on,
    dump::{dump, goes_on},
};
use crate::{Commit, Epoch, NameTarget, RootKind, RootRow, Store, StoreError, Write};

/// A root that was just created stands at position 0 and holds nothing; one that was not created is missed.
pub fn a_root_begins_empty_at_zero(store: &dyn Store) {
    let missing = block_on(store.snapshot(RootId(7))).map(|_| ());
    assert_eq!(missing, Err(StoreError::NoRoot(RootId(7))));
    let refused = block_on(store.commit(Commit { writes: vec![top("x")], ..Commit::new(RootId(7), AT) }));
    assert_eq!(refused, Err(StoreError::NoRoot(RootId(7))));
    assert_eq!(block_on(store.outcome(RootId(7), guid(1))), Ok(None));
    for (id, kind) in [(0, RootKind::Control), (7, RootKind::Mailbox), (9, RootKind::Site)] {
        let mut commit = Commit::new(RootId(id), AT);
        commit.create_root = Some((kind, guid(id)));
        assert_eq!(block_on(store.commit(commit)).unwrap().last_seq, Seq::ZERO);
        let mut view = block_on(store.snapshot(RootId(id))).unwrap();
        let (epoch, zero) = (block_on(view.epochs()).unwrap()[0].epoch, Seq::ZERO);
        let row = RootRow { root: RootId(id), kind, guid: guid(id), last_seq: zero, epoch, purged_seq: zero };
        assert_eq!(*view.root(), row);
        assert_eq!(block_on(view.collections(None, 10)).unwrap().rows, []);
        assert_eq!(block_on(view.spans(Seq::ZERO)).unwrap(), []);
    }
}

/// Creating a root that is there conflicts and writes nothing; a root whose first commit fails is not there.
pub fn a_root_is_created_once(store: &dyn Store) {
    let create = |writes| {
        let mut commit = Commit { writes, ..Commit::new(RootId(7), AT) };
        commit.create_root = Some((RootKind::Site, guid(1)));
        block_on(store.commit(commit))
    };
    let failing = Write::UpdateCollection { collection: model::CollectionId(5), bag: None, parent: None };
    assert_eq!(create(vec![top("x"), failing]), Err(StoreError::NoCollection(model::CollectionId(5))));
    assert_eq!(block_on(store.snapshot(RootId(7))).map(|_| ()), Err(StoreError::NoRoot(RootId(7))));
    assert_eq!(block_on(store.roots(None, 10)).unwrap().rows, []);
    assert_eq!(create(vec![top("x")]).unwrap().last_seq, Seq(1));
    assert_eq!(create(vec![top("x")]), Err(StoreError::Conflict { guard: usize::MAX }));
    assert_eq!(block_on(store.snapshot(RootId(7))).unwrap().root().last_seq, Seq(1));
}

/// What is written to one root changes nothing in another, even under equal ids, names and operations.
pub fn roots_are_independent(store: &dyn Store) {
    let (first, second) = (Bench::new(store, 7), Bench::new(store, 8));
    for bench in [first, second] {
        let folder = bench.folder();
        bench.item(folder);
        bench.one(Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(bench.root.0) });
    }
    let before = dump(store, second.root, &[1]);
    let mut commit = Commit { operation: Some(guid(1)), ..first.empty() };
    commit.writes = vec![
        super::bench::edit(model::ItemId(2), text("edited")),
        Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(99) },
        Write::CreateItem(plain(model::CollectionId(1))),
        super::bench::delete(model::ItemId(2)),
        Write::TrimTombstones { before: AT.plus_seconds(60), rows_max: 10 },
        Write::DropCollection { collection: model::CollectionId(1) },
    ];
    first.commit(commit).unwrap();
    assert_eq!(dump(store, second.root, &[1]), before);
    assert_eq!(block_on(store.outcome(second.root, guid(1))), Ok(None));
    block_on(store.drop_root(first.root)).unwrap();
    assert_eq!(dump(store, second.root, &[1]), before);
}

/// A dropped root is gone with everything in it and can be created anew from position 0.
pub fn dropped_roots_are_gone(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let item = bench.create(crate::NewItem { parts: vec![super::bench::part(1, "p")], ..plain(folder) });
    bench.one(super::bench::delete(bench.item(folder)));
    let name = Write::PutName { scope: 1, name: text("a"), target: NameTarget::Id(1) };
    bench.commit(Commit { operation: Some(guid(1)), writes: vec![name], ..bench.empty() }).unwrap();
    for _ in 0..2 {
        block_on(store.drop_root(bench.root)).unwrap();
        assert_eq!(block_on(store.snapshot(bench.root)).map(|_| ()), Err(StoreError::NoRoot(bench.root)));
        assert_eq!(bench.try_write(vec![top("x")]), Err(StoreError::NoRoot(bench.root)));
        assert_eq!(block_on(store.outcome(bench.root, guid(1))), Ok(None));
        assert_eq!(block_on(store.roots(None, 10)).unwrap().rows, []);
    }
    let again = Bench::new(store, 7);
    let mut view = again.view();
    assert_eq!(view.0.root().last_seq, Seq::ZERO);
    assert_eq!((view.item(item), view.collection(folder), view.name(1, "a")), (None, None, None));
    assert_eq!((view.part(item, 1), view.history(folder)), (None, vec![]));
    assert_eq!(block_on(view.0.spans(Seq::ZERO)).unwrap(), []);
    assert_eq!(block_on(view.0.epochs()).unwrap().len(), 1);
}

/// Roots come in ascending order of id, at any limit.
pub fn roots_are_paged_by_id(store: &dyn Store) {
    let ids = [0, 1, 5, 6, 1_000_000, 1 << 40];
    for id in [5, 0, 1 << 40, 6, 1, 1_000_000] {
        Bench::new(store, id);
    }
    for limit in 1..=7 {
        let mut found: Vec<u64> = Vec::new();
        loop {
            let page = block_on(store.roots(found.last().map(|id| RootId(*id)), limit)).unwrap();
            assert!(page.rows.len() == limit || page.rows.len() < limit && !page.more);
            goes_on(&page, found.len());
            found.extend(page.rows.iter().map(|row| row.root.0));
            if !page.more {
                break;
            }
        }
        assert_eq!(found, ids, "limit {limit}");
    }
    let row = block_on(store.roots(Some(RootId(1)), 1)).unwrap().rows.remove(0);
    assert_eq!((row.root, row.kind, row.guid), (RootId(5), RootKind::Mailbox, guid(5)));
}

/// A root keeps one epoch row however often one start writes to it.
pub fn epochs_have_one_row_a_start(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    bench.write_at(AT.plus_seconds(600), vec![top("x")]);
    bench.write_at(AT.plus_seconds(700), vec![top("x")]);
    let other = Bench::new(store, 8);
    let epochs = block_on(bench.view().0.epochs()).unwrap();
    let [Epoch { epoch, first_seq, at }] = epochs[..] else { panic!("{epochs:?}") };
    assert_eq!((first_seq, at), (Seq::ZERO, AT));
    let others = block_on(other.view().0.epochs()).unwrap();
    assert_eq!(others.iter().map(|row| row.epoch).collect::<Vec<_>>(), [epoch]);
    // Trimming leaves the latest, however old.
    bench.write_at(AT, vec![Write::TrimTombstones { before: AT.plus_seconds(9_000), rows_max: 9 }]);
    assert_eq!(block_on(bench.view().0.epochs()).unwrap(), epochs);
    assert_eq!(bench.view().0.root().epoch, epoch);
}
