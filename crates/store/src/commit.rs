//! What a store is asked to write.

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Rope, Seq, Time, limits};

use crate::{FieldKey, ItemRef, RootKind, StoreError, TombstoneKind};

/// One atomic write to one root: first all guards are checked, then all writes are done in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Commit {
    /// The root.
    pub root: RootId,
    /// When, by the engine's clock: kept with tombstones, epochs and the time line of positions.
    pub at: Time,
    /// Names this commit for [`crate::Store::outcome`]. `None` where repeating is harmless.
    pub operation: Option<Guid>,
    /// Creates the root first. The commit then conflicts (with `guard` = `usize::MAX`) when the root is already there.
    pub create_root: Option<(RootKind, Guid)>,
    /// Must all hold.
    pub guards: Vec<Guard>,
    /// At most [`model::limits::COMMIT_WRITES_MAX`].
    pub writes: Vec<Write>,
}

impl Commit {
    /// An empty commit.
    pub const fn new(root: RootId, at: Time) -> Self {
        Self { root, at, operation: None, create_root: None, guards: Vec::new(), writes: Vec::new() }
    }
}

/// What every store checks first.
impl Commit {
    /// Whether the commit keeps the bounds of the port. Costs its writes; reads nothing.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when there are too many writes or a bag, part or key is too
    /// large.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.writes.len() > limits::COMMIT_WRITES_MAX {
            return Err(StoreError::TooLarge("writes of one commit"));
        }
        if self.writes.iter().filter_map(Write::bag).any(|bag| bag.len() > limits::BAG_BYTES_MAX) {
            return Err(StoreError::TooLarge("a property bag"));
        }
        if self.writes.iter().flat_map(Write::parts).any(|part| part.bytes.len() > limits::PART_BYTES_MAX) {
            return Err(StoreError::TooLarge("a part"));
        }
        for keys in self.writes.iter().filter_map(Write::keys) {
            if keys.iter().map(|keys| keys.len()).sum::<usize>() > limits::KEYS_OF_WRITE_MAX {
                return Err(StoreError::TooLarge("keys of one write"));
            }
            if keys.into_iter().flatten().any(|key| key.value.len() > limits::KEY_VALUE_BYTES_MAX) {
                return Err(StoreError::TooLarge("a key"));
            }
        }
        Ok(())
    }
}

/// A precondition of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// The item is there and its latest change is at this position.
    ItemAt(ItemId, Seq),
    /// The item is there and its content is of this position; its read flag may have moved since.
    ItemContentAt(ItemId, Seq),
    /// The item is there and lies in this collection.
    ItemIn(ItemId, CollectionId),
    /// The collection is there and its own latest change is at this position.
    CollectionAt(CollectionId, Seq),
    /// The collection is there and the latest change of itself or of any of its items is at this position.
    CollectionItemsAt(CollectionId, Seq),
    /// The collection is there.
    CollectionExists(CollectionId),
    /// The collection is there and holds no collection and no item.
    CollectionEmpty(CollectionId),
    /// No target is kept under this name.
    NameFree(u64, Bytes),
    /// This target is kept under this name.
    NameIs(u64, Bytes, u64),
}

/// A collection by id, or the one that an earlier write of the same commit created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectionRef {
    /// By id.
    Id(CollectionId),
    /// Created by the write with this index in the same commit.
    Write(usize),
}

impl From<CollectionId> for CollectionRef {
    fn from(id: CollectionId) -> Self {
        Self::Id(id)
    }
}

/// How a new item gets its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewItemId {
    /// The position of its creation (mailboxes).
    Seq,
    /// [`ItemId::in_list`] with the collection's next number, which is never given again (lists).
    Numbered,
    /// This id: an item that comes back. Where it is taken the commit conflicts (with `guard` = `usize::MAX`). A number
    /// of the target list above its last one becomes the last one, so that it is not given again. The tombstones that
    /// say of this id that it went from the target collection go in the same commit, and the item takes their earliest
    /// `created_seq`: whoever may have known it still sees that. Marks stay. Costs the tombstones of the collection.
    ///
    /// That it was away meanwhile cannot be seen any more. So this is for lists, whose readers take rows as they are; in
    /// a mailbox an item that comes back gets a new id.
    Given(ItemId),
}

/// The bytes of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartData {
    /// Its number.
    pub part: u32,
    /// Its bytes.
    pub bytes: Rope,
}

/// A new item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    /// Where.
    pub collection: CollectionRef,
    /// Under which id.
    pub id: NewItemId,
    /// With which flags.
    pub flags: ItemFlags,
    /// With which properties: an encoded [`model::Bag`].
    pub bag: Bytes,
    /// With which parts.
    pub parts: Vec<PartData>,
}

