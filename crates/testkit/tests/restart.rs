//! States and tokens across starts of the server, and after an older copy of its data was put back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{fs, path::Path};

use testkit::{
    ews::{Ews, ItemAsk, ItemEntry, ItemPage, distinguished},
    lists::{ListAsk, ListPage, Lists, number},
    server::{ANNA, TestServer},
};

const LIST: &str = "Things";

fn sync(ews: &Ews, state: Option<&str>) -> Result<ItemPage, String> {
    let folder = distinguished("inbox");
    ews.sync_items(&ItemAsk { folder: &folder, state, ignore: &[], changes_max: 100, associated: false })
}

fn changes(lists: &Lists, token: Option<&str>) -> ListPage {
    lists.changes(&ListAsk { list: LIST, token, ..ListAsk::default() })
}

/// The subjects of what was created; nothing else has happened.
fn subjects(page: &ItemPage) -> Vec<&str> {
    fn subject(entry: &ItemEntry) -> &str {
        let ItemEntry::Create(_, state) = entry else { panic!("{entry:?}") };
        &state.subject
    }
    page.entries.iter().map(subject).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_was_issued_before_a_restart_goes_on() {
    let mut server = TestServer::sqlite();
    server.lists(ANNA).add(LIST, 100);
    let (mut state, mut folders, mut token) = (None, None, None);
    for start in 1..4 {
        let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
        let page = sync(&ews, state.as_deref()).unwrap();
        let expected: &[&str] = if start == 1 { &[] } else { &["made before the restart"] };
        assert_eq!(subjects(&page), expected, "start {start}");
        let rows = changes(&lists, token.as_deref());
        assert_eq!((rows.rows.len(), rows.ids.len()), (expected.len(), 0), "start {start}: {rows:?}");
        let hierarchy = ews.sync_folders(None, folders.as_deref()).unwrap();
        assert_eq!(hierarchy.entries.len().min(2), if start == 1 { 2 } else { 1 }, "start {start}");
        ews.create_message(&distinguished("inbox"), "made before the restart");
        ews.create_folder(&distinguished("inbox"), &format!("made before start {start}")).unwrap();
        lists.create(LIST, &[("Title", "x")]);
        (state, folders, token) = (Some(page.state), Some(hierarchy.state), Some(rows.token));
        server = TestServer::reopen(server.stop(), start);
    }
}

#[test]
fn what_was_issued_after_an_older_copy_is_refused() {
    let server = TestServer::sqlite();
    let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
    lists.add(LIST, 100);
    ews.create_message(&distinguished("inbox"), "before the copy");
    lists.create(LIST, &[("Title", "before the copy")]);
    let state_before = sync(&ews, None).unwrap().state;
    let token_before = changes(&lists, None).token;
    let folder = server.stop();
    let older = tempfile::tempdir().unwrap();
    copy(folder.path(), older.path());

    let server = TestServer::reopen(folder, 1);
    let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
    for _ in 0..3 {
        ews.create_message(&distinguished("inbox"), "lost");
        lists.create(LIST, &[("Title", "lost")]);
    }
    let state_lost = sync(&ews, Some(&state_before)).unwrap().state;
    let folders_lost = ews.sync_folders(None, None).unwrap().state;
    let token_lost = changes(&lists, Some(&token_before)).token;
    drop(server.stop());

    // The copy is put back, and goes on past the positions that were lost.
    let server = TestServer::reopen(older, 2);
    let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
    let refused = || {
        assert_eq!(sync(&ews, Some(&state_lost)), Err("ErrorInvalidSyncStateData".to_owned()));
        let hierarchy = ews.sync_folders(None, Some(&folders_lost)).map(|page| page.entries);
        assert_eq!(hierarchy, Err("ErrorInvalidSyncStateData".to_owned()));
        assert_eq!(changes(&lists, Some(&token_lost)).ids, [("InvalidToken".to_owned(), None)]);
    };
    refused();
    for _ in 0..6 {
        ews.create_message(&distinguished("inbox"), "after the copy");
        lists.create(LIST, &[("Title", "after the copy")]);
    }
    refused();
    // What was issued before the copy is served.
    assert_eq!(subjects(&sync(&ews, Some(&state_before)).unwrap()), ["after the copy"; 6]);
    let rows = changes(&lists, Some(&token_before)).rows;
    assert_eq!(rows.iter().map(number).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
}
