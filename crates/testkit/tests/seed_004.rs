//! The sample program of the GetListItemChangesSinceToken page, and the answer that it prints.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    lists::{ListAsk, Lists, Row, method, outcomes, page},
    schema::Checker,
    server::{ANNA, TestServer, stores},
    transcript,
    tree::{Reach, Tree},
};

/// Posts a kept request of the sample program.
fn send(lists: &Lists, checker: &mut Checker, operation: &str, file: &str, values: &[(&str, &str)]) -> Tree {
    let request = transcript::request(&format!("sharepoint/seed_004/{file}.xml"), values);
    let answer = Lists::read(&lists.post(operation, &request));
    assert!(answer.fault().is_none(), "{answer:?}");
    checker.lists(&answer);
    answer
}

/// What the sample program does: the second node of the result, white space counted, is Changes; it takes the token.
fn token_of_second_node(answer: &Tree) -> String {
    let source = answer.source();
    let start = source.find("<listitems").unwrap();
    let inside = start + source[start..].find('>').unwrap() + 1;
    let changes = source[inside..].find('<').unwrap();
    assert!(changes > 0 && source[inside..inside + changes].trim().is_empty(), "{source}");
    assert!(source[inside + changes..].starts_with("<Changes"), "{source}");
    let listitems = answer.payload().at("GetListItemChangesSinceTokenResult/listitems");
    listitems.at("Changes").attribute("LastChangeToken").unwrap().to_owned()
}

/// The log number of a token of this list.
fn position(token: &str, list: &str) -> u64 {
    let fields: Vec<_> = token.split(';').collect();
    assert_eq!(fields.len(), 5, "{token}");
    assert_eq!(fields[..2], ["1", "3"], "{token}");
    assert_eq!(fields[2].to_lowercase(), list.trim_matches(['{', '}']).to_lowercase());
    assert!(fields[3].parse::<u64>().unwrap() > 633_247_934_080_930_000, "{token}");
    fields[4].parse().unwrap()
}

fn rows(answer: &Tree) -> Vec<Row> {
    page(answer.payload().at("GetListItemChangesSinceTokenResult/listitems")).rows
}

#[test]
fn the_sample_program() {
    const CHANGES: &str = "GetListItemChangesSinceToken";
    for kind in stores("the_sample_program") {
        let server = TestServer::start(kind);
        let lists = server.lists(ANNA);
        let mut checker = Checker::new();
        let guid = lists.add("MyCalendar", 106);
        for day in ["01", "02"] {
            let date = format!("2007-09-{day}T14:00:00Z");
            lists.create("MyCalendar", &[("Title", "Before"), ("EventDate", &date), ("EndDate", &date)]);
        }
        let answer = send(&lists, &mut checker, "GetList", "get_list", &[]);
        let list_name = answer.payload().at("GetListResult/List").attribute("Name").unwrap().to_owned();
        assert_eq!(list_name.to_lowercase(), guid.to_lowercase());

        let named = [("list_name", list_name.as_str())];
        let answer = send(&lists, &mut checker, CHANGES, "first_token", &named);
        let first = token_of_second_node(&answer);
        let listitems = answer.payload().at("GetListItemChangesSinceTokenResult/listitems");
        assert!(listitems.find("Changes/List/Fields/Field").is_some());
        assert_eq!(rows(&answer).len(), 2);

        let answer = send(&lists, &mut checker, "UpdateListItems", "edit_item", &named);
        let outcome = &outcomes(&answer)[0];
        assert_eq!((outcome.id.as_str(), outcome.code.as_str()), ("0,Update", "0x00000000"), "{answer:?}");

        let later = |token| [("list_name", list_name.as_str()), ("current_token", token)];
        let answer = send(&lists, &mut checker, CHANGES, "later_token", &later(&first));
        let second = token_of_second_node(&answer);
        assert!(position(&second, &guid) > position(&first, &guid), "{first} {second}");
        let changed = rows(&answer);
        assert_eq!(changed.len(), 1, "{answer:?}");
        for (name, value) in [
            ("ID", "2"),
            ("Title", "My New Title"),
            ("EventDate", "2007-10-11T14:00:00Z"),
            ("EndDate", "2007-10-12T14:00:00Z"),
            ("owshiddenversion", "2"),
        ] {
            assert_eq!(changed[0].get(name).map(String::as_str), Some(value), "{name}: {answer:?}");
        }
        let listitems = answer.payload().at("GetListItemChangesSinceTokenResult/listitems");
        assert!(listitems.find("Changes/List").is_none() && listitems.find("Changes/Id").is_none());
        assert_eq!(listitems.at("Changes").attribute("MoreChanges"), None);

        let answer = send(&lists, &mut checker, "UpdateListItems", "new_item", &named);
        let outcome = &outcomes(&answer)[0];
        assert_eq!((outcome.id.as_str(), outcome.code.as_str()), ("0,New", "0x00000000"), "{answer:?}");

        let answer = send(&lists, &mut checker, CHANGES, "later_token", &later(&second));
        let third = token_of_second_node(&answer);
        assert!(position(&third, &guid) > position(&second, &guid), "{second} {third}");
        let changed = rows(&answer);
        assert_eq!(changed.len(), 1, "{answer:?}");
        for (name, value) in [
            ("ID", "3"),
            ("Title", "My New Item"),
            ("EventDate", "2007-10-02T14:00:00Z"),
            ("EndDate", "2007-10-03T14:00:00Z"),
            ("owshiddenversion", "1"),
        ] {
            assert_eq!(changed[0].get(name).map(String::as_str), Some(value), "{name}: {answer:?}");
        }
        // And nothing after that; the earlier token still gives both.
        let answer = send(&lists, &mut checker, CHANGES, "later_token", &later(&third));
        assert!(rows(&answer).is_empty());
        let answer = send(&lists, &mut checker, CHANGES, "later_token", &later(&first));
        assert_eq!(rows(&answer).len(), 2);
        checker.finish();
    }
}

