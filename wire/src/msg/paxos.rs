//! What every message to or from a Paxos service of the monitors starts with.
//!
//! Facts: `messages/PaxosServiceMessage.h`.

use crate::primitives::{Input, Parse, Parsed};
use bytes::{BufMut, BytesMut};

/// Appends a version, no monitor, and transaction 0.
pub(super) fn put_paxos(out: &mut BytesMut, version: u64) {
    out.put_u64_le(version);
    out.put_i16_le(-1);
    out.put_u64_le(0);
}

/// Reads the same; gives the version.
pub(super) fn parse_paxos(i: Input<'_>) -> Parsed<'_, u64> {
    let (i, version) = u64::parse(i)?;
    let (i, _mon) = i16::parse(i)?;
    let (i, _mon_tid) = u64::parse(i)?;
    Ok((i, version))
}
