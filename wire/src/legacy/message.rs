//! Messages: header, parts, footer, and what is signed of them.

use super::LegacyError;
use super::stream::StreamLimits;
use crate::crc::crc32c;
use crate::frame::Chunks;
use crate::primitives::{Input, Parse, Parsed};
use crate::{Decode, Encode, EntityName};
use bytes::{BufMut, Bytes, BytesMut};

/// The record that is a message (`CEPH_MSGR_TAG_MSG`).
pub(super) const TAG_MSG: u8 = 7;

/// Bytes of a header.
pub(super) const HEADER_LEN: usize = 53;

/// Bytes of a header before its checksum.
const HEADER_FIELDS: usize = HEADER_LEN - 4;

/// Bytes of a footer.
pub(super) const FOOTER_LEN: usize = 21;

/// What is said about a message beside its content (`ceph_msg_header`); the parts' lengths are the parts' own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// The message's number: grows on a connection.
    pub seq: u64,
    /// The transaction that request and reply share, 0 for most messages.
    pub tid: u64,
    /// Which message it is (`CEPH_MSG_*`, `MSG_*`).
    pub kind: u16,
    /// The sender's urgency.
    pub priority: u16,
    /// The version of the content's layout.
    pub version: u16,
    /// The low bits of the object offset that the data belongs to.
    pub data_off: u16,
    /// The sender.
    pub source: EntityName,
    /// The oldest version that a reader must know to understand the content.
    pub compat_version: u16,
}

/// The footer's flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageFlags(pub u8);

impl MessageFlags {
    /// The sender did not give up midway.
    pub const COMPLETE: Self = Self(1);
    /// The data's checksum says nothing.
    pub const NO_CRC: Self = Self(2);
    /// The signature is one.
    pub const SIGNED: Self = Self(4);

    /// Whether the flag is set.
    #[must_use]
    pub const fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// What a message's signature is made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed(pub [u8; 32]);

impl Signed {
    fn new(seq: u64, lens: [u32; 3], crcs: &Crcs) -> Self {
        let [front, middle, data] = crcs.parts;
        let words = [crcs.header, front, lens[0], middle, lens[1], data, lens[2], seq as u32];
        let mut bytes = [0; 32];
        for (slot, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *slot = word.to_le_bytes();
        }
        Self(bytes)
    }
}

/// A message, whole and with checksums that are right.
///
/// The parts share the receive buffer: a small one that is kept for long keeps a block of some KiB with
/// it, so copy it instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub header: MessageHeader,
    /// Its encoded fields.
    pub front: Bytes,
    /// Something between; of the messages known here none has it.
    pub middle: Bytes,
    /// Its bulk data.
    pub data: Bytes,
    /// The footer's flags.
    pub flags: MessageFlags,
    /// The footer's signature, 0 if there is none.
    pub signature: u64,
    /// What the signature should be made over.
    pub signed: Signed,
}

/// A header as it is on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct WireHeader {
    header: MessageHeader,
    lens: [u32; 3],
    crc: u32,
}

struct Crcs {
    header: u32,
    parts: [u32; 3],
}

impl WireHeader {
    /// Reads a header, checks it, and the lengths it states.
    pub(super) fn read(raw: &[u8; HEADER_LEN], limits: &StreamLimits) -> Result<Self, LegacyError> {
        let header = Self::decode(raw)?;
        let computed = crc32c(0, &raw[..HEADER_FIELDS]);
        if header.crc != computed {
            return Err(LegacyError::Crc { part: "header", stated: header.crc, computed });
        }
        let bounds = [("front", limits.front), ("middle", limits.middle), ("data", limits.data)];
        for (len, (part, max)) in header.lens.into_iter().zip(bounds) {
            if len > max {
                return Err(LegacyError::TooLong { part, len, max });
            }
        }
        Ok(header)
    }

    /// Bytes from the tag to the end of the footer.
    pub(super) fn record_len(&self) -> usize {
        let parts = self.lens.iter().fold(0_usize, |sum, len| sum.saturating_add(*len as usize));
        parts.saturating_add(1 + HEADER_LEN + FOOTER_LEN)
    }

