//! Sessions are ended and the server is killed while many write.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use cluster::Postgres;
use model::{Random, SeededRandom};
use store::Store;

use crate::ledger::{self, Fate, Ledger};

const WRITERS: u64 = 8;

/// Writes from many threads over two nodes until the harm is done; gives what was said.
fn write_during(stores: [&dyn Store; 2], harm: impl FnOnce()) -> Ledger {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (is_over, store) = (&is_over, stores[writer as usize % 2]);
                scope.spawn(move || {
                    let mut said = Ledger::new();
                    for number in (0..).map(|turn| writer + WRITERS * turn) {
                        if is_over.load(Ordering::Relaxed) {
                            return said;
                        }
                        said.insert(number, ledger::write(store, number));
                    }
                    said
                })
            })
            .collect();
        harm();
        is_over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    })
}

fn count(ledger: &Ledger, fate: impl Fn(&Fate) -> bool) -> usize {
    ledger.values().filter(|said| fate(said)).count()
}

fn survives(test: &str, patience: Duration, harm: impl FnOnce(&Postgres)) {
    if let Some(cluster) = crate::cluster(test) {
        survives_in(&cluster, test, patience, harm);
    }
}

fn survives_in(cluster: &Postgres, test: &str, patience: Duration, harm: impl FnOnce(&Postgres)) {
    let url = cluster.fresh_url();
    let (first, second) = (crate::open(&url, 1, patience), crate::open(&url, 2, patience));
    ledger::prepare(&first);
    let ledger = write_during([&first, &second], || harm(cluster));
    ledger::verify(&second, &ledger);
    let made = count(&ledger, |fate| matches!(fate, Fate::Made(_)));
    let unknown = count(&ledger, |fate| *fate == Fate::Unknown);
    println!("{test}: {made} made, {unknown} unknown, {} refused", ledger.len() - made - unknown);
    assert!(made > 20, "{made}");
}

#[test]
fn sessions_that_are_ended_lose_nothing() {
    survives("ended sessions", Duration::from_secs(10), |cluster| {
        let (random, started) = (SeededRandom::new(3), Instant::now());
        let mut ended = 0;
        while started.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(random.number() % 60));
            ended += cluster.terminate_backends().unwrap();
        }
        assert!(ended > 10, "{ended}");
    });
}

#[test]
fn a_server_that_is_killed_loses_nothing() {
    survives("killed server", Duration::from_secs(10), |cluster| {
        let random = SeededRandom::new(4);
        for _ in 0..4 {
            thread::sleep(Duration::from_millis(300 + random.number() % 400));
            cluster.kill().unwrap();
            cluster.restart().unwrap();
        }
        thread::sleep(Duration::from_millis(500));
    });
}

#[test]
fn a_server_that_is_away_is_said_to_be_away() {
    survives("away server", Duration::from_millis(800), |cluster| {
        thread::sleep(Duration::from_millis(500));
        cluster.stop_fast().unwrap();
        // Longer than anybody waits.
        thread::sleep(Duration::from_millis(2_000));
        cluster.restart().unwrap();
        thread::sleep(Duration::from_millis(1_500));
    });
}

#[test]
fn a_full_disk_is_said_to_be_full() {
    let options = cluster::Options { disk_mib: Some(128), ..cluster::Options::default() };
    let Some(cluster) = cluster::or_skip(Postgres::start(options), "full disk") else { return };
    survives_in(&cluster, "full disk", Duration::from_secs(2), |cluster| {
        thread::sleep(Duration::from_millis(500));
        cluster.fill_disk().unwrap();
        thread::sleep(Duration::from_millis(2_500));
        cluster.free_disk().unwrap();
        // Where the log could not be written the server has ended itself.
        cluster.restart().unwrap();
        thread::sleep(Duration::from_millis(1_500));
    });
}
