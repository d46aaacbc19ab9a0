//! Example messages.

use std::fmt::Write as _;

use base64::Engine as _;
use content::message;
use engine::{Caller, Engine, EngineError, Mailbox, MailboxName};
use model::{CollectionId, ItemFlags, Time, Value, tags};

use crate::import;

/// A message to be made.
struct Letter<'a> {
    from: (&'a str, &'a str),
    to: (&'a str, &'a str),
    subject: String,
    text: String,
    kind: Kind,
    at: Time,
    number: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Plain,
    Html,
    Table,
    Picture,
    Forwarded,
    Important,
}

/// Messages in the Inbox.
const INBOX_MESSAGES: usize = 60;
/// Messages in the folder under it.
const PROJECT_MESSAGES: usize = 12;
/// Messages in Sent Items.
const SENT_MESSAGES: usize = 14;
/// Messages in Drafts.
const DRAFTS: usize = 3;
/// Seconds between two messages of the Inbox: about eleven hours.
const STEP_SECONDS: i64 = 40_000;
/// PidTagMessageFlags: unsent.
const MESSAGE_UNSENT: i32 = 8;

const SENDERS: [(&str, &str); 8] = [
    ("Bob Okafor", "bob@example.com"),
    ("Chiara Rossi", "chiara@partner.example"),
    ("Dan Park", "dan@example.com"),
    ("Émile Dubois", "emile@atelier.example"),
    ("Fatima Al-Sayed", "fatima@example.com"),
    ("Grace Müller", "grace@supplier.example"),
    ("Build Server", "builds@example.com"),
    ("Harbour Weekly", "news@harbour.example"),
];

/// Subject, text, kind. `{}` stands for a topic.
const LETTERS: [(&str, &str, Kind); 12] = [
    (
        "Notes on the {}",
        "Here are my notes on the {}. The short of it: we are on time, and two questions are open.",
        Kind::Plain,
    ),
    ("{}: figures for this week", "The figures for the {} are attached as a table. Row 3 surprised me.", Kind::Table),
    ("Draft of the {}", "A first draft of the {} for you to read. Please mark what you would change.", Kind::Html),
    ("Photo from the {}", "The picture below is from the {}. It came out well!", Kind::Picture),
    ("Fwd: a word about the {}", "See below; this is what they wrote about the {}.", Kind::Forwarded),
    ("Urgent: decision on the {}", "We need a decision on the {} before noon tomorrow.", Kind::Important),
    (
        "Re: the {}",
        "I agree with what you said about the {}.\r\n\r\n> Shall we go on as planned?\r\n\r\nYes, let us.",
        Kind::Plain,
    ),
    ("Lunch, and the {}", "Lunch at half past twelve? We could talk about the {} on the way.", Kind::Plain),
    (
        "Minutes: {}",
        "Minutes of the talk about the {}:\r\n\r\n1. Opening\r\n2. State of things\r\n3. Next steps",
        Kind::Html,
    ),
    ("Offer for the {}", "Our offer for the {} is attached. It holds until the end of the month.", Kind::Table),
    ("Thank you for the {}", "Just a line to say thank you for the {}. – Viele Grüße, à bientôt!", Kind::Plain),
    ("Build {} passed", "All checks of the {} passed in 4 minutes and 12 seconds.", Kind::Plain),
];

const TOPICS: [&str; 10] = [
    "harbour survey",
    "budget for the third quarter",
    "new tide gauge",
    "data model",
    "autumn newsletter",
    "office move",
    "customer visit",
    "release 2.4",
    "training day",
    "flood report",
];

/// A picture of four pixels.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGNkYPjPwMDAxAADjAwMDAwAFQ8BBHUZnJwAAAAASUVORK5CYII=";

