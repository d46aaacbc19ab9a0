//! What was seen to have been made already: roots that were set up, and users of sites.
//!
//! Ids of roots are not given again and names of users stay, so what was there once need not be looked for again. A root
//! that is removed meanwhile is missed where it is read.

use std::{
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock},
};

use model::RootId;

/// Entries of each kind that are remembered; past it, all are forgotten and looked for anew.
const ENTRIES_MAX: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    roots: RwLock<HashSet<RootId>>,
    users: RwLock<HashMap<(RootId, RootId), u32>>,
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
}
