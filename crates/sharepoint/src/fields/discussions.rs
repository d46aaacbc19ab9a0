//! Template 108: discussions. \[MS-OUTSPS 2.2.8\]

use super::{
    FieldType::{Computed, Note, Text, ThreadIndex},
    Template, ViewRow, computed, row,
};

pub(super) static TEMPLATE: Template = Template {
    id: 108,
    base_type: 0,
    feature: "00bfea71-6a49-43fa-b535-d15c05500108",
    content_type: "0x0107",
    content_type_name: "Message",
    image: "itdisc.png",
    unique: false,
    fields: &[
        row("Title", "fa564e0f-0c70-4ab9-b863-0177e6ddd247", Text, "Subject").base(),
        row("Body", "7662cd2c-f069-4dba-9e35-082cf976e170", Note, "Body").with(&[
            ("RichText", "TRUE"),
            ("RichTextMode", "FullHtml"),
            ("NumLines", "15"),
        ]),
        row("DiscussionTitle", "c5abfdc7-3435-4183-9207-3d1146895cf8", Computed, "Discussion Subject")
            .read_only()
            .computed(computed::title),
        row("ThreadIndex", "cef73bf1-edf6-4dd9-9098-a07d83984700", ThreadIndex, "Thread Index").hidden(),
    ],
    views: &[ViewRow {
        name: "Subject",
        page: "AllItems.aspx",
        kind: "HTML",
        fields: &["LinkTitle", "Author", "Modified"],
        query: "<OrderBy><FieldRef Name=\"Modified\" Ascending=\"FALSE\"/></OrderBy>",
    }],
};
