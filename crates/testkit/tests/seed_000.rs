//! The SyncFolderItems transcript: a later sync of Sent Items with an Ignore, a meeting request, an invalid state.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    ews::{Ews, distinguished, folder_id, responses},
    schema::Checker,
    server::{ANNA, TestServer, stores},
    stream::{APPOINTMENT, MEETING, Stream},
    transcript,
    tree::{Reach, Tree},
};
use xml::Node;

const REQUEST: &str = "ews/seed_000/sync_folder_items.xml";

/// The printed request, and the same with the namespaces as servers spell them.
fn spellings(values: &[(&str, &str)]) -> [String; 2] {
    let printed = transcript::request(REQUEST, values);
    let usual = printed.replace("https://schemas.microsoft.com", "http://schemas.microsoft.com");
    assert_ne!(printed, usual);
    [printed, usual]
}

/// A first sync as the printed request would ask for it: without a state.
fn first_sync(ews: &Ews) -> Tree {
    let printed = transcript::raw(REQUEST);
    let from = printed.find("<SyncState>").unwrap();
    let to = printed.find("</Ignore>").unwrap() + "</Ignore>".len();
    ews.send(&format!("{}{}", &printed[..from], &printed[to..]))
}

fn state(answer: &Tree) -> String {
    responses(answer)[0].value("SyncState").unwrap()
}

/// Id and change key.
fn item_id(element: Node<'_>) -> (String, String) {
    let id = element.at("ItemId");
    (id.attribute("Id").unwrap().to_owned(), id.attribute("ChangeKey").unwrap().to_owned())
}

/// The printed meeting request, as another program would upload it.
fn budget_meeting() -> Stream {
    const AT_17_30: u64 = 1_154_539_800;
    const AT_19_30: u64 = 1_154_547_000;
    Stream::message("IPM.Schedule.Meeting.Request", "Budget Q3")
        .number(0x0017, 1)
        .number(0x0036, 0)
        .text(0x0042, "Dan Park")
        .text(0x0064, "SMTP")
        .text(0x0065, "dpark@example.com")
        .text(0x5d02, "dpark@example.com")
        .text(0x0c1a, "Dan Park")
        .text(0x0c1e, "SMTP")
        .text(0x0c1f, "dpark@example.com")
        .flag(0x7d01, true)
        .named_number(MEETING, 0x0026, 1)
        .named_number(APPOINTMENT, 0x8205, 2)
        .named_number(APPOINTMENT, 0x8224, 2)
        .named_number(APPOINTMENT, 0x8218, 5)
        .named_text(APPOINTMENT, 0x8208, "Conference Room 2")
        .named_time(APPOINTMENT, 0x820d, AT_17_30)
        .named_time(APPOINTMENT, 0x820e, AT_19_30)
        .recipients_follow()
        .attachments_follow()
}

#[test]
fn the_request_is_as_printed() {
    let values = [("sync_state", "AEbJ94eMOAAA="), ("ignored_id", "AQApAHRAA=="), ("ignored_change_key", "CQAAABY")];
    transcript::assert_as_printed(REQUEST, &values, "seeds/000_98bc16f6621018a7.txt", "<SyncFolderItems ");
}

#[test]
fn a_later_sync_leaves_out_what_is_ignored() {
    for kind in stores("a_later_sync_leaves_out_what_is_ignored") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let mut checker = Checker::new();
        let folder = distinguished("sentitems");
        ews.create_message(&folder, "There before");
        let first = first_sync(&ews);
        checker.ews(&first);
        assert_eq!(responses(&first)[0].at("Changes").names(), ["Create"]);
        let ignored = ews.create_message(&folder, "Ignored");
        let wanted = ews.create_message(&folder, "Wanted");
        let shape = "<t:BaseShape>IdOnly</t:BaseShape>";
        let got = ews.get_item(&ignored, shape).unwrap();
        let (ignored_id, ignored_change_key) = item_id(responses(&got)[0].at("Items/Message"));
        let sync_state = state(&first);
        let values = [
            ("sync_state", sync_state.as_str()),
            ("ignored_id", &ignored_id),
            ("ignored_change_key", &ignored_change_key),
        ];
        for request in spellings(&values) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            assert!(!answer.source().contains("https://schemas."), "{answer:?}");
            let version = answer.root().at("Header/ServerVersionInfo");
            assert!(version.attribute("MajorVersion").is_some() && version.attribute("Version").is_some());
            let response = responses(&answer)[0];
            assert_eq!(response.attribute("ResponseClass"), Some("Success"));
            assert_eq!(response.names(), ["ResponseCode", "SyncState", "IncludesLastItemInRange", "Changes"]);
            assert_eq!(response.value("ResponseCode").unwrap(), "NoError");
            assert_eq!(response.value("IncludesLastItemInRange").unwrap(), "true");
            assert_ne!(state(&answer), sync_state);
            assert_eq!(response.at("Changes").names(), ["Create"], "{answer:?}");
            assert_eq!(item_id(response.at("Changes/Create/Message")).0, wanted);
            // What was ignored is not reported later either.
            let next = state(&answer);
            let values = [("sync_state", next.as_str()), values[1], values[2]];
            let again = ews.send(&transcript::request(REQUEST, &values));
            assert!(responses(&again)[0].at("Changes").names().is_empty(), "{again:?}");
        }
        checker.finish();
    }
}

