//! Recurrence rules of RFC 5545 as patterns, and back.
//!
//! A pattern says less than a rule may: one position in a month, one month of a year, whole days. What has no pattern
//! leaves the event without one.

use calcard::icalendar::{
    ICalendarDay, ICalendarFrequency as Frequency, ICalendarMonth, ICalendarProperty as Property,
    ICalendarRecurrenceRule as Rule, ICalendarValue, ICalendarWeekday,
};
use mapi::recurrence::{
    AppointmentRecurrence, DAY_MINUTES, EXCEPTIONS_MAX, End, Exception, OCCURRENCES_MAX, Pattern, Recurrence, Weekdays,
    day_of, minute_of, time_of,
};
use mapi::time_zone::TimeZone;
use model::{Bag, Time, Value, lids};

use super::Event;
use crate::{series, zone};

/// Occurrences of a rule with a number that are counted to find its end.
const COUNTED_MAX: usize = 20_000;
/// The days of the week as rules name them, from Sunday on.
const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];

const fn bit(day: ICalendarWeekday) -> u8 {
    1 << match day {
        ICalendarWeekday::Sunday => 0,
        ICalendarWeekday::Monday => 1,
        ICalendarWeekday::Tuesday => 2,
        ICalendarWeekday::Wednesday => 3,
        ICalendarWeekday::Thursday => 4,
        ICalendarWeekday::Friday => 5,
        ICalendarWeekday::Saturday => 6,
    }
}

fn days(list: &[ICalendarDay]) -> Weekdays {
    Weekdays(list.iter().fold(0, |bits, day| bits | bit(day.weekday)))
}

/// A position in a month: 1 to 4, or 5 for the last.
fn nth(number: i32) -> Option<u8> {
    match number {
        -1 | 5 => Some(5),
        1..=4 => u8::try_from(number).ok(),
        _ => None,
    }
}

/// The pattern of a rule for a series that begins on `start_day`, and whether it is yearly.
fn pattern(rule: &Rule, start_day: u32) -> Option<(Pattern, bool)> {
    let every = u32::from(rule.interval.unwrap_or(1).max(1));
    let finer = [rule.byhour.len(), rule.byminute.len(), rule.bysecond.len()].iter().any(|count| *count > 1);
    if finer || !rule.byyearday.is_empty() || !rule.byweekno.is_empty() || rule.rscale.is_some() {
        return None;
    }
    let of_months = |every: u32| match (rule.bymonthday.as_slice(), rule.byday.as_slice(), rule.bysetpos.as_slice()) {
        ([], [], []) => Some(Pattern::Monthly { every, day: time_of(start_day).civil().day }),
        ([-1], [], []) => Some(Pattern::Monthly { every, day: 31 }),
        // How the last of the days that a month has is written.
        ([28, .., last], [], [-1]) => Some(Pattern::Monthly { every, day: u8::try_from(*last).ok()? }),
        ([day], [], []) => Some(Pattern::Monthly { every, day: u8::try_from(*day).ok()? }),
        ([], [one], []) => Some(Pattern::MonthlyNth { every, days: days(&[*one]), nth: nth(i32::from(one.ordwk?))? }),
        ([], list, [place]) if list.iter().all(|day| day.ordwk.is_none()) => {
            Some(Pattern::MonthlyNth { every, days: days(list), nth: nth(*place)? })
        }
        _ => None,
    };
    match rule.freq {
        Frequency::Daily if rule.byday.is_empty() => Some((Pattern::Daily { every }, false)),
        Frequency::Daily if every == 1 => Some((Pattern::Weekly { every, days: days(&rule.byday) }, false)),
        Frequency::Weekly => {
            let own = Weekdays(1 << ((start_day + 1) % 7));
            let days = if rule.byday.is_empty() { own } else { days(&rule.byday) };
            Some((Pattern::Weekly { every, days }, false))
        }
        Frequency::Monthly if rule.bymonth.is_empty() => Some((of_months(every)?, false)),
        Frequency::Yearly => {
            let month = time_of(start_day).civil().month;
            let own = match rule.bymonth.as_slice() {
                // Positions then count in the year.
                [] => rule.byday.is_empty(),
                [one] => ICalendarMonth::month(one) == month,
                _ => false,
            };
            if own { Some((of_months(every.checked_mul(12)?)?, true)) } else { None }
        }
        _ => None,
    }
}

