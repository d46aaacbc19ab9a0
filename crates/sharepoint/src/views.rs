//! Views of lists. Each list has those of its template; nobody adds any yet. \[MS-VIEWSS\]

use model::{Guid, Value};
use sha2::{Digest, Sha256};
use xml::Writer;

use crate::{
    fields::{ViewRow, bag_keys},
    paths,
    schema::List,
};

/// Rows that a view shows, and that `GetListItems` gives without a limit.
pub(crate) const ROW_LIMIT_DEFAULT: usize = 100;

/// A view of a list.
#[derive(Clone, Debug)]
pub(crate) struct ListView {
    /// Its id, which follows from the list and its name.
    pub(crate) id: Guid,
    /// What its template says.
    pub(crate) row: &'static ViewRow,
    /// Internal names of its fields, in order.
    pub(crate) fields: Vec<String>,
    /// Whether it is the default view.
    pub(crate) default: bool,
    /// Server-relative URL of its page.
    pub(crate) url: String,
}

/// The views of a list, the default view first.
pub(crate) fn views(list: &List) -> Vec<ListView> {
    let added: &[String] = match list.collection.bag.get(&bag_keys::VIEW_FIELDS) {
        Some(Value::Texts(names)) => names,
        Some(_) | None => &[],
    };
    let rows = list.template.views.iter().enumerate();
    rows.map(|(at, row)| {
        let mut fields: Vec<String> = row.fields.iter().map(|name| (*name).to_owned()).collect();
        if at == 0 {
            fields.extend(added.iter().filter(|name| list.field(name).is_some()).cloned());
        }
        let url = format!("/{}", paths::join(&list.root_folder, row.page));
        ListView { id: view_id(list.guid(), row.name), row, fields, default: at == 0, url }
    })
    .collect()
}

fn view_id(list: Guid, name: &str) -> Guid {
    let digest = Sha256::new().chain_update(list.0).chain_update(name.as_bytes()).finalize();
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(digest) {
        *slot = byte;
    }
    Guid::random(bytes)
}

/// Writes the attributes of a `View` element that is open.
fn write_attributes(writer: &mut Writer, view: &ListView, at: usize) {
    writer.attribute("Name", &view.id.braced());
    if view.default {
        writer.attribute("DefaultView", "TRUE");
        writer.attribute("MobileView", "TRUE");
        writer.attribute("MobileDefaultView", "TRUE");
    }
    writer.attribute("Type", view.row.kind);
    writer.attribute("DisplayName", view.row.name);
    writer.attribute("Url", &view.url);
    writer.attribute("Level", "1");
    writer.attribute_display("BaseViewID", at + 1);
    writer.attribute("ContentTypeID", "0x");
    writer.attribute("ImageUrl", "/_layouts/images/generic.png");
}

/// Writes a `View` element without what is inside.
pub(crate) fn write_brief(writer: &mut Writer, view: &ListView, at: usize) {
    writer.start("View");
    write_attributes(writer, view, at);
    writer.end();
}

/// Writes a `View` element with its query, fields and limit.
pub(crate) fn write_view(writer: &mut Writer, view: &ListView, at: usize) {
    writer.start("View");
    write_attributes(writer, view, at);
    writer.start("Query");
    writer.raw(view.row.query);
    writer.end();
    writer.start("ViewFields");
    for name in &view.fields {
        writer.start("FieldRef");
        writer.attribute("Name", name);
        writer.end();
    }
    writer.end();
    writer.start("RowLimit");
    writer.attribute("Paged", "TRUE");
    writer.display_text(ROW_LIMIT_DEFAULT);
    writer.end();
    writer.end();
}
