//! `SendItem`, MS-OXWSCORE 3.1.4.8.

use engine::{ItemView, Own};
use model::tags;
use xml::Node;

use super::Operation;
use super::create_item::saved_folder;
use crate::id::{ChangeKey, FolderRef, ItemRef};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, folder, request, respond, send};

pub(super) struct SendItem {
    /// Whether the item is kept, among the sent items unless the request names another folder.
    save: bool,
    folder: Option<Result<FolderRef, Failure>>,
    ids: Vec<Result<ItemRef, Failure>>,
}

impl Operation for SendItem {
    const NAME: &'static str = "SendItem";
    const CHILDREN: &'static [&'static str] = &["ItemIds", "SavedItemFolderId"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        let save = request::attribute(body, "SaveItemToFolder")?;
        let invalid = || Fault::value(body, save, "xs:boolean", "The string is not a valid Boolean value.");
        Ok(Self {
            save: request::parse_boolean(save).ok_or_else(invalid)?,
            folder: body.child_local("SavedItemFolderId").map(FolderRef::read_target).transpose()?,
            ids: ItemRef::read_batch(request::required(body, "ItemIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for id in &self.ids {
            let done = match id {
                Ok(id) => self.send(context, id).await,
                Err(failure) => Err(failure.clone()),
            };
            answer.result(done, |_, ()| {});
        }
        Ok(())
    }
}

impl SendItem {
    /// The stored item goes, and what is kept is another one.
    async fn send(&self, context: &Context<'_>, id: &ItemRef) -> Result<(), Failure> {
        if !self.save && self.folder.is_some() {
            return Err(ResponseCode::ErrorInvalidSendItemSaveSettings.into());
        }
        let mailbox = context.mailbox(&id.mailbox).await?;
        let mut view = mailbox.begin().await?;
        let row = view.item(id.item).await?;
        match id.key {
            ChangeKey::Absent | ChangeKey::Bare => {
                return Err(ResponseCode::ErrorChangeKeyRequiredForWriteOperations.into());
            }
            ChangeKey::At(seq) if seq == row.seq => {}
            ChangeKey::At(_) | ChangeKey::Foreign => return Err(ResponseCode::ErrorStaleObject.into()),
        }
        let message_class = ItemView::new(&row)?.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default();
        if !respond::is_message(class::of_item(message_class)) {
            return Err(ResponseCode::ErrorInvalidItemForOperationSendItem.into());
        }
        let content = view.content(&row).await?;
        let sent_items = view.distinguished("sentitems").await?;
        drop(view);
        let keep = match &self.folder {
            Some(folder) => {
                let folder = folder.as_ref().map_err(Clone::clone)?;
                let (target, folder) = folder::open_for_items(context, folder).await.map_err(saved_folder)?;
                if target.guid() != mailbox.guid() {
                    return Err(ResponseCode::ErrorCrossMailboxMoveCopy.into());
                }
                folder
            }
            None => sent_items,
        };
        let outgoing = send::prepare(context, content).await?;
        let own = vec![Own::Delete { row }];
        match send::send(&mailbox, outgoing, self.save.then_some(keep), own).await {
            // Somebody else has changed it since.
            Err(failure) if failure.code == ResponseCode::ErrorIrresolvableConflict => {
                Err(ResponseCode::ErrorStaleObject.into())
            }
            done => done.map(|_| ()),
        }
    }
}
