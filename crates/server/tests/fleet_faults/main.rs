//! Writers and mirrors of both protocols while nodes, database and balancer are killed, restarted and replaced: what was
//! acknowledged is there, nothing is there twice, and nobody was told a lie.
//!
//! `HIGHWATER_FAULTS_SECONDS` says how long (15 by default; `cargo xtask faults` sets it), `HIGHWATER_FAULTS_SEED` what
//! happens. The seed of a run is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]
#![cfg(unix)]

mod cast;
mod hearing;
mod ledger;
mod lost;
mod mail;
mod outage;
mod rows;
mod stage;
mod weather;

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, Hasher as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use cluster::{Replication, or_skip};
use testkit::{chance::Chance, retry::Came};

use crate::{cast::Cast, stage::Stage, weather::Weather};

/// The password of all accounts.
const PASSWORD: &str = "a password of tests";
/// How long the faults go on where nothing else is said.
const SECONDS: u64 = 15;

/// How often what came of writes, by its words.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Reads an outcome and counts it.
    pub(crate) fn note<T>(&mut self, outcome: Result<T, String>) -> Came<T> {
        let came = Came::of(outcome);
        let words = match &came {
            Came::Done(_) => "acknowledged",
            Came::NotDone(why) | Came::Unknown(why) => why,
        };
        *self.0.entry(words.to_owned()).or_default() += 1;
        came
    }

    fn extend(&mut self, other: &Self) {
        for (words, count) in &other.0 {
            *self.0.entry(words.clone()).or_default() += count;
        }
    }

    fn count(&self, words: &str) -> u64 {
        self.0.get(words).copied().unwrap_or_default()
    }
}

/// One of these tests at a time: each has the machine for itself.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Lets the faults happen for this long while the cast plays, and judges what is left.
fn play(mut stage: Stage, accounts: &[String], sites: &[String], time: Duration) -> Tally {
    let fresh = || std::collections::hash_map::RandomState::new().build_hasher().finish() >> 32;
    let seed = number_of("HIGHWATER_FAULTS_SEED").unwrap_or_else(fresh);
    println!("HIGHWATER_FAULTS_SEED={seed} HIGHWATER_FAULTS_SECONDS={}", time.as_secs());
    let mut cast = Cast::prepare(&stage, accounts, sites, seed);
    cast.begin();
    let chance = Chance::new(seed);
    let weather = Weather { stage: &mut stage, chance: &chance };
    let result = weather.rage(time, || cast.plays());
    if !cast.plays() {
        println!("somebody has given up\n{}", stage.logs());
    }
    let tally = cast.end();
    if let Err(error) = result {
        panic!("{error}\n{}", stage.logs());
    }
    stage.recover().unwrap_or_else(|error| panic!("{error}\n{}", stage.logs()));
    // Nothing is under way any more.
    for node in &mut stage.nodes {
        assert_eq!(node.terminate().unwrap(), 0, "{}", node.log());
    }
    stage.recover().unwrap();
    cast.judge(&stage);
    println!("{tally:#?}");
    tally
}

fn names() -> (Vec<String>, Vec<String>) {
    let accounts = (0..6).map(|number| format!("a{number}@example.com")).collect();
    (accounts, ["/sites/one", "/sites/two"].map(str::to_owned).to_vec())
}

#[test]
fn a_node_that_is_killed_loses_nothing() {
    let _alone = alone();
    let (accounts, sites) = names();
    let stage = Stage::embedded(&accounts, &sites);
    let Some(stage) = or_skip(stage, "a_node_that_is_killed_loses_nothing") else { return };
    let seconds = number_of("HIGHWATER_FAULTS_SECONDS").unwrap_or(SECONDS).min(30);
    let tally = play(stage, &accounts, &sites, Duration::from_secs(seconds));
    assert!(tally.count("acknowledged") > 100, "{tally:?}");
}

#[test]
fn a_fleet_loses_nothing() {
    let _alone = alone();
    let (accounts, sites) = names();
    let stage = Stage::replicated(Replication::Synchronous, &accounts, &sites);
    let Some(stage) = or_skip(stage, "a_fleet_loses_nothing") else { return };
    let seconds = number_of("HIGHWATER_FAULTS_SECONDS").unwrap_or(SECONDS);
    let tally = play(stage, &accounts, &sites, Duration::from_secs(seconds));
    assert!(tally.count("acknowledged") > 100, "{tally:?}");
}
