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

/// The stores that tests run on.
pub const STORES: [StoreKind; 2] = [StoreKind::Memory, StoreKind::Sqlite];

/// A store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// In memory.
    Memory,
    /// SQLite in a temporary folder.
    Sqlite,
}

/// A server that runs until it is dropped.
pub struct TestServer {
    running: Running,
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

    /// A server that breaks rule 3 of the change engine on purpose: it judges kinds of changes by the page's cursor.
    pub fn judging_by_cursor() -> Self {
        let mut server = Self::memory();
        let engine = server.engine.clone().judging_by_cursor();
        let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..Config::default() };
        server.running = Server::start(&config, &engine).expect("the server starts");
        server
    }

    /// A server on this store, which has no data yet, by a clock that stands at `time`. It does nothing of its own accord,
    /// so that what the store is asked follows from the requests alone.
    pub fn over(store: Arc<dyn Store>, time: Time) -> Self {
        let clock = Arc::new(FixedClock::new(time));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let dynamic = Arc::clone(&clock) as Arc<dyn Clock>;
        Self::serve(store, folder, 0, dynamic, Some(clock), "background_work = false").filled()
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
        let location = match kind {
            StoreKind::Memory => "memory:".to_owned(),
            StoreKind::Sqlite => folder.path().join("data").display().to_string(),
        };
        let random = SeededRandom::new(0xe90c + start);
        let store = stores::open(&location, Missing::Make, &random).expect("a store");
        Self::serve(store, folder, start, clock, fixed, settings)
    }

    fn serve(
        store: Arc<dyn Store>,
        folder: tempfile::TempDir,
        start: u64,
        clock: Arc<dyn Clock>,
        fixed: Option<Arc<FixedClock>>,
        settings: &str,
    ) -> Self {
        let random = Arc::new(SeededRandom::new(0x5eed + start));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let config = Config::parse(settings).expect("settings");
        let config = Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), drain_lead_seconds: 0, ..config };
        let engine = runtime.block_on(Engine::open(store, clock, random, config.engine())).expect("the engine opens");
        let running = Server::start(&config, &engine).expect("the server starts");
        Self { running, runtime, engine, clock: fixed, folder }
    }

    /// Stops the server in an orderly way and returns what it stored.
    pub fn stop(self) -> tempfile::TempDir {
        let Self { running, runtime, engine, clock: _, folder } = self;
        assert!(running.shutdown(), "the server did not end in time");
        drop((engine, runtime));
        folder
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.running.address()
    }

    /// A client without credentials.
    pub fn http(&self) -> Http {
        Http::new(self.address())
    }

    /// The mailbox of an account: [`ANNA`] or [`BERT`].
    pub fn ews(&self, address: &str) -> Ews {
        Ews::new(self.http().login(address, PASSWORD))
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
