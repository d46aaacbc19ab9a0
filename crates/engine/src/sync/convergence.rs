//! A client that believes what it is told ends up with what the folder holds, whatever happens meanwhile.
//!
//! Random histories: items come, change, go, move and flip their association while a client drains pages of random
//! size, loses answers, falls back to older states and is expired. The client is strict: it fails on a Create of what it
//! has, on an Update or ReadFlagChange of what it has not, and on the Delete of an id it never saw, unless the item came
//! after the state's creations.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{
    Bag, CollectionId, FixedClock, ItemContent, ItemFlags, ItemId, Predicate, Random, SeededRandom, Seq, Time, Value,
    tags,
};
use store::{ItemRow, memory::MemoryStore};

use super::{ItemSyncChange, Judge, SyncItems, SyncScope};
use crate::token::{Marks, Subject};
use crate::window::Pane;
use crate::{
    DeleteMode, Engine, EngineError, Mailbox, MailboxName, NewAccount, Precondition, Query, Settings, StateFault,
    Window,
};

const HISTORIES: u64 = 300;
const STEPS: u64 = 60;

/// Runs a future that never waits.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the memory store does not wait"),
    }
}

/// What a client knows of an item.
type Known = BTreeMap<ItemId, (String, bool)>;

/// One client.
#[derive(Clone, Default)]
struct Client {
    state: Option<Vec<u8>>,
    known: Known,
    /// Whether the mailbox has not been written to since the drain began.
    quiet: bool,
}

