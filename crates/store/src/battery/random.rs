//! Random histories, done by the store under test and by the memory store.

use bytes::Bytes;
use model::{CollectionId, ItemFlags, ItemId, Random, SeededRandom, Seq, Time};

use super::{
    bench::{AT, Bench, part},
    block_on,
    dump::{Dump, FIELDS, dump},
};
use crate::{
    CollectionRef, Commit, FieldKey, Guard, ItemChange, ItemRef, NameTarget, NewItem, NewItemId, PartChange, Store,
    TombstoneKind, Write, memory::MemoryStore,
};

const HISTORIES: u64 = 12;
const COMMITS: u64 = 50;
pub(super) const SCOPES: [u64; 2] = [1, 2];

/// Random commits, some of them failing, give the same receipts and the same root as in the memory store.
pub fn random_histories_agree_with_the_memory_store(store: &dyn Store) {
    for seed in 0..HISTORIES {
        let memory = MemoryStore::new(1);
        let (tested, expected) = (Bench::new(store, seed), Bench::new(&memory, seed));
        let random = Chance(SeededRandom::new(seed));
        let mut now = AT;
        for step in 0..COMMITS {
            let state = dump(&memory, expected.root, &SCOPES);
            now = now.plus_seconds(random.below(40) as i64 - 2);
            let commit = random.commit(&state, now);
            let (result, wanted) = (tested.commit(commit.clone()), expected.commit(commit.clone()));
            // Which of several errors of one commit comes first is left to the store.
            match (&result, &wanted) {
                (Ok(result), Ok(wanted)) => assert_eq!(result, wanted, "seed {seed}, step {step}: {commit:#?}"),
                (Err(_), Err(_)) => {}
                (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
                    panic!("seed {seed}, step {step}: {result:?} instead of {wanted:?} for {commit:#?}")
                }
            }
            if step % 10 == 9 || wanted.is_err() {
                let (found, wanted) = (dump(store, tested.root, &SCOPES), dump(&memory, expected.root, &SCOPES));
                assert_eq!(found, wanted, "seed {seed}, step {step}");
                let time = now.plus_seconds(-(random.below(1_000) as i64));
                let position = |bench: Bench<'_>| block_on(bench.view().0.position_at(time)).unwrap();
                assert_eq!(position(tested), position(expected), "seed {seed}, step {step}: {time}");
            }
        }
    }
}

/// The source of random commits.
pub(super) struct Chance(pub(super) SeededRandom);

impl Chance {
    /// A number from 0 up to, but not including, `bound`.
    pub(super) fn below(&self, bound: u64) -> u64 {
        self.0.number() % bound.max(1)
    }

