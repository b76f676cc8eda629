//! What `demo` shows.

use serde::Serialize;
use std::fmt;

/// Who does something in the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// Monitor and OSDs.
    Cluster,
    /// A watcher.
    Alice,
    /// Another watcher.
    Bob,
    /// Who notifies.
    Carol,
}

impl Actor {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
        }
    }
}

/// One line of the demo.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DemoLine {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// Who does it.
    pub who: Actor,
    /// What happens.
    pub text: String,
}

impl fmt::Display for DemoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, hundredths) = (self.at_ms / 1000, self.at_ms % 1000 / 10);
        write!(f, "{seconds:>3}.{hundredths:02} s  {:<8}{}", self.who.name(), self.text)
    }
}
