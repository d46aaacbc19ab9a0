//! Copies between stores in memory, with everything that comes in between. Copies between files are in `tests/copy.rs`.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, Time};
use store::{
    Commit, NameTarget, NewItem, NewItemId, PartData, RootKind, Write,
    battery::dump::dump,
    faulty::{CommitFault, Faulty},
    memory::MemoryStore,
};

use super::*;

const ROOTS: [u64; 4] = [0, 4, 5, 1 << 33];
/// More than one page of them.
const ITEMS: usize = 9_000;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap().block_on(future)
}

fn commit(store: &dyn Store, commit: Commit) {
    store::battery::block_on(store.commit(commit)).unwrap();
}

fn name(root: u64, text: &'static str) -> Commit {
    let write = Write::PutName { scope: 1, name: Bytes::from_static(text.as_bytes()), target: NameTarget::Id(7) };
    Commit { writes: vec![write], ..Commit::new(RootId(root), Time(5)) }
}

fn item(root: u64) -> Commit {
    let new = NewItem {
        collection: CollectionId(1).into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: "bag".into(),
        parts: vec![PartData { part: 0, bytes: Bytes::from(vec![7; 100_000]).into() }],
    };
    Commit { writes: vec![Write::CreateItem(new)], ..Commit::new(RootId(root), Time(9)) }
}

/// A store with a few small roots.
fn filled() -> Arc<MemoryStore> {
    filled_with(10)
}

/// A store with a few roots, of which one has so many items.
fn filled_with(items: usize) -> Arc<MemoryStore> {
    let store = MemoryStore::new(1);
    for root in ROOTS {
        let kind = if root == 0 { RootKind::Control } else { RootKind::Mailbox };
        let mut first = name(root, "first");
        first.create_root = Some((kind, Guid([root as u8; 16])));
        first.writes.push(Write::CreateCollection { parent: None, bag: "folder".into() });
        commit(&store, first);
        commit(&store, item(root));
        commit(&store, Commit { operation: Some(Guid([3; 16])), ..item(root) });
        commit(&store, Commit { writes: vec![delete(ItemId(2))], ..item(root) });
    }
    let mut many = item(5);
    let Some(Write::CreateItem(first)) = many.writes.pop() else { panic!() };
    many.writes = vec![Write::CreateItem(NewItem { parts: Vec::new(), ..first }); items / 3];
    for _ in 0..3 {
        commit(&store, many.clone());
    }
    Arc::new(store)
}

fn delete(item: ItemId) -> Write {
    Write::DeleteItem { item, note: "gone".into() }
}

fn deaf() -> Hear {
    Arc::new(|_| {})
}

fn copy_now(from: &Arc<impl Store + 'static>, to: &Arc<impl Store + 'static>) -> Result<Copied, CopyError> {
    run(copy(Arc::clone(from) as Arc<dyn Store>, Arc::clone(to) as Arc<dyn Store>, None, deaf()))
}

fn same(from: &dyn Store, to: &dyn Store) {
    for root in ROOTS {
        assert_eq!(dump(to, RootId(root), &[1]), dump(from, RootId(root), &[1]), "root {root}");
    }
    assert_eq!(run(roots(to)), run(roots(from)));
}

fn is_served(store: &dyn Store) -> bool {
    run(store.snapshot(RootId::CONTROL)).is_ok()
}

#[test]
fn everything_comes_over_and_is_compared_when_it_is_there() {
    let (source, target) = (filled_with(ITEMS), Arc::new(MemoryStore::new(2)));
    let steps = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&steps);
    let hear: Hear = Arc::new(move |step| heard.lock().unwrap().push(step));
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    let copied = run(copy(from, to, None, hear)).unwrap();
    same(&*source, &*target);
    assert_eq!(copied.roots, ROOTS.len() as u64);
    let steps = std::mem::take(&mut *steps.lock().unwrap());
    assert_eq!(steps[0], Step::Begun { roots: 4, rows: copied.rows, bytes: copied.bytes });
    let sum = |of: fn(&Step) -> Option<(u64, u64)>| {
        steps.iter().filter_map(of).fold((0, 0), |sum, more| (sum.0 + more.0, sum.1 + more.1))
    };
    let arrived = sum(|step| if let Step::Arrived { rows, bytes } = step { Some((*rows, *bytes)) } else { None });
    let compared = sum(|step| if let Step::Compared { rows, bytes } = step { Some((*rows, *bytes)) } else { None });
    assert_eq!((arrived, compared), ((copied.rows, copied.bytes), (copied.rows, copied.bytes)));
    assert_eq!(steps.iter().filter(|step| **step == Step::Root).count(), 4);
    assert!(copied.rows > ITEMS as u64 && copied.bytes > 400_000, "{copied:?}");

    // Again: nothing to do, the same digest. And back into an empty store.
    assert_eq!(copy_now(&source, &target).unwrap(), copied);
    let back = Arc::new(MemoryStore::new(3));
    assert_eq!(copy_now(&target, &back).unwrap(), copied);
    same(&*source, &*back);
}

