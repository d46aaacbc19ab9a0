//! Writes of keys.

use model::CollectionId;
use store::{CollectionRef, FieldKey, ItemRef, WriteReceipt};

use super::{Applier, BAD_REFERENCE, Refusal};

impl Applier<'_> {
    pub(super) fn change_keys(
        &mut self,
        collection: CollectionId,
        item: ItemRef,
        drop: &[FieldKey],
        put: &[FieldKey],
    ) -> Result<WriteReceipt, Refusal> {
        self.collection(CollectionRef::Id(collection))?;
        let item = match item {
            ItemRef::Id(item) => item,
            ItemRef::Write(index) => self.done.get(index).and_then(|done| done.item).ok_or(BAD_REFERENCE)?,
        };
        let dropped = drop.iter().map(|key| (key, false));
        for (FieldKey { field, value }, is_put) in dropped.chain(put.iter().map(|key| (key, true))) {
            self.overlay.keys.put((collection, *field, value.clone(), item), is_put);
        }
        Ok(WriteReceipt::default())
    }
}
