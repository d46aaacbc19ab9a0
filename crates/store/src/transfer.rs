//! Moving a root from one store to another: its rows as they are, in one order that all stores keep.
//!
//! A commit says what is to happen, and the store gives it ids, positions and times. A copy must keep them, or tokens and
//! ids that clients hold would lead elsewhere. So what is copied is the rows themselves: [`crate::Snapshot::transfer`]
//! reads them, [`crate::Store::load`] puts them under a root that nobody sees yet, and [`crate::Store::publish`] shows it
//! in one step. What follows from other rows (indexes, counts of references to large parts) is not copied but made anew.

use bytes::Bytes;
use model::{
    CollectionId, Guid, ItemId, Rope, Seq, Time,
    limits::{TRANSFER_BYTES_MAX, TRANSFER_ROWS_MAX},
};

use crate::{CollectionRow, Epoch, ItemRow, Receipt, Span, StoreError, Tombstone};

/// What a store says that knows no copying.
pub(crate) const NO_TRANSFER: StoreError = StoreError::TooLarge("a copy, which this store neither gives nor takes");

/// Bytes that a row takes beside those of its texts, roughly.
const ROW_BYTES: usize = 64;

/// A row of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferRow {
    /// A stretch of its history.
    Epoch {
        /// Its place among the others: they rise with it.
        ordinal: u64,
        /// The stretch.
        epoch: Epoch,
    },
    /// The last position before the first commit of a minute: the time line that [`crate::Snapshot::position_at`] reads.
    Tick {
        /// Minutes of [`Time`], rounded down.
        minute: i64,
        /// The position.
        seq: Seq,
    },
    /// A collection with its counts.
    Collection(CollectionRow),
    /// A span.
    Span {
        /// The span.
        span: Span,
        /// When it ended, where it did.
        ended_at: Option<Time>,
    },
    /// An item with its bag.
    Item(ItemRow),
    /// A part. Of a large one the bytes may lie outside of memory, for as long as the snapshot it comes from lives.
    Part {
        /// Whose.
        item: ItemId,
        /// Which.
        part: u32,
        /// Its bytes.
        bytes: Rope,
    },
    /// A tombstone or mark.
    Tombstone {
        /// Of which collection.
        collection: CollectionId,
        /// The tombstone.
        tombstone: Tombstone,
    },
    /// What is kept under a name.
    Name {
        /// The space of names, below 2^63.
        scope: u64,
        /// The name.
        name: Bytes,
        /// What it leads to.
        target: u64,
    },
    /// A key of an item.
    Key {
        /// Of which collection.
        collection: CollectionId,
        /// Of which field.
        field: u32,
        /// Its value.
        value: Bytes,
        /// Whose.
        item: ItemId,
    },
    /// What an operation did.
    Operation {
        /// Its name.
        operation: Guid,
        /// When it was committed.
        at: Time,
        /// What it did.
        receipt: Receipt,
    },
}

/// Where a row stands among those of its root. The order of keys is the order of a transfer: one kind after the other as
/// they are listed here, and inside a kind by the numbers and bytes of the key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransferKey {
    /// By ordinal.
    Epoch(u64),
    /// By minute.
    Tick(i64),
    /// By id.
    Collection(CollectionId),
    /// By collection and beginning.
    Span(CollectionId, Seq),
    /// By id.
    Item(ItemId),
    /// By item and number.
    Part(ItemId, u32),
    /// By collection and position.
    Tombstone(CollectionId, Seq),
    /// By scope and name.
    Name(u64, Bytes),
    /// By collection, field, value and item.
    Key(CollectionId, u32, Bytes, ItemId),
    /// By the bytes of its name.
    Operation(Guid),
}

impl TransferRow {
    /// Where it stands.
    pub fn key(&self) -> TransferKey {
        match self {
            Self::Epoch { ordinal, .. } => TransferKey::Epoch(*ordinal),
            Self::Tick { minute, .. } => TransferKey::Tick(*minute),
            Self::Collection(row) => TransferKey::Collection(row.collection),
            Self::Span { span, .. } => TransferKey::Span(span.collection, span.from_seq),
            Self::Item(row) => TransferKey::Item(row.item),
            Self::Part { item, part, .. } => TransferKey::Part(*item, *part),
            Self::Tombstone { collection, tombstone } => TransferKey::Tombstone(*collection, tombstone.seq),
            Self::Name { scope, name, .. } => TransferKey::Name(*scope, name.clone()),
            Self::Key { collection, field, value, item } => TransferKey::Key(*collection, *field, value.clone(), *item),
            Self::Operation { operation, .. } => TransferKey::Operation(*operation),
        }
    }

