//! Series of appointments as properties: the pattern, the zone it is in, and the occurrences that both give.

use mapi::recurrence::{
    AppointmentRecurrence, DAY_MINUTES, End, Exception, Recurrence, day_of, minute_of, minute_time, time_of,
};
use mapi::time_zone::TimeZone;
use model::{Bag, PropertyKey, Time, Value, lids};

/// The last day that dates on the wire can name, for what never ends.
const NEVER: Time = Time::from_date(4500, 9, 1);

/// Occurrences that one series shows in one answer.
pub const OCCURRENCES_MAX: usize = 1_000;

/// A series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The pattern with its exceptions, in local time.
    pub pattern: AppointmentRecurrence,
    /// The zone of that time.
    pub zone: TimeZone,
}

/// One occurrence.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    /// The day on which the pattern has it: its name inside the series.
    pub day: u32,
    /// When it begins.
    pub start: Time,
    /// When it ends.
    pub end: Time,
    /// When it would have begun.
    pub original_start: Time,
    /// What is its own, where it was changed.
    pub exception: Option<Exception>,
}

impl Occurrence {
    /// What it has instead of a property of its master. The outer `None` says that it has the master's.
    pub fn value(&self, key: &PropertyKey) -> Option<Option<Value>> {
        use model::tags;
        let is = |keys: &[PropertyKey]| keys.contains(key);
        if is(&[lids::START_WHOLE, lids::COMMON_START, tags::START_DATE]) {
            return Some(Some(Value::Time(self.start)));
        }
        if is(&[lids::END_WHOLE, lids::COMMON_END, tags::END_DATE]) {
            return Some(Some(Value::Time(self.end)));
        }
        if is(&[lids::APPOINTMENT_RECUR]) {
            return Some(None);
        }
        if is(&[lids::EXCEPTION_REPLACE_TIME]) {
            return Some(Some(Value::Time(self.original_start)));
        }
        let own = self.exception.as_ref()?;
        let number = |value: Option<u32>| value.map(|value| Some(Value::I32(value as i32)));
        if is(&[tags::SUBJECT, tags::NORMALIZED_SUBJECT]) {
            return own.subject.clone().map(|text| Some(Value::Text(text)));
        }
        if is(&[lids::LOCATION]) {
            return own.location.clone().map(|text| Some(Value::Text(text)));
        }
        if is(&[lids::BUSY_STATUS]) {
            return number(own.busy_status);
        }
        if is(&[lids::STATE_FLAGS]) {
            return number(own.meeting_type);
        }
        if is(&[lids::ALL_DAY]) {
            return own.all_day.map(|all_day| Some(Value::Bool(all_day)));
        }
        if is(&[lids::REMINDER_SET]) {
            return own.reminder_set.map(|set| Some(Value::Bool(set)));
        }
        if is(&[lids::REMINDER_DELTA]) {
            return number(own.reminder_delta);
        }
        None
    }
}

impl Series {
    /// The series of an item, where it is the master of one.
    pub fn of(value: impl Fn(&PropertyKey) -> Option<Value>) -> Option<Self> {
        let stored = value(&lids::APPOINTMENT_RECUR)?;
        let pattern = AppointmentRecurrence::decode(stored.as_binary()?).ok()?;
        Some(Self { pattern, zone: zone(value) })
    }

    /// Minutes that an occurrence lasts.
    fn length(&self) -> u32 {
        self.pattern.end_offset.saturating_sub(self.pattern.start_offset)
    }

    fn by_pattern(&self, day: u32) -> Occurrence {
        let start = day.saturating_mul(DAY_MINUTES).saturating_add(self.pattern.start_offset);
        let at = |minute: u32| self.zone.to_utc(minute_time(minute));
        let begins = at(start);
        Occurrence {
            day,
            start: begins,
            // It lasts as long on a day of 23 hours.
            end: begins.plus_seconds(i64::from(self.length()) * 60),
            original_start: begins,
            exception: None,
        }
    }

    fn by_exception(&self, exception: &Exception) -> Occurrence {
        let at = |minute: u32| self.zone.to_utc(minute_time(minute));
        Occurrence {
            day: exception.original_start / DAY_MINUTES,
            start: at(exception.start),
            end: at(exception.end),
            original_start: at(exception.original_start),
            exception: Some(exception.clone()),
        }
    }

