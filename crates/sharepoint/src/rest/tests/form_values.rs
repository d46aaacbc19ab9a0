//! Values of forms: ValidateUpdateListItem and AddValidateUpdateItemUsingPath.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::TASKS;
use crate::tests::Server;

fn values(pairs: &[(&str, &str)]) -> Json {
    pairs.iter().map(|(name, value)| json!({ "FieldName": name, "FieldValue": value })).collect()
}

async fn item(server: &Server) -> [Json; 5] {
    let fields = "Title,owshiddenversion,Modified,EditorId,DueDate";
    let item = server.get(&format!("{TASKS}/items(1)?$select={fields}")).await;
    ["Title", "owshiddenversion", "Modified", "EditorId", "DueDate"].map(|name| item[name].clone())
}

#[tokio::test]
async fn a_new_document_update_keeps_version_time_and_editor() {
    let server = Server::start().await;
    server.add("Tasks", &["one"]).await;
    let guest = server.as_guest().await;
    server.clock.advance(60);
    let path = format!("{TASKS}/items(1)/ValidateUpdateListItem()");
    let body = json!({ "formValues": values(&[("Title", "two"), ("DueDate", "3/14/2026 5:30 PM")]), "bNewDocumentUpdate": true });
    let told = guest.post(&path, &body).await;
    let expected = json!([
        { "ErrorMessage": null, "FieldName": "Title", "FieldValue": "two", "HasException": false, "ItemId": 1 },
        { "ErrorMessage": null, "FieldName": "DueDate", "FieldValue": "3/14/2026 5:30 PM", "HasException": false, "ItemId": 1 },
    ]);
    assert_eq!(told["value"], expected);
    assert_eq!(
        item(&server).await,
        [json!("two"), json!(1), json!("2026-03-04T05:06:07Z"), json!(1), json!("2026-03-14T17:30:00Z")]
    );
    let body = json!({ "formValues": values(&[("Title", "three")]), "bNewDocumentUpdate": false });
    guest.post(&path, &body).await;
    let [title, version, modified, editor, _] = item(&server).await;
    assert_eq!((title, version, modified, editor), (json!("three"), json!(2), json!("2026-03-04T05:07:07Z"), json!(2)));
}

#[tokio::test]
async fn one_bad_value_and_nothing_is_written() {
    let server = Server::start().await;
    server.add("Tasks", &["one"]).await;
    let before = item(&server).await;
    let path = format!("{TASKS}/items(1)/validateUpdateListItem");
    let body = json!({ "formValues": values(&[("Title", "two"), ("DueDate", "soon"), ("Nothing", "x"), ("ID", "7")]) });
    let told = server.post(&path, &body).await;
    let failed: Vec<bool> =
        told["value"].as_array().unwrap().iter().map(|value| value["HasException"].as_bool().unwrap()).collect();
    assert_eq!(failed, [false, true, true, false]);
    assert!(told["value"][1]["ErrorMessage"].as_str().unwrap().contains("DueDate"));
    assert_eq!(item(&server).await, before);
    for bad in [json!({}), json!({ "formValues": "x" }), json!({ "formValues": [{}] })] {
        assert_eq!(server.refused("POST", &path, &bad.to_string()).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    let missing = format!("{TASKS}/items(9)/validateUpdateListItem");
    assert_eq!(server.refused("POST", &missing, &body.to_string()).await.0, StatusCode::NOT_FOUND);
    let verbose = server.json("POST", &path, "application/json;odata=verbose", &body.to_string()).await;
    assert_eq!(verbose["d"]["ValidateUpdateListItem"]["results"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn items_and_folders_are_added() {
    let server = Server::start().await;
    let path = format!("{TASKS}/AddValidateUpdateItemUsingPath()");
    let folder = json!({
        "listItemCreateInfo": { "UnderlyingObjectType": 1, "LeafName": "F" },
        "formValues": values(&[("Title", "F")]),
    });
    let told = server.post(&path, &folder).await;
    assert_eq!((&told["value"][1]["FieldName"], &told["value"][1]["FieldValue"]), (&json!("Id"), &json!("1")));
    let inside = json!({
        "listItemCreateInfo": { "FolderPath": { "DecodedUrl": "/sites/team/Lists/Tasks/F" }, "UnderlyingObjectType": 0 },
        "formValues": values(&[("Title", "in"), ("AssignedTo", r#"[{"Key":"i:0#.f|membership|ann@example.org"}]"#)]),
    });
    assert_eq!(server.post(&path, &inside).await["value"][2]["FieldValue"], "2");
    let item = server.get(&format!("{TASKS}/items(2)?$select=FileRef,AssignedToId")).await;
    assert_eq!((&item["FileRef"], &item["AssignedToId"]), (&json!("/sites/team/Lists/Tasks/F/2_.000"), &json!(1)));
    let bad = json!({ "formValues": values(&[("PercentComplete", "much")]) });
    assert_eq!(server.post(&path, &bad).await["value"][0]["HasException"], true);
    let elsewhere = json!({
        "listItemCreateInfo": { "FolderPath": { "DecodedUrl": "/sites/team/Lists/Tasks/no" } },
        "formValues": [],
    });
    assert_eq!(server.refused("POST", &path, &elsewhere.to_string()).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.get(&format!("{TASKS}/ItemCount")).await["value"], 2);
}
