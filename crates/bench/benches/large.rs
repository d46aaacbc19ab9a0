//! Flatness up to 1,000,000 messages, 100,000 tombstones and 100,000 changes of one message. `cargo xtask bench --large`
//! runs it; the table goes to standard output, progress to standard error.
#![expect(clippy::expect_used, reason = "measurements stop at a surprise")]

use bench::{Counts, Row, World, measure, measure_after, table};
use store_sqlite::Synchronous;

/// Runs of what takes long, and of what does not.
const RUNS_LONG: usize = 1;
const RUNS_SHORT: usize = 20;
/// Messages made by requests, which the measures change.
const MADE: usize = 20;
/// Messages in a small inbox.
const FEW: usize = 1_000;
/// Pages by which reading may differ: a tree of a thousand times the entries is two levels deeper, and a delta goes down a
/// tree so many times.
const DEEPER_PAGES: u64 = 64;

fn main() {
    // To see that it runs: --quick takes a twentieth of everything.
    let part = if std::env::args().any(|argument| argument == "--quick") { 20 } else { 1 };
    let history = 100_000 / part;
    let mut rows = Vec::new();
    let flat = [
        place(FEW, "", &mut rows, |_| ()),
        place(100_000 / part, "", &mut rows, |_| ()),
        place(1_000_000 / part, "", &mut rows, |_| ()),
        place(FEW, &format!("_behind_{}_tombstones", thousands(history)), &mut rows, |world| {
            let doomed = world.copy(history);
            world.bury(&doomed);
        }),
        place(FEW, &format!("_behind_{}_changes_of_one", thousands(history)), &mut rows, |world| {
            world.rewrite(history)
        }),
    ];
    let first = flat.first().expect("measures");
    for other in &flat {
        for (few, many) in first.iter().zip(other) {
            let reads = |counts: &Counts| (counts.rows_read, counts.read_steps);
            assert_eq!(reads(few), reads(many), "reads grow with what there is");
            assert!(many.pages_read <= few.pages_read + DEEPER_PAGES, "pages: {few:?} {many:?}");
        }
    }
    print!("{}", table(&rows));
}

/// Poll, delta and single write in an inbox of `size` messages after `before`; what they counted.
fn place(size: usize, behind: &str, rows: &mut Vec<Row>, before: impl Fn(&World)) -> [Counts; 3] {
    let at = format!("{}{behind}", thousands(size));
    eprintln!("inbox of {at}");
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let world = World::open(directory.path(), 1, Synchronous::Off);
    let ids = world.create(MADE);
    world.copy(size - MADE);
    before(&world);
    drop(world);
    let world = World::open(directory.path(), 2, Synchronous::Full);
    if size > FEW {
        let name = format!("sync_first_default_pages_of_512_of_{at}_sqlite");
        rows.push(measure(&world, name, RUNS_LONG, || assert_eq!(world.sync("Default", None).1, size)));
    }
    let (state, _) = world.sync("IdOnly", None);
    let one = ids.get(..1).expect("a message");
    let measured = [
        measure(&world, format!("poll_of_{at}_sqlite"), RUNS_SHORT, || {
            assert_eq!(world.sync("Default", Some(&state)).1, 0);
        }),
        measure_after(
            &world,
            format!("sync_delta_10_5_5_of_{at}_sqlite"),
            RUNS_SHORT,
            || world.differ(&state, &ids),
            |before| assert_eq!(world.sync("Default", Some(&before)).1, 20),
        ),
        measure(&world, format!("update_1_of_{at}_sqlite"), RUNS_SHORT, || world.update(one)),
    ];
    let counts = [0, 1, 2].map(|number: usize| measured.get(number).map(|row| row.counts).unwrap_or_default());
    rows.extend(measured);
    counts
}

fn thousands(number: usize) -> String {
    format!("{}k", number / 1_000)
}
