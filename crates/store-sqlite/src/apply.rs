//! Guards and writes of one commit, inside the transaction of its group.

mod items;
mod keys;
mod load;
mod removal;
mod trim;

use bytes::Bytes;
use model::{CollectionId, ItemId, Seq};
use rusqlite::{Connection, OptionalExtension, Params, params};
use store::{CollectionRef, Commit, Guard, NameTarget, NewItem, Receipt, StoreError, Write, WriteReceipt};

use crate::{
    blobs::{Blobs, Hash},
    failure::Failure,
    rows::{minute, root_kind_number},
};

pub(crate) use load::{load, publish};
pub(crate) use removal::{drop_root, unfinished_removals};

/// A conflict that no guard of the caller names.
const CONFLICT: StoreError = StoreError::Conflict { guard: usize::MAX };
const BAD_REFERENCE: StoreError = StoreError::TooLarge("a write refers to one that created nothing before it");

/// Does a commit. After an error the savepoint around it has to be rolled back.
///
/// `hashes` are those of the parts that go into files, in the order of the commit; the files are there already unless
/// somebody removed them since.
pub(crate) fn apply(
    connection: &Connection,
    blobs: &Blobs,
    epoch: u64,
    commit: &Commit,
    hashes: &[Hash],
    blob_threshold_bytes: usize,
) -> Result<Receipt, Failure> {
    Applier::new(connection, blobs, commit, hashes, blob_threshold_bytes).run(epoch)
}

struct Applier<'a> {
    connection: &'a Connection,
    blobs: &'a Blobs,
    commit: &'a Commit,
    root: i64,
    last_seq: Seq,
    done: Vec<WriteReceipt>,
    hashes: std::slice::Iter<'a, Hash>,
    blob_threshold_bytes: usize,
}

impl<'a> Applier<'a> {
    fn new(
        connection: &'a Connection,
        blobs: &'a Blobs,
        commit: &'a Commit,
        hashes: &'a [Hash],
        blob_threshold_bytes: usize,
    ) -> Self {
        Self {
            connection,
            blobs,
            commit,
            root: commit.root.to_i64(),
            last_seq: Seq::ZERO,
            done: Vec::with_capacity(commit.writes.len()),
            hashes: hashes.iter(),
            blob_threshold_bytes,
        }
    }
}