#[test]
fn a_target_with_other_data_stays_as_it_is() {
    let source = filled();
    let refused = |target: &Arc<MemoryStore>, root: u64| {
        let before = run(roots(&**target)).unwrap();
        let error = copy_now(&source, target).unwrap_err();
        assert!(matches!(error, CopyError::Occupied(RootId(own)) if own == root), "{error}");
        assert_eq!(run(roots(&**target)).unwrap(), before);
    };
    // The root of another installation, under an id of the source's and under one of its own.
    for root in [4, 6] {
        let target = Arc::new(MemoryStore::new(2));
        commit(&*target, Commit { create_root: Some((RootKind::Mailbox, Guid([9; 16]))), ..name(root, "own") });
        refused(&target, root);
    }
    // A copy that is complete and was written to.
    let target = Arc::new(MemoryStore::new(2));
    copy_now(&source, &target).unwrap();
    commit(&*target, item(5));
    refused(&target, 5);
    // One that is complete, when the source goes on.
    let target = Arc::new(MemoryStore::new(2));
    copy_now(&source, &target).unwrap();
    commit(&*source, item(4));
    refused(&target, 4);
    // The same where what changed takes no position: seen when it is compared.
    let source = filled();
    let target = Arc::new(MemoryStore::new(2));
    copy_now(&source, &target).unwrap();
    commit(&*target, name(4, "own"));
    let error = copy_now(&source, &target).unwrap_err();
    assert!(matches!(error, CopyError::Occupied(RootId(4))), "{error}");
    assert!(run(target.snapshot(RootId(4))).is_ok());
}

#[test]
fn a_source_without_control_root_is_none() {
    let (source, target) = (Arc::new(MemoryStore::new(1)), Arc::new(MemoryStore::new(2)));
    assert!(matches!(copy_now(&source, &target), Err(CopyError::NotWhole)));
    commit(&*source, Commit { create_root: Some((RootKind::Mailbox, Guid::NIL)), ..name(4, "x") });
    assert!(matches!(copy_now(&source, &target), Err(CopyError::NotWhole)));
}

/// Does something at the source at the first step of a kind; the copy says that, and is complete after the next run.
fn disturbed(at: fn(&Step) -> bool, act: fn(&dyn Store)) -> CopyError {
    let (source, target) = (filled(), Arc::new(MemoryStore::new(2)));
    let (from, done) = (Arc::clone(&source), AtomicBool::new(false));
    let hear: Hear = Arc::new(move |step| {
        if at(&step) && !done.swap(true, Ordering::SeqCst) {
            act(&*from);
        }
    });
    let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
    let error = run(copy(from, to, None, hear)).unwrap_err();
    assert!(!is_served(&*target), "{error}");
    copy_now(&source, &target).unwrap();
    for row in run(roots(&*source)).unwrap() {
        assert_eq!(dump(&*target, row.root, &[1]), dump(&*source, row.root, &[1]));
    }
    assert_eq!(run(roots(&*target)), run(roots(&*source)));
    error
}

