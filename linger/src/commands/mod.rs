//! The commands.

mod connect;
mod demo;
mod doctor;
mod ls;
mod map;
mod mini;
mod notify;
mod osdmap;
mod watch;

use crate::cli::{Cli, Command};
use crate::failure::{Failure, Outcome};
use crate::output::Format;

/// Does what a command line says.
///
/// # Errors
/// Why it could not be done.
pub fn run(cli: &Cli) -> Result<Outcome, Failure> {
    let format = if cli.global.json { Format::Json } else { Format::Text };
    if let Command::Osdmap(args) = &cli.command {
        return osdmap::run(args, format);
    }
    cli.global.runtime.block_on(online(cli, format))?
}

async fn online(cli: &Cli, format: Format) -> Result<Outcome, Failure> {
    match &cli.command {
        Command::Watch(args) => watch::run(&cli.global, args, format).await,
        Command::Notify(args) => notify::run(&cli.global, args, format).await,
        Command::Ls(args) => ls::run(&cli.global, args, format).await,
        Command::Map(args) => map::run(&cli.global, args, format).await,
        Command::Osdmap(args) => osdmap::run(args, format),
        Command::Mini(args) => mini::run(cli.global.runtime, args, format).await,
        Command::Demo => demo::run(cli.global.runtime, format).await,
        Command::Doctor(args) => doctor::run(&cli.global, args, format).await,
    }
}
