//! From the first byte to a session, and every way in which that can go wrong.

use crate::support::{Misdeed, Pieces, STAGES, Sim, Stage, Who, config, ident, millis, object, secs};
use linger_core::{Call, ConnFault, FEATURES, LossCause, OpError, WatchOptions};
use linger_wire::frame::{AuthBadMethod, AuthMethod, ConMode, Control, FrameError, Hello};
use linger_wire::{Encode, EntityAddr, EntityType, Features};

const MON: Who = Who::Mon(0);

/// A run with a watch, a notify to it and some time; what came out.
fn run(pieces: Pieces) -> Vec<String> {
    let mut sim = Sim::with_pieces(config(1), pieces);
    sim.settle();
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    let live = sim.live(watch);
    sim.notify(live.osd, live.cookie, 77, b"hello");
    let notify = sim.got(watch);
    sim.client.ack(sim.now, notify.token, (&b"ok"[..]).into()).unwrap();
    sim.run(secs(7));
    sim.reset(Who::Osd(live.osd));
    sim.run(secs(7));
    sim.log
}

#[test]
fn any_chunking_gives_the_same_outputs_and_bytes() {
    let whole = run(Pieces::Whole);
    assert!(whole.len() > 20);
    assert_eq!(run(Pieces::Whole), whole, "the same seed and inputs");
    for pieces in [Pieces::Single, Pieces::Random(1), Pieces::Random(2), Pieces::Random(3)] {
        assert_eq!(run(pieces), whole, "{pieces:?}");
    }
}

/// A server that misbehaves at a stage: the fault that is told, and that the client recovers.
fn fault_of(who: Who, stage: Stage, misdeed: &Misdeed) -> ConnFault {
    let mut sim = Sim::new(config(1));
    sim.misdeeds.insert((who, stage), misdeed.clone());
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    if let Who::Osd(osd) = who {
        sim.settle();
        assert_eq!(sim.primary(&object("obj")), osd);
    }
    sim.run(secs(12));
    let faults = sim.faults(who);
    assert!(sim.news.is_empty());
    let dials = sim.dials.iter().filter(|(_, dialled)| *dialled == who).count();
    assert!((2..40).contains(&dials), "{dials} dials in 12 s: {stage:?} {misdeed:?}");
    sim.misdeeds.clear();
    sim.run(secs(31));
    assert_eq!(sim.live(watch).generation, 0, "{stage:?} {misdeed:?}");
    faults.first().unwrap_or_else(|| panic!("no fault told: {stage:?} {misdeed:?}")).clone()
}

fn osd() -> Who {
    Who::Osd(Sim::new(config(1)).primary(&object("obj")))
}

#[test]
fn a_server_that_closes_at_any_step_is_tried_again() {
    for who in [MON, osd()] {
        for stage in STAGES {
            assert_eq!(fault_of(who, stage, &Misdeed::Close), ConnFault::Closed, "{who:?} {stage:?}");
        }
    }
}

#[test]
fn a_server_that_closes_every_session_is_not_dialled_without_end() {
    for who in [MON, osd()] {
        let mut sim = Sim::new(config(1));
        sim.misdeeds.insert((who, Stage::Session), Misdeed::Close);
        sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
        sim.run(secs(12));
        let dials = sim.dials.iter().filter(|(_, dialled)| *dialled == who).count();
        assert!((3..100).contains(&dials), "{who:?}: {dials} dials in 12 s");
    }
}

#[test]
fn a_session_that_lasted_is_dialled_again_at_once() {
    let (mut sim, _) = Sim::watching(WatchOptions::default());
    sim.run(secs(20));
    for who in [MON, osd()] {
        sim.reset(who);
        sim.run(secs(0));
        assert_eq!(sim.dials.last(), Some(&(sim.now, who)));
        assert!(sim.has_session(who));
    }
}

#[test]
fn a_silent_osd_has_ten_seconds() {
    for stage in STAGES {
        assert_eq!(fault_of(osd(), stage, &Misdeed::Silence), ConnFault::HandshakeTimeout, "{stage:?}");
    }
}

#[test]
fn a_silent_monitor_is_left_after_its_round() {
    for stage in STAGES {
        let mut sim = Sim::new(config(1));
        sim.misdeeds.insert((MON, stage), Misdeed::Silence);
        sim.run(millis(2900));
        assert_eq!(sim.dials.len(), 1);
        sim.misdeeds.clear();
        sim.run(millis(1000));
        assert!(sim.client.osd_map().is_some(), "{stage:?}");
    }
}

#[test]
fn garbage_at_any_step_is_a_fault() {
    for who in [MON, osd()] {
        for stage in STAGES {
            let fault = fault_of(who, stage, &Misdeed::Raw(vec![0x5a; 64]));
            assert!(matches!(fault, ConnFault::Frame(_)), "{who:?} {stage:?} {fault:?}");
        }
    }
}

#[test]
fn a_peer_of_revision_0_is_named() {
    let banner = linger_wire::frame::Banner { supported: 0, required: 0 }.to_bytes().to_vec();
    let fault = fault_of(osd(), Stage::Banner, &Misdeed::Raw(banner));
    assert_eq!(fault, ConnFault::Frame(FrameError::Revision0));
}

