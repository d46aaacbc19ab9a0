//! Streams as peers may write them: written from the published format, not from our encoder, with all the freedom that
//! the format leaves. Properties come in any order, text in several types and code pages, records are cut anywhere,
//! prefixes and computed properties stand among the rest.

use model::{AttachmentContent, Bag, Guid, ItemContent, PropertyKey, Value};

use crate::source::Source;

const IID_MESSAGE: [u8; 16] = [7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];
const NEW_ATTACH: u32 = 0x4000_0003;
const START_EMBED: u32 = 0x4001_0003;
const END_EMBED: u32 = 0x4002_0003;
const START_RECIPIENT: u32 = 0x4003_0003;
const END_RECIPIENT: u32 = 0x4004_0003;
const END_ATTACH: u32 = 0x400e_0003;
const CLEAR_RECIPIENTS: u32 = 0x0e12_000d;
const CLEAR_ATTACHMENTS: u32 = 0x0e13_000d;

/// Writes one stream.
struct Peer<'s, 'b> {
    source: &'s mut Source<'b>,
    out: Vec<u8>,
    /// Numbers given to named properties.
    named: u16,
}

/// The payload of an item that [`crate::item::survivors`] has left.
pub fn payload(item: &ItemContent, source: &mut Source<'_>) -> Vec<u8> {
    let stream = stream(item, source);
    framed(&stream, source)
}

/// The stream of an item, without records.
pub fn stream(item: &ItemContent, source: &mut Source<'_>) -> Vec<u8> {
    let mut peer = Peer { source, out: Vec::new(), named: 0 };
    peer.message(item);
    peer.out
}

/// Puts a stream into records that are cut anywhere, some of them empty. The interface and the version may be missing.
pub fn framed(stream: &[u8], source: &mut Source<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    record(1, &[&[0; 4][..], &1_u32.to_le_bytes()].concat(), &mut out);
    if !source.one_in(8) {
        let flags = *source.pick(&[0x8000_2400_u32, 0, 0xffff_ffff]);
        record(3, &[&1_u32.to_le_bytes()[..], &IID_MESSAGE, &flags.to_le_bytes()].concat(), &mut out);
    }
    if !source.one_in(8) {
        record(4, &[1, *source.pick(&[0x0f_u8, 0x0e, 0]), source.byte(), 0x80, source.byte(), 0], &mut out);
    }
    let cut_max = *source.pick(&[usize::MAX, 8_192, 7, 1]);
    let mut rest = stream;
    // A record a byte makes a payload nine times as long.
    let cut_max = if rest.len() > 4_096 { cut_max.max(512) } else { cut_max };
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(cut_max));
        record(2, piece, &mut out);
        if source.one_in(16) {
            record(*source.pick(&[1, 2, 3, 4]), &[], &mut out);
        }
        rest = after;
    }
    out
}

fn record(operation: u32, body: &[u8], out: &mut Vec<u8>) {
    out.extend(operation.to_le_bytes());
    out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    out.extend(body);
}

impl Peer<'_, '_> {
    fn u32(&mut self, number: u32) {
        self.out.extend(number.to_le_bytes());
    }

    fn number(&mut self, id: u16, number: u32) {
        self.u32(u32::from(id) << 16 | 3);
        self.u32(number);
    }

    fn message(&mut self, item: &ItemContent) {
        self.prefix();
        if self.source.one_in(2) {
            // Mid, Size and an object, which readers pass over.
            self.u32(0x674a_0014);
            self.out.extend([9; 8]);
            self.number(0x0e08, 77);
            self.u32(0x3f0c_000d);
            self.counted(b"object");
        }
        self.bag(&item.bag);
        self.number(0x4016, CLEAR_RECIPIENTS);
        for (row, recipient) in (0..).zip(&item.recipients) {
            self.u32(START_RECIPIENT);
            self.number(0x3000, row);
            self.bag(recipient);
            self.u32(END_RECIPIENT);
        }
        self.number(0x4016, CLEAR_ATTACHMENTS);
        for (number, attachment) in (0..).zip(&item.attachments) {
            self.u32(NEW_ATTACH);
            self.number(0x0e21, number);
            self.prefix();
            self.bag(&attachment.bag);
            match &attachment.content {
                AttachmentContent::None | AttachmentContent::Spooled(_) => {}
                AttachmentContent::File(bytes) => {
                    self.u32(0x3701_0102);
                    self.counted(bytes);
                }
                AttachmentContent::Item(item) => {
                    self.u32(START_EMBED);
                    self.message(item);
                    self.u32(END_EMBED);
                }
            }
            self.u32(END_ATTACH);
        }
    }

    /// MetaTagDnPrefix and MetaTagEcWarning, which readers pass over.
    fn prefix(&mut self) {
        if self.source.one_in(2) {
            self.u32(0x4008_84e4);
            self.counted(b"/O=First/OU=Group/CN=\0");
        }
        if self.source.one_in(8) {
            self.number(0x400f, 0x0004_0380);
        }
    }

