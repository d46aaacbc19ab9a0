//! Writers who knew the same version: one of them wins, and the others are told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    ews::{Ews, distinguished, responses},
    lists::method,
    server::{ANNA, TestServer, stores},
    tree::Reach,
};

/// Writers at the same time.
const WRITERS: usize = 6;
/// Times that they meet.
const MEETINGS: usize = 5;

/// UpdateItem by somebody who knew `change_key`; the response code.
fn update(ews: &Ews, id: &str, change_key: &str, resolution: &str, subject: &str) -> String {
    let answer = ews.call(&format!(
        "<m:UpdateItem ConflictResolution=\"{resolution}\" MessageDisposition=\"SaveOnly\"><m:ItemChanges><t:ItemChange>\
         <t:ItemId Id=\"{id}\" ChangeKey=\"{change_key}\"/><t:Updates><t:SetItemField><t:FieldURI \
         FieldURI=\"item:Subject\"/><t:Message><t:Subject>{subject}</t:Subject></t:Message></t:SetItemField></t:Updates>\
         </t:ItemChange></m:ItemChanges></m:UpdateItem>"
    ));
    testkit::ews::code(&answer)
}

fn change_key(ews: &Ews, id: &str) -> String {
    let answer = ews.get_item(id, "<t:BaseShape>IdOnly</t:BaseShape>").unwrap();
    responses(&answer)[0].at("Items/*/ItemId").attribute("ChangeKey").unwrap().to_owned()
}

#[test]
fn one_update_of_an_item_wins() {
    for kind in stores("one_update_of_an_item_wins") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let id = ews.create_message(&distinguished("inbox"), "x");
        for meeting in 0..MEETINGS {
            let known = change_key(&ews, &id);
            let codes: Vec<_> = std::thread::scope(|scope| {
                let write = |writer| {
                    let (id, known, ews) = (&id, &known, server.ews(ANNA));
                    scope.spawn(move || update(&ews, id, known, "NeverOverwrite", &format!("{meeting} {writer}")))
                };
                let writers: Vec<_> = (0..WRITERS).map(write).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let won: Vec<_> = (0..WRITERS).filter(|writer| codes[*writer] == "NoError").collect();
            assert_eq!(won.len(), 1, "{codes:?}");
            assert!(codes.iter().all(|code| code == "NoError" || code == "ErrorIrresolvableConflict"), "{codes:?}");
            let items = ews.read_items(&distinguished("inbox"), "Shallow");
            assert_eq!(items[&id].subject, format!("{meeting} {}", won[0]));
        }
        // Who does not mind may write over it, also without a change key.
        assert_eq!(update(&ews, &id, &change_key(&ews, &id), "AlwaysOverwrite", "over"), "NoError");
        ews.set_subject(&id, "over again").unwrap();
    }
}

#[test]
fn one_update_of_a_row_wins() {
    for kind in stores("one_update_of_a_row_wins") {
        let server = TestServer::start(kind);
        let lists = server.lists(ANNA);
        lists.add("Things", 100);
        lists.create("Things", &[("Title", "x")]);
        for meeting in 0..MEETINGS {
            let version = (meeting + 1).to_string();
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let write = |writer: usize| {
                    let (version, lists) = (&version, server.lists(ANNA));
                    scope.spawn(move || {
                        let fields = [("Title", writer.to_string()), ("owshiddenversion", version.clone())];
                        let fields = [(fields[0].0, fields[0].1.as_str()), (fields[1].0, fields[1].1.as_str())];
                        lists.update("Things", &method("Update", Some(1), &fields)).remove(0)
                    })
                };
                let writers: Vec<_> = (0..WRITERS).map(write).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let won: Vec<_> = (0..WRITERS).filter(|writer| outcomes[*writer].code == "0x00000000").collect();
            assert_eq!(won.len(), 1, "{outcomes:?}");
            for outcome in &outcomes {
                // Who lost is told what there is.
                let row = outcome.row.as_ref().unwrap();
                assert_eq!(row["Title"], won[0].to_string(), "{outcome:?}");
                assert_eq!(row["owshiddenversion"], (meeting + 2).to_string());
                assert!(matches!(outcome.code.as_str(), "0x00000000" | "0x81020015"), "{outcome:?}");
            }
        }
    }
}

/// Many who write without knowing of each other: nothing is lost.
#[test]
fn writers_side_by_side_lose_nothing() {
    for kind in stores("writers_side_by_side_lose_nothing") {
        let server = TestServer::start(kind);
        server.lists(ANNA).add("Things", 100);
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (ews, lists) = (server.ews(ANNA), server.lists(ANNA));
                scope.spawn(move || {
                    for number in 0..10 {
                        ews.create_message(&distinguished("inbox"), &format!("{writer} {number}"));
                        lists.create("Things", &[("Title", &format!("{writer} {number}"))]);
                    }
                });
            }
        });
        let items = server.ews(ANNA).read_items(&distinguished("inbox"), "Shallow");
        assert_eq!(items.len(), WRITERS * 10);
        let rows = server.lists(ANNA).read_rows(&testkit::lists::ListAsk { list: "Things", ..Default::default() });
        assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (1..=WRITERS as u32 * 10).collect::<Vec<_>>());
    }
}
