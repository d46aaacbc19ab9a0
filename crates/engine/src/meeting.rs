//! What follows in a mailbox from the arrival of a meeting message (MS-OXOCAL 3.1.4.6, 3.1.4.7): a request stands in the
//! calendar, an answer is noted at its attendee, a cancellation marks the appointment.

use bytes::Bytes;
use model::{
    Bag, Comparison, ItemContent, ItemFlags, ItemId, Operand, Predicate, PropertyKey, Time, Value, lids, limits, names,
    tags,
};
use sha2::{Digest as _, Sha256};
use store::{
    CollectionRef, Commit, Guard, ItemChange, ItemRow, NameTarget, NewItem, NewItemId, PartChange, PartData, Write,
};

use crate::{EngineError, Mailbox, Query, SyncScope, View, pack};

/// Scope of names in a mailbox: the appointment of a meeting, by the hash of the meeting's clean id. A hint: an item that
/// was moved is found by looking through the calendar.
pub(crate) const SCOPE_APPOINTMENTS: u64 = 0x12;
/// Scope of names in a mailbox: the latest request for a meeting, by the same hash. A hint.
pub(crate) const SCOPE_REQUESTS: u64 = 0x13;

/// PidLidAppointmentStateFlags: received from an organiser, cancelled.
const RECEIVED: i64 = 2;
const CANCELLED: i64 = 4;
/// PidLidMeetingType: a later request overtook this one; nothing changed that an answer depends on.
const OUTDATED: i32 = 0x8_0000;
const INFORMATIONAL: i64 = 0x2_0000;
/// PidLidResponseStatus: not answered.
const NOT_RESPONDED: i32 = 5;
/// PidLidBusyStatus.
const FREE: i32 = 0;
const TENTATIVE: i32 = 1;

/// PidTagRecipientType of an optional attendee.
const OPTIONAL: i32 = 2;

/// What a meeting message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Request,
    Cancellation,
    /// With the number of how the attendee answered.
    Response(i32),
    /// Of another kind, which changes nothing.
    Other,
}

fn kind(bag: &Bag) -> Option<Kind> {
    let class = bag.text(&tags::MESSAGE_CLASS)?.to_ascii_lowercase();
    let rest = class.strip_prefix("ipm.schedule.meeting")?;
    let is = |name: &str| rest.strip_prefix(name).is_some_and(|more| more.is_empty() || more.starts_with('.'));
    Some(match rest {
        _ if is(".request") => Kind::Request,
        _ if is(".canceled") => Kind::Cancellation,
        _ if is(".resp.tent") => Kind::Response(2),
        _ if is(".resp.pos") => Kind::Response(3),
        _ if is(".resp.neg") => Kind::Response(4),
        _ => Kind::Other,
    })
}

/// Whether an item is a message about a meeting.
pub(crate) fn is_message(bag: &Bag) -> bool {
    kind(bag).is_some()
}

/// Whether an item is an appointment.
pub(crate) fn is_appointment(bag: &Bag) -> bool {
    let class = bag.text(&tags::MESSAGE_CLASS).unwrap_or_default().to_ascii_lowercase();
    class.strip_prefix("ipm.appointment").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The name of the meeting that an item is about.
pub(crate) fn identity(bag: &Bag) -> Option<Bytes> {
    let id = bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).or_else(|| bag.get(&lids::GLOBAL_OBJECT_ID));
    Some(name(id?.as_binary()?))
}

fn name(clean_id: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&Sha256::digest(clean_id))
}

