//! linger's client, driven from a thread that may wait.

use super::site::POOL;
use super::{Actor, Heard, Seen, Told};
use anyhow::{Context, Result, anyhow};
use linger_tokio::config::{Builder, Settings};
use linger_tokio::{Cluster, Error, NotifyOutcome, Watch, WatchEvent, WatchOptions};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Linger {
    runtime: Runtime,
    cluster: Cluster,
    watches: Mutex<Watches>,
    seen: (Sender<Seen>, Mutex<Receiver<Seen>>),
}

#[derive(Default)]
struct Watches {
    last: u64,
    /// How to end each of them; the task says how that went.
    ends: BTreeMap<u64, oneshot::Sender<oneshot::Sender<Result<(), Error>>>>,
}

impl Linger {
    pub fn connect(set: impl FnOnce(Builder) -> Builder) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let settings = set(Settings::builder()).build()?;
        let cluster = runtime
            .block_on(async { tokio::time::timeout(PATIENCE, linger_tokio::connect(settings)).await })??;
        let (sender, seen) = channel();
        Ok(Self { runtime, cluster, watches: Mutex::default(), seen: (sender, Mutex::new(seen)) })
    }
}

impl Actor for Linger {
    fn ids(&self) -> Result<Vec<u64>> {
        Ok(vec![self.cluster.global_id()])
    }

    fn write(&self, pool: &str, object: &str, data: &str) -> Told<()> {
        let pool = self.cluster.pool(pool);
        told(self.runtime.block_on(pool.write_full(object, data.to_owned())).map(drop))
    }

    fn read(&self, pool: &str, object: &str) -> Told<String> {
        let content = self.runtime.block_on(self.cluster.pool(pool).read(object, 0, 0));
        told(content.map(|content| String::from_utf8_lossy(&content.data).into_owned()))
    }

    fn stat(&self, pool: &str, object: &str) -> Told<u64> {
        told(self.runtime.block_on(self.cluster.pool(pool).stat(object)).map(|stat| stat.size))
    }

    fn remove(&self, pool: &str, object: &str) -> Told<()> {
        told(self.runtime.block_on(self.cluster.pool(pool).remove(object)))
    }

    fn watch(&self, object: &str, reply: &str, delay_ms: u64) -> Told<u64> {
        let pool = self.cluster.pool(POOL);
        let live = self.runtime.block_on(async {
            let mut watch = pool.watch(object, WatchOptions::default()).await?;
            watch.live().await?;
            Ok(watch)
        });
        let watch = match live {
            Ok(watch) => watch,
            Err(error) => return told(Err(error)),
        };
        let (end, ended) = oneshot::channel();
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.last += 1;
        let number = watches.last;
        watches.ends.insert(number, end);
        let delay = Duration::from_millis(delay_ms);
        let seen = self.seen.0.clone();
        self.runtime.spawn(answer(watch, number, reply.to_owned(), delay, seen, ended));
        Ok(Ok(number))
    }

    fn unwatch(&self, watch: u64) -> Told<()> {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let end = watches.ends.remove(&watch).context("a watch")?;
        let (done, outcome) = oneshot::channel();
        end.send(done).map_err(|_| anyhow!("the watch has ended"))?;
        told(self.runtime.block_on(outcome)?)
    }

    fn notify(&self, object: &str, payload: &str, seconds: u64) -> Told<Heard> {
        let pool = self.cluster.pool(POOL);
        let outcome = self.runtime.block_on(async {
            pool.notify(object, payload.to_owned(), Duration::from_secs(seconds)).await?.await
        });
        let (timed_out, report) = match outcome {
            Ok(NotifyOutcome::Done(report)) => (false, report),
            Ok(NotifyOutcome::TimedOut(report)) => (true, report),
            Ok(outcome) => return Err(anyhow!("a notify without outcome: {outcome:?}")),
            Err(error) => return told(Err(error)),
        };
        let acks = report.watchers.acks.iter();
        let text = |reply: &[u8]| String::from_utf8_lossy(reply).into_owned();
        Ok(Ok(Heard {
            timed_out,
            acks: acks.map(|ack| (ack.watcher.client, text(&ack.reply))).collect(),
            missed: report.watchers.missed.iter().map(|watcher| watcher.client).collect(),
        }))
    }

    fn event(&self) -> Result<Seen> {
        match self.seen.1.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE) {
            Ok(seen) => Ok(seen),
            Err(RecvTimeoutError::Timeout) => Ok(Seen::Nothing),
            Err(error) => Err(error.into()),
        }
    }
}

/// Answers what comes to a watch, and tells of it, until it is to end.
async fn answer(
    mut watch: Watch,
    number: u64,
    reply: String,
    delay: Duration,
    seen: Sender<Seen>,
    mut ended: oneshot::Receiver<oneshot::Sender<Result<(), Error>>>,
) {
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            end = &mut ended => {
                // Nobody waits for it if the test has failed.
                let outcome = watch.unwatch().await;
                _ = end.map(|done| done.send(outcome));
                return;
            }
        };
        match event {
            Some(WatchEvent::Notification(notification)) => {
                let payload = String::from_utf8_lossy(&notification.payload).into_owned();
                let from = notification.from.num.cast_unsigned();
                _ = seen.send(Seen::Notify { watch: number, from, payload });
                tokio::time::sleep(delay).await;
                _ = notification.ack(reply.clone());
            }
            Some(WatchEvent::Error(error)) => {
                _ = seen.send(Seen::Lost { watch: number, why: format!("{:?}", error.cause) });
            }
            Some(_) => {}
            None => return,
        }
    }
}

/// An errno is something that a client was told; all else is a failure of the test.
fn told<T>(result: Result<T, Error>) -> Told<T> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.errno() {
            Some(errno) => Ok(Err(errno)),
            None => Err(error.into()),
        },
    }
}
