//! `Views.asmx`: `GetViewCollection`, `GetView`, `AddView`, `UpdateView` and `DeleteView`. \[MS-VIEWSS 3.1.4\]
//!
//! Views belong to their list and everybody; personal views are not kept.

use model::Guid;
use xml::Node;

use super::get_list::named;
use crate::{
    caml::payload,
    code::{Code, Failure},
    fields::truth,
    list_draft::ListDraft,
    ops::{Answer, Request},
    query_options::Scope,
    views::{self, ListView, ViewEdit},
};

/// The views of a list, without what is inside.
pub(super) fn collection(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        request.out.start("GetViewCollectionResult");
        request.out.start("Views");
        for view in views::views(&list) {
            views::write_brief(request.out, &list, &view);
        }
        request.out.end();
        request.out.end();
        Ok(None)
    })
}

/// A view of a list.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        let found = named(&list, request.text("viewName").as_deref())?;
        request.out.start("GetViewResult");
        views::write_view(request.out, &list, &found);
        request.out.end();
        Ok(None)
    })
}

/// Makes a view; `viewName` is the name shown.
pub(super) fn add(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        let mut edit = read(&request)?;
        edit.title = Some(request.text("viewName").unwrap_or_default());
        edit.kind = match request.text("type") {
            None => None,
            Some(text) => Some(views::kind(&text).ok_or_else(|| bad("type"))?),
        };
        edit.default = truth(request.text("makeViewDefault").as_deref());
        let made = ListView::new(&list, &edit, context.adapter.engine.random().guid())?;
        let (id, mut draft) = (made.id, ListDraft::new(list));
        draft.add_view(made);
        write(request, draft, id, "AddViewResult").await
    })
}

/// Changes a view, the default view where none is named.
pub(super) fn update(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        let id = named(&list, request.text("viewName").as_deref())?.id;
        let mut edit = read(&request)?;
        if let Some(properties) = payload(request.parameter("viewProperties"), "View") {
            edit.title = properties.attribute("DisplayName").map(str::to_owned);
            edit.default = truth(properties.attribute("DefaultView"));
            edit.scope = properties.attribute("Scope").map(scope).transpose()?;
            edit.hidden = properties.attribute("Hidden").map(|text| truth(Some(text)));
        }
        let mut draft = ListDraft::new(list);
        draft.edit_view(id, edit)?;
        write(request, draft, id, "UpdateViewResult").await
    })
}

/// Removes a view that is not the default view.
pub(super) fn delete(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let mut view = request.view().await?;
        let list = context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        drop(view);
        let name = request.text("viewName").filter(|name| !name.is_empty()).ok_or_else(|| bad("viewName"))?;
        let id = named(&list, Some(&name))?.id;
        let mut draft = ListDraft::new(list);
        draft.remove_view(id)?;
        draft.write(context, &|_| {}).await?;
        Ok(None)
    })
}

/// Stores what was changed and writes the view as it is then.
async fn write<T>(
    request: Request<'_>,
    draft: ListDraft,
    id: Guid,
    result: &'static str,
) -> Result<Option<T>, Failure> {
    let list = draft.write(request.context, &|_| {}).await?;
    let stored = named(&list, Some(&id.to_string()))?;
    request.out.start(result);
    views::write_view(request.out, &list, &stored);
    request.out.end();
    Ok(None)
}

/// The parameters that `AddView` and `UpdateView` share. An empty one says nothing; an empty element inside does.
fn read(request: &Request<'_>) -> Result<ViewEdit, Failure> {
    let inside = |parameter: &str, name: &str| payload(request.parameter(parameter), name);
    let limit = inside("rowLimit", "RowLimit").or_else(|| request.parameter("rowLimit"));
    let limit = limit.filter(|node| !node.text().trim().is_empty());
    let row_limit = limit.map(|node| node.text().trim().parse().map_err(|_| bad("rowLimit"))).transpose()?;
    let names = |fields: Node<'_>| {
        let names = fields.children().filter_map(|field| field.attribute("Name"));
        names.map(str::to_owned).collect()
    };
    Ok(ViewEdit {
        query: inside("query", "Query").map(views::bare_children),
        fields: inside("viewFields", "ViewFields").map(names),
        row_limit,
        paged: limit.map(|node| truth(node.attribute("Paged"))),
        formats: inside("formats", "Formats").map(views::bare),
        aggregations: inside("aggregations", "Aggregations").map(views::bare),
        ..ViewEdit::default()
    })
}

/// The scope of this name, `None` for that of the folder.
fn scope(text: &str) -> Result<Option<Scope>, Failure> {
    match Scope::parse(text) {
        Scope::Folder if text.trim().is_empty() => Ok(None),
        Scope::Folder => Err(bad("Scope")),
        other @ (Scope::FilesOnly | Scope::Recursive | Scope::RecursiveAll) => Ok(Some(other)),
    }
}

fn bad(parameter: &str) -> Failure {
    Failure::coded(Code::BAD_PARAMETER, format!("The parameter {parameter} is missing or invalid."))
}
