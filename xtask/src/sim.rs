//! `cargo xtask sim`: clients and a cluster in a simulated world, from seeds.

use crate::mutants;
use crate::tree::cargo;
use anyhow::Result;
use clap::Args;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// What to do; `--help` after `--` says what there is.
#[derive(Args)]
pub(crate) struct Options {
    /// For linger-sim: --seeds A..B, --minutes M, --trace, --large, --keep-going, --jobs N; or --mutants,
    /// with or without names.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

/// Runs the package `linger-sim`, or hunts the hand-made bugs.
///
/// # Errors
/// It does not start.
pub(crate) fn run(options: &Options) -> Result<ExitCode> {
    if let [first, names @ ..] = &options.words[..]
        && first == "--mutants"
    {
        let names: Vec<String> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        return mutants::run(&names);
    }
    let status = command().args(&options.words).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The simulator, fast and with all checks, without its arguments.
pub(crate) fn command() -> Command {
    cargo(&["run", "--quiet", "--profile", "sim", "--package", "linger-sim", "--"])
}

/// Its build.
pub(crate) fn build() -> Command {
    cargo(&["build", "--quiet", "--profile", "sim", "--package", "linger-sim"])
}
