//! Rows of a list: as they are made, changed, moved and deleted.

use bytes::Bytes;
use model::{Bag, CollectionId, ItemFlags, ItemId, Seq, Value, limits};
use store::{
    Commit, Guard, ItemChange, ItemRow, NameTarget, NewItem, NewItemId, PartChange, PartData, StoreError,
    TombstoneKind, Write,
};

use crate::list_keys::{
    self, ROW_AUTHOR, ROW_CLIENT_ID, ROW_CREATED, ROW_EDITOR, ROW_MODERATION, ROW_MODIFIED, ROW_PATH, ROW_UNIQUE_ID,
    ROW_VERSION,
};
use crate::recycle_bin::RECYCLED_BYTES_MAX;
use crate::row_attachment::ROW_ATTACHMENTS;
use crate::site_rights::{OWN_ROLES, SiteMask};
use crate::{EngineError, Site, View};

/// A change of a row's draft and of its parts.
type RowChange<'a> = dyn Fn(&mut RowDraft, &mut Vec<PartChange>) -> Result<(), EngineError> + Sync + 'a;

/// On whose behalf a row is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// The caller: the version grows, and the row says when and by whom.
    Caller,
    /// The system: none of that.
    System,
}

/// The state of approval of a row that waits.
const MODERATION_PENDING: i32 = 2;

/// Paths inside a list are in this scope plus the list's id.
pub(crate) const SCOPE_PATHS: u64 = 1 << 40;

/// Rows that [`Site::create_rows`] adds at once; each may take its keys along.
pub const NEW_ROWS_MAX: usize = limits::COMMIT_WRITES_MAX / 2;

/// A row while it is being made or changed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowDraft {
    /// Its fields; those of [`list_keys`] that the domain keeps are set by the domain.
    pub bag: Bag,
    /// Its flags.
    pub flags: ItemFlags,
    /// Its path inside the list, for files and folders.
    pub path: Option<String>,
    /// The bytes of a file; `None` leaves them.
    pub file: Option<Bytes>,
}

impl View {
    /// The file or folder at this path inside a list, in any case.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn row_at(&mut self, list: CollectionId, path: &str) -> Result<Option<ItemRow>, EngineError> {
        match self.name(SCOPE_PATHS + list.0, path.to_lowercase().as_bytes()).await? {
            Some(id) => Ok(self.items(&[ItemId(id)]).await?.pop().flatten()),
            None => Ok(None),
        }
    }

    /// Rows of a list in ascending order of number, after `after`; at most `limit`. Those that may not be seen are left
    /// out; there are none only where none follow.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn rows(
        &mut self,
        list: CollectionId,
        after: Option<ItemId>,
        limit: usize,
    ) -> Result<store::Page<ItemRow>, EngineError> {
        let limit = limit.min(limits::PAGE_ROWS_MAX);
        let access = self.list_access(list).await?;
        let mut after = after;
        loop {
            let mut page = self.snapshot.list(list, after, limit, store::Want::BAG).await?;
            if !access.hides_rows() {
                return Ok(page);
            }
            after = page.rows.last().map(|row| row.item);
            page.rows.retain(|row| access.shows(row));
            if !page.rows.is_empty() || !page.more {
                return Ok(page);
            }
        }
    }
}

impl Site {
    /// Adds a row to a list and returns it.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; [`EngineError::NameTaken`] when its path is; [`EngineError::NoItem`] when the folder
    /// of its path went meanwhile; when the store fails.
    pub async fn create_row(&self, list: CollectionId, draft: RowDraft) -> Result<ItemRow, EngineError> {
        let bag = self.new_bag(draft.bag, draft.path.as_deref())?;
        self.check_new_row(list, &bag).await?;
        let mut commit = Commit::new(self.root(), self.engine().now());
        commit.guards.push(Guard::CollectionExists(list));
        commit.writes.push(Write::CreateItem(NewItem {
            collection: list.into(),
            id: NewItemId::Numbered,
            flags: draft.flags,
            bag: bag.clone(),
            parts: file_part(draft.file)?.into_iter().collect(),
        }));
        if let Some(path) = draft.path {
            let name = Bytes::from(path.to_lowercase());
            commit.guards.push(Guard::NameFree(SCOPE_PATHS + list.0, name.clone()));
            commit.writes.push(Write::PutName { scope: SCOPE_PATHS + list.0, name, target: NameTarget::Write(0) });
            commit.guards.extend(folder_stays(&mut self.begin_all().await?, list, &path).await?);
        }
        let guards = commit.guards.clone();
        let receipt = match self.commit_rows(commit).await {
            Err(StoreError::Conflict { guard: 0 }) => return Err(EngineError::NoCollection(list)),
            Err(StoreError::Conflict { guard }) => {
                return Err(taken_or_gone(guards.get(guard)).unwrap_or(EngineError::NameTaken));
            }
            other => other?,
        };
        let done = receipt.write(0);
        Ok(ItemRow {
            item: done.item.unwrap_or_default(),
            collection: list,
            seq: done.seq,
            created_seq: done.seq,
            content_seq: done.seq,
            flags: draft.flags,
            bag,
        })
    }

