//! The lexical layer of a FastTransfer stream (MS-OXCFXICS 2.2.4.1): markers and property values.
//!
//! This layer must not know which marker may stand where, nor what a property means.

use bytes::Bytes;
use encoding_rs::{self as enc, Encoding};
use model::{Guid, PropertyKey, Rope, Time, Value};

use super::FastTransferError::{self, Damaged};

macro_rules! markers {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A marker of an item or folder stream.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Marker {
            $($(#[$doc])* $name,)*
            /// A marker of a synchronisation or error stream.
            Other(u32),
        }

        impl Marker {
            /// The marker of this code. `None` where the code is not one of a marker.
            pub const fn from_code(code: u32) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)*
                    _ if is_other(code) => Some(Self::Other(code)),
                    _ => None,
                }
            }

            /// The code on the wire.
            pub const fn code(self) -> u32 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Other(code) => code,
                }
            }
        }
    };
}

markers! {
    /// Begins an attachment.
    NewAttach = 0x4000_0003,
    /// Begins the message inside an attachment.
    StartEmbed = 0x4001_0003,
    /// Ends the message inside an attachment.
    EndEmbed = 0x4002_0003,
    /// Begins a recipient.
    StartRecip = 0x4003_0003,
    /// Ends a recipient.
    EndToRecip = 0x4004_0003,
    /// Begins the top folder.
    StartTopFld = 0x4009_0003,
    /// Begins a folder inside another.
    StartSubFld = 0x400a_0003,
    /// Ends a folder.
    EndFolder = 0x400b_0003,
    /// Begins a message of a folder.
    StartMessage = 0x400c_0003,
    /// Ends a message of a folder.
    EndMessage = 0x400d_0003,
    /// Ends an attachment.
    EndAttach = 0x400e_0003,
    /// Begins a folder-associated message of a folder.
    StartFaiMsg = 0x4010_0003,
}

/// IncrSyncChg, ChgPartial, Del, End, Read, StateBegin, StateEnd, Message, ProgressMode, ProgressPerMsg, GroupInfo;
/// FXErrorInfo.
const fn is_other(code: u32) -> bool {
    matches!(
        code,
        0x4012_0003
            | 0x407d_0003
            | 0x4013_0003
            | 0x4014_0003
            | 0x402f_0003
            | 0x403a_0003
            | 0x403b_0003
            | 0x4015_0003
            | 0x4074_000b
            | 0x4075_000b
            | 0x407b_0102
            | 0x4018_0003
    )
}

/// Property ids of the stream itself: DnPrefix, EcWarning, NewFXFolder, FXDelProp, and two of synchronisation.
pub const META_IDS: [u16; 6] = [0x4008, 0x400f, 0x4011, FX_DEL_PROP, 0x407a, 0x407c];
/// MetaTagFXDelProp: the objects named by its value are cleared before those that follow.
pub const FX_DEL_PROP: u16 = 0x4016;
/// The value of MetaTagFXDelProp for recipients.
pub const DEL_RECIPIENTS: i32 = 0x0e12_000d;
/// The value of MetaTagFXDelProp for attachments.
pub const DEL_ATTACHMENTS: i32 = 0x0e13_000d;
/// The type on the wire of text in code page 1200 (UTF-16LE).
pub const TEXT_TYPE: u16 = CODE_PAGE_BIT | 1200;

/// Bytes from which on a binary value may keep the whole stream in memory.
const SHARED_BYTES_MIN: usize = 64 << 10;
/// An element goes on behind the window, which must grow.
pub(super) const CUT: FastTransferError = Damaged("cut by the window");
const CODE_PAGE_BIT: u16 = 0x8000;
const MULTIPLE_BIT: u16 = 0x1000;
const NAMED_IDS_START: u16 = 0x8000;

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// A marker.
    Marker(Marker),
    /// A property with its value.
    Property(PropertyKey, Value),
    /// A property whose value is an object (type 0x000D), which no bag can hold. The value was skipped.
    Object(PropertyKey),
    /// `PidTagAttachDataBinary` with a value that was left where it is. Only streams outside of memory have it.
    File(Rope),
}

/// The elements of a stream, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Lexer<'a> {
    rest: &'a [u8],
    /// What `rest` is the rest of, where values may share its memory.
    shared: Option<&'a Bytes>,
    /// Bytes of the stream behind `rest`.
    beyond: u64,
}

