//! The Exchange Web Services adapter: SOAP in, engine calls, SOAP out.
//!
//! Wire names, formats and error codes live here. This crate must not know SQL, sockets, authentication or SharePoint.
//!
//! - [`Ews::handle`] answers one HTTP request.
//! - `ops` holds the table of operations, `fields` that of item and folder fields, `class` that of element names.
//! - A request that is wrong as a whole is a `Fault`; what is wrong with one item of several is a `Failure`.

mod answer;
mod attachments;
mod class;
mod code;
mod context;
mod fault;
mod fields;
mod folder;
mod group;
mod hanging;
mod header;
mod id;
mod item;
mod local_time;
mod meeting;
mod new_item;
mod notification;
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
mod spools;
mod stream;
#[cfg(test)]
mod testing;
mod version;

use std::time::Duration;

use bytes::Bytes;
use engine::{Caller, Engine};
use http_body_util::{BodyExt as _, Full};
use stream::{Begun, Outlet};
use xml::{Document, Limits, soap};

pub use hanging::{Hanging, Hangs, Surroundings, Wait};
pub use ops::NAMES;
pub use quirk::{QUIRKS, Quirk};
pub use spools::Spools;

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
    /// What may be set.
    pub settings: Settings,
}

/// The operation that was performed: an extension of answers, for who counts them. One of [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Performed(pub &'static str);

/// What may be set about the service.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of an item in `UploadItems`, before they are base64. A larger one is `ErrorMessageSizeExceeded`.
    pub upload_bytes_max: usize,
    /// After how long a hanging request is told that its connection stands, where nothing has happened.
    pub keep_alive: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { upload_bytes_max: model::limits::BODY_BYTES_MAX / 4 * 3, keep_alive: Duration::from_secs(45) }
    }
}

impl Ews {
    /// The service over `engine`, with the default settings.
    pub fn new(engine: Engine) -> Self {
        Self { engine, settings: Settings::default() }
    }

    /// Answers one request of an authenticated caller: POST carries a SOAP envelope, GET and HEAD find a short text.
    /// Costs what the operation costs. A small answer is made first; a large one of an operation that reads is made while
    /// it is sent, and cut where it cannot be completed. Payloads outside of memory are its extension [`Spools`]; with
    /// [`Hangs`] it may hang, and the answer has the extension [`Hanging`] then.
    pub async fn handle(&self, caller: &Caller, request: http::Request<Bytes>) -> http::Response<Body> {
        if request.method() != http::Method::POST {
            return respond(
                http::StatusCode::OK,
                "text/plain; charset=utf-8",
                whole(b"Exchange Web Services\n".to_vec()),
            );
        }
        // What is packed has to be whole. Otherwise the client reads the beginning while the rest is made.
        let packs = offers_to_unpack(request.headers());
        let outlet = Outlet::new(if packs { answer::WHOLE_BYTES_MAX } else { answer::PIECE_BYTES });
        let (mut parts, body) = request.into_parts();
        let spools = parts.extensions.remove::<Spools>().unwrap_or_default();
        let asked = (body, spools, parts.extensions.remove::<Hangs>());
        let ews = Self { engine: self.engine.for_request(), settings: self.settings };
        let performance = Box::pin(perform(ews, caller.clone(), asked, outlet.clone()));
        let mut response = match stream::begin(performance, outlet.clone()).await {
            Begun::Whole(Ok(bytes)) => respond(http::StatusCode::OK, XML, whole(bytes)),
            Begun::Whole(Err(fault)) => respond(http::StatusCode::INTERNAL_SERVER_ERROR, XML, whole(fault.to_xml())),
            Begun::Streaming(running) => respond(http::StatusCode::OK, XML, running.boxed_unsync()),
        };
        if outlet.hangs() {
            response.extensions_mut().insert(Hanging);
        }
        if let Some(operation) = outlet.operation() {
            response.extensions_mut().insert(Performed(operation));
        }
        response
    }
}

/// Whether a client says that it unpacks something. One that asks for `identity` says the contrary.
fn offers_to_unpack(headers: &http::HeaderMap) -> bool {
    let mut values = headers.get_all(http::header::ACCEPT_ENCODING).iter();
    values.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

const XML: &str = "text/xml; charset=utf-8";

/// Performs what a body asks for. The body is gone when the operation begins: it holds what it needs.
async fn perform(
    ews: Ews,
    caller: Caller,
    asked: (Bytes, Spools, Option<Hangs>),
    outlet: Outlet,
) -> Result<Vec<u8>, Fault> {
    let (body, spools, hangs) = asked;
    let Asked { header, task } = read(&body)?;
    drop(body);
    if let Ok(task) = &task {
        outlet.note_operation(task.name());
    }
    let acting = context::acting_as(&ews.engine, &caller, &header).await?;
    let context = Context::new(&ews, (&caller, acting.as_ref().unwrap_or(&caller)), header, (spools, hangs));
    let answered = task?.run(&context, outlet).await;
    let wrote = ews.engine.writes() > 0;
    answered.map_err(|fault| if wrote && fault.invites() { Failure::unknown().into() } else { fault })
}

/// What a body asks for.
struct Asked {
    header: Header,
    /// Whether the caller may act as whom the header names is asked before what is wrong with the operation.
    task: Result<Box<dyn ops::Task>, Fault>,
}

fn read(body: &[u8]) -> Result<Asked, Fault> {
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
    let task = ops::read(operation, &header);
    Ok(Asked { header, task })
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

fn respond(status: http::StatusCode, content_type: &'static str, body: Body) -> http::Response<Body> {
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