    /// What a new row holds.
    fn new_bag(&self, mut bag: Bag, path: Option<&str>) -> Result<Bytes, EngineError> {
        let now = self.engine().now().whole_second();
        bag.set(ROW_VERSION, Value::I32(1));
        bag.set(ROW_UNIQUE_ID, Value::Guid(self.engine().random().guid()));
        bag.set(ROW_CREATED, Value::Time(now));
        bag.set(ROW_MODIFIED, Value::Time(now));
        bag.set(ROW_AUTHOR, Value::I32(self.user_id() as i32));
        bag.set(ROW_EDITOR, Value::I32(self.user_id() as i32));
        bag.put(ROW_PATH, path.map(Value::text));
        bag.remove(&ROW_ATTACHMENTS);
        bag.remove(&OWN_ROLES);
        checked_bag(&bag)
    }

    /// Adds rows without paths and files to a list in one commit, all of them or none, and returns them in the order given.
    /// At most [`NEW_ROWS_MAX`].
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; [`EngineError::Invalid`] for a path or a file; [`EngineError::TooLarge`] past the
    /// bounds, by one row too; when the store fails.
    pub async fn create_rows(&self, list: CollectionId, drafts: Vec<RowDraft>) -> Result<Vec<ItemRow>, EngineError> {
        if drafts.len() > NEW_ROWS_MAX {
            return Err(EngineError::TooLarge("rows"));
        }
        let mut commit = Commit::new(self.root(), self.engine().now());
        commit.guards.push(Guard::CollectionExists(list));
        let mut rows = Vec::with_capacity(drafts.len());
        for draft in drafts {
            if draft.path.is_some() || draft.file.is_some() {
                return Err(EngineError::Invalid("a path or file of one of several rows"));
            }
            let (bag, flags) = (self.new_bag(draft.bag, None)?, draft.flags);
            self.check_new_row(list, &bag).await?;
            let (id, parts) = (NewItemId::Numbered, Vec::new());
            let new = NewItem { collection: list.into(), id, flags, bag: bag.clone(), parts };
            commit.writes.push(Write::CreateItem(new));
            let seq = Seq::ZERO;
            let item = ItemId::default();
            rows.push(ItemRow { item, collection: list, seq, created_seq: seq, content_seq: seq, flags, bag });
        }
        let receipt = match self.commit_rows(commit).await {
            Err(StoreError::Conflict { .. }) => return Err(EngineError::NoCollection(list)),
            other => other?,
        };
        for (at, row) in rows.iter_mut().enumerate() {
            let done = receipt.write(at);
            row.item = done.item.unwrap_or_default();
            (row.seq, row.created_seq, row.content_seq) = (done.seq, done.seq, done.seq);
        }
        Ok(rows)
    }

