//! One item of every kind, as a peer exports it: read back before and after, by value, and exported again byte for byte.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use testkit::{
    ews::{Ews, distinguished, responses},
    schema::Checker,
    server::{ANNA, BERT, TestServer, stores},
    stream::{ADDRESS, APPOINTMENT, COMMON, LOG, MEETING, NOTE, PUBLIC_STRINGS, Stream, TASK},
    tree::{Reach as _, meaning},
};

use crate::{OWN, assert_content, content};

/// One kind: its name, the folder, whether it is associated, its stream, the element it is shown as, what GetItem says
/// of it, and bytes that its export holds.
struct Kind {
    name: &'static str,
    folder: &'static str,
    associated: bool,
    stream: Stream,
    element: &'static str,
    said: Vec<String>,
    held: Vec<Vec<u8>>,
}

/// Minutes since 1601 of 2024-05-06, a Monday.
const MONDAY: u32 = ((1_714_953_600_u64 + 11_644_473_600) / 60) as u32;
const MONDAY_SECONDS: u64 = 1_714_953_600;
const DAY: u32 = 1_440;

/// What is asked for beside everything: the values that make the kinds what they are.
const EXTENDED: &str = "<t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>\
    <t:ExtendedFieldURI DistinguishedPropertySetId=\"Appointment\" PropertyId=\"33302\" PropertyType=\"Binary\"/>\
    <t:ExtendedFieldURI DistinguishedPropertySetId=\"Task\" PropertyId=\"33046\" PropertyType=\"Binary\"/>\
    <t:ExtendedFieldURI DistinguishedPropertySetId=\"Address\" PropertyId=\"32853\" PropertyType=\"BinaryArray\"/>\
    <t:ExtendedFieldURI PropertySetId=\"0006200E-0000-0000-C000-000000000046\" PropertyId=\"35584\" PropertyType=\"Integer\"/>\
    <t:ExtendedFieldURI PropertySetId=\"0006200A-0000-0000-C000-000000000046\" PropertyId=\"34560\" PropertyType=\"String\"/>\
    <t:ExtendedFieldURI PropertyTag=\"0x1001\" PropertyType=\"String\"/>\
    <t:ExtendedFieldURI PropertyTag=\"0x7c07\" PropertyType=\"Binary\"/>\
    <t:ExtendedFieldURI PropertyTag=\"0x67aa\" PropertyType=\"Boolean\"/>\
    </t:AdditionalProperties>";

/// Weekly on Mondays, ten times; the second one is deleted, the third one lies an hour later (MS-OXOCAL 2.2.1.44.5).
fn appointment_recur() -> Vec<u8> {
    let third = MONDAY + 14 * DAY;
    let mut blob = Vec::new();
    let word = |number: u16| number.to_le_bytes().to_vec();
    blob.extend([word(0x3004), word(0x3004), word(0x200b), word(1), word(0)].concat());
    // First day of the weeks, one week, no sliding, Monday, an end by count, ten, weeks from Sunday.
    let week = (MONDAY - DAY) % (7 * DAY);
    for number in [week, 1, 0, 2, 0x2022, 10, 0] {
        blob.extend(number.to_le_bytes());
    }
    // Two deleted dates, of which one is a modified one; then the range.
    for number in [2, MONDAY + 7 * DAY, third, 1, third, MONDAY, MONDAY + 63 * DAY] {
        blob.extend(number.to_le_bytes());
    }
    for number in [0x3006_u32, 0x3009, 540, 600] {
        blob.extend(number.to_le_bytes());
    }
    blob.extend(word(1));
    for number in [third + 600, third + 660, third + 540] {
        blob.extend(number.to_le_bytes());
    }
    blob.extend(word(0));
    // No first reserved block; a change highlight of four bytes; two more empty blocks.
    for number in [0_u32, 4, 0, 0, 0] {
        blob.extend(number.to_le_bytes());
    }
    blob
}

fn task_recur() -> Vec<u8> {
    let mut blob = Vec::new();
    for number in [0x3004_u16, 0x3004, 0x200a, 0, 0] {
        blob.extend(number.to_le_bytes());
    }
    for number in [0_u32, DAY, 0, 0x2023, 10, 0, 0, 0, MONDAY, 0x5ae9_80df] {
        blob.extend(number.to_le_bytes());
    }
    blob
}

