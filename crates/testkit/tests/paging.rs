//! How much one answer holds, and that the rest follows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeSet;

use testkit::{
    ews::{Ews, ItemAsk, ItemEntry, distinguished},
    lists::{ListAsk, Lists, method, number, with_position},
    server::{ANNA, TestServer, stores},
    stream::Stream,
};

/// Uploads `count` messages into the inbox.
fn fill(ews: &Ews, count: usize) {
    let inbox = ews.folder(&distinguished("inbox"));
    let data: Vec<_> = (0..count)
        .map(|number| Stream::message("IPM.Note", &number.to_string()).recipients_follow().attachments_follow().data())
        .collect();
    for outcome in ews.upload(&inbox, false, &data) {
        outcome.unwrap();
    }
}

#[test]
fn at_most_512_changes_and_then_the_rest() {
    for kind in stores("at_most_512_changes_and_then_the_rest") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        fill(&ews, 520);
        let ask = |state: Option<&str>, changes_max| {
            let folder = distinguished("inbox");
            ews.sync_items(&ItemAsk { folder: &folder, state, ignore: &[], changes_max, associated: false }).unwrap()
        };
        let first = ask(None, 512);
        assert_eq!((first.entries.len(), first.last), (512, false));
        let second = ask(Some(&first.state), 512);
        assert_eq!((second.entries.len(), second.last), (8, true));
        // Newest first, across pages.
        let subjects = first.entries.iter().chain(&second.entries).map(|entry| {
            let ItemEntry::Create(_, state) = entry else { panic!("{entry:?}") };
            state.subject.parse::<usize>().unwrap()
        });
        assert_eq!(subjects.collect::<Vec<_>>(), (0..520).rev().collect::<Vec<_>>());
        // A last page that is exactly full knows that it is the last.
        let first = ask(None, 260);
        assert!(!first.last);
        let second = ask(Some(&first.state), 260);
        assert_eq!((second.entries.len(), second.last), (260, true));
        assert!(ask(Some(&second.state), 260).entries.is_empty());
        // The first state is as good as it was.
        assert_eq!(ask(Some(&first.state), 260).entries, second.entries);
    }
}

fn add(lists: &Lists, list: &str, count: usize) {
    let methods: String = (0..count).map(|title| method("New", None, &[("Title", &title.to_string())])).collect();
    let outcomes = lists.update(list, &methods);
    assert_eq!(outcomes.len(), count);
    assert!(outcomes.iter().all(|outcome| outcome.code == "0x00000000"), "{outcomes:?}");
}

#[test]
fn forty_rows_to_a_token_and_then_the_rest() {
    for kind in stores("forty_rows_to_a_token_and_then_the_rest") {
        let server = TestServer::start(kind);
        let lists = server.lists(ANNA);
        lists.add("Things", 100);
        let ask = |token: Option<&str>, rows_max| {
            lists.changes(&ListAsk { list: "Things", token, rows_max, ..ListAsk::default() })
        };
        let numbers = |page: &testkit::lists::ListPage| page.rows.iter().map(number).collect::<Vec<_>>();
        let start = ask(None, None);
        assert!(start.rows.is_empty() && start.definition && start.more.is_none());
        add(&lists, "Things", 45);
        let first = ask(Some(&start.token), None);
        assert_eq!((first.rows.len(), first.more.as_deref()), (40, Some("TRUE")));
        let second = ask(Some(&first.token), None);
        assert_eq!((numbers(&second), second.more), ((41..=45).collect(), None));
        assert!(ask(Some(&second.token), None).rows.is_empty());
        // Without a token and a limit the whole list comes.
        assert_eq!(ask(None, None).rows.len(), 45);
        // Deletions do not count.
        let deletions: String = (1..=30).map(|number| method("Delete", Some(number), &[])).collect();
        lists.update("Things", &deletions);
        add(&lists, "Things", 5);
        let mixed = ask(Some(&second.token), Some(5));
        assert_eq!((numbers(&mixed), mixed.more), ((46..=50).collect(), None));
        let deleted: BTreeSet<_> = mixed.ids.into_iter().map(|(kind, id)| (kind, id.unwrap())).collect();
        assert_eq!(deleted, (1..=30).map(|id| ("Delete".to_owned(), id)).collect());
        // A listing in pages does not miss what is changed meanwhile.
        let first = ask(None, Some(7));
        assert_eq!(numbers(&first), (31..=37).collect::<Vec<_>>());
        lists.update("Things", &method("Update", Some(33), &[("Title", "changed meanwhile")]));
        let mut position = first.position.clone();
        let mut listed = numbers(&first);
        let mut token = first.token.clone();
        while let Some(bookmark) = position {
            let options = with_position(None, &bookmark);
            let page = lists.changes(&ListAsk {
                list: "Things",
                options: Some(&options),
                rows_max: Some(7),
                ..ListAsk::default()
            });
            listed.extend(numbers(&page));
            (position, token) = (page.position, page.token);
        }
        assert_eq!(listed, (31..=50).collect::<Vec<_>>());
        assert_eq!(numbers(&ask(Some(&token), None)), [33]);
    }
}

/// A row that comes during a listing, is listed, and then no longer matches: the client has it and must be told.
#[test]
fn what_leaves_the_query_during_a_listing_is_told() {
    for kind in stores("what_leaves_the_query_during_a_listing_is_told") {
        let server = TestServer::start(kind);
        let lists = server.lists(ANNA);
        lists.add("Things", 100);
        let query = "<Query xmlns=''><Where><BeginsWith><FieldRef Name='Title'/><Value Type='Text'>a</Value></BeginsWith>\
                     </Where></Query>";
        for title in ["a1", "a2"] {
            lists.create("Things", &[("Title", title)]);
        }
        let ask = ListAsk { list: "Things", query: Some(query), rows_max: Some(1), ..ListAsk::default() };
        let first = lists.changes(&ask);
        lists.create("Things", &[("Title", "a3")]);
        let (mut position, mut listed, mut token) = (first.position, 1, first.token);
        while let Some(bookmark) = position {
            let options = with_position(None, &bookmark);
            let page = lists.changes(&ListAsk { options: Some(&options), ..ask });
            listed += page.rows.len();
            (position, token) = (page.position, page.token);
        }
        assert_eq!(listed, 3);
        lists.update("Things", &method("Update", Some(3), &[("Title", "b3")]));
        let page = lists.changes(&ListAsk { token: Some(&token), rows_max: None, ..ask });
        assert_eq!(page.ids, [("Delete".to_owned(), Some(3))]);
        assert!(page.rows.is_empty());
    }
}