/// Fills a mailbox: wholly, or with a few messages. Returns how many.
pub(super) async fn fill(engine: &Engine, caller: &Caller, wholly: bool) -> Result<usize, EngineError> {
    let mailbox = engine.open_mailbox(caller, MailboxName::Own).await?;
    let me = (caller.display_name.as_str(), caller.address.as_str());
    let now = engine.clock().now().whole_second();
    let mut count = 0;
    let plan: &[(&str, usize, bool)] = if wholly {
        &[
            ("Inbox/Projects", PROJECT_MESSAGES, false),
            ("Sent Items", SENT_MESSAGES, true),
            ("Inbox", INBOX_MESSAGES, false),
            ("Drafts", DRAFTS, true),
        ]
    } else {
        &[("Inbox", 5, false)]
    };
    for (path, messages, is_own) in plan {
        let folder = import::folder_at(&mailbox, path).await?;
        for number in 0..*messages {
            let seconds = STEP_SECONDS * (messages - number) as i64;
            let other = pick(&SENDERS, number * 5 + path.len());
            let (from, to) = if *is_own { (me, other) } else { (other, me) };
            let letter = letter(number, from, to, now.plus_seconds(-seconds));
            let is_read = *is_own || number * 4 < messages * 3 && number % 7 != 0;
            store(&mailbox, folder, letter.mime(), (is_read, *path == "Drafts"), now).await?;
            count += 1;
        }
    }
    let inbox = import::folder_at(&mailbox, "Inbox").await?;
    store(&mailbox, inbox, meeting_request(me, now), (false, false), now).await?;
    Ok(count + 1)
}

async fn store(
    mailbox: &Mailbox,
    folder: CollectionId,
    mime: String,
    (is_read, is_draft): (bool, bool),
    now: Time,
) -> Result<(), EngineError> {
    let mut content = message::parse(mime.into(), &message::Import { received: None, now });
    if is_draft {
        let flags = content.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
        content.bag.set(tags::MESSAGE_FLAGS, Value::I32(flags | MESSAGE_UNSENT));
    }
    let flags = ItemFlags::default().set(ItemFlags::READ, is_read);
    Box::pin(mailbox.create_item(folder, content, flags)).await.map(drop)
}

fn letter<'a>(number: usize, from: (&'a str, &'a str), to: (&'a str, &'a str), at: Time) -> Letter<'a> {
    let (subject, text, kind) = pick(&LETTERS, number);
    let topic = pick(&TOPICS, number * 3 + number / LETTERS.len());
    Letter { from, to, subject: subject.replace("{}", topic), text: text.replace("{}", topic), kind, at, number }
}

/// An entry of a table that is not empty, going round.
fn pick<T: Copy + Default, const N: usize>(table: &[T; N], at: usize) -> T {
    table.get(at % N).copied().unwrap_or_default()
}

impl Letter<'_> {
    fn mime(&self) -> String {
        let mut head = format!(
            "Received: from mx.example.com by mail.example.com; {date}\r\nDate: {date}\r\nFrom: {}\r\nTo: {}\r\n\
             Subject: {}\r\nMessage-ID: <{}.{}@example.com>\r\nMIME-Version: 1.0\r\n",
            mailbox_text(self.from),
            mailbox_text(self.to),
            encoded(&self.subject),
            self.number,
            self.at.to_unix(),
            date = date(self.at),
        );
        if self.subject.starts_with("Re: ") {
            head.push_str("In-Reply-To: <question@example.com>\r\nReferences: <question@example.com>\r\n");
        }
        if self.number % 9 == 4 {
            let _ = write!(head, "Cc: {}, {}\r\n", mailbox_text(pick(&SENDERS, 2)), mailbox_text(pick(&SENDERS, 4)));
        }
        let greeting = format!("Hello,\r\n\r\n{}\r\n\r\n{}\r\n", self.text, self.from.0);
        let text = part("text/plain; charset=utf-8", &greeting);
        match self.kind {
            Kind::Plain => head + &text,
            Kind::Important => head + "Importance: high\r\nX-Priority: 1\r\n" + &text,
            Kind::Html => head + &multipart("alternative", "alt", &[&text, &self.html("")]),
            Kind::Table => {
                let table = "week,planned,done\r\n31,12,11\r\n32,14,15\r\n33,9,9\r\n";
                let file = format!(
                    "Content-Disposition: attachment; filename=\"figures.csv\"\r\n{}",
                    part("text/csv; name=\"figures.csv\"; charset=utf-8", table)
                );
                head + &multipart("mixed", "mix", &[&text, &file])
            }
            Kind::Picture => {
                let picture = format!(
                    "Content-Type: image/png; name=\"picture.png\"\r\nContent-Transfer-Encoding: base64\r\n\
                     Content-ID: <picture@example.com>\r\nContent-Disposition: inline; filename=\"picture.png\"\r\n\
                     \r\n{PICTURE}\r\n"
                );
                let html = self.html("<p><img src=\"cid:picture@example.com\" alt=\"The picture\"></p>");
                let alternative = multipart("alternative", "alt", &[&text, &html]);
                head + &multipart("related", "rel", &[&alternative, &picture])
            }
            Kind::Forwarded => {
                let inner = Letter {
                    from: pick(&SENDERS, self.number + 1),
                    to: self.from,
                    subject: self.subject.replace("Fwd: ", ""),
                    text: "Could you pass this on? It is about what we spoke of last week.".into(),
                    kind: Kind::Plain,
                    at: self.at.plus_seconds(-7_200),
                    number: self.number + 1_000,
                };
                let message = format!("Content-Type: message/rfc822\r\n\r\n{}", inner.mime());
                head + &multipart("mixed", "mix", &[&text, &message])
            }
        }
    }

    fn html(&self, more: &str) -> String {
        let text = content::text::escape_html(&self.text).replace("\r\n", "<br>\r\n");
        let html = format!(
            "<html><body><p>Hello,</p>\r\n<p>{text}</p>\r\n{more}<p style=\"color:#335577\">{}</p></body></html>\r\n",
            content::text::escape_html(self.from.0)
        );
        part("text/html; charset=utf-8", &html)
    }
}

