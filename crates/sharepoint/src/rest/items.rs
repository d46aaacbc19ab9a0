//! Items of a list: pages of them, one, and writing them.

use serde_json::Value as Json;

use super::{
    Ask,
    entity::{Entity, Value},
    error::RestError,
    item_json,
    options::Shape,
    path::Key,
    reply::Reply,
    view_xml::ViewXml,
};
use crate::{
    caml::{Condition, FieldRef, Moment, OrderKey, Query},
    listing::{self, Bookmark, Filter},
    names::Names,
    query_options::Scope,
    rows::{Item, Row},
    schema::List,
    update::{self, Edit, FieldWrite},
    value::Reading,
};
use engine::{Removal, View};
use model::{Guid, ItemId};

/// Items of a page where the client does not say.
const TOP_DEFAULT: usize = 100;
/// Items of a page at most.
const TOP_MAX: usize = 5_000;

/// `GET items`.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let filter = Filter::in_folder(&list, condition(ask, &list)?, None, Scope::RecursiveAll);
    let order = order(ask, &list)?;
    let after = ask.options.skip_token.as_deref().map(Bookmark::parse).transpose();
    let top = ask.options.top.unwrap_or(TOP_DEFAULT).min(TOP_MAX);
    answer_page(ask, &mut view, &list, &filter, order, after.map_err(|failure| ask.failed(failure))?, top).await
}

async fn answer_page(
    ask: &Ask<'_>,
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: Vec<OrderKey>,
    after: Option<Bookmark>,
    top: usize,
) -> Result<Reply, RestError> {
    let query = Query { condition: filter.condition.clone(), order };
    let query = query.meant_for(list).map_err(|failure| ask.failed(failure))?;
    let filter = &Filter { condition: query.condition.clone(), ..filter.clone() };
    let known = Names::all(view, list, &query.fields(list)).await?;
    let moment =
        Moment { now: ask.context.now(), user_id: ask.context.site.user_id(), calendar_date: None, names: &known };
    let page = listing::page(view, list, filter, &query.order, after.as_ref(), Some(top), &moment).await;
    let page = page.map_err(|failure| ask.failed(failure))?;
    let entities = entities(ask, view, list, &page.items, false).await?;
    let path = format!("{}/Items", item_json::list_path(list));
    let next = page.next.filter(|_| top > 0).map(|next| {
        let query = ask.options.next_page(&next.to_string());
        format!("{}{path}?{query}", ask.api_url)
    });
    let set = format!("SP.ListData.{}s", item_json::entity_type_name(list) + "Item");
    Ok(Reply::Entities { set, entities, next })
}

fn order(ask: &Ask<'_>, list: &List) -> Result<Vec<OrderKey>, RestError> {
    let key = |(name, ascending): &(String, bool)| {
        let head = name.split('/').next().unwrap_or(name);
        let (field, _) = item_json::find_field(list, head)
            .ok_or_else(|| RestError::no_property(name, &item_json::item_type(list)))?;
        Ok(OrderKey { field: FieldRef::named(&field.name), ascending: *ascending })
    };
    ask.options.order.iter().map(key).collect()
}

pub(super) async fn entities(
    ask: &Ask<'_>,
    view: &mut View,
    list: &List,
    items: &[Item],
    complete: bool,
) -> Result<Vec<Entity>, RestError> {
    let shape = &ask.options.shape;
    let names = Names::of_rows(view, list, items, &item_json::named_fields(list, shape)).await?;
    let columns = item_json::Columns::of(list, shape, complete);
    let mut entities = Vec::with_capacity(items.len());
    for item in items {
        entities.push(item_json::entity(&columns, item, &names)?);
    }
    // What no item can have is an error; without items nobody can tell.
    if let Some(first) = entities.first() {
        check_shape(first, shape)?;
    }
    Ok(entities)
}

