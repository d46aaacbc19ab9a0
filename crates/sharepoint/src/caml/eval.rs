//! Whether a row satisfies a condition, and in which order rows stand.

use std::cmp::Ordering;

use engine::GROUPS;
use model::{Civil, Time, Value};

use super::{CamlValue, Condition, FieldRef, How, Membership, Operand, OrderKey, Span};
use crate::{
    fields::Field,
    names::{self, Names},
    rows::Row,
    value,
};

/// What conditions are measured against besides the row.
pub(crate) struct Moment<'a> {
    /// The time now.
    pub(crate) now: Time,
    /// The caller.
    pub(crate) user_id: u32,
    /// The day that `Week`, `Month` and `Year` lie around.
    pub(crate) calendar_date: Option<Time>,
    /// Names of users and looked-up rows, for fields compared by name.
    pub(crate) names: &'a Names,
}

impl Condition {
    /// Whether `row` satisfies the condition. A field that the list has not holds nothing.
    pub(crate) fn holds(&self, row: &Row<'_>, moment: &Moment<'_>) -> bool {
        match self {
            Self::And(parts) => parts.iter().all(|part| part.holds(row, moment)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(row, moment)),
            Self::Compare { .. }
            | Self::In { .. }
            | Self::IsNull(_)
            | Self::IsNotNull(_)
            | Self::Membership { .. }
            | Self::Overlap { .. } => self.holds_alone(row, moment),
        }
    }

    /// The window of a `DateRangesOverlap` in the condition, from (inclusive) and to (exclusive).
    pub(crate) fn window(&self, moment: &Moment<'_>) -> Option<(Time, Time)> {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().find_map(|part| part.window(moment)),
            Self::Overlap { value, .. } => Some(window(value, moment)),
            Self::Compare { .. } | Self::In { .. } | Self::IsNull(_) | Self::IsNotNull(_) | Self::Membership { .. } => {
                None
            }
        }
    }

    /// [`Self::holds`] for conditions that have no others inside.
    fn holds_alone(&self, row: &Row<'_>, moment: &Moment<'_>) -> bool {
        match self {
            Self::And(_) | Self::Or(_) => false,
            Self::IsNull(field) => !has_value(row, field),
            Self::IsNotNull(field) => has_value(row, field),
            Self::Compare { field, how, value } => compare(row, field, *how, value, moment),
            Self::In { field, values } => values.iter().any(|value| compare(row, field, How::Eq, value, moment)),
            Self::Membership { field, of } => {
                let found = field.find(row.list).and_then(|field| row.value(field));
                let ids = found.map(|value| names::ids(&value)).unwrap_or_default();
                match of {
                    Membership::Everybody => !ids.is_empty(),
                    Membership::Caller => {
                        let is_own = |id: &u32| *id == moment.user_id || moment.names.is_member(*id, moment.user_id);
                        ids.iter().any(is_own)
                    }
                    Membership::Group(group) => ids.iter().any(|id| moment.names.is_member(*group, *id)),
                    Membership::Groups => ids.iter().any(|id| GROUPS.iter().any(|group| group.id == *id)),
                }
            }
            Self::Overlap { start, end, value } => {
                let at = |field: &FieldRef| {
                    field.find(row.list).and_then(|field| row.value(field)).and_then(|value| value.as_time())
                };
                let (Some(start), Some(end)) = (at(start), at(end).or_else(|| at(start))) else { return false };
                let (from, to) = window(value, moment);
                start < to && end >= from
            }
        }
    }
}

fn has_value(row: &Row<'_>, field: &FieldRef) -> bool {
    let value = field.find(row.list).and_then(|field| row.value(field));
    value.is_some_and(|value| value.as_text() != Some(""))
}

