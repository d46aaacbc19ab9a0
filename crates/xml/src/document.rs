//! A document that was read: an arena of elements and texts, and handles into it.

use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use crate::bindings::Bindings;
use crate::decode::decode;
use crate::error::{XmlError, narrow};
use crate::limits::Limits;
use crate::parse::{self, Form};
use crate::writer::Writer;

/// No node, in the links of the arena.
pub(crate) const NONE: u32 = u32::MAX;
/// The index of "no namespace" in the arena's list of namespaces.
pub(crate) const NO_NAMESPACE: u32 = 0;
/// Bytes between two places for which the line is known; a position is found by reading at most so many.
const CHECKPOINT_BYTES: usize = 4_096;

/// A well-formed document, wholly in memory: about 50 bytes an element besides the source, which is borrowed.
#[derive(Debug)]
pub struct Document<'s> {
    source: Cow<'s, str>,
    arena: Arena,
    /// For every [`CHECKPOINT_BYTES`] of the source: newlines before it, and where its line starts. Built when the
    /// first position is asked for.
    checkpoints: OnceLock<Vec<(u32, u32)>>,
}

/// What the parser builds.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    pub(crate) nodes: Vec<Record>,
    pub(crate) attributes: Vec<AttributeRecord>,
    /// Namespaces by index; the first is "no namespace".
    pub(crate) namespaces: Vec<Box<str>>,
    /// Text that differs from the source: references resolved, line ends made one.
    pub(crate) pool: String,
    pub(crate) root: u32,
}

/// One element or one run of text.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) parent: u32,
    pub(crate) first_child: u32,
    pub(crate) last_child: u32,
    pub(crate) next_sibling: u32,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Element(ElementRecord),
    Text(Span),
}

#[derive(Debug)]
pub(crate) struct ElementRecord {
    /// Offset of `<`.
    pub(crate) offset: u32,
    pub(crate) name: Name,
    /// Range of [`Arena::attributes`].
    pub(crate) attributes: (u32, u32),
}

/// A qualified name in the source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// Bytes of the prefix, without the colon; 0 where there is none.
    pub(crate) prefix_bytes: u32,
    pub(crate) namespace: u32,
}

#[derive(Debug)]
pub(crate) struct AttributeRecord {
    pub(crate) name: Name,
    pub(crate) value: Span,
}

/// A range of bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Span {
    Source(u32, u32),
    Pool(u32, u32),
}

impl ElementRecord {
    /// Whether this is the element around a fragment.
    fn is_nameless(&self) -> bool {
        self.name.start == self.name.end
    }
}

impl Name {
    pub(crate) fn prefix(self, source: &str) -> &str {
        slice(source, self.start, self.start + self.prefix_bytes)
    }

    pub(crate) fn local(self, source: &str) -> &str {
        let colon = if self.prefix_bytes == 0 { 0 } else { self.prefix_bytes + 1 };
        slice(source, self.start + colon, self.end)
    }

    pub(crate) fn qualified(self, source: &str) -> &str {
        slice(source, self.start, self.end)
    }
}

impl<'s> Document<'s> {
    /// Reads a document: UTF-8, or UTF-16 with a byte order mark. Linear in the number of bytes.
    ///
    /// # Errors
    /// [`XmlError`] where the bytes are not well-formed, hold a DOCTYPE, or pass a limit.
    pub fn parse(bytes: &'s [u8], limits: &Limits) -> Result<Self, XmlError> {
        Self::parse_with(bytes, limits, |namespace| namespace)
    }

