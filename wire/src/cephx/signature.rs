//! Signatures of what was sent and received before a connection was authenticated.

use super::CryptoKey;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The length of a signature in bytes.
pub const SIGNATURE_LEN: usize = 32;

/// HMAC-SHA256 of a connection's transcript with its session key; zeros where there is no key.
///
/// What a side signs is every byte it has received, from the banner up to and including the last frame
/// before the signatures, as it was on the wire.
#[must_use]
pub fn signature(key: Option<&CryptoKey>, transcript: &[u8]) -> [u8; SIGNATURE_LEN] {
    match key {
        None => [0; SIGNATURE_LEN],
        Some(key) => hmac_sha256(key.secret(), transcript),
    }
}

/// Whether `received` is the signature of `transcript`; takes the same time for any answer.
#[must_use]
pub fn verify_signature(key: Option<&CryptoKey>, transcript: &[u8], received: &[u8]) -> bool {
    signature(key, transcript).as_slice().ct_eq(received).into()
}

/// HMAC-SHA256; any key length is allowed.
pub(super) fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so this can not fail.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(data);
    mac.finalize().into_bytes().into()
}
