//! Whether a transaction happened whose COMMIT got no answer.
//!
//! Every group leaves a receipt under an id of its own. Whoever wants to know takes the lock of the root, which the old
//! transaction held to its end, so that it has ended either way; and looks for the receipt. What is found is
//! acknowledged only after another write of the same place was committed: whatever the engine promises of an
//! acknowledged commit (that it is on the medium, on a standby) then holds for all before it too.

use model::{Guid, RootId};
use store::{Receipt, StoreError};
use tokio::time::{Instant, timeout};

use crate::{
    failure::Failure,
    flight::{Flight, Unfinished},
    rows::get,
    session::Session,
    statements::writes::{AWAIT_ROOT, LOAD_OPERATION, LOCK_ROOT, TOUCH_OPERATION},
    transaction::{ATTEMPTS_MAX, Transactions, pause},
};

/// What a transaction leaves when it happened.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) root: RootId,
    pub(crate) operation: Guid,
    /// It names positions, so no other group leaves the same.
    pub(crate) receipt: Vec<u8>,
    /// The GUID of the root, where the transaction creates it.
    pub(crate) created: Option<Guid>,
}

/// Whether the transaction happened.
///
/// # Errors
/// Where that could not be found out in time.
pub(crate) async fn settle(transactions: &Transactions, proof: &Proof) -> Result<bool, Failure> {
    let found = ask(transactions, proof.root, proof.operation, proof.created).await?;
    Ok(found.is_some_and(|receipt| receipt == proof.receipt))
}

/// The receipt of an operation.
pub(crate) async fn outcome(
    transactions: &Transactions,
    root: RootId,
    operation: Guid,
) -> Result<Option<Receipt>, Failure> {
    let Some(bytes) = ask(transactions, root, operation, None).await? else { return Ok(None) };
    let receipt = store::receipt::decode(&bytes);
    receipt.map(Some).ok_or_else(|| Failure::damaged(format!("the receipt of operation {operation}")))
}

async fn ask(
    transactions: &Transactions,
    root: RootId,
    operation: Guid,
    created: Option<Guid>,
) -> Result<Option<Vec<u8>>, Failure> {
    let deadline = Instant::now() + transactions.patience;
    let mut attempt = 0;
    loop {
        let session = transactions.session().await?;
        let asking = ask_once(&session, root, operation, created);
        let asked = timeout(transactions.patience, asking).await;
        let failure = match asked.unwrap_or_else(|_| Err(Failure::no_answer(transactions.patience))) {
            Ok(found) => return Ok(found),
            Err(failure) => failure,
        };
        session.condemn();
        if !failure.may_pass() || attempt >= ATTEMPTS_MAX || Instant::now() >= deadline {
            return Err(failure);
        }
        pause(attempt).await;
        attempt += 1;
    }
}

async fn ask_once(
    session: &Session,
    root: RootId,
    operation: Guid,
    created: Option<Guid>,
) -> Result<Option<Vec<u8>>, Failure> {
    let root = root.to_i64();
    let id = operation.0.to_vec();
    let mut flight = Flight::default();
    if let Some(guid) = created {
        flight.add(AWAIT_ROOT, vec![Box::new(root), Box::new(guid.0.to_vec())]);
    }
    flight.add(LOCK_ROOT, vec![Box::new(root)]);
    flight.add(LOAD_OPERATION, vec![Box::new(root), Box::new(id.clone())]);
    let mut answers = flight.begin(session).await?;
    let (found, locked) = (answers.pop().unwrap_or_default(), answers.pop().unwrap_or_default());
    let is_there = locked.first().map(|row| get::<i64>(row, 2)).transpose()?.is_some_and(|kind| kind >= 0);
    let receipt = found.first().map(|row| get::<Vec<u8>>(row, 0)).transpose()?.filter(|_| is_there);
    if receipt.is_none() {
        session.client().batch_execute("ROLLBACK").await?;
        return Ok(None);
    }
    let mut flight = Flight::default();
    flight.add(TOUCH_OPERATION, vec![Box::new(root), Box::new(id)]);
    flight.commit(session).await.map_err(|Unfinished { failure, .. }| failure)?;
    Ok(receipt)
}

/// What is told where it could not be found out.
pub(crate) fn unknown(failure: &Failure) -> StoreError {
    StoreError::OutcomeUnknown(failure.to_string())
}
