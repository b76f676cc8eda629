//! Authorizers: how the holder of a ticket and a service prove themselves to each other.

use super::name::{parse_wide_type, put_wide_type};
use super::{AuthName, Secret, TicketBlob};
use crate::primitives::{Input, Parse, Parsed, fail};
use crate::{DecodeErrorKind, Encode, EntityType};
use bytes::{BufMut, Bytes, BytesMut};

/// What a client shows to a service (`CephXAuthorizer`); also the first payload to it, since its
/// leading 1 is the auth mode "authorizer".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorizer {
    /// The client's global id.
    pub global_id: u64,
    /// The service addressed.
    pub service: EntityType,
    /// The ticket for it.
    pub ticket: TicketBlob,
    /// A sealed [`Authorize`].
    pub sealed: Bytes,
}

impl Parse for Authorizer {
    const WHAT: &'static str = "authorizer";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, version) = u8::parse(i)?;
        if version != 1 {
            return fail(i, Self::WHAT, DecodeErrorKind::Invalid);
        }
        let (i, global_id) = u64::parse(rest)?;
        let (i, service) = parse_wide_type(i)?;
        let (i, ticket) = TicketBlob::parse(i)?;
        let (i, sealed) = Bytes::field(i, Self::WHAT)?;
        Ok((i, Self { global_id, service, ticket, sealed }))
    }
}

impl Encode for Authorizer {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.global_id.encode(out);
        put_wide_type(out, self.service);
        self.ticket.encode(out);
        self.sealed.encode(out);
    }
}

/// The sealed part of an [`Authorizer`] (`CephXAuthorize`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorize {
    /// A random number, which the reply must have plus one.
    pub nonce: u64,
    /// The answer to the service's challenge, once there was one: that plus one.
    pub challenge_plus_one: Option<u64>,
}

impl Parse for Authorize {
    const WHAT: &'static str = "CephXAuthorize";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, version) = u8::parse(i)?;
        let (i, nonce) = u64::parse(i)?;
        if version < 2 {
            return Ok((i, Self { nonce, challenge_plus_one: None }));
        }
        let (i, have) = bool::parse(i)?;
        let (i, value) = u64::parse(i)?;
        Ok((i, Self { nonce, challenge_plus_one: have.then_some(value) }))
    }
}

impl Encode for Authorize {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(2);
        self.nonce.encode(out);
        self.challenge_plus_one.is_some().encode(out);
        self.challenge_plus_one.unwrap_or(0).encode(out);
    }
}

/// The service's challenge to an [`Authorizer`] (`CephXAuthorizeChallenge`), sent sealed and without a
/// length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizeChallenge {
    /// A random number.
    pub server_challenge: u64,
}

impl Parse for AuthorizeChallenge {
    const WHAT: &'static str = "CephXAuthorizeChallenge";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, server_challenge) = u64::parse(i)?;
        Ok((i, Self { server_challenge }))
    }
}

impl Encode for AuthorizeChallenge {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.server_challenge.encode(out);
    }
}

/// The service's last word (`CephXAuthorizeReply`), sent sealed and length-prefixed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeReply {
    /// The client's nonce plus one: proves that the service could read the ticket.
    pub nonce_plus_one: u64,
    /// What the keys of secure mode are made of; empty in crc mode.
    pub connection_secret: Secret,
}

impl Parse for AuthorizeReply {
    const WHAT: &'static str = "CephXAuthorizeReply";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, version) = u8::parse(i)?;
        let (i, nonce_plus_one) = u64::parse(i)?;
        let (i, connection_secret) = if version >= 2 { Secret::parse(i)? } else { (i, Secret::default()) };
        Ok((i, Self { nonce_plus_one, connection_secret }))
    }
}

impl Encode for AuthorizeReply {
    fn encode(&self, out: &mut BytesMut) {
        let version = if self.connection_secret.as_bytes().is_empty() { 1 } else { 2 };
        out.put_u8(version);
        self.nonce_plus_one.encode(out);
        if version >= 2 {
            self.connection_secret.encode(out);
        }
    }
}

/// What takes an [`Authorizer`]'s place without authentication (`AuthNoneAuthorizer`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoneAuthorizer {
    /// Who the client says it is.
    pub name: AuthName,
    /// Its global id.
    pub global_id: u64,
}

impl Parse for NoneAuthorizer {
    const WHAT: &'static str = "AuthNoneAuthorizer";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, version) = u8::parse(i)?;
        if version != 1 {
            return fail(i, Self::WHAT, DecodeErrorKind::Invalid);
        }
        let (i, name) = AuthName::parse(rest)?;
        let (i, global_id) = u64::parse(i)?;
        Ok((i, Self { name, global_id }))
    }
}

impl Encode for NoneAuthorizer {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.name.encode(out);
        self.global_id.encode(out);
    }
}
