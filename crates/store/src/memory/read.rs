//! Reads of one root at one moment.

use std::{
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use model::{
    CollectionId, ItemId, Seq, Time,
    limits::{PAGE_ROWS_MAX, PART_RANGE_BYTES_MAX},
};

use super::{
    state::{Entry, RootState, minute, positions},
    transfer,
    write::behind,
};
use crate::{
    ChangeRow, CollectionRow, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, RootRow, Snapshot, Span, StoreError,
    TransferKey, TransferLimit, TransferRow, TransferTotals, Want,
};

/// A root as it was when the snapshot was taken.
pub(super) struct MemorySnapshot {
    pub(super) state: Arc<RootState>,
    pub(super) rows_read: Arc<AtomicU64>,
}

/// The first rows, at most `limit`, and whether there are more.
pub(super) fn page<T>(mut rows: impl Iterator<Item = T>, limit: usize) -> Page<T> {
    let page = rows.by_ref().take(limit.min(PAGE_ROWS_MAX)).collect();
    Page { rows: page, more: rows.next().is_some() }
}

fn wanted(row: &ItemRow, want: Want) -> ItemRow {
    ItemRow { bag: if want.bag { row.bag.clone() } else { Bytes::new() }, ..*row }
}

impl MemorySnapshot {
    fn count(&self, rows: usize) {
        self.rows_read.fetch_add(rows as u64, Ordering::Relaxed);
    }

    fn counted<T>(&self, page: Page<T>) -> Page<T> {
        self.count(page.rows.len());
        page
    }

    fn item(&self, item: ItemId, want: Want) -> Option<ItemRow> {
        self.state.items.get(&item).map(|row| wanted(row, want))
    }
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    fn root(&self) -> &RootRow {
        &self.state.root
    }

    async fn epochs(&mut self) -> Result<Vec<Epoch>, StoreError> {
        self.count(self.state.epochs.len());
        Ok(self.state.epochs.values().copied().collect())
    }

    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError> {
        let row = self.state.collections.get(&collection).cloned();
        self.count(row.iter().len());
        Ok(row)
    }

    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError> {
        Ok(self.counted(page(self.state.collections.range(behind(after)).map(|(_, row)| row.clone()), limit)))
    }

    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError> {
        let spans = self.state.spans.iter().map(|((collection, from), row)| Span {
            collection: *collection,
            parent: row.parent,
            from_seq: *from,
            to_seq: row.end.map(|(seq, _)| seq),
        });
        let spans: Vec<Span> = spans.filter(|span| span.to_seq.is_none_or(|to| to > since)).collect();
        self.count(spans.len());
        Ok(spans)
    }

    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError> {
        if ids.len() > PAGE_ROWS_MAX {
            return Err(StoreError::TooLarge("items by id"));
        }
        let rows: Vec<_> = ids.iter().map(|item| self.item(*item, want)).collect();
        self.count(rows.iter().flatten().count());
        Ok(rows)
    }

    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let from = after.map_or(Some(0), |item| item.0.checked_add(1));
        let Some(from) = from else {
            return Ok(Page { rows: Vec::new(), more: false });
        };
        let members = self.state.members.range((collection, ItemId(from))..=(collection, ItemId(u64::MAX)));
        Ok(self.counted(page(members.filter_map(|((_, item), ())| self.item(*item, want)), limit)))
    }

    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        if up_to <= above {
            return Ok(Page { rows: Vec::new(), more: false });
        }
        let created = self.state.created.range((collection, above.next())..=(collection, up_to));
        Ok(self.counted(page(created.rev().filter_map(|(_, item)| self.item(*item, want)), limit)))
    }

    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError> {
        let changes = self.state.changes.range((collection, after)..=*positions(collection).end());
        let rows = changes.filter(|((_, seq), _)| *seq > after).filter_map(|(_, entry)| match entry {
            Entry::Item(item) => self.item(*item, want).map(ChangeRow::Item),
            Entry::Gone(tombstone) => Some(ChangeRow::Gone(tombstone.clone())),
        });
        Ok(self.counted(page(rows, limit)))
    }

    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError> {
        let bytes = self.state.parts.get(&(item, part)).cloned();
        self.count(bytes.iter().len());
        Ok(bytes)
    }

    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let Some(bytes) = self.state.parts.get(&(item, part)) else { return Ok(None) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let end = start.saturating_add(bytes_max.min(PART_RANGE_BYTES_MAX)).min(bytes.len());
        self.count(1);
        Ok(Some(bytes.slice(start..end)))
    }

    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError> {
        let parts = self.state.parts.range((item, 0)..=(item, u32::MAX));
        let parts: Vec<PartInfo> =
            parts.map(|((_, part), bytes)| PartInfo { part: *part, size_bytes: bytes.len() as u64 }).collect();
        self.count(parts.len());
        Ok(parts)
    }

    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError> {
        let target = self.state.names.get(&(scope, Bytes::copy_from_slice(name))).copied();
        self.count(target.iter().len());
        Ok(target)
    }

    async fn names(
        &mut self,
        scope: u64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, u64)>, StoreError> {
        let names = self.state.names.range((scope, Bytes::copy_from_slice(after.unwrap_or_default()))..);
        let rows = names
            .take_while(|((of, _), _)| *of == scope)
            .filter(|((_, name), _)| Some(&name[..]) != after)
            .map(|((_, name), target)| (name.clone(), *target));
        Ok(self.counted(page(rows, limit)))
    }

    async fn keys(
        &mut self,
        collection: CollectionId,
        field: u32,
        range: &KeyRange,
        direction: Direction,
        after: Option<(&[u8], ItemId)>,
        limit: usize,
    ) -> Result<Page<(Bytes, ItemId)>, StoreError> {
        let first = match (&range.from, after) {
            (_, Some((value, _))) if direction == Direction::Ascending => Bytes::copy_from_slice(value),
            (Bound::Included(from) | Bound::Excluded(from), _) => from.clone(),
            (Bound::Unbounded, _) => Bytes::new(),
        };
        let last = match (after, &range.to) {
            (Some((value, _)), _) if direction == Direction::Descending => {
                Bound::Included(Bytes::copy_from_slice(value))
            }
            (_, Bound::Included(to) | Bound::Excluded(to)) => Bound::Included(to.clone()),
            (_, Bound::Unbounded) => Bound::Unbounded,
        };
        let last = match last {
            Bound::Included(value) | Bound::Excluded(value) => (collection, field, value, ItemId(u64::MAX)),
            Bound::Unbounded => (collection, field.saturating_add(1), Bytes::new(), ItemId(0)),
        };
        let first = (collection, field, first, ItemId(0));
        if first > last {
            return Ok(Page { rows: Vec::new(), more: false });
        }
        let keys = self.state.keys.range(first..=last).map(|((_, of, value, item), ())| (*of, value, *item));
        let is_in = |(of, value, item): &(u32, &Bytes, ItemId)| {
            *of == field
                && range.contains(value)
                && after.is_none_or(|after| match direction {
                    Direction::Ascending => (&value[..], *item) > after,
                    Direction::Descending => (&value[..], *item) < after,
                })
        };
        let row = |(_, value, item): (u32, &Bytes, ItemId)| (value.clone(), item);
        let page = match direction {
            Direction::Ascending => page(keys.filter(is_in).map(row), limit),
            Direction::Descending => page(keys.rev().filter(is_in).map(row), limit),
        };
        Ok(self.counted(page))
    }

    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError> {
        // The clock may have gone back, so that a later minute can have begun at an earlier position.
        let begun = self.state.minutes.range(minute(time)..).map(|(_, seq)| *seq).min();
        Ok(begun.unwrap_or(self.state.root.last_seq))
    }
    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        Ok(self.counted(transfer::page(&self.state, after, limit)))
    }

    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        Ok(transfer::rows(&self.state).last().map(|row| row.key()))
    }

    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        Ok(transfer::totals(&self.state))
    }
}
