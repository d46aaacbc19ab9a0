//! What a client may answer to an item: the response objects that `CreateItem` takes for it.

use model::lids;
use xml::Writer;

use super::{Needs, Source, shown_with};
use crate::item::{Item, Rendering};
use crate::send::UNSENT;
use crate::{class, respond};

/// PidLidAppointmentStateFlags: a meeting, received from an organiser, cancelled.
const MEETING: i64 = 1;
const RECEIVED: i64 = 2;
const CANCELLED: i64 = 4;

pub(super) const RESPONSE_OBJECTS: Source = shown_with(Needs::NONE, write);

const ANSWERS: &[&str] = &["t:AcceptItem", "t:TentativelyAcceptItem", "t:DeclineItem"];
const REPLIES: &[&str] = &["t:ReplyToItem", "t:ReplyAllToItem"];
const FORWARD: &[&str] = &["t:ForwardItem"];

/// The names of the objects, in the order they are written.
fn objects(item: &Item<'_>) -> Vec<&'static str> {
    let class = class::of_item(&item.class());
    let state = item.number(&lids::STATE_FLAGS).unwrap_or_default();
    let draft = item.message_flags() & UNSENT != 0;
    let from_others = state & RECEIVED != 0;
    let groups: &[&[&str]] = match class.element {
        "t:CalendarItem" if state & MEETING == 0 => &[FORWARD],
        "t:CalendarItem" if !from_others && state & CANCELLED == 0 => &[&["t:CancelCalendarItem"], FORWARD],
        "t:CalendarItem" if !from_others => &[FORWARD],
        "t:CalendarItem" if state & CANCELLED != 0 => &[REPLIES, FORWARD, &["t:RemoveItem"]],
        "t:CalendarItem" => &[ANSWERS, REPLIES, FORWARD],
        "t:MeetingRequest" if !draft && !is_own(item) => &[ANSWERS, REPLIES, FORWARD],
        "t:MeetingCancellation" if !draft && !is_own(item) => &[REPLIES, FORWARD, &["t:RemoveItem"]],
        _ if respond::is_message(class) && !draft => &[REPLIES, FORWARD],
        _ => &[FORWARD],
    };
    groups.concat()
}

/// Whether the owner of the mailbox has sent it.
fn is_own(item: &Item<'_>) -> bool {
    const FROM_ME: i32 = 0x20;
    item.message_flags() & FROM_ME != 0
}

fn write(out: &mut Writer, element: &'static str, item: &Item<'_>, _: &Rendering<'_>) {
    // An item inside another has no id to refer to.
    if item.path.is_empty() {
        out.scope(element, |out| objects(item).into_iter().for_each(|name| out.empty(name)));
    }
}
