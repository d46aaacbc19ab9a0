//! Records: `u32 opcode, u32 length, body`, little-endian. The opcodes are the calls of the MAPI interface
//! IExchangeFastTransfer.
//!
//! This layer must not know what the stream inside the data records says.

use std::fmt;

use super::FastTransferError::{self, Damaged};

/// Opcode of [`Record::Config`].
pub const CONFIG: u32 = 1;
/// Opcode of [`Record::Data`].
pub const DATA: u32 = 2;
/// Opcode of [`Record::Interface`].
pub const INTERFACE: u32 = 3;
/// Opcode of [`Record::Version`].
pub const VERSION: u32 = 4;
/// Bytes of a record before its body.
pub const HEADER_BYTES: usize = 8;
/// A data record is closed at the first element boundary at or after this many bytes.
pub const DATA_FLUSH_BYTES: usize = 8_192;

/// Transfer method CopyTo.
const METHOD_COPY_TO: u32 = 1;
/// IID_IMessage, {00020307-0000-0000-C000-000000000046}.
const IID_MESSAGE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
/// MAPI_UNICODE, BestBody and a copy flag without effect, as Exchange writes them.
const INTERFACE_FLAGS: u32 = 0x8000_2400;
/// The producer that we name.
const PRODUCER: Version = Version { major: 15, minor: 1, build: 0, revision: 0 };

/// The first eight bytes of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the body is.
    pub opcode: u32,
    /// Bytes of the body. Not checked against anything.
    pub length: u32,
}

/// The version of the program that made a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `15` in 15.1.2507.35.
    pub major: u8,
    /// `1` in 15.1.2507.35.
    pub minor: u8,
    /// `2507` in 15.1.2507.35; below 2^15.
    pub build: u16,
    /// `35` in 15.1.2507.35.
    pub revision: u16,
}

/// A record whose body has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// How the copy is made: flags 0, method CopyTo.
    Config,
    /// That messages can be taken.
    Interface {
        /// Bits that a reader need not know.
        flags: u32,
    },
    /// Who made the payload.
    Version(Version),
    /// A piece of the stream; cut anywhere.
    Data(&'a [u8]),
    /// A record without body, which says nothing.
    Empty,
}

/// The records of a payload, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Records<'a>(&'a [u8]);

impl Header {
    /// Reads a header and gives what follows it. `None` where there are fewer than [`HEADER_BYTES`].
    pub fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (opcode, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        Some((Self { opcode: u32::from_le_bytes(*opcode), length: u32::from_le_bytes(*length) }, rest))
    }

    /// The bytes of the header.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        (u64::from(self.length) << 32 | u64::from(self.opcode)).to_le_bytes()
    }
}

impl Version {
    /// Reads the three words of a version.
    pub const fn from_bytes(bytes: [u8; 6]) -> Self {
        let [minor, major, b0, b1, r0, r1] = bytes;
        Self { major, minor, build: u16::from_le_bytes([b0, b1]) & 0x7fff, revision: u16::from_le_bytes([r0, r1]) }
    }

    /// The three words of a version. The second has its high bit set.
    pub const fn to_bytes(self) -> [u8; 6] {
        let [b0, b1] = (self.build | 0x8000).to_le_bytes();
        let [r0, r1] = self.revision.to_le_bytes();
        [self.minor, self.major, b0, b1, r0, r1]
    }
}

impl fmt::Display for Version {
    /// `15.1.2507.35`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.major, self.minor, self.build, self.revision)
    }
}

impl<'a> Records<'a> {
    /// The records of `payload`.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self(payload)
    }

    fn read(&mut self) -> Result<Record<'a>, FastTransferError> {
        let (header, rest) = Header::read(self.0).ok_or(Damaged("truncated record"))?;
        let (body, rest) = rest.split_at_checked(header.length as usize).ok_or(Damaged("truncated record"))?;
        self.0 = rest;
        Record::read(header.opcode, body)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, FastTransferError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let record = self.read();
        if record.is_err() {
            self.0 = &[];
        }
        Some(record)
    }
}

impl<'a> Record<'a> {
    pub(super) fn read(opcode: u32, body: &'a [u8]) -> Result<Self, FastTransferError> {
        match (opcode, body) {
            (CONFIG | DATA | INTERFACE | VERSION, []) => Ok(Self::Empty),
            (CONFIG, _) => {
                if body == config() {
                    Ok(Self::Config)
                } else {
                    Err(Damaged("configuration not supported"))
                }
            }
            (INTERFACE, _) => {
                let (head, flags) = body.split_last_chunk().ok_or(Damaged("interface not supported"))?;
                if head == interface() {
                    Ok(Self::Interface { flags: u32::from_le_bytes(*flags) })
                } else {
                    Err(Damaged("interface not supported"))
                }
            }
            (VERSION, _) => {
                let words = body.try_into().map_err(|_| Damaged("version of unknown form"))?;
                Ok(Self::Version(Version::from_bytes(words)))
            }
            (DATA, _) => Ok(Self::Data(body)),
            _ => Err(Damaged("unknown record type")),
        }
    }
}

/// Body of the configuration record: flags 0, then the method.
const fn config() -> [u8; 8] {
    ((METHOD_COPY_TO as u64) << 32).to_le_bytes()
}

/// Body of the interface record before its flags: the method, then the interface.
fn interface() -> [u8; 20] {
    let mut body = [0; 20];
    for (slot, byte) in body.iter_mut().zip(METHOD_COPY_TO.to_le_bytes().into_iter().chain(IID_MESSAGE)) {
        *slot = byte;
    }
    body
}

/// The stream inside `payload`, which is moved together inside its own memory: nothing is copied elsewhere.
///
/// # Errors
/// Where a record is damaged or of an unknown type, the first is not the configuration, or there is no stream.
pub fn stream(mut payload: Vec<u8>) -> Result<Vec<u8>, FastTransferError> {
    let mut rest = 0;
    let mut length = 0;
    let mut first = true;
    loop {
        let mut records = Records(payload.get(rest..).unwrap_or_default());
        let Some(record) = records.next().transpose()? else { break };
        if std::mem::take(&mut first) && record != Record::Config {
            return Err(Damaged("no configuration at the start"));
        }
        let next = payload.len() - records.0.len();
        if let Record::Data(piece) = record {
            let bytes = piece.len();
            payload.copy_within(next - bytes..next, length);
            length += bytes;
        }
        rest = next;
    }
    if first {
        return Err(Damaged("empty payload"));
    }
    payload.truncate(length);
    if length == 0 { Err(Damaged("no stream")) } else { Ok(payload) }
}

/// The records before the stream: configuration, interface, version of the producer.
pub fn opening() -> Vec<u8> {
    let mut out = Vec::with_capacity(62);
    let interface: Vec<u8> = interface().into_iter().chain(INTERFACE_FLAGS.to_le_bytes()).collect();
    for (opcode, body) in [(CONFIG, &config()[..]), (INTERFACE, &interface[..]), (VERSION, &PRODUCER.to_bytes()[..])] {
        out.extend(Header { opcode, length: body.len() as u32 }.to_bytes());
        out.extend(body);
    }
    out
}
