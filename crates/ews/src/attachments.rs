//! Attachments as ids name them, and changes of an item's list of them.
//!
//! An attachment is named by a number that stays its own: where it stood when the item was stored, or a number of chance
//! where it was added later. An id of one that is gone names no other.

use std::collections::BTreeSet;

use engine::{EngineError, ItemView, Mailbox, Precondition};
use mapi::entry_id::EntryId;
use model::{Attachment, Bag, CollectionId, ItemContent, ItemId, PropertyKey, Random, Value, limits, sets, tags};
use xml::{Node, Writer};

use crate::id::{self, MailboxId};
use crate::{Failure, Fault, ResponseCode, class, patch, request};

/// A bit of `PidTagMessageFlags`.
const FLAG_HAS_ATTACHMENTS: i32 = 0x10;
/// The number of an attachment in a list that was changed.
const NUMBER: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x30);
/// The first number of chance; those below are of places.
const CHANCE_FIRST: u32 = 0x1_0000;
/// How many of them there are.
const CHANCES: u32 = 0x7000_0000;
const _: () = assert!(limits::ATTACHMENTS_MAX < CHANCE_FIRST as usize);

/// The id of an attachment in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttachmentRef {
    /// The mailbox of the item.
    pub(crate) mailbox: MailboxId,
    /// The folder that held the item when the id was made.
    pub(crate) folder: CollectionId,
    /// The item.
    pub(crate) item: ItemId,
    /// Numbers of attachments inside one another, outermost first; at least one.
    pub(crate) path: Vec<u32>,
}

impl AttachmentRef {
    /// Reads an `AttachmentId`. The outer error is a fault, the inner one of the id.
    pub(crate) fn read(node: Node<'_>) -> Result<Result<Self, Failure>, Fault> {
        if node.local() != "AttachmentId" {
            return Err(Fault::schema(node, node.local(), "This element is not expected here."));
        }
        let text = request::attribute(node, "Id")?;
        Ok(id::parse(text).and_then(|parsed| match parsed.entry {
            EntryId::Message { folder, item, .. } if !parsed.attachment.is_empty() => {
                Ok(Self { mailbox: parsed.mailbox, folder, item, path: parsed.attachment })
            }
            EntryId::Message { .. } | EntryId::Folder { .. } => Err(ResponseCode::ErrorInvalidAttachmentId.into()),
        }))
    }
}

/// The number of an attachment that stands at a place.
pub(crate) fn number(place: usize, bag: &Bag) -> u32 {
    let own = bag.get(&NUMBER).and_then(Value::as_i64).and_then(|number| u32::try_from(number).ok());
    own.unwrap_or_else(|| u32::try_from(place).unwrap_or(u32::MAX))
}

/// The place of the attachment with a number.
pub(crate) fn place<'b>(mut bags: impl Iterator<Item = &'b Bag>, wanted: u32) -> Option<usize> {
    let mut at = 0;
    bags.find_map(|bag| {
        let found = (number(at, bag) == wanted).then_some(at);
        at += 1;
        found
    })
}

/// Sets what an item says about having attachments: those that a body shows do not count.
pub(crate) fn set_marks(content: &mut ItemContent) {
    let hidden = |bag: &Bag| bag.get(&tags::ATTACHMENT_HIDDEN).and_then(Value::as_bool) == Some(true);
    let shown = content.attachments.iter().any(|attachment| !hidden(&attachment.bag));
    content.bag.set(tags::HAS_ATTACHMENTS, Value::Bool(shown));
    patch::set_message_flag(&mut content.bag, FLAG_HAS_ATTACHMENTS, shown);
}

/// The item whose attachments were changed: its id and its key now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    id: String,
    key: String,
}

impl Root {
    /// Writes the attributes that name it.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.attribute("RootItemId", &self.id);
        out.attribute("RootItemChangeKey", &self.key);
    }
}

