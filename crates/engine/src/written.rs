//! What one request has written: who tells its client that something failed must know whether it may be repeated.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use model::{Guid, RootId, Seq};
use store::{Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, Unready};

use crate::Engine;

/// The store as one request uses it: it counts what was written, or may have been.
struct Watched {
    inner: Arc<dyn Store>,
    writes: Arc<AtomicU64>,
}

impl Watched {
    fn note<T>(&self, result: &Result<T, StoreError>) {
        if matches!(result, Ok(_) | Err(StoreError::OutcomeUnknown(_))) {
            self.writes.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl Store for Watched {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot(root).await
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let result = self.inner.commit(commit).await;
        self.note(&result);
        result
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        self.inner.outcome(root, operation).await
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        self.inner.roots(after, limit).await
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        let result = self.inner.drop_root(root).await;
        self.note(&result);
        result
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        self.inner.changed(root, after).await
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.inner.figures()
    }

    async fn check(&self) -> Result<(), Unready> {
        self.inner.check().await
    }
}

impl Engine {
    /// The same domain for one request, which counts from 0 what it writes: see [`Self::writes`]. Costs two allocations.
    #[must_use]
    pub fn for_request(&self) -> Self {
        let writes = Arc::<AtomicU64>::default();
        let watched = Watched { inner: Arc::clone(&self.inner.store), writes: Arc::clone(&writes) };
        Self { store: Arc::new(watched), writes: Some(writes), ..self.clone() }
    }

    /// The same domain without counting, for what is made when somebody comes for the first time: it may be repeated
    /// with whatever was asked for.
    pub(crate) fn uncounted(&self) -> Self {
        Self { store: Arc::clone(&self.inner.store), writes: None, ..self.clone() }
    }

    /// Commits so far that were written or may have been, since [`Self::for_request`]. What fails afterwards, though it
    /// could be repeated by itself, must not be repeated as a whole.
    pub fn writes(&self) -> u64 {
        self.writes.as_ref().map_or(0, |writes| writes.load(Ordering::Relaxed))
    }
}
