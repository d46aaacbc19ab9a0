//! Items to iCalendar objects: what [`super::apply`] reads, written back. Times are in the zone of the item, or in UTC
//! where it has none; the exceptions of a series are events of their own.

use mapi::recurrence::time_of;
use mapi::time_zone::TimeZone;
use model::{Bag, ItemContent, PropertyKey, Time, Value, lids, limits, names, tags};

use super::{RECIPIENT_TRACK_STATUS, rule};
use crate::address::Mailbox;
use crate::content_line::{escaped, fold};
use crate::html;
use crate::message::{self, Render};
use crate::series::{Occurrence, Series, zone};

/// The method of the iCalendar object for items of a message class; `None` for what is no appointment and no meeting
/// message.
pub fn method(message_class: &str) -> Option<&'static str> {
    const METHODS: &[(&str, &str)] = &[
        ("ipm.schedule.meeting.request", "REQUEST"),
        ("ipm.schedule.meeting.canceled", "CANCEL"),
        ("ipm.schedule.meeting.resp", "REPLY"),
        ("ipm.appointment", "PUBLISH"),
    ];
    let class = message_class.to_ascii_lowercase();
    let is = |prefix: &str| class.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    METHODS.iter().find(|(prefix, _)| is(prefix)).map(|(_, method)| *method)
}

/// The iCalendar object of an appointment or a meeting message, with CRLF at the line ends. `None` for other items. The
/// same item always gives the same object.
pub fn render(item: &ItemContent, context: &Render<'_>) -> Option<String> {
    let class = item.bag.text(&tags::MESSAGE_CLASS)?;
    let method = method(class)?;
    let mut out = Object(String::new());
    out.line("BEGIN:VCALENDAR");
    out.line("PRODID:-//Highwater//EN");
    out.line("VERSION:2.0");
    out.line(&format!("METHOD:{method}"));
    let series = Series::of(|key| item.bag.get(key).cloned());
    let zone = zone(|key| item.bag.get(key).cloned());
    out.zone(&zone);
    out.line("BEGIN:VEVENT");
    out.identity(&item.bag);
    out.times(&item.bag, &zone);
    if let Some(series) = &series {
        out.series(&item.bag, series);
    }
    out.describe(&item.bag);
    out.state(&item.bag, method);
    out.people(item, method, context);
    out.reminder(&item.bag);
    out.line("END:VEVENT");
    for exception in series.iter().flat_map(|series| series.exceptions().map(move |one| (series, one))) {
        out.exception(&item.bag, exception);
    }
    out.line("END:VCALENDAR");
    Some(out.0)
}

/// An object while it is written.
struct Object(String);

