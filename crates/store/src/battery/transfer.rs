//! Copies of whole roots, to the store and from it. The other side is the memory store.

use bytes::Bytes;
use model::{Guid, ItemFlags, ItemId, RootId, SeededRandom, Seq, Time};

use super::{
    bench::{AT, Bench, delete, guid, part, plain, text, top},
    block_on,
    dump::dump,
    random::{Chance, SCOPES},
};
use crate::{
    Commit, NewItem, NewItemId, RootKind, RootRow, Snapshot, Store, StoreError, TransferKey, TransferLimit,
    TransferRow, TransferTotals, Write, memory::MemoryStore,
};

const CONFLICT: Result<(), StoreError> = Err(StoreError::Conflict { guard: usize::MAX });
/// Rows of one root at most: a store that pages in circles fails instead of going on for ever.
const ROWS_MAX: usize = 100_000;

/// Random commits on a new root of the store, some with operations.
fn history(store: &dyn Store, root: u64, seed: u64, commits: u64) {
    let (twin, random) = (MemoryStore::new(1), Chance(SeededRandom::new(seed)));
    let (bench, twin) = (Bench::new(store, root), Bench::new(&twin, root));
    go_on(&random, bench, twin, AT, commits);
}

fn go_on(random: &Chance, bench: Bench<'_>, twin: Bench<'_>, from: Time, commits: u64) {
    for step in 0..commits {
        let state = dump(twin.store, twin.root, &SCOPES);
        let mut commit = random.commit(&state, from.plus_seconds(40 * step as i64));
        commit.root = bench.root;
        commit.operation = (random.below(3) == 0).then(|| guid(step));
        let result = bench.commit(commit.clone());
        let expected = twin.commit(Commit { root: twin.root, ..commit });
        assert_eq!(result.ok(), expected.ok(), "step {step}");
    }
}

/// All rows of a view, read by pages of `limit`.
fn rows(view: &mut dyn Snapshot, limit: TransferLimit) -> Vec<TransferRow> {
    let mut rows: Vec<TransferRow> = Vec::new();
    loop {
        let after = rows.last().map(TransferRow::key);
        let page = block_on(view.transfer(after.as_ref(), limit)).unwrap();
        assert!(!page.more || !page.rows.is_empty(), "an empty page that goes on");
        rows.extend(page.rows);
        assert!(rows.len() <= ROWS_MAX, "pages without end");
        if !page.more {
            return rows;
        }
    }
}

fn all(store: &dyn Store, root: RootId) -> (RootRow, Vec<TransferRow>) {
    let mut view = block_on(store.snapshot(root)).unwrap();
    (view.root().clone(), rows(view.as_mut(), TransferLimit::MAX))
}

fn totals(rows: &[TransferRow]) -> TransferTotals {
    let mut totals = TransferTotals::default();
    rows.iter().for_each(|row| totals.count(row));
    totals
}

/// Copies a root whole, under the same id, by pages of `limit`.
fn copy(from: &dyn Store, to: &dyn Store, root: RootId, limit: TransferLimit) {
    let mut view = block_on(from.snapshot(root)).unwrap();
    let (row, mut after) = (view.root().clone(), None);
    loop {
        let page = block_on(view.transfer(after.as_ref(), limit)).unwrap();
        after = page.rows.last().map(TransferRow::key);
        block_on(to.load(&row, page.rows)).unwrap();
        if !page.more {
            break;
        }
    }
    block_on(to.publish(&row, block_on(view.transfer_totals()).unwrap())).unwrap();
}

