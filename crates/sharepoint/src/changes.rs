//! What changed in a list since a token: the one implementation, for SOAP and REST. \[MS-LISTSWS 3.1.4.22\]

use std::collections::BTreeSet;

use engine::{EngineError, ItemView, ListChange, ListSync, ListToken, StateFault, Verdict, View};
use model::{ItemId, limits};
use store::{ItemRow, TombstoneKind};
use xml::{Node, Writer};

use crate::{
    caml::{self, Condition, Moment, Query, ViewFields, sort_cells},
    code::{Code, Failure},
    context::Context,
    listing::{self, Bookmark, Filter, Listing, RowLimit},
    names::Names,
    query_options::{Defaults, QueryOptions},
    row_stream::{self, RowStream},
    rows::{Item, Properties, ROW_NAMESPACE, Row, RowStyle},
    schema::{Detail, List, rights_text, write_list},
    views::{self, ListView},
};

/// Answers that are read at once where one has to have all changes.
const DRAIN_PAGES_MAX: usize = 1_000;

/// A question, read from either protocol.
#[derive(Clone, Debug)]
pub(crate) struct ChangesAsk {
    /// A view by GUID; anything else is ignored.
    pub(crate) view_name: Option<String>,
    /// Which rows in which order, where the client says so.
    pub(crate) query: Option<Query>,
    /// Which fields.
    pub(crate) view_fields: ViewFields,
    /// Which entries of the property bag.
    pub(crate) properties: Properties,
    /// Rows of the answer at most.
    pub(crate) row_limit: RowLimit,
    /// The options.
    pub(crate) options: QueryOptions,
    /// The token of the previous answer.
    pub(crate) token: Option<String>,
    /// A condition for clients that give no query.
    pub(crate) contains: Option<Condition>,
}

/// The parameters as they came. Each element may be the parameter around its payload, the payload itself, or the
/// nameless root of a fragment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ChangesParameters<'a> {
    pub(crate) view_name: Option<&'a str>,
    pub(crate) query: Option<Node<'a>>,
    pub(crate) view_fields: Option<Node<'a>>,
    pub(crate) row_limit: Option<&'a str>,
    pub(crate) query_options: Option<Node<'a>>,
    pub(crate) change_token: Option<&'a str>,
    pub(crate) contains: Option<Node<'a>>,
}

impl ChangesAsk {
    /// Reads the parameters.
    ///
    /// # Errors
    /// [`Failure::Uncoded`] for what cannot be read.
    pub(crate) fn read(parameters: &ChangesParameters<'_>) -> Result<Self, Failure> {
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let (view_fields, properties) = caml::view_fields(parameters.view_fields)?;
        Ok(Self {
            view_name: given(parameters.view_name),
            query: Query::read(parameters.query)?,
            view_fields,
            properties,
            row_limit: listing::row_limit(parameters.row_limit)?,
            options: QueryOptions::parse(parameters.query_options, Defaults::Changes),
            token: given(parameters.change_token),
            contains: caml::contains(parameters.contains)?,
        })
    }
}

/// What an answer holds.
#[derive(Default)]
struct Answer {
    token: Option<ListToken>,
    more: bool,
    schema: bool,
    /// No row: the client starts anew, for this kind of change.
    anew: Option<&'static str>,
    changes: Vec<ListChange>,
    listing: Listing,
}

