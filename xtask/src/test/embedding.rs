//! The core in loops of one's own, on embassy, and without std.

use super::command::{Packages, check, counted, tests};
use super::tally::Tally;
use crate::tree::{cargo, rustup, target};
use anyhow::Result;
use std::process::Command;

/// Packages whose programs drive the core by loops of their own.
pub(super) const PACKAGES: &[&str] = &["linger-examples"];

/// The workspace of embassy's adapter.
pub(super) const EMBASSY: &str = "runtime-embassy/Cargo.toml";
/// What of it is built for hosts with std.
pub(super) const HOSTED: &[&str] = &["-p", "linger-embassy", "-p", "linger-embassy-host"];
/// The program without std, and the profile that does not unwind.
pub(super) const BARE: &[&str] = &["-p", "linger-embassy-bare", "--profile", "bare"];

/// Targets without an operating system, one of which is checked if it is installed.
const BARE_METAL: [&str; 4] =
    ["thumbv7em-none-eabihf", "thumbv7em-none-eabi", "riscv32imac-unknown-none-elf", "x86_64-unknown-none"];

/// Tick rates of embassy's clock, by its features; the first is what it has without.
const RATES: [&str; 3] = ["", ",embassy-time/tick-hz-32_768", ",embassy-time/tick-hz-1_000"];

/// A cargo command on packages of embassy's workspace.
pub(super) fn embassy(command: &str, packages: &[&str], more: &[&str]) -> Command {
    cargo(&[&[command, "--manifest-path", EMBASSY], packages, more].concat())
}

/// Programs on loops of their own, with a cluster that they share.
pub(super) fn on_a_cluster(envs: &[(&str, &str)]) -> Result<Tally> {
    let mut tally = tests(Packages::Only(PACKAGES), envs)?;
    let mut hosted = embassy("test", &["-p", "linger-embassy-host"], &["--no-fail-fast"]);
    tally.add(&counted(hosted.envs(envs.iter().copied()))?);
    Ok(tally)
}

/// The program without std links and runs, and the adapter compiles for bare metal.
pub(super) fn bare() -> Result<Tally> {
    let mut tally = check(&mut embassy("build", BARE, &[]))?;
    tally.add(&check(&mut Command::new(target().join("bare/linger-embassy-bare")))?);
    let installed = rustup(&["target", "list", "--installed"]).output();
    let installed = installed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let is_installed =
        |wanted: &&&str| installed.as_ref().is_ok_and(|list| list.lines().any(|one| one == **wanted));
    let bare_metal = match BARE_METAL.iter().find(is_installed) {
        Some(metal) => check(&mut embassy("check", &["-p", "linger-embassy"], &["--target", metal]))?,
        None => {
            Tally::skip(&format!("bare metal: none of the targets {} is installed", BARE_METAL.join(", ")))
        }
    };
    tally.add(&bare_metal);
    Ok(tally)
}

/// Conversions of times at each tick rate: a program has one, so each is a build of its own.
pub(super) fn ticks() -> Result<Tally> {
    let mut tally = Tally::default();
    for rate in RATES {
        let features = format!("embassy-time{rate}");
        let mut command =
            cargo(&["test", "-p", "linger-core", "--lib", "--features", &features, "time::embassy"]);
        tally.add(&counted(&mut command)?);
    }
    Ok(tally)
}
