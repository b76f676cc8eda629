//! The cipher of secure connections, behind a boundary: who has a better one brings it.
//!
//! Nothing but AES-128-GCM is here, as only frames are many. Logins, which are few, use RustCrypto's
//! crates throughout (see [`cephx`](crate::cephx)).
//!
//! # Which cipher
//!
//! Sealing one block, in ns and relative to the default, on two cores of an AMD EPYC with AES, VAES and
//! VPCLMULQDQ (`cargo bench -p linger-benches --bench crypto --features rivals`):
//!
//! | | needs | 256 B | 4 KiB | 64 KiB |
//! |---|---|---|---|---|
//! | [`RustCrypto`] (aes-gcm 0.11), the default | nothing: pure Rust, `no_std` | 184 | 1663 | 25230 |
//! | `Ring` (0.17), by the feature `ring` | a C compiler for the target | 106 (0.58) | 574 (0.35) | 8045 (0.32) |
//! | graviola 0.4 | AES and AVX2, or ARMv8; else it panics | 120 (0.65) | 1028 (0.62) | 15534 (0.62) |
//! | aws-lc-rs 1.19 | a C compiler, minutes to build | 174 (0.95) | 1066 (0.64) | 15384 (0.61) |
//! | `openssl speed`, 3.0 | | 493 (2.7) | 1380 (0.83) | 15668 (0.62) |
//!
//! linger is built into static and cross-compiled programs and into firmware, so the default takes no C
//! and every target. It finds AES-NI, PCLMULQDQ and ARMv8's instructions at run time. A notify and its
//! ack are four small frames for a watcher, some 0.8 microseconds of the 300 that a round trip takes; who
//! moves megabytes picks the feature `ring`, the fastest of all. A device with a cipher of its own
//! implements [`CryptoProvider`].

#[cfg(feature = "ring")]
mod ring;
mod rust_crypto;

#[cfg(feature = "ring")]
pub use ring::Ring;
pub use rust_crypto::RustCrypto;

use alloc::boxed::Box;
use core::fmt;

/// Bytes of a key.
pub const KEY_LEN: usize = 16;

/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;

/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// Makes ciphers.
pub trait CryptoProvider: fmt::Debug + Send + Sync {
    /// The name, for logs.
    fn name(&self) -> &'static str;

    /// AES-128-GCM with this key and without associated data. The cipher should wipe its key when it
    /// is dropped.
    fn aes_128_gcm(&self, key: &[u8; KEY_LEN]) -> Box<dyn Aead>;
}

/// AES-128-GCM with one key.
pub trait Aead: Send + Sync {
    /// Encrypts `data` in place and returns its tag. No nonce may ever come twice.
    fn seal(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8]) -> [u8; TAG_LEN];

    /// Checks the tag in constant time and decrypts `data` in place.
    ///
    /// # Errors
    /// [`Forged`] when the tag is not that of these bytes; what is in `data` then means nothing.
    fn open(&self, nonce: &[u8; NONCE_LEN], data: &mut [u8], tag: &[u8; TAG_LEN]) -> Result<(), Forged>;
}

/// Bytes that were not sealed with this key and nonce, or were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forged;

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sealed with this key")
    }
}

impl core::error::Error for Forged {}

/// The fastest provider that the crate was built with.
#[must_use]
pub fn default_provider() -> &'static dyn CryptoProvider {
    #[cfg(feature = "ring")]
    let provider = &Ring;
    #[cfg(not(feature = "ring"))]
    let provider = &RustCrypto;
    provider
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn providers() -> Vec<&'static dyn CryptoProvider> {
        vec![
            &RustCrypto,
            #[cfg(feature = "ring")]
            &Ring,
        ]
    }

    fn unhex<const N: usize>(text: &str) -> [u8; N] {
        let byte = |n: usize| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap();
        core::array::from_fn(byte)
    }

    /// Test cases 2 and 3 of the GCM specification by McGrew and Viega.
    #[test]
    fn known_answers() {
        for provider in providers() {
            let mut data = [0; 16];
            let tag = provider.aes_128_gcm(&[0; 16]).seal(&[0; 12], &mut data);
            assert_eq!(data, unhex("0388dace60b6a392f328c2b971b2fe78"), "{provider:?}");
            assert_eq!(tag, unhex("ab6e47d42cec13bdf53a67b21257bddf"));

            let mut data: [u8; 64] = unhex(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                 1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
            );
            let cipher = provider.aes_128_gcm(&unhex("feffe9928665731c6d6a8f9467308308"));
            let tag = cipher.seal(&unhex("cafebabefacedbaddecaf888"), &mut data);
            let sealed = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                          21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985";
            assert_eq!(data, unhex(sealed));
            assert_eq!(tag, unhex("4d5c2af327cd64a62cf35abd2ba6fab4"));
        }
    }

    proptest! {
        #[test]
        fn providers_agree_and_notice_every_change(
            key: [u8; 16], nonce: [u8; 12], plain: Vec<u8>, at: prop::sample::Index, bit in 0..8u32,
        ) {
            let mut sealed = plain.clone();
            let tag = RustCrypto.aes_128_gcm(&key).seal(&nonce, &mut sealed);
            for provider in providers() {
                let cipher = provider.aes_128_gcm(&key);
                let mut data = plain.clone();
                prop_assert_eq!(cipher.seal(&nonce, &mut data), tag);
                prop_assert_eq!(&data, &sealed);
                prop_assert_eq!(cipher.open(&nonce, &mut data, &tag), Ok(()));
                prop_assert_eq!(&data, &plain);

                let mut whole = [sealed.as_slice(), &tag].concat();
                let at = at.index(whole.len());
                whole[at] ^= 1 << bit;
                let (data, tag) = whole.split_last_chunk_mut().unwrap();
                prop_assert_eq!(cipher.open(&nonce, data, tag), Err(Forged));
                let mut other = nonce;
                other[at % 12] ^= 1;
                let mut data = sealed.clone();
                let tag = RustCrypto.aes_128_gcm(&key).seal(&nonce, &mut plain.clone());
                prop_assert_eq!(cipher.open(&other, &mut data, &tag), Err(Forged));
            }
        }
    }
}