impl<'a> Lexer<'a> {
    /// The elements of `stream`.
    pub const fn new(stream: &'a [u8]) -> Self {
        Self { rest: stream, shared: None, beyond: 0 }
    }

    /// The elements of `stream`, in whose memory large binary values stay.
    pub fn sharing(stream: &'a Bytes) -> Self {
        Self { rest: stream, shared: Some(stream), beyond: 0 }
    }

    /// The elements of a stream that begins with `window`, behind which there are `beyond` bytes more.
    pub(super) const fn before(window: &'a [u8], beyond: u64) -> Self {
        Self { rest: window, shared: None, beyond }
    }

    /// What follows the last element.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Why `bytes` cannot be taken.
    fn short(&self, bytes: usize, why: &'static str) -> FastTransferError {
        if self.beyond > 0 && bytes as u64 <= self.rest.len() as u64 + self.beyond { CUT } else { Damaged(why) }
    }

    pub(super) fn element(&mut self) -> Result<Element, FastTransferError> {
        let definition = self.u32()?;
        if let Some(marker) = Marker::from_code(definition) {
            return Ok(Element::Marker(marker));
        }
        let (kind, id) = (definition as u16, (definition >> 16) as u16);
        let key = if id < NAMED_IDS_START { PropertyKey::Tag(id) } else { self.name()? };
        Ok(match self.value(kind)? {
            Some(value) => Element::Property(key, value),
            None => Element::Object(key),
        })
    }

    /// The name behind an id that only the sender knows.
    fn name(&mut self) -> Result<PropertyKey, FastTransferError> {
        let set = Guid(self.array()?);
        match self.array()? {
            [0] => Ok(PropertyKey::Lid(set, self.u32()?)),
            [1] => {
                let (units, _) = self.rest.as_chunks::<2>();
                let length = units
                    .iter()
                    .position(|unit| *unit == [0, 0])
                    .ok_or(self.short(0, "property name not terminated"))?;
                let name = self.take(2 * length)?;
                self.take(2)?;
                Ok(PropertyKey::name(set, enc::UTF_16LE.decode_without_bom_handling(name).0))
            }
            _ => Err(Damaged("unknown name kind")),
        }
    }

    /// A value of type `kind`; `None` is an object.
    fn value(&mut self, kind: u16) -> Result<Option<Value>, FastTransferError> {
        if kind & CODE_PAGE_BIT != 0 {
            return self.code_page_text(kind & !CODE_PAGE_BIT).map(Some);
        }
        Ok(Some(match kind {
            0x0002 => Value::I16(i16::from_le_bytes(self.array()?)),
            0x0003 => Value::I32(i32::from_le_bytes(self.array()?)),
            0x0004 => Value::F32(f32::from_le_bytes(self.array()?)),
            0x0005 => Value::F64(f64::from_le_bytes(self.array()?)),
            0x0006 => Value::Currency(i64::from_le_bytes(self.array()?)),
            0x0007 => Value::FloatTime(f64::from_le_bytes(self.array()?)),
            0x000a => Value::Error(u32::from_le_bytes(self.array()?)),
            0x000b => Value::Bool(self.array()? != [0, 0]),
            0x0014 => Value::I64(i64::from_le_bytes(self.array()?)),
            0x0040 => Value::Time(Time(i64::from_le_bytes(self.array()?))),
            0x0048 => Value::Guid(Guid(self.array()?)),
            0x001e => Value::Text(self.text(enc::WINDOWS_1252)?),
            0x001f => Value::Text(self.text(enc::UTF_16LE)?),
            0x0102 => Value::Binary(self.binary()?),
            0x00fb => Value::ServerId(self.binary()?),
            0x000d => {
                self.counted()?;
                return Ok(None);
            }
            0x1002 => Value::I16s(self.list(i16::from_le_bytes)?),
            0x1003 => Value::I32s(self.list(i32::from_le_bytes)?),
            0x1004 => Value::F32s(self.list(f32::from_le_bytes)?),
            0x1005 => Value::F64s(self.list(f64::from_le_bytes)?),
            0x1006 => Value::Currencies(self.list(i64::from_le_bytes)?),
            0x1007 => Value::FloatTimes(self.list(f64::from_le_bytes)?),
            0x1014 => Value::I64s(self.list(i64::from_le_bytes)?),
            0x1040 => Value::Times(self.list(|bytes| Time(i64::from_le_bytes(bytes)))?),
            0x1048 => Value::Guids(self.list(Guid)?),
            0x101e => Value::Texts(self.pieces(|lexer| lexer.text(enc::WINDOWS_1252))?),
            0x101f => Value::Texts(self.pieces(|lexer| lexer.text(enc::UTF_16LE))?),
            0x1102 => Value::Binaries(self.pieces(Self::binary)?),
            _ => return Err(Damaged("unknown property type")),
        }))
    }

