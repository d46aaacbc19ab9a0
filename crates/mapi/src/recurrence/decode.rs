//! Reading a stored pattern.

use super::{
    AppointmentRecurrence, DAY_MINUTES, EXCEPTIONS_MAX, End, Exception, Pattern, Recurrence, RecurrenceError, Weekdays,
};

/// Bits of `OverrideFlags` (MS-OXOCAL 2.2.1.44.2), in the order of their values.
pub(super) mod flag {
    pub(in crate::recurrence) const SUBJECT: u16 = 0x0001;
    pub(in crate::recurrence) const MEETING_TYPE: u16 = 0x0002;
    pub(in crate::recurrence) const REMINDER_DELTA: u16 = 0x0004;
    pub(in crate::recurrence) const REMINDER: u16 = 0x0008;
    pub(in crate::recurrence) const LOCATION: u16 = 0x0010;
    pub(in crate::recurrence) const BUSY_STATUS: u16 = 0x0020;
    pub(in crate::recurrence) const ATTACHMENT: u16 = 0x0040;
    pub(in crate::recurrence) const SUB_TYPE: u16 = 0x0080;
    pub(in crate::recurrence) const COLOR: u16 = 0x0100;
    pub(in crate::recurrence) const BODY: u16 = 0x0200;
}

/// From this writer version on exceptions carry a highlight of changes.
const HIGHLIGHT_VERSION: u32 = 0x3009;

/// The last of the two names of the Gregorian calendar.
const GREGORIAN_US: u16 = 2;

struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], RecurrenceError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(RecurrenceError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, RecurrenceError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(RecurrenceError::Truncated)?;
        self.rest = rest;
        Ok(u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, RecurrenceError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(RecurrenceError::Truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Minutes that stand at the start of a day, as days.
    fn days(&mut self, what: &'static str) -> Result<Vec<u32>, RecurrenceError> {
        let count = self.u32()? as usize;
        if count > EXCEPTIONS_MAX {
            return Err(RecurrenceError::TooMany(what));
        }
        (0..count).map(|_| Ok(self.u32()? / DAY_MINUTES)).collect()
    }

    /// A block behind its length.
    fn skip_block(&mut self) -> Result<(), RecurrenceError> {
        let size = self.u32()? as usize;
        self.take(size).map(drop)
    }

    fn narrow(&mut self) -> Result<String, RecurrenceError> {
        // The first length counts a terminator that is not there.
        self.u16()?;
        let length = usize::from(self.u16()?);
        Ok(self.take(length)?.iter().map(|byte| char::from(*byte)).collect())
    }

    fn wide(&mut self) -> Result<String, RecurrenceError> {
        let length = usize::from(self.u16()?);
        let (units, _) = self.take(length * 2)?.as_chunks::<2>();
        Ok(char::decode_utf16(units.iter().map(|unit| u16::from_le_bytes(*unit)))
            .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect())
    }
}

impl Recurrence {
    /// Reads a stored pattern: the value of `PidLidTaskRecurrence`, or the beginning of `PidLidAppointmentRecur`.
    ///
    /// # Errors
    /// [`RecurrenceError`] where it is no pattern, or one of a calendar other than the Gregorian.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecurrenceError> {
        read_pattern(&mut Reader { rest: bytes })
    }
}

impl AppointmentRecurrence {
    /// Reads the value of `PidLidAppointmentRecur`. What follows the exceptions may be missing: older clients leave it
    /// out, and its wide texts then come from the narrow ones.
    ///
    /// # Errors
    /// [`RecurrenceError`] where it is no pattern.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecurrenceError> {
        let mut reader = Reader { rest: bytes };
        let recurrence = read_pattern(&mut reader)?;
        reader.u32()?;
        let writer_version = reader.u32()?;
        let start_offset = reader.u32()?;
        let end_offset = reader.u32()?;
        let count = usize::from(reader.u16()?);
        if count > EXCEPTIONS_MAX {
            return Err(RecurrenceError::TooMany("exceptions"));
        }
        let mut exceptions = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            exceptions.push(read_exception(&mut reader)?);
        }
        // A tail that cannot be read takes nothing from what was.
        let _ = read_tail(&mut reader, writer_version, &mut exceptions);
        Ok(Self { recurrence, start_offset, end_offset, exceptions })
    }
}

