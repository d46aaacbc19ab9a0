//! `MoveFolder`, MS-OXWSFOLD 3.1.4.7.

use engine::{EngineError, Folder, Mailbox};
use model::{CollectionId, Guid};
use xml::Node;

use super::{Operation, create_folder};
use crate::id::FolderRef;
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, request};

pub(super) struct MoveFolder(Transfer);

/// What `MoveFolder` and `CopyFolder` ask.
pub(super) struct Transfer {
    to: Result<FolderRef, Failure>,
    folders: Vec<Result<FolderRef, Failure>>,
}

/// Which of the two.
#[derive(Clone, Copy)]
pub(super) enum Action {
    Move,
    Copy,
}

impl Operation for MoveFolder {
    const NAME: &'static str = "MoveFolder";
    const CHILDREN: &'static [&'static str] = &["ToFolderId", "FolderIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Transfer::decode(body).map(Self)
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        self.0.run(Action::Move, context, answer).await;
        Ok(())
    }
}

impl Transfer {
    pub(super) fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Ok(Self {
            to: FolderRef::read_target(request::required(body, "ToFolderId")?)?,
            folders: FolderRef::read_batch(request::required(body, "FolderIds")?)?,
        })
    }

    pub(super) async fn run(self, action: Action, context: &Context<'_>, answer: &mut Answer) {
        let to = match self.to {
            Ok(to) => folder::open(context, &to).await.map_err(of_target),
            Err(failure) => Err(failure),
        };
        for folder in self.folders {
            let placed = match (&to, folder) {
                (Err(failure), _) => Err(failure.clone()),
                (Ok(_), Err(failure)) => Err(failure),
                (Ok((mailbox, to)), Ok(folder)) => place(action, context, &folder, mailbox, *to).await,
            };
            answer.result(placed, |out, (mailbox, folder)| create_folder::write(out, mailbox, folder));
        }
    }
}

fn of_target(failure: Failure) -> Failure {
    if failure.code == ResponseCode::ErrorFolderNotFound {
        Failure::new(ResponseCode::ErrorToFolderNotFound)
    } else {
        failure
    }
}

async fn place(
    action: Action,
    context: &Context<'_>,
    folder: &FolderRef,
    target: &Mailbox,
    to: CollectionId,
) -> Result<(Guid, Folder), Failure> {
    let (mailbox, id) = folder::open(context, folder).await?;
    if mailbox.guid() != target.guid() {
        return Err(ResponseCode::ErrorMoveCopyFailed.into());
    }
    let placed = match action {
        Action::Move => mailbox.move_folder(id, to).await,
        Action::Copy => mailbox.copy_folder(id, to).await,
    };
    match placed {
        Ok(folder) => Ok((mailbox.guid(), folder)),
        Err(EngineError::Distinguished) => Err(ResponseCode::ErrorMoveDistinguishedFolder.into()),
        // The folder itself was found just now.
        Err(EngineError::NoCollection(gone)) if gone == to => Err(ResponseCode::ErrorToFolderNotFound.into()),
        Err(other) => Err(other.into()),
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

    fn send(world: &World, to: &str, folders: &str) -> Answered {
        world.call(&format!("<MoveFolder><ToFolderId>{to}</ToFolderId><FolderIds>{folders}</FolderIds></MoveFolder>"))
    }

    const INBOX: &str = "<t:DistinguishedFolderId Id=\"inbox\"/>";

    #[test]
    fn a_moved_folder_keeps_its_id() {
        let world = World::new();
        let folder = make(&world, INBOX, "A");
        let answer = send(&world, "<t:DistinguishedFolderId Id=\"drafts\"/>", &folder).success();
        assert!(folder.contains(&answer.attributes("FolderId", "Id")[0]));
        let get = format!(
            "<GetFolder><FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape><FolderIds>{folder}\
             </FolderIds></GetFolder>"
        );
        let parent = world.call(&get).success().attributes("ParentFolderId", "Id");
        assert_eq!(parent, [world.folder_id("drafts")]);
    }

    #[test]
    fn folders_fail_alone() {
        let world = World::new();
        let (outer, taken) = (make(&world, INBOX, "Outer"), make(&world, INBOX, "Taken"));
        let inner = make(&world, &outer, "Inner");
        let same = make(&world, &outer, "taken");
        let other = make(&world, INBOX, "Other");
        let folders = format!("{outer}{inner}{INBOX}<t:FolderId Id=\"\"/>{other}");
        assert_eq!(
            send(&world, &inner, &folders).valid().codes(),
            [
                "ErrorMoveCopyFailed",
                "ErrorMoveCopyFailed",
                "ErrorMoveDistinguishedFolder",
                "ErrorInvalidIdEmpty",
                "NoError",
            ]
        );
        assert_eq!(send(&world, INBOX, &same).valid().codes(), ["ErrorFolderExists"]);
        let gone = "<t:DistinguishedFolderId Id=\"archiveroot\"/>";
        let answer = send(&world, gone, &format!("{taken}{other}")).valid();
        assert_eq!(answer.codes(), ["ErrorToFolderNotFound", "ErrorToFolderNotFound"]);
        assert_eq!(send(&world, INBOX, "").status, 500);
    }
}
