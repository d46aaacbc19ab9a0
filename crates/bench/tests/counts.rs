//! The guard of flatness: what a poll, a delta and a single write read does not depend on how much there is.

use std::path::Path;

use bench::{World, measure, measure_after};
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