impl Object {
    /// A content line, folded.
    fn line(&mut self, line: &str) {
        fold(line, &mut self.0);
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.line(&format!("{name}:{}", escaped(text)));
        }
    }

    fn time(&mut self, name: &str, time: Option<Time>) {
        if let Some(text) = time.and_then(written) {
            self.line(&format!("{name}:{text}"));
        }
    }

    fn identity(&mut self, bag: &Bag) {
        let id = bag.get(&lids::GLOBAL_OBJECT_ID).or_else(|| bag.get(&lids::CLEAN_GLOBAL_OBJECT_ID));
        let uid = id.and_then(Value::as_binary).and_then(|id| mapi::global_object_id::to_uid(id));
        self.text("UID", &uid.unwrap_or_default());
        self.time("RECURRENCE-ID", time(bag, &lids::EXCEPTION_REPLACE_TIME));
        let stamps =
            [lids::OWNER_CRITICAL_CHANGE, tags::LAST_MODIFICATION_TIME, tags::CREATION_TIME, lids::START_WHOLE];
        self.time("DTSTAMP", stamps.iter().find_map(|key| time(bag, key)));
        self.line(&format!("SEQUENCE:{}", number(bag, &lids::APPOINTMENT_SEQUENCE).unwrap_or(0).max(0)));
        if let Some(owner) = number(bag, &tags::OWNER_APPOINTMENT_ID) {
            self.line(&format!("X-MICROSOFT-CDO-OWNERAPPTID:{owner}"));
        }
    }

    fn times(&mut self, bag: &Bag, zone: &TimeZone) {
        let (start, end) = (time(bag, &lids::START_WHOLE), time(bag, &lids::END_WHOLE));
        let days = is_of_days(bag, zone);
        for (name, time) in [("DTSTART", start), ("DTEND", end)] {
            if let Some(time) = time {
                self.local(name, time, zone, days);
            }
        }
        let all_day = bag.get(&lids::ALL_DAY).and_then(Value::as_bool) == Some(true);
        self.line(if all_day { "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE" } else { "X-MICROSOFT-CDO-ALLDAYEVENT:FALSE" });
    }

    /// A zone, by its current rule. A zone without a name or rules is UTC.
    fn zone(&mut self, zone: &TimeZone) {
        let (Some(rule), Some(name)) = (zone.current(), zone_name(zone)) else { return };
        self.line("BEGIN:VTIMEZONE");
        self.line(&format!("TZID:{name}"));
        let (standard, daylight) = (rule.bias + rule.standard_bias, rule.bias + rule.daylight_bias);
        let changes = rule.standard.month != 0 && rule.daylight.month != 0;
        let halves = [("STANDARD", daylight, standard, rule.standard), ("DAYLIGHT", standard, daylight, rule.daylight)];
        for (half, from, to, onset) in halves.into_iter().take(if changes { 2 } else { 1 }) {
            self.line(&format!("BEGIN:{half}"));
            self.line(&format!("DTSTART:16010101T{:02}{:02}00", onset.hour, onset.minute));
            if changes {
                self.line(&format!("RRULE:{}", rule::yearly(onset)));
            }
            self.line(&format!("TZOFFSETFROM:{}", rule::offset(if changes { from } else { to })));
            self.line(&format!("TZOFFSETTO:{}", rule::offset(to)));
            self.line(&format!("END:{half}"));
        }
        self.line("END:VTIMEZONE");
    }

    /// A time in a zone, or its day.
    fn local(&mut self, name: &str, time: Time, zone: &TimeZone, days: bool) {
        let local = written(zone.to_local(time)).unwrap_or_default();
        let day = local.get(..8).unwrap_or_default();
        match zone_name(zone) {
            _ if days => self.line(&format!("{name};VALUE=DATE:{day}")),
            Some(zone) => self.line(&format!("{name};TZID={zone}:{}", local.trim_end_matches('Z'))),
            None => self.time(name, Some(time)),
        }
    }

    fn series(&mut self, bag: &Bag, series: &Series) {
        let (zone, days) = (&series.zone, is_of_days(bag, &series.zone));
        let until = |day: u32| {
            let end = written(zone.to_utc(time_of(day).plus_seconds(86_399)))?;
            Some(if days { end.chars().take(8).collect() } else { end })
        };
        self.line(&format!("RRULE:{}", rule::written(&series.pattern.recurrence, until)));
        let deleted: Vec<Time> = series.deleted().take(limits::PAGE_ROWS_MAX).collect();
        for start in deleted {
            self.local("EXDATE", start, zone, days);
        }
    }

    /// A changed occurrence.
    fn exception(&mut self, bag: &Bag, (series, one): (&Series, Occurrence)) {
        let days = is_of_days(bag, &series.zone);
        let own = |key: &PropertyKey| match one.value(key) {
            Some(value) => value,
            None => bag.get(key).cloned(),
        };
        let text = |key: &PropertyKey| match own(key) {
            Some(Value::Text(text)) => text,
            Some(_) | None => String::new(),
        };
        self.line("BEGIN:VEVENT");
        let mut master = bag.clone();
        master.remove(&lids::EXCEPTION_REPLACE_TIME);
        self.identity(&master);
        self.local("RECURRENCE-ID", one.original_start, &series.zone, days);
        self.local("DTSTART", one.start, &series.zone, days);
        self.local("DTEND", one.end, &series.zone, days);
        self.text("SUMMARY", &text(&tags::SUBJECT));
        self.text("LOCATION", &text(&lids::LOCATION));
        self.line("END:VEVENT");
    }

    fn describe(&mut self, bag: &Bag) {
        self.text("SUMMARY", bag.text(&tags::SUBJECT).unwrap_or_default());
        self.text("LOCATION", bag.text(&lids::LOCATION).unwrap_or_default());
        let html = bag.get(&tags::HTML).and_then(Value::as_binary);
        let html = html.map(|html| html::to_text(&html::decode(html, number(bag, &tags::INTERNET_CODEPAGE))));
        let body = bag.text(&tags::BODY).map(str::to_owned).or(html).unwrap_or_default();
        self.text("DESCRIPTION", &body);
        self.line(match number(bag, &tags::SENSITIVITY) {
            Some(1 | 2) => "CLASS:PRIVATE",
            Some(3) => "CLASS:CONFIDENTIAL",
            _ => "CLASS:PUBLIC",
        });
        self.line(match number(bag, &tags::IMPORTANCE) {
            Some(2) => "PRIORITY:1",
            Some(0) => "PRIORITY:9",
            _ => "PRIORITY:5",
        });
        if let Some(Value::Texts(categories)) = bag.get(&names::KEYWORDS)
            && !categories.is_empty()
        {
            let categories: Vec<String> = categories.iter().map(|one| escaped(one)).collect();
            self.line(&format!("CATEGORIES:{}", categories.join(",")));
        }
    }

    fn state(&mut self, bag: &Bag, method: &str) {
        const CANCELLED: i64 = 4;
        let cancelled = number(bag, &lids::STATE_FLAGS).unwrap_or(0) & CANCELLED != 0;
        self.line(if cancelled || method == "CANCEL" { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        let busy = number(bag, &lids::BUSY_STATUS);
        let intended = number(bag, &lids::INTENDED_BUSY_STATUS);
        let free = intended.or(busy) == Some(0);
        self.line(if free { "TRANSP:TRANSPARENT" } else { "TRANSP:OPAQUE" });
        for (name, status) in [("BUSYSTATUS", busy), ("INTENDEDSTATUS", intended)] {
            if let Some(word) = status.and_then(super::busy_word) {
                self.line(&format!("X-MICROSOFT-CDO-{name}:{word}"));
            }
        }
    }

    fn people(&mut self, item: &ItemContent, method: &str, context: &Render<'_>) {
        let bag = &item.bag;
        let author = message::author(bag, context);
        let attendees = item.recipients.iter().take(limits::RECIPIENTS_MAX);
        let attendees: Vec<(&Bag, Mailbox)> =
            attendees.filter_map(|row| Some((row, message::recipient(row, context)?))).collect();
        if method == "REPLY" {
            let class = bag.text(&tags::MESSAGE_CLASS).unwrap_or_default();
            let answer = match class.rsplit('.').next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "pos" => "ACCEPTED",
                "neg" => "DECLINED",
                _ => "TENTATIVE",
            };
            if let Some((_, organizer)) = attendees.first() {
                self.person("ORGANIZER", &[], organizer);
            }
            if let Some(author) = author {
                self.person("ATTENDEE", &[("PARTSTAT", answer)], &author);
            }
            return;
        }
        if attendees.is_empty() && method == "PUBLISH" {
            return;
        }
        if let Some(author) = author {
            self.person("ORGANIZER", &[], &author);
        }
        let asks = bag.get(&tags::RESPONSE_REQUESTED).and_then(Value::as_bool) == Some(true);
        for (row, attendee) in attendees {
            let (role, kind) = match number(row, &tags::RECIPIENT_TYPE).unwrap_or(1) & 0xf {
                2 => ("OPT-PARTICIPANT", "INDIVIDUAL"),
                3 => ("NON-PARTICIPANT", "RESOURCE"),
                _ => ("REQ-PARTICIPANT", "INDIVIDUAL"),
            };
            let answer = match number(row, &RECIPIENT_TRACK_STATUS) {
                Some(2) => "TENTATIVE",
                Some(3) => "ACCEPTED",
                Some(4) => "DECLINED",
                _ => "NEEDS-ACTION",
            };
            let rsvp = if asks { "TRUE" } else { "FALSE" };
            let parameters = [("CUTYPE", kind), ("ROLE", role), ("PARTSTAT", answer), ("RSVP", rsvp)];
            self.person("ATTENDEE", &parameters, &attendee);
        }
    }

    fn person(&mut self, name: &str, parameters: &[(&str, &str)], mailbox: &Mailbox) {
        let mut line = name.to_owned();
        for (name, value) in parameters {
            line += &format!(";{name}={value}");
        }
        // A parameter has no escapes for quotes and line ends.
        let shown = mailbox.display().replace('"', "'");
        let shown: String = shown.chars().filter(|letter| !letter.is_control()).collect();
        line += &format!(";CN=\"{shown}\":mailto:");
        line.extend(mailbox.address.chars().filter(|letter| !letter.is_control() && !letter.is_whitespace()));
        self.line(&line);
    }

    fn reminder(&mut self, bag: &Bag) {
        if bag.get(&lids::REMINDER_SET).and_then(Value::as_bool) != Some(true) {
            return;
        }
        let minutes = number(bag, &lids::REMINDER_DELTA).unwrap_or(15).max(0);
        for line in ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Reminder"] {
            self.line(line);
        }
        self.line(&format!("TRIGGER;RELATED=START:-PT{minutes}M"));
        self.line("END:VALARM");
    }
}

