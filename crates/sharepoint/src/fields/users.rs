//! Template 112: the users of the site.

use super::{
    FieldType::{Boolean, Note, Text, Url},
    Template, ViewRow, row,
};

pub(super) static TEMPLATE: Template = Template {
    id: 112,
    base_type: 0,
    feature: "00000000-0000-0000-0000-000000000000",
    content_type: "0x010A",
    content_type_name: "Person",
    image: "itgen.png",
    unique: true,
    fields: &[
        row("Title", "fa564e0f-0c70-4ab9-b863-0177e6ddd247", Text, "Name").base().required(),
        row("Name", "bfc6f32c-668c-43c4-a903-847cca2f9b3c", Text, "Account").required(),
        row("EMail", "fce16b4c-fe53-4793-aaab-b4892e736d15", Text, "Work e-mail"),
        row("SipAddress", "829c275d-8744-4d1b-a42f-53fe60d68ad9", Text, "SIP Address"),
        row("ImnName", "35cb50ea-a09b-4c55-8d5e-5f2d3b7a52a1", Text, "Name").hidden(),
        row("Department", "05fdf852-4b64-4096-9b2b-d2a62a86bc59", Text, "Department"),
        row("JobTitle", "c4e0f350-52cc-4ede-904c-dd71a3d11f7d", Text, "Title"),
        row("IsSiteAdmin", "9ba260b2-85a2-4a32-ad7a-63eaceffe6b4", Boolean, "Is Site Admin").hidden(),
        row("Deleted", "8b27b84a-1b6c-4a0b-8d6a-d8e1dcdd3bb1", Boolean, "Deleted").hidden(),
        row("Picture", "d9339777-b964-489a-bf09-2ea3c3fa5f0d", Url, "Picture").with(&[("Format", "Image")]),
        row("Notes", "e241f186-9b94-415c-9f66-255ce7f86235", Note, "About Me"),
    ],
    views: &[ViewRow {
        name: "All Users",
        page: "detail.aspx",
        kind: "HTML",
        fields: &["Title", "Name", "EMail", "ImnName", "Department", "JobTitle"],
        query: "<OrderBy><FieldRef Name=\"ID\"/></OrderBy>",
    }],
};