/// A root that comes from another store is what it was there, to the last row, and goes on alike: the same commits have
/// the same receipts. So is one that goes to another store. The copy shows in the epochs, at its first write.
pub fn a_copy_goes_on_as_the_original_would(store: &dyn Store) {
    for (seed, limit) in [(1, TransferLimit::MAX), (2, TransferLimit { rows: 5, bytes: 200 })] {
        let root = RootId(seed);
        let first = MemoryStore::new(1);
        history(&first, root.0, seed, 40);
        let source = first.restored(2);
        let random = Chance(SeededRandom::new(seed + 10));
        let at = AT.plus_seconds(40 * 40);
        go_on(&random, Bench { store: &source, root }, Bench { store: &first, root }, at, 4);
        let expected = all(&source, root);
        assert_eq!(block_on(block_on(source.snapshot(root)).unwrap().epochs()).unwrap().len(), 2);

        copy(&source, store, root, limit);
        assert_eq!(all(store, root), expected, "seed {seed}");
        assert_eq!(dump(store, root, &SCOPES), dump(&source, root, &SCOPES));
        for time in (-10..100).map(|minute| AT.plus_seconds(60 * minute)) {
            let position = |store: &dyn Store| block_on(block_on(store.snapshot(root)).unwrap().position_at(time));
            assert_eq!(position(store), position(&source), "{time}");
        }
        for operation in (0..40).map(guid) {
            assert_eq!(block_on(store.outcome(root, operation)), block_on(source.outcome(root, operation)));
        }

        // Both write on, the source as a third start, as the store does.
        let third = source.restored(3);
        let at = AT.plus_seconds(40 * 80);
        go_on(&random, Bench { store, root }, Bench { store: &third, root }, at, 40);
        assert_eq!(dump(store, root, &SCOPES), dump(&third, root, &SCOPES));
        let epochs = block_on(block_on(store.snapshot(root)).unwrap().epochs()).unwrap();
        assert_eq!(epochs.last().map(|epoch| epoch.first_seq), Some(expected.0.last_seq));

        // And away again.
        let elsewhere = MemoryStore::new(4);
        copy(store, &elsewhere, root, limit);
        assert_eq!(all(&elsewhere, root), all(store, root));
        assert_eq!(dump(&elsewhere, root, &SCOPES), dump(store, root, &SCOPES));
    }
}

/// What was loaded twice is there once.
pub fn loading_twice_is_loading_once(store: &dyn Store) {
    let source = MemoryStore::new(1);
    history(&source, 7, 3, 60);
    let (row, rows) = all(&source, RootId(7));
    for from in [0, rows.len() / 3, 0] {
        block_on(store.load(&row, rows[from..].to_vec())).unwrap();
    }
    block_on(store.publish(&row, totals(&rows))).unwrap();
    assert_eq!(all(store, RootId(7)), (row, rows));
    assert_eq!(dump(store, RootId(7), &SCOPES), dump(&source, RootId(7), &SCOPES));
}

/// A load that was cut off says behind which row it goes on.
pub fn a_load_goes_on_where_it_was_cut_off(store: &dyn Store) {
    let source = MemoryStore::new(1);
    history(&source, 7, 4, 30);
    let (row, rows) = all(&source, RootId(7));
    block_on(store.load(&row, Vec::new())).unwrap();
    assert_eq!(block_on(block_on(store.loading(RootId(7))).unwrap().transfer_end()), Ok(None));
    let step = rows.len().div_ceil(40);
    for (number, piece) in rows.chunks(step).enumerate() {
        block_on(store.load(&row, piece.to_vec())).unwrap();
        let mut view = block_on(store.loading(RootId(7))).unwrap();
        assert_eq!(*view.root(), row);
        assert_eq!(block_on(view.transfer_end()), Ok(piece.last().map(TransferRow::key)));
        let so_far = &rows[..number * step + piece.len()];
        assert_eq!(block_on(view.transfer_totals()), Ok(totals(so_far)));
        if number % 8 == 7 {
            assert_eq!(self::rows(view.as_mut(), TransferLimit::MAX), so_far);
        }
    }
    block_on(store.publish(&row, totals(&rows))).unwrap();
    assert_eq!(all(store, RootId(7)), (row, rows));
    let mut view = block_on(store.snapshot(RootId(7))).unwrap();
    assert_eq!(block_on(view.transfer_end()), block_on(block_on(source.snapshot(RootId(7))).unwrap().transfer_end()));
}

