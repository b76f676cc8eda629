//! `linger map` beside `ceph osd map`.

use crate::tool::bare;
use anyhow::{Context, Result, ensure};
use linger_testbed::{Cluster, Daemon, Release, need_ceph};
use serde_json::{Value, json};

const OBJECTS_A_POOL: usize = 2_000;

/// Name, and how `osd pool create` is to make it.
fn pools() -> [(&'static str, Value); 5] {
    [
        ("rep", json!({"pg_num": 12, "pgp_num": 12, "size": 3})),
        ("two", json!({"pg_num": 23, "pgp_num": 17, "size": 2})),
        ("fast", json!({"pg_num": 8, "pgp_num": 8, "rule": "fast", "size": 2})),
        (
            "ec21",
            json!({"pg_num": 13, "pgp_num": 13, "pool_type": "erasure", "erasure_code_profile": "ec21"}),
        ),
        (
            "ec32",
            json!({"pg_num": 16, "pgp_num": 16, "pool_type": "erasure", "erasure_code_profile": "ec32"}),
        ),
    ]
}

#[test]
fn map_equals_ceph_osd_map() -> Result<()> {
    need_ceph!(Ok(()));
    // Weights and upmaps are changed: not for the cluster that other tests share.
    let cluster = Cluster::builder().release(Release::Pacific).osds(6).boot()?;
    make_pools(&cluster)?;
    disturb(&cluster)?;
    let mut compared = 0;
    for (pool, _) in pools() {
        let names: Vec<_> = (0..OBJECTS_A_POOL).map(name).collect();
        let (space, default) = names.split_at(OBJECTS_A_POOL / 4);
        compared += compare(&cluster, pool, default, "")?;
        compared += compare(&cluster, pool, space, "some space")?;
    }
    println!("{compared} objects are where ceph osd map says");
    osdmap_equals_osdmaptool(&cluster)
}

/// The lines of the tool, byte for byte.
fn osdmap_equals_osdmaptool(cluster: &Cluster) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("osdmap");
    let file = file.to_str().context("not UTF-8")?;
    cluster.run(&["ceph", "osd", "getmap", "-o", file])?;
    for options in [&[][..], &["--mark-up-in"]] {
        let theirs = cluster.run(&[&["osdmaptool", file, "--test-map-pgs-dump-all"], options].concat())?;
        let theirs: Vec<_> = theirs.lines().filter(|line| line.contains(" raw (")).collect();
        let ours = bare().args(["osdmap", file, "--pgs"]).args(options).output()?;
        let ours = String::from_utf8(ours.stdout)?;
        ensure!(theirs.len() > 70 && ours.lines().eq(theirs.iter().copied()), "ours:\n{ours}\n{theirs:#?}");
    }
    Ok(())
}

/// Names of many lengths, some not ASCII.
fn name(n: usize) -> String {
    match n % 4 {
        0 => format!("rbd_data.{n:016x}.{:016x}", n * 7919),
        1 => format!("{n}"),
        2 => format!("\u{fc}ber {n} {}", "x".repeat(n % 60)),
        _ => format!("obj-{n}-{}", n * 31),
    }
}

fn ask(cluster: &Cluster, prefix: &str, more: Value) -> Result<Value> {
    let mut command = more;
    command["prefix"] = prefix.into();
    command["format"] = "json".into();
    cluster.mon_command(&command).with_context(|| command.to_string())
}

fn make_pools(cluster: &Cluster) -> Result<()> {
    for (name, class) in [("fast", ["osd.0", "osd.2", "osd.4"]), ("slow", ["osd.1", "osd.3", "osd.5"])] {
        ask(cluster, "osd crush rm-device-class", json!({"ids": class}))?;
        ask(cluster, "osd crush set-device-class", json!({"class": name, "ids": class}))?;
    }
    let rule = json!({"name": "fast", "root": "default", "type": "osd", "class": "fast"});
    ask(cluster, "osd crush rule create-replicated", rule)?;
    for (name, k, m) in [("ec21", 2, 1), ("ec32", 3, 2)] {
        let profile = [format!("k={k}"), format!("m={m}"), "crush-failure-domain=osd".to_owned()];
        ask(cluster, "osd erasure-code-profile set", json!({"name": name, "profile": profile}))?;
    }
    for (name, mut how) in pools() {
        how["pool"] = name.into();
        ask(cluster, "osd pool create", how)?;
    }
    cluster.wait_clean()
}

