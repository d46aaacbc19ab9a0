//! What writes send.
//!
//! A group of commits is read for with some of the `LOAD` statements in one flight, and written with some of the others
//! in a second one, each once whatever the size of the group: their parameters are columns.

use super::Hot;

/// Takes the lock that orders the writes of a root.
pub(crate) const LOCK_ROOT: &str = "SELECT last_seq, epoch, kind, guid FROM root WHERE root_id = $1 FOR UPDATE";

/// One look a row, as in [`super::reads::ITEMS`].
pub(crate) const LOAD_ITEMS: &str = "SELECT i.item_id, i.collection_id, i.seq, i.created_seq, i.content_seq, i.flags
  FROM unnest($2::int8[]) AS w(id)
  CROSS JOIN LATERAL (SELECT * FROM item t WHERE t.root_id = $1 AND t.item_id = w.id OFFSET 0) i";

pub(crate) const LOAD_COLLECTIONS: &str = "SELECT collection_id, parent_id, seq, created_seq, items_seq, items, unread,
  associated, last_number FROM collection WHERE root_id = $1 AND collection_id = ANY($2)";

/// Also those that items lie in.
pub(crate) const LOAD_COLLECTIONS_OF: &str = "SELECT collection_id, parent_id, seq, created_seq, items_seq, items,
  unread, associated, last_number FROM collection WHERE root_id = $1 AND collection_id = ANY($2::int8[] ||
  ARRAY(SELECT (SELECT t.collection_id FROM item t WHERE t.root_id = $1 AND t.item_id = w.id)
    FROM unnest($3::int8[]) AS w(id)))";

pub(crate) const LOAD_CHILDREN: &str = "SELECT p.id,
  EXISTS(SELECT 1 FROM collection WHERE root_id = $1 AND parent_id = p.id) FROM unnest($2::int8[]) AS p(id)";

pub(crate) const LOAD_NAMES: &str = "SELECT w.scope, w.name,
  (SELECT target FROM name n WHERE n.root_id = $1 AND n.scope = w.scope AND n.name = w.name)
  FROM unnest($2::int8[], $3::bytea[]) AS w(scope, name)";

pub(crate) const LOAD_PARTS: &str =
    "SELECT item_id, part, size, hash FROM item_part WHERE root_id = $1 AND item_id = ANY($2)";

/// Costs the tombstones of the collections.
pub(crate) const LOAD_GRAVES: &str = "SELECT t.* FROM unnest($2::int8[]) AS c(id) CROSS JOIN LATERAL
  (SELECT collection_id, seq, item_id, created_seq, flags, kind FROM tombstone
   WHERE root_id = $1 AND collection_id = c.id AND item_id = ANY($3) ORDER BY collection_id, seq OFFSET 0) AS t";

pub(crate) const LOAD_BLOBS: &str = "SELECT b.hash FROM unnest($2::bytea[]) AS w(hash)
  CROSS JOIN LATERAL (SELECT t.hash FROM blob_ref t WHERE t.root_id = $1 AND t.hash = w.hash OFFSET 0) b";

pub(crate) const LOAD_OPERATION: &str = "SELECT receipt FROM operation WHERE root_id = $1 AND operation = $2";

/// Writes a receipt as it is: a transaction that found something and does this is durable no earlier than what it found.
pub(crate) const TOUCH_OPERATION: &str = "UPDATE operation SET receipt = receipt WHERE root_id = $1 AND operation = $2";

/// Waits for whoever creates the same root.
pub(crate) const AWAIT_ROOT: &str = "INSERT INTO root(root_id, kind, guid, last_seq, purged_seq, epoch)
  VALUES($1, -1, $2, 0, 0, 0) ON CONFLICT (root_id) DO NOTHING";

