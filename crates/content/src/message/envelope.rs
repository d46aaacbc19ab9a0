//! The header fields of a message to properties and recipients.

use base64::Engine as _;
use mapi::{conversation, entry_id};
use model::{Bag, ItemContent, PropertyKey, Time, Value, limits, names, tags};

use super::{Import, own};
use crate::{address::Mailbox, headers::Headers};

/// Keywords of one message that are kept.
const KEYWORDS_MAX: usize = 100;
/// PidTagObjectType of a recipient.
const MAIL_USER: i32 = 6;

/// Fills `item` from `headers`.
pub(super) fn read(headers: &Headers, context: &Import, item: &mut ItemContent) {
    let bag = &mut item.bag;
    bag.set(tags::MESSAGE_CLASS, Value::text("IPM.Note"));
    bag.set(tags::CREATION_TIME, Value::Time(context.now));
    bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(context.now));
    if !headers.block().is_empty() {
        bag.set(tags::TRANSPORT_MESSAGE_HEADERS, Value::text(headers.block()));
    }
    if headers.has("Subject") {
        set_subject(bag, &headers.text("Subject").unwrap_or_default());
    }
    if let Some(topic) = headers.text("Thread-Topic") {
        bag.set(tags::CONVERSATION_TOPIC, Value::text(topic));
    }
    times(headers, context, bag);
    senders(headers, bag);
    marks(headers, bag);
    threads(headers, bag);
    let keywords: Vec<String> = headers.list("Keywords").into_iter().take(KEYWORDS_MAX).collect();
    if !keywords.is_empty() {
        bag.set(names::KEYWORDS, Value::Texts(keywords));
    }
    for (name, kind) in [("To", 1), ("Cc", 2), ("Bcc", 3)] {
        add_recipients(item, headers.mailboxes(name), kind);
    }
}

/// Sets what every message has and the display lists, once recipients, bodies and attachments are known.
pub(super) fn complete(item: &mut ItemContent) {
    for (kind, key) in [(1, tags::DISPLAY_TO), (2, tags::DISPLAY_CC), (3, tags::DISPLAY_BCC)] {
        let of_kind =
            item.recipients.iter().filter(|bag| bag.get(&tags::RECIPIENT_TYPE).and_then(Value::as_i64) == Some(kind));
        let names: Vec<&str> = of_kind.filter_map(|bag| bag.text(&tags::DISPLAY_NAME)).collect();
        item.bag.set(key, Value::text(names.join("; ")));
    }
    for (key, value) in [
        (tags::IMPORTANCE, Value::I32(1)),
        (tags::SENSITIVITY, Value::I32(0)),
        (own::PRIORITY, Value::I32(0)),
        (tags::READ_RECEIPT_REQUESTED, Value::Bool(false)),
        (tags::DELIVERY_REPORT_REQUESTED, Value::Bool(false)),
    ] {
        if item.bag.get(&key).is_none() {
            item.bag.set(key, value);
        }
    }
    let topic = item.bag.text(&tags::CONVERSATION_TOPIC).filter(|topic| !topic.is_empty());
    let id = topic.map(|topic| Value::binary(conversation::conversation_id(topic).to_vec()));
    item.bag.put(tags::CONVERSATION_ID, id);
}

/// Sets the subject and what follows from it.
pub(crate) fn set_subject(bag: &mut Bag, subject: &str) {
    let (prefix, normalized) = conversation::subject_prefix(subject);
    bag.set(tags::SUBJECT, Value::text(subject));
    bag.set(tags::SUBJECT_PREFIX, Value::text(prefix));
    bag.set(tags::NORMALIZED_SUBJECT, Value::text(normalized));
    bag.set(tags::CONVERSATION_TOPIC, Value::text(normalized));
}

/// Sets the author (From).
pub(crate) fn set_author(bag: &mut Bag, mailbox: &Mailbox) {
    set_person(
        bag,
        mailbox,
        [
            tags::SENT_REPRESENTING_NAME,
            tags::SENT_REPRESENTING_ADDRESS_TYPE,
            tags::SENT_REPRESENTING_EMAIL_ADDRESS,
            tags::SENT_REPRESENTING_SMTP_ADDRESS,
        ],
    );
}

/// Sets the sender (Sender).
pub(crate) fn set_sender(bag: &mut Bag, mailbox: &Mailbox) {
    set_person(
        bag,
        mailbox,
        [tags::SENDER_NAME, tags::SENDER_ADDRESS_TYPE, tags::SENDER_EMAIL_ADDRESS, tags::SENDER_SMTP_ADDRESS],
    );
}

