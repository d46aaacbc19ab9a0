//! The rows of a root as they are, for a copy: one table after the other, each along its primary key.

use std::time::Duration;

use bytes::Bytes;
use model::{CollectionId, Guid, ItemId, Rope, Seq, Time};
use store::{Page, Span, StoreError, TransferKey, TransferLimit, TransferRoom, TransferRow, TransferTotals};
use tokio_postgres::{Row, types::ToSql};

use crate::{
    failure::Failure,
    parts::{self, Place},
    rows::{self, get},
    snapshot::PostgresSnapshot,
    statements::transfer as sql,
};

/// Rows that are asked for at first: what a row takes is not known yet.
const ROWS_FIRST: usize = 64;
/// How long the counts of a root may take: all its rows are read.
pub(crate) const TOTALS_PATIENCE: Duration = Duration::from_secs(600);

/// A value of a key.
enum Value {
    Number(i64),
    Bytes(Vec<u8>),
}

/// A table that is copied.
struct Table {
    sql: &'static str,
    /// A key before all others.
    lowest: &'static [Low],
    read: fn(&Row, &PostgresSnapshot) -> Result<TransferRow, Failure>,
    /// A key out of its columns alone.
    read_key: fn(&Row) -> Result<TransferKey, Failure>,
}

/// The lowest value of a column of a key; no row has it.
#[derive(Clone, Copy)]
enum Low {
    Number,
    Bytes,
}

/// In the order of [`TransferKey`].
const TABLES: [Table; 10] = [
    Table {
        sql: sql::EPOCHS,
        lowest: &[Low::Number],
        read: |row, _| Ok(TransferRow::Epoch { ordinal: number(row, 0)?, epoch: rows::epoch_at(row, 1)? }),
        read_key: |row| Ok(TransferKey::Epoch(number(row, 0)?)),
    },
    Table {
        sql: sql::TICKS,
        lowest: &[Low::Number],
        read: |row, _| Ok(TransferRow::Tick { minute: get(row, 0)?, seq: Seq(number(row, 1)?) }),
        read_key: |row| Ok(TransferKey::Tick(get(row, 0)?)),
    },
    Table {
        sql: sql::COLLECTIONS,
        lowest: &[Low::Number],
        read: |row, _| Ok(TransferRow::Collection(rows::collection(row)?)),
        read_key: |row| Ok(TransferKey::Collection(CollectionId(number(row, 0)?))),
    },
    Table {
        sql: sql::SPANS,
        lowest: &[Low::Number, Low::Number],
        read: |row, _| {
            let span: Span = rows::span(row)?;
            Ok(TransferRow::Span { span, ended_at: get::<Option<i64>>(row, 4)?.map(Time) })
        },
        read_key: |row| Ok(TransferKey::Span(CollectionId(number(row, 0)?), Seq(number(row, 1)?))),
    },
    Table {
        sql: sql::ITEMS,
        lowest: &[Low::Number],
        read: |row, _| Ok(TransferRow::Item(rows::item(row, store::Want::BAG)?)),
        read_key: |row| Ok(TransferKey::Item(ItemId(number(row, 0)?))),
    },
    Table {
        sql: sql::PARTS,
        lowest: &[Low::Number, Low::Number],
        read: |row, snapshot| {
            let bytes = match parts::place_at(row, 2)? {
                Place::Inline(bytes) => Rope::from(bytes),
                Place::Large(large) => snapshot.rope(large),
            };
            Ok(TransferRow::Part { item: ItemId(number(row, 0)?), part: rows::narrow(row, 1)?, bytes })
        },
        read_key: |row| Ok(TransferKey::Part(ItemId(number(row, 0)?), rows::narrow(row, 1)?)),
    },
    Table {
        sql: sql::TOMBSTONES,
        lowest: &[Low::Number, Low::Number],
        read: |row, _| {
            let collection = CollectionId(number(row, 9)?);
            Ok(TransferRow::Tombstone { collection, tombstone: rows::tombstone(row)? })
        },
        read_key: |row| Ok(TransferKey::Tombstone(CollectionId(number(row, 0)?), Seq(number(row, 1)?))),
    },
    Table {
        sql: sql::NAMES,
        lowest: &[Low::Number, Low::Bytes],
        read: |row, _| {
            Ok(TransferRow::Name { scope: number(row, 0)?, name: rows::bytes(row, 1)?, target: number(row, 2)? })
        },
        read_key: |row| Ok(TransferKey::Name(number(row, 0)?, rows::bytes(row, 1)?)),
    },
    Table {
        sql: sql::KEYS,
        lowest: &[Low::Number, Low::Number, Low::Bytes, Low::Number],
        read: |row, _| {
            let (collection, field, value, item) = key(row)?;
            Ok(TransferRow::Key { collection, field, value, item })
        },
        read_key: |row| {
            key(row).map(|(collection, field, value, item)| TransferKey::Key(collection, field, value, item))
        },
    },
    Table {
        sql: sql::OPERATIONS,
        lowest: &[Low::Bytes],
        read: |row, _| {
            let (operation, stored): (_, &[u8]) = (guid(row)?, get(row, 2)?);
            let receipt = store::receipt::decode(stored);
            let receipt = receipt.ok_or_else(|| Failure::damaged(format!("the receipt of operation {operation}")))?;
            Ok(TransferRow::Operation { operation, at: Time(get(row, 1)?), receipt })
        },
        read_key: |row| Ok(TransferKey::Operation(guid(row)?)),
    },
];

