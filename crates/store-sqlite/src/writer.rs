//! The one thread that writes a shard: takes everything that is queued, writes it in one transaction, one savepoint a
//! commit, syncs once, then answers all.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use model::{RootId, Seq, Time};
use rusqlite::{Connection, hooks::Wal, params};
use store::{Commit, Receipt, RootRow, StoreError, TransferRow, TransferTotals, Waiters, WriteReceipt};

use crate::{
    OpenError, Synchronous,
    answer::{Answer, Waiting, answer},
    apply,
    blobs::{Blobs, GRACE_TICKS, Hash},
    failure::{Failure, at_commit, before_commit},
    schema::{self, BUSY_TIMEOUT, SHARD_STEPS, Use},
    stats::Counters,
};

/// Commits that wait for a shard; more are refused.
const QUEUE_JOBS_MAX: usize = 4_096;
/// Commits in one transaction.
const GROUP_JOBS_MAX: usize = 512;
/// Pages by which the log grows before they are copied to the database file, after the answers.
const CHECKPOINT_PAGES: i32 = 2_048;
/// Pages of the log past which the writer waits for readers, so that it can start the log again.
const LOG_PAGES_MAX: i32 = 65_536;
/// How long it waits for them.
const RESTART_TIMEOUT: Duration = Duration::from_secs(1);
/// Files removed per transaction.
const FREED_FILES_MAX: usize = 64;

/// A result for a task.
pub(crate) type Outcome = Result<Receipt, StoreError>;

/// What a job did that takes no positions.
const NOTHING: Receipt = Receipt { last_seq: Seq::ZERO, writes: Vec::new() };

/// Something to write.
#[derive(Debug)]
pub(crate) enum Job {
    /// A commit, with the hashes of its parts that lie in files.
    Commit(Commit, Vec<Hash>),
    /// One step of the removal of a root. The receipt of its one write has a row where there is more to do.
    DropRoot(RootId),
    /// Rows of a root that is being copied here, with the hashes of those parts that lie in files.
    Load(RootRow, Vec<TransferRow>, Vec<Hash>),
    /// The end of such a copy.
    Publish(RootRow, TransferTotals),
}

impl Job {
    /// Where the root stands after this, where it happened; nowhere when it is gone.
    fn moved(&self, outcome: &Outcome) -> Option<(RootId, Option<Seq>)> {
        let receipt = outcome.as_ref().ok()?;
        Some(match self {
            Self::Commit(commit, _) => (commit.root, Some(receipt.last_seq)),
            Self::DropRoot(root) => (*root, None),
            Self::Load(..) | Self::Publish(..) => return None,
        })
    }
}

/// The way to a writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: SyncSender<(Job, Answer<Outcome>)>,
    thread: JoinHandle<()>,
}

/// What a writer thread needs to know.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) path: PathBuf,
    pub(crate) synchronous: Synchronous,
    pub(crate) blob_threshold_bytes: usize,
    pub(crate) epoch: u64,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) counters: Arc<Counters>,
    /// Those who wait for what is written here.
    pub(crate) waiters: Waiters,
}

impl Writer {
    /// Starts the thread. It ends when the last way to it is dropped.
    pub(crate) fn start(setting: Setting) -> Result<Self, OpenError> {
        let log_pages = Arc::<AtomicI32>::default();
        let connection = connect(&setting, &log_pages)?;
        if schema::check(&connection, SHARD_STEPS)? < SHARD_STEPS.len() {
            return Err(OpenError::Older);
        }
        let (queue, jobs) = sync_channel(QUEUE_JOBS_MAX);
        let mut thread = Thread { setting, connection: Some(connection), log_pages, checkpointed: 0 };
        let thread = thread::Builder::new().name("store writer".to_owned()).spawn(move || thread.run(&jobs))?;
        Ok(Self { queue, thread })
    }

