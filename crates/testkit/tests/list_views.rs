//! Views: made, changed and deleted over SOAP and REST, and followed by what shows rows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use serde_json::{Value, json};
use testkit::{
    cases,
    lists::{Lists, method},
    question::{SERVICE, Stage, edit, new},
    schema::Checker,
    server::SITE,
    tree::{Reach, Tree},
};

/// Calls an operation of the view service.
fn views(stage: &Stage, checker: &mut Checker, operation: &str, parameters: &str) -> Tree {
    let request = format!("<{operation} xmlns=\"{SERVICE}\">{parameters}</{operation}>");
    let envelope = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>{}</s:Body></s:Envelope>",
        stage.fill(&request)
    );
    let path = format!("{SITE}/_vti_bin/Views.asmx");
    let answer = stage.lists.http().send("POST", &path, &[("content-type", "text/xml; charset=utf-8")], envelope);
    let tree = Lists::read(&answer);
    checker.views(&tree);
    tree
}

fn fault(tree: &Tree) -> String {
    tree.fault().unwrap().value("detail/errorcode").unwrap_or_else(|| "none".to_owned())
}

/// Title, kind, default, scope, row limit, paged, fields and the query of a `View` element.
fn shown(view: xml::Node<'_>) -> Vec<String> {
    let attribute = |name: &str| view.attribute(name).unwrap_or("-").to_owned();
    let limit = view.at("RowLimit");
    let fields: Vec<_> = view.at("ViewFields").children().map(|field| field.attribute("Name").unwrap()).collect();
    let query = view.at("Query").to_xml();
    let query = query[query.find('>').unwrap() + 1..].trim_end_matches("</Query>").to_owned();
    vec![
        attribute("DisplayName"),
        attribute("Type"),
        attribute("DefaultView"),
        attribute("Scope"),
        limit.text().into_owned(),
        limit.attribute("Paged").unwrap_or("-").to_owned(),
        fields.join(" "),
        query,
    ]
}

/// A list of five rows: 2 and 4 are done.
fn stage() -> Stage {
    let mut stage = Stage::new("");
    let row = |title: &str, status: &str| new(&[("Title", title), ("Status", status), ("Body", "text")]);
    stage.update(
        "Tasks",
        &[
            row("a", "In Progress"),
            row("b", "Completed"),
            row("c", "In Progress"),
            row("d", "Completed"),
            row("e", "In Progress"),
        ],
    );
    stage.mark("start", "Tasks");
    stage
}

const DONE: &str = "<Where><Eq><FieldRef Name=\"Status\"/><Value Type=\"Text\">Completed</Value></Eq></Where>";
const DOWN: &str = "<OrderBy><FieldRef Name=\"ID\" Ascending=\"FALSE\"/></OrderBy>";

