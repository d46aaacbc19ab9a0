//! Indexes of lists: the keys of rows, whoever writes.

use std::sync::Arc;

use bytes::Bytes;
use engine::{AttachmentExpected, EngineError, Removal, RowDraft, Site, list_keys, row_key, set_indexes};
use model::{Bag, BagRef, CollectionId, FixedClock, ItemFlags, ItemId, PropertyKey, SeededRandom, Time, Value};
use store::{
    Direction, KeyRange, Store, Want,
    battery::block_on,
    counting::Counting,
    faulty::{CommitFault, Faulty},
    memory::MemoryStore,
};

use crate::{World, account, now};

const FIELDS: [&str; 4] = ["Title", "Count", "Due", "Modified"];

fn row(world: &World) -> RowDraft {
    let mut bag = Bag::new();
    let text = ["", "a", "A", "b", "longer text"][world.pick(5) as usize];
    bag.put(PropertyKey::field("Title"), (world.pick(4) > 0).then(|| Value::text(text)));
    bag.put(PropertyKey::field("Count"), (world.pick(3) > 0).then(|| Value::F64(world.pick(7) as f64 - 3.0)));
    bag.put(
        PropertyKey::field("Due"),
        (world.pick(3) > 0).then(|| Value::Time(Time(world.pick(5) as i64 * Time::DAY))),
    );
    RowDraft { bag, ..RowDraft::default() }
}

fn index(site: &Site, list: CollectionId, fields: &[&str]) {
    now(site.update_list(list, &|bag| set_indexes(bag, fields))).unwrap();
}

fn list_named(site: &Site, title: &str) -> CollectionId {
    now(now(site.begin()).unwrap().list_by_title(title)).unwrap().unwrap().id()
}

/// The keys of all indexes of a list that are ready: number and key, in order; each checked against the rows.
fn checked_keys(store: &dyn Store, site: &Site, list: CollectionId) -> Vec<(u32, Bytes, ItemId)> {
    let mut view = block_on(site.begin()).unwrap();
    let collection = block_on(view.list(list)).unwrap();
    let ready = block_on(view.ready_indexes(&collection)).unwrap();
    let mut snapshot = block_on(store.snapshot(site.entry().root)).unwrap();
    let mut rows = Vec::new();
    loop {
        let after = rows.last().map(|row: &store::ItemRow| row.item);
        let page = block_on(snapshot.list(list, after, 1_000, Want::BAG)).unwrap();
        rows.extend(page.rows);
        if !page.more {
            break;
        }
    }
    let mut all = Vec::new();
    for index in ready {
        let mut found: Vec<(Bytes, ItemId)> = Vec::new();
        loop {
            let after = found.last().map(|(value, item)| (&value[..], *item));
            let read = view.keys(list, index.number, &KeyRange::ALL, Direction::Ascending, after, 1_000);
            let page = block_on(read).unwrap();
            found.extend(page.rows);
            if !page.more {
                break;
            }
        }
        let key = |bag: &[u8]| row_key(BagRef::new(bag).unwrap().get(&PropertyKey::field(&*index.field)).as_ref());
        let mut wanted: Vec<(Bytes, ItemId)> = rows.iter().map(|row| (key(&row.bag), row.item)).collect();
        wanted.sort();
        assert_eq!(found, wanted, "{}", index.field);
        all.extend(found.into_iter().map(|(value, item)| (index.number, value, item)));
    }
    all
}