impl View {
    /// The appointment of a meeting in the calendar, by the meeting's clean global object id. Costs two rows where it
    /// came here by mail or was made with invitations, and otherwise reads the calendar once.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn appointment(&mut self, clean_id: &[u8]) -> Result<Option<ItemRow>, EngineError> {
        let calendar = self.distinguished("calendar").await?;
        let is = |bag: &Bag| {
            let id = bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).and_then(Value::as_binary);
            is_appointment(bag) && id.is_some_and(|id| *id == clean_id)
        };
        if let Some(id) = self.name(SCOPE_APPOINTMENTS, &name(clean_id)).await?
            && let Some(row) = self.items(&[ItemId(id)]).await?.pop().flatten()
            && row.collection == calendar
            && is(&Bag::decode(&row.bag)?)
        {
            return Ok(Some(row));
        }
        let query = Query {
            predicate: Predicate::Compare {
                left: Operand::Key(lids::CLEAN_GLOBAL_OBJECT_ID),
                how: Comparison::Equal,
                right: Operand::Constant(Value::binary(clean_id.to_vec())),
                ignore_case: false,
            },
            sort: Vec::new(),
            offset: 0,
            limit: 1,
            scope: SyncScope::Normal,
        };
        Ok(self.find(calendar, &query).await?.rows.pop())
    }
}

/// Adds to `commit` what the arrival of `message` changes in the mailbox besides the inbox, and to the message what it
/// becomes by that. Returns the name under which a request is noted as the latest one.
pub(crate) async fn arrive(
    view: &mut View,
    mailbox: &Mailbox,
    message: &mut ItemContent,
    commit: &mut Commit,
) -> Result<Option<Bytes>, EngineError> {
    let Some(kind) = kind(&message.bag) else { return Ok(None) };
    let id = message.bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID).and_then(Value::as_binary).cloned();
    let Some(id) = id else { return Ok(None) };
    let standing = view.appointment(&id).await?;
    message.bag.set(tags::PROCESSED, Value::Bool(true));
    let arrival = Arrival { view, mailbox, message, commit, standing };
    match kind {
        Kind::Request => arrival.request(name(&id)).await.map(Some),
        Kind::Cancellation => arrival.cancellation().map(|()| None),
        Kind::Response(answer) => arrival.response(answer).await.map(|()| None),
        Kind::Other => Ok(None),
    }
}

struct Arrival<'a> {
    view: &'a mut View,
    mailbox: &'a Mailbox,
    message: &'a mut ItemContent,
    commit: &'a mut Commit,
    /// The appointment that stands in the calendar.
    standing: Option<ItemRow>,
}

