//! Emptying and copying folders with all they hold, and what synchronisation says of it.

use std::sync::Arc;

use engine::{
    DeleteMode, Engine, EngineError, FolderChange, ItemSyncChange, Mailbox, MailboxName, NewFolder, Settings,
};
use model::{Bag, CollectionId, ItemFlags, ItemId, SeededRandom, Value, tags};
use store::StoreError;
use store::counting::Counting;
use store::faulty::{CommitFault, Faulty};

use crate::{World, account, add, ask, folder_named, message, new_folder, now, sync, sync_folders};

/// Everything a folder says until there is no more.
fn drain(mailbox: &Mailbox, folder: CollectionId, mut state: Option<Vec<u8>>) -> (Vec<ItemSyncChange>, Vec<u8>) {
    let mut changes = Vec::new();
    loop {
        let page = sync(mailbox, folder, state.as_deref());
        changes.extend(page.changes);
        state = Some(page.state);
        if page.last {
            return (changes, state.unwrap());
        }
    }
}

fn deleted(changes: &[ItemSyncChange]) -> Vec<ItemId> {
    let one = |change: &ItemSyncChange| {
        let ItemSyncChange::Delete(item) = change else { panic!("{change:?}") };
        *item
    };
    changes.iter().map(one).collect()
}

fn subjects(changes: &[ItemSyncChange]) -> Vec<(String, ItemFlags)> {
    let one = |change: &ItemSyncChange| {
        let ItemSyncChange::Create(row) = change else { panic!("{change:?}") };
        (Bag::decode(&row.bag).unwrap().text(&tags::SUBJECT).unwrap_or_default().to_owned(), row.flags)
    };
    let mut found: Vec<_> = changes.iter().map(one).collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn folder(mailbox: &Mailbox, id: CollectionId) -> engine::Folder {
    now(now(mailbox.begin()).unwrap().folder(id)).unwrap()
}

fn below(mailbox: &Mailbox, id: CollectionId) -> Vec<String> {
    let folders = now(now(mailbox.begin()).unwrap().folders()).unwrap();
    folders.iter().filter(|one| one.parent() == Some(id)).map(|one| one.display_name().to_owned()).collect()
}

const MODES: [(DeleteMode, Option<&str>); 3] = [
    (DeleteMode::Hard, None),
    (DeleteMode::Soft, Some("recoverableitemsdeletions")),
    (DeleteMode::MoveToDeletedItems, Some("deleteditems")),
];

#[test]
fn an_emptied_folder_says_one_delete_an_item() {
    for (mode, target) in MODES {
        let mailbox = World::new(1).mailbox();
        let inbox = folder_named(&mailbox, "inbox");
        // More than one commit takes.
        let ids: Vec<ItemId> = (0..1_234).map(|number| add(&mailbox, inbox, &format!("{number:04}")).item).collect();
        let associated = now(mailbox.create_item(inbox, message("view"), ItemFlags::ASSOCIATED)).unwrap().item;
        let (_, state) = drain(&mailbox, inbox, None);
        let target = target.map(|name| folder_named(&mailbox, name));
        let target_state = target.map(|target| drain(&mailbox, target, None).1);
        now(mailbox.empty_folder(inbox, mode, false)).unwrap();
        let (changes, state) = drain(&mailbox, inbox, Some(state));
        let mut gone = deleted(&changes);
        gone.sort();
        assert_eq!(gone, ids, "{mode:?}");
        assert!(drain(&mailbox, inbox, Some(state)).0.is_empty());
        let row = folder(&mailbox, inbox).row;
        assert_eq!((row.items, row.unread, row.associated), (0, 0, 1));
        assert!(now(now(mailbox.begin()).unwrap().item(associated)).is_ok());
        if let Some(target) = target {
            let (changes, state) = drain(&mailbox, target, target_state);
            let names: Vec<String> = subjects(&changes).into_iter().map(|(subject, _)| subject).collect();
            assert_eq!(names, (0..1_234).map(|number| format!("{number:04}")).collect::<Vec<_>>());
            // From there they go for good.
            now(mailbox.empty_folder(target, mode, false)).unwrap();
            assert_eq!(deleted(&drain(&mailbox, target, Some(state)).0).len(), 1_234);
        }
    }
}

#[test]
fn folders_inside_go_but_for_those_that_are_needed() {
    for (mode, target) in MODES {
        let mailbox = World::new(1).mailbox();
        let (top, contacts) = (folder_named(&mailbox, "msgfolderroot"), folder_named(&mailbox, "contacts"));
        let outer = new_folder(&mailbox, contacts, "outer");
        let inner = new_folder(&mailbox, outer, "inner");
        let other = new_folder(&mailbox, top, "outer");
        let kept = add(&mailbox, folder_named(&mailbox, "quickcontacts"), "kept").item;
        let item = add(&mailbox, inner, "x").item;
        let state = sync_folders(&mailbox, None).state;
        let before = below(&mailbox, contacts);
        now(mailbox.empty_folder(contacts, mode, true)).unwrap();
        now(mailbox.empty_folder(top, mode, true)).unwrap();
        assert_eq!(below(&mailbox, contacts), before[..4], "{mode:?}");
        let mut view = now(mailbox.begin()).unwrap();
        assert!(now(view.item(kept)).is_ok());
        let changes = sync_folders(&mailbox, Some(&state)).changes;
        if let Some(target) = target.filter(|_| mode == DeleteMode::MoveToDeletedItems) {
            let target = folder_named(&mailbox, target);
            assert_eq!(below(&mailbox, target).len(), 2);
            assert_eq!(folder(&mailbox, inner).parent(), Some(outer));
            assert_eq!((now(view.item(item)).unwrap().collection, changes.len()), (inner, 2));
        } else {
            let gone: Vec<CollectionId> = changes
                .iter()
                .map(|change| {
                    let FolderChange::Delete(id) = change else { panic!("{change:?}") };
                    *id
                })
                .collect();
            let expected = [outer, inner, other];
            assert_eq!((gone.len(), gone.iter().all(|id| expected.contains(id))), (3, true));
            assert_eq!(now(view.item(item)), Err(EngineError::NoItem(item)));
        }
        // The names are free again.
        new_folder(&mailbox, contacts, "outer");
    }
}

#[test]
fn what_cannot_be_emptied() {
    let mailbox = World::new(1).mailbox();
    for name in ["root", "todosearch", "mycontacts"] {
        let emptied = now(mailbox.empty_folder(folder_named(&mailbox, name), DeleteMode::Hard, true));
        assert_eq!(emptied, Err(EngineError::Invalid("this folder cannot be emptied")), "{name}");
    }
    let gone = CollectionId(99_999);
    assert_eq!(now(mailbox.empty_folder(gone, DeleteMode::Soft, true)), Err(EngineError::NoCollection(gone)));
    assert_eq!(now(mailbox.copy_folder(gone, gone)), Err(EngineError::NoCollection(gone)));
}

#[test]
fn a_copied_folder_is_created_with_its_folders_and_items() {
    let mailbox = World::new(1).mailbox();
    let (inbox, drafts) = (folder_named(&mailbox, "inbox"), folder_named(&mailbox, "drafts"));
    let bag = Bag::from_iter([(tags::SUBJECT, Value::text("mine"))]);
    let new = NewFolder { display_name: "outer".into(), class: "IPF.Task".into(), bag, ..NewFolder::default() };
    let outer = now(mailbox.create_folder(inbox, new)).unwrap().id();
    let inner = new_folder(&mailbox, outer, "inner");
    let deepest = new_folder(&mailbox, inner, "outer");
    let mut expected = Vec::new();
    for number in 0..1_100 {
        let flags = ItemFlags::default().set(ItemFlags::READ, number % 2 == 0);
        now(mailbox.create_item(inner, message(&format!("{number:04}")), flags)).unwrap();
        expected.push((format!("{number:04}"), flags));
    }
    now(mailbox.create_item(outer, message("view"), ItemFlags::ASSOCIATED)).unwrap();
    let states = [outer, inner, deepest].map(|id| drain(&mailbox, id, None).1);
    let tree = sync_folders(&mailbox, None).state;

    let copy = now(mailbox.copy_folder(outer, drafts)).unwrap();
    assert_eq!((copy.parent(), copy.display_name(), copy.class()), (Some(drafts), "outer", "IPF.Task"));
    assert_eq!((copy.bag.text(&tags::SUBJECT), copy.row.associated), (Some("mine"), 1));
    let made: Vec<engine::Folder> = sync_folders(&mailbox, Some(&tree))
        .changes
        .into_iter()
        .map(|change| {
            let FolderChange::Create(folder) = change else { panic!("{change:?}") };
            folder
        })
        .collect();
    let mut names: Vec<&str> = made.iter().map(engine::Folder::display_name).collect();
    names.sort_unstable();
    assert_eq!(names, ["inner", "outer", "outer"]);
    let inner_copy = made.iter().find(|folder| folder.display_name() == "inner").unwrap();
    assert_eq!(inner_copy.parent(), Some(copy.id()));
    assert_eq!(below(&mailbox, inner_copy.id()), ["outer"]);
    assert_eq!(subjects(&drain(&mailbox, inner_copy.id(), None).0), expected);
    let copied = now(mailbox.sync_items(ask(inner_copy.id(), None))).unwrap();
    let ItemSyncChange::Create(row) = &copied.changes[0] else { panic!() };
    assert_eq!(now(now(mailbox.begin()).unwrap().content(row)).unwrap().bag.text(&tags::BODY), Some("body"));
    // The original is untouched.
    for (id, state) in [outer, inner, deepest].into_iter().zip(states) {
        assert!(drain(&mailbox, id, Some(state)).0.is_empty());
    }
    let child = now(now(mailbox.begin()).unwrap().child(copy.id(), "INNER")).unwrap();
    assert_eq!(child, Some(inner_copy.id()));

    assert_eq!(now(mailbox.copy_folder(outer, drafts)), Err(EngineError::NameTaken));
    assert_eq!(now(mailbox.copy_folder(outer, inbox)), Err(EngineError::NameTaken));
    assert_eq!(now(mailbox.copy_folder(outer, outer)), Err(EngineError::Circle));
    assert_eq!(now(mailbox.copy_folder(outer, deepest)), Err(EngineError::Circle));
    // The copy of a folder that is needed is an ordinary one.
    let contacts = now(mailbox.copy_folder(folder_named(&mailbox, "contacts"), inbox)).unwrap().id();
    assert_eq!((folder(&mailbox, contacts).distinguished(), below(&mailbox, contacts).len()), (None, 4));
    assert_ne!(folder_named(&mailbox, "contacts"), contacts);
    now(mailbox.delete_folder(contacts, DeleteMode::Hard)).unwrap();
}

#[test]
fn commits_are_few_and_bounded() {
    let world = World::new(1);
    let store = Arc::new(Counting::new(world.store.clone()));
    let random = Arc::new(SeededRandom::new(1));
    let engine = now(Engine::open(store.clone(), world.clock.clone(), random, Settings::default())).unwrap();
    let mailbox = now(engine.open_mailbox(&world.caller, MailboxName::Own)).unwrap();
    let inbox = folder_named(&mailbox, "inbox");
    let outer = new_folder(&mailbox, inbox, "outer");
    for number in 0..2_500 {
        add(&mailbox, outer, &number.to_string());
    }
    for number in 0..20 {
        new_folder(&mailbox, outer, &number.to_string());
    }
    let commits = |work: &dyn Fn()| {
        let before = store.counts();
        work();
        store.counts().since(before).commits
    };
    let drafts = folder_named(&mailbox, "drafts");
    // The folder, those in it, and the items.
    assert_eq!(commits(&|| now(mailbox.copy_folder(outer, drafts)).map(drop).unwrap()), 1 + 1 + 5);
    // The folder has too many items to be dropped in one.
    assert_eq!(commits(&|| now(mailbox.empty_folder(inbox, DeleteMode::Hard, true)).unwrap()), 5 + 2);
    assert_eq!(below(&mailbox, inbox), Vec::<String>::new());
    let copy = now(now(mailbox.begin()).unwrap().child(drafts, "outer")).unwrap().unwrap();
    assert_eq!(commits(&|| now(mailbox.empty_folder(copy, DeleteMode::Soft, false)).unwrap()), 5);
}

/// Wherever the store fails, each item is whole and in one place, and the name of an unfinished copy is free.
#[test]
fn a_cut_leaves_whole_items() {
    for skip in 0..6 {
        let world = World::new(1);
        let store = Arc::new(Faulty::new(world.store.clone()));
        let random = Arc::new(SeededRandom::new(1));
        let engine = now(Engine::open(store.clone(), world.clock.clone(), random, Settings::default())).unwrap();
        let caller = now(engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
        let mailbox = now(engine.open_mailbox(&caller, MailboxName::Own)).unwrap();
        let (inbox, drafts) = (folder_named(&mailbox, "inbox"), folder_named(&mailbox, "drafts"));
        let outer = new_folder(&mailbox, inbox, "outer");
        new_folder(&mailbox, outer, "inner");
        for number in 0..1_200 {
            add(&mailbox, outer, &number.to_string());
        }
        // One commit each for the two levels, three for the items.
        store.fail_commit(skip, CommitFault::TryAgain);
        let copied = now(mailbox.copy_folder(outer, drafts));
        store.heal();
        assert_eq!(copied.is_ok(), skip == 5, "{skip} {copied:?}");
        if let Err(error) = copied {
            assert!(matches!(error, EngineError::Store(StoreError::TryAgain(_))), "{error:?}");
            assert_eq!(below(&mailbox, drafts), Vec::<String>::new(), "{skip}");
            now(mailbox.copy_folder(outer, drafts)).unwrap();
        }
        let bin = folder_named(&mailbox, "deleteditems");
        store.fail_commit(skip, CommitFault::TryAgain);
        let emptied = now(mailbox.empty_folder(outer, DeleteMode::MoveToDeletedItems, true));
        store.heal();
        assert_eq!(emptied.is_ok(), skip > 3, "{skip}");
        let (left, moved) = (folder(&mailbox, outer).row.items, folder(&mailbox, bin).row.items);
        assert_eq!((left + moved, moved), (1_200, 1_200.min(skip * 500)), "{skip}");
        now(mailbox.empty_folder(outer, DeleteMode::MoveToDeletedItems, true)).unwrap();
        assert_eq!((folder(&mailbox, bin).row.items, below(&mailbox, outer)), (1_200, vec![]));
    }
}
