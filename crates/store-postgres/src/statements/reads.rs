//! The statements of snapshots.
//!
//! Where two indexes could serve a range, the range and its order are written over the columns of the one that is meant,
//! as pairs: no other gives that order, so the planner has no choice, whatever it believes about the tables.

use super::Hot;

/// A root that is there.
pub(crate) const ROOT: &str =
    "SELECT root_id, kind, guid, last_seq, purged_seq, epoch FROM root WHERE root_id = $1 AND kind >= 0";
/// A root that is being copied here.
pub(crate) const LOADING: &str =
    "SELECT root_id, -2 - kind, guid, last_seq, purged_seq, epoch FROM root WHERE root_id = $1 AND kind <= -2";
/// Where a root stands.
pub(crate) const LAST_SEQ: &str = "SELECT last_seq FROM root WHERE root_id = $1 AND kind >= 0";
/// Roots in order. Not of the hot path: it names no root.
pub(crate) const ROOTS: &str = "SELECT root_id, kind, guid, last_seq, purged_seq, epoch FROM root
  WHERE root_id > $1 AND kind >= 0 ORDER BY root_id LIMIT $2";
/// The stretches of history.
pub(crate) const EPOCHS: &str = "SELECT epoch, first_seq, at FROM epoch WHERE root_id = $1 ORDER BY ordinal";

macro_rules! select_collections {
    ($rest:literal) => {
        concat!(
            "SELECT collection_id, parent_id, seq, created_seq, items_seq, purged_seq, items, unread, associated,
  last_number, (SELECT bag FROM collection_bag b WHERE b.root_id = $1 AND b.collection_id = c.collection_id)
  FROM collection c WHERE c.root_id = $1 AND ",
            $rest
        )
    };
}

/// A collection.
pub(crate) const COLLECTION: &str = select_collections!("collection_id = $2");
/// Collections in order.
pub(crate) const COLLECTIONS: &str = select_collections!("collection_id > $2 ORDER BY collection_id LIMIT $3");
/// Spans that last or ended after a position.
pub(crate) const SPANS: &str = "SELECT collection_id, parent_id, from_seq, to_seq FROM span
  WHERE root_id = $1 AND (to_seq IS NULL OR to_seq > $2) ORDER BY collection_id, from_seq";

/// The columns of an item as `rows::item` reads them, without and with the bag.
macro_rules! select_items {
    ($rest:literal) => {
        [
            concat!(
                "SELECT item_id, collection_id, seq, created_seq, content_seq, flags FROM item i WHERE i.root_id = $1 AND ",
                $rest
            ),
            concat!(
                "SELECT item_id, collection_id, seq, created_seq, content_seq, flags,
  (SELECT bag FROM item_bag b WHERE b.root_id = $1 AND b.item_id = i.item_id) FROM item i WHERE i.root_id = $1 AND ",
                $rest
            ),
        ]
    };
}

/// Items by id, in any order. One look a row: with `= ANY` a small root would be read whole along an index that has all
/// columns, and go on being so when it has grown.
pub(crate) const ITEMS: [&str; 2] = [
    "SELECT i.item_id, i.collection_id, i.seq, i.created_seq, i.content_seq, i.flags FROM unnest($2::int8[]) AS w(id)
  CROSS JOIN LATERAL (SELECT * FROM item t WHERE t.root_id = $1 AND t.item_id = w.id OFFSET 0) i",
    "SELECT i.item_id, i.collection_id, i.seq, i.created_seq, i.content_seq, i.flags,
  (SELECT bag FROM item_bag b WHERE b.root_id = $1 AND b.item_id = i.item_id) FROM unnest($2::int8[]) AS w(id)
  CROSS JOIN LATERAL (SELECT * FROM item t WHERE t.root_id = $1 AND t.item_id = w.id OFFSET 0) i",
];
/// Items of a collection in order of id.
pub(crate) const LIST: [&str; 2] = select_items!(
    "(collection_id, item_id) > ($2, $3) AND (collection_id, item_id) <= ($2, 9223372036854775807)
  ORDER BY collection_id, item_id LIMIT $4"
);
/// Items of a collection by birth, newest first.
pub(crate) const CREATED: [&str; 2] = select_items!(
    "collection_id = $2 AND created_seq > $3 AND created_seq <= $4 ORDER BY collection_id, created_seq DESC LIMIT $5"
);
/// Items of a collection in order of their latest change.
pub(crate) const CHANGES: [&str; 2] =
    select_items!("collection_id = $2 AND seq > $3 ORDER BY collection_id, seq LIMIT $4");
