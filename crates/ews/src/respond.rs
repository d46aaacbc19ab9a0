//! Response objects (MS-OXWSCORE 2.2.4.44, MS-OXWSMSG, MS-OXWSMTGS): what a client answers to an item it has.
//!
//! `quote` makes answers to messages, `attend` those to meetings. It must not know how the answer of the server is written.

mod attend;
mod quote;

pub(crate) use attend::Outlet;
use engine::{ItemRow, Own};
use model::{Bag, ItemContent, Time, Value, tags};
use xml::Node;

use crate::class::{self, ItemClass};
use crate::fields::body;
use crate::id::ItemRef;
use crate::meeting::{self, Answer};
use crate::new_item::NewItem;
use crate::patch::Step;
use crate::{Context, Failure, Fault, ResponseCode};

/// A response object of a request.
#[derive(Clone, Debug)]
pub(crate) struct Respond {
    /// What is answered.
    pub(crate) kind: Kind,
    /// To which item.
    pub(crate) reference: ItemRef,
    /// What the request says of the message.
    pub(crate) new: NewItem,
    /// What stands before the quoted text.
    pub(crate) words: Option<Words>,
    /// Another time for the meeting: start and end.
    proposed: Option<(Time, Time)>,
}

/// Text of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// Whether it is HTML.
    pub(crate) html: bool,
    /// The text.
    pub(crate) text: String,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An answer to the sender.
    Reply,
    /// An answer to the sender and all recipients.
    ReplyAll,
    /// The item goes to somebody else.
    Forward,
    /// No read receipt is to be sent.
    SuppressReadReceipt,
    /// An answer to an invitation.
    Attend(Answer),
    /// A meeting does not take place, says its organiser.
    Cancel,
    /// A meeting that was cancelled leaves the calendar.
    Remove,
}

/// The elements, with what they mean.
const KINDS: &[(&str, Kind)] = &[
    ("ReplyToItem", Kind::Reply),
    ("ReplyAllToItem", Kind::ReplyAll),
    ("ForwardItem", Kind::Forward),
    ("SuppressReadReceipt", Kind::SuppressReadReceipt),
    ("AcceptItem", Kind::Attend(Answer::Accept)),
    ("TentativelyAcceptItem", Kind::Attend(Answer::Tentative)),
    ("DeclineItem", Kind::Attend(Answer::Decline)),
    ("CancelCalendarItem", Kind::Cancel),
    ("RemoveItem", Kind::Remove),
];

/// Elements of response objects that are not properties of the message.
const BESIDES: &[&str] =
    &["ReferenceItemId", "NewBodyContent", "IsSpecificMessageReply", "ProposedStart", "ProposedEnd"];

impl Respond {
    /// Reads a response object; `None` where the element is another. The outer error is a fault, the inner one of this
    /// object.
    pub(crate) fn read(node: Node<'_>) -> Result<Option<Result<Self, Failure>>, Fault> {
        let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == node.local()) else { return Ok(None) };
        let Some(reference) = node.child_local("ReferenceItemId") else {
            return Ok(Some(Err(ResponseCode::ErrorMissingInformationReferenceItemId.into())));
        };
        crate::request::attribute(reference, "Id")?;
        let words = node.child_local("NewBodyContent").map(read_words).transpose();
        let new = NewItem::read_response(node, BESIDES)?;
        let read = || {
            let proposed = read_proposal(node)?;
            Ok(Self { kind: *kind, reference: ItemRef::read(reference)?, new: new?, words: words?, proposed })
        };
        Ok(Some(read()))
    }

    /// The message that answers `original`, which may be `sent` at once, and what that becomes by it once the answer is sent. `None` for what is no
    /// answer to a message.
    ///
    /// # Errors
    /// `ErrorInvalidReferenceItem` where such an item cannot be answered so.
    pub(crate) fn message(
        &self,
        context: &Context<'_>,
        original: &ItemContent,
        sent: bool,
    ) -> Result<Option<(ItemContent, Bag)>, Failure> {
        let class = class::of_item(original.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let base = match self.kind {
            Kind::Reply | Kind::ReplyAll if !is_message(class) => {
                return Err(ResponseCode::ErrorInvalidReferenceItem.into());
            }
            Kind::Forward if sent && self.passes_on(original) => quote::invitation(self, original),
            Kind::Reply | Kind::ReplyAll | Kind::Forward => quote::answer(self, context, class, original),
            Kind::SuppressReadReceipt | Kind::Attend(_) | Kind::Cancel | Kind::Remove => return Ok(None),
        };
        let (content, _) = self.new.build_on(base, context.engine(), context.caller(), true);
        let verb = match self.kind {
            Kind::Reply => 102,
            Kind::ReplyAll => 103,
            Kind::Forward | Kind::SuppressReadReceipt | Kind::Attend(_) | Kind::Cancel | Kind::Remove => 104,
        };
        let icon = if self.kind == Kind::Forward { ICON_FORWARDED } else { ICON_REPLIED };
        let now = context.engine().clock().now().whole_second();
        let mut mark = Bag::new();
        mark.set(tags::LAST_VERB_EXECUTED, Value::I32(verb));
        mark.set(tags::LAST_VERB_EXECUTION_TIME, Value::Time(now));
        if is_message(class) {
            mark.set(tags::ICON_INDEX, Value::I32(icon));
        }
        Ok(Some((content, mark)))
    }

    /// Whether what is sent is an invitation of somebody else's meeting, or of one's own to more people.
    pub(crate) fn passes_on(&self, original: &ItemContent) -> bool {
        self.kind == Kind::Forward && meeting::is_invitation(&original.bag)
    }

    /// Whether the request gives the whole body.
    fn gives_body(&self) -> bool {
        self.new.says(|step| matches!(step, Step::Body { .. }))
    }
}

