//! The login at a mon, and the requests for more tickets in its session.

use super::ticket::TicketReply;
use super::{AuthName, TicketBlob};
use crate::primitives::{Input, Parse, Parsed, codec, fail};
use crate::{DecodeErrorKind, Encode};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// `AUTH_MODE_MON`; 11 to 19 are reserved for variants of it.
const MODE_MON: u8 = 10;

/// The first payload to a mon, with any auth method: who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginRequest {
    /// Who.
    pub name: AuthName,
    /// The global id of an earlier login to be had again; 0 for a new one.
    pub global_id: u64,
}

impl Parse for LoginRequest {
    const WHAT: &'static str = "login request";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, mode) = u8::field(i, "auth mode")?;
        if !(MODE_MON..MODE_MON + 10).contains(&mode) {
            return fail(i, "auth mode", DecodeErrorKind::Invalid);
        }
        let (i, name) = AuthName::parse(rest)?;
        let (i, global_id) = u64::parse(i)?;
        Ok((i, Self { name, global_id }))
    }
}

impl Encode for LoginRequest {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(MODE_MON);
        self.name.encode(out);
        self.global_id.encode(out);
    }
}

/// The first payload to a mon over msgr1, in an MAuth of method 0: who logs in, and how it can be done.
///
/// Facts: `mon/MonClient.cc`, `mon/AuthMonitor.cc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonLoginRequest {
    /// The auth methods' numbers; the mon takes the first of its own that is here.
    pub methods: Vec<u32>,
    /// Who, and whether an earlier global id shall be had again.
    pub login: LoginRequest,
}

impl Parse for MonLoginRequest {
    const WHAT: &'static str = "login request";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, methods) = Vec::parse(i)?;
        let (i, name) = AuthName::parse(i)?;
        let (i, global_id) = u64::parse(i)?;
        Ok((i, Self { methods, login: LoginRequest { name, global_id } }))
    }
}

impl Encode for MonLoginRequest {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.methods.encode(out);
        self.login.name.encode(out);
        self.login.global_id.encode(out);
    }
}

/// A mon's first answer (`CephXServerChallenge`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerChallenge {
    /// A random number.
    pub server_challenge: u64,
}

impl Parse for ServerChallenge {
    const WHAT: &'static str = "CephXServerChallenge";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, server_challenge) = u64::parse(i)?;
        Ok((i, Self { server_challenge }))
    }
}

impl Encode for ServerChallenge {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.server_challenge.encode(out);
    }
}

/// What both sides' challenges are proven with, see [`proof`](super::proof) (`CephXChallengeBlob`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChallengeBlob {
    /// The mon's random number.
    pub server_challenge: u64,
    /// The client's random number.
    pub client_challenge: u64,
}

codec!(ChallengeBlob { server_challenge, client_challenge });

/// What is asked of the auth service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation(pub u16);

impl Operation {
    /// The AUTH ticket, against proof of the key; [`Authenticate`] follows.
    pub const AUTH_SESSION_KEY: Self = Self(0x0100);
    /// Service tickets, against the AUTH ticket; an authorizer and a [`ServiceTicketRequest`] follow.
    pub const PRINCIPAL_SESSION_KEY: Self = Self(0x0200);
    /// A daemon's rotating keys.
    pub const ROTATING_KEY: Self = Self(0x0400);
}

/// Stands before every request (`CephXRequestHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader {
    /// What is asked.
    pub operation: Operation,
}

impl Parse for RequestHeader {
    const WHAT: &'static str = "CephXRequestHeader";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, operation) = u16::parse(i)?;
        Ok((i, Self { operation: Operation(operation) }))
    }
}

impl Encode for RequestHeader {
    fn encode(&self, out: &mut BytesMut) {
        self.operation.0.encode(out);
    }
}

/// Stands before every answer but the first (`CephXResponseHeader`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// What had been asked.
    pub operation: Operation,
    /// 0, or a negative errno.
    pub status: i32,
}

impl Parse for ResponseHeader {
    const WHAT: &'static str = "CephXResponseHeader";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, operation) = u16::parse(i)?;
        let (i, status) = i32::parse(i)?;
        Ok((i, Self { operation: Operation(operation), status }))
    }
}

impl Encode for ResponseHeader {
    fn encode(&self, out: &mut BytesMut) {
        self.operation.0.encode(out);
        self.status.encode(out);
    }
}

/// A client's proof of its key (`CephXAuthenticate`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The client's random number.
    pub client_challenge: u64,
    /// The [`proof`](super::proof).
    pub key: u64,
    /// The AUTH ticket held so far; empty for none.
    pub old_ticket: TicketBlob,
    /// The services whose tickets are wanted besides: a bit-or of entity types.
    pub other_keys: u32,
    /// Whether the client promises an old ticket whenever it asks for a global id again (version 3).
    pub shows_old_ticket: bool,
}

impl Parse for Authenticate {
    const WHAT: &'static str = "CephXAuthenticate";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, version) = u8::parse(i)?;
        let (i, client_challenge) = u64::parse(i)?;
        let (i, key) = u64::parse(i)?;
        let (i, old_ticket) = TicketBlob::parse(i)?;
        let (i, other_keys) = if version >= 2 { u32::parse(i)? } else { (i, 0) };
        Ok((i, Self { client_challenge, key, old_ticket, other_keys, shows_old_ticket: version >= 3 }))
    }
}

impl Encode for Authenticate {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(if self.shows_old_ticket { 3 } else { 2 });
        self.client_challenge.encode(out);
        self.key.encode(out);
        self.old_ticket.encode(out);
        self.other_keys.encode(out);
    }
}

/// A request for service tickets, behind an authorizer for AUTH (`CephXServiceTicketRequest`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceTicketRequest {
    /// The services: a bit-or of entity types.
    pub keys: u32,
}

impl Parse for ServiceTicketRequest {
    const WHAT: &'static str = "CephXServiceTicketRequest";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, keys) = u32::parse(i)?;
        Ok((i, Self { keys }))
    }
}

impl Encode for ServiceTicketRequest {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.keys.encode(out);
    }
}

/// The answer to [`Authenticate`]: the last payload of a login, and the reply to a renewal.
///
/// It stands behind a [`ResponseHeader`] of status 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoginReply {
    /// The AUTH ticket, under the client's key.
    pub tickets: TicketReply,
    /// A length-prefixed sealed [`Secret`](super::Secret) under the AUTH session key; empty in crc mode
    /// and in renewals.
    pub connection_secret: Bytes,
    /// An encoded [`TicketReply`] for the other services, under the AUTH session key; may be empty.
    pub extra: Bytes,
}

impl Parse for LoginReply {
    const WHAT: &'static str = "login reply";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, tickets) = TicketReply::parse(i)?;
        // Renewals, and mons before Nautilus, end here.
        if i.is_empty() {
            return Ok((i, Self { tickets, ..Self::default() }));
        }
        let (i, connection_secret) = Bytes::field(i, "connection secret")?;
        let (i, extra) = Bytes::field(i, "extra tickets")?;
        Ok((i, Self { tickets, connection_secret, extra }))
    }
}

impl Encode for LoginReply {
    fn encode(&self, out: &mut BytesMut) {
        self.tickets.encode(out);
        self.connection_secret.encode(out);
        self.extra.encode(out);
    }
}
