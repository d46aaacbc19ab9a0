//! Reads of one root at one moment: a read transaction on a connection of its own.

use std::{ops::Bound, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use model::{
    CollectionId, ItemId, RootId, Seq, Time,
    limits::{PAGE_ROWS_MAX, PART_RANGE_BYTES_MAX},
};
use rusqlite::{OptionalExtension, Params, Row, Statement, StatementStatus, params};
use store::{
    ChangeRow, CollectionRow, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, RootRow, Snapshot, Span, StoreError,
    TransferKey, TransferLimit, TransferRow, TransferTotals, Want,
};

use crate::{
    blobs::{Blobs, Hash},
    failure::Failure,
    part_range::{Place, Ranges},
    readers::{Reader, Readers},
    rows,
    stats::Counters,
    transfer,
};

/// A root as it was when the snapshot was taken. The calls read on the caller's thread.
pub(crate) struct SqliteSnapshot {
    reader: Reader,
    root: RootRow,
    blobs: Arc<Blobs>,
    counters: Arc<Counters>,
    ranges: Ranges,
}

const ROOT: &str = "SELECT root_id, kind, guid, last_seq, purged_seq, epoch FROM root WHERE root_id = ?1 AND kind >= 0";
const LOADING: &str = "SELECT root_id, -2 - kind, guid, last_seq, purged_seq, epoch FROM root
    WHERE root_id = ?1 AND kind <= -2";
const COLLECTIONS: &str = "SELECT collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread,
    associated, last_number, (SELECT bag FROM collection_bag b WHERE b.root_id = c.root_id
    AND b.collection_id = c.collection_id) FROM collection c";

/// The columns of an item as [`rows::item_hot`] or [`rows::item_with_bag`] reads them.
macro_rules! select_items {
    ($from:literal) => {
        [
            concat!("SELECT item_id, collection_id, seq, created_seq, content_seq, flags ", $from),
            concat!(
                "SELECT item_id, collection_id, seq, created_seq, content_seq, flags, (SELECT bag FROM item_bag b
                   WHERE b.root_id = i.root_id AND b.item_id = i.item_id) ",
                $from
            ),
        ]
    };
}

const ITEM: [&str; 2] = select_items!("FROM item i WHERE root_id = ?1 AND item_id = ?2");
const ITEM_LIST: [&str; 2] = select_items!(
    "FROM item i INDEXED BY item_list WHERE root_id = ?1 AND collection_id = ?2 AND item_id > ?3
       ORDER BY item_id LIMIT ?4"
);
const ITEM_CREATED: [&str; 2] = select_items!(
    "FROM item i INDEXED BY item_created WHERE root_id = ?1 AND collection_id = ?2 AND created_seq > ?3
       AND created_seq <= ?4 ORDER BY created_seq DESC LIMIT ?5"
);
const ITEM_CHANGES: [&str; 2] = select_items!(
    "FROM item i INDEXED BY item_change WHERE root_id = ?1 AND collection_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"
);
const TOMBSTONES: &str = "SELECT item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note
    FROM tombstone WHERE root_id = ?1 AND collection_id = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4";

/// Keys between two places, both outside, up or down; the second pair ends (or begins) with the field.
macro_rules! select_keys {
    ($ends:literal, $order:literal) => {
        concat!(
            "SELECT value, item_id FROM item_key WHERE root_id = ?1 AND collection_id = ?2 AND field = ?3
               AND (value, item_id) > (?4, ?5) ",
            $ends,
            " ORDER BY value ",
            $order,
            ", item_id ",
            $order,
            " LIMIT ?6"
        )
    };
}

const KEYS_UP: [&str; 2] = [select_keys!("AND (value, item_id) < (?7, ?8)", "ASC"), select_keys!("", "ASC")];
const KEYS_DOWN: [&str; 2] = [select_keys!("AND (value, item_id) < (?7, ?8)", "DESC"), select_keys!("", "DESC")];

/// The range reads, the index each runs along, and whether that index alone answers it.
#[cfg(test)]
pub(crate) const RANGES: &[(&str, &str, bool)] = &[
    (ITEM_CHANGES[0], "item_change", true),
    (ITEM_CHANGES[1], "item_change", false),
    (ITEM_CREATED[0], "item_created", false),
    (ITEM_LIST[0], "item_list", false),
    (TOMBSTONES, "PRIMARY KEY", false),
    (KEYS_UP[0], "PRIMARY KEY", false),
    (KEYS_UP[1], "PRIMARY KEY", false),
    (KEYS_DOWN[0], "PRIMARY KEY", false),
    (KEYS_DOWN[1], "PRIMARY KEY", false),
];

