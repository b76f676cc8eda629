//! What users ask for. Commands only queue; poll the outputs afterwards.

use super::{Client, Closing};
use crate::Timestamp;
use crate::call::Call;
use crate::error::{CommandError, OpError};
use crate::ids::{CallId, NotifyId, WatchId, WatchKey};
use crate::notify::timeout_secs;
use crate::object::ObjectRef;
use crate::output::{AckToken, WatchEvent};
use crate::timers::{Slot, TimerKey};
use crate::watch::WatchOptions;
use bytes::Bytes;
use core::time::Duration;
use rand_core::Rng as _;

impl Client {
    /// Watches an object until [`Client::unwatch`] or a terminal loss.
    ///
    /// Events come as [`Event::Readable`](crate::Event::Readable) and [`Client::next`]; the first is
    /// [`WatchEvent::Live`] or an error.
    ///
    /// # Errors
    /// [`CommandError`] when the object's name, the timeout or the number of watches is out of
    /// bounds, or the client is closing; nothing is changed then.
    pub fn watch(
        &mut self,
        now: Timestamp,
        object: ObjectRef,
        opts: WatchOptions,
    ) -> Result<WatchId, CommandError> {
        self.at(now);
        self.check_object(&object)?;
        if self.watches.len() >= self.cx.config.limits.watches {
            return Err(CommandError::TooManyWatches);
        }
        let timeout = opts.timeout_secs().ok_or(CommandError::BadTimeout)?;
        let key = self.watches.add(opts, timeout, &mut self.cx);
        self.place_watch(key, object);
        self.pump();
        Ok(key.into())
    }

    /// Ends a watch. Its last event is [`WatchEvent::Closed`], once the OSD confirmed; or, after
    /// [`WatchEvent::LeftBehind`], once the client has another number and can not be heard on it any more.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if the watch has ended already.
    pub fn unwatch(&mut self, now: Timestamp, id: WatchId) -> Result<(), CommandError> {
        self.end(now, id, None)
    }

    /// Ends a watch, and gives its OSD no longer than `within` to confirm that.
    ///
    /// When that is over come [`WatchEvent::LeftBehind`], which says until when the OSD may have the
    /// watch, and [`WatchEvent::Closed`]. A watch that is ending already gets this deadline.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if the watch has ended already.
    pub fn unwatch_within(
        &mut self,
        now: Timestamp,
        id: WatchId,
        within: Duration,
    ) -> Result<(), CommandError> {
        self.end(now, id, Some(within))
    }

    fn end(&mut self, now: Timestamp, id: WatchId, within: Option<Duration>) -> Result<(), CommandError> {
        self.at(now);
        if !self.watches.contains(id.key()) {
            return Err(CommandError::Unknown);
        }
        self.end_watch(id.key(), within);
        self.pump();
        Ok(())
    }

    fn end_watch(&mut self, key: WatchKey, within: Option<Duration>) {
        let placed = self.with_cluster(|watches, _, _, cl, cx| watches.user_unwatch(key, within, cl, cx));
        if placed.is_none() {
            self.watches.end_unplaced(key, &mut self.cx);
        }
    }

    /// Puts [`WatchEvent::Flushed`] with this token behind all events that wait: when it is taken, all of
    /// those were.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if the watch has ended: no mark comes after [`WatchEvent::Closed`], which may
    /// wait to be taken. [`CommandError::Busy`] if 256 such marks wait already.
    pub fn flush(&mut self, now: Timestamp, id: WatchId, token: u64) -> Result<(), CommandError> {
        self.at(now);
        match self.watches.flush(id.key(), token, self.cx.now) {
            Some(true) => Ok(()),
            Some(false) => Err(CommandError::Busy),
            None => Err(CommandError::Unknown),
        }
    }

