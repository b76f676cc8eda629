//! What comes out of a client.

use crate::Timestamp;
use crate::auth::AuthMethod;
use crate::conn::LinkMode;
use crate::error::{ConnFault, LossCause, OpError, WatchError};
use crate::ids::{CallId, ConnId, NotifyId, ResolveId, WatchId};
use crate::object::ObjectRef;
use crate::timers::TimerKind;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use linger_wire::msg::{NotifyAcks, Watcher};
use linger_wire::{EntityName, Fsid, PgId, UTime};

/// What the adapter is to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Look a name up and answer with `handle_resolved`.
    Resolve {
        /// Comes back in the answer.
        id: ResolveId,
        /// What to look up.
        query: Query,
    },
    /// Open a TCP connection and answer with `handle_connected` or `handle_closed`.
    Connect {
        /// Names the connection from now on.
        conn: ConnId,
        /// Where to.
        addr: SocketAddr,
    },
    /// The connection's outbox has bytes: write them whenever the socket is writable.
    Write(ConnId),
    /// Close the connection and forget its id; no `handle_closed` is needed.
    Disconnect {
        /// Which.
        conn: ConnId,
        /// Why.
        why: ConnFault,
    },
    /// News for the user.
    Event(Event),
    /// Nothing more to do until a socket or the user has something, or the deadline comes.
    Wait(Option<Deadline>),
}

/// A question to the name resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// A host's addresses.
    Host {
        /// Its name.
        host: String,
        /// The port to answer with.
        port: u16,
    },
    /// The hosts that DNS SRV records name, resolved, with their ports.
    Service {
        /// The service, such as `_ceph-mon._tcp`.
        name: String,
    },
}

/// A point in time at which `handle_timeout` is to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// What for.
    pub why: TimerKind,
}

/// News for the user of a client.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A session with a monitor is there, and the first map.
    Connected {
        /// The cluster.
        fsid: Fsid,
        /// The client's number there: it is `client.N` to others.
        global_id: u64,
    },
    /// A session with a monitor is there, for the first time or again.
    MonUp {
        /// Its address.
        addr: SocketAddr,
        /// How the client logged in.
        auth: AuthMethod,
        /// What the connection speaks, and how it is protected.
        mode: LinkMode,
    },
    /// A session with an OSD is there, for the first time or again.
    OsdUp {
        /// The OSD.
        osd: i32,
        /// What the connection speaks, and how it is protected.
        mode: LinkMode,
    },
    /// A monitor could not be used. The client goes on trying.
    MonFault {
        /// Its address.
        addr: Option<SocketAddr>,
        /// What is wrong.
        fault: ConnFault,
        /// Whether a person must act: a wrong key, denied, another cluster.
        permanent: bool,
    },
    /// An OSD's connection failed. The client dials it again.
    OsdFault {
        /// The OSD.
        osd: i32,
        /// Where it was dialled; none if the map has no address for it that can be.
        addr: Option<SocketAddr>,
        /// What is wrong.
        fault: ConnFault,
    },
    /// A map could not be used; the maps after it are asked for anew.
    MapFault {
        /// Its epoch.
        epoch: u32,
        /// What is wrong.
        error: crate::cluster::MapError,
    },
    /// The watch's queue has events: take them with `next`.
    Readable(WatchId),
    /// An OSD accepted a notify and is asking the watchers.
    NotifyAccepted {
        /// Which.
        id: NotifyId,
        /// Its number at the OSD.
        notify_id: u64,
    },
    /// A notify is over; its id is dead.
    NotifyDone {
        /// Which.
        id: NotifyId,
        /// How it ended.
        outcome: NotifyOutcome,
    },
    /// A call is over; its id is dead.
    CallDone {
        /// Which.
        id: CallId,
        /// What it gave.
        result: Result<CallOutput, OpError>,
    },
    /// A command that was refused as busy may be tried again.
    CommandsReady,
    /// The client has another number: it was given one by [`Client::renew_identity`](crate::Client::renew_identity),
    /// or the monitors no longer knew the old one.
    IdentityChanged {
        /// The client is `client.N` from now on.
        global_id: u64,
    },
    /// Everything is closed; nothing more will come.
    Closed {
        /// Registrations whose end no OSD confirmed: of watches that ended now, and such as were replaced or given up
        /// before.
        left_behind: Vec<LeftBehind>,
    },
}

