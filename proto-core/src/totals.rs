//! What a client counts over its life.

use crate::error::LossCause;
use core::time::Duration;

/// Counts of a client since it was made, and what it holds at present.
///
/// See [`Client::totals`](crate::Client::totals).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Totals {
    /// Watches that are live at present.
    pub live: usize,
    /// Watches that are wanted and not live at present.
    pub deaf: usize,
    /// Events that wait to be taken, over all watches.
    pub queued: usize,
    /// Bytes of payloads among them.
    pub queued_bytes: usize,
    /// Times that a watch went live: the first time and each return.
    pub went_live: u64,
    /// Time that watches were deaf between being live, added up over all of them; gaps that have not
    /// ended count up to now.
    pub deaf_for: Duration,
    /// Watches' losses, by cause.
    pub losses: Losses,
    /// RECONNECTs, by cause.
    pub reconnects: Reconnects,
    /// Pings that were answered with 0, and how long that took.
    pub pings: RoundTrips,
    /// Notifies that came, each once.
    pub notifies: u64,
    /// Notifies that an OSD delivered again while, or after, the user had them.
    pub duplicates: u64,
    /// Notifies that a full queue shed.
    pub shed: u64,
    /// Notifies in the user's hands that were forgotten because too many of the watch were unanswered: their
    /// notifiers see them missed.
    pub forgotten: u64,
}

/// Losses by cause. A loss is counted when it is told, so once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Losses([u64; LossCause::ALL.len()]);

impl Losses {
    /// How many had this cause.
    #[must_use]
    pub fn of(&self, cause: LossCause) -> u64 {
        self.iter().find(|(of, _)| *of == cause).map_or(0, |(_, count)| count)
    }

    /// All causes with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (LossCause, u64)> + '_ {
        LossCause::ALL.into_iter().zip(self.0)
    }

    /// How many there were.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.0.iter().fold(0, |all, count| all.saturating_add(*count))
    }

    pub(crate) fn count(&mut self, cause: LossCause) {
        let counts = LossCause::ALL.into_iter().zip(&mut self.0);
        for (_, count) in counts.filter(|(of, _)| *of == cause) {
            *count = count.saturating_add(1);
        }
    }
}

/// Why a watch had to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The session with its OSD ended.
    Reset,
    /// Its placement group is in a new interval.
    Interval,
    /// Maps are missing in which that may have happened.
    Skipped,
}

/// RECONNECTs by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reconnects {
    /// The session with the OSD ended, or the OSD is another process.
    pub reset: u64,
    /// The placement group is in a new interval.
    pub interval: u64,
    /// Epochs of the map were skipped.
    pub skipped: u64,
}

impl Reconnects {
    pub(crate) fn count(&mut self, why: Why) {
        let count = match why {
            Why::Reset => &mut self.reset,
            Why::Interval => &mut self.interval,
            Why::Skipped => &mut self.skipped,
        };
        *count = count.saturating_add(1);
    }
}

/// How long answers took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RoundTrips {
    /// How many.
    pub count: u64,
    /// All of them added up.
    pub sum: Duration,
    /// The quickest.
    pub min: Duration,
    /// The slowest.
    pub max: Duration,
}

impl RoundTrips {
    /// The mean; zero if there were none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let micros = self.sum.as_micros().checked_div(u128::from(self.count)).unwrap_or_default();
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    pub(crate) fn add(&mut self, took: Duration) {
        self.min = if self.count == 0 { took } else { self.min.min(took) };
        self.max = self.max.max(took);
        self.sum = self.sum.saturating_add(took);
        self.count = self.count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_by_cause() {
        let mut losses = Losses::default();
        losses.count(LossCause::Lease);
        losses.count(LossCause::Lease);
        losses.count(LossCause::Closed);
        assert_eq!((losses.of(LossCause::Lease), losses.of(LossCause::Held), losses.all()), (2, 0, 3));
    }

    #[test]
    fn round_trips() {
        let mut trips = RoundTrips::default();
        assert_eq!(trips.mean(), Duration::ZERO);
        for millis in [3, 1, 5] {
            trips.add(Duration::from_millis(millis));
        }
        let millis = Duration::from_millis;
        assert_eq!((trips.min, trips.mean(), trips.max), (millis(1), millis(3), millis(5)));
    }
}
