//! What is printed: each result as JSON and as text. Field names are relied on by other programs.

mod demo;
mod map;
mod mini;
mod notify;
mod osdmap;
mod step;
mod watch;
mod watchers;

pub use demo::{Actor, DemoLine};
pub use map::{ObjectMap, PgMap};
pub use mini::Ready;
pub use notify::Done;
pub use osdmap::MapSummary;
pub use step::Step;
pub use watch::{WatchLine, reason};
pub use watchers::Watchers;

use serde::{Serialize, Serializer};
use std::fmt;

/// A client as Ceph names it: `client.4123`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientName(pub u64);

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client.{}", self.0)
    }
}

impl Serialize for ClientName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes that are text in most cases, and are shown as such and exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payload {
    /// As UTF-8, with replacement characters for what is none.
    payload: String,
    /// All bytes.
    payload_hex: String,
}

impl Payload {
    /// Shows these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self { payload: String::from_utf8_lossy(bytes).into_owned(), payload_hex: hex(bytes) }
    }
}

impl fmt::Display for Payload {
    /// In quotes, with what is no printable text escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.payload)
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests;