#[test]
fn views_over_soap() {
    let mut stage = stage();
    let mut checker = Checker::new();
    // The query comes in the namespace of the service and with a prefix, as typed clients send it.
    let add = format!(
        "<listName>Tasks</listName><viewName>Done &amp; gone</viewName><viewFields><ViewFields><FieldRef Name=\"Body\"/>\
         <FieldRef Name=\"Title\"/></ViewFields></viewFields><query><q:Query xmlns:q=\"{SERVICE}\">{}</q:Query></query>\
         <rowLimit><RowLimit Paged=\"TRUE\">1</RowLimit></rowLimit><type>grid</type><makeViewDefault>false</makeViewDefault>",
        DONE.replace("</", "</q:").replace('<', "<q:").replace("<q:/q:", "</q:")
    );
    let made = views(&stage, &mut checker, "AddView", &add);
    let view = made.payload().at("AddViewResult/View");
    assert_eq!(shown(view), ["Done & gone", "GRID", "-", "-", "1", "TRUE", "Body Title", DONE]);
    assert_eq!(view.attribute("Url"), Some("/sites/team/Lists/Tasks/Done & gone.aspx"));
    let id = view.attribute("Name").unwrap().to_owned();
    stage.word("id", id.clone());
    let all = views(&stage, &mut checker, "GetViewCollection", "<listName>Tasks</listName>");
    let names: Vec<_> = all.root().all("View").iter().map(|view| view.attribute("DisplayName").unwrap()).collect();
    assert_eq!(names, ["All Tasks", "My Tasks", "Due Today", "Active Tasks", "Done & gone"]);
    let get = "<listName>Tasks</listName><viewName>{id}</viewName>";
    let same = views(&stage, &mut checker, "GetView", get);
    assert_eq!(shown(same.payload().at("GetViewResult/View")), shown(view));
    let request = format!("<GetListAndView xmlns=\"{SERVICE}\">{}</GetListAndView>", stage.fill(get));
    let both = stage.lists.call("GetListAndView", &request);
    assert_eq!(shown(both.root().all("View")[0]), shown(view));

    stage.run("Tasks", cases! {
        "its fields, condition and limit": [viewName = "{id}"] => ["rows" = "2", "2.Body" = "text", "2.LinkTitle" = "-",
            "data@ListItemCollectionPositionNext" = "*"];
        "another limit": [viewName = "{id}", rowLimit = "1000"] => ["rows" = "2 4", "data@ListItemCollectionPositionNext" = "-"];
        "no limit": [viewName = "{id}", rowLimit = "0"] => ["rows" = "2 4"];
        "another query": [viewName = "{id}", query = "<Query><Where><Eq><FieldRef Name='ID'/><Value Type='Counter'>3</Value></Eq></Where></Query>"]
            => ["rows" = "3", "3.Body" = "text"];
        "other fields: the view counts for nothing": [viewName = "{id}", viewFields = "<ViewFields><FieldRef Name='Status'/></ViewFields>"]
            => ["rows" = "1 2 3 4 5", "2.Body" = "-", "2.Status" = "Completed"];
        "the default view's fields": [] => ["rows" = "1 2 3 4 5", "1.Body" = "-", "1.Status" = "In Progress"];
    });
    let items = |parameters: &str| {
        let parameters = stage.fill(parameters);
        let answer = stage.lists.call(
            "GetListItems",
            &format!("<GetListItems xmlns=\"{SERVICE}\"><listName>Tasks</listName>{parameters}</GetListItems>"),
        );
        assert!(answer.fault().is_none(), "{answer:?}");
        let rows = answer.root().all("row");
        let numbers: Vec<_> = rows.iter().map(|row| row.attribute("ows_ID").unwrap().to_owned()).collect();
        (numbers.join(" "), rows[0].attribute("ows_Body").is_some())
    };
    assert_eq!(items("<viewName>{id}</viewName>"), ("2".to_owned(), true));
    assert_eq!(items("<viewName>{id}</viewName><rowLimit>10</rowLimit>"), ("2 4".to_owned(), true));
    assert_eq!(items(""), ("1 2 3 4 5".to_owned(), false));

    // Changed: it becomes the default view, whose fields and limit hold where nothing is said.
    let change = format!(
        "{get}<viewProperties><View DisplayName=\"Done\" DefaultView=\"TRUE\" Scope=\"RecursiveAll\"/></viewProperties>\
         <query><Query>{DOWN}</Query></query><viewFields><ViewFields><FieldRef Name=\"Body\"/></ViewFields></viewFields>\
         <aggregations><Aggregations Value=\"On\"><FieldRef Name=\"Title\" Type=\"COUNT\"/></Aggregations></aggregations>\
         <rowLimit><RowLimit>2</RowLimit></rowLimit>"
    );
    let changed = views(&stage, &mut checker, "UpdateView", &change);
    let view = changed.payload().at("UpdateViewResult/View");
    assert_eq!(shown(view), ["Done", "GRID", "TRUE", "RecursiveAll", "2", "-", "Body", DOWN]);
    assert_eq!(view.at("Aggregations/FieldRef").attribute("Type"), Some("COUNT"));
    assert_eq!(view.attribute("Name"), Some(id.as_str()));
    let default = views(&stage, &mut checker, "GetView", "<listName>Tasks</listName>");
    assert_eq!(shown(default.payload().at("GetViewResult/View")), shown(view));
    assert_eq!(items(""), ("1 2".to_owned(), true));
    assert_eq!(items("<viewName>{id}</viewName>"), ("5 4".to_owned(), true));
    let definition = stage.lists.definition("Tasks");
    let list = definition.payload().at("GetListResult/List");
    assert_eq!(list.attribute("DefaultViewUrl"), Some("/sites/team/Lists/Tasks/Done & gone.aspx"));
    stage.run("Tasks", cases! {
        "fields of the new default view, its definition anew": [changeToken = "{start}"] => ["List" = "true", "rows" = ""];
        "its fields without a token, but all rows": [] => ["rows" = "1 2 3 4 5", "1.Body" = "text", "1.Status" = "-"];
    });
    // What is not said stays.
    let kept = views(&stage, &mut checker, "UpdateView", &format!("{get}<query/><viewFields/>"));
    assert_eq!(shown(kept.payload().at("UpdateViewResult/View")), shown(view));

    // A new field is shown in the default view, in a named one, or in none.
    let other = all.root().all("View")[3].attribute("Name").unwrap();
    let field = |id: &str, name: &str, to: &str| {
        format!("<Method ID=\"{id}\" {to}><Field Type=\"Text\" Name=\"{name}\" DisplayName=\"{name}\"/></Method>")
    };
    let fields = [
        field("1", "One", "AddToView=\"\""),
        field("2", "Two", &format!("AddToView=\"{other}\"")),
        field("3", "Three", ""),
        field("4", "Four", "AddToView=\"any\""),
        field("5", "Five", "AddToView=\"{11111111-2222-3333-4444-555555555555}\""),
    ];
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>Tasks</listName><newFields><Fields>{}</Fields></newFields></UpdateList>",
        fields.concat()
    );
    let answer = stage.lists.call("UpdateList", &request);
    let codes: Vec<_> = answer.root().all("ErrorCode").iter().map(|code| code.text().into_owned()).collect();
    let fine = "0x00000000";
    assert_eq!(codes, [fine, fine, fine, fine, "0x82000005"]);
    let names = |stage: &Stage, checker: &mut Checker, id: &str| {
        let view = views(stage, checker, "GetView", &format!("<listName>Tasks</listName><viewName>{id}</viewName>"));
        shown(view.payload().at("GetViewResult/View"))[6].clone()
    };
    assert_eq!(names(&stage, &mut checker, ""), "Body One Four");
    assert!(names(&stage, &mut checker, other).ends_with("PercentComplete Two"));
    // A deleted field leaves its views.
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>Tasks</listName><deleteFields><Fields><Method ID=\"1\">\
         <Field Name=\"One\"/></Method></Fields></deleteFields></UpdateList>"
    );
    assert!(stage.lists.call("UpdateList", &request).fault().is_none());
    assert_eq!(names(&stage, &mut checker, ""), "Body Four");

    // Deleted, but for the default view.
    assert_eq!(fault(&views(&stage, &mut checker, "DeleteView", get)), "0x81020014");
    let delete = format!("<listName>Tasks</listName><viewName>{other}</viewName>");
    assert!(views(&stage, &mut checker, "DeleteView", &delete).fault().is_none());
    assert_eq!(fault(&views(&stage, &mut checker, "DeleteView", &delete)), "0x82000005");
    assert_eq!(fault(&views(&stage, &mut checker, "GetView", &delete)), "0x82000005");
    for (operation, parameters, code) in [
        ("AddView", "<listName>Chores</listName><viewName>x</viewName>", "0x82000006"),
        ("AddView", "<listName>Tasks</listName><viewName/>", "0x81020014"),
        ("AddView", "<listName>Tasks</listName><viewName>x</viewName><type>SPIRAL</type>", "0x82000001"),
        ("AddView", "<listName>Tasks</listName><viewName>x</viewName><rowLimit>many</rowLimit>", "0x82000001"),
        (
            "AddView",
            "<listName>Tasks</listName><viewName>x</viewName><viewFields><ViewFields><FieldRef Name=\"Nonsense\"/>\
             </ViewFields></viewFields>",
            "0x82000007",
        ),
        (
            "AddView",
            "<listName>Tasks</listName><viewName>x</viewName><query><Query><Where><Odd/></Where></Query></query>",
            "none",
        ),
        ("UpdateView", "<listName>Tasks</listName><viewName>any</viewName>", "0x82000001"),
        (
            "UpdateView",
            "<listName>Tasks</listName><viewName/><viewProperties><View Scope=\"Odd\"/></viewProperties>",
            "0x82000001",
        ),
        ("DeleteView", "<listName>Tasks</listName>", "0x82000001"),
        ("GetViewCollection", "<listName>Chores</listName>", "0x82000006"),
        ("AddView", "<listName>UserInfo</listName><viewName>x</viewName>", "0x80070005"),
    ] {
        assert_eq!(fault(&views(&stage, &mut checker, operation, parameters)), code, "{operation} {parameters}");
    }
    let left = views(&stage, &mut checker, "GetViewCollection", "<listName>Tasks</listName>");
    let names: Vec<_> = left.root().all("View").iter().map(|view| view.attribute("DisplayName").unwrap()).collect();
    assert_eq!(names, ["Done", "All Tasks", "My Tasks", "Due Today"], "the default view first");
    checker.finish();
    stage.finish();
}

