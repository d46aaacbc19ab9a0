//! What uploads carry that is not as we write it: each decision about the format, by what is stored then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test")]

use fuzzing::mailbox::{Mailbox, texts};
use mapi::fasttransfer::{self, Decoded};
use model::{Bag, PropertyKey, Time, Value, sets, tags};

const NEW: &str = "CreateAction=\"CreateNew\"";
const UPDATE: &str = "CreateAction=\"Update\"";

const CONFIG: &[u8] = &[1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
const INTERFACE: &[u8] =
    &[3, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 7, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46, 0, 0x24, 0, 0x80];
const VERSION: &[u8] = &[4, 0, 0, 0, 6, 0, 0, 0, 1, 0x0e, 0xa4, 0x80, 0, 0];
const CLEAR_RECIPIENTS: &[u8] = &[3, 0, 0x16, 0x40, 0x0d, 0, 0x12, 0x0e];
const CLEAR_ATTACHMENTS: &[u8] = &[3, 0, 0x16, 0x40, 0x0d, 0, 0x13, 0x0e];

fn data(stream: &[u8]) -> Vec<u8> {
    [&2_u32.to_le_bytes()[..], &(stream.len() as u32).to_le_bytes(), stream].concat()
}

fn payload(stream: &[u8]) -> Vec<u8> {
    [CONFIG, INTERFACE, VERSION, &data(stream)].concat()
}

fn property(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &id.to_le_bytes(), value].concat()
}

fn counted(kind: u16, id: u16, value: &[u8]) -> Vec<u8> {
    property(kind, id, &[&(value.len() as u32).to_le_bytes()[..], value].concat())
}

fn subject(text: &str) -> Vec<u8> {
    let wide: Vec<u8> = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    counted(0x84b0, 0x0037, &wide)
}

fn recipient(address: &str) -> Vec<u8> {
    let address = counted(0x001e, 0x3003, &[address.as_bytes(), b"\0"].concat());
    [
        &0x4003_0003_u32.to_le_bytes()[..],
        &property(3, 0x0c15, &1_u32.to_le_bytes()),
        &address,
        &0x4004_0003_u32.to_le_bytes(),
    ]
    .concat()
}

fn attachment(content: &[u8]) -> Vec<u8> {
    let number = property(3, 0x0e21, &0_u32.to_le_bytes());
    let method = property(3, 0x3705, &1_u32.to_le_bytes());
    let content = counted(0x0102, 0x3701, content);
    [&0x4000_0003_u32.to_le_bytes()[..], &number, &method, &content, &0x400e_0003_u32.to_le_bytes()].concat()
}

fn stored(mailbox: &Mailbox, id: &str) -> Decoded {
    let (code, payload) = mailbox.export(&[id]).remove(0);
    assert_eq!(code, "NoError");
    fasttransfer::decode(&payload).unwrap()
}

fn upload(mailbox: &Mailbox, payload: &[u8]) -> Result<Decoded, String> {
    let inbox = mailbox.folder("inbox");
    let (code, id) = mailbox.upload(&[(NEW, &inbox, None, payload)]).remove(0);
    if code == "NoError" { Ok(stored(mailbox, &id)) } else { Err(code) }
}

/// Fasttransfer sheet, sections 1 and 3: records.
#[test]
fn records() {
    let mailbox = Mailbox::new();
    let stream = [subject("Hi"), CLEAR_RECIPIENTS.to_vec(), CLEAR_ATTACHMENTS.to_vec()].concat();
    let cut = |at: usize| [data(&stream[..at]), data(&stream[at..])].concat();
    let empty = [2, 0, 0, 0, 0, 0, 0, 0];
    let mut other_flags = INTERFACE.to_vec();
    other_flags[31] = 0xff;
    for (what, records) in [
        ("as Exchange writes", [CONFIG, INTERFACE, VERSION, &data(&stream)].concat()),
        ("no interface", [CONFIG, VERSION, &data(&stream)].concat()),
        ("no version", [CONFIG, INTERFACE, &data(&stream)].concat()),
        ("unknown flags", [CONFIG, &other_flags, &data(&stream)].concat()),
        ("cut inside an atom", [CONFIG, INTERFACE, VERSION, &cut(3)].concat()),
        ("cut inside a value", [CONFIG, INTERFACE, VERSION, &cut(11)].concat()),
        ("an empty record", [CONFIG, &empty, &cut(8), &empty].concat()),
    ] {
        let item = upload(&mailbox, &records).unwrap_or_else(|code| panic!("{what}: {code}"));
        assert_eq!(item.content.bag.text(&tags::SUBJECT), Some("Hi"), "{what}");
    }
    let mut other_interface = INTERFACE.to_vec();
    other_interface[12] = 8;
    for (what, records) in [
        ("nothing", Vec::new()),
        ("no configuration", [INTERFACE, VERSION, &data(&stream)].concat()),
        ("another interface", [CONFIG, &other_interface, &data(&stream)].concat()),
        ("an unknown record", [CONFIG, &[5, 0, 0, 0, 0, 0, 0, 0], &data(&stream)].concat()),
        ("a record past the end", [CONFIG, &data(&stream)[..20]].concat()),
        ("no stream", [CONFIG, INTERFACE, VERSION].concat()),
    ] {
        assert_eq!(upload(&mailbox, &records).err().as_deref(), Some("ErrorCorruptData"), "{what}");
    }
}