    /// Queues a job.
    pub(crate) fn send(&self, job: Job) -> Result<Waiting<Outcome>, StoreError> {
        let (answer, waiting) = answer();
        self.queue.try_send((job, answer)).map_err(|error| {
            StoreError::TryAgain(match error {
                TrySendError::Full(_) => "too many writes are waiting".to_owned(),
                TrySendError::Disconnected(_) => "the writer of the shard has ended".to_owned(),
            })
        })?;
        Ok(waiting)
    }

    /// Waits until everything queued is written.
    pub(crate) fn finish(self) {
        drop(self.queue);
        let _ = self.thread.join();
    }
}

/// Opens the connection that writes. The hook takes the place of SQLite's own checkpoint within the commit.
fn connect(setting: &Setting, log_pages: &Arc<AtomicI32>) -> Result<Connection, rusqlite::Error> {
    let mut connection = schema::connect(&setting.path, setting.synchronous, Use::Write)?;
    let log_pages = Arc::clone(log_pages);
    connection.wal_hook(Some(move |_: &mut Wal, pages| {
        log_pages.store(pages, Ordering::Relaxed);
        Ok(())
    }))?;
    Ok(connection)
}

struct Thread {
    setting: Setting,
    /// `None` after an error that leaves its state in doubt.
    connection: Option<Connection>,
    /// Pages in the log after the latest commit.
    log_pages: Arc<AtomicI32>,
    /// Pages in the log at the latest checkpoint.
    checkpointed: i32,
}

impl Thread {
    fn run(&mut self, jobs: &Receiver<(Job, Answer<Outcome>)>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(GROUP_JOBS_MAX - 1));
            let (jobs, answers): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let outcomes = self.write(&jobs);
            let moved: Vec<_> = jobs.iter().zip(&outcomes).filter_map(|(job, outcome)| job.moved(outcome)).collect();
            for (answer, outcome) in answers.into_iter().zip(outcomes) {
                answer.send(outcome);
            }
            for (root, last_seq) in moved {
                match last_seq {
                    Some(last_seq) => self.setting.waiters.moved(root, last_seq),
                    None => self.setting.waiters.gone(root),
                }
            }
            self.checkpoint();
        }
    }

    /// One outcome a job, in order.
    fn write(&mut self, jobs: &[Job]) -> Vec<Outcome> {
        let connection = match self.connect() {
            Ok(connection) => connection,
            Err(error) => return vec![Err(before_commit(&error)); jobs.len()],
        };
        match self.setting.transact(&connection, jobs) {
            Ok((outcomes, is_sound)) => {
                self.connection = is_sound.then_some(connection);
                outcomes
            }
            Err(error) => {
                // Nothing was committed; the transaction ends with the connection.
                tracing::warn!(%error, path = %self.setting.path.display(), "a group of commits was given up");
                vec![Err(before_commit(&error)); jobs.len()]
            }
        }
    }

    fn connect(&mut self) -> Result<Connection, rusqlite::Error> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        connect(&self.setting, &self.log_pages)
    }

    /// Copies the log to the database file when it has grown enough.
    fn checkpoint(&mut self) {
        let pages = self.log_pages.load(Ordering::Relaxed);
        if pages < self.checkpointed {
            self.checkpointed = 0;
        }
        if pages < self.checkpointed + CHECKPOINT_PAGES {
            return;
        }
        let Some(connection) = &self.connection else { return };
        let result = if pages < LOG_PAGES_MAX {
            connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        } else {
            connection
                .busy_timeout(RESTART_TIMEOUT)
                .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())))
                .and_then(|()| connection.busy_timeout(BUSY_TIMEOUT))
        };
        if let Err(error) = result {
            tracing::warn!(%error, path = %self.setting.path.display(), "the log could not be copied");
        }
        self.checkpointed = pages;
    }
}

