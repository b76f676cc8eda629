//! Messages as live clusters sent them, both ways.

use bytes::{Buf, BufMut, Bytes};
use linger_wire::frame::{
    Assembler, Banner, Chunks, Control, Frame, FrameLimits, Received, Tag, emit_control, emit_message,
};
use linger_wire::msg::{
    Backoff, BackoffOp, GetVersion, GetVersionReply, Kind, Message, Msg, NotifyAck, NotifyAcks, NotifyOpcode,
    Op, OpFlags, OpRequest, OpRequestRef, Subscribe, SubscribeItem, WatchNotify, WatchOp, Watcher, WatcherId,
    WatcherList,
};
use linger_wire::{
    AddrType, AddrVec, Decode, Encode, EntityAddr, EntityName, Features, HObject, Name, ObjectLocator, PgId,
    ReqId, SNAP_HEAD, SpgId, UTime,
};
use std::net::Ipv4Addr;

mod support;
use support::{again, hex, written};

const COOKIE: u64 = 0x55de_4d43_03e0;
const FEATURES: Features = Features(0x3f07_ffff_fffd_ffff);

/// The only frame in what a peer sent after its banner.
fn frame(bytes: &[u8]) -> Frame {
    let mut assembler = Assembler::new(FrameLimits::default());
    assembler.push(&Banner::OURS.to_bytes());
    assembler.push(bytes);
    assert!(matches!(assembler.pull(), Ok(Some(Received::Banner(_)))));
    let Ok(Some(Received::Frame(frame))) = assembler.pull() else { panic!("no frame") };
    assert_eq!(assembler.pull(), Ok(None));
    frame
}

fn sent(emit: impl FnOnce(&mut Chunks)) -> Bytes {
    let mut out = Chunks::new();
    emit(&mut out);
    out.copy_to_bytes(out.remaining())
}

/// The message in a frame, and that it is framed the same again.
fn message(bytes: &Bytes) -> Msg {
    let frame = frame(bytes);
    let header = frame.header().unwrap();
    let front = frame.front().clone();
    let again = sent(|out| emit_message(&header, |to| to.put_slice(&front), frame.data().clone(), out));
    assert_eq!(again, bytes);
    Msg::decode(header.kind, header.version, header.compat_version, &front, frame.data()).unwrap()
}

/// Decodes a message of the version that is written here.
fn decode<M: Message>(front: &Bytes, data: &Bytes) -> Msg {
    Msg::decode(M::KIND.code, M::KIND.version, M::KIND.compat, front, data).unwrap()
}

fn local(kind: AddrType, nonce: u32, port: u16) -> EntityAddr {
    EntityAddr { kind, nonce, sock: Some((Ipv4Addr::LOCALHOST, port).into()) }
}

