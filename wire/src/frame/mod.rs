//! msgr2: the banner, then frames, in revision 1's plain (crc) mode.
//!
//! A frame is a 32-byte preamble with the lengths of one to four segments, the segments, and
//! checksums over them:
//!
//! ```text
//! preamble | segment 0 | crc            a control frame, or a message of nothing but its header
//! preamble | segment 0 | crc | segments 1..3 | late status, crc x 3
//! ```
//!
//! [`Assembler`] turns received bytes into frames, [`Chunks`] holds frames that wait to be sent.
//!
//! Facts: `msg/async/frames_v2.h`, `msg/async/frames_v2.cc`, `msg/async/ProtocolV2.cc` of Ceph.

mod assemble;
mod banner;
mod chunks;
mod control;
mod emit;
mod error;
mod header;
mod preamble;
mod tag;
#[cfg(test)]
mod tests;

pub use assemble::{Assembler, Frame, FrameLimits, Received};
pub use banner::Banner;
pub use chunks::Chunks;
pub use control::{
    AuthBadMethod, AuthDone, AuthMethod, AuthRequest, ClientIdent, ConMode, Control, Hello, IDENT_LOSSY,
    ServerIdent, SessionReconnect,
};
pub use emit::{emit_control, emit_frame, emit_message};
pub use error::FrameError;
pub use header::MessageHeader;
pub use preamble::{PREAMBLE_LEN, Preamble};
pub use tag::Tag;

/// The register before the first byte of a segment; the preamble's is 0.
const SEGMENT_SEED: u32 = u32::MAX;

/// What follows the last segment of a frame with more than one: late status and three checksums.
const EPILOGUE_LEN: usize = 13;

/// The sender stands by the frame.
const LATE_COMPLETE: u8 = 0xe;

/// The sender gave up on the frame midway; its segments mean nothing.
const LATE_ABORTED: u8 = 0x1;