fn of(sql: [&'static str; 2], want: Want) -> &'static str {
    let [hot, with_bag] = sql;
    if want.bag { with_bag } else { hot }
}

fn item(row: &Row<'_>, want: Want) -> rusqlite::Result<ItemRow> {
    if want.bag { rows::item_with_bag(row) } else { rows::item_hot(row) }
}

/// A position or id as the bound of a range: columns are signed.
fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The limit of a query that shows whether there is more.
const fn and_one(limit: usize) -> i64 {
    (if limit < PAGE_ROWS_MAX { limit } else { PAGE_ROWS_MAX }) as i64 + 1
}

/// The page out of the answer to a query limited by [`and_one`].
pub(crate) fn page<T>(mut rows: Vec<T>, limit: usize) -> Page<T> {
    let limit = limit.min(PAGE_ROWS_MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

/// Roots of one shard in ascending order, after `after`; one more than `limit` where there are more.
pub(crate) fn roots(
    readers: &Arc<Readers>,
    counters: &Counters,
    after: Option<RootId>,
    limit: usize,
) -> Result<Vec<RootRow>, Failure> {
    let reader = readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT root_id, kind, guid, last_seq, purged_seq, epoch FROM root
           WHERE root_id > ?1 AND kind >= 0 ORDER BY root_id LIMIT ?2",
    )?;
    let after = after.map_or(-1, |root| bound(root.0));
    read_all(counters, &mut statement, params![after, and_one(limit)], rows::root)
}

/// The receipt of an operation.
pub(crate) fn outcome(readers: &Arc<Readers>, root: RootId, operation: [u8; 16]) -> Result<Option<Vec<u8>>, Failure> {
    let reader = readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT receipt FROM operation WHERE root_id = ?1 AND operation = ?2
           AND EXISTS (SELECT 1 FROM root WHERE root_id = ?1 AND kind >= 0)",
    )?;
    Ok(statement.query_row(params![root.to_i64(), operation], |row| row.get(0)).optional()?)
}

/// The last position of a root.
pub(crate) fn last_seq(readers: &Arc<Readers>, counters: &Counters, root: RootId) -> Result<Seq, Failure> {
    let reader = readers.take()?;
    let mut statement = reader.prepare_cached(ROOT)?;
    let rows = read_all(counters, &mut statement, [root.to_i64()], rows::root)?;
    Ok(rows.first().ok_or(StoreError::NoRoot(root))?.last_seq)
}

fn read_all<T>(
    counters: &Counters,
    statement: &mut Statement<'_>,
    parameters: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failure> {
    let rows: Vec<T> = statement.query_map(parameters, read)?.collect::<Result<_, _>>()?;
    counters.read(rows.len(), statement.reset_status(StatementStatus::VmStep));
    Ok(rows)
}

impl SqliteSnapshot {
    /// Begins a read transaction, on a root that is there or, with `loading`, on one that is being copied here.
    pub(crate) fn begin(
        readers: &Arc<Readers>,
        blobs: &Arc<Blobs>,
        counters: &Arc<Counters>,
        root: RootId,
        loading: bool,
    ) -> Result<Self, Failure> {
        let reader = readers.take()?;
        reader.prepare_cached("BEGIN")?.execute([])?;
        let row = reader
            .prepare_cached(if loading { LOADING } else { ROOT })?
            .query_row([root.to_i64()], rows::root)
            .optional()?;
        let root = row.ok_or(StoreError::NoRoot(root))?;
        Ok(Self { reader, root, blobs: Arc::clone(blobs), counters: Arc::clone(counters), ranges: Ranges::default() })
    }

    fn key(&self) -> i64 {
        self.root.root.to_i64()
    }

    fn all<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let read = || -> Result<Vec<T>, Failure> {
            read_all(&self.counters, &mut *self.reader.prepare_cached(sql)?, parameters, read)
        };
        Ok(read()?)
    }

    fn one<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(sql, parameters, read)?.pop())
    }

    /// Two ranges merged by position; neither is read further than its part of the page and one row.
    fn merged(
        &self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, Failure> {
        let parameters = params![self.key(), collection.to_i64(), bound(after.0), and_one(limit)];
        let mut items = self.reader.prepare_cached(of(ITEM_CHANGES, want))?;
        let mut tombstones = self.reader.prepare_cached(TOMBSTONES)?;
        let mut changes = Vec::new();
        {
            let mut standing = items.query_map(parameters, |row| item(row, want))?;
            let mut gone = tombstones.query_map(parameters, rows::tombstone)?;
            let (mut next_item, mut next_gone) = (standing.next().transpose()?, gone.next().transpose()?);
            while changes.len() <= limit.min(PAGE_ROWS_MAX) {
                let first = match (&next_item, &next_gone) {
                    (Some(item), Some(gone)) => item.seq < gone.seq,
                    (Some(_), None) => true,
                    (None, Some(_)) => false,
                    (None, None) => break,
                };
                if first {
                    changes.extend(next_item.take().map(ChangeRow::Item));
                    next_item = standing.next().transpose()?;
                } else {
                    changes.extend(next_gone.take().map(ChangeRow::Gone));
                    next_gone = gone.next().transpose()?;
                }
            }
        }
        let steps = items.reset_status(StatementStatus::VmStep) + tombstones.reset_status(StatementStatus::VmStep);
        self.counters.read(changes.len(), steps);
        Ok(page(changes, limit))
    }

    fn part_place(&self, item: ItemId, part: u32) -> Result<Option<Place>, StoreError> {
        self.one(
            "SELECT hash, inline FROM item_part WHERE root_id = ?1 AND item_id = ?2 AND part = ?3",
            params![self.key(), item.to_i64(), part],
            |row| {
                let (hash, inline): (Option<Hash>, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
                Ok(hash.map_or_else(|| Place::Inline(inline.unwrap_or_default().into()), Place::File))
            },
        )
    }

    fn part_bytes(&self, item: ItemId, part: u32) -> Result<Option<Bytes>, Failure> {
        match self.part_place(item, part)? {
            None => Ok(None),
            Some(Place::File(hash)) => self.blobs.get(self.root.root, &hash).map(Some),
            Some(Place::Inline(bytes)) => Ok(Some(bytes)),
        }
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn root(&self) -> &RootRow {
        &self.root
    }

    async fn epochs(&mut self) -> Result<Vec<Epoch>, StoreError> {
        self.all("SELECT epoch, first_seq, at FROM epoch WHERE root_id = ?1 ORDER BY ordinal", [self.key()], |row| {
            Ok(Epoch {
                epoch: row.get::<_, i64>(0)?.cast_unsigned(),
                first_seq: Seq::from_i64(row.get(1)?),
                at: Time(row.get(2)?),
            })
        })
    }

    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError> {
        self.one(
            &format!("{COLLECTIONS} WHERE root_id = ?1 AND collection_id = ?2"),
            params![self.key(), collection.to_i64()],
            rows::collection,
        )
    }

    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError> {
        let after = after.map_or(-1, |collection| bound(collection.0));
        let rows = self.all(
            &format!("{COLLECTIONS} WHERE root_id = ?1 AND collection_id > ?2 ORDER BY collection_id LIMIT ?3"),
            params![self.key(), after, and_one(limit)],
            rows::collection,
        )?;
        Ok(page(rows, limit))
    }

    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError> {
        self.all(
            "SELECT collection_id, parent_id, from_seq, to_seq FROM span
               WHERE root_id = ?1 AND (to_seq IS NULL OR to_seq > ?2) ORDER BY collection_id, from_seq",
            params![self.key(), bound(since.0)],
            |row| {
                Ok(Span {
                    collection: CollectionId::from_i64(row.get(0)?),
                    parent: row.get::<_, Option<i64>>(1)?.map(CollectionId::from_i64),
                    from_seq: Seq::from_i64(row.get(2)?),
                    to_seq: row.get::<_, Option<i64>>(3)?.map(Seq::from_i64),
                })
            },
        )
    }

    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError> {
        if ids.len() > PAGE_ROWS_MAX {
            return Err(StoreError::TooLarge("items by id"));
        }
        ids.iter().map(|id| self.one(of(ITEM, want), params![self.key(), id.to_i64()], |row| item(row, want))).collect()
    }

    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let after = after.map_or(-1, |item| bound(item.0));
        let parameters = params![self.key(), collection.to_i64(), after, and_one(limit)];
        Ok(page(self.all(of(ITEM_LIST, want), parameters, |row| item(row, want))?, limit))
    }

    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let parameters = params![self.key(), collection.to_i64(), bound(above.0), bound(up_to.0), and_one(limit)];
        Ok(page(self.all(of(ITEM_CREATED, want), parameters, |row| item(row, want))?, limit))
    }

    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError> {
        Ok(self.merged(collection, after, limit, want)?)
    }

    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError> {
        Ok(self.part_bytes(item, part)?)
    }

    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let bytes_max = bytes_max.min(PART_RANGE_BYTES_MAX);
        let known = self.ranges.read((item, part), offset, bytes_max)?;
        if known.is_some() {
            return Ok(known);
        }
        let Some(place) = self.part_place(item, part)? else { return Ok(None) };
        let read = self.ranges.open(&self.blobs, self.root.root, (item, part), place)?;
        Ok(Some(read.range(offset, bytes_max)?))
    }

    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError> {
        self.all(
            "SELECT part, size FROM item_part WHERE root_id = ?1 AND item_id = ?2 ORDER BY part",
            params![self.key(), item.to_i64()],
            |row| Ok(PartInfo { part: row.get(0)?, size_bytes: row.get::<_, i64>(1)?.cast_unsigned() }),
        )
    }

    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError> {
        self.one(
            "SELECT target FROM name WHERE root_id = ?1 AND scope = ?2 AND name = ?3",
            params![self.key(), scope.cast_signed(), name],
            |row| row.get(0).map(i64::cast_unsigned),
        )
    }

    async fn names(
        &mut self,
        scope: u64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, u64)>, StoreError> {
        let read = |row: &Row<'_>| {
            let (name, target): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            Ok((Bytes::from(name), target.cast_unsigned()))
        };
        let (key, scope, limit_and_one) = (self.key(), scope.cast_signed(), and_one(limit));
        let rows = match after {
            Some(after) => self.all(
                "SELECT name, target FROM name WHERE root_id = ?1 AND scope = ?2 AND name > ?3 ORDER BY name LIMIT ?4",
                params![key, scope, after, limit_and_one],
                read,
            )?,
            None => self.all(
                "SELECT name, target FROM name WHERE root_id = ?1 AND scope = ?2 ORDER BY name LIMIT ?3",
                params![key, scope, limit_and_one],
                read,
            )?,
        };
        Ok(page(rows, limit))
    }

    async fn keys(
        &mut self,
        collection: CollectionId,
        field: u32,
        range: &KeyRange,
        direction: Direction,
        after: Option<(&[u8], ItemId)>,
        limit: usize,
    ) -> Result<Page<(Bytes, ItemId)>, StoreError> {
        let after = after.map(|(value, item)| (value, bound(item.0)));
        // A range ends before the first and behind the last key of a value.
        let (mut above, mut below) = (
            match &range.from {
                Bound::Included(value) => (&value[..], i64::MIN),
                Bound::Excluded(value) => (&value[..], i64::MAX),
                Bound::Unbounded => (&[][..], i64::MIN),
            },
            match &range.to {
                Bound::Included(value) => Some((&value[..], i64::MAX)),
                Bound::Excluded(value) => Some((&value[..], i64::MIN)),
                Bound::Unbounded => None,
            },
        );
        let [bounded, open] = match direction {
            Direction::Ascending => {
                above = after.map_or(above, |after| above.max(after));
                KEYS_UP
            }
            Direction::Descending => {
                below = match (below, after) {
                    (Some(below), Some(after)) => Some(below.min(after)),
                    (below, after) => below.or(after),
                };
                KEYS_DOWN
            }
        };
        let read = |row: &Row<'_>| {
            let (value, item): (Vec<u8>, i64) = (row.get(0)?, row.get(1)?);
            Ok((Bytes::from(value), ItemId::from_i64(item)))
        };
        let (key, collection, limit_and_one) = (self.key(), collection.to_i64(), and_one(limit));
        let rows = match below {
            Some(below) => self.all(
                bounded,
                params![key, collection, field, above.0, above.1, limit_and_one, below.0, below.1],
                read,
            )?,
            None => self.all(open, params![key, collection, field, above.0, above.1, limit_and_one], read)?,
        };
        Ok(page(rows, limit))
    }

    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError> {
        let asked = rows::minute(time);
        let begun: Option<(i64, i64)> = self.one(
            "SELECT minute, seq FROM tick WHERE root_id = ?1 AND minute >= ?2 ORDER BY minute LIMIT 1",
            params![self.key(), asked],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let Some((minute, seq)) = begun else { return Ok(self.root.last_seq) };
        // Before the first minute that is still kept nothing is certain.
        let is_known = minute == asked
            || seq == 0
            || self
                .one(
                    "SELECT 1 FROM tick WHERE root_id = ?1 AND minute < ?2 ORDER BY minute DESC LIMIT 1",
                    params![self.key(), asked],
                    |_| Ok(()),
                )?
                .is_some();
        Ok(if is_known { Seq::from_i64(seq) } else { Seq::ZERO })
    }
    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        let page = transfer::page(&self.reader, &self.blobs, self.root.root, after, limit)?;
        self.counters.read(page.rows.len(), 0);
        Ok(page)
    }

    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        Ok(transfer::end(&self.reader, self.root.root)?)
    }

    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        Ok(transfer::totals(&self.reader, self.root.root)?)
    }
}
