//! Rows over REST as clients of SharePoint read them: RenderListDataAsStream, GetItems by CAML, counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use serde_json::{Value, json};
use testkit::{
    http::Answer,
    question::{Stage, edit, new},
};

fn post(stage: &Stage, path: &str, body: &Value) -> Answer {
    stage.lists.rest("POST", &format!("web/lists/{path}"), &[], &body.to_string())
}

fn render(stage: &Stage, list: &str, parameters: Value) -> Value {
    let path = format!("getbytitle('{list}')/RenderListDataAsStream");
    let answer = post(stage, &path, &json!({ "parameters": parameters }));
    assert_eq!(answer.status, 200, "{parameters}: {}", answer.text());
    assert!(answer.header("content-type").unwrap().starts_with("application/json"));
    answer.json()
}

fn numbers(answer: &Value) -> String {
    let rows = answer["Row"].as_array().unwrap();
    rows.iter().map(|row| row["ID"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

fn tasks() -> Stage {
    let mut stage = Stage::new("");
    let rows: Vec<String> = (1..=7)
        .map(|number| {
            new(&[
                ("Title", &format!("task {number}")),
                ("Status", if number % 2 == 0 { "Completed" } else { "In Progress" }),
            ])
        })
        .collect();
    stage.update("Tasks", &rows);
    stage.update(
        "Tasks",
        &[edit(
            1,
            &[("AssignedTo", "1"), ("DueDate", "2026-03-05T00:00:00Z"), ("PercentComplete", "0.5"), ("Body", "a & b")],
        )],
    );
    stage.views("Tasks");
    stage
}

#[test]
fn rows_as_a_stream() {
    let stage = tasks();
    let view = "<View><Query><Where><Leq><FieldRef Name='ID'/><Value Type='Counter'>1</Value></Leq></Where></Query>\
                <ViewFields><FieldRef Name='Title'/><FieldRef Name='AssignedTo'/><FieldRef Name='DueDate'/><FieldRef Name='Modified'/>\
                <FieldRef Name='PercentComplete'/><FieldRef Name='Body'/><FieldRef Name='Attachments'/></ViewFields></View>";
    let answer = render(&stage, "Tasks", json!({ "ViewXml": view, "RenderOptions": 2 }));
    let row = &answer["Row"][0];
    for (name, value) in [
        ("ID", json!("1")),
        ("Title", json!("task 1")),
        (
            "AssignedTo",
            json!([{ "id": "1", "title": "Anna Arlt", "email": "anna@example.com", "sip": "anna@example.com", "picture": "" }]),
        ),
        ("DueDate", json!("3/5/2026")),
        ("DueDate.", json!("2026-03-05T00:00:00Z")),
        ("Modified", json!("3/4/2026 5:06 AM")),
        ("Modified.", json!("2026-03-04T05:06:07Z")),
        ("PercentComplete", json!("0.5")),
        ("PercentComplete.", json!("0.500000000000000")),
        ("Body", json!("a & b")),
        ("FSObjType", json!("0")),
        ("FileRef", json!("/sites/team/Lists/Tasks/1_.000")),
        ("FileLeafRef", json!("1_.000")),
        ("PermMask", json!("0x7fffffffffffffff")),
        ("Attachments", json!("0")),
    ] {
        assert_eq!(row[name], value, "{name}: {row}");
    }
    for (name, value) in [
        ("FirstRow", json!(1)),
        ("LastRow", json!(1)),
        ("RowLimit", json!(100)),
        ("FolderPermissions", json!("0x7fffffffffffffff")),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert!(answer.get("NextHref").is_none());
    let utc = render(&stage, "Tasks", json!({ "ViewXml": view, "DatesInUtc": true }));
    assert_eq!(utc["Row"][0]["Modified"], "2026-03-04T05:06:07Z");
    // No markup: the default view, or the one that the address names.
    assert_eq!(numbers(&render(&stage, "Tasks", json!({}))), "1 2 3 4 5 6 7");
    let active = stage.words["view Active Tasks"].trim_matches(['{', '}']).to_owned();
    let path = format!("getbytitle('Tasks')/RenderListDataAsStream?View={active}");
    let named = post(&stage, &path, &json!({ "parameters": { "RenderOptions": 2 } }));
    assert_eq!(numbers(&named.json()), "1 3 5 7");
    // What overrides the view goes before it.
    let other = "<View><Query><OrderBy><FieldRef Name='ID' Ascending='FALSE'/></OrderBy></Query></View>";
    let answer = render(&stage, "Tasks", json!({ "ViewXml": view, "OverrideViewXml": other }));
    assert_eq!((numbers(&answer).as_str(), answer["Row"][0].get("Body").is_some()), ("7 6 5 4 3 2 1", true));
    stage.finish();
}

#[test]
fn pages_of_a_stream() {
    let stage = tasks();
    let view = "<View><Query><OrderBy><FieldRef Name='Title' Ascending='FALSE'/></OrderBy></Query><RowLimit Paged='TRUE'>3</RowLimit></View>";
    let mut paging = Value::Null;
    let mut seen = Vec::new();
    for (first, last) in [(1, 3), (4, 6), (7, 7)] {
        let answer = render(&stage, "Tasks", json!({ "ViewXml": view, "Paging": paging }));
        seen.push(numbers(&answer));
        assert_eq!((&answer["FirstRow"], &answer["LastRow"]), (&json!(first), &json!(last)));
        // Clients send what stands behind the question mark.
        paging =
            answer.get("NextHref").map_or(Value::Null, |next| next.as_str().unwrap().trim_start_matches('?').into());
    }
    assert_eq!((seen.join(" | ").as_str(), paging), ("7 6 5 | 4 3 2 | 1", Value::Null));
    let empty =
        "<View><Query><Where><Eq><FieldRef Name='ID'/><Value Type='Counter'>99</Value></Eq></Where></Query></View>";
    let answer = render(&stage, "Tasks", json!({ "ViewXml": empty }));
    assert_eq!((numbers(&answer).as_str(), &answer["FirstRow"], &answer["LastRow"]), ("", &json!(1), &json!(0)));
    stage.finish();
}

#[test]
fn streams_that_cannot_be() {
    let stage = tasks();
    let path = "getbytitle('Tasks')/RenderListDataAsStream";
    for (parameters, status) in [
        (json!({ "ViewXml": "<View><Query><Where><Odd/></Where></Query></View>" }), 400),
        (json!({ "ViewXml": "<View" }), 400),
        (json!({ "RenderOptions": 4 }), 400),
        (json!({ "Nonsense": 1 }), 400),
        (json!({ "Paging": "Paged=TRUE&p_ID=x" }), 400),
        (json!({ "ViewXml": "<View><RowLimit>many</RowLimit></View>" }), 400),
        (
            json!({ "ExpandGroups": true, "FirstGroupOnly": false, "AllowMultipleValueFilterForTaxonomyFields": true }),
            200,
        ),
    ] {
        let answer = post(&stage, path, &json!({ "parameters": parameters }));
        assert_eq!(answer.status, status, "{parameters}: {}", answer.text());
    }
    let unknown = post(&stage, &format!("{path}?View=11111111-2222-3333-4444-555555555555"), &json!({}));
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    assert_eq!(post(&stage, "getbytitle('Chores')/RenderListDataAsStream", &json!({})).status, 404);
    // The older form: one text.
    let markup = "'%3CView%3E%3CRowLimit%3E2%3C/RowLimit%3E%3C/View%3E'";
    let answer = post(&stage, &format!("getbytitle('Tasks')/RenderListData(@viewXml)?@viewXml={markup}"), &Value::Null);
    let text = answer.json()["value"].as_str().map(str::to_owned).unwrap_or_else(|| panic!("{}", answer.text()));
    assert_eq!(numbers(&serde_json::from_str(&text).unwrap()), "1 2");
    stage.finish();
}

#[test]
fn folders_of_a_library() {
    let stage = Stage::new("");
    stage.lists.add("Papers", 101);
    stage.put("Papers/a.txt", "1");
    stage.update("Papers", &[new(&[("FSObjType", "1"), ("BaseName", "F")])]);
    stage.put("Papers/F/b.txt", "2");
    for (parameters, expected) in [
        (json!({}), "1 2"),
        (json!({ "ViewXml": "<View Scope='RecursiveAll'/>" }), "1 2 3"),
        (json!({ "ViewXml": "<View Scope='Recursive'/>" }), "1 3"),
        (json!({ "ViewXml": "<View Scope='FilesOnly'/>" }), "1"),
        (json!({ "FolderServerRelativeUrl": "/sites/team/Papers/F" }), "3"),
    ] {
        let answer = render(&stage, "Papers", parameters.clone());
        let mut rows: Vec<_> = numbers(&answer).split(' ').map(str::to_owned).collect();
        rows.sort();
        assert_eq!(rows.join(" "), expected, "{parameters}");
        // GetItems takes the same markup.
        let mut query = json!({ "ViewXml": parameters.get("ViewXml").cloned().unwrap_or_else(|| "<View/>".into()) });
        if let Some(folder) = parameters.get("FolderServerRelativeUrl") {
            query["FolderServerRelativeUrl"] = folder.clone();
        }
        let items = post(&stage, "getbytitle('Papers')/GetItems", &json!({ "query": query }));
        let found: Vec<_> =
            items.json()["value"].as_array().unwrap().iter().map(|item| item["Id"].to_string()).collect();
        assert_eq!(found.join(" "), expected, "{query}");
    }
    let paged = json!({ "query": { "ViewXml": "<View Scope='RecursiveAll'><RowLimit>1</RowLimit></View>",
        "ListItemCollectionPosition": { "PagingInfo": "Paged=TRUE&p_ID=2" } } });
    let items = post(&stage, "getbytitle('Papers')/GetItems", &paged);
    assert_eq!(items.json()["value"][0]["Id"], 3, "{}", items.text());
    stage.finish();
}

#[test]
fn counts() {
    let stage = tasks();
    let rows: Vec<String> = (0..150).map(|_| new(&[("Title", "more")])).collect();
    stage.update("Tasks", &rows);
    for (path, expected) in [
        ("items/$count", "157"),
        ("ItemCount/$value", "157"),
        ("items/$count?$filter=Title%20eq%20%27more%27", "150"),
        ("items/$count?$filter=Status%20eq%20%27Completed%27", "3"),
        ("items/$count?$filter=Id%20gt%20999", "0"),
        ("views/$count", "4"),
    ] {
        let answer = stage.lists.rest("GET", &format!("web/lists/getbytitle('Tasks')/{path}"), &[], "");
        assert_eq!((answer.status, answer.text()), (200, expected), "{path}");
    }
    let texts = stage.lists.rest(
        "GET",
        "web/lists/getbytitle('Tasks')/items(1)?$select=Id,FieldValuesAsText/Title&$expand=FieldValuesAsText",
        &[],
        "",
    );
    assert_eq!(texts.json()["FieldValuesAsText"]["Title"], "task 1", "{}", texts.text());
    stage.finish();
}

/// A file that is attached is changed and deleted by who has its version in hand.
#[test]
fn attachments_by_version() {
    let stage = tasks();
    let base = "web/lists/getbytitle('Tasks')/items(1)/AttachmentFiles";
    let bytes = ("content-type", "application/octet-stream");
    assert_eq!(stage.lists.rest("POST", &format!("{base}/add(FileName='a.txt')"), &[bytes], "one").status, 200);
    let tag = |stage: &Stage| {
        let path = "/sites/team/Lists/Tasks/Attachments/1/a.txt";
        stage.lists.http().send("GET", path, &[], "").header("etag").unwrap().to_owned()
    };
    let value = format!("{base}/getByFileName('a.txt')/$value");
    let first = tag(&stage);
    let put = |tag: &str, body: &str| {
        stage.lists.rest("POST", &value, &[bytes, ("x-http-method", "PUT"), ("if-match", tag)], body).status
    };
    assert_eq!(put(&first, "two"), 204);
    assert_eq!(put(&first, "three"), 412, "the version is outdated");
    assert_eq!(stage.lists.rest("GET", &value, &[], "").text(), "two");
    let delete = |tag: &str| {
        let path = format!("{base}/getByFileName('a.txt')");
        stage.lists.rest("POST", &path, &[("x-http-method", "DELETE"), ("if-match", tag)], "").status
    };
    assert_eq!(delete(&first), 412);
    assert_eq!(delete(&tag(&stage)), 200);
    assert_eq!(stage.lists.rest("GET", &value, &[], "").status, 404);
    stage.finish();
}
