//! The rows of a root as they are: one table after the other, each along its primary key.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use model::{CollectionId, Extent, Guid, ItemId, RootId, Rope, Seq, Spool, Time};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter, types::Value};
use store::{
    Epoch, Page, Span, StoreError, TransferKey, TransferLimit, TransferRoom, TransferRow, TransferTotals, receipt,
};

use crate::{
    blobs::{Blobs, Hash},
    failure::Failure,
    rows,
};

/// A table that is copied.
struct Table {
    name: &'static str,
    /// The columns of the key behind the root.
    key: &'static str,
    /// A key before all others.
    lowest: &'static [Low],
    /// What `read` reads.
    columns: &'static str,
    read: fn(&Source<'_>, &Row<'_>) -> Result<TransferRow, Failure>,
    /// A key out of its columns.
    read_key: fn(&Row<'_>) -> rusqlite::Result<TransferKey>,
}

/// The lowest value of a column of a key; no row has it.
enum Low {
    Number,
    Bytes,
}

/// Where a page is read from.
struct Source<'a> {
    connection: &'a Connection,
    blobs: &'a Blobs,
    root: RootId,
}

/// In the order of [`TransferKey`].
const TABLES: &[Table] = &[
    Table {
        name: "epoch",
        key: "ordinal",
        lowest: &[Low::Number],
        columns: "ordinal, epoch, first_seq, at",
        read: |_, row| {
            let epoch = Epoch {
                epoch: row.get::<_, i64>(1)?.cast_unsigned(),
                first_seq: Seq::from_i64(row.get(2)?),
                at: Time(row.get(3)?),
            };
            Ok(TransferRow::Epoch { ordinal: number(row, 0)?, epoch })
        },
        read_key: |row| Ok(TransferKey::Epoch(number(row, 0)?)),
    },
    Table {
        name: "tick",
        key: "minute",
        lowest: &[Low::Number],
        columns: "minute, seq",
        read: |_, row| Ok(TransferRow::Tick { minute: row.get(0)?, seq: Seq(number(row, 1)?) }),
        read_key: |row| Ok(TransferKey::Tick(row.get(0)?)),
    },
    Table {
        name: "collection",
        key: "collection_id",
        lowest: &[Low::Number],
        columns: "collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread, associated,
            last_number, (SELECT bag FROM collection_bag b WHERE b.root_id = t.root_id
            AND b.collection_id = t.collection_id)",
        read: |_, row| Ok(TransferRow::Collection(rows::collection(row)?)),
        read_key: |row| Ok(TransferKey::Collection(CollectionId(number(row, 0)?))),
    },
    Table {
        name: "span",
        key: "collection_id, from_seq",
        lowest: &[Low::Number, Low::Number],
        columns: "collection_id, from_seq, parent_id, to_seq, ended_at",
        read: |_, row| {
            let span = Span {
                collection: CollectionId(number(row, 0)?),
                from_seq: Seq(number(row, 1)?),
                parent: row.get::<_, Option<i64>>(2)?.map(CollectionId::from_i64),
                to_seq: row.get::<_, Option<i64>>(3)?.map(Seq::from_i64),
            };
            Ok(TransferRow::Span { span, ended_at: row.get::<_, Option<i64>>(4)?.map(Time) })
        },
        read_key: |row| Ok(TransferKey::Span(CollectionId(number(row, 0)?), Seq(number(row, 1)?))),
    },
    Table {
        name: "item",
        key: "item_id",
        lowest: &[Low::Number],
        columns: "item_id, collection_id, seq, created_seq, content_seq, flags,
            (SELECT bag FROM item_bag b WHERE b.root_id = t.root_id AND b.item_id = t.item_id)",
        read: |_, row| Ok(TransferRow::Item(rows::item_with_bag(row)?)),
        read_key: |row| Ok(TransferKey::Item(ItemId(number(row, 0)?))),
    },
    Table {
        name: "item_part",
        key: "item_id, part",
        lowest: &[Low::Number, Low::Number],
        columns: "item_id, part, hash, inline",
        read: |source, row| {
            let bytes = source.part(row.get(2)?, row.get(3)?)?;
            Ok(TransferRow::Part { item: ItemId(number(row, 0)?), part: row.get(1)?, bytes })
        },
        read_key: |row| Ok(TransferKey::Part(ItemId(number(row, 0)?), row.get(1)?)),
    },
    Table {
        name: "tombstone",
        key: "collection_id, seq",
        lowest: &[Low::Number, Low::Number],
        columns: "item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note, collection_id",
        read: |_, row| {
            let collection = CollectionId(number(row, 9)?);
            Ok(TransferRow::Tombstone { collection, tombstone: rows::tombstone(row)? })
        },
        read_key: |row| Ok(TransferKey::Tombstone(CollectionId(number(row, 0)?), Seq(number(row, 1)?))),
    },
    Table {
        name: "name",
        key: "scope, name",
        lowest: &[Low::Number, Low::Bytes],
        columns: "scope, name, target",
        read: |_, row| Ok(TransferRow::Name { scope: number(row, 0)?, name: bytes(row, 1)?, target: number(row, 2)? }),
        read_key: |row| Ok(TransferKey::Name(number(row, 0)?, bytes(row, 1)?)),
    },
    Table {
        name: "item_key",
        key: "collection_id, field, value, item_id",
        lowest: &[Low::Number, Low::Number, Low::Bytes, Low::Number],
        columns: "collection_id, field, value, item_id",
        read: |_, row| {
            let (collection, item) = (CollectionId(number(row, 0)?), ItemId(number(row, 3)?));
            Ok(TransferRow::Key { collection, field: row.get(1)?, value: bytes(row, 2)?, item })
        },
        read_key: |row| {
            let (collection, item) = (CollectionId(number(row, 0)?), ItemId(number(row, 3)?));
            Ok(TransferKey::Key(collection, row.get(1)?, bytes(row, 2)?, item))
        },
    },
    Table {
        name: "operation",
        key: "operation",
        lowest: &[Low::Bytes],
        columns: "operation, at, receipt",
        read: |_, row| {
            let (operation, stored) = (Guid(row.get(0)?), bytes(row, 2)?);
            let damaged = || StoreError::Corrupt(format!("the receipt of operation {operation}"));
            let receipt = receipt::decode(&stored).ok_or_else(damaged)?;
            Ok(TransferRow::Operation { operation, at: Time(row.get(1)?), receipt })
        },
        read_key: |row| Ok(TransferKey::Operation(Guid(row.get(0)?))),
    },
];

