//! Template 103: links.

use super::{
    FieldType::{Computed, Note, Url},
    Template, ViewRow, computed, row,
};

pub(super) static TEMPLATE: Template = Template {
    id: 103,
    base_type: 0,
    feature: "00bfea71-2062-426c-90bf-714c59600103",
    content_type: "0x0105",
    content_type_name: "Link",
    image: "itlink.png",
    unique: false,
    fields: &[
        row("URL", "c29e077d-f466-4d8e-8bbe-72b66c5f205c", Url, "URL").required().with(&[("Format", "Hyperlink")]),
        row("Comments", "9da97a8a-1da5-4a77-98d3-4bc10456e700", Note, "Notes").with(&[("NumLines", "6")]),
        row("URLwMenu", "2a9ab6d3-268a-4c1c-9897-e5f018f87e64", Computed, "URL").read_only().computed(computed::url),
        row("URLNoMenu", "aeaf07ee-d2fb-448b-a7a3-cf7e062d6c2a", Computed, "URL").read_only().computed(computed::url),
    ],
    views: &[ViewRow {
        name: "All Links",
        page: "AllItems.aspx",
        kind: "HTML",
        fields: &["DocIcon", "Edit", "URLwMenu", "Comments"],
        query: "<OrderBy><FieldRef Name=\"Order\"/><FieldRef Name=\"Title\"/></OrderBy>",
    }],
};
