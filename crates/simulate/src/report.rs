//! What a run showed.

use std::fmt::Write as _;

use crate::{Histogram, Operation};

/// One kind of request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked for.
    pub operation: Operation,
    /// How long the answers took.
    pub times: Histogram,
}

/// Something that can be full.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// The part of it that was in use, 0 to 1.
    pub busy: f64,
    /// How many waited for it, on average; 0 where that is not counted.
    pub waiting: f64,
    /// The most that waited.
    pub waiting_most: usize,
    /// Whether more nodes make more of it.
    pub grows_with_nodes: bool,
    /// Whether twice the mailboxes take about twice of it. Where commits gather they do not.
    pub is_linear: bool,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario.
    pub scenario: &'static str,
    /// What happened in it.
    pub about: String,
    /// Mailboxes over the database.
    pub mailboxes: u64,
    /// Seconds that were counted.
    pub seconds: f64,
    /// Kinds of requests, in the order of [`Operation::ALL`], those that came.
    pub answers: Vec<Answer>,
    /// What can be full, in a fixed order.
    pub parts: Vec<Part>,
    /// Requests that failed because their node was lost; clients repeat them.
    pub failed: u64,
    /// Requests that were refused because too many waited; clients repeat them.
    pub refused: u64,
    /// Commits, transactions that held them, syncs of the log.
    pub commits: u64,
    /// See there.
    pub groups: u64,
    /// See there.
    pub syncs: u64,
    /// Bytes of the log.
    pub log_bytes: f64,
}

impl Report {
    /// Answers a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.answers.iter().map(|one| one.times.count()).sum::<u64>() as f64 / self.seconds
    }

    /// Answers a second of one kind.
    #[must_use]
    pub fn per_second_of(&self, operation: Operation) -> f64 {
        let found = self.answers.iter().find(|one| one.operation == operation);
        found.map_or(0.0, |one| one.times.count() as f64 / self.seconds)
    }

    /// The median over all kinds, in milliseconds: the mean of theirs, by how many there were.
    #[must_use]
    pub fn median_ms(&self) -> f64 {
        let count: u64 = self.answers.iter().map(|one| one.times.count()).sum();
        let sum: f64 = self.answers.iter().map(|one| one.times.at_ms(0.5) * one.times.count() as f64).sum();
        if count == 0 { 0.0 } else { sum / count as f64 }
    }

    /// A percentile of one kind, in milliseconds; 0 where there was none.
    #[must_use]
    pub fn at_ms(&self, operation: Operation, part: f64) -> f64 {
        self.answers.iter().find(|one| one.operation == operation).map_or(0.0, |one| one.times.at_ms(part))
    }

    /// A part by name.
    #[must_use]
    pub fn busy(&self, name: &str) -> f64 {
        self.parts.iter().find(|part| part.name == name).map_or(0.0, |part| part.busy)
    }

    /// What is full first as mailboxes are added, and at how many; of what more nodes do not mend where `nodes_grow`.
    #[must_use]
    pub fn wall(&self, nodes_grow: bool) -> Option<(&'static str, f64)> {
        let parts = self.parts.iter().filter(|part| part.is_linear && !(nodes_grow && part.grows_with_nodes));
        let most = parts.max_by(|one, other| one.busy.total_cmp(&other.busy))?;
        (most.busy > 0.0).then(|| (most.name, self.mailboxes as f64 / most.busy))
    }

    /// The report as text for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{}: {}\n{} mailboxes, {:.1} s simulated, {:.0} answers/s\n\n{:12} {:>9} {:>10} {:>10}\n",
            self.scenario,
            self.about,
            grouped(self.mailboxes as f64),
            self.seconds,
            self.per_second(),
            "operation",
            "per s",
            "p50 ms",
            "p99 ms"
        );
        for Answer { operation, times } in &self.answers {
            let _ = writeln!(
                text,
                "{:12} {:>9.1} {:>10.2} {:>10.2}",
                operation.name(),
                times.count() as f64 / self.seconds,
                times.at_ms(0.5),
                times.at_ms(0.99)
            );
        }
        let _ = writeln!(text, "\n{:24} {:>7} {:>10} {:>9}", "part", "in use", "wait, mean", "wait, most");
        for part in &self.parts {
            let _ = writeln!(
                text,
                "{:24} {:>6.1}% {:>10.2} {:>9}",
                part.name,
                part.busy * 100.0,
                part.waiting,
                part.waiting_most
            );
        }
        let _ = writeln!(
            text,
            "\n{} failed, {} refused; {:.0} commits/s in {:.0} transactions/s by {:.0} syncs/s, {:.2} MB/s of log",
            self.failed,
            self.refused,
            self.commits as f64 / self.seconds,
            self.groups as f64 / self.seconds,
            self.syncs as f64 / self.seconds,
            self.log_bytes / self.seconds / 1e6
        );
        for (nodes_grow, which) in [(false, "full first"), (true, "of what more nodes do not mend")] {
            if let Some((name, mailboxes)) = self.wall(nodes_grow).filter(|_| self.scenario != "closed") {
                let _ = writeln!(text, "{which}: {name}, at {} mailboxes", grouped(rounded(mailboxes)));
            }
        }
        text
    }
}

/// A number with two digits that count.
pub(crate) fn rounded(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return number;
    }
    let mut unit = 1.0;
    while number / unit >= 100.0 {
        unit *= 10.0;
    }
    while number / unit < 10.0 {
        unit /= 10.0;
    }
    // To divide by a power of ten gives back the nearest number; to multiply by its reciprocal would not.
    if unit < 1.0 { (number / unit).round() / (1.0 / unit).round() } else { (number / unit).round() * unit }
}

/// A whole number with commas between thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written() {
        for (number, text) in [(1_234_567.0, "1,200,000"), (99.6, "100"), (0.0, "0"), (12.4, "12")] {
            assert_eq!(grouped(rounded(number)), text);
        }
        assert_eq!((rounded(0.001_234), rounded(0.25), rounded(1.06)), (0.0012, 0.25, 1.1));
    }
}
