//! Recurrence patterns of appointments and tasks (MS-OXOCAL 2.2.1.44): the value of `PidLidAppointmentRecur` and of
//! `PidLidTaskRecurrence`, and the days that a pattern gives.
//!
//! All days and times here are local to the series' time zone, counted in minutes or days since 1601-01-01 (a Monday).
//! It must not know zones: whoever has one turns the local minutes into points in time.

mod decode;
mod encode;
mod expand;

use model::Time;

pub use expand::Days;

/// Deleted or modified occurrences that are read from one value, and written into one.
pub const EXCEPTIONS_MAX: usize = 4_096;
/// Occurrences of a numbered series: what clients may ask for.
pub const OCCURRENCES_MAX: u32 = 999;
/// The minute that stands for "no end" in a stored pattern.
const END_NEVER: u32 = 0x5ae9_80df;
/// Minutes of a day.
pub const DAY_MINUTES: u32 = 1_440;

/// The value is no recurrence pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// It ends too early.
    #[error("the recurrence pattern is cut short")]
    Truncated,
    /// A field has a value that means nothing.
    #[error("the recurrence pattern has an invalid {0}")]
    Invalid(&'static str),
    /// A count is above its bound.
    #[error("the recurrence pattern has too many {0}")]
    TooMany(&'static str),
}

/// A set of weekdays: bit 0 is Sunday.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weekdays(pub u8);

impl Weekdays {
    /// Sunday to Saturday.
    pub const ALL: Self = Self(0x7f);
    /// Monday to Friday.
    pub const WORKING: Self = Self(0x3e);
    /// Saturday and Sunday.
    pub const WEEKEND: Self = Self(0x41);

    /// Whether the day is among them; 0 is Sunday.
    pub const fn has(self, weekday: u8) -> bool {
        self.0 & (1 << (weekday % 7)) != 0
    }
}

/// Which days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every `every` days.
    Daily {
        /// At least 1.
        every: u32,
    },
    /// On some days of every `every` weeks.
    Weekly {
        /// At least 1.
        every: u32,
        /// At least one.
        days: Weekdays,
    },
    /// On a day of every `every` months; where a month is shorter, on its last day.
    Monthly {
        /// At least 1; 12 is yearly.
        every: u32,
        /// 1 to 31.
        day: u8,
    },
    /// On the `nth` of some weekdays of every `every` months.
    MonthlyNth {
        /// At least 1; 12 is yearly.
        every: u32,
        /// At least one.
        days: Weekdays,
        /// 1 to 4, or 5 for the last.
        nth: u8,
    },
}

/// How long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// For ever.
    Never,
    /// Up to the day of [`Recurrence::end_day`].
    Date,
    /// So many times, the last on the day of [`Recurrence::end_day`].
    Count(u32),
}

/// A pattern with its range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Whether it is yearly: only how it is called, the months of the pattern decide.
    pub yearly: bool,
    /// Which days.
    pub pattern: Pattern,
    /// Whether the next one is counted from when the last was done (tasks only).
    pub regenerating: bool,
    /// The first day of a week: 0 is Sunday. Decides which weeks an interval of several passes over.
    pub first_weekday: u8,
    /// The kind of calendar, as stored: 0 or 1 is the Gregorian.
    pub calendar: u16,
    /// The day of the first occurrence, in days since 1601-01-01.
    pub start_day: u32,
    /// How long.
    pub end: End,
    /// The day of the last occurrence; not meaningful where it never ends.
    pub end_day: u32,
    /// Days on which an occurrence was taken away **or** changed, ascending.
    pub deleted_days: Vec<u32>,
    /// Days on which changed occurrences now begin, ascending.
    pub modified_days: Vec<u32>,
}

