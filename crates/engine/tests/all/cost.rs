//! What answers cost, in rows read: nothing but what they return.

use std::sync::Arc;

use engine::{
    DeleteMode, Engine, ItemSyncChange, ListSync, MailboxName, Precondition, RowDraft, Settings, SyncItems, Verdict,
};
use model::SeededRandom;
use store::counting::{Counting, Counts};

use crate::{World, add, ask, folder_named, now, sync, sync_folders};

/// Rows for the collection, the epochs and the names on the way.
const OVERHEAD_ROWS: u64 = 8;

fn rows_of<T>(world: &World, work: impl FnOnce() -> T) -> (u64, T) {
    let before = world.store.rows_read();
    let result = work();
    (world.store.rows_read() - before, result)
}

#[test]
fn a_page_costs_what_it_returns() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    for number in 0..1_000 {
        add(&mailbox, inbox, &number.to_string());
    }
    let (mut state, mut known) = (None, Vec::new());
    loop {
        let question = SyncItems { limit: 50, ..ask(inbox, state.as_deref()) };
        let (rows, page) = rows_of(&world, || now(mailbox.sync_items(question)).unwrap());
        // The entries, their bags, and the look ahead.
        assert!(rows <= 2 * 50 + 1 + OVERHEAD_ROWS, "{rows}");
        known.extend(page.changes.iter().map(|change| {
            let ItemSyncChange::Create(row) = change else { panic!("{change:?}") };
            row.item
        }));
        state = Some(page.state);
        if page.last {
            break;
        }
    }
    assert_eq!(known.len(), 1_000);

    let poll = |state: &[u8]| rows_of(&world, || sync(&mailbox, inbox, Some(state)));
    let state = state.unwrap();
    assert!(poll(&state).0 <= OVERHEAD_ROWS);

    // A long history: every item changed three times, and half of them went. Another folder is busy, too.
    for _ in 0..3 {
        for item in &known {
            let read = now(now(mailbox.begin()).unwrap().item(*item)).unwrap().flags.has(model::ItemFlags::READ);
            now(mailbox.set_read(*item, !read)).unwrap();
        }
    }
    for item in known.iter().take(500) {
        now(mailbox.delete_item(*item, Precondition::Any, DeleteMode::Hard)).unwrap();
    }
    let page = sync(&mailbox, inbox, Some(&state));
    assert!(!page.last);
    let mut state = page.state;
    let mut last = page.last;
    while !last {
        let page = sync(&mailbox, inbox, Some(&state));
        (state, last) = (page.state, page.last);
    }
    let drafts = folder_named(&mailbox, "drafts");
    for number in 0..500 {
        add(&mailbox, drafts, &number.to_string());
    }
    assert!(poll(&state).0 <= OVERHEAD_ROWS);
    now(mailbox.set_read(known[999], true)).unwrap();
    now(mailbox.set_read(known[999], false)).unwrap();
    let (rows, page) = poll(&state);
    assert_eq!(page.changes.len(), 1);
    assert!(rows <= 1 + OVERHEAD_ROWS, "{rows}");

    // A read flag does not touch the bag; a first sync does not see the history.
    let (rows, page) = rows_of(&world, || sync(&mailbox, inbox, None));
    assert_eq!((page.changes.len(), page.last), (500, true));
    assert!(rows <= 2 * 500 + OVERHEAD_ROWS, "{rows}");
}

#[test]
fn a_poll_without_news_costs_two_rows() {
    let world = World::new(1);
    // A restart a day, each with a write, which leaves an epoch.
    let mut latest = world.restored(2);
    let inbox = folder_named(&latest.mailbox(), "inbox");
    for start in 3..20 {
        latest.clock.advance(86_400);
        add(&latest.mailbox(), inbox, "news");
        add_row(&latest);
        latest = latest.restored(start);
    }
    add(&latest.mailbox(), inbox, "news");
    add_row(&latest);
    let store = Arc::new(Counting::new(latest.store.restored(99)));
    let random = Arc::new(SeededRandom::new(1));
    let engine = now(Engine::open(store.clone(), latest.clock.clone(), random, Settings::default())).unwrap();
    let cost = |work: &dyn Fn()| {
        let before = store.counts();
        work();
        let Counts { snapshots, rows, commits, .. } = store.counts().since(before);
        assert_eq!(commits, 0);
        (snapshots, rows)
    };
    let open = || now(engine.open_mailbox(&latest.caller, MailboxName::Own)).unwrap();
    let (items, folders) = (sync(&open(), inbox, None).state, sync_folders(&open(), None).state);
    // The root comes with the snapshot; the row is the folder's.
    assert_eq!(cost(&|| assert_eq!(sync(&open(), inbox, Some(&items)).changes, [])), (1, 1));
    // The row is the name of the root folder.
    assert_eq!(cost(&|| assert_eq!(sync_folders(&open(), Some(&folders)).changes, [])).0, 1);

    let site = || now(engine.open_site(&latest.caller, "/sites/team")).unwrap();
    let list = now(now(site().begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    let token = site().list_token(&now(site().begin()).unwrap(), list.guid(), now(site().begin()).unwrap().position());
    let epochs = 18;
    let poll = || {
        let ask = ListSync { list: list.id(), token: &token, rows_max: 40, judge: &|_| Verdict::Take };
        let page = now(site().sync_list(ask)).unwrap();
        assert_eq!((page.rows, page.changes), (vec![], vec![]));
    };
    // The name and row of the site, in the root of accounts; then the list, and the epochs once.
    assert_eq!(cost(&poll), (2, 2 + 1 + epochs));
    // Retention takes what no token of its time needs.
    latest.clock.advance(engine.settings().retention_seconds - 3 * 86_400);
    now(engine.trim()).unwrap();
    assert_eq!(cost(&|| assert_eq!(sync(&open(), inbox, Some(&items)).changes, [])), (1, 1));
    let token = site().list_token(&now(site().begin()).unwrap(), list.guid(), now(site().begin()).unwrap().position());
    let ask = || ListSync { list: list.id(), token: &token, rows_max: 40, judge: &|_| Verdict::Take };
    // The starts of the last days, and the one before these.
    assert_eq!(cost(&|| assert_eq!(now(site().sync_list(ask())).unwrap().rows, [])).1, 2 + 1 + 6);
}

fn add_row(world: &World) {
    let site = world.site();
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    now(site.create_row(list.id(), RowDraft::default())).unwrap();
}
