//! Tokens that cannot be served, and what is said of tokens.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engine::{DeleteMode, EngineError, ListSync, ListToken, Mailbox, Precondition, RowDraft, StateFault, Verdict};
use model::CollectionId;

use crate::{World, account, add, ask, folder_named, new_folder, now, shape, sync, sync_folders};

fn fault(mailbox: &Mailbox, folder: CollectionId, state: &[u8]) -> Option<StateFault> {
    match now(mailbox.sync_items(ask(folder, Some(state)))) {
        Err(EngineError::InvalidState(fault)) => Some(fault),
        other => other.map(|_| None).unwrap(),
    }
}

#[test]
fn a_state_is_for_one_folder_of_one_mailbox() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| folder_named(&mailbox, name));
    let state = sync(&mailbox, inbox, None).state;
    assert_eq!(fault(&mailbox, inbox, &state), None);
    assert_eq!(fault(&mailbox, drafts, &state), Some(StateFault::Mismatch));
    assert_eq!(fault(&mailbox, inbox, b"H4sIAAA"), Some(StateFault::Corrupt));
    assert_eq!(fault(&mailbox, inbox, &state[1..]), Some(StateFault::Corrupt));
    // Another mailbox of this installation, whose folders have the same ids; and another installation.
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let other = now(world.engine.open_mailbox(&bob, engine::MailboxName::Own)).unwrap();
    assert_eq!(fault(&other, inbox, &state), Some(StateFault::Mismatch));
    assert_eq!(fault(&World::new(2).mailbox(), inbox, &state), Some(StateFault::Corrupt));
}

#[test]
fn retention_refuses_what_it_can_no_longer_serve() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| folder_named(&mailbox, name));
    let rows = ["a", "b", "c"].map(|name| add(&mailbox, inbox, name).item);
    let before = sync(&mailbox, inbox, None).state;
    let elsewhere = sync(&mailbox, drafts, None).state;
    now(mailbox.delete_item(rows[0], Precondition::Any, DeleteMode::Hard)).unwrap();
    let between = sync(&mailbox, inbox, Some(&before)).state;
    now(mailbox.update_item(rows[1], Precondition::Any, &|draft| draft.recipients.push(model::Bag::new()))).unwrap();
    assert_eq!(now(world.engine.trim()), Ok(0));
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&before)).changes), format!("D{} U{}", rows[0], rows[1]));
    assert_eq!(world.trim(), 1);
    assert_eq!(fault(&mailbox, inbox, &before), Some(StateFault::Expired));
    // Nothing that these need has gone, however old they are.
    assert_eq!(shape(&sync(&mailbox, inbox, Some(&between)).changes), format!("U{}", rows[1]));
    assert_eq!(fault(&mailbox, drafts, &elsewhere), None);

    let hierarchy = sync_folders(&mailbox, None).state;
    let folder = new_folder(&mailbox, inbox, "x");
    let with = sync_folders(&mailbox, Some(&hierarchy)).state;
    now(mailbox.delete_folder(folder, DeleteMode::Hard)).unwrap();
    let without = sync_folders(&mailbox, Some(&with)).state;
    assert_eq!(world.trim(), 1);
    for (state, expected) in [(&hierarchy, true), (&with, true), (&without, false)] {
        let answer = now(mailbox.sync_folders(None, Some(state)));
        assert_eq!(answer == Err(EngineError::InvalidState(StateFault::Expired)), expected);
    }
}

#[test]
fn a_store_that_was_put_back_refuses_what_was_issued_after_the_copy() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let a = add(&mailbox, inbox, "a").item;
    let old_items = sync(&mailbox, inbox, None).state;
    let old_folders = sync_folders(&mailbox, None).state;
    let copy = world.restored(2);

    add(&mailbox, inbox, "lost");
    let new_items = sync(&mailbox, inbox, Some(&old_items)).state;
    let new_folders = sync_folders(&mailbox, Some(&old_folders)).state;
    assert_eq!(fault(&mailbox, inbox, &new_items), None);

    let restored = copy.mailbox();
    let check = |restored: &Mailbox| {
        assert_eq!(fault(restored, inbox, &old_items), None);
        assert_eq!(fault(restored, inbox, &new_items), Some(StateFault::LostTimeline));
        let folders = |state: &[u8]| now(restored.sync_folders(None, Some(state))).map(|page| page.changes.len());
        assert_eq!(folders(&old_folders), Ok(0));
        assert_eq!(folders(&new_folders), Err(EngineError::InvalidState(StateFault::LostTimeline)));
    };
    // Before it has written, and after it has come further than the lost history had.
    check(&restored);
    now(restored.set_read(a, true)).unwrap();
    for name in ["b", "c", "d"] {
        add(&restored, inbox, name);
    }
    check(&restored);
    assert_eq!(sync(&restored, inbox, Some(&old_items)).changes.len(), 4);
    // Another start is no other history.
    let state = sync(&restored, inbox, Some(&old_items)).state;
    let third = copy.restored(3);
    assert_eq!(fault(&third.mailbox(), inbox, &state), None);
    add(&third.mailbox(), inbox, "e");
    assert_eq!(sync(&third.mailbox(), inbox, Some(&state)).changes.len(), 1);
}

