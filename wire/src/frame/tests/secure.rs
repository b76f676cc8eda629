//! Sealed frames, in any pieces and with any damage.

use super::*;
use crate::crypto::RustCrypto;

const SECRET: &[u8; 64] = b"0123456789abcdefNonce-for-X.Nonce-for-Y.and what nobody looks at";

/// Two ends of one connection, past the banner.
fn ends() -> (Emitter, Assembler) {
    let (sealer, _) = secure(SECRET, Role::Server, &RustCrypto).unwrap();
    let (_, opener) = secure(SECRET, Role::Client, &RustCrypto).unwrap();
    let mut emitter = Emitter::new();
    emitter.set_secure(sealer);
    let mut assembler = open(FrameLimits::default());
    assembler.set_secure(opener);
    (emitter, assembler)
}

fn message(lens: [usize; 3]) -> Frame {
    let [front, middle, data] = lens.map(|len| (0..len).map(|n| n as u8).collect());
    Frame { tag: Tag::Message, segments: [ping_header().to_bytes(), front, middle, data] }
}

fn sealed(frames: &[Frame]) -> Vec<u8> {
    let mut emitter = ends().0;
    bytes_of(|out| frames.iter().for_each(|frame| emitter.frame(frame, out).unwrap())).to_vec()
}

fn opened(raw: &[u8], piece: usize) -> (Vec<Received>, Option<FrameError>) {
    let mut assembler = ends().1;
    let mut all = vec![];
    for piece in raw.chunks(piece) {
        assembler.push(piece);
        let (received, error) = drain(&mut assembler);
        all.extend(received);
        if error.is_some() {
            return (all, error);
        }
    }
    (all, None)
}

#[test]
fn lengths_on_the_wire() {
    for (lens, expected) in [
        ([0, 0, 0], 96),
        ([1, 0, 0], 96 + 16 + 32),
        ([16, 0, 0], 96 + 16 + 32),
        ([17, 0, 0], 96 + 32 + 32),
        ([29, 0, 4096], 96 + 32 + 4096 + 32),
        ([0, 0, 5], 96 + 16 + 32),
        ([3, 3, 3], 96 + 48 + 32),
    ] {
        assert_eq!(sealed(&[message(lens)]).len(), expected, "{lens:?}");
    }
    // Of segment 0 alone, 48 bytes go with the preamble.
    for (len, expected) in [(0, 96), (1, 96), (48, 96), (49, 96 + 32), (64, 96 + 32), (65, 96 + 48)] {
        let payload = Bytes::from(vec![1; len]);
        let frame =
            Frame { tag: Tag::AuthDone, segments: [payload, Bytes::new(), Bytes::new(), Bytes::new()] };
        let raw = sealed(core::slice::from_ref(&frame));
        assert_eq!(raw.len(), expected, "{len}");
        assert_eq!(opened(&raw, 7), (vec![Received::Frame(frame)], None));
    }
}

