//! A server on a free port of the loopback address, with two accounts and a site.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use engine::{Engine, NewAccount, NewSite};
use highwater::{
    Config, Running, Server, password,
    stores::{self, Missing},
    system::SystemClock,
};
use model::{Clock, FixedClock, SeededRandom, Time};
use store::Store;

use crate::{ews::Ews, http::Http, lists::Lists};

/// The owner of the site.
pub const ANNA: &str = "anna@example.com";
/// Another account.
pub const BERT: &str = "bert@example.com";
/// The password of both.
pub const PASSWORD: &str = "a password of tests";
/// Its hash, which takes longer than all else of a start.
static PASSWORD_HASH: OnceLock<String> = OnceLock::new();
/// The path of the site.
pub const SITE: &str = "/sites/team";

/// The stores that are always there.
pub const STORES: [StoreKind; 2] = [StoreKind::Memory, StoreKind::Sqlite];
/// Nodes of [`StoreKind::Fleet`].
const NODES: u64 = 3;

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// SQLite in a temporary folder.
    Sqlite,
    /// PostgreSQL, with a schema of its own in the cluster that a process of tests shares.
    Postgres,
    /// The same, with three nodes: every request of a client goes to the next of them.
    Fleet,
}

impl StoreKind {
    /// Whether it can be had here; prints that `test` was skipped on it where it cannot.
    ///
    /// # Panics
    /// Where PostgreSQL is there and does not start.
    pub fn is_there(self, test: &str) -> bool {
        match self {
            Self::Memory | Self::Sqlite => true,
            Self::Postgres | Self::Fleet => {
                cluster::or_skip(cluster::shared(), &format!("{test} on {self:?}")).is_some()
            }
        }
    }

    /// How many of the random histories, or turns of a long one, happen on it: fewer where each takes longer.
    pub const fn share(self, all: u64) -> u64 {
        match self {
            Self::Memory | Self::Sqlite => all,
            Self::Postgres | Self::Fleet => all.div_ceil(3),
        }
    }
}

/// The stores that tests of single answers run on: PostgreSQL, where it can be had, beside those that are always there.
pub fn stores(test: &str) -> Vec<StoreKind> {
    let more = Some(StoreKind::Postgres).filter(|kind| kind.is_there(test));
    STORES.into_iter().chain(more).collect()
}

/// A server that runs until it is dropped.
pub struct TestServer {
    /// The first is that of `engine`.
    running: Vec<Running>,
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    clock: Option<Arc<FixedClock>>,
    folder: tempfile::TempDir,
}

