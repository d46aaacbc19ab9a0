//! A database that moves to its replica, and one that answers late, as nodes see them.

use std::net::ToSocketAddrs;

use cluster::{Replication, Weather, Wire};
use model::Time;
use store::{Epoch, RootKind, Write};

use super::*;

const ROOT: RootId = RootId(7);

fn commit(store: &PostgresStore, create: bool) -> Result<Seq, StoreError> {
    let mut commit = Commit::new(ROOT, Time::from_unix(60));
    commit.create_root = create.then_some((RootKind::Mailbox, Guid::NIL));
    commit.writes.push(Write::CreateCollection { parent: None, bag: bytes::Bytes::new() });
    block_on(store.commit(commit)).map(|receipt| receipt.last_seq)
}

fn epochs(store: &PostgresStore) -> (Seq, Vec<Epoch>) {
    let mut view = block_on(store.snapshot(ROOT)).unwrap();
    let epochs = block_on(view.epochs()).unwrap();
    assert_eq!(epochs.last().map(|epoch| epoch.epoch), Some(view.root().epoch));
    (view.root().last_seq, epochs)
}

/// A cluster with a standby, a store that knows both, and the positions after `before` commits that the standby has and
/// `lost` commits that it has not.
fn moved(replication: Replication, before: u64, lost: u64) -> Option<(PostgresStore, Vec<Epoch>, Vec<Postgres>)> {
    let made = Postgres::start(cluster::Options::default());
    let primary = cluster::or_skip(made, "a fail-over")?;
    let standby = primary.standby(replication).unwrap();
    drop(primary.url("moved"));
    let url = Postgres::url_of_any([&primary, &standby], "moved");
    let store = PostgresStore::open(&url, Options { patience: Duration::from_secs(30), ..options() }).unwrap();
    for number in 0..before {
        assert_eq!(commit(&store, number == 0), Ok(Seq(number + 1)));
    }
    let (_, epochs) = epochs(&store);
    if lost > 0 {
        standby_has(&primary);
        standby.disconnect_from_primary().unwrap();
        for number in before..before + lost {
            assert_eq!(commit(&store, false), Ok(Seq(number + 1)));
        }
    }
    primary.kill().unwrap();
    standby.promote().unwrap();
    Some((store, epochs, vec![primary, standby]))
}

/// Waits until the standby has played back all that was written.
fn standby_has(primary: &Postgres) {
    let behind = "SELECT COUNT(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
    while primary.sql(behind).unwrap().trim() == "0" {
        std::thread::yield_now();
    }
}

#[test]
fn nodes_find_the_promoted_replica_and_lose_nothing() {
    let Some((store, before, _cluster)) = moved(Replication::Synchronous, 3, 0) else { return };
    assert_eq!(epochs(&store), (Seq(3), before.clone()));
    assert_eq!(commit(&store, false), Ok(Seq(4)));
    // It is another timeline: whoever has a token of a position above 3 has it from a history that is not this one.
    let (last_seq, after) = epochs(&store);
    assert_eq!((last_seq, after.len()), (Seq(4), 2));
    assert_eq!(after.first(), before.first());
    let newest = after.last().unwrap();
    assert_eq!(newest.first_seq, Seq(3));
    assert_ne!(newest.epoch, before.last().unwrap().epoch);
}

#[test]
fn a_lost_timeline_ends_where_the_replica_goes_on() {
    let Some((store, before, _cluster)) = moved(Replication::Asynchronous, 3, 2) else { return };
    assert_eq!(epochs(&store), (Seq(3), before.clone()), "two acknowledged commits are lost");
    for expected in 4..7 {
        assert_eq!(commit(&store, false), Ok(Seq(expected)));
    }
    let (_, after) = epochs(&store);
    let newest = after.last().unwrap();
    assert_eq!((after.len(), newest.first_seq), (2, Seq(3)));
    assert_ne!(newest.epoch, before.last().unwrap().epoch);
}

#[test]
fn a_database_that_does_not_answer_is_not_waited_for_without_end() {
    let Some(cluster) = cluster("a late database") else { return };
    let wire = Wire::start(cluster.authority().to_socket_addrs().unwrap().next().unwrap()).unwrap();
    let url = cluster.fresh_url().replace(&cluster.authority(), &wire.address().to_string());
    let store = PostgresStore::open(&url, options()).unwrap();
    assert_eq!(commit(&store, true), Ok(Seq(1)));
    let mut held = block_on(store.snapshot(ROOT)).unwrap();
    for weather in [Weather::Silent, Weather::Late(Duration::from_secs(30)), Weather::Refusing] {
        wire.set(weather).unwrap();
        assert!(matches!(block_on(held.epochs()), Err(StoreError::TryAgain(_))), "{weather:?}");
        let refused = block_on(store.snapshot(ROOT)).map(|_| ());
        assert!(matches!(refused, Err(StoreError::TryAgain(_))), "{weather:?}: {refused:?}");
        assert!(block_on(store.check()).is_err(), "{weather:?}");
        wire.set(Weather::Fair).unwrap();
        // By itself, without anything being started again.
        assert_eq!(block_on(store.snapshot(ROOT)).unwrap().root().last_seq, Seq(1), "{weather:?}");
        held = block_on(store.snapshot(ROOT)).unwrap();
    }
    drop(held);
    assert_eq!(commit(&store, false), Ok(Seq(2)));
}

#[test]
fn a_silent_database_gathers_nothing() {
    let Some(cluster) = cluster("a silent database") else { return };
    let wire = Wire::start(cluster.authority().to_socket_addrs().unwrap().next().unwrap()).unwrap();
    let url = cluster.fresh_url().replace(&cluster.authority(), &wire.address().to_string());
    let impatient = Options { patience: Duration::from_millis(150), ..options() };
    let store = PostgresStore::open(&url, impatient).unwrap();
    wire.set(Weather::Silent).unwrap();
    for _ in 0..30 {
        assert!(matches!(block_on(store.snapshot(ROOT)).map(|_| ()), Err(StoreError::TryAgain(_))));
    }
    let tasks = store.readers.background().handle().metrics().num_alive_tasks();
    assert!(tasks < 12, "{tasks} tasks wait for a database that is silent");
    wire.set(Weather::Fair).unwrap();
}

#[test]
fn a_standby_is_not_mistaken_for_the_database() {
    let Some(primary) = cluster::or_skip(Postgres::start(cluster::Options::default()), "a standby") else { return };
    let standby = primary.standby(Replication::Asynchronous).unwrap();
    let url = primary.url("standing");
    let store = PostgresStore::open(&url, options()).unwrap();
    assert_eq!(commit(&store, true), Ok(Seq(1)));
    standby_has(&primary);
    let url = standby.url_of("standing") + "&target_session_attrs=any";
    let store = PostgresStore::open(&url, options()).unwrap();
    let refused = block_on(store.snapshot(ROOT)).map(|_| ());
    assert!(matches!(&refused, Err(StoreError::TryAgain(reason)) if reason.contains("standby")), "{refused:?}");
}
