//! Finding items in several folders at once: what search folders show.

use std::collections::BTreeSet;

use model::{CollectionId, ItemFlags, ItemId, Predicate, Seq, SortKey, limits};
use store::Want;

use crate::access::FolderRights;
use crate::query::{Hit, sort_keys};
use crate::{EngineError, Folder, Found, ItemView, Query, SyncScope, View};

/// Folders that one search looks into; those made later are left out.
pub const SEARCHED_FOLDERS_MAX: usize = 10_000;

/// What a search folder searches.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// The folders to look into; those that are gone are passed over.
    pub bases: Vec<CollectionId>,
    /// Whether the folders inside them are looked into as well.
    pub deep: bool,
    /// Which items.
    pub predicate: Predicate,
}

impl View {
    /// Finds the items of a search that fit `query`, too. Newest first where the query has no order. Reads the searched
    /// folders once, a page at a time, and keeps ids and sort keys of the hits. Associated items, other search
    /// folders, and folders that may not be read are not looked at.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn search(&mut self, search: &Search, query: &Query) -> Result<Found, EngineError> {
        if query.scope == SyncScope::Associated {
            return Ok(Found { rows: Vec::new(), total: 0 });
        }
        let mut hits: Vec<(Seq, Hit)> = Vec::new();
        self.scan(search, |view| {
            if query.predicate.holds(view) {
                let keys = sort_keys(view, &query.sort);
                hits.push((view.row().created_seq, Hit { item: view.row().item, keys }));
            }
        })
        .await?;
        hits.sort_by_key(|(born, _)| std::cmp::Reverse(*born));
        if !query.sort.is_empty() {
            hits.sort_by(|(_, left), (_, right)| SortKey::order(&query.sort, left, right));
        }
        let total = hits.len();
        let ids: Vec<ItemId> = hits.iter().skip(query.offset).take(query.limit).map(|(_, hit)| hit.item).collect();
        let rows = self.items(&ids).await?.into_iter().flatten().collect();
        Ok(Found { rows, total })
    }

    /// How many items a search finds, and how many of them are unread. Costs as [`Self::search`].
    ///
    /// # Errors
    /// When the store fails.
    pub async fn search_counts(&mut self, search: &Search) -> Result<(u64, u64), EngineError> {
        let (mut total, mut unread) = (0, 0);
        self.scan(search, |view| {
            total += 1;
            unread += u64::from(!view.row().flags.has(ItemFlags::READ));
        })
        .await?;
        Ok((total, unread))
    }

    /// Shows every item of a search. Of one that cannot be read nothing holds.
    async fn scan(&mut self, search: &Search, mut found: impl FnMut(&ItemView<'_>) + Send) -> Result<(), EngineError> {
        let access = self.access().await?;
        let readable = |folder: &CollectionId| access.rights(*folder).has(FolderRights::READ_ANY);
        for folder in searched(&self.every_folder().await?, search).into_iter().filter(readable) {
            let mut up_to = self.position();
            loop {
                let page = self.snapshot.created(folder, Seq::ZERO, up_to, limits::PAGE_ROWS_MAX, Want::BAG).await?;
                for row in page.rows.iter().filter(|row| !row.flags.has(ItemFlags::ASSOCIATED)) {
                    if let Ok(view) = ItemView::new(row)
                        && search.predicate.holds(&view)
                    {
                        found(&view);
                    }
                }
                let Some(last) = page.rows.last().filter(|_| page.more) else { break };
                up_to = Seq(last.created_seq.0.saturating_sub(1));
            }
        }
        Ok(())
    }
}

/// The folders that a search looks into, each once. Costs the number of folders, a level at a time.
fn searched(folders: &[Folder], search: &Search) -> BTreeSet<CollectionId> {
    let mut inside: BTreeSet<CollectionId> = search.bases.iter().copied().collect();
    let mut found = if search.deep { inside.len() } else { 0 };
    while found > 0 {
        let under = |folder: &&Folder| folder.parent().is_some_and(|parent| inside.contains(&parent));
        let below: Vec<CollectionId> = folders.iter().filter(under).map(Folder::id).collect();
        let before = inside.len();
        inside.extend(below);
        found = inside.len() - before;
    }
    let plain = folders.iter().filter(|folder| !folder.is_search()).map(Folder::id);
    plain.filter(|id| inside.contains(id)).take(SEARCHED_FOLDERS_MAX).collect()
}