/// Reweights, affinities, upmaps, an OSD that is out and one that is down.
fn disturb(cluster: &Cluster) -> Result<()> {
    ask(cluster, "osd set-require-min-compat-client", json!({"version": "luminous"}))?;
    for flag in ["noout", "norecover", "nobackfill"] {
        ask(cluster, "osd set", json!({"key": flag}))?;
    }
    ask(cluster, "osd reweight", json!({"id": 0, "weight": 0.6}))?;
    ask(cluster, "osd crush reweight", json!({"name": "osd.1", "weight": 2.5}))?;
    for (osd, affinity) in [(2, 0.0), (3, 0.5)] {
        ask(cluster, "osd primary-affinity", json!({"id": osd, "weight": affinity}))?;
    }
    for seed in 0..6 {
        upmap(cluster, "rep", seed)?;
        upmap(cluster, "ec21", seed)?;
    }
    ask(cluster, "osd out", json!({"ids": ["5"]}))?;
    cluster.stop(Daemon::Osd(4))?;
    let dump = ask(cluster, "osd dump", json!({}))?;
    let count = |field: &str| dump[field].as_array().map_or(0, Vec::len);
    ensure!(count("pg_upmap_items") > 0 && count("pg_upmap") > 0, "no upmaps are left: {dump}");
    Ok(())
}

/// Moves one shard of a group to an OSD that has none, by one or the other kind of upmap.
fn upmap(cluster: &Cluster, pool: &str, seed: u32) -> Result<()> {
    let pools = ask(cluster, "osd lspools", json!({}))?;
    let pools = pools.as_array().context("no pools")?;
    let id = pools.iter().find(|p| p["poolname"] == pool).context("no such pool")?["poolnum"].clone();
    let pg = format!("{id}.{seed:x}");
    let mut up: Vec<i64> =
        serde_json::from_value(ask(cluster, "pg map", json!({"pgid": pg}))?["up"].clone())?;
    let free = (0..4).find(|osd| !up.contains(osd));
    let (Some(to), Some(first)) = (free, up.first_mut()) else { return Ok(()) };
    if seed.is_multiple_of(2) {
        ask(cluster, "osd pg-upmap-items", json!({"pgid": pg, "id": [*first, to]}))?;
    } else {
        *first = to;
        ask(cluster, "osd pg-upmap", json!({"pgid": pg, "id": up}))?;
    }
    Ok(())
}

/// Compares where `names` are. Maps change while groups peer: both sides must see one epoch.
fn compare(cluster: &Cluster, pool: &str, names: &[String], space: &str) -> Result<usize> {
    for _ in 0..10 {
        let epoch = cluster.osdmap_epoch()?;
        let ours = ours(cluster, pool, names, space)?;
        let question = |name: &String| json!({"prefix": "osd map", "pool": pool, "object": name, "nspace": space, "format": "json"});
        let theirs = cluster.admin()?.mon_commands(names.iter().map(question))?;
        if cluster.osdmap_epoch()? != epoch || theirs.iter().any(|answer| answer["epoch"] != epoch) {
            continue;
        }
        ensure!(ours.len() == theirs.len(), "{} lines of {}", ours.len(), theirs.len());
        for ((ours, theirs), name) in ours.iter().zip(&theirs).zip(names) {
            let expected = json!({"object": name, "pool": pool, "pg": theirs["pgid"],
                "up": theirs["up"], "up_primary": theirs["up_primary"],
                "acting": theirs["acting"], "acting_primary": theirs["acting_primary"]});
            ensure!(*ours == expected, "ours {ours}\ntheirs {expected}");
        }
        return Ok(ours.len());
    }
    anyhow::bail!("the map does not come to rest")
}

fn ours(cluster: &Cluster, pool: &str, names: &[String], space: &str) -> Result<Vec<Value>> {
    let mut command = bare();
    command.arg("-c").arg(cluster.conf()).args(["--json", "-N", space, "map", pool]).args(names);
    let output = command.output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
