//! Item elements of requests as items: what `CreateItem` stores.
//!
//! It must not know where an item goes, nor whether it is sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::{Caller, Engine, ItemDraft};
use model::{
    Attachment, AttachmentContent, Bag, ItemContent, ItemFlags, PropertyKey, Time, Value, lids, limits, sets, tags,
};
use xml::Node;

use crate::class::{self, ItemClass};
use crate::fields::{address, zone};
use crate::item::{ARTICLE_NUMBER, ASSOCIATED};
use crate::patch::{Patch, Step, set_display_lists};
use crate::path::ExtendedField;
use crate::{Failure, Fault, ResponseCode, series};

/// An item as a request describes it.
#[derive(Clone, Debug)]
pub(crate) struct NewItem {
    /// The kind of its element.
    pub(crate) class: &'static ItemClass,
    mime: Option<Bytes>,
    patch: Patch,
    attachments: Vec<NewAttachment>,
}

/// An attachment as a request describes it.
#[derive(Clone, Debug)]
pub(crate) struct NewAttachment {
    bag: Bag,
    content: NewContent,
}

#[derive(Clone, Debug)]
enum NewContent {
    File(Bytes),
    Item(Box<NewItem>),
}

/// PidTagMessageFlags of a message that has not been sent.
const UNSENT: i32 = 8;
/// PidTagMessageFlags of a message that was read.
const READ: i32 = 1;

/// Elements of items that are passed over: they say what the server decides.
const PASSED_OVER: &[&str] = &["InboxReminders", "ItemId", "ResponseObjects"];

/// Whether an element of an item is passed over.
pub(crate) fn is_passed_over(local: &str) -> bool {
    PASSED_OVER.contains(&local)
}

