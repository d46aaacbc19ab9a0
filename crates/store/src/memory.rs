//! A store in memory, for tests and for trying things out: it forgets everything when it is dropped.
//!
//! It shows what the port means as plainly as possible, and is what other stores are compared with. A commit holds the
//! lock of the whole store. Taking a snapshot costs nothing; the first commit beside a live snapshot copies the root.

mod read;
mod state;
mod table;
mod transfer;
mod write;

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use model::{Guid, RootId, Seq};

use crate::{
    Commit, Epoch, Page, Receipt, RootRow, Snapshot, Store, StoreError, TransferRow, TransferTotals, Waiters,
    check_load,
};
use read::MemorySnapshot;
use state::RootState;

/// See the module.
#[derive(Debug)]
pub struct MemoryStore {
    epoch: u64,
    roots: RwLock<Roots>,
    rows_read: Arc<AtomicU64>,
    waiters: Waiters,
}

#[derive(Debug, Default)]
struct Roots {
    shown: BTreeMap<RootId, Arc<RootState>>,
    /// Those that are being copied here.
    loading: BTreeMap<RootId, Arc<RootState>>,
}

impl MemoryStore {
    /// An empty store; `epoch` stands for this start of it, see [`Epoch`].
    pub fn new(epoch: u64) -> Self {
        Self { epoch, roots: RwLock::default(), rows_read: Arc::default(), waiters: Waiters::default() }
    }

    /// A store that was started as `epoch` on a copy of what this one holds now: a backup that was put back.
    #[must_use]
    pub fn restored(&self, epoch: u64) -> Self {
        let roots = RwLock::new(Roots { shown: self.read().shown.clone(), ..Roots::default() });
        Self { epoch, roots, rows_read: Arc::default(), waiters: Waiters::default() }
    }

    /// Rows that reads returned so far, over all snapshots.
    pub fn rows_read(&self) -> u64 {
        self.rows_read.load(Ordering::Relaxed)
    }

    fn root(&self, root: RootId) -> Option<Arc<RootState>> {
        self.read().shown.get(&root).cloned()
    }

    fn read(&self) -> RwLockReadGuard<'_, Roots> {
        self.roots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Roots> {
        self.roots.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self, state: Arc<RootState>) -> Box<dyn Snapshot> {
        Box::new(MemorySnapshot { state, rows_read: Arc::clone(&self.rows_read) })
    }

    fn commit_now(&self, commit: Commit) -> Result<Receipt, StoreError> {
        commit.check()?;
        let Roots { shown, loading } = &mut *self.write();
        match shown.entry(commit.root) {
            btree_map::Entry::Occupied(mut entry) => {
                if commit.create_root.is_some() {
                    return Err(write::CONFLICT);
                }
                write_to(Arc::make_mut(entry.get_mut()), self.epoch, commit)
            }
            btree_map::Entry::Vacant(entry) => {
                let (kind, guid) = commit.create_root.ok_or(StoreError::NoRoot(commit.root))?;
                if loading.contains_key(&commit.root) {
                    return Err(write::CONFLICT);
                }
                let mut state = RootState::new(commit.root, kind, guid);
                let receipt = write_to(&mut state, self.epoch, commit)?;
                entry.insert(Arc::new(state));
                Ok(receipt)
            }
        }
    }
}

