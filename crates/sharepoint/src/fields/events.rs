//! Template 106: events. \[MS-OUTSPS 2.2.3\]

use super::{
    FieldType::{AllDayEvent, DateTime, Guid, Integer, Note, Recurrence, Text},
    Template, ViewRow, row,
};

#[rustfmt::skip]
pub(super) static TEMPLATE: Template = Template {
    id: 106,
    base_type: 0,
    feature: "00bfea71-ec85-4903-972d-ebe475780106",
    content_type: "0x0102",
    content_type_name: "Event",
    image: "itevent.png",
    unique: false,
    fields: &[
    row("Location", "288f5f32-8462-4175-8f09-dd7ba29359a9", Text, "Location"),
    row("EventDate", "64cd368d-2f95-4bfc-a1f9-8d4324ecb007", DateTime, "Start Time").required().with(&[("Format", "DateTime")]).inside("<Default>[today]</Default>"),
    row("EndDate", "2684f9f2-54be-429f-ba06-76754fc056bf", DateTime, "End Time").required().with(&[("Format", "DateTime")]).inside("<Default>[today]</Default>"),
    row("Description", "9da97a8a-1da5-4a77-98d3-4bc10456e700", Note, "Description").with(&[("RichText", "TRUE"), ("RichTextMode", "FullHtml")]),
    row("fAllDayEvent", "7d95d1f4-f5fd-4a70-90cd-b35abc9b5bc8", AllDayEvent, "All Day Event"),
    row("fRecurrence", "f2e63656-135e-4f1c-8fc2-ccbe74071901", Recurrence, "Recurrence").inside("<FieldRefs><FieldRef Name=\"RecurrenceData\" RefType=\"RecurData\"/><FieldRef Name=\"EventType\" RefType=\"EventType\"/><FieldRef Name=\"UID\" RefType=\"UID\"/><FieldRef Name=\"RecurrenceID\" RefType=\"RecurrenceId\"/><FieldRef Name=\"EventDate\" RefType=\"StartDate\"/><FieldRef Name=\"EndDate\" RefType=\"EndDate\"/><FieldRef Name=\"Duration\" RefType=\"Duration\"/><FieldRef Name=\"TimeZone\" RefType=\"TimeZone\"/><FieldRef Name=\"XMLTZone\" RefType=\"XMLTZone\"/><FieldRef Name=\"MasterSeriesItemID\" RefType=\"MasterSeriesItemID\"/></FieldRefs>"),
    row("EventType", "5d1d4e76-091a-4e03-ae83-6a59847731c0", Integer, "Event Type").hidden(),
    row("UID", "63055d04-01b5-48f3-9e1e-e564e7c6b23b", Guid, "UID").hidden(),
    row("RecurrenceID", "dfcc8fff-7c4c-45d6-94ed-14ce0719efef", DateTime, "Recurrence ID").hidden().with(&[("Format", "DateTime")]),
    row("RecurrenceData", "d12572d0-0a1e-4438-89b5-4d0430be7603", Note, "RecurrenceData").hidden(),
    row("Duration", "4d54445d-1c84-4a6d-b8db-a51ded4e1acc", Integer, "Duration").hidden(),
    row("TimeZone", "6cc1c612-748a-48d8-88f2-944f477f301b", Integer, "TimeZone").hidden(),
    row("XMLTZone", "c4b72ed6-45aa-4422-bff1-2b6750d30819", Note, "XMLTZone").hidden(),
    row("MasterSeriesItemID", "9b2bed84-7769-40e3-9b1d-7954a4053834", Integer, "MasterSeriesItemID").hidden(),
    ],
    views: &[
        ViewRow {
            name: "Calendar",
            page: "calendar.aspx",
            kind: "CALENDAR",
            fields: &["EventDate", "EndDate", "fRecurrence", "EventType", "Attachments", "LinkTitle", "Location", "Description", "fAllDayEvent"],
            query: "",
        },
        ViewRow {
            name: "All Events",
            page: "AllItems.aspx",
            kind: "HTML",
            fields: &["fRecurrence", "Attachments", "LinkTitle", "Location", "EventDate", "EndDate", "fAllDayEvent"],
            query: "<OrderBy><FieldRef Name=\"EventDate\"/></OrderBy>",
        },
        ViewRow {
            name: "Current Events",
            page: "MyItems.aspx",
            kind: "HTML",
            fields: &["fRecurrence", "Attachments", "LinkTitle", "Location", "EventDate", "EndDate", "fAllDayEvent"],
            query: "<Where><Geq><FieldRef Name=\"EndDate\"/><Value Type=\"DateTime\"><Today/></Value></Geq></Where><OrderBy><FieldRef Name=\"EventDate\"/></OrderBy>",
        },
    ],
};
