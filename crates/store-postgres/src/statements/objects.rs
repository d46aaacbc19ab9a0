//! What is asked about large parts that lie in an object store.

use super::Hot;

/// Finds stored content, which is free from now on unless it is referred to; and says what time it is here, in
/// milliseconds.
pub(crate) const FIND_OBJECT: &str = "WITH found AS (UPDATE blob_ref SET
    freed_at = CASE WHEN refs > 0 THEN NULL ELSE $3::int8 END WHERE root_id = $1 AND hash = $2 RETURNING 1)
  SELECT EXISTS(SELECT 1 FROM found), (extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Notes an object that was stored, unless that took until $6; where there is a row already, that one stays. Gives the
/// object of the row.
pub(crate) const NOTE_OBJECT: &str = "INSERT INTO blob_ref(root_id, hash, refs, freed_at, object, pieces)
  SELECT $1::int8, $2::bytea, 0, $3::int8, $4::text, $5::bytea
    WHERE (extract(epoch FROM clock_timestamp()) * 1000)::int8 < $6
  ON CONFLICT (root_id, hash) DO UPDATE
    SET freed_at = CASE WHEN blob_ref.refs > 0 THEN NULL ELSE excluded.freed_at END RETURNING object";

/// The objects of these contents.
pub(crate) const KNOWN_OBJECTS: &str = "SELECT object FROM blob_ref WHERE root_id = $1 AND hash = ANY($2)";

/// What time it is here, in milliseconds. Not of the hot path.
pub(crate) const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Objects that were freed before a time. Not of the hot path: it names no root.
pub(crate) const FREED_OBJECTS: &str =
    "SELECT root_id, hash FROM blob_ref WHERE freed_at < $1 AND object IS NOT NULL AND refs <= 0 LIMIT $2";

/// Forgets those of them that are still free. Not of the hot path.
pub(crate) const FORGET_OBJECTS: &str = "DELETE FROM blob_ref WHERE root_id = $1 AND hash = ANY($2)
  AND object IS NOT NULL AND refs <= 0 AND freed_at < $3 RETURNING object";

/// Takes the turn to sweep, where the last one was begun before a time. Not of the hot path: it names no root.
pub(crate) const TAKE_TURN: &str = "INSERT INTO meta(key, value) VALUES('swept_at', $1)
  ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE meta.value < $2 RETURNING 1";

/// See [`super::ALL`].
pub(crate) const HOT: &[Hot] = &[
    Hot { name: "find object", text: FIND_OBJECT, along: &["blob_ref_pkey"] },
    Hot { name: "note object", text: NOTE_OBJECT, along: &[] },
    Hot { name: "known objects", text: KNOWN_OBJECTS, along: &["blob_ref_pkey"] },
];
