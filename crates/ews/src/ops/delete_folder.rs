//! `DeleteFolder`, MS-OXWSFOLD 3.1.4.4.

use engine::{DeleteMode, EngineError};
use xml::Node;

use super::Operation;
use super::delete_item::MODES;
use crate::id::FolderRef;
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, request};

pub(super) struct DeleteFolder {
    mode: DeleteMode,
    folders: Vec<Result<FolderRef, Failure>>,
}

impl Operation for DeleteFolder {
    const NAME: &'static str = "DeleteFolder";
    const CHILDREN: &'static [&'static str] = &["FolderIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let mode = request::attribute(body, "DeleteType")?;
        let mode = request::enumeration(body, mode, "DisposalType", MODES)?;
        Ok(Self { mode, folders: FolderRef::read_batch(request::required(body, "FolderIds")?)? })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for folder in self.folders {
            let deleted = match folder {
                Ok(folder) => delete(context, &folder, self.mode).await,
                Err(failure) => Err(failure),
            };
            answer.result(deleted, |_, ()| {});
        }
        Ok(())
    }
}

async fn delete(context: &Context<'_>, folder: &FolderRef, mode: DeleteMode) -> Result<(), Failure> {
    let (mailbox, id) = folder::open(context, folder).await?;
    match mailbox.delete_folder(id, mode).await {
        Err(EngineError::Circle) => Err(ResponseCode::ErrorCannotDeleteObject.into()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn make(world: &World, parent: &str, name: &str) -> String {
        let answer = world.call(&format!(
            "<CreateFolder><ParentFolderId>{parent}</ParentFolderId><Folders><t:Folder><t:DisplayName>{name}\
             </t:DisplayName></t:Folder></Folders></CreateFolder>"
        ));
        format!("<t:FolderId Id=\"{}\"/>", answer.success().attributes("FolderId", "Id")[0])
    }

    fn delete(world: &World, mode: &str, folders: &str) -> Answered {
        world.call(&format!("<DeleteFolder DeleteType=\"{mode}\"><FolderIds>{folders}</FolderIds></DeleteFolder>"))
    }

    fn get(world: &World, folder: &str) -> Answered {
        world.call(&format!(
            "<GetFolder><FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape>\
             <FolderIds>{folder}</FolderIds></GetFolder>"
        ))
    }

    #[test]
    fn each_mode_puts_the_folder_where_it_belongs() {
        for (mode, parent) in [
            ("HardDelete", None),
            ("SoftDelete", None),
            ("MoveToDeletedItems", Some("deleteditems")),
        ] {
            let world = World::new();
            let outer = make(&world, "<t:DistinguishedFolderId Id=\"inbox\"/>", "Outer");
            let inner = make(&world, &outer, "Inner");
            delete(&world, mode, &outer).success();
            match parent {
                Some(parent) => {
                    let answer = get(&world, &outer).success();
                    assert_eq!(answer.attributes("ParentFolderId", "Id"), [world.folder_id(parent)]);
                    get(&world, &inner).success();
                }
                None => {
                    assert_eq!(get(&world, &outer).codes(), ["ErrorFolderNotFound"]);
                    assert_eq!(get(&world, &inner).codes(), ["ErrorFolderNotFound"]);
                }
            }
        }
    }

    #[test]
    fn folders_fail_alone() {
        let world = World::new();
        let folder = make(&world, "<t:DistinguishedFolderId Id=\"inbox\"/>", "A");
        let folders = format!(
            "<t:DistinguishedFolderId Id=\"inbox\"/><t:DistinguishedFolderId Id=\"root\"/>{folder}{folder}\
             <t:DistinguishedFolderId Id=\"archiveroot\"/><t:FolderId Id=\"AAMk\"/>"
        );
        let answer = delete(&world, "HardDelete", &folders).valid();
        assert_eq!(
            answer.codes(),
            [
                "ErrorDeleteDistinguishedFolder",
                "ErrorDeleteDistinguishedFolder",
                "NoError",
                "ErrorFolderNotFound",
                "ErrorFolderNotFound",
                "ErrorInvalidIdMalformed",
            ]
        );
        assert_eq!(delete(&world, "Shred", &folder).text("ResponseCode"), "ErrorSchemaValidation");
        assert_eq!(delete(&world, "HardDelete", "").status, 500);
    }
}
