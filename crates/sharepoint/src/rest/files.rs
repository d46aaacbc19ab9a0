//! Files and folders by their URL: `getfilebyserverrelativepath(decodedurl='…')`, `getfolderbyserverrelativeurl('…')/files`
//! and `rootfolder/files` of a list. Files that are attached to items are read, replaced and deleted by their URL too.
//! \[SP.File, SP.Folder, learn.microsoft.com; observed: Office365-REST-Python-Client, PnPjs, sppull\]

use bytes::Bytes;
use engine::{AttachmentExpected, EngineError, ListCollection, Removal, RowAttachment, View, list_keys};
use http_body_util::{BodyExt, Full};
use model::{BagRef, Guid, ItemFlags, ItemId, Value as Stored, limits};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    items,
    path::{By, Key, Literal},
    reply::Reply,
};
use crate::{
    attachments,
    fields::Template,
    files::{check_etag, etag, store_file},
    ops::update_list_items::move_row,
    paths,
    rows::{Item, Row},
    schema::List,
    update::{self, Edit, FieldWrite},
    value::Reading,
};

/// Files or folders that one answer may list.
const CHILDREN_MAX: usize = 5_000;
const FILES: &str = "SP.ApiData.Files";
const FOLDERS: &str = "SP.ApiData.Folders";

/// Where a request leads: a list, a path inside it, and the row there.
struct Place {
    list: List,
    /// Empty for the folder of the list.
    inside: String,
    row: Option<Item>,
}

/// A file.
enum Target {
    /// Of a library.
    Row(Item),
    /// Attached to an item.
    Attachment(ItemId, RowAttachment),
}

impl Place {
    /// Follows the steps of a request, from the site or a list down to its last file or folder.
    async fn of(ask: &Ask<'_>, view: &mut View) -> Result<Self, RestError> {
        let mut path = String::new();
        for step in &ask.steps {
            match (step.name.as_str(), &step.key) {
                ("lists", Some(_)) => path = ask.list(view).await?.collection.folder().to_owned(),
                ("files" | "folders", Some(Key { by: By::Id, value })) if value.to_text().parse::<Guid>().is_ok() => {
                    let id = value.to_text().parse().unwrap_or_default();
                    path = path_of_id(view, id).await?.ok_or_else(|| missing(&value.to_text()))?;
                }
                ("files" | "folders", Some(key)) => path = below(ask, &path, &key.value.to_text()),
                _ => {}
            }
        }
        Self::at(ask, view, &path).await
    }

    /// What is at a path inside the site.
    async fn at(ask: &Ask<'_>, view: &mut View, path: &str) -> Result<Self, RestError> {
        let lists = view.lists().await?.into_iter();
        let list = lists.filter(|list| paths::below(path, list.folder()).is_some());
        let list = list.max_by_key(|list| list.folder().len()).ok_or_else(|| missing(path))?;
        let list = ask.context.wrap(list);
        let inside = paths::below(path, list.collection.folder()).unwrap_or_default().to_owned();
        let row = if inside.is_empty() { None } else { view.row_at(list.id(), &inside).await?.map(Item::from) };
        Ok(Self { list, inside, row })
    }

    fn url(&self) -> String {
        format!("/{}", paths::join(&self.list.root_folder, &self.inside))
    }

    /// The file here.
    async fn target(&self, view: &mut View) -> Result<Target, RestError> {
        let gone = || missing(&self.url());
        if let Some(item) = self.row.as_ref().filter(|item| !item.flags.has(ItemFlags::FOLDER)) {
            return Ok(Target::Row(item.clone()));
        }
        let (number, name) = attachments::place(&self.inside).ok_or_else(gone)?;
        let row = view.items(&[ItemId::in_list(self.list.id(), number)]).await?.pop().flatten();
        let item = row.filter(|row| row.collection == self.list.id()).map(Item::from).ok_or_else(gone)?;
        let found = attachments::find(&Row::new(&self.list, &item)?, name).ok_or_else(gone)?;
        Ok(Target::Attachment(item.id, found))
    }

