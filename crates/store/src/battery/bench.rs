//! Short forms of the port for the behaviours.

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time};

use super::block_on;
use crate::{
    ChangeRow, CollectionRow, Commit, Guard, ItemChange, ItemRow, NewItem, NewItemId, Page, PartData, Receipt,
    RootKind, Snapshot, Store, StoreError, Tombstone, Want, Write, WriteReceipt,
};

/// When all commits happen that do not care.
pub(super) const AT: Time = Time(133_000_000_000_000_000);

/// Bytes of a text.
pub(super) const fn text(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// A part.
pub(super) fn part(part: u32, bytes: impl Into<Bytes>) -> PartData {
    PartData { part, bytes: bytes.into().into() }
}

/// Creates a top collection.
pub(super) const fn top(bag: &'static str) -> Write {
    Write::CreateCollection { parent: None, bag: text(bag) }
}

/// Creates an item without flags and parts under its position.
pub(super) fn plain(collection: CollectionId) -> NewItem {
    NewItem {
        collection: collection.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: text("bag"),
        parts: Vec::new(),
    }
}

/// Changes nothing of an item.
pub(super) const fn touch(item: ItemId) -> ItemChange {
    ItemChange { item, flags: None, bag: None, parts: Vec::new(), content: false }
}

/// Sets the flags of an item as a change of its read flag alone.
pub(super) fn flag(item: ItemId, flags: ItemFlags) -> Write {
    Write::UpdateItem(ItemChange { flags: Some(flags), ..touch(item) })
}

/// Sets the bag of an item.
pub(super) fn edit(item: ItemId, bag: Bytes) -> Write {
    Write::UpdateItem(ItemChange { bag: Some(bag), content: true, ..touch(item) })
}

/// Deletes an item.
pub(super) const fn delete(item: ItemId) -> Write {
    Write::DeleteItem { item, note: Bytes::new() }
}

/// One root of a store.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) root: RootId,
}

impl<'a> Bench<'a> {
    /// Creates a root and nothing else.
    pub(super) fn new(store: &'a dyn Store, root: u64) -> Self {
        let bench = Self { store, root: RootId(root) };
        let mut commit = Commit::new(bench.root, AT);
        commit.create_root = Some((RootKind::Mailbox, guid(root)));
        bench.commit(commit).unwrap();
        bench
    }

    pub(super) fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        block_on(self.store.commit(commit))
    }

    /// An empty commit on the root.
    pub(super) const fn empty(&self) -> Commit {
        Commit::new(self.root, AT)
    }

    pub(super) fn try_write(&self, writes: Vec<Write>) -> Result<Receipt, StoreError> {
        self.commit(Commit { writes, ..self.empty() })
    }

    pub(super) fn write(&self, writes: Vec<Write>) -> Receipt {
        self.try_write(writes).unwrap()
    }

    pub(super) fn one(&self, write: Write) -> WriteReceipt {
        self.write(vec![write]).write(0)
    }

    /// Writes at this time.
    pub(super) fn write_at(&self, at: Time, writes: Vec<Write>) -> Receipt {
        self.commit(Commit { writes, ..Commit::new(self.root, at) }).unwrap()
    }

    /// Whether the guard holds.
    pub(super) fn holds(&self, guard: Guard) -> bool {
        match self.commit(Commit { guards: vec![guard], ..self.empty() }) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error, StoreError::Conflict { guard: 0 });
                false
            }
        }
    }

    pub(super) fn folder(&self) -> CollectionId {
        self.one(top("folder")).collection.unwrap()
    }

    pub(super) fn folder_in(&self, parent: CollectionId) -> CollectionId {
        let write = Write::CreateCollection { parent: Some(parent.into()), bag: text("inner") };
        self.one(write).collection.unwrap()
    }

    pub(super) fn item(&self, collection: CollectionId) -> ItemId {
        self.create(plain(collection))
    }

    pub(super) fn create(&self, item: NewItem) -> ItemId {
        self.one(Write::CreateItem(item)).item.unwrap()
    }

    pub(super) fn view(&self) -> View {
        View(block_on(self.store.snapshot(self.root)).unwrap())
    }

    pub(super) fn row(&self, item: ItemId) -> ItemRow {
        self.view().item(item).unwrap()
    }

    pub(super) fn collection(&self, collection: CollectionId) -> CollectionRow {
        self.view().collection(collection).unwrap()
    }

    pub(super) fn last_seq(&self) -> Seq {
        self.view().0.root().last_seq
    }
}

/// A GUID for a number.
pub(super) fn guid(number: u64) -> Guid {
    let mut bytes = [1; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    Guid(bytes)
}

/// A snapshot.
pub(super) struct View(pub(super) Box<dyn Snapshot>);

impl View {
    pub(super) fn item(&mut self, item: ItemId) -> Option<ItemRow> {
        block_on(self.0.items(&[item], Want::BAG)).unwrap().remove(0)
    }

    pub(super) fn collection(&mut self, collection: CollectionId) -> Option<CollectionRow> {
        block_on(self.0.collection(collection)).unwrap()
    }

    pub(super) fn changes(&mut self, collection: CollectionId, after: Seq, limit: usize) -> Page<ChangeRow> {
        block_on(self.0.changes(collection, after, limit, Want::BAG)).unwrap()
    }

    /// All entries of a collection: (position, item, whether it stands).
    pub(super) fn history(&mut self, collection: CollectionId) -> Vec<(u64, ItemId, bool)> {
        let entry = |row: &ChangeRow| match row {
            ChangeRow::Item(row) => (row.seq.0, row.item, true),
            ChangeRow::Gone(row) => (row.seq.0, row.item, false),
        };
        self.changes(collection, Seq::ZERO, 1_000).rows.iter().map(entry).collect()
    }

    /// The tombstones and marks of a collection.
    pub(super) fn gone(&mut self, collection: CollectionId) -> Vec<Tombstone> {
        let rows = self.changes(collection, Seq::ZERO, 1_000).rows;
        let gone = rows.into_iter().filter_map(|row| match row {
            ChangeRow::Gone(row) => Some(row),
            ChangeRow::Item(_) => None,
        });
        gone.collect()
    }

    pub(super) fn list(&mut self, collection: CollectionId) -> Vec<ItemId> {
        let page = block_on(self.0.list(collection, None, 1_000, Want::HOT)).unwrap();
        page.rows.iter().map(|row| row.item).collect()
    }

    pub(super) fn part(&mut self, item: ItemId, part: u32) -> Option<Bytes> {
        block_on(self.0.part(item, part)).unwrap()
    }

    /// A range of a part.
    pub(super) fn part_range(&mut self, item: ItemId, part: u32, offset: u64, bytes_max: usize) -> Option<Bytes> {
        block_on(self.0.part_range(item, part, offset, bytes_max)).unwrap()
    }

    /// The parts of an item: (number, length).
    pub(super) fn parts(&mut self, item: ItemId) -> Vec<(u32, u64)> {
        block_on(self.0.parts(item)).unwrap().iter().map(|part| (part.part, part.size_bytes)).collect()
    }

    pub(super) fn name(&mut self, scope: u64, name: &'static str) -> Option<u64> {
        block_on(self.0.name(scope, name.as_bytes())).unwrap()
    }
}
