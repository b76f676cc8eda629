//! Why a command failed, in one line, and the exit codes.

use linger_client::config::ConfigError;
use std::fmt;
use std::process::ExitCode;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All is done.
    Done,
    /// A watcher missed the notify.
    Missed,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::Missed => 3,
        })
    }
}

/// Exit code of a command that failed.
pub const FAILED: u8 = 1;

/// Exit code of a command line that cannot be understood.
pub const USAGE: u8 = 2;

/// Why a command ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Something to tell the user, as one line.
    Told(String),
    /// Everything was told already.
    Silent,
    /// Nobody reads stdout any more, which is no failure.
    ReaderGone,
}

impl Failure {
    /// What failed, why, and what to try.
    pub fn new(what: impl fmt::Display, why: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self::Told(one_line(&format!("{what}: {why} ({hint})")))
    }

    /// Prints it, if there is anything to tell.
    pub fn tell(&self) {
        if let Self::Told(text) = self {
            tell(text);
        }
    }

    /// What is wrong with the configuration; the library's text has all three parts.
    pub fn settings(error: &ConfigError) -> Self {
        Self::Told(one_line(&error.to_string()))
    }
}

/// Prints a message for the user.
pub fn tell(text: &str) {
    // Nobody may read stderr either.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("linger: {text}\n").as_bytes());
}

/// Escapes what would break a line or fool a terminal: names come from users and from the cluster.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let failure = Failure::new("cannot watch p/a\nb", "no such pool", "make it");
        assert_eq!(failure, Failure::Told("cannot watch p/a\\nb: no such pool (make it)".to_owned()));
        assert_eq!(one_line("tab\there, \u{1b}[1m, \u{e9}"), "tab\\there, \\u{1b}[1m, \u{e9}");
    }
}
