//! Attachments of items, by SOAP, HTTP and REST.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::{Reply, Server};

const URL: &str = "http://h:8080/sites/team/Lists/Tasks/Attachments/1/a%20b.txt";
const FILE: &str = "/sites/team/Lists/Tasks/Attachments/1/a%20b.txt";
const REST: &str = "web/lists/getbytitle('Tasks')/items(1)/AttachmentFiles";
/// `first`
const FIRST: &str = "Zmlyc3Q=";

fn add(list: &str, item: &str, name: &str, content: &str) -> String {
    format!(
        "<listName>{list}</listName>{item}<fileName>{name}</fileName><attachment>{content}</attachment>",
        item = if item.is_empty() { String::new() } else { format!("<listItemID>{item}</listItemID>") },
    )
}

fn delete(url: &str) -> String {
    format!("<listName>Tasks</listName><listItemID>1</listItemID><url>{url}</url>")
}

async fn started() -> Server {
    let server = Server::start().await;
    server.add("Tasks", &["one", "two"]).await;
    server
}

async fn urls(server: &Server, item: &str) -> Vec<String> {
    let parameters = format!("<listName>Tasks</listName><listItemID>{item}</listItemID>");
    server.lists("GetAttachmentCollection", &parameters).await.values("Attachments/Attachment")
}

async fn changes(server: &Server, token: &str, options: &str) -> Reply {
    let parameters = format!("<listName>Tasks</listName>{options}<changeToken>{token}</changeToken>");
    server.lists("GetListItemChangesSinceToken", &parameters).await
}

fn token(reply: &Reply) -> String {
    reply.value("Changes/@LastChangeToken")
}

#[tokio::test]
async fn files_are_attached_listed_and_removed() {
    let server = started().await;
    assert!(urls(&server, "1").await.is_empty());
    let reply = server.lists("AddAttachment", &add("Tasks", "1", "a b.txt", "Zmly\n c3Q=")).await;
    assert_eq!(reply.value("AddAttachmentResponse/AddAttachmentResult"), URL);
    server.lists("AddAttachment", &add("Tasks", "1", "c.txt", FIRST)).await;
    assert_eq!(urls(&server, "1").await, [URL.to_owned(), URL.replace("a%20b", "c")]);
    assert!(urls(&server, "2").await.is_empty());
    assert_eq!(server.file("GET", FILE, &[], "").await.body, "first");
    let reply = server.lists("DeleteAttachment", &delete(&URL.replace("a%20b", "A B"))).await;
    assert_eq!(reply.values("DeleteAttachmentResponse"), [""]);
    assert_eq!(urls(&server, "1").await, [URL.replace("a%20b", "c")]);
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let server = started().await;
    server.lists("AddAttachment", &add("Tasks", "1", "a b.txt", FIRST)).await;
    let of = |list: &str, item: &str| format!("<listName>{list}</listName><listItemID>{item}</listItemID>");
    for (operation, parameters, code) in [
        ("AddAttachment", add("Nowhere", "1", "x", FIRST), "0x82000006"),
        ("AddAttachment", add("Tasks", "", "x", FIRST), "0x82000001"),
        ("AddAttachment", add("Tasks", "-1", "x", FIRST), "0x81020014"),
        ("AddAttachment", add("Tasks", "9", "x", FIRST), "0x81020016"),
        ("AddAttachment", add("Tasks", "1", "A B.TXT", FIRST), "0x81020067"),
        ("AddAttachment", add("Tasks", "1", "", FIRST), "0x81020073"),
        ("AddAttachment", add("Tasks", "1", "x", ""), "0x8007000d"),
        ("AddAttachment", add("Tasks", "1", "x/y", FIRST), "0x81020014"),
        ("AddAttachment", add("UserInfo", "1", "x", FIRST), "0x80070005"),
        ("GetAttachmentCollection", of("Nowhere", "1"), "0x82000006"),
        ("GetAttachmentCollection", of("Tasks", "-1"), "0x81020014"),
        ("GetAttachmentCollection", of("Tasks", ""), "0x82000001"),
        ("GetAttachmentCollection", of("Tasks", "9"), "0x81020016"),
        ("DeleteAttachment", delete(""), "0x82000001"),
        ("DeleteAttachment", delete(&URL.replace("a%20b", "d")), "0x82000001"),
        ("DeleteAttachment", delete(&URL.replace("/1/", "/2/")), "0x82000001"),
        ("DeleteAttachment", of("Tasks", "9"), "0x81020016"),
        ("DeleteAttachment", "<listName>Tasks</listName>".to_owned(), "0x82000001"),
    ] {
        let reply = server.try_lists(operation, &parameters).await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR, "{operation} {parameters}");
        assert_eq!(reply.value("errorcode"), code, "{operation} {parameters}");
    }
    let reply = server.try_lists("AddAttachment", &add("Tasks", "1", "x", "!")).await;
    assert_eq!(reply.value("faultcode"), "soap:Client");
    assert_eq!(urls(&server, "1").await, [URL]);
    // Nothing was written by any of them.
    let reply = server.lists("GetListItems", "<listName>Tasks</listName>").await;
    assert_eq!(reply.values("row/@ows_owshiddenversion"), ["2", "1"]);
}

