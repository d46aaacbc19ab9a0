use model::Time;
use proptest::prelude::*;

use super::*;

/// MS-OXOCAL 4.1.1.1: Mondays, Thursdays and Fridays from 2007-03-26, 10:00 to 10:30, twelve times.
const WEEKLY: &str = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000000000000000000008020BC0C20ADBC0C0630000009300000580200007602000000000000000000000000";
/// MS-OXOCAL 4.1.1.2: the same with one changed occurrence.
const WEEKLY_CHANGED: &str = "043004300B2001000000C0210000010000000000000032000000222000000C0000000000000001000000A096BC0C01000000A096BC0C8020BC0C20ADBC0C0630000009300000580200007602000001003499BC0C5299BC0CF898BC0C11002200210053696D706C6520526563757272656E6365207769746820657863657074696F6E730800070033342F34313431000000000400000000000000000000003499BC0C5299BC0CF898BC0C2100530069006D0070006C006500200052006500630075007200720065006E006300650020007700690074006800200065007800630065007000740069006F006E0073000700330034002F0034003100340031000000000000000000";
/// MS-OXOCAL 4.1.1.3: every three days to an end date, two taken away.
const DAILY: &str = "043004300A2000000000A0050000E010000000000000212000000A0000000000000002000000A0C1DC0C80D2DC0C00000000207EDC0C0016DD0C0630000009300000E0010000FE01000000000000000000000000";
/// MS-OXOCAL 4.1.1.6: a Hebrew year.
const HEBREW: &str = "043004300D200200080080750A000C0000000000000003000000232000000A0000000000000001000000207EDC0C01000000207EDC0C6074C40CDF80E95A0630000009300000E0010000FE01000001000080DC0C1E80DC0C0080DC0C24023C000000010000000000000004000000000000000000000000000000";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn day(year: i64, month: u8, day: u8) -> u32 {
    day_of(Time::from_date(year, month, day))
}

fn dates(recurrence: &Recurrence, limit: usize) -> Vec<String> {
    recurrence.pattern_days().take(limit).map(|day| time_of(day).to_string()[..10].to_owned()).collect()
}

#[test]
fn published_examples_are_read_and_written_back() {
    for text in [WEEKLY, WEEKLY_CHANGED, DAILY] {
        let read = AppointmentRecurrence::decode(&bytes(text)).unwrap();
        assert_eq!(read.encode(), bytes(text));
        assert_eq!(Recurrence::decode(&bytes(text)).unwrap(), read.recurrence);
    }
    assert_eq!(AppointmentRecurrence::decode(&bytes(HEBREW)), Err(RecurrenceError::Invalid("calendar")));
}

#[test]
fn a_weekly_series() {
    let read = AppointmentRecurrence::decode(&bytes(WEEKLY)).unwrap();
    assert_eq!((read.start_offset, read.end_offset), (600, 630));
    assert_eq!(
        dates(&read.recurrence, 20),
        [
            "2007-03-26",
            "2007-03-29",
            "2007-03-30",
            "2007-04-02",
            "2007-04-05",
            "2007-04-06",
            "2007-04-09",
            "2007-04-12",
            "2007-04-13",
            "2007-04-16",
            "2007-04-19",
            "2007-04-20"
        ]
    );
    let Recurrence { pattern, first_weekday, end, .. } = read.recurrence;
    assert_eq!(pattern, Pattern::Weekly { every: 1, days: Weekdays(0x32) });
    let made = Recurrence::new(pattern, false, first_weekday, day(2007, 3, 26), end, 0).unwrap();
    assert_eq!(AppointmentRecurrence { recurrence: made, ..read }.encode(), bytes(WEEKLY));
}