#[test]
fn a_page_shows_more_than_its_marks_say() {
    // A creation is sent as it is when its page is read. When the store is put back to between the beginning of the
    // pages and this page, what was sent is lost, though the marks lie before the copy.
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let [a, _, _] = ["a", "b", "c"].map(|name| add(&mailbox, inbox, name).item);
    let one = |mailbox: &Mailbox, state: Option<&[u8]>| {
        let ask = engine::SyncItems { limit: 1, ..ask(inbox, state) };
        now(mailbox.sync_items(ask)).unwrap().state
    };
    let first = one(&mailbox, None);
    let copy = world.restored(2);
    now(mailbox.update_item(a, Precondition::Any, &|draft| draft.recipients.push(model::Bag::new()))).unwrap();
    let second = one(&mailbox, Some(&first));
    assert_eq!(fault(&copy.mailbox(), inbox, &first), None);
    assert_eq!(fault(&copy.mailbox(), inbox, &second), Some(StateFault::LostTimeline));
}

#[test]
fn explanations() {
    let world = World::new(1);
    let mailbox = world.mailbox();
    let inbox = folder_named(&mailbox, "inbox");
    let id = add(&mailbox, inbox, "a").item;
    add(&mailbox, inbox, "b");
    let explain = |text: &str| -> Vec<String> {
        let lines = now(world.engine.explain_token(text)).lines;
        lines.into_iter().map(|(label, value)| format!("{label}: {value}")).collect()
    };
    let has = |text: &str, expected: &[&str]| {
        let lines = explain(text);
        for line in expected {
            assert!(lines.iter().any(|have| have == line), "{line} in {lines:#?}");
        }
    };
    let items = BASE64_STANDARD.encode(sync(&mailbox, inbox, None).state);
    has(&items, &["kind: items of a folder", "address: ada@example.com", "folder name: Inbox", "served now: yes"]);
    has(&items, &["scope: normal items", "changes known up to: 38", "mailbox stands at position: 38"]);
    let question = engine::SyncItems { limit: 1, ..ask(inbox, None) };
    let page = BASE64_STANDARD.encode(now(mailbox.sync_items(question)).unwrap().state);
    has(&page, &["between pages, walking: creations", "at position: 37"]);
    let folders = BASE64_STANDARD.encode(sync_folders(&mailbox, None).state);
    has(&folders, &["kind: folder hierarchy", "below: (the whole mailbox)", "served now: yes"]);
    let below = BASE64_STANDARD.encode(now(mailbox.sync_folders(Some(inbox), None)).unwrap().state);
    has(&below, &["folder name: Inbox", "served now: yes"]);

    let site = world.site();
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    let row = now(site.create_row(list.id(), RowDraft::default())).unwrap();
    let token = site.list_token(&now(site.begin()).unwrap(), list.guid(), row.seq);
    has(&token.to_string(), &["kind: rows of a list", "site: /sites/team", "list title: Tasks", "served now: yes"]);
    let foreign = ListToken { list: model::Guid([1; 16]), ..token.clone() };
    has(&foreign.to_string(), &["served now: no: the token cannot be served: for another folder, scope or mailbox"]);
    let judge = |_: &store::ItemRow| Verdict::Take;
    now(site.sync_list(ListSync { list: list.id(), token: &token, rows_max: 1, judge: &judge })).unwrap();

    now(mailbox.delete_item(id, Precondition::Any, DeleteMode::Hard)).unwrap();
    world.trim();
    has(&items, &["served now: no: the token cannot be served: expired"]);
    has("AAAA", &["served now: no: the token cannot be served: damaged or foreign"]);
    has("no token", &["served now: no: the token cannot be served: damaged or foreign"]);
}
