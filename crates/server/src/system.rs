//! The real clock and the real source of chance: the only place where either is asked for.

use model::{Clock, Random, Time};

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// The random source of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is where the time comes in")]
    fn now(&self) -> Time {
        let stamp = jiff::Timestamp::now();
        let ticks = i64::from(stamp.subsec_nanosecond()).div_euclid(100);
        Time(Time::from_unix(stamp.as_second()).0 + ticks)
    }
}

impl Random for SystemRandom {
    #[expect(clippy::expect_used, reason = "without chance there are no secrets, so going on would be worse")]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_chance_are_real() {
        assert!(SystemClock.now() > Time::from_date(2025, 1, 1));
        assert_ne!(SystemRandom.guid(), SystemRandom.guid());
    }
}
