//! Synchronising the folders of a mailbox by token.
//!
//! Folders keep their spans, so what lay below the synced folder when the state was issued can be computed, and compared
//! with what lies there now: a folder that was moved in comes with everything below it as creations, one that was moved
//! out as deletions, and one that only changed its place as one update.

use std::collections::{BTreeMap, BTreeSet};

use model::{CollectionId, Seq, limits};
use store::{Epoch, RootRow, Span};

use crate::token::{Subject, SyncState};
use crate::{EngineError, Folder, Mailbox, StateFault};

/// Where each folder lay at some position.
type Parents = BTreeMap<CollectionId, Option<CollectionId>>;

/// One net change of the hierarchy.
#[derive(Clone, Debug, PartialEq)]
pub enum FolderChange {
    /// The state did not know the folder.
    Create(Folder),
    /// Its properties or its place changed.
    Update(Folder),
    /// It went.
    Delete(CollectionId),
}

impl FolderChange {
    /// The folder that it is about.
    pub const fn folder(&self) -> CollectionId {
        match self {
            Self::Create(folder) | Self::Update(folder) => folder.id(),
            Self::Delete(folder) => *folder,
        }
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderSyncPage {
    /// The state to ask from next.
    pub state: Vec<u8>,
    /// The changes, parents before children.
    pub changes: Vec<FolderChange>,
}

impl Mailbox {
    /// What changed in the hierarchy since a state: below `under`, or in the whole mailbox. The folder `under` itself,
    /// or the root, is not reported. `None` and the root by name are different states. Costs the number of folders.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when `under` is not there; [`EngineError::InvalidState`]; when the store fails.
    pub async fn sync_folders(
        &self,
        under: Option<CollectionId>,
        state: Option<&[u8]>,
    ) -> Result<FolderSyncPage, EngineError> {
        let mut view = self.begin().await?;
        let base = match under {
            Some(under) => view.collection(under).await?.collection,
            None => view.distinguished("root").await?,
        };
        let root = view.snapshot.root().clone();
        let mark = match state {
            Some(bytes) if !bytes.is_empty() => {
                let state = self.engine().sealer().open(bytes).map_err(EngineError::InvalidState)?;
                let epochs = view.epochs_for(state.epoch).await?;
                check(&state, &root, epochs.as_deref(), under).map_err(EngineError::InvalidState)?;
                Some(state.issued)
            }
            Some(_) | None => None,
        };
        let changes = if mark == Some(root.last_seq) {
            Vec::new()
        } else {
            let known = match mark {
                Some(mark) => below(&parents_at(&view.snapshot.spans(mark).await?, mark), base),
                None => Vec::new(),
            };
            compare(view.folders().await?, base, &known, mark)
        };
        let state = SyncState {
            mailbox: root.guid,
            epoch: root.epoch,
            issued: root.last_seq,
            subject: Subject::Folders { under },
        };
        Ok(FolderSyncPage { state: self.engine().sealer().seal(&state), changes })
    }
}

/// Whether a state is one for this hierarchy that can be served.
pub(crate) fn check(
    state: &SyncState,
    root: &RootRow,
    epochs: Option<&[Epoch]>,
    under: Option<CollectionId>,
) -> Result<(), StateFault> {
    if state.mailbox != root.guid || state.subject != (Subject::Folders { under }) {
        return Err(StateFault::Mismatch);
    }
    state.check_timeline(epochs, root.last_seq)?;
    if state.issued < root.purged_seq { Err(StateFault::Expired) } else { Ok(()) }
}

/// The changes from the known folders to those that are there now: creations and updates, parents before children, then
/// deletions, children before parents, so that what moved out of a deleted folder is told before the folder goes.
fn compare(folders: Vec<Folder>, base: CollectionId, known: &[CollectionId], mark: Option<Seq>) -> Vec<FolderChange> {
    let now = below(&folders.iter().map(|folder| (folder.id(), folder.parent())).collect(), base);
    let known_set: BTreeSet<CollectionId> = known.iter().copied().collect();
    let now_set: BTreeSet<CollectionId> = now.iter().copied().collect();
    let mut rows: BTreeMap<CollectionId, Folder> = folders.into_iter().map(|folder| (folder.id(), folder)).collect();
    let mut changes: Vec<FolderChange> = now
        .iter()
        .filter_map(|id| {
            let folder = rows.remove(id)?;
            if !known_set.contains(id) {
                return Some(FolderChange::Create(folder));
            }
            // Only the folder itself moves its position, never what happens inside it.
            mark.is_some_and(|mark| folder.row.seq > mark).then_some(FolderChange::Update(folder))
        })
        .collect();
    let gone = known.iter().rev().filter(|id| !now_set.contains(id));
    changes.extend(gone.map(|id| FolderChange::Delete(*id)));
    changes
}

/// Where each folder lay when `mark` was the last position.
fn parents_at(spans: &[Span], mark: Seq) -> Parents {
    spans
        .iter()
        .filter(|span| span.from_seq <= mark && span.to_seq.is_none_or(|to| to > mark))
        .map(|span| (span.collection, span.parent))
        .collect()
}

/// The folders somewhere below `base`, parents before children; not `base` itself.
fn below(parents: &Parents, base: CollectionId) -> Vec<CollectionId> {
    let mut children: BTreeMap<CollectionId, Vec<CollectionId>> = BTreeMap::new();
    for (id, parent) in parents {
        if let Some(parent) = parent {
            children.entry(*parent).or_default().push(*id);
        }
    }
    let mut found = Vec::new();
    let mut next = children.remove(&base).unwrap_or_default();
    // Children leave the map when their parent is reached, so that this ends whatever is stored.
    while !next.is_empty() && found.len() <= limits::COLLECTIONS_MAX {
        let level = std::mem::take(&mut next);
        next.extend(level.iter().filter_map(|id| children.remove(id)).flatten());
        found.extend(level);
    }
    found
}
