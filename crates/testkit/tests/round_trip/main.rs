//! What is exported and uploaded again is an equal item.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

mod kinds;
mod large;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use testkit::{
    ews::{Ews, distinguished, responses},
    schema::Checker,
    server::{ANNA, BERT, TestServer, stores},
    stream::{APPOINTMENT, MEETING, PUBLIC_STRINGS, Stream},
    tree::{Reach, Tree, meaning},
};
use xml::Node;

/// Elements that name the item itself or its place, or are counted anew.
const OWN: [&str; 11] = [
    "Size",
    "ItemId",
    "ParentFolderId",
    "AttachmentId",
    "LastModifiedTime",
    "LastModifiedName",
    "InstanceKey",
    "ConversationId",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "StoreEntryId",
];
const EXTENDED: &str = "<t:BaseShape>AllProperties</t:BaseShape><t:BodyType>Text</t:BodyType><t:AdditionalProperties>\
    <t:ExtendedFieldURI PropertyTag=\"0x7d01\" PropertyType=\"Boolean\"/>\
    <t:ExtendedFieldURI PropertySetId=\"00020329-0000-0000-C000-000000000046\" PropertyName=\"ours\" PropertyType=\"String\"/>\
    <t:ExtendedFieldURI DistinguishedPropertySetId=\"Appointment\" PropertyId=\"33288\" PropertyType=\"String\"/>\
    </t:AdditionalProperties>";

/// Everything that GetItem says about an item, but for what is its own.
fn content(ews: &Ews, id: &str, checker: &mut Checker) -> String {
    let answer = ews.get_item(id, EXTENDED).unwrap();
    checker.ews(&answer);
    let item = responses(&answer)[0].at("Items/*");
    let mut text = format!("{}\n", item.local());
    for child in item.children().filter(|child| !OWN.contains(&child.local())) {
        text += &own_removed(child);
    }
    for attachment in item.find("Attachments").into_iter().flat_map(Node::children) {
        text += &attachment_content(ews, attachment, checker);
    }
    text
}

fn assert_content(came: &str, expected: &str, name: &str) {
    let differing = came.lines().zip(expected.lines()).find(|(came, expected)| came != expected);
    assert!(came == expected, "{name}: came back, expected: {differing:?}\n{came}\n{expected}");
}

fn own_removed(node: Node<'_>) -> String {
    let lines: String = node.children().filter(|child| !OWN.contains(&child.local())).map(own_removed).collect();
    if node.children().next().is_none() { meaning(node) } else { format!("<{}>{lines}</>\n", node.local()) }
}

fn attachment_content(ews: &Ews, attachment: Node<'_>, checker: &mut Checker) -> String {
    let id = attachment.at("AttachmentId").attribute("Id").unwrap();
    let request = format!(
        "<m:GetAttachment><m:AttachmentShape/><m:AttachmentIds><t:AttachmentId Id=\"{id}\"/></m:AttachmentIds></m:GetAttachment>"
    );
    let answer: Tree = ews.attempt(&request).unwrap();
    checker.ews(&answer);
    own_removed(responses(&answer)[0].at("Attachments/*"))
}