    /// The occurrence that the pattern has on a day, changed or not; `None` where it has none, or it was deleted.
    pub fn on_day(&self, day: u32) -> Option<Occurrence> {
        let changed = self.pattern.exceptions.iter().find(|exception| exception.original_start / DAY_MINUTES == day);
        if let Some(exception) = changed {
            return Some(self.by_exception(exception));
        }
        let recurrence = &self.pattern.recurrence;
        (!recurrence.deleted_days.contains(&day) && recurrence.falls_on(day)).then(|| self.by_pattern(day))
    }

    /// The occurrences that lie at least partly between two times, by their start; at most [`OCCURRENCES_MAX`]. Costs
    /// those returned and the exceptions.
    pub fn between(&self, from: Time, to: Time) -> Vec<Occurrence> {
        let overlaps = |one: &Occurrence| one.start < to && (one.end > from || one.start >= from);
        let first = day_of(self.zone.to_local(from)).saturating_sub(self.length() / DAY_MINUTES + 1);
        let recurrence = &self.pattern.recurrence;
        let mut found: Vec<Occurrence> = recurrence
            .days_from(first)
            .take_while(|day| self.by_pattern(*day).start < to)
            .filter(|day| !recurrence.deleted_days.contains(day))
            .map(|day| self.by_pattern(day))
            .filter(overlaps)
            .take(OCCURRENCES_MAX)
            .collect();
        let exceptions = self.pattern.exceptions.iter().map(|exception| self.by_exception(exception));
        found.extend(exceptions.filter(overlaps));
        found.sort_by_key(|one| one.start);
        found.truncate(OCCURRENCES_MAX);
        found
    }

    /// The first occurrence that is left.
    pub fn first(&self) -> Option<Occurrence> {
        self.pattern.recurrence.pattern_days().take(OCCURRENCES_MAX).find_map(|day| self.on_day(day))
    }

    /// The last occurrence that is left; `None` where there is no end.
    pub fn last(&self) -> Option<Occurrence> {
        let recurrence = &self.pattern.recurrence;
        if recurrence.end == End::Never {
            return None;
        }
        // Backwards from the end, in steps that are sure to hold an occurrence where there is one.
        let mut to = recurrence.end_day;
        for _ in 0..OCCURRENCES_MAX {
            let from = to.saturating_sub(STEP_DAYS).max(recurrence.start_day);
            let days: Vec<u32> = recurrence.days_from(from).take_while(|day| *day <= to).collect();
            if let Some(found) = days.iter().rev().find_map(|day| self.on_day(*day)) {
                return Some(found);
            }
            if from == recurrence.start_day {
                return None;
            }
            to = from.saturating_sub(1);
        }
        None
    }

    /// The number of an occurrence, counted from 1 over all that the pattern has, as the day that names it.
    pub fn day_of_number(&self, number: usize) -> Option<u32> {
        self.pattern.recurrence.pattern_days().nth(number.checked_sub(1)?)
    }

    /// When deleted occurrences would have begun.
    pub fn deleted(&self) -> impl Iterator<Item = Time> {
        let changed = |day: &u32| self.pattern.exceptions.iter().any(|one| one.original_start / DAY_MINUTES == *day);
        let days = self.pattern.recurrence.deleted_days.iter().filter(move |day| !changed(day));
        days.map(|day| self.by_pattern(*day).start)
    }

    /// The changed occurrences.
    pub fn exceptions(&self) -> impl Iterator<Item = Occurrence> {
        self.pattern.exceptions.iter().map(|exception| self.by_exception(exception))
    }

    /// Takes an occurrence away.
    pub fn delete(&mut self, day: u32) {
        let recurrence = &mut self.pattern.recurrence;
        if let Err(at) = recurrence.deleted_days.binary_search(&day) {
            recurrence.deleted_days.insert(at, day);
        }
        self.pattern.exceptions.retain(|exception| exception.original_start / DAY_MINUTES != day);
        self.settle_exceptions();
    }

    /// Changes an occurrence.
    pub fn change(&mut self, day: u32, exception: Exception) {
        self.delete(day);
        self.pattern.exceptions.push(exception);
        self.settle_exceptions();
    }

    fn settle_exceptions(&mut self) {
        self.pattern.exceptions.sort_by_key(|exception| exception.original_start);
        let mut days: Vec<u32> = self.pattern.exceptions.iter().map(|one| one.start / DAY_MINUTES).collect();
        days.sort_unstable();
        self.pattern.recurrence.modified_days = days;
    }
}

