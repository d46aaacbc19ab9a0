//! SOAP faults: what is wrong with a request as a whole.

use xml::{Node, Writer, soap};

use crate::{ERRORS, Failure, ResponseCode, TYPES, header};

/// A request that is answered by a fault (HTTP 500). What concerns one item of several is a
/// [`Failure`](crate::Failure) instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The code that clients match on; none where SOAP itself has one.
    code: Option<ResponseCode>,
    soap: soap::FaultCode,
    /// The text of `faultstring`.
    reason: String,
    /// The text of `Message`.
    message: String,
    /// Name and text of the `Value` elements in `MessageXml`.
    values: Vec<(&'static str, String)>,
    /// For a schema violation, what `MessageXml` says of it.
    place: Option<Place>,
}

impl From<Failure> for Fault {
    /// A failure that concerns the request as a whole.
    fn from(failure: Failure) -> Self {
        let soap = if failure.code == ResponseCode::ErrorServerBusy {
            soap::FaultCode::Receiver
        } else {
            soap::FaultCode::Sender
        };
        Self { soap, values: failure.values, ..Self::text(failure.code, failure.text) }
    }
}

/// Where and how the schema was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: u32,
    column: u32,
    violation: String,
}

impl Fault {
    /// A fault with the text of its code.
    pub(crate) fn code(code: ResponseCode) -> Self {
        Self::text(code, code.text())
    }

    /// A fault with a text of its own.
    pub(crate) fn text(code: ResponseCode, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            code: Some(code),
            soap: soap::FaultCode::Sender,
            reason: text.clone(),
            message: text,
            values: Vec::new(),
            place: None,
        }
    }

    /// A schema violation: `element` at or inside `node` is wrong in the way that `problem` says.
    pub(crate) fn schema(node: Node<'_>, element: &str, problem: &str) -> Self {
        Self::violation(node.position(), &format!("The '{element}' element is invalid - {problem}"))
    }

    /// A value outside what its type allows.
    pub(crate) fn value(node: Node<'_>, value: &str, datatype: &str, constraint: &str) -> Self {
        let value: String = value.chars().take(VALUE_CHARS_MAX).collect();
        let violation = format!(
            "The '{}:{}' element is invalid - The value '{value}' is invalid according to its datatype '{datatype}' - {constraint}",
            node.namespace(),
            node.local()
        );
        Self::violation(node.position(), &violation)
    }

    /// A violation at a place of the request.
    pub(crate) fn violation((line, column): (u32, u32), violation: &str) -> Self {
        let mut fault = Self::code(ResponseCode::ErrorSchemaValidation);
        fault.reason = format!("The request failed schema validation: {violation}");
        fault.place = Some(Place { line, column, violation: violation.to_owned() });
        fault
    }

    /// A header block that had to be understood.
    pub(crate) fn must_understand(block: &str) -> Self {
        let mut fault = Self::code(ResponseCode::ErrorInvalidRequest);
        fault.code = None;
        fault.soap = soap::FaultCode::MustUnderstand;
        fault.reason = format!("The header block {block} is not understood.");
        fault
    }

    /// An envelope of another SOAP version.
    pub(crate) fn version_mismatch() -> Self {
        let mut fault = Self::code(ResponseCode::ErrorInvalidRequest);
        fault.code = None;
        fault.soap = soap::FaultCode::VersionMismatch;
        fault.reason = "SOAP 1.1 is needed.".into();
        fault
    }

    /// Whether it tells the client to repeat the same.
    pub(crate) const fn invites(&self) -> bool {
        matches!(self.code, Some(ResponseCode::ErrorServerBusy | ResponseCode::ErrorInternalServerTransientError))
    }

    /// The whole answer.
    pub(crate) fn to_xml(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(1_024);
        out.declaration();
        soap::begin_envelope(&mut out, soap::SoapVersion::V11, &crate::STYLE, header::write_server_version);
        let name = self.code.map(|code| soap::FaultName { prefix: "a", namespace: TYPES, local: code.name() });
        let fault = soap::Fault { code: self.soap, name, reason: &self.reason, language: Some("en-US") };
        soap::fault(&mut out, soap::SoapVersion::V11, crate::STYLE.prefix, &fault, |out| {
            let Some(code) = self.code else { return };
            out.start("e:ResponseCode");
            out.namespace("e", ERRORS);
            out.text(code.name());
            out.end();
            out.start("e:Message");
            out.namespace("e", ERRORS);
            out.text(&self.message);
            out.end();
            if let Some(place) = &self.place {
                out.start("t:MessageXml");
                out.namespace("t", TYPES);
                out.display("t:LineNumber", place.line);
                out.display("t:LinePosition", place.column);
                out.element("t:Violation", &place.violation);
                out.end();
            } else if !self.values.is_empty() {
                out.start("t:MessageXml");
                out.namespace("t", TYPES);
                for (name, value) in &self.values {
                    out.start("t:Value");
                    out.attribute("Name", name);
                    out.text(value);
                    out.end();
                }
                out.end();
            }
        });
        soap::end_envelope(&mut out);
        out.into_bytes()
    }
}

/// Characters of a wrong value that are repeated in the fault.
const VALUE_CHARS_MAX: usize = 100;
