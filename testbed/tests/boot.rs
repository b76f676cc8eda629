//! A cluster is what the other tests need it to be.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use linger_testbed::{Cluster, Daemon, Event, Object, PoolKind, RadosError, State, need_cluster};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn pacific_serves_watches_and_survives_a_killed_osd() -> Result<()> {
    need_cluster!(Ok(()));
    let cluster = Cluster::builder().boot()?;
    let replicated = cluster.pool("rep", PoolKind::Replicated, 8)?;
    let coded = cluster.pool("ec", PoolKind::Erasure, 4)?;
    assert_eq!(cluster.pool("rep", PoolKind::Replicated, 8)?, replicated);
    let rados = cluster.rados()?;

    let payload: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for pool in [&replicated, &coded] {
        let object = pool.object("data").namespace("space").key("key");
        rados.write_full(&object, &payload)?;
        ensure!(rados.read(&object)? == payload);
        ensure!(rados.stat(&object)? == 300_000);
        let elsewhere = rados.read(&pool.object("data")).unwrap_err();
        assert_eq!(elsewhere.downcast_ref::<RadosError>().map(|e| e.errno), Some(2));
    }

    let plain = replicated.object("obj");
    for object in [plain.clone(), plain.clone().namespace("space"), plain.clone().key("key")] {
        watch_and_notify(&cluster, &object)?;
    }

    cluster.kill(Daemon::Osd(0))?;
    assert_eq!(
        cluster.daemons()?.iter().find(|d| d.0 == Daemon::Osd(0)),
        Some(&(Daemon::Osd(0), State::Dead))
    );
    let start = Instant::now();
    cluster.wait_active()?;
    println!("osd.0 killed, active again after {:.1?}", start.elapsed());
    let object = replicated.object("data").namespace("space").key("key");
    ensure!(rados.read(&object)? == payload);
    cluster.start(Daemon::Osd(0))?;
    cluster.wait_clean()?;
    println!("osd.0 started, clean again after {:.1?}", start.elapsed());
    rados.remove(&object)?;

    let map = |i| json!({"prefix": "osd map", "pool": "rep", "object": format!("o{i}")});
    let start = Instant::now();
    let maps = rados.mon_commands((0..10_000).map(map))?;
    println!("10,000 osd map commands in {:.1?}", start.elapsed());
    assert_eq!((maps.len(), maps[7]["objname"].as_str()), (10_000, Some("o7")));
    Ok(())
}

fn watch_and_notify(cluster: &Cluster, object: &Object) -> Result<()> {
    let (watching, notifying) = (cluster.rados()?, cluster.rados()?);
    watching.write_full(object, b"")?;
    let keyed = !object.key.is_empty();
    let watch = watching.watch(object, b"re\x00ply\xff")?;
    let client = if keyed { watching.notifier_id()? } else { watching.instance_id()? };
    let listed = cluster.list_watchers(object)?;
    assert_eq!(listed.iter().map(|w| (w.client, w.cookie)).collect::<Vec<_>>(), [(client, watch.cookie)]);

    let report = notifying.notify(object, b"he\x00llo\xfe", 5 * SECOND)?;
    assert_eq!((report.errno, report.timeouts.len()), (0, 0));
    let ack = report.acks.first().context("no ack")?;
    assert_eq!((ack.client, ack.cookie, ack.data.as_slice()), (client, watch.cookie, &b"re\x00ply\xff"[..]));
    let Some(Event::Notify { watch: number, notifier, data, .. }) = watching.event(SECOND)? else {
        anyhow::bail!("no notify came");
    };
    assert_eq!(
        (number, notifier, data.as_slice()),
        (watch.number(), notifying.notifier_id()?, &b"he\x00llo\xfe"[..])
    );

    watching.unwatch(watch)?;
    ensure!(cluster.list_watchers(object)?.is_empty());
    ensure!(notifying.notify(object, b"", SECOND)?.acks.is_empty());
    Ok(())
}

#[test]
fn a_slow_watcher_is_reported_and_a_paused_daemon_resumes() -> Result<()> {
    need_cluster!(Ok(()));
    let cluster = Cluster::builder().osds(1).boot()?;
    let object = cluster.pool("p", PoolKind::Replicated, 1)?.object("obj");
    let rados = cluster.rados()?;
    rados.write_full(&object, b"")?;
    let watch = rados.watch_slowly(&object, b"late", 3 * SECOND, 0)?;
    let report = cluster.rados()?.notify(&object, b"x", SECOND)?;
    assert_eq!((report.errno, report.acks.len()), (110, 0));
    assert_eq!(report.timeouts.iter().map(|t| t.cookie).collect::<Vec<_>>(), [watch.cookie]);

    cluster.pause(Daemon::Osd(0))?;
    assert_eq!(cluster.daemons()?.last(), Some(&(Daemon::Osd(0), State::Paused)));
    cluster.resume(Daemon::Osd(0))?;
    cluster.wait_active()?;
    cluster.stop(Daemon::Osd(0))?;
    cluster.start(Daemon::Osd(0))?;
    cluster.wait_active()?;
    assert_eq!(rados.read(&object)?, b"");
    Ok(())
}

#[test]
fn a_dropped_cluster_leaves_nothing() -> Result<()> {
    need_cluster!(Ok(()));
    let cluster = Cluster::builder().osds(1).boot()?;
    let dir = cluster.dir().context("no folder")?.to_owned();
    let pid = cluster.pid(Daemon::Osd(0))?;
    drop(cluster);
    ensure!(!dir.exists());
    ensure!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}
