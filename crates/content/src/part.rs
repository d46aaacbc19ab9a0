//! The tree of MIME parts of one message. Embedded messages are leaves here; who wants them reads them in turn.

use bytes::Bytes;
use model::limits;

use crate::{charset, headers::Headers, transfer};

/// Multiparts inside one another.
const NESTING_MAX: usize = 32;
/// Parts of one message.
const PARTS_MAX: usize = 2 * limits::ATTACHMENTS_MAX;

/// A part: its headers, and either a body or the parts inside it.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) headers: Headers,
    /// The media type in lower case, `text` where the message has none.
    pub(crate) kind: String,
    /// The media subtype in lower case.
    pub(crate) subtype: String,
    /// The parts of a multipart, in their order; empty for all others and for multiparts that could not be divided.
    pub(crate) parts: Vec<Part>,
    body: Bytes,
}

impl Part {
    /// Reads a whole message. Shares its bytes.
    pub(crate) fn read(message: &Bytes) -> Self {
        let start = message_start(message);
        let mut budget = PARTS_MAX;
        Self::read_part(message.slice(start..), ("text", "plain"), NESTING_MAX, &mut budget)
    }

    fn read_part(raw: Bytes, default: (&str, &str), depth: usize, budget: &mut usize) -> Self {
        let (head_end, body_start) = split_head(&raw);
        let headers = Headers::read(raw.get(..head_end).unwrap_or_default());
        let body = raw.slice(body_start..);
        let (kind, subtype) = match headers.structured("Content-Type") {
            Some(content_type) => (
                content_type.ctype().trim().to_ascii_lowercase(),
                content_type.subtype().unwrap_or_default().trim().to_ascii_lowercase(),
            ),
            None => (default.0.to_owned(), default.1.to_owned()),
        };
        let subtype = if kind == "text" && subtype.is_empty() { "plain".to_owned() } else { subtype };
        let mut part = Self { headers, kind, subtype, parts: Vec::new(), body };
        if part.kind == "multipart" && depth > 0 {
            let default = if part.subtype == "digest" { ("message", "rfc822") } else { ("text", "plain") };
            for piece in part.pieces() {
                if *budget == 0 {
                    break;
                }
                *budget -= 1;
                part.parts.push(Self::read_part(piece, default, depth - 1, budget));
            }
        }
        part
    }

    /// Whether the media type is `kind/subtype`.
    pub(crate) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind == kind && self.subtype == subtype
    }

    /// The media type as `kind/subtype`.
    pub(crate) fn media_type(&self) -> String {
        let known = !self.kind.is_empty() && !self.subtype.is_empty();
        if known { format!("{}/{}", self.kind, self.subtype) } else { "application/octet-stream".to_owned() }
    }

    /// A parameter of Content-Type, decoded (RFC 2231).
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.headers.structured("Content-Type")?.attribute(name)
    }

    /// The disposition in lower case.
    pub(crate) fn disposition(&self) -> Option<String> {
        Some(self.headers.structured("Content-Disposition")?.ctype().trim().to_ascii_lowercase())
    }

    /// The file name, decoded, without a path.
    pub(crate) fn file_name(&self) -> Option<String> {
        let disposition = self.headers.structured("Content-Disposition");
        let name = disposition.and_then(|field| field.attribute("filename")).or_else(|| self.parameter("name"))?;
        // Many senders put encoded words where RFC 2231 belongs.
        let name = crate::headers::decoded(name).unwrap_or_else(|| name.to_owned());
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default().trim();
        (!name.is_empty()).then(|| name.to_owned())
    }

    /// The content with its transfer encoding undone; shared where there was none.
    pub(crate) fn content(&self) -> Bytes {
        let encoding = self.headers.raw("Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
        match encoding.as_str() {
            "base64" => transfer::decode_base64(&self.body).into(),
            "quoted-printable" => transfer::decode_quoted_printable(&self.body).into(),
            _ => self.body.clone(),
        }
    }

    /// The content as text.
    pub(crate) fn text(&self) -> String {
        let label = self.parameter("charset");
        let content = self.content();
        if self.subtype == "html" { charset::decode_html(&content, label) } else { charset::decode(&content, label) }
    }

    /// The content between the delimiters of a multipart; none where there is no delimiter.
    fn pieces(&self) -> Vec<Bytes> {
        let boundary = self.parameter("boundary").map(str::trim_end).unwrap_or_default();
        if boundary.is_empty() {
            return Vec::new();
        }
        let needle = format!("--{boundary}");
        let mut pieces = Vec::new();
        let mut start = None;
        for at in memchr::memmem::find_iter(&self.body, needle.as_bytes()) {
            let before = self.body.get(..at).unwrap_or_default();
            let rest = self.body.get(at + needle.len()..).unwrap_or_default();
            let line_end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let line = rest.get(..line_end).unwrap_or_default();
            let closes = line.starts_with(b"--");
            if !(before.is_empty() || before.ends_with(b"\n")) || !(closes || line.trim_ascii().is_empty()) {
                continue;
            }
            if let Some(start) = start {
                let end = before.strip_suffix(b"\n").unwrap_or(before);
                let end = end.strip_suffix(b"\r").unwrap_or(end).len();
                pieces.push(self.body.slice(start..end.max(start)));
            }
            if closes || pieces.len() >= PARTS_MAX {
                return pieces;
            }
            start = Some(at + needle.len() + line_end);
        }
        if let Some(start) = start {
            pieces.push(self.body.slice(start.min(self.body.len())..));
        }
        pieces
    }
}

