//! Synchronising the rows of a list by token.
//!
//! A list token is the position up to which a client has seen everything. Rows are sent as they are now, so no kinds
//! are needed. Tokens are open: what they claim is checked, never trusted.

use std::collections::HashSet;

use bytes::Bytes;
use model::{BagRef, CollectionId, Guid, ItemId, Seq, Time, limits};
use store::{ChangeRow, CollectionRow, Epoch, ItemRow, RootRow, Snapshot, Tombstone, TombstoneKind, Want};

use crate::recycle_bin::restored_at;
use crate::site::list_keys;
use crate::site_rights::ListAccess;
use crate::{
    Engine, EngineError, ListCollection, Site, StateFault, View,
    token::{Issuer, ListToken},
};

/// Entries that one answer looks at. An answer that reaches it ends early.
const SCAN_ROWS_MAX: usize = 8 * limits::PAGE_ROWS_MAX;
/// Seconds by which the clock of another server of the same store may be ahead.
const CLOCK_SKEW_SECONDS_MAX: i64 = 86_400;

/// What the adapter says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It belongs to the answer.
    Take,
    /// It does not satisfy the query, lies in another folder or outside the scope.
    Leave,
}

/// A question: what changed in a list since a token.
pub struct ListSync<'a> {
    /// The list.
    pub list: CollectionId,
    /// From this position.
    pub token: &'a ListToken,
    /// Rows in the answer at most.
    pub rows_max: usize,
    /// Whether a row belongs to the answer. Called once a changed row.
    pub judge: &'a (dyn Fn(&ItemRow) -> Verdict + Sync),
}

/// One entry that is not a row.
#[derive(Clone, Debug, PartialEq)]
pub struct ListChange {
    /// What happened. [`TombstoneKind::Deleted`] also for a changed row that the query no longer takes.
    pub kind: TombstoneKind,
    /// To which row.
    pub item: ItemId,
    /// Its UniqueId, when known.
    pub unique_id: Option<Guid>,
    /// The property `vti_clientid` it had.
    pub client_id: Option<String>,
    /// Where it went, for [`TombstoneKind::Moved`].
    pub moved_to: Option<(CollectionId, ItemId)>,
    /// At which position.
    pub seq: Seq,
    /// When, where that is known: not for a row that the query no longer takes.
    pub at: Option<Time>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ListSyncPage {
    /// Changed rows that were taken, in ascending order of their position, each once.
    pub rows: Vec<ItemRow>,
    /// What else happened, in ascending order of position.
    pub changes: Vec<ListChange>,
    /// The token to ask from next.
    pub token: ListToken,
    /// Whether there is more to fetch at once.
    pub more: bool,
    /// Whether the list itself changed since the token.
    pub schema_changed: bool,
}

impl Site {
    /// What changed in a list since a token. Costs the entries looked at: those returned, and changed rows that are
    /// left out.
    ///
    /// # Errors
    /// [`EngineError::NoCollection`]; [`EngineError::InvalidState`] with [`StateFault::Mismatch`] for another list's
    /// token, [`StateFault::Expired`], [`StateFault::LostTimeline`], [`StateFault::Restored`]; when the store fails.
    pub async fn sync_list(&self, ask: ListSync<'_>) -> Result<ListSyncPage, EngineError> {
        let mut view = self.begin().await?;
        let list = view.list(ask.list).await?;
        let since = position_of(&mut *view.snapshot, &list, ask.token, self.engine()).await?;
        if restored_at(&list).is_some_and(|restored| since <= restored) {
            return Err(EngineError::InvalidState(StateFault::Restored));
        }
        let access = list.access.clone();
        let mut walk = Walk { access, ask: &ask, since, rows: Vec::new(), changes: Vec::new(), marks: Vec::new() };
        let end = walk.page(&mut *view.snapshot).await?;
        let (rows, changes) = walk.settle(&mut *view.snapshot).await?;
        Ok(ListSyncPage {
            rows,
            changes,
            token: self.issuer(&view).token(list.guid(), end.unwrap_or(view.position())),
            more: end.is_some(),
            schema_changed: list.row.seq > since,
        })
    }

    /// Issues tokens of the moment of a view. A tokenless listing takes the position of its first page.
    pub fn issuer(&self, view: &View) -> Issuer {
        Issuer { epoch: view.snapshot.root().epoch, at: self.engine().latest() }
    }

