//! Cell by cell: rows of every template with a value in every field that takes one, over SOAP and REST in the same bytes,
//! and each value in the JSON of the item.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::{
    lists::{Row, method, row},
    question::{OPERATION, SERVICE, Stage, edit, listitems, new},
    tree::{Reach, Tree},
};

/// The templates of lists that clients make, and whether rows are files.
const TEMPLATES: &[(u32, bool)] = &[
    (100, false),
    (101, true),
    (103, false),
    (104, false),
    (105, false),
    (106, false),
    (107, false),
    (108, false),
    (1100, false),
];
/// Fields of a library that say where a file is, and those that say of an item what it is.
const PLACES: &[&str] = &[
    "FileLeafRef",
    "ContentTypeId",
    "UID",
    "MasterSeriesItemID",
    "RecurrenceID",
    "RecurrenceData",
    "EventType",
    "fRecurrence",
    "fAllDayEvent",
    "XMLTZone",
    "EventDate",
    "EndDate",
    "Duration",
];

/// A field as its list describes it.
struct FieldOf {
    name: String,
    kind: String,
    written: bool,
    doc: bool,
    choice: String,
    max: Option<f64>,
}

fn fields(stage: &Stage, list: &str) -> Vec<FieldOf> {
    let answer = stage.lists.definition(list);
    let list = answer.payload().at("GetListResult/List");
    let field = |field: &xml::Node<'_>| {
        let on = |name: &str| field.attribute(name).is_some_and(|text| text.eq_ignore_ascii_case("TRUE"));
        let kind = field.attribute("Type").unwrap().to_owned();
        FieldOf {
            name: field.attribute("Name").unwrap().to_owned(),
            written: !on("ReadOnly")
                && !matches!(kind.as_str(), "Computed" | "Attachments" | "File" | "Calculated" | "ThreadIndex")
                && field.attribute("List") != Some("Docs"),
            doc: field.attribute("List") == Some("Docs"),
            choice: field.value("CHOICES/CHOICE").unwrap_or_default(),
            max: field.attribute("Max").and_then(|text| text.parse().ok()),
            kind,
        }
    };
    list.at("Fields").children().filter(|node| node.local() == "Field").map(|node| field(&node)).collect()
}

/// A value that a field takes.
fn value(field: &FieldOf, turn: usize) -> String {
    let day = turn % 27 + 1;
    match field.kind.as_str() {
        "Note" => format!("<p>{} &amp; \"quoted\" é {turn}</p>\nsecond line", field.name),
        "Choice" if !field.choice.is_empty() => field.choice.clone(),
        "MultiChoice" => ";#one;#two;;2;#".to_owned(),
        "Integer" | "Counter" => (turn + 1).to_string(),
        "Number" | "Currency" => {
            if field.max.is_some() {
                "0.25".to_owned()
            } else {
                format!("{turn}.5")
            }
        }
        "Boolean" => "1".to_owned(),
        "DateTime" => format!("2026-05-{day:02}T06:07:08Z"),
        "User" | "UserMulti" | "Lookup" => "1".to_owned(),
        "LookupMulti" => "1;#;#2;#".to_owned(),
        "URL" => format!("http://example.org/{turn}?a=1,,2, Page {turn}"),
        "Guid" => format!("{{00000000-0000-0000-0000-{turn:012}}}"),
        _ => format!("{} <{turn}> & 'é'", field.name),
    }
}

