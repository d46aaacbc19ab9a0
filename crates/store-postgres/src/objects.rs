//! Storing large parts as objects.
//!
//! The object first, then its row in `blob_ref`, then the commit that refers to it. A row without references is free from
//! the moment on at which it was written, and goes, before its object, when that was a time of grace ago; an object that
//! never got a row goes when it is that old ([`crate::sweep`]). So that no row is ever written for an object that the
//! sweep has taken, the row is refused by the database, by its own clock, where storing the object took longer than
//! [`STAGE_SECONDS_MAX`], be it that this node stood still meanwhile; the grace is longer than that.

use blobs::{Blobs, Hash};
use model::{RootId, Rope, Time};
use store::StoreError;
use tokio_postgres::types::ToSql;

use crate::{
    failure::Failure,
    rows::get,
    statements::objects::{FIND_OBJECT, NOTE_OBJECT},
    transaction::{ATTEMPTS_MAX, Transactions, pause},
};

/// How long it may take from looking for content, not finding it, to the row of the object that it was stored as.
pub(crate) const STAGE_SECONDS_MAX: i64 = 3_600;

/// Makes sure that content is stored, from `at` on without a reference. Costs one round trip where it is there already,
/// otherwise the storing of an object between two.
///
/// # Errors
/// Where the object store or the database is not available. An object may be left over.
pub(crate) async fn stage(
    transactions: &Transactions,
    blobs: &Blobs,
    (root, hash): (RootId, &Hash),
    content: &Rope,
    at: Time,
) -> Result<(), Failure> {
    let (key, hash_column) = (root.to_i64(), &hash[..]);
    let found = ask(transactions, FIND_OBJECT, &[&key, &hash_column, &at.0]).await?;
    let found = found.first().ok_or_else(|| Failure::damaged("a look for an object gave no row"))?;
    let (is_there, now): (bool, i64) = (get(found, 0)?, get(found, 1)?);
    if is_there {
        return Ok(());
    }
    let stored = blobs.put(root, hash, transactions.unique(), content).await.map_err(StoreError::from)?;
    let (name, pieces) = (stored.name.as_str(), stored.pieces.to_bytes());
    let until = now + STAGE_SECONDS_MAX * 1_000;
    let noted = ask(transactions, NOTE_OBJECT, &[&key, &hash_column, &at.0, &name, &pieces, &until]).await?;
    let Some(row) = noted.first() else {
        return Err(Failure::Unavailable("storing a large part took too long".to_owned()));
    };
    if get::<Option<&str>>(row, 0)? != Some(name) {
        // Somebody else has stored the same meanwhile. Where this fails the sweep does it.
        let _ = blobs.delete(&[stored.name]).await;
    }
    Ok(())
}

/// The rows of a statement that may be repeated, with other sessions as long as they are lost.
async fn ask(
    transactions: &Transactions,
    sql: &'static str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<tokio_postgres::Row>, Failure> {
    let mut attempt = 0;
    loop {
        let session = transactions.session().await?;
        let failure = match transactions.patiently(session.rows(sql, parameters)).await {
            Ok(rows) => return Ok(rows),
            Err(failure) => failure,
        };
        session.condemn();
        drop(session);
        if !failure.may_pass() || attempt >= ATTEMPTS_MAX {
            return Err(failure);
        }
        pause(attempt).await;
        attempt += 1;
    }
}