/// Does a commit wholly or not at all.
fn write_to(state: &mut RootState, epoch: u64, commit: Commit) -> Result<Receipt, StoreError> {
    let (before, epochs, at, operation) = (state.root.clone(), state.epochs.clone(), commit.at, commit.operation);
    let receipt = match write::apply(state, commit) {
        Ok(receipt) => receipt,
        Err(error) => {
            state.roll_back();
            (state.root, state.epochs) = (before, epochs);
            return Err(error);
        }
    };
    state.settle();
    // What takes no position leaves no trace in the history.
    let is_history = state.epochs.is_empty() || state.root.last_seq != before.last_seq;
    let last = state.epochs.last_key_value();
    if is_history && last.is_none_or(|(_, last)| last.epoch != epoch) {
        let ordinal = last.map_or(0, |(ordinal, _)| *ordinal) + 1;
        state.epochs.insert(ordinal, Epoch { epoch, first_seq: before.last_seq, at });
        state.root.epoch = epoch;
    }
    if is_history {
        state.minutes.entry(state::minute(at)).or_insert(before.last_seq);
    }
    if let Some(operation) = operation {
        state.operations.insert(operation, (at, receipt.clone()));
    }
    Ok(receipt)
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(self.view(self.root(root).ok_or(StoreError::NoRoot(root))?))
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let root = commit.root;
        let receipt = self.commit_now(commit)?;
        self.waiters.moved(root, receipt.last_seq);
        Ok(receipt)
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        Ok(self.root(root).and_then(|state| state.operations.get(&operation).map(|(_, receipt)| receipt.clone())))
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        let roots = self.read();
        let range = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let page = read::page(roots.shown.range::<RootId, _>(range).map(|(_, state)| state.root.clone()), limit);
        Ok(page)
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        let mut roots = self.write();
        roots.shown.remove(&root);
        roots.loading.remove(&root);
        drop(roots);
        self.waiters.gone(root);
        Ok(())
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        check_load(&rows)?;
        let Roots { shown, loading } = &mut *self.write();
        if shown.contains_key(&root.root) {
            return Err(write::CONFLICT);
        }
        let begun = || Arc::new(RootState { root: root.clone(), ..RootState::new(root.root, root.kind, root.guid) });
        let state = loading.entry(root.root).or_insert_with(begun);
        if state.root != *root {
            return Err(write::CONFLICT);
        }
        transfer::load(Arc::make_mut(state), rows)
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        let state = self.read().loading.get(&root).cloned();
        Ok(self.view(state.ok_or(StoreError::NoRoot(root))?))
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        let Roots { shown, loading } = &mut *self.write();
        let btree_map::Entry::Occupied(loaded) = loading.entry(root.root) else {
            return Err(StoreError::NoRoot(root.root));
        };
        if loaded.get().root != *root || transfer::totals(loaded.get()) != totals {
            return Err(write::CONFLICT);
        }
        shown.insert(root.root, loaded.remove());
        Ok(())
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        let listener = self.waiters.listen(root, after);
        let last_seq = self.root(root).ok_or(StoreError::NoRoot(root))?.root.last_seq;
        if last_seq > after {
            return Ok(last_seq);
        }
        listener.await.ok_or(StoreError::NoRoot(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RootKind, Write, battery::block_on};
    use model::Time;

    crate::battery!(battery, || Box::new(MemoryStore::new(1)) as Box<dyn Store>);
    crate::battery!(@transfer copies, || Box::new(MemoryStore::new(1)) as Box<dyn Store>);

    fn write(store: &MemoryStore, at: i64) {
        let writes = vec![Write::CreateCollection { parent: None, bag: "a".into() }];
        let mut commit = Commit { writes, ..Commit::new(RootId(7), Time(at)) };
        if block_on(store.snapshot(RootId(7))).is_err() {
            commit.create_root = Some((RootKind::Mailbox, Guid::NIL));
        }
        block_on(store.commit(commit)).unwrap();
    }

    #[test]
    fn a_restored_copy_begins_an_epoch_with_its_first_write() {
        let store = MemoryStore::new(1);
        write(&store, 1);
        write(&store, 2);
        let copy = store.restored(9);
        write(&store, 3);
        let epochs = |store: &MemoryStore| block_on(block_on(store.snapshot(RootId(7))).unwrap().epochs()).unwrap();
        assert_eq!(epochs(&copy), epochs(&store));
        write(&copy, 4);
        write(&copy, 5);
        let first = Epoch { epoch: 1, first_seq: Seq(0), at: Time(1) };
        assert_eq!(epochs(&store), [first]);
        let second = Epoch { epoch: 9, first_seq: Seq(2), at: Time(4) };
        assert_eq!(epochs(&copy), [first, second]);
        let (root, trim) = (RootId(7), |before| Write::TrimTombstones { before: Time(before), rows_max: 9 });
        let trim = |before| Commit { writes: vec![trim(before)], ..Commit::new(root, Time(6)) };
        block_on(copy.commit(trim(4))).unwrap();
        assert_eq!(epochs(&copy), [first, second]);
        // A commit that fails trims nothing.
        let fails = Write::DropCollection { collection: model::CollectionId(99) };
        let Commit { mut writes, .. } = trim(5);
        writes.push(fails);
        block_on(copy.commit(Commit { writes, ..Commit::new(root, Time(6)) })).unwrap_err();
        assert_eq!(epochs(&copy), [first, second]);
        block_on(copy.commit(trim(5))).unwrap();
        assert_eq!(epochs(&copy), [second]);
        assert_eq!(block_on(copy.snapshot(root)).unwrap().root().epoch, 9);
    }
}
