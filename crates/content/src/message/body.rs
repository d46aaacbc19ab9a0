//! The parts of a message to bodies, attachments and the message class.

use std::collections::HashSet;

use bytes::Bytes;
use model::{Attachment, AttachmentContent, Bag, ItemContent, Value, limits, tags};

use super::{Import, read as read_message};
use crate::{calendar, html, part::Part, text};

/// Characters of the preview, \[MS-OXPROPS\] PidTagPreview.
const PREVIEW_CHARS_MAX: usize = 255;
/// Characters of body text from which the preview is made.
const PREVIEW_SOURCE_CHARS_MAX: usize = 16_384;
/// References to content ids in one HTML body.
const REFERENCES_MAX: usize = 10_000;
/// Bytes of a content id whose end is not marked.
const ID_BYTES_MAX: usize = 255;
/// Bytes of an HTML body in which content locations are looked for.
const SEARCHED_BYTES_MAX: usize = 256 << 10;
/// The bit of PidTagMessageFlags for attachments.
const FLAG_HAS_ATTACHMENTS: i32 = 0x10;
/// The bit of PidTagAttachFlags for content that the HTML body shows.
const RENDERED_IN_BODY: i32 = 4;
/// UTF-8, in which HTML is kept.
const UTF_8: i32 = 65_001;

/// Fills `item` from the parts of a message; messages may lie inside it up to `depth` times.
pub(super) fn read(root: &Part, context: &Import, depth: usize, item: &mut ItemContent) {
    let mut found = Found::default();
    found.walk(root, Place::default());
    item.bag.set(tags::MESSAGE_CLASS, Value::text(message_class(root)));
    bodies(&found, &mut item.bag);
    let references = References::read(found.html.as_deref());
    for leaf in found.leaves.iter().take(limits::ATTACHMENTS_MAX) {
        let number = item.attachments.len();
        let attachment = attachment(leaf, &references, context, depth, number);
        item.attachments.push(attachment);
    }
    if let Some(calendar) = &found.calendar {
        calendar::apply(calendar, item);
    }
    let shown = item.attachments.iter().any(|one| one.bag.get(&tags::ATTACHMENT_HIDDEN) != Some(&Value::Bool(true)));
    item.bag.set(tags::HAS_ATTACHMENTS, Value::Bool(shown));
    item.bag.set(tags::MESSAGE_FLAGS, Value::I32(if shown { FLAG_HAS_ATTACHMENTS } else { 0 }));
    preview(&mut item.bag);
}

/// Where a part stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Beside others of which the reader picks one.
    alternative: bool,
    /// Beside a body that refers to it.
    related: bool,
    /// Bodies are taken already.
    closed: bool,
}

/// What a walk over the parts found.
#[derive(Default)]
struct Found<'p> {
    text: Option<String>,
    html: Option<String>,
    calendar: Option<String>,
    leaves: Vec<Leaf<'p>>,
}

/// A part that becomes an attachment.
struct Leaf<'p> {
    part: &'p Part,
    related: bool,
    signature: bool,
}

impl<'p> Found<'p> {
    fn walk(&mut self, part: &'p Part, place: Place) {
        let [first, rest @ ..] = part.parts.as_slice() else {
            return self.leaf(part, place);
        };
        match part.subtype.as_str() {
            "alternative" => {
                let closed = place.closed || self.text.is_some() || self.html.is_some();
                part.parts.iter().for_each(|part| self.walk(part, Place { alternative: true, closed, ..place }));
            }
            "related" => {
                let start = part.parameter("start").map(identifier);
                let is_root = |part: &Part| start.is_some() && content_id(part).as_deref() == start;
                let root = part.parts.iter().find(|part| is_root(part)).unwrap_or(first);
                self.walk(root, place);
                for part in part.parts.iter().filter(|part| !std::ptr::eq(*part, root)) {
                    self.walk(part, Place { related: true, closed: true, ..place });
                }
            }
            "signed" => {
                self.walk(first, place);
                self.leaves.extend(rest.iter().map(|part| Leaf {
                    part,
                    related: false,
                    signature: part.subtype.ends_with("pkcs7-signature"),
                }));
            }
            _ => part.parts.iter().for_each(|part| self.walk(part, place)),
        }
    }

    fn leaf(&mut self, part: &'p Part, place: Place) {
        let attached = part.disposition().is_some_and(|disposition| disposition == "attachment");
        let named = part.file_name().is_some();
        let bodiless = self.text.is_none() && self.html.is_none();
        let open = !attached && !place.closed && (place.alternative || (bodiless && !named));
        let is_text = part.kind == "text";
        if is_text && part.subtype == "calendar" {
            if self.take_calendar(part) && !attached {
                return;
            }
        } else if is_text && part.subtype == "html" {
            if open && self.html.is_none() {
                self.html = Some(part.text());
                return;
            }
        } else if open && self.text.is_none() {
            // Unknown kinds of text are shown, and so is a multipart that could not be divided.
            let shown = is_text && (part.subtype == "plain" || !place.alternative);
            if shown || part.kind == "multipart" {
                self.text = Some(plain_text(part));
                return;
            }
        }
        self.leaves.push(Leaf { part, related: place.related, signature: false });
    }

