//! Local times of an iCalendar object to UTC. A zone is known by its IANA or Windows name; if it is not, the rules
//! that the object carries decide.

use std::{str::FromStr, sync::LazyLock};

use calcard::{
    common::{PartialDateTime, timezone::Tz},
    icalendar::{
        ICalendar, ICalendarComponent, ICalendarComponentType as Component, ICalendarFrequency,
        ICalendarProperty as Property, ICalendarValue, ICalendarWeekday,
    },
};
use jiff::{
    civil::{Date, DateTime, Weekday},
    tz::{Offset, TimeZone, TimeZoneDatabase},
};
use model::Time;

use crate::contained;

/// The zone table inside the program.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
/// Rules of one zone that are looked at.
const OBSERVANCES_MAX: usize = 200;

/// The point in time of `date` in the zone `id`. Times without a zone are in the zone of the calendar as a whole
/// (`X-WR-TIMEZONE`), or else in UTC; dates are their midnight.
pub(super) fn resolve(date: &PartialDateTime, id: Option<&str>, calendar: &ICalendar) -> Option<Time> {
    let day = Date::new(i16::try_from(date.year?).ok()?, date.month?.cast_signed(), date.day?.cast_signed()).ok()?;
    let part = |part: Option<u8>, max: u8| part.unwrap_or(0).min(max).cast_signed();
    let local = day.at(part(date.hour, 23), part(date.minute, 59), part(date.second, 59), 0);
    if date.tz_hour.is_some() {
        return at_offset(local, offset_of(date)?);
    }
    let Some(id) = id.or_else(|| default_zone(calendar)) else {
        return at_offset(local, 0);
    };
    let zone = named(id, calendar);
    // A mere offset in a name knows nothing of summer time; a definition does.
    if let Some(zone) = zone.as_ref().filter(|zone| is_place(zone)) {
        return at_zone(local, zone);
    }
    let definition = calendar.timezones().find(|zone| text(zone, &Property::Tzid) == Some(id));
    match (definition.and_then(|zone| offset_at(local, zone, calendar)), zone) {
        (Some(offset), _) => at_offset(local, offset),
        (None, Some(zone)) => at_zone(local, &zone),
        (None, None) => at_offset(local, 0),
    }
}

fn is_place(zone: &TimeZone) -> bool {
    zone.iana_name().is_some_and(|name| !name.starts_with("Etc/GMT"))
}

fn at_zone(local: DateTime, zone: &TimeZone) -> Option<Time> {
    zone.to_timestamp(local).ok().map(|stamp| Time::from_unix(stamp.as_second()))
}

fn at_offset(local: DateTime, offset_seconds: i32) -> Option<Time> {
    let offset = Offset::from_seconds(offset_seconds).ok()?;
    offset.to_timestamp(local).ok().map(|stamp| Time::from_unix(stamp.as_second()))
}

fn default_zone(calendar: &ICalendar) -> Option<&str> {
    let root = calendar.components.first()?;
    let entry = root
        .entries
        .iter()
        .find(|entry| matches!(&entry.name, Property::Other(name) if name.eq_ignore_ascii_case("X-WR-TIMEZONE")))?;
    entry.values.first()?.as_text()
}

/// A zone by its own name, or by a well-known name that its definition gives.
fn named(id: &str, calendar: &ICalendar) -> Option<TimeZone> {
    let known = contained(|| Tz::from_str(id).ok()).flatten().or_else(|| {
        let mut zones = calendar.timezones().filter_map(ICalendarComponent::timezone);
        contained(|| zones.find(|(name, _)| *name == id).map(|(_, zone)| zone)).flatten()
    })?;
    match known {
        Tz::Floating => None,
        Tz::Fixed(offset) => Offset::from_seconds(offset.local_minus_utc()).ok().map(TimeZone::fixed),
        Tz::Tz(_) => ZONES.get(&known.name()?).ok(),
    }
}

/// One half of the year of a zone.
struct Observance {
    /// The first time it began, in local time.
    start: DateTime,
    /// The year, month, weekday and number in the month (negative: from the end) on which it begins again.
    again: Option<(i8, Weekday, i8)>,
    /// The local time after which it begins no more.
    until: Option<DateTime>,
    from_seconds: i32,
    to_seconds: i32,
}

