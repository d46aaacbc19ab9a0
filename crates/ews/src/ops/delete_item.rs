//! `DeleteItem`, MS-OXWSCORE 3.1.4.3.
//!
//! Nobody is told of a cancelled meeting: nothing leaves this server, and the item goes nevertheless.

use engine::{DeleteMode, Precondition};
use xml::Node;

use super::{Operation, occurrence};
use crate::id::{AnyId, ItemRef};
use crate::{Answer, Context, Failure, Fault, request};

pub(super) struct DeleteItem {
    mode: DeleteMode,
    ids: Vec<Result<AnyId, Failure>>,
}

/// What deleting does, by name.
pub(super) const MODES: &[(&str, DeleteMode)] = &[
    ("HardDelete", DeleteMode::Hard),
    ("SoftDelete", DeleteMode::Soft),
    ("MoveToDeletedItems", DeleteMode::MoveToDeletedItems),
];

impl Operation for DeleteItem {
    const NAME: &'static str = "DeleteItem";
    const CHILDREN: &'static [&'static str] = &["ItemIds"];

    fn decode(body: Node<'_>) -> Result<Self, Fault> {
        const TELL: &[(&str, ())] = &[("SendToNone", ()), ("SendOnlyToAll", ()), ("SendToAllAndSaveCopy", ())];
        const TASKS: &[(&str, ())] = &[("AllOccurrences", ()), ("SpecifiedOccurrenceOnly", ())];
        let mode = request::attribute(body, "DeleteType")?;
        if let Some(text) = body.attribute("SendMeetingCancellations") {
            request::enumeration(body, text, "CalendarItemCreateOrDeleteOperationType", TELL)?;
        }
        if let Some(text) = body.attribute("AffectedTaskOccurrences") {
            request::enumeration(body, text, "AffectedTaskOccurrencesType", TASKS)?;
        }
        Ok(Self {
            mode: request::enumeration(body, mode, "DisposalType", MODES)?,
            ids: ItemRef::read_batch_any(request::required(body, "ItemIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for id in self.ids {
            let done = match id {
                Ok(id) => delete(context, &id, self.mode).await,
                Err(failure) => Err(failure),
            };
            answer.result(done, |_, ()| {});
        }
        Ok(())
    }
}

/// The version is not looked at: what is to be deleted goes as it is.
async fn delete(context: &Context<'_>, id: &AnyId, mode: DeleteMode) -> Result<(), Failure> {
    let mailbox = context.mailbox(&id.item().mailbox).await?;
    if let Some(occurrence) = occurrence::meant(&mailbox, id).await? {
        return occurrence::delete(&mailbox, id, &occurrence).await;
    }
    mailbox.delete_item(id.item().item, Precondition::Any, mode).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{World, block_on};

    #[test]
    fn each_mode_takes_the_item_where_it_says() {
        let world = World::new();
        for (mode, folder) in [
            ("HardDelete", None),
            ("SoftDelete", Some("recoverableitemsdeletions")),
            ("MoveToDeletedItems", Some("deleteditems")),
        ] {
            let (id, _) = world.message("inbox", "a");
            let delete = || {
                world.call(&format!(
                    "<DeleteItem DeleteType=\"{mode}\" SendMeetingCancellations=\"SendToNone\" \
                     AffectedTaskOccurrences=\"AllOccurrences\"><ItemIds><t:ItemId Id=\"{id}\"/></ItemIds></DeleteItem>"
                ))
            };
            delete().success();
            assert_eq!(delete().valid().codes(), ["ErrorItemNotFound"]);
            let count = |name| {
                block_on(async { world.mailbox().begin().await.unwrap().collection(world.folder(name)).await.unwrap().items })
            };
            assert_eq!(count("inbox"), 0);
            if let Some(folder) = folder {
                assert_eq!(count(folder), 1, "{folder}");
            }
        }
    }
}
