//! Rows of lists as entities, and the names and values that clients write them with.

use std::borrow::Cow;

use engine::EngineError;
use model::Value as Stored;
use serde_json::{Value as Json, json};
use xml::{Writer, encode_name};

use super::{
    attachments,
    entity::{Entity, Value, number},
    error::RestError,
    options::Shape,
    web,
};
use crate::{
    fields::{Field, FieldType},
    names::{self, Names, Person},
    paths,
    rows::{Item, Row, RowStyle, field_text},
    schema::List,
    update::FieldWrite,
};

/// Values in one array that a client writes.
const MEMBERS_MAX: usize = 10_000;

/// A property in a filter, as a field of the list.
pub(crate) struct FilterTarget<'l> {
    field: &'l Field,
    by_id: bool,
}

impl FilterTarget<'_> {
    /// Whether a lookup is compared by id.
    pub(crate) const fn is_id(&self) -> bool {
        self.by_id
    }

    /// Writes the `FieldRef`.
    pub(crate) fn write_reference(&self, writer: &mut Writer) {
        writer.start("FieldRef");
        writer.attribute("Name", &self.field.name);
        if self.by_id {
            writer.attribute("LookupId", "TRUE");
        }
        writer.end();
    }
}

/// Whether values of a field are ids of something else.
pub(crate) const fn is_lookup(kind: FieldType) -> bool {
    matches!(kind, FieldType::User | FieldType::UserMulti | FieldType::Lookup | FieldType::LookupMulti)
}

/// The name of the type of a list's items.
pub(crate) fn item_type(list: &List) -> String {
    format!("SP.Data.{}Item", entity_type_name(list))
}

/// The name under which a list stands among types: `TasksList`, `Documents`.
pub(crate) fn entity_type_name(list: &List) -> String {
    let leaf = encode_name(paths::split(list.collection.folder()).1);
    let mut characters = leaf.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase()).unwrap_or('L');
    let suffix = if list.template.is_library() { "" } else { "List" };
    format!("{first}{}{suffix}", characters.as_str())
}

/// The path of an item below `_api/`.
pub(crate) fn item_path(list: &List, number: u32) -> String {
    format!("{}/Items({number})", list_path(list))
}

/// The path of a list below `_api/`.
pub(crate) fn list_path(list: &List) -> String {
    format!("Web/Lists(guid'{}')", list.guid())
}

/// The version of an item as clients hold it.
pub(crate) fn etag(row: &Row<'_>) -> String {
    format!("\"{},{}\"", row.unique_id(), row.version())
}

/// The name of a field in JSON. Names that begin with an underscore cannot stand in OData.
fn wire_name(field: &Field) -> Cow<'static, str> {
    match &*field.name {
        "FSObjType" => Cow::Borrowed("FileSystemObjectType"),
        name if name.starts_with('_') => Cow::Owned(format!("OData_{name}")),
        _ => field.name.clone(),
    }
}

/// The field that a name in JSON means, and whether it means its ids.
pub(crate) fn find_field<'l>(list: &'l List, name: &str) -> Option<(&'l Field, bool)> {
    let same = |wanted: &str| list.fields.iter().find(|field| field.name.eq_ignore_ascii_case(wanted));
    let name = match name {
        name if name.eq_ignore_ascii_case("FileSystemObjectType") => "FSObjType",
        name => name.strip_prefix("OData_").unwrap_or(name),
    };
    if let Some(field) = list.field(name).or_else(|| same(name)) {
        return Some((field, false));
    }
    let stem = name.strip_suffix("StringId").or_else(|| name.strip_suffix("Id"))?;
    same(stem).filter(|field| is_lookup(field.kind)).map(|field| (field, true))
}

/// The field that a property of a filter means.
///
/// # Errors
/// Status 400 for none.
pub(crate) fn filter_target<'l>(list: &'l List, property: &str) -> Result<FilterTarget<'l>, RestError> {
    let unknown = || RestError::no_property(property, &item_type(list));
    let (head, below) = property.split_once('/').unwrap_or((property, ""));
    let (field, ids) = find_field(list, head).ok_or_else(unknown)?;
    let by_id = ids || below.eq_ignore_ascii_case("Id");
    let shown = field.attribute("ShowField").unwrap_or("Title");
    let named = below.is_empty() || by_id || below.eq_ignore_ascii_case("Title") || below.eq_ignore_ascii_case(shown);
    if !named || (!below.is_empty() && !is_lookup(field.kind)) {
        return Err(unknown());
    }
    Ok(FilterTarget { field, by_id })
}

