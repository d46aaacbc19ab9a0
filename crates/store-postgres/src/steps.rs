//! Writes that are not done in memory: what they touch is a range of rows, of any length.
//!
//! Each runs inside the open transaction of a commit of its own, when everything before it was written.

use std::collections::BTreeMap;

use model::{CollectionId, RootId, Seq, Time};
use store::{StoreError, WriteReceipt};
use tokio_postgres::Row;

use crate::{
    apply::{CONFLICT, minute},
    failure::Failure,
    flight::{Flight, Parameter},
    large::GRACE_TICKS,
    rows::get,
    session::Session,
    statements::writes::{
        COLLECTION_STATE, DELETE_EPOCHS, DELETE_FREED, DELETE_GRAVES, DELETE_OPERATIONS, DELETE_SPANS, DELETE_TICKS,
        DROP_COLLECTION_BAG, DROP_COLLECTION_GRAVES, DROP_COLLECTION_ITEM_BAGS, DROP_COLLECTION_ITEMS,
        DROP_COLLECTION_KEYS, DROP_COLLECTION_PARTS, DROP_COLLECTION_REFERENCES, DROP_COLLECTION_ROW, DROP_FIELD_KEYS,
        END_SPANS, OLD_GRAVES, OLD_SPANS, PURGE_COLLECTIONS, PURGE_ROOT,
    },
};

/// Rows that one write removes, whatever it asks for.
const ROWS_MAX: usize = 100_000;
/// For how long the receipt of an operation is kept.
const OPERATION_TICKS: i64 = Time::DAY;
/// By how much the time line of positions outlives the tombstones: it is asked for times before the oldest token.
const TICK_MARGIN_MINUTES: i64 = 24 * 60;
/// Large parts that one trimming removes.
const FREED_MAX: i64 = 64;

/// Removes a collection with its items, keys and tombstones. `seq` is the position that it takes.
pub(crate) async fn drop_collection(
    session: &Session,
    root: RootId,
    collection: CollectionId,
    seq: Seq,
    at: Time,
) -> Result<WriteReceipt, Failure> {
    let (root, id) = (root.to_i64(), collection.to_i64());
    let found = session.rows(COLLECTION_STATE, &[&root, &id]).await?;
    let state = found.first().map(|row| Ok::<_, Failure>((get(row, 0)?, get(row, 1)?))).transpose()?;
    match state {
        None | Some((false, _)) => return Err(StoreError::NoCollection(collection).into()),
        Some((true, true)) => return Err(CONFLICT.into()),
        Some((true, false)) => {}
    }
    let mut flight = Flight::default();
    flight.add(DROP_COLLECTION_REFERENCES, vec![Box::new(root), Box::new(id), Box::new(at.0)]);
    for sql in [
        DROP_COLLECTION_PARTS,
        DROP_COLLECTION_ITEM_BAGS,
        DROP_COLLECTION_ITEMS,
        DROP_COLLECTION_KEYS,
        DROP_COLLECTION_GRAVES,
        DROP_COLLECTION_ROW,
        DROP_COLLECTION_BAG,
    ] {
        flight.add(sql, vec![Box::new(root), Box::new(id)]);
    }
    let ended: [Parameter<'_>; 3] = [Box::new(vec![id]), Box::new(vec![seq.to_i64()]), Box::new(vec![at.0])];
    flight.add(END_SPANS, [Box::new(root) as Parameter<'_>].into_iter().chain(ended).collect());
    flight.run(session).await?;
    Ok(WriteReceipt { seq, collection: Some(collection), ..WriteReceipt::default() })
}

/// Removes keys of a field.
pub(crate) async fn drop_keys(
    session: &Session,
    root: RootId,
    collection: CollectionId,
    field: u32,
    rows_max: usize,
) -> Result<WriteReceipt, Failure> {
    let limit = rows_max.min(ROWS_MAX) as i64;
    let parameters: [i64; 4] = [root.to_i64(), collection.to_i64(), field.into(), limit];
    let [root, collection, field, limit] = &parameters;
    let found = session.rows(DROP_FIELD_KEYS, &[root, collection, field, limit]).await?;
    Ok(WriteReceipt { rows: count(&found)?, ..WriteReceipt::default() })
}

/// The number that a statement gives.
pub(crate) fn count(rows: &[Row]) -> Result<u64, Failure> {
    let row = rows.first().ok_or_else(|| Failure::damaged("a count gave no row"))?;
    Ok(get::<i64>(row, 0)?.cast_unsigned())
}

/// What retention removes; see [`store::Write::TrimTombstones`]. Also forgets old receipts, the old time line, and large
/// parts that were freed a while ago.
pub(crate) async fn trim(
    session: &Session,
    root: RootId,
    before: Time,
    rows_max: usize,
    at: Time,
) -> Result<WriteReceipt, Failure> {
    let (root, limit) = (root.to_i64(), rows_max.min(ROWS_MAX));
    let mut flight = Flight::default();
    for sql in [OLD_GRAVES, OLD_SPANS] {
        flight.add(sql, vec![Box::new(root), Box::new(before.0), Box::new(limit as i64)]);
    }
    let mut found = flight.run(session).await?.into_iter();
    let (graves, spans) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
    // Position, collection, and for a span where it began.
    let mut old: Vec<(i64, i64, Option<i64>)> = Vec::with_capacity(graves.len() + spans.len());
    for row in &graves {
        old.push((get(row, 0)?, get(row, 1)?, None));
    }
    for row in &spans {
        old.push((get(row, 0)?, get(row, 1)?, Some(get(row, 2)?)));
    }
    old.sort_by_key(|(seq, ..)| *seq);
    old.truncate(limit);

    let mut flight = Flight::default();
    let key = || -> Parameter<'static> { Box::new(root) };
    let (collections, seqs): (Vec<i64>, Vec<i64>) =
        old.iter().filter(|(.., from)| from.is_none()).map(|(seq, collection, _)| (*collection, *seq)).unzip();
    if !seqs.is_empty() {
        // In order of position, so that the last one of a collection is the highest.
        let marks: BTreeMap<i64, i64> = collections.iter().copied().zip(seqs.iter().copied()).collect();
        let (ids, highest): (Vec<i64>, Vec<i64>) = marks.into_iter().unzip();
        flight.add(DELETE_GRAVES, vec![key(), Box::new(collections), Box::new(seqs)]);
        flight.add(PURGE_COLLECTIONS, vec![key(), Box::new(ids), Box::new(highest)]);
    }
    let ended = old.iter().filter_map(|(seq, collection, from)| Some((*seq, (*collection, (*from)?))));
    let (seqs, (ids, from)): (Vec<i64>, (Vec<i64>, Vec<i64>)) = ended.unzip();
    if let Some(last) = seqs.last() {
        flight.add(DELETE_SPANS, vec![key(), Box::new(ids), Box::new(from)]);
        flight.add(PURGE_ROOT, vec![key(), Box::new(*last)]);
    }
    flight.add(DELETE_EPOCHS, vec![key(), Box::new(before.0)]);
    flight.add(DELETE_OPERATIONS, vec![key(), Box::new(at.0.saturating_sub(OPERATION_TICKS))]);
    flight.add(DELETE_TICKS, vec![key(), Box::new(minute(before).saturating_sub(TICK_MARGIN_MINUTES))]);
    flight.add(DELETE_FREED, vec![key(), Box::new(at.0.saturating_sub(GRACE_TICKS)), Box::new(FREED_MAX)]);
    flight.run(session).await?;
    Ok(WriteReceipt { rows: old.len() as u64, ..WriteReceipt::default() })
}
