//! What operations cost, as measured: the file `figures.txt`, its form, and where a line of it is wrong.
//!
//! Lines are words: a comment after `#`, `date`, `commit` and `machine` with text, `operation NAME` with numbers by name, `group`
//! (what a transaction costs whatever it holds), `fixed` (what belongs to no operation) and `observed` (what a real run
//! under a known load did, which the simulation must come near to).

use std::fmt::Write as _;

/// Lines of a file of figures.
const LINES_MAX: usize = 1_000;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// SyncFolderItems that finds nothing.
    Poll,
    /// SyncFolderItems that finds ten changes.
    Delta,
    /// GetItem with the body.
    Read,
    /// CreateItem.
    Create,
    /// UpdateItem of one property.
    Update,
    /// A page of 512 items of a first SyncFolderItems.
    SyncPage,
    /// GetListItemChangesSinceToken that finds nothing.
    ListPoll,
    /// GetListItemChangesSinceToken that finds ten rows.
    ListDelta,
    /// UpdateListItems with one row.
    ListWrite,
}

impl Operation {
    /// All, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Poll,
        Self::Delta,
        Self::Read,
        Self::Create,
        Self::Update,
        Self::SyncPage,
        Self::ListPoll,
        Self::ListDelta,
        Self::ListWrite,
    ];

    /// The name in the file of figures and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Delta => "delta",
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::SyncPage => "sync-page",
            Self::ListPoll => "list-poll",
            Self::ListDelta => "list-delta",
            Self::ListWrite => "list-write",
        }
    }

    /// Whether it concerns a site and not a mailbox.
    #[must_use]
    pub const fn is_of_a_site(self) -> bool {
        match self {
            Self::Poll | Self::Delta | Self::Read | Self::Create | Self::Update | Self::SyncPage => false,
            Self::ListPoll | Self::ListDelta | Self::ListWrite => true,
        }
    }

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub fn place(self) -> usize {
        Self::ALL.iter().position(|one| *one == self).unwrap_or_default()
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What one operation costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// CPU of the node, in milliseconds.
    pub node_ms: f64,
    /// CPU of the database, in milliseconds, without what a transaction of a group costs whatever it holds.
    pub database_ms: f64,
    /// Round trips to the database, those of the transaction that writes left out.
    pub round_trips: f64,
    /// Commits.
    pub commits: f64,
    /// Bytes in the write-ahead log for each, without those of the transaction.
    pub wal_bytes: f64,
    /// Bytes of the answer.
    pub answer_bytes: f64,
}

/// What a real run did under a load that the simulation can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What the run is called.
    pub name: String,
    /// Nodes.
    pub nodes: u32,
    /// Clients, each of which asks again when it has its answer.
    pub clients: u32,
    /// Roots over which they spread.
    pub roots: u64,
    /// What they ask for, with weights.
    pub mix: Vec<(Operation, f64)>,
    /// Cores of the machine on which all of it ran.
    pub cores: u32,
    /// Cores that other work kept busy meanwhile, on average.
    pub foreign_cores: f64,
    /// Requests a second.
    pub per_second: f64,
    /// The median time of a request, in milliseconds.
    pub p50_ms: f64,
}

/// The file.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The day on which it was measured.
    pub date: String,
    /// The commit that was measured.
    pub commit: String,
    /// Where it was measured.
    pub machine: String,
    /// In the order of [`Operation::ALL`].
    pub costs: Vec<Cost>,
    /// CPU of the database for a transaction that writes, in milliseconds, whatever it holds.
    pub group_database_ms: f64,
    /// Bytes in the write-ahead log for such a transaction, whatever it holds.
    pub group_wal_bytes: f64,
    /// Commits that one transaction holds at most.
    pub group_commits_max: u32,
    /// CPU of the load balancer for a request, in milliseconds.
    pub balancer_ms: f64,
    /// CPU of the client for a request, in milliseconds: where all runs on one machine.
    pub client_ms: f64,
    /// A round trip to the database over loopback, in milliseconds, nothing done there.
    pub round_trip_ms: f64,
    /// A sync of the write-ahead log, in milliseconds.
    pub fsync_ms: f64,
    /// CPU of a node for checking a password that it does not remember, in milliseconds.
    pub password_ms: f64,
    /// Memory of a node after a load, in megabytes.
    pub node_mb: f64,
    /// Memory of a session in the database, in megabytes.
    pub session_mb: f64,
    /// Bytes on disk in the database for an item, indexes included.
    pub item_bytes: f64,
    /// Real runs.
    pub observed: Vec<Observation>,
}

