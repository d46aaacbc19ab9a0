//! The guard of what things cost, in counts: reads of a poll, a delta and a single write do not depend on how much there
//! is, a first sync reads what it returns, and commits that come together share a sync.
#![expect(clippy::expect_used, reason = "measurements stop at a surprise")]

use std::{path::Path, thread};

use bench::{Counts, World, condition, measure, measure_after};
use store_sqlite::Synchronous;
use tempfile::TempDir;

/// A world in memory, where there is such a place.
fn world() -> (World, TempDir) {
    let memory = Path::new("/dev/shm");
    let directory =
        if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a directory");
    (World::open(directory.path(), 1, Synchronous::Off), directory)
}

fn count(world: &World, mut action: impl FnMut()) -> Counts {
    measure(world, "", 1, &mut action).counts
}

#[test]
fn reads_do_not_grow_with_the_folder() {
    // Rows and steps of the reads by a poll, by a delta and by a single write.
    let counts = |items: usize| {
        let (world, _directory) = world();
        let ids = world.create(items);
        let (state, found) = world.sync("IdOnly", None);
        assert_eq!((ids.len(), found), (items, items));
        let rows = [
            measure(&world, "poll", 1, || assert_eq!(world.sync("Default", Some(&state)).1, 0)),
            measure_after(
                &world,
                "delta",
                1,
                || world.differ(&state, &ids),
                |before| assert_eq!(world.sync("Default", Some(&before)).1, 20),
            ),
            measure(&world, "write", 1, || world.update(&ids[..1])),
        ];
        rows.map(|row| (row.name, row.counts.rows_read, row.counts.read_steps))
    };
    let few = counts(500);
    assert!(few.iter().all(|(_, rows, _)| *rows > 0), "{few:?}");
    assert_eq!(few, counts(5_000));
}

/// What a question that an index serves reads does not depend on how many rows the list has, and rows that are added in one
/// request share a sync.
#[test]
fn reads_do_not_grow_with_the_list() {
    let counts = |rows: usize| {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let world = World::open(directory.path(), 1, Synchronous::Off);
        world.create_ledger(true);
        world.add_to_ledger(0, rows, 10_000);
        let ask = |query: &str, found: usize| {
            let row = measure(&world, query, 1, || assert_eq!(world.ask_ledger(query, None).0, found, "{query}"));
            (row.counts.rows_read, row.counts.read_steps)
        };
        let eq = condition("Eq", "Code", "Text", "c70");
        let range = condition("Geq", "Amount", "Number", "300") + &condition("Lt", "Amount", "Number", "340");
        let lower = condition("Gt", "Amount", "Number", "500");
        let order =
            |ascending: &str| format!("<OrderBy><FieldRef Name=\"Amount\" Ascending=\"{ascending}\"/></OrderBy>");
        let asked = [
            ask(&format!("<Where>{eq}</Where>"), 1),
            ask(&format!("<Where><And>{range}</And></Where>"), 40),
            ask(&format!("<Where>{lower}</Where>{}", order("TRUE")), 100),
            ask(&order("FALSE"), 100),
        ];
        let mut from = rows;
        let added = measure(&world, "add", 1, || {
            world.add_to_ledger(from, 100, 10_000);
            from += 100;
        });
        assert_eq!((added.counts.commits, added.counts.groups), (1, 1));
        (asked, (added.counts.rows_read, added.counts.read_steps))
    };
    let few = counts(1_000);
    let read = few.0.map(|(rows, _)| rows);
    assert!(read.iter().all(|rows| (1..400).contains(rows)), "{few:?}");
    assert_eq!(few, counts(10_000));
}

/// What filling by the hundred thousand leaves is what requests would have left.
#[test]
fn history_costs_nothing() {
    let counts = |history: &dyn Fn(&World)| {
        let (world, _directory) = world();
        let ids = world.create(10);
        world.copy(490);
        history(&world);
        let (state, found) = world.sync("IdOnly", None);
        assert_eq!(found, 500);
        let poll = count(&world, || assert_eq!(world.sync("Default", Some(&state)).1, 0));
        let delta = measure_after(
            &world,
            "delta",
            1,
            || world.differ(&state, &ids),
            |before| assert_eq!(world.sync("Default", Some(&before)).1, 20),
        );
        [poll, delta.counts].map(|counts| (counts.rows_read, counts.read_steps))
    };
    let none = counts(&|_| ());
    assert_eq!(none, counts(&|world| world.bury(&world.copy(3_000))));
    assert_eq!(none, counts(&|world| world.rewrite(3_000)));
}

/// The rows of a first sync: one an item, and one more a page.
#[test]
fn a_first_sync_reads_what_it_returns() {
    let (world, _directory) = world();
    world.create(1);
    world.copy(2_047);
    let read = count(&world, || assert_eq!(world.sync("Default", None).1, 2_048)).rows_read;
    assert!(read < 2_048 + 4 * 8, "{read} rows");
}

#[test]
fn list_reads_are_the_rows_returned() {
    // A first sync and a poll.
    let counts = |rows: usize| {
        let (world, _directory) = world();
        world.create_tasks(rows);
        let (token, found) = world.sync_tasks(None);
        assert_eq!(found, rows);
        let first = count(&world, || assert_eq!(world.sync_tasks(None).1, rows));
        let poll = count(&world, || assert_eq!(world.sync_tasks(Some(&token)).1, 0));
        (first.rows_read, (poll.rows_read, poll.read_steps))
    };
    let (few, poll) = counts(200);
    let (many, same) = counts(1_800);
    assert_eq!(poll, same);
    assert!((1..=2).contains(&((many - few) / 1_600)), "{few} and {many} rows");
}

#[test]
fn commits_that_come_together_share_a_sync() {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let world = World::open(directory.path(), 1, Synchronous::Full);
    let by = |writers: usize| {
        let done = count(&world, || {
            thread::scope(|scope| {
                for _ in 0..writers {
                    scope.spawn(|| (0..64 / writers).for_each(|_| drop(world.create(1))));
                }
            });
        });
        (done.commits, done.groups)
    };
    assert_eq!(by(1), (64, 64), "one sync a commit");
    let (commits, groups) = by(8);
    assert!(commits == 64 && groups < 60, "{commits} commits in {groups} groups");
}
