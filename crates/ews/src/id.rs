//! Ids and change keys on the wire.
//!
//! An id is base64 of one byte (1 where the rest is run-length coded), a storage type, a moniker that names the mailbox,
//! a processing byte, an EntryID and, for attachments, the path of their numbers. A change key is base64 of the object
//! type and, where there is a version, 22 bytes of GUID and position.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Precondition;
use mapi::entry_id::{EntryId, folder_entry_id, message_entry_id};
use model::{CollectionId, Guid, ItemId, Seq, limits};
use xml::{Node, Writer};

use crate::series::{Occurrence, Series};
use crate::{Failure, Fault, ResponseCode, request};

/// Bytes of a decoded id after its first byte.
const ID_BYTES_MAX: usize = 383;
/// Characters of an id.
const ID_CHARS_MAX: usize = 512;
/// Bytes of a moniker.
const MONIKER_BYTES_MAX: usize = 255;
/// Bytes of the version in a change key: a GUID and six of counter.
const VERSION_BYTES: u32 = 0x16;

/// Which mailbox an id names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MailboxId {
    /// The caller's.
    Own,
    /// By address.
    Address(String),
    /// By GUID.
    Guid(Guid),
}

/// The object type of appointments, in change keys.
pub(crate) const CALENDAR_ITEM_OBJECT: u32 = 15;
/// What an id says after its moniker where it is one of an occurrence: the EntryID then ends with a date.
const OCCURRENCE: u8 = 1;

/// A decoded id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParsedId {
    /// The mailbox.
    pub(crate) mailbox: MailboxId,
    /// The folder or message in it.
    pub(crate) entry: EntryId,
    /// Numbers of attachments inside one another, outermost first; empty for anything but an attachment.
    pub(crate) attachment: Vec<u32>,
    /// The day that names an occurrence of the series that the message is the master of, in days since 1601-01-01.
    pub(crate) occurrence: Option<u32>,
}

/// The id of an item in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemRef {
    /// The mailbox.
    pub(crate) mailbox: MailboxId,
    /// The folder that held it when the id was made.
    pub(crate) folder: CollectionId,
    /// The item.
    pub(crate) item: ItemId,
    /// The version.
    pub(crate) key: ChangeKey,
    /// The occurrence of the series that the item is the master of; see [`ParsedId::occurrence`].
    pub(crate) occurrence: Option<u32>,
    /// The id as it came.
    pub(crate) text: String,
}

/// A folder in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FolderRef {
    /// The mailbox.
    pub(crate) mailbox: MailboxId,
    /// The folder in it.
    pub(crate) target: FolderTarget,
}

/// How a request names a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FolderTarget {
    /// By id.
    Id(CollectionId),
    /// By distinguished name.
    Distinguished(&'static str),
}

/// What a request says about the version it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChangeKey {
    /// No key.
    Absent,
    /// A key with the object type only.
    Bare,
    /// A key of the version at that position.
    At(Seq),
    /// A well-formed key that is none of ours; no version matches it.
    Foreign,
}

impl ChangeKey {
    /// Reads the attribute.
    ///
    /// # Errors
    /// `ErrorInvalidChangeKey` where it is not a key.
    pub(crate) fn read(text: Option<&str>, mailbox: &MailboxId) -> Result<Self, Failure> {
        let Some(text) = text else { return Ok(Self::Absent) };
        let invalid = || Failure::new(ResponseCode::ErrorInvalidChangeKey);
        let bytes = STANDARD.decode(text.trim()).map_err(|_| invalid())?;
        match bytes.as_slice() {
            [_, _, _, _] => Ok(Self::Bare),
            [_, _, _, _, length @ ..] if length.len() == 4 + VERSION_BYTES as usize => {
                let (Some((size, version)), true) = (length.split_first_chunk::<4>(), true) else {
                    return Err(invalid());
                };
                if u32::from_le_bytes(*size) != VERSION_BYTES {
                    return Err(invalid());
                }
                let Some((guid, counter)) = version.split_first_chunk::<16>() else { return Err(invalid()) };
                let mut number = [0_u8; 8];
                for (slot, byte) in number.iter_mut().skip(2).zip(counter) {
                    *slot = *byte;
                }
                match mailbox {
                    MailboxId::Guid(own) if own.0 != *guid => Ok(Self::Foreign),
                    MailboxId::Guid(_) | MailboxId::Own | MailboxId::Address(_) => {
                        Ok(Self::At(Seq(u64::from_be_bytes(number))))
                    }
                }
            }
            _ => Err(invalid()),
        }
    }

