//! Answers to invitations, cancellations by the organiser, and the removal of what was cancelled: each with all that it
//! changes in the mailbox, in one act.

use engine::{ItemRow, Mailbox, Own, Sending};
use model::{Bag, CollectionId, ItemContent, ItemFlags, Value, lids, tags};

use super::{Kind, Respond};
use crate::class::{self, ItemClass};
use crate::meeting::{self, Answer, CANCELLED, RECEIVED};
use crate::{Context, Failure, ResponseCode, send};

/// PidLidMeetingType of a request that a later one overtook.
const OUTDATED: i64 = 0x8_0000;
/// PidTagMessageFlags of what the mailbox's owner has sent.
const FROM_ME: i64 = 0x20;
/// PidLidBusyStatus.
const FREE: i32 = 0;
const TENTATIVE: i32 = 1;
const BUSY: i32 = 2;

/// What is done with the message that goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlet {
    /// It lies in this folder as a draft.
    Draft(CollectionId),
    /// It is sent.
    Send,
    /// It is sent, and a copy lies in this folder.
    SendAndKeep(CollectionId),
}

/// What an answer does.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    /// Writes in the mailbox.
    pub(crate) own: Vec<Own>,
    /// What is sent.
    pub(crate) sendings: Vec<Sending>,
    /// How many of the writes, from the first, the answer to the request does not name.
    pub(crate) unnamed: usize,
}

/// The item that is answered, with what else there is of the meeting.
struct Subject {
    row: ItemRow,
    content: ItemContent,
    class: &'static ItemClass,
    /// The appointment in the calendar, where that is another item.
    appointment: Option<(ItemRow, ItemContent)>,
    calendar: CollectionId,
    deleted: CollectionId,
}

impl Respond {
    /// Whether this is about a meeting, and done by [`Self::deed`].
    pub(crate) const fn is_about_meeting(&self) -> bool {
        matches!(self.kind, Kind::Attend(_) | Kind::Cancel | Kind::Remove)
    }

    /// What the answer does to `row`, which lies in `mailbox`. Reads the calendar as [`engine::View::appointment`] does.
    ///
    /// # Errors
    /// The code of the schema for what cannot be answered so; as [`send::prepare`].
    pub(crate) async fn deed(
        &self,
        context: &Context<'_>,
        mailbox: &Mailbox,
        outlet: Option<Outlet>,
    ) -> Result<Deed, Failure> {
        let subject = Subject::read(mailbox, self).await?;
        let outlet = || outlet.ok_or_else(|| Failure::new(ResponseCode::ErrorMessageDispositionRequired));
        match self.kind {
            Kind::Attend(answer) => self.attend(context, subject, answer, outlet()?).await,
            Kind::Cancel => self.cancel(context, subject, outlet()?).await,
            Kind::Remove => subject.remove(),
            Kind::Reply | Kind::ReplyAll | Kind::Forward | Kind::SuppressReadReceipt => Ok(Deed::default()),
        }
    }

    async fn attend(
        &self,
        context: &Context<'_>,
        subject: Subject,
        answer: Answer,
        outlet: Outlet,
    ) -> Result<Deed, Failure> {
        subject.check_answerable(answer)?;
        let response = meeting::response(context, &subject.content, answer, self.proposed);
        let now = context.engine().clock().now().whole_second();
        let intended = subject.content.bag.get(&lids::INTENDED_BUSY_STATUS).and_then(Value::as_i64);
        let intended = intended.map_or(BUSY, |intended| intended as i32);
        let busy = match answer {
            Answer::Accept => intended,
            Answer::Tentative if intended != FREE => TENTATIVE,
            Answer::Tentative | Answer::Decline => FREE,
        };
        let answered = Bag::from_iter([
            (lids::RESPONSE_STATUS, Value::I32(answer.status())),
            (lids::APPOINTMENT_REPLY_TIME, Value::Time(now)),
            (lids::BUSY_STATUS, Value::I32(busy)),
        ]);
        let Subject { row, content, class, appointment, calendar, deleted } = subject;
        let is_request = class.element == "t:MeetingRequest";
        let mut own = Vec::new();
        let standing = if is_request { appointment.map(|(row, _)| row) } else { Some(row.clone()) };
        own.push(match standing {
            Some(row) if answer == Answer::Decline => Own::Move { row, to: deleted, properties: answered },
            Some(row) => Own::Put { row, properties: answered },
            // It was taken out of the calendar meanwhile.
            None => {
                let mut content = engine::appointment_of(&content);
                content.bag.merge(answered);
                let folder = if answer == Answer::Decline { deleted } else { calendar };
                Own::Create { folder, content, flags: ItemFlags::READ }
            }
        });
        if is_request {
            let properties = Bag::from_iter([
                (tags::PROCESSED, Value::Bool(true)),
                (lids::RESPONSE_STATUS, Value::I32(answer.status())),
            ]);
            own.push(Own::Move { row, to: deleted, properties });
        }
        self.send_off(context, response, outlet, own).await
    }

    async fn cancel(&self, context: &Context<'_>, subject: Subject, outlet: Outlet) -> Result<Deed, Failure> {
        if subject.class.element != "t:CalendarItem" {
            return Err(ResponseCode::ErrorInvalidItemForOperationCancelItem.into());
        }
        meeting::check_organizer(context, &subject.content.bag)?;
        let to = meeting::attendees(&subject.content);
        if to.is_empty() || meeting::state(&subject.content.bag) & CANCELLED != 0 {
            return Err(ResponseCode::ErrorInvalidItemForOperationCancelItem.into());
        }
        let message = meeting::cancellation(&subject.content, to);
        let own = vec![Own::Move {
            row: subject.row,
            to: subject.deleted,
            properties: meeting::cancelled(&subject.content.bag),
        }];
        // exchangelib 5.6.0 takes one id at most: that of the message.
        Ok(Deed { unnamed: 1, ..self.send_off(context, message, outlet, own).await? })
    }

