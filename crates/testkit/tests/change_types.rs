//! Every ChangeType that a client of GetListItemChangesSinceToken may meet, by what brings it about, over SOAP and REST.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use model::Time;
use serde_json::Value as Json;
use testkit::{
    lists::{ListAsk, ListPage, Lists, method, number},
    server::{ANNA, SITE, TestServer, stores},
};

const FILE_FIELDS: &str = "<ViewFields xmlns=''><FieldRef Name='Title'/><FieldRef Name='FileRef'/></ViewFields>";

/// Kinds and numbers of the Ids; numbers and titles of the rows.
type News = (Vec<(String, Option<u32>)>, Vec<(u32, String)>);

fn each(test: impl Fn(&TestServer, &Lists)) {
    for kind in stores("each") {
        let server = TestServer::at(kind, Time::from_date(2026, 3, 4));
        test(&server, &server.lists(ANNA));
    }
}

/// The answer, which must be the same over SOAP and over REST.
fn changes(lists: &Lists, list: &str, token: Option<&str>) -> ListPage {
    let ask = ListAsk { list, token, fields: Some(FILE_FIELDS), ..ListAsk::default() };
    let page = lists.changes(&ask);
    assert_eq!(lists.changes_over_rest(&ask), page);
    page
}

fn start(lists: &Lists, list: &str) -> String {
    changes(lists, list, None).token
}

/// What came since a token.
fn since(lists: &Lists, list: &str, token: &str) -> News {
    let page = changes(lists, list, Some(token));
    let row = |row: &testkit::lists::Row| (number(row), row.get("Title").cloned().unwrap_or_default());
    (page.ids.clone(), page.rows.iter().map(row).collect())
}

fn id(kind: &str, number: u32) -> (String, Option<u32>) {
    (kind.to_owned(), Some(number))
}

fn done(lists: &Lists, list: &str, methods: &str) {
    assert_eq!(lists.update(list, methods)[0].code, "0x00000000", "{methods}");
}

fn delete(lists: &Lists, list: &str, row: u32) {
    done(lists, list, &method("Delete", Some(row), &[]));
}