/// Where a message starts: after the separator line of a mailbox file, and after empty lines before the headers.
fn message_start(message: &[u8]) -> usize {
    let mut rest = message;
    while let Some(tail) = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")) {
        rest = tail;
    }
    if rest.starts_with(b"From ") || rest.starts_with(b">From ") {
        rest = rest.get(line_length(rest)..).unwrap_or_default();
    }
    if is_field(rest.get(..line_length(rest)).unwrap_or_default()) { message.len() - rest.len() } else { 0 }
}

/// The ends of the header block and of the line that divides it from the body. A line that is no header field ends the
/// block, too, and starts the body.
fn split_head(raw: &[u8]) -> (usize, usize) {
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or_default();
        if line == b"\n" || line == b"\r\n" {
            return (at, at + length);
        }
        let continues = at > 0 && line.starts_with(b" ") || line.starts_with(b"\t");
        if !continues && !is_field(line) {
            return (at, at);
        }
        at += length;
    }
    (at, at)
}

fn line_length(bytes: &[u8]) -> usize {
    memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)
}

/// Whether a line opens a header field: printable characters without spaces, then a colon.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = memchr::memchr(b':', line) else {
        return false;
    };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Part {
        Part::read(&Bytes::from(text.replace('\n', "\r\n")))
    }

    #[test]
    fn tree() {
        let part = read(
            "Content-Type: multipart/mixed; boundary=\"a b\"\n\npreamble\n--a b\n\none\n--a b  \nContent-Type: \
             multipart/alternative; boundary=c\n\n--c\nContent-Type: text/html\n\n<p>\n--c-not\n--c\n\ntwo\n--a b--\nepilogue",
        );
        assert_eq!(part.parts.len(), 2);
        assert_eq!(part.parts[0].content(), "one");
        assert_eq!(part.parts[1].parts.len(), 2);
        assert_eq!(part.parts[1].parts[0].content(), "<p>\r\n--c-not");
        assert_eq!(part.parts[1].parts[1].content(), "two");
    }

    #[test]
    fn heads() {
        let cases = [
            ("no header here\nbody", "no header here\r\nbody", false),
            ("Subject: a\nno separator\n", "no separator\r\n", true),
            ("\n\nSubject: a\n\nbody", "body", true),
            ("From x@example.com Thu\nSubject: a\n\nbody", "body", true),
            ("Subject: a", "", true),
            ("", "", false),
            ("\nbody: x y\n", "", false),
        ];
        for (text, body, subject) in cases {
            let part = read(text);
            assert_eq!((part.content(), part.headers.has("Subject")), (Bytes::from(body), subject), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let level = |n| format!("Content-Type: multipart/mixed; boundary=x{n}x\n\n--x{n}x\n");
        let mut part = &read(&(0..5_000).map(level).collect::<String>());
        let mut depth = 0;
        while let Some(inner) = part.parts.first() {
            part = inner;
            depth += 1;
        }
        assert_eq!(depth, NESTING_MAX);
    }
}
