//! `doctor`: step by step, what works and what does not.

mod objects;

use super::connect;
use crate::cli::{self, Global};
use crate::explain::{self, explain};
use crate::failure::{Failure, Outcome, one_line};
use crate::output::{Format, Stdout};
use crate::records::Step;
use linger_client::config::Settings;
use linger_client::{
    Cluster, ClusterEvent, ConMode, ConnFault, ConnectOptions, Error, Events, LinkMode, OsdMap,
};
use linger_wire::UTime;
use std::time::{Duration, Instant, SystemTime};

/// After how long closing is given up.
const LEAVE: Duration = Duration::from_secs(5);

/// Clocks that differ by less are taken to be right.
const CLOCKS_DIFFER: Duration = Duration::from_secs(1);

/// Looks at everything, in order, up to the first thing that is broken.
///
/// # Errors
/// Something is: it was told.
pub async fn run(global: &Global, args: &cli::Doctor, format: Format) -> Result<Outcome, Failure> {
    let mut report = Report(format);
    let settings = report.check("config", connect::settings(global))?;
    report.tell("config", describe(&settings), notes(&settings))?;
    report.tell("key", key(&settings), Vec::new())?;

    let options = report.check("config", connect::options(&settings))?;
    let modes = (options.config.mon_modes.clone(), options.config.modes.clone());
    let start = Instant::now();
    let (cluster, mut events) = report.connect(global, options, &settings).await?;
    let took = start.elapsed();
    report.session(&cluster, &mut events, took, &modes.0).await?;

    let unix_now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let map = cluster.with_map(move |map| (describe_map(map), note_of_clock(map.modified, unix_now))).await;
    let (map, note) = report.check("map", map.map_err(|error| explain(&error)))?;
    report.tell("map", map, note.into_iter().collect())?;
    let place = objects::Place { global, cluster: &cluster, pool: args.pool.as_deref(), modes: &modes.1 };
    let done = place.check(&mut report, &mut events).await;
    // What the steps found is told; how closing goes is not of interest.
    let _ = cluster.close(LEAVE).await;
    done.map(|()| Outcome::Done)
}

/// Writes each step as it ends.
pub(super) struct Report(Format);

impl Report {
    /// A step that works.
    fn tell(&mut self, step: &'static str, found: String, notes: Vec<String>) -> Result<(), Failure> {
        self.write(&Step { step, ok: true, found, notes })
    }

    /// A step that may be broken: then this is the end.
    fn check<T>(&mut self, step: &'static str, result: Result<T, Failure>) -> Result<T, Failure> {
        match result {
            Err(Failure::Told(found)) => {
                self.write(&Step { step, ok: false, found, notes: Vec::new() })?;
                Err(Failure::Silent)
            }
            other => other,
        }
    }

    fn write(&mut self, step: &Step) -> Result<(), Failure> {
        let mut out = Stdout::new(self.0);
        out.write(step)?;
        out.finish()
    }

    async fn connect(
        &mut self,
        global: &Global,
        options: ConnectOptions,
        settings: &Settings,
    ) -> Result<(Cluster, Events), Failure> {
        let connecting = global.runtime.connect(options).map_err(|error| explain(&error));
        let connecting = self.check("config", connecting)?;
        let events = connecting.events();
        match connecting.await {
            Ok(cluster) => Ok((cluster, events)),
            Err(error) => {
                let step = if is_login(&error) { "login" } else { "monitors" };
                self.check(step, Err(explain::connecting(&error, settings)))
            }
        }
    }

    /// Who let the client in, and how; there is a session, so the events tell.
    async fn session(
        &mut self,
        cluster: &Cluster,
        events: &mut Events,
        took: Duration,
        asked: &[ConMode],
    ) -> Result<(), Failure> {
        let mut notes = Vec::new();
        loop {
            match events.next().await {
                Some(ClusterEvent::MonUp { addr, auth, mode }) => {
                    self.tell("monitors", format!("{addr} answers"), notes)?;
                    let (id, auth) = (cluster.global_id(), auth.name());
                    let found = format!(
                        "as client.{id} by {auth}, {}, after {} ms",
                        negotiated(mode, asked),
                        took.as_millis()
                    );
                    return self.tell("login", found, Vec::new());
                }
                Some(event) => notes.push(one_line(&event.to_string())),
                None => return self.check("monitors", Err(explain::closed())),
            }
        }
    }
}

/// Whether the monitors were reached, and said no.
fn is_login(error: &Error) -> bool {
    let Error::Connect(error) = error else { return false };
    matches!(error.last, Some(ClusterEvent::MonFault { fault: ConnFault::Auth(_), .. }))
}

/// `mode crc (asked for secure, crc)`.
fn negotiated(mode: LinkMode, asked: &[ConMode]) -> String {
    if mode == LinkMode::V1 {
        return "mode v1 (there is no msgr2: nothing is encrypted)".to_owned();
    }
    let names: Vec<_> = asked.iter().map(|mode| mode.name()).collect();
    format!("mode {} (asked for {})", mode.name(), names.join(", "))
}

fn describe(settings: &Settings) -> String {
    let file = match &settings.conf_file {
        Some(file) => one_line(&file.display().to_string()),
        None => "no configuration file".to_owned(),
    };
    let mons = match &settings.mon_host {
        Some(mons) => format!("monitors {mons}"),
        None => "no monitors: set mon_host, as DNS SRV records are not looked up".to_owned(),
    };
    one_line(&format!("{file}, {}, {mons}", settings.name))
}

fn notes(settings: &Settings) -> Vec<String> {
    settings.warnings.iter().map(|warning| one_line(&warning.to_string())).collect()
}

fn key(settings: &Settings) -> String {
    match (&settings.key, &settings.keyring_path) {
        (None, _) => "none: only a cluster without authentication lets the client in".to_owned(),
        (Some(key), Some(path)) => one_line(&format!("of type {}, from {}", key.key_type(), path.display())),
        (Some(key), None) => format!("of type {}", key.key_type()),
    }
}

/// Clocks do not matter to a client, but to whoever compares its log with the cluster's. A map is made before it is
/// seen, which is all that there is to tell by.
fn note_of_clock(modified: UTime, unix_now: Duration) -> Option<String> {
    let made = Duration::new(modified.sec.into(), 0);
    let ahead = made.checked_sub(unix_now).filter(|ahead| *ahead > CLOCKS_DIFFER)?;
    Some(format!(
        "the map is {} s from the future: the clock is wrong, here or at the monitors",
        ahead.as_secs()
    ))
}

fn describe_map(map: &OsdMap) -> String {
    let osds: Vec<_> = (0..map.max_osd).filter(|osd| map.exists(*osd)).collect();
    let up = osds.iter().filter(|osd| map.is_up(**osd)).count();
    let (epoch, fsid, pools) = (map.epoch, map.fsid, map.pools.len());
    format!("epoch {epoch} of cluster {fsid}: {up} of {} OSDs up, {pools} pools", osds.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_from_the_future_is_a_clock_s_fault() {
        let now = Duration::from_secs(1_000);
        let note = |sec| note_of_clock(UTime { sec, nsec: 999_999_999 }, now);
        assert_eq!((note(0), note(1_000), note(1_001)), (None, None, None));
        assert_eq!(note(1_002).unwrap()[..30], *"the map is 2 s from the future");
    }
}
