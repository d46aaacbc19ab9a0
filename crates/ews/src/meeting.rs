//! Meetings of an organiser (MS-OXWSMTGS, MS-OXOCAL 3.1.4): the messages that tell attendees of an appointment, of its
//! changes and of its end, and those that answer.
//!
//! It must not know operations. What the arrival of such a message changes in a mailbox is the engine's business.

use engine::Caller;
use model::{Bag, ItemContent, PropertyKey, Time, Value, lids, sets, tags};

use crate::fields::address;
use crate::send::{self, Outgoing, address_of, set_person};
use crate::{Context, Failure, ResponseCode, class};

/// PidLidAppointmentStateFlags: a meeting, received from an organiser, cancelled.
pub(crate) const MEETING: i64 = 1;
pub(crate) const RECEIVED: i64 = 2;
pub(crate) const CANCELLED: i64 = 4;
/// PidLidMeetingType: the first request, one that asks for a new answer, one that does not.
const NEW: i32 = 1;
const FULL_UPDATE: i32 = 0x1_0000;
const INFORMATIONAL_UPDATE: i32 = 0x2_0000;
/// PidLidResponseStatus: not answered.
const NOT_RESPONDED: i32 = 5;
/// PidLidFInvited, Bool: requests were sent.
pub(crate) const INVITED: PropertyKey = PropertyKey::Lid(sets::APPOINTMENT, 0x8229);
/// PidTagIconIndex of meeting messages.
const ICON_REQUEST: i32 = 0x404;
const ICON_CANCELLATION: i32 = 0x406;

/// Properties of an appointment that do not go into messages about it.
const OF_APPOINTMENTS: &[PropertyKey] = &[
    tags::CREATION_TIME,
    tags::LAST_MODIFICATION_TIME,
    tags::SEARCH_KEY,
    tags::MESSAGE_SIZE,
    tags::MESSAGE_FLAGS,
    tags::INTERNET_MESSAGE_ID,
    tags::CLIENT_SUBMIT_TIME,
    tags::MESSAGE_DELIVERY_TIME,
    tags::TRANSPORT_MESSAGE_HEADERS,
    tags::ICON_INDEX,
    lids::APPOINTMENT_REPLY_TIME,
    INVITED,
    model::names::KEYWORDS,
];

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// All attendees.
    All,
    /// Those who came or went.
    Changed,
}

/// What attendees are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    /// Who is told.
    pub(crate) audience: Audience,
    /// Whether a copy of each message is kept among the sent items.
    pub(crate) keep: bool,
}

/// The flags that say what an appointment is.
pub(crate) fn state(bag: &Bag) -> i64 {
    bag.get(&lids::STATE_FLAGS).and_then(Value::as_i64).unwrap_or_default()
}

fn number(bag: &Bag, key: &PropertyKey) -> i32 {
    bag.get(key).and_then(Value::as_i64).unwrap_or_default() as i32
}

/// The attendees of a meeting: everybody but its organiser.
pub(crate) fn attendees(appointment: &ItemContent) -> Vec<Bag> {
    let organizer = organizer(&appointment.bag);
    let is = |row: &&Bag| {
        let flagged = row.get(&tags::RECIPIENT_FLAGS).and_then(Value::as_i64).unwrap_or_default() & 2 != 0;
        !flagged && !address_of(row).eq_ignore_ascii_case(&organizer)
    };
    appointment.recipients.iter().filter(is).cloned().collect()
}

/// The address of the organiser.
pub(crate) fn organizer(bag: &Bag) -> String {
    let address = bag.text(&address::FROM.smtp).or_else(|| bag.text(&address::FROM.address));
    address.unwrap_or_default().to_owned()
}

/// Checks that the caller may tell attendees of this appointment.
///
/// # Errors
/// `ErrorCalendarIsNotOrganizer` where the meeting is somebody else's.
pub(crate) fn check_organizer(context: &Context<'_>, bag: &Bag) -> Result<(), Failure> {
    let organizer = organizer(bag);
    let own = organizer.is_empty() || organizer.eq_ignore_ascii_case(&context.caller().address);
    if own && state(bag) & RECEIVED == 0 { Ok(()) } else { Err(ResponseCode::ErrorCalendarIsNotOrganizer.into()) }
}

