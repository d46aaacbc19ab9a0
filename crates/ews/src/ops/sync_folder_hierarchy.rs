//! `SyncFolderHierarchy`, MS-OXWSSYNC 3.1.4.1.

use engine::FolderChange;
use xml::{Node, Writer};

use super::Operation;
use crate::folder::{self, FolderItem};
use crate::id::{self, FolderRef, MailboxId};
use crate::shape::{FolderShape, Purpose};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, request, search};

/// The text of this operation differs by two letters from that of the other.
const INVALID_STATE: &str = "Synchronization state data is corrupted or otherwise invalid.";

pub(super) struct SyncFolderHierarchy {
    shape: FolderShape,
    folder: Option<Result<FolderRef, Failure>>,
    state: Result<Option<Vec<u8>>, Failure>,
}

impl Operation for SyncFolderHierarchy {
    const NAME: &'static str = "SyncFolderHierarchy";
    const CHILDREN: &'static [&'static str] = &["FolderShape", "SyncFolderId", "SyncState"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Ok(Self {
            shape: FolderShape::read(request::required(body, "FolderShape")?)?,
            folder: body.child_local("SyncFolderId").map(FolderRef::read_target).transpose()?,
            state: super::sync_folder_items::read_state(body.child_local("SyncState")),
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        match self.changes(context).await {
            Ok((state, changes)) => answer.success(|out| {
                out.scope("m:SyncState", |out| out.base64(&state));
                out.element("m:IncludesLastFolderInRange", "true");
                out.scope("m:Changes", |out| changes.iter().for_each(|change| change.write(out, &self.shape, context)));
            }),
            Err(mut failure) => {
                if failure.code == ResponseCode::ErrorInvalidSyncStateData {
                    failure.text = INVALID_STATE.into();
                }
                answer.error_with(&failure.of_sync(), |out| {
                    out.empty("m:SyncState");
                    out.element("m:IncludesLastFolderInRange", "true");
                });
            }
        }
        Ok(())
    }
}

/// A change, ready to be written.
enum Change {
    Create(FolderItem),
    Update(FolderItem),
    Delete(String),
}

impl Change {
    fn write(&self, out: &mut Writer, shape: &FolderShape, context: &Context<'_>) {
        match self {
            Self::Create(item) => out.scope("t:Create", |out| item.write(out, shape, Purpose::Sync, &context.header)),
            Self::Update(item) => out.scope("t:Update", |out| item.write(out, shape, Purpose::Sync, &context.header)),
            Self::Delete(id) => out.scope("t:Delete", |out| {
                id::write(out, "t:FolderId", id, Some(&id::bare_change_key(class::FOLDER_OBJECT)));
            }),
        }
    }
}

impl SyncFolderHierarchy {
    async fn changes(&self, context: &Context<'_>) -> Result<(Vec<u8>, Vec<Change>), Failure> {
        let folder = self.folder.clone().transpose()?;
        self.shape.check()?;
        let mailbox_id = folder.as_ref().map_or(&MailboxId::Own, |folder| &folder.mailbox);
        let mailbox = context.mailbox(mailbox_id).await?;
        let under = match &folder {
            Some(folder) => Some(folder::resolve(&mut mailbox.begin().await?, &folder.target).await?),
            None => None,
        };
        let state = self.state.clone()?;
        let page = mailbox.sync_folders(under, state.as_deref()).await?;
        let guid = mailbox.guid();
        // Counts are of now; they never make a change, so they need not be of the moment of the page.
        let known = if page.changes.is_empty() {
            Vec::new()
        } else {
            let mut view = mailbox.begin().await?;
            let mut known = folder::all(guid, &mut view).await?;
            let changed = |id| page.changes.iter().any(|change| change.folder() == id);
            let shown = known.iter_mut().filter(|item| changed(item.folder.id()));
            search::count(&mut view, shown, &self.shape, &context.header).await?;
            known
        };
        let access = mailbox.access().await?;
        let item = |mut folder: engine::Folder| {
            let now = known.iter().find(|item| item.folder.id() == folder.id());
            if let Some(now) = now.filter(|_| folder.is_search()) {
                (folder.row.items, folder.row.unread) = (now.folder.row.items, now.folder.row.unread);
            }
            let rights = access.to_folder(folder.id());
            FolderItem { mailbox: guid, folder, children: now.map_or(0, |now| now.children), rights }
        };
        let changes = page
            .changes
            .into_iter()
            .map(|change| match change {
                FolderChange::Create(folder) => Change::Create(item(folder)),
                FolderChange::Update(folder) => Change::Update(item(folder)),
                FolderChange::Delete(folder) => Change::Delete(id::folder_id(guid, folder)),
            })
            .collect();
        Ok((page.state, changes))
    }
}


#[cfg(test)]
mod tests {
    use engine::NewFolder;

    use crate::testing::{Answered, World, block_on};

    fn sync(world: &World, folder: &str, state: &str) -> Answered {
        world.call(&format!(
            "<SyncFolderHierarchy><FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape>{folder}\
             <SyncState>{state}</SyncState></SyncFolderHierarchy>"
        ))
    }

    #[test]
    fn the_whole_mailbox_then_what_changed() {
        let world = World::new();
        let first = sync(&world, "", "").success();
        assert_eq!(first.text("IncludesLastFolderInRange"), "true");
        assert!(first.texts("DisplayName").contains(&"Inbox".to_owned()));
        let state = first.text("SyncState");
        assert!(sync(&world, "", &state).success().children("Changes").is_empty());
        let new = NewFolder { display_name: "New".into(), class: "IPF.Task".into(), ..NewFolder::default() };
        let made = block_on(world.mailbox().create_folder(world.folder("inbox"), new)).unwrap();
        let second = sync(&world, "", &state).success();
        assert_eq!(second.children("Changes"), ["Create"]);
        assert_eq!(second.children("Create"), ["TasksFolder"]);
        block_on(world.mailbox().delete_folder(made.id(), engine::DeleteMode::Hard)).unwrap();
        let third = sync(&world, "", &second.text("SyncState")).success();
        assert_eq!(third.children("Changes"), ["Delete"]);
        assert_eq!(third.attributes("FolderId", "ChangeKey"), ["AQAAAA=="]);
        let root = "<SyncFolderId><t:DistinguishedFolderId Id=\"root\"/></SyncFolderId>";
        let other = sync(&world, root, &state).valid();
        assert_eq!(other.codes(), ["ErrorInvalidSyncStateData"]);
        assert!(other.text("MessageText").contains("corrupted"));
    }

    #[test]
    fn the_printed_states_are_refused_as_printed() {
        let world = World::new();
        for state in ["H4sIAAA==", "AEbJ94eMOAAA=", "AAAA"] {
            let answer = sync(&world, "", state);
            assert_eq!(answer.status, 200);
            assert!(
                answer.xml.contains(
                    "<m:SyncFolderHierarchyResponseMessage ResponseClass=\"Error\"><m:MessageText>Synchronization state \
                     data is corrupted or otherwise invalid.</m:MessageText><m:ResponseCode>ErrorInvalidSyncStateData\
                     </m:ResponseCode><m:DescriptiveLinkKey>0</m:DescriptiveLinkKey><m:SyncState/>\
                     <m:IncludesLastFolderInRange>true</m:IncludesLastFolderInRange>"
                ),
                "{}",
                answer.xml
            );
        }
        let gone = "<SyncFolderId><t:DistinguishedFolderId Id=\"archive\"/></SyncFolderId>";
        assert_eq!(sync(&world, gone, "").valid().codes(), ["ErrorSyncFolderNotFound"]);
    }

    #[test]
    fn a_bare_mailbox_has_what_the_oldest_version_knows() {
        let world = World::new();
        let answer = world.call_at(
            "Exchange2007",
            "<SyncFolderHierarchy><FolderShape><t:BaseShape>AllProperties</t:BaseShape></FolderShape></SyncFolderHierarchy>",
        );
        let answer = answer.success();
        assert_eq!(
            answer.children("Folder"),
            ["FolderId", "ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"]
        );
    }
}
