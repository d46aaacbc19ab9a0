use std::path::{Path, PathBuf};

use mapi::entry_id;
use model::{Attachment, AttachmentContent, Bag, PropertyKey, lids, names};
use proptest::prelude::*;

use super::*;

const CONTEXT: Render<'_> = Render { domain: "example.com" };

fn now() -> Time {
    "2024-01-02T03:04:05Z".parse().unwrap()
}

fn parse_text(text: &str) -> ItemContent {
    parse(Bytes::from(text.replace('\n', "\r\n")), &Import { received: None, now: now() })
}

fn text<'i>(bag: &'i Bag, key: &PropertyKey) -> &'i str {
    bag.text(key).unwrap_or_else(|| panic!("no text under {key:?}"))
}

fn number(bag: &Bag, key: &PropertyKey) -> i64 {
    bag.get(key).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number under {key:?}"))
}

fn time(bag: &Bag, key: &PropertyKey) -> String {
    bag.get(key).and_then(Value::as_time).unwrap_or_else(|| panic!("no time under {key:?}")).to_string()
}

fn html(bag: &Bag) -> String {
    String::from_utf8(bag.get(&tags::HTML).unwrap().as_binary().unwrap().to_vec()).unwrap()
}

#[test]
fn envelope() {
    let item = parse_text(
        "Received: from b by c; Thu, 31 Aug 2006 10:00:01 -0700\n\
         Received: from a by b; Thu, 31 Aug 2006 10:00:00 -0700\n\
         Date: Thu, 31 Aug 2006 09:59:58 -0700\n\
         From: =?utf-8?Q?J=C3=BCrgen?= <j@example.com>\n\
         Sender: Assistant <s@example.com>\n\
         Reply-To: Desk <desk@example.com>, other@example.com\n\
         To: \"Park, Dan\" <dpark@example.com>, Group: a@example.com, b@example.com;\n\
         Cc: c@example.com\n\
         Bcc: Hidden <h@example.com>\n\
         Subject: RE: =?utf-8?B?w5xiZXI=?=\n =?utf-8?B?c2ljaHQ=?= of\n things\n\
         Message-ID: <1@example.com>\n\
         In-Reply-To: <0@example.com>\n\
         References: <a@example.com>\n <0@example.com>\n\
         Importance: High\n\
         Sensitivity: Company-Confidential\n\
         Disposition-Notification-To: j@example.com\n\
         Keywords: red, blue\n\
         Thread-Index: AQIDBA==\n\
         \n\
         Hello  there,\n\nworld.\n",
    );
    let bag = &item.bag;
    for (key, expected) in [
        (tags::MESSAGE_CLASS, "IPM.Note"),
        (tags::SUBJECT, "RE: Übersicht of things"),
        (tags::SUBJECT_PREFIX, "RE: "),
        (tags::NORMALIZED_SUBJECT, "Übersicht of things"),
        (tags::CONVERSATION_TOPIC, "Übersicht of things"),
        (tags::SENT_REPRESENTING_NAME, "Jürgen"),
        (tags::SENT_REPRESENTING_ADDRESS_TYPE, "SMTP"),
        (tags::SENT_REPRESENTING_EMAIL_ADDRESS, "j@example.com"),
        (tags::SENT_REPRESENTING_SMTP_ADDRESS, "j@example.com"),
        (tags::SENDER_NAME, "Assistant"),
        (tags::SENDER_EMAIL_ADDRESS, "s@example.com"),
        (tags::REPLY_RECIPIENT_NAMES, "Desk;other@example.com"),
        (tags::DISPLAY_TO, "Park, Dan; a@example.com; b@example.com"),
        (tags::DISPLAY_CC, "c@example.com"),
        (tags::DISPLAY_BCC, "Hidden"),
        (tags::INTERNET_MESSAGE_ID, "<1@example.com>"),
        (tags::IN_REPLY_TO_ID, "<0@example.com>"),
        (tags::INTERNET_REFERENCES, "<a@example.com> <0@example.com>"),
        (tags::BODY, "Hello  there,\r\n\r\nworld.\r\n"),
        (tags::PREVIEW, "Hello there, world."),
    ] {
        assert_eq!(text(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in [
        (tags::CLIENT_SUBMIT_TIME, "2006-08-31T16:59:58Z"),
        (tags::MESSAGE_DELIVERY_TIME, "2006-08-31T17:00:01Z"),
        (tags::CREATION_TIME, "2024-01-02T03:04:05Z"),
        (tags::LAST_MODIFICATION_TIME, "2024-01-02T03:04:05Z"),
    ] {
        assert_eq!(time(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in [
        (tags::IMPORTANCE, 2),
        (tags::SENSITIVITY, 3),
        (tags::NATIVE_BODY, 1),
        (tags::INTERNET_CODEPAGE, 65_001),
        (tags::MESSAGE_FLAGS, 0),
        (tags::MESSAGE_SIZE, item.mime.as_ref().unwrap().len() as i64),
    ] {
        assert_eq!(number(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in
        [(tags::READ_RECEIPT_REQUESTED, true), (tags::DELIVERY_REPORT_REQUESTED, false), (tags::HAS_ATTACHMENTS, false)]
    {
        assert_eq!(bag.get(&key), Some(&Value::Bool(expected)), "{key:?}");
    }
    assert_eq!(bag.get(&names::KEYWORDS), Some(&Value::Texts(vec!["red".into(), "blue".into()])));
    assert_eq!(bag.get(&tags::CONVERSATION_INDEX), Some(&Value::binary(vec![1, 2, 3, 4])));
    assert!(text(bag, &tags::TRANSPORT_MESSAGE_HEADERS).starts_with("Received: from b by c;"));
    let entries = bag.get(&tags::REPLY_RECIPIENT_ENTRIES).unwrap().as_binary().unwrap();
    let entries = entry_id::decode_flat_entry_list(entries).unwrap();
    assert_eq!(
        entries.iter().map(|entry| entry.address.as_str()).collect::<Vec<_>>(),
        ["desk@example.com", "other@example.com"]
    );
    let recipients: Vec<_> = item
        .recipients
        .iter()
        .map(|row| (number(row, &tags::ROW_ID), number(row, &tags::RECIPIENT_TYPE), text(row, &tags::SMTP_ADDRESS)))
        .collect();
    assert_eq!(
        recipients,
        [
            (0, 1, "dpark@example.com"),
            (1, 1, "a@example.com"),
            (2, 1, "b@example.com"),
            (3, 2, "c@example.com"),
            (4, 3, "h@example.com")
        ]
    );
    assert_eq!(number(&item.recipients[0], &tags::OBJECT_TYPE), 6);
    assert_eq!(text(&item.recipients[0], &tags::ADDRESS_TYPE), "SMTP");
}

#[test]
fn times_without_a_date() {
    let received: Time = "2020-05-05T00:00:00Z".parse().unwrap();
    let mime = Bytes::from_static(b"Subject: x\r\n\r\n");
    let delivered = |received| {
        let item = parse(mime.clone(), &Import { received, now: now() });
        assert_eq!(item.bag.get(&tags::CLIENT_SUBMIT_TIME), None);
        time(&item.bag, &tags::MESSAGE_DELIVERY_TIME)
    };
    assert_eq!(delivered(Some(received)), "2020-05-05T00:00:00Z");
    assert_eq!(delivered(None), "2024-01-02T03:04:05Z");
}

#[test]
fn importance_words() {
    for (header, importance) in [
        ("Importance: low", 0),
        ("X-Priority: 1 (Highest)", 2),
        ("X-Priority: 5", 0),
        ("Priority: urgent", 2),
        ("Priority: non-urgent", 0),
        ("X-MSMail-Priority: High", 2),
        ("Importance: strange", 1),
        ("X-Other: 1", 1),
    ] {
        assert_eq!(number(&parse_text(&format!("{header}\n\n")).bag, &tags::IMPORTANCE), importance, "{header}");
    }
}

#[test]
fn bodies_and_inline_images() {
    let item = parse_text(
        "Subject: Pictures\n\
         Content-Type: multipart/mixed; boundary=m\n\n\
         --m\nContent-Type: multipart/alternative; boundary=a\n\n\
         --a\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9\n\
         --a\nContent-Type: multipart/related; boundary=r\n\n\
         --r\nContent-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<p>caf=E9 <img src=3D\"cid:i@1\"></p>\n\
         --r\nContent-Type: image/png\nContent-ID: <i@1>\nContent-Transfer-Encoding: base64\n\niVBORw==\n--r--\n--a--\n\
         --m\nContent-Type: application/pdf\nContent-Disposition: attachment;\n filename*0*=utf-8''%E2%82%AC;\n filename*1*=%20uro.pdf\nContent-Transfer-Encoding: base64\n\nJVBERg==\n\
         --m\n\nA footer\n--m--\n",
    );
    assert_eq!(text(&item.bag, &tags::BODY), "café");
    assert_eq!(html(&item.bag), "<p>café <img src=\"cid:i@1\"></p>");
    assert_eq!(number(&item.bag, &tags::NATIVE_BODY), 3);
    assert_eq!(number(&item.bag, &tags::MESSAGE_FLAGS), 0x10);
    assert_eq!(item.bag.get(&tags::HAS_ATTACHMENTS), Some(&Value::Bool(true)));
    let [image, pdf, footer] = item.attachments.as_slice() else { panic!("{:?}", item.attachments) };
    assert_eq!(text(&image.bag, &tags::ATTACH_CONTENT_ID), "i@1");
    assert_eq!(text(&image.bag, &tags::ATTACH_MIME_TAG), "image/png");
    assert_eq!(text(&image.bag, &tags::ATTACH_LONG_FILENAME), "ATT00001.png");
    assert_eq!(image.bag.get(&tags::ATTACHMENT_HIDDEN), Some(&Value::Bool(true)));
    assert_eq!(image.content, AttachmentContent::File(Bytes::from_static(b"\x89PNG")));
    assert_eq!(text(&pdf.bag, &tags::ATTACH_LONG_FILENAME), "€ uro.pdf");
    assert_eq!(text(&pdf.bag, &tags::ATTACH_EXTENSION), ".pdf");
    assert_eq!(number(&pdf.bag, &tags::ATTACH_SIZE), 4);
    assert_eq!(number(&pdf.bag, &tags::ATTACH_NUMBER), 1);
    assert_eq!(number(&pdf.bag, &tags::ATTACH_METHOD), 1);
    assert_eq!(pdf.bag.get(&tags::ATTACHMENT_HIDDEN), Some(&Value::Bool(false)));
    assert_eq!(footer.content, AttachmentContent::File(Bytes::from_static(b"A footer")));
}

#[test]
fn html_alone_gives_the_preview() {
    let item = parse_text("Content-Type: text/html\n\n<style>x</style><p>One</p><p>Two &amp; three</p>");
    assert_eq!(item.bag.get(&tags::BODY), None);
    assert_eq!(text(&item.bag, &tags::PREVIEW), "One Two & three");
    let long = parse_text(&format!("\n\n{}", "ü ".repeat(1_000)));
    assert_eq!(text(&long.bag, &tags::PREVIEW).chars().count(), 255);
}

#[test]
fn file_names() {
    for (headers, name) in [
        ("Content-Disposition: attachment; filename=\"a b.txt\"", "a b.txt"),
        ("Content-Type: text/plain; name*=iso-8859-1''caf%E9.txt\nContent-Disposition: attachment", "café.txt"),
        ("Content-Disposition: attachment; filename=\"=?utf-8?B?4oKsLnR4dA==?=\"", "€.txt"),
        ("Content-Disposition: attachment; filename=\"C:\\\\dir\\\\a.txt\"", "a.txt"),
        ("Content-Disposition: attachment; filename=\"../../etc/passwd\"", "passwd"),
        ("Content-Type: application/x-unknown", "ATT00001.dat"),
    ] {
        let item = parse_text(&format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{headers}\n\nx\n--b--"));
        assert_eq!(text(&item.attachments[0].bag, &tags::ATTACH_LONG_FILENAME), name, "{headers}");
    }
}

#[test]
fn embedded_messages() {
    let inner = "Subject: Inner\nFrom: i@example.com\n\nInside\n";
    for (encoding, body) in [
        ("7bit", inner.to_owned()),
        ("base64", {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(inner.replace('\n', "\r\n"))
        }),
    ] {
        let item = parse_text(&format!(
            "Subject: Outer\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below\n\
             --b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n{body}\n--b--"
        ));
        let [Attachment { bag, content: AttachmentContent::Item(embedded) }] = item.attachments.as_slice() else {
            panic!("{:?}", item.attachments)
        };
        assert_eq!(number(bag, &tags::ATTACH_METHOD), 5);
        assert_eq!(text(bag, &tags::DISPLAY_NAME), "Inner");
        assert_eq!(text(&embedded.bag, &tags::SUBJECT), "Inner");
        assert_eq!(text(&embedded.bag, &tags::BODY).trim_end(), "Inside");
        assert!(embedded.mime.is_some());
    }
}

#[test]
fn embedding_is_bounded() {
    let mime = Bytes::from("Content-Type: message/rfc822\r\n\r\n".repeat(20_000));
    let mut item = &parse(mime, &Import { received: None, now: now() });
    let mut depth = 0;
    while let Some(Attachment { content: AttachmentContent::Item(inner), .. }) = item.attachments.first() {
        item = inner;
        depth += 1;
    }
    assert_eq!(depth, limits::EMBED_DEPTH_MAX);
    assert!(matches!(item.attachments[0].content, AttachmentContent::File(_)));
}

#[test]
fn many_parts_are_bounded() {
    let mime = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(5_000));
    assert_eq!(parse_text(&mime).attachments.len(), limits::ATTACHMENTS_MAX);
    let to = format!("To: {}\n\n", "a@example.com,\n ".repeat(12_000));
    assert_eq!(parse_text(&to).recipients.len(), limits::RECIPIENTS_MAX);
}

#[test]
fn message_classes() {
    let report = |action: &str| {
        format!(
            "multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\nSorry\n\
             --b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nAction: {action}\n--b--"
        )
    };
    let calendar = |method: &str, status: &str| {
        format!(
            "text/calendar\n\nBEGIN:VCALENDAR\nMETHOD:{method}\nBEGIN:VEVENT\nUID:1\nATTENDEE;PARTSTAT={status}:mailto:a@example.com\n\
             DTSTART:20060802T173000Z\nEND:VEVENT\nEND:VCALENDAR\n"
        )
    };
    for (content_type, class) in [
        ("application/pkcs7-mime; smime-type=enveloped-data".to_owned(), "IPM.Note.SMIME"),
        (
            "multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b\n\n--b\n\nx\n--b--".to_owned(),
            "IPM.Note.SMIME.MultipartSigned",
        ),
        (report("failed"), "REPORT.IPM.Note.NDR"),
        (report("delivered"), "REPORT.IPM.Note.DR"),
        ("multipart/report; report-type=disposition-notification; boundary=b".to_owned(), "REPORT.IPM.Note.IPNRN"),
        (calendar("REQUEST", "NEEDS-ACTION"), "IPM.Schedule.Meeting.Request"),
        (calendar("CANCEL", "NEEDS-ACTION"), "IPM.Schedule.Meeting.Canceled"),
        (calendar("REPLY", "ACCEPTED"), "IPM.Schedule.Meeting.Resp.Pos"),
        (calendar("REPLY", "TENTATIVE"), "IPM.Schedule.Meeting.Resp.Tent"),
        (calendar("REPLY", "DECLINED"), "IPM.Schedule.Meeting.Resp.Neg"),
        (calendar("PUBLISH", "NEEDS-ACTION"), "IPM.Note"),
        ("text/plain".to_owned(), "IPM.Note"),
    ] {
        let item = parse_text(&format!("Content-Type: {content_type}\n"));
        assert_eq!(text(&item.bag, &tags::MESSAGE_CLASS), class, "{content_type}");
    }
}

/// The meeting request that the documentation of `SyncFolderItems` shows.
#[test]
fn meeting_request() {
    let item = parse_text(
        "From: Dan Park <dpark@example.com>\nTo: Ada <ada@example.com>\nSubject: Budget Q3\n\
         Content-Type: multipart/alternative; boundary=b\n\n--b\n\nLet us meet.\n\
         --b\nContent-Type: text/calendar; method=REQUEST; charset=utf-8\n\n\
         BEGIN:VCALENDAR\nMETHOD:REQUEST\nPRODID:x\nVERSION:2.0\nBEGIN:VTIMEZONE\nTZID:Pacific Standard Time\n\
         BEGIN:STANDARD\nDTSTART:16010101T020000\nTZOFFSETFROM:-0700\nTZOFFSETTO:-0800\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
         BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:-0800\nTZOFFSETTO:-0700\nRRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=4\nEND:DAYLIGHT\nEND:VTIMEZONE\n\
         BEGIN:VEVENT\nORGANIZER;CN=Dan Park:mailto:dpark@example.com\n\
         ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Ada:mailto:ada@example.com\n\
         SUMMARY:Budget Q3\nDTSTART;TZID=Pacific Standard Time:20060802T103000\nDTEND;TZID=Pacific Standard Time:20060802T123000\n\
         UID:budget-q3@example.com\nDTSTAMP:20060731T210000Z\nLOCATION:Conference Room 2\nSEQUENCE:2\n\
         X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:BUSY\nEND:VEVENT\nEND:VCALENDAR\n--b--\n",
    );
    let bag = &item.bag;
    for (key, expected) in [
        (tags::MESSAGE_CLASS, "IPM.Schedule.Meeting.Request"),
        (tags::SUBJECT, "Budget Q3"),
        (lids::LOCATION, "Conference Room 2"),
        (tags::SENT_REPRESENTING_NAME, "Dan Park"),
        (tags::SENT_REPRESENTING_EMAIL_ADDRESS, "dpark@example.com"),
        (tags::SENT_REPRESENTING_ADDRESS_TYPE, "SMTP"),
        (tags::BODY, "Let us meet."),
    ] {
        assert_eq!(text(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in [
        (lids::START_WHOLE, "2006-08-02T17:30:00Z"),
        (lids::END_WHOLE, "2006-08-02T19:30:00Z"),
        (lids::COMMON_START, "2006-08-02T17:30:00Z"),
        (lids::COMMON_END, "2006-08-02T19:30:00Z"),
        (tags::START_DATE, "2006-08-02T17:30:00Z"),
        (tags::END_DATE, "2006-08-02T19:30:00Z"),
        (lids::OWNER_CRITICAL_CHANGE, "2006-07-31T21:00:00Z"),
    ] {
        assert_eq!(time(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in [
        (tags::SENSITIVITY, 0),
        (lids::INTENDED_BUSY_STATUS, 2),
        (lids::BUSY_STATUS, 1),
        (lids::RESPONSE_STATUS, 5),
        (lids::STATE_FLAGS, 3),
        (lids::MEETING_TYPE, 1),
        (lids::APPOINTMENT_SEQUENCE, 2),
        (lids::APPOINTMENT_DURATION, 120),
    ] {
        assert_eq!(number(bag, &key), expected, "{key:?}");
    }
    for (key, expected) in [(tags::RESPONSE_REQUESTED, true), (lids::ALL_DAY, false), (lids::RECURRING, false)] {
        assert_eq!(bag.get(&key), Some(&Value::Bool(expected)), "{key:?}");
    }
    let id = bag.get(&lids::GLOBAL_OBJECT_ID).unwrap().as_binary().unwrap();
    assert_eq!(mapi::global_object_id::to_uid(id).as_deref(), Some("budget-q3@example.com"));
    assert_eq!(bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).unwrap().as_binary().unwrap(), id);
    assert!(item.attachments.is_empty());
    assert_eq!(item.recipients.len(), 1);
}

#[test]
fn odd_bytes_become_text() {
    for bytes in [&b""[..], b"\0\xff\xfe", b"just text", b":\n:\n\n", b"\n\n\n", b"Content-Type: multipart/mixed\n\nx"]
    {
        let mime = Bytes::copy_from_slice(bytes);
        let item = parse(mime.clone(), &Import { received: None, now: now() });
        assert_eq!(text(&item.bag, &tags::MESSAGE_CLASS), "IPM.Note");
        assert!(item.bag.get(&tags::BODY).is_some());
        assert_eq!(render(&item, &CONTEXT), bytes);
    }
}

#[test]
fn rendering_is_repeatable_and_complete() {
    let mut item = ItemContent::default();
    set_subject(&mut item.bag, "Plan");
    set_author(&mut item.bag, &crate::address::Mailbox::new("Dan Park", "dpark@example.com"));
    item.bag.set(tags::BODY, Value::text("Text\nFrom here"));
    item.bag.set(tags::CLIENT_SUBMIT_TIME, Value::Time("2006-08-31T17:30:05Z".parse().unwrap()));
    let first = render(&item, &CONTEXT);
    assert_eq!(first, render(&item, &CONTEXT));
    let rendered = String::from_utf8(first).unwrap();
    let id = rendered.split_once("Message-ID: ").unwrap().1.split_once("\r\n").unwrap().0;
    assert_eq!(
        rendered,
        format!(
            "From: Dan Park <dpark@example.com>\r\nSubject: Plan\r\nDate: Thu, 31 Aug 2006 17:30:05 +0000\r\n\
             Message-ID: {id}\r\nThread-Topic: Plan\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: quoted-printable\r\n\r\nText\r\n=46rom here"
        )
    );
    assert!(id.ends_with("@example.com>"));
    item.bag.set(tags::BODY, Value::text("Other"));
    assert!(!String::from_utf8(render(&item, &CONTEXT)).unwrap().contains(id));
}

fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(folder);
    let mut folders = vec![root];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    if files.is_empty() {
        println!("skipped: no corpus of {folder}");
    }
    files.sort();
    files
}

/// Messages of others, whole, cut short, and damaged: none fails, all come back as they were.
#[test]
fn corpus_of_messages() {
    for path in corpus("mail") {
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        let context = Import { received: None, now: now() };
        let item = parse(bytes.clone(), &context);
        assert_eq!(render(&item, &CONTEXT), bytes, "{}", path.display());
        // Without the kept message one is built, and it says the same.
        let rebuilt = parse(render(&ItemContent { mime: None, ..item.clone() }, &CONTEXT).into(), &context);
        let subject = |item: &ItemContent| item.bag.text(&tags::SUBJECT).unwrap_or_default().to_owned();
        assert_eq!(subject(&rebuilt), subject(&item), "{}", path.display());
        assert_eq!(rebuilt.recipients.len(), item.recipients.len(), "{}", path.display());
        assert_eq!(rebuilt.attachments.len(), item.attachments.len(), "{}", path.display());
        for cut in (0..bytes.len()).step_by(17) {
            parse(bytes.slice(..cut), &context);
            let mut damaged = bytes.to_vec();
            damaged[cut] ^= 0x5a;
            parse(damaged.into(), &context);
        }
    }
}

fn mailbox_fields() -> impl Strategy<Value = (String, String)> {
    ("[A-Za-zéß日,\"() ]{0,12}", "[a-z]{1,8}@[a-z]{1,8}\\.example")
        .prop_map(|(name, address)| (name.trim().to_owned(), address))
}

fn file() -> impl Strategy<Value = Attachment> {
    ("[a-zA-Z0-9é日 ]{1,20}\\.dat", prop::collection::vec(any::<u8>(), 0..200), any::<bool>()).prop_map(
        |(name, bytes, inline)| {
            let mut bag = Bag::new();
            bag.set(tags::ATTACH_LONG_FILENAME, Value::text(name.trim()));
            bag.set(tags::ATTACH_MIME_TAG, Value::text("application/x-data"));
            if inline {
                bag.set(tags::ATTACH_CONTENT_ID, Value::text("part@example.com"));
            }
            Attachment { bag, content: AttachmentContent::File(bytes.into()) }
        },
    )
}

fn item() -> impl Strategy<Value = ItemContent> {
    let bodies = (prop::option::of("(\\PC|\r\n){0,80}"), prop::option::of("<p>\\PC{0,80}</p>"));
    (
        "\\PC{0,60}",
        prop::collection::vec((mailbox_fields(), 1..=3_i32), 0..6),
        bodies,
        prop::collection::vec(file(), 0..3),
        0..=2_i32,
        0..=3_i32,
    )
        .prop_map(|(subject, recipients, (body, html), attachments, importance, sensitivity)| {
            let mut item = ItemContent { attachments, ..ItemContent::default() };
            set_subject(&mut item.bag, subject.trim());
            for kind in 1..=3 {
                let of_kind = recipients.iter().filter(|(_, have)| *have == kind);
                let mailboxes =
                    of_kind.map(|((name, address), _)| crate::address::Mailbox::new(name, address)).collect();
                add_recipients(&mut item, mailboxes, kind);
            }
            let body = body.or_else(|| html.is_none().then(String::new));
            item.bag.put(tags::BODY, body.map(Value::Text));
            item.bag.put(tags::HTML, html.map(|html| Value::binary(html.into_bytes())));
            item.bag.set(tags::IMPORTANCE, Value::I32(importance));
            item.bag.set(tags::SENSITIVITY, Value::I32(sensitivity));
            item.bag.set(tags::INTERNET_CODEPAGE, Value::I32(65_001));
            item
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_rendered_is_read_again(outer in item(), inner in prop::option::of(item())) {
        let mut outer = outer;
        if let Some(inner) = inner {
            outer.attachments.push(Attachment { bag: Bag::new(), content: AttachmentContent::Item(Box::new(inner)) });
        }
        let read = parse(render(&outer, &CONTEXT).into(), &Import { received: None, now: now() });
        check_same(&outer, &read)?;
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        parse(bytes.into(), &Import { received: None, now: now() });
    }

    #[test]
    fn any_headers_are_read(text in "((Subject|Date|To|From|Received|Content-Type|Content-Disposition|Keywords|References): [ -~]{0,40}\r\n){0,6}\r\n[ -~\r\n]{0,40}") {
        parse(text.into_bytes().into(), &Import { received: None, now: now() });
    }
}

fn check_same(written: &ItemContent, read: &ItemContent) -> Result<(), TestCaseError> {
    for key in [tags::SUBJECT, tags::BODY, tags::HTML, tags::IMPORTANCE, tags::SENSITIVITY] {
        prop_assert_eq!(written.bag.get(&key), read.bag.get(&key), "{:?}", key);
    }
    prop_assert_eq!(&written.recipients, &read.recipients);
    prop_assert_eq!(written.attachments.len(), read.attachments.len());
    // Inline ones stand with the body and therefore come first.
    let mut rest: Vec<&Attachment> = read.attachments.iter().collect();
    for attachment in &written.attachments {
        let found = rest.iter().position(|have| match (&attachment.content, &have.content) {
            (AttachmentContent::File(written), AttachmentContent::File(read)) => {
                let keys = [tags::ATTACH_LONG_FILENAME, tags::ATTACH_MIME_TAG, tags::ATTACH_CONTENT_ID];
                written == read && keys.iter().all(|key| attachment.bag.get(key) == have.bag.get(key))
            }
            (AttachmentContent::Item(written), AttachmentContent::Item(read)) => check_same(written, read).is_ok(),
            _ => false,
        });
        prop_assert!(found.is_some(), "{:?} is not in {:?}", attachment, rest);
        rest.remove(found.unwrap_or_default());
    }
    Ok(())
}

/// A meeting message without its mail is written with its event.
#[test]
fn meeting_messages_without_their_mail() {
    let context = Render { domain: "example.com" };
    for (method, partstat, class) in [
        ("REQUEST", "NEEDS-ACTION", "IPM.Schedule.Meeting.Request"),
        ("CANCEL", "NEEDS-ACTION", "IPM.Schedule.Meeting.Canceled"),
        ("REPLY", "ACCEPTED", "IPM.Schedule.Meeting.Resp.Pos"),
        ("REPLY", "TENTATIVE", "IPM.Schedule.Meeting.Resp.Tent"),
        ("REPLY", "DECLINED", "IPM.Schedule.Meeting.Resp.Neg"),
    ] {
        for body in ["\n\nLet us meet.\n", "Content-Type: text/html\n\n<p>Let us meet.</p>\n", "\n\n"] {
            let mut item = parse_text(&format!(
                "From: Dan Park <dpark@example.com>\nTo: Ada <ada@example.com>\nSubject: Budget Q3\n\
                 Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: multipart/alternative; boundary=b\n\n--b\n{body}\
                 --b\nContent-Type: text/calendar; method={method}; charset=utf-8\n\n\
                 BEGIN:VCALENDAR\nMETHOD:{method}\nVERSION:2.0\nBEGIN:VEVENT\nUID:budget@example.com\nDTSTAMP:20060731T210000Z\n\
                 ATTENDEE;PARTSTAT={partstat}:mailto:ada@example.com\nDTSTART:20060802T173000Z\nDTEND:20060802T193000Z\n\
                 LOCATION:Room 2\nEND:VEVENT\nEND:VCALENDAR\n--b--\n--m\nContent-Disposition: attachment; filename=a.txt\n\nfile\n--m--\n"
            ));
            assert_eq!(text(&item.bag, &tags::MESSAGE_CLASS), class);
            item.mime = None;
            let mime = render(&item, &context);
            assert_eq!(render(&item, &context), mime);
            let again = parse(mime.into(), &Import { received: None, now: Time(0) });
            for key in [
                tags::MESSAGE_CLASS,
                tags::SUBJECT,
                lids::LOCATION,
                lids::START_WHOLE,
                lids::END_WHOLE,
                lids::CLEAN_GLOBAL_OBJECT_ID,
                lids::STATE_FLAGS,
                lids::RESPONSE_STATUS,
                lids::OWNER_CRITICAL_CHANGE,
                tags::SENT_REPRESENTING_EMAIL_ADDRESS,
                tags::HTML,
            ] {
                assert_eq!(again.bag.get(&key), item.bag.get(&key), "{key:?} of {class}");
            }
            assert_eq!(again.attachments.len(), 1);
            assert_eq!(again.recipients.len(), item.recipients.len());
        }
    }
}
