//! iCalendar objects (RFC 5545, RFC 5546) to the meeting properties of items, as \[MS-OXCICAL\] maps them.
//!
//! Only one item is read: the master of a series with its exceptions, or the first event.

#![expect(clippy::wildcard_enum_match_arm, reason = "a few of the many variants of the parser concern us")]

mod render;
mod rule;
mod zone;

use calcard::{
    Entry, Parser,
    common::PartialDateTime,
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType as Component, ICalendarEntry,
        ICalendarParameterName as Parameter, ICalendarProperty as Property, ICalendarValue,
    },
};
use mapi::global_object_id::{self, InstanceDate};
use model::{Bag, ItemContent, PropertyKey, Time, Value, lids, limits, names, tags};

pub use render::{method, render};

use crate::{address::Mailbox, contained, message, text};

/// Bytes of an iCalendar object that is read; what lies behind is not looked at.
const CALENDAR_BYTES_MAX: usize = 8 << 20;
/// Objects of one file that are looked at for an event.
const OBJECTS_MAX: usize = 1_000;
/// Categories that are kept.
const CATEGORIES_MAX: usize = 100;

/// PidTagReplyRequested, Bool.
const REPLY_REQUESTED: PropertyKey = PropertyKey::Tag(0x0c17);
/// PidTagRecipientTrackStatus, I32, with the values of [`lids::RESPONSE_STATUS`].
const RECIPIENT_TRACK_STATUS: PropertyKey = PropertyKey::Tag(0x5fff);

/// The message class that the method of an iCalendar object gives to a message: a request, an answer or a
/// cancellation. `None` for all others.
pub fn message_class(ics: &str) -> Option<&'static str> {
    Event::read(ics)?.message_class()
}

/// Adds what the event of an iCalendar object says to `item`: times, place, state, identity, and, where the item has
/// none yet, class, subject, body, organiser and attendees. An item that is a message without a meeting method keeps
/// its class. Never fails; text without an event changes nothing.
pub fn apply(ics: &str, item: &mut ItemContent) {
    let Some(event) = Event::read(ics) else {
        return;
    };
    let class = event.message_class();
    match (class, item.bag.text(&tags::MESSAGE_CLASS)) {
        (Some(class), _) => item.bag.set(tags::MESSAGE_CLASS, Value::text(class)),
        (None, None) => item.bag.set(tags::MESSAGE_CLASS, Value::text("IPM.Appointment")),
        (None, Some(_)) => {}
    }
    let class = item.bag.text(&tags::MESSAGE_CLASS).unwrap_or_default().to_owned();
    event.times(&mut item.bag);
    event.state(&class, &mut item.bag);
    event.identity(&mut item.bag);
    event.describe(&mut item.bag);
    event.reminder(&mut item.bag);
    event.people(&class, item);
    event.series(&mut item.bag);
}

/// One event and the object around it.
struct Event {
    calendar: ICalendar,
    /// The place of the event among the components.
    at: usize,
}

impl Event {
    fn read(ics: &str) -> Option<Self> {
        let end = ics.len().min(CALENDAR_BYTES_MAX);
        let ics = ics.get(..ics.floor_char_boundary(end))?;
        contained(|| {
            let mut parser = Parser::new(ics);
            for _ in 0..OBJECTS_MAX {
                match parser.entry() {
                    Entry::ICalendar(calendar) => {
                        let events = || {
                            let components = calendar.components.iter().enumerate();
                            components.filter(|(_, component)| component.component_type == Component::VEvent)
                        };
                        let master = events().find(|(_, event)| !event.has_property(&Property::RecurrenceId));
                        if let Some((at, _)) = master.or_else(|| events().next()) {
                            return Some(Self { calendar, at });
                        }
                    }
                    Entry::Eof => return None,
                    _ => {}
                }
            }
            None
        })
        .flatten()
    }

    fn component(&self) -> Option<&ICalendarComponent> {
        self.calendar.components.get(self.at)
    }

    fn entry(&self, property: &Property) -> Option<&ICalendarEntry> {
        self.component()?.property(property)
    }

    /// A property that RFC 5545 does not name.
    fn extra(&self, name: &str) -> Option<&str> {
        let entries = &self.component()?.entries;
        let entry = entries
            .iter()
            .find(|entry| matches!(&entry.name, Property::Other(have) if have.eq_ignore_ascii_case(name)))?;
        entry.values.first()?.as_text()
    }

    fn text(&self, property: &Property) -> Option<String> {
        let entry = self.entry(property)?;
        let pieces: Vec<&str> = entry.values.iter().filter_map(ICalendarValue::as_text).collect();
        let text = pieces.join(", ");
        (!text.is_empty()).then_some(text)
    }

