//! Start tags: attributes, the namespaces that they declare, and the names that these resolve.

use std::collections::{HashMap, HashSet};

use super::{Form, Parser, is_space};
use crate::XML_NAMESPACE;
use crate::document::{AttributeRecord, Content, ElementRecord, NO_NAMESPACE, Name, Span, slice};
use crate::error::{Failure, narrow};
use crate::name::is_nc_name;

/// The namespace of `xmlns` itself, which nothing may be bound to.
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
/// Up to so many attributes are compared pair by pair, more through a hash set.
const PAIRWISE_ATTRIBUTES_MAX: usize = 8;

/// Offsets of an attribute's name and of its value within the quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawAttribute {
    pub(super) name: (usize, usize),
    pub(super) value: (usize, usize),
    prefix_bytes: usize,
}

impl<'p> Parser<'p> {
    /// Takes a start tag that begins at `begin`; `end` is where its `>` or `/>` stands.
    pub(super) fn start(&mut self, begin: usize, end: usize) -> Result<(), Failure> {
        if self.form == Form::Document && self.open.is_empty() && !self.arena.nodes.is_empty() {
            return Err(Failure::syntax(begin, "a second root element"));
        }
        if self.open.len() >= self.limits.depth_max {
            return Err(Failure::limit(begin, "elements inside one another", self.limits.depth_max));
        }
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            return Err(Failure::limit(begin, "elements", self.limits.elements_max));
        }
        let name_end = self.skip_until(begin + 1, end, is_space);
        let prefix_bytes = self.check_name(begin + 1, name_end)?;
        let mark = self.bindings.mark();
        self.read_attributes(name_end, end)?;
        self.declare_namespaces()?;
        let name = self.resolve(begin + 1, name_end, prefix_bytes, Some(""))?;
        let attributes = self.store_attributes()?;
        let content = Content::Element(ElementRecord { offset: narrow(begin), name, attributes });
        let index = self.push_node(content);
        self.open.push((index, mark));
        Ok(())
    }

    /// Reads the attributes between `at` and `end` into `self.raw`.
    fn read_attributes(&mut self, mut at: usize, end: usize) -> Result<(), Failure> {
        self.raw.clear();
        while let Some(mut attribute) = self.next_attribute(&mut at, end)? {
            let start = attribute.name.0;
            if self.raw.len() >= self.limits.attributes_max {
                return Err(Failure::limit(start, "attributes of one element", self.limits.attributes_max));
            }
            self.attributes_total += 1;
            if self.attributes_total > self.limits.attributes_total_max {
                return Err(Failure::limit(start, "attributes", self.limits.attributes_total_max));
            }
            attribute.prefix_bytes = self.check_name(start, attribute.name.1)?;
            self.raw.push(attribute);
        }
        Ok(())
    }

    /// The attribute that follows `at`, which is moved behind it.
    pub(super) fn next_attribute(&self, at: &mut usize, end: usize) -> Result<Option<RawAttribute>, Failure> {
        let start = self.skip_until(*at, end, |byte| !is_space(byte));
        if start == end {
            return Ok(None);
        }
        if start == *at {
            return Err(Failure::syntax(start, "white space is missing before an attribute"));
        }
        let name_end = self.skip_until(start, end, |byte| is_space(byte) || byte == b'=');
        let equals = self.skip_until(name_end, end, |byte| !is_space(byte));
        if equals == end || self.byte(equals) != Some(b'=') {
            return Err(Failure::syntax(name_end, "an attribute without a value"));
        }
        let open_quote = self.skip_until(equals + 1, end, |byte| !is_space(byte));
        let Some(quote @ (b'"' | b'\'')) = self.byte(open_quote) else {
            return Err(Failure::syntax(open_quote, "an attribute value without quotes"));
        };
        let value_start = open_quote + 1;
        let rest = self.source.as_bytes().get(value_start..end).unwrap_or_default();
        let Some(value_bytes) = memchr::memchr(quote, rest) else {
            return Err(Failure::syntax(open_quote, "an attribute value whose quote is not closed"));
        };
        let value_end = value_start + value_bytes;
        *at = value_end + 1;
        Ok(Some(RawAttribute { name: (start, name_end), value: (value_start, value_end), prefix_bytes: 0 }))
    }

    /// Binds the prefixes that the start tag at hand declares, and takes the declarations out of `self.raw`.
    fn declare_namespaces(&mut self) -> Result<(), Failure> {
        let raw = std::mem::take(&mut self.raw);
        let mut declared = Vec::new();
        for attribute in &raw {
            let Some(prefix) = self.declared_prefix(attribute) else { continue };
            let start = attribute.name.0;
            declared.push((NO_NAMESPACE, prefix));
            let pool_bytes = self.arena.pool.len();
            let value = self.value(attribute.value)?;
            let uri = match value {
                Span::Source(start, end) => slice(self.source, start, end),
                Span::Pool(start, end) => slice(&self.arena.pool, start, end),
            };
            if prefix == "xmlns" || uri == XMLNS_NAMESPACE || (prefix == "xml") != (uri == XML_NAMESPACE) {
                return Err(Failure::syntax(start, "a reserved prefix or namespace is declared"));
            }
            if prefix == "xml" {
                continue;
            }
            let uri = (self.normalise)(uri);
            if uri.is_empty() && !prefix.is_empty() {
                return Err(Failure::syntax(start, "a prefix is bound to no namespace"));
            }
            let index = intern(&mut self.namespaces, &mut self.arena.namespaces, uri);
            self.arena.pool.truncate(pool_bytes);
            self.bindings.bind(prefix, index);
        }
        if repeats(&declared) {
            let start = raw.first().map_or(0, |attribute| attribute.name.0);
            return Err(Failure::syntax(start, "a prefix is declared twice"));
        }
        self.raw = raw;
        Ok(())
    }

    /// The prefix that this attribute declares, if it declares one; "" is the default.
    fn declared_prefix(&self, attribute: &RawAttribute) -> Option<&'p str> {
        let name = self.source.get(attribute.name.0..attribute.name.1)?;
        match name.strip_prefix("xmlns")? {
            "" => Some(""),
            rest => rest.strip_prefix(':'),
        }
    }

    /// Moves the attributes of the start tag at hand into the arena and gives their range.
    fn store_attributes(&mut self) -> Result<(u32, u32), Failure> {
        let raw = std::mem::take(&mut self.raw);
        let first = narrow(self.arena.attributes.len());
        let mut names = Vec::with_capacity(raw.len());
        for attribute in &raw {
            if self.declared_prefix(attribute).is_some() {
                continue;
            }
            let name = self.resolve(attribute.name.0, attribute.name.1, attribute.prefix_bytes, None)?;
            let value = self.value(attribute.value)?;
            names.push((name.namespace, name.local(self.source)));
            self.arena.attributes.push(AttributeRecord { name, value });
        }
        if repeats(&names) {
            let start = raw.first().map_or(0, |attribute| attribute.name.0);
            return Err(Failure::syntax(start, "an attribute is given twice"));
        }
        self.raw = raw;
        Ok((first, narrow(self.arena.attributes.len())))
    }

    /// Looks up the namespace of a name; where it has no prefix, that of `default`, or none.
    fn resolve(&self, start: usize, end: usize, prefix_bytes: usize, default: Option<&str>) -> Result<Name, Failure> {
        let prefix = if prefix_bytes == 0 { default } else { self.source.get(start..start + prefix_bytes) };
        let namespace = match prefix {
            None => NO_NAMESPACE,
            Some(prefix) => {
                let Some(namespace) = self.bindings.resolve(prefix) else {
                    return Err(Failure::syntax(start, "a prefix that is not declared"));
                };
                namespace
            }
        };
        Ok(Name { start: narrow(start), end: narrow(end), prefix_bytes: narrow(prefix_bytes), namespace })
    }

    /// Checks a qualified name and gives the bytes of its prefix.
    fn check_name(&self, start: usize, end: usize) -> Result<usize, Failure> {
        let name = self.source.get(start..end).unwrap_or_default();
        let (prefix, local) = match name.split_once(':') {
            None => ("", name),
            Some((prefix, local)) if is_nc_name(prefix) => (prefix, local),
            Some(_) => return Err(Failure::syntax(start, "a prefix that is no name")),
        };
        if is_nc_name(local) { Ok(prefix.len()) } else { Err(Failure::syntax(start, "a name that is none")) }
    }

    /// The value of an attribute: references resolved, each white space a space.
    fn value(&mut self, (start, end): (usize, usize)) -> Result<Span, Failure> {
        if end - start > self.limits.text_bytes_max {
            return Err(Failure::limit(start, "bytes of text", self.limits.text_bytes_max));
        }
        let plain = |byte: &u8| !matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r');
        let bytes = self.source.as_bytes().get(start..end).unwrap_or_default();
        if bytes.iter().all(plain) {
            return Ok(Span::Source(narrow(start), narrow(end)));
        }
        let pool_start = self.arena.pool.len();
        let mut at = start;
        while at < end {
            let run_end = self.skip_until(at, end, |byte| !plain(&byte));
            self.arena.pool.push_str(self.source.get(at..run_end).unwrap_or_default());
            at = run_end;
            match self.byte(at) {
                _ if at == end => {}
                Some(b'&') => {
                    let rest = self.source.as_bytes().get(at..end).unwrap_or_default();
                    let Some(semicolon) = memchr::memchr(b';', rest) else {
                        return Err(Failure::syntax(at, "a reference that is not closed"));
                    };
                    let character = self.reference(at + 1, at + semicolon)?;
                    self.arena.pool.push(character);
                    at += semicolon + 1;
                }
                Some(b'<') => return Err(Failure::syntax(at, "`<` in an attribute value")),
                byte => {
                    let pair = byte == Some(b'\r') && at + 1 < end && self.byte(at + 1) == Some(b'\n');
                    self.arena.pool.push(' ');
                    at += if pair { 2 } else { 1 };
                }
            }
        }
        Ok(Span::Pool(narrow(pool_start), narrow(self.arena.pool.len())))
    }
}

/// The index of a namespace in `list`, to which it is added where it is new.
pub(super) fn intern(indexes: &mut HashMap<Box<str>, u32>, list: &mut Vec<Box<str>>, namespace: &str) -> u32 {
    if let Some(index) = indexes.get(namespace) {
        return *index;
    }
    let index = narrow(list.len());
    list.push(namespace.into());
    indexes.insert(namespace.into(), index);
    index
}

/// Whether a name occurs twice.
fn repeats(names: &[(u32, &str)]) -> bool {
    if names.len() > PAIRWISE_ATTRIBUTES_MAX {
        let mut seen = HashSet::with_capacity(names.len());
        return !names.iter().all(|name| seen.insert(*name));
    }
    names.iter().enumerate().any(|(at, name)| names.iter().skip(at + 1).any(|other| other == name))
}
