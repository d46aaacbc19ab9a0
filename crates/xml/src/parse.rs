//! From text to the arena: well-formedness, references, namespaces and limits.
//!
//! quick-xml finds tags, comments and references and matches end tags; what it leaves to its user is checked here.

use std::collections::HashMap;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::XML_NAMESPACE;
use crate::bindings::Bindings;
use crate::decode::check_characters;
use crate::document::{Arena, Content, ElementRecord, NO_NAMESPACE, NONE, Name, Record, Span, slice};
use crate::error::{Failure, XmlError, narrow};
use crate::escape::is_xml_char;
use crate::limits::Limits;
use crate::name::is_nc_name;

mod tag;

use tag::{RawAttribute, intern};

/// What may stand at the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One element.
    Document,
    /// Any content.
    Fragment,
}

/// The index of [`XML_NAMESPACE`] in the arena.
const XML_INDEX: u32 = NO_NAMESPACE + 1;
/// Characters of quick-xml's messages that are passed on; they may quote names of any length.
const MESSAGE_CHARS_MAX: usize = 160;

/// Builds the arena of a document whose text is known.
pub(crate) fn parse(source: &str, limits: &Limits, normalise: fn(&str) -> &str, form: Form) -> Result<Arena, XmlError> {
    let mut parser = Parser {
        source,
        limits,
        normalise,
        form,
        carriage_returns: false,
        arena: Arena::default(),
        bindings: Bindings::new(),
        namespaces: HashMap::new(),
        open: Vec::new(),
        elements: 0,
        attributes_total: 0,
        raw: Vec::new(),
    };
    match parser.run() {
        Ok(()) => Ok(parser.arena),
        Err(failure) => Err(failure.locate(source.as_bytes())),
    }
}

struct Parser<'p> {
    source: &'p str,
    limits: &'p Limits,
    normalise: fn(&str) -> &str,
    form: Form,
    /// Whether the source holds any, so that line ends have to be made one.
    carriage_returns: bool,
    arena: Arena,
    bindings: Bindings<'p>,
    /// Indexes into the arena's list, by namespace.
    namespaces: HashMap<Box<str>, u32>,
    /// The open elements, each with the mark of the bindings before it.
    open: Vec<(u32, usize)>,
    elements: usize,
    attributes_total: usize,
    /// Attributes of the start tag at hand.
    raw: Vec<RawAttribute>,
}

