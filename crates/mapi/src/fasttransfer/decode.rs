//! From a payload to an item: the grammar of MS-OXCFXICS 2.2.4.3 `messageContent`.
//!
//! Order is free inside an object, since senders differ; markers must nest. This file must not know the bytes of
//! elements.

use model::{
    Attachment, AttachmentContent, Bag, Extent, ItemContent, PropertyKey, Rope, Value,
    limits::{ATTACHMENTS_MAX, EMBED_DEPTH_MAX, RECIPIENTS_MAX},
    tags,
};

use super::{
    FLAG_READ,
    FastTransferError::{self, Damaged, TooMany},
    PROPERTIES_MAX, frame, is_private, is_recomputed,
    lex::{self, Element, Lexer, Marker},
    window,
};

/// The code page of text that was turned into UTF-8.
const UTF_8_CODE_PAGE: i32 = 65_001;

/// An item read from a payload.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// The item. Without MIME, without properties that are computed, and without the read bit in
    /// [`tags::MESSAGE_FLAGS`]; embedded messages keep theirs.
    pub content: ItemContent,
    /// Whether the item is read.
    pub read: bool,
    /// Whether the recipients are all there are. Otherwise an update leaves those of the item alone.
    pub replaces_recipients: bool,
    /// Whether the attachments are all there are. Otherwise an update leaves those of the item alone.
    pub replaces_attachments: bool,
}

/// Reads the payload of `ExportItems` or `UploadItems`. Takes about the memory of the payload besides it.
///
/// # Errors
/// [`FastTransferError::Damaged`] where it is not an item; [`FastTransferError::TooMany`] where it goes beyond
/// [`RECIPIENTS_MAX`], [`ATTACHMENTS_MAX`], [`EMBED_DEPTH_MAX`] or [`PROPERTIES_MAX`].
pub fn decode(payload: &[u8]) -> Result<Decoded, FastTransferError> {
    decode_owned(payload.to_vec())
}

/// As [`decode`], but large binary values stay in the memory of the payload, which lives as long as they do. Takes the
/// memory of the other values besides it.
///
/// # Errors
/// As [`decode`].
pub fn decode_owned(payload: Vec<u8>) -> Result<Decoded, FastTransferError> {
    let stream = frame::stream(payload)?.into();
    item(&mut Lexer::sharing(&stream))
}

/// As [`decode`], for a payload in a spool, which is overwritten. Large files of attachments stay there
/// ([`AttachmentContent::Spooled`]), at whatever depth; takes the memory of the other values, twice while one is read.
///
/// # Errors
/// As [`decode`], and [`FastTransferError::Unreadable`].
pub fn decode_spooled(payload: &Extent) -> Result<Decoded, FastTransferError> {
    decode_spooled_by(payload, window::WINDOW_BYTES)
}

/// As [`decode_spooled`], with about `window` bytes in memory at once; files that are not smaller stay where they are.
///
/// # Errors
/// As [`decode_spooled`].
pub fn decode_spooled_by(payload: &Extent, window: usize) -> Result<Decoded, FastTransferError> {
    let stream = window::stream(payload, window)?;
    item(&mut window::Elements::new(&stream, window))
}

/// A whole stream.
fn item(elements: &mut impl Elements) -> Result<Decoded, FastTransferError> {
    let mut message = message(elements, 0)?;
    let bag = &mut message.content.bag;
    let flags = match bag.get(&tags::MESSAGE_FLAGS) {
        Some(Value::I32(flags)) => Some(*flags),
        _ => None,
    };
    if let Some(flags) = flags {
        bag.set(tags::MESSAGE_FLAGS, Value::I32(flags & !FLAG_READ));
        message.read = flags & FLAG_READ != 0;
    }
    Ok(message)
}

/// The elements of a stream, wherever it lies.
trait Elements: Iterator<Item = Result<Element, FastTransferError>> {}

impl<T: Iterator<Item = Result<Element, FastTransferError>>> Elements for T {}

