//! Writes of parts of items.

use model::ItemId;
use store::{PartData, StoreError};

use super::{Applier, Content, Part, Refusal, Source};
use crate::large::Hash;

impl Applier<'_> {
    /// Sets a part. `number` is its place in its write.
    pub(super) fn put_part(&mut self, item: ItemId, number: usize, part: &PartData) -> Result<(), Refusal> {
        self.drop_part(item, part.part)?;
        let content = match self.hashes.get(&(self.index, number)) {
            Some(hash) => {
                self.refer(*hash, 1);
                Content::Large(*hash)
            }
            None => {
                let bytes = part.bytes.to_bytes().map_err(|error| StoreError::TryAgain(error.to_string()))?;
                Content::Inline(Source::New(bytes))
            }
        };
        self.overlay.parts.put((item, part.part), Part { size: part.bytes.len() as i64, content });
        Ok(())
    }

    pub(super) fn drop_part(&mut self, item: ItemId, part: u32) -> Result<(), Refusal> {
        self.know_parts(item)?;
        let gone = self.overlay.parts.take(&(item, part));
        if let Some(Part { content: Content::Large(hash), .. }) = gone {
            self.refer(hash, -1);
        }
        Ok(())
    }

    pub(super) fn drop_parts(&mut self, item: ItemId) -> Result<(), Refusal> {
        for (part, _) in self.parts(item)? {
            self.drop_part(item, part)?;
        }
        Ok(())
    }

    /// All parts of an item go under a new id.
    pub(super) fn move_parts(&mut self, item: ItemId, new: ItemId) -> Result<(), Refusal> {
        let parts = self.parts(item)?;
        for (part, _) in &parts {
            self.overlay.parts.take(&(item, *part));
        }
        self.settle_parts(new, parts)
    }

    /// All parts of an item also come under a new id.
    pub(super) fn copy_parts(&mut self, item: ItemId, new: ItemId) -> Result<(), Refusal> {
        let parts = self.parts(item)?;
        for (_, part) in &parts {
            if let Content::Large(hash) = part.content {
                self.refer(hash, 1);
            }
        }
        self.settle_parts(new, parts)
    }

    fn settle_parts(&mut self, item: ItemId, parts: Vec<(u32, Part)>) -> Result<(), Refusal> {
        self.overlay.parts_known.insert(item);
        for (number, part) in parts {
            if let Content::Inline(Source::Stored(origin)) = part.content
                && origin != item
                && self.overlay.parts.has_base(&(item, number))
            {
                // The part that lies under its id has to go before that of another comes there.
                return Err(Refusal::Alone);
            }
            self.overlay.parts.put((item, number), part);
        }
        Ok(())
    }

    fn know_parts(&self, item: ItemId) -> Result<(), Refusal> {
        super::find(self.overlay.parts_known.get(&item), "parts of an item").map(|_| ())
    }

    fn parts(&self, item: ItemId) -> Result<Vec<(u32, Part)>, Refusal> {
        self.know_parts(item)?;
        let parts = self.overlay.parts.range((item, 0), (item, u32::MAX));
        Ok(parts.map(|((_, number), part)| (*number, part.clone())).collect())
    }

    fn refer(&mut self, hash: Hash, by: i64) {
        let before = self.overlay.references.get(&hash).flatten().copied().unwrap_or(0);
        self.overlay.references.put(hash, before + by);
    }
}
