//! What a request may hold at the version it names, and which element an item is written as for that version.
//!
//! The versions of operations stand beside them (`Operation::SINCE`), those of fields in their rows; here are the
//! elements of requests, and the kinds of items. A request that names no version is refused nothing.

use xml::Node;

use crate::class::{self, ItemClass};
use crate::shape::Purpose;
use crate::{Fault, Header, ResponseCode, Version};

/// Elements of requests by the version that introduced them, MS-OXWSSYNC, MS-OXWSCORE and MS-OXWSCDATA, appendixes on
/// product behaviour. Those of SyncFolderItems that bound a window are newer than all published schemas, and taken from
/// everybody.
#[rustfmt::skip]
const ELEMENTS: &[(&str, Version)] = &[
    ("PostItem",                   Version::V2007_SP1),
    ("ConvertHtmlCodePageToUTF8",  Version::V2010),
    ("DistributionList",           Version::V2010),
    ("FilterHtmlContent",          Version::V2010),
    ("QueryString",                Version::V2010),
    ("SyncScope",                  Version::V2010),
    ("ReturnNewItemIds",           Version::V2010_SP1),
    ("StreamingSubscriptionRequest", Version::V2010_SP1),
    ("AddBlankTargetToLinks",      Version::V2013),
    ("BlockExternalImages",        Version::V2013),
    ("Flag",                       Version::V2013),
    ("InlineImageUrlTemplate",     Version::V2013),
    ("MaximumBodySize",            Version::V2013),
    ("NormalizedBodyType",         Version::V2013),
    ("ProposedEnd",                Version::V2013),
    ("ProposedStart",              Version::V2013),
    ("UniqueBodyType",             Version::V2013),
];

/// The version from which on nothing is refused.
const LATEST: Version = Version::V2013;

/// Checks that an operation and all in it are known at the version that the request names. Costs the elements of the
/// request, for early versions alone.
///
/// # Errors
/// `ErrorIncorrectSchemaVersion`.
pub(crate) fn check(operation: Node<'_>, since: Version, header: &Header) -> Result<(), Fault> {
    let refused = || Err(Fault::code(ResponseCode::ErrorIncorrectSchemaVersion));
    if !header.versioned || header.version >= LATEST && header.version >= since {
        return Ok(());
    }
    if header.version < since {
        return refused();
    }
    let mut open = vec![operation];
    while let Some(node) = open.pop() {
        let newer = |(name, since): &(&str, Version)| *name == node.local() && *since > header.version;
        if ELEMENTS.iter().any(newer) {
            return refused();
        }
        open.extend(node.children());
    }
    Ok(())
}

/// The kind that an item of this message class is written as: versions that do not know its element get the generic one.
/// The oldest is told of messages and posts as such by GetItem, but not when it synchronises.
pub(crate) fn class_of(message_class: &str, purpose: Purpose, version: Version) -> &'static ItemClass {
    let class = class::of_item(message_class);
    let generic = match class.element {
        "t:DistributionList" => version < Version::V2010,
        "t:PostItem" => version < Version::V2007_SP1,
        "t:Message" => version < Version::V2007_SP1 && purpose == Purpose::Sync,
        _ => false,
    };
    if generic { class::of_item("") } else { class }
}

#[cfg(test)]
mod tests {
    use crate::ops::NAMES;
    use crate::testing::World;

    const VERSIONS: [&str; 9] = [
        "Exchange2007",
        "Exchange2007_SP1",
        "Exchange2009",
        "Exchange2010",
        "Exchange2010_SP1",
        "Exchange2010_SP2",
        "Exchange2013",
        "Exchange2013_SP1",
        "Exchange2016",
    ];