fn compare(row: &Row<'_>, name: &FieldRef, how: How, value: &CamlValue, moment: &Moment<'_>) -> bool {
    let Some(field) = name.find(row.list) else { return false };
    let Some(stored) = row.value(field) else { return false };
    if let How::NotIncludes = how {
        return !compare(row, name, How::Includes, value, moment);
    }
    if how == How::Neq && is_multiple(&stored) {
        return !compare(row, name, How::Eq, value, moment);
    }
    let lookup = field.kind.is_user() || field.kind.is_lookup();
    if lookup {
        return match wanted_lookup(name, value, moment) {
            None => false,
            Some(Wanted::Id(wanted)) => {
                names::ids(&stored).iter().any(|id| accepts(how, f64::from(*id).partial_cmp(&wanted)))
            }
            Some(Wanted::Text(wanted)) => {
                moment.names.texts(field, &stored).iter().any(|text| text_holds(how, text, &wanted))
            }
        };
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the other types are numbers, or hold nothing in lists")]
    match &stored {
        Value::Time(time) => time_holds(how, *time, value, moment),
        Value::Texts(members) => {
            let Operand::Text(wanted) = &value.operand else { return false };
            let wanted = wanted.trim_matches(|c| c == ';' || c == '#');
            members.iter().any(|member| text_holds(how, member, wanted))
        }
        Value::Text(text) => {
            let wanted = match &value.operand {
                Operand::Text(wanted) => wanted.as_str(),
                Operand::Today(_) | Operand::Now | Operand::Span(_) | Operand::UserId | Operand::ListProperty(_) => {
                    return false;
                }
            };
            // Paths are kept without the slash that clients put first.
            let path = matches!(&*field.name, "FileRef" | "FileDirRef");
            let wanted = if path { wanted.trim_start_matches('/') } else { wanted };
            text_holds(how, text, wanted)
        }
        Value::Guid(guid) => {
            let Operand::Text(wanted) = &value.operand else { return false };
            accepts(how, wanted.trim().parse().ok().map(|wanted| guid.cmp(&wanted)))
        }
        other => number_holds(how, other, value, moment),
    }
}

/// What lookups are compared with.
pub(super) enum Wanted {
    /// An id.
    Id(f64),
    /// A name.
    Text(String),
}

/// What a lookup is compared with. `None` where it compares with nothing.
pub(super) fn wanted_lookup(name: &FieldRef, value: &CamlValue, moment: &Moment<'_>) -> Option<Wanted> {
    let by_id = name.lookup_id || value.operand == Operand::UserId;
    let wanted = match &value.operand {
        Operand::UserId => moment.user_id.to_string(),
        Operand::Text(text) => text.trim().to_owned(),
        Operand::Today(_) | Operand::Now | Operand::Span(_) | Operand::ListProperty(_) => return None,
    };
    // An integer compared without LookupId means the id as well.
    if by_id || matches!(value.kind.as_str(), "integer" | "counter") {
        return wanted.split(";#").next().unwrap_or_default().parse::<f64>().ok().map(Wanted::Id);
    }
    Some(Wanted::Text(wanted))
}

fn is_multiple(value: &Value) -> bool {
    matches!(value, Value::Texts(_) | Value::I32s(_))
}

fn accepts(how: How, order: Option<Ordering>) -> bool {
    let Some(order) = order else { return how == How::Neq };
    match how {
        How::Eq | How::Includes => order.is_eq(),
        How::Neq | How::NotIncludes => order.is_ne(),
        How::Gt => order.is_gt(),
        How::Geq => order.is_ge(),
        How::Lt => order.is_lt(),
        How::Leq => order.is_le(),
        How::BeginsWith | How::Contains => false,
    }
}

/// Text compares without case, as in the collation of the database of the original.
pub(super) fn text_holds(how: How, text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.to_lowercase(), wanted.to_lowercase());
    match how {
        How::BeginsWith => text.starts_with(&wanted),
        How::Contains => text.contains(&wanted),
        How::Eq | How::Neq | How::Gt | How::Geq | How::Lt | How::Leq | How::Includes | How::NotIncludes => {
            accepts(how, Some(text.as_str().cmp(&wanted)))
        }
    }
}

fn number_holds(how: How, stored: &Value, value: &CamlValue, moment: &Moment<'_>) -> bool {
    let Some(number) = as_number(stored) else { return false };
    let wanted = wanted_number(value, moment);
    match how {
        How::BeginsWith | How::Contains => {
            let Operand::Text(wanted) = &value.operand else { return false };
            text_holds(how, &crate::rows::plain_text(stored, false), wanted.trim())
        }
        How::Eq | How::Neq | How::Gt | How::Geq | How::Lt | How::Leq | How::Includes | How::NotIncludes => {
            accepts(how, wanted.and_then(|wanted| number.partial_cmp(&wanted)))
        }
    }
}

/// What numbers are compared with.
pub(super) fn wanted_number(value: &CamlValue, moment: &Moment<'_>) -> Option<f64> {
    match &value.operand {
        Operand::Text(text) => {
            let text = text.trim();
            let first = text.split(";#").next().unwrap_or(text);
            first.parse::<f64>().ok().or_else(|| value::boolean(text).map(|flag| f64::from(u8::from(flag))))
        }
        Operand::UserId => Some(f64::from(moment.user_id)),
        Operand::Today(_) | Operand::Now | Operand::Span(_) | Operand::ListProperty(_) => None,
    }
}

