//! Large parts in an object store: S3 and what speaks its protocol, Azure, Google Cloud Storage, or a local folder.
//!
//! An object is written once, under a name that nothing else ever had (`ROOT/HASH-NONCE`), and never changed. So a
//! request that arrives late harms nothing: a second writing writes the same bytes, and a second removal removes nothing
//! that is in use. The row that names an object also holds the SHA-256 of each MiB of it ([`Pieces`]), so that ranges are
//! checked without reading the whole: what is passed on is what was stored, or an error.
//!
//! The order is: the object first ([`Blobs::put`] returns when it stands there whole), then the row. What a crash leaves
//! between the two is found by [`Blobs::walk`]; who keeps the rows decides what may go ([`Blobs::delete`]).
//!
//! Futures work under any executor: all that waits for the network runs on the runtime that [`Blobs::open`] is given.

mod counts;
mod digest;
mod failure;
mod name;
mod owner;
mod place;
mod put;
mod range;
mod walk;

use std::{fmt, future::Future, path::PathBuf, sync::Arc, time::Duration};

use object_store::{ObjectStore, path::Path};
use tokio::{runtime::Handle, sync::Semaphore, task::JoinHandle, time};

pub use counts::Counts;
pub use digest::{Hash, PIECE_BYTES, Pieces, hash_rope};
pub use failure::{BlobError, OpenError};
pub use name::ObjectName;
pub use place::Address;
pub use put::Stored;
pub use range::Reader;
pub use walk::{Listed, Walk};

use counts::Counters;

/// How often an operation is tried in all, each time with the repetitions that the client of the store makes by itself.
const ATTEMPTS_MAX: u32 = 3;
/// How long the first pause between two attempts is; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Uploads at the same time; others wait for their turn. Each has 15 MiB in memory.
const UPLOADS_MAX: usize = 16;
/// Repetitions of one request where the store is busy (503) or the connection broke.
const REPEATS_MAX: usize = 5;

/// For how long an object store is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For one request, its body included.
    pub request: Duration,
    /// For reading a range, removing and listing, with all repetitions.
    pub read_patience: Duration,
    /// For storing one part, with all repetitions. Far below the grace after which an object without a row is removed.
    pub write_patience: Duration,
}

impl Settings {
    /// The usual ones: half a minute, a minute, five minutes.
    pub const fn new() -> Self {
        Self {
            request: Duration::from_secs(30),
            read_patience: Duration::from_secs(60),
            write_patience: Duration::from_secs(300),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// An object store, or a folder in its place. A clone is another handle to the same.
#[derive(Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
    runtime: Handle,
}

impl fmt::Debug for Blobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Blobs").field(&self.inner.shown).finish()
    }
}

struct Inner {
    objects: Arc<dyn ObjectStore>,
    /// What stands before every name inside the bucket.
    prefix: Path,
    /// The folder, where it is one.
    folder: Option<PathBuf>,
    /// The address without secrets.
    shown: String,
    settings: Settings,
    counters: Counters,
    owner: owner::Owner,
    uploads: Semaphore,
}

impl Blobs {
    /// The object store at an address. Makes the folder of `file://`; speaks to no network. Everything that waits later
    /// runs on `runtime`.
    ///
    /// # Errors
    /// [`OpenError`] says what is wrong with the address and what to do.
    pub fn open(address: &Address, settings: Settings, runtime: Handle) -> Result<Self, OpenError> {
        let place = place::open(address, &settings)?;
        let inner = Inner {
            objects: place.objects,
            prefix: place.prefix,
            folder: place.folder,
            shown: place.shown,
            settings,
            counters: Counters::default(),
            owner: owner::Owner::default(),
            uploads: Semaphore::new(UPLOADS_MAX),
        };
        Ok(Self { inner: Arc::new(inner), runtime })
    }

    /// The address without parameters and secrets, to be shown.
    pub fn shown(&self) -> &str {
        &self.inner.shown
    }

    /// What was done since the opening.
    pub fn counts(&self) -> Counts {
        self.inner.counters.counts()
    }

    /// Runs a task where there is a network, and waits for it at most so long. `Kept` goes on when nobody waits any more.
    async fn run<T: Send + 'static>(
        &self,
        patience: Duration,
        abandoned: Abandoned,
        task: impl Future<Output = Result<T, BlobError>> + Send + 'static,
    ) -> Result<T, BlobError> {
        let shown = self.inner.shown.clone();
        let timed = async move {
            match time::timeout(patience, task).await {
                Ok(result) => result,
                Err(_) => {
                    Err(BlobError::Unavailable(format!("{shown}: no answer within {} s", patience.as_secs_f32())))
                }
            }
        };
        let result = match abandoned {
            Abandoned::Kept => self.runtime.spawn(timed).await,
            Abandoned::Ended => (&mut Ending(self.runtime.spawn(timed)).0).await,
        };
        match result {
            Ok(result) => result,
            Err(error) => Err(BlobError::Unavailable(format!("{}: {error}", self.inner.shown))),
        }
        .inspect_err(|error| self.inner.failed(error))
    }
}

impl Inner {
    /// Where an object lies.
    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.child(part))
    }

    fn failed(&self, error: &BlobError) {
        self.counters.failures.add(1);
        tracing::warn!(store = %self.shown, %error, "object store");
    }

    /// Waits before attempt number `attempt`, counted from 0.
    async fn pause(&self, attempt: u32) {
        if attempt > 0 {
            self.counters.repeats.add(1);
            time::sleep(PAUSE * (1 << attempt.min(ATTEMPTS_MAX).saturating_sub(1))).await;
        }
    }
}

/// What becomes of a task that nobody waits for any more.
enum Abandoned {
    /// It goes on: half of an upload is of less use than the whole.
    Kept,
    /// It ends.
    Ended,
}

/// Ends a task when it is dropped.
struct Ending<T>(JoinHandle<T>);

impl<T> Drop for Ending<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
