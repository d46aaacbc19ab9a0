//! What a group of commits needs to know, read in one flight under the lock of its root.

use std::collections::BTreeSet;

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};
use store::{CollectionRef, Commit, Guard, NewItemId, Write, WriteReceipt};
use tokio_postgres::Row;

use crate::{
    apply::{Collection, Content, Grave, Item, Overlay, Part, Root, Source},
    failure::Failure,
    flight::{Flight, Parameter},
    large::{Hash, Hashes},
    rows,
    session::Session,
    statements::writes::{
        LOAD_BLOBS, LOAD_CHILDREN, LOAD_COLLECTIONS, LOAD_COLLECTIONS_OF, LOAD_GRAVES, LOAD_ITEMS, LOAD_NAMES,
        LOAD_PARTS, LOCK_ROOT,
    },
};

/// Keys of the rows that are to be read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    items: BTreeSet<i64>,
    collections: BTreeSet<i64>,
    parents: BTreeSet<i64>,
    names: BTreeSet<(i64, Bytes)>,
    parts_of: BTreeSet<i64>,
    /// Items that come back, and where.
    given: BTreeSet<i64>,
    given_in: BTreeSet<i64>,
    hashes: BTreeSet<Hash>,
}

/// What was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) overlay: Overlay,
    /// The GUID of the root, where it is there.
    pub(crate) guid: Option<Guid>,
    /// The kind of a root that is not there: it is on its way out or in.
    pub(crate) hidden: Option<i64>,
    /// Large parts of the commits that are not stored (any more).
    pub(crate) missing: BTreeSet<Hash>,
}

impl Needs {
    /// Adds what a commit needs.
    pub(crate) fn add(&mut self, commit: &Commit, hashes: &Hashes) {
        for guard in &commit.guards {
            self.add_guard(guard);
        }
        self.add_writes(&commit.writes, &[], hashes);
    }

    fn add_guard(&mut self, guard: &Guard) {
        match guard {
            Guard::ItemAt(item, _) | Guard::ItemContentAt(item, _) | Guard::ItemIn(item, _) => {
                self.items.insert(item.to_i64());
            }
            Guard::CollectionAt(collection, _)
            | Guard::CollectionItemsAt(collection, _)
            | Guard::CollectionExists(collection) => {
                self.collections.insert(collection.to_i64());
            }
            Guard::CollectionEmpty(collection) => {
                self.collections.insert(collection.to_i64());
                self.parents.insert(collection.to_i64());
            }
            Guard::NameFree(scope, name) | Guard::NameIs(scope, name, _) => {
                self.names.insert((scope.cast_signed(), name.clone()));
            }
        }
    }

    /// Adds what writes need, where those before them did `done`.
    pub(crate) fn add_writes(&mut self, writes: &[Write], done: &[WriteReceipt], hashes: &Hashes) {
        self.hashes.extend(hashes.iter().filter(|((index, _), _)| *index >= done.len()).map(|(_, hash)| *hash));
        for write in writes.iter().skip(done.len()) {
            match write {
                Write::CreateCollection { parent, .. } => {
                    if let Some(parent) = parent {
                        self.add_collection(*parent, done);
                    }
                }
                Write::UpdateCollection { collection, parent, .. } => {
                    self.collections.insert(collection.to_i64());
                    self.collections.extend(parent.flatten().map(CollectionId::to_i64));
                }
                Write::DropCollection { collection } => {
                    self.collections.insert(collection.to_i64());
                }
                Write::CreateItem(new) => self.add_arrival(new.collection, new.id, done),
                Write::UpdateItem(change) => {
                    self.items.insert(change.item.to_i64());
                    if !change.parts.is_empty() {
                        self.parts_of.insert(change.item.to_i64());
                    }
                }
                Write::DeleteItem { item, .. } => {
                    self.items.insert(item.to_i64());
                    self.parts_of.insert(item.to_i64());
                }
                Write::MoveItem { item, to, id, .. } | Write::CopyItem { item, to, id, .. } => {
                    self.items.insert(item.to_i64());
                    self.parts_of.insert(item.to_i64());
                    self.add_arrival(*to, *id, done);
                }
                Write::MarkItem { item, .. } => {
                    self.items.insert(item.to_i64());
                }
                Write::ChangeKeys { collection, .. } => {
                    self.collections.insert(collection.to_i64());
                }
                Write::PutName { .. }
                | Write::DropName { .. }
                | Write::DropKeys { .. }
                | Write::TrimTombstones { .. } => {}
            }
        }
    }

    fn add_arrival(&mut self, collection: CollectionRef, id: NewItemId, done: &[WriteReceipt]) {
        let place = self.add_collection(collection, done);
        match id {
            NewItemId::Given(item) => {
                self.items.insert(item.to_i64());
                self.given.insert(item.to_i64());
                self.given_in.extend(place);
            }
            NewItemId::Seq | NewItemId::Numbered => {}
        }
    }

