//! List changes over REST: the same answer as over SOAP.

use http::StatusCode;
use serde_json::json;

use super::TASKS;
use crate::tests::{Reply, Server};

async fn ask(server: &Server, body: &str) -> Reply {
    let path = format!("{TASKS}/GetListItemChangesSinceToken");
    let reply = server.send("POST", &path, &[("accept", "application/json")], body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    assert_eq!(reply.headers["content-type"], "text/xml; charset=utf-8");
    reply
}

fn listitems(reply: &Reply) -> &str {
    let (start, end) = (reply.body.find("<listitems").unwrap(), reply.body.find("</listitems>").unwrap());
    &reply.body[start..end]
}

#[tokio::test]
async fn answers_are_those_of_soap() {
    let server = Server::start().await;
    server.add("Tasks", &["a", "b", "Test"]).await;
    let rest = ask(&server, r#"{"query":{"__metadata":{"type":"SP.ChangeLogItemQuery"},"ViewName":""}}"#).await;
    assert!(rest.body.contains("<GetListItemChangesSinceTokenResult>"), "{}", rest.body);
    let soap = server.lists("GetListItemChangesSinceToken", "<listName>Tasks</listName>").await;
    assert_eq!(listitems(&rest), listitems(&soap));
    let token = rest.value("Changes/@LastChangeToken");

    server.update("Tasks", "<Method ID='1' Cmd='Delete'><Field Name='ID'>2</Field></Method>").await;
    let path = format!("{TASKS}/items(1)");
    server.send("PATCH", &path, &[], r#"{"Title":"changed"}"#).await;
    let next = ask(&server, &json!({ "query": { "changetoken": token } }).to_string()).await;
    assert_eq!(next.values("row/@ows_Title"), ["changed"]);
    assert_eq!(next.value("Id/@ChangeType"), "Delete");
    assert!(next.values("List").is_empty());
}

#[tokio::test]
async fn questions_come_in_several_forms() {
    let server = Server::start().await;
    server.add("Tasks", &["one", "two", "Test"]).await;
    let query =
        "<Query><Where><Contains><FieldRef Name='Title'/><Value Type='Text'>Te</Value></Contains></Where></Query>";
    let fields = "<ViewFields><FieldRef Name='Title'/></ViewFields>";
    let options = "<QueryOptions><IncludeMandatoryColumns>FALSE</IncludeMandatoryColumns></QueryOptions>";
    let question = json!({ "Query": query, "ViewFields": fields, "QueryOptions": options, "ChangeToken": null });
    for body in [
        json!({ "d": { "query": question } }),
        json!({ "query": question }),
        question.clone(),
        json!({ "d": question }),
    ] {
        assert_eq!(ask(&server, &body.to_string()).await.values("row/@ows_Title"), ["Test"], "{body}");
    }
    for limit in [json!(2), json!("2")] {
        let first = ask(&server, &json!({ "query": { "RowLimit": limit } }).to_string()).await;
        assert_eq!(first.values("row/@ows_Title"), ["one", "two"]);
        let next = first.value("data/@ListItemCollectionPositionNext").replace('&', "&amp;");
        let paging = format!("<Paging ListItemCollectionPositionNext=\"{next}\" />");
        let second = ask(&server, &json!({ "query": { "RowLimit": limit, "QueryOptions": paging } }).to_string()).await;
        assert_eq!(second.values("row/@ows_Title"), ["Test"]);
    }
    assert_eq!(ask(&server, "").await.values("row/@ows_Title").len(), 3);
}

#[tokio::test]
async fn bad_questions_are_refused() {
    let server = Server::start().await;
    for body in [
        "{",
        r#"{"query":{"ChangeToken":"nonsense"}}"#,
        r#"{"query":{"Query":"<Query>"}}"#,
        r#"{"query":{"Query":"<Query><Where><Nonsense/></Where></Query>"}}"#,
        r#"{"query":{"RowLimit":"many"}}"#,
        r#"{"query":[1]}"#,
    ] {
        let path = format!("{TASKS}/getlistitemchangessincetoken");
        let (status, code) = server.refused("POST", &path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(code.contains(", "), "{body}: {code}");
    }
    let (status, _) = server.refused("POST", "web/lists/getbytitle('x')/getlistitemchangessincetoken", "{}").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
