//! The line to the database breaks at every byte of a write, this way and that way: whatever was under way, the caller
//! hears of one creation and there is one.

use std::time::Duration;

use cluster::{Weather, Wire};
use store::{Commit, Guard, Store, StoreError, battery::block_on};

use crate::{
    cutter::{Cutter, Way},
    ledger::{self, Fate, Ledger, ROOT},
};

/// Bytes from one cut to the next: answers are short, and the last of them is what matters.
const STEPS: [(Way, usize); 2] = [(Way::ToServer, 97), (Way::ToClient, 7)];

#[test]
fn a_write_whose_line_breaks_anywhere_happens_once() {
    let Some(cluster) = crate::cluster("broken lines") else { return };
    let cutter = Cutter::start(cluster.authority().parse().unwrap());
    let url = cluster.fresh_url().replace(&cluster.authority(), &cutter.address.to_string());
    // One session: what passes belongs to the write.
    let options = store_postgres::Options { writers: 1, ..crate::options(1, Duration::from_secs(10)) };
    let store = store_postgres::PostgresStore::open(&url, options).unwrap();
    ledger::prepare(&store);
    let mut ledger = Ledger::new();
    let mut number = 1;
    // A name has to be looked up first, in a flight of its own; without it the node writes at once.
    for guards in [vec![Guard::NameFree(1, "free".into())], Vec::new()] {
        let mut next = |cut: Option<(Way, usize)>| {
            // Neither with a large part, of which most bytes are, nor always with a name.
            number += if number % 8 == 7 { 2 } else { 1 };
            if let Some((way, after)) = cut {
                cutter.cut(way, after);
            }
            let commit = Commit { guards: guards.clone(), ..ledger::create(number) };
            let fate = ledger::write_with(&store, number, commit);
            assert!(matches!(fate, Fate::Made(_)), "creation {number}, {cut:?}: {fate:?}");
            ledger.insert(number, fate);
        };
        (0..4).for_each(|_| next(None));
        let before = cutter.passed();
        next(None);
        let after = cutter.passed();
        let mut cuts = 0;
        for (way, step) in STEPS {
            let bytes = after[way as usize] - before[way as usize];
            for cut in (0..bytes + step).step_by(step) {
                next(Some((way, cut)));
                cuts += usize::from(cutter.has_cut());
                // A connection made anew is longer than a write.
                next(None);
            }
        }
        assert!(cuts > 8, "{cuts}");
    }
    ledger::verify(&store, &ledger);
}

#[test]
fn a_database_that_falls_silent_is_not_guessed_about() {
    let Some(cluster) = crate::cluster("silence") else { return };
    let wire = Wire::start(cluster.authority().parse().unwrap()).unwrap();
    let url = cluster.fresh_url();
    let through = url.replace(&cluster.authority(), &wire.address().to_string());
    let patience = Duration::from_millis(700);
    let (store, direct) = (crate::open(&through, 1, patience), crate::open(&url, 2, Duration::from_secs(10)));
    ledger::prepare(&store);
    let mut ledger = Ledger::new();
    ledger.insert(2, ledger::write(&store, 2));
    // The answers come too late, so nobody knows what became of the write; asked later, the store does.
    wire.set(Weather::Late(Duration::from_millis(350))).unwrap();
    for number in [4, 6, 10, 12] {
        ledger.insert(number, ledger::write(&store, number));
    }
    wire.set(Weather::Silent).unwrap();
    for number in [14, 18] {
        let fate = ledger::write(&store, number);
        assert!(!matches!(fate, Fate::Made(_)), "creation {number}: {fate:?}");
        ledger.insert(number, fate);
        assert!(matches!(block_on(store.commit(Commit::new(ROOT, model::Time(0)))), Err(StoreError::TryAgain(_))));
    }
    wire.set(Weather::Fair).unwrap();
    ledger::verify(&direct, &ledger);
    wire.cut();
    let fate = (0..20).map(|_| ledger::write(&store, 20)).find(|fate| *fate != Fate::Refused).unwrap();
    ledger.insert(20, fate);
    assert!(matches!(fate, Fate::Made(_)), "{fate:?}");
    ledger::verify(&store, &ledger);
}
