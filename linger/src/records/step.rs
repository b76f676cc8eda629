//! Results of `doctor`.

use serde::Serialize;
use std::fmt;

/// One step, and whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name: config, key, monitors, login, map, osd, watch.
    pub step: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// What was found; of a broken step what failed, why, and what to try.
    pub found: String,
    /// What works and is odd all the same.
    pub notes: Vec<String>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.ok { "ok    " } else { "BROKEN" };
        write!(f, "{mark} {:<9} {}", self.step, self.found)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n       {:<9} note: {note}", ""))
    }
}
