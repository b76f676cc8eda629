//! What users do.

use crate::agenda::Item;
use crate::bounds;
use crate::model::{Left, NewWatch};
use crate::node::{Node, PendingCall, Ticket, UserWatch};
use crate::world::World;
use bytes::Bytes;
use linger_core::{Call, ObjectRef, WatchId};
use linger_wire::msg::{Watcher, WatcherId};
use linger_wire::{EntityAddr, Name};
use std::time::Duration;

/// What a call gets.
const CALL: Duration = Duration::from_secs(20);

impl World {
    pub(crate) fn object(&self, object: usize) -> ObjectRef {
        let pool = if object % 4 == 3 { "two" } else { "one" };
        ObjectRef::new(pool, object_name(object))
    }

    pub(crate) fn on_act(&mut self, n: usize) {
        if self.calm {
            return;
        }
        let next = self.nodes[n].dice.about(self.plan.act_every);
        self.agenda.at(self.now.saturating_add(next), Item::Act(n));
        if self.nodes[n].frozen.is_some() {
            return;
        }
        if self.plan.full && !self.nodes[n].closing {
            for _ in self.nodes[n].wanted().count()..self.plan.watches {
                let object = self.nodes[n].dice.index(self.plan.objects);
                self.watch(n, object);
            }
        }
        let object = self.nodes[n].dice.index(self.plan.objects);
        let most = if self.plan.steady { 65 } else { 100 };
        match self.nodes[n].dice.below(most) {
            0..40 => _ = self.notify(n, object),
            40..65 => self.watch(n, object),
            65..72 => self.unwatch(n, None),
            72..76 => self.unwatch(n, Some(Duration::from_secs(3))),
            76..88 => self.call(n, object),
            88..91 => self.reregister_any(n),
            91..93 => self.nodes[n].renew(self.now),
            93..96 => self.abandon(n),
            96..98 => self.close(n),
            _ => self.flush(n),
        }
        self.drain(n);
    }

    /// False if the client does not take it.
    pub(crate) fn notify(&mut self, n: usize, object: usize) -> bool {
        self.notifies += 1;
        let payload = Bytes::from(format!("N{}", self.notifies));
        let node = &mut self.nodes[n];
        let timeout = Duration::from_secs(1 + node.dice.below(20));
        let target = self.object(object);
        let node = &mut self.nodes[n];
        match node.client.notify(self.now, target, payload.clone(), timeout) {
            Err(error) => {
                self.note_refusal(n, &error);
                false
            }
            Ok(id) => {
                self.trace
                    .line(self.now, format_args!("client {n} notifies {object} {payload:?} {timeout:?}"));
                let deadline = self.now.saturating_add(timeout + Duration::from_secs(5));
                node.tickets.insert(id, Ticket { object, payload, begun: self.now, deadline });
                true
            }
        }
    }

    pub(crate) fn watch(&mut self, n: usize, object: usize) {
        let target = self.object(object);
        let node = &mut self.nodes[n];
        if node.wanted().count() >= self.plan.watches {
            return;
        }
        let options = node.options(self.plan.slow_users, self.plan.leases);
        // Most users make the object first.
        if !node.dice.one_in(8) {
            let create = Call::Create { exclusive: false };
            self.start_call(n, target.clone(), create, Some(CALL));
        }
        let node = &mut self.nodes[n];
        let id = match node.client.watch(self.now, target, options.clone()) {
            Err(error) => return self.note_refusal(n, &error),
            Ok(id) => id,
        };
        self.trace.line(self.now, format_args!("client {n} watches {object} as {id:?}, {options:?}"));
        let slow = match self.plan.slow_users && node.dice.one_in(3) {
            true => node.dice.span(Duration::ZERO, Duration::from_secs(10)),
            false => Duration::ZERO,
        };
        let record = self.model.add(NewWatch {
            node: n,
            life: node.life,
            object: object_name(object),
            id,
            lease: options.timeout,
            // What a queue that is short sheds, its user does not see in time either.
            slow: !slow.is_zero() || options.queue.is_some() || bounds::may_shed(&self.plan.limits),
        });
        node.watches.insert(id, UserWatch { id, object, record, slow, leaving: false });
    }

    fn unwatch(&mut self, n: usize, within: Option<Duration>) {
        let now = self.now;
        let node = &mut self.nodes[n];
        let wanted: Vec<WatchId> = node.wanted().map(|watch| watch.id).collect();
        if wanted.is_empty() {
            return;
        }
        let id = node.dice.pick(&wanted);
        self.trace.line(now, format_args!("client {n} unwatches {id:?} within {within:?}"));
        let ended = match within {
            None => node.client.unwatch(now, id),
            Some(within) => node.client.unwatch_within(now, id, within),
        };
        self.leave(n, id);
        if ended.is_err() && !self.model.watches[self.nodes[n].watches[&id].record].closed {
            // Closed may wait in the queue of a slow user.
            self.trace.line(now, format_args!("client {n}: {id:?} had ended"));
        }
    }

