//! Many watches, and long ones.

use crate::Adapter;
use crate::support::{connect, name, notification, object, rados, sleep, soon};
use anyhow::Result;
use blocking::unblock;
use linger_client::{NotifyOutcome, WatchOptions};
use linger_testbed::shared;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(30);

pub async fn a_thousand_watches_on_two_hundred_objects_get_a_notify_each<A: Adapter>(on: A) -> Result<()> {
    const OBJECTS: usize = 200;
    const EACH: usize = 5;
    let (cluster, pool) = connect(&on).await?;
    let base = name("many");
    let names: Vec<_> = (0..OBJECTS).map(|n| format!("{base}.{n}")).collect();
    for name in &names {
        pool.create(name.as_str(), false).await?;
    }
    let begin = Instant::now();
    let mut watches = Vec::new();
    for name in &names {
        for _ in 0..EACH {
            watches.push(pool.watch(name.as_str(), WatchOptions::default()).await?);
        }
    }
    for watch in &mut watches {
        soon(watch.live()).await??;
    }
    println!("{} watches live after {:?}", watches.len(), begin.elapsed());
    let theirs = shared().list_watchers(&object(&names[0]))?;
    assert_eq!(theirs.len(), EACH, "Ceph's own tool sees them");

    let begin = Instant::now();
    let mut notifies = Vec::new();
    for name in &names {
        notifies.push(pool.notify(name.as_str(), name.clone(), TIMEOUT).await?);
    }
    for watch in &mut watches {
        let notification = notification(watch).await?;
        assert_eq!(notification.payload, watch.object().name.to_string());
        notification.ack("seen")?;
    }
    for notify in notifies {
        let NotifyOutcome::Done(report) = soon(notify).await?? else { panic!("somebody missed it") };
        assert_eq!((report.watchers.acks.len(), report.watchers.missed.len()), (EACH, 0));
    }
    println!("{OBJECTS} notifies to {EACH} watchers each took {:?}", begin.elapsed());
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}

/// Only pings keep these watches: three leases of 6 s, or `LINGER_IDLE_SECS`.
pub async fn idle_watches_live_by_pings_alone<A: Adapter>(on: A) -> Result<()> {
    let idle = std::env::var("LINGER_IDLE_SECS").ok().and_then(|secs| secs.parse().ok()).unwrap_or(18);
    let (cluster, pool) = connect(&on).await?;
    let name = name("idle");
    pool.create(name.as_str(), false).await?;
    let mut watches = Vec::new();
    for timeout in [6, 30] {
        let options = WatchOptions { timeout: Duration::from_secs(timeout), ..WatchOptions::default() };
        let mut watch = pool.watch(name.as_str(), options).await?;
        soon(watch.live()).await??;
        watches.push(watch);
    }
    sleep(Duration::from_secs(idle)).await;
    let listed = shared().list_watchers(&object(&name))?;
    assert_eq!(listed.len(), 2, "the cluster still has both");
    let theirs = rados()?;
    let of = object(&name);
    let report = unblock(move || theirs.notify(&of, b"still there?", TIMEOUT));
    for watch in &mut watches {
        // `notification` fails on any loss before it.
        notification(watch).await?.ack("yes")?;
    }
    assert_eq!(soon(report).await??.acks.len(), 2);
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}
