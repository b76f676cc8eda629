//! Waiting until a cluster is as its daemons are.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{Daemon, Rados};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Active,
    Clean,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// `running` gives the daemons that should be in, or none if that is not known.
pub(crate) fn wait(
    admin: &Rados,
    goal: Goal,
    running: impl Fn() -> Result<Option<BTreeSet<Daemon>>>,
) -> Result<()> {
    let start = Instant::now();
    loop {
        let expected = running()?;
        let why = match missing(admin, goal, expected.as_ref()) {
            Ok(None) => return Ok(()),
            Ok(Some(why)) => why,
            Err(e) => format!("{e:#}"),
        };
        if start.elapsed() > PATIENCE {
            bail!("the cluster is not {goal:?} after {PATIENCE:?}: {why}");
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What is not yet as wanted, in words.
fn missing(admin: &Rados, goal: Goal, expected: Option<&BTreeSet<Daemon>>) -> Result<Option<String>> {
    let ask = |prefix: &str| admin.mon_command(&json!({"prefix": prefix, "format": "json"}));
    let quorum = ask("quorum_status")?;
    let dump = ask("osd dump")?;
    let osds = up_since(&dump)?;
    if let Some(expected) = expected {
        let quorum: BTreeSet<_> = list(&quorum["quorum_names"])?.iter().filter_map(Value::as_str).collect();
        let mons: Vec<_> = expected.iter().filter(|d| matches!(d, Daemon::Mon(_))).map(|d| d.id()).collect();
        if !mons.iter().map(String::as_str).eq(quorum.iter().copied()) {
            return Ok(Some(format!("mons in quorum: {quorum:?}, not {mons:?}")));
        }
        let up: Vec<_> = osds.keys().map(|n| Daemon::Osd(*n)).collect();
        let wanted: Vec<_> = expected.iter().copied().filter(|d| matches!(d, Daemon::Osd(_))).collect();
        if up != wanted {
            return Ok(Some(format!("osds up: {up:?}, not {wanted:?}")));
        }
        if list(&dump["osds"])?.iter().any(|o| o["up"] == 1 && o["in"] == 0) {
            return Ok(Some("an osd is out".to_owned()));
        }
    }
    if ask("mgr dump")?["available"] != true {
        return Ok(Some("no mgr".to_owned()));
    }
    let wanted = list(&dump["pools"])?.iter().filter_map(|p| p["pg_num"].as_u64()).sum();
    let dump = admin.mgr_command(&json!({"prefix": "pg dump", "dumpcontents": ["pgs"], "format": "json"}))?;
    let groups = if dump.is_array() { &dump } else { &dump["pg_stats"] };
    groups_missing(list(groups)?, &osds, goal, wanted)
}

/// OSDs that are up, and the map epoch since when.
fn up_since(dump: &Value) -> Result<BTreeMap<u32, u64>> {
    let up = list(&dump["osds"])?.iter().filter(|o| o["up"] == 1);
    up.map(|o| Ok((u32::try_from(uint(&o["osd"])?)?, uint(&o["up_from"])?))).collect()
}

fn groups_missing(
    groups: &[Value],
    osds: &BTreeMap<u32, u64>,
    goal: Goal,
    wanted: u64,
) -> Result<Option<String>> {
    let mut states = BTreeMap::<String, u64>::new();
    let mut good = 0;
    for group in groups {
        // The mgr's reports are a second or more older than the map: one from before a member came up or went down says
        // nothing. 2^31-1 is no OSD.
        let epoch: u64 = group["reported_epoch"]
            .as_str()
            .map_or_else(|| uint(&group["reported_epoch"]), |s| Ok(s.parse()?))?;
        let mut members = list(&group["acting"])?.iter().filter_map(Value::as_u64).filter(|o| *o < 1 << 30);
        let old = members
            .any(|o| u32::try_from(o).ok().and_then(|o| osds.get(&o)).is_none_or(|since| epoch < *since));
        let state = if old { "old report" } else { group["state"].as_str().context("no state")? };
        *states.entry(state.to_owned()).or_default() += 1;
        let has = |part: &str| state.split('+').any(|s| s == part);
        good += u64::from(has("active") && !has("stale") && (goal == Goal::Active || has("clean")));
    }
    let same = good == wanted && groups.len() as u64 == wanted;
    Ok((!same).then(|| format!("placement groups: {states:?}, {wanted} wanted")))
}

fn list(value: &Value) -> Result<&Vec<Value>> {
    value.as_array().with_context(|| format!("not a list: {value}"))
}

fn uint(value: &Value) -> Result<u64> {
    value.as_u64().with_context(|| format!("not a number: {value}"))
}
