//! The embedded store: SQLite files in one directory, the default store of Highwater.
//!
//! `control.db` says which root lies in which shard; `shard-N.db` holds the rows; `blobs/` the large parts as files. Each
//! shard has one writer thread with group commit and a few readers. Several processes may have the directory open: all
//! positions are taken from the root's row inside the writing transaction, and nothing about a root is kept in memory
//! but its shard, which never changes. This crate must not know a protocol or a business rule; no other crate knows
//! SQLite.

mod answer;
mod apply;
mod blobs;
mod control;
mod failure;
mod part_range;
mod poll;
mod readers;
mod rows;
mod schema;
mod snapshot;
mod stats;
mod transfer;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use model::{Guid, RootId, Rope, Seq};
use rusqlite::{Connection, OptionalExtension, params};
use store::{
    Commit, Page, PartChange, PartData, Receipt, RootRow, Snapshot, Store, StoreError, TransferRow, TransferTotals,
    Waiters, Write, check_load,
};

use blobs::{Blobs, Hash};
use control::{Control, Lock};
use failure::Failure;
use poll::Poll;
use readers::Readers;
use schema::{SHARD_STEPS, Use};
use snapshot::SqliteSnapshot;
use stats::Counters;
use writer::{Job, Outcome, Setting, Writer};

pub use stats::Stats;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Number of shard files, 1 to 64. Counts only when the store is created; afterwards the number is fixed.
    pub shards: usize,
    /// Connections that read at the same time, per shard. A snapshot keeps one busy.
    pub readers: usize,
    /// Whether an acknowledged commit survives a loss of power.
    pub synchronous: Synchronous,
    /// Parts of more bytes than this become files.
    pub blob_threshold_bytes: usize,
    /// A random number for this start of the store. Not used when another process has the store open already.
    pub epoch: u64,
}

impl Options {
    /// The usual options, with `epoch` for this start.
    pub const fn new(epoch: u64) -> Self {
        Self { shards: 4, readers: 4, synchronous: Synchronous::Full, blob_threshold_bytes: 64 << 10, epoch }
    }
}

/// Whether an acknowledged commit survives a loss of power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synchronous {
    /// It does.
    Full,
    /// It survives the end of the process only. For tests.
    Off,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A newer program wrote it. Use that one.
    #[error("the store has schema version {have}, this program knows up to {known}")]
    Newer {
        /// The version found.
        have: u32,
        /// The newest version known.
        known: u32,
    },
    /// It has to be brought up to date, which needs all other processes to have closed it. Close them and repeat.
    #[error("the store is of an older version and is open in another process")]
    Older,
    /// The directory cannot be used. Mend what the message says.
    #[error("the directory of the store cannot be used: {0}")]
    Directory(#[from] io::Error),
    /// A database file cannot be used. Mend what the message says, or put back a copy.
    #[error("a database file of the store cannot be used: {0}")]
    Database(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        Self::Database(StoreError::from(failure).to_string())
    }
}

/// See the crate. Dropping it waits until everything queued is written.
#[derive(Debug)]
pub struct SqliteStore {
    shards: Vec<Shard>,
    control: Arc<Control>,
    waiters: Waiters,
    poll: Poll,
    blobs: Arc<Blobs>,
    counters: Arc<Counters>,
    blob_threshold_bytes: usize,
    lock: Mutex<Lock>,
}

#[derive(Debug)]
struct Shard {
    writer: Writer,
    readers: Arc<Readers>,
}

/// Keys of numbers in the control file.
const EPOCH: &str = "epoch";
/// Not 0 while the store is open, and after it was not closed properly.
const OPEN: &str = "open";

