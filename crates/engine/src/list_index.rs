//! Indexes of lists: fields in whose order the rows of a list can be read.
//!
//! Which fields are indexed is part of the list's definition. Every row has one key for each, kept exact by the writers of
//! rows: whatever writes a row goes through [`Site::commit_rows`], which adds the changes of keys and the guard that the
//! definition is still the one they were made for. An index that is switched on is used when all rows have their keys; see
//! [`build`].

pub(crate) mod build;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bytes::Bytes;
use model::{Bag, BagRef, CollectionId, ItemId, PropertyKey, Seq, Value, limits};
use store::{CollectionRef, Commit, Direction, FieldKey, Guard, ItemRef, KeyRange, Page, Receipt, StoreError, Write};

use crate::list_keys::{LIST_INDEX_LAST, LIST_INDEXES};
use crate::{EngineError, ListCollection, Site, View, row_key::row_key};

/// Indexes of one list.
pub const INDEXES_MAX: usize = 20;

/// Work on indexes that is not done: names in this scope are list (8 bytes) and index (4), big-endian. They lead to the
/// last row that has its key, while the index is built; to anything while one that was switched off is removed.
const SCOPE_WORK: u64 = 1 << 41;

/// An index of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListIndex {
    /// Its number inside the list, never given again: the field of its keys.
    pub number: u32,
    /// The internal name of the field.
    pub field: String,
}

impl ListIndex {
    fn parse(line: &str) -> Option<Self> {
        let (number, field) = line.split_once(' ')?;
        Some(Self { number: number.parse().ok()?, field: field.to_owned() })
    }

    fn key(&self, bag: &[u8]) -> Result<Bytes, StoreError> {
        let bag = BagRef::new(bag).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(row_key(bag.get(&PropertyKey::field(self.field.clone())).as_ref()))
    }
}

/// The indexes that the bag of a list names.
pub(crate) fn indexes_of(bag: &Bag) -> Vec<ListIndex> {
    let Some(Value::Texts(lines)) = bag.get(&LIST_INDEXES) else { return Vec::new() };
    lines.iter().take(INDEXES_MAX).filter_map(|line| ListIndex::parse(line)).collect()
}

/// Sets which fields of a list are indexed, at most [`INDEXES_MAX`] of them: those beyond are left out. For the change of
/// [`Site::update_list`] and for the bag of a new list.
pub fn set_indexes(bag: &mut Bag, fields: &[&str]) {
    let old = indexes_of(bag);
    let mut last = bag.get(&LIST_INDEX_LAST).and_then(Value::as_i64).unwrap_or_default() as i32;
    let mut lines = Vec::new();
    for field in fields.iter().take(INDEXES_MAX) {
        let number = old.iter().find(|index| index.field == *field).map_or_else(
            || {
                last = last.wrapping_add(1);
                last.unsigned_abs()
            },
            |index| index.number,
        );
        lines.push(format!("{number} {field}"));
    }
    if old.is_empty() && lines.is_empty() {
        return;
    }
    bag.set(LIST_INDEX_LAST, Value::I32(last));
    bag.put(LIST_INDEXES, (!lines.is_empty()).then_some(Value::Texts(lines)));
}

fn work_name(list: CollectionId, number: u32) -> Bytes {
    let mut name = list.0.to_be_bytes().to_vec();
    name.extend(number.to_be_bytes());
    name.into()
}

impl ListCollection {
    /// Its indexes, those that are still being built too.
    pub fn indexes(&self) -> Vec<ListIndex> {
        indexes_of(&self.bag)
    }
}

impl View {
    /// The indexes of a list that every row has its key in; none where the list has changed since it was read. Costs
    /// nothing where the list has none, else two reads.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn ready_indexes(&mut self, list: &ListCollection) -> Result<Vec<ListIndex>, EngineError> {
        let mut indexes = list.indexes();
        if indexes.is_empty() || self.snapshot.collection(list.id()).await?.is_none_or(|now| now.seq != list.row.seq) {
            return Ok(Vec::new());
        }
        let mut after: Option<Bytes> = Some(Bytes::copy_from_slice(&list.id().0.to_be_bytes()));
        while !indexes.is_empty() {
            let page = self.snapshot.names(SCOPE_WORK, after.as_deref(), 2 * INDEXES_MAX).await?;
            let own = |name: &Bytes| name.starts_with(&list.id().0.to_be_bytes());
            indexes.retain(|index| page.rows.iter().all(|(name, _)| *name != work_name(list.id(), index.number)));
            after = page.rows.into_iter().map(|(name, _)| name).next_back().filter(own);
            if after.is_none() || !page.more {
                break;
            }
        }
        Ok(indexes)
    }

    /// Keys of an index of a list, each with its row, as [`store::Snapshot::keys`] reads them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keys(
        &mut self,
        list: CollectionId,
        index: u32,
        range: &KeyRange,
        direction: Direction,
        after: Option<(&[u8], ItemId)>,
        limit: usize,
    ) -> Result<Page<(Bytes, ItemId)>, EngineError> {
        Ok(self.snapshot.keys(list, index, range, direction, after, limit).await?)
    }
}

