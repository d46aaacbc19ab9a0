//! The components do what tests of the program rely on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, missing_docs, reason = "a test")]

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use cluster::{
    Check, HaProxy, HaProxyOptions, Node, NodeOptions, Options, Postgres, Replication, Weather, Wire, or_skip,
    process::{Folder, Launch, Process, Signal},
    shared,
};

#[test]
fn schemas_are_apart() {
    let Some(postgres) = or_skip(shared(), "schemas_are_apart") else { return };
    let [one, other] = [postgres.fresh_url(), postgres.fresh_url()];
    postgres.sql_at(&one, "CREATE TABLE here (x int); INSERT INTO here VALUES (1), (2)").unwrap();
    assert_eq!(postgres.sql_at(&one, "SELECT x FROM here ORDER BY x").unwrap(), "1\n2");
    assert!(postgres.sql_at(&other, "SELECT x FROM here").unwrap_err().to_string().contains("does not exist"));
    assert_eq!(postgres.url("again"), postgres.url("again"));
}

#[test]
fn what_was_committed_outlives_kills_and_restarts() {
    let test = "what_was_committed_outlives_kills_and_restarts";
    let Some(postgres) = or_skip(Postgres::start(Options::default()), test) else { return };
    let url = postgres.url("kept");
    postgres.sql_at(&url, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)").unwrap();
    postgres.kill().unwrap();
    assert!(postgres.sql("SELECT 1").is_err());
    postgres.restart().unwrap();
    postgres.sql_at(&url, "INSERT INTO kept VALUES (2)").unwrap();
    postgres.stop_fast().unwrap();
    assert!(postgres.sql("SELECT 1").is_err());
    postgres.restart().unwrap();
    assert_eq!(postgres.sql_at(&url, "SELECT count(*) FROM kept").unwrap(), "2");
    assert_eq!(postgres.terminate_backends().unwrap(), 0);
}

#[test]
fn a_synchronous_standby_takes_over_with_everything() {
    let test = "a_synchronous_standby_takes_over_with_everything";
    let Some(primary) = or_skip(Postgres::start(Options::default()), test) else { return };
    let url = primary.url("kept");
    primary.sql_at(&url, "CREATE TABLE kept (x int)").unwrap();
    let standby = primary.standby(Replication::Synchronous).unwrap();
    primary.sql_at(&url, "INSERT INTO kept VALUES (1)").unwrap();
    assert!(standby.sql("CREATE TABLE no (x int)").unwrap_err().to_string().contains("read-only"));
    primary.kill().unwrap();
    standby.promote().unwrap();
    let url = Postgres::url_of_any([&primary, &standby], "kept");
    assert_eq!(standby.sql_at(&url, "INSERT INTO kept VALUES (2); SELECT count(*) FROM kept").unwrap(), "2");
    // And so on, with the next one.
    let next = standby.standby_at(primary.into_port(), Replication::Synchronous).unwrap();
    standby.sql_at(&url, "INSERT INTO kept VALUES (3)").unwrap();
    standby.kill().unwrap();
    next.promote().unwrap();
    assert_eq!(next.sql_at(&url, "SELECT count(*) FROM kept").unwrap(), "3");
}

#[test]
fn an_asynchronous_standby_loses_what_it_did_not_get() {
    let test = "an_asynchronous_standby_loses_what_it_did_not_get";
    let Some(primary) = or_skip(Postgres::start(Options::default()), test) else { return };
    let url = primary.url("kept");
    primary.sql_at(&url, "CREATE TABLE kept (x int); INSERT INTO kept VALUES (1)").unwrap();
    let standby = primary.standby(Replication::Asynchronous).unwrap();
    standby.disconnect_from_primary().unwrap();
    primary.sql_at(&url, "INSERT INTO kept VALUES (2)").unwrap();
    primary.kill().unwrap();
    standby.promote().unwrap();
    assert_eq!(standby.sql_at(&standby.url_of("kept"), "SELECT x FROM kept").unwrap(), "1");
}

#[test]
fn a_disk_fills_and_empties() {
    let options = Options { disk_mib: Some(128), ..Options::default() };
    let Some(postgres) = or_skip(Postgres::start(options), "a_disk_fills_and_empties") else { return };
    let url = postgres.url("full");
    postgres.sql_at(&url, "CREATE TABLE full_ (x text)").unwrap();
    let write = "INSERT INTO full_ SELECT string_agg(md5(random()::text), '') \
        FROM generate_series(1, 400000) AS n GROUP BY n % 4000";
    postgres.fill_disk().unwrap();
    let refused = postgres.sql_at(&url, write).unwrap_err().to_string();
    assert!(refused.contains("No space left") || refused.contains("server closed"), "{refused}");
    postgres.free_disk().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while postgres.sql_at(&url, "INSERT INTO full_ VALUES ('x')").is_err() {
        assert!(Instant::now() < until, "{}", postgres.log_end());
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// A server of HTTP that answers its number; with the number of its listener at first.
fn numbered(number: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut piece = [0; 4_096];
                while matches!(client.read(&mut piece), Ok(1..)) {
                    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                    let _ = client.write_all(answer.as_bytes());
                }
            });
        }
    });
    address
}

