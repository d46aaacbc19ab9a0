//! The store past one machine: one database that speaks PostgreSQL's protocol behind any number of nodes.
//!
//! The same tables and the same answers as the embedded store. A node keeps nothing that another needs: every position
//! comes from the root's row, inside of the transaction that writes. Consensus, replication and fail-over are the
//! engine's; what this crate adds is never to say more than the engine said, and to give tokens of a lost history away
//! by their epoch. This crate must not know a protocol or a business rule; no other crate knows tokio-postgres.
//!
//! # The URL
//! `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?PARAMETER=VALUE&…`, as libpq reads it. Of several hosts the
//! first that takes writes is used, so the members of a cluster can all be named. Parameters:
//!
//! - `sslmode`: `disable`, `prefer` (as libpq, the default), `require`, `verify-ca`, `verify-full`; `sslrootcert`: a file
//!   of roots in PEM, or `system` (the default where roots are needed). With `sslrootcert`, `require` means `verify-ca`.
//! - `options`, for instance `-c search_path=NAME` (with `%20` and `%3D`): a schema of its own for this store.
//! - `connect_timeout` (seconds a host, 5), `tcp_user_timeout` (15), `keepalives_idle` (10), `keepalives_interval` (3),
//!   `keepalives_retries` (3), `application_name` (`highwater`), `channel_binding`, `load_balance_hosts`, `hostaddr`.
//! - `target_session_attrs`: `read-write` (the default), or `any` for engines that do not say whether they take writes.
//!
//! Anything else is refused by name.

mod address;
mod apply;
mod background;
mod copying;
mod doubt;
mod failure;
mod flight;
mod flush;
mod known;
mod large;
mod load;
mod news;
mod objects;
mod parts;
mod plan;
mod removal;
mod rows;
mod schema;
mod session;
mod snapshot;
mod statements;
mod stats;
mod steps;
mod sweep;
mod tables;
mod transaction;
mod transfer;
mod wake;
mod writer;

use std::{fmt, io, sync::Arc, time::Duration};

use async_trait::async_trait;
use blobs::{BlobError, Blobs};
use model::{Guid, RootId, Seq};
use store::{Commit, Page, Receipt, RootRow, Snapshot, Store, StoreError, TransferRow, TransferTotals, Unready};

use address::Address;
use background::Background;
use copying::Load;
use news::Moved;
use schema::{Meta, STEPS, Step};
use session::Sessions;
use snapshot::{PostgresSnapshot, Shown};
use statements::{reads, writes};
use stats::Counters;
use sweep::Sweeper;
use transaction::Transactions;
use wake::Wakes;
use writer::Writer;

pub use blobs::{Address as BlobsAddress, Settings as BlobsPatience};
pub use plan::{Engine, plan};
pub use stats::Stats;
pub use sweep::Swept;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sessions that read at the same time. A snapshot keeps one busy.
    pub readers: usize,
    /// Sessions that write at the same time, each for one root.
    pub writers: usize,
    /// How long a call waits: for a free session, or for the database to answer.
    pub patience: Duration,
    /// How long opening waits for a database that cannot be reached.
    pub open_patience: Duration,
    /// Parts of more bytes than this are kept apart from the rows of their items.
    pub blob_threshold_bytes: usize,
    /// An object store for large parts. Without, they are rows of the database. Those that were written before stay where
    /// they are.
    pub blobs: Option<BlobsAddress>,
    /// For how long the object store is waited for.
    pub blobs_patience: BlobsPatience,
    /// For how long an object stays after nothing refers to it, and one that no row names; two hours at least.
    pub blobs_grace: Duration,
    /// How long after one sweep of the object store another one is begun, by whichever node; without, this one never does.
    pub blobs_sweep_every: Option<Duration>,
    /// How nodes learn of what others wrote.
    pub wake: Wake,
    /// A random number, given to the database when it is new.
    pub epoch: u64,
}

impl Options {
    /// The usual options, with `epoch` for a database that is new.
    pub const fn new(epoch: u64) -> Self {
        Self {
            readers: 12,
            writers: 4,
            patience: Duration::from_secs(10),
            open_patience: Duration::from_secs(30),
            blob_threshold_bytes: 64 << 10,
            blobs: None,
            blobs_patience: BlobsPatience::new(),
            blobs_grace: Duration::from_secs(24 * 3_600),
            blobs_sweep_every: Some(Duration::from_secs(3_600)),
            wake: Wake::Notify,
            epoch,
        }
    }
}