    fn code_page_text(&mut self, code_page: u16) -> Result<Value, FastTransferError> {
        if let Some(encoding) = encoding(code_page) {
            return self.text(encoding).map(Value::Text);
        }
        let encoding = encoding(code_page & !MULTIPLE_BIT).ok_or(Damaged("unknown code page"))?;
        self.pieces(|lexer| lexer.text(encoding)).map(Value::Texts)
    }

    /// Text with its length in bytes and its terminator. A length of 0 is taken for the empty text.
    fn text(&mut self, encoding: &'static Encoding) -> Result<String, FastTransferError> {
        let bytes = self.counted()?;
        let terminator: &[u8] = if encoding == enc::UTF_16LE { &[0, 0] } else { &[0] };
        if bytes.len() % terminator.len() != 0 {
            return Err(Damaged("text of odd length"));
        }
        if bytes.is_empty() {
            return Ok(String::new());
        }
        let bytes = bytes.strip_suffix(terminator).ok_or(Damaged("text not terminated"))?;
        Ok(encoding.decode_without_bom_handling(bytes).0.into_owned())
    }

    fn binary(&mut self) -> Result<Bytes, FastTransferError> {
        let bytes = self.counted()?;
        Ok(match self.shared {
            Some(stream) if bytes.len() >= SHARED_BYTES_MIN => stream.slice_ref(bytes),
            Some(_) | None => Bytes::copy_from_slice(bytes),
        })
    }

    fn list<const N: usize, T>(&mut self, read: impl Fn([u8; N]) -> T) -> Result<Vec<T>, FastTransferError> {
        let length = (self.u32()? as usize).checked_mul(N).ok_or(Damaged("count exceeds data"))?;
        let (chunks, _) = self.take(length)?.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| read(*chunk)).collect())
    }

    fn pieces<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, FastTransferError>,
    ) -> Result<Vec<T>, FastTransferError> {
        let count = self.u32()? as usize;
        // Each piece has a length of four bytes at least.
        if count > self.rest.len() / 4 {
            return Err(self.short(count.saturating_mul(4), "count exceeds data"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    fn counted(&mut self) -> Result<&'a [u8], FastTransferError> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn u32(&mut self) -> Result<u32, FastTransferError> {
        self.array().map(u32::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FastTransferError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(self.short(N, "value cut short"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FastTransferError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(self.short(length, "length exceeds data"))?;
        self.rest = rest;
        Ok(head)
    }
}

impl Iterator for Lexer<'_> {
    type Item = Result<Element, FastTransferError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let element = self.element();
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

/// The encoding of a Windows code page. UTF-7, UTF-8 (whose numbers do not fit) and EBCDIC are not known.
fn encoding(code_page: u16) -> Option<&'static Encoding> {
    Some(match code_page {
        1200 => enc::UTF_16LE,
        866 => enc::IBM866,
        874 => enc::WINDOWS_874,
        932 => enc::SHIFT_JIS,
        936 => enc::GBK,
        949 => enc::EUC_KR,
        950 => enc::BIG5,
        1250 => enc::WINDOWS_1250,
        1251 => enc::WINDOWS_1251,
        1252 | 20127 | 28591 => enc::WINDOWS_1252,
        1253 => enc::WINDOWS_1253,
        1254 | 28599 => enc::WINDOWS_1254,
        1255 => enc::WINDOWS_1255,
        1256 => enc::WINDOWS_1256,
        1257 => enc::WINDOWS_1257,
        1258 => enc::WINDOWS_1258,
        10000 => enc::MACINTOSH,
        10007 => enc::X_MAC_CYRILLIC,
        20866 => enc::KOI8_R,
        20932 => enc::EUC_JP,
        21866 => enc::KOI8_U,
        28592 => enc::ISO_8859_2,
        28593 => enc::ISO_8859_3,
        28594 => enc::ISO_8859_4,
        28595 => enc::ISO_8859_5,
        28596 => enc::ISO_8859_6,
        28597 => enc::ISO_8859_7,
        28598 => enc::ISO_8859_8,
        28603 => enc::ISO_8859_13,
        28605 => enc::ISO_8859_15,
        _ => return None,
    })
}