fn check_shape(entity: &Entity, shape: &Shape) -> Result<(), RestError> {
    match entity.lacks(shape) {
        None => Ok(()),
        Some(name) => Err(RestError::no_property(name, &entity.kind)),
    }
}

/// `GET items(3)`.
pub(super) async fn one(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = find(ask, &mut view, &list).await?;
    let mut entities = entities(ask, &mut view, &list, &[item], true).await?;
    entities.pop().map(Reply::Entity).ok_or_else(RestError::no_item)
}

/// `GET items(3)/FieldValuesAsText`.
pub(super) async fn as_text(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = find(ask, &mut view, &list).await?;
    let fields: Vec<_> = list.fields.iter().filter(|field| item_json::is_lookup(field.kind)).collect();
    let names = Names::of_rows(&mut view, &list, std::slice::from_ref(&item), &fields).await?;
    Ok(Reply::Entity(item_json::texts(&list, &Row::new(&list, &item)?, &names)))
}

/// `POST items`.
pub(super) async fn create(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let writes = writes(ask, &list)?;
    let names = update::names_for(&mut view, &list, &writes).await.map_err(|failure| ask.failed(failure))?;
    let reading = Reading { names: &names, now: ask.context.now() };
    let edit = Edit::read(&list, &writes, &reading).map_err(|failure| ask.failed(failure))?;
    drop(view);
    let made = update::create(&ask.context, &list, &edit, "", &reading).await;
    let item = made.map_err(|failure| ask.failed(failure))?;
    let mut view = ask.context.view().await?;
    let mut entities = entities(ask, &mut view, &list, &[item], true).await?;
    entities.pop().map(Reply::Created).ok_or_else(RestError::no_item)
}

/// `MERGE items(3)`.
pub(super) async fn change(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = find(ask, &mut view, &list).await?;
    change_row(ask, view, &list, &item).await
}

/// Writes what the body says to a row.
///
/// # Errors
/// As [`Edit::read`] and [`update::change`]; 412 for another version than the client means.
pub(super) async fn change_row(ask: &Ask<'_>, mut view: View, list: &List, item: &Item) -> Result<Reply, RestError> {
    let version = expected_version(ask, list, item)?;
    let writes = writes(ask, list)?;
    let names = update::names_for(&mut view, list, &writes).await.map_err(|failure| ask.failed(failure))?;
    let reading = Reading { names: &names, now: ask.context.now() };
    let mut edit = Edit::read(list, &writes, &reading).map_err(|failure| ask.failed(failure))?;
    edit.version = version.or(edit.version);
    drop(view);
    let changed = update::change(&ask.context, list, item.id.number(), &edit).await;
    let item = changed.map_err(|failure| ask.failed(failure))?;
    Ok(Reply::Changed(Some(item_json::etag(&Row::new(list, &item)?))))
}

/// `DELETE items(3)`: for good.
pub(super) async fn delete(ask: &Ask<'_>) -> Result<Reply, RestError> {
    remove(ask, Removal::ForGood).await?;
    Ok(Reply::Deleted)
}

async fn remove(ask: &Ask<'_>, how: Removal) -> Result<Option<Guid>, RestError> {
    if how == Removal::Recycle && !ask.context.site.has_recycle_bin() {
        return Err(RestError::no_recycle_bin());
    }
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let item = find(ask, &mut view, &list).await?;
    let version = expected_version(ask, &list, &item)?;
    drop(view);
    let removed = update::remove(&ask.context, &list, item.id.number(), version, how).await;
    removed.map_err(|failure| ask.failed(failure))
}

/// `POST items(3)/recycle`: the id of its entry in the recycle bin.
pub(super) async fn recycle(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let entry = remove(ask, Removal::Recycle).await?.ok_or_else(RestError::no_recycle_bin)?;
    Ok(Reply::Property("Recycle".to_owned(), Value::Plain(Json::String(entry.to_string()))))
}