fn read_pattern(reader: &mut Reader<'_>) -> Result<Recurrence, RecurrenceError> {
    if reader.u16()? != 0x3004 {
        return Err(RecurrenceError::Invalid("version"));
    }
    reader.u16()?;
    let frequency = reader.u16()?;
    let kind = reader.u16()?;
    let calendar = reader.u16()?;
    if calendar > GREGORIAN_US {
        return Err(RecurrenceError::Invalid("calendar"));
    }
    reader.u32()?;
    let period = reader.u32()?;
    let regenerating = reader.u32()? != 0;
    let every = if frequency == 0x200a && kind == 0 { period / DAY_MINUTES } else { period };
    let pattern = match kind {
        0 => Pattern::Daily { every },
        1 => Pattern::Weekly { every, days: Weekdays(reader.u32()? as u8 & Weekdays::ALL.0) },
        2 => Pattern::Monthly { every, day: u8::try_from(reader.u32()?).unwrap_or(0) },
        4 => {
            reader.u32()?;
            Pattern::Monthly { every, day: 31 }
        }
        3 => {
            let days = Weekdays(reader.u32()? as u8 & Weekdays::ALL.0);
            Pattern::MonthlyNth { every, days, nth: u8::try_from(reader.u32()?).unwrap_or(0) }
        }
        _ => return Err(RecurrenceError::Invalid("pattern type")),
    };
    let end = reader.u32()?;
    let count = reader.u32()?;
    let first_weekday = u8::try_from(reader.u32()?).ok().filter(|day| *day < 7);
    let deleted_days = reader.days("deleted occurrences")?;
    let modified_days = reader.days("changed occurrences")?;
    let start_day = reader.u32()? / DAY_MINUTES;
    let end_day = reader.u32()? / DAY_MINUTES;
    let read = Recurrence {
        yearly: frequency == 0x200d,
        pattern,
        regenerating,
        first_weekday: first_weekday.ok_or(RecurrenceError::Invalid("first day of the week"))?,
        calendar,
        start_day,
        end: match end {
            0x2021 => End::Date,
            0x2022 => End::Count(count),
            0x2023 | u32::MAX => End::Never,
            _ => return Err(RecurrenceError::Invalid("end type")),
        },
        end_day,
        deleted_days,
        modified_days,
    };
    read.check()?;
    Ok(read)
}

fn read_exception(reader: &mut Reader<'_>) -> Result<Exception, RecurrenceError> {
    let mut read = Exception { start: reader.u32()?, end: reader.u32()?, ..Exception::default() };
    read.original_start = reader.u32()?;
    let flags = reader.u16()?;
    let has = |bit: u16| flags & bit != 0;
    let number = |bit: u16, reader: &mut Reader<'_>| if has(bit) { reader.u32().map(Some) } else { Ok(None) };
    read.subject = if has(flag::SUBJECT) { Some(reader.narrow()?) } else { None };
    read.meeting_type = number(flag::MEETING_TYPE, reader)?;
    read.reminder_delta = number(flag::REMINDER_DELTA, reader)?;
    read.reminder_set = number(flag::REMINDER, reader)?.map(|set| set != 0);
    read.location = if has(flag::LOCATION) { Some(reader.narrow()?) } else { None };
    read.busy_status = number(flag::BUSY_STATUS, reader)?;
    read.has_attachments = number(flag::ATTACHMENT, reader)?.map(|set| set != 0);
    read.all_day = number(flag::SUB_TYPE, reader)?.map(|set| set != 0);
    read.color = number(flag::COLOR, reader)?;
    read.own_body = has(flag::BODY);
    Ok(read)
}

/// The wide texts of the exceptions.
fn read_tail(
    reader: &mut Reader<'_>,
    writer_version: u32,
    exceptions: &mut [Exception],
) -> Result<(), RecurrenceError> {
    reader.skip_block()?;
    for exception in exceptions {
        if writer_version >= HIGHLIGHT_VERSION {
            reader.skip_block()?;
        }
        reader.skip_block()?;
        if exception.subject.is_some() || exception.location.is_some() {
            reader.take(12)?;
            if exception.subject.is_some() {
                exception.subject = Some(reader.wide()?);
            }
            if exception.location.is_some() {
                exception.location = Some(reader.wide()?);
            }
            reader.skip_block()?;
        }
    }
    Ok(())
}
