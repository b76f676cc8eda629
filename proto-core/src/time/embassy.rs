//! Instants of embassy-time, whose tick rate the program as a whole chooses.

use super::Timestamp;
use embassy_time::{Instant, TICK_HZ};

const MICROS_PER_SECOND: u128 = 1_000_000;

impl Timestamp {
    /// An instant of embassy's clock, in microseconds since the clock's start; parts of one are left out.
    #[must_use]
    pub fn from_embassy(instant: Instant) -> Self {
        let micros = u128::from(instant.as_ticks()) * MICROS_PER_SECOND / u128::from(TICK_HZ);
        Self(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// The first tick of embassy's clock at which this time has come, or the clock's last one.
    ///
    /// Rounding down would wake a timer up to a tick too early, and it would spin until the tick is over.
    #[must_use]
    pub fn to_embassy_deadline(self) -> Instant {
        let ticks = (u128::from(self.0) * u128::from(TICK_HZ)).div_ceil(MICROS_PER_SECOND);
        Instant::from_ticks(u64::try_from(ticks).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_seconds_are_exact_at_every_rate() {
        for secs in [0, 1, 59, 1 << 40] {
            let (time, instant) = (Timestamp(secs * 1_000_000), Instant::from_ticks(secs * TICK_HZ));
            assert_eq!(Timestamp::from_embassy(instant), time);
            assert_eq!(time.to_embassy_deadline(), instant);
        }
    }

    /// What differs between the rates that this is built with.
    #[test]
    fn parts_of_a_tick() {
        let (micros, ticks, back) = match TICK_HZ {
            1_000_000 => (1500, 1500, 1500),
            32_768 => (1500, 50, 1525),
            1_000 => (1500, 2, 2000),
            other => panic!("no example for a rate of {other} Hz"),
        };
        let deadline = Timestamp(micros).to_embassy_deadline();
        assert_eq!(deadline.as_ticks(), ticks);
        assert_eq!(Timestamp::from_embassy(deadline), Timestamp(back));
    }

    #[test]
    fn both_ends_saturate() {
        assert_eq!(Timestamp::from_embassy(Instant::MIN), Timestamp(0));
        assert_eq!(Timestamp::from_embassy(Instant::MAX), Timestamp::MAX);
        let last = (u128::from(u64::MAX) * u128::from(TICK_HZ)).div_ceil(MICROS_PER_SECOND);
        assert_eq!(u128::from(Timestamp::MAX.to_embassy_deadline().as_ticks()), last);
    }

    proptest! {
        #[test]
        fn a_deadline_is_the_first_tick_that_is_not_too_early(micros: u64) {
            let time = Timestamp(micros);
            let deadline = time.to_embassy_deadline();
            prop_assert!(Timestamp::from_embassy(deadline) >= time);
            if let Some(before) = deadline.as_ticks().checked_sub(1) {
                prop_assert!(Timestamp::from_embassy(Instant::from_ticks(before)) < time);
            }
        }

        #[test]
        fn an_instant_is_its_own_deadline(ticks in 0..u64::MAX / 1_000_000) {
            let instant = Instant::from_ticks(ticks);
            prop_assert_eq!(Timestamp::from_embassy(instant).to_embassy_deadline(), instant);
        }
    }
}
