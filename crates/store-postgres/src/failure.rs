//! What errors of the database mean for whoever asked it.

use std::time::Duration;

use store::StoreError;
use tokio_postgres::{Error, error::Severity};

/// Why a step of a read or a commit ended early, by what the caller does next.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// There was no answer, or the last one of a session that ends. Throw the session away. A COMMIT that was under way
    /// may have happened; everything else of an open transaction has not. Repeat with a new session.
    #[error("{0}")]
    Lost(String),
    /// The database rolled the transaction back because of others. Repeat it, the session is sound.
    #[error("{0}")]
    Repeat(String),
    /// A row is there already that was to be new. Nothing was written, the session is sound.
    #[error("{0}")]
    Taken(String),
    /// The database will not: full, overloaded, locked, or it took too long. Nothing was written.
    #[error("{0}")]
    Unavailable(String),
    /// The port's rules say so, or what was read is damaged. Nothing was written.
    #[error(transparent)]
    Port(StoreError),
}

impl Failure {
    /// No answer to a read in time: the session is to be condemned, and there is no time to repeat it.
    pub(crate) fn no_answer(patience: Duration) -> Self {
        Self::Unavailable(format!("the database did not answer within {} s", patience.as_secs_f32()))
    }

    /// Whether the same may go well with another session, or after a while.
    pub(crate) const fn may_pass(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Repeat(_) => true,
            Self::Taken(_) | Self::Unavailable(_) | Self::Port(_) => false,
        }
    }

    /// A row that this crate did not write.
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Port(StoreError::Corrupt(what.into()))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Port(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(text) | Failure::Repeat(text) | Failure::Taken(text) | Failure::Unavailable(text) => {
                Self::TryAgain(text)
            }
            Failure::Port(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = describe(&error);
        let Some(answer) = error.as_db_error() else { return Self::Lost(text) };
        // After anything worse than an error the session is over, and whether a COMMIT came before it is not said.
        match answer.parsed_severity() {
            Some(Severity::Fatal | Severity::Panic) => return Self::Lost(text),
            Some(
                Severity::Error
                | Severity::Warning
                | Severity::Notice
                | Severity::Debug
                | Severity::Info
                | Severity::Log,
            )
            | None => {}
        }
        by_code(answer.code().code(), text)
    }
}

/// The failure of an error with this SQLSTATE (PostgreSQL, appendix A) that ended its transaction and nothing else.
fn by_code(code: &str, text: String) -> Failure {
    match code {
        // A serialization failure, a deadlock; a transaction that another engine asks to be repeated.
        "40001" | "40P01" | "40000" => Failure::Repeat(text),
        "23505" => Failure::Taken(text),
        // "Statement completion unknown"; no connection; the server shuts down or starts; it has become a standby; the
        // statements of this session are of another schema or of another session behind a pooler.
        "40003" | "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25006" | "26000" | "0A000" => Failure::Lost(text),
        // A transaction that cannot go on, or is not there: the session is not in the state that it should be in.
        "25P01" | "25P02" | "25P03" | "25001" => Failure::Lost(text),
        // Cancelled (also by a timeout), locked, no memory, disk full, not permitted, no such table (any more).
        "57014" | "55P03" | "55006" | "42501" | "42P01" | "3F000" | "3D000" => Failure::Unavailable(text),
        code if code.starts_with("08") => Failure::Lost(text),
        code if ["53", "54", "58", "28"].iter().any(|class| code.starts_with(class)) => Failure::Unavailable(text),
        _ => Failure::damaged(text),
    }
}

/// The message with its code; tokio-postgres says "db error" and keeps the rest to itself.
pub(crate) fn describe(error: &Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return format!("{} ({})", answer.message(), answer.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_what_is_done_next() {
        let class = |code| match by_code(code, String::new()) {
            Failure::Lost(_) => "lost",
            Failure::Repeat(_) => "repeat",
            Failure::Taken(_) => "taken",
            Failure::Unavailable(_) => "unavailable",
            Failure::Port(StoreError::Corrupt(_)) => "corrupt",
            Failure::Port(_) => "port",
        };
        let expected = [
            ("40001", "repeat"),
            ("40P01", "repeat"),
            ("23505", "taken"),
            ("08006", "lost"),
            ("57P01", "lost"),
            ("57P03", "lost"),
            ("25006", "lost"),
            ("53100", "unavailable"),
            ("53300", "unavailable"),
            ("55P03", "unavailable"),
            ("57014", "unavailable"),
            ("28P01", "unavailable"),
            ("XX001", "corrupt"),
            ("22P02", "corrupt"),
        ];
        for (code, means) in expected {
            assert_eq!(class(code), means, "{code}");
        }
    }
}
