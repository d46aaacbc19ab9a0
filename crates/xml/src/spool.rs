//! Documents on their way in, whose largest texts are put aside so that the rest is small.

use std::io;

use memchr::memchr;

/// Bytes of one tag, comment, instruction or CDATA section; behind a longer one nothing is put aside.
const MARKUP_BYTES_MAX: usize = 64 << 10;
/// Bytes of a reference to a character, with its `&` and without its `;`.
const REFERENCE_BYTES_MAX: usize = 12;

/// Where texts go that are put aside.
pub trait Aside {
    /// Takes a piece of a text, cut anywhere. References are resolved, except that a named one is its `&` alone.
    ///
    /// # Errors
    /// Where there is no room for it.
    fn text(&mut self, piece: &[u8]) -> io::Result<()>;

    /// Ends a text; gives what stands in the document in its place, in characters that need no escape.
    ///
    /// # Errors
    /// Where there is no room for it.
    fn end(&mut self) -> io::Result<String>;
}

/// Copies a document that comes in pieces, but for the texts of elements at one path that are longer than a bound:
/// those go to an [`Aside`].
///
/// It judges nothing: what is not well-formed is copied, so that the parser sees and refuses it. Only UTF-8 and encodings
/// that agree with it in ASCII are understood; others are copied. Costs the document; in memory what it copies, and
/// beside it at most the bound, 64 KiB and the piece at hand.
///
/// A text that is put aside may have comments and instructions in it, which are dropped, and short CDATA sections. An
/// element or a long section in it ends it with a `!`; what follows is copied.
#[derive(Debug)]
pub struct Spooler<A> {
    path: &'static [&'static str],
    text_bytes_max: usize,
    aside: A,
    document: Vec<u8>,
    mode: Mode,
    /// A tag or the like as far as it has come.
    markup: Vec<u8>,
    /// The quotation mark that is open in it.
    quote: Option<u8>,
    /// Elements that are open.
    depth: usize,
    /// How many of them, from the root on, are those of the path.
    matched: usize,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Text,
    Markup,
    /// Nothing is understood any more.
    Verbatim,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// Not at the path, or where nothing can be put aside.
    Copied,
    /// At the path, with the text so far.
    Held(Vec<u8>),
    /// At the path, in a text that is put aside; with the reference that has begun, or nothing.
    Aside(Vec<u8>),
}