impl Applier<'_> {
    fn run(&mut self, epoch: u64) -> Result<Receipt, Failure> {
        let epoch_before = self.begin()?;
        let first_seq = self.last_seq;
        for (guard, check) in self.commit.guards.iter().enumerate() {
            if !self.holds(check)? {
                return Err(StoreError::Conflict { guard }.into());
            }
        }
        for write in &self.commit.writes {
            let receipt = self.write(write)?;
            self.done.push(receipt);
        }
        let epoch = epoch.cast_signed();
        // What takes no position leaves no trace in the history: trimming an idle root writes nothing.
        let is_history = epoch_before.is_none() || self.last_seq != first_seq;
        if is_history && epoch_before != Some(epoch) {
            self.execute(
                "INSERT INTO epoch(root_id, ordinal, epoch, first_seq, at) SELECT ?1,
                   COALESCE((SELECT MAX(ordinal) FROM epoch WHERE root_id = ?1), 0) + 1, ?2, ?3, ?4",
                params![self.root, epoch, first_seq.to_i64(), self.commit.at.0],
            )?;
        }
        if is_history {
            self.execute(
                "UPDATE root SET last_seq = ?2, epoch = ?3 WHERE root_id = ?1",
                params![self.root, self.last_seq.to_i64(), epoch],
            )?;
            // Where the clock went back, the minute stays the highest so far.
            self.execute(
                "INSERT OR IGNORE INTO tick(root_id, minute, seq) SELECT ?1,
                   MAX(?2, COALESCE((SELECT MAX(minute) FROM tick WHERE root_id = ?1), ?2)), ?3",
                params![self.root, minute(self.commit.at), first_seq.to_i64()],
            )?;
        }
        let receipt = Receipt { last_seq: self.last_seq, writes: std::mem::take(&mut self.done) };
        if let Some(operation) = self.commit.operation {
            self.execute(
                "INSERT OR REPLACE INTO operation(root_id, operation, at, receipt) VALUES(?1, ?2, ?3, ?4)",
                params![self.root, operation.0, self.commit.at.0, store::receipt::encode(&receipt)],
            )?;
        }
        Ok(receipt)
    }

    /// Reads the root's position, or creates the root. Returns the epoch that wrote last.
    fn begin(&mut self) -> Result<Option<i64>, Failure> {
        let found: Option<(i64, i64)> =
            self.one("SELECT last_seq, epoch FROM root WHERE root_id = ?1 AND kind >= 0", [self.root], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        match (found, self.commit.create_root) {
            (Some(_), Some(_)) => Err(CONFLICT.into()),
            (Some((last_seq, epoch)), None) => {
                self.last_seq = Seq::from_i64(last_seq);
                Ok(Some(epoch))
            }
            (None, None) => Err(StoreError::NoRoot(self.commit.root).into()),
            (None, Some(_)) if load::is_loading(self.connection, self.commit.root)? => Err(CONFLICT.into()),
            (None, Some((kind, guid))) => {
                // Should one of that id be on its way out, it goes first.
                while drop_root(self.connection, self.commit.root)? {}
                self.execute(
                    "INSERT INTO root(root_id, kind, guid, last_seq, purged_seq, epoch) VALUES(?1, ?2, ?3, 0, 0, 0)",
                    params![self.root, root_kind_number(kind), guid.0],
                )?;
                Ok(None)
            }
        }
    }

    fn holds(&self, guard: &Guard) -> Result<bool, Failure> {
        Ok(match guard {
            Guard::ItemAt(item, seq) => self.exists(
                "SELECT 1 FROM item WHERE root_id = ?1 AND item_id = ?2 AND seq = ?3",
                params![self.root, item.to_i64(), seq.to_i64()],
            )?,
            Guard::ItemContentAt(item, seq) => self.exists(
                "SELECT 1 FROM item WHERE root_id = ?1 AND item_id = ?2 AND content_seq = ?3",
                params![self.root, item.to_i64(), seq.to_i64()],
            )?,
            Guard::ItemIn(item, collection) => self.exists(
                "SELECT 1 FROM item WHERE root_id = ?1 AND item_id = ?2 AND collection_id = ?3",
                params![self.root, item.to_i64(), collection.to_i64()],
            )?,
            Guard::CollectionAt(collection, seq) => self.exists(
                "SELECT 1 FROM collection WHERE root_id = ?1 AND collection_id = ?2 AND seq = ?3",
                params![self.root, collection.to_i64(), seq.to_i64()],
            )?,
            Guard::CollectionItemsAt(collection, seq) => self.exists(
                "SELECT 1 FROM collection WHERE root_id = ?1 AND collection_id = ?2 AND items_seq = ?3",
                params![self.root, collection.to_i64(), seq.to_i64()],
            )?,
            Guard::CollectionExists(collection) => self.has_collection(*collection)?,
            Guard::CollectionEmpty(collection) => self.exists(
                "SELECT 1 FROM collection WHERE root_id = ?1 AND collection_id = ?2 AND items = 0 AND associated = 0",
                params![self.root, collection.to_i64()],
            )? && !self.has_children(*collection)?,
            Guard::NameFree(scope, name) => !self.exists(
                "SELECT 1 FROM name WHERE root_id = ?1 AND scope = ?2 AND name = ?3",
                params![self.root, scope.cast_signed(), &name[..]],
            )?,
            Guard::NameIs(scope, name, target) => self.exists(
                "SELECT 1 FROM name WHERE root_id = ?1 AND scope = ?2 AND name = ?3 AND target = ?4",
                params![self.root, scope.cast_signed(), &name[..], target.cast_signed()],
            )?,
        })
    }

    fn write(&mut self, write: &Write) -> Result<WriteReceipt, Failure> {
        match write {
            Write::CreateCollection { parent, bag } => self.create_collection(*parent, bag),
            Write::UpdateCollection { collection, bag, parent } => {
                self.update_collection(*collection, bag.as_ref(), *parent)
            }
            Write::DropCollection { collection } => self.drop_collection(*collection),
            Write::CreateItem(NewItem { collection, id, flags, bag, parts }) => {
                self.create_item(*collection, *id, *flags, bag, parts)
            }
            Write::UpdateItem(change) => self.update_item(change),
            Write::DeleteItem { item, note } => self.delete_item(*item, note),
            Write::MoveItem { item, to, id, bag, note } => self.move_item(*item, *to, *id, bag.as_ref(), note),
            Write::CopyItem { item, to, id, bag, flags } => self.copy_item(*item, *to, *id, bag.as_ref(), *flags),
            Write::MarkItem { item, kind, note } => self.mark_item(*item, *kind, note),
            Write::PutName { scope, name, target } => self.put_name(*scope, name, *target),
            Write::DropName { scope, name } => {
                self.execute(
                    "DELETE FROM name WHERE root_id = ?1 AND scope = ?2 AND name = ?3",
                    params![self.root, scope.cast_signed(), &name[..]],
                )?;
                Ok(WriteReceipt::default())
            }
            Write::ChangeKeys { collection, item, drop, put } => self.change_keys(*collection, *item, drop, put),
            Write::DropKeys { collection, field, rows_max } => self.drop_keys(*collection, *field, *rows_max),
            Write::TrimTombstones { before, rows_max } => self.trim(*before, *rows_max),
        }
    }

    fn create_collection(&mut self, parent: Option<CollectionRef>, bag: &Bytes) -> Result<WriteReceipt, Failure> {
        let parent = parent.map(|parent| self.collection(parent)).transpose()?;
        let seq = self.position();
        let collection = CollectionId(seq.0);
        self.execute(
            "INSERT INTO collection(root_id, collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items,
               unread, associated, last_number) VALUES(?1, ?2, ?3, ?2, ?2, ?2, 0, 0, 0, 0, 0)",
            params![self.root, seq.to_i64(), parent.map(CollectionId::to_i64)],
        )?;
        self.put_collection_bag(collection, bag)?;
        self.begin_span(collection, parent, seq)?;
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn update_collection(
        &mut self,
        collection: CollectionId,
        bag: Option<&Bytes>,
        parent: Option<Option<CollectionId>>,
    ) -> Result<WriteReceipt, Failure> {
        if let Some(Some(parent)) = parent {
            self.collection(CollectionRef::Id(parent))?;
        }
        let seq = self.position();
        let changed = self.execute(
            "UPDATE collection SET seq = ?3, items_seq = ?3 WHERE root_id = ?1 AND collection_id = ?2",
            params![self.root, collection.to_i64(), seq.to_i64()],
        )?;
        if changed == 0 {
            return Err(StoreError::NoCollection(collection).into());
        }
        if let Some(bag) = bag {
            self.put_collection_bag(collection, bag)?;
        }
        if let Some(parent) = parent {
            self.execute(
                "UPDATE collection SET parent_id = ?3 WHERE root_id = ?1 AND collection_id = ?2",
                params![self.root, collection.to_i64(), parent.map(CollectionId::to_i64)],
            )?;
            self.end_span(collection, seq)?;
            self.begin_span(collection, parent, seq)?;
        }
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn drop_collection(&mut self, collection: CollectionId) -> Result<WriteReceipt, Failure> {
        self.collection(CollectionRef::Id(collection))?;
        if self.has_children(collection)? {
            return Err(CONFLICT.into());
        }
        let seq = self.position();
        self.drop_items(collection)?;
        let key = params![self.root, collection.to_i64()];
        self.execute("DELETE FROM item_key WHERE root_id = ?1 AND collection_id = ?2", key)?;
        self.execute("DELETE FROM tombstone WHERE root_id = ?1 AND collection_id = ?2", key)?;
        self.execute("DELETE FROM collection WHERE root_id = ?1 AND collection_id = ?2", key)?;
        self.execute("DELETE FROM collection_bag WHERE root_id = ?1 AND collection_id = ?2", key)?;
        self.end_span(collection, seq)?;
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn put_collection_bag(&self, collection: CollectionId, bag: &Bytes) -> Result<(), Failure> {
        self.execute(
            "INSERT INTO collection_bag(root_id, collection_id, bag) VALUES(?1, ?2, ?3)
               ON CONFLICT(root_id, collection_id) DO UPDATE SET bag = excluded.bag",
            params![self.root, collection.to_i64(), &bag[..]],
        )?;
        Ok(())
    }

    fn begin_span(&self, collection: CollectionId, parent: Option<CollectionId>, seq: Seq) -> Result<(), Failure> {
        self.execute(
            "INSERT INTO span(root_id, collection_id, from_seq, parent_id) VALUES(?1, ?2, ?3, ?4)",
            params![self.root, collection.to_i64(), seq.to_i64(), parent.map(CollectionId::to_i64)],
        )?;
        Ok(())
    }

    fn end_span(&self, collection: CollectionId, seq: Seq) -> Result<(), Failure> {
        self.execute(
            "UPDATE span SET to_seq = ?3, ended_at = ?4 WHERE root_id = ?1 AND collection_id = ?2 AND to_seq IS NULL",
            params![self.root, collection.to_i64(), seq.to_i64(), self.commit.at.0],
        )?;
        Ok(())
    }

    fn put_name(&self, scope: u64, name: &Bytes, target: NameTarget) -> Result<WriteReceipt, Failure> {
        let target = match target {
            NameTarget::Id(target) => target,
            NameTarget::Write(index) => {
                let done = self.done.get(index).copied().unwrap_or_default();
                let created = done.item.map(|ItemId(id)| id).or(done.collection.map(|CollectionId(id)| id));
                created.ok_or(BAD_REFERENCE)?
            }
        };
        self.execute(
            "INSERT INTO name(root_id, scope, name, target) VALUES(?1, ?2, ?3, ?4)
               ON CONFLICT(root_id, scope, name) DO UPDATE SET target = excluded.target",
            params![self.root, scope.cast_signed(), &name[..], target.cast_signed()],
        )?;
        Ok(WriteReceipt::default())
    }

    /// The collection meant, which is there.
    fn collection(&self, reference: CollectionRef) -> Result<CollectionId, Failure> {
        let collection = match reference {
            CollectionRef::Id(collection) => collection,
            CollectionRef::Write(index) => {
                self.done.get(index).and_then(|done| done.collection).ok_or(BAD_REFERENCE)?
            }
        };
        if self.has_collection(collection)? { Ok(collection) } else { Err(StoreError::NoCollection(collection).into()) }
    }

    fn has_collection(&self, collection: CollectionId) -> Result<bool, Failure> {
        self.exists(
            "SELECT 1 FROM collection WHERE root_id = ?1 AND collection_id = ?2",
            params![self.root, collection.to_i64()],
        )
    }

    fn has_children(&self, collection: CollectionId) -> Result<bool, Failure> {
        self.exists(
            "SELECT 1 FROM collection WHERE root_id = ?1 AND parent_id = ?2 LIMIT 1",
            params![self.root, collection.to_i64()],
        )
    }

    /// The next position.
    const fn position(&mut self) -> Seq {
        self.last_seq = self.last_seq.next();
        self.last_seq
    }

    fn execute(&self, sql: &str, parameters: impl Params) -> Result<usize, Failure> {
        Ok(self.connection.prepare_cached(sql)?.execute(parameters)?)
    }

    fn exists(&self, sql: &str, parameters: impl Params) -> Result<bool, Failure> {
        Ok(self.connection.prepare_cached(sql)?.exists(parameters)?)
    }

    fn one<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Failure> {
        Ok(self.connection.prepare_cached(sql)?.query_row(parameters, read).optional()?)
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Failure> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(parameters, read)?.collect::<Result<_, _>>()?;
        Ok(rows)
    }
}
