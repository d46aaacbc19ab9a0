//! Files of libraries, and their rows.

use bytes::Bytes;
use http::{Method, Request, StatusCode};

use super::{Reply, Server};

impl Server {
    pub(crate) async fn file(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        Reply::read(self.adapter.file(self.call(), path, request).await).await
    }
}

const FILE: &str = "/sites/team/Documents/a%20b.txt";

#[tokio::test]
async fn files_come_and_go() {
    let server = Server::start().await;
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
    let reply = server.file("PUT", FILE, &[], "first").await;
    assert_eq!(reply.status, StatusCode::CREATED);
    let etag = reply.headers["etag"].to_str().unwrap().to_owned();
    let reply = server.file("GET", FILE, &[], "").await;
    assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "first"));
    assert_eq!(reply.headers["content-type"], "text/plain");
    assert_eq!(reply.headers["last-modified"], "Wed, 04 Mar 2026 05:06:07 GMT");
    assert_eq!(server.file("PUT", FILE, &[("if-match", &etag)], "second").await.status, StatusCode::OK);
    assert_eq!(server.file("PUT", FILE, &[("if-match", &etag)], "third").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(server.file("PUT", FILE, &[("if-none-match", "*")], "x").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(server.file("PUT", "/sites/team/Documents/no/c.txt", &[], "x").await.status, StatusCode::CONFLICT);

    let reply = server.lists("GetListItems", "<listName>Documents</listName>").await;
    for (name, expected) in [
        ("LinkFilename", "a b.txt"),
        ("FileLeafRef", "1;#a b.txt"),
        ("FileRef", "1;#sites/team/Documents/a b.txt"),
        ("FSObjType", "1;#0"),
        ("DocIcon", "txt"),
        ("owshiddenversion", "2"),
    ] {
        assert_eq!(reply.value(&format!("row/@ows_{name}")), expected, "{name}");
    }
    assert_eq!(server.file("DELETE", FILE, &[], "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(server.file("GET", FILE, &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn folders_hold_files() {
    let server = Server::start().await;
    let folder =
        "<Method ID=\"1\" Cmd=\"New\"><Field Name=\"FSObjType\">1</Field><Field Name=\"BaseName\">sub</Field></Method>";
    assert_eq!(server.update("Documents", folder).await.value("row/@ows_FSObjType"), "1;#1");
    assert_eq!(server.update("Documents", folder).await.value("Result/ErrorCode"), "0x800700b7");
    server.file("PUT", "/sites/team/Documents/top.txt", &[], "t").await;
    server.file("PUT", "/sites/team/Documents/sub/in.txt", &[], "i").await;
    let ask = |options: &str| {
        format!("<listName>Documents</listName><queryOptions><QueryOptions>{options}</QueryOptions></queryOptions>")
    };
    for (options, expected) in [
        ("", vec!["1;#sub", "2;#top.txt"]),
        ("<ViewAttributes Scope=\"FilesOnly\"/>", vec!["2;#top.txt"]),
        ("<ViewAttributes Scope=\"Recursive\"/>", vec!["2;#top.txt", "3;#in.txt"]),
        ("<ViewAttributes Scope=\"RecursiveAll\"/>", vec!["1;#sub", "2;#top.txt", "3;#in.txt"]),
        ("<Folder>Documents/sub</Folder>", vec!["3;#in.txt"]),
        ("<Folder>/sites/team/Documents/SUB</Folder>", vec!["3;#in.txt"]),
        ("<Folder>Elsewhere</Folder>", vec![]),
    ] {
        let reply = server.lists("GetListItems", &ask(options)).await;
        assert_eq!(reply.values("row/@ows_FileLeafRef"), expected, "{options}");
    }
    let rename =
        "<Method ID=\"1\" Cmd=\"Update\"><Field Name=\"ID\">1</Field><Field Name=\"BaseName\">other</Field></Method>";
    assert_eq!(server.update("Documents", rename).await.value("row/@ows_FileLeafRef"), "1;#other");
    assert_eq!(server.file("GET", "/sites/team/Documents/other/in.txt", &[], "").await.body, "i");
    server.update("Documents", "<Method ID=\"1\" Cmd=\"Delete\"><Field Name=\"ID\">1</Field></Method>").await;
    assert_eq!(server.file("GET", "/sites/team/Documents/other/in.txt", &[], "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_move_between_libraries() {
    let server = Server::start().await;
    server
        .lists("AddList", "<listName>Archive</listName><description>old</description><templateID>101</templateID>")
        .await;
    server.file("PUT", FILE, &[], "x").await;
    let before = server.lists("GetListItemChangesSinceToken", "<listName>Documents</listName>").await;
    let token = before.value("Changes/@LastChangeToken");
    let moved = "<Method ID=\"4\" Cmd=\"Move\"><Field Name=\"ID\">1</Field><Field Name=\"FileRef\">http://h:8080/sites/team/Documents/a b.txt\
                 </Field><Field Name=\"MoveNewUrl\">http://h:8080/sites/team/Archive/c.txt</Field></Method>";
    assert_eq!(server.update("Documents", moved).await.value("Result/ErrorCode"), "0x00000000");
    assert_eq!(server.file("GET", "/sites/team/Archive/c.txt", &[], "").await.body, "x");
    let parameters = format!("<listName>Documents</listName><changeToken>{token}</changeToken>");
    let reply = server.lists("GetListItemChangesSinceToken", &parameters).await;
    assert_eq!(reply.value("Changes/Id/@ChangeType"), "MoveAway");
    let archive = server.lists("GetList", "<listName>Archive</listName>").await.value("List/@ID");
    assert_eq!(reply.value("Changes/Id/@AfterListId"), archive);
    assert_eq!(reply.value("Changes/Id/@AfterItemId"), "1");
    assert_eq!(reply.value("Changes/Id"), "1");
    for (bad, status) in [
        ("http://h:8080/sites/team/Archive/none/c.txt", StatusCode::BAD_REQUEST),
        ("http://h:8080/sites/team/Lists/Tasks/c.txt", StatusCode::BAD_REQUEST),
        ("http://h:8080/sites/team/Archive/a%22b", StatusCode::BAD_REQUEST),
        ("", StatusCode::BAD_REQUEST),
    ] {
        let reply = server.file("MOVE", "/sites/team/Archive/c.txt", &[("destination", bad)], "").await;
        assert_eq!(reply.status, status, "{bad}");
    }
    let back = [("destination", "http://h:8080/sites/team/Documents/back.txt")];
    assert_eq!(server.file("MOVE", "/sites/team/Archive/c.txt", &back, "").await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn files_go_by_their_url() {
    let server = Server::start().await;
    for name in ["a%20b.txt", "c.txt"] {
        server.file("PUT", &format!("/sites/team/Documents/{name}"), &[], "x").await;
    }
    let method = |command: &str, fields: &[(&str, &str)]| {
        let fields: String =
            fields.iter().map(|(name, value)| format!("<Field Name=\"{name}\">{value}</Field>")).collect();
        format!("<Method ID=\"1\" Cmd=\"{command}\">{fields}</Method>")
    };
    let url = ("FileRef", "http://h:8080/sites/team/Documents/a%20b.txt");
    let reply = server.update("Documents", &method("Update", &[url, ("Title", "named")])).await;
    assert_eq!((reply.value("row/@ows_Title"), reply.value("row/@ows_ID")), ("named".into(), "1".into()));
    for elsewhere in ["http://h:8080/sites/team/Documents/none", "/sites/team/Lists/Tasks/1_.000", "/"] {
        let reply = server.update("Documents", &method("Delete", &[("FileRef", elsewhere)])).await;
        assert_eq!(reply.value("Result/ErrorCode"), "0x81020016", "{elsewhere}");
    }
    let reply = server.update("Documents", &method("Delete", &[("FileRef", "2;#sites/team/Documents/c.txt")])).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x00000000");
    // Somebody has changed the file since: it stays where it is.
    server.lists("AddList", "<listName>Archive</listName><description/><templateID>101</templateID>").await;
    let to = ("MoveNewUrl", "http://h:8080/sites/team/Archive/a.txt");
    let reply = server.update("Documents", &method("Move", &[("ID", "1"), ("owshiddenversion", "1"), to])).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x81020015");
    let reply = server.update("Documents", &method("Move", &[("ID", "1"), ("owshiddenversion", "2"), to])).await;
    assert_eq!(reply.value("Result/ErrorCode"), "0x00000000");
}
