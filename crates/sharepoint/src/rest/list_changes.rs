//! `POST …/GetChanges`: the changes of a list as entities. \[MS-CSOMSPT 3.2.5.79\]
//!
//! The same changes as those of the token operation: each item once, as it is now. Removals come first, so that a
//! client that goes on from the token of any entry misses nothing.

use engine::{ListSync, ListToken, Verdict};
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
use crate::{changes, fields::truth, schema::List};

/// Changes in one answer.
const CHANGES_MAX: usize = 1_000;

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

/// What changed in a list.
pub(super) async fn run(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    let body = ask.body()?.without("query")?;
    let flag = |name: &str| match body.get(name) {
        Some(Json::Bool(flag)) => *flag,
        Some(Json::String(text)) => truth(Some(text)),
        Some(Json::Null | Json::Number(_) | Json::Array(_) | Json::Object(_)) | None => false,
    };
    let start = token(&body, "ChangeTokenStart", &list)?;
    let end = token(&body, "ChangeTokenEnd", &list)?.and_then(|token| token.position);
    // From the beginning, as far back as it is known.
    let purged = list.collection.row.purged_seq;
    let start = start.unwrap_or_else(|| ask.context.site.list_token(list.guid(), purged));
    let rows_max = body.number("FetchLimit")?.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    // Rows that are not asked for count too: a row that is left out would be taken for a removed one.
    let judge = |_: &ItemRow| Verdict::Take;
    let wanted = |row: &ItemRow| {
        let folder = row.flags.has(ItemFlags::FOLDER);
        let file = list.template.is_library() && !folder;
        flag(if folder { "Folder" } else { "Item" }) || (file && flag("File"))
    };
    let sync = ListSync {
        list: list.id(),
        token: &start,
        rows_max: rows_max.unwrap_or(CHANGES_MAX).min(CHANGES_MAX).min(limits::PAGE_ROWS_MAX),
        judge: &judge,
    };
    let page = ask.context.site.sync_list(sync).await?;
    let since = start.position;
    let describe = Describe { ask, list: &list };
    let mut entries = Vec::new();
    let objects = flag("Item") || flag("File") || flag("Folder");
    for change in page.changes.iter().filter(|_| objects) {
        let kind = match change.kind {
            TombstoneKind::Deleted | TombstoneKind::Rescoped => Kind::Delete,
            TombstoneKind::Moved => Kind::MoveAway,
            TombstoneKind::Renamed => Kind::Rename,
            TombstoneKind::Restored => Kind::Restore,
            TombstoneKind::SystemUpdated => Kind::SystemUpdate,
        };
        if flag(kind.wire().1) {
            let unique = change.unique_id.unwrap_or_default();
            entries.push(describe.item(kind, change.item.number(), unique, None, start.clone()));
        }
    }
    if page.schema_changed && flag("List") && flag(Kind::Update.wire().1) {
        entries.push(describe.list(start.clone()));
    }
    for row in page.rows.iter().filter(|row| wanted(row) && end.is_none_or(|end| row.seq <= end)) {
        // By time nobody knows which of them are new: those that were not changed since they were made.
        let added = since.map_or(row.created_seq == row.seq, |since| row.created_seq > since);
        let kind = if added { Kind::Add } else { Kind::Update };
        if flag(kind.wire().1) {
            let bag = BagRef::new(&row.bag).map_err(engine::EngineError::from)?;
            let unique = bag.get(&engine::list_keys::ROW_UNIQUE_ID).and_then(|value| value.as_guid());
            let at = bag.get(&engine::list_keys::ROW_MODIFIED).and_then(|value| value.as_time());
            let token = ask.context.site.list_token(list.guid(), row.seq);
            entries.push(describe.item(kind, row.item.number(), unique.unwrap_or_default(), at, token));
        }
    }
    // The last one leads behind everything that was looked at.
    if let Some(last) = entries.last_mut() {
        last.expand("ChangeToken", token_value(&page.token));
    }
    Ok(Reply::Entities { set: "SP.ApiData.Changes".to_owned(), entities: entries, next: None })
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
}

impl Describe<'_> {
    fn base(&self, type_name: &'static str, kind: Kind, at: Option<Time>, token: ListToken) -> Entity {
        let site = self.ask.context.site.entry().guid.to_string();
        let mut entity = Entity::new(type_name, String::new(), "SP.ApiData.Changes/@Element");
        entity.value("ChangeToken", token_value(&token));
        entity.plain("ChangeType", kind.wire().0);
        entity.plain("SiteId", site.clone());
        // When a removal was is not kept with the list; it was before this answer.
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

    fn list(&self, token: ListToken) -> Entity {
        self.base("SP.ChangeList", Kind::Update, Some(self.list.modified()), token)
    }
}

/// The token of a list as it is at `position`.
pub(super) fn current(ask: &Ask<'_>, list: &List, position: Seq) -> Value {
    token_value(&changes::current_token(&ask.context, list, position))
}