/// The definition of a list's indexes, as it was at the position of the list.
pub(crate) type Definition = (Seq, Arc<[ListIndex]>);

impl Site {
    /// Commits writes of rows, with the changes of keys that follow from them. Guards and writes keep their places: what is
    /// added comes behind them. Costs no read where the list has no indexes and was written before; else one of each row
    /// that changes or goes.
    ///
    /// # Errors
    /// As [`store::Store::commit`]; [`StoreError::TryAgain`] where other writers kept getting in the way.
    pub(crate) async fn commit_rows(&self, commit: Commit) -> Result<Receipt, StoreError> {
        let own_guards = commit.guards.len();
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut keyed = commit.clone();
            let lists = self.add_keys(&mut keyed).await?;
            match self.engine().store().commit(keyed).await {
                Err(StoreError::Conflict { guard }) if guard >= own_guards && guard != usize::MAX => {
                    lists.into_iter().for_each(|list| self.engine().opened().forget_list(self.root(), list));
                }
                other => return other,
            }
        }
        Err(StoreError::TryAgain("the write met too many conflicts".to_owned()))
    }

    /// Adds the changes of keys to a commit; gives the lists whose definitions it relies on.
    async fn add_keys(&self, commit: &mut Commit) -> Result<BTreeSet<CollectionId>, StoreError> {
        let mut lists = BTreeSet::new();
        for write in &commit.writes {
            lists.extend(touched(write).into_iter().flatten());
        }
        let mut definitions = BTreeMap::new();
        for list in &lists {
            if let Some((seq, indexes)) = self.definition(*list).await? {
                commit.guards.push(Guard::CollectionAt(*list, seq));
                if !indexes.is_empty() {
                    definitions.insert(*list, indexes);
                }
            }
        }
        if !definitions.is_empty() {
            let mut bags = self.old_bags(commit, &definitions).await?;
            let mut changes = Vec::new();
            for (at, write) in commit.writes.iter().enumerate() {
                changes.extend(key_changes(at, write, &definitions, &mut bags)?);
            }
            commit.writes.extend(changes);
        }
        Ok(lists)
    }

    /// The definition of a list's indexes, as it was when it was last looked at. `None` where there is no such list.
    async fn definition(&self, list: CollectionId) -> Result<Option<Definition>, StoreError> {
        let opened = self.engine().opened();
        if let Some(known) = opened.list(self.root(), list) {
            return Ok(Some(known));
        }
        let Some(row) = self.engine().store().snapshot(self.root()).await?.collection(list).await? else {
            return Ok(None);
        };
        let bag = Bag::decode(&row.bag).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let definition: Definition = (row.seq, indexes_of(&bag).into());
        opened.note_list(self.root(), list, definition.clone());
        Ok(Some(definition))
    }

    /// The bags of the rows that lose keys, as they are; guards see to it that they are still when the commit is done.
    async fn old_bags(
        &self,
        commit: &mut Commit,
        definitions: &BTreeMap<CollectionId, Arc<[ListIndex]>>,
    ) -> Result<HashMap<ItemId, Bytes>, StoreError> {
        let mut ids: Vec<ItemId> = commit.writes.iter().filter_map(|write| changed(write, definitions)).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut bags = HashMap::new();
        if ids.is_empty() {
            return Ok(bags);
        }
        let mut snapshot = self.engine().store().snapshot(self.root()).await?;
        for chunk in ids.chunks(limits::PAGE_ROWS_MAX) {
            for row in snapshot.items(chunk, store::Want::BAG).await?.into_iter().flatten() {
                commit.guards.push(Guard::ItemAt(row.item, row.seq));
                bags.insert(row.item, row.bag);
            }
        }
        Ok(bags)
    }
}

/// The list that a row belongs to.
const fn list_of(item: ItemId) -> CollectionId {
    CollectionId(item.0 >> 32)
}

const fn list_meant(reference: CollectionRef) -> Option<CollectionId> {
    match reference {
        CollectionRef::Id(list) => Some(list),
        // A list that the same commit creates: its rows come with a later one.
        CollectionRef::Write(_) => None,
    }
}

