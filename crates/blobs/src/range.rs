//! Reading objects in ranges, each checked before it is passed on.

use std::ops::Range;

use bytes::Bytes;
use object_store::path::Path;

use crate::{ATTEMPTS_MAX, Abandoned, BlobError, Blobs, Inner, ObjectName, PIECE_BYTES, Pieces, failure::Attempt};

/// Pieces that are asked for at once when a whole object is read.
const PIECES_AT_ONCE: usize = 8;

/// An object that is read in ranges. It holds the piece that was read last, so that small ranges one after another cost
/// one request a MiB.
#[derive(Debug)]
pub struct Reader {
    blobs: Blobs,
    name: ObjectName,
    pieces: Pieces,
    /// The number of the piece that is held, and its bytes.
    held: Option<(usize, Bytes)>,
}

impl Blobs {
    /// The bytes of an object from `offset` on: as many as there are, but at most `bytes_max`. Costs one request for the
    /// pieces that they lie in; each is found to be what was stored before anything of it is passed on.
    ///
    /// # Errors
    /// [`BlobError::Missing`] or [`BlobError::Damaged`] where the object is lost, [`BlobError::Unavailable`] otherwise.
    pub async fn range(
        &self,
        name: &ObjectName,
        pieces: &Pieces,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Bytes, BlobError> {
        self.reader(name.clone(), pieces.clone()).read(offset, bytes_max).await
    }

    /// A whole object. Costs its bytes in memory.
    ///
    /// # Errors
    /// As [`Self::range`].
    pub async fn get(&self, name: &ObjectName, pieces: &Pieces) -> Result<Bytes, BlobError> {
        if pieces.count() <= PIECES_AT_ONCE {
            return self.pieces(name, pieces, 0..pieces.count()).await;
        }
        let mut whole = Vec::with_capacity(pieces.count() * PIECE_BYTES);
        for first in (0..pieces.count()).step_by(PIECES_AT_ONCE) {
            let numbers = first..(first + PIECES_AT_ONCE).min(pieces.count());
            whole.extend_from_slice(&self.pieces(name, pieces, numbers).await?);
        }
        Ok(whole.into())
    }

    /// An object that is read in ranges. Costs nothing yet.
    pub fn reader(&self, name: ObjectName, pieces: Pieces) -> Reader {
        Reader { blobs: self.clone(), name, pieces, held: None }
    }

    /// Whole pieces.
    async fn pieces(&self, name: &ObjectName, pieces: &Pieces, numbers: Range<usize>) -> Result<Bytes, BlobError> {
        if numbers.is_empty() {
            return Ok(Bytes::new());
        }
        let (inner, name, pieces) = (self.inner.clone(), name.clone(), pieces.clone());
        let task = async move { inner.pieces(&name, &pieces, numbers).await };
        self.run(self.inner.settings.read_patience, Abandoned::Ended, task).await
    }
}

impl Reader {
    /// As [`Blobs::range`], but what lies in the piece that was read last costs nothing.
    ///
    /// # Errors
    /// As [`Blobs::range`].
    pub async fn read(&mut self, offset: u64, bytes_max: usize) -> Result<Bytes, BlobError> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = start.saturating_add(bytes_max).min(self.pieces.count().saturating_mul(PIECE_BYTES));
        if start >= end {
            return Ok(Bytes::new());
        }
        let (first, behind) = (start / PIECE_BYTES, end.div_ceil(PIECE_BYTES));
        let held = self.held.as_ref().filter(|(number, _)| *number == first).map(|(_, bytes)| bytes.clone());
        let bytes = match held {
            Some(held) if behind == first + 1 => held,
            Some(held) => [held, self.fetch(first + 1..behind).await?].concat().into(),
            None => self.fetch(first..behind).await?,
        };
        let skipped = first * PIECE_BYTES;
        // The last piece may be shorter.
        let range = (start - skipped).min(bytes.len())..(end - skipped).min(bytes.len());
        Ok(bytes.slice(range))
    }

    async fn fetch(&mut self, numbers: Range<usize>) -> Result<Bytes, BlobError> {
        let bytes = self.blobs.pieces(&self.name, &self.pieces, numbers.clone()).await?;
        let last = numbers.end - 1;
        self.held = Some((last, bytes.slice((last - numbers.start) * PIECE_BYTES..)));
        Ok(bytes)
    }
}

impl Inner {
    async fn pieces(&self, name: &ObjectName, pieces: &Pieces, numbers: Range<usize>) -> Result<Bytes, BlobError> {
        let path = self.path(name.as_str());
        let bytes = (numbers.start * PIECE_BYTES) as u64..(numbers.end * PIECE_BYTES) as u64;
        let mut attempt = 0;
        loop {
            self.pause(attempt).await;
            attempt += 1;
            let failed = match self.objects.get_range(&path, bytes.clone()).await.map_err(Attempt::from) {
                Ok(found) if pieces.match_bytes(numbers.clone(), &found) => {
                    self.counters.reads.add(1);
                    self.counters.read_bytes.add(found.len() as u64);
                    return Ok(found);
                }
                // It may have happened on the way.
                Ok(_) => {
                    self.counters.damaged.add(1);
                    None
                }
                Err(failed) => Some(failed),
            };
            match failed {
                Some(Attempt::NotThere) => return Err(self.missing(name).await),
                Some(Attempt::Refused(_) | Attempt::AlreadyThere) => {}
                Some(Attempt::Repeat(_)) | None if attempt < ATTEMPTS_MAX => continue,
                Some(Attempt::Repeat(_)) | None => {}
            }
            return Err(match failed {
                None => BlobError::Damaged(name.clone()),
                Some(failed) if self.is_shorter(&path, bytes.start).await => {
                    tracing::warn!(%name, ?failed, "the object is too short");
                    BlobError::Damaged(name.clone())
                }
                Some(failed) => failed.unavailable(&self.shown),
            });
        }
    }

    /// What it means that an object was not found: that it is lost, if the store is the right one.
    async fn missing(&self, name: &ObjectName) -> BlobError {
        match self.is_ours().await {
            Ok(()) => BlobError::Missing(name.clone()),
            Err(error) => error,
        }
    }

    /// Whether an object ends before a range that it should have.
    async fn is_shorter(&self, path: &Path, start: u64) -> bool {
        self.objects.head(path).await.is_ok_and(|found| found.size <= start)
    }
}
