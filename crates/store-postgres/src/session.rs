//! Sessions: connections to the database that are set up, know the epoch that they belong to, and keep their statements
//! prepared. Two pools of them serve a store: one reads, one writes.

use std::{
    collections::HashMap,
    fmt::{self, Formatter},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use deadpool::managed::{self, Metrics, Pool, PoolConfig, PoolError, QueueMode, RecycleError, RecycleResult, Timeouts};
use futures_util::future::{join4, try_join_all};
use sha2::{Digest, Sha256};
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{error::Elapsed, timeout},
};
use tokio_postgres::{Client, Row, Statement, types::ToSql};

use crate::{
    OpenError,
    address::Address,
    background::Background,
    failure::{Failure, describe},
    schema,
    stats::Counters,
};

/// Longest pause between two attempts to connect.
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(500);
/// First pause between two attempts to connect.
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long the database itself gives a statement as a whole. Above what
/// this side waits, so that it is the safety net behind it.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a transaction may stand idle. A snapshot is held briefly; one that is not would keep the database from
/// clearing up.
const IDLE_TIMEOUT: Duration = Duration::from_secs(300);

/// What a session is told when it begins, as far as the engine knows the word. Every statement of the hot path is written
/// to run along one index: the planner, which would like to read small tables from end to end, is not to find that
/// cheaper while they are small and keep to it when they are not.
const SETTINGS: &str = "SELECT set_config(s.name, v.value, false)
  FROM (VALUES ('statement_timeout', $1), ('lock_timeout', $3), ('idle_in_transaction_session_timeout', $2),
    ('plan_cache_mode', 'force_generic_plan'), ('jit', 'off'), ('max_parallel_workers_per_gather', '0'),
    ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_sort', 'off'), ('enable_incremental_sort', 'off'),
    ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_material', 'off'), ('enable_memoize', 'off'), ('synchronous_commit', 'on')) v(name, value)
  JOIN pg_settings s ON s.name = v.name
  WHERE s.name <> 'synchronous_commit' OR s.setting IN ('off', 'local')";

/// The engine's own mark of a cluster.
const CLUSTER: &str = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
/// The timeline of a cluster. A promoted standby begins a new one, and so does what was restored to a point in time.
const TIMELINE: &str =
    "SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8)";
/// What a server says that plays back what another writes: "object not in prerequisite state".
const IN_RECOVERY: &str = "55000";

/// How long it may take to make a session, from the first packet on.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// What is needed to make sessions.
pub(crate) struct Connector {
    address: Address,
    handle: Handle,
    counters: Arc<Counters>,
    /// Prepared when a session begins, in one flight.
    warm: Vec<&'static str>,
    /// How long a statement waits for a lock that somebody else holds: shorter than anybody waits for the statement, so
    /// that the database says that nothing was done before it is given up on.
    lock_patience: Duration,
    /// The schema version of this program.
    known: u32,
}

/// A connection to the database.
pub(crate) struct Session {
    client: Client,
    /// The stretch of history that writes of this session belong to: differs after a fail-over, after a restore to a
    /// point in time, and after `restored`.
    pub(crate) epoch: i64,
    statements: Mutex<HashMap<&'static str, Statement>>,
    is_sound: AtomicBool,
}

/// A task that makes a session. It ends with this.
struct Making(JoinHandle<Result<Result<Session, Failure>, Elapsed>>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A session out of a pool; it goes back when it is dropped, unless it is not sound.
pub(crate) type Pooled = managed::Object<Connector>;

impl Session {
    /// The client, for statements that are sent together.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Has the session thrown away instead of being given to somebody else.
    pub(crate) fn condemn(&self) {
        self.is_sound.store(false, Ordering::Relaxed);
    }

    /// A statement, which stays prepared on this session. The first time costs a round trip.
    pub(crate) async fn prepared(&self, sql: &'static str) -> Result<Statement, Failure> {
        let known = self.statements().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements().insert(sql, statement.clone());
        Ok(statement)
    }

    /// The rows of a statement. One round trip where it is prepared.
    pub(crate) async fn rows(
        &self,
        sql: &'static str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql).await?;
        Ok(self.client.query(&statement, parameters).await?)
    }

    fn statements(&self) -> std::sync::MutexGuard<'_, HashMap<&'static str, Statement>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("known", &self.known).finish_non_exhaustive()
    }
}

/// Connects. Must run on the store's own threads, which then drive the connection.
pub(crate) async fn connect(address: &Address) -> Result<Client, Failure> {
    let connected = address.config.connect(address.tls.clone()).await;
    let (client, connection) = connected.map_err(|error| match Failure::from(error) {
        // Nothing was asked yet, so nothing is in doubt.
        Failure::Lost(text) | Failure::Repeat(text) | Failure::Taken(text) => Failure::Lost(text),
        // The first answer of a server that is full or starts is fatal, but only for this attempt.
        failure @ (Failure::Unavailable(_) | Failure::Port(_)) => failure,
    })?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = describe(&error), "a session with the database ended");
        }
    });
    Ok(client)
}

