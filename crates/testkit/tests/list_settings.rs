//! Settings of lists: changed over SOAP and REST, shown by both, and followed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use serde_json::{Value, json};
use testkit::{
    cases,
    http::Answer,
    lists::{ListAsk, Lists, method, outcomes},
    question::{SERVICE, Stage, edit, new},
    server::{BERT, SITE},
    tree::{Reach, Tree},
};

/// UpdateList with these attributes of List.
fn set(stage: &Stage, list: &str, attributes: &str) -> Tree {
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>{list}</listName><listProperties><List {attributes}/></listProperties>\
         </UpdateList>"
    );
    stage.lists.call("UpdateList", &request)
}

fn merge(stage: &Stage, list: &str, body: &Value) -> Answer {
    let headers = [("x-http-method", "MERGE"), ("if-match", "*")];
    stage.lists.rest("POST", &format!("web/lists/getbytitle('{list}')"), &headers, &body.to_string())
}

/// An attribute of a list by SOAP.
fn attribute(stage: &Stage, list: &str, name: &str) -> String {
    let answer = stage.lists.definition(list);
    answer.payload().at("GetListResult/List").attribute(name).unwrap_or("none").to_owned()
}

/// A property of a list by REST.
fn property(stage: &Stage, list: &str, name: &str) -> Value {
    let answer = stage.lists.rest("GET", &format!("web/lists/getbytitle('{list}')?$select={name}"), &[], "");
    answer.json()[name].clone()
}

fn code(answer: &Tree) -> String {
    answer.fault().map_or_else(|| "none".to_owned(), |fault| fault.value("detail/errorcode").unwrap_or_default())
}

#[test]
fn settings_are_shown_by_both() {
    let stage = Stage::new("");
    // Attribute, what it is at first, what it is set to by SOAP, what REST then shows, what REST sets it back to.
    for (name, usual, changed, shown, back) in [
        ("EnableAttachments", "True", "FALSE", json!(false), json!(true)),
        ("EnableVersioning", "False", "TRUE", json!(true), json!(false)),
        ("EnableFolderCreation", "False", "TRUE", json!(true), json!(false)),
        ("Hidden", "False", "TRUE", json!(true), json!(false)),
        ("MultipleDataList", "False", "True", json!(true), json!(false)),
        ("ExcludeFromOfflineClient", "False", "true", json!(true), json!(false)),
        ("Direction", "none", "rtl", json!("rtl"), json!("none")),
        ("EnforceDataValidation", "False", "TRUE", Value::Null, Value::Null),
        ("Ordered", "False", "TRUE", Value::Null, Value::Null),
        ("ShowUser", "True", "FALSE", Value::Null, Value::Null),
        ("AllowMultiResponses", "False", "TRUE", Value::Null, Value::Null),
    ] {
        assert_eq!(attribute(&stage, "Tasks", name), usual, "{name}");
        let answer = set(&stage, "Tasks", &format!("{name}=\"{changed}\""));
        assert!(answer.fault().is_none(), "{name}: {answer:?}");
        let words = ["True", "False"];
        let spelt = words.iter().find(|word| word.eq_ignore_ascii_case(changed)).copied().unwrap_or(changed);
        let told = answer.payload().at("UpdateListResult/Results/ListProperties").attribute(name).unwrap().to_owned();
        assert_eq!((told.as_str(), attribute(&stage, "Tasks", name).as_str()), (spelt, spelt), "{name}");
        if shown.is_null() {
            continue;
        }
        assert_eq!(property(&stage, "Tasks", name), shown, "{name}");
        let answer = merge(&stage, "Tasks", &json!({ name: back }));
        assert_eq!(answer.status, 204, "{name}: {}", answer.text());
        assert_eq!(
            (attribute(&stage, "Tasks", name).as_str(), property(&stage, "Tasks", name)),
            (usual, back),
            "{name}"
        );
    }
    for (name, value) in [("OnQuickLaunch", json!(false)), ("NoCrawl", json!(true))] {
        assert_eq!(merge(&stage, "Tasks", &json!({ name: value })).status, 204);
        assert_eq!(property(&stage, "Tasks", name), value, "{name}");
    }
    let answer =
        set(&stage, "Tasks", "Title=\"Chores\" Description=\"What &lt;is&gt; to do\" ID=\"{x}\" ItemCount=\"9\"");
    assert!(answer.fault().is_none(), "what a list was got with may come along: {answer:?}");
    assert_eq!(attribute(&stage, "Chores", "Description"), "What <is> to do");
    let answer =
        merge(&stage, "Chores", &json!({ "__metadata": { "type": "SP.List" }, "Title": "Tasks", "Description": "" }));
    assert_eq!(answer.status, 204);
    assert_eq!(
        (attribute(&stage, "Tasks", "Description").as_str(), attribute(&stage, "Tasks", "Title").as_str()),
        ("", "Tasks")
    );
    stage.finish();
}

