//! `MoveItem`, MS-OXWSCORE 3.1.4.7, and what `CopyItem` shares with it.

use engine::{ItemView, Precondition};
use xml::Node;

use super::Operation;
use crate::id::{FolderRef, ItemRef};
use crate::{Answer, Context, Failure, Fault, ResponseCode, folder, item, request};

pub(super) struct MoveItem(Transfer);

/// A request to move or copy items.
pub(super) struct Transfer {
    to: Result<FolderRef, Failure>,
    ids: Vec<Result<ItemRef, Failure>>,
    /// Whether the new ids are asked for.
    return_ids: bool,
}

/// What is done with the items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// They lie in the other folder alone, under new ids.
    Move,
    /// They lie in both.
    Copy,
}

impl Operation for MoveItem {
    const NAME: &'static str = "MoveItem";
    const CHILDREN: &'static [&'static str] = &["ToFolderId", "ItemIds", "ReturnNewItemIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Transfer::decode(body).map(Self)
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        self.0.run(Action::Move, context, answer).await;
        Ok(())
    }
}

impl Transfer {
    /// Reads the request.
    pub(super) fn decode(body: Node<'_>) -> Result<Self, Fault> {
        Ok(Self {
            to: FolderRef::read_target(request::required(body, "ToFolderId")?)?,
            ids: ItemRef::read_batch(request::required(body, "ItemIds")?)?,
            return_ids: request::boolean_child(body, "ReturnNewItemIds")?.unwrap_or(true),
        })
    }

    /// Does it, an item at a time.
    pub(super) async fn run(self, action: Action, context: &Context<'_>, answer: &mut Answer) {
        for id in &self.ids {
            let done = match id {
                Ok(id) => self.transfer(action, context, id, answer).await,
                Err(failure) => Err(failure.clone()),
            };
            if let Err(failure) = done {
                answer.error_with(&failure, |out| out.empty("m:Items"));
            }
        }
    }

    async fn transfer(
        &self,
        action: Action,
        context: &Context<'_>,
        id: &ItemRef,
        answer: &mut Answer,
    ) -> Result<(), Failure> {
        let missing = |failure: Failure| {
            let no_folder = failure.code == ResponseCode::ErrorFolderNotFound;
            if no_folder { ResponseCode::ErrorToFolderNotFound.into() } else { failure }
        };
        let to = self.to.as_ref().map_err(Clone::clone)?;
        let (target, folder) = folder::open_for_items(context, to).await.map_err(missing)?;
        let mailbox = context.mailbox(&id.mailbox).await?;
        if mailbox.guid() != target.guid() {
            return Err(ResponseCode::ErrorCrossMailboxMoveCopy.into());
        }
        let row = match action {
            Action::Move => mailbox.move_item(id.item, Precondition::Any, folder).await?,
            Action::Copy => mailbox.copy_item(id.item, folder).await?,
        };
        let view = ItemView::new(&row)?;
        answer.success(|out| {
            out.scope("m:Items", |out| {
                if self.return_ids {
                    item::write_id_only(out, mailbox.guid(), view);
                }
            });
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{Answered, World};

    fn transfer(world: &World, operation: &str, folder: &str, ids: &[&str], rest: &str) -> Answered {
        let ids: String = ids.iter().map(|id| format!("<t:ItemId Id=\"{id}\"/>")).collect();
        world.call(&format!(
            "<{operation}><ToFolderId><t:DistinguishedFolderId Id=\"{folder}\"/></ToFolderId><ItemIds>{ids}</ItemIds>\
             {rest}</{operation}>"
        ))
    }

    fn folder_of(world: &World, id: &str) -> Vec<String> {
        world
            .call(&format!(
                "<GetItem><ItemShape><t:BaseShape>AllProperties</t:BaseShape></ItemShape><ItemIds><t:ItemId Id=\"{id}\"/>\
                 </ItemIds></GetItem>"
            ))
            .attributes("ParentFolderId", "Id")
    }

    #[test]
    fn items_move_and_are_copied_under_new_ids() {
        let world = World::new();
        let (id, _) = world.message("inbox", "a");
        let copied = transfer(&world, "CopyItem", "drafts", &[&id], "").success().attributes("ItemId", "Id").remove(0);
        assert_eq!(folder_of(&world, &copied), [world.folder_id("drafts")]);
        assert_eq!(folder_of(&world, &id), [world.folder_id("inbox")]);
        let moved = transfer(&world, "MoveItem", "junkemail", &[&id, "AAMk="], "");
        assert_eq!(moved.codes(), ["NoError", "ErrorInvalidIdMalformed"]);
        let moved = moved.valid().attributes("ItemId", "Id").remove(0);
        assert_eq!(folder_of(&world, &moved), [world.folder_id("junkemail")]);
        assert!(folder_of(&world, &id).is_empty());
        let quiet = transfer(&world, "MoveItem", "inbox", &[&moved], "<ReturnNewItemIds>false</ReturnNewItemIds>");
        assert!(quiet.success().children("Items").is_empty());
        let nowhere = transfer(&world, "CopyItem", "archive", &[&copied], "").valid();
        assert_eq!(nowhere.codes(), ["ErrorToFolderNotFound"]);
    }
}
