//! `POST …/RenderListDataAsStream` and `…/RenderListData`: rows of a view in JSON, as they are shown to people.
//!
//! What the rows hold is as publicly documented and as clients read it: all values are texts for reading, users and
//! lookups are arrays of objects, and beside a value stands its plain form under the name with a point behind it.
//! \[learn.microsoft.com, Working with lists and list items with REST; MS-CSOMSPT 3.2.5.79.2.1.6\]

use model::{Civil, Guid, Time, Value as Stored};
use serde_json::{Map, Value as Json, json};

use super::{Ask, entity::Value, error::RestError, reply::Reply, view_xml::ViewXml};
use crate::{
    caml::{Moment, Query},
    fields::{Field, FieldType, truth},
    listing::{self, Bookmark, Filter},
    names::{self, Names},
    query_options::Scope,
    rows::{Row, RowStyle, field_text},
    schema::List,
    views::{self, ListView},
};

const CONTENT_TYPE: &str = "application/json; charset=utf-8";
/// Rows of one answer.
const ROWS_MAX: usize = 5_000;
/// The rows themselves, of what an answer may hold. 0 means them too.
const LIST_DATA: i64 = 2;
/// Fields that every row has.
const ALWAYS: &[&str] = &[
    "ID",
    "PermMask",
    "FSObjType",
    "ContentTypeId",
    "UniqueId",
    "FileRef",
    "FileLeafRef",
    "FileDirRef",
    "owshiddenversion",
];
/// Properties that say nothing here: of groups, of clients' own pictures and of taxonomy, which lists have not.
const WITHOUT_EFFECT: &[&str] = &[
    "AllowMultipleValueFilterForTaxonomyFields",
    "AudienceTarget",
    "DeferredRender",
    "ExpandGroups",
    "ExpandUserField",
    "FilterOutChannelFoldersInDefaultDocLib",
    "FirstGroupOnly",
    "ImageFieldsToTryRewriteToCdnUrls",
    "MergeDefaultView",
    "OriginalDate",
    "ReplaceGroup",
];

/// A question.
struct Question {
    view: ViewXml,
    folder: Option<String>,
    paging: Option<String>,
    date_in_utc: bool,
    required: bool,
}

/// `POST …/RenderListDataAsStream`, with `{"parameters":{…}}`.
pub(super) async fn stream(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let body = ask.body()?;
    let body = body.part("parameters")?.unwrap_or(body);
    let options = body.number("RenderOptions")?.unwrap_or(0);
    if options != 0 && options != LIST_DATA {
        return Err(RestError::bad_value("Of RenderOptions this server has ListData (2) only."));
    }
    for (name, _) in body.values() {
        let known = [
            "ViewXml",
            "OverrideViewXml",
            "Paging",
            "FolderServerRelativeUrl",
            "DatesInUtc",
            "AddRequiredFields",
            "RenderOptions",
        ];
        if !known.iter().chain(WITHOUT_EFFECT).any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(RestError::no_property(name, "SP.RenderListDataParameters"));
        }
    }
    let failed = |failure| ask.failed(failure);
    let markup = |name: &str| ViewXml::parse(&body.text(name)?.unwrap_or_default(), &failed);
    let given = |name: &str| Ok::<_, RestError>(body.text(name)?.filter(|text| !text.trim().is_empty()));
    let question = Question {
        view: markup("ViewXml")?.overridden(markup("OverrideViewXml")?),
        folder: given("FolderServerRelativeUrl")?,
        paging: given("Paging")?,
        date_in_utc: truth(body.text("DatesInUtc")?.as_deref()),
        required: truth(body.text("AddRequiredFields")?.as_deref()),
    };
    let rows = answer(ask, &question).await?;
    Ok(Reply::Raw(CONTENT_TYPE, rows.to_string().into_bytes()))
}

