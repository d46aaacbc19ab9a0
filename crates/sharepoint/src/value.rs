//! Values of fields as clients write them. \[MS-LISTSWS 3.1.4.31, MS-WSSTS 2.3\]

use model::{Time, Value};

use crate::{
    code::Failure,
    fields::{Field, FieldType, truth},
    names::Names,
};

/// Members of a value of several.
pub(crate) const MEMBERS_MAX: usize = 10_000;
/// Characters of a line of text.
const TEXT_CHARS_MAX: usize = 255;

/// What reading a value may need.
pub(crate) struct Reading<'a> {
    /// The users of the site, for logins in place of ids.
    pub(crate) names: &'a Names,
    /// The time now.
    pub(crate) now: Time,
}

/// Reads the value of a field. `None` clears it.
///
/// # Errors
/// [`Failure::Coded`] with the code of a bad value.
pub(crate) fn parse(field: &Field, text: &str, reading: &Reading<'_>) -> Result<Option<Value>, Failure> {
    let trimmed = text.trim();
    if trimmed.is_empty() && field.kind != FieldType::Note {
        return Ok(None);
    }
    let bad =
        || Failure::bad_value(format!("The value of the field {} is not valid: {}", field.name, excerpt(trimmed)));
    Ok(Some(match field.kind {
        FieldType::Text if text.chars().count() > TEXT_CHARS_MAX => return Err(bad()),
        FieldType::Note if text.is_empty() => return Ok(None),
        FieldType::Text | FieldType::Choice | FieldType::Note | FieldType::File | FieldType::ThreadIndex => {
            Value::text(text)
        }
        FieldType::ContentTypeId | FieldType::Computed | FieldType::Calculated | FieldType::DocLookup => {
            Value::text(text)
        }
        FieldType::Counter | FieldType::Integer | FieldType::ModStat => {
            let number = trimmed.parse::<f64>().map_err(|_| bad())?;
            if number.fract() != 0.0 || number.abs() > f64::from(i32::MAX) {
                return Err(bad());
            }
            Value::I32(number as i32)
        }
        FieldType::Number | FieldType::Currency => {
            let number = trimmed.parse::<f64>().ok().filter(|number| number.is_finite()).ok_or_else(bad)?;
            let bound = |name: &str| field.attribute(name).and_then(|text| text.parse::<f64>().ok());
            if bound("Min").is_some_and(|min| number < min) || bound("Max").is_some_and(|max| number > max) {
                return Err(bad());
            }
            Value::F64(number)
        }
        FieldType::Boolean | FieldType::AllDayEvent | FieldType::Recurrence | FieldType::Attachments => {
            Value::Bool(boolean(trimmed).ok_or_else(bad)?)
        }
        FieldType::DateTime if trimmed.eq_ignore_ascii_case("[today]") => Value::Time(reading.now.whole_second()),
        FieldType::DateTime => Value::Time(time(trimmed).ok_or_else(bad)?),
        FieldType::Guid => Value::Guid(trimmed.parse().map_err(|_| bad())?),
        FieldType::Url => Value::text(trimmed),
        FieldType::MultiChoice => Value::Texts(texts(text)),
        FieldType::Lookup => Value::I32(first_id(trimmed).ok_or_else(bad)?),
        FieldType::User => Value::I32(user(trimmed, reading.names).ok_or_else(bad)?),
        FieldType::LookupMulti => Value::I32s(multiple(trimmed, first_id).ok_or_else(bad)?),
        FieldType::UserMulti => Value::I32s(multiple(trimmed, |text| user(text, reading.names)).ok_or_else(bad)?),
    }))
}

/// Reads a point in time: ISO with a zone, or without one in the time of the site, with `T` or a space. Months, days and
/// hours may be of one digit, as in the samples of the documentation.
pub(crate) fn time(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Time>() {
        return Some(time.whole_second());
    }
    let (date, clock) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let two = |part: &str| format!("{part:0>2}");
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next()?, two(parts.next()?), two(parts.next()?));
    let clock = match clock.split_once(':') {
        Some((hour, rest)) => format!("{}:{rest}", two(hour)),
        None => "00:00:00".to_owned(),
    };
    format!("{year}-{month}-{day}T{clock}").parse::<Time>().ok().map(Time::whole_second)
}

/// Reads a truth value in the spellings of clients.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    if truth(Some(text)) {
        return Some(true);
    }
    (text == "0" || text.eq_ignore_ascii_case("false") || text.eq_ignore_ascii_case("no")).then_some(false)
}

/// The id at the start of `7` or `7;#Display`.
fn first_id(text: &str) -> Option<i32> {
    let digits = text.split(";#").next().unwrap_or(text).trim();
    digits.parse().ok().filter(|id| *id > 0)
}

/// A user by id, by `id;#name`, or by login, mail address or name (`-1;#login` too).
fn user(text: &str, names: &Names) -> Option<i32> {
    let login = text.strip_prefix("-1;#").unwrap_or(text);
    let known = |id: &i32| names.person_by_id(id.unsigned_abs()).is_some();
    first_id(text).filter(known).or_else(|| names.person_id(login.trim()).map(u32::cast_signed))
}

/// The members of `1;#A;#2;#B`, `1;#;#2;#` or `;#1;#2;#`: where a number is followed by something that is none, the
/// latter is its name.
fn multiple(text: &str, read: impl Fn(&str) -> Option<i32>) -> Option<Vec<i32>> {
    let parts: Vec<&str> = text.trim_matches(|c| c == ';' || c == '#').split(";#").take(MEMBERS_MAX).collect();
    let mut ids = Vec::new();
    // Pairs are `id;#name`. A list of ids alone is told by every second part being a number too.
    let numeric = |part: &&str| part.trim().parse::<i32>().is_ok();
    let ids_only = parts.len() > 1 && parts.iter().all(numeric);
    let step = if ids_only || parts.iter().all(|part| !numeric(part)) { 1 } else { 2 };
    for pair in parts.chunks(step) {
        // An id that is none, as in `-1;#login`, leaves the name.
        ids.push(pair.iter().find_map(|part| read(part.trim()))?);
    }
    Some(ids)
}

/// The members of `;#A;#B;#`; a doubled `;` in one stands for itself.
pub(crate) fn texts(text: &str) -> Vec<String> {
    let inner = text.strip_prefix(";#").unwrap_or(text);
    let inner = inner.strip_suffix(";#").unwrap_or(inner);
    inner.split(";#").take(MEMBERS_MAX).map(|part| part.replace(";;", ";")).filter(|part| !part.is_empty()).collect()
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        for (text, expected) in
            [("1;#A;#2;#B", vec![1, 2]), ("1;#;#2;#", vec![1, 2]), (";#3;#4;#", vec![3, 4]), ("7", vec![7])]
        {
            assert_eq!(multiple(text, first_id), Some(expected), "{text}");
        }
        assert_eq!(texts(";#A;#B;;C;#"), ["A", "B;C"]);
        assert_eq!(first_id("7;#Display"), Some(7));
        assert_eq!(boolean("-1"), Some(true));
        assert_eq!(boolean("perhaps"), None);
        assert!(time("2009-05-10 10:03:46").is_some());
        assert_eq!(time("2009-05-10T10:03:46Z"), time("2009-05-10 10:03:46"));
        assert_eq!(time("2007-10-2T14:00:00Z"), time("2007-10-02T14:00:00Z"));
        assert_eq!(time("2007-1-2 4:00:00"), time("2007-01-02T04:00:00Z"));
        for bad in ["soon", "", "2007-13-01", "2007-1", "é-1-1"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
