//! Several tasks and several openers at once.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::*;

#[test]
fn commits_that_wait_share_a_sync() {
    let Fixture { store, directory: _directory } = begun();
    let before = store.stats();
    let commits = (0..200).map(|_| {
        let mut commit = Commit::new(ROOT, at(0));
        commit.writes.push(new(Vec::new()));
        store.commit(commit)
    });
    let receipts = block_on(join_all(commits));
    let positions: BTreeSet<Seq> = receipts.into_iter().map(|receipt| receipt.unwrap().write(0).seq).collect();
    assert!(positions.into_iter().eq((2..=201).map(Seq)));
    let after = store.stats();
    assert_eq!(after.commits - before.commits, 200);
    assert!(after.groups - before.groups < 100, "{}", after.groups - before.groups);
}

#[test]
fn a_failing_commit_leaves_the_others_of_its_group() {
    let Fixture { store, directory: _directory } = begun();
    let commits = (0..60).map(|number| {
        let mut commit = Commit::new(ROOT, at(0));
        commit.writes.push(new(Vec::new()));
        if number % 3 == 0 {
            commit.writes.push(Write::DeleteItem { item: ItemId(9_999), note: Bytes::new() });
        }
        store.commit(commit)
    });
    let receipts = block_on(join_all(commits));
    for (number, receipt) in receipts.iter().enumerate() {
        assert_eq!(receipt.is_ok(), number % 3 != 0);
    }
    assert_eq!(view(&store).root().last_seq, Seq(41));
    assert_eq!(block_on(view(&store).collection(COLLECTION)).unwrap().unwrap().items, 40);
}

#[test]
fn two_openers_write_the_same_root() {
    let directory = scratch();
    let stores = [open(&directory, 1), open(&directory, 2)];
    begin(&stores[0], ROOT);
    let positions: Vec<Seq> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let store = &stores[number % 2];
                scope.spawn(move || {
                    let create = |_| commit(store, at(0), new(Vec::new())).unwrap().write(0).seq;
                    (0..100).map(create).collect::<Vec<Seq>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: BTreeSet<Seq> = positions.into_iter().collect();
    assert!(distinct.into_iter().eq((2..=401).map(Seq)));
    for store in &stores {
        assert_eq!(block_on(view(store).collection(COLLECTION)).unwrap().unwrap().items, 400);
        assert_eq!(block_on(view(store).epochs()).unwrap().len(), 1);
    }
}

#[test]
fn a_root_created_by_one_opener_is_known_to_the_other() {
    let directory = scratch();
    let (one, two) = (open(&directory, 1), open(&directory, 2));
    assert_eq!(block_on(two.snapshot(ROOT)).err(), Some(StoreError::NoRoot(ROOT)));
    begin(&one, ROOT);
    assert_eq!(view(&two).root().last_seq, Seq(1));
    block_on(two.drop_root(ROOT)).unwrap();
    assert_eq!(commit(&one, at(0), new(Vec::new())), Err(StoreError::NoRoot(ROOT)));
    begin(&two, ROOT);
    assert_eq!(view(&one).root().last_seq, Seq(1));
}

#[test]
fn what_one_opener_writes_wakes_those_who_wait_at_the_other() {
    let directory = scratch();
    let (one, two) = (open(&directory, 1), open(&directory, 2));
    begin(&one, ROOT);
    begin(&one, RootId(8));
    assert!(!two.poll.is_running());
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..10)
            .map(|number| {
                let (root, two) = (if number < 5 { ROOT } else { RootId(8) }, &two);
                scope.spawn(move || block_on(two.changed(root, Seq(1))))
            })
            .collect();
        while !two.poll.is_running() {
            std::thread::yield_now();
        }
        create(&one, Vec::new());
        block_on(one.drop_root(RootId(8))).unwrap();
        let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
        let gone = Err(StoreError::NoRoot(RootId(8)));
        assert_eq!(outcomes.collect::<Vec<_>>(), [vec![Ok(Seq(2)); 5], vec![gone; 5]].concat());
    });
    // Once nobody waits, nobody looks.
    let until = Instant::now() + Duration::from_secs(20);
    while two.poll.is_running() {
        assert!(Instant::now() < until, "the thread goes on without anybody who waits");
        std::thread::park_timeout(Duration::from_millis(10));
    }
    assert!(!one.poll.is_running());
}

#[test]
fn one_of_two_openers_creates_a_root() {
    let directory = scratch();
    let stores = [open(&directory, 1), open(&directory, 2)];
    let won: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|number| {
                let store = &stores[number % 2];
                scope.spawn(move || {
                    let mut commit = Commit::new(ROOT, at(0));
                    commit.create_root = Some((RootKind::Site, Guid::NIL));
                    match block_on(store.commit(commit)) {
                        Ok(_) => 1,
                        Err(StoreError::Conflict { guard: usize::MAX }) => 0,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(won, 1);
}

#[test]
fn reads_go_on_beside_a_write() {
    let Fixture { store, directory } = begun();
    let shard = Connection::open(shard_path(directory.path(), (ROOT.0 % 4) as usize)).unwrap();
    shard.execute_batch("BEGIN IMMEDIATE; UPDATE root SET last_seq = 99").unwrap();
    assert_eq!(view(&store).root().last_seq, Seq(1));
    shard.execute_batch("ROLLBACK").unwrap();
    create(&store, Vec::new());
}
