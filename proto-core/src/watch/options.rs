//! How to watch.

use super::WhenFull;
use core::time::Duration;

/// What a lost watch does when it could be registered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Reregister {
    /// Register again, with growing waits between attempts.
    #[default]
    Automatic,
    /// Say so and wait for the user's `reregister`.
    Manual,
}

/// What becomes of notifies that the user never answers because they were shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDrop {
    /// The notifier gets an empty ack.
    #[default]
    AckEmpty,
    /// The notifier waits until its timeout and learns that this watcher missed it.
    Silent,
}

/// How to watch.
#[derive(Debug, Clone)]
pub struct WatchOptions {
    /// Time without a confirmed ping after which the OSD drops the watch: whole seconds, rounded
    /// up, 3 s to 24 h (default 30 s).
    pub timeout: Duration,
    /// What to do after a loss.
    pub reregister: Reregister,
    /// Notifies kept until they are taken; `None` for `Limits::notifies_per_watch`.
    pub queue: Option<usize>,
    /// What happens when the queue is full.
    pub when_full: WhenFull,
    /// What happens to notifies that are shed, and to those dropped unanswered.
    pub on_drop: OnDrop,
    /// The first registration gives up after this (default 60 s); `None` waits without limit.
    pub register_within: Option<Duration>,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            reregister: Reregister::default(),
            queue: None,
            when_full: WhenFull::default(),
            on_drop: OnDrop::default(),
            register_within: Some(Duration::from_secs(60)),
        }
    }
}

impl WatchOptions {
    /// The shortest and the longest timeout, in seconds.
    pub const TIMEOUT_SECS: core::ops::RangeInclusive<u32> = 3..=86400;

    /// The timeout as the OSD gets it, if it is allowed.
    pub(crate) fn timeout_secs(&self) -> Option<u32> {
        let secs = self.timeout.as_nanos().div_ceil(1_000_000_000);
        u32::try_from(secs).ok().filter(|secs| Self::TIMEOUT_SECS.contains(secs))
    }
}
