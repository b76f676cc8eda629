//! `MWatchNotify`: notifies to watchers, completions to notifiers.
//!
//! Facts: `messages/MWatchNotify.h`, `osd/Watch.cc` (the completion's buffer).

use super::{Kind, Message};
use crate::primitives::{Input, Parse, Parsed, codec, fail, parse::run};
use crate::{DecodeError, DecodeErrorKind, Encode};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// What an OSD says about a watch or a notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NotifyOpcode {
    /// To a watcher: somebody notified.
    Notify = 1,
    /// To a notifier: all watchers answered, or the time is over.
    Complete = 2,
    /// To a watcher: the watch is gone.
    Disconnect = 3,
}

/// A message about a watch or a notify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchNotify {
    /// What it says.
    pub opcode: NotifyOpcode,
    /// The watch's cookie; of a completion the notify's.
    pub cookie: u64,
    /// The object's user version when the notify started; 0 of a disconnect.
    pub version: u64,
    /// The notify; 0 of a disconnect.
    pub notify_id: u64,
    /// What the notifier sent.
    pub payload: Bytes,
    /// Of a completion: 0, or -ETIMEDOUT when somebody missed it.
    pub return_code: i32,
    /// The notifier's global id; 0 of a disconnect.
    pub notifier: u64,
    /// Of a completion: the encoded [`NotifyAcks`].
    pub reply: Bytes,
}

impl WatchNotify {
    /// Decodes the segments of a message of this version.
    ///
    /// # Errors
    /// When the front ends too early or names an unknown opcode.
    pub fn decode_version(front: &Bytes, data: &Bytes, version: u16) -> Result<Self, DecodeError> {
        run(front, "MWatchNotify", |i| {
            let (i, layout) = u8::parse(i)?;
            let (rest, opcode) = u8::parse(i)?;
            let opcode = match opcode {
                1 => NotifyOpcode::Notify,
                2 => NotifyOpcode::Complete,
                3 => NotifyOpcode::Disconnect,
                _ => return fail(i, "MWatchNotify opcode", DecodeErrorKind::Invalid),
            };
            let (i, cookie) = u64::parse(rest)?;
            let (i, object_version) = u64::parse(i)?;
            let (i, notify_id) = u64::parse(i)?;
            let (i, payload) = match layout {
                0 => (i, Bytes::new()),
                _ => payload(i, front, front.len() + data.len())?,
            };
            let (i, return_code) = if version >= 2 { i32::parse(i)? } else { (i, 0) };
            let (i, notifier) = if version >= 3 { u64::parse(i)? } else { (i, 0) };
            let version = object_version;
            let reply = data.clone();
            Ok((i, Self { opcode, cookie, version, notify_id, payload, return_code, notifier, reply }))
        })
    }
}

/// A payload up to this size is copied, so that it does not keep its whole frame alive.
const COPY_MAX: usize = 4096;

/// One that is less than half of its message is copied, too: what is kept is at most twice what it counts as.
fn payload<'a>(i: Input<'a>, front: &Bytes, message: usize) -> Parsed<'a, Bytes> {
    let (i, bytes) = crate::primitives::blob(i)?;
    let payload = match bytes.len() {
        0 => Bytes::new(),
        len if len <= COPY_MAX || len < message / 2 => Bytes::copy_from_slice(bytes),
        _ => front.slice_ref(bytes),
    };
    Ok((i, payload))
}

impl Message for WatchNotify {
    const KIND: Kind = Kind::WATCH_NOTIFY;

    fn encode_front(&self, out: &mut BytesMut) {
        out.put_u8(1);
        out.put_u8(self.opcode as u8);
        self.cookie.encode(out);
        self.version.encode(out);
        self.notify_id.encode(out);
        self.payload.encode(out);
        self.return_code.encode(out);
        self.notifier.encode(out);
    }

    fn data(&self) -> Bytes {
        self.reply.clone()
    }
}

/// One watch of one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatcherId {
    /// The client's global id.
    pub client: u64,
    /// The watch's cookie, unique within the client.
    pub cookie: u64,
}

codec!(WatcherId { client, cookie });

/// A watcher's answer to a notify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyAck {
    /// Who answered.
    pub watcher: WatcherId,
    /// With what; often empty.
    pub reply: Bytes,
}

codec!(NotifyAck { watcher, reply });

/// What became of a notify: who answered, who did not in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NotifyAcks {
    /// The answers, ordered by watcher.
    pub acks: Vec<NotifyAck>,
    /// Watchers that missed it.
    pub missed: Vec<WatcherId>,
}

codec!(NotifyAcks { acks, missed });
