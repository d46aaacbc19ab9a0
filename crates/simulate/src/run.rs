//! The run: events in the order of their time, and what each of them sets going.

mod commits;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use crate::{
    Answer, Event, Figures, Fleet, Histogram, Operation, Part, Report, Scenario,
    chance::{Chance, Zipf},
    load,
    queue::Queue,
    scenario::Kind,
    slots::Slots,
    writes::{Gathering, Group, Log, Rows},
};

/// The part of a run that is not counted.
const WARM_UP: f64 = 0.1;
/// After how long a client repeats what failed, and what was refused, in nanoseconds.
const REPEAT_FAILED: f64 = 1e9;
const REPEAT_REFUSED: f64 = 10e9;
/// Numbers of sites begin here.
const FIRST_SITE: u64 = 1 << 40;
/// Events between two calls of the progress.
const PROGRESS_EVENTS: u64 = 1 << 14;

/// Runs a scenario. `progress` is told how far it is, from 0 to 1. The same `seed` gives the same report.
pub fn simulate(
    figures: &Figures,
    fleet: &Fleet,
    scenario: &Scenario,
    seed: u64,
    progress: &mut dyn FnMut(f64),
) -> Report {
    let mut run = Run::new(figures, fleet, scenario, seed);
    let mut done = 0_u64;
    while let Some(Reverse((at, _, what))) = run.events.pop() {
        if at > run.end {
            break;
        }
        run.now = at;
        run.happens(what);
        done += 1;
        if done.is_multiple_of(PROGRESS_EVENTS) {
            progress(at as f64 / run.end as f64);
        }
    }
    run.now = run.end;
    progress(1.0);
    run.report()
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The next request of an open source.
    Arrival(usize),
    /// All clients of a closed source begin.
    Begin(usize),
    /// A request is repeated.
    Again(usize),
    /// A wait ends.
    Go(Who),
    /// A core has done its work.
    Computed(usize, Who),
    Synced,
    Counting,
    Befalls(usize),
}

/// Who has places, computes and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Job(usize),
    Group(usize),
}

struct Job {
    operation: Operation,
    root: u64,
    node: usize,
    /// Of the node, when it took the request on.
    life: u32,
    arrived: u64,
    step: Step,
    trips_left: u32,
    commits_left: u32,
    /// Pages that follow.
    pages_left: u32,
    /// The closed source that it comes from.
    source: Option<usize>,
}

/// What a request does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// It has come to the balancer.
    Come,
    /// A node takes it on.
    Admit,
    /// Its login is looked up.
    Know,
    /// Its password is to be checked.
    Check,
    /// It is checked.
    Checked,
    /// It is read.
    Parse,
    /// It needs the database.
    Session,
    /// It has a session: a round trip begins.
    Trip,
    /// The question is there.
    Query,
    /// The database has answered.
    Queried,
    /// It has something to write.
    Write,
    /// The answer is written.
    Reply,
    /// The client has it.
    End,
}

struct Node {
    is_there: bool,
    /// How often it was lost: what it did before does not come back.
    life: u32,
    requests: Queue<usize>,
    checks: Queue<usize>,
    readers: Queue<usize>,
    writers: Queue<usize>,
}

struct Run<'a> {
    figures: &'a Figures,
    fleet: &'a Fleet,
    scenario: &'a Scenario,
    chance: Chance,
    mailboxes: Zipf,
    sites: Zipf,
    now: u64,
    end: u64,
    counted_from: u64,
    order: u64,
    events: BinaryHeap<Reverse<(u64, u64, What)>>,
    jobs: Slots<Job>,
    groups: Slots<Group>,
    /// Of the nodes, in their order, and of the database; one alone where all share a machine.
    cores: Vec<Queue<(Who, u64)>>,
    nodes: Vec<Node>,
    turn: usize,
    /// The part of requests whose login is not remembered.
    unremembered: f64,
    walked: u64,
    gathering: HashMap<(usize, u64), Gathering>,
    rows: Rows,
    log: Log,
    times: Vec<Histogram>,
    failed: u64,
    refused: u64,
    commits: u64,
    transactions: u64,
}