/// Section 2: types, code pages, terminators, counts of four bytes, binaries of length 0.
#[test]
fn values() {
    let mailbox = Mailbox::new();
    let id = 0x6001;
    let key = PropertyKey::Tag(id);
    for (element, expected) in [
        (counted(0x84e4, id, b"\xe9\0"), Value::text("\u{e9}")),
        (counted(0x84e2, id, b"\xf8\0"), Value::text("\u{159}")),
        (counted(0x001e, id, b"a\0"), Value::text("a")),
        (counted(0x001f, id, b"a\0\0\0"), Value::text("a")),
        (counted(0x84b0, id, b"\0\0"), Value::text("")),
        (counted(0x84b0, id, b""), Value::text("")),
        (counted(0x84b0, id, b"\x3d\xd8\x00\xde\0\0"), Value::text("\u{1f600}")),
        (counted(0x0102, id, b""), Value::binary(Vec::new())),
        (counted(0x00fb, id, b"\x01"), Value::ServerId(vec![1].into())),
        (property(0x000b, id, &[1, 0]), Value::Bool(true)),
        (property(0x000a, id, &[5, 0, 4, 0x80]), Value::Error(0x8004_0005)),
        (property(0x0040, id, &1_i64.to_le_bytes()), Value::Time(Time(1))),
        (property(0x1003, id, b"\x02\0\0\0\x01\0\0\0\xff\xff\xff\xff"), Value::I32s(vec![1, -1])),
        (property(0x101e, id, b"\x01\0\0\0\x02\0\0\0\xe9\0"), Value::Texts(vec!["\u{e9}".into()])),
        (property(0x101f, id, b"\x01\0\0\0\x04\0\0\0a\0\0\0"), Value::Texts(vec!["a".into()])),
        (property(0x94b0, id, b"\x01\0\0\0\x04\0\0\0a\0\0\0"), Value::Texts(vec!["a".into()])),
        (
            property(0x1102, id, b"\x02\0\0\0\0\0\0\0\x01\0\0\0x"),
            Value::Binaries(vec![vec![].into(), b"x".to_vec().into()]),
        ),
    ] {
        let item = upload(&mailbox, &payload(&[subject("Hi"), element.clone()].concat())).unwrap();
        assert_eq!(item.content.bag.get(&key), Some(&expected), "{element:?}");
    }
    // A number is only the sender's: the name counts. An object and the stream's own properties say nothing.
    let named = |number: u16, value: u32| {
        let name = [&[3, 0][..], &number.to_le_bytes(), &sets::TASK.0, &[0], &0x8101_u32.to_le_bytes()].concat();
        [name, value.to_le_bytes().to_vec()].concat()
    };
    let stream =
        [named(0x8005, 1), named(0x9123, 2), counted(0x000d, 0x3f0c, b"object"), counted(0x84e4, 0x4008, b"/O=x\0")];
    let bag = upload(&mailbox, &payload(&stream.concat())).unwrap().content.bag;
    assert_eq!(bag.get(&PropertyKey::Lid(sets::TASK, 0x8101)), Some(&Value::I32(2)));
    assert_eq!((bag.get(&PropertyKey::Tag(0x3f0c)), bag.get(&PropertyKey::Tag(0x4008))), (None, None));
    for damaged in [
        counted(0x84b0, id, b"a\0"),
        counted(0x84b0, id, b"a\0\0"),
        counted(0x001e, id, b"a"),
        property(0x1003, id, b"\xff\xff\xff\xff"),
        property(0x0077, id, &[0; 8]),
        property(3, 0x4003, &[]),
        property(3, 0x4012, &[]),
    ] {
        assert_eq!(upload(&mailbox, &payload(&damaged)).err().as_deref(), Some("ErrorCorruptData"), "{damaged:?}");
    }
}

