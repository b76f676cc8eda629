//! Faults of daemons, their tickets and their sockets.

use crate::arena::Arena;
use anyhow::{Context, Result};
use linger_testbed::{Daemon, State};
use serde_json::json;
use std::thread;
use std::time::Duration;

/// The primary of the first object, as a daemon.
fn a_primary(arena: &Arena) -> Result<Daemon> {
    let object = arena.objects().first().context("no object")?;
    let primary = arena.place(object)?["acting_primary"].as_u64().context("no primary")?;
    Ok(Daemon::Osd(u32::try_from(primary)?))
}

fn osds(arena: &Arena) -> Result<Vec<Daemon>> {
    let daemons = arena.cluster().daemons()?.into_iter();
    Ok(daemons
        .filter(|(daemon, state)| matches!(daemon, Daemon::Osd(_)) && *state == State::Running)
        .map(|(daemon, _)| daemon)
        .collect())
}

pub(super) fn osd_killed(arena: &Arena, hold: Duration) -> Result<()> {
    let osd = a_primary(arena)?;
    arena.cluster().kill(osd)?;
    thread::sleep(hold);
    arena.cluster().start(osd)?;
    arena.cluster().wait_clean()
}

pub(super) fn osd_frozen(arena: &Arena, hold: Duration) -> Result<()> {
    let osd = a_primary(arena)?;
    arena.cluster().pause(osd)?;
    thread::sleep(hold);
    arena.cluster().resume(osd)?;
    arena.cluster().wait_clean()
}

pub(super) fn osd_restarted(arena: &Arena) -> Result<()> {
    for osd in osds(arena)?.into_iter().take(2) {
        arena.cluster().stop(osd)?;
        arena.cluster().start(osd)?;
        arena.cluster().wait_clean()?;
    }
    Ok(())
}

pub(super) fn all_osds_stopped(arena: &Arena, hold: Duration) -> Result<()> {
    let osds = osds(arena)?;
    osds.iter().try_for_each(|osd| arena.cluster().stop(*osd))?;
    thread::sleep(hold);
    osds.iter().try_for_each(|osd| arena.cluster().start(*osd))?;
    arena.cluster().wait_clean()
}

pub(super) fn mon_restarted(arena: &Arena, hold: Duration) -> Result<()> {
    arena.cluster().kill(Daemon::Mon(0))?;
    thread::sleep(hold);
    arena.cluster().start(Daemon::Mon(0))?;
    arena.cluster().wait_active()
}

pub(super) fn mon_leader_changed(arena: &Arena, hold: Duration) -> Result<()> {
    let status = arena.cluster().mon_command(&json!({"prefix": "quorum_status", "format": "json"}))?;
    let leader = status["quorum_leader_name"].as_str().context("no leader")?;
    let leader: Daemon = format!("mon.{leader}").parse()?;
    arena.cluster().kill(leader)?;
    // Maps still come, and move watches.
    thread::sleep(hold);
    super::maps::marked_down(arena)?;
    arena.cluster().start(leader)?;
    arena.cluster().wait_active()
}

/// OSDs that restart make clients connect, for which they need tickets that are still good.
pub(super) fn tickets_expire(arena: &Arena, hold: Duration) -> Result<()> {
    let osds = osds(arena)?;
    for osd in osds.iter().take(2) {
        thread::sleep(hold / 2);
        arena.cluster().stop(*osd)?;
        arena.cluster().start(*osd)?;
        arena.cluster().wait_clean()?;
    }
    Ok(())
}

pub(super) fn socket_resets(arena: &Arena, hold: Duration) -> Result<()> {
    let set = |value: &str| {
        let name = "ms_inject_socket_failures";
        arena
            .cluster()
            .mon_command(&json!({"prefix": "config set", "who": "osd", "name": name, "value": value}))
    };
    set("200")?;
    thread::sleep(hold);
    set("0")?;
    arena.cluster().wait_clean()
}