    fn bag(&mut self, bag: &Bag) {
        let mut entries: Vec<_> = bag.iter().collect();
        while !entries.is_empty() {
            let at = self.source.below(entries.len());
            let (key, value) = entries.remove(at);
            if self.source.one_in(16) {
                // An older value; the last one wins.
                self.property(key, &Value::I32(-1));
            }
            self.property(key, value);
        }
    }

    fn property(&mut self, key: &PropertyKey, value: &Value) {
        let kind = self.kind(value);
        let named = 0x8000 + self.named % 0x7000;
        let marker_like = matches!((key, kind), (PropertyKey::Tag(id), 3) if (0x4000..0x4100).contains(id));
        if marker_like && *value == Value::I32(-1) {
            return;
        }
        self.out.extend(kind.to_le_bytes());
        match key {
            PropertyKey::Tag(id) => self.out.extend(id.to_le_bytes()),
            PropertyKey::Lid(Guid(set), lid) => {
                self.named += 1;
                self.out.extend(named.to_le_bytes());
                self.out.extend(set);
                self.out.push(0);
                self.out.extend(lid.to_le_bytes());
            }
            PropertyKey::Name(Guid(set), name) => {
                self.named += 1;
                self.out.extend(named.to_le_bytes());
                self.out.extend(set);
                self.out.push(1);
                self.out.extend(wide(name));
            }
            PropertyKey::Field(_) => panic!("no stream carries {key:?}"),
        }
        self.value(value, kind);
    }

    /// The type that a value is written with: text has several.
    fn kind(&mut self, value: &Value) -> u16 {
        let (is_narrow, wide, narrow): (bool, &[u16], &[u16]) = if let Value::Text(text) = value {
            (text.is_ascii(), &[0x84b0, 0x001f], &[0x001e, 0x84e4, 0x84e2, 0xce9f])
        } else if let Value::Texts(texts) = value {
            (texts.iter().all(|text| text.is_ascii()), &[0x101f, 0x94b0], &[0x101e, 0x94e4])
        } else {
            return value.property_type().0;
        };
        // ASCII has the same bytes in every code page that is used here.
        *if is_narrow && self.source.one_in(2) { self.source.pick(narrow) } else { self.source.pick(wide) }
    }

    fn value(&mut self, value: &Value, kind: u16) {
        let is_wide = |kind| [0x84b0, 0x001f, 0x101f, 0x94b0].contains(&kind);
        let text = |text: &str| if is_wide(kind) { wide(text) } else { [text.as_bytes(), b"\0"].concat() };
        match value {
            Value::I16(n) => self.out.extend(n.to_le_bytes()),
            Value::I32(n) => self.out.extend(n.to_le_bytes()),
            Value::F32(n) => self.out.extend(n.to_le_bytes()),
            Value::F64(n) | Value::FloatTime(n) => self.out.extend(n.to_le_bytes()),
            Value::Currency(n) | Value::I64(n) => self.out.extend(n.to_le_bytes()),
            Value::Error(n) => self.out.extend(n.to_le_bytes()),
            Value::Bool(flag) => self.out.extend([u8::from(*flag), 0]),
            Value::Text(value) => self.counted(&text(value)),
            Value::Time(time) => self.out.extend(time.0.to_le_bytes()),
            Value::Guid(guid) => self.out.extend(guid.0),
            Value::ServerId(bytes) | Value::Binary(bytes) => self.counted(bytes),
            Value::I16s(list) => self.list(list, |n| n.to_le_bytes().to_vec()),
            Value::I32s(list) => self.list(list, |n| n.to_le_bytes().to_vec()),
            Value::F32s(list) => self.list(list, |n| n.to_le_bytes().to_vec()),
            Value::F64s(list) | Value::FloatTimes(list) => self.list(list, |n| n.to_le_bytes().to_vec()),
            Value::Currencies(list) | Value::I64s(list) => self.list(list, |n| n.to_le_bytes().to_vec()),
            Value::Times(list) => self.list(list, |time| time.0.to_le_bytes().to_vec()),
            Value::Guids(list) => self.list(list, |guid| guid.0.to_vec()),
            Value::Texts(list) => self.list(list, |value| sized(&text(value))),
            Value::Binaries(list) => self.list(list, |bytes| sized(bytes)),
        }
    }

    fn counted(&mut self, bytes: &[u8]) {
        self.out.extend(sized(bytes));
    }

    fn list<T>(&mut self, list: &[T], bytes: impl Fn(&T) -> Vec<u8>) {
        self.u32(u32::try_from(list.len()).unwrap());
        list.iter().for_each(|one| self.out.extend(bytes(one)));
    }
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_le_bytes()[..], bytes].concat()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}
