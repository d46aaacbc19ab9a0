//! `scale SERVER FIGURES COMMIT DATE MACHINE [--quick]`: nodes of that program over one PostgreSQL, behind a balancer, under
//! load. Prints a section in Markdown, and writes the figures that `cargo xtask simulate` reads.
#![expect(clippy::expect_used, reason = "a tool for measurements")]

mod report;

use std::{
    ffi::OsString,
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use bench::scale::{
    Client, CountingLine, Database, Driven, Log, Mailbox, PAGE, Site, account, create_messages, drive, memory_mb,
    round_trip_ms, sync_ids, sync_page, update,
};
use cluster::{Check, HaProxy, HaProxyOptions, Node, NodeOptions, Options, Postgres, process::Folder};
use report::{Creates, Measured, Sum, round, say};
use simulate::{Observation, Operation};

/// Mailboxes that are written, such that are only read, and one that is large, in this order.
const WRITTEN: usize = 64;
const READ: usize = 16;
const LARGE: usize = WRITTEN + READ;
/// Sites that are only read, and as many that are written.
const SITES: usize = 8;
/// Messages of a mailbox that is only read, of one that is written, of the large one; rows of a site.
const READ_MESSAGES: usize = 60;
const WRITTEN_MESSAGES: usize = 5;
const LARGE_MESSAGES: usize = 5_120;
const ROWS: usize = 50;
/// Clients that fill the large mailbox together, whose commits share transactions.
const FILLERS: usize = 16;
/// Clients where it is not said otherwise.
const CLIENTS: usize = 8;
/// Times that round trips are counted, of which the median counts.
const COUNTED: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (quick, arguments): (Vec<_>, Vec<_>) = arguments.into_iter().partition(|argument| argument == "--quick");
    let [server, figures, commit, date, machine] = arguments.as_slice() else {
        panic!("scale SERVER FIGURES COMMIT DATE MACHINE [--quick]")
    };
    let long = if quick.is_empty() { 2 } else { 1 };
    let cluster = match Postgres::start(Options {
        settings: ["shared_buffers = 512MB", "max_wal_size = 2GB", "track_wal_io_timing = on"]
            .map(str::to_owned)
            .to_vec(),
        ..Options::default()
    }) {
        Ok(cluster) => cluster,
        Err(cluster::Error::Missing(what)) => return println!("skipped: there is no {what}"),
        Err(error) => panic!("{error}"),
    };
    let folder = Folder::new().expect("a folder");
    let database = Database { url: cluster.url("bench"), cluster: &cluster };
    let mut bench = Bench {
        server: PathBuf::from(server),
        folder: &folder,
        while_: Duration::from_secs(long),
        rounds: if quick.is_empty() { 2 } else { 1 },
        database,
    };
    let measured = bench.measure();
    let figures_of = measured.figures(commit, date, machine);
    print!("{}", measured.to_text());
    fs::write(figures, figures_of.to_text()).expect("the figures are written");
}

struct Bench<'a> {
    server: PathBuf,
    folder: &'a Folder,
    while_: Duration,
    rounds: usize,
    database: Database<'a>,
}

/// A fleet of some nodes, as clients see it.
struct Front {
    nodes: usize,
    address: SocketAddr,
    running: Vec<Node>,
    /// It is there as long as this.
    _balancer: HaProxy,
}

impl Front {
    /// Has every node check and remember the passwords of so many accounts: that is no part of what is measured.
    fn log_in(&self, accounts: usize) {
        self.running.iter().for_each(|node| log_in(node.address(), accounts));
    }
}

fn log_in(node: SocketAddr, accounts: usize) {
    let mut client = Client::new(node, 0);
    for number in 0..accounts {
        client.be(number);
        sync_ids(&mut client);
    }
}

