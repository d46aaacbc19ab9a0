//! RFC 5322 messages and iCalendar objects to item properties and back, contacts to vCards, and the files that mail stores keep them in.
//!
//! Pure: the same input gives the same output. This crate must not know a store, the engine, a protocol, a runtime or
//! the system clock. Bytes that come from outside never make it fail: what cannot be read is left out or kept as text.

pub mod address;
pub mod calendar;
mod charset;
mod content_line;
mod field;
mod headers;
pub mod html;
pub mod maildir;
pub mod mbox;
pub mod message;
mod part;
pub mod rtf;
pub mod series;
pub mod text;
mod transfer;
pub mod vcard;
pub mod zone;

/// Runs a parser that is not ours on bytes from outside. `None` where it panicked, so that one odd message cannot take
/// an import down.
fn contained<T>(parser: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(parser)).ok()
}
