//! What happened, to be read or to be compared.

use linger_core::Timestamp;
use std::fmt::Arguments;
use std::hash::Hasher;
use std::time::Duration;

/// Where a run's events go.
#[derive(Debug)]
pub enum Trace {
    /// Nowhere.
    Off,
    /// Nowhere, but a line to stderr for each simulated hour; the last was this one.
    Hours(u64),
    /// Into a number: equal runs have equal numbers.
    Sum(u64),
    /// To stdout, a line each.
    Print,
}

impl Trace {
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Self::Off | Self::Hours(_))
    }

    /// The number of whole hours since the start, once in each hour of a run that tells how far it is.
    pub(crate) fn hour(&mut self, since: Duration) -> Option<u64> {
        let now = since.as_secs() / 3600;
        match self {
            Self::Hours(last) if *last != now => {
                *last = now;
                Some(now)
            }
            _ => None,
        }
    }

    pub(crate) fn line(&mut self, now: Timestamp, text: Arguments<'_>) {
        match self {
            Self::Off | Self::Hours(_) => {}
            Self::Sum(_) => self.add(format!("{now:?} {text}").as_bytes()),
            Self::Print => println!("{now:?} {text}"),
        }
    }

    /// Bytes that travelled: too many to be read, but equal runs have the same.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        if matches!(self, Self::Sum(_)) {
            self.add(bytes);
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Self::Sum(sum) = self {
            let mut hasher = std::hash::DefaultHasher::new();
            hasher.write_u64(*sum);
            hasher.write(bytes);
            *sum = hasher.finish();
        }
    }

    /// The number of a run.
    #[must_use]
    pub fn sum(&self) -> u64 {
        if let Self::Sum(sum) = self { *sum } else { 0 }
    }
}
