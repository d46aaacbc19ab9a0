//! Accounts and sites.

use std::sync::Arc;

use engine::{
    Caller, DeleteMode, Engine, EngineError, ListSync, ListToken, MailboxName, NewFolder, NewSite, Precondition, Query,
    Rights, RowDraft, Search, Settings, SyncScope, Verdict,
};
use model::{
    Bag, CollectionId, FixedClock, Guid, ItemContent, ItemFlags, Predicate, RootId, SeededRandom, Time, Value,
};
use store::{
    Store,
    faulty::{CommitFault, Faulty},
    memory::MemoryStore,
};

use crate::{World, account, now};

#[test]
fn accounts() {
    let world = World::new(1);
    let directory = world.engine.directory();
    let bob = now(directory.add_account(account("Bob@Example.com"))).unwrap();
    assert_eq!(bob.caller.address, "bob@example.com");
    assert_eq!(now(directory.account("BOB@example.COM")).unwrap().unwrap().caller, bob.caller);
    assert!(now(directory.add_account(account("bob@EXAMPLE.com"))).is_err_and(|error| error == EngineError::NameTaken));
    for bad in ["", "bob", "@example.com", "bob@", "b ob@example.com", "bob@exa/mple.com", "a@b@c"] {
        let added = now(directory.add_account(account(bad)));
        assert!(matches!(added, Err(EngineError::Invalid(_))), "{bad}");
    }
    now(directory.set_password("bob@example.com", "other")).unwrap();
    assert_eq!(now(directory.account("bob@example.com")).unwrap().unwrap().password_hash, "other");
    assert_eq!(now(directory.set_password("eve@example.com", "x")), Err(EngineError::NoAccount));
    assert_eq!(now(directory.accounts()).unwrap().len(), 2);

    // That of another opens by address and by GUID, and nothing in it does; one that is not there is another answer.
    let open = |name| now(world.engine.open_mailbox(&world.caller, name)).map(drop);
    now(world.engine.open_mailbox(&bob.caller, MailboxName::Own)).unwrap();
    assert_eq!(open(MailboxName::Address("ADA@example.com")), Ok(()));
    assert_eq!(open(MailboxName::Guid(world.caller.mailbox_guid)), Ok(()));
    for name in [MailboxName::Address("bob@example.com"), MailboxName::Guid(bob.caller.mailbox_guid)] {
        let inbox =
            async { world.engine.open_mailbox(&world.caller, name).await?.begin().await?.distinguished("inbox").await };
        assert_eq!(now(inbox), Err(EngineError::AccessDenied));
    }
    assert_eq!(open(MailboxName::Address("eve@example.com")), Err(EngineError::NoMailbox { guid: None }));
    let nobody = Guid([9; 16]);
    assert_eq!(open(MailboxName::Guid(nobody)), Err(EngineError::NoMailbox { guid: Some(nobody) }));

    now(directory.remove_account("bob@example.com")).unwrap();
    assert_eq!(now(directory.remove_account("bob@example.com")), Err(EngineError::NoAccount));
    assert!(now(directory.account("bob@example.com")).unwrap().is_none());
    // The address is free again, and leads to another mailbox.
    let again = now(directory.add_account(account("bob@example.com"))).unwrap();
    assert_ne!(again.caller.account, bob.caller.account);
}

