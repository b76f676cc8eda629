//! The maps of a live cluster, epoch by epoch: each incremental makes the next full map, and all groups lie where Ceph
//! has them.

use anyhow::{Context, Result, ensure};
use linger_conformance::{compare_pgs, osdmaptool_pgs};
use linger_core::placement::{Interval, Placer, pgs};
use linger_testbed::{Cluster, Daemon, PoolKind, Release, Root, Store, need_cluster};
use linger_wire::Decode;
use linger_wire::osdmap::{Incremental, MapChange, OsdMap};
use serde_json::{Value, json};
use std::{
    env, fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

#[test]
fn incrementals_make_the_next_map() -> Result<()> {
    need_cluster!(Ok(()));
    let release = env::var("LINGER_RELEASE").map_or(Ok(Release::Pacific), |name| name.parse())?;
    let cluster = Cluster::builder().release(release).store(store_of(release)).osds(4).boot()?;
    let first = cluster.osdmap_epoch()?;
    cluster.pool("rep", PoolKind::Replicated, 13)?;
    cluster.pool("ec", PoolKind::Erasure, 7)?;
    for command in commands(release) {
        cluster.mon_command(&command).with_context(|| command.to_string())?;
    }
    cluster.kill(Daemon::Osd(3))?;
    wait_for_osd(&cluster, 3, false)?;
    cluster.start(Daemon::Osd(3))?;
    wait_for_osd(&cluster, 3, true)?;
    // Once it has stopped, its store can be read.
    cluster.stop(Daemon::Osd(0))?;
    let last = cluster.osdmap_epoch()?;

    // Nautilus' own osdmaptool crashes on OSD ids that are not in use.
    let tools = Root::fetch(Release::Tentacle)?;
    let folder = tempfile::tempdir()?;
    let last = read_maps(&cluster, folder.path(), first, last)?;
    let mut map = read_full(folder.path(), first)?;
    let (mut groups, mut precise) = (0, 0);
    for epoch in first + 1..=last {
        let before = map.clone();
        let inc = Incremental::decode(&fs::read(folder.path().join(format!("inc.{epoch}")))?)?;
        let change = map.apply(&inc)?;
        let full = read_full(folder.path(), epoch)?;
        if map.crush.extent != full.crush.extent {
            // The incremental has MSR settings that the full map leaves out.
            Arc::make_mut(&mut map.crush).extent = full.crush.extent;
        }
        ensure!(map == full, "epoch {epoch}: {inc:#?}\nmade   {map:#?}\nshould {full:#?}");
        let crc = map.crc(inc.server.encode_features);
        ensure!(crc == inc.full_crc, "epoch {epoch}: full crc {crc:#x}, should be {:#x}", inc.full_crc);
        check_change(&before, &map, &change).with_context(|| format!("epoch {epoch}: {change:?}"))?;
        precise += usize::from(!change.everything);
        if epoch % 6 == 0 || epoch == last {
            let theirs = osdmaptool_pgs(&tools, &folder.path().join(format!("full.{epoch}")), &[])?;
            groups += compare_pgs(&map, &theirs).with_context(|| format!("epoch {epoch}"))?;
        }
    }
    println!("{} epochs, {precise} do not concern all groups, {groups} placements are equal", last - first);
    ensure!(last - first > 40 && precise > 10 && groups > 100);
    Ok(())
}

fn wait_for_osd(cluster: &Cluster, osd: i64, up: bool) -> Result<()> {
    let start = Instant::now();
    loop {
        let dump = cluster.mon_command(&json!({"prefix": "osd dump", "format": "json"}))?;
        let osds = dump["osds"].as_array().context("osds")?;
        if osds.iter().any(|o| o["osd"] == osd && o["up"] == i64::from(up)) {
            return Ok(());
        }
        ensure!(
            start.elapsed() < Duration::from_secs(60),
            "osd.{osd} is not {}",
            if up { "up" } else { "down" }
        );
        thread::sleep(Duration::from_millis(100));
    }
}

/// Tentacle's ceph-objectstore-tool can not open a memstore.
fn store_of(release: Release) -> Store {
    if release == Release::Tentacle { Store::Blue } else { Store::Mem }
}

/// What did change must be covered by what is said to have changed.
fn check_change(before: &OsdMap, after: &OsdMap, change: &MapChange) -> Result<()> {
    let (mut old, mut new) = (Placer::new(before), Placer::new(after));
    for pg in pgs(before) {
        let was = Interval::with(&mut old, before, pg).context("a pool")?;
        let is = Interval::with(&mut new, after, pg);
        let same = is.is_some_and(|is| !is.is_new_since(&was));
        ensure!(same || change.affects(pg) || change.flags, "{pg} changed");
    }
    for osd in 0..before.max_osd {
        let same = before.is_up(osd) == after.is_up(osd) && before.addrs(osd) == after.addrs(osd);
        ensure!(same || change.osds.contains(&osd), "osd.{osd} changed");
    }
    ensure!(before.flags == after.flags || change.flags, "flags changed");
    ensure!(before.blocklist == after.blocklist || change.blocklist, "the blocklist changed");
    ensure!(before.pool_names == after.pool_names || !change.pools.is_empty(), "names changed");
    Ok(())
}

fn read_full(folder: &Path, epoch: u32) -> Result<OsdMap> {
    let map = OsdMap::decode(&fs::read(folder.join(format!("full.{epoch}")))?)?;
    ensure!(map.epoch == epoch, "{} instead of {epoch}", map.epoch);
    Ok(map)
}

/// Reads full maps and incrementals out of the stopped osd.0, in one mount namespace. Returns the last epoch it has.
fn read_maps(cluster: &Cluster, folder: &Path, first: u32, last: u32) -> Result<u32> {
    let store = cluster.dir().context("a cluster of our own")?.join("osd.0");
    let script = r#"
        get() { ceph-objectstore-tool --type $store --data-path "$1" --op get-$2 --epoch $3 --file "$4"; }
        store=$5
        get "$1" osdmap $3 "$2/full.$3"
        for e in $(seq $(($3 + 1)) $4); do
            get "$1" inc-osdmap $e "$2/inc.$e" && get "$1" osdmap $e "$2/full.$e" || break
        done"#;
    let mut command = cluster.command("sh");
    command
        .args(["-c", script, "sh"])
        .arg(store)
        .arg(folder)
        .args([first, last].map(|epoch| epoch.to_string()));
    let tool_type = match cluster.release().map(store_of) {
        Some(Store::Blue) => "bluestore",
        _ => "memstore",
    };
    command.arg(tool_type);
    let output = command.output()?;
    let read = (first..=last).take_while(|epoch| folder.join(format!("full.{epoch}")).exists()).last();
    read.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Everything a user can do to a map.
fn commands(release: Release) -> Vec<Value> {
    let list = if release == Release::Nautilus { "blacklist" } else { "blocklist" };
    let prefix = format!("osd {list}");
    let blocklist = |op: &str, addr: &str| json!({"prefix": prefix, format!("{list}op"): op, "addr": addr});
    let pool_set =
        |var: &str, val: &str| json!({"prefix": "osd pool set", "pool": "rep", "var": var, "val": val});
    vec![
        json!({"prefix": "osd set-require-min-compat-client", "version": "luminous"}),
        json!({"prefix": "osd pg-upmap-items", "pgid": "1.1", "id": [0, 3, 3, 0]}),
        json!({"prefix": "osd pg-upmap-items", "pgid": "2.1", "id": [0, 3]}),
        json!({"prefix": "osd pg-upmap", "pgid": "1.2", "id": [2, 1, 3]}),
        json!({"prefix": "osd pg-upmap", "pgid": "2.2", "id": [2, 1, 3]}),
        json!({"prefix": "osd primary-affinity", "id": 0, "weight": 0.5}),
        json!({"prefix": "osd primary-affinity", "id": 1, "weight": 0.0}),
        json!({"prefix": "osd reweight", "id": 2, "weight": 0.6}),
        json!({"prefix": "osd crush reweight", "name": "osd.1", "weight": 0.7}),
        json!({"prefix": "osd pg-temp", "pgid": "1.3", "id": [3, 2, 1]}),
        json!({"prefix": "osd primary-temp", "pgid": "1.4", "id": 2}),
        json!({"prefix": "osd pg-temp", "pgid": "2.3", "id": [3, 2, 1]}),
        blocklist("add", "10.0.0.1:0/123"),
        blocklist("add", "10.0.0.2"),
        blocklist("rm", "10.0.0.1:0/123"),
        json!({"prefix": "osd pool create", "pool": "old", "pg_num": 4}),
        json!({"prefix": "osd pool rename", "srcpool": "old", "destpool": "new"}),
        json!({"prefix": "osd pool application enable", "pool": "new", "app": "rbd"}),
        json!({"prefix": "osd pool mksnap", "pool": "new", "snap": "one"}),
        json!({"prefix": "osd pool rmsnap", "pool": "new", "snap": "one"}),
        json!({"prefix": "osd pool delete", "pool": "new", "pool2": "new", "yes_i_really_really_mean_it": true}),
        pool_set("size", "2"),
        pool_set("min_size", "1"),
        pool_set("pg_num", "17"),
        pool_set("pg_num", "11"),
        json!({"prefix": "osd set", "key": "noout"}),
        json!({"prefix": "osd set", "key": "pause"}),
        json!({"prefix": "osd unset", "key": "pause"}),
        json!({"prefix": "osd down", "ids": ["1"]}),
        json!({"prefix": "osd out", "ids": ["2"]}),
        json!({"prefix": "osd in", "ids": ["2"]}),
        json!({"prefix": "osd erasure-code-profile set", "name": "mine", "profile": ["k=3", "m=2"]}),
        json!({"prefix": "osd erasure-code-profile rm", "name": "mine"}),
        json!({"prefix": "osd crush add-bucket", "name": "rack1", "type": "rack"}),
        json!({"prefix": "osd crush rm-device-class", "ids": ["0"]}),
        json!({"prefix": "osd crush set-device-class", "class": "fast", "ids": ["0"]}),
        json!({"prefix": "osd set-group", "flags": "noup", "who": ["fast"]}),
        json!({"prefix": "osd unset-group", "flags": "noup", "who": ["fast"]}),
        json!({"prefix": "osd new", "uuid": "11111111-2222-3333-4444-555555555555"}),
        json!({"prefix": "osd destroy-actual", "id": 4, "yes_i_really_mean_it": true}),
        json!({"prefix": "osd purge-actual", "id": 4, "yes_i_really_mean_it": true}),
        json!({"prefix": "osd setmaxosd", "newmax": 9}),
        json!({"prefix": "osd set-nearfull-ratio", "ratio": 0.8}),
        json!({"prefix": "osd rm-pg-upmap-items", "pgid": "1.1"}),
        json!({"prefix": "osd rm-pg-upmap", "pgid": "1.2"}),
    ]
}
