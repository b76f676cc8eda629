//! The result of `notify`.

use super::{ClientName, Payload};
use linger_core::NotifyReport;
use serde::Serialize;
use std::fmt;

/// A notify that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename = "done")]
pub struct Done {
    /// The notify's number at its OSD.
    pub notify_id: u64,
    /// Who answered.
    pub acks: Vec<Ack>,
    /// Who did not.
    pub missed: Vec<Missed>,
}

/// A watcher that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ack {
    /// The watching client.
    pub client: ClientName,
    /// The watch among the client's.
    pub cookie: u64,
    /// What it answered.
    #[serde(flatten)]
    pub payload: Payload,
}

/// A watcher that did not answer in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The watching client.
    pub client: ClientName,
    /// The watch among the client's.
    pub cookie: u64,
}

impl From<&NotifyReport> for Done {
    fn from(report: &NotifyReport) -> Self {
        let acks = report.watchers.acks.iter().map(|ack| Ack {
            client: ClientName(ack.watcher.client),
            cookie: ack.watcher.cookie,
            payload: Payload::new(&ack.reply),
        });
        let missed = report.watchers.missed.iter();
        let missed = missed.map(|id| Missed { client: ClientName(id.client), cookie: id.cookie });
        Self { notify_id: report.notify_id, acks: acks.collect(), missed: missed.collect() }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "notify {}: {} acked, {} missed", self.notify_id, self.acks.len(), self.missed.len())?;
        for Ack { client, cookie, payload } in &self.acks {
            write!(f, "\nack {client} cookie {cookie}: {payload}")?;
        }
        for Missed { client, cookie } in &self.missed {
            write!(f, "\nmissed {client} cookie {cookie}")?;
        }
        Ok(())
    }
}
