//! Which element an item or folder is written as, from its class: one table each.

use crate::fields::{Field, calendar, contact, item, meeting, message, post, task};

/// The object type of a folder, in change keys.
pub(crate) const FOLDER_OBJECT: u32 = 1;

/// One kind of item element.
#[derive(Debug)]
pub(crate) struct ItemClass {
    /// The qualified element name.
    pub(crate) element: &'static str,
    /// The object type in change keys.
    pub(crate) object_type: u32,
    /// The message class that a new item of this element gets.
    pub(crate) new_class: &'static str,
    /// Fields after those of every item, in order.
    pub(crate) tables: &'static [&'static [Field]],
    /// The default shape in Find and Sync.
    pub(crate) default_shape: &'static [&'static str],
    /// What GetItem adds to the default shape.
    pub(crate) default_get: &'static [&'static str],
}

const ID: &str = "item:ItemId";
const MESSAGE_SHAPE: &[&str] = &[
    ID,
    "item:Subject",
    "item:Sensitivity",
    "item:Size",
    "item:DateTimeSent",
    "item:DateTimeCreated",
    "item:HasAttachments",
    "item:IsAssociated",
    "message:IsReadReceiptRequested",
    "message:IsDeliveryReceiptRequested",
    "message:From",
    "message:IsRead",
];
const MESSAGE_GET: &[&str] = &[
    "item:Body",
    "item:Attachments",
    "item:ResponseObjects",
    "message:ToRecipients",
    "message:CcRecipients",
    "message:BccRecipients",
];
const MEETING_TABLES: &[&[Field]] = &[message::FIELDS, meeting::FIELDS];

const ITEM: ItemClass = ItemClass {
    element: "t:Item",
    object_type: 23,
    new_class: "IPM.Note",
    tables: &[],
    default_shape: &[
        ID,
        "item:Subject",
        "item:Sensitivity",
        "item:Size",
        "item:DateTimeCreated",
        "item:HasAttachments",
    ],
    default_get: &["item:Body", "item:Attachments"],
};
const MESSAGE: ItemClass = ItemClass {
    element: "t:Message",
    object_type: 9,
    new_class: "IPM.Note",
    tables: &[message::FIELDS],
    default_shape: MESSAGE_SHAPE,
    default_get: MESSAGE_GET,
};
const CALENDAR_ITEM: ItemClass = ItemClass {
    element: "t:CalendarItem",
    object_type: 15,
    new_class: "IPM.Appointment",
    tables: &[calendar::HEAD, calendar::START, calendar::RESPONSE_REQUESTED, calendar::MIDDLE, calendar::TAIL],
    default_shape: &[
        ID,
        "item:Subject",
        "item:HasAttachments",
        "item:IsAssociated",
        "calendar:Start",
        "calendar:End",
        "calendar:LegacyFreeBusyStatus",
        "calendar:Location",
        "calendar:CalendarItemType",
        "calendar:Organizer",
    ],
    default_get: &["item:ResponseObjects"],
};
const CONTACT: ItemClass = ItemClass {
    element: "t:Contact",
    object_type: 17,
    new_class: "IPM.Contact",
    tables: &[contact::FIELDS],
    default_shape: &[
        ID,
        "item:HasAttachments",
        "contacts:FileAs",
        "contacts:CompleteName",
        "contacts:CompanyName",
        "contacts:EmailAddresses",
        "contacts:PhysicalAddresses",
        "contacts:PhoneNumbers",
        "contacts:ImAddresses",
        "contacts:JobTitle",
    ],
    default_get: &[],
};
const DISTRIBUTION_LIST: ItemClass = ItemClass {
    element: "t:DistributionList",
    object_type: 18,
    new_class: "IPM.DistList",
    tables: &[contact::LIST],
    default_shape: &[ID, "item:Subject", "item:HasAttachments", "contacts:DisplayName", "contacts:FileAs"],
    default_get: &[],
};
const TASK: ItemClass = ItemClass {
    element: "t:Task",
    object_type: 19,
    new_class: "IPM.Task",
    tables: &[task::FIELDS],
    default_shape: &[
        ID,
        "item:Subject",
        "item:HasAttachments",
        "task:DueDate",
        "task:PercentComplete",
        "task:StartDate",
        "task:Status",
    ],
    default_get: &[],
};
const POST: ItemClass = ItemClass {
    element: "t:PostItem",
    object_type: 10,
    new_class: "IPM.Post",
    tables: &[post::FIELDS],
    default_shape: MESSAGE_SHAPE,
    default_get: &["item:Body", "item:Attachments", "item:ResponseObjects"],
};
const MEETING_REQUEST: ItemClass = ItemClass {
    element: "t:MeetingRequest",
    object_type: 11,
    new_class: "IPM.Schedule.Meeting.Request",
    tables: &[message::FIELDS, meeting::FIELDS, meeting::REQUEST, calendar::START, calendar::MIDDLE],
    default_shape: &[
        ID,
        "item:Subject",
        "item:Sensitivity",
        "meeting:IsOutOfDate",
        "meeting:HasBeenProcessed",
        "meeting:ResponseType",
        "meetingRequest:IntendedFreeBusyStatus",
        "calendar:Start",
        "calendar:End",
        "calendar:Location",
        "calendar:Organizer",
    ],
    default_get: MESSAGE_GET,
};
const MEETING_RESPONSE: ItemClass = ItemClass {
    element: "t:MeetingResponse",
    object_type: 12,
    new_class: "IPM.Schedule.Meeting.Resp.Pos",
    tables: &[message::FIELDS, meeting::FIELDS, meeting::RESPONSE],
    default_shape: MESSAGE_SHAPE,
    default_get: MESSAGE_GET,
};
const MEETING_CANCELLATION: ItemClass = ItemClass {
    element: "t:MeetingCancellation",
    object_type: 13,
    new_class: "IPM.Schedule.Meeting.Canceled",
    tables: &[message::FIELDS, meeting::FIELDS, meeting::CANCELLATION],
    default_shape: MESSAGE_SHAPE,
    default_get: MESSAGE_GET,
};
const MEETING_MESSAGE: ItemClass = ItemClass {
    element: "t:MeetingMessage",
    object_type: 14,
    new_class: "IPM.Schedule.Meeting",
    tables: MEETING_TABLES,
    default_shape: MESSAGE_SHAPE,
    default_get: MESSAGE_GET,
};

