//! RFC 5322 messages to items and back.
//!
//! [`parse`] keeps the message itself in `mime`, so that it can be given out byte for byte; [`render`] builds one from
//! the properties where there is none.

mod body;
mod envelope;
mod render;
mod submit;

use bytes::Bytes;
use model::{ItemContent, Time, Value, limits, tags};

pub(crate) use envelope::{add_recipients, set_author, set_sender, set_subject};
pub use render::{Render, render};
pub(crate) use render::{author, recipient};
pub use submit::{headers, submitted};

use crate::part::Part;

/// What [`parse`] has to know besides the message.
#[derive(Clone, Copy, Debug)]
pub struct Import {
    /// When the message was delivered, for messages that do not say it themselves.
    pub received: Option<Time>,
    /// The time now: creation and last modification of the item.
    pub now: Time,
}

/// Reads a message into an item that keeps it.
///
/// Never fails: what cannot be read is left out, and bytes that are no message become the text of one. Recipients,
/// attachments and messages inside one another are bounded by [`model::limits`]; what lies beyond is in `mime` only.
pub fn parse(mime: Bytes, context: &Import) -> ItemContent {
    read(mime, context, limits::EMBED_DEPTH_MAX)
}

/// Reads a message in which messages lie inside one another up to `depth` times.
fn read(mime: Bytes, context: &Import, depth: usize) -> ItemContent {
    let part = Part::read(&mime);
    let mut item = ItemContent::default();
    envelope::read(&part.headers, context, &mut item);
    body::read(&part, context, depth, &mut item);
    envelope::complete(&mut item);
    let size = i32::try_from(mime.len()).unwrap_or(i32::MAX);
    item.bag.set(tags::MESSAGE_SIZE, Value::I32(size));
    item.mime = Some(mime);
    item
}

/// Tags that only conversion knows.
mod own {
    use model::PropertyKey;

    /// PidTagPriority, I32: -1 not urgent, 0 normal, 1 urgent.
    pub(super) const PRIORITY: PropertyKey = PropertyKey::Tag(0x0026);
}

#[cfg(test)]
mod tests;
