//! The guard of how often a request waits for the database, and that it reads no more rows there than in the embedded store.

use bench::{Counts, World, measure, measure_after};
use store_sqlite::Synchronous;

/// What a poll, a delta of ten creates, five updates and five deletes, and a single write cost in a folder of 100.
fn costs(world: &World) -> [Counts; 3] {
    let ids = world.create(100);
    let (state, found) = world.sync("IdOnly", None);
    assert_eq!((ids.len(), found), (100, 100));
    let rows = [
        measure(world, "poll", 1, || assert_eq!(world.sync("Default", Some(&state)).1, 0)),
        measure_after(
            world,
            "delta",
            1,
            || world.differ(&state, &ids),
            |before| assert_eq!(world.sync("Default", Some(&before)).1, 20),
        ),
        measure(world, "write", 1, || world.update(ids.get(..1).unwrap_or_default())),
    ];
    rows.map(|row| row.counts)
}

#[test]
fn requests_wait_for_the_database_a_few_times() {
    let Some(cluster) = cluster::or_skip(cluster::shared(), "round trips of requests") else { return };
    let directory = tempfile::tempdir().expect("a directory");
    let embedded = costs(&World::open(directory.path(), 1, Synchronous::Off));
    let costs = costs(&World::open_postgres(&cluster.fresh_url(), 1));
    // Of the account: the root, the name, the collection. Of the mailbox: the root, the folder, and what is asked for.
    let flights = costs.map(|counts| counts.read_flights);
    let few = flights.iter().zip([5, 8, 6]).all(|(flights, most)| *flights <= most);
    assert!(few, "poll, delta, write: {flights:?}");
    let rows = |costs: [Counts; 3]| costs.map(|counts| counts.rows_read);
    assert_eq!(rows(costs), rows(embedded));
}