/// Why a file of figures cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum FiguresError {
    /// A line that does not follow the form: correct it.
    #[error("line {0}: {1}")]
    Line(usize, String),
    /// A figure that is not there: measure again.
    #[error("there is no figure for {0}")]
    Missing(String),
}

type Names<'a> = Vec<(&'a str, f64)>;

impl Figures {
    /// Reads a file.
    ///
    /// # Errors
    /// A line that is not understood, a number that is negative or none, a figure that is not there.
    pub fn parse(text: &str) -> Result<Self, FiguresError> {
        let (mut date, mut commit, mut machine) = (None, None, None);
        let mut operations: Vec<(Operation, Cost)> = Vec::new();
        let (mut group, mut fixed): (Names<'_>, Names<'_>) = (Vec::new(), Vec::new());
        let mut observed = Vec::new();
        for (number, line) in text.lines().take(LINES_MAX).enumerate() {
            let wrong = |what: String| FiguresError::Line(number + 1, what);
            let line = line.split('#').next().unwrap_or_default().trim();
            let Some((word, rest)) = line.split_once(' ').map(|(word, rest)| (word, rest.trim())) else {
                if line.is_empty() {
                    continue;
                }
                return Err(wrong(format!("{line} alone says nothing")));
            };
            match word {
                "date" => date = Some(rest.to_owned()),
                "commit" => commit = Some(rest.to_owned()),
                "machine" => machine = Some(rest.to_owned()),
                "operation" => {
                    let (name, numbers) = rest.split_once(' ').unwrap_or((rest, ""));
                    let operation = Operation::named(name).ok_or_else(|| wrong(format!("{name} is no operation")))?;
                    let numbers = named_numbers(numbers).map_err(wrong)?;
                    operations.push((operation, cost(&numbers).map_err(|error| wrong(error.to_string()))?));
                }
                "group" => group.extend(named_numbers(rest).map_err(wrong)?),
                "fixed" => fixed.extend(named_numbers(rest).map_err(wrong)?),
                "observed" => observed.push(observation(rest).map_err(wrong)?),
                other => return Err(wrong(format!("{other} is not known"))),
            }
        }
        let text_of = |found: Option<String>, name: &str| found.ok_or_else(|| FiguresError::Missing(name.to_owned()));
        let costs = Operation::ALL
            .iter()
            .map(|one| {
                let found = operations.iter().find(|(operation, _)| operation == one);
                found.map(|(_, cost)| *cost).ok_or_else(|| FiguresError::Missing(one.name().to_owned()))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            date: text_of(date, "date")?,
            commit: text_of(commit, "commit")?,
            machine: text_of(machine, "machine")?,
            costs,
            group_database_ms: number(&group, "database_ms")?,
            group_wal_bytes: number(&group, "wal_bytes")?,
            group_commits_max: number(&group, "commits_max")?.max(1.0) as u32,
            balancer_ms: number(&fixed, "balancer_ms")?,
            client_ms: number(&fixed, "client_ms")?,
            round_trip_ms: number(&fixed, "round_trip_ms")?,
            fsync_ms: number(&fixed, "fsync_ms")?,
            password_ms: number(&fixed, "password_ms")?,
            node_mb: number(&fixed, "node_mb")?,
            session_mb: number(&fixed, "session_mb")?,
            item_bytes: number(&fixed, "item_bytes")?,
            observed,
        })
    }

