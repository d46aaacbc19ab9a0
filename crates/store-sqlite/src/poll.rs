//! What other processes write, for those who wait for changes: a thread that looks at the roots that are waited for.
//!
//! Commits of this process are told by its writers, at once. The thread is there only while somebody waits, one however
//! many wait, and asks a file for rows only after somebody has written to it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use model::{RootId, Seq};
use rusqlite::{Connection, OptionalExtension};
use store::{StoreError, Waiters};

use crate::{
    Synchronous,
    control::Control,
    failure::Failure,
    schema::{self, Use},
};

/// How long a commit of another process may go unseen.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

const LAST_SEQ: &str = "SELECT last_seq FROM root WHERE root_id = ?1 AND kind >= 0";

/// The thread, where there is one. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Poll(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    waiters: Waiters,
    control: Arc<Control>,
    /// The files of the shards, in order.
    paths: Vec<PathBuf>,
    synchronous: Synchronous,
    state: Mutex<State>,
    is_over: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_running: bool,
    is_over: bool,
    thread: Option<JoinHandle<()>>,
}

impl Poll {
    /// No thread yet.
    pub(crate) fn new(waiters: Waiters, control: Arc<Control>, paths: Vec<PathBuf>, synchronous: Synchronous) -> Self {
        let (state, is_over) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { waiters, control, paths, synchronous, state, is_over }))
    }

    /// Sees to it that there is a thread as long as somebody waits. Call it when the caller stands among the waiters.
    ///
    /// # Errors
    /// [`StoreError::TryAgain`] when the system gives no thread.
    pub(crate) fn run(&self) -> Result<(), StoreError> {
        let mut state = self.0.state();
        if state.is_running {
            return Ok(());
        }
        let shared = Arc::clone(&self.0);
        let thread = thread::Builder::new().name("store poll".to_owned()).spawn(move || shared.look());
        let thread = thread.map_err(|error| StoreError::TryAgain(format!("no thread to wait with: {error}")))?;
        state.is_running = true;
        state.thread = Some(thread);
        Ok(())
    }

    /// Whether there is a thread.
    #[cfg(test)]
    pub(crate) fn is_running(&self) -> bool {
        self.0.state().is_running
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let thread = {
            let mut state = self.0.state();
            state.is_over = true;
            state.thread.take()
        };
        self.0.is_over.notify_all();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks, as long as somebody waits.
    fn look(&self) {
        let mut shards: Vec<Option<Shard>> = self.paths.iter().map(|_| None).collect();
        let mut is_failing = false;
        while let Some(awaited) = self.next() {
            match self.look_at(&mut shards, &awaited) {
                Ok(()) => is_failing = false,
                Err(failure) => {
                    if !is_failing {
                        let error = StoreError::from(failure);
                        tracing::warn!(%error, "what other processes wrote cannot be seen");
                    }
                    is_failing = true;
                    shards.fill_with(|| None);
                }
            }
        }
    }

    /// The roots that are waited for, after a while. `None` when there are none, or when the store is closed: the thread
    /// has to end then.
    fn next(&self) -> Option<Vec<RootId>> {
        let (mut state, _) = self
            .is_over
            .wait_timeout_while(self.state(), POLL_INTERVAL, |state| !state.is_over)
            .unwrap_or_else(PoisonError::into_inner);
        let awaited: Vec<RootId> = self.waiters.awaited().into_iter().map(|(root, _)| root).collect();
        if state.is_over || awaited.is_empty() {
            // Who begins to wait from here on finds that nothing runs.
            state.is_running = false;
            return None;
        }
        Some(awaited)
    }

    fn look_at(&self, shards: &mut [Option<Shard>], awaited: &[RootId]) -> Result<(), Failure> {
        let mut of_shard = BTreeMap::<usize, Vec<RootId>>::new();
        for root in awaited {
            if let Some(number) = self.control.shard(*root)? {
                of_shard.entry(number).or_default().push(*root);
            }
        }
        for (number, roots) in of_shard {
            let (Some(place), Some(path)) = (shards.get_mut(number), self.paths.get(number)) else { continue };
            let shard = match place {
                Some(shard) => shard,
                None => place
                    .insert(Shard { connection: schema::connect(path, self.synchronous, Use::Read)?, version: None }),
            };
            shard.look_at(&roots, &self.waiters)?;
        }
        Ok(())
    }
}

/// The connection that looks at a file.
struct Shard {
    connection: Connection,
    /// What SQLite said when this connection last read the roots; another number says that somebody has written since.
    version: Option<i64>,
}

impl Shard {
    fn look_at(&mut self, roots: &[RootId], waiters: &Waiters) -> Result<(), rusqlite::Error> {
        // First the version, then the rows: what is written in between shows the next time.
        let version = self.connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if self.version == Some(version) {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached(LAST_SEQ)?;
        for root in roots {
            let last_seq: Option<i64> = statement.query_row([root.to_i64()], |row| row.get(0)).optional()?;
            match last_seq {
                Some(last_seq) => waiters.moved(*root, Seq::from_i64(last_seq)),
                None => waiters.gone(*root),
            }
        }
        drop(statement);
        self.version = Some(version);
        Ok(())
    }
}
