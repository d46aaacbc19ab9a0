//! MAPI formats: FastTransfer item streams, EntryIDs, global object ids, conversation ids, recurrence patterns and time zones.
//!
//! Pure functions over bytes and [`model`] types. This crate must not know a store, a protocol, a runtime, a clock or
//! a source of chance; it keeps nothing between calls.

pub mod conversation;
pub mod entry_id;
pub mod fasttransfer;
pub mod global_object_id;
pub mod recurrence;
pub mod time_zone;
