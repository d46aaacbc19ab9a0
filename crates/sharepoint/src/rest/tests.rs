//! Requests below `_api`, over a store in memory.

mod approval;
mod batch;
mod content_types;
mod files;
mod form_values;
mod list_changes;
mod recycle_bin;
mod role_assignments;
mod since_token;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde_json::{Value as Json, json};

use crate::tests::{Reply, Server};

impl Server {
    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut request = Request::builder().method(method).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        Reply::read(self.adapter.rest(self.call(), path, request).await).await
    }

    async fn get(&self, path: &str) -> Json {
        self.json("GET", path, "application/json;odata=nometadata", "").await
    }

    async fn json(&self, method: &str, path: &str, accept: &str, body: &str) -> Json {
        let reply = self.send(method, path, &[("accept", accept)], body).await;
        assert!(reply.status.is_success(), "{path}: {} {}", reply.status, reply.body);
        serde_json::from_str(&reply.body).unwrap()
    }

    async fn post(&self, path: &str, body: &Json) -> Json {
        self.json("POST", path, "application/json;odata=nometadata", &body.to_string()).await
    }

    async fn refused(&self, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let reply = self.send(method, path, &[("accept", "application/json")], body).await;
        let json: Json = serde_json::from_str(&reply.body).unwrap_or_default();
        (reply.status, json["odata.error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

const TASKS: &str = "web/lists/getbytitle('Tasks')";

fn titles(page: &Json) -> Vec<&str> {
    page["value"].as_array().unwrap().iter().map(|item| item["Title"].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn digests_are_given_out_at_each_level() {
    let server = Server::start().await;
    let verbose = server.json("POST", "contextInfo", "application/json;odata=verbose", "").await;
    let info = &verbose["d"]["GetContextWebInformation"];
    assert!(info["FormDigestValue"].as_str().unwrap().starts_with("0x"));
    assert_eq!(info["FormDigestTimeoutSeconds"], 1800);
    assert_eq!(info["WebFullUrl"], "http://h:8080/sites/team");
    assert_eq!(info["SupportedSchemaVersions"]["results"][1], "15.0.0.0");
    let light = server.json("POST", "contextinfo", "application/json", "").await;
    assert!(light["FormDigestValue"].as_str().unwrap().ends_with("04 Mar 2026 05:06:07 -0000"));
    assert_eq!(server.refused("GET", "contextinfo", "").await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_site_and_its_users() {
    let server = Server::start().await;
    let web = server.get("web").await;
    assert_eq!((&web["Title"], &web["ServerRelativeUrl"]), (&json!("Team"), &json!("/sites/team")));
    assert_eq!(server.get("web?$select=Title").await, json!({ "Title": "Team" }));
    assert_eq!(server.get("Web/Title").await, json!({ "value": "Team" }));
    assert_eq!(server.send("GET", "web/title/$value", &[], "").await.body, "Team");
    let user = server.get("web/currentuser").await;
    assert_eq!((&user["Email"], &user["Title"]), (&json!("ann@example.org"), &json!("Ann Example")));
    let id = user["Id"].as_u64().unwrap();
    assert_eq!(server.get(&format!("web/getuserbyid({id})")).await["Email"], "ann@example.org");
    assert_eq!(server.get("web/siteusers/getbyemail('ann%40example.org')").await["Id"], id);
    assert_eq!(server.get("web/siteusers?$filter=Id eq 999").await, json!({ "value": [] }));
    let claim = "i:0%23.w|dom\\ann@example.org";
    assert_eq!(server.post(&format!("web/ensureuser('{claim}')"), &json!({})).await["Id"], id);
    let verbose = server.json("GET", "web", "application/json;odata=verbose", "").await;
    assert_eq!(verbose["d"]["__metadata"]["type"], "SP.Web");
    assert_eq!(verbose["d"]["Lists"]["__deferred"]["uri"], "http://h:8080/sites/team/_api/Web/Lists");
}

#[tokio::test]
async fn lists_live() {
    let server = Server::start().await;
    let made = server.post("web/lists", &json!({ "Title": "It's", "BaseTemplate": 100, "Description": "d" })).await;
    let id = made["Id"].as_str().unwrap();
    assert_eq!(made["ListItemEntityTypeFullName"], "SP.Data.It_x0027_sListItem");
    for path in [
        "web/lists/getbytitle('It''s')".to_owned(),
        "lists/getbytitle('IT%27%27S')".to_owned(),
        format!("web/lists(guid'{id}')"),
        format!("web/lists('{id}')"),
        format!("Web/Lists/GetById('{id}')"),
        "web/getlist('/sites/team/Lists/It''s')".to_owned(),
    ] {
        assert_eq!(server.get(&path).await["Id"], id, "{path}");
    }
    let taken = server.refused("POST", "web/lists", r#"{"Title":"it's","BaseTemplate":100}"#).await;
    assert_eq!(taken.0, StatusCode::CONFLICT);
    let hidden = server.get("web/lists?$select=Title&$filter=Hidden eq false&$orderby=Title desc&$top=2").await;
    assert_eq!(titles(&hidden), ["Tasks", "It's"]);
    let renamed = server
        .send(
            "POST",
            &format!("web/lists('{id}')"),
            &[("X-HTTP-Method", "MERGE"), ("If-Match", "*")],
            r#"{"Title":"New"}"#,
        )
        .await;
    assert_eq!(renamed.status, StatusCode::NO_CONTENT);
    assert_eq!(server.get("web/lists/getbytitle('New')").await["Id"], id);
    let gone = server.send("DELETE", "web/lists/getbytitle('New')", &[], "").await;
    assert_eq!(gone.status, StatusCode::OK);
    let (status, code) = server.refused("GET", "web/lists/getbytitle('New')", "").await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "-1, System.ArgumentException"));
    let count = server.get("web/lists/getbytitle('Tasks')/ItemCount").await;
    assert_eq!(count, json!({ "value": 0 }));
    let expanded =
        server.get("web/lists?$select=Title,RootFolder/ServerRelativeUrl&$expand=RootFolder&$filter=Title eq 'Tasks'");
    assert_eq!(expanded.await["value"][0]["RootFolder"], json!({ "ServerRelativeUrl": "/sites/team/Lists/Tasks" }));
}

#[tokio::test]
async fn fields_and_views() {
    let server = Server::start().await;
    let title = server.get(&format!("{TASKS}/fields/getbyinternalnameortitle('Title')")).await;
    assert_eq!((&title["InternalName"], &title["FieldTypeKind"]), (&json!("Title"), &json!(2)));
    let same = server.get(&format!("{TASKS}/fields(guid'{}')", title["Id"].as_str().unwrap())).await;
    assert_eq!(same["StaticName"], "Title");
    let all = server.get(&format!("{TASKS}/fields?$select=InternalName&$filter=InternalName eq 'ID'")).await;
    assert_eq!(all["value"], json!([{ "InternalName": "ID" }]));
    assert_eq!(server.get(&format!("{TASKS}/defaultview")).await["DefaultView"], true);
    assert_eq!(server.refused("GET", &format!("{TASKS}/fields('x')"), "").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_item_lives() {
    let server = Server::start().await;
    let body =
        json!({ "__metadata": { "type": "SP.Data.TasksListItem" }, "Title": "a \u{1}\"<é>", "PercentComplete": 0.5 });
    let accept = [("accept", "application/json;odata=verbose"), ("X-RequestDigest", "0x1")];
    let made = server.send("POST", &format!("{TASKS}/items"), &accept, &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let etag = made.headers["etag"].to_str().unwrap().to_owned();
    let item: Json = serde_json::from_str(&made.body).unwrap();
    let item = &item["d"];
    assert_eq!(item["__metadata"]["etag"], etag.as_str());
    assert_eq!(item["__metadata"]["type"], "SP.Data.TasksListItem");
    assert_eq!((&item["PercentComplete"], &item["Attachments"], &item["Id"]), (&json!(0.5), &json!(false), &json!(1)));
    assert_eq!(item["Created"], "2026-03-04T05:06:07Z");
    assert_eq!(etag, format!("\"{},1\"", item["GUID"].as_str().unwrap()));
    assert_eq!(
        item["FieldValuesAsText"]["__deferred"]["uri"].as_str().unwrap().rsplit('/').next(),
        Some("FieldValuesAsText")
    );

    let path = format!("{TASKS}/items(1)");
    let tunnel = [("X-HTTP-Method", "MERGE"), ("IF-MATCH", etag.as_str())];
    let changed = server.send("POST", &path, &tunnel, r#"{"d":{"Title":"b","DueDate":"2026-05-06T00:00:00Z"}}"#).await;
    assert_eq!((changed.status, changed.body.as_str()), (StatusCode::NO_CONTENT, ""), "{}", changed.body);
    let newer = changed.headers["etag"].to_str().unwrap().to_owned();
    assert!(newer.ends_with(",2\""), "{newer}");
    let stale = server.send("PATCH", &path, &tunnel, r#"{"Title":"c"}"#).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    assert!(stale.body.contains("does not match"), "{}", stale.body);
    let now = server.get(&path).await;
    assert_eq!((&now["Title"], &now["DueDate"]), (&json!("b"), &json!("2026-05-06T00:00:00Z")));
    assert_eq!(now["AuthorId"], server.get("web/currentuser/id").await["value"]);
    let with_author = server.get(&format!("{path}?$select=Id,Author/Title,FileRef&$expand=Author")).await;
    let author =
        json!({ "Id": 1, "ID": 1, "Author": { "Title": "Ann Example" }, "FileRef": "/sites/team/Lists/Tasks/1_.000" });
    assert_eq!(with_author, author);
    assert_eq!(server.get(&format!("{path}/FieldValuesAsText")).await["Author"], "Ann Example");
    assert_eq!(server.get(&format!("{path}/ParentList")).await["Title"], "Tasks");

    for (headers, status) in [
        (&[("If-Match", etag.as_str())][..], StatusCode::PRECONDITION_FAILED),
        (&[("If-Match", "*"), ("X-HTTP-Method", "DELETE")], StatusCode::OK),
        (&[("If-Match", "*")], StatusCode::NOT_FOUND),
    ] {
        let method = if headers.len() > 1 { "POST" } else { "DELETE" };
        assert_eq!(server.send(method, &path, headers, "").await.status, status, "{headers:?}");
    }
    let (status, code) = server.refused("GET", &path, "").await;
    assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "-2130575338, Microsoft.SharePoint.SPException"));
}

#[tokio::test]
async fn pages_of_items() {
    let server = Server::start().await;
    server.add("Tasks", &["e", "d", "c", "b", "a", "it&apos;s"]).await;
    let mut path = format!("{TASKS}/items?$top=4&$select=Title&$orderby=Title desc");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let page = server.get(&path).await;
        seen.extend(titles(&page).into_iter().map(str::to_owned));
        let Some(next) = page["odata.nextLink"].as_str() else { break };
        path = next.split_once("_api/").unwrap().1.to_owned();
    }
    assert_eq!(seen, ["it's", "e", "d", "c", "b", "a"]);
    for (filter, expected) in [
        ("Title eq 'it''s'", vec!["it's"]),
        ("ID gt 2 and ID le 4", vec!["c", "b"]),
        ("Title eq 'a' or Title eq 'b'", vec!["b", "a"]),
        ("not (Title ge 'b')", vec!["a"]),
        ("not (Title eq 'a' or ID lt 6)", vec!["it's"]),
        ("startswith(Title,'IT')", vec!["it's"]),
        ("substringof('t''',Title)", vec!["it's"]),
        ("Author/Title eq 'Ann Example' and Title eq 'a'", vec!["a"]),
        ("AuthorId eq 999", vec![]),
        ("DueDate eq null and Title eq 'c'", vec!["c"]),
        ("Created ge datetime'2026-03-04T05:06:07Z' and Id eq 1", vec!["e"]),
        ("Created gt datetime'2026-03-04T05:06:07Z'", vec![]),
    ] {
        let query = crate::paths::absolute("", filter).replace('/', "%2F");
        let page = server.get(&format!("{TASKS}/items?$filter={}", query.trim_start_matches("%2F"))).await;
        assert_eq!(titles(&page), expected, "{filter}");
    }
    assert_eq!(
        titles(&server.get(&format!("{TASKS}/items?$skip=3&$top=2")).await),
        ["e", "d"],
        "$skip counts for nothing"
    );
    let verbose = server.json("GET", &format!("{TASKS}/items?$top=1"), "application/json;odata=verbose", "").await;
    assert!(verbose["d"]["__next"].as_str().unwrap().contains("skiptoken=Paged%3DTRUE%26p_ID%3D1"), "{verbose}");
    let caml =
        "<View><Query><Where><Eq><FieldRef Name='Title'/><Value Type='Text'>c</Value></Eq></Where></Query></View>";
    let found = server.post(&format!("{TASKS}/GetItems"), &json!({ "query": { "ViewXml": caml } })).await;
    assert_eq!(titles(&found), ["c"]);
}

#[tokio::test]
async fn values_of_all_kinds() {
    let server = Server::start().await;
    let fields = "<listName>Tasks</listName><newFields><Fields>\
        <Method ID='1'><Field Type='MultiChoice' DisplayName='Many'><CHOICES><CHOICE>x</CHOICE></CHOICES></Field></Method>\
        <Method ID='2'><Field Type='URL' DisplayName='Where'/></Method>\
        <Method ID='3'><Field Type='Boolean' DisplayName='Is'/></Method>\
        <Method ID='4'><Field Type='UserMulti' Mult='TRUE' DisplayName='Who'/></Method></Fields></newFields>";
    server.lists("UpdateList", fields).await;
    let written = json!({
        "Title": "t", "Many": { "results": ["x;y", "z"] }, "Is": true, "WhoId": [1],
        "Where": { "Url": "http://a/?b=1,2", "Description": "see, there" }, "AssignedToId": 1,
    });
    let made = server.post(&format!("{TASKS}/items"), &written).await;
    assert_eq!(made["Many"], json!(["x;y", "z"]));
    assert_eq!(made["Where"], json!({ "Description": "see, there", "Url": "http://a/?b=1,2" }));
    assert_eq!((&made["Is"], &made["WhoId"], &made["AssignedToId"]), (&json!(true), &json!([1]), &json!(1)));
    let verbose = server.json("GET", &format!("{TASKS}/items(1)"), "application/json;odata=verbose", "").await;
    assert_eq!(verbose["d"]["Many"]["results"], json!(["x;y", "z"]));
    let cleared = server.send("MERGE", &format!("{TASKS}/items(1)"), &[], r#"{"Many":null,"AssignedToId":null}"#).await;
    assert_eq!(cleared.status, StatusCode::NO_CONTENT);
    let now = server.get(&format!("{TASKS}/items(1)")).await;
    assert_eq!((&now["Many"], &now["AssignedToId"]), (&Json::Null, &Json::Null));
}

#[tokio::test]
async fn refusals_have_a_code_and_a_shape() {
    let server = Server::start().await;
    server.add("Tasks", &["a"]).await;
    for (method, path, body, status) in [
        ("GET", "nothing", "", 404),
        ("GET", "web/lists/getbytitle('Tasks')/nothing", "", 404),
        ("GET", "web/lists/getbytitle('Tasks", "", 400),
        ("GET", "web/lists(guid'1')", "", 400),
        ("POST", "web", "", 405),
        ("DELETE", "web/lists", "", 405),
        ("OPTIONS", "web", "", 405),
        ("POST", "web/lists/getbytitle('Tasks')/items", "{", 400),
        ("POST", "web/lists/getbytitle('Tasks')/items", "[1]", 400),
        ("POST", "web/lists/getbytitle('Tasks')/items", r#"{"Nonsense":1}"#, 400),
        ("POST", "web/lists/getbytitle('Tasks')/items", r#"{"DueDate":"soon"}"#, 400),
        ("POST", "web/lists/getbytitle('Tasks')/items", r#"{"Title":{"x":1}}"#, 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$filter=Title", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$filter=Nonsense eq 1", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$select=Nonsense", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$orderby=Nonsense", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$skiptoken=p_ID%3Dx", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items?$top=many", "", 400),
        ("GET", "web/lists/getbytitle('Tasks')/items(0)", "", 404),
        ("GET", "web/lists/getbytitle('Tasks')/items(99999999999)", "", 404),
        ("POST", "web/lists", r#"{"Title":"","BaseTemplate":100}"#, 400),
        ("POST", "web/lists", r#"{"Title":"x","BaseTemplate":112}"#, 400),
        ("POST", "web/lists", r#"{"Title":"x","BaseTemplate":"many"}"#, 400),
    ] {
        let (got, code) = server.refused(method, path, body).await;
        assert_eq!(got.as_u16(), status, "{method} {path} {body}");
        assert!(code.contains(", "), "{method} {path} {body}: {code}");
        let verbose = server.send(method, path, &[("accept", "application/json;odata=verbose")], body).await;
        let json: Json = serde_json::from_str(&verbose.body).unwrap();
        assert!(json["error"]["message"]["value"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn changes_of_a_list() {
    let server = Server::start().await;
    server.add("Tasks", &["a", "b"]).await;
    let path = format!("{TASKS}/getchanges");
    let ask = |start: Json| {
        json!({ "query": {
            "__metadata": { "type": "SP.ChangeQuery" }, "Add": true, "Update": true, "DeleteObject": true,
            "Item": true, "ChangeTokenStart": start,
        } })
    };
    let kinds = |page: &Json| {
        let all = page["value"].as_array().unwrap().iter();
        all.map(|one| (one["ChangeType"].as_i64().unwrap(), one["ItemId"].as_i64().unwrap())).collect::<Vec<_>>()
    };
    let first = server.post(&path, &ask(Json::Null)).await;
    assert_eq!(kinds(&first), [(1, 1), (1, 2)]);
    let token = first["value"][1]["ChangeToken"].clone();
    assert_eq!(token, server.get(&format!("{TASKS}?$select=CurrentChangeToken")).await["CurrentChangeToken"]);
    assert_eq!(kinds(&server.post(&path, &ask(token.clone())).await), []);
    server.send("DELETE", &format!("{TASKS}/items(1)"), &[], "").await;
    server.send("PATCH", &format!("{TASKS}/items(2)"), &[], r#"{"Title":"x"}"#).await;
    server.add("Tasks", &["c"]).await;
    let next = server.post(&path, &ask(token)).await;
    assert_eq!(kinds(&next), [(3, 1), (2, 2), (1, 3)]);
    assert_eq!(next["value"][1]["ListId"], server.get(&format!("{TASKS}/id")).await["value"]);
    for bad in ["nonsense", "1;3;9153fdd3-7c00-47e9-9194-956bb20aaa8d;633247934080930000;1"] {
        let body = ask(json!({ "StringValue": bad })).to_string();
        assert_eq!(server.refused("POST", &path, &body).await.0, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn fields_come_and_go() {
    let server = Server::start().await;
    let path = format!("{TASKS}/fields");
    let made = server.post(&path, &json!({ "Title": "My Field", "FieldTypeKind": 2 })).await;
    assert_eq!((&made["InternalName"], &made["TypeAsString"]), (&json!("My_x0020_Field"), &json!("Text")));
    let again =
        json!({ "parameters": { "Title": "My Field", "FieldTypeKind": 6, "Choices": { "results": ["x", "y"] } } });
    let again = server.post(&format!("{path}/addfield"), &again).await;
    assert_eq!((&again["InternalName"], &again["Choices"]), (&json!("My_x0020_Field0"), &json!(["x", "y"])));
    let markup = json!({ "parameters": { "SchemaXml": "<Field Type='Number' DisplayName='N' Name='N'/>" } });
    assert_eq!(server.post(&format!("{path}/createFieldAsXml"), &markup).await["FieldTypeKind"], 9);
    let item = server.post(&format!("{TASKS}/items"), &json!({ "My_x0020_Field": "v", "N": 1.5 })).await;
    assert_eq!((&item["My_x0020_Field"], &item["N"]), (&json!("v"), &json!(1.5)));
    let name = format!("{path}/getbyinternalnameortitle('N')");
    assert_eq!(server.send("DELETE", &name, &[], "").await.status, StatusCode::OK);
    assert_eq!(server.refused("GET", &name, "").await.0, StatusCode::NOT_FOUND);
    let title = format!("{path}/getbyinternalnameortitle('Title')");
    assert_eq!(server.refused("DELETE", &title, "").await.0, StatusCode::BAD_REQUEST);
    for bad in [r#"{"Title":"x","FieldTypeKind":99}"#, r#"{"FieldTypeKind":2}"#, r#"{"SchemaXml":"<Field"}"#] {
        assert_eq!(server.refused("POST", &path, bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[test]
fn whatever_is_sent_there_is_an_answer() {
    use proptest::prelude::*;

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let server = runtime.block_on(Server::start());
    runtime.block_on(server.add("Tasks", &["a"]));
    let words = "[a-z]{1,5}|\\(|\\)|'|/|%2|%27|%00|web|lists|getbytitle\\('Tasks'\\)|items|items\\(1\\)|\\?|\\$filter=|\\$select=\
        |\\$orderby=|Title| eq |&|=|,|\\$skiptoken=|Paged|p_ID%3D|@x|\\{|\\}|\"|:|\\[|é|\u{1f600}|--b\n|\n|POST |GET |<|>";
    let text = || proptest::collection::vec(words, 0..14).prop_map(|words| words.concat());
    let config = ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() };
    proptest!(config, |(path in text(), body in text(), verb in 0_usize..4)| {
        let method = ["GET", "POST", "MERGE", "DELETE"][verb];
        for path in [path.clone(), format!("{TASKS}/{path}"), format!("{TASKS}/items?{path}"), "$batch".to_owned()] {
            let headers = [("content-type", "multipart/mixed; boundary=b"), ("if-match", "\"x\"")];
            let reply = runtime.block_on(server.send(method, &path, &headers, &body));
            prop_assert!(reply.status.as_u16() < 500, "{method} {path}: {}", reply.body);
        }
    });
}
