//! Why a document was refused.

use std::borrow::Cow;

use thiserror::Error;

/// Why a document was refused; lines and columns start at 1, columns count bytes of UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlError {
    /// The bytes are not well-formed XML with namespaces: the sender has to repair them.
    #[error("malformed xml at line {line}, column {column}: {message}")]
    Syntax {
        /// Line of the fault.
        line: u32,
        /// Column of the fault.
        column: u32,
        /// What is wrong, in lower case.
        message: Cow<'static, str>,
    },
    /// A bound of [`Limits`](crate::Limits) was passed: the sender has to ask for less at once.
    #[error("more than {max} {what} at line {line}, column {column}")]
    Limit {
        /// What is bounded, in the plural.
        what: &'static str,
        /// The bound that was passed.
        max: usize,
        /// Line where the bound was passed.
        line: u32,
        /// Column where the bound was passed.
        column: u32,
    },
    /// Something that XML allows and this server does not, such as a DOCTYPE: it will never be accepted.
    #[error("{what} is not accepted (line {line}, column {column})")]
    Forbidden {
        /// What is not accepted.
        what: &'static str,
        /// Line where it stands.
        line: u32,
        /// Column where it stands.
        column: u32,
    },
}

impl XmlError {
    /// Line and column, both from 1, at which reading stopped.
    pub fn position(&self) -> (u32, u32) {
        match self {
            Self::Syntax { line, column, .. }
            | Self::Limit { line, column, .. }
            | Self::Forbidden { line, column, .. } => (*line, *column),
        }
    }
}

/// An [`XmlError`] whose place is still a byte offset; lines are counted once, when reading has failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) offset: usize,
    pub(crate) reason: Reason,
}

/// What an [`XmlError`] says besides its place.
#[derive(Debug)]
pub(crate) enum Reason {
    Syntax(Cow<'static, str>),
    Limit { what: &'static str, max: usize },
    Forbidden(&'static str),
}

impl Failure {
    pub(crate) fn syntax(offset: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self { offset, reason: Reason::Syntax(message.into()) }
    }

    pub(crate) fn limit(offset: usize, what: &'static str, max: usize) -> Self {
        Self { offset, reason: Reason::Limit { what, max } }
    }

    pub(crate) fn forbidden(offset: usize, what: &'static str) -> Self {
        Self { offset, reason: Reason::Forbidden(what) }
    }

    /// Counts the lines of `source` up to the failure.
    pub(crate) fn locate(self, source: &[u8]) -> XmlError {
        let before = source.get(..self.offset).unwrap_or(source);
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let line = narrow(memchr::memchr_iter(b'\n', before).count() + 1);
        let column = narrow(before.len() - line_start + 1);
        match self.reason {
            Reason::Syntax(message) => XmlError::Syntax { line, column, message },
            Reason::Limit { what, max } => XmlError::Limit { what, max, line, column },
            Reason::Forbidden(what) => XmlError::Forbidden { what, line, column },
        }
    }
}

/// Sources are below 4 GiB, see [`Limits::bytes_max`](crate::Limits::bytes_max), so nothing is lost here.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
