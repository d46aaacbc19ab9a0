//! Clients that ask without a pause for a while.

use std::{
    net::SocketAddr,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use simulate::Histogram;

use super::{Client, Gauge, Usage};

/// What a while of load was.
#[derive(Clone, Debug)]
pub struct Driven {
    /// Requests that ended in it.
    pub count: u64,
    /// All requests, those before and after the counted time too: what the log of the database grew by.
    pub asked: u64,
    /// Seconds.
    pub seconds: f64,
    /// How long requests took, by what was asked.
    pub times: Vec<Histogram>,
    /// What processes used meanwhile.
    pub usage: Usage,
}

impl Driven {
    /// Requests a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.count as f64 / self.seconds
    }

    /// The mean of the medians of what was asked, by how often.
    #[must_use]
    pub fn median_ms(&self) -> f64 {
        let sum: f64 = self.times.iter().map(|times| times.at_ms(0.5) * times.count() as f64).sum();
        sum / self.count.max(1) as f64
    }

    /// Milliseconds of CPU for a request.
    #[must_use]
    pub fn each(&self, seconds: f64) -> f64 {
        seconds * 1e3 / self.count.max(1) as f64
    }
}

/// Has `clients` ask at `address` for so long. `ask` is given the number of the client and of its request, and answers which
/// of `kinds` kinds it was. The first tenth is not counted.
///
/// # Panics
/// Where a client does.
pub fn drive(
    address: SocketAddr,
    clients: usize,
    length: Duration,
    kinds: usize,
    ask: impl Fn(&mut Client, usize, usize) -> usize + Sync,
) -> Driven {
    let (counting, ended) = (AtomicBool::new(false), AtomicBool::new(false));
    let begin = Barrier::new(clients + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|number| {
                let (counting, ended, begin, ask) = (&counting, &ended, &begin, &ask);
                scope.spawn(move || {
                    let mut client = Client::new(address, number);
                    let mut times = vec![Histogram::default(); kinds];
                    begin.wait();
                    let mut turn = 0;
                    while !ended.load(Ordering::Relaxed) {
                        let started = Instant::now();
                        let kind = ask(&mut client, number, turn);
                        let took = started.elapsed().as_nanos() as u64;
                        if counting.load(Ordering::Relaxed)
                            && !ended.load(Ordering::Relaxed)
                            && let Some(times) = times.get_mut(kind)
                        {
                            times.add(took);
                        }
                        turn += 1;
                    }
                    (times, turn as u64)
                })
            })
            .collect();
        begin.wait();
        wait(length / 10);
        let (gauge, started) = (Gauge::read(), Instant::now());
        counting.store(true, Ordering::Relaxed);
        wait(length);
        ended.store(true, Ordering::Relaxed);
        let (usage, seconds) = (Gauge::read().since(&gauge), started.elapsed().as_secs_f64());
        let mut all = vec![Histogram::default(); kinds];
        let mut asked = 0;
        for thread in threads {
            let (times, turns) = thread.join().expect("a client");
            asked += turns;
            all.iter_mut().zip(&times).for_each(|(all, own)| all.merge(own));
        }
        Driven { asked, count: all.iter().map(Histogram::count).sum(), seconds, times: all, usage }
    })
}

fn wait(length: Duration) {
    let until = Instant::now() + length;
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        thread::park_timeout(left);
    }
}
