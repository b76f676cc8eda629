//! The first bytes of both sides: the banner, and who they are.

use super::LegacyError;
use crate::primitives::{Input, Parse, Parsed, fail};
use crate::{AddrType, Decode, DecodeErrorKind, Encode, EntityAddr};
use bytes::{BufMut, BytesMut};
use core::net::SocketAddr;

const BANNER: &[u8; 9] = b"ceph v027";

/// What msgr2 starts with.
const BANNER_V2: &[u8; 8] = b"ceph v2\n";

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const STORAGE: usize = 128;

/// Bytes of an address in a greeting.
const ADDR_LEN: usize = 8 + STORAGE;

/// What the server says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerGreeting {
    /// The server's own address, with its nonce.
    pub own: EntityAddr,
    /// The client's address as the server sees it.
    pub peer: EntityAddr,
}

/// What the client says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientGreeting {
    /// The client's own address, with its nonce.
    pub own: EntityAddr,
}

impl ServerGreeting {
    pub(super) const LEN: usize = BANNER.len() + 2 * ADDR_LEN;
}

impl ClientGreeting {
    pub(super) const LEN: usize = BANNER.len() + ADDR_LEN;

    /// The part that a client sends at once, before it knows its address.
    pub const BANNER: &'static [u8] = BANNER;

    /// Appends what follows the banner.
    pub fn encode_addr(&self, out: &mut BytesMut) {
        put_addr(&self.own, out);
    }
}

/// Reads a greeting of `len` bytes from the front of `bytes`, or gives `None` while it is incomplete. A wrong
/// banner is an error as soon as it is there.
pub(super) fn read<T: Decode>(bytes: &[u8], len: usize) -> Result<Option<T>, LegacyError> {
    let seen = bytes.len().min(BANNER.len());
    if bytes[..seen] != BANNER[..seen] {
        let v2 = bytes.len().min(BANNER_V2.len());
        // Seven bytes can not tell a v2 peer from something else.
        return match (bytes[..v2] == BANNER_V2[..v2], v2 == BANNER_V2.len()) {
            (true, false) => Ok(None),
            (true, true) => Err(LegacyError::Msgr2),
            (false, _) => Err(LegacyError::NotCeph),
        };
    }
    let Some(whole) = bytes.get(..len) else { return Ok(None) };
    Ok(Some(T::decode(whole)?))
}

fn banner(i: Input<'_>) -> Parsed<'_, ()> {
    match i.strip_prefix(BANNER) {
        Some(rest) => Ok((rest, ())),
        None if i.len() < BANNER.len() => fail(i, "banner", DecodeErrorKind::Truncated),
        None => fail(i, "banner", DecodeErrorKind::Invalid),
    }
}

/// An address in its old form. Its first word is 0, or by some senders the type: never a marker here.
fn addr(i: Input<'_>) -> Parsed<'_, EntityAddr> {
    let Some((fixed, rest)) = i.split_first_chunk::<ADDR_LEN>() else {
        return fail(i, "entity_addr_t", DecodeErrorKind::Truncated);
    };
    let mut marked = *fixed;
    marked[..4].fill(0);
    match EntityAddr::decode(&marked) {
        Ok(addr) => Ok((rest, addr)),
        Err(error) => fail(i, error.what, error.kind),
    }
}

fn put_addr(addr: &EntityAddr, out: &mut BytesMut) {
    out.put_u32_le(AddrType::NONE.0);
    out.put_u32_le(addr.nonce);
    let start = out.len();
    match addr.sock {
        None => {}
        Some(SocketAddr::V4(v4)) => {
            out.put_u16(AF_INET);
            out.put_u16(v4.port());
            out.put_slice(&v4.ip().octets());
        }
        Some(SocketAddr::V6(v6)) => {
            out.put_u16(AF_INET6);
            out.put_u16(v6.port());
            out.put_u32(v6.flowinfo());
            out.put_slice(&v6.ip().octets());
            out.put_u32_le(v6.scope_id());
        }
    }
    out.put_bytes(0, start + STORAGE - out.len());
}

impl Parse for ServerGreeting {
    const WHAT: &'static str = "server's greeting";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, ()) = banner(i)?;
        let (i, own) = addr(i)?;
        let (i, peer) = addr(i)?;
        Ok((i, Self { own, peer }))
    }
}

impl Encode for ServerGreeting {
    fn encode(&self, out: &mut BytesMut) {
        out.put_slice(BANNER);
        put_addr(&self.own, out);
        put_addr(&self.peer, out);
    }
}

impl Parse for ClientGreeting {
    const WHAT: &'static str = "client's greeting";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, ()) = banner(i)?;
        let (i, own) = addr(i)?;
        Ok((i, Self { own }))
    }
}

impl Encode for ClientGreeting {
    fn encode(&self, out: &mut BytesMut) {
        out.put_slice(BANNER);
        self.encode_addr(out);
    }
}