impl NewItem {
    /// Reads an item element. The outer error is a fault, the inner one of this item.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        Self::read_within(node, limits::EMBED_DEPTH_MAX)
    }

    fn read_within(node: Node<'_>, depth: usize) -> Result<Result<Self, Failure>, Fault> {
        let Some(class) = class::of_element(node.local()) else {
            let text = format!("{} is not available on this server.", node.local());
            return Ok(Err(Failure::text(ResponseCode::ErrorInvalidOperation, text)));
        };
        Self::read_as(node, class, &[], depth)
    }

    /// Reads the properties of a response object that makes a message; elements in `besides` are somebody else's.
    pub(crate) fn read_response(node: Node<'_>, besides: &[&str]) -> Result<Result<Self, Failure>, Fault> {
        let class = class::of_item("IPM.Note");
        Self::read_as(node, class, besides, limits::EMBED_DEPTH_MAX)
    }

    fn read_as(
        node: Node<'_>,
        class: &'static ItemClass,
        besides: &[&str],
        depth: usize,
    ) -> Result<Result<Self, Failure>, Fault> {
        let mut item = Self { class, mime: None, patch: Patch::default(), attachments: Vec::new() };
        for child in node.children().filter(|child| !besides.contains(&child.local())) {
            let read = match child.local() {
                "MimeContent" => STANDARD
                    .decode(without_space(&child.text()))
                    .map(|mime| item.mime = Some(mime.into()))
                    .map_err(|_| ResponseCode::ErrorMimeContentInvalidBase64String.into()),
                "Attachments" => item.read_attachments(child, depth)?,
                "ExtendedProperty" => read_extended(child)?.map(|steps| item.patch.extend(steps)),
                name if is_passed_over(name) => Ok(()),
                name => match class.field_of_element(name) {
                    Some(field) if field.able.set() => field.read(child).map(|steps| item.patch.extend(steps)),
                    Some(field) => Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, field.uri)),
                    None => {
                        let text = format!("{} ({name})", ResponseCode::ErrorInvalidPropertySet.text());
                        Err(Failure::text(ResponseCode::ErrorInvalidPropertySet, text))
                    }
                },
            };
            if let Err(failure) = read {
                return Ok(Err(failure));
            }
        }
        Ok(Ok(item))
    }

    fn read_attachments(&mut self, node: Node<'_>, depth: usize) -> Result<Result<(), Failure>, Fault> {
        for child in node.children() {
            if self.attachments.len() == limits::ATTACHMENTS_MAX {
                return Ok(Err(ResponseCode::ErrorMessageSizeExceeded.into()));
            }
            match NewAttachment::read_within(child, depth)? {
                Ok(attachment) => self.attachments.push(attachment),
                Err(failure) => return Ok(Err(failure)),
            }
        }
        Ok(Ok(()))
    }

    /// Whether the request says if the item is read, whether it is a draft.
    pub(crate) fn says(&self, which: impl Fn(&Step) -> bool) -> bool {
        self.patch.steps.iter().any(which)
    }

    /// The item to be stored. `draft` says that it is not being sent.
    pub(crate) fn build(&self, engine: &Engine, owner: &Caller, draft: bool) -> (ItemContent, ItemFlags) {
        self.build_on(self.parse(engine), engine, owner, draft)
    }

    /// As [`Self::build`], starting from an item that is there already.
    pub(crate) fn build_on(
        &self,
        mut content: ItemContent,
        engine: &Engine,
        owner: &Caller,
        draft: bool,
    ) -> (ItemContent, ItemFlags) {
        let now = engine.clock().now();
        let attachments = std::mem::take(&mut content.attachments);
        let rewritten = || self.patch.steps.iter().any(|step| rewrites(step, &content.bag));
        let kept = self.attachments.is_empty() && !rewritten();
        let mime = content.mime.take().filter(|_| kept);
        let mut item = ItemDraft { bag: content.bag, recipients: content.recipients, flags: ItemFlags::READ };
        self.patch.apply(&mut item);
        let bag = &mut item.bag;
        if bag.get(&tags::MESSAGE_CLASS).is_none() {
            bag.set(tags::MESSAGE_CLASS, Value::text(self.class.new_class));
        }
        let message = self.class.field("message:ToRecipients").is_some();
        if message && draft && !self.says(|step| matches!(step, Step::Bits { .. })) {
            let flags = bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
            bag.set(tags::MESSAGE_FLAGS, Value::I32(flags | UNSENT));
        }
        let stamp = |bag: &mut Bag, key: PropertyKey, value: Value| {
            if bag.get(&key).is_none() {
                bag.set(key, value);
            }
        };
        let time = Value::Time(now.whole_second());
        stamp(bag, tags::MESSAGE_DELIVERY_TIME, time.clone());
        stamp(bag, tags::CLIENT_SUBMIT_TIME, time);
        stamp(bag, tags::LAST_MODIFIER_NAME, Value::text(owner.display_name.clone()));
        let topic = bag.text(&tags::NORMALIZED_SUBJECT).or_else(|| bag.text(&tags::SUBJECT)).unwrap_or_default();
        let topic = topic.to_owned();
        stamp(bag, tags::CONVERSATION_TOPIC, Value::text(topic.clone()));
        stamp(bag, tags::CONVERSATION_ID, Value::binary(mapi::conversation::conversation_id(&topic).to_vec()));
        let index = mapi::conversation::conversation_index(now, engine.random().guid());
        stamp(bag, tags::CONVERSATION_INDEX, Value::binary(index.to_vec()));
        let domain = owner.address.split_once('@').map_or("localhost", |(_, domain)| domain);
        if message {
            stamp(bag, tags::INTERNET_MESSAGE_ID, Value::text(format!("<{}@{domain}>", engine.random().guid())));
        }
        complete(self.class, bag, !item.recipients.is_empty(), engine, owner);
        if item.bag.get(&tags::DISPLAY_TO).is_none() {
            set_display_lists(&mut item.bag, &item.recipients);
        }
        let mut content = ItemContent { bag: item.bag, recipients: item.recipients, attachments, mime };
        content.attachments.extend(self.attachments.iter().map(|attachment| attachment.build(engine, owner)));
        (content, item.flags)
    }

    /// The item that the message in RFC 5322 or iCalendar gives; an empty one where there is none.
    fn parse(&self, engine: &Engine) -> ItemContent {
        let Some(mime) = &self.mime else { return ItemContent::default() };
        let calendar =
            mime.trim_ascii_start().get(..15).is_some_and(|head| head.eq_ignore_ascii_case(b"BEGIN:VCALENDAR"));
        if calendar {
            let mut content = ItemContent::default();
            content::calendar::apply(&String::from_utf8_lossy(mime), &mut content);
            content.bag.set(tags::MESSAGE_CLASS, Value::text(self.class.new_class));
            return content;
        }
        let context = content::message::Import { received: None, now: engine.clock().now().whole_second() };
        let mut content = content::message::parse(mime.clone(), &context);
        // A message may turn out to be about a meeting.
        let class = class::of_item(content.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let message = |class: &ItemClass| class.field("message:ToRecipients").is_some();
        if class.element != self.class.element && !(message(class) && self.class.element == "t:Message") {
            content.bag.set(tags::MESSAGE_CLASS, Value::text(self.class.new_class));
        }
        content
    }
}