    fn add_collection(&mut self, collection: CollectionRef, done: &[WriteReceipt]) -> Option<i64> {
        let collection = match collection {
            CollectionRef::Id(collection) => Some(collection),
            CollectionRef::Write(index) => done.get(index).and_then(|done| done.collection),
        };
        let collection = collection.map(CollectionId::to_i64);
        self.collections.extend(collection);
        collection
    }

    /// The collections that are needed, where that is all.
    pub(crate) fn collections_alone(&self) -> Option<impl Iterator<Item = CollectionId>> {
        let Self { items, collections, parents, names, parts_of, given, given_in: _, hashes } = self;
        let others = [items, parents, parts_of, given].iter().all(|set| set.is_empty());
        let is_all = others && names.is_empty() && hashes.is_empty();
        is_all.then(|| collections.iter().copied().map(CollectionId::from_i64))
    }

    /// Adds items by id.
    pub(crate) fn add_items(&mut self, ids: impl IntoIterator<Item = ItemId>) {
        self.items.extend(ids.into_iter().map(ItemId::to_i64));
    }

    /// Begins a transaction, takes the lock of the root and reads them. Costs one flight.
    pub(crate) async fn begin(&self, session: &Session, root: RootId) -> Result<Loaded, Failure> {
        let mut flight = Flight::default();
        flight.add(LOCK_ROOT, vec![Box::new(root.to_i64())]);
        let kinds = self.ask(root, &mut flight);
        let mut answers = flight.begin(session).await?.into_iter();
        let mut loaded = Loaded { overlay: Overlay::default(), guid: None, hidden: None, missing: BTreeSet::new() };
        if let Some(row) = answers.next().unwrap_or_default().first() {
            let kind: i64 = rows::get(row, 2)?;
            if kind < 0 {
                loaded.hidden = Some(kind);
            } else {
                let last_seq = Seq::from_i64(rows::get(row, 0)?);
                let root = Root { last_seq, epoch: Some(rows::get(row, 1)?) };
                (loaded.overlay.root_base, loaded.overlay.root) = (Some(root), Some(root));
                let guid: &[u8] = rows::get(row, 3)?;
                loaded.guid = Some(Guid(guid.try_into().map_err(|_| Failure::damaged("the GUID of a root"))?));
            }
        }
        self.take(kinds, answers, &mut loaded)?;
        Ok(loaded)
    }

    /// Reads them while the lock is held; `written` is what is known already. Costs one flight.
    pub(crate) async fn go_on(&self, session: &Session, root: RootId, written: Overlay) -> Result<Loaded, Failure> {
        let mut flight = Flight::default();
        let kinds = self.ask(root, &mut flight);
        let answers = flight.run(session).await?.into_iter();
        let mut loaded = Loaded { overlay: written, guid: None, hidden: None, missing: BTreeSet::new() };
        self.take(kinds, answers, &mut loaded)?;
        Ok(loaded)
    }

