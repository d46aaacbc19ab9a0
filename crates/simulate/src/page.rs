//! The part of `docs/scale.md` that is made: what was measured, the arithmetic step by step, and what the simulation says of
//! fleets of that size.

use std::fmt::Write as _;

use crate::{
    Figures, Fleet, Operation, Scenario, Sizing, load,
    report::{grouped, rounded},
    simulate, size,
    size::BUSY_MAX,
};

/// The line before what is made.
pub const BEGIN: &str = "<!-- made by cargo xtask simulate --write-page -->";
/// The line after it.
pub const END: &str = "<!-- made until here -->";

/// Mailboxes of the page.
const SIZES: [u64; 3] = [10_000, 1_000_000, 100_000_000];
const SEED: u64 = 1;

/// The page with another block between the two lines; none where it does not have them.
#[must_use]
pub fn put(page: &str, block: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", block.trim()))
}

/// The block. `progress` is told how far it is, from 0 to 1.
#[must_use]
pub fn block(figures: &Figures, progress: &mut dyn FnMut(f64)) -> String {
    let sizings = SIZES.map(|mailboxes| size(figures, mailboxes, 1.0, &Fleet::default()));
    let mut text = String::new();
    measured(&mut text, figures);
    assumed(&mut text);
    arithmetic(&mut text, &sizings);
    simulated(&mut text, figures, &sizings, progress);
    text
}

fn measured(text: &mut String, figures: &Figures) {
    let _ = writeln!(
        text,
        "### What an operation costs\n\nMeasured on {}, commit {}: {}.\n\n\
         | operation | node, CPU ms | database, CPU ms | round trips | log, bytes | answer, bytes |\n\
         |---|--:|--:|--:|--:|--:|",
        figures.date, figures.commit, figures.machine
    );
    for operation in Operation::ALL {
        let cost = figures.cost(operation);
        let commits = cost.commits;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            operation.name(),
            two(cost.node_ms),
            two(cost.database_ms + commits * figures.group_database_ms),
            two(cost.round_trips + 2.0 * commits),
            grouped(cost.wal_bytes + commits * figures.group_wal_bytes),
            grouped(cost.answer_bytes)
        );
    }
    let _ = writeln!(
        text,
        "\nA commit alone in its transaction is meant. Of its cost, {} ms of the database's CPU and {} bytes of the log are \
         the transaction's, and are shared by all commits that it holds. A round trip over loopback takes {} ms, a sync of \
         the log {} ms, the check of a password {} ms of a node's CPU. A node takes {} MB of memory, a session of the database {} MB, an item {} bytes on disk.\n",
        two(figures.group_database_ms),
        grouped(figures.group_wal_bytes),
        two(figures.round_trip_ms),
        two(figures.fsync_ms),
        two(figures.password_ms),
        two(figures.node_mb),
        two(figures.session_mb),
        grouped(figures.item_bytes)
    );
}

fn assumed(text: &mut String) {
    text.push_str(
        "### What is asked for\n\nAssumed, not measured: a busy office. `--activity 2` doubles all of it.\n\n\
         | operation | a day | of each | because |\n|---|--:|---|---|\n",
    );
    for (operation, daily, why) in load::DAILY {
        let of = if operation.is_of_a_site() { "site" } else { "mailbox" };
        let _ = writeln!(text, "| {} | {daily} | {of} | {why} |", operation.name());
    }
    let _ = writeln!(
        text,
        "\nThere is a site for {} mailboxes. The busiest hour has {} times the mean of the day. Mailbox number *k* asks in \
         proportion to 1/*k*^{}, a site to 1/*k*^{}.\n",
        load::MAILBOXES_A_SITE,
        load::peak(),
        load::MAILBOX_SKEW,
        load::SITE_SKEW
    );
}

/// One step of the arithmetic: what, how, and the value for a size.
type StepRow = (&'static str, &'static str, fn(&Sizing) -> String);

