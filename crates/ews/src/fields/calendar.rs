//! Fields of calendar items. Meeting requests have them too, in the same order but for a few; hence the pieces.

use model::{PropertyKey, Value, lids, sets, tags};
use xml::Writer;

use super::{
    Able, Codec, Computed, Field, Needs, Source, V7, V10, V13, address, recurrence, row, shown, shown_with, stored,
    zone,
};
use crate::item::{Item, Rendering};
use crate::patch::Step;

const BUSY: &[(i32, &str)] = &[(2, "Busy"), (0, "Free"), (1, "Tentative"), (3, "OOF"), (4, "WorkingElsewhere")];
const FREE_BUSY: Codec = Codec::NamesOr(BUSY);
pub(super) const INTENDED_BUSY: Codec = Codec::Names(BUSY);

/// PidLidAppointmentNotAllowPropose.
const NOT_ALLOW_PROPOSE: PropertyKey = PropertyKey::Lid(sets::APPOINTMENT, 0x825a);

/// A truth that is false where nothing is stored.
const fn truth(write: fn(&mut Writer, &'static str, &Item<'_>, &Rendering<'_>)) -> Source {
    shown(write)
}

fn write_truth(out: &mut Writer, element: &'static str, on: bool) {
    out.element(element, if on { "true" } else { "false" });
}

fn state(item: &Item<'_>) -> i64 {
    item.number(&lids::STATE_FLAGS).unwrap_or_default()
}

pub(super) const UID: Source = Source::Computed(Computed {
    write: |out, element, item, _| {
        let id = item.value(&lids::CLEAN_GLOBAL_OBJECT_ID).or_else(|| item.value(&lids::GLOBAL_OBJECT_ID));
        if let Some(uid) = id.as_ref().and_then(Value::as_binary).and_then(|id| mapi::global_object_id::to_uid(id)) {
            out.element(element, &uid);
        }
    },
    needs: Needs::NONE,
    set: Some(|node| {
        let id = mapi::global_object_id::from_uid(node.text().trim());
        let clean = mapi::global_object_id::clean(&id).unwrap_or_else(|| id.clone());
        Ok(vec![
            Step::Put(lids::GLOBAL_OBJECT_ID, Value::binary(id)),
            Step::Put(lids::CLEAN_GLOBAL_OBJECT_ID, Value::binary(clean)),
        ])
    }),
    keys: &[lids::CLEAN_GLOBAL_OBJECT_ID, lids::GLOBAL_OBJECT_ID],
});
pub(super) const RECURRENCE_ID: Field =
    stored("calendar:RecurrenceId", "t:RecurrenceId", lids::EXCEPTION_REPLACE_TIME, Codec::Time, Able::READ, V7);
pub(super) const DATE_TIME_STAMP: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| {
        let time = item.value(&lids::OWNER_CRITICAL_CHANGE).or_else(|| item.value(&tags::CREATION_TIME));
        if let Some(time) = time.and_then(|value| value.as_time()) {
            out.element(element, &rendering.header.time(time));
        }
    },
    needs: Needs::NONE,
    set: None,
    keys: &[lids::OWNER_CRITICAL_CHANGE],
});
pub(super) const IS_ORGANIZER: Source = truth(|out, element, item, _| write_truth(out, element, state(item) & 2 == 0));

const START_TIME: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| {
        if let Some(time) = item.value(&lids::START_WHOLE).and_then(|value| value.as_time()) {
            out.element(element, &rendering.header.time(time));
        }
    },
    needs: Needs::NONE,
    set: Some(|node| read_time(node, "calendar:Start", &[lids::START_WHOLE, lids::COMMON_START, tags::START_DATE])),
    keys: &[lids::START_WHOLE, lids::COMMON_START, tags::START_DATE],
});
const END_TIME: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| {
        if let Some(time) = item.value(&lids::END_WHOLE).and_then(|value| value.as_time()) {
            out.element(element, &rendering.header.time(time));
        }
    },
    needs: Needs::NONE,
    set: Some(|node| read_time(node, "calendar:End", &[lids::END_WHOLE, lids::COMMON_END, tags::END_DATE])),
    keys: &[lids::END_WHOLE, lids::COMMON_END, tags::END_DATE],
});
const ALL_DAY: Source = Source::Computed(Computed {
    write: |out, element, item, _| write_truth(out, element, item.truth(&lids::ALL_DAY) == Some(true)),
    needs: Needs::NONE,
    set: Some(|node| {
        let on = super::item::read_truth(node, "calendar:IsAllDayEvent")?;
        Ok(vec![Step::Put(lids::ALL_DAY, Value::Bool(on))])
    }),
    keys: &[lids::ALL_DAY],
});

