//! Guards and writes of commits, in memory, over the rows that were read for them.

mod collections;
mod items;
mod keys;
mod overlay;
mod parts;
mod table;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use model::{CollectionId, ItemId, Seq, Time};
use store::{CollectionRef, Commit, Guard, NameTarget, NewItem, Receipt, StoreError, Write, WriteReceipt};

use crate::large::Hashes;

pub(crate) use overlay::{Collection, Content, Grave, Item, NewEpoch, NewSpan, Operation, Overlay, Part, Root, Source};
pub(crate) use table::Slot;

/// A conflict that no guard of the caller names.
pub(crate) const CONFLICT: StoreError = StoreError::Conflict { guard: usize::MAX };
const BAD_REFERENCE: StoreError = StoreError::TooLarge("a write refers to one that created nothing before it");

/// Why a commit, or one of its writes, cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The port's rules say so.
    Port(StoreError),
    /// It needs to be done in the database itself, or everything before it has to be there first.
    Alone,
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Port(error)
    }
}

/// How far a commit has come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The epoch that wrote before it; `None` where it creates the root.
    epoch_before: Option<i64>,
    /// The position before it.
    first_seq: Seq,
    /// What its writes did.
    pub(crate) done: Vec<WriteReceipt>,
}

/// The minute a time lies in.
pub(crate) const fn minute(time: Time) -> i64 {
    time.0.div_euclid(60 * Time::SECOND)
}

/// Does a whole commit, or leaves the overlay as it was.
pub(crate) fn apply(overlay: &mut Overlay, commit: &Commit, hashes: &Hashes, epoch: i64) -> Result<Receipt, Refusal> {
    let mark = overlay.mark();
    let result = whole(overlay, commit, hashes, epoch);
    if result.is_err() {
        overlay.roll_back(&mark);
    }
    result
}

fn whole(overlay: &mut Overlay, commit: &Commit, hashes: &Hashes, epoch: i64) -> Result<Receipt, Refusal> {
    let mut progress = begin(overlay, commit)?;
    for index in 0..commit.writes.len() {
        write(overlay, commit, hashes, &mut progress)?;
        debug_assert_eq!(progress.done.len(), index + 1, "one receipt a write");
    }
    Ok(finish(overlay, commit, progress, epoch))
}

/// Creates the root where the commit says so, and checks the guards.
pub(crate) fn begin(overlay: &mut Overlay, commit: &Commit) -> Result<Progress, Refusal> {
    let progress = match (overlay.root, commit.create_root) {
        (Some(_), Some(_)) => return Err(CONFLICT.into()),
        (None, None) => return Err(StoreError::NoRoot(commit.root).into()),
        (Some(root), None) => Progress {
            epoch_before: root.epoch,
            first_seq: root.last_seq,
            done: Vec::with_capacity(commit.writes.len()),
        },
        (None, Some(create)) => {
            overlay.root = Some(Root { last_seq: Seq::ZERO, epoch: None });
            overlay.created = Some(create);
            Progress::default()
        }
    };
    overlay.at = overlay.at.max(commit.at);
    for (guard, check) in commit.guards.iter().enumerate() {
        if !holds(overlay, check)? {
            return Err(StoreError::Conflict { guard }.into());
        }
    }
    Ok(progress)
}

/// Does the next write. After an error the overlay has to be rolled back to where it was before.
pub(crate) fn write(
    overlay: &mut Overlay,
    commit: &Commit,
    hashes: &Hashes,
    progress: &mut Progress,
) -> Result<(), Refusal> {
    let index = progress.done.len();
    let Some(write) = commit.writes.get(index) else { return Ok(()) };
    let mut applier = Applier { overlay, at: commit.at, done: &progress.done, hashes, index };
    let receipt = applier.write(write)?;
    progress.done.push(receipt);
    Ok(())
}

/// Notes what all writes of a commit leave: the epoch, the time line, the receipt.
pub(crate) fn finish(overlay: &mut Overlay, commit: &Commit, progress: Progress, epoch: i64) -> Receipt {
    let Progress { epoch_before, first_seq, done } = progress;
    let last_seq = overlay.root.map_or(first_seq, |root| root.last_seq);
    // What takes no position leaves no trace in the history: trimming an idle root writes nothing.
    let is_history = epoch_before.is_none() || last_seq != first_seq;
    if is_history && epoch_before != Some(epoch) {
        overlay.new_epoch = Some(NewEpoch { epoch, first_seq, at: commit.at });
    }
    if is_history {
        if let Some(root) = &mut overlay.root {
            root.epoch = Some(epoch);
        }
        let known = overlay.ticks.last().map(|(minute, _)| *minute).max(overlay.minute);
        let minute = minute(commit.at);
        if known.is_none_or(|known| minute > known) {
            overlay.ticks.push((minute, first_seq));
        }
    }
    let receipt = Receipt { last_seq, writes: done };
    if let Some(operation) = commit.operation {
        overlay.operations.put(operation, Operation { at: commit.at, receipt: receipt.clone() });
    }
    receipt
}

