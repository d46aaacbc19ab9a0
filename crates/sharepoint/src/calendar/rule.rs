//! `RecurrenceData` and `XMLTZone` of calendar items as the pattern and the zone they mean. \[MS-OUTSPS 2.2.3\]

use mapi::{
    recurrence::{End, OCCURRENCES_MAX, Pattern, Recurrence, Weekdays, day_of},
    time_zone::{Onset, Rule, TimeZone},
};
use model::Time;
use xml::{Document, Limits, Node};

use crate::{fields::truth, value};

/// The days of a week as attributes name them; the place is the bit of [`Weekdays`].
const DAYS: [&str; 7] = ["su", "mo", "tu", "we", "th", "fr", "sa"];
/// Which of the weekdays of a month.
const PLACES: [&str; 5] = ["first", "second", "third", "fourth", "last"];
/// Occurrences of a pattern that says no end.
const NO_END: End = End::Never;

/// The pattern of a series that begins at a local time. `None` for what is no pattern.
pub(super) fn pattern(markup: &str, begins: Time) -> Option<Recurrence> {
    let document = Document::parse_fragment(markup, &Limits::DEFAULT).ok()?;
    let rule = document.root().child_local("recurrence")?.child_local("rule")?;
    let repeat = rule.child_local("repeat")?.children().next()?;
    let number = |name: &str| repeat.attribute(name).and_then(|text| text.trim().parse::<u32>().ok());
    let every = |name: &str| number(name).unwrap_or(1).max(1);
    let day = || number("day").and_then(|day| u8::try_from(day).ok());
    let mut from = day_of(begins);
    let (pattern, yearly) = match repeat.local() {
        "daily" if truth(repeat.attribute("weekday")) => (Pattern::Weekly { every: 1, days: Weekdays::WORKING }, false),
        "daily" => (Pattern::Daily { every: every("dayFrequency") }, false),
        "weekly" => (Pattern::Weekly { every: every("weekFrequency"), days: weekdays(repeat) }, false),
        "monthly" => (Pattern::Monthly { every: every("monthFrequency"), day: day()? }, false),
        "monthlyByDay" => {
            (Pattern::MonthlyNth { every: every("monthFrequency"), days: weekdays(repeat), nth: nth(repeat)? }, false)
        }
        "yearly" | "yearlyByDay" => {
            from = day_of(first_of_month(begins, number("month").and_then(|month| u8::try_from(month).ok())?)?);
            let every = every("yearFrequency").checked_mul(12)?;
            let pattern = match repeat.local() {
                "yearly" => Pattern::Monthly { every, day: day()? },
                _ => Pattern::MonthlyNth { every, days: weekdays(repeat), nth: nth(repeat)? },
            };
            (pattern, true)
        }
        _ => return None,
    };
    let text = |name: &str| rule.child_local(name).map(|node| node.text().trim().to_owned());
    let count = text("repeatInstances").and_then(|text| text.parse::<u32>().ok());
    let last = text("windowEnd").and_then(|text| value::time(&text)).map(day_of);
    let end = match (count, last) {
        (Some(count), _) => End::Count(count.clamp(1, OCCURRENCES_MAX)),
        (None, Some(_)) => End::Date,
        (None, None) => NO_END,
    };
    let first = text("firstDayOfWeek").unwrap_or_default();
    let first = DAYS.iter().position(|day| first.eq_ignore_ascii_case(day)).unwrap_or(0) as u8;
    Recurrence::new(pattern, yearly, first, from, end, last.unwrap_or(0)).ok()
}

fn weekdays(repeat: Node<'_>) -> Weekdays {
    let has = |name: &str| truth(repeat.attribute(name));
    let mut bits = 0;
    for (bit, name) in DAYS.iter().enumerate() {
        bits |= u8::from(has(name)) << bit;
    }
    for (name, days) in [("day", Weekdays::ALL), ("weekday", Weekdays::WORKING), ("weekend_day", Weekdays::WEEKEND)] {
        bits |= if has(name) { days.0 } else { 0 };
    }
    Weekdays(bits)
}

fn nth(repeat: Node<'_>) -> Option<u8> {
    let place = repeat.attribute("weekdayOfMonth")?;
    PLACES.iter().position(|name| place.eq_ignore_ascii_case(name)).map(|at| at as u8 + 1)
}

/// The time itself where it lies in the month, else the first day of the next such month.
fn first_of_month(begins: Time, month: u8) -> Option<Time> {
    let at = begins.civil();
    if !(1..=12).contains(&month) {
        return None;
    }
    Some(match at.month.cmp(&month) {
        std::cmp::Ordering::Equal => begins,
        std::cmp::Ordering::Less => Time::from_date(at.year, month, 1),
        std::cmp::Ordering::Greater => Time::from_date(at.year + 1, month, 1),
    })
}

