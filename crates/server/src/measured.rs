//! A store whose calls are measured.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use model::{Guid, RootId, Seq};
use store::{
    Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, Unready,
    watched::{Call, Watch, WatchedSnapshot},
};

use crate::metrics::{Meter, Metrics};

/// See the module.
pub(crate) struct Measured {
    inner: Arc<dyn Store>,
    meters: Arc<Meters>,
}

struct Meters {
    /// One a call, in the order of [`Call::ALL`].
    calls: Vec<Meter>,
    slow: Duration,
}

/// A call under way.
struct Begun {
    call: Call,
    root: Option<RootId>,
    at: Instant,
}

impl Meters {
    fn begun(&self, call: Call, root: impl Into<Option<RootId>>) -> Begun {
        Begun { call, root: root.into(), at: Instant::now() }
    }

    fn done(&self, begun: Begun, rows: Result<usize, &StoreError>) {
        let Some(meter) = self.calls.get(begun.call as usize) else { return };
        let elapsed = begun.at.elapsed();
        meter.seconds.record(elapsed);
        match rows {
            Ok(0) => {}
            Ok(rows) => meter.rows.increment(rows as u64),
            Err(error) => meter.error(kind(error)),
        }
        if elapsed > self.slow && self.slow > Duration::ZERO {
            meter.slow.increment(1);
            tracing::warn!(
                target: "highwater::slow",
                call = begun.call.name(),
                root = begun.root.map(|root| root.0),
                rows = rows.ok(),
                failed = rows.is_err(),
                milliseconds = elapsed.as_millis() as u64,
                "a call of the store was slow"
            );
        }
    }
}

/// The place of an error in [`crate::metrics::KINDS`].
fn kind(error: &StoreError) -> usize {
    match error {
        StoreError::Conflict { .. } => 0,
        StoreError::NoRoot(_) | StoreError::NoCollection(_) | StoreError::NoItem(_) => 1,
        StoreError::TooLarge(_) => 2,
        StoreError::TryAgain(_) => 3,
        StoreError::OutcomeUnknown(_) => 4,
        StoreError::Corrupt(_) => 5,
    }
}

impl Watch for Meters {
    type Begun = Begun;

    fn begin(&self, call: Call, root: RootId) -> Result<Begun, StoreError> {
        Ok(self.begun(call, root))
    }

    fn end(&self, begun: Begun, rows: Result<usize, &StoreError>) {
        self.done(begun, rows);
    }
}

impl Measured {
    pub(crate) fn new(inner: Arc<dyn Store>, metrics: &Metrics, slow: Duration) -> Self {
        let calls = Call::ALL.iter().map(|call| metrics.meter(*call)).collect();
        Self { inner, meters: Arc::new(Meters { calls, slow }) }
    }
}

#[async_trait]
impl Store for Measured {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        let begun = self.meters.begun(Call::Snapshot, root);
        let result = self.inner.snapshot(root).await;
        self.meters.done(begun, result.as_ref().map(|_| 1));
        Ok(Box::new(WatchedSnapshot { inner: result?, watch: Arc::clone(&self.meters) }))
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let begun = self.meters.begun(Call::Commit, commit.root);
        let writes = commit.writes.len();
        let result = self.inner.commit(commit).await;
        self.meters.done(begun, result.as_ref().map(|_| writes));
        result
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        let begun = self.meters.begun(Call::Outcome, root);
        let result = self.inner.outcome(root, operation).await;
        self.meters.done(begun, result.as_ref().map(|found| usize::from(found.is_some())));
        result
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        let begun = self.meters.begun(Call::Roots, None);
        let result = self.inner.roots(after, limit).await;
        self.meters.done(begun, result.as_ref().map(|page| page.rows.len()));
        result
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        let begun = self.meters.begun(Call::DropRoot, root);
        let result = self.inner.drop_root(root).await;
        self.meters.done(begun, result.as_ref().map(|()| 0));
        result
    }

    // Waiting is no work.
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
