//! What a group of commits knows of its root and changes in it.
//!
//! The rows were read under the lock of the root's row, so nobody else changes them before the group is written.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, Seq, Time};
use store::{Receipt, RootKind, TombstoneKind};

use super::table::Table;
use crate::large::Hash;

/// A root as its row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    /// Its last position.
    pub(crate) last_seq: Seq,
    /// The epoch that wrote last; `None` before the first.
    pub(crate) epoch: Option<i64>,
}

/// A stretch of a root's history that begins with this group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewEpoch {
    pub(crate) epoch: i64,
    pub(crate) first_seq: Seq,
    pub(crate) at: Time,
}

/// The numbers of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collection {
    pub(crate) parent: Option<CollectionId>,
    pub(crate) seq: Seq,
    pub(crate) created_seq: Seq,
    pub(crate) items_seq: Seq,
    pub(crate) items: i64,
    pub(crate) unread: i64,
    pub(crate) associated: i64,
    pub(crate) last_number: i64,
}

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// They lie in the database already, under this item.
    Stored(ItemId),
    /// They are new.
    New(Bytes),
}

/// The hot row of an item, and its bag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) collection: CollectionId,
    pub(crate) seq: Seq,
    pub(crate) created_seq: Seq,
    pub(crate) content_seq: Seq,
    pub(crate) flags: ItemFlags,
    pub(crate) bag: Source,
}

/// A part of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) size: i64,
    pub(crate) content: Content,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// In its row.
    Inline(Source),
    /// Outside of it, counted in `blob_ref`.
    Large(Hash),
}

/// A tombstone or mark. Of those that were loaded the note is not there: they can only go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grave {
    pub(crate) item: ItemId,
    pub(crate) created_seq: Seq,
    pub(crate) flags: ItemFlags,
    pub(crate) kind: TombstoneKind,
    pub(crate) at: Time,
    pub(crate) moved_to: Option<(CollectionId, ItemId)>,
    pub(crate) note: Bytes,
}

/// A span that this group began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewSpan {
    pub(crate) parent: Option<CollectionId>,
    pub(crate) end: Option<(Seq, Time)>,
}

/// The receipt of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) at: Time,
    pub(crate) receipt: Receipt,
}

/// See the module. What is not in a table is unknown; see [`Table`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Overlay {
    /// As the database has it; `None` where there is no such root.
    pub(crate) root_base: Option<Root>,
    /// As it is to become.
    pub(crate) root: Option<Root>,
    /// What it is, where it is new.
    pub(crate) created: Option<(RootKind, Guid)>,
    pub(crate) new_epoch: Option<NewEpoch>,
    /// A minute at or after which nothing needs to be noted in the time line up to here, if one is known.
    pub(crate) minute: Option<i64>,
    /// Entries of the time line, in order.
    pub(crate) ticks: Vec<(i64, Seq)>,
    pub(crate) collections: Table<CollectionId, Collection>,
    /// Bags of collections that change.
    pub(crate) collection_bags: Table<CollectionId, Bytes>,
    /// Whether collections that guards ask about held others when the group began.
    pub(crate) had_children: BTreeMap<CollectionId, bool>,
    /// Collections that got or lost others since.
    pub(crate) families: BTreeSet<CollectionId>,
    pub(crate) spans: Table<(CollectionId, Seq), NewSpan>,
    /// Ends of the spans that lasted when the group began.
    pub(crate) ended: Table<CollectionId, (Seq, Time)>,
    pub(crate) items: Table<ItemId, Item>,
    /// Items all parts of which are known.
    pub(crate) parts_known: BTreeSet<ItemId>,
    pub(crate) parts: Table<(ItemId, u32), Part>,
    /// By how much references to large parts grow or shrink.
    pub(crate) references: Table<Hash, i64>,
    pub(crate) graves: Table<(CollectionId, Seq), Grave>,
    /// What names lead to; `None` inside where one goes.
    pub(crate) names: Table<(u64, Bytes), u64>,
    /// Names that change, loaded or not.
    pub(crate) names_changed: Table<(u64, Bytes), Option<u64>>,
    /// Keys that are put (true) or dropped (false).
    pub(crate) keys: Table<(CollectionId, u32, Bytes, ItemId), bool>,
    pub(crate) operations: Table<Guid, Operation>,
    /// The latest time of a commit.
    pub(crate) at: Time,
}

/// A state that [`Overlay::roll_back`] can come back to.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    root: Option<Root>,
    created: Option<(RootKind, Guid)>,
    new_epoch: Option<NewEpoch>,
    ticks: usize,
    tables: [usize; 12],
}

impl Overlay {
    /// The state now.
    pub(crate) fn mark(&self) -> Mark {
        let tables = [
            self.collections.mark(),
            self.collection_bags.mark(),
            self.spans.mark(),
            self.ended.mark(),
            self.items.mark(),
            self.parts.mark(),
            self.references.mark(),
            self.graves.mark(),
            self.names.mark(),
            self.names_changed.mark(),
            self.keys.mark(),
            self.operations.mark(),
        ];
        Mark { root: self.root, created: self.created, new_epoch: self.new_epoch, ticks: self.ticks.len(), tables }
    }

    /// Undoes what was done since the mark.
    pub(crate) fn roll_back(&mut self, mark: &Mark) {
        let [collections, bags, spans, ended, items, parts, references, graves, names, changed, keys, operations] =
            mark.tables;
        (self.root, self.created, self.new_epoch) = (mark.root, mark.created, mark.new_epoch);
        self.ticks.truncate(mark.ticks);
        self.collections.roll_back(collections);
        self.collection_bags.roll_back(bags);
        self.spans.roll_back(spans);
        self.ended.roll_back(ended);
        self.items.roll_back(items);
        self.parts.roll_back(parts);
        self.references.roll_back(references);
        self.graves.roll_back(graves);
        self.names.roll_back(names);
        self.names_changed.roll_back(changed);
        self.keys.roll_back(keys);
        self.operations.roll_back(operations);
    }

    /// What remains of it when everything was written and more is to come in the same transaction: the root, and no rows.
    #[must_use]
    pub(crate) fn written(&self) -> Self {
        let minute = self.ticks.last().map(|(minute, _)| *minute).max(self.minute);
        Self { root_base: self.root, root: self.root, minute, at: self.at, ..Self::default() }
    }
}
