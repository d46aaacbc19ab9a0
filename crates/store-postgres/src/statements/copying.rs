//! What is written of a root that is being copied here: rows as they are, over those that are there already.

use super::Hot;

/// The root in whatever state, locked.
pub(crate) const FIND_ROOT: &str =
    "SELECT kind, guid, last_seq, purged_seq, epoch FROM root WHERE root_id = $1 FOR UPDATE";
/// Begins a copy. Fails where somebody else has just done so.
pub(crate) const BEGIN_COPY: &str =
    "INSERT INTO root(root_id, kind, guid, last_seq, purged_seq, epoch) VALUES($1, $2, $3, $4, $5, $6)";
/// Shows the root, which is one that is being copied.
pub(crate) const SHOW_ROOT: &str = "UPDATE root SET kind = -2 - kind WHERE root_id = $1";

/// Stretches of history.
pub(crate) const PUT_EPOCHS: &str = "INSERT INTO epoch(root_id, ordinal, epoch, first_seq, at)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[]) AS n
  ON CONFLICT (root_id, ordinal) DO UPDATE SET epoch = excluded.epoch, first_seq = excluded.first_seq, at = excluded.at";
/// Minutes.
pub(crate) const PUT_TICKS: &str = "INSERT INTO tick(root_id, minute, seq)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[]) AS n
  ON CONFLICT (root_id, minute) DO UPDATE SET seq = excluded.seq";
/// Collections.
pub(crate) const PUT_COLLECTIONS: &str = "INSERT INTO collection(root_id, collection_id, parent_id, seq, created_seq,
    items_seq, purged_seq, items, unread, associated, last_number)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
    $9::int8[], $10::int8[], $11::int8[]) AS n
  ON CONFLICT (root_id, collection_id) DO UPDATE SET parent_id = excluded.parent_id, seq = excluded.seq,
    created_seq = excluded.created_seq, items_seq = excluded.items_seq, purged_seq = excluded.purged_seq,
    items = excluded.items, unread = excluded.unread, associated = excluded.associated,
    last_number = excluded.last_number";
/// Their bags.
pub(crate) const PUT_COLLECTION_BAGS: &str = "INSERT INTO collection_bag(root_id, collection_id, bag)
  SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[]) AS n
  ON CONFLICT (root_id, collection_id) DO UPDATE SET bag = excluded.bag";
/// Spans.
pub(crate) const PUT_SPANS: &str = "INSERT INTO span(root_id, collection_id, from_seq, parent_id, to_seq, ended_at)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) AS n
  ON CONFLICT (root_id, collection_id, from_seq) DO UPDATE SET parent_id = excluded.parent_id,
    to_seq = excluded.to_seq, ended_at = excluded.ended_at";
/// Items.
pub(crate) const PUT_ITEMS: &str =
    "INSERT INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[]) AS n
  ON CONFLICT (root_id, item_id) DO UPDATE SET collection_id = excluded.collection_id, seq = excluded.seq,
    created_seq = excluded.created_seq, content_seq = excluded.content_seq, flags = excluded.flags";
/// Their bags.
pub(crate) const PUT_BAGS: &str = "INSERT INTO item_bag(root_id, item_id, bag)
  SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[]) AS n
  ON CONFLICT (root_id, item_id) DO UPDATE SET bag = excluded.bag";
/// Parts.
pub(crate) const PUT_PARTS: &str = "INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::bytea[], $6::bytea[]) AS n
  ON CONFLICT (root_id, item_id, part) DO UPDATE SET size = excluded.size, hash = excluded.hash,
    inline = excluded.inline";
/// The hashes of large parts that are about to be replaced; none where there is no such part.
pub(crate) const REPLACED_PARTS: &str = "SELECT
  (SELECT p.hash FROM item_part p WHERE p.root_id = $1 AND p.item_id = n.item_id AND p.part = n.part)
  FROM unnest($2::int8[], $3::int8[]) AS n(item_id, part)";
/// Those of some large parts that are stored, locked.
pub(crate) const STORED_PARTS: &str = "SELECT hash FROM blob_ref WHERE root_id = $1 AND hash = ANY($2) FOR UPDATE";
/// Tombstones and marks.
pub(crate) const PUT_TOMBSTONES: &str =
    "INSERT INTO tombstone(root_id, collection_id, seq, item_id, created_seq, flags,
    kind, at, moved_collection, moved_item, note)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
    $9::int8[], $10::int8[], $11::bytea[]) AS n
  ON CONFLICT (root_id, collection_id, seq) DO UPDATE SET item_id = excluded.item_id,
    created_seq = excluded.created_seq, flags = excluded.flags, kind = excluded.kind, at = excluded.at,
    moved_collection = excluded.moved_collection, moved_item = excluded.moved_item, note = excluded.note";
/// Names.
pub(crate) const PUT_NAMES: &str = "INSERT INTO name(root_id, scope, name, target)
  SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[], $4::int8[]) AS n
  ON CONFLICT (root_id, scope, name) DO UPDATE SET target = excluded.target";
/// Keys.
pub(crate) const PUT_KEYS: &str = "INSERT INTO item_key(root_id, collection_id, field, value, item_id)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::bytea[], $5::int8[]) AS n
  ON CONFLICT (root_id, collection_id, field, value, item_id) DO NOTHING";
/// Operations.
pub(crate) const PUT_OPERATIONS: &str = "INSERT INTO operation(root_id, operation, at, receipt)
  SELECT $1, n.* FROM unnest($2::bytea[], $3::int8[], $4::bytea[]) AS n
  ON CONFLICT (root_id, operation) DO UPDATE SET at = excluded.at, receipt = excluded.receipt";

macro_rules! hot {
    ($($name:literal: $text:expr => $($index:literal)*;)*) => {
        &[$(Hot { name: $name, text: $text, along: &[$($index),*] }),*]
    };
}

/// The table of them.
pub(crate) const HOT: &[Hot] = hot! {
    "find root": FIND_ROOT => "root_pkey";
    "begin copy": BEGIN_COPY =>;
    "show root": SHOW_ROOT => "root_pkey";
    "put epochs": PUT_EPOCHS =>;
    "put ticks": PUT_TICKS =>;
    "put collections": PUT_COLLECTIONS =>;
    "put bags of collections": PUT_COLLECTION_BAGS =>;
    "put spans": PUT_SPANS =>;
    "put items": PUT_ITEMS =>;
    "put bags": PUT_BAGS =>;
    "put parts": PUT_PARTS =>;
    "replaced parts": REPLACED_PARTS => "item_part_pkey";
    "stored parts": STORED_PARTS => "blob_ref_pkey";
    "put tombstones": PUT_TOMBSTONES =>;
    "put names": PUT_NAMES =>;
    "put keys": PUT_KEYS =>;
    "put operations": PUT_OPERATIONS =>;
};
