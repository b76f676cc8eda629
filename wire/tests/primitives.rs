//! Addresses, the order of objects, sections, and features.

use linger_wire::msg::WatcherList;
use linger_wire::{
    AddrType, AddrVec, Decode, DecodeErrorKind, Encode, EntityAddr, EntityName, Features, Fsid, HObject,
    Name, PgId, SNAP_HEAD, SpgId,
};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

mod support;
use support::hex;

fn addr(kind: AddrType, nonce: u32, sock: impl Into<SocketAddr>) -> EntityAddr {
    EntityAddr { kind, nonce, sock: Some(sock.into()) }
}

const LOOPBACK6: &str = "0000000000000000 0000000000000001";

#[test]
fn addresses_of_both_families() {
    let v4 = hex("01 | 01 01 1c000000 | 02000000 07000000 | 10000000 0200 1a90 7f000001 0000000000000000");
    let expected = addr(AddrType::MSGR2, 7, (Ipv4Addr::LOCALHOST, 6800));
    assert_eq!((EntityAddr::decode(&v4).unwrap(), expected.to_bytes()), (expected, v4));

    let v6 = hex(&format!(
        "01 | 01 01 28000000 | 01000000 07000000 | 1c000000 0a00 1a90 00000001 {LOOPBACK6} 02000000"
    ));
    let expected = addr(AddrType::LEGACY, 7, SocketAddrV6::new(Ipv6Addr::LOCALHOST, 6800, 1, 2));
    assert_eq!((EntityAddr::decode(&v6).unwrap(), expected.to_bytes()), (expected, v6));
}

#[test]
fn blank_addresses() {
    let zeros = "00000000 00000000 00000000 00000000 00000000 00000000 00000000";
    let blank = hex(&format!("01 | 01 01 28000000 | 00000000 00000000 | 1c000000 {zeros}"));
    assert_eq!(EntityAddr::decode(&blank).unwrap(), EntityAddr::default());
    assert_eq!(EntityAddr::default().to_bytes(), blank);
    // As encoders before Nautilus had it.
    let short = hex("01 | 01 01 0c000000 | 00000000 05000000 | 00000000");
    assert_eq!(EntityAddr::decode(&short).unwrap(), EntityAddr { nonce: 5, ..EntityAddr::default() });
}

#[test]
fn addresses_before_msgr2() {
    let legacy = |family: &str, rest: &str| {
        let mut bytes = hex(&format!("00000000 | 09000000 | {family} {rest}")).to_vec();
        bytes.resize(136, 0);
        bytes
    };
    let v4 = legacy("0002", "1a90 7f000001");
    let expected = addr(AddrType::LEGACY, 9, (Ipv4Addr::LOCALHOST, 6800));
    assert_eq!(EntityAddr::decode(&v4).unwrap(), expected);
    assert_eq!(EntityAddr::decode(&v4[..135]).unwrap_err().kind, DecodeErrorKind::Truncated);
    let v6 = legacy("000a", &format!("1a90 00000000 {LOOPBACK6}"));
    assert_eq!(EntityAddr::decode(&v6).unwrap(), addr(AddrType::LEGACY, 9, (Ipv6Addr::LOCALHOST, 6800)));
    let blank = legacy("0000", "");
    assert_eq!(EntityAddr::decode(&blank).unwrap(), EntityAddr { nonce: 9, ..EntityAddr::default() });
    // A single address of either layout is a list of one.
    assert_eq!(AddrVec::decode(&v4).unwrap(), AddrVec(vec![expected]));
    assert_eq!(AddrVec::decode(&expected.to_bytes()).unwrap(), AddrVec(vec![expected]));
}

#[test]
fn malformed_addresses() {
    for (bytes, what, kind) in [
        ("03", "entity_addr_t marker", DecodeErrorKind::Invalid),
        // Half a family, then a family nobody knows, then half an address.
        ("01 01 01 0d000000 02000000 00000000 01000000 02", "address family", DecodeErrorKind::Truncated),
        ("01 01 01 0e000000 02000000 00000000 02000000 0300", "address family", DecodeErrorKind::Invalid),
        ("01 01 01 10000000 02000000 00000000 04000000 02001a90", "sockaddr", DecodeErrorKind::Truncated),
        ("01 01 01 10000000 02000000 00000000 04000000 0a001a90", "sockaddr", DecodeErrorKind::Truncated),
        ("01 01 02 00000000", "entity_addr_t", DecodeErrorKind::TooNew { compat: 2, known: 1 }),
    ] {
        let error = EntityAddr::decode(&hex(bytes)).unwrap_err();
        assert_eq!((error.what, error.kind), (what, kind), "{bytes}");
    }
    assert_eq!(AddrVec::decode(&[3]).unwrap_err().what, "entity_addrvec_t marker");
}

