//! Template 107: tasks. \[MS-OUTSPS 2.2.6\]

use super::{
    FieldType::{Choice, DateTime, Note, Number, Text, User},
    Template, ViewRow, row,
};

const VIEW_FIELDS: &[&str] =
    &["Attachments", "LinkTitle", "AssignedTo", "Status", "Priority", "DueDate", "PercentComplete"];

#[rustfmt::skip]
pub(super) static TEMPLATE: Template = Template {
    id: 107,
    base_type: 0,
    feature: "00bfea71-a83e-497e-9ba0-7a5c597d0107",
    content_type: "0x0108",
    content_type_name: "Task",
    image: "ittask.png",
    unique: false,
    fields: &[
    row("Priority", "a8eb573e-9e11-481a-a8c9-1104a54b2fbd", Choice, "Priority").inside("<CHOICES><CHOICE>(1) High</CHOICE><CHOICE>(2) Normal</CHOICE><CHOICE>(3) Low</CHOICE></CHOICES><MAPPINGS><MAPPING Value=\"1\">(1) High</MAPPING><MAPPING Value=\"2\">(2) Normal</MAPPING><MAPPING Value=\"3\">(3) Low</MAPPING></MAPPINGS><Default>(2) Normal</Default>"),
    row("Status", "c15b34c3-ce7d-490a-b133-3f4de8801b76", Choice, "Status").inside("<CHOICES><CHOICE>Not Started</CHOICE><CHOICE>In Progress</CHOICE><CHOICE>Completed</CHOICE><CHOICE>Deferred</CHOICE><CHOICE>Waiting on someone else</CHOICE></CHOICES><MAPPINGS><MAPPING Value=\"1\">Not Started</MAPPING><MAPPING Value=\"2\">In Progress</MAPPING><MAPPING Value=\"3\">Completed</MAPPING><MAPPING Value=\"4\">Deferred</MAPPING><MAPPING Value=\"5\">Waiting on someone else</MAPPING></MAPPINGS><Default>Not Started</Default>"),
    row("PercentComplete", "d2311440-1ed6-46ea-b46d-daa643dc3886", Number, "% Complete").with(&[("Percentage", "TRUE"), ("Min", "0"), ("Max", "1")]),
    row("AssignedTo", "53101f38-dd2e-458c-b245-0c236cc13d1a", User, "Assigned To").with(&[("List", "UserInfo")]),
    row("Body", "7662cd2c-f069-4dba-9e35-082cf976e170", Note, "Description").with(&[("RichText", "TRUE"), ("RichTextMode", "FullHtml"), ("NumLines", "6")]),
    row("StartDate", "64cd368d-2f95-4bfc-a1f9-8d4324ecb007", DateTime, "Start Date").with(&[("Format", "DateOnly")]).inside("<Default>[today]</Default>"),
    row("DueDate", "cd21b4c2-6841-4f9e-a23a-738a65f99889", DateTime, "Due Date").with(&[("Format", "DateOnly")]),
    row("ActualWork", "b0b3407e-1c33-40ed-a37c-2430b7a5d081", Number, "Actual Work").hidden(),
    row("BillingInformation", "4f03f66b-fb1e-4ed2-ab8e-f6ed3fe14844", Text, "Billing Information").hidden(),
    row("DateComplete", "24bfa3c2-e6a0-4651-80e9-3db44bf52147", DateTime, "Date Complete").hidden(),
    row("Mileage", "3126c2f1-063e-4892-828f-0696ec6e105f", Text, "Mileage").hidden(),
    row("Role", "eeaeaaf1-4110-465b-905e-df1073a7e0e6", Text, "Role").hidden(),
    row("TaskCompanies", "3914f98e-6d99-4218-9ba3-af7370b9e7bc", Text, "Task Companies").hidden(),
    row("TotalWork", "f3c4a259-19a2-44b8-ab3d-e9145d07d538", Number, "Total Work").hidden(),
    ],
    views: &[
        ViewRow { name: "All Tasks", page: "AllItems.aspx", kind: "HTML", fields: VIEW_FIELDS, query: "<OrderBy><FieldRef Name=\"ID\"/></OrderBy>" },
        ViewRow {
            name: "My Tasks",
            page: "MyItems.aspx",
            kind: "HTML",
            fields: VIEW_FIELDS,
            query: "<Where><Eq><FieldRef Name=\"AssignedTo\" LookupId=\"TRUE\"/><Value Type=\"Integer\"><UserID/></Value></Eq></Where>",
        },
        ViewRow {
            name: "Due Today",
            page: "duetoday.aspx",
            kind: "HTML",
            fields: VIEW_FIELDS,
            query: "<Where><Eq><FieldRef Name=\"DueDate\"/><Value Type=\"DateTime\"><Today/></Value></Eq></Where>",
        },
        ViewRow {
            name: "Active Tasks",
            page: "active.aspx",
            kind: "HTML",
            fields: VIEW_FIELDS,
            query: "<Where><Neq><FieldRef Name=\"Status\"/><Value Type=\"Text\">Completed</Value></Neq></Where>",
        },
    ],
};
