//! The published vectors, the way there and back, and what damage does.

#![expect(clippy::wildcard_enum_match_arm, reason = "the vectors use a few of the many types")]

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use model::{
    Attachment, AttachmentContent, Bag, Guid, ItemContent, ItemFlags, PropertyKey, Time, Value, lids,
    limits::{ATTACHMENTS_MAX, EMBED_DEPTH_MAX, RECIPIENTS_MAX},
    names, sets, tags,
};
use proptest::{collection::vec, prelude::*};
use serde_json::Value as Json;

use super::{
    FastTransferError, PROPERTIES_MAX, decode, encode,
    frame::{self, Header, Record, Records, Version},
    lex::{Element, Lexer, Marker},
};

/// The worked example of a whole payload: importance, class, subject, read, text body, one recipient, no attachment.
const MINIMAL: &str = "AQAAAAgAAAAAAAAAAQAAAAMAAAAYAAAAAQAAAAcDAgAAAAAAwAAAAAAAAEYAJACABAAAAAYAAAABDwCAAAACAAAAvgAAAAMAFwABAAAAsIQaABIAAABJAFAATQAuAE4AbwB0AGUAAACwhDcABgAAAEgAaQAAAAMABw4BAAAAsIQAEAwAAABIAGUAbABsAG8AAAADABZADQASDgMAA0ADAAAwAAAAAAMAFQwBAAAAsIQBMAgAAABCAG8AYgAAALCEAjAKAAAAUwBNAFQAUAAAALCEAzAgAAAAYgBvAGIAQABlAHgAYQBtAHAAbABlAC4AYwBvAG0AAAADAARAAwAWQA0AEw4=";

fn minimal() -> ItemContent {
    ItemContent {
        bag: Bag::from_iter([
            (tags::IMPORTANCE, Value::I32(1)),
            (tags::MESSAGE_CLASS, Value::text("IPM.Note")),
            (tags::SUBJECT, Value::text("Hi")),
            (tags::MESSAGE_FLAGS, Value::I32(0)),
            (tags::BODY, Value::text("Hello")),
        ]),
        recipients: vec![Bag::from_iter([
            (tags::RECIPIENT_TYPE, Value::I32(1)),
            (tags::DISPLAY_NAME, Value::text("Bob")),
            (tags::ADDRESS_TYPE, Value::text("SMTP")),
            (tags::EMAIL_ADDRESS, Value::text("bob@example.com")),
        ])],
        ..ItemContent::default()
    }
}

fn encoded(item: &ItemContent, flags: ItemFlags) -> Vec<u8> {
    let mut out = Vec::new();
    encode(item, flags, &mut out);
    out
}

/// A payload around `stream`.
fn framed(stream: &[u8]) -> Vec<u8> {
    let mut out = frame::opening();
    out.extend(Header { opcode: frame::DATA, length: stream.len() as u32 }.to_bytes());
    out.extend(stream);
    out
}

fn markers(markers: &[Marker]) -> Vec<u8> {
    markers.iter().flat_map(|marker| marker.code().to_le_bytes()).collect()
}

