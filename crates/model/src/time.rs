//! Points in time.

use std::{fmt, str::FromStr};

/// A point in time in ticks of 100 ns since 1601-01-01T00:00:00Z: the FILETIME of MAPI.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

/// The text was not a date and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time")]
pub struct TimeError;

/// The parts of a [`Time`] in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of the Gregorian calendar.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// Ticks of 100 ns inside the second.
    pub ticks: u32,
}

impl Time {
    /// Ticks in a second.
    pub const SECOND: i64 = 10_000_000;
    /// Ticks in a day.
    pub const DAY: i64 = 86_400 * Self::SECOND;
    /// Seconds from 1601-01-01 to 1970-01-01.
    const UNIX_EPOCH_SECONDS: i64 = 11_644_473_600;
    /// Ticks from 0001-01-01 to 1601-01-01.
    const DOTNET_OFFSET_TICKS: i64 = 504_911_232_000_000_000;

    /// From seconds since 1970.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds.saturating_add(Self::UNIX_EPOCH_SECONDS).saturating_mul(Self::SECOND))
    }

    /// Seconds since 1970, rounded down.
    pub const fn to_unix(self) -> i64 {
        self.0.div_euclid(Self::SECOND) - Self::UNIX_EPOCH_SECONDS
    }

    /// Ticks since 0001-01-01, as .NET and SharePoint change tokens count.
    pub const fn to_dotnet_ticks(self) -> i64 {
        self.0.saturating_add(Self::DOTNET_OFFSET_TICKS)
    }

    /// The inverse of [`Self::to_dotnet_ticks`].
    pub const fn from_dotnet_ticks(ticks: i64) -> Self {
        Self(ticks.saturating_sub(Self::DOTNET_OFFSET_TICKS))
    }

    /// This time without its fraction of a second.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self(self.0 - self.0.rem_euclid(Self::SECOND))
    }

    /// This time plus `seconds`.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(Self::SECOND)))
    }

    /// The parts in UTC.
    pub const fn civil(self) -> Civil {
        // Howard Hinnant's days-to-civil; eras of 400 years counted from 0000-03-01.
        let days_1601_to_era = 584_694;
        let days = self.0.div_euclid(Self::DAY) + days_1601_to_era;
        let in_day = self.0.rem_euclid(Self::DAY);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let seconds = in_day / Self::SECOND;
        Civil {
            year: year_of_era + era * 400 + (month <= 2) as i64,
            month: month as u8,
            day: (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u8,
            hour: (seconds / 3_600) as u8,
            minute: (seconds / 60 % 60) as u8,
            second: (seconds % 60) as u8,
            ticks: (in_day % Self::SECOND) as u32,
        }
    }

    /// The start of a day in UTC. `month` is 1 to 12, `day` 1 to 31; neither is checked against the calendar.
    pub const fn from_date(year: i64, month: u8, day: u8) -> Self {
        let (y, m) = if month <= 2 { (year - 1, month as i64 + 9) } else { (year, month as i64 - 3) };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * m + 2) / 5 + day as i64 - 1;
        let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 584_694;
        Self(days * Self::DAY)
    }
}

impl fmt::Display for Time {
    /// `2007-08-31T21:34:59Z`: `xs:dateTime` in UTC, whole seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        let two = |value: u8| [b'0' + value / 10, b'0' + value % 10];
        if !(0..=9_999).contains(&c.year) {
            return f.write_str("9999-12-31T23:59:59Z");
        }
        let (century, rest) = (two((c.year / 100) as u8), two((c.year % 100) as u8));
        let (month, day, hour, minute, second) = (two(c.month), two(c.day), two(c.hour), two(c.minute), two(c.second));
        let text = [
            century[0], century[1], rest[0], rest[1], b'-', month[0], month[1], b'-', day[0], day[1], b'T', hour[0],
            hour[1], b':', minute[0], minute[1], b':', second[0], second[1], b'Z',
        ];
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl FromStr for Time {
    type Err = TimeError;

    /// Reads `xs:dateTime` with `Z` or an offset; without a zone the time is taken as UTC. A date alone is its midnight.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
            return from_jiff(stamp);
        }
        if let Ok(local) = text.parse::<jiff::civil::DateTime>()
            && let Ok(zoned) = local.to_zoned(jiff::tz::TimeZone::UTC)
        {
            return from_jiff(zoned.timestamp());
        }
        Err(TimeError)
    }
}

fn from_jiff(stamp: jiff::Timestamp) -> Result<Time, TimeError> {
    let ticks = stamp.as_nanosecond().div_euclid(100) + i128::from(Time::UNIX_EPOCH_SECONDS * Time::SECOND);
    i64::try_from(ticks).map(Time).map_err(|_| TimeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form() {
        let time: Time = "2007-08-31T21:34:59Z".parse().unwrap();
        assert_eq!(time.to_string(), "2007-08-31T21:34:59Z");
        assert_eq!(time.to_unix(), 1_188_596_099);
        assert_eq!("2007-08-31T23:34:59+02:00".parse(), Ok(time));
        assert_eq!("2007-08-31 21:34:59".parse(), Ok(time));
        assert_eq!("2007-08-31".parse(), Ok(Time::from_date(2007, 8, 31)));
        assert_eq!(Time(0).to_string(), "1601-01-01T00:00:00Z");
        assert_eq!(Time(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!("nonsense".parse::<Time>(), Err(TimeError));
        assert_eq!(Time::from_dotnet_ticks(633_247_934_080_930_000).to_string(), "2007-09-07T20:23:28Z");
    }

    proptest::proptest! {
        #[test]
        fn dates_round_trip(seconds in -11_644_473_600_i64..253_402_300_799) {
            let time = Time::from_unix(seconds);
            proptest::prop_assert_eq!(time.to_string().parse(), Ok(time));
        }
    }
}
