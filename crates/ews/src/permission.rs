//! Permissions of folders: read from requests, and written with everything that a level means.
//!
//! What they grant is decided by the domain; here are the levels and the names.

use engine::{EffectiveRights, Engine, FolderRights, Grantee, Permission, Permissions};
use model::{Bag, PropertyKey, Value, sets};
use xml::{Document, Limits, Node, Writer};

use crate::{Failure, Fault, ResponseCode, request};

/// In the draft of a folder: the `PermissionSet` element as it came, Text. [`settle`] makes permissions of it.
pub(crate) const PERMISSION_SET: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x40);

/// Permissions of one folder.
const PERMISSIONS_MAX: usize = 1_000;

type R = FolderRights;

/// Single rights, in the order of the schema.
const FLAGS: [(&str, R); 5] = [
    ("t:CanCreateItems", R::CREATE),
    ("t:CanCreateSubFolders", R::CREATE_SUBFOLDER),
    ("t:IsFolderOwner", R::OWNER),
    ("t:IsFolderVisible", R::VISIBLE),
    ("t:IsFolderContact", R::CONTACT),
];
const EDIT_ALL: R = R::EDIT_ANY.with(R::EDIT_OWNED);
const DELETE_ALL: R = R::DELETE_ANY.with(R::DELETE_OWNED);
/// Values of `EditItems`, the most first.
const EDITS: &[(&str, R)] = &[("All", EDIT_ALL), ("Owned", R::EDIT_OWNED), ("None", R::NONE)];
/// Values of `DeleteItems`.
const DELETES: &[(&str, R)] = &[("All", DELETE_ALL), ("Owned", R::DELETE_OWNED), ("None", R::NONE)];
const BUSY_DETAILS: R = R::FREE_BUSY_SIMPLE.with(R::FREE_BUSY_DETAILED);
/// Values of `ReadItems`; those in the middle for calendars alone.
const READS: &[(&str, R)] = &[
    ("FullDetails", R::READ_ANY),
    ("TimeAndSubjectAndLocation", BUSY_DETAILS),
    ("TimeOnly", R::FREE_BUSY_SIMPLE),
    ("None", R::NONE),
];

/// Of those that say how far a right goes, all bits.
const EXTENTS: [(&str, &[(&str, R)]); 3] = [("EditItems", EDITS), ("DeleteItems", DELETES), ("ReadItems", READS)];

const REVIEWER: R = R::READ_ANY.with(R::VISIBLE);
const CONTRIBUTOR: R = R::CREATE.with(R::VISIBLE);
const NONEDITING_AUTHOR: R = CONTRIBUTOR.with(R::READ_ANY).with(R::DELETE_OWNED);
const AUTHOR: R = NONEDITING_AUTHOR.with(R::EDIT_OWNED);
const EDITOR: R = AUTHOR.with(EDIT_ALL).with(DELETE_ALL);
const OWNER: R = EDITOR.with(R::CREATE_SUBFOLDER).with(R::OWNER).with(R::CONTACT);

/// What the levels mean. `Custom` is what is none of the others, so it is not among them.
const LEVELS: &[(&str, R)] = &[
    ("None", R::NONE),
    ("Owner", OWNER),
    ("PublishingEditor", EDITOR.with(R::CREATE_SUBFOLDER)),
    ("Editor", EDITOR),
    ("PublishingAuthor", AUTHOR.with(R::CREATE_SUBFOLDER)),
    ("Author", AUTHOR),
    ("NoneditingAuthor", NONEDITING_AUTHOR),
    ("Reviewer", REVIEWER),
    ("Contributor", CONTRIBUTOR),
    ("FreeBusyTimeOnly", R::FREE_BUSY_SIMPLE),
    ("FreeBusyTimeAndSubjectAndLocation", BUSY_DETAILS),
];

/// A user in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum User {
    Default,
    Anonymous,
    Address(String),
}

/// Checks a `PermissionSet` of a request. The outer error is a fault, the inner one of the folder.
pub(crate) fn check(set: Node<'_>) -> Result<Result<(), Failure>, Fault> {
    Ok(read(set)?.map(drop))
}