impl Bench<'_> {
    fn measure(&mut self) -> Measured {
        let url = self.database.url.clone();
        say("accounts and sites");
        self.accounts(&url, LARGE + 1);
        for number in 0..2 * SITES {
            let (owner, _) = account(0);
            self.run(&["site", "add", &Site::path(number), "--owner", &owner, "--data", &url], "");
        }
        let fronts = [1, 3].map(|nodes| self.front(&url, nodes));
        let [one, three] = &fronts;
        let ready = self.prepare(one.address);
        for front in &fronts {
            front.log_in(LARGE + 1);
        }
        self.database.settle();
        say("round trips");
        let trips = self.trips(&url, &ready);
        let mut compared = Vec::new();
        for operation in Operation::ALL {
            say(operation.name());
            let mut sums = [Sum::default(), Sum::default()];
            for _ in 0..self.rounds {
                for (front, sum) in fronts.iter().zip(&mut sums) {
                    sum.add(self.of_one(front, &ready, operation, CLIENTS));
                }
            }
            compared.push(sums);
        }
        say("one client");
        let alone = [Operation::Poll, Operation::Delta].map(|operation| self.of_one(one, &ready, operation, 1).0);
        let creates = self.creates(one, three);
        say("mixes");
        let observed = self.observed(three, &ready);
        Measured {
            trips,
            compared,
            alone,
            creates,
            observed,
            item_bytes: ready.item_bytes,
            while_seconds: self.while_.as_secs(),
            password_ms: self.password(&url, &ready),
            round_trip_ms: round_trip_ms(&self.database.cluster.authority()),
            node_mb: memory_mb("highwater", true).unwrap_or_default(),
            session_mb: memory_mb("postgres", false).unwrap_or_default(),
        }
    }

    fn run(&self, arguments: &[&str], input: &str) {
        use std::io::Write as _;
        let mut command = Command::new(&self.server);
        let mut child =
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("a pipe");
        assert!(child.wait().expect("the program").success(), "{arguments:?}");
    }

    fn accounts(&self, data: &str, count: usize) {
        for number in 0..count {
            let (user, password) = account(number);
            self.run(&["account", "add", &user, "--password-stdin", "--data", data], &password);
        }
    }

    fn node(&self, data: &str, login_cache_seconds: u32) -> Node {
        let file = self.folder.join(format!("configuration{login_cache_seconds}.toml"));
        fs::write(&file, format!("login_cache_seconds = {login_cache_seconds}\n")).expect("a file");
        let arguments = ["--data".into(), data.into(), "--config".into(), OsString::from(&file)].to_vec();
        Node::start(NodeOptions { program: self.server.clone(), arguments, ..NodeOptions::default() }).expect("a node")
    }

    fn front(&self, data: &str, count: usize) -> Front {
        let nodes: Vec<Node> = (0..count).map(|_| self.node(data, 3_600)).collect();
        let addresses: Vec<SocketAddr> = nodes.iter().map(Node::address).collect();
        let options = HaProxyOptions { check: Check::Connects, ..HaProxyOptions::default() };
        let balancer = HaProxy::start(&addresses, &options).expect("a balancer");
        Front { nodes: count, address: balancer.address(), running: nodes, _balancer: balancer }
    }

    fn prepare(&self, address: SocketAddr) -> Ready {
        say("messages and rows");
        let mut client = Client::new(address, 0);
        let written = (0..WRITTEN)
            .map(|number| {
                client.be(number);
                (number, create_messages(&mut client, WRITTEN_MESSAGES))
            })
            .collect();
        let read = (WRITTEN..LARGE).map(|number| Mailbox::prepare(&mut client, number, READ_MESSAGES)).collect();
        client.be(0);
        let sites = (0..2 * SITES).map(|number| Site::prepare(&mut client, number, ROWS)).collect();
        let before = self.database.disk_bytes();
        std::thread::scope(|scope| {
            for _ in 0..FILLERS {
                scope.spawn(|| create_messages(&mut Client::new(address, LARGE), LARGE_MESSAGES / FILLERS));
            }
        });
        let item_bytes = (self.database.disk_bytes() - before) / LARGE_MESSAGES as f64;
        client.be(LARGE);
        let mut pages = vec![None];
        while pages.len() <= LARGE_MESSAGES / PAGE {
            pages.push(Some(sync_page(&mut client, pages.last().and_then(Option::as_deref))));
        }
        pages.pop();
        Ready { read, written, sites, pages, subjects: AtomicUsize::new(0), item_bytes }
    }

    /// Round trips of each operation, those of a login that is remembered and of the transaction that writes included; and
    /// bytes of its answer.
    fn trips(&self, url: &str, ready: &Ready) -> Vec<(f64, usize)> {
        let authority = self.database.cluster.authority();
        let line = CountingLine::start(authority.parse().expect("an address"));
        let node = self.node(&url.replace(&authority, &line.address().to_string()), 3_600);
        let mut client = Client::new(node.address(), 0);
        let mut of = |operation: &Operation| {
            let mut counts: Vec<u64> = (0..COUNTED + 3)
                .map(|turn| {
                    let before = line.trips();
                    ready.ask(*operation, &mut client, 0, turn);
                    line.trips() - before
                })
                .skip(3)
                .collect();
            counts.sort_unstable();
            (counts.get(COUNTED / 2).map_or(0.0, |count| *count as f64), client.answer_bytes())
        };
        Operation::ALL.iter().map(&mut of).collect()
    }

    fn of_one(&self, front: &Front, ready: &Ready, operation: Operation, clients: usize) -> (Driven, Log) {
        let before = self.database.log();
        let driven = drive(front.address, clients, self.while_, 1, |client, number, turn| {
            ready.ask(operation, client, number, turn);
            0
        });
        (driven, self.database.log().since(&before))
    }

    fn creates(&self, one: &Front, three: &Front) -> Vec<Creates> {
        let folder = self.folder.join("embedded");
        let embedded = folder.to_str().expect("a path");
        self.accounts(embedded, WRITTEN);
        let node = self.node(embedded, 3_600);
        log_in(node.address(), WRITTEN);
        let mut all = Vec::new();
        for (clients, roots) in [(1, 1), (64, 1), (64, WRITTEN)] {
            let fronts =
                [("embedded", 1, node.address()), ("postgres", 1, one.address), ("postgres", 3, three.address)];
            for (store, nodes, address) in fronts {
                say(&format!("creates by {clients} at {roots}, {store}, {nodes} nodes"));
                let before = self.database.log();
                let driven = drive(address, clients, self.while_ * 2, 1, |client, number, turn| {
                    if turn == 0 {
                        client.be(number % roots);
                    }
                    create_messages(client, 1);
                    0
                });
                let log = match (store, clients) {
                    ("embedded", _) => Log::default(),
                    (_, 1) => self.database.log().since(&before),
                    (_, _) => self.database.log_since(&before),
                };
                all.push(Creates { store, nodes, clients, roots, driven, log });
            }
        }
        all
    }

    /// Mixed loads by known clients, which the simulation has to come near to.
    fn observed(&self, three: &Front, ready: &Ready) -> Vec<Observation> {
        let mixes: [(&str, usize, &[Operation]); 5] = [
            ("polls-of-1", 1, &[Operation::Poll]),
            ("deltas-of-4", 4, &[Operation::Delta]),
            ("reading-of-16", 16, &[Operation::Poll, Operation::Poll, Operation::Delta, Operation::Read]),
            ("mixed-of-4", 4, &[Operation::Poll, Operation::Create, Operation::Delta, Operation::Update]),
            ("mixed-of-32", 32, &[Operation::Poll, Operation::Create, Operation::Delta, Operation::Update]),
        ];
        let observe = |(name, clients, mix): (&str, usize, &[Operation])| {
            let driven = drive(three.address, clients, self.while_ * 2, mix.len(), |client, number, turn| {
                let kind = (number + turn) % mix.len();
                if let Some(operation) = mix.get(kind) {
                    ready.ask(*operation, client, number, turn);
                }
                kind
            });
            Observation {
                name: name.to_owned(),
                nodes: three.nodes as u32,
                clients: clients as u32,
                roots: clients as u64,
                mix: mix.iter().map(|operation| (*operation, 1.0)).collect(),
                cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
                foreign_cores: round(driven.usage.foreign_cores),
                per_second: round(driven.per_second()),
                p50_ms: round(driven.median_ms()),
            }
        };
        mixes.into_iter().map(observe).collect()
    }

    /// CPU of a node for checking a password, in milliseconds: polls by a node that forgets at once, less those by one that
    /// does not.
    fn password(&self, url: &str, ready: &Ready) -> f64 {
        say("passwords");
        let each = |login_cache_seconds| {
            let node = self.node(url, login_cache_seconds);
            let driven = drive(node.address(), 2, self.while_, 1, |client, number, turn| {
                ready.ask(Operation::Poll, client, number, turn);
                0
            });
            driven.each(driven.usage.nodes)
        };
        each(0) - each(3_600)
    }
}

