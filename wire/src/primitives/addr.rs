//! Addresses: `entity_addr_t` and `entity_addrvec_t`.
//!
//! Facts: `msg/msg_types.h`, `msg/msg_types.cc`.

use super::collections::{count, elements};
use super::{Encode, Input, Parse, Parsed, fail, put_section, section};
use crate::DecodeErrorKind;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Which protocol an address speaks (`entity_addr_t::type_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AddrType(pub u32);

impl AddrType {
    /// No address.
    pub const NONE: Self = Self(0);
    /// The first messenger protocol.
    pub const LEGACY: Self = Self(1);
    /// The second messenger protocol.
    pub const MSGR2: Self = Self(2);
    /// Either: how clients name themselves.
    pub const ANY: Self = Self(3);
    /// A network: the nonce holds the prefix length (range blocklist).
    pub const CIDR: Self = Self(4);
}

/// One address of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntityAddr {
    /// The protocol spoken there.
    pub kind: AddrType,
    /// Tells one process at an address from the next one there.
    pub nonce: u32,
    /// Where; `None` is Ceph's blank address.
    pub sock: Option<SocketAddr>,
}

impl EntityAddr {
    /// The host, whatever port, nonce and protocol; none if blank.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.sock.map(|sock| sock.ip())
    }

    fn parse_new(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, "entity_addr_t", 1, |i, _| {
            let (i, kind) = u32::parse(i)?;
            let (i, nonce) = u32::parse(i)?;
            let (i, len) = count(i)?;
            let (sockaddr, rest) = i.split_at(len);
            let sock = match sockaddr.split_first_chunk() {
                None if sockaddr.is_empty() => None,
                None => return fail(sockaddr, "address family", DecodeErrorKind::Truncated),
                Some((family, rest)) => parse_sockaddr(u16::from_le_bytes(*family), rest)?.1,
            };
            Ok((rest, Self { kind: AddrType(kind), nonce, sock }))
        })
    }

    /// The layout before `MSG_ADDR2`: the marker byte was the first of a u32 0, the family big endian.
    fn parse_legacy(i: Input<'_>) -> Parsed<'_, Self> {
        let Some((_zero, rest)) = i.split_first_chunk::<3>() else {
            return fail(i, "entity_addr_t", DecodeErrorKind::Truncated);
        };
        let (i, nonce) = u32::parse(rest)?;
        let Some((storage, rest)) = i.split_first_chunk::<128>() else {
            return fail(i, "sockaddr_storage", DecodeErrorKind::Truncated);
        };
        let (_, sock) = parse_sockaddr(u16::from_be_bytes([storage[0], storage[1]]), &storage[2..])?;
        let kind = if sock.is_some() { AddrType::LEGACY } else { AddrType::NONE };
        Ok((rest, Self { kind, nonce, sock }))
    }
}

/// Parses what follows the family in a C sockaddr.
fn parse_sockaddr(family: u16, i: Input<'_>) -> Parsed<'_, Option<SocketAddr>> {
    let truncated = |i| fail(i, "sockaddr", DecodeErrorKind::Truncated);
    let sock = match family {
        0 => return Ok((i, None)),
        AF_INET => {
            let Some((sin, _)) = i.split_first_chunk::<6>() else { return truncated(i) };
            let [p1, p0, a, b, c, d] = *sin;
            SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p1, p0])).into()
        }
        AF_INET6 => {
            let (Some((port, _)), Some(flow), Some(ip), Some(scope)) = (
                i.split_first_chunk::<2>(),
                i.get(2..6).and_then(|b| b.first_chunk()),
                i.get(6..22).and_then(|b| b.first_chunk::<16>()),
                i.get(22..26).and_then(|b| b.first_chunk()),
            ) else {
                return truncated(i);
            };
            SocketAddrV6::new(
                Ipv6Addr::from(*ip),
                u16::from_be_bytes(*port),
                u32::from_be_bytes(*flow),
                u32::from_le_bytes(*scope),
            )
            .into()
        }
        _ => return fail(i, "address family", DecodeErrorKind::Invalid),
    };
    Ok((i, Some(sock)))
}

impl Parse for EntityAddr {
    const WHAT: &'static str = "entity_addr_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, marker) = u8::parse(i)?;
        match marker {
            0 => Self::parse_legacy(rest),
            1 => Self::parse_new(rest),
            _ => fail(i, "entity_addr_t marker", DecodeErrorKind::Invalid),
        }
    }
}

impl Encode for EntityAddr {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        put_section(out, 1, 1, |out| {
            self.kind.0.encode(out);
            self.nonce.encode(out);
            match self.sock {
                // Current encoders write a blank address as 28 zero bytes.
                None => {
                    out.put_u32_le(28);
                    out.put_bytes(0, 28);
                }
                Some(SocketAddr::V4(v4)) => {
                    out.put_u32_le(16);
                    out.put_u16_le(AF_INET);
                    out.put_u16(v4.port());
                    out.put_slice(&v4.ip().octets());
                    out.put_bytes(0, 8);
                }
                Some(SocketAddr::V6(v6)) => {
                    out.put_u32_le(28);
                    out.put_u16_le(AF_INET6);
                    out.put_u16(v6.port());
                    out.put_u32(v6.flowinfo());
                    out.put_slice(&v6.ip().octets());
                    out.put_u32_le(v6.scope_id());
                }
            }
        });
    }
}

impl fmt::Display for EntityAddr {
    /// As Ceph prints addresses: `v2:127.0.0.1:6800/123`, a client's without protocol, `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            AddrType::NONE => return f.write_str("-"),
            AddrType::LEGACY => f.write_str("v1:")?,
            AddrType::MSGR2 => f.write_str("v2:")?,
            AddrType::CIDR => f.write_str("cidr:")?,
            _ => {}
        }
        match self.sock {
            None => f.write_str("-")?,
            Some(SocketAddr::V4(v4)) => write!(f, "{v4}")?,
            // Not `{v6}`: Ceph prints no scope.
            Some(SocketAddr::V6(v6)) => write!(f, "[{}]:{}", v6.ip(), v6.port())?,
        }
        write!(f, "/{}", self.nonce)
    }
}

/// All addresses of one entity, one for each protocol and address family it serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AddrVec(pub Vec<EntityAddr>);

impl AddrVec {
    /// The first address that speaks `kind`.
    #[must_use]
    pub fn find(&self, kind: AddrType) -> Option<&EntityAddr> {
        self.0.iter().find(|addr| addr.kind == kind && addr.sock.is_some())
    }
}

impl Parse for AddrVec {
    const WHAT: &'static str = "entity_addrvec_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, marker) = u8::parse(i)?;
        match marker {
            0 | 1 => {
                let (rest, addr) = EntityAddr::parse(i)?;
                Ok((rest, Self(alloc::vec![addr])))
            }
            2 => {
                let (rest, n) = count(rest)?;
                let (rest, list) = elements(rest, n)?;
                Ok((rest, Self(list)))
            }
            _ => fail(i, "entity_addrvec_t marker", DecodeErrorKind::Invalid),
        }
    }
}

impl Encode for AddrVec {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(2);
        self.0.encode(out);
    }
}

impl fmt::Display for AddrVec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (n, addr) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            write!(f, "{addr}")?;
        }
        f.write_str("]")
    }
}
