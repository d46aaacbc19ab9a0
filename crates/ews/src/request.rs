//! Reading request elements: what the schema demands, as values or as the fault that it is not so.
//!
//! Elements are found by local name: clients differ in which of our namespaces they write inside (see `quirk`).

use xml::Node;

use crate::{Fault, MESSAGES, TYPES};

/// The child of that name.
pub(crate) fn required<'a>(node: Node<'a>, name: &str) -> Result<Node<'a>, Fault> {
    node.child_local(name).ok_or_else(|| {
        Fault::schema(
            node,
            node.local(),
            &format!("it has incomplete content. List of possible elements expected: '{name}'."),
        )
    })
}

/// Checks that an element and all inside it are of one of our namespaces. Costs its elements.
///
/// Which of the two is not looked at: clients differ (see `quirk`).
pub(crate) fn namespaces(node: Node<'_>) -> Result<(), Fault> {
    if node.namespace() != MESSAGES {
        return Err(misplaced(node));
    }
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        for child in node.children() {
            if ![TYPES, MESSAGES].contains(&child.namespace()) {
                return Err(misplaced(child));
            }
            open.push(child);
        }
    }
    Ok(())
}

/// Checks that an element holds only elements of those names.
pub(crate) fn known_children(node: Node<'_>, names: &[&str]) -> Result<(), Fault> {
    match node.children().find(|child| !names.contains(&child.local())) {
        Some(unknown) => Err(misplaced(unknown)),
        None => Ok(()),
    }
}

fn misplaced(node: Node<'_>) -> Fault {
    let name: String = node.local().chars().take(NAME_CHARS_MAX).collect();
    let namespace: String = node.namespace().chars().take(NAME_CHARS_MAX).collect();
    Fault::schema(node, &format!("{namespace}:{name}"), "This element is not expected here.")
}

/// Characters of an unknown name that are repeated in a fault.
const NAME_CHARS_MAX: usize = 100;

/// The only element inside.
pub(crate) fn only(node: Node<'_>) -> Result<Node<'_>, Fault> {
    node.children().next().ok_or_else(|| Fault::schema(node, node.local(), "it has incomplete content."))
}

/// A required attribute.
pub(crate) fn attribute<'a>(node: Node<'a>, name: &str) -> Result<&'a str, Fault> {
    node.attribute(name)
        .ok_or_else(|| Fault::schema(node, node.local(), &format!("The required attribute '{name}' is missing.")))
}

/// An `xs:boolean`.
pub(crate) fn boolean(node: Node<'_>) -> Result<bool, Fault> {
    let text = node.text();
    parse_boolean(&text)
        .ok_or_else(|| Fault::value(node, &text, "xs:boolean", "The string is not a valid Boolean value."))
}

/// The lexical forms of `xs:boolean`.
pub(crate) fn parse_boolean(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// An optional `xs:boolean` child.
pub(crate) fn boolean_child(node: Node<'_>, name: &str) -> Result<Option<bool>, Fault> {
    node.child_local(name).map(boolean).transpose()
}

/// An `xs:int` within bounds.
pub(crate) fn integer(node: Node<'_>, min: i32, max: i32) -> Result<i32, Fault> {
    let text = node.text();
    bounded(node, &text, min, max)
}

/// An attribute that is an `xs:int` within bounds.
pub(crate) fn integer_attribute(node: Node<'_>, name: &str, min: i32, max: i32) -> Result<Option<i32>, Fault> {
    node.attribute(name).map(|text| bounded(node, text, min, max)).transpose()
}

fn bounded(node: Node<'_>, text: &str, min: i32, max: i32) -> Result<i32, Fault> {
    let Ok(number) = text.trim().parse::<i32>() else {
        return Err(Fault::value(node, text, "xs:int", "The string is not a valid Int32 value."));
    };
    if number < min {
        return Err(Fault::value(node, text, "xs:int", "The MinInclusive constraint failed."));
    }
    if number > max {
        return Err(Fault::value(node, text, "xs:int", "The MaxInclusive constraint failed."));
    }
    Ok(number)
}

/// One of the values of an enumeration.
pub(crate) fn enumeration<T: Copy>(
    node: Node<'_>,
    text: &str,
    datatype: &str,
    values: &[(&str, T)],
) -> Result<T, Fault> {
    let text = text.trim();
    let found = values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    found.ok_or_else(|| Fault::value(node, text, datatype, "The Enumeration constraint failed."))
}

/// The elements of a batch; at least one, and not more than a batch may hold.
pub(crate) fn batch(node: Node<'_>) -> Result<Vec<Node<'_>>, Fault> {
    let children: Vec<Node<'_>> = node.children().take(model::limits::BATCH_IDS_MAX + 1).collect();
    if children.is_empty() {
        return Err(Fault::schema(node, node.local(), "it has incomplete content."));
    }
    if children.len() > model::limits::BATCH_IDS_MAX {
        return Err(Fault::schema(node, node.local(), "it has more entries than one request may hold."));
    }
    Ok(children)
}
