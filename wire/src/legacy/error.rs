//! Why a stream can not go on.

use crate::DecodeError;
use core::fmt;

/// What a peer sent that is not msgr1.
///
/// As in msgr2 there is no way to find back into the stream: the connection is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LegacyError {
    /// The first bytes are not those of any Ceph messenger.
    NotCeph,
    /// The peer answers with the second messenger protocol: the address is that of its v2 port.
    Msgr2,
    /// No record has this tag.
    UnknownTag(u8),
    /// A part is longer than [`StreamLimits`](super::StreamLimits) allows.
    TooLong {
        /// The part.
        part: &'static str,
        /// The length the peer stated, in bytes.
        len: u32,
        /// The largest accepted.
        max: u32,
    },
    /// A part's checksum does not match.
    Crc {
        /// The part.
        part: &'static str,
        /// The value the peer sent.
        stated: u32,
        /// The value computed from the bytes.
        computed: u32,
    },
    /// The sender gave up on the message midway.
    Aborted,
    /// A part does not decode.
    Decode(DecodeError),
}

impl fmt::Display for LegacyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCeph => f.write_str("the peer is not a Ceph daemon: no msgr1 banner"),
            Self::Msgr2 => f.write_str("the peer speaks the v2 protocol: this is not its msgr1 port"),
            Self::UnknownTag(tag) => write!(f, "unknown tag {tag}"),
            Self::TooLong { part, len, max } => write!(f, "{part} of {len} bytes exceeds {max}"),
            Self::Crc { part, stated, computed } => {
                write!(f, "{part} checksum {stated:#010x} does not match {computed:#010x}")
            }
            Self::Aborted => f.write_str("the peer gave up on a message midway"),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for LegacyError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Decode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DecodeError> for LegacyError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