/// What nearly every group writes, in one statement: the root, counts of collections, new items with bags and parts, and
/// receipts. The engine runs each part whether or not it has rows.
pub(crate) const WRITE_GROUP: &str = "WITH
  r AS (UPDATE root SET last_seq = $2, epoch = $3 WHERE root_id = $1),
  c AS (INSERT INTO collection(root_id, collection_id, parent_id, seq, created_seq, items_seq, items, unread, associated,
      last_number, purged_seq)
    SELECT $1, n.*, 0 FROM unnest($4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[],
      $11::int8[], $12::int8[]) AS n
    ON CONFLICT (root_id, collection_id) DO UPDATE SET parent_id = excluded.parent_id, seq = excluded.seq,
      items_seq = excluded.items_seq, items = excluded.items, unread = excluded.unread,
      associated = excluded.associated, last_number = excluded.last_number),
  i AS (INSERT INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
    SELECT $1, n.* FROM unnest($13::int8[], $14::int8[], $15::int8[], $16::int8[], $17::int8[], $18::int8[]) AS n),
  b AS (INSERT INTO item_bag(root_id, item_id, bag) SELECT $1, n.* FROM unnest($19::int8[], $20::bytea[]) AS n),
  p AS (INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
    SELECT $1, n.* FROM unnest($21::int8[], $22::int8[], $23::int8[], $24::bytea[], $25::bytea[]) AS n)
  INSERT INTO operation(root_id, operation, at, receipt)
    SELECT $1, n.* FROM unnest($26::bytea[], $27::int8[], $28::bytea[]) AS n
    ON CONFLICT (root_id, operation) DO UPDATE SET at = excluded.at, receipt = excluded.receipt";

/// As [`WRITE_GROUP`], where the root is as this node left it: a transaction of its own, in one round trip. Gives 0 and
/// writes nothing where it is not.
pub(crate) const WRITE_GROUP_IF: &str = "WITH
  r AS (UPDATE root SET last_seq = $2, epoch = $3
    WHERE root_id = $1 AND last_seq = $29 AND epoch = $3 AND guid = $30 AND kind >= 0 RETURNING 1),
  c AS (INSERT INTO collection(root_id, collection_id, parent_id, seq, created_seq, items_seq, items, unread, associated,
      last_number, purged_seq)
    SELECT $1, n.*, 0 FROM r CROSS JOIN unnest($4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[],
      $11::int8[], $12::int8[]) AS n
    ON CONFLICT (root_id, collection_id) DO UPDATE SET parent_id = excluded.parent_id, seq = excluded.seq,
      items_seq = excluded.items_seq, items = excluded.items, unread = excluded.unread,
      associated = excluded.associated, last_number = excluded.last_number),
  i AS (INSERT INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
    SELECT $1, n.* FROM r CROSS JOIN unnest($13::int8[], $14::int8[], $15::int8[], $16::int8[], $17::int8[], $18::int8[]) AS n),
  b AS (INSERT INTO item_bag(root_id, item_id, bag) SELECT $1, n.* FROM r CROSS JOIN unnest($19::int8[], $20::bytea[]) AS n),
  p AS (INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
    SELECT $1, n.* FROM r CROSS JOIN unnest($21::int8[], $22::int8[], $23::int8[], $24::bytea[], $25::bytea[]) AS n),
  o AS (INSERT INTO operation(root_id, operation, at, receipt)
    SELECT $1, n.* FROM r CROSS JOIN unnest($26::bytea[], $27::int8[], $28::bytea[]) AS n
    ON CONFLICT (root_id, operation) DO UPDATE SET at = excluded.at, receipt = excluded.receipt)
  SELECT COUNT(*) FROM r";

pub(crate) const INSERT_ROOT: &str =
    "INSERT INTO root(root_id, kind, guid, last_seq, purged_seq, epoch) VALUES($1, $2, $3, 0, 0, 0)";

pub(crate) const INSERT_EPOCH: &str = "INSERT INTO epoch(root_id, ordinal, epoch, first_seq, at) SELECT $1,
  COALESCE((SELECT MAX(ordinal) FROM epoch WHERE root_id = $1), 0) + 1, $2, $3, $4";

