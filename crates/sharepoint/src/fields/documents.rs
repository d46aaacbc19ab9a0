//! Template 101: a document library. Its rows are files and folders with a path.

use super::{
    FieldType::{Computed, DocLookup, File, Text, User},
    Template, ViewRow, computed, row,
};

pub(super) static TEMPLATE: Template = Template {
    id: 101,
    base_type: 1,
    feature: "00bfea71-e717-4e80-aa17-d0c71b360101",
    content_type: "0x0101",
    content_type_name: "Document",
    image: "itdl.png",
    unique: false,
    fields: &[
        row("Title", "fa564e0f-0c70-4ab9-b863-0177e6ddd247", Text, "Title").base(),
        row("FileLeafRef", "8553196d-ec8d-4564-9861-3dbe931050c8", File, "Name")
            .required()
            .with(&[("List", "Docs"), ("ShowField", "LeafName")])
            .computed(computed::leaf_name),
        row("FileSizeDisplay", "78a07ba4-bda8-4357-9e0f-580d64487583", Computed, "File Size")
            .read_only()
            .computed(computed::file_size),
        row("File_x0020_Size", "8fca95c0-9b7d-456f-8dae-b41ee2728b85", DocLookup, "File Size")
            .hidden()
            .read_only()
            .with(&[("List", "Docs"), ("ShowField", "SizeInKB")]),
        row("CheckoutUser", "3881510a-4e4a-4ee8-b102-8ee8e2d0dd4b", User, "Checked Out To")
            .read_only()
            .with(&[("List", "UserInfo")]),
        row("LinkCheckedOutTitle", "e2a15dfd-6ab8-4aec-91ab-02f6b64045b0", Computed, "Checked Out To")
            .hidden()
            .read_only()
            .computed(computed::none),
        row("_SourceUrl", "c63a459d-54ba-4ab7-933a-dcf1c6fadec2", Text, "Source URL").hidden().read_only(),
    ],
    views: &[ViewRow {
        name: "All Documents",
        page: "Forms/AllItems.aspx",
        kind: "HTML",
        fields: &["DocIcon", "LinkFilename", "Modified", "Editor"],
        query: "<OrderBy><FieldRef Name=\"FileLeafRef\"/></OrderBy>",
    }],
};
