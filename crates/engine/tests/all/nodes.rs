//! Several nodes on one store: what one changes counts at the other, who does what beside requests, and clocks that differ.

use std::sync::Arc;

use engine::{
    BEAT_SECONDS, Caller, Engine, EngineError, LEASE_SECONDS, ListSync, ListToken, MailboxName, NewSite, RowDraft,
    Sending, Settings, Site, StateFault, Verdict, Work, set_indexes,
};
use model::{Bag, Clock, CollectionId, FixedClock, Guid, ItemFlags, PropertyKey, SeededRandom, Time, Value};
use store::{
    ItemRow, Store,
    faulty::{CommitFault, Faulty},
    memory::MemoryStore,
};

use crate::{account, folder_named, message, now, sync};

/// How far clocks may be apart.
const SKEW_SECONDS: i64 = 300;

struct Node {
    engine: Engine,
    clock: Arc<FixedClock>,
}

/// A node whose clock is ahead.
fn node(store: Arc<dyn Store>, seed: u64, ahead_seconds: i64) -> Node {
    let clock = Arc::new(FixedClock::new(Time::from_date(2026, 1, 1).plus_seconds(ahead_seconds)));
    let settings = Settings { alone: false, clock_skew_seconds: SKEW_SECONDS, ..Settings::default() };
    let engine = now(Engine::open(store, clock.clone(), Arc::new(SeededRandom::new(seed)), settings)).unwrap();
    Node { engine, clock }
}

/// Two nodes on one store, the second with a clock that is ahead, and an account.
fn nodes(ahead_seconds: i64) -> (Arc<MemoryStore>, Node, Node, Caller) {
    let store = Arc::new(MemoryStore::new(1));
    let (first, second) = (node(store.clone(), 1, 0), node(store.clone(), 2, ahead_seconds));
    let caller = now(first.engine.directory().add_account(account("ada@example.com"))).unwrap().caller;
    (store, first, second, caller)
}

impl Node {
    fn holds(&self) -> [bool; 2] {
        [Work::Trim, Work::Recovery].map(|work| self.engine.holds(work))
    }

    fn beat(&self) -> [bool; 2] {
        now(self.engine.beat(true)).unwrap();
        self.holds()
    }

    fn site(&self, caller: &Caller) -> Site {
        now(self.engine.open_site(caller, "/sites/team")).unwrap()
    }
}

fn team(node: &Node, caller: &Caller) {
    let new = NewSite { path: "/sites/team".into(), title: "Team".into(), owner: Some(caller.address.clone()) };
    now(node.engine.directory().add_site(new)).unwrap();
}

fn tasks(site: &Site) -> (CollectionId, Guid) {
    let list = now(now(site.begin()).unwrap().list_by_title("Tasks")).unwrap().unwrap();
    (list.id(), list.guid())
}

fn titled(title: &str) -> RowDraft {
    RowDraft { bag: Bag::from_iter([(PropertyKey::field("Title"), Value::text(title))]), ..RowDraft::default() }
}

/// A token of now.
fn token(site: &Site, list: Guid) -> ListToken {
    let view = now(site.begin()).unwrap();
    site.list_token(&view, list, view.position())
}

fn ask(site: &Site, list: CollectionId, token: &ListToken) -> Result<(Vec<u32>, ListToken), EngineError> {
    let judge = |_: &ItemRow| Verdict::Take;
    let page = now(site.sync_list(ListSync { list, token, rows_max: 40, judge: &judge }))?;
    Ok((page.rows.iter().map(|row| row.item.number()).collect(), page.token))
}