#[tokio::test]
async fn libraries_have_none() {
    let server = Server::start().await;
    server.file("PUT", "/sites/team/Documents/d.txt", &[], "x").await;
    for (list, expected) in [("Tasks", "True"), ("Documents", "False")] {
        let reply = server.lists("GetList", &format!("<listName>{list}</listName>")).await;
        assert_eq!(reply.value("GetListResult/List/@EnableAttachments"), expected, "{list}");
    }
    let reply = server.try_lists("AddAttachment", &add("Documents", "1", "x", FIRST)).await;
    assert_eq!(reply.value("errorcode"), "0x81020014");
    let parameters = "<listName>Documents</listName><listItemID>1</listItemID>";
    let reply = server.lists("GetAttachmentCollection", parameters).await;
    assert_eq!(reply.values("GetAttachmentCollectionResult/Attachments"), [""]);
    let path = "/sites/team/Documents/Attachments/1/x.txt";
    assert_eq!(server.file("PUT", path, &[], "x").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn rows_tell_their_attachments() {
    let server = started().await;
    server.lists("AddAttachment", &add("Tasks", "1", "a b.txt", FIRST)).await;
    let etag = server.file("HEAD", FILE, &[], "").await.headers["etag"].to_str().unwrap().to_owned();
    let state = etag.trim_matches('"');
    assert!(state.starts_with('{') && state.ends_with("},1"), "{state}");
    let urls = format!(";#{URL};#");
    let versions = format!(";#{URL};#{state};#");
    let (include, version) = ("IncludeAttachmentUrls", "IncludeAttachmentVersion");
    let fields = "<viewFields><ViewFields><FieldRef Name=\"Attachments\"/></ViewFields></viewFields>";
    for (options, expected) in [
        (String::new(), "1"),
        (format!("<{include}>FALSE</{include}><{version}>TRUE</{version}>"), "1"),
        (format!("<{include}>TRUE</{include}>"), urls.as_str()),
        (format!("<{include}>TRUE</{include}><{version}>TRUE</{version}>"), versions.as_str()),
    ] {
        let parameters = format!(
            "<listName>Tasks</listName>{fields}<queryOptions><QueryOptions>{options}</QueryOptions></queryOptions>"
        );
        let reply = server.lists("GetListItems", &parameters).await;
        assert_eq!(reply.values("row/@ows_Attachments"), [expected, "0"], "{options}");
    }
    // Without options this operation tells all it knows.
    let reply = changes(&server, "", fields).await;
    assert_eq!(reply.values("row/@ows_Attachments"), [versions.as_str(), "0"]);
    let query = "<query><Query><Where><Eq><FieldRef Name=\"Attachments\"/><Value Type=\"Attachments\">1</Value></Eq>\
                 </Where></Query></query>";
    let reply = server.lists("GetListItems", &format!("<listName>Tasks</listName>{query}")).await;
    assert_eq!(reply.values("row/@ows_ID"), ["1"]);
}

#[tokio::test]
async fn those_who_synchronise_see_each_change() {
    let server = started().await;
    let mut last = token(&changes(&server, "", "").await);
    server.lists("AddAttachment", &add("Tasks", "1", "a b.txt", FIRST)).await;
    for (version, attachments) in [("2", "1"), ("3", "1"), ("4", "0")] {
        let fields = "<viewFields><ViewFields><FieldRef Name=\"Attachments\"/></ViewFields></viewFields>\
                      <queryOptions><QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions></queryOptions>";
        let reply = changes(&server, &last, fields).await;
        assert_eq!(reply.values("row/@ows_ID"), ["1"]);
        assert_eq!(reply.value("row/@ows_owshiddenversion"), version);
        assert_eq!(reply.value("row/@ows_Attachments"), attachments);
        last = token(&reply);
        assert!(changes(&server, &last, "").await.values("row").is_empty());
        match version {
            "2" => _ = server.file("PUT", FILE, &[], "second").await,
            _ => _ = server.file("DELETE", FILE, &[], "").await,
        }
    }
    // A change of the item leaves its attachments, its end ends them.
    server.lists("AddAttachment", &add("Tasks", "1", "a b.txt", FIRST)).await;
    let update = "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"Title\">t</Field></Method>";
    assert_eq!(server.update("Tasks", update).await.value("Result/ErrorCode"), "0x00000000");
    assert_eq!(server.file("GET", FILE, &[], "").await.body, "first");
    server.update("Tasks", "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>").await;
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_are_read_and_written_by_their_address() {
    let server = started().await;
    let put = async |headers: &[(&str, &str)], body: &str| server.file("PUT", FILE, headers, body).await.status;
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(put(&[("if-match", "*")], "x").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(put(&[("if-none-match", "*")], "first").await, StatusCode::CREATED);
    assert_eq!(put(&[("if-none-match", "*")], "x").await, StatusCode::PRECONDITION_FAILED);
    let reply = server.file("GET", FILE, &[("translate", "f")], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "first"));
    assert_eq!(reply.headers["content-type"], "text/plain");
    assert_eq!(reply.headers["last-modified"], "Wed, 04 Mar 2026 05:06:07 GMT");
    let first = reply.headers["etag"].to_str().unwrap().to_owned();
    let head = server.file("HEAD", FILE, &[], "").await;
    assert_eq!((head.body.as_str(), &head.headers["content-length"]), ("", &"5".parse().unwrap()));
    // The text of the row does as well, which has no quotes.
    server.clock.advance(60);
    assert_eq!(put(&[("if-match", first.trim_matches('"'))], "second").await, StatusCode::OK);
    assert_eq!(put(&[("if-match", &first)], "third").await, StatusCode::PRECONDITION_FAILED);
    let reply = server.file("GET", FILE, &[], "").await;
    assert_eq!(reply.body, "second");
    assert_eq!(reply.headers["etag"].to_str().unwrap(), first.replace(",1\"", ",2\""));
    assert_eq!(reply.headers["last-modified"], "Wed, 04 Mar 2026 05:07:07 GMT");
    let stale = server.file("DELETE", FILE, &[("if-match", &first)], "").await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(server.file("DELETE", FILE, &[], "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.file("DELETE", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
    for path in [
        "/sites/team/Lists/Tasks/Attachments/9/a.txt",
        "/sites/team/Lists/Tasks/Attachments/0/a.txt",
        "/sites/team/Lists/Tasks/Attachments/x/a.txt",
        "/sites/team/Lists/Tasks/Attachments/1/",
        "/sites/team/Lists/Tasks/Attachments/1/a/b.txt",
        "/sites/team/Lists/Tasks/a.txt",
    ] {
        assert_eq!(server.file("PUT", path, &[], "x").await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.file("MOVE", FILE, &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn soap_rest_and_http_agree() {
    let server = started().await;
    let get = async |path: &str| {
        let accept = [("accept", "application/json;odata=nometadata")];
        let reply = server.send("GET", path, &accept, "").await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {}", reply.body);
        serde_json::from_str::<Json>(&reply.body).unwrap()
    };
    assert_eq!(get(REST).await, json!({ "value": [] }));
    let made = server.send("POST", &format!("{REST}/add(FileName='a%20b.txt')"), &[], "rest").await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    assert_eq!(urls(&server, "1").await, [URL]);
    assert_eq!(server.file("GET", FILE, &[], "").await.body, "rest");
    let one = get(&format!("{REST}('A%20B.txt')")).await;
    assert_eq!(one["FileName"], "a b.txt");
    assert_eq!(one["ServerRelativeUrl"], "/sites/team/Lists/Tasks/Attachments/1/a b.txt");
    assert_eq!(get(REST).await["value"], json!([one]));
    let item = get("web/lists/getbytitle('Tasks')/items(1)?$expand=AttachmentFiles").await;
    assert_eq!((&item["Attachments"], &item["AttachmentFiles"]), (&json!(true), &json!([one])));

    let value = format!("{REST}/getByFileName('a%20b.txt')/$value");
    assert_eq!(server.send("PUT", &value, &[], "again").await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.send("GET", &value, &[], "").await.body, "again");
    assert_eq!(server.file("GET", FILE, &[], "").await.body, "again");
    server.lists("AddAttachment", &add("Tasks", "1", "it's", FIRST)).await;
    assert_eq!(server.send("GET", &format!("{REST}('it''s')/$value"), &[], "").await.body, "first");

    for (method, path, body, status) in [
        ("POST", "/add(FileName='a%20b.txt')", "x", StatusCode::BAD_REQUEST),
        ("POST", "/add(FileName='new')", "", StatusCode::BAD_REQUEST),
        ("POST", "/add(FileName='')", "x", StatusCode::BAD_REQUEST),
        ("GET", "('no')", "", StatusCode::NOT_FOUND),
        ("GET", "('no')/$value", "", StatusCode::NOT_FOUND),
        ("PUT", "('no')/$value", "x", StatusCode::NOT_FOUND),
        ("DELETE", "('no')", "", StatusCode::NOT_FOUND),
        ("DELETE", "('a%20b.txt')", "", StatusCode::OK),
        ("DELETE", "('a%20b.txt')", "", StatusCode::NOT_FOUND),
    ] {
        let reply = server.send(method, &format!("{REST}{path}"), &[], body).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
    }
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(urls(&server, "1").await, ["http://h:8080/sites/team/Lists/Tasks/Attachments/1/it's"]);
}
