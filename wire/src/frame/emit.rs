//! Frames to bytes.

use super::secure::{ALIGN, INLINE, Sealer, padded};
use super::{
    Chunks, Control, EPILOGUE_LEN, Frame, FrameError, LATE_COMPLETE, MessageHeader, PREAMBLE_LEN, Preamble,
    SEGMENT_SEED, Tag,
};
use crate::Encode;
use crate::crc::crc32c;
use crate::crypto::TAG_LEN;
use bytes::{BufMut, Bytes, BytesMut};

/// Turns frames into bytes in the mode of a connection: crc at first, secure once it is told so.
#[derive(Debug, Default)]
pub struct Emitter(Option<Sealer>);

impl Emitter {
    /// An emitter in crc mode, as every connection starts.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Seals every frame from now on.
    pub fn set_secure(&mut self, sealer: Sealer) {
        self.0 = Some(sealer);
    }

    /// Appends a control frame; see [`emit_control`].
    ///
    /// # Errors
    /// [`FrameError::OutOfNonces`], and nothing is appended: the connection must be dropped.
    pub fn control(&mut self, control: &Control, out: &mut Chunks) -> Result<(), FrameError> {
        match &mut self.0 {
            None => emit_control(control, out),
            Some(sealer) => {
                seal(sealer, control.tag(), out.tail(), |out| control.encode(out), |_| [0; 3])?;
            }
        }
        Ok(())
    }

    /// Appends a message frame; see [`emit_message`]. In secure mode large `data` is copied, once.
    ///
    /// # Errors
    /// [`FrameError::OutOfNonces`], and nothing is appended: the connection must be dropped.
    pub fn message(
        &mut self,
        header: &MessageHeader,
        front: impl FnOnce(&mut BytesMut),
        data: Bytes,
        out: &mut Chunks,
    ) -> Result<(), FrameError> {
        let Some(sealer) = &mut self.0 else {
            emit_message(header, front, data, out);
            return Ok(());
        };
        let rest = |out: &mut BytesMut| [put_part(out, front), 0, put_part(out, |out| out.put_slice(&data))];
        seal(sealer, Tag::Message, out.tail(), |out| header.encode(out), rest)
    }

    /// Appends a frame as it was received; see [`emit_frame`].
    ///
    /// # Errors
    /// [`FrameError::OutOfNonces`], and nothing is appended: the connection must be dropped.
    pub fn frame(&mut self, frame: &Frame, out: &mut Chunks) -> Result<(), FrameError> {
        let Some(sealer) = &mut self.0 else {
            emit_frame(frame, out);
            return Ok(());
        };
        let [first, parts @ ..] = &frame.segments;
        let rest = |out: &mut BytesMut| parts.each_ref().map(|part| put_part(out, |out| out.put_slice(part)));
        seal(sealer, frame.tag, out.tail(), |out| out.put_slice(first), rest)
    }
}

/// Appends a sealed frame. `first` appends segment 0; `rest` the others, filled up, and gives their lengths.
fn seal(
    sealer: &mut Sealer,
    tag: Tag,
    out: &mut BytesMut,
    first: impl FnOnce(&mut BytesMut),
    rest: impl FnOnce(&mut BytesMut) -> [u32; 3],
) -> Result<(), FrameError> {
    sealer.check_room()?;
    let start = reserve_preamble(out);
    first(out);
    let len = out.len() - start - PREAMBLE_LEN;
    let (head, overhang) = (start + PREAMBLE_LEN + INLINE, len.saturating_sub(INLINE));
    out.resize(head + overhang, 0);
    // The first block's tag comes between what fits into it and the rest of the segment.
    out.put_bytes(0, TAG_LEN);
    let second = head + TAG_LEN;
    if overhang > 0 {
        out.copy_within(head..head + overhang, second);
        out.put_bytes(0, padded(overhang) - overhang + TAG_LEN);
    }
    let third = out.len();
    let [front, middle, data] = rest(out);
    let preamble = Preamble::new(tag, [len as u32, front, middle, data]);
    put_preamble(out, start, &preamble);
    sealer.seal(&mut out[start..second])?;
    if overhang > 0 {
        sealer.seal(&mut out[second..third])?;
    }
    if preamble.segments() > 1 {
        out.put_u8(LATE_COMPLETE);
        out.put_bytes(0, ALIGN - 1 + TAG_LEN);
        sealer.seal(&mut out[third..])?;
    }
    Ok(())
}

/// Appends a segment, filled up, and returns its length.
fn put_part(out: &mut BytesMut, put: impl FnOnce(&mut BytesMut)) -> u32 {
    let start = out.len();
    put(out);
    let len = out.len() - start;
    out.put_bytes(0, padded(len) - len);
    len as u32
}

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