/// A root that is being copied here is not there: it is neither read, nor listed, nor written, nor created beside. It
/// appears when what was loaded is what was announced, and not before.
pub fn what_is_loaded_is_hidden_until_it_is_published(store: &dyn Store) {
    let source = MemoryStore::new(1);
    history(&source, 7, 5, 30);
    let (row, rows) = all(&source, RootId(7));
    let (root, counts) = (row.root, totals(&rows));
    let operation = rows.iter().find_map(|row| match row {
        TransferRow::Operation { operation, .. } => Some(*operation),
        TransferRow::Epoch { .. }
        | TransferRow::Tick { .. }
        | TransferRow::Collection(_)
        | TransferRow::Span { .. }
        | TransferRow::Item(_)
        | TransferRow::Part { .. }
        | TransferRow::Tombstone { .. }
        | TransferRow::Name { .. }
        | TransferRow::Key { .. } => None,
    });
    assert_eq!(block_on(store.publish(&row, counts)), Err(StoreError::NoRoot(root)));
    assert_eq!(block_on(store.loading(root)).map(|_| ()), Err(StoreError::NoRoot(root)));
    let (last, others) = rows.split_last().unwrap();
    block_on(store.load(&row, others.to_vec())).unwrap();
    let hidden = || {
        assert_eq!(block_on(store.snapshot(root)).map(|_| ()), Err(StoreError::NoRoot(root)));
        assert_eq!(block_on(store.roots(None, 10)).unwrap().rows, []);
        assert_eq!(block_on(store.outcome(root, operation.unwrap())), Ok(None));
        let commit = Commit { writes: vec![top("x")], ..Commit::new(root, AT) };
        assert_eq!(block_on(store.commit(commit.clone())), Err(StoreError::NoRoot(root)));
        let create = Commit { create_root: Some((RootKind::Site, guid(1))), ..commit };
        assert_eq!(block_on(store.commit(create)).map(|_| ()), CONFLICT);
    };
    hidden();
    // One row is missing.
    assert_eq!(block_on(store.publish(&row, counts)), CONFLICT);
    block_on(store.load(&row, vec![last.clone()])).unwrap();
    for other in [
        RootRow { last_seq: row.last_seq.next(), ..row.clone() },
        RootRow { epoch: row.epoch + 1, ..row.clone() },
        RootRow { purged_seq: row.purged_seq.next(), ..row.clone() },
        RootRow { kind: RootKind::Control, ..row.clone() },
        RootRow { guid: guid(9), ..row.clone() },
    ] {
        assert_eq!(block_on(store.publish(&other, counts)), CONFLICT, "{other:?}");
        assert_eq!(block_on(store.load(&other, vec![last.clone()])), CONFLICT, "{other:?}");
    }
    for other in [
        TransferTotals { names: counts.names + 1, ..counts },
        TransferTotals { bytes: counts.bytes - 1, ..counts },
        TransferTotals { keys: counts.keys + 1, operations: counts.operations - 1, ..counts },
    ] {
        assert_eq!(block_on(store.publish(&row, other)), CONFLICT, "{other:?}");
    }
    hidden();
    block_on(store.publish(&row, counts)).unwrap();
    assert_eq!(block_on(store.loading(root)).map(|_| ()), Err(StoreError::NoRoot(root)));
    assert_eq!(block_on(store.roots(None, 10)).unwrap().rows, std::slice::from_ref(&row));
    assert!(block_on(store.outcome(root, operation.unwrap())).unwrap().is_some());
    assert_eq!(all(store, root), (row, rows));
}

/// A root that is there is not written over.
pub fn a_root_that_is_there_is_not_loaded(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    bench.folder();
    let source = MemoryStore::new(1);
    history(&source, 7, 6, 10);
    let (row, rows) = all(&source, RootId(7));
    let before = all(store, RootId(7));
    assert_eq!(block_on(store.load(&row, rows.clone())), CONFLICT);
    assert_eq!(block_on(store.load(&before.0, before.1.clone())), CONFLICT);
    assert_eq!(block_on(store.publish(&row, totals(&rows))), Err(StoreError::NoRoot(RootId(7))));
    assert_eq!(block_on(store.loading(RootId(7))).map(|_| ()), Err(StoreError::NoRoot(RootId(7))));
    assert_eq!(all(store, RootId(7)), before);
}

/// A load that nobody finishes goes away whole, and another may begin in its place, or the root itself.
pub fn an_unfinished_load_can_be_dropped(store: &dyn Store) {
    let source = MemoryStore::new(1);
    history(&source, 7, 7, 60);
    history(&source, 8, 8, 20);
    let (row, rows) = all(&source, RootId(7));
    block_on(store.load(&row, rows)).unwrap();
    block_on(store.drop_root(RootId(7))).unwrap();
    assert_eq!(block_on(store.loading(RootId(7))).map(|_| ()), Err(StoreError::NoRoot(RootId(7))));
    let (other, rows) = all(&source, RootId(8));
    let other = RootRow { root: RootId(7), ..other };
    block_on(store.load(&other, rows.clone())).unwrap();
    block_on(store.publish(&other, totals(&rows))).unwrap();
    assert_eq!(all(store, RootId(7)), (other.clone(), rows.clone()));
    block_on(store.drop_root(RootId(7))).unwrap();
    block_on(store.load(&other, rows)).unwrap();
    block_on(store.drop_root(RootId(7))).unwrap();
    assert_eq!(Bench::new(store, 7).last_seq(), Seq::ZERO);
}

