//! Recurrence patterns of appointments and tasks, and what follows from them.

use mapi::recurrence::{AppointmentRecurrence, End, Pattern, Recurrence, Weekdays, day_of, time_of};
use model::{PropertyKey, Time, Value, lids, sets};
use xml::{Node, Writer};

use super::{Computed, Needs, Source, shown_with};
use crate::item::{Item, Place, Rendering};
use crate::patch::Step;
use crate::series::{Occurrence, Series};
use crate::{Failure, ResponseCode, Version, id};

/// `PidLidTaskRecurrence`, Binary.
const TASK_RECUR: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8116);
/// `PidLidTaskFRecurring`, Bool.
const TASK_RECURRING: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8126);
/// Deleted occurrences, or changed ones, that one item lists.
const LISTED_MAX: usize = 1_000;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const INDEXES: [&str; 5] = ["First", "Second", "Third", "Fourth", "Last"];
/// Days as sets: bit 0 is Sunday.
const DAYS: [(&str, Weekdays); 10] = [
    ("Sunday", Weekdays(1)),
    ("Monday", Weekdays(2)),
    ("Tuesday", Weekdays(4)),
    ("Wednesday", Weekdays(8)),
    ("Thursday", Weekdays(16)),
    ("Friday", Weekdays(32)),
    ("Saturday", Weekdays(64)),
    ("Day", Weekdays::ALL),
    ("Weekday", Weekdays::WORKING),
    ("WeekendDay", Weekdays::WEEKEND),
];

pub(super) const OF_CALENDAR: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| {
        if let Some(series) = Series::of(|key| item.value(key)) {
            write(out, element, &series.pattern.recurrence, rendering);
        }
    },
    needs: Needs::HEAVY,
    set: Some(|node| {
        let recurrence = read(node, "calendar:Recurrence")?;
        // The times of the day come from the item's start and end.
        let series = AppointmentRecurrence { recurrence, start_offset: 0, end_offset: 0, exceptions: Vec::new() };
        Ok(vec![
            Step::Put(lids::APPOINTMENT_RECUR, Value::binary(series.encode())),
            Step::Put(lids::RECURRING, Value::Bool(true)),
        ])
    }),
    keys: &[
        lids::APPOINTMENT_RECUR,
        lids::RECURRING,
        lids::RECURRENCE_TYPE,
        lids::CLIP_START,
        lids::CLIP_END,
        lids::TIME_ZONE_RECUR,
    ],
});
pub(super) const OF_TASK: Source = Source::Computed(Computed {
    write: |out, element, item, rendering| {
        let stored = item.value(&TASK_RECUR);
        if let Some(Ok(recurrence)) = stored.as_ref().and_then(Value::as_binary).map(|bytes| Recurrence::decode(bytes))
        {
            write(out, element, &recurrence, rendering);
        }
    },
    needs: Needs::HEAVY,
    set: Some(|node| {
        let recurrence = read(node, "task:Recurrence")?;
        Ok(vec![
            Step::Put(TASK_RECUR, Value::binary(recurrence.encode())),
            Step::Put(TASK_RECURRING, Value::Bool(true)),
        ])
    }),
    keys: &[TASK_RECUR, TASK_RECURRING],
});
pub(super) const FIRST: Source = shown_with(Needs::HEAVY, |out, element, item, rendering| {
    write_end(out, element, item, rendering, Series::first);
});
pub(super) const LAST: Source = shown_with(Needs::HEAVY, |out, element, item, rendering| {
    write_end(out, element, item, rendering, Series::last);
});
pub(super) const MODIFIED: Source = shown_with(Needs::HEAVY, |out, element, item, rendering| {
    let Some(series) = Series::of(|key| item.value(key)) else { return };
    let days = series.pattern.exceptions.iter().map(|one| one.original_start / mapi::recurrence::DAY_MINUTES);
    let changed: Vec<Occurrence> = days.filter_map(|day| series.on_day(day)).take(LISTED_MAX).collect();
    if !changed.is_empty() {
        out.scope(element, |out| {
            for one in &changed {
                out.scope("t:Occurrence", |out| write_occurrence(out, item.place, one, rendering));
            }
        });
    }
});
pub(super) const DELETED: Source = shown_with(Needs::HEAVY, |out, element, item, rendering| {
    let Some(series) = Series::of(|key| item.value(key)) else { return };
    let starts: Vec<Time> = series.deleted().take(LISTED_MAX).collect();
    if !starts.is_empty() {
        out.scope(element, |out| {
            for start in starts {
                let start = rendering.header.time(start);
                out.scope("t:DeletedOccurrence", |out| out.element("t:Start", &start));
            }
        });
    }
});