    /// Takes a whole record, of [`record_len`](Self::record_len) bytes, apart.
    pub(super) fn message(&self, mut raw: Bytes) -> Result<Message, LegacyError> {
        let mut parts = raw.split_off(1 + HEADER_LEN);
        let [front, middle, data] = self.lens.map(|len| parts.split_to(len as usize));
        let footer = Footer::decode(&parts)?;
        if !footer.flags.has(MessageFlags::COMPLETE) {
            return Err(LegacyError::Aborted);
        }
        let unchecked = footer.flags.has(MessageFlags::NO_CRC);
        let checks = [("front", &front, true), ("middle", &middle, true), ("data", &data, !unchecked)];
        for ((part, bytes, checked), stated) in checks.into_iter().zip(footer.crcs) {
            let computed = if checked { crc32c(0, bytes) } else { stated };
            if stated != computed {
                return Err(LegacyError::Crc { part, stated, computed });
            }
        }
        let crcs = Crcs { header: self.crc, parts: footer.crcs };
        let signed = Signed::new(self.header.seq, self.lens, &crcs);
        let (flags, signature) = (footer.flags, footer.signature);
        Ok(Message { header: self.header, front, middle, data, flags, signature, signed })
    }
}

impl Parse for WireHeader {
    const WHAT: &'static str = "ceph_msg_header";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, seq) = u64::parse(i)?;
        let (i, tid) = u64::parse(i)?;
        let (i, kind) = u16::parse(i)?;
        let (i, priority) = u16::parse(i)?;
        let (i, version) = u16::parse(i)?;
        let (i, front) = u32::parse(i)?;
        let (i, middle) = u32::parse(i)?;
        let (i, data) = u32::parse(i)?;
        let (i, data_off) = u16::parse(i)?;
        let (i, source) = EntityName::parse(i)?;
        let (i, compat_version) = u16::parse(i)?;
        let (i, _reserved) = u16::parse(i)?;
        let (i, crc) = u32::parse(i)?;
        let header = MessageHeader { seq, tid, kind, priority, version, data_off, source, compat_version };
        Ok((i, Self { header, lens: [front, middle, data], crc }))
    }
}

struct Footer {
    crcs: [u32; 3],
    signature: u64,
    flags: MessageFlags,
}

impl Parse for Footer {
    const WHAT: &'static str = "ceph_msg_footer";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, front) = u32::parse(i)?;
        let (i, middle) = u32::parse(i)?;
        let (i, data) = u32::parse(i)?;
        let (i, signature) = u64::parse(i)?;
        let (i, flags) = u8::parse(i)?;
        Ok((i, Self { crcs: [front, middle, data], signature, flags: MessageFlags(flags) }))
    }
}

impl Encode for Footer {
    fn encode(&self, out: &mut BytesMut) {
        self.crcs.iter().for_each(|crc| out.put_u32_le(*crc));
        out.put_u64_le(self.signature);
        out.put_u8(self.flags.0);
    }
}

/// Writes the header's fields and checksum into the room of [`HEADER_LEN`] bytes, and returns the checksum.
fn put_header(room: &mut [u8], header: &MessageHeader, lens: [u32; 3]) -> u32 {
    let mut fields = &mut room[..];
    fields.put_u64_le(header.seq);
    fields.put_u64_le(header.tid);
    fields.put_u16_le(header.kind);
    fields.put_u16_le(header.priority);
    fields.put_u16_le(header.version);
    lens.iter().for_each(|len| fields.put_u32_le(*len));
    fields.put_u16_le(header.data_off);
    fields.put_u8(header.source.kind.0);
    fields.put_i64_le(header.source.num);
    fields.put_u16_le(header.compat_version);
    fields.put_u16_le(0);
    let crc = crc32c(0, &room[..HEADER_FIELDS]);
    room[HEADER_FIELDS..].copy_from_slice(&crc.to_le_bytes());
    crc
}

/// Appends a message record without middle.
///
/// `front` appends the message's fields to the buffer it is given and may not touch what is there. `sign` gives
/// the signature, or none for a message that is not signed. Large `data` is not copied.
pub fn emit_message(
    header: &MessageHeader,
    front: impl FnOnce(&mut BytesMut),
    data: Bytes,
    sign: impl FnOnce(&Signed) -> Option<u64>,
    out: &mut Chunks,
) {
    let tail = out.tail();
    tail.put_u8(TAG_MSG);
    let start = tail.len();
    tail.put_bytes(0, HEADER_LEN);
    let front_start = tail.len();
    front(tail);
    let lens = [(tail.len() - front_start) as u32, 0, data.len() as u32];
    let parts = [crc32c(0, &tail[front_start..]), 0, crc32c(0, &data)];
    let crcs = Crcs { header: put_header(&mut tail[start..start + HEADER_LEN], header, lens), parts };
    let signature = sign(&Signed::new(header.seq, lens, &crcs));
    let signed = if signature.is_some() { MessageFlags::SIGNED.0 } else { 0 };
    out.push(data);
    let flags = MessageFlags(MessageFlags::COMPLETE.0 | signed);
    Footer { crcs: parts, signature: signature.unwrap_or(0), flags }.encode(out.tail());
}