impl fmt::Debug for TestServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TestServer").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl TestServer {
    /// A server on a store in memory, by the clock of the system.
    pub fn memory() -> Self {
        Self::start(StoreKind::Memory)
    }

    /// A server on SQLite in a temporary folder, by the clock of the system.
    pub fn sqlite() -> Self {
        Self::start(StoreKind::Sqlite)
    }

    /// A server on this store, by the clock of the system.
    pub fn start(kind: StoreKind) -> Self {
        Self::fresh(kind, Arc::new(SystemClock), None, "")
    }

    /// A server on this store, by a clock that stands at `time` until it is moved: see [`Self::advance`].
    pub fn at(kind: StoreKind, time: Time) -> Self {
        let clock = Arc::new(FixedClock::new(time));
        Self::fresh(kind, Arc::clone(&clock) as Arc<dyn Clock>, Some(clock), "")
    }

    /// As [`Self::at`], with the settings of this TOML text.
    pub fn configured(kind: StoreKind, time: Time, settings: &str) -> Self {
        let clock = Arc::new(FixedClock::new(time));
        Self::fresh(kind, Arc::clone(&clock) as Arc<dyn Clock>, Some(clock), settings)
    }

    /// A server on the SQLite store that another left in `folder`, by the clock of the system. `start` tells this start
    /// from others: chance follows from it.
    pub fn reopen(folder: tempfile::TempDir, start: u64) -> Self {
        Self::build(StoreKind::Sqlite, folder, start, Arc::new(SystemClock), None, "")
    }

    /// Another server over the SQLite store of this one, as another process would open it. `start` tells it from others.
    pub fn beside(&self, start: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let location = self.folder().display().to_string();
        let store = stores::open(&location, Missing::Refuse, &SeededRandom::new(0xe90c + start)).expect("a store");
        Self::serve(vec![store], folder, start, Arc::new(SystemClock), None, "")
    }

    /// A server that breaks rule 3 of the change engine on purpose: it judges kinds of changes by the page's cursor.
    pub fn judging_by_cursor() -> Self {
        let mut server = Self::memory();
        let engine = server.engine.clone().judging_by_cursor();
        let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default() };
        server.running = vec![Server::start(&config, &engine).expect("the server starts")];
        server
    }

    /// A server on this store, which has no data yet, by a clock that stands at `time`. It does nothing of its own accord,
    /// so that what the store is asked follows from the requests alone.
    pub fn over(store: Arc<dyn Store>, time: Time) -> Self {
        let clock = Arc::new(FixedClock::new(time));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dynamic = Arc::clone(&clock) as Arc<dyn Clock>;
        Self::serve(vec![store], folder, 0, dynamic, Some(clock), "background_work = false").filled()
    }

    fn fresh(kind: StoreKind, clock: Arc<dyn Clock>, fixed: Option<Arc<FixedClock>>, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::build(kind, folder, 0, clock, fixed, settings).filled()
    }

    /// With the accounts and the site.
    fn filled(self) -> Self {
        let server = self;
        let random = SeededRandom::new(0x5a17);
        server.runtime.block_on(async {
            let directory = server.engine.directory();
            for (address, name) in [(ANNA, "Anna Arlt"), (BERT, "Bert Berg")] {
                let password_hash =
                    PASSWORD_HASH.get_or_init(|| password::hash(PASSWORD, &random).expect("a password"));
                let password_hash = password_hash.clone();
                let new = NewAccount { address: address.into(), display_name: name.into(), password_hash };
                directory.add_account(new).await.expect("an account");
            }
            let new = NewSite { path: SITE.into(), title: "Team".into(), owner: Some(ANNA.into()) };
            directory.add_site(new).await.expect("a site");
        });
        server
    }

    fn build(
        kind: StoreKind,
        folder: tempfile::TempDir,
        start: u64,
        clock: Arc<dyn Clock>,
        fixed: Option<Arc<FixedClock>>,
        settings: &str,
    ) -> Self {
        let postgres = || cluster::shared().expect("PostgreSQL").fresh_url();
        let (location, nodes) = match kind {
            StoreKind::Memory => ("memory:".to_owned(), 1),
            StoreKind::Sqlite => (folder.path().join("data").display().to_string(), 1),
            StoreKind::Postgres => (postgres(), 1),
            StoreKind::Fleet => (postgres(), NODES),
        };
        let store = |node| {
            let random = SeededRandom::new(0xe90c + start * NODES + node);
            stores::open(&location, Missing::Make, &random).expect("a store")
        };
        Self::serve((0..nodes).map(store).collect(), folder, start, clock, fixed, settings)
    }

    /// A node for each store; all of them lead to the same data.
    fn serve(
        stores: Vec<Arc<dyn Store>>,
        folder: tempfile::TempDir,
        start: u64,
        clock: Arc<dyn Clock>,
        fixed: Option<Arc<FixedClock>>,
        settings: &str,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let config = Config::parse(settings).expect("settings");
        let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), drain_lead_seconds: 0, ..config };
        let (mut running, mut first) = (Vec::new(), None);
        for (node, store) in stores.into_iter().enumerate() {
            // No two nodes, and no two starts, choose the same ids.
            let random = Arc::new(SeededRandom::new(0x5eed + start + 1_000 * node as u64));
            let engine = Engine::open(store, Arc::clone(&clock), random, config.engine());
            let engine = runtime.block_on(engine).expect("the engine opens");
            running.push(Server::start(&config, &engine).expect("the server starts"));
            first.get_or_insert(engine);
        }
        let engine = first.expect("a store");
        Self { running, runtime, engine, clock: fixed, folder }
    }

    /// Stops the server in an orderly way and returns what it stored.
    pub fn stop(self) -> tempfile::TempDir {
        let Self { running, runtime, engine, clock: _, folder } = self;
        for running in running {
            assert!(running.shutdown(), "the server did not end in time");
        }
        drop((engine, runtime));
        folder
    }

    /// Where it listens; the first of several.
    pub fn address(&self) -> SocketAddr {
        self.running[0].address()
    }

    /// A client without credentials.
    pub fn http(&self) -> Http {
        Http::spread(self.running.iter().map(Running::address).collect())
    }

    /// The mailbox of an account: [`ANNA`] or [`BERT`].
    pub fn ews(&self, address: &str) -> Ews {
        Ews::new(self.http().login(address, PASSWORD))
    }

    /// The same at each node alone.
    pub fn ews_of_nodes(&self, address: &str) -> Vec<Ews> {
        let node = |running: &Running| Ews::new(Http::new(running.address()).login(address, PASSWORD));
        self.running.iter().map(node).collect()
    }

    /// The lists of the site, as an account: [`ANNA`] or [`BERT`].
    pub fn lists(&self, address: &str) -> Lists {
        Lists::new(self.http().login(address, PASSWORD), SITE)
    }

    /// The folder of the SQLite store.
    pub fn folder(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Moves the clock, which must be a fixed one.
    pub fn advance(&self, seconds: i64) {
        self.clock.as_ref().expect("a fixed clock").advance(seconds);
    }

    /// Delivers what had to wait, as the server does now and then.
    pub fn deliver(&self) {
        self.runtime.block_on(self.engine.deliver()).expect("delivered");
    }

    /// Removes what is past the retention, as the server does now and then.
    pub fn trim(&self) {
        self.runtime.block_on(self.engine.trim()).expect("trimmed");
    }
}