fn write_end(
    out: &mut Writer,
    element: &'static str,
    item: &Item<'_>,
    rendering: &Rendering<'_>,
    which: fn(&Series) -> Option<Occurrence>,
) {
    if let Some(found) = Series::of(|key| item.value(key)).and_then(|series| which(&series)) {
        out.scope(element, |out| write_occurrence(out, item.place, &found, rendering));
    }
}

/// The children of an `OccurrenceInfoType`.
fn write_occurrence(out: &mut Writer, place: Place, one: &Occurrence, rendering: &Rendering<'_>) {
    let Place { mailbox, folder, item, seq } = place;
    let key = id::change_key(id::CALENDAR_ITEM_OBJECT, mailbox, seq);
    id::write(out, "t:ItemId", &id::occurrence_id(mailbox, folder, item, one.day), Some(&key));
    out.element("t:Start", &rendering.header.time(one.start));
    out.element("t:End", &rendering.header.time(one.end));
    out.element("t:OriginalStart", &rendering.header.time(one.original_start));
}

/// Writes a pattern; nothing where EWS has no words for it.
fn write(out: &mut Writer, element: &'static str, recurrence: &Recurrence, rendering: &Rendering<'_>) {
    let Recurrence { pattern, start_day, .. } = *recurrence;
    let name = |days: Weekdays| DAYS.iter().find(|(_, set)| *set == days).map(|(name, _)| *name);
    if let Pattern::MonthlyNth { days, .. } = pattern
        && name(days).is_none()
    {
        return;
    }
    let yearly = |every: u32| recurrence.yearly && every == 12;
    let month = MONTHS.get(usize::from(time_of(start_day).civil().month) - 1).unwrap_or(&"January");
    out.start(element);
    if recurrence.regenerating {
        let (element, every) = match pattern {
            Pattern::Daily { every } => ("t:DailyRegeneration", every),
            Pattern::Weekly { every, .. } => ("t:WeeklyRegeneration", every),
            Pattern::Monthly { every, .. } | Pattern::MonthlyNth { every, .. }
                if recurrence.yearly && every.is_multiple_of(12) =>
            {
                ("t:YearlyRegeneration", every / 12)
            }
            Pattern::Monthly { every, .. } | Pattern::MonthlyNth { every, .. } => ("t:MonthlyRegeneration", every),
        };
        out.scope(element, |out| out.display("t:Interval", every));
    } else {
        match pattern {
            Pattern::Daily { every } => out.scope("t:DailyRecurrence", |out| out.display("t:Interval", every)),
            Pattern::Weekly { every, days } => out.scope("t:WeeklyRecurrence", |out| {
                out.display("t:Interval", every);
                let names: Vec<&str> =
                    DAYS.iter().zip(0..7).filter(|(_, at)| days.has(*at)).map(|((name, _), _)| *name).collect();
                out.element("t:DaysOfWeek", &names.join(" "));
                if rendering.header.version >= Version::V2010 {
                    let first = DAYS.get(usize::from(recurrence.first_weekday % 7)).map_or("Sunday", |(name, _)| name);
                    out.element("t:FirstDayOfWeek", first);
                }
            }),
            Pattern::Monthly { every, day } => {
                let is_yearly = yearly(every);
                out.scope(
                    if is_yearly { "t:AbsoluteYearlyRecurrence" } else { "t:AbsoluteMonthlyRecurrence" },
                    |out| {
                        if !is_yearly {
                            out.display("t:Interval", every);
                        }
                        out.display("t:DayOfMonth", day);
                        if is_yearly {
                            out.element("t:Month", month);
                        }
                    },
                );
            }
            Pattern::MonthlyNth { every, days, nth } => {
                let is_yearly = yearly(every);
                out.scope(
                    if is_yearly { "t:RelativeYearlyRecurrence" } else { "t:RelativeMonthlyRecurrence" },
                    |out| {
                        if !is_yearly {
                            out.display("t:Interval", every);
                        }
                        out.element("t:DaysOfWeek", name(days).unwrap_or("Day"));
                        out.element("t:DayOfWeekIndex", INDEXES.get(usize::from(nth) - 1).unwrap_or(&"Last"));
                        if is_yearly {
                            out.element("t:Month", month);
                        }
                    },
                );
            }
        }
    }
    let date = |day: u32| time_of(day).to_string().chars().take(10).chain(['Z']).collect::<String>();
    let range = match recurrence.end {
        End::Never => "t:NoEndRecurrence",
        End::Date => "t:EndDateRecurrence",
        End::Count(_) => "t:NumberedRecurrence",
    };
    out.scope(range, |out| {
        out.element("t:StartDate", &date(start_day));
        match recurrence.end {
            End::Never => {}
            End::Date => out.element("t:EndDate", &date(recurrence.end_day)),
            End::Count(count) => out.display("t:NumberOfOccurrences", count),
        }
    });
    out.end();
}