impl<A: Aside> Spooler<A> {
    /// Puts aside texts of more than `text_bytes_max` bytes in elements at `path`: local names from the root on, in
    /// whatever namespace.
    pub const fn new(path: &'static [&'static str], text_bytes_max: usize, aside: A) -> Self {
        Self {
            path,
            text_bytes_max,
            aside,
            document: Vec::new(),
            mode: Mode::Text,
            markup: Vec::new(),
            quote: None,
            depth: 0,
            matched: 0,
            place: Place::Copied,
        }
    }

    /// Takes a piece of the document, cut anywhere.
    ///
    /// # Errors
    /// Those of the [`Aside`].
    pub fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut rest = piece;
        while !rest.is_empty() {
            match self.mode {
                Mode::Verbatim => {
                    self.document.extend_from_slice(rest);
                    return Ok(());
                }
                Mode::Text => {
                    let (text, more) = rest.split_at(memchr(b'<', rest).unwrap_or(rest.len()));
                    self.text(text)?;
                    rest = more;
                    if let Some((b'<', more)) = rest.split_first() {
                        self.markup.push(b'<');
                        self.quote = None;
                        self.mode = Mode::Markup;
                        rest = more;
                    }
                }
                Mode::Markup => rest = self.markup(rest)?,
            }
        }
        Ok(())
    }

    /// Ends the document; gives the copy, and where the rest went.
    ///
    /// # Errors
    /// Those of the [`Aside`].
    pub fn finish(mut self) -> io::Result<(Vec<u8>, A)> {
        self.stop()?;
        Ok((self.document, self.aside))
    }

    /// Takes markup to its end, and gives what follows it.
    fn markup<'x>(&mut self, piece: &'x [u8]) -> io::Result<&'x [u8]> {
        let mut rest = piece;
        while let Some((byte, more)) = rest.split_first() {
            self.markup.push(*byte);
            rest = more;
            match self.ends(*byte) {
                Some(true) => {
                    self.mode = Mode::Text;
                    let markup = std::mem::take(&mut self.markup);
                    self.element(&markup)?;
                    self.markup = markup;
                    self.markup.clear();
                    return Ok(rest);
                }
                Some(false) if self.markup.len() < MARKUP_BYTES_MAX => {}
                Some(false) | None => {
                    self.stop()?;
                    self.mode = Mode::Verbatim;
                    return Ok(rest);
                }
            }
        }
        Ok(rest)
    }

    /// Whether the markup ends with this byte; none where it is a document type, which is not understood.
    fn ends(&mut self, byte: u8) -> Option<bool> {
        const COMMENT: &[u8] = b"<!--";
        const SECTION: &[u8] = b"<![CDATA[";
        let markup = self.markup.as_slice();
        if markup.starts_with(b"<!") {
            let is = |open: &[u8]| markup.starts_with(open) || open.starts_with(markup);
            return match () {
                () if is(COMMENT) => Some(markup.len() > 6 && markup.ends_with(b"-->")),
                () if is(SECTION) => Some(markup.ends_with(b"]]>")),
                () => None,
            };
        }
        if markup.starts_with(b"<?") {
            return Some(markup.len() > 3 && markup.ends_with(b"?>"));
        }
        match (self.quote, byte) {
            (Some(open), byte) if open == byte => self.quote = None,
            (None, b'"' | b'\'') => self.quote = Some(byte),
            (None, b'>') => return Some(true),
            (None | Some(_), _) => {}
        }
        Some(false)
    }

    fn text(&mut self, text: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Copied => self.document.extend_from_slice(text),
            Place::Held(held) => {
                held.extend_from_slice(text);
                if held.len() > self.text_bytes_max {
                    let held = std::mem::take(held);
                    self.place = Place::Aside(Vec::new());
                    self.spool(&held)?;
                }
            }
            Place::Aside(_) => self.spool(text)?,
        }
        Ok(())
    }

    /// Puts text aside, with its references resolved.
    fn spool(&mut self, text: &[u8]) -> io::Result<()> {
        let Place::Aside(reference) = &mut self.place else { return Ok(()) };
        let mut rest = text;
        while !rest.is_empty() {
            if reference.is_empty() {
                let (plain, more) = rest.split_at(memchr(b'&', rest).unwrap_or(rest.len()));
                self.aside.text(plain)?;
                rest = more;
            }
            while let Some((byte, more)) = rest.split_first() {
                rest = more;
                if *byte == b';' || reference.len() > REFERENCE_BYTES_MAX {
                    let character = resolve(reference).unwrap_or('&');
                    self.aside.text(character.encode_utf8(&mut [0; 4]).as_bytes())?;
                    reference.clear();
                    break;
                }
                reference.push(*byte);
            }
        }
        Ok(())
    }

    /// A tag, comment, instruction or section.
    fn element(&mut self, markup: &[u8]) -> io::Result<()> {
        let section = markup.strip_prefix(b"<![CDATA[").and_then(|rest| rest.strip_suffix(b"]]>"));
        if section.is_some() || matches!(markup, [b'<', b'!' | b'?', ..]) {
            if matches!(self.place, Place::Aside(_)) {
                return self.aside.text(section.unwrap_or_default());
            }
            self.stop()?;
            self.document.extend_from_slice(markup);
            return Ok(());
        }
        let at_path = self.depth == self.path.len() && self.matched == self.depth;
        if markup.starts_with(b"</") {
            if at_path {
                self.put_down(b"")?;
            }
            self.depth = self.depth.saturating_sub(1);
            self.matched = self.matched.min(self.depth);
            self.document.extend_from_slice(markup);
            return Ok(());
        }
        self.stop()?;
        self.document.extend_from_slice(markup);
        if !markup.ends_with(b"/>") {
            if self.matched == self.depth
                && self.path.get(self.depth).is_some_and(|name| local(markup) == name.as_bytes())
            {
                self.matched += 1;
            }
            self.depth += 1;
            if self.matched == self.depth && self.depth == self.path.len() {
                self.place = Place::Held(Vec::new());
            }
        }
        Ok(())
    }

    /// Puts nothing aside any more of the text at hand, and copies what has come of markup.
    fn stop(&mut self) -> io::Result<()> {
        self.put_down(b"!")?;
        self.document.append(&mut self.markup);
        Ok(())
    }

    /// Ends the text at hand; one that was put aside gets an end.
    fn put_down(&mut self, end: &[u8]) -> io::Result<()> {
        match std::mem::replace(&mut self.place, Place::Copied) {
            Place::Copied => {}
            Place::Held(held) => self.document.extend_from_slice(&held),
            Place::Aside(reference) => {
                self.aside.text(if reference.is_empty() { end } else { b"&" })?;
                self.document.extend_from_slice(self.aside.end()?.as_bytes());
            }
        }
        Ok(())
    }
}

/// The local name in a start tag.
fn local(tag: &[u8]) -> &[u8] {
    let name = tag.get(1..).unwrap_or_default();
    let name = name.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')).next().unwrap_or_default();
    name.rsplit(|byte| *byte == b':').next().unwrap_or_default()
}

