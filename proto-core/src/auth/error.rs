//! What can go wrong in authentication.

use super::{AuthMethod, ConMode};
use alloc::vec::Vec;
use core::fmt;
use linger_wire::cephx::{AuthName, CryptoError, KeyType};
use linger_wire::{DecodeError, EntityType, errno};

/// Whose fault an [`AuthError`] is, as far as one side can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// This client's configuration: another try gives the same.
    Local,
    /// The peer broke the protocol.
    Peer,
    /// The two do not fit together: a key, a ticket or what is allowed.
    Both,
}

/// Why authentication failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthError {
    /// No auth method is configured.
    NoMethod,
    /// No connection mode is configured, or none that the auth method can serve.
    NoMode,
    /// cephx is the only method allowed, and there is no key for it.
    NoKey {
        /// Whose key is missing.
        name: AuthName,
    },
    /// A key, our own or one inside a ticket, is of a type that can not be used here.
    KeyType {
        /// The type.
        key_type: KeyType,
    },
    /// There is no usable ticket for a service; one may come with the next renewal.
    NoTicket {
        /// The service.
        service: EntityType,
    },
    /// The peer allows none of our auth methods.
    MethodsRefused {
        /// What we allow.
        offered: Vec<AuthMethod>,
        /// What the peer allows, as numbers.
        allowed: Vec<u32>,
    },
    /// The peer allows none of our connection modes.
    ModesRefused {
        /// What we allow.
        offered: Vec<ConMode>,
        /// What the peer allows, as numbers.
        allowed: Vec<u32>,
    },
    /// The peer allows the method but refused us: unknown entity, wrong key, or a ticket it does not take.
    Refused {
        /// The method.
        method: AuthMethod,
        /// The type of the key that we used.
        key_type: Option<KeyType>,
        /// What the peer gave, positive.
        errno: i32,
        /// Whether a global id was to be had again: then the mon may refuse just that.
        resumed: bool,
    },
    /// The auth service answered a request with an error.
    Failed {
        /// What the peer gave, positive.
        errno: i32,
    },
    /// A payload does not open with the key it should be sealed with.
    Undecryptable {
        /// What the payload is.
        what: &'static str,
    },
    /// A payload does not have the layout it should have.
    Malformed {
        /// What the payload is.
        what: &'static str,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// The service could not show that it has the ticket's session key.
    WrongProof,
    /// A payload came that has no place at this step.
    OutOfStep {
        /// What came.
        what: &'static str,
    },
    /// The peer chose a connection mode that was not offered.
    ModeNotOffered {
        /// Its number.
        mode: u32,
    },
    /// Secure mode without a usable connection secret.
    NoConnectionSecret,
}

impl AuthError {
    /// Whose fault it is.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::NoMethod | Self::NoMode | Self::NoKey { .. } | Self::KeyType { .. } => Side::Local,
            Self::NoTicket { .. }
            | Self::MethodsRefused { .. }
            | Self::ModesRefused { .. }
            | Self::Refused { .. }
            | Self::Failed { .. }
            | Self::Undecryptable { .. } => Side::Both,
            Self::Malformed { .. }
            | Self::WrongProof
            | Self::OutOfStep { .. }
            | Self::ModeNotOffered { .. }
            | Self::NoConnectionSecret => Side::Peer,
        }
    }

    /// Whether a person must act: another try with the same settings fails alike.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self {
            // A monitor that lost its tickets' keys refuses only the old global id.
            Self::Refused { resumed, .. } => !*resumed,
            Self::NoTicket { .. } | Self::Failed { .. } => false,
            _ => matches!(self.side(), Side::Local | Side::Both),
        }
    }

    /// Whether a service may do better with a new ticket.
    pub(crate) const fn may_be_the_ticket(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Failed { .. } | Self::Undecryptable { .. } | Self::WrongProof
        )
    }

    /// The positive errno, where the peer gave one.
    #[must_use]
    pub const fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { errno, .. } | Self::Failed { errno } => Some(*errno),
            _ => None,
        }
    }

    /// Names the payload in which decryption or decoding failed.
    pub(crate) const fn within(what: &'static str, error: CryptoError) -> Self {
        match error {
            CryptoError::KeyType(key_type) => Self::KeyType { key_type },
            CryptoError::Layout(error) => Self::Malformed { what, error },
            _ => Self::Undecryptable { what },
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMethod => f.write_str("no authentication method is configured"),
            Self::NoMode => {
                f.write_str("no connection mode is configured that the authentication method allows")
            }
            Self::NoKey { name } => write!(f, "no key for {name}, and only cephx is allowed"),
            Self::KeyType { key_type } => write!(f, "key type {key_type} is not supported"),
            Self::NoTicket { service } => write!(f, "no ticket for {} services", service.name()),
            Self::MethodsRefused { offered, allowed } => {
                write!(f, "the peer allows authentication by ")?;
                list(f, allowed.iter().map(|number| AuthMethod::label(*number)))?;
                write!(f, ", we allow ")?;
                list(f, offered.iter().map(|method| AuthMethod::label(method.number())))
            }
            Self::ModesRefused { offered, allowed } => {
                write!(f, "the peer allows connections in mode ")?;
                list(f, allowed.iter().map(|number| ConMode::label(*number)))?;
                write!(f, ", we allow ")?;
                list(f, offered.iter().map(|mode| ConMode::label(mode.number())))
            }
            Self::Refused { method, key_type, errno, resumed } => {
                f.write_str(method.name())?;
                if let Some(key_type) = key_type {
                    write!(f, " with a key of type {key_type}")?;
                }
                f.write_str(" refused")?;
                reason(f, *errno)?;
                if *resumed {
                    f.write_str(" (perhaps only the old global id)")?;
                }
                Ok(())
            }
            Self::Failed { errno } => {
                f.write_str("the auth service failed")?;
                reason(f, *errno)
            }
            Self::Undecryptable { what } => write!(f, "the {what} does not decrypt: another key was used"),
            Self::Malformed { what, error } => write!(f, "the {what} is damaged: {error}"),
            Self::WrongProof => f.write_str("the service did not prove that it could read the ticket"),
            Self::OutOfStep { what } => write!(f, "unexpected {what}"),
            Self::ModeNotOffered { mode } => {
                write!(f, "the peer chose connection mode {}, which was not offered", ConMode::label(*mode))
            }
            Self::NoConnectionSecret => f.write_str("the peer chose secure mode but gave no usable secret"),
        }
    }
}

/// Writes what an errno means here.
fn reason(f: &mut fmt::Formatter<'_>, number: i32) -> fmt::Result {
    let why = match number {
        errno::EPERM => "not permitted, EPERM",
        errno::ENOENT => "no such entity, ENOENT",
        errno::EACCES => "wrong key or unknown entity, EACCES",
        errno::EINVAL => "invalid request, EINVAL",
        errno::EOPNOTSUPP => "not supported, EOPNOTSUPP",
        _ => return write!(f, ": errno {number}"),
    };
    write!(f, ": {why}")
}

fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    let mut empty = true;
    for item in items {
        if !empty {
            f.write_str(", ")?;
        }
        write!(f, "{item}")?;
        empty = false;
    }
    if empty { f.write_str("nothing") } else { Ok(()) }
}

impl core::error::Error for AuthError {}
