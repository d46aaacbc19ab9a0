//! Watching one folder through SyncFolderItems, as clients do, with every property and every answer checked.

use crate::{
    ews::{Ews, ItemAsk, distinguished, responses, sync_items_request},
    schema::Checker,
    tree::{Reach, Tree},
};

/// Entries asked for at once; more are not expected.
const ENTRIES_MAX: usize = 100;

/// A folder of a mailbox, as far as it is known.
#[derive(Debug)]
pub struct Watch {
    ews: Ews,
    folder: String,
    state: Option<String>,
}

/// An entry of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Create, Update, Delete or ReadFlagChange.
    pub kind: String,
    /// The local name of the item's element; empty where there is none.
    pub element: String,
    /// The id of the item.
    pub id: String,
    /// The properties that hold a text and nothing else, by name.
    pub leaves: Vec<(String, String)>,
}

impl Entry {
    /// A property that holds a text; empty where the item has none.
    pub fn value(&self, name: &str) -> &str {
        self.leaves.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl Watch {
    /// Begins with what the folder holds now.
    pub fn new(ews: Ews, folder: &str, checker: &mut Checker) -> Self {
        let mut watch = Self { ews, folder: distinguished(folder), state: None };
        watch.news(checker);
        watch
    }

    /// What has happened since the last call.
    ///
    /// # Panics
    /// When the answer is an error or says that there is more.
    pub fn news(&mut self, checker: &mut Checker) -> Vec<Entry> {
        let ask = ItemAsk {
            folder: &self.folder,
            state: self.state.as_deref(),
            ignore: &[],
            changes_max: ENTRIES_MAX,
            associated: false,
        };
        let answer: Tree = self.ews.call(&sync_items_request(&ask, "<t:BaseShape>AllProperties</t:BaseShape>"));
        checker.ews(&answer);
        let response = responses(&answer).remove(0);
        assert_eq!(response.value("ResponseCode").as_deref(), Some("NoError"), "{answer:?}");
        assert_eq!(response.value("IncludesLastItemInRange").as_deref(), Some("true"), "{answer:?}");
        self.state = response.value("SyncState");
        let entry = |change: xml::Node<'_>| {
            let item = change.children().find(|child| child.local() != "ItemId" && child.local() != "IsRead");
            let holder = item.unwrap_or(change);
            Entry {
                kind: change.local().to_owned(),
                element: item.map(|item| item.local().to_owned()).unwrap_or_default(),
                id: holder.at("ItemId").attribute("Id").unwrap_or_default().to_owned(),
                leaves: holder.leaves().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            }
        };
        response.at("Changes").children().map(entry).collect()
    }

    /// As [`Self::news`]: kind, element and subject of each.
    pub fn brief(&mut self, checker: &mut Checker) -> Vec<String> {
        let entries = self.news(checker);
        let one = |entry: &Entry| format!("{} {} {}", entry.kind, entry.element, entry.value("Subject"));
        entries.iter().map(|entry| one(entry).trim_end().to_owned()).collect()
    }
}
