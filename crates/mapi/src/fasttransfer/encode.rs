//! From an item to a payload.
//!
//! This file must not know where the bytes go.

use std::collections::BTreeMap;

use model::{AttachmentContent, Bag, Guid, ItemContent, ItemFlags, PropertyKey, Value, limits::EMBED_DEPTH_MAX, tags};

use super::{
    FLAG_READ, METHOD_BY_VALUE, METHOD_EMBEDDED, OTHER_METHODS,
    frame::{self, DATA_FLUSH_BYTES, Header},
    is_private, is_recomputed,
    lex::{self, Marker},
};

/// Appends the payload for `item` to `out`. Only the native body is written, never what is computed or Highwater's own.
/// The read bit comes from `flags`.
pub fn encode(item: &ItemContent, flags: ItemFlags, out: &mut Vec<u8>) {
    encode_records(item, flags, &mut |record| out.extend_from_slice(record));
}

/// Gives the payload for `item` to `sink` piece by piece, as [`encode`] would append it. Holds the properties of one
/// message at most; files go through without a copy.
pub fn encode_records(item: &ItemContent, flags: ItemFlags, sink: &mut dyn FnMut(&[u8])) {
    let mut encoder = Encoder::new(flags);
    write_message(&mut encoder, item, sink);
    sink(&encoder.finish());
}

fn write_message(encoder: &mut Encoder, item: &ItemContent, sink: &mut dyn FnMut(&[u8])) {
    encoder.message(&item.bag, &item.recipients);
    for (number, attachment) in (0..).zip(&item.attachments) {
        sink(&encoder.take());
        match &attachment.content {
            AttachmentContent::None | AttachmentContent::Spooled(_) => {
                encoder.begin_attachment(number, &attachment.bag, None)
            }
            AttachmentContent::File(bytes) => {
                encoder.begin_attachment(number, &attachment.bag, Some(Kind::File));
                if encoder.begin_data(bytes.len() as u32) {
                    sink(&encoder.take());
                    sink(bytes);
                } else {
                    encoder.data(bytes);
                }
                encoder.end_data();
            }
            AttachmentContent::Item(item) => {
                encoder.begin_attachment(number, &attachment.bag, Some(Kind::Item));
                if encoder.begin_embedded() {
                    write_message(encoder, item, sink);
                    encoder.end_embedded();
                }
            }
        }
        encoder.end_attachment();
    }
}

/// What an attachment holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// An embedded message.
    Item,
}

/// Writes a payload front to back, for whoever has the item in pieces: [`Self::message`], then for every attachment
/// [`Self::begin_attachment`], what it holds, [`Self::end_attachment`]. A file is [`Self::begin_data`], its bytes,
/// [`Self::end_data`]; an embedded message [`Self::begin_embedded`], the message with its attachments,
/// [`Self::end_embedded`].
#[derive(Debug)]
pub struct Encoder {
    /// Finished records that were not taken yet.
    done: Vec<u8>,
    /// The body of the open data record.
    record: Vec<u8>,
    /// The numbers given to named properties.
    names: BTreeMap<PropertyKey, u16>,
    /// The read bit of the outermost message, until it is written.
    read: Option<i32>,
    depth: usize,
}

impl Encoder {
    /// Begins a payload. The read bit of its message comes from `flags`.
    pub fn new(flags: ItemFlags) -> Self {
        Self {
            done: frame::opening(),
            record: Vec::with_capacity(2 * DATA_FLUSH_BYTES),
            names: BTreeMap::new(),
            read: Some(if flags.has(ItemFlags::READ) { FLAG_READ } else { 0 }),
            depth: 0,
        }
    }