/// A change of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartChange {
    /// Sets a part, new or not.
    Put(PartData),
    /// Removes a part, if it is there.
    Remove(u32),
    /// Removes all parts that are there before the changes that follow.
    Clear,
}

/// A change of an item in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemChange {
    /// Which.
    pub item: ItemId,
    /// The flags it gets; `None` leaves them. A change of [`ItemFlags::ASSOCIATED`] takes two positions, so that every
    /// entry of a change range has one of its own: a tombstone of kind [`TombstoneKind::Rescoped`] stands at the first,
    /// the item at the second, which it also gets as `created_seq`.
    pub flags: Option<ItemFlags>,
    /// The bag it gets; `None` leaves it untouched.
    pub bag: Option<Bytes>,
    /// Changes of its parts, in order.
    pub parts: Vec<PartChange>,
    /// Whether more than the read flag changes: moves `content_seq`. True whenever `bag` or `parts` say something or a
    /// flag other than the read flag changes.
    pub content: bool,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Creates a collection and begins its first span. Takes one position, which becomes its id.
    CreateCollection {
        /// Where.
        parent: Option<CollectionRef>,
        /// An encoded [`model::Bag`].
        bag: Bytes,
    },
    /// Changes a collection. Takes one position.
    UpdateCollection {
        /// Which.
        collection: CollectionId,
        /// The bag it gets; `None` leaves it.
        bag: Option<Bytes>,
        /// The parent it moves under; `None` leaves it. Ends its span and begins another. The caller makes sure that
        /// no circle arises.
        parent: Option<Option<CollectionId>>,
    },
    /// Removes a collection with its items, keys and tombstones and ends its span. Its children must be gone: the caller
    /// removes them first, or the commit conflicts (with `guard` = `usize::MAX`). Takes one position. Costs its items.
    DropCollection {
        /// Which.
        collection: CollectionId,
    },
    /// Creates an item. Takes one position.
    CreateItem(NewItem),
    /// Changes an item in its place. Takes one position, or two where its scope changes; see [`ItemChange::flags`].
    UpdateItem(ItemChange),
    /// Removes an item and its parts and leaves a tombstone. Takes one position.
    DeleteItem {
        /// Which.
        item: ItemId,
        /// What the tombstone says.
        note: Bytes,
    },
    /// Moves an item to another collection, where it is a new one; leaves a tombstone. Takes two positions: the
    /// tombstone's, then the new item's. The parts move along.
    MoveItem {
        /// Which.
        item: ItemId,
        /// Whereto.
        to: CollectionRef,
        /// The id it gets there.
        id: NewItemId,
        /// The bag it gets; `None` keeps it.
        bag: Option<Bytes>,
        /// What the tombstone says.
        note: Bytes,
    },
    /// Copies an item to a collection, parts included. Takes one position.
    CopyItem {
        /// Which.
        item: ItemId,
        /// Whereto.
        to: CollectionRef,
        /// The id of the copy.
        id: NewItemId,
        /// The bag of the copy; `None` for the same.
        bag: Option<Bytes>,
        /// The flags of the copy; `None` for the same.
        flags: Option<ItemFlags>,
    },
    /// Leaves a mark of this kind in the change range of the item's collection; the item itself is not touched. Takes
    /// one position. Used before an update that clients must hear of by name (Rename, Restore, SystemUpdate).
    MarkItem {
        /// Which.
        item: ItemId,
        /// [`TombstoneKind::Renamed`], [`TombstoneKind::Restored`] or [`TombstoneKind::SystemUpdated`].
        kind: TombstoneKind,
        /// What the mark says.
        note: Bytes,
    },
    /// Keeps a target under a name, replacing the one that was there. Takes no position.
    PutName {
        /// The space of names; the engine gives it its meaning.
        scope: u64,
        /// The name.
        name: Bytes,
        /// A number of the engine's, or the id of the collection or item that an earlier write created.
        target: NameTarget,
    },
    /// Forgets a name, if it is kept. Takes no position.
    DropName {
        /// The space of names.
        scope: u64,
        /// The name.
        name: Bytes,
    },
    /// Changes keys of an item. Takes no position. A key to drop that is not there is passed over, as is one to put that
    /// is there. Keys are not looked at when an item changes, moves or goes: the writer says what becomes of them.
    ChangeKeys {
        /// The collection in whose order the item stands; it must be there.
        collection: CollectionId,
        /// Which item.
        item: ItemRef,
        /// Keys it has no more. With `put` at most [`model::limits::KEYS_OF_WRITE_MAX`].
        drop: Vec<FieldKey>,
        /// Keys it has from now on.
        put: Vec<FieldKey>,
    },
    /// Removes up to `rows_max` keys of a field. Takes no position.
    DropKeys {
        /// Of which collection.
        collection: CollectionId,
        /// Of which field.
        field: u32,
        /// At most so many.
        rows_max: usize,
    },
    /// Removes up to `rows_max` tombstones (and ended spans) older than `before`, in order of position, and moves
    /// `purged_seq` of the collections (and of the root, for spans) to the highest one removed. Removes also the epochs
    /// that were over before `before`, which do not count as rows: all before the last one that began earlier. Takes no
    /// position.
    TrimTombstones {
        /// Those that went before this time.
        before: Time,
        /// At most so many.
        rows_max: usize,
    },
}

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameTarget {
    /// A number.
    Id(u64),
    /// The id of the collection or item that the write with this index created.
    Write(usize),
}