    /// The file as it is written; [`Self::parse`] reads it back.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "# What operations cost, as `cargo xtask bench --scale` measured it; `cargo xtask simulate` reads it.\n\
             # Times are CPU of all threads or processes concerned; a round trip and a sync are times on the clock.\n\
             date {}\ncommit {}\nmachine {}\n\n",
            self.date, self.commit, self.machine
        );
        for (operation, cost) in Operation::ALL.iter().zip(&self.costs) {
            let Cost { node_ms, database_ms, round_trips, commits, wal_bytes, answer_bytes } = cost;
            let _ = writeln!(
                text,
                "operation {} node_ms={node_ms} database_ms={database_ms} round_trips={round_trips} commits={commits} \
                 wal_bytes={wal_bytes} answer_bytes={answer_bytes}",
                operation.name()
            );
        }
        let _ = writeln!(
            text,
            "\ngroup database_ms={} wal_bytes={} commits_max={}\nfixed balancer_ms={} client_ms={} round_trip_ms={} \
             fsync_ms={} password_ms={}\nfixed node_mb={} session_mb={} item_bytes={}\n",
            self.group_database_ms,
            self.group_wal_bytes,
            self.group_commits_max,
            self.balancer_ms,
            self.client_ms,
            self.round_trip_ms,
            self.fsync_ms,
            self.password_ms,
            self.node_mb,
            self.session_mb,
            self.item_bytes
        );
        for one in &self.observed {
            let mix: Vec<String> =
                one.mix.iter().map(|(operation, weight)| format!("{}:{weight}", operation.name())).collect();
            let _ = writeln!(
                text,
                "observed {} mix={} nodes={} clients={} roots={} cores={} foreign_cores={} per_second={} p50_ms={}",
                one.name,
                mix.join(","),
                one.nodes,
                one.clients,
                one.roots,
                one.cores,
                one.foreign_cores,
                one.per_second,
                one.p50_ms
            );
        }
        text
    }

    /// What an operation costs.
    #[must_use]
    pub fn cost(&self, operation: Operation) -> Cost {
        self.costs.get(operation.place()).copied().unwrap_or_default()
    }
}

fn cost(numbers: &Names<'_>) -> Result<Cost, FiguresError> {
    Ok(Cost {
        node_ms: number(numbers, "node_ms")?,
        database_ms: number(numbers, "database_ms")?,
        round_trips: number(numbers, "round_trips")?,
        commits: number(numbers, "commits")?,
        wal_bytes: number(numbers, "wal_bytes")?,
        answer_bytes: number(numbers, "answer_bytes")?,
    })
}

fn observation(rest: &str) -> Result<Observation, String> {
    let (name, rest) = rest.split_once(' ').ok_or("an observation has a name and numbers")?;
    let (mix, numbers) = rest.trim().split_once(' ').ok_or("an observation has a mix and numbers")?;
    let mix = mix.strip_prefix("mix=").ok_or("an observation has a mix")?;
    let mix = mix
        .split(',')
        .map(|one| {
            let (name, weight) = one.split_once(':').unwrap_or((one, "1"));
            let operation = Operation::named(name).ok_or_else(|| format!("{name} is no operation"))?;
            Ok((operation, positive(weight)?))
        })
        .collect::<Result<_, String>>()?;
    let numbers = named_numbers(numbers)?;
    let number = |name| number(&numbers, name).map_err(|error| error.to_string());
    Ok(Observation {
        name: name.to_owned(),
        nodes: number("nodes")? as u32,
        clients: number("clients")? as u32,
        roots: number("roots")? as u64,
        mix,
        cores: number("cores")? as u32,
        foreign_cores: number("foreign_cores")?,
        per_second: number("per_second")?,
        p50_ms: number("p50_ms")?,
    })
}

fn named_numbers(text: &str) -> Result<Names<'_>, String> {
    text.split_whitespace()
        .map(|word| {
            let (name, number) = word.split_once('=').ok_or_else(|| format!("{word} is not name=number"))?;
            Ok((name, positive(number)?))
        })
        .collect()
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    if number.is_finite() && number >= 0.0 { Ok(number) } else { Err(format!("{text} is no cost")) }
}

fn number(numbers: &Names<'_>, name: &str) -> Result<f64, FiguresError> {
    let found = numbers.iter().find(|(one, _)| *one == name);
    found.map(|(_, number)| *number).ok_or_else(|| FiguresError::Missing(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_reads_back() {
        let figures = crate::run::tests::figures();
        assert_eq!(Figures::parse(&figures.to_text()), Ok(figures));
    }

    #[test]
    fn lines_that_are_wrong() {
        for (line, error) in [
            ("nonsense 1", FiguresError::Line(1, "nonsense is not known".into())),
            ("nonsense", FiguresError::Line(1, "nonsense alone says nothing".into())),
            ("operation dance node_ms=1", FiguresError::Line(1, "dance is no operation".into())),
            ("operation poll node_ms=x", FiguresError::Line(1, "x is no number".into())),
            ("group database_ms=-1", FiguresError::Line(1, "-1 is no cost".into())),
            ("group database_ms", FiguresError::Line(1, "database_ms is not name=number".into())),
            ("operation poll node_ms=1", FiguresError::Line(1, "there is no figure for database_ms".into())),
            ("# all is missing", FiguresError::Missing("poll".into())),
        ] {
            assert_eq!(Figures::parse(line), Err(error), "{line}");
        }
    }
}
