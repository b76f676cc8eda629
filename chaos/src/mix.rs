//! A random mix: faults drawn from a seed, one after the other, until the time is over.

use crate::arena::Arena;
use crate::fault::Fault;
use crate::table::Row;
use anyhow::{Context, Result};
use linger_testbed::{Cluster, Store};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::env;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The environment variable that repeats a mix.
pub const SEED_VAR: &str = "LINGER_SEED";
/// The shortest and the longest that a fault of a mix is held, in milliseconds.
const HOLD: std::ops::Range<u64> = 100..9000;

/// A mix.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// What it is drawn from.
    pub seed: u64,
    /// How long it goes on; the fault under way then is finished.
    pub time: Duration,
}

impl Mix {
    /// A mix of the seed that [`SEED_VAR`] has, else of one from the clock.
    ///
    /// # Errors
    /// The variable is no number.
    pub fn new(time: Duration) -> Result<Self> {
        let seed = match env::var(SEED_VAR) {
            Ok(seed) => seed.parse().with_context(|| format!("{SEED_VAR}={seed} is no number"))?,
            Err(_) => SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into(),
        };
        Ok(Self { seed, time })
    }

    /// Runs it on a cluster of its own, whose OSDs keep their objects when they are killed.
    ///
    /// # Errors
    /// A fault can not be brought about, or does not heal.
    pub fn run(self) -> Result<Row> {
        println!("{SEED_VAR}={}", self.seed);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let arena = Arena::open(Cluster::builder().osds(4).store(Store::Blue))?;
        let all = Fault::mixed();
        let start = Instant::now();
        let mut faults = 0;
        while start.elapsed() < self.time {
            let fault = all[rng.next_u32() as usize % all.len()];
            let hold =
                Duration::from_millis(HOLD.start + u64::from(rng.next_u32()) % (HOLD.end - HOLD.start));
            println!("{:>6.1?} {fault} for {hold:?}", start.elapsed());
            fault.strike(&arena, hold).with_context(|| format!("{SEED_VAR}={}", self.seed))?;
            faults += 1;
        }
        arena.close(&format!("mix of {faults} faults, {SEED_VAR}={}", self.seed))
    }
}
