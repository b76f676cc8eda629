//! What is wrong with bytes that do not decode.

use core::fmt;

/// Bytes that are not what they should be: where, in what, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset in the decoded buffer at which decoding stopped.
    pub offset: usize,
    /// The field or structure that was being decoded.
    pub what: &'static str,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

/// The ways in which bytes can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends before the value does.
    Truncated,
    /// A length or count exceeds its bound.
    TooLong {
        /// What the peer stated.
        len: u64,
        /// The largest accepted.
        max: u64,
    },
    /// The encoder says that readers must know a newer layout than this one.
    TooNew {
        /// The version a reader must know.
        compat: u16,
        /// The newest version known here.
        known: u16,
    },
    /// The layout is older than any that is decoded here.
    TooOld {
        /// The version found.
        version: u16,
        /// The oldest version known here.
        oldest: u16,
    },
    /// A value outside of what its field allows.
    Invalid,
    /// A checksum does not match.
    Checksum {
        /// The value the peer sent.
        stated: u32,
        /// The value computed from the bytes.
        computed: u32,
    },
    /// Decryption gave something else than the protocol's fixed header, or an integrity check failed.
    Crypto,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}: {}", self.what, self.offset, self.kind)
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("ends too early"),
            Self::TooLong { len, max } => write!(f, "length {len} exceeds {max}"),
            Self::TooNew { compat, known } => write!(f, "needs version {compat}, known is {known}"),
            Self::TooOld { version, oldest } => write!(f, "has version {version}, oldest known is {oldest}"),
            Self::Invalid => f.write_str("has an invalid value"),
            Self::Checksum { stated, computed } => {
                write!(f, "checksum {stated:#010x} does not match {computed:#010x}")
            }
            Self::Crypto => f.write_str("does not decrypt"),
        }
    }
}

impl core::error::Error for DecodeError {}