/// Whether a field is shown without being asked for.
fn is_usual(field: &Field) -> bool {
    match &*field.name {
        "ContentTypeId" | "GUID" | "Attachments" | "_UIVersionString" | "FSObjType" => true,
        "Title" | "ID" | "Created" | "Modified" | "Author" | "Editor" => true,
        _ => {
            let derived = matches!(field.kind, FieldType::Computed | FieldType::DocLookup | FieldType::File);
            !derived && !field.hidden && !field.name.starts_with('_')
        }
    }
}

/// The fields whose values the shape needs by name: users and lookups that are expanded.
pub(crate) fn named_fields<'l>(list: &'l List, shape: &Shape) -> Vec<&'l Field> {
    let as_text = shape.expands("FieldValuesAsText") || shape.selects("FieldValuesAsText");
    list.fields.iter().filter(|field| is_lookup(field.kind) && (as_text || wants_inside(field, shape))).collect()
}

fn wants_inside(field: &Field, shape: &Shape) -> bool {
    is_lookup(field.kind) && shape.expands(&field.name)
}

/// What of a list's rows a shape asks for: worked out once for all rows of an answer.
pub(crate) struct Columns<'l> {
    list: &'l List,
    shape: &'l Shape,
    kind: String,
    set: String,
    /// The path of the list, without a row.
    path: String,
    columns: Vec<Column<'l>>,
}

/// A field that is shown.
struct Column<'l> {
    field: &'l Field,
    name: Cow<'static, str>,
    /// The name of its ids, where it has any.
    ids: Option<String>,
    /// Whether it is shown without being asked for.
    usual: bool,
    /// Whether what its ids lead to is shown too.
    inside: bool,
}

impl<'l> Columns<'l> {
    /// What `shape` asks for; `complete` with all that it could ask for.
    pub(crate) fn of(list: &'l List, shape: &'l Shape, complete: bool) -> Self {
        let column = |field: &'l Field| {
            let name = wire_name(field);
            if name == "FileSystemObjectType" {
                // It stands first; some clients know it by its name in CAML alone.
                let name = field.name.clone();
                return shape.selects(&name).then_some(Column { field, name, ids: None, usual: false, inside: false });
            }
            let usual = is_usual(field);
            let ids = is_lookup(field.kind).then(|| format!("{name}Id"));
            let named = || shape.selects(&name) || ids.as_ref().is_some_and(|ids| shape.selects(ids));
            let shown = complete || usual && shape.wants_all() || named() || shape.expands(&name);
            shown.then(|| Column { field, name, ids, usual, inside: wants_inside(field, shape) })
        };
        Self {
            list,
            shape,
            kind: item_type(list),
            set: format!("SP.ListData.{}s/@Element", entity_type_name(list) + "Item"),
            path: list_path(list),
            columns: list.fields.iter().filter_map(column).collect(),
        }
    }
}

/// A row as an entity, with what the shape asks for.
///
/// # Errors
/// When the stored row is damaged.
pub(crate) fn entity(columns: &Columns<'_>, item: &Item, names: &Names) -> Result<Entity, EngineError> {
    let Columns { list, shape, kind, set, path, columns } = columns;
    let row = Row::new(list, item)?;
    let mut entity = Entity::new(kind.clone(), format!("{path}/Items({})", row.number()), set.clone());
    entity.etag = Some(etag(&row));
    if let Some(field) = list.field("FSObjType") {
        entity.plain("FileSystemObjectType", plain(&row, field));
    }
    entity.plain("Id", row.number());
    entity.links(&[
        "AttachmentFiles",
        "ContentType",
        "FieldValuesAsHtml",
        "FieldValuesAsText",
        "FieldValuesForEdit",
        "File",
        "Folder",
        "ParentList",
        "RoleAssignments",
    ]);
    for Column { field, name, ids: named_ids, usual, inside: wanted_inside } in columns {
        let mut add = |name: Cow<'static, str>, value: Value| {
            if *usual { entity.value(name, value) } else { entity.on_demand(name, value) }
        };
        match named_ids {
            Some(name_of_ids) => {
                add(name_of_ids.clone().into(), ids(&row, field));
                if *wanted_inside {
                    add(name.clone(), inside(&row, field, names));
                }
            }
            None => add(name.clone(), value(&row, field)),
        }
    }
    entity.on_demand("EffectiveBasePermissions", web::permissions(row.rights_mask()));
    entity.on_demand("HasUniqueRoleAssignments", Value::Plain(Json::Bool(row.has_own_roles())));
    if shape.expands("AttachmentFiles") {
        let all = row.attachments().iter().map(|own| attachments::entity(list, row.number(), own)).collect();
        entity.expand("AttachmentFiles", Value::Entities(all));
    }
    if shape.expands("FieldValuesAsText") || shape.selects("FieldValuesAsText") {
        let texts = texts(list, &row, names);
        entity.expand("FieldValuesAsText", Value::Entity(Box::new(texts)));
    }
    Ok(entity)
}