struct World {
    random: SeededRandom,
    clock: Arc<FixedClock>,
    engine: Engine,
    mailbox: Mailbox,
    folders: [CollectionId; 2],
    /// Which items the clients want.
    window: Window,
    /// Every `created_seq` an item has had.
    arrivals: BTreeMap<ItemId, BTreeSet<Seq>>,
    writes: u64,
    trims: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1)));
        let store = Arc::new(MemoryStore::new(1));
        let random = Arc::new(SeededRandom::new(seed));
        let engine = now(Engine::open(store, clock.clone(), random, Settings::default())).unwrap();
        let new = NewAccount { address: "a@b.c".into(), display_name: "A".into(), password_hash: String::new() };
        let caller = now(engine.directory().add_account(new)).unwrap().caller;
        let mailbox = now(engine.open_mailbox(&caller, MailboxName::Own)).unwrap();
        let mut view = now(mailbox.begin()).unwrap();
        let folders = [now(view.distinguished("inbox")).unwrap(), now(view.distinguished("drafts")).unwrap()];
        let random = SeededRandom::new(!seed);
        let (window, arrivals) = (Window::default(), BTreeMap::new());
        Self { random, clock, engine, mailbox, folders, window, arrivals, writes: 0, trims: 0 }
    }

    fn pick(&self, below: u64) -> u64 {
        self.random.number() % below
    }

    fn rows(&self, folder: CollectionId, scope: SyncScope) -> Vec<ItemRow> {
        let query = Query { predicate: Predicate::True, sort: Vec::new(), offset: 0, limit: 10_000, scope };
        now(now(self.mailbox.begin()).unwrap().find(folder, &query)).unwrap().rows
    }

    /// What a client should know: what the folder holds, and lies in its window.
    fn content(&self, folder: CollectionId, scope: SyncScope, pane: Option<Pane>) -> Known {
        let rows = self.rows(folder, scope);
        let inside = rows.iter().filter(|row| pane.is_none_or(|pane| pane.takes(row)));
        inside.map(|row| (row.item, seen(row))).collect()
    }

    /// A time of receipt within the last twenty days.
    fn receipt(&self) -> Value {
        Value::Time(Time(Time::from_date(2026, 1, 1).0 - Time::DAY * self.pick(20) as i64))
    }

    fn arrived(&mut self, row: &ItemRow) {
        self.arrivals.entry(row.item).or_default().insert(row.created_seq);
    }

    /// Something happens to the folders.
    fn write(&mut self) {
        self.writes += 1;
        let text = self.pick(1_000_000).to_string();
        let side = usize::from(self.pick(4) == 0);
        let (here, there) = (self.folders[side], self.folders[1 - side]);
        let rows = self.rows(here, SyncScope::NormalAndAssociated);
        if rows.is_empty() || self.pick(4) == 0 {
            let flags = ItemFlags::default()
                .set(ItemFlags::ASSOCIATED, self.pick(5) == 0)
                .set(ItemFlags::READ, self.pick(2) == 0);
            let bag =
                Bag::from_iter([(tags::SUBJECT, Value::text(text)), (tags::MESSAGE_DELIVERY_TIME, self.receipt())]);
            let row = now(self.mailbox.create_item(here, ItemContent { bag, ..ItemContent::default() }, flags));
            return self.arrived(&row.unwrap());
        }
        let row = rows[self.pick(rows.len() as u64) as usize].clone();
        let subject = |draft: &mut crate::ItemDraft| draft.bag.set(tags::SUBJECT, Value::text(text.clone()));
        let toggled = |flag| row.flags.set(flag, !row.flags.has(flag));
        let what = self.pick(20);
        let result = match what {
            0..4 => now(self.mailbox.update_item(row.item, Precondition::Any, &|draft| subject(draft))),
            // Received at another time, as it turns out.
            4 => now(self.mailbox.update_item(row.item, Precondition::Any, &|draft| {
                subject(draft);
                draft.bag.set(tags::MESSAGE_DELIVERY_TIME, self.receipt());
            })),
            5..10 => now(self.mailbox.set_read(row.item, !row.flags.has(ItemFlags::READ))),
            10 => now(self.mailbox.update_item(row.item, Precondition::Any, &|draft| {
                subject(draft);
                draft.flags = toggled(ItemFlags::READ);
            })),
            11..14 => now(self.mailbox.delete_item(row.item, Precondition::Any, DeleteMode::Hard)).map(|_| row),
            14..16 => now(self.mailbox.move_item(row.item, Precondition::Any, there)),
            16 => now(self.mailbox.copy_item(row.item, there)),
            _ => now(self.mailbox.update_item(row.item, Precondition::Any, &|draft| {
                draft.flags = toggled(ItemFlags::ASSOCIATED);
            })),
        };
        self.arrived(&result.unwrap());
    }

    fn marks(&self, client: &Client) -> Option<(Marks, Option<Pane>)> {
        let state = self.engine.sealer().open(client.state.as_ref()?).unwrap();
        let Subject::Items { marks, pane, .. } = state.subject else { panic!("a state of items") };
        Some((marks, pane))
    }

    /// Asks for one page and applies it.
    fn page(&self, client: &mut Client, scope: SyncScope, judge: Judge) -> Result<bool, String> {
        let limit = 1 + self.pick(4) as u32;
        let ask =
            SyncItems { folder: self.folders[0], state: client.state.as_deref(), ignore: &[], limit, scope, bag: true };
        let page = match now(self.mailbox.sync_items_by(ask, self.window, judge)) {
            Err(EngineError::InvalidState(StateFault::Expired)) if self.trims > 0 => {
                *client = Client { quiet: true, ..Client::default() };
                return Ok(false);
            }
            other => other.map_err(|error| error.to_string())?,
        };
        let marks = self.marks(client).map(|(marks, _)| marks);
        let began = marks.is_none_or(|marks| marks.drain.is_none());
        client.quiet |= began;
        if page.changes.len() > limit as usize || !page.last && page.changes.len() < limit as usize {
            return Err(format!("{} changes of {limit}", page.changes.len()));
        }
        let mut told = BTreeSet::new();
        for change in page.changes {
            let (item, fine) = match change {
                ItemSyncChange::Create(row) => (row.item, client.known.insert(row.item, seen(&row)).is_none()),
                ItemSyncChange::Update(row) => (row.item, client.known.insert(row.item, seen(&row)).is_some()),
                ItemSyncChange::ReadFlag { item, read, .. } => {
                    (item, client.known.get_mut(&item).map(|known| known.1 = read).is_some())
                }
                ItemSyncChange::Delete(item) => {
                    let created = marks.map_or(Seq::ZERO, |marks| marks.created);
                    let arrivals = self.arrivals.get(&item);
                    let new = arrivals.and_then(|all| all.last()).is_some_and(|last| *last > created)
                        // The tombstone of a flip does not say whether the item was in the window.
                        || !self.window.is_open() && arrivals.is_some_and(|all| all.len() > 1);
                    (item, client.known.remove(&item).is_some() || new)
                }
            };
            if !fine || !told.insert(item) {
                return Err(format!("item {item} at marks {marks:?}"));
            }
        }
        client.state = Some(page.state);
        let pane = self.marks(client).and_then(|(_, pane)| pane);
        let settled = self.content(self.folders[0], scope, pane);
        if page.last && client.quiet && client.known != settled {
            return Err(format!("{:?} is not {settled:?}", client.known));
        }
        Ok(page.last)
    }

    /// One history.
    fn run(&mut self, scope: SyncScope, judge: Judge) -> Result<(), String> {
        let mut client = Client { quiet: true, ..Client::default() };
        let mut past: Vec<Client> = Vec::new();
        for _ in 0..STEPS {
            match self.pick(24) {
                0..12 => {
                    self.write();
                    client.quiet = false;
                }
                // An answer gets lost.
                12 => {
                    self.page(&mut client.clone(), scope, judge)?;
                }
                // A client was restored from a copy of its own.
                13 if !past.is_empty() => {
                    client = Client { quiet: false, ..past[self.pick(past.len() as u64) as usize].clone() };
                }
                14 if self.pick(8) == 0 => {
                    self.clock.advance(self.engine.settings().retention_seconds / 2 + 1);
                    now(self.engine.trim()).unwrap();
                    self.trims += 1;
                }
                _ => {
                    self.page(&mut client, scope, judge)?;
                    past.push(client.clone());
                }
            }
        }
        for client in past.iter().rev().take(3).chain([&client]) {
            let mut client = Client { quiet: false, ..client.clone() };
            let mut pages = 0;
            while !(self.page(&mut client, scope, judge)? && client.quiet) {
                pages += 1;
                if pages > 1_000 {
                    return Err("it does not end".into());
                }
            }
        }
        Ok(())
    }
}

