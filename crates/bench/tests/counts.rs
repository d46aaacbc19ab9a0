//! The guard of flatness: what a poll, a delta and a single write read does not depend on how much there is.

use std::path::Path;

use bench::{World, condition, measure, measure_after};
use store_sqlite::Synchronous;

#[test]
fn reads_do_not_grow_with_the_folder() {
    // Rows and steps of the reads by a poll, by a delta and by a single write.
    let counts = |items: usize| {
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let world = World::open(directory.path(), 1, Synchronous::Off);
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
