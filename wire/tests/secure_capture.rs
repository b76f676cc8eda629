//! A whole session with an OSD of Ceph 20.2.4 in secure mode, as it was on the wire, and its connection
//! secret.
//!
//! The client watches an object, is notified by `rados`, acknowledges and unwatches; cephx with
//! aes256k. The files hold all bytes of one direction each.

use bytes::{Buf, Bytes};
use linger_wire::crypto::RustCrypto;
use linger_wire::frame::{
    Assembler, Banner, Chunks, ConMode, Control, Emitter, Frame, FrameError, FrameLimits, Opener, Received,
    Role, Sealer, Tag, secure,
};
use linger_wire::msg::Msg;
use linger_wire::{Encode, Features};

const CLIENT: &[u8] = include_bytes!("data/osd-secure.client");
const SERVER: &[u8] = include_bytes!("data/osd-secure.server");
const SECRET: &[u8] = include_bytes!("data/osd-secure.secret");

/// What one end seals and opens with.
fn ciphers(role: Role) -> (Sealer, Opener) {
    secure(SECRET, role, &RustCrypto).expect("a secret of Ceph's length")
}

/// The last frame in crc mode: what follows is sealed.
fn is_last_open(frame: &Frame, from: Role) -> bool {
    frame.tag == if from == Role::Client { Tag::AuthRequestMore } else { Tag::AuthDone }
}

/// The banner and the frames that one end sent, as the other receives them.
fn frames(raw: &[u8], from: Role, piece: usize) -> Result<(Banner, Vec<Frame>), FrameError> {
    let mut assembler = Assembler::new(FrameLimits::default());
    let (mut banner, mut frames) = (None, Vec::new());
    for piece in raw.chunks(piece) {
        assembler.push(piece);
        while let Some(received) = assembler.pull()? {
            match received {
                Received::Banner(received) => banner = Some(received),
                Received::Frame(frame) => {
                    if is_last_open(&frame, from) {
                        let other = if from == Role::Client { Role::Server } else { Role::Client };
                        assembler.set_secure(ciphers(other).1);
                    }
                    frames.push(frame);
                }
                other => panic!("{other:?}"),
            }
        }
    }
    Ok((banner.expect("a banner"), frames))
}

#[test]
fn both_directions_open_and_are_sealed_again_to_the_byte() {
    for (raw, from) in [(CLIENT, Role::Client), (SERVER, Role::Server)] {
        let (banner, all) = frames(raw, from, raw.len()).expect("a valid stream");
        let (mut out, mut emitter) = (Chunks::new(), Emitter::new());
        banner.encode(out.tail());
        for frame in &all {
            emitter.frame(frame, &mut out).expect("nonces are left");
            if is_last_open(frame, from) {
                emitter.set_secure(ciphers(from).0);
            }
        }
        assert_eq!(out.copy_to_bytes(out.remaining()), raw, "{from:?}");
        for piece in [1, 95, 96, 97, 1000] {
            assert_eq!(frames(raw, from, piece).expect("a valid stream").1, all, "{piece}");
        }
    }
}

#[test]
fn the_session_is_the_one_that_was_held() {
    let server = frames(SERVER, Role::Server, 64).expect("a valid stream").1;
    let done = server.iter().find(|frame| frame.tag == Tag::AuthDone).expect("AUTH_DONE");
    let Ok(Control::AuthDone(done)) = done.control() else { panic!() };
    assert_eq!(done.con_mode, ConMode::SECURE);
    let ident = server.iter().find(|frame| frame.tag == Tag::ServerIdent).expect("SERVER_IDENT");
    let Ok(Control::ServerIdent(ident)) = ident.control() else { panic!() };
    assert!(ident.supported.has(Features::SERVER_TENTACLE));

    let mut kinds = Vec::new();
    for (raw, from) in [(CLIENT, Role::Client), (SERVER, Role::Server)] {
        for frame in frames(raw, from, 64).expect("a valid stream").1 {
            let Ok(header) = frame.header() else { continue };
            if frame.tag != Tag::Message {
                continue;
            }
            let (version, compat) = (header.version, header.compat_version);
            let msg = Msg::decode(header.kind, version, compat, frame.front(), frame.data()).expect("known");
            if let Msg::WatchNotify(notify) = msg {
                assert_eq!(notify.payload, Bytes::from_static(b"\x0f\0\0\0hello from Ceph"));
            }
            kinds.push(header.kind);
        }
    }
    for kind in [42, 43, 44] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
}

#[test]
fn the_other_end_s_key_opens_nothing() {
    let mut assembler = Assembler::new(FrameLimits::default());
    assembler.push(SERVER);
    let error = loop {
        match assembler.pull() {
            Ok(Some(Received::Frame(frame))) if is_last_open(&frame, Role::Server) => {
                // What the server itself would open with.
                assembler.set_secure(ciphers(Role::Server).1);
            }
            Ok(Some(_)) => {}
            Ok(None) => panic!("opened"),
            Err(error) => break error,
        }
    };
    assert_eq!(error, FrameError::Forged);
}
