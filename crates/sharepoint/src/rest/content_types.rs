//! Content types over REST: those of a list and those of the site. They are made and changed over SOAP.
//! \[SP.ContentType, learn.microsoft.com\]

use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    item_json,
    reply::Reply,
};
use crate::content_types::{self, ContentType};

const SET: &str = "SP.ApiData.ContentTypes";

/// A type below `above`, a path below `_api/`; `scope` is the server-relative URL of what it belongs to.
fn entity(own: &ContentType, above: &str, scope: &str) -> Entity {
    let path = format!("{above}/ContentTypes('{}')", own.id);
    let mut entity = Entity::new("SP.ContentType", path, format!("{SET}/@Element"));
    entity.plain("Description", own.description.as_str());
    entity.plain("Group", own.group.as_str());
    entity.plain("Hidden", false);
    let id = vec![("StringValue", Value::Plain(Json::from(own.id.as_str())))];
    entity.value("Id", Value::Complex("SP.ContentTypeId", id));
    entity.plain("Name", own.name.as_str());
    entity.plain("ReadOnly", false);
    entity.plain("Scope", scope);
    entity.plain("Sealed", false);
    entity.plain("StringId", own.id.as_str());
    entity
}

/// `GET lists(guid'…')/contenttypes`.
pub(super) async fn of_list(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entities = list_entities(ask).await?;
    ask.collection(SET, entities)
}

/// `GET lists(guid'…')/contenttypes('0x…')`.
pub(super) async fn one_of_list(ask: &Ask<'_>) -> Result<Reply, RestError> {
    named(ask, list_entities(ask).await?)
}

/// `GET contenttypes` and `availablecontenttypes`.
pub(super) async fn of_site(ask: &Ask<'_>) -> Result<Reply, RestError> {
    ask.collection(SET, site_entities(ask))
}

/// `GET contenttypes('0x…')`.
pub(super) async fn one_of_site(ask: &Ask<'_>) -> Result<Reply, RestError> {
    named(ask, site_entities(ask))
}

async fn list_entities(ask: &Ask<'_>) -> Result<Vec<Entity>, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let (above, scope) = (item_json::list_path(&list), format!("/{}", list.root_folder));
    Ok(content_types::of_list(&list).iter().map(|own| entity(own, &above, &scope)).collect())
}

fn site_entities(ask: &Ask<'_>) -> Vec<Entity> {
    let scope = format!("/{}", ask.context.call.site_path.trim_matches('/'));
    content_types::of_site().map(|own| entity(&own, "Web", &scope)).collect()
}

/// The type whose id the path names.
fn named(ask: &Ask<'_>, entities: Vec<Entity>) -> Result<Reply, RestError> {
    let given = ask.key("contenttypes").map(|key| key.value.to_text()).unwrap_or_default();
    let id = content_types::parse_id(&given).map(Json::String);
    let found = entities.into_iter().find(|own| id.is_some() && own.get_plain("StringId") == id.as_ref());
    match found {
        Some(found) => match found.lacks(&ask.options.shape) {
            None => Ok(Reply::Entity(found)),
            Some(name) => Err(RestError::no_property(name, &found.kind)),
        },
        None => Err(RestError::no_resource(&given)),
    }
}
