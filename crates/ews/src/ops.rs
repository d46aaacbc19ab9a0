//! Every operation that this server answers.
//!
//! # To add one
//! 1. A file `ops/<operation>.rs` beside the others. Top to bottom: a doc line with the section of the specification; a
//!    `pub(super) struct` that holds the request as owned values; its [`Operation`] implementation; helpers; tests.
//!    What is not among its `CHILDREN`, or in no namespace of ours, is a fault before `decode` sees it.
//! 2. One line in the table below. Dispatch and [`NAMES`] come from it; `fields::table` style lists need nothing.
//!
//! `decode` reads the element in the SOAP body with the functions of `request`, `id` (`ItemRef::read_batch`,
//! `FolderRef::read_batch`), `shape` and `path`; what breaks the schema is a [`Fault`], what is wrong with one id or
//! value of several is kept as `Err(Failure)` in its place. `run` answers one response message an asked item, in
//! order, by [`Answer::result`], [`Answer::success`] or [`Answer::error`]; it takes mailboxes from
//! [`Context::mailbox`] for writing and views from `context::Views` for reading batches, turns `EngineError` into
//! `Failure` by `?`, and lets no item fail another. Write items with `shape::ItemWriter`, folders with
//! `folder::FolderItem`, bare ids with `id::write`. Changes to items are `patch::Patch`es out of `Field::read`.
//! Tests send whole envelopes with `testing::World` and have the answer checked against the schema.

use std::pin::Pin;

use xml::{Node, soap};

use crate::stream::Outlet;
use crate::{Answer, Context, Fault, Header, ResponseCode, Version, local_time, request, version};

/// One operation: a typed request, its decoding, and what it does.
pub(crate) trait Operation: Sized + Send {
    /// The name of its element in the SOAP body.
    const NAME: &'static str;
    /// The elements that may stand in it, in the order of the schema. Clients are not held to the order.
    const CHILDREN: &'static [&'static str];
    /// The version that introduced it; a request that names an earlier one is refused.
    const SINCE: Version = Version::V2007;
    /// How the envelopes of its answer are written.
    const STYLE: soap::EnvelopeStyle = crate::STYLE;

    /// Reads the element in the SOAP body.
    ///
    /// # Errors
    /// A fault where it breaks the schema.
    fn decode(body: Node<'_>) -> Result<Self, Fault>;

    /// Performs the operation and writes the response messages. One that only reads calls [`Answer::pause`] between them.
    ///
    /// # Errors
    /// A fault where nothing can be answered an item at a time.
    fn run(self, context: &Context<'_>, answer: &mut Answer) -> impl Future<Output = Result<(), Fault>> + Send;
}

mod calendar_view;
mod contacts_view;
mod occurrence;

macro_rules! operations {
    ($($module:ident :: $operation:ident,)*) => {
        $(mod $module;)*

        /// The names of all operations, in the order of the table.
        pub const NAMES: &[&str] = &[$($module::$operation::NAME),*];

        /// The elements that may stand in each.
        #[cfg(test)]
        const CHILDREN: &[(&str, &[&str])] = &[$(($module::$operation::NAME, $module::$operation::CHILDREN)),*];

        /// Reads the operation that the element in the SOAP body asks for.
        ///
        /// # Errors
        /// A fault where it breaks the schema, is newer than the version asked for, or is not known.
        pub(crate) fn read(body: Node<'_>, header: &Header) -> Result<Box<dyn Task>, Fault> {
            match body.local() {
                $($module::$operation::NAME => decode::<$module::$operation>(body, header),)*
                other => Err(unknown(other)),
            }
        }
    };
}

/// An operation whose request was read.
pub(crate) trait Task: Send {
    /// The name of the operation.
    fn name(&self) -> &'static str;

    /// Performs it and gives the answer, or the rest of it behind what went to `outlet`.
    fn run<'a>(self: Box<Self>, context: &'a Context<'a>, outlet: Outlet) -> Performance<'a>;
}

/// An operation that is being performed.
pub(crate) type Performance<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, Fault>> + Send + 'a>>;

impl<O: Operation + 'static> Task for O {
    fn name(&self) -> &'static str {
        O::NAME
    }

    fn run<'a>(self: Box<Self>, context: &'a Context<'a>, outlet: Outlet) -> Performance<'a> {
        Box::pin(async move {
            let mut answer = Answer::begin(O::NAME, &O::STYLE, outlet, context.engine().clone());
            Operation::run(*self, context, &mut answer).await?;
            Ok(answer.finish())
        })
    }
}

operations! {
    convert_id::ConvertId,
    copy_folder::CopyFolder,
    copy_item::CopyItem,
    create_attachment::CreateAttachment,
    create_folder::CreateFolder,
    create_item::CreateItem,
    delete_attachment::DeleteAttachment,
    delete_folder::DeleteFolder,
    delete_item::DeleteItem,
    empty_folder::EmptyFolder,
    export_items::ExportItems,
    find_folder::FindFolder,
    find_item::FindItem,
    get_attachment::GetAttachment,
    get_events::GetEvents,
    get_folder::GetFolder,
    get_item::GetItem,
    get_streaming_events::GetStreamingEvents,
    move_folder::MoveFolder,
    move_item::MoveItem,
    send_item::SendItem,
    subscribe::Subscribe,
    sync_folder_hierarchy::SyncFolderHierarchy,
    sync_folder_items::SyncFolderItems,
    unsubscribe::Unsubscribe,
    update_folder::UpdateFolder,
    update_item::UpdateItem,
    upload_items::UploadItems,
}

