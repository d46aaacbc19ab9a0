//! Reading a page of rows by the indexes of a list.
//!
//! What may satisfy the condition comes from stretches of indexes, or all rows in the order of one; every row is still
//! judged by the filter. Three ways, by what the order asks: rows of single keys come by number, merged; rows of one index
//! come in its order; and where few rows are in question they are read and sorted.

use bytes::Bytes;
use engine::{ListIndex, View, key_is_exact, key_of_nothing, key_of_number, key_of_text};
use model::{ItemId, limits};
use store::{Direction, KeyRange};

use super::{Bookmark, Filter, Listing, is_id, sorted_page, take};
use crate::{
    caml::{Access, Moment, OrderKey, SortCell, Stretch, accesses, sort_cells},
    code::Failure,
    rows::{Item, Row},
    schema::List,
};

/// Keys of a way that are read to see whether it is a short one.
const PROBE_KEYS_MAX: usize = if cfg!(test) { 8 } else { limits::PAGE_ROWS_MAX };
/// Rows that are fetched and sorted because indexes name them.
const CHOSEN_ROWS_MAX: usize = if cfg!(test) { 24 } else { 100_000 };
/// Stretches that are merged by number.
const MERGED_MAX: usize = if cfg!(test) { 4 } else { 64 };
/// Rows in the order of an index that may be passed over before reading the list is the better way.
const PASSED_OVER_MAX: usize = if cfg!(test) { 16 } else { 20_000 };

/// What is asked for.
pub(super) struct Question<'a> {
    pub(super) list: &'a List,
    pub(super) filter: &'a Filter,
    pub(super) order: &'a [OrderKey],
    pub(super) after: Option<&'a Bookmark>,
    pub(super) limit: usize,
    pub(super) moment: &'a Moment<'a>,
}

/// In which order rows are asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By number.
    Number { ascending: bool },
    /// By the keys of an index, then by number.
    Index { index: u32, ascending: bool },
    /// Otherwise.
    Other,
}

