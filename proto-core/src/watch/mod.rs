//! The wanted watches: one state machine each, pings, leases, and the events they give.
//!
//! A lease runs from the moment the last confirmed request (WATCH, RECONNECT or PING) was encoded:
//! before the OSD can have seen it, so the OSD's own timer ends later. When it runs out without a
//! confirmed ping the watch is lost, whatever the reason, and the user is told.

mod apply;
mod deliveries;
mod options;
mod queue;
mod removals;
mod replies;
mod requests;
mod state;
mod status;
mod unanswered;

pub use options::{OnDrop, Reregister, WatchOptions};
pub use queue::WhenFull;
pub use status::WatchStatus;

use crate::context::Context;
use crate::ids::{WatchId, WatchKey};
use crate::object::Object;
use crate::output::{Event, LeftBehind, WatchEvent};
use crate::placement::{Overlay, Target};
use crate::session::op::{Owner, WatchRole};
use crate::session::{Member, Sessions};
use crate::timers::{Slot, TimerKey};
use crate::totals::{Totals, Why};
use crate::{Rng, Timestamp};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use apply::Detail;
use core::time::Duration;
use linger_wire::msg::OpReply;
use linger_wire::osdmap::OsdMap;
use queue::Queue;
use rand_core::Rng as _;
use requests::watch_action;
use slotmap::SlotMap;
use state::{Input, State};
use unanswered::Unanswered;

/// One wanted watch.
struct Watch {
    /// Known once the pool is.
    object: Option<Arc<Object>>,
    opts: WatchOptions,
    timeout_secs: u32,
    state: State,
    cookie: u64,
    /// A WATCH of this cookie was sent, so that an OSD may have it.
    asked: bool,
    /// Counts RECONNECTs of this cookie; a ping's reply of an older one says nothing.
    register_gen: u32,
    /// How often it went live.
    lives: u32,
    /// The request under way that the state waits for.
    tid: Option<u64>,
    pings: BTreeSet<u64>,
    next_ping: Timestamp,
    /// When the last confirmed request was encoded.
    confirmed: Timestamp,
    /// When the first WATCH or RECONNECT was encoded that may have bound this cookie to this connection:
    /// one that comes to the OSD after that does not start its timer anew.
    bound: Option<Timestamp>,
    deaf_since: Option<Timestamp>,
    /// Registered anew since it was live.
    is_new: bool,
    /// The loss is told.
    announced: bool,
    /// Losses that followed soon after going live, or after each other.
    retries: u32,
    live_since: Timestamp,
    /// When to register again while lost.
    retry_at: Option<Timestamp>,
    /// When to give up: a first registration, or waiting for an answer to UNWATCH.
    give_up_at: Option<Timestamp>,
    target: Option<Target>,
    /// Another OSD that the target's sent WATCH or RECONNECT on to.
    redirected: Option<i32>,
    timer: Slot,
    queue: Queue,
    unanswered: Unanswered,
    /// UNWATCHes of registrations that were replaced, and their cookies.
    removals: BTreeMap<u64, u64>,
}

impl Watch {
    fn lease(&self) -> Duration {
        Duration::from_secs(self.timeout_secs.into())
    }

    fn lease_ends(&self) -> Timestamp {
        self.confirmed.saturating_add(self.lease())
    }

    /// When the next ping is due: up to a quarter of the interval early, so that many spread.
    fn next_ping_after(&self, now: Timestamp, rng: &mut Rng) -> Timestamp {
        let interval = Duration::from_secs(5).min(self.lease() / 4);
        let spread = (u64::from(rng.next_u32()) * (interval.as_millis() as u64 / 4)) >> 32;
        now.saturating_add(interval - Duration::from_millis(spread))
    }

    /// The OSD that has the watch or is asked for it, -1 without a primary.
    fn osd(&self) -> Option<i32> {
        self.redirected.or_else(|| Some(self.target?.osd))
    }

    fn deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Registering | State::Unwatching => self.give_up_at,
            State::Lost => [self.retry_at, self.give_up_at].into_iter().flatten().min(),
            State::Live => Some(self.next_ping.min(self.lease_ends())),
            State::Reconnecting => Some(self.lease_ends()),
            State::Barred | State::Closed => None,
        }
    }
}

/// The surroundings of a watch's step.
pub(crate) struct Cluster<'a> {
    pub(crate) sessions: &'a mut Sessions,
    pub(crate) map: &'a OsdMap,
    pub(crate) global_id: u64,
}

/// The answer to a request of a watch.
pub(crate) struct Answer<'a> {
    pub(crate) role: WatchRole,
    pub(crate) tid: u64,
    /// When the request was encoded.
    pub(crate) sent: Timestamp,
    pub(crate) reply: &'a OpReply,
}