fn decode<O: Operation + 'static>(body: Node<'_>, header: &Header) -> Result<Box<dyn Task>, Fault> {
    version::check(body, O::SINCE, header)?;
    request::namespaces(body)?;
    request::known_children(body, O::CHILDREN)?;
    Ok(Box::new(local_time::within(header.zone.as_ref(), || O::decode(body))?))
}

/// Codes about the version or the request as such make clients try again with other versions, so it is none of those.
fn unknown(name: &str) -> Fault {
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    Fault::text(ResponseCode::ErrorInvalidOperation, format!("The operation {name} is not available on this server."))
}

/// Characters of an unknown name that are repeated in the fault.
const NAME_CHARS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::NAMES;
    use crate::testing::World;

    #[test]
    fn names_are_sorted_and_unknown_ones_fault() {
        assert!(NAMES.is_sorted());
        let answer = World::new().call("<FindPeople/>");
        assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorInvalidOperation".to_owned()]));
        assert!(answer.xml.contains("<t:ServerVersionInfo"), "{}", answer.xml);
    }

    /// What the schema does not have is a fault, not passed over.
    #[test]
    fn unknown_elements_and_namespaces_fault() {
        let world = World::new();
        let body = "<GetFolder><FolderShape><t:BaseShape>IdOnly</t:BaseShape></FolderShape><FolderIds>\
            <t:DistinguishedFolderId Id=\"inbox\"/></FolderIds></GetFolder>";
        for (from, to) in [
            ("<GetFolder>", "<GetFolder xmlns=\"urn:x\">"),
            ("<GetFolder>", "<GetFolder xmlns=\"\">"),
            ("<GetFolder>", "<GetFolder xmlns:t=\"urn:x\">"),
            ("<FolderIds>", "<FolderIds xmlns=\"\">"),
            ("<FolderIds>", "<Bogus/><FolderIds>"),
            ("<t:BaseShape>", "<t:Bogus/><t:BaseShape>"),
            ("<t:DistinguishedFolderId", "<t:Bogus/><t:DistinguishedFolderId"),
        ] {
            let answer = world.call(&body.replacen(from, to, 1));
            assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorSchemaValidation".to_owned()]), "{to}");
        }
        // Either namespace will do inside, and any order.
        let types = body.replace("<FolderIds>", &format!("<FolderIds xmlns=\"{}\">", crate::TYPES));
        world.call(&types.replace("t:Dist", "Dist")).success();
        world.call(&body.replace("t:BaseShape", "BaseShape")).success();
    }

    /// The elements in the published schema are those of the table, but for what is newer.
    #[test]
    fn children_are_those_of_the_schema() {
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/schemas/ews/messages.xsd");
        let Ok(schema) = std::fs::read_to_string(schema) else {
            eprintln!("skipped: no schema at {schema}");
            return;
        };
        for (name, children) in super::CHILDREN {
            for child in *children {
                let newer = ["NumberOfDays", "MaximumCount", "MinimumCount"].contains(child);
                assert!(newer || schema.contains(&format!("<xs:element name=\"{child}\"")), "{child} of {name}");
            }
        }
    }

    const SAMPLES: &[&str] = &[
        "<GetItem><ItemShape><t:BaseShape>Default</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI=\"item:Subject\"/>\
         <t:IndexedFieldURI FieldURI=\"item:InternetMessageHeader\" FieldIndex=\"X\"/><t:ExtendedFieldURI PropertyTag=\"0x37\" \
         PropertyType=\"String\"/></t:AdditionalProperties></ItemShape><ItemIds><t:ItemId Id=\"AAMkAD\" ChangeKey=\"CQAAAA==\"/>\
         </ItemIds></GetItem>",
        "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><IndexedPageItemView \
         MaxEntriesReturned=\"5\" Offset=\"0\" BasePoint=\"End\"/><Restriction><t:And><t:IsEqualTo><t:FieldURI \
         FieldURI=\"item:IsDraft\"/><t:FieldURIOrConstant><t:Constant Value=\"true\"/></t:FieldURIOrConstant></t:IsEqualTo>\
         <t:Exists><t:FieldURI FieldURI=\"item:Subject\"/></t:Exists></t:And></Restriction><SortOrder><t:FieldOrder \
         Order=\"Ascending\"><t:FieldURI FieldURI=\"item:Size\"/></t:FieldOrder></SortOrder><ParentFolderIds>\
         <t:DistinguishedFolderId Id=\"inbox\"/></ParentFolderIds></FindItem>",
        "<CreateItem MessageDisposition=\"SaveOnly\"><Items><t:Message><t:MimeContent>U3ViamVjdDogYQ==</t:MimeContent>\
         <t:Flag><t:FlagStatus>Flagged</t:FlagStatus><t:DueDate>2024-01-01</t:DueDate></t:Flag><t:ToRecipients><t:Mailbox>\
         <t:EmailAddress>a@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients></t:Message></Items></CreateItem>",
        "<SyncFolderItems><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><SyncFolderId><t:DistinguishedFolderId \
         Id=\"inbox\"/></SyncFolderId><SyncState>AAAA</SyncState><Ignore><t:ItemId Id=\"AAMk\"/></Ignore><MaxChangesReturned>5\
         </MaxChangesReturned><SyncScope>NormalItems</SyncScope></SyncFolderItems>",
    ];

    static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(World::new);

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(100))]
        /// Whatever is cut out of a request, or put into it, it is answered.
        #[test]
        fn every_request_is_answered(sample in 0..SAMPLES.len(), at in 0_usize..900, length in 0_usize..40, more in "[ -~]{0,8}") {
            let mut body = SAMPLES[sample].to_owned();
            let start = at.min(body.len());
            let end = (start + length).min(body.len());
            body.replace_range(start..end, &more);
            let status = WORLD.call(&body).status;
            proptest::prop_assert!(status == 200 || status == 500);
        }
    }
}
