//! What creations cost the database and this process: processor time, groups and bytes of log, beside one another in one
//! run. `cargo bench -p store-postgres --bench cost` prints them.

#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::{fs, thread, time::Instant};

use bytes::Bytes;
use cluster::Postgres;
use model::{CollectionId, Guid, ItemFlags, RootId, Time};
use store::{Commit, Guard, NewItem, NewItemId, PartData, RootKind, Store, Write, battery::block_on};
use store_postgres::{Options, PostgresStore};

/// Creations of one measurement.
const CREATIONS: u64 = 4_096;

/// Ticks of the processor, of which a second has 100, that a process has used.
fn ticks(pid: &str) -> Option<(u64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    Some((number(1)?, number(11)? + number(12)?))
}

/// Of the server with all its processes, those that have ended included.
fn database_ticks(cluster: &Postgres) -> u64 {
    let backend = cluster.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'").unwrap();
    let (server, _) = ticks(&backend).unwrap();
    let stat = fs::read_to_string(format!("/proc/{server}/stat")).unwrap();
    let ended: u64 =
        stat.rsplit_once(") ").unwrap().1.split(' ').skip(11).take(4).map(|t| t.parse::<u64>().unwrap()).sum();
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let (parent, ticks) = ticks(&entry.ok()?.file_name().to_string_lossy())?;
        (parent == server).then_some(ticks)
    });
    children.sum::<u64>() + ended
}

fn own_ticks() -> u64 {
    ticks("self").unwrap().1
}

fn prepare(store: &dyn Store, root: RootId) {
    let mut first = Commit::new(root, Time::from_unix(0));
    first.create_root = Some((RootKind::Mailbox, Guid::NIL));
    first.writes.push(Write::CreateCollection { parent: None, bag: Bytes::new() });
    block_on(store.commit(first)).unwrap();
}

fn create(root: RootId) -> Commit {
    let mut commit = Commit::new(root, Time::from_unix(1_000));
    commit.guards.push(Guard::CollectionExists(CollectionId(1)));
    let bag = vec![7; 700];
    let part = |part, length| PartData { part, bytes: vec![8; length].into() };
    commit.writes.push(Write::CreateItem(NewItem {
        collection: CollectionId(1).into(),
        id: NewItemId::Seq,
        flags: ItemFlags::default(),
        bag: bag.into(),
        parts: vec![part(1, 1_500), part(2, 120)],
    }));
    commit
}

fn main() {
    let Some(cluster) = cluster::or_skip(Postgres::start(cluster::Options::default()), "costs") else { return };
    // Only those with so many roots, where it says so.
    let only = std::env::var("COST_ROOTS").ok().and_then(|roots| roots.parse::<u64>().ok());
    for (tasks, roots) in [(1, 1), (8, 1), (64, 1), (64, 64)] {
        if only.is_some_and(|only| only != roots) {
            continue;
        }
        let url = cluster.fresh_url();
        let store = PostgresStore::open(&url, Options { writers: 8, ..Options::new(1) }).unwrap();
        if let Ok(sql) = std::env::var("COST_SQL") {
            cluster.sql_at(&url, &sql).unwrap();
        }
        for root in 0..roots {
            prepare(&store, RootId(root));
        }
        let warm = |count: u64| {
            thread::scope(|scope| {
                for task in 0..tasks {
                    let store = &store;
                    scope.spawn(move || {
                        for turn in 0..count / tasks {
                            block_on(store.commit(create(RootId((task + turn * tasks) % roots)))).unwrap();
                        }
                    });
                }
            });
        };
        warm(512);
        let wal = || cluster.sql("SELECT pg_current_wal_lsn() - '0/0'").unwrap().parse::<u64>().unwrap();
        let (groups, log, database, own, started) =
            (store.stats().groups, wal(), database_ticks(&cluster), own_ticks(), Instant::now());
        warm(CREATIONS);
        let seconds = started.elapsed().as_secs_f64();
        let (database, own) = (database_ticks(&cluster) - database, own_ticks() - own);
        let per_create = |ticks: u64| ticks as f64 * 10_000.0 / CREATIONS as f64;
        println!(
            "{tasks:2} tasks, {roots:2} roots: {:6.0} a second; µs of CPU a creation: database {:5.0}, own {:5.0}; \
             {:4.1} in a group; {:5} bytes of log",
            CREATIONS as f64 / seconds,
            per_create(database),
            per_create(own),
            CREATIONS as f64 / (store.stats().groups - groups) as f64,
            (wal() - log) / CREATIONS,
        );
    }
}
