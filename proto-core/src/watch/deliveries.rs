//! Notifies on their way to the user, and answers on their way back.
//!
//! An OSD delivers a notify again when it has no ack and the watch reconnects. One that the user
//! still has is swallowed; one that was answered is answered again with the same reply.

use super::queue::{Offered, Shed};
use super::state::State;
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

/// Notifies of one watch that are remembered until they are answered, at least.
const DELIVERIES_MIN: usize = 1024;

/// Where a notify is.
#[derive(Debug)]
pub(super) enum Delivery {
    /// In the queue or in the user's hands.
    Out,
    /// Answered; the OSD has not confirmed it.
    Acking { tid: u64, reply: Bytes },
    /// Shed, and the notifier is left to wait.
    Silent,
}

impl Watches {
    /// A NOTIFY came.
    pub(crate) fn on_notify(&mut self, message: WatchNotify, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(key) = self.by_cookie.get(&message.cookie).copied() else { return };
        let Some(watch) = self.watches.get_mut(key) else { return };
        if matches!(watch.state, State::Unwatching | State::Closed) {
            return;
        }
        let notify_id = message.notify_id;
        match watch.deliveries.get(&notify_id) {
            Some(Delivery::Out | Delivery::Silent) => self.count_duplicate(),
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
        let room = limits.notify_bytes.saturating_sub(self.queued_bytes);
        let Some(watch) = self.watches.get_mut(key) else { return };
        let max = watch.opts.queue.unwrap_or(limits.notifies_per_watch).max(1);
        self.queued_bytes += message.payload.len();
        // Neither a user who drops tokens unspent nor an OSD that answers no ack makes this grow.
        if watch.deliveries.len() >= max.saturating_mul(2).max(DELIVERIES_MIN)
            && let Some((_, Delivery::Acking { tid, .. })) = watch.deliveries.pop_first()
        {
            cl.sessions.cancel(tid);
        }
        watch.deliveries.insert(message.notify_id, Delivery::Out);
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
            OnDrop::Silent => {
                watch.deliveries.insert(shed.notify_id, Delivery::Silent);
            }
        }
    }

    /// The user answers, or declines to.
    ///
    /// An answer to a registration that is gone is dropped: that OSD no longer waits for it.
    #[expect(clippy::needless_pass_by_value, reason = "an answer spends the token")]
    pub(crate) fn ack(&mut self, token: AckToken, reply: Option<Bytes>, cl: &mut Cluster<'_>) -> bool {
        let AckToken { watch, cookie, notify_id } = token;
        let key = watch.key();
        let Some(watch) = self.watches.get_mut(key).filter(|watch| watch.state != State::Closed) else {
            return false;
        };
        let is_out = matches!(watch.deliveries.get(&notify_id), Some(Delivery::Out));
        if watch.cookie == cookie && is_out {
            match reply {
                Some(reply) => self.send_ack(key, notify_id, reply, cl),
                None => {
                    watch.deliveries.insert(notify_id, Delivery::Silent);
                }
            }
        }
        true
    }

    fn send_ack(&mut self, key: WatchKey, notify_id: u64, reply: Bytes, cl: &mut Cluster<'_>) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        if let Some(Delivery::Acking { tid, .. }) = watch.deliveries.remove(&notify_id) {
            cl.sessions.cancel(tid);
        }
        let (Some(object), Some(target)) = (&watch.object, watch.target) else { return };
        let action = Action::NotifyAck { notify_id, cookie: watch.cookie, reply: reply.clone() };
        let op = Op::new(Owner::Ack { watch: key, notify_id }, Arc::clone(object), action, target);
        let tid = cl.sessions.submit(op, cl.map);
        watch.deliveries.insert(notify_id, Delivery::Acking { tid, reply });
    }

    /// The OSD has the answer; or will never take it.
    pub(crate) fn on_ack_reply(&mut self, key: WatchKey, notify_id: u64, answered: u64) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let current = matches!(watch.deliveries.get(&notify_id), Some(Delivery::Acking { tid, .. }) if *tid == answered);
        if current {
            watch.deliveries.remove(&notify_id);
        }
    }

    /// An answer goes under another tid.
    pub(crate) fn on_ack_again(&mut self, key: WatchKey, notify_id: u64, new: u64) {
        if let Some(watch) = self.watches.get_mut(key)
            && let Some(Delivery::Acking { tid, .. }) = watch.deliveries.get_mut(&notify_id)
        {
            *tid = new;
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
