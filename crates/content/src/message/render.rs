//! Items to RFC 5322 messages.

use std::fmt::Write as _;

use base64::Engine as _;
use mapi::entry_id;
use model::{Attachment, AttachmentContent, Bag, ItemContent, PropertyKey, Time, Value, limits, names, tags};
use sha2::{Digest as _, Sha256};

use crate::{address::Mailbox, calendar, field, html, text, transfer};

/// Characters of a line that may stay unencoded, RFC 5322 2.1.1.
const LINE_CHARS_MAX: usize = 998;
/// Characters of a boundary that say what it is about.
const BOUNDARY_CHARS: usize = 24;

/// What [`render`] has to know besides the item.
#[derive(Clone, Copy, Debug)]
pub struct Render<'a> {
    /// The domain of a Message-ID that has to be made up, and of addresses that are not SMTP.
    pub domain: &'a str,
}

/// The message of an item: the kept one byte for byte, otherwise one built from the properties. The same item always
/// gives the same message; ids and boundaries that it does not hold are derived from its content.
pub fn render(item: &ItemContent, context: &Render<'_>) -> Vec<u8> {
    render_within(item, context, limits::EMBED_DEPTH_MAX)
}

/// Messages may lie inside one another up to `depth` times; deeper ones are left out.
fn render_within(item: &ItemContent, context: &Render<'_>, depth: usize) -> Vec<u8> {
    if let Some(mime) = &item.mime {
        return mime.to_vec();
    }
    let mut out = Vec::new();
    let identity = fingerprint(item, depth);
    write_envelope(item, context, &identity, &mut out);
    out.extend(b"MIME-Version: 1.0\r\n");
    let mut writer = Writer { out, identity: &identity, boundaries: 0, context, depth };
    writer.message(item);
    writer.out
}

/// The header fields of the message of an item that are built from the properties.
pub(super) fn envelope(item: &ItemContent, context: &Render<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_envelope(item, context, &fingerprint(item, limits::EMBED_DEPTH_MAX), &mut out);
    out
}

/// A hash of everything that the message is made of.
fn fingerprint(item: &ItemContent, depth: usize) -> String {
    fn add(item: &ItemContent, depth: usize, hash: &mut Sha256) {
        if let Some(mime) = &item.mime {
            hash.update(mime);
        }
        hash.update(item.bag.encode());
        hash.update(Bag::encode_list(item.recipients.iter()));
        for attachment in &item.attachments {
            hash.update(attachment.bag.encode());
            match &attachment.content {
                AttachmentContent::None | AttachmentContent::Spooled(_) => {}
                AttachmentContent::File(bytes) => hash.update(bytes),
                AttachmentContent::Item(inner) if depth > 0 => add(inner, depth - 1, hash),
                AttachmentContent::Item(_) => {}
            }
        }
    }
    let mut hash = Sha256::new();
    add(item, depth, &mut hash);
    let mut text = String::new();
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text.truncate(BOUNDARY_CHARS);
    text
}