    /// Which operation is known at which version: one row an operation, one mark a version. An empty request is refused
    /// for its version before anything is missed in it.
    #[test]
    fn operations_by_version_are_those_recorded() {
        let world = World::new();
        let mut printed = String::from("# Operations by version: + known, - ErrorIncorrectSchemaVersion.\n");
        for version in VERSIONS {
            printed.push_str(&format!("# {version}\n"));
        }
        for name in NAMES {
            let marks: String = VERSIONS
                .iter()
                .map(|version| {
                    let answer = world.call_at(version, &format!("<{name}/>"));
                    assert_eq!(answer.status, 500, "{}", answer.xml);
                    if answer.codes() == ["ErrorIncorrectSchemaVersion"] { '-' } else { '+' }
                })
                .collect();
            printed.push_str(&format!("{marks} {name}\n"));
        }
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/version.txt"), &printed).unwrap();
        }
        assert_eq!(printed, include_str!("version.txt"), "run with UPDATE_GOLDEN=1 after a wanted change");
    }

    const FOLDER: &str = "<t:DistinguishedFolderId Id=\"inbox\"/>";

    fn sync(shape: &str, rest: &str) -> String {
        format!(
            "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape>{shape}</ItemShape><SyncFolderId>{FOLDER}</SyncFolderId>\
             <MaxChangesReturned>9</MaxChangesReturned>{rest}</SyncFolderItems>"
        )
    }

    fn create(item: &str) -> String {
        format!("<CreateItem MessageDisposition=\"SaveOnly\"><Items>{item}</Items></CreateItem>")
    }

    /// Elements of requests, with the first version that takes each.
    #[test]
    fn newer_elements_are_refused() {
        let world = World::new();
        let (item, _) = world.message("inbox", "a");
        let moved = format!(
            "<CopyItem><ToFolderId>{FOLDER}</ToFolderId><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds><ReturnNewItemIds>true\
             </ReturnNewItemIds></CopyItem>"
        );
        for (request, first) in [
            (sync("", ""), "Exchange2007"),
            (sync("", "<NumberOfDays>1</NumberOfDays>"), "Exchange2007"),
            (sync("", "<SyncScope>NormalItems</SyncScope>"), "Exchange2010"),
            (sync("<t:FilterHtmlContent>true</t:FilterHtmlContent>", ""), "Exchange2010"),
            (sync("<t:MaximumBodySize>1</t:MaximumBodySize>", ""), "Exchange2013"),
            (create("<t:Message><t:Subject>a</t:Subject></t:Message>"), "Exchange2007"),
            (create("<t:PostItem><t:Subject>a</t:Subject></t:PostItem>"), "Exchange2007_SP1"),
            (create("<t:DistributionList><t:DisplayName>a</t:DisplayName></t:DistributionList>"), "Exchange2010"),
            (create("<t:Message><t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag></t:Message>"), "Exchange2013"),
            (moved, "Exchange2010_SP1"),
        ] {
            let first = VERSIONS.iter().position(|version| *version == first).unwrap();
            for (number, version) in VERSIONS.iter().enumerate() {
                let code = if number < first { "ErrorIncorrectSchemaVersion" } else { "NoError" };
                assert_eq!(world.call_at(version, &request).codes(), [code], "{version}: {request}");
            }
            // Who names no version is refused nothing.
            world.send(&crate::testing::envelope("", &request)).success();
        }
    }

    /// What an item is written as, by version, in an answer to SyncFolderItems and to GetItem.
    #[test]
    fn items_are_written_as_the_version_knows_them() {
        let world = World::new();
        for (class, sync_elements, get_elements) in [
            ("IPM.Note", ["Item", "Message", "Message"], ["Message"; 3]),
            ("IPM.Post", ["Item", "PostItem", "PostItem"], ["Item", "PostItem", "PostItem"]),
            ("IPM.DistList", ["Item", "Item", "DistributionList"], ["Item", "Item", "DistributionList"]),
            ("IPM.Contact", ["Contact"; 3], ["Contact"; 3]),
            ("IPM.Activity", ["Item"; 3], ["Item"; 3]),
            ("", ["Item"; 3], ["Item"; 3]),
        ] {
            let class = (model::tags::MESSAGE_CLASS, model::Value::text(class));
            let subject = (model::tags::SUBJECT, model::Value::text("a"));
            let (id, _) = world.item("inbox", &[class, subject]);
            for (number, version) in ["Exchange2007", "Exchange2007_SP1", "Exchange2010"].into_iter().enumerate() {
                let all = sync("", "").replace("IdOnly", "AllProperties");
                let answer = world.call_at(version, &all).success();
                assert_eq!(answer.children("Create"), [sync_elements[number]], "{version}");
                let known = answer.children(sync_elements[number]);
                assert_eq!(known.contains(&"IsAssociated".to_owned()), version == "Exchange2010", "{known:?}");
                assert!(!known.contains(&"ConversationId".to_owned()), "{known:?}");
                let get = format!(
                    "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>"
                );
                assert_eq!(
                    world.call_at(version, &get).success().children("Items"),
                    [get_elements[number]],
                    "{version}"
                );
            }
            world
                .call(&format!(
                    "<DeleteItem DeleteType=\"HardDelete\"><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></DeleteItem>"
                ))
                .success();
        }
    }
}
