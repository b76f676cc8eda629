//! What the steps need and a fresh machine has not.

use super::command::check;
use super::tally::Tally;
use crate::tree::{cargo, rustup};
use anyhow::Result;
use linger_testbed::{Release, Root, available};
use std::env;

/// Adds components of the toolchain and unpacks Ceph's packages, where they are missing.
pub(super) fn set_up() -> Result<Tally> {
    for (command, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !cargo(&[command, "--version"]).output().is_ok_and(|output| output.status.success()) {
            check(&mut rustup(&["component", "add", component]))?;
        }
    }
    if let Err(why) = available() {
        println!("no cluster here: {why}");
        return Ok(Tally::default());
    }
    for release in Release::ALL {
        println!("{release}: {}", Root::fetch(release)?.path().display());
    }
    Ok(Tally::default())
}

/// The installed toolchain of a version, `1.95` being also its patches; in CI it is installed.
pub(super) fn has_toolchain(version: &str) -> Result<Option<String>> {
    if let Some(toolchain) = installed(version) {
        return Ok(Some(toolchain));
    }
    if env::var_os("CI").is_none() || rustup(&["--version"]).output().is_err() {
        return Ok(None);
    }
    check(&mut rustup(&["toolchain", "install", version, "--profile", "minimal"]))?;
    Ok(installed(version))
}

/// Also a `stable` may be that version.
fn installed(version: &str) -> Option<String> {
    let list = rustup(&["toolchain", "list", "--quiet"]).output().ok()?;
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let is_it = |toolchain: &&str| {
        let output = rustup(&["run", toolchain, "rustc", "--version"]).output();
        output.is_ok_and(|output| is_version(&String::from_utf8_lossy(&output.stdout), version))
    };
    let stable = |toolchain: &&str| !toolchain.starts_with("nightly") && !toolchain.starts_with("beta");
    list.lines().filter(stable).find(is_it).map(str::to_owned)
}

/// Whether `rustc 1.95.0 (..)` is 1.95.
fn is_version(said: &str, version: &str) -> bool {
    let number = said.split(' ').nth(1).unwrap_or_default();
    number.strip_prefix(version).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions_with_their_patches() {
        assert!(is_version("rustc 1.95.0 (59807616e 2026-04-14)", "1.95"));
        assert!(is_version("rustc 1.95.1 (59807616e 2026-04-14)", "1.95.1"));
        assert!(!is_version("rustc 1.95.1 (59807616e 2026-04-14)", "1.95.0"));
        assert!(!is_version("rustc 1.950.0 (59807616e 2026-04-14)", "1.95"));
        assert!(!is_version("", "1.95"));
    }
}
