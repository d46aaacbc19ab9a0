//! `Views.asmx`: `GetViewCollection` and `GetView`. \[MS-VIEWSS 3.1.4\]

use crate::{
    ops::{Answer, Request},
    views,
};

/// The views of a list, without what is inside.
pub(super) fn collection(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        request.out.start("GetViewCollectionResult");
        request.out.start("Views");
        for (at, view) in views::views(&list).iter().enumerate() {
            views::write_brief(request.out, view, at);
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
        let (at, found) = super::get_list::named(&list, request.text("viewName").as_deref())?;
        request.out.start("GetViewResult");
        views::write_view(request.out, &found, at);
        request.out.end();
        Ok(None)
    })
}
