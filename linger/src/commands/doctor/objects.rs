//! The steps that need an OSD: a placement group, a watch.

use super::{Report, negotiated};
use crate::cli::Global;
use crate::commands::connect::{name, pool_of as pool};
use crate::explain::{self, HEALTH, explain};
use crate::failure::{Failure, one_line};
use futures_lite::future::{or, pending};
use linger_client::{
    Cluster, ClusterEvent, ConMode, ConnFault, Error, Events, LinkMode, LossCause, Name, NotifyOutcome,
    OpError, OsdMap, Pool, WatchEvent, WatchOptions,
};
use linger_wire::errno;
use std::ffi::OsStr;
use std::time::{Duration, Instant};

/// How long an OSD may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// What failed, when a watch that is live is of no use.
const NOT_HEARD: &str = "cannot notify through the watch";

/// Where to try things.
pub(super) struct Place<'a> {
    pub(super) global: &'a Global,
    pub(super) cluster: &'a Cluster,
    /// None: nothing is changed, and the first pool serves.
    pub(super) pool: Option<&'a OsStr>,
    pub(super) modes: &'a [ConMode],
}

impl Place<'_> {
    /// Does both steps.
    ///
    /// # Errors
    /// One is broken.
    pub(super) async fn check(&self, report: &mut Report, events: &mut Events) -> Result<(), Failure> {
        let Some(pool_name) = report.check("osd", self.a_pool().await)? else {
            return report.tell("osd", "there is no pool to try".to_owned(), Vec::new());
        };
        // The namespace and the locator of the command line count, too.
        let pool = pool(self.cluster, self.global, pool_name.clone()).within(PATIENCE);
        let object = Name::from(format!("linger-doctor.{}", self.cluster.global_id()).as_str());
        let mut seen = Seen::default();
        let asked = async { Some(self.reach(&pool, &object).await) };
        let hopeless = async {
            seen.follow(events).await;
            None
        };
        let answer = or(asked, hopeless).await;
        // The event came before the answer, but may not have been taken.
        or(async { _ = seen.follow(events).await }, async {}).await;
        report.check("osd", seen.verdict(answer))?;
        let pool_name = one_line(&pool_name.to_string_lossy());
        let found = match seen.session {
            Some((osd, mode)) => {
                let mode = negotiated(mode, self.modes);
                format!("osd.{osd} answers for pool {pool_name}, {mode}")
            }
            None => format!("an OSD answers for pool {pool_name}"),
        };
        report.tell("osd", found, Vec::new())?;
        let watched = match self.pool {
            Some(_) => round_trip(&pool, &object).await,
            None => may_watch(&pool, &object).await,
        };
        let watched = report.check("watch", watched)?;
        report.tell("watch", watched, Vec::new())
    }

    async fn a_pool(&self) -> Result<Option<Name>, Failure> {
        if let Some(pool) = self.pool {
            return Ok(Some(name(pool)));
        }
        let first = |map: &OsdMap| map.pool_names.values().next().cloned();
        self.cluster.with_map(first).await.map_err(|error| explain(&error))
    }

    /// Asks for an object that is not there: that it is not is an answer.
    async fn reach(&self, pool: &Pool, object: &Name) -> Result<(), Error> {
        match pool.stat(object.clone()).await {
            Ok(_) | Err(Error::Op { error: OpError::Errno(errno::ENOENT), .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// What the OSDs' connections came to.
#[derive(Default)]
struct Seen {
    /// The newest session.
    session: Option<(i32, LinkMode)>,
    /// The newest fault, if there was no session after it.
    fault: Option<ClusterEvent>,
}

impl Seen {
    /// Follows the events, up to an OSD that will never let the client in.
    async fn follow(&mut self, events: &mut Events) {
        while let Some(event) = events.next().await {
            match event {
                ClusterEvent::OsdUp { osd, mode } => (self.session, self.fault) = (Some((osd, mode)), None),
                ClusterEvent::OsdFault { ref fault, .. } => {
                    // A refusal with an errno may be a ticket's fault, or the caps': then the request fails.
                    let hopeless = match fault {
                        ConnFault::Auth(why) => why.errno().is_none() && why.is_permanent(),
                        fault => *fault == ConnFault::OnlyV1,
                    };
                    self.fault = Some(event);
                    if hopeless {
                        return;
                    }
                }
                _ => {}
            }
        }
        pending::<()>().await;
    }

    /// A request, if it came to its end, fails for what is wrong with the OSD's connection.
    fn verdict(&self, answer: Option<Result<(), Error>>) -> Result<(), Failure> {
        match (answer, &self.fault) {
            (Some(Ok(())), _) => Ok(()),
            (_, Some(fault)) => Err(explain::osd(fault)),
            (Some(Err(error)), None) => Err(explain(&error)),
            (None, None) => Err(explain::closed()),
        }
    }
}

/// Whether the caps allow a watch, without leaving anything behind.
async fn may_watch(pool: &Pool, object: &Name) -> Result<String, Failure> {
    let options = WatchOptions { register_within: Some(PATIENCE), ..WatchOptions::default() };
    let mut watch = pool.watch(object.clone(), options).await.map_err(|error| explain(&error))?;
    match watch.live().await {
        Err(Error::Watch { error, .. }) if error.cause == LossCause::ObjectGone => {
            Ok("the caps allow it (name a pool to try one: linger doctor POOL)".to_owned())
        }
        Ok(_) => Ok("live".to_owned()),
        Err(error) => Err(explain(&error)),
    }
}

/// Makes an object, watches and notifies it, and removes it.
async fn round_trip(pool: &Pool, object: &Name) -> Result<String, Failure> {
    pool.create(object.clone(), false).await.map_err(|error| explain(&error))?;
    let result = notified(pool, object).await;
    let removed = pool.remove(object.clone()).await;
    let took = result?;
    removed.map_err(|error| explain(&error))?;
    Ok(format!("live, and notified by itself within {:.1} ms", took.as_secs_f64() * 1e3))
}

async fn notified(pool: &Pool, object: &Name) -> Result<Duration, Failure> {
    let explain = |error: Error| explain(&error);
    let options = WatchOptions { register_within: Some(PATIENCE), ..WatchOptions::default() };
    let mut watch = pool.watch(object.clone(), options).await.map_err(explain)?;
    watch.live().await.map_err(explain)?;
    let start = Instant::now();
    let notify = pool.notify(object.clone(), "doctor", PATIENCE).await.map_err(explain)?;
    let answer = async {
        while let Some(event) = watch.next().await {
            if let WatchEvent::Notification(notification) = event {
                let _ = notification.ack("well");
            }
        }
        pending().await
    };
    heard(&or(notify, answer).await.map_err(explain)?)?;
    let took = start.elapsed();
    watch.unwatch().await.map_err(explain)?;
    Ok(took)
}

/// Whether a notify reached the one who watches: that it is over is not enough.
fn heard(outcome: &NotifyOutcome) -> Result<(), Failure> {
    let why = match outcome {
        NotifyOutcome::Done(report) | NotifyOutcome::TimedOut(report)
            if !report.watchers.missed.is_empty() =>
        {
            "the watcher did not hear it, or its answer did not arrive, in time"
        }
        NotifyOutcome::Done(report) if !report.watchers.acks.is_empty() => return Ok(()),
        NotifyOutcome::Done(_) => "the OSD knew of no watcher, though the watch was live",
        NotifyOutcome::TimedOut(_) | NotifyOutcome::AcceptedOutcomeUnknown { .. } => {
            "its OSD took it and gave no outcome in time"
        }
        NotifyOutcome::Failed(error) => return Err(Failure::new(NOT_HEARD, error, HEALTH)),
        _ => "no OSD took it in time",
    };
    Err(Failure::new(NOT_HEARD, why, HEALTH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linger_client::NotifyReport;
    use linger_wire::msg::{NotifyAck, NotifyAcks, WatcherId};

    #[test]
    fn only_a_notify_that_was_heard_by_all_is_well() {
        let id = WatcherId { client: 1, cookie: 2 };
        let report = |acks: usize, missed: usize| {
            let ack = NotifyAck { watcher: id, reply: "well".into() };
            let watchers = NotifyAcks { acks: vec![ack; acks], missed: vec![id; missed] };
            NotifyReport { notify_id: 3, watchers }
        };
        for (outcome, words) in [
            (NotifyOutcome::Done(report(1, 0)), None),
            (NotifyOutcome::Done(report(1, 1)), Some("did not hear it")),
            (NotifyOutcome::Done(report(0, 0)), Some("knew of no watcher")),
            (NotifyOutcome::TimedOut(report(0, 1)), Some("did not hear it")),
            (NotifyOutcome::TimedOut(report(1, 0)), Some("gave no outcome")),
            (NotifyOutcome::AcceptedOutcomeUnknown { notify_id: 3 }, Some("gave no outcome")),
            (NotifyOutcome::NeverAccepted, Some("no OSD took it")),
            (NotifyOutcome::Failed(OpError::Errno(errno::EIO)), Some("errno 5")),
        ] {
            match (heard(&outcome), words) {
                (Ok(()), None) => {}
                (Err(Failure::Told(text)), Some(words)) => assert!(text.contains(words), "{text}"),
                other => panic!("{outcome:?}: {other:?}"),
            }
        }
    }
}
