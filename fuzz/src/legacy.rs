//! Bytes of a connection over msgr1, cut at will.

use bytes::{Buf, BufMut, BytesMut};
use linger_wire::frame::{Chunks, Role};
use linger_wire::legacy::{
    ClientGreeting, LegacyError, Message, MessageFlags, Received, ServerGreeting, Stream, StreamLimits,
    emit_message,
};
use linger_wire::{Encode, EntityAddr};

/// What comes is for a server.
const SERVER: u8 = 1;
/// The stream lacks a greeting: one is put in front.
const GREETED: u8 = 2;
/// There are no requests and replies: all after the greeting is records.
const OPEN: u8 = 4;
/// The first request or reply is followed by a number, as after SEQ; without this by records.
const SEQ: u8 = 8;
/// Limits of a handshake.
const TIGHT: u8 = 16;
/// Checksums are put right, so that what is behind them is reached.
const REPAIR: u8 = 32;

/// The parts of a message record that have a fixed length.
const HEADER: usize = 53;
const FOOTER: usize = 21;

/// Any bytes in any pieces: no panic, the same things whatever the pieces, and each survives being sent again.
///
/// Input: a byte of flags, a count (of its low 4 bits), that many lengths of pieces, then the stream.
pub fn legacy_decode(data: &[u8]) {
    let [flags, count, rest @ ..] = data else { return };
    let Some((pieces, stream)) = rest.split_at_checked(usize::from(count & 15)) else { return };
    let mut stream = stream.to_vec();
    if flags & REPAIR != 0 {
        repair(&mut stream);
    }
    if flags & GREETED != 0 {
        stream.splice(0..0, greeting(*flags));
    }
    let whole = receive(&stream, &[], *flags);
    assert!(receive(&stream, pieces, *flags) == whole, "pieces make a difference");
    for received in &whole.0 {
        send_again(received, *flags);
    }
}

fn greeting(flags: u8) -> Vec<u8> {
    let own = EntityAddr::default();
    let greeting = match role(flags) {
        Role::Client => ServerGreeting { own, peer: own }.to_bytes(),
        Role::Server => ClientGreeting { own }.to_bytes(),
    };
    greeting.to_vec()
}

fn role(flags: u8) -> Role {
    if flags & SERVER != 0 { Role::Server } else { Role::Client }
}

fn receive(mut stream: &[u8], pieces: &[u8], flags: u8) -> (Vec<Received>, Option<LegacyError>) {
    let tight = StreamLimits { authorizer: 64, front: 256, middle: 0, data: 64 };
    let limits = if flags & TIGHT != 0 { tight } else { StreamLimits::default() };
    let mut end = Stream::new(role(flags), limits);
    let mut all = vec![];
    let mut pieces = pieces.iter().cycle();
    while !stream.is_empty() {
        let len = pieces.next().map_or(stream.len(), |&len| usize::from(len) + 1).min(stream.len());
        let (piece, rest) = stream.split_at(len);
        stream = rest;
        end.push(piece);
        loop {
            match end.pull() {
                Ok(Some(received)) => {
                    go_on(&mut end, &received, flags);
                    all.push(received);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(end.pull(), Err(error), "an error stays");
                    return (all, Some(error));
                }
            }
        }
    }
    (all, None)
}

/// Lets the stream be what the flags say after what was received.
fn go_on(end: &mut Stream, received: &Received, flags: u8) {
    match received {
        Received::ServerGreeting(_) | Received::ClientGreeting(_) if flags & OPEN != 0 => end.open(),
        Received::Connect(..) | Received::Reply(..) if flags & SEQ != 0 => end.expect_seq(),
        Received::Connect(..) | Received::Reply(..) => end.open(),
        _ => {}
    }
}

fn send_again(received: &Received, flags: u8) {
    let mut out = Chunks::new();
    // What stands before it decides how it is read.
    let flags = flags & SERVER | if matches!(received, Received::Seq(_)) { SEQ } else { OPEN };
    match received {
        Received::ServerGreeting(greeting) => greeting.encode(out.tail()),
        Received::ClientGreeting(greeting) => greeting.encode(out.tail()),
        Received::Message(message) => {
            // None of the messages that are written here has a middle, and all have checksums.
            if !message.middle.is_empty() || message.flags.has(MessageFlags::NO_CRC) {
                return;
            }
            return again(received, flags, |out| put_message(message, out));
        }
        Received::Record(record) => return again(received, flags, |out| record.encode(out.tail())),
        // Requests, replies and numbers: their values say all.
        Received::Connect(connect, _) => {
            assert_eq!(linger_wire::Decode::decode(&connect.to_bytes()), Ok(*connect));
            return;
        }
        Received::Reply(reply, _) => {
            assert_eq!(linger_wire::Decode::decode(&reply.to_bytes()), Ok(*reply));
            return;
        }
        _ => return,
    }
    let raw = out.copy_to_bytes(out.remaining());
    assert_eq!(receive(&raw, &[], flags), (vec![received.clone()], None));
}

/// A record survives being sent again, on a stream that is open.
fn again(received: &Received, flags: u8, put: impl FnOnce(&mut Chunks)) {
    let mut out = Chunks::new();
    out.tail().put_slice(&greeting(flags));
    put(&mut out);
    let raw = out.copy_to_bytes(out.remaining());
    let (all, error) = receive(&raw, &[], flags);
    assert_eq!((all.len(), error), (2, None));
    match (&all[1], received) {
        // The footer's unknown flags are not said again.
        (Received::Message(new), Received::Message(old)) => {
            assert_eq!((new.header, &new.front, &new.data), (old.header, &old.front, &old.data));
            assert_eq!((new.signed.0[4..]).to_vec(), old.signed.0[4..].to_vec());
        }
        (new, old) => assert_eq!(new, old),
    }
}

fn put_message(message: &Message, out: &mut Chunks) {
    let front = |out: &mut BytesMut| out.put_slice(&message.front);
    let signature = message.flags.has(MessageFlags::SIGNED).then_some(message.signature);
    emit_message(&message.header, front, message.data.clone(), |_| signature, out);
}

/// Writes the right checksums into whatever can be taken for message records.
fn repair(mut rest: &mut [u8]) {
    let crc = |bytes: &[u8]| !crc32c::crc32c_append(!0, bytes);
    while rest.len() > 1 + HEADER {
        let lens = [23, 27, 31].map(|at| (&rest[at..at + 4]).get_u32_le() as usize);
        let sum = crc(&rest[1..50]);
        rest[50..54].copy_from_slice(&sum.to_le_bytes());
        let mut at = 1 + HEADER;
        let mut sums = vec![];
        for len in lens {
            let Some(part) = rest.get(at..at.saturating_add(len)) else { return };
            sums.extend_from_slice(&crc(part).to_le_bytes());
            at += len;
        }
        let Some(footer) = rest.get_mut(at..at + FOOTER) else { return };
        footer[..sums.len()].copy_from_slice(&sums);
        footer[FOOTER - 1] |= MessageFlags::COMPLETE.0;
        rest = rest.get_mut(at + FOOTER..).unwrap_or_default();
    }
}