#[test]
fn the_scope_of_a_view() {
    let mut stage = Stage::new("");
    stage.lists.add("Papers", 101);
    stage.put("Papers/a.txt", "1");
    let folder = new(&[("FSObjType", "1"), ("BaseName", "F")]);
    stage.update("Papers", &[folder]);
    stage.put("Papers/F/b.txt", "2");
    let mut checker = Checker::new();
    for (name, scope) in [("flat", ""), ("files", "FilesOnly"), ("deep", "Recursive"), ("all", "RecursiveAll")] {
        let add =
            format!("<listName>Papers</listName><viewName>{name}</viewName><makeViewDefault>false</makeViewDefault>");
        let made = views(&stage, &mut checker, "AddView", &add);
        let id = made.root().all("View")[0].attribute("Name").unwrap().to_owned();
        let change = format!(
            "<listName>Papers</listName><viewName>{id}</viewName><viewProperties><View Scope=\"{scope}\"/></viewProperties>"
        );
        assert!(views(&stage, &mut checker, "UpdateView", &change).fault().is_none());
        stage.word(name, id);
    }
    stage.run("Papers", cases! {
        "no scope: what holds without a view": [viewName = "{flat}"] => ["rows" = "1 2 3"];
        "no scope, options": [viewName = "{flat}", queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["rows" = "1 2"];
        "files only": [viewName = "{files}"] => ["rows" = "1"];
        "recursive": [viewName = "{deep}"] => ["rows" = "1 3"];
        "recursive, options that say nothing of it": [viewName = "{deep}", queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["rows" = "1 3"];
        "recursive and folders": [viewName = "{all}", queryOptions = "<QueryOptions><DateInUtc>TRUE</DateInUtc></QueryOptions>"] => ["rows" = "1 2 3"];
        "options go before": [viewName = "{deep}", queryOptions = "<QueryOptions><ViewAttributes Scope='FilesOnly'/></QueryOptions>"] => ["rows" = "1"];
        "a folder inside": [viewName = "{deep}", queryOptions = "<QueryOptions><Folder>Papers/F</Folder></QueryOptions>"] => ["rows" = "3"];
    });
    checker.finish();
    stage.finish();
}

#[test]
fn views_over_rest() {
    let stage = stage();
    let path = |rest: &str| format!("web/lists/getbytitle('Tasks')/{rest}");
    let get = |rest: &str| -> Value {
        let answer = stage.lists.rest("GET", &path(rest), &[], "");
        assert_eq!(answer.status, 200, "{rest}: {}", answer.text());
        answer.json()
    };
    let send = |method: &str, rest: &str, body: Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        stage.lists.rest(method, &path(rest), &[], &body)
    };
    let titles = || -> Vec<String> {
        let all = get("views");
        all["value"].as_array().unwrap().iter().map(|view| view["Title"].as_str().unwrap().to_owned()).collect()
    };
    let made =
        send("POST", "views", json!({ "Title": "Mine", "PersonalView": false, "RowLimit": 7, "ViewQuery": DONE }));
    assert_eq!(made.status, 201, "{}", made.text());
    let view = made.json();
    for (name, value) in [
        ("Title", json!("Mine")),
        ("RowLimit", json!(7)),
        ("Paged", json!(true)),
        ("ViewQuery", json!(DONE)),
        ("DefaultView", json!(false)),
        ("ViewType", json!("HTML")),
        ("Scope", json!(0)),
        ("ServerRelativeUrl", json!("/sites/team/Lists/Tasks/Mine.aspx")),
    ] {
        assert_eq!(view[name], value, "{name}");
    }
    let id = view["Id"].as_str().unwrap().to_owned();
    let one = format!("views(guid'{id}')");
    for path in [
        one.clone(),
        format!("views('{id}')"),
        format!("views/getbyid('{id}')"),
        "views/getbytitle('mine')".to_owned(),
        format!("getview('{id}')"),
    ] {
        assert_eq!(get(&path)["Id"], view["Id"], "{path}");
    }
    let given = json!({ "parameters": {
        "__metadata": { "type": "SP.ViewCreationInformation" }, "Title": "Mine", "Query": format!("<Query>{DOWN}</Query>"), "RowLimit": 3,
        "Paged": false, "SetAsDefaultView": true, "ViewTypeKind": 524_288, "ViewFields": { "results": ["Title", "Status"] },
    } });
    let made = send("POST", "views/add", given);
    assert_eq!(made.status, 201, "{}", made.text());
    let second = made.json();
    assert_eq!(second["ServerRelativeUrl"], "/sites/team/Lists/Tasks/Mine1.aspx");
    assert_eq!(
        (&second["ViewQuery"], &second["ViewType"], &second["Paged"]),
        (&json!(DOWN), &json!("CALENDAR"), &json!(false))
    );
    assert_eq!(get("defaultview")["Id"], second["Id"]);
    assert_eq!(get("views?$filter=DefaultView%20eq%20true")["value"].as_array().unwrap().len(), 1);
    assert_eq!(titles(), ["Mine", "All Tasks", "My Tasks", "Due Today", "Active Tasks", "Mine"]);

    let fields = |at: &str| -> Vec<String> {
        let items = get(&format!("{at}/viewfields"))["Items"].clone();
        items.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    for (step, body, expected) in [
        ("addviewfield('Body')", Value::Null, "Title Status Body"),
        ("addviewfield('Body')", Value::Null, "Title Status Body"),
        ("addviewfield", json!({ "strField": "Due Date" }), "Title Status Body DueDate"),
        ("moveviewfieldto", json!({ "field": "Body", "index": 0 }), "Body Title Status DueDate"),
        ("moveviewfieldto", json!({ "field": "Body", "index": 3 }), "Title Status DueDate Body"),
        ("removeviewfield('Status')", Value::Null, "Title DueDate Body"),
        ("removeviewfield", json!({ "strField": "Title" }), "DueDate Body"),
        ("removeallviewfields()", Value::Null, ""),
        ("addviewfield('Title')", Value::Null, "Title"),
    ] {
        let answer = send("POST", &format!("defaultview/viewfields/{step}"), body);
        assert_eq!(answer.status, 204, "{step}: {}", answer.text());
        assert_eq!(fields("defaultview").join(" "), expected, "{step}");
    }
    let answer = send("POST", &format!("{one}/viewfields/addviewfield('Body')"), Value::Null);
    assert_eq!(answer.status, 204);
    assert_eq!(fields(&one).last().unwrap(), "Body");

    let change = json!({ "Title": "Ours", "Scope": 2, "RowLimit": 9, "Hidden": true, "ViewQuery": "" });
    let answer =
        stage.lists.rest("POST", &path(&one), &[("x-http-method", "MERGE"), ("if-match", "*")], &change.to_string());
    assert_eq!(answer.status, 204, "{}", answer.text());
    let changed = get(&one);
    for (name, value) in [
        ("Title", json!("Ours")),
        ("Scope", json!(2)),
        ("RowLimit", json!(9)),
        ("Hidden", json!(true)),
        ("ViewQuery", json!("")),
        ("Paged", json!(true)),
    ] {
        assert_eq!(changed[name], value, "{name}");
    }
    assert!(changed["ListViewXml"].as_str().unwrap().contains("Scope=\"RecursiveAll\""));
    for (method, at, body, status) in [
        ("DELETE", "defaultview".to_owned(), Value::Null, 405),
        ("DELETE", format!("views(guid'{}')", second["Id"].as_str().unwrap()), Value::Null, 400),
        ("MERGE", one.clone(), json!({ "Nonsense": 1 }), 400),
        ("MERGE", one.clone(), json!({ "Scope": 9 }), 400),
        ("MERGE", one.clone(), json!({ "ViewQuery": "<Where><Odd/></Where>" }), 400),
        ("POST", "views".to_owned(), json!({ "Title": "p", "PersonalView": true }), 400),
        ("POST", "views".to_owned(), json!({ "Title": " " }), 400),
        ("POST", format!("{one}/viewfields/addviewfield('Nonsense')"), Value::Null, 404),
        ("POST", format!("{one}/viewfields/moveviewfieldto"), json!({ "field": "Body", "index": 99 }), 400),
        ("GET", "views/getbytitle('nothing')".to_owned(), Value::Null, 404),
        ("DELETE", one.clone(), Value::Null, 200),
        ("DELETE", one.clone(), Value::Null, 404),
    ] {
        let answer = send(method, &at, body.clone());
        assert_eq!(answer.status, status, "{method} {at} {body}: {}", answer.text());
    }
    assert_eq!(titles(), ["Mine", "All Tasks", "My Tasks", "Due Today", "Active Tasks"]);
    // What SOAP made REST has, and the other way round; rows stay what they are.
    stage.update("Tasks", &[edit(1, &[("Title", "a 2")]), method("Delete", Some(2), &[])]);
    stage.finish();
}
