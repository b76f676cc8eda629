//! `cargo xtask chaos`: faults on real clusters, for as long as one likes.

use crate::tree::cargo;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
use std::process::ExitCode;

/// What to do; `--help` after `--` says what there is.
#[derive(Args)]
pub(crate) struct Options {
    /// For linger-chaos: --minutes M, --soak M, FAULT..., --times N, --intervals N, --list.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs the package `linger-chaos`.
///
/// # Errors
/// It does not start.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    linger_testbed::available()?;
    let mut command = cargo(&["run", "--quiet", "--package", "linger-chaos", "--"]);
    let status = command.args(&options.words).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