    /// Reads a document as [`parse`](Self::parse) does and passes each namespace through `normalise`, so that other
    /// spellings of a namespace count as the one that is known.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(bytes: &'s [u8], limits: &Limits, normalise: fn(&str) -> &str) -> Result<Self, XmlError> {
        let source = decode(bytes, limits)?;
        Self::build(source, limits, normalise, Form::Document)
    }

    /// Reads markup with any number of elements and texts at its top; [`root`](Self::root) is then a nameless element
    /// around them, which counts as no level of depth.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_fragment(text: &'s str, limits: &Limits) -> Result<Self, XmlError> {
        let source = decode(text.as_bytes(), limits)?;
        Self::build(source, limits, |namespace| namespace, Form::Fragment)
    }

    /// The root element, or the nameless element around a fragment.
    pub fn root(&self) -> Node<'_> {
        Node { document: self, index: self.arena.root }
    }

    /// The same document with a source of its own.
    pub fn into_owned(self) -> Document<'static> {
        Document { source: Cow::Owned(self.source.into_owned()), arena: self.arena, checkpoints: self.checkpoints }
    }

    fn build(source: Cow<'s, str>, limits: &Limits, normalise: fn(&str) -> &str, form: Form) -> Result<Self, XmlError> {
        let arena = parse::parse(&source, limits, normalise, form)?;
        Ok(Self { source, arena, checkpoints: OnceLock::new() })
    }

    fn span(&self, span: Span) -> &str {
        match span {
            Span::Source(start, end) => slice(&self.source, start, end),
            Span::Pool(start, end) => slice(&self.arena.pool, start, end),
        }
    }

    fn namespace(&self, index: u32) -> &str {
        self.arena.namespaces.get(index as usize).map_or("", |namespace| namespace)
    }

    fn record(&self, index: u32) -> Option<&Record> {
        self.arena.nodes.get(index as usize)
    }

    fn attributes(&self, element: &ElementRecord) -> &[AttributeRecord] {
        let (start, end) = element.attributes;
        self.arena.attributes.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Writes the start tag of an element with the declarations that its names need beside `bindings`.
    fn start_again<'a>(&'a self, element: &ElementRecord, writer: &mut Writer, bindings: &mut Bindings<'a>) {
        if element.is_nameless() {
            return;
        }
        writer.start_named(element.name.qualified(&self.source));
        let attributes = self.attributes(element);
        // An attribute without prefix is in no namespace and needs no declaration.
        let prefixed = attributes.iter().map(|attribute| attribute.name).filter(|name| name.prefix_bytes != 0);
        for name in std::iter::once(element.name).chain(prefixed) {
            let prefix = name.prefix(&self.source);
            if prefix != "xml" && bindings.resolve(prefix) != Some(name.namespace) {
                bindings.bind(prefix, name.namespace);
                writer.namespace(prefix, self.namespace(name.namespace));
            }
        }
        for attribute in attributes {
            writer.attribute(attribute.name.qualified(&self.source), self.span(attribute.value));
        }
    }

    fn position(&self, offset: u32) -> (u32, u32) {
        let bytes = self.source.as_bytes();
        let checkpoints = self.checkpoints.get_or_init(|| checkpoints(bytes));
        let block = offset as usize / CHECKPOINT_BYTES;
        let (mut line, mut line_start) = checkpoints.get(block).copied().unwrap_or_default();
        let block_start = block * CHECKPOINT_BYTES;
        let before = bytes.get(block_start..offset as usize).unwrap_or_default();
        for newline in memchr::memchr_iter(b'\n', before) {
            line += 1;
            line_start = narrow(block_start + newline + 1);
        }
        (line + 1, offset - line_start + 1)
    }
}

fn checkpoints(bytes: &[u8]) -> Vec<(u32, u32)> {
    let (mut line, mut line_start) = (0, 0);
    let mut found = Vec::with_capacity(bytes.len() / CHECKPOINT_BYTES + 1);
    for (block, chunk) in bytes.chunks(CHECKPOINT_BYTES).enumerate() {
        found.push((line, line_start));
        line += narrow(memchr::memchr_iter(b'\n', chunk).count());
        if let Some(newline) = memchr::memrchr(b'\n', chunk) {
            line_start = narrow(block * CHECKPOINT_BYTES + newline + 1);
        }
    }
    found
}

pub(crate) fn slice(text: &str, start: u32, end: u32) -> &str {
    text.get(start as usize..end as usize).unwrap_or_default()
}

/// A handle on one element of a document; cheap to copy.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    document: &'a Document<'a>,
    index: u32,
}

