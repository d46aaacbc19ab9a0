//! The recycle bin of a site: what was deleted and can come back under its old id.
//!
//! The bin is a collection of the site that clients do not see. A deleted row lies in it as it was, parts and all, with a
//! few keys more; the rows that went with it lie right behind it. A deleted list stays where it is and only loses its
//! names; a row of the bin stands for it. What comes back leaves a Restore mark in its list; a list that comes back
//! remembers when, so that older tokens start anew.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use model::{Bag, CollectionId, Guid, ItemFlags, ItemId, PropertyKey, RootId, Seq, Time, Value, limits};
use store::{CollectionRef, Commit, Guard, ItemRow, NameTarget, NewItem, NewItemId, StoreError, TombstoneKind, Write};

use crate::list_keys::{
    LIST_AUTHOR, LIST_CREATED, LIST_TEMPLATE, LIST_TITLE, ROW_AUTHOR, ROW_CREATED, ROW_EDITOR, ROW_FOLDER,
    ROW_MODIFIED, ROW_PATH, ROW_UNIQUE_ID, ROW_VERSION, TEMPLATE_USERS,
};
use crate::row::{SCOPE_PATHS, note};
use crate::site::{SCOPE_GUIDS, SCOPE_TITLES};
use crate::site_rights::{OWN_ROLES, SCOPE_UNIQUE, SiteMask, UNIQUE_ITEMS, unique_name};
use crate::{Engine, EngineError, ListCollection, Rights, Site, View};

/// Writes that one row may need to come back: itself, its path, its keys, its permissions, its mark,
/// and its end in the bin.
pub(crate) const RESTORE_WRITES_MAX: usize = 6;
/// Bytes that the bin adds to the bag of a row.
pub(crate) const RECYCLED_BYTES_MAX: usize = 4_096;

/// Of a list in the recycle bin: the entry that stands for it, Guid.
pub(crate) const LIST_RECYCLED: PropertyKey = key("#Recycled");
/// Of a list that came back: the site's position before it did, I64.
const LIST_RESTORED: PropertyKey = key("#Restored");

/// Of an entry: its id, Guid. Rows that went with another one do not have it.
const BIN_ENTRY: PropertyKey = key("#BinEntry");
/// Of everything in the bin: the list it was in, or is, I64.
const BIN_LIST: PropertyKey = key("#BinList");
/// Of a row: the id it had, I64.
const BIN_ITEM: PropertyKey = key("#BinItem");
/// Of an entry: how many rows behind it belong to it, I32.
const BIN_ALONG: PropertyKey = key("#BinAlong");
/// Of an entry: the folder of its list, Text.
const BIN_FOLDER: PropertyKey = key("#BinFolder");
/// Of an entry: who deleted it, I32, a user id.
const BIN_BY: PropertyKey = key("#BinBy");
/// Of an entry: when it was deleted, Time.
const BIN_AT: PropertyKey = key("#BinAt");
const BIN_KEYS: [PropertyKey; 7] = [BIN_ENTRY, BIN_LIST, BIN_ITEM, BIN_ALONG, BIN_FOLDER, BIN_BY, BIN_AT];

/// The bin itself, under the empty name.
const SCOPE_BIN: u64 = 4;
/// Entries by id.
const SCOPE_ENTRIES: u64 = 5;

const fn key(name: &'static str) -> PropertyKey {
    PropertyKey::Field(Cow::Borrowed(name))
}

/// An entry of the recycle bin.
#[derive(Clone, Debug, PartialEq)]
pub struct Recycled {
    /// Its id.
    pub id: Guid,
    /// The row it holds; `None` for a list.
    pub item: Option<ItemId>,
    /// The list the row was in, or the list itself.
    pub list: CollectionId,
    /// The folder of that list, a path inside the site.
    pub list_folder: String,
    /// The flags of the row.
    pub flags: ItemFlags,
    /// The properties of the row; of a list its title, template, author and birth.
    pub bag: Bag,
    /// Rows that went along.
    pub along: u32,
    /// Who deleted it, a user id.
    pub deleted_by: u32,
    /// When it was deleted.
    pub deleted_at: Time,
}