/// The zone that `XMLTZone` describes; UTC for what is no zone.
pub(super) fn zone(markup: &str) -> TimeZone {
    let read = || {
        let document = Document::parse_fragment(markup, &Limits::DEFAULT).ok()?;
        let rule = document.root().child_local("timeZoneRule")?;
        let minutes = |name: &str| rule.child_local(name)?.text().trim().parse::<i32>().ok();
        let onset = |name: &str| rule.child_local(name).and_then(onset).unwrap_or_default();
        let daylight_bias = minutes("additionalDaylightBias").unwrap_or(0);
        let (standard, daylight) = (onset("standardDate"), onset("daylightDate"));
        let rule = Rule { bias: minutes("standardBias")?, daylight_bias, standard, daylight, ..Rule::default() };
        Some(TimeZone { key_name: String::new(), rules: vec![rule] })
    };
    read().unwrap_or_default()
}

/// When one half of a year begins: the weekday of a month, or a date of it.
fn onset(date: Node<'_>) -> Option<Onset> {
    let rule = date.child_local("transitionRule")?;
    let number = |name: &str| rule.attribute(name).and_then(|text| text.trim().parse::<u16>().ok());
    let weekday = rule.attribute("day").and_then(|day| DAYS.iter().position(|own| day.eq_ignore_ascii_case(own)))?;
    let time = date.child_local("transitionTime").map(|node| node.text().into_owned()).unwrap_or_default();
    let mut parts = time.split(':').map(|part| part.trim().parse::<u16>().unwrap_or(0));
    Some(Onset {
        year: 0,
        month: number("month")?,
        weekday: weekday as u16,
        day: u16::from(nth(rule)?),
        hour: parts.next().unwrap_or(0),
        minute: parts.next().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(repeat: &str, ends: &str, begins: &str) -> Vec<String> {
        let markup = format!(
            "<recurrence><rule><firstDayOfWeek>su</firstDayOfWeek><repeat>{repeat}</repeat>{ends}</rule></recurrence>"
        );
        let pattern = pattern(&markup, begins.parse().unwrap()).unwrap();
        let date = |day: u32| mapi::recurrence::time_of(day).to_string()[..10].to_owned();
        pattern.pattern_days().take(4).map(date).collect()
    }

    #[test]
    fn patterns_have_their_days() {
        let forever = "<repeatForever>FALSE</repeatForever>";
        for (repeat, ends, begins, expected) in [
            ("<daily dayFrequency='2'/>", forever, "2026-03-04T10:00:00Z", "04 06 08 10"),
            ("<daily weekday='TRUE'/>", forever, "2026-03-06T10:00:00Z", "06 09 10 11"),
            ("<weekly mo='TRUE' th=\"TRUE\" weekFrequency='2'/>", forever, "2026-03-02T10:00:00Z", "02 05 16 19"),
            ("<monthly monthFrequency='1' day='31'/>", forever, "2026-01-31T10:00:00Z", "31 28 31 30"),
            (
                "<monthlyByDay fr='TRUE' weekdayOfMonth='last' monthFrequency='1'/>",
                forever,
                "2026-01-01T10:00:00Z",
                "30 27 27 24",
            ),
            (
                "<monthlyByDay weekday='TRUE' weekdayOfMonth='first' monthFrequency='1'/>",
                forever,
                "2026-01-01T10:00:00Z",
                "01 02 02 01",
            ),
            ("<yearly yearFrequency='1' month='5' day='4'/>", forever, "2026-03-01T10:00:00Z", "04 04 04 04"),
            (
                "<yearlyByDay yearFrequency='1' month='11' th='TRUE' weekdayOfMonth='fourth'/>",
                forever,
                "2026-01-01T10:00:00Z",
                "26 25 23 22",
            ),
            ("<daily dayFrequency='1'/>", "<repeatInstances>2</repeatInstances>", "2026-03-04T10:00:00Z", "04 05"),
            (
                "<daily dayFrequency='1'/>",
                "<windowEnd>2026-03-06T00:00:00Z</windowEnd>",
                "2026-03-04T10:00:00Z",
                "04 05 06",
            ),
        ] {
            let found = days(repeat, ends, begins);
            let found: Vec<&str> = found.iter().map(|date| &date[8..]).collect();
            assert_eq!(found.join(" "), expected, "{repeat}");
        }
        for bad in
            ["", "<recurrence/>", "<recurrence><rule><repeat><hourly/></repeat></rule></recurrence>", "<recurrence"]
        {
            assert!(pattern(bad, Time(0)).is_none(), "{bad}");
        }
    }

    #[test]
    fn zones_have_their_halves() {
        let zone = zone(
            "<timeZoneRule><standardBias>480</standardBias><additionalDaylightBias>-60</additionalDaylightBias>\
             <standardDate><transitionRule month='11' day='su' weekdayOfMonth='first'/><transitionTime>2:0:0</transitionTime>\
             </standardDate><daylightDate><transitionRule month='3' day='su' weekdayOfMonth='second'/>\
             <transitionTime>2:0:0</transitionTime></daylightDate></timeZoneRule>",
        );
        for (local, utc) in
            [("2026-01-05T10:00:00Z", "2026-01-05T18:00:00Z"), ("2026-07-05T10:00:00Z", "2026-07-05T17:00:00Z")]
        {
            let (local, utc): (Time, Time) = (local.parse().unwrap(), utc.parse().unwrap());
            assert_eq!((zone.to_utc(local), zone.to_local(utc)), (utc, local));
        }
        assert_eq!(super::zone("nonsense"), TimeZone::default());
    }
}
