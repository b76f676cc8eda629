//! Ceph's own watcher: python3-rados in a process of its own, with what applications do about errors.
//!
//! librados tells of an error once and leaves the rest to the application. This one does what librbd does: after any
//! error it unwatches and watches again until that works, and it starts over as another client when it is blocklisted,
//! or when librados crashed.

use crate::ledger::{Gap, Ledger, Side};
use anyhow::{Context, Result};
use linger_testbed::{Cluster, Event, Object, Rados, RadosError, WatchId};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(200);
/// How often the watcher looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);
const EBLOCKLISTED: i32 = 108;

pub(crate) struct LibradosWatcher {
    watcher: Arc<Watcher>,
    reader: Option<JoinHandle<()>>,
}

struct Watcher {
    cluster: Arc<Cluster>,
    objects: Vec<Object>,
    timeout: Duration,
    ledger: Arc<Ledger>,
    client: Mutex<Client>,
    stop: AtomicBool,
}

struct Client {
    rados: Arc<Rados>,
    id: u64,
    /// By their numbers: the watch, and its object.
    watches: BTreeMap<u64, (WatchId, usize)>,
}

impl LibradosWatcher {
    pub(crate) fn start(
        cluster: &Arc<Cluster>,
        objects: &[Object],
        timeout: Duration,
        ledger: &Arc<Ledger>,
    ) -> Result<Self> {
        let watcher = Arc::new(Watcher {
            client: Mutex::new(Client::connect(cluster)?),
            cluster: Arc::clone(cluster),
            objects: objects.to_vec(),
            timeout,
            ledger: Arc::clone(ledger),
            stop: AtomicBool::new(false),
        });
        for object in 0..objects.len() {
            watcher.watch(object)?;
        }
        let reader = Arc::clone(&watcher);
        let reader = Some(thread::spawn(move || reader.read()));
        Ok(Self { watcher, reader })
    }

    /// The client's number.
    pub(crate) fn client(&self) -> u64 {
        self.watcher.client().id
    }

    pub(crate) fn stop(&mut self) {
        self.watcher.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

impl Drop for LibradosWatcher {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Client {
    fn connect(cluster: &Cluster) -> Result<Self> {
        let rados = Arc::new(cluster.rados()?);
        Ok(Self { id: rados.instance_id()?, rados, watches: BTreeMap::new() })
    }
}

impl Watcher {
    /// Takes events until it is told to stop.
    fn read(self: &Arc<Self>) {
        while !self.stop.load(Ordering::Relaxed) {
            let rados = Arc::clone(&self.client().rados);
            match rados.event(LOOK) {
                Ok(None) => {}
                Ok(Some(Event::Notify { watch, data, .. })) => {
                    let object = self.client().watches.get(&watch).map(|(_, object)| *object);
                    let number = String::from_utf8_lossy(&data).parse();
                    if let (Some(object), Ok(number)) = (object, number) {
                        self.ledger.sees(Side::Librados, object, number);
                    }
                }
                Ok(Some(Event::Lost { watch, .. })) => self.on_lost(watch),
                // Another client takes its place.
                Err(_) => thread::sleep(LOOK),
            }
        }
    }

    fn on_lost(self: &Arc<Self>, watch: u64) {
        let Some((old, object)) = self.client().watches.remove(&watch) else { return };
        self.ledger.lost(Side::Librados, Instant::now(), object, self.timeout);
        let again = Arc::clone(self);
        thread::spawn(move || again.watch_again(old, object));
    }

    fn watch_again(&self, old: WatchId, object: usize) {
        let rados = Arc::clone(&self.client().rados);
        let mut dead = rados.unwatch(old).is_err_and(|error| is_dead(&rados, &error));
        while !self.stop.load(Ordering::Relaxed) {
            if dead && self.start_over(&rados).is_ok() {
                return;
            }
            match self.watch(object) {
                Ok(()) => return,
                Err(error) => dead = is_dead(&rados, &error),
            }
            thread::sleep(RETRY);
        }
    }

    fn watch(&self, object: usize) -> Result<()> {
        let rados = Arc::clone(&self.client().rados);
        let of = self.objects.get(object).context("no such object")?;
        let secs = u32::try_from(self.timeout.as_secs())?;
        let watch = rados.watch_slowly(of, b"librados", Duration::ZERO, secs)?;
        let now = Instant::now();
        let mut client = self.client();
        client.watches.insert(watch.number(), (watch, object));
        let since = self.ledger.lost_since(Side::Librados, object);
        let deaf_for = since.map(|since| now.saturating_duration_since(since));
        let gap = Gap { deaf_for: None, may_have_missed: true };
        self.ledger.deaf(Side::Librados, deaf_for.unwrap_or_default());
        self.ledger.live(Side::Librados, now, object, client.id, gap);
        Ok(())
    }

    /// Another client takes the place of one that is blocklisted, and watches everything.
    fn start_over(&self, dead: &Arc<Rados>) -> Result<()> {
        let mut client = self.client();
        if !Arc::ptr_eq(&client.rados, dead) {
            return Ok(());
        }
        let watched: Vec<_> = client.watches.values().map(|(_, object)| *object).collect();
        *client = Client::connect(&self.cluster)?;
        drop(client);
        for object in watched {
            self.ledger.lost(Side::Librados, Instant::now(), object, self.timeout);
        }
        for object in 0..self.objects.len() {
            while self.watch(object).is_err() && !self.stop.load(Ordering::Relaxed) {
                thread::sleep(RETRY);
            }
        }
        Ok(())
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether only another client can go on.
fn is_dead(rados: &Rados, error: &anyhow::Error) -> bool {
    let blocklisted = |error: &RadosError| error.errno == EBLOCKLISTED;
    error.downcast_ref::<RadosError>().is_some_and(blocklisted) || rados.is_gone()
}
