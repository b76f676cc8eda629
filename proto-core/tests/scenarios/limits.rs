//! Every bound: at it and one beyond.

use crate::support::{Sim, Who, config, object, secs, target, watching};
use bytes::{Buf, Bytes};
use linger_core::{Call, CommandError, ConnFault, Limits, ObjectRef, WatchOptions};
use linger_wire::frame::{Control, FrameError};
use linger_wire::msg::{Backoff, BackoffOp, MapMessage, Redirect};
use linger_wire::{HObject, Name, ObjectLocator};

fn too_long(what: &'static str, len: usize, max: usize) -> CommandError {
    CommandError::TooLong { what, len, max }
}

#[test]
fn payloads_and_contents() {
    let mut config = config(1);
    config.limits.payload_bytes = 10;
    config.limits.write_bytes = 20;
    let mut sim = Sim::new(config);
    sim.settle();
    let bytes = |len: usize| Bytes::from(vec![1; len]);
    let (now, obj) = (sim.now, object("obj"));
    assert!(sim.client.notify(now, obj.clone(), bytes(10), secs(1)).is_ok());
    let refused = sim.client.notify(now, obj.clone(), bytes(11), secs(1));
    assert_eq!(refused, Err(too_long("payload", 11, 10)));
    assert!(sim.client.call(now, obj.clone(), Call::WriteFull(bytes(20)), None).is_ok());
    let refused = sim.client.call(now, obj.clone(), Call::WriteFull(bytes(21)), None);
    assert_eq!(refused, Err(too_long("content", 21, 20)));

    let watch = sim.client.watch(now, obj.clone(), WatchOptions::default()).unwrap();
    sim.settle();
    let live = sim.live(watch);
    for (id, len) in [(71, 10), (72, 11)] {
        sim.notify(live.osd, live.cookie, id, b"");
        let token = sim.got(watch).token;
        let acked = sim.client.ack(sim.now, token, bytes(len));
        assert_eq!(acked, if len > 10 { Err(too_long("payload", 11, 10)) } else { Ok(()) });
        sim.settle();
    }
    assert_eq!(sim.count("ack"), 2, "a reply that is too long becomes an empty ack");
}

#[test]
fn names() {
    let mut sim = Sim::connected();
    let long = |len: usize| "n".repeat(len);
    let mut watch =
        |object: ObjectRef| sim.client.watch(sim.now, object, WatchOptions::default()).map(|_| ());
    assert_eq!(watch(object("")), Err(CommandError::NoName));
    for (at, beyond) in [
        (object(&long(2048)), object(&long(2049))),
        (object("a").key(long(2048).as_str()), object("a").key(long(2049).as_str())),
        (object("a").namespace(long(256).as_str()), object("a").namespace(long(257).as_str())),
    ] {
        assert_eq!(watch(at), Ok(()));
        assert!(matches!(watch(beyond), Err(CommandError::TooLong { .. })));
    }
}

#[test]
fn timeouts_of_watches() {
    let mut sim = Sim::connected();
    let mut watch = |timeout| {
        let opts = WatchOptions { timeout, ..WatchOptions::default() };
        sim.client.watch(sim.now, object("obj"), opts).is_ok()
    };
    assert!(watch(secs(3)) && watch(secs(86400)));
    assert!(!watch(secs(2)) && !watch(secs(86401)) && !watch(std::time::Duration::MAX));
}

#[test]
fn watches() {
    let mut config = config(1);
    config.limits.watches = 2;
    let mut sim = Sim::new(config);
    sim.settle();
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap());
    }
    let third = sim.client.watch(sim.now, object("obj"), WatchOptions::default());
    assert_eq!(third, Err(CommandError::TooManyWatches));
    sim.client.unwatch(sim.now, ids[0]).unwrap();
    sim.settle();
    assert!(sim.client.watch(sim.now, object("obj"), WatchOptions::default()).is_ok());
}