    /// The token of a position of a list, as [`Self::issuer`] issues it.
    pub fn list_token(&self, view: &View, list: Guid, position: Seq) -> ListToken {
        self.issuer(view).token(list, position)
    }
}

/// The position a token stands for, where it is one of this list that can be served.
pub(crate) async fn position_of(
    snapshot: &mut dyn Snapshot,
    list: &ListCollection,
    token: &ListToken,
    engine: &Engine,
) -> Result<Seq, EngineError> {
    let (now, retention_seconds) = (engine.now(), engine.settings().retention_seconds);
    if token.list != list.guid() {
        return Err(EngineError::InvalidState(StateFault::Mismatch));
    }
    let position = match token.position {
        Some(position) => position,
        None if token.at < now.plus_seconds(-retention_seconds) => {
            return Err(EngineError::InvalidState(StateFault::Expired));
        }
        None => snapshot.position_at(engine.certain(token.at)).await?,
    };
    let epochs = snapshot.epochs().await?;
    check(token, position, &list.row, snapshot.root(), &epochs, engine).map_err(EngineError::InvalidState)?;
    Ok(position)
}

impl Engine {
    /// A time before which nobody's clock has shown this one.
    pub fn certain(&self, time: Time) -> Time {
        time.plus_seconds(-self.settings().clock_skew_seconds)
    }
}

fn check(
    token: &ListToken,
    position: Seq,
    list: &CollectionRow,
    root: &RootRow,
    epochs: &[Epoch],
    engine: &Engine,
) -> Result<(), StateFault> {
    if position > root.last_seq || token.at > engine.now().plus_seconds(CLOCK_SKEW_SECONDS_MAX) {
        return Err(StateFault::LostTimeline);
    }
    if token.position.is_some() {
        match epochs.iter().rposition(|epoch| token.is_of(epoch.epoch)) {
            // An epoch ends where the next one begins: what was issued in it behind that place is of a lost timeline.
            Some(at) if epochs.get(at + 1).is_some_and(|next| position > next.first_seq) => {
                return Err(StateFault::LostTimeline);
            }
            Some(_) => {}
            None => check_by_time(token, position, epochs, engine)?,
        }
    }
    if position < list.purged_seq { Err(StateFault::Expired) } else { Ok(()) }
}

/// Checks a token that says of no known epoch that it was issued in it: those of an epoch that is lost or forgotten, those
/// that a client has made, and those of versions that did not say so. Only their time tells.
fn check_by_time(token: &ListToken, position: Seq, epochs: &[Epoch], engine: &Engine) -> Result<(), StateFault> {
    // What was issued behind the first position of a start cannot be older than the start. A token from behind the copy
    // from which a store was put back is, unless a clock was ahead.
    let begun = |epoch: &Epoch| epoch.at.plus_seconds(engine.settings().clock_skew_seconds);
    let older = |epoch: &Epoch| position > epoch.first_seq && token.earliest() < begun(epoch);
    if epochs.iter().any(older) {
        return Err(StateFault::LostTimeline);
    }
    // Of what was issued before the first start that is kept nobody knows any more from which one it is.
    let before = |first: &Epoch| position <= first.first_seq && token.at < first.at;
    if epochs.first().is_some_and(before) { Err(StateFault::Expired) } else { Ok(()) }
}

/// One answer on its way.
struct Walk<'a> {
    access: ListAccess,
    ask: &'a ListSync<'a>,
    since: Seq,
    rows: Vec<ItemRow>,
    changes: Vec<ListChange>,
    /// Which of the changes are marks of rows that may be gone by now.
    marks: Vec<ItemId>,
}

