//! Changes of one occurrence of a series: they are changes of its master's pattern.

use engine::{ItemDraft, ItemView, Mailbox, Precondition};
use mapi::recurrence::{Exception, minute_of};
use model::{Bag, PropertyKey, Value, lids, tags};

use crate::id::AnyId;
use crate::patch::{Patch, Step};
use crate::series::{self, Occurrence, Series};
use crate::{Failure, ResponseCode, id};

/// The properties that an occurrence may have of its own here.
const OWN: &[PropertyKey] = &[
    lids::START_WHOLE,
    lids::COMMON_START,
    tags::START_DATE,
    lids::END_WHOLE,
    lids::COMMON_END,
    tags::END_DATE,
    lids::LOCATION,
    lids::BUSY_STATUS,
    lids::ALL_DAY,
    lids::REMINDER_SET,
    lids::REMINDER_DELTA,
];

fn series_of(bag: &Bag) -> Option<Series> {
    Series::of(|key| bag.get(key).cloned())
}

fn store(bag: &mut Bag, series: &Series) {
    bag.set(lids::APPOINTMENT_RECUR, Value::binary(series.pattern.encode()));
}

/// The occurrence that an id means; `None` where it means a whole item.
///
/// # Errors
/// As [`AnyId::occurrence`]; when the store fails.
pub(super) async fn meant(mailbox: &Mailbox, any: &AnyId) -> Result<Option<Occurrence>, Failure> {
    if any.is_plain() {
        return Ok(None);
    }
    let mut view = mailbox.begin().await?;
    let row = view.item(any.item().item).await?;
    let series = series::load(&mut view, ItemView::new(&row)?).await?;
    any.occurrence(series.as_ref())
}

/// Takes an occurrence out of its series.
///
/// # Errors
/// When the series is gone or the store fails.
pub(super) async fn delete(mailbox: &Mailbox, any: &AnyId, occurrence: &Occurrence) -> Result<(), Failure> {
    let apply = |draft: &mut ItemDraft| {
        if let Some(mut series) = series_of(&draft.bag) {
            series.delete(occurrence.day);
            store(&mut draft.bag, &series);
        }
    };
    mailbox.update_item(any.item().item, Precondition::Any, &apply).await?;
    Ok(())
}

/// Whether an occurrence can have these changes of its own.
///
/// # Errors
/// `ErrorInvalidPropertySet` where it cannot: bodies, attendees and the like are those of the whole series here.
fn check(patch: &Patch) -> Result<(), Failure> {
    let fits = |step: &Step| match step {
        Step::Put(key, _) => OWN.contains(key),
        Step::Subject(_) => true,
        Step::Remove(_)
        | Step::Bits { .. }
        | Step::Read(_)
        | Step::Associated(_)
        | Step::Body { .. }
        | Step::Recipients { .. }
        | Step::AppendTexts(..) => false,
    };
    if patch.steps.iter().all(fits) {
        return Ok(());
    }
    let text = "Set action is invalid for property: one occurrence of a series may have its own subject, times, place, \
        busy status and reminder; change the series for anything else.";
    Err(Failure::text(ResponseCode::ErrorInvalidPropertySet, text))
}

/// Changes an occurrence, and gives its master as it is then.
///
/// # Errors
/// [`check`]; when the series is gone or the store fails.
pub(super) async fn change(
    mailbox: &Mailbox,
    any: &AnyId,
    expected: Precondition,
    occurrence: &Occurrence,
    patch: &Patch,
) -> Result<model::Seq, Failure> {
    check(patch)?;
    let apply = |draft: &mut ItemDraft| {
        let Some(mut series) = series_of(&draft.bag) else { return };
        let Some(current) = series.on_day(occurrence.day) else { return };
        let exception = merged(&series, &current, &draft.bag, patch);
        series.change(occurrence.day, exception);
        store(&mut draft.bag, &series);
    };
    Ok(mailbox.update_item(any.item().item, expected, &apply).await?.seq)
}

/// What the occurrence has of its own after the changes.
fn merged(series: &Series, current: &Occurrence, master: &Bag, patch: &Patch) -> Exception {
    let minute = |time| minute_of(series.zone.to_local(time));
    let mut own = current.exception.clone().unwrap_or_default();
    let time = |key: &PropertyKey, otherwise| {
        let put = patch.steps.iter().rev().find_map(|step| {
            if let Step::Put(have, value) = step { value.as_time().filter(|_| have == key) } else { None }
        });
        minute(put.unwrap_or(otherwise))
    };
    own.original_start = minute(current.original_start);
    own.start = time(&lids::START_WHOLE, current.start);
    own.end = time(&lids::END_WHOLE, current.end);
    for step in &patch.steps {
        match step {
            Step::Subject(subject) => own.subject = Some(subject.clone()),
            Step::Put(key, value) => put(&mut own, key, value),
            Step::Remove(_)
            | Step::Bits { .. }
            | Step::Read(_)
            | Step::Associated(_)
            | Step::Body { .. }
            | Step::Recipients { .. }
            | Step::AppendTexts(..) => {}
        }
    }
    // What is as in the series is not its own.
    own.subject = own.subject.filter(|subject| master.text(&tags::SUBJECT) != Some(subject));
    own.location = own.location.filter(|location| master.text(&lids::LOCATION) != Some(location));
    own
}

fn put(own: &mut Exception, key: &PropertyKey, value: &Value) {
    let number = || value.as_i64().and_then(|number| u32::try_from(number).ok());
    if *key == lids::LOCATION {
        own.location = if let Value::Text(text) = value { Some(text.clone()) } else { None };
    } else if *key == lids::BUSY_STATUS {
        own.busy_status = number();
    } else if *key == lids::ALL_DAY {
        own.all_day = value.as_bool();
    } else if *key == lids::REMINDER_SET {
        own.reminder_set = value.as_bool();
    } else if *key == lids::REMINDER_DELTA {
        own.reminder_delta = number();
    }
}

/// Writes an occurrence with its id alone.
pub(super) fn write_id_only(out: &mut xml::Writer, mailbox: &Mailbox, any: &AnyId, day: u32, seq: model::Seq) {
    let id::ItemRef { folder, item, .. } = any.item();
    out.scope("t:CalendarItem", |out| {
        let key = id::change_key(id::CALENDAR_ITEM_OBJECT, mailbox.guid(), seq);
        id::write(out, "t:ItemId", &id::occurrence_id(mailbox.guid(), *folder, *item, day), Some(&key));
    });
}
