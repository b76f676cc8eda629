//! The operations inside an `MOSDOp`: a 38-byte header each, with their input apart.
//!
//! Facts: `include/rados.h` (`struct ceph_osd_op`, `CEPH_OSD_OP_*`, `CEPH_OSD_WATCH_OP_*`).

use crate::DecodeErrorKind;
use crate::Encode;
use crate::primitives::{Input, Parse, Parsed, fail};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of an operation's header.
pub(crate) const HEADER_LEN: usize = 38;
const UNION_LEN: usize = 28;

const READ: u16 = 0x1201;
const STAT: u16 = 0x1202;
const NOTIFY: u16 = 0x1206;
const NOTIFY_ACK: u16 = 0x1207;
const LIST_WATCHERS: u16 = 0x1209;
const WRITE_FULL: u16 = 0x2202;
const DELETE: u16 = 0x2205;
const CREATE: u16 = 0x220d;
const WATCH: u16 = 0x220f;

const FLAG_EXCL: u32 = 1;

/// What a WATCH operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum WatchOp {
    /// Remove the watch.
    Unwatch = 0,
    /// Register without pings, as clients before 2014 did.
    Legacy = 1,
    /// Register; the client will ping.
    Watch = 3,
    /// Bind the registered watch to this connection.
    Reconnect = 5,
    /// Keep the watch alive.
    Ping = 7,
}

impl WatchOp {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Unwatch, Self::Legacy, Self::Watch, Self::Reconnect, Self::Ping]
            .into_iter()
            .find(|op| *op as u8 == code)
    }
}

/// One operation on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Op {
    /// Read `len` bytes at `offset`; 0 reads to the end.
    Read {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        len: u64,
    },
    /// Size and modification time.
    Stat,
    /// Create the object.
    Create {
        /// Fail if it exists.
        exclusive: bool,
    },
    /// Replace the content.
    WriteFull {
        /// The new content.
        data: Bytes,
    },
    /// Remove the object.
    Delete,
    /// Register, refresh or remove a watch.
    Watch {
        /// Which of these.
        op: WatchOp,
        /// Names the watch among this client's.
        cookie: u64,
        /// Counts reconnects; kept by the client, ignored by the OSD.
        generation: u32,
        /// Seconds without a ping until the OSD drops the watch; 0 is the OSD's default.
        timeout: u32,
    },
    /// Notify all watchers.
    Notify {
        /// Comes back in the completion.
        cookie: u64,
        /// Seconds to wait for acks; 0 is the OSD's default.
        timeout: u32,
        /// What watchers get.
        payload: Bytes,
    },
    /// Acknowledge a notify.
    NotifyAck {
        /// The notify.
        notify_id: u64,
        /// The watch that got it.
        cookie: u64,
        /// What the notifier gets.
        reply: Bytes,
    },
    /// Who watches?
    ListWatchers,
    /// An operation that has no form of its own here.
    Other {
        /// `CEPH_OSD_OP_*`.
        code: u16,
        /// `CEPH_OSD_OP_FLAG_*`.
        flags: u32,
        /// The arguments as they travel.
        args: [u8; UNION_LEN],
        /// The input.
        data: Bytes,
    },
}

/// An operation's data in the message's data segment: input in requests, output in replies.
pub type OpData = Bytes;

