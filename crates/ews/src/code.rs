//! Response codes, their texts, and how a failure of the domain becomes one.

use std::borrow::Cow;

use engine::{EngineError, StoreError};

use crate::{fields, folder};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A `ResponseCode` that this server answers with. All are in the published schema.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum ResponseCode { $($name,)* }

        impl ResponseCode {
            /// The name on the wire.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The message text.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    ErrorAccessDenied = "Access is denied. Check credentials and try again.",
    ErrorCalendarIsCancelledForAccept = "Accept is not valid for cancelled calendar items.",
    ErrorCalendarIsCancelledForDecline = "Decline is not valid for cancelled calendar items.",
    ErrorCalendarIsCancelledForTentative = "Tentative accept is not valid for cancelled calendar items.",
    ErrorCalendarIsNotOrganizer = "The operation can only be performed by the organizer of the meeting.",
    ErrorCalendarIsOrganizerForAccept = "Accept is not valid for the organizer.",
    ErrorCalendarIsOrganizerForDecline = "Decline is not valid for the organizer.",
    ErrorCalendarIsOrganizerForRemove = "Remove is not valid for the organizer.",
    ErrorCalendarIsOrganizerForTentative = "Tentative accept is not valid for the organizer.",
    ErrorCalendarMeetingRequestIsOutOfDate = "The meeting request is out of date.",
    ErrorCannotDeleteObject = "The object cannot be deleted.",
    ErrorCannotEmptyFolder = "The folder cannot be emptied.",
    ErrorCannotSetCalendarPermissionOnNonCalendarFolder = "Calendar permissions cannot be set on a folder that is no calendar.",
    ErrorCannotSetNonCalendarPermissionOnCalendarFolder = "A calendar takes calendar permissions only.",
    ErrorCannotOpenFileAttachment = "The attachment could not be opened.",
    ErrorCalendarCannotUseIdForOccurrenceId = "The specified ID does not refer to an item of its own here: it names an occurrence of a series, or is none.",
    ErrorCalendarCannotUseIdForRecurringMasterId = "The specified ID does not name the master of a series.",
    ErrorCalendarInvalidRecurrence = "The recurrence pattern is invalid, or gives no occurrence.",
    ErrorCalendarOccurrenceIndexIsOutOfRecurrenceRange = "Occurrence index is out of recurrence range.",
    ErrorCalendarOccurrenceIsDeletedFromRecurrence = "The occurrence was deleted from the recurrence.",
    ErrorChangeKeyRequiredForWriteOperations = "ChangeKey is required for this operation.",
    ErrorContainsFilterWrongType = "The Contains filter works only for string properties.",
    ErrorCorruptData = "Data is corrupt.",
    ErrorCrossMailboxMoveCopy = "Items cannot be moved or copied between mailboxes.",
    ErrorDataSizeLimitExceeded = "The data size exceeds the limit.",
    ErrorDeleteDistinguishedFolder = "Distinguished folders cannot be deleted.",
    ErrorDuplicateUserIdsSpecified = "The same user is named more than once.",
    ErrorExceededConnectionCount = "You have exceeded the available concurrent connections for your account. Try again once your other requests have completed.",
    ErrorExceededFindCountLimit = "The request finds more items than one answer can deal with; narrow it down.",
    ErrorExceededSubscriptionCount = "The request names more subscriptions than one may.",
    ErrorExpiredSubscription = "The subscription has expired.",
    ErrorFolderExists = "A folder with the specified name already exists.",
    ErrorFolderNotFound = "The specified folder could not be found in the store.",
    ErrorFolderSave = "Folder save failed.",
    ErrorImpersonateUserDenied = "The account does not have permission to impersonate the requested user.",
    ErrorImpersonationFailed = "Exchange impersonation failed.",
    ErrorIncorrectSchemaVersion = "The request is not available in the requested server version.",
    ErrorIncorrectUpdatePropertyCount = "An object within a change description must contain one and only one property to modify.",
    ErrorInternalServerError = "An internal server error occurred. The operation failed.",
    ErrorInternalServerTransientError = "An internal server error occurred. Try again later.",
    ErrorInvalidAttachmentId = "Attachment Id is invalid.",
    ErrorInvalidChangeKey = "The change key is invalid.",
    ErrorInvalidExcludesRestriction = "Excludes restriction is invalid.",
    ErrorInvalidExtendedProperty = "Extended property attributes combination is invalid.",
    ErrorInvalidExtendedPropertyValue = "Extended property value is invalid.",
    ErrorInvalidFolderId = "Id must be a folder Id.",
    ErrorInvalidFolderTypeForOperation = "The folder type is invalid for the requested operation.",
    ErrorInvalidFractionalPagingParameters = "The fractional paging parameters are invalid.",
    ErrorInvalidId = "The Id is invalid.",
    ErrorInvalidIdEmpty = "Id must be non-empty.",
    ErrorInvalidIdMalformed = "Id is malformed.",
    ErrorInvalidIdMalformedEwsLegacyIdFormat = "Id is not in the EwsLegacyId format.",
    ErrorInvalidIdMonikerTooLong = "The moniker of the Id is too long.",
    ErrorInvalidIndexedPagingParameters = "The indexed paging parameters are invalid.",
    ErrorInvalidItemForOperationAcceptItem = "Item is invalid for AcceptItem.",
    ErrorInvalidItemForOperationCancelItem = "Item is invalid for CancelCalendarItem.",
    ErrorInvalidItemForOperationDeclineItem = "Item is invalid for DeclineItem.",
    ErrorInvalidItemForOperationRemoveItem = "Item is invalid for RemoveItem.",
    ErrorInvalidItemForOperationSendItem = "Item is invalid for SendItem.",
    ErrorInvalidItemForOperationTentative = "Item is invalid for TentativelyAcceptItem.",
    ErrorInvalidOperation = "The operation is not available.",
    ErrorInvalidPropertyAppend = "Append action is invalid for property.",
    ErrorInvalidPropertyDelete = "Delete action is invalid for property.",
    ErrorInvalidPropertyForOperation = "Property is not valid for this operation.",
    ErrorInvalidPropertyRequest = "Property is not valid for this object type.",
    ErrorInvalidPropertySet = "Set action is invalid for property.",
    ErrorInvalidPullSubscriptionId = "The subscription is not one that is asked for events.",
    ErrorInvalidPushSubscriptionUrl = "The URL of the push subscription is invalid.",
    ErrorInvalidRecipients = "At least one recipient is invalid.",
    ErrorInvalidReferenceItem = "The reference item is not valid for this operation.",
    ErrorInvalidRequest = "The request is invalid.",
    ErrorInvalidSendItemSaveSettings = "A folder to save in is not valid where the item is not to be saved.",
    ErrorInvalidServerVersion = "The specified server version is invalid.",
    ErrorInvalidSubscription = "Subscription is invalid.",
    ErrorInvalidSubscriptionRequest = "The subscription request is invalid.",
    ErrorInvalidSyncStateData = "Synchronization state data is corrupt or otherwise invalid.",
    ErrorInvalidUserInfo = "The user information is invalid.",
    ErrorInvalidUserSid = "The SID is invalid.",
    ErrorInvalidValueForProperty = "The specified value is invalid for property.",
    ErrorInvalidWatermark = "The watermark is invalid.",
    ErrorIrresolvableConflict = "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.",
    ErrorItemNotFound = "The specified object was not found in the store.",
    ErrorMessageDispositionRequired = "Message disposition is required.",
    ErrorMessageSizeExceeded = "The message exceeds the maximum supported size.",
    ErrorMimeContentInvalidBase64String = "Mime content is not a valid base64 string.",
    ErrorMissingInformationReferenceItemId = "The reference item id is missing.",
    ErrorMissingRecipients = "There are no recipients.",
    ErrorMissingUserIdInformation = "The user is not named.",
    ErrorMoveCopyFailed = "The move or copy operation failed.",
    ErrorMoveDistinguishedFolder = "Distinguished folders cannot be moved.",
    ErrorNonExistentMailbox = "Mailbox does not exist.",
    ErrorObjectTypeChanged = "The object type changed.",
    ErrorQueryFilterTooLong = "The query filter is too long.",
    ErrorReadReceiptNotPending = "No read receipt is pending.",
    ErrorRestrictionTooComplex = "The restriction is too complex.",
    ErrorSavedItemFolderNotFound = "The folder to save the item in could not be found.",
    ErrorSchemaValidation = "The request failed schema validation.",
    ErrorSendAsDenied = "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.",
    ErrorSendMeetingCancellationsRequired = "SendMeetingCancellations attribute is required for calendar items.",
    ErrorSendMeetingInvitationsOrCancellationsRequired = "SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
    ErrorSendMeetingInvitationsRequired = "SendMeetingInvitations attribute is required for calendar items.",
    ErrorStaleObject = "The current ChangeKey is required for this operation.",
    ErrorSubscriptionAccessDenied = "The subscription belongs to another account.",
    ErrorSubscriptionNotFound = "The subscription was not found.",
    ErrorSyncFolderNotFound = "The folder to be synchronized could not be found.",
    ErrorToFolderNotFound = "The destination folder could not be found.",
    ErrorUnsupportedMimeConversion = "Mime conversion is not supported for this item type.",
    ErrorServerBusy = "The server cannot service this request right now. Try again later.",
    ErrorTimeZone = "The time zone is not known.",
    ErrorUnsupportedPathForQuery = "The property can not be used with this type of restriction.",
    ErrorUnsupportedPathForSortGroup = "The property can not be used for sorting or grouping results.",
    ErrorUnsupportedQueryFilter = "The query filter is not supported.",
    ErrorUpdatePropertyMismatch = "The property of the update is not the one that its path names.",
}

