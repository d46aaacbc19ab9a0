//! The rows of a root as they are, given away and taken in.

use super::{
    state::{Entry, RootState, SpanRow},
    write::in_memory,
};
use crate::{Page, Span, StoreError, TransferKey, TransferLimit, TransferRoom, TransferRow, TransferTotals};

/// All rows of a root in the order of their keys.
pub(super) fn rows(state: &RootState) -> impl Iterator<Item = TransferRow> {
    let epochs = state.epochs.iter().map(|(ordinal, epoch)| TransferRow::Epoch { ordinal: *ordinal, epoch: *epoch });
    let ticks = state.minutes.iter().map(|(minute, seq)| TransferRow::Tick { minute: *minute, seq: *seq });
    let collections = state.collections.values().cloned().map(TransferRow::Collection);
    let spans = state.spans.iter().map(|((collection, from_seq), row)| TransferRow::Span {
        span: Span {
            collection: *collection,
            parent: row.parent,
            from_seq: *from_seq,
            to_seq: row.end.map(|(seq, _)| seq),
        },
        ended_at: row.end.map(|(_, at)| at),
    });
    let items = state.items.values().cloned().map(TransferRow::Item);
    let parts = state.parts.iter();
    let parts =
        parts.map(|((item, part), bytes)| TransferRow::Part { item: *item, part: *part, bytes: bytes.clone().into() });
    let tombstones = state.changes.iter().filter_map(|((collection, _), entry)| match entry {
        Entry::Gone(row) => Some(TransferRow::Tombstone { collection: *collection, tombstone: row.clone() }),
        Entry::Item(_) => None,
    });
    let names = state.names.iter();
    let names =
        names.map(|((scope, name), target)| TransferRow::Name { scope: *scope, name: name.clone(), target: *target });
    let keys = state.keys.iter().map(|((collection, field, value, item), ())| TransferRow::Key {
        collection: *collection,
        field: *field,
        value: value.clone(),
        item: *item,
    });
    let operations = state.operations.iter().map(|(operation, (at, receipt))| TransferRow::Operation {
        operation: *operation,
        at: *at,
        receipt: receipt.clone(),
    });
    let first = epochs.chain(ticks).chain(collections).chain(spans).chain(items).chain(parts);
    first.chain(tombstones).chain(names).chain(keys).chain(operations)
}

/// One page. Costs the rows before it as well: this store is for tests.
pub(super) fn page(state: &RootState, after: Option<&TransferKey>, limit: TransferLimit) -> Page<TransferRow> {
    let mut behind = rows(state).filter(|row| after.is_none_or(|after| row.key() > *after)).peekable();
    let (mut page, mut room) = (Vec::new(), TransferRoom::of(limit));
    while !room.is_full()
        && let Some(row) = behind.next()
    {
        room.take(&row);
        page.push(row);
    }
    Page { rows: page, more: behind.peek().is_some() }
}

pub(super) fn totals(state: &RootState) -> TransferTotals {
    let mut totals = TransferTotals::default();
    rows(state).for_each(|row| totals.count(&row));
    totals
}

/// Puts rows, all or none.
pub(super) fn load(state: &mut RootState, rows: Vec<TransferRow>) -> Result<(), StoreError> {
    let mut parts = Vec::new();
    for row in &rows {
        if let TransferRow::Part { item, part, bytes } = row {
            parts.push(((*item, *part), in_memory(bytes)?));
        }
    }
    for (key, bytes) in parts {
        state.parts.put(key, bytes);
    }
    for row in rows {
        put(state, row);
    }
    state.settle();
    Ok(())
}

fn put(state: &mut RootState, row: TransferRow) {
    match row {
        TransferRow::Epoch { ordinal, epoch } => {
            state.epochs.insert(ordinal, epoch);
        }
        TransferRow::Tick { minute, seq } => {
            state.minutes.insert(minute, seq);
        }
        TransferRow::Collection(row) => {
            let parent_before = state.collections.get(&row.collection).and_then(|before| before.parent);
            if let Some(parent) = parent_before {
                state.children.take(&(parent, row.collection));
            }
            if let Some(parent) = row.parent {
                state.children.put((parent, row.collection), ());
            }
            state.collections.put(row.collection, row);
        }
        TransferRow::Span { span, ended_at } => {
            let row = SpanRow { parent: span.parent, end: span.to_seq.zip(ended_at) };
            state.spans.put((span.collection, span.from_seq), row);
        }
        TransferRow::Item(row) => {
            if let Some(before) = state.items.take(&row.item) {
                state.members.take(&(before.collection, before.item));
                state.changes.take(&(before.collection, before.seq));
                state.created.take(&(before.collection, before.created_seq));
            }
            state.members.put((row.collection, row.item), ());
            state.changes.put((row.collection, row.seq), Entry::Item(row.item));
            state.created.put((row.collection, row.created_seq), row.item);
            state.items.put(row.item, row);
        }
        // Put before: reading it may fail.
        TransferRow::Part { .. } => {}
        TransferRow::Tombstone { collection, tombstone } => {
            state.changes.put((collection, tombstone.seq), Entry::Gone(tombstone));
        }
        TransferRow::Name { scope, name, target } => state.names.put((scope, name), target),
        TransferRow::Key { collection, field, value, item } => state.keys.put((collection, field, value, item), ()),
        TransferRow::Operation { operation, at, receipt } => {
            state.operations.insert(operation, (at, receipt));
        }
    }
}
