//! The Exchange Web Services adapter: SOAP in, engine calls, SOAP out.
//!
//! Wire names, formats and error codes live here. This crate must not know SQL, sockets, authentication or SharePoint.
//!
//! - [`Ews::handle`] answers one HTTP request.
//! - `ops` holds the table of operations, `fields` that of item and folder fields, `class` that of element names.
//! - A request that is wrong as a whole is a `Fault`; what is wrong with one item of several is a `Failure`.

mod answer;
mod class;
mod code;
mod context;
mod fault;
mod fields;
mod folder;
mod group;
mod header;
mod id;
mod item;
mod meeting;
mod new_item;
mod ops;
mod patch;
mod path;
mod permission;
mod query_string;
mod quirk;
mod request;
mod respond;
mod restriction;
mod search;
mod send;
mod series;
mod shape;
#[cfg(test)]
mod testing;
mod version;

use bytes::Bytes;
use engine::{Caller, Engine};
use http_body_util::{BodyExt as _, Full};
use xml::{Document, Limits, soap};

pub use ops::NAMES;
pub use quirk::{QUIRKS, Quirk};

pub(crate) use answer::Answer;
pub(crate) use code::{Failure, ResponseCode};
pub(crate) use context::Context;
pub(crate) use fault::Fault;
pub(crate) use header::{Header, Version};

/// The body of an answer.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, std::io::Error>;

pub(crate) const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
pub(crate) const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
pub(crate) const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";

pub(crate) const STYLE: soap::EnvelopeStyle =
    soap::EnvelopeStyle { prefix: "s", envelope_namespaces: &[], body_namespaces: &[] };

const XML_LIMITS: Limits = Limits {
    bytes_max: model::limits::BODY_BYTES_MAX,
    depth_max: model::limits::XML_DEPTH_MAX,
    elements_max: model::limits::XML_ELEMENTS_MAX,
    attributes_max: model::limits::XML_ATTRIBUTES_MAX,
    ..Limits::DEFAULT
};

/// The service over one domain. Cheap to clone.
#[derive(Clone)]
pub struct Ews {
    /// The domain.
    pub engine: Engine,
}

impl Ews {
    /// The service over `engine`.
    pub const fn new(engine: Engine) -> Self {
        Self { engine }
    }

    /// Answers one request of an authenticated caller: POST carries a SOAP envelope, GET and HEAD find a short text.
    /// Costs what the operation costs; the answer is built in memory.
    pub async fn handle(&self, caller: &Caller, request: http::Request<Bytes>) -> http::Response<Body> {
        if request.method() != http::Method::POST {
            return respond(http::StatusCode::OK, "text/plain; charset=utf-8", b"Exchange Web Services\n".to_vec());
        }
        let (status, bytes) = match self.answer(caller, request.body()).await {
            Ok(bytes) => (http::StatusCode::OK, bytes),
            Err(fault) => (http::StatusCode::INTERNAL_SERVER_ERROR, fault.to_xml()),
        };
        respond(status, "text/xml; charset=utf-8", bytes)
    }

    async fn answer(&self, caller: &Caller, body: &[u8]) -> Result<Vec<u8>, Fault> {
        let document = Document::parse_with(body, &XML_LIMITS, normalise)
            .map_err(|error| Fault::violation(error.position(), &error.to_string()))?;
        let envelope = soap::Envelope::read(&document).map_err(|error| match error {
            soap::SoapError::Version { .. } => Fault::version_mismatch(),
            soap::SoapError::Malformed { message, line, column } => Fault::violation((line, column), message),
        })?;
        if envelope.version != soap::SoapVersion::V11 {
            return Err(Fault::version_mismatch());
        }
        let header = Header::read(envelope.header)?;
        let Some(operation) = envelope.body else { return Err(Fault::code(ResponseCode::ErrorInvalidRequest)) };
        let acting = context::acting_as(&self.engine, caller, &header).await?;
        let context = Context::new(&self.engine, acting.as_ref().unwrap_or(caller), header);
        ops::dispatch(operation, &context).await
    }
}

fn respond(status: http::StatusCode, content_type: &'static str, bytes: Vec<u8>) -> http::Response<Body> {
    let body = Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync();
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    response
}

/// The known spelling of a namespace. Documentation prints ours, and that of SOAP, with `https`, and clients copy it.
fn normalise(namespace: &str) -> &str {
    match namespace {
        "https://schemas.microsoft.com/exchange/services/2006/types" => TYPES,
        "https://schemas.microsoft.com/exchange/services/2006/messages" => MESSAGES,
        "https://schemas.microsoft.com/exchange/services/2006/errors" => ERRORS,
        "https://schemas.xmlsoap.org/soap/envelope/" => soap::ENVELOPE_11,
        other => other,
    }
}