/// Makes an appointment with attendees a meeting to which they are invited, and the request that invites them.
///
/// # Errors
/// As [`send::resolve`].
pub(crate) async fn invite(context: &Context<'_>, appointment: &mut ItemContent) -> Result<Outgoing, Failure> {
    send::resolve(context, &mut appointment.recipients).await?;
    let now = context.engine().clock().now().whole_second();
    let bag = &mut appointment.bag;
    set_person(bag, &address::FROM, context.caller());
    set_person(bag, &address::SENDER, context.caller());
    bag.set(INVITED, Value::Bool(true));
    bag.set(lids::OWNER_CRITICAL_CHANGE, Value::Time(now));
    for (key, value) in [(tags::RESPONSE_REQUESTED, Value::Bool(true)), (lids::APPOINTMENT_SEQUENCE, Value::I32(0))] {
        if bag.get(&key).is_none() {
            bag.set(key, value);
        }
    }
    request(context, appointment, &attendees(appointment), NEW).await
}

/// Makes the appointment the next version of the meeting, and the messages that tell attendees of it: a request to those
/// who are still invited, a cancellation to those who are not any more.
///
/// # Errors
/// As [`send::resolve`].
pub(crate) async fn update(
    context: &Context<'_>,
    before: &ItemContent,
    appointment: &mut ItemContent,
    audience: Audience,
) -> Result<Vec<Outgoing>, Failure> {
    send::resolve(context, &mut appointment.recipients).await?;
    let (old, new) = (attendees(before), attendees(appointment));
    let among = |list: &[Bag], row: &Bag| list.iter().any(|one| address_of(one).eq_ignore_ascii_case(address_of(row)));
    let gone: Vec<Bag> = old.iter().filter(|row| !among(&new, row)).cloned().collect();
    let come: Vec<Bag> = new.iter().filter(|row| !among(&old, row)).cloned().collect();
    let invited = before.bag.get(&INVITED).and_then(Value::as_bool) == Some(true);
    let moved = [lids::START_WHOLE, lids::END_WHOLE, lids::APPOINTMENT_RECUR]
        .iter()
        .any(|key| before.bag.get(key) != appointment.bag.get(key));
    let now = context.engine().clock().now().whole_second();
    let bag = &mut appointment.bag;
    bag.set(INVITED, Value::Bool(true));
    bag.set(lids::OWNER_CRITICAL_CHANGE, Value::Time(now));
    if invited {
        bag.set(lids::APPOINTMENT_SEQUENCE, Value::I32(number(bag, &lids::APPOINTMENT_SEQUENCE).saturating_add(1)));
    }
    if moved {
        // The answers given were to another time.
        for row in &mut appointment.recipients {
            for key in [
                tags::RECIPIENT_TRACK_STATUS,
                tags::RECIPIENT_TRACK_TIME,
                tags::RECIPIENT_PROPOSED_START,
                tags::RECIPIENT_PROPOSED_END,
            ] {
                row.remove(&key);
            }
        }
    }
    let kind = match (invited, moved) {
        (false, _) => NEW,
        (true, true) => FULL_UPDATE,
        (true, false) => INFORMATIONAL_UPDATE,
    };
    let mut messages = Vec::new();
    let told = if audience == Audience::Changed { come } else { new };
    if !told.is_empty() {
        messages.push(request(context, appointment, &told, kind).await?);
    }
    if !gone.is_empty() && invited {
        messages.push(send::prepare(context, cancellation(appointment, gone)).await?);
    }
    Ok(messages)
}

/// The request for a meeting, to those in `told`. Its list of attendees names them all.
async fn request(
    context: &Context<'_>,
    appointment: &ItemContent,
    told: &[Bag],
    kind: i32,
) -> Result<Outgoing, Failure> {
    let mut message = about(appointment);
    let bag = &mut message.bag;
    let busy = if bag.get(&lids::BUSY_STATUS).is_none() { BUSY } else { number(bag, &lids::BUSY_STATUS) };
    for (key, value) in [
        (tags::MESSAGE_CLASS, Value::text("IPM.Schedule.Meeting.Request")),
        (tags::ICON_INDEX, Value::I32(ICON_REQUEST)),
        (lids::MEETING_TYPE, Value::I32(kind)),
        (lids::INTENDED_BUSY_STATUS, Value::I32(busy)),
        (lids::BUSY_STATUS, Value::I32(if busy == FREE { FREE } else { TENTATIVE })),
        (lids::RESPONSE_STATUS, Value::I32(NOT_RESPONDED)),
    ] {
        bag.set(key, value);
    }
    message.recipients = attendees(appointment);
    let mut outgoing = send::prepare(context, message).await?;
    let is_told = |person: &Caller| told.iter().any(|row| address_of(row).eq_ignore_ascii_case(&person.address));
    outgoing.sending.to.retain(is_told);
    Ok(outgoing)
}

