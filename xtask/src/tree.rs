//! The checkout: its folders, and commands that run in it.

use std::env;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checkout's folder.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The folder that all builds share.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// A cargo command in the checkout.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    prepare(command)
}

/// A rustup command in the checkout.
pub(crate) fn rustup(args: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(args);
    prepare(command)
}

fn prepare(mut command: Command) -> Command {
    command.current_dir(root()).env("CARGO_TARGET_DIR", target()).stdin(Stdio::null());
    if stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    // A build that is made once is made faster, and smaller, without.
    if env::var_os("CI").is_some() {
        command.env("CARGO_INCREMENTAL", "0");
    }
    command
}
