//! Failures of REST requests: status, code and text. \[MS-CSOMSPT 3.1.4, MS-ODATA 2.2.6.4.1\]

use engine::EngineError;
use http::StatusCode;
use model::Guid;
use store::StoreError;

use crate::code::{Code, Failure};

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct RestError {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// The number at the start of the code.
    pub(crate) code: i32,
    /// The type that follows it, which clients compare.
    pub(crate) kind: &'static str,
    /// For a reader.
    pub(crate) text: String,
}

const ARGUMENT: &str = "System.ArgumentException";
const QUERY: &str = "Microsoft.SharePoint.Client.InvalidClientQueryException";
const SERVICE: &str = "Microsoft.SharePoint.Client.ClientServiceException";
const SHAREPOINT: &str = "Microsoft.SharePoint.SPException";
const UNKNOWN: &str = "Microsoft.SharePoint.Client.ResourceNotFoundException";

impl RestError {
    fn new(status: StatusCode, code: i32, kind: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, kind, text: text.into() }
    }

    /// The path, the options or the body cannot be read.
    pub(crate) fn bad_query(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -1, QUERY, text)
    }

    /// A value that cannot be.
    pub(crate) fn bad_value(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, -1, SERVICE, text)
    }

    /// Nothing has this path.
    pub(crate) fn no_resource(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, -1, UNKNOWN, format!("Cannot find resource for the request {name}."))
    }

    /// The resource does not take this method.
    pub(crate) fn no_method(method: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            -1,
            SERVICE,
            format!("The HTTP method '{method}' is not allowed on this resource."),
        )
    }

    /// There is no such list.
    pub(crate) fn no_list(name: &str, site_url: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            -1,
            ARGUMENT,
            format!("List '{name}' does not exist at site with URL '{site_url}'."),
        )
    }

    /// There is no such item.
    pub(crate) fn no_item() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            -2_130_575_338,
            SHAREPOINT,
            "Item does not exist. It may have been deleted by another user.",
        )
    }

    /// There is no such entry in the recycle bin.
    pub(crate) fn no_entry() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            -2_147_024_809,
            ARGUMENT,
            "The recycle bin item does not exist. It may have been deleted or restored by another user.",
        )
    }

    /// What is deleted goes for good on this server. [List.Recycle, learn.microsoft.com]
    pub(crate) fn no_recycle_bin() -> Self {
        Self::new(StatusCode::BAD_REQUEST, -2_147_024_846, SHAREPOINT, "The recycle bin is not enabled.")
    }

    /// There is no such field.
    pub(crate) fn no_field(name: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            -2_147_024_809,
            ARGUMENT,
            format!("Column '{name}' does not exist. It may have been deleted by another user."),
        )
    }

    /// There is no such view.
    pub(crate) fn no_view() -> Self {
        Self::new(StatusCode::NOT_FOUND, -2_147_024_809, ARGUMENT, "The specified view is invalid.")
    }

    /// There is no such user.
    pub(crate) fn no_user() -> Self {
        Self::new(StatusCode::NOT_FOUND, -2_146_232_832, SHAREPOINT, "User cannot be found.")
    }

    /// There is no such group.
    pub(crate) fn no_group() -> Self {
        Self::new(StatusCode::NOT_FOUND, -2_146_232_832, SHAREPOINT, "Group cannot be found.")
    }

    /// The type has no such property.
    pub(crate) fn no_property(name: &str, of: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            -1,
            QUERY,
            format!("The field or property '{name}' does not exist on type '{of}'."),
        )
    }

    /// The caller meant another version.
    pub(crate) fn stale(given: &str, current: &str) -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            -1,
            SERVICE,
            format!("The request ETag value '{given}' does not match the object's ETag value '{current}'."),
        )
    }

    /// The version the caller meant is outdated; the present one is not at hand.
    pub(crate) fn conflict() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            -2_130_575_305,
            SHAREPOINT,
            "Save Conflict. Your changes conflict with those made concurrently by another user.",
        )
    }

    /// The title of a list is taken.
    pub(crate) fn title_taken() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            -2_130_575_342,
            SHAREPOINT,
            "A list, survey, discussion board, or document library with the specified title already exists in this \
             Web site. Please choose another title.",
        )
    }

    /// The change token cannot be served.
    pub(crate) fn bad_token() -> Self {
        Self::new(StatusCode::BAD_REQUEST, -2_130_575_172, SHAREPOINT, "The changeToken is not valid.")
    }

    /// A refusal of the code that SOAP shares, about the list `name`.
    pub(crate) fn of_failure(failure: Failure, name: &str, site_url: &str) -> Self {
        let text = failure.explain().1;
        match failure {
            Failure::Engine(error) => error.into(),
            Failure::Coded { code, .. } => match code {
                Code::NO_LIST => Self::no_list(name, site_url),
                Code::NO_ITEM => Self::no_item(),
                Code::NO_VIEW => Self::no_view(),
                Code::CONFLICT => Self::conflict(),
                Code::TITLE_TAKEN => Self::title_taken(),
                Code::ACCESS_DENIED => Self { text, ..EngineError::AccessDenied.into() },
                Code(number) => Self::new(StatusCode::BAD_REQUEST, number.cast_signed(), SHAREPOINT, text),
            },
            Failure::Client(_) | Failure::Uncoded(_) => Self::new(StatusCode::BAD_REQUEST, -1, SHAREPOINT, text),
        }
    }
}

