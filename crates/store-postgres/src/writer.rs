//! Group commit: everything that is queued for a root goes into one transaction, and the roots do not wait for one
//! another.
//!
//! A group costs two round trips whatever its size. The first begins the transaction, takes the lock of the root and
//! reads what its guards and writes need to know; they are applied in memory ([`crate::apply`]); the second writes what
//! became of the rows and commits ([`crate::flush`]). A commit that cannot be done in memory is written on its own
//! ([`crate::transaction`]).
//!
//! What is acknowledged was committed: a lost answer to COMMIT is never guessed about ([`crate::doubt`]).

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::{Guid, RootId};
use store::{Commit, Receipt, StoreError, Write};
use tokio::sync::oneshot;

use crate::{
    doubt,
    large::{self, Hashes},
    transaction::{Outcome, Transactions},
};

/// Jobs that wait on this node; more are refused.
const QUEUE_JOBS_MAX: usize = 4_096;
/// Commits in one transaction.
const GROUP_JOBS_MAX: usize = 512;
/// Writes in one transaction, unless the first commit alone has more.
const GROUP_WRITES_MAX: usize = 4_000;
/// Bytes of bags and parts in one transaction, unless the first commit alone has more.
const GROUP_BYTES_MAX: usize = 16 << 20;
/// Something to write.
#[derive(Debug)]
enum Job {
    /// A commit, with the hashes of its large parts, which are stored.
    Commit(Box<(Commit, Hashes)>),
    /// One step of the removal of a root. The receipt of its one write has a row where there is more to do.
    DropRoot,
}

#[derive(Debug)]
struct Queued {
    job: Job,
    answer: oneshot::Sender<Outcome>,
}

/// What is written together.
enum Batch {
    Group(Vec<(Commit, Hashes)>, Vec<oneshot::Sender<Outcome>>),
    Alone(Box<(Commit, Hashes)>, oneshot::Sender<Outcome>),
    DropRoot(oneshot::Sender<Outcome>),
}

/// The way to the tasks that write. There is one for each root with something to write.
#[derive(Debug)]
pub(crate) struct Writer(Arc<Shared>);

/// What the tasks share.
#[derive(Debug)]
struct Shared {
    transactions: Arc<Transactions>,
    blob_threshold_bytes: usize,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    /// Of the roots that have a task.
    roots: HashMap<RootId, VecDeque<Queued>>,
    jobs: usize,
}

impl Writer {
    /// Nothing is queued yet. Parts of more bytes than the threshold are kept apart from the rows of their items.
    pub(crate) fn new(transactions: Arc<Transactions>, blob_threshold_bytes: usize) -> Self {
        Self(Arc::new(Shared { transactions, blob_threshold_bytes, queues: Mutex::default() }))
    }

    /// Writes; see [`store::Store::commit`].
    pub(crate) async fn commit(&self, commit: Commit) -> Outcome {
        commit.check()?;
        let hashes = self.0.stage(&commit).await?;
        let root = commit.root;
        written(self.send(root, Job::Commit(Box::new((commit, hashes))))?).await
    }

    /// Removes a root; see [`store::Store::drop_root`].
    pub(crate) async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        loop {
            if written(self.send(root, Job::DropRoot)?).await?.write(0).rows == 0 {
                return Ok(());
            }
        }
    }

    /// Removes what is left of roots whose removal was cut off, without anybody waiting for it. Several nodes may do so at
    /// the same time. Keeps the calling thread until it is known whether there are any.
    pub(crate) fn finish_removals(&self) {
        let background = self.0.transactions.sessions.background();
        let shared = Arc::clone(&self.0);
        let found = background.wait(async move { shared.transactions.half_removed().await });
        let roots = match found {
            Some(Ok(roots)) if !roots.is_empty() => roots,
            Some(Ok(_) | Err(_)) | None => return,
        };
        let writer = Self(Arc::clone(&self.0));
        background.spawn(async move {
            for root in roots {
                if let Err(error) = writer.drop_root(root).await {
                    tracing::warn!(%error, %root, "what is left of a removed root could not be removed");
                }
            }
        });
    }

    /// The receipt of an operation; see [`store::Store::outcome`]. Waits for writes that are under way.
    pub(crate) async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        let shared = Arc::clone(&self.0);
        let task = async move { doubt::outcome(&shared.transactions, root, operation).await };
        match self.0.transactions.sessions.background().spawn(task).await {
            Ok(found) => Ok(found?),
            Err(error) => Err(StoreError::TryAgain(error.to_string())),
        }
    }

    fn send(&self, root: RootId, job: Job) -> Result<oneshot::Receiver<Outcome>, StoreError> {
        let (answer, waiting) = oneshot::channel();
        let mut queues = self.0.queues();
        if queues.jobs >= QUEUE_JOBS_MAX {
            return Err(StoreError::TryAgain("too many writes are waiting".to_owned()));
        }
        queues.jobs += 1;
        let is_new = !queues.roots.contains_key(&root);
        queues.roots.entry(root).or_default().push_back(Queued { job, answer });
        drop(queues);
        if is_new {
            let shared = Arc::clone(&self.0);
            self.0.transactions.sessions.background().spawn(async move { shared.serve(root).await });
        }
        Ok(waiting)
    }
}

