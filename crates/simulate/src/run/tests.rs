use super::*;
use crate::{Cost, Machine, Observation};

/// Round figures: every operation takes 1 ms of a node and 0.5 ms of the database in one round trip, and those that write
/// one commit more.
pub(crate) fn figures() -> Figures {
    let costs = Operation::ALL.map(|operation| {
        let writes = matches!(operation, Operation::Create | Operation::Update | Operation::ListWrite);
        let commits = if writes { 1.0 } else { 0.0 };
        Cost {
            node_ms: 1.0,
            database_ms: 0.5,
            round_trips: 1.0,
            commits,
            wal_bytes: 2_000.0 * commits,
            answer_bytes: 1_000.0,
        }
    });
    Figures {
        date: "2026-01-01".into(),
        commit: "none".into(),
        machine: "made up".into(),
        costs: costs.to_vec(),
        group_database_ms: 1.0,
        group_wal_bytes: 1_000.0,
        group_commits_max: 64,
        balancer_ms: 0.1,
        client_ms: 0.2,
        round_trip_ms: 0.05,
        fsync_ms: 1.0,
        password_ms: 20.0,
        node_mb: 40.0,
        session_mb: 8.0,
        item_bytes: 1_500.0,
        observed: vec![Observation {
            name: "mixed".into(),
            nodes: 3,
            clients: 8,
            roots: 64,
            mix: vec![(Operation::Poll, 3.0), (Operation::Create, 1.0)],
            cores: 2,
            foreign_cores: 0.25,
            per_second: 1_000.0,
            p50_ms: 7.5,
        }],
    }
}

/// Nothing takes time but what a test says.
fn free() -> Figures {
    let none = Cost { round_trips: 0.0, ..Cost::default() };
    Figures { costs: vec![none; Operation::ALL.len()], group_database_ms: 0.0, group_wal_bytes: 0.0, ..figures() }
}

/// Without what takes time between machines; everybody's login is remembered.
fn still(fleet: Fleet) -> Fleet {
    let fleet = Fleet { login_cache_seconds: 1e12, login_cache_max: 1e12, ..fleet };
    Fleet { round_trip_ms: 0.0, fsync_ms: 0.0, replica_ms: 0.0, disk_mb_s: 1e12, ..fleet }
}

fn set(figures: &mut Figures, operation: Operation, cost: Cost) {
    figures.costs[operation.place()] = cost;
}

fn quietly(figures: &Figures, fleet: &Fleet, scenario: &Scenario, seed: u64) -> Report {
    simulate(figures, fleet, scenario, seed, &mut |_| ())
}

fn near(found: f64, wanted: f64, part: f64) {
    assert!((found / wanted - 1.0).abs() < part, "{found} for {wanted}");
}

fn open(operation: Operation, rate: f64, seconds: f64) -> Scenario {
    let mut rates = [0.0; 9];
    rates[operation.place()] = rate;
    let kind = Kind::Open { rates, pages: 1 };
    Scenario {
        sources: vec![crate::Source { from: 0.0, to: 1.0, kind }],
        ..Scenario::closed(0, 1_000, Vec::new(), seconds)
    }
}

/// Requests that come by chance to 4 cores are busy with them and wait as the queueing theory says (Erlang's formula C).
#[test]
fn cores_are_a_queue_of_many_servers() {
    let mut figures = free();
    let cost = Cost { node_ms: 0.0, database_ms: 1.0, round_trips: 1.0, ..Cost::default() };
    set(&mut figures, Operation::Poll, cost);
    // No other queue may be in the way.
    let fleet = still(Fleet { database_cores: 4, readers: 10_000, requests_max: 10_000, ..Fleet::default() });
    let report = quietly(&figures, &fleet, &open(Operation::Poll, 3_200.0, 50.0), 1);
    near(report.per_second(), 3_200.0, 0.01);
    near(report.busy("cores of the database"), 0.8, 0.02);
    // 3.2 servers busy of 4: the chance to wait is 0.5964, the mean wait 0.5964 / (4 - 3.2) ms.
    near(report.answers[0].times.mean_ms(), 1.0 + 0.5964 / 0.8, 0.03);
    let cores = report.parts.iter().find(|part| part.name == "cores of the database").unwrap();
    near(cores.waiting, 3.2 * 0.5964 / 0.8, 0.06);
}

