//! The recycle bin over REST.

use engine::{Engine, Settings};
use http::StatusCode;
use model::{FixedClock, SeededRandom};
use serde_json::{Value as Json, json};
use store::memory::MemoryStore;

use super::TASKS;
use crate::tests::Server;

async fn bin(server: &Server) -> Vec<Json> {
    server.get("web/recyclebin").await["value"].as_array().unwrap().clone()
}

async fn recycle(server: &Server, path: &str) -> String {
    server.post(&format!("{path}/recycle()"), &json!({})).await["value"].as_str().unwrap().to_owned()
}

async fn post(server: &Server, path: &str, body: &Json) -> StatusCode {
    server.send("POST", path, &[], &body.to_string()).await.status
}

#[tokio::test]
async fn entries_say_what_they_were() {
    let server = Server::start().await;
    server.add("Tasks", &["one"]).await;
    server.clock.advance(86_400 * 2 + 3_600 * 8);
    let item = recycle(&server, &format!("{TASKS}/items(1)")).await;
    server.file("PUT", "/sites/team/Documents/a.txt", &[], "bytes").await;
    assert_eq!(server.file("DELETE", "/sites/team/Documents/a.txt", &[], "").await.status, StatusCode::NO_CONTENT);
    let list = recycle(&server, "web/lists/getbytitle('Calendar')").await;
    let bin = bin(&server).await;
    let shown = |entry: &Json| {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        (entry["ItemType"].as_i64().unwrap(), text("DirName"), text("LeafName"), text("Title"), text("Size"))
    };
    let expect = |kind, directory: &str, name: &str, title: &str, size: &str| {
        (kind, directory.to_owned(), name.to_owned(), title.to_owned(), size.to_owned())
    };
    assert_eq!(
        bin.iter().map(shown).collect::<Vec<_>>(),
        [
            expect(4, "sites/team/Lists", "Calendar", "Calendar", "0"),
            expect(1, "sites/team/Documents", "a.txt", "a.txt", "5"),
            expect(3, "sites/team/Lists/Tasks", "1_.000", "one", "0"),
        ]
    );
    assert_eq!((&bin[2]["Id"], &bin[0]["Id"]), (&json!(item), &json!(list)));
    assert_eq!(bin[2]["DeletedDate"], "2026-03-06T13:06:07Z");
    assert_eq!(bin[2]["DeletedDateLocalFormatted"], "3/6/2026 1:06 PM");
    assert_eq!((&bin[2]["AuthorName"], &bin[2]["DeletedByEmail"]), (&json!("Ann Example"), &json!("ann@example.org")));
    assert_eq!((&bin[2]["ItemState"], &bin[2]["DirNamePath"]["DecodedUrl"]), (&json!(1), &bin[2]["DirName"]));
    let one = server.get(&format!("site/recyclebin/getbyid('{item}')?$expand=DeletedBy")).await;
    assert_eq!((&one["LeafName"], &one["DeletedBy"]["Title"]), (&json!("1_.000"), &json!("Ann Example")));
    let filtered = server.get("web/RecycleBin?$filter=ItemType eq 1&$select=LeafName").await;
    assert_eq!(filtered, json!({ "value": [{ "LeafName": "a.txt" }] }));
    assert_eq!(server.get("web/RecycleBinEnabled").await, json!({ "value": true }));
    let definition = server.lists("GetList", "<listName>Tasks</listName>").await;
    assert_eq!(definition.value("ServerSettings/RecycleBinEnabled"), "True");
}

