//! Rows of a root that is being copied here.

use model::{CollectionId, RootId, Seq, Time};
use rusqlite::{Connection, OptionalExtension, params};
use store::{Commit, PartData, RootRow, StoreError, TransferRow, TransferTotals, receipt};

use super::{Applier, CONFLICT, drop_root};
use crate::{
    blobs::{Blobs, Hash},
    failure::Failure,
    rows::{self, loading_kind_number, root_kind_number, tombstone_kind_number},
    transfer,
};

/// What there is of a root.
enum Found {
    /// Nothing that anybody sees.
    Nothing,
    /// The root.
    Shown,
    /// What was loaded so far, under this row.
    Loading(RootRow),
}

/// Puts rows under a root that is not shown. After an error the savepoint around it has to be rolled back. `hashes` as for
/// [`super::apply`].
pub(crate) fn load(
    connection: &Connection,
    blobs: &Blobs,
    root: &RootRow,
    rows: &[TransferRow],
    hashes: &[Hash],
    blob_threshold_bytes: usize,
) -> Result<(), Failure> {
    // A file that this load replaces is of no use to anybody: no time of grace.
    let commit = Commit::new(root.root, Time(0));
    let mut applier = Applier::new(connection, blobs, &commit, hashes, blob_threshold_bytes);
    match find(connection, root.root)? {
        Found::Loading(begun) if begun == *root => {}
        Found::Loading(_) | Found::Shown => return Err(CONFLICT.into()),
        Found::Nothing => {
            // Should one of that id be on its way out, it goes first.
            while drop_root(connection, root.root)? {}
            let kind = loading_kind_number(root.kind);
            applier.execute(
                "INSERT INTO root(root_id, kind, guid, last_seq, purged_seq, epoch) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    applier.root,
                    kind,
                    root.guid.0,
                    root.last_seq.to_i64(),
                    root.purged_seq.to_i64(),
                    root.epoch.cast_signed()
                ],
            )?;
        }
    }
    rows.iter().try_for_each(|row| applier.load(row))
}

/// Shows a root that was loaded, where it is what it was to be.
pub(crate) fn publish(connection: &Connection, root: &RootRow, totals: TransferTotals) -> Result<(), Failure> {
    match find(connection, root.root)? {
        Found::Loading(begun) if begun == *root && transfer::totals(connection, root.root)? == totals => {}
        Found::Loading(_) => return Err(CONFLICT.into()),
        Found::Shown | Found::Nothing => return Err(StoreError::NoRoot(root.root).into()),
    }
    let kind = root_kind_number(root.kind);
    connection.execute("UPDATE root SET kind = ?2 WHERE root_id = ?1", params![root.root.to_i64(), kind])?;
    Ok(())
}

/// Whether a root is being copied here.
pub(super) fn is_loading(connection: &Connection, root: RootId) -> Result<bool, Failure> {
    Ok(matches!(find(connection, root)?, Found::Loading(_)))
}

fn find(connection: &Connection, root: RootId) -> Result<Found, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT root_id, CASE WHEN kind < 0 THEN -2 - kind ELSE kind END, guid, last_seq, purged_seq, epoch, kind < 0
           FROM root WHERE root_id = ?1 AND kind <> -1",
    )?;
    let found = statement.query_row([root.to_i64()], |row| Ok((rows::root(row)?, row.get(6)?))).optional()?;
    Ok(match found {
        None => Found::Nothing,
        Some((_, false)) => Found::Shown,
        Some((row, true)) => Found::Loading(row),
    })
}