    /// Changes a row. Its version grows by one. `expected` is the version the caller means. `change` may run several
    /// times. A changed path renames it, with everything below it when it is a folder, and leaves a Rename mark.
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::Stale`], [`EngineError::NameTaken`]; when the store fails.
    pub async fn update_row(
        &self,
        id: ItemId,
        expected: Option<i32>,
        change: &(dyn Fn(&mut RowDraft) + Sync),
    ) -> Result<ItemRow, EngineError> {
        self.update_row_by(By::Caller, id, expected, change).await
    }

    /// [`Self::update_row`] on behalf of the system: version, time and editor of the row stay as they are, and it leaves
    /// a SystemUpdate mark, so that those who synchronise learn of it all the same.
    ///
    /// # Errors
    /// As [`Self::update_row`].
    pub async fn system_update_row(
        &self,
        id: ItemId,
        expected: Option<i32>,
        change: &(dyn Fn(&mut RowDraft) + Sync),
    ) -> Result<ItemRow, EngineError> {
        self.update_row_by(By::System, id, expected, change).await
    }

    /// Changes a row but for its attachments, which have calls of their own.
    async fn update_row_by(
        &self,
        by: By,
        id: ItemId,
        expected: Option<i32>,
        change: &(dyn Fn(&mut RowDraft) + Sync),
    ) -> Result<ItemRow, EngineError> {
        let whole = |draft: &mut RowDraft, _: &mut Vec<PartChange>| {
            let attachments = draft.bag.get(&ROW_ATTACHMENTS).cloned();
            change(draft);
            draft.bag.put(ROW_ATTACHMENTS, attachments);
            Ok(())
        };
        self.rewrite_row(id, expected, by, &whole).await
    }

    /// [`Self::update_row`] with changes of parts; where `change` fails nothing is written.
    pub(crate) async fn rewrite_row(
        &self,
        id: ItemId,
        expected: Option<i32>,
        by: By,
        change: &RowChange<'_>,
    ) -> Result<ItemRow, EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let row = view.item(id).await?;
            self.check_row(&mut view, (row.collection, id), &row.bag, SiteMask::EDIT_ITEMS).await?;
            let bag = Bag::decode(&row.bag)?;
            let version = check_version(&row, &bag, expected)?;
            let path = bag.text(&ROW_PATH).map(str::to_owned);
            let mut draft = RowDraft { bag: bag.clone(), flags: row.flags, path: path.clone(), file: None };
            let mut parts = Vec::new();
            change(&mut draft, &mut parts)?;
            for key in [ROW_UNIQUE_ID, ROW_CREATED, ROW_AUTHOR, ROW_VERSION, ROW_MODIFIED, ROW_EDITOR, OWN_ROLES] {
                let kept = bag.get(&key).cloned();
                draft.bag.put(key, kept);
            }
            if by == By::Caller {
                draft.bag.set(ROW_VERSION, Value::I32(version.wrapping_add(1)));
                draft.bag.set(ROW_MODIFIED, Value::Time(self.engine().now().whole_second()));
                draft.bag.set(ROW_EDITOR, Value::I32(self.user_id() as i32));
            }
            draft.bag.put(ROW_PATH, draft.path.clone().map(Value::Text));
            let encoded = checked_bag(&draft.bag)?;
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards.push(Guard::ItemAt(id, row.seq));
            if draft.path != path {
                if let Some(path) = &draft.path {
                    commit.guards.extend(folder_stays(&mut view, row.collection, path).await?);
                }
                let below = if row.flags.has(ItemFlags::FOLDER) {
                    commit.guards.push(list_stays(&mut view, row.collection).await?);
                    rows_below(&mut view, row.collection, path.as_deref().unwrap_or_default()).await?
                } else {
                    Vec::new()
                };
                commit.writes.push(Write::MarkItem { item: id, kind: TombstoneKind::Renamed, note: note(&bag) });
                push_rename(&mut commit, &row, (path.as_deref(), draft.path.as_deref()), &below)?;
            }
            parts.extend(file_part(draft.file)?.map(PartChange::Put));
            if by == By::System {
                commit.writes.push(Write::MarkItem { item: id, kind: TombstoneKind::SystemUpdated, note: note(&bag) });
            }
            let at = commit.writes.len();
            commit.writes.push(Write::UpdateItem(ItemChange {
                item: id,
                flags: Some(draft.flags),
                bag: Some(encoded.clone()),
                parts,
                content: true,
            }));
            drop(view);
            let guards = commit.guards.clone();
            match self.commit_rows(commit).await {
                Ok(receipt) => {
                    let seq = receipt.write(at).seq;
                    return Ok(ItemRow { seq, content_seq: seq, flags: draft.flags, bag: encoded, ..row });
                }
                Err(StoreError::Conflict { guard }) => {
                    if let Some(error) = taken_or_gone(guards.get(guard)) {
                        return Err(error);
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Moves a file to another list of the site, where it is a new row; its unique id and history stay.
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::NoCollection`], [`EngineError::NameTaken`]; [`EngineError::Invalid`] for
    /// a folder; when the store fails.
    pub async fn move_row(&self, id: ItemId, to: CollectionId, path: &str) -> Result<ItemRow, EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let row = view.item(id).await?;
            self.check_row(&mut view, (row.collection, id), &row.bag, SiteMask::DELETE_ITEMS).await?;
            let moderated = view.list(to).await?.is_moderated();
            let place = Bag::from_iter([(ROW_PATH, Value::text(path))]).to_bytes();
            self.check_row(&mut view, (to, ItemId(0)), &place, SiteMask::ADD_ITEMS).await?;
            let folder = folder_stays(&mut view, to, path).await?;
            drop(view);
            if row.flags.has(ItemFlags::FOLDER) {
                return Err(EngineError::Invalid("a folder cannot move to another list"));
            }
            let mut bag = Bag::decode(&row.bag)?;
            let tombstone = note(&bag);
            let name = Bytes::from(path.to_lowercase());
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards = vec![
                Guard::ItemAt(id, row.seq),
                Guard::CollectionExists(to),
                Guard::NameFree(SCOPE_PATHS + to.0, name.clone()),
            ];
            commit.guards.extend(folder);
            let guards = commit.guards.clone();
            if let Some(old) = bag.text(&ROW_PATH) {
                let name = old.to_lowercase().into_bytes().into();
                commit.writes.push(Write::DropName { scope: SCOPE_PATHS + row.collection.0, name });
            }
            bag.set(ROW_PATH, Value::text(path));
            // There it inherits.
            bag.remove(&OWN_ROLES);
            bag.put(ROW_MODERATION, moderated.then_some(Value::I32(MODERATION_PENDING)));
            bag.set(ROW_EDITOR, Value::I32(self.user_id() as i32));
            let at = commit.writes.len();
            let encoded = checked_bag(&bag)?;
            commit.writes.push(Write::MoveItem {
                item: id,
                to: to.into(),
                id: NewItemId::Numbered,
                bag: Some(encoded.clone()),
                note: tombstone,
            });
            commit.writes.push(Write::PutName { scope: SCOPE_PATHS + to.0, name, target: NameTarget::Write(at) });
            match self.commit_rows(commit).await {
                Ok(receipt) => {
                    let done = receipt.write(at);
                    let (item, seq) = (done.item.unwrap_or_default(), done.seq);
                    let row = ItemRow { item, collection: to, seq, created_seq: seq, content_seq: seq, ..row };
                    return Ok(ItemRow { bag: encoded, ..row });
                }
                Err(StoreError::Conflict { guard }) => {
                    if let Some(error) = taken_or_gone(guards.get(guard)) {
                        return Err(error);
                    }
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }
}