#[test]
fn addresses_in_print() {
    let v4 = (Ipv4Addr::new(10, 1, 2, 0), 6800);
    let v6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 3300, 0, 3);
    let [first, second] = [addr(AddrType::LEGACY, 5, v4), addr(AddrType::MSGR2, 5, v6)];
    assert_eq!(first.to_string(), "v1:10.1.2.0:6800/5");
    assert_eq!(second.to_string(), "v2:[::1]:3300/5");
    assert_eq!(addr(AddrType::ANY, 5, v4).to_string(), "10.1.2.0:6800/5");
    assert_eq!(addr(AddrType::CIDR, 24, (v4.0, 0)).to_string(), "cidr:10.1.2.0:0/24");
    assert_eq!(EntityAddr { nonce: 5, ..EntityAddr::default() }.to_string(), "-");
    assert_eq!(AddrVec(vec![second, first]).to_string(), "[v2:[::1]:3300/5,v1:10.1.2.0:6800/5]");
}

#[test]
fn names_in_print() {
    assert_eq!(EntityName::client(4128).to_string(), "client.4128");
    assert_eq!(PgId { pool: 1, seed: 0x1f }.to_string(), "1.1f");
    let fsid = Fsid(core::array::from_fn(|n| n as u8));
    assert_eq!(fsid.to_string(), "00010203-0405-0607-0809-0a0b0c0d0e0f");
}

#[test]
fn the_address_of_a_protocol() {
    let blank = EntityAddr { kind: AddrType::MSGR2, ..EntityAddr::default() };
    let [first, second] =
        [AddrType::LEGACY, AddrType::MSGR2].map(|kind| addr(kind, 1, (Ipv4Addr::LOCALHOST, 1)));
    let addrs = AddrVec(vec![blank, first, second]);
    assert_eq!(addrs.find(AddrType::MSGR2), Some(&second));
    assert_eq!(addrs.find(AddrType::LEGACY), Some(&first));
    assert_eq!(addrs.find(AddrType::ANY), None);
}

/// Each object comes before all below it: `common/hobject.cc`, `cmp`.
#[test]
fn the_order_of_objects() {
    let object = |pool, hash, nspace: &str, key: &str, oid: &str, snap| HObject {
        key: key.into(),
        oid: oid.into(),
        snap,
        hash,
        max: false,
        nspace: nspace.into(),
        pool,
    };
    let table = [
        HObject::min(),
        object(-3, u32::MAX, "z", "", "z", SNAP_HEAD),
        object(1, 0, "", "", "z", 0),
        // The lowest bit weighs most: 0x8000_0000 is 1 reversed.
        object(1, 0x8000_0000, "", "", "a", 0),
        object(1, 6, "", "", "a", 0),
        object(1, 1, "", "", "a", 0),
        object(1, 7, "", "", "z", SNAP_HEAD),
        object(1, 7, "n", "", "a", 1),
        object(1, 7, "n", "", "a", SNAP_HEAD),
        // By key before the name; the name of an object without key is its key.
        object(1, 7, "n", "b", "a", 0),
        object(1, 7, "n", "", "b", 0),
        // Of no account in Ceph, whose clients drop such a key.
        object(1, 7, "n", "b", "b", 0),
        object(1, 7, "n", "b", "c", 0),
        object(1, 7, "n", "", "ba", 0),
        object(2, 0, "", "", "", 0),
        object(i64::MAX, u32::MAX, "z", "z", "z", u64::MAX),
        HObject { max: true, ..HObject::min() },
        HObject { max: true, ..object(1, 0, "", "", "", 0) },
    ];
    for (i, a) in table.iter().enumerate() {
        for (j, b) in table.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a:?} and {b:?}");
            assert_eq!(a.partial_cmp(b), Some(i.cmp(&j)));
        }
    }
}