impl NewAttachment {
    /// Reads a `FileAttachment` or `ItemAttachment`. The outer error is a fault, the inner one of this attachment.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        Self::read_within(node, limits::EMBED_DEPTH_MAX)
    }

    fn read_within(node: Node<'_>, depth: usize) -> Result<Result<Self, Failure>, Fault> {
        if depth == 0 {
            return Ok(Err(ResponseCode::ErrorMessageSizeExceeded.into()));
        }
        let mut bag = Bag::new();
        let content = match node.local() {
            "FileAttachment" => {
                let text = node.child_local("Content").map(|content| content.text()).unwrap_or_default();
                let Ok(bytes) = STANDARD.decode(without_space(&text)) else {
                    return Ok(Err(Failure::text(ResponseCode::ErrorInvalidRequest, "The content is not base64.")));
                };
                bag.set(tags::ATTACH_SIZE, Value::I32(i32::try_from(bytes.len()).unwrap_or(i32::MAX)));
                bag.set(tags::ATTACH_METHOD, Value::I32(1));
                NewContent::File(bytes.into())
            }
            "ItemAttachment" => {
                let inner = node.children().find(|inner| class::of_element(inner.local()).is_some());
                let Some(inner) = inner else {
                    return Err(Fault::schema(node, "ItemAttachment", "it has incomplete content."));
                };
                bag.set(tags::ATTACH_METHOD, Value::I32(5));
                match NewItem::read_within(inner, depth - 1)? {
                    Ok(item) => NewContent::Item(Box::new(item)),
                    Err(failure) => return Ok(Err(failure)),
                }
            }
            _ => return Ok(Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, "item:Attachments"))),
        };
        read_attachment_head(node, &mut bag);
        Ok(Ok(Self { bag, content }))
    }

    /// The attachment to be stored.
    pub(crate) fn build(&self, engine: &Engine, owner: &Caller) -> Attachment {
        let held = match &self.content {
            NewContent::File(bytes) => AttachmentContent::File(bytes.clone()),
            NewContent::Item(inner) => AttachmentContent::Item(Box::new(inner.build(engine, owner, false).0)),
        };
        let mut bag = self.bag.clone();
        if let (AttachmentContent::Item(inner), None) = (&held, bag.get(&tags::DISPLAY_NAME)) {
            bag.set(tags::DISPLAY_NAME, Value::text(inner.bag.text(&tags::SUBJECT).unwrap_or_default()));
        }
        bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(engine.clock().now().whole_second()));
        Attachment { bag, content: held }
    }
}

