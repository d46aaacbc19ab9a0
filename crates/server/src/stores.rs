//! The choice of a store by its location: one line a store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use model::Random;
use store::Store;
use store_postgres::PostgresStore;
pub use store_postgres::Swept;

use crate::Config;

/// A store that cannot be opened; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// A scheme that no store has.
    #[error("no store speaks {0}: give a directory, or postgres://USER@HOST/DATABASE")]
    UnknownScheme(String),
    /// There is nothing, and nothing was to be made.
    #[error("there is no data in {0}: check the path, or begin with `highwater account add EMAIL --data {0}`")]
    Missing(String),
    /// An object store that has no database.
    #[error("--blobs goes with --data postgres://…: {0} keeps its large parts itself")]
    NoBlobs(String),
    /// The store says why.
    #[error("cannot open the data in {location}: {message}")]
    Failed {
        /// The location.
        location: String,
        /// Why.
        message: String,
    },
}

/// Whether a store may be made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// It is made.
    Make,
    /// It is an error.
    Refuse,
}

/// Snapshots of one shard at the same time; connections are opened as they are needed. More than requests and logins
/// that are worked on at the same time by default, so that one of them may hold two.
const READERS_MAX: usize = 128;

/// What a store is told besides where it is: for a database, all of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The address of the object store for large parts.
    pub blobs: Option<String>,
    /// For how long what nothing needs stays there.
    pub blobs_grace: Duration,
    /// How often it is swept.
    pub blobs_sweep_every: Option<Duration>,
    /// Sessions that read.
    pub readers: usize,
    /// Sessions that write.
    pub writers: usize,
    /// How long a call waits for a session or an answer.
    pub patience: Duration,
    /// How long opening waits for a database that cannot be reached.
    pub open_patience: Duration,
    /// Whether nodes tell each other what they have written.
    pub notify: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self::of(&Config::default(), None)
    }
}

impl Options {
    /// Those of the settings, with an object store.
    pub fn of(config: &Config, blobs: Option<String>) -> Self {
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            blobs,
            blobs_grace: Duration::from_secs(config.blob_grace_hours.saturating_mul(3_600)),
            blobs_sweep_every: match config.blob_sweep_minutes {
                0 => None,
                minutes => Some(Duration::from_secs(minutes.saturating_mul(60))),
            },
            readers: count(config.database_readers),
            writers: count(config.database_writers),
            patience: Duration::from_secs(config.database_patience_seconds),
            open_patience: Duration::from_secs(config.database_start_seconds),
            notify: config.database_notify,
        }
    }
}

/// Whether other nodes may work on the store at `location` at the same time.
pub fn is_shared(location: &str) -> bool {
    is_database(scheme(location).0)
}

type Open = fn(&str, &Options, u64) -> Result<Arc<dyn Store>, OpenStoreError>;

/// Schemes, with what opens their locations. A location without a scheme is a directory of the first.
const STORES: &[(&str, Open)] =
    &[("sqlite", open_sqlite), ("memory", open_memory), ("postgres", open_postgres), ("postgresql", open_postgres)];

/// Opens the store at `location`: a directory, `memory:`, or the URL of a database.
///
/// # Errors
/// When the scheme is unknown, when there is nothing and `missing` says so, or when the store fails.
pub fn open(location: &str, missing: Missing, random: &dyn Random) -> Result<Arc<dyn Store>, OpenStoreError> {
    open_with(location, &Options::default(), missing, random)
}

/// As [`open`], with an object store for large parts.
///
/// # Errors
/// As [`open`], and where the store has no use for one.
pub fn open_with(
    location: &str,
    options: &Options,
    missing: Missing,
    random: &dyn Random,
) -> Result<Arc<dyn Store>, OpenStoreError> {
    // Positions and epochs stay below 2^63, since stores keep them in signed columns.
    let epoch = random.number() >> 1;
    let (scheme, rest) = scheme(location);
    let Some((_, open)) = STORES.iter().find(|(name, _)| *name == scheme) else {
        return Err(OpenStoreError::UnknownScheme(scheme.to_owned()));
    };
    let absent = scheme == "sqlite" && std::fs::read_dir(rest).is_ok_and(|mut entries| entries.next().is_none());
    let absent = absent || scheme == "sqlite" && !Path::new(rest).exists();
    if absent && missing == Missing::Refuse {
        return Err(OpenStoreError::Missing(location.to_owned()));
    }
    open(if is_database(scheme) { location } else { rest }, options, epoch)
}

/// Removes what nothing needs from the object store of the database at `location`.
///
/// # Errors
/// As [`open_with`], and what the database or the object store says.
pub async fn sweep(location: &str, options: &Options, random: &dyn Random) -> Result<Swept, OpenStoreError> {
    if !is_database(scheme(location).0) || options.blobs.is_none() {
        let message = "there is no object store to sweep: give --data postgres://… and --blobs".to_owned();
        return Err(OpenStoreError::Failed { location: shown(location), message });
    }
    let swept = database(location, options, random.number() >> 1)?.sweep().await;
    swept.map_err(|error| OpenStoreError::Failed { location: shown(location), message: error.to_string() })
}