    fn method(&self) -> String {
        let method = self.calendar.components.first().and_then(|root| root.property(&Property::Method));
        let text = method.and_then(|entry| entry.values.first()).and_then(ICalendarValue::as_text);
        text.unwrap_or_default().to_ascii_uppercase()
    }

    fn message_class(&self) -> Option<&'static str> {
        match self.method().as_str() {
            "REQUEST" => Some("IPM.Schedule.Meeting.Request"),
            "CANCEL" => Some("IPM.Schedule.Meeting.Canceled"),
            "COUNTER" => Some("IPM.Schedule.Meeting.Resp.Tent"),
            "REPLY" => match parameter(self.entry(&Property::Attendee)?, &Parameter::Partstat)?.as_str() {
                "ACCEPTED" => Some("IPM.Schedule.Meeting.Resp.Pos"),
                "TENTATIVE" => Some("IPM.Schedule.Meeting.Resp.Tent"),
                "DECLINED" => Some("IPM.Schedule.Meeting.Resp.Neg"),
                _ => None,
            },
            _ => None,
        }
    }

    fn times(&self, bag: &mut Bag) {
        let Some((start, all_day)) = self.time(&Property::Dtstart) else {
            return;
        };
        let length = self.entry(&Property::Duration).and_then(|entry| match entry.values.first() {
            Some(ICalendarValue::Duration(length)) => contained(|| length.as_seconds()),
            _ => None,
        });
        let end = self.time(&Property::Dtend).map(|(end, _)| end);
        let end = end
            .or_else(|| length.map(|seconds| start.plus_seconds(seconds)))
            .unwrap_or(if all_day { start.plus_seconds(86_400) } else { start })
            .max(start);
        let minutes = (end.to_unix() - start.to_unix()) / 60;
        for (key, time) in [
            (lids::START_WHOLE, start),
            (lids::COMMON_START, start),
            (tags::START_DATE, start),
            (lids::END_WHOLE, end),
            (lids::COMMON_END, end),
            (tags::END_DATE, end),
        ] {
            bag.set(key, Value::Time(time));
        }
        bag.set(lids::APPOINTMENT_DURATION, Value::I32(i32::try_from(minutes).unwrap_or(i32::MAX)));
        let declared = self.extra("X-MICROSOFT-CDO-ALLDAYEVENT").is_some_and(|flag| flag.eq_ignore_ascii_case("TRUE"));
        bag.set(lids::ALL_DAY, Value::Bool(all_day || declared));
        let zone = self.entry(&Property::Dtstart).and_then(ICalendarEntry::tz_id);
        bag.put(lids::TIME_ZONE_DESCRIPTION, zone.map(Value::text));
    }

    fn state(&self, class: &str, bag: &mut Bag) {
        let request = class.eq_ignore_ascii_case("IPM.Schedule.Meeting.Request");
        let cancelled = class.eq_ignore_ascii_case("IPM.Schedule.Meeting.Canceled");
        let meeting = self.entry(&Property::Attendee).is_some();
        let received = class.to_ascii_lowercase().starts_with("ipm.schedule.");
        let status = self.text(&Property::Status).unwrap_or_default();
        let cancelled = cancelled || status.eq_ignore_ascii_case("CANCELLED");
        let flags = i32::from(meeting || received) | i32::from(received) << 1 | i32::from(cancelled) << 2;
        bag.set(lids::STATE_FLAGS, Value::I32(flags));

        let transparent = self.text(&Property::Transp).is_some_and(|word| word.eq_ignore_ascii_case("TRANSPARENT"));
        let busy = self.extra("X-MICROSOFT-CDO-BUSYSTATUS").and_then(busy_status);
        let intended = self
            .extra("X-MICROSOFT-CDO-INTENDEDSTATUS")
            .and_then(busy_status)
            .or_else(|| busy.filter(|_| !request))
            .unwrap_or(if transparent { 0 } else { 2 });
        // A request is tentative in the calendar until it is answered.
        let unanswered = if request && intended != 0 { 1 } else { intended };
        bag.set(lids::INTENDED_BUSY_STATUS, Value::I32(intended));
        bag.set(lids::BUSY_STATUS, Value::I32(if cancelled { 0 } else { busy.unwrap_or(unanswered) }));

        let response = match class.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "request" => Some(5),
            "pos" => Some(3),
            "tent" => Some(2),
            "neg" => Some(4),
            _ => (!received).then_some(i32::from(meeting)),
        };
        bag.put(lids::RESPONSE_STATUS, response.map(Value::I32));
        if request {
            bag.set(lids::MEETING_TYPE, Value::I32(1));
        }
        let asks = self.response_requested();
        bag.set(tags::RESPONSE_REQUESTED, Value::Bool(asks));
        bag.set(REPLY_REQUESTED, Value::Bool(asks));
        let recurring = [Property::Rrule, Property::Rdate, Property::RecurrenceId];
        bag.set(lids::RECURRING, Value::Bool(recurring.iter().any(|property| self.entry(property).is_some())));
    }

    /// Whether an attendee is asked for an answer. Where nobody says so, a request asks.
    fn response_requested(&self) -> bool {
        let attendees = || self.component().into_iter().flat_map(|event| event.properties(&Property::Attendee));
        let mut wishes = attendees().filter_map(|entry| parameter(entry, &Parameter::Rsvp)).peekable();
        match wishes.peek() {
            Some(_) => wishes.any(|wish| wish == "TRUE"),
            None => attendees().next().is_some() && self.method() == "REQUEST",
        }
    }

    fn identity(&self, bag: &mut Bag) {
        let number = |text: Option<i64>| text.and_then(|number| i32::try_from(number).ok());
        let sequence = self.entry(&Property::Sequence).and_then(|entry| entry.values.first()?.as_integer());
        bag.set(lids::APPOINTMENT_SEQUENCE, Value::I32(number(sequence).unwrap_or(0)));
        let owner = self.extra("X-MICROSOFT-CDO-OWNERAPPTID").and_then(|text| text.trim().parse().ok());
        bag.put(tags::OWNER_APPOINTMENT_ID, number(owner).map(Value::I32));
        let changed = self.time(&Property::Dtstamp).or_else(|| self.time(&Property::LastModified));
        bag.put(lids::OWNER_CRITICAL_CHANGE, changed.map(|(time, _)| Value::Time(time)));
        let instance = self.time(&Property::RecurrenceId).map(|(time, _)| time);
        bag.put(lids::EXCEPTION_REPLACE_TIME, instance.map(Value::Time));
        if let Some(uid) = self.text(&Property::Uid) {
            let clean = global_object_id::from_uid(&uid);
            let id = self.instance_date().and_then(|date| global_object_id::with_instance_date(&clean, date));
            bag.set(lids::GLOBAL_OBJECT_ID, Value::binary(id.unwrap_or_else(|| clean.clone())));
            bag.set(lids::CLEAN_GLOBAL_OBJECT_ID, Value::binary(clean));
        }
    }

    /// The date of the instance, in the zone in which it is written.
    fn instance_date(&self) -> Option<InstanceDate> {
        let date = date_of(self.entry(&Property::RecurrenceId)?)?;
        Some(InstanceDate { year: date.year?, month: date.month?, day: date.day? })
    }

    fn describe(&self, bag: &mut Bag) {
        bag.put(lids::LOCATION, self.text(&Property::Location).map(Value::Text));
        if bag.get(&tags::SUBJECT).is_none()
            && let Some(summary) = self.text(&Property::Summary)
        {
            message::set_subject(bag, &summary);
        }
        let bodiless = bag.get(&tags::HTML).is_none() && bag.text(&tags::BODY).unwrap_or_default().trim().is_empty();
        if bodiless && let Some(description) = self.text(&Property::Description) {
            bag.set(tags::BODY, Value::Text(text::with_crlf(&description)));
            bag.set(tags::NATIVE_BODY, Value::I32(1));
        }
        if bag.get(&tags::SENSITIVITY).is_none() {
            let class = self.text(&Property::Class).unwrap_or_default().to_ascii_uppercase();
            let sensitivity = match class.as_str() {
                "PRIVATE" => 2,
                "CONFIDENTIAL" => 3,
                _ => 0,
            };
            bag.set(tags::SENSITIVITY, Value::I32(sensitivity));
            bag.set(lids::PRIVATE, Value::Bool(sensitivity == 2));
        }
        let categories = self.component().into_iter().flat_map(|event| event.properties(&Property::Categories));
        let categories: Vec<String> = categories
            .flat_map(|entry| &entry.values)
            .filter_map(|value| value.as_text().map(str::to_owned))
            .take(CATEGORIES_MAX)
            .collect();
        if !categories.is_empty() && bag.get(&names::KEYWORDS).is_none() {
            bag.set(names::KEYWORDS, Value::Texts(categories));
        }
    }

    /// The first alarm that is set relative to the start.
    fn reminder(&self, bag: &mut Bag) {
        let minutes = self.calendar.alarms_for_id(self.at as u32).find_map(|alarm| {
            match alarm.property(&Property::Trigger)?.values.first()? {
                ICalendarValue::Duration(before) => contained(|| before.as_seconds()).map(|seconds| -seconds / 60),
                _ => None,
            }
        });
        let minutes = minutes.filter(|minutes| *minutes >= 0).and_then(|minutes| i32::try_from(minutes).ok());
        let start = bag.get(&lids::START_WHOLE).and_then(Value::as_time);
        let Some((minutes, start)) = minutes.zip(start) else {
            return;
        };
        bag.set(lids::REMINDER_SET, Value::Bool(true));
        bag.set(lids::REMINDER_DELTA, Value::I32(minutes));
        bag.set(lids::REMINDER_TIME, Value::Time(start));
        bag.set(lids::REMINDER_SIGNAL_TIME, Value::Time(start.plus_seconds(-60 * i64::from(minutes))));
    }

    fn people(&self, class: &str, item: &mut ItemContent) {
        let reply = class.to_ascii_lowercase().starts_with("ipm.schedule.meeting.resp.");
        let organizer = self.entry(&Property::Organizer).and_then(mailbox);
        let attendees = || self.component().into_iter().flat_map(|event| event.properties(&Property::Attendee));
        // An answer comes from the attendee and goes to the organiser.
        let author = if reply { attendees().find_map(mailbox) } else { organizer.clone() };
        if item.bag.get(&tags::SENT_REPRESENTING_NAME).is_none()
            && let Some(author) = author
        {
            message::set_author(&mut item.bag, &author);
            message::set_sender(&mut item.bag, &author);
        }
        if !item.recipients.is_empty() {
            return;
        }
        if reply {
            message::add_recipients(item, organizer.into_iter().collect(), 1);
            return;
        }
        for entry in attendees().take(limits::RECIPIENTS_MAX) {
            let Some(attendee) =
                mailbox(entry).filter(|attendee| Some(&attendee.address) != organizer.as_ref().map(|one| &one.address))
            else {
                continue;
            };
            message::add_recipients(item, vec![attendee], recipient_type(entry));
            let answer = match parameter(entry, &Parameter::Partstat).as_deref() {
                Some("TENTATIVE") => 2,
                Some("ACCEPTED") => 3,
                Some("DECLINED") => 4,
                _ => 0,
            };
            if let Some(row) = item.recipients.last_mut() {
                row.set(RECIPIENT_TRACK_STATUS, Value::I32(answer));
            }
        }
    }

    /// A date or time and whether it is a whole day.
    fn time(&self, property: &Property) -> Option<(Time, bool)> {
        let entry = self.entry(property)?;
        let date = date_of(entry)?;
        let time = zone::resolve(date, entry.tz_id(), &self.calendar)?;
        Some((time, date.hour.is_none()))
    }
}

