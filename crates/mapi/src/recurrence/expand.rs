//! The days of a pattern.

use model::Time;

use super::{DAY_MINUTES, End, Pattern, Recurrence, Weekdays, day_of, time_of};

/// The last day that is looked at: a pattern that never ends does, in the year 4500, as MAPI's does.
const LAST_DAY: u32 = super::END_NEVER / DAY_MINUTES;

/// The days of a pattern in ascending order; see [`Recurrence::days_from`].
#[derive(Debug)]
pub struct Days<'r> {
    recurrence: &'r Recurrence,
    /// Where the next block (a day, a week, a month) is: days for the first two, months since 1601-01 for the last.
    block: u32,
    /// Nothing before this day.
    from: u32,
    /// Days of the block at hand, which are still to come.
    waiting: Waiting,
}

/// Up to 31 days of one block.
#[derive(Debug, Default)]
struct Waiting {
    base: u32,
    bits: u64,
}

impl Waiting {
    fn pop(&mut self) -> Option<u32> {
        if self.bits == 0 {
            return None;
        }
        let at = self.bits.trailing_zeros();
        self.bits &= self.bits - 1;
        Some(self.base.saturating_add(at))
    }
}

impl Recurrence {
    /// All days of the pattern inside its range, those of deleted and changed occurrences too.
    pub fn pattern_days(&self) -> Days<'_> {
        self.days_from(self.start_day)
    }

    /// The days of the pattern inside its range from `day` on. Passing over the ones before costs nothing, whatever
    /// their number; each day costs a few steps, one month a hundred at most.
    pub fn days_from(&self, day: u32) -> Days<'_> {
        let from = day.max(self.start_day);
        let block = match self.pattern {
            Pattern::Daily { every } => self.start_day + (from - self.start_day).div_ceil(every.max(1)) * every,
            Pattern::Weekly { every, .. } => {
                let first = self.week_of(self.start_day);
                let period = every.saturating_mul(7).max(7);
                first + (from.saturating_sub(first)) / period * period
            }
            Pattern::Monthly { every, .. } | Pattern::MonthlyNth { every, .. } => {
                let first = month_of(self.start_day);
                first + (month_of(from) - first) / every.max(1) * every
            }
        };
        Days { recurrence: self, block, from, waiting: Waiting::default() }
    }

    /// Whether the pattern has an occurrence on that day, deleted and changed ones too.
    pub fn falls_on(&self, day: u32) -> bool {
        self.days_from(day).next() == Some(day)
    }

    /// The last day inside the range.
    fn last_day(&self) -> u32 {
        match self.end {
            End::Never => LAST_DAY,
            End::Date | End::Count(_) => self.end_day.min(LAST_DAY),
        }
    }

    /// The first day of the week of a day.
    pub(super) fn week_of(&self, day: u32) -> u32 {
        let into = (weekday(day) + 7 - self.first_weekday % 7) % 7;
        day.saturating_sub(u32::from(into))
    }
}

impl Iterator for Days<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let last = self.recurrence.last_day();
        loop {
            if let Some(day) = self.waiting.pop() {
                if day > last {
                    return None;
                }
                if day >= self.from {
                    return Some(day);
                }
                continue;
            }
            match self.recurrence.pattern {
                Pattern::Daily { every } => {
                    self.waiting = Waiting { base: self.block, bits: 1 };
                    self.block = self.block.checked_add(every)?;
                }
                Pattern::Weekly { every, days } => {
                    self.waiting = week(self.block, days);
                    self.block = self.block.checked_add(every.saturating_mul(7))?;
                }
                Pattern::Monthly { every, day } => {
                    let (base, length) = month(self.block);
                    self.waiting = Waiting { base, bits: 1 << (u32::from(day).min(length) - 1).min(30) };
                    self.block = self.block.checked_add(every)?;
                }
                Pattern::MonthlyNth { every, days, nth } => {
                    let (base, length) = month(self.block);
                    self.waiting = nth_of_month(base, length, days, nth);
                    self.block = self.block.checked_add(every)?;
                }
            }
            if self.waiting.base > last {
                return None;
            }
        }
    }
}

fn week(base: u32, days: Weekdays) -> Waiting {
    let bits = (0..7).filter(|at| days.has(weekday(base + at))).fold(0, |bits, at| bits | 1 << at);
    Waiting { base, bits }
}

/// The nth day of a month that is among `days`, 5 for the last.
fn nth_of_month(base: u32, length: u32, days: Weekdays, nth: u8) -> Waiting {
    let mut fitting = (0..length).filter(|at| days.has(weekday(base + at)));
    let at = if nth >= 5 { fitting.next_back() } else { fitting.nth(usize::from(nth.max(1)) - 1) };
    Waiting { base, bits: at.map_or(0, |at| 1 << at) }
}

/// 0 is Sunday. 1601-01-01 was a Monday.
pub(super) const fn weekday(day: u32) -> u8 {
    ((day + 1) % 7) as u8
}

/// Months since 1601-01.
pub(super) fn month_of(day: u32) -> u32 {
    let civil = time_of(day).civil();
    u32::try_from(civil.year - 1601).unwrap_or(0) * 12 + u32::from(civil.month) - 1
}

/// The first day of a month and its length in days.
pub(super) fn month(months: u32) -> (u32, u32) {
    let start = |months: u32| day_of(Time::from_date(1601 + i64::from(months / 12), (months % 12 + 1) as u8, 1));
    let first = start(months);
    (first, start(months.saturating_add(1)).saturating_sub(first).clamp(28, 31))
}
