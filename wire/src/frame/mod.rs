//! msgr2: the banner, then frames of revision 1 in crc or secure mode.
//!
//! A frame is a 32-byte preamble with the lengths of one to four segments, the segments, and
//! checksums over them; in secure mode (see [`secure`]) all of it is sealed instead:
//!
//! ```text
//! preamble | segment 0 | crc            a control frame, or a message of nothing but its header
//! preamble | segment 0 | crc | segments 1..3 | late status, crc x 3
//! ```
//!
//! [`Assembler`] turns received bytes into frames, [`Emitter`] frames into bytes, and [`Chunks`] holds
//! what waits to be sent. Both ends start in crc mode and change over with the first frame after
//! AUTH_DONE, as that says.
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
mod secure;
mod tag;
#[cfg(test)]
mod tests;
mod unseal;

pub use assemble::{Assembler, Frame, FrameLimits, Received};
pub use banner::Banner;
pub use chunks::Chunks;
pub use control::{
    AuthBadMethod, AuthDone, AuthMethod, AuthRequest, ClientIdent, ConMode, Control, Hello, IDENT_LOSSY,
    ServerIdent, SessionReconnect,
};
pub use emit::{Emitter, emit_control, emit_frame, emit_message};
pub use error::FrameError;
pub use header::MessageHeader;
pub use preamble::{PREAMBLE_LEN, Preamble};
pub use secure::{Opener, Role, Sealer, secure};
pub use tag::Tag;

/// The register before the first byte of a segment; the preamble's is 0.
const SEGMENT_SEED: u32 = u32::MAX;

/// What follows the last segment of a frame with more than one: late status and three checksums.
const EPILOGUE_LEN: usize = 13;

/// The sender stands by the frame.
const LATE_COMPLETE: u8 = 0xe;

/// The sender gave up on the frame midway; its segments mean nothing.
const LATE_ABORTED: u8 = 0x1;
