//! Received bytes to frames, whatever pieces they come in.

use super::secure::{HEAD_LEN, Opener};
use super::unseal::{Unsealer, rest_len};
use super::{
    Banner, Control, FrameError, LATE_ABORTED, LATE_COMPLETE, MessageHeader, PREAMBLE_LEN, Preamble,
    SEGMENT_SEED, Tag,
};
use crate::Decode;
use crate::crc::crc32c;
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of the buffer that a connection keeps when nothing is under way.
const BLOCK: usize = 8 << 10;

/// A buffer beyond this many bytes is given back once its frames are out, and a frame beyond it is
/// buffered in steps, so that a stated length costs nothing until its bytes come.
const KEEP: usize = 64 << 10;

/// The longest segments that are accepted, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// Segment 0 of control frames; that of messages has a fixed length.
    pub control: u32,
    /// A message's front.
    pub front: u32,
    /// A message's middle.
    pub middle: u32,
    /// A message's data.
    pub data: u32,
}

impl FrameLimits {
    /// Before a session: no messages, and control frames with room for any cephx payload.
    pub const HANDSHAKE: Self = Self { control: 64 << 10, front: 0, middle: 0, data: 0 };
}

impl Default for FrameLimits {
    /// The limits of Linux: 16 MiB, 64 MiB for data.
    fn default() -> Self {
        Self { control: 16 << 20, front: 16 << 20, middle: 16 << 20, data: 64 << 20 }
    }
}

/// A frame whose checksums, or tags, are right.
///
/// The segments share the receive buffer: a small one that is kept for long keeps a block of some
/// KiB with it, so copy it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the frame is.
    pub tag: Tag,
    /// Payload of a control frame; header, front, middle and data of a message. Absent ones are empty.
    pub segments: [Bytes; 4],
}

impl Frame {
    /// Decodes a control frame.
    ///
    /// # Errors
    /// [`FrameError::Decode`] when the payload does not decode or the frame is a message.
    pub fn control(&self) -> Result<Control, FrameError> {
        Ok(Control::decode(self.tag, &self.segments[0])?)
    }

    /// Decodes a message's header.
    ///
    /// # Errors
    /// [`FrameError::Decode`] for a frame too short to be a message.
    pub fn header(&self) -> Result<MessageHeader, FrameError> {
        Ok(MessageHeader::decode(&self.segments[0])?)
    }

    /// A message's encoded fields.
    #[must_use]
    pub const fn front(&self) -> &Bytes {
        &self.segments[1]
    }

    /// A message's bulk data.
    #[must_use]
    pub const fn data(&self) -> &Bytes {
        &self.segments[3]
    }
}

/// What comes out of received bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// The peer's banner, once, before all frames.
    Banner(Banner),
    /// A whole frame.
    Frame(Frame),
    /// The sender gave up on a frame midway; nothing of it may be used.
    Aborted(Tag),
}

/// Turns received bytes into a banner and frames.
///
/// [`push`](Self::push) what was read, then [`pull`](Self::pull) until there is nothing more. The
/// way the stream is cut into pieces makes no difference to what comes out.
///
/// At most one frame, as long as the limits allow, and the last piece pushed are buffered, in a
/// buffer of at most four times what has come and 64 KiB.
#[derive(Debug)]
pub struct Assembler {
    limits: FrameLimits,
    buf: BytesMut,
    phase: Phase,
    transcript: Option<Transcript>,
    /// In secure mode.
    secure: Option<Unsealer>,
    /// Whether the buffer's block may be longer than [`KEEP`].
    big: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Banner,
    Preamble,
    /// In crc mode the preamble is still in the buffer: a frame is taken out in one piece. In secure
    /// mode its first block is out.
    Body(Preamble),
    Failed(FrameError),
}

#[derive(Debug)]
struct Transcript {
    bytes: BytesMut,
    max: usize,
}

impl Assembler {
    /// An assembler for a new connection: a banner is expected first.
    #[must_use]
    pub fn new(limits: FrameLimits) -> Self {
        Self {
            limits,
            buf: BytesMut::new(),
            phase: Phase::Banner,
            transcript: None,
            secure: None,
            big: false,
        }
    }

    /// Changes the limits from the next preamble on, which is read when the frame before it is out
    /// and [`pull`](Self::pull) is called again.
    pub fn set_limits(&mut self, limits: FrameLimits) {
        self.limits = limits;
    }

