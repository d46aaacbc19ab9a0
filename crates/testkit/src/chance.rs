//! Repeatable choices for random histories.

use model::{Random, SeededRandom};

/// A source of choices; the same seed gives the same choices.
#[derive(Debug)]
pub struct Chance(SeededRandom);

impl Chance {
    /// Choices that follow from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// A number from 0 to `bound` - 1. `bound` is at least 1.
    pub fn below(&self, bound: usize) -> usize {
        (self.0.number() % bound as u64) as usize
    }

    /// True in one of `bound` cases.
    pub fn one_in(&self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// One of `choices`, none where there are none.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> Option<&'a T> {
        if choices.is_empty() { None } else { choices.get(self.below(choices.len())) }
    }

    /// A short word of lower-case letters.
    pub fn word(&self) -> String {
        (0..3 + self.below(6)).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}
