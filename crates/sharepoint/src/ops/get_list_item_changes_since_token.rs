//! `GetListItemChangesSinceToken`. \[MS-LISTSWS 3.1.4.22\]

use crate::{
    changes::{ChangesAsk, ChangesParameters, begin_changes},
    ops::{Answer, Request},
};

/// What changed in a list since a token.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let name = request.text("listName").unwrap_or_default();
        let (view_name, row_limit) = (request.text("viewName"), request.text("rowLimit"));
        // Some clients put the element of the previous answer here instead of its token.
        let token = request.parameter("changeToken").map(|node| {
            let source = node.child_local("Changes").unwrap_or(node);
            source.attribute("LastChangeToken").map_or_else(|| node.text().into_owned(), str::to_owned)
        });
        let ask = ChangesAsk::read(&ChangesParameters {
            view_name: view_name.as_deref(),
            query: request.parameter("query"),
            view_fields: request.parameter("viewFields"),
            row_limit: row_limit.as_deref(),
            query_options: request.parameter("queryOptions"),
            change_token: token.as_deref(),
            contains: request.parameter("contains"),
        })?;
        request.out.start("GetListItemChangesSinceTokenResult");
        Ok(Some(begin_changes(request.context, &name, &ask, request.out).await?))
    })
}
