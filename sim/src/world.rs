//! Everything together, moved on from event to event.

use crate::agenda::{Agenda, Item};
use crate::dice::Dice;
use crate::model::{Model, Watched};
use crate::net::Net;
use crate::node::{Node, UNIX_EPOCH};
use crate::plan::{Plan, SETTLE, START};
use crate::trace::Trace;
use crate::user::{object_name, watcher_id};
use linger_core::{Call, Timestamp, UnixTime};
use linger_mini_cluster::{Deed, Servers};
use linger_wire::msg::WatcherId;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Timestamp,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {:?}: {}", self.at, self.what)
    }
}

/// What a run amounted to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    /// Time that passed in it.
    pub simulated: Duration,
    /// Events.
    pub steps: u64,
    /// Watches that there were.
    pub watches: u64,
    /// Notifies that were sent.
    pub notifies: u64,
    /// Of these, those with an outcome that an OSD gave.
    pub outcomes: u64,
    /// Notifies that users got.
    pub delivered: u64,
    /// Faults.
    pub faults: u64,
}

/// The simulated world.
pub(crate) struct World {
    pub plan: Plan,
    pub now: Timestamp,
    pub agenda: Agenda,
    pub servers: Servers,
    pub servers_armed: Option<Timestamp>,
    pub nodes: Vec<Node>,
    pub net: Net,
    pub model: Model,
    pub trace: Trace,
    /// Client processes that there were.
    pub lives: u64,
    pub notifies: u64,
    pub outcomes: u64,
    pub calm: bool,
    /// When the last fault so far ends.
    pub disturbed: Timestamp,
    /// Objects that were looked at, and that were notified, after all was well.
    asked_last: Vec<(bool, bool)>,
    /// Watches that OSDs dropped just now.
    expired: Vec<WatcherId>,
    violation: Option<Violation>,
    steps: u64,
}

/// Runs a plan to its end.
///
/// # Errors
/// The first promise that was broken; a panic is one, too.
pub fn run(plan: &Plan, trace: &mut Trace) -> Result<Stats, Violation> {
    let mut world = World::new(plan.clone(), std::mem::replace(trace, Trace::Off));
    // After a panic nothing of the world is used but its clock.
    let result = catch_unwind(AssertUnwindSafe(|| world.play()));
    *trace = std::mem::replace(&mut world.trace, Trace::Off);
    result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
        Err(Violation { at: world.now, what: format!("panicked: {text}") })
    })
}

impl World {
    fn new(plan: Plan, trace: Trace) -> Self {
        let now = Timestamp::from_micros(START);
        let unix = UnixTime(Duration::from_secs(UNIX_EPOCH) + now.saturating_since(Timestamp::default()));
        let mut dice = Dice::new(plan.seed, 1);
        let mut servers = Servers::new(now, unix, plan.settings.clone(), dice.seed());
        servers.keep_journal(matches!(trace, Trace::Print));
        let mut net = Net::new(Dice::new(plan.seed, 2));
        net.latency = plan.latency;
        net.jitter = plan.jitter;
        net.window = plan.window;
        net.cuts = plan.cuts;
        let nodes = (0..plan.clients)
            .map(|n| Node::new(now, n as u64, Dice::new(plan.seed, 100 + n as u64), &servers, &plan))
            .collect();
        let mut agenda = Agenda::default();
        for (n, fault) in plan.faults.iter().enumerate() {
            agenda.at(fault.at, Item::Fault(n));
        }
        agenda.at(plan.calm, Item::Calm);
        agenda.at(plan.check, Item::Check);
        agenda.at(plan.end, Item::End);
        Self {
            lives: plan.clients as u64,
            plan,
            now,
            agenda,
            servers,
            servers_armed: None,
            nodes,
            net,
            model: Model::default(),
            trace,
            notifies: 0,
            outcomes: 0,
            calm: false,
            disturbed: now,
            asked_last: Vec::new(),
            expired: Vec::new(),
            violation: None,
            steps: 0,
        }
    }

