//! The fixed head of every frame.

use super::{EPILOGUE_LEN, FrameError, FrameLimits, MessageHeader, Tag};
use crate::crc::crc32c;
use bytes::{Buf, BufMut};

/// Bytes of a preamble.
pub const PREAMBLE_LEN: usize = 32;

/// Bytes of a preamble that its checksum covers.
const CHECKED: usize = 28;

/// Set when the segments are compressed.
const FLAG_COMPRESSED: u8 = 1;

/// How the sender aligned the first three segments and the data segment; readers take no notice.
const ALIGNMENT: [u16; 4] = [8, 8, 8, 4096];

/// What a frame is and how long its segments are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preamble {
    tag: Tag,
    count: u8,
    lens: [u32; 4],
}

impl Preamble {
    /// The preamble of a frame with segments of `lens` bytes; empty ones at the end are left out.
    #[must_use]
    pub fn new(tag: Tag, lens: [u32; 4]) -> Self {
        let last = lens.iter().rposition(|&len| len > 0).unwrap_or(0);
        Self { tag, count: last as u8 + 1, lens }
    }

    /// What the frame is.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        self.tag
    }

    /// The number of segments, 1 to 4.
    #[must_use]
    pub const fn segments(&self) -> usize {
        self.count as usize
    }

    /// The segments' lengths in bytes, 0 for absent ones.
    #[must_use]
    pub const fn lens(&self) -> [u32; 4] {
        self.lens
    }

    /// The encoding.
    #[must_use]
    pub fn to_array(&self) -> [u8; PREAMBLE_LEN] {
        let mut raw = [0; PREAMBLE_LEN];
        let mut out = &mut raw[..CHECKED];
        out.put_u8(self.tag as u8);
        out.put_u8(self.count);
        for (len, align) in self.lens.iter().zip(ALIGNMENT).take(self.count.into()) {
            out.put_u32_le(*len);
            out.put_u16_le(align);
        }
        let crc = crc32c(0, &raw[..CHECKED]);
        raw[CHECKED..].copy_from_slice(&crc.to_le_bytes());
        raw
    }

    /// Checks and decodes a preamble.
    ///
    /// # Errors
    /// [`FrameError`] for a wrong checksum, then for whatever the fields may not be, then for the
    /// first segment that is longer than `limits` allow.
    pub fn decode(raw: &[u8; PREAMBLE_LEN], limits: &FrameLimits) -> Result<Self, FrameError> {
        let (checked, mut crc) = raw.split_at(CHECKED);
        let (stated, computed) = (crc.get_u32_le(), crc32c(0, checked));
        if stated != computed {
            return Err(FrameError::PreambleCrc { stated, computed });
        }
        let mut fields = checked;
        let tag = Tag::try_from(fields.get_u8())?;
        let count = fields.get_u8();
        let mut lens = [0; 4];
        for (n, len) in lens.iter_mut().enumerate() {
            *len = fields.get_u32_le();
            let align = fields.get_u16_le();
            if n >= count.into() && (*len, align) != (0, 0) {
                return Err(FrameError::SegmentLayout);
            }
        }
        match (fields.get_u8(), fields.get_u8()) {
            (0, 0) => {}
            (flags, _) if flags & FLAG_COMPRESSED != 0 => return Err(FrameError::Compressed),
            (flags, reserved) => return Err(FrameError::Flags(flags | reserved)),
        }
        let preamble = Self { tag, count, lens };
        preamble.check_segments()?;
        preamble.check_lengths(limits)?;
        Ok(preamble)
    }

    fn check_segments(&self) -> Result<(), FrameError> {
        let most = if self.tag == Tag::Message { 4 } else { 1 };
        if !(1..=most).contains(&self.count) {
            return Err(FrameError::SegmentCount(self.count));
        }
        let last_empty = self.count > 1 && self.lens[usize::from(self.count) - 1] == 0;
        let header_wrong = self.tag == Tag::Message && self.lens[0] as usize != MessageHeader::LEN;
        if last_empty || header_wrong { Err(FrameError::SegmentLayout) } else { Ok(()) }
    }

    fn check_lengths(&self, limits: &FrameLimits) -> Result<(), FrameError> {
        let max = [limits.control, limits.front, limits.middle, limits.data];
        for (segment, (&len, max)) in (0..).zip(self.lens.iter().zip(max)) {
            if len > max {
                return Err(FrameError::TooLong { segment, len, max });
            }
        }
        Ok(())
    }

    /// Bytes of the whole frame on the wire in crc mode, preamble included.
    pub(super) fn frame_len(&self) -> usize {
        let segments = self.lens.iter().fold(0usize, |sum, &len| sum.saturating_add(len as usize));
        let first_crc = if self.lens[0] > 0 { 4 } else { 0 };
        let epilogue = if self.count > 1 { EPILOGUE_LEN } else { 0 };
        segments.saturating_add(PREAMBLE_LEN + first_crc + epilogue)
    }
}