    /// Expects sealed frames from the next one on, which is read when the frame before it is out and
    /// [`pull`](Self::pull) is called again. They are in no transcript.
    pub fn set_secure(&mut self, opener: Opener) {
        self.secure = Some(Unsealer::new(opener));
    }

    /// Records the exact bytes of everything that [`pull`](Self::pull) takes out from now on, for
    /// the proof that ends the handshake. A frame beyond `max` bytes in all is an error.
    pub fn start_transcript(&mut self, max: usize) {
        self.transcript = Some(Transcript { bytes: BytesMut::new(), max });
    }

    /// Ends recording: the bytes up to and including the last thing pulled.
    pub fn take_transcript(&mut self) -> Bytes {
        self.transcript.take().map(|transcript| transcript.bytes.freeze()).unwrap_or_default()
    }

    /// Takes in received bytes; the only copy they see. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.make_room(bytes.len());
            self.buf.extend_from_slice(bytes);
        }
    }

    /// Takes out the next thing received, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`FrameError`] when the bytes are no valid stream; the same one for each later call.
    pub fn pull(&mut self) -> Result<Option<Received>, FrameError> {
        let received = match self.phase {
            Phase::Banner => self.pull_banner(),
            Phase::Preamble => self.pull_preamble(),
            Phase::Body(preamble) => self.pull_body(&preamble),
            Phase::Failed(error) => return Err(error),
        };
        if let Err(error) = received {
            self.phase = Phase::Failed(error);
            self.buf = BytesMut::new();
            self.transcript = None;
        }
        received
    }

    fn pull_banner(&mut self) -> Result<Option<Received>, FrameError> {
        let Some((banner, len)) = Banner::read(&self.buf)? else { return Ok(None) };
        self.check_transcript(len)?;
        self.take(len);
        self.phase = Phase::Preamble;
        Ok(Some(Received::Banner(banner)))
    }

    fn pull_preamble(&mut self) -> Result<Option<Received>, FrameError> {
        let preamble = if let Some(secure) = &mut self.secure {
            if self.buf.len() < HEAD_LEN {
                return Ok(None);
            }
            secure.head(self.buf.split_to(HEAD_LEN), &self.limits)?
        } else {
            let Some(raw) = self.buf.first_chunk() else { return Ok(None) };
            let preamble = Preamble::decode(raw, &self.limits)?;
            self.check_transcript(preamble.frame_len())?;
            preamble
        };
        self.phase = Phase::Body(preamble);
        self.pull_body(&preamble)
    }

    fn pull_body(&mut self, preamble: &Preamble) -> Result<Option<Received>, FrameError> {
        let len = self.body_len(preamble);
        if self.buf.len() < len {
            return Ok(None);
        }
        let raw = self.take(len);
        self.phase = Phase::Preamble;
        let received = match &mut self.secure {
            Some(secure) => secure.rest(preamble, raw),
            None => disassemble(preamble, raw.freeze()),
        };
        received.map(Some)
    }

    /// Bytes of a frame that are in the buffer once it is there.
    fn body_len(&self, preamble: &Preamble) -> usize {
        if self.secure.is_some() { rest_len(preamble) } else { preamble.frame_len() }
    }

    /// Takes `len` bytes, which are there, out of the buffer.
    fn take(&mut self, len: usize) -> BytesMut {
        let taken = self.buf.split_to(len);
        if let Some(transcript) = self.transcript.as_mut().filter(|_| self.secure.is_none()) {
            transcript.bytes.extend_from_slice(&taken);
        }
        if self.big && self.buf.len() <= BLOCK {
            self.buf = BytesMut::from(&self.buf[..]);
            self.big = false;
        }
        taken
    }

    fn check_transcript(&self, len: usize) -> Result<(), FrameError> {
        match &self.transcript {
            Some(Transcript { bytes, max }) if len > max.saturating_sub(bytes.len()) => {
                Err(FrameError::Transcript { max: *max })
            }
            _ => Ok(()),
        }
    }

    /// Makes room for a piece of `len` bytes.
    fn make_room(&mut self, len: usize) {
        let have = self.buf.len();
        if len <= self.buf.capacity() - have {
            return;
        }
        let frame = match &self.phase {
            Phase::Body(preamble) => self.body_len(preamble),
            _ => 0,
        };
        self.big |= frame > KEEP || len > KEEP - have.min(KEEP);
        if self.buf.capacity() == 0 {
            self.buf = BytesMut::with_capacity(len.max(BLOCK));
        } else if frame <= KEEP || frame <= have {
            self.buf.reserve(len);
        } else {
            // Quadruples what has come until the rest of the frame fits, and then what a read may
            // bring of the frames behind it.
            let (missing, step) = (frame - have, 3 * have.max(BLOCK));
            let room = if missing <= step { missing + KEEP } else { step };
            let mut grown = BytesMut::with_capacity(have + room.max(len));
            grown.extend_from_slice(&self.buf);
            self.buf = grown;
        }
    }
}

