//! The writing process itself is killed at some moment; the next one finds what was acknowledged, and no half commits.

use std::{
    env,
    io::{BufRead, BufReader, Write as _, stdout},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use model::{Random, SeededRandom};

use crate::ledger::{self, Fate, Ledger};

const URL: &str = "FAULTS_URL";
const ROUND: &str = "FAULTS_ROUND";
const ROUNDS: u64 = 6;
const THREADS: u64 = 4;
/// Creations of one round at most.
const ROUND_WRITES_MAX: u64 = 1 << 20;

#[test]
#[ignore = "the process under test; others start it"]
fn work() {
    let (Ok(url), Ok(round)) = (env::var(URL), env::var(ROUND)) else { return };
    let round: u64 = round.parse().unwrap();
    let store = crate::open(&url, 10 + round, Duration::from_secs(10));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..ROUND_WRITES_MAX / THREADS {
                    let number = round * ROUND_WRITES_MAX + thread + THREADS * turn;
                    say(&format!("try {number}"));
                    if let Fate::Made(item) = ledger::write(store, number) {
                        say(&format!("made {number} {item}"));
                    }
                }
            });
        }
    });
}

fn say(line: &str) {
    stdout().lock().write_all(format!("\n{line}\n").as_bytes()).unwrap();
}

#[test]
fn a_killed_process_leaves_what_it_acknowledged() {
    let Some(cluster) = crate::cluster("killed process") else { return };
    let url = cluster.fresh_url();
    let store = crate::open(&url, 1, Duration::from_secs(10));
    ledger::prepare(&store);
    let random = SeededRandom::new(5);
    let mut ledger = Ledger::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child::work", "--ignored", "--nocapture", "--test-threads", "1"])
            .env(URL, format!("{url}&application_name=child"))
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut hear = |line: String| {
            let numbers: Vec<u64> = line.split(' ').skip(1).filter_map(|number| number.parse().ok()).collect();
            match (line.split(' ').next().unwrap_or_default(), &numbers[..]) {
                ("try", [number]) => drop(ledger.insert(*number, Fate::Unknown)),
                ("made", [number, item]) => drop(ledger.insert(*number, Fate::Made(model::ItemId(*item)))),
                _ => {}
            }
        };
        let until = 60 + random.number() % 120;
        lines.by_ref().take(until as usize).for_each(|line| hear(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(&mut hear);
        // What it had sent may still be done.
        while cluster.sql("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'child'").unwrap() != "0" {
            thread::sleep(Duration::from_millis(10));
        }
        ledger::verify(&store, &ledger);
    }
    let made = ledger.values().filter(|fate| matches!(fate, Fate::Made(_))).count();
    assert!(made > 60, "{made}");
}