impl Op {
    /// Whether the OSD treats the operation as a write (`CEPH_OSD_OP_MODE_WR`).
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.code() & 0x2000 != 0
    }

    /// The operation's number (`CEPH_OSD_OP_*`).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Read { .. } => READ,
            Self::Stat => STAT,
            Self::Create { .. } => CREATE,
            Self::WriteFull { .. } => WRITE_FULL,
            Self::Delete => DELETE,
            Self::Watch { .. } => WATCH,
            Self::Notify { .. } => NOTIFY,
            Self::NotifyAck { .. } => NOTIFY_ACK,
            Self::ListWatchers => LIST_WATCHERS,
            Self::Other { code, .. } => *code,
        }
    }

    /// Bytes of input that the operation puts in the data segment.
    #[must_use]
    pub fn input_len(&self) -> usize {
        match self {
            Self::WriteFull { data } | Self::Other { data, .. } => data.len(),
            Self::Notify { payload, .. } => 12 + payload.len(),
            Self::NotifyAck { reply, .. } => 20 + reply.len(),
            _ => 0,
        }
    }

    /// Appends the operation's input.
    pub(crate) fn encode_input(&self, out: &mut BytesMut) {
        match self {
            Self::WriteFull { data } | Self::Other { data, .. } => out.put_slice(data),
            Self::Notify { timeout, payload, .. } => {
                out.put_u32_le(1);
                timeout.encode(out);
                payload.encode(out);
            }
            Self::NotifyAck { notify_id, cookie, reply } => {
                notify_id.encode(out);
                cookie.encode(out);
                reply.encode(out);
            }
            _ => {}
        }
    }

    /// Appends the 38-byte header with the input's length.
    pub(crate) fn encode_header(&self, out: &mut BytesMut) {
        self.encode_header_with(self.input_len(), out);
    }

    /// Appends the 38-byte header; in a reply the length is that of the output.
    pub(crate) fn encode_header_with(&self, data_len: usize, out: &mut BytesMut) {
        let flags = match self {
            Self::Create { exclusive: true } => FLAG_EXCL,
            Self::Other { flags, .. } => *flags,
            _ => 0,
        };
        self.code().encode(out);
        flags.encode(out);
        let at = out.len();
        match self {
            Self::Read { offset, len } => {
                offset.encode(out);
                len.encode(out);
            }
            Self::WriteFull { data } => {
                out.put_u64_le(0);
                out.put_u64_le(data.len() as u64);
            }
            Self::Watch { op, cookie, generation, timeout } => {
                cookie.encode(out);
                out.put_u64_le(0);
                out.put_u8(*op as u8);
                generation.encode(out);
                timeout.encode(out);
            }
            Self::Notify { cookie, .. } => cookie.encode(out),
            Self::Other { args, .. } => out.put_slice(args),
            _ => {}
        }
        out.put_bytes(0, UNION_LEN - (out.len() - at));
        out.put_u32_le(data_len as u32);
    }

    /// Parses a header and takes the operation's input off the front of `data`.
    pub(crate) fn parse<'a>(i: Input<'a>, data: &mut Bytes) -> Parsed<'a, Self> {
        let (rest, (code, flags, args, len)) = parse_header(i)?;
        if len > data.len() {
            return fail(i, "op input", DecodeErrorKind::Truncated);
        }
        let data = data.split_to(len);
        match Self::from_parts(code, flags, &args, data) {
            Some(op) => Ok((rest, op)),
            None => fail(i, "op", DecodeErrorKind::Invalid),
        }
    }

    /// Parses a header in a reply: the operation without its input, and the length of its output.
    pub(crate) fn parse_echo(i: Input<'_>) -> Parsed<'_, (Self, usize)> {
        let (rest, (code, flags, args, len)) = parse_header(i)?;
        let op = match code {
            // Their input is not echoed, so they have no form of their own here.
            NOTIFY | NOTIFY_ACK | WRITE_FULL => None,
            _ => Self::from_parts(code, flags, &args, Bytes::new()),
        };
        let op = op.unwrap_or(Self::Other { code, flags, args, data: Bytes::new() });
        Ok((rest, (op, len)))
    }

    fn from_parts(code: u16, flags: u32, args: &[u8; UNION_LEN], data: Bytes) -> Option<Self> {
        let mut union = &args[..];
        let mut input = data.clone();
        Some(match code {
            READ => Self::Read { offset: union.get_u64_le(), len: union.get_u64_le() },
            STAT => Self::Stat,
            CREATE => Self::Create { exclusive: flags & FLAG_EXCL != 0 },
            WRITE_FULL => Self::WriteFull { data },
            DELETE => Self::Delete,
            WATCH => {
                let cookie = union.get_u64_le();
                let _unused_version = union.get_u64_le();
                let op = WatchOp::from_code(union.get_u8())?;
                Self::Watch { op, cookie, generation: union.get_u32_le(), timeout: union.get_u32_le() }
            }
            NOTIFY => {
                let cookie = union.get_u64_le();
                let _version = input.try_get_u32_le().ok()?;
                let timeout = input.try_get_u32_le().ok()?;
                Self::Notify { cookie, timeout, payload: take_blob(&mut input)? }
            }
            NOTIFY_ACK => Self::NotifyAck {
                notify_id: input.try_get_u64_le().ok()?,
                cookie: input.try_get_u64_le().ok()?,
                reply: take_blob(&mut input)?,
            },
            LIST_WATCHERS => Self::ListWatchers,
            code => Self::Other { code, flags, args: *args, data },
        })
    }
}

/// Code, flags, arguments, and the length of input or output.
type Header = (u16, u32, [u8; UNION_LEN], usize);

fn parse_header(i: Input<'_>) -> Parsed<'_, Header> {
    let (i, code) = u16::parse(i)?;
    let (i, flags) = u32::parse(i)?;
    let Some((args, i)) = i.split_first_chunk::<UNION_LEN>() else {
        return fail(i, "op arguments", DecodeErrorKind::Truncated);
    };
    let (i, len) = u32::parse(i)?;
    Ok((i, (code, flags, *args, len as usize)))
}

/// Takes length-prefixed bytes, sharing the buffer.
fn take_blob(input: &mut Bytes) -> Option<Bytes> {
    let len = input.try_get_u32_le().ok()? as usize;
    (len <= input.len()).then(|| input.split_to(len))
}