#[test]
fn the_printed_answer() {
    let server = TestServer::memory();
    let lists = server.lists(ANNA);
    let mut checker = Checker::new();
    let guid = lists.add("MyList", 100);
    for title in ["a", "b", "c", "d", "e"] {
        lists.create("MyList", &[("Title", title)]);
    }
    let first = lists.changes(&ListAsk { list: &guid, ..ListAsk::default() }).token;
    for (number, title, edits) in [(3, "MyItem1", 1), (5, "MyItem2", 2)] {
        for _ in 0..edits {
            let outcome = &lists.update("MyList", &method("Update", Some(number), &[("Title", title)]))[0];
            assert_eq!(outcome.code, "0x00000000");
        }
    }
    let ask = ListAsk { list: &guid, token: Some(&first), ..ListAsk::default() };
    let request = ask.request("GetListItemChangesSinceToken");
    for answer in
        [lists.call("GetListItemChangesSinceToken", &request), lists.call_12("GetListItemChangesSinceToken", &request)]
    {
        checker.lists(&answer);
        token_of_second_node(&answer);
        let listitems = answer.payload().at("GetListItemChangesSinceTokenResult/listitems");
        for (name, value) in [
            ("MinTimeBetweenSyncs", "0"),
            ("RecommendedTimeBetweenSyncs", "180"),
            ("MaxBulkDocumentSyncSize", "500"),
            ("EffectivePermMask", "FullMask"),
        ] {
            assert_eq!(listitems.attribute(name), Some(value), "{answer:?}");
        }
        assert!(listitems.attribute("AlternateUrls").unwrap().split(',').any(|url| url.starts_with("http://")));
        for declared in [
            "xmlns:s=\"uuid:BDC6E3F0-6DA3-11d1-A2A3-00AA00C14882\"",
            "xmlns:dt=\"uuid:C2F41010-65B3-11d1-A29F-00AA00C14882\"",
            "xmlns:rs=\"urn:schemas-microsoft-com:rowset\"",
            "xmlns:z=\"#RowsetSchema\"",
        ] {
            let start = answer.source().find("<listitems").unwrap();
            let end = start + answer.source()[start..].find('>').unwrap();
            assert!(answer.source()[start..end].contains(declared), "{declared}: {answer:?}");
        }
        assert_eq!(listitems.names(), ["Changes", "data"]);
        assert!(listitems.at("data").is("urn:schemas-microsoft-com:rowset", "data"));
        assert_eq!(listitems.at("data").attribute("ItemCount"), Some("2"));
        assert!(listitems.at("data/row").is("#RowsetSchema", "row"));
        let rows = rows(&answer);
        for (row, (number, title, version)) in rows.iter().zip([("3", "MyItem1", "2"), ("5", "MyItem2", "3")]) {
            for (name, value) in [
                ("Attachments", "0".to_owned()),
                ("LinkTitle", title.to_owned()),
                ("MetaInfo", format!("{number};#")),
                ("_ModerationStatus", "0".to_owned()),
                ("_Level", "1".to_owned()),
                ("Title", title.to_owned()),
                ("ID", number.to_owned()),
                ("owshiddenversion", version.to_owned()),
                ("FSObjType", format!("{number};#0")),
                ("FileLeafRef", format!("{number};#{number}_.000")),
                ("FileRef", format!("{number};#sites/team/Lists/MyList/{number}_.000")),
                ("ServerRedirected", "0".to_owned()),
            ] {
                assert_eq!(row.get(name), Some(&value), "{name}: {answer:?}");
            }
            let unique = row["UniqueId"].strip_prefix(&format!("{number};#{{")).unwrap();
            assert!(unique.ends_with('}') && unique.len() == 37, "{unique}");
            assert_eq!(unique, unique.to_uppercase());
            let created = &row["Created"];
            assert!(created.len() == 20 && created.ends_with('Z'), "{created}");
            assert_eq!(row["Created_x0020_Date"], format!("{number};#{created}"));
        }
        assert_eq!(rows.len(), 2);
    }
    checker.finish();
}