    /// Whether this is a folder.
    fn check_folder(&self) -> Result<(), RestError> {
        let is_folder = self.row.as_ref().is_some_and(|item| item.flags.has(ItemFlags::FOLDER));
        if self.inside.is_empty() || is_folder { Ok(()) } else { Err(missing(&self.url())) }
    }

    /// The files or the folders right below. Reads the list once.
    async fn children(&self, view: &mut View, folders: bool) -> Result<Vec<Item>, RestError> {
        self.check_folder()?;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = view.rows(self.list.id(), after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.item);
            let more = page.more;
            for item in page.rows.into_iter().map(Item::from) {
                let row = Row::new(&self.list, &item)?;
                let kind = if folders { row.is_folder() } else { row.is_file() };
                if !kind || row.directory().to_lowercase() != self.inside.to_lowercase() {
                    continue;
                }
                if found.len() >= CHILDREN_MAX {
                    return Err(RestError::bad_value("The folder holds too much for one answer."));
                }
                found.push(item);
            }
            if !more {
                return Ok(found);
            }
        }
    }
}

/// A path inside the site: of a URL that begins with a slash, or is the first, else below `path`.
fn below(ask: &Ask<'_>, path: &str, text: &str) -> String {
    if path.is_empty() || text.starts_with('/') || text.contains("://") {
        paths::inside_site(ask.context.call.base_url, ask.context.call.site_path, text)
    } else {
        paths::join(path, text.trim_matches('/'))
    }
}

/// The path inside the site of the file or folder with a unique id; the folder of a list has the id of its list. Reads
/// the libraries of the site once, since nothing leads from those ids to rows.
async fn path_of_id(view: &mut View, id: Guid) -> Result<Option<String>, RestError> {
    if let Some(list) = view.list_by_guid(id).await? {
        return Ok(Some(list.folder().to_owned()));
    }
    let is_library = |list: &ListCollection| Template::by_id(list.template()).is_some_and(Template::is_library);
    for list in view.lists().await?.iter().filter(|list| is_library(list)) {
        let mut after = None;
        loop {
            let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
            after = page.rows.last().map(|row| row.item);
            for row in &page.rows {
                let bag = BagRef::new(&row.bag).map_err(EngineError::from)?;
                if bag.get(&list_keys::ROW_UNIQUE_ID).and_then(|value| value.as_guid()) == Some(id) {
                    let inside = bag.text(&list_keys::ROW_PATH).unwrap_or_default();
                    return Ok(Some(paths::join(list.folder(), inside)));
                }
            }
            if !page.more {
                break;
            }
        }
    }
    Ok(None)
}

fn missing(path: &str) -> RestError {
    RestError::no_resource(path)
}

/// The path of a file or folder below `_api/`.
fn api_path(what: &str, url: &str) -> String {
    format!("Web/Get{what}ByServerRelativePath(decodedurl='{}')", url.replace('\'', "''"))
}

fn guid(entity: &mut Entity, name: &'static str, guid: Guid) {
    entity.plain(name, guid.to_string());
}

fn times(entity: &mut Entity, row: &Row<'_>) {
    for (name, key) in [("TimeCreated", "Created"), ("TimeLastModified", "Modified")] {
        let time = row.stored(key).as_ref().and_then(Stored::as_time).unwrap_or_default();
        entity.plain(name, time.to_string());
    }
}

fn file_entity(list: &List, item: &Item) -> Result<Entity, RestError> {
    let row = Row::new(list, item)?;
    let url = format!("/{}", row.file_ref());
    let mut file = Entity::new("SP.File", api_path("File", &url), format!("{FILES}/@Element"));
    file.etag = Some(etag(&row));
    file.links(&["Author", "ListItemAllFields", "ModifiedBy", "Versions"]);
    file.plain("CheckInComment", "");
    file.plain("CheckOutType", 2);
    file.plain("ETag", etag(&row));
    file.plain("Exists", true);
    let size = row.stored("File_x0020_Size").as_ref().and_then(Stored::as_i64).unwrap_or_default();
    file.plain("Length", size.to_string());
    file.plain("Level", 1);
    file.plain("MajorVersion", row.major_version());
    file.plain("MinorVersion", 0);
    file.plain("Name", row.leaf_name());
    file.plain("ServerRelativeUrl", url);
    times(&mut file, &row);
    let title = row.stored("Title").as_ref().and_then(Stored::as_text).map(str::to_owned);
    file.plain("Title", title.map_or(Json::Null, Json::String));
    file.plain("UIVersion", row.major_version().saturating_mul(512));
    file.plain("UIVersionLabel", format!("{}.0", row.major_version()));
    guid(&mut file, "UniqueId", row.unique_id());
    Ok(file)
}

