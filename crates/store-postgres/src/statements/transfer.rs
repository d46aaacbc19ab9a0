//! What the copying of a root reads: every table along its primary key.

use super::Hot;

macro_rules! page {
    ($columns:literal, $table:literal, $key:literal, $places:literal, $limit:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $table,
            " t WHERE t.root_id = $1 AND (",
            $key,
            ") > (",
            $places,
            ") ORDER BY ",
            $key,
            " LIMIT ",
            $limit
        )
    };
}

/// Stretches of history after one.
pub(crate) const EPOCHS: &str = page!("ordinal, epoch, first_seq, at", "epoch", "t.ordinal", "$2", "$3");
/// Minutes after one.
pub(crate) const TICKS: &str = page!("minute, seq", "tick", "t.minute", "$2", "$3");
/// Collections after one.
pub(crate) const COLLECTIONS: &str = page!(
    "collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread, associated, last_number,
  (SELECT bag FROM collection_bag b WHERE b.root_id = $1 AND b.collection_id = t.collection_id)",
    "collection",
    "t.collection_id",
    "$2",
    "$3"
);
/// Spans after one.
pub(crate) const SPANS: &str = page!(
    "collection_id, parent_id, from_seq, to_seq, ended_at",
    "span",
    "t.collection_id, t.from_seq",
    "$2, $3",
    "$4"
);
/// Items after one.
pub(crate) const ITEMS: &str = page!(
    "item_id, collection_id, seq, created_seq, content_seq, flags,
  (SELECT bag FROM item_bag b WHERE b.root_id = $1 AND b.item_id = t.item_id)",
    "item",
    "t.item_id",
    "$2",
    "$3"
);
/// Parts after one.
pub(crate) const PARTS: &str = page!(
    "t.item_id, t.part, t.size, t.hash, t.inline,
  (SELECT object FROM blob_ref b WHERE b.root_id = $1 AND b.hash = t.hash),
  (SELECT pieces FROM blob_ref b WHERE b.root_id = $1 AND b.hash = t.hash)",
    "item_part",
    "t.item_id, t.part",
    "$2, $3",
    "$4"
);
/// Tombstones and marks after one.
pub(crate) const TOMBSTONES: &str = page!(
    "item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note, collection_id",
    "tombstone",
    "t.collection_id, t.seq",
    "$2, $3",
    "$4"
);
/// Names after one.
pub(crate) const NAMES: &str = page!("scope, name, target", "name", "t.scope, t.name", "$2, $3", "$4");
/// Keys after one.
pub(crate) const KEYS: &str = page!(
    "collection_id, field, value, item_id",
    "item_key",
    "t.collection_id, t.field, t.value, t.item_id",
    "$2, $3, $4, $5",
    "$6"
);
/// Operations after one.
pub(crate) const OPERATIONS: &str = page!("operation, at, receipt", "operation", "t.operation", "$2", "$3");

macro_rules! end {
    ($columns:literal, $table:literal, $order:literal) => {
        concat!("SELECT ", $columns, " FROM ", $table, " WHERE root_id = $1 ORDER BY ", $order, " LIMIT 1")
    };
}

/// The last key of each table, in the order of the tables.
pub(crate) const ENDS: [&str; 10] = [
    end!("ordinal", "epoch", "ordinal DESC"),
    end!("minute", "tick", "minute DESC"),
    end!("collection_id", "collection", "collection_id DESC"),
    end!("collection_id, from_seq", "span", "collection_id DESC, from_seq DESC"),
    end!("item_id", "item", "item_id DESC"),
    end!("item_id, part", "item_part", "item_id DESC, part DESC"),
    end!("collection_id, seq", "tombstone", "collection_id DESC, seq DESC"),
    end!("scope, name", "name", "scope DESC, name DESC"),
    end!(
        "collection_id, field, value, item_id",
        "item_key",
        "collection_id DESC, field DESC, value DESC, item_id DESC"
    ),
    end!("operation", "operation", "operation DESC"),
];

/// The counts of a root. Not of the hot path: it reads the root whole, but for what lies beside the rows.
pub(crate) const TOTALS: &str = "SELECT
  (SELECT COUNT(*) FROM epoch WHERE root_id = $1), (SELECT COUNT(*) FROM tick WHERE root_id = $1),
  (SELECT COUNT(*) FROM collection WHERE root_id = $1), (SELECT COUNT(*) FROM span WHERE root_id = $1),
  (SELECT COUNT(*) FROM item WHERE root_id = $1), (SELECT COUNT(*) FROM item_part WHERE root_id = $1),
  (SELECT COUNT(*) FROM tombstone WHERE root_id = $1), (SELECT COUNT(*) FROM name WHERE root_id = $1),
  (SELECT COUNT(*) FROM item_key WHERE root_id = $1), (SELECT COUNT(*) FROM operation WHERE root_id = $1),
  ((SELECT COALESCE(SUM(size), 0) FROM item_part WHERE root_id = $1)
    + (SELECT COALESCE(SUM(octet_length(note)), 0) FROM tombstone WHERE root_id = $1)
    + (SELECT COALESCE(SUM(octet_length(bag)), 0) FROM item_bag WHERE root_id = $1)
    + (SELECT COALESCE(SUM(octet_length(bag)), 0) FROM collection_bag WHERE root_id = $1))::int8";

macro_rules! hot {
    ($($name:literal: $text:expr => $($index:literal)+;)*) => {
        &[$(Hot { name: $name, text: $text, along: &[$($index),+] }),*]
    };
}

/// The table of them.
pub(crate) const HOT: &[Hot] = hot! {
    "copied epochs": EPOCHS => "epoch_pkey";
    "copied ticks": TICKS => "tick_pkey";
    "copied collections": COLLECTIONS => "collection_pkey" "collection_bag_pkey";
    "copied spans": SPANS => "span_pkey";
    "copied items": ITEMS => "item_pkey" "item_bag_pkey";
    "copied parts": PARTS => "item_part_pkey" "blob_ref_pkey";
    "copied tombstones": TOMBSTONES => "tombstone_pkey";
    "copied names": NAMES => "name_pkey";
    "copied keys": KEYS => "item_key_pkey";
    "copied operations": OPERATIONS => "operation_pkey";
    "end of epochs": ENDS[0] => "epoch_pkey";
    "end of ticks": ENDS[1] => "tick_pkey";
    "end of collections": ENDS[2] => "collection_pkey";
    "end of spans": ENDS[3] => "span_pkey";
    "end of items": ENDS[4] => "item_pkey";
    "end of parts": ENDS[5] => "item_part_pkey";
    "end of tombstones": ENDS[6] => "tombstone_pkey";
    "end of names": ENDS[7] => "name_pkey";
    "end of keys": ENDS[8] => "item_key_pkey";
    "end of operations": ENDS[9] => "operation_pkey";
};