/// Adds recipients of type `kind` (1 to, 2 cc, 3 bcc) behind those that are there, up to
/// [`limits::RECIPIENTS_MAX`].
pub(crate) fn add_recipients(item: &mut ItemContent, mailboxes: Vec<Mailbox>, kind: i32) {
    for mailbox in mailboxes {
        let row = item.recipients.len();
        if row >= limits::RECIPIENTS_MAX {
            break;
        }
        let mut bag = Bag::new();
        set_person(
            &mut bag,
            &mailbox,
            [tags::DISPLAY_NAME, tags::ADDRESS_TYPE, tags::EMAIL_ADDRESS, tags::SMTP_ADDRESS],
        );
        bag.set(tags::ROW_ID, Value::I32(row as i32));
        bag.set(tags::RECIPIENT_TYPE, Value::I32(kind));
        bag.set(tags::OBJECT_TYPE, Value::I32(MAIL_USER));
        bag.set(tags::DISPLAY_TYPE, Value::I32(0));
        item.recipients.push(bag);
    }
}

fn set_person(bag: &mut Bag, mailbox: &Mailbox, [name, kind, email, smtp]: [PropertyKey; 4]) {
    bag.set(name, Value::text(mailbox.display()));
    if !mailbox.address.is_empty() {
        bag.set(kind, Value::text("SMTP"));
        bag.set(email, Value::text(&mailbox.address));
        bag.set(smtp, Value::text(&mailbox.address));
    }
}

fn times(headers: &Headers, context: &Import, bag: &mut Bag) {
    let sent: Option<Time> = headers.date("Date");
    bag.put(tags::CLIENT_SUBMIT_TIME, sent.map(Value::Time));
    let delivered = headers.received().or(sent).or(context.received).unwrap_or(context.now);
    bag.set(tags::MESSAGE_DELIVERY_TIME, Value::Time(delivered));
}

fn senders(headers: &Headers, bag: &mut Bag) {
    let author = headers.mailboxes("From").into_iter().next();
    let sender = headers.mailboxes("Sender").into_iter().next().or_else(|| author.clone());
    if let Some(author) = &author {
        set_author(bag, author);
    }
    if let Some(sender) = &sender {
        set_sender(bag, sender);
    }
    let mut reply_to = headers.mailboxes("Reply-To");
    reply_to.truncate(limits::RECIPIENTS_MAX);
    if !reply_to.is_empty() {
        set_reply_to(bag, &reply_to);
    }
}

/// Sets whom to answer.
fn set_reply_to(bag: &mut Bag, reply_to: &[Mailbox]) {
    let names: Vec<&str> = reply_to.iter().map(Mailbox::display).collect();
    bag.set(tags::REPLY_RECIPIENT_NAMES, Value::text(names.join(";")));
    let entries: Vec<_> = reply_to.iter().map(|one| entry_id::OneOff::smtp(one.display(), &one.address)).collect();
    bag.set(tags::REPLY_RECIPIENT_ENTRIES, Value::binary(entry_id::encode_flat_entry_list(&entries)));
}

fn marks(headers: &Headers, bag: &mut Bag) {
    let word = |name| headers.raw(name).unwrap_or_default().trim().to_ascii_lowercase();
    let importance = match word("Importance").as_str() {
        "high" => Some(2),
        "low" => Some(0),
        "normal" => Some(1),
        _ => match word("X-Priority").as_bytes().first() {
            Some(b'1' | b'2') => Some(2),
            Some(b'4' | b'5') => Some(0),
            Some(b'3') => Some(1),
            _ => match word("X-MSMail-Priority").as_str() {
                "high" => Some(2),
                "low" => Some(0),
                _ => None,
            },
        },
    };
    let priority = match word("Priority").as_str() {
        "urgent" => Some(1),
        "non-urgent" => Some(-1),
        "normal" => Some(0),
        _ => None,
    };
    let importance = importance.or_else(|| priority.map(|priority| priority + 1));
    bag.put(tags::IMPORTANCE, importance.map(Value::I32));
    bag.put(own::PRIORITY, priority.or_else(|| importance.map(|importance| importance - 1)).map(Value::I32));
    let sensitivity = match word("Sensitivity").as_str() {
        "personal" => Some(1),
        "private" => Some(2),
        "company-confidential" => Some(3),
        _ => None,
    };
    bag.put(tags::SENSITIVITY, sensitivity.map(Value::I32));
    bag.set(tags::READ_RECEIPT_REQUESTED, Value::Bool(headers.has("Disposition-Notification-To")));
    bag.set(tags::DELIVERY_REPORT_REQUESTED, Value::Bool(headers.has("Return-Receipt-To")));
}

fn threads(headers: &Headers, bag: &mut Bag) {
    let text = |name| headers.raw(name).filter(|text| !text.is_empty());
    bag.put(tags::INTERNET_MESSAGE_ID, text("Message-ID").map(|id| Value::text(first_id(&id))));
    bag.put(tags::IN_REPLY_TO_ID, text("In-Reply-To").map(Value::Text));
    bag.put(tags::INTERNET_REFERENCES, text("References").map(Value::Text));
    let index = text("Thread-Index").and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
    bag.put(tags::CONVERSATION_INDEX, index.filter(|index| !index.is_empty()).map(Value::binary));
}

/// The first id in angle brackets, or the whole text where there is none.
fn first_id(text: &str) -> &str {
    let start = text.find('<').unwrap_or(0);
    let end = text.get(start..).and_then(|rest| rest.find('>')).map_or(text.len(), |end| start + end + 1);
    text.get(start..end).unwrap_or(text)
}
