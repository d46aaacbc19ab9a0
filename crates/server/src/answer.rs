//! Answers that the program gives itself: small texts, and refusals in the form of the protocol that was spoken.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use xml::{Writer, soap};

use crate::adapters::Body;

/// Which protocol a request speaks, as far as refusals differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Exchange Web Services.
    Ews,
    /// The SOAP services of SharePoint.
    ListSoap,
    /// The REST service of SharePoint.
    ListRest,
    /// Plain HTTP.
    Plain,
}

impl Protocol {
    /// What it is called in figures.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ews => "ews",
            Self::ListSoap => "lists_soap",
            Self::ListRest => "lists_rest",
            Self::Plain => "plain",
        }
    }
}

/// Why a request is not worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The body is larger than allowed.
    TooLarge,
    /// The body did not come in time.
    TooSlow,
    /// The body broke off.
    Broken,
    /// The body is encoded in another way than gzip.
    Encoded,
    /// There is too much to do.
    Busy,
    /// There is no such site or page.
    NotFound,
    /// Something of ours failed.
    Failed,
}

/// Seconds after which a refused client may come again.
const RETRY_AFTER_SECONDS: u32 = 5;

const ENVELOPE: soap::EnvelopeStyle =
    soap::EnvelopeStyle { prefix: "s", envelope_namespaces: &[], body_namespaces: &[] };

/// A body of these bytes.
pub(crate) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A text.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", text)
}

/// An answer of a type.
pub(crate) fn typed(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A refusal in the form of the protocol.
pub(crate) fn refusal(protocol: Protocol, refusal: Refusal) -> Response<Body> {
    let Words { status, ews, reason } = words(refusal);
    let mut response = match protocol {
        Protocol::Ews => typed(status, "text/xml; charset=utf-8", ews_fault(refusal, ews, reason)),
        Protocol::ListSoap => typed(status, "text/xml; charset=utf-8", list_fault(refusal, reason)),
        Protocol::ListRest => {
            let error = serde_json::json!({"odata.error": {"code": "-1, Microsoft.SharePoint.SPException",
                "message": {"lang": "en-US", "value": reason}}});
            typed(status, "application/json; charset=utf-8", error.to_string())
        }
        Protocol::Plain => text(status, reason),
    };
    if refusal == Refusal::Busy {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
    }
    if refusal == Refusal::Encoded {
        response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if matches!(refusal, Refusal::TooLarge | Refusal::TooSlow | Refusal::Broken | Refusal::Encoded) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

struct Words {
    status: StatusCode,
    ews: &'static str,
    reason: &'static str,
}

fn words(refusal: Refusal) -> Words {
    let (status, ews, reason) = match refusal {
        Refusal::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "ErrorMessageSizeExceeded",
            "The request is larger than this server allows.",
        ),
        Refusal::TooSlow => (StatusCode::REQUEST_TIMEOUT, "ErrorTimeoutExpired", "The request did not arrive in time."),
        Refusal::Broken => (StatusCode::BAD_REQUEST, "ErrorSchemaValidation", "The request did not arrive whole."),
        Refusal::Encoded => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "ErrorInvalidRequest",
            "The request has a Content-Encoding that this server does not read; it reads gzip.",
        ),
        Refusal::Busy => {
            (StatusCode::SERVICE_UNAVAILABLE, "ErrorServerBusy", "The server cannot service this request right now.")
        }
        Refusal::NotFound => (StatusCode::NOT_FOUND, "ErrorInvalidOperation", "There is nothing at this address."),
        Refusal::Failed => (
            StatusCode::INTERNAL_SERVER_ERROR,
            "ErrorInternalServerError",
            "An internal server error occurred. The operation failed.",
        ),
    };
    Words { status, ews, reason }
}

fn blame(refusal: Refusal) -> soap::FaultCode {
    match refusal {
        Refusal::TooLarge | Refusal::TooSlow | Refusal::Broken | Refusal::Encoded | Refusal::NotFound => {
            soap::FaultCode::Sender
        }
        Refusal::Busy | Refusal::Failed => soap::FaultCode::Receiver,
    }
}

fn ews_fault(refusal: Refusal, code: &str, reason: &str) -> Vec<u8> {
    const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
    const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
    let name = soap::FaultName { prefix: "a", namespace: TYPES, local: code };
    let fault = soap::Fault { code: blame(refusal), name: Some(name), reason, language: Some("en-US") };
    envelope(&fault, |writer| {
        for (local, text) in [("ResponseCode", code), ("Message", reason)] {
            writer.start_prefixed("e", local);
            writer.namespace("e", ERRORS);
            writer.text(text);
            writer.end();
        }
    })
}

fn list_fault(refusal: Refusal, reason: &str) -> Vec<u8> {
    const SHAREPOINT: &str = "http://schemas.microsoft.com/sharepoint/soap/";
    let fault = soap::Fault { code: blame(refusal), name: None, reason, language: None };
    envelope(&fault, |writer| {
        writer.start("errorstring");
        writer.attribute("xmlns", SHAREPOINT);
        writer.text(reason);
        writer.end();
    })
}

fn envelope(fault: &soap::Fault<'_>, detail: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.declaration();
    soap::begin_envelope(&mut writer, soap::SoapVersion::V11, &ENVELOPE, |_| {});
    soap::fault(&mut writer, soap::SoapVersion::V11, ENVELOPE.prefix, fault, detail);
    soap::end_envelope(&mut writer);
    writer.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, refused: Refusal) -> String {
        let response = refusal(protocol, refused);
        let bytes = futures_util::FutureExt::now_or_never(response.into_body().collect()).unwrap().unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn refusals_speak_the_protocol() {
        for (protocol, part) in [
            (
                Protocol::Ews,
                "<faultcode xmlns:a=\"http://schemas.microsoft.com/exchange/services/2006/types\">a:ErrorServerBusy<",
            ),
            (Protocol::Ews, ">ErrorServerBusy</e:ResponseCode>"),
            (Protocol::ListSoap, "<faultcode>s:Server</faultcode>"),
            (Protocol::ListSoap, "right now.</errorstring>"),
            (Protocol::ListRest, "\"odata.error\""),
            (Protocol::Plain, "right now."),
        ] {
            let answer = written(protocol, Refusal::Busy);
            assert!(answer.contains(part), "{answer}");
        }
        let busy = refusal(Protocol::Plain, Refusal::Busy);
        assert_eq!((busy.status().as_u16(), busy.headers()["retry-after"].as_bytes()), (503, &b"5"[..]));
    }
}
