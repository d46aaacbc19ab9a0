//! A number of places, and those who wait for one in the order in which they came: cores, sessions, requests.

use std::collections::VecDeque;

/// See the module. `T` is who waits.
pub(crate) struct Queue<T> {
    places: u32,
    taken: u32,
    waiting: VecDeque<T>,
    waiting_most: usize,
    since: u64,
    taken_time: f64,
    waiting_time: f64,
    started: u64,
}

impl<T> Queue<T> {
    pub(crate) fn new(places: u32) -> Self {
        Self {
            places,
            taken: 0,
            waiting: VecDeque::new(),
            waiting_most: 0,
            since: 0,
            taken_time: 0.0,
            waiting_time: 0.0,
            started: 0,
        }
    }

    /// Takes a place, or waits; answers who has got one.
    pub(crate) fn take(&mut self, now: u64, who: T) -> Option<T> {
        self.count(now);
        if self.taken < self.places {
            self.taken += 1;
            return Some(who);
        }
        self.waiting.push_back(who);
        self.waiting_most = self.waiting_most.max(self.waiting.len());
        None
    }

    /// Gives a place back; answers who has got it.
    pub(crate) fn give(&mut self, now: u64) -> Option<T> {
        self.count(now);
        self.taken = self.taken.saturating_sub(1);
        self.next()
    }

    /// Changes the number of places; answers who has got one by that.
    pub(crate) fn resize(&mut self, now: u64, places: u32) -> Vec<T> {
        self.count(now);
        self.places = places;
        std::iter::from_fn(|| self.next()).collect()
    }

    /// Sends away all who wait, and takes all places back.
    pub(crate) fn clear(&mut self, now: u64) -> Vec<T> {
        self.count(now);
        self.taken = 0;
        self.waiting.drain(..).collect()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Counts from now on.
    pub(crate) fn restart(&mut self, now: u64) {
        self.count(now);
        (self.taken_time, self.waiting_time, self.started) = (0.0, 0.0, now);
        self.waiting_most = self.waiting.len();
    }

    /// Places taken and numbers waiting on average since the restart, and the most that waited.
    pub(crate) fn means(&mut self, now: u64) -> (f64, f64, usize) {
        self.count(now);
        let time = (now - self.started).max(1) as f64;
        (self.taken_time / time, self.waiting_time / time, self.waiting_most)
    }

    fn next(&mut self) -> Option<T> {
        if self.taken >= self.places {
            return None;
        }
        let who = self.waiting.pop_front()?;
        self.taken += 1;
        Some(who)
    }

    fn count(&mut self, now: u64) {
        let time = (now - self.since) as f64;
        self.taken_time += time * f64::from(self.taken);
        self.waiting_time += time * self.waiting.len() as f64;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_served() {
        let mut queue = Queue::new(1);
        assert_eq!((queue.take(0, 'a'), queue.take(0, 'b'), queue.take(10, 'c')), (Some('a'), None, None));
        assert_eq!((queue.give(20), queue.give(30), queue.give(40)), (Some('b'), Some('c'), None));
        // Busy for 40 of 50; 1 waited for 20 and another for 20.
        assert_eq!(queue.means(50), (0.8, 0.8, 2));
        assert_eq!(queue.resize(50, 0), []);
        assert_eq!((queue.take(50, 'd'), queue.waiting()), (None, 1));
        assert_eq!(queue.resize(60, 2), ['d']);
    }
}
