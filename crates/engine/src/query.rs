//! Finding items of a folder by condition and order.

use model::{Bag, CollectionId, ItemFlags, ItemId, Predicate, PropertyKey, Row, Seq, SortKey, Value, limits};
use store::{ItemRow, Want};

use crate::{EngineError, FolderRights, ItemView, SyncScope, View};

/// What to find.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Which items.
    pub predicate: Predicate,
    /// In which order; newest first where it is empty, and among equals.
    pub sort: Vec<SortKey>,
    /// How many of the hits to pass over.
    pub offset: usize,
    /// How many hits to return at most.
    pub limit: usize,
    /// Normal items, associated ones, or both.
    pub scope: SyncScope,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The hits of this page, with their bags.
    pub rows: Vec<ItemRow>,
    /// All hits.
    pub total: usize,
}

impl View {
    /// Finds items of a folder. Without a condition and an order it costs `offset + limit` rows; otherwise it reads
    /// the folder once, a page at a time, and keeps the ids and sort keys of the hits.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; [`EngineError::AccessDenied`] where the items may not all be read; when the store
    /// fails.
    pub async fn find(&mut self, folder: CollectionId, query: &Query) -> Result<Found, EngineError> {
        let collection = self.collection(folder).await?;
        self.require(folder, FolderRights::READ_ANY).await?;
        let plain = query.predicate == Predicate::True && query.sort.is_empty();
        let total = match query.scope {
            SyncScope::Normal => collection.items,
            SyncScope::Associated => collection.associated,
            SyncScope::NormalAndAssociated => collection.items + collection.associated,
        } as usize;
        let end = query.offset.saturating_add(query.limit);
        let (mut hits, mut up_to) = (Vec::<Hit>::new(), self.position());
        let want = if plain { Want::HOT } else { Want::BAG };
        loop {
            let page = self.snapshot.created(folder, Seq::ZERO, up_to, limits::PAGE_ROWS_MAX, want).await?;
            if let Some(last) = page.rows.last() {
                up_to = Seq(last.created_seq.0.saturating_sub(1));
            }
            for row in page.rows {
                let associated = row.flags.has(ItemFlags::ASSOCIATED);
                // Of an item that cannot be read nothing holds. Where all are asked for it is there, and fails alone.
                let view = if plain { None } else { ItemView::new(&row).ok() };
                let fits = view.map_or(query.predicate == Predicate::True, |view| query.predicate.holds(&view));
                if !query.scope.takes(associated) || !fits {
                    continue;
                }
                let keys = view.map(|view| sort_keys(&view, &query.sort)).unwrap_or_default();
                hits.push(Hit { item: row.item, keys });
            }
            if !page.more || plain && hits.len() >= end {
                break;
            }
        }
        if !query.sort.is_empty() {
            hits.sort_by(|left, right| SortKey::order(&query.sort, left, right));
        }
        let total = if plain { total } else { hits.len() };
        let ids: Vec<ItemId> = hits.into_iter().skip(query.offset).take(query.limit).map(|hit| hit.item).collect();
        let rows = self.items(&ids).await?.into_iter().flatten().collect();
        Ok(Found { rows, total })
    }
}

/// A hit, with the values by which it is sorted and no others.
pub(crate) struct Hit {
    pub(crate) item: ItemId,
    pub(crate) keys: Bag,
}

impl Row for Hit {
    fn value(&self, key: &PropertyKey) -> Option<Value> {
        self.keys.get(key).cloned()
    }
}

pub(crate) fn sort_keys(view: &ItemView<'_>, sort: &[SortKey]) -> Bag {
    sort.iter().filter_map(|sort| Some((sort.key.clone(), view.value(&sort.key)?))).collect()
}
