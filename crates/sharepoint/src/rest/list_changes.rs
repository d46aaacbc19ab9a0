//! `POST …/GetChanges`: the changes of a list as entities, the oldest first. \[MS-CSOMSPT 3.2.5.79\]
//!
//! The server keeps no history, so a row stands once, at its latest change: what was changed three times is one Update.
//! Deletions, moves, renames, restores and changes by the system are kept beside the rows and told by name. The token of
//! an entry leads behind it, so that a client may go on from any of them. A token that is too old is refused, as is
//! documented; one from before the whole list came back from the recycle bin is answered with its Restore. Changes of
//! permissions show as updates of what they concern.

use engine::{EngineError, Issuer, ListSync, ListSyncPage, ListToken, StateFault, Verdict, View};
use model::{BagRef, Guid, ItemFlags, Seq, Time, limits};
use serde_json::Value as Json;
use store::{ItemRow, TombstoneKind};

use super::{
    Ask,
    body::Body,
    entity::{Entity, Value},
    error::RestError,
    reply::Reply,
};
use crate::{fields::truth, schema::List};

/// Changes in one answer.
const CHANGES_MAX: usize = 1_000;
/// Pages that are looked at for something that was asked for.
const PAGES_MAX: usize = 64;

/// What a change is. \[MS-CSOMSPT 3.2.5.13\]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Add,
    Update,
    Delete,
    Rename,
    MoveAway,
    Restore,
    SystemUpdate,
}

impl Kind {
    /// Its number, and the property of the query that asks for it.
    const fn wire(self) -> (i32, &'static str) {
        match self {
            Self::Add => (1, "Add"),
            Self::Update => (2, "Update"),
            Self::Delete => (3, "DeleteObject"),
            Self::Rename => (4, "Rename"),
            Self::MoveAway => (5, "Move"),
            Self::Restore => (7, "Restore"),
            Self::SystemUpdate => (15, "SystemUpdate"),
        }
    }
}

/// What a query asks for.
struct Wanted<'a> {
    body: &'a Body,
    list: &'a List,
    /// Nothing behind this.
    end: Option<Seq>,
}

impl Wanted<'_> {
    fn flag(&self, name: &str) -> bool {
        match self.body.get(name) {
            Some(Json::Bool(flag)) => *flag,
            Some(Json::String(text)) => truth(Some(text)),
            Some(Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_)) | None => false,
        }
    }

    fn kind(&self, kind: Kind) -> bool {
        self.flag(kind.wire().1)
    }

    fn object(&self, folder: bool) -> bool {
        let file = self.list.template.is_library() && !folder;
        self.flag(if folder { "Folder" } else { "Item" }) || (file && self.flag("File"))
    }

    fn reaches(&self, seq: Seq) -> bool {
        self.end.is_none_or(|end| seq <= end)
    }
}

