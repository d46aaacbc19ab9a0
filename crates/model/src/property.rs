//! Names of properties: MAPI tags, MAPI named properties, and list fields.

use std::borrow::Cow;

use crate::Guid;

/// The name of a property. Sorts tags first, then LIDs, then names, then list fields.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyKey {
    /// A MAPI property id below 0x8000 (the high word of a property tag). The type lives in the value.
    Tag(u16),
    /// A MAPI named property: set and LID.
    Lid(Guid, u32),
    /// A MAPI named property: set and name.
    Name(Guid, Cow<'static, str>),
    /// A field of a list, by internal name.
    Field(Cow<'static, str>),
}

/// A [`PropertyKey`] that borrows from an encoded bag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyRef<'a> {
    /// See [`PropertyKey::Tag`].
    Tag(u16),
    /// See [`PropertyKey::Lid`].
    Lid(Guid, u32),
    /// See [`PropertyKey::Name`].
    Name(Guid, &'a str),
    /// See [`PropertyKey::Field`].
    Field(&'a str),
}

impl PropertyKey {
    /// A list field.
    pub fn field(name: impl Into<String>) -> Self {
        Self::Field(Cow::Owned(name.into()))
    }

    /// A named property with a name of its own.
    pub fn name(set: Guid, name: impl Into<String>) -> Self {
        Self::Name(set, Cow::Owned(name.into()))
    }

    /// The borrowed form.
    pub fn as_ref(&self) -> KeyRef<'_> {
        match self {
            Self::Tag(tag) => KeyRef::Tag(*tag),
            Self::Lid(set, lid) => KeyRef::Lid(*set, *lid),
            Self::Name(set, name) => KeyRef::Name(*set, name),
            Self::Field(name) => KeyRef::Field(name),
        }
    }
}

impl KeyRef<'_> {
    /// The owned form.
    pub fn to_key(self) -> PropertyKey {
        match self {
            Self::Tag(tag) => PropertyKey::Tag(tag),
            Self::Lid(set, lid) => PropertyKey::Lid(set, lid),
            Self::Name(set, name) => PropertyKey::name(set, name),
            Self::Field(name) => PropertyKey::field(name),
        }
    }
}

/// Property sets of MAPI (MS-OXPROPS 1.3.2).
pub mod sets {
    use crate::Guid;

    const TAIL: [u8; 8] = [0xc0, 0, 0, 0, 0, 0, 0, 0x46];
    /// PS_MAPI.
    pub const MAPI: Guid = Guid::new(0x0002_0328, 0, 0, TAIL);
    /// PS_PUBLIC_STRINGS.
    pub const PUBLIC_STRINGS: Guid = Guid::new(0x0002_0329, 0, 0, TAIL);
    /// PS_INTERNET_HEADERS.
    pub const INTERNET_HEADERS: Guid = Guid::new(0x0002_0386, 0, 0, TAIL);
    /// PSETID_Appointment.
    pub const APPOINTMENT: Guid = Guid::new(0x0006_2002, 0, 0, TAIL);
    /// PSETID_Task.
    pub const TASK: Guid = Guid::new(0x0006_2003, 0, 0, TAIL);
    /// PSETID_Address.
    pub const ADDRESS: Guid = Guid::new(0x0006_2004, 0, 0, TAIL);
    /// PSETID_Common.
    pub const COMMON: Guid = Guid::new(0x0006_2008, 0, 0, TAIL);
    /// PSETID_Note.
    pub const NOTE: Guid = Guid::new(0x0006_200e, 0, 0, TAIL);
    /// PSETID_Log (journal).
    pub const LOG: Guid = Guid::new(0x0006_200a, 0, 0, TAIL);
    /// PSETID_Meeting.
    pub const MEETING: Guid = Guid::new(0x6ed8_da90, 0x450b, 0x101b, [0x98, 0xda, 0, 0xaa, 0, 0x3f, 0x13, 0x05]);
    /// PSETID_Sharing.
    pub const SHARING: Guid = Guid::new(0x0006_2040, 0, 0, TAIL);
    /// PSETID_UnifiedMessaging.
    pub const UNIFIED_MESSAGING: Guid =
        Guid::new(0x4442_858e, 0xa9e3, 0x4e80, [0xb9, 0, 0x31, 0x7a, 0x21, 0x0c, 0xc1, 0x5b]);
    /// PSETID_CalendarAssistant.
    pub const CALENDAR_ASSISTANT: Guid =
        Guid::new(0x1100_0e07, 0xb51b, 0x40d6, [0xaf, 0x21, 0xca, 0xa8, 0x5e, 0xda, 0xb1, 0xd0]);
    /// Highwater's own properties, which never leave the server.
    pub const HIGHWATER: Guid =
        Guid::new(0x7a4c_91e2, 0x3b5d, 0x4f18, [0x9c, 0x06, 0x48, 0x69, 0x67, 0x68, 0x77, 0x61]);
}

