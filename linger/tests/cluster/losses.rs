//! A watch through the death of its OSD.

use crate::tool::{Running, bare};
use anyhow::{Context, Result, ensure};
use linger_testbed::{Cluster, Daemon, PoolKind, need_ceph};
use std::time::Duration;

#[test]
fn a_watch_outlives_its_osd() -> Result<()> {
    need_ceph!(Ok(()));
    let cluster = Cluster::builder().osds(3).boot()?;
    let pool = cluster.pool("losses", PoolKind::Replicated, 8)?;
    let object = pool.object("object");
    let mut watch = bare();
    watch.arg("-c").arg(cluster.conf()).args([
        "--json",
        "watch",
        "losses",
        "object",
        "--create",
        "--ack",
        "still here",
    ]);
    let watch = Running::start(watch)?;
    let live = watch.event("live")?;
    let osd = u32::try_from(live["osd"].as_i64().context("no osd")?)?;

    cluster.kill(Daemon::Osd(osd))?;
    let again = watch.line_with(&["\"event\":\"live\""])?;
    let again: serde_json::Value = serde_json::from_str(&again)?;
    ensure!(again["generation"].as_u64() > Some(0) && again["osd"] != live["osd"], "{again}");
    ensure!(again["client"] == live["client"] && again["pg"] == live["pg"], "{again}");

    let report = cluster.admin()?.notify(&object, b"alive?", Duration::from_secs(10))?;
    ensure!(report.acks.len() == 1 && report.acks[0].data == b"still here", "{report:?}");
    ensure!(again["cookie"] == report.acks[0].cookie, "{report:?} {again}");
    watch.line_with(&["\"payload\":\"alive?\""])?;

    watch.signal("TERM")?;
    ensure!(watch.end()?.0 == Some(0));
    ensure!(cluster.list_watchers(&object)?.is_empty());
    Ok(())
}
