//! Time zones by name, as the rules that appointments carry.

use std::{str::FromStr, sync::LazyLock};

use calcard::common::timezone::Tz;
use jiff::{Timestamp, civil::Date, tz};
use mapi::time_zone::{Onset, Rule, TimeZone};

use crate::contained;

/// The zone table inside the program.
static ZONES: LazyLock<tz::TimeZoneDatabase> = LazyLock::new(tz::TimeZoneDatabase::bundled);
/// Years whose transitions become rules; the first rule also holds before, the last one after.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2037;

/// The zone of that name in Windows' or in IANA's table, with its rules. Costs the transitions of some seventy years.
pub fn rules(name: &str) -> Option<TimeZone> {
    let known = contained(|| Tz::from_str(name).ok()).flatten()?;
    let zone = match known {
        Tz::Floating => return None,
        Tz::Fixed(offset) => tz::TimeZone::fixed(tz::Offset::from_seconds(offset.local_minus_utc()).ok()?),
        Tz::Tz(_) => ZONES.get(&known.name()?).ok()?,
    };
    let years: Vec<Year> = YEARS.filter_map(|year| Year::of(&zone, year)).collect();
    let mut rules: Vec<Rule> = Vec::new();
    for (at, year) in years.iter().enumerate() {
        let rule = year.rule(&years, at);
        let same = |last: &Rule| Rule { year: 0, ..*last } == Rule { year: 0, ..rule };
        if !rules.last().is_some_and(same) {
            rules.push(rule);
        }
    }
    rules.first_mut()?.year = 1601;
    rules.last_mut()?.current = true;
    Some(TimeZone { key_name: name.to_owned(), rules })
}

/// What a zone does in a year.
struct Year {
    year: i16,
    /// Minutes east of UTC.
    standard: i32,
    /// The same in summer, and when both begin in local time; `None` where the clock stays.
    summer: Option<(i32, Change, Change)>,
}

/// A change of the clock, in the local time before it.
#[derive(Clone, Copy)]
struct Change {
    date: Date,
    hour: i8,
    minute: i8,
}

impl Year {
    fn of(zone: &tz::TimeZone, year: i16) -> Option<Self> {
        let start = |year| Date::new(year, 1, 1).ok()?.to_zoned(tz::TimeZone::UTC).ok().map(|start| start.timestamp());
        let (from, to) = (start(year)?, start(year + 1)?);
        let offset_at = |at: Timestamp| zone.to_offset_info(at).offset().seconds() / 60;
        let changes: Vec<(Timestamp, i32)> = zone
            .following(from.checked_sub(jiff::Span::new().seconds(1)).ok()?)
            .take_while(|change| change.timestamp() < to)
            .map(|change| (change.timestamp(), change.offset().seconds() / 60))
            .take(4)
            .collect();
        let before = offset_at(from.checked_sub(jiff::Span::new().seconds(1)).ok()?);
        let middle = offset_at(from.checked_add(jiff::Span::new().hours(24 * 182)).ok()?);
        // More changes in a year, or one that is never undone, cannot be said; the middle of the year decides then.
        let [(first_at, first), (second_at, second)] = changes[..] else {
            return Some(Self { year, standard: middle, summer: None });
        };
        if first == second || second != before {
            return Some(Self { year, standard: middle, summer: None });
        }
        let (up, down) = (Change::at(first_at, before)?, Change::at(second_at, first)?);
        Some(if first > second {
            Self { year, standard: second, summer: Some((first, up, down)) }
        } else {
            Self { year, standard: first, summer: Some((second, down, up)) }
        })
    }

    fn rule(&self, years: &[Self], at: usize) -> Rule {
        let base = Rule { year: self.year.unsigned_abs(), bias: -self.standard, ..Rule::default() };
        let Some((summer, begins, ends)) = &self.summer else { return base };
        // In years of the same rule, whether the weekday is counted from the end of the month shows.
        let around = || {
            let near = years.iter().skip(at.saturating_sub(6)).take(13);
            near.filter_map(|year| year.summer.as_ref().map(|(_, begins, ends)| (*begins, *ends)))
        };
        Rule {
            daylight_bias: self.standard - summer,
            daylight: begins.onset(around().map(|(begins, _)| begins)),
            standard: ends.onset(around().map(|(_, ends)| ends)),
            ..base
        }
    }
}