fn read_time(node: xml::Node<'_>, uri: &str, keys: &[PropertyKey]) -> Result<Vec<Step>, crate::Failure> {
    let time = crate::local_time::parse(&node.text())
        .ok_or_else(|| crate::Failure::field(crate::ResponseCode::ErrorInvalidValueForProperty, uri))?;
    Ok(keys.iter().map(|key| Step::Put(key.clone(), Value::Time(time))).collect())
}

/// The kind of a calendar item, from what is stored about its recurrence.
fn write_type(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let kind = if let Some(occurrence) = &item.occurrence {
        if occurrence.exception.is_some() { "Exception" } else { "Occurrence" }
    } else if item.value(&lids::EXCEPTION_REPLACE_TIME).is_some() {
        "Exception"
    } else if item.truth(&lids::RECURRING) == Some(true) && item.value(&lids::APPOINTMENT_RECUR).is_some() {
        "RecurringMaster"
    } else {
        "Single"
    };
    out.element(element, kind);
}

/// `PT1H30M`, from start and end.
fn write_duration(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let time = |key: &PropertyKey| item.value(key).and_then(|value| value.as_time());
    let (Some(start), Some(end)) = (time(&lids::START_WHOLE), time(&lids::END_WHOLE)) else { return };
    let minutes = end.to_unix().saturating_sub(start.to_unix()).max(0) / 60;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    let mut text = String::from("P");
    if days > 0 {
        text += &format!("{days}D");
    }
    if hours > 0 || minutes > 0 || days == 0 {
        text.push('T');
    }
    if hours > 0 {
        text += &format!("{hours}H");
    }
    if minutes > 0 || hours == 0 && days == 0 {
        text += &format!("{minutes}M");
    }
    out.element(element, &text);
}

/// The first fields of a calendar item.
#[rustfmt::skip]
pub(crate) const HEAD: &[Field] = &[
    row("calendar:UID",            "t:UID",            UID,                                   Able::KEEP,   V7),
    RECURRENCE_ID,
    row("calendar:DateTimeStamp",  "t:DateTimeStamp",  DATE_TIME_STAMP,                       Able::READ,   V7),
];

/// From the start on.
#[rustfmt::skip]
pub(crate) const START: &[Field] = &[
    row("calendar:Start",                 "t:Start",                 START_TIME,                                  Able::KEEP, V7),
    row("calendar:End",                   "t:End",                   END_TIME,                                    Able::KEEP, V7),
    stored("calendar:OriginalStart",      "t:OriginalStart",         lids::EXCEPTION_REPLACE_TIME, Codec::Time,   Able::GET,  V7),
    row("calendar:IsAllDayEvent",         "t:IsAllDayEvent",         ALL_DAY,                                     Able::EDIT, V7),
    stored("calendar:LegacyFreeBusyStatus", "t:LegacyFreeBusyStatus", lids::BUSY_STATUS, FREE_BUSY,               Able::EDIT, V7),
    stored("calendar:Location",           "t:Location",              lids::LOCATION, Codec::Text,                 Able::EDIT, V7),
    row("calendar:IsMeeting",             "t:IsMeeting",             truth(|out, element, item, _| write_truth(out, element, state(item) & 1 != 0)), Able::SHOW, V7),
    row("calendar:IsCancelled",           "t:IsCancelled",           truth(|out, element, item, _| write_truth(out, element, state(item) & 4 != 0)), Able::SHOW, V7),
    row("calendar:IsRecurring",           "t:IsRecurring",           truth(|out, element, item, _| write_truth(out, element, item.truth(&lids::RECURRING) == Some(true))), Able::SHOW, V7),
    row("calendar:MeetingRequestWasSent", "t:MeetingRequestWasSent", truth(|out, element, item, _| write_truth(out, element, item.truth(&crate::meeting::INVITED) == Some(true))), Able::SHOW, V7),
];

/// Only calendar items have it.
#[rustfmt::skip]
pub(crate) const RESPONSE_REQUESTED: &[Field] = &[
    stored("calendar:IsResponseRequested", "t:IsResponseRequested", tags::RESPONSE_REQUESTED, Codec::Bool, Able::EDIT, V7),
];

