//! What a store gives back.

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};

/// What a root is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RootKind {
    /// Accounts and sites.
    Control,
    /// A mailbox.
    Mailbox,
    /// A site collection.
    Site,
}

/// A root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootRow {
    /// Its id.
    pub root: RootId,
    /// What it is.
    pub kind: RootKind,
    /// Its GUID, given when it was created: the mailbox GUID or the site id.
    pub guid: Guid,
    /// The position of its latest write.
    pub last_seq: Seq,
    /// The latest start that took a position of it: the last of [`crate::Snapshot::epochs`].
    pub epoch: u64,
    /// Tokens of folders that were deleted at or before this position can no longer be served.
    pub purged_seq: Seq,
}

/// A stretch of a root's history that was written after one start of the store. See [`crate::Snapshot::epochs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Random, chosen when the store was started (opened while no other process had it open).
    pub epoch: u64,
    /// The root's last position when this start first took one (0 for a root it created).
    pub first_seq: Seq,
    /// When that was.
    pub at: Time,
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionRow {
    /// Its id; equal to `created_seq`.
    pub collection: CollectionId,
    /// The collection it lies in; `None` for a top one.
    pub parent: Option<CollectionId>,
    /// Position of the latest change of the collection itself (name, parent, schema…), not of its items.
    pub seq: Seq,
    /// Position of its creation.
    pub created_seq: Seq,
    /// Position of the latest change of itself or of any of its items.
    pub items_seq: Seq,
    /// Tombstones at or before this position are gone: older tokens cannot be served.
    pub purged_seq: Seq,
    /// Items that are not associated.
    pub items: u64,
    /// Items that are neither associated nor read.
    pub unread: u64,
    /// Associated items.
    pub associated: u64,
    /// The last number given to an item by [`crate::NewItemId::Numbered`].
    pub last_number: u32,
    /// Its properties: an encoded [`model::Bag`].
    pub bag: Bytes,
}

/// Which parts of an item a read returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Want {
    /// The property bag.
    pub bag: bool,
}

impl TombstoneKind {
    /// Whether the item is gone from where it was, or the entry is a mark of an item that stands.
    pub const fn is_end(self) -> bool {
        match self {
            Self::Deleted | Self::Moved | Self::Rescoped => true,
            Self::Renamed | Self::Restored | Self::SystemUpdated => false,
        }
    }
}

impl Want {
    /// The hot row alone.
    pub const HOT: Self = Self { bag: false };
    /// The hot row and the bag.
    pub const BAG: Self = Self { bag: true };
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// Its id.
    pub item: ItemId,
    /// The collection it lies in.
    pub collection: CollectionId,
    /// Position of its latest change.
    pub seq: Seq,
    /// Position at which it came into its collection and scope.
    pub created_seq: Seq,
    /// Position of its latest change that was more than the read flag.
    pub content_seq: Seq,
    /// Its flags.
    pub flags: ItemFlags,
    /// Its properties (an encoded [`model::Bag`]) where [`Want::bag`] asked for them; empty otherwise.
    pub bag: Bytes,
}

/// Why an item is no longer where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TombstoneKind {
    /// Deleted.
    Deleted,
    /// Moved to another collection; the note may say where.
    Moved,
    /// It changed its scope (associated or not) and stands on under the same id.
    Rescoped,
    /// Not gone: its name changed at this position ([`crate::Write::MarkItem`]).
    Renamed,
    /// Not gone: it came back from deletion at this position ([`crate::Write::MarkItem`]).
    Restored,
    /// Not gone: it was changed by the system at this position ([`crate::Write::MarkItem`]).
    SystemUpdated,
}

/// What is left of an item that went, or a mark of something that befell an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The item's id.
    pub item: ItemId,
    /// Position of its going.
    pub seq: Seq,
    /// The `created_seq` it had.
    pub created_seq: Seq,
    /// The flags it had.
    pub flags: ItemFlags,
    /// Why it went.
    pub kind: TombstoneKind,
    /// When it went.
    pub at: Time,
    /// For [`TombstoneKind::Moved`], where it went: the store fills it in.
    pub moved_to: Option<(CollectionId, ItemId)>,
    /// What the writer noted for later readers, for instance an encoded [`model::Bag`] with the UniqueId.
    pub note: Bytes,
}

/// An entry of a change range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeRow {
    /// The item stands at this position.
    Item(ItemRow),
    /// The item went at this position.
    Gone(Tombstone),
}

impl ChangeRow {
    /// The position of the entry.
    pub const fn seq(&self) -> Seq {
        match self {
            Self::Item(row) => row.seq,
            Self::Gone(row) => row.seq,
        }
    }
}

/// Rows and whether there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// In the order of the read.
    pub rows: Vec<T>,
    /// Whether the range goes on behind the last row.
    pub more: bool,
}

/// A part of an item without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number; the engine gives them their meaning.
    pub part: u32,
    /// Its length.
    pub size_bytes: u64,
}

/// A stretch of a folder's life under one parent. Folders keep their spans, so that membership under a folder can be
/// computed at an older position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The folder.
    pub collection: CollectionId,
    /// Its parent during the span.
    pub parent: Option<CollectionId>,
    /// The position at which it began.
    pub from_seq: Seq,
    /// The position at which it ended: the move or the deletion. `None` while it lasts.
    pub to_seq: Option<Seq>,
}