impl Change {
    fn at(at: Timestamp, offset_minutes: i32) -> Option<Self> {
        let local = at.checked_add(jiff::Span::new().minutes(offset_minutes)).ok()?.to_zoned(tz::TimeZone::UTC);
        Some(Self { date: local.date(), hour: local.hour(), minute: local.minute() })
    }

    fn number(self) -> i8 {
        (self.date.day() - 1) / 7 + 1
    }

    fn is_last(self) -> bool {
        self.date.day() + 7 > self.date.days_in_month()
    }

    fn onset(self, around: impl Iterator<Item = Self>) -> Onset {
        let same = |other: &Self| {
            (other.date.month(), other.date.weekday(), other.hour, other.minute)
                == (self.date.month(), self.date.weekday(), self.hour, self.minute)
        };
        let day = match self.is_last() {
            false => self.number(),
            true if self.number() == 5 || around.filter(same).all(Self::is_last) => 5,
            true => self.number(),
        };
        Onset {
            year: 0,
            month: self.date.month().unsigned_abs().into(),
            weekday: self.date.weekday().to_sunday_zero_offset().unsigned_abs().into(),
            day: day.unsigned_abs().into(),
            hour: self.hour.unsigned_abs().into(),
            minute: self.minute.unsigned_abs().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_well_known_zones() {
        let berlin = rules("W. Europe Standard Time").unwrap();
        assert_eq!(berlin.key_name, "W. Europe Standard Time");
        let rule = berlin.current().unwrap();
        assert_eq!((rule.bias, rule.daylight_bias, rule.standard_bias), (-60, -60, 0));
        assert_eq!(rule.daylight, Onset { year: 0, month: 3, weekday: 0, day: 5, hour: 2, minute: 0 });
        assert_eq!(rule.standard, Onset { year: 0, month: 10, weekday: 0, day: 5, hour: 3, minute: 0 });
        let pacific = rules("America/Los_Angeles").unwrap();
        let rule = pacific.current().unwrap();
        assert_eq!((rule.bias, rule.year), (480, 2007));
        assert_eq!(rule.daylight, Onset { year: 0, month: 3, weekday: 0, day: 2, hour: 2, minute: 0 });
        assert_eq!(rule.standard, Onset { year: 0, month: 11, weekday: 0, day: 1, hour: 2, minute: 0 });
        for (name, bias) in [("UTC", 0), ("Tokyo Standard Time", -540), ("India Standard Time", -330)] {
            let zone = rules(name).unwrap();
            assert_eq!(zone.current().map(|rule| (rule.bias, rule.daylight.month)), Some((bias, 0)), "{name}");
        }
        assert_eq!(rules("Nowhere Standard Time"), None);
    }

    /// The rules agree with the table they come from, at every noon of many years.
    #[test]
    fn rules_agree_with_the_table() {
        for name in [
            "W. Europe Standard Time",
            "Pacific Standard Time",
            "AUS Eastern Standard Time",
            "GMT Standard Time",
            "New Zealand Standard Time",
            "India Standard Time",
            "Asia/Shanghai",
        ] {
            let zone = rules(name).unwrap();
            let table = ZONES.get(&Tz::from_str(name).unwrap().name().unwrap()).unwrap();
            let mut day = Date::constant(2008, 1, 1).at(12, 0, 0, 0);
            for _ in 0..9_000 {
                let utc = table.to_timestamp(day).unwrap().as_second();
                let local = day.to_zoned(tz::TimeZone::UTC).unwrap().timestamp().as_second();
                assert_eq!(zone.to_utc(model::Time::from_unix(local)).to_unix(), utc, "{name} {day}");
                assert_eq!(zone.to_local(model::Time::from_unix(utc)).to_unix(), local, "{name} {day}");
                day = day.tomorrow().unwrap();
            }
        }
    }
}
