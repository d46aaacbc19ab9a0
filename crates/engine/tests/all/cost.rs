//! What answers cost, in rows read: nothing but what they return.

use engine::{DeleteMode, ItemSyncChange, Precondition, SyncItems};

use crate::{World, add, ask, folder_named, now, sync};

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
