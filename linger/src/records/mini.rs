//! What `mini` says.

use serde::Serialize;
use std::fmt;

/// The cluster is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename = "ready")]
pub struct Ready {
    /// The path of its ceph.conf.
    pub conf: String,
    /// The monitor's address.
    pub mon: String,
}

impl fmt::Display for Ready {
    /// The path alone, so that scripts can take it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.conf)
    }
}
