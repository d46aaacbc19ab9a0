//! The two traits of the port.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::{CollectionId, Guid, ItemId, RootId, Seq, Time};

use crate::{
    ChangeRow, CollectionRow, Commit, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, Receipt, RootRow, Span,
    StoreError, TransferKey, TransferLimit, TransferRow, TransferTotals, Unready, Want, transfer::NO_TRANSFER,
};

/// A store. Cheap to call from many tasks at once.
#[async_trait]
pub trait Store: Send + Sync {
    /// A view of one root as it is now. Hold it briefly: the embedded store keeps a reader busy for it.
    ///
    /// # Errors
    /// [`StoreError::NoRoot`] when there is no such root.
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Writes. When this returns `Ok`, the write survives a loss of power.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was written unless it is [`StoreError::OutcomeUnknown`].
    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError>;

    /// Whether the commit with this operation id happened, within the retention of such ids (a day at least). `None`
    /// also where the root is not there.
    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError>;

    /// Roots in ascending order of id, after `after`, at most `limit`.
    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError>;

    /// Removes a root and everything in it, also one that is being loaded. Nothing happens when it is not there.
    async fn drop_root(&self, root: RootId) -> Result<(), StoreError>;

    /// The last position of a root as soon as it is above `after`: at once where it is already, otherwise when a commit
    /// of this process has moved it, or a second or two after one of another process has. Waits as long as that takes and
    /// holds nothing meanwhile but a place in a table; drop the future to end the wait.
    ///
    /// # Errors
    /// [`StoreError::NoRoot`] when there is no such root, also when it is removed while waiting.
    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError>;

    /// What this process has had the store do since it was opened: names and numbers that only grow, for operators.
    fn figures(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Whether the store can be worked with now, in all its parts: for a program that is asked whether it may be given
    /// requests. Costs a read. A store of several parts says which one fails.
    ///
    /// # Errors
    /// The first part that cannot be used.
    async fn check(&self) -> Result<(), Unready> {
        let read = self.roots(None, 1).await;
        read.map(|_| ()).map_err(|error| Unready { part: "store", reason: error.to_string() })
    }

    /// Puts rows under a root that is being copied here and is not there for anybody else: not in [`Self::snapshot`],
    /// [`Self::roots`] or [`Self::outcome`], and a commit that would create it conflicts. The first load begins it. Rows
    /// that are there already are replaced, so a load may be repeated. All rows or none; when this returns `Ok` they
    /// survive a loss of power. The rows of a root come in the order of [`TransferKey`], at most
    /// [`model::limits::TRANSFER_ROWS_MAX`] at once. Holds a bounded piece of a large part in memory.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] (with `guard` = `usize::MAX`) where the root is there, or where another row of it was given
    /// when the load began. [`StoreError::OutcomeUnknown`] is answered by loading the same rows again.
    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        let (_, _) = (root, rows);
        Err(NO_TRANSFER)
    }

    /// A view of a root that is being loaded, with what was loaded so far.
    ///
    /// # Errors
    /// [`StoreError::NoRoot`] where none of this id is.
    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        let _ = root;
        Err(NO_TRANSFER)
    }

    /// Ends a load: from now on the root is there, as the source had it. Costs the rows, which are counted.
    ///
    /// # Errors
    /// [`StoreError::NoRoot`] where it is not being loaded, [`StoreError::Conflict`] (with `guard` = `usize::MAX`) where
    /// the row given when the load began or what was loaded is not `root` and `totals`.
    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        let (_, _) = (root, totals);
        Err(NO_TRANSFER)
    }
}

