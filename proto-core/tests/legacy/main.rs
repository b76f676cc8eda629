//! msgr1: from the first byte to a watch that is live, and every way in which that can go wrong.

#[path = "../scenarios/support/map.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod map;
#[path = "../auth/server.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod server;
mod world;

use linger_core::auth::{AuthError, AuthMethod, AuthName, ConMode, Credentials, CryptoKey, KeyType};
use linger_core::{
    Config, ConfigError, ConnFault, Event, FEATURES, LinkMode, LossCause, REQUIRED, WatchError, WatchEvent,
};
use linger_wire::legacy::{ConnectReply, LegacyError, Record, ReplyTag, ServerGreeting};
use linger_wire::{EntityAddr, Features, UTime};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use world::{Bend, Who, World, mon_addr, reply, secs, without};

const BOTH: &[ConMode] = &[ConMode::Secure, ConMode::Crc];
const CEPHX: &[AuthMethod] = &[AuthMethod::Cephx];
const KINDS: [Option<KeyType>; 3] = [Some(KeyType::Aes), Some(KeyType::Aes256k), None];

fn key(kind: KeyType, seed: u8) -> CryptoKey {
    CryptoKey::new(kind, UTime::default(), &vec![seed; kind.secret_len().unwrap()]).unwrap()
}

