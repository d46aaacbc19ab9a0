//! A snapshot whose reads are watched: the part that decorators of stores have in common.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::{CollectionId, ItemId, Seq, Time};

use crate::{
    ChangeRow, CollectionRow, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, RootRow, Snapshot, Span, StoreError,
    TransferKey, TransferLimit, TransferRow, TransferTotals, Want,
};

/// Hears of reads.
pub(crate) trait Watch: Send + Sync {
    /// A read is about to begin; an error is its result.
    fn before(&self) -> Result<(), StoreError>;

    /// A read gave so many rows.
    fn after(&self, rows: usize);
}

/// See the module.
pub(crate) struct WatchedSnapshot<W> {
    pub(crate) inner: Box<dyn Snapshot>,
    pub(crate) watch: Arc<W>,
}

impl<W: Watch> WatchedSnapshot<W> {
    fn pass<T>(&self, result: Result<T, StoreError>, rows: impl FnOnce(&T) -> usize) -> Result<T, StoreError> {
        if let Ok(answer) = &result {
            self.watch.after(rows(answer));
        }
        result
    }
}

fn of_page<T>(page: &Page<T>) -> usize {
    page.rows.len()
}

fn of_option<T>(row: &Option<T>) -> usize {
    usize::from(row.is_some())
}

#[async_trait]
impl<W: Watch> Snapshot for WatchedSnapshot<W> {
    fn root(&self) -> &RootRow {
        self.inner.root()
    }

    async fn epochs(&mut self) -> Result<Vec<Epoch>, StoreError> {
        self.watch.before()?;
        let result = self.inner.epochs().await;
        self.pass(result, Vec::len)
    }

    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.collection(collection).await;
        self.pass(result, of_option)
    }

    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.collections(after, limit).await;
        self.pass(result, of_page)
    }

    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError> {
        self.watch.before()?;
        let result = self.inner.spans(since).await;
        self.pass(result, Vec::len)
    }

    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError> {
        self.watch.before()?;
        let result = self.inner.items(ids, want).await;
        self.pass(result, |rows| rows.iter().flatten().count())
    }

    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.list(collection, after, limit, want).await;
        self.pass(result, of_page)
    }

    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.created(collection, above, up_to, limit, want).await;
        self.pass(result, of_page)
    }

    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.changes(collection, after, limit, want).await;
        self.pass(result, of_page)
    }

    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError> {
        self.watch.before()?;
        let result = self.inner.part(item, part).await;
        self.pass(result, of_option)
    }

    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        self.watch.before()?;
        let result = self.inner.part_range(item, part, offset, bytes_max).await;
        self.pass(result, of_option)
    }

    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError> {
        self.watch.before()?;
        let result = self.inner.parts(item).await;
        self.pass(result, Vec::len)
    }

    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError> {
        self.watch.before()?;
        let result = self.inner.name(scope, name).await;
        self.pass(result, of_option)
    }

    async fn names(
        &mut self,
        scope: u64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, u64)>, StoreError> {
        self.watch.before()?;
        let result = self.inner.names(scope, after, limit).await;
        self.pass(result, of_page)
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
        self.watch.before()?;
        let result = self.inner.keys(collection, field, range, direction, after, limit).await;
        self.pass(result, of_page)
    }

    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError> {
        self.watch.before()?;
        let result = self.inner.position_at(time).await;
        self.pass(result, |_| 1)
    }
    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        self.watch.before()?;
        let result = self.inner.transfer(after, limit).await;
        self.pass(result, of_page)
    }

    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        self.watch.before()?;
        let result = self.inner.transfer_end().await;
        self.pass(result, of_option)
    }

    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        self.watch.before()?;
        let result = self.inner.transfer_totals().await;
        self.pass(result, |_| 1)
    }
}
