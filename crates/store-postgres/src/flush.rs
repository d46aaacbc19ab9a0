//! Writes what became of an overlay: one statement a table and kind of change, whatever the number of rows.

use std::collections::BTreeSet;

use model::{ItemId, RootId};

use crate::{
    apply::{Content, Overlay, Part, Slot, Source},
    flight::{Flight, Parameter},
    rows,
    statements::writes::{
        COPY_BAGS, COPY_PARTS, DELETE_BAGS, DELETE_ITEMS, DELETE_PARTS, DROP_GRAVES, DROP_KEYS, DROP_NAMES, DROPPED,
        END_SPANS, INSERT_EPOCH, INSERT_GRAVES, INSERT_ROOT, INSERT_SPANS, INSERT_TICK, MOVE_BAGS, MOVE_PARTS,
        PUT_COLLECTION_BAGS, PUT_KEYS, PUT_NAMES, PUT_OPERATIONS, REFER, UPDATE_BAGS, UPDATE_ITEMS, UPDATE_PARTS,
        WRITE_GROUP,
    },
};

/// A column of numbers.
type Numbers = Vec<i64>;

/// The statements that write the changes of an overlay, in an order in which they do not get into each other's way: what
/// is copied is read before it changes, what moves goes before others come.
pub(crate) fn flush(overlay: &Overlay, root: RootId) -> Flight<'_> {
    let mut flush = Flush { root: root.to_i64(), overlay, flight: Flight::default() };
    flush.root();
    let (bags, parts) = (flush.bags(), flush.parts());
    flush.items();
    flush.graves();
    flush.collections();
    flush.names();
    flush.keys();
    flush.references();
    flush.group(bags, parts);
    flush.flight
}

struct Flush<'a> {
    root: i64,
    overlay: &'a Overlay,
    flight: Flight<'a>,
}

/// Rows that come: ids and bags.
#[derive(Default)]
struct NewBags<'a> {
    items: Numbers,
    bags: Vec<&'a [u8]>,
}

/// Rows that come, or that change.
#[derive(Default)]
struct PartColumns<'a> {
    items: Numbers,
    numbers: Numbers,
    sizes: Numbers,
    hashes: Vec<Option<&'a [u8]>>,
    inline: Vec<Option<&'a [u8]>>,
}

/// Rows that are copied or moved from one item to another.
#[derive(Default)]
struct Transfers {
    from: Numbers,
    to: Numbers,
    numbers: Numbers,
}

impl<'a> PartColumns<'a> {
    fn push(&mut self, (item, number): (ItemId, u32), part: &'a Part) {
        self.items.push(item.to_i64());
        self.numbers.push(number.into());
        self.sizes.push(part.size);
        let (hash, inline) = match &part.content {
            Content::Large(hash) => (Some(&hash[..]), None),
            Content::Inline(Source::New(bytes)) => (None, Some(&bytes[..])),
            Content::Inline(Source::Stored(_)) => (None, None),
        };
        self.hashes.push(hash);
        self.inline.push(inline);
    }

    fn parameters(self) -> Vec<Parameter<'a>> {
        vec![
            Box::new(self.items),
            Box::new(self.numbers),
            Box::new(self.sizes),
            Box::new(self.hashes),
            Box::new(self.inline),
        ]
    }
}

impl Transfers {
    fn push(&mut self, from: ItemId, to: ItemId, number: u32) {
        self.from.push(from.to_i64());
        self.to.push(to.to_i64());
        self.numbers.push(number.into());
    }
}

impl<'a> Flush<'a> {
    /// Adds a statement where it has rows.
    fn add(&mut self, sql: &'static str, rows: usize, columns: Vec<Parameter<'a>>) {
        if rows > 0 {
            let root: Parameter<'a> = Box::new(self.root);
            self.flight.add(sql, [root].into_iter().chain(columns).collect());
        }
    }

    fn root(&mut self) {
        if let Some((kind, guid)) = self.overlay.created {
            let guid = guid.0.to_vec();
            self.add(INSERT_ROOT, 1, vec![Box::new(rows::root_kind_number(kind)), Box::new(guid)]);
        }
        if let Some(new) = self.overlay.new_epoch {
            let (first_seq, at) = (new.first_seq.to_i64(), new.at.0);
            self.add(INSERT_EPOCH, 1, vec![Box::new(new.epoch), Box::new(first_seq), Box::new(at)]);
        }
        for (minute, seq) in &self.overlay.ticks {
            self.add(INSERT_TICK, 1, vec![Box::new(*minute), Box::new(seq.to_i64())]);
        }
    }