impl<'a> Run<'a> {
    fn new(figures: &'a Figures, fleet: &'a Fleet, scenario: &'a Scenario, seed: u64) -> Self {
        let cores = match fleet.together {
            Some(machine) => vec![Queue::new(machine.cores)],
            None => (0..fleet.nodes)
                .map(|_| Queue::new(fleet.node_cores))
                .chain([Queue::new(fleet.database_cores)])
                .collect(),
        };
        let node = |_| Node {
            is_there: true,
            life: 0,
            requests: Queue::new(fleet.requests_max),
            checks: Queue::new(fleet.password_checks_max),
            readers: Queue::new(fleet.readers),
            writers: Queue::new(fleet.writers),
        };
        let end = (scenario.seconds * 1e9) as u64;
        let mut run = Self {
            figures,
            fleet,
            scenario,
            chance: Chance::new(seed),
            mailboxes: Zipf::new(scenario.mailboxes, load::MAILBOX_SKEW),
            sites: Zipf::new(load::sites(scenario.mailboxes), load::SITE_SKEW),
            now: 0,
            end,
            counted_from: 0,
            order: 0,
            events: BinaryHeap::new(),
            jobs: Slots::default(),
            groups: Slots::default(),
            cores,
            nodes: (0..fleet.nodes).map(node).collect(),
            turn: 0,
            unremembered: scenario.per_second().map_or(0.0, |rate| fleet.unremembered(scenario.mailboxes as f64, rate)),
            walked: 0,
            gathering: HashMap::new(),
            rows: Rows::default(),
            log: Log::default(),
            times: vec![Histogram::default(); Operation::ALL.len()],
            failed: 0,
            refused: 0,
            commits: 0,
            transactions: 0,
        };
        for (number, source) in scenario.sources.iter().enumerate() {
            let what = match source.kind {
                Kind::Open { .. } => What::Arrival(number),
                Kind::Closed { .. } => What::Begin(number),
            };
            run.at((source.from * end as f64) as u64, what);
        }
        for (number, (at, _)) in scenario.events.iter().enumerate() {
            run.at((at * end as f64) as u64, What::Befalls(number));
        }
        run.at((WARM_UP * end as f64) as u64, What::Counting);
        run
    }

    /// Events of one time happen in the order in which they were set.
    fn at(&mut self, at: u64, what: What) {
        self.order += 1;
        self.events.push(Reverse((at, self.order, what)));
    }

    fn after_ms(&mut self, ms: f64, who: Who) {
        self.at(self.now + (ms * 1e6) as u64, What::Go(who));
    }

    fn happens(&mut self, what: What) {
        match what {
            What::Arrival(source) => self.arrives(source),
            What::Begin(source) => self.begins(source),
            What::Again(job) => self.goes_on(Who::Job(job)),
            What::Go(who) => self.goes_on(who),
            What::Computed(cores, who) => {
                if let Some((next, time)) = self.cores.get_mut(cores).and_then(|queue| queue.give(self.now)) {
                    self.at(self.now + time, What::Computed(cores, next));
                }
                self.goes_on(who);
            }
            What::Synced => {
                for group in self.log.end() {
                    self.goes_on(Who::Group(group));
                }
                self.sync();
            }
            What::Counting => self.counting(),
            What::Befalls(number) => {
                if let Some((_, event)) = self.scenario.events.get(number) {
                    self.befalls(*event);
                }
            }
        }
    }

    fn arrives(&mut self, number: usize) {
        let Some(source) = self.scenario.sources.get(number) else { return };
        let Kind::Open { rates, pages } = &source.kind else { return };
        let total: f64 = rates.iter().sum();
        if total <= 0.0 || self.now as f64 >= source.to * self.end as f64 {
            return;
        }
        let place = self.chance.weighted(rates, total);
        let operation = Operation::ALL.get(place).copied().unwrap_or(Operation::Poll);
        let root = if operation.is_of_a_site() {
            FIRST_SITE + self.sites.draw(&self.chance)
        } else {
            self.mailboxes.draw(&self.chance)
        };
        let pages_left = if operation == Operation::SyncPage { pages.saturating_sub(1) } else { 0 };
        self.asks(operation, root, pages_left, None);
        let next = self.now + self.chance.exponential(1e9 / total);
        self.at(next, What::Arrival(number));
    }

    fn begins(&mut self, number: usize) {
        let Some(source) = self.scenario.sources.get(number) else { return };
        let Kind::Closed { clients, roots, .. } = source.kind else { return };
        for client in 0..u64::from(clients) {
            self.asks_closed(number, client % roots.max(1));
        }
    }

