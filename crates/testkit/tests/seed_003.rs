//! The REST transcript: the printed body on Announcements, in every way to name the list, equals SOAP's answer.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use model::Time;
use serde_json::{Value, json};
use testkit::{
    lists::{ListAsk, Lists, number, page},
    server::{ANNA, StoreKind, TestServer, stores},
    transcript,
    tree::{Reach, Tree},
};

const BODY: &str = "sharepoint/seed_003/body.json";
const QUERY: &str = "<Query xmlns=''><Where><Contains><FieldRef Name='Title' /><Value Type='Text'>Te</Value></Contains>\
                     </Where></Query>";
const OPTIONS: &str = "<QueryOptions xmlns=''><IncludeMandatoryColumns>FALSE</IncludeMandatoryColumns>\
    <DateInUtc>False</DateInUtc><IncludePermissions>TRUE</IncludePermissions>\
    <IncludeAttachmentUrls>FALSE</IncludeAttachmentUrls>";
const FOLDER: &str = "<Folder>Shared Documents/Test1</Folder>";

struct Stage {
    server: TestServer,
    lists: Lists,
    guid: String,
    token: String,
}

/// Announcements with rows before and after a token; the clock stands, so that equal questions have equal answers.
fn stage(kind: StoreKind) -> Stage {
    let server = TestServer::at(kind, Time::from_date(2011, 5, 4));
    let lists = server.lists(ANNA);
    let guid = lists.ensure("Announcements", 104);
    for title in ["Team news", "Other", "Latest"] {
        lists.create("Announcements", &[("Title", title), ("Body", "<p>text</p>")]);
    }
    let token = lists.changes(&ListAsk { list: "Announcements", ..ListAsk::default() }).token;
    for title in ["Testing", "Unlike", "Contest"] {
        lists.create("Announcements", &[("Title", title), ("Body", "<p>text</p>")]);
    }
    Stage { server, lists, guid, token }
}

/// The printed body with the token of this list; `change` may edit the query object.
fn body(token: &str, wrapped: bool, change: impl FnOnce(&mut Value)) -> String {
    let mut body: Value = serde_json::from_str(&transcript::request(BODY, &[("change_token", token)])).unwrap();
    change(&mut body["d"]["query"]);
    if !wrapped {
        body = body["d"].take();
    }
    body.to_string()
}

fn ask(stage: &Stage, path: &str, headers: &[(&str, &str)], body: &str) -> Tree {
    let path = format!("web/{path}/GetListItemChangesSinceToken");
    let answer = stage.lists.rest("POST", &path, headers, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/xml"), "{path}: {kind}");
    let tree = Tree::parse(answer.text());
    assert_eq!(tree.root().local(), "GetListItemChangesSinceTokenResult");
    tree
}

fn soap(stage: &Stage, ask: &ListAsk<'_>) -> String {
    let answer = stage.lists.call("GetListItemChangesSinceToken", &ask.request("GetListItemChangesSinceToken"));
    assert!(answer.fault().is_none(), "{answer:?}");
    listitems(&answer)
}

/// The markup of what both protocols say in the same words.
fn listitems(answer: &Tree) -> String {
    let source = answer.source();
    let start = source.find("<listitems").unwrap();
    let end = source.find("</listitems>").unwrap();
    source[start..end].to_owned()
}

#[test]
fn the_printed_body_in_every_way_to_name_the_list() {
    for kind in stores("the_printed_body_in_every_way_to_name_the_list") {
        let stage = stage(kind);
        let options = format!("{OPTIONS}{FOLDER}</QueryOptions>");
        let expected = soap(
            &stage,
            &ListAsk {
                list: "Announcements",
                query: Some(QUERY),
                options: Some(&options),
                token: Some(&stage.token),
                ..ListAsk::default()
            },
        );
        let guid = stage.guid.trim_matches(['{', '}']).to_owned();
        for path in [
            "Lists/GetByTitle('Announcements')".to_owned(),
            "lists/getbytitle('Announcements')".to_owned(),
            "lists/getByTitle('announcements')".to_owned(),
            format!("lists(guid'{guid}')"),
            format!("Lists(guid'{}')", guid.to_lowercase()),
            format!("lists('{guid}')"),
            format!("lists/getbyid('{guid}')"),
        ] {
            for wrapped in [true, false] {
                // As printed, the type of the body is written with quotation marks.
                for headers in [&[][..], &[("content-type", "\"application/json\"")], &[("accept", "application/xml")]]
                {
                    let answer = ask(&stage, &path, headers, &body(&stage.token, wrapped, |_| {}));
                    assert_eq!(listitems(&answer), expected, "{path}");
                }
            }
        }
        drop(stage.server);
    }
}

#[test]
fn without_the_folder_the_rows_that_match_come() {
    for kind in stores("without_the_folder_the_rows_that_match_come") {
        let stage = stage(kind);
        let path = "Lists/GetByTitle('Announcements')";
        let without_folder = |query: &mut Value| {
            let options = query["QueryOptions"].as_str().unwrap();
            assert!(options.contains(FOLDER));
            query["QueryOptions"] = options.replace(FOLDER, "").into();
        };
        let answer = ask(&stage, path, &[], &body(&stage.token, true, without_folder));
        let root = answer.root().at("listitems");
        let read = page(root);
        let titles: Vec<_> = read.rows.iter().map(|row| (number(row), row["LinkTitle"].as_str())).collect();
        assert_eq!(titles, [(4, "Testing"), (6, "Contest")], "Contains is ignored beside Query: {answer:?}");
        assert!(!read.definition && read.more.is_none() && read.ids.is_empty());
        assert_eq!(root.attribute("EffectivePermMask"), Some("FullMask"));
        // DateInUtc is False: local time without a zone.
        assert_eq!(read.rows[0].get("Modified").map(String::as_str), Some("2011-05-04 00:00:00"));
        let options = format!("{OPTIONS}</QueryOptions>");
        let same = ListAsk {
            list: &stage.guid,
            query: Some(QUERY),
            options: Some(&options),
            token: Some(&stage.token),
            ..ListAsk::default()
        };
        assert_eq!(listitems(&answer), soap(&stage, &same));
        // Contains alone filters.
        let contains_alone = |query: &mut Value| {
            without_folder(query);
            query.as_object_mut().unwrap().remove("Query");
        };
        let answer = ask(&stage, path, &[], &body(&stage.token, false, contains_alone));
        let numbers: Vec<_> = page(answer.root().at("listitems")).rows.iter().map(number).collect();
        assert_eq!(numbers, [4]);
        // No token, no filter: the whole list, its definition, and the same as SOAP.
        let nothing = |query: &mut Value| *query = json!({});
        let answer = ask(&stage, path, &[], &body(&stage.token, false, nothing));
        let read = page(answer.root().at("listitems"));
        assert!(read.definition);
        assert_eq!(read.rows.iter().map(number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let whole = ListAsk { list: "Announcements", ..ListAsk::default() };
        assert_eq!(listitems(&answer), soap(&stage, &whole));
        // The token as printed is that of another list.
        let printed = "1;3;eee4c6d5-f88a-42c4-8ce1-685122984870;634397182229400000;3710";
        let answer = ask(&stage, path, &[], &body(printed, true, |_| {}));
        let ids = page(answer.root().at("listitems")).ids;
        assert_eq!(ids, [("InvalidToken".to_owned(), None)], "{answer:?}");
    }
}