/// A location as it may be shown: of the URL of a database nothing that may be a secret.
pub fn shown(location: &str) -> String {
    if !is_database(scheme(location).0) {
        return location.to_owned();
    }
    let place = location.split('?').next().unwrap_or_default();
    match (place.split_once("://"), place.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => place.to_owned(),
    }
}

fn is_database(scheme: &str) -> bool {
    matches!(scheme, "postgres" | "postgresql")
}

/// The directory for files that a server on the store at `location` makes for a short time: beside the data, so that
/// they take room where there is some; that of the system where the data is in memory.
pub fn spool_directory(location: &str) -> PathBuf {
    match scheme(location) {
        ("sqlite", directory) => directory.into(),
        (_, _) => std::env::temp_dir(),
    }
}

/// Scheme and rest of a location.
fn scheme(location: &str) -> (&str, &str) {
    match location.split_once(':') {
        // One letter is a drive.
        Some((scheme, rest)) if scheme.len() > 1 && scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            (scheme, rest.trim_start_matches("//"))
        }
        Some(_) | None => ("sqlite", location),
    }
}

fn open_memory(_: &str, options: &Options, epoch: u64) -> Result<Arc<dyn Store>, OpenStoreError> {
    without_blobs("memory", options)?;
    Ok(Arc::new(store::memory::MemoryStore::new(epoch)))
}

fn without_blobs(what: &str, options: &Options) -> Result<(), OpenStoreError> {
    if options.blobs.is_some() { Err(OpenStoreError::NoBlobs(what.to_owned())) } else { Ok(()) }
}

fn open_postgres(url: &str, options: &Options, epoch: u64) -> Result<Arc<dyn Store>, OpenStoreError> {
    Ok(Arc::new(database(url, options, epoch)?))
}

fn database(url: &str, options: &Options, epoch: u64) -> Result<PostgresStore, OpenStoreError> {
    let failed =
        |error: &dyn std::fmt::Display| OpenStoreError::Failed { location: shown(url), message: error.to_string() };
    let blobs = options.blobs.as_deref().map(str::parse).transpose().map_err(|error| failed(&error))?;
    let options = store_postgres::Options {
        blobs,
        blobs_grace: options.blobs_grace,
        blobs_sweep_every: options.blobs_sweep_every,
        readers: options.readers,
        writers: options.writers,
        patience: options.patience,
        open_patience: options.open_patience,
        wake: if options.notify { store_postgres::Wake::Notify } else { store_postgres::Wake::Poll },
        ..store_postgres::Options::new(epoch)
    };
    PostgresStore::open(url, options).map_err(|error| failed(&error))
}

fn open_sqlite(path: &str, options: &Options, epoch: u64) -> Result<Arc<dyn Store>, OpenStoreError> {
    without_blobs(path, options)?;
    let options = store_sqlite::Options { readers: READERS_MAX, ..store_sqlite::Options::new(epoch) };
    match store_sqlite::SqliteStore::open(Path::new(path), options) {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(OpenStoreError::Failed { location: path.to_owned(), message: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let random = model::SeededRandom::new(1);
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none").display().to_string();
        let error = |location: &str| open(location, Missing::Refuse, &random).err().unwrap().to_string();
        assert!(error("http://x").contains("no store speaks http"));
        assert!(error(&missing).contains("there is no data in"));
        assert!(error(&dir.path().display().to_string()).contains("there is no data in"));
        assert!(open("memory:", Missing::Refuse, &random).is_ok());
        let blobs = |location: &str, blobs: &str| {
            let options = Options { blobs: Some(blobs.to_owned()), ..Options::default() };
            open_with(location, &options, Missing::Make, &random).err().unwrap().to_string()
        };
        for folder in [&missing, "memory:"] {
            assert!(blobs(folder, "file:///x/y").contains("--blobs goes with --data postgres://"));
        }
        let text = blobs("postgres://anna:secret@127.0.0.1:1/x?password=secret", "ftp://x/y?token=secret");
        assert!(text.contains("postgres://…@127.0.0.1:1/x: ftp://x/y: ftp:// is not known"), "{text}");
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn secrets_are_not_shown() {
        for (location, expected) in [
            ("/var/lib/highwater", "/var/lib/highwater"),
            ("postgres://anna:sec@ret@one,two:5433/name?password=x", "postgres://…@one,two:5433/name"),
            ("postgresql://one/name?user=anna&password=x", "postgresql://one/name"),
            ("postgres:nonsense", "postgres:nonsense"),
        ] {
            assert_eq!(shown(location), expected);
        }
    }
}
