//! Waking those who wait for a root to move: LISTEN and NOTIFY (PostgreSQL, 54.2.4), and looking where there is neither.
//!
//! A commit is told of after its transaction, so that nobody is woken before reads see it; see [`crate::news`]. One session a node listens,
//! from the first wait on. What is missed while it is being made again is found by looking at the rows of the roots that
//! somebody waits for; that is also all there is where the engine cannot notify.

use std::{
    collections::HashMap,
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::{Either, select};
use model::{RootId, Seq, limits::PAGE_ROWS_MAX};
use store::{StoreError, Waiters};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client};

use crate::{
    Wake,
    address::Address,
    failure::{Failure, describe},
    rows::get,
    session::Sessions,
    snapshot,
};

/// How long a commit of another node may go unseen where nothing notifies.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often the rows are looked at where commits notify: the net below it.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// How often making the session that listens is tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Notifies, in a transaction of its own that need not be durable. The parameter are texts as [`payload`] or
/// [`payload_of_gone`] gives them. The channel is one for each schema.
pub(crate) const NOTIFY: &str = "SELECT set_config('synchronous_commit', 'off', true), (SELECT COUNT(*) FROM
  (SELECT pg_notify('highwater_' || hashtext(current_schema()::text), n.payload)
   FROM unnest($1::text[]) AS n(payload) OFFSET 0) AS told)";
const CHANNEL: &str = "SELECT 'highwater_' || hashtext(current_schema()::text)";
/// Where the roots stand that somebody waits for. Names many roots, so it is not of the hot path.
const LAST_SEQS: &str = "SELECT root_id, last_seq FROM root WHERE root_id = ANY($1) AND kind >= 0";

/// What is told of a root that has moved.
pub(crate) fn payload(root: RootId, last_seq: Seq) -> String {
    format!("{root}:{last_seq}")
}

/// What is told of a root that was removed.
pub(crate) fn payload_of_gone(root: RootId) -> String {
    format!("{root}:gone")
}

/// Those who wait, and the task that looks out for them. Dropping it ends the task.
#[derive(Debug)]
pub(crate) struct Wakes {
    waiters: Waiters,
    watch: Arc<Watch>,
    is_running: AtomicBool,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What the task needs.
struct Watch {
    waiters: Waiters,
    address: Address,
    sessions: Arc<Sessions>,
    patience: Duration,
    wake: Wake,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("wake", &self.wake).finish_non_exhaustive()
    }
}

impl Wakes {
    /// Nobody waits yet.
    pub(crate) fn new(address: Address, sessions: &Arc<Sessions>, patience: Duration, wake: Wake) -> Self {
        let waiters = Waiters::default();
        let sessions = Arc::clone(sessions);
        let watch = Arc::new(Watch { waiters: waiters.clone(), address, sessions, patience, wake });
        Self { waiters, watch, is_running: AtomicBool::new(false), task: Mutex::default() }
    }

    /// Those who wait, to be told of what this node commits.
    pub(crate) const fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Sees to it that somebody looks out. Call it when the caller stands among the waiters.
    pub(crate) fn run(&self) {
        if self.is_running.swap(true, Ordering::Relaxed) {
            return;
        }
        let watch = Arc::clone(&self.watch);
        let task = self.watch.sessions.background().spawn(async move { watch.look_out().await });
        *self.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }
}

impl Drop for Wakes {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// A session that listens.
struct Listening {
    /// Kept: the session ends without it.
    _client: Client,
    /// Reads what is told. Done when the session has ended.
    driver: JoinHandle<()>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Watch {
    async fn look_out(&self) {
        let mut is_failing = false;
        loop {
            let listening = match self.wake {
                Wake::Poll => None,
                Wake::Notify => match self.listen().await {
                    Ok(listening) => Some(listening),
                    Err(failure) => {
                        if !is_failing {
                            tracing::warn!(reason = %failure, "nobody listens to the database; its rows are looked at");
                        }
                        None
                    }
                },
            };
            is_failing = listening.is_none();
            self.look_while(listening).await;
        }
    }

    /// Looks again and again: as long as the session listens, or until it is time to try for one again.
    async fn look_while(&self, listening: Option<Listening>) {
        match listening {
            Some(mut listening) => loop {
                self.look().await;
                let pause = std::pin::pin!(tokio::time::sleep(CHECK_INTERVAL));
                if let Either::Left(_) = select(&mut listening.driver, pause).await {
                    return;
                }
            },
            None => {
                self.look().await;
                let pause = match self.wake {
                    Wake::Notify => RETRY_INTERVAL,
                    Wake::Poll => POLL_INTERVAL,
                };
                tokio::time::sleep(pause).await;
            }
        }
    }

    async fn listen(&self) -> Result<Listening, Failure> {
        let connecting = async {
            let (client, mut connection) = self.address.config.connect(self.address.tls.clone()).await?;
            let waiters = self.waiters.clone();
            let driver = tokio::spawn(async move {
                while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
                    match message {
                        Ok(AsyncMessage::Notification(notification)) => tell(&waiters, notification.payload()),
                        Ok(_) => {}
                        Err(error) => {
                            tracing::debug!(error = describe(&error), "the session that listens ended");
                            return;
                        }
                    }
                }
            });
            let listening = Listening { _client: client, driver };
            let client = &listening._client;
            let channel = client.query_typed(CHANNEL, &[]).await?;
            let channel: &str = channel.first().map_or(Ok("highwater"), |row| get(row, 0))?;
            client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
            Ok(listening)
        };
        let listening = tokio::time::timeout(self.patience, connecting).await;
        listening.unwrap_or_else(|_| Err(Failure::no_answer(self.patience)))
    }

    /// Tells those whose root has moved or is gone. What cannot be seen now is seen the next time.
    async fn look(&self) {
        let awaited: Vec<i64> = self.waiters.awaited().into_iter().map(|(root, _)| root.to_i64()).collect();
        for roots in awaited.chunks(PAGE_ROWS_MAX) {
            if let Err(failure) = self.look_at(roots).await {
                tracing::debug!(reason = %failure, "the rows of roots could not be looked at");
                return;
            }
        }
    }

    async fn look_at(&self, roots: &[i64]) -> Result<(), Failure> {
        let rows = snapshot::once(&self.sessions, self.patience, LAST_SEQS, &[&roots]).await?;
        let mut found = HashMap::with_capacity(rows.len());
        for row in &rows {
            found.insert(get::<i64>(row, 0)?, Seq::from_i64(get(row, 1)?));
        }
        for root in roots {
            match found.get(root) {
                Some(last_seq) => self.waiters.moved(RootId::from_i64(*root), *last_seq),
                None => self.waiters.gone(RootId::from_i64(*root)),
            }
        }
        Ok(())
    }
}

/// Reads what [`payload`] or [`payload_of_gone`] wrote; others may write into the channel what they like.
fn tell(waiters: &Waiters, payload: &str) {
    let Some((root, news)) = payload.split_once(':') else { return };
    let Ok(root) = root.parse().map(RootId) else { return };
    match news.parse().map(Seq) {
        Ok(last_seq) => waiters.moved(root, last_seq),
        Err(_) if news == "gone" => waiters.gone(root),
        Err(_) => {}
    }
}

/// The last position of a root.
///
/// # Errors
/// [`StoreError::NoRoot`] when it is not there.
pub(crate) fn last_seq(root: RootId, row: Option<&tokio_postgres::Row>) -> Result<Seq, Failure> {
    let row = row.ok_or(StoreError::NoRoot(root))?;
    get(row, 0).map(Seq::from_i64)
}
