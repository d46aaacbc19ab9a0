//! The layer benchmarks: both adapters, in process, over an SQLite store that syncs its log at every group of commits.
//! `cargo xtask bench` runs them. The table goes to standard output, progress to standard error.
#![expect(clippy::expect_used, reason = "measurements stop at a surprise")]

use std::thread;

use bench::{Row, World, condition, measure, measure_after, table};
use store_sqlite::Synchronous;
use tempfile::TempDir;

/// Runs of what takes long, and of what does not.
const RUNS_LONG: usize = 3;
const RUNS_SHORT: usize = 20;
/// Messages that a measure of creating creates.
const CREATED: usize = 200;
/// Later changes, and tombstones, before the measures of flatness.
const HISTORY: usize = 10_000;

fn main() {
    let has = |option: &str| std::env::args().any(|argument| argument == option);
    let (quick, large) = (has("--quick"), has("--rows"));
    let ledgers: &[usize] = match (quick, large) {
        (true, _) => &[10_000],
        (false, false) => &[100_000],
        (false, true) => &[100_000, 1_000_000],
    };
    if has("--only-ledgers") {
        let mut rows = Vec::new();
        ledgers.iter().for_each(|size| ledger(*size, &mut rows));
        print!("{}", table(&rows));
        return;
    }
    let sizes: &[usize] = if quick { &[1_000, 10_000] } else { &[1_000, 10_000, 100_000] };
    let mut rows = creates();
    let mut flat = Vec::new();
    for size in sizes {
        flat.push(inbox(*size, &mut rows));
    }
    flat.push(history(&mut rows));
    for one in &flat {
        assert_eq!(flat.first(), Some(one), "reads grow with what there is");
    }
    tasks(&mut rows);
    ledgers.iter().for_each(|size| ledger(*size, &mut rows));
    print!("{}", table(&rows));
}

/// Worlds over one directory, opened one after the other.
struct Place {
    directory: TempDir,
    start: u64,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
        Self { directory, start: 0 }
    }

    /// The world in a state that a measure finds: filled without syncs, measured with them.
    fn open(&mut self, synchronous: Synchronous) -> World {
        self.start += 1;
        World::open(self.directory.path(), self.start, synchronous)
    }
}

/// Rows and steps of the reads by a poll, a delta and a single write.
type Reads = Vec<(u64, u64)>;

/// Poll, delta and single write; what they read must be the same wherever they are measured.
fn steady(world: &World, at: &str, ids: &[String], state: &str, rows: &mut Vec<Row>) -> Reads {
    let one = ids.get(..1).expect("a message");
    let measured = [
        measure(world, format!("poll_of_{at}_sqlite"), RUNS_SHORT, || {
            assert_eq!(world.sync("Default", Some(state)).1, 0);
        }),
        measure_after(
            world,
            format!("sync_delta_10_5_5_of_{at}_sqlite"),
            RUNS_SHORT,
            || world.differ(state, ids),
            |before| assert_eq!(world.sync("Default", Some(&before)).1, 20),
        ),
        measure(world, format!("update_1_of_{at}_sqlite"), RUNS_SHORT, || world.update(one)),
    ];
    let reads = measured.iter().map(|row| (row.counts.rows_read, row.counts.read_steps)).collect();
    rows.extend(measured);
    reads
}

/// First sync, export and the steady state of an inbox of `size` messages.
fn inbox(size: usize, rows: &mut Vec<Row>) -> Reads {
    let at = thousands(size);
    eprintln!("inbox of {at}");
    let mut place = Place::new();
    let ids = place.open(Synchronous::Off).create(size);
    let world = place.open(Synchronous::Full);
    if size >= 10_000 {
        for shape in ["IdOnly", "Default"] {
            let name = format!("sync_first_{}_pages_of_512_of_{at}_sqlite", shape.to_lowercase());
            rows.push(measure(&world, name, RUNS_LONG, || assert_eq!(world.sync(shape, None).1, size)));
        }
        rows.push(measure(&world, format!("sync_page_512_of_{at}_sqlite"), RUNS_SHORT, || {
            assert_eq!(world.sync_page("Default", None).1, 512);
        }));
        let some = ids.get(..100).expect("messages");
        rows.push(measure(&world, format!("export_100_of_{at}_sqlite"), RUNS_SHORT, || world.export(some)));
    }
    let (state, _) = world.sync("IdOnly", None);
    steady(&world, &at, &ids, &state, rows)
}

