//! What is attacked. Each target takes any bytes, and panics where something is wrong.

use std::sync::{Arc, LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use content::message::{Import, Render};
use mapi::fasttransfer::{self, Decoded, FastTransferError, frame, lex::Lexer};
use model::{Extent, ItemContent, MemorySpool, Time};
use xml::{Document, Limits};

use crate::{item, mailbox::Mailbox, peer, source::Source};

/// A target by name.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is that of its file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Attacks.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "fasttransfer_decode", run: fasttransfer_decode },
    Target { name: "fasttransfer_round_trip", run: fasttransfer_round_trip },
    Target { name: "xml_document", run: xml_document },
    Target { name: "message_parse", run: message_parse },
    Target { name: "item_id", run: item_id },
];

/// Bytes as a payload, and as a stream inside one. What is an item is one again after it was written.
pub fn fasttransfer_decode(bytes: &[u8]) {
    let framed = peer::framed(bytes, &mut Source::new(&[]));
    for payload in [bytes, &framed] {
        let _ = frame::Records::new(payload).count();
        same_through_windows(payload);
        if let Ok(decoded) = fasttransfer::decode(payload) {
            let again = round_trip(&decoded.content, decoded.read);
            // What was read can be written: only the flags may come to where there were none.
            item::assert_same(&again, &item::survivors(&decoded.content), "decoded");
        }
    }
    let _ = Lexer::new(bytes).count();
}

/// Bytes as the choices that make an item: what goes through a stream, ours or a peer's, comes back.
pub fn fasttransfer_round_trip(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let (made, flags) = item::item(&mut source);
    let expected = item::survivors(&made);
    let read = flags.has(model::ItemFlags::READ);
    item::assert_same(&round_trip(&made, read), &expected, "ours");
    let payload = peer::payload(&expected, &mut source);
    same_through_windows(&payload);
    let decoded = fasttransfer::decode(&payload).expect("a peer's payload");
    item::assert_same(&decoded.content, &expected, "a peer's");
    assert!(decoded.replaces_recipients && decoded.replaces_attachments);
}

/// A payload outside of memory, of which small pieces are seen at once, means or breaks the same.
fn same_through_windows(payload: &[u8]) {
    let facts = |decoded: Result<Decoded, FastTransferError>| {
        let facts =
            |one: Decoded| (item::identity(&one.content), one.read, one.replaces_recipients, one.replaces_attachments);
        decoded.map(facts)
    };
    let expected = facts(fasttransfer::decode(payload));
    for window in [1, 9, 100, 4_096] {
        let head = b"in front".to_vec();
        let (offset, bytes) = (head.len() as u64, payload.len() as u64);
        let spool = MemorySpool::from([&head, payload].concat());
        let extent = Extent { spool: Arc::new(spool), offset, bytes };
        assert!(facts(fasttransfer::decode_spooled_by(&extent, window)) == expected, "by {window}");
    }
}

fn round_trip(content: &ItemContent, read: bool) -> ItemContent {
    let flags = model::ItemFlags::default().set(model::ItemFlags::READ, read);
    let mut payload = Vec::new();
    fasttransfer::encode(content, flags, &mut payload);
    let decoded = fasttransfer::decode(&payload).expect("our own payload");
    assert_eq!(decoded.read, read);
    let mut second = Vec::new();
    fasttransfer::encode(&decoded.content, flags, &mut second);
    let again = fasttransfer::decode(&second).expect("our second payload");
    item::assert_same(&again.content, &decoded.content, "ours again");
    decoded.content
}

/// Bytes as a document: what is one means the same after it was written.
pub fn xml_document(bytes: &[u8]) {
    let Ok(document) = Document::parse(bytes, &Limits::DEFAULT) else { return };
    let written = document.root().to_xml();
    let again = Document::parse(written.as_bytes(), &Limits::DEFAULT).expect("our own document");
    let (mut one, mut other) = (vec![document.root()], vec![again.root()]);
    while let (Some(came), Some(expected)) = (one.pop(), other.pop()) {
        assert_eq!(
            (came.local(), came.namespace(), came.text()),
            (expected.local(), expected.namespace(), expected.text())
        );
        one.extend(came.children());
        other.extend(expected.children());
        assert_eq!(one.len(), other.len(), "{written}");
    }
}

/// Bytes as a message, and as the text of a calendar, of HTML and of RTF: everything is read, and what was read is written.
pub fn message_parse(bytes: &[u8]) {
    let now = Time::from_unix(1_700_000_000);
    let content = content::message::parse(Bytes::copy_from_slice(bytes), &Import { received: None, now });
    let context = Render { domain: "example.com" };
    let rendered = content::message::render(&ItemContent { mime: None, ..content.clone() }, &context);
    let _ = content::message::parse(rendered.into(), &Import { received: None, now });
    let _ = content::rtf::read(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = content::html::to_text(&text);
    let _ = content::html::strip_active(&text);
    content::calendar::apply(&text, &mut ItemContent::default());
    let _ = round_trip(&content, true);
}

static MAILBOX: LazyLock<Mailbox> = LazyLock::new(Mailbox::new);

/// Bytes as an id and its change key, in base64 and as they are; and as a whole request.
pub fn item_id(bytes: &[u8]) {
    let (id, key) = bytes.split_at(bytes.len() - bytes.len() / 4);
    let plain = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| char::from(byte & 0x7f))
            .filter(|c| c.is_ascii_alphanumeric() || "+/=".contains(*c))
            .collect()
    };
    for (id, key) in [(STANDARD.encode(id), STANDARD.encode(key)), (plain(id), plain(key))] {
        for request in [
            format!(
                "<ExportItems><ItemIds><t:ItemId Id=\"{id}\" ChangeKey=\"{key}\"/><t:ItemId Id=\"{id}\"/></ItemIds></ExportItems>"
            ),
            format!(
                "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds><t:FolderId Id=\"{id}\"/>\
                 </FolderIds></GetFolder>"
            ),
            format!("<GetAttachment><AttachmentIds><t:AttachmentId Id=\"{id}\"/></AttachmentIds></GetAttachment>"),
            format!(
                "<ConvertId DestinationFormat=\"EntryId\"><SourceIds><t:AlternateId Format=\"EwsId\" Id=\"{id}\" \
                 Mailbox=\"ann@example.com\"/></SourceIds></ConvertId>"
            ),
        ] {
            let (status, answer) = MAILBOX.call(&request);
            assert_eq!(status, 200, "{request}\n{answer}");
        }
    }
    let (status, answer) = MAILBOX.send(bytes.to_vec());
    assert!(status == 200 || status == 500, "{answer}");
}
