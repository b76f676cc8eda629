//! `notify`: sends one and waits for the answers.

use super::connect::{connect, name, pool};
use crate::cli::{self, Global};
use crate::explain::{HEALTH, explain};
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Stdout};
use crate::records::Done;
use bytes::Bytes;
use linger_client::NotifyOutcome;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::time::Duration;

/// Notifies an object's watchers.
///
/// # Errors
/// Nobody knows what became of it, or the cluster refused it.
pub async fn run(global: &Global, args: &cli::Notify, format: Format) -> Result<Outcome, Failure> {
    let payload = payload(args.payload.as_deref())?;
    let cluster = connect(global).await?;
    let pool = pool(&cluster, global, &args.pool);
    let timeout = Duration::from_secs(args.timeout.into());
    let notify = pool.notify(name(&args.object), payload, timeout).await.map_err(|error| explain(&error))?;
    let object = notify.object().clone();
    let (report, outcome) = match notify.await.map_err(|error| explain(&error))? {
        NotifyOutcome::Done(report) if report.watchers.missed.is_empty() => (report, Outcome::Done),
        NotifyOutcome::Done(report) | NotifyOutcome::TimedOut(report) => (report, Outcome::Missed),
        NotifyOutcome::AcceptedOutcomeUnknown { notify_id } => {
            let what = format!("cannot tell how notify {notify_id} to {object} ended");
            return Err(Failure::new(what, "its OSD took it and gave no outcome in time", HEALTH));
        }
        _ => return Err(Failure::new(format!("cannot notify {object}"), "no OSD took it in time", HEALTH)),
    };
    let mut out = Stdout::new(format);
    let printed = out.write(&Done::from(&report)).and_then(|()| out.finish());
    match printed {
        // What became of the notify counts, read or not.
        Ok(()) | Err(Failure::ReaderGone) => Ok(outcome),
        Err(failure) => Err(failure),
    }
}

fn payload(word: Option<&OsStr>) -> Result<Bytes, Failure> {
    let Some(word) = word else { return Ok(Bytes::new()) };
    if word != "-" {
        return Ok(Bytes::copy_from_slice(word.as_encoded_bytes()));
    }
    let mut bytes = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Failure::new("cannot read the payload from stdin", error, "check what feeds it"))?;
    Ok(bytes.into())
}