/// Why one response message is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) code: ResponseCode,
    /// The text; that of the code where nothing better is known.
    pub(crate) text: Cow<'static, str>,
    /// `Value` elements of `MessageXml`, by name.
    pub(crate) values: Vec<(&'static str, String)>,
    /// Field URIs that `MessageXml` names.
    pub(crate) fields: Vec<String>,
}

impl Failure {
    /// A failure with the text of its code.
    pub(crate) const fn new(code: ResponseCode) -> Self {
        Self { code, text: Cow::Borrowed(code.text()), values: Vec::new(), fields: Vec::new() }
    }

    /// A failure with a text of its own.
    pub(crate) fn text(code: ResponseCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), ..Self::new(code) }
    }

    /// A failure about a field, which the message names where it has a name of its own.
    pub(crate) fn field(code: ResponseCode, uri: &str) -> Self {
        let named = fields::find(uri).is_some() || folder::is_field(uri);
        Self { fields: named.then(|| uri.to_owned()).into_iter().collect(), ..Self::new(code) }
    }

    /// It is not known whether it was done, or how much of it.
    pub(crate) fn unknown() -> Self {
        Self::text(
            ResponseCode::ErrorInternalServerError,
            "It is not known whether the operation was done. Look before you repeat it.",
        )
    }

    /// Whether it tells the client to repeat the same.
    pub(crate) const fn invites(&self) -> bool {
        matches!(self.code, ResponseCode::ErrorServerBusy | ResponseCode::ErrorInternalServerTransientError)
    }

    /// The same failure; where it says that a folder is not there, the code of a synchronised folder.
    pub(crate) fn of_sync(self) -> Self {
        if self.code == ResponseCode::ErrorFolderNotFound {
            Self::new(ResponseCode::ErrorSyncFolderNotFound)
        } else {
            self
        }
    }
}