impl From<EngineError> for RestError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::AccessDenied | EngineError::Distinguished => Self::new(
                StatusCode::FORBIDDEN,
                -2_147_024_891,
                "System.UnauthorizedAccessException",
                "Access denied. You do not have permission to perform this action or access this resource.",
            ),
            EngineError::NoSite => Self::new(
                StatusCode::NOT_FOUND,
                -2_147_024_894,
                "System.IO.FileNotFoundException",
                "There is no site at this address.",
            ),
            EngineError::NoAccount | EngineError::NoMailbox { .. } => Self::no_user(),
            EngineError::NoCollection(_) => Self::no_list(&Guid::NIL.to_string(), ""),
            EngineError::NoItem(_) => Self::no_item(),
            EngineError::Stale { .. } => Self::conflict(),
            EngineError::NameTaken => Self::new(
                StatusCode::CONFLICT,
                -2_130_575_257,
                SHAREPOINT,
                "A file or folder with this name already exists.",
            ),
            EngineError::Circle => Self::bad_value("A folder cannot be moved into itself."),
            EngineError::InvalidState(_) => Self::bad_token(),
            EngineError::TooLarge(what) => Self::bad_value(format!("The request is too large: {what}.")),
            EngineError::Invalid(what) => Self::bad_value(format!("The request is not valid: {what}.")),
            EngineError::Contended => Self::busy(),
            EngineError::Store(error) => match error {
                StoreError::TryAgain(_) | StoreError::Conflict { .. } => Self::busy(),
                StoreError::NoRoot(_) => EngineError::NoSite.into(),
                StoreError::NoCollection(id) => EngineError::NoCollection(id).into(),
                StoreError::NoItem(_) => Self::no_item(),
                StoreError::TooLarge(what) => EngineError::TooLarge(what).into(),
                StoreError::OutcomeUnknown(_) => Self::unknown(),
                StoreError::Corrupt(_) => Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    -1,
                    SERVICE,
                    "The server cannot complete the request: stored data is damaged.",
                ),
            },
        }
    }
}

impl RestError {
    /// It is not known whether the request was done, or how much of it.
    pub(crate) fn unknown() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            -1,
            SERVICE,
            "It is not known whether the request was done. Read the resource before you repeat it.",
        )
    }

    /// Whether it tells the client to repeat the same.
    pub(crate) fn is_busy(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The server cannot answer now.
    pub(crate) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, -1, SERVICE, "The server is busy. Try again later.")
    }
}