/// PidLidBusyStatus.
const FREE: i32 = 0;
const TENTATIVE: i32 = 1;
const BUSY: i32 = 2;

/// The invitation that passes on an invitation, or a meeting in the calendar; to nobody yet. It is still the organiser's:
/// see [`of_organizer`].
pub(crate) fn forwarded(meeting: &ItemContent) -> ItemContent {
    let mut message = about(meeting);
    message.recipients = Vec::new();
    let bag = &mut message.bag;
    for keys in [&address::FROM, &address::SENDER] {
        keys.all().iter().for_each(|key| drop(bag.remove(key)));
    }
    let intended = bag.get(&lids::INTENDED_BUSY_STATUS).or_else(|| bag.get(&lids::BUSY_STATUS));
    let busy = intended.and_then(Value::as_i64).map_or(BUSY, |busy| busy as i32);
    for (key, value) in [
        (tags::MESSAGE_CLASS, Value::text("IPM.Schedule.Meeting.Request")),
        (tags::ICON_INDEX, Value::I32(ICON_REQUEST)),
        (lids::MEETING_TYPE, Value::I32(NEW)),
        (lids::INTENDED_BUSY_STATUS, Value::I32(busy)),
        (lids::BUSY_STATUS, Value::I32(if busy == FREE { FREE } else { TENTATIVE })),
        (lids::RESPONSE_STATUS, Value::I32(NOT_RESPONDED)),
    ] {
        bag.set(key, value);
    }
    message
}

/// Makes an invitation that the caller passes on, which is from the caller, one of the organiser of `meeting` that the
/// caller has sent.
pub(crate) fn of_organizer(outgoing: &mut Outgoing, meeting: &Bag) {
    for bag in [&mut outgoing.sending.message.bag, &mut outgoing.copy.bag] {
        for key in address::FROM.all() {
            bag.put(key.clone(), meeting.get(&key).cloned());
        }
    }
}

/// Whether an item is an invitation or a meeting in the calendar, which can be passed on as such.
pub(crate) fn is_invitation(bag: &Bag) -> bool {
    let known = !organizer(bag).is_empty() && bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).is_some();
    let state = state(bag);
    match class::of_item(bag.text(&tags::MESSAGE_CLASS).unwrap_or_default()).element {
        "t:CalendarItem" => known && state & MEETING != 0 && state & CANCELLED == 0,
        "t:MeetingRequest" => known,
        _ => false,
    }
}

/// The message that a meeting does not take place, to `to`.
pub(crate) fn cancellation(appointment: &ItemContent, to: Vec<Bag>) -> ItemContent {
    let mut message = about(appointment);
    message.attachments.clear();
    message.recipients = to;
    entitle(&mut message.bag, CANCELLED_PREFIX);
    for (key, value) in [
        (tags::MESSAGE_CLASS, Value::text("IPM.Schedule.Meeting.Canceled")),
        (tags::ICON_INDEX, Value::I32(ICON_CANCELLATION)),
        (lids::STATE_FLAGS, Value::I32((MEETING | RECEIVED | CANCELLED) as i32)),
        (lids::BUSY_STATUS, Value::I32(FREE)),
        (lids::INTENDED_BUSY_STATUS, Value::I32(FREE)),
        (tags::RESPONSE_REQUESTED, Value::Bool(false)),
    ] {
        message.bag.set(key, value);
    }
    message
}

const CANCELLED_PREFIX: &str = "Canceled: ";

/// How an attendee answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Will come.
    Accept,
    /// May come.
    Tentative,
    /// Will not come.
    Decline,
}

impl Answer {
    /// PidLidResponseStatus.
    pub(crate) const fn status(self) -> i32 {
        match self {
            Self::Tentative => 2,
            Self::Accept => 3,
            Self::Decline => 4,
        }
    }

    const fn message(self) -> (&'static str, &'static str, i32) {
        match self {
            Self::Accept => ("IPM.Schedule.Meeting.Resp.Pos", "Accepted: ", 0x405),
            Self::Tentative => ("IPM.Schedule.Meeting.Resp.Tent", "Tentative: ", 0x407),
            Self::Decline => ("IPM.Schedule.Meeting.Resp.Neg", "Declined: ", 0x408),
        }
    }
}

