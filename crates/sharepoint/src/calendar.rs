//! What the server itself says of calendar items. \[MS-OUTSPS 3.2.4.2, 2.2.3\]

pub(crate) mod expand;
mod rule;

use engine::{EngineError, View};
use model::{Bag, ItemId, PropertyKey, Random, Time, Value, limits};

use crate::schema::List;

/// The template of calendars.
pub(crate) const TEMPLATE: i32 = 106;
const DAY_SECONDS: i64 = 86_400;

fn key(name: &'static str) -> PropertyKey {
    PropertyKey::Field(std::borrow::Cow::Borrowed(name))
}

/// Fills in what follows from the rest of an item: its kind, UID, end and duration.
pub(crate) fn complete(bag: &mut Bag, random: &dyn Random) {
    let number = |bag: &Bag, name: &'static str| bag.get(&key(name)).and_then(Value::as_i64);
    let truth = |bag: &Bag, name: &'static str| bag.get(&key(name)).and_then(Value::as_bool).unwrap_or(false);
    // 2 stands for nothing of its own; some clients send it for a single item.
    let kind = match number(bag, "EventType") {
        None | Some(2) => i64::from(truth(bag, "fRecurrence") && bag.get(&key("RecurrenceData")).is_some()),
        Some(kind) => kind,
    };
    bag.set(key("EventType"), Value::I32(kind as i32));
    bag.set(key("fRecurrence"), Value::Bool(matches!(kind, 1 | 3 | 4)));
    let all_day = truth(bag, "fAllDayEvent");
    bag.set(key("fAllDayEvent"), Value::Bool(all_day));
    if bag.get(&key("UID")).is_none() {
        bag.set(key("UID"), Value::Guid(random.guid()));
    }
    if let Some(text) = bag.text(&key("RecurrenceData")).map(without_delete_exceptions) {
        bag.set(key("RecurrenceData"), Value::Text(text));
    }
    let time = |bag: &Bag, name: &'static str| bag.get(&key(name)).and_then(Value::as_time);
    let Some(start) = time(bag, "EventDate") else { return };
    let end = time(bag, "EndDate").unwrap_or(start.plus_seconds(3_600)).max(start);
    let (start, end) = if all_day {
        let midnight = |time: Time| Time(time.0 - time.0.rem_euclid(Time::DAY));
        (midnight(start), midnight(end).plus_seconds(DAY_SECONDS - 60))
    } else {
        (start, end)
    };
    let seconds = (end.0 - start.0) / Time::SECOND;
    let duration = match (kind, all_day) {
        (1, true) => DAY_SECONDS - 60,
        // The end of a series is that of its last occurrence: the times of day tell how long one takes.
        (1, false) => seconds.rem_euclid(DAY_SECONDS),
        _ => seconds,
    };
    bag.set(key("EventDate"), Value::Time(start));
    bag.set(key("EndDate"), Value::Time(end));
    bag.set(key("Duration"), Value::I32(duration.clamp(0, i64::from(i32::MAX)) as i32));
}

/// Whether a change of this field of a series ends its exceptions. \[MS-OUTSPS 3.2.4.2\]
pub(crate) fn ends_exceptions(changed: &PropertyKey) -> bool {
    ["EndDate", "EventDate", "RecurrenceData", "UID", "XMLTZone"].iter().any(|name| *changed == key(name))
}

/// Whether an item is the master of a series; false where there is none.
///
/// # Errors
/// When the store fails.
pub(crate) async fn is_series(view: &mut View, list: &List, number: u32) -> Result<bool, EngineError> {
    let found = view.items(&[ItemId::in_list(list.id(), number)]).await?.pop().flatten();
    let Some(row) = found else { return Ok(false) };
    Ok(Bag::decode(&row.bag)?.get(&key("EventType")).and_then(Value::as_i64) == Some(1))
}

/// Whether an item is an exception of the series with this number.
pub(crate) fn is_exception_of(bag: &Bag, number: u32) -> bool {
    bag.get(&key("MasterSeriesItemID")).and_then(Value::as_i64) == Some(i64::from(number))
}

/// The exceptions of a series, none for an item that is none. Reads the list once for a series.
///
/// # Errors
/// When the store fails.
pub(crate) async fn exceptions(view: &mut View, list: &List, number: u32) -> Result<Vec<ItemId>, EngineError> {
    if !is_series(view, list, number).await? {
        return Ok(Vec::new());
    }
    let id = ItemId::in_list(list.id(), number);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = view.rows(list.id(), after, limits::PAGE_ROWS_MAX).await?;
        after = page.rows.last().map(|row| row.item);
        for row in &page.rows {
            if row.item != id && is_exception_of(&Bag::decode(&row.bag)?, number) {
                found.push(row.item);
            }
        }
        if !page.more {
            return Ok(found);
        }
    }
}

/// Recurrence data without the element that only asks the server for something.
fn without_delete_exceptions(text: &str) -> String {
    let Some(start) = text.find("<deleteExceptions") else { return text.to_owned() };
    let (head, tail) = text.split_at(start);
    let rest = match tail.split_once("</deleteExceptions>") {
        Some((_, rest)) => rest,
        None => tail.split_once("/>").map_or("", |(_, rest)| rest),
    };
    format!("{head}{rest}")
}

#[cfg(test)]
mod tests {
    use model::SeededRandom;

    use super::*;

    #[test]
    fn durations() {
        let at = |text: &str| Value::Time(text.parse().unwrap());
        for (start, end, all_day, kind, expected) in [
            ("2026-01-05T10:00:00Z", "2026-01-05T11:30:00Z", false, 0, 5_400),
            ("2026-01-05T00:00:00Z", "2026-01-05T00:00:00Z", true, 0, 86_340),
            ("2026-01-05T00:00:00Z", "2026-01-06T23:59:00Z", true, 0, 2 * 86_400 - 60),
            ("2026-01-05T10:00:00Z", "2026-03-05T11:00:00Z", false, 1, 3_600),
            ("2026-01-05T00:00:00Z", "2026-03-05T23:59:00Z", true, 1, 86_340),
        ] {
            let mut bag = Bag::new();
            bag.set(key("EventDate"), at(start));
            bag.set(key("EndDate"), at(end));
            bag.set(key("fAllDayEvent"), Value::Bool(all_day));
            bag.set(key("EventType"), Value::I32(kind));
            complete(&mut bag, &SeededRandom::new(1));
            assert_eq!(bag.get(&key("Duration")), Some(&Value::I32(expected)), "{start} {end}");
            assert!(bag.get(&key("UID")).is_some());
        }
        assert_eq!(
            without_delete_exceptions("<recurrence/><deleteExceptions>true</deleteExceptions>"),
            "<recurrence/>"
        );
    }
}