    /// Takes the first calendar that makes the message a meeting message.
    fn take_calendar(&mut self, part: &Part) -> bool {
        if self.calendar.is_some() {
            return false;
        }
        let calendar = part.text();
        let meeting = calendar::message_class(&calendar).is_some();
        if meeting {
            self.calendar = Some(calendar);
        }
        meeting
    }
}

fn plain_text(part: &Part) -> String {
    let flowed = part.parameter("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed"));
    let delete_space = part.parameter("delsp").is_some_and(|value| value.eq_ignore_ascii_case("yes"));
    let content = text::with_crlf(&part.text());
    if flowed { text::unflow(&content, delete_space) } else { content }
}

fn message_class(root: &Part) -> &'static str {
    let parameter = |name| root.parameter(name).unwrap_or_default().to_ascii_lowercase();
    match (root.kind.as_str(), root.subtype.as_str()) {
        ("application", "pkcs7-mime" | "x-pkcs7-mime") => "IPM.Note.SMIME",
        ("multipart", "signed") => "IPM.Note.SMIME.MultipartSigned",
        ("multipart", "report") => match parameter("report-type").as_str() {
            "delivery-status" if delivered(root) => "REPORT.IPM.Note.DR",
            "delivery-status" => "REPORT.IPM.Note.NDR",
            "disposition-notification" => "REPORT.IPM.Note.IPNRN",
            _ => "IPM.Note",
        },
        _ => "IPM.Note",
    }
}

/// Whether a delivery report speaks of success only.
fn delivered(root: &Part) -> bool {
    let Some(status) = root.parts.iter().find(|part| part.is("message", "delivery-status")) else {
        return false;
    };
    let text = status.text().to_ascii_lowercase();
    let mut actions = text.lines().filter_map(|line| line.strip_prefix("action:")).map(str::trim).peekable();
    actions.peek().is_some() && actions.all(|action| ["delivered", "relayed", "expanded"].contains(&action))
}

fn bodies(found: &Found<'_>, bag: &mut Bag) {
    bag.put(tags::BODY, found.text.clone().map(Value::Text));
    if let Some(html) = &found.html {
        bag.set(tags::HTML, Value::binary(html.clone().into_bytes()));
    }
    bag.set(tags::INTERNET_CODEPAGE, Value::I32(UTF_8));
    let native = if found.html.is_some() { 3 } else { 1 };
    bag.set(tags::NATIVE_BODY, Value::I32(native));
}

/// Sets the preview from the text, or from the HTML where there is no text.
fn preview(bag: &mut Bag) {
    let text = match (bag.text(&tags::BODY), bag.get(&tags::HTML).and_then(Value::as_binary)) {
        (Some(text), _) => text.chars().take(PREVIEW_SOURCE_CHARS_MAX).collect(),
        (None, Some(html)) => html::to_text(&String::from_utf8_lossy(html)),
        (None, None) => String::new(),
    };
    let mut preview = String::new();
    for word in text.split_whitespace() {
        if !preview.is_empty() {
            preview.push(' ');
        }
        preview.push_str(word);
        if preview.len() > 4 * PREVIEW_CHARS_MAX {
            break;
        }
    }
    let preview: String = preview.chars().take(PREVIEW_CHARS_MAX).collect();
    bag.set(tags::PREVIEW, Value::Text(preview));
}