fn write_envelope(item: &ItemContent, context: &Render<'_>, identity: &str, out: &mut Vec<u8>) {
    let bag = &item.bag;
    let sender = person(bag, SENDER, context);
    let author = person(bag, AUTHOR, context).or_else(|| sender.clone());
    field::write_mailboxes("From", author.as_slice(), out);
    if let Some(sender) = sender.filter(|sender| Some(&sender.address) != author.as_ref().map(|one| &one.address)) {
        field::write_mailboxes("Sender", &[sender], out);
    }
    let reply_to = bag.get(&tags::REPLY_RECIPIENT_ENTRIES).and_then(Value::as_binary);
    let reply_to = reply_to.and_then(|bytes| entry_id::decode_flat_entry_list(bytes).ok()).unwrap_or_default();
    let reply_to: Vec<Mailbox> = reply_to.iter().map(|entry| Mailbox::new(&entry.name, &entry.address)).collect();
    field::write_mailboxes("Reply-To", &reply_to, out);
    for (name, kind) in [("To", 1), ("Cc", 2), ("Bcc", 3)] {
        let of_kind =
            item.recipients.iter().filter(|row| number(row, &tags::RECIPIENT_TYPE).unwrap_or(1) & 0xf == kind);
        let mailboxes: Vec<Mailbox> = of_kind.filter_map(|row| person(row, RECIPIENT, context)).collect();
        field::write_mailboxes(name, &mailboxes, out);
    }
    if let Some(subject) = bag.text(&tags::SUBJECT) {
        field::write_text("Subject", subject, out);
    }
    let times =
        [&tags::CLIENT_SUBMIT_TIME, &tags::MESSAGE_DELIVERY_TIME, &tags::LAST_MODIFICATION_TIME, &tags::CREATION_TIME];
    if let Some(time) = times.into_iter().find_map(|key| bag.get(key).and_then(Value::as_time)) {
        field::write_raw("Date", &date(time), out);
    }
    match bag.text(&tags::INTERNET_MESSAGE_ID).filter(|id| !id.trim().is_empty()) {
        Some(id) => field::write_raw("Message-ID", id, out),
        None => field::write_raw("Message-ID", &format!("<{identity}@{}>", context.domain), out),
    }
    for (name, key) in [("In-Reply-To", tags::IN_REPLY_TO_ID), ("References", tags::INTERNET_REFERENCES)] {
        field::write_raw(name, bag.text(&key).unwrap_or_default(), out);
    }
    if let Some(topic) = bag.text(&tags::CONVERSATION_TOPIC).filter(|topic| !topic.is_empty()) {
        field::write_text("Thread-Topic", topic, out);
    }
    if let Some(index) = bag.get(&tags::CONVERSATION_INDEX).and_then(Value::as_binary) {
        field::write_raw("Thread-Index", &base64::engine::general_purpose::STANDARD.encode(index), out);
    }
    write_marks(bag, author.as_slice(), out);
}

fn write_marks(bag: &Bag, author: &[Mailbox], out: &mut Vec<u8>) {
    match number(bag, &tags::IMPORTANCE) {
        Some(2) => out.extend(b"Importance: high\r\nX-Priority: 1\r\n"),
        Some(0) => out.extend(b"Importance: low\r\nX-Priority: 5\r\n"),
        _ => {}
    }
    match number(bag, &tags::SENSITIVITY) {
        Some(1) => out.extend(b"Sensitivity: personal\r\n"),
        Some(2) => out.extend(b"Sensitivity: private\r\n"),
        Some(3) => out.extend(b"Sensitivity: company-confidential\r\n"),
        _ => {}
    }
    for (name, key) in [
        ("Disposition-Notification-To", tags::READ_RECEIPT_REQUESTED),
        ("Return-Receipt-To", tags::DELIVERY_REPORT_REQUESTED),
    ] {
        if bag.get(&key).and_then(Value::as_bool) == Some(true) {
            field::write_mailboxes(name, author, out);
        }
    }
    if let Some(Value::Texts(keywords)) = bag.get(&names::KEYWORDS) {
        field::write_text("Keywords", &keywords.join(", "), out);
    }
}

/// The keys of a person: name, address type, address, SMTP address.
type PersonKeys = [PropertyKey; 4];

const AUTHOR: PersonKeys = [
    tags::SENT_REPRESENTING_NAME,
    tags::SENT_REPRESENTING_ADDRESS_TYPE,
    tags::SENT_REPRESENTING_EMAIL_ADDRESS,
    tags::SENT_REPRESENTING_SMTP_ADDRESS,
];
const SENDER: PersonKeys =
    [tags::SENDER_NAME, tags::SENDER_ADDRESS_TYPE, tags::SENDER_EMAIL_ADDRESS, tags::SENDER_SMTP_ADDRESS];