/// How nodes learn of what others wrote, for [`Store::changed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Every commit notifies, and one session a node listens. PostgreSQL lets transactions that notify commit one after
    /// the other, whatever root they write.
    Notify,
    /// A look every second at the roots that somebody waits for: for engines without NOTIFY, and behind poolers that give
    /// a session to others between transactions.
    Poll,
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of a database. Correct it; the message does not repeat it, it may have a password in it.
    #[error("the URL of the database cannot be used: {0}")]
    Address(String),
    /// A newer program changed the database in a way that this one does not understand. Use that one.
    #[error("the database has schema version {have} and needs a program of version {needs}, this one is {known}")]
    Newer {
        /// The version found.
        have: u32,
        /// The oldest version of programs that may work on it.
        needs: u32,
        /// The version of this program.
        known: u32,
    },
    /// The database cannot be reached or does not let us in. Mend what the message says.
    #[error("the database cannot be used: {0}")]
    Database(String),
    /// The object store cannot be used. Mend what the message says.
    #[error("large parts: {0}")]
    Blobs(String),
    /// The system gives no threads.
    #[error("no threads for the store: {0}")]
    Threads(#[from] io::Error),
}

/// How long an object store is waited for by whoever asks whether this node is ready.
const BLOBS_CHECK_PATIENCE: Duration = Duration::from_secs(2);

/// What is said where the database has an object store and this node was not told of it.
pub(crate) const NO_BLOBS: &str = "this database keeps large parts in an object store: give its address with --blobs";

/// See the crate. Dropping it ends what is under way on its threads without waiting for it.
pub struct PostgresStore {
    readers: Arc<Sessions>,
    writers: Arc<Sessions>,
    writer: Writer,
    transactions: Arc<Transactions>,
    /// Parts of more bytes than this are kept apart from the rows of their items.
    threshold: usize,
    wakes: Wakes,
    blobs: Option<Blobs>,
    sweeper: Option<Arc<Sweeper>>,
    counters: Arc<Counters>,
    patience: Duration,
    known: u32,
}

impl PostgresStore {
    /// Opens the store behind `url`: brings the database up to date when it is new or older, once however many nodes do
    /// so at the same time. Keeps the calling thread meanwhile; may be called inside of a runtime.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(url: &str, options: Options) -> Result<Self, OpenError> {
        Self::open_with(url, &options, STEPS)
    }

    /// As [`Self::open`], as a program that knows these steps.
    pub(crate) fn open_with(url: &str, options: &Options, steps: &'static [Step]) -> Result<Self, OpenError> {
        let address = address::parse(url)?;
        let background = Background::start()?;
        let (to, epoch, patience) = (address.clone(), options.epoch.cast_signed(), options.open_patience);
        let migrated = background.wait(async move { schema::migrate(&to, steps, epoch, patience).await });
        let meta = migrated.ok_or_else(|| io::Error::other("a task ended early"))??;
        let blobs = match &options.blobs {
            Some(place) => Some(claim((place, options.blobs_patience), &address, meta, &background)?),
            None => None,
        };
        let counters = Arc::<Counters>::default();
        let known = steps.len() as u32;
        let sessions = |number, warm| {
            let made =
                Sessions::new(address.clone(), &background, &counters, number, warm, options.patience / 2, known);
            made.map(Arc::new)
        };
        let readers = sessions(options.readers, reads::HOT.iter().map(|hot| hot.text).collect())?;
        let writers = sessions(options.writers, writes::WARM.to_vec())?;
        let wakes = Wakes::new(address.clone(), &readers, options.patience, options.wake);
        let others = match options.wake {
            Wake::Notify => Some(&readers),
            Wake::Poll => None,
        };
        let moved = Moved::new(wakes.waiters().clone(), others);
        let patience = options.patience;
        let transactions = Transactions::new(
            Arc::clone(&writers),
            patience,
            blobs.clone(),
            Arc::clone(&counters),
            moved,
            options.epoch,
        );
        let sweeper = blobs.clone().map(|blobs| {
            let (sessions, grace) = (Arc::clone(&writers), options.blobs_grace);
            Arc::new(Sweeper { blobs, sessions, patience, grace })
        });
        if let Some((sweeper, every)) = sweeper.as_ref().zip(options.blobs_sweep_every) {
            Sweeper::run(sweeper, every);
        }
        let (transactions, threshold) = (Arc::new(transactions), options.blob_threshold_bytes);
        let writer = Writer::new(Arc::clone(&transactions), threshold);
        writer.finish_removals();
        Ok(Self { readers, writers, writer, transactions, threshold, wakes, blobs, sweeper, counters, patience, known })
    }

    /// What the store has done since it was opened.
    pub fn stats(&self) -> Stats {
        self.counters.stats()
    }

    /// Removes objects that nothing needs any more; nothing where there is no object store. Costs one request of it for
    /// each thousand objects, and statements for those that may go. Nodes do it by themselves from time to time.
    ///
    /// # Errors
    /// [`StoreError::TryAgain`]; what was done stays done.
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        match &self.sweeper {
            Some(sweeper) => Ok(sweeper.sweep().await?),
            None => Ok(Swept::default()),
        }
    }

    async fn view(&self, root: RootId, shown: Shown) -> Result<Box<dyn Snapshot>, StoreError> {
        let (blobs, patience) = (self.blobs.as_ref(), self.patience);
        let begun = PostgresSnapshot::begin(&self.readers, &self.counters, blobs, patience, (root, shown)).await?;
        Ok(Box::new(begun))
    }

    /// Runs something that writes on the store's own threads, to its end even when nobody waits for it any more.
    async fn apart<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.readers.background().spawn(task).await;
        done.unwrap_or_else(|error| Err(StoreError::OutcomeUnknown(error.to_string())))
    }

    /// Whether the database answers, and this program may work on it; what it says of itself.
    async fn check_database(&self) -> Result<Meta, StoreError> {
        let meta = Meta::read(&snapshot::once(&self.readers, self.patience, schema::META, &[]).await?)?;
        if meta.works_for > self.known || meta.version < self.known {
            let version = meta.version;
            return Err(StoreError::TryAgain(format!("the database has schema version {version}")));
        }
        Ok(meta)
    }
}

