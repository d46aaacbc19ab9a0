//! Bytes that need not lie in memory: what is too large for it lies in a [`Spool`], and a [`Rope`] names ranges of it.

use std::{
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

/// Bytes of a spool that are read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Bytes outside of memory that live as long as somebody holds them, such as an unlinked file.
pub trait Spool: fmt::Debug + Send + Sync {
    /// Fills `into` with the bytes from `offset` on. Costs them, and may block.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where there are fewer; otherwise what the medium says.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// Writes bytes from `offset` on, over those that are there. Costs them, and may block.
    ///
    /// # Errors
    /// What the medium says.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A spool that lies in memory nevertheless. For tests.
#[derive(Debug, Default)]
pub struct MemorySpool(Mutex<Vec<u8>>);

impl From<Vec<u8>> for MemorySpool {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Mutex::new(bytes))
    }
}

impl Spool for MemorySpool {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let range = bytes.get(start..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let end = start.checked_add(new.len()).ok_or(io::ErrorKind::OutOfMemory)?;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        if let Some(range) = bytes.get_mut(start..end) {
            range.copy_from_slice(new);
        }
        Ok(())
    }
}

/// A range of a spool.
#[derive(Clone, Debug)]
pub struct Extent {
    /// Where the bytes lie.
    pub spool: Arc<dyn Spool>,
    /// The first of them.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
}

/// Bytes in pieces, some in memory and some in a spool. A clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    pieces: Vec<Piece>,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Memory(Bytes),
    Spool(Extent),
}

impl Rope {
    /// How many bytes there are.
    pub const fn len(&self) -> usize {
        self.bytes
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Puts another rope behind this one. Costs its pieces, not its bytes.
    pub fn append(&mut self, other: impl Into<Self>) {
        let other = other.into();
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.pieces.extend(other.pieces);
    }

    /// The bytes in order, in chunks of any size. Reads those of a spool as it goes, a bounded chunk at once.
    ///
    /// Each chunk is an error where a spool cannot be read.
    pub fn chunks(&self) -> impl Iterator<Item = io::Result<Bytes>> + '_ {
        self.pieces.iter().flat_map(|piece| {
            let (memory, spooled) = match piece {
                Piece::Memory(bytes) => (Some(Ok(bytes.clone())), None),
                Piece::Spool(extent) => (None, Some(extent)),
            };
            memory.into_iter().chain(spooled.into_iter().flat_map(Extent::chunks))
        })
    }

    /// All bytes in memory. Costs them, unless they lie there in one piece.
    ///
    /// # Errors
    /// Where a spool cannot be read.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        if let [Piece::Memory(bytes)] = self.pieces.as_slice() {
            return Ok(bytes.clone());
        }
        let mut whole = Vec::with_capacity(self.bytes);
        for chunk in self.chunks() {
            whole.extend_from_slice(&chunk?);
        }
        Ok(whole.into())
    }
}

impl Extent {
    fn chunks(&self) -> impl Iterator<Item = io::Result<Bytes>> + '_ {
        let step = CHUNK_BYTES as u64;
        (0..self.bytes.div_ceil(step)).map(move |number| {
            let mut chunk = vec![0; (self.bytes - number * step).min(step) as usize];
            self.spool.read_at(self.offset + number * step, &mut chunk)?;
            Ok(chunk.into())
        })
    }
}

impl<B: Into<Bytes>> From<B> for Rope {
    fn from(bytes: B) -> Self {
        let bytes = bytes.into();
        Self { bytes: bytes.len(), pieces: vec![Piece::Memory(bytes)] }
    }
}

impl Rope {
    /// The bytes of an extent, which stay where they are.
    pub fn spooled(extent: Extent) -> Self {
        Self { bytes: usize::try_from(extent.bytes).unwrap_or(usize::MAX), pieces: vec![Piece::Spool(extent)] }
    }
}

/// Ropes are equal where their bytes are, however they are cut. Costs reading both; what cannot be read equals nothing.
impl PartialEq for Rope {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes && matches!((self.to_bytes(), other.to_bytes()), (Ok(one), Ok(two)) if one == two)
    }
}

impl Eq for Rope {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_both_kinds_are_one_row_of_bytes() {
        let content: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        let spool: Arc<dyn Spool> = Arc::new(MemorySpool::from(content.clone()));
        let mut rope = Rope::from(&b"head"[..]);
        rope.append(Rope::spooled(Extent { spool: Arc::clone(&spool), offset: 7, bytes: 150_000 }));
        rope.append(&b"tail"[..]);
        let expected = [&b"head"[..], &content[7..150_007], b"tail"].concat();
        assert_eq!((rope.len(), rope.is_empty()), (expected.len(), false));
        assert!(rope.to_bytes().unwrap() == expected && rope == Rope::from(expected));
        assert!(rope.chunks().all(|chunk| chunk.unwrap().len() <= CHUNK_BYTES));
        let beyond = Rope::spooled(Extent { spool, offset: 199_000, bytes: 2_000 });
        assert_eq!(beyond.to_bytes().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(Rope::default().is_empty() && Rope::default() == Rope::from(Bytes::new()));
    }
}
