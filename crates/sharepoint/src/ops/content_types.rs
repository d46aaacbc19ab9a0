//! `GetListContentTypes`, `GetListContentType`, `DeleteContentType` and `ApplyContentTypeToList`.
//! \[MS-LISTSWS 3.1.4.6, 3.1.4.11, 3.1.4.18, 3.1.4.19\]

use engine::EngineError;
use model::{BagRef, limits};

use crate::{
    code::Failure,
    content_types::{self, ContentType, ROW_CONTENT_TYPE},
    context::Context,
    list_draft::ListDraft,
    ops::{Answer, Request},
    paths,
    schema::{List, write_field},
};

/// The types of a list. Where the client names one, the nearest to it is marked.
pub(super) fn all(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let list = list(&request).await?;
        let types = content_types::of_list(&list);
        let wanted = match request.text("contentTypeId").filter(|text| !text.is_empty()) {
            Some(text) => Some(content_types::parse_id(&text).ok_or_else(no_type)?),
            None => None,
        };
        let best = wanted.and_then(|id| content_types::best_match(&types, &id)).map(|found| &found.id);
        let out = request.out;
        out.start("GetListContentTypesResult");
        out.start("ContentTypes");
        for own in &types {
            out.start("ContentType");
            out.attribute("Name", &own.name);
            out.attribute("ID", &own.id);
            out.attribute("Description", &own.description);
            out.attribute("Scope", &paths::absolute(&list.host_url, &list.root_folder));
            out.attribute_display("Version", own.version);
            if best == Some(&own.id) {
                out.attribute("BestMatch", "TRUE");
            }
            out.end();
        }
        out.end();
        out.end();
        Ok(None)
    })
}

/// A type of a list with its fields.
pub(super) fn one(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let list = list(&request).await?;
        let own = named(&request, &list)?;
        let out = request.out;
        out.start("GetListContentTypeResult");
        out.start("ContentType");
        out.attribute("ID", &own.id);
        out.attribute("Name", &own.name);
        out.attribute("Group", &own.group);
        out.attribute("Description", &own.description);
        out.attribute_display("Version", own.version);
        out.start("Fields");
        for field in own.fields(&list) {
            write_field(out, &field, Some(&list));
        }
        out.end();
        out.end();
        out.end();
        Ok(None)
    })
}

/// Takes a type from a list. The two that the list began with stay, and so does one that rows have; whether they do
/// reads the list once.
pub(super) fn delete(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        let list = list(&request).await?;
        let own = named(&request, &list)?;
        if own.is_first(&list) {
            return Err(Failure::uncoded("The list needs this content type."));
        }
        if is_used(context, &list, &own.id).await? {
            return Err(Failure::uncoded("The content type is in use."));
        }
        let mut types = content_types::of_list(&list);
        types.retain(|other| other.id != own.id);
        store(context, ListDraft::new(list), types).await?;
        succeed(request, "DeleteContentTypeResult");
        Ok(None)
    })
}

/// Gives a list a type of the site, and the fields of it that the list does not have.
pub(super) fn apply(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let context = request.context;
        check_web(&request)?;
        let id = request.text("contentTypeId").and_then(|text| content_types::parse_id(&text)).ok_or_else(no_type)?;
        let parent = content_types::of_site().find(|own| own.id == id).ok_or_else(no_type)?;
        let list = list(&request).await?;
        let mut types = content_types::of_list(&list);
        if types.iter().any(|own| own.is_named(&parent.name)) {
            return Err(Failure::uncoded("The list has a content type of this name already."));
        }
        types.push(parent.below(context.adapter.engine.random().guid(), &parent.name, &list)?);
        let missing = parent.missing(&list);
        let mut draft = ListDraft::new(list);
        missing.into_iter().try_for_each(|field| draft.add_known(field))?;
        store(context, draft, types).await?;
        succeed(request, "ApplyContentTypeToListResult");
        Ok(None)
    })
}

/// The types of the site are the same wherever it is, but must be asked of this one.
fn check_web(request: &Request<'_>) -> Result<(), Failure> {
    let sent = request.text("webUrl").unwrap_or_default().to_lowercase();
    let sent = sent.trim_end_matches('/');
    let own = request.context.web_url().to_lowercase();
    let path = request.context.call.site_path.trim_end_matches('/').to_lowercase();
    if sent.is_empty() || sent == own || sent == path { Ok(()) } else { Err(no_type()) }
}

/// Whether rows have a type. Reads the list once.
async fn is_used(context: &Context<'_>, list: &List, id: &str) -> Result<bool, Failure> {
    let (mut view, mut after) = (context.view().await?, None);
    loop {
        let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
        after = page.rows.last().map(|row| row.item);
        for row in &page.rows {
            if BagRef::new(&row.bag).map_err(EngineError::from)?.text(&ROW_CONTENT_TYPE) == Some(id) {
                return Ok(true);
            }
        }
        if !page.more {
            return Ok(false);
        }
    }
}

fn succeed(request: Request<'_>, result: &'static str) {
    request.out.start(result);
    request.out.empty("Success");
    request.out.end();
}

/// The list that a request names.
pub(super) async fn list(request: &Request<'_>) -> Result<List, Failure> {
    let mut view = request.view().await?;
    request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await
}

/// The type of a list that a request names by its id.
pub(super) fn named(request: &Request<'_>, list: &List) -> Result<ContentType, Failure> {
    let id = request.text("contentTypeId").and_then(|text| content_types::parse_id(&text)).ok_or_else(no_type)?;
    content_types::of_list(list).into_iter().find(|own| own.id == id).ok_or_else(no_type)
}

/// There is no such type.
pub(super) fn no_type() -> Failure {
    Failure::uncoded("The content type does not exist.")
}

/// Stores the types of a list with what else was changed of it; the list as it is then.
///
/// # Errors
/// As [`ListDraft::write`], a conflict among them where somebody changed the list meanwhile.
pub(super) async fn store(
    context: &Context<'_>,
    mut draft: ListDraft,
    types: Vec<ContentType>,
) -> Result<List, Failure> {
    content_types::check_size(&types)?;
    draft.guard();
    draft.write(context, &|bag| content_types::store(bag, &types)).await
}
