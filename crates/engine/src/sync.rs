//! Synchronising the items of a folder by token.
//!
//! A state at rest is two marks: creations are known up to one, changes up to the other. Draining it over pages walks
//! the creations, newest first, then the changes, oldest first. What kind of change an entry is follows from the marks
//! and from where the drain began, never from the cursor between two pages: an item that was created before the cursor
//! may have been passed over, because it had moved on by then.

use std::collections::HashSet;

use model::{CollectionId, ItemFlags, ItemId, Seq, limits};
use store::{ChangeRow, CollectionRow, Epoch, ItemRow, RootRow, Snapshot, Tombstone, TombstoneKind, Want};

use crate::token::{Drain, Marks, Phase, Subject, SyncState};
use crate::window::Pane;
use crate::{EngineError, FolderRights, Mailbox, StateFault, Window};

#[cfg(test)]
mod convergence;

/// Entries that one page looks at: those it returns and those it passes over. A page that reaches it ends early.
const SCAN_ROWS_MAX: usize = if cfg!(test) { 256 } else { 1 << 16 };
/// How often the association of an item may have flipped since a state before its Update comes as a Create.
const FLIPS_MAX: usize = 64;

/// Which items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncScope {
    /// Without the associated ones.
    Normal,
    /// The associated ones alone. Not for synchronising; for finding.
    Associated,
    /// All.
    NormalAndAssociated,
}

impl SyncScope {
    /// Whether an item with this association is in the scope.
    pub const fn takes(self, associated: bool) -> bool {
        match self {
            Self::Normal => !associated,
            Self::Associated => associated,
            Self::NormalAndAssociated => true,
        }
    }
}

/// A question: what changed in a folder since a state.
#[derive(Clone, Copy, Debug)]
pub struct SyncItems<'a> {
    /// The folder.
    pub folder: CollectionId,
    /// The state as it was given out; `None` for a first sync.
    pub state: Option<&'a [u8]>,
    /// Items that are passed over.
    pub ignore: &'a [ItemId],
    /// Changes in the answer at most: 1 to [`model::limits::SYNC_CHANGES_MAX`].
    pub limit: u32,
    /// Which items. The state remembers it.
    pub scope: SyncScope,
    /// Whether the rows of the answer carry their bags.
    pub bag: bool,
}

/// One net change.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemSyncChange {
    /// The state did not know the item.
    Create(ItemRow),
    /// More than its read flag changed.
    Update(ItemRow),
    /// Only its read flag changed.
    ReadFlag {
        /// Which.
        item: ItemId,
        /// Its position now.
        seq: Seq,
        /// The flag now.
        read: bool,
    },
    /// It went.
    Delete(ItemId),
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncPage {
    /// The state to ask from next. Asking from an older one again gives its answer again.
    pub state: Vec<u8>,
    /// Whether nothing is left to fetch.
    pub last: bool,
    /// The changes, each item at most once.
    pub changes: Vec<ItemSyncChange>,
}

impl Mailbox {
    /// What changed in a folder since a state. Costs the changes returned, and the entries passed over: those that
    /// were ignored, lie outside the scope, or changed again during the drain.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`] when the folder is not there; [`EngineError::AccessDenied`] where its items may not
    /// all be read; [`EngineError::InvalidState`]; when the store fails.
    pub async fn sync_items(&self, ask: SyncItems<'_>) -> Result<SyncPage, EngineError> {
        #[cfg(feature = "deliberate-faults")]
        let judge = self.engine().judge;
        #[cfg(not(feature = "deliberate-faults"))]
        let judge = Judge::Marks;
        self.sync_items_by(ask, Window::default(), judge).await
    }

    /// As [`Self::sync_items`], for the newest items of the folder alone. The window is made by the first call, as its
    /// states remember; later ones name the same, or none. Making it by number reads the folder once; what lies outside
    /// counts among the entries passed over.
    ///
    /// # Errors
    /// As [`Self::sync_items`]; [`EngineError::InvalidState`] for the state of another window.
    pub async fn sync_items_within(&self, ask: SyncItems<'_>, window: Window) -> Result<SyncPage, EngineError> {
        #[cfg(feature = "deliberate-faults")]
        let judge = self.engine().judge;
        #[cfg(not(feature = "deliberate-faults"))]
        let judge = Judge::Marks;
        self.sync_items_by(ask, window, judge).await
    }

