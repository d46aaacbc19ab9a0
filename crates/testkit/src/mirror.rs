//! Clients that hold a copy and apply exactly what the wire says. They panic at what a correct server never says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use crate::{
    ews::{FolderEntry, FolderPage, FolderState, ItemEntry, ItemPage, ItemState},
    lists::{ListPage, Row, number},
};

/// A copy of a folder's items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ItemMirror {
    /// The state to send next, none at first.
    pub state: Option<String>,
    /// Whether the state is inside a drain: more was announced.
    pub draining: bool,
    /// The items by id.
    pub items: BTreeMap<String, ItemState>,
}

impl ItemMirror {
    /// Applies an answer that was asked for at most `changes_max` changes.
    ///
    /// # Panics
    /// At more changes than asked for or the same item twice; at a Create of what is here; at an Update or
    /// ReadFlagChange of what is not; at a Delete of what is not, except inside a drain, where something may have come
    /// and gone.
    pub fn apply(&mut self, page: ItemPage, changes_max: usize) {
        assert!(page.entries.len() <= changes_max, "{} changes, asked for {changes_max}", page.entries.len());
        assert!(page.last || !page.entries.is_empty(), "more is announced and nothing comes");
        let mut seen = BTreeSet::new();
        for entry in page.entries {
            let id = match &entry {
                ItemEntry::Create(id, _)
                | ItemEntry::Update(id, _)
                | ItemEntry::Delete(id)
                | ItemEntry::Read(id, _) => id,
            };
            assert!(seen.insert(id.clone()), "twice in one answer: {entry:?}");
            let known = self.items.contains_key(id);
            match entry {
                ItemEntry::Create(id, state) => {
                    assert!(!known, "Create of what is here: {id} {state:?}");
                    self.items.insert(id, state);
                }
                ItemEntry::Update(id, state) => {
                    assert!(known, "Update of what is not here: {id} {state:?}");
                    self.items.insert(id, state);
                }
                ItemEntry::Delete(id) => {
                    assert!(known || self.draining, "Delete of what is not here: {id}");
                    self.items.remove(&id);
                }
                ItemEntry::Read(id, read) => {
                    let item = self.items.get_mut(&id);
                    let item = item.unwrap_or_else(|| panic!("ReadFlagChange of what is not here: {id}"));
                    item.read = read;
                }
            }
        }
        self.draining = !page.last;
        self.state = Some(page.state);
    }
}

/// A copy of a hierarchy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderMirror {
    /// The state to send next, none at first.
    pub state: Option<String>,
    /// The folders by id.
    pub folders: BTreeMap<String, FolderState>,
}

impl FolderMirror {
    /// Applies an answer. `top` is the id of the folder below which is synchronised.
    ///
    /// # Panics
    /// At the same folder twice; at a Create of what is here; at an Update or Delete of what is not; at a Create whose
    /// parent is not here.
    pub fn apply(&mut self, page: FolderPage, top: &str) {
        let mut seen = BTreeSet::new();
        for entry in page.entries {
            let id = match &entry {
                FolderEntry::Create(id, _) | FolderEntry::Update(id, _) | FolderEntry::Delete(id) => id,
            };
            assert!(seen.insert(id.clone()), "twice in one answer: {entry:?}");
            assert_ne!(id, top, "the folder itself is reported: {entry:?}");
            let known = self.folders.contains_key(id);
            match entry {
                FolderEntry::Create(id, state) => {
                    assert!(!known, "Create of what is here: {id} {state:?}");
                    let parent = state.parent == top || self.folders.contains_key(&state.parent);
                    assert!(parent, "Create before its parent: {id} {state:?}");
                    self.folders.insert(id, state);
                }
                FolderEntry::Update(id, state) => {
                    assert!(known, "Update of what is not here: {id} {state:?}");
                    self.folders.insert(id, state);
                }
                FolderEntry::Delete(id) => {
                    assert!(known, "Delete of what is not here: {id}");
                    self.folders.remove(&id);
                }
            }
        }
        self.state = Some(page.state);
    }
}

