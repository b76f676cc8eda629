//! Operations on an object beside watch and notify: one request, one result.

use crate::Timestamp;
use crate::context::Context;
use crate::error::OpError;
use crate::ids::CallKey;
use crate::object::Object;
use crate::output::{CallOutput, Event};
use crate::placement::{Overlay, locate};
use crate::retry::doubled;
use crate::session::Sessions;
use crate::session::op::{Op, Owner};
use crate::timers::{Slot, TimerKey};
use crate::watch::Cluster;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use linger_wire::msg::{Op as Action, OpReply, Watcher, WatcherList};
use linger_wire::{Decode, DecodeError, DecodeErrorKind, EntityName, UTime, errno};
use slotmap::SlotMap;

/// What to do with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Call {
    /// Create it; `exclusive` fails if it exists.
    Create {
        /// Fail with EEXIST if it exists.
        exclusive: bool,
    },
    /// Replace its content, creating it if needed.
    WriteFull(Bytes),
    /// Read `len` bytes from `offset` on; a `len` of 0 reads to the end.
    Read {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Its size and modification time.
    Stat,
    /// Remove it; all its watches end.
    Remove,
    /// Who watches it.
    ListWatchers,
    /// Waits until nobody watches it, or nobody but this client: a list of watchers that is empty, or at
    /// the deadline the list of those that were left when the OSD was last asked. An object that does not
    /// exist has none.
    ///
    /// The OSD tells nobody that a watcher left, so it is asked again and again: after 100 ms, then after
    /// waits that grow to 2 s.
    AwaitUnwatched {
        /// Do not wait for this client's own watches.
        but_me: bool,
    },
}

impl Call {
    fn action(&self) -> Action {
        match self {
            Self::Create { exclusive } => Action::Create { exclusive: *exclusive },
            Self::WriteFull(data) => Action::WriteFull { data: data.clone() },
            Self::Read { offset, len } => Action::Read { offset: *offset, len: *len },
            Self::Stat => Action::Stat,
            Self::Remove => Action::Delete,
            Self::ListWatchers | Self::AwaitUnwatched { .. } => Action::ListWatchers,
        }
    }

    fn output(&self, reply: &OpReply) -> CallResult {
        if reply.result < 0 {
            return Err(OpError::Errno(reply.result.saturating_neg()));
        }
        let version = reply.user_version;
        let output = reply.ops.first().map(|op| op.output.clone()).unwrap_or_default();
        match self {
            Self::Create { .. } | Self::WriteFull(_) | Self::Remove => Ok(CallOutput::Done { version }),
            Self::Read { .. } => Ok(CallOutput::Data { data: output, version }),
            Self::Stat => stat(&output).map_err(OpError::BadReply),
            Self::ListWatchers | Self::AwaitUnwatched { .. } => WatcherList::decode(&output)
                .map(|list| CallOutput::Watchers(list.0))
                .map_err(OpError::BadReply),
        }
    }
}

fn stat(output: &[u8]) -> Result<CallOutput, DecodeError> {
    let Some((size, mtime)) = output.split_first_chunk() else {
        return Err(DecodeError { offset: output.len(), what: "stat", kind: DecodeErrorKind::Truncated });
    };
    let mtime = UTime::decode(mtime)?;
    Ok(CallOutput::Stat { size: u64::from_le_bytes(*size), mtime })
}

/// The first wait between two looks at who watches; each one is twice as long as the one before.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// The longest wait between two looks.
const LOOK_MAX: Duration = Duration::from_secs(2);

struct Pending {
    call: Call,
    /// Known once the pool is.
    object: Option<Arc<Object>>,
    tid: Option<u64>,
    ends: Option<Timestamp>,
    looks: Looks,
    timer: Slot,
}

/// A wait until nobody watches.
#[derive(Default)]
struct Looks {
    count: u32,
    next: Option<Timestamp>,
    /// Who watched at the last look.
    left: Vec<Watcher>,
}

impl Pending {
    fn arm(&mut self, key: CallKey, cx: &mut Context) {
        let at = [self.ends, self.looks.next].into_iter().flatten().min();
        cx.timers.set(TimerKey::Call(key), &mut self.timer, at);
    }

