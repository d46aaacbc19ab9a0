//! A store that counts what is asked of it, for tests that bound costs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use model::{Guid, RootId, Seq};

use crate::{
    Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, TransferRow, TransferTotals, Unready,
    watched::{Call, Watch, WatchedSnapshot},
};

/// What was asked so far. Failed calls count as calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Snapshots taken.
    pub snapshots: u64,
    /// Reads in snapshots, of roots and outcomes, and waits for changes.
    pub reads: u64,
    /// Rows that reads gave. A part is one row.
    pub rows: u64,
    /// Commits asked for, and roots dropped, loaded in pages and published.
    pub commits: u64,
    /// Writes in those commits, and rows loaded.
    pub writes: u64,
}

impl Counts {
    /// What came on top of `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            snapshots: self.snapshots - earlier.snapshots,
            reads: self.reads - earlier.reads,
            rows: self.rows - earlier.rows,
            commits: self.commits - earlier.commits,
            writes: self.writes - earlier.writes,
        }
    }
}

/// See the module. Keep it in an [`Arc`], which is a store too, to read the counts while others use it.
#[derive(Debug)]
pub struct Counting<S> {
    inner: S,
    counters: Arc<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    snapshots: AtomicU64,
    reads: AtomicU64,
    rows: AtomicU64,
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Counters {
    fn before(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    fn after(&self, rows: usize) {
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

impl Watch for Counters {
    type Begun = ();

    fn begin(&self, _: Call, _: RootId) -> Result<(), StoreError> {
        self.before();
        Ok(())
    }

    fn end(&self, (): (), rows: Result<usize, &StoreError>) {
        self.after(rows.unwrap_or_default());
    }
}

impl<S> Counting<S> {
    /// Counts from 0 what is asked of `inner`.
    pub fn new(inner: S) -> Self {
        Self { inner, counters: Arc::default() }
    }

    /// The store behind.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            snapshots: read(&self.counters.snapshots),
            reads: read(&self.counters.reads),
            rows: read(&self.counters.rows),
            commits: read(&self.counters.commits),
            writes: read(&self.counters.writes),
        }
    }
}

#[async_trait]
impl<S: Store> Store for Counting<S> {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.counters.snapshots.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.snapshot(root).await?;
        Ok(Box::new(WatchedSnapshot { inner, watch: Arc::clone(&self.counters) }))
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.writes.fetch_add(commit.writes.len() as u64, Ordering::Relaxed);
        self.inner.commit(commit).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        self.counters.before();
        let found = self.inner.outcome(root, operation).await?;
        self.counters.after(usize::from(found.is_some()));
        Ok(found)
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        self.counters.before();
        let page = self.inner.roots(after, limit).await?;
        self.counters.after(page.rows.len());
        Ok(page)
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.drop_root(root).await
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        self.counters.before();
        let last_seq = self.inner.changed(root, after).await?;
        self.counters.after(1);
        Ok(last_seq)
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.inner.figures()
    }

    async fn check(&self) -> Result<(), Unready> {
        self.counters.reads.fetch_add(1, Ordering::Relaxed);
        self.inner.check().await
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.counters.writes.fetch_add(rows.len() as u64, Ordering::Relaxed);
        self.inner.load(root, rows).await
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.counters.snapshots.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.loading(root).await?;
        Ok(Box::new(WatchedSnapshot { inner, watch: Arc::clone(&self.counters) }))
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.inner.publish(root, totals).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RootKind, Write, battery::block_on, memory::MemoryStore};
    use model::{CollectionId, Time};

    crate::battery!(battery, || Box::new(Counting::new(MemoryStore::new(1))) as Box<dyn Store>);
    crate::battery!(@transfer copies, || Box::new(Counting::new(MemoryStore::new(1))) as Box<dyn Store>);

    #[test]
    fn calls_and_rows_are_counted() {
        let store = Counting::new(MemoryStore::new(1));
        let mut commit = Commit::new(RootId(7), Time(0));
        commit.create_root = Some((RootKind::Mailbox, Guid::NIL));
        commit.writes = vec![Write::CreateCollection { parent: None, bag: "a".into() }; 3];
        block_on(store.commit(commit)).unwrap();
        let written = store.counts();
        assert_eq!(written, Counts { commits: 1, writes: 3, ..Counts::default() });
        let mut view = block_on(store.snapshot(RootId(7))).unwrap();
        block_on(view.collections(None, 2)).unwrap();
        block_on(view.collection(CollectionId(9))).unwrap();
        block_on(view.spans(Seq::ZERO)).unwrap();
        assert_eq!(store.counts().since(written), Counts { snapshots: 1, reads: 3, rows: 5, ..Counts::default() });
        assert_eq!(store.inner().rows_read(), 5);
    }
}
