//! The clock that every adapter feeds the core from.

use linger_core::{Timestamp, UnixTime};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Monotonic time that runs on while the machine sleeps, where the system has such a clock.
///
/// A watch's lease ends at the OSD whether this machine sleeps or not. On Linux this is
/// `CLOCK_BOOTTIME`; elsewhere it is [`std::time::Instant`].
///
/// ```
/// use linger_client::Clock;
/// let clock = Clock::new();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    start: std::time::Instant,
}

impl Clock {
    /// A clock whose epoch is that of the system's, or now.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a clock has no default time")]
    pub fn new() -> Self {
        Self {
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            start: std::time::Instant::now(),
        }
    }

    /// The time now.
    #[must_use]
    #[allow(clippy::unused_self, reason = "where the clock needs a start, it is in there")]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[allow(clippy::unused_self)]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let secs = u64::try_from(time.tv_sec).unwrap_or_default();
        Duration::new(secs, u32::try_from(time.tv_nsec).unwrap_or_default())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// How long to wait for a deadline, from now on; parts of a microsecond round up.
    #[must_use]
    pub fn until(&self, deadline: Timestamp) -> Duration {
        match deadline.saturating_since(self.now()) {
            Duration::ZERO => Duration::ZERO,
            wait => wait.saturating_add(Duration::from_micros(1)),
        }
    }

    /// Wall-clock time, for stamps inside messages.
    #[must_use]
    pub fn unix_now(&self) -> UnixTime {
        UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}
