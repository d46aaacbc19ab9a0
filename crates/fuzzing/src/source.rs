//! Choices out of bytes, so that a fuzzer that changes bytes changes choices.

/// Choices that follow from bytes; behind their end all are zero.
#[derive(Clone, Debug)]
pub struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    /// Choices that follow from `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all that follows is zero.
    pub const fn is_spent(&self) -> bool {
        self.0.is_empty()
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        let taken = N.min(self.0.len());
        array[..taken].copy_from_slice(&self.0[..taken]);
        self.0 = &self.0[taken..];
        array
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// A number from 0 to `bound` - 1; `bound` is from 1 to 65 536.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound <= 256 {
            usize::from(self.byte()) % bound
        } else {
            usize::from(u16::from_le_bytes(self.array())) % bound
        }
    }

    /// True in one of `bound` cases; never where the bytes are spent.
    pub fn one_in(&mut self, bound: usize) -> bool {
        !self.is_spent() && self.below(bound) == bound - 1
    }

    /// One of `choices`, which are not empty.
    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[self.below(choices.len())]
    }
}