    /// What the engine checks: a missing or bare key means any version.
    pub(crate) const fn precondition(self) -> Precondition {
        match self {
            Self::Absent | Self::Bare => Precondition::Any,
            Self::At(seq) => Precondition::At(seq),
            // Items begin at 1, so no version is at 0.
            Self::Foreign => Precondition::At(Seq::ZERO),
        }
    }

    /// Whether it names a version.
    pub(crate) const fn is_version(self) -> bool {
        matches!(self, Self::At(_) | Self::Foreign)
    }
}

/// A change key with the object type only.
pub(crate) fn bare_change_key(object_type: u32) -> String {
    STANDARD.encode(object_type.to_le_bytes())
}

/// A change key of the version at `seq`.
pub(crate) fn change_key(object_type: u32, mailbox: Guid, seq: Seq) -> String {
    let mut bytes = Vec::with_capacity(30);
    bytes.extend(object_type.to_le_bytes());
    bytes.extend(VERSION_BYTES.to_le_bytes());
    bytes.extend(mailbox.0);
    let [_, _, counter @ ..] = seq.0.to_be_bytes();
    bytes.extend(counter);
    STANDARD.encode(bytes)
}

/// The id of a folder.
pub(crate) fn folder_id(mailbox: Guid, folder: CollectionId) -> String {
    encode(mailbox, &folder_entry_id(mailbox, folder), &[])
}

/// The id of an item.
pub(crate) fn item_id(mailbox: Guid, folder: CollectionId, item: ItemId) -> String {
    encode(mailbox, &message_entry_id(mailbox, folder, item), &[])
}

/// The id of an occurrence of a series, by the day on which the pattern has it.
pub(crate) fn occurrence_id(mailbox: Guid, folder: CollectionId, item: ItemId, day: u32) -> String {
    let civil = mapi::recurrence::time_of(day).civil();
    let mut entry = message_entry_id(mailbox, folder, item).to_vec();
    entry.extend((civil.year as u16).to_le_bytes());
    entry.extend([civil.month, civil.day]);
    encode_as(OCCURRENCE, mailbox, &entry, &[])
}

/// The id of an attachment; `path` as in [`ParsedId::attachment`].
pub(crate) fn attachment_id(mailbox: Guid, folder: CollectionId, item: ItemId, path: &[u32]) -> String {
    encode(mailbox, &message_entry_id(mailbox, folder, item), path)
}

/// The id of a conversation, of storage type 4.
pub(crate) fn conversation_id(mailbox: Guid, conversation: &[u8]) -> String {
    let mut bytes = vec![0, 4];
    moniker(mailbox, &mut bytes);
    bytes.push(0);
    bytes.extend((conversation.len() as u16).to_le_bytes());
    bytes.extend(conversation);
    STANDARD.encode(bytes)
}

fn moniker(mailbox: Guid, out: &mut Vec<u8>) {
    let text = mailbox.to_string();
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
}

fn encode(mailbox: Guid, entry: &[u8], path: &[u32]) -> String {
    encode_as(0, mailbox, entry, path)
}

fn encode_as(processing: u8, mailbox: Guid, entry: &[u8], path: &[u32]) -> String {
    let mut bytes = Vec::with_capacity(128);
    bytes.extend([0, 3]);
    moniker(mailbox, &mut bytes);
    bytes.push(processing);
    bytes.extend((entry.len() as u16).to_le_bytes());
    bytes.extend(entry);
    if !path.is_empty() {
        bytes.push(path.len() as u8);
        for number in path {
            bytes.extend(4_u16.to_le_bytes());
            bytes.extend(number.to_le_bytes());
        }
    }
    STANDARD.encode(bytes)
}