/// The offset from UTC in seconds at a local time, by the rules of the definition.
fn offset_at(local: DateTime, zone: &ICalendarComponent, calendar: &ICalendar) -> Option<i32> {
    let observances: Vec<Observance> = zone
        .component_ids
        .iter()
        .take(OBSERVANCES_MAX)
        .filter_map(|id| calendar.component_by_id(*id))
        .filter(|component| matches!(component.component_type, Component::Standard | Component::Daylight))
        .filter_map(observance)
        .collect();
    let latest = observances
        .iter()
        .filter_map(|observance| Some((observance.last_onset(local)?, observance.to_seconds)))
        .max_by_key(|(onset, _)| *onset);
    let earliest = observances.iter().min_by_key(|observance| observance.start);
    latest.map(|(_, to)| to).or_else(|| earliest.map(|observance| observance.from_seconds))
}

impl Observance {
    /// The last time at or before `local` at which it began.
    fn last_onset(&self, local: DateTime) -> Option<DateTime> {
        let again = self.again.and_then(|(month, weekday, number)| {
            let limit = self.until.map_or(local, |until| until.min(local));
            let onset = |year: i16| {
                let day = Date::new(year, month, 1).ok()?.nth_weekday_of_month(number, weekday).ok()?;
                Some(day.to_datetime(self.start.time()))
            };
            let mut onsets = [limit.year(), limit.year().saturating_sub(1)].into_iter().filter_map(onset);
            onsets.find(|onset| *onset <= limit && *onset >= self.start)
        });
        again.or_else(|| (self.start <= local).then_some(self.start))
    }
}

fn observance(component: &ICalendarComponent) -> Option<Observance> {
    let value = |property| component.property(property).and_then(|entry| entry.values.first());
    let offset = |property| value(property).and_then(ICalendarValue::as_partial_date_time).and_then(offset_of);
    let start = civil(value(&Property::Dtstart)?.as_partial_date_time()?)?;
    let to_seconds = offset(&Property::Tzoffsetto)?;
    let (mut again, mut until) = (None, None);
    if let Some(ICalendarValue::RecurrenceRule(rule)) = value(&Property::Rrule)
        && rule.freq == ICalendarFrequency::Yearly
        && let (Some(month), Some(day)) = (rule.bymonth.first(), rule.byday.first())
    {
        let number = day.ordwk.and_then(|number| i8::try_from(number).ok()).unwrap_or(1);
        again = Some((month.month().cast_signed(), weekday(day.weekday), number));
        until = rule.until.as_ref().and_then(civil);
    }
    let from_seconds = offset(&Property::Tzoffsetfrom).unwrap_or(to_seconds);
    Some(Observance { start, again, until, from_seconds, to_seconds })
}

const fn weekday(day: ICalendarWeekday) -> Weekday {
    match day {
        ICalendarWeekday::Sunday => Weekday::Sunday,
        ICalendarWeekday::Monday => Weekday::Monday,
        ICalendarWeekday::Tuesday => Weekday::Tuesday,
        ICalendarWeekday::Wednesday => Weekday::Wednesday,
        ICalendarWeekday::Thursday => Weekday::Thursday,
        ICalendarWeekday::Friday => Weekday::Friday,
        ICalendarWeekday::Saturday => Weekday::Saturday,
    }
}

fn civil(date: &PartialDateTime) -> Option<DateTime> {
    let day = Date::new(i16::try_from(date.year?).ok()?, date.month?.cast_signed(), date.day?.cast_signed()).ok()?;
    let time = |part: Option<u8>| i8::try_from(part.unwrap_or(0)).ok();
    let time = jiff::civil::Time::new(time(date.hour)?, time(date.minute)?, time(date.second)?.min(59), 0).ok()?;
    Some(day.to_datetime(time))
}

/// The offset from UTC in seconds that stands in a value.
fn offset_of(value: &PartialDateTime) -> Option<i32> {
    let seconds = i32::from(value.tz_hour?) * 3_600 + i32::from(value.tz_minute.unwrap_or(0)) * 60;
    Some(if value.tz_minus { -seconds } else { seconds })
}

fn text<'c>(component: &'c ICalendarComponent, property: &Property) -> Option<&'c str> {
    component.property(property)?.values.first()?.as_text()
}
