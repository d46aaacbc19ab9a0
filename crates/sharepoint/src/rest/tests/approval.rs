//! Approval of rows: who sees what meanwhile, over both protocols.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{TASKS, titles};
use crate::tests::{Reply, Server};

async fn moderate(server: &Server, list: &str, flag: &str) {
    let parameters =
        format!("<listName>{list}</listName><listProperties><List EnableModeration=\"{flag}\"/></listProperties>");
    server.lists("UpdateList", &parameters).await;
}

async fn changes(server: &Server, token: &str) -> Reply {
    let parameters = format!("<listName>Tasks</listName><changeToken>{token}</changeToken>");
    server.lists("GetListItemChangesSinceToken", &parameters).await
}

fn method(command: &str, number: u32, status: &str) -> String {
    format!(
        "<Method ID='1' Cmd='{command}'><Field Name='ID'>{number}</Field>\
         <Field Name='_ModerationStatus'>{status}</Field></Method>"
    )
}

async fn code(server: &Server, methods: &str) -> String {
    server.update("Tasks", methods).await.value("Result/ErrorCode")
}

fn token(reply: &Reply) -> String {
    reply.value("Changes/@LastChangeToken")
}

#[tokio::test]
async fn rows_wait_until_somebody_approves() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    let third = server.as_another("third@example.org").await;
    server.add("Tasks", &["old"]).await;
    assert_eq!(code(&server, &method("Moderate", 1, "0")).await, "0x81020014");
    moderate(&server, "Tasks", "TRUE").await;
    assert_eq!(server.lists("GetList", "<listName>Tasks</listName>").await.value("List/@EnableModeration"), "True");
    assert_eq!(server.get(&format!("{TASKS}/EnableModeration")).await["value"], true);
    // What was there is approved.
    let start = changes(&third, "").await;
    assert_eq!(start.values("row/@ows__ModerationStatus"), ["0"]);
    guest.add("Tasks", &["mine"]).await;
    let status = |reply: &Reply| reply.values("row/@ows__ModerationStatus");
    assert_eq!(status(&changes(&guest, "").await), ["0", "2"]);
    assert_eq!(status(&changes(&server, "").await), ["0", "2"]);
    assert_eq!(status(&changes(&third, "").await), ["0"]);
    assert_eq!(titles(&third.get(&format!("{TASKS}/items")).await), ["old"]);
    // Those who write do not approve.
    assert_eq!(code(&guest, &method("Moderate", 2, "0")).await, "0x80070005");
    assert_eq!(code(&guest, &method("Update", 2, "0")).await, "0x80070005");
    assert_eq!(code(&third, &method("Update", 2, "3")).await, "0x81020016");
    assert_eq!(code(&guest, &method("Moderate", 2, "3")).await, "0x00000000");
    for bad in ["5", "-1", "x", ""] {
        assert_eq!(code(&server, &method("Moderate", 2, bad)).await, "0x81020014", "{bad}");
    }
    let other = "<Method ID='1' Cmd='Moderate'><Field Name='ID'>2</Field><Field Name='Title'>x</Field></Method>";
    assert_eq!(code(&server, other).await, "0x81020014");
    let waiting = changes(&third, &token(&start)).await;
    assert_eq!(waiting.values("row").len(), 0);
    let reply = server.update("Tasks", &method("Moderate", 2, "0")).await;
    assert_eq!(
        (reply.value("row/@ows__ModerationStatus"), reply.value("Result/@ID")),
        ("0".into(), "1,Moderate".into())
    );
    let approved = changes(&third, &token(&waiting)).await;
    assert_eq!((approved.values("row/@ows_Title"), status(&approved)), (vec!["mine".into()], vec!["0".into()]));

    // A change waits anew: gone for others.
    let path = format!("{TASKS}/items(2)");
    assert_eq!(guest.send("MERGE", &path, &[], r#"{"Title":"changed"}"#).await.status, StatusCode::NO_CONTENT);
    let gone = changes(&third, &token(&approved)).await;
    assert_eq!((gone.value("Id/@ChangeType"), gone.value("Id")), ("Delete".into(), "2".into()));
    assert_eq!(third.refused("GET", &path, "").await.0, StatusCode::NOT_FOUND);
    // Over REST: by the status, with a comment.
    let body = r#"{"OData__ModerationStatus":0,"OData__ModerationComments":"fine"}"#;
    assert_eq!(guest.refused("MERGE", &path, body).await.0, StatusCode::FORBIDDEN);
    assert_eq!(server.send("MERGE", &path, &[], body).await.status, StatusCode::NO_CONTENT);
    let item = third.get(&format!("{path}?$select=Title,OData__ModerationStatus,OData__ModerationComments")).await;
    let shown = [&item["Title"], &item["OData__ModerationStatus"], &item["OData__ModerationComments"]];
    assert_eq!(shown, [&json!("changed"), &json!(0), &json!("fine")]);

    // Turned off, everything is seen, also by those who hold a token.
    guest.add("Tasks", &["waits"]).await;
    let before = changes(&third, "").await;
    assert_eq!(before.values("row").len(), 2);
    moderate(&server, "Tasks", "FALSE").await;
    let after = changes(&third, &token(&before)).await;
    assert_eq!((after.values("row/@ows_Title"), status(&after)), (vec!["waits".into()], vec!["0".into()]));
}

#[tokio::test]
async fn views_by_approval() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    server.add("Tasks", &["old"]).await;
    let turned_on = server.send("MERGE", TASKS, &[("if-match", "*")], r#"{"EnableModeration":true}"#).await;
    assert_eq!(turned_on.status, StatusCode::NO_CONTENT);
    guest.add("Tasks", &["mine"]).await;
    server.add("Tasks", &["owners"]).await;
    let list = async |who: &Server, kind: &str| {
        let parameters = format!(
            "<listName>Tasks</listName><queryOptions><QueryOptions><ViewAttributes Scope=\"RecursiveAll\" \
             ModerationType=\"{kind}\"/></QueryOptions></queryOptions>"
        );
        who.lists("GetListItems", &parameters).await.values("row/@ows_Title")
    };
    assert_eq!(list(&guest, "HideUnapproved").await, ["old"]);
    assert_eq!(list(&guest, "Contributor").await, ["mine"]);
    assert_eq!(list(&guest, "Moderator").await, ["old", "mine"]);
    assert_eq!(list(&server, "Moderator").await, ["old", "mine", "owners"]);
}

#[tokio::test]
async fn files_wait_too() {
    let server = Server::start().await;
    let guest = server.as_guest().await;
    moderate(&server, "Documents", "TRUE").await;
    let file = "/sites/team/Documents/a.txt";
    assert_eq!(server.file("PUT", file, &[], "text").await.status, StatusCode::CREATED);
    assert_eq!(guest.file("GET", file, &[], "").await.status, StatusCode::NOT_FOUND);
    let item = "web/lists/getbytitle('Documents')/items(1)";
    let approve = format!("{item}/file/approve(comment='good')");
    assert_eq!(guest.refused("POST", &approve, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.send("POST", &approve, &[], "").await.status, StatusCode::OK);
    assert_eq!(guest.file("GET", file, &[], "").await.body, "text");
    let shown: Json = server.get(&format!("{item}?$select=OData__ModerationStatus,OData__ModerationComments")).await;
    assert_eq!((&shown["OData__ModerationStatus"], &shown["OData__ModerationComments"]), (&json!(0), &json!("good")));
    assert_eq!(server.send("POST", &format!("{item}/file/deny()"), &[], "").await.status, StatusCode::OK);
    assert_eq!(guest.file("GET", file, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("{item}?$select=OData__ModerationStatus")).await["OData__ModerationStatus"], 1);
}