/// That the folder of a path is there still, where there is one.
async fn folder_stays(view: &mut View, list: CollectionId, path: &str) -> Result<Option<Guard>, EngineError> {
    let Some((folder, _)) = path.rsplit_once('/') else { return Ok(None) };
    let (scope, name) = (SCOPE_PATHS + list.0, folder.to_lowercase());
    let id = view.name(scope, name.as_bytes()).await?;
    Ok(id.map(|id| Guard::NameIs(scope, name.into(), id)))
}

/// That nothing comes into a list, or goes, while what lies below one of its folders is gathered.
pub(crate) async fn list_stays(view: &mut View, list: CollectionId) -> Result<Guard, EngineError> {
    Ok(Guard::CollectionItemsAt(list, view.collection(list).await?.items_seq))
}

/// What a guard of a path that failed means; `None` where the write may be tried again.
fn taken_or_gone(guard: Option<&Guard>) -> Option<EngineError> {
    match guard? {
        Guard::NameFree(..) => Some(EngineError::NameTaken),
        Guard::NameIs(_, _, folder) => Some(EngineError::NoItem(ItemId(*folder))),
        Guard::ItemAt(..)
        | Guard::ItemContentAt(..)
        | Guard::ItemIn(..)
        | Guard::CollectionAt(..)
        | Guard::CollectionItemsAt(..)
        | Guard::CollectionExists(_)
        | Guard::CollectionEmpty(_) => None,
    }
}

/// What a tombstone or mark of a row says: an encoded bag with its UniqueId.
pub(crate) fn note(bag: &Bag) -> Bytes {
    let mut kept = Bag::new();
    kept.put(ROW_UNIQUE_ID, bag.get(&ROW_UNIQUE_ID).cloned());
    kept.put(ROW_CLIENT_ID, bag.get(&ROW_CLIENT_ID).cloned());
    kept.to_bytes()
}

