//! What is said to those who watch the server, and how it ends beside those who spread requests over several.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use engine::Engine;
use highwater::{Config, Metrics, Running, Server, system};
use store::{
    faulty::{Faulty, ReadFault},
    memory::MemoryStore,
};

const WAIT: Duration = Duration::from_secs(20);
/// How long an answer of /readyz holds.
const HELD_MILLISECONDS: u64 = 250;

fn config() -> Config {
    Config { listen: SocketAddr::from(([127, 0, 0, 1], 0)), drain_lead_seconds: 0, ..Config::default() }
}

fn start(config: &Config) -> (Running, Arc<Faulty<MemoryStore>>) {
    let store = Arc::new(Faulty::new(MemoryStore::new(1)));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (clock, random) = (Arc::new(system::SystemClock), Arc::new(system::SystemRandom));
    let engine = runtime.block_on(Engine::open(store.clone(), clock, random, config.engine())).unwrap();
    (Server::start(config, &engine).unwrap(), store)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream
}

/// Asks on a connection, and gives what comes up to the end of the answer or of the connection.
fn ask(stream: &mut TcpStream, path: &str) -> String {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
    let (mut answer, mut buffer) = (String::new(), [0; 4_096]);
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
        let whole = answer.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            length.is_some_and(|length| length.parse() == Ok(body.len()))
        });
        if whole {
            break;
        }
    }
    answer
}

/// Status and body.
fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let answer = ask(&mut connect(address), path);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn alive_whatever_the_store_does_and_ready_only_with_it() {
    let (running, store) = start(&config());
    let ask = |path| get(running.address(), path);
    let until = |status| {
        let begun = Instant::now();
        loop {
            match ask("/readyz") {
                answer if answer.0 == status => return answer.1,
                answer => assert!(begun.elapsed() < WAIT, "{answer:?}"),
            }
        }
    };
    assert_eq!(ask("/readyz"), (200, "ready\n".to_owned()));
    (0..10_000).for_each(|skip| store.fail_read(skip, ReadFault::TryAgain));
    assert_eq!(until(503), "store: cannot be used\n");
    assert_eq!(ask("/healthz"), (200, "ok\n".to_owned()));
    // Whoever asks in a hurry costs the store little.
    let (begun, before) = (Instant::now(), store.injected());
    (0..50).for_each(|_| assert_eq!(ask("/readyz").0, 503));
    let looks = begun.elapsed().as_millis() as u64 / HELD_MILLISECONDS + 1;
    assert!(store.injected() - before <= looks, "{} {looks}", store.injected() - before);
    store.heal();
    assert_eq!(until(200), "ready\n");
}

#[test]
fn it_says_that_it_leaves_before_it_stops_to_listen() {
    let (running, _) = start(&Config { drain_lead_seconds: 2, ..config() });
    let address = running.address();
    let mut kept = connect(address);
    assert!(ask(&mut kept, "/readyz").starts_with("HTTP/1.1 200"));
    let begun = Instant::now();
    let ending = std::thread::spawn(move || running.shutdown());
    while get(address, "/readyz").0 == 200 {
        assert!(begun.elapsed() < WAIT);
    }
    assert_eq!(get(address, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(get(address, "/healthz").0, 200);
    // It answers, and asks for no more on this connection.
    let answer = ask(&mut kept, "/EWS/Exchange.asmx");
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert_eq!(kept.read(&mut [0; 1]).unwrap(), 0);
    assert!(begun.elapsed() < Duration::from_secs(2), "all of this was asked before the server stopped to listen");
    assert!(ending.join().unwrap());
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn connections_beyond_the_limit_wait_for_a_place() {
    let (running, _) = start(&Config { connections_max: 2, ..config() });
    let mut held = [connect(running.address()), connect(running.address())];
    held.iter_mut().for_each(|stream| assert!(ask(stream, "/healthz").starts_with("HTTP/1.1 200")));
    let mut third = connect(running.address());
    third.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert_eq!(ask(&mut third, "/healthz"), "");
    third.set_read_timeout(Some(WAIT)).unwrap();
    let [first, second] = held;
    drop(first);
    let mut answer = [0; 12];
    third.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    drop(second);
}

#[test]
fn figures_are_told_on_an_address_of_their_own() {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config { metrics_listen: Some(anywhere), background_work: false, ..config() };
    let store = Arc::new(MemoryStore::new(1));
    let metrics = Arc::new(Metrics::new());
    let measured = metrics.measure(store, Duration::from_secs(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (clock, random) = (Arc::new(system::SystemClock), Arc::new(system::SystemRandom));
    let engine = runtime.block_on(Engine::open(measured, clock, random, config.engine())).unwrap();
    let running = Server::start_measured(&config, &engine, &std::env::temp_dir(), metrics).unwrap();
    let watching = running.metrics_address().unwrap();
    // Whoever may use the server is not told.
    assert_eq!(get(running.address(), "/metrics").0, 401);
    let mut kept = connect(running.address());
    ask(&mut kept, "/healthz");
    let (status, text) = get(watching, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "highwater_requests_total{protocol=\"plain\",operation=\"GET\",status=\"401\"} 1",
        "highwater_requests_total{protocol=\"plain\",operation=\"GET\",status=\"200\"} 1",
        "highwater_requests_working 0",
        "highwater_draining 0",
        "highwater_lease{work=\"trim\"} 1",
        "highwater_store_rows_total{call=\"commit\"} 7",
        "# TYPE highwater_store_seconds histogram",
    ] {
        assert!(text.lines().any(|have| have == line), "{line}\n{text}");
    }
    let connections = text.lines().find_map(|line| line.strip_prefix("highwater_connections "));
    assert!(connections.is_some_and(|number| number != "0"), "{text}");
    assert_eq!(get(watching, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(watching, "/EWS/Exchange.asmx").0, 404);
}