#[test]
fn sites() {
    let world = World::new(1);
    let directory = world.engine.directory();
    let new = |path: &str, owner: Option<&str>| NewSite {
        path: path.into(),
        title: "Team".into(),
        owner: owner.map(str::to_owned),
    };
    let team = now(directory.add_site(new("/sites/Team/", Some("ADA@example.com")))).unwrap();
    assert_eq!((team.path.as_str(), team.owner.as_deref()), ("/sites/Team", Some("ada@example.com")));
    assert_eq!(now(directory.site("/SITES/team/")).unwrap().as_ref(), Some(&team));
    assert_eq!(now(directory.add_site(new("/sites/team", None))), Err(EngineError::NameTaken));
    assert_eq!(now(directory.add_site(new("/sites/x", Some("eve@example.com")))), Err(EngineError::NoAccount));
    for bad in ["", "/", "sites", "/_vti_bin", "/a//b", "/a/../b", "/a?b"] {
        assert!(matches!(now(directory.add_site(new(bad, None))), Err(EngineError::Invalid(_))), "{bad}");
    }
    let bob = now(directory.add_account(account("bob@example.com"))).unwrap().caller;
    let rights = |caller, path| now(world.engine.open_site(caller, path)).map(|site| site.rights());
    assert_eq!(rights(&world.caller, "/sites/team"), Ok(Rights::Full));
    assert_eq!(rights(&bob, "/sites/team"), Ok(Rights::Contribute));
    assert_eq!(rights(&bob, "/"), Ok(Rights::Full));
    assert_eq!(rights(&bob, "/sites/none"), Err(EngineError::NoSite));
    assert_eq!(now(directory.sites()).unwrap().len(), 2);
    assert_eq!(now(directory.remove_site("/")), Err(EngineError::NoSite));
    // Who gets the address of an owner later is not the owner.
    now(directory.remove_account("ada@example.com")).unwrap();
    let other = now(directory.add_account(account("ada@example.com"))).unwrap().caller;
    assert_eq!(rights(&other, "/sites/team"), Ok(Rights::Contribute));
    now(directory.remove_site("/sites/team")).unwrap();
    assert_eq!(rights(&bob, "/sites/team"), Err(EngineError::NoSite));
}

#[test]
fn opening_again_changes_nothing() {
    let world = World::new(1);
    let (mailbox, site) = (world.mailbox(), world.site());
    let positions = || {
        let mailbox = now(world.mailbox().begin()).unwrap().position();
        (mailbox, now(world.site().begin()).unwrap().position())
    };
    let before = positions();
    assert_eq!(positions(), before);
    assert_eq!((mailbox.guid(), site.user_id()), (world.caller.mailbox_guid, 1));
    // Another start over the same store still knows its tokens' secret.
    let state = crate::sync_folders(&mailbox, None).state;
    let again = world.restored(2);
    assert_eq!(crate::sync_folders(&again.mailbox(), Some(&state)).changes, []);
}

#[test]
fn accounts_by_the_part_before_the_at() {
    let world = World::new(1);
    let directory = world.engine.directory();
    for address in ["bob@example.com", "bob.b@example.com", "bo@example.com", "cy@a.example", "cy@b.example"] {
        now(directory.add_account(account(address))).unwrap();
    }
    let found = |local| now(directory.by_local_part(local)).unwrap().map(|account| account.caller.address);
    assert_eq!(found("ADA").as_deref(), Some("ada@example.com"));
    assert_eq!(found("bob").as_deref(), Some("bob@example.com"));
    assert_eq!(found("bo").as_deref(), Some("bo@example.com"));
    for none in ["", "b", "eve", "zed", "cy", "bob@example.com", "@"] {
        assert_eq!(found(none), None, "{none}");
    }
    now(directory.remove_account("cy@a.example")).unwrap();
    assert_eq!(found("cy").as_deref(), Some("cy@b.example"));
}

#[test]
fn users_of_a_site_by_login() {
    let world = World::new(1);
    let site = world.site();
    let found = |login| now(now(site.begin()).unwrap().user_by_login(login)).unwrap();
    assert_eq!((found("ADA@Example.com"), found("bob@example.com")), (Some(1), None));
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    now(world.engine.open_site(&bob, "/sites/team")).unwrap();
    assert_eq!(found("Bob@example.com"), Some(2));
}

