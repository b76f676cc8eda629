//! How things end: by drop, by close, by loss, with the runtime.

use crate::common::{connect, name, object, soon, unwatched};
use anyhow::{Context, Result};
use linger_testbed::need_cluster;
use linger_tokio::{Error, LossCause, WatchEvent, WatchOptions};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_watch_is_unwatched_in_the_background() -> Result<()> {
    need_cluster!(Ok(()));
    let (_cluster, pool) = connect().await?;
    let name = name("dropped");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    drop(watch);
    unwatched(&object(&name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_handle_closes() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let name = name("last");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    let mut events = cluster.events();
    drop((cluster, pool));
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))), "a watch is a handle too");
    drop(watch);
    while let Some(event) = soon(events.next()).await? {
        println!("{event}");
    }
    unwatched(&object(&name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn close_ends_streams_and_futures() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, pool) = connect().await?;
    let name = name("closed");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    let notify = pool.notify(name.as_str(), "never answered", TIMEOUT).await?;
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    assert!(matches!(soon(notify).await?, Err(Error::Closed)));
    let mut last = None;
    while let Some(event) = soon(watch.next()).await? {
        last = Some(event);
    }
    assert!(matches!(last, Some(WatchEvent::Closed)), "{last:?}");
    assert!(!watch.is_live());
    assert!(matches!(soon(pool.stat(name.as_str())).await?, Err(Error::Closed)));
    let again = soon(pool.watch(name.as_str(), WatchOptions::default())).await?;
    assert!(matches!(again, Err(Error::Closed)));
    assert!(matches!(soon(cluster.with_map(|map| map.epoch)).await?, Err(Error::Closed)));
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, [], "closed already");
    unwatched(&object(&name)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_there_or_goes_ends_its_watch() -> Result<()> {
    need_cluster!(Ok(()));
    let (_cluster, pool) = connect().await?;
    let name = name("gone");
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let error = soon(watch.live()).await?.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot watch linger-tokio/{name}: no such object"));
    assert_eq!(error.errno(), Some(2));
    let event = soon(watch.next()).await?;
    assert!(
        matches!(event, Some(WatchEvent::Error(lost)) if lost.cause == LossCause::ObjectGone),
        "{event:?}"
    );
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Closed)));
    assert!(soon(watch.next()).await?.is_none());
    let notify = pool.notify(name.as_str(), "", TIMEOUT).await?;
    assert_eq!(soon(notify).await?.unwrap_err().errno(), Some(2));

    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    pool.remove(name.as_str()).await?;
    let (mut causes, mut closed) = (Vec::new(), false);
    while let Some(event) = soon(watch.next()).await? {
        match event {
            WatchEvent::Error(lost) => causes.push(lost.cause),
            WatchEvent::Closed => closed = true,
            _ => {}
        }
    }
    assert!(closed && causes.last() == Some(&LossCause::ObjectGone), "{causes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn handles_outlive_their_runtime() -> Result<()> {
    need_cluster!(Ok(()));
    let name = name("runtime");
    let of = name.clone();
    let there = std::thread::spawn(move || -> Result<_> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let handles = runtime.block_on(runtime.spawn(async move {
            let (cluster, pool) = connect().await?;
            pool.create(of.as_str(), false).await?;
            let mut watch = pool.watch(of.as_str(), WatchOptions::default()).await?;
            soon(watch.live()).await??;
            anyhow::Ok((cluster, pool, watch))
        }))??;
        drop(runtime);
        Ok(handles)
    });
    let (cluster, pool, mut watch) = there.join().ok().context("the thread panicked")??;
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))));
    assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Failed(Error::DriverGone))));
    assert!(soon(watch.next()).await?.is_none());
    assert!(matches!(soon(pool.stat(name)).await?, Err(Error::DriverGone)));
    assert!(matches!(soon(cluster.close(TIMEOUT)).await?, Err(Error::DriverGone)));
    Ok(())
}