#[test]
fn ping() {
    let bytes = hex("11 01 | 29000000 0800 | 000000000000 000000000000 000000000000 | 0000 | af9604f0
        0300000000000000 0000000000000000 0200 7f00 0100 00000000 0000 0300000000000000 03 0100 0000 | 6abc22ad");
    assert_eq!(message(&bytes), Msg::Ping);
}

#[test]
fn subscribe() {
    let front = "01000000 | 06000000 6d67726d6170 | 0000000000000000 | 00 | 02000000 766d";
    let bytes = hex(&format!(
        "11 02 | 29000000 0800 | 1d000000 0800 | 000000000000 000000000000 | 0000 | fb0c16b4
        0300000000000000 0000000000000000 0f00 7f00 0300 00000000 0000 0300000000000000 03 0100 0000 | 40889b55
        {front} | 0e | 2e60641e 00000000 00000000"
    ));
    let expected = Subscribe {
        what: [(Name::from("mgrmap"), SubscribeItem { start: 0, flags: 0 })].into(),
        hostname: Name::from("vm"),
    };
    assert_eq!(written(&expected).0, hex(front));
    assert_eq!(message(&bytes), Msg::Subscribe(expected));
}

#[test]
fn client_ident() {
    let bytes = hex("02 01000000 | 01 01 01 1c000000 03000000 45feb7a2 10000000 0200 0000 7f000001 0000000000000000
        01 01 01 1c000000 02000000 1fa1c465 10000000 0200 a042 7f000001 0000000000000000
        2610000000000000 | 0200000000000000 | fffffdffffff073f | 0010000000000008 | 0100000000000000 | 0000000000000000");
    let mut payload = bytes.clone();
    let addrs = AddrVec::decode(&payload).unwrap();
    assert_eq!(addrs, AddrVec(vec![local(AddrType::ANY, 0xa2b7_fe45, 0)]));
    payload.advance(addrs.to_bytes().len());
    let target = EntityAddr::decode(&payload).unwrap();
    assert_eq!(target, local(AddrType::MSGR2, 0x65c4_a11f, 41026));
    payload.advance(target.to_bytes().len());
    assert_eq!(payload.get_u64_le(), 4134);

    let plain =
        Frame { tag: Tag::ClientIdent, segments: [bytes.clone(), Bytes::new(), Bytes::new(), Bytes::new()] };
    let control = plain.control().unwrap();
    let Control::ClientIdent(ident) = &control else { panic!("{control:?}") };
    assert_eq!((&ident.addrs, ident.target, ident.gid), (&addrs, target, 4134));
    assert_eq!(frame(&sent(|out| emit_control(&control, out))).segments[0], bytes);
}

#[test]
fn hobject() {
    let bytes =
        hex("04 03 2d000000 | 04000000 6f6b6579 | 06000000 6f6e616d6532 | feffffffffffffff | 43000000 | 00 |
        02000000 6e31 | 0000000000000000");
    let object = HObject {
        key: "okey".into(),
        oid: "oname2".into(),
        snap: SNAP_HEAD,
        hash: 0x43,
        max: false,
        nspace: "n1".into(),
        pool: 0,
    };
    assert_eq!(object.to_bytes(), bytes);
    assert_eq!(HObject::decode(&bytes).unwrap(), object);
}

/// A request's front with this context, modification time, sub-operation and generation.
fn watch_front(otel: &str, mtime: &str, sub: &str, generation: &str) -> Bytes {
    hex(&format!(
        "01 01 12000000 | 01 0100000000000000 06000000 ffffffff | ff
        9e4fde84 | 0b000000 | 24004008
        02 02 15000000 | 00 0000000000000000 0000000000000000 00000000
        0000000000000000 0000000000000000 0000000000000000
        {otel}
        00000000 | {mtime}
        06 03 1c000000 | 0100000000000000 ffffffff 00000000 00000000 ffffffffffffffff
        05000000 76706f626a | 0100
        0f22 00000000 | e003434dde550000 0000000000000000 {sub} {generation} 00000000 000000 | 00000000
        feffffffffffffff | 0000000000000000 | 00000000 | 00000000 | fffffdffffff073f"
    ))
}

fn watch_request(mtime: UTime, op: WatchOp, generation: u32) -> OpRequest {
    OpRequest {
        pgid: SpgId { pg: PgId { pool: 1, seed: 6 }, shard: SpgId::NO_SHARD },
        hash: 0x84de_4f9e,
        epoch: 11,
        flags: OpFlags(0x0840_0024),
        reqid: ReqId::default(),
        mtime,
        locator: ObjectLocator { pool: 1, key: Name::default(), nspace: Name::default(), hash: -1 },
        oid: "vpobj".into(),
        ops: vec![Op::Watch { op, cookie: COOKIE, generation, timeout: 0 }],
        snapid: SNAP_HEAD,
        retry_attempt: 0,
        features: FEATURES,
    }
}

#[test]
fn watch_reconnect_and_ping_requests() {
    let now = UTime { sec: 0x6b03_1cd2, nsec: 0x12d7_17cf };
    let otel = "01 01 01000000 00";
    for (mtime, text, op, sub, generation, generation_text) in [
        (now, "d21c036b cf17d712", WatchOp::Watch, "03", 0, "00000000"),
        (now, "d21c036b cf17d712", WatchOp::Reconnect, "05", 1, "01000000"),
        (UTime::default(), "00000000 00000000", WatchOp::Ping, "07", 1, "01000000"),
    ] {
        let expected = watch_request(mtime, op, generation);
        let [newest, front] = [otel, ""].map(|otel| watch_front(otel, text, sub, generation_text));
        assert_eq!(newest.len(), 221);
        for (version, front) in [(9, &newest), (8, &front)] {
            let Kind { code, compat, .. } = Kind::OSD_OP;
            let decoded = Msg::decode(code, version, compat, front, &Bytes::new()).unwrap();
            assert_eq!(decoded, Msg::OpRequest(expected.clone()));
        }
        assert_eq!(written(&again(&expected)), (front, Bytes::new()));
    }
}

#[test]
fn notify_and_ack_inputs() {
    let payload = hex("08000000 68656c6c6f313233");
    let notify = Op::Notify { cookie: COOKIE, timeout: 10, payload: payload.clone() };
    let ack = Op::NotifyAck { notify_id: 0xb_0000_0000, cookie: COOKIE, reply: payload };
    for (op, input) in [
        (notify, "01000000 | 0a000000 | 0c000000 | 08000000 68656c6c6f313233"),
        (ack, "000000000b000000 | e003434dde550000 | 0c000000 | 08000000 68656c6c6f313233"),
    ] {
        let expected = OpRequest { ops: vec![op], ..watch_request(UTime::default(), WatchOp::Ping, 0) };
        let (front, data) = written(&again(&expected));
        assert_eq!(data, hex(input));
        assert_eq!(decode::<OpRequestRef<'_>>(&front, &data), Msg::OpRequest(expected));
    }
}

/// Checks a message about a watch both ways.
fn watch_notify(front: &str, data: &str, expected: &WatchNotify) {
    let (front, data) = (hex(front), hex(data));
    assert_eq!(written(expected), (front.clone(), data.clone()));
    assert_eq!(decode::<WatchNotify>(&front, &data), Msg::WatchNotify(expected.clone()));
}

#[test]
fn notify_complete_and_disconnect() {
    let notify = WatchNotify {
        opcode: NotifyOpcode::Notify,
        cookie: COOKIE,
        version: 1,
        notify_id: 0xb_0000_0000,
        payload: hex("08000000 68656c6c6f313233"),
        return_code: 0,
        notifier: 4134,
        reply: Bytes::new(),
    };
    watch_notify(
        "01 01 e003434dde550000 0100000000000000 000000000b000000 | 0c000000 0800000068656c6c6f313233 |
            00000000 | 2610000000000000",
        "",
        &notify,
    );
    let complete = WatchNotify {
        opcode: NotifyOpcode::Complete,
        cookie: 0x5623_fed0_3ee0,
        notify_id: 0x16_0000_0000,
        payload: Bytes::new(),
        return_code: -110,
        notifier: 4147,
        reply: hex("00000000 | 01000000 | 3010000000000000 00d8865afc550000"),
        ..notify.clone()
    };
    watch_notify(
        "01 02 e03ed0fe23560000 0100000000000000 0000000016000000 | 00000000 | 92ffffff | 3310000000000000",
        "00000000 | 01000000 | 3010000000000000 00d8865afc550000",
        &complete,
    );
    let disconnect = WatchNotify {
        opcode: NotifyOpcode::Disconnect,
        cookie: 0x55fc_5a86_d800,
        version: 0,
        notify_id: 0,
        payload: Bytes::new(),
        notifier: 0,
        ..notify
    };
    watch_notify(
        "01 03 00d8865afc550000 0000000000000000 0000000000000000 | 00000000 | 00000000 | 0000000000000000",
        "",
        &disconnect,
    );
}

/// A payload that is kept keeps at most twice its size.
#[test]
fn a_payload_does_not_keep_a_larger_message() {
    let notify = |len: usize| WatchNotify {
        opcode: NotifyOpcode::Notify,
        cookie: COOKIE,
        version: 1,
        notify_id: 1,
        payload: vec![7; len].into(),
        return_code: 0,
        notifier: 1,
        reply: Bytes::new(),
    };
    for (len, trailing, data, copied) in [
        (4096, 0, 0, true),
        (4097, 0, 0, false),
        (4097, 4000, 0, false),
        (4097, 5000, 0, true),
        (4097, 0, 5000, true),
        (100_000, 0, 50_000, false),
    ] {
        let (front, _) = written(&notify(len));
        let front = Bytes::from([&front[..], &vec![0; trailing]].concat());
        let Msg::WatchNotify(message) = decode::<WatchNotify>(&front, &vec![0; data].into()) else {
            panic!("another message");
        };
        assert_eq!(message.payload.len(), len);
        let within = front.as_ptr_range().contains(&message.payload.as_ptr());
        assert_eq!(!within, copied, "{len} in {} and {data}", front.len());
    }
}

#[test]
fn replies_and_misses_of_a_notify() {
    let ack = NotifyAck {
        watcher: WatcherId { client: 4128, cookie: COOKIE },
        reply: hex("08000000 68656c6c6f313233"),
    };
    let missed = WatcherId { client: 4144, cookie: 0x55fc_5a86_d800 };
    for (text, acks) in [
        (
            "01000000 | 2010000000000000 e003434dde550000 | 0c000000 0800000068656c6c6f313233 | 00000000",
            NotifyAcks { acks: vec![ack], missed: vec![] },
        ),
        (
            "00000000 | 01000000 | 3010000000000000 00d8865afc550000",
            NotifyAcks { acks: vec![], missed: vec![missed] },
        ),
        ("00000000 | 00000000", NotifyAcks::default()),
    ] {
        assert_eq!(acks.to_bytes(), hex(text));
        assert_eq!(NotifyAcks::decode(&hex(text)).unwrap(), acks);
    }
}

#[test]
fn watchers() {
    let watcher = Watcher {
        name: EntityName::client(4128),
        cookie: COOKIE,
        timeout: 30,
        addr: local(AddrType::ANY, 0xe989_9354, 0),
    };
    for (text, list) in [
        (
            "01 01 42000000 | 01000000 | 02 01 38000000 | 08 2010000000000000 | e003434dde550000 | 1e000000 |
                01 01 01 1c000000 03000000 549389e9 10000000 0200 0000 7f000001 0000000000000000",
            vec![watcher],
        ),
        ("01 01 04000000 00000000", vec![]),
    ] {
        let list = WatcherList(list);
        assert_eq!(list.to_bytes(), hex(text));
        assert_eq!(WatcherList::decode(&hex(text)).unwrap(), list);
    }
}

#[test]
fn backoff() {
    let bytes = |op: &str, epoch: &str| {
        hex(&format!(
            "01 01 12000000 01 0100000000000000 07000000 ffffffff ff | {epoch} | {op} | 0100000000000000
            04 03 21000000 00000000 00000000 0000000000000000 07000000 00 00000000 0100000000000000
            04 03 21000000 00000000 00000000 0000000000000000 00000000 01 00000000 0000000000000080"
        ))
    };
    for (op, code, epoch) in
        [(BackoffOp::Block, "01", 27), (BackoffOp::AckBlock, "02", 27), (BackoffOp::Unblock, "03", 28)]
    {
        let expected = Backoff {
            pgid: SpgId { pg: PgId { pool: 1, seed: 7 }, shard: SpgId::NO_SHARD },
            epoch,
            op,
            id: 1,
            begin: HObject { hash: 7, pool: 1, ..HObject::min() },
            end: HObject { max: true, ..HObject::min() },
        };
        let front = bytes(code, &format!("{epoch:x}000000"));
        assert_eq!(front.len(), 115);
        assert_eq!(written(&expected), (front.clone(), Bytes::new()));
        assert_eq!(decode::<Backoff>(&front, &Bytes::new()), Msg::Backoff(expected));
    }
}

#[test]
fn versions_of_maps() {
    let request = GetVersion { handle: 1, what: "osdmap".into() };
    let front = hex("0100000000000000 06000000 6f73646d6170");
    assert_eq!(written(&request).0, front);
    assert_eq!(decode::<GetVersion>(&front, &Bytes::new()), Msg::GetVersion(request));

    let reply = GetVersionReply { handle: 1, newest: 11, oldest: 1 };
    let front = hex("0100000000000000 0b00000000000000 0100000000000000");
    assert_eq!(written(&reply).0, front);
    assert_eq!(decode::<GetVersionReply>(&front, &Bytes::new()), Msg::GetVersionReply(reply));
}
