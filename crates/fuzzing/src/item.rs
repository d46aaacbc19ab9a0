//! Items over the whole space of properties, and what of them a transfer stream must carry.

use bytes::Bytes;
use model::{
    Attachment, AttachmentContent, Bag, Guid, ItemContent, ItemFlags, PropertyKey, Time, Value, lids,
    limits::EMBED_DEPTH_MAX, names, sets, tags,
};

use crate::source::Source;

/// Classes of every kind of item.
pub const CLASSES: &[&str] = &[
    "IPM.Note",
    "IPM.Appointment",
    "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}",
    "IPM.Contact",
    "IPM.DistList",
    "IPM.Task",
    "IPM.TaskRequest",
    "IPM.Post",
    "IPM.StickyNote",
    "IPM.Activity",
    "IPM.Schedule.Meeting.Request",
    "IPM.Schedule.Meeting.Resp.Pos",
    "IPM.Schedule.Meeting.Canceled",
    "REPORT.IPM.Note.NDR",
    "IPM.Note.SMIME",
    "IPM.Note.SMIME.MultipartSigned",
    "IPM.Note.rpmsg.Microsoft.Voicemail",
    "IPM.Configuration.CategoryList",
    "IPM.Document.Word",
    "",
];

const SETS: &[Guid] = &[
    sets::MAPI,
    sets::PUBLIC_STRINGS,
    sets::INTERNET_HEADERS,
    sets::APPOINTMENT,
    sets::TASK,
    sets::ADDRESS,
    sets::COMMON,
    sets::NOTE,
    sets::LOG,
    sets::MEETING,
    sets::SHARING,
    sets::UNIFIED_MESSAGING,
    sets::CALENDAR_ASSISTANT,
    sets::HIGHWATER,
    Guid([0; 16]),
    Guid([0xa5; 16]),
];

/// Tags that something reads or computes, beside random ones.
const TAGS: &[PropertyKey] = &[
    tags::IMPORTANCE,
    tags::SENSITIVITY,
    tags::CLIENT_SUBMIT_TIME,
    tags::SUBJECT_PREFIX,
    tags::NORMALIZED_SUBJECT,
    tags::CONVERSATION_TOPIC,
    tags::CONVERSATION_INDEX,
    tags::SENT_REPRESENTING_NAME,
    tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    tags::SENDER_SMTP_ADDRESS,
    tags::MESSAGE_DELIVERY_TIME,
    tags::MESSAGE_FLAGS,
    tags::READ,
    tags::MESSAGE_SIZE,
    tags::HAS_ATTACHMENTS,
    tags::DISPLAY_TO,
    tags::ENTRY_ID,
    tags::OBJECT_TYPE,
    tags::INTERNET_MESSAGE_ID,
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::SEARCH_KEY,
    tags::CONVERSATION_ID,
    tags::INTERNET_CODEPAGE,
    tags::NATIVE_BODY,
    tags::TRANSPORT_MESSAGE_HEADERS,
    tags::REPLY_RECIPIENT_ENTRIES,
    tags::FLAG_STATUS,
    tags::ROW_ID,
    tags::ATTACH_NUMBER,
    tags::ATTACH_DATA,
    tags::ATTACH_SIZE,
    tags::ATTACHMENT_HIDDEN,
    tags::START_DATE,
    names::KEYWORDS,
    lids::GLOBAL_OBJECT_ID,
    lids::APPOINTMENT_RECUR,
    lids::START_WHOLE,
    lids::END_WHOLE,
    lids::LOCATION,
    lids::BUSY_STATUS,
    lids::REMINDER_SET,
];

/// The bodies, the best first, with their numbers in [`tags::NATIVE_BODY`].
const BODIES: [(i64, PropertyKey); 3] = [(3, tags::HTML), (2, tags::RTF_COMPRESSED), (1, tags::BODY)];