    pub(crate) async fn sync_items_by(
        &self,
        ask: SyncItems<'_>,
        window: Window,
        judge: Judge,
    ) -> Result<SyncPage, EngineError> {
        let mut view = self.begin().await?;
        let collection = view.collection(ask.folder).await?;
        view.require(ask.folder, FolderRights::READ_ANY).await?;
        let now = view.position();
        let (marks, pane) = match ask.state {
            Some(bytes) if !bytes.is_empty() => {
                let state = self.engine().sealer().open(bytes).map_err(EngineError::InvalidState)?;
                let epochs = view.epochs_for(state.epoch).await?;
                let root = view.snapshot.root();
                marks_for(&state, root, epochs.as_deref(), &collection, (ask.scope, window))
                    .map_err(EngineError::InvalidState)?
            }
            // A first sync: no item is known, and no earlier change is of interest.
            Some(_) | None => {
                let marks = Marks { created: Seq::ZERO, changed: now, drain: None };
                let pane = match window.is_open() {
                    true => None,
                    false => Some(view.pane(ask.folder, ask.scope, window, self.engine().now()).await?),
                };
                (marks, pane)
            }
        };
        let mut walk = Walk {
            snapshot: &mut *view.snapshot,
            ask: &ask,
            ignored: ask.ignore.iter().copied().collect(),
            marks,
            pane,
            judge,
            changes: Vec::new(),
            seen: HashSet::new(),
            scanned: 0,
        };
        let marks = walk.page(collection.items_seq, now).await?;
        let mut changes = walk.changes;
        if ask.bag {
            read_bags(&mut *view.snapshot, &mut changes).await?;
        }
        let state = SyncState {
            mailbox: view.guid(),
            epoch: view.snapshot.root().epoch,
            issued: now,
            subject: Subject::Items { folder: ask.folder, scope: ask.scope, marks, pane },
        };
        Ok(SyncPage { state: self.engine().sealer().seal(&state), last: marks.drain.is_none(), changes })
    }
}

/// The marks and the window of a state, where it is one for this folder and scope that can be served. An open window
/// fits every state.
pub(crate) fn marks_for(
    state: &SyncState,
    root: &RootRow,
    epochs: Option<&[Epoch]>,
    collection: &CollectionRow,
    (scope, window): (SyncScope, Window),
) -> Result<(Marks, Option<Pane>), StateFault> {
    let Subject::Items { folder, scope: of, marks, pane } = &state.subject else { return Err(StateFault::Mismatch) };
    if (state.mailbox, *folder, *of) != (root.guid, collection.collection, scope) {
        return Err(StateFault::Mismatch);
    }
    if !window.is_open() && pane.is_none_or(|pane| pane.window != window) {
        return Err(StateFault::Mismatch);
    }
    state.check_timeline(epochs, root.last_seq)?;
    if marks.oldest() < collection.purged_seq { Err(StateFault::Expired) } else { Ok((*marks, *pane)) }
}

/// Fills in the bags of the items that are returned and were read without theirs, in one read.
async fn read_bags(snapshot: &mut dyn Snapshot, changes: &mut [ItemSyncChange]) -> Result<(), EngineError> {
    let mut rows: Vec<&mut ItemRow> = changes
        .iter_mut()
        .filter_map(|change| match change {
            ItemSyncChange::Create(row) | ItemSyncChange::Update(row) => row.bag.is_empty().then_some(row),
            ItemSyncChange::ReadFlag { .. } | ItemSyncChange::Delete(_) => None,
        })
        .collect();
    let ids: Vec<ItemId> = rows.iter().map(|row| row.item).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let full = snapshot.items(&ids, Want::BAG).await?;
    for (row, full) in rows.iter_mut().zip(full) {
        if let Some(full) = full {
            **row = full;
        }
    }
    Ok(())
}

/// Against what the kind of a change is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// The marks.
    Marks,
    /// The cursor between two pages, which is wrong: the tests show that they would notice.
    #[cfg(any(test, feature = "deliberate-faults"))]
    Cursor,
}

/// One page on its way.
struct Walk<'a, 'v> {
    snapshot: &'v mut dyn Snapshot,
    ask: &'a SyncItems<'a>,
    ignored: HashSet<ItemId>,
    marks: Marks,
    pane: Option<Pane>,
    #[cfg_attr(
        not(any(test, feature = "deliberate-faults")),
        expect(dead_code, reason = "there is one way outside tests")
    )]
    judge: Judge,
    changes: Vec<ItemSyncChange>,
    /// Items that the page has told of, of those that may turn up again.
    seen: HashSet<ItemId>,
    scanned: usize,
}

