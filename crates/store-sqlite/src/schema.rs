//! The tables, how a database file is opened, and how an older one is brought up to date.
//!
//! Four properties hold throughout: every key leads with the root; the hot item table is narrow; a change of the read
//! flag does not touch the bag; a page of changes is a range of one index.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use crate::{OpenError, Synchronous};

/// How long a statement waits for the write lock of another process.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a database page. A commit of one item changes a page in each of a dozen trees and logs them whole, so small pages
/// make it cheaper. A store keeps the size that it was made with.
const PAGE_BYTES: u32 = 4_096;
/// Bytes to which the log file is cut when it starts again.
const LOG_BYTES_KEPT: u32 = 64 << 20;
/// KiB of pages that a connection keeps. The system keeps more of them; these spare the calls for what is hot: the upper
/// pages of trees, and the last ones of what grows.
const WRITER_CACHE_KIB: i64 = 8_192;
const READER_CACHE_KIB: i64 = 2_048;
/// Statements kept prepared on a connection.
const STATEMENTS_CACHED: usize = 128;

/// The steps that make the control file: step `n` leads from schema version `n` to `n + 1`.
pub(crate) const CONTROL_STEPS: &[&str] = &["
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE root_shard(root_id INTEGER PRIMARY KEY, shard INTEGER NOT NULL) STRICT;
"];

/// The steps that make a shard file.
///
/// A negative kind of a root says that it is not there: -1 while it is being removed, -2 and below while it is being
/// copied here (-2 less the kind that it will be).
pub(crate) const SHARD_STEPS: &[&str] = &[
    "
CREATE TABLE root(root_id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, guid BLOB NOT NULL, last_seq INTEGER NOT NULL,
  purged_seq INTEGER NOT NULL, epoch INTEGER NOT NULL) STRICT;
CREATE TABLE epoch(root_id INTEGER NOT NULL, ordinal INTEGER NOT NULL, epoch INTEGER NOT NULL,
  first_seq INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(root_id, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE tick(root_id INTEGER NOT NULL, minute INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(root_id, minute)) STRICT, WITHOUT ROWID;

CREATE TABLE collection(root_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, parent_id INTEGER,
  seq INTEGER NOT NULL, created_seq INTEGER NOT NULL, items_seq INTEGER NOT NULL, purged_seq INTEGER NOT NULL,
  items INTEGER NOT NULL, unread INTEGER NOT NULL, associated INTEGER NOT NULL, last_number INTEGER NOT NULL,
  PRIMARY KEY(root_id, collection_id)) STRICT, WITHOUT ROWID;
CREATE INDEX collection_parent ON collection(root_id, parent_id);
CREATE TABLE collection_bag(root_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, bag BLOB NOT NULL,
  PRIMARY KEY(root_id, collection_id)) STRICT;
CREATE TABLE span(root_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, from_seq INTEGER NOT NULL,
  parent_id INTEGER, to_seq INTEGER, ended_at INTEGER, PRIMARY KEY(root_id, collection_id, from_seq))
  STRICT, WITHOUT ROWID;
CREATE INDEX span_ended ON span(root_id, to_seq, ended_at) WHERE to_seq IS NOT NULL;

CREATE TABLE item(root_id INTEGER NOT NULL, item_id INTEGER NOT NULL, collection_id INTEGER NOT NULL,
  seq INTEGER NOT NULL, created_seq INTEGER NOT NULL, content_seq INTEGER NOT NULL, flags INTEGER NOT NULL,
  PRIMARY KEY(root_id, item_id)) STRICT, WITHOUT ROWID;
CREATE INDEX item_change ON item(root_id, collection_id, seq, created_seq, content_seq, flags, item_id);
CREATE INDEX item_created ON item(root_id, collection_id, created_seq);
CREATE INDEX item_list ON item(root_id, collection_id, item_id);
CREATE TABLE item_bag(root_id INTEGER NOT NULL, item_id INTEGER NOT NULL, bag BLOB NOT NULL,
  PRIMARY KEY(root_id, item_id)) STRICT;
CREATE TABLE tombstone(root_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, seq INTEGER NOT NULL,
  item_id INTEGER NOT NULL, created_seq INTEGER NOT NULL, flags INTEGER NOT NULL, kind INTEGER NOT NULL,
  at INTEGER NOT NULL, moved_collection INTEGER, moved_item INTEGER, note BLOB NOT NULL,
  PRIMARY KEY(root_id, collection_id, seq)) STRICT, WITHOUT ROWID;
CREATE INDEX tombstone_age ON tombstone(root_id, seq, at, collection_id);

CREATE TABLE item_part(root_id INTEGER NOT NULL, item_id INTEGER NOT NULL, part INTEGER NOT NULL,
  size INTEGER NOT NULL, hash BLOB, inline BLOB, PRIMARY KEY(root_id, item_id, part)) STRICT;
CREATE TABLE blob_ref(root_id INTEGER NOT NULL, hash BLOB NOT NULL, refs INTEGER NOT NULL, freed_at INTEGER,
  PRIMARY KEY(root_id, hash)) STRICT, WITHOUT ROWID;
CREATE INDEX blob_free ON blob_ref(freed_at) WHERE freed_at IS NOT NULL;

CREATE TABLE name(root_id INTEGER NOT NULL, scope INTEGER NOT NULL, name BLOB NOT NULL, target INTEGER NOT NULL,
  PRIMARY KEY(root_id, scope, name)) STRICT, WITHOUT ROWID;
CREATE TABLE operation(root_id INTEGER NOT NULL, operation BLOB NOT NULL, at INTEGER NOT NULL, receipt BLOB NOT NULL,
  PRIMARY KEY(root_id, operation)) STRICT, WITHOUT ROWID;
CREATE INDEX operation_age ON operation(root_id, at);
",
    "
CREATE TABLE item_key(root_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, field INTEGER NOT NULL,
  value BLOB NOT NULL, item_id INTEGER NOT NULL, PRIMARY KEY(root_id, collection_id, field, value, item_id))
  STRICT, WITHOUT ROWID;
",
];

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Writes, makes the log smaller.
    Write,
    /// Reads only.
    Read,
}

/// Opens a database file, which is created when it is not there and the connection may write.
pub(crate) fn connect(path: &Path, synchronous: Synchronous, purpose: Use) -> Result<Connection, rusqlite::Error> {
    // A reader needs the right to write as well: it takes its locks in the shared index of the log.
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if purpose == Use::Write {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    // No memory mapping: with it, a medium that fails ends the process instead of the read.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    match purpose {
        Use::Write => {
            connection.pragma_update(None, "page_size", PAGE_BYTES)?;
            let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
            if mode != "wal" {
                let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
                let message = "the file system does not bear a write-ahead log".to_owned();
                return Err(rusqlite::Error::SqliteFailure(code, Some(message)));
            }
            connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
            connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            // Commits sync the log; on Apple systems only the full form reaches the medium.
            connection.pragma_update(None, "fullfsync", true)?;
            connection.pragma_update(None, "checkpoint_fullfsync", true)?;
        }
        Use::Read => {
            connection.pragma_update(None, "query_only", true)?;
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
        }
    }
    match synchronous {
        Synchronous::Full => connection.pragma_update(None, "synchronous", "FULL")?,
        Synchronous::Off => connection.pragma_update(None, "synchronous", "OFF")?,
    }
    Ok(connection)
}

/// Brings a database file to the version that this program knows: all missing steps, each in a transaction of its own.
pub(crate) fn upgrade(connection: &Connection, steps: &[&str]) -> Result<(), OpenError> {
    let have = check(connection, steps)?;
    for (version, step) in steps.iter().enumerate().skip(have) {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {step} PRAGMA user_version = {}; COMMIT;", version + 1))?;
    }
    Ok(())
}

/// The schema version of a database file.
///
/// # Errors
/// When it is newer than this program.
pub(crate) fn check(connection: &Connection, steps: &[&str]) -> Result<usize, OpenError> {
    let have: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if have as usize > steps.len() {
        return Err(OpenError::Newer { have, known: steps.len() as u32 });
    }
    Ok(have as usize)
}
