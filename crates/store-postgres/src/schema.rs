//! The tables, and how a database is brought to the version that this program knows.
//!
//! Four properties hold throughout, as in the embedded store: every key leads with the root, which is the key that a
//! sharded engine distributes by; the hot item table is narrow; a change of the read flag does not touch the bag; a page
//! of changes is a range of one index.

use std::time::Duration;

use tokio_postgres::{Client, Row, types::Type};

use crate::{
    OpenError,
    address::Address,
    failure::{Failure, describe},
    rows::get,
    session,
};

/// A step from one schema version to the next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// What it does, in one transaction with all other steps that are missing.
    pub(crate) sql: &'static str,
    /// The oldest version of programs that go on working on the database after it. A step that only adds leaves it where
    /// it was, so that a fleet is brought up to date one node at a time.
    pub(crate) works_for: u32,
}

/// The steps that make a database: step `n` leads from schema version `n` to `n + 1`, which is the version of a program
/// that knows `n + 1` steps.
///
/// A negative kind of a root says that it is not there: -1 while it is being removed, -2 and below while it is being
/// copied here (-2 less the kind that it will be).
pub(crate) const STEPS: &[Step] = &[Step {
    works_for: 1,
    sql: "
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
",
}];

/// The one table that belongs to no root: a handful of numbers, which a sharded engine keeps on every node.
pub(crate) const META_TABLE: &str = "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value BIGINT NOT NULL)";

/// What [`Meta::read`] reads.
pub(crate) const META: &str = "SELECT key, value FROM meta";

/// Keys of numbers in the table.
const SCHEMA_VERSION: &str = "schema_version";
const WORKS_FOR: &str = "works_for";
const EPOCH: &str = "epoch";
const IDENTITY: &str = "identity";
const BLOBS: &str = "blobs";

/// Pause between two attempts to bring a database up to date.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The numbers of the table `meta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// How many steps were done.
    pub(crate) version: u32,
    /// The oldest version of programs that may work on it.
    pub(crate) works_for: u32,
    /// A random number, given when the database was made and by [`restored`].
    pub(crate) epoch: i64,
    /// A random number, given when the database was made: it stays.
    pub(crate) identity: i64,
    /// Whether it ever had an object store.
    pub(crate) has_blobs: bool,
}

impl Meta {
    /// Reads the answer to [`META`].
    pub(crate) fn read(rows: &[Row]) -> Result<Self, Failure> {
        let mut meta = Self::default();
        for row in rows {
            let (key, value): (&str, i64) = (get(row, 0)?, get(row, 1)?);
            let version = || u32::try_from(value).map_err(|_| Failure::damaged(format!("meta: {key} is {value}")));
            match key {
                SCHEMA_VERSION => meta.version = version()?,
                WORKS_FOR => meta.works_for = version()?,
                EPOCH => meta.epoch = value,
                IDENTITY => meta.identity = value,
                BLOBS => meta.has_blobs = true,
                _ => {}
            }
        }
        Ok(meta)
    }
}

