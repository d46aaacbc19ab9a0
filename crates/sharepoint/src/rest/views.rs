//! Views of a list, and their fields.

use model::Guid;
use serde_json::Value as Json;

use super::{
    Ask,
    body::Body,
    entity::{Entity, Value},
    error::RestError,
    item_json,
    path::By,
    reply::Reply,
};
use crate::{
    caml::XML_LIMITS,
    fields::truth,
    list_draft::ListDraft,
    query_options::Scope,
    schema::List,
    views::{self, FieldsEdit, ListView, ViewEdit},
};

/// Properties that a client may write.
const WRITABLE: &[&str] =
    &["Title", "ViewQuery", "RowLimit", "Paged", "DefaultView", "Hidden", "Scope", "Aggregations", "Formats"];
/// Properties that a client may write of a new view only.
const WRITABLE_ONCE: &[&str] = &["ViewTypeKind", "ViewType", "PersonalView", "Query", "SetAsDefaultView", "ViewFields"];

/// The views of a list as entities, the default view first.
pub(super) fn entities(list: &List) -> Vec<Entity> {
    views::views(list).iter().map(|view| entity(list, view)).collect()
}

fn entity(list: &List, view: &ListView) -> Entity {
    let path = format!("{}/Views(guid'{}')", item_json::list_path(list), view.id);
    let mut entity = Entity::new("SP.View", path, "SP.ApiData.Views/@Element");
    entity.links(&["ViewFields"]);
    entity.plain("BaseViewId", view.base.to_string());
    entity.plain("DefaultView", view.default);
    entity.plain("Hidden", view.hidden);
    entity.plain("Id", view.id.to_string());
    entity.plain("ImageUrl", "/_layouts/15/images/generic.png");
    entity.plain("ListViewXml", view.to_xml());
    entity.plain("MobileDefaultView", view.default);
    entity.plain("MobileView", view.default);
    entity.plain("Paged", view.paged);
    entity.plain("PersonalView", false);
    entity.plain("ReadOnlyView", false);
    entity.plain("RowLimit", view.row_limit);
    entity.plain("Scope", view.scope.unwrap_or_default().number());
    entity.plain("ServerRelativeUrl", view.url(list));
    entity.plain("Title", view.title.clone().into_owned());
    entity.plain("ViewQuery", view.query.clone().into_owned());
    entity.plain("ViewType", view.kind);
    let fields = fields_entity(&entity.path, view);
    entity.expand("ViewFields", Value::Entity(Box::new(fields)));
    entity
}

fn fields_entity(view_path: &str, view: &ListView) -> Entity {
    let mut fields = Entity::new("SP.ViewFieldCollection", format!("{view_path}/ViewFields"), "SP.ApiData.ViewFields");
    let markup: String = view.fields.iter().map(|name| format!("<FieldRef Name=\"{name}\" />")).collect();
    fields.plain("SchemaXml", markup);
    let names = view.fields.iter().map(|name| Json::String(name.clone())).collect();
    fields.value("Items", Value::Many("Edm.String", names));
    fields
}

/// The list, and the view that the path names.
async fn target(ask: &Ask<'_>) -> Result<(List, ListView), RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let mut all = views::views(&list).into_iter();
    if ask.steps.iter().any(|step| step.name == "defaultview") {
        let first = all.next().ok_or_else(RestError::no_view)?;
        return Ok((list, first));
    }
    let key = ask.key("views").ok_or_else(RestError::no_view)?;
    let name = key.value.to_text();
    let found = match key.by {
        By::Id => {
            let id: Guid = name.trim().parse().map_err(|_| RestError::no_view())?;
            all.find(|view| view.id == id)
        }
        By::Title | By::Name | By::Url | By::Mail => {
            let wanted = name.to_lowercase();
            all.find(|view| view.title.to_lowercase() == wanted)
        }
    };
    Ok((list, found.ok_or_else(RestError::no_view)?))
}

