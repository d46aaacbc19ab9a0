//! Hashes of content: of the whole, by which equal content is found, and of each MiB, by which ranges are checked.

use std::{io, ops::Range, sync::Arc};

use model::Rope;
use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Bytes of one piece: what is hashed, read and checked at once.
pub const PIECE_BYTES: usize = 1 << 20;

/// The SHA-256 of each MiB of an object, in order; the last piece may be shorter. A clone is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces(Arc<[Hash]>);

/// The SHA-256 of content that need not lie in memory. Costs reading it, and may block.
///
/// # Errors
/// Where it cannot be read.
pub fn hash_rope(content: &Rope) -> io::Result<Hash> {
    let mut hasher = Sha256::new();
    for chunk in content.chunks() {
        hasher.update(&chunk?);
    }
    Ok(hasher.finalize().into())
}

impl Pieces {
    /// As they are stored beside the name of an object: 32 bytes a piece, without anything between them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.concat()
    }

    /// Out of what is stored; `None` where it is not a row of hashes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (hashes, []) = bytes.as_chunks::<32>() else { return None };
        Some(Self(hashes.into()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether the bytes are those of the pieces `numbers`, whole.
    pub(crate) fn match_bytes(&self, numbers: Range<usize>, bytes: &[u8]) -> bool {
        let Some(expected) = self.0.get(numbers) else { return false };
        let is = bytes.chunks(PIECE_BYTES).map(|piece| Hash::from(Sha256::digest(piece)));
        is.eq(expected.iter().copied())
    }
}

/// Hashes bytes as they pass.
pub(crate) struct Hashing {
    whole: Sha256,
    piece: Sha256,
    /// Bytes in the piece so far.
    filled: usize,
    pieces: Vec<Hash>,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        Self { whole: Sha256::new(), piece: Sha256::new(), filled: 0, pieces: Vec::new() }
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at((PIECE_BYTES - self.filled).min(bytes.len()));
            self.piece.update(now);
            self.filled += now.len();
            if self.filled == PIECE_BYTES {
                self.close();
            }
            bytes = later;
        }
    }

    fn close(&mut self) {
        self.pieces.push(self.piece.finalize_reset().into());
        self.filled = 0;
    }

    pub(crate) fn finish(mut self) -> (Hash, Pieces) {
        if self.filled > 0 {
            self.close();
        }
        (self.whole.finalize().into(), Pieces(self.pieces.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_say_which_bytes_are_theirs() {
        let content: Vec<u8> = (0..(PIECE_BYTES * 5 / 2) as u32).map(|at| (at % 253) as u8).collect();
        let mut hashing = Hashing::new();
        content.chunks(700_001).for_each(|chunk| hashing.update(chunk));
        let (hash, pieces) = hashing.finish();
        assert_eq!(hash, hash_rope(&Rope::from(content.clone())).unwrap());
        assert_eq!((pieces.count(), Pieces::from_bytes(&pieces.to_bytes())), (3, Some(pieces.clone())));
        assert!(pieces.match_bytes(0..3, &content) && pieces.match_bytes(1..2, &content[PIECE_BYTES..PIECE_BYTES * 2]));
        let mut other = content.clone();
        other[PIECE_BYTES + 7] ^= 1;
        assert!(!pieces.match_bytes(0..3, &other) && !pieces.match_bytes(0..4, &content));
        assert!(!pieces.match_bytes(0..3, &content[..content.len() - 1]) && !pieces.match_bytes(0..2, &content));
        assert_eq!(Pieces::from_bytes(&[0; 33]), None);
        assert_eq!(Hashing::new().finish().1.count(), 0);
    }
}