fn date_of(entry: &ICalendarEntry) -> Option<&PartialDateTime> {
    entry.values.first()?.as_partial_date_time()
}

/// Words for [`lids::BUSY_STATUS`], by its values.
const BUSY_WORDS: [&str; 5] = ["FREE", "TENTATIVE", "BUSY", "OOF", "WORKINGELSEWHERE"];

fn busy_status(word: &str) -> Option<i32> {
    let at = BUSY_WORDS.iter().position(|have| have.eq_ignore_ascii_case(word.trim()))?;
    i32::try_from(at).ok()
}

fn busy_word(status: i64) -> Option<&'static str> {
    BUSY_WORDS.get(usize::try_from(status).ok()?).copied()
}

/// 1 required, 2 optional, 3 resource.
fn recipient_type(attendee: &ICalendarEntry) -> i32 {
    if matches!(parameter(attendee, &Parameter::Cutype).as_deref(), Some("RESOURCE" | "ROOM")) {
        return 3;
    }
    match parameter(attendee, &Parameter::Role).as_deref() {
        Some("OPT-PARTICIPANT" | "NON-PARTICIPANT") => 2,
        _ => 1,
    }
}

/// A parameter in upper case.
fn parameter(entry: &ICalendarEntry, name: &Parameter) -> Option<String> {
    entry.parameter(name)?.as_text().map(|text| text.trim().to_ascii_uppercase())
}

fn mailbox(entry: &ICalendarEntry) -> Option<Mailbox> {
    let name = entry.parameter(&Parameter::Cn).and_then(|name| name.as_text()).unwrap_or_default();
    let address = entry.calendar_address().unwrap_or_default();
    let mailbox = Mailbox::new(name.trim_matches('"'), address);
    (!mailbox.display().is_empty()).then_some(mailbox)
}

#[cfg(test)]
mod tests;
