//! Walking the changes of the watched folders in the order of positions, and what each means to a client.
//!
//! All up to `base` is known to the client, and all up to `cursor` has been told; both are one but between two pages. Kinds
//! are judged against `base`. Between pages an item that changes once more comes once more: told twice is better than
//! never.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};

use model::{BagRef, CollectionId, ItemFlags, ItemId, Seq, Time, limits, tags};
use store::{ChangeRow, ItemRow, Snapshot, Tombstone, TombstoneKind, Want};

use super::{Change, EventKind, SubscriptionError, Watch};
use crate::hierarchy::parents_at;
use crate::origin::{Origin, Way};
use crate::{Access, EngineError, Folder, FolderRights, View};

/// Entries that one answer looks at: those it tells of and those it passes over. One that reaches it ends early.
const SCAN_ROWS_MAX: usize = if cfg!(test) { 64 } else { 1 << 14 };
/// Entries of one folder that are read at once.
const SOURCE_ROWS: usize = 32;
/// The beginning of the class of a folder of appointments.
const CALENDAR: &str = "IPF.Appointment";

/// An event, without its watermark.
pub(super) struct Seen {
    pub(super) position: Seq,
    pub(super) kind: EventKind,
    pub(super) change: Change,
    pub(super) at: Time,
}

/// What was found.
pub(super) struct Walked {
    /// In the order of positions.
    pub(super) events: Vec<Seen>,
    /// The last position that was looked at, where there is more behind it.
    pub(super) until: Option<Seq>,
}

/// The events after `cursor`, `limit` about.
pub(super) async fn walk(
    view: &mut View,
    watch: &Watch,
    (base, cursor): (Seq, Seq),
    limit: usize,
    now: Time,
) -> Result<Walked, SubscriptionError> {
    if view.position() <= cursor {
        return Ok(Walked { events: Vec::new(), until: None });
    }
    let access = view.access().await?;
    let folders = view.every_folder().await?;
    let watched = watched(&folders, watch, &access)?;
    kept(view, &folders, &watched, cursor)?;
    let mut tops = of_folders(view, watch, &folders, &watched, &access, (base, cursor), now).await?;
    let calendars = folders.iter().filter(|folder| folder.class().starts_with(CALENDAR)).map(Folder::id).collect();
    let mut walk = Walk {
        watch,
        access,
        watched: &watched,
        calendars,
        base,
        cursor,
        now,
        events: Vec::new(),
        told: HashSet::new(),
    };
    let mut merge = Merge::default();
    for folder in folders.iter().filter(|folder| watched.contains(&folder.id()) && folder.row.items_seq > cursor) {
        merge.add(&mut *view.snapshot, folder.id(), cursor).await?;
    }
    let mut chunk: VecDeque<(CollectionId, ChangeRow)> = VecDeque::new();
    let mut rows = HashMap::new();
    let (mut done, mut scanned) = (cursor, 0);
    loop {
        if chunk.is_empty() {
            chunk = merge.take(&mut *view.snapshot, limit.clamp(1, limits::PAGE_ROWS_MAX)).await?;
            scanned += chunk.len();
            rows = read(&mut *view.snapshot, &chunk).await?;
        }
        let next = [chunk.front().map(|(_, entry)| entry.seq()), tops.front().map(|seen| seen.position)];
        let Some(position) = next.into_iter().flatten().min() else {
            return Ok(Walked { events: walk.events, until: None });
        };
        if position > done && (walk.events.len() >= limit || scanned >= SCAN_ROWS_MAX && done > cursor) {
            return Ok(Walked { events: walk.events, until: Some(done) });
        }
        match chunk.pop_front_if(|(_, entry)| entry.seq() == position) {
            Some((folder, ChangeRow::Item(row))) => walk.stands(folder, &row, rows.get(&row.item)),
            Some((folder, ChangeRow::Gone(gone))) => walk.went(folder, &gone, &rows),
            None => walk.events.extend(tops.pop_front()),
        }
        done = position;
    }
}

