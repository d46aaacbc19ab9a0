//! Template 1100: issues.

use super::{
    FieldType::{Choice, Computed, DateTime, Note, User},
    Template, ViewRow, computed, row,
};

#[rustfmt::skip]
pub(super) static TEMPLATE: Template = Template {
    id: 1100,
    base_type: 5,
    feature: "00bfea71-5932-4f9c-ad71-1557e5751100",
    content_type: "0x0103",
    content_type_name: "Issue",
    image: "itissue.png",
    unique: false,
    fields: &[
    row("AssignedTo", "53101f38-dd2e-458c-b245-0c236cc13d1a", User, "Assigned To").with(&[("List", "UserInfo")]),
    row("Status", "3f277a5c-c7ae-4bbe-9d44-0456fb548f94", Choice, "Issue Status").inside("<CHOICES><CHOICE>Active</CHOICE><CHOICE>Resolved</CHOICE><CHOICE>Closed</CHOICE></CHOICES><Default>Active</Default>"),
    row("Priority", "a8eb573e-9e11-481a-a8c9-1104a54b2fbd", Choice, "Priority").inside("<CHOICES><CHOICE>(1) High</CHOICE><CHOICE>(2) Normal</CHOICE><CHOICE>(3) Low</CHOICE></CHOICES><Default>(2) Normal</Default>"),
    row("Comment", "6df9bd52-550e-4a30-bc31-a4366832a87f", Note, "Description").with(&[("RichText", "TRUE")]),
    row("Category", "6df9bd52-550e-4a30-bc31-a4366832a87d", Choice, "Category").inside("<CHOICES><CHOICE>(1) Category1</CHOICE><CHOICE>(2) Category2</CHOICE><CHOICE>(3) Category3</CHOICE></CHOICES><Default>(2) Category2</Default>"),
    row("DueDate", "cd21b4c2-6841-4f9e-a23a-738a65f99889", DateTime, "Due Date").with(&[("Format", "DateOnly")]),
    row("LinkIssueIDNoMenu", "03f89857-27c9-4b58-aaab-620647deda9b", Computed, "Issue ID").read_only().computed(computed::id),
    ],
    views: &[ViewRow {
        name: "All Issues",
        page: "AllItems.aspx",
        kind: "HTML",
        fields: &["LinkIssueIDNoMenu", "LinkTitle", "AssignedTo", "Status", "Priority", "DueDate"],
        query: "<OrderBy><FieldRef Name=\"ID\"/></OrderBy>",
    }],
};
