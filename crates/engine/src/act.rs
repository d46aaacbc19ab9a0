//! Several writes of one mailbox, and the mail that goes out with them: all in one commit, or none of it.

use bytes::Bytes;
use model::{Bag, CollectionId, ItemContent, ItemFlags, ItemId, Seq, Value, tags};
use store::{
    CollectionRef, Commit, Guard, ItemChange, ItemRow, NameTarget, NewItem, NewItemId, PartChange, Receipt, StoreError,
    Write,
};

use crate::access::{Access, Act, FolderRights};
use crate::delivery::{self, Parcel};
use crate::origin::{Origin, Way};
use crate::{Caller, EngineError, Mailbox, View, meeting, pack, window};

/// One write of an [`Mailbox::act`].
#[derive(Clone, Debug)]
pub enum Own {
    /// A new item.
    Create {
        /// Where.
        folder: CollectionId,
        /// What it holds.
        content: ItemContent,
        /// Its flags.
        flags: ItemFlags,
    },
    /// Everything an item holds is replaced; its id stays.
    Replace {
        /// The item as it was read, with its bag.
        row: ItemRow,
        /// What it holds from now on.
        content: ItemContent,
        /// Its flags from now on.
        flags: ItemFlags,
    },
    /// Some light properties of an item are set; the rest of it is not touched.
    Put {
        /// The item as it was read, with its bag.
        row: ItemRow,
        /// The properties.
        properties: Bag,
    },
    /// An item goes to another folder, where it gets a new id.
    Move {
        /// The item as it was read, with its bag.
        row: ItemRow,
        /// Whereto.
        to: CollectionId,
        /// Properties set on the way.
        properties: Bag,
    },
    /// An item goes for good.
    Delete {
        /// The item as it was read, with its bag.
        row: ItemRow,
    },
}

/// A message to be delivered to mailboxes of this server.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The message with all its recipients. Its MIME, where it has one, must not name the blind ones.
    pub message: ItemContent,
    /// Who gets it, each once.
    pub to: Vec<Caller>,
}

impl Own {
    /// Whether somebody may do it.
    fn check(&self, access: &Access) -> Result<(), EngineError> {
        match self {
            Self::Create { folder, .. } => access.check(*folder, FolderRights::CREATE),
            Self::Replace { row, .. } | Self::Put { row, .. } => access.check_item(Act::Edit, row),
            Self::Delete { row } => access.check_item(Act::Delete, row),
            Self::Move { row, to, .. } => {
                access.check_item(Act::Delete, row)?;
                access.check(*to, FolderRights::CREATE)
            }
        }
    }

    /// The guards that the write needs, with what it means when one does not hold.
    fn guards(&self) -> Vec<(Guard, EngineError)> {
        let folder = |id: &CollectionId| (Guard::CollectionExists(*id), EngineError::NoCollection(*id));
        let at = |row: &ItemRow| {
            (Guard::ItemAt(row.item, row.seq), EngineError::Stale { item: row.item, current: Seq::ZERO })
        };
        match self {
            Self::Create { folder: id, .. } => vec![folder(id)],
            Self::Replace { row, .. } | Self::Delete { row } | Self::Put { row, .. } => vec![at(row)],
            Self::Move { row, to, .. } => vec![at(row), folder(to)],
        }
    }
}

/// What a write leaves, but for its positions.
struct Left {
    write: usize,
    row: ItemRow,
}

