//! Descriptions of the SOAP services, written from the table of operations. They import no other schema, since some
//! clients would go and fetch it.

use xml::Writer;

use crate::{
    ops::{OPERATIONS, Operation, Type},
    soap::NAMESPACE,
};

/// The description of a page (`Lists.asmx`) that answers at `url`.
pub(crate) fn describe(service: &str, url: &str) -> Vec<u8> {
    let name = service.strip_suffix(".asmx").unwrap_or(service);
    let operations: Vec<&Operation> = OPERATIONS.iter().filter(|operation| operation.service == service).collect();
    let mut w = Writer::with_capacity(16_384);
    w.declaration();
    w.start("wsdl:definitions");
    for (prefix, namespace) in [
        ("wsdl", "http://schemas.xmlsoap.org/wsdl/"),
        ("soap", "http://schemas.xmlsoap.org/wsdl/soap/"),
        ("soap12", "http://schemas.xmlsoap.org/wsdl/soap12/"),
        ("s", xml::soap::XML_SCHEMA),
        ("tns", NAMESPACE),
    ] {
        w.namespace(prefix, namespace);
    }
    w.attribute("targetNamespace", NAMESPACE);
    w.start("wsdl:types");
    w.start("s:schema");
    w.attribute("elementFormDefault", "qualified");
    w.attribute("targetNamespace", NAMESPACE);
    for operation in &operations {
        sequence(&mut w, operation.name, operation.parameters);
        let result = format!("{}Result", operation.name);
        let results = [(result.as_str(), operation.result)];
        let results = if operation.result == Type::Nothing { &[][..] } else { &results[..] };
        sequence(&mut w, &format!("{}Response", operation.name), results);
    }
    w.end();
    w.end();
    for operation in &operations {
        for (suffix, element) in [("In", operation.name.to_owned()), ("Out", format!("{}Response", operation.name))] {
            w.start("wsdl:message");
            w.attribute_display("name", format_args!("{}Soap{suffix}", operation.name));
            w.start("wsdl:part");
            w.attribute("name", "parameters");
            w.attribute_display("element", format_args!("tns:{element}"));
            w.end();
            w.end();
        }
    }
    w.start("wsdl:portType");
    w.attribute_display("name", format_args!("{name}Soap"));
    for operation in &operations {
        w.start("wsdl:operation");
        w.attribute("name", operation.name);
        for (element, suffix) in [("wsdl:input", "In"), ("wsdl:output", "Out")] {
            w.start(element);
            w.attribute_display("message", format_args!("tns:{}Soap{suffix}", operation.name));
            w.end();
        }
        w.end();
    }
    w.end();
    for (prefix, suffix) in [("soap", ""), ("soap12", "12")] {
        w.start("wsdl:binding");
        w.attribute_display("name", format_args!("{name}Soap{suffix}"));
        w.attribute_display("type", format_args!("tns:{name}Soap"));
        w.start_prefixed(prefix, "binding");
        w.attribute("transport", "http://schemas.xmlsoap.org/soap/http");
        w.end();
        for operation in &operations {
            w.start("wsdl:operation");
            w.attribute("name", operation.name);
            w.start_prefixed(prefix, "operation");
            w.attribute_display("soapAction", format_args!("{NAMESPACE}{}", operation.name));
            w.attribute("style", "document");
            w.end();
            for direction in ["wsdl:input", "wsdl:output"] {
                w.start(direction);
                w.start_prefixed(prefix, "body");
                w.attribute("use", "literal");
                w.end();
                w.end();
            }
            w.end();
        }
        w.end();
    }
    w.start("wsdl:service");
    w.attribute("name", name);
    for (prefix, suffix) in [("soap", ""), ("soap12", "12")] {
        w.start("wsdl:port");
        w.attribute_display("name", format_args!("{name}Soap{suffix}"));
        w.attribute_display("binding", format_args!("tns:{name}Soap{suffix}"));
        w.start_prefixed(prefix, "address");
        w.attribute("location", url);
        w.end();
        w.end();
    }
    w.end();
    w.end();
    w.into_bytes()
}

/// An element that holds others in order, each at most once.
fn sequence(w: &mut Writer, name: &str, parts: &[(&str, Type)]) {
    w.start("s:element");
    w.attribute("name", name);
    w.start("s:complexType");
    if !parts.is_empty() {
        w.start("s:sequence");
        for (name, kind) in parts {
            w.start("s:element");
            w.attribute("minOccurs", "0");
            w.attribute("maxOccurs", "1");
            w.attribute("name", name);
            if *kind == Type::Text {
                w.attribute("type", "s:string");
            } else if *kind == Type::Base64 {
                w.attribute("type", "s:base64Binary");
            } else {
                w.start("s:complexType");
                w.attribute("mixed", "true");
                w.start("s:sequence");
                w.start("s:any");
                w.attribute("minOccurs", "0");
                w.attribute("maxOccurs", "unbounded");
                w.attribute("processContents", "lax");
                w.end();
                w.end();
                w.end();
            }
            w.end();
        }
        w.end();
    }
    w.end();
    w.end();
}
