//! An item as answers see it: its properties, wherever they lie, and its place.

use bytes::Bytes;
use engine::{Access, EffectiveRights, ItemView, View};
use model::{Bag, BagRef, CollectionId, Guid, ItemContent, ItemFlags, ItemId, PropertyKey, Seq, Value, lids, tags};

use xml::Writer;

use crate::class::{self, MimeForm};
use crate::fields::Needs;
use crate::series::Occurrence;
use crate::shape::BodyKind;
use crate::{Failure, Header, id};

/// PidTagAssociated, Bool.
pub(crate) const ASSOCIATED: PropertyKey = PropertyKey::Tag(0x67aa);
/// PidTagInstanceKey, Binary.
pub(crate) const INSTANCE_KEY: PropertyKey = PropertyKey::Tag(0x0ff6);
/// PidTagRecordKey, Binary.
const RECORD_KEY: PropertyKey = PropertyKey::Tag(0x0ff9);
/// PidTagInternetArticleNumber, I32: a number that grows with each item of a folder.
pub(crate) const ARTICLE_NUMBER: PropertyKey = PropertyKey::Tag(0x0e23);

/// How items are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendering<'a> {
    /// What the SOAP header asked for.
    pub(crate) header: &'a Header,
    /// Which body.
    pub(crate) body: BodyKind,
    /// Whether active content is taken out of HTML.
    pub(crate) filter_html: bool,
    /// Characters of a body, where the client bounds it.
    pub(crate) body_chars_max: Option<usize>,
    /// Names of the header fields asked for one by one; all where it is empty.
    pub(crate) header_names: &'a [String],
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The mailbox.
    pub(crate) mailbox: Guid,
    /// The folder.
    pub(crate) folder: CollectionId,
    /// The item.
    pub(crate) item: ItemId,
    /// The position of its latest change.
    pub(crate) seq: Seq,
}

/// An item, with as much of it as was asked for.
pub(crate) struct Item<'a> {
    /// The light bag.
    light: BagRef<'a>,
    /// The heavy values; for an item inside another, all of them.
    heavy: Bag,
    /// The flags.
    pub(crate) flags: ItemFlags,
    /// What may be done with it.
    pub(crate) rights: EffectiveRights,
    /// Where it is; for an item inside another, where that one is.
    pub(crate) place: Place,
    /// Numbers of the attachments it lies in, outermost first; empty for an item of a folder.
    pub(crate) path: Vec<u32>,
    /// The recipients.
    pub(crate) recipients: Vec<Bag>,
    /// The attachments, without what they hold.
    pub(crate) attachments: Vec<Bag>,
    /// The message in RFC 5322.
    pub(crate) mime: Option<Bytes>,
    /// The occurrence that is meant, where the item is the master of a series.
    pub(crate) occurrence: Option<Occurrence>,
    /// The appointment that a meeting message is about.
    pub(crate) appointment: Option<Place>,
}

impl<'a> Item<'a> {
    /// The item of a row, without anything that lies apart.
    pub(crate) fn of_row(mailbox: Guid, view: ItemView<'a>) -> Self {
        let row = view.row();
        let place = Place { mailbox, folder: row.collection, item: row.item, seq: row.seq };
        Self {
            light: view.bag(),
            heavy: Bag::new(),
            flags: row.flags,
            rights: EffectiveRights::ITEM_OF_OWNER,
            place,
            path: Vec::new(),
            recipients: Vec::new(),
            attachments: Vec::new(),
            mime: None,
            occurrence: None,
            appointment: None,
        }
    }

    /// The item as somebody sees it: with what that one may do with it.
    #[must_use]
    pub(crate) fn seen_by(mut self, access: &Access) -> Self {
        self.rights = access.to_item(self.place.folder, self.light);
        self
    }

    /// The item of a row, with what `needs` names.
    ///
    /// # Errors
    /// When the store fails or the bytes are damaged.
    pub(crate) async fn load(mailbox: Guid, view: &mut View, row: ItemView<'a>, needs: Needs) -> Result<Self, Failure> {
        let mut item = Self::of_row(mailbox, row).seen_by(&view.access().await?);
        let id = row.row().item;
        if needs.has(Needs::MIME) {
            item.mime = match class::of_item(&item.class()).mime() {
                MimeForm::None => None,
                MimeForm::Calendar => calendar(&view.content(row.row()).await?),
                MimeForm::Contact => Some(card(&view.content(row.row()).await?)),
                MimeForm::Message => match view.mime(id).await? {
                    Some(mime) => Some(mime),
                    None => Some(render(&view.content(row.row()).await?)),
                },
            };
        }
        if needs.has(Needs::HEAVY) {
            item.heavy = view.heavy(id).await?;
        }
        if needs.has(Needs::RECIPIENTS) {
            item.recipients = view.recipients(id).await?;
        }
        if needs.has(Needs::APPOINTMENT)
            && let Some(Value::Binary(meeting)) = item.stored(&lids::CLEAN_GLOBAL_OBJECT_ID)
            && let Some(row) = view.appointment(&meeting).await?
        {
            item.appointment = Some(Place { mailbox, folder: row.collection, item: row.item, seq: row.seq });
        }
        // `HasAttachments` is false where all are shown inside the body, so it does not say that there are none.
        if needs.has(Needs::ATTACHMENTS) {
            item.attachments = view.attachments(id).await?;
        }
        Ok(item)
    }

