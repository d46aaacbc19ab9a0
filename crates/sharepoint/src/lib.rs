//! SharePoint's list services: SOAP below `_vti_bin`, REST below `_api`, and the files of libraries.
//!
//! The adapter turns wire names, formats and error codes into calls of the engine. It must not know the other protocol,
//! SQL or sockets. One operation is one file in `ops/` and one line in `ops.rs`; one field is one row in `fields/`.

mod attachments;
mod calendar;
mod caml;
mod changes;
mod code;
mod content_types;
mod context;
mod fields;
mod files;
mod list_draft;
mod list_settings;
mod listing;
mod moderation;
mod names;
mod ops;
mod paths;
mod query_options;
mod rest;
mod row_stream;
mod rows;
mod schema;
mod soap;
mod update;
mod value;
mod views;
mod wsdl;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use engine::{Caller, Engine};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// The body of an answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

/// What operators may set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URLs of the server by zone: intranet, default, extranet, internet, custom. Empty: the URL of the request.
    pub alternate_urls: Vec<String>,
    /// Minutes that clients have to wait between two synchronisations.
    pub min_time_between_syncs_minutes: u32,
    /// Minutes that clients should wait between two synchronisations of their own accord.
    pub recommended_time_between_syncs_minutes: u32,
    /// Megabytes of documents that a client should fetch in one synchronisation.
    pub max_bulk_document_sync_mb: u32,
    /// Megabytes of a file that a client should embed.
    pub max_recommended_embedded_file_mb: u32,
    /// Whether an answer that has the definition of the list again, since it changed, has all its rows too.
    pub list_schema_change_sends_all: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            alternate_urls: Vec::new(),
            min_time_between_syncs_minutes: 0,
            recommended_time_between_syncs_minutes: 180,
            max_bulk_document_sync_mb: 500,
            max_recommended_embedded_file_mb: 500,
            list_schema_change_sends_all: false,
        }
    }
}

/// The adapter. Cheap to clone.
#[derive(Clone)]
pub struct SharePoint {
    /// The domain.
    pub engine: Engine,
    /// What operators set.
    pub settings: Settings,
}

/// The operation that was performed: an extension of answers of SOAP, for who counts them. One of a few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed(pub &'static str);

/// Where a request goes, and who makes it.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Who asks; authenticated.
    pub caller: &'a Caller,
    /// The path of the site: empty for the root site, else `/sites/team`.
    pub site_path: &'a str,
    /// The server as the client sees it: `http://host:port`.
    pub base_url: &'a str,
}

impl SharePoint {
    /// Answers a request to a page below `_vti_bin`: a POST of SOAP 1.1 or 1.2, or a GET of a service description
    /// (`?WSDL`). Every failure is a fault or an HTTP status of its own.
    pub async fn soap(&self, call: Call<'_>, request: Request<Bytes>) -> Response<Body> {
        soap::handle(&self.for_request(), call, request).await
    }

    /// Answers a request below `_api`; `api_path` is what follows `_api/`, not decoded, with its query.
    pub async fn rest(&self, call: Call<'_>, api_path: &str, request: Request<Bytes>) -> Response<Body> {
        rest::handle(&self.for_request(), call, api_path, request).await
    }

    /// Answers GET, HEAD, PUT, DELETE and MOVE of a file of a library or, save MOVE, of one that is attached to an item;
    /// `path` is the path of the URL, not decoded: `/sites/team/Documents/a.txt`,
    /// `/sites/team/Lists/Tasks/Attachments/3/a.txt`.
    pub async fn file(&self, call: Call<'_>, path: &str, request: Request<Bytes>) -> Response<Body> {
        files::handle(&self.for_request(), call, path, request).await
    }

    fn for_request(&self) -> Self {
        Self { engine: self.engine.for_request(), settings: self.settings.clone() }
    }
}

/// An answer with a body in memory.
pub(crate) fn answer(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(value) = content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, code::RETRY_AFTER_SECONDS.into());
    }
    response
}
