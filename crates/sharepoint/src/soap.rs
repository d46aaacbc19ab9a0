//! SOAP below `_vti_bin`: from the request to an operation, and back as an envelope or a fault.

use bytes::Bytes;
use engine::EngineError;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use xml::{
    Document, Node, Writer,
    soap::{self, Envelope, EnvelopeStyle, Fault, FaultCode, SoapError, SoapVersion, XML_SCHEMA, XML_SCHEMA_INSTANCE},
};

use crate::{
    Body, Call, Performed, SharePoint, answer,
    caml::XML_LIMITS,
    code::Failure,
    context::{self, Context},
    ops::{self, Operation},
    row_stream, wsdl,
};

/// The namespace of operations, their parameters and their answers.
pub(crate) const NAMESPACE: &str = "http://schemas.microsoft.com/sharepoint/soap/";
const STYLE: EnvelopeStyle = EnvelopeStyle {
    prefix: "soap",
    envelope_namespaces: &[("xsi", XML_SCHEMA_INSTANCE), ("xsd", XML_SCHEMA)],
    body_namespaces: &[],
};
const FAULT_TEXT: &str = "Exception of type 'Microsoft.SharePoint.SoapServer.SoapServerException' was thrown.";

/// See [`SharePoint::soap`].
pub(crate) async fn handle(adapter: &SharePoint, call: Call<'_>, request: Request<Bytes>) -> Response<Body> {
    let page = request.uri().path().rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let Some(service) = ops::SERVICES.iter().find(|service| service.eq_ignore_ascii_case(&page)) else {
        return answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "There is no such service.");
    };
    if *request.method() == Method::GET || *request.method() == Method::HEAD {
        let url = format!("{}{}/_vti_bin/{service}", call.base_url.trim_end_matches('/'), call.site_path);
        return answer(StatusCode::OK, "text/xml; charset=utf-8", wsdl::describe(service, &url));
    }
    if *request.method() != Method::POST {
        return answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "Use POST.");
    }
    let document = match Document::parse(request.body(), &XML_LIMITS) {
        Ok(document) => document,
        Err(error) => {
            let failure = Failure::Client(format!("Server was unable to read request. {error}"));
            return fault(version_of(&request), StatusCode::BAD_REQUEST, &failure);
        }
    };
    let envelope = match Envelope::read(&document) {
        Ok(envelope) => envelope,
        Err(error) => {
            let code = match error {
                SoapError::Version { .. } => FaultCode::VersionMismatch,
                SoapError::Malformed { .. } => FaultCode::Sender,
            };
            let text = format!("Server was unable to read request. {error}");
            return write_fault(SoapVersion::V11, StatusCode::INTERNAL_SERVER_ERROR, code, &text, |_| {});
        }
    };
    let Some((operation, node)) = find(&request, service, &envelope) else {
        let name = envelope.body.map(Node::local).unwrap_or_default();
        let text = format!("Server did not recognize the value of HTTP Header SOAPAction: {NAMESPACE}{name}.");
        return fault(envelope.version, StatusCode::INTERNAL_SERVER_ERROR, &Failure::Client(text));
    };
    let mut response = match run(adapter, call, operation, node, envelope.version).await {
        Ok(body) => {
            let mut response = Response::new(body);
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static(envelope.version.content_type()));
            response
        }
        Err(Failure::Engine(EngineError::NoSite)) => {
            answer(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "There is no site at this address.")
        }
        Err(failure) => {
            let failure = context::judge(adapter, failure, 0);
            if let Failure::Engine(EngineError::Store(error)) = &failure {
                tracing::error!(operation = operation.name, %error, "the store failed");
            }
            let status =
                if failure.is_busy() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::INTERNAL_SERVER_ERROR };
            fault(envelope.version, status, &failure)
        }
    };
    response.extensions_mut().insert(Performed(operation.name));
    response
}

/// The operation that the body names. Where the body is empty the SOAPAction tells; several clients send none.
fn find<'a>(
    request: &Request<Bytes>,
    service: &str,
    envelope: &Envelope<'a>,
) -> Option<(&'static Operation, Option<Node<'a>>)> {
    if let Some(node) = envelope.body {
        return ops::find(service, node.local()).map(|operation| (operation, Some(node)));
    }
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let action = header("soapaction").or_else(|| header("content-type")?.split("action=").nth(1))?;
    let name = action.split(';').next()?.trim().trim_matches('"').rsplit('/').next()?;
    ops::find(service, name).map(|operation| (operation, None))
}

async fn run(
    adapter: &SharePoint,
    call: Call<'_>,
    operation: &'static Operation,
    node: Option<Node<'_>>,
    version: SoapVersion,
) -> Result<Body, Failure> {
    let context = Context::open(adapter, call).await?;
    let mut writer = Writer::with_capacity(4_096);
    writer.declaration();
    soap::begin_envelope(&mut writer, version, &STYLE, |_| {});
    writer.start_named(&format!("{}Response", operation.name));
    writer.namespace("", NAMESPACE);
    let rows = (operation.run)(ops::Request { context: &context, node, out: &mut writer }).await?;
    if let Some(mut rows) = rows
        && rows.write_some(&mut writer).await?
    {
        return Ok(rows.stream(writer));
    }
    row_stream::close(&mut writer, 0);
    Ok(Full::new(Bytes::from(writer.into_bytes())).map_err(|never| match never {}).boxed_unsync())
}

/// The SOAP version that the media type tells, for requests that cannot be read.
fn version_of(request: &Request<Bytes>) -> SoapVersion {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|text| text.starts_with("application/soap+xml")) {
        SoapVersion::V12
    } else {
        SoapVersion::V11
    }
}

fn fault(version: SoapVersion, status: StatusCode, failure: &Failure) -> Response<Body> {
    let (code, text) = failure.explain();
    if let Failure::Client(text) = failure {
        return write_fault(version, status, FaultCode::Sender, text, |_| {});
    }
    write_fault(version, status, FaultCode::Receiver, FAULT_TEXT, |writer| {
        let mut element = |name: &'static str, text: &str| {
            writer.start(name);
            writer.namespace("", NAMESPACE);
            writer.text(text);
            writer.end();
        };
        element("errorstring", &text);
        if let Some(code) = code {
            element("errorcode", &code.to_string());
        }
    })
}

fn write_fault(
    version: SoapVersion,
    status: StatusCode,
    code: FaultCode,
    reason: &str,
    detail: impl FnOnce(&mut Writer),
) -> Response<Body> {
    let mut writer = Writer::with_capacity(1_024);
    writer.declaration();
    soap::begin_envelope(&mut writer, version, &STYLE, |_| {});
    let text = Fault { code, name: None, reason, language: None };
    soap::fault(&mut writer, version, STYLE.prefix, &text, detail);
    soap::end_envelope(&mut writer);
    answer(status, version.content_type(), writer.into_bytes())
}
