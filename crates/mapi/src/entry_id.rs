//! EntryIDs: of folders and messages (MS-OXCDATA 2.2.4), of addresses without a directory entry (one-off, 2.2.5.1),
//! and lists of them (2.3.3).
//!
//! It must not know who may open what an EntryID names.

use encoding_rs::WINDOWS_1252;
use model::{CollectionId, Guid, ItemId, limits::RECIPIENTS_MAX};

/// Bytes of a folder EntryID.
pub const FOLDER_ENTRY_ID_BYTES: usize = 46;
/// Bytes of a message EntryID.
pub const MESSAGE_ENTRY_ID_BYTES: usize = 70;
/// Ids from here on do not fit the six-byte counter of an EntryID.
pub const COUNTER_END: u64 = 1 << 48;

const FOLDER_TYPE: u16 = 1;
const MESSAGE_TYPE: u16 = 7;
/// The provider of one-off EntryIDs.
const ONE_OFF_PROVIDER: [u8; 16] =
    [0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0, 0xdd, 0x01, 0x0f, 0x54, 0x02];
const ONE_OFF_VERSION: u16 = 0;
const ONE_OFF_UNICODE: u16 = 0x8000;
/// Unicode, not to be looked up in a directory, no rich text for this recipient.
const ONE_OFF_FLAGS: u16 = ONE_OFF_UNICODE | 0x1000 | 0x0001;

/// What an EntryID of a mailbox names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EntryId {
    /// A folder.
    Folder {
        /// The mailbox.
        mailbox: Guid,
        /// The folder in it.
        folder: CollectionId,
    },
    /// A message.
    Message {
        /// The mailbox.
        mailbox: Guid,
        /// The folder that held it when the EntryID was made.
        folder: CollectionId,
        /// The message.
        item: ItemId,
    },
}

/// An address that stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OneOff {
    /// Display name.
    pub name: String,
    /// Address type, `SMTP` for mail.
    pub address_type: String,
    /// The address.
    pub address: String,
}

/// Why an EntryID could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryIdError {
    /// Well formed as far as seen, but made by somebody else.
    #[error("entry id of another provider")]
    Foreign,
    /// Too short, too long, or contradicting itself.
    #[error("damaged entry id")]
    Damaged,
}

/// The GUID that stands for the database of `mailbox` inside its EntryIDs: the same bytes but for the first bit, so
/// that an EntryID can be checked without a look-up.
const fn database_guid(mailbox: Guid) -> Guid {
    let mut bytes = mailbox.0;
    bytes[0] ^= 1;
    Guid(bytes)
}

fn counter(id: u64) -> [u8; 6] {
    let [_, _, rest @ ..] = id.to_be_bytes();
    rest
}

/// The EntryID of a folder: flags, store GUID, type, database GUID, counter, padding. `folder` is below
/// [`COUNTER_END`]; higher bits are dropped.
pub fn folder_entry_id(mailbox: Guid, folder: CollectionId) -> Vec<u8> {
    let mut out = Vec::with_capacity(FOLDER_ENTRY_ID_BYTES);
    head(mailbox, FOLDER_TYPE, &mut out);
    object(mailbox, folder.0, &mut out);
    out
}

/// The EntryID of a message: that of its folder with another type, then database GUID, counter and padding of the
/// message. Both ids are below [`COUNTER_END`]; higher bits are dropped.
pub fn message_entry_id(mailbox: Guid, folder: CollectionId, item: ItemId) -> Vec<u8> {
    let mut out = Vec::with_capacity(MESSAGE_ENTRY_ID_BYTES);
    head(mailbox, MESSAGE_TYPE, &mut out);
    object(mailbox, folder.0, &mut out);
    object(mailbox, item.0, &mut out);
    out
}

fn head(mailbox: Guid, kind: u16, out: &mut Vec<u8>) {
    out.extend([0; 4]);
    out.extend(mailbox.0);
    out.extend(kind.to_le_bytes());
}

fn object(mailbox: Guid, id: u64, out: &mut Vec<u8>) {
    out.extend(database_guid(mailbox).0);
    out.extend(counter(id));
    out.extend([0; 2]);
}

