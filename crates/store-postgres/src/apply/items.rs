//! Writes of items.

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Seq};
use store::{CollectionRef, ItemChange, NewItemId, PartChange, PartData, StoreError, TombstoneKind, WriteReceipt};

use super::{Applier, CONFLICT, Collection, Grave, Item, Refusal, Source, find};

impl Applier<'_> {
    pub(super) fn create_item(
        &mut self,
        collection: CollectionRef,
        id: NewItemId,
        flags: ItemFlags,
        bag: &Bytes,
        parts: &[PartData],
    ) -> Result<WriteReceipt, Refusal> {
        let collection = self.collection(collection)?;
        let seq = self.position();
        let item = self.new_item(collection, id, seq)?;
        self.overlay.parts_known.insert(item);
        for (number, part) in parts.iter().enumerate() {
            self.put_part(item, number, part)?;
        }
        let created_seq = self.forget_end(collection, id).unwrap_or(seq);
        let bag = Source::New(bag.clone());
        self.arrive(item, Item { collection, seq, created_seq, content_seq: seq, flags, bag })
    }

    pub(super) fn update_item(&mut self, change: &ItemChange) -> Result<WriteReceipt, Refusal> {
        let item = change.item;
        let mut row = self.item(item)?;
        let old = row.flags;
        let flags = change.flags.unwrap_or(old);
        let is_rescoped = flags.has(ItemFlags::ASSOCIATED) != old.has(ItemFlags::ASSOCIATED);
        if is_rescoped {
            let seq = self.position();
            self.bury(item, &row, seq, TombstoneKind::Rescoped, None, &Bytes::new());
        }
        row.seq = self.position();
        row.flags = flags;
        if is_rescoped {
            row.created_seq = row.seq;
        }
        if is_rescoped || change.content {
            row.content_seq = row.seq;
        }
        if let Some(bag) = &change.bag {
            row.bag = Source::New(bag.clone());
        }
        for (number, part) in change.parts.iter().enumerate() {
            match part {
                PartChange::Put(part) => self.put_part(item, number, part)?,
                PartChange::Remove(part) => self.drop_part(item, *part)?,
                PartChange::Clear => self.drop_parts(item)?,
            }
        }
        let (seq, collection) = (row.seq, row.collection);
        self.overlay.items.put(item, row);
        self.count(collection, seq, less(tally(flags), tally(old)))?;
        Ok(WriteReceipt { seq, collection: Some(collection), item: Some(item), rows: 0 })
    }

    pub(super) fn delete_item(&mut self, item: ItemId, note: &Bytes) -> Result<WriteReceipt, Refusal> {
        let row = self.item(item)?;
        self.drop_parts(item)?;
        self.overlay.items.take(&item);
        let seq = self.position();
        self.bury(item, &row, seq, TombstoneKind::Deleted, None, note);
        self.count(row.collection, seq, less(NOTHING, tally(row.flags)))?;
        Ok(WriteReceipt { seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    pub(super) fn move_item(
        &mut self,
        item: ItemId,
        to: CollectionRef,
        id: NewItemId,
        bag: Option<&Bytes>,
        note: &Bytes,
    ) -> Result<WriteReceipt, Refusal> {
        let to = self.collection(to)?;
        let row = self.item(item)?;
        let left_seq = self.position();
        self.overlay.items.take(&item);
        self.count(row.collection, left_seq, less(NOTHING, tally(row.flags)))?;
        let seq = self.position();
        let new = self.new_item(to, id, seq)?;
        self.bury(item, &row, left_seq, TombstoneKind::Moved, Some((to, new)), note);
        self.move_parts(item, new)?;
        let created_seq = self.forget_end(to, id).unwrap_or(seq);
        let bag = bag.map_or(row.bag, |bag| Source::New(bag.clone()));
        self.arrive(new, Item { collection: to, seq, created_seq, content_seq: seq, flags: row.flags, bag })
    }

    pub(super) fn copy_item(
        &mut self,
        item: ItemId,
        to: CollectionRef,
        id: NewItemId,
        bag: Option<&Bytes>,
        flags: Option<ItemFlags>,
    ) -> Result<WriteReceipt, Refusal> {
        let to = self.collection(to)?;
        let row = self.item(item)?;
        let seq = self.position();
        let new = self.new_item(to, id, seq)?;
        self.copy_parts(item, new)?;
        let created_seq = self.forget_end(to, id).unwrap_or(seq);
        let bag = bag.map_or(row.bag, |bag| Source::New(bag.clone()));
        let flags = flags.unwrap_or(row.flags);
        self.arrive(new, Item { collection: to, seq, created_seq, content_seq: seq, flags, bag })
    }

    pub(super) fn mark_item(
        &mut self,
        item: ItemId,
        kind: TombstoneKind,
        note: &Bytes,
    ) -> Result<WriteReceipt, Refusal> {
        let row = self.item(item)?;
        let seq = self.position();
        self.bury(item, &row, seq, kind, None, note);
        self.count(row.collection, seq, NOTHING)?;
        Ok(WriteReceipt { seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    fn item(&self, item: ItemId) -> Result<Item, Refusal> {
        let row = find(self.overlay.items.get(&item), "an item")?;
        Ok(row.cloned().ok_or(StoreError::NoItem(item))?)
    }

    /// The id of an item that comes into a collection at `seq`. One of which nothing is known counts as free: where it
    /// is not, the database says so.
    fn new_item(&mut self, collection: CollectionId, id: NewItemId, seq: Seq) -> Result<ItemId, Refusal> {
        let item = match id {
            NewItemId::Seq => ItemId(seq.0),
            NewItemId::Numbered => {
                let row = self.collection_row(collection)?;
                let last_number = row.last_number + 1;
                self.overlay.collections.put(collection, Collection { last_number, ..row });
                ItemId::in_list(collection, u32::try_from(last_number).map_err(|_| CONFLICT)?)
            }
            NewItemId::Given(item) => {
                if item == ItemId::in_list(collection, item.number()) {
                    let row = self.collection_row(collection)?;
                    let last_number = row.last_number.max(i64::from(item.number()));
                    self.overlay.collections.put(collection, Collection { last_number, ..row });
                }
                item
            }
        };
        if self.overlay.items.get(&item).flatten().is_some() { Err(CONFLICT.into()) } else { Ok(item) }
    }

    /// Removes the tombstones of an item that comes back to a collection, and gives the first position at which it came.
    fn forget_end(&mut self, collection: CollectionId, id: NewItemId) -> Option<Seq> {
        let NewItemId::Given(item) = id else { return None };
        let graves = self.overlay.graves.range((collection, Seq::ZERO), (collection, Seq(u64::MAX)));
        let ends = graves.filter(|(_, grave)| grave.item == item && grave.kind.is_end());
        let ends: Vec<_> = ends.map(|(key, grave)| (*key, grave.created_seq)).collect();
        for (key, _) in &ends {
            self.overlay.graves.take(key);
        }
        ends.into_iter().map(|(_, created_seq)| created_seq).min()
    }

    /// An item that comes into a collection.
    fn arrive(&mut self, item: ItemId, row: Item) -> Result<WriteReceipt, Refusal> {
        if let Source::Stored(origin) = row.bag
            && origin != item
            && self.overlay.items.has_base(&item)
        {
            // The bag that lies under its id has to go before that of another comes there.
            return Err(Refusal::Alone);
        }
        let (seq, collection, flags) = (row.seq, row.collection, row.flags);
        self.overlay.items.put(item, row);
        self.count(collection, seq, tally(flags))?;
        Ok(WriteReceipt { seq, collection: Some(collection), item: Some(item), rows: 0 })
    }

    /// Leaves a tombstone or mark of an item at `seq`.
    fn bury(
        &mut self,
        item: ItemId,
        row: &Item,
        seq: Seq,
        kind: TombstoneKind,
        moved_to: Option<(CollectionId, ItemId)>,
        note: &Bytes,
    ) {
        let Item { created_seq, flags, .. } = *row;
        let grave = Grave { item, created_seq, flags, kind, at: self.at, moved_to, note: note.clone() };
        self.overlay.graves.put((row.collection, seq), grave);
    }
}

/// What items add to the counts of their collection.
#[derive(Clone, Copy)]
pub(super) struct Tally {
    pub(super) items: i64,
    pub(super) unread: i64,
    pub(super) associated: i64,
}

const NOTHING: Tally = Tally { items: 0, unread: 0, associated: 0 };

const fn tally(flags: ItemFlags) -> Tally {
    if flags.has(ItemFlags::ASSOCIATED) {
        return Tally { associated: 1, ..NOTHING };
    }
    Tally { items: 1, unread: !flags.has(ItemFlags::READ) as i64, ..NOTHING }
}

const fn less(from: Tally, what: Tally) -> Tally {
    Tally {
        items: from.items - what.items,
        unread: from.unread - what.unread,
        associated: from.associated - what.associated,
    }
}