/// What a commit did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The root's last position after the commit.
    pub last_seq: Seq,
    /// One entry a write, in order.
    pub writes: Vec<WriteReceipt>,
}

/// What one write did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteReceipt {
    /// The (last) position it took; 0 when it took none.
    pub seq: Seq,
    /// The collection it created or changed.
    pub collection: Option<CollectionId>,
    /// The item it created or changed; for a move and a copy the new one.
    pub item: Option<ItemId>,
    /// Rows that were removed, for [`Write::TrimTombstones`] and [`Write::DropKeys`].
    pub rows: u64,
}

impl Receipt {
    /// The entry of the write with this index.
    pub fn write(&self, index: usize) -> WriteReceipt {
        self.writes.get(index).copied().unwrap_or_default()
    }
}

/// The kind of tombstone a write leaves, if any.
impl Write {
    /// See [`TombstoneKind`].
    pub const fn tombstone(&self) -> Option<TombstoneKind> {
        match self {
            Self::DeleteItem { .. } => Some(TombstoneKind::Deleted),
            Self::MoveItem { .. } => Some(TombstoneKind::Moved),
            Self::MarkItem { kind, .. } => Some(*kind),
            Self::CreateCollection { .. }
            | Self::UpdateCollection { .. }
            | Self::DropCollection { .. }
            | Self::CreateItem(_)
            | Self::UpdateItem(_)
            | Self::CopyItem { .. }
            | Self::PutName { .. }
            | Self::DropName { .. }
            | Self::ChangeKeys { .. }
            | Self::DropKeys { .. }
            | Self::TrimTombstones { .. } => None,
        }
    }
}

/// What a write carries.
impl Write {
    /// The bag it writes, if any.
    const fn bag(&self) -> Option<&Bytes> {
        match self {
            Self::CreateCollection { bag, .. } | Self::CreateItem(NewItem { bag, .. }) => Some(bag),
            Self::UpdateCollection { bag, .. }
            | Self::UpdateItem(ItemChange { bag, .. })
            | Self::MoveItem { bag, .. }
            | Self::CopyItem { bag, .. } => bag.as_ref(),
            Self::DropCollection { .. }
            | Self::DeleteItem { .. }
            | Self::MarkItem { .. }
            | Self::PutName { .. }
            | Self::DropName { .. }
            | Self::ChangeKeys { .. }
            | Self::DropKeys { .. }
            | Self::TrimTombstones { .. } => None,
        }
    }

    /// The keys it drops and those it puts.
    const fn keys(&self) -> Option<[&Vec<FieldKey>; 2]> {
        if let Self::ChangeKeys { drop, put, .. } = self { Some([drop, put]) } else { None }
    }

    /// The parts it writes.
    fn parts(&self) -> impl Iterator<Item = &PartData> {
        let (new, changed): (&[PartData], &[PartChange]) = match self {
            Self::CreateItem(item) => (&item.parts, &[]),
            Self::UpdateItem(change) => (&[], &change.parts),
            Self::CreateCollection { .. }
            | Self::UpdateCollection { .. }
            | Self::DropCollection { .. }
            | Self::DeleteItem { .. }
            | Self::MarkItem { .. }
            | Self::MoveItem { .. }
            | Self::CopyItem { .. }
            | Self::PutName { .. }
            | Self::DropName { .. }
            | Self::ChangeKeys { .. }
            | Self::DropKeys { .. }
            | Self::TrimTombstones { .. } => (&[], &[]),
        };
        new.iter().chain(changed.iter().filter_map(|change| match change {
            PartChange::Put(part) => Some(part),
            PartChange::Remove(_) | PartChange::Clear => None,
        }))
    }
}