#[test]
fn worked_example() {
    let payload = BASE64_STANDARD.decode(MINIMAL).unwrap();
    assert_eq!(payload.len(), 260);
    let decoded = decode(&payload).unwrap();
    assert_eq!(decoded.content, minimal());
    assert!(decoded.read && decoded.replaces_recipients && decoded.replaces_attachments);
    assert_eq!(encoded(&minimal(), ItemFlags::READ), payload);
    assert!(!decode(&encoded(&minimal(), ItemFlags::default())).unwrap().read);
    for cut in 0..payload.len() {
        assert!(decode(&payload[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn published_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/facts/fasttransfer-vectors.json");
    let Ok(text) = std::fs::read(path) else {
        println!("skipped: {path} is missing");
        return;
    };
    let json: Json = serde_json::from_slice(&text).unwrap();
    let vectors = json["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 43);
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let bytes = hex(vector["hex"].as_str().unwrap());
        let decoded = &vector["decoded"];
        match vector["kind"].as_str().unwrap() {
            "frame" => check_frame(id, &bytes, decoded),
            "element" => check_element(id, &bytes, decoded),
            "sequence" => check_sequence(id, &bytes, decoded),
            "field" => {
                let version = Version::from_bytes(bytes[..].try_into().unwrap());
                assert_eq!(version.to_string(), decoded["version"], "{id}");
                assert_eq!(version.to_bytes()[..], bytes, "{id}");
            }
            "payload" => check_payload(id, &bytes),
            "negative" => assert!(matches!(decode(&bytes), Err(FastTransferError::Damaged(_))), "{id}"),
            kind => panic!("{id}: unknown kind {kind}"),
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hex_number(json: &Json) -> Option<u64> {
    let digits = json.as_str()?.strip_prefix("0x")?;
    u64::from_str_radix(digits.split(' ').next()?, 16).ok()
}

fn check_frame(id: &str, bytes: &[u8], decoded: &Json) {
    let (header, body) = Header::read(bytes).unwrap();
    assert_eq!(u64::from(header.opcode), decoded["opcode"], "{id}");
    assert_eq!(u64::from(header.length), decoded["length"], "{id}");
    assert_eq!(header.to_bytes()[..], bytes[..8], "{id}");
    if body.is_empty() {
        return;
    }
    match Records::new(bytes).collect::<Result<Vec<_>, _>>().unwrap()[..] {
        [Record::Config] => assert_eq!(decoded["transfer_method"], 1),
        [Record::Interface { flags }] => assert_eq!(Some(u64::from(flags)), hex_number(&decoded["flags"]), "{id}"),
        [Record::Version(version)] => assert_eq!(version.to_string(), decoded["version"], "{id}"),
        ref other => panic!("{id}: {other:?}"),
    }
}

fn check_element(id: &str, bytes: &[u8], decoded: &Json) {
    let elements: Vec<_> = Lexer::new(bytes).collect::<Result<_, _>>().unwrap();
    let [Element::Property(key, value)] = &elements[..] else { panic!("{id}: {elements:?}") };
    let set = decoded["propset"].as_str().map(|set| set.parse::<Guid>().unwrap());
    let expected_key = match set {
        Some(set) => match hex_number(&decoded["lid"]) {
            Some(lid) => PropertyKey::Lid(set, lid as u32),
            None => PropertyKey::name(set, decoded["name"].as_str().unwrap()),
        },
        None => {
            let tag = hex_number(&decoded["tag"]).or_else(|| hex_number(&decoded["meta"]));
            PropertyKey::Tag(tag.map_or_else(|| hex_number(&decoded["id"]).unwrap(), |tag| tag >> 16) as u16)
        }
    };
    assert_eq!(*key, expected_key, "{id}");
    let binary = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let json: Json = match value {
        Value::Text(text) => text.as_str().into(),
        Value::I32(n) if decoded["value"].is_string() => format!("0x{n:08X}").into(),
        Value::I32(n) => (*n).into(),
        Value::I64(n) => (*n).into(),
        Value::F64(n) => (*n).into(),
        Value::Bool(flag) => (*flag).into(),
        Value::Guid(guid) => guid.to_string().into(),
        Value::Binary(bytes) => binary(bytes).into(),
        Value::Time(time) => {
            assert_eq!(Some(time.0 as u64), hex_number(&decoded["filetime"]));
            return;
        }
        Value::I32s(list) => list.clone().into(),
        Value::Texts(list) => list.clone().into(),
        Value::Binaries(list) => list.iter().map(|bytes| binary(bytes)).collect(),
        other => panic!("{id}: {other:?}"),
    };
    assert_eq!(json, decoded["value"], "{id}");
}

fn check_sequence(id: &str, bytes: &[u8], decoded: &Json) {
    let elements: Vec<_> = Lexer::new(bytes).collect::<Result<_, _>>().unwrap();
    let expected = decoded.as_array().unwrap();
    assert_eq!(elements.len(), expected.len(), "{id}");
    for (element, expected) in elements.iter().zip(expected) {
        match (element, expected) {
            (Element::Marker(marker), Json::String(name)) => {
                assert!(name.eq_ignore_ascii_case(&format!("{marker:?}")), "{id}: {marker:?} {name}");
            }
            (Element::Property(PropertyKey::Tag(tag), value), Json::Object(fields)) => {
                let (name, json) = fields.iter().next().unwrap();
                let number = hex_number(&Json::from(name.as_str())).unwrap_or(0x4016_0003);
                assert_eq!(u64::from(*tag), number >> 16, "{id}");
                match value {
                    Value::I32(n) => {
                        assert_eq!(i64::from(*n), json.as_i64().or(hex_number(json).map(|n| n as i64)).unwrap())
                    }
                    Value::I64(n) => assert_eq!(n.to_le_bytes()[..], hex(json.as_str().unwrap())),
                    other => panic!("{id}: {other:?}"),
                }
            }
            other => panic!("{id}: {other:?}"),
        }
    }
}

fn check_payload(id: &str, bytes: &[u8]) {
    let decoded = decode(bytes).unwrap();
    assert!(decoded.read, "{id}");
    let mut content = decoded.content;
    let attachments = std::mem::take(&mut content.attachments);
    match id {
        "message-minimal" => assert_eq!(encoded(&content, ItemFlags::READ), bytes),
        "message-split" => assert!(attachments.is_empty()),
        "message-attachment" => {
            let expected = Attachment {
                bag: Bag::from_iter([
                    (tags::ATTACH_METHOD, Value::I32(1)),
                    (tags::ATTACH_FILENAME, Value::text("a.txt")),
                    (tags::ATTACH_LONG_FILENAME, Value::text("a.txt")),
                    (tags::RENDERING_POSITION, Value::I32(-1)),
                ]),
                content: AttachmentContent::File(Bytes::from_static(b"abc")),
            };
            assert_eq!(attachments, [expected]);
        }
        "message-embedded" => {
            assert_eq!(attachments[0].bag.get(&tags::ATTACH_METHOD), Some(&Value::I32(5)));
            let AttachmentContent::Item(item) = &attachments[0].content else { panic!() };
            assert_eq!(item.bag.text(&tags::SUBJECT), Some("Fwd"));
            assert_eq!(item.recipients.len(), 1);
        }
        id => panic!("unknown vector {id}"),
    }
    assert_eq!(content, minimal(), "{id}");
}

#[test]
fn text_in_code_pages() {
    for (kind, bytes, expected) in [
        (0x84e2_u16, &b"\x02\0\0\0\xf8\0"[..], Value::text("ř")),
        (0x84e3, b"\x02\0\0\0\xe6\0", Value::text("ж")),
        (0x83a4, b"\x03\0\0\0\x82\xa0\0", Value::text("あ")),
        (0xd182, b"\x02\0\0\0\xd6\0", Value::text("ж")),
        (0x84b0, b"\0\0\0\0", Value::text("")),
        (0x84b0, b"\x06\0\0\0\xff\xfea\0\0\0", Value::text("\u{feff}a")),
        (0x94b0, b"\x02\0\0\0\x04\0\0\0a\0\0\0\x02\0\0\0\0\0", Value::Texts(vec!["a".into(), "".into()])),
        (0x101e, b"\x01\0\0\0\x02\0\0\0\xe9\0", Value::Texts(vec!["é".into()])),
    ] {
        let element: Vec<u8> = [&kind.to_le_bytes(), &0x0037_u16.to_le_bytes()[..], bytes].concat();
        let read = Lexer::new(&element).collect::<Result<Vec<_>, _>>();
        assert_eq!(read, Ok(vec![Element::Property(tags::SUBJECT, expected)]), "{kind:x}");
    }
    // Unknown code pages, and types that do not exist.
    for kind in [0xfde8_u16, 0x8000, 0x000c, 0x100b, 0x0000] {
        let element: Vec<u8> = [&kind.to_le_bytes(), &[0x37, 0, 0, 0, 0, 0][..]].concat();
        assert!(Lexer::new(&element).next().unwrap().is_err(), "{kind:x}");
    }
}

#[test]
fn what_is_not_taken_and_not_written() {
    let mut item = minimal();
    for tag in [0x0e08_u16, 0x0e1b, 0x0e03, 0x0fff, 0x0e09, 0x0ffe, 0x674a, 0x65e2, 0x3013, 0x4008, 0x4000, 0x8001] {
        item.bag.set(PropertyKey::Tag(tag), Value::I32(7));
    }
    item.bag.set(tags::READ, Value::Bool(true));
    item.bag.set(PropertyKey::Lid(sets::HIGHWATER, 1), Value::I32(1));
    item.bag.set(PropertyKey::name(sets::HIGHWATER, "a"), Value::I32(1));
    item.bag.set(PropertyKey::field("Title"), Value::text("t"));
    item.bag.set(PropertyKey::name(sets::PUBLIC_STRINGS, "a\0b"), Value::I32(1));
    item.mime = Some(Bytes::from_static(b"MIME"));
    assert_eq!(encoded(&item, ItemFlags::READ), BASE64_STANDARD.decode(MINIMAL).unwrap());
    let mut stream = Vec::new();
    for (kind, id, value) in [(3_u16, 0x0e08_u16, 1_u32), (3, 0x674a, 1), (3, 0x0017, 2), (3, 0x0017, 0)] {
        stream.extend(kind.to_le_bytes());
        stream.extend(id.to_le_bytes());
        stream.extend(value.to_le_bytes());
    }
    // An object, a name of ours, and HTML as text.
    stream.extend(b"\x0d\0\x01\x37\x02\0\0\0xx");
    stream.extend(b"\x03\0\x01\x80");
    stream.extend(sets::HIGHWATER.0);
    stream.extend(b"\0\x01\0\0\0\x09\0\0\0");
    stream.extend(b"\x1e\0\x13\x10\x05\0\0\0<\xe9/>\0");
    let decoded = decode(&framed(&stream)).unwrap();
    assert!(!decoded.replaces_recipients && !decoded.replaces_attachments && !decoded.read);
    let expected = [
        (tags::IMPORTANCE, Value::I32(0)),
        (tags::HTML, Value::binary("<é/>".as_bytes())),
        (tags::INTERNET_CODEPAGE, Value::I32(65_001)),
    ];
    assert_eq!(decoded.content.bag, Bag::from_iter(expected));
}

#[test]
fn only_the_native_body_is_written() {
    let bodies = [
        (tags::BODY, Value::text("text")),
        (tags::RTF_COMPRESSED, Value::binary(&b"rtf"[..])),
        (tags::HTML, Value::binary(&b"html"[..])),
    ];
    for (native, have, expected) in [
        (None, &bodies[..], tags::HTML),
        (Some(1), &bodies[..], tags::BODY),
        (Some(2), &bodies[..], tags::RTF_COMPRESSED),
        (Some(3), &bodies[..2], tags::RTF_COMPRESSED),
        (Some(2), &bodies[..1], tags::BODY),
    ] {
        let mut item = ItemContent { bag: have.iter().cloned().collect(), ..ItemContent::default() };
        item.bag.put(tags::NATIVE_BODY, native.map(Value::I32));
        let bag = decode(&encoded(&item, ItemFlags::default())).unwrap().content.bag;
        let written: Vec<_> = bodies.iter().map(|(key, _)| key).filter(|key| bag.get(key).is_some()).collect();
        assert_eq!(written, [&expected], "{native:?}");
    }
}

#[test]
fn records_end_at_element_boundaries() {
    let mut item = minimal();
    for id in 0x6000..0x6400 {
        item.bag.set(PropertyKey::Tag(id), Value::I64(1));
    }
    let file = Bytes::from(vec![7; 20_000]);
    item.attachments = vec![Attachment { content: AttachmentContent::File(file.clone()), bag: Bag::new() }];
    let payload = encoded(&item, ItemFlags::default());
    let pieces: Vec<_> = Records::new(&payload)
        .filter_map(|record| if let Record::Data(piece) = record.unwrap() { Some(piece) } else { None })
        .collect();
    assert_eq!(pieces.len(), 4);
    assert!((8_192..8_250).contains(&pieces[0].len()), "{}", pieces[0].len());
    assert!(Lexer::new(pieces[0]).all(|element| element.is_ok()));
    assert_eq!(pieces[2], file);
    let content = decode(&payload).unwrap().content;
    assert_eq!(content.bag, item.bag);
    assert_eq!(content.attachments[0].content, item.attachments[0].content);
}

#[test]
fn bounds() {
    use Marker::{EndAttach, EndEmbed, EndToRecip, NewAttach, StartEmbed, StartRecip};
    let nested = |depth| [[NewAttach, StartEmbed].repeat(depth), [EndEmbed, EndAttach].repeat(depth)].concat();
    let numbers = |count: usize| [3, 0, 0x17, 0, 1, 0, 0, 0].repeat(count);
    for (stream, outcome) in [
        (markers(&nested(EMBED_DEPTH_MAX)), Ok(())),
        (markers(&nested(EMBED_DEPTH_MAX + 1)), Err(FastTransferError::TooMany("messages inside one another"))),
        (markers(&[StartRecip, EndToRecip].repeat(RECIPIENTS_MAX)), Ok(())),
        (markers(&[StartRecip, EndToRecip].repeat(RECIPIENTS_MAX + 1)), Err(FastTransferError::TooMany("recipients"))),
        (markers(&[NewAttach, EndAttach].repeat(ATTACHMENTS_MAX)), Ok(())),
        (markers(&[NewAttach, EndAttach].repeat(ATTACHMENTS_MAX + 1)), Err(FastTransferError::TooMany("attachments"))),
        (numbers(PROPERTIES_MAX), Ok(())),
        (numbers(PROPERTIES_MAX + 1), Err(FastTransferError::TooMany("properties"))),
    ] {
        assert_eq!(decode(&framed(&stream)).map(|_| ()), outcome);
    }
    // What is nested deeper than a reader takes is left out, not written.
    let mut item = minimal();
    for _ in 0..EMBED_DEPTH_MAX + 3 {
        let content = AttachmentContent::Item(Box::new(item));
        item = ItemContent { attachments: vec![Attachment { bag: Bag::new(), content }], ..ItemContent::default() };
    }
    assert!(decode(&encoded(&item, ItemFlags::default())).is_ok());
}

#[test]
fn markers_out_of_place() {
    use Marker::{EndAttach, EndEmbed, EndMessage, EndToRecip, NewAttach, Other, StartEmbed, StartMessage, StartRecip};
    for sequence in [
        &[EndToRecip][..],
        &[StartMessage, EndMessage],
        &[StartRecip],
        &[StartRecip, StartRecip, EndToRecip, EndToRecip],
        &[StartRecip, NewAttach, EndAttach, EndToRecip],
        &[NewAttach, EndEmbed],
        &[NewAttach, StartEmbed, EndAttach],
        &[NewAttach, StartEmbed, EndEmbed, StartEmbed, EndEmbed, EndAttach],
        &[StartEmbed, EndEmbed],
        &[Other(0x4012_0003)],
        &[Other(0x4018_0003)],
    ] {
        assert!(matches!(decode(&framed(&markers(sequence))), Err(FastTransferError::Damaged(_))), "{sequence:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    fn list<T: std::fmt::Debug + Clone>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
        vec(one, 0..4)
    }
    let bytes = || vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    let guid = || any::<[u8; 16]>().prop_map(Guid);
    let time = || any::<i64>().prop_map(Time);
    prop_oneof![
        any::<i16>().prop_map(Value::I16),
        any::<i32>().prop_map(Value::I32),
        any::<f32>().prop_map(Value::F32),
        any::<f64>().prop_map(Value::F64),
        any::<i64>().prop_map(Value::Currency),
        any::<f64>().prop_map(Value::FloatTime),
        any::<u32>().prop_map(Value::Error),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::I64),
        any::<String>().prop_map(Value::Text),
        time().prop_map(Value::Time),
        guid().prop_map(Value::Guid),
        bytes().prop_map(Value::ServerId),
        bytes().prop_map(Value::Binary),
        list(any::<i16>()).prop_map(Value::I16s),
        list(any::<i32>()).prop_map(Value::I32s),
        list(any::<f32>()).prop_map(Value::F32s),
        list(any::<f64>()).prop_map(Value::F64s),
        list(any::<i64>()).prop_map(Value::Currencies),
        list(any::<f64>()).prop_map(Value::FloatTimes),
        list(any::<i64>()).prop_map(Value::I64s),
        list(any::<String>()).prop_map(Value::Texts),
        list(time()).prop_map(Value::Times),
        list(guid()).prop_map(Value::Guids),
        list(bytes()).prop_map(Value::Binaries),
    ]
}

fn bag() -> impl Strategy<Value = Bag> {
    let key = prop_oneof![
        (0x6800_u16..0x8000).prop_map(PropertyKey::Tag),
        (1_u16..0x0c00).prop_map(PropertyKey::Tag),
        (any::<bool>(), any::<u32>())
            .prop_map(|(one, lid)| PropertyKey::Lid(if one { sets::TASK } else { sets::ADDRESS }, lid)),
        "[^\0]{0,8}".prop_map(|name| PropertyKey::name(sets::PUBLIC_STRINGS, name)),
        Just(names::KEYWORDS),
        Just(lids::LOCATION),
    ];
    vec((key, value()), 0..8).prop_map(Bag::from_iter)
}

fn item() -> impl Strategy<Value = ItemContent> {
    let content = |attachments| {
        (bag(), vec(bag(), 0..3), attachments).prop_map(|(bag, recipients, attachments)| ItemContent {
            bag,
            recipients,
            attachments,
            mime: None,
        })
    };
    let file = || {
        (bag(), proptest::option::of(vec(any::<u8>(), 0..40))).prop_map(|(mut bag, file)| match file {
            Some(bytes) => {
                bag.set(tags::ATTACH_METHOD, Value::I32(1));
                Attachment { bag, content: AttachmentContent::File(bytes.into()) }
            }
            None => Attachment { bag, content: AttachmentContent::None },
        })
    };
    content(vec(file(), 0..3).boxed()).prop_recursive(3, 12, 2, move |inner| {
        let embedded = (bag(), inner).prop_map(|(mut bag, item)| {
            bag.set(tags::ATTACH_METHOD, Value::I32(5));
            Attachment { bag, content: AttachmentContent::Item(Box::new(item)) }
        });
        content(vec(prop_oneof![file(), embedded], 0..3).boxed())
    })
}

proptest! {
    #[test]
    fn there_and_back(mut item in item(), read: bool, flags: i32) {
        item.bag.set(tags::MESSAGE_FLAGS, Value::I32(flags & !1));
        let payload = encoded(&item, ItemFlags::default().set(ItemFlags::READ, read));
        let decoded = decode(&payload).unwrap();
        prop_assert_eq!(decoded.content, item);
        prop_assert_eq!(decoded.read, read);
    }

    #[test]
    fn damage_is_an_error_and_never_a_panic(item in item(), at: prop::sample::Index, bits in 1_u8..) {
        let payload = encoded(&item, ItemFlags::default());
        for cut in 0..payload.len() {
            prop_assert!(decode(&payload[..cut]).is_err(), "{}", cut);
        }
        let stream = frame::stream(payload.clone()).unwrap();
        let _ = decode(&framed(&stream[..at.index(stream.len())]));
        let mut payload = payload.clone();
        let at = at.index(payload.len());
        payload[at] ^= bits;
        let _ = decode(&payload);
    }

    #[test]
    fn noise_is_no_panic(stream in vec(any::<u8>(), 0..200)) {
        let _ = decode(&stream);
        let _ = decode(&framed(&stream));
    }
}
