//! Writing a root that is being copied here: rows as they are, under a root that nobody sees until it is published.
//!
//! A load may be repeated, so a lost answer to its COMMIT is answered by doing it again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use model::{CollectionId, RootId, Rope, Seq, Time};
use store::{RootRow, StoreError, TransferRow, TransferTotals, check_load};
use tokio::time::timeout;
use tokio_postgres::types::ToSql;

use crate::{
    failure::Failure,
    flight::{Flight, Parameter, Unfinished},
    large,
    parts::Hash,
    removal,
    rows::{self, get, root_kind_number, tombstone_kind_number},
    session::Session,
    statements::{copying as sql, transfer::TOTALS, writes::REFER},
    transaction::{ATTEMPTS_MAX, Transactions, pause},
    transfer::{self, TOTALS_PATIENCE},
};

/// A conflict that no guard of the caller names.
const CONFLICT: StoreError = StoreError::Conflict { guard: usize::MAX };
/// When large parts are freed that a load leaves behind: no time of grace, nobody has seen them.
const AT: Time = Time(0);

/// What there is of a root.
enum Found {
    /// Nothing.
    Nothing,
    /// Something on its way out.
    Leaving,
    /// The root.
    Shown(RootRow),
    /// What was loaded so far, under this row.
    Loading(RootRow),
}

/// Rows to be loaded.
pub(crate) struct Load {
    root: RootRow,
    rows: Vec<TransferRow>,
    /// Large parts, which are stored, by the place of the row.
    hashes: BTreeMap<usize, Hash>,
    /// The other parts, by the place of the row.
    inline: BTreeMap<usize, Bytes>,
}

impl Load {
    /// Stores the large parts, so that the rows can refer to them. Costs reading them twice.
    ///
    /// # Errors
    /// As [`store::Store::load`].
    pub(crate) async fn prepare(
        transactions: &Transactions,
        root: &RootRow,
        rows: Vec<TransferRow>,
        blob_threshold_bytes: usize,
    ) -> Result<Self, StoreError> {
        check_load(&rows)?;
        let (mut hashes, mut inline) = (BTreeMap::new(), BTreeMap::new());
        for (place, row) in rows.iter().enumerate() {
            let Some(bytes) = part_bytes(row) else { continue };
            if bytes.len() > blob_threshold_bytes {
                hashes.insert(place, stage(transactions, root.root, bytes).await?);
            } else {
                inline.insert(place, bytes.to_bytes().map_err(|error| StoreError::TryAgain(error.to_string()))?);
            }
        }
        Ok(Self { root: root.clone(), rows, hashes, inline })
    }

    /// Writes the rows in one transaction.
    ///
    /// # Errors
    /// As [`store::Store::load`].
    pub(crate) async fn write(&self, transactions: &Transactions) -> Result<(), StoreError> {
        let mut attempt = 0;
        loop {
            let session = transactions.session().await?;
            let writing = timeout(transactions.patience, self.write_once(&session)).await;
            let no_answer = || Unfinished { failure: Failure::no_answer(transactions.patience), in_doubt: true };
            let unfinished = match writing.unwrap_or_else(|_| Err(no_answer())) {
                Ok(missing) if missing.is_empty() => return Ok(()),
                Ok(missing) => {
                    // They were swept before they were referred to.
                    for (place, _) in self.hashes.iter().filter(|(_, hash)| missing.contains(*hash)) {
                        if let Some(bytes) = self.rows.get(*place).and_then(part_bytes) {
                            stage(transactions, self.root.root, bytes).await?;
                        }
                    }
                    let failure = Failure::Repeat("a large part was removed before it was referred to".to_owned());
                    Unfinished { failure, in_doubt: false }
                }
                Err(unfinished) => unfinished,
            };
            session.condemn();
            drop(session);
            let Unfinished { failure, in_doubt } = unfinished;
            if !failure.may_pass() && !matches!(failure, Failure::Taken(_)) || attempt >= ATTEMPTS_MAX {
                let text = failure.to_string();
                return Err(if in_doubt { StoreError::OutcomeUnknown(text) } else { failure.into() });
            }
            pause(attempt).await;
            attempt += 1;
        }
    }