impl Recycled {
    /// Reads an entry; `None` for a row that went with another one.
    fn read(row: &ItemRow) -> Result<Option<Self>, EngineError> {
        let mut bag = Bag::decode(&row.bag)?;
        let Some(id) = bag.get(&BIN_ENTRY).and_then(Value::as_guid) else { return Ok(None) };
        let number = |key: &PropertyKey| bag.get(key).and_then(Value::as_i64);
        let (item, list) = (number(&BIN_ITEM).map(ItemId::from_i64), number(&BIN_LIST).unwrap_or_default());
        let along = number(&BIN_ALONG).and_then(|count| u32::try_from(count).ok()).unwrap_or_default();
        let deleted_by = number(&BIN_BY).and_then(|user| u32::try_from(user).ok()).unwrap_or_default();
        let deleted_at = bag.get(&BIN_AT).and_then(Value::as_time).unwrap_or_default();
        let list_folder = bag.text(&BIN_FOLDER).unwrap_or_default().to_owned();
        strip(&mut bag);
        let (list, flags) = (CollectionId::from_i64(list), row.flags);
        Ok(Some(Self { id, item, list, list_folder, flags, bag, along, deleted_by, deleted_at }))
    }
}

/// Takes from the bag of a row what the bin has added.
fn strip(bag: &mut Bag) {
    BIN_KEYS.iter().for_each(|key| drop(bag.remove(key)));
}

/// The position of the site before the list came back from the bin, where it did. Nobody holds a token from between.
pub(crate) fn restored_at(list: &ListCollection) -> Option<Seq> {
    list.bag.get(&LIST_RESTORED).and_then(Value::as_i64).map(Seq::from_i64)
}

/// The collection that holds the bin, which is made by `commit` where there is none.
async fn bin(view: &mut View, commit: &mut Commit) -> Result<CollectionRef, EngineError> {
    if let Some(bin) = view.name(SCOPE_BIN, b"").await? {
        return Ok(CollectionId(bin).into());
    }
    let at = commit.writes.len();
    commit.guards.push(Guard::NameFree(SCOPE_BIN, Bytes::new()));
    commit.writes.push(Write::CreateCollection { parent: None, bag: Bag::new().to_bytes() });
    commit.writes.push(Write::PutName { scope: SCOPE_BIN, name: Bytes::new(), target: NameTarget::Write(at) });
    Ok(CollectionRef::Write(at))
}

/// Copies rows of a list into the bin, before they are deleted: the first is the entry.
pub(crate) async fn push_rows(
    site: &Site,
    view: &mut View,
    commit: &mut Commit,
    entry: Guid,
    list: &ListCollection,
    rows: &[(ItemRow, Bag)],
) -> Result<(), EngineError> {
    let to = bin(view, commit).await?;
    for (index, (row, bag)) in rows.iter().enumerate() {
        let mut bag = bag.clone();
        bag.set(BIN_LIST, Value::I64(list.id().to_i64()));
        bag.set(BIN_ITEM, Value::I64(row.item.to_i64()));
        if index == 0 {
            describe_entry(site, &mut bag, entry, list);
            bag.set(BIN_ALONG, Value::I32(i32::try_from(rows.len() - 1).unwrap_or(i32::MAX)));
        }
        let target = NameTarget::Write(commit.writes.len());
        commit.writes.push(Write::CopyItem {
            item: row.item,
            to,
            id: NewItemId::Numbered,
            bag: Some(bag.to_bytes()),
            flags: None,
        });
        if index == 0 {
            commit.writes.push(Write::PutName { scope: SCOPE_ENTRIES, name: entry_name(entry), target });
        }
    }
    Ok(())
}

fn entry_name(entry: Guid) -> Bytes {
    Bytes::copy_from_slice(&entry.0)
}