/// A message up to the end of the stream (depth 0) or of the embedding.
fn message(lexer: &mut impl Elements, depth: usize) -> Result<Decoded, FastTransferError> {
    if depth > EMBED_DEPTH_MAX {
        return Err(TooMany("messages inside one another"));
    }
    let mut message = Decoded::default();
    let mut properties = Properties::default();
    loop {
        let Some(element) = lexer.next().transpose()? else {
            if depth == 0 {
                break;
            }
            return Err(Damaged("missing EndEmbed"));
        };
        match element {
            Element::Property(PropertyKey::Tag(lex::FX_DEL_PROP), Value::I32(lex::DEL_RECIPIENTS)) => {
                message.content.recipients.clear();
                message.replaces_recipients = true;
            }
            Element::Property(PropertyKey::Tag(lex::FX_DEL_PROP), Value::I32(lex::DEL_ATTACHMENTS)) => {
                message.content.attachments.clear();
                message.replaces_attachments = true;
            }
            // Computed, but telling where there are no flags.
            Element::Property(tags::READ, Value::Bool(read)) => message.read = read,
            Element::Property(key, value) => {
                if !is_recomputed(&key) {
                    properties.add(key, value)?;
                }
            }
            Element::Object(_) => {}
            Element::File(file) => properties.add_file(&file)?,
            Element::Marker(Marker::StartRecip) => {
                if message.content.recipients.len() >= RECIPIENTS_MAX {
                    return Err(TooMany("recipients"));
                }
                message.content.recipients.push(recipient(lexer)?);
            }
            Element::Marker(Marker::NewAttach) => {
                if message.content.attachments.len() >= ATTACHMENTS_MAX {
                    return Err(TooMany("attachments"));
                }
                message.content.attachments.push(attachment(lexer, depth)?);
            }
            Element::Marker(Marker::EndEmbed) if depth > 0 => break,
            Element::Marker(_) => return Err(Damaged("marker out of place")),
        }
    }
    message.content.bag = properties.into_bag();
    html_to_binary(&mut message.content.bag);
    Ok(message)
}

fn recipient(lexer: &mut impl Elements) -> Result<Bag, FastTransferError> {
    let mut properties = Properties::default();
    loop {
        match lexer.next().ok_or(Damaged("missing EndToRecip"))?? {
            // The place in the list says it.
            Element::Property(tags::ROW_ID, _) | Element::Object(_) => {}
            Element::Property(key, value) => properties.add(key, value)?,
            Element::File(file) => properties.add_file(&file)?,
            Element::Marker(Marker::EndToRecip) => return Ok(properties.into_bag()),
            Element::Marker(_) => return Err(Damaged("marker out of place")),
        }
    }
}

fn attachment(lexer: &mut impl Elements, depth: usize) -> Result<Attachment, FastTransferError> {
    let mut properties = Properties::default();
    let mut file = None;
    let mut embedded = None;
    loop {
        match lexer.next().ok_or(Damaged("missing EndAttach"))?? {
            // The place in the list says it.
            Element::Property(tags::ATTACH_NUMBER, _) | Element::Object(_) => {}
            Element::Property(tags::ATTACH_DATA, Value::Binary(bytes)) => file = Some(AttachmentContent::File(bytes)),
            Element::File(rope) => file = Some(AttachmentContent::Spooled(rope)),
            Element::Property(key, value) => properties.add(key, value)?,
            Element::Marker(Marker::StartEmbed) if embedded.is_none() => {
                embedded = Some(Box::new(message(lexer, depth + 1)?.content));
            }
            Element::Marker(Marker::EndAttach) => break,
            Element::Marker(_) => return Err(Damaged("marker out of place")),
        }
    }
    let content = match (embedded, file) {
        (Some(item), _) => AttachmentContent::Item(item),
        (None, Some(file)) => file,
        (None, None) => AttachmentContent::None,
    };
    Ok(Attachment { bag: properties.into_bag(), content })
}

/// Some senders write the HTML body as text; ours is always bytes.
fn html_to_binary(bag: &mut Bag) {
    if let Some(Value::Text(html)) = bag.get(&tags::HTML) {
        let bytes = html.clone().into_bytes();
        bag.set(tags::HTML, Value::binary(bytes));
        bag.set(tags::INTERNET_CODEPAGE, Value::I32(UTF_8_CODE_PAGE));
    }
}

/// Properties in the order they came. A bag is made of them at once, because its cost for one out of order is its
/// length.
#[derive(Default)]
struct Properties(Vec<(PropertyKey, Value)>);

impl Properties {
    fn add(&mut self, key: PropertyKey, value: Value) -> Result<(), FastTransferError> {
        if is_private(&key) || matches!(key, PropertyKey::Tag(id) if lex::META_IDS.contains(&id)) {
            return Ok(());
        }
        if self.0.len() >= PROPERTIES_MAX {
            return Err(TooMany("properties"));
        }
        self.0.push((key, value));
        Ok(())
    }

    fn add_file(&mut self, file: &Rope) -> Result<(), FastTransferError> {
        let (key, value) = window::as_property(file)?;
        self.add(key, value)
    }

    /// The last value wins.
    fn into_bag(mut self) -> Bag {
        self.0.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.0.into_iter().collect()
    }
}