/// The version that the client means by `If-Match`; `None` for any.
pub(super) fn expected_version(ask: &Ask<'_>, list: &List, item: &Item) -> Result<Option<i32>, RestError> {
    let Some(given) = ask.if_match() else { return Ok(None) };
    let row = Row::new(list, item)?;
    let current = item_json::etag(&row);
    let mut tags = given.split(['"', ' ']).filter(|tag| !tag.is_empty() && !matches!(*tag, "W/" | ","));
    if tags.any(|tag| tag.trim_matches('{').eq_ignore_ascii_case(current.trim_matches('"'))) {
        Ok(Some(row.version()))
    } else {
        Err(RestError::stale(given, &current))
    }
}

/// The item that the path names.
pub(super) async fn find(ask: &Ask<'_>, view: &mut View, list: &List) -> Result<Item, RestError> {
    let Some(Key { value, .. }) = ask.key("items") else { return Err(RestError::no_item()) };
    let number = value.to_number().ok_or_else(RestError::no_item)?;
    let row = view.items(&[ItemId::in_list(list.id(), number)]).await?.pop().flatten();
    row.filter(|row| row.collection == list.id()).map(Item::from).ok_or_else(RestError::no_item)
}

fn writes(ask: &Ask<'_>, list: &List) -> Result<Vec<FieldWrite>, RestError> {
    let body = ask.body()?;
    let mut writes = Vec::new();
    for (name, json) in body.values() {
        writes.extend(item_json::field_write(list, name, json)?);
    }
    Ok(writes)
}

/// `POST getitems`: the items of a CAML view, `{"query":{"ViewXml":"<View>…</View>"}}`.
pub(super) async fn by_caml(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let body = ask.body()?.without("query")?;
    let failed = |failure| ask.failed(failure);
    let asked = ViewXml::parse(&body.text("ViewXml")?.unwrap_or_default(), &failed)?;
    let folder = body.text("FolderServerRelativeUrl")?.filter(|url| !url.trim().is_empty());
    let position = match body.part("ListItemCollectionPosition")? {
        Some(position) => position.text("PagingInfo")?,
        None => None,
    };
    let after = position.filter(|text| !text.trim().is_empty()).map(|text| Bookmark::parse(&text));
    let query = asked.query.unwrap_or_default();
    let filter = Filter::in_folder(&list, query.condition, folder.as_deref(), asked.scope.unwrap_or_default());
    let top = asked.limit.or(Some(TOP_MAX)).unwrap_or(TOP_MAX).min(TOP_MAX);
    answer_page(ask, &mut view, &list, &filter, query.order, after.transpose().map_err(failed)?, top).await
}

/// `GET items/$count`: how many items there are, or satisfy `$filter`.
pub(super) async fn count(ask: &Ask<'_>) -> Result<Reply, RestError> {
    let mut view = ask.context.view().await?;
    let list = ask.list(&mut view).await?;
    let failed = |failure| ask.failed(failure);
    let query = Query { condition: condition(ask, &list)?, order: Vec::new() };
    let query = query.meant_for(&list).map_err(failed)?;
    let filter = Filter::in_folder(&list, query.condition.clone(), None, Scope::RecursiveAll);
    let known = Names::all(&mut view, &list, &query.fields(&list)).await?;
    let moment =
        Moment { now: ask.context.now(), user_id: ask.context.site.user_id(), calendar_date: None, names: &known };
    let found = listing::large_page(&mut view, &list, &filter, &[], None, None, &moment).await.map_err(failed)?;
    let count = if found.all { list.collection.row.items } else { (found.items.len() + found.ids.len()) as u64 };
    Ok(Reply::Raw("text/plain; charset=utf-8", count.to_string().into_bytes()))
}

/// What `$filter` says.
fn condition(ask: &Ask<'_>, list: &List) -> Result<Option<Condition>, RestError> {
    let Some(filter) = &ask.options.filter else { return Ok(None) };
    let caml = filter.to_caml(list)?;
    Ok(Query::parse_inner(&caml).map_err(|failure| ask.failed(failure))?.condition)
}
