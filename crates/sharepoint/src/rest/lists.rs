//! Lists of the site.

use engine::{ListCollection, View, list_keys};
use model::{Bag, Time, Value as Stored};
use serde_json::Value as Json;

use super::{
    Ask,
    body::Body,
    entity::{Entity, Value},
    error::RestError,
    item_json,
    list_changes::{self, Moment},
    list_fields,
    options::Shape,
    path::{By, Key},
    reply::Reply,
    views as rest_views, web,
};
use crate::{
    context::full_title,
    fields::Template,
    list_draft::ListDraft,
    list_settings::{self, Changes, SETTINGS},
    ops::add_list,
    paths,
    schema::List,
    views,
};

/// Properties of a new list that are no settings.
const CREATION: &[&str] = &["AllowContentTypes", "BaseTemplate", "TemplateFeatureId", "Url"];
/// The template of lists that are made without one.
const TEMPLATE_DEFAULT: i64 = 100;

impl Ask<'_> {
    /// The list that the path names.
    pub(super) async fn list(&self, view: &mut View) -> Result<List, RestError> {
        let missing = |name: &str| RestError::no_list(name, &self.context.web_url());
        let Some(Key { by, value }) = self.key("lists") else { return Err(missing("")) };
        let name = value.to_text();
        let found = match by {
            By::Url => self.list_at(view, &name).await?,
            By::Id => match name.trim().parse() {
                Ok(guid) => view.list_by_guid(guid).await?,
                Err(_) => view.list_by_title(full_title(&name)).await?,
            },
            By::Title | By::Name | By::Mail => view.list_by_title(full_title(&name)).await?,
        };
        found.map(|found| self.context.wrap(found)).ok_or_else(|| missing(&name))
    }

    async fn list_at(&self, view: &mut View, url: &str) -> Result<Option<ListCollection>, RestError> {
        let path = paths::inside_site(self.context.call.base_url, self.context.call.site_path, url);
        let folder = path.split("/Forms/").next().unwrap_or(&path);
        let same = |list: &ListCollection| paths::below(folder, list.folder()).is_some();
        Ok(view.lists().await?.into_iter().find(same))
    }
}

/// When a list was last changed.
pub(super) fn modified(list: &ListCollection) -> Time {
    list.bag.get(&list_keys::LIST_MODIFIED).and_then(Stored::as_time).unwrap_or_default()
}

fn entity(list: &List, now: Moment) -> Entity {
    let mut entity = Entity::new("SP.List", item_json::list_path(list), "SP.ApiData.Lists/@Element");
    entity.etag = Some(etag(list));
    let title = list.collection.title();
    entity.links(&[
        "ContentTypes",
        "DefaultView",
        "EventReceivers",
        "Fields",
        "Forms",
        "InformationRightsManagementSettings",
        "Items",
        "ParentWeb",
        "RoleAssignments",
        "RootFolder",
        "UserCustomActions",
        "Views",
        "WorkflowAssociations",
    ]);
    entity.plain("AllowContentTypes", true);
    entity.plain("BaseTemplate", list.template.id);
    entity.plain("BaseType", list.template.base_type);
    entity.plain("ContentTypesEnabled", false);
    entity.plain("CrawlNonDefaultViews", false);
    entity.plain("Created", list.created().to_string());
    entity.value("CurrentChangeToken", list_changes::current(list, now));
    entity.plain("DefaultContentApprovalWorkflowId", model::Guid::NIL.to_string());
    entity.on_demand(
        "DefaultViewUrl",
        Value::Plain(views::views(list).first().map_or(Json::Null, |view| Json::String(view.url(list)))),
    );
    entity.plain("Description", list.description());
    entity.plain("DocumentTemplateUrl", Json::Null);
    entity.plain("DraftVersionVisibility", 0);
    entity.on_demand("EffectiveBasePermissions", web::permissions(list.rights_mask));
    for setting in SETTINGS.iter().filter(|setting| !setting.property.is_empty()) {
        entity.plain(setting.property, setting.json(list));
    }
    entity.plain("EnableMinorVersions", false);
    entity.plain("EntityTypeName", item_json::entity_type_name(list));
    entity.plain("FileSavePostProcessingEnabled", false);
    entity.plain("ForceCheckout", false);
    entity.plain("HasExternalDataSource", false);
    entity.on_demand("HasUniqueRoleAssignments", Value::Plain(Json::Bool(list.collection.has_own_roles())));
    entity.plain("Id", list.guid().to_string());
    entity.plain("ImageUrl", format!("/_layouts/15/images/{}", list.template.image));
    entity.plain("IrmEnabled", false);
    entity.plain("IsApplicationList", false);
    entity.plain("IsCatalog", list.is_hidden());
    entity.plain("IsPrivate", false);
    entity.plain("ItemCount", list.collection.row.items);
    let row = &list.collection.row;
    entity.plain("LastItemDeletedDate", list.created().to_string());
    entity.plain("LastItemModifiedDate", list.modified().to_string());
    entity.plain("ListItemEntityTypeFullName", item_json::item_type(list));
    entity.plain("ParentWebUrl", format!("/{}", list.site_folder));
    entity.plain("ServerTemplateCanCreateFolders", true);
    entity.plain("TemplateFeatureId", list.template.feature);
    entity.plain("Title", title);
    entity.on_demand("Position", Value::Plain(Json::from(row.seq.0)));
    entity
}

fn etag(list: &List) -> String {
    format!("\"{}\"", list.collection.version())
}

