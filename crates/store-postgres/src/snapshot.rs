//! Reads of one root at one moment: a transaction of its own that only reads.

use std::{
    collections::HashMap,
    ops::Bound,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::Duration,
};

use async_trait::async_trait;
use blobs::Blobs;
use bytes::Bytes;
use futures_util::future::try_join;
use model::{
    CollectionId, ItemId, RootId, Rope, Seq, Time,
    limits::{PAGE_ROWS_MAX, PART_RANGE_BYTES_MAX},
};
use store::{
    ChangeRow, CollectionRow, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, RootRow, Snapshot, Span, StoreError,
    TransferKey, TransferLimit, TransferRow, TransferTotals, Want,
};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    failure::Failure,
    parts::{self, Large, Place, Ranges},
    rows::{self, get},
    session::{Pooled, Sessions},
    statements::{reads, transfer as sql},
    stats::Counters,
    transfer,
};

/// Begins a transaction whose reads are all of the moment of its first one, and that writes nothing.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Sessions that may turn out to be dead before one is found that is not.
const ATTEMPTS_MAX: usize = 32;

/// A root as it was when the snapshot was taken.
pub(crate) struct PostgresSnapshot {
    root: RootRow,
    reader: Reader,
    blobs: Option<Blobs>,
    ranges: Ranges,
}

/// Which root a snapshot is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// One that is there.
    ToAll,
    /// One that is being copied here.
    ToNobody,
}

/// A session in a transaction that only reads.
struct Reader {
    session: Pooled,
    sessions: Arc<Sessions>,
    counters: Arc<Counters>,
    patience: Duration,
}

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