/// A watch that ended here, while its OSD may still have it: notifiers wait for it until it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftBehind {
    /// What was watched.
    pub object: ObjectRef,
    /// The watch's cookie at the OSD.
    pub cookie: u64,
    /// The OSD drops the watch within this time, its timeout, once the object's group is active.
    pub gone_within: Duration,
}

/// How a notify ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyOutcome {
    /// Every watcher answered.
    Done(NotifyReport),
    /// The time was over before every watcher answered.
    TimedOut(NotifyReport),
    /// The OSD took it, and no outcome came until the deadline.
    AcceptedOutcomeUnknown {
        /// Its number at the OSD.
        notify_id: u64,
    },
    /// No OSD took it until the deadline.
    NeverAccepted,
    /// The cluster refused it.
    Failed(OpError),
}

/// Who answered a notify, and who did not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotifyReport {
    /// Its number at the OSD; 0 if the OSD finished before it said.
    pub notify_id: u64,
    /// Answers and misses.
    pub watchers: NotifyAcks,
}

/// What a call gave.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallOutput {
    /// It is done.
    Done {
        /// The object's version as users see it.
        version: u64,
    },
    /// What was read.
    Data {
        /// The bytes.
        data: Bytes,
        /// The object's version as users see it.
        version: u64,
    },
    /// Size and time.
    Stat {
        /// Bytes.
        size: u64,
        /// When it was last written.
        mtime: UTime,
    },
    /// Who watches.
    Watchers(Vec<Watcher>),
}

/// News of one watch, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// Somebody notified.
    Notify(Notify),
    /// The watch is registered: for the first time, or again after a time of being deaf.
    Live(Live),
    /// The watch is lost. Unless terminal, the client registers it again (or asks, if manual).
    ///
    /// After a terminal loss comes `Closed`, but for one: a blocklisted client's watch stays, until
    /// [`Client::renew_identity`](crate::Client::renew_identity) brings it back or it is unwatched.
    Error(WatchError),
    /// The watch is lost and the user said to register it by hand.
    ReregisterNeeded {
        /// Why it was lost.
        cause: LossCause,
    },
    /// Notifies were shed because they were not taken in time.
    Overflow {
        /// How many.
        lost: u64,
    },
    /// Everything that came before [`Client::flush`](crate::Client::flush) was called with this token is taken.
    Flushed {
        /// What the call was given.
        token: u64,
    },
    /// The watch ends, and no OSD confirmed that: not in time, or not before the client got another number.
    LeftBehind(LeftBehind),
    /// The last event: the watch is unwatched, or terminally lost.
    Closed,
}

/// A notify that was received.
#[derive(Debug)]
pub struct Notify {
    /// Its number at the OSD.
    pub notify_id: u64,
    /// Who sent it.
    pub from: EntityName,
    /// The object's version when it was sent.
    pub version: u64,
    /// What was sent.
    pub payload: Bytes,
    /// To be spent by `ack` or `decline`.
    pub token: AckToken,
}

/// A watch that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// 0 the first time, one more after each time of being deaf.
    pub generation: u32,
    /// Whether a notify may have completed without naming this watcher as missed.
    pub may_have_missed: bool,
    /// How long the watch was not provably live; zero the first time.
    pub deaf_for: Duration,
    /// The object's version, where the OSD said.
    pub version: Option<u64>,
    /// The watch's cookie at the OSD.
    pub cookie: u64,
    /// The client's number: the watcher is (client.N, cookie).
    pub global_id: u64,
    /// The OSD that has it.
    pub osd: i32,
    /// The object's placement group.
    pub pg: PgId,
}

/// The right and duty to answer one notify. Not `Clone`: one notify, one ack.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a notifier waits for every watcher's ack: spend the token with `ack` or `decline`"]
pub struct AckToken {
    pub(crate) watch: WatchId,
    pub(crate) cookie: u64,
    pub(crate) notify_id: u64,
}

impl AckToken {
    /// The watch that got the notify.
    #[must_use]
    pub fn watch(&self) -> WatchId {
        self.watch
    }

    /// The notify's number.
    #[must_use]
    pub fn notify_id(&self) -> u64 {
        self.notify_id
    }
}
