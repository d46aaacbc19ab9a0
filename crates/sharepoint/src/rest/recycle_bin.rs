//! The recycle bin: `web/recyclebin`, and `site/recyclebin`, which is the same, since sites have no sites below them and
//! no second stage. \[SP.RecycleBinItem, learn.microsoft.com\]
//!
//! Items and lists come here by `recycle()`, by Delete in UpdateListItems and, files, by DELETE of their URL; the verb
//! DELETE on items and lists of this service is for good. Owners of the site see everything, others what they deleted.

use engine::{EngineError, Recycled, list_keys};
use model::{Guid, PropertyKey, Time, Value as Stored, limits};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    reply::Reply,
    users::{self, User},
};
use crate::paths;

const SET: &str = "SP.ApiData.RecycleBinItems";

/// What an entry is. \[MS-CSOMSPT 3.2.5.126, RecycleBinItemType\]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    File = 1,
    ListItem = 3,
    List = 4,
    Folder = 5,
}

impl Kind {
    fn of(entry: &Recycled) -> Self {
        let has_path = entry.bag.text(&list_keys::ROW_PATH).is_some();
        match entry.item {
            None => Self::List,
            Some(_) if entry.flags.has(model::ItemFlags::FOLDER) => Self::Folder,
            Some(_) if has_path => Self::File,
            Some(_) => Self::ListItem,
        }
    }
}

/// Where an entry was: directory and name.
fn place(entry: &Recycled, kind: Kind) -> (String, String) {
    let path = match (kind, entry.bag.text(&list_keys::ROW_PATH)) {
        (Kind::List, _) => entry.list_folder.clone(),
        (Kind::File | Kind::ListItem | Kind::Folder, Some(path)) => paths::join(&entry.list_folder, path),
        (Kind::File | Kind::ListItem | Kind::Folder, None) => {
            let folder = entry.bag.text(&list_keys::ROW_FOLDER).unwrap_or_default();
            let name = format!("{}_.000", entry.item.map(model::ItemId::number).unwrap_or_default());
            paths::join(&paths::join(&entry.list_folder, folder), &name)
        }
    };
    let (directory, name) = paths::split(&path);
    (directory.to_owned(), name.to_owned())
}

fn to_entity(ask: &Ask<'_>, entry: &Recycled, users: &[User]) -> Entity {
    let kind = Kind::of(entry);
    let site_folder = ask.context.call.site_path.trim_matches('/');
    let (directory, name) = place(entry, kind);
    let directory = paths::join(site_folder, &directory);
    let text = |key: &PropertyKey| entry.bag.text(key).unwrap_or_default().to_owned();
    let (title, author_key) = match kind {
        Kind::List => (text(&list_keys::LIST_TITLE), list_keys::LIST_AUTHOR),
        Kind::ListItem => (text(&PropertyKey::field("Title")), list_keys::ROW_AUTHOR),
        Kind::File | Kind::Folder => (name.clone(), list_keys::ROW_AUTHOR),
    };
    let author = entry.bag.get(&author_key).and_then(Stored::as_i64).and_then(|id| u32::try_from(id).ok());
    let size = entry.bag.get(&PropertyKey::field("File_x0020_Size")).and_then(Stored::as_i64).unwrap_or_default();
    let person = |id: Option<u32>| users.iter().find(|user| Some(user.number) == id);
    let mut entity =
        Entity::new("SP.RecycleBinItem", format!("Web/RecycleBin('{}')", entry.id), format!("{SET}/@Element"));
    entity.links(&["Author", "DeletedBy"]);
    for (prefix, user) in [("Author", person(author)), ("DeletedBy", person(Some(entry.deleted_by)))] {
        entity.plain(format!("{prefix}Email"), user.map(|user| user.mail.clone()).unwrap_or_default());
        entity.plain(format!("{prefix}Name"), user.map(|user| user.title.clone()).unwrap_or_default());
    }
    entity.plain("DeletedDate", entry.deleted_at.to_string());
    entity.plain("DeletedDateLocalFormatted", local_text(entry.deleted_at));
    entity.plain("DirName", directory.clone());
    entity.value("DirNamePath", path_value(directory));
    entity.plain("Id", entry.id.to_string());
    entity.plain("ItemState", 1);
    entity.plain("ItemType", kind as i32);
    entity.plain("LeafName", name.clone());
    entity.value("LeafNamePath", path_value(name));
    entity.plain("Size", size.to_string());
    entity.plain("Title", title);
    let shape = &ask.options.shape;
    for (name, id) in [("Author", author), ("DeletedBy", Some(entry.deleted_by))] {
        if shape.expands(name) {
            let user = id.and_then(|id| users::entity(users, id));
            let user = user.map_or(Value::Plain(Json::Null), |user| Value::Entity(Box::new(user)));
            entity.expand(name, user);
        }
    }
    entity
}