/// Reads an id that this server may have made, in any of the forms clients hold.
///
/// # Errors
/// `ErrorInvalidIdEmpty`, `ErrorInvalidIdMalformed` and their kin; `ErrorItemNotFound` where it is an id of something
/// that never was here.
pub(crate) fn parse(text: &str) -> Result<ParsedId, Failure> {
    let malformed = || Failure::new(ResponseCode::ErrorInvalidIdMalformed);
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::new(ResponseCode::ErrorInvalidIdEmpty));
    }
    if text.len() > ID_CHARS_MAX {
        return Err(malformed());
    }
    let bytes = STANDARD.decode(text).map_err(|_| malformed())?;
    let Some((compression, body)) = bytes.split_first() else { return Err(malformed()) };
    let body = match compression {
        0 if body.len() <= ID_BYTES_MAX => body.to_vec(),
        1 => expand(body).ok_or_else(malformed)?,
        _ => return Err(malformed()),
    };
    let mut reader = Reader(&body);
    let kind = reader.byte().ok_or_else(malformed)?;
    let moniker = reader.counted().ok_or_else(malformed)?;
    if moniker.len() > MONIKER_BYTES_MAX {
        return Err(Failure::new(ResponseCode::ErrorInvalidIdMonikerTooLong));
    }
    let moniker = std::str::from_utf8(moniker).map_err(|_| malformed())?;
    let mailbox = match kind {
        0 => MailboxId::Address(moniker.to_owned()),
        3 => MailboxId::Guid(moniker.parse().map_err(|_| malformed())?),
        _ => return Err(malformed()),
    };
    let processing = reader.byte().filter(|processing| *processing <= 2).ok_or_else(malformed)?;
    let entry = reader.counted().ok_or_else(malformed)?;
    let (entry, occurrence) = match entry.split_last_chunk::<4>() {
        Some((entry, date)) if processing == OCCURRENCE && entry.len() == 70 => (entry, Some(day_of(*date))),
        Some(_) | None => (entry, None),
    };
    let attachment = reader.attachments().ok_or_else(malformed)?;
    let entry = match EntryId::decode(entry) {
        Ok(entry) => entry,
        // The mailbox is looked at first: where it is not ours, that is what the client has to hear.
        Err(_) if matches!(mailbox, MailboxId::Guid(_)) && matches!(entry.len(), 46 | 70) => {
            foreign_entry(&mailbox, entry).ok_or_else(malformed)?
        }
        Err(_) => return Err(malformed()),
    };
    Ok(ParsedId { mailbox, entry, attachment, occurrence })
}

/// The day of a date: year, month, day.
fn day_of([low, high, month, day]: [u8; 4]) -> u32 {
    let year = i64::from(u16::from_le_bytes([low, high]));
    mapi::recurrence::day_of(model::Time::from_date(year, month.clamp(1, 12), day.clamp(1, 31)))
}

/// An EntryID of another server: its mailbox is looked up, and nothing in it can be found.
fn foreign_entry(mailbox: &MailboxId, entry: &[u8]) -> Option<EntryId> {
    let MailboxId::Guid(mailbox) = mailbox else { return None };
    let kind = entry.get(20..22)?;
    match (kind, entry.len()) {
        ([1, 0], 46) => Some(EntryId::Folder { mailbox: *mailbox, folder: CollectionId(0) }),
        ([7, 0], 70) => Some(EntryId::Message { mailbox: *mailbox, folder: CollectionId(0), item: ItemId(0) }),
        _ => None,
    }
}