fn read(set: Node<'_>) -> Result<Result<Vec<(User, R)>, Failure>, Fault> {
    let list = set.child_local("Permissions").or_else(|| set.child_local("CalendarPermissions"));
    let Some(list) = list else { return Err(Fault::schema(set, set.local(), "it has incomplete content.")) };
    let (mut permissions, mut failed) = (Vec::<(User, R)>::new(), None);
    for (number, node) in list.children().enumerate() {
        if number == PERMISSIONS_MAX {
            return Err(Fault::schema(node, node.local(), "it has more entries than one request may hold."));
        }
        if list.local().strip_suffix('s') != Some(node.local()) {
            return Err(Fault::schema(node, node.local(), "This element is not expected here."));
        }
        let rights = read_rights(node)?;
        match read_user(request::required(node, "UserId")?)? {
            Ok(user) if permissions.iter().any(|(have, _)| *have == user) => {
                failed = failed.or(Some(ResponseCode::ErrorDuplicateUserIdsSpecified.into()));
            }
            Ok(user) => permissions.push((user, rights)),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    Ok(failed.map_or(Ok(permissions), Err))
}

/// Whom a `UserId` names. The outer error is a fault, the inner one of the folder.
fn read_user(id: Node<'_>) -> Result<Result<User, Failure>, Fault> {
    if let Some(child) = id.child_local("DistinguishedUser") {
        const USERS: &[(&str, bool)] = &[("Default", true), ("Anonymous", false)];
        let default = request::enumeration(child, &child.text(), "DistinguishedUserType", USERS)?;
        return Ok(Ok(if default { User::Default } else { User::Anonymous }));
    }
    let text = |name: &str| id.child_local(name).map(|child| child.text().trim().to_lowercase());
    Ok(match text("PrimarySmtpAddress").filter(|address| !address.is_empty()) {
        Some(address) => Ok(User::Address(address)),
        None if id.child_local("SID").is_some() => {
            let text = "The SID is invalid: accounts have none here; name one by its PrimarySmtpAddress.";
            Err(Failure::text(ResponseCode::ErrorInvalidUserSid, text))
        }
        None if id.child_local("ExternalUserIdentity").is_some() => {
            let text = "The user information is invalid: there are no external users here.";
            Err(Failure::text(ResponseCode::ErrorInvalidUserInfo, text))
        }
        None => Err(ResponseCode::ErrorMissingUserIdInformation.into()),
    })
}

/// A level with single rights that differ.
fn read_rights(node: Node<'_>) -> Result<R, Fault> {
    let level = match node.child_local("CalendarPermissionLevel") {
        Some(level) => level,
        None => request::required(node, "PermissionLevel")?,
    };
    let mut rights = if level.text().trim() == "Custom" {
        R::NONE
    } else {
        request::enumeration(level, &level.text(), "PermissionLevelType", LEVELS)?
    };
    for (name, flag) in FLAGS {
        if let Some(child) = node.child_local(name.trim_start_matches("t:")) {
            rights = rights.without(flag);
            if request::boolean(child)? {
                rights = rights.with(flag);
            }
        }
    }
    for (name, values) in EXTENTS {
        if let Some(child) = node.child_local(name) {
            let all = values.iter().fold(R::NONE, |all, (_, one)| all.with(*one));
            rights =
                rights.without(all).with(request::enumeration(child, &child.text(), "PermissionActionType", values)?);
        }
    }
    Ok(rights)
}

/// The permissions that a checked `PermissionSet` grants, as they are kept. `calendar` says what the folder is, unless
/// its kind is not that of the element that the permissions came in.
///
/// # Errors
/// `ErrorInvalidUserInfo` for an address that no account has; the codes of permissions of the other kind; when the store
/// fails.
pub(crate) async fn settle(engine: &Engine, markup: &str, calendar: Option<bool>) -> Result<Value, Failure> {
    let internal = || Failure::new(ResponseCode::ErrorInternalServerError);
    let document = Document::parse(markup.as_bytes(), &Limits::DEFAULT).map_err(|_| internal())?;
    let set = document.root();
    match (calendar, set.child_local("CalendarPermissions").is_some()) {
        (Some(false), true) => {
            return Err(ResponseCode::ErrorCannotSetCalendarPermissionOnNonCalendarFolder.into());
        }
        (Some(true), false) => {
            return Err(ResponseCode::ErrorCannotSetNonCalendarPermissionOnCalendarFolder.into());
        }
        (None | Some(_), _) => {}
    }
    let list = read(set).map_err(|_| internal())??;
    let mut permissions = Permissions::default();
    for (user, rights) in list {
        let grantee = match user {
            User::Default => Grantee::Default,
            User::Anonymous => Grantee::Anonymous,
            User::Address(address) => {
                let account = engine.directory().account(&address).await?.map(|account| account.caller);
                let account = account.ok_or_else(|| {
                    let text = format!("The user information is invalid: nobody here has the address {address}.");
                    Failure::text(ResponseCode::ErrorInvalidUserInfo, text)
                })?;
                let (address, display_name) = (account.address, account.display_name);
                Grantee::Account { account: account.account, address, display_name }
            }
        };
        permissions.0.push(Permission { grantee, rights });
    }
    Ok(permissions.to_value())
}

/// Writes the permissions of a folder: those granted, or that nobody else may do anything. In a calendar everybody may
/// then see when its owner is busy.
pub(crate) fn write(out: &mut Writer, bag: &Bag, calendar: bool) {
    let default = if calendar { R::FREE_BUSY_SIMPLE } else { R::NONE };
    let permissions = Permissions::of(bag).unwrap_or_else(|| {
        let one = |grantee, rights| Permission { grantee, rights };
        Permissions(vec![one(Grantee::Default, default), one(Grantee::Anonymous, R::NONE)])
    });
    out.scope("t:PermissionSet", |out| {
        out.scope(if calendar { "t:CalendarPermissions" } else { "t:Permissions" }, |out| {
            permissions.0.iter().for_each(|permission| write_permission(out, permission, calendar));
        });
    });
}

fn write_permission(out: &mut Writer, permission: &Permission, calendar: bool) {
    let mut rights = permission.rights;
    if !calendar {
        rights = rights.without(BUSY_DETAILS);
    }
    out.scope(if calendar { "t:CalendarPermission" } else { "t:Permission" }, |out| {
        out.scope("t:UserId", |out| match &permission.grantee {
            Grantee::Default => out.element("t:DistinguishedUser", "Default"),
            Grantee::Anonymous => out.element("t:DistinguishedUser", "Anonymous"),
            Grantee::Account { address, display_name, .. } => {
                out.element("t:PrimarySmtpAddress", address);
                out.element("t:DisplayName", display_name);
            }
        });
        for (name, flag) in FLAGS {
            out.element(name, if rights.has(flag) { "true" } else { "false" });
        }
        for (name, (_, values)) in ["t:EditItems", "t:DeleteItems", "t:ReadItems"].into_iter().zip(EXTENTS) {
            // The last has no bits, so one is always found.
            let value = values.iter().find(|(_, bits)| rights.has(*bits));
            out.element(name, value.map_or("None", |(value, _)| value));
        }
        let level = LEVELS.iter().find(|(_, meaning)| *meaning == rights).map_or("Custom", |(name, _)| name);
        out.element(if calendar { "t:CalendarPermissionLevel" } else { "t:PermissionLevel" }, level);
    });
}

/// Writes what may be done with a folder or an item.
pub(crate) fn write_effective(out: &mut Writer, element: &'static str, rights: EffectiveRights) {
    out.scope(element, |out| {
        for (name, may) in [
            ("t:CreateAssociated", rights.create_associated),
            ("t:CreateContents", rights.create_contents),
            ("t:CreateHierarchy", rights.create_hierarchy),
            ("t:Delete", rights.delete),
            ("t:Modify", rights.modify),
            ("t:Read", rights.read),
            ("t:ViewPrivateItems", rights.view_private),
        ] {
            out.element(name, if may { "true" } else { "false" });
        }
    });
}

#[cfg(test)]
mod tests {
    use engine::Caller;
    use model::{Value, tags};

    use crate::testing::{Answered, World};

    /// A folder of Ann, as others name it.
    fn of_ann(name: &str) -> String {
        format!(
            "<t:DistinguishedFolderId Id=\"{name}\"><t:Mailbox><t:EmailAddress>Ann@example.com</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
        )
    }

    fn permission(user: &str, rest: &str) -> String {
        let user = match user {
            "Default" | "Anonymous" => format!("<t:DistinguishedUser>{user}</t:DistinguishedUser>"),
            address => format!("<t:PrimarySmtpAddress>{address}</t:PrimarySmtpAddress>"),
        };
        format!("<t:Permission><t:UserId>{user}</t:UserId>{rest}</t:Permission>")
    }

    fn level(name: &str) -> String {
        format!("<t:PermissionLevel>{name}</t:PermissionLevel>")
    }

    fn grant_as(world: &World, caller: &Caller, folder: &str, element: &str, permissions: &str) -> Answered {
        let list = if element == "CalendarFolder" { "CalendarPermissions" } else { "Permissions" };
        world.call_as(caller, &format!(
            "<UpdateFolder><FolderChanges><t:FolderChange>{folder}<t:Updates><t:SetFolderField><t:FieldURI \
             FieldURI=\"folder:PermissionSet\"/><t:{element}><t:PermissionSet><t:{list}>{permissions}</t:{list}>\
             </t:PermissionSet></t:{element}></t:SetFolderField></t:Updates></t:FolderChange></FolderChanges></UpdateFolder>"
        ))
    }

    fn grant(world: &World, folder: &str, permissions: &str) {
        grant_as(world, &world.caller, &of_ann(folder), "Folder", permissions).success();
    }

    const SHAPE: &str = "<ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape>";

    fn get_folder(folder: &str) -> String {
        format!(
            "<GetFolder><FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape><FolderIds>{folder}</FolderIds></GetFolder>"
        )
    }

    fn find(folder: &str) -> String {
        format!("<FindItem Traversal=\"Shallow\">{SHAPE}<ParentFolderIds>{folder}</ParentFolderIds></FindItem>")
    }

    fn get(id: &str) -> String {
        format!("<GetItem>{SHAPE}<ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></GetItem>")
    }

    fn sync(folder: &str) -> String {
        format!(
            "<SyncFolderItems>{SHAPE}<SyncFolderId>{folder}</SyncFolderId><MaxChangesReturned>9</MaxChangesReturned></SyncFolderItems>"
        )
    }

    fn create(folder: &str) -> String {
        format!(
            "<CreateItem MessageDisposition=\"SaveOnly\"><SavedItemFolderId>{folder}</SavedItemFolderId><Items><t:Message>\
             <t:Subject>new</t:Subject></t:Message></Items></CreateItem>"
        )
    }

    fn update(id: &str) -> String {
        format!(
            "<UpdateItem ConflictResolution=\"AlwaysOverwrite\" MessageDisposition=\"SaveOnly\"><ItemChanges><t:ItemChange><t:ItemId Id=\"{id}\"/>\
             <t:Updates><t:SetItemField><t:FieldURI FieldURI=\"item:Importance\"/><t:Message><t:Importance>High</t:Importance></t:Message>\
             </t:SetItemField></t:Updates></t:ItemChange></ItemChanges></UpdateItem>"
        )
    }

    fn read(id: &str) -> String {
        update(id)
            .replace("item:Importance", "message:IsRead")
            .replace("<t:Importance>High</t:Importance>", "<t:IsRead>true</t:IsRead>")
    }

    fn delete(id: &str) -> String {
        format!("<DeleteItem DeleteType=\"MoveToDeletedItems\"><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></DeleteItem>")
    }

    fn transfer(operation: &str, id: &str, to: &str) -> String {
        format!("<{operation}><ToFolderId>{to}</ToFolderId><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></{operation}>")
    }

    fn export(id: &str) -> String {
        format!("<ExportItems><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></ExportItems>")
    }

    fn new_folder(parent: &str, name: &str) -> String {
        format!(
            "<CreateFolder><ParentFolderId>{parent}</ParentFolderId><Folders><t:Folder><t:DisplayName>{name}</t:DisplayName></t:Folder>\
             </Folders></CreateFolder>"
        )
    }

    fn hierarchy(world: &World, caller: &Caller, state: &str) -> Answered {
        world.call_as(caller, &format!(
            "<SyncFolderHierarchy><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><SyncFolderId>{}</SyncFolderId>\
             <SyncState>{state}</SyncState></SyncFolderHierarchy>",
            of_ann("root")
        ))
    }

    fn code(answer: &Answered) -> String {
        let codes = answer.codes();
        assert!(answer.status == 200 && codes.len() == 1, "{}", answer.xml);
        codes[0].trim_start_matches("Error").to_owned()
    }

    /// What each level lets others do, by what they are answered.
    #[test]
    fn levels_grant_what_they_say() {
        const OK: &str = "NoError";
        const NO: &str = "AccessDenied";
        const NOT: &str = "ItemNotFound";
        let world = World::new();
        let bob = world.account("bob@example.com");
        // Something else is granted, so that what is not granted is not there.
        grant(&world, "notes", &permission("bob@example.com", &level("Reviewer")));
        let inbox = of_ann("inbox");
        // Of the folder: open it, find and synchronise items, make items and folders, rename it. Of the item of its owner:
        // get and export, change, mark as read, delete. Of one's own: get, change, delete.
        #[rustfmt::skip]
        let table = [
            ("None",             "FolderNotFound", "FolderNotFound", "FolderNotFound", "FolderNotFound", "FolderNotFound", [NOT, NOT, NOT, NOT], [NOT, NOT, NOT]),
            ("Contributor",      OK, NO, OK, NO, NO, [NOT, NOT, NOT, NOT], [OK, NO, NO]),
            ("Reviewer",         OK, OK, NO, NO, NO, [OK, NO, NO, NO],     [OK, NO, NO]),
            ("NoneditingAuthor", OK, OK, OK, NO, NO, [OK, NO, NO, NO],     [OK, NO, OK]),
            ("Author",           OK, OK, OK, NO, NO, [OK, NO, NO, NO],     [OK, OK, OK]),
            ("PublishingAuthor", OK, OK, OK, OK, NO, [OK, NO, NO, NO],     [OK, OK, OK]),
            ("Editor",           OK, OK, OK, NO, NO, [OK, OK, OK, OK],     [OK, OK, OK]),
            ("PublishingEditor", OK, OK, OK, OK, NO, [OK, OK, OK, OK],     [OK, OK, OK]),
            ("Owner",            OK, OK, OK, OK, OK, [OK, OK, OK, OK],     [OK, OK, OK]),
        ];
        for (name, open, finds, creates, subfolder, owner, theirs, own) in table {
            grant(&world, "inbox", &permission("bob@example.com", &level("Author")));
            let item = world.call_as(&bob, &create(&inbox)).success().attributes("ItemId", "Id").remove(0);
            let (other, _) = world.message("inbox", "of Ann");
            grant(&world, "inbox", &permission("BOB@example.com", &level(name)));
            let ask = |body: &str| code(&world.call_as(&bob, body));
            assert_eq!(ask(&get_folder(&inbox)), open, "{name}");
            assert_eq!(
                (ask(&find(&inbox)), ask(&sync(&inbox)).trim_start_matches("Sync").to_owned()),
                (finds.into(), finds.into()),
                "{name}"
            );
            assert_eq!(ask(&create(&inbox)).replace("SavedItem", ""), creates, "{name}");
            assert_eq!(ask(&new_folder(&inbox, name)), subfolder, "{name}");
            assert_eq!(
                code(&grant_as(&world, &bob, &inbox, "Folder", &permission("bob@example.com", &level(name)))),
                owner,
                "{name}"
            );
            assert_eq!(
                [ask(&get(&other)), ask(&update(&other)), ask(&read(&other)), ask(&delete(&other))],
                theirs,
                "{name}"
            );
            assert_eq!([ask(&get(&item)), ask(&update(&item)), ask(&delete(&item))], own, "{name}");
        }
    }

    /// Whoever is named has what is said of that one, everybody else what is said of all.
    #[test]
    fn single_rights_override_levels_and_names_override_all() {
        let world = World::new();
        let (bob, eve) = (world.account("bob@example.com"), world.account("eve@example.com"));
        let inbox = of_ann("inbox");
        let custom = "<t:CanCreateItems>true</t:CanCreateItems><t:IsFolderVisible>true</t:IsFolderVisible><t:EditItems>None</t:EditItems>\
            <t:DeleteItems>All</t:DeleteItems><t:PermissionLevel>Reviewer</t:PermissionLevel>";
        let all = [
            permission("bob@example.com", custom),
            permission("Default", &level("Reviewer")),
            permission("Anonymous", &level("Owner")),
        ];
        grant(&world, "inbox", &all.concat());
        let (item, _) = world.message("inbox", "a");
        let ask = |caller, body: &str| code(&world.call_as(caller, body));
        assert_eq!(
            [ask(&bob, &get(&item)), ask(&bob, &update(&item)), ask(&bob, &create(&inbox))],
            ["NoError", "AccessDenied", "NoError"]
        );
        assert_eq!(
            [ask(&eve, &get(&item)), ask(&eve, &delete(&item)), ask(&eve, &create(&inbox))],
            ["NoError", "AccessDenied", "AccessDenied"]
        );
        let rights = |caller: &Caller, body: &str| {
            let answer = world.call_as(caller, body).success();
            let value = |name: &str| answer.text(name) == "true";
            ["CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read", "ViewPrivateItems"]
                .map(value)
        };
        let (t, f) = (true, false);
        for (caller, of_folder, of_item) in [
            (&bob, [f, t, f, f, f, t, f], [f, f, f, t, f, t, f]),
            (&eve, [f, f, f, f, f, t, f], [f, f, f, f, f, t, f]),
            (&world.caller, [t; 7], [f, f, f, t, t, t, t]),
        ] {
            assert_eq!(rights(caller, &get_folder(&inbox)), of_folder);
            assert_eq!(rights(caller, &get(&item)), of_item);
        }
        assert_eq!(ask(&bob, &delete(&item)), "NoError");
        let got = world.call(&get_folder(&inbox)).success();
        assert_eq!(got.texts("PermissionLevel"), ["Custom", "Reviewer", "Owner"]);
        assert_eq!(
            (got.texts("DeleteItems"), got.texts("PrimarySmtpAddress")),
            (vec!["All".into(), "None".into(), "All".into()], vec!["bob@example.com".into()])
        );
        // Another account that gets the address has no part in it.
        let directory = world.ews.engine.directory();
        crate::testing::block_on(directory.remove_account("bob@example.com")).unwrap();
        let bob = world.account("bob@example.com");
        assert_eq!(ask(&bob, &create(&inbox)), "AccessDenied");
    }

    #[test]
    fn items_leave_and_come_as_rights_allow() {
        let world = World::new();
        let bob = world.account("bob@example.com");
        let ask = |body: &str| code(&world.call_as(&bob, body));
        let (item, _) = world.message("inbox", "a");
        for body in [
            get_folder(&of_ann("inbox")),
            find(&of_ann("inbox")),
            get(&item),
            export(&item),
            create(&of_ann("inbox")),
            sync(&of_ann("inbox")),
        ] {
            assert_eq!(ask(&body), "AccessDenied", "{body}");
        }
        grant(&world, "inbox", &permission("bob@example.com", &level("Reviewer")));
        grant(&world, "drafts", &permission("bob@example.com", &level("Contributor")));
        let moved =
            |to: &str| [ask(&transfer("MoveItem", &item, &of_ann(to))), ask(&transfer("CopyItem", &item, &of_ann(to)))];
        assert_eq!(moved("drafts"), ["AccessDenied", "NoError"]);
        assert_eq!(moved("notes"), ["ToFolderNotFound", "ToFolderNotFound"]);
        assert_eq!(moved("inbox"), ["AccessDenied", "AccessDenied"]);
        // A copy is of who made it.
        let copy = world.call(&find(&of_ann("drafts"))).success().attributes("ItemId", "Id").remove(0);
        assert_eq!((ask(&get(&copy)), ask(&export(&copy))), ("NoError".into(), "NoError".into()));
        let data = world.call_as(&bob, &export(&item)).success().text("Data");
        let upload = |folder: &str, action: &str, id: &str| {
            let parent = world.folder_id(folder);
            format!(
                "<UploadItems><Items><t:Item CreateAction=\"{action}\"><t:ParentFolderId Id=\"{parent}\"/>{id}<t:Data>{data}</t:Data></t:Item></Items></UploadItems>"
            )
        };
        let of_item = format!("<t:ItemId Id=\"{item}\"/>");
        assert_eq!(ask(&upload("drafts", "CreateNew", "")), "NoError");
        assert_eq!(ask(&upload("inbox", "CreateNew", "")), "AccessDenied");
        assert_eq!(ask(&upload("inbox", "Update", &of_item)), "AccessDenied");
        assert_eq!(ask(&upload("notes", "CreateNew", "")), "FolderNotFound");
        grant(&world, "inbox", &permission("bob@example.com", &level("Editor")));
        assert_eq!(ask(&upload("inbox", "Update", &of_item)), "NoError");
        assert_eq!(moved("drafts"), ["NoError", "ItemNotFound"]);
        // The search folders of the owner show what may be read.
        let found = |caller: &Caller| {
            let answer = world.call_as(caller, &find(&of_ann("voicemail")));
            (answer.codes().remove(0), answer.texts("Subject").len())
        };
        grant(&world, "voicemail", &permission("bob@example.com", &level("Reviewer")));
        grant_as(
            &world,
            &world.caller,
            &of_ann("voicemail"),
            "SearchFolder",
            &permission("bob@example.com", &level("Reviewer")),
        )
        .success();
        world.call(&format!(
            "<UpdateFolder><FolderChanges><t:FolderChange>{}<t:Updates><t:SetFolderField><t:FieldURI FieldURI=\"folder:SearchParameters\"/>\
             <t:SearchFolder><t:SearchParameters Traversal=\"Deep\"><t:Restriction><t:Exists><t:FieldURI FieldURI=\"item:Size\"/></t:Exists>\
             </t:Restriction><t:BaseFolderIds><t:DistinguishedFolderId Id=\"msgfolderroot\"/></t:BaseFolderIds></t:SearchParameters>\
             </t:SearchFolder></t:SetFolderField></t:Updates></t:FolderChange></FolderChanges></UpdateFolder>",
            of_ann("voicemail")
        )).success();
        world.item("inbox", &[(tags::SUBJECT, Value::text("shown"))]);
        world.item("notes", &[(tags::SUBJECT, Value::text("hidden"))]);
        let (own, all) = (found(&bob), found(&world.caller));
        assert_eq!((own.0.as_str(), all.0.as_str(), own.1), ("NoError", "NoError", 1));
        assert!(all.1 > 2);
    }

    /// Visitors are told of the folders that they see, and owners of changed permissions.
    #[test]
    fn the_hierarchy_is_what_one_sees() {
        let world = World::new();
        let bob = world.account("bob@example.com");
        assert_eq!(hierarchy(&world, &bob, "").valid().codes(), ["ErrorAccessDenied"]);
        let owner = hierarchy(&world, &world.caller, "").success().text("SyncState");
        grant(&world, "inbox", &permission("bob@example.com", &level("Reviewer")));
        let changed = hierarchy(&world, &world.caller, &owner).success();
        assert_eq!(
            (changed.children("Changes"), changed.texts("DisplayName")),
            (vec!["Update".into()], vec!["Inbox".into()])
        );
        let first = hierarchy(&world, &bob, "").success();
        assert_eq!(first.texts("DisplayName"), ["Top of Information Store", "Inbox"]);
        let step = |state: &str| {
            let answer = hierarchy(&world, &bob, state).success();
            let names: Vec<String> = answer.texts("DisplayName");
            (answer.children("Changes").join(" "), names.join(" "), answer.text("SyncState"))
        };
        let state = first.text("SyncState");
        assert_eq!(step(&state).0, "");
        world.message("inbox", "a");
        grant(&world, "drafts", &permission("bob@example.com", &level("Contributor")));
        let (changes, names, state) = step(&state);
        assert_eq!((changes.as_str(), names.as_str()), ("Create", "Drafts"));
        // What is made inside has the permissions of what is around it.
        let made = world.call(&new_folder(&of_ann("inbox"), "Inside")).success().attributes("FolderId", "Id").remove(0);
        let (changes, names, state) = step(&state);
        assert_eq!((changes.as_str(), names.as_str()), ("Create", "Inside"));
        grant(
            &world,
            "inbox",
            &permission(
                "bob@example.com",
                "<t:IsFolderVisible>false</t:IsFolderVisible><t:PermissionLevel>Reviewer</t:PermissionLevel>",
            ),
        );
        grant(&world, "drafts", &permission("bob@example.com", &level("PublishingEditor")));
        let (changes, names, state) = step(&state);
        assert_eq!((changes.as_str(), names.as_str()), ("Update Delete", "Drafts"));
        // It still opens, as it may be read.
        world.call_as(&bob, &find(&of_ann("inbox"))).success();
        // Who makes a folder there owns it.
        let own = world
            .call_as(&bob, &new_folder(&of_ann("drafts"), "Mine"))
            .success()
            .attributes("FolderId", "Id")
            .remove(0);
        let (changes, names, state) = step(&state);
        assert_eq!((changes.as_str(), names.as_str()), ("Create", "Mine"));
        let drop = |id: &str| {
            format!(
                "<DeleteFolder DeleteType=\"HardDelete\"><FolderIds><t:FolderId Id=\"{id}\"/></FolderIds></DeleteFolder>"
            )
        };
        let empty = |id: &str| {
            format!(
                "<EmptyFolder DeleteType=\"HardDelete\" DeleteSubFolders=\"true\"><FolderIds><t:FolderId Id=\"{id}\"/></FolderIds></EmptyFolder>"
            )
        };
        let rename = |id: &str| {
            format!(
                "<MoveFolder><ToFolderId>{}</ToFolderId><FolderIds><t:FolderId Id=\"{id}\"/></FolderIds></MoveFolder>",
                of_ann("inbox")
            )
        };
        let ask = |body: &str| code(&world.call_as(&bob, body));
        assert_eq!([ask(&drop(&made)), ask(&empty(&made)), ask(&rename(&own))], ["AccessDenied"; 3]);
        let copy = |to: &str| rename(&made).replace("MoveFolder", "CopyFolder").replace(&of_ann("inbox"), &of_ann(to));
        assert_eq!([ask(&copy("inbox")), ask(&copy("drafts"))], ["AccessDenied", "NoError"]);
        assert_eq!([ask(&empty(&own)), ask(&drop(&own))], ["NoError"; 2]);
        let (changes, names, state) = step(&state);
        assert_eq!((changes.as_str(), names.as_str()), ("Create Delete", "Inside"));
        // A state is of who saw it.
        let other = hierarchy(&world, &world.caller, &state).valid();
        assert_eq!(
            (other.codes(), hierarchy(&world, &bob, &owner).codes()),
            (vec!["ErrorInvalidSyncStateData".into()], vec!["ErrorInvalidSyncStateData".into()])
        );
        for folder in ["inbox", "drafts"] {
            grant(&world, folder, "");
        }
        let found = world.call_as(&bob, &format!(
            "<FindFolder Traversal=\"Deep\"><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape><ParentFolderIds>{}</ParentFolderIds></FindFolder>",
            of_ann("msgfolderroot")
        )).success();
        assert_eq!(found.texts("DisplayName"), ["Inside", "Inside"]);
        assert_eq!(found.texts("ChildFolderCount"), ["0", "0"]);
    }

    #[test]
    fn who_cannot_be_granted_anything_is_refused() {
        let world = World::new();
        let user =
            |inner: &str| format!("<t:Permission><t:UserId>{inner}</t:UserId>{}</t:Permission>", level("Reviewer"));
        for (permissions, code) in [
            (permission("nobody@example.com", &level("Reviewer")), "ErrorInvalidUserInfo"),
            (user("<t:SID>S-1-5-21-1</t:SID>"), "ErrorInvalidUserSid"),
            (user("<t:DisplayName>Bob</t:DisplayName>"), "ErrorMissingUserIdInformation"),
            (user("<t:ExternalUserIdentity>x</t:ExternalUserIdentity>"), "ErrorInvalidUserInfo"),
            (permission("Default", &level("Reviewer")).repeat(2), "ErrorDuplicateUserIdsSpecified"),
            (permission("Default", &level("King")), "ErrorSchemaValidation"),
        ] {
            assert_eq!(
                grant_as(&world, &world.caller, &of_ann("inbox"), "Folder", &permissions).codes(),
                [code],
                "{permissions}"
            );
        }
        let calendar = "<t:CalendarPermission><t:UserId><t:DistinguishedUser>Default</t:DistinguishedUser></t:UserId>\
            <t:CalendarPermissionLevel>FreeBusyTimeAndSubjectAndLocation</t:CalendarPermissionLevel></t:CalendarPermission>";
        let set = |folder: &str, element: &str, permissions: &str| {
            grant_as(&world, &world.caller, &of_ann(folder), element, permissions).codes().remove(0)
        };
        assert_eq!(set("inbox", "CalendarFolder", calendar), "ErrorCannotSetCalendarPermissionOnNonCalendarFolder");
        assert_eq!(
            set("calendar", "Folder", &permission("Default", &level("Reviewer"))),
            "ErrorCannotSetNonCalendarPermissionOnCalendarFolder"
        );
        assert_eq!(set("calendar", "CalendarFolder", calendar), "NoError");
        let got = world.call(&get_folder(&of_ann("calendar"))).success();
        assert_eq!(
            (got.text("CalendarPermissionLevel"), got.text("ReadItems")),
            ("FreeBusyTimeAndSubjectAndLocation".into(), "TimeAndSubjectAndLocation".into())
        );
        // To see when somebody is busy is not to see the calendar.
        let bob = world.account("bob@example.com");
        assert_eq!(world.call_as(&bob, &get_folder(&of_ann("calendar"))).valid().codes(), ["ErrorAccessDenied"]);
    }
}
