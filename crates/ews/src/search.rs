//! Search folders: what they search, kept as it came, and how it is found.
//!
//! They hold nothing themselves: their items and counts are found when they are asked for, so that neither ever makes a
//! change of the folder. The items have the ids that they have in their own folders.

use engine::{Folder, Query, Search, View};
use model::{Bag, PropertyKey, Value, sets};
use xml::{Document, Limits, Node, Writer};

use crate::folder::FolderItem;
use crate::id::{FolderRef, MailboxId};
use crate::restriction::{self, Subject};
use crate::shape::FolderShape;
use crate::{Failure, Fault, Header, ResponseCode, folder, request};

/// In the bag of a search folder: the `SearchParameters` element as it came, Text.
pub(crate) const SEARCH_PARAMETERS: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x41);

/// Base folders of one search.
const BASES_MAX: usize = 1_000;

/// What a search folder searches, as a request says it.
struct Parameters {
    deep: bool,
    predicate: model::Predicate,
    bases: Vec<FolderRef>,
}

/// Reads a `SearchParameters` element. The outer error is a fault, the inner one of the folder.
fn read(node: Node<'_>) -> Result<Result<Parameters, Failure>, Fault> {
    const TRAVERSALS: &[(&str, bool)] = &[("Shallow", false), ("Deep", true)];
    let deep = match node.attribute("Traversal") {
        Some(text) => request::enumeration(node, text, "SearchFolderTraversalType", TRAVERSALS)?,
        None => false,
    };
    let base = request::required(node, "BaseFolderIds")?;
    if let Some(past) = base.children().nth(BASES_MAX) {
        return Err(Fault::schema(past, past.local(), "it has more entries than one search may have."));
    }
    let bases: Result<Vec<_>, _> = FolderRef::read_batch(base)?.into_iter().collect();
    let predicate = restriction::read(request::required(node, "Restriction")?, Subject::Items)?;
    Ok(bases.and_then(|bases| Ok(Parameters { deep, predicate: predicate?, bases })))
}

/// Checks a `SearchParameters` element. The outer error is a fault, the inner one of the folder.
pub(crate) fn check(node: Node<'_>) -> Result<Result<(), Failure>, Fault> {
    Ok(read(node)?.map(drop))
}

/// What a folder searches, where it is a search folder that has been told so.
fn kept(bag: &Bag) -> Option<Parameters> {
    let document = Document::parse(bag.text(&SEARCH_PARAMETERS)?.as_bytes(), &Limits::DEFAULT).ok()?;
    read(document.root()).ok()?.ok()
}

/// Checks that the base folders of a new search are there, and in the mailbox of the folder.
///
/// # Errors
/// `ErrorFolderNotFound`; `ErrorInvalidRequest` for folders of another mailbox; when the store fails.
pub(crate) async fn verify(view: &mut View, owner: &engine::Caller, bag: &Bag) -> Result<(), Failure> {
    for base in kept(bag).map(|kept| kept.bases).unwrap_or_default() {
        let own = match &base.mailbox {
            MailboxId::Own => true,
            MailboxId::Address(address) => address.eq_ignore_ascii_case(&owner.address),
            MailboxId::Guid(guid) => *guid == owner.mailbox_guid,
        };
        if !own {
            let text = "The request is invalid: a search folder searches its own mailbox.";
            return Err(Failure::text(ResponseCode::ErrorInvalidRequest, text));
        }
        folder::resolve(view, &base.target).await?;
    }
    Ok(())
}

