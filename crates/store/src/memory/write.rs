//! Guards and writes of a commit.

use std::ops::Bound;

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Rope, Seq, Time};

use super::state::{Entry, RootState, SpanRow, positions};
use crate::{
    CollectionRef, CollectionRow, Commit, FieldKey, Guard, ItemChange, ItemRef, ItemRow, NameTarget, NewItem,
    NewItemId, PartChange, Receipt, StoreError, Tombstone, TombstoneKind, Write, WriteReceipt,
};

/// A conflict that no guard of the caller names.
pub(super) const CONFLICT: StoreError = StoreError::Conflict { guard: usize::MAX };

const BAD_REFERENCE: StoreError = StoreError::TooLarge("a write refers to one that created nothing before it");

/// Checks the guards, then writes. After an error the tables have to be rolled back.
pub(super) fn apply(state: &mut RootState, commit: Commit) -> Result<Receipt, StoreError> {
    if let Some(guard) = commit.guards.iter().position(|guard| !holds(state, guard)) {
        return Err(StoreError::Conflict { guard });
    }
    let mut writer = Writer { state, at: commit.at, done: Vec::with_capacity(commit.writes.len()) };
    for write in commit.writes {
        let receipt = writer.write(write)?;
        writer.done.push(receipt);
    }
    let writes = writer.done;
    Ok(Receipt { last_seq: state.root.last_seq, writes })
}

fn holds(state: &RootState, guard: &Guard) -> bool {
    match guard {
        Guard::ItemAt(item, seq) => state.items.get(item).is_some_and(|row| row.seq == *seq),
        Guard::ItemContentAt(item, seq) => state.items.get(item).is_some_and(|row| row.content_seq == *seq),
        Guard::ItemIn(item, collection) => state.items.get(item).is_some_and(|row| row.collection == *collection),
        Guard::CollectionAt(collection, seq) => state.collections.get(collection).is_some_and(|row| row.seq == *seq),
        Guard::CollectionItemsAt(collection, seq) => {
            state.collections.get(collection).is_some_and(|row| row.items_seq == *seq)
        }
        Guard::CollectionExists(collection) => state.collections.contains_key(collection),
        Guard::CollectionEmpty(collection) => {
            state.collections.get(collection).is_some_and(|row| row.items == 0 && row.associated == 0)
                && !has_children(state, *collection)
        }
        Guard::NameFree(scope, name) => !state.names.contains_key(&(*scope, name.clone())),
        Guard::NameIs(scope, name, target) => state.names.get(&(*scope, name.clone())) == Some(target),
    }
}

fn has_children(state: &RootState, collection: CollectionId) -> bool {
    let first = (collection, CollectionId(0));
    state.children.range(first..=(collection, CollectionId(u64::MAX))).next().is_some()
}

struct Writer<'a> {
    state: &'a mut RootState,
    at: Time,
    done: Vec<WriteReceipt>,
}

