//! Streaming XML writing, bounded XML reading of requests, and SOAP envelopes.
//!
//! This crate knows syntax only. It must not know an operation, an element name outside SOAP, a mailbox or a list, and
//! it imports nothing else of the workspace.
//!
//! - [`Document`] reads a request wholly, within [`Limits`], into an arena of [`Node`]s.
//! - [`Writer`] writes an answer front to back; the buffer may be drained between elements.
//! - [`soap`] holds what both SOAP versions share.

mod bindings;
mod decode;
mod document;
mod error;
mod escape;
mod limits;
mod name;
mod parse;
pub mod soap;
mod spool;
mod writer;

pub use document::{Attributes, Children, Document, Node};
pub use error::XmlError;
pub use limits::Limits;
pub use name::{decode_name, encode_name};
pub use spool::{Aside, Spooler};
pub use writer::Writer;

/// The namespace of attributes such as `xml:lang`, bound to the prefix `xml` in every document.
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