fn extended(value: &str) -> String {
    format!("Value>{value}<")
}

fn base64(bytes: &[u8]) -> String {
    extended(&STANDARD.encode(bytes))
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A one-off entry, as members of a list are kept.
fn one_off(name: &str, address: &str) -> Vec<u8> {
    let mut entry = vec![0, 0, 0, 0];
    entry.extend([0x81, 0x2b, 0x1f, 0xa4, 0xbe, 0xa3, 0x10, 0x19, 0x9d, 0x6e, 0, 0xdd, 1, 0x0f, 0x54, 2]);
    entry.extend([0, 0, 1, 0x90]);
    for text in [name, "SMTP", address] {
        entry.extend(wide(text));
        entry.extend([0, 0]);
    }
    entry
}

fn appointment(class: &str, subject: &str) -> Stream {
    Stream::message(class, subject)
        .text(0x1000, "Agenda")
        .named_text(APPOINTMENT, 0x8208, "Room 1")
        .named_number(APPOINTMENT, 0x8205, 2)
        .named_time(APPOINTMENT, 0x820d, MONDAY_SECONDS + 9 * 3_600)
        .named_time(APPOINTMENT, 0x820e, MONDAY_SECONDS + 10 * 3_600)
        .named_flag(COMMON, 0x8503, true)
        .named_number(COMMON, 0x8501, 15)
}

fn meeting(class: &str, subject: &str) -> Stream {
    appointment(class, subject)
        .named_binary(
            MEETING,
            0x0003,
            &[4, 0, 0, 0, 0x82, 0, 0xe0, 0, 0x74, 0xc5, 0xb7, 0x10, 0x1a, 0x82, 0xe0, 8, 0, 0, 0, 0],
        )
        .named_number(MEETING, 0x0026, 1)
        .text(0x0042, "Dan")
        .text(0x0064, "SMTP")
        .text(0x0065, "dan@example.com")
        .recipients_follow()
        .recipient(0, "Bob", "bob@example.com")
}

fn kinds() -> Vec<Kind> {
    let kind = |name, folder, element, stream: Stream, said: &[&str]| Kind {
        name,
        folder,
        associated: false,
        stream,
        element,
        said: said.iter().map(|said| (*said).to_owned()).collect(),
        held: Vec::new(),
    };
    let none = |stream: Stream| stream.recipients_follow().attachments_follow();
    let photo: Vec<u8> = [&b"\xff\xd8\xff\xe0"[..], &[0x5a; 9_000]].concat();
    let changed = Stream::message("IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}", "Third, later")
        .named_text(APPOINTMENT, 0x8208, "Room 2")
        .recipients_follow()
        .attachments_follow();
    let exception = Stream::default()
        .number(0x3705, 5)
        .text(0x3001, "Untitled")
        .number(0x7ffd, 2)
        .flag(0x7ffe, true)
        .time(0x7ffb, MONDAY_SECONDS + 14 * 86_400 + 10 * 3_600)
        .time(0x7ffc, MONDAY_SECONDS + 14 * 86_400 + 11 * 3_600);
    let file = |name: &str, kind: &str, bytes: &[u8]| {
        Stream::default()
            .number(0x3705, 1)
            .text(0x3707, name)
            .text(0x3001, name)
            .text(0x370e, kind)
            .binary(0x3701, bytes)
    };
    let members = [one_off("Eve", "eve@example.com"), one_off("\u{1f600}", "smile@example.com")];
    let member_list: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
    vec![
        kind(
            "message",
            "inbox",
            "Message",
            Stream::message("IPM.Note", "Plain \u{1f600}")
                .number(0x0017, 2)
                .text(0x1000, "Words")
                .recipients_follow()
                .recipient(0, "Bob", "bob@example.com")
                .attachments_follow()
                .file(0, "a.txt", b"abc"),
            &["Plain \u{1f600}", "High", "Words", "bob@example.com", "a.txt"],
        ),
        kind(
            "appointment",
            "calendar",
            "CalendarItem",
            none(appointment("IPM.Appointment", "Once")),
            &["Once", "Room 1", "2024-05-06T09:00:00Z", "2024-05-06T10:00:00Z", "Busy"],
        ),
        Kind {
            held: vec![appointment_recur(), wide("Third, later"), wide("Room 2")],
            said: vec!["Weekly thing".into(), base64(&appointment_recur())],
            ..kind(
                "recurring appointment",
                "calendar",
                "CalendarItem",
                appointment("IPM.Appointment", "Weekly thing")
                    .named_flag(APPOINTMENT, 0x8223, true)
                    .named_binary(APPOINTMENT, 0x8216, &appointment_recur())
                    .recipients_follow()
                    .attachments_follow()
                    .attachment(0, &exception, Some(&changed)),
                &[],
            )
        },
        Kind {
            held: vec![photo.clone()],
            ..kind(
                "contact",
                "contacts",
                "Contact",
                Stream::message("IPM.Contact", "Ada L")
                    .text(0x3001, "Ada L")
                    .text(0x3a06, "Ada")
                    .text(0x3a11, "L")
                    .text(0x3a16, "Engines")
                    .named_text(ADDRESS, 0x8083, "ada@example.com")
                    .named_text(ADDRESS, 0x8082, "SMTP")
                    .named_flag(ADDRESS, 0x8015, true)
                    .recipients_follow()
                    .attachments_follow()
                    .attachment(0, &file("ContactPicture.jpg", "image/jpeg", &photo).flag(0x7fff, true), None),
                &["Ada", "Engines", "ada@example.com"],
            )
        },
        Kind {
            said: vec!["Friends".into(), base64(&members[0]), base64(&members[1])],
            held: members.to_vec(),
            ..kind(
                "distribution list",
                "contacts",
                "DistributionList",
                none(
                    Stream::message("IPM.DistList", "Friends")
                        .text(0x3001, "Friends")
                        .named_text(ADDRESS, 0x8053, "Friends")
                        .named_binaries(ADDRESS, 0x8055, &member_list)
                        .named_binaries(ADDRESS, 0x8054, &member_list),
                ),
                &[],
            )
        },
        kind(
            "task",
            "tasks",
            "Task",
            none(
                Stream::message("IPM.Task", "Do it")
                    .named_number(TASK, 0x8101, 1)
                    .named_time(TASK, 0x8105, MONDAY_SECONDS)
                    .named_text(TASK, 0x811f, "Ann"),
            ),
            &["Do it", "InProgress", "2024-05-06T00:00:00Z", "Ann"],
        ),
        Kind {
            held: vec![task_recur()],
            said: vec!["Daily".into(), base64(&task_recur())],
            ..kind(
                "recurring task",
                "tasks",
                "Task",
                none(Stream::message("IPM.Task", "Daily").named_flag(TASK, 0x8126, true).named_binary(
                    TASK,
                    0x8116,
                    &task_recur(),
                )),
                &[],
            )
        },
        kind(
            "post",
            "inbox",
            "PostItem",
            none(Stream::message("IPM.Post", "Posted").text(0x1000, "To all")),
            &["Posted", "To all"],
        ),
        Kind {
            said: vec!["Note to self".into(), extended("3")],
            ..kind(
                "sticky note",
                "notes",
                "Message",
                none(
                    Stream::message("IPM.StickyNote", "Note to self")
                        .text(0x1000, "Milk")
                        .named_number(NOTE, 0x8b00, 3),
                ),
                &[],
            )
        },
        Kind {
            said: vec!["Called".into(), extended("Phone call")],
            ..kind(
                "journal",
                "journal",
                "Item",
                none(Stream::message("IPM.Activity", "Called").named_text(LOG, 0x8700, "Phone call").named_time(
                    LOG,
                    0x8706,
                    MONDAY_SECONDS,
                )),
                &[],
            )
        },
        kind(
            "meeting request",
            "inbox",
            "MeetingRequest",
            meeting("IPM.Schedule.Meeting.Request", "Meet").attachments_follow(),
            &["Meet", "Room 1", "dan@example.com", "bob@example.com"],
        ),
        kind(
            "meeting response",
            "inbox",
            "MeetingResponse",
            meeting("IPM.Schedule.Meeting.Resp.Pos", "Accepted: Meet").attachments_follow(),
            &["Accepted: Meet", "dan@example.com"],
        ),
        kind(
            "meeting cancellation",
            "inbox",
            "MeetingCancellation",
            meeting("IPM.Schedule.Meeting.Canceled", "Canceled: Meet").attachments_follow(),
            &["Canceled: Meet"],
        ),
        Kind {
            held: vec![wide("550 5.1.1")],
            said: vec!["Undeliverable: Hi".into(), extended("Not delivered to bob@example.com")],
            ..kind(
                "report",
                "inbox",
                "Message",
                Stream::message("REPORT.IPM.Note.NDR", "Undeliverable: Hi")
                    .time(0x0032, MONDAY_SECONDS)
                    .text(0x1001, "Not delivered to bob@example.com")
                    .text(0x3ff0, "550 5.1.1")
                    .recipients_follow()
                    .recipient(0, "Bob", "bob@example.com")
                    .attachments_follow()
                    .embedded(0, "Hi", &none(Stream::message("IPM.Note", "Hi"))),
                &[],
            )
        },
        Kind {
            held: vec![b"\x30\x80\x06\x09 signed".to_vec()],
            ..kind(
                "signed message",
                "inbox",
                "Message",
                Stream::message("IPM.Note.SMIME.MultipartSigned", "Signed")
                    .recipients_follow()
                    .attachments_follow()
                    .attachment(0, &file("smime.p7m", "multipart/signed", b"\x30\x80\x06\x09 signed"), None),
                &["Signed", "smime.p7m"],
            )
        },
        Kind {
            held: vec![b"\xd0\xcf\x11\xe0 protected".to_vec()],
            ..kind(
                "protected message",
                "inbox",
                "Message",
                Stream::message("IPM.Note", "Secret")
                    .called_text(
                        [0x86, 3, 2, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46],
                        "content-class",
                        "rpmsg.message",
                    )
                    .recipients_follow()
                    .attachments_follow()
                    .attachment(
                        0,
                        &file("message.rpmsg", "application/x-microsoft-rpmsg-message", b"\xd0\xcf\x11\xe0 protected"),
                        None,
                    ),
                &["Secret", "message.rpmsg"],
            )
        },
        Kind {
            associated: true,
            said: vec!["IPM.Configuration.CategoryList".into(), base64(b"<dictionary/>")],
            held: vec![b"<dictionary/>".to_vec()],
            ..kind(
                "settings",
                "calendar",
                "Item",
                none(
                    Stream::message("IPM.Configuration.CategoryList", "IPM.Configuration.CategoryList")
                        .binary(0x7c07, b"<dictionary/>")
                        .called_text(PUBLIC_STRINGS, "ours", "kept"),
                ),
                &[],
            )
        },
    ]
}

/// All that GetItem says, the values of [`EXTENDED`] included.
fn everything(ews: &Ews, id: &str, checker: &mut Checker) -> (String, String) {
    let answer = ews.get_item(id, EXTENDED).unwrap();
    checker.ews(&answer);
    let item = responses(&answer)[0].at("Items/*");
    let said =
        item.children().filter(|child| !OWN.contains(&child.local())).map(|child| child.to_xml()).collect::<String>();
    let values: String = item.children().filter(|child| child.local() == "ExtendedProperty").map(meaning).collect();
    (format!("{}{said}", item.local()), values)
}

#[test]
fn every_kind_comes_back() {
    for store in stores("every_kind_comes_back") {
        let server = TestServer::start(store);
        let (anna, bert) = (server.ews(ANNA), server.ews(BERT));
        let mut checker = Checker::new();
        for kind in kinds() {
            let folder = anna.folder(&distinguished(kind.folder));
            let elsewhere = bert.folder(&distinguished(kind.folder));
            let id = anna.upload(&folder, kind.associated, &[kind.stream.data()]).remove(0).unwrap();
            let (said, values) = everything(&anna, &id, &mut checker);
            assert!(said.starts_with(kind.element), "{}: {said}", kind.name);
            for held in &kind.said {
                assert!(said.contains(held.as_str()), "{}: {held} is not in {said}", kind.name);
            }
            assert!(values.contains(&format!(">{}</>", kind.associated)), "{}: {values}", kind.name);
            let expected = content(&anna, &id, &mut checker);
            let first = anna.export(std::slice::from_ref(&id)).remove(0).unwrap();
            let bytes = STANDARD.decode(&first).unwrap();
            for held in &kind.held {
                assert!(bytes.windows(held.len()).any(|window| window == held), "{}: {held:?}", kind.name);
            }
            let copy = bert.upload(&elsewhere, kind.associated, std::slice::from_ref(&first)).remove(0).unwrap();
            assert_eq!(everything(&bert, &copy, &mut checker).1, values, "{}", kind.name);
            assert_content(&content(&bert, &copy, &mut checker), &expected, kind.name);
            // The same bytes again, over an item of another kind too.
            let other = Stream::message("IPM.Note", "Old").recipients_follow().attachments_follow().data();
            let other = bert.upload(&elsewhere, kind.associated, &[other]).remove(0).unwrap();
            bert.upload_over(&other, &elsewhere, kind.associated, &first).unwrap();
            assert_content(&content(&bert, &other, &mut checker), &expected, kind.name);
            for again in bert.export(&[copy, other]) {
                assert_eq!(again.unwrap(), first, "{}: the second export", kind.name);
            }
        }
        checker.finish();
    }
}

/// What `CreateItem` made comes back too.
#[test]
fn created_items_come_back() {
    for store in stores("created_items_come_back") {
        let server = TestServer::start(store);
        let anna = server.ews(ANNA);
        let mut checker = Checker::new();
        for (folder, item, said) in [
            (
                "drafts",
                "<t:Message><t:Subject>Gr\u{fc}\u{df}e</t:Subject><t:Body BodyType=\"HTML\">&lt;p&gt;a&lt;/p&gt;</t:Body>\
                 <t:ToRecipients><t:Mailbox><t:Name>Bob</t:Name><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox>\
                 </t:ToRecipients></t:Message>",
                "bob@example.com",
            ),
            (
                "calendar",
                "<t:CalendarItem><t:Subject>Once</t:Subject><t:Start>2024-05-06T09:00:00Z</t:Start>\
                 <t:End>2024-05-06T10:00:00Z</t:End><t:Location>Room 1</t:Location></t:CalendarItem>",
                "Room 1",
            ),
            (
                "contacts",
                "<t:Contact><t:DisplayName>Ada L</t:DisplayName><t:GivenName>Ada</t:GivenName>\
                 <t:CompanyName>Engines</t:CompanyName></t:Contact>",
                "Engines",
            ),
            ("tasks", "<t:Task><t:Subject>Do it</t:Subject><t:Status>InProgress</t:Status></t:Task>", "InProgress"),
            (
                "inbox",
                "<t:PostItem><t:Subject>Posted</t:Subject><t:Body BodyType=\"Text\">To all</t:Body></t:PostItem>",
                "To all",
            ),
        ] {
            let disposition = if folder == "calendar" {
                "SendMeetingInvitations=\"SendToNone\""
            } else {
                "MessageDisposition=\"SaveOnly\""
            };
            let answer = anna
                .attempt(&format!(
                    "<m:CreateItem {disposition}><m:SavedItemFolderId>{}</m:SavedItemFolderId><m:Items>{item}</m:Items></m:CreateItem>",
                    distinguished(folder)
                ))
                .unwrap_or_else(|code| panic!("{code}: {item}"));
            let id = responses(&answer)[0].at("Items/*/ItemId").attribute("Id").unwrap().to_owned();
            let expected = content(&anna, &id, &mut checker);
            assert!(expected.contains(said), "{expected}");
            let first = anna.export(&[id]).remove(0).unwrap();
            // Into the same mailbox, whose owner is the organiser.
            let elsewhere = anna.folder(&distinguished("junkemail"));
            let copy = anna.upload(&elsewhere, false, std::slice::from_ref(&first)).remove(0).unwrap();
            assert_content(&content(&anna, &copy, &mut checker), &expected, item);
            // An upload completes what `CreateItem` need not; from then on the bytes are the same.
            let second = anna.export(&[copy]).remove(0).unwrap();
            let again = anna.upload(&elsewhere, false, std::slice::from_ref(&second)).remove(0).unwrap();
            assert_eq!(anna.export(&[again]).remove(0).unwrap(), second);
        }
        checker.finish();
    }
}
