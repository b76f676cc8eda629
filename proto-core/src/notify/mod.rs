//! Notifies of one's own: one ticket each, one outcome each.
//!
//! Facts: `osdc/Objecter.cc` (`handle_watch_notify`, `_linger_commit`), tracker issues 13328, 23966.

mod state;

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
use linger_wire::msg::{NotifyAcks, Op as Request, OpReply, WatchNotify};
use linger_wire::{Decode, errno};
use slotmap::SlotMap;
use state::{Action, Input, State, step};

/// One notify under way.
struct Pending {
    object: Option<Arc<Object>>,
    cookie: u64,
    timeout_secs: u32,
    payload: Bytes,
    state: State,
    tid: Option<u64>,
    /// Where this attempt went.
    osd: i32,
    /// The number that the last OSD gave that took it.
    notify_id: u64,
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
            state: State::Sent,
            tid: None,
            osd: -1,
            notify_id: 0,
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

    /// The pool is known: send.
    pub(crate) fn start(
        &mut self,
        key: NotifyKey,
        object: Arc<Object>,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        if let Some(pending) = self.pending.get_mut(key) {
            pending.object = Some(object);
            self.moved(key, cl, cx);
        }
    }

    pub(crate) fn object(&self, key: NotifyKey) -> Option<&Arc<Object>> {
        self.pending.get(key)?.object.as_ref()
    }

    /// Sends the notify, again if it was: its place or its session is another one now.
    ///
    /// Returns false if the map does not have the pool.
    pub(crate) fn moved(&mut self, key: NotifyKey, cl: &mut Cluster<'_>, cx: &mut Context) -> bool {
        self.input(key, Input::Moved, None, cl.sessions, cx);
        self.send(key, cl)
    }

    fn send(&mut self, key: NotifyKey, cl: &mut Cluster<'_>) -> bool {
        let Some(pending) = self.pending.get_mut(key) else { return true };
        let Some(object) = pending.object.clone() else { return true };
        let Some(target) = cl.sessions.targets.place(Member::Notify(key), &object, Overlay::Read, cl.map)
        else {
            return false;
        };
        pending.osd = target.osd;
        if target.osd >= 0 {
            let action = Request::Notify {
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
            let outcome = NotifyOutcome::Failed(OpError::Errno(reply.result.saturating_neg()));
            return self.input(key, Input::Refused, Some(outcome), cl.sessions, cx);
        }
        // Without a number the completion is waited for all the same.
        let output = reply.ops.first().and_then(|op| op.output.first_chunk());
        if let Some(notify_id) = output.map(|id| u64::from_le_bytes(*id)) {
            pending.notify_id = notify_id;
            self.input(key, Input::Taken, None, cl.sessions, cx);
        }
    }

    /// The request goes under another tid, and by a redirect to another OSD.
    pub(crate) fn on_again(&mut self, key: NotifyKey, tid: u64, osd: i32) {
        if let Some(pending) = self.pending.get_mut(key) {
            (pending.tid, pending.osd) = (Some(tid), osd);
        }
    }

    /// The notifies whose attempt under way went to an OSD.
    pub(crate) fn at(&self, osd: i32) -> impl Iterator<Item = NotifyKey> {
        self.pending.iter().filter(move |(_, pending)| pending.osd == osd).map(|(key, _)| key)
    }

    /// An OSD says that the notify of a cookie is over.
    pub(crate) fn on_complete(
        &mut self,
        osd: i32,
        message: &WatchNotify,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        let Some(key) = self.by_cookie.get(&message.cookie).copied() else { return };
        let Some(pending) = self.pending.get(key) else { return };
        let other = pending.state == State::Accepted && pending.notify_id != message.notify_id;
        let current = pending.osd == osd && !other;
        let outcome = current.then(|| outcome_of(message));
        self.input(key, Input::Complete { current }, outcome, cl.sessions, cx);
    }

    /// The pool is not there, says the newest map.
    pub(crate) fn pool_gone(&mut self, key: NotifyKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        let outcome = NotifyOutcome::Failed(OpError::NoPool);
        self.input(key, Input::Failed, Some(outcome), cl.sessions, cx);
    }

    /// The deadline came.
    pub(crate) fn on_timer(&mut self, key: NotifyKey, sessions: &mut Sessions, cx: &mut Context) {
        self.input(key, Input::Deadline, None, sessions, cx);
    }

    /// Everything under way fails alike, such as when the client is blocklisted.
    pub(crate) fn fail_all(&mut self, error: OpError, sessions: &mut Sessions, cx: &mut Context) {
        for key in self.pending.keys().collect::<Vec<_>>() {
            self.input(key, Input::Failed, Some(NotifyOutcome::Failed(error)), sessions, cx);
        }
    }

    /// Feeds the state machine; `outcome` is what the input says of how the notify ended.
    fn input(
        &mut self,
        key: NotifyKey,
        input: Input,
        outcome: Option<NotifyOutcome>,
        sessions: &mut Sessions,
        cx: &mut Context,
    ) {
        let Some(pending) = self.pending.get_mut(key) else { return };
        let (state, action) = step(pending.state, input);
        pending.state = state;
        let notify_id = pending.notify_id;
        let outcome = match action {
            Action::Nothing => return,
            Action::Send => {
                if let Some(tid) = pending.tid.take() {
                    sessions.cancel(tid);
                }
                return;
            }
            Action::Accept => return cx.event(Event::NotifyAccepted { id: key.into(), notify_id }),
            Action::Report | Action::Fail => outcome,
            Action::NeverAccepted => Some(NotifyOutcome::NeverAccepted),
            Action::OutcomeUnknown => Some(NotifyOutcome::AcceptedOutcomeUnknown { notify_id }),
        };
        self.abandon(key, sessions, cx);
        if let Some(outcome) = outcome {
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

/// What a completion says.
fn outcome_of(message: &WatchNotify) -> NotifyOutcome {
    let report = |watchers| NotifyReport { notify_id: message.notify_id, watchers };
    match (NotifyAcks::decode(&message.reply), message.return_code) {
        (Ok(watchers), 0) => NotifyOutcome::Done(report(watchers)),
        (Ok(watchers), code) if code == -errno::ETIMEDOUT => NotifyOutcome::TimedOut(report(watchers)),
        (Ok(_), code) => NotifyOutcome::Failed(OpError::Errno(code.saturating_neg())),
        (Err(error), _) => NotifyOutcome::Failed(OpError::BadReply(error)),
    }
}