fn arithmetic(text: &mut String, sizings: &[Sizing]) {
    let steps: [StepRow; 16] = [
        ("requests a day", "mailboxes and sites × the table above", |one| large(one.daily)),
        ("requests a second, mean", "÷ 86,400", |one| large(one.daily / load::DAY_SECONDS)),
        ("in the busiest hour", "× 2.7", |one| large(one.peak)),
        ("commits a second then", "rate × commits", |one| large(one.commits)),
        ("logins not remembered", "1 − people remembered × later requests ÷ (1 + later requests)", |one| {
            format!("{} %", two(one.unremembered * 100.0))
        }),
        ("cores of nodes busy", "Σ rate × node CPU, and for these the check of a password", |one| two(one.node_busy)),
        ("cores of databases busy", "Σ rate × database CPU", |one| two(one.database_busy)),
        ("databases", "÷ 40 % of 32 cores", |one| grouped(f64::from(one.databases))),
        ("cores of each", "2, 4, 8, 16 or 32, at most 40 % busy", |one| one.fleet.database_cores.to_string()),
        ("nodes", "÷ 40 % of 8 cores, or of 40 sessions that read; two for each database at least", |one| {
            grouped(f64::from(one.fleet.nodes) * f64::from(one.databases))
        }),
        ("cores of each", "2, 4 or 8, at most 40 % busy", |one| one.fleet.node_cores.to_string()),
        ("log of each database, MB/s", "Σ rate × bytes ÷ databases", |one| {
            two(one.log_mb_s / f64::from(one.databases))
        }),
        ("log of a day, all, TB", "the mean × 86,400", |one| {
            two(one.log_mb_s / load::peak() * load::DAY_SECONDS / 1e6)
        }),
        ("sessions at each database", "its nodes × 48", |one| one.sessions.to_string()),
        ("databases on disk, TB", "5,000 items a mailbox × bytes of an item", |one| two(one.disk_tb)),
        ("object store, TB", "1 GB a mailbox", |one| large(one.object_tb)),
    ];
    text.push_str("### The arithmetic\n\n| step | how |");
    for one in sizings {
        let _ = write!(text, " {} |", grouped(one.mailboxes as f64));
    }
    text.push_str("\n|---|---|");
    text.push_str(&"--:|".repeat(sizings.len()));
    text.push('\n');
    for (what, how, value) in steps {
        let _ = write!(text, "| {what} | {how} |");
        for one in sizings {
            let _ = write!(text, " {} |", value(one));
        }
        text.push('\n');
    }
    let _ = writeln!(
        text,
        "\nA commit of an ordinary mailbox is alone in its transaction here; {:.0} % is what the busiest hour may take of the \
         cores, since a Monday morning takes twice that.\n",
        BUSY_MAX * 100.0
    );
}

fn simulated(text: &mut String, figures: &Figures, sizings: &[Sizing], progress: &mut dyn FnMut(f64)) {
    text.push_str(
        "### What the simulation says of such fleets\n\nOne database with its part of the nodes and of the mailboxes, a \
         synchronous replica (0.8 ms), 0.2 ms between node and database, 0.5 ms for a sync of the log.\n\n\
         | mailboxes | what happens | answers/s | poll p50, p99 ms | create p50, p99 ms | nodes busy | database busy | \
         failed | refused |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut walls = String::new();
    let all = sizings.len() * Scenario::NAMES.len();
    let mut done = 0;
    for sizing in sizings {
        for name in Scenario::NAMES {
            let Some(scenario) = Scenario::named(name, sizing.part, 1.0) else { continue };
            let so_far = done as f64;
            let mut part = |part: f64| progress((so_far + part) / all as f64);
            let report = simulate(figures, &sizing.fleet, &scenario, SEED, &mut part);
            done += 1;
            let pair =
                |operation| format!("{}, {}", two(report.at_ms(operation, 0.5)), two(report.at_ms(operation, 0.99)));
            let polls = if report.per_second_of(Operation::Poll) > 0.0 { pair(Operation::Poll) } else { "–".into() };
            let percent = |name| format!("{:.0} %", report.busy(name) * 100.0);
            let _ = writeln!(
                text,
                "| {} | {name} | {} | {polls} | {} | {} | {} | {} | {} |",
                grouped(sizing.mailboxes as f64),
                large(report.per_second()),
                pair(Operation::Create),
                percent("cores of the nodes"),
                percent("cores of the database"),
                large(report.failed as f64),
                large(report.refused as f64)
            );
            if name == "peak" {
                let said = [(false, "full first"), (true, "then, with more nodes")].map(|(nodes_grow, which)| {
                    let wall = report.wall(nodes_grow);
                    wall.map_or(String::new(), |(what, mailboxes)| {
                        format!("{which}: {what}, at {} mailboxes for each database", large(mailboxes))
                    })
                });
                let _ = writeln!(walls, "- {} mailboxes: {}.", grouped(sizing.mailboxes as f64), said.join("; "));
            }
            if name == "mailing" {
                // Each is handed over when the one before it is.
                let hours = sizing.part as f64 * report.at_ms(Operation::Create, 0.5) / 3.6e6;
                let _ = writeln!(
                    walls,
                    "- A message to all {} mailboxes, handed over one after the other, has reached the last after {} hours.",
                    grouped(sizing.part as f64),
                    two(hours)
                );
            }
        }
    }
    let _ = write!(text, "\n{walls}");
}

/// Two digits that count, for what may be small.
fn two(number: f64) -> String {
    let number = rounded(number);
    if number >= 1_000.0 { grouped(number) } else { format!("{number}") }
}

/// Two digits that count, of a whole number.
fn large(number: f64) -> String {
    if number < 10.0 { format!("{}", rounded(number)) } else { grouped(rounded(number)) }
}