fn admin(key: Option<CryptoKey>) -> Credentials {
    Credentials { name: AuthName::client("admin"), key }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn any(_: &mut Config) {}

/// Whichever OSD has the object.
fn osd() -> Who {
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
    world.watch(secs(1));
    *world.dials.iter().find(|who| **who != Who::Mon).expect("an OSD was dialled")
}

/// The first fault that is told of one that misbehaves, and how often it was dialled in 12 seconds.
fn fault(who: Who, bend: &Bend) -> (ConnFault, usize) {
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
    world.bends.insert(who, bend.clone());
    world.watch(secs(12));
    assert!(!world.is_live(), "{bend:?}");
    let mut faults = world.events.iter().filter_map(|event| match event {
        Event::MonFault { fault, .. } if who == Who::Mon => Some(fault.clone()),
        Event::OsdFault { osd, fault, .. } if who == Who::Osd(*osd) => Some(fault.clone()),
        _ => None,
    });
    let fault = faults.next().unwrap_or_else(|| panic!("no fault of {bend:?}"));
    let dials = world.dials.iter().filter(|dialled| **dialled == who).count();
    world.bends.clear();
    world.run(secs(31));
    assert!(world.is_live(), "{bend:?}: {:?}", world.news);
    (fault, dials)
}

#[test]
fn a_watch_goes_live_and_its_peers_are_shown() {
    for kind in KINDS {
        let mut world = World::new(kind, usize::MAX, any);
        world.watch(secs(1));
        assert!(world.is_live(), "{kind:?}: {:?} {:?}", world.news, world.events);
        let modes: Vec<_> = world
            .events
            .iter()
            .filter_map(|event| match event {
                Event::MonUp { mode, .. } | Event::OsdUp { mode, .. } => Some(*mode),
                _ => None,
            })
            .collect();
        assert_eq!(modes, [LinkMode::V1; 2]);
        assert_eq!(world.dials.len(), 2, "{:?}", world.dials);
        assert_eq!(world.signed.is_empty(), kind.is_none());
        assert!(world.signed.iter().all(|signed| *signed));
        let acked =
            |who| world.records.iter().any(|(by, record)| *by == who && matches!(record, Record::Ack(101..)));
        assert!(acked(Who::Mon) && acked(world.dials[1]), "{:?}", world.records);
    }
}

#[test]
fn any_chunking_gives_the_same_outputs_and_bytes() {
    for kind in KINDS {
        let log = |piece| {
            let mut world = World::new(kind, piece, any);
            world.watch(secs(20));
            world.log
        };
        let whole = log(usize::MAX);
        assert!(whole.len() > 20);
        for piece in [1, 7, 300] {
            assert_eq!(log(piece), whole, "in pieces of {piece}");
        }
    }
}

#[test]
fn being_let_in_without_a_number_is_as_good() {
    for who in [Who::Mon, osd()] {
        let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
        world.bends.insert(who, Bend::Ready);
        world.watch(secs(1));
        assert!(world.is_live(), "{who:?}: {:?}", world.events);
    }
}

#[test]
fn a_server_that_saw_a_newer_connection_is_asked_again_with_a_larger_number() {
    for who in [Who::Mon, osd()] {
        let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
        world
            .bends
            .insert(who, Bend::Reply(ConnectReply { global_seq: 70, ..reply(ReplyTag::RETRY_GLOBAL) }));
        world.watch(secs(1));
        assert!(world.is_live(), "{who:?}");
        let numbers: Vec<_> =
            world.connects.iter().filter(|(by, _)| *by == who).map(|(_, c)| c.global_seq).collect();
        assert_eq!(numbers[..2], [numbers[0], 71]);
        assert!(numbers[0] < 70, "{numbers:?}");
    }
}

#[test]
fn what_a_server_says_against_a_connection_is_named() {
    let version = |who| if who == Who::Mon { 15 } else { 24 };
    for who in [Who::Mon, osd()] {
        let told = |reply| fault(who, &Bend::Reply(reply)).0;
        let protocol = told(ConnectReply { protocol_version: 26, ..reply(ReplyTag::BAD_PROTOCOL) });
        assert_eq!(protocol, ConnFault::ProtocolVersion { ours: version(who), theirs: 26 });
        let new = Features(1 << 62);
        let lacks = told(ConnectReply { features: new.with(FEATURES), ..reply(ReplyTag::FEATURES) });
        assert_eq!(lacks, ConnFault::ClientLacks(new));
        for (tag, name) in [
            (ReplyTag::RESET_SESSION, "RESETSESSION"),
            (ReplyTag::RETRY_SESSION, "RETRY_SESSION"),
            (ReplyTag::WAIT, "WAIT"),
            (ReplyTag(99), "unknown reply to connect"),
        ] {
            assert_eq!(told(reply(tag)), ConnFault::Unexpected(name));
        }
        for needed in [Features::MSG_AUTH, Features::OSDREPLYMUX] {
            let lacks = told(ConnectReply { features: without(needed), ..reply(ReplyTag::SEQ) });
            assert_eq!(lacks, ConnFault::PeerLacks(needed));
            assert!(REQUIRED.has(needed) || needed == Features::MSG_AUTH);
        }
    }
    assert_eq!(
        fault(Who::Mon, &Bend::Reply(reply(ReplyTag::BAD_AUTHORIZER))).0,
        ConnFault::Unexpected("BADAUTHORIZER")
    );
}

/// As with msgr2: new tickets are tried, and if none is taken the caps are to blame.
#[test]
fn an_authorizer_that_is_refused_again_and_again_ends_the_watch() {
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
    world.bends.insert(osd(), Bend::Reply(reply(ReplyTag::BAD_AUTHORIZER)));
    world.watch(secs(12));
    let (method, key_type) = (AuthMethod::Cephx, Some(KeyType::Aes));
    let error = ConnFault::Auth(AuthError::Refused { method, key_type, errno: 13, resumed: false });
    assert!(world.drops.iter().all(|(_, why)| *why == error), "{:?}", world.drops);
    let [WatchEvent::Error(lost), WatchEvent::Closed] = world.news[..] else { panic!("{:?}", world.news) };
    assert_eq!(lost, WatchError { cause: LossCause::Denied, errno: Some(13) });
}

#[test]
fn another_server_than_the_one_dialled_is_noticed() {
    let peer = EntityAddr { sock: Some(([192, 0, 2, 1], 40000).into()), ..mon_addr() };
    let nonce = EntityAddr { nonce: 5, ..mon_addr() };
    let port = EntityAddr { sock: Some(([127, 0, 1, 1], 6790).into()), ..mon_addr() };
    for own in [nonce, port, EntityAddr::default()] {
        let (fault, _) = fault(Who::Mon, &Bend::Greeting(ServerGreeting { own, peer }));
        assert_eq!(fault, ConnFault::WrongAddress { found: own });
    }
    let blank = ServerGreeting { own: mon_addr(), peer: EntityAddr::default() };
    let (fault, _) = fault(Who::Mon, &Bend::Greeting(blank));
    assert_eq!(fault, ConnFault::Unexpected("blank address in a greeting"));
    // One that is bound to all addresses does not know which it is.
    let mut world = World::new(None, usize::MAX, any);
    let own = EntityAddr { sock: Some(([0, 0, 0, 0], 6789).into()), ..mon_addr() };
    world.bends.insert(Who::Mon, Bend::Greeting(ServerGreeting { own, peer }));
    world.watch(secs(1));
    assert!(world.is_live());
}

#[test]
fn garbage_is_a_fault_and_other_protocols_are_named() {
    for who in [Who::Mon, osd()] {
        let raw = |bytes: &[u8]| fault(who, &Bend::Raw(bytes.to_vec())).0;
        assert_eq!(raw(b"ceph v2\n\x10\0"), ConnFault::Legacy(LegacyError::Msgr2));
        assert_eq!(raw(&[0x5a; 64]), ConnFault::Legacy(LegacyError::NotCeph));
        assert_eq!(fault(who, &Bend::Seq(3)).0, ConnFault::Unexpected("number of an older session"));
        let long = ConnectReply { authorizer_len: u32::MAX, ..reply(ReplyTag::READY) };
        let mut greeted =
            linger_wire::Encode::to_bytes(&ServerGreeting { own: mon_addr(), peer: mon_addr() }).to_vec();
        greeted.extend_from_slice(&linger_wire::Encode::to_bytes(&long));
        if who == Who::Mon {
            let error = LegacyError::TooLong { part: "authorizer", len: u32::MAX, max: 64 << 10 };
            assert_eq!(raw(&greeted), ConnFault::Legacy(error));
        }
    }
}

#[test]
fn a_signature_that_is_wrong_or_missing_ends_the_connection() {
    for bend in [Bend::Forged, Bend::Unsigned] {
        let (fault, dials) = fault(osd(), &bend);
        assert_eq!(fault, ConnFault::BadSignature);
        assert!((3..40).contains(&dials), "{dials} dials in 12 s");
    }
}

#[test]
fn nothing_is_signed_or_asked_to_be_where_that_is_off() {
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, |config| config.sign_messages = false);
    let osd = osd();
    world.bends.insert(osd, Bend::Unsigned);
    world.watch(secs(1));
    assert!(world.is_live(), "{:?}", world.events);
    assert!(!world.signed.is_empty() && world.signed.iter().all(|signed| !signed));
}

