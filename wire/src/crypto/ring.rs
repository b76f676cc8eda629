//! ring's cipher.

use super::{Aead, CryptoProvider, Forged, KEY_LEN, NONCE_LEN, TAG_LEN, rust_crypto::RustCrypto};
use alloc::boxed::Box;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

/// The crate `ring`: assembly from BoringSSL. It does not wipe keys on drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring;

impl CryptoProvider for Ring {
    fn name(&self) -> &'static str {
        "ring"
    }

    fn aes_128_gcm(&self, key: &[u8; KEY_LEN]) -> Box<dyn Aead> {
        match UnboundKey::new(&AES_128_GCM, key) {
            Ok(key) => Box::new(LessSafeKey::new(key)),
            // A key of the right length is always taken.
            Err(_) => RustCrypto.aes_128_gcm(key),
        }
    }
}

impl Aead for LessSafeKey {
    fn seal(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8]) -> [u8; TAG_LEN] {
        // Fails only beyond 64 GiB, which no frame is; and without a tag nothing is accepted.
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.seal_in_place_separate_tag(nonce, Aad::empty(), data);
        tag.ok().and_then(|tag| tag.as_ref().try_into().ok()).unwrap_or([0; TAG_LEN])
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Forged> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.open_in_place_separate_tag(nonce, Aad::empty(), Tag::from(*tag), data, 0..);
        opened.map(|_| ()).map_err(|_| Forged)
    }
}