fn meeting_request(me: (&str, &str), now: Time) -> String {
    let start = Time(now.0 - now.0.rem_euclid(Time::DAY) + 7 * Time::DAY).plus_seconds(9 * 3_600);
    let stamp = |time: Time| time.to_string().replace(['-', ':'], "");
    let calendar = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Highwater//Demo//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\n\
         UID:budget-q3@example.com\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\nSUMMARY:Budget Q3\r\n\
         LOCATION:Pier 4\\, second floor\r\nORGANIZER;CN=Dan Park:mailto:dan@example.com\r\n\
         ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN={}:mailto:{}\r\nSEQUENCE:0\r\n\
         STATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        stamp(now),
        stamp(start),
        stamp(start.plus_seconds(3_600)),
        me.0,
        me.1,
    );
    let letter = Letter {
        from: ("Dan Park", "dan@example.com"),
        to: me,
        subject: "Budget Q3".into(),
        text: "Let us go through the budget for the third quarter.".into(),
        kind: Kind::Plain,
        at: now.plus_seconds(-1_800),
        number: 2_000,
    };
    let mime = letter.mime();
    let head = mime.split("Content-Type:").next().unwrap_or_default();
    let text = part("text/plain; charset=utf-8", &format!("{}\r\n", letter.text));
    let calendar = part("text/calendar; charset=utf-8; method=REQUEST", &calendar);
    head.to_owned() + &multipart("alternative", "alt", &[&text, &calendar])
}

/// A part with text of any kind.
fn part(content_type: &str, text: &str) -> String {
    if text.is_ascii() {
        return format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: 7bit\r\n\r\n{text}");
    }
    let mut part = format!("Content-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    for line in encoded.as_bytes().chunks(76) {
        part.push_str(std::str::from_utf8(line).unwrap_or_default());
        part.push_str("\r\n");
    }
    part
}

fn multipart(kind: &str, boundary: &str, parts: &[&str]) -> String {
    let mut body = format!("Content-Type: multipart/{kind}; boundary=\"=_{boundary}\"\r\n\r\n");
    for part in parts {
        let _ = write!(body, "--=_{boundary}\r\n{part}\r\n");
    }
    let _ = write!(body, "--=_{boundary}--\r\n");
    body
}

fn mailbox_text((name, address): (&str, &str)) -> String {
    if name.is_ascii() { format!("{name} <{address}>") } else { format!("{} <{address}>", encoded(name)) }
}

/// A header text, as an encoded word where it is not plain.
fn encoded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(text))
}

fn date(time: Time) -> String {
    let zoned = jiff::Timestamp::from_second(time.to_unix()).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::rfc2822::to_string(&zoned).unwrap_or_default()
}
