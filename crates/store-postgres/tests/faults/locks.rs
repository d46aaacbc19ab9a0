//! Others hold what a write needs, or get into its way.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use cluster::Postgres;
use store::{Store, StoreError, battery::block_on};

use crate::ledger::{self, Fate, Ledger, ROOT};

/// A session of somebody else that runs SQL; it ends when this is dropped.
struct Somebody(Child);

impl Somebody {
    fn runs(url: &str, sql: &str) -> Self {
        let psql = Command::new("psql").args(["-X", "-q", "-d", url, "-c", sql]).stdout(Stdio::null()).spawn();
        Self(psql.unwrap())
    }
}

impl Drop for Somebody {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a session waits for a lock, or holds one for others.
fn wait_for(cluster: &Postgres, condition: &str) {
    let started = Instant::now();
    while cluster.sql(&format!("SELECT COUNT(*) FROM pg_stat_activity WHERE {condition}")).unwrap() == "0" {
        assert!(started.elapsed() < Duration::from_secs(20), "nobody is as {condition}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_root_that_somebody_else_has_locked_is_not_written_and_others_are() {
    let Some(cluster) = crate::cluster("locks") else { return };
    let url = cluster.fresh_url();
    let store = crate::open(&url, 1, Duration::from_secs(2));
    ledger::prepare(&store);
    let mut ledger = Ledger::new();
    ledger.insert(1, ledger::write(&store, 1));
    let lock = format!("BEGIN; SELECT * FROM root WHERE root_id = {ROOT} FOR UPDATE; SELECT pg_sleep(60)");
    let somebody = Somebody::runs(&url, &lock);
    wait_for(&cluster, "query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'");
    let started = Instant::now();
    ledger.insert(2, ledger::write(&store, 2));
    assert_eq!(ledger[&2], Fate::Refused);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    // Reads do not wait for writers, nor do other roots.
    block_on(store.snapshot(ROOT)).unwrap();
    let mut other = store::Commit::new(model::RootId(8), model::Time(0));
    other.create_root = Some((store::RootKind::Site, model::Guid::NIL));
    block_on(store.commit(other)).unwrap();
    cluster.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()").unwrap();
    drop(somebody);
    let fate = (0..10).map(|_| ledger::write(&store, 3)).find(|fate| *fate != Fate::Refused).unwrap();
    ledger.insert(3, fate);
    assert!(matches!(ledger[&3], Fate::Made(_)));
    ledger::verify(&store, &ledger);
}

#[test]
fn what_is_asked_while_the_commit_hangs_waits_for_its_end() {
    let Some(cluster) = crate::cluster("a commit that hangs") else { return };
    let url = cluster.fresh_url();
    let store = crate::open(&url, 1, Duration::from_secs(8));
    ledger::prepare(&store);
    // A commit of somebody else that takes its time, under an operation that is asked for meanwhile.
    let number = 2;
    let id: String = ledger::operation(number).0.iter().map(|byte| format!("{byte:02x}")).collect();
    let receipt = store::Receipt { last_seq: model::Seq(1), writes: Vec::new() };
    let receipt: String = store::receipt::encode(&receipt).iter().map(|byte| format!("{byte:02x}")).collect();
    let sql = format!(
        "BEGIN; SELECT * FROM root WHERE root_id = {ROOT} FOR UPDATE;
         INSERT INTO operation VALUES({ROOT}, '\\x{id}', 0, '\\x{receipt}'); SELECT pg_sleep(2); COMMIT"
    );
    let somebody = Somebody::runs(&url, &sql);
    wait_for(&cluster, "query LIKE '%pg_sleep(2)%' AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'");
    let found = block_on(store.outcome(ROOT, ledger::operation(number))).unwrap();
    assert_eq!(found.map(|receipt| receipt.last_seq), Some(model::Seq(1)));
    drop(somebody);
}

#[test]
fn a_database_that_wants_transactions_repeated_gets_them_repeated() {
    let Some(cluster) = crate::cluster("serialization failures") else { return };
    let url = cluster.fresh_url();
    let store = crate::open(&url, 1, Duration::from_secs(10));
    ledger::prepare(&store);
    // Every third transaction that creates an item is refused as a serialization failure or a deadlock would be, some of
    // them at COMMIT.
    let trigger = "CREATE SEQUENCE attempts;
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('attempts') % 3 = 0 THEN RAISE EXCEPTION 'again' USING ERRCODE = TG_ARGV[0]; END IF;
        RETURN NULL; END $$;
      CREATE TRIGGER one AFTER INSERT ON item FOR EACH STATEMENT EXECUTE FUNCTION refuse('40001');
      CREATE CONSTRAINT TRIGGER two AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION refuse('40P01');";
    cluster.sql_at(&url, trigger).unwrap();
    let ledger: Ledger = (1..40).map(|number| (number, ledger::write(&store, number))).collect();
    assert!(ledger.values().all(|fate| matches!(fate, Fate::Made(_))), "{ledger:?}");
    ledger::verify(&store, &ledger);
    // Where it never stops, the caller hears that nothing was written.
    cluster.sql_at(&url, "DROP TRIGGER two ON item; ALTER SEQUENCE attempts INCREMENT 3 RESTART 3").unwrap();
    assert_eq!(ledger::write(&store, 41), Fate::Refused);
    cluster.sql_at(&url, "DROP TRIGGER one ON item").unwrap();
    // A row that cannot be is one commit's trouble, not its group's.
    cluster.sql_at(&url, "ALTER TABLE item_bag ADD CHECK (bag <> '50')").unwrap();
    thread::scope(|scope| {
        let writes: Vec<_> = (50..60)
            .map(|number| {
                let store = &store;
                scope.spawn(move || (number, block_on(store.commit(ledger::create(number)))))
            })
            .collect();
        for (number, outcome) in writes.into_iter().map(|write| write.join().unwrap()) {
            match outcome {
                Err(StoreError::Corrupt(_)) if number == 50 => {}
                Ok(_) if number != 50 => {}
                outcome => panic!("creation {number}: {outcome:?}"),
            }
        }
    });
}
