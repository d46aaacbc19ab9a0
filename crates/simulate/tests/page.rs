//! `docs/scale.md` says what the figures and the simulation say, and the simulation comes near to real runs.

use std::{fs, path::Path};

use simulate::{Figures, Scenario, block, put, simulate};

/// How far throughput may be from what was observed.
const RATE_FACTOR_MAX: f64 = 2.0;
/// How far the median may be: a kernel lets some requests overtake others, where the simulation's queues are fair.
const MEDIAN_FACTOR_MAX: f64 = 3.0;
/// The part of the machine that other work may have taken meanwhile: what is disturbed more tells nothing.
const FOREIGN_MAX: f64 = 0.25;

#[expect(clippy::unwrap_used, reason = "a test")]
fn figures() -> Figures {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("figures.txt")).unwrap();
    Figures::parse(&text).unwrap()
}

/// `cargo xtask simulate --write-page` writes it.
#[test]
fn the_page_is_current() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scale.md")).unwrap();
    let wanted = put(&page, &block(&figures(), &mut |_| ())).unwrap();
    for (line, wanted) in page.lines().zip(wanted.lines()) {
        assert_eq!(line, wanted, "cargo xtask simulate --write-page");
    }
    assert_eq!(page, wanted);
}

/// Three nodes over one PostgreSQL behind a balancer, all on the machine of the clients, under several loads.
#[test]
fn predictions_are_near_what_was_observed() {
    let figures = figures();
    assert!(figures.observed.len() >= 4, "{}", figures.observed.len());
    for one in &figures.observed {
        if one.foreign_cores > f64::from(one.cores) * FOREIGN_MAX {
            println!("not compared: {}: other work kept {} cores busy", one.name, one.foreign_cores);
            continue;
        }
        let (scenario, fleet) = Scenario::observed(one, figures.fsync_ms, figures.round_trip_ms);
        let report = simulate(&figures, &fleet, &scenario, 1, &mut |_| ());
        for (what, predicted, observed, factor_max) in [
            ("per second", report.per_second(), one.per_second, RATE_FACTOR_MAX),
            ("median, ms", report.median_ms(), one.p50_ms, MEDIAN_FACTOR_MAX),
        ] {
            let factor = predicted / observed;
            assert!(
                (1.0 / factor_max..factor_max).contains(&factor),
                "{}: {what}: {predicted:.2} predicted, {observed:.2} observed",
                one.name
            );
        }
    }
}
