//! Plain counters, for whoever shows them.

use std::sync::atomic::{AtomicU64, Ordering};

/// What was done with an object store since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that were stored.
    pub puts: u64,
    /// Bytes of them.
    pub put_bytes: u64,
    /// Ranges that were read and found whole.
    pub reads: u64,
    /// Bytes of them.
    pub read_bytes: u64,
    /// Objects that were asked to be removed.
    pub deletes: u64,
    /// Objects that a walk has seen.
    pub listed: u64,
    /// Attempts that had to be repeated, beside what the client of the store repeats by itself.
    pub repeats: u64,
    /// Answers whose bytes were not those that were stored.
    pub damaged: u64,
    /// Operations that failed in the end.
    pub failures: u64,
}

/// A counter.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters behind [`Counts`].
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) puts: Counter,
    pub(crate) put_bytes: Counter,
    pub(crate) reads: Counter,
    pub(crate) read_bytes: Counter,
    pub(crate) deletes: Counter,
    pub(crate) listed: Counter,
    pub(crate) repeats: Counter,
    pub(crate) damaged: Counter,
    pub(crate) failures: Counter,
}

impl Counters {
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            puts: self.puts.get(),
            put_bytes: self.put_bytes.get(),
            reads: self.reads.get(),
            read_bytes: self.read_bytes.get(),
            deletes: self.deletes.get(),
            listed: self.listed.get(),
            repeats: self.repeats.get(),
            damaged: self.damaged.get(),
            failures: self.failures.get(),
        }
    }
}
