//! Whether a store holds what was acknowledged.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use model::{ItemId, Seq, limits::PAGE_ROWS_MAX};
use store::{ChangeRow, Snapshot, Store, StoreError, Want, battery::block_on};
use store_sqlite::{Options, SqliteStore, Synchronous};

use crate::child::{self, COLLECTION, PART, ROOT};

/// What the child said, by item.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Items whose creation was acknowledged, with round, thread and number.
    made: BTreeMap<ItemId, (u64, u64, u64)>,
    /// Items that it was about to delete.
    dropping: BTreeSet<ItemId>,
    /// Items whose deletion was acknowledged.
    gone: BTreeSet<ItemId>,
    /// Round, thread and number of creations that certainly did not happen.
    refused: Vec<(u64, u64, u64)>,
    /// Commits that did not happen.
    pub(crate) refusals: usize,
    /// Commits that may have happened.
    pub(crate) unknown: usize,
    /// Groups and commits, if it came to its end.
    pub(crate) stats: Option<(u64, u64)>,
}

impl Said {
    /// Takes one line of the child's output; the test harness writes some of its own.
    pub(crate) fn hear(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let numbers: Vec<u64> = rest.split(' ').filter_map(|number| number.parse().ok()).collect();
        match (word, &numbers[..]) {
            ("made", [item, round, thread, number]) => {
                self.made.insert(ItemId(*item), (*round, *thread, *number));
            }
            ("drop", [item]) => {
                self.dropping.insert(ItemId(*item));
            }
            ("gone", [item]) => {
                self.gone.insert(ItemId(*item));
            }
            ("again", [round, thread, number]) => {
                self.refused.push((*round, *thread, *number));
                self.refusals += 1;
            }
            ("kept", [item]) => {
                self.dropping.remove(&ItemId(*item));
                self.refusals += 1;
            }
            ("unknown", []) => self.unknown += 1,
            ("stats", [groups, commits]) => self.stats = Some((*groups, *commits)),
            _ => {}
        }
    }

    /// Number of acknowledged commits.
    pub(crate) fn acknowledged(&self) -> usize {
        self.made.len() + self.gone.len()
    }
}

/// Opens the store in `directory` as after a restart and compares.
pub(crate) fn verify(directory: &Path, said: &Said) -> Result<(), String> {
    let options = Options { synchronous: Synchronous::Off, ..Options::new(99) };
    let store = SqliteStore::open(directory, options).map_err(|error| error.to_string())?;
    let mut view = match block_on(store.snapshot(ROOT)) {
        Ok(view) => view,
        Err(StoreError::NoRoot(_)) if said.acknowledged() == 0 => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let changes = changes(view.as_mut())?;
    positions(view.root().last_seq, &changes)?;
    let mut standing = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for change in changes {
        match change {
            ChangeRow::Item(row) => {
                standing.insert(row.item, row.bag);
            }
            ChangeRow::Gone(row) => {
                gone.insert(row.item);
            }
        }
    }
    for (item, (round, thread, number)) in &said.made {
        match standing.get(item) {
            Some(_) if said.gone.contains(item) => return Err(format!("item {item} came back")),
            Some(bag) if *bag != child::bag(*round, *thread, *number) => {
                return Err(format!("item {item} has another bag"));
            }
            Some(_) => {
                let part = block_on(view.part(*item, PART)).map_err(|error| error.to_string())?;
                if part != child::part(*round, *thread, *number) {
                    return Err(format!("item {item} has another part"));
                }
            }
            None if gone.contains(item) && said.dropping.contains(item) => {}
            None => return Err(format!("item {item} is missing")),
        }
    }
    let bags: BTreeSet<_> = standing.values().collect();
    let refused =
        said.refused.iter().find(|(round, thread, number)| bags.contains(&child::bag(*round, *thread, *number)));
    if let Some(refused) = refused {
        return Err(format!("the creation {refused:?} was refused and happened"));
    }
    drop(view);
    drop(store);
    sound(directory)
}

fn changes(view: &mut dyn Snapshot) -> Result<Vec<ChangeRow>, String> {
    let mut changes = Vec::new();
    loop {
        let after = changes.last().map_or(Seq::ZERO, ChangeRow::seq);
        let page =
            block_on(view.changes(COLLECTION, after, PAGE_ROWS_MAX, Want::BAG)).map_err(|error| error.to_string())?;
        changes.extend(page.rows);
        if !page.more {
            return Ok(changes);
        }
    }
}

/// Every position up to the last is the collection's, an item's, a tombstone's or that of a deleted item's creation.
fn positions(last_seq: Seq, changes: &[ChangeRow]) -> Result<(), String> {
    let mut taken = BTreeSet::from([COLLECTION.0]);
    for change in changes {
        taken.insert(change.seq().0);
        if let ChangeRow::Gone(row) = change {
            taken.insert(row.created_seq.0);
        }
    }
    if taken.iter().copied().eq(1..=last_seq.0) {
        Ok(())
    } else {
        Err(format!("of {last_seq} positions {} are accounted for", taken.len()))
    }
}

/// SQLite's own check of the file.
fn sound(directory: &Path) -> Result<(), String> {
    let file = rusqlite::Connection::open(directory.join("shard-0.db")).map_err(|error| error.to_string())?;
    let found: String =
        file.pragma_query_value(None, "integrity_check", |row| row.get(0)).map_err(|error| error.to_string())?;
    if found == "ok" { Ok(()) } else { Err(found) }
}
