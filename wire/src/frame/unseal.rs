//! Sealed blocks to frames.

use super::secure::{EPILOGUE_LEN, INLINE, Opener, padded};
use super::{Frame, FrameError, FrameLimits, LATE_ABORTED, LATE_COMPLETE, PREAMBLE_LEN, Preamble, Received};
use crate::crypto::TAG_LEN;
use bytes::{Bytes, BytesMut};

/// What a secure connection's frames come out of.
#[derive(Debug)]
pub(super) struct Unsealer {
    opener: Opener,
    /// What of segment 0 came with the preamble, filled up.
    inline: Bytes,
}

impl Unsealer {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener, inline: Bytes::new() }
    }

    /// Opens the first block of a frame, and keeps what follows the preamble.
    pub(super) fn head(&mut self, mut head: BytesMut, limits: &FrameLimits) -> Result<Preamble, FrameError> {
        let opened = self.opener.open(&mut head)?;
        let Some((raw, _)) = opened.split_first_chunk::<PREAMBLE_LEN>() else {
            return Err(FrameError::Forged);
        };
        let preamble = Preamble::decode(raw, limits)?;
        self.inline = head.freeze().slice(PREAMBLE_LEN..PREAMBLE_LEN + INLINE);
        Ok(preamble)
    }

    /// Opens the other blocks, which are [`rest_len`] bytes, and splits them into segments.
    pub(super) fn rest(&mut self, preamble: &Preamble, mut rest: BytesMut) -> Result<Received, FrameError> {
        let lens = preamble.lens().map(|len| len as usize);
        let inline = core::mem::take(&mut self.inline);
        let second = rest.split_to(second_len(lens[0]));
        let mut segments = [const { Bytes::new() }; 4];
        segments[0] = self.first_segment(lens[0], &inline, second)?;
        if preamble.segments() == 1 {
            return Ok(Received::Frame(Frame { tag: preamble.tag(), segments }));
        }
        let len = self.opener.open(&mut rest)?.len();
        match rest[len - EPILOGUE_LEN] & 0xf {
            LATE_COMPLETE => {}
            LATE_ABORTED => return Ok(Received::Aborted(preamble.tag())),
            _ => return Err(FrameError::LateStatus(rest[len - EPILOGUE_LEN])),
        }
        let rest = rest.freeze();
        let mut at = 0;
        for (segment, len) in segments.iter_mut().zip(lens).skip(1).filter(|(_, len)| *len > 0) {
            *segment = rest.slice(at..at + len);
            at += padded(len);
        }
        Ok(Received::Frame(Frame { tag: preamble.tag(), segments }))
    }

    /// Segment 0, whose end is in the second block if it did not fit into the first.
    fn first_segment(
        &mut self,
        len: usize,
        inline: &Bytes,
        mut second: BytesMut,
    ) -> Result<Bytes, FrameError> {
        if len <= INLINE {
            // An empty one must not keep a block of the buffer.
            return Ok(if len == 0 { Bytes::new() } else { inline.slice(..len) });
        }
        let opened = self.opener.open(&mut second)?;
        let mut whole = BytesMut::with_capacity(len);
        whole.extend_from_slice(inline);
        whole.extend_from_slice(&opened[..len - INLINE]);
        Ok(whole.freeze())
    }
}

/// Bytes of a frame on the wire behind its first block.
pub(super) fn rest_len(preamble: &Preamble) -> usize {
    let [first, rest @ ..] = preamble.lens().map(|len| len as usize);
    let second = second_len(first);
    if preamble.segments() == 1 {
        return second;
    }
    let third = rest.iter().fold(EPILOGUE_LEN + TAG_LEN, |sum, &len| sum.saturating_add(padded(len)));
    second.saturating_add(third)
}

/// Bytes of the second block, which is not there for a short segment 0.
fn second_len(first: usize) -> usize {
    if first > INLINE { padded(first - INLINE).saturating_add(TAG_LEN) } else { 0 }
}