/// No page has more rows than were asked for, or more bytes than one row past the bound; a page has a row where there is
/// one. Whatever the pages, the rows are the same, in the order of their keys.
pub fn pages_keep_their_bounds(store: &dyn Store) {
    history(store, 7, 9, 60);
    let (_, expected) = all(store, RootId(7));
    assert!(expected.is_sorted_by(|one, next| one.key() < next.key()));
    let mut view = block_on(store.snapshot(RootId(7))).unwrap();
    assert_eq!(block_on(view.transfer_totals()), Ok(totals(&expected)));
    for (rows_max, bytes_max) in [(1, usize::MAX), (7, usize::MAX), (usize::MAX, 1), (usize::MAX, 1_000), (0, 0)] {
        let limit = TransferLimit { rows: rows_max, bytes: bytes_max };
        assert_eq!(rows(view.as_mut(), limit), expected, "{limit:?}");
        let page = block_on(view.transfer(None, limit)).unwrap();
        assert!((1..=rows_max.max(1)).contains(&page.rows.len()) && page.more, "{limit:?}");
        let bytes: usize = page.rows.iter().rev().skip(1).map(TransferRow::bytes).sum();
        assert!(bytes <= bytes_max, "{limit:?}");
    }
    let last = expected.last().map(TransferRow::key);
    let page = block_on(view.transfer(last.as_ref(), TransferLimit::MAX)).unwrap();
    assert_eq!((page.rows, page.more), (Vec::new(), false));
}

/// Large parts come over, once for all items that have them, and stay until the last of these goes. A page ends behind
/// them.
pub fn large_parts_come_over(store: &dyn Store) {
    let source = MemoryStore::new(1);
    let bench = Bench::new(&source, 7);
    let folder = bench.folder();
    let noise = |seed: u64, bytes: usize| -> Bytes {
        let random = Chance(SeededRandom::new(seed));
        (0..bytes).map(|_| random.below(256) as u8).collect()
    };
    let (large, larger) = (noise(1, 300_000), noise(2, 3_000_000));
    let new = |parts: Vec<(u32, Bytes)>| {
        let parts = parts.into_iter().map(|(number, bytes)| part(number, bytes)).collect();
        bench.create(NewItem { parts, flags: ItemFlags::default(), id: NewItemId::Seq, ..plain(folder) })
    };
    let first = new(vec![(0, large.clone()), (16, larger.clone()), (17, text("small"))]);
    let second = new(vec![(0, large.clone()), (3, Bytes::new()), (16, large.clone())]);
    copy(&source, store, RootId(7), TransferLimit { rows: 100, bytes: 1 << 20 });
    let page = |after: TransferKey| {
        let mut view = block_on(store.snapshot(RootId(7))).unwrap();
        let page = block_on(view.transfer(Some(&after), TransferLimit { rows: 100, bytes: 1 << 20 })).unwrap();
        page.rows.iter().map(TransferRow::key).collect::<Vec<_>>()
    };
    assert_eq!(page(TransferKey::Item(second)), [TransferKey::Part(first, 0), TransferKey::Part(first, 16)]);
    assert_eq!(all(store, RootId(7)), all(&source, RootId(7)));
    let copied = Bench { store, root: RootId(7) };
    let has = |item: ItemId, number, bytes: &Bytes| copied.view().part(item, number).as_ref() == Some(bytes);
    copied.one(delete(first));
    assert!(has(second, 0, &large) && has(second, 16, &large) && has(second, 3, &Bytes::new()));
    copied.one(Write::UpdateItem(crate::ItemChange {
        parts: vec![crate::PartChange::Remove(0)],
        content: true,
        ..super::bench::touch(second)
    }));
    assert!(has(second, 16, &large));
    copied.one(delete(second));
    assert_eq!(copied.view().parts(second), []);
    // Loaded twice, a part is not counted twice.
    let (row, rows) = all(&source, RootId(7));
    let row = RootRow { root: RootId(8), guid: Guid::NIL, ..row };
    for _ in 0..2 {
        block_on(store.load(&row, rows.clone())).unwrap();
    }
    block_on(store.publish(&row, totals(&rows))).unwrap();
    let again = Bench { store, root: RootId(8) };
    again.one(delete(first));
    assert!(again.view().part(second, 16) == Some(large));
    assert_eq!(all(store, RootId(8)).1.iter().map(TransferRow::bytes).sum::<usize>(), 600_000 + 9);
}
