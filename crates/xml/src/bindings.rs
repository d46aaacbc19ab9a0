//! The namespace declarations that are in scope, while reading and while writing a subtree again.

use std::collections::HashMap;

use crate::document::NO_NAMESPACE;

/// The namespace bindings in scope; looking one up does not depend on how many there are.
#[derive(Debug)]
pub(crate) struct Bindings<'a> {
    current: HashMap<&'a str, u32>,
    /// What each binding replaced, oldest first.
    replaced: Vec<(&'a str, Option<u32>)>,
}

impl<'a> Bindings<'a> {
    /// Only the default prefix is bound: it stands for no namespace.
    pub(crate) fn new() -> Self {
        Self { current: HashMap::from([("", NO_NAMESPACE)]), replaced: Vec::new() }
    }

    /// What [`undo`](Self::undo) needs to come back to now.
    pub(crate) fn mark(&self) -> usize {
        self.replaced.len()
    }

    pub(crate) fn bind(&mut self, prefix: &'a str, namespace: u32) {
        let previous = self.current.insert(prefix, namespace);
        self.replaced.push((prefix, previous));
    }

    pub(crate) fn undo(&mut self, mark: usize) {
        while self.replaced.len() > mark {
            let Some((prefix, previous)) = self.replaced.pop() else { break };
            match previous {
                Some(namespace) => self.current.insert(prefix, namespace),
                None => self.current.remove(prefix),
            };
        }
    }

    pub(crate) fn resolve(&self, prefix: &str) -> Option<u32> {
        self.current.get(prefix).copied()
    }
}
