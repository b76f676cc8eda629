//! Who we are, and what we offer: auth methods and connection modes.

use super::AuthError;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use linger_wire::cephx::{AuthName, CryptoKey, Secret};

/// An authentication method (`CEPH_AUTH_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthMethod {
    /// The peer believes who we say we are.
    None = 1,
    /// Shared secret keys and tickets.
    Cephx = 2,
}

impl AuthMethod {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name in Ceph's configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cephx => "cephx",
        }
    }

    pub(super) const fn label(number: u32) -> Label {
        Label { name: ["unknown", "none", "cephx", "unknown", "gssapi"], number }
    }
}

/// How frames are protected once a connection is authenticated (`CEPH_CON_MODE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConMode {
    /// Checksums only.
    Crc = 1,
    /// Encrypted and authenticated with AES-GCM.
    Secure = 2,
}

impl ConMode {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name in Ceph's configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc => "crc",
            Self::Secure => "secure",
        }
    }

    pub(super) const fn label(number: u32) -> Label {
        Label { name: ["unknown", "crc", "secure", "unknown", "unknown"], number }
    }
}

/// A number of a method or mode with its name, for messages.
pub(super) struct Label {
    name: [&'static str; 5],
    number: u32,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.get(self.number as usize) {
            Some(&name) if name != "unknown" => f.write_str(name),
            _ => write!(f, "unknown ({})", self.number),
        }
    }
}

/// Who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The entity, such as `client.admin`.
    pub name: AuthName,
    /// Its key; without one only [`AuthMethod::None`] is possible.
    pub key: Option<CryptoKey>,
}

/// What msgr2's AUTH_REQUEST carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRequest {
    /// The auth method's number.
    pub method: u32,
    /// The numbers of the connection modes we allow, in order of preference.
    pub modes: Vec<u32>,
    /// The method's own first payload.
    pub blob: Bytes,
}

/// The connection modes that one handshake offers, and the checks on what the peer makes of them.
#[derive(Debug, Clone)]
pub(super) struct Modes(Vec<ConMode>);

/// Secure mode's keys take this many bytes of the connection secret; Ceph gives 64.
const SECRET_NEEDED: usize = 40;

impl Modes {
    pub(super) fn new(modes: &[ConMode]) -> Result<Self, AuthError> {
        if modes.is_empty() { Err(AuthError::NoMode) } else { Ok(Self(modes.to_vec())) }
    }

    /// What is offered with `method`: there is no secure mode without keys.
    pub(super) fn with(&self, method: AuthMethod) -> Vec<u32> {
        self.usable(method).map(ConMode::number).collect()
    }

    fn usable(&self, method: AuthMethod) -> impl Iterator<Item = ConMode> {
        self.0.iter().copied().filter(move |mode| method == AuthMethod::Cephx || *mode == ConMode::Crc)
    }

    /// Why the peer refused `method`, when that was not the method itself.
    pub(super) fn refusal(&self, method: AuthMethod, allowed_modes: &[u32]) -> Option<AuthError> {
        let common = self.usable(method).any(|mode| allowed_modes.contains(&mode.number()));
        if common || allowed_modes.is_empty() {
            return None;
        }
        Some(AuthError::ModesRefused {
            offered: self.usable(method).collect(),
            allowed: allowed_modes.to_vec(),
        })
    }

    /// Checks the peer's choice and the secret that belongs to it.
    pub(super) fn settle(
        &self,
        method: AuthMethod,
        con_mode: u32,
        secret: Option<Secret>,
    ) -> Result<(ConMode, Option<Secret>), AuthError> {
        let chosen = self.usable(method).find(|mode| mode.number() == con_mode);
        match chosen.ok_or(AuthError::ModeNotOffered { mode: con_mode })? {
            ConMode::Crc => Ok((ConMode::Crc, None)),
            ConMode::Secure => match secret {
                Some(secret) if secret.as_bytes().len() >= SECRET_NEEDED => {
                    Ok((ConMode::Secure, Some(secret)))
                }
                _ => Err(AuthError::NoConnectionSecret),
            },
        }
    }
}
