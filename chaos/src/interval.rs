//! How soon a watch is back after a new interval with the same primary.
//!
//! One placement group holds two objects: linger watches one, librados the other, both with leases of 30 s. Each
//! change of the pool's size makes a new interval. A third client, linger too, sees the new map and asks for the state
//! of a third object: when that is answered, the group is active again. From then on it counts how long each watcher
//! takes to get a notify that a new process of Ceph's `rados` sent at the time of the change.

use anyhow::{Context, Result, anyhow, ensure};
use linger_testbed::{Cluster, Event, Object, PoolKind, Rados, WatchId};
use linger_tokio::config::Settings;
use linger_tokio::{Pool, WatchEvent, WatchOptions};
use serde_json::json;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

const LEASE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two changes: the group is to be clean, and pings are not to fall in step.
const PAUSE: Duration = Duration::from_millis(1700);

/// Times from the group being active, one of each change; zero for what was there before.
#[derive(Debug, Default)]
pub struct Intervals {
    /// Until linger had the answer to its RECONNECT.
    pub linger_live: Vec<Duration>,
    /// Until linger got the notify.
    pub linger: Vec<Duration>,
    /// Until librados got the notify, or was watching again after it had lost its watch.
    pub librados: Vec<Duration>,
    /// How often librados lost its watch.
    pub librados_lost: usize,
}

impl Intervals {
    /// The shortest, the median, the 90th percentile and the longest.
    #[must_use]
    pub fn quantiles(times: &[Duration]) -> [Duration; 4] {
        let mut times = times.to_vec();
        times.sort();
        let at = |percent: usize| times.get((times.len().saturating_sub(1)) * percent / 100).copied();
        [0, 50, 90, 100].map(|percent| at(percent).unwrap_or_default())
    }
}

/// Measures so many changes.
///
/// # Errors
/// The cluster does not boot, or a watcher does not come back.
pub fn measure_intervals(changes: usize) -> Result<Intervals> {
    let cluster = Cluster::builder().osds(3).boot()?;
    let pool = cluster.pool("interval", PoolKind::Replicated, 1)?;
    let [ours, theirs, third] = ["ours", "theirs", "third"].map(|name| pool.object(name));
    let admin = cluster.admin()?;
    [&ours, &theirs, &third].into_iter().try_for_each(|object| admin.write_full(object, b""))?;
    let rados = cluster.rados()?;
    let mut their_watch = their_watch(&rados, &theirs)?;
    let runtime = Runtime::new()?;
    let (events, mut news) = mpsc::unbounded_channel();
    let (watching, probing) = (connect(&runtime, &cluster)?, connect(&runtime, &cluster)?);
    runtime.spawn(watch(watching.pool("interval"), ours.name.clone(), events));
    let live = |what: &News| matches!(what, News::Live(_));
    wait(&runtime, &mut news, live)?;
    let mut found = Intervals::default();
    for change in 0..changes {
        thread::sleep(PAUSE);
        while news.try_recv().is_ok() {}
        while rados.event(Duration::ZERO)?.is_some() {}
        let size = if change % 2 == 0 { "2" } else { "3" };
        cluster.mon_command(
            &json!({"prefix": "osd pool set", "pool": "interval", "var": "size", "val": size}),
        )?;
        let epoch = cluster.osdmap_epoch()?;
        let mut notifiers = [notifier(&cluster, &ours)?, notifier(&cluster, &theirs)?];
        // Each watcher's news are timed by a thread of their own, as they come.
        let returned = thread::scope(|scope| {
            let returned = scope.spawn(|| their_return(&rados, &theirs, &mut their_watch));
            let active = runtime.block_on(active(&probing, &probing.pool("interval"), &third.name, epoch))?;
            let since = |at: Instant| at.saturating_duration_since(active);
            let (mut live_at, mut got_at) = (None, None);
            while live_at.is_none() || got_at.is_none() {
                match wait(&runtime, &mut news, |_| true)? {
                    News::Live(at) => live_at = live_at.or(Some(at)),
                    News::Notify(at) => got_at = Some(at),
                }
            }
            found.linger_live.extend(live_at.map(since));
            found.linger.extend(got_at.map(since));
            let returned = returned.join().map_err(|_| anyhow!("the reader of librados' news panicked"))?;
            returned.map(|(at, lost)| (since(at), lost))
        })?;
        found.librados.push(returned.0);
        found.librados_lost += usize::from(returned.1);
        // That of a watch that librados lost times out.
        for notifier in &mut notifiers[..if returned.1 { 1 } else { 2 }] {
            ensure!(notifier.wait()?.success(), "rados notify failed");
        }
        notifiers.iter_mut().try_for_each(|notifier| notifier.wait().map(drop))?;
        cluster.wait_clean()?;
    }
    Ok(found)
}

fn connect(runtime: &Runtime, cluster: &Cluster) -> Result<linger_tokio::Cluster> {
    let settings = Settings::builder().conf(cluster.conf().display().to_string()).build()?;
    Ok(runtime.block_on(linger_tokio::connect(settings))?)
}

enum News {
    Live(Instant),
    Notify(Instant),
}

async fn watch(pool: Pool, name: String, events: mpsc::UnboundedSender<News>) -> Result<()> {
    let mut watch = pool.watch(name, WatchOptions { timeout: LEASE, ..WatchOptions::default() }).await?;
    while let Some(event) = watch.next().await {
        match event {
            WatchEvent::Live(_) => events.send(News::Live(Instant::now()))?,
            WatchEvent::Notification(_) => events.send(News::Notify(Instant::now()))?,
            _ => {}
        }
    }
    Ok(())
}

fn wait(
    runtime: &Runtime,
    news: &mut mpsc::UnboundedReceiver<News>,
    wanted: impl Fn(&News) -> bool,
) -> Result<News> {
    runtime.block_on(async {
        loop {
            let one = tokio::time::timeout(PATIENCE, news.recv()).await.context("nothing happened")?;
            let one = one.context("the watcher is gone")?;
            if wanted(&one) {
                return Ok(one);
            }
        }
    })
}

/// When a request of this map's epoch was answered: the group serves in the new interval.
async fn active(cluster: &linger_tokio::Cluster, pool: &Pool, name: &str, epoch: u32) -> Result<Instant> {
    while cluster.with_map(|map| map.epoch).await? < epoch {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    pool.stat(name).await?;
    Ok(Instant::now())
}

fn notifier(cluster: &Cluster, object: &Object) -> Result<Child> {
    let mut command = cluster.command("rados");
    command
        .args(["-p", &object.pool, "notify", &object.name, "x"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().context("rados notify")
}

/// When librados' watcher got the notify; or, when its watch was lost, was watching again. The notify then never comes.
fn their_return(rados: &Rados, object: &Object, watch: &mut WatchId) -> Result<(Instant, bool)> {
    match rados.event(PATIENCE)?.context("librados got no notify")? {
        Event::Notify { .. } => Ok((Instant::now(), false)),
        Event::Lost { .. } => {
            // As librbd does. An error of the unwatch changes nothing.
            let _ = rados.unwatch(*watch);
            *watch = their_watch(rados, object)?;
            Ok((Instant::now(), true))
        }
    }
}

fn their_watch(rados: &Rados, object: &Object) -> Result<WatchId> {
    rados.watch_slowly(object, b"", Duration::ZERO, u32::try_from(LEASE.as_secs())?)
}