impl<'a> Node<'a> {
    /// The name without its prefix.
    pub fn local(self) -> &'a str {
        self.element().map_or("", |element| element.name.local(&self.document.source))
    }

    /// The namespace that the name belongs to, "" where it belongs to none.
    pub fn namespace(self) -> &'a str {
        self.element().map_or("", |element| self.document.namespace(element.name.namespace))
    }

    /// Whether this is the element `local` of `namespace`.
    pub fn is(self, namespace: &str, local: &str) -> bool {
        self.local() == local && self.namespace() == namespace
    }

    /// The value of an attribute in no namespace.
    pub fn attribute(self, local: &str) -> Option<&'a str> {
        self.attribute_ns("", local)
    }

    /// The value of an attribute in a namespace.
    pub fn attribute_ns(self, namespace: &str, local: &str) -> Option<&'a str> {
        self.attributes()
            .find(|(its_namespace, its_local, _)| *its_local == local && *its_namespace == namespace)
            .map(|(_, _, value)| value)
    }

    /// Namespace, local name and value of each attribute, in document order, namespace declarations left out.
    pub fn attributes(self) -> Attributes<'a> {
        Attributes { document: self.document, records: self.attribute_records().iter() }
    }

    /// The elements inside, in document order.
    pub fn children(self) -> Children<'a> {
        let first = self.record().map_or(NONE, |record| record.first_child);
        Children { document: self.document, next: first }
    }

    /// The first element inside with this name.
    pub fn child(self, namespace: &str, local: &str) -> Option<Self> {
        self.children().find(|child| child.is(namespace, local))
    }

    /// The first element inside with this local name, whatever its namespace.
    pub fn child_local(self, local: &str) -> Option<Self> {
        self.children().find(|child| child.local() == local)
    }

    /// The text directly inside, that of all runs together; borrowed where there is one run only.
    pub fn text(self) -> Cow<'a, str> {
        let mut text = Cow::Borrowed("");
        let mut next = self.record().map_or(NONE, |record| record.first_child);
        while let Some(record) = self.document.record(next) {
            if let Content::Text(span) = record.content {
                let run = self.document.span(span);
                if text.is_empty() {
                    text = Cow::Borrowed(run);
                } else {
                    text.to_mut().push_str(run);
                }
            }
            next = record.next_sibling;
        }
        text
    }

    /// Line and column of the start tag, both from 1; the column counts bytes of UTF-8.
    pub fn position(self) -> (u32, u32) {
        self.document.position(self.element().map_or(0, |element| element.offset))
    }

    /// The element around this one, none for the root.
    pub fn parent(self) -> Option<Self> {
        let parent = self.record()?.parent;
        (parent != NONE).then_some(Self { document: self.document, index: parent })
    }

    /// Writes this element and all inside as markup that stands alone, with the prefixes of the source and the
    /// declarations they need; for a fragment's root, what is inside.
    ///
    /// Prefixes that occur only within values (as in `xsi:type`) are not declared.
    pub fn to_xml(self) -> String {
        let mut writer = Writer::new();
        let mut bindings = Bindings::new();
        // Undo marks of the elements that are open in the output.
        let mut marks = Vec::new();
        let mut index = self.index;
        while let Some(record) = self.document.record(index) {
            match &record.content {
                Content::Element(element) => {
                    marks.push(bindings.mark());
                    self.document.start_again(element, &mut writer, &mut bindings);
                    if record.first_child != NONE {
                        index = record.first_child;
                        continue;
                    }
                }
                Content::Text(span) => writer.text(self.document.span(*span)),
            }
            // Close what ends here, up to the next sibling of this node or of one around it.
            while let Some(record) = self.document.record(index) {
                if let Content::Element(element) = &record.content {
                    if !element.is_nameless() {
                        writer.end();
                    }
                    bindings.undo(marks.pop().unwrap_or(0));
                }
                if index == self.index {
                    index = NONE;
                    break;
                }
                if record.next_sibling != NONE {
                    index = record.next_sibling;
                    break;
                }
                index = record.parent;
            }
        }
        // Both the source and the writer's output are UTF-8.
        String::from_utf8(writer.into_bytes()).unwrap_or_default()
    }

    fn record(self) -> Option<&'a Record> {
        self.document.record(self.index)
    }

    fn element(self) -> Option<&'a ElementRecord> {
        match &self.record()?.content {
            Content::Element(element) => Some(element),
            Content::Text(_) => None,
        }
    }

    fn attribute_records(self) -> &'a [AttributeRecord] {
        self.element().map_or(&[], |element| self.document.attributes(element))
    }
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.document.arena.nodes.as_ptr(), other.document.arena.nodes.as_ptr())
            && self.index == other.index
    }
}

