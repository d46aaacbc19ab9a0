//! Series of appointments as they are stored here.

pub(crate) use content::series::{Occurrence, Series, settle};
use engine::{ItemView, View};
use model::{Bag, PropertyKey, lids};

use crate::Failure;

/// The series of a stored item, where it is the master of one. Costs a read where the pattern is a long one.
///
/// # Errors
/// When the store fails.
pub(crate) async fn load(view: &mut View, row: ItemView<'_>) -> Result<Option<Series>, Failure> {
    if row.bag().get(&lids::RECURRING).and_then(|value| value.to_value().as_bool()) != Some(true) {
        return Ok(None);
    }
    let light = row.bag();
    let of_light = |key: &PropertyKey| light.get(key).map(|value| value.to_value());
    let heavy = if [lids::APPOINTMENT_RECUR, lids::TIME_ZONE_RECUR].iter().all(|key| of_light(key).is_some()) {
        Bag::new()
    } else {
        view.heavy(row.row().item).await?
    };
    Ok(Series::of(|key| of_light(key).or_else(|| heavy.get(key).cloned())))
}