    fn asks_closed(&mut self, number: usize, root: u64) {
        let Some(source) = self.scenario.sources.get(number) else { return };
        let Kind::Closed { mix, roots, walks, .. } = &source.kind else { return };
        if self.now as f64 >= source.to * self.end as f64 {
            return;
        }
        let weights: Vec<f64> = mix.iter().map(|(_, weight)| *weight).collect();
        let place = self.chance.weighted(&weights, weights.iter().sum());
        let Some((operation, _)) = mix.get(place) else { return };
        let mut root = root;
        if *walks {
            self.walked += 1;
            root = self.walked % roots.max(&1);
        }
        self.asks(*operation, root, 0, Some(number));
    }

    fn asks(&mut self, operation: Operation, root: u64, pages_left: u32, source: Option<usize>) {
        let cost = self.figures.cost(operation);
        let job = Job {
            operation,
            root,
            node: 0,
            life: 0,
            arrived: self.now,
            step: Step::Come,
            trips_left: cost.round_trips.round() as u32,
            commits_left: cost.commits.round() as u32,
            pages_left,
            source,
        };
        let job = self.jobs.add(job);
        self.goes_on(Who::Job(job));
    }

    fn goes_on(&mut self, who: Who) {
        match who {
            Who::Job(job) => self.job_goes_on(job),
            Who::Group(group) => self.group_goes_on(group),
        }
    }

    fn job_goes_on(&mut self, number: usize) {
        let Some(job) = self.jobs.get(number) else { return };
        let (step, node, cost) = (job.step, job.node, self.figures.cost(job.operation));
        let lives = self.lives(node, job.life);
        if !lives && !matches!(step, Step::Come | Step::Admit) {
            self.fails(number);
            return;
        }
        match step {
            Step::Come => {
                self.step(number, Step::Admit);
                match self.fleet.together {
                    Some(_) => self.compute(0, Who::Job(number), self.figures.client_ms + self.figures.balancer_ms),
                    None => self.job_goes_on(number),
                }
            }
            Step::Admit => self.admit(number),
            Step::Know => {
                let known = self.chance.even() >= self.unremembered;
                self.step(number, if known { Step::Parse } else { Step::Check });
                let now = self.now;
                let checks = self.nodes.get_mut(node).map(|node| &mut node.checks);
                if known || checks.is_some_and(|checks| checks.take(now, number).is_some()) {
                    self.job_goes_on(number);
                }
            }
            Step::Check => {
                self.step(number, Step::Checked);
                self.compute(node, Who::Job(number), self.figures.password_ms);
            }
            Step::Checked => {
                self.step(number, Step::Parse);
                let now = self.now;
                if let Some(next) = self.nodes.get_mut(node).and_then(|node| node.checks.give(now)) {
                    self.job_goes_on(next);
                }
                self.job_goes_on(number);
            }
            Step::Parse => {
                self.step(number, Step::Session);
                self.compute(node, Who::Job(number), cost.node_ms / 2.0);
            }
            Step::Session => {
                if self.jobs.get(number).is_none_or(|job| job.trips_left == 0) {
                    self.step(number, Step::Write);
                    self.job_goes_on(number);
                    return;
                }
                self.step(number, Step::Trip);
                let now = self.now;
                if self.nodes.get_mut(node).and_then(|node| node.readers.take(now, number)).is_some() {
                    self.job_goes_on(number);
                }
            }
            Step::Trip => {
                self.step(number, Step::Query);
                self.after_ms(self.fleet.round_trip_ms, Who::Job(number));
            }
            Step::Query => {
                self.step(number, Step::Queried);
                // Where it writes, half of what it costs the database is in the transaction.
                let part = if cost.commits > 0.0 { 0.5 } else { 1.0 };
                let ms = cost.database_ms * part / cost.round_trips.round().max(1.0);
                self.compute(self.database(), Who::Job(number), ms);
            }
            Step::Queried => {
                let Some(job) = self.jobs.get_mut(number) else { return };
                job.trips_left = job.trips_left.saturating_sub(1);
                if job.trips_left > 0 {
                    self.step(number, Step::Trip);
                } else {
                    self.step(number, Step::Write);
                    let now = self.now;
                    if let Some(next) = self.nodes.get_mut(node).and_then(|node| node.readers.give(now)) {
                        self.job_goes_on(next);
                    }
                }
                self.job_goes_on(number);
            }
            Step::Write => {
                let Some(job) = self.jobs.get_mut(number) else { return };
                if job.commits_left == 0 {
                    self.step(number, Step::Reply);
                    self.job_goes_on(number);
                    return;
                }
                job.commits_left -= 1;
                let key = (node, job.root);
                self.gathering.entry(key).or_default().waiting.push_back(number);
                self.gather(key);
            }
            Step::Reply => {
                self.step(number, Step::End);
                self.compute(node, Who::Job(number), cost.node_ms / 2.0);
            }
            Step::End => self.ends(number),
        }
    }