impl SqliteStore {
    /// Opens the store in `directory`, which is created when it is not there. The first process that opens it starts a
    /// new epoch, and clears up after one that was not closed properly; that costs the files of large parts.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        fs::create_dir_all(directory)?;
        let mut lock = Lock::take(directory)?;
        let control = Arc::new(Control::open(directory, &options, lock.exclusive)?);
        let blobs = Arc::new(Blobs::new(directory, options.synchronous));
        if lock.exclusive {
            prepare(directory, &options, &control, &blobs)?;
        }
        lock.share()?;
        let epoch = control.meta(EPOCH)?.unwrap_or_default().cast_unsigned();
        let counters = Arc::<Counters>::default();
        let waiters = Waiters::default();
        let mut shards = Vec::with_capacity(control.shards());
        for number in 0..control.shards() {
            let path = shard_path(directory, number);
            let setting = Setting {
                path: path.clone(),
                synchronous: options.synchronous,
                blob_threshold_bytes: options.blob_threshold_bytes,
                epoch,
                blobs: Arc::clone(&blobs),
                counters: Arc::clone(&counters),
                waiters: waiters.clone(),
            };
            let writer = Writer::start(setting)?;
            let readers = Arc::new(Readers::new(path, options.synchronous, options.readers));
            shards.push(Shard { writer, readers });
        }
        let paths = (0..control.shards()).map(|number| shard_path(directory, number)).collect();
        let poll = Poll::new(waiters.clone(), Arc::clone(&control), paths, options.synchronous);
        let (blob_threshold_bytes, lock) = (options.blob_threshold_bytes, Mutex::new(lock));
        Ok(Self { shards, control, waiters, poll, blobs, counters, blob_threshold_bytes, lock })
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    fn shard(&self, number: usize) -> Result<&Shard, Failure> {
        let shard = self.shards.get(number);
        Ok(shard.ok_or_else(|| StoreError::Corrupt(format!("there is no shard {number}")))?)
    }

    /// The shard of a root that may be there.
    fn shard_of(&self, root: RootId) -> Result<Option<&Shard>, Failure> {
        self.control.shard(root)?.map(|number| self.shard(number)).transpose()
    }

    /// Puts the large ones of these parts into files and returns their hashes, in order.
    fn put_blobs<'a>(&self, root: RootId, parts: impl Iterator<Item = &'a Rope>) -> Result<Vec<Hash>, Failure> {
        let mut hashes = Vec::new();
        for bytes in parts.filter(|bytes| bytes.len() > self.blob_threshold_bytes) {
            let hash = blobs::hash_rope(bytes)?;
            self.blobs.put(root, &hash, bytes)?;
            hashes.push(hash);
        }
        Ok(hashes)
    }

    fn queue(&self, commit: Commit) -> Result<answer::Waiting<Outcome>, Failure> {
        commit.check()?;
        let shard = match commit.create_root {
            Some(_) => Some(self.shard(self.control.assign(commit.root)?)?),
            None => self.shard_of(commit.root)?,
        };
        let shard = shard.ok_or(StoreError::NoRoot(commit.root))?;
        let hashes = self.put_blobs(commit.root, commit.writes.iter().flat_map(parts).map(|part| &part.bytes))?;
        Ok(shard.writer.send(Job::Commit(commit, hashes))?)
    }

    fn queue_load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<answer::Waiting<Outcome>, Failure> {
        check_load(&rows)?;
        let shard = self.shard(self.control.assign(root.root)?)?;
        let parts = rows.iter().filter_map(|row| match row {
            TransferRow::Part { bytes, .. } => Some(bytes),
            TransferRow::Epoch { .. }
            | TransferRow::Tick { .. }
            | TransferRow::Collection(_)
            | TransferRow::Span { .. }
            | TransferRow::Item(_)
            | TransferRow::Tombstone { .. }
            | TransferRow::Name { .. }
            | TransferRow::Key { .. }
            | TransferRow::Operation { .. } => None,
        });
        let hashes = self.put_blobs(root.root, parts)?;
        Ok(shard.writer.send(Job::Load(root.clone(), rows, hashes))?)
    }

    fn view(&self, root: RootId, loading: bool) -> Result<Box<dyn Snapshot>, StoreError> {
        let shard = self.shard_of(root)?.ok_or(StoreError::NoRoot(root))?;
        Ok(Box::new(SqliteSnapshot::begin(&shard.readers, &self.blobs, &self.counters, root, loading)?))
    }
}

/// What a write that was queued came to.
async fn written(waiting: answer::Waiting<Outcome>) -> Outcome {
    waiting.await.unwrap_or_else(|| Err(StoreError::OutcomeUnknown("the writer of the shard has ended".to_owned())))
}

fn shard_path(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("shard-{number}.db"))
}

/// The parts that a write carries, in order.
fn parts(write: &Write) -> impl Iterator<Item = &PartData> {
    let (new, changed): (&[PartData], &[PartChange]) = match write {
        Write::CreateItem(item) => (&item.parts, &[]),
        Write::UpdateItem(change) => (&[], &change.parts),
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::DeleteItem { .. }
        | Write::MarkItem { .. }
        | Write::MoveItem { .. }
        | Write::CopyItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => (&[], &[]),
    };
    new.iter().chain(changed.iter().filter_map(|change| match change {
        PartChange::Put(part) => Some(part),
        PartChange::Remove(_) | PartChange::Clear => None,
    }))
}