impl Event {
    /// Adds the series that the event is the master of: pattern, zone and exceptions.
    pub(super) fn series(&self, bag: &mut Bag) {
        let zone = self.entry(&Property::Dtstart).and_then(|entry| entry.tz_id()).and_then(zone::rules);
        if let Some(zone) = &zone {
            bag.set(lids::TIME_ZONE_START, Value::binary(zone.encode_definition()));
            bag.set(lids::TIME_ZONE_END, Value::binary(zone.encode_definition()));
        }
        let Some(start) = bag.get(&lids::START_WHOLE).and_then(Value::as_time) else { return };
        let zone = zone.unwrap_or_default();
        let Some(recurrence) = self.recurrence(&zone, start) else { return };
        let made = AppointmentRecurrence { recurrence, start_offset: 0, end_offset: 0, exceptions: Vec::new() };
        bag.set(lids::APPOINTMENT_RECUR, Value::binary(made.encode()));
        series::settle(bag, true);
        let Some(mut made) = series::Series::of(|key| bag.get(key).cloned()) else { return };
        let taken = self.component().into_iter().flat_map(|event| event.properties(&Property::Exdate));
        for entry in taken {
            for date in entry.values.iter().filter_map(ICalendarValue::as_partial_date_time).take(EXCEPTIONS_MAX) {
                if let Some(time) = super::zone::resolve(date, entry.tz_id(), &self.calendar) {
                    made.delete(day_of(zone.to_local(time)));
                }
            }
        }
        for exception in self.changed(&zone).take(EXCEPTIONS_MAX) {
            made.change(exception.original_start / DAY_MINUTES, exception);
        }
        bag.set(lids::APPOINTMENT_RECUR, Value::binary(made.pattern.encode()));
    }

    fn recurrence(&self, zone: &TimeZone, start: Time) -> Option<Recurrence> {
        let Some(ICalendarValue::RecurrenceRule(rule)) = self.entry(&Property::Rrule)?.values.first() else {
            return None;
        };
        let start_day = day_of(zone.to_local(start));
        let (pattern, yearly) = pattern(rule, start_day)?;
        let first = rule.wkst.map_or(1, |day| bit(day).trailing_zeros() as u8);
        let new = |end, end_day| Recurrence::new(pattern, yearly, first, start_day, end, end_day).ok();
        if let Some(until) = &rule.until {
            let until = super::zone::resolve(until, None, &self.calendar)?;
            return new(End::Date, day_of(zone.to_local(until)));
        }
        match rule.count {
            None => new(End::Never, 0),
            Some(count) if count <= OCCURRENCES_MAX => new(End::Count(count), 0),
            Some(count) => {
                let last = new(End::Never, 0)?.pattern_days().nth((count as usize).min(COUNTED_MAX) - 1)?;
                new(End::Date, last)
            }
        }
    }

    /// The events of the same object that stand for occurrences of this one.
    fn changed<'e>(&'e self, zone: &'e TimeZone) -> impl Iterator<Item = Exception> + 'e {
        let uid = self.text(&Property::Uid);
        let others = (0..self.calendar.components.len()).filter(|at| *at != self.at);
        others.filter_map(move |at| {
            let other = EventAt { event: self, at };
            let time = |property: &Property| other.time(property).map(|time| minute_of(zone.to_local(time)));
            if other.text(&Property::Uid) != uid {
                return None;
            }
            let original_start = time(&Property::RecurrenceId)?;
            let start = time(&Property::Dtstart).unwrap_or(original_start);
            let end = time(&Property::Dtend).unwrap_or(start).max(start);
            let own =
                |property: &Property| other.text(property).filter(|text| self.text(property).as_ref() != Some(text));
            let (subject, location) = (own(&Property::Summary), own(&Property::Location));
            Some(Exception { start, end, original_start, subject, location, ..Exception::default() })
        })
    }
}

/// Another component of the object of an event.
struct EventAt<'e> {
    event: &'e Event,
    at: usize,
}

impl EventAt<'_> {
    fn entry(&self, property: &Property) -> Option<&calcard::icalendar::ICalendarEntry> {
        self.event.calendar.components.get(self.at)?.property(property)
    }

    fn text(&self, property: &Property) -> Option<String> {
        let text = self.entry(property)?.values.first()?.as_text()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn time(&self, property: &Property) -> Option<Time> {
        let entry = self.entry(property)?;
        super::zone::resolve(entry.values.first()?.as_partial_date_time()?, entry.tz_id(), &self.event.calendar)
    }
}