    /// The hashes of large parts that are not stored; nothing was written then.
    async fn write_once(&self, session: &Session) -> Result<BTreeSet<Hash>, Unfinished> {
        let before = |failure| Unfinished { failure, in_doubt: false };
        let root = self.root.root;
        let (found, references) = self.find(session).await.map_err(before)?;
        match found {
            Found::Loading(begun) if begun == self.root => {}
            Found::Loading(_) | Found::Shown(_) => {
                return Err(before(Failure::Port(end(session, CONFLICT).await)));
            }
            Found::Leaving => {
                // It goes first, and with it what was stored under its id.
                removal::whole(session, root).await.map_err(before)?;
                Flight::default().commit(session).await?;
                return Err(before(Failure::Repeat("a root of the same id had to go first".to_owned())));
            }
            Found::Nothing => {
                let (kind, guid) = (-2 - root_kind_number(self.root.kind), &self.root.guid.0[..]);
                let (last, purged) = (self.root.last_seq.to_i64(), self.root.purged_seq.to_i64());
                let epoch = self.root.epoch.cast_signed();
                let key = root.to_i64();
                let parameters: [&(dyn ToSql + Sync); 6] = [&key, &kind, &guid, &last, &purged, &epoch];
                session.rows(sql::BEGIN_COPY, &parameters).await.map_err(before)?;
            }
        }
        if !references.missing.is_empty() {
            session.client().batch_execute("ROLLBACK").await.map_err(|error| before(error.into()))?;
            return Ok(references.missing);
        }
        let mut flight = Flight::default();
        self.put(&mut flight);
        let (hashes, more): (Vec<Vec<u8>>, Vec<i64>) =
            references.counts.into_iter().map(|(hash, count)| (hash.to_vec(), count)).unzip();
        if !hashes.is_empty() {
            let parameters: Vec<Parameter<'_>> =
                vec![Box::new(root.to_i64()), Box::new(hashes), Box::new(more), Box::new(AT.0)];
            flight.add(REFER, parameters);
        }
        flight.commit(session).await?;
        Ok(BTreeSet::new())
    }

    /// Begins the transaction: the root, and what becomes of references to large parts.
    async fn find(&self, session: &Session) -> Result<(Found, References), Failure> {
        let root = self.root.root.to_i64();
        let (mut items, mut numbers) = (Vec::new(), Vec::new());
        for row in &self.rows {
            if let TransferRow::Part { item, part, .. } = row {
                items.push(item.to_i64());
                numbers.push(i64::from(*part));
            }
        }
        let hashes: BTreeSet<Hash> = self.hashes.values().copied().collect();
        let wanted: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.to_vec()).collect();
        let mut flight = Flight::default();
        flight.add(sql::FIND_ROOT, vec![Box::new(root)]);
        flight.add(sql::REPLACED_PARTS, vec![Box::new(root), Box::new(items), Box::new(numbers)]);
        flight.add(sql::STORED_PARTS, vec![Box::new(root), Box::new(wanted)]);
        let answers = flight.begin(session).await?;
        let [found, replaced, stored] = answers.as_slice() else {
            return Err(Failure::damaged("an answer is missing"));
        };
        let found = state(self.root.root, found.first())?;
        let hash = |row: &tokio_postgres::Row| {
            let bytes: &[u8] = get(row, 0)?;
            Hash::try_from(bytes).map_err(|_| Failure::damaged("the hash of a part"))
        };
        let mut counts = BTreeMap::<Hash, i64>::new();
        for row in replaced {
            if get::<Option<&[u8]>>(row, 0)?.is_some() {
                *counts.entry(hash(row)?).or_default() -= 1;
            }
        }
        for hash in self.hashes.values() {
            *counts.entry(*hash).or_default() += 1;
        }
        let stored = stored.iter().map(hash).collect::<Result<BTreeSet<_>, _>>()?;
        let missing = hashes.difference(&stored).copied().collect();
        Ok((found, References { counts, missing }))
    }

    /// The rows, a statement a table.
    fn put(&self, flight: &mut Flight<'_>) {
        let mut columns = Columns::default();
        for (place, row) in self.rows.iter().enumerate() {
            columns.add(row, self.hashes.get(&place), self.inline.get(&place));
        }
        let root = self.root.root.to_i64();
        for (sql, table) in columns.into_tables() {
            if table.rows > 0 {
                let mut parameters: Vec<Parameter<'_>> = vec![Box::new(root)];
                parameters.extend(table.columns.into_iter().map(Column::parameter));
                flight.add(sql, parameters);
            }
        }
    }
}

