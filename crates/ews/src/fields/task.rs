//! Fields of tasks, after those of every item.

use model::{PropertyKey, sets};
use xml::Writer;

use super::{Able, Codec, Field, V7, recurrence, row, shown, stored};
use crate::item::{Item, Rendering};

const fn task(lid: u32) -> PropertyKey {
    PropertyKey::Lid(sets::TASK, lid)
}

const fn common(lid: u32) -> PropertyKey {
    PropertyKey::Lid(sets::COMMON, lid)
}

const STATUSES: Codec =
    Codec::NamesOr(&[(0, "NotStarted"), (1, "InProgress"), (2, "Completed"), (3, "WaitingOnOthers"), (4, "Deferred")]);
const DELEGATIONS: Codec =
    Codec::Names(&[(0, "NoMatch"), (1, "OwnNew"), (2, "Owned"), (3, "Accepted"), (4, "Declined"), (5, "Max")]);

/// The status in words.
fn write_description(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    let status = item.number(&task(0x8101)).unwrap_or_default();
    out.element(
        element,
        match status {
            1 => "In Progress",
            2 => "Completed",
            3 => "Waiting on someone else",
            4 => "Deferred",
            _ => "Not Started",
        },
    );
}

/// In schema order.
#[rustfmt::skip]
pub(crate) const FIELDS: &[Field] = &[
    stored("task:ActualWork",           "t:ActualWork",           task(0x8110), Codec::Int,     Able::EDIT, V7),
    stored("task:AssignedTime",         "t:AssignedTime",         task(0x8115), Codec::Time,    Able::READ, V7),
    stored("task:BillingInformation",   "t:BillingInformation",   common(0x8535), Codec::Text,  Able::EDIT, V7),
    stored("task:ChangeCount",          "t:ChangeCount",          task(0x8112), Codec::Int,     Able::READ, V7),
    stored("task:Companies",            "t:Companies",            common(0x8539), Codec::Texts, Able::EDIT, V7),
    stored("task:CompleteDate",         "t:CompleteDate",         task(0x810f), Codec::Time,    Able::EDIT, V7),
    stored("task:Contacts",             "t:Contacts",             common(0x853a), Codec::Texts, Able::EDIT, V7),
    stored("task:DelegationState",      "t:DelegationState",      task(0x8113), DELEGATIONS,    Able::READ, V7),
    stored("task:Delegator",            "t:Delegator",            task(0x8121), Codec::Text,    Able::READ, V7),
    stored("task:DueDate",              "t:DueDate",              task(0x8105), Codec::Time,    Able::EDIT, V7),
    stored("task:IsAssignmentEditable", "t:IsAssignmentEditable", task(0x8129), Codec::Int,     Able::READ, V7),
    stored("task:IsComplete",           "t:IsComplete",           task(0x811c), Codec::Bool,    Able::READ, V7),
    stored("task:IsRecurring",          "t:IsRecurring",          task(0x8126), Codec::Bool,    Able::READ, V7),
    stored("task:IsTeamTask",           "t:IsTeamTask",           task(0x8103), Codec::Bool,    Able::READ, V7),
    stored("task:Mileage",              "t:Mileage",              common(0x8534), Codec::Text,  Able::EDIT, V7),
    stored("task:Owner",                "t:Owner",                task(0x811f), Codec::Text,    Able::READ, V7),
    stored("task:PercentComplete",      "t:PercentComplete",      task(0x8102), Codec::Percent, Able::EDIT, V7),
    row("task:Recurrence",              "t:Recurrence",           recurrence::OF_TASK,          Able::GET_EDIT, V7),
    stored("task:StartDate",            "t:StartDate",            task(0x8104), Codec::Time,    Able::EDIT, V7),
    stored("task:Status",               "t:Status",               task(0x8101), STATUSES,       Able::EDIT, V7),
    row("task:StatusDescription",       "t:StatusDescription",    shown(write_description),     Able::SHOW, V7),
    stored("task:TotalWork",            "t:TotalWork",            task(0x8111), Codec::Int,     Able::EDIT, V7),
];