fn describe_entry(site: &Site, bag: &mut Bag, entry: Guid, list: &ListCollection) {
    bag.set(BIN_ENTRY, Value::Guid(entry));
    bag.set(BIN_LIST, Value::I64(list.id().to_i64()));
    bag.set(BIN_FOLDER, Value::text(list.folder()));
    bag.set(BIN_BY, Value::I32(site.user_id() as i32));
    bag.set(BIN_AT, Value::Time(site.engine().now().whole_second()));
}

impl Site {
    /// Whether what is deleted goes to a recycle bin.
    pub fn has_recycle_bin(&self) -> bool {
        self.engine().settings().recycle_bin_seconds > 0
    }

    /// What is in the recycle bin, the latest first, at most [`limits::RECYCLE_BIN_ENTRIES_MAX`]: everything for those
    /// who may do everything, for others what they have deleted themselves. Costs the rows of the bin.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn recycled(&self) -> Result<Vec<Recycled>, EngineError> {
        let mut view = self.begin_all().await?;
        let Some(bin) = view.name(SCOPE_BIN, b"").await?.map(CollectionId) else { return Ok(Vec::new()) };
        let (mut found, mut after) = (VecDeque::new(), None);
        loop {
            let page = view.rows(bin, after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.item);
            for row in &page.rows {
                let Some(entry) = Recycled::read(row)? else { continue };
                if self.may_see(&entry) {
                    found.push_front(entry);
                    found.truncate(limits::RECYCLE_BIN_ENTRIES_MAX);
                }
            }
            if !page.more {
                return Ok(found.into());
            }
        }
    }

    /// One entry of the recycle bin.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] where there is none, or it is not for the caller; when the store fails.
    pub async fn recycled_entry(&self, id: Guid) -> Result<Recycled, EngineError> {
        Ok(self.find_entry(&mut self.begin_all().await?, id).await?.1)
    }

    fn may_see(&self, entry: &Recycled) -> bool {
        self.rights() == Rights::Full || entry.deleted_by == self.user_id()
    }

    async fn find_entry(&self, view: &mut View, id: Guid) -> Result<(ItemRow, Recycled), EngineError> {
        let (row, entry) = read_entry(view, id).await?;
        if self.may_see(&entry) { Ok((row, entry)) } else { Err(EngineError::NoItem(row.item)) }
    }

    /// Deletes a list with its rows into the recycle bin. Returns the entry; where there is no bin the list is deleted
    /// for good and there is none.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`], [`EngineError::AccessDenied`], [`EngineError::Distinguished`] for the user list;
    /// when the store fails.
    pub async fn recycle_list(&self, id: CollectionId) -> Result<Option<Guid>, EngineError> {
        if !self.has_recycle_bin() {
            return self.drop_list(id).await.map(|()| None);
        }
        let entry = self.engine().random().guid();
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            self.check_list(&mut view, id, SiteMask::MANAGE_LISTS).await?;
            let list = view.list(id).await?;
            if list.template() == TEMPLATE_USERS {
                return Err(EngineError::Distinguished);
            }
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards.push(Guard::CollectionAt(id, list.row.seq));
            let to = bin(&mut view, &mut commit).await?;
            let mut shown = Bag::new();
            for key in [LIST_TITLE, LIST_TEMPLATE, LIST_AUTHOR, LIST_CREATED] {
                shown.put(key.clone(), list.bag.get(&key).cloned());
            }
            describe_entry(self, &mut shown, entry, &list);
            let target = NameTarget::Write(commit.writes.len());
            commit.writes.push(Write::CreateItem(NewItem {
                collection: to,
                id: NewItemId::Numbered,
                flags: ItemFlags::default(),
                bag: shown.to_bytes(),
                parts: Vec::new(),
            }));
            commit.writes.push(Write::PutName { scope: SCOPE_ENTRIES, name: entry_name(entry), target });
            let mut bag = list.bag.clone();
            bag.set(LIST_RECYCLED, Value::Guid(entry));
            commit.writes.extend([
                Write::DropName { scope: SCOPE_TITLES, name: title_name(&list) },
                Write::DropName { scope: SCOPE_GUIDS, name: Bytes::copy_from_slice(&list.guid().0) },
                Write::UpdateCollection { collection: id, bag: Some(bag.to_bytes()), parent: None },
            ]);
            drop(view);
            match self.engine().store().commit(commit).await {
                Ok(_) => return Ok(Some(entry)),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Puts an entry of the recycle bin back where it was: rows under their old ids with everything they had, a list
    /// with its title and GUID. Folders that are missing on the way to a row are made anew.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] for no such entry; [`EngineError::NoCollection`] when its list is gone or itself in the
    /// bin; [`EngineError::NameTaken`] when its path, or the list's title or folder, is taken by now; when the store
    /// fails. Nothing is changed then.
    pub async fn restore_recycled(&self, id: Guid) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let (row, entry) = self.find_entry(&mut view, id).await?;
            let mut commit = Commit::new(self.root(), self.engine().now());
            commit.guards.push(Guard::ItemAt(row.item, row.seq));
            match entry.item {
                Some(_) => self.push_rows_back(&mut view, &mut commit, &row, &entry).await?,
                None => self.push_list_back(&mut view, &mut commit, &entry).await?,
            }
            commit.writes.push(Write::DeleteItem { item: row.item, note: Bytes::new() });
            commit.writes.push(Write::DropName { scope: SCOPE_ENTRIES, name: entry_name(id) });
            drop(view);
            // What is taken was looked for above; a conflict means that something changed meanwhile.
            match self.commit_rows(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    async fn push_rows_back(
        &self,
        view: &mut View,
        commit: &mut Commit,
        head: &ItemRow,
        entry: &Recycled,
    ) -> Result<(), EngineError> {
        let list = view.list(entry.list).await?;
        let place = (list.id(), ItemId(0));
        self.check_row(view, place, &entry.bag.to_bytes(), SiteMask::ADD_ITEMS).await?;
        commit.guards.push(Guard::CollectionAt(list.id(), list.row.seq));
        let scope = SCOPE_PATHS + list.id().0;
        let directory = match entry.bag.text(&ROW_PATH) {
            Some(path) => path.rsplit_once('/').map(|(directory, _)| directory),
            None => entry.bag.text(&ROW_FOLDER),
        };
        self.push_missing_folders(view, commit, &list, directory.unwrap_or_default()).await?;
        let mut unique = false;
        for row in rows_of(view, head, entry).await? {
            let mut bag = Bag::decode(&row.bag)?;
            let old = bag.get(&BIN_ITEM).and_then(Value::as_i64).map(ItemId::from_i64).unwrap_or_default();
            strip(&mut bag);
            commit.writes.push(Write::CopyItem {
                item: row.item,
                to: list.id().into(),
                id: NewItemId::Given(old),
                bag: Some(bag.to_bytes()),
                flags: None,
            });
            if let Some(path) = bag.text(&ROW_PATH) {
                let name = Bytes::from(path.to_lowercase());
                if view.name(scope, &name).await?.is_some() {
                    return Err(EngineError::NameTaken);
                }
                commit.guards.push(Guard::NameFree(scope, name.clone()));
                commit.writes.push(Write::PutName { scope, name, target: NameTarget::Id(old.0) });
            }
            if bag.get(&OWN_ROLES).is_some() {
                let (scope, name) = (SCOPE_UNIQUE + list.id().0, unique_name(row.flags, old));
                commit.writes.push(Write::PutName { scope, name, target: NameTarget::Id(old.0) });
                unique = true;
            }
            commit.writes.push(Write::MarkItem { item: old, kind: TombstoneKind::Restored, note: note(&bag) });
            if row.item != head.item {
                commit.guards.push(Guard::ItemAt(row.item, row.seq));
                commit.writes.push(Write::DeleteItem { item: row.item, note: Bytes::new() });
            }
        }
        if unique && !list.has_unique_items() {
            let mut bag = list.bag.clone();
            bag.set(UNIQUE_ITEMS, Value::Bool(true));
            let (collection, bag) = (list.id(), Some(bag.to_bytes()));
            commit.writes.push(Write::UpdateCollection { collection, bag, parent: None });
        }
        Ok(())
    }

    /// Makes the folders of a path that are not there.
    async fn push_missing_folders(
        &self,
        view: &mut View,
        commit: &mut Commit,
        list: &ListCollection,
        directory: &str,
    ) -> Result<(), EngineError> {
        let scope = SCOPE_PATHS + list.id().0;
        let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
        for path in ends.filter_map(|end| directory.get(..end)).filter(|path| !path.is_empty()) {
            let name = Bytes::from(path.to_lowercase());
            if let Some(found) = view.name(scope, &name).await? {
                if !view.item(ItemId(found)).await?.flags.has(ItemFlags::FOLDER) {
                    return Err(EngineError::NameTaken);
                }
                commit.guards.push(Guard::NameIs(scope, name, found));
                continue;
            }
            let now = Value::Time(self.engine().now().whole_second());
            let user = Value::I32(self.user_id() as i32);
            let bag = Bag::from_iter([
                (key("Title"), Value::text(path.rsplit('/').next().unwrap_or(path))),
                (ROW_PATH, Value::text(path)),
                (ROW_VERSION, Value::I32(1)),
                (ROW_UNIQUE_ID, Value::Guid(self.engine().random().guid())),
                (ROW_CREATED, now.clone()),
                (ROW_MODIFIED, now),
                (ROW_AUTHOR, user.clone()),
                (ROW_EDITOR, user),
            ]);
            let target = NameTarget::Write(commit.writes.len());
            commit.guards.push(Guard::NameFree(scope, name.clone()));
            commit.writes.push(Write::CreateItem(NewItem {
                collection: list.id().into(),
                id: NewItemId::Numbered,
                flags: ItemFlags::FOLDER,
                bag: bag.to_bytes(),
                parts: Vec::new(),
            }));
            commit.writes.push(Write::PutName { scope, name, target });
        }
        Ok(())
    }

    async fn push_list_back(&self, view: &mut View, commit: &mut Commit, entry: &Recycled) -> Result<(), EngineError> {
        self.check_list(view, entry.list, SiteMask::MANAGE_LISTS).await?;
        let list = ListCollection::from_row(view.collection(entry.list).await?)?;
        let same = |left: &str, right: &str| left.to_lowercase() == right.to_lowercase();
        let taken = |other: &ListCollection| same(other.folder(), list.folder()) || same(other.title(), list.title());
        if view.lists().await?.iter().any(taken) {
            return Err(EngineError::NameTaken);
        }
        let (title, guid) = (title_name(&list), Bytes::copy_from_slice(&list.guid().0));
        let target = NameTarget::Id(list.id().0);
        let mut bag = list.bag.clone();
        bag.remove(&LIST_RECYCLED);
        bag.set(LIST_RESTORED, Value::I64(view.position().to_i64()));
        commit.guards.push(Guard::CollectionAt(list.id(), list.row.seq));
        commit.guards.push(Guard::NameFree(SCOPE_TITLES, title.clone()));
        commit.writes.extend([
            Write::PutName { scope: SCOPE_TITLES, name: title, target },
            Write::PutName { scope: SCOPE_GUIDS, name: guid, target },
            Write::UpdateCollection { collection: list.id(), bag: Some(bag.to_bytes()), parent: None },
        ]);
        Ok(())
    }

    /// Deletes an entry of the recycle bin for good.
    ///
    /// # Errors
    /// [`EngineError::NoItem`] for no such entry; [`EngineError::AccessDenied`] for a list of somebody who may not
    /// delete lists; when the store fails.
    pub async fn purge_recycled(&self, id: Guid) -> Result<(), EngineError> {
        let entry = self.recycled_entry(id).await?;
        if entry.item.is_none() {
            self.check_list(&mut self.begin_all().await?, entry.list, SiteMask::MANAGE_LISTS).await?;
        }
        self.engine().purge(self.root(), id).await
    }
}

impl Engine {
    /// Deletes an entry of the recycle bin of a site for good.
    async fn purge(&self, root: RootId, id: Guid) -> Result<(), EngineError> {
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = View::new(self.store().snapshot(root).await?);
            let (head, entry) = read_entry(&mut view, id).await?;
            let mut commit = Commit::new(root, self.now());
            for row in rows_of(&mut view, &head, &entry).await? {
                commit.guards.push(Guard::ItemAt(row.item, row.seq));
                commit.writes.push(Write::DeleteItem { item: row.item, note: Bytes::new() });
                let bag = Bag::decode(&row.bag)?;
                let old = bag.get(&BIN_ITEM).and_then(Value::as_i64).map(ItemId::from_i64);
                if let (Some(old), Some(_)) = (old, bag.get(&OWN_ROLES)) {
                    let (scope, name) = (SCOPE_UNIQUE + entry.list.0, unique_name(row.flags, old));
                    commit.writes.push(Write::DropName { scope, name });
                }
            }
            commit.writes.push(Write::DropName { scope: SCOPE_ENTRIES, name: entry_name(id) });
            if entry.item.is_none() && view.snapshot.collection(entry.list).await?.is_some() {
                commit.writes.push(Write::DropCollection { collection: entry.list });
            }
            drop(view);
            match self.store().commit(commit).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }

    /// Empties the recycle bin of a site of what was deleted before a time. Returns how many entries went. Entries lie
    /// in the order of their deletion, so this costs what it removes.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn trim_recycle_bin(&self, root: RootId, before: Time) -> Result<u64, EngineError> {
        let mut purged = 0;
        let mut done = BTreeSet::new();
        loop {
            let mut view = match self.store().snapshot(root).await {
                Ok(snapshot) => View::new(snapshot),
                // The site was removed meanwhile.
                Err(StoreError::NoRoot(_)) => return Ok(purged),
                Err(other) => return Err(other.into()),
            };
            let Some(bin) = view.name(SCOPE_BIN, b"").await?.map(CollectionId) else { return Ok(purged) };
            let page = view.rows(bin, None, limits::PAGE_ROWS_MAX).await?;
            drop(view);
            let mut old = Vec::new();
            for row in &page.rows {
                match Recycled::read(row)? {
                    Some(entry) if entry.deleted_at >= before => break,
                    Some(entry) => old.push(entry.id),
                    None => {}
                }
            }
            // What came back or was purged by somebody else meanwhile is not met again.
            old.retain(|id| done.insert(*id));
            if old.is_empty() {
                return Ok(purged);
            }
            for id in old {
                match self.purge(root, id).await {
                    Ok(()) => purged += 1,
                    Err(EngineError::NoItem(_)) => {}
                    Err(other) => return Err(other),
                }
            }
        }
    }
}

/// An entry with the row that it is read from.
async fn read_entry(view: &mut View, id: Guid) -> Result<(ItemRow, Recycled), EngineError> {
    let missing = || EngineError::NoItem(ItemId(0));
    let found = view.name(SCOPE_ENTRIES, &id.0).await?.ok_or_else(missing)?;
    let row = view.item(ItemId(found)).await?;
    let entry = Recycled::read(&row)?.ok_or_else(missing)?;
    Ok((row, entry))
}

/// The rows of an entry in the bin, the entry first.
async fn rows_of(view: &mut View, head: &ItemRow, entry: &Recycled) -> Result<Vec<ItemRow>, EngineError> {
    let first = head.item.number();
    let ids: Vec<ItemId> = (1..=entry.along).map(|at| ItemId::in_list(head.collection, first + at)).collect();
    let mut rows = vec![head.clone()];
    for (row, id) in view.items(&ids).await?.into_iter().zip(&ids) {
        rows.push(row.ok_or(EngineError::NoItem(*id))?);
    }
    Ok(rows)
}

fn title_name(list: &ListCollection) -> Bytes {
    list.title().to_lowercase().into()
}
