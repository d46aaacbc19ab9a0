//! The occurrences of series in a window: what `DateRangesOverlap` chooses where `ExpandRecurrence` asks for it.
//!
//! An occurrence is a row like its master with times of its own and a number that names it: `12.0.2026-03-04T10:00:00Z`.
//! An exception is a row of its own already, and stands in place of the occurrence whose start it names; a deleted one
//! only takes it away.

use engine::View;
use mapi::{recurrence::day_of, time_zone::TimeZone};
use model::{Bag, PropertyKey, Time, Value, limits};

use super::{DAY_SECONDS, key, rule};
use crate::{
    caml::{FieldRef, Moment, OrderKey, SortCell, sort_cells},
    code::Failure,
    listing::{Bookmark, Filter, Listing, order_rows},
    rows::{Item, OCCURRENCE, Row},
    schema::List,
};

/// Occurrences of one series in one window.
const OCCURRENCES_MAX: usize = 1_000;
/// Rows and occurrences in one window.
const ROWS_MAX: usize = 20_000;

/// A row with what it is sorted by.
type Keyed = (Vec<SortCell>, u32, Item);

/// The page of a list of appointments in which series stand as their occurrences; `None` where the condition asks for no
/// window. Reads the list once.
///
/// # Errors
/// When the store fails; [`Failure::Uncoded`] past the bounds.
pub(crate) async fn page(
    view: &mut View,
    list: &List,
    filter: &Filter,
    order: &[OrderKey],
    after: Option<&Bookmark>,
    limit: Option<usize>,
    moment: &Moment<'_>,
) -> Result<Option<Listing>, Failure> {
    let Some((from, to)) = filter.condition.as_ref().and_then(|condition| condition.window(moment)) else {
        return Ok(None);
    };
    // The occurrences of a series have one number: their starts tell them apart.
    let mut order = order.to_vec();
    if order.iter().all(|key| key.field.name() != "EventDate") {
        order.push(OrderKey { field: FieldRef::named("EventDate"), ascending: true });
    }
    let mut found: Vec<Keyed> = Vec::new();
    let (mut masters, mut ends, mut last) = (Vec::new(), Vec::new(), None);
    loop {
        let page = view.rows(list.id(), last, limits::PAGE_ROWS_MAX).await?;
        last = page.rows.last().map(|row| row.item);
        for item in page.rows.into_iter().map(Item::from) {
            let row = Row::new(list, &item)?;
            let number = |name: &'static str| row.stored(name).as_ref().and_then(Value::as_i64);
            let kind = number("EventType").unwrap_or(0);
            if let (3 | 4, Some(master), Some(Value::Time(start))) =
                (kind, number("MasterSeriesItemID"), row.stored("RecurrenceID"))
            {
                ends.push((master, start.whole_second()));
            }
            match kind {
                1 => masters.push(item),
                3 => {}
                _ if filter.takes(&row, moment) => {
                    let cells = sort_cells(&row, &order, moment.names);
                    found.push((cells, row.number(), item));
                }
                _ => {}
            }
            if found.len().max(masters.len()).max(ends.len()) > ROWS_MAX {
                return Err(too_many());
            }
        }
        if !page.more {
            break;
        }
    }
    for master in masters {
        let number = master.id.number();
        let gone = |start: Time| ends.contains(&(i64::from(number), start));
        for (start, mut bag) in occurrences(&master, from, to)?.into_iter().filter(|(start, _)| !gone(*start)) {
            let item = Item { bag: bag.to_bytes(), ..master.clone() };
            let row = Row::new(list, &item)?;
            if filter.takes(&row, moment) {
                let cells = sort_cells(&row, &order, moment.names);
                bag.set(OCCURRENCE, Value::Text(format!("{number}.0.{start}")));
                found.push((cells, number, Item { bag: bag.to_bytes(), ..item }));
            }
        }
        if found.len() > ROWS_MAX {
            return Err(too_many());
        }
    }
    Ok(Some(page_of(&order, after, limit, found)))
}

fn too_many() -> Failure {
    Failure::uncoded("There are too many occurrences at that time.")
}

fn page_of(order: &[OrderKey], after: Option<&Bookmark>, limit: Option<usize>, mut found: Vec<Keyed>) -> Listing {
    let placed = |row: &Keyed| (row.0.clone(), row.1);
    found.sort_by(|left, right| order_rows(order, &placed(left), &placed(right)));
    if let Some((cells, number)) = after.and_then(|bookmark| Some((bookmark.cells(order)?, bookmark.number))) {
        let mark = (cells, number);
        found.retain(|row| order_rows(order, &placed(row), &mark).is_gt());
    }
    let more = limit.is_some_and(|limit| found.len() > limit);
    found.truncate(limit.unwrap_or(usize::MAX));
    let next = found.last().filter(|_| more).map(|(cells, number, _)| Bookmark::of(order, cells, *number));
    Listing { items: found.into_iter().map(|(_, _, item)| item).collect(), next, ..Listing::default() }
}

/// The occurrences of a series that may lie in a window, by start, each with its properties.
fn occurrences(master: &Item, from: Time, to: Time) -> Result<Vec<(Time, Bag)>, Failure> {
    let bag = Bag::decode(&master.bag).map_err(engine::EngineError::from)?;
    let time = |name: &'static str| bag.get(&key(name)).and_then(Value::as_time);
    let text = |name: &'static str| bag.text(&key(name)).unwrap_or_default();
    let Some(begins) = time("EventDate") else { return Ok(Vec::new()) };
    // All-day series are on their dates everywhere.
    let all_day = bag.get(&key("fAllDayEvent")).and_then(Value::as_bool).unwrap_or(false);
    let zone = if all_day { TimeZone::default() } else { rule::zone(text("XMLTZone")) };
    let local = zone.to_local(begins);
    let Some(pattern) = rule::pattern(text("RecurrenceData"), local) else { return Ok(Vec::new()) };
    let lasts = bag.get(&key("Duration")).and_then(Value::as_i64).unwrap_or(0).clamp(0, i64::from(i32::MAX));
    let into_day = Time(local.0.rem_euclid(Time::DAY));
    // A day more on either side: the zone moves the start, and the one before may last into the window.
    let earliest = from.plus_seconds(-lasts - 2 * DAY_SECONDS);
    let mut found = Vec::new();
    for day in pattern.days_from(day_of(zone.to_local(earliest.max(Time(0))))).take(OCCURRENCES_MAX) {
        let start = zone.to_utc(Time(mapi::recurrence::time_of(day).0.saturating_add(into_day.0)));
        if start >= to {
            break;
        }
        let mut own = bag.clone();
        own.set(key("EventDate"), Value::Time(start));
        own.set(key("EndDate"), Value::Time(start.plus_seconds(lasts)));
        own.set(PropertyKey::field("RecurrenceID"), Value::Time(start));
        found.push((start.whole_second(), own));
    }
    Ok(found)
}