/// The steady state behind tombstones and many changes of one message.
fn history(rows: &mut Vec<Row>) -> Reads {
    let (at, past) = (thousands(1_000), thousands(HISTORY));
    eprintln!("inbox of {at} behind {past} tombstones and {past} changes");
    let mut place = Place::new();
    let world = place.open(Synchronous::Off);
    let ids = world.create(1_000);
    let doomed = world.create(HISTORY);
    world.delete(&doomed);
    let one = ids.last().expect("a message").clone();
    world.update(&vec![one; HISTORY]);
    drop(world);
    let world = place.open(Synchronous::Full);
    let (state, _) = world.sync("IdOnly", None);
    steady(&world, &format!("{at}_behind_{past}_tombstones_and_{past}_changes"), &ids, &state, rows)
}

/// Durable creates, one a request, by one writer and by several at once.
fn creates() -> Vec<Row> {
    eprintln!("creates");
    let mut place = Place::new();
    let world = place.open(Synchronous::Full);
    let create = |writers| {
        measure(&world, format!("create_{CREATED}_by_{writers}_sqlite"), RUNS_LONG, || {
            thread::scope(|scope| {
                for _ in 0..writers {
                    scope.spawn(|| {
                        for _ in 0..CREATED / writers {
                            world.create(1);
                        }
                    });
                }
            });
        })
    };
    vec![create(1), create(8)]
}

/// First sync and poll of a list of tasks.
fn tasks(rows: &mut Vec<Row>) {
    let size = 10_000;
    let at = thousands(size);
    eprintln!("list of {at} tasks");
    let mut place = Place::new();
    place.open(Synchronous::Off).create_tasks(size);
    let world = place.open(Synchronous::Full);
    rows.push(measure(&world, format!("list_sync_first_pages_of_2000_of_{at}_tasks_sqlite"), RUNS_LONG, || {
        assert_eq!(world.sync_tasks(None).1, size);
    }));
    let (token, _) = world.sync_tasks(None);
    rows.push(measure(&world, format!("list_poll_of_{at}_tasks_sqlite"), RUNS_SHORT, || {
        assert_eq!(world.sync_tasks(Some(&token)).1, 0);
    }));
}

/// Questions by value to a list, with indexes and once without, and rows added to it.
fn ledger(size: usize, rows: &mut Vec<Row>) {
    let at = thousands(size);
    eprintln!("ledger of {at}");
    let mut place = Place::new();
    let world = place.open(Synchronous::Off);
    world.create_ledger(false);
    let codes = size / 100;
    world.add_to_ledger(0, size, codes);
    drop(world);
    let world = place.open(Synchronous::Full);
    let code = format!("<Where>{}</Where>", condition("Eq", "Code", "Text", "C77"));
    rows.push(measure(&world, format!("caml_eq_by_scan_of_{at}_rows_sqlite"), 1, || {
        assert_eq!(world.ask_ledger(&code, None).0, 100);
    }));
    rows.push(measure_after(
        &world,
        format!("index_two_fields_of_{at}_rows_sqlite"),
        1,
        || world.index_ledger(false),
        |()| world.index_ledger(true),
    ));
    rows.push(measure(&world, format!("caml_eq_100_of_{at}_rows_by_index_sqlite"), RUNS_SHORT, || {
        assert_eq!(world.ask_ledger(&code, None).0, 100);
    }));
    let middle = (size / 2).to_string();
    let range = format!(
        "<Where>{}</Where><OrderBy><FieldRef Name=\"Amount\" Ascending=\"FALSE\"/></OrderBy>",
        condition("Lt", "Amount", "Number", &middle)
    );
    rows.push(measure(&world, format!("caml_range_in_order_100_of_{at}_rows_by_index_sqlite"), RUNS_SHORT, || {
        assert_eq!(world.ask_ledger(&range, None).0, 100);
    }));
    let mut from = size;
    rows.push(measure(&world, format!("add_100_rows_in_a_batch_to_{at}_rows_sqlite"), RUNS_SHORT, || {
        world.add_to_ledger(from, 100, codes);
        from += 100;
    }));
}

fn thousands(number: usize) -> String {
    format!("{}k", number / 1_000)
}
