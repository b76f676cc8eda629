//! One request to an OSD, from its making to its reply.

use crate::Timestamp;
use crate::ids::{CallKey, NotifyKey, WatchKey};
use crate::object::Object;
use crate::placement::{Overlay, Target};
use crate::session::Member;
use alloc::sync::Arc;
use linger_wire::msg::{Op as Action, OpFlags, OpReply, OpRequestRef};
use linger_wire::{Features, HObject, SNAP_HEAD, UTime};
use smallvec::SmallVec;

/// What a watch's request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchRole {
    Register,
    Reconnect,
    Ping,
    Unwatch,
}

/// Who gets the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    Call(CallKey),
    Notify(NotifyKey),
    Watch(WatchKey, WatchRole),
    /// The answer to a notify that a watch got.
    Ack {
        watch: WatchKey,
        notify_id: u64,
    },
    /// The removal of a registration that a watch replaced.
    Removal(WatchKey),
}

impl Owner {
    /// Whether the request is never sent twice: its owner makes a new one after a reset or a move.
    ///
    /// A late reply to the old one is then a stray, whatever it says.
    pub(crate) fn is_linger(self) -> bool {
        match self {
            Self::Notify(_) => true,
            Self::Watch(_, role) => role != WatchRole::Unwatch,
            Self::Call(_) | Self::Ack { .. } | Self::Removal(_) => false,
        }
    }

    /// Whether the request binds a watch to the connection: what counts is when the OSD took it first.
    ///
    /// All its attempts go over one connection, whose replies come in order.
    pub(crate) fn binds(self) -> bool {
        matches!(self, Self::Watch(_, WatchRole::Register | WatchRole::Reconnect))
    }

    /// The linger whose request this is.
    pub(super) fn linger(self) -> Option<Member> {
        match self {
            Self::Notify(key) => Some(Member::Notify(key)),
            Self::Watch(key, _) if self.is_linger() => Some(Member::Watch(key)),
            _ => None,
        }
    }

    /// Lower is encoded first: what keeps watches alive goes before users' calls.
    pub(super) fn class(self) -> u8 {
        match self {
            Self::Watch(..) | Self::Ack { .. } | Self::Removal(_) => 0,
            Self::Call(_) | Self::Notify(_) => 1,
        }
    }
}

/// A request and where it is to go.
#[derive(Debug)]
pub(crate) struct Op {
    pub(crate) owner: Owner,
    pub(crate) object: Arc<Object>,
    pub(crate) actions: SmallVec<[Action; 1]>,
    pub(crate) target: Target,
    /// Flags beyond the usual ones: those of a redirected request.
    pub(super) extra_flags: OpFlags,
    /// How often it was sent.
    pub(super) attempts: i32,
    /// When it was encoded last, if it was under this tid.
    pub(crate) sent: Option<Timestamp>,
    /// When it was encoded first under this tid.
    pub(crate) first_sent: Option<Timestamp>,
}

impl Op {
    pub(crate) fn new(owner: Owner, object: Arc<Object>, action: Action, target: Target) -> Self {
        let actions = SmallVec::from_iter([action]);
        let extra_flags = OpFlags::default();
        Self { owner, object, actions, target, extra_flags, attempts: 0, sent: None, first_sent: None }
    }

    /// When the attempt was encoded that a reply answers; if that is not known, no later than this.
    pub(super) fn sent_as(&self, attempt: i32) -> Option<Timestamp> {
        if attempt == self.attempts - 1 { self.sent } else { self.first_sent }
    }

    pub(crate) fn is_write(&self) -> bool {
        self.actions.iter().any(Action::is_write)
    }

    pub(super) fn flags(&self) -> OpFlags {
        let class = if self.is_write() { OpFlags::WRITE } else { OpFlags::READ };
        let retry = if self.attempts > 0 { OpFlags::RETRY } else { OpFlags::default() };
        class | retry | OpFlags::ONDISK | OpFlags::KNOWN_REDIR | self.extra_flags
    }

    /// Whether a cache tier laid over the pool is used, and as what.
    pub(super) fn overlay(&self) -> Overlay {
        match self.is_write() {
            _ if self.extra_flags.has(OpFlags::IGNORE_OVERLAY) => Overlay::Ignore,
            true => Overlay::Write,
            false => Overlay::Read,
        }
    }

    /// The object's place in the order of objects, for backoffs.
    pub(super) fn hobject(&self) -> HObject {
        HObject {
            key: self.object.locator.key.clone(),
            oid: self.object.name.clone(),
            snap: SNAP_HEAD,
            hash: self.target.raw.seed,
            max: false,
            nspace: self.object.locator.nspace.clone(),
            pool: self.target.raw.pool,
        }
    }

    /// The message's front, borrowing from this request.
    pub(super) fn request(&self, epoch: u32, now: UTime, features: Features) -> OpRequestRef<'_> {
        OpRequestRef {
            pgid: self.target.pg,
            hash: self.target.raw.seed,
            epoch,
            flags: self.flags(),
            mtime: if self.is_write() { now } else { UTime::default() },
            locator: &self.object.locator,
            pool: self.target.raw.pool,
            oid: &self.object.name,
            ops: &self.actions,
            retry_attempt: self.attempts,
            features,
        }
    }
}

/// What became of a reply.
#[expect(clippy::large_enum_variant, reason = "moved once for a reply, never stored; a box would cost more")]
pub(crate) enum Replied {
    /// It ends a request.
    Done { op: Op, reply: OpReply },
    /// The OSD wants the request again; it goes under a new tid, and by a redirect to another OSD.
    Again { owner: Owner, tid: u64, osd: i32 },
    /// It answers nothing that is in flight.
    Stray,
}
