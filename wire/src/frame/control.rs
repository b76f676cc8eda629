//! Control frames: everything but messages.

use super::Tag;
use crate::primitives::parse::run;
use crate::primitives::{Input, Parse, Parsed, codec, fail};
use crate::{AddrVec, DecodeError, DecodeErrorKind, Encode, EntityAddr, EntityType, Features, UTime};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// How a client proves who it is (`CEPH_AUTH_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthMethod(pub u32);

impl AuthMethod {
    /// Not at all.
    pub const NONE: Self = Self(1);
    /// By a shared key.
    pub const CEPHX: Self = Self(2);
    /// By Kerberos.
    pub const GSS: Self = Self(4);
}

/// How frames are protected once authentication is done (`CEPH_CON_MODE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConMode(pub u32);

impl ConMode {
    /// Checksums against accidents.
    pub const CRC: Self = Self(1);
    /// Encrypted and authenticated.
    pub const SECURE: Self = Self(2);
}

/// The flag of an ident for a session that ends with its connection.
pub const IDENT_LOSSY: u64 = 1;

/// Who the sender is and where it sees its peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// What the sender is.
    pub entity_type: EntityType,
    /// The address at which the sender sees the receiver.
    pub peer_addr: EntityAddr,
}

/// The client's proposal of how to authenticate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRequest {
    /// How.
    pub method: AuthMethod,
    /// The protections it would accept, the preferred one first.
    pub preferred_modes: Vec<ConMode>,
    /// The method's own first step.
    pub payload: Bytes,
}

/// The server's refusal of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthBadMethod {
    /// What was proposed.
    pub method: AuthMethod,
    /// Why not: a negative Linux errno.
    pub result: i32,
    /// What is allowed.
    pub allowed_methods: Vec<AuthMethod>,
    /// The protections that are allowed.
    pub allowed_modes: Vec<ConMode>,
}

/// The end of authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthDone {
    /// The client's number in the cluster: monitors give it, other servers repeat it.
    pub global_id: u64,
    /// The protection that the server chose.
    pub con_mode: ConMode,
    /// The method's own last step.
    pub payload: Bytes,
}

/// A client opens a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdent {
    /// The client's own addresses; the server takes them, nonce included, for its identity.
    pub addrs: AddrVec,
    /// The server's address as the client dialled it, with the nonce that the maps have.
    pub target: EntityAddr,
    /// The client's global id, or -1 to a monitor.
    pub gid: i64,
    /// Counts the client's connections.
    pub global_seq: u64,
    /// Features the client has.
    pub supported: Features,
    /// Features the server must have.
    pub required: Features,
    /// [`IDENT_LOSSY`] or 0.
    pub flags: u64,
    /// Names the session for a reconnect, 0 for a lossy one.
    pub cookie: u64,
}

/// A server accepts a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerIdent {
    /// The server's addresses.
    pub addrs: AddrVec,
    /// The server's number.
    pub gid: i64,
    /// The server's count of connections.
    pub global_seq: u64,
    /// Features the server has.
    pub supported: Features,
    /// Features the client must have.
    pub required: Features,
    /// [`IDENT_LOSSY`] or 0.
    pub flags: u64,
    /// Names the session for a reconnect, 0 for a lossy one.
    pub cookie: u64,
}

/// A client continues a session; never on a lossy one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReconnect {
    /// The client's own addresses.
    pub addrs: AddrVec,
    /// The cookie of the client's ident.
    pub client_cookie: u64,
    /// The cookie of the server's ident.
    pub server_cookie: u64,
    /// Counts the client's connections.
    pub global_seq: u64,
    /// Counts the connections of this session.
    pub connect_seq: u64,
    /// The number of the last message received.
    pub msg_seq: u64,
}

