//! Writes of items, their bags and their parts.

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Rope, Seq};
use rusqlite::params;
use store::{
    CollectionRef, ItemChange, ItemRow, NewItemId, PartChange, PartData, StoreError, TombstoneKind, WriteReceipt,
};

use super::{Applier, CONFLICT};
use crate::{
    blobs,
    failure::Failure,
    rows::{self, tombstone_kind_number},
};

impl Applier<'_> {
    pub(super) fn create_item(
        &mut self,
        collection: CollectionRef,
        id: NewItemId,
        flags: ItemFlags,
        bag: &Bytes,
        parts: &[PartData],
    ) -> Result<WriteReceipt, Failure> {
        let collection = self.collection(collection)?;
        let seq = self.position();
        let item = self.new_item(collection, id, seq)?;
        for part in parts {
            self.put_part(item, part)?;
        }
        self.put_bag(item, bag)?;
        let created_seq = self.forget_end(collection, id)?.unwrap_or(seq);
        self.arrive(item, collection, (seq, created_seq), flags)
    }

    pub(super) fn update_item(&mut self, change: &ItemChange) -> Result<WriteReceipt, Failure> {
        let item = change.item;
        let mut row = self.item(item)?;
        let old = row.flags;
        let flags = change.flags.unwrap_or(old);
        let rescoped = flags.has(ItemFlags::ASSOCIATED) != old.has(ItemFlags::ASSOCIATED);
        if rescoped {
            let seq = self.position();
            self.bury(&row, seq, TombstoneKind::Rescoped, None, &Bytes::new())?;
        }
        row.seq = self.position();
        if rescoped {
            row.created_seq = row.seq;
        }
        if rescoped || change.content {
            row.content_seq = row.seq;
        }
        self.execute(
            "UPDATE item SET seq = ?3, created_seq = ?4, content_seq = ?5, flags = ?6 WHERE root_id = ?1 AND item_id = ?2",
            params![
                self.root,
                item.to_i64(),
                row.seq.to_i64(),
                row.created_seq.to_i64(),
                row.content_seq.to_i64(),
                flags.0
            ],
        )?;
        if let Some(bag) = &change.bag {
            self.put_bag(item, bag)?;
        }
        for part in &change.parts {
            match part {
                PartChange::Put(part) => self.put_part(item, part)?,
                PartChange::Remove(part) => self.drop_part(item, *part)?,
                PartChange::Clear => self.drop_parts(item)?,
            }
        }
        self.count(row.collection, row.seq, less(tally(flags), tally(old)))?;
        Ok(WriteReceipt { seq: row.seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    pub(super) fn delete_item(&mut self, item: ItemId, note: &Bytes) -> Result<WriteReceipt, Failure> {
        let row = self.item(item)?;
        let key = params![self.root, item.to_i64()];
        self.drop_parts(item)?;
        self.execute("DELETE FROM item WHERE root_id = ?1 AND item_id = ?2", key)?;
        self.execute("DELETE FROM item_bag WHERE root_id = ?1 AND item_id = ?2", key)?;
        let seq = self.position();
        self.bury(&row, seq, TombstoneKind::Deleted, None, note)?;
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
    ) -> Result<WriteReceipt, Failure> {
        let to = self.collection(to)?;
        let row = self.item(item)?;
        let left_seq = self.position();
        self.execute("DELETE FROM item WHERE root_id = ?1 AND item_id = ?2", params![self.root, item.to_i64()])?;
        self.count(row.collection, left_seq, less(NOTHING, tally(row.flags)))?;
        let seq = self.position();
        let new = self.new_item(to, id, seq)?;
        self.bury(&row, left_seq, TombstoneKind::Moved, Some((to, new)), note)?;
        let renamed = params![self.root, item.to_i64(), new.to_i64()];
        self.execute("UPDATE item_bag SET item_id = ?3 WHERE root_id = ?1 AND item_id = ?2", renamed)?;
        self.execute("UPDATE item_part SET item_id = ?3 WHERE root_id = ?1 AND item_id = ?2", renamed)?;
        if let Some(bag) = bag {
            self.put_bag(new, bag)?;
        }
        let created_seq = self.forget_end(to, id)?.unwrap_or(seq);
        self.arrive(new, to, (seq, created_seq), row.flags)
    }

    pub(super) fn copy_item(
        &mut self,
        item: ItemId,
        to: CollectionRef,
        id: NewItemId,
        bag: Option<&Bytes>,
        flags: Option<ItemFlags>,
    ) -> Result<WriteReceipt, Failure> {
        let to = self.collection(to)?;
        let row = self.item(item)?;
        let seq = self.position();
        let new = self.new_item(to, id, seq)?;
        let copied = params![self.root, item.to_i64(), new.to_i64()];
        match bag {
            Some(bag) => self.put_bag(new, bag)?,
            None => {
                self.execute(
                    "INSERT INTO item_bag(root_id, item_id, bag)
                       SELECT root_id, ?3, bag FROM item_bag WHERE root_id = ?1 AND item_id = ?2",
                    copied,
                )?;
            }
        }
        self.execute(
            "INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
               SELECT root_id, ?3, part, size, hash, inline FROM item_part WHERE root_id = ?1 AND item_id = ?2",
            copied,
        )?;
        self.execute(
            "UPDATE blob_ref SET refs = refs + used.parts FROM (
               SELECT hash AS used_hash, COUNT(*) AS parts FROM item_part
                 WHERE root_id = ?1 AND item_id = ?2 AND hash IS NOT NULL GROUP BY hash) AS used
               WHERE root_id = ?1 AND hash = used.used_hash",
            params![self.root, item.to_i64()],
        )?;
        let created_seq = self.forget_end(to, id)?.unwrap_or(seq);
        self.arrive(new, to, (seq, created_seq), flags.unwrap_or(row.flags))
    }

    pub(super) fn mark_item(
        &mut self,
        item: ItemId,
        kind: TombstoneKind,
        note: &Bytes,
    ) -> Result<WriteReceipt, Failure> {
        let row = self.item(item)?;
        let seq = self.position();
        self.bury(&row, seq, kind, None, note)?;
        self.count(row.collection, seq, NOTHING)?;
        Ok(WriteReceipt { seq, collection: Some(row.collection), item: Some(item), rows: 0 })
    }

    /// Removes all items of a collection without a trace; the caller removes the collection.
    pub(super) fn drop_items(&self, collection: CollectionId) -> Result<(), Failure> {
        self.execute(
            "UPDATE blob_ref SET refs = refs - used.parts,
                 freed_at = CASE WHEN refs <= used.parts THEN ?3 END FROM (
               SELECT p.hash AS used_hash, COUNT(*) AS parts FROM item i
                 JOIN item_part p ON p.root_id = i.root_id AND p.item_id = i.item_id
                 WHERE i.root_id = ?1 AND i.collection_id = ?2 AND p.hash IS NOT NULL GROUP BY p.hash) AS used
               WHERE root_id = ?1 AND hash = used.used_hash",
            params![self.root, collection.to_i64(), self.commit.at.0],
        )?;
        let key = params![self.root, collection.to_i64()];
        self.execute(
            "DELETE FROM item_part WHERE root_id = ?1 AND item_id IN (
               SELECT item_id FROM item WHERE root_id = ?1 AND collection_id = ?2)",
            key,
        )?;
        self.execute(
            "DELETE FROM item_bag WHERE root_id = ?1 AND item_id IN (
               SELECT item_id FROM item WHERE root_id = ?1 AND collection_id = ?2)",
            key,
        )?;
        self.execute("DELETE FROM item WHERE root_id = ?1 AND collection_id = ?2", key)?;
        Ok(())
    }

    fn item(&self, item: ItemId) -> Result<ItemRow, Failure> {
        let row = self.one(
            "SELECT item_id, collection_id, seq, created_seq, content_seq, flags FROM item
               WHERE root_id = ?1 AND item_id = ?2",
            params![self.root, item.to_i64()],
            rows::item_hot,
        )?;
        Ok(row.ok_or(StoreError::NoItem(item))?)
    }

    /// The id of an item that comes into a collection at `seq`.
    fn new_item(&self, collection: CollectionId, id: NewItemId, seq: Seq) -> Result<ItemId, Failure> {
        let item = match id {
            NewItemId::Seq => ItemId(seq.0),
            NewItemId::Numbered => {
                let number: Option<u32> = self.one(
                    "UPDATE collection SET last_number = last_number + 1 WHERE root_id = ?1 AND collection_id = ?2
                       RETURNING last_number",
                    params![self.root, collection.to_i64()],
                    |row| row.get(0),
                )?;
                ItemId::in_list(collection, number.ok_or(StoreError::NoCollection(collection))?)
            }
            NewItemId::Given(item) => {
                if item == ItemId::in_list(collection, item.number()) {
                    self.execute(
                        "UPDATE collection SET last_number = MAX(last_number, ?3)
                           WHERE root_id = ?1 AND collection_id = ?2",
                        params![self.root, collection.to_i64(), item.number()],
                    )?;
                }
                item
            }
        };
        let taken =
            self.exists("SELECT 1 FROM item WHERE root_id = ?1 AND item_id = ?2", params![self.root, item.to_i64()])?;
        if taken { Err(CONFLICT.into()) } else { Ok(item) }
    }

    /// Removes the tombstones of an item that comes back to a collection, and gives the first position at which it came.
    fn forget_end(&self, collection: CollectionId, id: NewItemId) -> Result<Option<Seq>, Failure> {
        let NewItemId::Given(item) = id else { return Ok(None) };
        let found = self.all(
            "SELECT seq, kind, created_seq FROM tombstone WHERE root_id = ?1 AND collection_id = ?2 AND item_id = ?3",
            params![self.root, collection.to_i64(), item.to_i64()],
            |row| Ok((row.get::<_, i64>(0)?, rows::tombstone_kind(row, 1)?, Seq::from_i64(row.get(2)?))),
        )?;
        let mut first = None;
        for (seq, _, created_seq) in found.into_iter().filter(|(_, kind, _)| kind.is_end()) {
            first = Some(first.map_or(created_seq, |first: Seq| first.min(created_seq)));
            self.execute(
                "DELETE FROM tombstone WHERE root_id = ?1 AND collection_id = ?2 AND seq = ?3",
                params![self.root, collection.to_i64(), seq],
            )?;
        }
        Ok(first)
    }

    /// The hot row of an item that comes into a collection.
    fn arrive(
        &self,
        item: ItemId,
        collection: CollectionId,
        (seq, created_seq): (Seq, Seq),
        flags: ItemFlags,
    ) -> Result<WriteReceipt, Failure> {
        self.execute(
            "INSERT INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
               VALUES(?1, ?2, ?3, ?4, ?5, ?4, ?6)",
            params![self.root, item.to_i64(), collection.to_i64(), seq.to_i64(), created_seq.to_i64(), flags.0],
        )?;
        self.count(collection, seq, tally(flags))?;
        Ok(WriteReceipt { seq, collection: Some(collection), item: Some(item), rows: 0 })
    }

    /// Leaves a tombstone or mark of an item at `seq`.
    fn bury(
        &self,
        row: &ItemRow,
        seq: Seq,
        kind: TombstoneKind,
        moved_to: Option<(CollectionId, ItemId)>,
        note: &Bytes,
    ) -> Result<(), Failure> {
        self.execute(
            "INSERT INTO tombstone(root_id, collection_id, seq, item_id, created_seq, flags, kind, at,
               moved_collection, moved_item, note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                self.root,
                row.collection.to_i64(),
                seq.to_i64(),
                row.item.to_i64(),
                row.created_seq.to_i64(),
                row.flags.0,
                tombstone_kind_number(kind),
                self.commit.at.0,
                moved_to.map(|(collection, _)| collection.to_i64()),
                moved_to.map(|(_, item)| item.to_i64()),
                &note[..],
            ],
        )?;
        Ok(())
    }

    /// Counts items in or out of a collection, of which something is at `seq` now.
    fn count(&self, collection: CollectionId, seq: Seq, by: Tally) -> Result<(), Failure> {
        let changed = self.execute(
            "UPDATE collection SET items_seq = ?3, items = items + ?4, unread = unread + ?5,
               associated = associated + ?6 WHERE root_id = ?1 AND collection_id = ?2",
            params![self.root, collection.to_i64(), seq.to_i64(), by.items, by.unread, by.associated],
        )?;
        if changed == 0 { Err(StoreError::NoCollection(collection).into()) } else { Ok(()) }
    }

    pub(super) fn put_bag(&self, item: ItemId, bag: &Bytes) -> Result<(), Failure> {
        self.execute(
            "INSERT INTO item_bag(root_id, item_id, bag) VALUES(?1, ?2, ?3)
               ON CONFLICT(root_id, item_id) DO UPDATE SET bag = excluded.bag",
            params![self.root, item.to_i64(), &bag[..]],
        )?;
        Ok(())
    }

    pub(super) fn put_part(&mut self, item: ItemId, part: &PartData) -> Result<(), Failure> {
        self.drop_part(item, part.part)?;
        let large = part.bytes.len() > self.blob_threshold_bytes;
        let known = large.then(|| self.hashes.next().copied().map_or_else(|| blobs::hash_rope(&part.bytes), Ok));
        let hash = known.transpose()?;
        if let Some(hash) = hash {
            self.refer(&hash, &part.bytes)?;
        }
        let inline = if hash.is_none() { Some(part.bytes.to_bytes()?) } else { None };
        self.execute(
            "INSERT INTO item_part(root_id, item_id, part, size, hash, inline) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            params![self.root, item.to_i64(), part.part, part.bytes.len() as i64, hash, inline.as_deref()],
        )?;
        Ok(())
    }

    /// Counts one more reference to a file. The file of a counted one is there, for the write lock is held.
    fn refer(&self, hash: &blobs::Hash, bytes: &Rope) -> Result<(), Failure> {
        let key = params![self.root, hash];
        let sql = "UPDATE blob_ref SET refs = refs + 1 WHERE root_id = ?1 AND hash = ?2 AND refs > 0";
        if self.execute(sql, key)? > 0 {
            return Ok(());
        }
        self.blobs.put(self.commit.root, hash, bytes)?;
        self.execute(
            "INSERT INTO blob_ref(root_id, hash, refs) VALUES(?1, ?2, 1)
               ON CONFLICT(root_id, hash) DO UPDATE SET refs = 1, freed_at = NULL",
            key,
        )?;
        Ok(())
    }

    fn unrefer(&self, hash: &[u8]) -> Result<(), Failure> {
        self.execute(
            "UPDATE blob_ref SET refs = refs - 1, freed_at = CASE WHEN refs <= 1 THEN ?3 END
               WHERE root_id = ?1 AND hash = ?2",
            params![self.root, hash, self.commit.at.0],
        )?;
        Ok(())
    }

    fn drop_part(&self, item: ItemId, part: u32) -> Result<(), Failure> {
        let gone: Option<Option<Vec<u8>>> = self.one(
            "DELETE FROM item_part WHERE root_id = ?1 AND item_id = ?2 AND part = ?3 RETURNING hash",
            params![self.root, item.to_i64(), part],
            |row| row.get(0),
        )?;
        gone.flatten().map_or(Ok(()), |hash| self.unrefer(&hash))
    }

    fn drop_parts(&self, item: ItemId) -> Result<(), Failure> {
        let gone: Vec<Option<Vec<u8>>> = self.all(
            "DELETE FROM item_part WHERE root_id = ?1 AND item_id = ?2 RETURNING hash",
            params![self.root, item.to_i64()],
            |row| row.get(0),
        )?;
        gone.into_iter().flatten().try_for_each(|hash| self.unrefer(&hash))
    }
}

/// What items add to the counts of their collection.
#[derive(Clone, Copy)]
struct Tally {
    items: i64,
    unread: i64,
    associated: i64,
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