impl Applier<'_> {
    fn load(&mut self, row: &TransferRow) -> Result<(), Failure> {
        match row {
            TransferRow::Epoch { ordinal, epoch } => self.execute(
                "INSERT OR REPLACE INTO epoch(root_id, ordinal, epoch, first_seq, at) VALUES(?1, ?2, ?3, ?4, ?5)",
                params![
                    self.root,
                    ordinal.cast_signed(),
                    epoch.epoch.cast_signed(),
                    epoch.first_seq.to_i64(),
                    epoch.at.0
                ],
            )?,
            TransferRow::Tick { minute, seq } => self.execute(
                "INSERT OR REPLACE INTO tick(root_id, minute, seq) VALUES(?1, ?2, ?3)",
                params![self.root, minute, seq.to_i64()],
            )?,
            TransferRow::Collection(row) => {
                self.put_collection_bag(row.collection, &row.bag)?;
                self.execute(
                    "INSERT OR REPLACE INTO collection(root_id, collection_id, parent_id, seq, created_seq, items_seq,
                       purged_seq, items, unread, associated, last_number)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                    params![
                        self.root,
                        row.collection.to_i64(),
                        row.parent.map(CollectionId::to_i64),
                        row.seq.to_i64(),
                        row.created_seq.to_i64(),
                        row.items_seq.to_i64(),
                        row.purged_seq.to_i64(),
                        row.items.cast_signed(),
                        row.unread.cast_signed(),
                        row.associated.cast_signed(),
                        row.last_number
                    ],
                )?
            }
            TransferRow::Span { span, ended_at } => self.execute(
                "INSERT OR REPLACE INTO span(root_id, collection_id, from_seq, parent_id, to_seq, ended_at)
                   VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    self.root,
                    span.collection.to_i64(),
                    span.from_seq.to_i64(),
                    span.parent.map(CollectionId::to_i64),
                    span.to_seq.map(Seq::to_i64),
                    ended_at.map(|at| at.0)
                ],
            )?,
            TransferRow::Item(row) => {
                self.put_bag(row.item, &row.bag)?;
                self.execute(
                    "INSERT OR REPLACE INTO item(root_id, item_id, collection_id, seq, created_seq, content_seq, flags)
                       VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        self.root,
                        row.item.to_i64(),
                        row.collection.to_i64(),
                        row.seq.to_i64(),
                        row.created_seq.to_i64(),
                        row.content_seq.to_i64(),
                        row.flags.0
                    ],
                )?
            }
            TransferRow::Part { item, part, bytes } => {
                return self.put_part(*item, &PartData { part: *part, bytes: bytes.clone() });
            }
            TransferRow::Tombstone { collection, tombstone } => self.execute(
                "INSERT OR REPLACE INTO tombstone(root_id, collection_id, seq, item_id, created_seq, flags, kind, at,
                   moved_collection, moved_item, note) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    self.root,
                    collection.to_i64(),
                    tombstone.seq.to_i64(),
                    tombstone.item.to_i64(),
                    tombstone.created_seq.to_i64(),
                    tombstone.flags.0,
                    tombstone_kind_number(tombstone.kind),
                    tombstone.at.0,
                    tombstone.moved_to.map(|(collection, _)| collection.to_i64()),
                    tombstone.moved_to.map(|(_, item)| item.to_i64()),
                    &tombstone.note[..]
                ],
            )?,
            TransferRow::Name { scope, name, target } => self.execute(
                "INSERT OR REPLACE INTO name(root_id, scope, name, target) VALUES(?1, ?2, ?3, ?4)",
                params![self.root, scope.cast_signed(), &name[..], target.cast_signed()],
            )?,
            TransferRow::Key { collection, field, value, item } => self.execute(
                "INSERT OR REPLACE INTO item_key(root_id, collection_id, field, value, item_id)
                   VALUES(?1, ?2, ?3, ?4, ?5)",
                params![self.root, collection.to_i64(), field, &value[..], item.to_i64()],
            )?,
            TransferRow::Operation { operation, at, receipt } => self.execute(
                "INSERT OR REPLACE INTO operation(root_id, operation, at, receipt) VALUES(?1, ?2, ?3, ?4)",
                params![self.root, operation.0, at.0, receipt::encode(receipt)],
            )?,
        };
        Ok(())
    }
}