macro_rules! newtype_codec {
    ($($name:ident),*) => {$(
        impl Parse for $name {
            const WHAT: &'static str = stringify!($name);
            fn parse(i: Input<'_>) -> Parsed<'_, Self> {
                let (i, value) = u32::parse(i)?;
                Ok((i, Self(value)))
            }
        }
        impl Encode for $name {
            fn encode(&self, out: &mut BytesMut) {
                self.0.encode(out);
            }
        }
    )*};
}

newtype_codec!(AuthMethod, ConMode);
codec!(Hello { entity_type, peer_addr });
codec!(AuthRequest { method, preferred_modes, payload });
codec!(AuthBadMethod { method, result, allowed_methods, allowed_modes });
codec!(AuthDone { global_id, con_mode, payload });
codec!(ClientIdent { addrs, target, gid, global_seq, supported, required, flags, cookie });
codec!(ServerIdent { addrs, gid, global_seq, supported, required, flags, cookie });
codec!(SessionReconnect { addrs, client_cookie, server_cookie, global_seq, connect_seq, msg_seq });

/// The content of a control frame.
///
/// Facts: `msg/async/frames_v2.h`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is documented at its tag and its fields")]
pub enum Control {
    Hello(Hello),
    AuthRequest(AuthRequest),
    AuthBadMethod(AuthBadMethod),
    AuthReplyMore(Bytes),
    AuthRequestMore(Bytes),
    AuthDone(AuthDone),
    /// HMAC-SHA256 over the bytes that the receiver sent, or zeros without a session key.
    AuthSignature([u8; 32]),
    ClientIdent(ClientIdent),
    ServerIdent(ServerIdent),
    /// The features that the server requires and the client lacks.
    IdentMissingFeatures(Features),
    SessionReconnect(SessionReconnect),
    /// `full` when the server has forgotten the client too.
    SessionReset {
        full: bool,
    },
    SessionRetry {
        connect_seq: u64,
    },
    SessionRetryGlobal {
        global_seq: u64,
    },
    SessionReconnectOk {
        msg_seq: u64,
    },
    Wait,
    /// The sender's time.
    Keepalive2(UTime),
    /// The time of the frame that is answered.
    Keepalive2Ack(UTime),
    /// The number of the last message received.
    Ack {
        seq: u64,
    },
    /// `methods` are those of `Compressor::CompressionAlgorithm`.
    CompressionRequest {
        wanted: bool,
        methods: Vec<u32>,
    },
    CompressionDone {
        on: bool,
        method: u32,
    },
}

impl Control {
    /// The tag of the frame.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        match self {
            Self::Hello(_) => Tag::Hello,
            Self::AuthRequest(_) => Tag::AuthRequest,
            Self::AuthBadMethod(_) => Tag::AuthBadMethod,
            Self::AuthReplyMore(_) => Tag::AuthReplyMore,
            Self::AuthRequestMore(_) => Tag::AuthRequestMore,
            Self::AuthDone(_) => Tag::AuthDone,
            Self::AuthSignature(_) => Tag::AuthSignature,
            Self::ClientIdent(_) => Tag::ClientIdent,
            Self::ServerIdent(_) => Tag::ServerIdent,
            Self::IdentMissingFeatures(_) => Tag::IdentMissingFeatures,
            Self::SessionReconnect(_) => Tag::SessionReconnect,
            Self::SessionReset { .. } => Tag::SessionReset,
            Self::SessionRetry { .. } => Tag::SessionRetry,
            Self::SessionRetryGlobal { .. } => Tag::SessionRetryGlobal,
            Self::SessionReconnectOk { .. } => Tag::SessionReconnectOk,
            Self::Wait => Tag::Wait,
            Self::Keepalive2(_) => Tag::Keepalive2,
            Self::Keepalive2Ack(_) => Tag::Keepalive2Ack,
            Self::Ack { .. } => Tag::Ack,
            Self::CompressionRequest { .. } => Tag::CompressionRequest,
            Self::CompressionDone { .. } => Tag::CompressionDone,
        }
    }

    /// Decodes the payload of a control frame; bytes after the known fields are ignored.
    ///
    /// # Errors
    /// [`DecodeError`] for a payload that does not decode, and for [`Tag::Message`].
    pub fn decode(tag: Tag, payload: &[u8]) -> Result<Self, DecodeError> {
        run(payload, "control frame", |i| Self::parse(tag, i))
    }

    fn parse(tag: Tag, i: Input<'_>) -> Parsed<'_, Self> {
        fn map<'a, T: Parse>(i: Input<'a>, wrap: impl FnOnce(T) -> Control) -> Parsed<'a, Control> {
            T::parse(i).map(|(i, value)| (i, wrap(value)))
        }
        match tag {
            Tag::Hello => map(i, Self::Hello),
            Tag::AuthRequest => map(i, Self::AuthRequest),
            Tag::AuthBadMethod => map(i, Self::AuthBadMethod),
            Tag::AuthReplyMore => map(i, Self::AuthReplyMore),
            Tag::AuthRequestMore => map(i, Self::AuthRequestMore),
            Tag::AuthDone => map(i, Self::AuthDone),
            Tag::AuthSignature => match i.split_first_chunk() {
                Some((signature, rest)) => Ok((rest, Self::AuthSignature(*signature))),
                None => fail(i, "signature", DecodeErrorKind::Truncated),
            },
            Tag::ClientIdent => map(i, Self::ClientIdent),
            Tag::ServerIdent => map(i, Self::ServerIdent),
            Tag::IdentMissingFeatures => map(i, Self::IdentMissingFeatures),
            Tag::SessionReconnect => map(i, Self::SessionReconnect),
            Tag::SessionReset => map(i, |full| Self::SessionReset { full }),
            Tag::SessionRetry => map(i, |connect_seq| Self::SessionRetry { connect_seq }),
            Tag::SessionRetryGlobal => map(i, |global_seq| Self::SessionRetryGlobal { global_seq }),
            Tag::SessionReconnectOk => map(i, |msg_seq| Self::SessionReconnectOk { msg_seq }),
            Tag::Wait => Ok((i, Self::Wait)),
            Tag::Message => fail(i, "control frame tag", DecodeErrorKind::Invalid),
            Tag::Keepalive2 => map(i, Self::Keepalive2),
            Tag::Keepalive2Ack => map(i, Self::Keepalive2Ack),
            Tag::Ack => map(i, |seq| Self::Ack { seq }),
            Tag::CompressionRequest => {
                map(i, |(wanted, methods)| Self::CompressionRequest { wanted, methods })
            }
            Tag::CompressionDone => map(i, |(on, method)| Self::CompressionDone { on, method }),
        }
    }
}