/// A store behind a shared pointer is that store.
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn snapshot(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        S::snapshot(self, root).await
    }

    async fn commit(&self, commit: Commit) -> Result<Receipt, StoreError> {
        S::commit(self, commit).await
    }

    async fn outcome(&self, root: RootId, operation: Guid) -> Result<Option<Receipt>, StoreError> {
        S::outcome(self, root, operation).await
    }

    async fn roots(&self, after: Option<RootId>, limit: usize) -> Result<Page<RootRow>, StoreError> {
        S::roots(self, after, limit).await
    }

    async fn drop_root(&self, root: RootId) -> Result<(), StoreError> {
        S::drop_root(self, root).await
    }

    async fn changed(&self, root: RootId, after: Seq) -> Result<Seq, StoreError> {
        S::changed(self, root, after).await
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        S::figures(self)
    }

    async fn check(&self) -> Result<(), Unready> {
        S::check(self).await
    }

    async fn load(&self, root: &RootRow, rows: Vec<TransferRow>) -> Result<(), StoreError> {
        S::load(self, root, rows).await
    }

    async fn loading(&self, root: RootId) -> Result<Box<dyn Snapshot>, StoreError> {
        S::loading(self, root).await
    }

    async fn publish(&self, root: &RootRow, totals: TransferTotals) -> Result<(), StoreError> {
        S::publish(self, root, totals).await
    }
}

/// One root at one moment. Costs are in rows read; every read is bounded by its `limit`, and a limit above
/// [`model::limits::PAGE_ROWS_MAX`] counts as that.
#[async_trait]
pub trait Snapshot: Send {
    /// The root.
    fn root(&self) -> &RootRow;

    /// The stretches of its history, oldest first. One row a start that took a position, as far back as the retention
    /// goes.
    async fn epochs(&mut self) -> Result<Vec<Epoch>, StoreError>;

    /// The collection with this id.
    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError>;

    /// Collections in ascending order of id, after `after`.
    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError>;

    /// Spans that last or ended after `since`, in ascending order of (collection, from_seq).
    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError>;

    /// Items by id: one slot an id, in the order asked.
    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError>;

    /// Items of a collection in ascending order of id, after `after`.
    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError>;

    /// Items with `created_seq` in (`above`, `up_to`], newest first. Costs the rows returned.
    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError>;

    /// Items and tombstones of a collection with `seq` above `after`, in ascending order of `seq`. Costs the rows
    /// returned, however long the history.
    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError>;

    /// The bytes of a part.
    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError>;

    /// The bytes of a part from `offset` on: as many as there are, but at most `bytes_max` and
    /// [`model::limits::PART_RANGE_BYTES_MAX`]; none behind its end. Takes the memory of the range. Nothing
    /// damaged is passed on: the first range of a part that a snapshot gives checks the whole of it, or each its own bytes.
    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError>;

    /// The parts of an item in ascending order of number.
    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError>;

    /// What is kept under a name.
    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError>;

    /// Names of a scope with what they lead to, in ascending order of name, after `after`.
    async fn names(&mut self, scope: u64, after: Option<&[u8]>, limit: usize)
    -> Result<Page<(Bytes, u64)>, StoreError>;

    /// Keys of a field whose value lies in `range`, each with its item, in the order of (value, id) or from its end, after
    /// `after`. Costs the rows returned.
    async fn keys(
        &mut self,
        collection: CollectionId,
        field: u32,
        range: &KeyRange,
        direction: Direction,
        after: Option<(&[u8], ItemId)>,
        limit: usize,
    ) -> Result<Page<(Bytes, ItemId)>, StoreError>;

    /// The last position that was certainly reached before `time`: reading from there misses nothing that was written
    /// at or after `time`. Kept to the minute, and as far back as the retention goes.
    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError>;

    /// The rows of the root as they are, in the order of [`TransferKey`], after `after`. Costs the rows returned; of a
    /// large part a bounded piece lies in memory.
    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        let (_, _) = (after, limit);
        Err(NO_TRANSFER)
    }

    /// The key of the last row of a transfer; `None` where the root has no rows. Costs a row of each kind.
    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        Err(NO_TRANSFER)
    }

    /// What a transfer gives in all. Costs the rows, which are counted.
    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        Err(NO_TRANSFER)
    }
}