    fn leave(&mut self, n: usize, id: WatchId) {
        let node = &mut self.nodes[n];
        // Who sleeps is told nothing.
        let awake_since = node.frozen.map_or(node.last_thaw, |_| self.now);
        let left = Left { order: self.model.truth.order, at: self.now, awake_since };
        if let Some(watch) = node.watches.get_mut(&id) {
            watch.leaving = true;
            self.model.watches[watch.record].left.get_or_insert(left);
        }
    }

    fn call(&mut self, n: usize, object: usize) {
        let target = self.object(object);
        let dice = &mut self.nodes[n].dice;
        let call = match dice.below(5) {
            0 => Call::WriteFull(Bytes::from_static(b"content")),
            1 => Call::Read { offset: 0, len: 0 },
            2 => Call::Stat,
            3 => Call::ListWatchers,
            _ => Call::Create { exclusive: true },
        };
        let within = if dice.one_in(4) { None } else { Some(CALL) };
        self.start_call(n, target, call, within);
    }

    /// False if the client does not take it.
    pub(crate) fn start_call(
        &mut self,
        n: usize,
        target: ObjectRef,
        call: Call,
        within: Option<Duration>,
    ) -> bool {
        let node = &mut self.nodes[n];
        match node.client.call(self.now, target, call, within) {
            Err(error) => {
                self.note_refusal(n, &error);
                false
            }
            Ok(id) => {
                let deadline = within.map(|within| self.now.saturating_add(within));
                node.calls.insert(id, PendingCall { deadline });
                true
            }
        }
    }

    fn reregister_any(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let wanted: Vec<WatchId> = node.wanted().map(|watch| watch.id).collect();
        if !wanted.is_empty() {
            let id = node.dice.pick(&wanted);
            // It may have ended without the user having looked.
            _ = node.client.reregister(self.now, id);
        }
    }

    fn abandon(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        if let Some(id) = node.tickets.keys().next().copied() {
            node.tickets.remove(&id);
            node.client.abandon_notify(self.now, id);
        } else if let Some(id) = node.calls.keys().next().copied() {
            node.calls.remove(&id);
            node.client.abandon_call(self.now, id);
        }
    }

    fn flush(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let first = node.wanted().map(|watch| watch.id).next();
        if let Some(id) = first {
            // It may have ended without the user having looked.
            _ = node.client.flush(self.now, id, 1);
        }
    }

    fn close(&mut self, n: usize) {
        let now = self.now;
        self.trace.line(now, format_args!("client {n} closes"));
        let node = &mut self.nodes[n];
        node.client.close(now, Duration::from_secs(5));
        node.closing = true;
        let ids: Vec<WatchId> = node.watches.keys().copied().collect();
        ids.into_iter().for_each(|id| self.leave(n, id));
    }

    /// The process is gone, with all it had; another one starts.
    pub(crate) fn crash(&mut self, n: usize) {
        let conns: Vec<_> = self.nodes[n].links.keys().copied().collect();
        let told = self.nodes[n].dice.one_in(2);
        for conn in conns {
            match told {
                true => self.hang_up(n, conn),
                // The machine went with it: servers are not told.
                false => {
                    let id = self.nodes[n].links.remove(&conn);
                    if let Some(link) = id.and_then(|id| self.net.links.get_mut(&id)) {
                        link.open = false;
                    }
                }
            }
        }
        let ids: Vec<WatchId> = self.nodes[n].watches.keys().copied().collect();
        ids.into_iter().for_each(|id| self.leave(n, id));
        for watch in self.nodes[n].watches.values() {
            self.model.watches[watch.record].closed = true;
        }
        self.lives += 1;
        let dice = self.nodes[n].dice.clone();
        let frozen = self.nodes[n].frozen;
        self.nodes[n] = Node::new(self.now, self.lives, dice, &self.servers, &self.plan);
        self.nodes[n].frozen = frozen;
        self.drain(n);
    }

    /// The addresses under which servers know a client.
    pub(crate) fn addrs_of(&self, n: usize) -> Vec<EntityAddr> {
        let links = self.nodes[n].links.values().filter_map(|id| self.net.links.get(id)?.server);
        links.filter_map(|server| self.servers.client_addr(server)).collect()
    }

    pub(crate) fn blocklist(&mut self, n: usize) {
        if let Some(addr) = self.addrs_of(n).first().copied() {
            self.servers.blocklist(self.now, addr, Duration::from_secs(3600));
        }
    }

    pub(crate) fn remove_object(&mut self, which: u32) {
        let object = self.object(which as usize % self.plan.objects);
        let n = (which >> 8) as usize % self.nodes.len();
        if self.nodes[n].frozen.is_none() {
            self.start_call(n, object, Call::Remove, Some(CALL));
            self.drain(n);
        }
    }
}

/// Whose registration it is.
pub(crate) fn watcher_id(entry: &Watcher) -> WatcherId {
    WatcherId { client: entry.name.num.cast_unsigned(), cookie: entry.cookie }
}

pub(crate) fn object_name(object: usize) -> Name {
    Name::from(format!("o{object}"))
}
