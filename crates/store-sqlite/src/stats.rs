//! What the store has done since it was opened.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the store was opened, by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transactions committed. Each synced the log once.
    pub groups: u64,
    /// Commits in them.
    pub commits: u64,
    /// Rows that reads fetched.
    pub rows_read: u64,
    /// Steps of SQLite's machine that reads took: what they cost, rows passed over included.
    pub read_steps: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    groups: AtomicU64,
    commits: AtomicU64,
    rows_read: AtomicU64,
    read_steps: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self, rows: usize, steps: i32) {
        self.rows_read.fetch_add(rows as u64, Ordering::Relaxed);
        self.read_steps.fetch_add(u64::from(steps.unsigned_abs()), Ordering::Relaxed);
    }

    pub(crate) fn wrote(&self, commits: usize) {
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.commits.fetch_add(commits as u64, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            groups: self.groups.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            rows_read: self.rows_read.load(Ordering::Relaxed),
            read_steps: self.read_steps.load(Ordering::Relaxed),
        }
    }
}
