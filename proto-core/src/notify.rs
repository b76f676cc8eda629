//! Notifies of one's own: one ticket each, one outcome each.
//!
//! | state | input | then |
//! |---|---|---|
//! | Sent | reply with the notify's id | Accepted |
//! | Sent | completion, before the reply | done: an OSD without watchers answers in this order |
//! | Sent | reply with an errno | failed |
//! | Sent, Accepted | reset, new interval, skipped maps | sent anew under no id → Sent |
//! | Accepted | completion of this id | done |
//! | Accepted | completion of another id | ignored: it is of an attempt before |
//! | Sent | deadline | never accepted; after an earlier attempt was accepted, outcome unknown |
//! | Accepted | deadline | outcome unknown |
//!
//! The outcome is told exactly once; whatever comes after it finds nothing. A notify that is sent
//! anew reaches watchers again, under another id: delivery is at least once.
//!
//! Facts: `osdc/Objecter.cc` (`handle_watch_notify`, `_linger_commit`), tracker issues 13328, 23966.

use crate::Timestamp;
use crate::context::Context;
use crate::error::OpError;
use crate::ids::NotifyKey;
use crate::object::Object;
use crate::output::{Event, NotifyOutcome, NotifyReport};
use crate::placement::Overlay;
use crate::session::op::{Op, Owner};
use crate::session::{Member, Sessions};
use crate::timers::{Slot, TimerKey};
use crate::watch::Cluster;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use linger_wire::msg::{NotifyAcks, Op as Action, OpReply, WatchNotify};
use linger_wire::{Decode, errno};
use slotmap::SlotMap;

/// One notify under way.
struct Pending {
    object: Option<Arc<Object>>,
    cookie: u64,
    timeout_secs: u32,
    payload: Bytes,
    tid: Option<u64>,
    /// Where this attempt went.
    osd: i32,
    /// Of this attempt, once the OSD said.
    accepted: Option<u64>,
    /// Of any attempt.
    ever_accepted: Option<u64>,
    timer: Slot,
}

/// All notifies under way.
pub(crate) struct Notifies {
    pending: SlotMap<NotifyKey, Pending>,
    by_cookie: BTreeMap<u64, NotifyKey>,
}

/// A notify's timeout in the OSD's whole seconds, rounded up; 0 is none, and more than a day no timeout.
pub(crate) fn timeout_secs(timeout: Duration) -> Option<u32> {
    let secs = timeout.as_nanos().div_ceil(1_000_000_000);
    u32::try_from(secs).ok().filter(|secs| (1..=86400).contains(secs))
}

impl Notifies {
    pub(crate) fn new() -> Self {
        Self { pending: SlotMap::with_key(), by_cookie: BTreeMap::new() }
    }

    pub(crate) fn contains(&self, key: NotifyKey) -> bool {
        self.pending.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn add(
        &mut self,
        cookie: u64,
        timeout_secs: u32,
        payload: Bytes,
        cx: &mut Context,
    ) -> NotifyKey {
        let key = self.pending.insert(Pending {
            object: None,
            cookie,
            timeout_secs,
            payload,
            tid: None,
            osd: -1,
            accepted: None,
            ever_accepted: None,
            timer: Slot::default(),
        });
        self.by_cookie.insert(cookie, key);
        let span = Duration::from_secs(timeout_secs.into()).saturating_add(cx.config.timing.notify_grace);
        let at: Timestamp = cx.now.saturating_add(span);
        if let Some(pending) = self.pending.get_mut(key) {
            cx.timers.set(TimerKey::Notify(key), &mut pending.timer, Some(at));
        }
        key
    }

    pub(crate) fn start(&mut self, key: NotifyKey, object: Arc<Object>, cl: &mut Cluster<'_>) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.object = Some(object);
            self.moved(key, cl);
        }
    }

    pub(crate) fn object(&self, key: NotifyKey) -> Option<&Arc<Object>> {
        self.pending.get(key)?.object.as_ref()
    }

    /// Sends the notify, again if it was: its place or its session is another one now.
    ///
    /// Returns false if the map does not have the pool.
    pub(crate) fn moved(&mut self, key: NotifyKey, cl: &mut Cluster<'_>) -> bool {
        let Some(pending) = self.pending.get_mut(key) else { return true };
        let Some(object) = pending.object.clone() else { return true };
        if let Some(tid) = pending.tid.take() {
            cl.sessions.cancel(tid);
        }
        pending.accepted = None;
        let Some(target) = cl.sessions.targets.place(Member::Notify(key), &object, Overlay::Read, cl.map)
        else {
            return false;
        };
        pending.osd = target.osd;
        if target.osd >= 0 {
            let action = Action::Notify {
                cookie: pending.cookie,
                timeout: pending.timeout_secs,
                payload: pending.payload.clone(),
            };
            let op = Op::new(Owner::Notify(key), object, action, target);
            pending.tid = Some(cl.sessions.submit(op, cl.map));
        }
        true
    }

