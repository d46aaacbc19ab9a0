//! Items of a mailbox: as queries see them, and as they are changed.

use model::{Bag, BagRef, ItemContent, ItemFlags, ItemId, PropertyKey, Row, Value, tags};
use store::{
    CollectionRef, Commit, Guard, ItemChange, ItemRow, NewItem, NewItemId, PartChange, PartData, StoreError, Write,
};

use crate::access::{Act, CREATOR};
use crate::origin::Origin;
use crate::{DELETED_FROM, DeleteMode, EngineError, FolderRights, Mailbox, Precondition, pack, window};

/// An item as conditions and orders see it: its light bag, and what lies in the hot row.
#[derive(Clone, Copy)]
pub struct ItemView<'a> {
    row: &'a ItemRow,
    bag: BagRef<'a>,
}

impl<'a> ItemView<'a> {
    /// A view of `row`, which was read with its bag.
    ///
    /// # Errors
    /// When the stored bag is damaged.
    pub fn new(row: &'a ItemRow) -> Result<Self, EngineError> {
        Ok(Self { row, bag: BagRef::new(&row.bag)? })
    }

    /// The hot row.
    pub const fn row(&self) -> &'a ItemRow {
        self.row
    }

    /// The light bag.
    pub const fn bag(&self) -> BagRef<'a> {
        self.bag
    }
}

impl Row for ItemView<'_> {
    fn value(&self, key: &PropertyKey) -> Option<Value> {
        if *key == tags::READ {
            return Some(Value::Bool(self.row.flags.has(ItemFlags::READ)));
        }
        if *key == tags::MESSAGE_FLAGS {
            let bits = self.bag.get(key).and_then(|value| value.as_i64()).unwrap_or_default() as i32;
            return Some(Value::I32(bits & !1 | i32::from(self.row.flags.has(ItemFlags::READ))));
        }
        if *key == INTERNET_ARTICLE_NUMBER {
            let id = self.row.item.to_i64();
            return Some(i32::try_from(id).map_or(Value::I64(id), Value::I32));
        }
        if *key == ASSOCIATED {
            return Some(Value::Bool(self.row.flags.has(ItemFlags::ASSOCIATED)));
        }
        self.bag.get(key).map(|value| value.to_value())
    }
}

/// A number of the item in its mailbox: here its id.
const INTERNET_ARTICLE_NUMBER: PropertyKey = PropertyKey::Tag(0x0e23);
/// Whether the item is associated.
const ASSOCIATED: PropertyKey = PropertyKey::Tag(0x67aa);

/// An item while it is being changed.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemDraft {
    /// All its properties, bodies included.
    pub bag: Bag,
    /// Its recipients.
    pub recipients: Vec<Bag>,
    /// Its flags.
    pub flags: ItemFlags,
}

/// Properties whose change leaves the message as it came valid. Everything else makes it be rendered anew.
fn keeps_mime(key: &PropertyKey) -> bool {
    match key {
        PropertyKey::Tag(_) => ![
            tags::SUBJECT,
            tags::SUBJECT_PREFIX,
            tags::NORMALIZED_SUBJECT,
            tags::BODY,
            tags::HTML,
            tags::RTF_COMPRESSED,
            tags::SENT_REPRESENTING_NAME,
            tags::SENT_REPRESENTING_EMAIL_ADDRESS,
            tags::SENDER_NAME,
            tags::SENDER_EMAIL_ADDRESS,
            tags::REPLY_RECIPIENT_ENTRIES,
            tags::INTERNET_MESSAGE_ID,
            tags::INTERNET_REFERENCES,
            tags::IN_REPLY_TO_ID,
            tags::CLIENT_SUBMIT_TIME,
            tags::IMPORTANCE,
            tags::SENSITIVITY,
            tags::READ_RECEIPT_REQUESTED,
            tags::DELIVERY_REPORT_REQUESTED,
        ]
        .contains(key),
        PropertyKey::Lid(..) | PropertyKey::Name(..) | PropertyKey::Field(_) => true,
    }
}