/// Days in which the end of a series is looked for at once.
const STEP_DAYS: u32 = 400;

/// The zone that an item's local times are in; UTC where it names none.
pub fn zone(value: impl Fn(&PropertyKey) -> Option<Value>) -> TimeZone {
    let binary = |key: &PropertyKey| value(key).and_then(|value| value.as_binary().cloned());
    let defined = [lids::TIME_ZONE_RECUR, lids::TIME_ZONE_START]
        .iter()
        .find_map(|key| TimeZone::decode_definition(&binary(key)?).ok());
    let named = defined.or_else(|| TimeZone::decode_struct(&binary(&lids::TIME_ZONE_STRUCT)?).ok());
    named.unwrap_or_default()
}

/// Puts the pattern of a series in step with the start and the end of its master, after either was set.
/// `pattern_is_new` says that the pattern was set last, so that it decides on the days; the master moves to its first
/// occurrence. Otherwise the start decides: a series that moves loses its exceptions.
pub fn settle(bag: &mut Bag, pattern_is_new: bool) {
    let time = |bag: &Bag, key: &PropertyKey| bag.get(key).and_then(Value::as_time);
    let (Some(start), Some(end)) = (time(bag, &lids::START_WHOLE), time(bag, &lids::END_WHOLE)) else { return };
    let Some(mut series) = Series::of(|key| bag.get(key).cloned()) else { return };
    let before = series.clone();
    let local = series.zone.to_local(start);
    let pattern = &mut series.pattern;
    pattern.start_offset = minute_of(local) % DAY_MINUTES;
    let minutes = u32::try_from((end.to_unix() - start.to_unix()) / 60).unwrap_or(0);
    pattern.end_offset = pattern.start_offset.saturating_add(minutes);
    let day = day_of(local);
    if !pattern_is_new && day != pattern.recurrence.start_day {
        let old = &pattern.recurrence;
        // A pattern that does not fall on the new day goes on from the first day that it falls on.
        let again = Recurrence::new(old.pattern, old.yearly, old.first_weekday, day, old.end, old.end_day);
        let Ok(moved) = again else { return };
        pattern.recurrence = moved;
    }
    if (pattern.start_offset, pattern.end_offset) != (before.pattern.start_offset, before.pattern.end_offset)
        && !pattern_is_new
    {
        pattern.exceptions.clear();
        pattern.recurrence.deleted_days.clear();
        pattern.recurrence.modified_days.clear();
    }
    let first = series.by_pattern(series.pattern.recurrence.start_day);
    for (keys, value) in [
        ([lids::START_WHOLE, lids::COMMON_START, model::tags::START_DATE], first.start),
        ([lids::END_WHOLE, lids::COMMON_END, model::tags::END_DATE], first.end),
    ] {
        for key in keys {
            bag.set(key, Value::Time(value));
        }
    }
    let recurrence = &series.pattern.recurrence;
    let last_day = if recurrence.end == End::Never { NEVER } else { time_of(recurrence.end_day) };
    for (key, day) in [lids::CLIP_START, lids::CLIP_END].into_iter().zip([time_of(recurrence.start_day), last_day]) {
        bag.set(key, Value::Time(series.zone.to_utc(day)));
    }
    bag.set(lids::RECURRENCE_TYPE, Value::I32(kind(recurrence)));
    bag.set(lids::RECURRING, Value::Bool(true));
    bag.set(lids::APPOINTMENT_RECUR, Value::binary(series.pattern.encode()));
    if !series.zone.rules.is_empty() {
        bag.set(lids::TIME_ZONE_RECUR, Value::binary(series.zone.encode_definition()));
        bag.set(lids::TIME_ZONE_STRUCT, Value::binary(series.zone.encode_struct()));
    }
}

const fn kind(recurrence: &Recurrence) -> i32 {
    use mapi::recurrence::Pattern;
    match recurrence.pattern {
        Pattern::Daily { .. } => 1,
        Pattern::Weekly { .. } => 2,
        Pattern::Monthly { .. } | Pattern::MonthlyNth { .. } if recurrence.yearly => 4,
        Pattern::Monthly { .. } | Pattern::MonthlyNth { .. } => 3,
    }
}

#[cfg(test)]
mod tests;
