//! Keys: where the items of a collection stand in the order of one of its fields.
//!
//! What a field is and how its values become bytes is the engine's to say; a store orders bytes. A key is of an item
//! only because a write said so: the store neither derives keys from bags nor removes those of an item that goes, save
//! that the keys of a collection go with it.

use std::ops::Bound;

use bytes::Bytes;
use model::ItemId;

/// A key of some item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldKey {
    /// The field, numbered inside its collection.
    pub field: u32,
    /// Its value; keys are in the order of these bytes. At most [`model::limits::KEY_VALUE_BYTES_MAX`].
    pub value: Bytes,
}

/// An item by id, or the one that an earlier write of the same commit created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemRef {
    /// By id.
    Id(ItemId),
    /// Created (or moved, or copied) by the write with this index in the same commit.
    Write(usize),
}

impl From<ItemId> for ItemRef {
    fn from(id: ItemId) -> Self {
        Self::Id(id)
    }
}

/// A stretch of the values of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// Where it begins.
    pub from: Bound<Bytes>,
    /// Where it ends.
    pub to: Bound<Bytes>,
}

impl KeyRange {
    /// All values.
    pub const ALL: Self = Self { from: Bound::Unbounded, to: Bound::Unbounded };

    /// One value.
    pub fn point(value: Bytes) -> Self {
        Self { from: Bound::Included(value.clone()), to: Bound::Included(value) }
    }

    /// The value, where the stretch is one value.
    pub fn as_point(&self) -> Option<&Bytes> {
        match (&self.from, &self.to) {
            (Bound::Included(from), Bound::Included(to)) if from == to => Some(from),
            (Bound::Included(_) | Bound::Excluded(_) | Bound::Unbounded, _) => None,
        }
    }

    /// Whether a value lies in it.
    pub fn contains(&self, value: &[u8]) -> bool {
        let begins = match &self.from {
            Bound::Included(from) => value >= &from[..],
            Bound::Excluded(from) => value > &from[..],
            Bound::Unbounded => true,
        };
        let ends = match &self.to {
            Bound::Included(to) => value <= &to[..],
            Bound::Excluded(to) => value < &to[..],
            Bound::Unbounded => true,
        };
        begins && ends
    }
}

/// Which way keys are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest value first; of one value, the smallest id first.
    Ascending,
    /// The same from its end.
    Descending,
}