#[test]
fn backoffs() {
    let mut config = config(1);
    config.limits.backoffs = 3;
    let mut sim = Sim::new(config);
    sim.settle();
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(watch);
    let pgid = target(&sim.map, &object("obj")).pg;
    let osd = sim.primary(&object("obj"));
    let begin = HObject { pool: 1, ..HObject::min() };
    for id in [1, 2, 3, 3, 4] {
        assert_eq!(sim.faults(Who::Osd(osd)), []);
        let block =
            Backoff { pgid, epoch: 10, op: BackoffOp::Block, id, begin: begin.clone(), end: begin.clone() };
        sim.peer(Who::Osd(osd)).message(0, &block);
        sim.settle();
    }
    assert_eq!(sim.faults(Who::Osd(osd)), [ConnFault::Unexpected("number of backoffs")]);
    assert_eq!(sim.backoff_acks.len(), 4);
}

/// Longest name and namespace, as key, name and namespace of an object, and each one beyond.
fn lengths(limits: &Limits) -> [((usize, usize, usize), bool); 4] {
    let (name, nspace) = (limits.name_bytes, limits.namespace_bytes);
    [
        ((name, name, nspace), true),
        ((name + 1, 1, 1), false),
        ((1, name + 1, 1), false),
        ((1, 1, nspace + 1), false),
    ]
}

fn name(len: usize) -> Name {
    "n".repeat(len).as_str().into()
}

const LONG: ConnFault = ConnFault::Unexpected("length of an object's name");

#[test]
fn names_in_backoffs() {
    for ((key, oid, nspace), fits) in lengths(&Limits::default()) {
        let long =
            HObject { key: name(key), oid: name(oid), nspace: name(nspace), pool: 1, ..HObject::min() };
        for (begin, end) in [(long.clone(), HObject::min()), (HObject::min(), long)] {
            let (mut sim, _) = watching();
            let target = target(&sim.map, &object("obj"));
            let (pgid, osd) = (target.pg, Who::Osd(target.osd));
            let block = Backoff { pgid, epoch: 10, op: BackoffOp::Block, id: 1, begin, end };
            sim.peer(osd).message(0, &block);
            sim.settle();
            assert_eq!(sim.faults(osd), if fits { vec![] } else { vec![LONG] });
            assert_eq!(sim.backoff_acks.len(), usize::from(fits));
        }
    }
}

#[test]
fn names_in_redirects() {
    for ((key, oid, nspace), fits) in lengths(&Limits::default()) {
        let mut sim = Sim::connected();
        sim.hold = vec!["all"];
        let call = sim.client.call(sim.now, object("obj"), Call::Stat, None).unwrap();
        sim.settle();
        let first = sim.take("stat");
        let locator = ObjectLocator { pool: 1, key: name(key), nspace: name(nspace), hash: -1 };
        let redirect = Redirect { locator, object: name(oid) };
        sim.reply_with(&first, |reply| reply.redirect = Some(redirect));
        sim.settle();
        assert_eq!(sim.faults(Who::Osd(first.osd)), if fits { vec![] } else { vec![LONG] });
        sim.run(secs(1));
        let again = sim.take("stat");
        assert_eq!(again.op.oid, if fits { name(oid) } else { "obj".into() });
        sim.reply(&again, 0);
        sim.settle();
        assert!(sim.result(call).is_some());
    }
}

#[test]
fn frames_of_a_session() {
    let mut config = config(1);
    config.limits.front_bytes = 4000;
    let mut sim = Sim::new(config);
    sim.settle();
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    let live = sim.live(watch);
    // 42 bytes around the payload: layout and opcode, three numbers, two lengths, the notifier.
    let at: &'static [u8] = vec![1; 4000 - 42].leak();
    let beyond: &'static [u8] = vec![1; 4000 - 41].leak();
    sim.notify(live.osd, live.cookie, 71, at);
    assert_eq!(sim.got(watch).payload.len(), at.len());
    sim.notify(live.osd, live.cookie, 72, beyond);
    sim.quiet();
    let faults = sim.faults(Who::Osd(live.osd));
    assert!(matches!(faults[..], [ConnFault::Frame(FrameError::TooLong { .. })]), "{faults:?}");
}