#[test]
fn a_login_that_is_refused_says_why() {
    let refused = |errno| {
        let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
        world.bends.insert(Who::Mon, Bend::Refuse(errno));
        world.watch(secs(5));
        world.events.into_iter().find_map(|event| match event {
            Event::MonFault { fault: ConnFault::Auth(error), permanent: true, .. } => Some(error),
            _ => None,
        })
    };
    let (method, key_type) = (AuthMethod::Cephx, Some(KeyType::Aes));
    assert_eq!(refused(13), Some(AuthError::Refused { method, key_type, errno: 13, resumed: false }));
    let offered = vec![AuthMethod::Cephx, AuthMethod::None];
    assert_eq!(refused(95), Some(AuthError::MethodsRefused { offered, allowed: vec![] }));
}

#[test]
fn a_silent_peer_is_asked_and_then_left() {
    let who = osd();
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
    world.watch(secs(1));
    world.bends.insert(Who::Mon, Bend::Mute);
    world.run(secs(30));
    assert!(
        world.records.iter().any(|(by, record)| *by == Who::Mon && matches!(record, Record::Keepalive2(_)))
    );
    assert!(world.drops.contains(&(Who::Mon, ConnFault::KeepaliveTimeout)), "{:?}", world.drops);
    assert!(world.drops.iter().all(|(by, _)| *by != who));
}

#[test]
fn a_close_is_taken_as_one() {
    let who = osd();
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, any);
    world.bends.insert(who, Bend::Closes);
    world.watch(secs(1));
    assert!(world.drops.contains(&(who, ConnFault::Closed)), "{:?}", world.drops);
    world.bends.clear();
    world.run(secs(5));
    assert!(matches!(world.news.last(), Some(WatchEvent::Live(_))), "{:?}", world.news);
}

#[test]
fn where_only_secure_will_do_v1_is_not_dialled() {
    let mut world = World::new(Some(KeyType::Aes), usize::MAX, |config| config.modes = vec![ConMode::Secure]);
    world.watch(secs(5));
    assert!(world.dials.iter().all(|who| *who == Who::Mon), "{:?}", world.dials);
    let told = |event: &Event| matches!(event, Event::OsdFault { fault: ConnFault::OnlyV1, .. });
    assert!(world.events.iter().any(told), "{:?}", world.events);

    let mut config = Config::new(admin(Some(key(KeyType::Aes, 1))), Some("v1:127.0.0.1".parse().unwrap()));
    config.mon_modes = vec![ConMode::Secure];
    let (now, unix) = (linger_core::Timestamp::from_micros(0), linger_core::UnixTime(secs(1)));
    let refused = linger_core::Client::new(now, unix, config, [0; 32]).err();
    assert_eq!(refused, Some(ConfigError::NoV2Monitor));
}
