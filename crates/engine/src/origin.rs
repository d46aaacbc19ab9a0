//! How an item came to lie where it does: noted in its bag by whatever put it there otherwise than by making it, so that
//! a notification says that it arrived, was moved or was copied, however long after.

use bytes::Bytes;
use model::{Bag, BagRef, CollectionId, ItemId, PropertyKey, Time, Value, sets};
use store::ItemRow;

/// In the bag of an item: how it came there, Binary. See [`Origin`].
const ORIGIN: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x16);

const ARRIVED: u8 = 1;
const MOVED: u8 = 2;
const COPIED: u8 = 3;

/// How an item came, and when. It is noted anew by every move and copy, so it is never that of another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// How.
    pub(crate) way: Way,
    /// When.
    pub(crate) at: Time,
}

/// How an item came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As mail.
    Arrived,
    /// From another folder, where it had another id.
    Moved(CollectionId, ItemId),
    /// As the copy of an item.
    Copied(CollectionId, ItemId),
}

impl Origin {
    /// Notes it in a bag.
    pub(crate) fn note(self, bag: &mut Bag) {
        let (kind, folder, item) = match self.way {
            Way::Arrived => (ARRIVED, 0, 0),
            Way::Moved(folder, item) => (MOVED, folder.0, item.0),
            Way::Copied(folder, item) => (COPIED, folder.0, item.0),
        };
        let mut bytes = vec![kind];
        bytes.extend(self.at.0.to_le_bytes());
        bytes.extend(folder.to_le_bytes());
        bytes.extend(item.to_le_bytes());
        bag.set(ORIGIN, Value::binary(bytes));
    }

    /// Forgets it.
    pub(crate) fn forget(bag: &mut Bag) {
        bag.remove(&ORIGIN);
    }

    /// What is noted in the bag of a row; `None` for an item that was made in its place.
    pub(crate) fn of(bag: BagRef<'_>) -> Option<Self> {
        let value = bag.get(&ORIGIN)?;
        let (kind, rest) = value.as_binary()?.split_first()?;
        let [at, folder, item] = rest.as_chunks::<8>().0 else { return None };
        let (folder, item) = (CollectionId(u64::from_le_bytes(*folder)), ItemId(u64::from_le_bytes(*item)));
        let way = match *kind {
            ARRIVED => Way::Arrived,
            MOVED => Way::Moved(folder, item),
            COPIED => Way::Copied(folder, item),
            _ => return None,
        };
        Some(Self { way, at: Time(i64::from_le_bytes(*at)) })
    }

    /// That of an item which is moved away from its row now.
    pub(crate) const fn moved(row: &ItemRow, at: Time) -> Self {
        Self { way: Way::Moved(row.collection, row.item), at }
    }

    /// That of the copy of a row.
    pub(crate) const fn copied(row: &ItemRow, at: Time) -> Self {
        Self { way: Way::Copied(row.collection, row.item), at }
    }

    /// The bag of a row with this noted; `None` for one that cannot be read, which goes as it is.
    pub(crate) fn noted(self, row: &ItemRow) -> Option<Bytes> {
        let mut bag = Bag::decode(&row.bag).ok()?;
        self.note(&mut bag);
        Some(bag.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read() {
        let at = Time(133_000_000_000_000_001);
        let (folder, item) = (CollectionId(7), ItemId(1 << 40));
        for way in [Way::Arrived, Way::Moved(folder, item), Way::Copied(folder, item)] {
            let mut bag = Bag::new();
            Origin { way, at }.note(&mut bag);
            let bytes = bag.to_bytes();
            assert_eq!(Origin::of(BagRef::new(&bytes).unwrap()), Some(Origin { way, at }));
            Origin::forget(&mut bag);
            assert!(bag.is_empty());
        }
        assert_eq!(Origin::of(BagRef::EMPTY), None);
    }
}