/// Brings a database to the version that the steps lead to, once however many nodes begin at the same time, and waits
/// for one that cannot be reached yet. `epoch` is given to a new database. A database that is newer is left as it is.
///
/// # Errors
/// [`OpenError::Newer`] when a newer program said that this one must not work on it, and [`OpenError::Database`].
pub(crate) async fn migrate(
    address: &Address,
    steps: &'static [Step],
    epoch: i64,
    patience: Duration,
) -> Result<Meta, OpenError> {
    let attempts = patience.as_millis() / RETRY_PAUSE.as_millis();
    let mut attempt = 0;
    loop {
        let failure = match session::connect(address).await {
            Ok(client) => match migrate_once(&client, steps, epoch).await {
                Ok(meta) => return check(meta, steps).map(|()| meta),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        attempt += 1;
        match failure {
            Failure::Lost(text) | Failure::Repeat(text) | Failure::Taken(text) if attempt < attempts => {
                tracing::info!(reason = text, "waiting for the database");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            failure @ (Failure::Lost(_)
            | Failure::Repeat(_)
            | Failure::Taken(_)
            | Failure::Unavailable(_)
            | Failure::Port(_)) => {
                return Err(OpenError::Database(failure.to_string()));
            }
        }
    }
}

/// Whether a program with these steps may work on a database.
fn check(meta: Meta, steps: &[Step]) -> Result<(), OpenError> {
    let known = steps.len() as u32;
    if meta.works_for > known {
        return Err(OpenError::Newer { have: meta.version, needs: meta.works_for, known });
    }
    Ok(())
}

/// What is there now; `None` without the table.
async fn found(client: &Client) -> Result<Option<Meta>, Failure> {
    let there = client.query_typed("SELECT to_regclass('meta') IS NOT NULL", &[]).await?;
    let there: bool = there.first().map_or(Ok(false), |row| get(row, 0))?;
    if !there {
        return Ok(None);
    }
    Ok(Some(Meta::read(&client.query_typed(META, &[]).await?)?))
}

async fn migrate_once(client: &Client, steps: &'static [Step], epoch: i64) -> Result<Meta, Failure> {
    let known = steps.len() as u32;
    if let Some(meta) = found(client).await?.filter(|meta| meta.version >= known) {
        return Ok(meta);
    }
    client.batch_execute("BEGIN").await?;
    // Of this schema alone: other stores in the same database do not wait. Engines without such locks answer with an
    // error or nothing; there the transaction itself has to do.
    let lock = "SELECT pg_advisory_xact_lock(hashtext('highwater'), hashtext(current_schema()::text))";
    if let Err(error) = client.batch_execute(lock).await {
        tracing::warn!(error = describe(&error), "the engine has no advisory locks");
        client.batch_execute("ROLLBACK; BEGIN").await?;
    }
    client.batch_execute(META_TABLE).await?;
    let mut meta = Meta::read(&client.query_typed(META, &[]).await?)?;
    for (version, step) in steps.iter().enumerate().skip(meta.version as usize) {
        client.batch_execute(step.sql).await?;
        meta = Meta { version: version as u32 + 1, works_for: meta.works_for.max(step.works_for), ..meta };
    }
    put(client, SCHEMA_VERSION, meta.version.into()).await?;
    put(client, WORKS_FOR, meta.works_for.into()).await?;
    let keep = "INSERT INTO meta VALUES($1, $2) ON CONFLICT (key) DO NOTHING";
    for key in [EPOCH, IDENTITY] {
        client.query_typed(keep, &[(&key, Type::TEXT), (&epoch, Type::INT8)]).await?;
    }
    meta = Meta::read(&client.query_typed(META, &[]).await?)?;
    client.batch_execute("COMMIT").await?;
    tracing::info!(version = meta.version, "the database was brought up to date");
    Ok(meta)
}

async fn put(client: &Client, key: &str, value: i64) -> Result<(), Failure> {
    let sql = "INSERT INTO meta VALUES($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    client.query_typed(sql, &[(&key, Type::TEXT), (&value, Type::INT8)]).await?;
    Ok(())
}

/// Notes that the database has an object store, which is claimed.
pub(crate) async fn note_blobs(address: &Address) -> Result<(), OpenError> {
    let note = async { put(&session::connect(address).await?, BLOBS, 1).await };
    note.await.map_err(|failure: Failure| OpenError::Database(failure.to_string()))
}

/// Begins a new stretch of history, so that tokens of what may have been lost are refused.
pub(crate) async fn restored(address: &Address, epoch: i64) -> Result<(), OpenError> {
    let change = async {
        let client = session::connect(address).await?;
        if found(&client).await?.is_none() {
            return Err(Failure::Unavailable("there is no store in this database".to_owned()));
        }
        put(&client, EPOCH, epoch).await
    };
    change.await.map_err(|failure| OpenError::Database(store::StoreError::from(failure).to_string()))
}
