//! SOAP 1.1 and 1.2 envelopes: reading one, writing one, and faults in either version.
//!
//! Prefixes and extra namespace declarations come from the adapters, whose real servers differ in them.

use thiserror::Error;

use crate::document::{Document, Node};
use crate::writer::Writer;

/// Namespace of SOAP 1.1 envelopes.
pub const ENVELOPE_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// Namespace of SOAP 1.2 envelopes.
pub const ENVELOPE_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Namespace of `xsi:type` and `xsi:nil`.
pub const XML_SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";
/// Namespace of XML Schema's own types.
pub const XML_SCHEMA: &str = "http://www.w3.org/2001/XMLSchema";

/// The version of an envelope; an answer uses that of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SoapVersion {
    /// SOAP 1.1.
    V11,
    /// SOAP 1.2.
    V12,
}

impl SoapVersion {
    /// The namespace of the envelope.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V11 => ENVELOPE_11,
            Self::V12 => ENVELOPE_12,
        }
    }

    /// The media type of a message, with its charset.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::V11 => "text/xml; charset=utf-8",
            Self::V12 => "application/soap+xml; charset=utf-8",
        }
    }
}

/// Why a document is no envelope that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SoapError {
    /// The root is an `Envelope` of another SOAP version: answer with a `VersionMismatch` fault.
    #[error("unknown soap version {namespace}")]
    Version {
        /// The namespace of the root.
        namespace: String,
    },
    /// The root is no `Envelope`, or the envelope is not laid out as one: the sender has to repair it.
    #[error("{message} (line {line}, column {column})")]
    Malformed {
        /// What is wrong, in lower case.
        message: &'static str,
        /// Line, from 1.
        line: u32,
        /// Column, from 1.
        column: u32,
    },
}

/// The parts of an envelope that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The version of the envelope.
    pub version: SoapVersion,
    /// The `Header` element, where there is one.
    pub header: Option<Node<'a>>,
    /// The first element inside `Body`, none where the body is empty.
    pub body: Option<Node<'a>>,
}

impl<'a> Envelope<'a> {
    /// Finds the parts of the envelope that the document is.
    ///
    /// # Errors
    /// [`SoapError::Version`] for an envelope of another version, [`SoapError::Malformed`] for anything else.
    pub fn read(document: &'a Document<'_>) -> Result<Self, SoapError> {
        let root = document.root();
        if root.local() != "Envelope" {
            return Err(malformed(root, "the root element is not a soap envelope"));
        }
        let version = match root.namespace() {
            ENVELOPE_11 => SoapVersion::V11,
            ENVELOPE_12 => SoapVersion::V12,
            other => return Err(SoapError::Version { namespace: other.to_owned() }),
        };
        let mut header = None;
        let mut body = None;
        for part in root.children().filter(|part| part.namespace() == version.namespace()) {
            match part.local() {
                "Header" if header.is_none() && body.is_none() => header = Some(part),
                "Header" => return Err(malformed(part, "a second or late soap header")),
                "Body" if body.is_none() => body = Some(part),
                "Body" => return Err(malformed(part, "a second soap body")),
                _ => {}
            }
        }
        let Some(body) = body else { return Err(malformed(root, "the soap envelope has no body")) };
        Ok(Self { version, header, body: body.children().next() })
    }
}

fn malformed(node: Node<'_>, message: &'static str) -> SoapError {
    let (line, column) = node.position();
    SoapError::Malformed { message, line, column }
}

/// How a server writes its envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvelopeStyle {
    /// Prefix of the SOAP elements, for instance `s`.
    pub prefix: &'static str,
    /// Prefixes and namespaces declared on `Envelope` after that of SOAP, in this order.
    pub envelope_namespaces: &'static [(&'static str, &'static str)],
    /// Prefixes and namespaces declared on `Body`, in this order.
    pub body_namespaces: &'static [(&'static str, &'static str)],
}

/// Writes an envelope up to the inside of its `Body`; without a `Header` where `header` writes nothing.
pub fn begin_envelope(
    writer: &mut Writer,
    version: SoapVersion,
    style: &EnvelopeStyle,
    header: impl FnOnce(&mut Writer),
) {
    writer.start_prefixed(style.prefix, "Envelope");
    writer.namespace(style.prefix, version.namespace());
    declare(writer, style.envelope_namespaces);
    optional(writer, style.prefix, "Header", header);
    writer.start_prefixed(style.prefix, "Body");
    declare(writer, style.body_namespaces);
}

/// Closes the `Body` and the `Envelope` that [`begin_envelope`] opened.
pub fn end_envelope(writer: &mut Writer) {
    writer.end();
    writer.end();
}