/// Where the clock went back, the minute stays the highest so far.
pub(crate) const INSERT_TICK: &str = "INSERT INTO tick(root_id, minute, seq) SELECT $1,
  GREATEST($2, (SELECT MAX(minute) FROM tick WHERE root_id = $1)), $3 ON CONFLICT (root_id, minute) DO NOTHING";

pub(crate) const COPY_BAGS: &str = "INSERT INTO item_bag(root_id, item_id, bag) SELECT $1, c.new, b.bag
  FROM unnest($2::int8[], $3::int8[]) AS c(old, new)
  CROSS JOIN LATERAL (SELECT bag FROM item_bag WHERE root_id = $1 AND item_id = c.old OFFSET 0) AS b";

pub(crate) const MOVE_BAGS: &str = "UPDATE item_bag SET item_id = ($3::int8[])[array_position($2::int8[], item_id)]
  WHERE root_id = $1 AND item_id = ANY($2)";

pub(crate) const UPDATE_BAGS: &str =
    "INSERT INTO item_bag(root_id, item_id, bag) SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[]) AS n
  ON CONFLICT (root_id, item_id) DO UPDATE SET bag = excluded.bag";

pub(crate) const DELETE_BAGS: &str = "DELETE FROM item_bag WHERE root_id = $1 AND item_id = ANY($2)";

pub(crate) const COPY_PARTS: &str = "INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
  SELECT $1, c.new, c.part, p.size, p.hash, p.inline FROM unnest($2::int8[], $3::int8[], $4::int8[]) AS c(old, new, part)
  CROSS JOIN LATERAL (SELECT size, hash, inline FROM item_part
    WHERE root_id = $1 AND item_id = c.old AND part = c.part OFFSET 0) AS p";

pub(crate) const MOVE_PARTS: &str =
    "UPDATE item_part SET item_id = ($3::int8[])[array_position($4::text[], item_id || ':' || part)]
  WHERE root_id = $1 AND item_id = ANY($2::int8[]) AND item_id || ':' || part = ANY($4)";

pub(crate) const UPDATE_PARTS: &str = "INSERT INTO item_part(root_id, item_id, part, size, hash, inline)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::bytea[], $6::bytea[]) AS n
  ON CONFLICT (root_id, item_id, part) DO UPDATE SET size = excluded.size, hash = excluded.hash,
    inline = excluded.inline";

pub(crate) const DELETE_PARTS: &str = "DELETE FROM item_part
  WHERE root_id = $1 AND item_id = ANY($2) AND item_id || ':' || part = ANY($3)";

pub(crate) const UPDATE_ITEMS: &str =
    "INSERT INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[]) AS n
  ON CONFLICT (root_id, item_id) DO UPDATE SET collection_id = excluded.collection_id, seq = excluded.seq,
    created_seq = excluded.created_seq, content_seq = excluded.content_seq, flags = excluded.flags";

pub(crate) const DELETE_ITEMS: &str = "DELETE FROM item WHERE root_id = $1 AND item_id = ANY($2)";

pub(crate) const INSERT_GRAVES: &str = "INSERT INTO tombstone(root_id, collection_id, seq, item_id, created_seq, flags,
    kind, at, moved_collection, moved_item, note)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
    $9::int8[], $10::int8[], $11::bytea[]) AS n";

/// Not of the hot path: trims.
pub(crate) const DELETE_GRAVES: &str = "DELETE FROM tombstone t
  USING unnest($2::int8[], $3::int8[]) AS d(collection_id, seq)
  WHERE t.root_id = $1 AND t.collection_id = d.collection_id AND t.seq = d.seq";

pub(crate) const PUT_COLLECTION_BAGS: &str = "INSERT INTO collection_bag(root_id, collection_id, bag)
  SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[]) AS n
  ON CONFLICT (root_id, collection_id) DO UPDATE SET bag = excluded.bag";

