//! Opening, versions beside each other, epochs.

use std::thread;

use super::*;

/// A later program's step that only adds: programs of today go on.
const ADDS: Step = Step { sql: "CREATE TABLE later(root_id BIGINT PRIMARY KEY)", works_for: 1 };
/// One that programs of before cannot work with.
const BREAKS: Step = Step { sql: "ALTER TABLE later ADD COLUMN more BIGINT NOT NULL DEFAULT 0", works_for: 3 };
const NEXT: &[Step] = &[STEPS[0], ADDS];
const AFTER_NEXT: &[Step] = &[STEPS[0], ADDS, BREAKS];

#[test]
fn eight_nodes_open_a_new_database_at_once() {
    let Some(cluster) = cluster("eight openings") else { return };
    let url = cluster.fresh_url();
    let nodes: Vec<_> = (0..8)
        .map(|number| {
            let url = url.clone();
            thread::spawn(move || PostgresStore::open(&url, Options { epoch: number, ..options() }).unwrap())
        })
        .collect();
    let stores: Vec<_> = nodes.into_iter().map(|node| node.join().unwrap()).collect();
    for store in &stores {
        block_on(store.check()).unwrap();
    }
    let meta = cluster
        .sql_at(&url, "SELECT key, value FROM meta WHERE key NOT IN ('epoch', 'identity') ORDER BY key")
        .unwrap();
    assert_eq!(meta.trim(), "schema_version|1\nworks_for|1");
    let epochs: Vec<i64> =
        stores.iter().map(|store| block_on(store.readers.take(store.patience)).unwrap().epoch).collect();
    assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "{epochs:?}");
}

#[test]
fn two_versions_work_beside_each_other_until_one_may_not() {
    let Some(cluster) = cluster("two versions") else { return };
    let url = cluster.fresh_url();
    let old = PostgresStore::open(&url, options()).unwrap();
    block_on(old.check()).unwrap();
    let new = PostgresStore::open_with(&url, &options(), NEXT).unwrap();
    for store in [&old, &new] {
        block_on(store.check()).unwrap();
        assert_eq!(block_on(store.roots(None, 1)).unwrap().rows, []);
    }
    // A node of the old version starts again, its schema being older than the database.
    let again = PostgresStore::open(&url, options()).unwrap();
    block_on(again.check()).unwrap();
    let newest = PostgresStore::open_with(&url, &options(), AFTER_NEXT).unwrap();
    block_on(newest.check()).unwrap();
    // Nodes that run are told by `check`, sessions are not made any more, and none starts.
    for store in [&old, &new, &again] {
        assert!(matches!(block_on(store.check()), Err(Unready { part: "database", .. })));
    }
    let refused = PostgresStore::open(&url, options());
    assert!(matches!(refused, Err(OpenError::Newer { have: 3, needs: 3, known: 1 })), "{refused:?}");
}

#[test]
fn a_failing_step_leaves_nothing() {
    const FAILS: Step = Step { sql: "CREATE TABLE half(root_id BIGINT PRIMARY KEY); SELECT 1 / 0", works_for: 2 };
    const FAILING: &[Step] = &[STEPS[0], FAILS];
    let Some(cluster) = cluster("a failing step") else { return };
    let url = cluster.fresh_url();
    let refused = PostgresStore::open_with(&url, &options(), FAILING);
    assert!(matches!(refused, Err(OpenError::Database(_))), "{refused:?}");
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = current_schema()";
    assert_eq!(cluster.sql_at(&url, tables).unwrap().trim(), "0");
    block_on(PostgresStore::open(&url, options()).unwrap().check()).unwrap();
}

#[test]
fn what_was_restored_is_another_epoch() {
    let Some(cluster) = cluster("a restored database") else { return };
    let url = cluster.fresh_url();
    assert!(matches!(restored(&url, 9), Err(OpenError::Database(_))), "there is no store yet");
    let epoch = || {
        let store = PostgresStore::open(&url, options()).unwrap();
        block_on(store.readers.take(store.patience)).unwrap().epoch
    };
    let before = epoch();
    assert_eq!(before, epoch());
    restored(&url, 9).unwrap();
    assert_ne!(before, epoch());
}

#[test]
fn sessions_are_set_up() {
    let Some(cluster) = cluster("settings of sessions") else { return };
    let url = cluster.fresh_url();
    let raised = url.replace("search_path", "synchronous_commit%3Doff%20-c%20search_path");
    for (url, expected) in [(&url, "on"), (&raised, "on")] {
        let store = PostgresStore::open(url, options()).unwrap();
        let show = |sql| {
            let session = block_on(store.readers.take(store.patience)).unwrap();
            let rows = block_on(session.rows(sql, &[])).unwrap();
            rows[0].get::<_, String>(0)
        };
        assert_eq!(show("SHOW synchronous_commit"), expected);
        assert_eq!(show("SHOW plan_cache_mode"), "force_generic_plan");
        assert_eq!(show("SHOW statement_timeout"), "1min");
        assert_eq!(show("SHOW lock_timeout"), "1s");
        assert_eq!(store.stats().sessions, 2, "one reads, and one has looked for what is to be finished");
    }
}

#[test]
fn a_database_that_is_not_there_is_named_as_the_reason() {
    let short = Options { open_patience: Duration::from_millis(600), ..options() };
    let refused = PostgresStore::open("postgres://u:secret@127.0.0.1:1/d", short);
    let Err(OpenError::Database(reason)) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("onnect") && !reason.contains("secret"), "{reason}");
}

#[test]
fn it_opens_and_ends_inside_of_another_runtime() {
    let Some(cluster) = cluster("inside of another runtime") else { return };
    let url = cluster.fresh_url();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let view = runtime.block_on(async {
        let store = PostgresStore::open(&url, options()).unwrap();
        cluster.sql_at(&url, "INSERT INTO root VALUES(7, 1, '\\x000102030405060708090a0b0c0d0e0f', 3, 0, 5)").unwrap();
        assert_eq!(store.snapshot(RootId(8)).await.err(), Some(StoreError::NoRoot(RootId(8))));
        store.snapshot(RootId(7)).await.unwrap()
    });
    // A snapshot outlives its store.
    let mut view = view;
    assert_eq!(block_on(view.epochs()).unwrap(), []);
    drop(view);
}