/// Section 4: what is taken, what is computed anew, and that the prefix and the number of an embedded message are passed over.
#[test]
fn what_is_imported() {
    let mailbox = Mailbox::new();
    let (created, delivered, sent) =
        (Time::from_date(2001, 1, 1), Time::from_date(2002, 2, 2), Time::from_date(2003, 3, 3));
    let mut stream = counted(0x84e4, 0x4008, b"/O=First/CN=\0");
    for (id, time) in [(0x3007, created), (0x0e06, delivered), (0x0039, sent)] {
        stream.extend(property(0x40, id, &time.0.to_le_bytes()));
    }
    // Read and unsent; the search key; then what is computed.
    stream.extend(property(3, 0x0e07, &9_u32.to_le_bytes()));
    stream.extend(counted(0x0102, 0x300b, b"key"));
    for id in [0x0e08, 0x0e1b, 0x0e02, 0x0fff, 0x0e09, 0x0ffe, 0x674a, 0x6748, 0x67a4, 0x65e2, 0x65e0, 0x3013] {
        stream.extend(property(3, id, &77_u32.to_le_bytes()));
    }
    // Several bodies are accepted; the best one is written again.
    stream.extend(counted(0x001e, 0x1000, b"plain\0"));
    stream.extend(counted(0x0102, 0x1013, b"<p>rich</p>"));
    let inner = [property(0x14, 0x674a, &[9; 8]), counted(0x84e4, 0x4008, b"/O=x\0"), subject("Inner")].concat();
    let embedded = [
        &0x4000_0003_u32.to_le_bytes()[..],
        &property(3, 0x0e21, &0_u32.to_le_bytes()),
        &property(3, 0x3705, &5_u32.to_le_bytes()),
        &0x4001_0003_u32.to_le_bytes(),
        &inner,
        &0x4002_0003_u32.to_le_bytes(),
        &0x400e_0003_u32.to_le_bytes(),
    ];
    stream.extend(embedded.concat());
    let inbox = mailbox.folder("inbox");
    let (code, id) = mailbox.upload(&[(NEW, &inbox, None, &payload(&stream))]).remove(0);
    assert_eq!(code, "NoError");
    let item = stored(&mailbox, &id);
    let bag = &item.content.bag;
    for (id, time) in [(0x3007, created), (0x0e06, delivered), (0x0039, sent)] {
        assert_eq!(bag.get(&PropertyKey::Tag(id)), Some(&Value::Time(time)));
    }
    assert_eq!(bag.get(&tags::SEARCH_KEY), Some(&Value::binary(&b"key"[..])));
    let Some(Value::I32(bits)) = bag.get(&tags::MESSAGE_FLAGS) else { panic!("no flags") };
    assert!(item.read && bits & 8 == 8, "{bits}");
    assert_eq!(bag.get(&tags::HTML), Some(&Value::binary(&b"<p>rich</p>"[..])));
    assert_eq!(bag.get(&tags::BODY), None);
    let model::AttachmentContent::Item(inner) = &item.content.attachments[0].content else { panic!("no item") };
    assert_eq!(inner.bag.text(&tags::SUBJECT), Some("Inner"));
    assert!([0x674a, 0x4008].iter().all(|id| inner.bag.get(&PropertyKey::Tag(*id)).is_none()));
    let said = mailbox.get(&id);
    for (element, expected) in [
        ("IsDraft", "true"),
        ("IsRead", "true"),
        ("HasAttachments", "true"),
        ("DateTimeCreated", "2001-01-01T00:00:00Z"),
    ] {
        assert_eq!(texts(&said, element)[0], expected, "{element}");
    }
    assert!(texts(&said, "Size")[0] != "77");
}