#[test]
fn a_changed_occurrence() {
    let read = AppointmentRecurrence::decode(&bytes(WEEKLY_CHANGED)).unwrap();
    let [exception] = read.exceptions.as_slice() else { panic!("one exception") };
    assert_eq!(minute_time(exception.original_start).to_string(), "2007-04-16T10:00:00Z");
    assert_eq!(minute_time(exception.start).to_string(), "2007-04-16T11:00:00Z");
    assert_eq!(minute_time(exception.end).to_string(), "2007-04-16T11:30:00Z");
    assert_eq!(exception.subject.as_deref(), Some("Simple Recurrence with exceptions"));
    assert_eq!(exception.location.as_deref(), Some("34/4141"));
    assert_eq!(read.recurrence.deleted_days, [day(2007, 4, 16)]);
    assert_eq!(read.recurrence.modified_days, [day(2007, 4, 16)]);
}

#[test]
fn texts_beyond_one_byte_survive() {
    let mut series = AppointmentRecurrence::decode(&bytes(WEEKLY)).unwrap();
    series.exceptions.push(Exception { subject: Some("Besprechung 会議 🌊".into()), ..Exception::default() });
    assert_eq!(AppointmentRecurrence::decode(&series.encode()).unwrap(), series);
}

#[test]
fn months() {
    let monthly = |every, day| Pattern::Monthly { every, day };
    let cases: &[(Pattern, u32, &[&str])] = &[
        (monthly(1, 31), day(2024, 1, 15), &["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        (monthly(12, 29), day(2024, 2, 29), &["2024-02-29", "2025-02-28", "2026-02-28"]),
        (monthly(5, 1), day(2024, 11, 2), &["2025-04-01", "2025-09-01"]),
        (
            Pattern::MonthlyNth { every: 1, days: Weekdays(1 << 5), nth: 5 },
            day(2026, 1, 1),
            &["2026-01-30", "2026-02-27", "2026-03-27"],
        ),
        (
            Pattern::MonthlyNth { every: 12, days: Weekdays::WORKING, nth: 1 },
            day(2026, 8, 1),
            &["2026-08-03", "2027-08-02"],
        ),
    ];
    for (pattern, from, expected) in cases {
        let made = Recurrence::new(*pattern, false, 0, *from, End::Never, 0).unwrap();
        assert_eq!(dates(&made, expected.len()), *expected, "{pattern:?}");
    }
}

#[test]
fn what_means_nothing_is_refused() {
    let new = |pattern, end, end_day| Recurrence::new(pattern, false, 0, 150_000, end, end_day);
    let daily = Pattern::Daily { every: 1 };
    assert_eq!(new(Pattern::Daily { every: 0 }, End::Never, 0), Err(RecurrenceError::Invalid("interval")));
    assert!(new(Pattern::Weekly { every: 1, days: Weekdays(0) }, End::Never, 0).is_err());
    assert!(new(Pattern::Monthly { every: 1, day: 32 }, End::Never, 0).is_err());
    assert!(new(Pattern::MonthlyNth { every: 1, days: Weekdays::ALL, nth: 6 }, End::Never, 0).is_err());
    assert!(new(daily, End::Date, 149_999).is_err());
    assert!(new(daily, End::Count(0), 0).is_err());
    assert!(new(daily, End::Count(OCCURRENCES_MAX + 1), 0).is_err());
    assert!(new(Pattern::Daily { every: u32::MAX }, End::Count(2), 0).is_err());
    for text in [WEEKLY_CHANGED, DAILY] {
        let whole = bytes(text);
        for cut in 0..66 {
            assert_eq!(AppointmentRecurrence::decode(&whole[..cut]), Err(RecurrenceError::Truncated));
        }
    }
    let mut many = bytes(WEEKLY);
    many[38..42].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(Recurrence::decode(&many), Err(RecurrenceError::TooMany("deleted occurrences")));
}

/// The definition of a pattern, one day at a time.
fn holds(recurrence: &Recurrence, first: u32, at: u32) -> bool {
    let (year, month, in_month, length) = parts(at);
    let (first_year, first_month, ..) = parts(first);
    let months = (year - first_year) * 12 + i64::from(month) - i64::from(first_month);
    let weekday = ((at + 1) % 7) as u8;
    match recurrence.pattern {
        Pattern::Daily { every } => (at - first).is_multiple_of(every),
        Pattern::Weekly { every, days } => {
            let week = |day: u32| (day + 1 + 7 - u32::from(recurrence.first_weekday)) / 7;
            days.has(weekday) && (week(at) - week(first)).is_multiple_of(every)
        }
        Pattern::Monthly { every, day } => months % i64::from(every) == 0 && in_month == day.min(length),
        Pattern::MonthlyNth { every, days, nth } => {
            let range = if nth == 5 { in_month + 1..=length } else { 1..=in_month };
            let count = range.filter(|d| days.has(((at + u32::from(*d) - u32::from(in_month) + 1) % 7) as u8)).count();
            let place = if nth == 5 { count == 0 } else { count == usize::from(nth) };
            months % i64::from(every) == 0 && days.has(weekday) && place
        }
    }
}

fn parts(at: u32) -> (i64, u8, u8, u8) {
    let civil = time_of(at).civil();
    let next = if civil.month == 12 { (civil.year + 1, 1) } else { (civil.year, civil.month + 1) };
    let length = day_of(Time::from_date(next.0, next.1, 1)) - day_of(Time::from_date(civil.year, civil.month, 1));
    (civil.year, civil.month, civil.day, length as u8)
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    let days = (1u8..=0x7f).prop_map(Weekdays);
    prop_oneof![
        (1u32..10).prop_map(|every| Pattern::Daily { every }),
        (1u32..6, days.clone()).prop_map(|(every, days)| Pattern::Weekly { every, days }),
        (1u32..15, 1u8..=31).prop_map(|(every, day)| Pattern::Monthly { every, day }),
        (1u32..15, days, 1u8..=5).prop_map(|(every, days, nth)| Pattern::MonthlyNth { every, days, nth }),
    ]
}

proptest! {
    #[test]
    fn days_are_those_of_the_definition(
        pattern in any_pattern(),
        first_weekday in 0u8..7,
        from in 140_000u32..160_000,
        skip in 0u32..900,
    ) {
        let made = Recurrence::new(pattern, false, first_weekday, from, End::Never, 0).unwrap();
        let from = made.start_day + skip;
        let expected: Vec<u32> = (from..from + 800).filter(|at| holds(&made, made.start_day, *at)).collect();
        let got: Vec<u32> = made.days_from(from).take_while(|at| *at < from + 800).collect();
        prop_assert_eq!(got, expected);
        prop_assert!(made.falls_on(made.start_day));
    }

    #[test]
    fn written_patterns_are_read_again(
        pattern in any_pattern(),
        yearly: bool,
        count in proptest::option::of(1u32..40),
        subject in proptest::option::of("\\PC{0,20}"),
        location in proptest::option::of("\\PC{0,20}"),
        color in proptest::option::of(any::<u32>()),
        all_day in proptest::option::of(any::<bool>()),
    ) {
        let yearly = yearly && matches!(pattern, Pattern::Monthly { .. } | Pattern::MonthlyNth { .. });
        let end = count.map_or(End::Never, End::Count);
        let mut recurrence = Recurrence::new(pattern, yearly, 1, 150_000, end, 0).unwrap();
        recurrence.deleted_days = recurrence.pattern_days().take(2).collect();
        let mut series = AppointmentRecurrence { recurrence, start_offset: 540, end_offset: 2_000, exceptions: vec![] };
        series.exceptions.push(Exception { start: 7, end: 8, subject, location, color, all_day, ..Exception::default() });
        let mut read = AppointmentRecurrence::decode(&series.encode()).unwrap();
        if end == End::Never {
            read.recurrence.end_day = series.recurrence.end_day;
        }
        prop_assert_eq!(read, series);
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..120, to: u8) {
        let _ = AppointmentRecurrence::decode(&bytes);
        let mut damaged = tests::bytes(WEEKLY_CHANGED);
        damaged[at] = to;
        if let Ok(read) = AppointmentRecurrence::decode(&damaged) {
            let _ = (read.encode(), read.recurrence.pattern_days().take(10).count());
        }
    }
}
