//! A disk that forgets: builds what a directory may look like after a loss of power, from a record of system calls.
//!
//! Only what was synced is certain: the content of a file up to its latest sync, the entries of a directory up to its
//! latest sync. Of what came later any part may have reached the medium.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use model::{Random, SeededRandom};

/// One recorded call; see `shim.c`.
#[derive(Debug)]
pub(crate) enum Call {
    Write { inode: u64, offset: u64, data: Vec<u8> },
    Truncate { inode: u64, length: u64 },
    Create { inode: u64, path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Unlink { path: PathBuf },
    MakeDirectory { path: PathBuf },
    Sync { inode: u64 },
    SyncDirectory { path: PathBuf },
    Output(Vec<u8>),
}

/// Reads a record.
pub(crate) fn parse(mut record: &[u8]) -> Vec<Call> {
    let mut calls = Vec::new();
    while let Some((head, rest)) = record.split_at_checked(25) {
        let long = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let short = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        let (a, rest) = rest.split_at(short(17));
        let (b, rest) = rest.split_at(short(21));
        record = rest;
        let (inode, offset) = (long(1), long(9));
        let path = |bytes: &[u8]| PathBuf::from(std::str::from_utf8(bytes).unwrap());
        calls.push(match head[0] {
            b'W' => Call::Write { inode, offset, data: a.to_vec() },
            b'T' => Call::Truncate { inode, length: offset },
            b'C' => Call::Create { inode, path: path(a) },
            b'R' => Call::Rename { from: path(a), to: path(b) },
            b'U' => Call::Unlink { path: path(a) },
            b'D' => Call::MakeDirectory { path: path(a) },
            b'S' => Call::Sync { inode },
            b'Y' => Call::SyncDirectory { path: path(a) },
            b'M' => Call::Output(a.to_vec()),
            other => panic!("{other}"),
        });
    }
    assert!(record.is_empty(), "the record is cut off");
    calls
}

/// What becomes of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Nothing of it reached the medium.
    Lost,
    /// All of it did.
    Kept,
    /// Some sectors did, and some of the changes to directories.
    Torn(u64),
}

const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug, Default)]
struct File {
    synced: Vec<u8>,
    /// Writes (with data) and truncations (without) since.
    pending: Vec<(u64, Option<Vec<u8>>)>,
}

impl File {
    fn apply(content: &mut Vec<u8>, offset: u64, data: Option<&[u8]>) {
        let offset = offset as usize;
        match data {
            None => content.resize(offset, 0),
            Some(data) => {
                if content.len() < offset + data.len() {
                    content.resize(offset + data.len(), 0);
                }
                content[offset..offset + data.len()].copy_from_slice(data);
            }
        }
    }

    fn sync(&mut self) {
        for (offset, data) in self.pending.drain(..) {
            Self::apply(&mut self.synced, offset, data.as_deref());
        }
    }

    fn content(&self, fate: Fate) -> Vec<u8> {
        let mut content = self.synced.clone();
        match fate {
            Fate::Lost => {}
            Fate::Kept => {
                for (offset, data) in &self.pending {
                    Self::apply(&mut content, *offset, data.as_deref());
                }
            }
            Fate::Torn(seed) => {
                let random = SeededRandom::new(seed);
                for (offset, data) in &self.pending {
                    let Some(data) = data else {
                        if random.number().is_multiple_of(2) {
                            Self::apply(&mut content, *offset, None);
                        }
                        continue;
                    };
                    for (index, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                        if random.number().is_multiple_of(2) {
                            Self::apply(&mut content, offset + (index * SECTOR_BYTES) as u64, Some(sector));
                        }
                    }
                }
            }
        }
        content
    }
}

/// A change of a directory's entries.
#[derive(Clone, Debug)]
enum Entry {
    Add(PathBuf, usize),
    AddDirectory(PathBuf),
    Move(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl Entry {
    fn directory(&self) -> &Path {
        let (Self::Add(path, _) | Self::AddDirectory(path) | Self::Move(path, _) | Self::Remove(path)) = self;
        path.parent().unwrap()
    }
}

/// Names of files and directories; files by their place in [`Disk::files`].
#[derive(Clone, Debug, Default)]
struct Names(BTreeMap<PathBuf, Option<usize>>);

impl Names {
    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Add(path, file) => {
                self.0.insert(path.clone(), Some(*file));
            }
            Entry::AddDirectory(path) => {
                self.0.insert(path.clone(), None);
            }
            Entry::Move(from, to) => {
                if let Some(file) = self.0.remove(from) {
                    self.0.insert(to.clone(), file);
                }
            }
            Entry::Remove(path) => {
                self.0.remove(path);
            }
        }
    }
}

/// The disk, as the calls so far left it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: Vec<File>,
    /// The file that an inode number stands for now; numbers are used again.
    inodes: HashMap<u64, usize>,
    synced: Names,
    pending: Vec<Entry>,
}

impl Disk {
    fn file(&mut self, inode: u64) -> Option<&mut File> {
        self.inodes.get(&inode).and_then(|file| self.files.get_mut(*file))
    }

    /// Takes the next call.
    pub(crate) fn call(&mut self, call: &Call) {
        match call {
            Call::Write { inode, offset, data } => {
                self.file(*inode).unwrap().pending.push((*offset, Some(data.clone())));
            }
            Call::Truncate { inode, length } => self.file(*inode).unwrap().pending.push((*length, None)),
            Call::Create { inode, path } => {
                self.files.push(File::default());
                self.inodes.insert(*inode, self.files.len() - 1);
                self.pending.push(Entry::Add(path.clone(), self.files.len() - 1));
            }
            Call::Rename { from, to } => self.pending.push(Entry::Move(from.clone(), to.clone())),
            Call::Unlink { path } => self.pending.push(Entry::Remove(path.clone())),
            Call::MakeDirectory { path } => self.pending.push(Entry::AddDirectory(path.clone())),
            Call::Sync { inode } => self.file(*inode).unwrap().sync(),
            Call::SyncDirectory { path } => {
                let (here, elsewhere) = self.pending.drain(..).partition(|entry| entry.directory() == path);
                self.pending = elsewhere;
                let here: Vec<Entry> = here;
                here.iter().for_each(|entry| self.synced.apply(entry));
            }
            Call::Output(_) => {}
        }
    }

    /// Writes what `from` looks like after a loss of power now into `to`.
    pub(crate) fn build(&self, fate: Fate, from: &Path, to: &Path) {
        let mut names = self.synced.clone();
        let kept = match fate {
            Fate::Lost => 0,
            Fate::Kept => self.pending.len(),
            Fate::Torn(seed) => SeededRandom::new(!seed).number() as usize % (self.pending.len() + 1),
        };
        self.pending.iter().take(kept).for_each(|entry| names.apply(entry));
        fs::create_dir_all(to).unwrap();
        for (path, file) in &names.0 {
            let Ok(inside) = path.strip_prefix(from) else { continue };
            let path = to.join(inside);
            match file {
                None => fs::create_dir_all(path).unwrap(),
                // A directory whose own entry was lost takes its files along.
                Some(file) if path.parent().unwrap().is_dir() => {
                    fs::write(path, self.files[*file].content(fate)).unwrap();
                }
                Some(_) => {}
            }
        }
    }
}