fn as_number(value: &Value) -> Option<f64> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "of the types of values, these are numbers in lists")]
    match value {
        Value::I32(number) => Some(f64::from(*number)),
        Value::I64(number) => Some(*number as f64),
        Value::F64(number) => Some(*number),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        _ => None,
    }
}

/// Only the dates are compared, unless the client says otherwise.
fn time_holds(how: How, stored: Time, value: &CamlValue, moment: &Moment<'_>) -> bool {
    let Some(wanted) = wanted_time(value, moment) else { return false };
    let order = if value.include_time {
        stored.whole_second().cmp(&wanted.whole_second())
    } else {
        midnight(stored).cmp(&midnight(wanted))
    };
    accepts(how, Some(order))
}

/// What times are compared with.
pub(super) fn wanted_time(value: &CamlValue, moment: &Moment<'_>) -> Option<Time> {
    match &value.operand {
        Operand::Text(text) => value::time(text),
        Operand::Today(days) => Some(midnight(moment.now).plus_seconds(days.saturating_mul(86_400))),
        Operand::Now => Some(moment.now),
        Operand::Span(_) | Operand::UserId | Operand::ListProperty(_) => None,
    }
}

pub(super) fn midnight(time: Time) -> Time {
    Time(time.0 - time.0.rem_euclid(Time::DAY))
}

/// From when (inclusive) to when (exclusive) a `DateRangesOverlap` asks.
fn window(value: &CamlValue, moment: &Moment<'_>) -> (Time, Time) {
    let anchor = moment.calendar_date.unwrap_or(moment.now);
    let day = |time: Time| (midnight(time), midnight(time).plus_seconds(86_400));
    match &value.operand {
        Operand::Text(text) => day(value::time(text).unwrap_or(anchor)),
        // Now and later, as the calendar's "current events" ask.
        Operand::Now => (moment.now, Time(i64::MAX)),
        Operand::Today(days) => day(anchor.plus_seconds(days.saturating_mul(86_400))),
        Operand::UserId | Operand::ListProperty(_) => day(anchor),
        Operand::Span(span) => {
            let Civil { year, month, .. } = anchor.civil();
            match span {
                Span::Week => {
                    // 1601-01-01 was a Monday; weeks start on Sunday.
                    let weekday = (midnight(anchor).0 / Time::DAY + 1).rem_euclid(7);
                    let start = midnight(anchor).plus_seconds(-weekday * 86_400);
                    (start, start.plus_seconds(7 * 86_400))
                }
                Span::Month => {
                    let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                    // The page of a month shows the weeks around it too.
                    let start = Time::from_date(year, month, 1).plus_seconds(-7 * 86_400);
                    (start, Time::from_date(next_year, next, 1).plus_seconds(7 * 86_400))
                }
                Span::Year => (Time::from_date(year, 1, 1), Time::from_date(year + 1, 1, 1)),
            }
        }
    }
}

/// A value as it is ordered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SortCell {
    /// No value; first.
    Null,
    /// Numbers, times, truth.
    Number(f64),
    /// Text in lower case.
    Text(String),
}

impl SortCell {
    /// The order of two cells.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Number(left), Self::Number(right)) => left.total_cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// The cells of a row for an order, one a key.
pub(crate) fn sort_cells(row: &Row<'_>, order: &[OrderKey], names: &Names) -> Vec<SortCell> {
    order
        .iter()
        .map(|key| match key.field.find(row.list) {
            Some(field) => row.value(field).map_or(SortCell::Null, |value| cell(field, &value, names)),
            None => SortCell::Null,
        })
        .collect()
}

fn cell(field: &Field, value: &Value, names: &Names) -> SortCell {
    if field.kind.is_user() || field.kind.is_lookup() {
        return SortCell::Text(names.texts(field, value).join(";").to_lowercase());
    }
    if let Value::Time(time) = value {
        return SortCell::Number(time.0.div_euclid(Time::SECOND) as f64);
    }
    match as_number(value) {
        // Zero has no sign here.
        Some(number) => SortCell::Number(number + 0.0),
        None => SortCell::Text(crate::rows::plain_text(value, true).to_lowercase()),
    }
}