    /// The NOTIFY op was answered.
    pub(crate) fn on_reply(
        &mut self,
        key: NotifyKey,
        tid: u64,
        reply: &OpReply,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        let Some(pending) = self.pending.get_mut(key).filter(|pending| pending.tid == Some(tid)) else {
            return;
        };
        pending.tid = None;
        if reply.result < 0 {
            let error = OpError::Errno(reply.result.saturating_neg());
            return self.finish(key, NotifyOutcome::Failed(error), cl, cx);
        }
        let output = reply.ops.first().and_then(|op| op.output.first_chunk());
        if let Some(notify_id) = output.map(|id| u64::from_le_bytes(*id)) {
            pending.accepted = Some(notify_id);
            pending.ever_accepted = Some(notify_id);
            cx.event(Event::NotifyAccepted { id: key.into(), notify_id });
        }
    }

    pub(crate) fn on_again(&mut self, key: NotifyKey, tid: u64) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.tid = Some(tid);
        }
    }

    /// An OSD says that the notify of a cookie is over. One that an earlier attempt went to is not
    /// believed: the attempt under way has an outcome of its own.
    pub(crate) fn on_complete(
        &mut self,
        osd: i32,
        message: &WatchNotify,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        let Some(key) = self.by_cookie.get(&message.cookie).copied() else { return };
        let Some(pending) = self.pending.get(key) else { return };
        if pending.osd != osd || pending.accepted.is_some_and(|id| id != message.notify_id) {
            return;
        }
        let outcome = match (NotifyAcks::decode(&message.reply), message.return_code) {
            (Ok(watchers), 0) => NotifyOutcome::Done(NotifyReport { notify_id: message.notify_id, watchers }),
            (Ok(watchers), code) if code == -errno::ETIMEDOUT => {
                NotifyOutcome::TimedOut(NotifyReport { notify_id: message.notify_id, watchers })
            }
            (Ok(_), code) => NotifyOutcome::Failed(OpError::Errno(code.saturating_neg())),
            (Err(error), _) => NotifyOutcome::Failed(OpError::BadReply(error)),
        };
        self.finish(key, outcome, cl, cx);
    }

    /// The pool is not there, says the newest map.
    pub(crate) fn pool_gone(&mut self, key: NotifyKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.finish(key, NotifyOutcome::Failed(OpError::NoPool), cl, cx);
    }

    /// The deadline came.
    pub(crate) fn on_timer(&mut self, key: NotifyKey, sessions: &mut Sessions, cx: &mut Context) {
        let Some(pending) = self.pending.get(key) else { return };
        let outcome = match pending.ever_accepted {
            Some(notify_id) => NotifyOutcome::AcceptedOutcomeUnknown { notify_id },
            None => NotifyOutcome::NeverAccepted,
        };
        self.end(key, outcome, sessions, cx);
    }

    /// Everything under way fails alike, such as when the client is blocklisted.
    pub(crate) fn fail_all(&mut self, error: OpError, sessions: &mut Sessions, cx: &mut Context) {
        for key in self.pending.keys().collect::<Vec<_>>() {
            self.end(key, NotifyOutcome::Failed(error), sessions, cx);
        }
    }

    fn finish(&mut self, key: NotifyKey, outcome: NotifyOutcome, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.end(key, outcome, cl.sessions, cx);
    }

    fn end(&mut self, key: NotifyKey, outcome: NotifyOutcome, sessions: &mut Sessions, cx: &mut Context) {
        if self.pending.contains_key(key) {
            self.abandon(key, sessions, cx);
            cx.event(Event::NotifyDone { id: key.into(), outcome });
        }
    }

    /// Forgets a notify without telling.
    pub(crate) fn abandon(&mut self, key: NotifyKey, sessions: &mut Sessions, cx: &mut Context) {
        let Some(mut pending) = self.pending.remove(key) else { return };
        cx.timers.set(TimerKey::Notify(key), &mut pending.timer, None);
        self.by_cookie.remove(&pending.cookie);
        sessions.targets.remove(Member::Notify(key));
        if let Some(tid) = pending.tid {
            sessions.cancel(tid);
        }
    }
}