/// The message that answers a request or its appointment, to the organiser. Its body is empty.
pub(crate) fn response(
    context: &Context<'_>,
    meeting: &ItemContent,
    answer: Answer,
    proposed: Option<(Time, Time)>,
) -> ItemContent {
    let (class, prefix, icon) = answer.message();
    let mut message = about(meeting);
    message.attachments.clear();
    let name = meeting.bag.text(&address::FROM.name).unwrap_or_default();
    message.recipients = vec![address::recipient_row(name, &organizer(&meeting.bag), "SMTP", address::TO)];
    for keys in [&address::FROM, &address::SENDER] {
        keys.all().iter().for_each(|key| drop(message.bag.remove(key)));
    }
    for key in [tags::BODY, tags::HTML, tags::RTF_COMPRESSED, tags::PREVIEW, tags::NATIVE_BODY] {
        message.bag.remove(&key);
    }
    let now = context.engine().clock().now().whole_second();
    entitle(&mut message.bag, prefix);
    for (key, value) in [
        (tags::MESSAGE_CLASS, Value::text(class)),
        (tags::ICON_INDEX, Value::I32(icon)),
        (lids::RESPONSE_STATUS, Value::I32(answer.status())),
        (lids::APPOINTMENT_REPLY_TIME, Value::Time(now)),
        (tags::RESPONSE_REQUESTED, Value::Bool(false)),
    ] {
        message.bag.set(key, value);
    }
    if let Some((start, end)) = proposed {
        message.bag.set(lids::PROPOSED_START_WHOLE, Value::Time(start));
        message.bag.set(lids::PROPOSED_END_WHOLE, Value::Time(end));
        message.bag.set(COUNTER_PROPOSAL, Value::Bool(true));
    }
    message
}

/// PidLidAppointmentCounterProposal, Bool.
const COUNTER_PROPOSAL: PropertyKey = PropertyKey::Lid(sets::APPOINTMENT, 0x8257);

/// A message with what the appointment or meeting message says of the meeting.
fn about(item: &ItemContent) -> ItemContent {
    let mut message = item.clone();
    message.mime = None;
    for key in OF_APPOINTMENTS {
        message.bag.remove(key);
    }
    for keys in [&address::RECEIVED_BY, &address::RECEIVED_REPRESENTING] {
        keys.all().iter().for_each(|key| drop(message.bag.remove(key)));
    }
    let flags = state(&message.bag) | MEETING | RECEIVED;
    message.bag.set(lids::STATE_FLAGS, Value::I32(flags as i32));
    message.bag.remove(&lids::MEETING_TYPE);
    message
}

/// Puts a prefix before the subject, in place of the one of another meeting message.
fn entitle(bag: &mut Bag, prefix: &str) {
    let subject = bag.text(&tags::SUBJECT).unwrap_or_default();
    let known = [CANCELLED_PREFIX, "Accepted: ", "Tentative: ", "Declined: "];
    let bare = known.iter().find_map(|known| subject.strip_prefix(known)).unwrap_or(subject).to_owned();
    bag.set(tags::SUBJECT, Value::text(format!("{prefix}{bare}")));
    bag.set(tags::SUBJECT_PREFIX, Value::text(prefix));
    bag.set(tags::NORMALIZED_SUBJECT, Value::text(bare));
}

/// Marks a meeting message that is sent and the copy of it that is kept, which has had its effect. A message of the
/// organiser counts as received only with those who receive it, an answer only with who gives it.
pub(crate) fn mark(sent: &mut Bag, copy: &mut Bag) {
    let organised = match class::of_item(copy.text(&tags::MESSAGE_CLASS).unwrap_or_default()).element {
        "t:MeetingResponse" => &mut *sent,
        "t:MeetingRequest" | "t:MeetingCancellation" => &mut *copy,
        _ => return,
    };
    let flags = state(organised) & !RECEIVED;
    organised.set(lids::STATE_FLAGS, Value::I32(flags as i32));
    copy.set(tags::PROCESSED, Value::Bool(true));
}

/// What an appointment becomes that its organiser cancels.
pub(crate) fn cancelled(bag: &Bag) -> Bag {
    Bag::from_iter([
        (lids::STATE_FLAGS, Value::I32((state(bag) | CANCELLED) as i32)),
        (lids::BUSY_STATUS, Value::I32(FREE)),
        (lids::REMINDER_SET, Value::Bool(false)),
    ])
}

/// Says that attendees are told of a series as a whole only.
pub(crate) fn not_of_one_occurrence() -> Failure {
    let text = "Attendees cannot be told of one occurrence alone here. Change the series, or send to none.";
    Failure::text(ResponseCode::ErrorInvalidOperation, text)
}

#[cfg(test)]
mod tests;