/// The rest that meeting requests share.
#[rustfmt::skip]
pub(crate) const MIDDLE: &[Field] = &[
    row("calendar:CalendarItemType",          "t:CalendarItemType",          shown(write_type),                                  Able::SHOW,     V7),
    stored("calendar:MyResponseType",         "t:MyResponseType",            lids::RESPONSE_STATUS, Codec::NamesOr(address::RESPONSE_TYPES), Able::EDIT, V7),
    row("calendar:Organizer",                 "t:Organizer",                 Source::Address(&address::FROM),                    Able::READ,     V7),
    row("calendar:RequiredAttendees",         "t:RequiredAttendees",         Source::Attendees(1),                               Able::GET_EDIT, V7),
    row("calendar:OptionalAttendees",         "t:OptionalAttendees",         Source::Attendees(2),                               Able::GET_EDIT, V7),
    row("calendar:Resources",                 "t:Resources",                 Source::Attendees(3),                               Able::GET_EDIT, V7),
    row("calendar:Duration",                  "t:Duration",                  shown(write_duration),                              Able::SHOW,     V7),
    stored("calendar:TimeZone",               "t:TimeZone",                  lids::TIME_ZONE_DESCRIPTION, Codec::Text,           Able::READ,     V7),
    stored("calendar:AppointmentReplyTime",   "t:AppointmentReplyTime",      lids::APPOINTMENT_REPLY_TIME, Codec::Time,          Able::READ,     V7),
    stored("calendar:AppointmentSequenceNumber", "t:AppointmentSequenceNumber", lids::APPOINTMENT_SEQUENCE, Codec::Int,           Able::GET,      V7),
    stored("calendar:AppointmentState",       "t:AppointmentState",          lids::STATE_FLAGS, Codec::Int,                      Able::READ,     V7),
    row("calendar:Recurrence",                "t:Recurrence",                recurrence::OF_CALENDAR,                            Able::GET_EDIT, V7),
    row("calendar:FirstOccurrence",           "t:FirstOccurrence",           recurrence::FIRST,                                  Able::GET,      V7),
    row("calendar:LastOccurrence",            "t:LastOccurrence",            recurrence::LAST,                                   Able::GET,      V7),
    row("calendar:ModifiedOccurrences",       "t:ModifiedOccurrences",       recurrence::MODIFIED,                               Able::GET,      V7),
    row("calendar:DeletedOccurrences",        "t:DeletedOccurrences",        recurrence::DELETED,                                Able::GET,      V7),
    row("calendar:MeetingTimeZone",           "t:MeetingTimeZone",           zone::MEETING,                                      Able::ASK_EDIT, V7),
    row("calendar:StartTimeZone",             "t:StartTimeZone",             zone::START,                                        Able::SHOW_EDIT, V10),
    row("calendar:EndTimeZone",               "t:EndTimeZone",               zone::END,                                          Able::SHOW_EDIT, V10),
    stored("calendar:ConferenceType",         "t:ConferenceType",            PropertyKey::Lid(sets::APPOINTMENT, 0x8241), Codec::Int,  Able::EDIT, V7),
    stored("calendar:AllowNewTimeProposal",   "t:AllowNewTimeProposal",      NOT_ALLOW_PROPOSE, Codec::NotBool,                  Able::EDIT,     V7),
    stored("calendar:IsOnlineMeeting",        "t:IsOnlineMeeting",           PropertyKey::Lid(sets::APPOINTMENT, 0x8240), Codec::Bool, Able::EDIT, V7),
    stored("calendar:MeetingWorkspaceUrl",    "t:MeetingWorkspaceUrl",       PropertyKey::Lid(sets::APPOINTMENT, 0x8209), Codec::Text, Able::EDIT, V7),
    stored("calendar:NetShowUrl",             "t:NetShowUrl",                PropertyKey::Lid(sets::APPOINTMENT, 0x8248), Codec::Text, Able::EDIT, V7),
];

/// The last fields of a calendar item.
#[rustfmt::skip]
pub(crate) const TAIL: &[Field] = &[
    row("calendar:StartWallClock",  "t:StartWallClock",  shown_with(Needs::HEAVY, |out, element, item, _| zone::write_local(out, element, item, &lids::START_WHOLE, &lids::TIME_ZONE_START)), Able::GET, V13),
    row("calendar:EndWallClock",    "t:EndWallClock",    shown_with(Needs::HEAVY, |out, element, item, _| zone::write_local(out, element, item, &lids::END_WHOLE, &lids::TIME_ZONE_END)),     Able::GET, V13),
    row("calendar:StartTimeZoneId", "t:StartTimeZoneId", zone::START_ID, Able::GET_EDIT, V13),
    row("calendar:EndTimeZoneId",   "t:EndTimeZoneId",   zone::END_ID,   Able::GET_EDIT, V13),
    stored("meetingRequest:IntendedFreeBusyStatus", "t:IntendedFreeBusyStatus", lids::INTENDED_BUSY_STATUS, INTENDED_BUSY, Able::READ, V13),
    row("calendar:IsOrganizer",                     "t:IsOrganizer",            IS_ORGANIZER,                              Able::SHOW, V13),
];
