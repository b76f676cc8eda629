//! Waits between attempts: doubling, bounded, and spread by chance.

use crate::Rng;
use crate::config::Timing;
use core::time::Duration;
use rand_core::Rng as _;

/// `min` doubled `times` times, at most `max`.
pub(crate) fn doubled(min: Duration, max: Duration, times: u32) -> Duration {
    min.saturating_mul(1u32.checked_shl(times).unwrap_or(u32::MAX)).min(max)
}

/// The wait after the n-th fault in a row: doubling from the shortest to the longest, less up to a
/// quarter so that clients of one daemon do not come all at once.
pub(crate) fn redial_wait(timing: &Timing, failures: u32, rng: &mut Rng) -> Duration {
    jittered(doubled(timing.redial_min, timing.redial_max, failures.saturating_sub(1)), rng)
}

/// Between three quarters of `span` and all of it.
pub(crate) fn jittered(span: Duration, rng: &mut Rng) -> Duration {
    span - (span / 4).mul_f64(f64::from(rng.next_u32()) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_core::SeedableRng;

    #[test]
    fn waits_double_up_to_the_longest() {
        let (min, max) = (Duration::from_millis(200), Duration::from_secs(15));
        let millis = |times| doubled(min, max, times).as_millis();
        assert_eq!([millis(0), millis(1), millis(6), millis(7), millis(99)], [200, 400, 12800, 15000, 15000]);
        let mut rng = Rng::from_seed([1; 32]);
        for _ in 0..100 {
            let span = jittered(max, &mut rng);
            assert!(span <= max && span >= max * 3 / 4, "{span:?}");
        }
    }
}