/// Whether the history of what is watched is there from `cursor` on.
pub(super) async fn check_kept(view: &mut View, watch: &Watch, cursor: Seq) -> Result<(), SubscriptionError> {
    let access = view.access().await?;
    let folders = view.every_folder().await?;
    let watched = watched(&folders, watch, &access)?;
    kept(view, &folders, &watched, cursor)
}

fn kept(
    view: &View,
    folders: &[Folder],
    watched: &BTreeSet<CollectionId>,
    cursor: Seq,
) -> Result<(), SubscriptionError> {
    let mut purged = folders.iter().filter(|folder| watched.contains(&folder.id())).map(|folder| folder.row.purged_seq);
    let lost = view.snapshot.root().purged_seq > cursor || purged.any(|purged| purged > cursor);
    if lost { Err(SubscriptionError::Watermark) } else { Ok(()) }
}

/// The watched folders that are there. Those that are gone are passed over.
fn watched(folders: &[Folder], watch: &Watch, access: &Access) -> Result<BTreeSet<CollectionId>, EngineError> {
    let there = folders.iter().map(Folder::id);
    if watch.folders.is_empty() {
        return Ok(there.filter(|id| access.rights(*id).has(FolderRights::READ_ANY)).collect());
    }
    let named: BTreeSet<CollectionId> = watch.folders.iter().copied().collect();
    let watched: BTreeSet<CollectionId> = there.filter(|id| named.contains(id)).collect();
    watched.iter().try_for_each(|id| access.check(*id, FolderRights::READ_ANY))?;
    Ok(watched)
}

/// What happened to folders: to those that are watched, and to those that lie or lay in them.
async fn of_folders(
    view: &mut View,
    watch: &Watch,
    folders: &[Folder],
    watched: &BTreeSet<CollectionId>,
    access: &Access,
    (base, cursor): (Seq, Seq),
    now: Time,
) -> Result<VecDeque<Seen>, SubscriptionError> {
    let mut events = Vec::new();
    let mut push = |position, kind, change| {
        if watch.kinds.has(kind) && position > cursor {
            events.push(Seen { position, kind, change, at: now });
        }
    };
    let spans = view.snapshot.spans(cursor).await?;
    let before = parents_at(&spans, cursor);
    let all = watch.folders.is_empty();
    let concerns = |id: CollectionId, parents: &[Option<CollectionId>]| {
        all || watched.contains(&id) || parents.iter().flatten().any(|parent| watched.contains(parent))
    };
    for folder in folders.iter().filter(|folder| folder.row.items_seq > cursor) {
        // The root alone lies nowhere; nobody puts anything into it.
        let (id, row, Some(parent)) = (folder.id(), &folder.row, folder.parent()) else { continue };
        let change = |old_parent, unread| Change::Folder {
            folder: id,
            class: Some(folder.class().to_owned()),
            parent,
            old_parent,
            unread,
        };
        let (is_new, old_parent) = (row.created_seq > base, before.get(&id).copied().flatten());
        let moved = old_parent.filter(|old| !is_new && *old != parent);
        let mut told = cursor;
        if row.seq > cursor && access.sees(id) && concerns(id, &[Some(parent), moved]) {
            let kind = match moved {
                _ if is_new => Some(EventKind::Created),
                Some(_) => Some(EventKind::Moved),
                // Where what lies in it changed later, that says it too.
                None if row.items_seq > row.seq && watched.contains(&id) => None,
                None => Some(EventKind::Modified),
            };
            if let Some(kind) = kind {
                told = row.seq;
                let unread = (kind == EventKind::Modified).then_some(row.unread);
                push(row.seq, kind, change(moved, unread));
            }
        }
        if row.items_seq > told && watched.contains(&id) {
            push(row.items_seq, EventKind::Modified, change(None, Some(row.unread)));
        }
    }
    let there: BTreeSet<CollectionId> = folders.iter().map(Folder::id).collect();
    let mut gone = BTreeMap::new();
    for span in spans.iter().filter(|span| !there.contains(&span.collection)) {
        // Ids of folders are positions. The last of its spans says where it lay.
        if let (Some(to), true) = (span.to_seq, span.collection.0 <= cursor.0) {
            gone.insert(span.collection, (to, span.parent));
        }
    }
    let named: BTreeSet<CollectionId> = watch.folders.iter().copied().collect();
    for (folder, (position, parent)) in gone {
        // What a visitor was granted in a folder went with it.
        let concerned = named.contains(&folder) || access.visitor().is_none() && concerns(folder, &[parent]);
        if let (true, Some(parent)) = (concerned, parent) {
            let change = Change::Folder { folder, class: None, parent, old_parent: None, unread: None };
            push(position, EventKind::Deleted, change);
        }
    }
    events.sort_by_key(|seen| seen.position);
    Ok(events.into())
}

