//! From an item to a payload.
//!
//! This file must not know where the bytes go.

use std::collections::BTreeMap;

use model::{
    Attachment, AttachmentContent, Bag, Guid, ItemContent, ItemFlags, PropertyKey, Value, limits::EMBED_DEPTH_MAX, tags,
};

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

/// Gives the payload for `item` to `sink` piece by piece, as [`encode`] would append it. Holds one record: some 8 KiB,
/// or the largest value of a bag; files go through without a copy.
pub fn encode_records(item: &ItemContent, flags: ItemFlags, sink: &mut dyn FnMut(&[u8])) {
    sink(&frame::opening());
    let mut writer = Writer { record: Vec::with_capacity(2 * DATA_FLUSH_BYTES), names: BTreeMap::new(), sink };
    let old = item.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
    let read = if flags.has(ItemFlags::READ) { FLAG_READ } else { 0 };
    writer.message(item, Some(old & !FLAG_READ | read), 0);
    writer.flush();
}

struct Writer<'i, 's> {
    /// The body of the open data record.
    record: Vec<u8>,
    /// The numbers given to named properties.
    names: BTreeMap<&'i PropertyKey, u16>,
    sink: &'s mut dyn FnMut(&[u8]),
}

impl<'i> Writer<'i, '_> {
    /// `message_flags` replaces what the bag has, where there is one.
    fn message(&mut self, item: &'i ItemContent, message_flags: Option<i32>, depth: usize) {
        let body = native_body(&item.bag);
        let mut message_flags = message_flags.map(Value::I32);
        for (key, value) in item.bag.iter() {
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
        for (row, recipient) in item.recipients.iter().enumerate() {
            self.recipient(row, recipient);
        }
        self.property(&PropertyKey::Tag(lex::FX_DEL_PROP), &Value::I32(lex::DEL_ATTACHMENTS));
        for (number, attachment) in item.attachments.iter().enumerate() {
            self.attachment(number, attachment, depth);
        }
    }

    fn recipient(&mut self, row: usize, bag: &'i Bag) {
        self.marker(Marker::StartRecip);
        self.property(&tags::ROW_ID, &Value::I32(row as i32));
        for (key, value) in bag.iter().filter(|(key, _)| **key != tags::ROW_ID) {
            self.bag_property(key, value);
        }
        self.marker(Marker::EndToRecip);
    }

    fn attachment(&mut self, number: usize, attachment: &'i Attachment, depth: usize) {
        let method = match &attachment.content {
            AttachmentContent::None => None,
            AttachmentContent::File(_) => Some(match attachment.bag.get(&tags::ATTACH_METHOD) {
                Some(Value::I32(method)) if OTHER_METHODS.contains(method) => *method,
                _ => METHOD_BY_VALUE,
            }),
            AttachmentContent::Item(_) => Some(METHOD_EMBEDDED),
        };
        self.marker(Marker::NewAttach);
        self.property(&tags::ATTACH_NUMBER, &Value::I32(number as i32));
        if let Some(method) = method {
            self.property(&tags::ATTACH_METHOD, &Value::I32(method));
        }
        for (key, value) in attachment.bag.iter() {
            let written = *key == tags::ATTACH_NUMBER
                || *key == tags::ATTACH_DATA
                || *key == tags::ATTACH_METHOD && method.is_some();
            if !written {
                self.bag_property(key, value);
            }
        }
        match &attachment.content {
            AttachmentContent::None => {}
            AttachmentContent::File(bytes) => self.binary(&tags::ATTACH_DATA, bytes),
            // Deeper ones no reader of ours would take.
            AttachmentContent::Item(item) if depth < EMBED_DEPTH_MAX => {
                self.marker(Marker::StartEmbed);
                self.message(item, None, depth + 1);
                self.marker(Marker::EndEmbed);
            }
            AttachmentContent::Item(_) => {}
        }
        self.marker(Marker::EndAttach);
    }

    fn marker(&mut self, marker: Marker) {
        self.record.extend(marker.code().to_le_bytes());
        self.end_element();
    }

    /// A property of a bag, unless the stream cannot or may not carry it.
    fn bag_property(&mut self, key: &'i PropertyKey, value: &Value) {
        if is_private(key) || !is_expressible(key, value) {
            return;
        }
        if !matches!(key, PropertyKey::Tag(_)) {
            // Readers go by the name; so it does no harm that numbers begin anew after the last.
            let next = 0x8000 + (self.names.len() % 0x7fff) as u16;
            self.names.entry(key).or_insert(next);
        }
        self.property(key, value);
    }

    fn property(&mut self, key: &PropertyKey, value: &Value) {
        self.record.extend(wire_type(value).to_le_bytes());
        self.name(key);
        write_value(value, &mut self.record);
        self.end_element();
    }

    fn binary(&mut self, key: &PropertyKey, bytes: &[u8]) {
        self.record.extend(0x0102_u16.to_le_bytes());
        self.name(key);
        if bytes.len() < DATA_FLUSH_BYTES {
            counted(bytes, &mut self.record);
            self.end_element();
        } else {
            // A record of its own, so that a large file is not copied.
            let length = bytes.len() as u32;
            self.record.extend(length.to_le_bytes());
            self.flush();
            (self.sink)(&Header { opcode: frame::DATA, length }.to_bytes());
            (self.sink)(bytes);
        }
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
            (self.sink)(&Header { opcode: frame::DATA, length: self.record.len() as u32 }.to_bytes());
            (self.sink)(&self.record);
            self.record.clear();
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
    let units = text.encode_utf16().chain([0]);
    out.extend((2 * units.clone().count() as u32).to_le_bytes());
    out.extend(units.flat_map(u16::to_le_bytes));
}

fn write_list<T, const N: usize>(list: &[T], out: &mut Vec<u8>, bytes: impl Fn(&T) -> [u8; N]) {
    out.extend((list.len() as u32).to_le_bytes());
    out.extend(list.iter().flat_map(bytes));
}

fn counted(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}
