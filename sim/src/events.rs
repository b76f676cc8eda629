//! What users make of events, and whether these were right.

use crate::agenda::Item;
use crate::node::{Held, Node, Ticket};
use crate::truth::Sent;
use crate::user::{object_name, watcher_id};
use crate::world::World;
use bytes::Bytes;
use linger_core::{
    CommandError, ConnFault, Event, LossCause, Notify, NotifyId, NotifyOutcome, ObjectRef, Output, Timestamp,
    WatchError, WatchEvent, WatchId,
};
use linger_wire::errno::ETIMEDOUT;
use linger_wire::msg::WatcherId;
use std::time::Duration;

/// Lateness that is nobody's fault.
const SLACK: Duration = Duration::from_millis(20);

impl World {
    pub(crate) fn on_event(&mut self, n: usize, event: Event) {
        if !self.trace.is_off() && !matches!(event, Event::Readable(_)) {
            self.trace.line(self.now, format_args!("client {n}: {event:?}"));
        }
        match event {
            Event::Readable(id) => self.on_readable(n, id),
            Event::NotifyDone { id, outcome } => self.on_outcome(n, id, &outcome),
            Event::CallDone { id, result } => match self.nodes[n].calls.remove(&id) {
                Some(call) => self.check_deadline(n, call.deadline, "a call"),
                None => self.violate(format!("client {n}: {id:?} has a second outcome, {result:?}")),
            },
            Event::Connected { global_id, .. } | Event::IdentityChanged { global_id } => {
                self.nodes[n].numbers.insert(global_id);
            }
            Event::OsdFault { osd, fault: fault @ ConnFault::Auth(_), .. } if self.plan.steady => {
                self.violate(format!("osd.{osd} did not let client {n} in: {fault}"));
            }
            Event::CommandsReady => self.on_commands_ready(n),
            Event::Closed { .. } => self.restart_node(n),
            _ => {}
        }
    }

    /// A closed client's user starts another one.
    fn restart_node(&mut self, n: usize) {
        if !self.nodes[n].closing {
            return self.violate(format!("client {n} closed by itself"));
        }
        let ids: Vec<WatchId> = self.nodes[n].watches.keys().copied().collect();
        ids.into_iter().for_each(|id| self.take(n, id));
        if !self.nodes[n].tickets.is_empty() || !self.nodes[n].calls.is_empty() {
            return self.violate(format!("client {n} closed and left a ticket without outcome"));
        }
        if let Some(watch) = self.nodes[n].watches.values().next() {
            let id = watch.id;
            return self.violate(format!("client {n} closed, and watch {id:?} did not end"));
        }
        loop {
            match self.nodes[n].client.poll_output() {
                Output::Wait(_) => break,
                Output::Disconnect { conn, .. } => self.hang_up(n, conn),
                other => return self.violate(format!("client {n} closed, and then: {other:?}")),
            }
        }
        self.crash(n);
    }

    fn on_readable(&mut self, n: usize, id: WatchId) {
        let Some(watch) = self.nodes[n].watches.get(&id) else {
            return self.violate(format!("client {n} has events of {id:?}, which has ended"));
        };
        if watch.slow.is_zero() || self.calm {
            return self.take(n, id);
        }
        let at = self.now.saturating_add(watch.slow);
        self.agenda.at(at, Item::Look(n, watch.record));
    }

    pub(crate) fn look(&mut self, n: usize, record: usize) {
        let id = self.model.watches[record].id;
        let mine = self.nodes[n].watches.get(&id).is_some_and(|watch| watch.record == record);
        if mine && self.nodes[n].frozen.is_none() {
            self.take(n, id);
            self.drain(n);
        } else if mine {
            self.agenda.at(self.now.saturating_add(Duration::from_secs(1)), Item::Look(n, record));
        }
    }