/// The character of a numeric reference, which comes without its `;`.
fn resolve(reference: &[u8]) -> Option<char> {
    let digits = std::str::from_utf8(reference).ok()?.strip_prefix("&#")?;
    let number = match digits.strip_prefix('x') {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    char::from_u32(number.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Texts(Vec<String>, String);

    impl Aside for Texts {
        fn text(&mut self, piece: &[u8]) -> io::Result<()> {
            self.1.push_str(std::str::from_utf8(piece).unwrap());
            Ok(())
        }

        fn end(&mut self) -> io::Result<String> {
            self.0.push(std::mem::take(&mut self.1));
            Ok(format!("[{}]", self.0.len()))
        }
    }

    fn spool(document: &str, step: usize) -> (String, Vec<String>) {
        let mut spooler = Spooler::new(&["e", "b", "Data"], 8, Texts::default());
        for piece in document.as_bytes().chunks(step) {
            spooler.push(piece).unwrap();
        }
        let (copy, texts) = spooler.finish().unwrap();
        (String::from_utf8(copy).unwrap(), texts.0)
    }

    #[test]
    fn long_texts_at_the_path_are_put_aside_however_the_document_is_cut() {
        let section = format!("<e><b><Data><![CDATA[{}]]></Data></b></e>", "A".repeat(MARKUP_BYTES_MAX));
        let cases: &[(&str, &str, &[&str])] = &[
            // Several, with prefixes and attributes; short ones and those elsewhere stay.
            (
                "<?xml version=\"1.0\"?><s:e xmlns:s='>'><b><t:Data a=\"</b>\">0123456789</t:Data><Data>01234567</Data>\
                 <Data >abcdefghijk</Data ><Other>0123456789</Other></b><Data>0123456789</Data></s:e>",
                "<?xml version=\"1.0\"?><s:e xmlns:s='>'><b><t:Data a=\"</b>\">[1]</t:Data><Data>01234567</Data>\
                 <Data >[2]</Data ><Other>0123456789</Other></b><Data>0123456789</Data></s:e>",
                &["0123456789", "abcdefghijk"],
            ),
            // References, comments, instructions and sections in a long text.
            (
                "<e><b><Data>01234567&#13;\n89<!-- <x> -->&#x41;<?p >?><![CDATA[<B>]]>C</Data></b></e>",
                "<e><b><Data>[1]</Data></b></e>",
                &["01234567\r\n89A<B>C"],
            ),
            ("<e><b><Data>0123456789&amp;a</Data></b></e>", "<e><b><Data>[1]</Data></b></e>", &["0123456789&a"]),
            ("<e><b><Data>0123456789&#1</Data></b></e>", "<e><b><Data>[1]</Data></b></e>", &["0123456789&"]),
            // At the start they leave the text where it is.
            ("<e><b><Data><!-- c -->0123456789</Data></b></e>", "<e><b><Data><!-- c -->0123456789</Data></b></e>", &[]),
            (
                "<e><b><Data><![CDATA[0123456789]]></Data></b></e>",
                "<e><b><Data><![CDATA[0123456789]]></Data></b></e>",
                &[],
            ),
            // Elements inside, in short and in long texts.
            (
                "<e><b><Data>01<i>0123456789</i>0123456789</Data><Data/><Data>0123456789<i/>0123456789</Data></b></e>",
                "<e><b><Data>01<i>0123456789</i>0123456789</Data><Data/><Data>[1]<i/>0123456789</Data></b></e>",
                &["0123456789!"],
            ),
            // Comments are no elements, wherever they stand.
            (
                "<!-- <e><b> --><e><!--><b>--><b><![CDATA[</b>]]><Data>0123456789</Data></b></e>",
                "<!-- <e><b> --><e><!--><b>--><b><![CDATA[</b>]]><Data>[1]</Data></b></e>",
                &["0123456789"],
            ),
            // What breaks off, closes what is not open, or has a document type, is for the parser.
            ("<e><b><Data>0123456789", "<e><b><Data>[1]", &["0123456789!"]),
            ("<e><b><Data>0123456789</Da", "<e><b><Data>[1]</Da", &["0123456789!"]),
            ("<e><b><Data>01234", "<e><b><Data>01234", &[]),
            ("</e></e><e><b><Data>0123456789</Data>", "</e></e><e><b><Data>[1]</Data>", &["0123456789"]),
            (
                "<!DOCTYPE e><e><b><Data>0123456789</Data></b></e>",
                "<!DOCTYPE e><e><b><Data>0123456789</Data></b></e>",
                &[],
            ),
            (&section, &section, &[]),
        ];
        for (document, copy, texts) in cases {
            let steps = if document.len() > 1_000 { vec![7, 4_096] } else { (1..=document.len()).collect() };
            for step in steps {
                assert_eq!(
                    spool(document, step),
                    ((*copy).to_owned(), texts.iter().map(|t| (*t).to_owned()).collect())
                );
            }
        }
    }
}