/// Reads a pattern with its range.
fn read(node: Node<'_>, uri: &'static str) -> Result<Recurrence, Failure> {
    read_parts(node).ok_or_else(|| Failure::field(ResponseCode::ErrorCalendarInvalidRecurrence, uri))
}

fn read_parts(node: Node<'_>) -> Option<Recurrence> {
    let (pattern, range) = (node.children().next()?, node.children().nth(1)?);
    let text = |node: Node<'_>, name: &str| node.child_local(name).map(|child| child.text().trim().to_owned());
    let number = |name: &str| text(pattern, name)?.parse::<u32>().ok();
    let day_of_month = || number("DayOfMonth").and_then(|day| u8::try_from(day).ok());
    let days = || {
        let names = text(pattern, "DaysOfWeek")?;
        names.split_ascii_whitespace().try_fold(Weekdays(0), |set, name| {
            let (_, more) = DAYS.iter().find(|(have, _)| *have == name)?;
            Some(Weekdays(set.0 | more.0))
        })
    };
    let place = |names: &[&str], name: &str| {
        let text = text(pattern, name)?;
        names.iter().position(|have| *have == text)
    };
    let nth = || place(&INDEXES, "DayOfWeekIndex").map(|at| at as u8 + 1);
    let date = |name: &str| {
        let text = text(range, name)?;
        Some(day_of(format!("{}T00:00:00Z", text.get(..10)?).parse().ok()?))
    };
    let start = date("StartDate")?;
    let from_month = |month: usize| first_of_month(start, month as u8 + 1);
    let (pattern_read, yearly, from, regenerating) = match pattern.local() {
        "DailyRecurrence" => (Pattern::Daily { every: number("Interval")? }, false, start, false),
        "WeeklyRecurrence" => (Pattern::Weekly { every: number("Interval")?, days: days()? }, false, start, false),
        "AbsoluteMonthlyRecurrence" => {
            (Pattern::Monthly { every: number("Interval")?, day: day_of_month()? }, false, start, false)
        }
        "RelativeMonthlyRecurrence" => {
            (Pattern::MonthlyNth { every: number("Interval")?, days: days()?, nth: nth()? }, false, start, false)
        }
        "AbsoluteYearlyRecurrence" => {
            let from = from_month(place(&MONTHS, "Month")?);
            (Pattern::Monthly { every: 12, day: day_of_month()? }, true, from, false)
        }
        "RelativeYearlyRecurrence" => {
            let from = from_month(place(&MONTHS, "Month")?);
            (Pattern::MonthlyNth { every: 12, days: days()?, nth: nth()? }, true, from, false)
        }
        "DailyRegeneration" => (Pattern::Daily { every: number("Interval")? }, false, start, true),
        "WeeklyRegeneration" => {
            let days = Weekdays(1 << ((start + 1) % 7));
            (Pattern::Weekly { every: number("Interval")?, days }, false, start, true)
        }
        "MonthlyRegeneration" => {
            let day = time_of(start).civil().day;
            (Pattern::Monthly { every: number("Interval")?, day }, false, start, true)
        }
        "YearlyRegeneration" => {
            let day = time_of(start).civil().day;
            (Pattern::Monthly { every: number("Interval")?.checked_mul(12)?, day }, true, start, true)
        }
        _ => return None,
    };
    let first_weekday = match text(pattern, "FirstDayOfWeek") {
        Some(name) => DAYS.iter().take(7).position(|(have, _)| *have == name)? as u8,
        None => 0,
    };
    let (end, end_day) = match range.local() {
        "NoEndRecurrence" => (End::Never, 0),
        "EndDateRecurrence" => (End::Date, date("EndDate")?),
        "NumberedRecurrence" => (End::Count(text(range, "NumberOfOccurrences")?.parse().ok()?), 0),
        _ => return None,
    };
    let made = Recurrence::new(pattern_read, yearly, first_weekday, from, end, end_day).ok()?;
    Some(Recurrence { regenerating, ..made })
}

/// The day itself where it is in that month, or else the first day of the next such month.
fn first_of_month(day: u32, month: u8) -> u32 {
    let civil = time_of(day).civil();
    if civil.month == month {
        return day;
    }
    let year = if civil.month < month { civil.year } else { civil.year + 1 };
    day_of(Time::from_date(year, month, 1))
}
