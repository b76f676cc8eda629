//! Events of `watch`.

use super::{ClientName, Payload};
use crate::failure::one_line;
use linger_core::LossCause;
use serde::Serialize;
use std::fmt;

/// An event of a watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum WatchLine<'a> {
    /// It is registered.
    Live {
        /// Name of the object.
        object: &'a str,
        /// The watch among the client's.
        cookie: u64,
        /// This client.
        client: ClientName,
        /// The OSD that has the watch.
        osd: i32,
        /// The object's placement group.
        pg: String,
        /// 0 the first time, one more after each loss.
        generation: u32,
        /// Whether notifies may have been missed before.
        may_have_missed: bool,
        /// Milliseconds without a watch.
        deaf_ms: u64,
        /// The object's version, where the cluster gave it.
        version: Option<u64>,
    },
    /// Somebody notified.
    Notify {
        /// Name of the object.
        object: &'a str,
        /// The watch among the client's.
        cookie: u64,
        /// The notify's number at its OSD.
        notify_id: u64,
        /// Who sent it.
        from: String,
        /// What was sent.
        #[serde(flatten)]
        payload: Payload,
    },
    /// The watch is lost.
    Error {
        /// Name of the object.
        object: &'a str,
        /// The watch among the client's; 0 if it never was live.
        cookie: u64,
        /// Why, in one word.
        reason: &'static str,
        /// What the cluster answered.
        errno: Option<i32>,
        /// Whether it stays lost.
        terminal: bool,
    },
    /// Notifies were shed.
    Overflow {
        /// Name of the object.
        object: &'a str,
        /// How many.
        lost: u64,
    },
    /// The watch ended.
    Closed {
        /// Name of the object.
        object: &'a str,
    },
}

impl fmt::Display for WatchLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Live { object, cookie, client, osd, pg, generation, may_have_missed, deaf_ms, version } => {
                write!(f, "live {} as {client} cookie {cookie} at osd.{osd} pg {pg}", one_line(object))?;
                if let Some(version) = version {
                    write!(f, " version {version}")?;
                }
                if *generation > 0 {
                    let missed = if *may_have_missed { "may have been" } else { "were not" };
                    write!(f, ", again after {deaf_ms} ms: notifies {missed} missed")?;
                }
                Ok(())
            }
            Self::Notify { object, notify_id, from, payload, .. } => {
                write!(f, "notify {} from {from} id {notify_id}: {payload}", one_line(object))
            }
            Self::Error { object, reason, errno, terminal, .. } => {
                write!(f, "error {}: {reason}", one_line(object))?;
                if let Some(errno) = errno {
                    write!(f, " (errno {errno})")?;
                }
                f.write_str(if *terminal { ", for good" } else { ", trying again" })
            }
            Self::Overflow { object, lost } => {
                write!(f, "overflow {}: {lost} notifies lost", one_line(object))
            }
            Self::Closed { object } => write!(f, "closed {}", one_line(object)),
        }
    }
}

/// A cause in one word.
pub const fn reason(cause: LossCause) -> &'static str {
    match cause {
        LossCause::Disconnected => "disconnected",
        LossCause::TimedOut => "timed_out",
        LossCause::Lease => "lease",
        LossCause::ObjectGone => "object_gone",
        LossCause::PoolGone => "pool_gone",
        LossCause::Blocklisted => "blocklisted",
        LossCause::Denied => "denied",
        LossCause::Identity => "identity",
        LossCause::Held => "held",
        LossCause::Closed => "closed",
        _ => "refused",
    }
}
