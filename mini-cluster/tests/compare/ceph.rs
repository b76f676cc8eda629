//! Ceph's client, by python3-rados and librados.

use super::site::POOL;
use super::{Actor, Heard, Seen, Told};
use anyhow::{Context, Result};
use linger_testbed::{Event, Object, Rados, RadosError, WatchId};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long something may take to be seen.
const PATIENCE: Duration = Duration::from_secs(40);

pub struct Ceph {
    rados: Rados,
    watches: Mutex<BTreeMap<u64, WatchId>>,
}

impl Ceph {
    pub fn new(rados: Rados) -> Self {
        Self { rados, watches: Mutex::default() }
    }
}

impl Actor for Ceph {
    fn ids(&self) -> Result<Vec<u64>> {
        Ok(vec![self.rados.instance_id()?, self.rados.notifier_id()?])
    }

    fn write(&self, pool: &str, object: &str, data: &str) -> Told<()> {
        told(self.rados.write_full(&at(pool, object), data.as_bytes()))
    }

    fn read(&self, pool: &str, object: &str) -> Told<String> {
        let data = self.rados.read(&at(pool, object));
        told(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
    }

    fn stat(&self, pool: &str, object: &str) -> Told<u64> {
        told(self.rados.stat(&at(pool, object)))
    }

    fn remove(&self, pool: &str, object: &str) -> Told<()> {
        told(self.rados.remove(&at(pool, object)))
    }

    fn watch(&self, object: &str, reply: &str, delay_ms: u64) -> Told<u64> {
        let delay = Duration::from_millis(delay_ms);
        let watch = told(self.rados.watch_slowly(&at(POOL, object), reply.as_bytes(), delay, 0))?;
        Ok(watch.map(|watch| {
            let mut watches = lock(&self.watches);
            watches.insert(watch.number(), watch);
            watch.number()
        }))
    }

    fn unwatch(&self, watch: u64) -> Told<()> {
        let watch = lock(&self.watches).remove(&watch).context("a watch")?;
        told(self.rados.unwatch(watch))
    }

    fn notify(&self, object: &str, payload: &str, seconds: u64) -> Told<Heard> {
        let object = at(POOL, object);
        let report = told(self.rados.notify(&object, payload.as_bytes(), Duration::from_secs(seconds)))?;
        Ok(report.map(|report| Heard {
            timed_out: report.errno != 0,
            acks: report
                .acks
                .into_iter()
                .map(|ack| (ack.client, String::from_utf8_lossy(&ack.data).into_owned()))
                .collect(),
            missed: report.timeouts.into_iter().map(|missed| missed.client).collect(),
        }))
    }

    fn event(&self) -> Result<Seen> {
        Ok(match self.rados.event(PATIENCE)? {
            Some(Event::Notify { watch, notifier, data, .. }) => {
                let payload = String::from_utf8_lossy(&data).into_owned();
                Seen::Notify { watch, from: notifier, payload }
            }
            Some(Event::Lost { watch, errno }) => Seen::Lost { watch, why: format!("errno {errno}") },
            None => Seen::Nothing,
        })
    }
}

fn at(pool: &str, object: &str) -> Object {
    let (pool, name) = (pool.to_owned(), object.to_owned());
    Object { pool, namespace: String::new(), key: String::new(), name }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An errno is something that a client was told; all else is a failure of the test.
fn told<T>(result: Result<T>) -> Told<T> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) => match error.downcast_ref::<RadosError>() {
            Some(refusal) => Ok(Err(refusal.errno)),
            None => Err(error),
        },
    }
}
