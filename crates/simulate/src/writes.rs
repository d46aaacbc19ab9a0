//! The way of commits: those of one root on a node gather into a transaction, which has the root's row to itself until the
//! log is synced (and a replica has it).

use std::collections::{HashMap, VecDeque};

/// A transaction.
pub(crate) struct Group {
    pub(crate) node: usize,
    /// Of the node, when the transaction began.
    pub(crate) life: u32,
    pub(crate) root: u64,
    /// The requests whose commits it holds.
    pub(crate) jobs: Vec<usize>,
    pub(crate) step: GroupStep,
    /// CPU of the database for what it holds, in milliseconds.
    pub(crate) database_ms: f64,
    pub(crate) bytes: f64,
}

/// What a transaction does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupStep {
    /// It has a session: the first flight goes out.
    Send,
    /// It asks for the row of the root.
    Lock,
    /// It has the row: the database reads.
    Read,
    /// What was read is on its way, and the writes come back.
    Between,
    /// The database writes.
    Write,
    /// The log has to be synced.
    Sync,
    /// It is synced; a replica may have to follow.
    Replicate,
    /// It is done.
    End,
}

/// Commits of a root on a node that wait for the transaction before them.
#[derive(Default)]
pub(crate) struct Gathering {
    pub(crate) waiting: VecDeque<usize>,
    pub(crate) under_way: bool,
}

/// The row of a root.
#[derive(Default)]
pub(crate) struct Row {
    taken_at: Option<u64>,
    waiting: VecDeque<usize>,
    taken_time: f64,
}

/// The rows of all roots.
#[derive(Default)]
pub(crate) struct Rows {
    rows: HashMap<u64, Row>,
    waiting: usize,
    pub(crate) waiting_most: usize,
}

impl Rows {
    /// Whether the transaction has the row now; it is told later otherwise.
    pub(crate) fn take(&mut self, now: u64, root: u64, group: usize) -> bool {
        let row = self.rows.entry(root).or_default();
        if row.taken_at.is_none() {
            row.taken_at = Some(now);
            return true;
        }
        row.waiting.push_back(group);
        self.waiting += 1;
        self.waiting_most = self.waiting_most.max(self.waiting);
        false
    }

    /// Gives the row back; answers who has it then.
    pub(crate) fn give(&mut self, now: u64, root: u64) -> Option<usize> {
        let row = self.rows.get_mut(&root)?;
        if let Some(at) = row.taken_at.take() {
            row.taken_time += (now - at) as f64;
        }
        let next = row.waiting.pop_front()?;
        row.taken_at = Some(now);
        self.waiting -= 1;
        Some(next)
    }

    /// The part of the time since `started` for which the busiest row was taken.
    pub(crate) fn busiest(&self, started: u64, now: u64) -> f64 {
        let taken = self.rows.values().map(|row| row.taken_time).fold(0.0, f64::max);
        taken / (now - started).max(1) as f64
    }

    /// Counts from now on.
    pub(crate) fn restart(&mut self, now: u64) {
        self.rows.retain(|_, row| row.taken_at.is_some());
        for row in self.rows.values_mut() {
            row.taken_time = 0.0;
            row.taken_at = Some(now);
        }
        self.waiting_most = self.waiting;
    }
}

/// The log of the database: one sync at a time, which takes along all that were written before it began.
#[derive(Default)]
pub(crate) struct Log {
    /// Transactions that the sync under way takes along.
    syncing: Vec<usize>,
    waiting: Vec<usize>,
    waiting_bytes: f64,
    pub(crate) syncs: u64,
    pub(crate) bytes: f64,
    pub(crate) busy_time: f64,
    pub(crate) waiting_most: usize,
}

impl Log {
    pub(crate) fn add(&mut self, group: usize, bytes: f64) {
        self.waiting.push(group);
        self.waiting_bytes += bytes;
        self.waiting_most = self.waiting_most.max(self.waiting.len());
    }

    /// Begins a sync where none is under way and some wait; answers how many nanoseconds it takes.
    pub(crate) fn begin(&mut self, sync_ms: f64, disk_mb_s: f64) -> Option<u64> {
        if !self.syncing.is_empty() || self.waiting.is_empty() {
            return None;
        }
        self.syncing = std::mem::take(&mut self.waiting);
        let bytes = std::mem::take(&mut self.waiting_bytes);
        let time = sync_ms * 1e6 + bytes / disk_mb_s.max(1e-9) * 1e3;
        self.syncs += 1;
        self.bytes += bytes;
        self.busy_time += time;
        Some(time as u64)
    }

    /// Ends the sync; answers whom it took along.
    pub(crate) fn end(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.syncing)
    }

    pub(crate) fn restart(&mut self) {
        (self.syncs, self.bytes, self.busy_time, self.waiting_most) = (0, 0.0, 0.0, self.waiting.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_takes_along_what_came_before_it() {
        let mut log = Log::default();
        log.add(1, 1_000.0);
        assert_eq!(log.begin(1.0, 1.0), Some(2_000_000), "1 ms, and 1 ms for 1,000 bytes at 1 MB/s");
        log.add(2, 0.0);
        log.add(3, 0.0);
        assert_eq!((log.begin(1.0, 1.0), log.end()), (None, vec![1]));
        assert_eq!((log.begin(1.0, 1.0), log.end(), log.syncs), (Some(1_000_000), vec![2, 3], 2));
        assert_eq!(log.begin(1.0, 1.0), None);
    }

    #[test]
    fn a_row_is_one_transaction_s_at_a_time() {
        let mut rows = Rows::default();
        assert!(rows.take(0, 7, 1) && !rows.take(0, 7, 2) && rows.take(0, 8, 3));
        assert_eq!((rows.give(30, 7), rows.give(40, 7), rows.give(10, 8)), (Some(2), None, None));
        assert!((rows.busiest(0, 100) - 0.4).abs() < 1e-9);
    }
}