fn attachment_entity(url: &str, length: usize, attachment: &RowAttachment) -> Entity {
    let mut file = Entity::new("SP.File", api_path("File", url), format!("{FILES}/@Element"));
    let tag = format!("\"{}\"", attachments::state(attachment));
    file.etag = Some(tag.clone());
    file.plain("ETag", tag);
    file.plain("Exists", true);
    file.plain("Length", length.to_string());
    file.plain("Name", attachment.name.as_str());
    file.plain("ServerRelativeUrl", url);
    file.plain("TimeLastModified", attachment.modified.to_string());
    guid(&mut file, "UniqueId", attachment.guid);
    file
}

fn folder_entity(list: &List, item: Option<&Item>) -> Result<Entity, RestError> {
    let row = item.map(|item| Row::new(list, item)).transpose()?;
    let url = row.as_ref().map_or_else(|| list.root_folder.clone(), Row::file_ref);
    let url = format!("/{url}");
    let mut folder = Entity::new("SP.Folder", api_path("Folder", &url), format!("{FOLDERS}/@Element"));
    folder.links(&["Files", "Folders", "ListItemAllFields"]);
    folder.plain("Exists", true);
    folder.plain("Name", paths::split(&url).1);
    folder.plain("ServerRelativeUrl", url.as_str());
    match &row {
        Some(row) => {
            times(&mut folder, row);
            guid(&mut folder, "UniqueId", row.unique_id());
        }
        None => {
            folder.plain("ItemCount", list.collection.row.items);
            folder.plain("TimeCreated", list.created().to_string());
            folder.plain("TimeLastModified", list.modified().to_string());
            guid(&mut folder, "UniqueId", list.guid());
        }
    }
    Ok(folder)
}

fn shown(ask: &Ask<'_>, entity: Entity) -> Result<Reply, RestError> {
    match entity.lacks(&ask.options.shape) {
        None => Ok(Reply::Entity(entity)),
        Some(name) => Err(RestError::no_property(name, &entity.kind)),
    }
}

/// `GET getfilebyserverrelativeurl('…')`.
pub(super) async fn file(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    match place.target(&mut view).await? {
        Target::Row(item) => shown(ask, file_entity(&place.list, &item)?),
        Target::Attachment(id, found) => {
            let length = view.part(id, found.part).await?.unwrap_or_default().len();
            shown(ask, attachment_entity(&place.url(), length, &found))
        }
    }
}

/// `GET getfilebyserverrelativeurl('…')/$value` and `openbinarystream()`.
pub(super) async fn content(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let bytes = match place.target(&mut view).await? {
        Target::Row(item) => view.part(item.id, list_keys::PART_FILE).await?,
        Target::Attachment(id, found) => view.part(id, found.part).await?,
    };
    let body = Full::new(bytes.unwrap_or_default()).map_err(|never| match never {}).boxed_unsync();
    Ok(Reply::Stream("application/octet-stream", body))
}

/// `GET getfilebyserverrelativeurl('…')/listitemallfields`, and of folders.
pub(super) async fn item(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let item = place.row.clone().ok_or_else(|| missing(&place.url()))?;
    let mut entities = items::entities(ask, &mut view, &place.list, &[item], true).await?;
    entities.pop().map(Reply::Entity).ok_or_else(RestError::no_item)
}

/// `MERGE getfilebyserverrelativeurl('…')/listitemallfields`, and of folders.
pub(super) async fn change_item(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let item = place.row.as_ref().ok_or_else(|| missing(&place.url()))?;
    items::change_row(ask, view, &place.list, item).await
}

