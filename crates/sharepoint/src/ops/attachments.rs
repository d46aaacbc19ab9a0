//! `GetAttachmentCollection`: items have no attachments yet. \[MS-LISTSWS 3.1.4.14\]

use model::ItemId;

use crate::{
    code::{Code, Failure},
    ops::{Answer, Request},
};

/// The URLs of an item's attachments.
pub(super) fn run(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let mut view = request.view().await?;
        let list = request.context.list(&mut view, &request.text("listName").unwrap_or_default()).await?;
        let text = request.text("listItemID").unwrap_or_default();
        let number = match text.parse::<i64>() {
            Ok(number) if number < 0 => return Err(Failure::bad_value("The parameter listItemID is not valid.")),
            Ok(number) => u32::try_from(number).unwrap_or(u32::MAX),
            Err(_) => {
                return Err(Failure::coded(Code::BAD_PARAMETER, "The parameter listItemID is missing or invalid."));
            }
        };
        view.item(ItemId::in_list(list.id(), number)).await?;
        request.out.start("GetAttachmentCollectionResult");
        request.out.empty("Attachments");
        request.out.end();
        Ok(None)
    })
}