    fn ask(&self, root: RootId, flight: &mut Flight<'_>) -> Vec<Kind> {
        let root = root.to_i64();
        let column = |set: &BTreeSet<i64>| -> Parameter<'static> { Box::new(set.iter().copied().collect::<Vec<_>>()) };
        let mut kinds = Vec::new();
        let mut add = |kind, sql, parameters: Vec<Parameter<'static>>| {
            kinds.push(kind);
            let root: Parameter<'static> = Box::new(root);
            flight.add(sql, [root].into_iter().chain(parameters).collect());
        };
        if !self.items.is_empty() {
            add(Kind::Items, LOAD_ITEMS, vec![column(&self.items)]);
            let parameters = vec![column(&self.collections), column(&self.items)];
            add(Kind::Collections, LOAD_COLLECTIONS_OF, parameters);
        } else if !self.collections.is_empty() {
            add(Kind::Collections, LOAD_COLLECTIONS, vec![column(&self.collections)]);
        }
        if !self.parents.is_empty() {
            add(Kind::Children, LOAD_CHILDREN, vec![column(&self.parents)]);
        }
        if !self.names.is_empty() {
            let scopes: Vec<i64> = self.names.iter().map(|(scope, _)| *scope).collect();
            let names: Vec<Vec<u8>> = self.names.iter().map(|(_, name)| name.to_vec()).collect();
            add(Kind::Names, LOAD_NAMES, vec![Box::new(scopes), Box::new(names)]);
        }
        if !self.parts_of.is_empty() {
            add(Kind::Parts, LOAD_PARTS, vec![column(&self.parts_of)]);
        }
        if !self.given.is_empty() {
            add(Kind::Graves, LOAD_GRAVES, vec![column(&self.given_in), column(&self.given)]);
        }
        if !self.hashes.is_empty() {
            let hashes: Vec<Vec<u8>> = self.hashes.iter().map(|hash| hash.to_vec()).collect();
            add(Kind::Blobs, LOAD_BLOBS, vec![Box::new(hashes)]);
        }
        kinds
    }

    fn take(
        &self,
        kinds: Vec<Kind>,
        answers: impl Iterator<Item = Vec<Row>>,
        loaded: &mut Loaded,
    ) -> Result<(), Failure> {
        let overlay = &mut loaded.overlay;
        // What is not among the rows is known not to be there.
        self.items.iter().for_each(|item| overlay.items.load(ItemId::from_i64(*item), None));
        self.collections.iter().for_each(|id| overlay.collections.load(CollectionId::from_i64(*id), None));
        for (scope, name) in &self.names {
            overlay.names.load((scope.cast_unsigned(), name.clone()), None);
        }
        overlay.parts_known.extend(self.parts_of.iter().map(|item| ItemId::from_i64(*item)));
        loaded.missing.clone_from(&self.hashes);
        for (kind, answer) in kinds.into_iter().zip(answers) {
            for row in &answer {
                match kind {
                    Kind::Items => {
                        let (item, row) = item(row)?;
                        overlay.items.load(item, Some(row));
                    }
                    Kind::Collections => {
                        let (id, row) = collection(row)?;
                        overlay.collections.load(id, Some(row));
                    }
                    Kind::Children => {
                        overlay.had_children.insert(CollectionId::from_i64(rows::get(row, 0)?), rows::get(row, 1)?);
                    }
                    Kind::Names => {
                        let (scope, name): (i64, &[u8]) = (rows::get(row, 0)?, rows::get(row, 1)?);
                        let target = rows::get::<Option<i64>>(row, 2)?.map(i64::cast_unsigned);
                        overlay.names.load((scope.cast_unsigned(), Bytes::copy_from_slice(name)), target);
                    }
                    Kind::Parts => {
                        let (key, part) = part(row)?;
                        overlay.parts.load(key, Some(part));
                    }
                    Kind::Graves => {
                        let (key, grave) = grave(row)?;
                        overlay.graves.load(key, Some(grave));
                    }
                    Kind::Blobs => {
                        loaded.missing.remove(&hash(rows::get(row, 0)?)?);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a statement of a flight reads.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Items,
    Collections,
    Children,
    Names,
    Parts,
    Graves,
    Blobs,
}

fn hash(bytes: &[u8]) -> Result<Hash, Failure> {
    bytes.try_into().map_err(|_| Failure::damaged("a hash of another length"))
}

fn flags(row: &Row, column: usize) -> Result<ItemFlags, Failure> {
    let flags = u32::try_from(rows::get::<i64>(row, column)?);
    flags.map(ItemFlags).map_err(|_| Failure::damaged("flags out of range"))
}

fn item(row: &Row) -> Result<(ItemId, Item), Failure> {
    let seq = |column| rows::get(row, column).map(Seq::from_i64);
    let item = ItemId::from_i64(rows::get(row, 0)?);
    let collection = CollectionId::from_i64(rows::get(row, 1)?);
    let (created_seq, content_seq) = (seq(3)?, seq(4)?);
    let (flags, bag) = (flags(row, 5)?, Source::Stored(item));
    Ok((item, Item { collection, seq: seq(2)?, created_seq, content_seq, flags, bag }))
}

fn collection(row: &Row) -> Result<(CollectionId, Collection), Failure> {
    let number = |column| rows::get::<i64>(row, column);
    let collection = Collection {
        parent: rows::get::<Option<i64>>(row, 1)?.map(CollectionId::from_i64),
        seq: Seq::from_i64(number(2)?),
        created_seq: Seq::from_i64(number(3)?),
        items_seq: Seq::from_i64(number(4)?),
        items: number(5)?,
        unread: number(6)?,
        associated: number(7)?,
        last_number: number(8)?,
    };
    Ok((CollectionId::from_i64(number(0)?), collection))
}

fn part(row: &Row) -> Result<((ItemId, u32), Part), Failure> {
    let item = ItemId::from_i64(rows::get(row, 0)?);
    let number =
        u32::try_from(rows::get::<i64>(row, 1)?).map_err(|_| Failure::damaged("a part number out of range"))?;
    let content = match rows::get::<Option<&[u8]>>(row, 3)? {
        Some(bytes) => Content::Large(hash(bytes)?),
        None => Content::Inline(Source::Stored(item)),
    };
    Ok(((item, number), Part { size: rows::get(row, 2)?, content }))
}

fn grave(row: &Row) -> Result<((CollectionId, Seq), Grave), Failure> {
    let key = (CollectionId::from_i64(rows::get(row, 0)?), Seq::from_i64(rows::get(row, 1)?));
    let grave = Grave {
        item: ItemId::from_i64(rows::get(row, 2)?),
        created_seq: Seq::from_i64(rows::get(row, 3)?),
        flags: flags(row, 4)?,
        kind: rows::tombstone_kind(rows::get(row, 5)?)?,
        at: Time::default(),
        moved_to: None,
        note: Bytes::new(),
    };
    Ok((key, grave))
}