/// What JSON has for what a row has.
fn same(field: &FieldOf, row: &Row, json: &Value) -> Result<(), String> {
    let wire = match field.name.as_str() {
        "FSObjType" => "FileSystemObjectType".to_owned(),
        name if name.starts_with('_') => format!("OData_{name}"),
        name => name.to_owned(),
    };
    let person = matches!(field.kind.as_str(), "User" | "UserMulti") || field.kind == "LookupMulti";
    let wire = if person || field.kind == "Lookup" && !field.doc { format!("{wire}Id") } else { wire };
    let Some(cell) = json.get(&wire) else {
        return if row.contains_key(&field.name) { Err(format!("JSON lacks {wire}")) } else { Ok(()) };
    };
    let text = row.get(&field.name).map(String::as_str).unwrap_or_default();
    let text = if field.doc { text.split_once(";#").map_or("", |(_, value)| value) } else { text };
    let plain = match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(truth) => u8::from(*truth).to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(all) => all
            .iter()
            .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join("|"),
        Value::Object(parts) => {
            format!("{}, {}", parts["Url"].as_str().unwrap().replace(',', ",,"), parts["Description"].as_str().unwrap())
        }
    };
    let number = |text: &str| text.parse::<f64>().ok();
    let equal = match field.kind.as_str() {
        "Number" | "Currency" | "Integer" | "Counter" | "ModStat" => number(text) == number(&plain),
        "User" | "Lookup" if !field.doc => text.split(";#").next().unwrap_or_default() == plain,
        "UserMulti" | "LookupMulti" => text.split(";#").step_by(2).collect::<Vec<_>>().join("|") == plain,
        "MultiChoice" => {
            text.trim_matches([';', '#']).split(";#").map(|one| one.replace(";;", ";")).collect::<Vec<_>>().join("|")
                == plain
        }
        _ => match field.name.as_str() {
            "FileRef" | "FileDirRef" => format!("/{text}") == plain,
            _ if text.starts_with('{') => {
                text.trim_matches(['{', '}']).eq_ignore_ascii_case(plain.trim_matches(['{', '}']))
            }
            _ => text == plain,
        },
    };
    if equal { Ok(()) } else { Err(format!("{text:?} in the row, {cell} in JSON")) }
}

/// Fields of the types that no template has, some of which look up rows of another list.
fn add_fields(stage: &Stage, list: &str) {
    let other = stage.lists.ensure("Announcements", 104);
    stage.update("Announcements", &[new(&[("Title", "one")]), new(&[("Title", "two; too")])]);
    let fields = [
        "<Field Type='MultiChoice' Name='Several' DisplayName='Several'><CHOICES><CHOICE>one</CHOICE></CHOICES></Field>".to_owned(),
        "<Field Type='Currency' Name='Price' DisplayName='Price' LCID='1033'/>".to_owned(),
        "<Field Type='Boolean' Name='Truth' DisplayName='Truth'/>".to_owned(),
        "<Field Type='Integer' Name='Whole' DisplayName='Whole'/>".to_owned(),
        "<Field Type='UserMulti' Mult='TRUE' Name='People' DisplayName='People' List='UserInfo'/>".to_owned(),
        format!("<Field Type='Lookup' Name='One' DisplayName='One' List='{other}' ShowField='Title'/>"),
        format!("<Field Type='LookupMulti' Mult='TRUE' Name='Many' DisplayName='Many' List='{other}' ShowField='Title'/>"),
    ];
    let methods: String =
        fields.iter().enumerate().map(|(at, field)| format!("<Method ID='{at}'>{field}</Method>")).collect();
    let request = format!(
        "<UpdateList xmlns=\"{SERVICE}\"><listName>{list}</listName><newFields><Fields>{methods}</Fields></newFields></UpdateList>"
    );
    let answer = stage.lists.call("UpdateList", &request);
    assert!(answer.root().all("ErrorCode").iter().all(|code| code.text() == "0x00000000"), "{answer:?}");
}