impl<'p> Parser<'p> {
    fn run(&mut self) -> Result<(), Failure> {
        self.carriage_returns = check_characters(self.source)?;
        self.intern("");
        self.intern(XML_NAMESPACE);
        self.bindings.bind("xml", XML_INDEX);
        if self.form == Form::Fragment {
            let name = Name { start: 0, end: 0, prefix_bytes: 0, namespace: NO_NAMESPACE };
            self.push_node(Content::Element(ElementRecord { offset: 0, name, attributes: (0, 0) }));
        }
        if self.source.starts_with('\u{FEFF}') {
            return Err(Failure::syntax(0, "a second byte order mark"));
        }
        let mut reader = Reader::from_str(self.source);
        reader.config_mut().check_comments = true;
        loop {
            let begin = offset(reader.buffer_position());
            if matches!(self.source.as_bytes().get(begin..begin + 3), Some([b'<', b'!', b'D' | b'd'])) {
                return Err(Failure::forbidden(begin, "a DOCTYPE"));
            }
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    let message: String = error.to_string().chars().take(MESSAGE_CHARS_MAX).collect();
                    return Err(Failure::syntax(offset(reader.error_position()), message));
                }
            };
            let end = offset(reader.buffer_position());
            match event {
                Event::Start(_) => self.start(begin, end - 1)?,
                Event::Empty(_) => {
                    self.start(begin, end - 2)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(_) => self.text(begin, end)?,
                Event::CData(_) => {
                    self.refuse_outside_root(begin)?;
                    self.append(begin + 9, end - 3)?;
                }
                Event::GeneralRef(_) => {
                    self.refuse_outside_root(begin)?;
                    let character = self.reference(begin + 1, end - 1)?;
                    self.append_pooled(begin, |pool| pool.push(character))?;
                }
                Event::Comment(_) => {}
                Event::PI(_) => self.instruction(begin + 2, end - 2)?,
                Event::Decl(_) => self.declaration(begin, end - 2)?,
                Event::DocType(_) => return Err(Failure::forbidden(begin, "a DOCTYPE")),
                Event::Eof => return self.finish(),
            }
        }
    }

    fn finish(&self) -> Result<(), Failure> {
        if !self.open.is_empty() {
            return Err(Failure::syntax(self.source.len(), "the document ends inside an element"));
        }
        if self.arena.nodes.is_empty() {
            return Err(Failure::syntax(self.source.len(), "the document has no root element"));
        }
        Ok(())
    }

    fn end(&mut self) {
        if let Some((_, mark)) = self.open.pop() {
            self.bindings.undo(mark);
        }
    }

    /// The character that the reference between `&` and `;` stands for.
    fn reference(&self, start: usize, end: usize) -> Result<char, Failure> {
        let name = self.source.get(start..end).unwrap_or_default();
        let number = match name {
            "lt" => return Ok('<'),
            "gt" => return Ok('>'),
            "amp" => return Ok('&'),
            "apos" => return Ok('\''),
            "quot" => return Ok('"'),
            _ => name.strip_prefix('#').ok_or_else(|| Failure::syntax(start, "an entity that is not defined"))?,
        };
        let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
        // The standard parser would take a sign too.
        let only_digits = digits.chars().all(|digit| digit.is_digit(radix));
        let code = if only_digits { u32::from_str_radix(digits, radix).ok() } else { None };
        let character = code.and_then(char::from_u32).filter(|character| is_xml_char(*character));
        character.ok_or_else(|| Failure::syntax(start, "a reference to no character"))
    }

    fn text(&mut self, begin: usize, end: usize) -> Result<(), Failure> {
        let bytes = self.source.as_bytes().get(begin..end).unwrap_or_default();
        if self.outside_root() {
            return match bytes.iter().position(|byte| !is_space(*byte)) {
                None => Ok(()),
                Some(at) => Err(Failure::syntax(begin + at, "text outside the root element")),
            };
        }
        for greater in memchr::memchr_iter(b'>', bytes) {
            if bytes.get(..greater).is_some_and(|before| before.ends_with(b"]]")) {
                return Err(Failure::syntax(begin + greater, "`]]>` in text"));
            }
        }
        self.append(begin, end)
    }

    /// Adds a range of the source to the text at hand, its line ends made one.
    fn append(&mut self, begin: usize, end: usize) -> Result<(), Failure> {
        let raw = self.source.get(begin..end).unwrap_or_default();
        if raw.is_empty() {
            return Ok(());
        }
        let plain = !self.carriage_returns || memchr::memchr(b'\r', raw.as_bytes()).is_none();
        if plain && self.text_at_hand().is_none() {
            self.check_text(begin, raw.len())?;
            self.push_node(Content::Text(Span::Source(narrow(begin), narrow(end))));
            return Ok(());
        }
        self.append_pooled(begin, |pool| {
            let mut rest = raw;
            while let Some((before, after)) = rest.split_once('\r') {
                pool.push_str(before);
                pool.push('\n');
                rest = after.strip_prefix('\n').unwrap_or(after);
            }
            pool.push_str(rest);
        })
    }

    /// Adds what `write` puts into the pool to the text at hand.
    fn append_pooled(&mut self, begin: usize, write: impl FnOnce(&mut String)) -> Result<(), Failure> {
        let pool_end = narrow(self.arena.pool.len());
        let at_hand = self.text_at_hand();
        let start = match at_hand {
            None => pool_end,
            // Nothing else writes to the pool while a text is at hand, so this text is its end and stays in one piece.
            Some((_, Span::Pool(start, _))) => start,
            Some((_, Span::Source(start, end))) => {
                self.arena.pool.push_str(slice(self.source, start, end));
                pool_end
            }
        };
        write(&mut self.arena.pool);
        let span = Span::Pool(start, narrow(self.arena.pool.len()));
        self.check_text(begin, self.arena.pool.len() - start as usize)?;
        match at_hand {
            None => {
                self.push_node(Content::Text(span));
            }
            Some((index, _)) => {
                if let Some(record) = self.arena.nodes.get_mut(index as usize) {
                    record.content = Content::Text(span);
                }
            }
        }
        Ok(())
    }

    fn check_text(&self, begin: usize, bytes: usize) -> Result<(), Failure> {
        if bytes > self.limits.text_bytes_max {
            return Err(Failure::limit(begin, "bytes of text", self.limits.text_bytes_max));
        }
        Ok(())
    }

    /// The text that stands last in the innermost element; further text belongs to it.
    fn text_at_hand(&self) -> Option<(u32, Span)> {
        let last = self.arena.nodes.get(self.innermost() as usize)?.last_child;
        match self.arena.nodes.get(last as usize)?.content {
            Content::Text(span) => Some((last, span)),
            Content::Element(_) => None,
        }
    }

    fn instruction(&self, start: usize, end: usize) -> Result<(), Failure> {
        let target_end = self.skip_until(start, end, is_space);
        let target = self.source.get(start..target_end).unwrap_or_default();
        if is_nc_name(target) && !target.eq_ignore_ascii_case("xml") {
            return Ok(());
        }
        Err(Failure::syntax(start, "a processing instruction without a proper name"))
    }

    /// Checks the XML declaration that begins at `begin`; its `?>` stands at `end`.
    fn declaration(&self, begin: usize, end: usize) -> Result<(), Failure> {
        if begin != 0 {
            return Err(Failure::syntax(begin, "an XML declaration that does not come first"));
        }
        const ORDER: [&str; 3] = ["version", "encoding", "standalone"];
        let mut at = "<?xml".len();
        let mut seen = 0;
        while let Some(attribute) = self.next_attribute(&mut at, end)? {
            let start = attribute.name.0;
            let name = self.source.get(start..attribute.name.1).unwrap_or_default();
            let value = self.source.get(attribute.value.0..attribute.value.1).unwrap_or_default();
            let place = ORDER.iter().position(|known| *known == name);
            let Some(place) = place.filter(|place| *place >= seen && (seen > 0 || *place == 0)) else {
                return Err(Failure::syntax(start, "an XML declaration with unknown or misplaced parts"));
            };
            seen = place + 1;
            match place {
                0 if value != "1.0" => return Err(Failure::forbidden(start, "an XML version other than 1.0")),
                // What is decoded already may well call itself UTF-16.
                1 if !["utf-8", "utf-16", "us-ascii"].iter().any(|known| known.eq_ignore_ascii_case(value)) => {
                    return Err(Failure::forbidden(start, "an encoding other than UTF-8 and UTF-16"));
                }
                2 if value != "yes" && value != "no" => {
                    return Err(Failure::syntax(start, "standalone is neither yes nor no"));
                }
                _ => {}
            }
        }
        if seen == 0 { Err(Failure::syntax(begin, "an XML declaration without a version")) } else { Ok(()) }
    }

    /// Puts a node behind the last one inside the innermost element.
    fn push_node(&mut self, content: Content) -> u32 {
        let index = narrow(self.arena.nodes.len());
        let parent = self.innermost();
        let previous = self.arena.nodes.get_mut(parent as usize).map_or(NONE, |parent| {
            let previous = std::mem::replace(&mut parent.last_child, index);
            if previous == NONE {
                parent.first_child = index;
            }
            previous
        });
        if let Some(previous) = self.arena.nodes.get_mut(previous as usize) {
            previous.next_sibling = index;
        }
        self.arena.nodes.push(Record { parent, first_child: NONE, last_child: NONE, next_sibling: NONE, content });
        index
    }

    /// The innermost open element, the root of a fragment, or none.
    fn innermost(&self) -> u32 {
        match (self.open.last(), self.form) {
            (Some((index, _)), _) => *index,
            (None, Form::Fragment) if !self.arena.nodes.is_empty() => 0,
            (None, Form::Fragment | Form::Document) => NONE,
        }
    }

    fn outside_root(&self) -> bool {
        self.form == Form::Document && self.open.is_empty()
    }

    fn refuse_outside_root(&self, begin: usize) -> Result<(), Failure> {
        if self.outside_root() { Err(Failure::syntax(begin, "text outside the root element")) } else { Ok(()) }
    }

    fn intern(&mut self, namespace: &str) {
        intern(&mut self.namespaces, &mut self.arena.namespaces, namespace);
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.source.as_bytes().get(at).copied()
    }

    /// The first place from `at` on whose byte answers `stop`, or `end`.
    fn skip_until(&self, at: usize, end: usize, stop: impl Fn(u8) -> bool) -> usize {
        let bytes = self.source.as_bytes().get(at..end).unwrap_or_default();
        bytes.iter().position(|byte| stop(*byte)).map_or(end, |found| at + found)
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use crate::{Document, Limits, XmlError};

    fn refuse(bytes: &[u8], limits: &Limits) -> XmlError {
        match Document::parse(bytes, limits) {
            Err(error) => error,
            Ok(document) => panic!("accepted {:?} as {}", bytes.escape_ascii().to_string(), document.root().to_xml()),
        }
    }

    #[test]
    fn what_is_not_well_formed_is_refused_at_its_place() {
        for (xml, line, column, words) in [
            ("", 1, 1, "no root"),
            (" \n<!-- c --> ", 2, 12, "no root"),
            ("<a>", 1, 4, "inside an element"),
            ("<a><b></a>", 1, 7, "expected `</b>`"),
            ("</a>", 1, 1, ""),
            ("<a></a></a>", 1, 8, ""),
            ("<a/><b/>", 1, 5, "second root"),
            ("<a/>\nx", 2, 1, "text outside"),
            ("x<a/>", 1, 1, "text outside"),
            ("<a/>&amp;", 1, 5, "text outside"),
            ("<a/><![CDATA[x]]>", 1, 5, "text outside"),
            ("<a", 1, 1, ""),
            ("<>", 1, 2, "a name"),
            ("< a/>", 1, 2, "a name"),
            ("<1/>", 1, 2, "a name"),
            ("<a:/>", 1, 2, "a name"),
            ("<:a/>", 1, 2, "a prefix"),
            ("<a:b:c xmlns:a='u'/>", 1, 2, "a name"),
            ("<a\"/>", 1, 1, ""),
            ("<a b/>", 1, 5, "without a value"),
            ("<a b=c/>", 1, 6, "without quotes"),
            ("<a b='c'd='e'/>", 1, 9, "white space"),
            ("<a b='<'/>", 1, 7, "`<`"),
            ("<a b='&x'/>", 1, 7, "not closed"),
            ("<a b='1' b='2'/>", 1, 4, "twice"),
            ("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", 1, 4, "twice"),
            ("<a xmlns:p='u' xmlns:p='u'/>", 1, 4, "twice"),
            ("<a xmlns='u' xmlns='u'/>", 1, 4, "twice"),
            ("<a 1='' 2='' 3='' />", 1, 4, "a name"),
            ("<a a='' b='' c='' d='' e='' f='' g='' h='' i='' a=''/>", 1, 4, "twice"),
            ("<p:a/>", 1, 2, "not declared"),
            ("<a p:b=''/>", 1, 4, "not declared"),
            ("<a><b xmlns:p='u'/><p:c/></a>", 1, 21, "not declared"),
            ("<xmlns:a/>", 1, 2, "not declared"),
            ("<a xmlns:p=''/>", 1, 4, "no namespace"),
            ("<a xmlns:xmlns='u'/>", 1, 4, "reserved"),
            ("<a xmlns:xml='u'/>", 1, 4, "reserved"),
            ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", 1, 4, "reserved"),
            ("<a xmlns='http://www.w3.org/XML/1998/namespace'/>", 1, 4, "reserved"),
            ("<a>&nbsp;</a>", 1, 5, "entity"),
            ("<a>&</a>", 1, 4, ""),
            ("<a>& b;</a>", 1, 5, "entity"),
            ("<a>&#0;</a>", 1, 5, "no character"),
            ("<a>&#x1F;</a>", 1, 5, "no character"),
            ("<a>&#xD800;</a>", 1, 5, "no character"),
            ("<a>&#xFFFE;</a>", 1, 5, "no character"),
            ("<a>&#x110000;</a>", 1, 5, "no character"),
            ("<a>&#+9;</a>", 1, 5, "no character"),
            ("<a>&#;</a>", 1, 5, "no character"),
            ("<a>&#X41;</a>", 1, 5, "no character"),
            ("<a>&#99999999999999999999;</a>", 1, 5, "no character"),
            ("<a>\u{0}</a>", 1, 4, "control"),
            ("<a b='\u{1}'/>", 1, 7, "control"),
            ("<a>\u{FFFF}</a>", 1, 4, "none"),
            ("<a>]]></a>", 1, 6, "]]>"),
            ("<a><![CDATA[x</a>", 1, 4, ""),
            ("<a><![cdata[x]]></a>", 1, 4, ""),
            ("<a><!-- -- --></a>", 1, 9, ""),
            ("<a><!-- </a>", 1, 4, ""),
            ("<a><? x?></a>", 1, 6, "processing"),
            ("<a><?XML x?></a>", 1, 6, "processing"),
            ("<a><?x </a>", 1, 4, ""),
            (" <?xml version='1.0'?><a/>", 1, 2, "come first"),
            ("<?xml?><a/>", 1, 1, "without a version"),
            ("<?xml encoding='utf-8'?><a/>", 1, 7, "misplaced"),
            ("<?xml version='1.0' version='1.0'?><a/>", 1, 21, "misplaced"),
            ("<?xml version='1.0' standalone='maybe'?><a/>", 1, 21, "standalone"),
            ("\u{FEFF}\u{FEFF}<a/>", 1, 1, "byte order mark"),
            ("<a>\n\n  <b>\n</a>", 4, 1, "expected"),
        ] {
            match refuse(xml.as_bytes(), &Limits::DEFAULT) {
                XmlError::Syntax { line: its_line, column: its_column, message } => {
                    assert_eq!((its_line, its_column), (line, column), "{xml:?}: {message}");
                    assert!(message.contains(words), "{xml:?}: {message}");
                }
                error @ (XmlError::Limit { .. } | XmlError::Forbidden { .. }) => panic!("{xml:?}: {error}"),
            }
        }
    }

    #[test]
    fn what_this_server_does_not_take_is_forbidden() {
        let bomb = "<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>";
        for (xml, what) in [
            (bomb, "a DOCTYPE"),
            ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "a DOCTYPE"),
            ("<!doctype html><a/>", "a DOCTYPE"),
            ("<!DOCTYPE", "a DOCTYPE"),
            ("<a><!DOCTYPE a></a>", "a DOCTYPE"),
            ("<?xml version='1.1'?><a/>", "an XML version other than 1.0"),
            ("<?xml version='1.0' encoding='iso-8859-1'?><a/>", "an encoding other than UTF-8 and UTF-16"),
        ] {
            match refuse(xml.as_bytes(), &Limits::DEFAULT) {
                XmlError::Forbidden { what: its_what, .. } => assert_eq!(its_what, what, "{xml}"),
                error @ (XmlError::Limit { .. } | XmlError::Syntax { .. }) => panic!("{xml:?}: {error}"),
            }
        }
        assert!(Document::parse_fragment(bomb, &Limits::DEFAULT).is_err());
    }

    #[test]
    fn each_limit_holds_and_is_named() {
        let limits = Limits {
            bytes_max: 100,
            depth_max: 3,
            elements_max: 5,
            attributes_max: 3,
            attributes_total_max: 4,
            text_bytes_max: 10,
        };
        for (good, bad, what) in [
            (format!("<a>{}</a>", " ".repeat(10)), format!("<a>{}</a>", " ".repeat(11)), "bytes of text"),
            ("<a>&lt;123456789</a>".into(), "<a>&lt;1234567890</a>".into(), "bytes of text"),
            ("<a>12345<!-- -->67890</a>".into(), "<a>12345<!-- -->678901</a>".into(), "bytes of text"),
            ("<a b='1234567890'/>".into(), "<a b='12345678901'/>".into(), "bytes of text"),
            (format!("<a/>{}", " ".repeat(96)), format!("<a/>{}", " ".repeat(97)), "bytes"),
            ("<a><a><a/></a></a>".into(), "<a><a><a><a/></a></a></a>".into(), "elements inside one another"),
            ("<a><b/><b/><b/><b/></a>".into(), "<a><b/><b/><b/><b/><b/></a>".into(), "elements"),
            ("<a a='' b='' c=''/>".into(), "<a a='' b='' c='' d=''/>".into(), "attributes of one element"),
            ("<a a='' xmlns='' c=''/>".into(), "<a a='' b='' c='' xmlns=''/>".into(), "attributes of one element"),
            ("<a a='' b=''><b c='' d=''/></a>".into(), "<a a='' b=''><b c='' d='' e=''/></a>".into(), "attributes"),
        ] {
            let (good, bad): (String, String) = (good, bad);
            if let Err(error) = Document::parse(good.as_bytes(), &limits) {
                panic!("{good}: {error}");
            }
            for error in
                [refuse(bad.as_bytes(), &limits), Document::parse_fragment(&bad, &limits).expect_err("the limits hold")]
            {
                assert!(matches!(error, XmlError::Limit { what: its_what, .. } if its_what == what), "{bad}: {error}");
            }
        }
    }

    #[test]
    fn default_limits_stop_depth_and_attributes() {
        let deep = "<a>".repeat(10_000);
        assert!(matches!(refuse(deep.as_bytes(), &Limits::DEFAULT), XmlError::Limit { max: 64, column: 193, .. }));
        let mut wide = "<a".to_owned();
        for number in 0..10_000 {
            write!(wide, " b{number}=''").unwrap();
        }
        wide.push_str("/>");
        assert!(matches!(refuse(wide.as_bytes(), &Limits::DEFAULT), XmlError::Limit { max: 64, .. }));
        let wider = Limits { attributes_max: 10_000, ..Limits::DEFAULT };
        assert_eq!(Document::parse(wide.as_bytes(), &wider).unwrap().root().attributes().count(), 10_000);
    }

    #[test]
    fn text_is_what_the_reader_of_it_should_see() {
        for (xml, text) in [
            ("<a/>", ""),
            ("<a></a>", ""),
            ("<a> x\ty\n</a>", " x\ty\n"),
            ("<a>1\r\n2\r3\n\r4\r</a>", "1\n2\n3\n\n4\n"),
            ("<a>&lt;&gt;&amp;&apos;&quot;</a>", "<>&'\""),
            ("<a>&#13;&#xd;&#x1F600;</a>", "\r\r😀"),
            ("<a>x&amp;y</a>", "x&y"),
            ("<a>x<![CDATA[<&]]]]><![CDATA[>]]>y</a>", "x<&]]>y"),
            ("<a><![CDATA[]]></a>", ""),
            ("<a><![CDATA[\r\n]]></a>", "\n"),
            ("<a>x<!-- c -->y<?p i?>z</a>", "xyz"),
            ("<a>x<b>y</b>z</a>", "xz"),
            ("<a>x&amp;<b c='&lt;'/>&gt;</a>", "x&>"),
            ("<a>></a>", ">"),
            ("<a>]] ></a>", "]] >"),
            ("<a>\u{FEFF}</a>", "\u{FEFF}"),
        ] {
            assert_eq!(Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap().root().text(), text, "{xml:?}");
        }
    }

    #[test]
    fn attribute_values_are_normalised() {
        for (xml, value) in [
            ("<a b=''/>", ""),
            ("<a b = \"it's\" />", "it's"),
            ("<a b='\"'\n/>", "\""),
            ("<a b='>'/>", ">"),
            ("<a b=' x\ty\nz '/>", " x y z "),
            ("<a b='x\r\ny\rz\r'/>", "x y z "),
            ("<a b='&#9;&#10;&#13;&lt;&amp;é'/>", "\t\n\r<&é"),
            ("<a c='&amp;' b='&lt;' d='&gt;'/>", "<"),
            ("<a c='1' d='2' e='3' f='4' g='5' h='6' i='7' j='8' k='9' b='10'/>", "10"),
        ] {
            let document = Document::parse(xml.as_bytes(), &Limits::DEFAULT).unwrap();
            assert_eq!(document.root().attribute("b"), Some(value), "{xml:?}");
        }
    }

    #[test]
    fn declarations_that_clients_send_are_taken() {
        for xml in [
            "<?xml version=\"1.0\"?><a/>",
            "<?xml version='1.0' encoding='UTF-8' ?>\n<a/>",
            "<?xml version=\"1.0\" encoding=\"utf-16\" standalone=\"yes\"?><a/>",
            "\u{FEFF}<?xml version=\"1.0\" standalone='no'?><a/><!-- end --> <?end?>\r\n",
        ] {
            if let Err(error) = Document::parse(xml.as_bytes(), &Limits::DEFAULT) {
                panic!("{xml:?}: {error}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Document::parse(&bytes, &Limits::DEFAULT);
        }

        /// Pieces of markup in any order get much further than plain bytes.
        #[test]
        fn any_markup_ends_in_an_answer_that_can_be_written_again(pieces in prop::collection::vec(prop::sample::select(vec![
            "<a>", "</a>", "<b/>", "<p:a xmlns:p='u'>", "</p:a>", "<a xmlns='v'>", "<p:b p:c='&amp;'/>", " xmlns:p='w'",
            "<", ">", "/>", "='", "'", "\"", "&", ";", "&lt;", "&#x20;", "]]>", "<![CDATA[", "<!--", "-->", "<?", "?>",
            "x", " ", "\r\n", "é", "\u{FEFF}", "<?xml version='1.0'?>", "<!DOCTYPE a>", ":", "-", "\u{1}",
        ]), 0..20)) {
            let text = pieces.concat();
            let _ = Document::parse(text.as_bytes(), &Limits::DEFAULT);
            if let Ok(document) = Document::parse_fragment(&text, &Limits::DEFAULT) {
                let written = document.root().to_xml();
                let again = Document::parse_fragment(&written, &Limits::DEFAULT);
                prop_assert!(again.is_ok(), "{text:?} became {written:?}");
                prop_assert_eq!(again.unwrap().root().to_xml(), written);
            }
        }
    }
}
