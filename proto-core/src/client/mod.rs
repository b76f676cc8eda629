//! The facade: commands and inputs in, outputs out; the parts below never see each other.

mod commands;
mod inputs;
mod maps;
mod outputs;
mod overdue;
mod unplaced;

use crate::call::Calls;
use crate::cluster::MapHolder;
use crate::config::Config;
use crate::conn::Pool;
use crate::context::Context;
use crate::error::ConfigError;
use crate::ids::WatchId;
use crate::mon::MonClient;
use crate::notify::Notifies;
use crate::session::Sessions;
use crate::timers::{Slot, Timers};
use crate::totals::Totals;
use crate::watch::{Cluster, WatchStatus, Watches};
use crate::{Rng, Timestamp, UnixTime};
use alloc::collections::VecDeque;
use linger_wire::osdmap::OsdMap;
use linger_wire::{EntityName, Fsid};
use rand_core::{Rng as _, SeedableRng};
use unplaced::Unplaced;

/// Why an adapter says that a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// It could not be opened.
    Unreachable,
    /// The peer closed it, or it broke.
    Closed,
}

/// A client of one cluster: the whole protocol, and no I/O.
///
/// See the [crate's documentation](crate) for the loop that drives it.
pub struct Client {
    cx: Context,
    mon: MonClient,
    sessions: Sessions,
    holder: MapHolder,
    /// The newest epoch that the monitors said there is.
    newest: u64,
    overdue: Slot,
    watches: Watches,
    notifies: Notifies,
    calls: Calls,
    unplaced: Unplaced,
    /// Wall-clock time at a point of monotonic time.
    wall: (Timestamp, UnixTime),
    /// Inputs whose time ran backwards.
    time_steps_back: u64,
    told_connected: bool,
    told_identity: Option<u64>,
    /// A command was refused as busy.
    owes_ready: bool,
    /// The OSDs refuse this client.
    blocklisted: bool,
    closing: Option<Closing>,
}

/// On the way out.
struct Closing {
    ends: Slot,
    /// The client is another one by now: it can end nothing that it had.
    renamed: bool,
    done: bool,
}

impl Client {
    /// A client that starts to look for a monitor at once.
    ///
    /// `now` is monotonic time and may start anywhere; `unix_now` is wall-clock time. `seed` is 32
    /// bytes from the operating system's entropy: every challenge and nonce comes from it, so a
    /// fixed one is for tests only. The same seed and inputs give the same outputs.
    ///
    /// # Errors
    /// [`ConfigError`] for a configuration with which no session can ever be.
    pub fn new(
        now: Timestamp,
        unix_now: UnixTime,
        config: Config,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let mut rng = Rng::from_seed(seed);
        let pool = Pool::new(rng.next_u32());
        let mut client = Self {
            mon: MonClient::new(&config),
            holder: MapHolder::new(&config.limits),
            newest: 0,
            overdue: Slot::default(),
            cx: Context { now, unix_now, config, rng, pool, timers: Timers::default(), out: VecDeque::new() },
            sessions: Sessions::new(),
            watches: Watches::new(),
            notifies: Notifies::new(),
            calls: Calls::new(),
            unplaced: Unplaced::default(),
            wall: (now, unix_now),
            time_steps_back: 0,
            told_connected: false,
            told_identity: None,
            owes_ready: false,
            blocklisted: false,
            closing: None,
        };
        client.mon.hunt(&mut client.cx);
        Ok(client)
    }

    /// The newest OSD map, once there is one.
    #[must_use]
    pub fn osd_map(&self) -> Option<&OsdMap> {
        self.holder.get()
    }

    /// The cluster's id, once a monitor said or the configuration did.
    #[must_use]
    pub fn fsid(&self) -> Option<Fsid> {
        self.mon.fsid()
    }

    /// This client's number: others know it as `client.N`.
    #[must_use]
    pub fn global_id(&self) -> Option<u64> {
        self.mon.global_id()
    }

    /// Whether all monitors that are known of can not be used for a reason that stays: each refused the login, is
    /// of another cluster, or the like. The client goes on trying all the same.
    #[must_use]
    pub fn is_shut_out(&self) -> bool {
        self.mon.is_shut_out()
    }

    /// Watches that are wanted or whose last events are not taken yet.
    #[must_use]
    pub fn watches(&self) -> usize {
        self.watches.len()
    }

    /// How a watch stands at `now`; `None` once it has ended.
    #[must_use]
    pub fn status(&self, now: Timestamp, id: WatchId) -> Option<WatchStatus> {
        self.watches.status(id.key(), now.max(self.cx.now))
    }

    /// What was counted since the client was made. Looks at every watch.
    #[must_use]
    pub fn totals(&self, now: Timestamp) -> Totals {
        self.watches.totals(now.max(self.cx.now))
    }

    /// Whether a watcher or a notifier, as the cluster names it, is this client.
    #[must_use]
    pub fn is_me(&self, name: EntityName) -> bool {
        self.global_id().is_some_and(|id| name == EntityName::client(id))
    }

    /// How often an input's time lay before that of an earlier one; it then counts as the same.
    #[must_use]
    pub fn time_steps_back(&self) -> u64 {
        self.time_steps_back
    }

    /// Takes in an input's time.
    fn at(&mut self, now: Timestamp) {
        if now < self.cx.now {
            self.time_steps_back += 1;
            return;
        }
        self.cx.now = now;
        let (then, wall) = self.wall;
        self.cx.unix_now = UnixTime(wall.0.saturating_add(now.saturating_since(then)));
    }

    /// Runs a step that needs a map; `None` without one.
    fn with_cluster<T>(
        &mut self,
        step: impl FnOnce(&mut Watches, &mut Notifies, &mut Calls, &mut Cluster<'_>, &mut Context) -> T,
    ) -> Option<T> {
        let global_id = self.mon.global_id().unwrap_or(0);
        let map = self.holder.get()?;
        let mut cluster = Cluster { sessions: &mut self.sessions, map, global_id };
        Some(step(&mut self.watches, &mut self.notifies, &mut self.calls, &mut cluster, &mut self.cx))
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Client")
            .field("now", &self.cx.now)
            .field("epoch", &self.holder.epoch())
            .field("watches", &self.watches.len())
            .finish_non_exhaustive()
    }
}
