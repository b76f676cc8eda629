//! The command-line tool.

mod cli;
mod commands;
mod explain;
mod failure;
mod output;
mod records;
mod route;
mod runtime;

use cli::Cli;
use failure::{FAILED, Failure, USAGE, one_line, tell};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match commands::run(&cli) {
        Ok(outcome) => outcome.into(),
        Err(Failure::ReaderGone) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.tell();
            FAILED.into()
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    {
        // Nobody may read it.
        let _ = error.print();
        return if error.use_stderr() { USAGE.into() } else { ExitCode::SUCCESS };
    }
    let text = error.render().to_string();
    let text = text.split("\n\n").next().unwrap_or_default();
    let text = text.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ");
    tell(&format!("wrong usage: {} (see 'linger --help')", one_line(&text)));
    USAGE.into()
}