/// All values of a row as text.
pub(crate) fn texts(list: &List, row: &Row<'_>, names: &Names) -> Entity {
    let path = format!("{}/FieldValuesAsText", item_path(list, row.number()));
    let mut entity = Entity::new("SP.FieldStringValues", path, "SP.ApiData.FieldStringValues/@Element");
    for field in &list.fields {
        let text = if is_lookup(field.kind) {
            row.value(field).map(|value| names.texts(field, &value).join("; ")).unwrap_or_default()
        } else if matches!(field.kind, FieldType::DocLookup | FieldType::File) {
            match plain(row, field) {
                Json::String(text) => text,
                other @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_)) => {
                    other.to_string()
                }
            }
        } else {
            field_text(row, field, &RowStyle::default(), names).unwrap_or_default()
        };
        let name = if field.name.starts_with('_') { format!("OData_{}", field.name) } else { field.name.to_string() };
        entity.plain(name, text);
    }
    entity
}

fn value(row: &Row<'_>, field: &Field) -> Value {
    match (field.kind, row.value(field)) {
        (FieldType::MultiChoice, Some(Stored::Texts(texts))) => {
            Value::Many("Edm.String", texts.into_iter().map(Json::String).collect())
        }
        (FieldType::Url, Some(Stored::Text(text))) if !text.is_empty() => {
            let (url, description) = split_url(&text);
            let parts =
                vec![("Description", Value::Plain(Json::from(description))), ("Url", Value::Plain(Json::from(url)))];
            Value::Complex("SP.FieldUrlValue", parts)
        }
        _ => Value::Plain(plain(row, field)),
    }
}

/// URL and description of `http://x/, Description`; a comma in the URL is doubled or has no space behind it.
pub(crate) fn split_url(text: &str) -> (String, String) {
    match text.split_once(", ") {
        Some((url, description)) => (url.replace(",,", ","), description.to_owned()),
        None => (text.to_owned(), text.to_owned()),
    }
}

/// A value of a field that is no lookup.
fn plain(row: &Row<'_>, field: &Field) -> Json {
    let Some(value) = row.value(field) else { return Json::Null };
    #[expect(clippy::wildcard_enum_match_arm, reason = "lists hold only some of the types that values may have")]
    match value {
        Stored::Text(text) => match &*field.name {
            "FileRef" | "FileDirRef" => Json::String(format!("/{text}")),
            _ => Json::String(text),
        },
        Stored::I32(whole) => Json::from(whole),
        Stored::I64(whole) => Json::from(whole),
        Stored::F64(float) => number(float),
        Stored::Bool(truth) => Json::Bool(truth),
        Stored::Time(time) => Json::String(time.to_string()),
        Stored::Guid(guid) => Json::String(guid.to_string()),
        Stored::Texts(texts) => json!(texts),
        Stored::I32s(numbers) => json!(numbers),
        _ => Json::Null,
    }
}

const fn is_multiple(field: &Field) -> bool {
    matches!(field.kind, FieldType::UserMulti | FieldType::LookupMulti)
}

fn ids(row: &Row<'_>, field: &Field) -> Value {
    let ids = row.value(field).map(|value| names::ids(&value)).unwrap_or_default();
    if is_multiple(field) {
        return Value::Many("Edm.Int32", ids.into_iter().map(Json::from).collect());
    }
    Value::Plain(ids.first().map_or(Json::Null, |id| Json::from(*id)))
}