    /// Makes this another client to the cluster: new number, new nonce, all connections anew.
    ///
    /// The way out of a blocklist, which names the old ones. Watches stay: each is registered afresh, a
    /// live one after a loss by `Identity`; one that is ending is left behind. Notifies and calls under way are
    /// sent again.
    ///
    /// # Errors
    /// [`CommandError::Closing`].
    pub fn renew_identity(&mut self, now: Timestamp) -> Result<(), CommandError> {
        self.at(now);
        if self.closing.is_some() {
            return Err(CommandError::Closing);
        }
        let nonce = self.cx.rng.next_u32();
        self.cx.pool.renew_nonce(nonce);
        self.blocklisted = false;
        self.mon.forget_identity();
        self.sessions.forget_welcome();
        self.on_identity_changed();
        self.mon.hunt(&mut self.cx);
        self.pump();
        Ok(())
    }

    /// Registers a lost watch of [`Reregister::Manual`](crate::Reregister::Manual) again, or any
    /// lost watch before its wait is over. A watch that is not lost is left alone.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] if the watch has ended.
    pub fn reregister(&mut self, now: Timestamp, id: WatchId) -> Result<(), CommandError> {
        self.at(now);
        let known = self.with_cluster(|watches, _, _, cl, cx| watches.reregister(id.key(), cl, cx));
        self.pump();
        if known.unwrap_or_else(|| self.watches.contains(id.key())) {
            Ok(())
        } else {
            Err(CommandError::Unknown)
        }
    }

    /// Notifies all watchers of an object and waits for their acks.
    ///
    /// `timeout` is what the OSD waits for acks: 1 s to 24 h, rounded up to whole seconds. The
    /// outcome comes as [`Event::NotifyDone`](crate::Event::NotifyDone), within the timeout and
    /// `Timing::notify_grace` in any case.
    ///
    /// # Errors
    /// [`CommandError`] when the object's name, the payload or the timeout is out of bounds, or too
    /// much is in flight; nothing is changed then.
    pub fn notify(
        &mut self,
        now: Timestamp,
        object: ObjectRef,
        payload: Bytes,
        timeout: Duration,
    ) -> Result<NotifyId, CommandError> {
        self.at(now);
        self.check_object(&object)?;
        self.check_payload(&payload)?;
        let timeout = timeout_secs(timeout).ok_or(CommandError::BadTimeout)?;
        self.check_in_flight()?;
        let cookie = self.watches.new_cookie();
        let key = self.notifies.add(cookie, timeout, payload, &mut self.cx);
        self.place_notify(key, object);
        self.pump();
        Ok(key.into())
    }

    /// Answers a notify.
    ///
    /// # Errors
    /// [`CommandError::TooLong`] for a reply beyond `Limits::payload_bytes` (the notifier gets an
    /// empty ack then), [`CommandError::Unknown`] if the watch has ended, or so many of its notifies are
    /// unanswered (twice what its queue holds, 1024 at least) that this one was forgotten.
    pub fn ack(&mut self, now: Timestamp, token: AckToken, reply: Bytes) -> Result<(), CommandError> {
        self.at(now);
        let checked = self.check_payload(&reply);
        let reply = if checked.is_ok() { reply } else { Bytes::new() };
        self.answer(token, Some(reply))?;
        checked
    }

    /// Leaves a notify unanswered: its notifier waits until the timeout and sees it missed here.
    ///
    /// # Errors
    /// [`CommandError::Unknown`] as for [`Self::ack`].
    pub fn decline(&mut self, now: Timestamp, token: AckToken) -> Result<(), CommandError> {
        self.at(now);
        self.answer(token, None)
    }

    fn answer(&mut self, token: AckToken, reply: Option<Bytes>) -> Result<(), CommandError> {
        let known = self.with_cluster(|watches, _, _, cl, _| watches.ack(token, reply, cl));
        self.pump();
        if known == Some(true) { Ok(()) } else { Err(CommandError::Unknown) }
    }

