//! RustCrypto's cipher.

use super::{Aead, CryptoProvider, Forged, KEY_LEN, NONCE_LEN, TAG_LEN};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::{AeadInOut, Aes128Gcm, KeyInit};
use alloc::boxed::Box;

/// The crates of the RustCrypto project: pure Rust, without std. Keys are wiped on drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RustCrypto;

impl CryptoProvider for RustCrypto {
    fn name(&self) -> &'static str {
        "RustCrypto"
    }

    fn aes_128_gcm(&self, key: &[u8; KEY_LEN]) -> Box<dyn Aead> {
        Box::new(Aes128Gcm::new(key.into()))
    }
}

impl Aead for Aes128Gcm {
    fn seal(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8]) -> [u8; TAG_LEN] {
        // Fails only beyond 64 GiB, which no frame is; and without a tag nothing is accepted.
        let tag = self.encrypt_inout_detached(nonce.into(), &[], InOutBuf::from(data));
        tag.map_or([0; TAG_LEN], Into::into)
    }

    fn open(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Forged> {
        self.decrypt_inout_detached(nonce.into(), &[], InOutBuf::from(data), tag.into()).map_err(|_| Forged)
    }
}
