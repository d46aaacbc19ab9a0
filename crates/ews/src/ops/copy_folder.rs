//! `CopyFolder`, MS-OXWSFOLD 3.1.4.1.

use xml::Node;

use super::Operation;
use super::move_folder::{Action, Transfer};
use crate::{Answer, Context, Fault};

pub(super) struct CopyFolder(Transfer);

impl Operation for CopyFolder {
    const NAME: &'static str = "CopyFolder";
    const CHILDREN: &'static [&'static str] = &["ToFolderId", "FolderIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Transfer::decode(body).map(Self)
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        self.0.run(Action::Copy, context, answer).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    const INBOX: &str = "<t:DistinguishedFolderId Id=\"inbox\"/>";
    const DRAFTS: &str = "<t:DistinguishedFolderId Id=\"drafts\"/>";

    fn make(world: &World, parent: &str, name: &str) -> String {
        let answer = world.call(&format!(
            "<CreateFolder><ParentFolderId>{parent}</ParentFolderId><Folders><t:TasksFolder><t:DisplayName>{name}\
             </t:DisplayName></t:TasksFolder></Folders></CreateFolder>"
        ));
        format!("<t:FolderId Id=\"{}\"/>", answer.success().attributes("FolderId", "Id")[0])
    }

    fn copy(world: &World, to: &str, folders: &str) -> Answered {
        world.call(&format!("<CopyFolder><ToFolderId>{to}</ToFolderId><FolderIds>{folders}</FolderIds></CopyFolder>"))
    }

    fn find(world: &World, parent: &str) -> Answered {
        let body = format!(
            "<FindFolder Traversal=\"Deep\"><FolderShape><t:BaseShape>Default</t:BaseShape></FolderShape>\
             <ParentFolderIds>{parent}</ParentFolderIds></FindFolder>"
        );
        world.call(&body).success()
    }

    #[test]
    fn a_copy_has_ids_of_its_own_and_all_that_the_folder_held() {
        let world = World::new();
        let ids: Vec<String> = ["a", "b"].map(|subject| world.message("inbox", subject).0).to_vec();
        let outer = make(&world, INBOX, "Outer");
        make(&world, &outer, "Inner");
        let answer = copy(&world, DRAFTS, INBOX).success();
        let copied = answer.attributes("FolderId", "Id");
        assert_eq!(answer.children("Folders"), ["Folder"]);
        assert_ne!(copied, [world.folder_id("inbox")]);
        let found = find(&world, DRAFTS);
        assert_eq!(found.texts("DisplayName"), ["Inbox", "Outer", "Inner"]);
        assert_eq!(found.children("Folders"), ["Folder", "TasksFolder", "TasksFolder"]);
        assert_eq!(found.texts("TotalCount")[0], "2");
        let items = world.call(&format!(
            "<FindItem Traversal=\"Shallow\"><ItemShape><t:BaseShape>Default</t:BaseShape></ItemShape><ParentFolderIds>\
             <t:FolderId Id=\"{}\"/></ParentFolderIds></FindItem>",
            copied[0]
        ));
        let items = items.success();
        let mut subjects = items.texts("Subject");
        subjects.sort();
        assert_eq!(subjects, ["a", "b"]);
        assert!(items.attributes("ItemId", "Id").iter().all(|id| !ids.contains(id)));
        // The copy is none of the folders that a mailbox needs.
        let delete = format!(
            "<DeleteFolder DeleteType=\"HardDelete\"><FolderIds><t:FolderId Id=\"{}\"/></FolderIds></DeleteFolder>",
            copied[0]
        );
        world.call(&delete).success();
        assert_eq!(find(&world, INBOX).texts("DisplayName"), ["Outer", "Inner"]);
    }

    #[test]
    fn folders_fail_alone() {
        let world = World::new();
        let outer = make(&world, INBOX, "Outer");
        let inner = make(&world, &outer, "Inner");
        let other = make(&world, DRAFTS, "outer");
        let folders = format!("{other}{inner}{inner}<t:FolderId Id=\"\"/><t:DistinguishedFolderId Id=\"root\"/>{INBOX}");
        assert_eq!(
            copy(&world, INBOX, &folders).valid().codes(),
            [
                "ErrorFolderExists",
                "NoError",
                "ErrorFolderExists",
                "ErrorInvalidIdEmpty",
                "ErrorMoveCopyFailed",
                "ErrorMoveCopyFailed",
            ]
        );
        let gone = "<t:DistinguishedFolderId Id=\"archiveroot\"/>";
        assert_eq!(copy(&world, gone, &outer).valid().codes(), ["ErrorToFolderNotFound"]);
        assert_eq!(copy(&world, DRAFTS, gone).valid().codes(), ["ErrorFolderNotFound"]);
        assert_eq!(copy(&world, DRAFTS, "").status, 500);
    }
}
