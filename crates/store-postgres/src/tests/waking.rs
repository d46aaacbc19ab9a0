//! Waking those who wait, by notifications and by looking, across two nodes.

use std::{
    thread,
    time::{Duration, Instant},
};

use model::Time;
use store::{RootKind, Write};

use super::*;

const ROOT: RootId = RootId(7);
/// Far below the interval at which rows are looked at where commits notify.
const SOON: Duration = Duration::from_secs(4);

fn two_nodes(url: &str, wake: Wake) -> [PostgresStore; 2] {
    [1, 2].map(|epoch| PostgresStore::open(url, Options { wake, epoch, ..options() }).unwrap())
}

fn commit(store: &PostgresStore, create: bool) -> Seq {
    let mut commit = Commit::new(ROOT, Time::from_unix(60));
    commit.create_root = create.then_some((RootKind::Mailbox, Guid::NIL));
    commit.writes.push(Write::CreateCollection { parent: None, bag: bytes::Bytes::new() });
    block_on(store.commit(commit)).unwrap().last_seq
}

fn until_somebody_waits(store: &PostgresStore) {
    while store.wakes.waiters().awaited().is_empty() {
        thread::yield_now();
    }
}

/// What a wait at one node comes to, and how long after `act` at the other.
fn woken(
    (here, there): (&PostgresStore, &PostgresStore),
    after: Seq,
    act: impl FnOnce(&PostgresStore),
) -> (Result<Seq, StoreError>, Duration) {
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let woken = block_on(here.changed(ROOT, after));
            (woken, Instant::now())
        });
        until_somebody_waits(here);
        let begun = Instant::now();
        act(there);
        let (woken, at) = waiting.join().unwrap();
        (woken, at.saturating_duration_since(begun))
    })
}

#[test]
fn a_commit_at_one_node_wakes_the_other() {
    let Some(cluster) = cluster("waking") else { return };
    for wake in [Wake::Notify, Wake::Poll] {
        let [here, there] = two_nodes(&cluster.fresh_url(), wake);
        assert_eq!(commit(&there, true), Seq(1));
        // Those after the first find a session that listens.
        for last in 1..4 {
            let (woken, took) = woken((&here, &there), Seq(last), |there| {
                commit(there, false);
            });
            assert_eq!(woken, Ok(Seq(last + 1)), "{wake:?}");
            assert!(took < SOON, "{wake:?}: {took:?}");
        }
        let (woken, took) = woken((&here, &there), Seq(4), |there| block_on(there.drop_root(ROOT)).unwrap());
        assert_eq!(woken, Err(StoreError::NoRoot(ROOT)), "{wake:?}");
        assert!(took < SOON, "{wake:?}: {took:?}");
    }
}

#[test]
fn many_wait_and_hold_no_session() {
    let Some(cluster) = cluster("many who wait") else { return };
    let [here, there] = two_nodes(&cluster.fresh_url(), Wake::Notify);
    commit(&there, true);
    let waiting: Vec<_> = (0..100).map(|_| here.changed(ROOT, Seq(1))).collect();
    thread::scope(|scope| {
        let all = scope.spawn(|| block_on(futures_util::future::join_all(waiting)));
        until_somebody_waits(&here);
        // Reads go on.
        assert_eq!(block_on(here.snapshot(ROOT)).unwrap().root().last_seq, Seq(1));
        commit(&there, false);
        assert!(all.join().unwrap().into_iter().all(|woken| woken == Ok(Seq(2))));
    });
    assert!(here.wakes.waiters().awaited().is_empty());
}

#[test]
fn nobody_misses_what_happens_while_the_session_that_listens_is_away() {
    let own = cluster::Options { fsync: false, ..cluster::Options::default() };
    let Some(cluster) = cluster::or_skip(Postgres::start(own), "a lost listener") else { return };
    let url = cluster.fresh_url();
    let [here, there] = two_nodes(&url, Wake::Notify);
    commit(&there, true);
    for round in 1..3 {
        let (woken, took) = woken((&here, &there), Seq(round), |there| {
            cluster.terminate_backends().unwrap();
            commit(there, false);
        });
        assert_eq!(woken, Ok(Seq(round + 1)));
        assert!(took < SOON, "{took:?}");
    }
    // What others say on the channel is not believed where it makes no sense, and harms nothing.
    let channel = cluster.sql_at(&url, "SELECT 'highwater_' || hashtext(current_schema()::text)").unwrap();
    let (woken, _) = woken((&here, &there), Seq(3), |there| {
        for payload in ["", "7", "7:", "x:9", "7:-1", "7:3", "99999999999999999999:1", "8:99"] {
            cluster.sql_at(&url, &format!("SELECT pg_notify('{}', '{payload}')", channel.trim())).unwrap();
        }
        commit(there, false);
    });
    assert_eq!(woken, Ok(Seq(4)));
}