    /// Does something with an object; the result comes as
    /// [`Event::CallDone`](crate::Event::CallDone), within `within` if that is given.
    ///
    /// # Errors
    /// [`CommandError`] when the object's name or what is written is out of bounds, or too much is
    /// in flight; nothing is changed then.
    pub fn call(
        &mut self,
        now: Timestamp,
        object: ObjectRef,
        call: Call,
        within: Option<Duration>,
    ) -> Result<CallId, CommandError> {
        self.at(now);
        self.check_object(&object)?;
        if let Call::WriteFull(data) = &call {
            check_len("content", data.len(), self.cx.config.limits.write_bytes)?;
        }
        self.check_in_flight()?;
        let key = self.calls.add(call, within, &mut self.cx);
        self.place_call(key, object);
        self.pump();
        Ok(key.into())
    }

    /// Gives up the outcome of a notify: no event follows. What was sent is not undone.
    pub fn abandon_notify(&mut self, now: Timestamp, id: NotifyId) {
        self.at(now);
        self.notifies.abandon(id.key(), &mut self.sessions, &mut self.cx);
        self.pump();
    }

    /// Gives up the result of a call: no event follows. A write that was sent may still happen.
    pub fn abandon_call(&mut self, now: Timestamp, id: CallId) {
        self.at(now);
        self.calls.abandon(id.key(), &mut self.sessions, &mut self.cx);
        self.pump();
    }

    /// The next event of a watch. After [`WatchEvent::Closed`] its id is dead.
    pub fn next(&mut self, id: WatchId) -> Option<WatchEvent> {
        self.watches.next(id.key())
    }

    /// How many bytes of payloads were taken and still wait elsewhere for the user, after the `Client` and
    /// before the one who reads: they count against [`Limits::notify_bytes`](crate::Limits::notify_bytes)
    /// when the next notify comes. [`Client::totals`] does not know of them.
    pub fn set_held_bytes(&mut self, bytes: usize) {
        self.watches.set_held_bytes(bytes);
    }

    /// Ends everything: watches are unwatched in parallel, notifies and calls fail as closed.
    ///
    /// [`Event::Closed`](crate::Event::Closed) follows when all is confirmed, or after `within`, or when the
    /// monitors gave the client another number, by which it can end nothing.
    pub fn close(&mut self, now: Timestamp, within: Duration) {
        self.at(now);
        if self.closing.is_some() {
            return;
        }
        let mut closing = Closing { ends: Slot::default(), renamed: false, done: false };
        let at = self.cx.now.saturating_add(within);
        self.cx.timers.set(TimerKey::Close, &mut closing.ends, Some(at));
        self.closing = Some(closing);
        self.notifies.fail_all(OpError::Closed, &mut self.sessions, &mut self.cx);
        self.calls.fail_all(OpError::Closed, &mut self.sessions, &mut self.cx);
        for key in self.watches.open_keys() {
            self.end_watch(key, None);
        }
        self.pump();
    }

    fn check_object(&self, object: &ObjectRef) -> Result<(), CommandError> {
        if self.closing.is_some() {
            return Err(CommandError::Closing);
        }
        let limits = &self.cx.config.limits;
        if object.name.is_empty() {
            return Err(CommandError::NoName);
        }
        check_len("object name", object.name.as_bytes().len(), limits.name_bytes)?;
        check_len("locator key", object.key.as_bytes().len(), limits.name_bytes)?;
        check_len("namespace", object.namespace.as_bytes().len(), limits.namespace_bytes)
    }

    fn check_payload(&self, payload: &Bytes) -> Result<(), CommandError> {
        check_len("payload", payload.len(), self.cx.config.limits.payload_bytes)
    }

    fn check_in_flight(&mut self) -> Result<(), CommandError> {
        if self.in_flight() < self.cx.config.limits.ops_in_flight {
            return Ok(());
        }
        self.owes_ready = true;
        Err(CommandError::Busy)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.calls.len() + self.notifies.len()
    }
}

fn check_len(what: &'static str, len: usize, max: usize) -> Result<(), CommandError> {
    if len > max { Err(CommandError::TooLong { what, len, max }) } else { Ok(()) }
}