/// Properties of a message that no stream carries: what a server computes, by the ids that the description lists.
const COMPUTED: &[u16] = &[
    0x0e08, 0x0e1b, 0x0e02, 0x0e03, 0x0e04, 0x0e69, 0x0fff, 0x0e09, 0x0ffe, 0x674a, 0x6748, 0x67a4, 0x65e2, 0x65e0,
    0x3013,
];
/// Ids that are the stream's own.
const META: &[u16] = &[0x4008, 0x400f, 0x4011, 0x4016, 0x407a, 0x407c];
/// Ids that are markers with the type on the right.
const MARKERS: &[(u16, u16)] = &[
    (0x4000, 3),
    (0x4001, 3),
    (0x4002, 3),
    (0x4003, 3),
    (0x4004, 3),
    (0x4009, 3),
    (0x400a, 3),
    (0x400b, 3),
    (0x400c, 3),
    (0x400d, 3),
    (0x400e, 3),
    (0x4010, 3),
    (0x4012, 3),
    (0x407d, 3),
    (0x4013, 3),
    (0x4014, 3),
    (0x402f, 3),
    (0x403a, 3),
    (0x403b, 3),
    (0x4015, 3),
    (0x4074, 11),
    (0x4075, 11),
    (0x407b, 0x102),
    (0x4018, 3),
];

/// An item and its flags.
pub fn item(source: &mut Source<'_>) -> (ItemContent, ItemFlags) {
    let flags = ItemFlags::default().set(ItemFlags::READ, source.byte() & 1 == 1);
    let item = if source.one_in(16) {
        // The deepest there may be.
        (0..EMBED_DEPTH_MAX).fold(message(source, EMBED_DEPTH_MAX), |inner, _| {
            let bag = Bag::from_iter([(tags::ATTACH_METHOD, Value::I32(5))]);
            let outer = message(source, EMBED_DEPTH_MAX);
            let attachment = Attachment { bag, content: AttachmentContent::Item(Box::new(inner)) };
            ItemContent { attachments: vec![attachment], ..outer }
        })
    } else {
        message(source, 0)
    };
    (item, flags)
}

fn message(source: &mut Source<'_>, depth: usize) -> ItemContent {
    let mut bag = bag(source);
    bag.set(tags::MESSAGE_CLASS, Value::text(*source.pick(CLASSES)));
    if !source.one_in(8) {
        bag.set(tags::SUBJECT, Value::Text(text(source)));
    }
    for (_, body) in BODIES {
        if source.one_in(3) {
            let value = if body == tags::BODY || source.one_in(8) {
                Value::Text(text(source))
            } else {
                Value::Binary(binary(source))
            };
            bag.set(body, value);
        }
    }
    let recipients = (0..source.below(4)).map(|row| recipient(source, row)).collect();
    let count = if depth >= EMBED_DEPTH_MAX { 0 } else { source.below(3) };
    let attachments = (0..count).map(|_| attachment(source, depth)).collect();
    ItemContent { bag, recipients, attachments, mime: None }
}

fn recipient(source: &mut Source<'_>, row: usize) -> Bag {
    let mut bag = bag(source);
    if !source.one_in(8) {
        bag.set(tags::RECIPIENT_TYPE, Value::I32(1 + row as i32 % 3));
        bag.set(tags::DISPLAY_NAME, Value::Text(text(source)));
        bag.set(tags::ADDRESS_TYPE, Value::text(*source.pick(&["SMTP", "EX", ""])));
        bag.set(tags::EMAIL_ADDRESS, Value::text(format!("r{row}@example.com")));
    }
    bag
}

fn attachment(source: &mut Source<'_>, depth: usize) -> Attachment {
    let mut bag = bag(source);
    let (method, content) = match source.below(4) {
        0 => (source.below(8) as i32, AttachmentContent::None),
        1 | 2 => (*source.pick(&[1, 1, 1, 6, 7, 5, 0]), AttachmentContent::File(binary(source))),
        _ => (5, AttachmentContent::Item(Box::new(message(source, depth + 1)))),
    };
    bag.set(tags::ATTACH_METHOD, Value::I32(method));
    Attachment { bag, content }
}

fn bag(source: &mut Source<'_>) -> Bag {
    (0..source.below(9)).map(|_| (key(source), value(source))).collect()
}

fn key(source: &mut Source<'_>) -> PropertyKey {
    match source.below(8) {
        0 | 1 => source.pick(TAGS).clone(),
        2 => PropertyKey::Tag(u16::from_le_bytes(source.array())),
        3 => PropertyKey::Tag(*source.pick(META)),
        4 => PropertyKey::Tag(source.pick(MARKERS).0),
        5 => PropertyKey::Lid(*source.pick(SETS), 0x8000 + source.below(0x600) as u32),
        6 => PropertyKey::Lid(*source.pick(SETS), u32::from_le_bytes(source.array())),
        _ => PropertyKey::name(*source.pick(SETS), text(source)),
    }
}