impl Mailbox {
    /// Does all of `own` and sends all of `sendings`, in one commit of this mailbox; then delivers. Returns the rows that
    /// the writes left, in order; [`Own::Delete`] leaves none, and its place is empty.
    ///
    /// What could not be delivered at once stays in the outbox and is delivered later, see [`crate::Engine::deliver`];
    /// each recipient gets it exactly once. Costs one commit, and for mail to others one more for each of them and one
    /// at the end.
    ///
    /// # Errors
    /// [`EngineError::Stale`] where an item is no longer the one that was read, [`EngineError::NoCollection`]; when
    /// something is past the limits; when the store fails. Nothing was written or sent then.
    pub async fn act(&self, own: Vec<Own>, sendings: Vec<Sending>) -> Result<Vec<Option<ItemRow>>, EngineError> {
        let access = self.access().await?;
        own.iter().try_for_each(|one| one.check(&access))?;
        let mut commit = Commit::new(self.root(), self.engine().now());
        let operation = self.engine().random().guid();
        commit.operation = Some(operation);
        let mut broken = Vec::new();
        let mut left = Vec::with_capacity(own.len());
        for one in own {
            for (guard, error) in one.guards() {
                commit.guards.push(guard);
                broken.push(error);
            }
            left.push(self.write(one, &mut commit.writes)?);
        }
        let parcels = self.submit(sendings, &mut commit, &mut broken).await?;
        let receipt = match self.engine().store().commit(commit).await {
            Ok(receipt) => receipt,
            Err(StoreError::Conflict { guard }) => {
                return Err(broken.get(guard).cloned().unwrap_or(EngineError::Contended));
            }
            // Whether it was sent must be known, or it would be sent twice.
            Err(StoreError::OutcomeUnknown(why)) => {
                match self.engine().store().outcome(self.root(), operation).await {
                    Ok(Some(receipt)) => receipt,
                    // Where it cannot be looked up, it is not known either: nobody may be told to repeat it.
                    Ok(None) | Err(_) => return Err(StoreError::OutcomeUnknown(why).into()),
                }
            }
            Err(StoreError::NoItem(item)) => return Err(EngineError::NoItem(item)),
            Err(other) => return Err(other.into()),
        };
        for (write, mut parcel) in parcels {
            let done = receipt.write(write);
            (parcel.item, parcel.seq) = (done.item.unwrap_or_default(), done.seq);
            self.engine().carry(self.root(), &parcel).await;
        }
        Ok(left.into_iter().map(|left| left.map(|left| settled(left, &receipt))).collect())
    }

    fn write(&self, own: Own, writes: &mut Vec<Write>) -> Result<Option<Left>, EngineError> {
        let write = writes.len();
        let row = |item, collection, flags, bag| ItemRow {
            item,
            collection,
            seq: Seq::ZERO,
            created_seq: Seq::ZERO,
            content_seq: Seq::ZERO,
            flags,
            bag,
        };
        let row = match own {
            Own::Create { folder, mut content, flags } => {
                self.stamp_new(&mut content);
                self.stamp_creator(&mut content.bag);
                let goid = meeting::identity(&content.bag).filter(|_| meeting::is_appointment(&content.bag));
                let packed = pack::pack(content)?;
                let left = row(ItemId::default(), folder, flags, packed.bag.clone());
                writes.push(Write::CreateItem(NewItem {
                    collection: CollectionRef::Id(folder),
                    id: NewItemId::Seq,
                    flags,
                    bag: packed.bag,
                    parts: packed.parts,
                }));
                if let Some(name) = goid {
                    let target = NameTarget::Write(write);
                    writes.push(Write::PutName { scope: meeting::SCOPE_APPOINTMENTS, name, target });
                }
                left
            }
            Own::Replace { row: before, mut content, flags } => {
                let item = before.item;
                self.stamp_changed(&mut content.bag);
                self.stamp_new(&mut content);
                window::keep_place(window::placed_at(&before), &mut content.bag);
                let packed = pack::pack(content)?;
                let left = row(item, before.collection, flags, packed.bag.clone());
                let mut parts = vec![PartChange::Clear];
                parts.extend(packed.parts.into_iter().map(PartChange::Put));
                let bag = Some(packed.bag);
                writes.push(Write::UpdateItem(ItemChange { item, flags: Some(flags), bag, parts, content: true }));
                left
            }
            Own::Put { row: before, properties } => {
                let bag = self.with(&before, properties, None)?;
                let left = row(before.item, before.collection, before.flags, bag.clone());
                let item = before.item;
                let bag = Some(bag);
                writes.push(Write::UpdateItem(ItemChange { item, flags: None, bag, parts: Vec::new(), content: true }));
                left
            }
            Own::Move { row: before, to, properties } => {
                let bag = self.with(&before, properties, Some(Origin::moved(&before, self.engine().now())))?;
                let left = row(before.item, to, before.flags, bag.clone());
                writes.push(Write::MoveItem {
                    item: before.item,
                    to: to.into(),
                    id: NewItemId::Seq,
                    bag: Some(bag),
                    note: window::note(&before),
                });
                left
            }
            Own::Delete { row } => {
                writes.push(Write::DeleteItem { item: row.item, note: window::note(&row) });
                return Ok(None);
            }
        };
        Ok(Some(Left { write, row }))
    }

