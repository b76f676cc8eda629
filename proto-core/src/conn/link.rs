//! What a connection has, whatever protocol it speaks.

use super::{Dial, LinkMode, Peer};
use crate::Timestamp;
use crate::error::ConnFault;
use core::net::{IpAddr, SocketAddr};
use linger_wire::frame::Chunks;
use linger_wire::{AddrType, EntityAddr, Features, UTime};

/// The state that both protocols keep, and the layers above ask for.
pub(super) struct Link {
    pub(super) peer: Peer,
    /// The address dialled, exactly as the map has it.
    pub(super) target: EntityAddr,
    /// Tells this client from others at its address.
    pub(super) nonce: u32,
    /// Whether the handshake is over.
    pub(super) ready: bool,
    pub(super) outbox: Chunks,
    outbox_max: usize,
    pub(super) mode: LinkMode,
    /// What both ends can.
    pub(super) features: Features,
    pub(super) global_seq: u64,
    pub(super) own_addr: Option<EntityAddr>,
    pub(super) out_seq: u64,
    pub(super) in_seq: u64,
    /// A keepalive to answer once there is room.
    pub(super) owed_ack: Option<UTime>,
}

impl Link {
    pub(super) fn new(dial: &Dial, nonce: u32, global_seq: u64, outbox_max: usize, mode: LinkMode) -> Self {
        Self {
            peer: dial.peer,
            target: dial.target,
            nonce,
            ready: false,
            outbox: Chunks::new(),
            outbox_max,
            mode,
            features: Features::NONE,
            global_seq,
            own_addr: None,
            out_seq: 0,
            in_seq: 0,
            owed_ack: None,
        }
    }

    /// Whether more messages may be encoded.
    pub(super) fn has_room(&self) -> bool {
        self.outbox.len() < self.outbox_max
    }

    /// When so little waits that more may be encoded.
    pub(super) fn low(&self) -> usize {
        self.outbox_max / 2
    }

    /// The keepalive that can be answered now.
    pub(super) fn take_owed_ack(&mut self) -> Option<UTime> {
        if self.has_room() { self.owed_ack.take() } else { None }
    }

    /// Learns this client's own address.
    pub(super) fn learn_addr(&mut self, kind: AddrType, ip: IpAddr) {
        self.own_addr = Some(EntityAddr { kind, nonce: self.nonce, sock: Some(SocketAddr::new(ip, 0)) });
    }

    /// The number of the next message sent.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.out_seq = self.out_seq.saturating_add(1);
        self.out_seq
    }

    /// Checks the number of a message received.
    pub(super) fn took(&mut self, seq: u64) -> Result<(), ConnFault> {
        // Numbers grow on a connection that loses nothing; a step back would be a replay.
        if seq <= self.in_seq {
            return Err(ConnFault::Unexpected("message number"));
        }
        self.in_seq = seq;
        Ok(())
    }
}

/// A keepalive's stamp: it comes back, and means something only here.
pub(super) fn stamp(now: Timestamp) -> UTime {
    let micros = now.as_micros();
    let sec = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
    UTime { sec, nsec: (micros % 1_000_000) as u32 * 1000 }
}
