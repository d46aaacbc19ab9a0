//! Files and folders by their URL.

use http::StatusCode;
use serde_json::json;

use crate::tests::Server;

const ROOT: &str = "web/getFolderByServerRelativeUrl('/sites/team/Documents')";

fn file(path: &str) -> String {
    format!("web/getFileByServerRelativePath(DecodedUrl='/sites/team/Documents/{path}')")
}

#[tokio::test]
async fn files_are_added_read_replaced_and_deleted() {
    let server = Server::start().await;
    let added = server.json("POST", &format!("{ROOT}/Files/add(overwrite=true,url='a b.txt')"), "x", "first").await;
    for (name, expected) in [
        ("Name", json!("a b.txt")),
        ("ServerRelativeUrl", json!("/sites/team/Documents/a b.txt")),
        ("Length", json!("5")),
        ("UIVersionLabel", json!("1.0")),
        ("TimeCreated", json!("2026-03-04T05:06:07Z")),
    ] {
        assert_eq!(added[name], expected, "{name}");
    }
    let path = file("a b.txt");
    assert_eq!(server.send("GET", &format!("{path}/$value"), &[], "").await.body, "first");
    assert_eq!(server.send("GET", &format!("{path}/openBinaryStream()"), &[], "").await.body, "first");
    assert_eq!(server.get(&path).await["UniqueId"], added["UniqueId"]);
    let by_id = format!("web/getFileById('{}')/$value", added["UniqueId"].as_str().unwrap());
    assert_eq!(server.send("GET", &by_id, &[], "").await.body, "first");
    let by_id = "web/getFileById('11111111-1111-1111-1111-111111111111')";
    assert_eq!(server.refused("GET", by_id, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("{path}/ListItemAllFields")).await["Id"], 1);
    let title = server.send("MERGE", &format!("{path}/ListItemAllFields"), &[], "{\"Title\":\"A title\"}").await;
    assert!(title.status.is_success(), "{}", title.body);
    assert_eq!(server.get(&path).await["Title"], "A title");
    // A file that is there is overwritten only where the client says so.
    let again = |overwrite| format!("{ROOT}/files/add(url='A b.txt',overwrite={overwrite})");
    assert_eq!(server.refused("POST", &again("false"), "second").await.0, StatusCode::CONFLICT);
    server.json("POST", &again("true"), "x", "second").await;
    let etag = server.get(&path).await["ETag"].as_str().unwrap().to_owned();
    let put = |etag: String, body: &'static str| {
        let (server, path) = (&server, format!("{path}/$value"));
        async move { server.send("POST", &path, &[("x-http-method", "PUT"), ("if-match", &etag)], body).await.status }
    };
    assert!(put(etag.clone(), "third").await.is_success());
    assert_eq!(put(etag, "fourth").await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(server.send("GET", &format!("{path}/$value"), &[], "").await.body, "third");
    let delete = server.send("POST", &path, &[("x-http-method", "DELETE")], "").await;
    assert!(delete.status.is_success(), "{}", delete.body);
    for gone in [path.clone(), format!("{path}/$value")] {
        assert_eq!(server.refused("GET", &gone, "").await.0, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn folders_hold_files_and_folders() {
    let server = Server::start().await;
    let made = server.post(&format!("{ROOT}/Folders"), &json!({ "ServerRelativeUrl": "sub" })).await;
    assert_eq!(made["ServerRelativeUrl"], "/sites/team/Documents/sub");
    let deep = json!({ "ServerRelativeUrl": "/sites/team/Documents/sub/deep" });
    assert_eq!(server.post(&format!("{ROOT}/Folders"), &deep).await["Name"], "deep");
    let sub = "web/getFolderByServerRelativePath(decodedurl='Documents/sub')";
    server.json("POST", &format!("{sub}/files/addUsingPath(decodedurl='in.txt',overwrite=false)"), "x", "in").await;
    let by_id = format!("web/getFolderById(guid'{}')/files", made["UniqueId"].as_str().unwrap());
    assert_eq!(server.get(&by_id).await["value"][0]["Name"], "in.txt");
    let unique = format!("{sub}/files/addUsingPath(decodedurl='in.txt',EnsureUniqueFileName=true)");
    assert_eq!(server.refused("POST", &unique, "x").await.0, StatusCode::BAD_REQUEST);
    let root_folder = "web/lists/getbytitle('Documents')/RootFolder";
    server.json("POST", &format!("{root_folder}/Files/add(url='top.txt')"), "x", "top").await;
    for (path, expected) in [
        (format!("{ROOT}/files"), vec!["top.txt"]),
        (format!("{root_folder}/files"), vec!["top.txt"]),
        (format!("{ROOT}/folders"), vec!["sub"]),
        (format!("{sub}/files"), vec!["in.txt"]),
        (format!("{sub}/folders"), vec!["deep"]),
        (format!("{sub}/folders('deep')/files"), vec![]),
        (format!("{ROOT}/folders('sub')/files?$select=Name&$filter=Name eq 'in.txt'"), vec!["in.txt"]),
    ] {
        let answer = server.get(&path).await;
        let names: Vec<_> = answer["value"].as_array().unwrap().iter().map(|one| one["Name"].clone()).collect();
        assert_eq!(names, expected, "{path}");
    }
    assert_eq!(server.send("GET", &format!("{sub}/files('in.txt')/$value"), &[], "").await.body, "in");
    let moved = format!("{}/moveTo(newurl='/sites/team/Documents/in.txt',flags=1)", file("sub/in.txt"));
    assert!(server.send("POST", &moved, &[], "").await.status.is_success());
    assert_eq!(server.send("GET", &format!("{}/$value", file("in.txt")), &[], "").await.body, "in");
    assert_eq!(server.refused("POST", &format!("{ROOT}/folders/add('no/such')"), "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.refused("GET", "web/getFolderByServerRelativeUrl('Nowhere')", "").await.0, StatusCode::NOT_FOUND);
    let recycled = server.send("POST", &format!("{sub}/recycle()"), &[], "").await;
    assert!(recycled.status.is_success(), "{}", recycled.body);
    assert_eq!(server.refused("GET", sub, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.refused("DELETE", ROOT, "").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn attachments_go_by_their_url_too() {
    let server = Server::start().await;
    server.add("Tasks", &["a"]).await;
    let files = "web/lists/getbytitle('Tasks')/items(1)/AttachmentFiles";
    let added = server.json("POST", &format!("{files}/add(FileName='x.txt')"), "x", "hello").await;
    let path = format!("web/getFileByServerRelativeUrl('{}')", added["ServerRelativeUrl"].as_str().unwrap());
    assert_eq!(server.send("GET", &format!("{path}/$value"), &[], "").await.body, "hello");
    let shown = server.get(&path).await;
    assert_eq!((&shown["Name"], &shown["Length"]), (&json!("x.txt"), &json!("5")));
    assert!(server.send("PUT", &format!("{path}/$value"), &[], "again").await.status.is_success());
    assert_eq!(server.send("GET", &format!("{path}/$value"), &[], "").await.body, "again");
    assert!(server.send("DELETE", &path, &[], "").await.status.is_success());
    assert_eq!(server.refused("GET", &path, "").await.0, StatusCode::NOT_FOUND);
    let library = "web/getFolderByServerRelativeUrl('Lists/Tasks')/files/add(url='a.txt')";
    assert_eq!(server.refused("POST", library, "x").await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_may_not_write_writes_no_files() {
    let server = Server::start().await;
    server.json("POST", &format!("{ROOT}/files/add(url='a.txt')"), "x", "own").await;
    let nobody = "<listName>Documents</listName><listProperties><List WriteSecurity=\"4\"/></listProperties>";
    server.lists("UpdateList", nobody).await;
    let guest = server.as_guest().await;
    let add = format!("{ROOT}/files/add(url='b.txt',overwrite=true)");
    let value = format!("{}/$value", file("a.txt"));
    for (method, path) in [("POST", &add), ("PUT", &value), ("DELETE", &file("a.txt"))] {
        assert_eq!(guest.refused(method, path, "x").await.0, StatusCode::FORBIDDEN, "{method} {path}");
    }
    assert_eq!(guest.send("GET", &value, &[], "").await.body, "own");
}