#[test]
fn a_meeting_request_has_the_printed_fields() {
    for kind in stores("a_meeting_request_has_the_printed_fields") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let mut checker = Checker::new();
        let sync_state = state(&first_sync(&ews));
        let other = ews.create_message(&distinguished("inbox"), "Somewhere else");
        let got = ews.get_item(&other, "<t:BaseShape>IdOnly</t:BaseShape>").unwrap();
        let (ignored_id, ignored_change_key) = item_id(responses(&got)[0].at("Items/Message"));
        let sent_items = ews.folder(&distinguished("sentitems"));
        let uploaded = ews.upload(&sent_items, false, &[budget_meeting().data()]).remove(0).unwrap();
        let values = [
            ("sync_state", sync_state.as_str()),
            ("ignored_id", &ignored_id),
            ("ignored_change_key", &ignored_change_key),
        ];
        for request in spellings(&values) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            let response = responses(&answer)[0];
            assert_eq!(response.at("Changes").names(), ["Create"], "{answer:?}");
            let meeting = response.at("Changes/Create/MeetingRequest");
            let (id, change_key) = item_id(meeting);
            assert_eq!(id, uploaded);
            assert!(change_key.starts_with("CwAAABYA"), "{change_key}");
            assert!(meeting.at("ItemId").children().next().is_none());
            let fields = [
                ("ItemId", ""),
                ("Subject", "Budget Q3"),
                ("Sensitivity", "Normal"),
                ("IsOutOfDate", "false"),
                ("HasBeenProcessed", "true"),
                ("ResponseType", "NoResponseReceived"),
                ("IntendedFreeBusyStatus", "Busy"),
                ("Start", "2006-08-02T17:30:00Z"),
                ("End", "2006-08-02T19:30:00Z"),
                ("Location", "Conference Room 2"),
            ];
            let fields = fields.map(|(name, value)| (name, value.to_owned()));
            assert_eq!(meeting.leaves(), fields, "{answer:?}");
            assert_eq!(*meeting.names().last().unwrap(), "Organizer");
            assert_eq!(meeting.names().len(), fields.len() + 1);
            let mailbox = meeting.at("Organizer/Mailbox").leaves();
            let printed = [("Name", "Dan Park"), ("EmailAddress", "dpark@example.com"), ("RoutingType", "SMTP")];
            assert_eq!(mailbox, printed.map(|(name, value)| (name, value.to_owned())));
        }
        checker.finish();
    }
}

/// An answer to an invalid state, whole.
fn assert_refused(answer: &Tree, checker: &mut Checker) {
    checker.ews(answer);
    let response = responses(answer)[0];
    assert_eq!(response.local(), "SyncFolderItemsResponseMessage");
    assert_eq!(response.attribute("ResponseClass"), Some("Error"));
    let printed = [
        ("MessageText", "Synchronization state data is corrupt or otherwise invalid."),
        ("ResponseCode", "ErrorInvalidSyncStateData"),
        ("DescriptiveLinkKey", "0"),
        ("SyncState", ""),
        ("IncludesLastItemInRange", "true"),
    ];
    assert_eq!(response.leaves(), printed.map(|(name, value)| (name, value.to_owned())), "{answer:?}");
    assert_eq!(response.names().len(), printed.len());
}

#[test]
fn an_invalid_state_is_answered_as_printed() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    let id = ews.create_message(&distinguished("sentitems"), "x");
    let good = state(&first_sync(&ews));
    let hierarchy = ews.sync_folders(None, None).unwrap().state;
    let elsewhere = first_sync(&server.ews(testkit::server::BERT));
    let inbox = ews.folder(&distinguished("inbox"));
    let ask = testkit::ews::ItemAsk {
        folder: &folder_id(&inbox),
        state: None,
        ignore: &[],
        changes_max: 5,
        associated: false,
    };
    let other_folder = ews.sync_items(&ask).unwrap().state;
    let shortened = &good[..good.len() / 8 * 4];
    for invalid in ["AEbJ94eMOAAA=", "H4sIAAAAA=", "x", "!", shortened, &hierarchy, &state(&elsewhere), &other_folder] {
        let values = [("sync_state", invalid), ("ignored_id", id.as_str()), ("ignored_change_key", "CQAAAA==")];
        for request in spellings(&values) {
            assert_refused(&ews.send(&request), &mut checker);
        }
    }
    // The request word for word: its shortened id is as invalid as its state.
    let values = [("sync_state", "AEbJ94eMOAAA="), ("ignored_id", "AQApAHRAA=="), ("ignored_change_key", "CQAAABY")];
    let answer = ews.send(&transcript::request(REQUEST, &values));
    checker.ews(&answer);
    let response = responses(&answer)[0];
    assert_eq!(response.attribute("ResponseClass"), Some("Error"));
    assert_eq!(response.value("SyncState").as_deref(), Some(""));
    assert_eq!(response.value("IncludesLastItemInRange").as_deref(), Some("true"));
    checker.finish();
}