#[test]
fn typed_and_passed_on_frames_are_the_same_bytes() {
    let idents = Control::decode(Tag::ClientIdent, &hex(CLIENT_IDENT)).unwrap();
    let (mut typed, _) = ends();
    let header = ping_header();
    let raw = bytes_of(|out| {
        typed.control(&idents, out).unwrap();
        typed.message(&header, |out| out.put_slice(&[1; 30]), Bytes::from(vec![2; 5000]), out).unwrap();
        typed.control(&Control::Wait, out).unwrap();
    });
    let (received, error) = opened(&raw, raw.len());
    assert_eq!(error, None);
    let frames: Vec<_> = received
        .into_iter()
        .map(|received| match received {
            Received::Frame(frame) => frame,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(frames[0].control(), Ok(idents));
    assert_eq!((frames[1].header(), frames[1].front().len(), frames[1].data().len()), (Ok(header), 30, 5000));
    assert_eq!(frames[2].control(), Ok(Control::Wait));
    assert_eq!(sealed(&frames), raw);
}

#[test]
fn a_replayed_dropped_or_reordered_frame_is_forged() {
    let ping = message([9, 0, 0]);
    let raw = sealed(&[ping.clone(), ping.clone()]);
    let (first, second) = raw.split_at(raw.len() / 2);
    let good = Received::Frame(ping);
    for (stream, before) in [
        ([first, first].concat(), vec![good.clone()]),
        ([second, first].concat(), vec![]),
        (second.to_vec(), vec![]),
        // In crc mode, as if the other side had forgotten.
        (hex(KEEPALIVE2).into_iter().chain([0; 52]).collect(), vec![]),
    ] {
        assert_eq!(opened(&stream, stream.len()), (before, Some(FrameError::Forged)));
    }
}

#[test]
fn nobody_opens_what_he_sealed_himself() {
    let (sealer, opener) = secure(SECRET, Role::Client, &RustCrypto).unwrap();
    let (mut emitter, mut assembler) = (Emitter::new(), open(FrameLimits::default()));
    emitter.set_secure(sealer);
    assembler.set_secure(opener);
    let raw = bytes_of(|out| emitter.control(&Control::Wait, out).unwrap());
    assembler.push(&raw);
    assert_eq!(assembler.pull(), Err(FrameError::Forged));
}

#[test]
fn limits_hold_before_the_body_comes() {
    let limits = FrameLimits { data: 100, ..FrameLimits::default() };
    for (len, fits) in [(100, true), (101, false)] {
        let raw = sealed(&[message([0, 0, len])]);
        let mut assembler = ends().1;
        assembler.set_limits(limits);
        assembler.push(&raw[..96]);
        let expected = FrameError::TooLong { segment: 3, len: len as u32, max: 100 };
        assert_eq!(assembler.pull(), if fits { Ok(None) } else { Err(expected) });
    }
}

#[test]
fn secure_mode_begins_with_the_next_frame() {
    let (mut emitter, _) = ends();
    let (_, opener) = secure(SECRET, Role::Client, &RustCrypto).unwrap();
    let mut raw = hex(KEEPALIVE2);
    raw.extend(bytes_of(|out| emitter.control(&Control::Wait, out).unwrap()));
    let mut assembler = open(FrameLimits::default());
    assembler.start_transcript(1000);
    assembler.push(&raw);
    assert!(matches!(assembler.pull(), Ok(Some(Received::Frame(frame))) if frame.tag == Tag::Keepalive2));
    assembler.set_secure(opener);
    assert!(matches!(assembler.pull(), Ok(Some(Received::Frame(frame))) if frame.tag == Tag::Wait));
    assert_eq!(assembler.take_transcript(), hex(KEEPALIVE2));
}

proptest! {
    #[test]
    fn frames_survive_in_any_pieces(
        lens in prop::collection::vec((0usize..200, 0usize..40, 0usize..9000), 1..6),
        piece in 1usize..4000,
    ) {
        let frames: Vec<_> = lens.into_iter().map(|(a, b, c)| message([a, b, c])).collect();
        let raw = sealed(&frames);
        let frames: Vec<_> = frames.into_iter().map(Received::Frame).collect();
        prop_assert_eq!(opened(&raw, piece), (frames, None));
    }

    #[test]
    fn any_changed_bit_is_noticed(
        lens in (0usize..60, 0usize..20, 0usize..60), at: prop::sample::Index, bit in 0u32..8,
    ) {
        let first = message([2, 0, 0]);
        let mut raw = sealed(&[first.clone(), message([lens.0, lens.1, lens.2])]);
        let start = sealed(core::slice::from_ref(&first)).len();
        let at = start + at.index(raw.len() - start);
        raw[at] ^= 1 << bit;
        let expected = (vec![Received::Frame(first)], Some(FrameError::Forged));
        prop_assert_eq!(opened(&raw, raw.len()), expected);
    }
}