/// A changed occurrence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exception {
    /// When it begins, in minutes.
    pub start: u32,
    /// When it ends, in minutes.
    pub end: u32,
    /// When it would have begun, in minutes.
    pub original_start: u32,
    /// Its own subject.
    pub subject: Option<String>,
    /// Its own `PidLidAppointmentStateFlags`.
    pub meeting_type: Option<u32>,
    /// Its own reminder, in minutes before the start.
    pub reminder_delta: Option<u32>,
    /// Whether it has a reminder, where that differs.
    pub reminder_set: Option<bool>,
    /// Its own place.
    pub location: Option<String>,
    /// Its own busy status.
    pub busy_status: Option<u32>,
    /// Whether it has attachments, where that differs.
    pub has_attachments: Option<bool>,
    /// Whether it lasts all day, where that differs.
    pub all_day: Option<bool>,
    /// Its own colour.
    pub color: Option<u32>,
    /// Whether its body differs.
    pub own_body: bool,
}

/// The value of `PidLidAppointmentRecur`.
#[derive(Clone, Debug, PartialEq)]
pub struct AppointmentRecurrence {
    /// The pattern.
    pub recurrence: Recurrence,
    /// When occurrences begin, in minutes of their day.
    pub start_offset: u32,
    /// When occurrences end, in minutes of the day they begin on; may be past that day.
    pub end_offset: u32,
    /// Changed occurrences, by the day of their original start.
    pub exceptions: Vec<Exception>,
}

impl Recurrence {
    /// A pattern that begins on a day and goes on as `end` says. The day of the first occurrence is the first one of the
    /// pattern at or after `from_day`; `end_day` counts for [`End::Date`] only, and becomes the day of the last one for
    /// a number. Costs the occurrences of a numbered series, at most [`OCCURRENCES_MAX`].
    ///
    /// # Errors
    /// Where the pattern gives no day at all.
    pub fn new(
        pattern: Pattern,
        yearly: bool,
        first_weekday: u8,
        from_day: u32,
        end: End,
        end_day: u32,
    ) -> Result<Self, RecurrenceError> {
        let mut made = Self {
            yearly,
            pattern,
            regenerating: false,
            first_weekday: first_weekday % 7,
            calendar: 0,
            start_day: from_day,
            end,
            end_day,
            deleted_days: Vec::new(),
            modified_days: Vec::new(),
        };
        made.check()?;
        made.end = End::Never;
        made.start_day = made.pattern_days().next().ok_or(RecurrenceError::Invalid("range"))?;
        made.end = end;
        match end {
            End::Never => {}
            End::Date if end_day < made.start_day => return Err(RecurrenceError::Invalid("end date")),
            End::Date => {}
            End::Count(count) => {
                if count == 0 || count > OCCURRENCES_MAX {
                    return Err(RecurrenceError::Invalid("number of occurrences"));
                }
                made.end = End::Never;
                made.end_day = made
                    .pattern_days()
                    .nth(count as usize - 1)
                    .ok_or(RecurrenceError::Invalid("number of occurrences"))?;
                made.end = end;
            }
        }
        Ok(made)
    }

    /// Whether the pattern's numbers mean something.
    fn check(&self) -> Result<(), RecurrenceError> {
        let (every, valid) = match self.pattern {
            Pattern::Daily { every } => (every, true),
            Pattern::Weekly { every, days } => (every, days.0 & Weekdays::ALL.0 != 0),
            Pattern::Monthly { every, day } => (every, (1..=31).contains(&day)),
            Pattern::MonthlyNth { every, days, nth } => {
                (every, days.0 & Weekdays::ALL.0 != 0 && (1..=5).contains(&nth))
            }
        };
        match (every, valid) {
            (0, _) => Err(RecurrenceError::Invalid("interval")),
            (_, false) => Err(RecurrenceError::Invalid("pattern")),
            (_, true) => Ok(()),
        }
    }
}

/// The day of a point in time that is read as local, in days since 1601-01-01; 0 before that.
pub fn day_of(local: Time) -> u32 {
    u32::try_from(local.0.div_euclid(Time::DAY)).unwrap_or(0)
}

/// The start of a day, read as local.
pub const fn time_of(day: u32) -> Time {
    Time(day as i64 * Time::DAY)
}

/// The local time of a minute.
pub const fn minute_time(minute: u32) -> Time {
    Time(minute as i64 * 60 * Time::SECOND)
}

/// The minute of a local time; 0 before 1601.
pub fn minute_of(local: Time) -> u32 {
    u32::try_from(local.0.div_euclid(60 * Time::SECOND)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