impl Eq for Node<'_> {}

impl fmt::Debug for Node<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        write!(formatter, "<{}> at {line}:{column}", self.local())
    }
}

/// Iterator over the attributes of an element, see [`Node::attributes`].
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    document: &'a Document<'a>,
    records: std::slice::Iter<'a, AttributeRecord>,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.records.next()?;
        let namespace = self.document.namespace(record.name.namespace);
        Some((namespace, record.name.local(&self.document.source), self.document.span(record.value)))
    }
}

/// Iterator over the elements inside an element, see [`Node::children`].
#[derive(Debug, Clone)]
pub struct Children<'a> {
    document: &'a Document<'a>,
    next: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Node<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(record) = self.document.record(self.next) {
            let index = self.next;
            self.next = record.next_sibling;
            if matches!(record.content, Content::Element(_)) {
                return Some(Node { document: self.document, index });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(xml: &str) -> Document<'_> {
        Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap()
    }

    #[test]
    fn elements_are_found_by_name_and_namespace() {
        let document = parse(
            "<e xmlns='u' xmlns:p='v' id='1' p:id='2' xml:lang='de'>text<p:x>first</p:x> <x>second</x><x xmlns=''/></e>",
        );
        let root = document.root();
        assert!(root.is("u", "e") && !root.is("", "e"));
        assert_eq!(root.attribute("id"), Some("1"));
        assert_eq!(root.attribute_ns("v", "id"), Some("2"));
        assert_eq!(root.attribute_ns(crate::XML_NAMESPACE, "lang"), Some("de"));
        assert_eq!(root.attribute("p"), None);
        let attributes: Vec<_> = root.attributes().collect();
        assert_eq!(attributes, [("", "id", "1"), ("v", "id", "2"), (crate::XML_NAMESPACE, "lang", "de")]);
        let names: Vec<_> = root.children().map(|child| (child.namespace(), child.local())).collect();
        assert_eq!(names, [("v", "x"), ("u", "x"), ("", "x")]);
        assert_eq!(root.child("u", "x").unwrap().text(), "second");
        assert_eq!(root.child_local("x").unwrap().text(), "first");
        assert_eq!(root.child("u", "y"), None);
        assert_eq!(root.child_local("x").unwrap().parent(), Some(root));
        assert_eq!(root.parent(), None);
        assert!(matches!(root.child("u", "x").unwrap().text(), Cow::Borrowed(_)));
    }

    #[test]
    fn namespaces_are_normalised_once_read() {
        fn normalise(namespace: &str) -> &str {
            if namespace == "https://u" { "http://u" } else { namespace }
        }
        let bytes = b"<a xmlns='https://u' xmlns:p='http&#115;://u'><p:b p:c='1'/><d xmlns='v'/></a>";
        let document = Document::parse_with(bytes, &Limits::DEFAULT, normalise).unwrap();
        let child = document.root().child("http://u", "b").unwrap();
        assert_eq!(child.attribute_ns("http://u", "c"), Some("1"));
        assert_eq!(child.to_xml(), "<p:b xmlns:p=\"http://u\" p:c=\"1\"/>");
        assert!(document.root().child("v", "d").is_some());
        // A prefix and its other spelling are one namespace, so these are one attribute.
        let twice = b"<a xmlns:p='https://u' xmlns:q='http://u' p:b='' q:b=''/>";
        assert!(Document::parse_with(twice, &Limits::DEFAULT, normalise).is_err());
    }

    #[test]
    fn a_subtree_is_written_to_stand_alone() {
        let document = parse(
            "<r xmlns='u' xmlns:p='v' xmlns:n='w'><Query a='&lt;\"&#10;'>x&amp;y<p:E p:a='1'><F/></p:E><G xmlns=''/>\
             <![CDATA[<z>]]><p:H xmlns:p='w' xml:lang='de'><p:I/></p:H><p:J/><p:K/><L/></Query>after</r>",
        );
        let query = document.root().child_local("Query").unwrap();
        assert_eq!(
            query.to_xml(),
            "<Query xmlns=\"u\" a=\"&lt;&quot;&#10;\">x&amp;y<p:E xmlns:p=\"v\" p:a=\"1\"><F/></p:E><G xmlns=\"\"/>\
             &lt;z&gt;<p:H xmlns:p=\"w\" xml:lang=\"de\"><p:I/></p:H><p:J xmlns:p=\"v\"/>\
             <p:K xmlns:p=\"v\"/><L/></Query>",
        );
        assert_eq!(query.child_local("G").unwrap().to_xml(), "<G/>");
        assert_eq!(query.child_local("E").unwrap().child_local("F").unwrap().to_xml(), "<F xmlns=\"u\"/>");
    }

    #[test]
    fn a_fragment_has_any_number_of_roots() {
        let document = Document::parse_fragment(" <Where/>x<OrderBy a='1'>&lt;</OrderBy>", &Limits::DEFAULT).unwrap();
        let root = document.root();
        assert_eq!((root.local(), root.namespace(), root.parent()), ("", "", None));
        let names: Vec<_> = root.children().map(Node::local).collect();
        assert_eq!(names, ["Where", "OrderBy"]);
        assert_eq!(root.child_local("Where").unwrap().parent(), Some(root));
        assert_eq!(root.text(), " x");
        assert_eq!(root.to_xml(), " <Where/>x<OrderBy a=\"1\">&lt;</OrderBy>");
        for empty in ["", "<!-- -->"] {
            let document = Document::parse_fragment(empty, &Limits::DEFAULT).unwrap();
            assert_eq!((document.root().children().count(), document.root().to_xml()), (0, String::new()));
        }
    }

    #[test]
    fn positions_count_lines_and_bytes() {
        let far = "\n  é<far/>".to_owned() + &"\n".repeat(3 * CHECKPOINT_BYTES);
        let xml = format!("<a>\r\n  <b/>\n<c/>{far}{}<last/></a>", " ".repeat(CHECKPOINT_BYTES + 10));
        let document = parse(&xml).into_owned();
        let positions: Vec<_> = document.root().children().map(Node::position).collect();
        let last = (4 + 3 * CHECKPOINT_BYTES as u32, CHECKPOINT_BYTES as u32 + 11);
        assert_eq!(positions, [(2, 3), (3, 1), (4, 5), last]);
        assert_eq!(document.root().position(), (1, 1));
    }

    /// Markup inside `<r>`, which binds `p`: opens one of these tags, closes the innermost, or adds text.
    fn markup(steps: &[usize]) -> String {
        const TAGS: [(&str, &str); 6] = [
            ("a", "a"),
            ("a", "a xmlns='v'"),
            ("a", "a xmlns='' p:x='&lt;'"),
            ("p:a", "p:a"),
            ("p:a", "p:a xmlns:p='w' p:x='1' x='2'"),
            ("p:b", "p:b xmlns:q='u' q:x='3'"),
        ];
        let mut xml = "<r xmlns:p='u'>".to_owned();
        let mut open = vec!["r"];
        for step in steps {
            match TAGS.get(*step) {
                Some((name, tag)) => {
                    xml += &format!("<{tag}>");
                    open.push(name);
                }
                None if *step % 2 == 0 && open.len() > 1 => xml += &format!("</{}>", open.pop().unwrap()),
                None => xml += "t&amp;",
            }
        }
        while let Some(name) = open.pop() {
            xml += &format!("</{name}>");
        }
        xml
    }

    fn assert_same(one: Node<'_>, other: Node<'_>) {
        assert_eq!((one.namespace(), one.local(), one.text()), (other.namespace(), other.local(), other.text()));
        assert!(one.attributes().eq(other.attributes()));
        assert_eq!(one.children().count(), other.children().count());
        for (one, other) in one.children().zip(other.children()) {
            assert_same(one, other);
        }
    }

    proptest! {
        #[test]
        fn every_subtree_reads_as_it_was(steps in prop::collection::vec(0_usize..10, 0..40)) {
            let xml = markup(&steps);
            let document = parse(&xml);
            let mut waiting = vec![document.root()];
            while let Some(node) = waiting.pop() {
                assert_same(parse(&node.to_xml()).root(), node);
                waiting.extend(node.children());
            }
        }
    }

    #[test]
    fn documents_may_wait_on_any_thread() {
        fn check<T: Send + Sync>() {}
        check::<Document<'static>>();
        check::<Node<'static>>();
    }
}