/// A copy of a list's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListMirror {
    /// The token to send next, none while the first listing goes on.
    pub token: Option<String>,
    /// The bookmark of the first listing, and the token that its pages name.
    pub listing: Option<(String, String)>,
    /// The rows by number.
    pub rows: BTreeMap<u32, Row>,
}

impl ListMirror {
    /// Applies an answer. Returns whether more is announced.
    ///
    /// # Panics
    /// At MoreChanges without a token; at pages of one listing that name different tokens; at a row and a Delete of
    /// the same number; at a kind of change that a mirror must start anew for.
    pub fn apply(&mut self, page: ListPage) -> bool {
        assert!(!page.token.is_empty(), "no LastChangeToken");
        let sent = page.rows.iter().map(number).collect::<BTreeSet<_>>();
        for (kind, id) in &page.ids {
            match (kind.as_str(), id) {
                ("Delete" | "MoveAway", Some(id)) => {
                    assert!(!sent.contains(id), "row {id} is sent and deleted at once");
                    self.rows.remove(id);
                }
                ("Rename" | "SystemUpdate" | "Restore", Some(_)) => {}
                _ => panic!("a change that needs a new start: {kind} {id:?}"),
            }
        }
        self.rows.extend(page.rows.into_iter().map(|row| (number(&row), row)));
        if self.token.is_some() {
            assert_eq!(page.position, None, "a bookmark in an answer to a token");
            self.token = Some(page.token);
            return page.more.as_deref() == Some("TRUE");
        }
        assert_eq!(page.more, None, "MoreChanges without a token");
        if let Some((_, first)) = &self.listing {
            assert_eq!(place(&page.token), place(first), "the pages of a listing name different tokens");
        }
        match page.position {
            Some(position) => {
                self.listing = Some((position, page.token));
                true
            }
            None => {
                self.token = Some(page.token);
                self.listing = None;
                false
            }
        }
    }
}

/// Asserts that a copy equals what was read, showing only what differs.
pub fn assert_equal<K: Ord + Debug, V: PartialEq + Debug>(copy: &BTreeMap<K, V>, read: &BTreeMap<K, V>, what: &str) {
    let missing: Vec<_> = read.iter().filter(|(key, value)| copy.get(key) != Some(value)).collect();
    let other: Vec<_> = copy.iter().filter(|(key, value)| read.get(key) != Some(value)).collect();
    assert!(missing.is_empty() && other.is_empty(), "{what}: read {missing:#?}, in the copy {other:#?}");
}

/// What a token says but for its time.
fn place(token: &str) -> Vec<&str> {
    token.split(';').enumerate().filter(|(field, _)| *field != 3).map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> ItemState {
        ItemState { element: "Message".into(), subject: "s".into(), importance: "Normal".into(), read: false }
    }

    fn refused(entries: Vec<ItemEntry>) -> bool {
        let mut mirror = ItemMirror::default();
        let page = |entries| ItemPage { state: "x".into(), last: true, entries };
        mirror.apply(page(vec![ItemEntry::Create("a".into(), item())]), 5);
        std::panic::catch_unwind(move || mirror.apply(page(entries), 5)).is_err()
    }

    #[test]
    fn an_item_mirror_is_strict() {
        let id = || "b".to_owned();
        assert!(!refused(vec![ItemEntry::Create(id(), item())]));
        assert!(!refused(vec![ItemEntry::Read("a".into(), true)]));
        assert!(refused(vec![ItemEntry::Create("a".into(), item())]));
        assert!(refused(vec![ItemEntry::Update(id(), item())]));
        assert!(refused(vec![ItemEntry::Delete(id())]));
        assert!(refused(vec![ItemEntry::Read(id(), true)]));
        assert!(refused(vec![ItemEntry::Create(id(), item()), ItemEntry::Read(id(), true)]));
    }
}