    /// Gives the message what the request says of it, and puts it on its way.
    async fn send_off(
        &self,
        context: &Context<'_>,
        mut message: ItemContent,
        outlet: Outlet,
        mut own: Vec<Own>,
    ) -> Result<Deed, Failure> {
        if let Some(words) = self.words.clone() {
            crate::patch::set_body(&mut message.bag, words.html, &words.text, false);
        }
        let draft = matches!(outlet, Outlet::Draft(_));
        let (message, _) = self.new.build_on(message, context.engine(), context.caller(), draft);
        let keep = match outlet {
            Outlet::Draft(folder) => {
                own.push(Own::Create { folder, content: message, flags: ItemFlags::READ });
                return Ok(Deed { own, ..Deed::default() });
            }
            Outlet::Send => None,
            Outlet::SendAndKeep(folder) => Some(folder),
        };
        let outgoing = send::prepare(context, message).await?;
        let sendings = send::post(vec![outgoing], keep, &mut own);
        Ok(Deed { own, sendings, unnamed: 0 })
    }
}

impl Subject {
    async fn read(mailbox: &Mailbox, respond: &Respond) -> Result<Self, Failure> {
        let mut view = mailbox.begin().await?;
        let row = view.item(respond.reference.item).await?;
        let content = view.content(&row).await?;
        let class = class::of_item(content.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default());
        let id = content.bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).and_then(Value::as_binary);
        let appointment = match id {
            Some(id) if class.element != "t:CalendarItem" => match view.appointment(id).await? {
                Some(row) => {
                    let content = view.content(&row).await?;
                    Some((row, content))
                }
                None => None,
            },
            Some(_) | None => None,
        };
        let (calendar, deleted) = (view.distinguished("calendar").await?, view.distinguished("deleteditems").await?);
        Ok(Self { row, content, class, appointment, calendar, deleted })
    }

    /// Whether an attendee can answer this so.
    fn check_answerable(&self, answer: Answer) -> Result<(), Failure> {
        use ResponseCode as Code;
        let [invalid, organizer, cancelled] = match answer {
            Answer::Accept => [
                Code::ErrorInvalidItemForOperationAcceptItem,
                Code::ErrorCalendarIsOrganizerForAccept,
                Code::ErrorCalendarIsCancelledForAccept,
            ],
            Answer::Tentative => [
                Code::ErrorInvalidItemForOperationTentative,
                Code::ErrorCalendarIsOrganizerForTentative,
                Code::ErrorCalendarIsCancelledForTentative,
            ],
            Answer::Decline => [
                Code::ErrorInvalidItemForOperationDeclineItem,
                Code::ErrorCalendarIsOrganizerForDecline,
                Code::ErrorCalendarIsCancelledForDecline,
            ],
        };
        let bag = &self.content.bag;
        let number = |bag: &Bag, key| bag.get(key).and_then(Value::as_i64).unwrap_or_default();
        let state = meeting::state(bag);
        match self.class.element {
            "t:CalendarItem" if state & 1 == 0 => return Err(invalid.into()),
            "t:CalendarItem" if state & RECEIVED == 0 => return Err(organizer.into()),
            "t:CalendarItem" => {}
            "t:MeetingRequest" if number(bag, &tags::MESSAGE_FLAGS) & FROM_ME != 0 => return Err(organizer.into()),
            "t:MeetingRequest" if number(bag, &lids::MEETING_TYPE) & OUTDATED != 0 => {
                return Err(Code::ErrorCalendarMeetingRequestIsOutOfDate.into());
            }
            "t:MeetingRequest" => {}
            _ => return Err(invalid.into()),
        }
        let standing = self.appointment.as_ref().map_or(state, |(_, content)| meeting::state(&content.bag));
        if standing & CANCELLED == 0 { Ok(()) } else { Err(cancelled.into()) }
    }

    /// What takes a cancelled meeting out of the calendar.
    fn remove(self) -> Result<Deed, Failure> {
        let state = meeting::state(&self.content.bag);
        let from_me = self.content.bag.get(&tags::MESSAGE_FLAGS).and_then(Value::as_i64).unwrap_or_default() & FROM_ME;
        match self.class.element {
            "t:CalendarItem" if state & RECEIVED == 0 => {
                return Err(ResponseCode::ErrorCalendarIsOrganizerForRemove.into());
            }
            "t:CalendarItem" if state & CANCELLED != 0 => {}
            "t:MeetingCancellation" if from_me != 0 => {
                return Err(ResponseCode::ErrorCalendarIsOrganizerForRemove.into());
            }
            "t:MeetingCancellation" => {}
            _ => return Err(ResponseCode::ErrorInvalidItemForOperationRemoveItem.into()),
        }
        let to = self.deleted;
        let mut own = Vec::new();
        if let Some((row, content)) = self.appointment
            && meeting::state(&content.bag) & RECEIVED != 0
        {
            own.push(Own::Move { row, to, properties: Bag::new() });
        }
        let properties = Bag::from_iter([(tags::PROCESSED, Value::Bool(true))]);
        own.push(Own::Move { row: self.row, to, properties });
        Ok(Deed { own, ..Deed::default() })
    }
}
