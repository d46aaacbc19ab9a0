//! Times by size, in steps of about three percent, so that a percentile of any number of them takes no memory.

/// Steps for each doubling.
const STEPS: u64 = 32;
/// Times up to 2^48 ns, more than three days.
const DOUBLINGS: u64 = 48;

/// How many times were how long.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; (STEPS * DOUBLINGS) as usize], count: 0, sum: 0.0 }
    }
}

impl Histogram {
    /// Takes a time, in nanoseconds.
    pub fn add(&mut self, nanoseconds: u64) {
        self.count += 1;
        self.sum += nanoseconds as f64;
        let place = place(nanoseconds).min(self.counts.len().saturating_sub(1));
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// Takes all that another has.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
    }

    /// How many times there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean in milliseconds; 0 where there is none.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum / self.count as f64 / 1e6 }
    }

    /// The time that `part` (0 to 1) of all do not exceed, in milliseconds, at most three percent too long; 0 where there
    /// is none.
    #[must_use]
    pub fn at_ms(&self, part: f64) -> f64 {
        let wanted = ((self.count as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        for (place, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return upper(place) / 1e6;
            }
        }
        0.0
    }
}

fn place(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return nanoseconds as usize;
    }
    let doubling = u64::from(nanoseconds.ilog2()) - u64::from(STEPS.ilog2());
    // The bits after the first say where between two doublings.
    ((doubling + 1) * STEPS + ((nanoseconds >> doubling) - STEPS)) as usize
}

fn upper(place: usize) -> f64 {
    let place = place as u64;
    if place < STEPS {
        return place as f64;
    }
    let doubling = place / STEPS - 1;
    ((place % STEPS + STEPS + 1) << doubling) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_near() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=10_000_u64 {
            histogram.add(microseconds * 1_000);
        }
        for (part, ms) in [(0.5, 5.0), (0.99, 9.9), (1.0, 10.0), (0.001, 0.01)] {
            let found = histogram.at_ms(part);
            assert!(found >= ms && found <= ms * 1.035, "{part}: {found}");
        }
        assert_eq!((histogram.count(), Histogram::default().at_ms(0.5)), (10_000, 0.0));
        assert!((histogram.mean_ms() - 5.0005).abs() < 1e-9);
    }
}