impl Setting {
    /// Writes all jobs in one transaction. The flag says whether the connection can go on.
    ///
    /// # Errors
    /// When the transaction as a whole failed before its COMMIT.
    fn transact(&self, connection: &Connection, jobs: &[Job]) -> Result<(Vec<Outcome>, bool), rusqlite::Error> {
        let run = |sql| connection.prepare_cached(sql)?.execute([]);
        run("BEGIN IMMEDIATE")?;
        self.remove_freed(connection, jobs)?;
        let mut outcomes = Vec::with_capacity(jobs.len());
        for job in jobs {
            run("SAVEPOINT job")?;
            let outcome = match self.apply(connection, job) {
                // Some errors end the whole transaction.
                Err(Failure::Sql(error)) if connection.is_autocommit() => return Err(error),
                Ok(receipt) => Ok(receipt),
                Err(failure) => {
                    run("ROLLBACK TO job")?;
                    self.note_unused(connection, job)?;
                    Err(StoreError::from(failure))
                }
            };
            run("RELEASE job")?;
            outcomes.push(outcome);
        }
        let done = outcomes.iter().flatten().count();
        if let Err(error) = run("COMMIT") {
            tracing::warn!(%error, path = %self.path.display(), "a commit failed");
            for outcome in outcomes.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(at_commit(&error));
            }
            return Ok((outcomes, false));
        }
        if done > 0 {
            self.counters.wrote(done);
        }
        Ok((outcomes, true))
    }

    fn apply(&self, connection: &Connection, job: &Job) -> Result<Receipt, Failure> {
        match job {
            Job::Commit(commit, hashes) => {
                apply::apply(connection, &self.blobs, self.epoch, commit, hashes, self.blob_threshold_bytes)
            }
            Job::DropRoot(root) => {
                let more = apply::drop_root(connection, *root)?;
                let done = WriteReceipt { rows: u64::from(more), ..WriteReceipt::default() };
                Ok(Receipt { last_seq: Seq::ZERO, writes: vec![done] })
            }
            Job::Load(root, rows, hashes) => {
                apply::load(connection, &self.blobs, root, rows, hashes, self.blob_threshold_bytes)?;
                Ok(NOTHING)
            }
            Job::Publish(root, totals) => {
                apply::publish(connection, root, *totals)?;
                Ok(NOTHING)
            }
        }
    }

    /// Removes files whose last reference went durably, and long ago by the clock of the commits.
    fn remove_freed(&self, connection: &Connection, jobs: &[Job]) -> Result<(), rusqlite::Error> {
        let times = jobs.iter().filter_map(|job| match job {
            Job::Commit(commit, _) => Some(commit.at),
            Job::DropRoot(_) | Job::Load(..) | Job::Publish(..) => None,
        });
        let Some(Time(now)) = times.max() else { return Ok(()) };
        let freed: Vec<(i64, Hash)> = connection
            .prepare_cached("SELECT root_id, hash FROM blob_ref WHERE freed_at < ?1 LIMIT ?2")?
            .query_map(params![now.saturating_sub(GRACE_TICKS), FREED_FILES_MAX as i64], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        for (root, hash) in freed {
            if let Err(error) = self.blobs.remove(RootId::from_i64(root), &hash) {
                tracing::warn!(%error, "a file of a removed part could not be removed");
            }
            connection
                .prepare_cached("DELETE FROM blob_ref WHERE root_id = ?1 AND hash = ?2 AND refs = 0")?
                .execute(params![root, hash])?;
        }
        Ok(())
    }

    /// Notes the files of a commit that failed, to be removed unless another commit refers to them.
    fn note_unused(&self, connection: &Connection, job: &Job) -> Result<(), rusqlite::Error> {
        let (root, at, hashes) = match job {
            Job::Commit(commit, hashes) => (commit.root, commit.at, hashes),
            Job::Load(root, _, hashes) => (root.root, Time(0), hashes),
            Job::DropRoot(_) | Job::Publish(..) => return Ok(()),
        };
        for hash in hashes {
            connection
                .prepare_cached("INSERT OR IGNORE INTO blob_ref(root_id, hash, refs, freed_at) VALUES(?1, ?2, 0, ?3)")?
                .execute(params![root.to_i64(), hash, at.0])?;
        }
        Ok(())
    }
}
