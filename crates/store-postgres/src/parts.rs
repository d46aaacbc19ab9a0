//! Reading parts: inline ones from their row; large ones in pieces, which are rows of the same database or stretches of an
//! object.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use blobs::{Blobs, ObjectName, Pieces};
use bytes::Bytes;
use futures_util::TryStreamExt;
use model::{Extent, ItemId, Rope, Spool};
use sha2::{Digest, Sha256};
use store::StoreError;

use crate::{
    NO_BLOBS,
    failure::Failure,
    rows::{self, get},
    session::{Session, Sessions},
    statements::reads,
};

pub(crate) use blobs::{Hash, PIECE_BYTES};

/// Where a part lies.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Beside its row.
    Inline(Bytes),
    /// In pieces.
    Large(Large),
}

/// A large part.
#[derive(Clone, Debug)]
pub(crate) struct Large {
    /// Of the whole.
    pub(crate) hash: Hash,
    pub(crate) size_bytes: u64,
    /// The hashes of its pieces, in order. Empty where they were not kept: the whole is checked then.
    pub(crate) pieces: Vec<Hash>,
    /// The object that holds it; `None` where its pieces are rows.
    pub(crate) object: Option<(ObjectName, Pieces)>,
}

/// The answer to [`reads::PART`]: `size, hash, inline, object, pieces`.
pub(crate) fn place(row: &tokio_postgres::Row) -> Result<Place, Failure> {
    place_at(row, 0)
}

/// As [`place`], from a column on.
pub(crate) fn place_at(row: &tokio_postgres::Row, first: usize) -> Result<Place, Failure> {
    let hash: Option<&[u8]> = get(row, first + 1)?;
    let Some(hash) = hash else { return Ok(Place::Inline(rows::bytes(row, first + 2)?)) };
    let hash = hash.try_into().map_err(|_| Failure::damaged("the hash of a part"))?;
    let (object, stored): (Option<&str>, Option<&[u8]>) = (get(row, first + 3)?, get(row, first + 4)?);
    let stored = stored.unwrap_or_default();
    let (pieces, []) = stored.as_chunks::<32>() else {
        return Err(Failure::damaged("the hashes of the pieces of a part"));
    };
    let size_bytes = get::<i64>(row, first)?.cast_unsigned();
    let expected = size_bytes.div_ceil(PIECE_BYTES as u64);
    if pieces.len() as u64 != expected && (!pieces.is_empty() || object.is_some()) {
        return Err(Failure::damaged("the number of pieces of a part"));
    }
    let object = object.map(|name| {
        let found = ObjectName::parse(name).zip(Pieces::from_bytes(stored));
        found.ok_or_else(|| Failure::damaged(format!("the name {name} of an object")))
    });
    Ok(Place::Large(Large { hash, size_bytes, pieces: pieces.to_vec(), object: object.transpose()? }))
}

/// The object store.
///
/// # Errors
/// Where this node was started without: the part is there all the same.
fn needed(blobs: Option<&Blobs>) -> Result<&Blobs, Failure> {
    blobs.ok_or_else(|| Failure::Unavailable(NO_BLOBS.to_owned()))
}

/// What a snapshot knows of the part that it reads in ranges.
#[derive(Default)]
pub(crate) struct Ranges {
    open: Option<((ItemId, u32), Open)>,
    /// The part without hashes of its pieces that was found to be whole.
    checked: Option<Hash>,
}

/// A part that is read in ranges.
pub(crate) enum Open {
    Inline(Bytes),
    Rows(Large),
    Object(Box<blobs::Reader>, u64),
}

impl Ranges {
    /// Whether this part was read last.
    pub(crate) fn is_open(&self, key: (ItemId, u32)) -> bool {
        self.open.as_ref().is_some_and(|(open, _)| *open == key)
    }

    /// Opens a part in place of the last one.
    pub(crate) fn open(&mut self, key: (ItemId, u32), place: Place, blobs: Option<&Blobs>) -> Result<(), Failure> {
        let open = match place {
            Place::Inline(bytes) => Open::Inline(bytes),
            Place::Large(mut large) => match large.object.take() {
                None => Open::Rows(large),
                Some((name, pieces)) => Open::Object(Box::new(needed(blobs)?.reader(name, pieces)), large.size_bytes),
            },
        };
        self.open = Some((key, open));
        Ok(())
    }

    /// A range of the part that is open. The whole of a part without hashes of its pieces is checked the first time.
    pub(crate) async fn range(
        &mut self,
        session: &Session,
        root: i64,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        let Some((_, open)) = &mut self.open else { return Ok(Bytes::new()) };
        match open {
            Open::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes.slice(start..start.saturating_add(bytes_max).min(bytes.len())))
            }
            Open::Object(reader, size_bytes) => {
                let left = usize::try_from(size_bytes.saturating_sub(offset)).unwrap_or(bytes_max);
                Ok(reader.read(offset, bytes_max.min(left)).await.map_err(StoreError::from)?)
            }
            Open::Rows(large) => {
                if large.pieces.is_empty() && self.checked != Some(large.hash) {
                    large.read_rows(session, root, 0, large.size_bytes, &mut |_| {}).await?;
                    self.checked = Some(large.hash);
                }
                large.range_of_rows(session, root, offset, bytes_max).await
            }
        }
    }

    /// Whether ranges of the open part come from the database.
    pub(crate) fn is_in_rows(&self) -> bool {
        matches!(self.open, Some((_, Open::Rows(_))))
    }
}

impl Large {
    /// The whole.
    pub(crate) async fn whole(&self, session: &Session, root: i64) -> Result<Bytes, Failure> {
        let mut whole = Vec::with_capacity(usize::try_from(self.size_bytes).unwrap_or_default());
        self.read_rows(session, root, 0, self.size_bytes, &mut |bytes| whole.extend_from_slice(bytes)).await?;
        Ok(whole.into())
    }

