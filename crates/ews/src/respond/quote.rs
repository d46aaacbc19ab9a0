//! Answers to messages, and messages passed on: subject, thread, recipients, and the text of the original below the new
//! one.

use engine::ItemDraft;
use model::{Attachment, AttachmentContent, Bag, ItemContent, ItemFlags, PropertyKey, Time, Value, tags};

use super::{Kind, Respond, Words, is_message};
use crate::class::ItemClass;
use crate::fields::address;
use crate::patch::{Patch, Step};
use crate::{Context, meeting};

/// PidTagAttachMethod of an embedded message.
const METHOD_EMBEDDED: i32 = 5;
/// PidTagAttachFlags of an attachment that a body shows.
const SHOWN_IN_BODY: i64 = 4;
/// Bytes of the References field that are kept; older ids go first.
const REFERENCES_BYTES_MAX: usize = 3_500;

/// What the message is before the request has its say.
pub(super) fn answer(
    respond: &Respond,
    context: &Context<'_>,
    class: &ItemClass,
    original: &ItemContent,
) -> ItemContent {
    let forward = respond.kind == Kind::Forward;
    let mut draft = ItemDraft { bag: Bag::new(), recipients: Vec::new(), flags: ItemFlags::READ };
    let mut patch = Patch::default();
    let prefix = if forward { "FW: " } else { "RE: " };
    let topic = topic(&original.bag);
    patch.extend([Step::Subject(format!("{prefix}{topic}"))]);
    let words = respond.words.clone().unwrap_or_default();
    let mut attachments = Vec::new();
    if is_message(class) {
        thread(context, &original.bag, &topic, &mut draft.bag);
        if !respond.gives_body() {
            patch.extend([quoted(&words, original)]);
        }
        let html = original.bag.get(&tags::HTML).is_some();
        let goes = |one: &&Attachment| forward || html && is_shown(one);
        attachments = original.attachments.iter().filter(goes).cloned().collect();
    } else {
        patch.extend([Step::Body { html: words.html, text: words.text, append: false }]);
        attachments.push(embedded(original));
    }
    for kind in [address::TO, address::CC] {
        let list = if forward { Vec::new() } else { recipients(respond.kind, context, original, kind) };
        patch.extend([Step::Recipients { kind, list, append: false }]);
    }
    patch.apply(&mut draft);
    for key in [tags::IMPORTANCE, tags::SENSITIVITY] {
        draft.bag.put(key.clone(), original.bag.get(&key).cloned().filter(|_| forward || key == tags::SENSITIVITY));
    }
    ItemContent { bag: draft.bag, recipients: draft.recipients, attachments, mime: None }
}

/// An invitation that is passed on, with the new text above what it says.
pub(super) fn invitation(respond: &Respond, original: &ItemContent) -> ItemContent {
    let mut message = meeting::forwarded(original);
    let mut draft = ItemDraft { bag: message.bag, recipients: Vec::new(), flags: ItemFlags::READ };
    let mut patch = Patch::default();
    patch.extend([Step::Subject(format!("FW: {}", topic(&original.bag)))]);
    if let Some(words) = respond.words.as_ref().filter(|_| !respond.gives_body()) {
        patch.extend([quoted(words, original)]);
    }
    patch.apply(&mut draft);
    message.bag = draft.bag;
    message
}

/// The subject without its prefix.
pub(super) fn topic(bag: &Bag) -> String {
    let normalized = bag.text(&tags::NORMALIZED_SUBJECT);
    let subject = bag.text(&tags::SUBJECT).unwrap_or_default();
    normalized.unwrap_or_else(|| mapi::conversation::subject_prefix(subject).1).to_owned()
}

/// Puts the message into the thread of the original.
pub(super) fn thread(context: &Context<'_>, original: &Bag, topic: &str, bag: &mut Bag) {
    let topic = original.text(&tags::CONVERSATION_TOPIC).filter(|topic| !topic.is_empty()).unwrap_or(topic);
    bag.set(tags::CONVERSATION_TOPIC, Value::text(topic));
    let id = original.get(&tags::CONVERSATION_ID).cloned();
    let id = id.unwrap_or_else(|| Value::binary(mapi::conversation::conversation_id(topic).to_vec()));
    bag.set(tags::CONVERSATION_ID, id);
    let now = context.engine().clock().now();
    let chance = context.engine().random().number() as u8;
    let index = original.get(&tags::CONVERSATION_INDEX).and_then(Value::as_binary);
    let index = index.and_then(|index| mapi::conversation::reply_index(index, now, chance));
    bag.put(tags::CONVERSATION_INDEX, index.map(Value::binary));
    let Some(message_id) = original.text(&tags::INTERNET_MESSAGE_ID).filter(|id| !id.is_empty()) else { return };
    bag.set(tags::IN_REPLY_TO_ID, Value::text(message_id));
    let known = original.text(&tags::INTERNET_REFERENCES).or_else(|| original.text(&tags::IN_REPLY_TO_ID));
    let ids: Vec<&str> = known.unwrap_or_default().split_ascii_whitespace().chain([message_id]).collect();
    let mut bytes = 0;
    let fits = |id: &&&str| {
        bytes += id.len() + 1;
        bytes <= REFERENCES_BYTES_MAX
    };
    let mut kept: Vec<&str> = ids.iter().rev().take_while(fits).copied().collect();
    kept.reverse();
    bag.set(tags::INTERNET_REFERENCES, Value::text(kept.join(" ")));
}