impl Encode for Control {
    /// Appends the payload; [`emit_control`](super::emit_control) makes a frame of it.
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Hello(hello) => hello.encode(out),
            Self::AuthRequest(request) => request.encode(out),
            Self::AuthBadMethod(refusal) => refusal.encode(out),
            Self::AuthReplyMore(payload) | Self::AuthRequestMore(payload) => payload.encode(out),
            Self::AuthDone(done) => done.encode(out),
            Self::AuthSignature(signature) => out.put_slice(signature),
            Self::ClientIdent(ident) => ident.encode(out),
            Self::ServerIdent(ident) => ident.encode(out),
            Self::IdentMissingFeatures(features) => features.encode(out),
            Self::SessionReconnect(reconnect) => reconnect.encode(out),
            Self::SessionReset { full } => full.encode(out),
            Self::SessionRetry { connect_seq: seq }
            | Self::SessionRetryGlobal { global_seq: seq }
            | Self::SessionReconnectOk { msg_seq: seq }
            | Self::Ack { seq } => seq.encode(out),
            Self::Wait => {}
            Self::Keepalive2(stamp) | Self::Keepalive2Ack(stamp) => stamp.encode(out),
            Self::CompressionRequest { wanted, methods } => {
                wanted.encode(out);
                methods.encode(out);
            }
            Self::CompressionDone { on, method } => {
                on.encode(out);
                method.encode(out);
            }
        }
    }
}
