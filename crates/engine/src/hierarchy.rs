//! Synchronising the folders of a mailbox by token.
//!
//! Folders keep their spans, so what lay below the synced folder when the state was issued can be computed, and compared
//! with what lies there now: a folder that was moved in comes with everything below it as creations, one that was moved
//! out as deletions, and one that only changed its place as one update.

use std::collections::{BTreeMap, BTreeSet};

use model::{CollectionId, RootId, Seq, limits};
use store::{Epoch, RootRow, Span};

use crate::token::{Subject, SyncState};
use crate::{Access, EngineError, Folder, Mailbox, StateFault, View};

/// Where each folder lay at some position.
pub(crate) type Parents = BTreeMap<CollectionId, Option<CollectionId>>;

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
    /// or the root, is not reported. `None` and the root by name are different states. A visitor is told of the folders
    /// that are seen: one that comes into sight is a creation, one that goes out of it a deletion. Costs the number of
    /// folders.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when `under` is not there; [`EngineError::AccessDenied`] for a visitor without any
    /// right; [`EngineError::InvalidState`]; when the store fails.
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
        let access = view.access().await?;
        let root = view.snapshot.root().clone();
        let state = match state {
            Some(bytes) if !bytes.is_empty() => {
                let state = self.engine().sealer().open(bytes).map_err(EngineError::InvalidState)?;
                let epochs = view.epochs_for(state.epoch).await?;
                check(&state, &root, epochs.as_deref(), under, access.visitor()).map_err(EngineError::InvalidState)?;
                Some(state)
            }
            Some(_) | None => None,
        };
        let mark = state.as_ref().map(|state| state.issued);
        let known = match state {
            None => Vec::new(),
            Some(SyncState { subject: Subject::Shared { known, .. }, .. }) => known,
            Some(_) if mark == Some(root.last_seq) => Vec::new(),
            Some(SyncState { issued, .. }) => below(&parents_at(&view.snapshot.spans(issued).await?, issued), base),
        };
        let unchanged = mark == Some(root.last_seq);
        let (changes, seen) = match access.visitor() {
            None if unchanged => (Vec::new(), Vec::new()),
            Some(_) if unchanged => (Vec::new(), known),
            None | Some(_) => compare(view.every_folder().await?, base, &access, &known, mark),
        };
        let subject = match access.visitor() {
            None => Subject::Folders { under },
            Some(viewer) => Subject::Shared { under, viewer, known: seen },
        };
        let state = SyncState { mailbox: root.guid, epoch: root.epoch, issued: root.last_seq, subject };
        Ok(FolderSyncPage { state: self.engine().sealer().seal(&state), changes })
    }
}

impl View {
    /// The folders somewhere below `top` that are seen, parents before children; `top` itself is not among them. Costs
    /// the number of folders.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn below(&mut self, top: CollectionId) -> Result<Vec<CollectionId>, EngineError> {
        let access = self.access().await?;
        let folders = self.every_folder().await?;
        let mut found = below(&folders.iter().map(|folder| (folder.id(), folder.parent())).collect(), top);
        found.retain(|id| access.sees(*id));
        Ok(found)
    }
}

/// Whether a state is one for this hierarchy, as `viewer` sees it, that can be served.
pub(crate) fn check(
    state: &SyncState,
    root: &RootRow,
    epochs: Option<&[Epoch]>,
    under: Option<CollectionId>,
    viewer: Option<RootId>,
) -> Result<(), StateFault> {
    let of = match &state.subject {
        Subject::Items { .. } => return Err(StateFault::Mismatch),
        Subject::Folders { under } => (*under, None),
        Subject::Shared { under, viewer, .. } => (*under, Some(*viewer)),
    };
    if (state.mailbox, of) != (root.guid, (under, viewer)) {
        return Err(StateFault::Mismatch);
    }
    state.check_timeline(epochs, root.last_seq)?;
    if state.issued < root.purged_seq { Err(StateFault::Expired) } else { Ok(()) }
}

/// The changes from the known folders to those that are seen now: creations and updates, parents before children, then
/// deletions, children before parents, so that what moved out of a deleted folder is told before the folder goes. Beside
/// them the folders seen now.
fn compare(
    folders: Vec<Folder>,
    base: CollectionId,
    access: &Access,
    known: &[CollectionId],
    mark: Option<Seq>,
) -> (Vec<FolderChange>, Vec<CollectionId>) {
    let mut now = below(&folders.iter().map(|folder| (folder.id(), folder.parent())).collect(), base);
    now.retain(|id| access.sees(*id));
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
    (changes, now)
}

/// Where each folder lay when `mark` was the last position.
pub(crate) fn parents_at(spans: &[Span], mark: Seq) -> Parents {
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
