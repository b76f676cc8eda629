//! `cargo xtask test`: everything that has to hold, in one command.

mod checks;
mod command;
mod embedding;
mod module_map;
mod setup;
mod steps;
mod suite;
mod summary;
mod tally;

pub(crate) use suite::Suite;
pub(crate) use tally::Tally;

use anyhow::{Result, bail};
use clap::Args;
use std::process::ExitCode;
use std::time::Instant;
use steps::STEPS;
use summary::Row;

/// What to run.
#[derive(Args)]
pub struct Options {
    /// Run only these steps.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Leave these steps out.
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    skip: Vec<String>,
    /// Say which steps there are.
    #[arg(long)]
    list: bool,
}

/// Runs the steps, all of them even if one fails, and prints what each took.
///
/// The exit code is a failure if anything failed; the summary is the last that is printed.
///
/// # Errors
/// A name is not that of a step.
pub fn run(options: &Options) -> Result<ExitCode> {
    let known = |name: &String| STEPS.iter().any(|step| step.name == name);
    if let Some(name) = options.only.iter().chain(&options.skip).find(|name| !known(name)) {
        bail!("no step {name}: see --list");
    }
    if options.list {
        STEPS.iter().for_each(|step| println!("{:<8} {}", step.name, step.about));
        return Ok(ExitCode::SUCCESS);
    }
    let wanted = |name: &str| {
        let named = |names: &[String]| names.iter().any(|one| one == name);
        (options.only.is_empty() || named(&options.only)) && !named(&options.skip)
    };
    let begin = Instant::now();
    let mut rows = Vec::new();
    for step in STEPS.iter().filter(|step| wanted(step.name)) {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let tally = (step.run)().unwrap_or_else(|error| {
            eprintln!("{} failed: {error:#}", step.name);
            Tally { failed: 1, ..Tally::default() }
        });
        rows.push(Row { step, took: start.elapsed(), tally });
    }
    let all = summary::print(&rows, begin.elapsed());
    Ok(if all.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