/// Whether an item is written as days. Days of another zone than UTC are kept by their times.
fn is_of_days(bag: &Bag, zone: &TimeZone) -> bool {
    let midnight = |key| time(bag, key).is_none_or(|time| time.0.rem_euclid(Time::DAY) == 0);
    bag.get(&lids::ALL_DAY).and_then(Value::as_bool) == Some(true)
        && zone_name(zone).is_none()
        && midnight(&lids::START_WHOLE)
        && midnight(&lids::END_WHOLE)
}

/// The name of a zone as a parameter may have it.
fn zone_name(zone: &TimeZone) -> Option<String> {
    let plain = |letter: &char| !letter.is_control() && !"\":;,".contains(*letter);
    let name: String = zone.key_name.chars().filter(plain).collect();
    (!name.is_empty() && !zone.rules.is_empty()).then_some(name)
}

/// `20060802T173000Z`; `None` for years that take more or fewer than four digits.
fn written(time: Time) -> Option<String> {
    let civil = time.civil();
    (1..=9_999).contains(&civil.year).then(|| {
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            civil.year, civil.month, civil.day, civil.hour, civil.minute, civil.second
        )
    })
}

fn time(bag: &Bag, key: &PropertyKey) -> Option<Time> {
    bag.get(key).and_then(Value::as_time)
}