impl Writer<'_> {
    fn write(&mut self, write: Write) -> Result<WriteReceipt, StoreError> {
        match write {
            Write::CreateCollection { parent, bag } => self.create_collection(parent, bag),
            Write::UpdateCollection { collection, bag, parent } => self.update_collection(collection, bag, parent),
            Write::DropCollection { collection } => self.drop_collection(collection),
            Write::CreateItem(item) => self.create_item(item),
            Write::UpdateItem(change) => self.update_item(change),
            Write::DeleteItem { item, note } => self.delete_item(item, note),
            Write::MoveItem { item, to, id, bag, note } => self.move_item(item, to, id, bag, note),
            Write::CopyItem { item, to, id, bag, flags } => self.copy_item(item, to, id, bag, flags),
            Write::MarkItem { item, kind, note } => self.mark_item(item, kind, note),
            Write::PutName { scope, name, target } => self.put_name(scope, name, target),
            Write::DropName { scope, name } => {
                self.state.names.take(&(scope, name));
                Ok(WriteReceipt::default())
            }
            Write::ChangeKeys { collection, item, drop, put } => self.change_keys(collection, item, drop, put),
            Write::DropKeys { collection, field, rows_max } => Ok(self.drop_keys(collection, field, rows_max)),
            Write::TrimTombstones { before, rows_max } => self.trim(before, rows_max),
        }
    }

    /// The collection meant, which is there.
    fn collection(&self, reference: CollectionRef) -> Result<CollectionId, StoreError> {
        let collection = match reference {
            CollectionRef::Id(collection) => collection,
            CollectionRef::Write(index) => {
                self.done.get(index).and_then(|done| done.collection).ok_or(BAD_REFERENCE)?
            }
        };
        if self.state.collections.contains_key(&collection) {
            Ok(collection)
        } else {
            Err(StoreError::NoCollection(collection))
        }
    }

    fn create_collection(&mut self, parent: Option<CollectionRef>, bag: Bytes) -> Result<WriteReceipt, StoreError> {
        let parent = parent.map(|parent| self.collection(parent)).transpose()?;
        let seq = self.state.position();
        let collection = CollectionId(seq.0);
        let row = CollectionRow {
            collection,
            parent,
            seq,
            created_seq: seq,
            items_seq: seq,
            purged_seq: Seq::ZERO,
            items: 0,
            unread: 0,
            associated: 0,
            last_number: 0,
            bag,
        };
        self.state.collections.put(collection, row);
        self.begin_span(collection, parent, seq);
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn begin_span(&mut self, collection: CollectionId, parent: Option<CollectionId>, seq: Seq) {
        self.state.spans.put((collection, seq), SpanRow { parent, end: None });
        if let Some(parent) = parent {
            self.state.children.put((parent, collection), ());
        }
    }

    fn end_span(&mut self, collection: CollectionId, parent: Option<CollectionId>, seq: Seq) {
        let open = self.state.spans.range(positions(collection)).next_back().map(|((_, from), row)| (*from, *row));
        if let Some((from, row)) = open {
            self.state.spans.put((collection, from), SpanRow { end: Some((seq, self.at)), ..row });
        }
        if let Some(parent) = parent {
            self.state.children.take(&(parent, collection));
        }
    }

    fn update_collection(
        &mut self,
        collection: CollectionId,
        bag: Option<Bytes>,
        parent: Option<Option<CollectionId>>,
    ) -> Result<WriteReceipt, StoreError> {
        if let Some(Some(parent)) = parent {
            self.collection(CollectionRef::Id(parent))?;
        }
        let seq = self.state.position();
        let before = self.state.change_collection(collection, |row| {
            row.seq = seq;
            row.items_seq = seq;
            if let Some(bag) = bag {
                row.bag = bag;
            }
            let before = row.parent;
            row.parent = parent.unwrap_or(before);
            before
        })?;
        if let Some(parent) = parent {
            self.end_span(collection, before, seq);
            self.begin_span(collection, parent, seq);
        }
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn drop_collection(&mut self, collection: CollectionId) -> Result<WriteReceipt, StoreError> {
        self.collection(CollectionRef::Id(collection))?;
        if has_children(self.state, collection) {
            return Err(CONFLICT);
        }
        let seq = self.state.position();
        let first = (collection, ItemId(0));
        let members = self.state.members.range(first..=(collection, ItemId(u64::MAX)));
        let items: Vec<ItemId> = members.map(|((_, item), ())| *item).collect();
        for item in items {
            self.state.lift(item)?;
            self.state.take_parts(item);
        }
        let tombstones: Vec<_> = self.state.changes.range(positions(collection)).map(|(key, _)| *key).collect();
        for key in tombstones {
            self.state.changes.take(&key);
        }
        let first = (collection, 0, Bytes::new(), ItemId(0));
        let next = (CollectionId(collection.0.saturating_add(1)), 0, Bytes::new(), ItemId(0));
        let keys: Vec<_> = self.state.keys.range(first..next).map(|(key, ())| key.clone()).collect();
        for key in keys {
            self.state.keys.take(&key);
        }
        let parent = self.state.collections.take(&collection).and_then(|row| row.parent);
        self.end_span(collection, parent, seq);
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    /// The id of an item that comes into a collection at `seq`.
    fn new_item(&mut self, collection: CollectionId, id: NewItemId, seq: Seq) -> Result<ItemId, StoreError> {
        let item = match id {
            NewItemId::Seq => ItemId(seq.0),
            NewItemId::Numbered => self.state.change_collection(collection, |row| {
                row.last_number = row.last_number.saturating_add(1);
                ItemId::in_list(collection, row.last_number)
            })?,
            NewItemId::Given(item) => {
                if item == ItemId::in_list(collection, item.number()) {
                    self.state
                        .change_collection(collection, |row| row.last_number = row.last_number.max(item.number()))?;
                }
                item
            }
        };
        if self.state.items.contains_key(&item) { Err(CONFLICT) } else { Ok(item) }
    }

    fn create_item(&mut self, new: NewItem) -> Result<WriteReceipt, StoreError> {
        let collection = self.collection(new.collection)?;
        let seq = self.state.position();
        let item = self.new_item(collection, new.id, seq)?;
        for part in new.parts {
            self.state.parts.put((item, part.part), in_memory(&part.bytes)?);
        }
        let created_seq = self.forget_end(collection, new.id).unwrap_or(seq);
        self.arrive(item, collection, (seq, created_seq), new.flags, new.bag)
    }

    /// Takes the tombstones of an item that comes back to a collection, and gives the first position at which it came.
    fn forget_end(&mut self, collection: CollectionId, id: NewItemId) -> Option<Seq> {
        let NewItemId::Given(item) = id else { return None };
        let ends = self.state.changes.range(positions(collection)).filter_map(|(key, entry)| match entry {
            Entry::Gone(gone) if gone.item == item && gone.kind.is_end() => Some((*key, gone.created_seq)),
            Entry::Gone(_) | Entry::Item(_) => None,
        });
        let ends: Vec<_> = ends.collect();
        for (key, _) in &ends {
            self.state.changes.take(key);
        }
        ends.into_iter().map(|(_, created_seq)| created_seq).min()
    }

    /// An item that comes into a collection.
    fn arrive(
        &mut self,
        item: ItemId,
        collection: CollectionId,
        (seq, created_seq): (Seq, Seq),
        flags: ItemFlags,
        bag: Bytes,
    ) -> Result<WriteReceipt, StoreError> {
        self.state.place(ItemRow { item, collection, seq, created_seq, content_seq: seq, flags, bag })?;
        Ok(WriteReceipt { seq, collection: Some(collection), item: Some(item), rows: 0 })
    }

    fn update_item(&mut self, change: ItemChange) -> Result<WriteReceipt, StoreError> {
        let ItemChange { item, flags, bag, parts, content } = change;
        let mut row = self.state.lift(item)?;
        let flags = flags.unwrap_or(row.flags);
        let rescoped = flags.has(ItemFlags::ASSOCIATED) != row.flags.has(ItemFlags::ASSOCIATED);
        if rescoped {
            self.gone(&row, TombstoneKind::Rescoped, Bytes::new())?;
        }
        row.seq = self.state.position();
        row.flags = flags;
        if rescoped {
            row.created_seq = row.seq;
        }
        if content {
            row.content_seq = row.seq;
        }
        if let Some(bag) = bag {
            row.bag = bag;
        }
        for part in parts {
            match part {
                PartChange::Put(part) => self.state.parts.put((item, part.part), in_memory(&part.bytes)?),
                PartChange::Remove(part) => {
                    self.state.parts.take(&(item, part));
                }
                PartChange::Clear => {
                    self.state.take_parts(item);
                }
            }
        }
        let receipt = WriteReceipt { seq: row.seq, collection: Some(row.collection), item: Some(item), rows: 0 };
        self.state.place(row)?;
        Ok(receipt)
    }

    /// Takes a position for a tombstone or mark of an item.
    fn gone(&mut self, row: &ItemRow, kind: TombstoneKind, note: Bytes) -> Result<Seq, StoreError> {
        let tombstone = self.tombstone(row, kind, note);
        let seq = tombstone.seq;
        self.state.bury(row.collection, tombstone)?;
        Ok(seq)
    }

    fn tombstone(&mut self, row: &ItemRow, kind: TombstoneKind, note: Bytes) -> Tombstone {
        Tombstone {
            item: row.item,
            seq: self.state.position(),
            created_seq: row.created_seq,
            flags: row.flags,
            kind,
            at: self.at,
            moved_to: None,
            note,
        }
    }

    fn delete_item(&mut self, item: ItemId, note: Bytes) -> Result<WriteReceipt, StoreError> {
        let row = self.state.lift(item)?;
        self.state.take_parts(item);
        let seq = self.gone(&row, TombstoneKind::Deleted, note)?;
        Ok(WriteReceipt { seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    fn move_item(
        &mut self,
        item: ItemId,
        to: CollectionRef,
        id: NewItemId,
        bag: Option<Bytes>,
        note: Bytes,
    ) -> Result<WriteReceipt, StoreError> {
        let to = self.collection(to)?;
        let row = self.state.lift(item)?;
        let parts = self.state.take_parts(item);
        let tombstone = self.tombstone(&row, TombstoneKind::Moved, note);
        let seq = self.state.position();
        let new = self.new_item(to, id, seq)?;
        self.state.bury(row.collection, Tombstone { moved_to: Some((to, new)), ..tombstone })?;
        for (part, bytes) in parts {
            self.state.parts.put((new, part), bytes);
        }
        let created_seq = self.forget_end(to, id).unwrap_or(seq);
        self.arrive(new, to, (seq, created_seq), row.flags, bag.unwrap_or(row.bag))
    }

    fn copy_item(
        &mut self,
        item: ItemId,
        to: CollectionRef,
        id: NewItemId,
        bag: Option<Bytes>,
        flags: Option<ItemFlags>,
    ) -> Result<WriteReceipt, StoreError> {
        let to = self.collection(to)?;
        let row = self.state.items.get(&item).cloned().ok_or(StoreError::NoItem(item))?;
        let seq = self.state.position();
        let new = self.new_item(to, id, seq)?;
        let parts: Vec<_> = self
            .state
            .parts
            .range((item, 0)..=(item, u32::MAX))
            .map(|((_, part), bytes)| (*part, bytes.clone()))
            .collect();
        for (part, bytes) in parts {
            self.state.parts.put((new, part), bytes);
        }
        let created_seq = self.forget_end(to, id).unwrap_or(seq);
        self.arrive(new, to, (seq, created_seq), flags.unwrap_or(row.flags), bag.unwrap_or(row.bag))
    }

    fn mark_item(&mut self, item: ItemId, kind: TombstoneKind, note: Bytes) -> Result<WriteReceipt, StoreError> {
        let row = self.state.items.get(&item).cloned().ok_or(StoreError::NoItem(item))?;
        let seq = self.gone(&row, kind, note)?;
        Ok(WriteReceipt { seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    fn put_name(&mut self, scope: u64, name: Bytes, target: NameTarget) -> Result<WriteReceipt, StoreError> {
        let target = match target {
            NameTarget::Id(target) => target,
            NameTarget::Write(index) => {
                let done = self.done.get(index).copied().unwrap_or_default();
                done.item.map(|item| item.0).or(done.collection.map(|id| id.0)).ok_or(BAD_REFERENCE)?
            }
        };
        self.state.names.put((scope, name), target);
        Ok(WriteReceipt::default())
    }

    fn change_keys(
        &mut self,
        collection: CollectionId,
        item: ItemRef,
        drop: Vec<FieldKey>,
        put: Vec<FieldKey>,
    ) -> Result<WriteReceipt, StoreError> {
        self.collection(CollectionRef::Id(collection))?;
        let item = match item {
            ItemRef::Id(item) => item,
            ItemRef::Write(index) => self.done.get(index).and_then(|done| done.item).ok_or(BAD_REFERENCE)?,
        };
        for FieldKey { field, value } in drop {
            self.state.keys.take(&(collection, field, value, item));
        }
        for FieldKey { field, value } in put {
            self.state.keys.put((collection, field, value, item), ());
        }
        Ok(WriteReceipt::default())
    }

    fn drop_keys(&mut self, collection: CollectionId, field: u32, rows_max: usize) -> WriteReceipt {
        let first = (collection, field, Bytes::new(), ItemId(0));
        let keys = self.state.keys.range(first..).take_while(|((of, own, ..), ())| (*of, *own) == (collection, field));
        let keys: Vec<_> = keys.take(rows_max).map(|(key, ())| key.clone()).collect();
        for key in &keys {
            self.state.keys.take(key);
        }
        WriteReceipt { rows: keys.len() as u64, ..WriteReceipt::default() }
    }

    fn trim(&mut self, before: Time, rows_max: usize) -> Result<WriteReceipt, StoreError> {
        enum Old {
            Tombstone(CollectionId),
            Span(CollectionId, Seq),
        }
        let tombstones = self.state.changes.iter().filter_map(|((collection, seq), entry)| match entry {
            Entry::Gone(gone) if gone.at < before => Some((*seq, Old::Tombstone(*collection))),
            Entry::Gone(_) | Entry::Item(_) => None,
        });
        let spans = self.state.spans.iter().filter_map(|((collection, from), row)| match row.end {
            Some((seq, at)) if at < before => Some((seq, Old::Span(*collection, *from))),
            Some(_) | None => None,
        });
        let mut old: Vec<(Seq, Old)> = tombstones.chain(spans).collect();
        old.sort_by_key(|(seq, _)| *seq);
        old.truncate(rows_max);
        let rows = old.len() as u64;
        for (seq, row) in old {
            match row {
                Old::Tombstone(collection) => {
                    self.state.changes.take(&(collection, seq));
                    self.state.change_collection(collection, |row| row.purged_seq = row.purged_seq.max(seq))?;
                }
                Old::Span(collection, from) => {
                    self.state.spans.take(&(collection, from));
                    self.state.root.purged_seq = self.state.root.purged_seq.max(seq);
                }
            }
        }
        let over = self.state.epochs.iter().rev().find(|(_, epoch)| epoch.at < before).map(|(ordinal, _)| *ordinal);
        self.state.epochs.retain(|ordinal, _| over.is_none_or(|over| *ordinal >= over));
        Ok(WriteReceipt { rows, ..WriteReceipt::default() })
    }
}

/// The range of ids after `after`, to the end.
pub(super) fn behind<T>(after: Option<T>) -> (Bound<T>, Bound<T>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// The bytes of a part.
pub(super) fn in_memory(rope: &Rope) -> Result<Bytes, StoreError> {
    rope.to_bytes().map_err(|error| StoreError::TryAgain(error.to_string()))
}
