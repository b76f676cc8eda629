//! Random numbers from a printed seed.

use std::time::{SystemTime, UNIX_EPOCH};

/// A small generator (SplitMix64): good enough for making test input, and the same everywhere.
pub struct Rng(u64);

impl Rng {
    /// A generator that gives the same numbers for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of a test run: `LINGER_SEED`, else from the clock. It is printed.
    ///
    /// # Panics
    /// If `LINGER_SEED` is not a number.
    #[must_use]
    pub fn seed() -> u64 {
        let seed = std::env::var("LINGER_SEED").map_or_else(
            |_| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64),
            |seed| seed.parse().expect("LINGER_SEED is a number"),
        );
        println!("LINGER_SEED={seed}");
        seed
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in a range that is not empty.
    pub fn within(&mut self, range: std::ops::Range<i64>) -> i64 {
        range.start + (self.bits() % (range.end - range.start) as u64) as i64
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.bits().is_multiple_of(n)
    }

    /// One of the choices, of which there must be some.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.bits() as usize % choices.len()]
    }
}