    fn one_in(&self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn pick<T: Copy>(&self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len() as u64) as usize).copied()
    }

    /// A commit on a root in this state; it may be refused.
    pub(super) fn commit(&self, state: &Dump, at: Time) -> Commit {
        let mut commit = Commit::new(state.root.root, at);
        for _ in 0..self.below(3) {
            commit.guards.extend(self.guard(state));
        }
        for _ in 0..=self.below(6) {
            let write = self.write(state, &commit);
            commit.writes.push(write);
        }
        commit
    }

    /// A guard that mostly holds.
    fn guard(&self, state: &Dump) -> Option<Guard> {
        let collection = &state.collections.get(self.below(state.collections.len() as u64) as usize)?.row;
        let off = u64::from(self.one_in(20));
        let item = state.collections.iter().flat_map(|collection| &collection.list).last();
        Some(match (self.below(4), item) {
            (0, Some(row)) => Guard::ItemAt(row.item, Seq(row.seq.0 + off)),
            (1, Some(row)) => Guard::ItemContentAt(row.item, Seq(row.content_seq.0 + off)),
            (2, Some(row)) => Guard::ItemIn(row.item, CollectionId(row.collection.0 + off)),
            _ => Guard::CollectionAt(collection.collection, Seq(collection.seq.0 + off)),
        })
    }

    fn flags(&self) -> ItemFlags {
        ItemFlags(self.below(2) as u32).set(ItemFlags::ASSOCIATED, self.one_in(6))
    }

    fn bytes(&self) -> Bytes {
        vec![self.below(256) as u8; self.below(30) as usize].into()
    }

    /// The bytes of a part, now and then a large one of few that recur.
    fn part_bytes(&self) -> Bytes {
        if self.one_in(8) { vec![self.below(3) as u8; 70_000].into() } else { self.bytes() }
    }

    fn id(&self, state: &Dump, to: CollectionRef) -> NewItemId {
        let highest = state.root.last_seq.0 + 40;
        match (self.below(8), to) {
            (0, _) => NewItemId::Given(ItemId(1 + self.below(highest))),
            (1, CollectionRef::Id(list)) => NewItemId::Given(ItemId::in_list(list, 1 + self.below(20) as u32)),
            (2..=4, _) => NewItemId::Numbered,
            _ => NewItemId::Seq,
        }
    }

    /// A collection: one that is there, one that an earlier write created, seldom one that is not.
    fn collection(&self, state: &Dump, commit: &Commit) -> CollectionRef {
        let created: Vec<usize> = (0..commit.writes.len())
            .filter(|index| matches!(commit.writes[*index], Write::CreateCollection { .. }))
            .collect();
        if self.one_in(3)
            && let Some(index) = self.pick(&created)
        {
            return CollectionRef::Write(index);
        }
        CollectionRef::Id(self.known(state))
    }

    fn known(&self, state: &Dump) -> CollectionId {
        let ids: Vec<CollectionId> = state.collections.iter().map(|collection| collection.row.collection).collect();
        self.pick(&ids).filter(|_| !self.one_in(40)).unwrap_or(CollectionId(self.below(30)))
    }

    fn item(&self, state: &Dump) -> ItemId {
        let items = state.collections.iter().flat_map(|collection| &collection.list);
        let ids: Vec<ItemId> = items.map(|row| row.item).collect();
        self.pick(&ids).filter(|_| !self.one_in(40)).unwrap_or(ItemId(self.below(30)))
    }

    fn name(&self) -> (u64, Bytes) {
        (1 + self.below(2), vec![b'a' + self.below(12) as u8; 1 + self.below(2) as usize].into())
    }

    fn key(&self) -> FieldKey {
        let value = vec![self.below(5) as u8; self.below(3) as usize].into();
        FieldKey { field: self.below(u64::from(FIELDS)) as u32, value }
    }

    fn write(&self, state: &Dump, commit: &Commit) -> Write {
        let to = self.collection(state, commit);
        let choice = if state.collections.is_empty() { 0 } else { self.below(46) };
        match choice {
            0..=1 => {
                let parent = (!state.collections.is_empty() && self.one_in(2)).then_some(to);
                Write::CreateCollection { parent, bag: self.bytes() }
            }
            2..=3 => self.update_collection(state),
            4 => Write::DropCollection { collection: self.known(state) },
            5..=14 => Write::CreateItem(NewItem {
                collection: to,
                id: self.id(state, to),
                flags: self.flags(),
                bag: self.bytes(),
                parts: (0..self.below(3)).map(|number| part(number as u32, self.part_bytes())).collect(),
            }),
            15..=22 => self.update_item(state, commit.writes.is_empty()),
            23..=25 => Write::DeleteItem { item: self.item(state), note: self.bytes() },
            26..=28 => Write::MoveItem {
                item: self.item(state),
                to,
                id: self.id(state, to),
                bag: self.one_in(3).then(|| self.bytes()),
                note: self.bytes(),
            },
            29..=31 => Write::CopyItem {
                item: self.item(state),
                to,
                id: self.id(state, to),
                bag: self.one_in(3).then(|| self.bytes()),
                flags: self.one_in(3).then(|| self.flags()),
            },
            32 => Write::MarkItem { item: self.item(state), kind: TombstoneKind::Renamed, note: self.bytes() },
            33..=36 => {
                let (scope, name) = self.name();
                Write::PutName { scope, name, target: NameTarget::Id(self.below(100)) }
            }
            37..=38 => {
                let (scope, name) = self.name();
                Write::DropName { scope, name }
            }
            39..=43 => {
                let item = match self.below(4) {
                    0 => ItemRef::Write(commit.writes.len().saturating_sub(1)),
                    _ => self.item(state).into(),
                };
                let keys = || (0..self.below(4)).map(|_| self.key()).collect();
                Write::ChangeKeys { collection: self.known(state), item, drop: keys(), put: keys() }
            }
            44 => Write::DropKeys {
                collection: self.known(state),
                field: self.below(u64::from(FIELDS)) as u32,
                rows_max: self.below(6) as usize,
            },
            _ => {
                let before = commit.at.plus_seconds(-(self.below(600) as i64));
                Write::TrimTombstones { before, rows_max: self.below(6) as usize }
            }
        }
    }

    /// A change of a collection; a move goes to the top or under an older one, so that no circle arises.
    fn update_collection(&self, state: &Dump) -> Write {
        let collection = self.known(state);
        let row = state.collections.iter().map(|collection| &collection.row).find(|row| row.collection == collection);
        let older: Vec<CollectionId> =
            state.collections.iter().map(|other| other.row.collection).filter(|other| *other < collection).collect();
        let parent = self.pick(&older).filter(|_| self.one_in(2));
        let moves = self.one_in(2) && row.is_some_and(|row| row.parent != parent);
        Write::UpdateCollection {
            collection,
            bag: self.one_in(2).then(|| self.bytes()),
            parent: moves.then_some(parent),
        }
    }

    fn update_item(&self, state: &Dump, first: bool) -> Write {
        let item = self.item(state);
        if self.one_in(3) {
            let rows = state.collections.iter().flat_map(|collection| &collection.list);
            let before = rows.filter(|row| row.item == item).map(|row| row.flags).next().unwrap_or_default();
            let flags = Some(before.set(ItemFlags::READ, self.one_in(2)));
            // An earlier write of the commit may have changed the scope, and then more than the read flag changes.
            return Write::UpdateItem(ItemChange { item, flags, bag: None, parts: Vec::new(), content: !first });
        }
        let change = |_| match self.below(6) {
            0 => PartChange::Clear,
            1 => PartChange::Remove(self.below(4) as u32),
            _ => PartChange::Put(part(self.below(4) as u32, self.part_bytes())),
        };
        Write::UpdateItem(ItemChange {
            item,
            flags: self.one_in(2).then(|| self.flags()),
            bag: self.one_in(2).then(|| self.bytes()),
            parts: (0..self.below(4)).map(change).collect(),
            content: true,
        })
    }
}
