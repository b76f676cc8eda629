//! Operations on an object beside watch and notify: one request, one result.

use crate::context::Context;
use crate::error::OpError;
use crate::ids::CallKey;
use crate::object::Object;
use crate::output::{CallOutput, Event};
use crate::placement::{Overlay, locate};
use crate::session::Sessions;
use crate::session::op::{Op, Owner};
use crate::timers::{Slot, TimerKey};
use crate::watch::Cluster;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;
use linger_wire::msg::{Op as Action, OpReply, WatcherList};
use linger_wire::{Decode, DecodeError, DecodeErrorKind, UTime};
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
}

impl Call {
    fn action(&self) -> Action {
        match self {
            Self::Create { exclusive } => Action::Create { exclusive: *exclusive },
            Self::WriteFull(data) => Action::WriteFull { data: data.clone() },
            Self::Read { offset, len } => Action::Read { offset: *offset, len: *len },
            Self::Stat => Action::Stat,
            Self::Remove => Action::Delete,
            Self::ListWatchers => Action::ListWatchers,
        }
    }

    fn output(&self, reply: &OpReply) -> Result<CallOutput, OpError> {
        if reply.result < 0 {
            return Err(OpError::Errno(reply.result.saturating_neg()));
        }
        let version = reply.user_version;
        let output = reply.ops.first().map(|op| op.output.clone()).unwrap_or_default();
        match self {
            Self::Create { .. } | Self::WriteFull(_) | Self::Remove => Ok(CallOutput::Done { version }),
            Self::Read { .. } => Ok(CallOutput::Data { data: output, version }),
            Self::Stat => stat(&output).map_err(OpError::BadReply),
            Self::ListWatchers => WatcherList::decode(&output)
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

struct Pending {
    call: Call,
    tid: Option<u64>,
    timer: Slot,
}

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
        let key = self.0.insert(Pending { call, tid: None, timer: Slot::default() });
        if let (Some(pending), Some(within)) = (self.0.get_mut(key), within) {
            let at = cx.now.saturating_add(within);
            cx.timers.set(TimerKey::Call(key), &mut pending.timer, Some(at));
        }
        key
    }

    /// The pool is known: send. Returns false if the map does not have it.
    pub(crate) fn start(&mut self, key: CallKey, object: Arc<Object>, cl: &mut Cluster<'_>) -> bool {
        let Some(pending) = self.0.get_mut(key) else { return true };
        let action = pending.call.action();
        let overlay = if action.is_write() { Overlay::Write } else { Overlay::Read };
        let Ok(target) = locate(cl.map, &object.locator, &object.name, overlay) else { return false };
        pending.tid = Some(cl.sessions.submit(Op::new(Owner::Call(key), object, action, target), cl.map));
        true
    }

    pub(crate) fn on_again(&mut self, key: CallKey, tid: u64) {
        if let Some(pending) = self.0.get_mut(key) {
            pending.tid = Some(tid);
        }
    }

    pub(crate) fn on_reply(&mut self, key: CallKey, reply: &OpReply, cl: &mut Cluster<'_>, cx: &mut Context) {
        if let Some(result) = self.0.get(key).map(|pending| pending.call.output(reply)) {
            self.end(key, result, cl.sessions, cx);
        }
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

    fn end(
        &mut self,
        key: CallKey,
        result: Result<CallOutput, OpError>,
        sessions: &mut Sessions,
        cx: &mut Context,
    ) {
        if self.0.contains_key(key) {
            self.abandon(key, sessions, cx);
            cx.event(Event::CallDone { id: key.into(), result });
        }
    }
}
