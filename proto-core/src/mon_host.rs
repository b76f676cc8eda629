//! The `mon_host` option: where the monitors are.
//!
//! Facts: `mon/MonMap.cc` (`init_with_ips`, `init_with_hosts`, `_add_ambiguous_addr`),
//! `common/ceph_argparse.cc` (`parse_ip_port_vec`), `msg/msg_types.cc` (`parse` of the addresses).
//!
//! Accepted beyond Ceph: host names with a `v1:` or `v2:` prefix or inside of brackets, blanks inside
//! of brackets, and a default port for each address of a list in brackets.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;
use linger_wire::AddrType;

/// The port monitors serve the second messenger protocol on.
pub const PORT_MSGR2: u16 = 3300;
/// The port monitors serve the first messenger protocol on.
pub const PORT_LEGACY: u16 = 6789;

/// The longest host name DNS knows, in bytes.
const HOST_MAX: usize = 253;

/// The monitors that `mon_host` names; at least one, in the order given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonHost(Vec<MonEndpoint>);

/// One monitor: the addresses that it has, at least one.
///
/// An address whose protocol was left open is two monitors, as with Ceph's own clients: one for the second
/// messenger protocol, and behind it one for the first, as nobody knows which of them is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonEndpoint(Vec<MonAddr>);

/// One address of a monitor. Protocol and port are settled: what the text leaves open became the
/// defaults, as several addresses where it may be either.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonAddr {
    /// A network address.
    Addr {
        /// The protocol spoken there: [`AddrType::MSGR2`] or [`AddrType::LEGACY`].
        kind: AddrType,
        /// Where; the port is not 0.
        sock: SocketAddr,
    },
    /// A name which the adapter resolves; each address it has is a candidate.
    Host {
        /// The protocol spoken there: [`AddrType::MSGR2`] or [`AddrType::LEGACY`].
        kind: AddrType,
        /// A DNS name or a name from the hosts file.
        host: String,
        /// The TCP port, not 0.
        port: u16,
    },
}

/// A `mon_host` that is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonHostError {
    /// The offending part of the text.
    pub part: String,
    /// What is wrong with it.
    pub kind: MonHostErrorKind,
}

/// The ways in which a `mon_host` can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MonHostErrorKind {
    /// No monitor is named.
    Empty,
    /// A bracket has no partner.
    Bracket,
    /// Neither an IP address nor a host name.
    Address,
    /// A port that is not a number up to 65535.
    Port,
    /// A nonce (the number after `/`) that is not a number of 32 bits.
    Nonce,
}

impl MonHost {
    /// The monitors, in the order given.
    #[must_use]
    pub fn endpoints(&self) -> &[MonEndpoint] {
        &self.0
    }

    /// The addresses of all monitors that may be dialled.
    pub fn candidates(&self) -> impl Iterator<Item = &MonAddr> {
        self.0.iter().flat_map(MonEndpoint::candidates)
    }
}

impl MonEndpoint {
    /// All addresses.
    #[must_use]
    pub fn addrs(&self) -> &[MonAddr] {
        &self.0
    }

    /// The addresses that may be dialled: those of the second messenger protocol, and without one all.
    pub fn candidates(&self) -> impl Iterator<Item = &MonAddr> {
        let any_v2 = self.0.iter().any(|addr| addr.kind() == AddrType::MSGR2);
        self.0.iter().filter(move |addr| addr.kind() == AddrType::MSGR2 || !any_v2)
    }
}

impl MonAddr {
    /// The protocol spoken there.
    #[must_use]
    pub fn kind(&self) -> AddrType {
        match self {
            Self::Addr { kind, .. } | Self::Host { kind, .. } => *kind,
        }
    }
}

impl FromStr for MonHost {
    type Err = MonHostError;

    fn from_str(text: &str) -> Result<Self, MonHostError> {
        let mut mons = Vec::new();
        for part in split(text)? {
            for endpoint in parse_endpoints(part)? {
                // Ceph skips an address that another monitor has.
                if !mons.contains(&endpoint) {
                    mons.push(endpoint);
                }
            }
        }
        if mons.is_empty() { Err(error(text, MonHostErrorKind::Empty)) } else { Ok(Self(mons)) }
    }
}

fn error(part: &str, kind: MonHostErrorKind) -> MonHostError {
    MonHostError { part: part.to_owned(), kind }
}