/// References to large parts that a load changes.
struct References {
    counts: BTreeMap<Hash, i64>,
    /// Large parts that are not stored.
    missing: BTreeSet<Hash>,
}

/// Shows a root that was loaded, where it is what it was to be.
///
/// # Errors
/// As [`store::Store::publish`].
pub(crate) async fn publish(
    transactions: &Transactions,
    root: &RootRow,
    totals: TransferTotals,
) -> Result<(), StoreError> {
    let (mut attempt, mut was_in_doubt) = (0, false);
    loop {
        let session = transactions.session().await?;
        let publishing = publish_once(&session, root, totals, was_in_doubt);
        let published = timeout(TOTALS_PATIENCE, publishing).await;
        let no_answer = || Unfinished { failure: Failure::no_answer(TOTALS_PATIENCE), in_doubt: true };
        let Unfinished { failure, in_doubt } = match published.unwrap_or_else(|_| Err(no_answer())) {
            Ok(()) => return Ok(()),
            Err(unfinished) => unfinished,
        };
        session.condemn();
        drop(session);
        was_in_doubt |= in_doubt;
        if !failure.may_pass() || attempt >= ATTEMPTS_MAX {
            let text = failure.to_string();
            return Err(if was_in_doubt { StoreError::OutcomeUnknown(text) } else { failure.into() });
        }
        pause(attempt).await;
        attempt += 1;
    }
}

async fn publish_once(
    session: &Session,
    root: &RootRow,
    totals: TransferTotals,
    was_in_doubt: bool,
) -> Result<(), Unfinished> {
    let before = |failure| Unfinished { failure, in_doubt: false };
    let key = root.root.to_i64();
    let mut flight = Flight::default();
    flight.add(sql::FIND_ROOT, vec![Box::new(key)]);
    let answers = flight.begin(session).await.map_err(before)?;
    let refusal = match state(root.root, answers.first().and_then(|rows| rows.first())).map_err(before)? {
        Found::Loading(begun) if begun == *root => {
            let milliseconds = TOTALS_PATIENCE.as_millis();
            let longer = format!("SET LOCAL statement_timeout TO {milliseconds}");
            session.client().batch_execute(&longer).await.map_err(|error| before(error.into()))?;
            let rows = session.rows(TOTALS, &[&key]).await.map_err(before)?;
            let found = rows.first().map(transfer::totals).transpose().map_err(before)?;
            (found != Some(totals)).then_some(CONFLICT)
        }
        Found::Loading(_) => Some(CONFLICT),
        // The attempt before was committed.
        Found::Shown(shown) if was_in_doubt && shown == *root => {
            session.client().batch_execute("ROLLBACK").await.map_err(|error| before(error.into()))?;
            return Ok(());
        }
        Found::Shown(_) | Found::Leaving | Found::Nothing => Some(StoreError::NoRoot(root.root)),
    };
    if let Some(refusal) = refusal {
        return Err(before(Failure::Port(end(session, refusal).await)));
    }
    let mut flight = Flight::default();
    flight.add(sql::SHOW_ROOT, vec![Box::new(key)]);
    flight.commit(session).await?;
    Ok(())
}

/// Ends the transaction of what is refused.
async fn end(session: &Session, refusal: StoreError) -> StoreError {
    if session.client().batch_execute("ROLLBACK").await.is_err() {
        session.condemn();
    }
    refusal
}