    /// The whole of one that is an object.
    pub(crate) async fn whole_object(
        blobs: Option<&Blobs>,
        (name, pieces): &(ObjectName, Pieces),
    ) -> Result<Bytes, Failure> {
        Ok(needed(blobs)?.get(name, pieces).await.map_err(StoreError::from)?)
    }

    async fn range_of_rows(
        &self,
        session: &Session,
        root: i64,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        let end = offset.saturating_add(bytes_max as u64).min(self.size_bytes);
        let offset = offset.min(end);
        let mut range = Vec::with_capacity(usize::try_from(end - offset).unwrap_or(bytes_max));
        if offset < end {
            self.read_rows(session, root, offset, end, &mut |bytes| range.extend_from_slice(bytes)).await?;
        }
        Ok(range.into())
    }

    /// Passes on the bytes from `offset` to `end`, piece by piece, each checked; the whole is also checked as such.
    async fn read_rows(
        &self,
        session: &Session,
        root: i64,
        offset: u64,
        end: u64,
        pass: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<(), Failure> {
        let piece_bytes = PIECE_BYTES as u64;
        let (first, last) = (offset / piece_bytes, end.saturating_sub(1) / piece_bytes);
        let is_whole = offset == 0 && end == self.size_bytes;
        let mut hasher = Sha256::new();
        let statement = session.prepared(reads::PIECES).await?;
        let (hash, from, to) = (&self.hash[..], first.cast_signed(), last.cast_signed());
        let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 4] = [&root, &hash, &from, &to];
        let found = session.client().query_raw(&statement, parameters).await?;
        let mut found = std::pin::pin!(found);
        let mut piece = first;
        while let Some(row) = found.try_next().await? {
            let bytes: &[u8] = get(&row, 0)?;
            let start = piece * piece_bytes;
            let expected = piece_bytes.min(self.size_bytes.saturating_sub(start));
            if bytes.len() as u64 != expected || !self.is_piece(piece, bytes) {
                return Err(Failure::damaged(format!("piece {piece} of a part is not what was written")));
            }
            if is_whole {
                hasher.update(bytes);
            }
            let from = usize::try_from(offset.saturating_sub(start)).unwrap_or_default();
            let to = usize::try_from((end - start).min(expected)).unwrap_or_default();
            pass(bytes.get(from..to).unwrap_or_default());
            piece += 1;
        }
        let is_complete = piece == last + 1 && (!is_whole || Hash::from(hasher.finalize()) == self.hash);
        if is_complete { Ok(()) } else { Err(Failure::damaged("a part is not what was written")) }
    }

    fn is_piece(&self, piece: u64, bytes: &[u8]) -> bool {
        let hash = usize::try_from(piece).ok().and_then(|piece| self.pieces.get(piece));
        self.pieces.is_empty() || hash.is_some_and(|hash| Hash::from(Sha256::digest(bytes)) == *hash)
    }

    /// The bytes, which stay where they are until they are read. Reading them blocks the reading thread.
    pub(crate) fn rope(self, sessions: &Arc<Sessions>, blobs: Option<&Blobs>, root: i64, patience: Duration) -> Rope {
        let bytes = self.size_bytes;
        let source = Source { sessions: Arc::clone(sessions), blobs: blobs.cloned(), root, patience, large: self };
        let spool = PieceSpool { source: Arc::new(source), held: Mutex::new(None) };
        Rope::spooled(Extent { spool: Arc::new(spool), offset: 0, bytes })
    }
}

/// What reads the pieces of one part.
struct Source {
    sessions: Arc<Sessions>,
    blobs: Option<Blobs>,
    root: i64,
    patience: Duration,
    large: Large,
}

/// A large part as bytes outside of memory: one piece is held.
struct PieceSpool {
    source: Arc<Source>,
    held: Mutex<Option<(u64, Bytes)>>,
}

impl std::fmt::Debug for PieceSpool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PieceSpool").field("large", &self.source.large).finish_non_exhaustive()
    }
}

impl Source {
    async fn piece(&self, piece: u64) -> Result<Bytes, Failure> {
        let offset = piece * PIECE_BYTES as u64;
        if let Some((name, pieces)) = &self.large.object {
            let blobs = needed(self.blobs.as_ref())?;
            return Ok(blobs.range(name, pieces, offset, PIECE_BYTES).await.map_err(StoreError::from)?);
        }
        let session = self.sessions.take(self.patience).await?;
        let read = self.large.range_of_rows(&session, self.root, offset, PIECE_BYTES);
        let Some(read) = self.sessions.background().within(self.patience, read).await else {
            session.condemn();
            return Err(Failure::no_answer(self.patience));
        };
        read
    }
}

impl Spool for PieceSpool {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < into.len() {
            let at = offset + done as u64;
            let piece = at / PIECE_BYTES as u64;
            let bytes = match &*held {
                Some((number, bytes)) if *number == piece => bytes.clone(),
                Some(_) | None => {
                    let source = Arc::clone(&self.source);
                    let read = self.source.sessions.background().wait(async move { source.piece(piece).await });
                    let read = read.ok_or_else(|| io::Error::other("a task ended early"))?;
                    let bytes = read.map_err(|failure| io::Error::other(StoreError::from(failure)))?;
                    held.insert((piece, bytes)).1.clone()
                }
            };
            let from = usize::try_from(at % PIECE_BYTES as u64).unwrap_or_default();
            let found = bytes.get(from..).unwrap_or_default();
            let length = found.len().min(into.len() - done);
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let target = into.get_mut(done..done + length).unwrap_or_default();
            target.copy_from_slice(found.get(..length).unwrap_or_default());
            done += length;
        }
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}
