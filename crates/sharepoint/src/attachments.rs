//! Files attached to items of lists: their addresses, how they are added and removed, and GET, HEAD, PUT and DELETE of
//! `<list>/Attachments/<number>/<name>`. SOAP, REST and HTTP share this. \[MS-OUTSPS 3.1.4.3\]

use bytes::Bytes;
use engine::{AttachmentExpected, EngineError, RowAttachment, View};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use model::ItemId;

use crate::{
    Body, answer,
    code::{Code, Failure},
    context::Context,
    files::{Refusal, check_etag, content_type, failed, http_date, missing, refuse},
    list_settings, paths,
    rows::{Item, Row},
    schema::List,
    update,
};

/// The folder of a list that holds them.
const FOLDER: &str = "Attachments";

/// The server-relative path of an attachment without a leading slash.
pub(crate) fn path(list: &List, number: u32, name: &str) -> String {
    format!("{}/{FOLDER}/{number}/{name}", list.root_folder)
}

/// The absolute URL of an attachment.
pub(crate) fn url(list: &List, number: u32, name: &str) -> String {
    paths::absolute(&list.host_url, &path(list, number, name))
}

/// What tells one state of an attachment from another: `{GUID},version`.
pub(crate) fn state(attachment: &RowAttachment) -> String {
    format!("{},{}", attachment.guid.braced(), attachment.version)
}

/// The attachment of a row with this name, in any case.
pub(crate) fn find(row: &Row<'_>, name: &str) -> Option<RowAttachment> {
    row.attachments().into_iter().find(|attachment| attachment.is_named(name))
}

/// The number of the item and the name of the file in a path inside a list: `Attachments/3/a.txt`.
pub(crate) fn place(inside: &str) -> Option<(u32, &str)> {
    let (number, name) = paths::below(inside, FOLDER)?.split_once('/')?;
    let number = number.parse().ok().filter(|number| *number > 0)?;
    (!name.is_empty() && !name.contains('/')).then_some((number, name))
}

/// Attaches a file, or replaces one as `expected` says.
///
/// # Errors
/// [`Failure`]; nothing was written.
pub(crate) async fn write(
    context: &Context<'_>,
    list: &List,
    number: u32,
    name: &str,
    bytes: Bytes,
    expected: AttachmentExpected,
) -> Result<RowAttachment, Failure> {
    check(list)?;
    let name = update::leaf(name)?;
    let stored = context.site.attach(ItemId::in_list(list.id(), number), &name, bytes, expected).await?;
    let item = Item::from(stored);
    find(&Row::new(list, &item)?, &name).ok_or(Failure::Engine(EngineError::NoItem(item.id)))
}

/// Adds a file of a name that is not in use, and with something in it.
///
/// # Errors
/// [`Failure::Coded`] with the codes of `AddAttachment`; nothing was written.
pub(crate) async fn add(
    context: &Context<'_>,
    list: &List,
    number: u32,
    name: &str,
    bytes: Bytes,
) -> Result<RowAttachment, Failure> {
    if name.trim().is_empty() {
        return Err(Failure::coded(Code::NO_FILE_NAME, "The file name of the attachment is missing."));
    }
    if bytes.is_empty() {
        return Err(Failure::coded(Code::EMPTY_FILE, "The attachment is empty."));
    }
    match write(context, list, number, name, bytes, AttachmentExpected::Nothing).await {
        Err(Failure::Engine(EngineError::NameTaken)) => Err(Failure::coded(
            Code::ATTACHMENT_EXISTS,
            "The specified name is already in use.\n\nThe item has an attachment of this name already.",
        )),
        other => other,
    }
}

/// Removes an attachment.
///
/// # Errors
/// [`Failure`]; [`EngineError::NoItem`] for the item or the attachment. Nothing was written.
pub(crate) async fn remove(
    context: &Context<'_>,
    list: &List,
    number: u32,
    name: &str,
    expected: AttachmentExpected,
) -> Result<(), Failure> {
    context.site.detach(ItemId::in_list(list.id(), number), name, expected).await?;
    Ok(())
}

fn check(list: &List) -> Result<(), Failure> {
    if !list_settings::ENABLE_ATTACHMENTS.is_on(list) {
        return Err(Failure::bad_value("Attachments are turned off in this list."));
    }
    update::check_writable(list)
}

/// Answers a request for a path inside a list that is no library.
pub(crate) async fn respond(
    context: &Context<'_>,
    mut view: View,
    list: &List,
    inside: &str,
    parts: Parts,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    let (number, name) = place(inside).ok_or_else(missing)?;
    let row = view.items(&[ItemId::in_list(list.id(), number)]).await.map_err(failed)?.pop().flatten();
    let item = row.filter(|row| row.collection == list.id()).map(Item::from).ok_or_else(missing)?;
    let found = find(&Row::new(list, &item).map_err(failed)?, name);
    match parts.method {
        Method::GET | Method::HEAD => {
            let found = found.ok_or_else(missing)?;
            let bytes = view.part(item.id, found.part).await.map_err(failed)?.unwrap_or_default();
            let length = bytes.len();
            let head = parts.method == Method::HEAD;
            let mut response =
                answer(StatusCode::OK, content_type(&found.name), if head { Bytes::new() } else { bytes });
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            describe(response.headers_mut(), &found);
            Ok(response)
        }
        Method::PUT => {
            drop(view);
            let expected = expected(&parts.headers, found.as_ref())?;
            let status = if found.is_some() { StatusCode::OK } else { StatusCode::CREATED };
            let stored = write(context, list, number, name, body, expected).await;
            let mut response = answer(status, "text/plain; charset=utf-8", Bytes::new());
            describe(response.headers_mut(), &stored.map_err(failed)?);
            Ok(response)
        }
        Method::DELETE => {
            drop(view);
            let expected = expected(&parts.headers, found.as_ref())?;
            let found = found.ok_or_else(missing)?;
            remove(context, list, number, &found.name, expected).await.map_err(failed)?;
            Ok(answer(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", Bytes::new()))
        }
        _ => Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here.")),
    }
}

/// What the conditions of a request say of the attachment that it writes.
fn expected(headers: &HeaderMap, found: Option<&RowAttachment>) -> Result<AttachmentExpected, Refusal> {
    let pinned = check_etag(headers, found.map(state).as_deref())?;
    Ok(match found {
        Some(found) if pinned => AttachmentExpected::Version(found.guid, found.version),
        Some(_) | None => AttachmentExpected::Any,
    })
}

fn describe(headers: &mut HeaderMap, attachment: &RowAttachment) {
    if let Ok(value) = format!("\"{}\"", state(attachment)).parse() {
        headers.insert(header::ETAG, value);
    }
    if let Ok(value) = http_date(attachment.modified).parse() {
        headers.insert(header::LAST_MODIFIED, value);
    }
}
