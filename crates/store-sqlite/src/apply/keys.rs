//! Writes of keys.

use model::CollectionId;
use rusqlite::params;
use store::{CollectionRef, FieldKey, ItemRef, WriteReceipt};

use super::{Applier, BAD_REFERENCE};
use crate::failure::Failure;

/// Keys that one write removes, whatever it asks for.
const DROP_ROWS_MAX: usize = 100_000;

impl Applier<'_> {
    pub(super) fn change_keys(
        &self,
        collection: CollectionId,
        item: ItemRef,
        drop: &[FieldKey],
        put: &[FieldKey],
    ) -> Result<WriteReceipt, Failure> {
        self.collection(CollectionRef::Id(collection))?;
        let item = match item {
            ItemRef::Id(item) => item,
            ItemRef::Write(index) => self.done.get(index).and_then(|done| done.item).ok_or(BAD_REFERENCE)?,
        };
        for FieldKey { field, value } in drop {
            self.execute(
                "DELETE FROM item_key WHERE root_id = ?1 AND collection_id = ?2 AND field = ?3 AND value = ?4
                   AND item_id = ?5",
                params![self.root, collection.to_i64(), field, &value[..], item.to_i64()],
            )?;
        }
        for FieldKey { field, value } in put {
            self.execute(
                "INSERT OR IGNORE INTO item_key(root_id, collection_id, field, value, item_id)
                   VALUES(?1, ?2, ?3, ?4, ?5)",
                params![self.root, collection.to_i64(), field, &value[..], item.to_i64()],
            )?;
        }
        Ok(WriteReceipt::default())
    }

    pub(super) fn drop_keys(
        &self,
        collection: CollectionId,
        field: u32,
        rows_max: usize,
    ) -> Result<WriteReceipt, Failure> {
        let rows = self.execute(
            "DELETE FROM item_key WHERE root_id = ?1 AND collection_id = ?2 AND field = ?3 AND (value, item_id) IN (
               SELECT value, item_id FROM item_key WHERE root_id = ?1 AND collection_id = ?2 AND field = ?3 LIMIT ?4)",
            params![self.root, collection.to_i64(), field, rows_max.min(DROP_ROWS_MAX) as i64],
        )?;
        Ok(WriteReceipt { rows: rows as u64, ..WriteReceipt::default() })
    }
}