#[test]
fn one_node_does_the_work_until_it_dies() {
    for ahead in [0, 300, -300] {
        let (_, first, second, _) = nodes(ahead);
        assert_eq!([first.beat(), second.beat()], [[true; 2], [false; 2]]);
        for _ in 0..20 {
            first.clock.advance(BEAT_SECONDS);
            second.clock.advance(BEAT_SECONDS);
            assert_eq!([second.beat(), first.beat()], [[false; 2], [true; 2]], "{ahead}");
        }
        second.beat();
        // The first is held up. It knows by itself when it holds nothing any more.
        second.clock.advance(LEASE_SECONDS - 1);
        assert_eq!([first.holds(), second.beat()], [[true; 2], [false; 2]]);
        second.clock.advance(1);
        first.clock.advance(LEASE_SECONDS);
        assert_eq!([first.holds(), second.beat()], [[false; 2], [true; 2]]);
        assert_eq!([first.beat(), second.beat()], [[false; 2], [true; 2]]);
        // A node that is set to take nothing takes nothing.
        first.clock.advance(LEASE_SECONDS);
        now(first.engine.beat(false)).unwrap();
        assert_eq!(first.holds(), [false; 2]);
    }
}

#[test]
fn a_node_that_leaves_hands_over_at_once() {
    let (store, first, second, _) = nodes(0);
    first.beat();
    now(first.engine.leave()).unwrap();
    assert_eq!([first.holds(), second.beat()], [[false; 2], [true; 2]]);
    // All roots are looked through once, and then only where a node has died.
    let left = now(second.engine.abandoned()).unwrap().unwrap();
    assert_eq!(now(second.engine.recover()), Ok(0));
    now(second.engine.recovered(left)).unwrap();
    second.clock.advance(LEASE_SECONDS);
    // A beat that comes late does not bring it back.
    assert_eq!(first.beat(), [false; 2]);
    assert_eq!((second.beat(), now(second.engine.abandoned())), ([true; 2], Ok(None)));
    // Another one that dies.
    node(store, 3, 0).beat();
    second.beat();
    second.clock.advance(LEASE_SECONDS);
    second.beat();
    let left = now(second.engine.abandoned()).unwrap().unwrap();
    now(second.engine.recovered(left)).unwrap();
    assert_eq!(now(second.engine.abandoned()), Ok(None));
}

#[test]
fn a_trim_is_due_once_for_all_nodes() {
    for ahead in [0, 300, -300] {
        let (_, first, second, _) = nodes(ahead);
        let due = |node: &Node| now(node.engine.trim_is_due(3_600)).unwrap();
        assert_eq!([due(&first), due(&second)], [true; 2]);
        now(first.engine.trimmed()).unwrap();
        assert_eq!([due(&first), due(&second)], [false; 2], "{ahead}");
        second.clock.advance(3_600 - ahead.min(0));
        assert!(due(&second));
    }
}

/// The sender's node ends between the commit and the handing over; nobody else knows of it.
#[test]
fn mail_of_a_node_that_died_is_delivered_by_another() {
    for leaves in [false, true] {
        let (store, _, second, ada) = nodes(0);
        let faulty = Arc::new(Faulty::new(store.clone()));
        let first = node(faulty.clone(), 3, 0);
        let bob = now(first.engine.directory().add_account(account("bob@example.com"))).unwrap().caller;
        let theirs = now(second.engine.open_mailbox(&bob, MailboxName::Own)).unwrap();
        let mailbox = now(first.engine.open_mailbox(&ada, MailboxName::Own)).unwrap();
        now(first.engine.beat(true)).unwrap();
        faulty.fail_commit(1, CommitFault::TryAgain);
        now(mailbox.act(Vec::new(), vec![Sending { message: message("x"), to: vec![bob.clone()] }])).unwrap();
        let inbox = folder_named(&theirs, "inbox");
        let arrived = || sync(&theirs, inbox, None).changes.len();
        assert_eq!(arrived(), 0);
        let left = now(second.engine.abandoned()).unwrap().unwrap();
        now(second.engine.recovered(left)).unwrap();
        if leaves {
            // It says that it has something left, by leaving its name.
            now(first.engine.leave()).unwrap();
        }
        drop((first, mailbox));
        second.beat();
        second.clock.advance(LEASE_SECONDS);
        assert_eq!(second.beat(), [true; 2]);
        let left = now(second.engine.abandoned()).unwrap().unwrap();
        assert_eq!(now(second.engine.recover()), Ok(1));
        now(second.engine.recovered(left)).unwrap();
        assert_eq!((arrived(), now(second.engine.abandoned())), (1, Ok(None)));
    }
}

