//! `ls`: who watches.

use super::connect::{connect, name, pool};
use crate::cli::{self, Global};
use crate::explain::explain;
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Stdout};
use crate::records::Watchers;

/// Lists an object's watchers.
///
/// # Errors
/// The cluster does not tell them.
pub async fn run(global: &Global, args: &cli::Ls, format: Format) -> Result<Outcome, Failure> {
    let cluster = connect(global).await?;
    let pool = pool(&cluster, global, &args.pool);
    let watchers = pool.list_watchers(name(&args.object)).await.map_err(|error| explain(&error))?;
    let mut out = Stdout::new(format);
    out.write(&Watchers::new(watchers.into_iter().map(|listed| listed.watcher).collect()))?;
    out.finish()?;
    Ok(Outcome::Done)
}