#[test]
fn what_is_written_to_the_source_meanwhile_is_noticed() {
    let roots_done = |step: &Step| *step == Step::Root;
    let compared = |step: &Step| matches!(step, Step::Compared { .. });
    let begun = |step: &Step| matches!(step, Step::Begun { .. });
    for at in [begun, roots_done, compared] as [fn(&Step) -> bool; 3] {
        // A root that came first, one that comes later, the control root.
        for act in [
            |store: &dyn Store| commit(store, item(4)),
            |store| commit(store, item(1 << 33)),
            |store| {
                commit(store, item(0));
            },
        ] as [fn(&dyn Store); 3]
        {
            assert!(matches!(disturbed(at, act), CopyError::Moved(_)));
        }
    }
    let new = |store: &dyn Store| {
        commit(store, Commit { create_root: Some((RootKind::Site, Guid([8; 16]))), ..name(8, "new") });
    };
    assert!(matches!(disturbed(compared, new), CopyError::Moved(RootId(8))));
    let gone = |store: &dyn Store| run_elsewhere(store.drop_root(RootId(4)));
    assert!(matches!(disturbed(begun, gone), CopyError::Moved(RootId(4))));
    // What takes no position shows in what is read back.
    assert!(matches!(disturbed(roots_done, |store| commit(store, name(4, "late"))), CopyError::Differs(RootId(4))));
    assert!(matches!(disturbed(compared, |store| commit(store, name(0, "late"))), CopyError::Differs(RootId(0))));
}

fn run_elsewhere<T>(future: impl Future<Output = Result<T, StoreError>>) {
    store::battery::block_on(future).unwrap();
}

#[test]
fn a_copy_that_is_cut_off_goes_on() {
    let source = filled_with(ITEMS);
    let writes = {
        let target = Arc::new(store::counting::Counting::new(MemoryStore::new(2)));
        copy_now(&source, &target).unwrap();
        target.counts().commits
    };
    assert!(writes >= 9, "{writes}");
    for cut in 0..writes {
        let target = Arc::new(Faulty::new(MemoryStore::new(2)));
        // From there on nothing goes through.
        for fault in cut..writes + 50 {
            target.fail_commit(fault, if cut % 2 == 0 { CommitFault::TryAgain } else { CommitFault::Lost });
        }
        let error = copy_now(&source, &target).unwrap_err();
        let failed = matches!(error, CopyError::Target(StoreError::TryAgain(_) | StoreError::OutcomeUnknown(_)));
        assert!(failed, "cut {cut}: {error}");
        assert!(!is_served(target.inner()), "cut {cut}");
        target.heal();
        copy_now(&source, &target).unwrap();
        same(&*source, target.inner());
    }
}

#[test]
fn what_is_there_is_not_brought_again() {
    let source = filled_with(ITEMS);
    let target = Arc::new(Faulty::new(MemoryStore::new(2)));
    // The first page of the large root is there, and nothing of what follows.
    for fault in 5..100 {
        target.fail_commit(fault, CommitFault::TryAgain);
    }
    copy_now(&source, &target).unwrap_err();
    target.heal();
    let counted = Arc::new(store::counting::Counting::new(Arc::clone(&target)));
    copy_now(&source, &counted).unwrap();
    let whole = Arc::new(store::counting::Counting::new(MemoryStore::new(3)));
    copy_now(&source, &whole).unwrap();
    let (rest, all) = (counted.counts().writes, whole.counts().writes);
    assert!(rest + 8_192 <= all, "{rest} of {all} rows were brought again");
    same(&*source, target.inner());
}

#[test]
fn lost_answers_are_asked_for_again() {
    let (source, mut injected) = (filled(), 0);
    for seed in 0..8 {
        let target = Arc::new(Faulty::by_chance(MemoryStore::new(2), seed, 6));
        let mut errors = 0;
        while let Err(error) = copy_now(&source, &target) {
            assert!(matches!(error, CopyError::Target(_)), "{error}");
            errors += 1;
            assert!(errors < 100, "{error}");
        }
        injected += target.injected();
        same(&*source, target.inner());
    }
    assert!(injected > 8);
}

#[test]
fn one_root_may_come_first() {
    let (source, target) = (filled(), Arc::new(MemoryStore::new(2)));
    let only = |root: u64| {
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (source.clone(), target.clone());
        run(copy(from, to, Some(RootId(root)), deaf()))
    };
    assert!(matches!(only(99), Err(CopyError::NoRoot)));
    let copied = only(5).unwrap();
    assert_eq!((copied.roots, run(roots(&*target)).unwrap().len()), (1, 1));
    assert_eq!(only(5).unwrap(), copied);
    assert!(!is_served(&*target));
    // The source goes on until the rest comes.
    commit(&*source, item(5));
    copy_now(&source, &target).unwrap();
    same(&*source, &*target);
    only(5).unwrap();
}
