//! Many committers on one root.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use model::Seq;

use super::{
    bench::{Bench, plain, text},
    dump::goes_on,
};
use crate::{ChangeRow, Commit, Guard, NameTarget, NewItem, NewItemId, Store, StoreError, Write};

const COMMITTERS: u64 = 4;
const COMMITS: u64 = 25;

/// Commits from many threads get positions and numbers of their own, without gaps, each commit's in one piece.
pub fn committers_share_the_positions(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let new = Write::CreateItem(NewItem { id: NewItemId::Numbered, ..plain(folder) });
    let committer = || {
        let mut taken = Vec::new();
        for _ in 0..COMMITS {
            let receipt = bench.write(vec![new.clone(), new.clone()]);
            let (first, second) = (receipt.write(0), receipt.write(1));
            assert_eq!(first.seq.next(), second.seq);
            assert_eq!(receipt.last_seq, second.seq);
            taken.extend([first, second].map(|write| (write.seq.0, write.item.unwrap().number())));
        }
        taken
    };
    let mut taken: Vec<(u64, u32)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..COMMITTERS).map(|_| scope.spawn(committer)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    taken.sort_unstable();
    let expected: Vec<(u64, u32)> = (2..).zip(1..).take(2 * (COMMITTERS * COMMITS) as usize).collect();
    assert_eq!(taken, expected);
    assert_eq!(bench.last_seq(), Seq(taken.last().unwrap().0));
    assert_eq!(bench.collection(folder).items, 2 * COMMITTERS * COMMITS);
}

/// Says that a committer is done, also when it panics.
struct Done<'a>(&'a AtomicU64);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A reader that follows the changes while others write sees every one, in order: no position shows after a later one.
pub fn a_follower_misses_nothing(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    let folder = bench.folder();
    let done = AtomicU64::new(0);
    let committer = || {
        let _done = Done(&done);
        for _ in 0..COMMITS {
            bench.item(folder);
        }
    };
    let follower = || {
        let mut seen: Vec<u64> = Vec::new();
        let mut mark = Seq::ZERO;
        loop {
            let last_round = done.load(Ordering::SeqCst) == COMMITTERS;
            let mut view = bench.view();
            let last_seq = view.0.root().last_seq;
            loop {
                let page = view.changes(folder, mark, 7);
                goes_on(&page, seen.len());
                mark = page.rows.last().map_or(mark, ChangeRow::seq);
                seen.extend(page.rows.iter().map(|row| row.seq().0));
                if !page.more {
                    break;
                }
            }
            // The root's position of the same snapshot is the next mark, as a token takes it.
            assert!(mark <= last_seq, "{mark} is past the last position {last_seq}");
            assert_eq!(seen.len() as u64 + 1, last_seq.0, "a change up to {last_seq} was not seen");
            mark = last_seq;
            if last_round {
                return seen;
            }
            thread::yield_now();
        }
    };
    let seen = thread::scope(|scope| {
        let follower = scope.spawn(follower);
        for _ in 0..COMMITTERS {
            scope.spawn(committer);
        }
        follower.join().unwrap()
    });
    assert_eq!(seen, (2..2 + COMMITTERS * COMMITS).collect::<Vec<_>>());
}

/// Of several commits that guard the same state, one wins and the others conflict.
pub fn one_of_two_wins_a_guard(store: &dyn Store) {
    let bench = Bench::new(store, 7);
    for round in 0..10 {
        let name = text("name").into_iter().chain([round]).collect::<bytes::Bytes>();
        let committer = |target| {
            let guards = vec![Guard::NameFree(1, name.clone())];
            let writes = vec![Write::PutName { scope: 1, name: name.clone(), target: NameTarget::Id(target) }];
            bench.commit(Commit { guards, writes, ..bench.empty() })
        };
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..COMMITTERS).map(|target| scope.spawn(move || (target, committer(target)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut winners = results.iter().filter(|(_, result)| result.is_ok());
        let (winner, _) = winners.next().unwrap();
        assert!(winners.next().is_none());
        let conflict = Err(StoreError::Conflict { guard: 0 });
        assert!(results.iter().all(|(target, result)| target == winner || *result == conflict), "{results:?}");
        assert!(bench.holds(Guard::NameIs(1, name.clone(), *winner)));
    }
}
