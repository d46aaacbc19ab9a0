//! Rows of the tables as rows of the port.

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};
use rusqlite::{Row, types::Type};
use store::{CollectionRow, ItemRow, RootKind, RootRow, Tombstone, TombstoneKind};

/// The minute a time lies in.
pub(crate) const fn minute(time: Time) -> i64 {
    time.0.div_euclid(60 * Time::SECOND)
}

/// The stored form of a kind of root.
pub(crate) const fn root_kind_number(kind: RootKind) -> u32 {
    match kind {
        RootKind::Control => 0,
        RootKind::Mailbox => 1,
        RootKind::Site => 2,
    }
}

/// The stored form of a kind of root while the root is being copied here.
pub(crate) fn loading_kind_number(kind: RootKind) -> i64 {
    -2 - i64::from(root_kind_number(kind))
}

/// The stored form of a kind of tombstone.
pub(crate) const fn tombstone_kind_number(kind: TombstoneKind) -> u32 {
    match kind {
        TombstoneKind::Deleted => 0,
        TombstoneKind::Moved => 1,
        TombstoneKind::Rescoped => 2,
        TombstoneKind::Renamed => 3,
        TombstoneKind::Restored => 4,
        TombstoneKind::SystemUpdated => 5,
    }
}

fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, "an unknown kind".into())
}

fn seq(row: &Row<'_>, column: usize) -> rusqlite::Result<Seq> {
    row.get(column).map(Seq::from_i64)
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    let bytes: Option<Vec<u8>> = row.get(column)?;
    Ok(bytes.unwrap_or_default().into())
}

/// `root_id, kind, guid, last_seq, purged_seq, epoch`.
pub(crate) fn root(row: &Row<'_>) -> rusqlite::Result<RootRow> {
    let kind: u32 = row.get(1)?;
    let kinds = [RootKind::Control, RootKind::Mailbox, RootKind::Site];
    Ok(RootRow {
        root: RootId::from_i64(row.get(0)?),
        kind: kinds.into_iter().find(|have| root_kind_number(*have) == kind).ok_or_else(|| unknown(1))?,
        guid: Guid(row.get(2)?),
        last_seq: seq(row, 3)?,
        purged_seq: seq(row, 4)?,
        epoch: row.get::<_, i64>(5)?.cast_unsigned(),
    })
}

/// `collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread, associated, last_number, bag`.
pub(crate) fn collection(row: &Row<'_>) -> rusqlite::Result<CollectionRow> {
    let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
    Ok(CollectionRow {
        collection: CollectionId::from_i64(row.get(0)?),
        parent: row.get::<_, Option<i64>>(1)?.map(CollectionId::from_i64),
        seq: seq(row, 2)?,
        created_seq: seq(row, 3)?,
        items_seq: seq(row, 4)?,
        purged_seq: seq(row, 5)?,
        items: count(6)?,
        unread: count(7)?,
        associated: count(8)?,
        last_number: row.get(9)?,
        bag: bytes(row, 10)?,
    })
}

/// `item_id, collection_id, seq, created_seq, content_seq, flags`.
pub(crate) fn item_hot(row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    Ok(ItemRow {
        item: ItemId::from_i64(row.get(0)?),
        collection: CollectionId::from_i64(row.get(1)?),
        seq: seq(row, 2)?,
        created_seq: seq(row, 3)?,
        content_seq: seq(row, 4)?,
        flags: ItemFlags(row.get(5)?),
        bag: Bytes::new(),
    })
}

/// As [`item_hot`], then `bag`.
pub(crate) fn item_with_bag(row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    Ok(ItemRow { bag: bytes(row, 6)?, ..item_hot(row)? })
}

/// The kind of tombstone in a column.
pub(crate) fn tombstone_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<TombstoneKind> {
    let kind: u32 = row.get(column)?;
    let kinds = [
        TombstoneKind::Deleted,
        TombstoneKind::Moved,
        TombstoneKind::Rescoped,
        TombstoneKind::Renamed,
        TombstoneKind::Restored,
        TombstoneKind::SystemUpdated,
    ];
    kinds.into_iter().find(|have| tombstone_kind_number(*have) == kind).ok_or_else(|| unknown(column))
}

/// `item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note`.
pub(crate) fn tombstone(row: &Row<'_>) -> rusqlite::Result<Tombstone> {
    let to_collection = row.get::<_, Option<i64>>(6)?.map(CollectionId::from_i64);
    let to_item = row.get::<_, Option<i64>>(7)?.map(ItemId::from_i64);
    Ok(Tombstone {
        item: ItemId::from_i64(row.get(0)?),
        seq: seq(row, 1)?,
        created_seq: seq(row, 2)?,
        flags: ItemFlags(row.get(3)?),
        kind: tombstone_kind(row, 4)?,
        at: Time(row.get(5)?),
        moved_to: to_collection.zip(to_item),
        note: bytes(row, 8)?,
    })
}
