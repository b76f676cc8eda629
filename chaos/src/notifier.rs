//! The notifier: a librados client that sends each object one notify after the other, numbered.

use crate::ledger::{Ledger, Report};
use anyhow::Result;
use linger_testbed::{Ack, Cluster, Object, Rados};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What watchers have for their answer, in whole seconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Between two notifies of an object.
const PAUSE: Duration = Duration::from_millis(40);

pub(crate) struct Notifier {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    /// Kept to be killed: a notify to a group that never serves again has no end.
    rados: Option<Arc<Rados>>,
}

impl Notifier {
    pub(crate) fn start(cluster: &Cluster, objects: &[Object], ledger: &Arc<Ledger>) -> Result<Self> {
        let rados = Arc::new(cluster.rados()?);
        let stop = Arc::new(AtomicBool::new(false));
        let threads = objects.iter().enumerate().map(|(number, object)| {
            let one = One {
                rados: Arc::clone(&rados),
                object: object.clone(),
                number,
                ledger: Arc::clone(ledger),
                stop: Arc::clone(&stop),
            };
            thread::spawn(move || one.run())
        });
        Ok(Self { threads: threads.collect(), stop, rados: Some(rados) })
    }

    /// Waits for the notifies under way, no longer than `within`.
    pub(crate) fn stop(&mut self, within: Duration) {
        self.stop.store(true, Ordering::Relaxed);
        let end = Instant::now() + within;
        while self.threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        if let Some(rados) = self.rados.take() {
            rados.kill();
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

struct One {
    rados: Arc<Rados>,
    object: Object,
    number: usize,
    ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
}

impl One {
    fn run(&self) {
        for count in 1.. {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            self.ledger.sends(Instant::now(), self.number, count);
            // A refusal, as of an object that is gone, is no completion.
            if let Ok(report) = self.rados.notify(&self.object, count.to_string().as_bytes(), TIMEOUT) {
                let clients = |list: &[Ack]| list.iter().map(|ack| ack.client).collect();
                let report = Report { acked: clients(&report.acks), missed: clients(&report.timeouts) };
                self.ledger.completes(Instant::now(), self.number, count, report);
            }
            thread::sleep(PAUSE);
        }
    }
}
