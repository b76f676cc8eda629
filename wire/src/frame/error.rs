//! Why a stream of frames can not go on.

use crate::DecodeError;
use core::fmt;

/// What a peer sent that is no frame of this protocol.
///
/// A stream has no way to find the next frame after such an error: the connection is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The first bytes are not those of any Ceph messenger.
    NotCeph,
    /// The peer answers with the first messenger protocol: the address is that of its v1 port.
    Msgr1,
    /// The banner's payload is shorter than its two fields, or longer than is accepted.
    BannerLength(u16),
    /// The peer speaks only revision 0 of msgr2, as the first Nautilus releases did.
    Revision0,
    /// The peer requires banner features that are not known here: the bits that are missing.
    BannerFeatures(u64),
    /// The preamble's checksum does not match.
    PreambleCrc {
        /// The value the peer sent.
        stated: u32,
        /// The value computed from the bytes.
        computed: u32,
    },
    /// No frame has this tag.
    UnknownTag(u8),
    /// A frame of this tag can not have this number of segments.
    SegmentCount(u8),
    /// A segment that the preamble says is there is empty where it may not be, or the other way round.
    SegmentLayout,
    /// A segment is longer than [`FrameLimits`](super::FrameLimits) allows.
    TooLong {
        /// The segment, from 0.
        segment: u8,
        /// The length the peer stated, in bytes.
        len: u32,
        /// The largest accepted.
        max: u32,
    },
    /// The peer compressed the frame although that was never agreed.
    Compressed,
    /// Flags or reserved bits of the preamble that nothing defines.
    Flags(u8),
    /// A segment's checksum does not match.
    SegmentCrc {
        /// The segment, from 0.
        segment: u8,
        /// The value the peer sent.
        stated: u32,
        /// The value computed from the bytes.
        computed: u32,
    },
    /// The late status is neither complete nor aborted.
    LateStatus(u8),
    /// More bytes came during the handshake than its transcript may hold.
    Transcript {
        /// The largest accepted, in bytes.
        max: usize,
    },
    /// A sealed frame was changed on the way, or is not the next one that the peer sealed.
    Forged,
    /// A direction has used up its nonces: no more frames can be sealed or opened.
    OutOfNonces,
    /// A segment does not decode.
    Decode(DecodeError),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCeph => f.write_str("the peer is not a Ceph daemon: no msgr2 banner"),
            Self::Msgr1 => f.write_str("the peer speaks the v1 protocol: this is not its msgr2 port"),
            Self::BannerLength(len) => write!(f, "msgr2 banner with a payload of {len} bytes"),
            Self::Revision0 => f.write_str("the peer speaks only msgr2 revision 0; revision 1 is needed"),
            Self::BannerFeatures(bits) => write!(f, "the peer requires unknown msgr2 features {bits:#x}"),
            Self::PreambleCrc { stated, computed } => {
                write!(f, "preamble checksum {stated:#010x} does not match {computed:#010x}")
            }
            Self::UnknownTag(tag) => write!(f, "unknown frame tag {tag}"),
            Self::SegmentCount(count) => write!(f, "frame with {count} segments"),
            Self::SegmentLayout => f.write_str("frame with segments that contradict their count or tag"),
            Self::TooLong { segment, len, max } => {
                write!(f, "segment {segment} of {len} bytes exceeds {max}")
            }
            Self::Compressed => f.write_str("compressed frame without agreement"),
            Self::Flags(flags) => write!(f, "frame with unknown flags {flags:#04x}"),
            Self::SegmentCrc { segment, stated, computed } => {
                write!(f, "segment {segment} checksum {stated:#010x} does not match {computed:#010x}")
            }
            Self::LateStatus(status) => write!(f, "frame with late status {status:#04x}"),
            Self::Transcript { max } => write!(f, "handshake exceeds {max} bytes"),
            Self::Forged => f.write_str("frame does not authenticate: it was changed on the way"),
            Self::OutOfNonces => f.write_str("no nonces are left for sealed frames"),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DecodeError> for FrameError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
