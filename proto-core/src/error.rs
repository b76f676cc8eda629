//! What can go wrong, by who is at fault.

use crate::auth::AuthError;
use core::fmt;
use linger_wire::frame::FrameError;
use linger_wire::legacy::LegacyError;
use linger_wire::{DecodeError, EntityAddr, EntityType, Features, Fsid, errno};

/// A command that can not be carried out; it changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// The id names nothing that is alive.
    Unknown,
    /// Too much is in flight; [`Event::CommandsReady`](crate::Event::CommandsReady) follows.
    Busy,
    /// More watches than `Limits::watches`.
    TooManyWatches,
    /// A name, namespace or payload is empty where it must not be, or exceeds its limit.
    TooLong {
        /// What it is.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
        /// The largest accepted.
        max: usize,
    },
    /// An empty object name.
    NoName,
    /// A timeout outside of what is accepted.
    BadTimeout,
    /// The client is closing.
    Closing,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such watch, notify or call"),
            Self::Busy => f.write_str("too many operations in flight"),
            Self::TooManyWatches => f.write_str("too many watches"),
            Self::TooLong { what, len, max } => write!(f, "{what} of {len} bytes exceeds {max}"),
            Self::NoName => f.write_str("the object's name is empty"),
            Self::BadTimeout => f.write_str("timeout is zero or too long"),
            Self::Closing => f.write_str("the client is closing"),
        }
    }
}

impl core::error::Error for CommandError {}

/// A configuration with which no client can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No way to log in is accepted.
    NoAuthMethod,
    /// cephx is the only way accepted, and there is no key.
    NoKey,
    /// A kind of connection has no mode left: none is allowed, or secure only and there is no key for it.
    NoMode,
    /// Connections to monitors shall be secure, and all addresses given are of msgr1, which can not be.
    NoV2Monitor,
    /// A span or bound that must not be zero is zero.
    Zero(&'static str),
    /// A number is below the least with which the client works.
    TooSmall {
        /// What it is.
        what: &'static str,
        /// The smallest accepted.
        min: u32,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAuthMethod => f.write_str("no authentication method is allowed"),
            Self::NoKey => f.write_str("cephx needs a key and there is none"),
            Self::NoMode => f.write_str(
                "no connection mode is left: none is allowed, or only secure, which needs cephx and a key",
            ),
            Self::NoV2Monitor => f.write_str(
                "only secure connections are allowed, and all monitor addresses are of the v1 protocol, which has none",
            ),
            Self::Zero(what) => write!(f, "{what} must not be zero"),
            Self::TooSmall { what, min } => write!(f, "{what} must be at least {min}"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnFault {
    /// It could not be opened.
    Unreachable,
    /// The peer or the network closed it.
    Closed,
    /// No end of the handshake in time.
    HandshakeTimeout,
    /// A keepalive was not answered in time.
    KeepaliveTimeout,
    /// Bytes that are no frame.
    Frame(FrameError),
    /// The same over msgr1: bytes that are no record.
    Legacy(LegacyError),
    /// A message that does not decode.
    Message(DecodeError),
    /// A frame that has no place in this state of the connection.
    Unexpected(&'static str),
    /// The peer is another kind of daemon than was dialled.
    WrongPeer {
        /// What it says it is.
        found: EntityType,
        /// What was expected.
        expected: EntityType,
    },
    /// Another daemon than the one that was dialled answers at the address (msgr1).
    WrongAddress {
        /// Who it says it is.
        found: EntityAddr,
    },
    /// The peer speaks another version of the protocol between clients and such daemons (msgr1).
    ProtocolVersion {
        /// Spoken here.
        ours: u32,
        /// Spoken there.
        theirs: u32,
    },
    /// The daemon has only an address of msgr1, and only secure connections are allowed.
    OnlyV1,
    /// The peer's proof of knowing the session key is wrong, or a message's signature.
    BadSignature,
    /// The peer needs features that this client lacks.
    ClientLacks(Features),
    /// The peer lacks features that this client needs.
    PeerLacks(Features),
    /// The login failed.
    Auth(AuthError),
    /// The peer asked for a reset.
    Reset,
    /// The peer belongs to another cluster.
    WrongCluster {
        /// Its cluster.
        found: Fsid,
    },
    /// This side closed it: no longer needed, or the map says that the daemon is gone.
    Dropped,
}

impl fmt::Display for ConnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("can not be reached"),
            Self::Closed => f.write_str("connection closed by the peer"),
            Self::HandshakeTimeout => f.write_str("no end of the handshake in time"),
            Self::KeepaliveTimeout => f.write_str("no answer to a keepalive in time"),
            Self::Frame(error) => write!(f, "bad frame: {error}"),
            Self::Legacy(error) => write!(f, "bad record: {error}"),
            Self::Message(error) => write!(f, "bad message: {error}"),
            Self::Unexpected(what) => write!(f, "unexpected {what}"),
            Self::WrongPeer { found, expected } => {
                write!(f, "peer is a {}, not a {}", found.name(), expected.name())
            }
            Self::WrongAddress { found } => write!(f, "another daemon answers there: {found}"),
            Self::ProtocolVersion { ours, theirs } => {
                write!(f, "peer speaks version {theirs} of the protocol, not {ours}")
            }
            Self::OnlyV1 => f.write_str(
                "only secure connections are allowed, and the daemon has only an address of the v1 protocol, which has none",
            ),
            Self::BadSignature => f.write_str("the peer's signature is wrong"),
            Self::ClientLacks(bits) => write!(f, "the peer needs features {:#x} that linger lacks", bits.0),
            Self::PeerLacks(bits) => write!(f, "the peer lacks features {:#x} that linger needs", bits.0),
            Self::Auth(error) => write!(f, "login failed: {error}"),
            Self::Reset => f.write_str("session reset by the peer"),
            Self::WrongCluster { found } => write!(f, "the peer belongs to cluster {found}"),
            Self::Dropped => f.write_str("no longer needed"),
        }
    }
}

impl core::error::Error for ConnFault {}

/// Why a call, or a notify, did not do what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpError {
    /// The cluster refused; the errno, positive.
    Errno(i32),
    /// There is no such pool in the newest map.
    NoPool,
    /// No answer until the deadline. A write may or may not have happened.
    DeadlinePassed,
    /// The reply does not decode.
    BadReply(DecodeError),
    /// The client was closed first.
    Closed,
}

