//! Time as the core sees it: microseconds since an epoch that the adapter picks.

#[cfg(feature = "embassy-time")]
mod embassy;

use core::fmt;
use core::time::Duration;

/// A point in monotonic time, in microseconds since the adapter's own epoch.
///
/// All arithmetic saturates and there are no operators, so no input can overflow it.
///
/// ```
/// use core::time::Duration;
/// use linger_core::Timestamp;
/// let start = Timestamp::from_micros(5);
/// let later = start.saturating_add(Duration::from_secs(1));
/// assert_eq!(later.saturating_since(start), Duration::from_secs(1));
/// assert_eq!(start.saturating_since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The end of time; no deadline lies beyond it.
    pub const MAX: Self = Self(u64::MAX);

    /// The point `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The point `span` later, or [`Timestamp::MAX`]. Parts of a microsecond round up.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        let micros = u64::try_from(span.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The time from `earlier` to this point; zero if that lies later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Wall-clock time, used only for stamps inside messages (an op's mtime).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct UnixTime(
    /// Time since 1970-01-01 00:00 UTC.
    pub Duration,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::from_micros(7).saturating_add(Duration::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.saturating_add(Duration::from_micros(1)), Timestamp::MAX);
        assert_eq!(Timestamp::default().saturating_since(Timestamp::MAX), Duration::ZERO);
    }

    #[test]
    fn parts_of_a_microsecond_round_up() {
        let t = Timestamp::default();
        assert_eq!(t.saturating_add(Duration::from_nanos(1)).as_micros(), 1);
        assert_eq!(t.saturating_add(Duration::from_nanos(1000)).as_micros(), 1);
    }
}
