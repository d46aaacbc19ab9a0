//! The transcripts of `tests/transcripts`, a folder a test. What each shows stands at its head; `docs/behaviour.md` says
//! which line of the required behaviour each holds.
#![allow(missing_docs, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

/// A test for each folder.
macro_rules! folders {
    ($($test:ident: $folder:literal,)*) => {
        $(#[test] fn $test() { testkit::scenario::run_folder($folder); })*

        const FOLDERS: &[&str] = &[$($folder),*];
    };
}

folders! {
    ews_every_answer: "ews/every_answer",
    ews_around_sync: "ews/around_sync",
    ews_hierarchy: "ews/hierarchy",
    ews_items: "ews/items",
    ews_mail_flow: "ews/mail_flow",
    ews_notifications: "ews/notifications",
    ews_export: "ews/export",
    ews_upload: "ews/upload",
    sharepoint_every_answer: "sharepoint/every_answer",
    sharepoint_site: "sharepoint/site",
    sharepoint_since_token: "sharepoint/since_token",
    sharepoint_changes_by_time: "sharepoint/changes_by_time",
    sharepoint_update: "sharepoint/update",
    sharepoint_rows: "sharepoint/rows",
    sharepoint_codes: "sharepoint/codes",
    sharepoint_outlook: "sharepoint/outlook",
    ews_neighbours: "ews/neighbours",
}

/// A folder that is not listed would never run.
#[test]
fn every_folder_is_listed() {
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/transcripts");
    let mut found = BTreeSet::new();
    for protocol in ["ews", "sharepoint"] {
        for entry in fs::read_dir(transcripts.join(protocol)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // Those of the printed documents are read by tests of their own.
            if !name.starts_with("seed_") {
                found.insert(format!("{protocol}/{name}"));
            }
        }
    }
    assert_eq!(found, FOLDERS.iter().map(|folder| (*folder).to_owned()).collect());
}
