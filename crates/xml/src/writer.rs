//! The writer of answers: front to back, into one buffer that may be drained on the way.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write as _};

use base64_simd::STANDARD;
use bytes::Bytes;

use crate::escape::{Place, escape};

/// Room that the buffer gets at once after it was taken.
const RETAKE_CAPACITY_BYTES_MAX: usize = 64 << 10;
/// Bytes from which on those that are shared are encoded only when they are taken.
const SHARED_BYTES_MIN: usize = 64 << 10;

/// Writes well-formed XML front to back into a buffer.
///
/// Names and [`raw`](Self::raw) markup are trusted; text and attribute values are escaped, and characters that XML 1.0
/// cannot carry (most control characters, U+FFFE, U+FFFF) are left out. Elements that stay open when the buffer is
/// taken are the caller's fault and are not closed.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
    /// Names of the open elements, one after the other.
    names: Vec<u8>,
    /// Where in `names` the name of each open element starts.
    open: Vec<usize>,
    /// Bytes that are still to be encoded, each with the place in the buffer before which they stand.
    shared: VecDeque<(usize, Bytes)>,
    /// Whether `<name` stands at the end of the buffer, without its `>`.
    tag_open: bool,
}

impl Writer {
    /// A writer with an empty buffer.
    pub fn new() -> Self {
        Self::default()
    }

    /// A writer whose buffer has room for `bytes` bytes before it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Bytes that stand in the buffer, those already taken not counted.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Whether nothing stands in the buffer.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Number of elements that are open.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Bytes that [`take`](Self::take) would give, about: with those that are encoded only then.
    pub fn pending(&self) -> usize {
        self.buffer.len() + self.shared.iter().map(|(_, bytes)| bytes.len().div_ceil(3) * 4).sum::<usize>()
    }