/// Opens an object store and makes sure that it is the one of this database.
fn claim(
    (place, patience): (&BlobsAddress, BlobsPatience),
    address: &Address,
    meta: Meta,
    background: &Arc<Background>,
) -> Result<Blobs, OpenError> {
    let unusable = |error: &dyn fmt::Display| OpenError::Blobs(error.to_string());
    let opened = Blobs::open(place, patience, background.handle().clone());
    let opened = opened.map_err(|error| unusable(&error))?;
    let (claimed, address) = (opened.clone(), address.clone());
    let done = background.wait(async move {
        claimed.claim(&format!("{:016x}", meta.identity), !meta.has_blobs).await.map_err(|error| unusable(&error))?;
        if meta.has_blobs { Ok(()) } else { schema::note_blobs(&address).await }
    });
    done.ok_or_else(|| io::Error::other("a task ended early"))??;
    Ok(opened)
}

/// Begins a new stretch of history in the database behind `url`, after a copy of it was put back by means that leave no
/// trace in it: tokens that were given for what the copy lacks are refused from then on. To be called while no node works on
/// it: what has a session already does not notice. `epoch` is a random number.
///
/// # Errors
/// See [`OpenError`].
pub fn restored(url: &str, epoch: u64) -> Result<(), OpenError> {
    let address = address::parse(url)?;
    let background = Background::start()?;
    let done = background.wait(async move { schema::restored(&address, epoch.cast_signed()).await });
    done.ok_or_else(|| io::Error::other("a task ended early"))?
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("readers", &self.readers).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.view(root, Shown::ToAll).await
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        self.writer.commit(commit).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        self.writer.outcome(root, operation).await
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        let rows = snapshot::roots(&self.readers, &self.counters, self.patience, after, limit).await?;
        Ok(snapshot::page(rows, limit))
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        self.writer.drop_root(root).await
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        let listener = self.wakes.waiters().listen(root, after);
        let rows = snapshot::once(&self.readers, self.patience, reads::LAST_SEQ, &[&root.to_i64()]).await?;
        self.counters.read(1, rows.len());
        let last_seq = wake::last_seq(root, rows.first())?;
        if last_seq > after {
            return Ok(last_seq);
        }
        self.wakes.run();
        listener.await.ok_or(StoreError::NoRoot(root))
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        let (transactions, root, threshold) = (Arc::clone(&self.transactions), root.clone(), self.threshold);
        let task = async move {
            let load = Load::prepare(&transactions, &root, rows, threshold).await?;
            load.write(&transactions).await
        };
        self.apart(task).await
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        self.view(root, Shown::ToNobody).await
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        let (transactions, root) = (Arc::clone(&self.transactions), root.clone());
        self.apart(async move { copying::publish(&transactions, &root, totals).await }).await
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        self.stats().figures()
    }

    async fn check(&self) -> Result<(), Unready> {
        let unready = |part| move |error: StoreError| Unready { part, reason: error.to_string() };
        let meta = self.check_database().await.map_err(unready("database"))?;
        match &self.blobs {
            // Its silence is no reason to take every node away from those who need no large parts; that it is not ours is.
            Some(blobs) => match self.readers.background().within(BLOBS_CHECK_PATIENCE, blobs.check()).await {
                Some(Err(error @ BlobError::Foreign(_))) => Err(unready("object store")(error.into())),
                Some(Ok(())) => Ok(()),
                Some(Err(_)) | None => {
                    tracing::warn!(store = blobs.shown(), "large parts cannot be read or written now");
                    Ok(())
                }
            },
            None if meta.has_blobs => Err(Unready { part: "object store", reason: NO_BLOBS.to_owned() }),
            None => Ok(()),
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.readers.close();
        self.writers.close();
    }
}

#[cfg(test)]
mod tests;
