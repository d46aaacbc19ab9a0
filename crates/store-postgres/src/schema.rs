//! The tables, and how a database is brought to the version that this program knows.
//!
//! Four properties hold throughout, as in the embedded store: every key leads with the root, which is the key that a
//! sharded engine distributes by; the hot item table is narrow; a change of the read flag does not touch the bag; a page
//! of changes is a range of one index.

/// The steps that make a database: step `n` leads from schema version `n` to `n + 1`. A step only adds, so that a program
/// of the version before goes on working on what it made.
///
/// A negative kind of a root says that it is not there: -1 while it is being removed, -2 while it is being copied here.
pub(crate) const STEPS: &[&str] = &["
CREATE TABLE root(root_id BIGINT PRIMARY KEY, kind BIGINT NOT NULL, guid BYTEA NOT NULL, last_seq BIGINT NOT NULL,
  purged_seq BIGINT NOT NULL, epoch BIGINT NOT NULL) WITH (fillfactor = 50);
CREATE TABLE epoch(root_id BIGINT NOT NULL, ordinal BIGINT NOT NULL, epoch BIGINT NOT NULL, first_seq BIGINT NOT NULL,
  at BIGINT NOT NULL, PRIMARY KEY(root_id, ordinal));
CREATE TABLE tick(root_id BIGINT NOT NULL, minute BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY(root_id, minute));

CREATE TABLE collection(root_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, parent_id BIGINT, seq BIGINT NOT NULL,
  created_seq BIGINT NOT NULL, items_seq BIGINT NOT NULL, purged_seq BIGINT NOT NULL, items BIGINT NOT NULL,
  unread BIGINT NOT NULL, associated BIGINT NOT NULL, last_number BIGINT NOT NULL, PRIMARY KEY(root_id, collection_id))
  WITH (fillfactor = 50);
CREATE INDEX collection_parent ON collection(root_id, parent_id);
CREATE TABLE collection_bag(root_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, bag BYTEA NOT NULL,
  PRIMARY KEY(root_id, collection_id));
CREATE TABLE span(root_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, from_seq BIGINT NOT NULL, parent_id BIGINT,
  to_seq BIGINT, ended_at BIGINT, PRIMARY KEY(root_id, collection_id, from_seq));
CREATE INDEX span_ended ON span(root_id, to_seq, ended_at) WHERE to_seq IS NOT NULL;

CREATE TABLE item(root_id BIGINT NOT NULL, item_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, seq BIGINT NOT NULL,
  created_seq BIGINT NOT NULL, content_seq BIGINT NOT NULL, flags BIGINT NOT NULL, PRIMARY KEY(root_id, item_id))
  WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0);
CREATE INDEX item_change ON item(root_id, collection_id, seq) INCLUDE (created_seq, content_seq, flags, item_id);
CREATE INDEX item_created ON item(root_id, collection_id, created_seq);
CREATE INDEX item_list ON item(root_id, collection_id, item_id);
CREATE TABLE item_bag(root_id BIGINT NOT NULL, item_id BIGINT NOT NULL, bag BYTEA NOT NULL,
  PRIMARY KEY(root_id, item_id)) WITH (toast_tuple_target = 8160);
ALTER TABLE item_bag ALTER COLUMN bag SET STORAGE EXTERNAL;
CREATE TABLE tombstone(root_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, seq BIGINT NOT NULL,
  item_id BIGINT NOT NULL, created_seq BIGINT NOT NULL, flags BIGINT NOT NULL, kind BIGINT NOT NULL, at BIGINT NOT NULL,
  moved_collection BIGINT, moved_item BIGINT, note BYTEA NOT NULL, PRIMARY KEY(root_id, collection_id, seq));
CREATE INDEX tombstone_age ON tombstone(root_id, seq, at, collection_id);

CREATE TABLE item_part(root_id BIGINT NOT NULL, item_id BIGINT NOT NULL, part BIGINT NOT NULL, size BIGINT NOT NULL,
  hash BYTEA, inline BYTEA, PRIMARY KEY(root_id, item_id, part)) WITH (toast_tuple_target = 8160);
ALTER TABLE item_part ALTER COLUMN inline SET STORAGE EXTERNAL;
CREATE TABLE blob_ref(root_id BIGINT NOT NULL, hash BYTEA NOT NULL, refs BIGINT NOT NULL, freed_at BIGINT,
  object TEXT, pieces BYTEA, PRIMARY KEY(root_id, hash));
CREATE INDEX blob_free ON blob_ref(root_id, freed_at) WHERE freed_at IS NOT NULL;
CREATE TABLE blob_piece(root_id BIGINT NOT NULL, hash BYTEA NOT NULL, piece BIGINT NOT NULL, bytes BYTEA NOT NULL,
  PRIMARY KEY(root_id, hash, piece));
ALTER TABLE blob_piece ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE name(root_id BIGINT NOT NULL, scope BIGINT NOT NULL, name BYTEA NOT NULL, target BIGINT NOT NULL,
  PRIMARY KEY(root_id, scope, name));
CREATE TABLE item_key(root_id BIGINT NOT NULL, collection_id BIGINT NOT NULL, field BIGINT NOT NULL,
  value BYTEA NOT NULL, item_id BIGINT NOT NULL, PRIMARY KEY(root_id, collection_id, field, value, item_id));
CREATE TABLE operation(root_id BIGINT NOT NULL, operation BYTEA NOT NULL, at BIGINT NOT NULL, receipt BYTEA NOT NULL,
  PRIMARY KEY(root_id, operation));
CREATE INDEX operation_age ON operation(root_id, at);
"];