/// `POST …/RenderListData(@viewXml)`: the same as one text in a property.
pub(super) async fn text(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let markup = match ask.key("renderlistdata") {
        Some(key) => key.value.to_text(),
        None => ask.body()?.text("viewXml")?.unwrap_or_default(),
    };
    let view = ViewXml::parse(&markup, &|failure| ask.failed(failure))?;
    let question = Question { view, folder: None, paging: None, date_in_utc: false, required: false };
    let rows = answer(ask, &question).await?;
    Ok(Reply::Property("RenderListData".to_owned(), Value::Plain(Json::String(rows.to_string()))))
}

/// The rows and where they stand among all.
async fn answer(ask: &Ask<'_>, question: &Question) -> Result<Json, RestError> {
    let failed = |failure| ask.failed(failure);
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let shown = shown(ask, &list)?;
    let asked = &question.view;
    // Without markup the view itself is asked for, with all it says.
    let query = match &asked.query {
        Some(query) => query.clone(),
        None if *asked == ViewXml::default() => shown.parsed().map_err(failed)?,
        None => Query::default(),
    };
    let query = query.meant_for(&list).map_err(failed)?;
    let limit = asked.limit.or(shown.rows_max()).unwrap_or(ROWS_MAX).min(ROWS_MAX);
    let known = Names::all(&mut view, &list, &query.fields(&list)).await?;
    let moment =
        Moment { now: ask.context.now(), user_id: ask.context.site.user_id(), calendar_date: None, names: &known };
    let folder = question.folder.as_deref();
    let scope = asked.scope.or(shown.scope).unwrap_or(Scope::Folder);
    let filter = Filter::in_folder(&list, query.condition.clone(), folder, scope);
    let after = question.paging.as_deref().map(Bookmark::parse).transpose().map_err(failed)?;
    let page = listing::page(&mut view, &list, &filter, &query.order, after.as_ref(), Some(limit), &moment).await;
    let page = page.map_err(failed)?;
    let fields = fields(&list, asked, &shown, question.required);
    let names = Names::of_rows(&mut view, &list, &page.items, &fields).await?;
    let mut rows = Vec::with_capacity(page.items.len());
    for item in &page.items {
        let row = Row::new(&list, item)?;
        let mut cells = Map::new();
        for field in &fields {
            write(&mut cells, &row, field, &names, question.date_in_utc);
        }
        rows.push(Json::Object(cells));
    }
    let first = first_row(question.paging.as_deref());
    let last = first + rows.len() - 1;
    let mut answer = json!({
        "Row": rows,
        "FirstRow": first,
        "FolderPermissions": format!("{:#x}", list.rights_mask),
        "LastRow": last,
        "RowLimit": limit,
        "FilterLink": "?",
        "ForceNoHierarchy": "1",
        "HierarchyHasIndention": "",
    });
    if let (Some(next), Some(answer)) = (page.next, answer.as_object_mut()) {
        let next = format!("?{next}&PageFirstRow={}&View={}", last + 1, shown.id);
        answer.insert("NextHref".to_owned(), Json::String(next));
    }
    Ok(answer)
}

/// The view that the address names (`?View=…`), else the default view.
fn shown(ask: &Ask<'_>, list: &List) -> Result<ListView, RestError> {
    let mut all = views::views(list).into_iter();
    match ask.options.other("View").filter(|text| !text.trim().is_empty()) {
        None => all.next().ok_or_else(RestError::no_view),
        Some(text) => {
            let id: Guid = text.trim().parse().map_err(|_| RestError::no_view())?;
            all.find(|view| view.id == id).ok_or_else(RestError::no_view)
        }
    }
}

fn fields<'l>(list: &'l List, asked: &ViewXml, shown: &ListView, required: bool) -> Vec<&'l Field> {
    let mut fields: Vec<&Field> = ALWAYS.iter().filter_map(|name| list.field(name)).collect();
    for field in listing::asked_fields(list, &asked.fields, shown, required) {
        if !fields.iter().any(|own| own.name == field.name) {
            fields.push(field);
        }
    }
    fields
}

