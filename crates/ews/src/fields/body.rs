//! Bodies, headers and the message in RFC 5322.

use content::rtf;
use model::{PropertyKey, Value, limits, tags};
use xml::{Node, Writer};

use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::shape::BodyKind;
use crate::{Failure, ResponseCode};

/// Writes the body in the form asked for.
pub(crate) fn write_body(out: &mut Writer, element: &'static str, item: &Item<'_>, rendering: &Rendering<'_>) {
    write(out, element, item, rendering, rendering.body);
}

/// Writes the body as text, whatever form was asked for.
pub(crate) fn write_text_body(out: &mut Writer, element: &'static str, item: &Item<'_>, rendering: &Rendering<'_>) {
    write(out, element, item, rendering, BodyKind::Text);
}

fn write(out: &mut Writer, element: &'static str, item: &Item<'_>, rendering: &Rendering<'_>, kind: BodyKind) {
    let html = item.value(&tags::HTML).and_then(|value| {
        value.as_binary().map(|bytes| content::html::decode(bytes, item.number(&tags::INTERNET_CODEPAGE)))
    });
    let text = item.text(&tags::BODY);
    let (html, text) = if html.is_none() && (text.is_none() || kind != BodyKind::Text) {
        match item.value(&tags::RTF_COMPRESSED).as_ref().and_then(Value::as_binary).and_then(|rtf| rtf::read(rtf)) {
            Some(rtf::Body::Html(html)) => (Some(html), text),
            Some(rtf::Body::Text(words)) => (None, text.or(Some(words))),
            None => (None, text),
        }
    } else {
        (html, text)
    };
    let (name, body) = match (kind, html, text) {
        (BodyKind::Html | BodyKind::Best, Some(html), _) => ("HTML", html),
        (BodyKind::Html, None, Some(text)) => ("HTML", content::text::to_html(&text)),
        (BodyKind::Best | BodyKind::Text, None, text) => ("Text", text.unwrap_or_default()),
        (BodyKind::Html, None, None) => ("HTML", String::new()),
        (BodyKind::Text, Some(_), Some(text)) => ("Text", text),
        (BodyKind::Text, Some(html), None) => ("Text", content::html::to_text(&html)),
    };
    let body = if name == "HTML" && rendering.filter_html { content::html::strip_active(&body) } else { body };
    let end = rendering.body_chars_max.and_then(|max| body.char_indices().nth(max)).map(|(end, _)| end);
    out.start(element);
    out.attribute("BodyType", name);
    if rendering.header.version >= crate::Version::V2013 {
        out.attribute("IsTruncated", if end.is_some() { "true" } else { "false" });
    }
    out.text(end.and_then(|end| body.get(..end)).unwrap_or(&body));
    out.end();
}

/// The text of a body, whatever form it is stored in: what searches look through.
pub(crate) fn text_of(stored: &dyn Fn(&PropertyKey) -> Option<Value>) -> Option<String> {
    if let Some(Value::Text(text)) = stored(&tags::BODY) {
        return Some(text);
    }
    let codepage = stored(&tags::INTERNET_CODEPAGE).and_then(|value| value.as_i64());
    let bytes = |key: &PropertyKey| stored(key).and_then(|value| value.as_binary().map(|bytes| bytes.to_vec()));
    if let Some(html) = bytes(&tags::HTML) {
        return Some(content::html::to_text(&content::html::decode(&html, codepage)));
    }
    match rtf::read(&bytes(&tags::RTF_COMPRESSED)?)? {
        rtf::Body::Html(html) => Some(content::html::to_text(&html)),
        rtf::Body::Text(text) => Some(text),
    }
}

/// Reads a body.
pub(crate) fn read_body(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let html = match node.attribute("BodyType") {
        Some("HTML") => true,
        Some("Text") => false,
        Some(_) | None => return Err(Failure::field(ResponseCode::ErrorInvalidValueForProperty, "item:Body")),
    };
    let text = node.text();
    if text.len() > limits::PART_BYTES_MAX {
        return Err(Failure::new(ResponseCode::ErrorMessageSizeExceeded));
    }
    Ok(vec![Step::Body { html, text: text.into_owned(), append: false }])
}

/// Writes the message in RFC 5322.
pub(crate) fn write_mime(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    if let Some(mime) = &item.mime {
        out.start(element);
        out.attribute("CharacterSet", "UTF-8");
        out.base64_shared(mime.clone());
        out.end();
    }
}

/// Header fields of one item that are written.
const HEADERS_MAX: usize = 1_000;

/// Name and value of each header field, unfolded.
fn headers(block: &str) -> Vec<(&str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in block.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            if fields.len() == HEADERS_MAX {
                break;
            }
            fields.push((name.trim(), value.trim().to_owned()));
        }
    }
    fields
}

/// Writes each header field, or those asked for by name; nothing where the message has none.
pub(crate) fn write_headers(out: &mut Writer, element: &'static str, item: &Item<'_>, rendering: &Rendering<'_>) {
    let names = rendering.header_names;
    let block = item.value(&tags::TRANSPORT_MESSAGE_HEADERS);
    let block = block.as_ref().and_then(Value::as_text).unwrap_or_default();
    let mut fields = headers(block);
    fields.retain(|(name, _)| names.is_empty() || names.iter().any(|want| want.eq_ignore_ascii_case(name)));
    if fields.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for (name, value) in fields {
            out.start("t:InternetMessageHeader");
            out.attribute("HeaderName", name);
            out.text(&value);
            out.end();
        }
    });
}
