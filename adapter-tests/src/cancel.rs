//! Every future can be dropped at any time: nothing is lost, nothing leaks.

use crate::Adapter;
use crate::support::{connect, connect_with, name, notification, object, sleep, soon, timeout, unwatched};
use anyhow::{Context, Result};
use futures_lite::future::try_zip;
use futures_util::future::try_join_all;
use linger_client::{NotifyOutcome, WatchEvent, WatchOptions};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Few enough that a place that is not given back is missed at once.
const IN_FLIGHT: usize = 4;

pub async fn more_calls_than_may_be_in_flight_wait_for_their_turn<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) =
        connect_with(&on, |options| options.config.limits.ops_in_flight = IN_FLIGHT).await?;
    let name = name("busy");
    pool.create(name.as_str(), false).await?;
    let calls = (0..16 * IN_FLIGHT).map(|_| pool.stat(name.as_str()));
    for stat in soon(try_join_all(calls)).await?? {
        assert_eq!(stat.size, 0);
    }
    Ok(())
}

pub async fn dropped_calls_give_their_places_back<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) =
        connect_with(&on, |options| options.config.limits.ops_in_flight = IN_FLIGHT).await?;
    let name = name("cancelled");
    pool.create(name.as_str(), false).await?;
    for micros in (0..100).map(|n| n * 20) {
        let _ = timeout(Duration::from_micros(micros), pool.stat(name.as_str())).await;
        let _ = timeout(Duration::from_micros(micros), pool.write_full(name.as_str(), "x")).await;
        drop(pool.notify(name.as_str(), "", Duration::from_secs(1)).await?);
    }
    soon(try_join_all((0..2 * IN_FLIGHT).map(|_| pool.stat(name.as_str())))).await??;
    Ok(())
}

pub async fn a_watch_whose_future_is_dropped_is_unwatched<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) = connect(&on).await?;
    let name = name("unwanted");
    pool.create(name.as_str(), false).await?;
    for polls in 0..3 {
        let mut watch = Box::pin(pool.watch(name.as_str(), WatchOptions::default()));
        for _ in 0..polls {
            if timeout(Duration::ZERO, watch.as_mut()).await.is_ok() {
                break;
            }
        }
        // The engine may have made the watch by now; nobody takes it.
        sleep(Duration::from_millis(20)).await;
        drop(watch);
    }
    unwatched(&object(&name)).await
}

pub async fn events_survive_dropped_futures<A: Adapter>(on: A) -> Result<()> {
    const COUNT: usize = 50;
    let (_cluster, pool) = connect(&on).await?;
    let name = name("impatient");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    while timeout(Duration::from_micros(100), watch.live()).await.is_err() {}
    let sent = async {
        for n in 0..COUNT {
            let notify = pool.notify(name.as_str(), n.to_string(), TIMEOUT).await?;
            let outcome = soon(notify).await??;
            assert!(matches!(outcome, NotifyOutcome::Done(_)), "{outcome:?}");
        }
        anyhow::Ok(())
    };
    let seen = async {
        let mut seen = Vec::new();
        while seen.len() < COUNT {
            let Ok(event) = timeout(Duration::from_micros(300), watch.next()).await else { continue };
            if let WatchEvent::Notification(notification) = event.context("ended")? {
                seen.push(String::from_utf8_lossy(&notification.payload).into_owned());
            }
        }
        anyhow::Ok(seen)
    };
    let ((), seen) = soon(try_zip(sent, seen)).await??;
    assert_eq!(seen, (0..COUNT).map(|n| n.to_string()).collect::<Vec<_>>());
    Ok(())
}

pub async fn a_notify_whose_handle_is_dropped_still_goes_out<A: Adapter>(on: A) -> Result<()> {
    let (_watching, pool) = connect(&on).await?;
    let name = name("forgotten");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    // A client that has no session with the OSD yet, so that the notify has to wait.
    let (cluster, pool) = connect(&on).await?;
    drop(pool.notify(name.as_str(), "anyway", TIMEOUT).await?);
    assert_eq!(notification(&mut watch).await?.payload, "anyway");
    soon(cluster.close(TIMEOUT)).await??;
    Ok(())
}