    /// Takes all events of a watch.
    pub(crate) fn take(&mut self, n: usize, id: WatchId) {
        while let Some(watch) = self.nodes[n].watches.get(&id) {
            let record = watch.record;
            let Some(event) = self.nodes[n].client.next(id) else { return };
            if !self.trace.is_off() {
                self.trace.line(self.now, format_args!("client {n} {id:?}: {event:?}"));
            }
            // A registration whose answer is not here yet may be notified already.
            let status = self.nodes[n].client.status(self.now, id);
            let number = self.nodes[n].client.global_id();
            self.nodes[n].numbers.extend(number);
            let registration = status.zip(number);
            if let Some((status, client)) = registration {
                self.model.registered(record, WatcherId { client, cookie: status.cookie });
            }
            if let WatchEvent::Live(live) = &event {
                self.model.registered(record, WatcherId { client: live.global_id, cookie: live.cookie });
            }
            if let WatchEvent::Error(error) = &event {
                self.check_loss(n, record, error);
            }
            if let Err(why) = self.model.on_event(self.now, record, &self.nodes[n].numbers, &event) {
                return self.violate(format!("client {n}, watch {id:?}: {why}"));
            }
            self.on_watch_event(n, id, record, event);
        }
    }

    fn is_registered(&self, record: usize, watcher: WatcherId) -> bool {
        let object = self.model.watches[record].object.clone();
        let pools = ["one", "two"].into_iter();
        let found = pools.filter_map(|pool| self.servers.watchers(&ObjectRef::new(pool, object.clone())));
        found.flatten().any(|entry| watcher_id(&entry) == watcher)
    }

    /// What a watch says of its loss must be true.
    fn check_loss(&mut self, n: usize, record: usize, error: &WatchError) {
        let watched = &self.model.watches[record];
        let Some(live) = watched.live else { return };
        if error.cause == LossCause::Disconnected && self.is_registered(record, live) {
            self.violate(format!("client {n} counts {live:?} as gone, and its OSD has it"));
        }
    }

    fn on_watch_event(&mut self, n: usize, id: WatchId, record: usize, event: WatchEvent) {
        match event {
            WatchEvent::Notify(notify) => self.on_notify(n, record, notify),
            WatchEvent::ReregisterNeeded { .. } => {
                let wait = self.nodes[n].dice.span(Duration::ZERO, Duration::from_secs(8));
                self.agenda.at(self.now.saturating_add(wait), Item::Register(n, record));
            }
            WatchEvent::Error(error) => {
                if error.cause == LossCause::Blocklisted {
                    self.nodes[n].locked_out = true;
                    let wait = self.nodes[n].dice.span(Duration::ZERO, Duration::from_secs(8));
                    self.agenda.at(self.now.saturating_add(wait), Item::Register(n, record));
                }
                // A slow user may be told of what broke long ago.
                let quiet = self.is_quiet() && !self.model.watches[record].slow;
                let gone =
                    matches!(error.cause, LossCause::Lease | LossCause::Disconnected | LossCause::TimedOut);
                // The object of a watch that never was live may not be there yet.
                let was_live = self.model.watches[record].live.is_some();
                if quiet && gone || self.plan.steady && was_live {
                    self.violate(format!("client {n} lost {id:?} without any reason: {error}"));
                }
            }
            WatchEvent::Closed => {
                self.nodes[n].watches.remove(&id);
            }
            _ => {}
        }
    }

    /// A user registers a watch again, or takes another identity, long after being asked to.
    pub(crate) fn on_register(&mut self, n: usize, record: usize) {
        let id = self.model.watches[record].id;
        if self.nodes[n].life != self.model.watches[record].life {
            return;
        }
        if self.nodes[n].frozen.is_some() {
            return self
                .agenda
                .at(self.now.saturating_add(Duration::from_secs(1)), Item::Register(n, record));
        }
        if std::mem::take(&mut self.nodes[n].locked_out) {
            self.nodes[n].renew(self.now);
        }
        // It may have ended meanwhile.
        _ = self.nodes[n].client.reregister(self.now, id);
        self.drain(n);
    }

    fn on_notify(&mut self, n: usize, record: usize, notify: Notify) {
        let Notify { notify_id, payload, token, .. } = notify;
        let reply = Bytes::from(format!("R{record}-{}", String::from_utf8_lossy(&payload)));
        let node = &mut self.nodes[n];
        let choice = if self.calm { 9 } else { node.dice.below(10) };
        match choice {
            0 => node.held.push_back(Held { token, record, reply: None }),
            1 | 2 => node.held.push_back(Held { token, record, reply: Some(reply) }),
            _ => {
                self.model.on_answer(record, notify_id, reply.clone());
                return self.after_answer(n, |node, now| node.client.ack(now, token, reply));
            }
        }
        let wait = node.dice.span(Duration::ZERO, Duration::from_secs(4));
        self.agenda.at(self.now.saturating_add(wait), Item::Answer(n));
    }