/// Which row of all is the first of this page, from 1. The bookmark says, since pages before are not read again.
fn first_row(paging: Option<&str>) -> usize {
    let parts = paging.unwrap_or_default().trim_start_matches('?').split('&');
    let first =
        parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("PageFirstRow"));
    first.and_then(|(_, number)| number.parse().ok()).filter(|first| *first >= 1).unwrap_or(1)
}

/// Writes a field of a row. What has no value is an empty text.
fn write(cells: &mut Map<String, Json>, row: &Row<'_>, field: &Field, names: &Names, date_in_utc: bool) {
    let value = row.value(field);
    let name = field.name.to_string();
    let mut set = |name: String, json: Json| _ = cells.insert(name, json);
    match (field.kind, value) {
        (FieldType::User | FieldType::UserMulti, value) => set(name, people(value.as_ref(), names)),
        (FieldType::Lookup | FieldType::LookupMulti, value) => {
            let ids = value.as_ref().map(names::ids).unwrap_or_default();
            let one = |id: u32| json!({ "lookupId": id, "lookupValue": names.lookup(field, id), "isSecretFieldValue": false });
            let many = field.kind == FieldType::LookupMulti || !ids.is_empty();
            set(name, if many { ids.into_iter().map(one).collect() } else { Json::String(String::new()) });
        }
        (FieldType::DateTime, Some(Stored::Time(time))) => {
            set(format!("{name}."), Json::String(time.to_string()));
            let date_only = field.attribute("Format") == Some("DateOnly");
            set(name, Json::String(if date_in_utc { time.to_string() } else { readable(time, date_only) }));
        }
        (FieldType::Boolean | FieldType::AllDayEvent | FieldType::Recurrence, Some(Stored::Bool(on))) => {
            set(format!("{name}.value"), Json::String(u8::from(on).to_string()));
            set(name, Json::String(if on { "Yes" } else { "No" }.to_owned()));
        }
        (FieldType::Number | FieldType::Currency, Some(Stored::F64(number))) => {
            set(format!("{name}."), Json::String(crate::rows::number_text(number)));
            set(name, Json::String(number.to_string()));
        }
        (FieldType::MultiChoice, Some(Stored::Texts(texts))) => set(name, json!(texts)),
        (FieldType::Url, Some(Stored::Text(text))) => {
            let (url, description) = super::item_json::split_url(&text);
            set(format!("{name}.desc"), Json::String(description));
            set(name, Json::String(url));
        }
        (FieldType::DocLookup | FieldType::File, Some(value)) => {
            let text = crate::rows::plain_text(&value, true);
            let path = matches!(name.as_str(), "FileRef" | "FileDirRef");
            set(name, Json::String(if path { format!("/{text}") } else { text }));
        }
        (_, value) => {
            let text = value.and_then(|_| field_text(row, field, &RowStyle::default(), names));
            set(name, Json::String(text.unwrap_or_default()));
        }
    }
}

fn people(value: Option<&Stored>, names: &Names) -> Json {
    let ids = value.map(names::ids).unwrap_or_default();
    let one = |id: u32| {
        let person = names.person_by_id(id).cloned().unwrap_or_default();
        json!({ "id": id.to_string(), "title": person.title, "email": person.mail, "sip": person.sip, "picture": "" })
    };
    if ids.is_empty() { Json::String(String::new()) } else { ids.into_iter().map(one).collect() }
}

/// A time as people of the site's language read it: `3/4/2026 5:06 AM`, `3/4/2026`.
fn readable(time: Time, date_only: bool) -> String {
    let Civil { year, month, day, hour, minute, .. } = time.civil();
    let date = format!("{month}/{day}/{year}");
    if date_only {
        return date;
    }
    let (half, hour) = (if hour < 12 { "AM" } else { "PM" }, if hour % 12 == 0 { 12 } else { hour % 12 });
    format!("{date} {hour}:{minute:02} {half}")
}