/// The parts between separators that are outside of brackets; never an empty one.
fn split(text: &str) -> Result<Vec<&str>, MonHostError> {
    let mut parts = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => {
                let Some(less) = depth.checked_sub(1) else {
                    return Err(error(text, MonHostErrorKind::Bracket));
                };
                depth = less;
            }
            _ if depth == 0 && is_separator(c) => {
                parts.push(text.get(start..at).unwrap_or_default());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts.retain(|part| !part.is_empty());
    if depth == 0 { Ok(parts) } else { Err(error(text, MonHostErrorKind::Bracket)) }
}

fn is_separator(c: char) -> bool {
    matches!(c, ',' | ';') || c.is_ascii_whitespace()
}

fn parse_endpoints(part: &str) -> Result<Vec<MonEndpoint>, MonHostError> {
    let inner = part.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match inner {
        // A list; `[::1]` and `[::1]:1,[::2]` are none.
        Some(inner) if inner.parse::<IpAddr>().is_err() && balanced(inner) => {
            let items = split(inner)?;
            let mut addrs = Vec::new();
            for item in items {
                parse_addr(item, false, &mut addrs)?;
            }
            if addrs.is_empty() {
                return Err(error(part, MonHostErrorKind::Empty));
            }
            Ok([MonEndpoint(addrs)].into())
        }
        _ => {
            let mut addrs = Vec::new();
            parse_addr(part, true, &mut addrs)?;
            Ok(addrs.into_iter().map(|addr| MonEndpoint([addr].into())).collect())
        }
    }
}

/// Whether no bracket closes before it opens.
fn balanced(text: &str) -> bool {
    let mut depth = 0_isize;
    text.chars().all(|c| {
        depth = depth.saturating_add(match c {
            '[' => 1,
            ']' => -1,
            _ => 0,
        });
        depth >= 0
    })
}

/// Parses one address. If its protocol is not stated, it is the second, or if it is `open` what the
/// port says, which may be both.
fn parse_addr(text: &str, open: bool, out: &mut Vec<MonAddr>) -> Result<(), MonHostError> {
    let (kind, rest) = match text.get(..3) {
        Some("v1:") => (Some(AddrType::LEGACY), text.get(3..).unwrap_or_default()),
        Some("v2:") => (Some(AddrType::MSGR2), text.get(3..).unwrap_or_default()),
        _ => (None, text.strip_prefix("any:").unwrap_or(text)),
    };
    let rest = match rest.split_once('/') {
        None => rest,
        Some((rest, nonce)) if nonce.parse::<u32>().is_ok() => rest,
        Some(_) => return Err(error(text, MonHostErrorKind::Nonce)),
    };
    let (place, port) = parse_place(text, rest)?;
    let mut push = |kind, default| {
        let port = port.unwrap_or(default);
        out.push(match &place {
            Place::Ip(ip) => MonAddr::Addr { kind, sock: SocketAddr::new(*ip, port) },
            Place::Host(host) => MonAddr::Host { kind, host: (*host).to_owned(), port },
        });
    };
    let v2 = match kind {
        Some(kind) => kind == AddrType::MSGR2,
        None => port != Some(PORT_LEGACY) || !open,
    };
    let v1 = match kind {
        Some(kind) => kind == AddrType::LEGACY,
        None => port != Some(PORT_MSGR2) && open,
    };
    if v2 {
        push(AddrType::MSGR2, PORT_MSGR2);
    }
    if v1 {
        push(AddrType::LEGACY, PORT_LEGACY);
    }
    Ok(())
}

enum Place<'a> {
    Ip(IpAddr),
    Host(&'a str),
}

/// Splits `ADDRESS[:PORT]`; port 0 counts as none. `whole` is what an error names.
fn parse_place<'a>(whole: &str, text: &'a str) -> Result<(Place<'a>, Option<u16>), MonHostError> {
    // Without brackets all colons belong to the address.
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((Place::Ip(ip.into()), None));
    }
    let (place, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let Some((ip, port)) = rest.split_once(']') else {
                return Err(error(whole, MonHostErrorKind::Bracket));
            };
            let Ok(ip) = ip.parse() else { return Err(error(whole, MonHostErrorKind::Address)) };
            let port = match port.strip_prefix(':') {
                Some(port) => Some(port),
                None if port.is_empty() => None,
                None => return Err(error(whole, MonHostErrorKind::Port)),
            };
            (Place::Ip(ip), port)
        }
        None => {
            let (name, port) = match text.rsplit_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (text, None),
            };
            match name.parse() {
                Ok(ip) => (Place::Ip(IpAddr::V4(ip)), port),
                Err(_) if is_host(name) => (Place::Host(name), port),
                Err(_) => return Err(error(whole, MonHostErrorKind::Address)),
            }
        }
    };
    let port = match port.map(str::parse) {
        None | Some(Ok(0)) => None,
        Some(Ok(port)) => Some(port),
        Some(Err(_)) => return Err(error(whole, MonHostErrorKind::Port)),
    };
    Ok((place, port))
}

/// Whether this may be a host name: not if it looks like a broken IPv4 address.
fn is_host(name: &str) -> bool {
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or_default();
    name.len() <= HOST_MAX
        && !name.starts_with(['-', '.'])
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        && last.bytes().any(|b| !b.is_ascii_digit())
}

impl fmt::Display for MonHost {
    /// As Ceph writes `mon_host`; parses to an equal value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, mon) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            write!(f, "{mon}")?;
        }
        Ok(())
    }
}

impl fmt::Display for MonEndpoint {
    /// `[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0]`, without the brackets if it is one address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [addr] = &self.0[..] {
            return write!(f, "{addr}");
        }
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

impl fmt::Display for MonAddr {
    /// `v2:10.0.0.1:3300/0` or `v2:mon1.example:3300/0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.kind() == AddrType::LEGACY { "v1:" } else { "v2:" })?;
        match self {
            Self::Addr { sock, .. } => write!(f, "{sock}/0"),
            Self::Host { host, port, .. } => write!(f, "{host}:{port}/0"),
        }
    }
}

impl fmt::Display for MonHostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        match self.kind {
            MonHostErrorKind::Empty => f.write_str("no monitor is named"),
            MonHostErrorKind::Bracket => write!(f, "'{part}' has a bracket without a partner"),
            MonHostErrorKind::Address => write!(f, "'{part}' is neither an IP address nor a host name"),
            MonHostErrorKind::Port => write!(f, "'{part}' has a port that is not a number up to 65535"),
            MonHostErrorKind::Nonce => write!(f, "'{part}' has a nonce (after the '/') that is no number"),
        }
    }
}

impl core::error::Error for MonHostError {}

#[cfg(test)]
mod tests;
