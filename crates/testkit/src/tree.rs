//! Reading an XML answer by paths of local names.

use std::fmt;

use xml::{Document, Limits, Node};

/// Bounds of an answer: a list of issues has more attributes than a request may have.
const LIMITS: Limits = Limits { attributes_max: 200, ..Limits::DEFAULT };

/// An answer that was read as XML.
pub struct Tree {
    document: Document<'static>,
    source: String,
}

impl Tree {
    /// Reads a document; panics, showing it, where it is not well-formed.
    pub fn parse(text: &str) -> Self {
        let document = Document::parse(text.as_bytes(), &LIMITS)
            .unwrap_or_else(|error| panic!("not well-formed: {error}: {text}"));
        Self { document: document.into_owned(), source: text.to_owned() }
    }

    /// The root element.
    pub fn root(&self) -> Node<'_> {
        self.document.root()
    }

    /// The document as received.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The first element inside the SOAP Body.
    pub fn payload(&self) -> Node<'_> {
        let body = self.root().at("Body");
        body.children().next().unwrap_or_else(|| panic!("an empty body: {}", self.source))
    }

    /// The payload's SOAP fault, if it is one.
    pub fn fault(&self) -> Option<Node<'_>> {
        let payload = self.root().find("Body")?.children().next()?;
        (payload.local() == "Fault").then_some(payload)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.source)
    }
}

/// Steps through elements by local name.
pub trait Reach<'a>: Sized {
    /// The first element at `path`: local names separated by slashes, `*` for any.
    fn find(self, path: &str) -> Option<Node<'a>>;

    /// As [`Self::find`]; panics, showing the element, where there is none.
    fn at(self, path: &str) -> Node<'a>;

    /// The text of the first element at `path`.
    fn value(self, path: &str) -> Option<String>;

    /// All elements with this local name, at any depth, in document order.
    fn all(self, local: &str) -> Vec<Node<'a>>;

    /// The local names of the elements inside, in document order.
    fn names(self) -> Vec<&'a str>;

    /// Local names and texts of the elements inside that hold no elements, in document order.
    fn leaves(self) -> Vec<(&'a str, String)>;
}

impl<'a> Reach<'a> for Node<'a> {
    fn find(self, path: &str) -> Option<Node<'a>> {
        let (step, rest) = path.split_once('/').map_or((path, None), |(step, rest)| (step, Some(rest)));
        let mut matching = self.children().filter(|child| step == "*" || child.local() == step);
        match rest {
            None => matching.next(),
            Some(rest) => matching.find_map(|child| child.find(rest)),
        }
    }

    fn at(self, path: &str) -> Node<'a> {
        self.find(path).unwrap_or_else(|| panic!("no {path} in {}", self.to_xml()))
    }

    fn value(self, path: &str) -> Option<String> {
        self.find(path).map(|node| node.text().into_owned())
    }

    fn all(self, local: &str) -> Vec<Node<'a>> {
        let mut found = Vec::new();
        collect(self, local, &mut found);
        found
    }

    fn names(self) -> Vec<&'a str> {
        self.children().map(Node::local).collect()
    }

    fn leaves(self) -> Vec<(&'a str, String)> {
        let leaf = |node: &Node<'a>| node.children().next().is_none();
        self.children().filter(leaf).map(|node| (node.local(), node.text().into_owned())).collect()
    }
}

fn collect<'a>(node: Node<'a>, local: &str, found: &mut Vec<Node<'a>>) {
    for child in node.children() {
        if child.local() == local {
            found.push(child);
        }
        collect(child, local, found);
    }
}

/// An element and all inside in one form, whatever its prefixes, the order of its attributes and the space between
/// elements: two elements that mean the same give the same text.
pub fn meaning(node: Node<'_>) -> String {
    let mut attributes: Vec<_> =
        node.attributes().map(|(space, name, value)| format!(" {{{space}}}{name}={value:?}")).collect();
    attributes.sort();
    let inside: String = node.children().map(meaning).collect();
    format!("<{{{}}}{}{}>{}{inside}</>\n", node.namespace(), node.local(), attributes.concat(), node.text().trim())
}

/// Text made safe to stand between tags or in a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_find_elements() {
        let tree = Tree::parse("<a xmlns='u'><b/><b><c>1</c></b><d><c>2</c><e><c/></e></d></a>");
        assert_eq!(tree.root().value("b/c").as_deref(), Some("1"));
        assert_eq!(tree.root().value("d/*").as_deref(), Some("2"));
        assert!(tree.root().find("d/x").is_none());
        assert_eq!(tree.root().all("c").len(), 3);
        assert_eq!(tree.root().names(), ["b", "b", "d"]);
        assert_eq!(tree.root().at("d").leaves(), [("c", "2".to_owned())]);
    }
}
