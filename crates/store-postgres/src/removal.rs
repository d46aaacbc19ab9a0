//! Removing a whole root: out of sight at once, then piece by piece, so that others get their turn in between.

use model::{RootId, Time};

use crate::{
    failure::Failure,
    flight::{Flight, Unfinished},
    session::Session,
    statements::writes::{HIDE_ROOT, REMOVE_LARGE, REMOVE_OPERATIONS, REMOVE_REFERENCES, REMOVE_SMALL},
    steps::count,
};

/// Rows of one table that one step removes.
const STEP_ROWS_MAX: i64 = if cfg!(test) { 16 } else { 2_000 };

/// Takes a root out of sight and does one step of its removal, in a transaction of its own. Whether there is more to do.
/// Nothing happens when it is not there.
pub(crate) async fn step(session: &Session, root: RootId) -> Result<bool, Unfinished> {
    let before = |failure| Unfinished { failure, in_doubt: false };
    let mut flight = Flight::default();
    hide(&mut flight, root);
    flight.begin(session).await.map_err(before)?;
    let more = rows(session, root).await.map_err(before)?;
    Flight::default().commit(session).await?;
    Ok(more)
}

/// Removes all that is left of a root that is out of sight, inside the open transaction.
pub(crate) async fn whole(session: &Session, root: RootId) -> Result<(), Failure> {
    while rows(session, root).await? {}
    Ok(())
}

fn hide(flight: &mut Flight<'_>, root: RootId) {
    let key = || Box::new(root.to_i64());
    flight.add(HIDE_ROOT, vec![key()]);
    flight.add(REMOVE_REFERENCES, vec![key(), Box::new(60 * Time::SECOND)]);
    flight.add(REMOVE_OPERATIONS, vec![key()]);
}

async fn rows(session: &Session, root: RootId) -> Result<bool, Failure> {
    let root = root.to_i64();
    for sql in REMOVE_LARGE {
        if count(&session.rows(sql, &[&root, &STEP_ROWS_MAX]).await?)? >= STEP_ROWS_MAX.cast_unsigned() {
            return Ok(true);
        }
    }
    let mut flight = Flight::default();
    for sql in REMOVE_SMALL {
        flight.add(sql, vec![Box::new(root)]);
    }
    flight.run(session).await?;
    Ok(false)
}
