//! What the adapter is to do.

use super::{Client, Closing};
use crate::conn::Outbox;
use crate::error::ConnFault;
use crate::ids::ConnId;
use crate::output::{Deadline, Event, Output};
use crate::timers::TimerKey;
use alloc::vec::Vec;

impl Client {
    /// What is to be done next.
    ///
    /// Call it until it gives [`Output::Wait`]: after every command, every `handle_*`, and after
    /// bytes were taken from an [`Outbox`]. Nothing else changes its answer: a second call gives
    /// the same `Wait`.
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        while let Some(conn) = self.cx.pool.next_drained() {
            if let Some(osd) = self.sessions.osd_of(conn) {
                self.sessions.wake(Some(osd));
            } else if self.mon.owns(conn) {
                self.mon.on_drained(&mut self.cx);
            }
        }
        self.pump();
        if let Some(output) = self.cx.out.pop_front() {
            return output;
        }
        if let Some(event) = self.watches.next_readable() {
            return Output::Event(event);
        }
        if let Some(conn) = self.cx.pool.next_writable() {
            return Output::Write(conn.into());
        }
        Output::Wait(self.cx.timers.first().map(|(at, key)| Deadline { at, why: key.kind() }))
    }

    /// The bytes that a connection has to write.
    ///
    /// [`Output::Write`] says when it turns non-empty; write from it whenever the socket is
    /// writable until it is empty.
    pub fn outbox(&mut self, conn: ConnId) -> Outbox<'_> {
        self.cx.pool.outbox(conn.key())
    }

    /// Lets everything that became possible happen.
    pub(super) fn pump(&mut self) {
        self.on_news();
        let homeless = self.sessions.take_homeless();
        if !homeless.is_empty() {
            self.on_lost(homeless);
            self.place_waiting();
        }
        if let Some(map) = self.holder.get() {
            self.sessions.work(map, self.mon.tickets(), &mut self.cx);
        }
        self.want_maps();
        self.await_answers();
        if self.owes_ready && self.in_flight() < self.cx.config.limits.ops_in_flight {
            self.owes_ready = false;
            self.cx.event(Event::CommandsReady);
        }
        let over = |closing: &Closing| !closing.done && (closing.renamed || self.watches.all_ended());
        if self.closing.as_ref().is_some_and(over) {
            self.finish_closing();
        }
    }

    /// Drops all connections; what is not confirmed by now is left to the OSDs' timeouts.
    pub(super) fn finish_closing(&mut self) {
        let Some(closing) = &mut self.closing else { return };
        self.cx.timers.set(TimerKey::Close, &mut closing.ends, None);
        if core::mem::replace(&mut closing.done, true) {
            return;
        }
        let left_behind = self.watches.abandon_all(&mut self.cx);
        self.mon.shut_down(&mut self.cx);
        for osd in self.sessions.osds() {
            self.sessions.close(osd, &mut self.cx);
        }
        let rest: Vec<_> = self.cx.pool.keys().collect();
        rest.into_iter().for_each(|conn| self.cx.close(conn, ConnFault::Dropped));
        while let Some(event) = self.watches.next_readable() {
            self.cx.event(event);
        }
        self.cx.event(Event::Closed { left_behind });
    }
}
