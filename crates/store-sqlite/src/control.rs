//! `control.db`: how many shards there are, which root lies in which, and which start of the store this is.
//!
//! `lock` beside it is held by every process that has the store open. Who finds it free is the first: this is a new
//! start, with a new epoch. Who comes later joins the start that is going on.

use std::{
    collections::HashMap,
    fs::{File, TryLockError},
    path::Path,
    sync::{Mutex, PoisonError, RwLock},
};

use model::RootId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::{
    OpenError, Options,
    failure::Failure,
    schema::{self, CONTROL_STEPS, Use},
};

/// The lock file; the lock lasts as long as this value.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    /// Whether nobody else has the store open, until [`Self::share`].
    pub(crate) exclusive: bool,
}

impl Lock {
    /// Waits while another process is at its first steps; otherwise returns at once.
    pub(crate) fn take(directory: &Path) -> Result<Self, OpenError> {
        let file = File::create(directory.join("lock"))?;
        let exclusive = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => {
                file.lock_shared()?;
                false
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        };
        Ok(Self { file, exclusive })
    }

    /// Lets others in. Another may come in between and become the first; what it wrote is to be read after this.
    pub(crate) fn share(&mut self) -> Result<(), OpenError> {
        if self.exclusive {
            self.file.unlock()?;
            self.file.lock_shared()?;
            self.exclusive = false;
        }
        Ok(())
    }

    /// Whether nobody else has the store open now; if so, nobody else gets in.
    pub(crate) fn try_exclusive(&mut self) -> bool {
        self.exclusive = self.exclusive || (self.file.unlock().is_ok() && self.file.try_lock().is_ok());
        self.exclusive
    }
}

/// The control file.
#[derive(Debug)]
pub(crate) struct Control {
    connection: Mutex<Connection>,
    shards: usize,
    /// What was read from the file; a root never changes its shard.
    known: RwLock<HashMap<RootId, usize>>,
}

impl Control {
    /// Opens the file. Holds the lock exclusively or not; see [`Lock`].
    pub(crate) fn open(directory: &Path, options: &Options, exclusive: bool) -> Result<Self, OpenError> {
        let connection = schema::connect(&directory.join("control.db"), options.synchronous, Use::Write)?;
        if exclusive {
            schema::upgrade(&connection, CONTROL_STEPS)?;
            let shards = options.shards.clamp(1, SHARDS_MAX) as i64;
            connection.execute("INSERT OR IGNORE INTO meta VALUES('shards', ?1)", [shards])?;
        } else if schema::check(&connection, CONTROL_STEPS)? < CONTROL_STEPS.len() {
            return Err(OpenError::Older);
        }
        let shards: u32 = connection.query_row("SELECT value FROM meta WHERE key = 'shards'", [], |row| row.get(0))?;
        Ok(Self { connection: Mutex::new(connection), shards: shards as usize, known: RwLock::default() })
    }

    /// Number of shards, fixed when the store was created.
    pub(crate) const fn shards(&self) -> usize {
        self.shards
    }

    /// A number kept in the file.
    pub(crate) fn meta(&self, key: &str) -> Result<Option<i64>, rusqlite::Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
    }

    /// Keeps a number in the file.
    pub(crate) fn set_meta(&self, key: &str, value: i64) -> Result<(), rusqlite::Error> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute("INSERT OR REPLACE INTO meta VALUES(?1, ?2)", params![key, value])?;
        Ok(())
    }

    /// The shard of a root, if it ever had one. Reads the file only for a root that this process has not met.
    pub(crate) fn shard(&self, root: RootId) -> Result<Option<usize>, Failure> {
        if let Some(shard) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&root) {
            return Ok(Some(*shard));
        }
        let found: Option<u32> = {
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let mut statement = connection.prepare_cached("SELECT shard FROM root_shard WHERE root_id = ?1")?;
            statement.query_row([root.to_i64()], |row| row.get(0)).optional()?
        };
        let found = found.map(|shard| shard as usize);
        if let Some(shard) = found {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(root, shard);
        }
        Ok(found)
    }

    /// The shard of a root that may be new; a new one gets its shard durably. It keeps it even when it is removed.
    pub(crate) fn assign(&self, root: RootId) -> Result<usize, Failure> {
        if let Some(shard) = self.shard(root)? {
            return Ok(shard);
        }
        let shard = (root.0 % self.shards as u64) as i64;
        {
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            connection.execute("INSERT OR IGNORE INTO root_shard VALUES(?1, ?2)", params![root.to_i64(), shard])?;
        }
        Ok(self.shard(root)?.unwrap_or_default())
    }
}

/// Shards of one store.
const SHARDS_MAX: usize = 64;
