//! `GetFolder`, MS-OXWSFOLD 3.1.4.6.

use xml::Node;

use super::Operation;
use crate::context::Views;
use crate::folder::{self, FolderItem};
use crate::id::FolderRef;
use crate::shape::{FolderShape, Purpose};
use crate::{Answer, Context, Failure, Fault, ResponseCode, request, search};

pub(super) struct GetFolder {
    shape: FolderShape,
    ids: Vec<Result<FolderRef, Failure>>,
}

impl Operation for GetFolder {
    const NAME: &'static str = "GetFolder";
    const CHILDREN: &'static [&'static str] = &["FolderShape", "FolderIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let shape = FolderShape::read(request::required(body, "FolderShape")?)?;
        Ok(Self { shape, ids: FolderRef::read_batch(request::required(body, "FolderIds")?)? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        let mut views = Views::default();
        // All folders are read once, since the number of children of one is known from all.
        let mut known: Vec<FolderItem> = Vec::new();
        for id in &self.ids {
            let found = match id {
                Ok(id) => self.shape.check().map(|()| id),
                Err(failure) => Err(failure.clone()),
            };
            let found = match found {
                Ok(id) => self.find(context, &mut views, &mut known, id).await,
                Err(failure) => Err(failure),
            };
            answer.result(found, |out, item| {
                out.scope("m:Folders", |out| item.write(out, &self.shape, Purpose::Get, &context.header));
            });
        }
        Ok(())
    }
}

impl GetFolder {
    async fn find(
        &self,
        context: &Context<'_>,
        views: &mut Views,
        known: &mut Vec<FolderItem>,
        id: &FolderRef,
    ) -> Result<FolderItem, Failure> {
        let (mailbox, view) = views.get(context, &id.mailbox).await?;
        let mailbox = mailbox.guid();
        let folder = folder::resolve(view, &id.target).await?;
        if !known.iter().any(|item| item.mailbox == mailbox) {
            known.extend(folder::all(mailbox, view).await?);
        }
        let found = known.iter().find(|item| item.mailbox == mailbox && item.folder.id() == folder);
        let mut found = found.cloned().ok_or(ResponseCode::ErrorFolderNotFound)?;
        search::count(view, std::iter::once(&mut found), &self.shape, &context.header).await?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    fn ask(world: &World, shape: &str, ids: &str) -> crate::testing::Answered {
        world.call(&format!(
            "<GetFolder><FolderShape>{shape}</FolderShape><FolderIds>{ids}</FolderIds></GetFolder>"
        ))
    }

    #[test]
    fn folders_by_name_and_id_in_each_shape() {
        let world = World::new();
        world.message("inbox", "a");
        let by_id = format!("<t:FolderId Id=\"{}\"/>", world.folder_id("inbox"));
        let answer = ask(
            &world,
            "<t:BaseShape>Default</t:BaseShape>",
            &format!("{by_id}<t:DistinguishedFolderId Id=\"calendar\"/><t:DistinguishedFolderId Id=\"archive\"/>"),
        )
        .valid();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.codes(), ["NoError", "NoError", "ErrorFolderNotFound"]);
        assert_eq!(answer.children("Folder"), ["FolderId", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"]);
        assert_eq!(answer.texts("TotalCount"), ["1"]);
        assert_eq!(answer.children("CalendarFolder"), ["FolderId", "DisplayName", "ChildFolderCount"]);
        let all = ask(&world, "<t:BaseShape>AllProperties</t:BaseShape>", &by_id).success();
        assert_eq!(all.text("DistinguishedFolderId"), "inbox");
        assert_eq!(all.text("FolderClass"), "IPF.Note");
        let extended = "<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties>\
             <t:ExtendedFieldURI PropertyTag=\"0x3613\" PropertyType=\"String\"/>\
             <t:FieldURI FieldURI=\"folder:UnreadCount\"/></t:AdditionalProperties>";
        let extended = ask(&world, extended, &by_id).success();
        assert_eq!(extended.children("Folder"), ["FolderId", "ExtendedProperty", "UnreadCount"]);
        assert_eq!(extended.text("Value"), "IPF.Note");
    }

    #[test]
    fn wrong_names_fault_and_wrong_ids_fail_alone() {
        let world = World::new();
        let shape = "<t:BaseShape>IdOnly</t:BaseShape>";
        let answer = ask(&world, shape, "<t:DistinguishedFolderId Id=\"nowhere\"/>");
        assert_eq!((answer.status, answer.codes()), (500, vec!["ErrorSchemaValidation".to_owned()]));
        assert!(answer.xml.contains("Enumeration constraint"), "{}", answer.xml);
        let answer = ask(&world, shape, "<t:FolderId Id=\"DUMMY\"/><t:FolderId Id=\"\"/>").valid();
        assert_eq!(answer.codes(), ["ErrorInvalidIdMalformed", "ErrorInvalidIdEmpty"]);
        let answer = ask(&world, "<t:BaseShape>Nothing</t:BaseShape>", "<t:DistinguishedFolderId Id=\"inbox\"/>");
        assert_eq!(answer.codes(), ["ErrorSchemaValidation"]);
    }

    /// Every folder that a mailbox is made with: its element, its class, and whether it counts what is unread; the names
    /// that no mailbox here has are answered as such.
    #[test]
    fn each_distinguished_folder_is_of_its_kind() {
        let world = World::new();
        let (mut made, mut absent) = (Vec::new(), Vec::new());
        for known in engine::DISTINGUISHED {
            let id = format!("<t:DistinguishedFolderId Id=\"{}\"/>", known.name);
            let answer = ask(&world, "<t:BaseShape>AllProperties</t:BaseShape>", &id).valid();
            if answer.codes() == ["ErrorFolderNotFound"] {
                absent.push(known.name);
                continue;
            }
            let element = answer.children("Folders").remove(0);
            assert_eq!(answer.text("DistinguishedFolderId"), known.name);
            assert_eq!(answer.text("CreateContents"), "true", "{}", known.name);
            assert!(answer.texts("ManagedFolderInformation").is_empty(), "{}", known.name);
            let unread = !answer.texts("UnreadCount").is_empty();
            assert_eq!(unread, !["CalendarFolder", "ContactsFolder"].contains(&element.as_str()), "{}", known.name);
            made.push((known.name, element, answer.text("FolderClass")));
        }
        let of = |wanted: &str| -> Vec<&str> {
            made.iter().filter(|(_, element, _)| element == wanted).map(|(name, ..)| *name).collect()
        };
        assert_eq!(of("CalendarFolder"), ["calendar"]);
        assert_eq!(of("TasksFolder"), ["tasks"]);
        assert_eq!(of("SearchFolder"), ["voicemail", "todosearch", "mycontacts"]);
        assert_eq!(
            of("ContactsFolder"),
            ["contacts", "quickcontacts", "recipientcache", "imcontactlist", "peopleconnect", "mecontact", "personmetadata", "directory"]
        );
        for (name, class) in [
            ("inbox", "IPF.Note"),
            ("notes", "IPF.StickyNote"),
            ("journal", "IPF.Journal"),
            ("conversationhistory", "IPF.Note"),
            ("recoverableitemsdeletions", "IPF.Note"),
        ] {
            assert!(made.contains(&(name, "Folder".into(), class.into())), "{name} {made:?}");
        }
        assert!(absent.contains(&"archive") && absent.contains(&"publicfoldersroot") && absent.len() == 28, "{absent:?}");
    }
}
