//! What was seen to have been made already: roots that were set up, users of sites, and the indexes of lists.
//!
//! Other nodes write to the same store, so nothing here may be relied on that they can change. Ids of roots are not given
//! again and names of users stay, so what was there once need not be looked for again. A root that is removed meanwhile is
//! missed where it is read. Indexes change: who relies on what is noted of them guards it.

use std::{
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock},
};

use model::{CollectionId, RootId};

use crate::list_index::Definition;

/// Entries of each kind that are remembered; past it, all are forgotten and looked for anew.
const ENTRIES_MAX: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    roots: RwLock<HashSet<RootId>>,
    users: RwLock<HashMap<(RootId, RootId), u32>>,
    lists: RwLock<HashMap<(RootId, CollectionId), Definition>>,
    work: RwLock<HashSet<RootId>>,
}

impl Opened {
    /// Whether the root was there once.
    pub(crate) fn has_root(&self, root: RootId) -> bool {
        self.roots.read().unwrap_or_else(PoisonError::into_inner).contains(&root)
    }

    /// Notes that the root is there.
    pub(crate) fn note_root(&self, root: RootId) {
        let mut roots = self.roots.write().unwrap_or_else(PoisonError::into_inner);
        if roots.len() >= ENTRIES_MAX {
            roots.clear();
        }
        roots.insert(root);
    }

    /// The id of an account in the user list of a site.
    pub(crate) fn user(&self, site: RootId, account: RootId) -> Option<u32> {
        self.users.read().unwrap_or_else(PoisonError::into_inner).get(&(site, account)).copied()
    }

    /// Notes the id of an account in the user list of a site.
    pub(crate) fn note_user(&self, site: RootId, account: RootId, id: u32) {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        if users.len() >= ENTRIES_MAX {
            users.clear();
        }
        users.insert((site, account), id);
    }

    /// Notes that work on indexes was begun in a site and is not done.
    pub(crate) fn note_work(&self, site: RootId) {
        self.work.write().unwrap_or_else(PoisonError::into_inner).insert(site);
    }

    /// A site in which work on indexes is not done.
    pub(crate) fn work(&self) -> Option<RootId> {
        self.work.read().unwrap_or_else(PoisonError::into_inner).iter().next().copied()
    }

    /// Notes that the work in a site is done.
    pub(crate) fn forget_work(&self, site: RootId) {
        self.work.write().unwrap_or_else(PoisonError::into_inner).remove(&site);
    }

    /// The indexes of a list as they were noted.
    pub(crate) fn list(&self, site: RootId, list: CollectionId) -> Option<Definition> {
        self.lists.read().unwrap_or_else(PoisonError::into_inner).get(&(site, list)).cloned()
    }

    /// Notes the indexes of a list.
    pub(crate) fn note_list(&self, site: RootId, list: CollectionId, definition: Definition) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if lists.len() >= ENTRIES_MAX {
            lists.clear();
        }
        lists.insert((site, list), definition);
    }

    /// Forgets the indexes of a list that has changed.
    pub(crate) fn forget_list(&self, site: RootId, list: CollectionId) {
        self.lists.write().unwrap_or_else(PoisonError::into_inner).remove(&(site, list));
    }
}