fn number(row: &Row, column: usize) -> Result<u64, Failure> {
    get(row, column).map(i64::cast_unsigned)
}

fn key(row: &Row) -> Result<(CollectionId, u32, Bytes, ItemId), Failure> {
    Ok((CollectionId(number(row, 0)?), rows::narrow(row, 1)?, rows::bytes(row, 2)?, ItemId(number(row, 3)?)))
}

fn guid(row: &Row) -> Result<Guid, Failure> {
    let bytes: &[u8] = get(row, 0)?;
    Ok(Guid(bytes.try_into().map_err(|_| StoreError::Corrupt("the name of an operation".to_owned()))?))
}

impl PostgresSnapshot {
    /// Rows of the root behind `after`.
    pub(crate) async fn transfer_page(
        &self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, Failure> {
        let mut room = TransferRoom::of(limit);
        let mut page = Page { rows: Vec::new(), more: false };
        let (first, mut after) = after.map_or((0, None), |after| {
            let (table, values) = place(after);
            (table, Some(values))
        });
        for table in TABLES.iter().skip(first) {
            self.transfer_table(table, after.take(), &mut room, &mut page).await?;
            if page.more {
                break;
            }
        }
        Ok(page)
    }

    /// Reads a table behind these values of its key until the page is full. What comes at once is bounded by what the rows
    /// so far took.
    async fn transfer_table(
        &self,
        table: &Table,
        after: Option<Vec<Value>>,
        room: &mut TransferRoom,
        page: &mut Page<TransferRow>,
    ) -> Result<(), Failure> {
        let mut after = after.unwrap_or_else(|| table.lowest.iter().map(|low| low.value()).collect());
        let mut asked = ROWS_FIRST;
        loop {
            asked = asked.min(room.rows() + 1);
            let limit = asked as i64;
            let root = self.key();
            let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&root];
            parameters.extend(after.iter().map(Value::parameter));
            parameters.push(&limit);
            let rows = self.rows(table.sql, &parameters).await?;
            let (mut bytes, mut last) = (0, None);
            for row in &rows {
                if room.is_full() {
                    page.more = true;
                    return Ok(());
                }
                let row = (table.read)(row, self)?;
                room.take(&row);
                bytes += row.bytes();
                last = Some(row.key());
                page.rows.push(row);
            }
            let Some(last) = last.filter(|_| rows.len() == asked) else { return Ok(()) };
            after = place(&last).1;
            let small = bytes / rows.len() < TransferLimit::MAX.bytes / (4 * asked);
            asked = if small { asked * 2 } else { ROWS_FIRST };
        }
    }