fn of(sql: [&'static str; 2], want: Want) -> &'static str {
    let [hot, with_bag] = sql;
    if want.bag { with_bag } else { hot }
}

/// A position or id as the bound of a range: columns are signed.
fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The limit of a query that shows whether there is more.
pub(crate) const fn and_one(limit: usize) -> i64 {
    (if limit < PAGE_ROWS_MAX { limit } else { PAGE_ROWS_MAX }) as i64 + 1
}

/// The page out of the answer to a query limited by [`and_one`].
pub(crate) fn page<T>(mut rows: Vec<T>, limit: usize) -> Page<T> {
    let limit = limit.min(PAGE_ROWS_MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    Page { rows, more }
}

fn all<T>(rows: &[Row], read: impl FnMut(&Row) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    rows.iter().map(read).collect()
}

/// Two ranges merged by position, as far as the page and one row more go.
fn merged(items: Vec<ItemRow>, gone: Vec<store::Tombstone>, limit: usize) -> Vec<ChangeRow> {
    let mut changes = Vec::with_capacity((items.len() + gone.len()).min(limit.min(PAGE_ROWS_MAX) + 1));
    let (mut items, mut gone) = (items.into_iter().peekable(), gone.into_iter().peekable());
    while changes.len() <= limit.min(PAGE_ROWS_MAX) {
        let first = match (items.peek(), gone.peek()) {
            (Some(item), Some(gone)) => item.seq < gone.seq,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        if first {
            changes.extend(items.next().map(ChangeRow::Item));
        } else {
            changes.extend(gone.next().map(ChangeRow::Gone));
        }
    }
    changes
}

impl Reader {
    /// Waits for the database, but not for ever: a session that does not answer is of no use to the next one either.
    async fn patiently<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let answer = self.sessions.background().within(self.patience, future).await;
        match answer {
            Some(Err(Failure::Lost(_))) | None => self.session.condemn(),
            Some(_) => {}
        }
        answer.unwrap_or_else(|| Err(Failure::no_answer(self.patience)))
    }

    /// The rows of one statement: one round trip.
    async fn rows(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        let rows = self.patiently(self.session.rows(sql, parameters)).await?;
        self.counters.read(1, rows.len());
        Ok(rows)
    }

    async fn all<T>(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
        read: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Failure> {
        all(&self.rows(sql, parameters).await?, read)
    }

    async fn one<T>(
        &self,
        sql: &'static str,
        parameters: Parameters<'_>,
        read: impl FnMut(&Row) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        Ok(self.all(sql, parameters, read).await?.pop())
    }

    /// Begins the transaction with the row of its root: one round trip.
    async fn begin(&self, root: i64, shown: Shown) -> Result<Option<RootRow>, Failure> {
        let sql = match shown {
            Shown::ToAll => reads::ROOT,
            Shown::ToNobody => reads::LOADING,
        };
        let (_, row) = self
            .patiently(try_join(
                async { Ok(self.session.client().batch_execute(BEGIN).await?) },
                self.session.rows(sql, &[&root]),
            ))
            .await?;
        self.counters.began();
        row.first().map(rows::root).transpose()
    }
}

impl Drop for Reader {
    /// Ends the transaction without waiting for it: the next user of the session sends behind it.
    fn drop(&mut self) {
        let end = pin!(self.session.client().batch_execute("COMMIT"));
        let _ = end.poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl PostgresSnapshot {
    /// Begins a transaction that reads. A session that proves to be dead is no reason to fail: there are others.
    pub(crate) async fn begin(
        sessions: &Arc<Sessions>,
        counters: &Arc<Counters>,
        blobs: Option<&Blobs>,
        patience: Duration,
        (root, shown): (RootId, Shown),
    ) -> Result<Self, Failure> {
        let mut attempt = 0;
        loop {
            let (sessions, counters) = (Arc::clone(sessions), Arc::clone(counters));
            let session = sessions.take(patience).await?;
            let reader = Reader { session, sessions, counters, patience };
            match reader.begin(root.to_i64(), shown).await {
                Ok(row) => {
                    let root = row.ok_or(StoreError::NoRoot(root))?;
                    return Ok(Self { root, reader, blobs: blobs.cloned(), ranges: Ranges::default() });
                }
                Err(Failure::Lost(_)) if attempt < ATTEMPTS_MAX => attempt += 1,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// The root as it stands in every statement.
    pub(crate) const fn key(&self) -> i64 {
        self.root.root.to_i64()
    }

    /// The rows of one statement.
    pub(crate) async fn rows(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Failure> {
        self.reader.rows(sql, parameters).await
    }

    /// The bytes of a large part, outside of memory.
    pub(crate) fn rope(&self, large: Large) -> Rope {
        large.rope(&self.reader.sessions, self.blobs.as_ref(), self.key(), self.reader.patience)
    }

    /// The counts of the root, for which all its rows are read: that takes its time.
    async fn totals(&self) -> Result<TransferTotals, Failure> {
        let session = &self.reader.session;
        let milliseconds = transfer::TOTALS_PATIENCE.as_millis();
        let longer = format!("SET LOCAL statement_timeout TO {milliseconds}");
        let key = self.key();
        let parameters: Parameters<'_> = &[&key];
        let flight = try_join(
            async { Ok(session.client().batch_execute(&longer).await?) },
            session.rows(sql::TOTALS, parameters),
        );
        let answer = self.reader.sessions.background().within(transfer::TOTALS_PATIENCE, flight).await;
        let Some(answer) = answer else {
            session.condemn();
            return Err(Failure::no_answer(transfer::TOTALS_PATIENCE));
        };
        let (_, rows) = answer.inspect_err(|_| session.condemn())?;
        self.reader.counters.read(1, rows.len());
        transfer::totals(rows.first().ok_or_else(|| Failure::damaged("no counts"))?)
    }

    async fn place(&self, item: ItemId, part: u32) -> Result<Option<Place>, Failure> {
        let part = i64::from(part);
        self.reader.one(reads::PART, &[&self.key(), &item.to_i64(), &part], parts::place).await
    }
}

/// Roots in ascending order, after `after`; one more than `limit` where there are more.
pub(crate) async fn roots(
    sessions: &Sessions,
    counters: &Counters,
    patience: Duration,
    after: Option<RootId>,
    limit: usize,
) -> Result<Vec<RootRow>, Failure> {
    let after = after.map_or(-1, |root| bound(root.0));
    let rows = once(sessions, patience, reads::ROOTS, &[&after, &and_one(limit)]).await?;
    counters.read(1, rows.len());
    all(&rows, rows::root)
}

/// The rows of one statement outside of any transaction.
pub(crate) async fn once(
    sessions: &Sessions,
    patience: Duration,
    sql: &'static str,
    parameters: Parameters<'_>,
) -> Result<Vec<Row>, Failure> {
    let mut attempt = 0;
    loop {
        let session = sessions.take(patience).await?;
        match sessions.background().within(patience, session.rows(sql, parameters)).await {
            Some(Err(Failure::Lost(_))) if attempt < ATTEMPTS_MAX => attempt += 1,
            Some(result) => return result,
            None => {
                session.condemn();
                return Err(Failure::no_answer(patience));
            }
        }
        session.condemn();
    }
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn root(&self) -> &RootRow {
        &self.root
    }

    async fn epochs(&mut self) -> Result<Vec<Epoch>, StoreError> {
        Ok(self.reader.all(reads::EPOCHS, &[&self.key()], rows::epoch).await?)
    }

    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError> {
        let parameters: Parameters<'_> = &[&self.key(), &collection.to_i64()];
        Ok(self.reader.one(reads::COLLECTION, parameters, rows::collection).await?)
    }

    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError> {
        let after = after.map_or(-1, |collection| bound(collection.0));
        let parameters: Parameters<'_> = &[&self.key(), &after, &and_one(limit)];
        Ok(page(self.reader.all(reads::COLLECTIONS, parameters, rows::collection).await?, limit))
    }

    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError> {
        Ok(self.reader.all(reads::SPANS, &[&self.key(), &bound(since.0)], rows::span).await?)
    }

    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError> {
        if ids.len() > PAGE_ROWS_MAX {
            return Err(StoreError::TooLarge("items by id"));
        }
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked: Vec<i64> = ids.iter().map(|id| id.to_i64()).collect();
        asked.sort_unstable();
        asked.dedup();
        let rows = self.reader.all(of(reads::ITEMS, want), &[&self.key(), &asked], |row| rows::item(row, want)).await?;
        let found: HashMap<ItemId, ItemRow> = rows.into_iter().map(|row| (row.item, row)).collect();
        Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
    }

    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let after = after.map_or(-1, |item| bound(item.0));
        let parameters: Parameters<'_> = &[&self.key(), &collection.to_i64(), &after, &and_one(limit)];
        let rows = self.reader.all(of(reads::LIST, want), parameters, |row| rows::item(row, want)).await?;
        Ok(page(rows, limit))
    }

    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let (above, up_to) = (bound(above.0), bound(up_to.0));
        let parameters: Parameters<'_> = &[&self.key(), &collection.to_i64(), &above, &up_to, &and_one(limit)];
        let rows = self.reader.all(of(reads::CREATED, want), parameters, |row| rows::item(row, want)).await?;
        Ok(page(rows, limit))
    }

    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError> {
        let parameters: Parameters<'_> = &[&self.key(), &collection.to_i64(), &bound(after.0), &and_one(limit)];
        let session = &self.reader.session;
        let flight =
            try_join(session.rows(of(reads::CHANGES, want), parameters), session.rows(reads::TOMBSTONES, parameters));
        let (standing, gone) = self.reader.patiently(flight).await?;
        self.reader.counters.read(2, standing.len() + gone.len());
        let (standing, gone) = (all(&standing, |row| rows::item(row, want))?, all(&gone, rows::tombstone)?);
        Ok(page(merged(standing, gone, limit), limit))
    }

    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError> {
        match self.place(item, part).await? {
            None => Ok(None),
            Some(Place::Inline(bytes)) => Ok(Some(bytes)),
            Some(Place::Large(large)) => Ok(Some(match &large.object {
                Some(object) => Large::whole_object(self.blobs.as_ref(), object).await?,
                None => self.reader.patiently(large.whole(&self.reader.session, self.key())).await?,
            })),
        }
    }

    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let bytes_max = bytes_max.min(PART_RANGE_BYTES_MAX);
        if !self.ranges.is_open((item, part)) {
            let Some(place) = self.place(item, part).await? else { return Ok(None) };
            self.ranges.open((item, part), place, self.blobs.as_ref())?;
        }
        let (reader, key) = (&self.reader, self.root.root.to_i64());
        // An object store has a patience of its own, and its silence says nothing of the session.
        let is_in_rows = self.ranges.is_in_rows();
        let range = self.ranges.range(&reader.session, key, offset, bytes_max);
        Ok(Some(if is_in_rows { reader.patiently(range).await? } else { range.await? }))
    }

    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError> {
        Ok(self.reader.all(reads::PARTS, &[&self.key(), &item.to_i64()], rows::part_info).await?)
    }

    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError> {
        let parameters: Parameters<'_> = &[&self.key(), &scope.cast_signed(), &name];
        let target = self.reader.one(reads::NAME, parameters, |row| get::<i64>(row, 0)).await?;
        Ok(target.map(i64::cast_unsigned))
    }

    async fn names(
        &mut self,
        scope: u64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, u64)>, StoreError> {
        let read = |row: &Row| Ok((rows::bytes(row, 0)?, get::<i64>(row, 1)?.cast_unsigned()));
        let (key, scope, limit_and_one) = (self.key(), scope.cast_signed(), and_one(limit));
        let rows = match after {
            Some(after) => {
                let parameters: Parameters<'_> = &[&key, &scope, &after, &limit_and_one];
                self.reader.all(reads::NAMES_AFTER, parameters, read).await?
            }
            None => self.reader.all(reads::NAMES, &[&key, &scope, &limit_and_one], read).await?,
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
                reads::KEYS_UP
            }
            Direction::Descending => {
                below = match (below, after) {
                    (Some(below), Some(after)) => Some(below.min(after)),
                    (below, after) => below.or(after),
                };
                reads::KEYS_DOWN
            }
        };
        let read = |row: &Row| Ok((rows::bytes(row, 0)?, ItemId::from_i64(get(row, 1)?)));
        let (key, collection, field, limit_and_one) =
            (self.key(), collection.to_i64(), i64::from(field), and_one(limit));
        let rows = match below {
            Some(below) => {
                let parameters: Parameters<'_> =
                    &[&key, &collection, &field, &above.0, &above.1, &limit_and_one, &below.0, &below.1];
                self.reader.all(bounded, parameters, read).await?
            }
            None => {
                let parameters: Parameters<'_> = &[&key, &collection, &field, &above.0, &above.1, &limit_and_one];
                self.reader.all(open, parameters, read).await?
            }
        };
        Ok(page(rows, limit))
    }

    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError> {
        let asked = rows::minute(time);
        let read = |row: &Row| Ok((get::<i64>(row, 0)?, get::<i64>(row, 1)?, get::<bool>(row, 2)?));
        let begun = self.reader.one(reads::TICK, &[&self.key(), &asked], read).await?;
        let Some((minute, seq, has_earlier)) = begun else { return Ok(self.root.last_seq) };
        // Before the first minute that is still kept nothing is certain.
        let is_known = minute == asked || seq == 0 || has_earlier;
        Ok(if is_known { Seq::from_i64(seq) } else { Seq::ZERO })
    }

    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        Ok(self.transfer_page(after, limit).await?)
    }

    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        Ok(self.transfer_last().await?)
    }

    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        Ok(self.totals().await?)
    }
}