fn messages() -> Vec<(&'static str, String)> {
    let inner = Stream::message("IPM.Note", "Inside")
        .text(0x1000, "An inner body")
        .recipients_follow()
        .recipient(0, "Eve", "eve@example.com")
        .attachments_follow()
        .file(0, "inner.txt", b"inner content");
    let meeting = Stream::message("IPM.Schedule.Meeting.Request", "Meet")
        .flag(0x7d01, true)
        .named_number(MEETING, 0x0026, 1)
        .named_number(APPOINTMENT, 0x8205, 2)
        .named_text(APPOINTMENT, 0x8208, "Here")
        .named_time(APPOINTMENT, 0x820d, 1_700_000_000)
        .named_time(APPOINTMENT, 0x820e, 1_700_003_600)
        .recipients_follow()
        .recipient(0, "Bob", "bob@example.com")
        .attachments_follow();
    let rich = Stream::message("IPM.Note", "Everything \u{1f600}")
        .number(0x0017, 2)
        .number(0x0036, 2)
        .time(0x0039, 1_600_000_000)
        .time(0x0e06, 1_600_000_005)
        .text(0x0042, "Dan")
        .text(0x0064, "SMTP")
        .text(0x0065, "dan@example.com")
        .text(0x1000, "A body of several\r\nlines")
        .text(0x1035, "<id@example.com>")
        .binary(0x300b, b"search key")
        .recipients_follow()
        .recipient(0, "Bob", "bob@example.com")
        .recipient(1, "Cleo", "cleo@example.com")
        .attachments_follow()
        .file(0, "a.bin", &(0..=255).cycle().take(30_000).collect::<Vec<u8>>())
        .file(1, "empty.txt", b"")
        .embedded(2, "Inside", &inner);
    let named = |class: &str| {
        Stream::message(class, "Named")
            .called_text(PUBLIC_STRINGS, "ours", "our value")
            .called_texts(PUBLIC_STRINGS, "Keywords", &["Red", "Gr\u{fc}n", ""])
            .text(0x3a06, "Given")
            .text(0x3a11, "Surname")
            .text(0x3a16, "Company")
            .text(0x3a08, "+1 23")
            .named_text(APPOINTMENT, 0x8208, "There")
            .named_number(APPOINTMENT, 0x8205, 1)
            .named_time(APPOINTMENT, 0x820d, 1_700_000_000)
            .named_time(APPOINTMENT, 0x820e, 1_700_003_600)
            .recipients_follow()
            .attachments_follow()
            .data()
    };
    let classes =
        ["IPM.Note", "IPM.Contact", "IPM.Task", "IPM.Post", "IPM.Appointment", "IPM.DistList", "IPM.Activity"];
    let plain = Stream::message("IPM.Note", "").recipients_follow().attachments_follow();
    let mut messages = vec![("plain", plain.data()), ("meeting", meeting.data()), ("rich", rich.data())];
    messages.extend(classes.map(|class| (class, named(class))));
    messages
}

#[test]
fn uploaded_exported_uploaded() {
    for kind in stores("uploaded_exported_uploaded") {
        let server = TestServer::start(kind);
        let (anna, bert) = (server.ews(ANNA), server.ews(BERT));
        let mut checker = Checker::new();
        let inbox = anna.folder(&distinguished("inbox"));
        let elsewhere = bert.folder(&distinguished("inbox"));
        let mime = concat!(
            "From: Dan <dan@example.com>\r\nTo: Anna <anna@example.com>\r\nCc: c@example.com\r\n",
            "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <m@example.com>\r\n",
            "Date: Mon, 2 Mar 2020 10:00:00 +0100\r\nMIME-Version: 1.0\r\n",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
            "<p>Hello</p>\r\n--b\r\nContent-Type: text/plain; name=a.txt\r\n",
            "Content-Disposition: attachment; filename=a.txt\r\n\r\nattached\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n",
            "Subject: Forwarded\r\nFrom: e@example.com\r\n\r\nInner text\r\n--b--\r\n"
        );
        let mut ids: Vec<_> = messages()
            .into_iter()
            .map(|(name, data)| (name, anna.upload(&inbox, false, &[data]).remove(0).unwrap()))
            .collect();
        ids.push(("mime", anna.create_mime(&distinguished("inbox"), &STANDARD.encode(mime)).unwrap()));
        for (name, id) in &ids {
            let first = anna.export(std::slice::from_ref(id)).remove(0).unwrap();
            let expected = content(&anna, id, &mut checker);
            // Into another mailbox, and over another item of the same.
            let copy = bert.upload(&elsewhere, false, std::slice::from_ref(&first)).remove(0).unwrap();
            assert_content(&content(&bert, &copy, &mut checker), &expected, name);
            let target = anna.create_message(&distinguished("inbox"), "Replaced");
            assert_eq!(anna.upload_over(&target, &inbox, false, &first).unwrap(), target);
            assert_content(&content(&anna, &target, &mut checker), &expected, name);
            // The second export says the same as the first.
            let second = bert.export(&[copy]).remove(0).unwrap();
            let again = anna.upload(&inbox, false, &[second]).remove(0).unwrap();
            assert_content(&content(&anna, &again, &mut checker), &expected, name);
        }
        let rich = content(&anna, &ids[2].1, &mut checker);
        for held in ["Everything \u{1f600}", "High", "Private", "cleo@example.com", "Inside", "inner.txt", "a.bin"] {
            assert!(rich.contains(held), "{held} is not in {rich}");
        }
        for (name, id) in &ids[3..10] {
            let content = content(&anna, id, &mut checker);
            for held in ["our value", "Red", "Gr\u{fc}n"] {
                assert!(content.contains(held), "{name}: {held} is not in {content}");
            }
        }
        checker.finish();
    }
}
