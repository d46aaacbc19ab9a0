//! A snapshot whose reads are watched: the part that decorators of stores have in common.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use model::{CollectionId, ItemId, RootId, Seq, Time};

use crate::{
    ChangeRow, CollectionRow, Direction, Epoch, ItemRow, KeyRange, Page, PartInfo, RootRow, Snapshot, Span, StoreError,
    TransferKey, TransferLimit, TransferRow, TransferTotals, Want,
};

macro_rules! calls {
    ($($call:ident $name:literal,)*) => {
        /// A call of a store or of one of its snapshots.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "each is the method of its name")]
        pub enum Call { $($call,)* }

        impl Call {
            /// All of them, each at its place as a number.
            pub const ALL: &[Self] = &[$(Self::$call,)*];

            /// The name of its method.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$call => $name,)* }
            }
        }
    };
}

calls! {
    Snapshot "snapshot",
    Epochs "epochs",
    Collection "collection",
    Collections "collections",
    Spans "spans",
    Items "items",
    List "list",
    Created "created",
    Changes "changes",
    Part "part",
    PartRange "part_range",
    Parts "parts",
    Name "name",
    Names "names",
    Keys "keys",
    PositionAt "position_at",
    Transfer "transfer",
    TransferEnd "transfer_end",
    TransferTotals "transfer_totals",
    Commit "commit",
    Outcome "outcome",
    Roots "roots",
    DropRoot "drop_root",
    Load "load",
    Loading "loading",
    Publish "publish",
}

/// Hears of reads in snapshots.
pub trait Watch: Send + Sync {
    /// What is kept from the beginning of a call to its end.
    type Begun: Send;

    /// A read of a root is about to begin; an error is its result.
    ///
    /// # Errors
    /// What the read is to fail with.
    fn begin(&self, call: Call, root: RootId) -> Result<Self::Begun, StoreError>;

    /// A read gave so many rows, or failed.
    fn end(&self, begun: Self::Begun, rows: Result<usize, &StoreError>);
}

/// See the module.
pub struct WatchedSnapshot<W> {
    /// What is watched.
    pub inner: Box<dyn Snapshot>,
    /// Who watches.
    pub watch: Arc<W>,
}

impl<W: Watch> WatchedSnapshot<W> {
    fn begin(&self, call: Call) -> Result<W::Begun, StoreError> {
        self.watch.begin(call, self.inner.root().root)
    }

    fn pass<T>(
        &self,
        begun: W::Begun,
        result: Result<T, StoreError>,
        rows: impl FnOnce(&T) -> usize,
    ) -> Result<T, StoreError> {
        self.watch.end(begun, result.as_ref().map(rows));
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
        let begun = self.begin(Call::Epochs)?;
        let result = self.inner.epochs().await;
        self.pass(begun, result, Vec::len)
    }

    async fn collection(&mut self, collection: CollectionId) -> Result<Option<CollectionRow>, StoreError> {
        let begun = self.begin(Call::Collection)?;
        let result = self.inner.collection(collection).await;
        self.pass(begun, result, of_option)
    }

    async fn collections(
        &mut self,
        after: Option<CollectionId>,
        limit: usize,
    ) -> Result<Page<CollectionRow>, StoreError> {
        let begun = self.begin(Call::Collections)?;
        let result = self.inner.collections(after, limit).await;
        self.pass(begun, result, of_page)
    }

    async fn spans(&mut self, since: Seq) -> Result<Vec<Span>, StoreError> {
        let begun = self.begin(Call::Spans)?;
        let result = self.inner.spans(since).await;
        self.pass(begun, result, Vec::len)
    }

    async fn items(&mut self, ids: &[ItemId], want: Want) -> Result<Vec<Option<ItemRow>>, StoreError> {
        let begun = self.begin(Call::Items)?;
        let result = self.inner.items(ids, want).await;
        self.pass(begun, result, |rows| rows.iter().flatten().count())
    }

    async fn list(
        &mut self,
        collection: CollectionId,
        after: Option<ItemId>,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let begun = self.begin(Call::List)?;
        let result = self.inner.list(collection, after, limit, want).await;
        self.pass(begun, result, of_page)
    }

    async fn created(
        &mut self,
        collection: CollectionId,
        above: Seq,
        up_to: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ItemRow>, StoreError> {
        let begun = self.begin(Call::Created)?;
        let result = self.inner.created(collection, above, up_to, limit, want).await;
        self.pass(begun, result, of_page)
    }

    async fn changes(
        &mut self,
        collection: CollectionId,
        after: Seq,
        limit: usize,
        want: Want,
    ) -> Result<Page<ChangeRow>, StoreError> {
        let begun = self.begin(Call::Changes)?;
        let result = self.inner.changes(collection, after, limit, want).await;
        self.pass(begun, result, of_page)
    }

    async fn part(&mut self, item: ItemId, part: u32) -> Result<Option<Bytes>, StoreError> {
        let begun = self.begin(Call::Part)?;
        let result = self.inner.part(item, part).await;
        self.pass(begun, result, of_option)
    }

    async fn part_range(
        &mut self,
        item: ItemId,
        part: u32,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<Bytes>, StoreError> {
        let begun = self.begin(Call::PartRange)?;
        let result = self.inner.part_range(item, part, offset, bytes_max).await;
        self.pass(begun, result, of_option)
    }

    async fn parts(&mut self, item: ItemId) -> Result<Vec<PartInfo>, StoreError> {
        let begun = self.begin(Call::Parts)?;
        let result = self.inner.parts(item).await;
        self.pass(begun, result, Vec::len)
    }

    async fn name(&mut self, scope: u64, name: &[u8]) -> Result<Option<u64>, StoreError> {
        let begun = self.begin(Call::Name)?;
        let result = self.inner.name(scope, name).await;
        self.pass(begun, result, of_option)
    }

    async fn names(
        &mut self,
        scope: u64,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<(Bytes, u64)>, StoreError> {
        let begun = self.begin(Call::Names)?;
        let result = self.inner.names(scope, after, limit).await;
        self.pass(begun, result, of_page)
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
        let begun = self.begin(Call::Keys)?;
        let result = self.inner.keys(collection, field, range, direction, after, limit).await;
        self.pass(begun, result, of_page)
    }

    async fn position_at(&mut self, time: Time) -> Result<Seq, StoreError> {
        let begun = self.begin(Call::PositionAt)?;
        let result = self.inner.position_at(time).await;
        self.pass(begun, result, |_| 1)
    }
    async fn transfer(
        &mut self,
        after: Option<&TransferKey>,
        limit: TransferLimit,
    ) -> Result<Page<TransferRow>, StoreError> {
        let begun = self.begin(Call::Transfer)?;
        let result = self.inner.transfer(after, limit).await;
        self.pass(begun, result, of_page)
    }

    async fn transfer_end(&mut self) -> Result<Option<TransferKey>, StoreError> {
        let begun = self.begin(Call::TransferEnd)?;
        let result = self.inner.transfer_end().await;
        self.pass(begun, result, of_option)
    }

    async fn transfer_totals(&mut self) -> Result<TransferTotals, StoreError> {
        let begun = self.begin(Call::TransferTotals)?;
        let result = self.inner.transfer_totals().await;
        self.pass(begun, result, |_| 1)
    }
}
