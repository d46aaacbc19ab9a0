//! Synchronising the newest items of a folder alone.
//!
//! A window is made once, when a client begins: by age, by number, or both. It becomes a *floor*, the oldest place in the
//! order of receipt that is still inside, which goes into the state and stays there. From then on an item is inside or
//! outside for as long as it lives, since the time by which it is placed never changes: where its time of receipt is
//! changed later, the item keeps the first one beside it, and where it goes, its tombstone does. So the marks of a state
//! say of items inside what they say of all items without a window, and of items outside nothing is ever told. Items do
//! not leave a window by growing older.

use std::{cmp::Reverse, collections::BinaryHeap};

use bytes::Bytes;
use model::{Bag, BagRef, CollectionId, ItemId, PropertyKey, Seq, Time, Value, limits, sets, tags};
use store::{ItemRow, Tombstone, Want};

use crate::{EngineError, SyncScope, View};

/// In the bag of an item: the time by which it is placed, where its time of receipt is another by now.
const PLACED_AT: PropertyKey = PropertyKey::Lid(sets::HIGHWATER, 0x14);

/// Which items of a folder a client wants. 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Those received within so many days before the first call, ...
    pub days: u32,
    /// ... but so many of the newest at least, ...
    pub newest_min: u32,
    /// ... and so many of the newest at most.
    pub newest_max: u32,
}

/// A place in the order of receipt: the time, then the id, since many items may have the same time.
pub(crate) type Placed = (Time, ItemId);

/// A window as a state remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pane {
    /// What was asked for.
    pub(crate) window: Window,
    /// The oldest place inside.
    pub(crate) floor: Placed,
}

impl Window {
    /// Whether it bounds anything.
    pub const fn is_open(self) -> bool {
        self.days == 0 && self.newest_min == 0 && self.newest_max == 0
    }
}

/// The time by which an item is placed: that of receipt, or else that of its making.
fn time_of<'v>(get: impl Fn(&PropertyKey) -> Option<Value> + 'v) -> Time {
    let time = |key: &PropertyKey| get(key).and_then(|value| value.as_time());
    let known = time(&PLACED_AT).or_else(|| time(&tags::MESSAGE_DELIVERY_TIME)).or_else(|| time(&tags::CREATION_TIME));
    known.unwrap_or_default()
}

/// The time by which the item of a row that was read with its bag is placed. One that cannot be read is in every window.
pub(crate) fn placed_at(row: &ItemRow) -> Time {
    BagRef::new(&row.bag).map_or(Time(i64::MAX), |bag| time_of(|key| bag.get(key).map(|value| value.to_value())))
}

/// Keeps an item where it was placed at `before`, when its properties become those of `after`.
pub(crate) fn keep_place(before: Time, after: &mut Bag) {
    if time_of(|key| after.get(key).cloned()) != before {
        after.set(PLACED_AT, Value::Time(before));
    }
}

/// What the tombstone of the item of a row notes.
pub(crate) fn note(row: &ItemRow) -> Bytes {
    Bytes::copy_from_slice(&placed_at(row).0.to_be_bytes())
}

impl Pane {
    /// Whether the item of a row that was read with its bag is inside.
    pub(crate) fn takes(&self, row: &ItemRow) -> bool {
        (placed_at(row), row.item) >= self.floor
    }

    /// Whether an item that went was inside. Where its tombstone does not say, since it went with many others, it is
    /// taken for one that was: clients know what to do with a Delete of what they never had.
    pub(crate) fn took(&self, gone: &Tombstone) -> bool {
        let noted = <[u8; 8]>::try_from(gone.note.as_ref()).ok();
        noted.is_none_or(|time| (Time(i64::from_be_bytes(time)), gone.item) >= self.floor)
    }
}

impl View {
    /// Makes a window over a folder. By age alone it costs nothing; by number it reads the folder once, a page at a time.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn pane(
        &mut self,
        folder: CollectionId,
        scope: SyncScope,
        window: Window,
        now: Time,
    ) -> Result<Pane, EngineError> {
        let lowest = (Time(i64::MIN), ItemId(0));
        let age = i64::from(window.days).saturating_mul(Time::DAY);
        let mut floor = if window.days == 0 { lowest } else { (Time(now.0.saturating_sub(age)), ItemId(0)) };
        if window.newest_min > 0 && window.days > 0 {
            let least = self.newest(folder, scope, window.newest_min).await?;
            floor = floor.min(least.unwrap_or(lowest));
        } else if window.newest_min > 0 && window.newest_max == 0 {
            // Without another bound, what there is at least is all.
            floor = lowest;
        }
        if window.newest_max > 0 {
            let most = self.newest(folder, scope, window.newest_max).await?;
            floor = floor.max(most.unwrap_or(lowest));
        }
        Ok(Pane { window, floor })
    }

    /// The place of the `count`-th newest item; `None` where there are fewer.
    async fn newest(
        &mut self,
        folder: CollectionId,
        scope: SyncScope,
        count: u32,
    ) -> Result<Option<Placed>, EngineError> {
        let count = count as usize;
        let mut newest: BinaryHeap<Reverse<Placed>> = BinaryHeap::new();
        let mut up_to = self.position();
        loop {
            let page = self.snapshot.created(folder, Seq::ZERO, up_to, limits::PAGE_ROWS_MAX, Want::BAG).await?;
            for row in page.rows.iter().filter(|row| scope.takes(row.flags.has(model::ItemFlags::ASSOCIATED))) {
                newest.push(Reverse((placed_at(row), row.item)));
                if newest.len() > count {
                    newest.pop();
                }
            }
            let Some(last) = page.rows.last().filter(|_| page.more) else { break };
            up_to = Seq(last.created_seq.0.saturating_sub(1));
        }
        Ok(newest.peek().filter(|_| newest.len() == count).map(|Reverse(place)| *place))
    }
}