/// The rule of a pattern, without its name. `until` writes the end of the last day.
pub(super) fn written(recurrence: &Recurrence, until: impl FnOnce(u32) -> Option<String>) -> String {
    let list = |days: Weekdays| {
        let names: Vec<&str> = DAYS.iter().zip(0..).filter(|(_, at)| days.has(*at)).map(|(name, _)| *name).collect();
        names.join(",")
    };
    let month = time_of(recurrence.start_day).civil().month;
    let months = |every: u32| match recurrence.yearly && every.is_multiple_of(12) {
        true => ("YEARLY", every / 12, format!(";BYMONTH={month}")),
        false => ("MONTHLY", every, String::new()),
    };
    let (frequency, every, rest) = match recurrence.pattern {
        Pattern::Daily { every } => ("DAILY", every, String::new()),
        Pattern::Weekly { every, days } => ("WEEKLY", every, format!(";BYDAY={}", list(days))),
        Pattern::Monthly { every, day } => {
            let (frequency, every, rest) = months(every);
            // Rules pass over the months that lack a day; patterns take their last one.
            let days = match day {
                31 => "-1".to_owned(),
                29 | 30 => {
                    format!("{};BYSETPOS=-1", (28..=day).map(|day| day.to_string()).collect::<Vec<_>>().join(","))
                }
                _ => day.to_string(),
            };
            (frequency, every, format!("{rest};BYMONTHDAY={days}"))
        }
        Pattern::MonthlyNth { every, days, nth } => {
            let (frequency, every, rest) = months(every);
            let place = if nth >= 5 { -1 } else { i32::from(nth) };
            (frequency, every, format!("{rest};BYDAY={};BYSETPOS={place}", list(days)))
        }
    };
    let mut text = format!("FREQ={frequency}");
    match recurrence.end {
        End::Never => {}
        End::Count(count) => text += &format!(";COUNT={count}"),
        End::Date => text += &until(recurrence.end_day).map(|until| format!(";UNTIL={until}")).unwrap_or_default(),
    }
    if every > 1 {
        text += &format!(";INTERVAL={every}");
    }
    let first = DAYS.get(usize::from(recurrence.first_weekday % 7)).unwrap_or(&"MO");
    text + &rest + &format!(";WKST={first}")
}

/// The offset of a bias: `+0100`.
pub(super) fn offset(bias: i32) -> String {
    let minutes = -bias;
    format!("{}{:02}{:02}", if minutes < 0 { '-' } else { '+' }, minutes.abs() / 60, minutes.abs() % 60)
}

/// The yearly rule of an onset, without its name.
pub(super) fn yearly(onset: mapi::time_zone::Onset) -> String {
    let day = DAYS.get(usize::from(onset.weekday % 7)).unwrap_or(&"SU");
    let place = if onset.day >= 5 { "-1".to_owned() } else { onset.day.to_string() };
    format!("FREQ=YEARLY;BYMONTH={};BYDAY={place}{day}", onset.month)
}

#[cfg(test)]
mod tests {
    use model::{ItemContent, tags};

    use super::*;
    use crate::calendar::{apply, render};
    use crate::series::Series;

    fn read(ics: &str) -> ItemContent {
        let mut item = ItemContent::default();
        apply(&ics.replace('\n', "\r\n"), &mut item);
        item
    }

    fn event(lines: &str) -> ItemContent {
        read(&format!("BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"))
    }

    fn series(item: &ItemContent) -> Option<Series> {
        Series::of(|key| item.bag.get(key).cloned())
    }

    fn starts(item: &ItemContent, count: usize) -> Vec<String> {
        let from = Time::from_date(1990, 1, 1);
        let all = series(item).unwrap().between(from, Time::from_date(2040, 1, 1));
        all.iter().take(count).map(|one| one.start.to_string()).collect()
    }

    const BERLIN: &str = "DTSTART;TZID=Europe/Berlin:20260323T090000\nDTEND;TZID=Europe/Berlin:20260323T100000\n";

