//! What was measured: as a section of `BENCHMARKS.md`, and as the figures of the simulation.

use std::fmt::Write as _;

use bench::scale::{Driven, Log};
use simulate::{Cost, Figures, Observation, Operation};

/// Commits that a transaction of the store holds at most.
const GROUP_COMMITS_MAX: u32 = 512;
/// Round trips of the transaction that writes.
const WRITE_TRIPS: f64 = 2.0;
/// What three nodes may cost over one.
const THREE_NODES_MAX: f64 = 1.25;
/// What a delta may take, in milliseconds.
const DELTA_MS_MAX: f64 = 3.0;
/// What creates by 64 clients must reach of those by the embedded store.
const CREATES_MIN: f64 = 0.5;

/// Everything.
pub(crate) struct Measured {
    /// Round trips and bytes of an answer, in the order of the operations.
    pub(crate) trips: Vec<(f64, usize)>,
    /// By one node and by three, in the order of the operations.
    pub(crate) compared: Vec<[Sum; 2]>,
    /// A poll and a delta by one client and one node.
    pub(crate) alone: [Driven; 2],
    pub(crate) creates: Vec<Creates>,
    pub(crate) observed: Vec<Observation>,
    pub(crate) item_bytes: f64,
    pub(crate) password_ms: f64,
    pub(crate) round_trip_ms: f64,
    pub(crate) node_mb: f64,
    pub(crate) session_mb: f64,
    /// Of one run.
    pub(crate) while_seconds: u64,
}

/// Creates by so many clients into so many mailboxes.
pub(crate) struct Creates {
    pub(crate) store: &'static str,
    pub(crate) nodes: usize,
    pub(crate) clients: usize,
    pub(crate) roots: usize,
    pub(crate) driven: Driven,
    pub(crate) log: Log,
}

/// Several runs of the same.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    count: f64,
    asked: f64,
    seconds: f64,
    nodes: f64,
    database: f64,
    balancer: f64,
    clients: f64,
    bytes: f64,
    transactions: f64,
    median_ms: f64,
    runs: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, (driven, log): (Driven, Log)) {
        self.count += driven.count as f64;
        self.asked += driven.asked as f64;
        self.seconds += driven.seconds;
        self.nodes += driven.usage.nodes;
        self.database += driven.usage.database;
        self.balancer += driven.usage.balancer;
        self.clients += driven.usage.clients;
        self.bytes += log.bytes;
        self.transactions += log.transactions;
        self.median_ms += driven.median_ms();
        self.runs += 1.0;
    }

    /// For each request, in thousandths of what `sum` counts.
    fn each(&self, sum: f64) -> f64 {
        sum * 1e3 / self.count.max(1.0)
    }
}

impl Creates {
    /// Commits of a transaction.
    fn gathered(&self) -> f64 {
        self.driven.asked as f64 / self.log.transactions.max(1.0)
    }
}

impl Measured {
    /// What a transaction costs whatever it holds, of the CPU in milliseconds and of the log in bytes: commits that gathered
    /// compared with such that did not.
    fn of_a_group(&self) -> (f64, f64) {
        let by = |roots: usize| {
            self.creates.iter().find(|one| {
                one.store == "postgres" && one.nodes == 1 && one.clients == 64 && (one.roots == 1) == (roots == 1)
            })
        };
        let (Some(together), Some(apart)) = (by(1), by(64)) else { return (0.0, 0.0) };
        let inverse = 1.0 / apart.gathered() - 1.0 / together.gathered();
        if inverse < 0.1 {
            return (0.0, 0.0);
        }
        let count = |one: &Creates| one.driven.asked.max(1) as f64;
        let ms = apart.driven.each(apart.driven.usage.database) - together.driven.each(together.driven.usage.database);
        let bytes = apart.log.bytes / count(apart) - together.log.bytes / count(together);
        ((ms / inverse).max(0.0), (bytes / inverse).max(0.0))
    }