    fn play(&mut self) -> Result<Stats, Violation> {
        for n in 0..self.nodes.len() {
            let first = self.nodes[n].dice.span(Duration::ZERO, Duration::from_secs(2));
            self.agenda.at(self.now.saturating_add(first), Item::Act(n));
            self.drain(n);
        }
        while let Some((at, item)) = self.agenda.next() {
            self.now = self.now.max(at);
            self.steps += 1;
            if let Some(hour) = self.trace.hour(self.simulated()) {
                let watches: usize = self.nodes.iter().map(|node| node.wanted().count()).sum();
                eprintln!("hour {hour}: {watches} watches, {} events so far", self.steps);
            }
            let last = item == Item::End;
            self.step(item);
            if let Some(violation) = self.violation.take() {
                self.trace.line(self.now, format_args!("VIOLATION {}", violation.what));
                return Err(violation);
            }
            if last {
                break;
            }
        }
        Ok(Stats {
            simulated: self.simulated(),
            steps: self.steps,
            watches: self.model.watches.len() as u64,
            notifies: self.notifies,
            outcomes: self.outcomes,
            delivered: self.model.delivered,
            faults: self.plan.faults.len() as u64,
        })
    }

    fn simulated(&self) -> Duration {
        self.now.saturating_since(Timestamp::from_micros(START))
    }

    fn step(&mut self, item: Item) {
        match item {
            Item::Knock(link) => self.knock(link),
            Item::Answered(link) => self.on_answered(link),
            Item::ToServer(link) => self.reach_server(link),
            Item::ToClient(link) => self.reach_client(link),
            Item::Servers => {
                if self.servers_armed.is_some_and(|armed| armed <= self.now) {
                    self.servers_armed = None;
                }
                self.servers.tick(self.now);
                self.after_servers();
            }
            Item::Deadline(n) => self.on_deadline(n),
            Item::Act(n) => self.on_act(n),
            Item::Look(n, record) => self.look(n, record),
            Item::Answer(n) => self.on_answer(n),
            Item::Register(n, record) => self.on_register(n, record),
            Item::Fault(n) => self.begin(n),
            Item::Heal(n) => self.heal(n),
            Item::Calm => self.on_calm(),
            Item::Check => self.on_check(),
            Item::End => self.on_end(),
        }
    }

    /// Notes that a promise was broken; the first one counts.
    pub(crate) fn violate(&mut self, what: String) {
        let at = self.now;
        self.violation.get_or_insert(Violation { at, what });
    }

    /// Takes what the OSDs did. A watch that one of them dropped must not count as live any more.
    pub(crate) fn read_journal(&mut self) {
        for record in self.servers.journal() {
            if !self.trace.is_off() {
                self.trace
                    .line(self.now, format_args!("osd.{} {} {:?}", record.osd, record.object, record.deed));
            }
            match &record.deed {
                Deed::WatchExpired(watcher) => self.expired.push(*watcher),
                Deed::NotHeld => self.violate(format!("a client did not hold {}", record.object)),
                Deed::PingedUnbound(watcher) => {
                    self.violate(format!("{watcher:?} pinged and was not reconnected"));
                }
                Deed::AckedAgain { watcher, .. } if self.plan.faults.is_empty() => {
                    self.violate(format!("{watcher:?} answered a notify of {} twice", record.object));
                }
                _ => {}
            }
            self.model.truth.take(record);
        }
        while let Some(watcher) = self.expired.pop() {
            self.check_lease(watcher);
        }
    }

    /// Nothing is broken, and nothing was for so long that all must be well.
    pub(crate) fn is_quiet(&self) -> bool {
        self.plan.faults.is_empty() || self.now > self.disturbed.saturating_add(SETTLE)
    }

    /// An OSD dropped a watch for want of pings: its client must not count on it any more, and it must have been
    /// in trouble if it wants it.
    fn check_lease(&mut self, watcher: WatcherId) {
        let Some(watched) = self.model.find(watcher) else { return };
        let truth = &self.model.truth;
        // A WATCH of the same cookie that came later registered it again.
        if truth.connected.get(&watcher).map(|(place, _)| place) > truth.expired.get(&watcher) {
            return;
        }
        let node = &self.nodes[watched.node];
        if node.life != watched.life || node.frozen.is_some() {
            return;
        }
        let (n, id) = (watched.node, watched.id);
        let status = node.client.status(self.now, id).filter(|status| status.cookie == watcher.cookie);
        let Some(status) = status else { return };
        let wanted = node.watches.get(&id).is_some_and(|watch| !watch.leaving);
        if self.is_quiet() && wanted && node.client.global_id() == Some(watcher.client) {
            return self.violate(format!("client {n} did not ping for {watcher:?}, while all was well"));
        }
        if status.is_live && !status.lease_left.is_zero() {
            self.violate(format!(
                "client {n} counts {watcher:?} as live for another {:?}, while its OSD dropped it for want of pings",
                status.lease_left
            ));
        }
    }

