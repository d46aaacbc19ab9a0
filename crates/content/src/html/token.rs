//! The tokens of HTML, as the HTML standard divides it. Must not know what becomes of them.

use std::borrow::Cow;

use mail_parser::decoders::html::add_html_token;

use crate::contained;

/// Attributes of one tag that are looked at.
const ATTRIBUTES_MAX: usize = 200;
/// Characters of a character reference.
const REFERENCE_CHARS_MAX: usize = 32;

/// A piece of HTML.
#[derive(Debug)]
pub(super) enum Token<'h> {
    /// Text with its character references as they are.
    Text(&'h str),
    /// A start or end tag.
    Tag(Tag<'h>),
    /// A comment, a declaration, or a broken tag.
    Other,
}

/// A tag.
#[derive(Debug)]
pub(super) struct Tag<'h> {
    /// In lower case.
    pub(super) name: String,
    pub(super) closing: bool,
    /// Names in lower case; values with their character references as they are.
    pub(super) attributes: Vec<(String, Option<&'h str>)>,
}

/// Reads tokens one after the other.
pub(super) struct Tokens<'h> {
    rest: &'h str,
}

impl<'h> Tokens<'h> {
    pub(super) const fn new(html: &'h str) -> Self {
        Self { rest: html }
    }

    pub(super) fn next(&mut self) -> Option<Token<'h>> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = self.rest;
        let Some(inner) = rest.strip_prefix('<') else {
            return Some(Token::Text(self.take(rest.find('<').unwrap_or(rest.len()))));
        };
        if let Some(comment) = inner.strip_prefix("!--") {
            self.rest = after_comment(comment);
            return Some(Token::Other);
        }
        let (name, closing) = inner.strip_prefix('/').map_or((inner, false), |name| (name, true));
        if name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Some(self.tag(name, closing));
        }
        if closing || inner.starts_with(['!', '?']) {
            self.rest = inner.split_once('>').map_or("", |(_, rest)| rest);
            return Some(Token::Other);
        }
        // A sign that opens nothing is text, together with what follows.
        let end = inner.find('<').map_or(rest.len(), |end| end + 1);
        Some(Token::Text(self.take(end)))
    }

    /// Skips to behind the end tag of a raw text element and returns what it holds.
    pub(super) fn skip_raw_text(&mut self, name: &str) -> &'h str {
        let mut at = 0;
        while let Some(found) = self.rest.get(at..).and_then(|rest| rest.find("</")) {
            let end = at + found;
            let tail = self.rest.get(end + 2..).unwrap_or_default();
            let matches = tail.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
            let ended = tail.get(name.len()..).is_some_and(|rest| rest.starts_with(is_space_or(&['/', '>'])));
            if matches && ended {
                let raw = self.take(end);
                self.next();
                return raw;
            }
            at = end + 2;
        }
        self.take(self.rest.len())
    }

    fn take(&mut self, length: usize) -> &'h str {
        let (head, rest) = self.rest.split_at(length);
        self.rest = rest;
        head
    }

    fn tag(&mut self, text: &'h str, closing: bool) -> Token<'h> {
        let end = text.find(is_space_or(&['/', '>'])).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut attributes = Vec::new();
        loop {
            rest = rest.trim_start_matches(is_space_or(&['/']));
            if let Some(behind) = rest.strip_prefix('>') {
                self.rest = behind;
                return Token::Tag(Tag { name: name.to_ascii_lowercase(), closing, attributes });
            }
            if rest.is_empty() {
                // The document ends inside the tag, which is then none.
                self.rest = "";
                return Token::Other;
            }
            // An equals sign at the start belongs to the name.
            let first = rest.chars().next().map_or(0, char::len_utf8);
            let tail = rest.get(first..).unwrap_or_default();
            let end = tail.find(is_space_or(&['/', '>', '='])).map_or(rest.len(), |end| end + first);
            let (attribute, tail) = rest.split_at(end);
            rest = tail;
            let mut value = None;
            if let Some(after) = rest.trim_start_matches(is_space_or(&[])).strip_prefix('=') {
                let after = after.trim_start_matches(is_space_or(&[]));
                let (text, tail) = attribute_value(after);
                value = Some(text);
                rest = tail;
            }
            if attributes.len() < ATTRIBUTES_MAX {
                attributes.push((attribute.to_ascii_lowercase(), value));
            }
        }
    }
}

fn attribute_value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner.split_once(quote).unwrap_or((inner, ""));
        }
    }
    text.split_at(text.find(is_space_or(&['>'])).unwrap_or(text.len()))
}

fn after_comment(comment: &str) -> &str {
    for short in [">", "->"] {
        if let Some(rest) = comment.strip_prefix(short) {
            return rest;
        }
    }
    let mut rest = comment;
    while let Some((_, tail)) = rest.split_once("--") {
        if let Some(behind) = tail.strip_prefix('>').or_else(|| tail.strip_prefix("!>")) {
            return behind;
        }
        // The second sign may open the mark that ends the comment.
        rest = rest.get(rest.len() - tail.len() - 1..).unwrap_or_default();
    }
    ""
}

fn is_space_or(others: &[char]) -> impl Fn(char) -> bool {
    move |character| matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0c') || others.contains(&character)
}

/// Whether the content of the element is no HTML.
pub(super) fn is_raw_text(name: &str) -> bool {
    ["script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript"].contains(&name)
}

/// Text with its character references resolved; unknown ones stay. Numbers need no semicolon.
pub(super) fn decode_references(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (head, tail) = rest.split_at(at);
        out.push_str(head);
        let (resolved, length) = reference(tail).unwrap_or_else(|| ("&".to_owned(), 1));
        out.push_str(&resolved);
        rest = tail.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that a reference at the start of `text` names, and the length of the reference.
fn reference(text: &str) -> Option<(String, usize)> {
    let body = text.strip_prefix('&')?;
    if let Some(number) = body.strip_prefix('#') {
        let (digits, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |digits| (digits, 16));
        let count = digits.bytes().take_while(|byte| char::from(*byte).is_digit(radix)).count();
        let digits_text = digits.get(..count).filter(|digits| !digits.is_empty())?;
        let code = u32::from_str_radix(digits_text, radix).unwrap_or(u32::MAX);
        let character = char::from_u32(code).filter(|character| *character != '\0').unwrap_or('\u{fffd}');
        let length = text.len() - digits.len() + count;
        let semicolon = text.get(length..).is_some_and(|rest| rest.starts_with(';'));
        return Some((character.to_string(), length + usize::from(semicolon)));
    }
    let length = body.bytes().take(REFERENCE_CHARS_MAX).position(|byte| !byte.is_ascii_alphanumeric())?;
    let name = text.get(..length + 2).filter(|name| length > 0 && name.ends_with(';'))?;
    contained(|| {
        let mut out = String::new();
        add_html_token(&mut out, name.as_bytes(), false);
        (out != name).then_some(out)
    })
    .flatten()
    .map(|out| (out, name.len()))
}
