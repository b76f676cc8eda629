//! What protects a connection.

use crate::auth::ConMode;
use crate::error::ConnFault;
use linger_wire::{AddrType, AddrVec, EntityAddr};

/// What a connection speaks, and what protects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkMode {
    /// msgr1: checksums, and with cephx signed messages to and from OSDs. Nothing is encrypted.
    V1,
    /// msgr2 with checksums only.
    Crc,
    /// msgr2, encrypted and authenticated with AES-GCM.
    Secure,
}

impl LinkMode {
    /// `v1`, or the name of msgr2's mode in Ceph's configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::Crc => ConMode::Crc.name(),
            Self::Secure => ConMode::Secure.name(),
        }
    }
}

impl From<ConMode> for LinkMode {
    fn from(mode: ConMode) -> Self {
        match mode {
            ConMode::Crc => Self::Crc,
            ConMode::Secure => Self::Secure,
        }
    }
}

/// The address of a daemon that is to be dialled: of msgr2 if it has one, else of msgr1, which needs that
/// connections without encryption are allowed.
pub(crate) fn pick(addrs: &AddrVec, modes: &[ConMode]) -> Result<EntityAddr, ConnFault> {
    if let Some(addr) = addrs.find(AddrType::MSGR2) {
        return Ok(*addr);
    }
    match addrs.find(AddrType::LEGACY) {
        Some(addr) if modes.contains(&ConMode::Crc) => Ok(*addr),
        Some(_) => Err(ConnFault::OnlyV1),
        None => Err(ConnFault::Unreachable),
    }
}