fn get(socket: &mut TcpStream) -> String {
    socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = [0; 4_096];
    let count = socket.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

#[test]
fn one_connection_is_spread_over_all_nodes() {
    let nodes = [0, 1, 2].map(numbered);
    for check in [Check::Connects, Check::Answers("/readyz".into())] {
        let options = HaProxyOptions { check, ..HaProxyOptions::default() };
        let Some(proxy) = or_skip(HaProxy::start(&nodes, &options), "one_connection_is_spread_over_all_nodes") else {
            return;
        };
        assert_eq!(proxy.nodes_up().unwrap(), 3);
        let mut socket = TcpStream::connect(proxy.address()).unwrap();
        let mut said: Vec<_> = (0..6).map(|_| get(&mut socket).chars().last().unwrap()).collect();
        said.sort_unstable();
        assert_eq!(said, ['0', '0', '1', '1', '2', '2']);
        proxy.cut().unwrap();
    }
}

#[test]
fn a_line_goes_bad_and_good_again() {
    let wire = Wire::start(numbered(7)).unwrap();
    let mut socket = TcpStream::connect(wire.address()).unwrap();
    assert!(get(&mut socket).ends_with('7'));
    wire.set(Weather::Late(Duration::from_millis(300))).unwrap();
    let begin = Instant::now();
    assert!(get(&mut socket).ends_with('7'));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    wire.set(Weather::Silent).unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut piece = [0; 100];
    assert!(socket.read(&mut piece).is_err());
    wire.set(Weather::Fair).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(socket.read(&mut piece).unwrap() > 0);
    wire.set(Weather::Refusing).unwrap();
    assert_eq!(socket.read(&mut piece).unwrap_or_default(), 0);
    assert!(TcpStream::connect(wire.address()).is_err());
    wire.set(Weather::Fair).unwrap();
    assert!(get(&mut TcpStream::connect(wire.address()).unwrap()).ends_with('7'));
}

#[test]
fn an_end_is_seen_with_its_code() {
    let folder = Folder::new().unwrap();
    let start = |script: &str| {
        let command = ["sh", "-c", script].map(Into::into).to_vec();
        let (environment, log) = (vec![("X".into(), "y".into())], folder.join("log"));
        Process::start(&Launch { what: script.to_owned(), command, environment, log, last: Signal::Kill }).unwrap()
    };
    let patience = Duration::from_secs(10);
    let mut process = start("echo is $X; echo complains >&2; exit 3");
    assert_eq!(process.line("is ", patience).unwrap(), "y");
    assert_eq!(process.wait(patience), Some(3));
    assert!(process.line("never", patience).unwrap_err().to_string().contains("complains"));
    let mut process = start("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    process.line("ready", patience).unwrap();
    assert!(process.runs());
    assert_eq!(process.end(Signal::Terminate), Ok(5));
    let mut process = start("exec sleep 1000");
    assert_eq!(process.end(Signal::Kill), Ok(128 + 9));
}

#[test]
fn a_clock_is_ahead() {
    let folder = Folder::new().unwrap();
    // Takes what a node is given, and says what its clock does.
    let program = folder.join("program");
    std::fs::write(&program, "#!/bin/sh\necho listening on $(date +%s)\nexec sleep 1000\n").unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let at = |clock_ahead_seconds| {
        let program = program.clone();
        Node::start(NodeOptions { program, clock_ahead_seconds, ..NodeOptions::default() }).map(|node| {
            let time: i64 = node.said("listening on ").unwrap().parse().unwrap();
            time
        })
    };
    let Some(ahead) = or_skip(at(300), "a_clock_is_ahead") else { return };
    let (now, behind) = (at(0).unwrap(), at(-240).unwrap());
    assert!((295..=305).contains(&(ahead - now)) && (235..=245).contains(&(now - behind)), "{ahead} {now} {behind}");
}

/// Not a test: what [`all_ends_with_a_killed_maker`] starts as a process of its own, and kills.
#[test]
#[ignore = "others start it"]
fn maker() {
    let postgres = Postgres::start(Options::default()).unwrap();
    let folder = postgres.sql("SHOW data_directory").unwrap();
    let number = postgres.sql("SELECT pg_backend_pid()").unwrap();
    println!("made {folder} {number} {}", postgres.authority());
    loop {
        std::thread::park();
    }
}

#[test]
fn all_ends_with_a_killed_maker() {
    if or_skip(shared(), "all_ends_with_a_killed_maker").is_none() {
        return;
    }
    let mut maker = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "maker", "--nocapture", "--ignored"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = maker.stdout.take().unwrap();
    let mut piece = [0; 1_000];
    while !said.contains("made ") || !said.ends_with('\n') {
        let count = out.read(&mut piece).unwrap();
        assert!(count > 0, "{said}");
        said += std::str::from_utf8(&piece[..count]).unwrap();
    }
    let words: Vec<_> = said.split_once("made ").unwrap().1.split_whitespace().collect();
    assert!(Path::new(words[0]).exists() && TcpStream::connect(words[2]).is_ok());
    maker.kill().unwrap();
    maker.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while Path::new(words[0]).parent().unwrap().exists() || TcpStream::connect(words[2]).is_ok() {
        assert!(Instant::now() < until, "{said}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