/// MAPI property ids used by more than one crate (MS-OXPROPS).
pub mod tags {
    use super::PropertyKey;

    macro_rules! tags {
        ($($(#[$doc:meta])* $name:ident = $id:literal,)*) => {
            $($(#[$doc])* pub const $name: PropertyKey = PropertyKey::Tag($id);)*
        };
    }

    tags! {
        /// PidTagImportance, I32: 0 low, 1 normal, 2 high.
        IMPORTANCE = 0x0017,
        /// PidTagMessageClass, Text.
        MESSAGE_CLASS = 0x001a,
        /// PidTagOriginatorDeliveryReportRequested, Bool.
        DELIVERY_REPORT_REQUESTED = 0x0023,
        /// PidTagReadReceiptRequested, Bool.
        READ_RECEIPT_REQUESTED = 0x0029,
        /// PidTagSensitivity, I32: 0 normal, 1 personal, 2 private, 3 confidential.
        SENSITIVITY = 0x0036,
        /// PidTagSubject, Text.
        SUBJECT = 0x0037,
        /// PidTagClientSubmitTime, Time.
        CLIENT_SUBMIT_TIME = 0x0039,
        /// PidTagSentRepresentingSearchKey, Binary.
        SENT_REPRESENTING_SEARCH_KEY = 0x003b,
        /// PidTagSubjectPrefix, Text.
        SUBJECT_PREFIX = 0x003d,
        /// PidTagReceivedByName, Text.
        RECEIVED_BY_NAME = 0x0040,
        /// PidTagSentRepresentingName, Text: From.
        SENT_REPRESENTING_NAME = 0x0042,
        /// PidTagReceivedRepresentingName, Text.
        RECEIVED_REPRESENTING_NAME = 0x0044,
        /// PidTagReplyRecipientEntries, Binary (FlatEntryList of one-off entries).
        REPLY_RECIPIENT_ENTRIES = 0x004f,
        /// PidTagReplyRecipientNames, Text; names joined by `;`.
        REPLY_RECIPIENT_NAMES = 0x0050,
        /// PidTagStartDate, Time.
        START_DATE = 0x0060,
        /// PidTagEndDate, Time.
        END_DATE = 0x0061,
        /// PidTagOwnerAppointmentId, I32.
        OWNER_APPOINTMENT_ID = 0x0062,
        /// PidTagResponseRequested, Bool.
        RESPONSE_REQUESTED = 0x0063,
        /// PidTagSentRepresentingAddressType, Text.
        SENT_REPRESENTING_ADDRESS_TYPE = 0x0064,
        /// PidTagSentRepresentingEmailAddress, Text.
        SENT_REPRESENTING_EMAIL_ADDRESS = 0x0065,
        /// PidTagConversationTopic, Text.
        CONVERSATION_TOPIC = 0x0070,
        /// PidTagConversationIndex, Binary.
        CONVERSATION_INDEX = 0x0071,
        /// PidTagReceivedByAddressType, Text.
        RECEIVED_BY_ADDRESS_TYPE = 0x0075,
        /// PidTagReceivedByEmailAddress, Text.
        RECEIVED_BY_EMAIL_ADDRESS = 0x0076,
        /// PidTagReceivedRepresentingAddressType, Text.
        RECEIVED_REPRESENTING_ADDRESS_TYPE = 0x0077,
        /// PidTagReceivedRepresentingEmailAddress, Text.
        RECEIVED_REPRESENTING_EMAIL_ADDRESS = 0x0078,
        /// PidTagTransportMessageHeaders, Text.
        TRANSPORT_MESSAGE_HEADERS = 0x007d,
        /// PidTagRecipientType, I32: 1 to, 2 cc, 3 bcc; on attendees required, optional, resource.
        RECIPIENT_TYPE = 0x0c15,
        /// PidTagSenderName, Text.
        SENDER_NAME = 0x0c1a,
        /// PidTagSenderAddressType, Text.
        SENDER_ADDRESS_TYPE = 0x0c1e,
        /// PidTagSenderEmailAddress, Text.
        SENDER_EMAIL_ADDRESS = 0x0c1f,
        /// PidTagDisplayBcc, Text.
        DISPLAY_BCC = 0x0e02,
        /// PidTagDisplayCc, Text; names joined by `; `.
        DISPLAY_CC = 0x0e03,
        /// PidTagDisplayTo, Text; names joined by `; `.
        DISPLAY_TO = 0x0e04,
        /// PidTagMessageDeliveryTime, Time: received.
        MESSAGE_DELIVERY_TIME = 0x0e06,
        /// PidTagMessageFlags, I32. The read bit (1) is kept in [`crate::ItemFlags`], not here.
        MESSAGE_FLAGS = 0x0e07,
        /// PidTagMessageSize, I32.
        MESSAGE_SIZE = 0x0e08,
        /// PidTagHasAttachments, Bool.
        HAS_ATTACHMENTS = 0x0e1b,
        /// PidTagNormalizedSubject, Text.
        NORMALIZED_SUBJECT = 0x0e1d,
        /// PidTagRead, Bool; computed from [`crate::ItemFlags`].
        READ = 0x0e69,
        /// PidTagEntryId, Binary; computed.
        ENTRY_ID = 0x0fff,
        /// PidTagParentEntryId, Binary; computed.
        PARENT_ENTRY_ID = 0x0e09,
        /// PidTagObjectType, I32.
        OBJECT_TYPE = 0x0ffe,
        /// PidTagAccess, I32.
        ACCESS = 0x0ff4,
        /// PidTagBody, Text.
        BODY = 0x1000,
        /// PidTagRtfCompressed, Binary.
        RTF_COMPRESSED = 0x1009,
        /// PidTagHtml, Binary in the code page of [`INTERNET_CODEPAGE`]; UTF-8 when we write it.
        HTML = 0x1013,
        /// PidTagInternetMessageId, Text.
        INTERNET_MESSAGE_ID = 0x1035,
        /// PidTagInternetReferences, Text.
        INTERNET_REFERENCES = 0x1039,
        /// PidTagInReplyToId, Text.
        IN_REPLY_TO_ID = 0x1042,
        /// PidTagIconIndex, I32.
        ICON_INDEX = 0x1080,
        /// PidTagFlagStatus, I32.
        FLAG_STATUS = 0x1090,
        /// PidTagFlagCompleteTime, Time.
        FLAG_COMPLETE_TIME = 0x1091,
        /// PidTagRowid, I32.
        ROW_ID = 0x3000,
        /// PidTagDisplayName, Text.
        DISPLAY_NAME = 0x3001,
        /// PidTagAddressType, Text: `SMTP` or `EX`.
        ADDRESS_TYPE = 0x3002,
        /// PidTagEmailAddress, Text.
        EMAIL_ADDRESS = 0x3003,
        /// PidTagCreationTime, Time.
        CREATION_TIME = 0x3007,
        /// PidTagLastModificationTime, Time.
        LAST_MODIFICATION_TIME = 0x3008,
        /// PidTagSearchKey, Binary.
        SEARCH_KEY = 0x300b,
        /// PidTagConversationId, Binary of 16 bytes.
        CONVERSATION_ID = 0x3013,
        /// PidTagLastModifierName, Text.
        LAST_MODIFIER_NAME = 0x3ffa,
        /// PidTagPreview, Text; at most 255 characters.
        PREVIEW = 0x3fd9,
        /// PidTagInternetCodepage, I32.
        INTERNET_CODEPAGE = 0x3fde,
        /// PidTagMessageLocaleId, I32.
        MESSAGE_LOCALE_ID = 0x3ff1,
        /// PidTagSmtpAddress, Text.
        SMTP_ADDRESS = 0x39fe,
        /// PidTagDisplayType, I32.
        DISPLAY_TYPE = 0x3900,
        /// PidTagContainerClass, Text.
        CONTAINER_CLASS = 0x3613,
        /// PidTagContentCount, I32; computed.
        CONTENT_COUNT = 0x3602,
        /// PidTagContentUnreadCount, I32; computed.
        CONTENT_UNREAD_COUNT = 0x3603,
        /// PidTagAttachSize, I32.
        ATTACH_SIZE = 0x0e20,
        /// PidTagAttachNumber, I32; the index of the attachment.
        ATTACH_NUMBER = 0x0e21,
        /// PidTagAttachDataBinary, Binary; kept in [`crate::AttachmentContent`].
        ATTACH_DATA = 0x3701,
        /// PidTagAttachEncoding, Binary.
        ATTACH_ENCODING = 0x3702,
        /// PidTagAttachExtension, Text.
        ATTACH_EXTENSION = 0x3703,
        /// PidTagAttachFilename, Text; 8.3.
        ATTACH_FILENAME = 0x3704,
        /// PidTagAttachMethod, I32: 1 by value, 5 embedded message.
        ATTACH_METHOD = 0x3705,
        /// PidTagAttachLongFilename, Text.
        ATTACH_LONG_FILENAME = 0x3707,
        /// PidTagRenderingPosition, I32.
        RENDERING_POSITION = 0x370b,
        /// PidTagAttachMimeTag, Text.
        ATTACH_MIME_TAG = 0x370e,
        /// PidTagAttachContentId, Text, without angle brackets.
        ATTACH_CONTENT_ID = 0x3712,
        /// PidTagAttachContentLocation, Text.
        ATTACH_CONTENT_LOCATION = 0x3713,
        /// PidTagAttachFlags, I32.
        ATTACH_FLAGS = 0x3714,
        /// PidTagAttachmentHidden, Bool.
        ATTACHMENT_HIDDEN = 0x7ffe,
        /// PidTagSenderSmtpAddress, Text.
        SENDER_SMTP_ADDRESS = 0x5d01,
        /// PidTagSentRepresentingSmtpAddress, Text.
        SENT_REPRESENTING_SMTP_ADDRESS = 0x5d02,
        /// PidTagReceivedBySmtpAddress, Text.
        RECEIVED_BY_SMTP_ADDRESS = 0x5d07,
        /// PidTagReceivedRepresentingSmtpAddress, Text.
        RECEIVED_REPRESENTING_SMTP_ADDRESS = 0x5d08,
        /// PidTagNativeBody, I32: 1 text, 2 RTF, 3 HTML.
        NATIVE_BODY = 0x1016,
        /// PidTagRecipientFlags, I32; bit 2 is the organiser.
        RECIPIENT_FLAGS = 0x5ffd,
        /// PidTagRecipientTrackStatusTime, Time: when an attendee answered.
        RECIPIENT_TRACK_TIME = 0x5ffb,
        /// PidTagRecipientTrackStatus, I32: how, with the values of [`super::lids::RESPONSE_STATUS`].
        RECIPIENT_TRACK_STATUS = 0x5fff,
        /// PidTagRecipientProposedStartTime, Time: when an attendee would like a meeting to begin.
        RECIPIENT_PROPOSED_START = 0x5fe3,
        /// PidTagRecipientProposedEndTime, Time.
        RECIPIENT_PROPOSED_END = 0x5fe4,
        /// PidTagProcessed, Bool: a meeting message has had its effect.
        PROCESSED = 0x7d01,
        /// PidTagLastVerbExecuted, I32: 102 answered, 103 answered to all, 104 forwarded.
        LAST_VERB_EXECUTED = 0x1081,
        /// PidTagLastVerbExecutionTime, Time.
        LAST_VERB_EXECUTION_TIME = 0x1082,
    }
}

/// MAPI named properties with a LID used by more than one crate.
pub mod lids {
    use super::{PropertyKey, sets};

    macro_rules! lids {
        ($($(#[$doc:meta])* $name:ident = $set:ident : $lid:literal,)*) => {
            $($(#[$doc])* pub const $name: PropertyKey = PropertyKey::Lid(sets::$set, $lid);)*
        };
    }

    lids! {
        /// PidLidGlobalObjectId, Binary.
        GLOBAL_OBJECT_ID = MEETING:0x0003,
        /// PidLidCleanGlobalObjectId, Binary.
        CLEAN_GLOBAL_OBJECT_ID = MEETING:0x0023,
        /// PidLidOwnerCriticalChange, Time.
        OWNER_CRITICAL_CHANGE = MEETING:0x001a,
        /// PidLidMeetingType, I32.
        MEETING_TYPE = MEETING:0x0026,
        /// PidLidAppointmentSequence, I32.
        APPOINTMENT_SEQUENCE = APPOINTMENT:0x8201,
        /// PidLidBusyStatus, I32: 0 free, 1 tentative, 2 busy, 3 out of office.
        BUSY_STATUS = APPOINTMENT:0x8205,
        /// PidLidLocation, Text.
        LOCATION = APPOINTMENT:0x8208,
        /// PidLidAppointmentStartWhole, Time.
        START_WHOLE = APPOINTMENT:0x820d,
        /// PidLidAppointmentEndWhole, Time.
        END_WHOLE = APPOINTMENT:0x820e,
        /// PidLidAppointmentDuration, I32, minutes.
        APPOINTMENT_DURATION = APPOINTMENT:0x8213,
        /// PidLidAppointmentSubType, Bool: all day.
        ALL_DAY = APPOINTMENT:0x8215,
        /// PidLidAppointmentRecur, Binary.
        APPOINTMENT_RECUR = APPOINTMENT:0x8216,
        /// PidLidAppointmentStateFlags, I32: 1 meeting, 2 received, 4 cancelled.
        STATE_FLAGS = APPOINTMENT:0x8217,
        /// PidLidResponseStatus, I32: 0 none, 1 organised, 2 tentative, 3 accepted, 4 declined, 5 not responded.
        RESPONSE_STATUS = APPOINTMENT:0x8218,
        /// PidLidRecurring, Bool.
        RECURRING = APPOINTMENT:0x8223,
        /// PidLidIntendedBusyStatus, I32.
        INTENDED_BUSY_STATUS = APPOINTMENT:0x8224,
        /// PidLidExceptionReplaceTime, Time.
        EXCEPTION_REPLACE_TIME = APPOINTMENT:0x8228,
        /// PidLidRecurrenceType, I32: 1 daily, 2 weekly, 3 monthly, 4 yearly.
        RECURRENCE_TYPE = APPOINTMENT:0x8231,
        /// PidLidTimeZoneStruct, Binary: one rule of a zone.
        TIME_ZONE_STRUCT = APPOINTMENT:0x8233,
        /// PidLidClipStart, Time: the first day of a series.
        CLIP_START = APPOINTMENT:0x8235,
        /// PidLidClipEnd, Time: the last day of a series.
        CLIP_END = APPOINTMENT:0x8236,
        /// PidLidAppointmentTimeZoneDefinitionStartDisplay, Binary.
        TIME_ZONE_START = APPOINTMENT:0x825e,
        /// PidLidAppointmentTimeZoneDefinitionEndDisplay, Binary.
        TIME_ZONE_END = APPOINTMENT:0x825f,
        /// PidLidAppointmentTimeZoneDefinitionRecur, Binary.
        TIME_ZONE_RECUR = APPOINTMENT:0x8260,
        /// PidLidAppointmentProposedStartWhole, Time.
        PROPOSED_START_WHOLE = APPOINTMENT:0x8250,
        /// PidLidAppointmentProposedEndWhole, Time.
        PROPOSED_END_WHOLE = APPOINTMENT:0x8251,
        /// PidLidTimeZoneDescription, Text.
        TIME_ZONE_DESCRIPTION = APPOINTMENT:0x8234,
        /// PidLidAppointmentReplyTime, Time.
        APPOINTMENT_REPLY_TIME = APPOINTMENT:0x8220,
        /// PidLidCommonStart, Time.
        COMMON_START = COMMON:0x8516,
        /// PidLidCommonEnd, Time.
        COMMON_END = COMMON:0x8517,
        /// PidLidReminderDelta, I32, minutes.
        REMINDER_DELTA = COMMON:0x8501,
        /// PidLidReminderTime, Time.
        REMINDER_TIME = COMMON:0x8502,
        /// PidLidReminderSet, Bool.
        REMINDER_SET = COMMON:0x8503,
        /// PidLidPrivate, Bool.
        PRIVATE = COMMON:0x8506,
        /// PidLidReminderSignalTime, Time.
        REMINDER_SIGNAL_TIME = COMMON:0x8560,
    }
}

/// MAPI named properties with a name.
pub mod names {
    use std::borrow::Cow;

    use super::{PropertyKey, sets};

    /// PidNameKeywords, Texts: the categories.
    pub const KEYWORDS: PropertyKey = PropertyKey::Name(sets::PUBLIC_STRINGS, Cow::Borrowed("Keywords"));
}