#[test]
fn an_index_of_a_node_that_died_is_built_by_another() {
    let (store, _, second, ada) = nodes(0);
    let faulty = Arc::new(Faulty::new(store.clone()));
    let first = node(faulty.clone(), 3, 0);
    team(&first, &ada);
    let site = first.site(&ada);
    let (list, _) = tasks(&site);
    let rows: Vec<RowDraft> = (0..600).map(|number| titled(&number.to_string())).collect();
    for rows in rows.chunks(100) {
        now(site.create_rows(list, rows.to_vec())).unwrap();
    }
    faulty.fail_commit(2, CommitFault::TryAgain);
    now(site.update_list(list, &|bag| set_indexes(bag, &["Title"]))).unwrap();
    let ready = || {
        let mut view = now(second.site(&ada).begin()).unwrap();
        let list = now(view.list(list)).unwrap();
        now(view.ready_indexes(&list)).unwrap().len()
    };
    assert_eq!(ready(), 0);
    drop((first, site));
    now(second.engine.recover()).unwrap();
    assert_eq!(ready(), 1);
}

/// Whatever a node remembers, another one may have changed.
#[test]
fn what_another_node_changes_counts_at_once() {
    let (store, first, second, ada) = nodes(0);
    team(&first, &ada);
    let sites = [first.site(&ada), second.site(&ada)];
    let (list, _) = tasks(&sites[0]);
    now(sites[1].create_row(list, titled("before"))).unwrap();
    // An index that is switched on by one is kept up by the other, and one that was switched off is not.
    let keys = || {
        let mut view = now(store.snapshot(sites[0].entry().root)).unwrap();
        let range = store::KeyRange::ALL;
        (1..4)
            .map(|index| {
                now(view.keys(list, index, &range, store::Direction::Ascending, None, 100)).unwrap().rows.len()
            })
            .collect::<Vec<_>>()
    };
    now(sites[0].update_list(list, &|bag| set_indexes(bag, &["Title"]))).unwrap();
    now(sites[1].create_row(list, titled("after"))).unwrap();
    assert_eq!(keys(), [2, 0, 0]);
    now(sites[1].update_list(list, &|bag| set_indexes(bag, &["Body"]))).unwrap();
    now(sites[0].create_row(list, titled("later"))).unwrap();
    assert_eq!(keys(), [0, 3, 0]);
    // A list that the other has removed.
    now(sites[1].drop_list(list)).unwrap();
    assert_eq!(now(sites[0].create_row(list, titled("gone"))).err(), Some(EngineError::NoCollection(list)));
    // A site that is removed, and another one under its path.
    now(first.engine.directory().remove_site("/sites/team")).unwrap();
    assert_eq!(now(second.engine.open_site(&ada, "/sites/team")).err(), Some(EngineError::NoSite));
    assert_eq!(now(sites[1].begin()).err(), Some(EngineError::NoSite));
    team(&first, &ada);
    assert_ne!(second.site(&ada).entry().root, sites[1].entry().root);
    assert_eq!(tasks(&second.site(&ada)).0, tasks(&first.site(&ada)).0);
    // An account that is removed, and another one with its address: its states are worth nothing.
    let mailbox = now(second.engine.open_mailbox(&ada, MailboxName::Own)).unwrap();
    let inbox = folder_named(&mailbox, "inbox");
    let state = sync(&mailbox, inbox, None).state;
    now(first.engine.directory().remove_account("ada@example.com")).unwrap();
    assert!(now(mailbox.begin()).is_err());
    let other = now(first.engine.directory().add_account(account("ada@example.com"))).unwrap().caller;
    assert_ne!(other.account, ada.account);
    let mailbox = now(second.engine.open_mailbox(&other, MailboxName::Own)).unwrap();
    let refused = now(mailbox.sync_items(crate::ask(inbox, Some(&state)))).err();
    assert_eq!(refused, Some(EngineError::InvalidState(StateFault::Mismatch)));
    // A password that is changed.
    now(first.engine.directory().set_password("ada@example.com", "other")).unwrap();
    let seen = now(second.engine.directory().account("ada@example.com")).unwrap().unwrap();
    assert_eq!(seen.password_hash, "other");
}

