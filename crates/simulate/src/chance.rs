//! Numbers by chance: repeatable, and computed from the four operations alone, so that every machine draws the same.

use model::{Random, SeededRandom};

/// Terms of the series of the logarithm: its argument is below 1/3, so that the last is below 1e-17.
const LOGARITHM_TERMS: u32 = 18;
/// Terms of the series of the exponential: its argument is below 0.35.
const EXPONENTIAL_TERMS: u32 = 16;
const LN_2: f64 = std::f64::consts::LN_2;

/// A seeded source of numbers.
pub(crate) struct Chance(SeededRandom);

impl Chance {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SeededRandom::new(seed))
    }

    /// From 0 to below 1, evenly.
    pub(crate) fn even(&self) -> f64 {
        (self.0.number() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of nanoseconds that is `mean` on average, distributed exponentially.
    pub(crate) fn exponential(&self, mean: f64) -> u64 {
        (-logarithm(1.0 - self.even()) * mean) as u64
    }

    /// The place of what was drawn among weights that add up to `total`.
    pub(crate) fn weighted(&self, weights: &[f64], total: f64) -> usize {
        let mut left = self.even() * total;
        for (place, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return place;
            }
        }
        weights.len().saturating_sub(1)
    }
}

/// Draws 0 to `count - 1`, where number `k` is drawn in proportion to `1 / (k + 1) ^ skew`, in constant time and memory:
/// the place is drawn from the curve's integral and taken where it falls under the step.
pub(crate) struct Zipf {
    count: f64,
    skew: f64,
    low: f64,
    high: f64,
}

impl Zipf {
    /// Of at least one; `skew` is 0 for evenly drawn ones.
    pub(crate) fn new(count: u64, skew: f64) -> Self {
        let count = count.max(1) as f64;
        let mut this = Self { count, skew, low: 0.0, high: 0.0 };
        // The first step is taken whole.
        this.low = this.integral(1.5) - 1.0;
        this.high = this.integral(count + 0.5);
        this
    }

    pub(crate) fn draw(&self, chance: &Chance) -> u64 {
        /// Draws that fall above the step; each does with a chance far below one half.
        const TRIES_MAX: usize = 64;
        for _ in 0..TRIES_MAX {
            let drawn = self.high + chance.even() * (self.low - self.high);
            let at = self.inverse(drawn);
            let place = (at + 0.5).floor().clamp(1.0, self.count);
            if drawn >= self.integral(place + 0.5) - self.weight(place) {
                return place as u64 - 1;
            }
        }
        0
    }

    /// The part of all draws that goes to the first.
    #[cfg(test)]
    pub(crate) fn first(&self) -> f64 {
        let rest: f64 = (1..=self.count as u64).map(|place| self.weight(place as f64)).sum();
        1.0 / rest
    }

    fn weight(&self, at: f64) -> f64 {
        power(at, -self.skew)
    }

    fn integral(&self, at: f64) -> f64 {
        let rest = 1.0 - self.skew;
        if rest.abs() < 1e-9 { logarithm(at) } else { (power(at, rest) - 1.0) / rest }
    }

    fn inverse(&self, of: f64) -> f64 {
        let rest = 1.0 - self.skew;
        if rest.abs() < 1e-9 { exponential(of) } else { power((1.0 + of * rest).max(1e-300), 1.0 / rest) }
    }
}

fn power(base: f64, exponent: f64) -> f64 {
    exponential(logarithm(base) * exponent)
}

/// The natural logarithm of what is above 0.
fn logarithm(of: f64) -> f64 {
    let of = of.max(f64::MIN_POSITIVE);
    let bits = of.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1_023;
    let mantissa = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 1_023 << 52);
    // 2 artanh((m - 1) / (m + 1)) for m from 1 to 2.
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let mut sum = 0.0;
    for term in (0..LOGARITHM_TERMS).rev() {
        sum = sum * square + 1.0 / f64::from(2 * term + 1);
    }
    2.0 * ratio * sum + f64::from(exponent) * LN_2
}

fn exponential(of: f64) -> f64 {
    let of = of.clamp(-700.0, 700.0);
    let twos = (of / LN_2 + 0.5).floor();
    let rest = of - twos * LN_2;
    let mut sum = 1.0;
    for term in (1..=EXPONENTIAL_TERMS).rev() {
        sum = 1.0 + sum * rest / f64::from(term);
    }
    sum * f64::from_bits(((twos as i64 + 1_023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_agree_with_the_library() {
        for of in [1e-9, 0.1, 0.5, 1.0, 1.5, 1.999, 2.0, 3.0, 1e6, 1e12] {
            assert!((logarithm(of) - f64::ln(of)).abs() < 1e-12 * f64::ln(of).abs().max(1.0), "{of}");
        }
        for of in [-50.0, -1.0, -0.3, 0.0, 0.1, 1.0, 20.0] {
            assert!((exponential(of) / f64::exp(of) - 1.0).abs() < 1e-12, "{of}");
        }
    }

    #[test]
    fn exponential_waits_have_their_mean() {
        let chance = Chance::new(7);
        let drawn: Vec<f64> = (0..100_000).map(|_| chance.exponential(1e6) as f64).collect();
        let mean = drawn.iter().sum::<f64>() / drawn.len() as f64;
        let over = drawn.iter().filter(|drawn| **drawn > 1e6).count() as f64 / drawn.len() as f64;
        assert!((mean / 1e6 - 1.0).abs() < 0.02, "{mean}");
        assert!((over - f64::exp(-1.0)).abs() < 0.01, "{over}");
    }

    #[test]
    fn ranks_are_drawn_by_their_weight() {
        for (count, skew) in [(1, 1.0), (10, 0.0), (1_000, 0.5), (1_000, 1.0), (50_000, 1.2)] {
            let (zipf, chance) = (Zipf::new(count, skew), Chance::new(3));
            let mut drawn = vec![0_u32; count as usize];
            let draws = 200_000;
            for _ in 0..draws {
                drawn[zipf.draw(&chance) as usize] += 1;
            }
            let first = f64::from(drawn[0]) / f64::from(draws);
            assert!((first / zipf.first() - 1.0).abs() < 0.05, "{count} {skew}: {first} for {}", zipf.first());
            if let Some(third) = drawn.get(2) {
                let third = f64::from(*third) / f64::from(drawn[0]);
                assert!((third / f64::powf(3.0, -skew) - 1.0).abs() < 0.15, "{count} {skew}: {third}");
            }
        }
    }
}