    /// The key of the last row of the root.
    pub(crate) async fn transfer_last(&self) -> Result<Option<TransferKey>, Failure> {
        for (table, sql) in TABLES.iter().zip(sql::ENDS).rev() {
            if let Some(row) = self.rows(sql, &[&self.key()]).await?.first() {
                return (table.read_key)(row).map(Some);
            }
        }
        Ok(None)
    }
}

/// The answer to [`sql::TOTALS`].
pub(crate) fn totals(row: &Row) -> Result<TransferTotals, Failure> {
    Ok(TransferTotals {
        epochs: number(row, 0)?,
        ticks: number(row, 1)?,
        collections: number(row, 2)?,
        spans: number(row, 3)?,
        items: number(row, 4)?,
        parts: number(row, 5)?,
        tombstones: number(row, 6)?,
        names: number(row, 7)?,
        keys: number(row, 8)?,
        operations: number(row, 9)?,
        bytes: number(row, 10)?,
    })
}

/// The place of a key's table, and the key as values of its columns.
fn place(key: &TransferKey) -> (usize, Vec<Value>) {
    let id = |number: u64| Value::Number(number.cast_signed());
    let blob = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    match key {
        TransferKey::Epoch(ordinal) => (0, vec![id(*ordinal)]),
        TransferKey::Tick(minute) => (1, vec![Value::Number(*minute)]),
        TransferKey::Collection(collection) => (2, vec![id(collection.0)]),
        TransferKey::Span(collection, from) => (3, vec![id(collection.0), id(from.0)]),
        TransferKey::Item(item) => (4, vec![id(item.0)]),
        TransferKey::Part(item, part) => (5, vec![id(item.0), Value::Number((*part).into())]),
        TransferKey::Tombstone(collection, seq) => (6, vec![id(collection.0), id(seq.0)]),
        TransferKey::Name(scope, name) => (7, vec![id(*scope), blob(name)]),
        TransferKey::Key(collection, field, value, item) => {
            (8, vec![id(collection.0), Value::Number((*field).into()), blob(value), id(item.0)])
        }
        TransferKey::Operation(operation) => (9, vec![blob(&operation.0)]),
    }
}

impl Low {
    const fn value(self) -> Value {
        match self {
            Self::Number => Value::Number(i64::MIN),
            Self::Bytes => Value::Bytes(Vec::new()),
        }
    }
}

impl Value {
    fn parameter(&self) -> &(dyn ToSql + Sync) {
        match self {
            Self::Number(number) => number,
            Self::Bytes(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_at_the_places_of_their_keys() {
        let (item, collection) = (ItemId(1), CollectionId(2));
        let keys = [
            (TransferKey::Epoch(1), "epoch"),
            (TransferKey::Tick(1), "tick"),
            (TransferKey::Collection(collection), "collection"),
            (TransferKey::Span(collection, Seq(1)), "span"),
            (TransferKey::Item(item), "item"),
            (TransferKey::Part(item, 1), "item_part"),
            (TransferKey::Tombstone(collection, Seq(1)), "tombstone"),
            (TransferKey::Name(1, Bytes::new()), "name"),
            (TransferKey::Key(collection, 1, Bytes::new(), item), "item_key"),
            (TransferKey::Operation(Guid::NIL), "operation"),
        ];
        assert!(keys.is_sorted());
        for (key, name) in keys {
            let (table, values) = place(&key);
            assert!(TABLES[table].sql.contains(&format!(" FROM {name} t ")), "{name}");
            assert!(sql::ENDS[table].contains(&format!(" FROM {name} ")), "{name}");
            assert_eq!(TABLES[table].lowest.len(), values.len(), "{name}");
        }
    }
}