fn rest(lists: &Lists, verb: &str, path: &str, body: &str) -> Json {
    let answer = lists.rest(verb, path, &[], body);
    assert!((200..300).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    serde_json::from_str(answer.text()).unwrap_or_default()
}

fn refused(lists: &Lists, verb: &str, path: &str) -> u16 {
    lists.rest(verb, path, &[], "").status
}

/// The ids of the entries of the recycle bin, the latest first.
fn bin(lists: &Lists) -> Vec<String> {
    let bin = rest(lists, "GET", "web/recyclebin", "");
    bin["value"].as_array().unwrap().iter().map(|entry| entry["Id"].as_str().unwrap().to_owned()).collect()
}

fn restore(lists: &Lists, entry: &str) {
    rest(lists, "POST", &format!("web/recyclebin('{entry}')/restore()"), "");
}

fn put(lists: &Lists, path: &str) {
    let answer = lists.http().send("PUT", &format!("{SITE}/{path}"), &[("content-type", "text/plain")], path);
    assert_eq!(answer.status, 201, "{path}: {}", answer.text());
}

#[test]
fn change_type_delete() {
    each(|_, lists| {
        for title in ["a", "b", "c"] {
            lists.create("Tasks", &[("Title", title)]);
        }
        let token = start(lists, "Tasks");
        delete(lists, "Tasks", 1);
        rest(lists, "DELETE", "web/lists/getbytitle('Tasks')/items(2)", "");
        rest(lists, "POST", "web/lists/getbytitle('Tasks')/items(3)/recycle()", "");
        let expected = vec![id("Delete", 1), id("Delete", 2), id("Delete", 3)];
        assert_eq!(since(lists, "Tasks", &token), (expected, vec![]));
        // The verb DELETE is for good.
        assert_eq!(bin(lists).len(), 2);
    });
}

#[test]
fn change_type_restore() {
    each(|server, lists| {
        lists.create("Tasks", &[("Title", "a")]);
        lists.create("Tasks", &[("Title", "b")]);
        let before = start(lists, "Tasks");
        delete(lists, "Tasks", 1);
        let between = start(lists, "Tasks");
        server.advance(60);
        restore(lists, &bin(lists)[0]);
        // Deleted and restored since the token, and deleted before it.
        for token in [&before, &between] {
            assert_eq!(since(lists, "Tasks", token), (vec![id("Restore", 1)], vec![(1, "a".into())]));
        }
        // In pages: the deletion does not come, whichever answer the row is in.
        done(lists, "Tasks", &method("Update", Some(2), &[("Title", "B")]));
        let ask = ListAsk { list: "Tasks", token: Some(&between), rows_max: Some(1), ..ListAsk::default() };
        let first = lists.changes(&ask);
        assert_eq!((first.ids, first.more.as_deref()), (vec![id("Restore", 1)], Some("TRUE")));
        assert_eq!(first.rows.iter().map(number).collect::<Vec<_>>(), [1]);
        assert_eq!(since(lists, "Tasks", &first.token), (vec![], vec![(2, "B".into())]));
        // Deleted again.
        delete(lists, "Tasks", 1);
        assert_eq!(since(lists, "Tasks", &before), (vec![id("Delete", 1)], vec![(2, "B".into())]));
    });
}

#[test]
fn change_type_restore_of_a_folder() {
    each(|_, lists| {
        done(lists, "Documents", &method("New", None, &[("FSObjType", "1"), ("BaseName", "F")]));
        put(lists, "Documents/F/a.txt");
        put(lists, "Documents/b.txt");
        let token = start(lists, "Documents");
        assert_eq!(lists.http().send("DELETE", &format!("{SITE}/Documents/F"), &[], "").status, 204);
        assert_eq!(since(lists, "Documents", &token).0, [id("Delete", 1), id("Delete", 2)]);
        assert_eq!(lists.http().send("GET", &format!("{SITE}/Documents/F/a.txt"), &[], "").status, 404);
        let entry = rest(lists, "GET", "web/recyclebin", "")["value"][0].clone();
        assert_eq!((&entry["ItemType"], &entry["LeafName"]), (&Json::from(5), &Json::from("F")));
        restore(lists, entry["Id"].as_str().unwrap());
        let page = changes(lists, "Documents", Some(&token));
        assert_eq!(page.ids, [id("Restore", 1), id("Restore", 2)]);
        let paths: Vec<&str> = page.rows.iter().map(|row| row["FileRef"].as_str()).collect();
        assert_eq!(paths, ["1;#sites/team/Documents/F", "2;#sites/team/Documents/F/a.txt"]);
        let file = lists.http().send("GET", &format!("{SITE}/Documents/F/a.txt"), &[], "");
        assert_eq!(file.text(), "Documents/F/a.txt");
    });
}

#[test]
fn change_type_restore_of_a_list() {
    each(|_, lists| {
        lists.create("Tasks", &[("Title", "a")]);
        let token = start(lists, "Tasks");
        let guid = rest(lists, "GET", "web/lists/getbytitle('Tasks')", "")["Id"].clone();
        let entry = rest(lists, "POST", "web/lists/getbytitle('Tasks')/recycle()", "")["value"].clone();
        assert_eq!(refused(lists, "GET", "web/lists/getbytitle('Tasks')"), 404);
        assert!(lists.definition("Tasks").fault().is_some());
        let entry = entry.as_str().unwrap();
        // The title is taken meanwhile: nothing changes.
        let other = lists.add("Tasks", 100);
        assert_eq!(refused(lists, "POST", &format!("web/recyclebin('{entry}')/restore()")), 409);
        rest(lists, "DELETE", &format!("web/lists('{other}')"), "");
        restore(lists, entry);
        assert_eq!(rest(lists, "GET", "web/lists/getbytitle('Tasks')", "")["Id"], guid);
        // Without a number: the client starts anew.
        assert_eq!(since(lists, "Tasks", &token), (vec![("Restore".into(), None)], vec![]));
        let fresh = changes(lists, "Tasks", None);
        assert_eq!(fresh.rows.len(), 1);
        assert_eq!(since(lists, "Tasks", &fresh.token), (vec![], vec![]));
    });
}

#[test]
fn change_type_rename() {
    each(|_, lists| {
        put(lists, "Documents/a.txt");
        let token = start(lists, "Documents");
        done(lists, "Documents", &method("Update", Some(1), &[("BaseName", "b")]));
        let page = changes(lists, "Documents", Some(&token));
        assert_eq!(page.ids, [id("Rename", 1)]);
        assert_eq!(page.rows[0]["FileRef"], "1;#sites/team/Documents/b.txt");
    });
}

#[test]
fn change_type_move_away() {
    each(|_, lists| {
        lists.add("Other", 101);
        put(lists, "Documents/a.txt");
        let token = start(lists, "Documents");
        let there = start(lists, "Other");
        let to = format!("{}{SITE}/Other/a.txt", lists.http().base());
        let answer = lists.http().send("MOVE", &format!("{SITE}/Documents/a.txt"), &[("destination", &to)], "");
        assert_eq!(answer.status, 201);
        assert_eq!(since(lists, "Documents", &token), (vec![id("MoveAway", 1)], vec![]));
        assert_eq!(changes(lists, "Other", Some(&there)).rows[0]["FileRef"], "1;#sites/team/Other/a.txt");
    });
}

#[test]
fn change_type_system_update() {
    each(|server, lists| {
        lists.create("Tasks", &[("Title", "a")]);
        let before = changes(lists, "Tasks", None);
        server.advance(60);
        let body = r#"{"formValues":[{"FieldName":"Title","FieldValue":"b"}],"bNewDocumentUpdate":true}"#;
        rest(lists, "POST", "web/lists/getbytitle('Tasks')/items(1)/ValidateUpdateListItem()", body);
        let page = changes(lists, "Tasks", Some(&before.token));
        assert_eq!(page.ids, [id("SystemUpdate", 1)]);
        let shown = |row: &testkit::lists::Row| ["Title", "owshiddenversion", "Modified"].map(|name| row[name].clone());
        assert_eq!(shown(&page.rows[0]), ["b", "1", "2026-03-04T00:00:00Z"]);
        // An ordinary change says nothing by name.
        done(lists, "Tasks", &method("Update", Some(1), &[("Title", "c")]));
        assert_eq!(since(lists, "Tasks", &page.token), (vec![], vec![(1, "c".into())]));
    });
}

#[test]
fn change_type_invalid_token() {
    each(|server, lists| {
        lists.create("Tasks", &[("Title", "a")]);
        let foreign = start(lists, "Announcements");
        assert_eq!(since(lists, "Tasks", &foreign), (vec![("InvalidToken".into(), None)], vec![]));
        let old = start(lists, "Tasks");
        delete(lists, "Tasks", 1);
        server.advance(61 * 86_400);
        server.trim();
        assert_eq!(since(lists, "Tasks", &old), (vec![("InvalidToken".into(), None)], vec![]));
    });
}