/// `GET lists(guid'…')/views`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    ask.collection("SP.ApiData.Views", entities(&list))
}

/// `GET lists(guid'…')/views(guid'…')` and `GET lists(guid'…')/defaultview`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (list, view) = target(ask).await?;
    Ok(Reply::Entity(entity(&list, &view)))
}

/// `GET …/viewfields`.
pub(super) async fn fields(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (list, view) = target(ask).await?;
    Ok(Reply::Entity(fields_entity(&entity(&list, &view).path, &view)))
}

/// `POST lists(guid'…')/views`, with the properties of a view or with those of a `SP.ViewCreationInformation`.
pub(super) async fn create(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    let body = ask.body()?.without("parameters")?;
    let mut edit = read(&body, true)?;
    if truth(body.text("PersonalView")?.as_deref()) {
        return Err(RestError::bad_value("Personal views are not supported: a view belongs to its list."));
    }
    edit.kind = match (body.number("ViewTypeKind")?, body.text("ViewType")?) {
        // 0 is what a client has that did not choose.
        (Some(number), _) if number != 0 => Some(views::kind_by_number(number).ok_or_else(bad_kind)?),
        (_, Some(name)) => Some(views::kind(&name).ok_or_else(bad_kind)?),
        (Some(_) | None, None) => None,
    };
    let id = ask.context.adapter.engine.random().guid();
    let made = ListView::new(&list, &edit, id).map_err(|failure| ask.failed(failure))?;
    let mut draft = ListDraft::new(list);
    draft.add_view(made);
    let list = draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    let stored = views::views(&list).into_iter().find(|view| view.id == id).ok_or_else(RestError::no_view)?;
    Ok(Reply::Created(entity(&list, &stored)))
}

/// `MERGE lists(guid'…')/views(guid'…')`.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (list, view) = target(ask).await?;
    let edit = read(&ask.body()?, false)?;
    let mut draft = ListDraft::new(list);
    draft.edit_view(view.id, edit).map_err(|failure| ask.failed(failure))?;
    draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(None))
}

/// `DELETE lists(guid'…')/views(guid'…')`, not of the default view.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let (list, view) = target(ask).await?;
    let mut draft = ListDraft::new(list);
    draft.remove_view(view.id).map_err(|failure| ask.failed(failure))?;
    draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Deleted)
}

/// `POST …/viewfields/addviewfield('Title')`. A field that is shown already stays where it is.
pub(super) async fn add_field(ask: &Ask<'_>) -> Result<Reply, RestError> {
    edit_fields(ask, &|list, _| field_name(ask, list, "addviewfield").map(FieldsEdit::Add)).await
}

/// `POST …/viewfields/removeviewfield('Title')`.
pub(super) async fn remove_field(ask: &Ask<'_>) -> Result<Reply, RestError> {
    edit_fields(ask, &|list, _| field_name(ask, list, "removeviewfield").map(FieldsEdit::Remove)).await
}

/// `POST …/viewfields/removeallviewfields`.
pub(super) async fn remove_all_fields(ask: &Ask<'_>) -> Result<Reply, RestError> {
    edit_fields(ask, &|_, _| Ok(FieldsEdit::Clear)).await
}

/// `POST …/viewfields/moveviewfieldto`, `{"field":"Title","index":0}`.
pub(super) async fn move_field(ask: &Ask<'_>) -> Result<Reply, RestError> {
    edit_fields(ask, &|list, view| {
        let name = field_name(ask, list, "moveviewfieldto")?;
        if !view.fields.contains(&name) {
            return Err(RestError::no_field(&name));
        }
        let index = ask.body()?.number("index")?;
        let index = index.and_then(|index| usize::try_from(index).ok()).filter(|index| *index < view.fields.len());
        let index = index.ok_or_else(|| RestError::bad_value("The index lies outside the fields of the view."))?;
        Ok(FieldsEdit::Move { name, index })
    })
    .await
}