fn seen(row: &ItemRow) -> (String, bool) {
    let bag = Bag::decode(&row.bag).unwrap();
    (bag.text(&tags::SUBJECT).unwrap().to_owned(), row.flags.has(ItemFlags::READ))
}

#[test]
fn every_history_converges() {
    for scope in [SyncScope::Normal, SyncScope::NormalAndAssociated] {
        for seed in 0..HISTORIES {
            let mut world = World::new(seed);
            if let Err(why) = world.run(scope, Judge::Marks) {
                panic!("{scope:?}, history {seed}, after {} writes: {why}", world.writes);
            }
        }
    }
}

/// The same for clients that want the newest items alone, and strict ones they are still.
#[test]
fn every_history_converges_in_a_window() {
    let windows = [
        Window { days: 10, newest_min: 0, newest_max: 0 },
        Window { days: 0, newest_min: 0, newest_max: 4 },
        Window { days: 4, newest_min: 3, newest_max: 6 },
    ];
    let mut bounded = 0;
    for (window, scope) in
        windows.iter().flat_map(|one| [(one, SyncScope::Normal), (one, SyncScope::NormalAndAssociated)])
    {
        for seed in 0..HISTORIES / 3 {
            let mut world = World::new(seed);
            world.window = *window;
            if let Err(why) = world.run(scope, Judge::Marks) {
                panic!("{window:?}, {scope:?}, history {seed}, after {} writes: {why}", world.writes);
            }
            let page = now(world.mailbox.sync_items_by(
                SyncItems { folder: world.folders[0], state: None, ignore: &[], limit: 512, scope, bag: false },
                *window,
                Judge::Marks,
            ));
            bounded += usize::from(page.unwrap().changes.len() < world.rows(world.folders[0], scope).len());
        }
    }
    assert!(bounded > 50, "windows that bound nothing prove nothing: {bounded}");
}

#[test]
fn windows_take_the_newest_received() {
    let world = World::new(1);
    let folder = world.folders[0];
    let today = Time::from_date(2026, 1, 1);
    // Received so many days ago, in the order of their making.
    for days in [1, 30, 2, 2, 9, 0, 5, 400] {
        let bag = Bag::from_iter([(tags::MESSAGE_DELIVERY_TIME, Value::Time(Time(today.0 - days * Time::DAY)))]);
        let content = ItemContent { bag, ..ItemContent::default() };
        now(world.mailbox.create_item(folder, content, ItemFlags::default())).unwrap();
    }
    let ages = |window: Window, state: Option<&[u8]>| {
        let ask = SyncItems { folder, state, ignore: &[], limit: 512, scope: SyncScope::Normal, bag: true };
        let page = now(world.mailbox.sync_items_within(ask, window))?;
        let time = |change: &ItemSyncChange| {
            let ItemSyncChange::Create(row) = change else { panic!("{change:?}") };
            (today.0 - crate::window::placed_at(row).0) / Time::DAY
        };
        Ok::<_, EngineError>((page.changes.iter().map(time).collect::<Vec<_>>(), page.state))
    };
    let window = |days, newest_min, newest_max| Window { days, newest_min, newest_max };
    for (window, inside) in [
        (window(0, 0, 0), vec![400, 5, 0, 9, 2, 2, 30, 1]),
        (window(5, 0, 0), vec![5, 0, 2, 2, 1]),
        (window(2, 5, 0), vec![5, 0, 2, 2, 1]),
        (window(5, 2, 0), vec![5, 0, 2, 2, 1]),
        (window(0, 0, 2), vec![0, 1]),
        // Of two of the same age the younger one comes first.
        (window(0, 0, 3), vec![0, 2, 1]),
        (window(5, 0, 1), vec![0]),
        (window(5, 0, 100), vec![5, 0, 2, 2, 1]),
        (window(1, 100, 0), vec![400, 5, 0, 9, 2, 2, 30, 1]),
        (window(1, 4, 3), vec![0, 2, 1]),
        (window(0, 3, 0), vec![400, 5, 0, 9, 2, 2, 30, 1]),
    ] {
        assert_eq!(ages(window, None).unwrap().0, inside, "{window:?}");
    }
    let (_, state) = ages(window(5, 0, 0), None).unwrap();
    // The state remembers its window: the same and none go on, another does not.
    for (window, fine) in [(window(5, 0, 0), true), (window(0, 0, 0), true), (window(6, 0, 0), false)] {
        let outcome = ages(window, Some(&state));
        assert_eq!(outcome.is_ok(), fine, "{window:?}");
    }
    let (_, all) = ages(window(0, 0, 0), None).unwrap();
    assert_eq!(ages(window(5, 0, 0), Some(&all)).map(drop), Err(EngineError::InvalidState(StateFault::Mismatch)));
}

