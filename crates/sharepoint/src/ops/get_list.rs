//! `GetList`, `GetListCollection` and `GetListAndView`. \[MS-LISTSWS 3.1.4.15 to 3.1.4.17\]

use crate::{
    code::{Code, Failure},
    ops::{Answer, Request},
    schema::{Detail, write_list},
    views,
};

/// A list with its fields.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        request.out.start("GetListResult");
        write_list(request.out, &list, Detail::Full, None);
        request.out.end();
        Ok(None)
    })
}

/// All lists of the site, without fields.
pub(super) fn collection(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let lists = request.view().await?.lists().await?;
        request.out.start("GetListCollectionResult");
        request.out.start("Lists");
        for list in lists {
            write_list(request.out, &request.context.wrap(list), Detail::Attributes, None);
        }
        request.out.end();
        request.out.end();
        Ok(None)
    })
}

/// A list with its fields and one of its views.
pub(super) fn and_view(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        let found = named(&list, request.text("viewName").as_deref())?;
        request.out.start("GetListAndViewResult");
        request.out.start("ListAndView");
        write_list(request.out, &list, Detail::Full, None);
        views::write_view(request.out, &list, &found);
        request.out.end();
        request.out.end();
        Ok(None)
    })
}

/// The view that a client names by GUID; the default view where it names none.
pub(super) fn named(list: &crate::schema::List, name: Option<&str>) -> Result<views::ListView, Failure> {
    let all = views::views(list);
    let name = name.unwrap_or_default().trim();
    let unknown = || Failure::coded(Code::NO_VIEW, "The specified view is invalid.");
    if name.is_empty() {
        return all.into_iter().next().ok_or_else(unknown);
    }
    let Ok(id) = name.parse() else {
        return Err(Failure::coded(Code::BAD_PARAMETER, "The parameter viewName is missing or invalid."));
    };
    all.into_iter().find(|view| view.id == id).ok_or_else(unknown)
}
