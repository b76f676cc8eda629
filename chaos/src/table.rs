//! What a run gave, as a row of a table.

use crate::ledger::Verdict;
use anyhow::{Result, ensure};
use linger_tokio::Reconnects;
use std::fmt;

/// Notifies lost in silence that an error names.
const SHOWN: usize = 20;

/// One fault, and how both watchers did.
#[derive(Debug, Clone)]
pub struct Row {
    /// The fault.
    pub name: String,
    /// linger's watcher.
    pub linger: Verdict,
    /// librados' watcher.
    pub librados: Verdict,
    /// linger's reconnects by cause.
    pub reconnects: Reconnects,
}

impl Row {
    /// The head of the table that [`Row::markdown`] gives rows of.
    pub const HEAD: &'static str = "\
        | fault | notifies | linger: errors | deaf ms | missed unannounced | librados: errors | deaf ms | missed unannounced |\n\
        |---|---|---|---|---|---|---|---|";

    /// The row in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let side = |verdict: &Verdict| {
            format!("{} | {} | {}", verdict.errors, verdict.deaf.as_millis(), verdict.unannounced.len())
        };
        let (completed, linger, librados) = (self.linger.completed, side(&self.linger), side(&self.librados));
        format!("| {} | {completed} | {linger} | {librados} |", self.name)
    }

    /// The promise: nothing is lost in silence.
    ///
    /// # Errors
    /// Something was; or a watch that was lost claimed to have missed nothing.
    pub fn check(&self) -> Result<()> {
        let linger = &self.linger;
        ensure!(linger.completed > 0, "{}: no notify completed", self.name);
        let some: Vec<_> = linger.unannounced.iter().take(SHOWN).collect();
        ensure!(some.is_empty(), "{}: lost in silence (object, number): {some:?}; {linger}", self.name);
        ensure!(linger.broken_promises == 0, "{}: {} broken promises", self.name, linger.broken_promises);
        Ok(())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} seen, {} again, {} told missed, {} in gaps, {} in silence, {} errors, deaf {:.1?}",
            self.seen,
            self.again,
            self.told_missed,
            self.in_gap,
            self.unannounced.len(),
            self.errors,
            self.deaf
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, linger, librados, .. } = self;
        write!(f, "{name}: {} notifies; linger: {linger}; librados: {librados}", linger.completed)
    }
}