/// Who is to blame for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultCode {
    /// The message cannot be processed as it is: `Client` in 1.1, `Sender` in 1.2.
    Sender,
    /// The server failed: `Server` in 1.1, `Receiver` in 1.2.
    Receiver,
    /// A header that must be understood is not.
    MustUnderstand,
    /// The envelope is of another SOAP version.
    VersionMismatch,
}

impl FaultCode {
    /// The local name of the code in that version.
    pub fn name(self, version: SoapVersion) -> &'static str {
        match (self, version) {
            (Self::Sender, SoapVersion::V11) => "Client",
            (Self::Sender, SoapVersion::V12) => "Sender",
            (Self::Receiver, SoapVersion::V11) => "Server",
            (Self::Receiver, SoapVersion::V12) => "Receiver",
            (Self::MustUnderstand, _) => "MustUnderstand",
            (Self::VersionMismatch, _) => "VersionMismatch",
        }
    }
}

/// A code of the application's own, which SOAP 1.1 carries as the fault code and SOAP 1.2 as its subcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultName<'a> {
    /// Prefix, declared where the code is written.
    pub prefix: &'a str,
    /// Namespace of the prefix.
    pub namespace: &'a str,
    /// Local name.
    pub local: &'a str,
}

/// What a fault says, besides its detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a> {
    /// Who is to blame.
    pub code: FaultCode,
    /// The application's own code.
    pub name: Option<FaultName<'a>>,
    /// The text for a reader.
    pub reason: &'a str,
    /// Language of the reason; SOAP 1.2 requires one and takes `en` where there is none.
    pub language: Option<&'a str>,
}

/// Writes the `Fault` element inside an open `Body`; without a detail where `detail` writes nothing.
pub fn fault(
    writer: &mut Writer,
    version: SoapVersion,
    prefix: &str,
    fault: &Fault<'_>,
    detail: impl FnOnce(&mut Writer),
) {
    let code = fault.code.name(version);
    writer.start_prefixed(prefix, "Fault");
    match version {
        SoapVersion::V11 => {
            writer.start("faultcode");
            match fault.name {
                Some(name) => write_name(writer, name),
                None => writer.display_text(format_args!("{prefix}:{code}")),
            }
            writer.end();
            writer.start("faultstring");
            if let Some(language) = fault.language {
                writer.attribute("xml:lang", language);
            }
            writer.text(fault.reason);
            writer.end();
            optional(writer, "", "detail", detail);
        }
        SoapVersion::V12 => {
            writer.start_prefixed(prefix, "Code");
            writer.start_prefixed(prefix, "Value");
            writer.display_text(format_args!("{prefix}:{code}"));
            writer.end();
            if let Some(name) = fault.name {
                writer.start_prefixed(prefix, "Subcode");
                writer.start_prefixed(prefix, "Value");
                write_name(writer, name);
                writer.end();
                writer.end();
            }
            writer.end();
            writer.start_prefixed(prefix, "Reason");
            writer.start_prefixed(prefix, "Text");
            writer.attribute("xml:lang", fault.language.unwrap_or("en"));
            writer.text(fault.reason);
            writer.end();
            writer.end();
            optional(writer, prefix, "Detail", detail);
        }
    }
    writer.end();
}

fn write_name(writer: &mut Writer, name: FaultName<'_>) {
    writer.namespace(name.prefix, name.namespace);
    writer.display_text(format_args!("{}:{}", name.prefix, name.local));
}

fn declare(writer: &mut Writer, namespaces: &[(&str, &str)]) {
    for (prefix, namespace) in namespaces {
        writer.namespace(prefix, namespace);
    }
}