fn attachment(
    leaf: &Leaf<'_>,
    references: &References<'_>,
    context: &Import,
    depth: usize,
    number: usize,
) -> Attachment {
    let part = leaf.part;
    let content = part.content();
    let size = i32::try_from(content.len()).unwrap_or(i32::MAX);
    let embedded = depth > 0 && part.kind == "message" && ["rfc822", "global"].contains(&part.subtype.as_str());
    let content = if embedded { embed(content, context, depth) } else { AttachmentContent::File(content) };
    let mut bag = Bag::new();
    let name = part.file_name().unwrap_or_else(|| match &content {
        AttachmentContent::Item(item) => item.bag.text(&tags::SUBJECT).unwrap_or_default().to_owned(),
        AttachmentContent::File(_) | AttachmentContent::Spooled(_) | AttachmentContent::None => {
            format!("ATT{:05}.{}", number + 1, extension_of(&part.kind, &part.subtype))
        }
    });
    bag.set(tags::ATTACH_NUMBER, Value::I32(number as i32));
    bag.set(tags::ATTACH_METHOD, Value::I32(if embedded { 5 } else { 1 }));
    bag.set(tags::ATTACH_SIZE, Value::I32(size));
    bag.set(tags::RENDERING_POSITION, Value::I32(-1));
    bag.set(tags::ATTACH_MIME_TAG, Value::Text(part.media_type()));
    bag.set(tags::CREATION_TIME, Value::Time(context.now));
    bag.set(tags::LAST_MODIFICATION_TIME, Value::Time(context.now));
    if !embedded {
        bag.set(tags::ATTACH_LONG_FILENAME, Value::text(&name));
        bag.set(tags::ATTACH_FILENAME, Value::text(&name));
        let extension = name.rsplit_once('.').map(|(_, extension)| Value::Text(format!(".{extension}")));
        bag.put(tags::ATTACH_EXTENSION, extension);
    }
    bag.set(tags::DISPLAY_NAME, Value::Text(name));
    let id = content_id(part);
    let location = part.headers.text("Content-Location").filter(|location| !location.is_empty());
    let inline = is_inline(leaf, references, id.as_deref(), location.as_deref());
    bag.put(tags::ATTACH_CONTENT_ID, id.map(Value::Text));
    bag.put(tags::ATTACH_CONTENT_LOCATION, location.map(Value::Text));
    bag.set(tags::ATTACH_FLAGS, Value::I32(if inline { RENDERED_IN_BODY } else { 0 }));
    bag.set(tags::ATTACHMENT_HIDDEN, Value::Bool(inline || leaf.signature));
    Attachment { bag, content }
}

fn embed(content: Bytes, context: &Import, depth: usize) -> AttachmentContent {
    let context = Import { received: None, ..*context };
    AttachmentContent::Item(Box::new(read_message(content, &context, depth - 1)))
}

/// Whether the HTML body shows the part, so that it is not listed beside it.
fn is_inline(leaf: &Leaf<'_>, references: &References<'_>, id: Option<&str>, location: Option<&str>) -> bool {
    let Some(html) = references.html else {
        return false;
    };
    let referred = id.is_some_and(|id| references.ids.contains(id))
        || location.is_some_and(|location| leaf.related && html.contains(location));
    let attached = leaf.part.disposition().is_some_and(|disposition| disposition == "attachment");
    referred || (leaf.related && id.is_some() && !attached && leaf.part.kind == "image")
}

/// What the HTML body refers to.
#[derive(Default)]
struct References<'h> {
    /// The document, or its start if it is long.
    html: Option<&'h str>,
    /// The content ids behind `cid:`.
    ids: HashSet<String>,
}

impl<'h> References<'h> {
    fn read(html: Option<&'h str>) -> Self {
        let Some(html) = html else {
            return Self::default();
        };
        let ids = html.split("cid:").skip(1).take(REFERENCES_MAX).map(|rest| {
            let end = rest.find(['"', '\'', '>', ')', ' ', '\r', '\n', '<']).unwrap_or(rest.len().min(ID_BYTES_MAX));
            percent_decoded(rest.get(..end).unwrap_or_default())
        });
        Self { html: html.get(..html.floor_char_boundary(SEARCHED_BYTES_MAX)), ids: ids.collect() }
    }
}

fn percent_decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let code = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        match code {
            Some(code) => {
                out.push(code.into());
                out.push_str(piece.get(2..).unwrap_or_default());
            }
            None => {
                out.push('%');
                out.push_str(piece);
            }
        }
    }
    out
}

fn content_id(part: &Part) -> Option<String> {
    let raw = part.headers.raw("Content-ID")?;
    let id = identifier(&raw);
    (!id.is_empty()).then(|| id.to_owned())
}

/// An identifier without its angle brackets.
fn identifier(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix('<').unwrap_or(text);
    text.strip_suffix('>').unwrap_or(text).trim()
}

/// The extension of a part without a name.
fn extension_of(kind: &str, subtype: &str) -> &'static str {
    match (kind, subtype) {
        ("text", "plain" | "rfc822-headers") | ("message", "delivery-status") => "txt",
        ("text", "html") => "htm",
        ("text", "calendar") => "ics",
        ("text", "vcard" | "x-vcard") => "vcf",
        ("text", "csv") => "csv",
        ("image", "jpeg" | "jpg") => "jpg",
        ("image", "png") => "png",
        ("image", "gif") => "gif",
        ("application", "pdf") => "pdf",
        ("application", "pkcs7-mime" | "x-pkcs7-mime") => "p7m",
        ("application", "pkcs7-signature" | "x-pkcs7-signature") => "p7s",
        ("message", "rfc822" | "global") => "eml",
        ("text", _) => "txt",
        _ => "dat",
    }
}