    /// What a reply means; `None` if the call goes on.
    fn result(&mut self, reply: &OpReply, me: EntityName, now: Timestamp) -> Option<CallResult> {
        let result = self.call.output(reply);
        let Call::AwaitUnwatched { but_me } = self.call else { return Some(result) };
        match result {
            Ok(CallOutput::Watchers(mut left)) => {
                left.retain(|watcher| !but_me || watcher.name != me);
                if left.is_empty() {
                    return Some(Ok(CallOutput::Watchers(left)));
                }
                let wait = doubled(LOOK_MIN, LOOK_MAX, self.looks.count);
                let count = self.looks.count.saturating_add(1);
                self.looks = Looks { count, next: Some(now.saturating_add(wait)), left };
                self.tid = None;
                None
            }
            Err(OpError::Errno(errno::ENOENT)) => Some(Ok(CallOutput::Watchers(Vec::new()))),
            result => Some(result),
        }
    }
}

type CallResult = Result<CallOutput, OpError>;

/// All calls under way.
pub(crate) struct Calls(SlotMap<CallKey, Pending>);

impl Calls {
    pub(crate) fn new() -> Self {
        Self(SlotMap::with_key())
    }

    pub(crate) fn contains(&self, key: CallKey) -> bool {
        self.0.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn add(&mut self, call: Call, within: Option<Duration>, cx: &mut Context) -> CallKey {
        let ends = within.map(|within| cx.now.saturating_add(within));
        let (looks, timer) = (Looks::default(), Slot::default());
        let key = self.0.insert(Pending { call, object: None, tid: None, ends, looks, timer });
        if let Some(pending) = self.0.get_mut(key) {
            pending.arm(key, cx);
        }
        key
    }

    /// The pool is known: send. Returns false if the map does not have it.
    pub(crate) fn start(&mut self, key: CallKey, object: Arc<Object>, cl: &mut Cluster<'_>) -> bool {
        let Some(pending) = self.0.get_mut(key) else { return true };
        let action = pending.call.action();
        let overlay = if action.is_write() { Overlay::Write } else { Overlay::Read };
        let Ok(target) = locate(cl.map, &object.locator, &object.name, overlay) else { return false };
        pending.object = Some(Arc::clone(&object));
        pending.tid = Some(cl.sessions.submit(Op::new(Owner::Call(key), object, action, target), cl.map));
        true
    }

    pub(crate) fn on_again(&mut self, key: CallKey, tid: u64) {
        if let Some(pending) = self.0.get_mut(key) {
            pending.tid = Some(tid);
        }
    }

    pub(crate) fn on_reply(&mut self, key: CallKey, reply: &OpReply, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(pending) = self.0.get_mut(key) else { return };
        match pending.result(reply, EntityName::client(cl.global_id), cx.now) {
            Some(result) => self.end(key, result, cl.sessions, cx),
            None => pending.arm(key, cx),
        }
    }

    /// A call's deadline came, or the time of its next look.
    pub(crate) fn on_timer(&mut self, key: CallKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(pending) = self.0.get_mut(key) else { return };
        if pending.ends.is_some_and(|ends| ends <= cx.now) {
            return self.expire(key, cl.sessions, cx);
        }
        if pending.looks.next.is_some_and(|next| next <= cx.now) {
            pending.looks.next = None;
            pending.arm(key, cx);
            if let Some(object) = pending.object.clone()
                && !self.start(key, object, cl)
            {
                self.fail(key, OpError::NoPool, cl.sessions, cx);
            }
        }
    }

    /// A call's deadline came.
    pub(crate) fn expire(&mut self, key: CallKey, sessions: &mut Sessions, cx: &mut Context) {
        let Some(pending) = self.0.get_mut(key) else { return };
        let left = core::mem::take(&mut pending.looks.left);
        let result =
            if left.is_empty() { Err(OpError::DeadlinePassed) } else { Ok(CallOutput::Watchers(left)) };
        self.end(key, result, sessions, cx);
    }

    /// Ends a call without a reply.
    pub(crate) fn fail(&mut self, key: CallKey, error: OpError, sessions: &mut Sessions, cx: &mut Context) {
        self.end(key, Err(error), sessions, cx);
    }

    pub(crate) fn fail_all(&mut self, error: OpError, sessions: &mut Sessions, cx: &mut Context) {
        for key in self.0.keys().collect::<Vec<_>>() {
            self.fail(key, error, sessions, cx);
        }
    }

    /// Forgets a call without telling.
    pub(crate) fn abandon(&mut self, key: CallKey, sessions: &mut Sessions, cx: &mut Context) {
        let Some(mut pending) = self.0.remove(key) else { return };
        cx.timers.set(TimerKey::Call(key), &mut pending.timer, None);
        if let Some(tid) = pending.tid {
            sessions.cancel(tid);
        }
    }

    fn end(&mut self, key: CallKey, result: CallResult, sessions: &mut Sessions, cx: &mut Context) {
        if self.0.contains_key(key) {
            self.abandon(key, sessions, cx);
            cx.event(Event::CallDone { id: key.into(), result });
        }
    }
}
