//! Removing rows of lists: for good, or into the recycle bin of the site.

use model::{Bag, BagRef, Guid, ItemFlags, ItemId, Value, limits};
use store::{Commit, Guard, ItemRow, StoreError, Write};

use crate::list_keys::{ROW_FOLDER, ROW_PATH};
use crate::row::{SCOPE_PATHS, check_version, list_stays, note, rows_where};
use crate::site_rights::{OWN_ROLES, SCOPE_UNIQUE, SiteMask, unique_name};
use crate::{EngineError, Site, recycle_bin};

/// Rows that one removal takes: each may need so many writes to come back, and comes back in one commit.
const ROWS_MAX: usize = limits::COMMIT_WRITES_MAX / recycle_bin::RESTORE_WRITES_MAX - 8;

/// Where rows go that are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nowhere.
    ForGood,
    /// To the recycle bin, where there is one.
    Recycle,
}

/// Which rows of a list go along with one that is removed, beside what lies in it.
pub type Along<'a> = dyn Fn(&ItemRow, &Bag) -> bool + Sync + 'a;

impl Site {
    /// Deletes a row for good; a folder with everything in it. See [`Self::remove_row`].
    ///
    /// # Errors
    /// As [`Self::remove_row`].
    pub async fn delete_row(&self, id: ItemId, expected: Option<i32>) -> Result<(), EngineError> {
        self.remove_row(id, expected, Removal::ForGood, None).await.map(drop)
    }

    /// Removes a row; a folder with everything in it, and in either case what goes along. One commit, so all of it or
    /// nothing. Returns the entry of the recycle bin that holds it now. Costs the rows removed; for a folder, and where
    /// something may go along, one reading of the list.
    ///
    /// # Errors
    /// [`EngineError::NoItem`], [`EngineError::Stale`]; [`EngineError::AccessDenied`] where one of the rows may not be
    /// deleted; [`EngineError::TooLarge`] for more rows than a commit takes
    /// (about [`limits::COMMIT_WRITES_MAX`] / 6); when the store fails.
    pub async fn remove_row(
        &self,
        id: ItemId,
        expected: Option<i32>,
        how: Removal,
        along: Option<&Along<'_>>,
    ) -> Result<Option<Guid>, EngineError> {
        let entry = match how {
            Removal::Recycle if self.has_recycle_bin() => Some(self.engine().random().guid()),
            Removal::Recycle | Removal::ForGood => None,
        };
        for _ in 0..limits::CONFLICT_RETRIES_MAX {
            let mut view = self.begin_all().await?;
            let row = view.item(id).await?;
            let access = self.access_in(&mut view, row.collection).await?;
            self.check_row(&mut view, (row.collection, id), &row.bag, SiteMask::DELETE_ITEMS).await?;
            let bag = Bag::decode(&row.bag)?;
            check_version(&row, &bag, expected)?;
            let mut commit = Commit::new(self.root(), self.engine().now());
            let mut rows = vec![(row.clone(), bag.clone())];
            let folder = row.flags.has(ItemFlags::FOLDER).then(|| bag.text(&ROW_PATH).unwrap_or_default());
            if folder.is_some() || along.is_some() {
                commit.guards.push(list_stays(&mut view, row.collection).await?);
                let goes = |own: &ItemRow, bag: &Bag| {
                    let inside = folder.is_some_and(|folder| lies_in(bag, folder));
                    own.item != id && (inside || along.is_some_and(|along| along(own, bag)))
                };
                rows.extend(rows_where(&mut view, row.collection, &goes).await?);
            }
            for (row, _) in &rows {
                if !access.of_row(&BagRef::new(&row.bag)?).has(SiteMask::DELETE_ITEMS) {
                    return Err(EngineError::AccessDenied);
                }
            }
            if rows.len() > ROWS_MAX {
                return Err(EngineError::TooLarge("folder"));
            }
            if let Some(entry) = entry {
                let list = view.list(row.collection).await?;
                recycle_bin::push_rows(self, &mut view, &mut commit, entry, &list, &rows).await?;
            }
            drop(view);
            for (row, bag) in &rows {
                commit.guards.push(Guard::ItemAt(row.item, row.seq));
                if let Some(path) = bag.text(&ROW_PATH) {
                    let name = path.to_lowercase().into_bytes().into();
                    commit.writes.push(Write::DropName { scope: SCOPE_PATHS + row.collection.0, name });
                }
                if entry.is_none() && bag.get(&OWN_ROLES).is_some() {
                    let scope = SCOPE_UNIQUE + row.collection.0;
                    commit.writes.push(Write::DropName { scope, name: unique_name(row.flags, row.item) });
                }
                commit.writes.push(Write::DeleteItem { item: row.item, note: note(bag) });
            }
            match self.commit_rows(commit).await {
                Ok(_) => return Ok(entry),
                Err(StoreError::Conflict { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(EngineError::Contended)
    }
}

/// Whether a row lies in a folder of its list or below it.
fn lies_in(bag: &Bag, folder: &str) -> bool {
    let folder = folder.to_lowercase();
    let inside = |path: &str| {
        let path = path.to_lowercase();
        path.strip_prefix(&folder).is_some_and(|rest| rest.starts_with('/'))
    };
    match (bag.text(&ROW_PATH), bag.get(&ROW_FOLDER).and_then(Value::as_text)) {
        (Some(path), _) => inside(path),
        (None, Some(own)) => own.to_lowercase() == folder || inside(own),
        (None, None) => false,
    }
}
