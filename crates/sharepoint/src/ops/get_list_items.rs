//! `GetListItems` and `GetListItemChanges`. \[MS-LISTSWS 3.1.4.19, 3.1.4.20\]

use model::Guid;

use crate::{
    calendar::{self, expand},
    caml::{self, Condition, Moment, Query, ViewFields},
    changes::declare_rowset,
    code::{Code, Failure},
    listing::{self, Bookmark, Filter},
    names::Names,
    ops::{Answer, Request},
    query_options::{Defaults, QueryOptions, Scope},
    row_stream::{self, RowStream},
    rows::RowStyle,
    value,
};

/// Rows of a list by query, in pages.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        let (view_fields, properties) = caml::view_fields(request.parameter("viewFields"))?;
        let options = QueryOptions::parse(request.parameter("queryOptions"), Defaults::Items);
        let given = Query::read(request.parameter("query"))?;
        let mut view_name = request.text("viewName").filter(|name| !name.is_empty());
        // Where the client says what it wants, a view that is not there does not matter.
        let says = ["query", "viewFields", "rowLimit", "queryOptions"];
        if view_name.as_deref().is_some_and(|name| name.parse::<Guid>().is_ok())
            && says.iter().any(|name| request.parameter(name).is_some())
            && super::get_list::named(&list, view_name.as_deref()).is_err()
        {
            view_name = None;
        }
        let shown = super::get_list::named(&list, view_name.as_deref())?;
        let query = match given {
            Some(query) => query,
            // Without a view's name its fields and limit count, not its condition.
            None if view_name.is_some() => shown.parsed()?,
            None => Query::default(),
        };
        let query = query.meant_for(&list)?;
        let after = options.position.as_deref().map(Bookmark::parse).transpose()?;
        let limit = listing::row_limit(request.text("rowLimit").as_deref())?.or(shown.rows_max());
        let fields = listing::row_fields(&list, &view_fields, &shown, options.mandatory_columns);
        let known = Names::all(&mut view, &list, &query.fields(&list)).await?;
        let moment = Moment {
            now: context.now(),
            user_id: context.site.user_id(),
            calendar_date: options.calendar_date,
            names: &known,
        };
        let named = view_name.is_some().then_some(&shown);
        let filter = Filter::new(&list, query.condition.clone(), &options, named);
        let order = listing::effective_order(&list, &query.order, options.recurrence_order, options.folder_order);
        let expanded = if options.expand_recurrence && list.template.id == calendar::TEMPLATE {
            expand::page(&mut view, &list, &filter, &order, after.as_ref(), limit, &moment).await?
        } else {
            None
        };
        let page = match expanded {
            Some(page) => page,
            None => listing::large_page(&mut view, &list, &filter, &order, after.as_ref(), limit, &moment).await?,
        };
        let style = RowStyle {
            date_in_utc: options.date_in_utc,
            expand_user: options.expand_user,
            properties,
            declare_namespace: false,
            recurrence_v3: options.recurrence_v3,
            attachments: options.attachments,
            permissions: options.permissions,
        };
        let out = request.out;
        out.start("GetListItemsResult");
        out.start("listitems");
        declare_rowset(out);
        let fields = row_stream::indexes(&list, &fields);
        Ok(Some(RowStream::begin(out, view, list, fields, style, page)))
    })
}

/// The older form of the change operation: rows that changed at or after a time, then all rows. Deletions do not show.
pub(super) fn changes(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        // Before the rows are looked at, so that what changes meanwhile comes with the next question.
        let asked_at = context.now();
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        let (view_fields, properties) = caml::view_fields(request.parameter("viewFields"))?;
        let view_fields = if view_fields == ViewFields::All { ViewFields::Missing } else { view_fields };
        let since = match request.text("since") {
            None => None,
            Some(text) => {
                Some(value::time(&text).ok_or_else(|| Failure::uncoded("The parameter since is not a date."))?)
            }
        };
        let contains = caml::contains(request.parameter("contains"))?;
        let conditions = contains.into_iter().chain(since.map(|since| Condition::since("Modified", since)));
        let conditions: Vec<Condition> = conditions.collect();
        let condition = (!conditions.is_empty()).then_some(Condition::And(conditions));
        let query = Query { condition, order: Vec::new() };
        let query = query.meant_for(&list)?;
        let shown = listing::default_view(&list)
            .ok_or_else(|| Failure::coded(Code::NO_VIEW, "The specified view is invalid."))?;
        let fields = row_stream::indexes(&list, &listing::row_fields(&list, &view_fields, &shown, true));
        let known = Names::all(&mut view, &list, &query.fields(&list)).await?;
        let moment = Moment { now: asked_at, user_id: context.site.user_id(), calendar_date: None, names: &known };
        let everything = Filter { folder: Some(String::new()), scope: Scope::RecursiveAll, ..Filter::default() };
        let all = listing::large_page(&mut view, &list, &everything, &[], None, None, &moment).await?;
        let chosen = Filter { condition: query.condition, ..everything };
        let changed = listing::large_page(&mut view, &list, &chosen, &[], None, None, &moment).await?;
        let style = RowStyle { date_in_utc: true, properties, ..RowStyle::default() };
        let out = request.out;
        out.start("GetListItemChangesResult");
        out.start("listitems");
        out.attribute_display("TimeStamp", asked_at);
        declare_rowset(out);
        Ok(Some(RowStream::begin(out, view, list, fields, style, changed).with_second(all)))
    })
}