/// Writes the `listitems` element up to its rows, which are still to be written; the elements around them stay open.
///
/// # Errors
/// [`Failure`]; nothing useful was written then.
pub(crate) async fn begin_changes(
    context: &Context<'_>,
    list_name: &str,
    ask: &ChangesAsk,
    writer: &mut Writer,
) -> Result<RowStream, Failure> {
    let mut view = context.view().await?;
    let mut list = context.list(&mut view, list_name).await?;
    let named = named_view(&list, ask)?;
    let shown = named.clone().or_else(|| listing::default_view(&list)).ok_or_else(Failure::no_list)?;
    let query = match (&ask.query, &named) {
        (Some(query), _) => query.clone(),
        (None, Some(named)) => named.parsed()?,
        (None, None) => Query::default(),
    };
    let condition =
        if ask.query.is_none() && ask.contains.is_some() { ask.contains.clone() } else { query.condition.clone() };
    let query = Query { condition, order: query.order };
    let query = query.meant_for(&list)?;
    let mut fields = row_fields(&list, ask, &shown);
    // Some rows may be kept from the client, which must show that it knows. [seed 004]
    let asks_rights = || fields.iter().any(|at| list.fields.get(*at).is_some_and(|field| field.name == "PermMask"));
    if list.collection.has_unique_items() && !asks_rights() {
        return Err(Failure::coded(
            Code::ACCESS_DENIED,
            "The list has items with permissions of their own: PermMask must be among the view fields.",
        ));
    }
    let recurrence = list.fields.iter().position(|field| field.name == "RecurrenceData");
    let series = ask.options.recurrence_order && recurrence.is_some_and(|at| fields.contains(&at));
    let order = listing::effective_order(&list, &query.order, series, ask.options.folder_order);
    let known = Names::all(&mut view, &list, &query.fields(&list)).await?;
    let moment = Moment {
        now: context.now(),
        user_id: context.site.user_id(),
        calendar_date: ask.options.calendar_date,
        names: &known,
    };
    let filter = Filter::new(&list, query.condition.clone(), &ask.options, named.as_ref());
    let limit = ask.row_limit.or(named.as_ref().and_then(ListView::rows_max));
    let all_again = context.adapter.settings.list_schema_change_sends_all;

    let mut answer = match &ask.token {
        Some(token) => {
            let mut answer = since_token(context, &mut view, &list, token, &filter, limit, &moment).await?;
            if answer.schema && all_again {
                answer = drain(context, &mut view, &list, answer, &filter, &moment).await?;
            }
            answer
        }
        None => enumerate(context, &mut view, &list, ask, &filter, &order, limit, &moment).await?,
    };
    if ask.token.is_some() && answer.anew.is_none() {
        // What stands beside the changes must not be older than they are: a definition or a row from before would be
        // taken for the present one.
        view = context.view().await?;
        list = context.list(&mut view, &list.guid().to_string()).await?;
        fields = row_fields(&list, ask, &shown);
        if answer.schema && all_again {
            answer.listing = listing::large_page(&mut view, &list, &filter, &order, None, None, &moment).await?;
        } else {
            add_extra_ids(&mut view, &list, &ask.options.extra_ids, &mut answer).await?;
        }
        let items = &mut answer.listing.items;
        let mut keyed = Vec::with_capacity(items.len());
        for item in std::mem::take(items) {
            let row = Row::new(&list, &item)?;
            let key = (sort_cells(&row, &order, &known), row.number());
            keyed.push((key, item));
        }
        keyed.sort_by(|(left, _), (right, _)| listing::order_rows(&order, left, right));
        *items = keyed.into_iter().map(|(_, item)| item).collect();
    }
    let style = RowStyle {
        date_in_utc: ask.options.date_in_utc,
        expand_user: ask.options.expand_user,
        properties: ask.properties.clone(),
        declare_namespace: false,
        recurrence_v3: ask.options.recurrence_v3,
        permissions: ask.options.permissions,
        attachments: ask.options.attachments,
    };

    writer.start("listitems");
    begin_sync_attributes(writer, context, &list);
    writer.text("\n");
    writer.start("Changes");
    if let Some(token) = &answer.token {
        writer.attribute_display("LastChangeToken", token);
    }
    if answer.more {
        writer.attribute("MoreChanges", "TRUE");
    }
    if answer.schema {
        write_list(writer, &list, Detail::Full, None);
    }
    if let Some(kind) = answer.anew {
        writer.start("Id");
        writer.attribute("ChangeType", kind);
        writer.end();
    }
    for change in &answer.changes {
        write_change(writer, &mut view, change).await?;
    }
    writer.end();
    Ok(RowStream::begin(writer, view, list, fields, style, answer.listing))
}

