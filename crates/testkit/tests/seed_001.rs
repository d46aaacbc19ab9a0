//! The SyncFolderHierarchy transcript: a new folder since the last sync, an invalid state.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use testkit::{
    ews::{Ews, distinguished, responses},
    schema::Checker,
    server::{ANNA, BERT, TestServer, stores},
    transcript,
    tree::{Reach, Tree},
};

const REQUEST: &str = "ews/seed_001/sync_folder_hierarchy.xml";

/// The printed request, and the same in the spelling that other pages print.
fn spellings(sync_state: &str) -> [String; 2] {
    let printed = transcript::request(REQUEST, &[("sync_state", sync_state)]);
    let other = printed.replace("http://schemas.microsoft.com", "https://schemas.microsoft.com");
    [printed, other]
}

/// A first sync as the printed request would ask for it: without a state.
fn first_sync(ews: &Ews) -> Tree {
    ews.send(&transcript::raw(REQUEST).replace("<SyncState>{{sync_state}}</SyncState>", ""))
}

fn state(answer: &Tree) -> String {
    responses(answer)[0].value("SyncState").unwrap()
}

#[test]
fn the_request_is_as_printed() {
    let document = "seeds/001_6fc7f5b44cef1df1.txt";
    transcript::assert_as_printed(REQUEST, &[("sync_state", "H4sIA=")], document, "<SyncFolderHierarchy ");
}

#[test]
fn a_new_folder_has_the_printed_fields() {
    for kind in stores("a_new_folder_has_the_printed_fields") {
        let server = TestServer::start(kind);
        let ews = server.ews(ANNA);
        let mut checker = Checker::new();
        let first = first_sync(&ews);
        checker.ews(&first);
        let response = responses(&first)[0];
        let kinds = response.at("Changes").names();
        assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == "Create"), "{first:?}");
        let names: Vec<_> = response.all("DisplayName").iter().map(|name| name.text().into_owned()).collect();
        assert!(names.iter().any(|name| name == "Inbox"), "{names:?}");
        let parent = ews.folder(&distinguished("msgfolderroot"));
        let id = ews.create_folder(&distinguished("msgfolderroot"), "NewFolder").unwrap();
        for request in spellings(&state(&first)) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            let response = responses(&answer)[0];
            assert_eq!(response.local(), "SyncFolderHierarchyResponseMessage");
            assert_eq!(response.attribute("ResponseClass"), Some("Success"));
            assert_eq!(response.names(), ["ResponseCode", "SyncState", "IncludesLastFolderInRange", "Changes"]);
            assert_eq!(response.value("ResponseCode").unwrap(), "NoError");
            assert_eq!(response.value("IncludesLastFolderInRange").unwrap(), "true");
            assert_eq!(response.at("Changes").names(), ["Create"], "{answer:?}");
            let folder = response.at("Changes/Create/Folder");
            let printed = [
                ("FolderId", ""),
                ("ParentFolderId", ""),
                ("FolderClass", "IPF.Note"),
                ("DisplayName", "NewFolder"),
                ("TotalCount", "0"),
                ("ChildFolderCount", "0"),
                ("UnreadCount", "0"),
            ];
            assert_eq!(folder.leaves(), printed.map(|(name, value)| (name, value.to_owned())), "{answer:?}");
            assert_eq!(folder.names().len(), printed.len());
            assert_eq!(folder.at("FolderId").attribute("Id"), Some(id.as_str()));
            assert!(folder.at("FolderId").attribute("ChangeKey").unwrap().starts_with("AQAAABY"));
            assert_eq!(folder.at("ParentFolderId").attribute("Id"), Some(parent.as_str()));
            assert_eq!(folder.at("ParentFolderId").attribute("ChangeKey"), Some("AQAAAA=="));
            // Counts alone are no change.
            ews.create_message(&testkit::ews::folder_id(&id), "x");
            let again = ews.send(&transcript::request(REQUEST, &[("sync_state", &state(&answer))]));
            checker.ews(&again);
            assert!(responses(&again)[0].at("Changes").names().is_empty(), "{again:?}");
            ews.delete(ews.read_items(&testkit::ews::folder_id(&id), "Shallow").keys().next().unwrap(), "HardDelete")
                .unwrap();
        }
        checker.finish();
    }
}

#[test]
fn an_invalid_state_is_answered_as_printed() {
    let server = TestServer::memory();
    let ews = server.ews(ANNA);
    let mut checker = Checker::new();
    let good = state(&first_sync(&ews));
    let elsewhere = state(&first_sync(&server.ews(BERT)));
    let explicit_root = ews.sync_folders(Some(&distinguished("root")), None).unwrap().state;
    for invalid in ["H4sIA=", "H4sIAAA==", "x", &good[..good.len() / 8 * 4], &elsewhere, &explicit_root] {
        for request in spellings(invalid) {
            let answer = ews.send(&request);
            checker.ews(&answer);
            let response = responses(&answer)[0];
            assert_eq!(response.attribute("ResponseClass"), Some("Error"));
            let printed = [
                ("MessageText", "Synchronization state data is corrupted or otherwise invalid."),
                ("ResponseCode", "ErrorInvalidSyncStateData"),
                ("DescriptiveLinkKey", "0"),
                ("SyncState", ""),
                ("IncludesLastFolderInRange", "true"),
            ];
            assert_eq!(response.leaves(), printed.map(|(name, value)| (name, value.to_owned())), "{answer:?}");
            assert_eq!(response.names().len(), printed.len());
        }
    }
    checker.finish();
}