impl Arrival<'_> {
    async fn request(mut self, name: Bytes) -> Result<Bytes, EngineError> {
        let sequence = number(&self.message.bag, &lids::APPOINTMENT_SEQUENCE);
        self.outdate(&name, sequence).await?;
        let Some(row) = self.standing.take() else {
            let write = self.commit.writes.len();
            let calendar = self.view.distinguished("calendar").await?;
            let mut content = appointment_of(self.message);
            self.mailbox.stamp_new(&mut content);
            let packed = pack::pack(content)?;
            self.commit.guards.push(Guard::CollectionExists(calendar));
            self.commit.writes.push(Write::CreateItem(NewItem {
                collection: CollectionRef::Id(calendar),
                id: NewItemId::Seq,
                flags: ItemFlags::READ,
                bag: packed.bag,
                parts: packed.parts,
            }));
            let target = NameTarget::Write(write);
            self.commit.writes.push(Write::PutName { scope: SCOPE_APPOINTMENTS, name: name.clone(), target });
            return Ok(name);
        };
        let before = Bag::decode(&row.bag)?;
        if sequence < number(&before, &lids::APPOINTMENT_SEQUENCE) {
            self.message.bag.set(lids::MEETING_TYPE, Value::I32(OUTDATED));
            return Ok(name);
        }
        // An organiser does not learn about the meeting from others.
        if number(&before, &lids::STATE_FLAGS) & RECEIVED == 0 {
            return Ok(name);
        }
        let before = self.view.content(&row).await?;
        let mut content = appointment_of(self.message);
        // What says nothing new, such as an invitation that somebody passed on, asks for no new answer either.
        let known = sequence == number(&before.bag, &lids::APPOINTMENT_SEQUENCE);
        let answered = known || number(&self.message.bag, &lids::MEETING_TYPE) & INFORMATIONAL != 0;
        keep_own(&before.bag, &mut content.bag, answered);
        self.mailbox.stamp_new(&mut content);
        let packed = pack::pack(content)?;
        let mut parts = vec![PartChange::Clear];
        parts.extend(packed.parts.into_iter().map(PartChange::Put));
        self.change(&row, packed.bag, parts);
        Ok(name)
    }

    /// Marks the request before this one as overtaken.
    async fn outdate(&mut self, name: &Bytes, sequence: i64) -> Result<(), EngineError> {
        let Some(id) = self.view.name(SCOPE_REQUESTS, name).await? else { return Ok(()) };
        let Some(row) = self.view.items(&[ItemId(id)]).await?.pop().flatten() else { return Ok(()) };
        let mut bag = Bag::decode(&row.bag)?;
        if kind(&bag) == Some(Kind::Request) && number(&bag, &lids::APPOINTMENT_SEQUENCE) < sequence {
            bag.set(lids::MEETING_TYPE, Value::I32(OUTDATED));
            self.change(&row, bag.to_bytes(), Vec::new());
        }
        Ok(())
    }

    fn cancellation(mut self) -> Result<(), EngineError> {
        let Some(row) = self.standing.take() else { return Ok(()) };
        let mut bag = Bag::decode(&row.bag)?;
        let sequence = number(&self.message.bag, &lids::APPOINTMENT_SEQUENCE);
        let state = number(&bag, &lids::STATE_FLAGS);
        if state & RECEIVED == 0 || sequence < number(&bag, &lids::APPOINTMENT_SEQUENCE) {
            return Ok(());
        }
        bag.set(lids::STATE_FLAGS, Value::I32((state | CANCELLED) as i32));
        bag.set(lids::BUSY_STATUS, Value::I32(FREE));
        bag.set(lids::APPOINTMENT_SEQUENCE, Value::I32(sequence as i32));
        bag.set(lids::REMINDER_SET, Value::Bool(false));
        for key in [tags::SUBJECT, tags::SUBJECT_PREFIX, tags::NORMALIZED_SUBJECT] {
            bag.put(key.clone(), self.message.bag.get(&key).cloned());
        }
        self.change(&row, bag.to_bytes(), Vec::new());
        Ok(())
    }

    async fn response(mut self, answer: i32) -> Result<(), EngineError> {
        let Some(row) = self.standing.take() else { return Ok(()) };
        let bag = Bag::decode(&row.bag)?;
        let sequence = number(&self.message.bag, &lids::APPOINTMENT_SEQUENCE);
        let organised = number(&bag, &lids::STATE_FLAGS) & RECEIVED == 0;
        if !organised || sequence < number(&bag, &lids::APPOINTMENT_SEQUENCE) {
            return Ok(());
        }
        let from = &self.message.bag;
        let Some(from) = from.text(&tags::SENT_REPRESENTING_SMTP_ADDRESS).map(str::to_owned) else { return Ok(()) };
        let at = time(&self.message.bag, &lids::APPOINTMENT_REPLY_TIME).unwrap_or_else(|| self.mailbox.engine().now());
        let mut recipients = self.view.recipients(row.item).await?;
        let is = |row: &&mut Bag| {
            let address = row.text(&tags::SMTP_ADDRESS).or_else(|| row.text(&tags::EMAIL_ADDRESS));
            address.is_some_and(|address| address.eq_ignore_ascii_case(&from))
        };
        if !recipients.iter_mut().any(|row| is(&row)) && recipients.len() < limits::RECIPIENTS_MAX {
            recipients.push(self.guest(&from));
        }
        let Some(attendee) = recipients.iter_mut().find(is) else { return Ok(()) };
        // A later answer stays.
        if time(attendee, &tags::RECIPIENT_TRACK_TIME).is_some_and(|known| known > at) {
            return Ok(());
        }
        attendee.set(tags::RECIPIENT_TRACK_STATUS, Value::I32(answer));
        attendee.set(tags::RECIPIENT_TRACK_TIME, Value::Time(at.whole_second()));
        for (key, of) in [
            (tags::RECIPIENT_PROPOSED_START, lids::PROPOSED_START_WHOLE),
            (tags::RECIPIENT_PROPOSED_END, lids::PROPOSED_END_WHOLE),
        ] {
            attendee.put(key, self.message.bag.get(&of).cloned());
        }
        let bytes = Bag::encode_list(recipients.iter());
        let part = PartChange::Put(PartData { part: pack::PART_RECIPIENTS, bytes: bytes.into() });
        self.change(&row, row.bag.clone(), vec![part]);
        Ok(())
    }

    /// Who answers an invitation that somebody passed on: an optional attendee from now on.
    fn guest(&self, address: &str) -> Bag {
        let name = self.message.bag.text(&tags::SENT_REPRESENTING_NAME).unwrap_or(address);
        Bag::from_iter([
            (tags::RECIPIENT_TYPE, Value::I32(OPTIONAL)),
            (tags::DISPLAY_NAME, Value::text(name)),
            (tags::ADDRESS_TYPE, Value::text("SMTP")),
            (tags::EMAIL_ADDRESS, Value::text(address)),
            (tags::SMTP_ADDRESS, Value::text(address)),
        ])
    }

    fn change(&mut self, row: &ItemRow, bag: Bytes, parts: Vec<PartChange>) {
        self.commit.guards.push(Guard::ItemAt(row.item, row.seq));
        let change = ItemChange { item: row.item, flags: None, bag: Some(bag), parts, content: true };
        self.commit.writes.push(Write::UpdateItem(change));
    }
}