#[test]
fn sections() {
    // A newer version that an old reader may read: what follows the known fields is skipped.
    let newer = hex("07 01 16000000 | 01 0100000000000000 06000000 ffffffff ff | cccccccc");
    let expected = SpgId { pg: PgId { pool: 1, seed: 6 }, shard: SpgId::NO_SHARD };
    assert_eq!(SpgId::decode(&newer).unwrap(), expected);
    // The same inside of another one.
    let list = hex("02 01 27000000 | 01000000 | 03 01 1d000000 |
        08 0100000000000000 | 0200000000000000 | 1e000000 | 0000000000000000");
    let error = WatcherList::decode(&list).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::Truncated, "{error}");

    let unreadable = hex("07 02 12000000 | 01 0100000000000000 06000000 ffffffff ff");
    let error = SpgId::decode(&unreadable).unwrap_err();
    assert_eq!((error.what, error.kind), ("spg_t", DecodeErrorKind::TooNew { compat: 2, known: 1 }));
    assert_eq!(error.to_string(), "spg_t at byte 0: needs version 2, known is 1");

    // The length binds: fields do not run over it, though there are bytes.
    let short = hex("01 01 11000000 | 01 0100000000000000 06000000 ffffffff ff");
    assert_eq!(SpgId::decode(&short).unwrap_err().offset, 6 + 17);
    let long = hex("01 01 13000000 | 01 0100000000000000 06000000 ffffffff ff");
    assert_eq!(SpgId::decode(&long).unwrap_err().kind, DecodeErrorKind::Truncated);

    let old = hex("03 03 00000000");
    let kind = DecodeErrorKind::TooOld { version: 3, oldest: 4 };
    assert_eq!(HObject::decode(&old).unwrap_err().kind, kind);
}

#[test]
fn counts_beyond_the_input() {
    for (bytes, offset) in [("02 ffffffff 00", 1), ("02 02000000 00", 1)] {
        let error = AddrVec::decode(&hex(bytes)).unwrap_err();
        assert_eq!((error.offset, error.kind), (offset, DecodeErrorKind::Truncated), "{bytes}");
    }
    assert_eq!(Name::decode(&hex("ffffffff 61")).unwrap_err().kind, DecodeErrorKind::Truncated);
}

/// The bits of `include/ceph_features.h`, and that a reused one counts with its markers only.
#[test]
fn features_of_all_incarnations() {
    const JEWEL: u64 = 1 << 57;
    const MIMIC: u64 = 1 << 28;
    for (feature, bit, markers) in [
        (Features::MSG_ADDR2, 59, 0),
        (Features::OBJECTLOCATOR, 8, 0),
        (Features::SERVER_LUMINOUS, 21, JEWEL),
        (Features::SERVER_MIMIC, 28, JEWEL),
        (Features::SERVER_SQUID, 49, JEWEL),
        (Features::SERVER_NAUTILUS, 2, JEWEL | MIMIC),
        (Features::SERVER_PACIFIC, 20, JEWEL | MIMIC),
        (Features::RANGE_BLOCKLIST, 34, JEWEL | MIMIC),
    ] {
        assert_eq!(feature.0, 1 << bit | markers);
        assert!(Features(u64::MAX).has(feature));
        for missing in (0..64).map(|bit| 1u64 << bit) {
            let present = feature.0 & missing == 0;
            assert_eq!(Features(!missing).has(feature), present, "bit {bit} without {missing:#x}");
        }
    }
    // What releases advertise.
    let [nautilus, pacific, reef, tentacle] =
        [0x3ffd_dff8_ffec_ffff, 0x3f01_cfbd_fffd_ffff, 0x3f01_cfbf_fffd_ffff, 0x3f07_ffff_fffd_ffff]
            .map(Features);
    assert!(nautilus.has(Features::SERVER_NAUTILUS) && !nautilus.has(Features::SERVER_PACIFIC));
    assert!(pacific.has(Features::SERVER_PACIFIC) && !pacific.has(Features::SERVER_QUINCY));
    assert!(reef.has(Features::SERVER_REEF) && !reef.has(Features::SERVER_TENTACLE));
    assert!(tentacle.has(Features::SERVER_TENTACLE) && tentacle.has(Features::CRUSH_MSR));
    assert_eq!(tentacle.missing_in(reef), Features(tentacle.0 & !reef.0));
    assert!(!(pacific & tentacle).has(Features::SERVER_QUINCY));
    // Not a mark of Reef: the bit had another meaning before, and was set beside the markers.
    assert!([nautilus, pacific].iter().all(|older| older.has(Features::SERVER_REEF)));
}