pub(crate) const END_SPANS: &str = "UPDATE span SET to_seq = ($3::int8[])[array_position($2::int8[], collection_id)],
    ended_at = ($4::int8[])[array_position($2, collection_id)]
  WHERE root_id = $1 AND collection_id = ANY($2) AND to_seq IS NULL";

pub(crate) const INSERT_SPANS: &str = "INSERT INTO span(root_id, collection_id, from_seq, parent_id, to_seq, ended_at)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::int8[]) AS n";

pub(crate) const PUT_NAMES: &str = "INSERT INTO name(root_id, scope, name, target)
  SELECT $1, n.* FROM unnest($2::int8[], $3::bytea[], $4::int8[]) AS n
  ON CONFLICT (root_id, scope, name) DO UPDATE SET target = excluded.target";

/// Some names; see [`DROPPED`].
pub(crate) const DROP_NAMES: &str = "WITH
  k1 AS (DELETE FROM name WHERE root_id = $1 AND scope = $2 AND name = $3),
  k2 AS (DELETE FROM name WHERE root_id = $1 AND scope = $4 AND name = $5),
  k3 AS (DELETE FROM name WHERE root_id = $1 AND scope = $6 AND name = $7)
  DELETE FROM name WHERE root_id = $1 AND scope = $8 AND name = $9";

pub(crate) const PUT_KEYS: &str = "INSERT INTO item_key(root_id, collection_id, field, value, item_id)
  SELECT $1, n.* FROM unnest($2::int8[], $3::int8[], $4::bytea[], $5::int8[]) AS n ON CONFLICT DO NOTHING";

/// Some tombstones; see [`DROPPED`].
pub(crate) const DROP_GRAVES: &str = "WITH
  k1 AS (DELETE FROM tombstone WHERE root_id = $1 AND collection_id = $2 AND seq = $3),
  k2 AS (DELETE FROM tombstone WHERE root_id = $1 AND collection_id = $4 AND seq = $5),
  k3 AS (DELETE FROM tombstone WHERE root_id = $1 AND collection_id = $6 AND seq = $7)
  DELETE FROM tombstone WHERE root_id = $1 AND collection_id = $8 AND seq = $9";

/// Some keys; see [`DROPPED`].
pub(crate) const DROP_KEYS: &str = "WITH
  k1 AS (DELETE FROM item_key WHERE root_id = $1 AND collection_id = $2 AND field = $3 AND value = $4 AND item_id = $5),
  k2 AS (DELETE FROM item_key WHERE root_id = $1 AND collection_id = $6 AND field = $7 AND value = $8 AND item_id = $9),
  k3 AS (DELETE FROM item_key WHERE root_id = $1 AND collection_id = $10 AND field = $11 AND value = $12 AND item_id = $13)
  DELETE FROM item_key WHERE root_id = $1 AND collection_id = $14 AND field = $15 AND value = $16 AND item_id = $17";

/// Rows that one statement drops whose keys have more columns than the root and another: each is one place of the index,
/// whatever the planner believes about the table. Where there are fewer the rest is NULL.
pub(crate) const DROPPED: usize = 4;

/// Counts references to large parts; one that has none any more is free from then on.
pub(crate) const REFER: &str = "UPDATE blob_ref SET refs = refs + ($3::int8[])[array_position($2::bytea[], hash)],
    freed_at = CASE WHEN refs + ($3::int8[])[array_position($2::bytea[], hash)] <= 0 THEN $4::int8 END
  WHERE root_id = $1 AND hash = ANY($2)";

pub(crate) const PUT_OPERATIONS: &str = "INSERT INTO operation(root_id, operation, at, receipt)
  SELECT $1, n.* FROM unnest($2::bytea[], $3::int8[], $4::bytea[]) AS n
  ON CONFLICT (root_id, operation) DO UPDATE SET at = excluded.at, receipt = excluded.receipt";

