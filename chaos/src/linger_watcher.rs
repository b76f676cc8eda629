//! linger's watcher: one client, one watch an object, all of what it says in the ledger.

use crate::ledger::{Gap, Ledger, Side};
use anyhow::{Context, Result};
use linger_testbed::Object;
use linger_tokio::config::Settings;
use linger_tokio::{Cluster, LossCause, Pool, Totals, Watch, WatchEvent, WatchOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

/// Between two looks whether an object is there again.
const LOOK: Duration = Duration::from_millis(100);
/// How long a blocklisted client stays so.
const BARRED_FOR: Duration = Duration::from_secs(1);

/// The client, with a runtime of its own.
pub(crate) struct LingerWatcher {
    runtime: Runtime,
    cluster: Cluster,
    watchers: Vec<JoinHandle<()>>,
}

impl LingerWatcher {
    pub(crate) fn start(
        conf: &Path,
        objects: &[Object],
        timeout: Duration,
        ledger: &Arc<Ledger>,
    ) -> Result<Self> {
        let runtime = Runtime::new()?;
        let settings = Settings::builder().conf(conf.display().to_string()).build()?;
        let cluster = runtime.block_on(linger_tokio::connect(settings))?;
        let watchers = objects.iter().enumerate().map(|(number, object)| {
            let watcher = Watcher {
                cluster: cluster.clone(),
                pool: cluster.pool(object.pool.as_str()),
                name: object.name.clone(),
                number,
                timeout,
                ledger: Arc::clone(ledger),
            };
            runtime.spawn(watcher.run())
        });
        let watchers = watchers.collect();
        Ok(Self { runtime, cluster, watchers })
    }

    /// The client's number.
    pub(crate) fn client(&self) -> u64 {
        self.cluster.global_id()
    }

    pub(crate) fn totals(&self) -> Result<Totals> {
        Ok(self.runtime.block_on(self.cluster.totals())?)
    }

    /// Ends everything; no watcher may be left behind where the cluster works.
    pub(crate) fn close(self, within: Duration) -> Result<usize> {
        self.watchers.iter().for_each(JoinHandle::abort);
        Ok(self.runtime.block_on(self.cluster.close(within)).context("close")?.len())
    }
}

struct Watcher {
    cluster: Cluster,
    pool: Pool,
    name: String,
    number: usize,
    timeout: Duration,
    ledger: Arc<Ledger>,
}

impl Watcher {
    async fn run(self) {
        loop {
            let options =
                WatchOptions { timeout: self.timeout, register_within: None, ..WatchOptions::default() };
            let Ok(watch) = self.pool.watch(self.name.as_str(), options).await else { return };
            self.follow(watch).await;
            // Its object is gone: as an application would, wait for another one of the name.
            while self.pool.stat(self.name.as_str()).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    /// Notes everything until the watch ends.
    async fn follow(&self, mut watch: Watch) {
        while let Some(event) = watch.next().await {
            let (now, ledger, number) = (Instant::now(), &self.ledger, self.number);
            match event {
                WatchEvent::Live(live) => {
                    let deaf_for = (live.generation > 0).then_some(live.deaf_for);
                    let gap = Gap { deaf_for, may_have_missed: live.may_have_missed };
                    ledger.live(Side::Linger, now, number, live.global_id, gap);
                }
                WatchEvent::Notification(notification) => {
                    let text = String::from_utf8_lossy(&notification.payload).into_owned();
                    if let Ok(sent) = text.parse() {
                        ledger.sees(Side::Linger, number, sent);
                    }
                    let _ = notification.ack("linger");
                }
                WatchEvent::Error(error) => {
                    ledger.lost(Side::Linger, now, number, self.timeout);
                    if error.cause == LossCause::Blocklisted && number == 0 {
                        tokio::time::sleep(BARRED_FOR).await;
                        self.cluster.renew_identity();
                    }
                }
                _ => {}
            }
        }
    }
}