/// What a search folder searches now. One that was told nothing, or nothing that is understood, searches nothing.
async fn of_folder(view: &mut View, folder: &Folder) -> Result<Search, Failure> {
    let Some(kept) = kept(&folder.bag) else {
        return Ok(Search { bases: Vec::new(), deep: false, predicate: model::Predicate::True });
    };
    let mut bases = Vec::new();
    for base in kept.bases {
        match folder::resolve(view, &base.target).await {
            Ok(base) => bases.push(base),
            // One that has gone is passed over.
            Err(failure) if !failure.invites() => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(Search { bases, deep: kept.deep, predicate: kept.predicate })
}

/// Finds items in a search folder.
///
/// # Errors
/// When the store fails.
pub(crate) async fn find(view: &mut View, folder: &Folder, query: &Query) -> Result<engine::Found, Failure> {
    let search = of_folder(view, folder).await?;
    Ok(view.search(&search, query).await?)
}

/// Counts the items of the search folders among `items`, where their shape wants counts. Costs the items searched.
///
/// # Errors
/// When the store fails.
pub(crate) async fn count(
    view: &mut View,
    items: impl Iterator<Item = &mut FolderItem>,
    shape: &FolderShape,
    header: &Header,
) -> Result<(), Failure> {
    for item in items.filter(|item| item.folder.is_search()) {
        if shape.wants_counts(&item.folder, header) {
            let search = of_folder(view, &item.folder).await?;
            (item.folder.row.items, item.folder.row.unread) = view.search_counts(&search).await?;
        }
    }
    Ok(())
}

/// Writes what a search folder searches, where it has been told so.
pub(crate) fn write(out: &mut Writer, folder: &Folder) {
    let Some(text) = folder.bag.get(&SEARCH_PARAMETERS).and_then(Value::as_text).filter(|_| folder.is_search()) else {
        return;
    };
    let Ok(document) = Document::parse(text.as_bytes(), &Limits::DEFAULT) else { return };
    let node = document.root();
    let (Ok(Ok(kept)), Some(restriction), Some(base)) =
        (read(node), node.child_local("Restriction"), node.child_local("BaseFolderIds"))
    else {
        return;
    };
    out.start("t:SearchParameters");
    out.attribute("Traversal", if kept.deep { "Deep" } else { "Shallow" });
    out.raw(&restriction.to_xml());
    out.raw(&base.to_xml());
    out.end();
}

#[cfg(test)]
mod tests {
    use model::{Value, tags};

    use crate::testing::{Answered, World, block_on};

    const SUBJECT: &str = "<t:FieldURI FieldURI=\"item:Subject\"/>";

    fn parameters(traversal: &str, restriction: &str, bases: &[&str]) -> String {
        let bases: String = bases.iter().map(|name| format!("<t:DistinguishedFolderId Id=\"{name}\"/>")).collect();
        format!(
            "<t:SearchParameters Traversal=\"{traversal}\"><t:Restriction>{restriction}</t:Restriction>\
             <t:BaseFolderIds>{bases}</t:BaseFolderIds></t:SearchParameters>"
        )
    }

    fn create(world: &World, name: &str, parameters: &str) -> Answered {
        world.call(&format!(
            "<CreateFolder><ParentFolderId><t:DistinguishedFolderId Id=\"searchfolders\"/></ParentFolderId><Folders>\
             <t:SearchFolder><t:DisplayName>{name}</t:DisplayName>{parameters}</t:SearchFolder></Folders></CreateFolder>"
        ))
    }

    fn made(world: &World, name: &str, parameters: &str) -> String {
        create(world, name, parameters).success().attributes("FolderId", "Id").remove(0)
    }

    fn find(world: &World, folder: &str, traversal: &str, middle: &str) -> Answered {
        world.call(&format!(
            "<FindItem Traversal=\"{traversal}\"><ItemShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>{SUBJECT}\
             </t:AdditionalProperties></ItemShape>{middle}<ParentFolderIds><t:FolderId Id=\"{folder}\"/></ParentFolderIds></FindItem>"
        ))
    }

    fn found(world: &World, folder: &str) -> String {
        find(world, folder, "Shallow", "").success().texts("Subject").join(" ")
    }

    fn counts(world: &World, folder: &str) -> (String, String) {
        let answer = world.call(&format!(
            "<GetFolder><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><FolderIds><t:FolderId Id=\"{folder}\"/>\
             </FolderIds></GetFolder>"
        ));
        let answer = answer.success();
        (answer.text("TotalCount"), answer.text("UnreadCount"))
    }

    fn hierarchy(world: &World, state: &str) -> Answered {
        let answer = world.call(&format!(
            "<SyncFolderHierarchy><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><SyncFolderId>\
             <t:DistinguishedFolderId Id=\"searchfolders\"/></SyncFolderId><SyncState>{state}</SyncState></SyncFolderHierarchy>"
        ));
        answer.success()
    }

    fn exists() -> String {
        format!("<t:Exists>{SUBJECT}</t:Exists>")
    }

    fn subject_is(subject: &str) -> String {
        format!(
            "<t:IsEqualTo>{SUBJECT}<t:FieldURIOrConstant><t:Constant Value=\"{subject}\"/></t:FieldURIOrConstant></t:IsEqualTo>"
        )
    }

    #[test]
    fn items_of_the_base_folders_are_found_newest_first() {
        let world = World::new();
        world.message("inbox", "a");
        world.message("sentitems", "b");
        world.message("drafts", "c");
        world.message("conflicts", "d");
        world.message("inbox", "e");
        world.content("inbox", model::ItemContent::default(), model::ItemFlags::ASSOCIATED);
        let both = made(&world, "Both", &parameters("Shallow", &exists(), &["inbox", "sentitems"]));
        assert_eq!(found(&world, &both), "e b a");
        assert_eq!(counts(&world, &both), ("3".into(), "3".into()));
        // A shallow search does not look inside, a deep one does, and into each folder once.
        assert_eq!(found(&world, &made(&world, "Shallow", &parameters("Shallow", &exists(), &["syncissues"]))), "");
        let deep = made(&world, "Deep", &parameters("Deep", &exists(), &["msgfolderroot", "inbox"]));
        assert_eq!(found(&world, &deep), "e d c b a");
        let page = "<IndexedPageItemView MaxEntriesReturned=\"2\" Offset=\"1\" BasePoint=\"Beginning\"/><Restriction>\
            <t:Not><t:Contains ContainmentMode=\"FullString\"><t:FieldURI FieldURI=\"item:Subject\"/><t:Constant Value=\"d\"/>\
            </t:Contains></t:Not></Restriction><SortOrder><t:FieldOrder Order=\"Ascending\"><t:FieldURI FieldURI=\"item:Subject\"/>\
            </t:FieldOrder></SortOrder>";
        let page = find(&world, &deep, "Shallow", page).success();
        assert_eq!(page.texts("Subject"), ["b", "c"]);
        assert_eq!(page.attributes("RootFolder", "TotalItemsInView"), ["4"]);
        assert_eq!(find(&world, &deep, "Associated", "").success().attributes("RootFolder", "TotalItemsInView"), ["0"]);
    }

    #[test]
    fn ids_are_those_of_the_items_and_what_goes_is_gone() {
        let world = World::new();
        let (first, _) = world.message("inbox", "one");
        let (second, _) = world.message("inbox", "one");
        world.message("inbox", "other");
        let search = made(&world, "One", &parameters("Deep", &subject_is("one"), &["inbox"]));
        let ids = find(&world, &search, "Shallow", "").success().attributes("ItemId", "Id");
        assert_eq!(ids, [second.clone(), first.clone()]);
        let get = world.call(&format!(
            "<GetItem><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{}\"/></ItemIds></GetItem>",
            ids[0]
        ));
        assert_eq!(get.success().texts("Subject"), ["one"]);
        let state = hierarchy(&world, "").text("SyncState");
        world
            .call(&format!(
                "<DeleteItem DeleteType=\"HardDelete\"><ItemIds><t:ItemId Id=\"{first}\"/></ItemIds></DeleteItem>"
            ))
            .success();
        assert_eq!(counts(&world, &search), ("1".into(), "1".into()));
        world.call(&format!(
            "<MoveItem><ToFolderId><t:DistinguishedFolderId Id=\"drafts\"/></ToFolderId><ItemIds><t:ItemId Id=\"{second}\"/></ItemIds></MoveItem>"
        )).success();
        assert_eq!((found(&world, &search), counts(&world, &search)), (String::new(), ("0".into(), "0".into())));
        world.item("inbox", &[(tags::SUBJECT, Value::text("ONE"))]);
        assert_eq!(found(&world, &search), "ONE");
        // None of this changes the folder.
        assert!(hierarchy(&world, &state).children("Changes").is_empty());
    }

    /// Making, renaming, changing and deleting one shows in the hierarchy.
    #[test]
    fn the_hierarchy_shows_what_becomes_of_them() {
        let world = World::new();
        world.message("inbox", "a");
        world.message("drafts", "b");
        let before = hierarchy(&world, "").text("SyncState");
        let search = made(&world, "S", &parameters("Shallow", &exists(), &["inbox"]));
        let after = hierarchy(&world, &before);
        assert_eq!(
            (after.children("Changes"), after.children("Create")),
            (vec!["Create".into()], vec!["SearchFolder".into()])
        );
        assert_eq!(after.texts("TotalCount"), ["1"]);
        let update = |field: &str, value: &str| {
            world.call(&format!(
                "<UpdateFolder><FolderChanges><t:FolderChange><t:FolderId Id=\"{search}\"/><t:Updates><t:SetFolderField>\
                 <t:FieldURI FieldURI=\"folder:{field}\"/><t:SearchFolder>{value}</t:SearchFolder></t:SetFolderField></t:Updates>\
                 </t:FolderChange></FolderChanges></UpdateFolder>"
            ))
        };
        update("DisplayName", "<t:DisplayName>T</t:DisplayName>").success();
        let renamed = hierarchy(&world, &after.text("SyncState"));
        assert_eq!(
            (renamed.children("Changes"), renamed.texts("DisplayName")),
            (vec!["Update".into()], vec!["T".into()])
        );
        update("SearchParameters", &parameters("Shallow", &exists(), &["drafts"])).success();
        let changed = hierarchy(&world, &renamed.text("SyncState"));
        assert_eq!(changed.children("Changes"), ["Update"]);
        assert_eq!(found(&world, &search), "b");
        let gone = update("SearchParameters", &parameters("Shallow", &exists(), &["archive"])).valid();
        assert_eq!((gone.codes(), found(&world, &search)), (vec!["ErrorFolderNotFound".into()], "b".into()));
        world.call(&format!("<DeleteFolder DeleteType=\"HardDelete\"><FolderIds><t:FolderId Id=\"{search}\"/></FolderIds></DeleteFolder>")).success();
        assert_eq!(hierarchy(&world, &changed.text("SyncState")).children("Changes"), ["Delete"]);
        assert_eq!(find(&world, &search, "Shallow", "").valid().codes(), ["ErrorFolderNotFound"]);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let world = World::new();
        let bob = world.account("bob@example.com");
        block_on(world.ews.engine.open_mailbox(&bob, engine::MailboxName::Own)).unwrap();
        let other = format!(
            "<t:SearchParameters><t:Restriction>{}</t:Restriction><t:BaseFolderIds><t:DistinguishedFolderId Id=\"inbox\"><t:Mailbox>\
             <t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId></t:BaseFolderIds></t:SearchParameters>",
            exists()
        );
        for (parameters, code) in [
            (parameters("Sideways", &exists(), &["inbox"]), "ErrorSchemaValidation"),
            (parameters("Deep", &exists(), &[]), "ErrorSchemaValidation"),
            ("<t:SearchParameters/>".into(), "ErrorSchemaValidation"),
            (
                parameters("Deep", &exists().replace("item:Subject", "item:Body"), &["inbox"]),
                "ErrorUnsupportedPathForQuery",
            ),
            (parameters("Deep", &exists(), &["inbox", "archive"]), "ErrorFolderNotFound"),
            (other, "ErrorInvalidRequest"),
        ] {
            assert_eq!(create(&world, "S", &parameters).codes(), [code], "{parameters}");
        }
        let search = made(&world, "S", &parameters("Deep", &exists(), &["inbox"]));
        let target = format!("<t:FolderId Id=\"{search}\"/>");
        let (item, _) = world.message("inbox", "a");
        for request in [
            format!(
                "<SyncFolderItems><ItemShape><t:BaseShape>IdOnly</t:BaseShape></ItemShape><SyncFolderId>{target}</SyncFolderId>\
                 <MaxChangesReturned>5</MaxChangesReturned></SyncFolderItems>"
            ),
            format!(
                "<MoveItem><ToFolderId>{target}</ToFolderId><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds></MoveItem>"
            ),
            format!(
                "<CopyItem><ToFolderId>{target}</ToFolderId><ItemIds><t:ItemId Id=\"{item}\"/></ItemIds></CopyItem>"
            ),
            format!(
                "<CreateItem MessageDisposition=\"SaveOnly\"><SavedItemFolderId>{target}</SavedItemFolderId><Items><t:Message/></Items></CreateItem>"
            ),
            format!(
                "<UploadItems><Items><t:Item CreateAction=\"CreateNew\"><t:ParentFolderId Id=\"{search}\"/><t:Data>AAAA</t:Data></t:Item></Items></UploadItems>"
            ),
        ] {
            assert_eq!(world.call(&request).valid().codes(), ["ErrorInvalidFolderTypeForOperation"], "{request}");
        }
        // One that has been told nothing finds nothing.
        assert_eq!(found(&world, &made(&world, "Empty", "")), "");
    }
}
