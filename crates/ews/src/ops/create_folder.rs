//! `CreateFolder`, MS-OXWSFOLD 3.1.4.2.

use engine::{Access, EngineError, Folder, Mailbox, NewFolder, PERMISSIONS};
use model::{Bag, CollectionId, Guid, PropertyKey, Value, limits, tags};
use xml::{Node, Writer};

use super::Operation;
use crate::class::{self, FolderClass};
use crate::folder::{self, FolderItem};
use crate::id::FolderRef;
use crate::path::ExtendedField;
use crate::permission::{self, PERMISSION_SET};
use crate::search::{self, SEARCH_PARAMETERS};
use crate::{Answer, Context, Failure, Fault, ResponseCode, request};

pub(super) struct CreateFolder {
    parent: Result<FolderRef, Failure>,
    folders: Vec<Result<NewFolder, Failure>>,
}

/// Bytes of an element that is kept as it came.
const ELEMENT_BYTES_MAX: usize = 256 << 10;
/// Extended properties of one folder in a request.
const EXTENDED_MAX: usize = 1_000;

impl Operation for CreateFolder {
    const NAME: &'static str = "CreateFolder";
    const CHILDREN: &'static [&'static str] = &["ParentFolderId", "Folders"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let parent = FolderRef::read_target(request::required(body, "ParentFolderId")?)?;
        let folders = request::batch(request::required(body, "Folders")?)?;
        Ok(Self { parent, folders: folders.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let parent = match self.parent {
            Ok(parent) => folder::open(context, &parent).await,
            Err(failure) => Err(failure),
        };
        for new in self.folders {
            let made = match (&parent, new) {
                (Err(failure), _) => Err(failure.clone()),
                (Ok(_), Err(failure)) => Err(failure),
                (Ok((mailbox, parent)), Ok(new)) => {
                    let made = create(mailbox, *parent, new).await;
                    made.map(|folder| (mailbox.guid(), folder))
                }
            };
            answer.result(made, |out, (mailbox, folder)| write(out, mailbox, folder));
        }
        Ok(())
    }
}

async fn create(mailbox: &Mailbox, parent: CollectionId, mut new: NewFolder) -> Result<Folder, Failure> {
    if let Some(Value::Text(markup)) = new.bag.remove(&PERMISSION_SET) {
        let calendar = class::of_folder(&new.class, new.search).element == "t:CalendarFolder";
        // The generic element has permissions of its own kind, whatever the class says.
        let calendar = (!calendar).then_some(false);
        let permissions = permission::settle(mailbox.engine(), &markup, calendar).await?;
        new.bag.set(PERMISSIONS, permissions);
    }
    if new.search {
        search::verify(&mut mailbox.begin().await?, mailbox.owner(), &new.bag).await?;
    }
    mailbox.create_folder(parent, new).await.map_err(refused)
}

/// Writes the folder of an answer, which has its id alone.
pub(super) fn write(out: &mut Writer, mailbox: Guid, folder: Folder) {
    let rights = Access::OWNER.to_folder(folder.id());
    out.scope("m:Folders", |out| FolderItem { mailbox, folder, children: 0, rights }.write_id_only(out));
}

/// Why a folder was not saved: what is wrong with a name is said of the name.
pub(super) fn refused(error: EngineError) -> Failure {
    match error {
        EngineError::Invalid(_) | EngineError::TooLarge("name") => {
            Failure::field(ResponseCode::ErrorFolderSave, "folder:DisplayName")
        }
        EngineError::TooLarge(_) => ResponseCode::ErrorFolderSave.into(),
        EngineError::Distinguished => {
            Failure::text(ResponseCode::ErrorFolderSave, "Distinguished folders cannot be renamed.")
        }
        EngineError::AccessDenied
        | EngineError::NoMailbox { .. }
        | EngineError::NoSite
        | EngineError::NoAccount
        | EngineError::NoCollection(_)
        | EngineError::NoItem(_)
        | EngineError::Stale { .. }
        | EngineError::NameTaken
        | EngineError::Circle
        | EngineError::InvalidState(_)
        | EngineError::Contended
        | EngineError::Store(_) => error.into(),
    }
}

/// Reads one folder element. The outer error is a fault, the inner one of this folder.
fn read(node: Node<'_>) -> Result<Result<NewFolder, Failure>, Fault> {
    let Some(class) = class::of_folder_element(node.local()) else {
        return Err(Fault::schema(node, node.local(), "This element is not expected here."));
    };
    let mut bag = Bag::new();
    let mut failed = None;
    for (number, child) in node.children().enumerate() {
        if number == EXTENDED_MAX {
            return Err(Fault::schema(child, child.local(), "it has more entries than one request may hold."));
        }
        match property(child)? {
            Ok((key, value)) => bag.set(key, value),
            Err(failure) => failed = failed.or(Some(failure)),
        }
    }
    Ok(match failed {
        Some(failure) => Err(failure),
        None => complete(class, bag),
    })
}

/// Names and classes are read out of the bag, since both may come as extended properties.
fn complete(class: &FolderClass, bag: Bag) -> Result<NewFolder, Failure> {
    let text = |key: &PropertyKey| bag.text(key).filter(|text| !text.is_empty()).map(str::to_owned);
    let search = class.element == "t:SearchFolder";
    let display_name = text(&tags::DISPLAY_NAME).unwrap_or_default();
    let folder_class = text(&tags::CONTAINER_CLASS).unwrap_or_else(|| class.new_class.to_owned());
    // The generic element takes every class, the others those of their own kind.
    if class.element != "t:Folder" && class::of_folder(&folder_class, search).element != class.element {
        return Err(ResponseCode::ErrorObjectTypeChanged.into());
    }
    if !search && bag.get(&SEARCH_PARAMETERS).is_some() {
        return Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, "folder:SearchParameters"));
    }
    Ok(NewFolder { display_name, class: folder_class, search, bag })
}

