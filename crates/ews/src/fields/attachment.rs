//! The list of attachments of an item.

use model::{Bag, Value, tags};
use xml::Writer;

use crate::attachments::{self, Root};
use crate::id;
use crate::item::{Item, Place, Rendering};

/// PidTagAttachMethod of an embedded message.
const METHOD_EMBEDDED: i64 = 5;
/// PidTagAttachFlags of an attachment that a body shows.
const SHOWN_IN_BODY: i64 = 4;

/// Whether the attachment is an item.
pub(crate) fn is_item(bag: &Bag) -> bool {
    bag.get(&tags::ATTACH_METHOD).and_then(Value::as_i64) == Some(METHOD_EMBEDDED)
}

/// Writes the list; nothing where there are none.
pub(crate) fn write(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    if item.attachments.is_empty() {
        return;
    }
    out.scope(element, |out| {
        for (place, bag) in item.attachments.iter().enumerate() {
            let name = if is_item(bag) { "t:ItemAttachment" } else { "t:FileAttachment" };
            let mut path = item.path.clone();
            path.push(attachments::number(place, bag));
            out.scope(name, |out| write_head(out, item.place, &path, bag));
        }
    });
}

/// Writes an id of an attachment, with the item that it changed.
pub(crate) fn write_id(out: &mut Writer, id: &str, root: Option<&Root>) {
    out.start("t:AttachmentId");
    out.attribute("Id", id);
    if let Some(root) = root {
        root.write(out);
    }
    out.end();
}

/// Writes what file and item attachments share, up to `IsInline`.
pub(crate) fn write_head(out: &mut Writer, place: Place, path: &[u32], bag: &Bag) {
    let Place { mailbox, folder, item, .. } = place;
    write_id(out, &id::attachment_id(mailbox, folder, item, path), None);
    let name = [&tags::ATTACH_LONG_FILENAME, &tags::ATTACH_FILENAME, &tags::DISPLAY_NAME]
        .into_iter()
        .find_map(|key| bag.text(key))
        .unwrap_or_default();
    out.element("t:Name", name);
    for (element, key) in [
        ("t:ContentType", tags::ATTACH_MIME_TAG),
        ("t:ContentId", tags::ATTACH_CONTENT_ID),
        ("t:ContentLocation", tags::ATTACH_CONTENT_LOCATION),
    ] {
        if let Some(text) = bag.text(&key) {
            out.element(element, text);
        }
    }
    if let Some(size) = bag.get(&tags::ATTACH_SIZE).and_then(Value::as_i64) {
        out.display("t:Size", size);
    }
    if let Some(time) = bag.get(&tags::LAST_MODIFICATION_TIME).and_then(Value::as_time) {
        out.display("t:LastModifiedTime", time);
    }
    let flags = bag.get(&tags::ATTACH_FLAGS).and_then(Value::as_i64).unwrap_or_default();
    let hidden = bag.get(&tags::ATTACHMENT_HIDDEN).and_then(Value::as_bool) == Some(true);
    out.element("t:IsInline", if hidden || flags & SHOWN_IN_BODY != 0 { "true" } else { "false" });
}
