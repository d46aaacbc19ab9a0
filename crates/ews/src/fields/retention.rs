//! Retention tags: which policy keeps an item, and which archives it.

use model::{Guid, PropertyKey, Value};
use xml::{Node, Writer};

use super::{Computed, Needs, Source};
use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::{Failure, ResponseCode, request};

/// PidTagPolicyTag, a GUID in Binary.
const POLICY_TAG: PropertyKey = PropertyKey::Tag(0x3019);
/// PidTagArchiveTag, a GUID in Binary.
const ARCHIVE_TAG: PropertyKey = PropertyKey::Tag(0x3018);
/// PidTagRetentionFlags, I32 (MS-OXCMSG 2.2.1.58.6).
const RETENTION_FLAGS: PropertyKey = PropertyKey::Tag(0x301d);
/// The tag was set on the item itself.
const EXPLICIT_TAG: i64 = 1;
/// The archive tag was set on the item itself.
const EXPLICIT_ARCHIVE_TAG: i64 = 4;

pub(super) const POLICY: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| write(out, element, item, rendering, &POLICY_TAG, EXPLICIT_TAG),
    needs: Needs::NONE,
    set: Some(|node| read(node, "item:PolicyTag", &POLICY_TAG)),
    keys: &[POLICY_TAG],
});

pub(super) const ARCHIVE: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| write(out, element, item, rendering, &ARCHIVE_TAG, EXPLICIT_ARCHIVE_TAG),
    needs: Needs::NONE,
    set: Some(|node| read(node, "item:ArchiveTag", &ARCHIVE_TAG)),
    keys: &[ARCHIVE_TAG],
});

/// A tag without flags was set by a client, on the item.
fn write(
    out: &mut Writer,
    element: &'static str,
    item: &Item<'_>,
    _: &Rendering<'_>,
    key: &PropertyKey,
    explicit: i64,
) {
    let stored = item.value(key);
    let Some(guid) = stored.as_ref().and_then(Value::as_binary).and_then(|bytes| bytes[..].try_into().ok()) else {
        return;
    };
    let explicit = item.number(&RETENTION_FLAGS).is_none_or(|flags| flags & explicit != 0);
    out.start(element);
    out.attribute("IsExplicit", if explicit { "true" } else { "false" });
    out.display_text(Guid(guid));
    out.end();
}

fn read(node: Node<'_>, uri: &str, key: &PropertyKey) -> Result<Vec<Step>, Failure> {
    let invalid = || Failure::field(ResponseCode::ErrorInvalidValueForProperty, uri);
    node.attribute("IsExplicit").and_then(request::parse_boolean).ok_or_else(invalid)?;
    let guid: Guid = node.text().trim().parse().map_err(|_| invalid())?;
    Ok(vec![Step::Put(key.clone(), Value::binary(guid.0.to_vec()))])
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[test]
    fn tags_are_set_read_and_removed() {
        let world = World::new();
        let (id, key) = world.message("inbox", "kept");
        let update = |change: &str, key: &str| {
            world.call(&format!(
                "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><ItemChanges>\
                 <t:ItemChange><t:ItemId Id=\"{id}\" ChangeKey=\"{key}\"/><t:Updates>{change}</t:Updates>\
                 </t:ItemChange></ItemChanges></UpdateItem>"
            ))
        };
        let get = || {
            let body = format!(
                "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>\
                 <ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
            );
            world.call(&body).valid().success()
        };
        assert!(get().texts("PolicyTag").is_empty());
        let set = |element: &str, guid: &str| {
            format!(
                "<t:SetItemField><t:FieldURI FieldURI=\"item:{element}\"/><t:Message>\
                 <t:{element} IsExplicit=\"true\">{guid}</t:{element}></t:Message></t:SetItemField>"
            )
        };
        let tags = [
            ("PolicyTag", "9153fdd3-7c00-47e9-9194-956bb20aaa8d"),
            ("ArchiveTag", "5bdbb1c0-194d-4878-b716-e397b0c1318c"),
        ];
        for (element, guid) in tags {
            update(&set(element, guid), &key).success();
            assert_eq!(get().text(element), guid);
            assert_eq!(get().attributes(element, "IsExplicit"), ["true"]);
        }
        assert_eq!(update(&set("PolicyTag", "x"), &key).codes(), ["ErrorInvalidValueForProperty"]);
        let gone = "<t:DeleteItemField><t:FieldURI FieldURI=\"item:PolicyTag\"/></t:DeleteItemField>";
        update(gone, &key).success();
        assert!(get().texts("PolicyTag").is_empty());
    }
}
