//! The files of libraries by their URL: GET, HEAD, PUT, DELETE and MOVE. What is deleted goes to the recycle bin.

use bytes::Bytes;
use engine::{EngineError, Removal, RowDraft, View, list_keys};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use model::{Civil, ItemFlags, PropertyKey, Time, Value};
use store::StoreError;

use crate::{
    Body, Call, SharePoint, answer, attachments,
    code::{Code, Failure},
    context::Context,
    moderation,
    ops::update_list_items::move_row,
    paths,
    rows::{Item, Row},
    schema::List,
    update,
};

/// Content types by extension.
const CONTENT_TYPES: &[(&str, &str)] = &[
    ("css", "text/css"),
    ("csv", "text/csv"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("txt", "text/plain"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("xml", "text/xml"),
    ("zip", "application/zip"),
];

/// See [`SharePoint::file`].
pub(crate) async fn handle(
    adapter: &SharePoint,
    call: Call<'_>,
    path: &str,
    request: Request<Bytes>,
) -> Response<Body> {
    match respond(adapter, call, path, request).await {
        Ok(response) => response,
        Err((StatusCode::SERVICE_UNAVAILABLE, _)) if adapter.engine.writes() > 0 => {
            let text = "It is not known whether the request was done. Look before you repeat it.";
            answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text)
        }
        Err((status, text)) => answer(status, "text/plain; charset=utf-8", text),
    }
}

/// A status and a text for a reader.
pub(crate) type Refusal = (StatusCode, String);

/// A refusal.
pub(crate) fn refuse(status: StatusCode, text: &str) -> Refusal {
    (status, text.to_owned())
}

/// The status of a failure.
pub(crate) fn status_of(failure: &Failure) -> StatusCode {
    match failure {
        Failure::Client(_) | Failure::Uncoded(_) => StatusCode::BAD_REQUEST,
        Failure::Coded { code, .. } if [Code::NO_LIST, Code::NO_ITEM, Code::NO_VIEW].contains(code) => {
            StatusCode::NOT_FOUND
        }
        Failure::Coded { code, .. } if *code == Code::CONFLICT => StatusCode::PRECONDITION_FAILED,
        Failure::Coded { .. } => StatusCode::BAD_REQUEST,
        Failure::Engine(error) => match error {
            EngineError::AccessDenied | EngineError::Distinguished => StatusCode::FORBIDDEN,
            EngineError::NoMailbox { .. }
            | EngineError::NoSite
            | EngineError::NoAccount
            | EngineError::NoCollection(_)
            | EngineError::NoItem(_) => StatusCode::NOT_FOUND,
            EngineError::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            EngineError::NameTaken | EngineError::Circle => StatusCode::CONFLICT,
            EngineError::InvalidState(_) | EngineError::Invalid(_) => StatusCode::BAD_REQUEST,
            EngineError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            EngineError::Contended => StatusCode::SERVICE_UNAVAILABLE,
            EngineError::Store(error) => match error {
                StoreError::TryAgain(_) | StoreError::Conflict { .. } => StatusCode::SERVICE_UNAVAILABLE,
                StoreError::NoRoot(_) | StoreError::NoCollection(_) | StoreError::NoItem(_) => StatusCode::NOT_FOUND,
                StoreError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                StoreError::OutcomeUnknown(_) | StoreError::Corrupt(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
        },
    }
}

/// A failure as a refusal.
pub(crate) fn failed(failure: impl Into<Failure>) -> Refusal {
    let failure = failure.into();
    (status_of(&failure), failure.explain().1)
}

async fn respond(
    adapter: &SharePoint,
    call: Call<'_>,
    path: &str,
    request: Request<Bytes>,
) -> Result<Response<Body>, Refusal> {
    let context = Context::open(adapter, call).await.map_err(failed)?;
    let mut view = context.view().await.map_err(failed)?;
    let path = path.split('?').next().unwrap_or(path);
    let (list, inside) = locate(&context, &mut view, path).await?;
    let (parts, body) = request.into_parts();
    if !list.template.is_library() {
        return attachments::respond(&context, view, &list, &inside, parts, body).await;
    }
    let row = view.row_at(list.id(), &inside).await.map_err(failed)?.map(Item::from);
    match parts.method {
        Method::GET | Method::HEAD => {
            let item = row.filter(|item| !item.flags.has(ItemFlags::FOLDER)).ok_or_else(missing)?;
            let bytes = view.part(item.id, list_keys::PART_FILE).await.map_err(failed)?.unwrap_or_default();
            let length = bytes.len();
            let head = parts.method == Method::HEAD;
            let kind = content_type(&inside);
            let mut response = answer(StatusCode::OK, kind, if head { Bytes::new() } else { bytes });
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
            describe(response.headers_mut(), &Row::new(&list, &item).map_err(failed)?);
            Ok(response)
        }
        Method::PUT => {
            drop(view);
            put(&context, &list, &inside, row, &parts.headers, body).await
        }
        Method::DELETE => {
            let item = row.ok_or_else(missing)?;
            let version = check_match(&list, &parts.headers, Some(&item))?;
            drop(view);
            let removed = update::remove(&context, &list, item.id.number(), version, Removal::Recycle).await;
            removed.map_err(failed)?;
            Ok(answer(StatusCode::NO_CONTENT, "text/plain; charset=utf-8", Bytes::new()))
        }
        method if method.as_str() == "MOVE" => {
            let item = row.ok_or_else(missing)?;
            let url = parts.headers.get("destination").and_then(|value| value.to_str().ok()).unwrap_or_default();
            match move_row(&context, &list, &item, url, None).await {
                Ok(_) => Ok(answer(StatusCode::CREATED, "text/plain; charset=utf-8", Bytes::new())),
                Err(Failure::Engine(EngineError::NameTaken)) => {
                    Err(refuse(StatusCode::PRECONDITION_FAILED, "There is a file at the destination."))
                }
                Err(other) => Err(failed(other)),
            }
        }
        _ => Err(refuse(StatusCode::METHOD_NOT_ALLOWED, "The method is not allowed here.")),
    }
}

/// There is no such file.
pub(crate) fn missing() -> Refusal {
    refuse(StatusCode::NOT_FOUND, "There is no file at this address.")
}

/// The list that a path leads into, and the path inside it.
async fn locate(context: &Context<'_>, view: &mut View, path: &str) -> Result<(List, String), Refusal> {
    let inside = paths::inside_site(context.call.base_url, context.call.site_path, path);
    let lists = view.lists().await.map_err(failed)?;
    let found = lists
        .into_iter()
        .filter(|list| paths::below(&inside, list.folder()).is_some_and(|rest| !rest.is_empty()))
        .max_by_key(|list| list.folder().len())
        .map(|list| context.wrap(list))
        .ok_or_else(missing)?;
    let rest = paths::below(&inside, found.collection.folder()).unwrap_or_default().to_owned();
    Ok((found, rest))
}

/// Writes the bytes of a file at a path inside a library, making it where it is not there. The folder must be there.
///
/// # Errors
/// [`Failure`]; nothing was written.
pub(crate) async fn store_file(
    context: &Context<'_>,
    list: &List,
    inside: &str,
    existing: Option<&Item>,
    version: Option<i32>,
    bytes: Bytes,
) -> Result<Item, Failure> {
    let (directory, name) = paths::split(inside);
    update::leaf(name)?;
    let size = Value::I32(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
    let size_key = PropertyKey::field("File_x0020_Size");
    if let Some(item) = existing {
        let change = |draft: &mut RowDraft| {
            draft.bag.set(size_key.clone(), size.clone());
            draft.file = Some(bytes.clone());
            update::count_version(list, &mut draft.bag);
            moderation::wait(list, &mut draft.bag);
        };
        return Ok(Item::from(context.site.update_row(item.id, version, &change).await?));
    }
    if !directory.is_empty() {
        let folder = context.view().await?.row_at(list.id(), directory).await?;
        if !folder.is_some_and(|folder| folder.flags.has(ItemFlags::FOLDER)) {
            return Err(Failure::Engine(EngineError::NameTaken));
        }
    }
    let mut draft = RowDraft { path: Some(inside.to_owned()), file: Some(bytes), ..RowDraft::default() };
    draft.bag.set(size_key, size);
    moderation::wait(list, &mut draft.bag);
    Ok(Item::from(context.site.create_row(list.id(), draft).await?))
}

async fn put(
    context: &Context<'_>,
    list: &List,
    inside: &str,
    row: Option<Item>,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    if row.as_ref().is_some_and(|item| item.flags.has(ItemFlags::FOLDER)) {
        return Err(refuse(StatusCode::CONFLICT, "There is a folder at this address."));
    }
    let version = check_match(list, headers, row.as_ref())?;
    let status = if row.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    let stored = store_file(context, list, inside, row.as_ref(), version, body).await.map_err(failed)?;
    let mut response = answer(status, "text/plain; charset=utf-8", Bytes::new());
    describe(response.headers_mut(), &Row::new(list, &stored).map_err(failed)?);
    Ok(response)
}

/// Checks `If-Match` and `If-None-Match`; the version that the write must meet.
fn check_match(list: &List, headers: &HeaderMap, item: Option<&Item>) -> Result<Option<i32>, Refusal> {
    let row = item.map(|item| Row::new(list, item)).transpose().map_err(failed)?;
    let pinned = check_etag(headers, row.as_ref().map(etag).as_deref())?;
    Ok(row.filter(|_| pinned).map(|row| row.version()))
}

/// Checks `If-Match` and `If-None-Match` against the tag of what is there; whether the client named it.
pub(crate) fn check_etag(headers: &HeaderMap, current: Option<&str>) -> Result<bool, Refusal> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let plain = |tag: &str| tag.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
    let refused = || refuse(StatusCode::PRECONDITION_FAILED, "The file has been changed.");
    if text(header::IF_NONE_MATCH) == Some("*") && current.is_some() {
        return Err(refused());
    }
    match (text(header::IF_MATCH), current) {
        (None, _) | (Some("*"), Some(_)) => Ok(false),
        (Some(wanted), Some(current)) if plain(wanted) == plain(current) => Ok(true),
        (Some(_), _) => Err(refused()),
    }
}

/// What tells one state of a row from another: `"{GUID},version"`.
pub(crate) fn etag(row: &Row<'_>) -> String {
    format!("\"{},{}\"", row.unique_id().braced(), row.version())
}

fn describe(headers: &mut HeaderMap, row: &Row<'_>) {
    if let Ok(value) = etag(row).parse() {
        headers.insert(header::ETAG, value);
    }
    let modified = row.stored("Modified").as_ref().and_then(Value::as_time).unwrap_or_default();
    if let Ok(value) = http_date(modified).parse() {
        headers.insert(header::LAST_MODIFIED, value);
    }
}

/// `Wed, 04 Mar 2026 05:06:07 GMT`.
pub(crate) fn http_date(time: Time) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // 1601-01-01 was a Monday.
    let weekday = time.0.div_euclid(Time::DAY).rem_euclid(7) as usize;
    let Civil { year, month, day, hour, minute, second, .. } = time.civil();
    let day_name = DAYS.get(weekday).copied().unwrap_or_default();
    let month_name = MONTHS.get(usize::from(month) - 1).copied().unwrap_or_default();
    format!("{day_name}, {day:02} {month_name} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
}

/// The content type of a file by its extension.
pub(crate) fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension.to_lowercase()).unwrap_or_default();
    let found = CONTENT_TYPES.iter().find(|(known, _)| *known == extension);
    found.map_or("application/octet-stream", |(_, kind)| kind)
}