/// The rows, with their bags, of the items of a chunk and of where the moved ones went.
async fn read(
    snapshot: &mut dyn Snapshot,
    chunk: &VecDeque<(CollectionId, ChangeRow)>,
) -> Result<HashMap<ItemId, ItemRow>, EngineError> {
    let ids: Vec<ItemId> = chunk
        .iter()
        .filter_map(|(_, entry)| match entry {
            ChangeRow::Item(row) => Some(row.item),
            ChangeRow::Gone(gone) => gone.moved_to.map(|(_, item)| item),
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut rows = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(limits::PAGE_ROWS_MAX) {
        rows.extend(snapshot.items(ids, Want::BAG).await?.into_iter().flatten().map(|row| (row.item, row)));
    }
    Ok(rows)
}

/// The changes of several folders as one, by position.
#[derive(Default)]
struct Merge {
    sources: Vec<Source>,
    /// The next position of each source that has one.
    next: BinaryHeap<Reverse<(Seq, usize)>>,
}

struct Source {
    folder: CollectionId,
    rows: VecDeque<ChangeRow>,
    after: Seq,
    more: bool,
}

impl Merge {
    async fn add(&mut self, snapshot: &mut dyn Snapshot, folder: CollectionId, after: Seq) -> Result<(), EngineError> {
        let mut source = Source { folder, rows: VecDeque::new(), after, more: true };
        source.fill(snapshot).await?;
        let next = source.rows.front().map(|entry| Reverse((entry.seq(), self.sources.len())));
        self.next.extend(next);
        self.sources.push(source);
        Ok(())
    }

    /// The next `count` changes; fewer where there are no more.
    async fn take(
        &mut self,
        snapshot: &mut dyn Snapshot,
        count: usize,
    ) -> Result<VecDeque<(CollectionId, ChangeRow)>, EngineError> {
        let mut taken = VecDeque::new();
        while taken.len() < count {
            let Some(Reverse((_, at))) = self.next.pop() else { break };
            let Some(source) = self.sources.get_mut(at) else { break };
            taken.extend(source.rows.pop_front().map(|entry| (source.folder, entry)));
            source.fill(snapshot).await?;
            self.next.extend(source.rows.front().map(|entry| Reverse((entry.seq(), at))));
        }
        Ok(taken)
    }
}

impl Source {
    async fn fill(&mut self, snapshot: &mut dyn Snapshot) -> Result<(), EngineError> {
        if !self.rows.is_empty() || !self.more {
            return Ok(());
        }
        let page = snapshot.changes(self.folder, self.after, SOURCE_ROWS, Want::HOT).await?;
        self.after = page.rows.last().map_or(self.after, ChangeRow::seq);
        (self.rows, self.more) = (page.rows.into(), page.more);
        Ok(())
    }
}

/// An answer on its way.
struct Walk<'a> {
    watch: &'a Watch,
    access: Access,
    watched: &'a BTreeSet<CollectionId>,
    calendars: HashSet<CollectionId>,
    base: Seq,
    cursor: Seq,
    now: Time,
    events: Vec<Seen>,
    /// Items that this answer has told of as the end of a move, and which are no longer there.
    told: HashSet<ItemId>,
}

impl Walk<'_> {
    /// What an item means that stands at its position; `full` is its row with the bag.
    fn stands(&mut self, folder: CollectionId, row: &ItemRow, full: Option<&ItemRow>) {
        if row.flags.has(ItemFlags::ASSOCIATED) {
            return;
        }
        let bag = full.and_then(|full| BagRef::new(&full.bag).ok()).unwrap_or(BagRef::EMPTY);
        let class = class_of(bag);
        let is_new = row.created_seq > self.base;
        let is_content = row.content_seq > self.base;
        let origin = Origin::of(bag).filter(|_| is_new);
        let changed = || bag.get(&tags::LAST_MODIFICATION_TIME).and_then(|value| value.as_time());
        let at = match origin {
            Some(origin) => origin.at,
            // Of the read flag no time is kept.
            None => changed().filter(|_| is_content).unwrap_or(self.now),
        };
        let reads = |folder| self.access.rights(folder).has(FolderRights::READ_ANY);
        let (kind, old) = match origin.map(|origin| origin.way) {
            Some(Way::Moved(from, item)) if reads(from) => (EventKind::Moved, Some((from, item))),
            Some(Way::Copied(from, item)) if reads(from) => (EventKind::Copied, Some((from, item))),
            Some(Way::Arrived | Way::Moved(..) | Way::Copied(..)) => (EventKind::Created, None),
            None if is_new => (EventKind::Created, None),
            None => (EventKind::Modified, None),
        };
        let change = |old| Change::Item { item: row.item, class: class.clone(), folder, old };
        self.push(row.seq, kind, at, || change(old));
        if origin.is_some_and(|origin| origin.way == Way::Arrived) {
            self.push(row.seq, EventKind::NewMail, at, || change(None));
        }
        if is_content && self.calendars.contains(&folder) {
            self.push(row.seq, EventKind::FreeBusyChanged, at, || change(None));
        }
    }

    /// What an item means that is no longer where it was.
    fn went(&mut self, folder: CollectionId, gone: &Tombstone, rows: &HashMap<ItemId, ItemRow>) {
        let was_told = gone.created_seq <= self.cursor || self.told.contains(&gone.item);
        if gone.flags.has(ItemFlags::ASSOCIATED) || !was_told {
            return;
        }
        let change =
            |item, class, folder, old: Option<(CollectionId, ItemId)>| Change::Item { item, class, folder, old };
        let here = || change(gone.item, None, folder, None);
        match (gone.kind, gone.moved_to) {
            (TombstoneKind::Moved, Some((to, item))) => {
                let row = rows.get(&item);
                let bag = row.and_then(|row| BagRef::new(&row.bag).ok()).unwrap_or(BagRef::EMPTY);
                let from = Origin::of(bag).map(|origin| origin.way);
                let says_so = row.is_some() && from == Some(Way::Moved(folder, gone.item));
                if says_so && self.watched.contains(&to) {
                    // Where it lies now, it is told.
                } else if self.access.rights(to).has(FolderRights::READ_ANY) {
                    self.told.insert(item);
                    let old = Some((folder, gone.item));
                    self.push(gone.seq, EventKind::Moved, gone.at, || change(item, class_of(bag), to, old));
                } else {
                    self.push(gone.seq, EventKind::Deleted, gone.at, here);
                }
            }
            (TombstoneKind::Deleted | TombstoneKind::Rescoped | TombstoneKind::Moved, _) => {
                self.push(gone.seq, EventKind::Deleted, gone.at, here);
            }
            (TombstoneKind::Renamed | TombstoneKind::Restored | TombstoneKind::SystemUpdated, _) => return,
        }
        if self.calendars.contains(&folder) {
            self.push(gone.seq, EventKind::FreeBusyChanged, gone.at, here);
        }
    }

    fn push(&mut self, position: Seq, kind: EventKind, at: Time, change: impl FnOnce() -> Change) {
        if self.watch.kinds.has(kind) {
            self.events.push(Seen { position, kind, change: change(), at });
        }
    }
}

fn class_of(bag: BagRef<'_>) -> Option<String> {
    bag.get(&tags::MESSAGE_CLASS).and_then(|value| value.as_text().map(ToOwned::to_owned))
}
