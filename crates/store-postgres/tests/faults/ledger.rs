//! What was said about writes, compared with what the store holds.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Duration,
};

use bytes::Bytes;
use model::{CollectionId, Guid, ItemFlags, ItemId, RootId, Seq, Time, limits::PAGE_ROWS_MAX};
use store::{
    ChangeRow, Commit, NewItem, NewItemId, PartData, RootKind, Snapshot, Store, StoreError, Want, Write,
    battery::block_on,
};

/// The root that is written.
pub(crate) const ROOT: RootId = RootId(7);
/// The collection that its first commit creates.
pub(crate) const FOLDER: CollectionId = CollectionId(1);

/// What was said about the creation of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Made(ItemId),
    /// Nothing was written.
    Refused,
    Unknown,
}

/// Creations by their number, which names them.
pub(crate) type Ledger = BTreeMap<u64, Fate>;

/// The operation of a creation.
pub(crate) fn operation(number: u64) -> Guid {
    let mut id = [7; 16];
    id[..8].copy_from_slice(&number.to_le_bytes());
    Guid(id)
}

/// Creates the root and its folder.
pub(crate) fn prepare(store: &dyn Store) {
    let mut first = Commit::new(ROOT, Time::from_unix(0));
    first.create_root = Some((RootKind::Mailbox, Guid::NIL));
    first.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
    match block_on(store.commit(first)) {
        Ok(_) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Creates an item that is named by its number.
pub(crate) fn create(number: u64) -> Commit {
    // Every eighth has a part that does not lie in its row.
    let part = if number.is_multiple_of(8) { vec![number as u8; 70_000] } else { vec![number as u8; 9] };
    let mut commit = Commit::new(ROOT, Time::from_unix(1_000));
    // Not all commits are asked for by name; the store knows all the same what became of them.
    commit.operation = number.is_multiple_of(2).then(|| operation(number));
    commit.writes.push(Write::CreateItem(NewItem {
        collection: FOLDER.into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: number.to_string().into(),
        parts: vec![PartData { part: 1, bytes: part.into() }],
    }));
    commit
}

/// Writes, and gives what was said.
pub(crate) fn write(store: &dyn Store, number: u64) -> Fate {
    write_with(store, number, create(number))
}

/// As [`write`], by this commit.
pub(crate) fn write_with(store: &dyn Store, number: u64, commit: Commit) -> Fate {
    match block_on(store.commit(commit)) {
        Ok(receipt) => Fate::Made(receipt.write(0).item.unwrap()),
        Err(StoreError::TryAgain(_)) => Fate::Refused,
        Err(StoreError::OutcomeUnknown(_)) => Fate::Unknown,
        Err(error) => panic!("creation {number}: {error}"),
    }
}

/// Repeats a read until the store can be reached.
pub(crate) fn patiently<T>(mut read: impl FnMut() -> Result<T, StoreError>) -> T {
    for _ in 0..200 {
        match read() {
            Ok(found) => return found,
            Err(StoreError::TryAgain(_)) => thread::sleep(Duration::from_millis(50)),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the store cannot be reached");
}

fn changes(view: &mut dyn Snapshot) -> Result<Vec<ChangeRow>, StoreError> {
    let mut changes = Vec::new();
    loop {
        let after = changes.last().map_or(Seq::ZERO, ChangeRow::seq);
        let page = block_on(view.changes(FOLDER, after, PAGE_ROWS_MAX, Want::BAG))?;
        changes.extend(page.rows);
        if !page.more {
            return Ok(changes);
        }
    }
}

/// Compares.
pub(crate) fn verify(store: &dyn Store, ledger: &Ledger) {
    let (last_seq, count, changes) = patiently(|| {
        let mut view = block_on(store.snapshot(ROOT))?;
        let row = block_on(view.collection(FOLDER))?;
        Ok((view.root().last_seq, row.unwrap().items, changes(view.as_mut())?))
    });
    let mut items: BTreeMap<u64, Vec<ItemId>> = BTreeMap::new();
    let mut taken = BTreeSet::from([FOLDER.0]);
    for change in &changes {
        let ChangeRow::Item(row) = change else { panic!("{change:?}") };
        taken.insert(row.seq.0);
        items.entry(std::str::from_utf8(&row.bag).unwrap().parse().unwrap()).or_default().push(row.item);
    }
    assert!(taken.iter().copied().eq(1..=last_seq.0), "positions up to {last_seq} are {taken:?}");
    assert_eq!(count, changes.len() as u64);
    for (number, fate) in ledger {
        let found = items.remove(number).unwrap_or_default();
        match fate {
            Fate::Made(item) => assert_eq!(found, [*item], "creation {number}"),
            Fate::Refused => assert_eq!(found, [], "creation {number} was refused"),
            Fate::Unknown => assert!(found.len() <= 1, "creation {number} happened as {found:?}"),
        }
        if number.is_multiple_of(2) {
            let outcome = patiently(|| block_on(store.outcome(ROOT, operation(*number))));
            let item = outcome.and_then(|receipt| receipt.write(0).item);
            assert_eq!(item, found.first().copied(), "the receipt of creation {number}");
        }
        if let Some(item) = found.first() {
            let part = patiently(|| block_on(block_on(store.snapshot(ROOT))?.part(*item, 1))).unwrap();
            assert!(part.iter().all(|byte| *byte == *number as u8), "the part of creation {number}");
        }
    }
    assert!(items.is_empty(), "nobody created {items:?}");
}