/// What changed in a list.
pub(super) async fn run(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let body = ask.body()?.without("query")?;
    let start = token(&body, "ChangeTokenStart", &list)?;
    let end = match token(&body, "ChangeTokenEnd", &list)? {
        Some(ListToken { position: Some(position), .. }) => Some(position),
        Some(by_time) => Some(view.position_at(by_time.at).await?),
        None => None,
    };
    let issuer = ask.context.site.issuer(&view);
    drop(view);
    let wanted = Wanted { body: &body, list: &list, end };
    // From the beginning, as far back as it is known.
    let purged = list.collection.row.purged_seq;
    let mut start = start.unwrap_or_else(|| issuer.token(list.guid(), purged));
    let limit = body.number("FetchLimit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let limit = limit.unwrap_or(CHANGES_MAX).min(CHANGES_MAX);
    // Much at once, so that a mark and the row beside it are seldom apart.
    let rows_max = CHANGES_MAX.min(limits::PAGE_ROWS_MAX);
    let describe = Describe { ask, list: &list, issuer };
    let mut entries = Vec::new();
    // What is not asked for is passed over; an answer that has nothing ends the client's work.
    for _ in 0..PAGES_MAX {
        // Rows that are not asked for count too: a row that is left out would be taken for a removed one.
        let judge = |_: &ItemRow| Verdict::Take;
        let sync = ListSync { list: list.id(), token: &start, rows_max, judge: &judge };
        let page = match ask.context.site.sync_list(sync).await {
            Err(EngineError::InvalidState(StateFault::Restored)) => {
                let token = issuer.token(list.guid(), list.collection.row.seq);
                if wanted.flag("List") && wanted.kind(Kind::Restore) && wanted.reaches(list.collection.row.seq) {
                    entries.push(describe.list(Kind::Restore, token));
                }
                break;
            }
            other => other?,
        };
        let mut found = entries_of(&describe, &wanted, &page, start.position)?;
        found.sort_by_key(|(seq, _)| *seq);
        let behind = found.len() > limit || end.is_some_and(|end| page.token.position.is_some_and(|at| at > end));
        found.truncate(limit);
        let last_seq = found.last().map(|(seq, _)| *seq);
        entries.extend(found.into_iter().map(|(_, entity)| entity));
        // The last one leads behind everything that was looked at, unless something was left out.
        let leads_on = !behind && page.token.position >= last_seq;
        if let Some(last) = entries.last_mut().filter(|_| leads_on) {
            last.expand("ChangeToken", token_value(&page.token));
        }
        if !entries.is_empty() || !page.more || behind {
            break;
        }
        start = page.token;
    }
    Ok(Reply::Entities { set: "SP.ApiData.Changes".to_owned(), entities: entries, next: None })
}

/// The entries of a page with their positions.
fn entries_of(
    describe: &Describe<'_>,
    wanted: &Wanted<'_>,
    page: &ListSyncPage,
    since: Option<Seq>,
) -> Result<Vec<(Seq, Entity)>, RestError> {
    let list = wanted.list;
    let token = |seq: Seq| describe.issuer.token(list.guid(), seq);
    let mut entries = Vec::new();
    // Whether what is gone was a folder is not kept.
    let objects = wanted.object(false) || wanted.object(true);
    for change in page.changes.iter().filter(|_| objects) {
        // The row that a change by the system wrote stands right behind its mark, and is told with it.
        let seq = if change.kind == TombstoneKind::SystemUpdated { change.seq.next() } else { change.seq };
        let kind = match change.kind {
            TombstoneKind::Deleted | TombstoneKind::Rescoped => Kind::Delete,
            TombstoneKind::Moved => Kind::MoveAway,
            TombstoneKind::Renamed => Kind::Rename,
            TombstoneKind::Restored => Kind::Restore,
            TombstoneKind::SystemUpdated => Kind::SystemUpdate,
        };
        if wanted.kind(kind) && wanted.reaches(seq) {
            let unique = change.unique_id.unwrap_or_default();
            let at = change.at.map(Time::whole_second);
            entries.push((seq, describe.item(kind, change.item.number(), unique, at, token(seq))));
        }
    }
    let changed = list.collection.row.seq;
    let in_range = wanted.reaches(changed) && page.token.position.is_none_or(|end| changed <= end);
    if page.schema_changed && in_range && wanted.flag("List") && wanted.kind(Kind::Update) {
        entries.push((changed, describe.list(Kind::Update, token(changed))));
    }
    // What came back, or was changed by the system, is told by that name alone: the mark stands beside the row.
    let told = |row: &ItemRow| {
        page.changes.iter().filter(|change| change.item == row.item).any(|change| match change.kind {
            TombstoneKind::Restored => row.seq.next() == change.seq,
            TombstoneKind::SystemUpdated => change.seq.next() == row.seq,
            TombstoneKind::Deleted | TombstoneKind::Moved | TombstoneKind::Rescoped | TombstoneKind::Renamed => false,
        })
    };
    for row in page.rows.iter().filter(|row| wanted.object(row.flags.has(ItemFlags::FOLDER))) {
        // By time nobody knows which of them are new: those that were not changed since they were made.
        let added = since.map_or(row.created_seq == row.seq, |since| row.created_seq > since);
        let kind = if added { Kind::Add } else { Kind::Update };
        if wanted.kind(kind) && wanted.reaches(row.seq) && !told(row) {
            let bag = BagRef::new(&row.bag).map_err(EngineError::from)?;
            let unique = bag.get(&engine::list_keys::ROW_UNIQUE_ID).and_then(|value| value.as_guid());
            let at = bag.get(&engine::list_keys::ROW_MODIFIED).and_then(|value| value.as_time());
            let entity = describe.item(kind, row.item.number(), unique.unwrap_or_default(), at, token(row.seq));
            entries.push((row.seq, entity));
        }
    }
    Ok(entries)
}

fn token(body: &Body, name: &str, list: &List) -> Result<Option<ListToken>, RestError> {
    let Some(text) = body.text(name)?.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
    let token: ListToken = text.parse().map_err(|_| RestError::bad_token())?;
    if token.list == list.guid() { Ok(Some(token)) } else { Err(RestError::bad_token()) }
}

fn token_value(token: &ListToken) -> Value {
    Value::Complex("SP.ChangeToken", vec![("StringValue", Value::Plain(Json::String(token.to_string())))])
}

struct Describe<'a> {
    ask: &'a Ask<'a>,
    list: &'a List,
    issuer: Issuer,
}

impl Describe<'_> {
    fn base(&self, type_name: &'static str, kind: Kind, at: Option<Time>, token: ListToken) -> Entity {
        let site = self.ask.context.site.entry().guid.to_string();
        let mut entity = Entity::new(type_name, String::new(), "SP.ApiData.Changes/@Element");
        entity.value("ChangeToken", token_value(&token));
        entity.plain("ChangeType", kind.wire().0);
        entity.plain("SiteId", site.clone());
        // When a row ceased to be seen is not kept; it was before this answer.
        entity.plain("Time", at.unwrap_or_else(|| self.ask.context.now().whole_second()).to_string());
        entity.plain("ListId", self.list.guid().to_string());
        entity.plain("WebId", site);
        entity
    }

    fn item(&self, kind: Kind, number: u32, unique_id: Guid, at: Option<Time>, token: ListToken) -> Entity {
        let mut entity = self.base("SP.ChangeItem", kind, at, token);
        entity.plain("ItemId", number);
        entity.plain("UniqueId", unique_id.to_string());
        entity
    }

    fn list(&self, kind: Kind, token: ListToken) -> Entity {
        self.base("SP.ChangeList", kind, Some(self.list.modified()), token)
    }
}

/// A moment of a site, for the tokens of its lists.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    issuer: Issuer,
    position: Seq,
}

impl Moment {
    /// That of a view.
    pub(super) fn of(ask: &Ask<'_>, view: &View) -> Self {
        Self { issuer: ask.context.site.issuer(view), position: view.position() }
    }
}

/// The token of a list as it is at a moment.
pub(super) fn current(list: &List, now: Moment) -> Value {
    token_value(&now.issuer.token(list.guid(), now.position))
}
