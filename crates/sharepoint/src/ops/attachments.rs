//! `AddAttachment`, `GetAttachmentCollection` and `DeleteAttachment`. \[MS-LISTSWS 3.1.4.2, 3.1.4.10, 3.1.4.14\]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use engine::AttachmentExpected;
use model::ItemId;

use crate::{
    attachments,
    code::{Code, Failure},
    ops::{Answer, Request},
    paths,
    rows::{Item, Row},
    schema::List,
};

/// The list and the item that a request names.
async fn target(request: &Request<'_>) -> Result<(List, Item), Failure> {
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
    let item = Item::from(view.item(ItemId::in_list(list.id(), number)).await?);
    Ok((list, item))
}

/// Attaches a file to an item.
pub(super) fn add(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (list, item) = target(&request).await?;
        let name = request.text("fileName").unwrap_or_default();
        let mut text = request.parameter("attachment").map(|node| node.text().into_owned()).unwrap_or_default();
        text.retain(|character| !character.is_ascii_whitespace());
        let bytes = STANDARD.decode(text).map_err(|_| {
            Failure::Client("Server was unable to read request. The parameter attachment is not base64.".to_owned())
        })?;
        let number = item.id.number();
        let added = attachments::add(request.context, &list, number, &name, Bytes::from(bytes)).await?;
        request.out.element("AddAttachmentResult", &attachments::url(&list, number, &added.name));
        Ok(None)
    })
}

/// The URLs of an item's attachments.
pub(super) fn all(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (list, item) = target(&request).await?;
        let row = Row::new(&list, &item)?;
        request.out.start("GetAttachmentCollectionResult");
        request.out.start("Attachments");
        for attachment in row.attachments() {
            request.out.element("Attachment", &attachments::url(&list, row.number(), &attachment.name));
        }
        request.out.end();
        request.out.end();
        Ok(None)
    })
}

/// Removes an attachment by its URL.
pub(super) fn delete(request: Request<'_>) -> Answer<'_> {
    Box::pin(async move {
        let (list, item) = target(&request).await?;
        let unknown = || Failure::coded(Code::BAD_PARAMETER, "The parameter url is missing or invalid.");
        let url = request.text("url").unwrap_or_default();
        let inside = paths::inside_site(&list.host_url, &list.site_folder, &url);
        let inside = paths::below(&inside, list.collection.folder()).ok_or_else(unknown)?;
        let (number, name) = attachments::place(inside).ok_or_else(unknown)?;
        if number != item.id.number() || attachments::find(&Row::new(&list, &item)?, name).is_none() {
            return Err(unknown());
        }
        attachments::remove(request.context, &list, number, name, AttachmentExpected::Any).await?;
        Ok(None)
    })
}