#[test]
fn another_daemon_than_was_dialled_is_refused() {
    let sock = Some(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    let hello = |entity_type| {
        Control::Hello(Hello { entity_type, peer_addr: EntityAddr { sock, ..Default::default() } })
    };
    let fault = fault_of(osd(), Stage::Hello, &Misdeed::Instead(hello(EntityType::MON)));
    assert_eq!(fault, ConnFault::WrongPeer { found: EntityType::MON, expected: EntityType::OSD });
    let fault = fault_of(MON, Stage::Hello, &Misdeed::Instead(hello(EntityType::OSD)));
    assert_eq!(fault, ConnFault::WrongPeer { found: EntityType::OSD, expected: EntityType::MON });
}

#[test]
fn missing_features_are_told_both_ways() {
    let bit = Features(1 << 55);
    for who in [MON, osd()] {
        let refusal = Misdeed::Instead(Control::IdentMissingFeatures(bit));
        assert_eq!(fault_of(who, Stage::Ident, &refusal), ConnFault::ClientLacks(bit));
        let needs = linger_wire::frame::ServerIdent { required: Features(FEATURES.0 | bit.0), ..ident() };
        let needs = Misdeed::Instead(Control::ServerIdent(needs));
        assert_eq!(fault_of(who, Stage::Ident, &needs), ConnFault::ClientLacks(bit));
        let old = Features(FEATURES.0 & !Features::OSDREPLYMUX.0);
        let old = linger_wire::frame::ServerIdent { supported: old, required: Features::NONE, ..ident() };
        let old = Misdeed::Instead(Control::ServerIdent(old));
        assert_eq!(fault_of(who, Stage::Ident, &old), ConnFault::PeerLacks(Features::OSDREPLYMUX));
    }
}

#[test]
fn frames_out_of_place_are_faults() {
    let wait = Misdeed::Before(vec![Control::Wait]);
    let reset = Misdeed::Before(vec![Control::SessionReset { full: true }]);
    for stage in [Stage::Hello, Stage::AuthDone, Stage::Signature, Stage::Ident] {
        for misdeed in [&wait, &reset] {
            let fault = fault_of(osd(), stage, misdeed);
            assert!(matches!(fault, ConnFault::Unexpected(_)), "{stage:?} {misdeed:?} {fault:?}");
        }
    }
}

#[test]
fn a_wrong_signature_is_refused() {
    for who in [MON, osd()] {
        let wrong = Misdeed::Instead(Control::AuthSignature([1; 32]));
        assert_eq!(fault_of(who, Stage::Signature, &wrong), ConnFault::BadSignature);
    }
}

fn refusal() -> Misdeed {
    let (method, result) = (AuthMethod::NONE, -13);
    let (allowed_methods, allowed_modes) = (vec![method], vec![ConMode::CRC]);
    Misdeed::Instead(Control::AuthBadMethod(AuthBadMethod { method, result, allowed_methods, allowed_modes }))
}

#[test]
fn a_client_that_no_osd_lets_in_is_denied() {
    let mut sim = Sim::new(config(1));
    sim.misdeeds.insert((osd(), Stage::AuthDone), refusal());
    sim.settle();
    let call = sim.call(object("obj"), Call::Stat);
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.run(millis(500));
    assert!(sim.result(call).is_none(), "one refusal may be an old ticket's");
    sim.run(secs(10));
    assert_eq!(sim.result(call), Some(Err(OpError::Errno(13))));
    let error = sim.error(watch);
    assert_eq!((error.cause, error.errno), (LossCause::Denied, Some(13)));
}

#[test]
fn a_client_that_an_osd_once_let_in_goes_on_trying() {
    let mut sim = Sim::new(config(1));
    sim.settle();
    let first = sim.call(object("obj"), Call::Stat);
    assert!(sim.result(first).is_some());
    sim.misdeeds.insert((osd(), Stage::AuthDone), refusal());
    sim.reset(osd());
    let call = sim.call(object("obj"), Call::Stat);
    sim.run(secs(60));
    assert!(sim.result(call).is_none() && sim.faults(osd()).len() > 4);
    sim.misdeeds.clear();
    sim.run(secs(16));
    assert_ne!(sim.result(call).unwrap(), Err(OpError::Errno(13)));
}

#[test]
fn compression_is_declined() {
    let mut sim = Sim::new(config(1));
    let ask = Control::CompressionRequest { wanted: true, methods: vec![1, 2] };
    sim.misdeeds.insert((MON, Stage::Ident), Misdeed::Before(vec![ask]));
    sim.settle();
    assert!(sim.client.osd_map().is_some());
    assert!(sim.client_controls.contains(&(MON, Control::CompressionDone { on: false, method: 0 })));
}

fn global_seqs(sim: &Sim) -> Vec<u64> {
    let seq = |(_, control): &(Who, Control)| match control {
        Control::ClientIdent(ident) => Some(ident.global_seq),
        _ => None,
    };
    sim.client_controls.iter().filter_map(seq).collect()
}

#[test]
fn a_higher_global_seq_is_taken_up_and_kept() {
    let mut sim = Sim::new(config(1));
    let retry = Control::SessionRetryGlobal { global_seq: 41 };
    sim.misdeeds.insert((MON, Stage::Ident), Misdeed::Instead(retry));
    sim.settle();
    assert!(sim.client.osd_map().is_some());
    assert_eq!(global_seqs(&sim), [1, 42]);
    sim.reset(MON);
    sim.run(secs(5));
    assert_eq!(global_seqs(&sim), [1, 42, 43], "each connection counts on");
}

#[test]
fn the_highest_global_seq_does_no_harm() {
    let mut sim = Sim::new(config(1));
    let retry = Control::SessionRetryGlobal { global_seq: u64::MAX };
    sim.misdeeds.insert((MON, Stage::Ident), Misdeed::Instead(retry));
    sim.settle();
    sim.reset(MON);
    sim.run(secs(5));
    assert!(sim.has_session(MON));
}
