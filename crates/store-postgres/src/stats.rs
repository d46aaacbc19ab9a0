//! What the store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened, by this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions that wrote.
    pub groups: u64,
    /// Commits in them.
    pub commits: u64,
    /// Rows that reads fetched, those of the roots of snapshots not included.
    pub rows_read: u64,
    /// Statements that reads sent, without those that begin and end a snapshot.
    pub read_statements: u64,
    /// Times that a read waited for the database: one for the beginning of a snapshot with its root, one a read.
    pub read_flights: u64,
    /// Sessions that were made.
    pub sessions: u64,
    /// Transactions that were tried again because the database refused them or went away.
    pub repeats: u64,
    /// Transactions whose COMMIT got no answer, and of which it was found out whether they happened.
    pub settled: u64,
}

impl Stats {
    /// All of it by name, as operators read it.
    pub(crate) fn figures(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("transactions", self.groups),
            ("commits", self.commits),
            ("rows_read", self.rows_read),
            ("read_statements", self.read_statements),
            ("read_round_trips", self.read_flights),
            ("sessions_made", self.sessions),
            ("transactions_repeated", self.repeats),
            ("outcomes_found_out", self.settled),
        ]
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    groups: AtomicU64,
    commits: AtomicU64,
    rows_read: AtomicU64,
    read_statements: AtomicU64,
    read_flights: AtomicU64,
    sessions: AtomicU64,
    repeats: AtomicU64,
    settled: AtomicU64,
}

impl Counters {
    /// One read: a flight of some statements that gave some rows.
    pub(crate) fn read(&self, statements: usize, rows: usize) {
        self.read_flights.fetch_add(1, Ordering::Relaxed);
        self.read_statements.fetch_add(statements as u64, Ordering::Relaxed);
        self.rows_read.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// The beginning of one snapshot.
    pub(crate) fn began(&self) {
        self.read_flights.fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction of some commits.
    pub(crate) fn wrote(&self, commits: usize) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
    }

    /// One session.
    pub(crate) fn connected(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction that is tried again.
    pub(crate) fn repeated(&self) {
        self.repeats.fetch_add(1, Ordering::Relaxed);
    }

    /// One transaction of which it was found out whether it happened.
    pub(crate) fn settled(&self) {
        self.settled.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            groups: count(&self.groups),
            commits: count(&self.commits),
            rows_read: count(&self.rows_read),
            read_statements: count(&self.read_statements),
            read_flights: count(&self.read_flights),
            sessions: count(&self.sessions),
            repeats: count(&self.repeats),
            settled: count(&self.settled),
        }
    }
}