/// What went from a collection, in order.
pub(crate) const TOMBSTONES: &str =
    "SELECT item_id, seq, created_seq, flags, kind, at, moved_collection, moved_item, note FROM tombstone
  WHERE root_id = $1 AND (collection_id, seq) > ($2, $3) AND (collection_id, seq) <= ($2, 9223372036854775807)
  ORDER BY collection_id, seq LIMIT $4";

/// Where a part lies.
pub(crate) const PART: &str = "SELECT p.size, p.hash, p.inline, b.object, b.pieces FROM item_part p
  LEFT JOIN blob_ref b ON b.root_id = $1 AND b.hash = p.hash WHERE p.root_id = $1 AND p.item_id = $2 AND p.part = $3";
/// The parts of an item.
pub(crate) const PARTS: &str = "SELECT part, size FROM item_part WHERE root_id = $1 AND item_id = $2 ORDER BY part";
/// Pieces of a large part that lies in the database, from one on.
pub(crate) const PIECES: &str = "SELECT bytes FROM blob_piece
  WHERE root_id = $1 AND hash = $2 AND piece >= $3 AND piece <= $4 ORDER BY piece";

/// What is kept under a name.
pub(crate) const NAME: &str = "SELECT target FROM name WHERE root_id = $1 AND scope = $2 AND name = $3";
/// Names of a scope from the first on.
pub(crate) const NAMES: &str = "SELECT name, target FROM name WHERE root_id = $1 AND scope = $2 ORDER BY name LIMIT $3";
/// Names of a scope after one.
pub(crate) const NAMES_AFTER: &str =
    "SELECT name, target FROM name WHERE root_id = $1 AND scope = $2 AND name > $3 ORDER BY name LIMIT $4";

/// Keys between two places, both outside, up or down; the second place may be the end of the field.
macro_rules! select_keys {
    ($ends:literal, $order:literal) => {
        concat!(
            "SELECT value, item_id FROM item_key WHERE root_id = $1 AND collection_id = $2 AND field = $3
  AND (value, item_id) > ($4, $5) ",
            $ends,
            " ORDER BY value ",
            $order,
            ", item_id ",
            $order,
            " LIMIT $6"
        )
    };
}

/// Keys upwards: between two places, and to the end.
pub(crate) const KEYS_UP: [&str; 2] = [select_keys!("AND (value, item_id) < ($7, $8)", "ASC"), select_keys!("", "ASC")];
/// Keys downwards.
pub(crate) const KEYS_DOWN: [&str; 2] =
    [select_keys!("AND (value, item_id) < ($7, $8)", "DESC"), select_keys!("", "DESC")];

/// The first minute at or after a time, and whether an earlier one is kept.
pub(crate) const TICK: &str = "SELECT t.minute, t.seq,
  EXISTS (SELECT 1 FROM tick e WHERE e.root_id = $1 AND e.minute < $2)
  FROM tick t WHERE t.root_id = $1 AND t.minute >= $2 ORDER BY t.minute LIMIT 1";

macro_rules! hot {
    ($($name:literal: $text:expr => $($index:literal)+;)*) => {
        &[$(Hot { name: $name, text: $text, along: &[$($index),+] }),*]
    };
}

/// The table of them.
pub(crate) const HOT: &[Hot] = hot! {
    "root": ROOT => "root_pkey";
    "root being loaded": LOADING => "root_pkey";
    "last position": LAST_SEQ => "root_pkey";
    "epochs": EPOCHS => "epoch_pkey";
    "collection": COLLECTION => "collection_pkey" "collection_bag_pkey";
    "collections": COLLECTIONS => "collection_pkey" "collection_bag_pkey";
    "spans": SPANS => "span_pkey";
    "items": ITEMS[0] => "item_pkey";
    "items with bags": ITEMS[1] => "item_pkey" "item_bag_pkey";
    "list": LIST[0] => "item_list";
    "list with bags": LIST[1] => "item_list" "item_bag_pkey";
    "created": CREATED[0] => "item_created";
    "created with bags": CREATED[1] => "item_created" "item_bag_pkey";
    "changes": CHANGES[0] => "item_change";
    "changes with bags": CHANGES[1] => "item_change" "item_bag_pkey";
    "tombstones": TOMBSTONES => "tombstone_pkey";
    "part": PART => "item_part_pkey" "blob_ref_pkey";
    "parts": PARTS => "item_part_pkey";
    "pieces": PIECES => "blob_piece_pkey";
    "name": NAME => "name_pkey";
    "names": NAMES => "name_pkey";
    "names after one": NAMES_AFTER => "name_pkey";
    "keys upwards": KEYS_UP[0] => "item_key_pkey";
    "keys upwards to the end": KEYS_UP[1] => "item_key_pkey";
    "keys downwards": KEYS_DOWN[0] => "item_key_pkey";
    "keys downwards from the end": KEYS_DOWN[1] => "item_key_pkey";
    "tick": TICK => "tick_pkey";
};
