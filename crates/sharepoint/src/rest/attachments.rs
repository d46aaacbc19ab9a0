//! Attachments of an item: the list of them, one, its bytes, adding and deleting. \[MS-CSOMREST, SP.Attachment\]

use bytes::Bytes;
use engine::{AttachmentExpected, RowAttachment, View};
use http_body_util::{BodyExt, Full};
use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    item_json, items,
    reply::Reply,
};
use crate::{
    attachments,
    rows::{Item, Row},
    schema::List,
};

const SET: &str = "SP.ApiData.Attachments";

/// An attachment as an entity.
pub(super) fn entity(list: &List, number: u32, attachment: &RowAttachment) -> Entity {
    let name = &attachment.name;
    let path = format!("{}/AttachmentFiles('{}')", item_json::item_path(list, number), name.replace('\'', "''"));
    let url = Json::from(format!("/{}", attachments::path(list, number, name)));
    let decoded = |text: Json| Value::Complex("SP.ResourcePath", vec![("DecodedUrl", Value::Plain(text))]);
    let mut entity = Entity::new("SP.Attachment", path, format!("{SET}/@Element"));
    entity.etag = Some(etag(attachment));
    entity.plain("FileName", name.as_str());
    entity.value("FileNameAsPath", decoded(Json::from(name.as_str())));
    entity.value("ServerRelativePath", decoded(url.clone()));
    entity.plain("ServerRelativeUrl", url);
    entity
}

/// `GET items(3)/AttachmentFiles`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    let row = Row::new(&list, &item)?;
    let entities = row.attachments().iter().map(|attachment| entity(&list, row.number(), attachment)).collect();
    ask.collection(SET, entities)
}

/// `GET items(3)/AttachmentFiles('a.txt')`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    let found = named(ask, &list, &item)?;
    Ok(Reply::Entity(entity(&list, item.id.number(), &found)))
}

/// `GET items(3)/AttachmentFiles('a.txt')/$value`.
pub(super) async fn content(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    let found = named(ask, &list, &item)?;
    let bytes = view.part(item.id, found.part).await?.unwrap_or_default();
    let body = Full::new(bytes).map_err(|never| match never {}).boxed_unsync();
    Ok(Reply::Stream("application/octet-stream", body))
}

/// `PUT items(3)/AttachmentFiles('a.txt')/$value`: the body is the file.
pub(super) async fn replace(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    let found = named(ask, &list, &item)?;
    drop(view);
    let bytes = Bytes::clone(ask.body);
    let expected = expected(ask, &found)?;
    let written = attachments::write(&ask.context, &list, item.id.number(), &found.name, bytes, expected).await;
    let written = written.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(Some(etag(&written))))
}

/// `POST items(3)/AttachmentFiles/add(FileName='a.txt')`: the body is the file.
pub(super) async fn add(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    drop(view);
    let name = ["add", "addusingpath"].iter().find_map(|step| ask.key(step)).map(|key| key.value.to_text());
    let (name, bytes) = (name.unwrap_or_default(), Bytes::clone(ask.body));
    let added = attachments::add(&ask.context, &list, item.id.number(), &name, bytes).await;
    let added = added.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Entity(entity(&list, item.id.number(), &added)))
}

/// `DELETE items(3)/AttachmentFiles('a.txt')`.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let (list, item) = target(ask, &mut view).await?;
    let found = named(ask, &list, &item)?;
    drop(view);
    let expected = expected(ask, &found)?;
    let removed = attachments::remove(&ask.context, &list, item.id.number(), &found.name, expected).await;
    removed.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Deleted)
}

/// The tag of one state of an attachment, which GET of its URL gives too.
fn etag(attachment: &RowAttachment) -> String {
    format!("\"{}\"", attachments::state(attachment))
}

/// The state that the client means by `If-Match`.
fn expected(ask: &Ask<'_>, found: &RowAttachment) -> Result<AttachmentExpected, RestError> {
    let Some(given) = ask.if_match() else { return Ok(AttachmentExpected::Any) };
    let current = attachments::state(found);
    if given.trim_start_matches("W/").trim_matches('"').eq_ignore_ascii_case(&current) {
        Ok(AttachmentExpected::Version(found.guid, found.version))
    } else {
        Err(RestError::stale(given, &etag(found)))
    }
}

async fn target(ask: &Ask<'_>, view: &mut View) -> Result<(List, Item), RestError> {
    let list = ask.list(view).await?;
    let item = items::find(ask, view, &list).await?;
    Ok((list, item))
}

fn named(ask: &Ask<'_>, list: &List, item: &Item) -> Result<RowAttachment, RestError> {
    let name = ask.key("attachmentfiles").map(|key| key.value.to_text()).unwrap_or_default();
    attachments::find(&Row::new(list, item)?, &name).ok_or_else(|| RestError::no_resource(&name))
}
