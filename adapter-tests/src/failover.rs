//! Daemons die and come back, pools and objects go: on a cluster of its own.

use crate::Adapter;
use crate::support::{notification, soon, timeout};
use anyhow::{Result, bail};
use linger_client::config::Settings;
use linger_client::{LossCause, Watch, WatchEvent, WatchOptions};
use linger_testbed::{Cluster, Daemon, PoolKind};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);

fn options() -> WatchOptions {
    WatchOptions { timeout: Duration::from_secs(20), ..WatchOptions::default() }
}

/// The next time that the watch is live at another OSD than that, with no loss before.
async fn live_elsewhere(watch: &mut Watch, than: i32) -> Result<linger_client::Live> {
    loop {
        match soon(watch.next()).await? {
            Some(WatchEvent::Live(live)) if live.may_have_missed => bail!("{live:?}: RECONNECT finds it"),
            Some(WatchEvent::Live(live)) if live.osd != than => return Ok(live),
            Some(WatchEvent::Live(_)) => {}
            other => bail!("{other:?} instead of live"),
        }
    }
}

/// Where the watch is by now.
async fn primary(watch: &mut Watch, mut osd: i32) -> Result<i32> {
    while let Ok(event) = timeout(Duration::from_millis(500), watch.next()).await {
        match event {
            Some(WatchEvent::Live(live)) if live.generation == 0 || !live.may_have_missed => osd = live.osd,
            other => bail!("{other:?} instead of live"),
        }
    }
    Ok(osd)
}

pub async fn watches_follow_their_primary_and_end_with_their_object<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(3).boot()?;
    ceph.pool("plain", PoolKind::Replicated, 8)?;
    ceph.pool("coded", PoolKind::Erasure, 8)?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let cluster = on.connect(settings).await?;
    let mut watches = Vec::new();
    for pool in ["plain", "coded"] {
        let pool = cluster.pool(pool);
        pool.create("followed", false).await?;
        let mut watch = pool.watch("followed", options()).await?;
        let live = soon(watch.live()).await??;
        watches.push((pool, watch, live.osd));
    }

    for (pool, watch, osd) in &mut watches {
        let osd = primary(watch, *osd).await?;
        let dead = Daemon::Osd(u32::try_from(osd)?);
        ceph.kill(dead)?;
        live_elsewhere(watch, osd).await?;
        let notify = pool.notify("followed", "still there?", TIMEOUT).await?;
        notification(watch).await?.ack("yes")?;
        soon(notify).await??;
        ceph.start(dead)?;
        ceph.wait_clean()?;
    }

    // What the daemons' return did is not told apart here: any number of moves, but no loss.
    for (pool, watch, _) in &mut watches {
        pool.remove("followed").await?;
        let cause = loop {
            match soon(watch.next()).await? {
                Some(WatchEvent::Live(live)) => assert!(!live.may_have_missed, "{live:?}"),
                Some(WatchEvent::Error(error)) if error.is_terminal() => break error.cause,
                Some(WatchEvent::Error(error)) => assert_eq!(error.cause, LossCause::Disconnected),
                other => bail!("{other:?}"),
            }
        };
        assert_eq!(cause, LossCause::ObjectGone);
    }
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}

/// No ping is confirmed for longer than the timeout: the watch is lost, by the client's own clock, and
/// comes back when the OSD does.
pub async fn a_watch_whose_lease_passes_is_lost_and_comes_back<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(1).long_read_leases().boot()?;
    ceph.pool("paused", PoolKind::Replicated, 8)?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let cluster = on.connect(settings).await?;
    let pool = cluster.pool("paused");
    pool.create("lost", false).await?;
    let options = WatchOptions { timeout: Duration::from_secs(3), ..WatchOptions::default() };
    let mut watch = pool.watch("lost", options).await?;
    let first = soon(watch.live()).await??;
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))));
    ceph.pause(Daemon::Osd(0))?;
    let event = soon(watch.next()).await?;
    assert!(matches!(&event, Some(WatchEvent::Error(error)) if !error.is_terminal()), "{event:?}");
    assert!(!watch.is_live());
    ceph.resume(Daemon::Osd(0))?;
    let event = soon(watch.next()).await?;
    let Some(WatchEvent::Live(again)) = event else { bail!("{event:?} instead of live") };
    assert!(again.may_have_missed && again.generation > first.generation, "{again:?}");
    assert!(again.cookie != first.cookie && again.deaf_for > Duration::ZERO, "{again:?}");
    let notify = pool.notify("lost", "back?", TIMEOUT).await?;
    notification(&mut watch).await?.ack("yes")?;
    soon(notify).await??;
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}