    /// Copies, moves, changes and removes bags; gives those that come.
    fn bags(&mut self) -> NewBags<'a> {
        let items = &self.overlay.items;
        let (mut copies, mut moves) = (Transfers::default(), Transfers::default());
        let (mut new, mut changed, mut gone) = (NewBags::default(), NewBags::default(), Numbers::new());
        let mut moved = BTreeSet::new();
        for (item, slot) in items.slots() {
            let Some(row) = &slot.now else { continue };
            match &row.bag {
                Source::Stored(origin) if origin == item => {}
                Source::Stored(origin) if items.get(origin) == Some(None) && moved.insert(*origin) => {
                    moves.push(*origin, *item, 0);
                }
                Source::Stored(origin) => copies.push(*origin, *item, 0),
                Source::New(bag) => {
                    let columns = if slot.base.is_some() { &mut changed } else { &mut new };
                    columns.items.push(item.to_i64());
                    columns.bags.push(&bag[..]);
                }
            }
        }
        let ended = items.slots().filter(|(item, slot)| is_gone(slot) && !moved.contains(item));
        gone.extend(ended.map(|(item, _)| item.to_i64()));
        self.add(COPY_BAGS, copies.to.len(), vec![Box::new(copies.from), Box::new(copies.to)]);
        self.add(MOVE_BAGS, moves.to.len(), vec![Box::new(moves.from), Box::new(moves.to)]);
        self.add(UPDATE_BAGS, changed.items.len(), vec![Box::new(changed.items), Box::new(changed.bags)]);
        self.add(DELETE_BAGS, gone.len(), vec![Box::new(gone)]);
        new
    }

    /// Copies, moves, changes and removes parts; gives those that come.
    fn parts(&mut self) -> PartColumns<'a> {
        let parts = &self.overlay.parts;
        let (mut copies, mut moves) = (Transfers::default(), Transfers::default());
        let (mut new, mut changed) = (PartColumns::default(), PartColumns::default());
        let mut moved = BTreeSet::new();
        for (key, slot) in parts.slots().filter(|(_, slot)| slot.base != slot.now) {
            let ((item, number), Some(part)) = (*key, &slot.now) else { continue };
            match &part.content {
                Content::Inline(Source::Stored(origin)) => {
                    let is_free = parts.get(&(*origin, number)) == Some(None);
                    let transfers = if is_free && moved.insert((*origin, number)) { &mut moves } else { &mut copies };
                    transfers.push(*origin, item, number);
                }
                Content::Inline(Source::New(_)) | Content::Large(_) => {
                    let columns = if slot.base.is_some() { &mut changed } else { &mut new };
                    columns.push(*key, part);
                }
            }
        }
        let ended = parts.slots().filter(|(key, slot)| is_gone(slot) && !moved.contains(key));
        let (items, numbers): (Numbers, Numbers) =
            ended.map(|((item, number), _)| (item.to_i64(), i64::from(*number))).unzip();
        let columns = |transfers: Transfers| -> Vec<Parameter<'a>> {
            vec![Box::new(transfers.from), Box::new(transfers.to), Box::new(transfers.numbers)]
        };
        self.add(COPY_PARTS, copies.to.len(), columns(copies));
        let moved = pairs(&moves.from, &moves.numbers);
        let rows = moved.len();
        self.add(MOVE_PARTS, rows, vec![Box::new(moves.from), Box::new(moves.to), Box::new(moved)]);
        self.add(UPDATE_PARTS, changed.items.len(), changed.parameters());
        let gone = pairs(&items, &numbers);
        self.add(DELETE_PARTS, items.len(), vec![Box::new(items), Box::new(gone)]);
        new
    }

    /// Changes and removes items; those that come are written with the group.
    fn items(&mut self) {
        let changed = self.item_columns(|slot| slot.base.is_some() && !is_same_hot(slot));
        let gone: Numbers =
            self.overlay.items.slots().filter(|(_, slot)| is_gone(slot)).map(|(item, _)| item.to_i64()).collect();
        let rows = changed.first().map_or(0, Vec::len);
        self.add(UPDATE_ITEMS, rows, boxed(changed));
        self.add(DELETE_ITEMS, gone.len(), vec![Box::new(gone)]);
    }

    /// `item_id, collection_id, seq, created_seq, content_seq, flags` of some rows.
    fn item_columns(&self, wanted: impl Fn(&Slot<crate::apply::Item>) -> bool) -> [Numbers; 6] {
        let mut columns: [Numbers; 6] = Default::default();
        for (item, slot) in self.overlay.items.slots().filter(|(_, slot)| wanted(slot)) {
            let Some(row) = &slot.now else { continue };
            let numbers = [
                item.to_i64(),
                row.collection.to_i64(),
                row.seq.to_i64(),
                row.created_seq.to_i64(),
                row.content_seq.to_i64(),
                row.flags.0.into(),
            ];
            columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
        }
        columns
    }

    fn graves(&mut self) {
        let mut columns: [Numbers; 7] = Default::default();
        let (mut moved_collections, mut moved_items) = (Vec::new(), Vec::new());
        let mut notes: Vec<&[u8]> = Vec::new();
        let mut gone = Vec::new();
        for ((collection, seq), slot) in self.overlay.graves.slots() {
            match (&slot.base, &slot.now) {
                (None, Some(grave)) => {
                    let numbers = [
                        collection.to_i64(),
                        seq.to_i64(),
                        grave.item.to_i64(),
                        grave.created_seq.to_i64(),
                        grave.flags.0.into(),
                        rows::tombstone_kind_number(grave.kind),
                        grave.at.0,
                    ];
                    columns.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
                    moved_collections.push(grave.moved_to.map(|(collection, _)| collection.to_i64()));
                    moved_items.push(grave.moved_to.map(|(_, item)| item.to_i64()));
                    notes.push(&grave.note[..]);
                }
                (Some(_), None) => gone.push((collection.to_i64(), seq.to_i64())),
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        for keys in gone.chunks(DROPPED) {
            let columns = some(keys, |key| [Box::new(key.map(|(id, _)| id)), Box::new(key.map(|(_, seq)| seq))]);
            self.add(DROP_GRAVES, keys.len(), columns);
        }
        let rows = notes.len();
        let mut parameters = boxed(columns);
        parameters.extend([Box::new(moved_collections) as Parameter<'a>, Box::new(moved_items), Box::new(notes)]);
        self.add(INSERT_GRAVES, rows, parameters);
    }

    /// Bags of collections, and spans; the collections themselves are written with the group.
    fn collections(&mut self) {
        let slots = self.overlay.collection_bags.slots();
        let (ids, bags): (Numbers, Vec<&[u8]>) =
            slots.filter_map(|(id, slot)| Some((id.to_i64(), &slot.now.as_ref()?[..]))).unzip();
        self.add(PUT_COLLECTION_BAGS, ids.len(), vec![Box::new(ids), Box::new(bags)]);

        let mut ended: [Numbers; 3] = Default::default();
        for (collection, slot) in self.overlay.ended.slots() {
            let Some((seq, at)) = slot.now else { continue };
            let numbers = [collection.to_i64(), seq.to_i64(), at.0];
            ended.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
        }
        let rows = ended.first().map_or(0, Vec::len);
        self.add(END_SPANS, rows, boxed(ended));

        let (mut ids, mut from, mut parents, mut to, mut at) =
            (Numbers::new(), Numbers::new(), Vec::new(), Vec::new(), Vec::new());
        for ((collection, from_seq), slot) in self.overlay.spans.slots() {
            let Some(span) = slot.now else { continue };
            ids.push(collection.to_i64());
            from.push(from_seq.to_i64());
            parents.push(span.parent.map(model::CollectionId::to_i64));
            to.push(span.end.map(|(seq, _)| seq.to_i64()));
            at.push(span.end.map(|(_, at)| at.0));
        }
        let rows = ids.len();
        let columns: Vec<Parameter<'a>> =
            vec![Box::new(ids), Box::new(from), Box::new(parents), Box::new(to), Box::new(at)];
        self.add(INSERT_SPANS, rows, columns);
    }

    fn names(&mut self) {
        let (mut scopes, mut names, mut targets) = (Numbers::new(), Vec::<&[u8]>::new(), Numbers::new());
        let mut gone: Vec<(i64, &[u8])> = Vec::new();
        for ((scope, name), slot) in self.overlay.names_changed.slots() {
            match slot.now {
                Some(Some(target)) => {
                    scopes.push(scope.cast_signed());
                    names.push(&name[..]);
                    targets.push(target.cast_signed());
                }
                Some(None) => gone.push((scope.cast_signed(), &name[..])),
                None => {}
            }
        }
        for keys in gone.chunks(DROPPED) {
            let columns =
                some(keys, |key| [Box::new(key.map(|(scope, _)| scope)), Box::new(key.map(|(_, name)| name))]);
            self.add(DROP_NAMES, keys.len(), columns);
        }
        self.add(PUT_NAMES, scopes.len(), vec![Box::new(scopes), Box::new(names), Box::new(targets)]);
    }

    fn keys(&mut self) {
        let (mut collections, mut fields, mut items) = (Numbers::new(), Numbers::new(), Numbers::new());
        let mut values: Vec<&[u8]> = Vec::new();
        let mut gone = Vec::new();
        for ((collection, field, value, item), slot) in self.overlay.keys.slots() {
            let (collection, field, item) = (collection.to_i64(), i64::from(*field), item.to_i64());
            match slot.now {
                Some(true) => {
                    collections.push(collection);
                    fields.push(field);
                    values.push(&value[..]);
                    items.push(item);
                }
                Some(false) => gone.push((collection, field, &value[..], item)),
                None => {}
            }
        }
        for keys in gone.chunks(DROPPED) {
            let columns = some(keys, |key| {
                let (field, item) = (key.map(|(_, field, ..)| field), key.map(|(.., item)| item));
                let (collection, value) = (key.map(|(collection, ..)| collection), key.map(|(.., value, _)| value));
                [Box::new(collection), Box::new(field), Box::new(value), Box::new(item)]
            });
            self.add(DROP_KEYS, keys.len(), columns);
        }
        let rows = values.len();
        let columns: Vec<Parameter<'a>> =
            vec![Box::new(collections), Box::new(fields), Box::new(values), Box::new(items)];
        self.add(PUT_KEYS, rows, columns);
    }

    fn references(&mut self) {
        let slots = self.overlay.references.slots().filter_map(|(hash, slot)| Some((hash, slot.now?)));
        let (hashes, more): (Vec<&[u8]>, Numbers) =
            slots.filter(|(_, more)| *more != 0).map(|(hash, more)| (&hash[..], more)).unzip();
        let at = self.overlay.at.0;
        self.add(REFER, hashes.len(), vec![Box::new(hashes), Box::new(more), Box::new(at)]);
    }

    fn group(&mut self, bags: NewBags<'a>, parts: PartColumns<'a>) {
        let operations = self.operations();
        let items = self.item_columns(|slot| slot.base.is_none());
        let mut collections: [Numbers; 8] = Default::default();
        let mut parents = Vec::new();
        for (collection, slot) in self.overlay.collections.slots().filter(|(_, slot)| slot.base != slot.now) {
            let Some(row) = &slot.now else { continue };
            let numbers = [
                collection.to_i64(),
                row.seq.to_i64(),
                row.created_seq.to_i64(),
                row.items_seq.to_i64(),
                row.items,
                row.unread,
                row.associated,
                row.last_number,
            ];
            collections.iter_mut().zip(numbers).for_each(|(column, number)| column.push(number));
            parents.push(row.parent.map(model::CollectionId::to_i64));
        }
        let Some(root) = self.overlay.root.filter(|root| self.overlay.root_base != Some(*root)) else {
            // No position was taken, so there is nothing but the receipts.
            let rows = self.overlay.operations.slots().filter(|(_, slot)| slot.now.is_some()).count();
            self.add(PUT_OPERATIONS, rows, operations);
            return;
        };
        let mut parameters: Vec<Parameter<'a>> =
            vec![Box::new(root.last_seq.to_i64()), Box::new(root.epoch.unwrap_or_default())];
        let mut columns = boxed(collections);
        columns.insert(1, Box::new(parents));
        parameters.extend(columns);
        parameters.extend(boxed(items));
        parameters.extend([Box::new(bags.items) as Parameter<'a>, Box::new(bags.bags)]);
        parameters.extend(parts.parameters());
        parameters.extend(operations);
        self.add(WRITE_GROUP, 1, parameters);
    }

    /// `operation, at, receipt`.
    fn operations(&self) -> Vec<Parameter<'a>> {
        let (mut ids, mut times, mut receipts) = (Vec::<&[u8]>::new(), Numbers::new(), Vec::new());
        for (id, slot) in self.overlay.operations.slots() {
            let Some(operation) = &slot.now else { continue };
            ids.push(&id.0[..]);
            times.push(operation.at.0);
            receipts.push(store::receipt::encode(&operation.receipt));
        }
        vec![Box::new(ids), Box::new(times), Box::new(receipts)]
    }
}

/// The parameters of a statement that drops [`DROPPED`] rows.
fn some<'a, T: Copy, const N: usize>(
    keys: &[T],
    columns: impl Fn(Option<T>) -> [Parameter<'a>; N],
) -> Vec<Parameter<'a>> {
    (0..DROPPED).flat_map(|number| columns(keys.get(number).copied())).collect()
}

/// Items and numbers of parts as the statements compare them.
fn pairs(first: &[i64], second: &[i64]) -> Vec<String> {
    first.iter().zip(second).map(|(first, second)| format!("{first}:{second}")).collect()
}

fn is_gone<V>(slot: &Slot<V>) -> bool {
    slot.base.is_some() && slot.now.is_none()
}

/// Whether the hot row stays as it is.
fn is_same_hot(slot: &Slot<crate::apply::Item>) -> bool {
    match (&slot.base, &slot.now) {
        (Some(base), Some(now)) => {
            let hot = |row: &crate::apply::Item| (row.collection, row.seq, row.created_seq, row.content_seq, row.flags);
            hot(base) == hot(now)
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn boxed<'a, const N: usize>(columns: [Numbers; N]) -> Vec<Parameter<'a>> {
    columns.into_iter().map(|column| Box::new(column) as Parameter<'a>).collect()
}