/// Clients without a pause: their number is the rate times the time that a request takes.
#[test]
fn clients_are_rate_times_time() {
    let figures = figures();
    for clients in [1, 8, 64] {
        let scenario = Scenario::closed(clients, 64, vec![(Operation::Poll, 3.0), (Operation::Create, 1.0)], 20.0);
        let report = quietly(&figures, &Fleet::default(), &scenario, 2);
        let time: f64 =
            report.answers.iter().map(|one| one.times.mean_ms() * one.times.count() as f64).sum::<f64>() / 1e3;
        near(time / report.seconds, f64::from(clients), 0.02);
    }
}

/// One root has one transaction at a time, which holds its row for the read, the round trip, the write, the sync and the
/// replica; what comes meanwhile goes into the next.
#[test]
fn a_root_is_written_by_one_transaction_at_a_time() {
    let mut figures = free();
    set(&mut figures, Operation::Create, Cost { commits: 1.0, ..Cost::default() });
    let fleet = Fleet { nodes: 1, ..still(Fleet::default()) };
    let fleet = Fleet { round_trip_ms: 1.0, fsync_ms: 2.0, replica_ms: 1.0, ..fleet };
    let creates = |clients, roots, fleet: &Fleet| {
        quietly(&figures, fleet, &Scenario::closed(clients, roots, vec![(Operation::Create, 1.0)], 20.0), 3)
    };
    // Alone: 1 ms there, 1 ms between, 2 ms for the sync, 1 ms for the replica.
    near(creates(1, 1, &fleet).per_second(), 200.0, 0.01);
    // Thirty-two at one root share transactions: each waits for the one under way, and then for its own.
    let shared = creates(32, 1, &fleet);
    near(shared.per_second(), 16.0 * 200.0, 0.01);
    near(shared.commits as f64 / shared.groups as f64, 16.0, 0.01);
    near(shared.at_ms(Operation::Create, 0.5), 10.0, 0.04);
    // At a root each they have transactions of their own, and share the syncs.
    let apart = creates(32, 32, &Fleet { writers: 32, ..fleet });
    assert!(apart.per_second() > 32.0 * 120.0, "{}", apart.per_second());
    assert_eq!(apart.commits, apart.groups);
    assert!(apart.syncs * 8 < apart.groups, "{} syncs of {} transactions", apart.syncs, apart.groups);
    // Two nodes at one root wait for each other: the row is never free.
    let two = creates(32, 1, &Fleet { nodes: 2, ..fleet });
    assert!(two.busy("the busiest root's row") > 0.97, "{}", two.busy("the busiest root's row"));
    near(two.groups as f64 / two.seconds, 250.0, 0.05);
}

/// Sessions are few: who has none waits.
#[test]
fn sessions_bound_what_is_asked_at_a_time() {
    let mut figures = free();
    set(&mut figures, Operation::Poll, Cost { round_trips: 2.0, ..Cost::default() });
    let fleet = Fleet { nodes: 1, readers: 2, round_trip_ms: 1.0, ..still(Fleet::default()) };
    let fleet = Fleet { round_trip_ms: 1.0, ..fleet };
    let report = quietly(&figures, &fleet, &Scenario::closed(8, 8, vec![(Operation::Poll, 1.0)], 10.0), 4);
    near(report.per_second(), 2.0 / 0.002, 0.02);
    near(report.at_ms(Operation::Poll, 0.5), 8.0, 0.05);
    near(report.busy("sessions that read"), 1.0, 0.01);
}

/// On one machine all share the cores, and what others take makes all slower.
#[test]
fn one_machine_shares_its_cores() {
    let figures = figures();
    let machine = |foreign_cores| {
        let fleet = Fleet { together: Some(Machine { cores: 2, foreign_cores }), ..still(Fleet::default()) };
        quietly(&figures, &fleet, &Scenario::closed(16, 16, vec![(Operation::Poll, 1.0)], 20.0), 5).per_second()
    };
    // 1 ms of the node, 0.5 of the database, 0.3 of client and balancer.
    near(machine(0.0), 2.0 / 0.0018, 0.03);
    near(machine(1.0), 1.0 / 0.0018, 0.03);
}

