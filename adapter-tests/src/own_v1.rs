//! Daemons that have only the port of msgr1: on clusters of their own.

use crate::Adapter;
use crate::support::{POOL, notification, object, soon, spawn};
use anyhow::{Context, Result, ensure};
use linger_client::config::Settings;
use linger_client::{
    Cluster, ClusterEvent, ConfigError, ConnFault, Error, Events, LinkMode, Live, NotifyOutcome, Watch,
    WatchEvent, WatchOptions,
};
use linger_testbed as testbed;
use linger_testbed::{Auth, Bind, Daemon, PoolKind};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A cluster of msgr1 only, with a pool.
fn boot(auth: Auth) -> Result<testbed::Cluster> {
    let ceph = testbed::Cluster::builder().auth(auth).bind(Bind::V1).boot()?;
    ceph.pool(POOL, PoolKind::Replicated, 8)?;
    Ok(ceph)
}

fn settings(ceph: &testbed::Cluster) -> linger_client::config::Builder {
    Settings::builder().conf(ceph.conf().display().to_string())
}

/// The next session with an OSD, or why there is none.
async fn osd(events: &mut Events) -> Result<Result<LinkMode, ConnFault>> {
    loop {
        match soon(events.next()).await?.context("no more events")? {
            ClusterEvent::OsdUp { mode, .. } => return Ok(Ok(mode)),
            ClusterEvent::OsdFault { fault, .. } => return Ok(Err(fault)),
            _ => {}
        }
    }
}

/// The next session with a monitor.
async fn mon(events: &mut Events) -> Result<LinkMode> {
    loop {
        if let ClusterEvent::MonUp { mode, .. } = soon(events.next()).await?.context("no more events")? {
            return Ok(mode);
        }
    }
}

/// Waits until a watch that was live is so again.
async fn again(watch: &mut Watch) -> Result<Live> {
    loop {
        match soon(watch.next()).await?.context("the watch ended")? {
            WatchEvent::Live(live) => return Ok(live),
            WatchEvent::Error(error) => ensure!(!error.is_terminal(), "{error}"),
            other => anyhow::bail!("{other:?} instead of a return"),
        }
    }
}

/// Notifies go both ways between Ceph's client and the watch, with a payload longer than one read.
async fn both_ways(ceph: &testbed::Cluster, cluster: &Cluster, watch: &mut Watch) -> Result<()> {
    let payload: Vec<u8> = (0..70_000u32).map(|n| n as u8).collect();
    let theirs = ceph.rados()?;
    let report = spawn({
        let payload = payload.clone();
        async move { theirs.notify(&object("v1"), &payload, TIMEOUT) }
    });
    let notify = notification(watch).await?;
    assert_eq!(notify.payload, payload);
    notify.ack(payload.clone())?;
    let report = soon(report).await??;
    ensure!(report.acks.len() == 1 && report.acks[0].data == payload, "{} acks", report.acks.len());

    let theirs = ceph.rados()?;
    let their_watch = theirs.watch(&object("v1"), b"seen")?;
    let notify = cluster.pool(POOL).notify("v1", payload.clone(), TIMEOUT).await?;
    notification(watch).await?.ack("")?;
    let NotifyOutcome::Done(report) = soon(notify).await?? else { anyhow::bail!("not done") };
    ensure!(report.watchers.missed.is_empty(), "{report:?}");
    let ack = report.watchers.acks.iter().find(|ack| ack.watcher.cookie == their_watch.cookie);
    assert_eq!(ack.context("no ack of Ceph's client")?.reply, "seen");
    theirs.unwatch(their_watch)
}

pub async fn all_of_it_works_over_v1_and_outlives_restarts<A: Adapter>(on: A) -> Result<()> {
    for auth in [Auth::Cephx, Auth::None] {
        let ceph = boot(auth)?;
        let cluster = soon(on.connect(settings(&ceph).build()?)).await??;
        let (mut events, pool) = (cluster.events(), cluster.pool(POOL));
        soon(pool.create("v1", false)).await??;
        let mut watch = pool.watch("v1", WatchOptions::default()).await?;
        let live = soon(watch.live()).await??;
        assert_eq!((mon(&mut events).await?, osd(&mut events).await??), (LinkMode::V1, LinkMode::V1));
        let theirs = ceph.list_watchers(&object("v1"))?;
        let ours = soon(pool.list_watchers("v1")).await??;
        ensure!(theirs.len() == 1 && ours.len() == 1, "{theirs:?} {ours:?}");
        assert_eq!((theirs[0].cookie, ours[0].watcher.cookie), (live.cookie, live.cookie));
        assert_eq!(theirs[0].client, cluster.global_id());
        both_ways(&ceph, &cluster, &mut watch).await?;

        let (id, primary) = (cluster.global_id(), Daemon::Osd(live.osd.try_into()?));
        ceph.stop(primary)?;
        again(&mut watch).await?;
        ceph.start(primary)?;
        ceph.wait_active()?;
        ceph.kill(Daemon::Mon(0))?;
        ceph.start(Daemon::Mon(0))?;
        assert_eq!(mon(&mut events).await?, LinkMode::V1);
        ensure!(cluster.global_id() == id, "another number: {} was {id}", cluster.global_id());
        both_ways(&ceph, &cluster, &mut watch).await?;
        cluster.close(TIMEOUT).await?;
    }
    Ok(())
}

pub async fn secure_alone_is_never_given_up_for_v1<A: Adapter>(on: A) -> Result<()> {
    let ceph = boot(Auth::Cephx)?;
    let settings = |option: &str| settings(&ceph).option(option, "secure").build();
    let refused = soon(on.connect(settings("ms_mon_client_mode")?)).await?;
    assert!(matches!(refused, Err(Error::Config(ConfigError::NoV2Monitor))), "{refused:?}");

    let cluster = soon(on.connect(settings("ms_client_mode")?)).await??;
    let (mut events, pool) = (cluster.events(), cluster.pool(POOL).within(Some(TIMEOUT)));
    let stat = spawn(async move { pool.stat("x").await });
    assert_eq!(osd(&mut events).await?, Err(ConnFault::OnlyV1));
    drop(stat);
    cluster.close(TIMEOUT).await?;
    Ok(())
}

/// Each side refuses what the other one did not sign.
pub async fn a_message_without_its_signature_ends_the_connection<A: Adapter>(on: A) -> Result<()> {
    for (theirs, ours, fault) in
        [("true", "false", ConnFault::Closed), ("false", "true", ConnFault::BadSignature)]
    {
        let ceph =
            testbed::Cluster::builder().osds(1).bind(Bind::V1).conf("cephx_sign_messages", theirs).boot()?;
        ceph.pool(POOL, PoolKind::Replicated, 8)?;
        let cluster =
            soon(on.connect(settings(&ceph).option("cephx_sign_messages", ours).build()?)).await??;
        let (mut events, pool) = (cluster.events(), cluster.pool(POOL).within(Some(TIMEOUT)));
        let stat = spawn(async move { pool.stat("x").await });
        assert_eq!(osd(&mut events).await?, Ok(LinkMode::V1));
        assert_eq!(osd(&mut events).await?, Err(fault));
        drop(stat);
        cluster.close(TIMEOUT).await?;

        let cluster =
            soon(on.connect(settings(&ceph).option("cephx_sign_messages", theirs).build()?)).await??;
        soon(cluster.pool(POOL).create("signed", false)).await??;
        cluster.close(TIMEOUT).await?;
    }
    Ok(())
}