    /// What was written since the last call, whole records only; the payload goes on.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.done)
    }

    /// The rest of the payload.
    pub fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.done
    }

    /// The properties and recipients of a message, and that its attachments follow. Only the native body is written,
    /// never what is computed or Highwater's own.
    pub fn message(&mut self, bag: &Bag, recipients: &[Bag]) {
        let body = native_body(bag);
        let old = bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
        let mut message_flags = self.read.take().map(|read| Value::I32(old & !FLAG_READ | read));
        for (key, value) in bag.iter() {
            if *key >= tags::MESSAGE_FLAGS
                && let Some(flags) = message_flags.take()
            {
                self.property(&tags::MESSAGE_FLAGS, &flags);
                if *key == tags::MESSAGE_FLAGS {
                    continue;
                }
            }
            let other_body = BODIES.iter().any(|(_, have)| have == key) && body.as_ref() != Some(key);
            if !other_body && !is_recomputed(key) {
                self.bag_property(key, value);
            }
        }
        if let Some(flags) = message_flags {
            self.property(&tags::MESSAGE_FLAGS, &flags);
        }
        self.property(&PropertyKey::Tag(lex::FX_DEL_PROP), &Value::I32(lex::DEL_RECIPIENTS));
        for (row, recipient) in recipients.iter().enumerate() {
            self.recipient(row, recipient);
        }
        self.property(&PropertyKey::Tag(lex::FX_DEL_PROP), &Value::I32(lex::DEL_ATTACHMENTS));
    }

    fn recipient(&mut self, row: usize, bag: &Bag) {
        self.marker(Marker::StartRecip);
        self.property(&tags::ROW_ID, &Value::I32(row as i32));
        for (key, value) in bag.iter().filter(|(key, _)| **key != tags::ROW_ID) {
            self.bag_property(key, value);
        }
        self.marker(Marker::EndToRecip);
    }

    /// Begins an attachment with its properties. The method follows what it holds, as far as the two must agree.
    pub fn begin_attachment(&mut self, number: u32, bag: &Bag, kind: Option<Kind>) {
        let method = match (kind, bag.get(&tags::ATTACH_METHOD)) {
            (None, _) => None,
            (Some(Kind::File), Some(Value::I32(method))) if OTHER_METHODS.contains(method) => Some(*method),
            (Some(Kind::File), _) => Some(METHOD_BY_VALUE),
            (Some(Kind::Item), _) => Some(METHOD_EMBEDDED),
        };
        self.marker(Marker::NewAttach);
        self.property(&tags::ATTACH_NUMBER, &Value::I32(number.cast_signed()));
        if let Some(method) = method {
            self.property(&tags::ATTACH_METHOD, &Value::I32(method));
        }
        for (key, value) in bag.iter() {
            let written = *key == tags::ATTACH_NUMBER
                || *key == tags::ATTACH_DATA
                || *key == tags::ATTACH_METHOD && method.is_some();
            if !written {
                self.bag_property(key, value);
            }
        }
    }

    /// Begins the bytes of a file, of which there are `length`. True where they make a record of their own: they may then
    /// go past the encoder, behind what [`Self::take`] gives now.
    pub fn begin_data(&mut self, length: u32) -> bool {
        self.record.extend(0x0102_u16.to_le_bytes());
        self.name(&tags::ATTACH_DATA);
        self.record.extend(length.to_le_bytes());
        let apart = length as usize >= DATA_FLUSH_BYTES;
        if apart {
            self.flush();
            self.done.extend(Header { opcode: frame::DATA, length }.to_bytes());
        }
        apart
    }

    /// Some bytes of a file that makes no record of its own.
    pub fn data(&mut self, bytes: &[u8]) {
        self.record.extend_from_slice(bytes);
    }

    /// Ends the bytes of a file.
    pub fn end_data(&mut self) {
        self.end_element();
    }

    /// Begins the message inside an attachment. False where it would lie deeper than any reader of ours takes: it is
    /// left out then.
    pub fn begin_embedded(&mut self) -> bool {
        if self.depth >= EMBED_DEPTH_MAX {
            return false;
        }
        self.depth += 1;
        self.marker(Marker::StartEmbed);
        true
    }

    /// Ends the message inside an attachment.
    pub fn end_embedded(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.marker(Marker::EndEmbed);
    }

    /// Ends an attachment.
    pub fn end_attachment(&mut self) {
        self.marker(Marker::EndAttach);
    }

    fn marker(&mut self, marker: Marker) {
        self.record.extend(marker.code().to_le_bytes());
        self.end_element();
    }

    /// A property of a bag, unless the stream cannot or may not carry it.
    fn bag_property(&mut self, key: &PropertyKey, value: &Value) {
        if is_private(key) || !is_expressible(key, value) {
            return;
        }
        if !matches!(key, PropertyKey::Tag(_)) && !self.names.contains_key(key) {
            // Readers go by the name; so it does no harm that numbers begin anew after the last.
            let next = 0x8000 + (self.names.len() % 0x7fff) as u16;
            self.names.insert(key.clone(), next);
        }
        self.property(key, value);
    }

    fn property(&mut self, key: &PropertyKey, value: &Value) {
        self.record.extend(wire_type(value).to_le_bytes());
        self.name(key);
        write_value(value, &mut self.record);
        self.end_element();
    }

    fn name(&mut self, key: &PropertyKey) {
        let id = match key {
            PropertyKey::Tag(id) => *id,
            PropertyKey::Lid(..) | PropertyKey::Name(..) | PropertyKey::Field(_) => {
                self.names.get(key).copied().unwrap_or(0x8000)
            }
        };
        let out = &mut self.record;
        out.extend(id.to_le_bytes());
        match key {
            PropertyKey::Lid(Guid(set), lid) => {
                out.extend(set);
                out.push(0);
                out.extend(lid.to_le_bytes());
            }
            PropertyKey::Name(Guid(set), name) => {
                out.extend(set);
                out.push(1);
                out.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
            }
            PropertyKey::Tag(_) | PropertyKey::Field(_) => {}
        }
    }

    fn end_element(&mut self) {
        if self.record.len() >= DATA_FLUSH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.record.is_empty() {
            self.done.extend(Header { opcode: frame::DATA, length: self.record.len() as u32 }.to_bytes());
            self.done.append(&mut self.record);
        }
    }
}

