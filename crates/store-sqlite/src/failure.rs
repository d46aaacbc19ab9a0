//! What errors of SQLite and of the file system mean to the caller of the port.

use std::io;

use rusqlite::ErrorCode;
use store::StoreError;

/// Why a step of a read or a commit ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// SQLite says so.
    Sql(rusqlite::Error),
    /// The port's rules say so.
    Port(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Port(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Port(StoreError::TryAgain(error.to_string()))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sql(error) => before_commit(&error),
            Failure::Port(error) => error,
        }
    }
}

/// For errors at which nothing was written: of reads, and of writes before their COMMIT.
pub(crate) fn before_commit(error: &rusqlite::Error) -> StoreError {
    // An error without a code comes from reading a column: the row is not what this crate wrote.
    let passing = error.sqlite_error_code().is_some_and(|code| {
        matches!(
            code,
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::SchemaChanged
        )
    });
    if passing { StoreError::TryAgain(error.to_string()) } else { StoreError::Corrupt(error.to_string()) }
}

/// For errors of COMMIT itself. Only where SQLite gave up before the last page of the log was written is it certain
/// that nothing happened; after a failed sync the pages may still reach the medium.
pub(crate) fn at_commit(error: &rusqlite::Error) -> StoreError {
    let certain = error
        .sqlite_error_code()
        .is_some_and(|code| matches!(code, ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::DiskFull));
    if certain { StoreError::TryAgain(error.to_string()) } else { StoreError::OutcomeUnknown(error.to_string()) }
}