/// Finds stored content, which is free from now on unless it is referred to.
pub(crate) const FIND_BLOB: &str = "UPDATE blob_ref SET freed_at = CASE WHEN refs > 0 THEN NULL ELSE $3::int8 END
  WHERE root_id = $1 AND hash = $2 RETURNING 1";

/// Notes content that is about to be stored. Waits for whoever does the same.
pub(crate) const STAGE_BLOB: &str = "INSERT INTO blob_ref(root_id, hash, refs, freed_at, pieces)
  VALUES($1, $2, 0, $3, $4) ON CONFLICT (root_id, hash) DO NOTHING RETURNING 1";

pub(crate) const INSERT_PIECE: &str = "INSERT INTO blob_piece(root_id, hash, piece, bytes) VALUES($1, $2, $3, $4)";

/// Whether a collection is there, and whether it has others inside.
pub(crate) const COLLECTION_STATE: &str = "SELECT
  EXISTS(SELECT 1 FROM collection WHERE root_id = $1 AND collection_id = $2),
  EXISTS(SELECT 1 FROM collection WHERE root_id = $1 AND parent_id = $2)";

/// Takes back the references of the items of a collection.
/// Not of the hot path: it costs the collection.
pub(crate) const DROP_COLLECTION_REFERENCES: &str = "UPDATE blob_ref b SET refs = b.refs - used.parts,
    freed_at = CASE WHEN b.refs <= used.parts THEN $3::int8 END
  FROM (SELECT p.hash, COUNT(*) AS parts FROM item i
    CROSS JOIN LATERAL (SELECT hash FROM item_part WHERE root_id = $1 AND item_id = i.item_id AND hash IS NOT NULL
      OFFSET 0) AS p
    WHERE i.root_id = $1 AND i.collection_id = $2 GROUP BY p.hash) AS used
  WHERE b.root_id = $1 AND b.hash = used.hash";

pub(crate) const DROP_COLLECTION_PARTS: &str = "DELETE FROM item_part WHERE root_id = $1
  AND item_id = ANY(ARRAY(SELECT item_id FROM item WHERE root_id = $1 AND collection_id = $2))";

pub(crate) const DROP_COLLECTION_ITEM_BAGS: &str = "DELETE FROM item_bag WHERE root_id = $1
  AND item_id = ANY(ARRAY(SELECT item_id FROM item WHERE root_id = $1 AND collection_id = $2))";

pub(crate) const DROP_COLLECTION_ITEMS: &str = "DELETE FROM item WHERE root_id = $1 AND collection_id = $2";

pub(crate) const DROP_COLLECTION_KEYS: &str = "DELETE FROM item_key WHERE root_id = $1 AND collection_id = $2";

pub(crate) const DROP_COLLECTION_GRAVES: &str = "DELETE FROM tombstone WHERE root_id = $1 AND collection_id = $2";

pub(crate) const DROP_COLLECTION_ROW: &str = "DELETE FROM collection WHERE root_id = $1 AND collection_id = $2";

pub(crate) const DROP_COLLECTION_BAG: &str = "DELETE FROM collection_bag WHERE root_id = $1 AND collection_id = $2";

/// Not of the hot path: an index is given up, in steps.
pub(crate) const DROP_FIELD_KEYS: &str = "WITH gone AS (DELETE FROM item_key WHERE root_id = $1 AND collection_id = $2
    AND field = $3 AND (value, item_id) IN (SELECT value, item_id FROM item_key WHERE root_id = $1
      AND collection_id = $2 AND field = $3 ORDER BY collection_id, field, value, item_id LIMIT $4) RETURNING 1)
  SELECT COUNT(*) FROM gone";

pub(crate) const OLD_GRAVES: &str = "SELECT seq, collection_id FROM tombstone WHERE root_id = $1 AND at < $2
  ORDER BY seq LIMIT $3";