/// Whether a change makes the message that came, which says `bag`, no longer what the item says. Clients send what they
/// have read out of the message themselves, and the usual values of what it does not say.
pub(crate) fn rewrites(step: &Step, bag: &Bag) -> bool {
    let same = |key: &PropertyKey, value: &Value| match bag.get(key) {
        Some(have) => have == value,
        None => [Value::Bool(false), Value::text("")].contains(value) || *value == usual(key),
    };
    match step {
        Step::Read(_) | Step::Associated(_) | Step::Bits { .. } | Step::AppendTexts(..) => false,
        Step::Subject(subject) => bag.text(&tags::SUBJECT).unwrap_or_default() != subject,
        Step::Recipients { kind, list, .. } => {
            let shown = [tags::DISPLAY_TO, tags::DISPLAY_CC, tags::DISPLAY_BCC];
            let shown = usize::try_from(*kind - 1).ok().and_then(|at| shown.get(at));
            !list.is_empty() || shown.is_none_or(|key| !bag.text(key).unwrap_or_default().is_empty())
        }
        Step::Body { .. } => true,
        Step::Put(key, value) if same(key, value) => false,
        Step::Put(key, _) | Step::Remove(key) => {
            [
                tags::IMPORTANCE,
                tags::SENSITIVITY,
                tags::INTERNET_MESSAGE_ID,
                tags::IN_REPLY_TO_ID,
                tags::INTERNET_REFERENCES,
                tags::REPLY_RECIPIENT_ENTRIES,
                tags::READ_RECEIPT_REQUESTED,
                tags::DELIVERY_REPORT_REQUESTED,
            ]
            .contains(key)
                || address::FROM.all().contains(key)
                || address::SENDER.all().contains(key)
        }
    }
}

/// What a message without the header field of a property means.
fn usual(key: &PropertyKey) -> Value {
    Value::I32(i32::from(*key == tags::IMPORTANCE))
}

/// Reads an `ExtendedProperty` into changes. The outer error is a fault, the inner one of the property.
pub(crate) fn read_extended(node: Node<'_>) -> Result<Result<Vec<Step>, Failure>, Fault> {
    let path = crate::request::required(node, "ExtendedFieldURI")?;
    let field = match ExtendedField::read(path)? {
        Ok(field) => field,
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(field.read_value(node).and_then(|value| extended_steps(field.key, value)))
}

/// The changes that setting a property by its tag means: some are kept elsewhere.
fn extended_steps(key: PropertyKey, value: Value) -> Result<Vec<Step>, Failure> {
    if key == tags::MESSAGE_FLAGS {
        let bits = value.as_i64().unwrap_or_default() as i32;
        let mask = !READ;
        return Ok(vec![
            Step::Read(bits & READ != 0),
            Step::Bits { mask, on: false },
            Step::Bits { mask: bits & mask, on: true },
        ]);
    }
    if key == tags::READ {
        return Ok(value.as_bool().map(Step::Read).into_iter().collect());
    }
    if key == tags::SUBJECT
        && let Value::Text(subject) = value
    {
        return Ok(vec![Step::Subject(subject)]);
    }
    if is_computed(&key) {
        return Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, "ExtendedFieldURI"));
    }
    Ok(vec![Step::Put(key, value)])
}

/// Whether a property is the server's to give.
pub(crate) fn is_computed(key: &PropertyKey) -> bool {
    [
        tags::ENTRY_ID,
        tags::PARENT_ENTRY_ID,
        tags::HAS_ATTACHMENTS,
        tags::MESSAGE_SIZE,
        tags::ACCESS,
        tags::OBJECT_TYPE,
        ASSOCIATED,
        ARTICLE_NUMBER,
    ]
    .contains(key)
}

fn read_attachment_head(node: Node<'_>, bag: &mut Bag) {
    let text = |name: &str| node.child_local(name).map(|child| child.text().into_owned());
    if let Some(name) = text("Name") {
        if let Some((_, extension)) = name.rsplit_once('.') {
            bag.set(tags::ATTACH_EXTENSION, Value::text(format!(".{extension}")));
        }
        bag.set(tags::ATTACH_LONG_FILENAME, Value::text(name.clone()));
        bag.set(tags::DISPLAY_NAME, Value::text(name));
    }
    for (element, key) in [
        ("ContentType", tags::ATTACH_MIME_TAG),
        ("ContentId", tags::ATTACH_CONTENT_ID),
        ("ContentLocation", tags::ATTACH_CONTENT_LOCATION),
    ] {
        bag.put(key, text(element).map(Value::text));
    }
    if text("IsInline").as_deref().and_then(crate::request::parse_boolean) == Some(true) {
        bag.set(tags::ATTACHMENT_HIDDEN, Value::Bool(true));
        bag.set(tags::ATTACH_FLAGS, Value::I32(4));
    }
    bag.set(tags::RENDERING_POSITION, Value::I32(-1));
}

