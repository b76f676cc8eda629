//! Tickets: what proves to a service that the mons know a client.

use super::name::{parse_wide_type, put_wide_type};
use super::{AuthName, CryptoKey};
use crate::primitives::{Input, Parse, Parsed, blob, fail, put_blob};
use crate::{DecodeErrorKind, Encode, EntityType, UTime};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;
use zeroize::Zeroizing;

/// A ticket as its holder sees it: opaque, to be shown to the service (`CephXTicketBlob`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketBlob {
    /// Which of the service's rotating keys it is sealed with.
    pub secret_id: u64,
    /// A sealed [`ServiceTicketInfo`]; empty where there is no ticket.
    pub blob: Bytes,
}

impl Parse for TicketBlob {
    const WHAT: &'static str = "CephXTicketBlob";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, secret_id) = u64::parse(i)?;
        let (i, blob) = Bytes::field(i, "CephXTicketBlob.blob")?;
        Ok((i, Self { secret_id, blob }))
    }
}

impl Encode for TicketBlob {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.secret_id.encode(out);
        self.blob.encode(out);
    }
}

/// The part of a ticket that is for its holder (`CephXServiceTicket`), sealed with the holder's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTicket {
    /// The key that holder and service share.
    pub session_key: CryptoKey,
    /// How long the ticket is good, from when it was given.
    pub validity: UTime,
}

impl Parse for ServiceTicket {
    const WHAT: &'static str = "CephXServiceTicket";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, session_key) = CryptoKey::parse(i)?;
        let (i, validity) = UTime::parse(i)?;
        Ok((i, Self { session_key, validity }))
    }
}

impl Encode for ServiceTicket {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.session_key.encode(out);
        self.validity.encode(out);
    }
}

/// Who holds a ticket and what the holder may do (`AuthTicket`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthTicket {
    /// The holder.
    pub name: AuthName,
    /// The holder's global id.
    pub global_id: u64,
    /// A field of old releases; current ones write all ones.
    pub old_auid: u64,
    /// When the ticket was made.
    pub created: UTime,
    /// When it ends.
    pub expires: UTime,
    /// Whether everything is allowed, whatever the capabilities say.
    pub allow_all: bool,
    /// The capabilities for this service: an encoded string, or nothing.
    pub caps: Bytes,
    /// Flags; none are in use.
    pub flags: u32,
}

impl Parse for AuthTicket {
    const WHAT: &'static str = "AuthTicket";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, version) = u8::parse(i)?;
        let (i, name) = AuthName::parse(i)?;
        let (i, global_id) = u64::parse(i)?;
        let (i, old_auid) = if version >= 2 { u64::parse(i)? } else { (i, u64::MAX) };
        let (i, created) = UTime::parse(i)?;
        let (i, expires) = UTime::parse(i)?;
        let (i, _caps_version) = u8::parse(i)?;
        let (i, allow_all) = bool::parse(i)?;
        let (i, caps) = Bytes::field(i, "AuthTicket.caps")?;
        let (i, flags) = u32::parse(i)?;
        Ok((i, Self { name, global_id, old_auid, created, expires, allow_all, caps, flags }))
    }
}

impl Encode for AuthTicket {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(2);
        self.name.encode(out);
        self.global_id.encode(out);
        self.old_auid.encode(out);
        self.created.encode(out);
        self.expires.encode(out);
        out.put_u8(1);
        self.allow_all.encode(out);
        self.caps.encode(out);
        self.flags.encode(out);
    }
}

/// The inside of a [`TicketBlob`], which only the service can read (`CephXServiceTicketInfo`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceTicketInfo {
    /// Who may do what.
    pub ticket: AuthTicket,
    /// The key that holder and service share.
    pub session_key: CryptoKey,
}

impl Parse for ServiceTicketInfo {
    const WHAT: &'static str = "CephXServiceTicketInfo";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, ticket) = AuthTicket::parse(i)?;
        let (i, session_key) = CryptoKey::parse(i)?;
        Ok((i, Self { ticket, session_key }))
    }
}

impl Encode for ServiceTicketInfo {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.ticket.encode(out);
        self.session_key.encode(out);
    }
}

/// How a [`TicketEntry`] carries its ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TicketForm {
    /// As it is.
    Plain(TicketBlob),
    /// Sealed with the session key of the ticket it replaces: its inside is a length-prefixed
    /// [`TicketBlob`].
    Sealed(Bytes),
}

/// One ticket of a [`TicketReply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketEntry {
    /// The service it is for.
    pub service: EntityType,
    /// A sealed [`ServiceTicket`].
    pub sealed: Bytes,
    /// The ticket itself.
    pub ticket: TicketForm,
}

impl Parse for TicketEntry {
    const WHAT: &'static str = "service ticket";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, service) = parse_wide_type(i)?;
        let (i, _version) = u8::parse(i)?;
        let (i, sealed) = Bytes::field(i, "service ticket")?;
        let (i, is_sealed) = bool::parse(i)?;
        let (i, ticket) = if is_sealed {
            let (i, bytes) = Bytes::field(i, "sealed ticket blob")?;
            (i, TicketForm::Sealed(bytes))
        } else {
            let (i, bytes) = blob(i)?;
            let (_, ticket) = TicketBlob::parse(bytes)?;
            (i, TicketForm::Plain(ticket))
        };
        Ok((i, Self { service, sealed, ticket }))
    }
}

impl Encode for TicketEntry {
    fn encode(&self, out: &mut BytesMut) {
        put_wide_type(out, self.service);
        out.put_u8(1);
        self.sealed.encode(out);
        match &self.ticket {
            TicketForm::Plain(ticket) => {
                out.put_u8(0);
                ticket.to_bytes().encode(out);
            }
            TicketForm::Sealed(bytes) => {
                out.put_u8(1);
                bytes.encode(out);
            }
        }
    }
}

/// The tickets that a mon hands out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TicketReply(
    /// One for each service.
    pub Vec<TicketEntry>,
);

impl Parse for TicketReply {
    const WHAT: &'static str = "ticket reply";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, version) = u8::parse(i)?;
        if version != 1 {
            return fail(i, Self::WHAT, DecodeErrorKind::Invalid);
        }
        let (i, entries) = Vec::field(rest, Self::WHAT)?;
        Ok((i, Self(entries)))
    }
}

impl Encode for TicketReply {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.0.encode(out);
    }
}

/// Secret bytes, length-prefixed on the wire: wiped on drop, never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl Parse for Secret {
    const WHAT: &'static str = "secret";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, bytes) = blob(i)?;
        Ok((i, Self(Zeroizing::new(bytes.to_vec()))))
    }
}

impl Encode for Secret {
    fn encode(&self, out: &mut BytesMut) {
        put_blob(out, &self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}