    /// The bytes of its bag, note or part; 0 for rows that have none.
    pub const fn bytes(&self) -> usize {
        match self {
            Self::Collection(row) => row.bag.len(),
            Self::Item(row) => row.bag.len(),
            Self::Part { bytes, .. } => bytes.len(),
            Self::Tombstone { tombstone, .. } => tombstone.note.len(),
            Self::Epoch { .. }
            | Self::Tick { .. }
            | Self::Span { .. }
            | Self::Name { .. }
            | Self::Key { .. }
            | Self::Operation { .. } => 0,
        }
    }
}

/// How much of a root one read or one load takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferLimit {
    /// Rows at most. Above [`TRANSFER_ROWS_MAX`] counts as that.
    pub rows: usize,
    /// No further row once there are so many bytes, so that a page has at least one row, and one more than fit. Above
    /// [`TRANSFER_BYTES_MAX`] counts as that.
    pub bytes: usize,
}

impl TransferLimit {
    /// As much as there may be.
    pub const MAX: Self = Self { rows: TRANSFER_ROWS_MAX, bytes: TRANSFER_BYTES_MAX };
}

/// The room that a page has left: how stores keep a [`TransferLimit`].
#[derive(Clone, Copy, Debug)]
pub struct TransferRoom {
    rows: usize,
    bytes: usize,
}

impl TransferRoom {
    /// All of a page; for one row at least.
    pub fn of(limit: TransferLimit) -> Self {
        let TransferLimit { rows, bytes } = limit;
        Self { rows: rows.clamp(1, TRANSFER_ROWS_MAX), bytes: bytes.clamp(1, TRANSFER_BYTES_MAX) }
    }

    /// Whether no further row belongs to the page.
    pub const fn is_full(&self) -> bool {
        self.rows == 0 || self.bytes == 0
    }

    /// Rows that the page may still get.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// A row was put on the page.
    pub const fn take(&mut self, row: &TransferRow) {
        self.rows = self.rows.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(row.bytes().saturating_add(ROW_BYTES));
    }
}

/// How many rows of each kind a root has, and how many bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransferTotals {
    /// Rows of [`TransferRow::Epoch`].
    pub epochs: u64,
    /// Rows of [`TransferRow::Tick`].
    pub ticks: u64,
    /// Rows of [`TransferRow::Collection`].
    pub collections: u64,
    /// Rows of [`TransferRow::Span`].
    pub spans: u64,
    /// Rows of [`TransferRow::Item`].
    pub items: u64,
    /// Rows of [`TransferRow::Part`].
    pub parts: u64,
    /// Rows of [`TransferRow::Tombstone`].
    pub tombstones: u64,
    /// Rows of [`TransferRow::Name`].
    pub names: u64,
    /// Rows of [`TransferRow::Key`].
    pub keys: u64,
    /// Rows of [`TransferRow::Operation`].
    pub operations: u64,
    /// The sum of [`TransferRow::bytes`].
    pub bytes: u64,
}

impl TransferTotals {
    /// Rows of all kinds.
    pub const fn rows(&self) -> u64 {
        self.epochs
            + self.ticks
            + self.collections
            + self.spans
            + self.items
            + self.parts
            + self.tombstones
            + self.names
            + self.keys
            + self.operations
    }

    /// Counts a row.
    pub const fn count(&mut self, row: &TransferRow) {
        self.bytes += row.bytes() as u64;
        let rows = match row {
            TransferRow::Epoch { .. } => &mut self.epochs,
            TransferRow::Tick { .. } => &mut self.ticks,
            TransferRow::Collection(_) => &mut self.collections,
            TransferRow::Span { .. } => &mut self.spans,
            TransferRow::Item(_) => &mut self.items,
            TransferRow::Part { .. } => &mut self.parts,
            TransferRow::Tombstone { .. } => &mut self.tombstones,
            TransferRow::Name { .. } => &mut self.names,
            TransferRow::Key { .. } => &mut self.keys,
            TransferRow::Operation { .. } => &mut self.operations,
        };
        *rows += 1;
    }
}

/// What every store checks before it loads rows.
///
/// # Errors
/// [`StoreError::TooLarge`] where there are more of them than a page has.
pub fn check_load(rows: &[TransferRow]) -> Result<(), StoreError> {
    if rows.len() > TRANSFER_ROWS_MAX {
        return Err(StoreError::TooLarge("rows loaded at once"));
    }
    Ok(())
}
