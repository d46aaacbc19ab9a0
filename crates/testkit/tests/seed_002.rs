//! The ExportItems transcript: three items, and three of which two cannot be exported.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use testkit::{
    ews::{distinguished, responses},
    schema::Checker,
    server::{ANNA, TestServer, stores},
    transcript,
    tree::Reach,
};

const REQUEST: &str = "ews/seed_002/export_items.xml";
/// The mailbox that the printed answer does not know.
const FOREIGN: &str = "f3f6f699-2254-40ce-9994-388d9d98419e";

fn spellings(printed: &str) -> [String; 2] {
    let usual = printed.replace("https://schemas.microsoft.com", "http://schemas.microsoft.com");
    assert_ne!(printed, usual);
    [printed.to_owned(), usual]
}

/// The id of the same item in another mailbox.
fn elsewhere(id: &str) -> String {
    let mut bytes = STANDARD.decode(id).unwrap();
    // Uncompressed, a mailbox by its GUID, 36 characters.
    assert_eq!(bytes[..4], [0, 3, 36, 0], "{id}");
    bytes[4..40].copy_from_slice(FOREIGN.as_bytes());
    STANDARD.encode(bytes)
}

/// What every printed payload begins with, up to the bytes of the item; the producer's version differs.
fn assert_framed(data: &str) {
    let bytes = STANDARD.decode(data).unwrap();
    let head = [1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
    let interface =
        [3, 0, 0, 0, 24, 0, 0, 0, 1, 0, 0, 0, 7, 3, 2, 0, 0, 0, 0, 0, 192, 0, 0, 0, 0, 0, 0, 70, 0, 36, 0, 128];
    assert_eq!(bytes[..16], head);
    assert_eq!(bytes[16..48], interface);
    assert_eq!(bytes[48..56], [4, 0, 0, 0, 6, 0, 0, 0]);
    assert_eq!(bytes[62..66], [2, 0, 0, 0]);
}

#[test]
fn the_request_is_as_printed() {
    let values = [
        ("first_id", "AAMkAGYzZjZmRiUsidkC+NAAAAY89GAAA="),
        ("second_id", "AAMkAGYzZjZmRiUsidkC+NAAAAY89FAAA="),
        ("third_id", "AAMkAGYzZjZmRiUsidkC+NAAAAY87NAAA="),
    ];
    transcript::assert_as_printed(REQUEST, &values, "seeds/002_d9feaa4c8484de5c.txt", "<m:ExportItems>");
}

#[test]
fn three_items_are_exported() {
    for kind in stores("three_items_are_exported") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let mut checker = Checker::new();
        let inbox = distinguished("inbox");
        let ids = ["Most fascinating", "Interesting", "Plain"].map(|subject| ews.create_message(&inbox, subject));
        let values = [("first_id", ids[0].as_str()), ("second_id", &ids[1]), ("third_id", &ids[2])];
        for request in spellings(&transcript::request(REQUEST, &values)) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            let responses = responses(&answer);
            assert_eq!(responses.len(), 3);
            for (response, id) in responses.iter().zip(&ids) {
                assert_eq!(response.local(), "ExportItemsResponseMessage");
                assert_eq!(response.attribute("ResponseClass"), Some("Success"));
                assert_eq!(response.names(), ["ResponseCode", "ItemId", "Data"], "{answer:?}");
                assert_eq!(response.value("ResponseCode").unwrap(), "NoError");
                assert_eq!(response.at("ItemId").attribute("Id"), Some(id.as_str()));
                assert_eq!(response.at("ItemId").attribute("ChangeKey"), Some("CQAAAA=="));
                assert_framed(&response.value("Data").unwrap());
            }
        }
        checker.finish();
    }
}

#[test]
fn items_that_cannot_be_exported_fail_alone() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    let inbox = distinguished("inbox");
    let good = ews.create_message(&inbox, "Good");
    let other = ews.create_message(&inbox, "With a wrong change key");
    let foreign = elsewhere(&good);
    let values = [("first_id", good.as_str()), ("second_id", &other), ("third_id", &foreign)];
    let request = transcript::request(REQUEST, &values);
    let second = format!("<t:ItemId Id=\"{other}\"");
    assert!(request.contains(&second));
    for wrong in ["AAAA", "x", "CQAAABYAAAA=", ""] {
        let request = request.replace(&second, &format!("{second} ChangeKey=\"{wrong}\""));
        for request in spellings(&request) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            let responses = responses(&answer);
            assert_eq!(responses.len(), 3);
            assert_eq!(responses[0].attribute("ResponseClass"), Some("Success"));
            assert_eq!(responses[0].at("ItemId").attribute("Id"), Some(good.as_str()));
            assert_framed(&responses[0].value("Data").unwrap());
            for (response, text, code) in [
                (responses[1], "The change key is invalid.", "ErrorInvalidChangeKey"),
                (responses[2], "No mailbox with such guid.", "ErrorNonExistentMailbox"),
            ] {
                assert_eq!(response.attribute("ResponseClass"), Some("Error"));
                let printed = [("MessageText", text), ("ResponseCode", code), ("DescriptiveLinkKey", "0")];
                assert_eq!(response.leaves(), printed.map(|(name, value)| (name, value.to_owned())), "{answer:?}");
            }
            assert_eq!(responses[1].names().len(), 3);
            assert_eq!(responses[2].names()[3..], ["MessageXml"]);
            let value = responses[2].at("MessageXml/Value");
            assert_eq!(value.attribute("Name"), Some("MailboxGuid"));
            assert_eq!(value.text(), FOREIGN);
        }
    }
    checker.finish();
}
