//! Time zones as appointments carry them: `PidLidAppointmentTimeZoneDefinition…` (MS-OXOCAL 2.2.1.41) and
//! `PidLidTimeZoneStruct` (MS-OXOCAL 2.2.1.39).
//!
//! It must not know any zone by name; rules come in from whoever has a table of them.

use model::Time;

use crate::recurrence::{day_of, minute_of, minute_time};

/// Rules that are read from one definition.
pub const RULES_MAX: usize = 1_024;
/// Characters of a name that are read.
const NAME_CHARS_MAX: usize = 260;
const RULE_BYTES: u16 = 0x3e;
/// The rule is in force now.
const CURRENT: u16 = 2;

/// The value is no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time zone definition")]
pub struct TimeZoneError;

/// When in a year one half of it begins, in the local time before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Onset {
    /// The only year it is of; 0 for every year.
    pub year: u16,
    /// 1 to 12; 0 where there is no such half.
    pub month: u16,
    /// 0 is Sunday.
    pub weekday: u16,
    /// With `year` 0 the how-manieth such weekday of the month, 5 for the last; else the day of the month.
    pub day: u16,
    /// 0 to 23.
    pub hour: u16,
    /// 0 to 59.
    pub minute: u16,
}

/// What holds from a year on. Biases are minutes that are added to local time to give UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// From this year on.
    pub year: u16,
    /// Whether it is the one in force when the definition was made.
    pub current: bool,
    /// Of the zone.
    pub bias: i32,
    /// Added to it in standard time; usually 0.
    pub standard_bias: i32,
    /// Added to it in summer time; usually -60.
    pub daylight_bias: i32,
    /// When standard time begins.
    pub standard: Onset,
    /// When summer time begins.
    pub daylight: Onset,
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeZone {
    /// Its name in Windows' table; empty where the format has none.
    pub key_name: String,
    /// By year.
    pub rules: Vec<Rule>,
}

impl Onset {
    /// The minute of its beginning in a year, local.
    fn minute_in(&self, year: i64) -> Option<u32> {
        let month = u8::try_from(self.month).ok().filter(|month| (1..=12).contains(month))?;
        if self.year != 0 && i64::from(self.year) != year {
            return None;
        }
        let first = day_of(Time::from_date(year, month, 1));
        let day = if self.year == 0 {
            let next = if month == 12 { Time::from_date(year + 1, 1, 1) } else { Time::from_date(year, month + 1, 1) };
            // 1601-01-01, day 0, was a Monday.
            let into = (u32::from(self.weekday % 7) + 7 - (first + 1) % 7) % 7;
            let mut day = first + into + 7 * u32::from(self.day.clamp(1, 5) - 1);
            while day >= day_of(next) {
                day -= 7;
            }
            day
        } else {
            first + u32::from(self.day.clamp(1, 31)) - 1
        };
        Some(day * 1_440 + u32::from(self.hour.min(23)) * 60 + u32::from(self.minute.min(59)))
    }