/// Who gets an answer: who asked for answers or wrote the original, and in an answer to all everybody else who got it,
/// but not who answers.
fn recipients(answer: Kind, context: &Context<'_>, original: &ItemContent, kind: i32) -> Vec<Bag> {
    let mut list = Vec::new();
    if kind == address::TO {
        let entries = original.bag.get(&tags::REPLY_RECIPIENT_ENTRIES).and_then(Value::as_binary);
        let entries = entries.and_then(|bytes| mapi::entry_id::decode_flat_entry_list(bytes).ok()).unwrap_or_default();
        list.extend(
            entries.iter().map(|entry| address::recipient_row(&entry.name, &entry.address, &entry.address_type, kind)),
        );
        if list.is_empty() {
            list.extend(author(&original.bag, kind));
        }
    }
    if answer == Kind::ReplyAll {
        let own = |row: &&Bag| crate::send::address_of(row).eq_ignore_ascii_case(&context.caller().address);
        let of_kind = |row: &&Bag| row.get(&tags::RECIPIENT_TYPE) == Some(&Value::I32(kind));
        for row in original.recipients.iter().filter(of_kind).filter(|row| !own(row)) {
            let address = crate::send::address_of(row);
            if !list.iter().any(|known| crate::send::address_of(known).eq_ignore_ascii_case(address)) {
                let text = |key: &PropertyKey| row.text(key).unwrap_or_default();
                list.push(address::recipient_row(text(&tags::DISPLAY_NAME), address, text(&tags::ADDRESS_TYPE), kind));
            }
        }
    }
    list
}

/// Whom a message is from, as a recipient.
pub(super) fn author(bag: &Bag, kind: i32) -> Option<Bag> {
    [&address::FROM, &address::SENDER].into_iter().find_map(|keys| {
        let text = |key: &PropertyKey| bag.text(key).filter(|text| !text.is_empty());
        let address = text(&keys.smtp).or_else(|| text(&keys.address))?;
        let smtp = text(&keys.smtp).is_some() || text(&keys.kind).is_none();
        let address_type = if smtp { "SMTP" } else { text(&keys.kind).unwrap_or_default() };
        Some(address::recipient_row(text(&keys.name).unwrap_or_default(), address, address_type, kind))
    })
}

fn is_shown(attachment: &Attachment) -> bool {
    let flags = attachment.bag.get(&tags::ATTACH_FLAGS).and_then(Value::as_i64).unwrap_or_default();
    let hidden = attachment.bag.get(&tags::ATTACHMENT_HIDDEN).and_then(Value::as_bool) == Some(true);
    hidden || flags & SHOWN_IN_BODY != 0
}

/// An item as an attachment of the message that passes it on.
fn embedded(original: &ItemContent) -> Attachment {
    let name = original.bag.text(&tags::SUBJECT).or_else(|| original.bag.text(&tags::DISPLAY_NAME)).unwrap_or_default();
    let bag = Bag::from_iter([
        (tags::ATTACH_METHOD, Value::I32(METHOD_EMBEDDED)),
        (tags::DISPLAY_NAME, Value::text(name)),
        (tags::RENDERING_POSITION, Value::I32(-1)),
    ]);
    Attachment { bag, content: AttachmentContent::Item(Box::new(original.clone())) }
}

/// The new text, and the original below it. HTML where one of both is.
fn quoted(words: &Words, original: &ItemContent) -> Step {
    let bag = &original.bag;
    let html = bag.get(&tags::HTML).and_then(Value::as_binary);
    let html =
        html.map(|bytes| content::html::decode(bytes, bag.get(&tags::INTERNET_CODEPAGE).and_then(Value::as_i64)));
    let text = bag.text(&tags::BODY).unwrap_or_default();
    let lines = heading(bag);
    if html.is_none() && !words.html {
        let heading: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("{}\r\n\r\n________________________________\r\n{heading}\r\n{text}", words.text);
        return Step::Body { html: false, text, append: false };
    }
    let above = if words.html { words.text.clone() } else { content::text::to_html(&words.text) };
    let below = html.unwrap_or_else(|| content::text::to_html(text));
    let heading: Vec<String> =
        lines.iter().map(|(name, value)| format!("<b>{name}:</b> {}", content::text::escape_html(value))).collect();
    let text = format!("{above}\r\n<hr>\r\n<div>{}</div>\r\n<br>\r\n{below}", heading.join("<br>\r\n"));
    Step::Body { html: true, text, append: false }
}

/// What is said of the original above its text.
fn heading(bag: &Bag) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(from) = author(bag, address::TO) {
        let (name, address) = (from.text(&tags::DISPLAY_NAME).unwrap_or_default(), crate::send::address_of(&from));
        let plain = name.is_empty() || name == address;
        lines.push(("From", if plain { address.to_owned() } else { format!("{name} <{address}>") }));
    }
    let sent = bag.get(&tags::CLIENT_SUBMIT_TIME).or_else(|| bag.get(&tags::MESSAGE_DELIVERY_TIME));
    lines.extend(sent.and_then(Value::as_time).map(|time: Time| ("Sent", time.whole_second().to_string())));
    for (name, key) in [("To", tags::DISPLAY_TO), ("Cc", tags::DISPLAY_CC), ("Subject", tags::SUBJECT)] {
        let text = bag.text(&key).filter(|text| !text.is_empty());
        lines.extend(text.map(|text| (name, text.to_owned())));
    }
    lines
}