const RECIPIENT: PersonKeys = [tags::DISPLAY_NAME, tags::ADDRESS_TYPE, tags::EMAIL_ADDRESS, tags::SMTP_ADDRESS];

/// Whom an item comes from.
pub(crate) fn author(bag: &Bag, context: &Render<'_>) -> Option<Mailbox> {
    person(bag, AUTHOR, context).or_else(|| person(bag, SENDER, context))
}

/// The person of a recipient row.
pub(crate) fn recipient(row: &Bag, context: &Render<'_>) -> Option<Mailbox> {
    person(row, RECIPIENT, context)
}

fn person(bag: &Bag, [name, kind, email, smtp]: PersonKeys, context: &Render<'_>) -> Option<Mailbox> {
    let text = |key| bag.text(key).map(str::trim).filter(|text| !text.is_empty());
    let address = match (text(&smtp), text(&email)) {
        (Some(address), _) => address.to_owned(),
        (None, Some(address)) if address.contains('@') || text(&kind).is_none_or(|kind| kind == "SMTP") => {
            address.to_owned()
        }
        (None, Some(address)) => encapsulated(text(&kind).unwrap_or_default(), address, context.domain),
        (None, None) => String::new(),
    };
    let mailbox = Mailbox::new(text(&name).unwrap_or_default(), &address);
    (!mailbox.display().is_empty()).then_some(mailbox)
}

