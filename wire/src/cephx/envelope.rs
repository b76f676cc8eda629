//! The encryption envelope: what is sealed, with which key and for which use.

use super::login::ChallengeBlob;
use super::signature::hmac_sha256;
use super::{CryptoKey, KeyType, Secret, aes256k};
use crate::legacy::Signed;
use crate::{Decode, DecodeError, Encode};
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Stands in front of everything that is sealed, so that a wrong key is noticed (`AUTH_ENC_MAGIC`).
const MAGIC: u64 = 0xff00_9cad_8826_aa55;
const HEADER_VERSION: u8 = 1;
const HEADER_LEN: usize = 9;

/// AES-128's fixed initial vector (`CEPH_AES_IV`).
const AES_IV: &[u8; 16] = b"cephsageyudagreg";

/// The length of the random bytes that [`CryptoKey::seal`] wants.
pub const CONFOUNDER_LEN: usize = 16;

/// What an envelope is for; each use has its own derived keys under [`KeyType::Aes256k`]. AES keys
/// ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
pub enum Usage {
    /// The connection secret of a mon session, under the AUTH session key.
    ConnectionSecret = 0x03,
    /// A ticket's session key, for the one who gets the ticket.
    TicketSessionKey = 0x04,
    /// A renewed ticket, under the session key of the one it replaces.
    TicketBlob = 0x05,
    /// The client's proof in an authorizer.
    Authorize = 0x10,
    /// The server's challenge to an authorizer.
    AuthorizeChallenge = 0x11,
    /// The server's answer to an authorizer.
    AuthorizeReply = 0x12,
    /// The mons' rotating secrets, for a daemon.
    RotatingSecret = 0x20,
    /// The inside of a ticket, under the service's rotating key.
    TicketInfo = 0x30,
}

impl CryptoKey {
    /// Seals a value. The result is the bare ciphertext; where the protocol wants it length-prefixed,
    /// encode the returned `Bytes`.
    ///
    /// `confounder` must be fresh random bytes; AES keys do without.
    ///
    /// # Errors
    /// [`CryptoError::KeyType`] if nothing can be encrypted with this type of key.
    pub fn seal(
        &self,
        usage: Usage,
        confounder: &[u8; CONFOUNDER_LEN],
        value: &(impl Encode + ?Sized),
    ) -> Result<Bytes, CryptoError> {
        let mut plain = BytesMut::with_capacity(256);
        plain.put_u8(HEADER_VERSION);
        plain.put_u64_le(MAGIC);
        value.encode(&mut plain);
        let sealed = self.encrypt(usage, confounder, &plain);
        plain.as_mut().zeroize();
        sealed.map(Bytes::from)
    }

    /// Opens bare ciphertext and returns what was sealed.
    ///
    /// # Errors
    /// [`CryptoError::KeyType`] as for [`CryptoKey::seal`]; [`CryptoError::Garbled`] if it was not sealed
    /// with this key for this use.
    pub fn open(&self, usage: Usage, sealed: &[u8]) -> Result<Secret, CryptoError> {
        let plain = self.decrypt(usage, sealed)?;
        match plain.split_first_chunk::<HEADER_LEN>() {
            Some(([HEADER_VERSION, magic @ ..], rest)) if u64::from_le_bytes(*magic) == MAGIC => {
                Ok(Secret::from(rest.to_vec()))
            }
            _ => Err(CryptoError::Garbled),
        }
    }

    /// Opens bare ciphertext and decodes the value in it.
    ///
    /// # Errors
    /// As [`CryptoKey::open`]; [`CryptoError::Layout`] if the inside is not a `T`.
    pub fn open_as<T: Decode>(&self, usage: Usage, sealed: &[u8]) -> Result<T, CryptoError> {
        T::decode(self.open(usage, sealed)?.as_bytes()).map_err(CryptoError::Layout)
    }

    fn encrypt(
        &self,
        usage: Usage,
        confounder: &[u8; CONFOUNDER_LEN],
        plain: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        match self.key_type() {
            KeyType::Aes => {
                let cipher = cbc::Encryptor::<aes::Aes128>::new_from_slices(self.secret(), AES_IV)
                    .map_err(|_| CryptoError::KeyType(KeyType::Aes))?;
                Ok(cipher.encrypt_padded_vec::<Pkcs7>(plain))
            }
            KeyType::Aes256k => aes256k::encrypt(self.secret(), usage as u32, confounder, plain),
            other => Err(CryptoError::KeyType(other)),
        }
    }

    fn decrypt(&self, usage: Usage, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        match self.key_type() {
            KeyType::Aes => {
                let cipher = cbc::Decryptor::<aes::Aes128>::new_from_slices(self.secret(), AES_IV)
                    .map_err(|_| CryptoError::KeyType(KeyType::Aes))?;
                let plain = cipher.decrypt_padded_vec::<Pkcs7>(sealed);
                plain.map(Zeroizing::new).map_err(|_| CryptoError::Garbled)
            }
            KeyType::Aes256k => aes256k::decrypt(self.secret(), usage as u32, sealed),
            other => Err(CryptoError::KeyType(other)),
        }
    }
}