impl EntryId {
    /// Reads what [`folder_entry_id`] or [`message_entry_id`] wrote.
    ///
    /// # Errors
    /// [`EntryIdError::Damaged`] on any other length or type; [`EntryIdError::Foreign`] where the database GUID is not
    /// that of the mailbox.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryIdError> {
        let mut reader = Reader(bytes);
        let _flags = reader.array::<4>()?;
        let mailbox = Guid(reader.array()?);
        let kind = u16::from_le_bytes(reader.array()?);
        let folder = CollectionId(reader.object(mailbox)?);
        let decoded = match kind {
            FOLDER_TYPE => Self::Folder { mailbox, folder },
            MESSAGE_TYPE => Self::Message { mailbox, folder, item: ItemId(reader.object(mailbox)?) },
            _ => return Err(EntryIdError::Damaged),
        };
        if reader.0.is_empty() { Ok(decoded) } else { Err(EntryIdError::Damaged) }
    }
}

impl OneOff {
    /// A mail address.
    pub fn smtp(name: impl Into<String>, address: impl Into<String>) -> Self {
        Self { name: name.into(), address_type: "SMTP".into(), address: address.into() }
    }

    /// The one-off EntryID, in UTF-16. A NUL inside a text ends it.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        out.extend(ONE_OFF_PROVIDER);
        out.extend(ONE_OFF_VERSION.to_le_bytes());
        out.extend(ONE_OFF_FLAGS.to_le_bytes());
        for text in [&self.name, &self.address_type, &self.address] {
            for unit in text.encode_utf16().take_while(|unit| *unit != 0) {
                out.extend(unit.to_le_bytes());
            }
            out.extend([0; 2]);
        }
        out
    }

    /// Reads a one-off EntryID, in UTF-16 or else in code page 1252. A missing last terminator and bytes after it are
    /// tolerated.
    ///
    /// # Errors
    /// [`EntryIdError::Foreign`] where the provider is another; [`EntryIdError::Damaged`] where it is cut short.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryIdError> {
        let mut reader = Reader(bytes);
        let _flags = reader.array::<4>()?;
        if reader.array::<16>()? != ONE_OFF_PROVIDER {
            return Err(EntryIdError::Foreign);
        }
        let _version = reader.array::<2>()?;
        let unicode = u16::from_le_bytes(reader.array()?) & ONE_OFF_UNICODE != 0;
        let mut text = || if unicode { reader.wide_text() } else { reader.narrow_text() };
        let (name, address_type, address) = (text()?, text()?, text()?);
        Ok(Self { name, address_type, address })
    }
}