/// An address of another kind inside an SMTP address.
fn encapsulated(kind: &str, address: &str, domain: &str) -> String {
    let mut out = format!("IMCEA{}-", kind.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    for byte in address.bytes() {
        match byte {
            b'/' => out.push('_'),
            byte if byte.is_ascii_alphanumeric() || b"-.=".contains(&byte) => out.push(byte.into()),
            byte => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
    }
    format!("{out}@{domain}")
}

fn number(bag: &Bag, key: &PropertyKey) -> Option<i64> {
    bag.get(key).and_then(Value::as_i64)
}

/// `Thu, 31 Aug 2006 17:30:00 +0000`.
fn date(time: Time) -> String {
    let civil = time.civil();
    let weekday = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 1601-01-01 was a Monday.
    let weekday = weekday.get(time.0.div_euclid(Time::DAY).rem_euclid(7) as usize).copied().unwrap_or_default();
    let month = months.get(usize::from(civil.month).saturating_sub(1)).copied().unwrap_or_default();
    format!(
        "{weekday}, {} {month} {:04} {:02}:{:02}:{:02} +0000",
        civil.day, civil.year, civil.hour, civil.minute, civil.second
    )
}

/// The forms of one body, of which a reader picks one.
struct Bodies<'a> {
    text: Option<&'a str>,
    html: Option<&'a str>,
    /// Method and object of a meeting.
    event: Option<(&'static str, String)>,
    /// What the HTML shows.
    inline: Vec<&'a Attachment>,
}

/// Writes the parts of one message.
struct Writer<'a> {
    out: Vec<u8>,
    identity: &'a str,
    boundaries: usize,
    context: &'a Render<'a>,
    depth: usize,
}

impl Writer<'_> {
    /// The content fields of the message and all that follows.
    fn message(&mut self, item: &ItemContent) {
        let bag = &item.bag;
        let text = bag.text(&tags::BODY);
        let html = bag
            .get(&tags::HTML)
            .and_then(Value::as_binary)
            .map(|bytes| html::decode(bytes, number(bag, &tags::INTERNET_CODEPAGE)));
        let (inline, listed): (Vec<_>, Vec<_>) = item
            .attachments
            .iter()
            .filter(|attachment| self.is_writable(attachment))
            .partition(|attachment| html.is_some() && is_inline(attachment));
        let method = bag.text(&tags::MESSAGE_CLASS).and_then(calendar::method);
        let event = method.zip(calendar::render(item, self.context));
        let bodies = Bodies { text, html: html.as_deref(), event, inline };
        if listed.is_empty() {
            return self.bodies(&bodies);
        }
        let boundary = self.open("multipart/mixed", &[]);
        self.delimit(&boundary);
        self.bodies(&bodies);
        for attachment in listed {
            self.delimit(&boundary);
            self.attachment(attachment);
        }
        self.close(&boundary);
    }

    fn bodies(&mut self, bodies: &Bodies<'_>) {
        match (bodies.text, bodies.html, &bodies.event) {
            (text, None, None) => return self.text("text/plain", &[], text.unwrap_or_default()),
            (None, Some(html), None) => return self.html(html, &bodies.inline),
            (Some(_), Some(_), None) | (_, _, Some(_)) => {}
        }
        let boundary = self.open("multipart/alternative", &[]);
        if bodies.text.is_some() || bodies.html.is_none() {
            self.delimit(&boundary);
            self.text("text/plain", &[], bodies.text.unwrap_or_default());
        }
        if let Some(html) = bodies.html {
            self.delimit(&boundary);
            self.html(html, &bodies.inline);
        }
        if let Some((method, event)) = &bodies.event {
            self.delimit(&boundary);
            self.text("text/calendar", &[("method", method)], event);
        }
        self.close(&boundary);
    }

    fn html(&mut self, html: &str, inline: &[&Attachment]) {
        if inline.is_empty() {
            return self.text("text/html", &[], html);
        }
        let boundary = self.open("multipart/related", &[("type", "text/html")]);
        self.delimit(&boundary);
        self.text("text/html", &[], html);
        for attachment in inline {
            self.delimit(&boundary);
            self.attachment(attachment);
        }
        self.close(&boundary);
    }

    fn text(&mut self, media_type: &str, parameters: &[(&str, &str)], text: &str) {
        let text = text::with_crlf(text);
        let lines = || text.as_bytes().split(|byte| *byte == b'\n');
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || b" \t\r\n".contains(&byte))
            && lines()
                .all(|line| line.len() <= LINE_CHARS_MAX && !line.starts_with(b"From ") && !line.ends_with(b" \r"));
        let parameters = [&[("charset", "utf-8")], parameters].concat();
        field::write_structured("Content-Type", media_type, &parameters, &mut self.out);
        let high = text.bytes().filter(|byte| !byte.is_ascii()).count();
        if plain {
            self.out.extend(b"Content-Transfer-Encoding: 7bit\r\n\r\n");
            self.out.extend(text.as_bytes());
        } else if high > text.len() / 4 {
            self.out.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
            transfer::encode_base64(text.as_bytes(), &mut self.out);
        } else {
            self.out.extend(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n");
            transfer::encode_quoted_printable(text.as_bytes(), &mut self.out);
        }
    }

    fn attachment(&mut self, attachment: &Attachment) {
        let bag = &attachment.bag;
        let name = [&tags::ATTACH_LONG_FILENAME, &tags::ATTACH_FILENAME, &tags::DISPLAY_NAME]
            .into_iter()
            .find_map(|key| bag.text(key).filter(|name| !name.is_empty()));
        let embedded = match &attachment.content {
            AttachmentContent::Item(item) => Some(render_within(item, self.context, self.depth - 1)),
            AttachmentContent::File(_) | AttachmentContent::Spooled(_) | AttachmentContent::None => None,
        };
        let media_type = match &embedded {
            Some(_) => "message/rfc822",
            None => file_media_type(bag.text(&tags::ATTACH_MIME_TAG).unwrap_or_default()),
        };
        let named: Vec<(&str, &str)> =
            name.filter(|_| embedded.is_none()).map(|name| ("name", name)).into_iter().collect();
        field::write_structured("Content-Type", media_type, &named, &mut self.out);
        let disposition = if is_inline(attachment) { "inline" } else { "attachment" };
        let named: Vec<(&str, &str)> = name.map(|name| ("filename", name)).into_iter().collect();
        field::write_structured("Content-Disposition", disposition, &named, &mut self.out);
        if let Some(id) = bag.text(&tags::ATTACH_CONTENT_ID).filter(|id| !id.is_empty()) {
            field::write_raw("Content-ID", &format!("<{id}>"), &mut self.out);
        }
        field::write_raw(
            "Content-Location",
            bag.text(&tags::ATTACH_CONTENT_LOCATION).unwrap_or_default(),
            &mut self.out,
        );
        match (&attachment.content, embedded) {
            (_, Some(message)) => {
                // Only 7bit, 8bit and binary are allowed around a message.
                let encoding: &[u8] = if message.is_ascii() { b"7bit" } else { b"8bit" };
                self.out.extend([b"Content-Transfer-Encoding: ", encoding, b"\r\n\r\n"].concat());
                self.out.extend(message);
            }
            (AttachmentContent::File(bytes), None) => {
                self.out.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
                transfer::encode_base64(bytes, &mut self.out);
            }
            (AttachmentContent::Item(_) | AttachmentContent::Spooled(_) | AttachmentContent::None, None) => {
                self.out.extend(b"\r\n")
            }
        }
    }

    fn is_writable(&self, attachment: &Attachment) -> bool {
        match attachment.content {
            AttachmentContent::None | AttachmentContent::Spooled(_) => false,
            AttachmentContent::File(_) => true,
            AttachmentContent::Item(_) => self.depth > 0,
        }
    }

    fn open(&mut self, media_type: &str, parameters: &[(&str, &str)]) -> String {
        self.boundaries += 1;
        // `=_` stands in no quoted-printable or base64 line.
        let boundary = format!("=_{}_{}", self.boundaries, self.identity);
        let mut parameters = parameters.to_vec();
        parameters.push(("boundary", &boundary));
        field::write_structured("Content-Type", media_type, &parameters, &mut self.out);
        boundary
    }

    fn delimit(&mut self, boundary: &str) {
        self.out.extend(format!("\r\n--{boundary}\r\n").as_bytes());
    }

    fn close(&mut self, boundary: &str) {
        self.out.extend(format!("\r\n--{boundary}--\r\n").as_bytes());
    }
}