/// Reads the page; `None` where reading the list is the better way. `start` is the page without rows.
///
/// # Errors
/// When the store fails.
pub(super) async fn read(
    view: &mut View,
    question: &Question<'_>,
    start: &Listing,
) -> Result<Option<Listing>, Failure> {
    if question.filter.folder.is_none() {
        return Ok(None);
    }
    let indexes = view.ready_indexes(&question.list.collection).await?;
    if indexes.is_empty() {
        return Ok(None);
    }
    let order = order(question, &indexes);
    let condition = question.filter.condition.as_ref();
    let ways = condition.map(|condition| accesses(condition, question.list, &indexes, question.moment));
    let ways = ways.unwrap_or_default();
    let streams = |way: &Access| match order {
        Order::Number { .. } => way.is_points() && way.len() <= MERGED_MAX,
        Order::Index { index, .. } => way.index().is_some_and(|(own, _)| own == index),
        Order::Other => false,
    };
    // Where there is but one way, and it gives the order, nothing has to be weighed.
    if !matches!(ways.as_slice(), [way] if streams(way)) {
        let mut shortest: Option<Vec<ItemId>> = None;
        for way in &ways {
            let most = shortest.as_ref().map_or(PROBE_KEYS_MAX, Vec::len);
            if let Some(ids) = ids(view, question, way, most).await? {
                shortest = Some(ids);
            }
        }
        if let Some(ids) = shortest {
            return chosen(view, question, order, ids, start).await.map(Some);
        }
    }
    if let Some(way) = ways.iter().find(|way| streams(way)) {
        let found = match order {
            Order::Index { index, ascending } => {
                let stretches = way.index().map(|(_, stretches)| stretches).unwrap_or_default();
                in_order(view, question, index, stretches, ascending, usize::MAX, start).await?
            }
            Order::Number { ascending } => merged(view, question, way, ascending, start).await.map(Some)?,
            Order::Other => None,
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    if let Some(way) = ways.first()
        && let Some(ids) = ids(view, question, way, CHOSEN_ROWS_MAX).await?
    {
        return chosen(view, question, order, ids, start).await.map(Some);
    }
    match order {
        Order::Index { index, ascending } if question.limit <= limits::PAGE_ROWS_MAX => {
            in_order(view, question, index, &[Stretch::all()], ascending, PASSED_OVER_MAX, start).await
        }
        Order::Index { .. } | Order::Number { .. } | Order::Other => Ok(None),
    }
}

/// Whether the order is one that an index gives. Users and lookups are ordered by name and indexed by id.
fn order(question: &Question<'_>, indexes: &[ListIndex]) -> Order {
    let (first, rest) = match question.order {
        [] => return Order::Number { ascending: true },
        [first, rest @ ..] => (first, rest),
    };
    if is_id(question.list, first) {
        return Order::Number { ascending: first.ascending };
    }
    let by_number = match rest {
        [] => true,
        [second, ..] => second.ascending && is_id(question.list, second),
    };
    let field = first.field.find(question.list).filter(|field| !field.kind.is_user() && !field.kind.is_lookup());
    match field.and_then(|field| indexes.iter().find(|index| index.field == field.name)) {
        Some(index) if by_number => Order::Index { index: index.number, ascending: first.ascending },
        Some(_) | None => Order::Other,
    }
}

/// The rows of a way, in order of number; `None` where there are more than `rows_max`.
async fn ids(
    view: &mut View,
    question: &Question<'_>,
    way: &Access,
    rows_max: usize,
) -> Result<Option<Vec<ItemId>>, Failure> {
    let mut ids = Vec::new();
    for (index, range) in way.ranges() {
        let mut after: Option<(Bytes, ItemId)> = None;
        loop {
            let from = after.as_ref().map(|(value, item)| (&value[..], *item));
            let room = rows_max.saturating_sub(ids.len()).saturating_add(1).min(limits::PAGE_ROWS_MAX);
            let page = view.keys(question.list.id(), index, &range, Direction::Ascending, from, room).await?;
            ids.extend(page.rows.iter().map(|(_, item)| *item));
            if ids.len() > rows_max {
                return Ok(None);
            }
            after = page.rows.into_iter().next_back();
            if !page.more {
                break;
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(Some(ids))
}

/// The page out of rows that are known by number, in ascending order.
async fn chosen(
    view: &mut View,
    question: &Question<'_>,
    order: Order,
    mut ids: Vec<ItemId>,
    start: &Listing,
) -> Result<Listing, Failure> {
    let Question { list, filter, moment, limit, after, .. } = *question;
    if let Order::Number { ascending } = order {
        if !ascending {
            ids.reverse();
        }
        ids.retain(|id| is_behind(after, ascending, *id));
        let (mut listing, mut rest) = (start.clone(), ids.as_slice());
        while !rest.is_empty() {
            let room = limit.saturating_sub(listing.len()).saturating_add(1).min(limits::PAGE_ROWS_MAX);
            let (chunk, behind) = rest.split_at(room.min(rest.len()));
            rest = behind;
            if take_all(view, question, chunk, &mut listing).await? {
                break;
            }
        }
        return Ok(listing);
    }
    let mut keyed = Vec::new();
    for chunk in ids.chunks(limits::PAGE_ROWS_MAX) {
        for item in view.items(chunk).await?.into_iter().flatten().map(Item::from) {
            let row = Row::new(list, &item)?;
            if filter.takes(&row, moment) {
                keyed.push((sort_cells(&row, question.order, moment.names), row.number()));
            }
        }
    }
    sorted_page(view, list, question.order, after, limit, keyed, start.clone()).await
}

/// Whether a row comes behind the bookmark, by number.
fn is_behind(after: Option<&Bookmark>, ascending: bool, id: ItemId) -> bool {
    let number = after.map_or(0, |bookmark| bookmark.number);
    number == 0 || if ascending { id.number() > number } else { id.number() < number }
}

/// Takes rows by number; true when the page is full.
async fn take_all(
    view: &mut View,
    question: &Question<'_>,
    ids: &[ItemId],
    listing: &mut Listing,
) -> Result<bool, Failure> {
    let Question { list, filter, limit, moment, .. } = *question;
    for row in view.items(ids).await?.into_iter().flatten() {
        if take(listing, list, filter, Item::from(row), limit, moment)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One key of an index, whose rows come by number.
struct Source {
    index: u32,
    key: Bytes,
    /// The rows read and not yet used, the next one last.
    ready: Vec<ItemId>,
    /// The last row read.
    last: Option<ItemId>,
    more: bool,
}

impl Source {
    async fn fill(
        &mut self,
        view: &mut View,
        question: &Question<'_>,
        direction: Direction,
        rows_max: usize,
    ) -> Result<(), Failure> {
        if self.ready.is_empty() && self.more {
            let range = KeyRange::point(self.key.clone());
            let after = self.last.map(|last| (&self.key[..], last));
            let page = view.keys(question.list.id(), self.index, &range, direction, after, rows_max).await?;
            self.ready = page.rows.iter().rev().map(|(_, item)| *item).collect();
            self.last = page.rows.last().map(|(_, item)| *item).or(self.last);
            self.more = page.more;
        }
        Ok(())
    }
}

/// The rows of single keys, by number.
async fn merged(
    view: &mut View,
    question: &Question<'_>,
    way: &Access,
    ascending: bool,
    start: &Listing,
) -> Result<Listing, Failure> {
    let mark = question.after.map(|bookmark| bookmark.number).filter(|number| *number > 0);
    let mark = mark.map(|number| ItemId::in_list(question.list.id(), number));
    let mut sources = Vec::new();
    for (index, stretches) in &way.stretches {
        for key in stretches.iter().filter_map(Stretch::as_point) {
            sources.push(Source { index: *index, key: key.clone(), ready: Vec::new(), last: mark, more: true });
        }
    }
    let direction = if ascending { Direction::Ascending } else { Direction::Descending };
    let mut listing = start.clone();
    let mut rows_max = 0;
    loop {
        let room = question.limit.saturating_sub(listing.len()).saturating_add(1);
        // Where few rows are taken, more are read at a time.
        rows_max = room.max(2 * rows_max).min(limits::PAGE_ROWS_MAX);
        let mut chunk: Vec<ItemId> = Vec::new();
        while chunk.len() < rows_max {
            for source in &mut sources {
                source.fill(view, question, direction, rows_max).await?;
            }
            let next = sources.iter().filter_map(|source| source.ready.last().copied());
            let Some(next) = (if ascending { next.min() } else { next.max() }) else { break };
            for source in &mut sources {
                source.ready.pop_if(|id| *id == next);
            }
            chunk.push(next);
        }
        if take_all(view, question, &chunk, &mut listing).await? || chunk.len() < rows_max {
            return Ok(listing);
        }
    }
}

/// The key of a cell by which rows were sorted.
fn key_of(cell: &SortCell) -> Bytes {
    match cell {
        SortCell::Null => key_of_nothing(),
        SortCell::Number(number) => key_of_number(*number),
        SortCell::Text(text) => key_of_text(text),
    }
}

/// Rows in the order of an index, and how many were passed over.
struct Walk<'w, 'q> {
    question: &'w Question<'q>,
    listing: Listing,
    /// The cells of the last row taken.
    last: Option<(Vec<SortCell>, u32)>,
    looked_at: usize,
}

/// How a walk goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    On,
    /// The page is full.
    Full,
    /// A key that does not tell the order.
    Lost,
}

impl Walk<'_, '_> {
    async fn take(&mut self, view: &mut View, keys: &[(Bytes, ItemId)]) -> Result<Turn, Failure> {
        let Question { list, filter, order, limit, moment, .. } = *self.question;
        if keys.iter().any(|(key, _)| !key_is_exact(key)) {
            return Ok(Turn::Lost);
        }
        let mut rest = keys;
        while !rest.is_empty() {
            let room = limit.saturating_sub(self.listing.len()).saturating_add(1);
            let (chunk, behind) = rest.split_at(room.min(limits::PAGE_ROWS_MAX).min(rest.len()));
            rest = behind;
            let ids: Vec<ItemId> = chunk.iter().map(|(_, item)| *item).collect();
            self.looked_at += ids.len();
            for item in view.items(&ids).await?.into_iter().flatten().map(Item::from) {
                let before = self.listing.len();
                let row = Row::new(list, &item)?;
                let cells = (sort_cells(&row, order, moment.names), row.number());
                if take(&mut self.listing, list, filter, item, limit, moment)? {
                    self.listing.next = self.last.take().map(|(cells, number)| Bookmark::of(order, &cells, number));
                    return Ok(Turn::Full);
                }
                if self.listing.len() > before {
                    self.last = Some(cells);
                }
            }
        }
        Ok(Turn::On)
    }

    /// The rows of a range upwards, behind a key of a row.
    async fn up(
        &mut self,
        view: &mut View,
        index: u32,
        range: &KeyRange,
        mut after: Option<(Bytes, ItemId)>,
        rows_max: usize,
    ) -> Result<Turn, Failure> {
        loop {
            let from = after.as_ref().map(|(key, item)| (&key[..], *item));
            let size = self.size();
            let page = view.keys(self.question.list.id(), index, range, Direction::Ascending, from, size).await?;
            let turn = self.take(view, &page.rows).await?;
            if turn != Turn::On || !page.more {
                return Ok(turn);
            }
            if self.looked_at > rows_max {
                return Ok(Turn::Lost);
            }
            after = page.rows.into_iter().next_back();
        }
    }

    /// The rows of a range downwards by key, and upwards by number among those of one key.
    async fn down(
        &mut self,
        view: &mut View,
        index: u32,
        mut range: KeyRange,
        rows_max: usize,
    ) -> Result<Turn, Failure> {
        use std::ops::Bound;
        loop {
            let size = self.size();
            let page = view.keys(self.question.list.id(), index, &range, Direction::Descending, None, size).await?;
            // The rows of the last key may go on behind the page.
            let open = page.rows.last().filter(|_| page.more).map(|(key, _)| key.clone());
            let whole = page.rows.iter().filter(|(key, _)| Some(key) != open.as_ref());
            let mut upwards: Vec<(Bytes, ItemId)> = whole.cloned().collect();
            let alone = upwards.is_empty();
            upwards.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
            match self.take(view, &upwards).await? {
                Turn::On => {}
                turn @ (Turn::Full | Turn::Lost) => return Ok(turn),
            }
            let Some(key) = open else { return Ok(Turn::On) };
            range.to = Bound::Included(key.clone());
            if alone {
                match self.up(view, index, &KeyRange::point(key.clone()), None, rows_max).await? {
                    Turn::On => range.to = Bound::Excluded(key.clone()),
                    turn @ (Turn::Full | Turn::Lost) => return Ok(turn),
                }
            }
            if self.looked_at > rows_max {
                return Ok(Turn::Lost);
            }
        }
    }

    /// Keys to read at a time.
    fn size(&self) -> usize {
        let room = self.question.limit.saturating_sub(self.listing.len()).saturating_add(1);
        room.max(self.looked_at).min(limits::PAGE_ROWS_MAX)
    }
}

/// The rows of stretches of an index in its order; `None` where its keys do not tell it, and past `rows_max` rows that were
/// looked at.
async fn in_order(
    view: &mut View,
    question: &Question<'_>,
    index: u32,
    stretches: &[Stretch],
    ascending: bool,
    rows_max: usize,
    start: &Listing,
) -> Result<Option<Listing>, Failure> {
    use std::ops::Bound;
    let mark = match question.after.filter(|bookmark| bookmark.number > 0) {
        None => None,
        Some(bookmark) => {
            let Some(cell) = bookmark.cells(question.order).and_then(|cells| cells.into_iter().next()) else {
                return Ok(None);
            };
            let key = key_of(&cell);
            if !key_is_exact(&key) {
                return Ok(None);
            }
            Some((key, ItemId::in_list(question.list.id(), bookmark.number)))
        }
    };
    let ranges: Vec<KeyRange> = stretches.iter().map(Stretch::range).collect();
    let mut walk = Walk { question, listing: start.clone(), last: None, looked_at: 0 };
    let mut turn = Turn::On;
    if ascending {
        for range in ranges {
            if turn == Turn::On {
                turn = walk.up(view, index, &range, mark.clone(), rows_max).await?;
            }
        }
    } else {
        for mut range in ranges.into_iter().rev() {
            if let Some((key, item)) = &mark {
                if range.contains(key) {
                    let point = KeyRange::point(key.clone());
                    turn = walk.up(view, index, &point, Some((key.clone(), *item)), rows_max).await?;
                    range.to = Bound::Excluded(key.clone());
                } else if matches!(&range.from, Bound::Included(from) if from > key) {
                    continue;
                }
            }
            if turn == Turn::On {
                turn = walk.down(view, index, range, rows_max).await?;
            }
            if turn != Turn::On {
                break;
            }
        }
    }
    Ok((turn != Turn::Lost).then_some(walk.listing))
}