fn holds(overlay: &Overlay, guard: &Guard) -> Result<bool, Refusal> {
    let item = |item: &ItemId| find(overlay.items.get(item), "an item");
    let collection = |id: &CollectionId| find(overlay.collections.get(id), "a collection");
    let name = |scope: u64, name: &Bytes| find(overlay.names.get(&(scope, name.clone())), "a name");
    Ok(match guard {
        Guard::ItemAt(id, seq) => item(id)?.is_some_and(|row| row.seq == *seq),
        Guard::ItemContentAt(id, seq) => item(id)?.is_some_and(|row| row.content_seq == *seq),
        Guard::ItemIn(id, place) => item(id)?.is_some_and(|row| row.collection == *place),
        Guard::CollectionAt(id, seq) => collection(id)?.is_some_and(|row| row.seq == *seq),
        Guard::CollectionItemsAt(id, seq) => collection(id)?.is_some_and(|row| row.items_seq == *seq),
        Guard::CollectionExists(id) => collection(id)?.is_some(),
        Guard::CollectionEmpty(id) => {
            let is_bare = collection(id)?.is_some_and(|row| row.items == 0 && row.associated == 0);
            is_bare && !has_children(overlay, *id)?
        }
        Guard::NameFree(scope, text) => name(*scope, text)?.is_none(),
        Guard::NameIs(scope, text, target) => name(*scope, text)? == Some(target),
    })
}

fn has_children(overlay: &Overlay, collection: CollectionId) -> Result<bool, Refusal> {
    if overlay.families.contains(&collection) {
        return Err(Refusal::Alone);
    }
    Ok(*find(Some(overlay.had_children.get(&collection)), "children")?.unwrap_or(&false))
}

/// A row that must have been loaded.
fn find<T>(known: Option<T>, what: &'static str) -> Result<T, Refusal> {
    known.ok_or_else(|| Refusal::Port(StoreError::Corrupt(format!("{what} was not read before a write (a mistake)"))))
}

/// Applies one write.
struct Applier<'a> {
    overlay: &'a mut Overlay,
    at: Time,
    /// Receipts of the writes before.
    done: &'a [WriteReceipt],
    hashes: &'a Hashes,
    /// The number of this write.
    index: usize,
}

impl Applier<'_> {
    fn write(&mut self, write: &Write) -> Result<WriteReceipt, Refusal> {
        match write {
            Write::CreateCollection { parent, bag } => self.create_collection(*parent, bag),
            Write::UpdateCollection { collection, bag, parent } => {
                self.update_collection(*collection, bag.as_ref(), *parent)
            }
            Write::CreateItem(NewItem { collection, id, flags, bag, parts }) => {
                self.create_item(*collection, *id, *flags, bag, parts)
            }
            Write::UpdateItem(change) => self.update_item(change),
            Write::DeleteItem { item, note } => self.delete_item(*item, note),
            Write::MoveItem { item, to, id, bag, note } => self.move_item(*item, *to, *id, bag.as_ref(), note),
            Write::CopyItem { item, to, id, bag, flags } => self.copy_item(*item, *to, *id, bag.as_ref(), *flags),
            Write::MarkItem { item, kind, note } => self.mark_item(*item, *kind, note),
            Write::PutName { scope, name, target } => self.put_name(*scope, name, *target),
            Write::DropName { scope, name } => {
                self.overlay.names.take(&(*scope, name.clone()));
                self.overlay.names_changed.put((*scope, name.clone()), None);
                Ok(WriteReceipt::default())
            }
            Write::ChangeKeys { collection, item, drop, put } => self.change_keys(*collection, *item, drop, put),
            Write::DropCollection { .. } | Write::DropKeys { .. } | Write::TrimTombstones { .. } => Err(Refusal::Alone),
        }
    }

    fn put_name(&mut self, scope: u64, name: &Bytes, target: NameTarget) -> Result<WriteReceipt, Refusal> {
        let target = match target {
            NameTarget::Id(target) => target,
            NameTarget::Write(index) => {
                let done = self.done.get(index).copied().unwrap_or_default();
                let created = done.item.map(|ItemId(id)| id).or(done.collection.map(|CollectionId(id)| id));
                created.ok_or(BAD_REFERENCE)?
            }
        };
        self.overlay.names.put((scope, name.clone()), target);
        self.overlay.names_changed.put((scope, name.clone()), Some(target));
        Ok(WriteReceipt::default())
    }

    /// The collection meant, which is there.
    fn collection(&self, reference: CollectionRef) -> Result<CollectionId, Refusal> {
        let collection = match reference {
            CollectionRef::Id(collection) => collection,
            CollectionRef::Write(index) => {
                self.done.get(index).and_then(|done| done.collection).ok_or(BAD_REFERENCE)?
            }
        };
        self.collection_row(collection).map(|_| collection)
    }

    /// The row of a collection.
    fn collection_row(&self, collection: CollectionId) -> Result<Collection, Refusal> {
        let row = find(self.overlay.collections.get(&collection), "a collection")?;
        Ok(row.copied().ok_or(StoreError::NoCollection(collection))?)
    }

    /// The next position.
    fn position(&mut self) -> Seq {
        let root = self.overlay.root.get_or_insert(Root { last_seq: Seq::ZERO, epoch: None });
        root.last_seq = root.last_seq.next();
        root.last_seq
    }
}
