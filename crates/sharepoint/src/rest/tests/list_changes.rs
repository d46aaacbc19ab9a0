//! GetChanges: kinds, order, bounds.

use serde_json::{Value as Json, json};

use super::TASKS;
use crate::tests::Server;

async fn ask(server: &Server, list: &str, more: Json) -> Vec<Json> {
    let mut query = json!({ "Item": true, "File": true, "Folder": true, "List": true });
    for flag in ["Add", "Update", "DeleteObject", "Rename", "Move", "Restore", "SystemUpdate"] {
        query[flag] = json!(true);
    }
    for (name, value) in more.as_object().unwrap() {
        query[name] = value.clone();
    }
    let page = server.post(&format!("web/lists/getbytitle('{list}')/getchanges"), &json!({ "query": query })).await;
    page["value"].as_array().unwrap().clone()
}

fn kinds(page: &[Json]) -> Vec<(i64, Option<i64>)> {
    page.iter().map(|one| (one["ChangeType"].as_i64().unwrap(), one["ItemId"].as_i64())).collect()
}

async fn token(server: &Server, list: &str) -> Json {
    let list = server.get(&format!("web/lists/getbytitle('{list}')?$select=CurrentChangeToken")).await;
    list["CurrentChangeToken"].clone()
}

async fn restore(server: &Server) {
    let reply = server.send("POST", "web/recyclebin/restoreall()", &[], "").await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test]
async fn the_oldest_comes_first_and_each_leads_on() {
    let server = Server::start().await;
    server.add("Tasks", &["a", "b"]).await;
    let start = token(&server, "Tasks").await;
    server.post(&format!("{TASKS}/items(1)/recycle()"), &json!({})).await;
    server.send("PATCH", &format!("{TASKS}/items(2)"), &[], r#"{"Title":"x"}"#).await;
    server.clock.advance(3_600);
    restore(&server).await;
    let values = json!({ "formValues": [{ "FieldName": "Title", "FieldValue": "y" }], "bNewDocumentUpdate": true });
    server.post(&format!("{TASKS}/items(2)/ValidateUpdateListItem()"), &values).await;
    server.add("Tasks", &["c", "gone"]).await;
    server.send("DELETE", &format!("{TASKS}/items(4)"), &[], "").await;
    let all = ask(&server, "Tasks", json!({ "ChangeTokenStart": start })).await;
    let expected = [(7, Some(1)), (15, Some(2)), (1, Some(3)), (3, Some(4))];
    assert_eq!(kinds(&all), expected);
    assert_eq!((&all[0]["Time"], &all[3]["Time"]), (&json!("2026-03-04T06:06:07Z"), &json!("2026-03-04T06:06:07Z")));
    // From each on, and up to each.
    for at in 0..all.len() {
        let behind = ask(&server, "Tasks", json!({ "ChangeTokenStart": all[at]["ChangeToken"] })).await;
        assert_eq!(kinds(&behind), expected[at + 1..], "behind {at}");
        let query = json!({ "ChangeTokenStart": start, "ChangeTokenEnd": all[at]["ChangeToken"] });
        assert_eq!(kinds(&ask(&server, "Tasks", query).await), expected[..=at], "up to {at}");
    }
    // In small answers the same comes, in the same order.
    let (mut found, mut from) = (Vec::new(), start.clone());
    loop {
        let page = ask(&server, "Tasks", json!({ "ChangeTokenStart": from, "FetchLimit": 1 })).await;
        let Some(last) = page.last() else { break };
        assert_eq!(page.len(), 1);
        found.extend(kinds(&page));
        from = last["ChangeToken"].clone();
    }
    assert_eq!(found, expected);
    // What is not asked for is passed over.
    let query =
        json!({ "ChangeTokenStart": start, "FetchLimit": 1, "Restore": false, "SystemUpdate": false, "Add": false });
    assert_eq!(kinds(&ask(&server, "Tasks", query).await), [(3, Some(4))]);
}

#[tokio::test]
async fn files_lists_and_what_came_back() {
    let server = Server::start().await;
    for name in ["a", "b"] {
        server.file("PUT", &format!("/sites/team/Documents/{name}.txt"), &[], name).await;
    }
    let other = server.post("web/lists", &json!({ "Title": "Other", "BaseTemplate": 101 })).await;
    assert!(other["Id"].is_string());
    let start = token(&server, "Documents").await;
    let destination = [("destination", "http://h:8080/sites/team/Other/b.txt")];
    server.file("MOVE", "/sites/team/Documents/b.txt", &destination, "").await;
    server
        .update(
            "Documents",
            "<Method ID='1' Cmd='Update'><Field Name='ID'>1</Field><Field Name='BaseName'>c</Field></Method>",
        )
        .await;
    server.send("MERGE", "web/lists/getbytitle('Documents')", &[], r#"{"Description":"d"}"#).await;
    let all = ask(&server, "Documents", json!({ "ChangeTokenStart": start })).await;
    assert_eq!(kinds(&all), [(5, Some(2)), (4, Some(1)), (2, Some(1)), (2, None)]);
    server.post("web/lists/getbytitle('Documents')/recycle()", &json!({})).await;
    restore(&server).await;
    let back = ask(&server, "Documents", json!({ "ChangeTokenStart": start })).await;
    assert_eq!(kinds(&back), [(7, None)]);
    assert_eq!(kinds(&ask(&server, "Documents", json!({ "ChangeTokenStart": back[0]["ChangeToken"] })).await), []);
}