/// `PUT getfilebyserverrelativeurl('…')/$value`: the body is the file.
pub(super) async fn replace(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let target = place.target(&mut view).await?;
    drop(view);
    let bytes = Bytes::clone(ask.body);
    let (context, list) = (&ask.context, &place.list);
    let failed = |failure| ask.failed(failure);
    let tag = match target {
        Target::Row(item) => {
            let version = version(ask, list, &item)?;
            let written = store_file(context, list, &place.inside, Some(&item), version, bytes).await;
            etag(&Row::new(list, &written.map_err(failed)?)?)
        }
        Target::Attachment(id, found) => {
            let expected = expected(ask, &found)?;
            let written = attachments::write(context, list, id.number(), &found.name, bytes, expected).await;
            format!("\"{}\"", attachments::state(&written.map_err(failed)?))
        }
    };
    Ok(Reply::Changed(Some(tag)))
}

/// `DELETE getfilebyserverrelativeurl('…')`.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let target = place.target(&mut view).await?;
    drop(view);
    match target {
        Target::Row(item) => _ = remove(ask, &place.list, &item, Removal::ForGood).await?,
        Target::Attachment(id, found) => {
            let expected = expected(ask, &found)?;
            let removed = attachments::remove(&ask.context, &place.list, id.number(), &found.name, expected).await;
            removed.map_err(|failure| ask.failed(failure))?;
        }
    }
    Ok(Reply::Deleted)
}

/// `POST getfilebyserverrelativeurl('…')/recycle()`, and of folders with what is in them.
pub(super) async fn recycle(ask: &Ask<'_>) -> Result<Reply, RestError> {
    if !ask.context.site.has_recycle_bin() {
        return Err(RestError::no_recycle_bin());
    }
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    drop(view);
    let item = place.row.as_ref().ok_or_else(|| missing(&place.url()))?;
    let entry = remove(ask, &place.list, item, Removal::Recycle).await?.ok_or_else(RestError::no_recycle_bin)?;
    Ok(Reply::Property("Recycle".to_owned(), Value::Plain(Json::String(entry.to_string()))))
}

/// `POST getfilebyserverrelativeurl('…')/moveto(newurl='…',flags=1)`. What is at the new URL is never overwritten.
pub(super) async fn move_to(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    drop(view);
    let item = place.row.as_ref().ok_or_else(|| missing(&place.url()))?;
    let url = ask.argument("moveto", "newurl", 0).map(Literal::to_text).unwrap_or_default();
    let version = version(ask, &place.list, item)?;
    let moved = move_row(&ask.context, &place.list, item, &url, version).await;
    moved.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Deleted)
}

/// `GET getfolderbyserverrelativeurl('…')`.
pub(super) async fn folder(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    place.check_folder()?;
    shown(ask, folder_entity(&place.list, place.row.as_ref())?)
}

/// `GET getfolderbyserverrelativeurl('…')/files`.
pub(super) async fn files(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let files = place.children(&mut view, false).await?;
    let entities = files.iter().map(|item| file_entity(&place.list, item)).collect::<Result<_, _>>()?;
    ask.collection(FILES, entities)
}

/// `GET getfolderbyserverrelativeurl('…')/folders`.
pub(super) async fn folders(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    let folders = place.children(&mut view, true).await?;
    let entities = folders.iter().map(|item| folder_entity(&place.list, Some(item))).collect::<Result<_, _>>()?;
    ask.collection(FOLDERS, entities)
}