fn without_space(text: &str) -> Vec<u8> {
    text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect()
}

/// What items of a class have besides what was said of them.
fn complete(class: &ItemClass, bag: &mut Bag, invites: bool, engine: &Engine, owner: &Caller) {
    match class.element {
        "t:CalendarItem" => {
            zone::complete(bag);
            series::settle(bag, true);
            complete_appointment(bag, engine, owner);
            mark_meeting(bag, invites);
        }
        "t:Contact" => complete_contact(bag),
        "t:Task" => {
            let status = bag.get(&TASK_STATUS).is_some();
            settle_task(bag, status, engine.clock().now());
        }
        _ => {}
    }
}

/// What follows from changes to an item of a class.
pub(crate) fn follow(class: &ItemClass, patch: &Patch, item: &mut ItemDraft, now: Time) {
    let bag = &mut item.bag;
    match class.element {
        "t:CalendarItem" => {
            let pattern_is_new = patch.touches(&lids::APPOINTMENT_RECUR);
            if pattern_is_new
                || [lids::START_WHOLE, lids::END_WHOLE, lids::TIME_ZONE_START].iter().any(|key| patch.touches(key))
            {
                zone::complete(bag);
                series::settle(bag, pattern_is_new);
            }
            set_duration(bag);
            mark_meeting(bag, !item.recipients.is_empty());
        }
        "t:Task" if [TASK_STATUS, TASK_PERCENT, TASK_COMPLETED].iter().any(|key| patch.touches(key)) => {
            settle_task(bag, patch.touches(&TASK_STATUS), now);
        }
        _ => {}
    }
}

/// Makes an appointment to which somebody is invited a meeting of its organiser. One that is a meeting stays one.
fn mark_meeting(bag: &mut Bag, invites: bool) {
    const MEETING: i32 = 1;
    const ORGANIZER: i32 = 1;
    let flags = bag.get(&lids::STATE_FLAGS).and_then(Value::as_i64).unwrap_or_default() as i32;
    if invites && flags & MEETING == 0 {
        bag.set(lids::STATE_FLAGS, Value::I32(flags | MEETING));
        bag.set(lids::RESPONSE_STATUS, Value::I32(ORGANIZER));
    }
}

fn set_duration(bag: &mut Bag) {
    let time = |key: &PropertyKey| bag.get(key).and_then(Value::as_time);
    if let (Some(start), Some(end)) = (time(&lids::START_WHOLE), time(&lids::END_WHOLE)) {
        let minutes = i32::try_from((end.to_unix() - start.to_unix()) / 60).unwrap_or(i32::MAX);
        bag.set(lids::APPOINTMENT_DURATION, Value::I32(minutes));
    }
}

fn complete_appointment(bag: &mut Bag, engine: &Engine, owner: &Caller) {
    if bag.get(&lids::GLOBAL_OBJECT_ID).is_none() {
        let id = mapi::global_object_id::from_uid(&engine.random().guid().to_string());
        bag.set(lids::CLEAN_GLOBAL_OBJECT_ID, Value::binary(id.clone()));
        bag.set(lids::GLOBAL_OBJECT_ID, Value::binary(id));
    }
    set_duration(bag);
    if bag.get(&tags::SENT_REPRESENTING_EMAIL_ADDRESS).is_none() {
        bag.set(tags::SENT_REPRESENTING_NAME, Value::text(owner.display_name.clone()));
        bag.set(tags::SENT_REPRESENTING_ADDRESS_TYPE, Value::text("SMTP"));
        bag.set(tags::SENT_REPRESENTING_EMAIL_ADDRESS, Value::text(owner.address.clone()));
        bag.set(tags::SENT_REPRESENTING_SMTP_ADDRESS, Value::text(owner.address.clone()));
    }
}

