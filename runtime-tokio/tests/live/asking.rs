//! What a watch and a client can be asked, and a blocklist that is outlived.

use crate::common::{PATIENCE, connect, name, notification, object, soon, unwatched, wait};
use anyhow::{Context, Result};
use linger_testbed::{Cluster, Daemon, PoolKind, available, need_cluster, shared, skip};
use linger_tokio::config::Settings;
use linger_tokio::{ConnectOptions, LossCause, NotifyOutcome, OpError, WatchEvent, WatchOptions};
use serde_json::json;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn how_a_watch_stands_and_what_was_counted() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let name = name("status");
    pool.create(name.as_str(), false).await?;
    let options = WatchOptions { timeout: 4 * SECOND, ..WatchOptions::default() };
    let mut watch = pool.watch(name.as_str(), options).await?;
    let live = soon(watch.live()).await??;
    tokio::time::sleep(5 * SECOND).await;
    // The first event waits all this time, and the age says so; the lease is kept by pings.
    let status = watch.status().await?.context("ended")?;
    assert!(status.is_live && status.age >= 5 * SECOND && status.queued == 1, "{status:?}");
    assert!(status.lease_left > 2 * SECOND && status.cookie == live.cookie, "{status:?}");
    assert!(matches!(watch.next().await, Some(WatchEvent::Live(_))));
    let status = watch.status().await?.context("ended")?;
    assert!(status.age < 2 * SECOND && status.queued == 0, "{status:?}");
    let totals = cluster.totals().await?;
    assert_eq!((totals.live, totals.went_live, totals.losses.all()), (1, 1, 0));
    assert!(totals.pings.count >= 4 && totals.pings.max < SECOND, "{totals:?}");

    let watchers = pool.list_watchers(name.as_str()).await?;
    assert!(watchers.len() == 1 && watchers[0].is_me && watchers[0].watcher.cookie == live.cookie);
    // It waits for others only, or gives up at its deadline.
    assert_eq!(pool.wait_until_unwatched(name.as_str(), true).await?, []);
    let within = pool.clone().within(SECOND);
    assert_eq!(within.wait_until_unwatched(name.as_str(), false).await?, watchers);
    let waiting = tokio::spawn({
        let (pool, name) = (pool.clone(), name.clone());
        async move { pool.wait_until_unwatched(name.as_str(), false).await }
    });
    assert_eq!(soon(watch.unwatch_within(10 * SECOND)).await??, None);
    assert_eq!(soon(waiting).await???, []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flush_ends_when_all_events_are_taken() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let names = [name("flush"), name("flush")];
    let mut watches = Vec::new();
    for name in &names {
        pool.create(name.as_str(), false).await?;
        let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
        soon(watch.live()).await??;
        watches.push(watch);
    }
    // More than a mailbox holds, and nobody answers them in time.
    let mut notifies = Vec::new();
    for name in &names {
        for number in 0..20u8 {
            notifies.push(pool.notify(name.as_str(), vec![number], SECOND).await?);
        }
    }
    for notify in notifies {
        assert!(matches!(soon(notify).await??, NotifyOutcome::TimedOut(_)));
    }
    let flushed = tokio::spawn(async move { cluster.flush().await });
    let first = tokio::spawn(watches[0].flush());
    tokio::time::sleep(SECOND / 5).await;
    assert!(!flushed.is_finished() && !first.is_finished());
    for (watch, others) in watches.iter_mut().zip([Some(&first), None]) {
        assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))));
        for _ in 0..20 {
            assert!(others.is_none_or(|first| !first.is_finished()) && !flushed.is_finished());
            drop(notification(watch).await?);
        }
    }
    soon(first).await???;
    soon(flushed).await???;
    // With nothing to take it is over at once.
    soon(watches[0].flush()).await??;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocklisted_client_comes_back_as_another_one() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let name = name("blocklist");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let before = soon(watch.live()).await??;
    assert!(matches!(watch.next().await, Some(WatchEvent::Live(_))));
    let watchers = wait(|| shared().list_watchers(&object(&name)))?;
    let addr = &watchers.first().context("no watcher")?.addr;
    let add = json!({"prefix": "osd blocklist", "blocklistop": "add", "addr": addr, "expire": 600.0});
    wait(|| shared().mon_command(&add))?;
    let error = loop {
        match soon(watch.next()).await? {
            // The OSD may be the first to say that the watch is gone.
            Some(WatchEvent::Error(error)) if !error.is_terminal() => {}
            Some(WatchEvent::Error(error)) => break error,
            other => anyhow::bail!("{other:?} instead of an error"),
        }
    };
    assert_eq!(error.cause, LossCause::Blocklisted);
    let refused = pool.stat(name.as_str()).await.unwrap_err();
    assert_eq!(refused.errno(), Some(108), "{refused}");

    cluster.renew_identity();
    let Some(WatchEvent::Live(live)) = soon(watch.next()).await? else { anyhow::bail!("not live again") };
    assert!(live.may_have_missed && live.generation == 1 && live.global_id != before.global_id, "{live:?}");
    let notify = pool.notify(name.as_str(), "still there?", 10 * SECOND).await?;
    notification(&mut watch).await?.ack("yes")?;
    assert!(matches!(soon(notify).await??, NotifyOutcome::Done(report) if report.watchers.acks.len() == 1));
    soon(watch.unwatch()).await??;
    unwatched(&object(&name)).await?;
    wait(|| shared().mon_command(&json!({"prefix": "osd blocklist", "blocklistop": "rm", "addr": addr})))?;
    Ok(())
}