    /// A slow user answers the oldest notify in hand.
    pub(crate) fn on_answer(&mut self, n: usize) {
        if self.nodes[n].frozen.is_some() {
            return self.agenda.at(self.now.saturating_add(Duration::from_secs(1)), Item::Answer(n));
        }
        let Some(Held { token, record, reply }) = self.nodes[n].held.pop_front() else { return };
        let notify_id = token.notify_id();
        match reply {
            None => self.after_answer(n, |node, now| node.client.decline(now, token)),
            Some(reply) => {
                self.model.on_answer(record, notify_id, reply.clone());
                self.after_answer(n, |node, now| node.client.ack(now, token, reply));
            }
        }
        self.drain(n);
    }

    fn after_answer(
        &mut self,
        n: usize,
        answer: impl FnOnce(&mut Node, Timestamp) -> Result<(), CommandError>,
    ) {
        match answer(&mut self.nodes[n], self.now) {
            Ok(()) | Err(CommandError::Unknown) => {}
            Err(error) => self.violate(format!("client {n} can not answer: {error}")),
        }
    }

    fn on_outcome(&mut self, n: usize, id: NotifyId, outcome: &NotifyOutcome) {
        let Some(ticket) = self.nodes[n].tickets.remove(&id) else {
            return self.violate(format!("client {n}: {id:?} has a second outcome, {outcome:?}"));
        };
        self.check_deadline(n, Some(ticket.deadline), "a notify");
        let quiet = matches!(outcome, NotifyOutcome::AcceptedOutcomeUnknown { notify_id }
            if self.was_taken_soon(n, &ticket, *notify_id));
        let last = self.now >= self.plan.check && !matches!(outcome, NotifyOutcome::Done(_));
        if quiet || last {
            self.violate(format!(
                "client {n}: {:?} ended with {outcome:?} while all was well",
                ticket.payload
            ));
        }
        let (report, code) = match outcome {
            NotifyOutcome::Done(report) => (report, 0),
            NotifyOutcome::TimedOut(report) => (report, -ETIMEDOUT),
            _ => return,
        };
        let name = object_name(ticket.object);
        let same = |(_, sent): &(u64, &Sent)| {
            sent.payload == ticket.payload
                && sent
                    .done
                    .as_ref()
                    .is_some_and(|done| done.return_code == code && done.watchers == report.watchers)
        };
        let found = self.model.truth.of(&name).find(same).map(|(id, _)| id);
        match found {
            None => self.violate(format!("client {n}: no OSD ended {:?} with {outcome:?}", ticket.payload)),
            Some(notify_id) => {
                if let Err(why) = self.model.check_answers(&name, notify_id) {
                    self.violate(why);
                }
                self.outcomes += 1;
            }
        }
    }

    /// Whether nothing broke and an OSD took a notify so soon that it ended well before its ticket did. Another
    /// identity of the client sends it anew.
    fn was_taken_soon(&self, n: usize, ticket: &Ticket, notify_id: u64) -> bool {
        let sent = self.model.truth.notifies.get(&(object_name(ticket.object), notify_id));
        let soon = ticket.begun.saturating_add(Duration::from_secs(2));
        let quiet = self.plan.faults.is_empty() && !self.nodes[n].renewed;
        quiet && sent.is_some_and(|sent| sent.at <= soon)
    }

    fn check_deadline(&mut self, n: usize, deadline: Option<Timestamp>, what: &str) {
        let node = &self.nodes[n];
        let late = |at: Timestamp| self.now > at.saturating_add(self.plan.late + SLACK);
        let slept = node.last_thaw.saturating_add(SLACK) >= self.now;
        if deadline.is_some_and(late) && !slept {
            self.violate(format!("client {n}: {what} that had to end at {deadline:?} ended now"));
        }
    }
}
