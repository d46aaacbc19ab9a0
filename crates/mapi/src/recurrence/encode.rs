//! Writing a pattern as it is stored.

use super::decode::flag;
use super::expand::{month, month_of};
use super::{AppointmentRecurrence, DAY_MINUTES, END_NEVER, End, Exception, Pattern, Recurrence};

/// What stands for the number of occurrences where there is no end.
const COUNT_NEVER: u32 = 10;

impl Recurrence {
    /// The value of `PidLidTaskRecurrence`, and the beginning of `PidLidAppointmentRecur`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        let (frequency, kind, period): (u16, u16, u32) = match self.pattern {
            Pattern::Daily { every } => (0x200a, 0, every.saturating_mul(DAY_MINUTES)),
            Pattern::Weekly { every, .. } => (0x200b, 1, every),
            Pattern::Monthly { every, .. } => (if self.yearly { 0x200d } else { 0x200c }, 2, every),
            Pattern::MonthlyNth { every, .. } => (if self.yearly { 0x200d } else { 0x200c }, 3, every),
        };
        for word in [0x3004, 0x3004, frequency, kind, self.calendar] {
            out.extend(word.to_le_bytes());
        }
        let mut long = |value: u32| out.extend(value.to_le_bytes());
        long(self.first_minute());
        long(period);
        long(u32::from(self.regenerating));
        match self.pattern {
            Pattern::Daily { .. } => {}
            Pattern::Weekly { days, .. } => long(u32::from(days.0)),
            Pattern::Monthly { day, .. } => long(u32::from(day)),
            Pattern::MonthlyNth { days, nth, .. } => {
                long(u32::from(days.0));
                long(u32::from(nth));
            }
        }
        let (end, count) = match self.end {
            End::Date => (0x2021, self.pattern_days().take(usize::from(u16::MAX)).count() as u32),
            End::Count(count) => (0x2022, count),
            End::Never => (0x2023, COUNT_NEVER),
        };
        long(end);
        long(count);
        long(u32::from(self.first_weekday));
        for days in [&self.deleted_days, &self.modified_days] {
            long(days.len() as u32);
            for day in days {
                long(day.saturating_mul(DAY_MINUTES));
            }
        }
        long(self.start_day.saturating_mul(DAY_MINUTES));
        long(if self.end == End::Never { END_NEVER } else { self.end_day.saturating_mul(DAY_MINUTES) });
        out
    }

    /// `FirstDateTime`: where the first block of the pattern would lie, counted from 1601 (MS-OXOCAL 2.2.1.44.1.1).
    fn first_minute(&self) -> u32 {
        match self.pattern {
            Pattern::Daily { every } => (self.start_day % every.max(1)).saturating_mul(DAY_MINUTES),
            Pattern::Weekly { every, .. } => {
                (self.week_of(self.start_day) % every.saturating_mul(7).max(7)).saturating_mul(DAY_MINUTES)
            }
            Pattern::Monthly { every, .. } | Pattern::MonthlyNth { every, .. } => {
                month(month_of(self.start_day) % every.max(1)).0.saturating_mul(DAY_MINUTES)
            }
        }
    }
}

impl AppointmentRecurrence {
    /// The value of `PidLidAppointmentRecur`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.recurrence.encode();
        for value in [0x3006, 0x3009, self.start_offset, self.end_offset] {
            out.extend(value.to_le_bytes());
        }
        out.extend((self.exceptions.len() as u16).to_le_bytes());
        for exception in &self.exceptions {
            write_exception(&mut out, exception);
        }
        out.extend(0u32.to_le_bytes());
        for exception in &self.exceptions {
            write_extended(&mut out, exception);
        }
        out.extend(0u32.to_le_bytes());
        out
    }
}

fn write_exception(out: &mut Vec<u8>, exception: &Exception) {
    for minute in [exception.start, exception.end, exception.original_start] {
        out.extend(minute.to_le_bytes());
    }
    let flags = [
        (exception.subject.is_some(), flag::SUBJECT),
        (exception.meeting_type.is_some(), flag::MEETING_TYPE),
        (exception.reminder_delta.is_some(), flag::REMINDER_DELTA),
        (exception.reminder_set.is_some(), flag::REMINDER),
        (exception.location.is_some(), flag::LOCATION),
        (exception.busy_status.is_some(), flag::BUSY_STATUS),
        (exception.has_attachments.is_some(), flag::ATTACHMENT),
        (exception.all_day.is_some(), flag::SUB_TYPE),
        (exception.color.is_some(), flag::COLOR),
        (exception.own_body, flag::BODY),
    ];
    let bits = flags.iter().filter(|(on, _)| *on).fold(0u16, |bits, (_, bit)| bits | bit);
    out.extend(bits.to_le_bytes());
    let number = |out: &mut Vec<u8>, value: Option<u32>| out.extend(value.iter().flat_map(|value| value.to_le_bytes()));
    narrow(out, exception.subject.as_deref());
    number(out, exception.meeting_type);
    number(out, exception.reminder_delta);
    number(out, exception.reminder_set.map(u32::from));
    narrow(out, exception.location.as_deref());
    number(out, exception.busy_status);
    number(out, exception.has_attachments.map(u32::from));
    number(out, exception.all_day.map(u32::from));
    number(out, exception.color);
}

/// A text in single bytes, after its length with and without a terminator.
fn narrow(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else { return };
    let bytes: Vec<u8> =
        text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).take(usize::from(u16::MAX) - 1).collect();
    let length = bytes.len() as u16;
    out.extend((length + 1).to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(bytes);
}

fn wide(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else { return };
    let units: Vec<u16> = text.encode_utf16().take(usize::from(u16::MAX)).collect();
    out.extend((units.len() as u16).to_le_bytes());
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
}

fn write_extended(out: &mut Vec<u8>, exception: &Exception) {
    // The highlight of changes (nothing highlighted), then an empty reserved block.
    out.extend(4u32.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    out.extend(0u32.to_le_bytes());
    if exception.subject.is_some() || exception.location.is_some() {
        for minute in [exception.start, exception.end, exception.original_start] {
            out.extend(minute.to_le_bytes());
        }
        wide(out, exception.subject.as_deref());
        wide(out, exception.location.as_deref());
        out.extend(0u32.to_le_bytes());
    }
}