    fn read(bytes: &[u8; 16]) -> Self {
        let (words, _) = bytes.as_chunks::<2>();
        let mut words = words.iter().map(|word| u16::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or(0);
        Self { year: next(), month: next(), weekday: next(), day: next(), hour: next(), minute: next() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        for word in [self.year, self.month, self.weekday, self.day, self.hour, self.minute, 0, 0] {
            out.extend(word.to_le_bytes());
        }
    }
}

impl Rule {
    /// Minutes to add to this local minute for UTC. In the hour that summer time leaves out the time before it counts,
    /// in the hour that comes twice the second.
    fn bias_at(&self, local: u32) -> i32 {
        let year = minute_time(local).civil().year;
        let (standard, daylight) = (self.standard.minute_in(year), self.daylight.minute_in(year));
        let (Some(standard), Some(daylight)) = (standard, daylight) else { return self.bias + self.standard_bias };
        // The local clock has already gone back when standard time begins.
        let standard = standard.saturating_add_signed(self.daylight_bias - self.standard_bias);
        let summer = if daylight < standard {
            (daylight..standard).contains(&local)
        } else {
            !(standard..daylight).contains(&local)
        };
        self.bias + if summer { self.daylight_bias } else { self.standard_bias }
    }
}

impl TimeZone {
    /// The rule of a year.
    fn rule(&self, year: i64) -> Option<&Rule> {
        self.rules.iter().rev().find(|rule| i64::from(rule.year) <= year).or_else(|| self.rules.first())
    }

    /// The point in time of a local one. Without rules local time is UTC.
    pub fn to_utc(&self, local: Time) -> Time {
        let bias = self.rule(local.civil().year).map_or(0, |rule| rule.bias_at(minute_of(local)));
        local.plus_seconds(i64::from(bias) * 60)
    }

    /// The local time of a point in time.
    pub fn to_local(&self, utc: Time) -> Time {
        let Some(rule) = self.rule(utc.civil().year) else { return utc };
        // Which half of the year it is, told by when the halves begin in UTC.
        let year = utc.civil().year;
        let onset = |onset: Onset| onset.minute_in(year).map(minute_time);
        let (standard, daylight) = (onset(rule.standard), onset(rule.daylight));
        let in_utc = |onset: Time, bias: i32| onset.plus_seconds(i64::from(rule.bias + bias) * 60);
        let summer = match (standard, daylight) {
            (Some(standard), Some(daylight)) => {
                let (standard, daylight) = (in_utc(standard, rule.daylight_bias), in_utc(daylight, rule.standard_bias));
                if daylight < standard {
                    (daylight..standard).contains(&utc)
                } else {
                    !(standard..daylight).contains(&utc)
                }
            }
            _ => false,
        };
        let bias = rule.bias + if summer { rule.daylight_bias } else { rule.standard_bias };
        utc.plus_seconds(-i64::from(bias) * 60)
    }

    /// Reads a definition.
    ///
    /// # Errors
    /// Where it is none, or has more than [`RULES_MAX`] rules.
    pub fn decode_definition(bytes: &[u8]) -> Result<Self, TimeZoneError> {
        let word = |at: usize| -> Option<u16> { bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes) };
        let read = || {
            let name_chars = usize::from(word(6)?);
            if bytes.first() != Some(&2) || name_chars > NAME_CHARS_MAX {
                return None;
            }
            let name = bytes.get(8..8 + name_chars * 2)?;
            let (units, _) = name.as_chunks::<2>();
            let key_name = String::from_utf16_lossy(&units.iter().map(|u| u16::from_le_bytes(*u)).collect::<Vec<_>>());
            let count = usize::from(word(8 + name_chars * 2)?);
            // The header says how long it is, after the four bytes up to that.
            let mut at = 4 + usize::from(word(2)?);
            if count > RULES_MAX {
                return None;
            }
            let mut rules = Vec::with_capacity(count);
            for _ in 0..count {
                let size = 4 + usize::from(word(at + 2)?);
                let body = bytes.get(at..at + size)?;
                let year = word(at + 6)?;
                let current = word(at + 4)? & CURRENT != 0;
                rules.push(Rule { year, current, ..read_rule(body.get(22..)?)? });
                at += size;
            }
            Some(Self { key_name, rules })
        };
        read().ok_or(TimeZoneError)
    }

    /// Writes a definition.
    pub fn encode_definition(&self) -> Vec<u8> {
        let name: Vec<u16> = self.key_name.encode_utf16().take(NAME_CHARS_MAX).collect();
        let rules = self.rules.iter().take(RULES_MAX);
        let mut out = vec![2, 1];
        for word in [6 + name.len() as u16 * 2, 2, name.len() as u16] {
            out.extend(word.to_le_bytes());
        }
        out.extend(name.iter().flat_map(|unit| unit.to_le_bytes()));
        out.extend((rules.len() as u16).to_le_bytes());
        for rule in rules {
            out.extend([2, 1]);
            for word in [RULE_BYTES, if rule.current { CURRENT } else { 0 }, rule.year] {
                out.extend(word.to_le_bytes());
            }
            out.extend([0; 14]);
            for bias in [rule.bias, rule.standard_bias, rule.daylight_bias] {
                out.extend(bias.to_le_bytes());
            }
            rule.standard.write(&mut out);
            rule.daylight.write(&mut out);
        }
        out
    }

    /// Reads `PidLidTimeZoneStruct`: one rule without a name.
    ///
    /// # Errors
    /// Where it is none.
    pub fn decode_struct(bytes: &[u8]) -> Result<Self, TimeZoneError> {
        let read = || {
            let (biases, rest) = bytes.split_at_checked(12)?;
            let (_, rest) = rest.split_at_checked(2)?;
            let (standard, rest) = rest.split_at_checked(16)?;
            let (_, daylight) = rest.split_at_checked(2)?;
            let rule = [biases, standard, daylight.get(..16)?].concat();
            Some(Self { key_name: String::new(), rules: vec![read_rule(&rule)?] })
        };
        read().ok_or(TimeZoneError)
    }

    /// Writes the current rule, or the last one, as `PidLidTimeZoneStruct`.
    pub fn encode_struct(&self) -> Vec<u8> {
        let rule = self.current().copied().unwrap_or_default();
        let mut out = Vec::with_capacity(48);
        for bias in [rule.bias, rule.standard_bias, rule.daylight_bias] {
            out.extend(bias.to_le_bytes());
        }
        for onset in [rule.standard, rule.daylight] {
            out.extend(0u16.to_le_bytes());
            onset.write(&mut out);
        }
        out
    }

    /// The rule in force, or the last one.
    pub fn current(&self) -> Option<&Rule> {
        self.rules.iter().rev().find(|rule| rule.current).or_else(|| self.rules.last())
    }
}

/// Biases, then the onsets of standard and of summer time.
fn read_rule(bytes: &[u8]) -> Option<Rule> {
    let bias = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(i32::from_le_bytes);
    let onset = |at: usize| bytes.get(at..at + 16)?.try_into().ok().map(Onset::read);
    // More than a day from UTC is nowhere.
    let sane = |value: i32| (-1_500..=1_500).contains(&value).then_some(value);
    Some(Rule {
        bias: sane(bias(0)?)?,
        standard_bias: sane(bias(4)?)?,
        daylight_bias: sane(bias(8)?)?,
        standard: onset(12)?,
        daylight: onset(28)?,
        ..Rule::default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pacific() -> TimeZone {
        let onset = |month, day| Onset { month, day, hour: 2, ..Onset::default() };
        let rule = |year, standard, daylight, current| Rule {
            year,
            current,
            bias: 480,
            standard_bias: 0,
            daylight_bias: -60,
            standard,
            daylight,
        };
        TimeZone {
            key_name: "Pacific Standard Time".into(),
            rules: vec![rule(1601, onset(10, 5), onset(4, 1), false), rule(2007, onset(11, 1), onset(3, 2), true)],
        }
    }

    fn sydney() -> TimeZone {
        let onset = |month| Onset { month, day: 1, hour: 3, ..Onset::default() };
        let rule = Rule {
            year: 1601,
            current: true,
            bias: -600,
            daylight_bias: -60,
            standard: onset(4),
            daylight: Onset { hour: 2, ..onset(10) },
            ..Rule::default()
        };
        TimeZone { key_name: "AUS Eastern Standard Time".into(), rules: vec![rule] }
    }

    #[test]
    fn local_times() {
        let cases = [
            (pacific(), "2007-01-15T10:00:00Z", "2007-01-15T18:00:00Z"),
            (pacific(), "2007-03-11T01:59:00Z", "2007-03-11T09:59:00Z"),
            (pacific(), "2007-03-11T03:00:00Z", "2007-03-11T10:00:00Z"),
            (pacific(), "2007-07-01T10:00:00Z", "2007-07-01T17:00:00Z"),
            (pacific(), "2007-11-04T00:59:00Z", "2007-11-04T07:59:00Z"),
            (pacific(), "2007-11-04T02:00:00Z", "2007-11-04T10:00:00Z"),
            // The rule of the years before.
            (pacific(), "2006-03-20T10:00:00Z", "2006-03-20T18:00:00Z"),
            (pacific(), "2006-10-28T10:00:00Z", "2006-10-28T17:00:00Z"),
            (sydney(), "2026-01-15T10:00:00Z", "2026-01-14T23:00:00Z"),
            (sydney(), "2026-07-15T10:00:00Z", "2026-07-15T00:00:00Z"),
            (TimeZone::default(), "2026-07-15T10:00:00Z", "2026-07-15T10:00:00Z"),
        ];
        for (zone, local, utc) in cases {
            assert_eq!(zone.to_utc(local.parse().unwrap()).to_string(), utc, "{local} {}", zone.key_name);
            assert_eq!(zone.to_local(utc.parse().unwrap()).to_string(), local, "{utc} {}", zone.key_name);
        }
        let twice = |utc: &str| pacific().to_local(utc.parse().unwrap()).to_string();
        assert_eq!(twice("2007-11-04T08:30:00Z"), "2007-11-04T01:30:00Z");
        assert_eq!(twice("2007-11-04T09:30:00Z"), "2007-11-04T01:30:00Z");
    }

    #[test]
    fn layout() {
        let bytes = pacific().encode_definition();
        assert_eq!(bytes[..8], [2, 1, 48, 0, 2, 0, 21, 0]);
        assert_eq!(bytes.len(), 4 + 48 + 2 * 66);
        assert_eq!(bytes[52..60], [2, 1, 0x3e, 0, 0, 0, 0x41, 6]);
        assert_eq!(TimeZone::decode_definition(&bytes), Ok(pacific()));
        let one = pacific().encode_struct();
        assert_eq!(one.len(), 48);
        let read = TimeZone::decode_struct(&one).unwrap();
        assert_eq!(read.to_utc("2026-07-01T10:00:00Z".parse().unwrap()).to_string(), "2026-07-01T17:00:00Z");
        for cut in 0..bytes.len() {
            assert_eq!(TimeZone::decode_definition(&bytes[..cut]), Err(TimeZoneError));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..180, to: u8) {
            let mut damaged = pacific().encode_definition();
            damaged[at] = to;
            for zone in [TimeZone::decode_definition(&damaged), TimeZone::decode_struct(&bytes)].into_iter().flatten() {
                let _ = zone.to_local(zone.to_utc(Time::from_date(2026, 3, 29)));
            }
        }

        #[test]
        fn times_come_back(minutes in 200_000_000u32..230_000_000) {
            for zone in [pacific(), sydney()] {
                let utc = minute_time(minutes);
                // The hour that comes twice is read as its second time.
                let again = zone.to_utc(zone.to_local(utc));
                prop_assert!(again == utc || again == utc.plus_seconds(3_600));
            }
        }
    }
}