/// The answer to [`sql::FIND_ROOT`].
fn state(root: RootId, row: Option<&tokio_postgres::Row>) -> Result<Found, Failure> {
    let Some(row) = row else { return Ok(Found::Nothing) };
    let kind: i64 = get(row, 0)?;
    if kind == -1 {
        return Ok(Found::Leaving);
    }
    let guid: &[u8] = get(row, 1)?;
    let found = RootRow {
        root,
        kind: rows::root_kind(if kind < 0 { -2 - kind } else { kind })?,
        guid: model::Guid(guid.try_into().map_err(|_| Failure::damaged("the GUID of a root"))?),
        last_seq: Seq::from_i64(get(row, 2)?),
        purged_seq: Seq::from_i64(get(row, 3)?),
        epoch: get::<i64>(row, 4)?.cast_unsigned(),
    };
    Ok(if kind < 0 { Found::Loading(found) } else { Found::Shown(found) })
}

const fn part_bytes(row: &TransferRow) -> Option<&Rope> {
    match row {
        TransferRow::Part { bytes, .. } => Some(bytes),
        TransferRow::Epoch { .. }
        | TransferRow::Tick { .. }
        | TransferRow::Collection(_)
        | TransferRow::Span { .. }
        | TransferRow::Item(_)
        | TransferRow::Tombstone { .. }
        | TransferRow::Name { .. }
        | TransferRow::Key { .. }
        | TransferRow::Operation { .. } => None,
    }
}

async fn stage(transactions: &Transactions, root: RootId, bytes: &Rope) -> Result<Hash, StoreError> {
    let content = bytes.clone();
    let digests = tokio::task::spawn_blocking(move || large::digests(&content)).await;
    let digests = digests.map_err(|error| StoreError::TryAgain(error.to_string()))?;
    let digests = digests.map_err(|error| StoreError::TryAgain(error.to_string()))?;
    transactions.stage(root, &digests, bytes, AT).await?;
    Ok(digests.hash)
}

/// A column of the rows of one table.
enum Column {
    Numbers(Vec<Option<i64>>),
    Bytes(Vec<Option<Vec<u8>>>),
}

/// One value of a row.
enum Value<'a> {
    Number(Option<i64>),
    Bytes(Option<&'a [u8]>),
}

/// The rows of one table, by columns.
#[derive(Default)]
struct Table {
    rows: usize,
    columns: Vec<Column>,
}

/// The rows of all tables.
#[derive(Default)]
struct Columns {
    epochs: Table,
    ticks: Table,
    collections: Table,
    collection_bags: Table,
    spans: Table,
    items: Table,
    bags: Table,
    parts: Table,
    tombstones: Table,
    names: Table,
    keys: Table,
    operations: Table,
}

impl Column {
    fn parameter<'a>(self) -> Parameter<'a> {
        match self {
            Self::Numbers(values) => Box::new(values),
            Self::Bytes(values) => Box::new(values),
        }
    }
}

impl Table {
    /// Adds a row; all of a table have the same kinds of values.
    fn add<const N: usize>(&mut self, values: [Value<'_>; N]) {
        if self.columns.is_empty() {
            self.columns.extend(values.iter().map(|value| match value {
                Value::Number(_) => Column::Numbers(Vec::new()),
                Value::Bytes(_) => Column::Bytes(Vec::new()),
            }));
        }
        for (column, value) in self.columns.iter_mut().zip(values) {
            match (column, value) {
                (Column::Numbers(column), Value::Number(value)) => column.push(value),
                (Column::Bytes(column), Value::Bytes(value)) => column.push(value.map(<[u8]>::to_vec)),
                (Column::Numbers(_), Value::Bytes(_)) | (Column::Bytes(_), Value::Number(_)) => {}
            }
        }
        self.rows += 1;
    }
}

fn id(number: u64) -> Value<'static> {
    Value::Number(Some(number.cast_signed()))
}

