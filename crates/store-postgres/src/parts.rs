//! Reading parts: inline ones from their row, large ones in pieces.

use bytes::Bytes;
use futures_util::TryStreamExt;
use model::ItemId;
use sha2::{Digest, Sha256};

use crate::{
    failure::Failure,
    rows::{self, get},
    session::Session,
    statements::reads,
};

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// Bytes of a piece of a large part; the last one is shorter.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

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
    /// The object that holds it; `None` where its pieces are rows.
    pub(crate) object: Option<String>,
    /// The hashes of its pieces, in order. Empty where they were not kept: the whole is checked then.
    pub(crate) pieces: Vec<Hash>,
}

/// The answer to [`reads::PART`]: `size, hash, inline, object, pieces`.
pub(crate) fn place(row: &tokio_postgres::Row) -> Result<Place, Failure> {
    let hash: Option<&[u8]> = get(row, 1)?;
    let Some(hash) = hash else { return Ok(Place::Inline(rows::bytes(row, 2)?)) };
    let hash = hash.try_into().map_err(|_| Failure::damaged("the hash of a part"))?;
    let pieces: Option<&[u8]> = get(row, 4)?;
    let (pieces, []) = pieces.unwrap_or_default().as_chunks::<32>() else {
        return Err(Failure::damaged("the hashes of the pieces of a part"));
    };
    let size_bytes = get::<i64>(row, 0)?.cast_unsigned();
    if !pieces.is_empty() && pieces.len() as u64 != size_bytes.div_ceil(PIECE_BYTES as u64) {
        return Err(Failure::damaged("the number of pieces of a part"));
    }
    Ok(Place::Large(Large { hash, size_bytes, object: get(row, 3)?, pieces: pieces.to_vec() }))
}

/// What a snapshot knows of the part that it reads in ranges.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    open: Option<((ItemId, u32), Place)>,
    /// The part without hashes of its pieces that was found to be whole.
    checked: Option<Hash>,
}

impl Ranges {
    /// The place of the part that was read last.
    pub(crate) fn known(&self, key: (ItemId, u32)) -> Option<Place> {
        self.open.as_ref().filter(|(open, _)| *open == key).map(|(_, place)| place.clone())
    }

    /// Remembers a place instead of the last one.
    pub(crate) fn open(&mut self, key: (ItemId, u32), place: Place) {
        self.open = Some((key, place));
    }

    /// A range of a part: the whole of a part without hashes of its pieces is checked the first time.
    pub(crate) async fn range(
        &mut self,
        session: &Session,
        root: i64,
        place: &Place,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Bytes, Failure> {
        let large = match place {
            Place::Inline(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                return Ok(bytes.slice(start..start.saturating_add(bytes_max).min(bytes.len())));
            }
            Place::Large(large) => large,
        };
        if large.pieces.is_empty() && self.checked != Some(large.hash) {
            large.read(session, root, 0, large.size_bytes, &mut |_| {}).await?;
            self.checked = Some(large.hash);
        }
        let end = offset.saturating_add(bytes_max as u64).min(large.size_bytes);
        let offset = offset.min(end);
        let mut range = Vec::with_capacity(usize::try_from(end - offset).unwrap_or(bytes_max));
        if offset < end {
            large.read(session, root, offset, end, &mut |bytes| range.extend_from_slice(bytes)).await?;
        }
        Ok(range.into())
    }
}

impl Large {
    /// The whole.
    pub(crate) async fn whole(&self, session: &Session, root: i64) -> Result<Bytes, Failure> {
        let mut whole = Vec::with_capacity(usize::try_from(self.size_bytes).unwrap_or_default());
        self.read(session, root, 0, self.size_bytes, &mut |bytes| whole.extend_from_slice(bytes)).await?;
        Ok(whole.into())
    }

    /// Passes on the bytes from `offset` to `end`, piece by piece, each checked; the whole is also checked as such.
    async fn read(
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
}