pub(crate) const OLD_SPANS: &str = "SELECT to_seq, collection_id, from_seq FROM span
  WHERE root_id = $1 AND to_seq IS NOT NULL AND ended_at < $2 ORDER BY to_seq LIMIT $3";

/// Moves the marks of collections to the highest position that was trimmed.
pub(crate) const PURGE_COLLECTIONS: &str = "UPDATE collection
    SET purged_seq = GREATEST(purged_seq, ($3::int8[])[array_position($2::int8[], collection_id)])
  WHERE root_id = $1 AND collection_id = ANY($2)";

/// Not of the hot path: trims.
pub(crate) const DELETE_SPANS: &str = "DELETE FROM span s
  USING unnest($2::int8[], $3::int8[]) AS d(collection_id, from_seq)
  WHERE s.root_id = $1 AND s.collection_id = d.collection_id AND s.from_seq = d.from_seq";

pub(crate) const PURGE_ROOT: &str = "UPDATE root SET purged_seq = GREATEST(purged_seq, $2) WHERE root_id = $1";

/// The stretch of an epoch ends where the next one begins.
pub(crate) const DELETE_EPOCHS: &str = "DELETE FROM epoch WHERE root_id = $1
  AND ordinal < (SELECT MAX(ordinal) FROM epoch WHERE root_id = $1 AND at < $2)";

pub(crate) const DELETE_OPERATIONS: &str = "DELETE FROM operation WHERE root_id = $1 AND at < $2";

pub(crate) const DELETE_TICKS: &str = "DELETE FROM tick WHERE root_id = $1 AND minute < $2";

/// Removes large parts that were freed before a time, with their bytes. Those in an object store are swept.
pub(crate) const DELETE_FREED: &str = "WITH gone AS (DELETE FROM blob_ref WHERE root_id = $1 AND refs <= 0
    AND hash = ANY(ARRAY(SELECT hash FROM blob_ref WHERE root_id = $1 AND freed_at < $2 AND object IS NULL
      ORDER BY root_id, freed_at LIMIT $3)) RETURNING hash)
  DELETE FROM blob_piece p USING gone WHERE p.root_id = $1 AND p.hash = gone.hash";

/// Roots of which the removal was cut off. Not of the hot path: it names no root.
pub(crate) const HALF_REMOVED: &str = "SELECT root_id FROM root WHERE kind = -1";

/// Takes a root out of sight.
/// Not of the hot path: a whole root goes.
pub(crate) const HIDE_ROOT: &str = "UPDATE root SET kind = -1 WHERE root_id = $1 AND kind <> -1";

/// Frees all its large parts that are objects, by the clock of its commits, and forgets the others, whose rows go next.
/// Not of the hot path: a whole root goes.
pub(crate) const REMOVE_REFERENCES: &str = "WITH gone AS (DELETE FROM blob_ref WHERE root_id = $1 AND object IS NULL)
  UPDATE blob_ref SET refs = 0, freed_at = COALESCE((SELECT MAX(minute) FROM tick WHERE root_id = $1), 0) * $2
  WHERE root_id = $1 AND object IS NOT NULL AND refs > 0";

/// Not of the hot path: a whole root goes.
pub(crate) const REMOVE_OPERATIONS: &str = "DELETE FROM operation WHERE root_id = $1";

