//! Faults that are changes of the OSD map.

use crate::arena::Arena;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// How long splitting and merging may take.
const PG_NUM_PATIENCE: Duration = Duration::from_secs(60);

fn command(arena: &Arena, command: &Value) -> Result<Value> {
    arena.cluster().mon_command(command)
}

/// The placement groups of all objects, with their acting OSDs.
fn groups(arena: &Arena) -> Result<BTreeMap<String, Vec<i64>>> {
    let of = |object| -> Result<(String, Vec<i64>)> {
        let place = arena.place(object)?;
        let acting = place["acting"].as_array().context("no acting set")?;
        let pgid = place["pgid"].as_str().context("no pgid")?.to_owned();
        Ok((pgid, acting.iter().filter_map(Value::as_i64).collect()))
    };
    arena.objects().iter().map(of).collect()
}

pub(super) fn marked_down(arena: &Arena) -> Result<()> {
    for osd in ["0", "1"] {
        command(arena, &json!({"prefix": "osd down", "ids": [osd]}))?;
        thread::sleep(Duration::from_millis(500));
    }
    arena.cluster().wait_clean()
}

pub(super) fn marked_out(arena: &Arena, hold: Duration) -> Result<()> {
    command(arena, &json!({"prefix": "osd out", "ids": ["0"]}))?;
    thread::sleep(hold);
    command(arena, &json!({"prefix": "osd in", "ids": ["0"]}))?;
    arena.cluster().wait_clean()
}

pub(super) fn paused(arena: &Arena, hold: Duration) -> Result<()> {
    command(arena, &json!({"prefix": "osd pause"}))?;
    thread::sleep(hold);
    command(arena, &json!({"prefix": "osd unpause"}))?;
    arena.cluster().wait_active()
}

pub(super) fn pg_num(arena: &Arena) -> Result<()> {
    let pool = arena.pool();
    let shown = || -> Result<u64> {
        let get = json!({"prefix": "osd pool get", "pool": pool, "var": "pg_num", "format": "json"});
        command(arena, &get)?["pg_num"].as_u64().context("no pg_num")
    };
    let before = shown()?;
    for to in [before + 4, before] {
        let set = json!({"prefix": "osd pool set", "pool": pool, "var": "pg_num", "val": to.to_string()});
        command(arena, &set)?;
        let end = Instant::now() + PG_NUM_PATIENCE;
        while shown()? != to {
            ensure!(Instant::now() < end, "pg_num stays {} instead of {to}", shown()?);
            thread::sleep(Duration::from_millis(200));
        }
    }
    arena.cluster().wait_clean()
}

pub(super) fn pg_temp(arena: &Arena, hold: Duration) -> Result<()> {
    for (pgid, acting) in groups(arena)? {
        let turned: Vec<_> = acting.iter().cycle().skip(1).take(acting.len()).collect();
        command(arena, &json!({"prefix": "osd pg-temp", "pgid": pgid, "id": turned}))?;
    }
    // The primaries of old ask for the usual order again by themselves.
    thread::sleep(hold);
    arena.cluster().wait_clean()
}

pub(super) fn primary_affinity(arena: &Arena, hold: Duration) -> Result<()> {
    let set = |osd: i64, weight: f64| {
        command(arena, &json!({"prefix": "osd primary-affinity", "id": osd, "weight": weight})).map(drop)
    };
    [0, 1].into_iter().try_for_each(|osd| set(osd, 0.0))?;
    thread::sleep(hold);
    [0, 1].into_iter().try_for_each(|osd| set(osd, 1.0))?;
    arena.cluster().wait_clean()
}

/// Sets a value of the pool, and after a while the usual one again.
pub(super) fn pool_value(arena: &Arena, name: &str, values: [&str; 2], hold: Duration) -> Result<()> {
    for value in values {
        let pool = arena.pool();
        command(arena, &json!({"prefix": "osd pool set", "pool": pool, "var": name, "val": value}))?;
        thread::sleep(hold);
    }
    arena.cluster().wait_clean()
}

pub(super) fn upmap(arena: &Arena, hold: Duration) -> Result<()> {
    let version = json!({"prefix": "osd set-require-min-compat-client", "version": "luminous"});
    command(arena, &version)?;
    let groups = groups(arena)?;
    for (pgid, acting) in &groups {
        let other = (0..4).find(|osd| !acting.contains(osd)).context("no other OSD")?;
        let from = acting.first().context("no OSD")?;
        command(arena, &json!({"prefix": "osd pg-upmap-items", "pgid": pgid, "id": [from, other]}))?;
    }
    thread::sleep(hold);
    for pgid in groups.keys() {
        command(arena, &json!({"prefix": "osd rm-pg-upmap-items", "pgid": pgid}))?;
    }
    arena.cluster().wait_clean()
}