/// Rows of a root behind `after`.
pub(crate) fn page(
    connection: &Connection,
    blobs: &Blobs,
    root: RootId,
    after: Option<&TransferKey>,
    limit: TransferLimit,
) -> Result<Page<TransferRow>, Failure> {
    let source = Source { connection, blobs, root };
    let mut room = TransferRoom::of(limit);
    let mut page = Page { rows: Vec::new(), more: false };
    let (first, mut values) = after.map_or((0, None), |after| {
        let (table, values) = place(after);
        (table, Some(values))
    });
    for table in TABLES.iter().skip(first) {
        source.read(table, values.take(), &mut room, &mut page)?;
        if page.more {
            break;
        }
    }
    Ok(page)
}

/// The key of the last row of a root.
pub(crate) fn end(connection: &Connection, root: RootId) -> Result<Option<TransferKey>, Failure> {
    for Table { name, key, read_key, .. } in TABLES.iter().rev() {
        let order = key.replace(',', " DESC,");
        let sql = format!("SELECT {key} FROM {name} WHERE root_id = ?1 ORDER BY {order} DESC LIMIT 1");
        let found = connection.prepare_cached(&sql)?.query_row([root.to_i64()], read_key).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The counts of a root. Reads it whole, but for what lies in pages of its own.
pub(crate) fn totals(connection: &Connection, root: RootId) -> Result<TransferTotals, Failure> {
    let one = |sql: &str| -> Result<(u64, u64), Failure> {
        let read = |row: &Row<'_>| Ok((number(row, 0)?, number(row, 1)?));
        Ok(connection.prepare_cached(sql)?.query_row([root.to_i64()], read)?)
    };
    let rows = |table: &str| Ok::<_, Failure>(one(&format!("SELECT COUNT(*), 0 FROM {table} WHERE root_id = ?1"))?.0);
    let bytes = |table: &str, column: &str| {
        one(&format!("SELECT COUNT(*), COALESCE(SUM({column}), 0) FROM {table} WHERE root_id = ?1"))
    };
    let (parts, part_bytes) = bytes("item_part", "size")?;
    let (tombstones, note_bytes) = bytes("tombstone", "LENGTH(note)")?;
    let (_, bag_bytes) = bytes("item_bag", "LENGTH(bag)")?;
    let (_, collection_bytes) = bytes("collection_bag", "LENGTH(bag)")?;
    Ok(TransferTotals {
        epochs: rows("epoch")?,
        ticks: rows("tick")?,
        collections: rows("collection")?,
        spans: rows("span")?,
        items: rows("item")?,
        parts,
        tombstones,
        names: rows("name")?,
        keys: rows("item_key")?,
        operations: rows("operation")?,
        bytes: part_bytes + note_bytes + bag_bytes + collection_bytes,
    })
}

impl Source<'_> {
    /// Reads a table behind these values of its key until the page is full.
    fn read(
        &self,
        table: &Table,
        after: Option<Vec<Value>>,
        room: &mut TransferRoom,
        page: &mut Page<TransferRow>,
    ) -> Result<(), Failure> {
        let Table { name, key, lowest, columns, read, .. } = table;
        let after = after.unwrap_or_else(|| lowest.iter().map(Low::value).collect());
        let places: Vec<String> = (2..).take(after.len()).map(|place| format!("?{place}")).collect();
        let sql = format!(
            "SELECT {columns} FROM {name} t WHERE root_id = ?1 AND ({key}) > ({}) ORDER BY {key} LIMIT {}",
            places.join(", "),
            room.rows() + 1
        );
        let values = std::iter::once(Value::Integer(self.root.to_i64())).chain(after);
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if room.is_full() {
                page.more = true;
                break;
            }
            let row = read(self, row)?;
            room.take(&row);
            page.rows.push(row);
        }
        Ok(())
    }

    /// The bytes of a part. Those of a file stay there, after they were read once to see that they are what they were.
    fn part(&self, hash: Option<Hash>, inline: Option<Vec<u8>>) -> Result<Rope, Failure> {
        let Some(hash) = hash else { return Ok(Bytes::from(inline.unwrap_or_default()).into()) };
        let file = self.blobs.open(self.root, &hash, false)?;
        let bytes = file.metadata()?.len();
        Ok(Rope::spooled(Extent { spool: Arc::new(FileSpool(Mutex::new(file))), offset: 0, bytes }))
    }
}