/// Mailboxes and sites to be asked.
struct Ready {
    read: Vec<Mailbox>,
    /// Their numbers and messages.
    written: Vec<(usize, Vec<String>)>,
    sites: Vec<Site>,
    /// The states before each full page of the large mailbox.
    pages: Vec<Option<String>>,
    subjects: AtomicUsize,
    item_bytes: f64,
}

impl Ready {
    /// What client `number` asks at its turn; each has a mailbox and a site of its own, as far as there are so many.
    fn ask(&self, operation: Operation, client: &mut Client, number: usize, turn: usize) {
        let read = self.read.get(number % self.read.len()).expect("a mailbox");
        let (written, messages) = self.written.get(number % self.written.len()).expect("a mailbox");
        let is_written = usize::from(operation == Operation::ListWrite);
        let site = self.sites.get(is_written * SITES + number % SITES).expect("a site");
        client.be(match operation {
            Operation::Poll | Operation::Delta | Operation::Read => read.number,
            Operation::Create | Operation::Update => *written,
            Operation::SyncPage => LARGE,
            Operation::ListPoll | Operation::ListDelta | Operation::ListWrite => 0,
        });
        match operation {
            Operation::Poll => read.poll(client),
            Operation::Delta => read.delta(client),
            Operation::Read => read.read(client, turn),
            Operation::Create => drop(create_messages(client, 1)),
            // Another subject every time: what does not change is not written.
            Operation::Update => update(client, messages, self.subjects.fetch_add(1, Ordering::Relaxed)),
            Operation::SyncPage => {
                let state = self.pages.get((number + turn) % self.pages.len()).expect("a page");
                sync_page(client, state.as_deref());
            }
            Operation::ListPoll => site.poll(client),
            Operation::ListDelta => site.delta(client),
            Operation::ListWrite => site.add(client, turn, 1),
        }
    }
}