impl OpError {
    /// The errno that the cluster gave or that fits best, positive.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Errno(errno) => Some(*errno),
            Self::NoPool => Some(errno::ENOENT),
            Self::DeadlinePassed => Some(errno::ETIMEDOUT),
            Self::BadReply(_) | Self::Closed => None,
        }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errno(errno::ENOENT) => f.write_str("no such object"),
            Self::Errno(errno::EEXIST) => f.write_str("the object exists already"),
            Self::Errno(errno::EPERM | errno::EACCES) => f.write_str("not permitted by the client's caps"),
            Self::Errno(errno::EBLOCKLISTED) => f.write_str("the client is blocklisted"),
            Self::Errno(errno::EOPNOTSUPP) => f.write_str("not supported by the pool"),
            Self::Errno(errno) => write!(f, "the cluster answered errno {errno}"),
            Self::NoPool => f.write_str("no such pool"),
            Self::DeadlinePassed => f.write_str("no answer in time"),
            Self::BadReply(error) => write!(f, "bad reply: {error}"),
            Self::Closed => f.write_str("the client was closed"),
        }
    }
}

impl core::error::Error for OpError {}

/// Why a watch was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LossCause {
    /// The OSD says that the watch is not registered, or unregistered it.
    Disconnected,
    /// The OSD has the watch, but bound to no connection.
    TimedOut,
    /// No ping was confirmed for the watch's timeout.
    Lease,
    /// The object does not exist.
    ObjectGone,
    /// The pool does not exist.
    PoolGone,
    /// The cluster blocklisted this client.
    Blocklisted,
    /// The client's caps do not allow the watch.
    Denied,
    /// The monitors gave the client another global id, which no OSD knows as the watcher.
    Identity,
    /// The first registration did not succeed within its deadline.
    Held,
    /// The OSD refused the registration for another reason.
    Refused,
    /// The client was closed, or the queue's policy closed the watch.
    Closed,
}

impl LossCause {
    /// All causes.
    pub const ALL: [Self; 11] = [
        Self::Disconnected,
        Self::TimedOut,
        Self::Lease,
        Self::ObjectGone,
        Self::PoolGone,
        Self::Blocklisted,
        Self::Denied,
        Self::Identity,
        Self::Held,
        Self::Refused,
        Self::Closed,
    ];

    /// Whether the watch stays lost: registering again could not help.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::ObjectGone | Self::PoolGone | Self::Blocklisted | Self::Denied | Self::Held | Self::Closed
        )
    }
}

impl fmt::Display for LossCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "the OSD no longer has the watch",
            Self::TimedOut => "the OSD has no connection bound to the watch",
            Self::Lease => "no ping was confirmed within the watch's timeout",
            Self::ObjectGone => "no such object",
            Self::PoolGone => "no such pool",
            Self::Blocklisted => "the client is blocklisted",
            Self::Denied => "not permitted by the client's caps",
            Self::Identity => "the monitors gave the client another global id",
            Self::Held => "not registered in time",
            Self::Refused => "the OSD refused the registration",
            Self::Closed => "closed",
        })
    }
}

/// A watch that was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchError {
    /// Why.
    pub cause: LossCause,
    /// The errno that the cluster gave, positive.
    pub errno: Option<i32>,
}

impl WatchError {
    /// Whether the watch stays lost.
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        self.cause.is_terminal()
    }
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.cause, f)?;
        match self.errno {
            Some(errno) if self.cause == LossCause::Refused => write!(f, " (errno {errno})"),
            _ => Ok(()),
        }
    }
}

impl core::error::Error for WatchError {}