/// A FlatEntryList of one-off EntryIDs, as `PidTagReplyRecipientEntries` holds it.
pub fn encode_flat_entry_list(entries: &[OneOff]) -> Vec<u8> {
    let mut body = Vec::new();
    for entry in entries {
        let bytes = entry.encode();
        body.extend((bytes.len() as u32).to_le_bytes());
        body.extend(&bytes);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut out = (entries.len() as u32).to_le_bytes().to_vec();
    out.extend((body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

/// The one-off entries of a FlatEntryList, in order; entries of other providers are left out. At most
/// [`RECIPIENTS_MAX`] are read.
///
/// # Errors
/// [`EntryIdError::Damaged`] where a length runs past the end or an entry is damaged.
pub fn decode_flat_entry_list(bytes: &[u8]) -> Result<Vec<OneOff>, EntryIdError> {
    let mut reader = Reader(bytes);
    let count = u32::from_le_bytes(reader.array()?) as usize;
    let size = u32::from_le_bytes(reader.array()?) as usize;
    let mut reader = Reader(reader.take(size)?);
    let mut entries = Vec::new();
    for _ in 0..count.min(RECIPIENTS_MAX) {
        let length = u32::from_le_bytes(reader.array()?) as usize;
        match OneOff::decode(reader.take(length)?) {
            Ok(entry) => entries.push(entry),
            Err(EntryIdError::Foreign) => {}
            Err(error @ EntryIdError::Damaged) => return Err(error),
        }
        // The last entry may come without its padding.
        let padding = length.next_multiple_of(4) - length;
        reader.take(padding.min(reader.0.len()))?;
    }
    Ok(entries)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], EntryIdError> {
        let (head, rest) = self.0.split_at_checked(length).ok_or(EntryIdError::Damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], EntryIdError> {
        self.take(N)?.try_into().map_err(|_| EntryIdError::Damaged)
    }

    fn object(&mut self, mailbox: Guid) -> Result<u64, EntryIdError> {
        let database = Guid(self.array()?);
        let [a, b, c, d, e, f] = self.array()?;
        let _padding = self.array::<2>()?;
        if database == database_guid(mailbox) {
            Ok(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
        } else {
            Err(EntryIdError::Foreign)
        }
    }

    fn wide_text(&mut self) -> Result<String, EntryIdError> {
        let mut units = Vec::new();
        while !self.0.is_empty() {
            match u16::from_le_bytes(self.array()?) {
                0 => return Ok(String::from_utf16_lossy(&units)),
                unit => units.push(unit),
            }
        }
        if units.is_empty() { Err(EntryIdError::Damaged) } else { Ok(String::from_utf16_lossy(&units)) }
    }

    fn narrow_text(&mut self) -> Result<String, EntryIdError> {
        if self.0.is_empty() {
            return Err(EntryIdError::Damaged);
        }
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = self.take(length)?;
        self.take(1.min(self.0.len()))?;
        Ok(WINDOWS_1252.decode_without_bom_handling(text).0.into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAILBOX: Guid = Guid([7; 16]);

    #[test]
    fn layout_and_way_back() {
        let folder = folder_entry_id(MAILBOX, CollectionId(0x1234));
        assert_eq!(folder.len(), FOLDER_ENTRY_ID_BYTES);
        assert_eq!(folder[..4], [0; 4]);
        assert_eq!(folder[4..20], [7; 16]);
        assert_eq!(folder[20..22], [1, 0]);
        assert_eq!(folder[38..], [0, 0, 0, 0, 0x12, 0x34, 0, 0]);
        assert_eq!(EntryId::decode(&folder), Ok(EntryId::Folder { mailbox: MAILBOX, folder: CollectionId(0x1234) }));
        let message = message_entry_id(MAILBOX, CollectionId(5), ItemId(COUNTER_END - 1));
        assert_eq!(message.len(), MESSAGE_ENTRY_ID_BYTES);
        assert_eq!(message[20..22], [7, 0]);
        assert_eq!(
            EntryId::decode(&message),
            Ok(EntryId::Message { mailbox: MAILBOX, folder: CollectionId(5), item: ItemId(COUNTER_END - 1) })
        );
        for cut in 0..message.len() {
            assert!(EntryId::decode(&message[..cut]).is_err(), "{cut}");
        }
        let mut other = folder;
        other[4] ^= 0x40;
        assert_eq!(EntryId::decode(&other), Err(EntryIdError::Foreign));
    }

    #[test]
    fn one_off() {
        let bob = OneOff::smtp("Bób", "bob@example.com");
        let bytes = bob.encode();
        assert_eq!(bytes[20..26], [0, 0, 1, 0x90, b'B', 0]);
        assert_eq!(OneOff::decode(&bytes), Ok(bob.clone()));
        let mut narrow = bytes[..22].to_vec();
        narrow.extend(b"\x01\x00B\xf3b\0SMTP\0bob@example.com\0");
        assert_eq!(OneOff::decode(&narrow), Ok(bob));
        assert_eq!(OneOff::decode(&folder_entry_id(MAILBOX, CollectionId(1))), Err(EntryIdError::Foreign));
        for cut in 0..narrow.len() {
            let _ = OneOff::decode(&narrow[..cut]);
        }
    }

    #[test]
    fn flat_lists() {
        let list = [OneOff::smtp("A", "a@x"), OneOff::smtp("", "bc@x"), OneOff::default()];
        let bytes = encode_flat_entry_list(&list);
        assert_eq!(decode_flat_entry_list(&bytes).as_deref(), Ok(&list[..]));
        assert_eq!(decode_flat_entry_list(&encode_flat_entry_list(&[])), Ok(Vec::new()));
        assert_eq!(decode_flat_entry_list(&bytes[..bytes.len() - 1]), Err(EntryIdError::Damaged));
        assert_eq!(decode_flat_entry_list(&[0xff; 8]), Err(EntryIdError::Damaged));
        for cut in 0..bytes.len() {
            assert!(decode_flat_entry_list(&bytes[..cut]).is_err(), "{cut}");
        }
    }
}