/// All wanted watches.
pub(crate) struct Watches {
    watches: SlotMap<WatchKey, Watch>,
    by_cookie: BTreeMap<u64, WatchKey>,
    last_cookie: u64,
    /// UNWATCHes of registrations of watches that have ended.
    orphans: BTreeMap<u64, LeftBehind>,
    /// Watches that have not ended.
    open: usize,
    /// Bytes of payloads that wait in queues.
    queued_bytes: usize,
    /// Bytes of payloads that were taken and count all the same.
    held_bytes: usize,
    /// Watches whose queue turned non-empty.
    readable: BTreeSet<WatchKey>,
    totals: Totals,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self {
            watches: SlotMap::with_key(),
            by_cookie: BTreeMap::new(),
            last_cookie: 0,
            orphans: BTreeMap::new(),
            open: 0,
            queued_bytes: 0,
            held_bytes: 0,
            readable: BTreeSet::new(),
            totals: Totals::default(),
        }
    }

    /// Watches that are not closed.
    pub(crate) fn len(&self) -> usize {
        self.watches.len()
    }

    /// Whether the watch has not ended.
    pub(crate) fn contains(&self, key: WatchKey) -> bool {
        self.watches.get(key).is_some_and(|watch| watch.state != State::Closed)
    }

    /// Whether every watch has ended, and every registration that was given up is removed.
    pub(crate) fn all_ended(&self) -> bool {
        self.open == 0 && self.orphans.is_empty()
    }

    /// Watches that have not ended.
    pub(crate) fn open_keys(&self) -> Vec<WatchKey> {
        self.watches.iter().filter(|(_, watch)| watch.state != State::Closed).map(|(key, _)| key).collect()
    }

    /// Ends all watches at once; returns the registrations that may be left at their OSDs.
    pub(crate) fn abandon_all(&mut self, cx: &mut Context) -> Vec<LeftBehind> {
        let mut left = Vec::new();
        for key in self.open_keys() {
            left.extend(self.leave_behind(key, cx));
            self.orphan_removals(key);
            self.end_unplaced(key, cx);
        }
        left.extend(core::mem::take(&mut self.orphans).into_values());
        left
    }

    /// A cookie that no watch or notify of this client ever had.
    pub(crate) fn new_cookie(&mut self) -> u64 {
        self.last_cookie += 1;
        self.last_cookie
    }

    pub(crate) fn add(&mut self, opts: WatchOptions, timeout_secs: u32, cx: &mut Context) -> WatchKey {
        let give_up_at = opts.register_within.map(|span| cx.now.saturating_add(span));
        let cookie = self.new_cookie();
        let key = self.watches.insert(Watch {
            object: None,
            opts,
            timeout_secs,
            state: State::Registering,
            cookie,
            asked: false,
            register_gen: 0,
            lives: 0,
            tid: None,
            pings: BTreeSet::new(),
            next_ping: Timestamp::MAX,
            confirmed: cx.now,
            bound: None,
            deaf_since: None,
            is_new: true,
            announced: false,
            retries: 0,
            live_since: cx.now,
            retry_at: None,
            give_up_at,
            target: None,
            redirected: None,
            timer: Slot::default(),
            queue: Queue::default(),
            unanswered: Unanswered::default(),
            removals: BTreeMap::new(),
        });
        self.by_cookie.insert(cookie, key);
        self.open += 1;
        self.arm(key, cx);
        key
    }

    /// The pool is known: register.
    pub(crate) fn start(
        &mut self,
        key: WatchKey,
        object: Arc<Object>,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.object = Some(object);
            self.moved(key, Why::Interval, cl, cx);
        }
    }

    pub(crate) fn object(&self, key: WatchKey) -> Option<&Arc<Object>> {
        self.watches.get(key)?.object.as_ref()
    }

    /// The session was reset, or the object's group is in a new interval.
    ///
    /// Returns false if the map does not have the pool.
    pub(crate) fn moved(&mut self, key: WatchKey, why: Why, cl: &mut Cluster<'_>, cx: &mut Context) -> bool {
        let Some(watch) = self.watches.get_mut(key).filter(|watch| watch.state != State::Closed) else {
            return true;
        };
        let Some(object) = watch.object.clone() else { return true };
        let before = watch.target.map(|target| target.osd);
        watch.redirected = None;
        watch.target = cl.sessions.targets.place(Member::Watch(key), &object, Overlay::Write, cl.map);
        let placed = watch.target.is_some();
        let same_conn = why != Why::Reset && before == watch.target.map(|target| target.osd);
        if placed {
            self.input_with(key, Input::Moved, Detail { why: Some(why), ..Detail::default() }, cl, cx);
        }
        if let Some(watch) = self.watches.get_mut(key).filter(|_| !same_conn) {
            watch.bound = None;
        }
        placed
    }

    pub(super) fn arm(&mut self, key: WatchKey, cx: &mut Context) {
        if let Some(watch) = self.watches.get_mut(key) {
            let at = watch.deadline();
            cx.timers.set(TimerKey::Watch(key), &mut watch.timer, at);
        }
    }

    /// The next event of a watch; a watch whose last event was taken is forgotten.
    pub(crate) fn next(&mut self, key: WatchKey) -> Option<WatchEvent> {
        let watch = self.watches.get_mut(key)?;
        let event = watch.queue.pop();
        match &event {
            Some(WatchEvent::Notify(notify)) => {
                self.queued_bytes -= notify.payload.len();
                watch.unanswered.take(notify.notify_id);
            }
            Some(WatchEvent::Closed) => {
                self.watches.remove(key);
                self.readable.remove(&key);
            }
            _ => {}
        }
        event
    }

    pub(crate) fn set_held_bytes(&mut self, bytes: usize) {
        self.held_bytes = bytes;
    }

    /// Puts a mark behind everything that waits to be taken; `None` if the watch has ended, for nothing comes
    /// after its end, false if too many marks wait.
    pub(crate) fn flush(&mut self, key: WatchKey, token: u64, now: Timestamp) -> Option<bool> {
        let watch = self.watches.get_mut(key).filter(|watch| watch.state != State::Closed)?;
        let marked = watch.queue.mark(now, token);
        self.readable.insert(key);
        Some(marked)
    }

    /// The next watch whose user is to be told that it has events.
    pub(crate) fn next_readable(&mut self) -> Option<Event> {
        while let Some(key) = self.readable.pop_first() {
            if self.watches.get_mut(key).is_some_and(|watch| watch.queue.announce()) {
                return Some(Event::Readable(WatchId::from(key)));
            }
        }
        None
    }
}

impl core::fmt::Debug for Watches {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Watches({})", self.watches.len())
    }
}
