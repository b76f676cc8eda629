//! What a watch and a client can be asked, and a blocklist that is outlived.

use crate::Adapter;
use crate::support::{connect, name, notification, object, sleep, soon, spawn, unwatched};
use anyhow::{Context, Result};
use linger_client::{LossCause, NotifyOutcome, WatchEvent, WatchOptions};
use linger_testbed::shared;
use serde_json::json;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

pub async fn how_a_watch_stands_and_what_was_counted<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let name = name("status");
    pool.create(name.as_str(), false).await?;
    let options = WatchOptions { timeout: 4 * SECOND, ..WatchOptions::default() };
    let mut watch = pool.watch(name.as_str(), options).await?;
    let live = soon(watch.live()).await??;
    sleep(5 * SECOND).await;
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
    let waiting = spawn({
        let (pool, name) = (pool.clone(), name.clone());
        async move { pool.wait_until_unwatched(name.as_str(), false).await }
    });
    assert_eq!(soon(watch.unwatch_within(10 * SECOND)).await??, None);
    assert_eq!(soon(waiting).await??, []);
    Ok(())
}

pub async fn a_flush_ends_when_all_events_are_taken<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
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
    let flushed = spawn(async move { cluster.flush().await });
    let first = spawn(watches[0].flush());
    sleep(SECOND / 5).await;
    assert!(!flushed.is_finished() && !first.is_finished());
    for (watch, others) in watches.iter_mut().zip([Some(&first), None]) {
        assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))));
        for _ in 0..20 {
            assert!(others.is_none_or(|first| !first.is_finished()) && !flushed.is_finished());
            drop(notification(watch).await?);
        }
    }
    soon(first).await??;
    soon(flushed).await??;
    // With nothing to take it is over at once.
    soon(watches[0].flush()).await??;
    Ok(())
}

pub async fn a_flush_of_a_watch_that_has_ended_waits_for_its_events<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) = connect(&on).await?;
    let name = name("flush-ended");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    // More than a mailbox holds, so that the end waits behind it.
    for number in 0..20u8 {
        drop(pool.notify(name.as_str(), vec![number], SECOND).await?);
    }
    while watch.status().await?.is_some_and(|status| status.queued < 21) {
        sleep(SECOND / 20).await;
    }
    watch.end();
    while watch.status().await?.is_some() {
        sleep(SECOND / 20).await;
    }
    let flushed = spawn(watch.flush());
    sleep(SECOND / 5).await;
    assert!(!flushed.is_finished());
    while soon(watch.next()).await?.is_some() {}
    soon(flushed).await??;
    Ok(())
}

pub async fn a_blocklisted_client_comes_back_as_another_one<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let name = name("blocklist");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let before = soon(watch.live()).await??;
    assert!(matches!(watch.next().await, Some(WatchEvent::Live(_))));
    let watchers = shared().list_watchers(&object(&name))?;
    let addr = &watchers.first().context("no watcher")?.addr;
    let word = shared().blocklist_word();
    let (prefix, op) = (format!("osd {word}"), format!("{word}op"));
    let add = json!({"prefix": prefix, op.as_str(): "add", "addr": addr, "expire": 600.0});
    shared().mon_command(&add)?;
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
    shared().mon_command(&json!({"prefix": prefix, op.as_str(): "rm", "addr": addr}))?;
    Ok(())
}