/// Undoes the run-length coding: two equal bytes are followed by the number of further ones.
fn expand(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    let mut previous = None;
    while let Some(byte) = bytes.next() {
        out.push(*byte);
        if previous == Some(*byte) {
            out.extend(std::iter::repeat_n(*byte, usize::from(*bytes.next()?)));
            previous = None;
        } else {
            previous = Some(*byte);
        }
        if out.len() > ID_BYTES_MAX {
            return None;
        }
    }
    Some(out)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn counted(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<2>()?;
        let (bytes, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        self.0 = rest;
        Some(bytes)
    }

    /// The attachment list at the end, which may be missing.
    fn attachments(&mut self) -> Option<Vec<u32>> {
        let mut path = Vec::new();
        if self.0.is_empty() {
            return Some(path);
        }
        let count = usize::from(self.byte()?);
        if count > limits::EMBED_DEPTH_MAX {
            return None;
        }
        for _ in 0..count {
            path.push(u32::from_le_bytes(self.counted()?.try_into().ok()?));
        }
        self.0.is_empty().then_some(path)
    }
}

impl ItemRef {
    /// Reads an `ItemId` element that names a whole item.
    pub(crate) fn read(node: Node<'_>) -> Result<Self, Failure> {
        Self::read_any(node)?.whole()
    }

    /// Reads an `ItemId` element that may name an occurrence.
    pub(crate) fn read_any(node: Node<'_>) -> Result<Self, Failure> {
        Self::by_id(node.attribute("Id").unwrap_or_default(), node.attribute("ChangeKey"))
    }

    fn by_id(text: &str, key: Option<&str>) -> Result<Self, Failure> {
        let parsed = parse(text)?;
        let key = ChangeKey::read(key, &parsed.mailbox)?;
        if !parsed.attachment.is_empty() {
            return Err(Failure::new(ResponseCode::ErrorInvalidId));
        }
        let occurrence = parsed.occurrence;
        match parsed.entry {
            EntryId::Message { folder, item, .. } => {
                Ok(Self { mailbox: parsed.mailbox, folder, item, key, occurrence, text: text.to_owned() })
            }
            EntryId::Folder { .. } => Err(Failure::new(ResponseCode::ErrorInvalidId)),
        }
    }

    /// This id, where it names a whole item.
    ///
    /// # Errors
    /// `ErrorCalendarCannotUseIdForOccurrenceId` where it names an occurrence.
    pub(crate) fn whole(self) -> Result<Self, Failure> {
        match self.occurrence {
            None => Ok(self),
            Some(_) => Err(Failure::new(ResponseCode::ErrorCalendarCannotUseIdForOccurrenceId)),
        }
    }

    /// Reads the ids of a batch; each that cannot be read fails alone. Occurrences are not taken.
    pub(crate) fn read_batch(node: Node<'_>) -> Result<Vec<Result<Self, Failure>>, Fault> {
        let ids = Self::read_batch_any(node)?;
        Ok(ids.into_iter().map(|id| id.and_then(|id| id.plain()?.whole())).collect())
    }

    /// Reads the ids of a batch, those of occurrences and of the master of an occurrence too.
    pub(crate) fn read_batch_any(node: Node<'_>) -> Result<Vec<Result<AnyId, Failure>>, Fault> {
        request::batch(node)?.into_iter().map(AnyId::read).collect()
    }
}

/// How a request names an item or an occurrence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnyId {
    /// By its own id.
    Id(ItemRef),
    /// By its number in the series of a master, from 1 on.
    Number(ItemRef, usize),
    /// The master of an occurrence.
    MasterOf(ItemRef),
}

