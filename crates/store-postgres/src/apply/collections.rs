//! Writes of collections and their spans.

use bytes::Bytes;
use model::{CollectionId, Seq};
use store::{CollectionRef, WriteReceipt};

use super::{Applier, Collection, NewSpan, Refusal};

impl Applier<'_> {
    pub(super) fn create_collection(
        &mut self,
        parent: Option<CollectionRef>,
        bag: &Bytes,
    ) -> Result<WriteReceipt, Refusal> {
        let parent = parent.map(|parent| self.collection(parent)).transpose()?;
        let seq = self.position();
        let collection = CollectionId(seq.0);
        let row = Collection {
            parent,
            seq,
            created_seq: seq,
            items_seq: seq,
            items: 0,
            unread: 0,
            associated: 0,
            last_number: 0,
        };
        self.overlay.collections.put(collection, row);
        self.overlay.collection_bags.put(collection, bag.clone());
        self.begin_span(collection, parent, seq);
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    pub(super) fn update_collection(
        &mut self,
        collection: CollectionId,
        bag: Option<&Bytes>,
        parent: Option<Option<CollectionId>>,
    ) -> Result<WriteReceipt, Refusal> {
        if let Some(Some(parent)) = parent {
            self.collection(CollectionRef::Id(parent))?;
        }
        let row = self.collection_row(collection)?;
        let seq = self.position();
        let new = Collection { seq, items_seq: seq, parent: parent.unwrap_or(row.parent), ..row };
        self.overlay.collections.put(collection, new);
        if let Some(bag) = bag {
            self.overlay.collection_bags.put(collection, bag.clone());
        }
        if let Some(parent) = parent {
            self.end_span(collection, row.parent, seq);
            self.begin_span(collection, parent, seq);
        }
        Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
    }

    fn begin_span(&mut self, collection: CollectionId, parent: Option<CollectionId>, seq: Seq) {
        self.overlay.spans.put((collection, seq), NewSpan { parent, end: None });
        self.overlay.families.extend(parent);
    }

    fn end_span(&mut self, collection: CollectionId, parent: Option<CollectionId>, seq: Seq) {
        self.overlay.families.extend(parent);
        let begun = self.overlay.spans.range((collection, Seq::ZERO), (collection, Seq(u64::MAX))).last();
        match begun.map(|(key, span)| (*key, *span)) {
            Some((key, span)) => self.overlay.spans.put(key, NewSpan { end: Some((seq, self.at)), ..span }),
            None => self.overlay.ended.put(collection, (seq, self.at)),
        }
    }

    /// Counts items in or out of a collection, of which something is at `seq` now.
    pub(super) fn count(&mut self, collection: CollectionId, seq: Seq, by: super::items::Tally) -> Result<(), Refusal> {
        let row = self.collection_row(collection)?;
        let new = Collection {
            items_seq: seq,
            items: row.items + by.items,
            unread: row.unread + by.unread,
            associated: row.associated + by.associated,
            ..row
        };
        self.overlay.collections.put(collection, new);
        Ok(())
    }
}