/// The appointment that a request puts into the calendar until it is answered.
pub fn appointment_of(request: &ItemContent) -> ItemContent {
    const OF_MESSAGES: &[PropertyKey] = &[
        tags::TRANSPORT_MESSAGE_HEADERS,
        tags::INTERNET_MESSAGE_ID,
        tags::INTERNET_REFERENCES,
        tags::IN_REPLY_TO_ID,
        tags::READ_RECEIPT_REQUESTED,
        tags::DELIVERY_REPORT_REQUESTED,
        tags::ICON_INDEX,
        tags::MESSAGE_FLAGS,
        tags::MESSAGE_SIZE,
        tags::PROCESSED,
        tags::SEARCH_KEY,
        lids::MEETING_TYPE,
    ];
    let mut content = request.clone();
    content.mime = None;
    for key in OF_MESSAGES {
        content.bag.remove(key);
    }
    let intended = number(&content.bag, &lids::INTENDED_BUSY_STATUS) as i32;
    for (key, value) in [
        (tags::MESSAGE_CLASS, Value::text("IPM.Appointment")),
        (lids::STATE_FLAGS, Value::I32((number(&content.bag, &lids::STATE_FLAGS) | RECEIVED) as i32 | 1)),
        (lids::RESPONSE_STATUS, Value::I32(NOT_RESPONDED)),
        (lids::BUSY_STATUS, Value::I32(if intended == FREE { FREE } else { TENTATIVE })),
    ] {
        content.bag.set(key, value);
    }
    content
}

/// Keeps what is the attendee's own in an appointment that a request changes. `answered` says that the answer given
/// before still holds.
fn keep_own(before: &Bag, after: &mut Bag, answered: bool) {
    let mut own = vec![
        names::KEYWORDS,
        lids::REMINDER_SET,
        lids::REMINDER_DELTA,
        tags::CREATION_TIME,
        tags::SEARCH_KEY,
        tags::SENSITIVITY,
        lids::PRIVATE,
    ];
    if answered {
        own.extend([lids::RESPONSE_STATUS, lids::BUSY_STATUS, lids::APPOINTMENT_REPLY_TIME]);
    }
    for key in own {
        after.put(key.clone(), before.get(&key).cloned());
    }
}

fn number(bag: &Bag, key: &PropertyKey) -> i64 {
    bag.get(key).and_then(Value::as_i64).unwrap_or_default()
}

fn time(bag: &Bag, key: &PropertyKey) -> Option<Time> {
    bag.get(key).and_then(Value::as_time)
}