    /// The light bag of an item with some properties set, and stamped. With `origin`, it notes that.
    fn with(&self, before: &ItemRow, properties: Bag, origin: Option<Origin>) -> Result<Bytes, EngineError> {
        let mut bag = Bag::decode(&before.bag)?;
        bag.merge(properties);
        window::keep_place(window::placed_at(before), &mut bag);
        self.stamp_changed(&mut bag);
        if let Some(origin) = origin {
            origin.note(&mut bag);
        }
        let bytes = bag.to_bytes();
        if bytes.len() > model::limits::BAG_BYTES_MAX {
            return Err(EngineError::TooLarge("properties"));
        }
        Ok(bytes)
    }

    fn stamp_changed(&self, bag: &mut Bag) {
        bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(self.engine().now().whole_second()));
        bag.set(tags::LAST_MODIFIER_NAME, Value::text(self.caller().display_name.clone()));
    }

    /// Adds to a commit of the sender what `sendings` need: a copy in the inbox where the sender is a recipient, and a
    /// row in the outbox for the others. Returns the parcels with the index of the write that makes their row.
    async fn submit(
        &self,
        sendings: Vec<Sending>,
        commit: &mut Commit,
        broken: &mut Vec<EngineError>,
    ) -> Result<Vec<(usize, Parcel)>, EngineError> {
        let mut parcels = Vec::new();
        if sendings.iter().all(|sending| sending.to.is_empty()) {
            return Ok(parcels);
        }
        // Who visits the mailbox has no part in its inbox and outbox; what it sends from here goes through them all the same.
        let mut view = View::new(self.engine().store().snapshot(self.root()).await?);
        let (inbox, outbox) = (view.distinguished("inbox").await?, view.distinguished("outbox").await?);
        drop(view);
        let now = self.engine().now();
        for Sending { message, mut to } in sendings {
            let all = to.len();
            to.retain(|recipient| recipient.account != self.owner().account);
            if to.len() < all {
                let mut content = delivery::received(message.clone(), self.owner(), true, now);
                self.stamp_new(&mut content);
                Origin { way: Way::Arrived, at: now }.note(&mut content.bag);
                let packed = pack::pack(content)?;
                commit.guards.push(Guard::CollectionExists(inbox));
                broken.push(EngineError::NoCollection(inbox));
                commit.writes.push(new_item(inbox, packed));
            }
            if to.is_empty() {
                continue;
            }
            let parcel = Parcel::new(message, to, now, self.engine().random().guid());
            let mut content = parcel.row();
            self.stamp_new(&mut content);
            let packed = pack::pack(content)?;
            commit.guards.push(Guard::CollectionExists(outbox));
            broken.push(EngineError::NoCollection(outbox));
            let (write, name) = (commit.writes.len(), parcel.key.clone());
            parcels.push((write, parcel));
            commit.writes.push(new_item(outbox, packed));
            let target = NameTarget::Write(write);
            commit.writes.push(Write::PutName { scope: delivery::SCOPE_LEAVING, name, target });
        }
        Ok(parcels)
    }
}

/// An unread new item.
pub(crate) fn new_item(collection: CollectionId, packed: pack::Packed) -> Write {
    Write::CreateItem(NewItem {
        collection: CollectionRef::Id(collection),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: packed.bag,
        parts: packed.parts,
    })
}

fn settled(left: Left, receipt: &Receipt) -> ItemRow {
    let done = receipt.write(left.write);
    let item = done.item.unwrap_or(left.row.item);
    ItemRow { item, seq: done.seq, created_seq: done.seq, content_seq: done.seq, ..left.row }
}
