//! Content types of lists and of the site, and items that are given one.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::TASKS;
use crate::tests::Server;

fn names(answer: &Json) -> Vec<&str> {
    answer["value"].as_array().unwrap().iter().map(|one| one["Name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn types_are_listed_and_items_have_them() {
    let server = Server::start().await;
    let create = "<listName>Tasks</listName><displayName>Errand</displayName><parentType>0x0108</parentType>";
    let errand = server.lists("CreateContentType", create).await.value("CreateContentTypeResult");
    let all = server.get(&format!("{TASKS}/ContentTypes")).await;
    assert_eq!(names(&all), ["Task", "Folder", "Errand"]);
    assert_eq!(all["value"][2]["Id"]["StringValue"], json!(errand));
    assert_eq!(all["value"][2]["Scope"], "/sites/team/Lists/Tasks");
    let filtered = server.get(&format!("{TASKS}/contenttypes?$filter=Name eq 'Errand'&$select=StringId")).await;
    assert_eq!(filtered["value"], json!([{ "StringId": errand }]));
    for path in [format!("{TASKS}/contenttypes('{errand}')"), format!("{TASKS}/contenttypes/getById('{errand}')")] {
        assert_eq!(server.get(&path).await["Name"], "Errand", "{path}");
    }
    let site = server.get("web/AvailableContentTypes").await;
    assert!(["Item", "Document", "Task", "Folder"].iter().all(|name| names(&site).contains(name)), "{site}");
    assert_eq!(server.get("web/contenttypes('0x0108')").await["Name"], "Task");
    for path in ["web/contenttypes('0x0177')", &format!("{TASKS}/contenttypes('x')")] {
        assert_eq!(server.refused("GET", path, "").await.0, StatusCode::NOT_FOUND, "{path}");
    }
    let item = json!({ "Title": "a", "ContentTypeId": errand });
    let item = server.post(&format!("{TASKS}/items"), &item).await;
    assert_eq!(item["ContentTypeId"], json!(errand));
    let wrong = json!({ "Title": "b", "ContentTypeId": "0x0106" }).to_string();
    assert_eq!(server.refused("POST", &format!("{TASKS}/items"), &wrong).await.0, StatusCode::BAD_REQUEST);
}