    /// The buffer, with a start tag that was still open for attributes closed.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.close_tag();
        self.encode_shared();
        self.buffer
    }

    /// Takes a piece of what was written so far: about `bytes_max` bytes of what is encoded only now, or what stands in
    /// the buffer before that. `None` when all was taken. A start tag is closed as by [`take`](Self::take).
    pub fn take_piece(&mut self, bytes_max: usize) -> Option<Vec<u8>> {
        self.close_tag();
        let Some((at, bytes)) = self.shared.front_mut() else {
            return (!self.buffer.is_empty()).then(|| self.take());
        };
        if *at > 0 {
            let rest = self.buffer.split_off(*at);
            let taken = *at;
            self.shared.iter_mut().for_each(|(at, _)| *at -= taken);
            return Some(std::mem::replace(&mut self.buffer, rest));
        }
        // All but the last piece have no padding.
        let length = (bytes_max / 4 * 3).max(3);
        let piece = if length < bytes.len() { bytes.split_to(length) } else { std::mem::take(bytes) };
        if bytes.is_empty() {
            self.shared.pop_front();
        }
        let mut text = Vec::with_capacity(piece.len().div_ceil(3) * 4);
        encode(&piece, &mut text);
        Some(text)
    }

    fn encode_shared(&mut self) {
        if self.shared.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(self.pending());
        let (buffer, shared) = (std::mem::take(&mut self.buffer), std::mem::take(&mut self.shared));
        let mut from = 0;
        for (at, bytes) in shared {
            all.extend_from_slice(buffer.get(from..at).unwrap_or_default());
            from = at;
            encode(&bytes, &mut all);
        }
        all.extend_from_slice(buffer.get(from..).unwrap_or_default());
        self.buffer = all;
    }

    /// Takes what was written so far and leaves an empty buffer; writing goes on where it was.
    ///
    /// A start tag is closed first: no attribute can follow, and the element ends with a tag of its own.
    pub fn take(&mut self) -> Vec<u8> {
        self.close_tag();
        self.encode_shared();
        // The next part will likely be as long as this one.
        let capacity = self.buffer.len().min(RETAKE_CAPACITY_BYTES_MAX);
        std::mem::replace(&mut self.buffer, Vec::with_capacity(capacity))
    }

    /// Writes `<?xml version="1.0" encoding="utf-8"?>`.
    pub fn declaration(&mut self) {
        self.buffer.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"utf-8\"?>");
    }

    /// Opens an element; attributes may follow.
    pub fn start(&mut self, name: &'static str) {
        self.start_named(name);
    }

    /// Opens an element whose name is known only now; the caller made sure that it is a name, see
    /// [`encode_name`](crate::encode_name).
    pub fn start_named(&mut self, name: &str) {
        self.open_tag("", name);
    }

    /// Opens the element `prefix:local`, or `local` where the prefix is empty.
    pub fn start_prefixed(&mut self, prefix: &str, local: &str) {
        self.open_tag(prefix, local);
    }

    /// Adds an attribute to the element that was just opened; the name is trusted.
    pub fn attribute(&mut self, name: &str, value: &str) {
        self.begin_attribute("", name);
        escape(&mut self.buffer, value, Place::Attribute);
        self.buffer.push(b'"');
    }

    /// Adds an attribute whose value is what `value` prints, without allocating.
    pub fn attribute_display(&mut self, name: &str, value: impl Display) {
        self.begin_attribute("", name);
        self.print(value, Place::Attribute);
        self.buffer.push(b'"');
    }

    /// Adds the declaration `xmlns:prefix="namespace"`, or `xmlns="namespace"` where the prefix is empty.
    pub fn namespace(&mut self, prefix: &str, namespace: &str) {
        if prefix.is_empty() {
            self.begin_attribute("", "xmlns");
        } else {
            self.begin_attribute("xmlns", prefix);
        }
        escape(&mut self.buffer, namespace, Place::Attribute);
        self.buffer.push(b'"');
    }

    /// Closes the innermost element: `<name/>` where nothing was written inside, else `</name>`.
    pub fn end(&mut self) {
        let Some(from) = self.open.pop() else {
            debug_assert!(false, "end without start");
            return;
        };
        if self.tag_open {
            self.tag_open = false;
            self.buffer.extend_from_slice(b"/>");
        } else {
            self.buffer.extend_from_slice(b"</");
            self.buffer.extend_from_slice(self.names.get(from..).unwrap_or_default());
            self.buffer.push(b'>');
        }
        self.names.truncate(from);
    }

    /// Opens an element, writes its content with `content` and closes it.
    pub fn scope<T>(&mut self, name: &'static str, content: impl FnOnce(&mut Self) -> T) -> T {
        self.start(name);
        let result = content(self);
        self.end();
        result
    }

    /// Writes an element with text in it; `<name/>` where the text is empty.
    pub fn element(&mut self, name: &'static str, text: &str) {
        self.start(name);
        self.text(text);
        self.end();
    }

    /// Writes `<name/>`.
    pub fn empty(&mut self, name: &'static str) {
        self.start(name);
        self.end();
    }

    /// Writes an element whose text is what `value` prints, without allocating.
    pub fn display(&mut self, name: &'static str, value: impl Display) {
        self.start(name);
        self.display_text(value);
        self.end();
    }

    /// Writes text; empty text is nothing at all.
    pub fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.close_tag();
            escape(&mut self.buffer, text, Place::Text);
        }
    }

    /// Writes what `value` prints as text, without allocating.
    pub fn display_text(&mut self, value: impl Display) {
        self.close_tag();
        self.print(value, Place::Text);
    }

    /// Writes bytes as base64 text in one line; of several calls in a row all but the last need a length that is a
    /// multiple of three.
    pub fn base64(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.close_tag();
        encode(bytes, &mut self.buffer);
    }

    /// Writes bytes as base64 text in one line. Large ones are kept as they are until they are taken, piece by piece by
    /// [`take_piece`](Self::take_piece).
    pub fn base64_shared(&mut self, bytes: Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.base64(&bytes);
        }
        self.close_tag();
        self.shared.push_back((self.buffer.len(), bytes));
    }

    /// Writes trusted markup as it stands; it must be well-formed where it is put.
    pub fn raw(&mut self, xml: &str) {
        if !xml.is_empty() {
            self.close_tag();
            self.buffer.extend_from_slice(xml.as_bytes());
        }
    }

    /// Closes the innermost element, or takes its start tag back where nothing was written inside; `start_len` is
    /// [`len`](Self::len) from before it was opened.
    pub(crate) fn end_or_retract(&mut self, start_len: usize) {
        if self.tag_open {
            self.tag_open = false;
            self.buffer.truncate(start_len);
            if let Some(from) = self.open.pop() {
                self.names.truncate(from);
            }
        } else {
            self.end();
        }
    }

    fn open_tag(&mut self, prefix: &str, local: &str) {
        self.close_tag();
        let from = self.names.len();
        if !prefix.is_empty() {
            self.names.extend_from_slice(prefix.as_bytes());
            self.names.push(b':');
        }
        self.names.extend_from_slice(local.as_bytes());
        self.buffer.push(b'<');
        self.buffer.extend_from_slice(self.names.get(from..).unwrap_or_default());
        self.open.push(from);
        self.tag_open = true;
    }

    fn begin_attribute(&mut self, prefix: &str, local: &str) {
        debug_assert!(self.tag_open, "attribute {local} outside a start tag");
        self.buffer.push(b' ');
        if !prefix.is_empty() {
            self.buffer.extend_from_slice(prefix.as_bytes());
            self.buffer.push(b':');
        }
        self.buffer.extend_from_slice(local.as_bytes());
        self.buffer.extend_from_slice(b"=\"");
    }

    pub(crate) fn close_tag(&mut self) {
        if self.tag_open {
            self.tag_open = false;
            self.buffer.push(b'>');
        }
    }

    fn print(&mut self, value: impl Display, place: Place) {
        let printed = write!(Escaping { buffer: &mut self.buffer, place }, "{value}");
        debug_assert!(printed.is_ok(), "a Display implementation failed");
    }
}

fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    STANDARD.encode_append(bytes, out);
}

/// Escapes what a `Display` implementation prints.
struct Escaping<'a> {
    buffer: &'a mut Vec<u8>,
    place: Place,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        escape(self.buffer, text, self.place);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::escape::is_xml_char;
    use crate::{Document, Limits};

    fn check(expected: &str, write: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::new();
        write(&mut writer);
        assert_eq!(writer.depth(), 0);
        assert_eq!(String::from_utf8(writer.into_bytes()).unwrap(), expected);
    }

    /// Shared bytes come out as base64 in their places, whichever way they are taken.
    #[test]
    fn shared_bytes_are_encoded_when_they_are_taken() {
        let large: Vec<u8> = (0..200_001_u32).map(|at| (at % 251) as u8).collect();
        let write = |writer: &mut Writer| {
            writer.start("a");
            writer.scope("b", |writer| writer.base64_shared(large.clone().into()));
            writer.scope("c", |writer| writer.base64_shared(Bytes::from_static(b"abc")));
            writer.scope("d", |writer| {
                writer.base64_shared(large.clone().into());
                writer.end();
                writer.start("d");
                writer.attribute("e", "f");
            });
            writer.end();
        };
        let text = STANDARD.encode_to_string(&large);
        let expected = format!("<a><b>{text}</b><c>YWJj</c><d>{text}</d><d e=\"f\"/></a>");
        check(&expected, write);
        let mut writer = Writer::new();
        write(&mut writer);
        assert_eq!(writer.pending(), expected.len());
        assert!(writer.take() == expected.as_bytes() && writer.is_empty());
        for bytes_max in [0, 100, 65_536, 1 << 20] {
            let mut writer = Writer::new();
            write(&mut writer);
            let mut all = Vec::new();
            while let Some(piece) = writer.take_piece(bytes_max) {
                assert!(!piece.is_empty() && piece.len() <= bytes_max.max(100));
                all.extend(piece);
            }
            assert!(all == expected.as_bytes());
        }
    }

    #[test]
    fn each_method_writes_what_it_says() {
        check("<?xml version=\"1.0\" encoding=\"utf-8\"?><a/>", |writer| {
            writer.declaration();
            writer.empty("a");
        });
        check("<t:A xmlns=\"u\" xmlns:t=\"v\" Id=\"&quot;&amp;&lt;&gt;'&#9;&#10;&#13;\"><B/></t:A>", |writer| {
            writer.start("t:A");
            writer.namespace("", "u");
            writer.namespace("t", "v");
            writer.attribute("Id", "\"&<>'\t\n\r");
            writer.empty("B");
            writer.end();
        });
        check("<a>\"'\t\n&#13;&amp;&lt;&gt;]]&gt;</a>", |writer| writer.element("a", "\"'\t\n\r&<>]]>"));
        check("<a>bc</a>", |writer| writer.element("a", "b\0\u{8}\u{FFFE}\u{FFFF}c\u{1F}"));
        check("<a/>", |writer| writer.element("a", ""));
        check("<a b=\"-1\">2.5</a><c>&lt;x&gt;</c>", |writer| {
            writer.start("a");
            writer.attribute_display("b", -1);
            writer.display_text(2.5);
            writer.end();
            writer.display("c", "<x>");
        });
        check("<a>YQ==</a><b>YWJjZGVm</b><c/>", |writer| {
            writer.scope("a", |writer| writer.base64(b"a"));
            writer.start("b");
            writer.base64(b"abc");
            writer.base64(b"def");
            writer.end();
            writer.scope("c", |writer| writer.base64(b""));
        });
        check("<z:row ows_A=\"1\"/><b><!-- raw --></b><c/>", |writer| {
            writer.start_prefixed("z", "row");
            writer.attribute("ows_A", "1");
            writer.end();
            writer.start_named(&format!("{}", 'b'));
            writer.raw("<!-- raw -->");
            writer.end();
            writer.start_prefixed("", "c");
            writer.raw("");
            writer.text("");
            writer.end();
        });
    }

    #[test]
    fn scopes_give_their_result_and_nest() {
        let mut writer = Writer::with_capacity(64);
        assert!(writer.is_empty());
        let kept = writer.scope("a", |writer| {
            writer.scope("b", |writer| writer.text("x"));
            writer.text("y");
            writer.depth()
        });
        assert_eq!((kept, writer.len()), (1, "<a><b>x</b>y</a>".len()));
    }

    #[test]
    fn the_buffer_may_be_taken_anywhere() {
        let mut writer = Writer::new();
        let mut whole = Vec::new();
        writer.start("a");
        writer.start("b");
        whole.extend(writer.take());
        assert!(writer.is_empty());
        writer.end();
        whole.extend(writer.take());
        whole.extend(writer.take());
        writer.element("c", "x");
        writer.end();
        whole.extend(writer.into_bytes());
        assert_eq!(String::from_utf8(whole).unwrap(), "<a><b></b><c>x</c></a>");
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text in any::<String>(), more in "(?s)[\0-\u{20}&<>\"'\u{FFFD}-\u{FFFF}]*") {
            for text in [text, more] {
                let mut writer = Writer::new();
                writer.start("a");
                writer.attribute("b", &text);
                writer.text(&text);
                writer.end();
                let bytes = writer.into_bytes();
                let document = Document::parse(&bytes, &Limits::DEFAULT).unwrap();
                let carried: String = text.chars().filter(|character| is_xml_char(*character)).collect();
                prop_assert_eq!(document.root().text(), carried.as_str());
                prop_assert_eq!(document.root().attribute("b"), Some(carried.as_str()));
            }
        }
    }
}
