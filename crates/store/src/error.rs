//! What can go wrong in a store, by what the caller does next.

use model::{CollectionId, ItemId, RootId};

/// A failed store call. Every variant but [`Self::OutcomeUnknown`] means that nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A guard of the commit does not hold. Read again, decide again. `guard` is its index in [`crate::Commit::guards`].
    #[error("guard {guard} of the commit does not hold")]
    Conflict {
        /// Index of the first guard that failed.
        guard: usize,
    },
    /// A write named something that is not there. Read again.
    #[error("root {0} does not exist")]
    NoRoot(RootId),
    /// See [`Self::NoRoot`].
    #[error("collection {0} does not exist")]
    NoCollection(CollectionId),
    /// See [`Self::NoRoot`].
    #[error("item {0} does not exist")]
    NoItem(ItemId),
    /// A request past the bounds of the port; a mistake of the caller. Do not repeat.
    #[error("the store was asked for too much: {0}")]
    TooLarge(&'static str),
    /// Busy, full or out of reach; nothing was written. Repeat later.
    #[error("the store is not available: {0}")]
    TryAgain(String),
    /// The commit may or may not have happened. Look it up by its operation id before repeating.
    #[error("the outcome of the write is unknown: {0}")]
    OutcomeUnknown(String),
    /// Stored data cannot be read. Report it; other data may be fine.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}

/// A part of a store that cannot be worked with now. See [`crate::Store::check`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {part} cannot be used: {reason}")]
pub struct Unready {
    /// Which: a word or two that anybody may read, such as `database`.
    pub part: &'static str,
    /// Why, for the operator alone.
    pub reason: String,
}
