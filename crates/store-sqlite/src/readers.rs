//! The connections that read one shard.

use std::{
    ops::Deref,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, PoisonError},
};

use rusqlite::Connection;
use store::StoreError;

use crate::{
    Synchronous,
    failure::Failure,
    schema::{self, BUSY_TIMEOUT, Use},
};

/// A pool of read connections, opened when they are first needed.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    synchronous: Synchronous,
    connections_max: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

impl Readers {
    /// A pool of at most `connections_max` connections to the file at `path`.
    pub(crate) fn new(path: PathBuf, synchronous: Synchronous, connections_max: usize) -> Self {
        let connections_max = connections_max.max(1);
        Self { path, synchronous, connections_max, state: Mutex::default(), returned: Condvar::new() }
    }

    /// A connection of its own for the caller, who waits when all are busy.
    ///
    /// # Errors
    /// [`StoreError::TryAgain`] when none became free for [`BUSY_TIMEOUT`].
    pub(crate) fn take(self: &Arc<Self>) -> Result<Reader, Failure> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self
            .returned
            .wait_timeout_while(state, BUSY_TIMEOUT, |state| {
                state.idle.is_empty() && state.open >= self.connections_max
            })
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = state.idle.pop() {
            return Ok(Reader { connection: Some(connection), pool: Arc::clone(self) });
        }
        if state.open >= self.connections_max {
            return Err(StoreError::TryAgain("all readers of the shard are busy".to_owned()).into());
        }
        state.open += 1;
        drop(state);
        match schema::connect(&self.path, self.synchronous, Use::Read) {
            Ok(connection) => Ok(Reader { connection: Some(connection), pool: Arc::clone(self) }),
            Err(error) => {
                self.give_back(None);
                Err(error.into())
            }
        }
    }

    fn give_back(&self, connection: Option<Connection>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match connection {
            Some(connection) => state.idle.push(connection),
            None => state.open = state.open.saturating_sub(1),
        }
        drop(state);
        self.returned.notify_one();
    }
}

/// A connection out of the pool; it goes back, its transaction ended, when this is dropped.
#[derive(Debug)]
pub(crate) struct Reader {
    connection: Option<Connection>,
    pool: Arc<Readers>,
}

impl Deref for Reader {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "the connection is taken out only by drop")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a reader has its connection")
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let ended = self.connection.take().filter(|connection| {
            connection.is_autocommit()
                || connection.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([])).is_ok()
        });
        self.pool.give_back(ended);
    }
}
