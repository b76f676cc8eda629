//! Daemons die, maps move, caps change: on clusters of their own.

use crate::Adapter;
use crate::support::{PATIENCE, sleep, soon};
use anyhow::{Context, Result};
use futures_lite::future::zip;
use linger_client::config::Settings;
use linger_client::{ConnectOptions, LossCause, NotifyOutcome, OpError, WatchEvent, WatchOptions};
use linger_testbed::{Cluster, Daemon, PoolKind};
use serde_json::json;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// With nobody there to answer, everything that has a deadline keeps it.
pub async fn with_all_daemons_dead_everything_ends_in_time<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(2).boot()?;
    ceph.pool("p", PoolKind::Replicated, 4)?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let cluster = on.connect(settings).await?;
    let pool = cluster.pool("p").within(3 * SECOND);
    pool.create("o", false).await?;
    let options = WatchOptions { timeout: 4 * SECOND, ..WatchOptions::default() };
    let mut watch = pool.watch("o", options.clone()).await?;
    soon(watch.live()).await??;
    let mut second = pool.watch("o", options.clone()).await?;
    soon(second.live()).await??;
    let accepted = pool.notify("o", "nobody answers", 2 * SECOND).await?;
    for daemon in [Daemon::Osd(0), Daemon::Osd(1), Daemon::Mon(0)] {
        ceph.kill(daemon)?;
    }

    let start = Instant::now();
    let never = pool.notify("o", "x", 2 * SECOND).await?;
    let give_up = WatchOptions { register_within: Some(2 * SECOND), ..options };
    let mut late = pool.watch("o", give_up).await?;
    let (stat, (write, watchers)) =
        zip(pool.stat("o"), zip(pool.write_full("o", "x"), pool.wait_until_unwatched("o", false))).await;
    for result in [stat.err(), write.err(), watchers.err()] {
        assert!(
            matches!(result, Some(linger_client::Error::Op { error: OpError::DeadlinePassed, .. })),
            "{result:?}"
        );
    }
    assert!(start.elapsed() < 4 * SECOND, "{:?}", start.elapsed());
    assert_eq!(soon(never).await??, NotifyOutcome::NeverAccepted);
    let outcome = soon(accepted).await??;
    assert!(!matches!(outcome, NotifyOutcome::Done(_)), "{outcome:?}");
    assert!(start.elapsed() < 9 * SECOND, "2 s, and 5 s of grace: {:?}", start.elapsed());
    assert!(
        matches!(soon(late.live()).await?, Err(linger_client::Error::Watch { error, .. }) if error.cause == LossCause::Held)
    );
    let lost = loop {
        match soon(watch.next()).await? {
            Some(WatchEvent::Error(error)) => break error,
            Some(WatchEvent::Live(_) | WatchEvent::Notification(_)) => {}
            other => anyhow::bail!("{other:?} instead of an error"),
        }
    };
    assert_eq!(lost.cause, LossCause::Lease);
    let left = soon(second.unwatch_within(SECOND)).await??.context("nothing is left behind")?;
    assert_eq!(left.gone_within, 4 * SECOND);
    let left = soon(cluster.close(SECOND)).await??;
    assert_eq!(left.len(), 2, "both may be there still: {left:?}");
    assert!(start.elapsed() < PATIENCE);
    Ok(())
}

/// A map that is not followed costs no messages, and a moved watch still comes back.
pub async fn maps_on_demand_are_enough<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(2).boot()?;
    ceph.pool("p", PoolKind::Replicated, 4)?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let mut options = ConnectOptions::try_from(settings)?;
    options.config.follow_map = false;
    let cluster = on.start(options)?.await?;
    let pool = cluster.pool("p");
    pool.create("o", false).await?;
    let mut watch = pool.watch("o", WatchOptions::default()).await?;
    let live = soon(watch.live()).await??;
    assert!(matches!(watch.next().await, Some(WatchEvent::Live(_))));
    let before = cluster.with_map(|map| map.epoch).await?;
    ceph.mon_command(&json!({"prefix": "osd down", "ids": [live.osd.to_string()]}))?;
    let Some(WatchEvent::Live(again)) = soon(watch.next()).await? else { anyhow::bail!("not live again") };
    assert!(!again.may_have_missed && again.generation == 1, "{again:?}");
    assert!(cluster.with_map(|map| map.epoch).await? > before);
    Ok(())
}

/// Caps are in the ticket: those that are taken away count from the next ticket and the next session on.
pub async fn caps_that_are_taken_away_end_the_watch<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(1).conf("auth_service_ticket_ttl", "4").boot()?;
    let object = ceph.pool("p", PoolKind::Replicated, 1)?.object("o");
    ceph.admin()?.write_full(&object, b"")?;
    let caps = |osd: &str| json!({"entity": "client.some", "caps": ["mon", "allow r", "osd", osd], "format": "json"});
    let mut create = caps("allow rwx");
    create["prefix"] = "auth get-or-create".into();
    let answer = ceph.mon_command(&create)?;
    let key = answer[0]["key"].as_str().context("no key")?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).id("some").key(key).build()?;
    let cluster = on.connect(settings).await?;
    let mut watch = cluster.pool("p").watch("o", WatchOptions::default()).await?;
    soon(watch.live()).await??;

    let mut change = caps("allow r");
    change["prefix"] = "auth caps".into();
    ceph.mon_command(&change)?;
    sleep(5 * SECOND).await;
    assert!(watch.is_live(), "the session goes on");
    ceph.stop(Daemon::Osd(0))?;
    ceph.start(Daemon::Osd(0))?;
    let error = loop {
        match soon(watch.next()).await? {
            Some(WatchEvent::Error(error)) if error.is_terminal() => break error,
            Some(WatchEvent::Error(_) | WatchEvent::Live(_)) => {}
            other => anyhow::bail!("{other:?} instead of an error"),
        }
    };
    assert_eq!((error.cause, error.errno), (LossCause::Denied, Some(1)));
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Closed)));
    Ok(())
}
