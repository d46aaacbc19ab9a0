//! What happens to the fleet while it is watched.

use crate::{Fleet, Observation, Operation, load};

/// Requests of one run, about: long enough for a 99th percentile, short enough for seconds.
const REQUESTS: f64 = 40_000.0;
/// Shortest and longest time that is simulated, in seconds.
const SECONDS: (f64, f64) = (4.0, 600.0);
/// Pages of a first sync of a whole mailbox.
const FIRST_SYNC_PAGES: u32 = 10;

/// Where requests come from, in the stretch of the run that begins at `from` and ends at `to` (0 to 1).
#[derive(Clone, Debug)]
pub struct Source {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// What it is.
    pub kind: Kind,
}

/// Kinds of sources.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Very many clients, each of which asks seldom: requests come by chance at these rates, a second, in the order of
    /// [`Operation::ALL`], from roots of which some are busier than others.
    Open {
        /// The rates.
        rates: [f64; 9],
        /// Pages that follow each other where one of a first sync is asked for.
        pages: u32,
    },
    /// Clients that ask again as soon as they have their answer.
    Closed {
        /// How many.
        clients: u32,
        /// Mailboxes among which they are spread.
        roots: u64,
        /// Whether each goes on to the next mailbox with every request.
        walks: bool,
        /// What they ask for, with weights.
        mix: Vec<(Operation, f64)>,
    },
}

/// What befalls the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A node ends without a word; its requests fail, and clients repeat them elsewhere.
    NodeLost,
    /// The node is there again.
    NodeBack,
    /// The database answers nothing.
    DatabaseLost,
    /// It answers again.
    DatabaseBack,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens, in a few words.
    pub about: String,
    /// Mailboxes; sites are there in proportion.
    pub mailboxes: u64,
    /// How long, in simulated seconds. The first tenth is not counted.
    pub seconds: f64,
    /// What asks.
    pub sources: Vec<Source>,
    /// What happens when (0 to 1), in order.
    pub events: Vec<(f64, Event)>,
}

impl Scenario {
    /// Names of those that can be asked for.
    pub const NAMES: [&'static str; 6] = ["peak", "monday", "mailing", "resync", "node-lost", "database-lost"];

    /// One by name, for so many mailboxes whose people do `activity` times what [`load::DAILY`] says; none by any other
    /// name.
    #[must_use]
    pub fn named(name: &str, mailboxes: u64, activity: f64) -> Option<Self> {
        let peak = load::rates(mailboxes, load::peak() * activity);
        let total: f64 = peak.iter().sum();
        let seconds = (REQUESTS / total.max(1e-9)).clamp(SECONDS.0, SECONDS.1);
        let ordinary = Source { from: 0.0, to: 1.0, kind: Kind::Open { rates: peak, pages: 1 } };
        let base = |name, about: &str| Self {
            name,
            about: about.to_owned(),
            mailboxes,
            seconds,
            sources: vec![ordinary.clone()],
            events: Vec::new(),
        };
        let (poll, delta, page) = (Operation::Poll.place(), Operation::Delta.place(), Operation::SyncPage.place());
        Some(match name {
            "peak" => base("peak", "the busiest hour of an ordinary day"),
            "monday" => {
                let mut this = base("monday", "the busiest hour, doubled for a third of the time, and polls find much");
                let mut more = peak;
                move_rate(&mut more, poll, delta, 0.5);
                this.sources.push(Source { from: 0.4, to: 0.73, kind: Kind::Open { rates: more, pages: 1 } });
                this
            }
            "mailing" => {
                let mut this =
                    base("mailing", "the busiest hour, and a message to everybody, which all clients then fetch");
                let mut finding = peak;
                move_rate(&mut finding, poll, delta, 1.0);
                this.sources = vec![
                    Source { from: 0.0, to: 0.3, kind: Kind::Open { rates: peak, pages: 1 } },
                    Source { from: 0.3, to: 1.0, kind: Kind::Open { rates: finding, pages: 1 } },
                    Source {
                        from: 0.3,
                        to: 1.0,
                        kind: Kind::Closed {
                            clients: 1,
                            roots: mailboxes,
                            walks: true,
                            mix: vec![(Operation::Create, 1.0)],
                        },
                    },
                ];
                this
            }
            "resync" => {
                let mut this =
                    base("resync", "the busiest hour, and no token is good any more: every poll becomes a first sync");
                let mut anew = peak;
                move_rate(&mut anew, poll, page, 1.0);
                move_rate(&mut anew, delta, page, 1.0);
                this.sources = vec![
                    Source { from: 0.0, to: 0.3, kind: Kind::Open { rates: peak, pages: 1 } },
                    Source { from: 0.3, to: 1.0, kind: Kind::Open { rates: anew, pages: FIRST_SYNC_PAGES } },
                ];
                this
            }
            "node-lost" => {
                let mut this = base("node-lost", "the busiest hour, and a node is away for half of the time");
                this.events = vec![(0.3, Event::NodeLost), (0.8, Event::NodeBack)];
                this
            }
            "database-lost" => {
                let mut this =
                    base("database-lost", "the busiest hour, and the database is away for a tenth of the time");
                this.events = vec![(0.3, Event::DatabaseLost), (0.4, Event::DatabaseBack)];
                this
            }
            _ => return None,
        })
    }

    /// Requests a second of the source that begins first; none where its clients ask without a pause.
    pub(crate) fn per_second(&self) -> Option<f64> {
        match self.sources.first().map(|source| &source.kind) {
            Some(Kind::Open { rates, .. }) => Some(rates.iter().sum()),
            Some(Kind::Closed { .. }) | None => None,
        }
    }

    /// Clients that ask without a pause, as the benchmark's do.
    #[must_use]
    pub fn closed(clients: u32, roots: u64, mix: Vec<(Operation, f64)>, seconds: f64) -> Self {
        Self {
            name: "closed",
            about: format!("{clients} clients without a pause, over {roots} mailboxes"),
            mailboxes: roots,
            seconds,
            sources: vec![Source { from: 0.0, to: 1.0, kind: Kind::Closed { clients, roots, walks: false, mix } }],
            events: Vec::new(),
        }
    }

    /// The run that was observed, and the fleet that it ran on: everything on one machine, without a replica.
    #[must_use]
    pub fn observed(observation: &Observation, fsync_ms: f64, round_trip_ms: f64) -> (Self, Fleet) {
        let fleet = Fleet {
            nodes: observation.nodes,
            node_cores: observation.cores,
            database_cores: observation.cores,
            round_trip_ms,
            fsync_ms,
            replica_ms: 0.0,
            together: Some(crate::Machine { cores: observation.cores, foreign_cores: observation.foreign_cores }),
            ..Fleet::default()
        };
        let seconds = (REQUESTS / 4.0 / observation.per_second.max(1.0)).clamp(2.0, 60.0);
        (Self::closed(observation.clients, observation.roots, observation.mix.clone(), seconds), fleet)
    }
}

/// Turns a part of the requests of one kind into ones of another.
fn move_rate(rates: &mut [f64; 9], from: usize, to: usize, part: f64) {
    let Some(rate) = rates.get_mut(from) else { return };
    let moved = *rate * part;
    *rate -= moved;
    if let Some(rate) = rates.get_mut(to) {
        *rate += moved;
    }
}