    /// The balancer gives requests to the nodes that are there. In turn: to give those of a person to one node spreads many
    /// people as evenly.
    fn admit(&mut self, number: usize) {
        let count = self.nodes.len();
        let is_there = |node: &usize| self.nodes.get(*node).is_some_and(|node| node.is_there);
        let place = (self.turn + 1..=self.turn + count).map(|node| node % count.max(1)).find(is_there);
        let Some(place) = place else {
            self.fails(number);
            return;
        };
        self.turn = place;
        let (now, waiting_max) = (self.now, self.fleet.requests_waiting_max as usize);
        let Some(node) = self.nodes.get_mut(place) else { return };
        if let Some(job) = self.jobs.get_mut(number) {
            (job.node, job.life, job.step) = (place, node.life, Step::Know);
        }
        if node.requests.waiting() >= waiting_max {
            self.refused += 1;
            self.step(number, Step::Come);
            let at = now + self.chance.exponential(REPEAT_REFUSED);
            self.at(at, What::Again(number));
        } else if node.requests.take(now, number).is_some() {
            self.job_goes_on(number);
        }
    }

    fn ends(&mut self, number: usize) {
        let Some(job) = self.jobs.remove(number) else { return };
        if let Some(times) = self.times.get_mut(job.operation.place()) {
            times.add(self.now - job.arrived);
        }
        let now = self.now;
        if let Some(next) = self.nodes.get_mut(job.node).and_then(|node| node.requests.give(now)) {
            self.job_goes_on(next);
        }
        if job.pages_left > 0 {
            self.asks(job.operation, job.root, job.pages_left - 1, job.source);
        } else if let Some(source) = job.source {
            self.asks_closed(source, job.root);
        }
    }

    /// Its node is lost, or none is there: the client asks again from the beginning, and the time goes on.
    fn fails(&mut self, number: usize) {
        let Some(job) = self.jobs.get_mut(number) else { return };
        let cost = self.figures.cost(job.operation);
        job.step = Step::Come;
        (job.trips_left, job.commits_left) = (cost.round_trips.round() as u32, cost.commits.round() as u32);
        self.failed += 1;
        let at = self.now + self.chance.exponential(REPEAT_FAILED);
        self.at(at, What::Again(number));
    }

    fn sync(&mut self) {
        if let Some(time) = self.log.begin(self.fleet.fsync_ms, self.fleet.disk_mb_s) {
            self.at(self.now + time, What::Synced);
        }
    }

    fn compute(&mut self, cores: usize, who: Who, ms: f64) {
        let cores = if self.fleet.together.is_some() { 0 } else { cores };
        // What others take of a shared machine makes everything slower by as much.
        let slower = self.fleet.together.map_or(1.0, |machine| {
            let all = f64::from(machine.cores);
            all / (all - machine.foreign_cores).max(all / 10.0)
        });
        let time = self.chance.exponential(ms * 1e6 * slower);
        let now = self.now;
        let Some(queue) = self.cores.get_mut(cores) else { return };
        if let Some((who, time)) = queue.take(now, (who, time)) {
            self.at(now + time, What::Computed(cores, who));
        }
    }

    fn lives(&self, node: usize, life: u32) -> bool {
        self.nodes.get(node).is_some_and(|node| node.is_there && node.life == life)
    }

    const fn database(&self) -> usize {
        self.nodes.len()
    }

    fn step(&mut self, number: usize, step: Step) {
        if let Some(job) = self.jobs.get_mut(number) {
            job.step = step;
        }
    }

