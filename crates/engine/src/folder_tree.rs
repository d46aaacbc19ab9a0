//! Folders with all they hold: emptying them, and copying them.
//!
//! Both are many commits, each of bounded size. A cut in between leaves whole items, each in one place or the other.
//! Whoever writes meanwhile is not kept waiting: what comes into a folder after the call has begun is left alone.

use std::collections::HashMap;

use bytes::Bytes;
use model::{CollectionId, ItemFlags, Seq, Time, limits};
use store::{CollectionRef, CollectionRow, Commit, Guard, ItemRow, NameTarget, NewItemId, StoreError, Want, Write};

use crate::folders::{DISTINGUISHED_NAME, SCOPE_CHILDREN, name_key};
use crate::item::noting_its_folder;
use crate::mailbox::{DROP_ITEMS_MAX, is_under, subtrees_deepest_first};
use crate::origin::Origin;
use crate::{DeleteMode, EngineError, Folder, FolderRights, Mailbox, PERMISSIONS, Permissions, View, window};

/// Items that one commit deletes, moves or copies.
const SWEEP_ITEMS_MAX: usize = 500;
/// Bytes that one commit copies, unless one item alone has more.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// What befalls the items of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// All go for good.
    Delete,
    /// All but the associated ones go for good.
    DeleteVisible,
    /// All but the associated ones move.
    MoveVisible(CollectionId),
    /// The same, and they note where they were.
    Recoverable(CollectionId),
    /// All are copied.
    Copy(CollectionId),
}

impl Fate {
    const fn target(self) -> Option<CollectionId> {
        match self {
            Self::Delete | Self::DeleteVisible => None,
            Self::MoveVisible(to) | Self::Recoverable(to) | Self::Copy(to) => Some(to),
        }
    }

    fn concerns(self, row: &ItemRow) -> bool {
        match self {
            Self::Delete | Self::Copy(_) => true,
            Self::DeleteVisible | Self::MoveVisible(_) | Self::Recoverable(_) => !row.flags.has(ItemFlags::ASSOCIATED),
        }
    }

    fn write(self, row: &ItemRow, now: Time) -> Write {
        let (item, id) = (row.item, NewItemId::Seq);
        match self {
            Self::Delete | Self::DeleteVisible => Write::DeleteItem { item, note: Bytes::new() },
            Self::MoveVisible(to) => {
                let bag = Origin::moved(row, now).noted(row);
                Write::MoveItem { item, to: to.into(), id, bag, note: Bytes::new() }
            }
            Self::Recoverable(to) => {
                let bag = noting_its_folder(row, Origin::moved(row, now));
                Write::MoveItem { item, to: to.into(), id, bag, note: window::note(row) }
            }
            Self::Copy(to) => {
                let bag = Origin::copied(row, now).noted(row);
                Write::CopyItem { item, to: to.into(), id, bag, flags: None }
            }
        }
    }
}

impl Mailbox {
    /// Empties a folder: its items go as `mode` says, and with `subfolders` the folders in it, too. Associated items
    /// stay, and so do distinguished folders with all they hold. When it fails, a part may be gone already.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; [`EngineError::Invalid`] for a search folder or the root; when the store fails.
    pub async fn empty_folder(&self, id: CollectionId, mode: DeleteMode, subfolders: bool) -> Result<(), EngineError> {
        let mut view = self.begin().await?;
        let folder = view.folder(id).await?;
        self.require_tree(&mut view, id, FolderRights::DELETE_ANY, subfolders.then_some(FolderRights::OWNER)).await?;
        if folder.is_search() || folder.parent().is_none() {
            return Err(EngineError::Invalid("this folder cannot be emptied"));
        }
        let target = match mode.target() {
            Some(name) => Some(view.well_known(name).await?),
            None => None,
        };
        let until = view.position();
        drop(view);
        // From where it would go to, it goes for good.
        let fate = match target.filter(|to| *to != id) {
            None => Fate::DeleteVisible,
            Some(to) if mode == DeleteMode::Soft => Fate::Recoverable(to),
            Some(to) => Fate::MoveVisible(to),
        };
        self.sweep(id, until, fate).await?;
        if subfolders { self.remove_subfolders(id, until, mode).await } else { Ok(()) }
    }

