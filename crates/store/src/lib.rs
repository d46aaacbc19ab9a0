//! The store port: what the engine asks of a store, and how a store proves itself.
//!
//! A store keeps roots; a root keeps collections; a collection keeps items. A write is one [`Commit`] on one root: it
//! happens wholly or not at all, and is durable when it is acknowledged. A read is a [`Snapshot`] of one root: all its
//! answers are of one moment. This crate must not know a protocol or a business rule.
//!
//! # Positions
//! `seq` is a counter of the root, taken inside the writing transaction while the root's row is locked, so positions
//! become visible in order. Each [`Write`] that changes something visible takes one position. Every item stands once,
//! at the position of its latest change (`seq`); `created_seq` never moves while the item stays in its scope and
//! collection, nor when it comes back under its old id; `content_seq` is the latest position at which more than the read flag changed.

mod commit;
mod error;
mod keys;
mod rows;
mod snapshot;
mod transfer;
mod waiting;

pub mod battery;
pub mod counting;
pub mod faulty;
pub mod memory;
pub mod receipt;
pub mod watched;

pub use commit::{
    CollectionRef, Commit, Guard, ItemChange, NameTarget, NewItem, NewItemId, PartChange, PartData, Receipt, Write,
    WriteReceipt,
};
pub use error::{StoreError, Unready};
pub use keys::{Direction, FieldKey, ItemRef, KeyRange};
pub use rows::{
    ChangeRow, CollectionRow, Epoch, ItemRow, Page, PartInfo, RootKind, RootRow, Span, Tombstone, TombstoneKind, Want,
};
pub use snapshot::{Snapshot, Store};
pub use transfer::{TransferKey, TransferLimit, TransferRoom, TransferRow, TransferTotals, check_load};
pub use waiting::{Listener, Waiters};