fn value(source: &mut Source<'_>) -> Value {
    fn list<T>(source: &mut Source<'_>, one: impl Fn(&mut Source<'_>) -> T) -> Vec<T> {
        (0..source.below(4)).map(|_| one(source)).collect()
    }
    let i16 = |source: &mut Source<'_>| i16::from_le_bytes(source.array());
    let i32 = |source: &mut Source<'_>| i32::from_le_bytes(source.array());
    let i64 = |source: &mut Source<'_>| i64::from_le_bytes(source.array());
    let f32 = |source: &mut Source<'_>| f32::from_le_bytes(source.array());
    let f64 = |source: &mut Source<'_>| f64::from_le_bytes(source.array());
    let guid = |source: &mut Source<'_>| Guid(source.array());
    match source.below(26) {
        0 => Value::I16(i16(source)),
        1 => Value::I32(i32(source)),
        2 => Value::F32(f32(source)),
        3 => Value::F64(f64(source)),
        4 => Value::Currency(i64(source)),
        5 => Value::FloatTime(f64(source)),
        6 => Value::Error(i32(source).cast_unsigned()),
        7 => Value::Bool(source.byte() & 1 == 1),
        8 => Value::I64(i64(source)),
        9 => Value::Time(Time(i64(source))),
        10 => Value::Guid(guid(source)),
        11 => Value::ServerId(binary(source)),
        12 => Value::Binary(binary(source)),
        13 => Value::I16s(list(source, i16)),
        14 => Value::I32s(list(source, i32)),
        15 => Value::F32s(list(source, f32)),
        16 => Value::F64s(list(source, f64)),
        17 => Value::Currencies(list(source, i64)),
        18 => Value::FloatTimes(list(source, f64)),
        19 => Value::I64s(list(source, i64)),
        20 => Value::Times(list(source, |source| Time(i64(source)))),
        21 => Value::Guids(list(source, guid)),
        22 => Value::Binaries(list(source, binary)),
        23 => Value::Texts(list(source, text)),
        _ => Value::Text(text(source)),
    }
}

fn text(source: &mut Source<'_>) -> String {
    let length = length(source);
    let mut text = String::new();
    let words = [
        "a",
        "Re: ",
        "\u{e9}",
        "\u{159}",
        "\u{436}",
        "\u{3042}",
        "\u{1f600}",
        "\u{10ffff}",
        "\0",
        "\r\n",
        "<&>\"",
        "\u{fffd}",
        "\u{feff}",
        "\u{1}",
    ];
    while text.len() < length {
        text.push_str(source.pick::<&str>(&words));
    }
    text
}

fn binary(source: &mut Source<'_>) -> Bytes {
    let length = length(source);
    let piece: [u8; 7] = source.array();
    piece.iter().copied().cycle().take(length).collect::<Vec<u8>>().into()
}

/// Mostly short; sometimes around the bounds of records, light values and inline parts.
fn length(source: &mut Source<'_>) -> usize {
    match source.below(32) {
        0..8 => 0,
        8..29 => source.below(24),
        29 => 4_000 + source.below(256),
        30 => 8_190 + source.below(256),
        _ => 65_500 + source.below(256),
    }
}

/// What of an item a stream carries: neither what is computed, nor ours, nor a second body, nor the stream's own ids.
/// The HTML body is bytes; the read bit of the item itself lies beside it.
pub fn survivors(item: &ItemContent) -> ItemContent {
    let mut kept = message_survivors(item);
    let bits = item.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
    kept.bag.set(tags::MESSAGE_FLAGS, Value::I32(bits & !1));
    kept
}