/// Writes an element only where there is something inside.
fn optional(writer: &mut Writer, prefix: &str, local: &str, content: impl FnOnce(&mut Writer)) {
    // The start tag around must be closed first, since it stays when this element is taken back.
    writer.close_tag();
    let start_len = writer.len();
    writer.start_prefixed(prefix, local);
    content(writer);
    writer.end_or_retract(start_len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    const EWS: EnvelopeStyle = EnvelopeStyle {
        prefix: "s",
        envelope_namespaces: &[],
        body_namespaces: &[("xsi", XML_SCHEMA_INSTANCE), ("xsd", XML_SCHEMA)],
    };
    const SHAREPOINT: EnvelopeStyle = EnvelopeStyle {
        prefix: "soap",
        envelope_namespaces: &[("xsi", XML_SCHEMA_INSTANCE), ("xsd", XML_SCHEMA)],
        body_namespaces: &[],
    };

    fn written(write: impl FnOnce(&mut Writer)) -> String {
        let mut writer = Writer::new();
        write(&mut writer);
        String::from_utf8(writer.into_bytes()).unwrap()
    }

    #[test]
    fn envelopes_are_written_in_each_style() {
        let ews = written(|writer| {
            begin_envelope(writer, SoapVersion::V11, &EWS, |writer| writer.empty("h:ServerVersionInfo"));
            writer.empty("m:X");
            end_envelope(writer);
        });
        assert_eq!(
            ews,
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Header><h:ServerVersionInfo/>\
             </s:Header><s:Body xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"><m:X/></s:Body></s:Envelope>"
        );
        let sharepoint = written(|writer| {
            begin_envelope(writer, SoapVersion::V12, &SHAREPOINT, |_| {});
            end_envelope(writer);
        });
        assert_eq!(
            sharepoint,
            "<soap:Envelope xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\">\
             <soap:Body/></soap:Envelope>"
        );
    }

    #[test]
    fn envelopes_are_read_in_each_version() {
        for version in [SoapVersion::V11, SoapVersion::V12] {
            let xml = written(|writer| {
                begin_envelope(writer, version, &EWS, |writer| writer.empty("H"));
                writer.empty("First");
                writer.empty("Second");
                end_envelope(writer);
            });
            let document = Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap();
            let envelope = Envelope::read(&document).unwrap();
            assert_eq!(envelope.version, version);
            assert!(envelope.header.unwrap().child_local("H").is_some());
            assert_eq!(envelope.body.unwrap().local(), "First");
        }
        let bare = format!("<Envelope xmlns='{ENVELOPE_11}'><Body> </Body></Envelope>");
        let document = Document::parse(bare.as_bytes(), &Limits::DEFAULT).unwrap();
        let envelope = Envelope::read(&document).unwrap();
        assert_eq!((envelope.header, envelope.body), (None, None));
    }

    #[test]
    fn what_is_no_envelope_is_refused() {
        let read = |xml: &str| {
            let document = Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap();
            Envelope::read(&document).err()
        };
        let version = |namespace: &str| Some(SoapError::Version { namespace: namespace.to_owned() });
        assert_eq!(read("<Envelope/>"), version(""));
        assert_eq!(read("<Envelope xmlns='u'><Body/></Envelope>"), version("u"));
        for (inside, words) in [
            ("", "no body"),
            ("<Body xmlns=''/>", "no body"),
            ("<Body/><Body/>", "second soap body"),
            ("<Header/><Header/><Body/>", "soap header"),
            ("<Body/><Header/>", "soap header"),
        ] {
            let error = read(&format!("<Envelope xmlns='{ENVELOPE_12}'>{inside}</Envelope>")).unwrap();
            assert!(error.to_string().contains(words), "{inside}: {error}");
        }
        assert!(matches!(read("<a/>"), Some(SoapError::Malformed { line: 1, column: 1, .. })));
    }

    #[test]
    fn faults_are_written_in_each_version() {
        let name = FaultName { prefix: "a", namespace: "u", local: "ErrorX" };
        let plain = Fault { code: FaultCode::Receiver, name: None, reason: "a < b", language: None };
        let named = Fault { code: FaultCode::Sender, name: Some(name), language: Some("en-US"), ..plain };
        for (version, given, with_detail, expected) in [
            (
                SoapVersion::V11,
                plain,
                false,
                "<p:Fault><faultcode>p:Server</faultcode><faultstring>a &lt; b</faultstring></p:Fault>",
            ),
            (
                SoapVersion::V11,
                named,
                true,
                "<p:Fault><faultcode xmlns:a=\"u\">a:ErrorX</faultcode><faultstring xml:lang=\"en-US\">a &lt; b\
                 </faultstring><detail><d/></detail></p:Fault>",
            ),
            (
                SoapVersion::V12,
                plain,
                false,
                "<p:Fault><p:Code><p:Value>p:Receiver</p:Value></p:Code><p:Reason><p:Text xml:lang=\"en\">a &lt; b\
                 </p:Text></p:Reason></p:Fault>",
            ),
            (
                SoapVersion::V12,
                named,
                true,
                "<p:Fault><p:Code><p:Value>p:Sender</p:Value><p:Subcode><p:Value xmlns:a=\"u\">a:ErrorX</p:Value>\
                 </p:Subcode></p:Code><p:Reason><p:Text xml:lang=\"en-US\">a &lt; b</p:Text></p:Reason><p:Detail><d/>\
                 </p:Detail></p:Fault>",
            ),
        ] {
            let xml = written(|writer| {
                fault(writer, version, "p", &given, |writer| {
                    if with_detail {
                        writer.empty("d");
                    }
                });
            });
            assert_eq!(xml, expected);
        }
    }
}