/// PidTagIconIndex of what was answered and of what was forwarded.
const ICON_REPLIED: i32 = 0x105;
const ICON_FORWARDED: i32 = 0x106;

/// Whether items of a class are messages, which can be answered.
pub(crate) fn is_message(class: &ItemClass) -> bool {
    class.field("message:ToRecipients").is_some()
}

/// Says that no read receipt is to be sent for a message.
///
/// # Errors
/// `ErrorInvalidReferenceItem` where it is no message, `ErrorReadReceiptNotPending` where nobody wants one.
pub(crate) fn suppress_receipt(row: ItemRow, bag: &Bag) -> Result<Own, Failure> {
    let class = class::of_item(bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
    if !is_message(class) {
        return Err(ResponseCode::ErrorInvalidReferenceItem.into());
    }
    if bag.get(&tags::READ_RECEIPT_REQUESTED).and_then(Value::as_bool) != Some(true) {
        return Err(ResponseCode::ErrorReadReceiptNotPending.into());
    }
    let properties = Bag::from_iter([(tags::READ_RECEIPT_REQUESTED, Value::Bool(false))]);
    Ok(Own::Put { row, properties })
}

/// Reads the other time that an answer proposes.
fn read_proposal(node: Node<'_>) -> Result<Option<(Time, Time)>, Failure> {
    let time = |name: &str| match node.child_local(name) {
        Some(child) => match child.text().trim().parse::<Time>() {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(Failure::new(ResponseCode::ErrorInvalidValueForProperty)),
        },
        None => Ok(None),
    };
    match (time("ProposedStart")?, time("ProposedEnd")?) {
        (Some(start), Some(end)) if start <= end => Ok(Some((start, end))),
        (None, None) => Ok(None),
        (Some(_) | None, Some(_) | None) => Err(ResponseCode::ErrorInvalidValueForProperty.into()),
    }
}

/// Reads a body element.
fn read_words(node: Node<'_>) -> Result<Words, Failure> {
    let steps = body::read_body(node)?;
    let words = steps.into_iter().find_map(|step| match step {
        Step::Body { html, text, .. } => Some(Words { html, text }),
        Step::Put(..)
        | Step::Remove(_)
        | Step::Bits { .. }
        | Step::Read(_)
        | Step::Associated(_)
        | Step::Subject(_)
        | Step::Recipients { .. }
        | Step::AppendTexts(..) => None,
    });
    Ok(words.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use crate::testing::{Answered, World};

    const SEND: &str = "MessageDisposition=\"SendAndSaveCopy\"";

    fn create(world: &World, attributes: &str, items: &str) -> Answered {
        world.call(&format!("<CreateItem {attributes}><Items>{items}</Items></CreateItem>"))
    }

    fn object(kind: &str, id: &str, before: &str, after: &str) -> String {
        format!("<t:{kind}>{before}<t:ReferenceItemId Id=\"{id}\"/>{after}</t:{kind}>")
    }

    fn words(html: bool, text: &str) -> String {
        let kind = if html { "HTML" } else { "Text" };
        format!("<t:NewBodyContent BodyType=\"{kind}\">{text}</t:NewBodyContent>")
    }

    const TO: &str =
        "<t:ToRecipients><t:Mailbox><t:EmailAddress>cid@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>";

    struct Three {
        ann: World,
        bob: World,
        cid: World,
        /// In Bob's inbox: a message of Ann to Bob and Cid, with an attachment.
        received: String,
    }

    fn three(html: bool) -> Three {
        let ann = World::new();
        let (bob, cid) = (ann.beside("bob@example.com", "Bob"), ann.beside("cid@example.com", "Cid"));
        let body = if html {
            "<t:Body BodyType=\"HTML\">&lt;p&gt;old &amp;amp; &lt;b&gt;bold&lt;/b&gt;&lt;/p&gt;</t:Body>"
        } else {
            "<t:Body BodyType=\"Text\">old &lt; text</t:Body>"
        };
        create(
            &ann,
            SEND,
            &format!(
                "<t:Message><t:Subject>Re: Plan</t:Subject>{body}<t:Attachments><t:FileAttachment><t:Name>a.txt</t:Name>\
                 <t:Content>aGVsbG8=</t:Content></t:FileAttachment></t:Attachments>\
                 <t:ToRecipients><t:Mailbox><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>\
                 <t:CcRecipients><t:Mailbox><t:EmailAddress>cid@example.com</t:EmailAddress></t:Mailbox></t:CcRecipients>\
                 <t:IsReadReceiptRequested>true</t:IsReadReceiptRequested></t:Message>"
            ),
        )
        .success();
        let received = bob.ids("inbox").remove(0);
        Three { ann, bob, cid, received }
    }

    #[test]
    fn an_answer_quotes_and_stays_in_the_thread() {
        let Three { ann, bob, cid, received } = three(false);
        let original = bob.get(&received);
        assert_eq!(original.children("ResponseObjects"), ["ReplyToItem", "ReplyAllToItem", "ForwardItem"]);
        let answer = create(&bob, SEND, &object("ReplyToItem", &received, "", &words(false, "new"))).success();
        let kept = bob.get(&answer.attributes("ItemId", "Id")[0]);
        assert_eq!(kept.attributes("ParentFolderId", "Id"), [bob.folder_id("sentitems")]);
        assert_eq!((ann.count("inbox"), cid.count("inbox")), (1, 1));
        let got = ann.get(&ann.ids("inbox")[0]);
        for (element, value) in [
            ("Subject", "RE: Plan"),
            ("ConversationTopic", "Plan"),
            ("InReplyTo", &original.text("InternetMessageId")),
            ("References", &original.text("InternetMessageId")),
            ("DisplayTo", "Ann"),
            ("HasAttachments", "false"),
        ] {
            assert_eq!(got.text(element), value, "{element}");
        }
        let body = got.texts("Body").remove(1);
        assert!(
            body.starts_with("new\r\n\r\n____")
                && body.contains(
                    "From: Ann <ann@example.com>\r\nSent: 2024-05-06T07:08:09Z\r\n\
             To: Bob\r\nCc: Cid\r\nSubject: Re: Plan\r\n\r\nold < text"
                ),
            "{body}"
        );
        let index = |answer: &Answered| STANDARD.decode(answer.text("ConversationIndex")).unwrap();
        assert!(index(&got).len() == 27 && index(&got).starts_with(&index(&original)));
        let thread = |world: &World, id: &str| world.get(id).attributes("ConversationId", "Id").remove(0);
        assert_eq!(thread(&bob, &received), thread(&bob, &answer.attributes("ItemId", "Id")[0]));
        // The original says that it was answered.
        let original = bob.get(&received);
        assert_eq!((original.text("IconIndex"), original.text("Value")), ("MailReplied".into(), "102".into()));
    }

    #[test]
    fn an_answer_to_all_leaves_out_who_answers() {
        let Three { ann, bob, cid, received } = three(true);
        let html = words(true, "&lt;i&gt;new&lt;/i&gt;");
        create(&bob, "MessageDisposition=\"SendOnly\"", &object("ReplyAllToItem", &received, "", &html)).success();
        assert_eq!((bob.count("inbox"), bob.count("sentitems"), bob.count("drafts")), (1, 0, 0));
        let got = ann.get(&ann.ids("inbox")[0]);
        assert_eq!((got.text("DisplayTo"), got.text("DisplayCc")), ("Ann".into(), "Cid".into()));
        let body = got.texts("Body").remove(1);
        assert!(body.starts_with("<i>new</i>") && body.contains("<b>From:</b> Ann &lt;ann@example.com&gt;"), "{body}");
        assert!(body.ends_with("<p>old &amp; <b>bold</b></p>"), "{body}");
        assert_eq!(cid.count("inbox"), 2);
        assert_eq!(bob.get(&received).text("Value"), "103");
    }

    #[test]
    fn what_is_passed_on_keeps_its_attachments() {
        let Three { bob, cid, received, .. } = three(true);
        let forward = object("ForwardItem", &received, TO, &words(false, "see &lt;below&gt;"));
        create(&bob, SEND, &forward).success();
        let got = cid.get(&cid.ids("inbox")[1]);
        assert_eq!((got.text("Subject"), got.text("HasAttachments")), ("FW: Plan".into(), "true".into()));
        assert_eq!(got.children("Attachments"), ["FileAttachment"]);
        let body = got.texts("Body").remove(1);
        assert!(body.contains("see &lt;below&gt;") && body.ends_with("<p>old &amp; <b>bold</b></p>"), "{body}");
        assert_eq!(bob.get(&received).text("IconIndex"), "MailForwarded");
        // What is no message goes as an item of its own.
        let (contact, _) = bob.item(
            "contacts",
            &[
                (model::tags::MESSAGE_CLASS, model::Value::text("IPM.Contact")),
                (model::tags::SUBJECT, model::Value::text("Dan")),
            ],
        );
        assert_eq!(bob.get(&contact).children("ResponseObjects"), ["ForwardItem"]);
        create(&bob, SEND, &object("ForwardItem", &contact, TO, "")).success();
        let got = cid.get(&cid.ids("inbox")[2]);
        assert_eq!(
            (got.text("Subject"), got.children("Attachments")),
            ("FW: Dan".into(), vec!["ItemAttachment".into()])
        );
    }

    #[test]
    fn an_answer_may_be_a_draft_first() {
        let Three { ann, bob, received, .. } = three(false);
        let before = "<t:Subject>Mine</t:Subject><t:Body BodyType=\"Text\">all of it</t:Body>";
        let made =
            create(&bob, "MessageDisposition=\"SaveOnly\"", &object("ReplyToItem", &received, before, "")).success();
        let draft = bob.get(&made.attributes("ItemId", "Id")[0]);
        for (element, value) in [("Subject", "Mine"), ("IsDraft", "true"), ("DisplayTo", "Ann")] {
            assert_eq!(draft.text(element), value, "{element}");
        }
        assert_eq!(draft.texts("Body")[1], "all of it");
        assert_eq!(draft.children("ResponseObjects"), ["ForwardItem"]);
        assert_eq!((ann.count("inbox"), bob.get(&received).text("IconIndex")), (0, "Default".into()));
    }

    #[test]
    fn receipts_are_suppressed_once() {
        let Three { bob, received, .. } = three(false);
        let suppress = |id: &str| create(&bob, "", &object("SuppressReadReceipt", id, "", "")).codes().remove(0);
        assert_eq!(suppress(&received), "NoError");
        assert_eq!(bob.get(&received).text("IsReadReceiptRequested"), "false");
        assert_eq!(suppress(&received), "ErrorReadReceiptNotPending");
        let (task, _) = bob.item("tasks", &[(model::tags::MESSAGE_CLASS, model::Value::text("IPM.Task"))]);
        assert_eq!(suppress(&task), "ErrorInvalidReferenceItem");
    }

    #[test]
    fn wrong_answers_fail_alone() {
        let Three { ann, bob, received, .. } = three(false);
        let (task, _) = bob.item("tasks", &[(model::tags::MESSAGE_CLASS, model::Value::text("IPM.Task"))]);
        let objects = [
            object("ReplyToItem", &task, "", ""),
            object("ReplyToItem", "AAMk=", "", ""),
            "<t:ReplyToItem/>".to_owned(),
            object("ForwardItem", &received, "", ""),
            object("ReplyToItem", &received, "<t:Size>1</t:Size>", ""),
            object("ReplyToItem", &received, "", ""),
        ];
        assert_eq!(
            create(&bob, SEND, &objects.concat()).valid().codes(),
            [
                "ErrorInvalidReferenceItem",
                "ErrorInvalidIdMalformed",
                "ErrorMissingInformationReferenceItemId",
                "ErrorMissingRecipients",
                "ErrorInvalidPropertySet",
                "NoError"
            ]
        );
        assert_eq!((ann.count("inbox"), bob.count("sentitems")), (1, 1));
        let none = create(&bob, "", &object("ReplyToItem", &received, "", "")).valid();
        assert_eq!(none.codes(), ["ErrorMessageDispositionRequired"]);
    }
}