fn message_survivors(item: &ItemContent) -> ItemContent {
    let native = item.bag.get(&tags::NATIVE_BODY).and_then(Value::as_i64);
    let there: Vec<_> = BODIES.iter().filter(|(_, key)| item.bag.get(key).is_some()).collect();
    let body = there.iter().find(|(number, _)| Some(*number) == native).or(there.first()).map(|(_, key)| key);
    let mut bag = carried(&item.bag);
    bag.retain(|key, _| {
        let other_body = BODIES.iter().any(|(_, body)| body == key) && Some(key) != body;
        !other_body && !matches!(key, PropertyKey::Tag(id) if COMPUTED.contains(id))
    });
    if let Some(Value::Text(html)) = bag.get(&tags::HTML).cloned() {
        bag.set(tags::HTML, Value::binary(html.into_bytes()));
        bag.set(tags::INTERNET_CODEPAGE, Value::I32(65_001));
    }
    let recipients = item.recipients.iter().map(|recipient| {
        let mut bag = carried(recipient);
        bag.remove(&tags::ROW_ID);
        bag
    });
    let attachments = item.attachments.iter().map(|attachment| {
        let mut bag = carried(&attachment.bag);
        bag.remove(&tags::ATTACH_NUMBER);
        bag.remove(&tags::ATTACH_DATA);
        let method = bag.get(&tags::ATTACH_METHOD).cloned();
        match &attachment.content {
            AttachmentContent::Item(_) => bag.set(tags::ATTACH_METHOD, Value::I32(5)),
            AttachmentContent::File(_) if !matches!(method, Some(Value::I32(2..=4 | 6..=7))) => {
                bag.set(tags::ATTACH_METHOD, Value::I32(1));
            }
            AttachmentContent::File(_) | AttachmentContent::Spooled(_) | AttachmentContent::None => {}
        }
        let content = match &attachment.content {
            AttachmentContent::Item(item) => AttachmentContent::Item(Box::new(message_survivors(item))),
            AttachmentContent::Spooled(rope) => AttachmentContent::File(rope.to_bytes().unwrap_or_default()),
            other @ (AttachmentContent::None | AttachmentContent::File(_)) => other.clone(),
        };
        Attachment { bag, content }
    });
    ItemContent { bag, recipients: recipients.collect(), attachments: attachments.collect(), mime: None }
}

fn carried(bag: &Bag) -> Bag {
    let mut kept = bag.clone();
    kept.retain(|key, value| match key {
        PropertyKey::Tag(id) => {
            let kind = value.property_type().0;
            *id < 0x8000 && !META.contains(id) && (kind == 0x1f || !MARKERS.contains(&(*id, kind)))
        }
        PropertyKey::Lid(set, _) => *set != sets::HIGHWATER,
        PropertyKey::Name(set, name) => *set != sets::HIGHWATER && !name.contains('\0'),
        PropertyKey::Field(_) => false,
    });
    kept
}

/// Bytes that are equal where items are; numbers that are none included.
pub fn identity(item: &ItemContent) -> Vec<u8> {
    fn part(bytes: &[u8], out: &mut Vec<u8>) {
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    }
    let mut out = Vec::new();
    part(&item.bag.encode(), &mut out);
    part(&Bag::encode_list(item.recipients.iter()), &mut out);
    for attachment in &item.attachments {
        part(&attachment.bag.encode(), &mut out);
        match &attachment.content {
            AttachmentContent::None => out.push(0),
            AttachmentContent::File(bytes) => {
                out.push(1);
                part(bytes, &mut out);
            }
            AttachmentContent::Spooled(rope) => {
                out.push(1);
                part(&rope.to_bytes().unwrap_or_default(), &mut out);
            }
            AttachmentContent::Item(item) => {
                out.push(2);
                part(&identity(item), &mut out);
            }
        }
    }
    part(item.mime.as_deref().unwrap_or_default(), &mut out);
    out
}

/// Stops where two items differ, and says where.
///
/// # Panics
/// Where they do.
pub fn assert_same(came: &ItemContent, expected: &ItemContent, what: &str) {
    if identity(came) == identity(expected) {
        return;
    }
    for (key, value) in expected.bag.iter() {
        let have = came.bag.get(key);
        assert!(have.is_some(), "{what}: {key:?} is missing: {value:?}");
        let one = |value: &Value| Bag::from_iter([(key.clone(), value.clone())]).encode();
        assert!(have.map(one) == Some(one(value)), "{what}: {key:?} came as {have:?}, not as {value:?}");
    }
    for (key, value) in came.bag.iter() {
        let have = expected.bag.get(key);
        assert!(have.is_some(), "{what}: {key:?} was not expected: {value:?}");
    }
    assert_eq!(came.recipients, expected.recipients, "{what}: recipients");
    assert_eq!(came.attachments.len(), expected.attachments.len(), "{what}: attachments");
    for (came, expected) in came.attachments.iter().zip(&expected.attachments) {
        if let (AttachmentContent::Item(came), AttachmentContent::Item(expected)) = (&came.content, &expected.content) {
            assert_same(came, expected, &format!("{what} / embedded"));
        }
    }
    panic!("{what}\n{came:?}\n{expected:?}");
}
