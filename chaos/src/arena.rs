//! A cluster with objects, two watchers and a notifier.

use crate::ledger::{Ledger, Side, Verdict};
use crate::librados_watcher::LibradosWatcher;
use crate::linger_watcher::LingerWatcher;
use crate::notifier::Notifier;
use crate::table::Row;
use anyhow::{Context, Result, ensure};
use linger_testbed::{Builder, Cluster, Object, PoolKind};
use serde_json::{Value, json};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Objects that are watched.
pub const OBJECTS: usize = 8;
/// The watches' timeout: a short one, so that what takes a lease takes seconds.
pub const TIMEOUT: Duration = Duration::from_secs(6);
/// How long a cluster may take to work again after a fault.
const PATIENCE: Duration = Duration::from_secs(90);
/// Placement groups of the pool.
const GROUPS: u32 = 8;
const POOL: &str = "chaos";

/// The whole set-up. Dropping it ends everything.
pub struct Arena {
    cluster: Arc<Cluster>,
    objects: Vec<Object>,
    ledger: Arc<Ledger>,
    notifier: Notifier,
    librados: LibradosWatcher,
    linger: LingerWatcher,
}

impl Arena {
    /// Boots a cluster and starts everything; returns when both watchers answer for every object.
    ///
    /// # Errors
    /// The cluster does not boot, or somebody does not answer.
    pub fn open(builder: Builder) -> Result<Self> {
        Self::open_with(builder, TIMEOUT)
    }

    /// The same with another timeout of the watches.
    ///
    /// # Errors
    /// As [`Arena::open`].
    pub fn open_with(builder: Builder, timeout: Duration) -> Result<Self> {
        let cluster = Arc::new(builder.boot()?);
        let pool = cluster.pool(POOL, PoolKind::Replicated, GROUPS)?;
        let objects: Vec<_> = (0..OBJECTS).map(|number| pool.object(format!("object{number}"))).collect();
        let admin = cluster.admin()?;
        objects.iter().try_for_each(|object| admin.write_full(object, b""))?;
        let start = Instant::now();
        let ledger = Arc::new(Ledger::new(start));
        let linger = LingerWatcher::start(cluster.conf(), &objects, timeout, &ledger)?;
        let librados = LibradosWatcher::start(&cluster, &objects, timeout, &ledger)?;
        let notifier = Notifier::start(&cluster, &objects, &ledger)?;
        let arena = Self { cluster, objects, ledger, notifier, librados, linger };
        arena.settle(start)?;
        Ok(arena)
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What is watched.
    #[must_use]
    pub fn objects(&self) -> &[Object] {
        &self.objects
    }

    /// The pool's name.
    #[must_use]
    pub fn pool(&self) -> &'static str {
        POOL
    }

    /// The address by which the cluster knows a watcher's client: what a blocklist names.
    ///
    /// # Errors
    /// It watches nothing at present.
    pub fn addr_of(&self, side: Side) -> Result<String> {
        let client = match side {
            Side::Linger => self.linger.client(),
            Side::Librados => self.librados.client(),
        };
        for object in &self.objects {
            let watchers = self.cluster.list_watchers(object)?;
            if let Some(watcher) = watchers.into_iter().find(|watcher| watcher.client == client) {
                return Ok(watcher.addr);
            }
        }
        anyhow::bail!("client.{client} watches nothing")
    }

    /// Where the map has an object: `pgid`, `up`, `acting`, `acting_primary`.
    ///
    /// # Errors
    /// The monitors do not say.
    pub fn place(&self, object: &Object) -> Result<Value> {
        let command =
            json!({"prefix": "osd map", "pool": object.pool, "object": object.name, "format": "json"});
        self.cluster.mon_command(&command)
    }

    /// Waits until both watchers have answered a notify of each object that began after `since`.
    ///
    /// # Errors
    /// Not in time; the error names the objects.
    pub fn settle(&self, since: Instant) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            let waits = (0..self.objects.len()).filter(|object| !self.ledger.both_answered(*object, since));
            let waits: Vec<_> = waits.collect();
            if waits.is_empty() {
                return Ok(());
            }
            ensure!(
                Instant::now() < end,
                "objects {waits:?} are not answered for; linger: {}; librados: {}",
                self.verdict(Side::Linger),
                self.verdict(Side::Librados)
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until linger has announced the loss of every object.
    ///
    /// # Errors
    /// Not in time.
    pub fn wait_all_lost(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while (0..self.objects.len()).any(|object| self.ledger.lost_since(Side::Linger, object).is_none()) {
            ensure!(Instant::now() < end, "not every watch was lost: {}", self.verdict(Side::Linger));
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// How a watcher did so far.
    #[must_use]
    pub fn verdict(&self, side: Side) -> Verdict {
        self.ledger.verdict(side)
    }

    /// Ends everything, and gives what happened.
    ///
    /// # Errors
    /// Something can not be ended, or linger's own counts contradict the ledger.
    pub fn close(mut self, name: &str) -> Result<Row> {
        self.notifier.stop(Duration::from_secs(5));
        // What was answered is on its way to the readers of both watchers.
        thread::sleep(Duration::from_millis(500));
        self.librados.stop();
        let totals = self.linger.totals()?;
        let row = Row {
            name: name.to_owned(),
            linger: self.verdict(Side::Linger),
            librados: self.verdict(Side::Librados),
            reconnects: totals.reconnects,
        };
        ensure!(
            totals.losses.all() >= row.linger.errors,
            "more losses were told than counted: {totals:?} {row}"
        );
        let left = self.linger.close(Duration::from_secs(5)).context("linger")?;
        println!("{row}, {left} watches left behind");
        Ok(row)
    }
}