    #[test]
    fn rules_become_patterns_and_come_back() {
        for (rule, expected) in [
            ("FREQ=DAILY;COUNT=3", &["2026-03-23T08:00:00Z", "2026-03-24T08:00:00Z", "2026-03-25T08:00:00Z"][..]),
            (
                "FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3",
                &["2026-03-23T08:00:00Z", "2026-03-25T08:00:00Z", "2026-03-30T07:00:00Z"],
            ),
            ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20260406T070000Z", &["2026-03-23T08:00:00Z", "2026-04-06T07:00:00Z"]),
            (
                "FREQ=DAILY;BYDAY=MO,TU;COUNT=3",
                &["2026-03-23T08:00:00Z", "2026-03-24T08:00:00Z", "2026-03-30T07:00:00Z"],
            ),
            ("FREQ=MONTHLY;COUNT=2", &["2026-03-23T08:00:00Z", "2026-04-23T07:00:00Z"]),
            ("FREQ=MONTHLY;BYDAY=4MO;COUNT=2", &["2026-03-23T08:00:00Z", "2026-04-27T07:00:00Z"]),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2",
                &["2026-03-31T07:00:00Z", "2026-04-30T07:00:00Z"],
            ),
            ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", &["2026-03-31T07:00:00Z", "2026-04-30T07:00:00Z"]),
            ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1;COUNT=2", &["2026-03-30T07:00:00Z", "2026-04-30T07:00:00Z"]),
            ("FREQ=YEARLY;COUNT=2", &["2026-03-23T08:00:00Z", "2027-03-23T08:00:00Z"]),
            ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;COUNT=2", &["2026-03-29T07:00:00Z", "2027-03-28T07:00:00Z"]),
        ] {
            let item = event(&format!("{BERLIN}RRULE:{rule}"));
            assert_eq!(starts(&item, 5), expected, "{rule}");
            let text = render(&item, &crate::message::Render { domain: "example.com" }).unwrap();
            let again = read(&text);
            assert_eq!(series(&again).map(|one| one.pattern), series(&item).map(|one| one.pattern), "{rule}\n{text}");
            assert_eq!(starts(&again, 5), expected, "{rule}\n{text}");
        }
    }

    #[test]
    fn what_has_no_pattern_is_kept_as_one_event() {
        for rule in [
            "FREQ=HOURLY",
            "FREQ=YEARLY;BYYEARDAY=100",
            "FREQ=MONTHLY;BYMONTHDAY=1,15",
            "FREQ=YEARLY;BYMONTH=1,7",
            "FREQ=DAILY;BYHOUR=9,12",
        ] {
            let item = event(&format!("{BERLIN}RRULE:{rule}"));
            assert_eq!(series(&item), None, "{rule}");
            assert_eq!(item.bag.get(&lids::RECURRING), Some(&Value::Bool(true)));
        }
    }

    #[test]
    fn exceptions_are_part_of_the_series() {
        let ics = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nSUMMARY:Course\nLOCATION:Room 1\n{BERLIN}RRULE:FREQ=DAILY;COUNT=4\n\
             EXDATE;TZID=Europe/Berlin:20260324T090000\nEND:VEVENT\nBEGIN:VEVENT\nUID:1\nRECURRENCE-ID;TZID=Europe/Berlin:20260325T090000\n\
             SUMMARY:Later ✓\nLOCATION:Room 1\nDTSTART;TZID=Europe/Berlin:20260325T150000\nDTEND;TZID=Europe/Berlin:20260325T160000\nEND:VEVENT\n\
             END:VCALENDAR\n"
        );
        let item = read(&ics);
        let text = render(&item, &crate::message::Render { domain: "example.com" }).unwrap();
        for item in [&item, &read(&text)] {
            assert_eq!(
                starts(item, 9),
                ["2026-03-23T08:00:00Z", "2026-03-25T14:00:00Z", "2026-03-26T08:00:00Z"],
                "{text}"
            );
            let changed = series(item).unwrap().exceptions().next().unwrap();
            assert_eq!(changed.value(&tags::SUBJECT), Some(Some(Value::text("Later ✓"))));
            assert_eq!(changed.exception.unwrap().location, None);
            assert_eq!(item.bag.text(&tags::SUBJECT), Some("Course"));
        }
        assert!(text.contains("BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\n"), "{text}");
    }

    #[test]
    fn whole_days_stay_whole() {
        let item = event(
            "DTSTART;VALUE=DATE:20260501\nDTEND;VALUE=DATE:20260502\nRRULE:FREQ=YEARLY;COUNT=2\nEXDATE;VALUE=DATE:20270501",
        );
        assert_eq!(starts(&item, 3), ["2026-05-01T00:00:00Z"]);
        let text = render(&item, &crate::message::Render { domain: "example.com" }).unwrap();
        assert!(
            text.contains("DTSTART;VALUE=DATE:20260501\r\n") && text.contains("EXDATE;VALUE=DATE:20270501"),
            "{text}"
        );
        assert_eq!(starts(&read(&text), 3), ["2026-05-01T00:00:00Z"]);
    }
}
