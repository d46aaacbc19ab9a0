//! The transcripts once more, while the store fails at every call in turn.
#![allow(missing_docs, reason = "a test")]

use testkit::weather::{Weather, run_folder};

/// A test for each folder and weather.
macro_rules! folders {
    ($($folder:ident $path:literal,)*) => {
        $(mod $folder {
            use super::*;

            #[test]
            fn reads_fail() {
                run_folder($path, Weather::Reads);
            }

            #[test]
            fn commits_fail() {
                run_folder($path, Weather::Commits);
            }

            #[test]
            fn commits_are_lost() {
                run_folder($path, Weather::Lost);
            }

            #[test]
            fn commits_are_not_acknowledged() {
                run_folder($path, Weather::Unacknowledged);
            }
        })*
    };
}

folders! {
    ews_around_sync "ews/around_sync",
    ews_every_answer "ews/every_answer",
    ews_export "ews/export",
    ews_hierarchy "ews/hierarchy",
    ews_items "ews/items",
    ews_mail_flow "ews/mail_flow",
    ews_neighbours "ews/neighbours",
    ews_upload "ews/upload",
    sharepoint_changes_by_time "sharepoint/changes_by_time",
    sharepoint_codes "sharepoint/codes",
    sharepoint_every_answer "sharepoint/every_answer",
    sharepoint_outlook "sharepoint/outlook",
    sharepoint_rows "sharepoint/rows",
    sharepoint_since_token "sharepoint/since_token",
    sharepoint_site "sharepoint/site",
    sharepoint_update "sharepoint/update",
}