fn path_value(path: String) -> Value {
    Value::Complex("SP.ResourcePath", vec![("DecodedUrl", Value::Plain(Json::String(path)))])
}

/// `3/4/2026 5:06 AM`: the site's time is UTC.
fn local_text(time: Time) -> String {
    let model::Civil { year, month, day, hour, minute, .. } = time.civil();
    let half = if hour < 12 { "AM" } else { "PM" };
    let hour = match hour % 12 {
        0 => 12,
        hour => hour,
    };
    format!("{month}/{day}/{year} {hour}:{minute:02} {half}")
}

/// `GET web/recyclebin`: the latest first.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let users = ask.users(&mut ask.context.view().await?).await?;
    let entries = ask.context.site.recycled().await?;
    ask.collection(SET, entries.iter().map(|entry| to_entity(ask, entry, &users)).collect())
}

/// `GET web/recyclebin('…')`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let users = ask.users(&mut ask.context.view().await?).await?;
    let entry = ask.context.site.recycled_entry(ask.entry_id()?).await.map_err(refused)?;
    Ok(Reply::Entity(to_entity(ask, &entry, &users)))
}

/// `POST web/recyclebin('…')/restore()`.
pub(super) async fn restore(ask: &Ask<'_>) -> Result<Reply, RestError> {
    restore_one(ask, ask.entry_id()?).await?;
    Ok(Reply::Deleted)
}

/// `POST web/recyclebin('…')/deleteobject()`: for good.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    ask.context.site.purge_recycled(ask.entry_id()?).await.map_err(refused)?;
    Ok(Reply::Deleted)
}

/// `POST web/recyclebin/restoreall()`: each entry by itself, the latest first, so that folders are there before what was
/// deleted from them earlier. The first refusal is the answer; the other entries are restored all the same.
pub(super) async fn restore_all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entries = ask.context.site.recycled().await?;
    restore_many(ask, entries.iter().map(|entry| entry.id).collect()).await
}

/// `POST web/recyclebin/restorebyids`, `{"ids":["…"]}`: as [`restore_all`], in the order given.
pub(super) async fn restore_named(ask: &Ask<'_>) -> Result<Reply, RestError> {
    restore_many(ask, ids(ask)?).await
}

/// `POST web/recyclebin/deleteall()`: each entry by itself.
pub(super) async fn delete_all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entries = ask.context.site.recycled().await?;
    delete_many(ask, entries.iter().map(|entry| entry.id).collect()).await
}

/// `POST web/recyclebin/deletebyids`, `{"ids":["…"]}`.
pub(super) async fn delete_named(ask: &Ask<'_>) -> Result<Reply, RestError> {
    delete_many(ask, ids(ask)?).await
}

fn ids(ask: &Ask<'_>) -> Result<Vec<Guid>, RestError> {
    let body = ask.body()?;
    let bad = || RestError::bad_query("The parameter ids is not an array of GUIDs.");
    let all = match body.get("ids") {
        Some(Json::Array(all)) => all,
        Some(Json::Object(inside)) => inside.get("results").and_then(Json::as_array).ok_or_else(bad)?,
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_)) | None => return Err(bad()),
    };
    if all.len() > limits::BATCH_IDS_MAX {
        return Err(RestError::bad_query("The parameter ids has too many members."));
    }
    all.iter().map(|id| id.as_str().and_then(|id| id.parse().ok()).ok_or_else(bad)).collect()
}

async fn restore_many(ask: &Ask<'_>, ids: Vec<Guid>) -> Result<Reply, RestError> {
    let mut first = None;
    for id in ids {
        if let Err(error) = restore_one(ask, id).await {
            first.get_or_insert(error);
        }
    }
    first.map_or(Ok(Reply::Deleted), Err)
}

async fn delete_many(ask: &Ask<'_>, ids: Vec<Guid>) -> Result<Reply, RestError> {
    let mut first = None;
    for id in ids {
        if let Err(error) = ask.context.site.purge_recycled(id).await {
            first.get_or_insert(refused(error));
        }
    }
    first.map_or(Ok(Reply::Deleted), Err)
}

async fn restore_one(ask: &Ask<'_>, id: Guid) -> Result<(), RestError> {
    let entry = ask.context.site.recycled_entry(id).await.map_err(refused)?;
    ask.context.site.restore_recycled(id).await.map_err(|error| match (error, entry.item) {
        (EngineError::NameTaken, None) => RestError::title_taken(),
        (EngineError::NoCollection(_), _) => RestError::no_list(&entry.list_folder, &ask.context.web_url()),
        (error, _) => refused(error),
    })
}

fn refused(error: EngineError) -> RestError {
    if matches!(error, EngineError::NoItem(_)) { RestError::no_entry() } else { error.into() }
}

impl Ask<'_> {
    fn entry_id(&self) -> Result<Guid, RestError> {
        let key = self.key("recyclebin").ok_or_else(RestError::no_entry)?;
        key.value.to_text().parse().map_err(|_| RestError::no_entry())
    }
}