#[test]
fn every_cell_of_every_template() {
    let stage = Stage::new("");
    let mut wrong = Vec::new();
    for (template, library) in TEMPLATES {
        let title = format!("List {template}");
        stage.lists.add(&title, *template);
        if *template == 100 {
            add_fields(&stage, &title);
        }
        let all = fields(&stage, &title);
        let written: Vec<&FieldOf> =
            all.iter().filter(|field| field.written && !PLACES.contains(&field.name.as_str())).collect();
        let values: Vec<(String, String)> =
            written.iter().enumerate().map(|(turn, field)| (field.name.clone(), value(field, turn))).collect();
        let mut given: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if *template == 106 {
            given.extend([
                ("EventDate", "2026-05-04T10:00:00Z"),
                ("EndDate", "2026-05-04T11:30:00Z"),
                ("EventType", "1"),
                ("fRecurrence", "1"),
                ("RecurrenceData", "<recurrence><rule><repeat><daily weekday=\"TRUE\"/></repeat></rule></recurrence>"),
                ("XMLTZone", "<timeZoneRule><standardBias>0</standardBias></timeZoneRule>"),
            ]);
        }
        if *library {
            stage.put(&format!("List%20{template}/a%20file.txt"), "bytes");
            stage.update(&title, &[edit(1, &given)]);
            stage.update(&title, &[new(&[("FSObjType", "1"), ("BaseName", "folder")])]);
        } else {
            stage.update(&title, &[new(&given)]);
            stage.update(&title, &[new(&[("Title", "")])]);
            let file =
                format!("web/lists/getbytitle('List%20{template}')/items(1)/AttachmentFiles/add(FileName='a.txt')");
            assert_eq!(
                stage.lists.rest("POST", &file, &[("content-type", "application/octet-stream")], "x").status,
                200
            );
        }
        let mut ask =
            vec![("listName".to_owned(), title.clone()), ("viewFields".to_owned(), "<ViewFields/>".to_owned())];
        let mut rows = Vec::new();
        for options in [
            "",
            "<QueryOptions><DateInUtc>TRUE</DateInUtc><RecurrencePatternXMLVersion>v3</RecurrencePatternXMLVersion></QueryOptions>",
        ] {
            ask.truncate(2);
            ask.push(("queryOptions".to_owned(), options.to_owned()));
            let (soap, rest) = (stage.soap(&ask), stage.rest(&ask));
            assert_eq!(listitems(soap.text()), listitems(rest.text()), "{template}");
            let tree = Tree::parse(soap.text());
            let data = tree.payload().at(&format!("{OPERATION}Result/listitems/data"));
            rows = data.children().map(row).collect();
        }
        // Everything that was written is there, in the row's own form.
        for (name, value) in &values {
            let field = written.iter().find(|field| field.name == *name).unwrap();
            let have = rows[0].get(name).cloned().unwrap_or_default();
            let want = match field.kind.as_str() {
                "Number" | "Currency" => have
                    .parse::<f64>()
                    .ok()
                    .filter(|number| Some(*number) == value.parse().ok())
                    .map(|_| have.clone())
                    .unwrap_or_default(),
                "User" => "1;#Anna Arlt".to_owned(),
                "UserMulti" => "1;#Anna Arlt".to_owned(),
                "Lookup" => "1;#one".to_owned(),
                "LookupMulti" => "1;#one;#2;#two; too".replace("; too", ";; too"),
                _ => value.clone(),
            };
            if have != want || have.is_empty() {
                wrong.push(format!("{template} {name} ({}): {have:?}, not {value:?}", field.kind));
            }
        }
        for row in &rows {
            let path = format!("web/lists/getbytitle('List%20{template}')/items({})", row["ID"]);
            let answer = stage.lists.rest("GET", &path, &[], "");
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let json = select_all(&stage, &path, &all, answer.json());
            for field in &all {
                if let Err(text) = same(field, row, &json) {
                    wrong.push(format!("{template}, row {}: {} ({}): {text}", row["ID"], field.name, field.kind));
                }
            }
            let known: BTreeMap<_, _> = all.iter().map(|field| (field.name.as_str(), ())).collect();
            wrong.extend(
                row.keys()
                    .filter(|name| !known.contains_key(name.as_str()))
                    .map(|name| format!("{template}: no field {name}")),
            );
        }
        stage.update(&title, &[method("Delete", Some(2), &[])]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    stage.finish();
}

/// The item with every field, also those that are shown only to who names them.
fn select_all(stage: &Stage, path: &str, all: &[FieldOf], mut json: Value) -> Value {
    for fields in all.chunks(60) {
        let name = |field: &FieldOf| {
            let person = matches!(field.kind.as_str(), "User" | "UserMulti" | "LookupMulti")
                || field.kind == "Lookup" && !field.doc;
            let stem = if field.name.starts_with('_') { format!("OData_{}", field.name) } else { field.name.clone() };
            if person { format!("{stem}Id") } else { stem }
        };
        let names: Vec<String> = fields.iter().map(name).collect();
        let answer = stage.lists.rest("GET", &format!("{path}?$select={}", names.join(",")), &[], "");
        assert_eq!(answer.status, 200, "{}: {}", names.join(","), answer.text());
        json.as_object_mut().unwrap().extend(answer.json().as_object().unwrap().clone());
    }
    json
}
