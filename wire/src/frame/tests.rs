//! Frames against bytes of live clusters, and against every way to cut and to damage them.

use super::*;
use crate::{AddrType, AddrVec, Encode, EntityAddr, Features, UTime};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bytes::{Buf, BufMut, Bytes};
use core::net::SocketAddr;
use proptest::prelude::*;

mod secure;

/// Bytes of a hexadecimal dump; blanks and `|` group it.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const KEEPALIVE2: &str = "12 01 | 08000000 0800 | 000000000000 000000000000 000000000000 | 00 00 | d8d5f599
    d51c036b 0a6c6012 | 54b872eb";

const PING: &str = "11 01 | 29000000 0800 | 000000000000 000000000000 000000000000 | 0000 | af9604f0
    0300000000000000 0000000000000000 0200 7f00 0100 00000000 0000 0300000000000000 03 0100 0000 | 6abc22ad";

const SUBSCRIBE: &str = "11 02 | 29000000 0800 | 1d000000 0800 | 000000000000 000000000000 | 0000 | fb0c16b4
    0300000000000000 0000000000000000 0f00 7f00 0300 00000000 0000 0300000000000000 03 0100 0000 | 40889b55
    01000000 | 06000000 6d67726d6170 | 0000000000000000 | 00 | 02000000 766d
    0e | 2e60641e 00000000 00000000";

const CLIENT_IDENT: &str = "02 01000000 | 01 01 01 1c000000 03000000 45feb7a2 10000000 0200 0000 7f000001 0000000000000000
    01 01 01 1c000000 02000000 1fa1c465 10000000 0200 a042 7f000001 0000000000000000
    2610000000000000 | 0200000000000000 | fffffdffffff073f | 0010000000000008 | 0100000000000000 | 0000000000000000";

fn ping_header() -> MessageHeader {
    MessageHeader { seq: 3, ack_seq: 3, ..MessageHeader::new(2, 1, 1) }
}

/// An assembler that is past the banner.
fn open(limits: FrameLimits) -> Assembler {
    let mut assembler = Assembler::new(limits);
    assembler.push(&Banner::OURS.to_bytes());
    assert_eq!(assembler.pull(), Ok(Some(Received::Banner(Banner::OURS))));
    assembler
}

fn drain(assembler: &mut Assembler) -> (Vec<Received>, Option<FrameError>) {
    let mut all = vec![];
    loop {
        match assembler.pull() {
            Ok(Some(received)) => all.push(received),
            Ok(None) => return (all, None),
            Err(error) => {
                assert_eq!(assembler.pull(), Err(error), "an error stays");
                return (all, Some(error));
            }
        }
    }
}

/// What comes out of `bytes` behind a banner when they are pushed at once.
fn receive(bytes: &[u8]) -> (Vec<Received>, Option<FrameError>) {
    let mut assembler = open(FrameLimits::default());
    assembler.push(bytes);
    drain(&mut assembler)
}