/// Whatever is done to rows and indexes, each ready index holds each row under its value, and no other.
#[test]
fn keys_follow_their_rows() {
    let mut ready = 0;
    for seed in 1..=6 {
        let world = World::new(seed);
        let site = world.site();
        let lists = ["Tasks", "Documents"].map(|title| list_named(&site, title));
        let mut ids: Vec<ItemId> = Vec::new();
        for step in 0..150 {
            let list = lists[world.pick(2) as usize];
            let id = ids.get(world.pick(1 + ids.len() as u64) as usize).copied();
            match (world.pick(12), id) {
                (0..=3, _) | (_, None) => {
                    let mut draft = row(&world);
                    if list == lists[1] {
                        let folder = world.pick(3) == 0;
                        draft.path = Some(format!("{step}"));
                        draft.flags = if folder { ItemFlags::FOLDER } else { ItemFlags::default() };
                    }
                    ids.push(now(site.create_row(list, draft)).unwrap().item);
                }
                (4..=6, Some(id)) => {
                    let new = row(&world);
                    let change = |draft: &mut RowDraft| {
                        for field in ["Title", "Count", "Due"].map(PropertyKey::field) {
                            draft.bag.put(field.clone(), new.bag.get(&field).cloned());
                        }
                        if let Some(path) = &mut draft.path {
                            path.push('x');
                        }
                    };
                    let result = now(site.update_row(id, None, &change));
                    assert!(matches!(result, Ok(_) | Err(EngineError::NoItem(_))), "{result:?}");
                }
                (7, Some(id)) if world.pick(2) == 0 => {
                    let how = if world.pick(3) == 0 { Removal::ForGood } else { Removal::Recycle };
                    _ = now(site.remove_row(id, None, how, None));
                }
                (7, Some(_)) => {
                    let entries = now(site.recycled()).unwrap();
                    if let Some(entry) = entries.get(world.pick(1 + entries.len() as u64) as usize) {
                        let result = now(site.restore_recycled(entry.id));
                        assert!(matches!(result, Ok(()) | Err(EngineError::NameTaken)), "{result:?}");
                    }
                }
                (8, Some(id)) => {
                    if let Ok(moved) = now(site.move_row(id, lists[1], &format!("moved {step}"))) {
                        ids.push(moved.item);
                    }
                }
                (9, Some(id)) => _ = now(site.attach(id, "a", "bytes".into(), AttachmentExpected::Any)),
                (_, Some(_)) => {
                    let fields: Vec<&str> = FIELDS.into_iter().filter(|_| world.pick(2) == 0).collect();
                    index(&site, list, &fields);
                }
            }
            for list in lists {
                ready += checked_keys(&*world.store, &site, list).len();
            }
        }
    }
    assert!(ready > 1_000);
}

/// Numbers are not given again, and what was switched off leaves nothing.
#[test]
fn indexes_come_and_go() {
    let world = World::new(3);
    let site = world.site();
    let list = list_named(&site, "Tasks");
    (0..5).for_each(|_| drop(now(site.create_row(list, row(&world))).unwrap()));
    let indexes = || {
        let found = now(now(site.begin()).unwrap().list(list)).unwrap();
        found.indexes().into_iter().map(|index| format!("{} {}", index.number, index.field)).collect::<Vec<_>>()
    };
    index(&site, list, &["Title", "Count"]);
    index(&site, list, &["Count"]);
    index(&site, list, &["Count", "Title"]);
    assert_eq!(indexes(), ["2 Count", "3 Title"]);
    let mut view = now(site.begin()).unwrap();
    let mut keys = |number| {
        let page = now(view.keys(list, number, &KeyRange::ALL, Direction::Ascending, None, 99)).unwrap();
        page.rows.len()
    };
    assert_eq!([1, 2, 3].map(&mut keys), [0, 5, 5]);
    let many: Vec<String> = (0..engine::INDEXES_MAX + 5).map(|number| format!("F{number}")).collect();
    index(&site, list, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(indexes().len(), engine::INDEXES_MAX);
    // A list that goes takes its keys along.
    now(site.drop_list(list)).unwrap();
    let mut view = now(site.begin()).unwrap();
    let page = now(view.keys(list, 4, &KeyRange::ALL, Direction::Ascending, None, 99)).unwrap();
    assert_eq!(page.rows, []);
}

struct Installation<S> {
    store: Arc<S>,
    engine: engine::Engine,
    site: Site,
}

fn installed<S: Store + 'static>(store: S) -> Installation<S> {
    let store = Arc::new(store);
    let engine = reopened(&store, 1);
    block_on(engine.directory().add_account(account("ada@example.com"))).unwrap();
    let new =
        engine::NewSite { path: "/sites/team".into(), title: "Team".into(), owner: Some("ada@example.com".into()) };
    block_on(engine.directory().add_site(new)).unwrap();
    let site = site(&engine);
    Installation { store, engine, site }
}

fn reopened<S: Store + 'static>(store: &Arc<S>, seed: u64) -> engine::Engine {
    let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1)));
    let random = Arc::new(SeededRandom::new(seed));
    let store: Arc<dyn Store> = Arc::<S>::clone(store);
    block_on(engine::Engine::open(store, clock, random, engine::Settings::default())).unwrap()
}

fn site(engine: &engine::Engine) -> Site {
    let caller = block_on(engine.directory().account("ada@example.com")).unwrap().unwrap().caller;
    block_on(engine.open_site(&caller, "/sites/team")).unwrap()
}

fn numbered(number: u64) -> RowDraft {
    let bag = Bag::from_iter([(PropertyKey::field("Count"), Value::F64(number as f64))]);
    RowDraft { bag, ..RowDraft::default() }
}