/// The indexes of the fields that rows are written with.
fn row_fields(list: &List, ask: &ChangesAsk, shown: &ListView) -> Vec<usize> {
    row_stream::indexes(list, &listing::row_fields(list, &ask.view_fields, shown, ask.options.mandatory_columns))
}

/// Writes the attributes of `listitems` and the namespaces of what is inside.
fn begin_sync_attributes(writer: &mut Writer, context: &Context<'_>, list: &List) {
    let settings = &context.adapter.settings;
    writer.attribute_display("MinTimeBetweenSyncs", settings.min_time_between_syncs_minutes);
    writer.attribute_display("RecommendedTimeBetweenSyncs", settings.recommended_time_between_syncs_minutes);
    writer.attribute_display("MaxBulkDocumentSyncSize", settings.max_bulk_document_sync_mb);
    writer.attribute_display("MaxRecommendedEmbeddedFileSize", settings.max_recommended_embedded_file_mb);
    let urls = match settings.alternate_urls.is_empty() {
        true => format!("{}/", list.web_url()),
        false => settings.alternate_urls.join(","),
    };
    writer.attribute("AlternateUrls", &urls);
    writer.attribute("EffectivePermMask", &rights_text(list.rights_mask));
    declare_rowset(writer);
}

/// Declares the namespaces of rowsets on the open element.
pub(crate) fn declare_rowset(writer: &mut Writer) {
    writer.namespace("s", "uuid:BDC6E3F0-6DA3-11d1-A2A3-00AA00C14882");
    writer.namespace("dt", "uuid:C2F41010-65B3-11d1-A29F-00AA00C14882");
    writer.namespace("rs", "urn:schemas-microsoft-com:rowset");
    writer.namespace("z", ROW_NAMESPACE);
}

/// The view that supplies what the client left out. With `viewFields` the name counts for nothing, and so does a name
/// that is no GUID.
fn named_view(list: &List, ask: &ChangesAsk) -> Result<Option<ListView>, Failure> {
    let Some(id) = ask.view_name.as_deref().and_then(|name| name.parse().ok()) else { return Ok(None) };
    if ask.view_fields != ViewFields::Missing {
        return Ok(None);
    }
    match views::views(list).into_iter().find(|view| view.id == id) {
        Some(view) => Ok(Some(view)),
        None => Err(Failure::coded(Code::NO_VIEW, "The specified view is invalid.")),
    }
}