/// States and tokens of one node are served by the other, whichever clock is ahead, and nothing is skipped.
#[test]
fn clocks_may_differ() {
    for ahead in [300, -300] {
        let (_, first, second, ada) = nodes(ahead);
        let both = [&first, &second];
        team(&first, &ada);
        // A mailbox.
        let mailboxes = both.map(|node| now(node.engine.open_mailbox(&ada, MailboxName::Own)).unwrap());
        let inbox = folder_named(&mailboxes[0], "inbox");
        let mut state = sync(&mailboxes[0], inbox, None).state;
        for turn in 0..6 {
            let (writes, reads) = (&mailboxes[turn % 2], &mailboxes[(turn / 2) % 2]);
            let row = now(writes.create_item(inbox, message("x"), ItemFlags::default())).unwrap();
            let page = sync(reads, inbox, Some(&state));
            assert_eq!(crate::shape(&page.changes), format!("C{}", row.item), "{ahead} {turn}");
            state = page.state;
        }
        // A list: by the tokens of listings and of answers.
        let sites = both.map(|node| node.site(&ada));
        let (list, guid) = tasks(&sites[0]);
        let issue = |site: &Site| token(site, guid);
        let mut token = issue(&sites[0]);
        for turn in 0..6 {
            let (writes, reads) = (&sites[turn % 2], &sites[(turn / 2) % 2]);
            let row = now(writes.create_row(list, titled("x"))).unwrap().item.number();
            let (rows, next) = ask(reads, list, &token).unwrap();
            assert_eq!(rows, [row], "{ahead} {turn}");
            token = if turn % 3 == 0 { issue(reads) } else { next };
        }
        // By a time that one of them has told.
        for (tells, writes) in [(0, 1), (1, 0)] {
            let told = ListToken { list: guid, at: both[tells].clock.now(), position: None };
            let row = now(sites[writes].create_row(list, titled("x"))).unwrap().item.number();
            for site in &sites {
                assert!(ask(site, list, &told).unwrap().0.contains(&row), "{ahead} {tells}");
            }
            // Later minutes.
            both.iter().for_each(|node| node.clock.advance(90));
        }
    }
}

/// A store that is put back: what is issued from then on is served everywhere, and what was issued after the copy nowhere,
/// whatever the clocks of the nodes say that issued it, wrote first, and are asked.
#[test]
fn clocks_may_differ_around_a_fail_over() {
    for [issued, wrote, asked] in [[300, 0, 0], [0, 300, 0], [0, 0, 300], [300, 0, 300], [0, 300, 300], [300, 300, 0]] {
        let store = Arc::new(MemoryStore::new(1));
        let lost = node(store.clone(), 1, issued);
        let ada = now(lost.engine.directory().add_account(account("ada@example.com"))).unwrap().caller;
        team(&lost, &ada);
        let site = lost.site(&ada);
        let (list, guid) = tasks(&site);
        let token = |site: &Site| token(site, guid);
        now(site.create_row(list, titled("kept"))).unwrap();
        let before = token(&site);
        let copy = Arc::new(store.restored(2));
        now(site.create_row(list, titled("lost"))).unwrap();
        let after = token(&site);
        // The fail-over takes a second.
        let (writer, reader) = (node(copy.clone(), 2, wrote + 1), node(copy, 3, asked + 1));
        now(writer.site(&ada).create_row(list, titled("new"))).unwrap();
        now(writer.site(&ada).create_row(list, titled("newer"))).unwrap();
        let case = format!("{issued} {wrote} {asked}");
        for node in [&writer, &reader] {
            let site = node.site(&ada);
            let refused = Err(EngineError::InvalidState(StateFault::LostTimeline));
            assert_eq!(ask(&site, list, &after).map(|page| page.0), refused, "{case}");
            assert_eq!(ask(&site, list, &before).map(|page| page.0), Ok(vec![2, 3]), "{case}");
        }
        for [issues, serves] in [[&writer, &reader], [&reader, &writer]] {
            let fresh = token(&issues.site(&ada));
            let (_, next) = ask(&serves.site(&ada), list, &fresh).unwrap();
            assert_eq!(ask(&issues.site(&ada), list, &next).map(|page| page.0), Ok(Vec::new()), "{case}");
        }
    }
}
