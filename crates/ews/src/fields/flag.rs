//! The follow-up flag.

use model::{PropertyKey, Value, sets, tags};
use xml::{Node, Writer};

use super::Codec;
use crate::item::{Item, Rendering};
use crate::patch::Step;
use crate::{Failure, ResponseCode, local_time};

/// PidLidTaskStartDate.
const START: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8104);
/// PidLidTaskDueDate.
const DUE: PropertyKey = PropertyKey::Lid(sets::TASK, 0x8105);
/// PidLidTaskDateCompleted.
const COMPLETED: PropertyKey = PropertyKey::Lid(sets::TASK, 0x810f);
/// PidTagFlagStatus of a flag that is done, and of one that is not.
const COMPLETE: i64 = 1;
const FLAGGED: i64 = 2;

/// How conditions name the status.
pub(crate) const STATUSES: Codec = Codec::NamesOr(&[(0, "NotFlagged"), (1, "Complete"), (2, "Flagged")]);

/// Writes the flag, also where it is not set.
pub(crate) fn write(out: &mut Writer, element: &'static str, item: &Item<'_>, rendering: &Rendering<'_>) {
    let status = item.number(&tags::FLAG_STATUS);
    let time = |key: &PropertyKey| item.value(key).and_then(|value| value.as_time());
    out.start(element);
    match status {
        Some(COMPLETE) => {
            out.element("t:FlagStatus", "Complete");
            if let Some(completed) = time(&COMPLETED).or_else(|| time(&tags::FLAG_COMPLETE_TIME)) {
                out.element("t:CompleteDate", &rendering.header.time(completed));
            }
        }
        Some(FLAGGED) => {
            out.element("t:FlagStatus", "Flagged");
            for (name, key) in [("t:StartDate", &START), ("t:DueDate", &DUE)] {
                if let Some(date) = time(key) {
                    out.element(name, &rendering.header.time(date));
                }
            }
        }
        Some(_) | None => out.element("t:FlagStatus", "NotFlagged"),
    }
    out.end();
}

/// Reads the flag. Its children may be in another namespace than the schema's.
pub(crate) fn read(node: Node<'_>) -> Result<Vec<Step>, Failure> {
    let invalid = || Failure::field(ResponseCode::ErrorInvalidValueForProperty, "item:Flag");
    let date = |name: &str, key: &PropertyKey| match node.child_local(name) {
        None => Ok::<_, Failure>(Step::Remove(key.clone())),
        Some(child) => {
            let time = local_time::parse(&child.text()).ok_or_else(invalid)?;
            Ok(Step::Put(key.clone(), Value::Time(time)))
        }
    };
    let status = node.child_local("FlagStatus").ok_or_else(invalid)?.text();
    let status = match status.trim() {
        "NotFlagged" => Step::Remove(tags::FLAG_STATUS),
        "Flagged" => Step::Put(tags::FLAG_STATUS, Value::I32(FLAGGED as i32)),
        "Complete" => Step::Put(tags::FLAG_STATUS, Value::I32(COMPLETE as i32)),
        _ => return Err(invalid()),
    };
    Ok(vec![
        status,
        date("StartDate", &START)?,
        date("DueDate", &DUE)?,
        date("CompleteDate", &COMPLETED)?,
        date("CompleteDate", &tags::FLAG_COMPLETE_TIME)?,
    ])
}