    fn befalls(&mut self, event: Event) {
        let (now, database) = (self.now, self.database());
        match event {
            Event::NodeLost => {
                let Some(node) = self.nodes.first_mut() else { return };
                node.is_there = false;
                node.life += 1;
                let mut waiting: Vec<usize> = node.requests.clear(now);
                waiting.extend(node.checks.clear(now));
                waiting.extend(node.readers.clear(now));
                let groups = node.writers.clear(now);
                self.gathering.retain(|(node, _), gathering| {
                    let stays = *node != 0;
                    if !stays {
                        waiting.extend(gathering.waiting.drain(..));
                    }
                    stays
                });
                // The map has no order, and a run must be repeatable.
                waiting.sort_unstable();
                for group in groups {
                    self.group_goes_on(group);
                }
                for job in waiting {
                    self.fails(job);
                }
            }
            Event::NodeBack => {
                if let Some(node) = self.nodes.first_mut() {
                    node.is_there = true;
                }
            }
            Event::DatabaseLost | Event::DatabaseBack => {
                let places = if event == Event::DatabaseLost { 0 } else { self.fleet.database_cores };
                let started = self.cores.get_mut(database).map(|queue| queue.resize(now, places)).unwrap_or_default();
                for (who, time) in started {
                    self.at(now + time, What::Computed(database, who));
                }
            }
        }
    }

    fn counting(&mut self) {
        let now = self.now;
        self.counted_from = now;
        self.cores.iter_mut().for_each(|queue| queue.restart(now));
        for node in &mut self.nodes {
            node.requests.restart(now);
            node.checks.restart(now);
            node.readers.restart(now);
            node.writers.restart(now);
        }
        self.rows.restart(now);
        self.log.restart();
        self.times.fill(Histogram::default());
        (self.failed, self.refused, self.commits, self.transactions) = (0, 0, 0, 0);
    }

    fn report(mut self) -> Report {
        let (now, from, fleet) = (self.now, self.counted_from, self.fleet);
        let seconds = (now - from).max(1) as f64 / 1e9;
        let mut parts = Vec::new();
        let mut part = |name, places: f64, means: Vec<(f64, f64, usize)>, grows_with_nodes, is_linear| {
            let busy: f64 = means.iter().map(|(busy, _, _)| busy).sum();
            let waiting: f64 = means.iter().map(|(_, waiting, _)| waiting).sum();
            let waiting_most = means.iter().map(|(_, _, most)| *most).max().unwrap_or_default();
            let busy = busy / places.max(1.0);
            parts.push(Part { name, busy, waiting, waiting_most, grows_with_nodes, is_linear });
        };
        let mut cores: Vec<(f64, f64, usize)> = self.cores.iter_mut().map(|queue| queue.means(now)).collect();
        let nodes = f64::from(fleet.nodes);
        match fleet.together {
            Some(machine) => part("cores of the machine", f64::from(machine.cores), cores, true, true),
            None => {
                let database = cores.pop().into_iter().collect();
                part("cores of the nodes", nodes * f64::from(fleet.node_cores), cores, true, true);
                part("cores of the database", f64::from(fleet.database_cores), database, false, true);
            }
        }
        let requests = self.nodes.iter_mut().map(|node| node.requests.means(now)).collect();
        let checks = self.nodes.iter_mut().map(|node| node.checks.means(now)).collect();
        let readers = self.nodes.iter_mut().map(|node| node.readers.means(now)).collect();
        let writers = self.nodes.iter_mut().map(|node| node.writers.means(now)).collect();
        part("requests of the nodes", nodes * f64::from(fleet.requests_max), requests, true, false);
        part("checks of passwords", nodes * f64::from(fleet.password_checks_max), checks, true, true);
        part("sessions that read", nodes * f64::from(fleet.readers), readers, true, true);
        part("sessions that write", nodes * f64::from(fleet.writers), writers, true, false);
        let time = (now - from).max(1) as f64;
        let disk = self.log.bytes / (fleet.disk_mb_s * 1e6) / seconds;
        part("disk of the log", 1.0, vec![(disk, 0.0, 0)], false, true);
        let syncing = (self.log.busy_time / time).min(1.0);
        part("syncs of the log", 1.0, vec![(syncing, 0.0, self.log.waiting_most)], false, false);
        let row = self.rows.busiest(from, now).min(1.0);
        part("the busiest root's row", 1.0, vec![(row, 0.0, self.rows.waiting_most)], false, false);
        let answers = Operation::ALL.into_iter().zip(self.times);
        Report {
            scenario: self.scenario.name,
            about: self.scenario.about.clone(),
            mailboxes: self.scenario.mailboxes,
            seconds,
            answers: answers
                .filter(|(_, times)| times.count() > 0)
                .map(|(operation, times)| Answer { operation, times })
                .collect(),
            parts,
            failed: self.failed,
            refused: self.refused,
            commits: self.commits,
            groups: self.transactions,
            syncs: self.log.syncs,
            log_bytes: self.log.bytes,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