#[expect(clippy::too_many_arguments, reason = "all of it is the question")]
async fn enumerate(
    context: &Context<'_>,
    view: &mut View,
    list: &List,
    ask: &ChangesAsk,
    filter: &Filter,
    order: &[caml::OrderKey],
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Result<Answer, Failure> {
    let after = ask.options.position.as_deref().map(Bookmark::parse).transpose()?;
    // Every page returns the token of the first one, so that what changes meanwhile follows by token.
    let first = context.site.list_token(view, list.guid(), view.position());
    let token = match after.as_ref().and_then(|bookmark| bookmark.since) {
        Some((position, at)) => ListToken { at, position: Some(position), ..first },
        None => first,
    };
    let since = token.position.map(|position| (position, token.at));
    let mut page = listing::large_page(view, list, filter, order, after.as_ref(), limit, moment).await?;
    page.next = page.next.map(|next| Bookmark { since, ..next });
    Ok(Answer { token: Some(token), schema: true, listing: page, ..Answer::default() })
}

async fn since_token(
    context: &Context<'_>,
    view: &mut View,
    list: &List,
    token: &str,
    filter: &Filter,
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Result<Answer, Failure> {
    let Ok(token) = token.parse::<ListToken>() else {
        return Err(Failure::uncoded("The change token is not valid."));
    };
    let rows_max = context.adapter.engine.settings().list_changes_max as usize;
    let judge = |row: &ItemRow| match ItemView::new(row) {
        Ok(seen) if !filter.takes(&Row::of_view(list, &seen), moment) => Verdict::Leave,
        // A damaged row fails the answer when it is written.
        Ok(_) | Err(_) => Verdict::Take,
    };
    let sync =
        ListSync { list: list.id(), token: &token, rows_max: limit.unwrap_or(rows_max).min(rows_max), judge: &judge };
    match context.site.sync_list(sync).await {
        Ok(page) => Ok(Answer {
            token: Some(page.token),
            more: page.more,
            schema: page.schema_changed,
            changes: page.changes,
            listing: Listing { items: page.rows.into_iter().map(Item::from).collect(), ..Listing::default() },
            ..Answer::default()
        }),
        Err(EngineError::InvalidState(fault)) => Ok(Answer {
            token: Some(context.site.list_token(view, list.guid(), view.position())),
            anew: Some(match fault {
                StateFault::Restored => "Restore",
                StateFault::Corrupt | StateFault::Mismatch | StateFault::Expired | StateFault::LostTimeline => {
                    "InvalidToken"
                }
            }),
            ..Answer::default()
        }),
        Err(other) => Err(other.into()),
    }
}

/// What is left of the changes, for an answer that has all rows anyway. Who has more to fetch than is read at once starts
/// anew, which is the same work for it.
async fn drain(
    context: &Context<'_>,
    view: &mut View,
    list: &List,
    mut answer: Answer,
    filter: &Filter,
    moment: &Moment<'_>,
) -> Result<Answer, Failure> {
    for _ in 0..DRAIN_PAGES_MAX {
        let Some(token) = answer.token.clone().filter(|_| answer.more) else { return Ok(answer) };
        let rows = Some(limits::PAGE_ROWS_MAX);
        let next = since_token(context, view, list, &token.to_string(), filter, rows, moment).await?;
        if next.anew.is_some() {
            return Ok(next);
        }
        answer.changes.extend(next.changes);
        (answer.token, answer.more) = (next.token, next.more);
    }
    let token = context.site.list_token(view, list.guid(), view.position());
    Ok(Answer { token: Some(token), anew: Some("InvalidToken"), ..Answer::default() })
}

/// Adds rows that the client wants whether they changed or not, each once; they count for nothing.
async fn add_extra_ids(view: &mut View, list: &List, ids: &[u32], answer: &mut Answer) -> Result<(), Failure> {
    let mut there: BTreeSet<ItemId> = answer.listing.items.iter().map(|item| item.id).collect();
    let wanted: Vec<ItemId> =
        ids.iter().map(|number| ItemId::in_list(list.id(), *number)).filter(|id| there.insert(*id)).collect();
    answer.listing.items.extend(view.items(&wanted).await?.into_iter().flatten().map(Item::from));
    Ok(())
}

async fn write_change(writer: &mut Writer, view: &mut View, change: &ListChange) -> Result<(), Failure> {
    let kind = match change.kind {
        TombstoneKind::Deleted | TombstoneKind::Rescoped => "Delete",
        TombstoneKind::Moved => "MoveAway",
        TombstoneKind::Renamed => "Rename",
        TombstoneKind::Restored => "Restore",
        TombstoneKind::SystemUpdated => "SystemUpdate",
    };
    writer.start("Id");
    writer.attribute("ChangeType", kind);
    if let (TombstoneKind::Moved, Some((list, item))) = (change.kind, change.moved_to) {
        match view.list(list).await {
            Ok(list) => {
                writer.attribute("AfterListId", &list.guid().braced());
                writer.attribute_display("AfterItemId", item.number());
            }
            // It has gone since, or is not for everybody.
            Err(EngineError::NoCollection(_) | EngineError::AccessDenied) => {}
            Err(other) => return Err(other.into()),
        }
    }
    if let Some(unique_id) = change.unique_id {
        writer.attribute("UniqueId", &unique_id.braced());
    }
    if let Some(client_id) = change.client_id.as_deref().filter(|text| !text.is_empty()) {
        writer.attribute("MetaInfo_vti_clientid", client_id);
    }
    writer.display_text(change.item.number());
    writer.end();
    Ok(())
}
