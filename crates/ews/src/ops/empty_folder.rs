//! `EmptyFolder`, MS-OXWSFOLD 3.1.4.5.
//!
//! Folders that the mailbox needs may be emptied, but stay where they lie in another, with all they hold.

use engine::{DeleteMode, EngineError};
use xml::Node;

use super::Operation;
use super::delete_item::MODES;
use crate::id::FolderRef;
use crate::{Answer, Context, Failure, Fault, ResponseCode, Version, folder, request};

pub(super) struct EmptyFolder {
    mode: DeleteMode,
    /// Whether the folders inside go, too.
    subfolders: bool,
    folders: Vec<Result<FolderRef, Failure>>,
}

impl Operation for EmptyFolder {
    const NAME: &'static str = "EmptyFolder";
    const CHILDREN: &'static [&'static str] = &["FolderIds"];
    const SINCE: Version = Version::V2010_SP1;

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let mode = request::attribute(body, "DeleteType")?;
        let subfolders = request::attribute(body, "DeleteSubFolders")?;
        Ok(Self {
            mode: request::enumeration(body, mode, "DisposalType", MODES)?,
            subfolders: request::parse_boolean(subfolders).ok_or_else(|| {
                Fault::value(body, subfolders, "xs:boolean", "The string is not a valid Boolean value.")
            })?,
            folders: FolderRef::read_batch(request::required(body, "FolderIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for folder in &self.folders {
            let emptied = match folder {
                Ok(folder) => self.empty(context, folder).await,
                Err(failure) => Err(failure.clone()),
            };
            answer.result(emptied, |_, ()| {});
        }
        Ok(())
    }
}

impl EmptyFolder {
    async fn empty(&self, context: &Context<'_>, folder: &FolderRef) -> Result<(), Failure> {
        let (mailbox, id) = folder::open(context, folder).await?;
        match mailbox.empty_folder(id, self.mode, self.subfolders).await {
            Err(EngineError::Invalid(_)) => Err(ResponseCode::ErrorCannotEmptyFolder.into()),
            other => Ok(other?),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World, block_on};

    const INBOX: &str = "<t:DistinguishedFolderId Id=\"inbox\"/>";

    fn make(world: &World, parent: &str, name: &str) -> String {
        let answer = world.call(&format!(
            "<CreateFolder><ParentFolderId>{parent}</ParentFolderId><Folders><t:Folder><t:DisplayName>{name}\
             </t:DisplayName></t:Folder></Folders></CreateFolder>"
        ));
        format!("<t:FolderId Id=\"{}\"/>", answer.success().attributes("FolderId", "Id")[0])
    }

    fn empty(world: &World, mode: &str, subfolders: &str, folders: &str) -> Answered {
        world.call(&format!(
            "<EmptyFolder DeleteType=\"{mode}\" DeleteSubFolders=\"{subfolders}\"><FolderIds>{folders}</FolderIds></EmptyFolder>"
        ))
    }

    fn names(world: &World, parent: &str) -> Vec<String> {
        let body = format!(
            "<FindFolder Traversal=\"Deep\"><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>\
             <ParentFolderIds><t:DistinguishedFolderId Id=\"{parent}\"/></ParentFolderIds></FindFolder>"
        );
        world.call(&body).success().texts("DisplayName")
    }

    fn count(world: &World, folder: &str) -> u64 {
        block_on(async { world.mailbox().begin().await.unwrap().collection(world.folder(folder)).await.unwrap().items })
    }

    #[test]
    fn each_mode_takes_what_the_folder_holds_where_it_says() {
        for (mode, target) in [
            ("HardDelete", None),
            // Of folders that go softly only the items are kept.
            ("SoftDelete", Some(("recoverableitemsdeletions", 0))),
            ("MoveToDeletedItems", Some(("deleteditems", 2))),
        ] {
            let world = World::new();
            for subject in ["a", "b", "c"] {
                world.message("inbox", subject);
            }
            let outer = make(&world, INBOX, "Outer");
            make(&world, &outer, "Inner");
            empty(&world, mode, "false", INBOX).success();
            assert_eq!((count(&world, "inbox"), names(&world, "inbox")), (0, vec!["Outer".into(), "Inner".into()]));
            empty(&world, mode, "true", INBOX).success();
            assert_eq!(names(&world, "inbox"), Vec::<String>::new());
            if let Some((target, folders)) = target {
                assert_eq!((count(&world, target), names(&world, target).len()), (3, folders), "{mode}");
                // From there it goes for good.
                let target_id = format!("<t:DistinguishedFolderId Id=\"{target}\"/>");
                empty(&world, mode, "1", &target_id).success();
                assert_eq!((count(&world, target), names(&world, target).len()), (0, 0), "{mode}");
            }
        }
    }

    #[test]
    fn folders_fail_alone_and_those_that_are_needed_stay() {
        let world = World::new();
        world.message("inbox", "a");
        make(&world, "<t:DistinguishedFolderId Id=\"msgfolderroot\"/>", "Mine");
        let before = names(&world, "root");
        let folders =
            "<t:DistinguishedFolderId Id=\"todosearch\"/><t:FolderId Id=\"AAMk\"/>\
             <t:DistinguishedFolderId Id=\"archiveroot\"/><t:DistinguishedFolderId Id=\"root\"/>\
             <t:DistinguishedFolderId Id=\"msgfolderroot\"/>";
        let answer = empty(&world, "HardDelete", "true", folders).valid();
        assert_eq!(
            answer.codes(),
            [
                "ErrorCannotEmptyFolder",
                "ErrorInvalidIdMalformed",
                "ErrorFolderNotFound",
                "ErrorCannotEmptyFolder",
                "NoError",
            ]
        );
        let after: Vec<String> = before.into_iter().filter(|name| name != "Mine").collect();
        assert_eq!((names(&world, "root"), count(&world, "inbox")), (after, 1));
        for (mode, subfolders) in [("Shred", "true"), ("HardDelete", "yes")] {
            assert_eq!(empty(&world, mode, subfolders, INBOX).text("ResponseCode"), "ErrorSchemaValidation");
        }
        let body = format!("<EmptyFolder DeleteType=\"HardDelete\"><FolderIds>{INBOX}</FolderIds></EmptyFolder>");
        assert_eq!(world.call(&body).text("ResponseCode"), "ErrorSchemaValidation");
        let body = body.replace("><Fold", " DeleteSubFolders=\"true\"><Fold");
        assert_eq!(world.call_at("Exchange2010", &body).codes(), ["ErrorIncorrectSchemaVersion"]);
        world.call_at("Exchange2010_SP1", &body).success();
    }
}