/// What the first process does while nobody else has the store open.
fn prepare(directory: &Path, options: &Options, control: &Control, blobs: &Blobs) -> Result<(), OpenError> {
    blobs.create()?;
    let mut shards = Vec::with_capacity(control.shards());
    for number in 0..control.shards() {
        let connection = schema::connect(&shard_path(directory, number), options.synchronous, Use::Write)?;
        schema::upgrade(&connection, SHARD_STEPS)?;
        if let Err(failure) = finish_removals(&connection) {
            let error = StoreError::from(failure);
            tracing::warn!(%error, number, "what is left of a removed root could not be removed");
        }
        shards.push(connection);
    }
    if options.synchronous == Synchronous::Full {
        blobs::sync_directory(directory)?;
        if let Some(parent) = directory.canonicalize()?.parent() {
            blobs::sync_directory(parent)?;
        }
    }
    if control.meta(OPEN)?.unwrap_or_default() != 0 {
        sweep_orphans(control, blobs, &shards)?;
    }
    control.set_meta(OPEN, 1)?;
    control.set_meta(EPOCH, options.epoch.cast_signed())?;
    Ok(())
}

/// Removes what is left of roots whose removal was cut off.
fn finish_removals(shard: &Connection) -> Result<(), Failure> {
    for root in apply::unfinished_removals(shard)? {
        loop {
            let transaction = shard.unchecked_transaction()?;
            let more = apply::drop_root(&transaction, root)?;
            transaction.commit()?;
            if !more {
                break;
            }
        }
    }
    Ok(())
}

/// Removes files of large parts that nothing refers to.
fn sweep_orphans(control: &Control, blobs: &Blobs, shards: &[Connection]) -> Result<(), Failure> {
    let removed = blobs.sweep(|root, hash| {
        let Some(shard) = control.shard(root)?.and_then(|number| shards.get(number)) else { return Ok(false) };
        let mut statement =
            shard.prepare_cached("SELECT 1 FROM blob_ref WHERE root_id = ?1 AND hash = ?2 AND refs > 0")?;
        let found = statement.query_row(params![root.to_i64(), hash], |_| Ok(())).optional()?;
        Ok(found.is_some())
    })?;
    for shard in shards {
        shard.execute("DELETE FROM blob_ref WHERE refs = 0", [])?;
    }
    if removed > 0 {
        tracing::info!(removed, "removed files that an earlier end left behind");
    }
    Ok(())
}

#[async_trait]
impl Store for SqliteStore {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.view(root, false)
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let waiting = self.queue(commit)?;
        written(waiting).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        let Some(shard) = self.shard_of(root)? else { return Ok(None) };
        let Some(bytes) = snapshot::outcome(&shard.readers, root, operation.0)? else { return Ok(None) };
        let receipt = store::receipt::decode(&bytes);
        receipt.map(Some).ok_or_else(|| StoreError::Corrupt(format!("the receipt of operation {operation}")))
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        let mut rows = Vec::new();
        for shard in &self.shards {
            rows.extend(snapshot::roots(&shard.readers, &self.counters, after, limit)?);
        }
        rows.sort_by_key(|row| row.root);
        Ok(snapshot::page(rows, limit))
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let stats = self.stats();
        vec![("transactions", stats.groups), ("commits", stats.commits), ("rows_read", stats.rows_read)]
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        let Some(shard) = self.shard_of(root)? else { return Ok(()) };
        loop {
            let waiting = shard.writer.send(Job::DropRoot(root))?;
            if written(waiting).await?.write(0).rows == 0 {
                return Ok(());
            }
        }
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        let shard = self.shard_of(root)?.ok_or(StoreError::NoRoot(root))?;
        let listener = self.waiters.listen(root, after);
        let last_seq = snapshot::last_seq(&shard.readers, &self.counters, root)?;
        if last_seq > after {
            return Ok(last_seq);
        }
        self.poll.run()?;
        listener.await.ok_or(StoreError::NoRoot(root))
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        let waiting = self.queue_load(root, rows)?;
        written(waiting).await.map(|_| ())
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.view(root, true)
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        let shard = self.shard_of(root.root)?.ok_or(StoreError::NoRoot(root.root))?;
        let waiting = shard.writer.send(Job::Publish(root.clone(), totals))?;
        written(waiting).await.map(|_| ())
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        for shard in self.shards.drain(..) {
            shard.writer.finish();
        }
        if self.lock.get_mut().unwrap_or_else(PoisonError::into_inner).try_exclusive() {
            // Should this fail, the next start clears up for nothing.
            let _ = self.control.set_meta(OPEN, 0);
        }
    }
}

#[cfg(test)]
mod tests;