fn root_folder(list: &List) -> Entity {
    let path = format!("{}/RootFolder", item_json::list_path(list));
    let mut folder = Entity::new("SP.Folder", path, "SP.ApiData.Folders/@Element");
    folder.plain("ItemCount", list.collection.row.items);
    folder.plain("Name", paths::split(&list.root_folder).1);
    folder.plain("ServerRelativeUrl", format!("/{}", list.root_folder));
    folder.plain("TimeCreated", list.created().to_string());
    folder.plain("TimeLastModified", list.modified().to_string());
    folder.plain("WelcomePage", "");
    folder
}

fn expanded(list: &List, shape: &Shape, now: Moment) -> Entity {
    let mut entity = entity(list, now);
    if shape.expands("RootFolder") {
        entity.expand("RootFolder", Value::Entity(Box::new(root_folder(list))));
    }
    if shape.expands("Fields") {
        entity.expand("Fields", Value::Entities(list_fields::entities(list)));
    }
    if shape.expands("Views") {
        entity.expand("Views", Value::Entities(rest_views::entities(list)));
    }
    if shape.expands("DefaultView") {
        let first = rest_views::entities(list).into_iter().next();
        entity.expand("DefaultView", first.map_or(Value::Plain(Json::Null), |view| Value::Entity(Box::new(view))));
    }
    entity
}

/// All lists as entities.
pub(super) async fn entities(ask: &Ask<'_>, view: &mut View, shape: &Shape) -> Result<Vec<Entity>, RestError> {
    let now = Moment::of(ask, view);
    let lists = view.lists().await?;
    Ok(lists.into_iter().map(|found| expanded(&ask.context.wrap(found), shape, now)).collect())
}

/// `GET lists`.
pub(super) async fn all(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let entities = entities(ask, &mut view, &ask.options.shape).await?;
    ask.collection("SP.ApiData.Lists", entities)
}

/// `GET lists(guid'…')`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let entity = expanded(&list, &ask.options.shape, Moment::of(ask, &view));
    match entity.lacks(&ask.options.shape) {
        None => Ok(Reply::Entity(entity)),
        Some(name) => Err(RestError::no_property(name, &entity.kind)),
    }
}

/// `GET lists(guid'…')/rootfolder`.
pub(super) async fn folder(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    Ok(Reply::Entity(root_folder(&ask.list(&mut view).await?)))
}

/// `POST lists`.
pub(super) async fn create(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let body = ask.body()?.without("parameters")?;
    let title = body.text("Title")?.unwrap_or_default();
    let number = body.number("BaseTemplate")?.unwrap_or(TEMPLATE_DEFAULT);
    let template = i32::try_from(number).map_err(|_| RestError::bad_value("The list template is not supported."))?;
    // What else clients send of a new list says what it is anyway.
    let known = |name: &str, _: &Json| match CREATION.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        true => Ok(()),
        false => Err(RestError::no_property(name, "SP.List")),
    };
    let settings = match Template::by_id(template) {
        Some(template) => settings(ask, template, &body, &known)?,
        None => Changes::new(),
    };
    let made = add_list::create(&ask.context, &title, template, settings).await;
    let list = made.map_err(|failure| ask.failed(failure))?;
    let view = ask.context.view().await?;
    Ok(Reply::Created(entity(&list, Moment::of(ask, &view))))
}

/// `MERGE lists(guid'…')`: title, description and settings. What a client may not change it may send as it is.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let now = Moment::of(ask, &view);
    drop(view);
    check_version(ask, &list)?;
    let body = ask.body()?;
    let changes = settings(ask, list.template, &body, &|name, json| {
        let entity = entity(&list, now);
        match entity.get_plain(name) {
            Some(own) if own == json => Ok(()),
            Some(_) => Err(RestError::bad_value(format!("The property {name} of a list cannot be changed."))),
            None => Err(RestError::no_property(name, "SP.List")),
        }
    })?;
    let mut draft = ListDraft::new(list);
    if ask.if_match().is_some() {
        draft.guard();
    }
    let change = |bag: &mut Bag| changes.iter().for_each(|(key, value)| bag.put(key.clone(), value.clone()));
    let list = draft.write(&ask.context, &change).await.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(Some(etag(&list))))
}

type OtherProperty<'o> = dyn Fn(&str, &Json) -> Result<(), RestError> + 'o;

/// What the properties of a body change of a list; `other` judges those that are no settings.
fn settings(ask: &Ask<'_>, template: &Template, body: &Body, other: &OtherProperty<'_>) -> Result<Changes, RestError> {
    let mut changes = Changes::new();
    for (name, json) in body.values() {
        let read = match json {
            Json::Object(_) | Json::Array(_) => None,
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {
                let text = body.text(name)?.unwrap_or_default();
                list_settings::of_property(template, name, &text).map_err(|failure| ask.failed(failure))?
            }
        };
        match read {
            Some(read) => changes.extend(read),
            None => other(name, json)?,
        }
    }
    Ok(changes)
}

/// `POST lists(guid'…')/recycle`: the id of its entry in the recycle bin.
pub(super) async fn recycle(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    check_version(ask, &list)?;
    if !ask.context.site.has_recycle_bin() {
        return Err(RestError::no_recycle_bin());
    }
    let entry = ask.context.site.recycle_list(list.id()).await?.ok_or_else(RestError::no_recycle_bin)?;
    Ok(Reply::Property("Recycle".to_owned(), Value::Plain(Json::String(entry.to_string()))))
}

/// `DELETE lists(guid'…')`: for good.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    drop(view);
    check_version(ask, &list)?;
    ask.context.site.drop_list(list.id()).await?;
    Ok(Reply::Deleted)
}

fn check_version(ask: &Ask<'_>, list: &List) -> Result<(), RestError> {
    let current = etag(list);
    match ask.if_match() {
        Some(given) if given.trim_start_matches("W/") != current => Err(RestError::stale(given, &current)),
        Some(_) | None => Ok(()),
    }
}