impl AnyId {
    /// Reads any of the elements that name an item. The outer error is a fault, the inner one of the id.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        let key = node.attribute("ChangeKey");
        match node.local() {
            "ItemId" => {
                request::attribute(node, "Id")?;
                Ok(ItemRef::read_any(node).map(Self::Id))
            }
            "OccurrenceItemId" => {
                let text = request::attribute(node, "RecurringMasterId")?;
                let number = request::integer_attribute(node, "InstanceIndex", i32::MIN, i32::MAX)?;
                let number = number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
                let master = ItemRef::by_id(text, key).and_then(|id| match id.occurrence {
                    None => Ok(id),
                    Some(_) => Err(Failure::new(ResponseCode::ErrorCalendarCannotUseIdForRecurringMasterId)),
                });
                Ok(master.map(|id| Self::Number(id, number)))
            }
            "RecurringMasterItemId" => {
                let text = request::attribute(node, "OccurrenceId")?;
                Ok(ItemRef::by_id(text, key).map(Self::MasterOf))
            }
            "RecurringMasterItemIdRanges" => Ok(Err(Failure::new(ResponseCode::ErrorItemNotFound))),
            other => Err(Fault::schema(node, other, "This element is not expected here.")),
        }
    }

    /// The id, where it is an item's own.
    fn plain(self) -> Result<ItemRef, Failure> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Number(..) | Self::MasterOf(_) => {
                Err(Failure::new(ResponseCode::ErrorCalendarCannotUseIdForOccurrenceId))
            }
        }
    }

    /// Whether it is the id of a whole item, nothing else.
    pub(crate) const fn is_plain(&self) -> bool {
        matches!(self, Self::Id(ItemRef { occurrence: None, .. }))
    }

    /// The item that it leads to: that one, or the master.
    pub(crate) const fn item(&self) -> &ItemRef {
        match self {
            Self::Id(id) | Self::Number(id, _) | Self::MasterOf(id) => id,
        }
    }

    /// The day of the occurrence that is meant; `None` for a whole item.
    ///
    /// # Errors
    /// `ErrorCalendarCannotUseIdForRecurringMasterId` where the series that is meant is none,
    /// `ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange` for a number that it has not,
    /// `ErrorCalendarOccurrenceIsDeletedFromRecurrence` for one that was deleted.
    pub(crate) fn occurrence(&self, series: Option<&Series>) -> Result<Option<Occurrence>, Failure> {
        let day = match self {
            Self::Id(id) => id.occurrence,
            Self::MasterOf(id) if id.occurrence.is_none() && series.is_none() => {
                return Err(Failure::new(ResponseCode::ErrorCalendarCannotUseIdForOccurrenceId));
            }
            Self::MasterOf(_) => None,
            Self::Number(_, number) => {
                let series = series.ok_or(ResponseCode::ErrorCalendarCannotUseIdForRecurringMasterId)?;
                let day = series.day_of_number(*number);
                Some(day.ok_or(ResponseCode::ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange)?)
            }
        };
        let Some(day) = day else { return Ok(None) };
        let found = series.and_then(|series| series.on_day(day));
        match (found, series) {
            (Some(found), _) => Ok(Some(found)),
            (None, Some(series)) if series.pattern.recurrence.falls_on(day) => {
                Err(ResponseCode::ErrorCalendarOccurrenceIsDeletedFromRecurrence.into())
            }
            (None, _) => Err(ResponseCode::ErrorItemNotFound.into()),
        }
    }
}

impl FolderRef {
    /// A distinguished folder of the caller.
    pub(crate) const fn own(name: &'static str) -> Self {
        Self { mailbox: MailboxId::Own, target: FolderTarget::Distinguished(name) }
    }

    /// Reads a `FolderId` or `DistinguishedFolderId` element. The outer error is a fault, the inner one of the id.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        match node.local() {
            "FolderId" => {
                let text = request::attribute(node, "Id")?;
                Ok(Self::by_id(text, node.attribute("ChangeKey")))
            }
            "DistinguishedFolderId" => {
                let text = request::attribute(node, "Id")?;
                let Some(known) = engine::DISTINGUISHED.iter().find(|known| known.name == text) else {
                    let datatype = "DistinguishedFolderIdNameType";
                    return Err(Fault::value(node, text, datatype, "The Enumeration constraint failed."));
                };
                let address = node.child_local("Mailbox").and_then(|mailbox| mailbox.child_local("EmailAddress"));
                let mailbox = match address {
                    Some(address) => MailboxId::Address(address.text().trim().to_owned()),
                    None => MailboxId::Own,
                };
                Ok(Ok(Self { mailbox, target: FolderTarget::Distinguished(known.name) }))
            }
            "AddressListId" => Ok(Err(Failure::new(ResponseCode::ErrorFolderNotFound))),
            other => Err(Fault::schema(node, other, "This element is not expected here.")),
        }
    }

    /// The folder that the only child of a `TargetFolderId` names.
    pub(crate) fn read_target(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        Self::read(request::only(node)?)
    }

    /// Reads the ids of a batch.
    pub(crate) fn read_batch(node: Node<'_>) -> Result<Vec<Result<Self, Failure>>, Fault> {
        request::batch(node)?.into_iter().map(Self::read).collect()
    }

    /// The folder that an id and the change key beside it name.
    pub(crate) fn by_id(text: &str, key: Option<&str>) -> Result<Self, Failure> {
        let parsed = parse(text)?;
        ChangeKey::read(key, &parsed.mailbox)?;
        match parsed.entry {
            EntryId::Folder { folder, .. } => Ok(Self { mailbox: parsed.mailbox, target: FolderTarget::Id(folder) }),
            EntryId::Message { .. } => Err(Failure::new(ResponseCode::ErrorInvalidFolderId)),
        }
    }
}

