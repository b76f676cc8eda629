//! How things end: by drop, by close, by loss, with the runtime.

use crate::Adapter;
use crate::support::{connect, name, object, soon, unwatched};
use anyhow::Result;
use linger_client::{Error, LossCause, WatchEvent, WatchOptions};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

pub async fn a_dropped_watch_is_unwatched_in_the_background<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) = connect(&on).await?;
    let name = name("dropped");
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    soon(watch.live()).await??;
    drop(watch);
    unwatched(&object(&name)).await
}

pub async fn the_last_handle_closes<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
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

pub async fn close_ends_streams_and_futures<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
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

pub async fn an_object_that_is_not_there_or_goes_ends_its_watch<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) = connect(&on).await?;
    let name = name("gone");
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let error = soon(watch.live()).await?.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot watch linger-adapters/{name}: no such object"));
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

/// The runtime goes, then its handles are asked.
///
/// # Errors
/// A handle waits for a driver that is not there any more.
pub fn handles_outlive_their_runtime<A: Adapter>() -> Result<()> {
    let name = name("runtime");
    let of = name.as_str();
    let (cluster, pool, mut watch) = A::run(|on| async move {
        let (cluster, pool) = connect(&on).await?;
        pool.create(of, false).await?;
        let mut watch = pool.watch(of, WatchOptions::default()).await?;
        soon(watch.live()).await??;
        Ok((cluster, pool, watch))
    })?;
    async_io::block_on(async {
        assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Live(_))));
        assert!(matches!(soon(watch.next()).await?, Some(WatchEvent::Failed(Error::DriverGone))));
        assert!(soon(watch.next()).await?.is_none());
        assert!(matches!(soon(pool.stat(of)).await?, Err(Error::DriverGone)));
        assert!(matches!(soon(cluster.close(TIMEOUT)).await?, Err(Error::DriverGone)));
        Ok(())
    })
}
