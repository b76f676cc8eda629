//! Running cargo, with its output shown and its tests counted.

use super::tally::Tally;
use crate::tree::cargo;
use anyhow::{Context, Result, bail};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

/// Packages whose tests to run.
#[derive(Clone, Copy)]
pub(super) enum Packages<'a> {
    Only(&'a [&'a str]),
    AllBut(&'a [&'a str]),
}

/// Runs a command that is a check as a whole.
pub(super) fn check(command: &mut Command) -> Result<Tally> {
    let status = command.status().with_context(|| words(command))?;
    if status.success() { Ok(Tally::one()) } else { bail!("{}: {status}", words(command)) }
}

/// Builds what [`tests`] runs.
pub(super) fn build_tests() -> Command {
    if has_nextest() {
        cargo(&["nextest", "run", "--workspace", "--no-run"])
    } else {
        cargo(&["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"])
    }
}

/// Runs the tests of packages, by nextest where it is installed.
pub(super) fn tests(packages: Packages<'_>, envs: &[(&str, &str)]) -> Result<Tally> {
    filtered(packages, envs, &[], &[])
}

/// The same, of tests whose names have one of `only` in them, if there is any, and none of `skip`.
pub(super) fn filtered(
    packages: Packages<'_>,
    envs: &[(&str, &str)],
    only: &[&str],
    skip: &[&str],
) -> Result<Tally> {
    let mut command = if has_nextest() { with_nextest(packages) } else { with_libtest(packages) };
    // Both runners take these.
    command.arg("--").args(only);
    skip.iter().for_each(|name| _ = command.args(["--skip", name]));
    counted(command.envs(envs.iter().copied()))
}

fn has_nextest() -> bool {
    cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// A filter leaves the build as it is; other packages would be built with other features.
fn with_nextest(packages: Packages<'_>) -> Command {
    let any =
        |names: &[&str]| names.iter().map(|name| format!("package({name})")).collect::<Vec<_>>().join(" | ");
    let filter = match packages {
        Packages::Only(names) => any(names),
        Packages::AllBut(names) => format!("not ({})", any(names)),
    };
    cargo(&["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests", "warn", "-E", &filter])
}

fn with_libtest(packages: Packages<'_>) -> Command {
    let mut command = cargo(&["test", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    match packages {
        Packages::Only(names) => names.iter().for_each(|name| _ = command.args(["--package", name])),
        Packages::AllBut(names) => {
            command.arg("--workspace");
            names.iter().for_each(|name| _ = command.args(["--exclude", name]));
        }
    }
    command
}

/// Runs a test runner and counts what it says, and what tests say of having been skipped.
pub(super) fn counted(command: &mut Command) -> Result<Tally> {
    let skipped = env::temp_dir().join(format!("linger-skipped-{}", std::process::id()));
    _ = fs::remove_file(&skipped);
    command.env("LINGER_SKIPPED", &skipped).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| words(command))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut tally = thread::scope(|scope| {
        let err = scope.spawn(|| err.map(|pipe| read(pipe, |line| eprintln!("{line}"))).unwrap_or_default());
        let mut tally = out.map(|pipe| read(pipe, |line| println!("{line}"))).unwrap_or_default();
        tally.add(&err.join().unwrap_or_default());
        tally
    });
    let status = child.wait()?;
    if let Ok(names) = fs::read_to_string(&skipped) {
        let names: BTreeSet<_> = names.lines().collect();
        tally.skipped.extend(names.into_iter().map(str::to_owned));
        _ = fs::remove_file(&skipped);
    }
    // A skipped test runs and returns, so the runner counts it as passed.
    tally.passed = tally.passed.saturating_sub(tally.skipped.len());
    if !status.success() && tally.failed == 0 {
        bail!("{}: {status}", words(command));
    }
    Ok(tally)
}

/// The command as one would type it.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words = [program].into_iter().chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn read(pipe: impl Read, show: impl Fn(&str)) -> Tally {
    let mut tally = Tally::default();
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        show(&line);
        tally.read_line(&line);
    }
    tally
}