/// The field that the argument of a step names, or the body in place of the argument.
fn field_name(ask: &Ask<'_>, list: &List, step: &str) -> Result<String, RestError> {
    let name = match ask.key(step) {
        Some(key) => key.value.to_text(),
        None => {
            let body = ask.body()?;
            let name = match body.text("strField")? {
                Some(name) => Some(name),
                None => body.text("field")?,
            };
            name.unwrap_or_default()
        }
    };
    let by_name = list.field(&name);
    let by_title = || list.fields.iter().find(|field| field.display.eq_ignore_ascii_case(&name));
    let field = by_name.or_else(by_title).ok_or_else(|| RestError::no_field(&name))?;
    Ok(field.name.clone().into_owned())
}

type ReadEdit<'e> = dyn Fn(&List, &ListView) -> Result<FieldsEdit, RestError> + Sync + 'e;

async fn edit_fields(ask: &Ask<'_>, read: &ReadEdit<'_>) -> Result<Reply, RestError> {
    let (list, view) = target(ask).await?;
    let edit = read(&list, &view)?;
    let mut draft = ListDraft::new(list);
    draft.edit_view_fields(view.id, edit);
    draft.write(&ask.context, &|_| {}).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(None))
}

/// What a body says of a view.
fn read(body: &Body, new: bool) -> Result<ViewEdit, RestError> {
    for (name, _) in body.values() {
        let mut known = WRITABLE.iter().chain(if new { WRITABLE_ONCE } else { &[] });
        if !known.any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(RestError::no_property(name, "SP.View"));
        }
    }
    let truth_of = |name: &str| Ok::<_, RestError>(body.text(name)?.map(|text| truth(Some(&text))));
    let either = |one: &str, other: &str| match body.text(one)? {
        Some(text) => Ok::<_, RestError>(Some(text)),
        None => body.text(other),
    };
    let bad_limit = |_| RestError::bad_value("RowLimit is not a number of rows.");
    let scope = body.number("Scope")?;
    let scope = scope.map(|number| Scope::by_number(number).ok_or_else(|| RestError::bad_value("Scope is not valid.")));
    let markup = |name: &str| {
        let text = body.text(name)?;
        text.map(|text| bare(name, &text)).transpose()
    };
    let fields = match body.get("ViewFields").filter(|_| new) {
        None | Some(Json::Null) => None,
        Some(given) => {
            let names = given.as_array().or_else(|| given.get("results")?.as_array());
            let names = names.ok_or_else(|| RestError::bad_value("ViewFields is not a list of names."))?;
            Some(names.iter().filter_map(Json::as_str).map(str::to_owned).collect())
        }
    };
    Ok(ViewEdit {
        title: body.text("Title")?,
        kind: None,
        query: either("ViewQuery", "Query")?.map(|text| bare("ViewQuery", &text)).transpose()?,
        fields,
        row_limit: body.number("RowLimit")?.map(u32::try_from).transpose().map_err(bad_limit)?,
        paged: truth_of("Paged")?,
        scope: scope.transpose()?.map(|scope| Some(scope).filter(|scope| *scope != Scope::Folder)),
        default: truth_of("DefaultView")?.or(truth_of("SetAsDefaultView")?).unwrap_or(false),
        hidden: truth_of("Hidden")?,
        formats: markup("Formats")?,
        aggregations: markup("Aggregations")?,
    })
}

/// Markup of a client without namespaces. A `Query` around it comes off.
fn bare(name: &str, text: &str) -> Result<String, RestError> {
    let document = xml::Document::parse_fragment(text, &XML_LIMITS)
        .map_err(|error| RestError::bad_query(format!("The markup in {name} cannot be read: {error}.")))?;
    let root = document.root();
    Ok(views::bare_children(root.child_local("Query").unwrap_or(root)))
}

fn bad_kind() -> RestError {
    RestError::bad_value("The type of the view is not supported.")
}