impl From<ResponseCode> for Failure {
    fn from(code: ResponseCode) -> Self {
        Self::new(code)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        use ResponseCode as Code;
        // Damage stays however often the client asks, so the code must not invite it to.
        if error.is_damage() {
            tracing::error!(%error, "stored data is damaged");
            return Self::new(Code::ErrorCorruptData);
        }
        match error {
            EngineError::AccessDenied => Self::new(Code::ErrorAccessDenied),
            EngineError::NoMailbox { guid: Some(guid) } => Self {
                values: vec![("MailboxGuid", guid.to_string())],
                ..Self::text(Code::ErrorNonExistentMailbox, "No mailbox with such guid.")
            },
            EngineError::NoMailbox { guid: None } | EngineError::NoAccount | EngineError::NoSite => {
                Self::new(Code::ErrorNonExistentMailbox)
            }
            EngineError::NoCollection(_) => Self::new(Code::ErrorFolderNotFound),
            EngineError::NoItem(_) => Self::new(Code::ErrorItemNotFound),
            EngineError::Stale { .. } => Self::new(Code::ErrorIrresolvableConflict),
            EngineError::NameTaken => Self::new(Code::ErrorFolderExists),
            EngineError::Distinguished => Self::new(Code::ErrorDeleteDistinguishedFolder),
            EngineError::Circle => Self::new(Code::ErrorMoveCopyFailed),
            EngineError::InvalidState(_) => Self::new(Code::ErrorInvalidSyncStateData),
            EngineError::TooLarge(what) => Self::text(
                Code::ErrorMessageSizeExceeded,
                format!("{} ({what})", Code::ErrorMessageSizeExceeded.text()),
            ),
            EngineError::Invalid(what) => {
                Self::text(Code::ErrorInvalidRequest, format!("The request is invalid: {what}."))
            }
            EngineError::Contended => Self::new(Code::ErrorInternalServerTransientError),
            EngineError::Store(error) => {
                tracing::error!(%error, "the store failed");
                error.into()
            }
        }
    }
}

/// How long a client should wait when the store is out of reach. Clients read it as a number of milliseconds [ews.md 1].
const BACK_OFF_MILLISECONDS: u32 = 5_000;

impl From<StoreError> for Failure {
    /// What a client may repeat as it is, it is told to; what may have been done already, it is not: those codes are not
    /// among the ones that clients repeat of their own accord.
    fn from(error: StoreError) -> Self {
        use ResponseCode as Code;
        match error {
            StoreError::TryAgain(_) => Self {
                values: vec![("BackOffMilliseconds", BACK_OFF_MILLISECONDS.to_string())],
                ..Self::new(Code::ErrorServerBusy)
            },
            StoreError::Conflict { .. } => Self::new(Code::ErrorInternalServerTransientError),
            StoreError::OutcomeUnknown(_) => Self::unknown(),
            StoreError::NoRoot(_) => Self::new(Code::ErrorNonExistentMailbox),
            StoreError::NoCollection(_) => Self::new(Code::ErrorFolderNotFound),
            StoreError::NoItem(_) => Self::new(Code::ErrorItemNotFound),
            StoreError::TooLarge(what) => EngineError::TooLarge(what).into(),
            StoreError::Corrupt(_) => Self::new(Code::ErrorCorruptData),
        }
    }
}

impl From<model::BagError> for Failure {
    fn from(error: model::BagError) -> Self {
        EngineError::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_schema() {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/schemas/ews/messages.xsd");
        let Ok(schema) = std::fs::read_to_string(schema) else {
            eprintln!("skipped: no schema at {schema}");
            return;
        };
        for code in ResponseCode::ALL {
            assert!(schema.contains(&format!("enumeration value=\"{}\"", code.name())), "{}", code.name());
        }
    }
}
