//! A stream outside of memory: its elements through a window that slides over it, and the records before that.
//!
//! This layer must not know which marker may stand where.

use std::io;

use model::{Extent, PropertyKey, Rope, Value, tags};

use super::{
    FastTransferError::{self, Damaged, Unreadable},
    frame::{DATA, HEADER_BYTES, Header, Record},
    lex::{CUT, Element, Lexer},
};

/// Bytes of a record that is not data, at least; a longer one is of unknown form.
const RECORD_BYTES_MAX: u64 = 64;
/// Bytes of the window. It grows where one element needs more, except for the content of attachments: that stays where it
/// is from this size on.
pub(super) const WINDOW_BYTES: usize = 64 << 10;
/// How the content of an attachment begins: type and id of `PidTagAttachDataBinary`.
const FILE: [u8; 4] = 0x3701_0102_u32.to_le_bytes();

/// Bytes of an extent, in order.
#[derive(Debug)]
struct Sliding<'a> {
    extent: &'a Extent,
    /// Bytes of the extent that were read.
    read: u64,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were used.
    used: usize,
    window: usize,
}

impl<'a> Sliding<'a> {
    const fn new(extent: &'a Extent, window: usize) -> Self {
        Self { extent, read: 0, buffer: Vec::new(), used: 0, window }
    }

    /// Bytes that were read and not used.
    fn rest(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    /// Bytes of the extent behind [`Self::rest`].
    const fn beyond(&self) -> u64 {
        self.extent.bytes - self.read
    }

    /// Where in the extent [`Self::rest`] begins.
    fn at(&self) -> u64 {
        self.read - self.rest().len() as u64
    }

    /// Reads until `bytes` are there, or all that there are.
    fn fill(&mut self, bytes: usize) -> Result<(), FastTransferError> {
        let have = self.rest().len();
        if have >= bytes || self.beyond() == 0 {
            return Ok(());
        }
        self.buffer.drain(..self.used);
        self.used = 0;
        // What one large element took is given back.
        self.buffer.shrink_to(bytes.max(self.window));
        let more = self.beyond().min((bytes.max(self.window) - have) as u64);
        self.buffer.resize(have + more as usize, 0);
        let into = self.buffer.get_mut(have..).unwrap_or_default();
        self.extent.spool.read_at(self.extent.offset + self.read, into).map_err(unreadable)?;
        self.read += more;
        Ok(())
    }

    /// Goes on by `bytes`, which are there.
    fn skip(&mut self, bytes: u64) {
        let have = self.rest().len() as u64;
        self.used += have.min(bytes) as usize;
        self.read += bytes.saturating_sub(have).min(self.beyond());
    }
}

fn unreadable(error: io::Error) -> FastTransferError {
    Unreadable(error.kind())
}

/// The stream inside a payload, which is moved together inside its own extent.
///
/// # Errors
/// As [`super::frame::stream`], and where the spool cannot be read or written.
pub(super) fn stream(payload: &Extent, window: usize) -> Result<Extent, FastTransferError> {
    let mut records = Sliding::new(payload, window);
    let mut length = 0;
    let mut out = Vec::new();
    let mut first = true;
    loop {
        records.fill(HEADER_BYTES)?;
        if records.rest().is_empty() {
            break;
        }
        let (header, _) = Header::read(records.rest()).ok_or(Damaged("truncated record"))?;
        records.skip(HEADER_BYTES as u64);
        let mut left = u64::from(header.length);
        if left > records.rest().len() as u64 + records.beyond() {
            return Err(Damaged("truncated record"));
        }
        let opens = std::mem::take(&mut first);
        if header.opcode != DATA {
            let head = left.min(RECORD_BYTES_MAX);
            records.fill(head as usize)?;
            let record = Record::read(header.opcode, records.rest().get(..head as usize).unwrap_or_default())?;
            if opens && record != Record::Config {
                return Err(Damaged("no configuration at the start"));
            }
            records.skip(left);
            continue;
        }
        if opens {
            return Err(Damaged("no configuration at the start"));
        }
        while left > 0 {
            records.fill(1)?;
            let piece = left.min(records.rest().len() as u64);
            out.extend_from_slice(records.rest().get(..piece as usize).unwrap_or_default());
            records.skip(piece);
            left -= piece;
            // What is written was read before, for the stream is shorter than its records.
            if out.len() >= window {
                payload.spool.write_at(payload.offset + length, &out).map_err(unreadable)?;
                length += out.len() as u64;
                out.clear();
            }
        }
    }
    if first {
        return Err(Damaged("empty payload"));
    }
    payload.spool.write_at(payload.offset + length, &out).map_err(unreadable)?;
    length += out.len() as u64;
    if length == 0 { Err(Damaged("no stream")) } else { Ok(Extent { bytes: length, ..payload.clone() }) }
}

/// The elements of a stream in an extent, in order. Ends after the first error. The content of an attachment that is
/// not smaller than the window is an [`Element::File`], wherever it stands; the memory of every other element is its
/// own.
pub(super) struct Elements<'a> {
    stream: Sliding<'a>,
    failed: bool,
}

impl<'a> Elements<'a> {
    pub(super) const fn new(stream: &'a Extent, window: usize) -> Self {
        Self { stream: Sliding::new(stream, window), failed: false }
    }

    fn element(&mut self) -> Result<Option<Element>, FastTransferError> {
        self.stream.fill(HEADER_BYTES)?;
        if self.stream.rest().is_empty() {
            return Ok(None);
        }
        if let Some(file) = self.file()? {
            return Ok(Some(Element::File(file)));
        }
        loop {
            let have = self.stream.rest().len();
            let mut lexer = Lexer::before(self.stream.rest(), self.stream.beyond());
            match lexer.element() {
                Err(CUT) => self.stream.fill(2 * have.max(HEADER_BYTES))?,
                Err(error) => return Err(error),
                Ok(element) => {
                    let used = have - lexer.rest().len();
                    self.stream.skip(used as u64);
                    return Ok(Some(element));
                }
            }
        }
    }

    /// The large content of an attachment, where one comes next.
    fn file(&mut self) -> Result<Option<Rope>, FastTransferError> {
        let Some((head, rest)) = self.stream.rest().split_first_chunk() else { return Ok(None) };
        let Some((length, _)) = rest.split_first_chunk() else { return Ok(None) };
        let bytes = u64::from(u32::from_le_bytes(*length));
        if *head != FILE || bytes < self.stream.window as u64 {
            return Ok(None);
        }
        self.stream.skip(HEADER_BYTES as u64);
        if bytes > self.stream.rest().len() as u64 + self.stream.beyond() {
            return Err(Damaged("length exceeds data"));
        }
        let extent = self.stream.extent;
        let offset = extent.offset + self.stream.at();
        self.stream.skip(bytes);
        Ok(Some(Rope::spooled(Extent { offset, bytes, ..extent.clone() })))
    }
}

impl Iterator for Elements<'_> {
    type Item = Result<Element, FastTransferError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let element = self.element();
        self.failed = element.is_err();
        element.transpose()
    }
}

/// The content of an attachment where it does not belong: a property like others.
pub(super) fn as_property(file: &Rope) -> Result<(PropertyKey, Value), FastTransferError> {
    Ok((tags::ATTACH_DATA, Value::Binary(file.to_bytes().map_err(unreadable)?)))
}