/// Writes an id element.
pub(crate) fn write(out: &mut Writer, element: &'static str, id: &str, change_key: Option<&str>) {
    out.start(element);
    out.attribute("Id", id);
    if let Some(key) = change_key {
        out.attribute("ChangeKey", key);
    }
    out.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAILBOX: Guid = Guid::new(0x0102_0304, 0x0506, 0x4708, [0x89, 0x0a, 0, 0, 0, 0, 0, 1]);

    /// The run-length coding, as old ids carry it.
    fn compress(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let run = bytes[at..].iter().take_while(|byte| **byte == bytes[at]).take(257).count();
            out.push(bytes[at]);
            if run > 1 {
                out.extend([bytes[at], (run - 2) as u8]);
            }
            at += run;
        }
        out
    }

    #[test]
    fn ids_round_trip_in_both_forms() {
        let item = EntryId::Message { mailbox: MAILBOX, folder: CollectionId(7), item: ItemId(0x0102_0304_0506) };
        let folder = EntryId::Folder { mailbox: MAILBOX, folder: CollectionId(7) };
        for (text, entry, path) in [
            (item_id(MAILBOX, CollectionId(7), ItemId(0x0102_0304_0506)), item, vec![]),
            (folder_id(MAILBOX, CollectionId(7)), folder, vec![]),
            (attachment_id(MAILBOX, CollectionId(7), ItemId(0x0102_0304_0506), &[3, 0]), item, vec![3, 0]),
        ] {
            assert!(text.starts_with("AAMk"), "{text}");
            let parsed = parse(&text).unwrap();
            assert_eq!(
                parsed,
                ParsedId { mailbox: MailboxId::Guid(MAILBOX), entry, attachment: path, occurrence: None }
            );
            let bytes = STANDARD.decode(&text).unwrap();
            let compressed = STANDARD.encode([&[1][..], &compress(&bytes[1..])].concat());
            assert!(compressed.starts_with("AQMk"));
            assert_eq!(parse(&compressed).unwrap(), parsed);
        }
    }

    #[test]
    fn wrong_ids_are_told_apart() {
        use ResponseCode as Code;
        for (text, code) in [
            ("", Code::ErrorInvalidIdEmpty),
            ("  ", Code::ErrorInvalidIdEmpty),
            ("AAMk=", Code::ErrorInvalidIdMalformed),
            ("DUMMY", Code::ErrorInvalidIdMalformed),
            ("AAMk", Code::ErrorInvalidIdMalformed),
            ("AQApAHRAA==", Code::ErrorInvalidIdMalformed),
            (&"A".repeat(516), Code::ErrorInvalidIdMalformed),
        ] {
            assert_eq!(parse(text).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn change_keys_round_trip() {
        let mailbox = MailboxId::Guid(MAILBOX);
        let key = change_key(9, MAILBOX, Seq(77));
        assert!(key.starts_with("CQAAABYAAA"));
        assert_eq!(ChangeKey::read(Some(&key), &mailbox), Ok(ChangeKey::At(Seq(77))));
        assert_eq!(ChangeKey::read(Some(&change_key(9, Guid::NIL, Seq(77))), &mailbox), Ok(ChangeKey::Foreign));
        assert_eq!(ChangeKey::read(Some(&bare_change_key(9)), &mailbox), Ok(ChangeKey::Bare));
        assert_eq!(bare_change_key(9), "CQAAAA==");
        assert_eq!(ChangeKey::read(None, &mailbox), Ok(ChangeKey::Absent));
        for bad in ["", "CQAAABY", "????", "CQAAAAE="] {
            assert_eq!(ChangeKey::read(Some(bad), &mailbox).unwrap_err().code, ResponseCode::ErrorInvalidChangeKey);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_id_makes_it_fail(text in "[A-Za-z0-9+/=]{0,600}") {
            let _ = parse(&text);
        }
    }
}
