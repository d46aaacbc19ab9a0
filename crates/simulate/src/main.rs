//! `cargo xtask simulate`: the simulation from the command line.

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use simulate::{BEGIN, END, Figures, Fleet, Operation, Scenario, block, put, simulate, size};

const EXAMPLES: &str = "\
Examples:
  cargo xtask simulate                                     a million mailboxes, all scenarios, a fleet that fits
  cargo xtask simulate --mailboxes 10000 --scenario monday
  cargo xtask simulate --mailboxes 1e6 --nodes 4 --database-cores 16 --replica-ms 5
  cargo xtask simulate --clients 64 --roots 1              how many creates a second one mailbox takes
  cargo xtask simulate --observed                          the real runs of the figures, and what is predicted for them
  cargo xtask simulate --write-page                        makes the figures of docs/scale.md anew
  cargo xtask bench --scale                                measures the costs on this machine";

/// Simulates a fleet: what is busy, what waits, how long requests take, and what is full first.
///
/// What an operation costs was measured (crates/simulate/figures.txt); how often it is asked for is assumed
/// (crates/simulate/src/load.rs).
#[derive(Parser)]
#[command(name = "cargo xtask simulate", after_help = EXAMPLES)]
struct Arguments {
    /// Mailboxes; there is a site for every 20.
    #[arg(long, value_name = "NUMBER", default_value = "1000000", value_parser = count)]
    mailboxes: u64,
    /// peak, monday, mailing, resync, node-lost, database-lost, or all.
    #[arg(long, value_name = "NAME", default_value = "all")]
    scenario: String,
    /// How busy people are, over what is assumed.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    activity: f64,
    /// Nodes of one database [default: what fits].
    #[arg(long, value_name = "NUMBER")]
    nodes: Option<u32>,
    /// Cores of a node [default: what fits].
    #[arg(long, value_name = "NUMBER")]
    node_cores: Option<u32>,
    /// Cores of the database [default: what fits].
    #[arg(long, value_name = "NUMBER")]
    database_cores: Option<u32>,
    /// Databases, among which mailboxes are spread; one of them is simulated [default: what fits].
    #[arg(long, value_name = "NUMBER")]
    databases: Option<u32>,
    /// Sessions that read, of each node.
    #[arg(long, value_name = "NUMBER", default_value_t = Fleet::default().readers)]
    readers: u32,
    /// Sessions that write, of each node.
    #[arg(long, value_name = "NUMBER", default_value_t = Fleet::default().writers)]
    writers: u32,
    /// How long a node remembers that a password was right.
    #[arg(long, value_name = "SECONDS", default_value_t = Fleet::default().login_cache_seconds)]
    login_cache_seconds: f64,
    /// Logins that a node remembers.
    #[arg(long, value_name = "NUMBER", default_value_t = Fleet::default().login_cache_max)]
    login_cache_max: f64,
    /// The balancer gives requests to all nodes in turn, and not those of a person to one.
    #[arg(long)]
    in_turn: bool,
    /// A round trip between node and database.
    #[arg(long, value_name = "MS", default_value_t = Fleet::default().round_trip_ms)]
    round_trip_ms: f64,
    /// A sync of the database's log.
    #[arg(long, value_name = "MS", default_value_t = Fleet::default().fsync_ms)]
    fsync_ms: f64,
    /// What a commit waits for a synchronous replica; 0 without one.
    #[arg(long, value_name = "MS", default_value_t = Fleet::default().replica_ms)]
    replica_ms: f64,
    /// What the disk of the log writes.
    #[arg(long, value_name = "MB/S", default_value_t = Fleet::default().disk_mb_s)]
    disk_mb_s: f64,
    /// Instead of a scenario: so many clients that ask without a pause.
    #[arg(long, value_name = "NUMBER")]
    clients: Option<u32>,
    /// Mailboxes of these clients.
    #[arg(long, value_name = "NUMBER", default_value_t = 64, requires = "clients")]
    roots: u64,
    /// What these clients ask for.
    #[arg(long, value_name = "NAME", default_value = "create", requires = "clients")]
    operation: String,
    /// Where chance begins; the same seed gives the same report.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The measured figures.
    #[arg(long, value_name = "FILE", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/figures.txt"))]
    figures: PathBuf,
    /// Beside each real run that the figures tell of, what is predicted for it.
    #[arg(long)]
    observed: bool,
    /// Makes the block of docs/scale.md anew.
    #[arg(long)]
    write_page: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run(given: &Arguments) -> Result<String, String> {
    let file = given.figures.display();
    let text = fs::read_to_string(&given.figures).map_err(|error| format!("{file}: {error}"))?;
    let figures = Figures::parse(&text).map_err(|error| format!("{file}: {error}"))?;
    let bar = ProgressBar::new(1_000);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {msg}, {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let text = if given.write_page {
        write_page(&figures, &bar)
    } else if given.observed {
        Ok(observed(&figures, given.seed, &bar))
    } else {
        scenarios(given, &figures, &bar)
    };
    bar.finish_and_clear();
    text
}

fn write_page(figures: &Figures, bar: &ProgressBar) -> Result<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scale.md");
    let page = fs::read_to_string(path).map_err(|error| format!("docs/scale.md: {error}"))?;
    let block = block(figures, &mut |part| bar.set_position((part * 1e3) as u64));
    let page = put(&page, &block).ok_or_else(|| format!("docs/scale.md has no lines {BEGIN} and {END}"))?;
    fs::write(path, page).map_err(|error| format!("docs/scale.md: {error}"))?;
    Ok("written to docs/scale.md\n".to_owned())
}

fn observed(figures: &Figures, seed: u64, bar: &ProgressBar) -> String {
    let mut text = format!(
        "{:28} {:>14} {:>14} {:>7} {:>12} {:>12} {:>7}\n",
        "run", "observed /s", "predicted /s", "factor", "observed ms", "predicted ms", "factor"
    );
    for one in &figures.observed {
        bar.set_message(one.name.clone());
        let (scenario, fleet) = Scenario::observed(one, figures.fsync_ms, figures.round_trip_ms);
        let report = simulate(figures, &fleet, &scenario, seed, &mut |part| bar.set_position((part * 1e3) as u64));
        let (rate, p50) = (report.per_second(), report.median_ms());
        text += &format!(
            "{:28} {:>14.0} {:>14.0} {:>7.2} {:>12.2} {:>12.2} {:>7.2}\n",
            one.name,
            one.per_second,
            rate,
            rate / one.per_second,
            one.p50_ms,
            p50,
            p50 / one.p50_ms
        );
    }
    text
}

fn scenarios(given: &Arguments, figures: &Figures, bar: &ProgressBar) -> Result<String, String> {
    let like = Fleet {
        readers: given.readers.max(1),
        writers: given.writers.max(1),
        login_cache_seconds: given.login_cache_seconds,
        login_cache_max: given.login_cache_max,
        by_person: !given.in_turn,
        round_trip_ms: given.round_trip_ms,
        fsync_ms: given.fsync_ms,
        replica_ms: given.replica_ms,
        disk_mb_s: given.disk_mb_s,
        ..Fleet::default()
    };
    let sizing = size(figures, given.mailboxes, given.activity, &like);
    let databases = given.databases.unwrap_or(sizing.databases).max(1);
    let part = given.mailboxes.div_ceil(u64::from(databases)).max(1);
    let fleet = Fleet {
        nodes: given.nodes.unwrap_or(sizing.fleet.nodes).max(1),
        node_cores: given.node_cores.unwrap_or(sizing.fleet.node_cores).max(1),
        database_cores: given.database_cores.unwrap_or(sizing.fleet.database_cores).max(1),
        ..sizing.fleet
    };
    let scenarios: Vec<Scenario> = match (given.clients, given.scenario.as_str()) {
        (Some(clients), _) => {
            let operation = Operation::ALL.into_iter().find(|one| one.name() == given.operation);
            let names = Operation::ALL.map(Operation::name).join(", ");
            let operation = operation.ok_or_else(|| format!("{} is none of {names}", given.operation))?;
            vec![Scenario::closed(clients, given.roots.max(1), vec![(operation, 1.0)], 20.0)]
        }
        (None, "all") => {
            Scenario::NAMES.iter().filter_map(|name| Scenario::named(name, part, given.activity)).collect()
        }
        (None, name) => {
            let names = Scenario::NAMES.join(", ");
            vec![Scenario::named(name, part, given.activity).ok_or_else(|| format!("{name} is none of {names}"))?]
        }
    };
    let mut text = format!(
        "{databases} databases of {} cores, each with {} nodes of {} cores and {} sessions\n\n",
        fleet.database_cores,
        fleet.nodes,
        fleet.node_cores,
        fleet.nodes * (fleet.readers + fleet.writers)
    );
    for scenario in &scenarios {
        bar.set_message(scenario.name);
        let report = simulate(figures, &fleet, scenario, given.seed, &mut |part| bar.set_position((part * 1e3) as u64));
        text += &report.to_text();
        text.push('\n');
    }
    Ok(text)
}

/// A whole number, also written as 1e6.
fn count(text: &str) -> Result<u64, String> {
    let number: f64 = text.replace(['_', ','], "").parse().map_err(|_| "not a number".to_owned())?;
    if (1.0..=1e10).contains(&number) { Ok(number as u64) } else { Err("from 1 to 1e10".to_owned()) }
}
