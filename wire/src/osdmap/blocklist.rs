//! Who is locked out: single clients, whole hosts, networks.
//!
//! Facts: `OSDMap::is_blocklisted` and `OSDMap::range_bits` in `osd/OSDMap.cc`.

use crate::primitives::Encode;
use crate::{AddrType, AddrVec, EntityAddr, UTime};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::net::IpAddr;

/// The cluster's blocklist. Entries are in force for as long as they are in the map: the monitors
/// take them out when their time is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blocklist {
    /// Addresses and until when they are locked out. An entry with port and nonce 0 is a whole host.
    pub entries: BTreeMap<EntityAddr, UTime>,
    /// Networks, of type [`AddrType::CIDR`] with the length of the prefix as nonce.
    pub ranges: BTreeMap<EntityAddr, UTime>,
}

impl Blocklist {
    /// Whether nobody is locked out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.ranges.is_empty()
    }

    /// Whether an entity that has these addresses is locked out.
    #[must_use]
    pub fn contains_any(&self, addrs: &AddrVec) -> bool {
        !self.is_empty() && addrs.0.iter().any(|addr| self.contains(addr))
    }

    /// Whether an entity at this address is locked out: it, its host, or its network.
    #[must_use]
    pub fn contains(&self, addr: &EntityAddr) -> bool {
        // Before Nautilus entries were of the first protocol, since then they are of no certain one.
        [AddrType::ANY, AddrType::LEGACY].into_iter().any(|kind| self.has(EntityAddr { kind, ..*addr }))
            || addr.ip().is_some_and(|ip| self.ranges.keys().any(|range| covers(range, ip)))
    }

    fn has(&self, addr: EntityAddr) -> bool {
        let host = addr.sock.map(|mut sock| {
            sock.set_port(0);
            EntityAddr { nonce: 0, sock: Some(sock), ..addr }
        });
        self.entries.contains_key(&addr) || host.is_some_and(|host| self.entries.contains_key(&host))
    }
}

/// Whether the network that `range` stands for has `ip` in it.
fn covers(range: &EntityAddr, ip: IpAddr) -> bool {
    let prefix = range.nonce;
    match (range.ip(), ip) {
        (Some(IpAddr::V4(net)), IpAddr::V4(ip)) => {
            let host_bits = 32u32.saturating_sub(prefix);
            (net.to_bits() ^ ip.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
        }
        (Some(IpAddr::V6(net)), IpAddr::V6(ip)) => {
            let host_bits = 128u32.saturating_sub(prefix);
            (net.to_bits() ^ ip.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

/// Appends addresses in the order of Ceph's maps: that of the bytes in memory.
pub(super) fn put_timed(out: &mut BytesMut, map: &BTreeMap<EntityAddr, UTime>) {
    let mut entries: Vec<(Bytes, &UTime)> =
        map.iter().map(|(addr, until)| (addr.to_bytes(), until)).collect();
    entries.sort_unstable();
    out.put_u32_le(entries.len() as u32);
    for (addr, until) in entries {
        out.put_slice(&addr);
        until.encode(out);
    }
}

/// As [`put_timed`], without times.
pub(super) fn put_addrs<'a>(out: &mut BytesMut, addrs: impl IntoIterator<Item = &'a EntityAddr>) {
    let mut addrs: Vec<Bytes> = addrs.into_iter().map(Encode::to_bytes).collect();
    addrs.sort_unstable();
    out.put_u32_le(addrs.len() as u32);
    for addr in addrs {
        out.put_slice(&addr);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(kind: AddrType, sock: &str, nonce: u32) -> EntityAddr {
        EntityAddr { kind, nonce, sock: Some(sock.parse().unwrap()) }
    }

    fn listed(entries: &[EntityAddr], ranges: &[EntityAddr]) -> Blocklist {
        let timed = |list: &[EntityAddr]| list.iter().map(|addr| (*addr, UTime::default())).collect();
        Blocklist { entries: timed(entries), ranges: timed(ranges) }
    }

    #[test]
    fn an_instance_is_listed_by_port_and_nonce_whatever_its_protocol() {
        let list = listed(&[addr(AddrType::ANY, "10.0.0.1:0", 77)], &[]);
        for kind in [AddrType::ANY, AddrType::MSGR2, AddrType::LEGACY] {
            assert!(list.contains(&addr(kind, "10.0.0.1:0", 77)));
        }
        assert!(!list.contains(&addr(AddrType::ANY, "10.0.0.1:0", 78)));
        assert!(!list.contains(&addr(AddrType::ANY, "10.0.0.2:0", 77)));
        assert!(!list.contains(&addr(AddrType::ANY, "10.0.0.1:6800", 77)));
        assert!(!list.contains(&EntityAddr::default()));
    }

    #[test]
    fn a_host_is_listed_by_port_and_nonce_zero() {
        let list = listed(&[addr(AddrType::ANY, "[fd00::1]:0", 0)], &[]);
        let me = AddrVec([addr(AddrType::MSGR2, "[fd00::1]:6800", 5)].into());
        assert!(list.contains_any(&me));
        assert!(!list.contains_any(&AddrVec::default()));
        assert!(!Blocklist::default().contains_any(&me));
    }

    #[test]
    fn networks_cover_their_prefix() {
        let cases = [
            ("10.1.2.0:0", 24, "10.1.2.9:4", true),
            ("10.1.2.0:0", 24, "10.1.3.9:4", false),
            ("10.1.2.3:0", 32, "10.1.2.3:4", true),
            ("10.1.2.3:0", 32, "10.1.2.2:4", false),
            ("0.0.0.0:0", 0, "10.1.2.2:4", true),
            ("0.0.0.0:0", 0, "[::1]:4", false),
            ("[fd00:1::]:0", 32, "[fd00:1:2::1]:4", true),
            ("[fd00:1::]:0", 65, "[fd00:1::8000:0:0:1]:4", false),
            ("[fd00:1::]:0", 128, "[fd00:1::]:4", true),
            ("[fd00:1::]:0", 127, "[fd00:1::2]:4", false),
            ("[::]:0", 0, "[fd00:1::2]:4", true),
        ];
        for (net, prefix, ip, covered) in cases {
            let list = listed(&[], &[addr(AddrType::CIDR, net, prefix)]);
            assert_eq!(list.contains(&addr(AddrType::ANY, ip, 1)), covered, "{net}/{prefix} {ip}");
        }
    }
}
