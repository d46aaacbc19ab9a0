//! Failures of requests and their codes on the wire. \[MS-LISTSWS 2.2.4 and per operation\]

use engine::EngineError;
use store::StoreError;

/// An error code as it stands on the wire, for instance `0x82000006`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

impl Code {
    pub(crate) const SUCCESS: Self = Self(0);
    pub(crate) const ACCESS_DENIED: Self = Self(0x8007_0005);
    /// Nothing was done, and the same request may be sent again: ERROR_BUSY as an HRESULT.
    pub(crate) const BUSY: Self = Self(0x8007_00aa);
    /// It is not known what was done: E_FAIL.
    pub(crate) const UNKNOWN_OUTCOME: Self = Self(0x8000_4005);
    pub(crate) const EMPTY_FILE: Self = Self(0x8007_000d);
    pub(crate) const FILE_EXISTS: Self = Self(0x8007_00b7);
    pub(crate) const SCHEMA_LOCKED: Self = Self(0x8007_0666);
    pub(crate) const CANCELLED: Self = Self(0x8007_04c7);
    pub(crate) const TITLE_TAKEN: Self = Self(0x8102_0012);
    pub(crate) const BAD_VALUE: Self = Self(0x8102_0014);
    pub(crate) const CONFLICT: Self = Self(0x8102_0015);
    pub(crate) const NO_ITEM: Self = Self(0x8102_0016);
    pub(crate) const TEMPLATE_EXISTS: Self = Self(0x8102_003c);
    pub(crate) const ATTACHMENT_EXISTS: Self = Self(0x8102_0067);
    pub(crate) const NO_FILE_NAME: Self = Self(0x8102_0073);
    pub(crate) const NO_TEMPLATE: Self = Self(0x8102_007b);
    pub(crate) const NOT_OF_FEATURE: Self = Self(0x8107_2101);
    pub(crate) const BAD_TYPE_NAME: Self = Self(0x8013_1600);
    pub(crate) const TYPE_NAME_TAKEN: Self = Self(0x0000_00b7);
    pub(crate) const BAD_PARAMETER: Self = Self(0x8200_0001);
    pub(crate) const NO_VIEW: Self = Self(0x8200_0005);
    pub(crate) const NO_LIST: Self = Self(0x8200_0006);
    pub(crate) const NO_FIELD: Self = Self(0x8200_0007);
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Failure {
    /// The request is not one of ours, or cannot be read: the client has to repair it.
    #[error("{0}")]
    Client(String),
    /// A refusal with a code that clients know.
    #[error("{text}")]
    Coded {
        /// The code.
        code: Code,
        /// For a reader.
        text: String,
    },
    /// A refusal that has no code.
    #[error("{0}")]
    Uncoded(String),
    /// The domain refused.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Failure {
    pub(crate) fn coded(code: Code, text: impl Into<String>) -> Self {
        Self::Coded { code, text: text.into() }
    }

    pub(crate) fn uncoded(text: impl Into<String>) -> Self {
        Self::Uncoded(text.into())
    }

    /// There is no list of that name or id.
    pub(crate) fn no_list() -> Self {
        Self::coded(
            Code::NO_LIST,
            "List does not exist.\nThe page you selected contains a list that does not exist. It may have been \
             deleted by another user.",
        )
    }

    /// A value that the field does not take.
    pub(crate) fn bad_value(text: impl Into<String>) -> Self {
        Self::coded(Code::BAD_VALUE, text)
    }

    /// What a reader is told, and the code, where there is one.
    pub(crate) fn explain(&self) -> (Option<Code>, String) {
        match self {
            Self::Client(text) | Self::Uncoded(text) => (None, text.clone()),
            Self::Coded { code, text } => (Some(*code), text.clone()),
            Self::Engine(error) => {
                let (code, text) = explain(error);
                (code, text.to_owned())
            }
        }
    }
}

const BUSY: &str = "The server is busy. Try again later.";

/// Seconds after which a client may come again that was told that the server is busy.
pub(crate) const RETRY_AFTER_SECONDS: u16 = 5;

impl Failure {
    /// Whether nothing was done and the same request may be sent again.
    pub(crate) const fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Engine(
                EngineError::Contended | EngineError::Store(StoreError::TryAgain(_) | StoreError::Conflict { .. })
            )
        )
    }
}

/// The code and text of each refusal of the domain.
fn explain(error: &EngineError) -> (Option<Code>, &'static str) {
    match error {
        EngineError::AccessDenied => (Some(Code::ACCESS_DENIED), "Access is denied."),
        EngineError::NoMailbox { .. } => (None, "The mailbox does not exist."),
        EngineError::NoSite => (None, "There is no site at this address."),
        EngineError::NoAccount => (None, "User cannot be found."),
        EngineError::NoCollection(_) => (Some(Code::NO_LIST), "List does not exist."),
        EngineError::NoItem(_) => {
            (Some(Code::NO_ITEM), "Item does not exist. It may have been deleted by another user.")
        }
        EngineError::Stale { .. } => (
            Some(Code::CONFLICT),
            "Your changes conflict with those made concurrently by another user. If you want your changes to be \
             applied, resubmit them.",
        ),
        EngineError::NameTaken => (Some(Code::FILE_EXISTS), "A file or folder with this name already exists."),
        EngineError::Distinguished => (Some(Code::ACCESS_DENIED), "This list cannot be deleted."),
        EngineError::Circle => (None, "A folder cannot be moved into itself."),
        EngineError::InvalidState(_) => (None, "The change token cannot be served."),
        EngineError::TooLarge(_) => (Some(Code::BAD_VALUE), "The request or a value in it is too large."),
        EngineError::Invalid(_) => (Some(Code::BAD_VALUE), "A value in the request is not valid."),
        EngineError::Contended => (Some(Code::BUSY), BUSY),
        EngineError::Store(error) => match error {
            StoreError::TryAgain(_) | StoreError::Conflict { .. } => (Some(Code::BUSY), BUSY),
            StoreError::OutcomeUnknown(_) => (
                Some(Code::UNKNOWN_OUTCOME),
                "It is not known whether the request was done. Look before you repeat it.",
            ),
            StoreError::NoRoot(_) => explain(&EngineError::NoSite),
            StoreError::NoCollection(list) => explain(&EngineError::NoCollection(*list)),
            StoreError::NoItem(item) => explain(&EngineError::NoItem(*item)),
            StoreError::TooLarge(what) => explain(&EngineError::TooLarge(what)),
            StoreError::Corrupt(_) => (None, "The server cannot complete the request: stored data is damaged."),
        },
    }
}