/// What a client proves its key with at a mon: both challenges under the key, folded to 64 bits.
///
/// An AES key folds the length-prefixed envelope of the challenges; any other key their HMAC-SHA256.
///
/// # Errors
/// [`CryptoError::KeyType`] if the key's type is not known.
pub fn proof(key: &CryptoKey, server_challenge: u64, client_challenge: u64) -> Result<u64, CryptoError> {
    let challenges = ChallengeBlob { server_challenge, client_challenge };
    match key.key_type() {
        KeyType::Aes => {
            // The usage and the confounder play no part with an AES key.
            let sealed = key.seal(Usage::Authorize, &[0; CONFOUNDER_LEN], &challenges)?;
            Ok(fold(&sealed.to_bytes()))
        }
        KeyType::Aes256k => Ok(fold(&hmac_sha256(key.secret(), &challenges.to_bytes()))),
        other => Err(CryptoError::KeyType(other)),
    }
}

/// The signature of a message over msgr1, under the session key of the connection's ticket.
///
/// An AES key folds the bare ciphertext of the block, without envelope and padding; any other key the block's
/// HMAC-SHA256. Both sides have the feature `CEPHX_V2`.
///
/// Facts: `auth/cephx/CephxSessionHandler.cc`.
///
/// # Errors
/// [`CryptoError::KeyType`] if the key's type is not known.
pub fn message_signature(key: &CryptoKey, signed: &Signed) -> Result<u64, CryptoError> {
    match key.key_type() {
        KeyType::Aes => {
            let sealed = key.encrypt(Usage::Authorize, &[0; CONFOUNDER_LEN], &signed.0)?;
            Ok(fold(&sealed[..signed.0.len()]))
        }
        KeyType::Aes256k => Ok(fold(&hmac_sha256(key.secret(), &signed.0))),
        other => Err(CryptoError::KeyType(other)),
    }
}

/// Whether a message's signature is right; takes the same time for any other.
#[must_use]
pub fn verify_message(key: &CryptoKey, signed: &Signed, signature: u64) -> bool {
    message_signature(key, signed).is_ok_and(|right| right.ct_eq(&signature).into())
}

/// The exclusive or of the full 64-bit words.
fn fold(bytes: &[u8]) -> u64 {
    bytes.as_chunks::<8>().0.iter().fold(0, |sum, word| sum ^ u64::from_le_bytes(*word))
}

/// Why something does not seal or open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// Keys of this type can not be used here.
    KeyType(KeyType),
    /// Sealed with another key, for another use, or damaged.
    Garbled,
    /// It opens, but the inside is not what it should be.
    Layout(DecodeError),
}

impl fmt::Display for CryptoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyType(kind) => write!(f, "key type {kind} is not supported"),
            Self::Garbled => f.write_str("does not decrypt with this key"),
            Self::Layout(error) => write!(f, "decrypts to something else: {error}"),
        }
    }
}

impl core::error::Error for CryptoError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UTime;

    fn key(kind: KeyType, byte: u8) -> CryptoKey {
        CryptoKey::new(kind, UTime::default(), &[byte; 32][..kind.secret_len().unwrap_or(7)]).unwrap()
    }

    #[test]
    fn another_key_a_changed_byte_or_a_cut_is_garbled() {
        for kind in [KeyType::Aes, KeyType::Aes256k] {
            let sealed = key(kind, 1).seal(Usage::TicketBlob, &[3; 16], &0x1234_u64).unwrap();
            assert_eq!(key(kind, 1).open_as::<u64>(Usage::TicketBlob, &sealed), Ok(0x1234));
            assert_eq!(key(kind, 2).open(Usage::TicketBlob, &sealed), Err(CryptoError::Garbled));
            let mut bad = sealed.to_vec();
            bad[0] ^= 1;
            assert_eq!(key(kind, 1).open(Usage::TicketBlob, &bad), Err(CryptoError::Garbled));
            for len in 0..sealed.len() {
                assert_eq!(key(kind, 1).open(Usage::TicketBlob, &sealed[..len]), Err(CryptoError::Garbled));
            }
            let error = key(kind, 1).open_as::<(u64, u64)>(Usage::TicketBlob, &sealed);
            assert!(matches!(error, Err(CryptoError::Layout(_))));
        }
    }

    #[test]
    fn a_right_padding_without_the_magic_is_garbled() {
        let plain = [0; 20];
        let sealed = key(KeyType::Aes, 1).encrypt(Usage::TicketBlob, &[0; 16], &plain).unwrap();
        assert_eq!(key(KeyType::Aes, 1).open(Usage::TicketBlob, &sealed), Err(CryptoError::Garbled));
    }

    #[test]
    fn other_key_types_are_named() {
        for kind in [KeyType::None, KeyType::Other(9)] {
            let unsupported = CryptoError::KeyType(kind);
            assert_eq!(key(kind, 1).seal(Usage::Authorize, &[0; 16], &1_u8), Err(unsupported));
            assert_eq!(key(kind, 1).open(Usage::Authorize, &[0; 64]), Err(unsupported));
            assert_eq!(proof(&key(kind, 1), 1, 2), Err(unsupported));
        }
    }

    #[test]
    fn a_partial_word_is_not_folded() {
        assert_eq!(fold(&[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 255]), 3);
    }
}
