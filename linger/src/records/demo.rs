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

    /// The number of a terminal's colour.
    fn colour(self) -> u8 {
        match self {
            Self::Cluster => 31,
            Self::Alice => 32,
            Self::Bob => 36,
            Self::Carol => 33,
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
    /// Whether a terminal shows it.
    #[serde(skip)]
    pub coloured: bool,
}

impl fmt::Display for DemoLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, hundredths) = (self.at_ms / 1000, self.at_ms % 1000 / 10);
        let (on, off) = match self.coloured {
            true => (format!("\x1b[{}m", self.who.colour()), "\x1b[0m"),
            false => (String::new(), ""),
        };
        write!(f, "{seconds:>3}.{hundredths:02} s  {on}{:<8}{}{off}", self.who.name(), self.text)
    }
}