/// `POST getfolderbyserverrelativeurl('…')/files/add(url='a.txt',overwrite=true)`: the body is the file.
pub(super) async fn add(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let folder = Place::of(ask, &mut view).await?;
    folder.check_folder()?;
    let argument = |name: &str, place| ["add", "addusingpath"].iter().find_map(|step| ask.argument(step, name, place));
    let name = argument("url", 0).or_else(|| argument("decodedurl", 0)).map(Literal::to_text).unwrap_or_default();
    if argument("ensureuniquefilename", usize::MAX) == Some(&Literal::Truth(true)) {
        return Err(RestError::bad_value("This server does not choose names of files."));
    }
    let overwrite = argument("overwrite", 1) == Some(&Literal::Truth(true));
    let path = below(ask, &paths::join(folder.list.collection.folder(), &folder.inside), &name);
    let place = Place::at(ask, &mut view, &path).await?;
    drop(view);
    if !place.list.template.is_library() {
        return Err(RestError::bad_value("Files are added to libraries; items have attachments."));
    }
    if place.row.as_ref().is_some_and(|item| !overwrite || item.flags.has(ItemFlags::FOLDER)) {
        return Err(EngineError::NameTaken.into());
    }
    let bytes = Bytes::clone(ask.body);
    let stored = store_file(&ask.context, &place.list, &place.inside, place.row.as_ref(), None, bytes).await;
    Ok(Reply::Entity(file_entity(&place.list, &stored.map_err(|failure| ask.failed(failure))?)?))
}

/// `POST getfolderbyserverrelativeurl('…')/folders` with `ServerRelativeUrl`, and `folders/add('name')`.
pub(super) async fn add_folder(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let parent = Place::of(ask, &mut view).await?;
    parent.check_folder()?;
    let named = ["add", "addusingpath"].iter().find_map(|step| ask.key(step)).map(|key| key.value.to_text());
    let name = match named {
        Some(name) => name,
        None => ask.body()?.text("ServerRelativeUrl")?.unwrap_or_default(),
    };
    let path = below(ask, &paths::join(parent.list.collection.folder(), &parent.inside), &name);
    let place = Place::at(ask, &mut view, &path).await?;
    let (directory, leaf) = paths::split(&place.inside);
    let above = Place::at(ask, &mut view, &paths::join(place.list.collection.folder(), directory)).await?;
    above.check_folder()?;
    drop(view);
    let write = |name: &str, text: &str| FieldWrite { name: name.into(), property: None, text: text.into() };
    let names = crate::names::Names::default();
    let reading = Reading { names: &names, now: ask.context.now() };
    let failed = |failure| ask.failed(failure);
    let edit =
        Edit::read(&place.list, &[write("FSObjType", "1"), write("BaseName", leaf)], &reading).map_err(failed)?;
    let made = update::create(&ask.context, &place.list, &edit, directory, &reading).await.map_err(failed)?;
    Ok(Reply::Created(folder_entity(&place.list, Some(&made))?))
}

/// `DELETE getfolderbyserverrelativeurl('…')`, with what is in it. The folder of a list goes with its list alone.
pub(super) async fn delete_folder(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let place = Place::of(ask, &mut view).await?;
    place.check_folder()?;
    drop(view);
    let item = place.row.as_ref().ok_or(EngineError::Distinguished)?;
    remove(ask, &place.list, item, Removal::ForGood).await?;
    Ok(Reply::Deleted)
}

async fn remove(ask: &Ask<'_>, list: &List, item: &Item, how: Removal) -> Result<Option<Guid>, RestError> {
    let version = version(ask, list, item)?;
    let removed = update::remove(&ask.context, list, item.id.number(), version, how).await;
    removed.map_err(|failure| ask.failed(failure))
}

/// The version that the client means by `If-Match`; `None` for any.
fn version(ask: &Ask<'_>, list: &List, item: &Item) -> Result<Option<i32>, RestError> {
    let row = Row::new(list, item)?;
    Ok(meant(ask, &etag(&row))?.then(|| row.version()))
}

/// The state of an attachment that the client means by `If-Match`.
fn expected(ask: &Ask<'_>, found: &RowAttachment) -> Result<AttachmentExpected, RestError> {
    let meant = meant(ask, &attachments::state(found))?;
    Ok(if meant { AttachmentExpected::Version(found.guid, found.version) } else { AttachmentExpected::Any })
}

fn meant(ask: &Ask<'_>, current: &str) -> Result<bool, RestError> {
    check_etag(ask.headers, Some(current)).map_err(|_| RestError::stale(ask.if_match().unwrap_or_default(), current))
}