/// The place of a key's table, and the key as values of its columns.
fn place(key: &TransferKey) -> (usize, Vec<Value>) {
    let id = |number: u64| Value::Integer(number.cast_signed());
    let blob = |bytes: &[u8]| Value::Blob(bytes.to_vec());
    match key {
        TransferKey::Epoch(ordinal) => (0, vec![id(*ordinal)]),
        TransferKey::Tick(minute) => (1, vec![Value::Integer(*minute)]),
        TransferKey::Collection(collection) => (2, vec![id(collection.0)]),
        TransferKey::Span(collection, from) => (3, vec![id(collection.0), id(from.0)]),
        TransferKey::Item(item) => (4, vec![id(item.0)]),
        TransferKey::Part(item, part) => (5, vec![id(item.0), Value::Integer((*part).into())]),
        TransferKey::Tombstone(collection, seq) => (6, vec![id(collection.0), id(seq.0)]),
        TransferKey::Name(scope, name) => (7, vec![id(*scope), blob(name)]),
        TransferKey::Key(collection, field, value, item) => {
            (8, vec![id(collection.0), Value::Integer((*field).into()), blob(value), id(item.0)])
        }
        TransferKey::Operation(operation) => (9, vec![blob(&operation.0)]),
    }
}

impl Low {
    const fn value(&self) -> Value {
        match self {
            Self::Number => Value::Integer(i64::MIN),
            Self::Bytes => Value::Blob(Vec::new()),
        }
    }
}

fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get(column).map(i64::cast_unsigned)
}

fn bytes(row: &Row<'_>, column: usize) -> rusqlite::Result<Bytes> {
    row.get::<_, Vec<u8>>(column).map(Bytes::from)
}

/// A file of a large part, to be read.
#[derive(Debug)]
struct FileSpool(Mutex<File>);

impl Spool for FileSpool {
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(into)
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_stand_at_the_places_of_their_keys() {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::schema::SHARD_STEPS {
            connection.execute_batch(step).unwrap();
        }
        let of_root = |table: &&Table| table.key.split(',').count() == table.lowest.len();
        assert_eq!(TABLES.iter().filter(of_root).count(), TABLES.len());
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
            assert_eq!((TABLES[table].name, TABLES[table].lowest.len()), (name, values.len()));
            // Read along the key: nothing is sorted, nothing scanned.
            let plan = format!(
                "EXPLAIN QUERY PLAN SELECT * FROM {name} WHERE root_id = 1 AND ({0}) > ({1}) ORDER BY {0} LIMIT 5",
                TABLES[table].key,
                vec!["0"; values.len()].join(", ")
            );
            let detail: Vec<String> = connection
                .prepare(&plan)
                .unwrap()
                .query_map([], |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert_eq!(detail.len(), 1, "{name}: {detail:?}");
            assert!(detail[0].starts_with("SEARCH") && detail[0].contains("root_id=? AND "), "{name}: {detail:?}");
        }
    }
}
