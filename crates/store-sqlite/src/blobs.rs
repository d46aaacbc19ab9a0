//! The files of large parts: `blobs/ab/cdef….ROOT`, named by the SHA-256 of their content and by their root.
//!
//! A file is on the medium before the commit that refers to it is written, and is removed only by a holder of the
//! shard's write lock, some time after the last reference went: a snapshot that still knows the part can read it. What
//! a crash leaves behind is found by [`Blobs::sweep`].

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use model::{RootId, Rope, Time};
use sha2::{Digest, Sha256};
use store::StoreError;

use crate::{Synchronous, failure::Failure};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// For how long a file stays after its last reference went: longer than any snapshot is held.
pub(crate) const GRACE_TICKS: i64 = 3_600 * Time::SECOND;

const DIRECTORY: &str = "blobs";

/// The directory of large parts.
#[derive(Debug)]
pub(crate) struct Blobs {
    directory: PathBuf,
    synchronous: Synchronous,
    /// Makes the names of temporary files differ inside this process.
    written: AtomicU64,
}

/// The hash under which content is kept.
pub(crate) fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// The hash of content that need not lie in memory. Costs reading it.
pub(crate) fn hash_rope(rope: &Rope) -> io::Result<Hash> {
    let mut hasher = Sha256::new();
    for chunk in rope.chunks() {
        hasher.update(&chunk?);
    }
    Ok(hasher.finalize().into())
}

impl Blobs {
    /// The directory of large parts inside `directory`.
    pub(crate) fn new(directory: &Path, synchronous: Synchronous) -> Self {
        Self { directory: directory.join(DIRECTORY), synchronous, written: AtomicU64::new(0) }
    }

    /// Creates the directories that files lie in.
    pub(crate) fn create(&self) -> io::Result<()> {
        if self.directory.join("ff").is_dir() {
            return Ok(());
        }
        for first in 0..=u8::MAX {
            fs::create_dir_all(self.directory.join(hex(&[first])))?;
        }
        self.sync(&self.directory)
    }

    /// Makes sure that the content is on the medium. Writes nothing where it is already.
    pub(crate) fn put(&self, root: RootId, hash: &Hash, content: &Rope) -> io::Result<()> {
        let (directory, path) = self.place(root, hash);
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == content.len() as u64);
        if !there {
            let number = self.written.fetch_add(1, Ordering::Relaxed);
            let temporary = directory.join(format!("new-{}-{number}", process::id()));
            let result = self.write(&temporary, content).and_then(|()| fs::rename(&temporary, &path));
            if let Err(error) = result {
                let _ = fs::remove_file(&temporary);
                return Err(error);
            }
        }
        // Also where the file was there: who renamed it may not have come to this line.
        self.sync(&directory)
    }

    fn write(&self, path: &Path, content: &Rope) -> io::Result<()> {
        let mut file = File::create_new(path)?;
        for chunk in content.chunks() {
            file.write_all(&chunk?)?;
        }
        if self.synchronous == Synchronous::Full { file.sync_all() } else { Ok(()) }
    }

    fn sync(&self, directory: &Path) -> io::Result<()> {
        if self.synchronous == Synchronous::Full { sync_directory(directory) } else { Ok(()) }
    }

    /// The content of a file.
    pub(crate) fn get(&self, root: RootId, hash: &Hash) -> Result<Bytes, Failure> {
        let (_, path) = self.place(root, hash);
        let bytes = fs::read(&path).map_err(|error| unreadable(&path, &error))?;
        if self::hash(&bytes) == *hash { Ok(bytes.into()) } else { Err(mismatch(&path)) }
    }

    /// The content of a file, to be read in pieces. Reads the whole once, in constant memory, to see that it is what its
    /// name says, unless `checked`.
    pub(crate) fn open(&self, root: RootId, hash: &Hash, checked: bool) -> Result<File, Failure> {
        let (_, path) = self.place(root, hash);
        let mut file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        if !checked {
            let mut hasher = Sha256::new();
            io::copy(&mut file, &mut hasher)?;
            if Hash::from(hasher.finalize()) != *hash {
                return Err(mismatch(&path));
            }
        }
        Ok(file)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, root: RootId, hash: &Hash) -> io::Result<()> {
        match fs::remove_file(self.place(root, hash).1) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes every file for which `is_used` is false, and unfinished ones. Only while nobody else has the store open.
    /// Costs the files there are. Returns how many were removed.
    pub(crate) fn sweep(
        &self,
        mut is_used: impl FnMut(RootId, &Hash) -> Result<bool, Failure>,
    ) -> Result<u64, Failure> {
        let mut removed = 0;
        for first in 0..=u8::MAX {
            let prefix = hex(&[first]);
            for entry in fs::read_dir(self.directory.join(&prefix))? {
                let entry = entry?;
                let name = entry.file_name();
                let used = match name.to_str().and_then(|name| parse(&prefix, name)) {
                    Some((root, hash)) => is_used(root, &hash)?,
                    None => name.to_str().is_none_or(|name| !name.starts_with("new-")),
                };
                if !used {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }

    fn place(&self, root: RootId, hash: &Hash) -> (PathBuf, PathBuf) {
        let name = hex(hash);
        let (first, rest) = name.split_at(2);
        let directory = self.directory.join(first);
        let path = directory.join(format!("{rest}.{root}"));
        (directory, path)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    if error.kind() == ErrorKind::NotFound {
        StoreError::Corrupt(format!("the file {} is missing", path.display()))
    } else {
        StoreError::TryAgain(error.to_string())
    }
}

fn mismatch(path: &Path) -> Failure {
    StoreError::Corrupt(format!("the content of {} does not match its name", path.display())).into()
}

/// Brings the entries of a directory to the medium, where the system needs to be told.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Root and hash of a file name.
fn parse(prefix: &str, name: &str) -> Option<(RootId, Hash)> {
    let (rest, root) = name.split_once('.')?;
    let digits: Vec<u8> =
        prefix.chars().chain(rest.chars()).map(|digit| Some(digit.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    Some((RootId(root.parse().ok()?), bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_damage_shows() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::new(directory.path(), Synchronous::Off);
        blobs.create().unwrap();
        let (root, hash) = (RootId(7), hash(b"content"));
        blobs.put(root, &hash, &Rope::from(&b"content"[..])).unwrap();
        assert_eq!(blobs.get(root, &hash).unwrap(), "content");
        let mut seen = Vec::new();
        let removed = blobs.sweep(|root, hash| {
            seen.push((root, *hash));
            Ok(true)
        });
        assert_eq!((removed.unwrap(), seen), (0, vec![(root, hash)]));
        fs::write(blobs.place(root, &hash).1, b"contenT").unwrap();
        assert!(matches!(blobs.get(root, &hash), Err(Failure::Port(StoreError::Corrupt(_)))));
        assert!(matches!(blobs.open(root, &hash, false), Err(Failure::Port(StoreError::Corrupt(_)))));
        assert_eq!(blobs.sweep(|_, _| Ok(false)).unwrap(), 1);
        blobs.remove(root, &hash).unwrap();
        assert!(matches!(blobs.get(root, &hash), Err(Failure::Port(StoreError::Corrupt(_)))));
    }
}
