//! The choice of a store by its location: one line a store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use model::Random;
use store::Store;

/// A store that cannot be opened; the text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenStoreError {
    /// A scheme that no store has.
    #[error("no store speaks {0}: give a directory")]
    UnknownScheme(String),
    /// There is nothing, and nothing was to be made.
    #[error("there is no data in {0}: check the path, or begin with `highwater account add EMAIL --data {0}`")]
    Missing(String),
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

type Open = fn(&str, u64) -> Result<Arc<dyn Store>, OpenStoreError>;

/// Schemes, with what opens their locations. A location without a scheme is a directory of the first.
const STORES: &[(&str, Open)] = &[("sqlite", open_sqlite), ("memory", open_memory)];

/// Opens the store at `location`: a directory, or `scheme:rest`.
///
/// # Errors
/// When the scheme is unknown, when there is nothing and `missing` says so, or when the store fails.
pub fn open(location: &str, missing: Missing, random: &dyn Random) -> Result<Arc<dyn Store>, OpenStoreError> {
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
    open(rest, epoch)
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

fn open_memory(_: &str, epoch: u64) -> Result<Arc<dyn Store>, OpenStoreError> {
    Ok(Arc::new(store::memory::MemoryStore::new(epoch)))
}

fn open_sqlite(path: &str, epoch: u64) -> Result<Arc<dyn Store>, OpenStoreError> {
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
    }
}
