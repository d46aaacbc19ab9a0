//! Fields of lists.

use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    item_json,
    path::By,
    reply::Reply,
};
use crate::{
    fields::{Field, FieldType},
    schema::{List, field_xml},
};

/// The number and the type name of each type of field. \[MS-CSOMSPT 3.2.5.52\]
const fn kind(kind: FieldType) -> (i32, &'static str) {
    match kind {
        FieldType::Integer => (1, "SP.FieldNumber"),
        FieldType::Text => (2, "SP.FieldText"),
        FieldType::Note => (3, "SP.FieldMultiLineText"),
        FieldType::DateTime => (4, "SP.FieldDateTime"),
        FieldType::Counter => (5, "SP.Field"),
        FieldType::Choice => (6, "SP.FieldChoice"),
        FieldType::Lookup | FieldType::LookupMulti | FieldType::DocLookup => (7, "SP.FieldLookup"),
        FieldType::Boolean => (8, "SP.Field"),
        FieldType::Number => (9, "SP.FieldNumber"),
        FieldType::Currency => (10, "SP.FieldCurrency"),
        FieldType::Url => (11, "SP.FieldUrl"),
        FieldType::Computed => (12, "SP.FieldComputed"),
        FieldType::Guid => (14, "SP.FieldGuid"),
        FieldType::MultiChoice => (15, "SP.FieldMultiChoice"),
        FieldType::Calculated => (17, "SP.FieldCalculated"),
        FieldType::File => (18, "SP.Field"),
        FieldType::Attachments => (19, "SP.Field"),
        FieldType::User | FieldType::UserMulti => (20, "SP.FieldUser"),
        FieldType::Recurrence => (21, "SP.Field"),
        FieldType::ModStat => (23, "SP.Field"),
        FieldType::ContentTypeId => (25, "SP.Field"),
        FieldType::ThreadIndex => (27, "SP.Field"),
        FieldType::AllDayEvent => (29, "SP.Field"),
    }
}

fn entity(list: &List, field: &Field) -> Entity {
    let (number, type_name) = kind(field.kind);
    let path = format!("{}/Fields(guid'{}')", item_json::list_path(list), field.id);
    let mut entity = Entity::new(type_name, path, "SP.ApiData.Fields45/@Element");
    let wire = match &*field.name {
        name if name.starts_with('_') => format!("OData_{name}"),
        name => name.to_owned(),
    };
    entity.plain("CanBeDeleted", field.custom);
    entity.plain("DefaultValue", field.default_text().map_or(Json::Null, Json::String));
    entity.plain("Description", field.attribute("Description").unwrap_or_default());
    entity.plain("Direction", "none");
    entity.plain("EnforceUniqueValues", false);
    entity.plain("EntityPropertyName", wire);
    entity.plain("Filterable", !matches!(field.kind, FieldType::Note | FieldType::Computed));
    entity.plain("FromBaseType", field.base);
    entity.plain("Group", field.attribute("Group").unwrap_or("Custom Columns"));
    entity.plain("Hidden", field.hidden);
    entity.plain("Id", field.id.to_string());
    entity.plain("Indexed", false);
    entity.plain("InternalName", &*field.name);
    entity.plain("JSLink", Json::Null);
    entity.plain("ReadOnlyField", field.read_only);
    entity.plain("Required", field.required);
    entity.plain("SchemaXml", field_xml(field));
    entity.plain("Scope", format!("/{}", list.root_folder));
    entity.plain("Sealed", false);
    entity.plain("Sortable", !matches!(field.kind, FieldType::Note | FieldType::Computed));
    entity.plain("StaticName", &*field.name);
    entity.plain("Title", &*field.display);
    entity.plain("FieldTypeKind", number);
    entity.plain("TypeAsString", field.kind.wire());
    entity.plain("TypeDisplayName", field.kind.wire());
    let choices = choices(field);
    if !choices.is_empty() {
        entity.value("Choices", Value::Many("Edm.String", choices));
    }
    if item_json::is_lookup(field.kind) {
        entity.plain("AllowMultipleValues", matches!(field.kind, FieldType::LookupMulti | FieldType::UserMulti));
        entity.plain("LookupList", field.attribute("List").unwrap_or_default());
        entity.plain("LookupField", field.attribute("ShowField").unwrap_or_default());
    }
    entity
}

/// What stands in `CHOICES`.
fn choices(field: &Field) -> Vec<Json> {
    if !matches!(field.kind, FieldType::Choice | FieldType::MultiChoice) {
        return Vec::new();
    }
    let Ok(document) = xml::Document::parse_fragment(&field.children, &xml::Limits::DEFAULT) else {
        return Vec::new();
    };
    let Some(choices) = document.root().child_local("CHOICES") else { return Vec::new() };
    choices.children().map(|choice| Json::String(choice.text().into_owned())).collect()
}

/// The fields of a list as entities.
pub(super) fn entities(list: &List) -> Vec<Entity> {
    list.fields.iter().map(|field| entity(list, field)).collect()
}

/// `GET lists(guid'…')/fields`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    ask.collection("SP.ApiData.Fields45", entities(&list))
}

/// `GET lists(guid'…')/fields/getbyinternalnameortitle('…')`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let key = ask.key("fields").ok_or_else(|| RestError::no_field(""))?;
    let name = key.value.to_text();
    let by_title = || list.fields.iter().find(|field| field.display.eq_ignore_ascii_case(&name));
    let found = match key.by {
        By::Id => name.parse().ok().and_then(|id| list.field_by_id(id)),
        By::Title => by_title(),
        By::Name | By::Url | By::Mail => list.field(&name).or_else(by_title),
    };
    found.map(|field| Reply::Entity(entity(&list, field))).ok_or_else(|| RestError::no_field(&name))
}