    /// An item inside another.
    pub(crate) fn embedded(place: Place, path: Vec<u32>, content: ItemContent, needs: Needs) -> Self {
        let class = class::of_item(content.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let mime = match class.mime() {
            MimeForm::Message if needs.has(Needs::MIME) => {
                Some(content.mime.clone().unwrap_or_else(|| render(&content)))
            }
            MimeForm::Calendar if needs.has(Needs::MIME) => calendar(&content),
            MimeForm::Contact if needs.has(Needs::MIME) => Some(card(&content)),
            MimeForm::None | MimeForm::Calendar | MimeForm::Contact | MimeForm::Message => None,
        };
        Self {
            light: BagRef::EMPTY,
            heavy: content.bag,
            flags: ItemFlags::READ,
            rights: EffectiveRights::ITEM_OF_OWNER,
            place,
            path,
            recipients: content.recipients,
            attachments: content.attachments.into_iter().map(|attachment| attachment.bag).collect(),
            mime,
            occurrence: None,
            appointment: None,
        }
    }

    /// The value of a property, computed ones included.
    pub(crate) fn value(&self, key: &PropertyKey) -> Option<Value> {
        if let Some(own) = self.occurrence.as_ref().and_then(|occurrence| occurrence.value(key)) {
            return own;
        }
        if let PropertyKey::Tag(_) = key
            && let Some(value) = self.computed(key)
        {
            return Some(value);
        }
        self.stored(key)
    }

    fn stored(&self, key: &PropertyKey) -> Option<Value> {
        self.light.get(key).map(|value| value.to_value()).or_else(|| self.heavy.get(key).cloned())
    }

    fn computed(&self, key: &PropertyKey) -> Option<Value> {
        let Place { mailbox, folder, item, .. } = self.place;
        if *key == tags::READ {
            Some(Value::Bool(self.flags.has(ItemFlags::READ)))
        } else if *key == ASSOCIATED {
            Some(Value::Bool(self.flags.has(ItemFlags::ASSOCIATED)))
        } else if *key == tags::MESSAGE_FLAGS {
            let stored = self.stored(key).and_then(|value| value.as_i64()).unwrap_or_default() as i32;
            Some(Value::I32(stored & !1 | i32::from(self.flags.has(ItemFlags::READ))))
        } else if !self.path.is_empty() {
            None
        } else if [tags::ENTRY_ID, INSTANCE_KEY, RECORD_KEY].contains(key) {
            Some(Value::binary(mapi::entry_id::message_entry_id(mailbox, folder, item)))
        } else if *key == tags::PARENT_ENTRY_ID {
            Some(Value::binary(mapi::entry_id::folder_entry_id(mailbox, folder)))
        } else if *key == ARTICLE_NUMBER {
            Some(Value::I32(item.0 as u32 as i32))
        } else {
            None
        }
    }

    /// A text property.
    pub(crate) fn text(&self, key: &PropertyKey) -> Option<String> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            Some(_) | None => None,
        }
    }

    /// A whole number.
    pub(crate) fn number(&self, key: &PropertyKey) -> Option<i64> {
        self.value(key).and_then(|value| value.as_i64())
    }

    /// A truth.
    pub(crate) fn truth(&self, key: &PropertyKey) -> Option<bool> {
        self.value(key).and_then(|value| value.as_bool())
    }

    /// PidTagMessageFlags.
    pub(crate) fn message_flags(&self) -> i32 {
        self.number(&tags::MESSAGE_FLAGS).unwrap_or_default() as i32
    }

    /// The message class.
    pub(crate) fn class(&self) -> String {
        self.text(&tags::MESSAGE_CLASS).unwrap_or_default()
    }

    /// The id on the wire; an item inside another has none of its own.
    pub(crate) fn wire_id(&self) -> String {
        let Place { mailbox, folder, item, .. } = self.place;
        match &self.occurrence {
            Some(occurrence) => id::occurrence_id(mailbox, folder, item, occurrence.day),
            None => id::item_id(mailbox, folder, item),
        }
    }
}

/// The message in RFC 5322, from its properties.
fn render(content: &ItemContent) -> Bytes {
    content::message::render(content, &RENDER).into()
}

/// The vCard of a contact.
fn card(content: &ItemContent) -> Bytes {
    content::vcard::render(content).into()
}

/// The iCalendar object of an appointment.
fn calendar(content: &ItemContent) -> Option<Bytes> {
    content::calendar::render(content, &RENDER).map(Bytes::from)
}

/// The domain is that of message ids that are made up for items without one.
pub(crate) const RENDER: content::message::Render<'static> = content::message::Render { domain: "highwater.invalid" };

/// Writes an item that is there and cannot be read with its id alone. Its class is unknown; clients know what to do with
/// a message.
pub(crate) fn write_unreadable(out: &mut Writer, place: Place) {
    let Place { mailbox, folder, item, seq } = place;
    tracing::error!(item = item.0, "an item is damaged; it is listed by its id");
    let class = class::of_item("IPM.Note");
    out.scope(class.element, |out| {
        let key = id::change_key(class.object_type, mailbox, seq);
        id::write(out, "t:ItemId", &id::item_id(mailbox, folder, item), Some(&key));
    });
}

/// Writes a stored item with its id alone: what the operations that write items answer.
pub(crate) fn write_id_only(out: &mut Writer, mailbox: Guid, view: ItemView<'_>) {
    let message_class = view.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default();
    let class = class::of_item(message_class);
    let row = view.row();
    out.start(class.element);
    let key = id::change_key(class.object_type, mailbox, row.seq);
    id::write(out, "t:ItemId", &id::item_id(mailbox, row.collection, row.item), Some(&key));
    out.end();
}