impl Walk<'_, '_> {
    /// Collects the changes of one page and returns the marks behind it.
    async fn page(&mut self, items_seq: Seq, now: Seq) -> Result<Marks, EngineError> {
        let rest = Marks { created: now, changed: now, drain: None };
        let drain = match self.marks.drain {
            Some(drain) => drain,
            // Nothing has been written since: the two walks would find nothing.
            None if items_seq <= self.marks.created => return Ok(rest),
            None => Drain { until: now, phase: Phase::Creates, cursor: now },
        };
        let mut cursor = drain.cursor;
        if drain.phase == Phase::Creates {
            if let Some(cursor) = self.creates(drain).await? {
                return Ok(Marks { drain: Some(Drain { cursor, ..drain }), ..self.marks });
            }
            cursor = self.marks.changed;
        }
        let drain = Drain { phase: Phase::Changes, cursor, ..drain };
        if let Some(cursor) = self.changes(drain).await? {
            return Ok(Marks { drain: Some(Drain { cursor, ..drain }), ..self.marks });
        }
        Ok(Marks { created: drain.until, changed: now, drain: None })
    }

    /// Walks the creations. Returns the cursor where the page ends before they do.
    async fn creates(&mut self, drain: Drain) -> Result<Option<Seq>, EngineError> {
        #[cfg(any(test, feature = "deliberate-faults"))]
        if self.judge == Judge::Cursor && self.marks.created != Seq::ZERO {
            return Ok(None);
        }
        let mut cursor = drain.cursor;
        loop {
            let (folder, above) = (self.ask.folder, self.marks.created);
            // Nearly all of them are returned, with their bags.
            let want = if self.ask.bag { Want::BAG } else { self.want() };
            let page = self.snapshot.created(folder, above, cursor, self.rows_wanted(), want).await?;
            for row in page.rows {
                let before = Seq(row.created_seq.0.saturating_sub(1));
                if self.takes(row.item, row.flags) && self.is_inside(&row) {
                    if self.is_full() {
                        return Ok(Some(cursor));
                    }
                    self.seen.insert(row.item);
                    let knew = self.knew(&row).await?;
                    self.changes.push(if knew { ItemSyncChange::Update(row) } else { ItemSyncChange::Create(row) });
                }
                (cursor, self.scanned) = (before, self.scanned + 1);
            }
            if !page.more {
                return Ok(None);
            }
            if self.scanned >= SCAN_ROWS_MAX {
                return Ok(Some(cursor));
            }
        }
    }

    /// Walks the changes. Returns the cursor where the page ends before they do.
    async fn changes(&mut self, drain: Drain) -> Result<Option<Seq>, EngineError> {
        let mut cursor = drain.cursor;
        loop {
            let page = self.snapshot.changes(self.ask.folder, cursor, self.rows_wanted(), self.want()).await?;
            for entry in page.rows {
                let seq = entry.seq();
                let change = match entry {
                    ChangeRow::Item(row) => self.changed(row, drain),
                    ChangeRow::Gone(tombstone) => self.went(&tombstone, drain).await?,
                };
                if let Some(change) = change {
                    if self.is_full() {
                        return Ok(Some(cursor));
                    }
                    if let ItemSyncChange::Delete(item) = change {
                        self.seen.insert(item);
                    }
                    self.changes.push(change);
                }
                (cursor, self.scanned) = (seq, self.scanned + 1);
            }
            if !page.more {
                return Ok(None);
            }
            if self.scanned >= SCAN_ROWS_MAX {
                return Ok(Some(cursor));
            }
        }
    }

    /// What a row in the change range means to the client.
    fn changed(&self, row: ItemRow, drain: Drain) -> Option<ItemSyncChange> {
        if !self.takes(row.item, row.flags) || !self.is_inside(&row) || self.seen.contains(&row.item) {
            return None;
        }
        #[cfg(any(test, feature = "deliberate-faults"))]
        if self.judge == Judge::Cursor {
            return Some(match () {
                () if row.created_seq > drain.cursor => ItemSyncChange::Create(row),
                () if row.content_seq > drain.cursor => ItemSyncChange::Update(row),
                () => ItemSyncChange::ReadFlag { item: row.item, seq: row.seq, read: row.flags.has(ItemFlags::READ) },
            });
        }
        let base = if row.created_seq <= self.marks.created {
            self.marks.changed
        } else if row.created_seq <= drain.until && row.seq > drain.until {
            drain.until
        } else {
            // It was sent as it is, or it will be a creation of the next drain.
            return None;
        };
        Some(if row.content_seq > base {
            ItemSyncChange::Update(row)
        } else {
            ItemSyncChange::ReadFlag { item: row.item, seq: row.seq, read: row.flags.has(ItemFlags::READ) }
        })
    }