impl Mailbox {
    /// Stores a new item and returns its row.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when the folder is not there; when the item is past the limits; when the store
    /// fails.
    pub async fn create_item(
        &self,
        folder: model::CollectionId,
        mut content: ItemContent,
        flags: ItemFlags,
    ) -> Result<ItemRow, EngineError> {
        self.require(&[(folder, FolderRights::CREATE)]).await?;
        self.stamp_new(&mut content);
        self.stamp_creator(&mut content.bag);
        let packed = pack::pack(content)?;
        let mut commit = Commit::new(self.root(), self.engine().now());
        commit.guards.push(Guard::CollectionExists(folder));
        commit.writes.push(Write::CreateItem(NewItem {
            collection: CollectionRef::Id(folder),
            id: NewItemId::Seq,
            flags,
            bag: packed.bag.clone(),
            parts: packed.parts,
        }));
        let receipt = match self.engine().store().commit(commit).await {
            Err(StoreError::Conflict { .. }) => return Err(EngineError::NoCollection(folder)),
            other => other?,
        };
        let done = receipt.write(0);
        Ok(ItemRow {
            item: done.item.unwrap_or_default(),
            collection: folder,
            seq: done.seq,
            created_seq: done.seq,
            content_seq: done.seq,
            flags,
            bag: packed.bag,
        })
    }

    /// Replaces everything an item holds; its id stays. `expected` as in [`Self::update_item`].
    ///
    /// # Errors
    /// As [`Self::update_item`].
    pub async fn replace_item(
        &self,
        id: ItemId,
        expected: Precondition,
        mut content: ItemContent,
        flags: ItemFlags,
    ) -> Result<ItemRow, EngineError> {
        self.stamp_new(&mut content);
        let row = self.item_for(Act::Edit, id).await?;
        // Who made it stays the same, and so does its place in the order of receipt.
        if self.is_visited() {
            content.bag.put(CREATOR, Bag::decode(&row.bag)?.get(&CREATOR).cloned());
        }
        window::keep_place(window::placed_at(&row), &mut content.bag);
        let packed = pack::pack(content)?;
        for _ in 0..model::limits::CONFLICT_RETRIES_MAX {
            let row = self.item_for(Act::Edit, id).await?;
            expected.check(&row)?;
            let mut parts = vec![PartChange::Clear];
            parts.extend(packed.parts.iter().cloned().map(PartChange::Put));
            let change =
                ItemChange { item: id, flags: Some(flags), bag: Some(packed.bag.clone()), parts, content: true };
            if let Some(row) = self.commit_change(&row, change).await? {
                return Ok(row);
            }
        }
        Err(EngineError::Contended)
    }

