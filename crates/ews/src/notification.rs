//! Subscriptions and notifications on the wire, MS-OXWSNTIF 2.2.4.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Change, Event, EventKind, EventKinds, EventPage, Subscription, SubscriptionError};
use model::{CollectionId, Guid};
use xml::{Node, Writer};

use crate::{Context, Failure, Fault, ResponseCode, class, id, request};

/// Characters of a subscription id or a watermark; those of this server are shorter.
const TOKEN_CHARS_MAX: usize = 8_192;

/// The kinds by the names of their elements.
const KINDS: &[(&str, EventKind)] = &[
    ("CopiedEvent", EventKind::Copied),
    ("CreatedEvent", EventKind::Created),
    ("DeletedEvent", EventKind::Deleted),
    ("ModifiedEvent", EventKind::Modified),
    ("MovedEvent", EventKind::Moved),
    ("NewMailEvent", EventKind::NewMail),
    ("FreeBusyChangedEvent", EventKind::FreeBusyChanged),
];

/// Kinds that one subscription may name, again and again.
const KINDS_MAX: usize = 64;

/// Reads an `EventTypes` element.
pub(crate) fn read_kinds(node: Node<'_>) -> Result<EventKinds, Fault> {
    request::known_children(node, &["EventType"])?;
    request::only(node)?;
    let mut kinds = EventKinds::default();
    for (at, kind) in node.children().enumerate() {
        if at >= KINDS_MAX {
            return Err(Fault::schema(node, "EventType", "there are too many."));
        }
        kinds = kinds.with(request::enumeration(kind, &kind.text(), "NotificationEventTypeType", KINDS)?);
    }
    Ok(kinds)
}

/// The bytes of a subscription id or a watermark; none for what cannot be one.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let text = Some(text.trim()).filter(|text| text.len() <= TOKEN_CHARS_MAX).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}

/// A subscription id or a watermark as it goes to the client.
pub(crate) fn text_of(token: &[u8]) -> String {
    STANDARD.encode(token)
}

/// The text of a required element that is a token.
pub(crate) fn read_token(node: Node<'_>, name: &str) -> Result<String, Fault> {
    let child = request::required(node, name)?;
    let text = child.text().trim().to_owned();
    if text.is_empty() {
        return Err(Fault::value(child, "", "NonEmptyStringType", "The MinLength constraint failed."));
    }
    Ok(text)
}

/// The subscription with this id, for whoever asks.
pub(crate) async fn open(context: &Context<'_>, id: &str) -> Result<Subscription, Failure> {
    let opened = context.engine().subscription(context.caller(), context.sender(), &bytes_of(id)).await;
    Ok(opened?)
}

impl From<SubscriptionError> for Failure {
    fn from(error: SubscriptionError) -> Self {
        use ResponseCode as Code;
        match error {
            SubscriptionError::Invalid => Self::new(Code::ErrorInvalidSubscription),
            SubscriptionError::NotFound => Self::new(Code::ErrorSubscriptionNotFound),
            SubscriptionError::Expired => Self::new(Code::ErrorExpiredSubscription),
            SubscriptionError::AccessDenied => Self::new(Code::ErrorSubscriptionAccessDenied),
            SubscriptionError::Watermark => Self::new(Code::ErrorInvalidWatermark),
            SubscriptionError::TooManyFolders => {
                Self::text(Code::ErrorInvalidSubscriptionRequest, "The subscription names too many folders.")
            }
            SubscriptionError::Engine(error) => error.into(),
        }
    }
}

/// How a notification is written.
pub(crate) enum Form<'a> {
    /// With watermarks, for a client that goes on from them.
    Marked {
        /// The one the client named.
        previous: &'a str,
    },
    /// Without, for a stream.
    Bare,
}

/// Writes a `Notification`. Without events it says that there are none, where it is marked.
pub(crate) fn write(
    out: &mut Writer,
    element: &'static str,
    subscription: &str,
    mailbox: Guid,
    page: &EventPage,
    form: &Form<'_>,
) {
    out.start(element);
    out.element("t:SubscriptionId", subscription);
    if let Form::Marked { previous } = form {
        out.element("t:PreviousWatermark", previous);
        out.display("t:MoreEvents", page.more);
    }
    for event in &page.events {
        write_event(out, mailbox, event, form);
    }
    if let (Form::Marked { .. }, true) = (form, page.events.is_empty()) {
        out.scope("t:StatusEvent", |out| out.element("t:Watermark", &text_of(&page.watermark)));
    }
    out.end();
}

fn write_event(out: &mut Writer, mailbox: Guid, event: &Event, form: &Form<'_>) {
    out.start(match event.kind {
        EventKind::Copied => "t:CopiedEvent",
        EventKind::Created => "t:CreatedEvent",
        EventKind::Deleted => "t:DeletedEvent",
        EventKind::Modified => "t:ModifiedEvent",
        EventKind::Moved => "t:MovedEvent",
        EventKind::NewMail => "t:NewMailEvent",
        EventKind::FreeBusyChanged => "t:FreeBusyChangedEvent",
    });
    if let Form::Marked { .. } = form {
        out.element("t:Watermark", &text_of(&event.watermark));
    }
    out.display("t:TimeStamp", event.at);
    match &event.change {
        Change::Item { item, class, folder, old } => {
            let key = id::bare_change_key(class::of_item(class.as_deref().unwrap_or("IPM.Note")).object_type);
            id::write(out, "t:ItemId", &id::item_id(mailbox, *folder, *item), Some(&key));
            write_folder(out, "t:ParentFolderId", mailbox, *folder, class::FOLDER_OBJECT);
            if let Some((folder, item)) = old {
                id::write(out, "t:OldItemId", &id::item_id(mailbox, *folder, *item), Some(&key));
                write_folder(out, "t:OldParentFolderId", mailbox, *folder, class::FOLDER_OBJECT);
            }
        }
        Change::Folder { folder, class, parent, old_parent, unread } => {
            let kind = class::of_folder(class.as_deref().unwrap_or_default(), false).object_type;
            write_folder(out, "t:FolderId", mailbox, *folder, kind);
            write_folder(out, "t:ParentFolderId", mailbox, *parent, class::FOLDER_OBJECT);
            if let Some(old) = old_parent {
                write_folder(out, "t:OldFolderId", mailbox, *folder, kind);
                write_folder(out, "t:OldParentFolderId", mailbox, *old, class::FOLDER_OBJECT);
            }
            if let Some(unread) = unread {
                out.display("t:UnreadCount", i32::try_from(*unread).unwrap_or(i32::MAX));
            }
        }
    }
    out.end();
}

fn write_folder(out: &mut Writer, element: &'static str, mailbox: Guid, folder: CollectionId, object_type: u32) {
    id::write(out, element, &id::folder_id(mailbox, folder), Some(&id::bare_change_key(object_type)));
}