    /// What a tombstone in the change range means to the client.
    async fn went(&mut self, gone: &Tombstone, drain: Drain) -> Result<Option<ItemSyncChange>, EngineError> {
        let rescoped = match gone.kind {
            TombstoneKind::Deleted | TombstoneKind::Moved => false,
            TombstoneKind::Rescoped => true,
            TombstoneKind::Renamed | TombstoneKind::Restored | TombstoneKind::SystemUpdated => return Ok(None),
        };
        if !self.takes(gone.item, gone.flags) || self.seen.contains(&gone.item) {
            return Ok(None);
        }
        #[cfg(any(test, feature = "deliberate-faults"))]
        if self.judge == Judge::Cursor {
            return Ok((gone.created_seq <= drain.cursor).then_some(ItemSyncChange::Delete(gone.item)));
        }
        let sent = gone.created_seq <= self.marks.created || gone.created_seq <= drain.until && gone.seq > drain.until;
        if !sent {
            return Ok(None);
        }
        if self.pane.is_some_and(|pane| !pane.took(gone)) {
            return Ok(None);
        }
        // An item that left the scope before the drain began, and was back by then, came with the creations as an
        // Update.
        if rescoped && gone.seq <= drain.until {
            let row = self.snapshot.items(&[gone.item], Want::HOT).await?.pop().flatten();
            self.scanned += 1;
            if row.is_some_and(|row| self.takes(row.item, row.flags) && row.created_seq <= drain.until) {
                return Ok(None);
            }
        }
        if rescoped && self.pane.is_some() {
            // The tombstone of a flip says nothing of its place; the item itself does, where it still is.
            let row = self.snapshot.items(&[gone.item], Want::BAG).await?.pop().flatten();
            self.scanned += 1;
            if row.is_some_and(|row| !self.is_inside(&row)) {
                return Ok(None);
            }
        }
        Ok(Some(ItemSyncChange::Delete(gone.item)))
    }

    /// Whether the client knows an item of the create walk all the same: its association flipped, which gave it a new
    /// `created_seq` under the same id. Each flip left a tombstone at the position before, which says what was before.
    async fn knew(&mut self, row: &ItemRow) -> Result<bool, EngineError> {
        let (mut created, mut flags) = (row.created_seq, row.flags);
        for _ in 0..FLIPS_MAX {
            if created <= self.marks.created {
                return Ok(self.ask.scope.takes(flags.has(ItemFlags::ASSOCIATED)));
            }
            // Most items never flipped; of those that did, flips up to the mark have been told.
            if created <= self.marks.changed || row.item.0 == created.0 {
                return Ok(false);
            }
            let after = Seq(created.0.saturating_sub(2));
            let page = self.snapshot.changes(self.ask.folder, after, 1, Want::HOT).await?;
            self.scanned += 1;
            match page.rows.into_iter().next() {
                Some(ChangeRow::Gone(gone))
                    if gone.item == row.item && gone.kind == TombstoneKind::Rescoped && gone.seq.next() == created =>
                {
                    (created, flags) = (gone.created_seq, gone.flags);
                }
                Some(ChangeRow::Gone(_) | ChangeRow::Item(_)) | None => return Ok(false),
            }
        }
        Ok(false)
    }

    fn takes(&self, item: ItemId, flags: ItemFlags) -> bool {
        self.ask.scope.takes(flags.has(ItemFlags::ASSOCIATED)) && !self.ignored.contains(&item)
    }

    fn is_inside(&self, row: &ItemRow) -> bool {
        self.pane.is_none_or(|pane| pane.takes(row))
    }

    /// What is read of rows: their place in a window lies in the bag.
    const fn want(&self) -> Want {
        if self.pane.is_some() { Want::BAG } else { Want::HOT }
    }

    fn limit(&self) -> usize {
        self.ask.limit.clamp(1, limits::SYNC_CHANGES_MAX) as usize
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= self.limit()
    }

    /// As many entries as there is room for and one, to see whether anything is left; more where many are passed over.
    fn rows_wanted(&self) -> usize {
        let room = self.limit().saturating_sub(self.changes.len());
        let passed_over = self.scanned.saturating_sub(self.changes.len());
        (room + 1).max(passed_over).min(limits::PAGE_ROWS_MAX)
    }
}
