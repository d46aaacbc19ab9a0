//! `DeleteItem`, MS-OXWSCORE 3.1.4.3.

use engine::{DeleteMode, EngineError, ItemView, Own, Precondition};
use model::{limits, tags};
use xml::Node;

use super::create_item::TELLINGS;
use super::{Operation, occurrence};
use crate::id::{AnyId, ItemRef};
use crate::meeting::{self, CANCELLED, Telling};
use crate::{Answer, Context, Failure, Fault, ResponseCode, class, request, send};

pub(super) struct DeleteItem {
    mode: DeleteMode,
    /// What attendees are told; `None` where the request does not say.
    telling: Option<Option<Telling>>,
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
        const TASKS: &[(&str, ())] = &[("AllOccurrences", ()), ("SpecifiedOccurrenceOnly", ())];
        let mode = request::attribute(body, "DeleteType")?;
        let telling = body.attribute("SendMeetingCancellations");
        let telling = telling
            .map(|text| request::enumeration(body, text, "CalendarItemCreateOrDeleteOperationType", TELLINGS))
            .transpose()?;
        if let Some(text) = body.attribute("AffectedTaskOccurrences") {
            request::enumeration(body, text, "AffectedTaskOccurrencesType", TASKS)?;
        }
        Ok(Self {
            mode: request::enumeration(body, mode, "DisposalType", MODES)?,
            telling,
            ids: ItemRef::read_batch_any(request::required(body, "ItemIds")?)?,
        })
    }

    async fn run(self, context: &Context<'_>, answer: &mut Answer) -> Result<(), Fault> {
        for id in self.ids {
            let done = match id {
                Ok(id) => delete(context, &id, self.mode, self.telling).await,
                Err(failure) => Err(failure),
            };
            answer.result(done, |_, ()| {});
        }
        Ok(())
    }
}

/// The version is not looked at: what is to be deleted goes as it is.
async fn delete(
    context: &Context<'_>,
    id: &AnyId,
    mode: DeleteMode,
    telling: Option<Option<Telling>>,
) -> Result<(), Failure> {
    let mailbox = context.mailbox(&id.item().mailbox).await?;
    let meant = occurrence::meant(&mailbox, id).await?;
    for _ in 0..limits::CONFLICT_RETRIES_MAX {
        let mut view = mailbox.begin().await?;
        let row = view.item(id.item().item).await?;
        let message_class = ItemView::new(&row)?.bag().text(&tags::MESSAGE_CLASS).unwrap_or_default();
        if class::of_item(message_class).element != "t:CalendarItem" {
            break;
        }
        let content = view.content(&row).await?;
        let attendees = meeting::attendees(&content);
        let over = meeting::state(&content.bag) & CANCELLED != 0;
        // An attendee has nobody to tell, nor has who organises a meeting of one.
        if attendees.is_empty() || over || meeting::check_organizer(context, &content.bag).is_err() {
            break;
        }
        let Some(telling) = telling.ok_or(ResponseCode::ErrorSendMeetingCancellationsRequired)? else { break };
        if meant.is_some() {
            return Err(meeting::not_of_one_occurrence());
        }
        let keep = if telling.keep { Some(view.distinguished("sentitems").await?) } else { None };
        let to = match mode {
            DeleteMode::Hard => None,
            DeleteMode::Soft => Some(view.distinguished("recoverableitemsdeletions").await?),
            DeleteMode::MoveToDeletedItems => Some(view.distinguished("deleteditems").await?),
        };
        drop(view);
        let message = send::prepare(context, meeting::cancellation(&content, attendees)).await?;
        let mut own = vec![match to.filter(|to| *to != row.collection) {
            Some(to) => Own::Move { properties: meeting::cancelled(&content.bag), row, to },
            None => Own::Delete { row },
        }];
        let sendings = send::post(vec![message], keep, &mut own);
        match mailbox.act(own, sendings).await {
            Err(EngineError::Stale { .. }) => {}
            done => return done.map(|_| ()).map_err(Failure::from),
        }
    }
    if let Some(occurrence) = meant {
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