fn number(bag: &Bag, key: &PropertyKey) -> Option<i64> {
    bag.get(key).and_then(Value::as_i64)
}

#[cfg(test)]
mod tests {
    use super::super::apply;
    use super::*;
    use crate::content_line::LINE_BYTES_MAX;

    const CONTEXT: Render<'_> = Render { domain: "example.com" };

    fn item(class: &str, lines: &str) -> ItemContent {
        let mut item = ItemContent::default();
        item.bag.set(tags::MESSAGE_CLASS, Value::text(class));
        let method = method(class).unwrap();
        let ics = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nMETHOD:{method}\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        apply(&ics.replace('\n', "\r\n"), &mut item);
        item
    }

    const PEOPLE: &str = "ORGANIZER;CN=\"Park, Dan\":mailto:dpark@example.com\nATTENDEE;CN=Ada;PARTSTAT=ACCEPTED;RSVP=TRUE:\
        mailto:ada@example.com\nATTENDEE;ROLE=OPT-PARTICIPANT:mailto:bob@example.com\n\
        ATTENDEE;CUTYPE=ROOM;CN=Room 2:mailto:room2@example.com";

    /// What is written is read as the same properties and people.
    #[test]
    fn what_is_written_is_read_again() {
        let start =
            "DTSTART:20060802T173000Z\nDTEND:20060802T193000Z\nDTSTAMP:20060731T210000Z\nUID:budget@example.com";
        let long = "Ünïcode \\, and \\; and \\\\ ".repeat(20);
        for (class, lines) in [
            ("IPM.Schedule.Meeting.Request", format!("{start}\nSUMMARY:Budget Q3\nLOCATION:Room 2\nSEQUENCE:2\n{PEOPLE}\n\
              X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\nX-MICROSOFT-CDO-INTENDEDSTATUS:OOF\nX-MICROSOFT-CDO-OWNERAPPTID:-7")),
            ("IPM.Schedule.Meeting.Canceled", format!("{start}\nSUMMARY:Off\n{PEOPLE}")),
            ("IPM.Schedule.Meeting.Resp.Pos", format!("{start}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:ada@example.com\nORGANIZER:mailto:dpark@example.com")),
            ("IPM.Schedule.Meeting.Resp.Tent", format!("{start}\nATTENDEE;PARTSTAT=TENTATIVE;CN=Ada:mailto:ada@example.com\nORGANIZER:mailto:dpark@example.com")),
            ("IPM.Schedule.Meeting.Resp.Neg", format!("{start}\nATTENDEE;PARTSTAT=DECLINED:mailto:ada@example.com\nORGANIZER:mailto:dpark@example.com")),
            ("IPM.Appointment", format!("{start}\nSUMMARY:{long}\nDESCRIPTION:a\\nb\nCLASS:PRIVATE\nTRANSP:TRANSPARENT\nCATEGORIES:food,f\\,un\n\
              BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT45M\nEND:VALARM")),
            ("IPM.Appointment", "UID:1\nDTSTART;VALUE=DATE:20060802\nDTEND;VALUE=DATE:20060804\nSUMMARY:Days".to_owned()),
            ("IPM.Appointment", "UID:1\nDTSTART;TZID=Europe/Berlin:20060802T000000\nDTEND;TZID=Europe/Berlin:20060803T000000\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE".to_owned()),
            ("IPM.Appointment", format!("{start}\nRECURRENCE-ID:20060802T173000Z\n{PEOPLE}")),
        ] {
            let first = item(class, &lines);
            let ics = render(&first, &CONTEXT).unwrap();
            assert!(ics.lines().all(|line| line.len() <= LINE_BYTES_MAX), "{ics}");
            let mut second = ItemContent::default();
            second.bag.set(tags::MESSAGE_CLASS, Value::text(class));
            apply(&ics, &mut second);
            let want = first.bag.clone();
            // An object without a stamp gets one.
            second.bag.put(lids::OWNER_CRITICAL_CHANGE, want.get(&lids::OWNER_CRITICAL_CHANGE).cloned());
            assert_eq!(second.bag, want, "{class}\n{ics}");
            assert_eq!(second.recipients, first.recipients, "{class}\n{ics}");
        }
    }