/// Bodies with their number in [`tags::NATIVE_BODY`], the best first.
const BODIES: [(i64, PropertyKey); 3] = [(3, tags::HTML), (2, tags::RTF_COMPRESSED), (1, tags::BODY)];

/// The body to write: the native one where the item says and has it, else the best it has.
fn native_body(bag: &Bag) -> Option<PropertyKey> {
    let native = bag.get(&tags::NATIVE_BODY).and_then(Value::as_i64);
    let have = || BODIES.into_iter().filter(|(_, key)| bag.get(key).is_some());
    have().find(|(number, _)| Some(*number) == native).or_else(|| have().next()).map(|(_, key)| key)
}

/// Whether the stream can carry a property: its id is no name's, nor with its type a marker, nor the stream's own, and
/// its name has no terminator inside.
fn is_expressible(key: &PropertyKey, value: &Value) -> bool {
    match key {
        PropertyKey::Tag(id) => {
            *id < 0x8000
                && !lex::META_IDS.contains(id)
                && Marker::from_code(u32::from(*id) << 16 | u32::from(wire_type(value))).is_none()
        }
        PropertyKey::Lid(..) => true,
        PropertyKey::Name(_, name) => !name.contains('\0'),
        PropertyKey::Field(_) => false,
    }
}

fn wire_type(value: &Value) -> u16 {
    if matches!(value, Value::Text(_)) { lex::TEXT_TYPE } else { value.property_type().0 }
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::I16(n) => out.extend(n.to_le_bytes()),
        Value::I32(n) => out.extend(n.to_le_bytes()),
        Value::F32(n) => out.extend(n.to_le_bytes()),
        Value::F64(n) | Value::FloatTime(n) => out.extend(n.to_le_bytes()),
        Value::Error(n) => out.extend(n.to_le_bytes()),
        Value::Bool(flag) => out.extend(u16::from(*flag).to_le_bytes()),
        Value::Currency(n) | Value::I64(n) => out.extend(n.to_le_bytes()),
        Value::Time(time) => out.extend(time.0.to_le_bytes()),
        Value::Guid(guid) => out.extend(guid.0),
        Value::Text(text) => write_text(text, out),
        Value::ServerId(bytes) | Value::Binary(bytes) => counted(bytes, out),
        Value::I16s(list) => write_list(list, out, |n| n.to_le_bytes()),
        Value::I32s(list) => write_list(list, out, |n| n.to_le_bytes()),
        Value::F32s(list) => write_list(list, out, |n| n.to_le_bytes()),
        Value::F64s(list) | Value::FloatTimes(list) => write_list(list, out, |n| n.to_le_bytes()),
        Value::Currencies(list) | Value::I64s(list) => write_list(list, out, |n| n.to_le_bytes()),
        Value::Times(list) => write_list(list, out, |time| time.0.to_le_bytes()),
        Value::Guids(list) => write_list(list, out, |guid| guid.0),
        Value::Texts(list) => {
            out.extend((list.len() as u32).to_le_bytes());
            list.iter().for_each(|text| write_text(text, out));
        }
        Value::Binaries(list) => {
            out.extend((list.len() as u32).to_le_bytes());
            list.iter().for_each(|bytes| counted(bytes, out));
        }
    }
}

/// UTF-16 with its length in bytes, terminator included.
fn write_text(text: &str, out: &mut Vec<u8>) {
    let length_at = out.len();
    out.extend([0; 4]);
    out.reserve(2 * text.len() + 2);
    // Most text is ASCII, whose units are its bytes.
    if text.is_ascii() {
        text.bytes().for_each(|byte| out.extend_from_slice(&[byte, 0]));
    } else {
        text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_le_bytes()));
    }
    out.extend_from_slice(&[0, 0]);
    let length = (out.len() - length_at - 4) as u32;
    if let Some(slot) = out.get_mut(length_at..length_at + 4) {
        slot.copy_from_slice(&length.to_le_bytes());
    }
}

fn write_list<T, const N: usize>(list: &[T], out: &mut Vec<u8>, bytes: impl Fn(&T) -> [u8; N]) {
    out.extend((list.len() as u32).to_le_bytes());
    out.extend(list.iter().flat_map(bytes));
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}