/// Adds attachments to an item, in one change; answers the number of each, or what is wrong with it.
///
/// # Errors
/// When the item is not there or may not be changed, or when the store fails; then nothing was added.
pub(crate) async fn add(
    mailbox: &Mailbox,
    item: ItemId,
    attachments: &[Attachment],
    random: &dyn Random,
) -> Result<(Vec<Result<u32, Failure>>, Root), Failure> {
    change(mailbox, item, &|content| {
        let mut taken: BTreeSet<u32> = keep_numbers(content);
        let added = attachments.iter().map(|attachment| {
            if content.attachments.len() >= limits::ATTACHMENTS_MAX {
                return Err(ResponseCode::ErrorMessageSizeExceeded.into());
            }
            let number = fresh(&mut taken, random);
            let mut attachment = attachment.clone();
            attachment.bag.set(NUMBER, Value::I64(number.into()));
            content.attachments.push(attachment);
            Ok(number)
        });
        added.collect()
    })
    .await
}

/// Removes attachments from an item, in one change; answers for each whether it was there.
///
/// # Errors
/// As [`add`].
pub(crate) async fn remove(
    mailbox: &Mailbox,
    item: ItemId,
    paths: &[&[u32]],
) -> Result<(Vec<Result<(), Failure>>, Root), Failure> {
    change(mailbox, item, &|content| {
        keep_numbers(content);
        let removed = paths.iter().map(|path| match path {
            [wanted] => {
                let at = place(content.attachments.iter().map(|attachment| &attachment.bag), *wanted);
                let at = at.ok_or_else(|| Failure::new(ResponseCode::ErrorInvalidAttachmentId))?;
                content.attachments.remove(at);
                Ok(())
            }
            // What is attached to an attachment is a part of it.
            _ => Err(ResponseCode::ErrorCannotDeleteObject.into()),
        });
        removed.collect()
    })
    .await
}

/// Gives each attachment the number that it goes by for good; answers all of them.
fn keep_numbers(content: &mut ItemContent) -> BTreeSet<u32> {
    let mut taken = BTreeSet::new();
    for (place, attachment) in content.attachments.iter_mut().enumerate() {
        let own = number(place, &attachment.bag);
        attachment.bag.set(NUMBER, Value::I64(own.into()));
        taken.insert(own);
    }
    taken
}

/// A number that no other attachment of the item has, nor is likely to have had.
fn fresh(taken: &mut BTreeSet<u32>, random: &dyn Random) -> u32 {
    let mut number = CHANCE_FIRST + u32::try_from(random.number() % u64::from(CHANCES)).unwrap_or_default();
    while !taken.insert(number) {
        number += 1;
    }
    number
}

type Changed<T> = Result<(Vec<Result<T, Failure>>, Root), Failure>;

/// Changes the list of attachments of an item and stores it, where anything was changed.
async fn change<T: Send>(
    mailbox: &Mailbox,
    id: ItemId,
    edit: &(dyn Fn(&mut ItemContent) -> Vec<Result<T, Failure>> + Sync),
) -> Changed<T> {
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        let mut view = mailbox.begin().await?;
        let row = view.item(id).await?;
        let mut content = view.content(&row).await?;
        drop(view);
        let outcome = edit(&mut content);
        if outcome.iter().all(Result::is_err) {
            return Ok((outcome, root(mailbox, ItemView::new(&row)?)));
        }
        // The message as it came no longer has what the item has, and is rendered anew when it is asked for.
        content.mime = None;
        set_marks(&mut content);
        content.bag.remove(&tags::MESSAGE_SIZE);
        content.bag.remove(&tags::LAST_MODIFICATION_TIME);
        match mailbox.replace_item(id, Precondition::At(row.seq), content, row.flags).await {
            Ok(row) => return Ok((outcome, root(mailbox, ItemView::new(&row)?))),
            Err(EngineError::Stale { .. }) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Err(EngineError::Contended.into())
}

fn root(mailbox: &Mailbox, view: ItemView<'_>) -> Root {
    let row = view.row();
    let class = class::of_item(view.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default());
    let guid = mailbox.guid();
    Root { id: id::item_id(guid, row.collection, row.item), key: id::change_key(class.object_type, guid, row.seq) }
}
