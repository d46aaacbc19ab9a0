//! Everything of a root that the port shows, to compare.

use bytes::Bytes;
use model::{CollectionId, ItemId, RootId, Seq, Time};

use super::block_on;
use crate::{ChangeRow, CollectionRow, Direction, ItemRow, KeyRange, Page, RootRow, Snapshot, Span, Store, Want};

/// Rows of one read at most; small, so that a dump also tries the paging.
const LIMIT: usize = 7;

/// Fields whose keys are dumped: from 0 to below this.
pub(super) const FIELDS: u32 = 3;

/// Rows of one range at most: a store that pages in circles fails instead of going on for ever.
const ROWS_MAX: usize = 100_000;

/// A root in full. Equal dumps are equal roots, but for the random numbers of the epochs.
#[derive(Debug, PartialEq)]
pub struct Dump {
    /// The root.
    pub root: RootRow,
    /// First position and time of each epoch.
    pub epochs: Vec<(Seq, Time)>,
    /// In order of id.
    pub collections: Vec<CollectionDump>,
    /// In order of collection and position.
    pub spans: Vec<Span>,
    /// Parts in order of item and number, with their bytes.
    pub parts: Vec<(ItemId, u32, Bytes)>,
    /// Scope, name and target in order.
    pub names: Vec<(u64, Bytes, u64)>,
}

/// A collection in full.
#[derive(Debug, PartialEq)]
pub struct CollectionDump {
    /// The collection.
    pub row: CollectionRow,
    /// Items in order of id.
    pub list: Vec<ItemRow>,
    /// Items in order of creation, newest first.
    pub created: Vec<ItemRow>,
    /// Items and tombstones in order of position.
    pub changes: Vec<ChangeRow>,
    /// The keys of the first few fields: field, value and item in order.
    pub keys: Vec<(u32, Bytes, ItemId)>,
}

/// Dumps a root as it is now, with the names of these scopes. Costs its rows.
pub fn dump(store: &dyn Store, root: RootId, scopes: &[u64]) -> Dump {
    dump_view(block_on(store.snapshot(root)).unwrap().as_mut(), scopes)
}

/// Dumps a root as a snapshot shows it; see [`dump`].
pub fn dump_view(view: &mut dyn Snapshot, scopes: &[u64]) -> Dump {
    let mut rows: Vec<CollectionRow> = Vec::new();
    loop {
        let page = block_on(view.collections(rows.last().map(|row| row.collection), LIMIT)).unwrap();
        goes_on(&page, rows.len());
        rows.extend(page.rows);
        if !page.more {
            break;
        }
    }
    let collections: Vec<CollectionDump> = rows.into_iter().map(|row| dump_collection(view, row)).collect();
    let mut parts = Vec::new();
    for item in collections.iter().flat_map(|collection| &collection.list).map(|row| row.item) {
        for info in block_on(view.parts(item)).unwrap() {
            let bytes = block_on(view.part(item, info.part)).unwrap().unwrap();
            assert_eq!(bytes.len() as u64, info.size_bytes);
            parts.push((item, info.part, bytes));
        }
    }
    let epochs = block_on(view.epochs()).unwrap().iter().map(|epoch| (epoch.first_seq, epoch.at)).collect();
    let names = scopes.iter().flat_map(|scope| dump_names(view, *scope)).collect();
    let spans = block_on(view.spans(Seq::ZERO)).unwrap();
    Dump { root: RootRow { epoch: 0, ..view.root().clone() }, epochs, collections, spans, parts, names }
}

/// Checks that a page that says there are more has rows, and that the range comes to an end.
pub(super) fn goes_on<T>(page: &Page<T>, before: usize) {
    assert!(!page.more || !page.rows.is_empty(), "an empty page that goes on");
    assert!(before + page.rows.len() <= ROWS_MAX, "pages without end");
}

fn dump_collection(view: &mut dyn Snapshot, row: CollectionRow) -> CollectionDump {
    let collection = row.collection;
    let mut list: Vec<ItemRow> = Vec::new();
    loop {
        let after = list.last().map(|row| row.item);
        let page = block_on(view.list(collection, after, LIMIT, Want::BAG)).unwrap();
        goes_on(&page, list.len());
        list.extend(page.rows);
        if !page.more {
            break;
        }
    }
    let mut created: Vec<ItemRow> = Vec::new();
    loop {
        let up_to = created.last().map_or(view.root().last_seq, |row| Seq(row.created_seq.0 - 1));
        let page = block_on(view.created(collection, Seq::ZERO, up_to, LIMIT, Want::BAG)).unwrap();
        goes_on(&page, created.len());
        created.extend(page.rows);
        if !page.more {
            break;
        }
    }
    let mut changes: Vec<ChangeRow> = Vec::new();
    loop {
        let after = changes.last().map_or(Seq::ZERO, ChangeRow::seq);
        let page = block_on(view.changes(collection, after, LIMIT, Want::BAG)).unwrap();
        goes_on(&page, changes.len());
        changes.extend(page.rows);
        if !page.more {
            break;
        }
    }
    let keys = (0..FIELDS).flat_map(|field| dump_keys(view, collection, field)).collect();
    CollectionDump { row, list, created, changes, keys }
}

fn dump_keys(view: &mut dyn Snapshot, collection: CollectionId, field: u32) -> Vec<(u32, Bytes, ItemId)> {
    let mut keys: Vec<(u32, Bytes, ItemId)> = Vec::new();
    loop {
        let after = keys.last().map(|(_, value, item)| (&value[..], *item));
        let read = view.keys(collection, field, &KeyRange::ALL, Direction::Ascending, after, LIMIT);
        let page = block_on(read).unwrap();
        goes_on(&page, keys.len());
        keys.extend(page.rows.into_iter().map(|(value, item)| (field, value, item)));
        if !page.more {
            return keys;
        }
    }
}

fn dump_names(view: &mut dyn Snapshot, scope: u64) -> Vec<(u64, Bytes, u64)> {
    let mut names: Vec<(u64, Bytes, u64)> = Vec::new();
    loop {
        let after = names.last().map(|(_, name, _)| name.clone());
        let page = block_on(view.names(scope, after.as_deref(), LIMIT)).unwrap();
        goes_on(&page, names.len());
        names.extend(page.rows.into_iter().map(|(name, target)| (scope, name, target)));
        if !page.more {
            return names;
        }
    }
}