    /// Copies a folder with its items and the folders in it under another parent. All get new ids; the copy of a
    /// distinguished folder is an ordinary one. A copy that fails halfway goes to Recoverable Items.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::NameTaken`]; [`EngineError::Circle`] for a copy into itself;
    /// [`EngineError::TooLarge`] where the mailbox would have too many folders; when the store fails.
    pub async fn copy_folder(&self, id: CollectionId, to: CollectionId) -> Result<Folder, EngineError> {
        let mut view = self.begin().await?;
        let source = view.folder(id).await?;
        view.require(to, FolderRights::CREATE_SUBFOLDER).await?;
        view.collection(to).await?;
        self.require_tree(&mut view, id, FolderRights::READ_ANY, Some(FolderRights::READ_ANY)).await?;
        let (folders, until) = (view.every_folder().await?, view.position());
        drop(view);
        if is_under(&folders, to, id) {
            return Err(EngineError::Circle);
        }
        let made = subtrees_deepest_first(&folders, vec![source.clone()]).len();
        if folders.len() + made > limits::COLLECTIONS_MAX {
            return Err(EngineError::TooLarge("folders"));
        }
        let copies = self.make_copies(&[(&source, to)]).await?;
        let copy = copies.first().map(|(_, copy)| *copy).unwrap_or_default();
        if let Err(error) = self.fill_copy(&folders, copies, until).await {
            // Softly, as somebody may have put something into it.
            if let Err(left) = self.delete_folder_from(None, copy, DeleteMode::Soft).await {
                tracing::warn!(%left, "an unfinished copy of a folder was left");
            }
            return Err(error);
        }
        self.begin().await?.folder(copy).await
    }

    /// Checks a right to a folder, and another to all folders in it.
    async fn require_tree(
        &self,
        view: &mut View,
        id: CollectionId,
        top: FolderRights,
        inside: Option<FolderRights>,
    ) -> Result<(), EngineError> {
        if !self.is_visited() {
            return Ok(());
        }
        view.require(id, top).await?;
        let (Some(inside), access) = (inside, view.access().await?) else { return Ok(()) };
        let folders = view.every_folder().await?;
        let below = folders.iter().filter(|folder| folder.id() != id && is_under(&folders, folder.id(), id));
        let denied = below.into_iter().find(|folder| !access.rights(folder.id()).has(inside));
        if denied.is_some() { Err(EngineError::AccessDenied) } else { Ok(()) }
    }

