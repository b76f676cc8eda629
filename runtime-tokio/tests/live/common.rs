//! What every test needs: a pool, a client, and patience with an end.

use anyhow::{Context, Result, bail, ensure};
use linger_testbed::{Object, PoolKind, Rados, shared};
use linger_tokio::config::{Builder, Settings};
use linger_tokio::{Cluster, ConnectOptions, Notification, Pool, Watch, WatchEvent};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Longer than anything here takes when it works.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const POOL: &str = "linger-tokio";

/// Settings as a user of the test cluster has them.
pub fn builder() -> Builder {
    Settings::builder().conf(shared().conf().display().to_string())
}

/// A client of the test cluster, and a pool in it.
pub async fn connect() -> Result<(Cluster, Pool)> {
    connect_with(|_| {}).await
}

/// The same with other options.
pub async fn connect_with(change: impl FnOnce(&mut ConnectOptions)) -> Result<(Cluster, Pool)> {
    wait(|| shared().pool(POOL, PoolKind::Replicated, 8))?;
    let mut options = ConnectOptions::try_from(builder().build()?)?;
    change(&mut options);
    let cluster = linger_tokio::connect(options).await?;
    let pool = cluster.pool(POOL);
    Ok((cluster, pool))
}

/// Waits until nobody watches the object, as `rados listwatchers` sees it; sooner than a watch's
/// timeout would do it.
pub async fn unwatched(object: &Object) -> Result<()> {
    let start = Instant::now();
    while !wait(|| shared().list_watchers(object))?.is_empty() {
        ensure!(start.elapsed() < Duration::from_secs(15), "still watched");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Ceph's own client, one for all tests.
pub fn rados() -> Result<Arc<Rados>> {
    static RADOS: OnceLock<Arc<Rados>> = OnceLock::new();
    if let Some(rados) = RADOS.get() {
        return Ok(Arc::clone(rados));
    }
    let rados = Arc::new(shared().rados()?);
    Ok(Arc::clone(RADOS.get_or_init(|| rados)))
}

/// A name that no other test uses.
pub fn name(of: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{of}.{}.{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The object as the testbed's clients name it.
pub fn object(name: &str) -> Object {
    Object { pool: POOL.into(), namespace: String::new(), key: String::new(), name: name.into() }
}

/// Runs one of the testbed's calls, which wait.
pub fn wait<T>(call: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(call)
}

/// Fails instead of hanging.
pub async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(PATIENCE, future).await.context("nothing happened")
}

/// The next event that is a notification, which must come before any loss.
pub async fn notification(watch: &mut Watch) -> Result<Notification> {
    loop {
        match soon(watch.next()).await?.context("the watch ended")? {
            WatchEvent::Notification(notification) => return Ok(notification),
            WatchEvent::Live(_) => {}
            other => bail!("{other:?} instead of a notify"),
        }
    }
}