/// Checks a whole frame and splits it into segments.
fn disassemble(preamble: &Preamble, mut raw: Bytes) -> Result<Received, FrameError> {
    let lens = preamble.lens().map(|len| len as usize);
    let mut spans = [const { 0..0 }; 4];
    let mut at = PREAMBLE_LEN;
    for (n, (span, len)) in spans.iter_mut().zip(lens).enumerate() {
        *span = at..at + len;
        // Only segment 0 has its checksum with it, and none when it is empty.
        at += if n == 0 && len > 0 { len + 4 } else { len };
    }
    if lens[0] > 0 {
        check_segment(0, &raw[spans[0].clone()], (&raw[spans[0].end..]).get_u32_le())?;
    }
    if preamble.segments() > 1 {
        let mut epilogue = &raw[at..];
        match epilogue.get_u8() {
            status if status & 0xf == LATE_COMPLETE => {}
            status if status & 0xf == LATE_ABORTED => return Ok(Received::Aborted(preamble.tag())),
            status => return Err(FrameError::LateStatus(status)),
        }
        for (n, span) in (0..).zip(&spans).take(preamble.segments()).skip(1) {
            check_segment(n, &raw[span.clone()], epilogue.get_u32_le())?;
        }
    }
    let mut segments = [const { Bytes::new() }; 4];
    let last = preamble.segments() - 1;
    for (segment, span) in segments.iter_mut().zip(&spans).take(last).filter(|(_, span)| !span.is_empty()) {
        *segment = raw.slice(span.clone());
    }
    // The last one takes the handle of the whole, which saves a reference; an empty one must not.
    if lens[last] > 0 {
        raw.advance(spans[last].start);
        raw.truncate(lens[last]);
        segments[last] = raw;
    }
    Ok(Received::Frame(Frame { tag: preamble.tag(), segments }))
}

fn check_segment(segment: u8, bytes: &[u8], stated: u32) -> Result<(), FrameError> {
    let computed = crc32c(SEGMENT_SEED, bytes);
    if stated == computed { Ok(()) } else { Err(FrameError::SegmentCrc { segment, stated, computed }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Encode;
    use crate::frame::{Chunks, emit_message};
    use alloc::vec;

    /// A large frame arrives in pieces of `piece` bytes, between small ones.
    fn capacities(piece: usize) {
        let mut assembler = Assembler::new(FrameLimits::default());
        assembler.push(&Banner::OURS.to_bytes());
        assembler.pull().unwrap();
        let mut out = Chunks::new();
        let data = Bytes::from(vec![5; 3 << 20]);
        let header = MessageHeader::new(43, 8, 2);
        for data in [Bytes::new(), data, Bytes::new()] {
            emit_message(&header, |_| (), data, &mut out);
        }
        let raw = out.copy_to_bytes(out.remaining());
        let mut frames = vec![];
        for piece in raw.chunks(piece) {
            assembler.push(piece);
            let (len, capacity) = (assembler.buf.len(), assembler.buf.capacity());
            assert!(capacity <= 4 * len + KEEP, "{capacity} bytes for {len}");
            while let Some(Received::Frame(frame)) = assembler.pull().unwrap() {
                frames.push(frame);
            }
        }
        assert_eq!(frames.len(), 3);
        assert!(assembler.buf.capacity() <= KEEP && !assembler.big, "the large buffer is given back");
        drop(frames);
        assembler.push(&raw[..77]);
        assert!(assembler.buf.capacity() <= KEEP);
    }

    #[test]
    fn the_buffer_follows_what_has_come_and_is_given_back() {
        [1000, 4096, 65_536, 1 << 20, 4 << 20].into_iter().for_each(capacities);
    }

    #[test]
    fn a_stated_length_reserves_nothing() {
        let mut assembler = Assembler::new(FrameLimits::default());
        assembler.push(&Banner::OURS.to_bytes());
        let preamble = Preamble::new(Tag::Message, [41, 16 << 20, 16 << 20, 64 << 20]);
        assembler.push(&preamble.to_array());
        while assembler.pull().unwrap().is_some() {}
        assembler.push(&[0; 20]);
        assert!(assembler.buf.capacity() <= 2 * BLOCK);
    }
}
