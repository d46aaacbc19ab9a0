//! Damage to inputs, as networks, broken peers and attackers do it: always the same for the same seed.

use model::{Random, SeededRandom};

/// Numbers that lie about lengths and counts.
const LIES: [u32; 12] =
    [0, 1, 2, 7, 0xff, 0x7fff, 0xffff, 0x0100_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/// A source of damage.
#[derive(Debug)]
pub struct Damage(SeededRandom);

impl Damage {
    /// Damage that follows from `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// A number from 0 to `bound` - 1; 0 where that is 0.
    pub fn below(&self, bound: usize) -> usize {
        (self.0.number() % (bound.max(1) as u64)) as usize
    }

    /// That many bytes.
    pub fn noise(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    /// `input` with one to four wounds; `others` lend pieces.
    pub fn wounded(&self, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..1 + self.below(4) {
            self.wound(&mut bytes, others);
        }
        bytes
    }

    fn wound(&self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(bytes.len());
        let end = (at + 1 + self.below(24)).min(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 | 2 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            3 => {
                let lie = LIES[self.below(LIES.len())].to_le_bytes();
                for (slot, byte) in bytes.iter_mut().skip(at).zip(lie) {
                    *slot = byte;
                }
            }
            4 => drop(bytes.drain(at.min(end)..end)),
            5 => {
                let piece = bytes[at.min(end)..end].to_vec();
                let to = self.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            6 => {
                let noise = self.noise(self.below(9));
                bytes.splice(at.min(end)..end, noise);
            }
            _ => {
                if let Some(other) = others.get(self.below(others.len())) {
                    let from = self.below(other.len());
                    let piece = &other[from..(from + self.below(200)).min(other.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
        }
    }
}