#[test]
fn settings_that_cannot_be() {
    let stage = Stage::new("");
    let before = attribute(&stage, "Tasks", "Version");
    for attributes in [
        "EnableVersioning=\"perhaps\"",
        "Direction=\"up\"",
        "RequireCheckout=\"TRUE\"",
        "EnableMinorVersion=\"TRUE\"",
        "StrictTypeCoercion=\"TRUE\"",
        "PreserveEmptyValues=\"TRUE\"",
        "EnableAssignToEmail=\"TRUE\"",
    ] {
        // Nothing of a refused request is done.
        let answer = set(&stage, "Tasks", &format!("Title=\"Other\" {attributes}"));
        assert_eq!(code(&answer), "0x81020014", "{attributes}");
    }
    assert_eq!(code(&set(&stage, "Documents", "EnableAttachments=\"TRUE\"")), "0x81020014");
    assert_eq!(code(&set(&stage, "Tasks", "EnableMinorVersion=\"FALSE\" Title=\"\"")), "none");
    for (body, status) in [
        (json!({ "ForceCheckout": true }), 400),
        (json!({ "ContentTypesEnabled": true }), 400),
        (json!({ "Nonsense": 1 }), 400),
        (json!({ "ItemCount": 77 }), 400),
        (json!({ "Title": "Calendar" }), 409),
        (json!({ "EnableVersioning": { "a": 1 } }), 400),
        (json!({ "ItemCount": 0, "BaseTemplate": 107, "ForceCheckout": false }), 204),
    ] {
        let answer = merge(&stage, "Tasks", &body);
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    assert_eq!(attribute(&stage, "Tasks", "Version"), before);
    // A version that is not that of the list, by either protocol.
    assert!(set(&stage, "Tasks", "Hidden=\"TRUE\"").fault().is_none());
    let request = |version: &str| {
        let request = format!(
            "<UpdateList xmlns=\"{SERVICE}\"><listName>Tasks</listName><listProperties><List Hidden=\"FALSE\"/></listProperties>\
             <listVersion>{version}</listVersion></UpdateList>"
        );
        code(&stage.lists.call("UpdateList", &request))
    };
    assert_eq!((request("0").as_str(), request("x").as_str(), request("-1").as_str()), ("0x81020015", "", ""));
    assert_eq!((request("1").as_str(), attribute(&stage, "Tasks", "Version").as_str()), ("none", "2"));
    let headers = [("x-http-method", "MERGE"), ("if-match", "\"1\"")];
    let answer = stage.lists.rest("POST", "web/lists/getbytitle('Tasks')", &headers, "{\"Hidden\":true}");
    assert_eq!(answer.status, 412, "{}", answer.text());
    stage.finish();
}

#[test]
fn new_lists_over_rest_have_their_settings() {
    let stage = Stage::new("");
    let body = json!({ "__metadata": { "type": "SP.List" }, "Title": "Made", "BaseTemplate": 100, "Description": "d",
        "AllowContentTypes": false, "ContentTypesEnabled": false, "EnableAttachments": false, "EnableVersioning": true });
    let answer = stage.lists.rest("POST", "web/lists", &[], &body.to_string());
    assert_eq!(answer.status, 201, "{}", answer.text());
    for (name, value) in [("EnableAttachments", "False"), ("EnableVersioning", "True"), ("Description", "d")] {
        assert_eq!(attribute(&stage, "Made", name), value, "{name}");
    }
    let body = json!({ "Title": "Bad", "BaseTemplate": 100, "IrmEnabled": true });
    assert_eq!(stage.lists.rest("POST", "web/lists", &[], &body.to_string()).status, 400);
    assert_eq!(stage.lists.rest("GET", "web/lists/getbytitle('Bad')", &[], "").status, 404);
    stage.finish();
}

#[test]
fn attachments_are_turned_off() {
    let stage = Stage::new("");
    stage.update("Tasks", &[new(&[("Title", "a")])]);
    let soap = |name: &str| {
        let request = format!(
            "<AddAttachment xmlns=\"{SERVICE}\"><listName>Tasks</listName><listItemID>1</listItemID><fileName>{name}</fileName>\
             <attachment>Ynl0ZXM=</attachment></AddAttachment>"
        );
        stage.lists.call("AddAttachment", &request)
    };
    let rest = |name: &str| {
        let path = format!("web/lists/getbytitle('Tasks')/items(1)/AttachmentFiles/add(FileName='{name}')");
        stage.lists.rest("POST", &path, &[("content-type", "application/octet-stream")], "bytes")
    };
    let file = |method: &str, name: &str| {
        stage.lists.http().send(
            method,
            &format!("{SITE}/Lists/Tasks/Attachments/1/{name}"),
            &[],
            if method == "PUT" { "bytes" } else { "" },
        )
    };
    assert!(soap("a.txt").fault().is_none());
    assert!(set(&stage, "Tasks", "EnableAttachments=\"FALSE\"").fault().is_none());
    assert_eq!(code(&soap("b.txt")), "0x81020014");
    let refused = rest("c.txt");
    assert_eq!(
        (refused.status, refused.text().contains("Attachments are turned off")),
        (400, true),
        "{}",
        refused.text()
    );
    assert!((400..500).contains(&file("PUT", "d.txt").status));
    assert!((400..500).contains(&file("PUT", "a.txt").status), "not changed either");
    // What is there stays, and may be taken away.
    assert_eq!(file("GET", "a.txt").text(), "bytes");
    assert_eq!(file("DELETE", "a.txt").status, 204);
    assert!(set(&stage, "Tasks", "EnableAttachments=\"TRUE\"").fault().is_none());
    assert_eq!(rest("c.txt").status, 200);
    stage.finish();
}

#[test]
fn versions_are_counted_where_that_is_on() {
    let stage = Stage::new("");
    let versions = |stage: &Stage| {
        let row = &stage.update("Tasks", &[edit(1, &[("Title", "x")])])[0];
        format!("{} {} {}", row["owshiddenversion"], row["_UIVersionString"], row["_UIVersion"])
    };
    stage.update("Tasks", &[new(&[("Title", "a")])]);
    assert_eq!(versions(&stage), "2 1.0 512");
    set(&stage, "Tasks", "EnableVersioning=\"TRUE\"");
    assert_eq!(versions(&stage), "3 2.0 1024");
    assert_eq!(versions(&stage), "4 3.0 1536");
    set(&stage, "Tasks", "EnableVersioning=\"FALSE\"");
    assert_eq!(versions(&stage), "5 3.0 1536");
    // Files too.
    set(&stage, "Documents", "EnableVersioning=\"TRUE\"");
    stage.put("Documents/a.txt", "1");
    stage.put("Documents/a.txt", "2");
    let answer =
        stage.lists.rest("GET", "web/lists/getbytitle('Documents')/items(1)?$select=OData__UIVersionString", &[], "");
    assert_eq!(answer.json()["OData__UIVersionString"], "2.0", "{}", answer.text());
    stage.finish();
}

#[test]
fn folders_and_required_fields() {
    let stage = Stage::new("");
    let run = |methods: &str| {
        let request = format!(
            "<UpdateListItems xmlns=\"{SERVICE}\"><listName>Links</listName><updates><Batch>{methods}</Batch></updates></UpdateListItems>"
        );
        outcomes(&stage.lists.call("UpdateListItems", &request))[0].code.clone()
    };
    stage.lists.add("Links", 103);
    let folder = |name: &str| new(&[("FSObjType", "1"), ("BaseName", name)]);
    assert_eq!(run(&folder("a")), "0x00000000");
    set(&stage, "Links", "EnableFolderCreation=\"FALSE\"");
    assert_eq!(run(&folder("b")), "0x81020014");
    // A link needs a URL once the list insists on it.
    let bare = new(&[("Title", "t"), ("Comments", "no address")]);
    assert_eq!(run(&bare), "0x00000000");
    set(&stage, "Links", "EnforceDataValidation=\"TRUE\"");
    assert_eq!(run(&bare), "0x81020014");
    assert_eq!(run(&new(&[("Title", "t"), ("URL", "http://x/, X")])), "0x00000000");
    assert_eq!(run(&method("Update", Some(3), &[("URL", "")])), "0x81020014");
    assert_eq!(run(&method("Update", Some(3), &[("Comments", "fine")])), "0x00000000");
    stage.finish();
}

/// Users read and write their own rows only, where the list says so; its owner all.
#[test]
fn rows_of_others() {
    let mut stage = Stage::new("");
    let bert = stage.server.lists(BERT);
    stage.update("Tasks", &[new(&[("Title", "of Anna")])]);
    bert.create("Tasks", &[("Title", "of Bert")]);
    bert.create("Tasks", &[("Title", "of Bert too")]);
    stage.mark("start", "Tasks");
    let start = stage.words["start"].clone();
    // PermMask among the fields, as clients of such lists send it.
    let all = "<ViewFields><FieldRef Name='PermMask'/><FieldRef Name='Title'/></ViewFields>";
    let numbers = |lists: &Lists, token: Option<&str>| {
        let ask = ListAsk { list: "Tasks", fields: Some(all), token, ..ListAsk::default() };
        let page = lists.changes(&ask);
        assert_eq!(page.rows, lists.changes_over_rest(&ask).rows);
        page.rows.iter().map(|row| row["ID"].clone()).collect::<Vec<_>>().join(" ")
    };
    let code = |lists: &Lists, methods: &str| lists.update("Tasks", methods)[0].code.clone();
    let fine = "0x00000000";
    assert_eq!(numbers(&bert, None), "1 2 3");
    // Written by their makers only.
    set(&stage, "Tasks", "WriteSecurity=\"2\"");
    assert_eq!(attribute(&stage, "Tasks", "WriteSecurity"), "2");
    assert_eq!(code(&bert, &edit(1, &[("Title", "x")])), "0x80070005");
    assert_eq!(code(&bert, &method("Delete", Some(1), &[])), "0x80070005");
    assert_eq!(code(&bert, &edit(2, &[("Title", "of Bert 2")])), fine);
    assert_eq!(code(&stage.lists, &edit(2, &[("Title", "of Bert 3")])), fine, "the owner writes all");
    assert_eq!(numbers(&bert, None), "1 2 3");
    // Written by nobody, not made either.
    assert_eq!(merge(&stage, "Tasks", &json!({ "WriteSecurity": 4 })).status, 204);
    assert_eq!(code(&bert, &edit(2, &[("Title", "x")])), "0x80070005");
    assert_eq!(code(&bert, &new(&[("Title", "x")])), "0x80070005");
    assert_eq!(code(&stage.lists, &new(&[("Title", "of Anna 2")])), fine);
    // Read by their makers only.
    assert_eq!(merge(&stage, "Tasks", &json!({ "ReadSecurity": 2, "WriteSecurity": 1 })).status, 204);
    assert_eq!(
        (attribute(&stage, "Tasks", "ReadSecurity").as_str(), property(&stage, "Tasks", "ReadSecurity")),
        ("2", json!(2))
    );
    assert_eq!((numbers(&bert, None).as_str(), numbers(&bert, Some(&start)).as_str()), ("2 3", "2"));
    assert_eq!(numbers(&stage.lists, None), "1 2 3 4");
    assert_eq!(bert.rest("GET", "web/lists/getbytitle('Tasks')/items(1)", &[], "").status, 404);
    let items = bert.rest("GET", "web/lists/getbytitle('Tasks')/items?$select=Id", &[], "");
    assert_eq!(items.json()["value"].as_array().unwrap().len(), 2, "{}", items.text());
    assert_eq!(code(&bert, &edit(1, &[("Title", "x")])), "0x81020016", "as if it were not there");
    assert_eq!(
        bert.read_rows(&ListAsk { list: "Tasks", ..ListAsk::default() }).into_keys().collect::<Vec<_>>(),
        [2, 3]
    );
    for (attributes, wrong) in
        [("ReadSecurity=\"3\"", true), ("WriteSecurity=\"3\"", true), ("ReadSecurity=\"1\"", false)]
    {
        assert_eq!(set(&stage, "Tasks", attributes).fault().is_some(), wrong, "{attributes}");
    }
    assert_eq!(numbers(&bert, None), "1 2 3 4");
    stage.finish();
}

/// Lists of meetings: a row belongs to one instance, to the series, or to none.
#[test]
fn instances_of_a_meeting() {
    let mut stage = Stage::new("");
    let row = |title: &str, instance: &str| new(&[("Title", title), ("InstanceID", instance)]);
    let refused = stage.lists.update("Tasks", &row("a", "20260304"));
    assert_eq!(refused[0].code, "0x81020014", "only in a list of meetings");
    set(&stage, "Tasks", "MultipleDataList=\"TRUE\"");
    stage.mark("start", "Tasks");
    stage.update(
        "Tasks",
        &[
            row("first", "20260304"),
            row("second", "20260311"),
            row("series", "0"),
            new(&[("Title", "none")]),
            row("first too", "20260304"),
        ],
    );
    stage.run("Tasks", cases! {
        "not said: all but the series": [] => ["rows" = "1 2 4 5", "1.Title" = "first"];
        "options without it: the same": [queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["rows" = "1 2 4 5"];
        "-1": [queryOptions = "<QueryOptions><MeetingInstanceID>-1</MeetingInstanceID></QueryOptions>"] => ["rows" = "1 2 4 5"];
        "-2: all with the series": [queryOptions = "<QueryOptions><MeetingInstanceID>-2</MeetingInstanceID></QueryOptions>"] => ["rows" = "1 2 3 4 5"];
        "-3: unspecified": [queryOptions = "<QueryOptions><MeetingInstanceID>-3</MeetingInstanceID></QueryOptions>"] => ["rows" = "1 2 3 4 5"];
        "0: the series": [queryOptions = "<QueryOptions><MeetingInstanceID>0</MeetingInstanceID></QueryOptions>"] => ["rows" = "3"];
        "an instance": [queryOptions = "<QueryOptions><MeetingInstanceID>20260304</MeetingInstanceID></QueryOptions>", viewFields = "<ViewFields><FieldRef Name='InstanceID'/></ViewFields>"]
            => ["rows" = "1 5", "1.InstanceID" = "20260304"];
        "an instance that has nothing": [queryOptions = "<QueryOptions><MeetingInstanceID>20270101</MeetingInstanceID></QueryOptions>"] => ["rows" = ""];
        "an instance and a token": [changeToken = "{start}", queryOptions = "<QueryOptions><MeetingInstanceID>20260311</MeetingInstanceID></QueryOptions>"] => ["rows" = "2", "ids" = ""];
    });
    stage.mark("now", "Tasks");
    stage.update("Tasks", &[edit(1, &[("InstanceID", "20260311")])]);
    stage.run("Tasks", cases! {
        "moved to another instance": [changeToken = "{now}", queryOptions = "<QueryOptions><MeetingInstanceID>20260304</MeetingInstanceID></QueryOptions>"] => ["rows" = "", "ids" = "Delete 1"];
        "which gets it": [changeToken = "{now}", queryOptions = "<QueryOptions><MeetingInstanceID>20260311</MeetingInstanceID></QueryOptions>"] => ["rows" = "1", "ids" = ""];
    });
    set(&stage, "Tasks", "MultipleDataList=\"FALSE\"");
    stage.run("Tasks", cases! {
        "no list of meetings any more": [queryOptions = "<QueryOptions><MeetingInstanceID>20260304</MeetingInstanceID></QueryOptions>"] => ["rows" = "1 2 3 4 5"];
    });
    stage.finish();
}