#[tokio::test]
async fn entries_come_back_or_go_for_good() {
    let server = Server::start().await;
    server.add("Tasks", &["one", "two", "three"]).await;
    let before = server.get(&format!("{TASKS}/items(1)")).await;
    server.clock.advance(60);
    let mut entries = Vec::new();
    for number in 1..=3 {
        entries.push(recycle(&server, &format!("{TASKS}/items({number})")).await);
    }
    assert_eq!(server.refused("GET", &format!("{TASKS}/items(1)"), "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(post(&server, &format!("web/recyclebin('{}')/restore()", entries[0]), &json!({})).await, 200);
    assert_eq!(server.get(&format!("{TASKS}/items(1)")).await, before);
    assert_eq!(post(&server, &format!("web/recyclebin('{}')/deleteobject", entries[1]), &json!({})).await, 200);
    let (status, code) = server.refused("POST", &format!("web/recyclebin('{}')/restore()", entries[1]), "").await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "-2147024809, System.ArgumentException"));
    assert_eq!(server.refused("GET", "web/recyclebin('x')", "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(post(&server, "site/recyclebin/restoreall()", &json!({})).await, 200);
    let titles = server.get(&format!("{TASKS}/items?$select=Title")).await;
    assert_eq!(titles, json!({ "value": [{ "Title": "one" }, { "Title": "three" }] }));
    for number in [1, 3] {
        recycle(&server, &format!("{TASKS}/items({number})")).await;
    }
    let ids = json!({ "ids": [bin(&server).await[0]["Id"]] });
    assert_eq!(post(&server, "web/recyclebin/restorebyids", &ids).await, 200);
    recycle(&server, &format!("{TASKS}/items(3)")).await;
    let ids = json!({ "ids": [bin(&server).await[0]["Id"]] });
    assert_eq!(post(&server, "web/recyclebin/deletebyids", &ids).await, 200);
    assert_eq!(post(&server, "web/recyclebin/deletebyids", &json!({ "ids": "x" })).await, 400);
    assert_eq!(bin(&server).await.len(), 1);
    assert_eq!(post(&server, "web/recyclebin/deleteall()", &json!({})).await, 200);
    assert_eq!(bin(&server).await, Vec::<Json>::new());
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let server = Server::start().await;
    server.file("PUT", "/sites/team/Documents/a.txt", &[], "old").await;
    server.file("DELETE", "/sites/team/Documents/a.txt", &[], "").await;
    server.file("PUT", "/sites/team/Documents/A.TXT", &[], "new").await;
    let entry = bin(&server).await[0]["Id"].as_str().unwrap().to_owned();
    let path = format!("web/recyclebin('{entry}')/restore()");
    let (status, code) = server.refused("POST", &path, "").await;
    assert_eq!((status, code.as_str()), (StatusCode::CONFLICT, "-2130575257, Microsoft.SharePoint.SPException"));
    assert_eq!(server.file("GET", "/sites/team/Documents/a.txt", &[], "").await.body, "new");
    let library = recycle(&server, "web/lists/getbytitle('Documents')").await;
    assert_eq!(server.refused("POST", &path, "").await.0, StatusCode::NOT_FOUND);
    server.post("web/lists", &json!({ "Title": "documents", "BaseTemplate": 101 })).await;
    let (status, code) = server.refused("POST", &format!("web/recyclebin('{library}')/restore()"), "").await;
    assert_eq!((status, code.as_str()), (StatusCode::CONFLICT, "-2130575342, Microsoft.SharePoint.SPException"));
    assert_eq!(bin(&server).await.len(), 2);
    // Others see what they deleted themselves.
    let guest = server.as_guest().await;
    assert_eq!(bin(&guest).await.len(), 0);
    assert_eq!(guest.refused("POST", &path, "").await.0, StatusCode::NOT_FOUND);
    assert_eq!(guest.refused("POST", &format!("{TASKS}/recycle"), "").await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_series_comes_back_with_its_exceptions() {
    let server = Server::start().await;
    let field = |name: &str, value: &str| format!("<Field Name='{name}'>{value}</Field>");
    let event = |kind: &str, more: &str| {
        let fields = field("EventType", kind) + &field("EventDate", "2026-03-04T10:00:00Z");
        format!("<Method ID='1' Cmd='New'>{fields}{}{more}</Method>", field("EndDate", "2026-03-04T11:00:00Z"))
    };
    server.update("Calendar", &event("1", "")).await;
    server.update("Calendar", &event("4", &field("MasterSeriesItemID", "1"))).await;
    server.update("Calendar", "<Method ID='1' Cmd='Delete'><Field Name='ID'>1</Field></Method>").await;
    assert_eq!(server.get("web/lists/getbytitle('Calendar')/items").await["value"], json!([]));
    assert_eq!(post(&server, "web/recyclebin/restoreall", &json!({})).await, 200);
    let items = server.get("web/lists/getbytitle('Calendar')/items?$select=EventType").await;
    assert_eq!(items, json!({ "value": [{ "EventType": 1 }, { "EventType": 4 }] }));
}

#[tokio::test]
async fn without_a_bin_everything_is_for_good() {
    let mut server = Server::start().await;
    let settings = Settings { recycle_bin_seconds: 0, ..Settings::default() };
    let clock = std::sync::Arc::new(FixedClock::new("2026-03-04T05:06:07Z".parse().unwrap()));
    let (store, random) = (std::sync::Arc::new(MemoryStore::new(1)), std::sync::Arc::new(SeededRandom::new(3)));
    server.adapter.engine = Engine::open(store, clock, random, settings).await.unwrap();
    let directory = server.adapter.engine.directory();
    let account = engine::NewAccount {
        address: server.caller.address.clone(),
        display_name: "Ann".into(),
        password_hash: "x".into(),
    };
    server.caller = directory.add_account(account).await.unwrap().caller;
    let site = engine::NewSite { path: "/sites/team".into(), title: "T".into(), owner: None };
    directory.add_site(site).await.unwrap();
    server.add("Tasks", &["one", "two"]).await;
    let refused = server.refused("POST", &format!("{TASKS}/items(1)/recycle()"), "").await;
    assert_eq!(refused.1, "-2147024846, Microsoft.SharePoint.SPException");
    assert_eq!(server.refused("POST", &format!("{TASKS}/recycle()"), "").await.0, StatusCode::BAD_REQUEST);
    // What is refused stays where it is.
    let folder = "web/getFolderByServerRelativeUrl('Documents')/files";
    server.json("POST", &format!("{folder}/add(url='a.txt')"), "x", "kept").await;
    let file = format!("{folder}('a.txt')");
    assert_eq!(server.refused("POST", &format!("{file}/recycle()"), "").await, refused);
    assert_eq!(server.send("GET", &format!("{file}/$value"), &[], "").await.body, "kept");
    server.update("Tasks", "<Method ID='1' Cmd='Delete'><Field Name='ID'>1</Field></Method>").await;
    assert_eq!(bin(&server).await, Vec::<Json>::new());
    let definition = server.lists("GetList", "<listName>Tasks</listName>").await;
    assert_eq!(definition.value("ServerSettings/RecycleBinEnabled"), "False");
}
