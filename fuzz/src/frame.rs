//! Bytes of a connection, cut at will.

mod secure;

pub use secure::ends_without_cipher;

use bytes::{Buf, BufMut, Bytes};
use linger_wire::frame::{
    Assembler, Banner, Chunks, Control, Emitter, Frame, FrameError, FrameLimits, PREAMBLE_LEN, Received, Tag,
};
use linger_wire::{Encode, features::Features};

/// The stream lacks a banner: ours is put in front.
const NO_BANNER: u8 = 1;
/// Checksums are put right, so that what is behind them is reached.
const REPAIR: u8 = 2;
/// Limits of a handshake.
const HANDSHAKE: u8 = 4;
/// All after the banner is in secure mode, under a cipher that takes everything.
const SECURE: u8 = 8;

/// Any bytes in any pieces: no panic, the same frames whatever the pieces, and each frame survives
/// being sent again.
///
/// Input: a byte of flags, a count (of its low 4 bits), that many lengths of pieces, then the stream.
pub fn frame_decode(data: &[u8]) {
    let [flags, count, rest @ ..] = data else { return };
    let Some((pieces, stream)) = rest.split_at_checked(usize::from(count & 15)) else { return };
    let mut stream = stream.to_vec();
    if flags & REPAIR != 0 {
        let frames = if flags & NO_BANNER == 0 { stream.get_mut(26..) } else { Some(&mut stream[..]) };
        let repair: fn(&mut [u8]) = if flags & SECURE == 0 { repair } else { secure::repair };
        repair(frames.unwrap_or_default());
    }
    if flags & NO_BANNER != 0 {
        stream.splice(0..0, Banner::OURS.to_bytes());
    }
    let limits = if flags & HANDSHAKE != 0 { FrameLimits::HANDSHAKE } else { FrameLimits::default() };

    let secure = flags & SECURE != 0;
    let whole = receive(&stream, &[], limits, secure);
    assert!(receive(&stream, pieces, limits, secure) == whole, "pieces make a difference");
    assert!(stream.starts_with(&whole.transcript), "the transcript is what was sent");
    for received in &whole.received {
        if let Received::Frame(frame) = received {
            send_again(frame, secure);
        }
    }
}

#[derive(PartialEq)]
struct Outcome {
    received: Vec<Received>,
    error: Option<FrameError>,
    transcript: Bytes,
}

fn receive(mut stream: &[u8], pieces: &[u8], limits: FrameLimits, secure: bool) -> Outcome {
    let mut assembler = Assembler::new(limits);
    assembler.start_transcript(1 << 20);
    let mut outcome = Outcome { received: vec![], error: None, transcript: Bytes::new() };
    let mut pieces = pieces.iter().cycle();
    while !stream.is_empty() && outcome.error.is_none() {
        let len = pieces.next().map_or(stream.len(), |&len| usize::from(len) + 1).min(stream.len());
        let (piece, rest) = stream.split_at(len);
        stream = rest;
        assembler.push(piece);
        loop {
            match assembler.pull() {
                Ok(Some(received)) => {
                    if secure && matches!(received, Received::Banner(_)) {
                        assembler.set_secure(ends_without_cipher().1);
                    }
                    outcome.received.push(received);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(assembler.pull(), Err(error), "an error stays");
                    outcome.error = Some(error);
                    break;
                }
            }
        }
    }
    outcome.transcript = assembler.take_transcript();
    outcome
}

fn send_again(frame: &Frame, secure: bool) {
    let resent = |emit: &dyn Fn(&mut Emitter, &mut Chunks) -> Result<(), FrameError>| resent(emit, secure);
    assert!(resent(&|to, out| to.frame(frame, out)) == *frame, "a frame changes when it is passed on");
    if frame.tag == Tag::Message {
        let header = frame.header().expect("the length was checked");
        let put_front = |out: &mut bytes::BytesMut| out.put_slice(frame.front());
        let again = resent(&|to, out| to.message(&header, put_front, frame.data().clone(), out));
        assert_eq!(again.header(), Ok(header));
        assert!(again.front() == frame.front() && again.data() == frame.data());
    } else if let Ok(control) = frame.control() {
        // A feature set is any bits, so this one shows that nothing is masked away.
        if let Control::IdentMissingFeatures(Features(bits)) = control {
            assert_eq!(frame.segments[0].clone().get_u64_le(), bits);
        }
        assert_eq!(resent(&|to, out| to.control(&control, out)).control(), Ok(control.clone()));
    }
}

/// The frame that comes out of what `emit` puts in.
fn resent(emit: &dyn Fn(&mut Emitter, &mut Chunks) -> Result<(), FrameError>, secure: bool) -> Frame {
    let (mut out, mut emitter) = (Chunks::new(), Emitter::new());
    Banner::OURS.encode(out.tail());
    if secure {
        emitter.set_secure(ends_without_cipher().0);
    }
    emit(&mut emitter, &mut out).expect("nonces are left");
    let raw = out.copy_to_bytes(out.remaining());
    let mut outcome = receive(&raw, &[], FrameLimits::default(), secure);
    assert_eq!((outcome.received.len(), outcome.error), (2, None));
    match outcome.received.remove(1) {
        Received::Frame(frame) => frame,
        other => panic!("{other:?}"),
    }
}

/// Writes the right checksums into whatever can be taken for frames.
fn repair(mut rest: &mut [u8]) {
    let put = |bytes: &mut [u8], at: usize, crc: u32| {
        if let Some(slot) = bytes.get_mut(at..at + 4) {
            slot.copy_from_slice(&crc.to_le_bytes());
        }
    };
    let crc = |seed: u32, bytes: &[u8]| !crc32c::crc32c_append(!seed, bytes);
    while rest.len() >= PREAMBLE_LEN {
        let lens = [2, 8, 14, 20].map(|at| (&rest[at..at + 4]).get_u32_le() as usize);
        let count = rest[1];
        let sum = crc(0, &rest[..28]);
        put(rest, 28, sum);
        let mut at = PREAMBLE_LEN;
        let mut crcs = [0; 4];
        for (n, len) in lens.into_iter().enumerate() {
            let Some(segment) = rest.get(at..at.saturating_add(len)) else { return };
            crcs[n] = crc(u32::MAX, segment);
            at += len;
            if n == 0 && len > 0 {
                put(rest, at, crcs[0]);
                at += 4;
            }
        }
        if count > 1 {
            (1..4).for_each(|n| put(rest, at + 4 * n - 3, crcs[n]));
            at += 13;
        }
        rest = rest.get_mut(at..).unwrap_or_default();
    }
}