/// Some rows of each large table of a root.
/// Not of the hot path: a whole root goes.
pub(crate) const REMOVE_LARGE: [&str; 7] = [
    "WITH gone AS (DELETE FROM item WHERE root_id = $1 AND item_id IN (SELECT item_id FROM item
       WHERE root_id = $1 ORDER BY item_id LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM item_bag WHERE root_id = $1 AND item_id IN (SELECT item_id FROM item_bag
       WHERE root_id = $1 ORDER BY item_id LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM item_part WHERE root_id = $1 AND (item_id, part) IN (SELECT item_id, part FROM item_part
       WHERE root_id = $1 ORDER BY item_id, part LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM item_key WHERE root_id = $1 AND (collection_id, field, value, item_id) IN (SELECT collection_id, field, value, item_id FROM item_key
       WHERE root_id = $1 ORDER BY collection_id, field, value, item_id LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM tombstone WHERE root_id = $1 AND (collection_id, seq) IN (SELECT collection_id, seq FROM tombstone
       WHERE root_id = $1 ORDER BY collection_id, seq LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM name WHERE root_id = $1 AND (scope, name) IN (SELECT scope, name FROM name
       WHERE root_id = $1 ORDER BY scope, name LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
    "WITH gone AS (DELETE FROM blob_piece WHERE root_id = $1 AND (hash, piece) IN (SELECT hash, piece FROM blob_piece
       WHERE root_id = $1 ORDER BY hash, piece LIMIT $2) RETURNING 1) SELECT COUNT(*) FROM gone",
];

/// What goes at the end; the row of the root, which says that it is on its way out, is the last.
/// Not of the hot path: a whole root goes.
pub(crate) const REMOVE_SMALL: [&str; 6] = [
    "DELETE FROM epoch WHERE root_id = $1",
    "DELETE FROM tick WHERE root_id = $1",
    "DELETE FROM collection WHERE root_id = $1",
    "DELETE FROM collection_bag WHERE root_id = $1",
    "DELETE FROM span WHERE root_id = $1",
    "DELETE FROM root WHERE root_id = $1 AND kind < 0",
];

/// What a session that writes has prepared from the start. Not of the hot path itself: each is in the table below.
pub(crate) const WARM: &[&str] = &[
    LOCK_ROOT,
    LOAD_ITEMS,
    LOAD_COLLECTIONS,
    LOAD_COLLECTIONS_OF,
    LOAD_NAMES,
    LOAD_PARTS,
    WRITE_GROUP,
    WRITE_GROUP_IF,
    UPDATE_ITEMS,
    INSERT_TICK,
    PUT_NAMES,
];

/// See [`super::ALL`].
pub(crate) const HOT: &[Hot] = &[
    Hot { name: "lock root", text: LOCK_ROOT, along: &["root_pkey"] },
    Hot { name: "load items", text: LOAD_ITEMS, along: &["item_pkey"] },
    Hot { name: "load collections", text: LOAD_COLLECTIONS, along: &["collection_pkey"] },
    Hot { name: "load collections of items", text: LOAD_COLLECTIONS_OF, along: &["collection_pkey", "item_pkey"] },
    Hot { name: "load children", text: LOAD_CHILDREN, along: &["collection_parent"] },
    Hot { name: "load names", text: LOAD_NAMES, along: &["name_pkey"] },
    Hot { name: "load parts", text: LOAD_PARTS, along: &["item_part_pkey"] },
    Hot { name: "load tombstones", text: LOAD_GRAVES, along: &["tombstone_pkey"] },
    Hot { name: "load large parts", text: LOAD_BLOBS, along: &["blob_ref_pkey"] },
    Hot { name: "load operation", text: LOAD_OPERATION, along: &["operation_pkey"] },
    Hot { name: "touch operation", text: TOUCH_OPERATION, along: &["operation_pkey"] },
    Hot { name: "await root", text: AWAIT_ROOT, along: &[] },
    Hot { name: "write group", text: WRITE_GROUP, along: &["root_pkey"] },
    Hot { name: "write group if", text: WRITE_GROUP_IF, along: &["root_pkey"] },
    Hot { name: "insert root", text: INSERT_ROOT, along: &[] },
    Hot { name: "insert epoch", text: INSERT_EPOCH, along: &["epoch_pkey"] },
    Hot { name: "insert tick", text: INSERT_TICK, along: &["tick_pkey"] },
    Hot { name: "copy bags", text: COPY_BAGS, along: &["item_bag_pkey"] },
    Hot { name: "move bags", text: MOVE_BAGS, along: &["item_bag_pkey"] },
    Hot { name: "update bags", text: UPDATE_BAGS, along: &[] },
    Hot { name: "delete bags", text: DELETE_BAGS, along: &["item_bag_pkey"] },
    Hot { name: "copy parts", text: COPY_PARTS, along: &["item_part_pkey"] },
    Hot { name: "move parts", text: MOVE_PARTS, along: &["item_part_pkey"] },
    Hot { name: "update parts", text: UPDATE_PARTS, along: &[] },
    Hot { name: "delete parts", text: DELETE_PARTS, along: &["item_part_pkey"] },
    Hot { name: "update items", text: UPDATE_ITEMS, along: &[] },
    Hot { name: "delete items", text: DELETE_ITEMS, along: &["item_pkey"] },
    Hot { name: "insert tombstones", text: INSERT_GRAVES, along: &[] },
    Hot { name: "drop tombstones", text: DROP_GRAVES, along: &["tombstone_age"] },
    Hot { name: "put bags of collections", text: PUT_COLLECTION_BAGS, along: &[] },
    Hot { name: "end spans", text: END_SPANS, along: &["span_pkey"] },
    Hot { name: "insert spans", text: INSERT_SPANS, along: &[] },
    Hot { name: "put names", text: PUT_NAMES, along: &[] },
    Hot { name: "drop names", text: DROP_NAMES, along: &["name_pkey"] },
    Hot { name: "put keys", text: PUT_KEYS, along: &[] },
    Hot { name: "drop keys", text: DROP_KEYS, along: &["item_key_pkey"] },
    Hot { name: "refer to large parts", text: REFER, along: &["blob_ref_pkey"] },
    Hot { name: "find large part", text: FIND_BLOB, along: &["blob_ref_pkey"] },
    Hot { name: "stage large part", text: STAGE_BLOB, along: &[] },
    Hot { name: "insert piece", text: INSERT_PIECE, along: &[] },
    Hot { name: "state of a collection", text: COLLECTION_STATE, along: &["collection_parent", "collection_pkey"] },
    Hot { name: "drop collection: parts", text: DROP_COLLECTION_PARTS, along: &["item_list", "item_part_pkey"] },
    Hot { name: "drop collection: bags", text: DROP_COLLECTION_ITEM_BAGS, along: &["item_bag_pkey", "item_list"] },
    Hot { name: "drop collection: items", text: DROP_COLLECTION_ITEMS, along: &["item_list"] },
    Hot { name: "drop collection: keys", text: DROP_COLLECTION_KEYS, along: &["item_key_pkey"] },
    Hot { name: "drop collection: tombstones", text: DROP_COLLECTION_GRAVES, along: &["tombstone_pkey"] },
    Hot { name: "drop collection: row", text: DROP_COLLECTION_ROW, along: &["collection_pkey"] },
    Hot { name: "drop collection: bag", text: DROP_COLLECTION_BAG, along: &["collection_bag_pkey"] },
    Hot { name: "old tombstones", text: OLD_GRAVES, along: &["tombstone_age"] },
    Hot { name: "old spans", text: OLD_SPANS, along: &["span_ended"] },
    Hot { name: "purge collections", text: PURGE_COLLECTIONS, along: &["collection_pkey"] },
    Hot { name: "purge root", text: PURGE_ROOT, along: &["root_pkey"] },
    Hot { name: "delete epochs", text: DELETE_EPOCHS, along: &["epoch_pkey"] },
    Hot { name: "delete operations", text: DELETE_OPERATIONS, along: &["operation_age"] },
    Hot { name: "delete ticks", text: DELETE_TICKS, along: &["tick_pkey"] },
    Hot { name: "delete freed parts", text: DELETE_FREED, along: &["blob_free", "blob_piece_pkey", "blob_ref_pkey"] },
    Hot { name: "put operations", text: PUT_OPERATIONS, along: &[] },
];
