//! Template 100: a list without fields of its own.

use super::{Template, ViewRow};

pub(super) static TEMPLATE: Template = Template {
    id: 100,
    base_type: 0,
    feature: "00bfea71-de22-43b2-a848-c05709900100",
    content_type: "0x01",
    content_type_name: "Item",
    image: "itgen.png",
    unique: false,
    fields: &[],
    views: &[ViewRow {
        name: "All Items",
        page: "AllItems.aspx",
        kind: "HTML",
        fields: &["Attachments", "LinkTitle"],
        query: "<OrderBy><FieldRef Name=\"ID\"/></OrderBy>",
    }],
};
