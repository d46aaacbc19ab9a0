//! What a root holds, as one number: SHA-256 over its rows in the order of a transfer.

use sha2::{Digest as _, Sha256};
use store::{
    Receipt, RootKind, RootRow, Snapshot, StoreError, TombstoneKind, TransferLimit, TransferRow, TransferTotals,
};

use super::{Hear, Step};

/// The digest of one root, or of several.
#[derive(Clone, Debug, Default)]
pub(super) struct Digest {
    hasher: Sha256,
    totals: TransferTotals,
}

/// What was read of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OfRoot {
    root: RootRow,
    totals: TransferTotals,
    digest: [u8; 32],
}

impl Digest {
    /// Adds a root.
    pub(super) fn add(&mut self, root: &OfRoot) {
        self.hasher.update(root.digest);
        self.totals = sum(self.totals, root.totals);
    }

    /// How much there was, and the digest.
    pub(super) fn finish(self) -> (TransferTotals, [u8; 32]) {
        (self.totals, self.hasher.finalize().into())
    }

    fn number(&mut self, number: u64) {
        self.hasher.update(number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.number(*number));
    }

    fn signed(&mut self, number: i64) {
        self.number(number.cast_unsigned());
    }

    fn maybe(&mut self, number: Option<u64>) {
        self.number(u64::from(number.is_some()));
        self.number(number.unwrap_or_default());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.hasher.update(bytes);
    }

    fn root(&mut self, row: &RootRow) {
        self.number(row.root.0);
        self.number(match row.kind {
            RootKind::Control => 0,
            RootKind::Mailbox => 1,
            RootKind::Site => 2,
        });
        self.bytes(&row.guid.0);
        self.number(row.last_seq.0);
        self.number(row.epoch);
        self.number(row.purged_seq.0);
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.number(receipt.last_seq.0);
        self.number(receipt.writes.len() as u64);
        for write in &receipt.writes {
            self.number(write.seq.0);
            self.maybe(write.collection.map(|collection| collection.0));
            self.maybe(write.item.map(|item| item.0));
            self.number(write.rows);
        }
    }

    fn row(&mut self, row: &TransferRow) -> Result<(), StoreError> {
        self.totals.count(row);
        match row {
            TransferRow::Epoch { ordinal, epoch } => {
                self.number(1);
                self.numbers(&[*ordinal, epoch.epoch, epoch.first_seq.0]);
                self.signed(epoch.at.0);
            }
            TransferRow::Tick { minute, seq } => {
                self.number(2);
                self.signed(*minute);
                self.number(seq.0);
            }
            TransferRow::Collection(row) => {
                self.number(3);
                self.number(row.collection.0);
                self.maybe(row.parent.map(|parent| parent.0));
                self.numbers(&[row.seq.0, row.created_seq.0, row.items_seq.0, row.purged_seq.0]);
                self.numbers(&[row.items, row.unread, row.associated, row.last_number.into()]);
                self.bytes(&row.bag);
            }
            TransferRow::Span { span, ended_at } => {
                self.number(4);
                self.number(span.collection.0);
                self.maybe(span.parent.map(|parent| parent.0));
                self.number(span.from_seq.0);
                self.maybe(span.to_seq.map(|seq| seq.0));
                self.maybe(ended_at.map(|at| at.0.cast_unsigned()));
            }
            TransferRow::Item(row) => {
                self.number(5);
                self.numbers(&[row.item.0, row.collection.0, row.seq.0, row.created_seq.0, row.content_seq.0]);
                self.number(row.flags.0.into());
                self.bytes(&row.bag);
            }
            TransferRow::Part { item, part, bytes } => {
                self.number(6);
                self.numbers(&[item.0, (*part).into(), bytes.len() as u64]);
                for chunk in bytes.chunks() {
                    self.hasher.update(chunk.map_err(|error| StoreError::TryAgain(error.to_string()))?);
                }
            }
            TransferRow::Tombstone { collection, tombstone } => {
                self.number(7);
                self.numbers(&[collection.0, tombstone.item.0, tombstone.seq.0, tombstone.created_seq.0]);
                self.number(tombstone.flags.0.into());
                self.number(match tombstone.kind {
                    TombstoneKind::Deleted => 0,
                    TombstoneKind::Moved => 1,
                    TombstoneKind::Rescoped => 2,
                    TombstoneKind::Renamed => 3,
                    TombstoneKind::Restored => 4,
                    TombstoneKind::SystemUpdated => 5,
                });
                self.signed(tombstone.at.0);
                self.maybe(tombstone.moved_to.map(|(collection, _)| collection.0));
                self.maybe(tombstone.moved_to.map(|(_, item)| item.0));
                self.bytes(&tombstone.note);
            }
            TransferRow::Name { scope, name, target } => {
                self.number(8);
                self.number(*scope);
                self.bytes(name);
                self.number(*target);
            }
            TransferRow::Key { collection, field, value, item } => {
                self.number(9);
                self.number(collection.0);
                self.number((*field).into());
                self.bytes(value);
                self.number(item.0);
            }
            TransferRow::Operation { operation, at, receipt } => {
                self.number(10);
                self.bytes(&operation.0);
                self.signed(at.0);
                self.receipt(receipt);
            }
        }
        Ok(())
    }
}

const fn sum(one: TransferTotals, other: TransferTotals) -> TransferTotals {
    TransferTotals {
        epochs: one.epochs + other.epochs,
        ticks: one.ticks + other.ticks,
        collections: one.collections + other.collections,
        spans: one.spans + other.spans,
        items: one.items + other.items,
        parts: one.parts + other.parts,
        tombstones: one.tombstones + other.tombstones,
        names: one.names + other.names,
        keys: one.keys + other.keys,
        operations: one.operations + other.operations,
        bytes: one.bytes + other.bytes,
    }
}

/// Reads a root whole. `hear` is told how far it has come.
pub(super) async fn digest(mut view: Box<dyn Snapshot>, hear: Option<Hear>) -> Result<OfRoot, StoreError> {
    let root = view.root().clone();
    let mut digest = Digest::default();
    digest.root(&root);
    let mut after = None;
    loop {
        let page = view.transfer(after.as_ref(), TransferLimit::MAX).await?;
        let before = digest.totals;
        page.rows.iter().try_for_each(|row| digest.row(row))?;
        if let Some(hear) = &hear {
            let (rows, bytes) = (digest.totals.rows() - before.rows(), digest.totals.bytes - before.bytes);
            hear(Step::Compared { rows, bytes });
        }
        if !page.more {
            let (totals, digest) = digest.finish();
            return Ok(OfRoot { root, totals, digest });
        }
        after = page.rows.last().map(TransferRow::key);
    }
}
