//! Several servers on one PostgreSQL database: health, work beside requests, secrets, and a database that is away.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use base64::Engine as _;
use cluster::{Node, NodeOptions, Options, Postgres, or_skip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_highwater");
const WAIT: Duration = Duration::from_secs(60);
const SECRET: &str = "a-secret-of-tests";

struct Server {
    node: Node,
    agent: ureq::Agent,
}

impl Server {
    fn start(url: &str, config: &std::path::Path) -> Self {
        let options = NodeOptions {
            program: PROGRAM.into(),
            arguments: vec!["--config".into(), config.into()],
            environment: vec![("HIGHWATER_DATA".into(), url.into())],
            ..NodeOptions::default()
        };
        let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(WAIT)).build().into();
        Self { node: Node::start(options).unwrap(), agent }
    }

    fn get(&self, url: &str, login: Option<&str>) -> (u16, Option<String>, String) {
        let mut request = self.agent.get(url);
        if let Some(login) = login {
            let pair = base64::engine::general_purpose::STANDARD.encode(login);
            request = request.header("Authorization", format!("Basic {pair}"));
        }
        let Ok(mut response) = request.call() else { return (0, None, String::new()) };
        let pause = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), pause, response.body_mut().read_to_string().unwrap_or_default())
    }

    fn path(&self, path: &str) -> (u16, Option<String>, String) {
        self.get(&format!("{}{path}", self.node.url()), None)
    }

    /// Asks until the answer has this status, and gives its body.
    fn until(&self, path: &str, status: u16) -> String {
        until(|| Some(self.path(path)).filter(|answer| answer.0 == status).map(|answer| answer.2))
    }

    /// Whether it holds this lease, as its figures say.
    fn holds(&self, work: &str) -> bool {
        self.figures().contains(&format!("highwater_lease{{work=\"{work}\"}} 1"))
    }

    fn figures(&self) -> String {
        let log = self.node.log();
        let address =
            log.lines().find_map(|line| line.split_once("figures and health on ")).unwrap().1.trim().to_owned();
        self.get(&format!("{address}/metrics"), None).2
    }
}

/// Asks again and again until there is something.
fn until<T>(ask: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < WAIT);
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

#[test]
fn servers_share_a_database_and_say_how_it_is() {
    let started = Postgres::start(Options { fsync: false, ..Options::default() });
    let Some(postgres) = or_skip(started, "servers_share_a_database_and_say_how_it_is") else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.toml");
    let settings = "metrics_listen = \"127.0.0.1:0\"\ndatabase_patience_seconds = 1\nslow_call_milliseconds = 0\ndrain_lead_seconds = 0\n";
    std::fs::write(&config, settings).unwrap();
    // The database asks for no password and takes any.
    let url = postgres.url("servers").replacen('@', &format!(":{SECRET}@"), 1);
    assert!(url.contains(SECRET), "{url}");
    let mut add = Command::new(PROGRAM)
        .args(["account", "add", "anna@example.com", "--password-stdin"])
        .env("HIGHWATER_DATA", &url)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    writeln!(add.stdin.take().unwrap(), "x").unwrap();
    assert!(add.wait().unwrap().success());

    let mut servers = [Server::start(&url, &config), Server::start(&url, &config)];
    for server in &servers {
        assert_eq!(server.until("/readyz", 200), "ready\n");
        assert_eq!(server.get(&format!("{}/", server.node.url()), Some("anna:x")).0, 200);
    }
    for what in ["transactions", "read_round_trips", "sessions_made"] {
        let line = format!("highwater_store_done_total{{what=\"{what}\"}} ");
        until(|| {
            let figures = servers[0].figures();
            let count = figures.lines().find_map(|have| have.strip_prefix(&line)).map(str::to_owned);
            count.filter(|count| count != "0")
        });
    }
    // One of them does the work beside requests.
    let holder = until(|| servers.iter().position(|server| server.holds("trim")));
    assert!(!servers[1 - holder].holds("trim"));

    postgres.stop_fast().unwrap();
    for server in &servers {
        assert_eq!(server.until("/readyz", 503), "database: cannot be used\n");
        assert_eq!(server.path("/healthz").0, 200);
        // Who cannot be looked up is told to come again, not that the password is wrong.
        let (status, pause, _) = server.get(&format!("{}/EWS/Exchange.asmx", server.node.url()), Some("anna:x"));
        assert_eq!((status, pause.as_deref()), (503, Some("5")));
    }
    postgres.restart().unwrap();
    for server in &servers {
        assert_eq!(server.until("/readyz", 200), "ready\n");
        assert_eq!(server.get(&format!("{}/", server.node.url()), Some("anna:x")).0, 200);
    }

    // One that is told to stop hands over what it does.
    let holder = until(|| servers.iter().position(|server| server.holds("trim")));
    assert_eq!(servers[holder].node.terminate().unwrap(), 0);
    until(|| servers[1 - holder].holds("trim").then_some(()));
    for server in &servers {
        assert!(!server.node.log().contains(SECRET));
    }
}
