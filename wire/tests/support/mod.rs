//! What the tests of messages share.
#![allow(dead_code, reason = "no test uses all of it")]

use bytes::{Bytes, BytesMut};
use linger_wire::msg::{Message, OpRequest, OpRequestRef};

/// Bytes written in hexadecimal; blanks and bars group them.
pub fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let other = text.bytes().find(|c| !c.is_ascii_hexdigit() && !c.is_ascii_whitespace() && *c != b'|');
    assert!(digits.len().is_multiple_of(2) && other.is_none(), "{text}");
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// Front and data of a message.
pub fn written(message: &impl Message) -> (Bytes, Bytes) {
    let mut front = BytesMut::new();
    message.encode_front(&mut front);
    (front.freeze(), message.data())
}

/// A decoded request to be written again.
pub fn again(request: &OpRequest) -> OpRequestRef<'_> {
    OpRequestRef {
        pgid: request.pgid,
        hash: request.hash,
        epoch: request.epoch,
        flags: request.flags,
        mtime: request.mtime,
        locator: &request.locator,
        pool: request.locator.pool,
        oid: &request.oid,
        ops: &request.ops,
        retry_attempt: request.retry_attempt,
        features: request.features,
    }
}