/// The display name stands for a missing subject and "file as".
fn complete_contact(bag: &mut Bag) {
    const FILE_AS: PropertyKey = PropertyKey::Lid(sets::ADDRESS, 0x8005);
    const GIVEN_NAME: PropertyKey = PropertyKey::Tag(0x3a06);
    const SURNAME: PropertyKey = PropertyKey::Tag(0x3a11);
    let text = |key: &PropertyKey| bag.text(key).unwrap_or_default().to_owned();
    let full = format!("{} {}", text(&GIVEN_NAME), text(&SURNAME)).trim().to_owned();
    let name = [text(&tags::DISPLAY_NAME), full, text(&FILE_AS)].into_iter().find(|name| !name.is_empty());
    let Some(name) = name else { return };
    for key in [tags::DISPLAY_NAME, FILE_AS, tags::SUBJECT, tags::NORMALIZED_SUBJECT] {
        if bag.text(&key).unwrap_or_default().is_empty() {
            bag.set(key, Value::text(name.clone()));
        }
    }
}

/// PidLidTaskStatus: 0 not started, 1 in progress, 2 completed.
const TASK_STATUS: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8101);
/// PidLidPercentComplete, from 0 to 1.
const TASK_PERCENT: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8102);
/// PidLidTaskDateCompleted.
const TASK_COMPLETED: PropertyKey = PropertyKey::Lid(sets::TASK, 0x810f);
/// PidLidTaskComplete.
const TASK_IS_COMPLETE: PropertyKey = PropertyKey::Lid(sets::TASK, 0x811c);

/// Makes the properties that say how far a task is say the same: its status where `by_status`, else its percentage or
/// the date of its completion.
fn settle_task(bag: &mut Bag, by_status: bool, now: Time) {
    let status = bag.get(&TASK_STATUS).and_then(Value::as_i64).unwrap_or_default() as i32;
    let percent = if let Some(Value::F64(percent)) = bag.get(&TASK_PERCENT) { *percent } else { 0.0 };
    let done = if by_status { status == 2 } else { percent >= 1.0 || bag.get(&TASK_COMPLETED).is_some() };
    let (status, percent) = match (done, by_status) {
        (true, _) => (2, 1.0),
        (false, true) => (status, if percent >= 1.0 { 0.0 } else { percent }),
        (false, false) if status == 2 => (i32::from(percent > 0.0), percent),
        (false, false) => (status, percent),
    };
    bag.set(TASK_STATUS, Value::I32(status));
    bag.set(TASK_PERCENT, Value::F64(percent));
    bag.set(TASK_IS_COMPLETE, Value::Bool(done));
    if !done {
        bag.remove(&TASK_COMPLETED);
    } else if bag.get(&TASK_COMPLETED).is_none() {
        bag.set(TASK_COMPLETED, Value::Time(now.whole_second()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_say_the_same_everywhere() {
        let time = Value::Time(Time::from_unix(0));
        let bag = |status: i32, percent: f64, completed: bool| {
            let mut bag = Bag::new();
            bag.set(TASK_STATUS, Value::I32(status));
            bag.set(TASK_PERCENT, Value::F64(percent));
            bag.set(TASK_IS_COMPLETE, Value::Bool(status == 2));
            bag.put(TASK_COMPLETED, completed.then(|| time.clone()));
            bag
        };
        for (before, by_status, after) in [
            (bag(2, 0.0, false), true, bag(2, 1.0, true)),
            (bag(1, 1.0, true), true, bag(1, 0.0, false)),
            (bag(1, 0.5, false), true, bag(1, 0.5, false)),
            (bag(0, 1.0, false), false, bag(2, 1.0, true)),
            (bag(0, 0.0, true), false, bag(2, 1.0, true)),
            (bag(2, 0.5, false), false, bag(1, 0.5, false)),
            (bag(2, 0.0, false), false, bag(0, 0.0, false)),
        ] {
            let mut bag = before;
            settle_task(&mut bag, by_status, Time::from_unix(0));
            assert_eq!(bag, after);
        }
    }
}
