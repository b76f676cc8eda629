//! Notifies on their way to the user, and answers on their way back.
//!
//! An OSD delivers a notify again when it has no ack and the watch reconnects. One that the user
//! still has is swallowed; one that was answered is answered again with the same reply.

use super::queue::{Offered, Shed};
use super::state::State;
use super::unanswered::Delivery;
use super::{Cluster, OnDrop, Owner, Watch, WatchKey, Watches};
use crate::context::Context;
use crate::error::{LossCause, WatchError};
use crate::ids::WatchId;
use crate::output::{AckToken, Notify};
use crate::session::op::Op;
use alloc::sync::Arc;
use bytes::Bytes;
use linger_wire::EntityName;
use linger_wire::msg::{Op as Action, WatchNotify};

impl Watches {
    /// A NOTIFY came.
    pub(crate) fn on_notify(&mut self, message: WatchNotify, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(key) = self.by_cookie.get(&message.cookie).copied() else { return };
        let Some(watch) = self.watches.get_mut(key) else { return };
        if matches!(watch.state, State::Unwatching | State::Closed) {
            return;
        }
        let notify_id = message.notify_id;
        match watch.unanswered.get(notify_id) {
            Some(Delivery::Queued | Delivery::Held | Delivery::Silent) => self.count_duplicate(),
            Some(Delivery::Acking { reply, .. }) => {
                let reply = reply.clone();
                self.count_duplicate();
                self.send_ack(key, notify_id, reply, cl);
            }
            None => self.deliver(key, message, cl, cx),
        }
    }

    fn count_duplicate(&mut self) {
        self.totals.duplicates = self.totals.duplicates.saturating_add(1);
    }

    fn deliver(&mut self, key: WatchKey, message: WatchNotify, cl: &mut Cluster<'_>, cx: &mut Context) {
        let limits = &cx.config.limits;
        let room = limits.notify_bytes.saturating_sub(self.queued_bytes.saturating_add(self.held_bytes));
        let Some(watch) = self.watches.get_mut(key) else { return };
        let max = watch.opts.queue.unwrap_or(limits.notifies_per_watch).max(1);
        self.queued_bytes += message.payload.len();
        match watch.unanswered.add(message.notify_id, max) {
            Some(Delivery::Acking { tid, .. }) => _ = cl.sessions.cancel(tid),
            Some(Delivery::Held) => self.totals.forgotten = self.totals.forgotten.saturating_add(1),
            _ => {}
        }
        let notify = notify_of(key, watch, message);
        let offered = watch.queue.offer(cx.now, notify, max, room, watch.opts.when_full);
        self.readable.insert(key);
        self.totals.notifies = self.totals.notifies.saturating_add(1);
        match offered {
            Offered::Queued => {}
            Offered::Shed(list) => {
                for shed in list {
                    self.shed(key, &shed, cl);
                }
            }
            Offered::Close(shed) => {
                self.shed(key, &shed, cl);
                self.announce(key, WatchError { cause: LossCause::Closed, errno: None }, cx);
                self.user_unwatch(key, None, cl, cx);
            }
        }
    }

    fn shed(&mut self, key: WatchKey, shed: &Shed, cl: &mut Cluster<'_>) {
        self.queued_bytes -= shed.bytes;
        self.totals.shed = self.totals.shed.saturating_add(1);
        let Some(watch) = self.watches.get_mut(key) else { return };
        match watch.opts.on_drop {
            OnDrop::AckEmpty => self.send_ack(key, shed.notify_id, Bytes::new(), cl),
            OnDrop::Silent => _ = watch.unanswered.replace(shed.notify_id, Delivery::Silent),
        }
    }

    /// The user answers, or declines to.
    ///
    /// An answer to a registration that is gone is dropped: that OSD no longer waits for it. False if the watch
    /// has ended, or the notify was forgotten for others.
    #[expect(clippy::needless_pass_by_value, reason = "an answer spends the token")]
    pub(crate) fn ack(&mut self, token: AckToken, reply: Option<Bytes>, cl: &mut Cluster<'_>) -> bool {
        let AckToken { watch, cookie, notify_id } = token;
        let key = watch.key();
        let Some(watch) = self.watches.get_mut(key).filter(|watch| watch.state != State::Closed) else {
            return false;
        };
        if watch.cookie != cookie {
            return true;
        }
        let is_held = matches!(watch.unanswered.get(notify_id), Some(Delivery::Held));
        match reply {
            Some(reply) if is_held => self.send_ack(key, notify_id, reply, cl),
            None if is_held => _ = watch.unanswered.replace(notify_id, Delivery::Silent),
            _ => {}
        }
        is_held
    }

    fn send_ack(&mut self, key: WatchKey, notify_id: u64, reply: Bytes, cl: &mut Cluster<'_>) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let (Some(object), Some(target)) = (&watch.object, watch.target) else { return };
        let action = Action::NotifyAck { notify_id, cookie: watch.cookie, reply: reply.clone() };
        let op = Op::new(Owner::Ack { watch: key, notify_id }, Arc::clone(object), action, target);
        let tid = cl.sessions.submit(op, cl.map);
        let acking = Delivery::Acking { tid, reply };
        if let Some(Delivery::Acking { tid: old, .. }) = watch.unanswered.replace(notify_id, acking) {
            cl.sessions.cancel(old);
        }
    }

    /// The OSD has the answer; or will never take it.
    pub(crate) fn on_ack_reply(&mut self, key: WatchKey, notify_id: u64, answered: u64) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.unanswered.answered(notify_id, answered);
        }
    }

    /// An answer goes under another tid.
    pub(crate) fn on_ack_again(&mut self, key: WatchKey, notify_id: u64, new: u64) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.unanswered.again(notify_id, new);
        }
    }

    /// Nobody waits for answers to a registration that is gone.
    pub(super) fn forget_answers(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        for tid in watch.unanswered.clear() {
            cl.sessions.cancel(tid);
        }
    }
}

fn notify_of(key: WatchKey, watch: &Watch, message: WatchNotify) -> Notify {
    let token = AckToken { watch: WatchId::from(key), cookie: watch.cookie, notify_id: message.notify_id };
    Notify {
        notify_id: message.notify_id,
        from: EntityName::client(message.notifier),
        version: message.version,
        payload: message.payload,
        token,
    }
}