/// Passwords that are not remembered are checked, a few at a time.
#[test]
fn passwords_are_checked() {
    let mut figures = free();
    figures.password_ms = 10.0;
    let fleet = Fleet { nodes: 2, node_cores: 8, login_cache_seconds: 0.0, ..still(Fleet::default()) };
    let fleet = Fleet { login_cache_seconds: 0.0, password_checks_max: 2, ..fleet };
    // 400 a second are what two nodes with two checks at a time can do.
    let report = quietly(&figures, &fleet, &open(Operation::Poll, 320.0, 60.0), 12);
    near(report.busy("checks of passwords"), 0.8, 0.03);
    near(report.busy("cores of the nodes"), 0.2, 0.03);
    let report = quietly(&figures, &fleet, &open(Operation::Poll, 480.0, 60.0), 12);
    assert!(report.at_ms(Operation::Poll, 0.5) > 1_000.0, "{}", report.at_ms(Operation::Poll, 0.5));
    let known = Fleet { login_cache_seconds: 1e12, ..fleet };
    assert_eq!(quietly(&figures, &known, &open(Operation::Poll, 480.0, 60.0), 12).at_ms(Operation::Poll, 0.99), 0.0);
}

#[test]
fn a_lost_node_fails_what_it_had_and_the_others_go_on() {
    let figures = figures();
    let mut scenario = open(Operation::Create, 500.0, 20.0);
    let fleet = Fleet { writers: 8, login_cache_seconds: 1e12, ..Fleet::default() };
    let ordinary = quietly(&figures, &fleet, &scenario, 6);
    assert_eq!(ordinary.failed, 0);
    scenario.events = vec![(0.3, Event::NodeLost), (0.8, Event::NodeBack)];
    let lost = quietly(&figures, &fleet, &scenario, 6);
    assert!((1..50).contains(&lost.failed), "{}", lost.failed);
    near(lost.per_second(), ordinary.per_second(), 0.02);
    // All nodes of one: everything waits until it is back.
    let alone = quietly(&figures, &Fleet { nodes: 1, ..fleet }, &scenario, 6);
    near(alone.per_second(), ordinary.per_second(), 0.15);
    assert!(alone.at_ms(Operation::Create, 0.99) > 5_000.0);
}

#[test]
fn a_lost_database_is_waited_for() {
    let figures = figures();
    let mut scenario = open(Operation::Poll, 500.0, 20.0);
    scenario.events = vec![(0.3, Event::DatabaseLost), (0.4, Event::DatabaseBack)];
    let report = quietly(&figures, &still(Fleet::default()), &scenario, 7);
    near(report.per_second(), 500.0, 0.03);
    let longest = report.at_ms(Operation::Poll, 1.0);
    assert!((1_900.0..2_600.0).contains(&longest), "{longest}");
}

#[test]
fn too_many_are_refused() {
    let figures = figures();
    let fleet = Fleet { nodes: 1, node_cores: 1, requests_max: 4, requests_waiting_max: 10, ..still(Fleet::default()) };
    let report = quietly(&figures, &fleet, &open(Operation::Poll, 3_000.0, 10.0), 8);
    assert!(report.refused > 5_000, "{}", report.refused);
    near(report.busy("cores of the nodes"), 1.0, 0.1);
    assert_eq!(report.wall(false).unwrap().0, "cores of the nodes");
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let figures = figures();
    for name in Scenario::NAMES {
        let mut scenario = Scenario::named(name, 100_000, 1.0).unwrap();
        scenario.seconds = 2.0;
        let run = |seed| quietly(&figures, &Fleet::default(), &scenario, seed).to_text();
        assert_eq!(run(9), run(9), "{name}");
        assert_ne!(run(9), run(10), "{name}");
    }
    assert!(Scenario::named("holiday", 1, 1.0).is_none());
}

/// As many mailboxes as the report says fill the part that it names; a fifth fewer do not.
#[test]
fn the_wall_is_where_it_is_said_to_be() {
    let figures = figures();
    let known = Fleet { login_cache_seconds: 1e12, login_cache_max: 1e12, ..Fleet::default() };
    let fleet = Fleet { database_cores: 4, ..known };
    let peak = |mailboxes| {
        let mut scenario = Scenario::named("peak", mailboxes, 1.0).unwrap();
        scenario.seconds = 10.0;
        quietly(&figures, &fleet, &scenario, 11)
    };
    let (name, mailboxes) = peak(50_000).wall(true).unwrap();
    assert_eq!(name, "cores of the database");
    let before = peak((mailboxes * 0.8) as u64);
    let beyond = peak((mailboxes * 1.2) as u64);
    let waits = |report: &Report| report.at_ms(Operation::Poll, 0.5);
    assert!(waits(&before) < 5.0, "{}", waits(&before));
    assert!(waits(&beyond) > 100.0, "{}", waits(&beyond));
    assert!(beyond.busy(name) > 0.99, "{}", beyond.busy(name));
}
