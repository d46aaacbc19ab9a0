//! Fields of lists.

use serde_json::Value as Json;
use xml::{Document, Limits, Writer};

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
    list_draft::ListDraft,
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
    entity.plain("Indexed", field.is_indexed() || field.name == "ID");
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
    let Ok(document) = Document::parse_fragment(&field.children, &Limits::DEFAULT) else {
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
    Ok(Reply::Entity(entity(&list, find(ask, &list)?)))
}

/// The field that the path names.
fn find<'l>(ask: &Ask<'_>, list: &'l List) -> Result<&'l Field, RestError> {
    let key = ask.key("fields").ok_or_else(|| RestError::no_field(""))?;
    let name = key.value.to_text();
    let by_title = || list.fields.iter().find(|field| field.display.eq_ignore_ascii_case(&name));
    let found = match key.by {
        By::Id => name.parse().ok().and_then(|id| list.field_by_id(id)),
        By::Title => by_title(),
        By::Name | By::Url | By::Mail => list.field(&name).or_else(by_title),
    };
    found.ok_or_else(|| RestError::no_field(&name))
}

/// The types that clients may ask for by number.
const TYPES_BY_NUMBER: &[(i64, FieldType)] = &[
    (1, FieldType::Integer),
    (2, FieldType::Text),
    (3, FieldType::Note),
    (4, FieldType::DateTime),
    (6, FieldType::Choice),
    (7, FieldType::Lookup),
    (8, FieldType::Boolean),
    (9, FieldType::Number),
    (10, FieldType::Currency),
    (11, FieldType::Url),
    (15, FieldType::MultiChoice),
    (20, FieldType::User),
];

/// `POST lists(guid'…')/fields`, with the title and the number of the type, or with markup in `SchemaXml`.
pub(super) async fn add(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    let body = ask.body()?.without("parameters")?;
    let markup = match body.text("SchemaXml")? {
        Some(markup) => markup,
        None => markup(&body)?,
    };
    let document = Document::parse_fragment(&markup, &Limits::DEFAULT)
        .map_err(|error| RestError::bad_query(format!("The markup of the field cannot be read: {error}.")))?;
    let id = ask.context.adapter.engine.random().guid();
    let node = document.root().children().next();
    let node = node.ok_or_else(|| RestError::bad_value("The field has no usable name or type."))?;
    let mut draft = ListDraft::new(list);
    // 16 of the options shows the field in the default view. [MS-CSOMSPT 3.2.5.12]
    let show = (body.number("Options")?.unwrap_or(0) & 16 != 0).then_some(None);
    let field = draft.add(node, show, id).map_err(|failure| ask.failed(failure))?;
    let list = draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    let made = list.field(&field.name).ok_or_else(|| RestError::no_field(&field.name))?;
    Ok(Reply::Created(entity(&list, made)))
}

/// The markup of a field that is described by properties.
fn markup(body: &super::body::Body) -> Result<String, RestError> {
    let number = body.number("FieldTypeKind")?.unwrap_or(2);
    let known = TYPES_BY_NUMBER.iter().find(|(own, _)| *own == number);
    let (_, kind) = known.ok_or_else(|| RestError::bad_value("The type of the field is not supported."))?;
    let title = body.text("Title")?.filter(|title| !title.trim().is_empty());
    let title = title.ok_or_else(|| RestError::bad_value("The title of the field is empty."))?;
    let mut writer = Writer::new();
    writer.start("Field");
    writer.attribute("Type", kind.wire());
    writer.attribute("DisplayName", title.trim());
    for (property, attribute) in [
        ("Required", "Required"),
        ("Description", "Description"),
        ("Indexed", "Indexed"),
        ("LookupListId", "List"),
        ("LookupFieldName", "ShowField"),
        ("MinimumValue", "Min"),
        ("MaximumValue", "Max"),
    ] {
        if let Some(value) = body.text(property)? {
            writer.attribute(attribute, &value);
        }
    }
    if let Some(choices) = body.get("Choices") {
        let choices = choices.as_array().or_else(|| choices.get("results")?.as_array());
        writer.start("CHOICES");
        for choice in choices.into_iter().flatten().filter_map(Json::as_str) {
            writer.element("CHOICE", choice);
        }
        writer.end();
    }
    if let Some(value) = body.text("DefaultValue")? {
        writer.element("Default", &value);
    }
    writer.end();
    String::from_utf8(writer.into_bytes()).map_err(|_| RestError::bad_query("The field is not valid."))
}

/// What clients may change of a field.
const CHANGEABLE: &[&str] = &[
    "Title",
    "Description",
    "Required",
    "Hidden",
    "Indexed",
    "ReadOnlyField",
    "Group",
    "DefaultValue",
    "FieldTypeKind",
];

/// `MERGE lists(guid'…')/fields('…')`. The type and a default may be sent along as they are.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    let field = find(ask, &list)?.clone();
    let body = ask.body()?;
    for (name, _) in body.values() {
        if !CHANGEABLE.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return Err(RestError::no_property(name, "SP.Field"));
        }
    }
    if body.number("FieldTypeKind")?.is_some_and(|number| number != i64::from(kind(field.kind).0)) {
        return Err(RestError::bad_value("The type of a field does not change."));
    }
    if body.get("DefaultValue").is_some() && body.text("DefaultValue")? != field.default_text() {
        return Err(RestError::bad_value("The default of a field does not change here; send its SchemaXml instead."));
    }
    let flag = |name: &str| -> Result<Option<bool>, RestError> {
        let text = body.text(name)?;
        let bad = || RestError::bad_value(format!("The property {name} is not true or false."));
        text.map(|text| crate::value::boolean(text.trim()).ok_or_else(bad)).transpose()
    };
    let (required, hidden, indexed) = (flag("Required")?, flag("Hidden")?, flag("Indexed")?);
    let (read_only, title) = (flag("ReadOnlyField")?, body.text("Title")?);
    if title.as_deref().is_some_and(|title| title.trim().is_empty()) {
        return Err(RestError::bad_value("The title of the field is empty."));
    }
    if !field.custom && read_only.is_some_and(|read_only| read_only != field.read_only) {
        return Err(RestError::bad_value("Whether a field of the template is written does not change."));
    }
    let texts = [("Description", body.text("Description")?), ("Group", body.text("Group")?)];
    let mut draft = ListDraft::new(list);
    let edit = |field: &mut Field| {
        field.display = title.map_or_else(|| field.display.clone(), |title| title.trim().to_owned().into());
        field.required = required.unwrap_or(field.required);
        field.hidden = hidden.unwrap_or(field.hidden);
        field.read_only = read_only.unwrap_or(field.read_only);
        for (name, text) in texts {
            if let Some(text) = text {
                field.attributes.retain(|(own, _)| own != name);
                field.attributes.push((name.into(), text.into()));
            }
        }
        field.set_indexed(indexed.unwrap_or_else(|| field.is_indexed()));
    };
    draft.edit(&field.name, edit).map_err(|failure| ask.failed(failure))?;
    draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(None))
}

/// `DELETE lists(guid'…')/fields('…')`, of a field that was added.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    let name = find(ask, &list)?.name.clone();
    let mut draft = ListDraft::new(list);
    draft.remove(&name).map_err(|failure| ask.failed(failure))?;
    draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Deleted)
}
