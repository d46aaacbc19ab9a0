//! The database, the nodes and the balancer, and what can happen to them.

use std::{
    io::Write as _,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cluster::{
    Check, HaProxy, HaProxyOptions, Node, NodeOptions, Options, Postgres, Replication, Result, Wire,
    process::{Folder, Signal},
};

use crate::PASSWORD;

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");
/// The schema of everything.
const SCHEMA: &str = "fleet";
/// Seconds by which the clocks of the nodes are ahead.
pub(crate) const CLOCKS: [i64; 3] = [0, 180, -240];
/// How long the fleet may take until all of it is well again.
const RECOVERY_SECONDS_MAX: u64 = 90;

/// Where the data is.
enum Data {
    /// In the embedded store: one node.
    #[expect(dead_code, reason = "held until the end")]
    Embedded(Folder),
    /// In a primary and its standby, which is away in the moments of a fail-over, or never there.
    Replicated { primary: Box<Postgres>, standby: Option<Box<Postgres>> },
}

/// A fleet.
pub(crate) struct Stage {
    pub(crate) nodes: Vec<Node>,
    pub(crate) balancer: HaProxy,
    data: Data,
    /// How often another server became the primary.
    pub(crate) failovers: usize,
}

impl Stage {
    /// One node on the embedded store behind a balancer.
    pub(crate) fn embedded(accounts: &[String], sites: &[String]) -> Result<Self> {
        let folder = Folder::new()?;
        let location = folder.join("data").display().to_string();
        Self::build(&location, Data::Embedded(folder), &[0], accounts, sites)
    }

    /// One node on a database that is reached over a line.
    pub(crate) fn over_a_line(options: Options, accounts: &[String]) -> Result<(Self, Wire)> {
        let database = Postgres::start(options)?;
        database.sql(&format!("CREATE SCHEMA {SCHEMA}"))?;
        let wire = Wire::start(database.address())?;
        let location = database.url_of(SCHEMA).replace(&database.authority(), &wire.address().to_string());
        let data = Data::Replicated { primary: Box::new(database), standby: None };
        Ok((Self::build(&location, data, &[0], accounts, &[])?, wire))
    }

    /// Three nodes, whose clocks differ by minutes, on a database with a standby.
    pub(crate) fn replicated(replication: Replication, accounts: &[String], sites: &[String]) -> Result<Self> {
        let primary = Postgres::start(Options::default())?;
        primary.sql(&format!("CREATE SCHEMA {SCHEMA}"))?;
        let standby = primary.standby(replication)?;
        let location = Postgres::url_of_any([&primary, &standby], SCHEMA);
        let data = Data::Replicated { primary: Box::new(primary), standby: Some(Box::new(standby)) };
        Self::build(&location, data, &CLOCKS, accounts, sites)
    }

    fn build(location: &str, data: Data, clocks: &[i64], accounts: &[String], sites: &[String]) -> Result<Self> {
        for account in accounts {
            program(&["account", "add", account, "--data", location, "--password-stdin"]);
        }
        for site in sites {
            program(&["site", "add", site, "--data", location, "--title", "Team", "--owner", &accounts[0]]);
        }
        let node = |clock: &i64| {
            Node::start(NodeOptions {
                program: PROGRAM.into(),
                arguments: ["--data", location].map(Into::into).to_vec(),
                environment: vec![("RUST_LOG".into(), "warn".into())],
                clock_ahead_seconds: *clock,
            })
        };
        let nodes = clocks.iter().map(node).collect::<Result<Vec<_>>>()?;
        let addresses: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
        let options = HaProxyOptions { check: Check::Answers("/readyz".into()), ..HaProxyOptions::default() };
        let balancer = HaProxy::start(&addresses, &options)?;
        Ok(Self { nodes, balancer, data, failovers: 0 })
    }

    /// Whether there is a database that things can happen to.
    pub(crate) const fn is_replicated(&self) -> bool {
        matches!(self.data, Data::Replicated { .. })
    }

    /// The server that takes writes.
    pub(crate) fn primary(&self) -> &Postgres {
        match &self.data {
            Data::Replicated { primary, .. } => primary,
            Data::Embedded(_) => panic!("the embedded store has no server"),
        }
    }

    /// Its standby.
    pub(crate) fn standby(&self) -> &Postgres {
        match &self.data {
            Data::Replicated { standby: Some(standby), .. } => standby,
            Data::Replicated { standby: None, .. } | Data::Embedded(_) => panic!("there is no standby"),
        }
    }

    /// The primary dies and its standby takes over; a new standby, as `next` says, gets the dead one's place.
    pub(crate) fn fail_over(&mut self, next: Replication) -> Result<()> {
        let Data::Replicated { primary, standby } = &mut self.data else { panic!("the embedded store has no server") };
        let begin = Instant::now();
        let done = |what: &str| println!("           {what} after {:.2} s", begin.elapsed().as_secs_f32());
        primary.kill()?;
        done("dead");
        let heir = standby.take().expect("a standby");
        heir.promote()?;
        done("promoted");
        let dead = std::mem::replace(primary, heir);
        *standby = Some(Box::new(primary.standby_at(dead.into_port(), next)?));
        done("followed");
        self.failovers += 1;
        Ok(())
    }

    /// Waits until every node takes requests.
    pub(crate) fn recover(&mut self) -> Result<()> {
        for node in &mut self.nodes {
            node.signal(Signal::Continue);
            if !node.runs() {
                node.start_again()?;
            }
        }
        let until = Instant::now() + Duration::from_secs(RECOVERY_SECONDS_MAX);
        while self.balancer.nodes_up()? < self.nodes.len() {
            assert!(Instant::now() < until, "the nodes do not recover:\n{}", self.logs());
            std::thread::park_timeout(Duration::from_millis(100));
        }
        Ok(())
    }

    /// What the nodes have complained of.
    pub(crate) fn logs(&self) -> String {
        self.nodes.iter().map(|node| format!("--- {}\n{}\n", node.url(), last_lines(&node.log()))).collect()
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Runs a command of the program, which must end well. The password is there where it asks for one.
fn program(arguments: &[&str]) {
    let mut child = Command::new(Path::new(PROGRAM))
        .args(arguments)
        .env("RUST_LOG", "error")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the program starts");
    let _ = writeln!(child.stdin.take().expect("a pipe"), "{PASSWORD}");
    assert!(child.wait().expect("an end").success(), "{arguments:?}");
}