pub(crate) fn check_version(row: &ItemRow, bag: &Bag, expected: Option<i32>) -> Result<i32, EngineError> {
    let version = bag.get(&ROW_VERSION).and_then(Value::as_i64).unwrap_or_default() as i32;
    match expected {
        Some(expected) if expected != version => {
            Err(EngineError::Stale { item: row.item, current: Seq(u64::from(version.unsigned_abs())) })
        }
        Some(_) | None => Ok(version),
    }
}

pub(crate) fn checked_bag(bag: &Bag) -> Result<Bytes, EngineError> {
    let bytes = bag.to_bytes();
    if bytes.len() > limits::BAG_BYTES_MAX - RECYCLED_BYTES_MAX { Err(EngineError::TooLarge("row")) } else { Ok(bytes) }
}

fn file_part(file: Option<Bytes>) -> Result<Option<PartData>, EngineError> {
    match file {
        Some(bytes) if bytes.len() > limits::PART_BYTES_MAX => Err(EngineError::TooLarge("file")),
        Some(bytes) => Ok(Some(PartData { part: list_keys::PART_FILE, bytes: bytes.into() })),
        None => Ok(None),
    }
}

/// Rows whose path lies below a folder. Reads the list once.
async fn rows_below(view: &mut View, list: CollectionId, folder: &str) -> Result<Vec<(ItemRow, Bag)>, EngineError> {
    let prefix = format!("{}/", folder.to_lowercase());
    let is_below =
        |_: &ItemRow, bag: &Bag| bag.text(&ROW_PATH).is_some_and(|path| path.to_lowercase().starts_with(&prefix));
    rows_where(view, list, &is_below).await
}

/// Rows that a condition takes. Reads the list once.
pub(crate) async fn rows_where(
    view: &mut View,
    list: CollectionId,
    takes: &(dyn Fn(&ItemRow, &Bag) -> bool + Sync),
) -> Result<Vec<(ItemRow, Bag)>, EngineError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = view.rows(list, after, limits::PAGE_ROWS_MAX).await?;
        after = page.rows.last().map(|row| row.item);
        for row in page.rows {
            let bag = Bag::decode(&row.bag)?;
            if takes(&row, &bag) {
                found.push((row, bag));
            }
        }
        if !page.more {
            return Ok(found);
        }
    }
}

/// Renames a row, and with it the rows below it.
fn push_rename(
    commit: &mut Commit,
    row: &ItemRow,
    (old, new): (Option<&str>, Option<&str>),
    below: &[(ItemRow, Bag)],
) -> Result<(), EngineError> {
    let scope = SCOPE_PATHS + row.collection.0;
    if below.len() > limits::COMMIT_WRITES_MAX / 4 {
        return Err(EngineError::TooLarge("folder"));
    }
    if let (true, Some(old), Some(new)) = (row.flags.has(ItemFlags::FOLDER), old, new)
        && new.to_lowercase().starts_with(&format!("{}/", old.to_lowercase()))
    {
        return Err(EngineError::Circle);
    }
    let mut swap = |item: ItemId, old: Option<&str>, new: Option<&str>| {
        let same = old.map(str::to_lowercase) == new.map(str::to_lowercase);
        if let Some(old) = old
            && !same
        {
            commit.writes.push(Write::DropName { scope, name: old.to_lowercase().into() });
        }
        if let Some(new) = new
            && !same
        {
            let name = Bytes::from(new.to_lowercase());
            commit.guards.push(Guard::NameFree(scope, name.clone()));
            commit.writes.push(Write::PutName { scope, name, target: NameTarget::Id(item.0) });
        }
    };
    swap(row.item, old, new);
    let mut moved = Vec::new();
    for (child, bag) in below {
        let (Some(path), Some(old), Some(new)) = (bag.text(&ROW_PATH), old, new) else { continue };
        let path_now = format!("{new}{}", path.get(old.len()..).unwrap_or_default());
        swap(child.item, Some(path), Some(&path_now));
        moved.push((child, bag, path_now));
    }
    for (child, bag, path) in moved {
        let mut bag = bag.clone();
        bag.set(ROW_PATH, Value::text(path));
        commit.guards.push(Guard::ItemAt(child.item, child.seq));
        commit.writes.push(Write::UpdateItem(ItemChange {
            item: child.item,
            flags: None,
            bag: Some(bag.to_bytes()),
            parts: Vec::new(),
            content: true,
        }));
    }
    Ok(())
}