#[test]
fn what_everybody_may_do_in_a_site_ends_at_its_lists() {
    let world = World::new(1);
    world.site();
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    let site = now(world.engine.open_site(&bob, "/sites/team")).unwrap();
    let tasks = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    let denied = |answer: Result<(), EngineError>| assert_eq!(answer, Err(EngineError::AccessDenied));
    denied(now(site.create_list("Mine", 100, "Lists/Mine", Bag::new())).map(drop));
    denied(
        now(site.update_list(tasks.id(), &|bag| bag.set(engine::list_keys::LIST_TITLE, Value::text("x")))).map(drop),
    );
    denied(now(site.drop_list(tasks.id())));
    // Of a list that is not there no more is told.
    denied(now(site.drop_list(CollectionId(9_999))));
    let after = now(now(site.begin()).unwrap().list(tasks.id())).unwrap();
    assert_eq!(after, tasks);
    let row = now(site.create_row(tasks.id(), RowDraft::default())).unwrap();
    now(site.update_row(row.item, None, &|draft| draft.bag.set(engine::list_keys::ROW_CLIENT_ID, Value::text("1"))))
        .unwrap();
    now(site.delete_row(row.item, None)).unwrap();
    // A token of another site's list is no key to it.
    let root = now(world.engine.open_site(&bob, "/")).unwrap();
    let token = ListToken { ..site.list_token(&now(site.begin()).unwrap(), tasks.guid(), row.seq) };
    let list = now(now(root.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    let ask = ListSync { list: list.id(), token: &token, rows_max: 1, judge: &|_| Verdict::Take };
    assert!(matches!(now(root.sync_list(ask)), Err(EngineError::InvalidState(_))));
}

#[test]
fn a_handle_of_another_mailbox_opens_nothing() {
    // Whatever the caller says of itself beside its account does not open another's mailbox.
    let world = World::new(1);
    let bob = now(world.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
    now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap();
    let names = [
        MailboxName::Address("ada@example.com"),
        MailboxName::Address("ADA@EXAMPLE.COM"),
        MailboxName::Guid(world.caller.mailbox_guid),
    ];
    let ada = world.mailbox();
    let [inbox, drafts] = ["inbox", "drafts"].map(|name| crate::folder_named(&ada, name));
    let item = now(ada.create_item(inbox, ItemContent::default(), ItemFlags::default())).unwrap();
    let new = || NewFolder { display_name: "new".into(), ..NewFolder::default() };
    let made = now(ada.create_folder(inbox, new())).unwrap().id();
    let before = now(ada.begin()).unwrap().position();
    for name in names {
        let other = now(world.engine.open_mailbox(&bob, name)).unwrap();
        let mut view = now(other.begin()).unwrap();
        let (id, any) = (item.item, Precondition::Any);
        let query = Query {
            predicate: Predicate::True,
            sort: Vec::new(),
            offset: 0,
            limit: 10,
            scope: SyncScope::NormalAndAssociated,
        };
        let tried = [
            ("folder", now(view.folder(inbox)).map(drop)),
            ("distinguished", now(view.distinguished("inbox")).map(drop)),
            ("item", now(view.item(id)).map(drop)),
            ("heavy", now(view.heavy(id)).map(drop)),
            ("recipients", now(view.recipients(id)).map(drop)),
            ("attachments", now(view.attachments(id)).map(drop)),
            ("attachment", now(view.attachment(&item, 0)).map(drop)),
            ("content", now(view.content(&item)).map(drop)),
            ("mime", now(view.mime(id)).map(drop)),
            ("part", now(view.part(id, 1)).map(drop)),
            ("find", now(view.find(inbox, &query)).map(drop)),
            ("sync_items", now(other.sync_items(crate::ask(inbox, None))).map(drop)),
            ("sync_folders", now(other.sync_folders(None, None)).map(drop)),
            ("create_item", now(other.create_item(inbox, ItemContent::default(), ItemFlags::default())).map(drop)),
            ("replace_item", now(other.replace_item(id, any, ItemContent::default(), ItemFlags::default())).map(drop)),
            ("update_item", now(other.update_item(id, any, &|draft| draft.flags = ItemFlags::READ)).map(drop)),
            ("set_read", now(other.set_read(id, true)).map(drop)),
            ("delete_item", now(other.delete_item(id, any, DeleteMode::Hard)).map(drop)),
            ("move_item", now(other.move_item(id, any, drafts)).map(drop)),
            ("copy_item", now(other.copy_item(id, drafts)).map(drop)),
            ("create_folder", now(other.create_folder(inbox, new())).map(drop)),
            ("update_folder", now(other.update_folder(made, &|_| {})).map(drop)),
            ("move_folder", now(other.move_folder(made, drafts)).map(drop)),
            ("copy_folder", now(other.copy_folder(made, drafts)).map(drop)),
            ("delete_folder", now(other.delete_folder(made, DeleteMode::Hard))),
            ("empty_folder", now(other.empty_folder(inbox, DeleteMode::Hard, true))),
        ];
        for (call, outcome) in tried {
            assert_eq!(outcome, Err(EngineError::AccessDenied), "{call} {name:?}");
        }
        assert_eq!(now(view.folders()), Ok(Vec::new()));
        let search = Search { bases: vec![inbox], deep: true, predicate: Predicate::True };
        assert_eq!(now(view.search_counts(&search)), Ok((0, 0)));
    }
    assert_eq!(now(ada.begin()).unwrap().position(), before);
    // A state of another's mailbox is refused in one's own.
    let mine = now(world.engine.open_mailbox(&bob, MailboxName::Own)).unwrap();
    let state = crate::sync(&ada, inbox, None).state;
    let mismatch = Err(EngineError::InvalidState(engine::StateFault::Mismatch));
    assert_eq!(now(mine.sync_items(crate::ask(inbox, Some(&state)))), mismatch);
}

#[test]
fn a_removal_that_was_cut_off_is_finished_later() {
    let faulty = Arc::new(Faulty::new(MemoryStore::new(1)));
    let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1)));
    let random = Arc::new(SeededRandom::new(1));
    let engine = now(Engine::open(faulty.clone(), clock.clone(), random.clone(), Settings::default())).unwrap();
    let directory = engine.directory();
    let add = |address: &str| -> Caller { now(directory.add_account(account(address))).unwrap().caller };
    let [ada, bob] = [add("ada@example.com"), add("bob@example.com")];
    for caller in [&ada, &bob] {
        now(engine.open_mailbox(caller, MailboxName::Own)).unwrap();
    }
    let new = NewSite { path: "/sites/team".into(), title: "Team".into(), owner: None };
    now(directory.add_site(new)).unwrap();
    let site = now(engine.open_site(&ada, "/sites/team")).unwrap().entry().root;
    let roots = || {
        let page = now(faulty.inner().roots(None, 100)).unwrap();
        page.rows.iter().map(|row| row.root).collect::<Vec<RootId>>()
    };
    let all = [RootId::CONTROL, ada.account, bob.account, site];
    assert_eq!(roots(), all);
    // Nothing is thrown away that belongs to somebody.
    now(engine.trim()).unwrap();
    assert_eq!(roots(), all);
    // The account goes, then the power, before the mailbox does.
    faulty.fail_commit(1, CommitFault::Lost);
    assert!(now(directory.remove_account("bob@example.com")).is_err());
    assert!(now(directory.account("bob@example.com")).unwrap().is_none());
    assert_eq!(roots(), all);
    faulty.fail_commit(1, CommitFault::TryAgain);
    assert!(now(directory.remove_site("/sites/team")).is_err());
    assert_eq!(roots(), all);
    // What fails for one root keeps no other from its turn.
    faulty.fail_commit(0, CommitFault::TryAgain);
    assert!(now(engine.trim()).is_err());
    assert_eq!(roots(), [RootId::CONTROL, ada.account]);
    now(engine.trim()).unwrap();
    // The root of accounts was put back from a copy that is older than a mailbox: the mailbox stays.
    let copy = Arc::new(faulty.inner().restored(2));
    let late = add("eve@example.com");
    let mut commit = store::Commit::new(late.account, model::Clock::now(&*clock));
    commit.create_root = Some((store::RootKind::Mailbox, late.mailbox_guid));
    now(copy.commit(commit)).unwrap();
    let engine = now(Engine::open(copy.clone(), clock, random, Settings::default())).unwrap();
    now(engine.trim()).unwrap();
    assert!(now(copy.snapshot(late.account)).is_ok());
}
