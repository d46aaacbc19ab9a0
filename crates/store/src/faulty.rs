//! A store that fails when it is told to, for tests of what callers do then.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use model::{Guid, Random, RootId, SeededRandom, Seq};

use crate::{
    Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, TransferRow, TransferTotals, Unready,
    watched::{Call, Watch, WatchedSnapshot},
};

/// How a read fails. Taking a snapshot, each read in it, and reading roots and outcomes, and waiting for changes are reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFault {
    /// [`StoreError::TryAgain`].
    TryAgain,
    /// [`StoreError::Corrupt`].
    Corrupt,
}

/// How a commit fails, and likewise dropping, loading or publishing a root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// [`StoreError::TryAgain`]; nothing is written.
    TryAgain,
    /// [`StoreError::OutcomeUnknown`]; nothing is written.
    Lost,
    /// [`StoreError::OutcomeUnknown`]; everything is written, unless the store behind refuses.
    Unacknowledged,
}

/// See the module. Keep it in an [`Arc`], which is a store too, to plan faults while others use it.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    plan: Arc<Plan>,
}

#[derive(Debug, Default)]
struct Plan(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    reads: Planned<ReadFault>,
    commits: Planned<CommitFault>,
    random: Option<(SeededRandom, u64)>,
    injected: u64,
    committed: u64,
}

/// Faults by the number of the call.
#[derive(Debug)]
struct Planned<F> {
    calls: u64,
    faults: BTreeMap<u64, F>,
}

impl<F> Default for Planned<F> {
    fn default() -> Self {
        Self { calls: 0, faults: BTreeMap::new() }
    }
}

impl<F> Planned<F> {
    /// Counts a call and gives the fault planned for it.
    fn call(&mut self) -> Option<F> {
        let call = self.calls;
        self.calls += 1;
        self.faults.remove(&call)
    }
}

impl Plan {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self) -> Option<CommitFault> {
        let mut state = self.state();
        let planned = state.commits.call();
        let fault = planned.or_else(|| {
            let faults = [CommitFault::TryAgain, CommitFault::Lost, CommitFault::Unacknowledged];
            faults.get(state.chance()? as usize % faults.len()).copied()
        });
        state.injected += u64::from(fault.is_some());
        fault
    }
}

impl State {
    /// A random number, where this call fails by chance.
    fn chance(&self) -> Option<u64> {
        let (random, one_in) = self.random.as_ref()?;
        random.number().is_multiple_of(*one_in).then(|| random.number())
    }
}

impl Plan {
    /// Counts a read, which fails where it is to.
    fn before(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        let planned = state.reads.call();
        // Chance is kind to readers: damage is planned, or it is not there.
        let fault = planned.or_else(|| state.chance().map(|_| ReadFault::TryAgain));
        let Some(fault) = fault else {
            return Ok(());
        };
        state.injected += 1;
        Err(match fault {
            ReadFault::TryAgain => StoreError::TryAgain("injected".to_owned()),
            ReadFault::Corrupt => StoreError::Corrupt("injected".to_owned()),
        })
    }
}

impl Watch for Plan {
    type Begun = ();

    fn begin(&self, _: Call, _: RootId) -> Result<(), StoreError> {
        self.before()
    }

    fn end(&self, (): (), _: Result<usize, &StoreError>) {}
}

impl<S> Faulty<S> {
    /// A store without faults so far.
    pub fn new(inner: S) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// A store in which one read and one commit in `one_in` (at least 1) fails by chance, repeatably by `seed`: reads
    /// with [`ReadFault::TryAgain`], commits in any way.
    pub fn by_chance(inner: S, seed: u64, one_in: u64) -> Self {
        let faulty = Self::new(inner);
        faulty.plan.state().random = Some((SeededRandom::new(seed), one_in.max(1)));
        faulty
    }

    /// Makes the read fail that comes after `skip` more.
    pub fn fail_read(&self, skip: u64, fault: ReadFault) {
        let reads = &mut self.plan.state().reads;
        reads.faults.insert(reads.calls + skip, fault);
    }

    /// Makes the commit fail that comes after `skip` more.
    pub fn fail_commit(&self, skip: u64, fault: CommitFault) {
        let commits = &mut self.plan.state().commits;
        commits.faults.insert(commits.calls + skip, fault);
    }

    /// Forgets all faults to come, planned and by chance.
    pub fn heal(&self) {
        let mut state = self.plan.state();
        state.reads.faults.clear();
        state.commits.faults.clear();
        state.random = None;
    }

    /// Faults that happened so far.
    pub fn injected(&self) -> u64 {
        self.plan.state().injected
    }

    /// Writes so far that were done, whatever was said of them.
    pub fn committed(&self) -> u64 {
        self.plan.state().committed
    }