/// Connects and sets the session up: two round trips.
async fn begin(
    address: Address,
    counters: Arc<Counters>,
    warm: Vec<&'static str>,
    lock_patience: Duration,
    known: u32,
) -> Result<Session, Failure> {
    let client = connect(&address).await?;
    counters.connected();
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    let (statement, idle, lock) =
        (milliseconds(STATEMENT_TIMEOUT), milliseconds(IDLE_TIMEOUT), milliseconds(lock_patience));
    let text = tokio_postgres::types::Type::TEXT;
    let settings: [(&(dyn ToSql + Sync), _); 3] = [(&statement, text.clone()), (&idle, text.clone()), (&lock, text)];
    let (set, meta, cluster, timeline) = join4(
        client.query_typed(SETTINGS, &settings),
        client.query_typed(schema::META, &[]),
        client.query_typed(CLUSTER, &[]),
        client.query_typed(TIMELINE, &[]),
    )
    .await;
    set?;
    let meta = schema::Meta::read(&meta?)?;
    if meta.works_for > known {
        let needs = meta.works_for;
        return Err(Failure::Unavailable(format!(
            "the database is of a schema that needs a program of version {needs}"
        )));
    }
    let mark = said(cluster)? + &said(timeline)?;
    let statements = try_join_all(warm.iter().map(|sql| async {
        let statement = client.prepare(sql).await?;
        Ok::<_, Failure>((*sql, statement))
    }));
    let statements = Mutex::new(statements.await?.into_iter().collect());
    Ok(Session { client, epoch: epoch(meta.epoch, &mark), statements, is_sound: AtomicBool::new(true) })
}

/// A text that an engine may have; nothing where it is another engine than PostgreSQL, or does not tell us.
fn said(answer: Result<Vec<Row>, tokio_postgres::Error>) -> Result<String, Failure> {
    match answer {
        Ok(rows) => Ok(rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default()),
        Err(error) if error.code().is_some_and(|code| code.code() == IN_RECOVERY) => {
            Err(Failure::Lost("the server is a standby".to_owned()))
        }
        Err(error) if error.as_db_error().is_some() => Ok(String::new()),
        Err(error) => Err(error.into()),
    }
}

/// One number of all that tells one stretch of history from another.
fn epoch(given: i64, mark: &str) -> i64 {
    let digest = Sha256::new().chain_update(given.to_le_bytes()).chain_update(mark).finalize();
    digest.first_chunk().map_or(given, |bytes| i64::from_le_bytes(*bytes))
}

impl managed::Manager for Connector {
    type Type = Session;
    type Error = Failure;

    async fn create(&self) -> Result<Session, Failure> {
        let making =
            begin(self.address.clone(), Arc::clone(&self.counters), self.warm.clone(), self.lock_patience, self.known);
        // Nobody who gives up waiting leaves anything behind, however long the server is silent.
        let mut made = Making(self.handle.spawn(async move { timeout(BEGIN_TIMEOUT, making).await }));
        match (&mut made.0).await {
            Ok(Ok(made)) => made,
            Ok(Err(_)) => Err(Failure::Lost("the database does not answer".to_owned())),
            Err(error) => Err(Failure::Unavailable(error.to_string())),
        }
    }

    async fn recycle(&self, session: &mut Session, _: &Metrics) -> RecycleResult<Failure> {
        if session.client.is_closed() || !session.is_sound.load(Ordering::Relaxed) {
            return Err(RecycleError::message("the session has ended"));
        }
        Ok(())
    }
}

/// A pool of sessions, made when they are first needed.
#[derive(Debug)]
pub(crate) struct Sessions {
    pool: Pool<Connector>,
    background: Arc<Background>,
}

impl Sessions {
    /// A pool of at most `sessions_max` sessions, which have the statements `warm` prepared from the start.
    pub(crate) fn new(
        address: Address,
        background: &Arc<Background>,
        counters: &Arc<Counters>,
        sessions_max: usize,
        warm: Vec<&'static str>,
        lock_patience: Duration,
        known: u32,
    ) -> Result<Self, OpenError> {
        let handle = background.handle().clone();
        let connector = Connector { address, handle, counters: Arc::clone(counters), warm, lock_patience, known };
        let mut config = PoolConfig::new(sessions_max.max(1));
        config.queue_mode = QueueMode::Lifo;
        let pool = Pool::builder(connector).config(config).build();
        let pool = pool.map_err(|error| OpenError::Threads(std::io::Error::other(error)))?;
        Ok(Self { pool, background: Arc::clone(background) })
    }

    /// A session of its own for the caller, who waits when all are busy or the database cannot be reached.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when there was none for so long; sooner when the database refuses for good.
    pub(crate) async fn take(&self, patience: Duration) -> Result<Pooled, Failure> {
        let latest = Mutex::new(None);
        let taken = self.background.within(patience, async {
            let mut pause = RETRY_PAUSE;
            loop {
                // Every wait is inside of `within`: the pool itself has no timer that any executor may poll.
                match self.pool.timeout_get(&Timeouts::default()).await {
                    Ok(session) => return Ok(session),
                    Err(PoolError::Backend(Failure::Lost(text) | Failure::Repeat(text))) => {
                        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
                    }
                    Err(PoolError::Backend(failure)) => return Err(failure),
                    Err(error) => return Err(Failure::Unavailable(error.to_string())),
                }
                self.background.sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
            }
        });
        let taken = taken.await;
        let latest = latest.into_inner().unwrap_or_else(PoisonError::into_inner);
        taken.unwrap_or_else(|| {
            let why = latest.unwrap_or_else(|| "all sessions with the database are busy".to_owned());
            Err(Failure::Unavailable(why))
        })
    }

    /// The threads of the store.
    pub(crate) const fn background(&self) -> &Arc<Background> {
        &self.background
    }

    /// Ends all sessions that are idle, and those that are busy when they come back.
    pub(crate) fn close(&self) {
        self.pool.close();
    }
}
