//! What every test needs: a pool, a client, and patience with an end.

use crate::Adapter;
use anyhow::{Context, Result, bail, ensure};
use async_io::Timer;
use futures_lite::future::or;
use linger_client::config::{Builder, Settings};
use linger_client::{Cluster, ConnectOptions, Notification, Pool, Watch, WatchEvent};
use linger_testbed::{Object, PoolKind, Rados, shared};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Longer than anything here takes when it works.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The pool that everything is in.
pub const POOL: &str = "linger-adapters";

/// Settings as a user of the test cluster has them.
pub fn builder() -> Builder {
    Settings::builder().conf(shared().conf().display().to_string())
}

/// Makes the pool that the tests use.
pub fn shared_pool() -> Result<()> {
    shared().pool(POOL, PoolKind::Replicated, 8).map(drop)
}

/// A client of the test cluster, and a pool in it.
///
/// # Errors
/// There is no cluster, or it does not let the client in.
pub async fn connect<A: Adapter>(on: &A) -> Result<(Cluster, Pool)> {
    connect_with(on, |_| {}).await
}

/// The same with other options.
///
/// # Errors
/// As for [`connect`].
pub async fn connect_with<A: Adapter>(
    on: &A,
    change: impl FnOnce(&mut ConnectOptions),
) -> Result<(Cluster, Pool)> {
    shared_pool()?;
    let mut options = ConnectOptions::try_from(builder().build()?)?;
    change(&mut options);
    let cluster = on.start(options)?.await?;
    let pool = cluster.pool(POOL);
    Ok((cluster, pool))
}

/// Waits until nobody watches the object, as `rados listwatchers` sees it; sooner than a watch's
/// timeout would do it.
pub async fn unwatched(object: &Object) -> Result<()> {
    let start = Instant::now();
    while !shared().list_watchers(object)?.is_empty() {
        ensure!(start.elapsed() < Duration::from_secs(15), "still watched");
        sleep(Duration::from_millis(100)).await;
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

/// Runs the future on a thread of its own.
pub fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> blocking::Task<T> {
    blocking::unblock(move || futures_lite::future::block_on(future))
}

/// Waits.
pub async fn sleep(time: Duration) {
    Timer::after(time).await;
}

/// The future's output, or an error when the time is over; the future is polled at least once.
///
/// # Errors
/// [`Elapsed`].
pub async fn timeout<T>(time: Duration, future: impl Future<Output = T>) -> Result<T, Elapsed> {
    let late = async {
        sleep(time).await;
        Err(Elapsed)
    };
    or(async { Ok(future.await) }, late).await
}

/// The time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

/// Fails instead of hanging.
///
/// # Errors
/// Nothing happened.
pub async fn soon<T>(future: impl Future<Output = T>) -> Result<T> {
    timeout(PATIENCE, future).await.ok().context("nothing happened")
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
