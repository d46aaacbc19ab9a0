//! Parts that a snapshot reads in pieces: the one that was read last stays open.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
};

use bytes::Bytes;
use model::{ItemId, RootId};
use store::StoreError;

use crate::{
    blobs::{Blobs, Hash},
    failure::Failure,
};

/// Where a part lies.
pub(crate) enum Place {
    /// Beside its row.
    Inline(Bytes),
    /// In a file.
    File(Hash),
}

/// A part by item and number.
type Key = (ItemId, u32);

/// What a snapshot has open of the parts it reads in pieces.
#[derive(Default)]
pub(crate) struct Ranges {
    open: Option<(Key, Open)>,
    /// Files that were found to be what their names say.
    checked: HashSet<Hash>,
}

/// An open part.
pub(crate) enum Open {
    Inline(Bytes),
    File { file: File, at: u64 },
}

impl Ranges {
    /// A range of the part that is open; `None` where that is another one.
    pub(crate) fn read(&mut self, key: Key, offset: u64, bytes_max: usize) -> Result<Option<Bytes>, StoreError> {
        match &mut self.open {
            Some((open_key, open)) if *open_key == key => Ok(Some(open.range(offset, bytes_max)?)),
            Some(_) | None => Ok(None),
        }
    }

    /// Opens a part in place of the last one. A file is read once as a whole the first time, to find damage.
    pub(crate) fn open(&mut self, blobs: &Blobs, root: RootId, key: Key, place: Place) -> Result<&mut Open, Failure> {
        let open = match place {
            Place::Inline(bytes) => Open::Inline(bytes),
            Place::File(hash) => {
                let mut file = blobs.open(root, &hash, self.checked.contains(&hash))?;
                let at = file.stream_position()?;
                self.checked.insert(hash);
                Open::File { file, at }
            }
        };
        Ok(&mut self.open.insert((key, open)).1)
    }
}

impl Open {
    /// The bytes from `offset` on, at most `bytes_max`.
    pub(crate) fn range(&mut self, offset: u64, bytes_max: usize) -> Result<Bytes, Failure> {
        match self {
            Self::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let end = start.saturating_add(bytes_max).min(bytes.len());
                Ok(bytes.slice(start..end))
            }
            Self::File { file, at } => {
                let length = file.metadata()?.len();
                let offset = offset.min(length);
                if *at != offset {
                    *at = file.seek(SeekFrom::Start(offset))?;
                }
                let expected = (length - offset).min(bytes_max as u64);
                let mut piece = Vec::with_capacity(usize::try_from(expected).unwrap_or(bytes_max));
                let read = file.by_ref().take(expected).read_to_end(&mut piece)?;
                *at += read as u64;
                Ok(piece.into())
            }
        }
    }
}
