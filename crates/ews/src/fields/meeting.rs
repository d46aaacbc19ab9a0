//! Fields of meeting messages, after those of messages.

use model::{PropertyKey, lids, tags};
use xml::Writer;

use super::{Able, Codec, Field, Needs, V7, V13, address, calendar, row, shown, shown_with, stored};
use crate::item::{Item, Rendering};
use crate::{class, id};

/// PidTagDelegatedByRule, Bool.
const DELEGATED: PropertyKey = PropertyKey::Tag(0x3fe3);
/// The bit of PidLidMeetingType that says that a later request overtook this one.
const OUTDATED: i64 = 0x8_0000;

const TYPES: Codec = Codec::NamesOr(&[
    (0, "None"),
    (1, "NewMeetingRequest"),
    (0x1_0000, "FullUpdate"),
    (0x2_0000, "InformationalUpdate"),
    (0x4_0000, "SilentUpdate"),
    (0x8_0000, "Outdated"),
    (0x10_0000, "PrincipalWantsCopy"),
]);

fn write_out_of_date(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let kind = item.number(&lids::MEETING_TYPE).unwrap_or_default();
    out.element(element, if kind & OUTDATED == 0 { "false" } else { "true" });
}

fn write_delegated(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    out.element(element, if item.truth(&DELEGATED) == Some(true) { "true" } else { "false" });
}

fn write_processed(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    out.element(element, if item.truth(&tags::PROCESSED) == Some(true) { "true" } else { "false" });
}

/// How the sender answered, from the class; in a request, how the reader did.
fn write_response(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let class = item.class().to_ascii_lowercase();
    let name = match class.rsplit('.').next() {
        Some("pos") => "Accept",
        Some("tent") => "Tentative",
        Some("neg") => "Decline",
        Some(_) | None => {
            let status = item.number(&lids::RESPONSE_STATUS).unwrap_or_default();
            let found = address::RESPONSE_TYPES.iter().find(|(have, _)| i64::from(*have) == status);
            found.map_or("Unknown", |(_, name)| name)
        }
    };
    out.element(element, name);
}

/// The appointment in the calendar; nothing where there is none.
fn write_appointment(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    if let Some(place) = item.appointment {
        let key = id::change_key(class::of_item("IPM.Appointment").object_type, place.mailbox, place.seq);
        id::write(out, element, &id::item_id(place.mailbox, place.folder, place.item), Some(&key));
    }
}

/// What all meeting messages have.
#[rustfmt::skip]
pub(crate) const FIELDS: &[Field] = &[
    row("meeting:AssociatedCalendarItemId", "t:AssociatedCalendarItemId", shown_with(Needs::APPOINTMENT, write_appointment), Able::GET, V7),
    row("meeting:IsDelegated",      "t:IsDelegated",      shown(write_delegated),     Able::SHOW, V7),
    row("meeting:IsOutOfDate",      "t:IsOutOfDate",      shown(write_out_of_date),   Able::SHOW, V7),
    row("meeting:HasBeenProcessed", "t:HasBeenProcessed", shown(write_processed),     Able::SHOW, V7),
    row("meeting:ResponseType",     "t:ResponseType",     shown(write_response),      Able::SHOW, V7),
    row("calendar:UID",             "t:UID",              calendar::UID,              Able::READ, V7),
    calendar::RECURRENCE_ID,
    row("calendar:DateTimeStamp",   "t:DateTimeStamp",    calendar::DATE_TIME_STAMP,  Able::READ, V7),
    row("calendar:IsOrganizer",     "t:IsOrganizer",      calendar::IS_ORGANIZER,     Able::SHOW, V13),
];

/// What requests have besides, before the fields of a calendar item.
#[rustfmt::skip]
pub(crate) const REQUEST: &[Field] = &[
    stored("meetingRequest:MeetingRequestType",     "t:MeetingRequestType",     lids::MEETING_TYPE, TYPES,                           Able::READ, V7),
    stored("meetingRequest:IntendedFreeBusyStatus", "t:IntendedFreeBusyStatus", lids::INTENDED_BUSY_STATUS, calendar::INTENDED_BUSY, Able::READ, V7),
];

/// What responses and cancellations have besides.
#[rustfmt::skip]
pub(crate) const RESPONSE: &[Field] = &[
    stored("calendar:Start",    "t:Start",    lids::START_WHOLE, Codec::Time, Able::READ, V13),
    stored("calendar:End",      "t:End",      lids::END_WHOLE, Codec::Time,   Able::READ, V13),
    stored("calendar:Location", "t:Location", lids::LOCATION, Codec::Text,    Able::READ, V13),
    stored("meeting:ProposedStart", "t:ProposedStart", lids::PROPOSED_START_WHOLE, Codec::Time, Able::READ, V13),
    stored("meeting:ProposedEnd",   "t:ProposedEnd",   lids::PROPOSED_END_WHOLE, Codec::Time, Able::READ, V13),
];

/// What cancellations have besides.
#[rustfmt::skip]
pub(crate) const CANCELLATION: &[Field] = &[
    stored("calendar:Start",    "t:Start",    lids::START_WHOLE, Codec::Time, Able::READ, V13),
    stored("calendar:End",      "t:End",      lids::END_WHOLE, Codec::Time,   Able::READ, V13),
    stored("calendar:Location", "t:Location", lids::LOCATION, Codec::Text,    Able::READ, V13),
];