/// What an update does not name stays; what it says is all there is replaces.
#[test]
fn sub_objects_of_an_update() {
    let mailbox = Mailbox::new();
    let inbox = mailbox.folder("inbox");
    let first = [
        subject("First"),
        CLEAR_RECIPIENTS.to_vec(),
        recipient("a@example.com"),
        CLEAR_ATTACHMENTS.to_vec(),
        attachment(b"one"),
    ];
    for (what, update, recipients, attachments) in [
        ("neither", vec![], 1, 1),
        ("no recipients", vec![CLEAR_RECIPIENTS.to_vec()], 0, 1),
        ("no attachments", vec![CLEAR_ATTACHMENTS.to_vec()], 1, 0),
        ("nothing", vec![CLEAR_RECIPIENTS.to_vec(), CLEAR_ATTACHMENTS.to_vec()], 0, 0),
        (
            "two of each",
            vec![
                CLEAR_RECIPIENTS.to_vec(),
                recipient("b@example.com"),
                recipient("c@example.com"),
                CLEAR_ATTACHMENTS.to_vec(),
                attachment(b"two"),
                attachment(b"three"),
            ],
            2,
            2,
        ),
    ] {
        let (_, id) = mailbox.upload(&[(NEW, &inbox, None, &payload(&first.concat()))]).remove(0);
        let update = payload(&[subject("Second"), update.concat()].concat());
        let (code, same) = mailbox.upload(&[(UPDATE, &inbox, Some(&id), &update)]).remove(0);
        assert_eq!((code.as_str(), &same), ("NoError", &id), "{what}");
        let item = stored(&mailbox, &id).content;
        assert_eq!(item.bag.text(&tags::SUBJECT), Some("Second"), "{what}");
        assert_eq!((item.recipients.len(), item.attachments.len()), (recipients, attachments), "{what}");
        assert_eq!(
            item.recipients.iter().filter(|one: &&Bag| one.text(&tags::EMAIL_ADDRESS) == Some("a@example.com")).count(),
            usize::from(recipients == 1)
        );
    }
}

/// The attribute of the request wins over the stream; the change key that an export gives is good for an update.
#[test]
fn association_and_change_keys() {
    let mailbox = Mailbox::new();
    let inbox = mailbox.folder("inbox");
    // The associated bit among the flags, and the property of the same name.
    let stream =
        [subject("Settings"), property(3, 0x0e07, &0x41_u32.to_le_bytes()), property(11, 0x67aa, &[1, 0])].concat();
    for (attributes, associated) in [
        (NEW.to_owned(), "false"),
        (format!("{NEW} IsAssociated=\"false\""), "false"),
        (format!("{NEW} IsAssociated=\"1\""), "true"),
    ] {
        let (_, id) = mailbox.upload(&[(&attributes, &inbox, None, &payload(&stream))]).remove(0);
        assert_eq!(texts(&mailbox.get(&id), "IsAssociated"), [associated], "{attributes}");
    }
    let (_, id) = mailbox.upload(&[(NEW, &inbox, None, &payload(&stream))]).remove(0);
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, payload(&stream));
    let current = fuzzing::mailbox::attributes(&mailbox.get(&id), "ItemId", "ChangeKey").remove(0);
    for (key, code) in [
        ("CQAAAA==", "NoError"),
        (current.as_str(), "ErrorStaleObject"),
        ("x", "ErrorInvalidChangeKey"),
        ("", "NoError"),
    ] {
        let key = if key.is_empty() { String::new() } else { format!(" ChangeKey=\"{key}\"") };
        let (_, answer) = mailbox.call(&format!(
            "<UploadItems><Items><t:Item {UPDATE}><t:ParentFolderId Id=\"{inbox}\"/><t:ItemId Id=\"{id}\"{key}/>\
             <t:Data>{data}</t:Data></t:Item></Items></UploadItems>"
        ));
        assert_eq!(texts(&answer, "ResponseCode"), [code], "{key}");
    }
}

/// The largest item is a setting; one that is larger fails alone.
#[test]
fn too_large_items_fail_alone() {
    let mailbox = Mailbox::with_settings(ews::Settings { upload_bytes_max: 10_000, ..ews::Settings::default() });
    let inbox = mailbox.folder("inbox");
    let (small, large) = (payload(&subject("Small")), payload(&attachment(&[7; 10_000])));
    let done = mailbox.upload(&[(NEW, &inbox, None, &small), (NEW, &inbox, None, &large), (NEW, &inbox, None, &small)]);
    let codes: Vec<_> = done.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["NoError", "ErrorMessageSizeExceeded", "NoError"]);
}
