//! Rows of the tables as rows of the port.

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};
use store::{
    CollectionRow, Epoch, ItemRow, PartInfo, RootKind, RootRow, Span, StoreError, Tombstone, TombstoneKind, Want,
};
use tokio_postgres::{Row, types::FromSql};

use crate::failure::Failure;

/// The minute a time lies in.
pub(crate) const fn minute(time: Time) -> i64 {
    time.0.div_euclid(60 * Time::SECOND)
}

/// The stored form of a kind of root.
pub(crate) const fn root_kind_number(kind: RootKind) -> i64 {
    match kind {
        RootKind::Control => 0,
        RootKind::Mailbox => 1,
        RootKind::Site => 2,
    }
}

/// The kind of root that is stored as this number.
pub(crate) fn root_kind(number: i64) -> Result<RootKind, Failure> {
    let kinds = [RootKind::Control, RootKind::Mailbox, RootKind::Site];
    let found = kinds.into_iter().find(|kind| root_kind_number(*kind) == number);
    found.ok_or_else(|| Failure::damaged(format!("a root is of the unknown kind {number}")))
}

/// The stored form of a kind of tombstone.
pub(crate) const fn tombstone_kind_number(kind: TombstoneKind) -> i64 {
    match kind {
        TombstoneKind::Deleted => 0,
        TombstoneKind::Moved => 1,
        TombstoneKind::Rescoped => 2,
        TombstoneKind::Renamed => 3,
        TombstoneKind::Restored => 4,
        TombstoneKind::SystemUpdated => 5,
    }
}

/// The kind of tombstone that is stored as this number.
pub(crate) fn tombstone_kind(number: i64) -> Result<TombstoneKind, Failure> {
    let kinds = [
        TombstoneKind::Deleted,
        TombstoneKind::Moved,
        TombstoneKind::Rescoped,
        TombstoneKind::Renamed,
        TombstoneKind::Restored,
        TombstoneKind::SystemUpdated,
    ];
    let found = kinds.into_iter().find(|kind| tombstone_kind_number(*kind) == number);
    found.ok_or_else(|| Failure::damaged(format!("a tombstone is of the unknown kind {number}")))
}

/// A column, as the type that it is read as.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Failure> {
    row.try_get(column).map_err(|error| Failure::damaged(error.to_string()))
}

/// Bytes that are there or not; the one copy between the socket and the port.
pub(crate) fn bytes(row: &Row, column: usize) -> Result<Bytes, Failure> {
    let bytes: Option<&[u8]> = get(row, column)?;
    Ok(bytes.map(Bytes::copy_from_slice).unwrap_or_default())
}

fn seq(row: &Row, column: usize) -> Result<Seq, Failure> {
    get(row, column).map(Seq::from_i64)
}

/// A number that is kept in a column wider than itself.
pub(crate) fn narrow<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, Failure> {
    let number: i64 = get(row, column)?;
    T::try_from(number).map_err(|_| Failure::damaged(format!("column {column} has the number {number}")))
}

fn count(row: &Row, column: usize) -> Result<u64, Failure> {
    get(row, column).map(i64::cast_unsigned)
}

/// `root_id, kind, guid, last_seq, purged_seq, epoch`.
pub(crate) fn root(row: &Row) -> Result<RootRow, Failure> {
    let guid: &[u8] = get(row, 2)?;
    Ok(RootRow {
        root: RootId::from_i64(get(row, 0)?),
        kind: root_kind(get(row, 1)?)?,
        guid: Guid(guid.try_into().map_err(|_| StoreError::Corrupt("the GUID of a root".to_owned()))?),
        last_seq: seq(row, 3)?,
        purged_seq: seq(row, 4)?,
        epoch: count(row, 5)?,
    })
}

/// `epoch, first_seq, at`.
pub(crate) fn epoch(row: &Row) -> Result<Epoch, Failure> {
    epoch_at(row, 0)
}

/// As [`epoch`], from a column on.
pub(crate) fn epoch_at(row: &Row, first: usize) -> Result<Epoch, Failure> {
    Ok(Epoch { epoch: count(row, first)?, first_seq: seq(row, first + 1)?, at: Time(get(row, first + 2)?) })
}

/// `collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread, associated, last_number, bag`.
pub(crate) fn collection(row: &Row) -> Result<CollectionRow, Failure> {
    Ok(CollectionRow {
        collection: CollectionId::from_i64(get(row, 0)?),
        parent: get::<Option<i64>>(row, 1)?.map(CollectionId::from_i64),
        seq: seq(row, 2)?,
        created_seq: seq(row, 3)?,
        items_seq: seq(row, 4)?,
        purged_seq: seq(row, 5)?,
        items: count(row, 6)?,
        unread: count(row, 7)?,
        associated: count(row, 8)?,
        last_number: narrow(row, 9)?,
        bag: bytes(row, 10)?,
    })
}

/// `collection_id, parent_id, from_seq, to_seq`.
pub(crate) fn span(row: &Row) -> Result<Span, Failure> {
    Ok(Span {
        collection: CollectionId::from_i64(get(row, 0)?),
        parent: get::<Option<i64>>(row, 1)?.map(CollectionId::from_i64),
        from_seq: seq(row, 2)?,
        to_seq: get::<Option<i64>>(row, 3)?.map(Seq::from_i64),
    })
}

/// `item_id, collection_id, seq, created_seq, content_seq, flags`, and `bag` where it was wanted.
pub(crate) fn item(row: &Row, want: Want) -> Result<ItemRow, Failure> {
    Ok(ItemRow {
        item: ItemId::from_i64(get(row, 0)?),
        collection: CollectionId::from_i64(get(row, 1)?),
        seq: seq(row, 2)?,
        created_seq: seq(row, 3)?,
        content_seq: seq(row, 4)?,
        flags: ItemFlags(narrow(row, 5)?),
        bag: if want.bag { bytes(row, 6)? } else { Bytes::new() },
    })
}

/// `item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note`.
pub(crate) fn tombstone(row: &Row) -> Result<Tombstone, Failure> {
    let to_collection = get::<Option<i64>>(row, 6)?.map(CollectionId::from_i64);
    let to_item = get::<Option<i64>>(row, 7)?.map(ItemId::from_i64);
    Ok(Tombstone {
        item: ItemId::from_i64(get(row, 0)?),
        seq: seq(row, 1)?,
        created_seq: seq(row, 2)?,
        flags: ItemFlags(narrow(row, 3)?),
        kind: tombstone_kind(get(row, 4)?)?,
        at: Time(get(row, 5)?),
        moved_to: to_collection.zip(to_item),
        note: bytes(row, 8)?,
    })
}

/// `part, size`.
pub(crate) fn part_info(row: &Row) -> Result<PartInfo, Failure> {
    Ok(PartInfo { part: narrow(row, 0)?, size_bytes: count(row, 1)? })
}