impl Walk<'_> {
    /// Collects one answer. Returns the last position looked at where the range goes on behind it.
    async fn page(&mut self, snapshot: &mut dyn Snapshot) -> Result<Option<Seq>, EngineError> {
        let rows_max = self.ask.rows_max.max(1);
        let (mut position, mut scanned) = (self.since, 0_usize);
        loop {
            let room = rows_max.saturating_sub(self.rows.len());
            let limit = (room + 1).max(scanned.saturating_sub(self.rows.len())).min(limits::PAGE_ROWS_MAX);
            let page = snapshot.changes(self.ask.list, position, limit, Want::BAG).await?;
            for entry in page.rows {
                let seq = entry.seq();
                match entry {
                    ChangeRow::Item(row) => match self.judge(&row) {
                        Verdict::Take if self.rows.len() >= rows_max => return Ok(Some(position)),
                        Verdict::Take => self.rows.push(row),
                        Verdict::Leave if !self.may_be_known(&row) => {}
                        Verdict::Leave if self.is_full() => return Ok(Some(position)),
                        Verdict::Leave => {
                            let change = change(TombstoneKind::Deleted, row.item, &row.bag, row.seq);
                            self.changes.push(change);
                        }
                    },
                    ChangeRow::Gone(gone) => {
                        if self.is_full() {
                            return Ok(Some(position));
                        }
                        self.went(gone);
                    }
                }
                (position, scanned) = (seq, scanned + 1);
            }
            if !page.more {
                return Ok(None);
            }
            if scanned >= SCAN_ROWS_MAX {
                return Ok(Some(position));
            }
        }
    }

    /// A row that may not be seen is left out like one that the query does not take.
    fn judge(&self, row: &ItemRow) -> Verdict {
        if self.access.shows(row) { (self.ask.judge)(row) } else { Verdict::Leave }
    }

    /// Whether the client may have a row that is left out now: it was there at the token, or it has changed since it
    /// came, and a listing of several pages showed it as it was in between.
    fn may_be_known(&self, row: &ItemRow) -> bool {
        row.created_seq <= self.since || row.seq != row.created_seq
    }

    fn went(&mut self, gone: Tombstone) {
        match gone.kind {
            TombstoneKind::Deleted | TombstoneKind::Moved => {}
            TombstoneKind::Rescoped => return,
            TombstoneKind::Renamed | TombstoneKind::Restored | TombstoneKind::SystemUpdated => {
                if self.changes.iter().any(|have| (have.item, have.kind) == (gone.item, gone.kind)) {
                    return;
                }
                self.marks.push(gone.item);
            }
        }
        let change = change(gone.kind, gone.item, &gone.note, gone.seq);
        self.changes.push(ListChange { moved_to: gone.moved_to, at: Some(gone.at), ..change });
    }

    fn is_full(&self) -> bool {
        self.changes.len() >= limits::LIST_CHANGE_IDS_MAX as usize
    }

    /// Takes out what later entries have overtaken: the deletion of a row that came back and is in the answer or went
    /// again, and the marks of rows that are gone or come as deleted.
    async fn settle(self, snapshot: &mut dyn Snapshot) -> Result<(Vec<ItemRow>, Vec<ListChange>), EngineError> {
        let taken: HashSet<ItemId> = self.rows.iter().map(|row| row.item).collect();
        let mut standing: HashSet<ItemId> = HashSet::new();
        for chunk in self.marks.chunks(limits::PAGE_ROWS_MAX) {
            let rows = snapshot.items(chunk, Want::HOT).await?;
            standing.extend(rows.iter().flatten().filter(|row| row.collection == self.ask.list).map(|row| row.item));
        }
        let is_end = |kind| matches!(kind, TombstoneKind::Deleted | TombstoneKind::Moved);
        let mut ended: HashSet<ItemId> = HashSet::new();
        let mut changes = Vec::with_capacity(self.changes.len());
        // From the latest to the earliest, so that the latest end of a row is the one that is told.
        for one in self.changes.into_iter().rev() {
            let stays = if is_end(one.kind) {
                ended.insert(one.item) && !taken.contains(&one.item)
            } else {
                standing.contains(&one.item) && (taken.contains(&one.item) || !ended.contains(&one.item))
            };
            if stays {
                changes.push(one);
            }
        }
        changes.reverse();
        Ok((self.rows, changes))
    }
}

fn change(kind: TombstoneKind, item: ItemId, bag: &Bytes, seq: Seq) -> ListChange {
    // A note that cannot be read takes nothing from the news itself.
    let bag = BagRef::new(bag).unwrap_or(BagRef::EMPTY);
    ListChange {
        kind,
        item,
        unique_id: bag.get(&list_keys::ROW_UNIQUE_ID).and_then(|value| value.as_guid()),
        client_id: bag.text(&list_keys::ROW_CLIENT_ID).filter(|text| !text.is_empty()).map(str::to_owned),
        moved_to: None,
        seq,
        at: None,
    }
}