fn one(bytes: &[u8]) -> Frame {
    match receive(bytes) {
        (mut all, None) if all.len() == 1 => match all.remove(0) {
            Received::Frame(frame) => frame,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn bytes_of(emit: impl FnOnce(&mut Chunks)) -> Bytes {
    let mut out = Chunks::new();
    emit(&mut out);
    out.copy_to_bytes(out.remaining())
}

#[test]
fn keepalive_as_sent_by_a_cluster() {
    let control = Control::Keepalive2(UTime { sec: 0x6b03_1cd5, nsec: 0x1260_6c0a });
    let raw = hex(KEEPALIVE2);
    assert_eq!(raw.len(), 44);
    assert_eq!(one(&raw).control(), Ok(control.clone()));
    assert_eq!(bytes_of(|out| emit_control(&control, out)), raw);
}

#[test]
fn message_of_a_header_only() {
    let raw = hex(PING);
    assert_eq!(raw.len(), 77);
    let frame = one(&raw);
    assert_eq!(frame.header(), Ok(ping_header()));
    assert!(frame.front().is_empty() && frame.data().is_empty());
    assert_eq!(bytes_of(|out| emit_message(&ping_header(), |_| (), Bytes::new(), out)), raw);
}

#[test]
fn message_with_a_front() {
    let raw = hex(SUBSCRIBE);
    let header = MessageHeader { seq: 3, ack_seq: 3, ..MessageHeader::new(15, 3, 1) };
    let frame = one(&raw);
    assert_eq!(frame.header(), Ok(header));
    assert_eq!(frame.front().len(), 29);
    assert_eq!(
        bytes_of(|out| emit_message(&header, |out| out.put_slice(frame.front()), Bytes::new(), out)),
        raw
    );
    assert_eq!(bytes_of(|out| emit_frame(&frame, out)), raw);
}

#[test]
fn client_ident_of_librados() {
    let addr = |kind, nonce: &str, sock: &str| EntityAddr {
        kind,
        nonce: hex(nonce).as_slice().get_u32_le(),
        sock: Some(sock.parse::<SocketAddr>().unwrap()),
    };
    let ident = Control::ClientIdent(ClientIdent {
        addrs: AddrVec(vec![addr(AddrType::ANY, "45feb7a2", "127.0.0.1:0")]),
        target: addr(AddrType::MSGR2, "1fa1c465", "127.0.0.1:41026"),
        gid: 4134,
        global_seq: 2,
        supported: Features(0x3f07_ffff_fffd_ffff),
        required: Features(0x0800_0000_0000_1000),
        flags: IDENT_LOSSY,
        cookie: 0,
    });
    let raw = hex(CLIENT_IDENT);
    assert_eq!(raw.len(), 123);
    assert_eq!(Control::decode(Tag::ClientIdent, &raw), Ok(ident.clone()));
    assert_eq!(ident.to_bytes(), raw);
}

/// One frame of every shape: control, empty control, and messages with each set of segments.
fn samples() -> Vec<Vec<u8>> {
    let large = Bytes::from((0..70_000u32).map(|n| n as u8).collect::<Vec<_>>());
    let message = |front: &'static [u8], middle: &'static [u8], data: Bytes| {
        let segments = [ping_header().to_bytes(), front.into(), middle.into(), data];
        bytes_of(|out| emit_frame(&Frame { tag: Tag::Message, segments }, out)).to_vec()
    };
    vec![
        hex(KEEPALIVE2),
        bytes_of(|out| emit_control(&Control::Wait, out)).to_vec(),
        hex(PING),
        hex(SUBSCRIBE),
        message(b"front", b"", Bytes::from_static(b"data")),
        message(b"", b"", large),
        message(b"", b"middle", Bytes::new()),
        message(b"front", b"middle", Bytes::from_static(b"data")),
    ]
}

#[test]
fn frames_pass_through_unchanged() {
    for raw in samples() {
        let frame = one(&raw);
        assert_eq!(bytes_of(|out| emit_frame(&frame, out)), raw, "{:?}", frame.tag);
        if frame.tag == Tag::Message && frame.segments[2].is_empty() {
            let header = frame.header().unwrap();
            let front = |out: &mut bytes::BytesMut| out.put_slice(frame.front());
            assert_eq!(bytes_of(|out| emit_message(&header, front, frame.data().clone(), out)), raw);
        }
    }
}

#[test]
fn wait_has_no_checksum_and_an_empty_segment_inside_has_the_seed() {
    let [_, wait, .., no_front, _, _] = &samples()[..] else { panic!() };
    assert_eq!(wait.len(), PREAMBLE_LEN);
    let epilogue = &no_front[no_front.len() - EPILOGUE_LEN..];
    assert_eq!(epilogue[1..9], [0xff; 8], "front and middle are there, but empty");
    let absent = hex(SUBSCRIBE);
    assert_eq!(absent[absent.len() - 8..], [0; 8], "middle and data are not there");
}

#[test]
fn each_byte_by_itself() {
    let raw = samples().concat();
    let (expected, None) = receive(&raw) else { panic!() };
    let mut assembler = open(FrameLimits::default());
    let mut all = vec![];
    for byte in &raw {
        assembler.push(&[*byte]);
        all.extend(assembler.pull().unwrap());
        assert_eq!(assembler.pull(), Ok(None), "one byte ends at most one frame");
    }
    assert!(all == expected && all.len() == samples().len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_chunking_gives_the_same(
        order in prop::collection::vec(0usize..8, 1..12),
        cuts in prop::collection::vec((0usize..100_000, any::<bool>()), 0..20),
        damage in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let samples = samples();
        let mut raw: Vec<u8> = order.iter().flat_map(|&n| samples[n].clone()).collect();
        if let Some(at) = damage {
            let at = at.index(raw.len());
            raw[at] ^= 4;
        }
        let expected = receive(&raw);
        let mut assembler = open(FrameLimits::default());
        let mut all = vec![];
        let mut rest = &raw[..];
        for (len, pull) in cuts {
            let (piece, after) = rest.split_at(len.min(rest.len()));
            assembler.push(piece);
            rest = after;
            if pull {
                all.extend(drain(&mut assembler).0);
            }
        }
        assembler.push(rest);
        let (last, error) = drain(&mut assembler);
        all.extend(last);
        prop_assert!((all, error) == expected);
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(raw: Vec<u8>) {
        receive(&raw);
        let mut assembler = Assembler::new(FrameLimits::default());
        assembler.push(&raw);
        drain(&mut assembler);
    }

    #[test]
    fn arbitrary_control_payloads_do_no_harm(payload: Vec<u8>) {
        for &tag in Tag::ALL {
            if let Ok(control) = Control::decode(tag, &payload) {
                let again = control.to_bytes();
                prop_assert_eq!(Control::decode(tag, &again), Ok(control));
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let [.., raw] = &samples()[..] else { panic!() };
    let epilogue = raw.len() - EPILOGUE_LEN;
    for bit in 0..raw.len() * 8 {
        let mut damaged = raw.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (all, error) = receive(&damaged);
        match bit / 8 {
            0..PREAMBLE_LEN => assert!(matches!(error, Some(FrameError::PreambleCrc { .. })), "bit {bit}"),
            // The upper half of the late status says nothing.
            at if at == epilogue && bit % 8 >= 4 => assert_eq!(all, receive(raw).0),
            at if at == epilogue => assert_eq!(error, Some(FrameError::LateStatus(0xe ^ 1 << (bit % 8)))),
            _ => assert!(matches!(error, Some(FrameError::SegmentCrc { .. })), "bit {bit}: {error:?}"),
        }
    }
}

/// A preamble with these bytes changed and the right checksum.
fn preamble(raw: &[u8], changes: &[(usize, u8)]) -> [u8; PREAMBLE_LEN] {
    let mut raw: [u8; PREAMBLE_LEN] = *raw.first_chunk().unwrap();
    for &(at, value) in changes {
        raw[at] = value;
    }
    let crc = crate::crc::crc32c(0, &raw[..28]);
    raw[28..].copy_from_slice(&crc.to_le_bytes());
    raw
}

#[test]
fn preambles_that_no_peer_sends() {
    let (control, message) = (hex(KEEPALIVE2), hex(SUBSCRIBE));
    let cases = [
        (&control, vec![(0, 0)], FrameError::UnknownTag(0)),
        (&control, vec![(0, 23)], FrameError::UnknownTag(23)),
        (&control, vec![(1, 0), (2, 0), (6, 0)], FrameError::SegmentCount(0)),
        (&control, vec![(1, 0)], FrameError::SegmentLayout),
        (&control, vec![(1, 2), (8, 1)], FrameError::SegmentCount(2)),
        (&control, vec![(8, 1)], FrameError::SegmentLayout),
        (&control, vec![(25, 1)], FrameError::SegmentLayout),
        (&control, vec![(26, 1)], FrameError::Compressed),
        (&control, vec![(26, 2)], FrameError::Flags(2)),
        (&control, vec![(27, 4)], FrameError::Flags(4)),
        (&message, vec![(1, 5)], FrameError::SegmentCount(5)),
        (&message, vec![(1, 3)], FrameError::SegmentLayout),
        (&message, vec![(2, 40)], FrameError::SegmentLayout),
        (&message, vec![(2, 42)], FrameError::SegmentLayout),
    ];
    for (raw, changes, error) in cases {
        assert_eq!(receive(&preamble(raw, &changes)), (vec![], Some(error)), "{changes:?}");
    }
    assert_eq!(receive(&preamble(&control, &[])), (vec![], None));
}

#[test]
fn lengths_are_refused_before_their_bytes_come() {
    let limits = FrameLimits { control: 1000, front: 2000, middle: 3000, data: 4000 };
    let message = |segment: usize, len: u32| {
        let mut lens = [41, 0, 0, 0];
        lens[segment] = len;
        Preamble::new(Tag::Message, lens)
    };
    let control = |len| Preamble::new(Tag::Hello, [len, 0, 0, 0]);
    for (segment, max, at, over) in [
        (0, 1000, control(1000), control(1001)),
        (1, 2000, message(1, 2000), message(1, 2001)),
        (2, 3000, message(2, 3000), message(2, 3001)),
        (3, 4000, message(3, 4000), message(3, u32::MAX)),
    ] {
        assert_eq!(Preamble::decode(&at.to_array(), &limits), Ok(at));
        let mut assembler = open(limits);
        assembler.push(&over.to_array());
        let len = over.lens()[usize::from(segment)];
        assert_eq!(assembler.pull(), Err(FrameError::TooLong { segment, len, max }));
    }
}

#[test]
fn limits_change_between_frames() {
    let mut assembler = open(FrameLimits::HANDSHAKE);
    assembler.push(&hex(KEEPALIVE2));
    assembler.push(&hex(SUBSCRIBE));
    assembler.push(&hex(SUBSCRIBE));
    assert!(matches!(assembler.pull(), Ok(Some(Received::Frame(_)))));
    assembler.set_limits(FrameLimits::default());
    assert!(matches!(assembler.pull(), Ok(Some(Received::Frame(_)))));
    assembler.set_limits(FrameLimits::HANDSHAKE);
    assert_eq!(assembler.pull(), Err(FrameError::TooLong { segment: 1, len: 29, max: 0 }));
}

#[test]
fn an_aborted_frame_is_not_delivered() {
    let mut raw = hex(SUBSCRIBE);
    let epilogue = raw.len() - EPILOGUE_LEN;
    raw[epilogue] = LATE_ABORTED;
    // A sender that gives up fills with whatever it has.
    raw[epilogue - 1] ^= 0xff;
    raw.extend(hex(PING));
    let (all, None) = receive(&raw) else { panic!() };
    assert!(
        matches!(&all[..], [Received::Aborted(Tag::Message), Received::Frame(frame)] if frame.front().is_empty())
    );
}

#[test]
fn transcript_is_what_was_taken_out() {
    let banner = Banner { supported: 3, required: 0 }.to_bytes();
    let handshake = [&banner[..], &hex(KEEPALIVE2), &hex(PING)].concat();
    let mut assembler = Assembler::new(FrameLimits::default());
    assembler.start_transcript(handshake.len());
    assembler.push(&handshake);
    assembler.push(&hex(SUBSCRIBE));
    for _ in 0..3 {
        assert!(matches!(assembler.pull(), Ok(Some(_))));
    }
    assert_eq!(assembler.take_transcript(), handshake);
    assert!(matches!(assembler.pull(), Ok(Some(Received::Frame(_)))), "nothing is counted any more");
    assert!(assembler.take_transcript().is_empty());

    let mut assembler = Assembler::new(FrameLimits::default());
    assembler.start_transcript(handshake.len() - 1);
    assembler.push(&handshake);
    assert_eq!(drain(&mut assembler).1, Some(FrameError::Transcript { max: handshake.len() - 1 }));
}

#[test]
fn a_peer_of_revision_0_is_named() {
    let mut assembler = Assembler::new(FrameLimits::HANDSHAKE);
    assembler.push(&Banner { supported: 0, required: 0 }.to_bytes());
    let Ok(Some(Received::Banner(peer))) = assembler.pull() else { panic!() };
    let error = Banner::OURS.accept(&peer).unwrap_err();
    assert_eq!(error.to_string(), "the peer speaks only msgr2 revision 0; revision 1 is needed");
}

#[test]
fn controls_survive_both_ways() {
    let addr = EntityAddr { kind: AddrType::MSGR2, nonce: 7, sock: Some("[::1]:3300".parse().unwrap()) };
    let addrs = AddrVec(vec![addr, EntityAddr { kind: AddrType::LEGACY, ..addr }]);
    let blob = Bytes::from_static(b"blob");
    let (method, stamp) = (AuthMethod::CEPHX, UTime { sec: 1, nsec: 2 });
    let (modes, (supported, required)) = (vec![ConMode::CRC, ConMode::SECURE], (Features(7), Features(3)));
    let all = [
        Control::Hello(Hello { entity_type: crate::EntityType::OSD, peer_addr: addr }),
        Control::AuthRequest(AuthRequest { method, preferred_modes: modes.clone(), payload: blob.clone() }),
        Control::AuthBadMethod(AuthBadMethod {
            method: AuthMethod::NONE,
            result: -95,
            allowed_methods: vec![method],
            allowed_modes: modes,
        }),
        Control::AuthReplyMore(blob.clone()),
        Control::AuthRequestMore(blob.clone()),
        Control::AuthDone(AuthDone { global_id: 4134, con_mode: ConMode::CRC, payload: blob }),
        Control::AuthSignature([9; 32]),
        Control::ClientIdent(ClientIdent {
            addrs: addrs.clone(),
            target: addr,
            gid: -1,
            global_seq: 5,
            supported,
            required,
            flags: IDENT_LOSSY,
            cookie: 8,
        }),
        Control::ServerIdent(ServerIdent {
            addrs: addrs.clone(),
            gid: 1,
            global_seq: 5,
            supported,
            required,
            flags: 0,
            cookie: 8,
        }),
        Control::IdentMissingFeatures(supported),
        Control::SessionReconnect(SessionReconnect {
            addrs,
            client_cookie: 1,
            server_cookie: 2,
            global_seq: 3,
            connect_seq: 4,
            msg_seq: 5,
        }),
        Control::SessionReset { full: true },
        Control::SessionRetry { connect_seq: 1 },
        Control::SessionRetryGlobal { global_seq: 2 },
        Control::SessionReconnectOk { msg_seq: 3 },
        Control::Wait,
        Control::Keepalive2(stamp),
        Control::Keepalive2Ack(stamp),
        Control::Ack { seq: 6 },
        Control::CompressionRequest { wanted: true, methods: vec![1, 2] },
        Control::CompressionDone { on: false, method: 0 },
    ];
    assert_eq!(all.len() + 1, Tag::ALL.len(), "each tag but that of messages");
    for control in all {
        let frame = one(&bytes_of(|out| emit_control(&control, out)));
        assert_eq!(frame.tag, control.tag());
        assert_eq!(frame.control(), Ok(control.clone()));
        let payload = &frame.segments[0];
        for len in 0..payload.len() {
            assert!(Control::decode(frame.tag, &payload[..len]).is_err(), "{control:?} of {len} bytes");
        }
    }
    assert!(Control::decode(Tag::Message, &[]).is_err());
}
