//! Frames to bytes.

use super::{
    Chunks, Control, EPILOGUE_LEN, Frame, LATE_COMPLETE, MessageHeader, PREAMBLE_LEN, Preamble, SEGMENT_SEED,
    Tag,
};
use crate::Encode;
use crate::crc::crc32c;
use bytes::{BufMut, Bytes, BytesMut};

/// Appends a control frame.
pub fn emit_control(control: &Control, out: &mut Chunks) {
    let tail = out.tail();
    let start = reserve_preamble(tail);
    control.encode(tail);
    let len = (tail.len() - start - PREAMBLE_LEN) as u32;
    put_first_crc(tail, start);
    put_preamble(tail, start, &Preamble::new(control.tag(), [len, 0, 0, 0]));
}

/// Appends a message frame.
///
/// `front` appends the message's fields to the buffer it is given and may not touch what is there.
/// Nothing is allocated beyond the room in `out`; large `data` is not copied.
pub fn emit_message(
    header: &MessageHeader,
    front: impl FnOnce(&mut BytesMut),
    data: Bytes,
    out: &mut Chunks,
) {
    let tail = out.tail();
    let start = reserve_preamble(tail);
    header.encode(tail);
    put_first_crc(tail, start);
    let front_start = tail.len();
    front(tail);
    let front = &tail[front_start..];
    let lens = [MessageHeader::LEN as u32, front.len() as u32, 0, data.len() as u32];
    let preamble = Preamble::new(Tag::Message, lens);
    let crcs =
        [segment_crc(&preamble, 1, front), segment_crc(&preamble, 2, &[]), segment_crc(&preamble, 3, &data)];
    put_preamble(tail, start, &preamble);
    out.push(data);
    put_epilogue(&preamble, crcs, out);
}

/// Appends a frame as it was received, for whatever passes frames on.
pub fn emit_frame(frame: &Frame, out: &mut Chunks) {
    let lens = [0, 1, 2, 3].map(|n: usize| frame.segments[n].len() as u32);
    let preamble = Preamble::new(frame.tag, lens);
    let [first, front, middle, data] = &frame.segments;
    let tail = out.tail();
    tail.put_slice(&preamble.to_array());
    out.push(first.clone());
    if !first.is_empty() {
        out.tail().put_u32_le(crc32c(SEGMENT_SEED, first));
    }
    for segment in [front, middle, data] {
        out.push(segment.clone());
    }
    let crcs = [1, 2, 3].map(|n| segment_crc(&preamble, n, &frame.segments[n]));
    put_epilogue(&preamble, crcs, out);
}

/// Leaves room for a preamble and returns where.
fn reserve_preamble(tail: &mut BytesMut) -> usize {
    let start = tail.len();
    tail.put_bytes(0, PREAMBLE_LEN);
    start
}

fn put_preamble(tail: &mut BytesMut, start: usize, preamble: &Preamble) {
    tail[start..start + PREAMBLE_LEN].copy_from_slice(&preamble.to_array());
}

/// Appends the checksum of everything after the preamble at `start`; an empty segment 0 has none.
fn put_first_crc(tail: &mut BytesMut, start: usize) {
    let first = &tail[start + PREAMBLE_LEN..];
    if !first.is_empty() {
        let crc = crc32c(SEGMENT_SEED, first);
        tail.put_u32_le(crc);
    }
}

/// The checksum that the epilogue has for a segment: 0 for an absent one, the bare seed for an empty one.
fn segment_crc(preamble: &Preamble, n: usize, bytes: &[u8]) -> u32 {
    if n < preamble.segments() { crc32c(SEGMENT_SEED, bytes) } else { 0 }
}

fn put_epilogue(preamble: &Preamble, crcs: [u32; 3], out: &mut Chunks) {
    if preamble.segments() > 1 {
        let mut raw = [0; EPILOGUE_LEN];
        let mut fields = &mut raw[..];
        fields.put_u8(LATE_COMPLETE);
        crcs.iter().for_each(|crc| fields.put_u32_le(*crc));
        out.tail().put_slice(&raw);
    }
}
