//! What mailboxes and sites are assumed to ask for. None of this is measured: it is what a busy office is taken to do, and
//! `cargo xtask simulate --activity 2` doubles all of it.

use crate::Operation;

/// Seconds of a day.
pub const DAY_SECONDS: f64 = 86_400.0;

/// Mailboxes for one site.
pub const MAILBOXES_A_SITE: u64 = 20;

/// Requests a day, each with the reason for the number: of a mailbox, or of a site.
///
/// A mailbox has two clients that are on for nine hours and look every six minutes; a site is read by twenty people whose
/// clients look every half hour. Sixty messages come a day and ten are written.
pub const DAILY: &[(Operation, f64, &str)] = &[
    (Operation::Poll, 160.0, "2 clients, 9 hours, every 6 minutes, less those that find something"),
    (Operation::Delta, 40.0, "20 times something is new, for 2 clients"),
    (Operation::Read, 60.0, "each message is opened once"),
    (Operation::Create, 70.0, "60 come, 10 are written"),
    (Operation::Update, 70.0, "read flags, moves, categories"),
    (Operation::SyncPage, 0.2, "a new device every 50 days: 5,000 items, 10 pages"),
    (Operation::ListPoll, 320.0, "20 readers, 9 hours, every half hour, less those that find something"),
    (Operation::ListDelta, 40.0, "twice a day something is new, for 20 readers"),
    (Operation::ListWrite, 20.0, "a row a reader"),
];

/// The part of a day's requests in each hour, over the mean: everybody in one time zone, the worst case.
pub const HOURS: [f64; 24] = [
    0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 1.2, 2.4, 2.7, 2.4, 2.1, 1.6, 2.0, 2.2, 1.9, 1.6, 1.1, 0.6, 0.4, 0.3, 0.2, 0.1,
    0.0,
];

/// How unevenly mailboxes are used: number `k` asks in proportion to `1 / k ^ skew`.
pub const MAILBOX_SKEW: f64 = 0.5;
/// The same of sites, where a few are everybody's.
pub const SITE_SKEW: f64 = 1.0;

/// Items of a mailbox and rows of a site, for what they take on disk.
pub const MAILBOX_ITEMS: f64 = 5_000.0;
/// Bytes of large parts (attachments above 64 KiB) of a mailbox: these go to the object store.
pub const MAILBOX_LARGE_BYTES: f64 = 1e9;

/// Sites beside so many mailboxes; at least one.
#[must_use]
pub fn sites(mailboxes: u64) -> u64 {
    (mailboxes / MAILBOXES_A_SITE).max(1)
}

/// The busiest hour over the mean.
#[must_use]
pub fn peak() -> f64 {
    HOURS.iter().copied().fold(0.0, f64::max)
}

/// Requests a second of each operation, in the order of [`Operation::ALL`], at `factor` times the mean of the day.
#[must_use]
pub fn rates(mailboxes: u64, factor: f64) -> [f64; 9] {
    Operation::ALL.map(|operation| {
        let daily = DAILY.iter().find(|(one, _, _)| *one == operation).map_or(0.0, |(_, daily, _)| *daily);
        let roots = if operation.is_of_a_site() { sites(mailboxes) } else { mailboxes };
        daily * roots as f64 * factor / DAY_SECONDS
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day() {
        assert!((HOURS.iter().sum::<f64>() - 24.0).abs() < 1e-9, "{}", HOURS.iter().sum::<f64>());
        assert_eq!(peak(), 2.7);
        for operation in Operation::ALL {
            assert_eq!(DAILY.iter().filter(|(one, _, _)| *one == operation).count(), 1, "{operation:?}");
        }
        let day: f64 = rates(1_000, 1.0).iter().sum::<f64>() * DAY_SECONDS;
        assert!((day - (1_000.0 * 400.2 + 50.0 * 380.0)).abs() < 1e-6, "{day}");
    }
}
