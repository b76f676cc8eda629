//! Secret keys.

use crate::primitives::{Input, Parse, Parsed, fail};
use crate::{Decode, DecodeError, DecodeErrorKind, Encode, UTime};
use alloc::string::String;
use alloc::vec::Vec;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};
use core::fmt;
use core::str::FromStr;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Which cipher a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// No encryption at all; no current Ceph accepts it.
    None,
    /// AES-128 in CBC mode: Ceph's only type for fifteen years.
    Aes,
    /// AES-256 with HMAC-SHA384 (RFC 8009): Ceph's default since 20.2.4.
    Aes256k,
    /// A type that is not known here.
    Other(u16),
}

impl KeyType {
    /// The number on the wire (`CEPH_CRYPTO_*`).
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::None => 0,
            Self::Aes => 1,
            Self::Aes256k => 2,
            Self::Other(number) => number,
        }
    }

    /// The length of a secret of this type in bytes, where the type is known.
    #[must_use]
    pub const fn secret_len(self) -> Option<usize> {
        match self {
            Self::None => Some(0),
            Self::Aes => Some(16),
            Self::Aes256k => Some(32),
            Self::Other(_) => None,
        }
    }
}

impl From<u16> for KeyType {
    fn from(number: u16) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Aes,
            2 => Self::Aes256k,
            _ => Self::Other(number),
        }
    }
}

impl fmt::Display for KeyType {
    /// As Ceph's tools name the type: `aes`, `aes256k`; a number for others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Aes => f.write_str("aes"),
            Self::Aes256k => f.write_str("aes256k"),
            Self::Other(number) => write!(f, "{number}"),
        }
    }
}

/// A secret key, as it stands in a keyring and in tickets (`CryptoKey`).
///
/// The secret is wiped on drop, never printed, and compared in constant time.
///
/// ```
/// use linger_wire::cephx::{CryptoKey, KeyType};
/// let key: CryptoKey = "AQBDzxlTAAAAABAAuXmMGp3dZ29wYHVnQkgW9g==".parse()?;
/// assert_eq!(key.key_type(), KeyType::Aes);
/// assert!(!format!("{key:?}").contains("AQBD"));
/// # Ok::<(), linger_wire::cephx::KeyError>(())
/// ```
#[derive(Clone)]
pub struct CryptoKey {
    kind: KeyType,
    created: UTime,
    secret: Zeroizing<Vec<u8>>,
}

impl CryptoKey {
    /// A key of a known type.
    ///
    /// # Errors
    /// [`KeyError::Length`] if the secret has another length than the type asks for. A type that is
    /// not known takes any length up to 65,535, but nothing can be done with such a key.
    pub fn new(kind: KeyType, created: UTime, secret: &[u8]) -> Result<Self, KeyError> {
        let fits = match kind.secret_len() {
            Some(len) => secret.len() == len,
            None => u16::try_from(secret.len()).is_ok(),
        };
        if !fits {
            return Err(KeyError::Length { kind, len: secret.len() });
        }
        Ok(Self { kind, created, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// What the key is for.
    #[must_use]
    pub const fn key_type(&self) -> KeyType {
        self.kind
    }

    /// When the key was made.
    #[must_use]
    pub const fn created(&self) -> UTime {
        self.created
    }

    /// The secret bytes.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The text form, as it stands behind `key =` in a keyring. This is the secret itself, and the caller's
    /// to wipe.
    #[must_use]
    pub fn to_base64(&self) -> String {
        let mut wire = BytesMut::with_capacity(12 + self.secret.len());
        self.encode(&mut wire);
        let wire = Zeroizing::new(Vec::from(wire));
        STANDARD.encode(&*wire)
    }
}

impl FromStr for CryptoKey {
    type Err = KeyError;

    /// Reads the text form; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wire = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| KeyError::Base64)?);
        Self::decode(&wire).map_err(KeyError::Layout)
    }
}

impl PartialEq for CryptoKey {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
            && self.created == other.created
            && bool::from(self.secret.as_slice().ct_eq(other.secret.as_slice()))
    }
}

impl Eq for CryptoKey {}

impl fmt::Debug for CryptoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CryptoKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Parse for CryptoKey {
    const WHAT: &'static str = "CryptoKey";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, kind) = u16::field(i, "CryptoKey.type")?;
        let (i, created) = UTime::parse(i)?;
        let (rest, len) = u16::field(i, "CryptoKey.len")?;
        let Some((secret, rest)) = rest.split_at_checked(len.into()) else {
            return fail(i, "CryptoKey.secret", DecodeErrorKind::Truncated);
        };
        match Self::new(kind.into(), created, secret) {
            Ok(key) => Ok((rest, key)),
            Err(_) => fail(i, "CryptoKey.len", DecodeErrorKind::Invalid),
        }
    }
}

impl Encode for CryptoKey {
    fn encode(&self, out: &mut BytesMut) {
        self.kind.number().encode(out);
        self.created.encode(out);
        // `new` has checked that the length fits.
        out.put_u16_le(self.secret.len() as u16);
        out.put_slice(&self.secret);
    }
}

/// Why something is not a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not base64.
    Base64,
    /// The bytes do not have a key's layout.
    Layout(DecodeError),
    /// The secret's length does not fit the type.
    Length {
        /// The type.
        kind: KeyType,
        /// The length in bytes.
        len: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64 => f.write_str("the key is not base64"),
            Self::Layout(error) => write!(f, "the key is damaged: {error}"),
            Self::Length { kind, len } => write!(f, "a key of type {kind} can not have {len} bytes"),
        }
    }
}

impl core::error::Error for KeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const TEXT: &str = "AQCcxgRr5wneLRAAl77G1jxN8R4nF+8Ojxhd5g==";

    #[test]
    fn text_form_goes_both_ways_and_stays_out_of_debug() {
        let key: CryptoKey = format!(" {TEXT}\n").parse().unwrap();
        assert_eq!((key.key_type(), key.secret().len()), (KeyType::Aes, 16));
        assert_eq!(key.created(), UTime { sec: 0x6b04_c69c, nsec: 0x2dde_09e7 });
        assert_eq!(key.to_base64(), TEXT);
        assert_eq!(format!("{key:?}"), "CryptoKey { kind: Aes, .. }");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!("AQ=C".parse::<CryptoKey>(), Err(KeyError::Base64));
        let error = "AQCcxgRr".parse::<CryptoKey>().unwrap_err();
        assert!(matches!(error, KeyError::Layout(_)), "{error}");
        let error = CryptoKey::new(KeyType::Aes256k, UTime::default(), &[0; 16]).unwrap_err();
        assert_eq!(format!("{error}"), "a key of type aes256k can not have 16 bytes");
        assert!(CryptoKey::decode(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 7, 7]).is_err());
    }

    #[test]
    fn keys_differ_in_each_part() {
        let key = |kind, sec, byte| CryptoKey::new(kind, UTime { sec, nsec: 0 }, &[byte; 16]).unwrap();
        let one = key(KeyType::Aes, 1, 1);
        assert_eq!(one, one.clone());
        assert_ne!(one, key(KeyType::Aes, 1, 2));
        assert_ne!(one, key(KeyType::Aes, 2, 1));
        assert_ne!(one, key(KeyType::Other(9), 1, 1));
    }
}
