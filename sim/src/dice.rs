//! Chance, from a seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::time::Duration;

#[derive(Debug, Clone)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice of their own for each use, so that one use more here changes nothing there.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&stream.to_le_bytes());
        Self(ChaCha8Rng::from_seed(bytes))
    }

    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Dice of their own, drawn from these.
    pub fn fork(&mut self) -> Self {
        Self(ChaCha8Rng::from_seed(self.seed()))
    }

    /// A number below `n`; 0 for 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // 32 random bits are enough for all that is drawn here.
        (u64::from(self.0.next_u32()) * n) >> 32
    }

    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }

    /// True once in so many times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A span between two.
    pub fn span(&mut self, least: Duration, most: Duration) -> Duration {
        let micros = |span: Duration| span.as_micros() as u64;
        let room = u128::from(micros(most).saturating_sub(micros(least))) + 1;
        // Below `room`, which came from 64 bits.
        least + Duration::from_micros(((u128::from(self.0.next_u32()) * room) >> 32) as u64)
    }

    /// A span of this mean, mostly shorter, at times much longer.
    pub fn about(&mut self, mean: Duration) -> Duration {
        // A sum of a short and a rare long part is uneven enough.
        let long = if self.one_in(4) { mean * 3 } else { mean / 2 };
        self.span(Duration::ZERO, long) + mean / 8
    }
}
