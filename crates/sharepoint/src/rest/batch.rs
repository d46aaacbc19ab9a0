//! `POST $batch`: several requests in one body of parts, each answered by one part in the same order.
//! \[MS-ODATA 2.2.7.6\]
//!
//! Requests are done one after the other; each stands for itself, also inside a change set.

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;

use super::error::RestError;
use crate::{Body, Call, SharePoint, answer};

/// Requests in one batch.
const REQUESTS_MAX: usize = 1_000;
/// Header lines of one part.
const HEADERS_MAX: usize = 100;

/// Answers a batch. `content_type` names the boundary between the parts.
///
/// # Errors
/// Status 400 for a body that is no batch; what fails inside is a part of the answer.
pub(super) async fn run(
    adapter: &SharePoint,
    call: Call<'_>,
    content_type: &str,
    body: &Bytes,
) -> Result<Response<Body>, RestError> {
    let bad = || RestError::bad_query("The body of the batch cannot be read.");
    let boundary = boundary_of(content_type).ok_or_else(bad)?;
    let text = std::str::from_utf8(body).map_err(|_| bad())?;
    let mut requests = Vec::new();
    for part in parts(text, &boundary) {
        let (head, content) = split_head(part);
        match head.get("content-type").and_then(boundary_of) {
            Some(inner) => {
                for part in parts(content, &inner) {
                    requests.push(read_request(split_head(part).1).ok_or_else(bad)?);
                }
            }
            None => requests.push(read_request(content).ok_or_else(bad)?),
        }
        if requests.len() > REQUESTS_MAX {
            return Err(RestError::bad_query("The batch has too many requests."));
        }
    }
    if requests.is_empty() {
        return Err(bad());
    }
    let mark = format!("batchresponse_{}", adapter.engine.random().guid());
    let mut out = Vec::new();
    for (url, request) in requests {
        let response = match api_path(call, &url) {
            // Each stands for itself, also in what it has written.
            Some(path) => Box::pin(super::handle(&adapter.for_request(), call, path, request)).await,
            None => super::reply::failure(&RestError::no_resource(&url), super::entity::Level::Minimal),
        };
        write_part(&mut out, &mark, response).await;
    }
    out.extend_from_slice(format!("--{mark}--\r\n").as_bytes());
    Ok(answer(http::StatusCode::OK, &format!("multipart/mixed; boundary={mark}"), out))
}

async fn write_part(out: &mut Vec<u8>, mark: &str, response: Response<Body>) {
    let (mut parts, body) = response.into_parts();
    let bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        // An answer that broke off must not pass for a whole one.
        Err(_) => {
            let (failed, body) = super::reply::failure(&RestError::busy(), super::entity::Level::Minimal).into_parts();
            parts = failed;
            body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
        }
    };
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let head = format!("--{mark}\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n");
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_u16()).as_bytes());
    for name in [header::CONTENT_TYPE, header::ETAG, header::LOCATION] {
        if let Some(value) = parts.headers.get(&name) {
            out.extend_from_slice(name.as_str().to_ascii_uppercase().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&bytes);
    out.extend_from_slice(b"\r\n");
}

/// What follows `_api/` in a URL of this site.
fn api_path<'u>(call: Call<'_>, url: &'u str) -> Option<&'u str> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.get(rest.find('/')?..)?,
        None => url,
    };
    let at = path.to_ascii_lowercase().find("/_api/")?;
    let site = crate::paths::decode(path.get(..at)?);
    let ours = site.trim_matches('/').eq_ignore_ascii_case(call.site_path.trim_matches('/'));
    let rest = path.get(at + "/_api/".len()..)?;
    // A batch inside a batch is no request.
    let nested = rest.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("$batch"));
    (ours && !nested).then_some(rest)
}

fn boundary_of(content_type: &str) -> Option<String> {
    if !content_type.trim_start().to_ascii_lowercase().starts_with("multipart/mixed") {
        return None;
    }
    let parameter = content_type.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"').to_owned())
    });
    parameter.filter(|boundary| !boundary.is_empty())
}

/// What stands between the lines `--boundary`. Lines end with LF or CRLF.
fn parts<'t>(text: &'t str, boundary: &str) -> Vec<&'t str> {
    let mark = format!("--{boundary}");
    let mut found = Vec::new();
    let (mut start, mut at): (Option<usize>, usize) = (None, 0);
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end();
        let last = plain.strip_suffix("--").is_some_and(|rest| rest == mark);
        if plain == mark || last {
            if let Some(part) = start.and_then(|start| text.get(start..at)) {
                found.push(part);
            }
            start = (!last).then_some(at + line.len());
            if found.len() > REQUESTS_MAX {
                break;
            }
        }
        at += line.len();
    }
    found
}

struct Head<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Head<'t> {
    fn get(&self, name: &str) -> Option<&'t str> {
        self.0.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// The header lines of a part, and what follows the empty line.
fn split_head(part: &str) -> (Head<'_>, &str) {
    let (mut head, mut at) = (Vec::new(), 0);
    for line in part.split_inclusive('\n') {
        at += line.len();
        let line = line.trim();
        if line.is_empty() || head.len() >= HEADERS_MAX {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            head.push((name.trim(), value.trim()));
        }
    }
    (Head(head), part.get(at..).unwrap_or_default())
}

/// The URL and the request that stand in a part.
fn read_request(text: &str) -> Option<(String, Request<Bytes>)> {
    let text = text.trim_start();
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.trim();
    let (method, target) = line.split_once(' ')?;
    // A URL may have spaces in it.
    let url = target.rsplit_once(" HTTP/").map_or(target, |(url, _)| url).trim();
    let (head, body) = split_head(rest);
    let mut request = Request::builder().method(method).uri("/");
    for (name, value) in head.0 {
        request = request.header(name, value);
    }
    Some((url.to_owned(), request.body(Bytes::copy_from_slice(body.trim().as_bytes())).ok()?))
}
