//! The domain over the memory store.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod cost;
mod delivery;
mod directory;
mod folder_tree;
mod folders;
mod hierarchy;
mod indexes;
mod items;
mod lists;
mod nodes;
mod notifications;
mod outlines;
mod query;
mod races;
mod recycle_bin;
mod rows;
mod site_roles;
mod tokens;

use std::sync::Arc;

use engine::{
    Caller, Engine, FolderSyncPage, ItemSyncChange, Mailbox, MailboxName, NewAccount, NewFolder, NewSite, Settings,
    Site, SyncItems, SyncPage, SyncScope,
};
use model::{Bag, CollectionId, FixedClock, ItemContent, ItemFlags, Random, SeededRandom, Time, Value, tags};
use store::{ItemRow, memory::MemoryStore};

/// Runs a future that never waits.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the memory store does not wait"),
    }
}

/// An installation with an account.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) random: SeededRandom,
    pub(crate) engine: Engine,
    pub(crate) caller: Caller,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1)));
        let store = Arc::new(MemoryStore::new(1));
        let engine = open(&store, &clock, seed);
        let caller = now(engine.directory().add_account(account("ada@example.com"))).unwrap().caller;
        Self { store, clock, random: SeededRandom::new(!seed), engine, caller }
    }

    /// The same installation after its store was put back as it is now, and started anew.
    pub(crate) fn restored(&self, epoch: u64) -> Self {
        let store = Arc::new(self.store.restored(epoch));
        let engine = open(&store, &self.clock, epoch);
        let random = SeededRandom::new(epoch);
        Self { store, clock: Arc::clone(&self.clock), random, engine, caller: self.caller.clone() }
    }

    pub(crate) fn pick(&self, below: u64) -> u64 {
        self.random.number() % below
    }

    pub(crate) fn mailbox(&self) -> Mailbox {
        now(self.engine.open_mailbox(&self.caller, MailboxName::Own)).unwrap()
    }

    pub(crate) fn site(&self) -> Site {
        let new =
            NewSite { path: "/sites/team".into(), title: "Team".into(), owner: Some(self.caller.address.clone()) };
        if now(self.engine.directory().site("/sites/team")).unwrap().is_none() {
            now(self.engine.directory().add_site(new)).unwrap();
        }
        now(self.engine.open_site(&self.caller, "/sites/team")).unwrap()
    }

    /// Lets time pass until what is a tombstone now is too old, and trims.
    pub(crate) fn trim(&self) -> u64 {
        self.clock.advance(self.engine.settings().retention_seconds + 1);
        now(self.engine.trim()).unwrap()
    }
}

fn open(store: &Arc<MemoryStore>, clock: &Arc<FixedClock>, seed: u64) -> Engine {
    let random = Arc::new(SeededRandom::new(seed));
    now(Engine::open(store.clone(), clock.clone(), random, Settings::default())).unwrap()
}

pub(crate) fn account(address: &str) -> NewAccount {
    NewAccount { address: address.into(), display_name: "Ada".into(), password_hash: "hash".into() }
}

pub(crate) fn folder_named(mailbox: &Mailbox, name: &str) -> CollectionId {
    now(now(mailbox.begin()).unwrap().distinguished(name)).unwrap()
}

pub(crate) fn new_folder(mailbox: &Mailbox, parent: CollectionId, name: &str) -> CollectionId {
    let new = NewFolder { display_name: name.into(), class: "IPF.Note".into(), ..NewFolder::default() };
    now(mailbox.create_folder(parent, new)).unwrap().id()
}

pub(crate) fn message(subject: &str) -> ItemContent {
    let bag = Bag::from_iter([(tags::SUBJECT, Value::text(subject)), (tags::BODY, Value::text("body"))]);
    ItemContent { bag, ..ItemContent::default() }
}

pub(crate) fn add(mailbox: &Mailbox, folder: CollectionId, subject: &str) -> ItemRow {
    now(mailbox.create_item(folder, message(subject), ItemFlags::default())).unwrap()
}

pub(crate) fn ask(folder: CollectionId, state: Option<&[u8]>) -> SyncItems<'_> {
    SyncItems { folder, state, ignore: &[], limit: 512, scope: SyncScope::Normal, bag: true }
}

pub(crate) fn sync(mailbox: &Mailbox, folder: CollectionId, state: Option<&[u8]>) -> SyncPage {
    now(mailbox.sync_items(ask(folder, state))).unwrap()
}

pub(crate) fn sync_folders(mailbox: &Mailbox, state: Option<&[u8]>) -> FolderSyncPage {
    now(mailbox.sync_folders(None, state)).unwrap()
}

/// `C5 U6 R7 D8`: the kinds with the ids.
pub(crate) fn shape(changes: &[ItemSyncChange]) -> String {
    let one = |change: &ItemSyncChange| match change {
        ItemSyncChange::Create(row) => format!("C{}", row.item),
        ItemSyncChange::Update(row) => format!("U{}", row.item),
        ItemSyncChange::ReadFlag { item, read, .. } => format!("{}{item}", if *read { "R" } else { "N" }),
        ItemSyncChange::Delete(item) => format!("D{item}"),
    };
    changes.iter().map(one).collect::<Vec<_>>().join(" ")
}