/// Reads a child of a folder element as the property it sets. The outer error is a fault, the inner one of the folder.
pub(super) fn property(node: Node<'_>) -> Result<Result<(PropertyKey, Value), Failure>, Fault> {
    let short = |key: PropertyKey, uri: &str| {
        let text = node.text();
        if text.chars().count() > limits::NAME_CHARS_MAX {
            return Err(Failure::field(ResponseCode::ErrorFolderSave, uri));
        }
        Ok((key, Value::text(text)))
    };
    Ok(match node.local() {
        "DisplayName" => short(tags::DISPLAY_NAME, "folder:DisplayName"),
        "FolderClass" => short(tags::CONTAINER_CLASS, "folder:FolderClass"),
        "PermissionSet" => {
            permission::check(node)?.and_then(|()| verbatim(node, PERMISSION_SET))
        }
        "SearchParameters" => search::check(node)?.and_then(|()| verbatim(node, SEARCH_PARAMETERS)),
        "ExtendedProperty" => {
            let path = request::required(node, "ExtendedFieldURI")?;
            ExtendedField::read(path)?.and_then(|field| extended(node, field))
        }
        name @ ("FolderId"
        | "ParentFolderId"
        | "TotalCount"
        | "ChildFolderCount"
        | "UnreadCount"
        | "ManagedFolderInformation"
        | "EffectiveRights"
        | "SharingEffectiveRights"
        | "DistinguishedFolderId"
        | "PolicyTag"
        | "ArchiveTag"
        | "ReplicaList") => Err(Failure::field(ResponseCode::ErrorInvalidPropertySet, &format!("folder:{name}"))),
        other => return Err(Fault::schema(node, other, "This element is not expected here.")),
    })
}

/// Keeps an element as it came.
fn verbatim(node: Node<'_>, key: PropertyKey) -> Result<(PropertyKey, Value), Failure> {
    let markup = node.to_xml();
    if markup.len() > ELEMENT_BYTES_MAX {
        return Err(ResponseCode::ErrorFolderSave.into());
    }
    Ok((key, Value::Text(markup)))
}

fn extended(node: Node<'_>, field: ExtendedField) -> Result<(PropertyKey, Value), Failure> {
    let value = field.read_value(node)?;
    // What other code reads as text has to be text.
    let name = field.key == tags::DISPLAY_NAME || field.key == tags::CONTAINER_CLASS;
    if name && value.as_text().is_none_or(|text| text.chars().count() > limits::NAME_CHARS_MAX) {
        return Err(ResponseCode::ErrorInvalidExtendedPropertyValue.into());
    }
    Ok((field.key, value))
}