    pub(crate) fn figures(&self, commit: &str, date: &str, machine: &str) -> Figures {
        let (group_database_ms, group_wal_bytes) = self.of_a_group();
        let costs = Operation::ALL.iter().zip(&self.compared).zip(&self.trips).map(
            |((operation, [_, three]), (trips, bytes))| {
                let commits = match operation {
                    Operation::Create | Operation::Update | Operation::ListWrite => 1.0,
                    Operation::Poll
                    | Operation::Delta
                    | Operation::Read
                    | Operation::SyncPage
                    | Operation::ListPoll
                    | Operation::ListDelta => 0.0,
                };
                let groups = commits * three.transactions / three.asked.max(1.0);
                let wal_bytes = commits * three.bytes / three.asked.max(1.0) - group_wal_bytes * groups;
                Cost {
                    node_ms: round(three.each(three.nodes)),
                    database_ms: round((three.each(three.database) - group_database_ms * groups).max(0.0)),
                    round_trips: (trips - WRITE_TRIPS * commits).max(0.0),
                    commits,
                    wal_bytes: wal_bytes.max(0.0).round(),
                    answer_bytes: *bytes as f64,
                }
            },
        );
        let all = self.compared.iter().fold((0.0, 0.0, 0.0), |(balancer, clients, count), [one, three]| {
            (
                balancer + one.balancer + three.balancer,
                clients + one.clients + three.clients,
                count + one.count + three.count,
            )
        });
        let syncs: (f64, f64) = self
            .creates
            .iter()
            .fold((0.0, 0.0), |(count, time), one| (count + one.log.syncs, time + one.log.sync_seconds));
        Figures {
            date: date.to_owned(),
            commit: commit.to_owned(),
            machine: machine.to_owned(),
            costs: costs.collect(),
            group_database_ms: round(group_database_ms),
            group_wal_bytes: group_wal_bytes.round(),
            group_commits_max: GROUP_COMMITS_MAX,
            balancer_ms: round(all.0 * 1e3 / all.2.max(1.0)),
            client_ms: round(all.1 * 1e3 / all.2.max(1.0)),
            round_trip_ms: round(self.round_trip_ms),
            fsync_ms: round(syncs.1 * 1e3 / syncs.0.max(1.0)),
            password_ms: round(self.password_ms.max(0.0)),
            node_mb: round(self.node_mb),
            session_mb: round(self.session_mb),
            item_bytes: self.item_bytes.round(),
            observed: self.observed.clone(),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        self.compare(&mut text);
        self.list_creates(&mut text);
        let _ = writeln!(
            text,
            "\nA node takes {} MB of memory after all this, a session of the database {} MB of its own, a message {} bytes \
             on disk. A round trip to the database takes {} ms; the check of a password that is not remembered {} ms of \
             CPU.\n",
            round(self.node_mb),
            round(self.session_mb),
            self.item_bytes.round(),
            round(self.round_trip_ms),
            round(self.password_ms)
        );
        self.promises(&mut text);
        let _ = writeln!(
            text,
            "\nRuns of {} s each, those of one and of three nodes in turn. The clients are threads with a connection each; \
             they took {} ms of CPU for a request.",
            self.while_seconds,
            round(self.compared.iter().map(|[_, three]| three.each(three.clients)).sum::<f64>() / 9.0)
        );
        text
    }

    fn compare(&self, text: &mut String) {
        text.push_str(
            "| operation | round trips | p50 ms, one node | three | node CPU ms, one | three | database CPU ms, one | three \
             | both, three over one |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for ((operation, [one, three]), (trips, _)) in Operation::ALL.iter().zip(&self.compared).zip(&self.trips) {
            let ms = |sum: &Sum, of: f64| format!("{:.3}", sum.each(of));
            let p50 = |sum: &Sum| format!("{:.2}", sum.median_ms / sum.runs.max(1.0));
            let _ = writeln!(
                text,
                "| {} | {trips} | {} | {} | {} | {} | {} | {} | {:.2} |",
                operation.name(),
                p50(one),
                p50(three),
                ms(one, one.nodes),
                ms(three, three.nodes),
                ms(one, one.database),
                ms(three, three.database),
                ratio(one, three)
            );
        }
        let [poll, delta] = &self.alone;
        let _ = writeln!(
            text,
            "\nOne client and one node: a poll takes {:.2} ms, a delta of 10 takes {:.2} ms (medians).\n",
            poll.median_ms(),
            delta.median_ms()
        );
    }

    fn list_creates(&self, text: &mut String) {
        text.push_str(
            "| creates, durable | /s | p50 ms | node CPU ms | database CPU ms | commits a transaction | log bytes | syncs |\n\
             |---|--:|--:|--:|--:|--:|--:|--:|\n",
        );
        for one in &self.creates {
            let count = one.driven.asked.max(1) as f64;
            let of_postgres = one.store == "postgres";
            let only = |value: String| if of_postgres { value } else { "–".to_owned() };
            let _ = writeln!(
                text,
                "| {} clients, {} mailboxes, {}, {} nodes | {:.0} | {:.2} | {:.3} | {} | {} | {} | {} |",
                one.clients,
                one.roots,
                one.store,
                one.nodes,
                one.driven.per_second(),
                one.driven.median_ms(),
                one.driven.each(one.driven.usage.nodes),
                only(format!("{:.3}", one.driven.each(one.driven.usage.database))),
                only(format!("{:.1}", one.gathered())),
                only(format!("{:.0}", one.log.bytes / count)),
                only(format!("{:.2}", one.log.syncs / count)),
            );
        }
    }

    fn promises(&self, text: &mut String) {
        text.push_str("| promised | here | bound | kept |\n|---|--:|--:|---|\n");
        let mut promise = |what: &str, here: f64, bound: f64, kept: bool| {
            let kept = if kept { "yes" } else { "no" };
            let _ = writeln!(text, "| {what} | {here:.2} | {bound:.2} | {kept} |");
        };
        for (operation, [one, three]) in Operation::ALL.iter().zip(&self.compared) {
            let here = ratio(one, three);
            let what = format!("{}: CPU of three nodes and their database, over one node", operation.name());
            promise(&what, here, THREE_NODES_MAX, here <= THREE_NODES_MAX);
        }
        let delta = self.alone.last().map_or(0.0, Driven::median_ms);
        promise("a delta of 10, p50 ms", delta, DELTA_MS_MAX, delta < DELTA_MS_MAX);
        for roots in [1, 64] {
            let rate = |store: &str| {
                let of =
                    self.creates.iter().filter(|one| one.store == store && one.clients == 64 && one.roots == roots);
                of.map(|one| one.driven.per_second()).fold(0.0, f64::max)
            };
            let here = rate("postgres") / rate("embedded").max(1e-9);
            let what = format!("creates by 64 clients into {roots} mailboxes, over the embedded store's");
            promise(&what, here, CREATES_MIN, here >= CREATES_MIN);
        }
    }
}

fn ratio(one: &Sum, three: &Sum) -> f64 {
    let both = |sum: &Sum| sum.each(sum.nodes + sum.database);
    both(three) / both(one).max(1e-9)
}

/// Three digits that count.
pub(crate) fn round(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return 0.0;
    }
    format!("{number:.2e}").parse().unwrap_or(number)
}

/// Tells whoever waits what is being done.
pub(crate) fn say(what: &str) {
    eprintln!("scale: {what}");
}
