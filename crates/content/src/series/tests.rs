use mapi::recurrence::{Pattern, Weekdays};

use super::*;

fn time(text: &str) -> Time {
    text.parse().unwrap()
}

fn day(text: &str) -> u32 {
    day_of(time(&format!("{text}T00:00:00Z")))
}

/// Mondays and Wednesdays at 09:00 to 10:00 in Berlin, from 2026-03-23 over the change to summer time.
fn berlin() -> Bag {
    let pattern = Pattern::Weekly { every: 1, days: Weekdays(0b1010) };
    let recurrence = Recurrence::new(pattern, false, 1, day("2026-03-22"), End::Count(4), 0).unwrap();
    let stored = AppointmentRecurrence { recurrence, start_offset: 0, end_offset: 0, exceptions: vec![] };
    let mut bag = Bag::new();
    let zone = crate::zone::rules("W. Europe Standard Time").unwrap();
    bag.set(lids::APPOINTMENT_RECUR, Value::binary(stored.encode()));
    bag.set(lids::TIME_ZONE_START, Value::binary(zone.encode_definition()));
    bag.set(lids::START_WHOLE, Value::Time(time("2026-03-22T08:00:00Z")));
    bag.set(lids::END_WHOLE, Value::Time(time("2026-03-22T09:00:00Z")));
    settle(&mut bag, true);
    bag
}

fn series(bag: &Bag) -> Series {
    Series::of(|key| bag.get(key).cloned()).unwrap()
}

fn starts(series: &Series) -> Vec<String> {
    let all = series.between(time("2020-01-01T00:00:00Z"), time("2030-01-01T00:00:00Z"));
    all.iter().map(|one| one.start.to_string()).collect()
}

const STARTS: [&str; 4] =
    ["2026-03-23T08:00:00Z", "2026-03-25T08:00:00Z", "2026-03-30T07:00:00Z", "2026-04-01T07:00:00Z"];

#[test]
fn occurrences_keep_their_local_time() {
    let bag = berlin();
    let series = series(&bag);
    assert_eq!(starts(&series), STARTS);
    // The master is at its first occurrence.
    assert_eq!(bag.get(&lids::START_WHOLE), Some(&Value::Time(time(STARTS[0]))));
    assert_eq!(series.first().map(|one| one.start), Some(time(STARTS[0])));
    assert_eq!(series.last().map(|one| one.start), Some(time(STARTS[3])));
    assert_eq!(series.day_of_number(3), Some(day("2026-03-30")));
    let part = series.between(time("2026-03-25T08:30:00Z"), time("2026-03-30T07:00:00Z"));
    assert_eq!(part.iter().map(|one| one.day).collect::<Vec<_>>(), [day("2026-03-25")]);
}

#[test]
fn occurrences_go_and_change() {
    let mut series = series(&berlin());
    series.delete(day("2026-03-23"));
    let moved = Exception {
        start: minute_of(time("2026-04-03T12:00:00Z")),
        end: minute_of(time("2026-04-03T13:00:00Z")),
        original_start: minute_of(time("2026-03-30T09:00:00Z")),
        subject: Some("Moved".into()),
        ..Exception::default()
    };
    series.change(day("2026-03-30"), moved);
    assert_eq!(starts(&series), [STARTS[1], STARTS[3], "2026-04-03T10:00:00Z"]);
    assert_eq!(series.deleted().collect::<Vec<_>>(), [time(STARTS[0])]);
    let found = series.on_day(day("2026-03-30")).unwrap();
    assert_eq!(
        (found.original_start, found.value(&model::tags::SUBJECT)),
        (time(STARTS[2]), Some(Some(Value::text("Moved"))))
    );
    assert_eq!(series.on_day(day("2026-03-23")), None);
    assert_eq!(series.first().map(|one| one.day), Some(day("2026-03-25")));
    // It survives being stored.
    let stored = AppointmentRecurrence::decode(&series.pattern.encode()).unwrap();
    assert_eq!(stored, series.pattern);
}

#[test]
fn a_series_moves_with_its_start() {
    let mut bag = berlin();
    let mut deleted = series(&bag);
    deleted.delete(day("2026-03-25"));
    bag.set(lids::APPOINTMENT_RECUR, Value::binary(deleted.pattern.encode()));
    // Nothing moves: what was deleted stays so.
    settle(&mut bag, false);
    assert_eq!(starts(&series(&bag)).len(), 3);
    bag.set(lids::START_WHOLE, Value::Time(time("2026-03-25T12:00:00Z")));
    bag.set(lids::END_WHOLE, Value::Time(time("2026-03-25T12:30:00Z")));
    settle(&mut bag, false);
    let moved = series(&bag);
    assert_eq!(
        starts(&moved),
        ["2026-03-25T12:00:00Z", "2026-03-30T11:00:00Z", "2026-04-01T11:00:00Z", "2026-04-06T11:00:00Z"]
    );
}