/// With nobody there to answer, everything that has a deadline keeps it.
#[tokio::test(flavor = "multi_thread")]
async fn with_all_daemons_dead_everything_ends_in_time() -> Result<()> {
    if let Err(why) = available() {
        skip("asking::with_all_daemons_dead_everything_ends_in_time", &why);
        return Ok(());
    }
    let ceph = wait(|| Cluster::builder().osds(2).boot())?;
    wait(|| ceph.pool("p", PoolKind::Replicated, 4))?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let cluster = linger_tokio::connect(settings).await?;
    let pool = cluster.pool("p").within(3 * SECOND);
    pool.create("o", false).await?;
    let options = WatchOptions { timeout: 4 * SECOND, ..WatchOptions::default() };
    let mut watch = pool.watch("o", options.clone()).await?;
    soon(watch.live()).await??;
    let second = pool.watch("o", options.clone()).await?;
    let accepted = pool.notify("o", "nobody answers", 2 * SECOND).await?;
    for daemon in [Daemon::Osd(0), Daemon::Osd(1), Daemon::Mon(0)] {
        wait(|| ceph.kill(daemon))?;
    }

    let start = Instant::now();
    let never = pool.notify("o", "x", 2 * SECOND).await?;
    let give_up = WatchOptions { register_within: Some(2 * SECOND), ..options };
    let mut late = pool.watch("o", give_up).await?;
    let (stat, write, watchers) =
        tokio::join!(pool.stat("o"), pool.write_full("o", "x"), pool.wait_until_unwatched("o", false));
    for result in [stat.err(), write.err(), watchers.err()] {
        assert!(
            matches!(result, Some(linger_tokio::Error::Op { error: OpError::DeadlinePassed, .. })),
            "{result:?}"
        );
    }
    assert!(start.elapsed() < 4 * SECOND, "{:?}", start.elapsed());
    assert_eq!(soon(never).await??, NotifyOutcome::NeverAccepted);
    let outcome = soon(accepted).await??;
    assert!(!matches!(outcome, NotifyOutcome::Done(_)), "{outcome:?}");
    assert!(start.elapsed() < 9 * SECOND, "2 s, and 5 s of grace: {:?}", start.elapsed());
    assert!(
        matches!(soon(late.live()).await?, Err(linger_tokio::Error::Watch { error, .. }) if error.cause == LossCause::Held)
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
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(start.elapsed() < PATIENCE);
    Ok(())
}

/// A map that is not followed costs no messages, and a moved watch still comes back.
#[tokio::test(flavor = "multi_thread")]
async fn maps_on_demand_are_enough() -> Result<()> {
    if let Err(why) = available() {
        skip("asking::maps_on_demand_are_enough", &why);
        return Ok(());
    }
    let ceph = wait(|| Cluster::builder().osds(2).boot())?;
    wait(|| ceph.pool("p", PoolKind::Replicated, 4))?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).build()?;
    let mut options = ConnectOptions::try_from(settings)?;
    options.config.follow_map = false;
    let cluster = linger_tokio::connect(options).await?;
    let pool = cluster.pool("p");
    pool.create("o", false).await?;
    let mut watch = pool.watch("o", WatchOptions::default()).await?;
    let live = soon(watch.live()).await??;
    assert!(matches!(watch.next().await, Some(WatchEvent::Live(_))));
    let before = cluster.with_map(|map| map.epoch).await?;
    wait(|| ceph.mon_command(&json!({"prefix": "osd down", "ids": [live.osd.to_string()]})))?;
    let Some(WatchEvent::Live(again)) = soon(watch.next()).await? else { anyhow::bail!("not live again") };
    assert!(!again.may_have_missed && again.generation == 1, "{again:?}");
    assert!(cluster.with_map(|map| map.epoch).await? > before);
    Ok(())
}

/// Caps are in the ticket: those that are taken away count from the next ticket and the next session on.
#[tokio::test(flavor = "multi_thread")]
async fn caps_that_are_taken_away_end_the_watch() -> Result<()> {
    if let Err(why) = available() {
        skip("asking::caps_that_are_taken_away_end_the_watch", &why);
        return Ok(());
    }
    let ceph = wait(|| Cluster::builder().osds(1).conf("auth_service_ticket_ttl", "4").boot())?;
    let object = wait(|| ceph.pool("p", PoolKind::Replicated, 1))?.object("o");
    wait(|| ceph.admin()?.write_full(&object, b""))?;
    let caps = |osd: &str| json!({"entity": "client.some", "caps": ["mon", "allow r", "osd", osd], "format": "json"});
    let mut create = caps("allow rwx");
    create["prefix"] = "auth get-or-create".into();
    let answer = wait(|| ceph.mon_command(&create))?;
    let key = answer[0]["key"].as_str().context("no key")?;
    let settings = Settings::builder().conf(ceph.conf().display().to_string()).id("some").key(key).build()?;
    let cluster = linger_tokio::connect(settings).await?;
    let mut watch = cluster.pool("p").watch("o", WatchOptions::default()).await?;
    soon(watch.live()).await??;

    let mut change = caps("allow r");
    change["prefix"] = "auth caps".into();
    wait(|| ceph.mon_command(&change))?;
    tokio::time::sleep(5 * SECOND).await;
    assert!(watch.is_live(), "the session goes on");
    wait(|| ceph.stop(Daemon::Osd(0)))?;
    wait(|| ceph.start(Daemon::Osd(0)))?;
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