/// Whether an attachment belongs into the HTML body.
fn is_inline(attachment: &Attachment) -> bool {
    let named =
        attachment.bag.text(&tags::ATTACH_CONTENT_ID).or_else(|| attachment.bag.text(&tags::ATTACH_CONTENT_LOCATION));
    let hidden = attachment.bag.get(&tags::ATTACHMENT_HIDDEN).and_then(Value::as_bool) == Some(true);
    let shown = number(&attachment.bag, &tags::ATTACH_FLAGS).unwrap_or(0) & 4 != 0;
    named.is_some_and(|name| !name.is_empty()) && (hidden || shown)
}

/// The media type for a file; parts with a structure of their own are not files.
fn file_media_type(tag: &str) -> &str {
    let (kind, subtype) = tag.split_once('/').unwrap_or_default();
    let token = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.+_!#$&^".contains(&byte))
    };
    let structured = ["multipart", "message"].iter().any(|other| kind.eq_ignore_ascii_case(other));
    if token(kind) && token(subtype) && !structured { tag } else { "application/octet-stream" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for (time, text) in [
            ("2006-08-31T17:30:05Z", "Thu, 31 Aug 2006 17:30:05 +0000"),
            ("2024-02-29T00:00:00Z", "Thu, 29 Feb 2024 00:00:00 +0000"),
            ("1999-12-05T23:59:59Z", "Sun, 5 Dec 1999 23:59:59 +0000"),
        ] {
            assert_eq!(date(time.parse().unwrap()), text);
        }
    }

    #[test]
    fn other_addresses() {
        assert_eq!(encapsulated("EX", "/o=Org/cn=Dan Park", "example.com"), "IMCEAEX-_o=Org_cn=Dan+20Park@example.com");
    }
}
