//! `cargo xtask sim`: clients and a cluster in a simulated world, from seeds.

use crate::tree::cargo;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// What to do; `--help` after `--` says what there is.
#[derive(Args)]
pub(crate) struct Options {
    /// For linger-sim: --seeds A..B, --minutes M, --trace, --large, --keep-going, --threads N.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs the package `linger-sim`.
///
/// # Errors
/// It does not start.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    let status = command().args(&options.words).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The simulator, fast and with all checks, without its arguments.
pub(crate) fn command() -> Command {
    cargo(&["run", "--quiet", "--profile", "sim", "--package", "linger-sim", "--"])
}
