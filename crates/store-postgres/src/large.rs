//! Writing large parts: outside of the rows of their items, once for all equal ones of a root.
//!
//! The bytes are stored before the commit that refers to them is queued, under a row of `blob_ref` without references
//! that is free from that moment on: should the commit fail, the sweep takes it after a time of grace. The commit counts
//! its references under the lock of the root, which is also the lock of the sweep, so what is referred to stays.

use std::{collections::BTreeMap, io};

use model::{RootId, Rope, Time};
use sha2::{Digest, Sha256};
use store::{Commit, PartChange, PartData, StoreError, Write};

use crate::{
    failure::Failure,
    flight::{Flight, Unfinished},
    parts::PIECE_BYTES,
    session::Session,
    statements::writes::{FIND_BLOB, INSERT_PIECE, STAGE_BLOB},
};

pub(crate) use crate::parts::Hash;

/// For how long bytes stay after their last reference went, or after they were stored without one.
pub(crate) const GRACE_TICKS: i64 = 3_600 * Time::SECOND;

/// The hashes of the large parts of a commit, by the number of the write and the place of the part in it.
pub(crate) type Hashes = BTreeMap<(usize, usize), Hash>;

/// The hashes of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    /// Of the whole.
    pub(crate) hash: Hash,
    /// Of each piece, one behind the other.
    pub(crate) pieces: Vec<u8>,
}

/// The hashes of content that need not lie in memory. Costs reading it, and may block.
pub(crate) fn digests(content: &Rope) -> io::Result<Digests> {
    let (mut whole, mut hashes) = (Sha256::new(), Vec::new());
    for piece in pieces(content) {
        let piece = piece?;
        whole.update(&piece);
        hashes.extend_from_slice(&Sha256::digest(&piece));
    }
    Ok(Digests { hash: whole.finalize().into(), pieces: hashes })
}

/// Content in pieces of [`PIECE_BYTES`], of which one is in memory at a time.
fn pieces(content: &Rope) -> impl Iterator<Item = io::Result<Vec<u8>>> + '_ {
    let mut chunks = content.chunks();
    let mut kept: Vec<u8> = Vec::new();
    std::iter::from_fn(move || {
        while kept.len() < PIECE_BYTES {
            match chunks.next() {
                Some(Ok(chunk)) => kept.extend_from_slice(&chunk),
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            }
        }
        let rest = kept.split_off(kept.len().min(PIECE_BYTES));
        let piece = std::mem::replace(&mut kept, rest);
        (!piece.is_empty()).then_some(Ok(piece))
    })
}

/// The large parts of a commit, in order, with their places.
pub(crate) fn large_parts(
    commit: &Commit,
    threshold_bytes: usize,
) -> impl Iterator<Item = ((usize, usize), &PartData)> {
    let parts = commit
        .writes
        .iter()
        .enumerate()
        .flat_map(|(index, write)| parts_of(write).map(move |(number, part)| ((index, number), part)));
    parts.filter(move |(_, part)| part.bytes.len() > threshold_bytes)
}

/// The parts that a write carries, with their places in it.
fn parts_of(write: &Write) -> impl Iterator<Item = (usize, &PartData)> {
    let (new, changed): (&[PartData], &[PartChange]) = match write {
        Write::CreateItem(item) => (&item.parts, &[]),
        Write::UpdateItem(change) => (&[], &change.parts),
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::DeleteItem { .. }
        | Write::MoveItem { .. }
        | Write::CopyItem { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => (&[], &[]),
    };
    let changed = changed.iter().enumerate().filter_map(|(number, change)| match change {
        PartChange::Put(part) => Some((number, part)),
        PartChange::Remove(_) | PartChange::Clear => None,
    });
    new.iter().enumerate().chain(changed)
}

/// Makes sure that content is stored, from `at` on without a reference. Costs one round trip where it is there already,
/// otherwise one a piece.
pub(crate) async fn stage(
    session: &Session,
    root: RootId,
    digests: &Digests,
    content: &Rope,
    at: Time,
) -> Result<(), Failure> {
    let (root, hash) = (root.to_i64(), &digests.hash[..]);
    if !session.rows(FIND_BLOB, &[&root, &hash, &at.0]).await?.is_empty() {
        return Ok(());
    }
    let mut flight = Flight::default();
    let pieces_column = digests.pieces.clone();
    flight.add(STAGE_BLOB, vec![Box::new(root), Box::new(hash), Box::new(at.0), Box::new(pieces_column)]);
    // The commit that refers to it is synchronous, and what it refers to is in the log before it.
    session.client().batch_execute("BEGIN; SET LOCAL synchronous_commit TO off").await?;
    let staged = flight.run(session).await?;
    if staged.first().is_some_and(|rows| !rows.is_empty()) {
        for (number, piece) in pieces(content).enumerate() {
            let piece = piece.map_err(|error| StoreError::TryAgain(error.to_string()))?;
            session.rows(INSERT_PIECE, &[&root, &hash, &(number as i64), &piece]).await?;
        }
    }
    // In doubt or not: the commit looks whether it is there.
    Flight::default().commit(session).await.map(|_| ()).map_err(|Unfinished { failure, .. }| failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_of_one_size_whatever_the_chunks() {
        let bytes: Vec<u8> = (0..PIECE_BYTES * 5 / 2).map(|at| (at % 251) as u8).collect();
        let mut rope = Rope::from(bytes[..700].to_vec());
        rope.append(bytes[700..PIECE_BYTES + 9].to_vec());
        rope.append(bytes[PIECE_BYTES + 9..].to_vec());
        let found: Vec<Vec<u8>> = pieces(&rope).map(Result::unwrap).collect();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES / 2]);
        assert_eq!(found.concat(), bytes);
        let digests = digests(&rope).unwrap();
        assert_eq!(digests.hash, Hash::from(Sha256::digest(&bytes)));
        assert_eq!(digests.pieces[32..64], Sha256::digest(&bytes[PIECE_BYTES..2 * PIECE_BYTES])[..]);
        assert_eq!(digests.pieces.len(), 96);
    }
}