#[test]
fn kinds_judged_by_the_cursor_diverge() {
    let diverged = (0..HISTORIES).any(|seed| World::new(seed).run(SyncScope::Normal, Judge::Cursor).is_err());
    assert!(diverged, "the test would not notice the fault it is there for");
}

/// X created, Y created, X edited; the state is from before; pages of one.
#[test]
fn an_item_that_moved_on_between_two_pages_is_not_lost() {
    for (judge, fine) in [(Judge::Marks, true), (Judge::Cursor, false)] {
        let mut world = World::new(1);
        let mut client = Client { quiet: true, ..Client::default() };
        // A folder that holds something, so that the state is not an empty one.
        let create = |world: &mut World, text: &str| {
            let bag = Bag::from_iter([(tags::SUBJECT, Value::text(text))]);
            let content = ItemContent { bag, ..ItemContent::default() };
            let row = now(world.mailbox.create_item(world.folders[0], content, ItemFlags::default())).unwrap();
            world.arrived(&row);
            row.item
        };
        create(&mut world, "W");
        while !world.page(&mut client, SyncScope::Normal, judge).unwrap() {}
        let x = create(&mut world, "X");
        create(&mut world, "Y");
        let rename = |draft: &mut crate::ItemDraft| draft.bag.set(tags::SUBJECT, Value::text("X again"));
        now(world.mailbox.update_item(x, Precondition::Any, &rename)).unwrap();
        let one = |client: &Client| {
            let state = client.state.as_deref();
            let (folder, scope) = (world.folders[0], SyncScope::Normal);
            let ask = SyncItems { folder, state, ignore: &[], limit: 1, scope, bag: true };
            now(world.mailbox.sync_items_by(ask, Window::default(), judge)).unwrap()
        };
        let first = one(&client);
        client.state = Some(first.state);
        let second = one(&client);
        let created: Vec<bool> = [&first.changes[..], &second.changes[..]]
            .concat()
            .iter()
            .map(|change| matches!(change, ItemSyncChange::Create(_)))
            .collect();
        assert_eq!(created, [true, fine], "{judge:?}");
    }
}

#[test]
fn a_page_that_passes_over_too_much_ends_early() {
    let world = World::new(1);
    let folder = world.folders[0];
    let create = |flags| now(world.mailbox.create_item(folder, ItemContent::default(), flags)).unwrap().item;
    let oldest = create(ItemFlags::default());
    for _ in 0..3 * super::SCAN_ROWS_MAX {
        create(ItemFlags::ASSOCIATED);
    }
    let (mut state, mut pages, mut changes) = (None::<Vec<u8>>, 0, Vec::new());
    loop {
        let scope = SyncScope::Normal;
        let ask = SyncItems { folder, state: state.as_deref(), ignore: &[], limit: 1, scope, bag: false };
        let page = now(world.mailbox.sync_items(ask)).unwrap();
        (state, pages) = (Some(page.state), pages + 1);
        changes.extend(page.changes);
        if page.last {
            break;
        }
    }
    assert!(pages > 1 && pages < 5, "{pages}");
    assert!(matches!(&changes[..], [ItemSyncChange::Create(row)] if row.item == oldest));
}