const fn signed(number: i64) -> Value<'static> {
    Value::Number(Some(number))
}

const fn bytes(bytes: &[u8]) -> Value<'_> {
    Value::Bytes(Some(bytes))
}

impl Columns {
    fn add(&mut self, row: &TransferRow, hash: Option<&Hash>, inline: Option<&Bytes>) {
        match row {
            TransferRow::Epoch { ordinal, epoch } => {
                self.epochs.add([id(*ordinal), id(epoch.epoch), id(epoch.first_seq.0), signed(epoch.at.0)]);
            }
            TransferRow::Tick { minute, seq } => self.ticks.add([signed(*minute), id(seq.0)]),
            TransferRow::Collection(row) => {
                self.collection_bags.add([id(row.collection.0), bytes(&row.bag)]);
                self.collections.add([
                    id(row.collection.0),
                    Value::Number(row.parent.map(CollectionId::to_i64)),
                    id(row.seq.0),
                    id(row.created_seq.0),
                    id(row.items_seq.0),
                    id(row.purged_seq.0),
                    id(row.items),
                    id(row.unread),
                    id(row.associated),
                    id(row.last_number.into()),
                ]);
            }
            TransferRow::Span { span, ended_at } => self.spans.add([
                id(span.collection.0),
                id(span.from_seq.0),
                Value::Number(span.parent.map(CollectionId::to_i64)),
                Value::Number(span.to_seq.map(Seq::to_i64)),
                Value::Number(ended_at.map(|at| at.0)),
            ]),
            TransferRow::Item(row) => {
                self.bags.add([id(row.item.0), bytes(&row.bag)]);
                self.items.add([
                    id(row.item.0),
                    id(row.collection.0),
                    id(row.seq.0),
                    id(row.created_seq.0),
                    id(row.content_seq.0),
                    id(row.flags.0.into()),
                ]);
            }
            TransferRow::Part { item, part, bytes } => {
                self.parts.add([
                    id(item.0),
                    id((*part).into()),
                    id(bytes.len() as u64),
                    Value::Bytes(hash.map(|hash| &hash[..])),
                    Value::Bytes(inline.map(|inline| &inline[..])),
                ]);
            }
            TransferRow::Tombstone { collection, tombstone } => {
                let (to_collection, to_item) = tombstone.moved_to.unzip();
                self.tombstones.add([
                    id(collection.0),
                    id(tombstone.seq.0),
                    id(tombstone.item.0),
                    id(tombstone.created_seq.0),
                    id(tombstone.flags.0.into()),
                    signed(tombstone_kind_number(tombstone.kind)),
                    signed(tombstone.at.0),
                    Value::Number(to_collection.map(CollectionId::to_i64)),
                    Value::Number(to_item.map(model::ItemId::to_i64)),
                    bytes(&tombstone.note),
                ]);
            }
            TransferRow::Name { scope, name, target } => self.names.add([id(*scope), bytes(name), id(*target)]),
            TransferRow::Key { collection, field, value, item } => {
                self.keys.add([id(collection.0), id((*field).into()), bytes(value), id(item.0)]);
            }
            TransferRow::Operation { operation, at, receipt } => {
                self.operations.add([bytes(&operation.0), signed(at.0), bytes(&store::receipt::encode(receipt))]);
            }
        }
    }

    fn into_tables(self) -> [(&'static str, Table); 12] {
        [
            (sql::PUT_EPOCHS, self.epochs),
            (sql::PUT_TICKS, self.ticks),
            (sql::PUT_COLLECTIONS, self.collections),
            (sql::PUT_COLLECTION_BAGS, self.collection_bags),
            (sql::PUT_SPANS, self.spans),
            (sql::PUT_ITEMS, self.items),
            (sql::PUT_BAGS, self.bags),
            (sql::PUT_PARTS, self.parts),
            (sql::PUT_TOMBSTONES, self.tombstones),
            (sql::PUT_NAMES, self.names),
            (sql::PUT_KEYS, self.keys),
            (sql::PUT_OPERATIONS, self.operations),
        ]
    }
}