/// What a lookup leads to.
fn inside(row: &Row<'_>, field: &Field, names: &Names) -> Value {
    let ids = row.value(field).map(|value| names::ids(&value)).unwrap_or_default();
    let user = matches!(field.kind, FieldType::User | FieldType::UserMulti);
    let one = |id: u32| {
        if user {
            let nobody = Person::default();
            let person = names.person_by_id(id).unwrap_or(&nobody);
            let mut entity = Entity::new("SP.Data.UserInfoItem", String::new(), "SP.Data.UserInfoItem");
            entity.plain("Id", id);
            entity.plain("ID", id);
            entity.plain("Title", person.title.clone());
            entity.plain("Name", person.login.clone());
            entity.plain("EMail", person.mail.clone());
            entity.plain("SipAddress", person.sip.clone());
            return entity;
        }
        let mut entity = Entity::new("SP.Data.ListItem", String::new(), "SP.Data.ListItem");
        let text = names.lookup(field, id);
        entity.plain("Id", id);
        entity.plain("ID", id);
        entity.plain("Title", text.clone());
        if let Some(shown) = field.attribute("ShowField").filter(|shown| !matches!(*shown, "Title" | "ID" | "Id")) {
            entity.plain(shown.to_owned(), text);
        }
        entity
    };
    if is_multiple(field) {
        return Value::Entities(ids.into_iter().map(one).collect());
    }
    ids.first().map_or(Value::Plain(Json::Null), |id| Value::Entity(Box::new(one(*id))))
}

/// Properties of items that clients send back and that are never written.
const IGNORED: &[&str] = &[
    "Id",
    "ID",
    "GUID",
    "Attachments",
    "ServerRedirectedEmbedUri",
    "ServerRedirectedEmbedUrl",
    "OData__UIVersionString",
    "ParentList",
];

/// A property that a client writes, as the name and text that every protocol shares. `None` for what is not written.
///
/// # Errors
/// Status 400 for a property that the list has not, and for a value of the wrong form.
pub(crate) fn field_write(list: &List, name: &str, json: &Json) -> Result<Option<FieldWrite>, RestError> {
    if IGNORED.contains(&name) || matches!(json, Json::Object(inside) if inside.contains_key("__deferred")) {
        return Ok(None);
    }
    let unknown = || {
        RestError::bad_query(format!(
            "The property '{name}' does not exist on type '{}'. Make sure to only use property names that are defined \
             by the type.",
            item_type(list)
        ))
    };
    let (field, _) = find_field(list, name).ok_or_else(unknown)?;
    let bad = || RestError::bad_query(format!("The value of the property '{name}' is not valid."));
    let text = text_of(field, json).ok_or_else(bad)?;
    Ok(Some(FieldWrite { name: field.name.to_string(), property: None, text }))
}

fn text_of(field: &Field, json: &Json) -> Option<String> {
    match json {
        Json::Null => Some(String::new()),
        Json::String(text) => Some(text.clone()),
        Json::Bool(truth) => Some(u8::from(*truth).to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::Array(members) => several(field, members),
        Json::Object(parts) => {
            let part = |name: &str| parts.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, json)| json);
            if let Some(results) = part("results") {
                return several(field, results.as_array()?);
            }
            let url = part("Url")?.as_str()?;
            let description = part("Description").and_then(Json::as_str).filter(|text| !text.is_empty());
            Some(format!("{}, {}", url.replace(',', ",,"), description.unwrap_or(url)))
        }
    }
}

fn several(field: &Field, members: &[Json]) -> Option<String> {
    if members.is_empty() {
        return Some(String::new());
    }
    let texts: Option<Vec<String>> = members
        .iter()
        .take(MEMBERS_MAX)
        .map(|member| match member {
            Json::String(text) => Some(text.clone()),
            Json::Number(number) => Some(number.to_string()),
            Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
        })
        .collect();
    if members.len() > MEMBERS_MAX {
        return None;
    }
    let texts = texts?;
    if is_lookup(field.kind) {
        return Some(texts.join(";#"));
    }
    let doubled: Vec<String> = texts.iter().map(|text| text.replace(';', ";;")).collect();
    Some(format!(";#{};#", doubled.join(";#")))
}