/// The lists in which a write changes which rows there are, or what they hold.
fn touched(write: &Write) -> [Option<CollectionId>; 2] {
    match write {
        Write::CreateItem(new) => [list_meant(new.collection), None],
        Write::UpdateItem(change) => [change.bag.as_ref().map(|_| list_of(change.item)), None],
        Write::DeleteItem { item, .. } => [Some(list_of(*item)), None],
        Write::MoveItem { item, to, .. } => [Some(list_of(*item)), list_meant(*to)],
        Write::CopyItem { to, .. } => [list_meant(*to), None],
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => [None, None],
    }
}

/// The row whose bag has to be known to tell what a write does to keys.
fn changed(write: &Write, definitions: &BTreeMap<CollectionId, Arc<[ListIndex]>>) -> Option<ItemId> {
    if !touched(write).into_iter().flatten().any(|list| definitions.contains_key(&list)) {
        return None;
    }
    match write {
        Write::UpdateItem(change) => Some(change.item),
        Write::DeleteItem { item, .. } | Write::MoveItem { item, .. } | Write::CopyItem { item, .. } => Some(*item),
        Write::CreateItem(_)
        | Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => None,
    }
}

fn keys(
    definitions: &BTreeMap<CollectionId, Arc<[ListIndex]>>,
    list: Option<CollectionId>,
    bag: Option<&Bytes>,
) -> Result<Vec<FieldKey>, StoreError> {
    let (Some(indexes), Some(bag)) = (list.and_then(|list| definitions.get(&list)), bag) else {
        return Ok(Vec::new());
    };
    indexes.iter().map(|index| Ok(FieldKey { field: index.number, value: index.key(bag)? })).collect()
}

/// What the write at `at` changes of the keys. `bags` are the bags as the writes before it leave them.
fn key_changes(
    at: usize,
    write: &Write,
    definitions: &BTreeMap<CollectionId, Arc<[ListIndex]>>,
    bags: &mut HashMap<ItemId, Bytes>,
) -> Result<Vec<Write>, StoreError> {
    let change = |list: Option<CollectionId>, item: ItemRef, mut drop: Vec<FieldKey>, mut put: Vec<FieldKey>| {
        let same: Vec<FieldKey> = drop.iter().filter(|key| put.contains(key)).cloned().collect();
        drop.retain(|key| !same.contains(key));
        put.retain(|key| !same.contains(key));
        let none = drop.is_empty() && put.is_empty();
        list.filter(|_| !none).map(|collection| Write::ChangeKeys { collection, item, drop, put })
    };
    Ok(match write {
        Write::CreateItem(new) => {
            let list = list_meant(new.collection);
            let put = keys(definitions, list, Some(&new.bag))?;
            change(list, ItemRef::Write(at), Vec::new(), put).into_iter().collect()
        }
        Write::UpdateItem(update) => {
            let list = Some(list_of(update.item));
            let Some(bag) = &update.bag else { return Ok(Vec::new()) };
            let drop = keys(definitions, list, bags.get(&update.item))?;
            let put = keys(definitions, list, Some(bag))?;
            bags.insert(update.item, bag.clone());
            change(list, update.item.into(), drop, put).into_iter().collect()
        }
        Write::DeleteItem { item, .. } => {
            let list = Some(list_of(*item));
            let drop = keys(definitions, list, bags.remove(item).as_ref())?;
            change(list, (*item).into(), drop, Vec::new()).into_iter().collect()
        }
        Write::MoveItem { item, to, bag, .. } => {
            let (from, to, old) = (Some(list_of(*item)), list_meant(*to), bags.remove(item));
            let drop = keys(definitions, from, old.as_ref())?;
            let put = keys(definitions, to, bag.as_ref().or(old.as_ref()))?;
            let gone = change(from, (*item).into(), drop, Vec::new());
            gone.into_iter().chain(change(to, ItemRef::Write(at), Vec::new(), put)).collect()
        }
        Write::CopyItem { item, to, bag, .. } => {
            let to = list_meant(*to);
            let put = keys(definitions, to, bag.as_ref().or(bags.get(item)))?;
            change(to, ItemRef::Write(at), Vec::new(), put).into_iter().collect()
        }
        Write::CreateCollection { .. }
        | Write::UpdateCollection { .. }
        | Write::DropCollection { .. }
        | Write::MarkItem { .. }
        | Write::PutName { .. }
        | Write::DropName { .. }
        | Write::ChangeKeys { .. }
        | Write::DropKeys { .. }
        | Write::TrimTombstones { .. } => Vec::new(),
    })
}