/// An index that was cut off while it was built is not used, is kept up by those who write meanwhile, and is finished by
/// the next program.
#[test]
fn what_was_cut_off_is_finished_later() {
    let Installation { store, engine: _, site: first } = installed(Faulty::new(MemoryStore::new(1)));
    let list = block_on(block_on(first.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let rows: Vec<ItemId> =
        (0..1_700).map(|number| block_on(first.create_row(list, numbered(number))).unwrap().item).collect();
    for fault in [CommitFault::TryAgain, CommitFault::Lost, CommitFault::Unacknowledged] {
        // The definition, two steps, and then the end.
        store.fail_commit(3, fault);
        block_on(first.update_list(list, &|bag| set_indexes(bag, &["Count"]))).unwrap();
        let ready = |site: &Site| {
            let mut view = block_on(site.begin()).unwrap();
            let list = block_on(view.list(list)).unwrap();
            block_on(view.ready_indexes(&list)).unwrap().len()
        };
        assert_eq!(ready(&first), 0, "{fault:?}");
        for row in [rows[0], rows[1_000], rows[1_650]] {
            let count = Value::F64(-1.0);
            block_on(first.update_row(row, None, &|draft| draft.bag.set(PropertyKey::field("Count"), count.clone())))
                .unwrap();
        }
        block_on(first.create_row(list, numbered(5))).unwrap();
        // Even if the list lies in the recycle bin meanwhile.
        let entry = block_on(first.recycle_list(list)).unwrap().unwrap();
        let next = reopened(&store, 2);
        block_on(next.recover()).unwrap();
        block_on(first.restore_recycled(entry)).unwrap();
        assert_eq!(ready(&first), 1, "{fault:?}");
        assert!(checked_keys(&*store, &first, list).len() > 1_700);
        block_on(first.update_list(list, &|bag| set_indexes(bag, &[]))).unwrap();
    }
}

/// Those who write while an index is built, and change their minds about it, leave it exact.
#[test]
fn writers_beside_a_builder() {
    let Installation { store, engine, site } = installed(MemoryStore::new(1));
    let list = block_on(block_on(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let rows: Vec<ItemId> =
        (0..600).map(|number| block_on(site.create_row(list, numbered(number))).unwrap().item).collect();
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let (site, rows) = (&site, &rows);
            scope.spawn(move || {
                for number in 0..150_u64 {
                    let row = rows[((number * 7 + writer * 200) % 600) as usize];
                    let count = Value::F64((number % 5) as f64);
                    let change = |draft: &mut RowDraft| draft.bag.set(PropertyKey::field("Count"), count.clone());
                    match block_on(site.update_row(row, None, &change)) {
                        Ok(_) | Err(EngineError::NoItem(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                    if number % 10 == 0 {
                        _ = block_on(site.delete_row(row, None));
                        block_on(site.create_row(list, numbered(number))).unwrap();
                    }
                }
            });
        }
        for turn in 0..12 {
            let fields: &[&str] = if turn % 3 == 2 { &[] } else { &["Count", "Modified"] };
            block_on(site.update_list(list, &|bag| set_indexes(bag, fields))).unwrap();
            block_on(engine.build_indexes(site.entry().root, 3)).unwrap();
        }
    });
    block_on(site.update_list(list, &|bag| set_indexes(bag, &["Count", "Modified"]))).unwrap();
    while block_on(engine.build_indexes(site.entry().root, 100)).unwrap() {}
    assert_eq!(checked_keys(&*store, &site, list).len(), 1_200);
}

/// A list without indexes costs what it cost before: no read on top, and no write.
#[test]
fn lists_without_indexes_pay_nothing() {
    let Installation { store, engine: _, site } = installed(Counting::new(MemoryStore::new(1)));
    let list = block_on(block_on(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap().id();
    let first = block_on(site.create_row(list, numbered(1))).unwrap().item;
    let cost = |action: &dyn Fn()| {
        let before = store.counts();
        action();
        let counts = store.counts().since(before);
        (counts.snapshots, counts.rows, counts.commits, counts.writes)
    };
    let create = || drop(block_on(site.create_row(list, numbered(1))).unwrap());
    let change = |draft: &mut RowDraft| draft.bag.set(list_keys::ROW_CLIENT_ID, Value::text("x"));
    let update = || drop(block_on(site.update_row(first, None, &change)).unwrap());
    assert_eq!((cost(&create), cost(&update)), ((0, 0, 1, 1), (1, 1, 1, 1)));
    block_on(site.update_list(list, &|bag| set_indexes(bag, &["Count"]))).unwrap();
    create();
    assert_eq!((cost(&create), cost(&update)), ((0, 0, 1, 2), (2, 2, 1, 1)));
}