/// The property behind a folder field that can be updated.
pub(super) fn updatable(uri: &str) -> Option<PropertyKey> {
    match uri {
        "folder:DisplayName" => Some(tags::DISPLAY_NAME),
        "folder:FolderClass" => Some(tags::CONTAINER_CLASS),
        "folder:PermissionSet" => Some(PERMISSION_SET),
        "folder:SearchParameters" => Some(SEARCH_PARAMETERS),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn create(world: &World, parent: &str, folders: &str) -> Answered {
        world.call(&format!(
            "<CreateFolder><ParentFolderId>{parent}</ParentFolderId><Folders>{folders}</Folders></CreateFolder>"
        ))
    }

    fn get(world: &World, id: &str, additional: &str) -> Answered {
        world.call(&format!(
            "<GetFolder><FolderShape><t:BaseShape>AllProperties</t:BaseShape>{additional}</FolderShape><FolderIds>\
             <t:FolderId Id=\"{id}\"/></FolderIds></GetFolder>"
        ))
    }

    const TOP: &str = "<t:DistinguishedFolderId Id=\"msgfolderroot\"/>";

    #[test]
    fn folders_of_each_kind_come_back_as_they_were_made() {
        let world = World::new();
        for (number, (sent, element, class)) in [
            ("<t:Folder><t:DisplayName>N</t:DisplayName></t:Folder>", "Folder", "IPF.Note"),
            (
                "<t:CalendarFolder><t:DisplayName>N</t:DisplayName></t:CalendarFolder>",
                "CalendarFolder",
                "IPF.Appointment",
            ),
            ("<t:ContactsFolder><t:DisplayName>N</t:DisplayName></t:ContactsFolder>", "ContactsFolder", "IPF.Contact"),
            ("<t:TasksFolder><t:DisplayName>N</t:DisplayName></t:TasksFolder>", "TasksFolder", "IPF.Task"),
            (
                "<t:Folder><t:FolderClass>IPF.Task</t:FolderClass><t:DisplayName>N</t:DisplayName></t:Folder>",
                "TasksFolder",
                "IPF.Task",
            ),
            (
                "<t:Folder><t:FolderClass>IPF.Appointment</t:FolderClass><t:DisplayName>N</t:DisplayName></t:Folder>",
                "CalendarFolder",
                "IPF.Appointment",
            ),
            (
                "<t:ContactsFolder><t:FolderClass>IPF.Contact.X</t:FolderClass><t:DisplayName>N</t:DisplayName>\
                 </t:ContactsFolder>",
                "ContactsFolder",
                "IPF.Contact.X",
            ),
            (
                "<t:SearchFolder><t:DisplayName>N</t:DisplayName><t:SearchParameters Traversal=\"Deep\"><t:Restriction>\
                 <t:Exists><t:FieldURI FieldURI=\"item:Subject\"/></t:Exists></t:Restriction><t:BaseFolderIds>\
                 <t:DistinguishedFolderId Id=\"inbox\"/><t:DistinguishedFolderId Id=\"sentitems\"/></t:BaseFolderIds>\
                 </t:SearchParameters></t:SearchFolder>",
                "SearchFolder",
                "IPF.Note",
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("Folder {number}");
            let parent = if element == "SearchFolder" { "searchfolders" } else { "msgfolderroot" };
            let parent = format!("<t:DistinguishedFolderId Id=\"{parent}\"/>");
            let answer = create(&world, &parent, &sent.replace(">N<", &format!(">{name}<"))).success();
            assert_eq!(answer.children("Folders"), [element]);
            let back = get(&world, &answer.attributes("FolderId", "Id")[0], "").success();
            assert_eq!(back.children("Folders"), [element]);
            assert_eq!((back.text("FolderClass"), back.text("DisplayName")), (class.to_owned(), name));
        }
    }

    #[test]
    fn permissions_and_searches_are_read_back() {
        let world = World::new();
        world.account("b@example.com");
        let inbox = "<t:DistinguishedFolderId Id=\"inbox\"/>";
        let permission = |user: &str, rest: &str| {
            format!("<t:Permission><t:UserId>{user}</t:UserId>{rest}</t:Permission>")
        };
        let set = |permissions: &str| format!("<t:PermissionSet><t:Permissions>{permissions}</t:Permissions></t:PermissionSet>");
        let all = permission("<t:DistinguishedUser>Default</t:DistinguishedUser>", "<t:PermissionLevel>Editor</t:PermissionLevel>")
            + &permission("<t:PrimarySmtpAddress>b@example.com</t:PrimarySmtpAddress>",
                "<t:CanCreateItems>true</t:CanCreateItems><t:ReadItems>FullDetails</t:ReadItems><t:PermissionLevel>Custom</t:PermissionLevel>");
        let get = |id: &str| get(&world, id, "");
        let make = |folder: &str| create(&world, inbox, folder).success().attributes("FolderId", "Id").remove(0);
        let plain = make(&format!("<t:Folder><t:DisplayName>A</t:DisplayName>{}</t:Folder>", set(&all)));
        let got = get(&plain).success();
        assert_eq!(got.texts("PermissionLevel"), ["Editor", "Custom"]);
        assert_eq!(got.texts("CanCreateItems"), ["true", "true"]);
        assert_eq!((got.texts("EditItems"), got.texts("ReadItems")), (vec!["All".into(), "None".into()], vec!["FullDetails".into(); 2]));
        assert_eq!(got.texts("PrimarySmtpAddress"), ["b@example.com"]);
        let calendar = make("<t:CalendarFolder><t:DisplayName>B</t:DisplayName></t:CalendarFolder>");
        let got = get(&calendar).success();
        assert_eq!(got.texts("CalendarPermissionLevel"), ["FreeBusyTimeOnly", "None"]);
        let search = make(
            "<t:SearchFolder><t:DisplayName>C</t:DisplayName><t:SearchParameters Traversal=\"Deep\"><t:Restriction><t:Exists>\
             <t:FieldURI FieldURI=\"item:Subject\"/></t:Exists></t:Restriction><t:BaseFolderIds><t:DistinguishedFolderId Id=\"inbox\"/>\
             </t:BaseFolderIds></t:SearchParameters></t:SearchFolder>",
        );
        let got = get(&search).success();
        assert_eq!((got.attributes("SearchParameters", "Traversal"), got.children("SearchParameters")), (vec!["Deep".into()], vec!["Restriction".into(), "BaseFolderIds".into()]));
        assert_eq!(got.children("Restriction"), ["Exists"]);
        for wrong in ["<t:PermissionLevel>God</t:PermissionLevel>", "", "<t:EditItems>Some</t:EditItems><t:PermissionLevel>None</t:PermissionLevel>"] {
            let folder = format!("<t:Folder><t:DisplayName>D</t:DisplayName>{}</t:Folder>", set(&permission("", wrong)));
            assert_eq!(create(&world, inbox, &folder).codes(), ["ErrorSchemaValidation"], "{wrong}");
        }
    }

    #[test]
    fn extended_properties_are_kept() {
        let world = World::new();
        let path = "<t:ExtendedFieldURI PropertySetId=\"00000000-1111-2222-3333-444444444444\" PropertyName=\"Mark\" \
                    PropertyType=\"String\"/>";
        let folders = format!(
            "<t:Folder><t:DisplayName>A</t:DisplayName><t:ExtendedProperty>{path}<t:Value>yes</t:Value>\
             </t:ExtendedProperty></t:Folder>"
        );
        let answer = create(&world, TOP, &folders).success();
        let id = answer.attributes("FolderId", "Id").remove(0);
        let additional = format!("<t:AdditionalProperties>{path}</t:AdditionalProperties>");
        assert_eq!(get(&world, &id, &additional).success().text("Value"), "yes");
    }

    #[test]
    fn folders_fail_alone() {
        let world = World::new();
        let long = "x".repeat(256);
        let answer = create(
            &world,
            TOP,
            &format!(
                "<t:Folder><t:DisplayName>A</t:DisplayName></t:Folder>\
                 <t:Folder><t:DisplayName>a</t:DisplayName></t:Folder>\
                 <t:Folder><t:DisplayName> </t:DisplayName></t:Folder><t:Folder/>\
                 <t:Folder><t:DisplayName>{long}</t:DisplayName></t:Folder>\
                 <t:TasksFolder><t:FolderClass>IPF.Contact</t:FolderClass><t:DisplayName>B</t:DisplayName></t:TasksFolder>\
                 <t:Folder><t:DisplayName>C</t:DisplayName><t:TotalCount>1</t:TotalCount></t:Folder>\
                 <t:Folder><t:DisplayName>D</t:DisplayName></t:Folder>"
            ),
        )
        .valid();
        assert_eq!(
            answer.codes(),
            [
                "NoError",
                "ErrorFolderExists",
                "ErrorFolderSave",
                "ErrorFolderSave",
                "ErrorFolderSave",
                "ErrorObjectTypeChanged",
                "ErrorInvalidPropertySet",
                "NoError",
            ]
        );
    }

    #[test]
    fn each_folder_fails_where_the_parent_does() {
        let world = World::new();
        let folder = "<t:Folder><t:DisplayName>A</t:DisplayName></t:Folder>";
        let archive = "<t:DistinguishedFolderId Id=\"archiveroot\"/>";
        let answer = create(&world, archive, &folder.repeat(2)).valid();
        assert_eq!(answer.codes(), ["ErrorFolderNotFound", "ErrorFolderNotFound"]);
        assert_eq!(create(&world, "<t:FolderId Id=\"AAMk\"/>", folder).codes(), ["ErrorInvalidIdMalformed"]);
        assert_eq!(create(&world, TOP, "").status, 500);
        assert_eq!(create(&world, TOP, "<t:Message/>").text("ResponseCode"), "ErrorSchemaValidation");
    }
}
