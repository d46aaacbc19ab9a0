//! What this node knows of roots that it wrote: enough to write again without asking first.
//!
//! It is a guess, never believed: the statement that writes says in its own condition what it was made from, and writes
//! nothing where somebody else has written since. A root is as it was when its last position is: every change of what is
//! remembered here takes a position.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use model::{CollectionId, Guid, RootId, Seq};

use crate::apply::{Collection, Overlay, Root};

/// Roots that are remembered.
const ROOTS_MAX: usize = 20_000;
/// Collections of a root that are remembered.
const COLLECTIONS_MAX: usize = 16;

/// A root as this node left it.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    pub(crate) guid: Guid,
    pub(crate) last_seq: Seq,
    /// Of the session that wrote: another one may be of another history.
    pub(crate) epoch: i64,
    /// Nothing needs to be noted in the time line up to this minute.
    minute: Option<i64>,
    collections: BTreeMap<CollectionId, Collection>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<RootId, Left>>);

impl Left {
    /// The rows of these collections as an overlay; `None` where not all of them are known.
    pub(crate) fn overlay(&self, collections: impl Iterator<Item = CollectionId>) -> Option<Overlay> {
        let root = Some(Root { last_seq: self.last_seq, epoch: Some(self.epoch) });
        let mut overlay = Overlay { root_base: root, root, minute: Some(self.minute?), ..Overlay::default() };
        for id in collections {
            overlay.collections.load(id, Some(*self.collections.get(&id)?));
        }
        Some(overlay)
    }
}

impl Known {
    /// A root as it was left, if it is remembered.
    pub(crate) fn get(&self, root: RootId) -> Option<Left> {
        self.roots().get(&root).cloned()
    }

    /// The latest minute of the time line, where nobody else wrote since.
    pub(crate) fn minute(&self, root: RootId, last_seq: Seq) -> Option<i64> {
        self.roots().get(&root).filter(|left| left.last_seq == last_seq)?.minute
    }

    /// Remembers a root after a group was committed.
    pub(crate) fn leave(&self, root: RootId, guid: Guid, epoch: i64, written: &Overlay) {
        let Some(Root { last_seq, .. }) = written.root else { return self.forget(root) };
        let minute = written.ticks.last().map(|(minute, _)| *minute).max(written.minute);
        let mut roots = self.roots();
        if roots.len() >= ROOTS_MAX {
            roots.clear();
        }
        let left = roots.remove(&root).filter(|left| {
            let before = written.root_base.map(|root| root.last_seq);
            Some(left.last_seq) == before && left.epoch == epoch && left.guid == guid
        });
        let mut collections = left.map(|left| left.collections).unwrap_or_default();
        if collections.len() >= COLLECTIONS_MAX {
            collections.clear();
        }
        for (id, slot) in written.collections.slots().take(COLLECTIONS_MAX) {
            match slot.now {
                Some(row) => collections.insert(*id, row),
                None => collections.remove(id),
            };
        }
        roots.insert(root, Left { guid, last_seq, epoch, minute, collections });
    }

    /// Forgets a root.
    pub(crate) fn forget(&self, root: RootId) {
        self.roots().remove(&root);
    }

    fn roots(&self) -> MutexGuard<'_, HashMap<RootId, Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
