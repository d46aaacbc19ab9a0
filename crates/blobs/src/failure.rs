//! What may go wrong, by what the caller does next.

use std::io;

use object_store::Error;
use store::StoreError;
use thiserror::Error as ThisError;

use crate::{ObjectName, owner::OWNER_NAME};

/// Why an object store cannot be used as it was named. Nothing was read or written.
#[derive(Debug, ThisError)]
pub enum OpenError {
    /// The address is not one, or says too little. Correct it as the text says.
    #[error("{shown}: {reason}")]
    Address {
        /// The address without parameters and secrets.
        shown: String,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// The folder of `file://` cannot be made or written to.
    #[error("the folder {folder} cannot be used: {error}")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system says.
        error: io::Error,
    },
}

/// Why something could not be done with an object.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
pub enum BlobError {
    /// Busy, full, out of reach, or not allowed: repeat later. What was to be stored may stand there nevertheless, which
    /// harms nothing.
    #[error("the object store is not available: {0}")]
    Unavailable(String),
    /// The content that was to be stored cannot be read, or is not what its hash says. Nothing was stored.
    #[error("what is to be stored cannot be read: {0}")]
    Content(String),
    /// The object is not in its store, though the store is there. It is lost.
    #[error("the object {0} is missing")]
    Missing(ObjectName),
    /// The object is not what was stored. It is lost.
    #[error("the object {0} is not what was stored")]
    Damaged(ObjectName),
    /// The store belongs to another database, or to none though it was used before. Do not write to it.
    #[error("{0}")]
    Foreign(String),
}

/// In one place: what each failure is to whoever uses a store.
impl From<BlobError> for StoreError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Unavailable(_) | BlobError::Content(_) | BlobError::Foreign(_) => {
                Self::TryAgain(error.to_string())
            }
            BlobError::Missing(_) | BlobError::Damaged(_) => Self::Corrupt(error.to_string()),
        }
    }
}

/// What the client of a store says about an attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// Worth repeating.
    Repeat(String),
    /// No object of that name.
    NotThere,
    /// There is one already.
    AlreadyThere,
    /// It does not help to repeat it at once.
    Refused(String),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { .. } => Self::NotThere,
            Error::AlreadyExists { .. } => Self::AlreadyThere,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
                Self::Refused(format!("{error}. It must allow reading, writing, removing and listing"))
            }
            Error::InvalidPath { .. }
            | Error::NotSupported { .. }
            | Error::NotImplemented
            | Error::NotModified { .. }
            | Error::Precondition { .. }
            | Error::UnknownConfigurationKey { .. } => Self::Refused(error.to_string()),
            // Its crate may add more.
            Error::Generic { .. } | Error::JoinError { .. } | _ => Self::Repeat(error.to_string()),
        }
    }
}

impl Attempt {
    /// What it says, for an object store shown as `shown`.
    pub(crate) fn unavailable(self, shown: &str) -> BlobError {
        match self {
            Self::Repeat(reason) | Self::Refused(reason) => BlobError::Unavailable(format!("{shown}: {reason}")),
            Self::NotThere => BlobError::Unavailable(format!("{shown} is not there, or has no object {OWNER_NAME}")),
            Self::AlreadyThere => BlobError::Unavailable(format!("{shown}: the object exists already")),
        }
    }
}