    #[test]
    fn other_items_have_none() {
        for class in ["IPM.Note", "IPM.Task", "IPM.Schedule.Meeting", "IPM.AppointmentX", ""] {
            let mut item = ItemContent::default();
            item.bag.set(tags::MESSAGE_CLASS, Value::text(class));
            assert_eq!(render(&item, &CONTEXT), None, "{class}");
        }
    }

    /// Whatever a property holds, it does not end its line.
    #[test]
    fn properties_stay_in_their_lines() {
        let mut item = item("IPM.Appointment", &format!("UID:1\n{PEOPLE}"));
        let evil = "x\r\nBEGIN:VALARM\u{0}\u{7}\"";
        for key in [tags::SUBJECT, lids::LOCATION, tags::BODY, tags::SENT_REPRESENTING_NAME] {
            item.bag.set(key, Value::text(evil));
        }
        item.bag.set(tags::SENT_REPRESENTING_SMTP_ADDRESS, Value::text("a@example.com\r\nX-EVIL:1"));
        let ics = render(&item, &CONTEXT).unwrap();
        assert!(ics.contains("\r\nSUMMARY:x\\nBEGIN:VALARM\"\r\n"), "{ics}");
        assert!(!ics.contains("\r\nBEGIN:VALARM") && !ics.contains("\r\nX-EVIL"), "{ics}");
    }
}
