//! What can go wrong in the domain, by what the caller does next.

use model::{BagError, CollectionId, Guid, ItemId, Seq};
use store::StoreError;

/// A failed domain call. Nothing was changed, unless it is [`StoreError::OutcomeUnknown`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The caller may not do this.
    #[error("access denied")]
    AccessDenied,
    /// No such mailbox. `guid` is what was asked for, where it was asked by GUID.
    #[error("no such mailbox")]
    NoMailbox {
        /// The mailbox GUID asked for.
        guid: Option<Guid>,
    },
    /// No such site.
    #[error("no such site")]
    NoSite,
    /// No such account.
    #[error("no such account")]
    NoAccount,
    /// No such folder or list.
    #[error("no such folder or list")]
    NoCollection(CollectionId),
    /// No such item.
    #[error("no such item")]
    NoItem(ItemId),
    /// The version the caller named is not the current one; `current` is.
    #[error("the version is outdated")]
    Stale {
        /// Whose version.
        item: ItemId,
        /// The item's position now.
        current: Seq,
    },
    /// There is one of that name already.
    #[error("the name is taken")]
    NameTaken,
    /// A folder that the mailbox needs cannot be deleted, moved or renamed.
    #[error("a distinguished folder cannot be deleted, moved or renamed")]
    Distinguished,
    /// A folder cannot move under itself.
    #[error("a folder cannot move under itself")]
    Circle,
    /// The token cannot be served; the client starts anew.
    #[error("the token cannot be served: {0}")]
    InvalidState(StateFault),
    /// The caller asked for too much; the text names what.
    #[error("too large: {0}")]
    TooLarge(&'static str),
    /// A value that cannot be; the text names what.
    #[error("invalid: {0}")]
    Invalid(&'static str),
    /// Other writers kept getting in the way. Repeat later.
    #[error("the write met too many conflicts")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// Not a token of ours, or damaged.
    #[error("damaged or foreign")]
    Corrupt,
    /// For something else: another folder, scope, kind or mailbox.
    #[error("for another folder, scope or mailbox")]
    Mismatch,
    /// The history it needs has been trimmed.
    #[error("expired")]
    Expired,
    /// Issued by a later state of a store that has been put back from a copy.
    #[error("from a lost timeline")]
    LostTimeline,
    /// The list was deleted and came back since.
    #[error("from before the list was restored")]
    Restored,
}

impl EngineError {
    /// Whether the same may succeed later.
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Store(StoreError::TryAgain(_) | StoreError::OutcomeUnknown(_)) | Self::Contended)
    }

    /// Whether stored data could not be read. Repeating does not help; other data may be fine.
    pub const fn is_damage(&self) -> bool {
        matches!(self, Self::Store(StoreError::Corrupt(_)))
    }
}

impl From<BagError> for EngineError {
    fn from(error: BagError) -> Self {
        Self::Store(StoreError::Corrupt(error.to_string()))
    }
}