    /// Changes an item. `change` may run several times, each time on what is stored then. When it leaves everything but
    /// the read flag as it is, only the read flag moves; when it changes nothing, nothing is written.
    ///
    /// # Errors
    /// [`EngineError::NoItem`]; [`EngineError::Stale`] when `expected` names another version; when the store fails.
    pub async fn update_item(
        &self,
        id: ItemId,
        expected: Precondition,
        change: &(dyn Fn(&mut ItemDraft) + Sync),
    ) -> Result<ItemRow, EngineError> {
        for _ in 0..model::limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin().await?;
            let row = view.item(id).await?;
            view.access().await?.check_item(Act::Edit, &row)?;
            expected.check(&row)?;
            let mut bag = Bag::decode(&row.bag)?;
            bag.merge(view.heavy(id).await?);
            let before = ItemDraft { bag, recipients: view.recipients(id).await?, flags: row.flags };
            drop(view);
            let mut after = before.clone();
            change(&mut after);
            if after == before {
                return Ok(row);
            }
            window::keep_place(window::placed_at(&row), &mut after.bag);
            let change = self.difference(id, &before, after)?;
            if let Some(row) = self.commit_change(&row, change).await? {
                return Ok(row);
            }
        }
        Err(EngineError::Contended)
    }

    /// Sets or clears the read flag of an item. Touches neither its bag nor its parts.
    ///
    /// # Errors
    /// As [`Self::update_item`].
    pub async fn set_read(&self, id: ItemId, read: bool) -> Result<ItemRow, EngineError> {
        for _ in 0..model::limits::CONFLICT_RETRIES_MAX {
            let row = self.item_for(Act::Edit, id).await?;
            let flags = row.flags.set(ItemFlags::READ, read);
            if flags == row.flags {
                return Ok(row);
            }
            let change = ItemChange { item: id, flags: Some(flags), bag: None, parts: Vec::new(), content: false };
            if let Some(row) = self.commit_change(&row, change).await? {
                return Ok(row);
            }
        }
        Err(EngineError::Contended)
    }

    /// Deletes an item: for good, into Recoverable Items, or into Deleted Items (where it gets a new id).
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::Stale`]; when the store fails.
    pub async fn delete_item(
        &self,
        id: ItemId,
        expected: Precondition,
        mode: DeleteMode,
    ) -> Result<Option<ItemRow>, EngineError> {
        if let Some(target) = mode.target() {
            let mut view = self.begin().await?;
            let to = view.well_known(target).await?;
            let elsewhere = view.item(id).await?.collection != to;
            drop(view);
            if elsewhere {
                return self.place_item(id, expected, to, mode == DeleteMode::Soft).await.map(Some);
            }
        }
        for _ in 0..model::limits::CONFLICT_RETRIES_MAX {
            let row = self.item_for(Act::Delete, id).await?;
            expected.check(&row)?;
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards.push(Guard::ItemAt(id, row.seq));
            commit.writes.push(Write::DeleteItem { item: id, note: window::note(&row) });
            match self.engine().store().commit(commit).await {
                Ok(_) => return Ok(None),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Moves an item to another folder, where it gets a new id. A move to where it lies gives it a new id too.
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::NoCollection`], [`EngineError::Stale`]; when the store fails.
    pub async fn move_item(
        &self,
        id: ItemId,
        expected: Precondition,
        to: model::CollectionId,
    ) -> Result<ItemRow, EngineError> {
        self.begin().await?.collection(to).await?;
        self.require(&[(to, FolderRights::CREATE)]).await?;
        self.place_item(id, expected, to, false).await
    }

    /// As [`Self::move_item`], whatever may be created at the target. With `noted`, the item notes where it was.
    async fn place_item(
        &self,
        id: ItemId,
        expected: Precondition,
        to: model::CollectionId,
        noted: bool,
    ) -> Result<ItemRow, EngineError> {
        for _ in 0..model::limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin().await?;
            let mut row = view.item(id).await?;
            view.access().await?.check_item(Act::Delete, &row)?;
            expected.check(&row)?;
            let moved = Origin::moved(&row, self.engine().now());
            let bag = if noted { noting_its_folder(&row, moved) } else { moved.noted(&row) };
            if view.snapshot.collection(to).await?.is_none() {
                return Err(EngineError::NoCollection(to));
            }
            drop(view);
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards = vec![Guard::ItemAt(id, row.seq), Guard::CollectionExists(to)];
            commit.writes.push(Write::MoveItem {
                item: id,
                to: to.into(),
                id: NewItemId::Seq,
                bag: bag.clone(),
                note: window::note(&row),
            });
            match self.engine().store().commit(commit).await {
                Ok(receipt) => {
                    row.bag = bag.unwrap_or(row.bag);
                    return Ok(placed(row, to, receipt.write(0)));
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Copies an item to a folder of the mailbox.
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::NoCollection`]; when the store fails.
    pub async fn copy_item(&self, id: ItemId, to: model::CollectionId) -> Result<ItemRow, EngineError> {
        let mut view = self.begin().await?;
        let mut row = view.item(id).await?;
        view.require(to, FolderRights::CREATE).await?;
        view.collection(to).await?;
        drop(view);
        let now = self.engine().now();
        let bag = match Bag::decode(&row.bag) {
            Ok(mut bag) => {
                if self.is_visited() {
                    self.stamp_creator(&mut bag);
                }
                Origin::copied(&row, now).note(&mut bag);
                Some(bag.to_bytes())
            }
            Err(error) if self.is_visited() => return Err(error.into()),
            // What cannot be read is copied as it is.
            Err(_) => None,
        };
        let mut commit = Commit::new(self.root(), now);
        commit.guards.push(Guard::CollectionExists(to));
        commit.writes.push(Write::CopyItem {
            item: id,
            to: to.into(),
            id: NewItemId::Seq,
            bag: bag.clone(),
            flags: None,
        });
        match self.engine().store().commit(commit).await {
            Ok(receipt) => {
                row.bag = bag.unwrap_or(row.bag);
                Ok(placed(row, to, receipt.write(0)))
            }
            Err(StoreError::Conflict { .. }) => Err(EngineError::NoCollection(to)),
            Err(StoreError::NoItem(item)) => Err(EngineError::NoItem(item)),
            Err(other) => Err(other.into()),
        }
    }

    /// The item, where `act` is allowed.
    async fn item_for(&self, act: Act, id: ItemId) -> Result<ItemRow, EngineError> {
        let mut view = self.begin().await?;
        let row = view.item(id).await?;
        view.access().await?.check_item(act, &row)?;
        Ok(row)
    }

    /// Notes who made an item, unless that is the owner of the mailbox.
    pub(crate) fn stamp_creator(&self, bag: &mut Bag) {
        bag.put(CREATOR, self.is_visited().then(|| Value::I64(self.caller().account.to_i64())));
    }

    /// Gives a new item what every item has.
    pub(crate) fn stamp_new(&self, content: &mut ItemContent) {
        let now = self.engine().now().whole_second();
        let bag = &mut content.bag;
        if bag.get(&tags::CREATION_TIME).is_none() {
            bag.set(tags::CREATION_TIME, Value::Time(now));
        }
        if bag.get(&tags::LAST_MODIFICATION_TIME).is_none() {
            bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(now));
        }
        if bag.get(&tags::SEARCH_KEY).is_none() {
            bag.set(tags::SEARCH_KEY, Value::binary(self.engine().random().guid().0.to_vec()));
        }
        if bag.get(&tags::MESSAGE_SIZE).is_none() {
            let size = content.mime.as_ref().map_or_else(|| measure(content), bytes::Bytes::len);
            content.bag.set(tags::MESSAGE_SIZE, Value::I32(i32::try_from(size).unwrap_or(i32::MAX)));
        }
        let attached = content
            .attachments
            .iter()
            .any(|one| one.bag.get(&tags::ATTACHMENT_HIDDEN).and_then(Value::as_bool) != Some(true));
        content.bag.set(tags::HAS_ATTACHMENTS, Value::Bool(attached));
    }

    fn difference(&self, id: ItemId, before: &ItemDraft, mut after: ItemDraft) -> Result<ItemChange, EngineError> {
        if after.bag == before.bag && after.recipients == before.recipients {
            let only_read = before.flags.set(ItemFlags::READ, after.flags.has(ItemFlags::READ)) == after.flags;
            return Ok(ItemChange {
                item: id,
                flags: Some(after.flags),
                bag: None,
                parts: Vec::new(),
                content: !only_read,
            });
        }
        if after.recipients.len() > model::limits::RECIPIENTS_MAX {
            return Err(EngineError::TooLarge("recipients"));
        }
        let changed = |key: &PropertyKey| after.bag.get(key) != before.bag.get(key);
        let stale_mime = after.recipients != before.recipients
            || after.bag.iter().any(|(key, _)| changed(key) && !keeps_mime(key))
            || before.bag.iter().any(|(key, _)| changed(key) && !keeps_mime(key));
        // What was measured follows what changed; a size that the caller sets stays.
        if !changed(&tags::MESSAGE_SIZE)
            && let Some(size) = before.bag.get(&tags::MESSAGE_SIZE).and_then(Value::as_i64)
        {
            let bytes = |draft: &ItemDraft| (bytes_of(&draft.bag) + bags_bytes(&draft.recipients)) as i64;
            let size = size.saturating_add(bytes(&after) - bytes(before)).max(0);
            after.bag.set(tags::MESSAGE_SIZE, Value::I32(i32::try_from(size).unwrap_or(i32::MAX)));
        }
        let now = self.engine().now().whole_second();
        after.bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(now));
        after.bag.set(tags::LAST_MODIFIER_NAME, Value::text(self.caller().display_name.clone()));
        let (light, heavy) = pack::split(after.bag);
        let (_, heavy_before) = pack::split(before.bag.clone());
        let mut parts = Vec::new();
        if heavy != heavy_before {
            parts.push(part(pack::PART_HEAVY, (!heavy.is_empty()).then(|| heavy.to_bytes())));
        }
        if after.recipients != before.recipients {
            let list = Bag::encode_list(after.recipients.iter());
            parts.push(part(pack::PART_RECIPIENTS, (!after.recipients.is_empty()).then(|| list.into())));
        }
        if stale_mime {
            parts.push(PartChange::Remove(pack::PART_MIME));
        }
        let bag = light.to_bytes();
        if bag.len() > model::limits::BAG_BYTES_MAX {
            return Err(EngineError::TooLarge("properties"));
        }
        Ok(ItemChange { item: id, flags: Some(after.flags), bag: Some(bag), parts, content: true })
    }

    /// Commits a change against the row it was made from. `None` when somebody else was faster.
    async fn commit_change(&self, row: &ItemRow, change: ItemChange) -> Result<Option<ItemRow>, EngineError> {
        let mut commit = Commit::new(self.root(), self.engine().now());
        commit.guards.push(Guard::ItemAt(row.item, row.seq));
        let mut row = row.clone();
        let flags = change.flags.unwrap_or(row.flags);
        let rescoped = flags.has(ItemFlags::ASSOCIATED) != row.flags.has(ItemFlags::ASSOCIATED);
        row.flags = flags;
        if let Some(bag) = &change.bag {
            row.bag = bag.clone();
        }
        let content = change.content;
        commit.writes.push(Write::UpdateItem(change));
        match self.engine().store().commit(commit).await {
            Ok(receipt) => {
                row.seq = receipt.write(0).seq;
                if content {
                    row.content_seq = row.seq;
                }
                if rescoped {
                    row.created_seq = row.seq;
                }
                Ok(Some(row))
            }
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }
}

fn part(number: u32, bytes: Option<bytes::Bytes>) -> PartChange {
    match bytes {
        Some(bytes) => PartChange::Put(PartData { part: number, bytes: bytes.into() }),
        None => PartChange::Remove(number),
    }
}

/// The bag of an item that goes to Recoverable Items, with the folder that it lies in; `None` for one that cannot be
/// read, which goes as it is.
pub(crate) fn noting_its_folder(row: &ItemRow, moved: Origin) -> Option<bytes::Bytes> {
    let mut bag = Bag::decode(&row.bag).ok()?;
    moved.note(&mut bag);
    bag.set(DELETED_FROM, Value::I64(row.collection.to_i64()));
    Some(bag.to_bytes())
}

fn placed(mut row: ItemRow, to: model::CollectionId, done: store::WriteReceipt) -> ItemRow {
    row.item = done.item.unwrap_or(row.item);
    row.collection = to;
    (row.seq, row.created_seq, row.content_seq) = (done.seq, done.seq, done.seq);
    row
}

fn bytes_of(bag: &Bag) -> usize {
    bag.iter().map(|(_, value)| value.size()).sum()
}

fn bags_bytes(bags: &[Bag]) -> usize {
    bags.iter().map(bytes_of).sum()
}

fn measure(content: &ItemContent) -> usize {
    bytes_of(&content.bag)
        + bags_bytes(&content.recipients)
        + content
            .attachments
            .iter()
            .map(|one| match &one.content {
                model::AttachmentContent::None => 0,
                model::AttachmentContent::File(bytes) => bytes.len(),
                model::AttachmentContent::Spooled(rope) => rope.len(),
                model::AttachmentContent::Item(item) => measure(item),
            })
            .sum::<usize>()
}