/// Classes by prefix, longest first: a class is of the first row that it equals or goes on after a dot.
const CLASSES: &[(&str, &ItemClass)] = &[
    ("ipm.schedule.meeting.request", &MEETING_REQUEST),
    ("ipm.schedule.meeting.resp", &MEETING_RESPONSE),
    ("ipm.schedule.meeting.canceled", &MEETING_CANCELLATION),
    ("ipm.schedule.meeting", &MEETING_MESSAGE),
    ("ipm.ole.class.{00061055-0000-0000-c000-000000000046}", &CALENDAR_ITEM),
    ("ipm.appointment", &CALENDAR_ITEM),
    ("ipm.stickynote", &MESSAGE),
    ("ipm.document", &MESSAGE),
    ("ipm.distlist", &DISTRIBUTION_LIST),
    ("ipm.contact", &CONTACT),
    ("ipm.note", &MESSAGE),
    ("ipm.post", &POST),
    ("ipm.task", &TASK),
    ("report", &MESSAGE),
];

/// Elements that a client may send, with the kind they stand for.
const ELEMENTS: &[(&str, &ItemClass)] = &[
    ("Item", &MESSAGE),
    ("Message", &MESSAGE),
    ("CalendarItem", &CALENDAR_ITEM),
    ("Contact", &CONTACT),
    ("DistributionList", &DISTRIBUTION_LIST),
    ("MeetingMessage", &MEETING_MESSAGE),
    ("MeetingRequest", &MEETING_REQUEST),
    ("MeetingResponse", &MEETING_RESPONSE),
    ("MeetingCancellation", &MEETING_CANCELLATION),
    ("Task", &TASK),
    ("PostItem", &POST),
];

/// The kind of an item of that message class.
pub(crate) fn of_item(message_class: &str) -> &'static ItemClass {
    let starts = |prefix: &str| {
        let head = message_class.get(..prefix.len());
        let rest = message_class.get(prefix.len()..).unwrap_or_default();
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) && (rest.is_empty() || rest.starts_with('.'))
    };
    CLASSES.iter().find(|(prefix, _)| starts(prefix)).map_or(&ITEM, |(_, class)| class)
}

/// The kind of an item element in a request.
pub(crate) fn of_element(local: &str) -> Option<&'static ItemClass> {
    ELEMENTS.iter().find(|(name, _)| *name == local).map(|(_, class)| *class)
}

impl ItemClass {
    /// What the MIME content of its items is.
    pub(crate) fn mime(&self) -> MimeForm {
        match self.element {
            "t:CalendarItem" => MimeForm::Calendar,
            "t:Contact" => MimeForm::Contact,
            "t:DistributionList" | "t:Task" => MimeForm::None,
            _ => MimeForm::Message,
        }
    }

    /// All its fields, in order; extended properties stand after [`item::FIRST`].
    pub(crate) fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let own = self.tables;
        item::FIRST.iter().chain(item::LAST).chain(own.iter().flat_map(|table| table.iter()))
    }

    /// The field of that URI, if this kind has it.
    pub(crate) fn field(&self, uri: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.uri == uri)
    }

    /// The field written as that element, if this kind has it.
    pub(crate) fn field_of_element(&self, local: &str) -> Option<&'static Field> {
        self.fields().find(|field| field.element.strip_prefix("t:") == Some(local))
    }
}

/// What the MIME content of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MimeForm {
    /// There is none.
    None,
    /// An iCalendar object.
    Calendar,
    /// A vCard.
    Contact,
    /// A message in RFC 5322.
    Message,
}