#[test]
fn frames_of_a_handshake() {
    use crate::support::{Misdeed, Stage};
    let mut config = config(1);
    config.limits.handshake_bytes = 2000;
    let mut sim = Sim::new(config);
    let frame = Control::AuthReplyMore(Bytes::from(vec![0; 2000]));
    sim.misdeeds.insert((Who::Mon(0), Stage::AuthDone), Misdeed::Instead(frame));
    sim.run(secs(1));
    let faults = sim.faults(Who::Mon(0));
    assert!(matches!(faults[0], ConnFault::Frame(_)), "{faults:?}");
}

const MON: Who = Who::Mon(0);
const OUTBOX: usize = 2000;

/// A client whose monitor reads nothing, at epoch 10 of 11.
fn unread() -> Sim {
    let mut config = config(1);
    config.limits.outbox_bytes = OUTBOX;
    let mut sim = Sim::new(config);
    sim.settle();
    sim.stage(|_| {});
    sim.subscribed.clear();
    sim.peer(MON).stalled = true;
    sim
}

impl Sim {
    fn garbage(&mut self, epoch: u32, as_full: bool) {
        let maps = [(epoch, Bytes::from_static(b"garbage"))].into();
        let mut message =
            MapMessage { fsid: self.map.fsid, oldest: 1, newest: epoch, ..MapMessage::default() };
        *(if as_full { &mut message.fulls } else { &mut message.incrementals }) = maps;
        self.peer(MON).message(0, &message);
        self.settle();
    }

    fn unsent(&mut self) -> usize {
        let conn = self.conn_to(MON);
        self.client.outbox(conn).remaining()
    }

    /// The monitor reads again.
    fn read_on(&mut self) {
        let conn = self.conn_to(MON);
        self.peer(MON).stalled = false;
        while self.client.outbox(conn).has_remaining() {
            self.carry(conn);
            self.settle();
        }
    }
}

#[test]
fn a_full_map_is_asked_for_once_until_one_comes() {
    let mut sim = unread();
    sim.garbage(11, false);
    let once = sim.unsent();
    assert!(once > 0);
    for _ in 0..100 {
        sim.garbage(11, false);
    }
    assert_eq!(sim.unsent(), once);
    sim.read_on();
    assert_eq!(sim.subscribed, [(0, "osdmap".into(), 0, 0)]);
    assert_eq!(sim.client.osd_map().unwrap().epoch, 11);
    sim.update(|_| {});
    assert_eq!(sim.client.osd_map().unwrap().epoch, 12, "the subscription goes on");
}

#[test]
fn questions_to_a_monitor_that_reads_nothing() {
    let mut sim = unread();
    for epoch in 11..111 {
        // A full map of no use is an answer all the same: a newer one may be better.
        sim.garbage(epoch, false);
        sim.garbage(epoch, true);
    }
    // The last one is asked once there is room again.
    sim.garbage(111, false);
    let unsent = sim.unsent();
    assert!((OUTBOX..OUTBOX + 200).contains(&unsent), "{unsent} bytes wait");
    sim.read_on();
    assert_eq!(sim.client.osd_map().unwrap().epoch, 11);
    assert!(sim.subscribed.iter().all(|(_, name, ..)| name == "osdmap"));
    let starts: Vec<_> = sim.subscribed.iter().map(|(_, _, start, _)| *start).collect();
    assert_eq!(starts[..4], [0, 12, 0, 13], "a full one, or to be told of a newer one");
}

#[test]
fn a_question_that_found_no_room_is_asked_of_the_next_monitor() {
    let mut sim = unread();
    for epoch in 11..111 {
        sim.garbage(epoch, false);
        sim.garbage(epoch, true);
    }
    sim.garbage(111, false);
    sim.reset(MON);
    sim.run(secs(1));
    assert_eq!(sim.subscribed.iter().filter(|(_, name, ..)| name == "osdmap").count(), 1);
    assert_eq!(sim.client.osd_map().unwrap().epoch, 11);
}
