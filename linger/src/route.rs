//! Whether this machine has a way to an address.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// What to try if there is none. Nothing is sent to find out.
pub fn missing(to: SocketAddr) -> Option<String> {
    let why = look(to).err()?;
    let (family, other) = if to.is_ipv6() { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
    Some(format!(
        "there is no way from here to {family} address {}: {why}; check the network, or let the cluster have {other} \
         addresses, too (ms_bind_ipv4, ms_bind_ipv6)",
        to.ip()
    ))
}

/// Connecting a datagram socket asks for a route, and no more.
fn look(to: SocketAddr) -> io::Result<()> {
    let from: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(from)?.connect(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_way_to_oneself_and_none_without_a_scope() {
        assert_eq!(missing(([127, 0, 0, 1], 3300).into()), None);
        // A link-local address says nothing of the link.
        let nowhere = SocketAddr::from((Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 3300));
        let hint = missing(nowhere).unwrap();
        assert!(hint.contains("IPv6 address fe80::1: "), "{hint}");
    }
}