    /// No more faults: what is broken still is mended.
    fn on_calm(&mut self) {
        self.trace.line(self.now, format_args!("--- calm"));
        self.calm = true;
        for n in 0..self.plan.faults.len() {
            let fault = self.plan.faults[n];
            if fault.at.saturating_add(fault.lasts) >= self.now {
                self.heal(n);
            }
        }
        let moved: Vec<_> = self.servers.map().pg_temp.keys().copied().collect();
        moved.into_iter().for_each(|pg| self.servers.place(self.now, pg, &[]));
        self.after_servers();
        self.net.parted.clear();
        self.net.dark.clear();
        self.wake_links(|_| true);
        for n in 0..self.nodes.len() {
            self.nodes[n].frozen = self.nodes[n].frozen.map(|until| until.min(self.now));
            self.thaw(n);
        }
    }

    /// A while after the last fault all is well; then everybody is notified once more.
    fn on_check(&mut self) {
        for n in 0..self.nodes.len() {
            let node = &self.nodes[n];
            let deaf = node.wanted().find(|watch| {
                let status = node.client.status(self.now, watch.id);
                status.is_none_or(|status| !status.is_live)
            });
            if let Some(watch) = deaf {
                let (id, status) = (watch.id, node.client.status(self.now, watch.id));
                return self
                    .violate(format!("client {n} has no live watch {id:?} after the calm: {status:?}"));
            }
            if let Some(ticket) = node.tickets.values().next() {
                let what = format!("client {n} still waits for {:?}", ticket.payload);
                return self.violate(what);
            }
            if node.refused {
                return self.violate(format!("client {n} does not say that it takes commands again"));
            }
            if !node.calls.is_empty() {
                return self.violate(format!("client {n} still waits for a call"));
            }
        }
        self.asked_last = vec![(false, false); self.plan.objects];
        for n in 0..self.nodes.len() {
            self.ask_last(n);
            self.drain(n);
        }
    }

    /// Each object is looked at once more, and its watchers are notified, as far as its client takes commands.
    pub(crate) fn ask_last(&mut self, n: usize) {
        for object in (n..self.asked_last.len()).step_by(self.nodes.len()) {
            let (mut looked, mut notified) = self.asked_last[object];
            let watched = |watched: &Watched| watched.object == object_name(object) && !watched.closed;
            if !looked {
                // Objects nobody looks at keep watches of clients that are gone.
                looked = self.start_call(n, self.object(object), Call::ListWatchers, None);
            }
            if looked && !notified {
                notified = !self.model.watches.iter().any(watched) || self.notify(n, object);
            }
            self.asked_last[object] = (looked, notified);
        }
    }

    /// What is left is compared with what is wanted.
    fn on_end(&mut self) {
        if let Err(why) = self.model.check_deafness() {
            return self.violate(why);
        }
        for object in 0..self.plan.objects {
            let target = self.object(object);
            let registered = self.servers.watchers(&target).unwrap_or_default();
            let registered: BTreeSet<WatcherId> = registered.iter().map(watcher_id).collect();
            let wanted: BTreeSet<WatcherId> = self.wanted(object).collect();
            if registered != wanted {
                return self
                    .violate(format!("watchers of {target} are {registered:?} instead of {wanted:?}"));
            }
            let last =
                self.model.truth.of(&object_name(object)).filter(|(_, sent)| sent.at >= self.plan.check);
            if let Some((id, sent)) = last.last() {
                let acked = |watcher: &WatcherId| {
                    sent.done
                        .as_ref()
                        .is_some_and(|done| done.watchers.acks.iter().any(|ack| ack.watcher == *watcher))
                };
                if let Some(deaf) = wanted.iter().find(|watcher| !acked(watcher)) {
                    return self.violate(format!("{deaf:?} did not answer the last notify, {id:#x}"));
                }
            }
        }
    }

    fn wanted(&self, object: usize) -> impl Iterator<Item = WatcherId> {
        let nodes = self.nodes.iter();
        nodes.flat_map(move |node| {
            let mine = node.wanted().filter(move |watch| watch.object == object);
            mine.filter_map(|watch| {
                let cookie = node.client.status(self.now, watch.id)?.cookie;
                Some(WatcherId { client: node.client.global_id()?, cookie })
            })
        })
    }
}
