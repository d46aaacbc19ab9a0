//! What one root holds, and the small steps that keep its tables in agreement.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};

use super::table::Table;
use crate::{CollectionRow, Epoch, ItemRow, Receipt, RootKind, RootRow, StoreError, Tombstone};

/// What stands at a position of a collection.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Item(ItemId),
    Gone(Tombstone),
}

/// A span behind its (collection, from_seq).
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanRow {
    pub(super) parent: Option<CollectionId>,
    pub(super) end: Option<(Seq, Time)>,
}

/// One root.
#[derive(Clone, Debug)]
pub(super) struct RootState {
    pub(super) root: RootRow,
    pub(super) collections: Table<CollectionId, CollectionRow>,
    pub(super) children: Table<(CollectionId, CollectionId), ()>,
    pub(super) items: Table<ItemId, ItemRow>,
    pub(super) members: Table<(CollectionId, ItemId), ()>,
    pub(super) changes: Table<(CollectionId, Seq), Entry>,
    pub(super) created: Table<(CollectionId, Seq), ItemId>,
    pub(super) parts: Table<(ItemId, u32), Bytes>,
    pub(super) names: Table<(u64, Bytes), u64>,
    pub(super) keys: Table<(CollectionId, u32, Bytes, ItemId), ()>,
    pub(super) spans: Table<(CollectionId, Seq), SpanRow>,
    /// By ordinal.
    pub(super) epochs: BTreeMap<u64, Epoch>,
    /// The last position before the first commit of a minute.
    pub(super) minutes: BTreeMap<i64, Seq>,
    pub(super) operations: BTreeMap<Guid, (Time, Receipt)>,
}

/// Keys from `(collection, lowest)` to `(collection, highest)`.
pub(super) const fn positions(collection: CollectionId) -> std::ops::RangeInclusive<(CollectionId, Seq)> {
    (collection, Seq::ZERO)..=(collection, Seq(u64::MAX))
}

/// The minute a time lies in.
pub(super) const fn minute(time: Time) -> i64 {
    time.0.div_euclid(60 * Time::SECOND)
}

impl RootState {
    pub(super) fn new(root: RootId, kind: RootKind, guid: Guid) -> Self {
        Self {
            root: RootRow { root, kind, guid, last_seq: Seq::ZERO, epoch: 0, purged_seq: Seq::ZERO },
            collections: Table::default(),
            children: Table::default(),
            items: Table::default(),
            members: Table::default(),
            changes: Table::default(),
            created: Table::default(),
            parts: Table::default(),
            names: Table::default(),
            keys: Table::default(),
            spans: Table::default(),
            epochs: BTreeMap::new(),
            minutes: BTreeMap::new(),
            operations: BTreeMap::new(),
        }
    }

    /// Keeps what was done to the tables.
    pub(super) fn settle(&mut self) {
        self.collections.settle();
        self.children.settle();
        self.items.settle();
        self.members.settle();
        self.changes.settle();
        self.created.settle();
        self.parts.settle();
        self.names.settle();
        self.keys.settle();
        self.spans.settle();
    }

    /// Undoes what was done to the tables.
    pub(super) fn roll_back(&mut self) {
        self.collections.roll_back();
        self.children.roll_back();
        self.items.roll_back();
        self.members.roll_back();
        self.changes.roll_back();
        self.created.roll_back();
        self.parts.roll_back();
        self.names.roll_back();
        self.keys.roll_back();
        self.spans.roll_back();
    }

    /// The next position.
    pub(super) fn position(&mut self) -> Seq {
        self.root.last_seq = self.root.last_seq.next();
        self.root.last_seq
    }

    /// Changes the row of a collection.
    pub(super) fn change_collection<T>(
        &mut self,
        collection: CollectionId,
        change: impl FnOnce(&mut CollectionRow) -> T,
    ) -> Result<T, StoreError> {
        let mut row = self.collections.get(&collection).cloned().ok_or(StoreError::NoCollection(collection))?;
        let result = change(&mut row);
        self.collections.put(collection, row);
        Ok(result)
    }

    /// Puts an item where its row says.
    pub(super) fn place(&mut self, row: ItemRow) -> Result<(), StoreError> {
        self.change_collection(row.collection, |collection| {
            collection.items_seq = row.seq;
            count(collection, row.flags, 1);
        })?;
        self.members.put((row.collection, row.item), ());
        self.changes.put((row.collection, row.seq), Entry::Item(row.item));
        self.created.put((row.collection, row.created_seq), row.item);
        self.items.put(row.item, row);
        Ok(())
    }

    /// Takes an item from its place; its parts stay.
    pub(super) fn lift(&mut self, item: ItemId) -> Result<ItemRow, StoreError> {
        let row = self.items.take(&item).ok_or(StoreError::NoItem(item))?;
        self.change_collection(row.collection, |collection| count(collection, row.flags, -1))?;
        self.members.take(&(row.collection, item));
        self.changes.take(&(row.collection, row.seq));
        self.created.take(&(row.collection, row.created_seq));
        Ok(row)
    }

    /// Leaves a tombstone.
    pub(super) fn bury(&mut self, collection: CollectionId, tombstone: Tombstone) -> Result<(), StoreError> {
        self.change_collection(collection, |row| row.items_seq = tombstone.seq)?;
        self.changes.put((collection, tombstone.seq), Entry::Gone(tombstone));
        Ok(())
    }

    /// Takes all parts of an item, in ascending order of number.
    pub(super) fn take_parts(&mut self, item: ItemId) -> Vec<(u32, Bytes)> {
        let numbers: Vec<u32> = self.parts.range((item, 0)..=(item, u32::MAX)).map(|((_, part), _)| *part).collect();
        numbers.into_iter().filter_map(|part| Some((part, self.parts.take(&(item, part))?))).collect()
    }
}

/// Counts an item in or out.
const fn count(collection: &mut CollectionRow, flags: ItemFlags, by: i64) {
    if flags.has(ItemFlags::ASSOCIATED) {
        collection.associated = collection.associated.saturating_add_signed(by);
        return;
    }
    collection.items = collection.items.saturating_add_signed(by);
    if !flags.has(ItemFlags::READ) {
        collection.unread = collection.unread.saturating_add_signed(by);
    }
}