    /// Does a write, or does not, as planned.
    async fn write<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let unknown = Err(StoreError::OutcomeUnknown("injected".to_owned()));
        let fault = self.plan.commit();
        match fault {
            Some(CommitFault::TryAgain) => return Err(StoreError::TryAgain("injected".to_owned())),
            Some(CommitFault::Lost) => return unknown,
            None | Some(CommitFault::Unacknowledged) => {}
        }
        let done = work.await?;
        self.plan.state().committed += 1;
        if fault.is_some() { unknown } else { Ok(done) }
    }

    /// The store behind, which does not fail.
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.plan.before()?;
        let inner = self.inner.snapshot(root).await?;
        Ok(Box::new(WatchedSnapshot { inner, watch: Arc::clone(&self.plan) }))
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        self.write(self.inner.commit(commit)).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        self.plan.before()?;
        self.inner.outcome(root, operation).await
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        self.plan.before()?;
        self.inner.roots(after, limit).await
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        self.write(self.inner.drop_root(root)).await
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        self.write(self.inner.load(root, rows)).await
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.plan.before()?;
        let inner = self.inner.loading(root).await?;
        Ok(Box::new(WatchedSnapshot { inner, watch: Arc::clone(&self.plan) }))
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        self.write(self.inner.publish(root, totals)).await
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        self.plan.before()?;
        self.inner.changed(root, after).await
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.inner.figures()
    }

    async fn check(&self) -> Result<(), Unready> {
        self.plan.before().map_err(|error| Unready { part: "store", reason: error.to_string() })?;
        self.inner.check().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RootKind, Write, battery::block_on, memory::MemoryStore};
    use model::Time;

    crate::battery!(battery, || Box::new(Faulty::new(MemoryStore::new(1))) as Box<dyn Store>);
    crate::battery!(@transfer copies, || Box::new(Faulty::new(MemoryStore::new(1))) as Box<dyn Store>);

    const ROOT: RootId = RootId(7);

    fn root(store: &impl Store) {
        let mut commit = Commit::new(ROOT, Time(0));
        commit.create_root = Some((RootKind::Mailbox, Guid::NIL));
        block_on(store.commit(commit)).unwrap();
    }

    fn folder(operation: u8) -> Commit {
        let writes = vec![Write::CreateCollection { parent: None, bag: "a".into() }];
        Commit { writes, operation: Some(Guid([operation; 16])), ..Commit::new(ROOT, Time(0)) }
    }

    #[test]
    fn planned_faults_happen_at_their_call() {
        let store = Faulty::new(MemoryStore::new(1));
        root(&store);
        let last_seq = || block_on(store.inner().snapshot(ROOT)).unwrap().root().last_seq.0;
        store.fail_commit(1, CommitFault::TryAgain);
        store.fail_commit(2, CommitFault::Lost);
        store.fail_commit(3, CommitFault::Unacknowledged);
        let cases = [("", 1), ("TryAgain", 1), ("OutcomeUnknown", 1), ("OutcomeUnknown", 2), ("", 3)];
        for (operation, (error, seq)) in (0..).zip(cases) {
            let result = block_on(store.commit(folder(operation)));
            assert_eq!(result.is_ok(), error.is_empty());
            assert!(format!("{result:?}").contains(error), "{result:?}");
            assert_eq!(last_seq(), seq);
        }
        let outcome = |operation| block_on(store.outcome(ROOT, Guid([operation; 16]))).unwrap().is_some();
        assert_eq!([0, 1, 2, 3, 4].map(outcome), [true, false, false, true, true]);
        store.fail_read(0, ReadFault::TryAgain);
        store.fail_read(2, ReadFault::Corrupt);
        assert!(matches!(block_on(store.snapshot(ROOT)), Err(StoreError::TryAgain(_))));
        let mut view = block_on(store.snapshot(ROOT)).unwrap();
        assert!(matches!(block_on(view.spans(Seq::ZERO)), Err(StoreError::Corrupt(_))));
        assert_eq!(block_on(view.spans(Seq::ZERO)).unwrap().len(), 3);
        assert_eq!(store.injected(), 5);
        store.fail_read(0, ReadFault::Corrupt);
        store.heal();
        block_on(view.epochs()).unwrap();
    }

    #[test]
    fn chance_is_repeatable() {
        let run = |seed| {
            let memory = MemoryStore::new(1);
            root(&memory);
            let store = Faulty::by_chance(memory, seed, 4);
            let results: Vec<_> = (0..100).map(|operation| block_on(store.commit(folder(operation)))).collect();
            assert_eq!(results.iter().filter(|result| result.is_err()).count() as u64, store.injected());
            assert!((5..60).contains(&store.injected()), "{}", store.injected());
            results
        };
        assert_eq!(run(1), run(1));
        assert_ne!(run(1), run(2));
    }
}
