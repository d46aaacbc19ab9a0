//! Template 104: announcements.

use super::{
    FieldType::{DateTime, Note},
    Template, ViewRow, row,
};

pub(super) static TEMPLATE: Template = Template {
    id: 104,
    base_type: 0,
    feature: "00bfea71-d1ce-42de-9c63-a44004ce0104",
    content_type: "0x0104",
    content_type_name: "Announcement",
    image: "itann.png",
    unique: false,
    fields: &[
        row("Body", "7662cd2c-f069-4dba-9e35-082cf976e170", Note, "Body").with(&[
            ("RichText", "TRUE"),
            ("RichTextMode", "FullHtml"),
            ("NumLines", "15"),
        ]),
        row("Expires", "6a09e75b-8d17-4698-94a8-371eda1af1ac", DateTime, "Expires").with(&[("Format", "DateOnly")]),
    ],
    views: &[
        ViewRow {
            name: "All items",
            page: "AllItems.aspx",
            kind: "HTML",
            fields: &["Attachments", "LinkTitle", "Modified"],
            query: "<OrderBy><FieldRef Name=\"ID\"/></OrderBy>",
        },
        ViewRow {
            name: "Summary",
            page: "Summary.aspx",
            kind: "HTML",
            fields: &["LinkTitle", "Body", "Author", "Modified"],
            query: "<Where><Or><IsNull><FieldRef Name=\"Expires\"/></IsNull><Geq><FieldRef Name=\"Expires\"/>\
                    <Value Type=\"DateTime\"><Today/></Value></Geq></Or></Where>\
                    <OrderBy><FieldRef Name=\"Modified\" Ascending=\"FALSE\"/></OrderBy>",
        },
    ],
};