async fn written(waiting: oneshot::Receiver<Outcome>) -> Outcome {
    let ended = || Err(StoreError::OutcomeUnknown("the writer of the root has ended".to_owned()));
    waiting.await.unwrap_or_else(|_| ended())
}

impl Shared {
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores the large parts of a commit and gives their hashes. Costs reading them twice.
    async fn stage(self: &Arc<Self>, commit: &Commit) -> Result<Hashes, StoreError> {
        let mut hashes = Hashes::new();
        for (place, part) in large::large_parts(commit, self.blob_threshold_bytes) {
            let digests = self.transactions.digests(&part.bytes)?;
            hashes.insert(place, digests.hash);
            let (shared, root, at, content) = (Arc::clone(self), commit.root, commit.at, part.bytes.clone());
            let task = async move { shared.transactions.stage(root, &digests, &content, at).await };
            match self.transactions.sessions.background().spawn(task).await {
                Ok(staged) => staged?,
                Err(error) => return Err(StoreError::TryAgain(error.to_string())),
            }
        }
        Ok(hashes)
    }

    /// Writes what is queued for a root until nothing is. What comes while it waits for a session joins the group.
    async fn serve(self: Arc<Self>, root: RootId) {
        loop {
            let session = self.transactions.session().await;
            let Some(batch) = self.next(root) else { return };
            match (session, batch) {
                (Err(failure), batch) => batch.fail(&failure.into()),
                (Ok(session), Batch::Group(commits, answers)) => {
                    let outcomes = self.transactions.group(session, &commits).await;
                    answers.into_iter().zip(outcomes).for_each(|(answer, outcome)| drop(answer.send(outcome)));
                }
                (Ok(session), Batch::Alone(commit, answer)) => {
                    drop(answer.send(self.transactions.alone(session, &commit).await));
                }
                (Ok(session), Batch::DropRoot(answer)) => {
                    drop(answer.send(self.transactions.remove(session, root).await));
                }
            }
        }
    }

    /// What is written next; `None` when nothing is queued, and the task of the root ends.
    fn next(&self, root: RootId) -> Option<Batch> {
        let mut queues = self.queues();
        let queue = queues.roots.get_mut(&root)?;
        let Some(first) = queue.pop_front() else {
            queues.roots.remove(&root);
            return None;
        };
        let mut taken = 1;
        let batch = match first.job {
            Job::DropRoot => Batch::DropRoot(first.answer),
            Job::Commit(commit) if !fits_group(&commit.0) => Batch::Alone(commit, first.answer),
            Job::Commit(commit) => {
                let (mut writes, mut bytes) = (commit.0.writes.len(), bytes_of(&commit.0));
                let (mut commits, mut answers) = (vec![*commit], vec![first.answer]);
                while commits.len() < GROUP_JOBS_MAX {
                    let Some(Queued { job: Job::Commit(next), .. }) = queue.front() else { break };
                    writes += next.0.writes.len();
                    bytes += bytes_of(&next.0);
                    if !fits_group(&next.0) || writes > GROUP_WRITES_MAX || bytes > GROUP_BYTES_MAX {
                        break;
                    }
                    let Some(Queued { job: Job::Commit(next), answer }) = queue.pop_front() else { break };
                    taken += 1;
                    commits.push(*next);
                    answers.push(answer);
                }
                Batch::Group(commits, answers)
            }
        };
        queues.jobs = queues.jobs.saturating_sub(taken);
        Some(batch)
    }
}

impl Batch {
    /// Answers all that nothing was written.
    fn fail(self, error: &StoreError) {
        match self {
            Self::Group(_, answers) => answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone())))),
            Self::Alone(_, answer) | Self::DropRoot(answer) => drop(answer.send(Err(error.clone()))),
        }
    }
}

/// Whether a commit can be applied in memory, beside others.
fn fits_group(commit: &Commit) -> bool {
    !commit.writes.iter().any(|write| match write {
        Write::DropCollection { .. } | Write::DropKeys { .. } | Write::TrimTombstones { .. } => true,
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::CreateItem(_)
        | Write::UpdateItem(_)
        | Write::DeleteItem { .. }
        | Write::MoveItem { .. }
        | Write::CopyItem { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. } => false,
    })
}

/// Bytes that a commit sends, roughly.
fn bytes_of(commit: &Commit) -> usize {
    let bag = |write: &Write| match write {
        Write::CreateItem(new) => new.bag.len(),
        Write::UpdateItem(change) => change.bag.as_ref().map_or(0, bytes::Bytes::len),
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::DeleteItem { .. }
        | Write::MoveItem { .. }
        | Write::CopyItem { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => 0,
    };
    let parts = large::large_parts(commit, 0).map(|(_, part)| part.bytes.len());
    commit.writes.iter().map(bag).chain(parts).sum()
}