    /// Removes the folders in a folder that were there at `until`.
    async fn remove_subfolders(&self, id: CollectionId, until: Seq, mode: DeleteMode) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let folders = self.begin().await?.every_folder().await?;
            let inside = |folder: &&Folder| folder.parent() == Some(id) && folder.row.created_seq <= until;
            let mut tops: Vec<Folder> = folders.iter().filter(inside).cloned().collect();
            tops.retain(|folder| folder.distinguished().is_none());
            if mode != DeleteMode::Hard {
                for top in tops {
                    match self.delete_folder_from(Some(id), top.id(), mode).await {
                        Ok(()) | Err(EngineError::NoCollection(_)) => {}
                        Err(other) => return Err(other),
                    }
                }
                return Ok(());
            }
            let doomed = subtrees_deepest_first(&folders, tops);
            // Larger folders than one commit may drop are emptied first.
            for folder in doomed.iter().filter(|folder| folder.row.items + folder.row.associated > DROP_ITEMS_MAX) {
                self.sweep(folder.id(), until, Fate::Delete).await?;
            }
            match self.drop_folders(&doomed).await {
                Ok(()) => return Ok(()),
                // Somebody made, moved or removed a folder inside it.
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(other) => return Err(other),
            }
        }
        Err(EngineError::Contended)
    }

    /// Copies what lies in a folder whose empty copy stands: first the folders, level by level, then the items.
    async fn fill_copy(
        &self,
        folders: &[Folder],
        top: Vec<(CollectionId, CollectionId)>,
        until: Seq,
    ) -> Result<(), EngineError> {
        let mut children: HashMap<CollectionId, Vec<&Folder>> = HashMap::new();
        for folder in folders {
            children.entry(folder.parent().unwrap_or_default()).or_default().push(folder);
        }
        let (mut copies, mut level) = (Vec::new(), top);
        // Ends also where damaged folders lie in a circle.
        while !level.is_empty() && copies.len() <= folders.len() {
            let below: Vec<(&Folder, CollectionId)> = level
                .iter()
                .flat_map(|(source, copy)| {
                    children.get(source).into_iter().flatten().map(|folder| (*folder, *copy)).collect::<Vec<_>>()
                })
                .collect();
            copies.append(&mut level);
            for chunk in below.chunks(limits::COMMIT_WRITES_MAX / 2) {
                level.extend(self.make_copies(chunk).await?);
            }
        }
        for (source, copy) in copies {
            self.sweep(source, until, Fate::Copy(copy)).await?;
        }
        Ok(())
    }

    /// Makes an empty copy of each folder under the parent beside it, in one commit. Returns ids with those of the
    /// copies.
    async fn make_copies(
        &self,
        chunk: &[(&Folder, CollectionId)],
    ) -> Result<Vec<(CollectionId, CollectionId)>, EngineError> {
        let mut commit = Commit::new(self.root(), self.engine().now());
        for (folder, parent) in chunk {
            let (scope, name) = (SCOPE_CHILDREN + parent.0, Bytes::from(name_key(folder.display_name())));
            let mut bag = folder.bag.clone();
            bag.put(DISTINGUISHED_NAME, None);
            if self.is_visited() {
                let permissions = Permissions::of(&bag).unwrap_or_default().with_owner(self.caller());
                bag.set(PERMISSIONS, permissions.to_value());
            }
            commit.guards.push(Guard::CollectionExists(*parent));
            commit.guards.push(Guard::NameFree(scope, name.clone()));
            let target = NameTarget::Write(commit.writes.len());
            let parent = Some(CollectionRef::Id(*parent));
            commit.writes.push(Write::CreateCollection { parent, bag: bag.to_bytes() });
            commit.writes.push(Write::PutName { scope, name, target });
        }
        let guards = commit.guards.clone();
        match self.engine().store().commit(commit).await {
            Ok(receipt) => {
                let made = receipt.writes.iter().step_by(2).map(|write| write.collection.unwrap_or_default());
                Ok(chunk.iter().map(|(folder, _)| folder.id()).zip(made).collect())
            }
            Err(StoreError::Conflict { guard }) => match guards.get(guard) {
                Some(Guard::CollectionExists(parent)) => Err(EngineError::NoCollection(*parent)),
                Some(_) | None => Err(EngineError::NameTaken),
            },
            Err(other) => Err(other.into()),
        }
    }

    /// Moves the items of folders into Recoverable Items, `to`, and drops the folders, which are not kept; associated
    /// items go with them. Costs the items.
    ///
    /// # Errors
    /// A conflict where a folder changed or something came into it meanwhile: a part may be done then.
    pub(crate) async fn dissolve(&self, deepest_first: &[Folder], to: CollectionId) -> Result<(), EngineError> {
        let fate = Fate::Recoverable(to);
        for folder in deepest_first {
            let until = self.begin().await?.position();
            loop {
                let mut view = self.begin().await?;
                let page = view.snapshot.list(folder.id(), None, SWEEP_ITEMS_MAX, Want::BAG).await?;
                // Ids of a mailbox are positions; what comes later is a conflict below.
                let rows: Vec<ItemRow> = page.rows.into_iter().take_while(|row| row.item.0 <= until.0).collect();
                drop(view);
                if rows.is_empty() {
                    break;
                }
                let mut commit = Commit::new(self.root(), self.engine().now());
                commit.guards = vec![Guard::CollectionAt(folder.id(), folder.row.seq), Guard::CollectionExists(to)];
                for row in &rows {
                    commit.guards.push(Guard::ItemIn(row.item, folder.id()));
                    let fate = if fate.concerns(row) { fate } else { Fate::Delete };
                    commit.writes.push(fate.write(row, commit.at));
                }
                self.engine().store().commit(commit).await?;
            }
        }
        let mut view = self.begin().await?;
        let mut empty = Vec::with_capacity(deepest_first.len());
        for folder in deepest_first {
            empty.push(view.snapshot.collection(folder.id()).await?.ok_or(StoreError::Conflict { guard: 0 })?);
        }
        drop(view);
        let stayed = |(row, folder): (&CollectionRow, &Folder)| row.seq == folder.row.seq && row.items == 0;
        if !empty.iter().zip(deepest_first).all(stayed) {
            return Err(StoreError::Conflict { guard: 0 }.into());
        }
        let guards = empty.iter().map(|row| Guard::CollectionItemsAt(row.collection, row.items_seq)).collect();
        self.drop_folders_if(deepest_first, guards).await
    }

    /// Deals with the items that a folder had at `until`, a bounded number a commit. What others take away meanwhile is
    /// passed over.
    async fn sweep(&self, folder: CollectionId, until: Seq, fate: Fate) -> Result<(), EngineError> {
        let (mut after, mut conflicts) = (None, 0);
        while conflicts < limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin().await?;
            // What moves or is copied notes from where.
            let want = if fate.target().is_some() { Want::BAG } else { Want::HOT };
            let page = view.snapshot.list(folder, after, SWEEP_ITEMS_MAX, want).await?;
            let listed = page.rows.len();
            // Ids of a mailbox are positions.
            let mut rows: Vec<ItemRow> = page.rows.into_iter().take_while(|row| row.item.0 <= until.0).collect();
            let mut more = page.more && rows.len() == listed;
            if matches!(fate, Fate::Copy(_)) {
                let fitting = fitting(&mut view, &rows).await?;
                more |= fitting < rows.len();
                rows.truncate(fitting);
            }
            drop(view);
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards.extend(fate.target().map(Guard::CollectionExists));
            for row in rows.iter().filter(|row| fate.concerns(row)) {
                commit.guards.push(Guard::ItemIn(row.item, folder));
                commit.writes.push(fate.write(row, commit.at));
            }
            if !commit.writes.is_empty() {
                match (self.engine().store().commit(commit).await, fate.target()) {
                    (Ok(_), _) => conflicts = 0,
                    (Err(StoreError::Conflict { guard: 0 }), Some(to)) => return Err(EngineError::NoCollection(to)),
                    (Err(StoreError::Conflict { .. }), _) => {
                        conflicts += 1;
                        continue;
                    }
                    (Err(other), _) => return Err(other.into()),
                }
            }
            if !more {
                return Ok(());
            }
            after = rows.last().map(|row| row.item);
        }
        Err(EngineError::Contended)
    }
}

/// How many of the rows, from the first, one commit may copy: one at least.
async fn fitting(view: &mut View, rows: &[ItemRow]) -> Result<usize, EngineError> {
    let mut bytes = 0_u64;
    for (at, row) in rows.iter().enumerate() {
        let parts = view.snapshot.parts(row.item).await?;
        bytes = parts.iter().fold(bytes, |sum, part| sum.saturating_add(part.size_bytes));
        if bytes > COPY_BYTES_MAX && at > 0 {
            return Ok(at);
        }
    }
    Ok(rows.len())
}
