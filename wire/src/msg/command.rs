//! Commands to monitors, as `ceph` and librados' `mon_command` send them.
//!
//! Facts: `messages/MMonCommand.h`, `MMonCommandAck.h`.

use super::paxos::{parse_paxos, put_paxos};
use super::{Kind, Message};
use crate::primitives::{Parse, parse::run};
use crate::{DecodeError, Encode, Fsid, Name};
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};

/// `MMonCommand`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonCommand {
    /// The cluster.
    pub fsid: Fsid,
    /// One JSON object with the command's `prefix` and arguments, mostly in one piece.
    pub words: Vec<Name>,
    /// What belongs to the command, such as a file; mostly empty.
    pub input: Bytes,
}

impl MonCommand {
    /// Decodes the segments of a message.
    ///
    /// # Errors
    /// When the front ends too early.
    pub fn decode(front: &[u8], data: &Bytes) -> Result<Self, DecodeError> {
        run(front, "MMonCommand", |i| {
            let (i, _version) = parse_paxos(i)?;
            let (i, fsid) = Fsid::parse(i)?;
            let (i, words) = Vec::parse(i)?;
            Ok((i, Self { fsid, words, input: data.clone() }))
        })
    }
}

impl Message for MonCommand {
    const KIND: Kind = Kind::MON_COMMAND;
    fn encode_front(&self, out: &mut BytesMut) {
        put_paxos(out, 0);
        self.fsid.encode(out);
        self.words.encode(out);
    }
    fn data(&self) -> Bytes {
        self.input.clone()
    }
}

/// `MMonCommandAck`, under the command's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonCommandAck {
    /// The newest epoch of the map that the command is about; 0 if that is none.
    pub version: u64,
    /// 0, or a negative errno.
    pub result: i32,
    /// What `ceph` writes to its standard error.
    pub text: Name,
    /// The command, again.
    pub words: Vec<Name>,
    /// What `ceph` writes to its standard output.
    pub output: Bytes,
}

impl MonCommandAck {
    /// Decodes the segments of a message.
    ///
    /// # Errors
    /// When the front ends too early.
    pub fn decode(front: &[u8], data: &Bytes) -> Result<Self, DecodeError> {
        run(front, "MMonCommandAck", |i| {
            let (i, version) = parse_paxos(i)?;
            let (i, result) = i32::parse(i)?;
            let (i, text) = Name::parse(i)?;
            let (i, words) = Vec::parse(i)?;
            Ok((i, Self { version, result, text, words, output: data.clone() }))
        })
    }
}

impl Message for MonCommandAck {
    const KIND: Kind = Kind::MON_COMMAND_ACK;
    fn encode_front(&self, out: &mut BytesMut) {
        put_paxos(out, self.version);
        self.result.encode(out);
        self.text.encode(out);
        self.words.encode(out);
    }
    fn data(&self) -> Bytes {
        self.output.clone()
    }
}