/// One kind of folder element.
#[derive(Debug)]
pub(crate) struct FolderClass {
    /// The qualified element name.
    pub(crate) element: &'static str,
    /// The object type in change keys.
    pub(crate) object_type: u32,
    /// The folder class that a new folder of this element gets.
    pub(crate) new_class: &'static str,
    /// The default shape.
    pub(crate) default_shape: &'static [&'static str],
    /// Whether it has `UnreadCount`.
    pub(crate) unread_count: bool,
}

const FOLDER_SHAPE: &[&str] =
    &["folder:FolderId", "folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount", "folder:UnreadCount"];

const FOLDER: FolderClass = FolderClass {
    element: "t:Folder",
    object_type: FOLDER_OBJECT,
    new_class: "IPF.Note",
    default_shape: FOLDER_SHAPE,
    unread_count: true,
};
const CALENDAR_FOLDER: FolderClass = FolderClass {
    element: "t:CalendarFolder",
    object_type: 2,
    new_class: "IPF.Appointment",
    default_shape: &["folder:FolderId", "folder:DisplayName", "folder:ChildFolderCount"],
    unread_count: false,
};
const CONTACTS_FOLDER: FolderClass = FolderClass {
    element: "t:ContactsFolder",
    object_type: 3,
    new_class: "IPF.Contact",
    default_shape: &["folder:FolderId", "folder:DisplayName", "folder:TotalCount", "folder:ChildFolderCount"],
    unread_count: false,
};
const TASKS_FOLDER: FolderClass = FolderClass {
    element: "t:TasksFolder",
    object_type: 4,
    new_class: "IPF.Task",
    default_shape: FOLDER_SHAPE,
    unread_count: true,
};
const SEARCH_FOLDER: FolderClass = FolderClass {
    element: "t:SearchFolder",
    object_type: 8,
    new_class: "IPF.Note",
    default_shape: FOLDER_SHAPE,
    unread_count: true,
};

const FOLDER_CLASSES: &[(&str, &FolderClass)] =
    &[("ipf.appointment", &CALENDAR_FOLDER), ("ipf.contact", &CONTACTS_FOLDER), ("ipf.task", &TASKS_FOLDER)];

/// The kind of a folder.
pub(crate) fn of_folder(folder_class: &str, search: bool) -> &'static FolderClass {
    if search {
        return &SEARCH_FOLDER;
    }
    let starts = |prefix: &str| {
        let head = folder_class.get(..prefix.len());
        let rest = folder_class.get(prefix.len()..).unwrap_or_default();
        head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) && (rest.is_empty() || rest.starts_with('.'))
    };
    FOLDER_CLASSES.iter().find(|(prefix, _)| starts(prefix)).map_or(&FOLDER, |(_, class)| class)
}

/// The kind of a folder element in a request.
pub(crate) fn of_folder_element(local: &str) -> Option<&'static FolderClass> {
    [&FOLDER, &CALENDAR_FOLDER, &CONTACTS_FOLDER, &SEARCH_FOLDER, &TASKS_FOLDER]
        .into_iter()
        .find(|class| class.element.strip_prefix("t:") == Some(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_as_their_elements() {
        for (class, element) in [
            ("IPM.Note", "t:Message"),
            ("ipm.note.SMIME", "t:Message"),
            ("IPM.Notebook", "t:Item"),
            ("REPORT.IPM.Note.NDR", "t:Message"),
            ("IPM.Appointment", "t:CalendarItem"),
            ("IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}", "t:CalendarItem"),
            ("IPM.Contact.Custom", "t:Contact"),
            ("IPM.DistList", "t:DistributionList"),
            ("IPM.Task", "t:Task"),
            ("IPM.TaskRequest", "t:Item"),
            ("IPM.Post", "t:PostItem"),
            ("IPM.Schedule.Meeting.Request", "t:MeetingRequest"),
            ("IPM.Schedule.Meeting.Resp.Tent", "t:MeetingResponse"),
            ("IPM.Schedule.Meeting.Canceled", "t:MeetingCancellation"),
            ("IPM.Schedule.Meeting.Notification.Forward", "t:MeetingMessage"),
            ("IPM.Activity", "t:Item"),
            ("", "t:Item"),
            ("Ünï", "t:Item"),
        ] {
            assert_eq!(of_item(class).element, element, "{class}");
        }
        for (class, search, element) in [
            ("IPF.Note", false, "t:Folder"),
            ("", false, "t:Folder"),
            ("IPF.Appointment.X", false, "t:CalendarFolder"),
            ("IPF.Contact.MOC.QuickContacts", false, "t:ContactsFolder"),
            ("IPF.Task", false, "t:TasksFolder"),
            ("IPF.Task", true, "t:SearchFolder"),
        ] {
            assert_eq!(of_folder(class, search).element, element, "{class}");
        }
    }

    #[test]
    fn default_shapes_name_fields_of_their_kind() {
        for (_, class) in CLASSES {
            for uri in class.default_shape.iter().chain(class.default_get) {
                // Posts have a part of the fields of messages.
                assert!(class.field(uri).is_some() || class.element == "t:PostItem", "{uri} of {}", class.element);
            }
            for uri in class.default_shape {
                assert!(class.field(uri).is_none_or(|field| !field.able.get_only()), "{uri} is for GetItem only");
            }
        }
    }
}
