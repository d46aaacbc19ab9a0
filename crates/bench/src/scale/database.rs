//! What the database says of itself.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cluster::Postgres;

/// A session tells the statistics what it did after this time at the latest, when it is idle.
const STATISTICS_SECONDS: u64 = 11;

/// Asks the database of a fleet.
pub struct Database<'a> {
    /// The cluster.
    pub cluster: &'a Postgres,
    /// The URL that leads into the schema.
    pub url: String,
}

/// How far the database was at a time, or came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Log {
    /// Bytes of the log.
    pub bytes: f64,
    /// Transactions that wrote.
    pub transactions: f64,
    /// Syncs of the log, and the seconds that they took.
    pub syncs: f64,
    /// See there.
    pub sync_seconds: f64,
}

impl Log {
    /// What has come since `before`, but for syncs, which are told late.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let (bytes, transactions) = (self.bytes - before.bytes, self.transactions - before.transactions);
        Self { bytes, transactions, ..Self::default() }
    }
}

impl Database<'_> {
    /// How far it is.
    pub fn log(&self) -> Log {
        let numbers = self.numbers(
            "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0'), pg_snapshot_xmax(pg_current_snapshot()), \
             wal_sync, wal_sync_time FROM pg_stat_wal",
        );
        let at = |place: usize| numbers.get(place).copied().unwrap_or_default();
        Log { bytes: at(0), transactions: at(1), syncs: at(2), sync_seconds: at(3) / 1e3 }
    }

    /// How far it came since `before`, syncs included, which it tells late.
    pub fn log_since(&self, before: &Log) -> Log {
        let exact = self.log().since(before);
        let until = Instant::now() + Duration::from_secs(STATISTICS_SECONDS);
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            thread::park_timeout(left);
        }
        let late = self.log();
        let (syncs, sync_seconds) = (late.syncs - before.syncs, late.sync_seconds - before.sync_seconds);
        Log { syncs, sync_seconds, ..exact }
    }

    /// Bytes on disk of all tables of the schema, indexes included.
    pub fn disk_bytes(&self) -> f64 {
        let numbers = self.numbers(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class \
             WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace",
        );
        numbers.first().copied().unwrap_or_default()
    }

    /// Brings the statistics of the planner up to date, and writes what waits to be written.
    pub fn settle(&self) {
        for text in ["VACUUM ANALYZE", "CHECKPOINT"] {
            self.cluster.sql_at(&self.url, text).expect("the database");
        }
    }

    fn numbers(&self, text: &str) -> Vec<f64> {
        let line = self.cluster.sql_at(&self.url, text).expect("the database");
        line.split('|').filter_map(|number| number.parse().ok()).collect()
    }
}

/// The median time of a round trip to the database in which nothing is done, in milliseconds: an empty query by a session
/// without a password.
pub fn round_trip_ms(authority: &str) -> f64 {
    const TRIPS: usize = 500;
    let mut stream = TcpStream::connect(authority).expect("the database");
    stream.set_nodelay(true).expect("a socket");
    let parameters = b"user\0highwater\0database\0postgres\0\0";
    let mut start = (parameters.len() as u32 + 8).to_be_bytes().to_vec();
    start.extend_from_slice(&196_608_u32.to_be_bytes());
    start.extend_from_slice(parameters);
    stream.write_all(&start).expect("the database");
    until_ready(&mut stream);
    let mut times: Vec<Duration> = (0..TRIPS)
        .map(|_| {
            let started = Instant::now();
            stream.write_all(b"Q\0\0\0\x05\0").expect("the database");
            until_ready(&mut stream);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(TRIPS / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// Reads messages up to the one that says that the next query may come.
fn until_ready(stream: &mut TcpStream) {
    let mut received = Vec::new();
    loop {
        let mut at = 0;
        while let Some(&[kind, a, b, c, d]) = received.get(at..at + 5) {
            at += 1 + u32::from_be_bytes([a, b, c, d]) as usize;
            if kind == b'Z' && at <= received.len() {
                return;
            }
        }
        let mut piece = [0; 4_096];
        let read = stream.read(&mut piece).expect("the database");
        assert!(read > 0, "the database has hung up");
        received.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}
