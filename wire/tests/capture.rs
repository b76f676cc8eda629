//! A whole session of `rados watch` with an OSD of Ceph 16.2.15, as it was on the wire.
//!
//! The client watches an object, is notified, acknowledges, pings and unwatches; cephx, crc mode.
//! The files hold all bytes of one direction each.

use bytes::{Buf, BufMut, Bytes};
use linger_wire::frame::{
    Assembler, Banner, Chunks, Control, Frame, FrameLimits, Received, Tag, emit_control, emit_frame,
    emit_message,
};
use linger_wire::msg::{Kind, Msg};
use linger_wire::{Encode, EntityType};
use std::collections::BTreeMap;

mod support;
use support::{again, written};

const CLIENT: &[u8] = include_bytes!("data/osd-session.client");
const SERVER: &[u8] = include_bytes!("data/osd-session.server");

/// The frames of one direction; the banner and all lengths are checked on the way.
fn frames(raw: &[u8], piece: usize) -> Vec<Frame> {
    let mut assembler = Assembler::new(FrameLimits::default());
    let mut frames = vec![];
    let mut banners = 0;
    for piece in raw.chunks(piece) {
        assembler.push(piece);
        while let Some(received) = assembler.pull().expect("a valid stream") {
            match received {
                Received::Banner(banner) => {
                    assert_eq!(banner, Banner { supported: Banner::REVISION_1, required: 0 });
                    banners += 1;
                }
                Received::Frame(frame) => frames.push(frame),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(banners, 1);
    frames
}

/// The banner and `frames` as bytes.
fn sent(frames: &[Frame], mut emit: impl FnMut(&Frame, &mut Chunks)) -> Vec<u8> {
    let mut out = Chunks::new();
    Banner { supported: Banner::REVISION_1, required: 0 }.encode(out.tail());
    frames.iter().for_each(|frame| emit(frame, &mut out));
    out.copy_to_bytes(out.remaining()).to_vec()
}

#[test]
fn both_directions_are_understood_and_said_again_to_the_byte() {
    for raw in [CLIENT, SERVER] {
        let frames = frames(raw, raw.len());
        assert_eq!(sent(&frames, emit_frame), raw);
        let retold = sent(&frames, |frame, out| {
            if frame.tag == Tag::Message {
                let header = frame.header().expect("a message header");
                emit_message(&header, |front| front.put_slice(frame.front()), frame.data().clone(), out);
            } else {
                emit_control(&frame.control().expect("a control frame"), out);
            }
        });
        assert_eq!(retold, raw, "through the typed values");
        for piece in [1, 2, 31, 33, 1000] {
            assert_eq!(self::frames(raw, piece), frames, "in pieces of {piece}");
        }
    }
}

#[test]
fn the_session_is_the_one_that_was_held() {
    let names = |frames: &[Frame]| -> Vec<String> {
        let name = |frame: &Frame| match frame.header() {
            Ok(header) if frame.tag == Tag::Message => format!("{}", header.kind),
            _ => format!("{:?}", frame.tag),
        };
        frames.iter().map(name).collect()
    };
    let (client, server) = (frames(CLIENT, 64), frames(SERVER, 64));
    let [hello, request, more, signature, ident] =
        ["Hello", "AuthRequest", "AuthRequestMore", "AuthSignature", "ClientIdent"];
    assert_eq!(names(&client)[..5], [hello, request, more, signature, ident]);
    assert_eq!(names(&server)[..5], [hello, "AuthReplyMore", "AuthDone", signature, "ServerIdent"]);
    // MOSDOp, MPing and MOSDOpReply, MWatchNotify.
    assert!(names(&client)[5..].iter().all(|name| name == "42" || name == "2"), "{:?}", names(&client));
    assert!(names(&server)[5..].iter().all(|name| name == "43" || name == "44"), "{:?}", names(&server));

    let Ok(Control::Hello(hello)) = server[0].control() else { panic!() };
    assert_eq!(hello.entity_type, EntityType::OSD);
    let Ok(Control::ServerIdent(ident)) = server[4].control() else { panic!() };
    assert_eq!((ident.gid, ident.flags, ident.cookie), (1, 1, 0));
}

#[test]
fn every_message_is_understood_and_written_again() {
    let mut counts = BTreeMap::new();
    for raw in [CLIENT, SERVER] {
        for frame in frames(raw, raw.len()).iter().filter(|frame| frame.tag == Tag::Message) {
            let header = frame.header().expect("a message header");
            let (version, compat) = (header.version, header.compat_version);
            let message = Msg::decode(header.kind, version, compat, frame.front(), frame.data())
                .unwrap_or_else(|e| panic!("{}: {e}", header.kind));
            let (kind, (front, data)) = match &message {
                Msg::Ping => (Kind::PING, (Bytes::new(), Bytes::new())),
                Msg::OpRequest(m) => (Kind::OSD_OP, written(&again(m))),
                Msg::OpReply(m) => (Kind::OSD_OP_REPLY, written(m)),
                Msg::WatchNotify(m) => (Kind::WATCH_NOTIFY, written(m)),
                other => panic!("{other:?}"),
            };
            assert_eq!((kind.code, kind.version, kind.compat), (header.kind, version, compat));
            assert_eq!(front, frame.front(), "{message:?}");
            assert_eq!(data, frame.data(), "{message:?}");
            *counts.entry(kind.code).or_insert(0) += 1;
        }
    }
    assert!([2, 42, 43, 44].iter().all(|code| counts.contains_key(code)), "{counts:?}");
}
