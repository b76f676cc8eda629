//! Secure mode without its cipher, so that what is behind the tags is reached.

use bytes::Buf;
use linger_wire::crypto::{Aead, CryptoProvider, Forged, KEY_LEN, NONCE_LEN, TAG_LEN};
use linger_wire::frame::{Opener, PREAMBLE_LEN, Role, Sealer, secure};

/// Leaves everything as it is, and takes every tag.
#[derive(Debug)]
struct NoCipher;

impl CryptoProvider for NoCipher {
    fn name(&self) -> &'static str {
        "none"
    }

    fn aes_128_gcm(&self, _: &[u8; KEY_LEN]) -> Box<dyn Aead> {
        Box::new(Self)
    }
}

impl Aead for NoCipher {
    fn seal(&self, _: &[u8; NONCE_LEN], _: &mut [u8]) -> [u8; TAG_LEN] {
        [0; TAG_LEN]
    }

    fn open(&self, _: &[u8; NONCE_LEN], _: &mut [u8], _: &[u8; TAG_LEN]) -> Result<(), Forged> {
        Ok(())
    }
}

/// Both directions of a client's end, under a cipher that changes nothing: for seeds, too.
pub fn ends_without_cipher() -> (Sealer, Opener) {
    secure(&[0; 64], Role::Client, &NoCipher).expect("the secret is long enough")
}

/// Writes the right checksums into whatever can be taken for preambles.
pub(super) fn repair(mut rest: &mut [u8]) {
    while rest.len() >= PREAMBLE_LEN {
        let sum = !crc32c::crc32c_append(!0, &rest[..28]);
        rest[28..PREAMBLE_LEN].copy_from_slice(&sum.to_le_bytes());
        let lens = [2, 8, 14, 20].map(|at| (&rest[at..at + 4]).get_u32_le() as usize);
        let padded = |len: usize| len.div_ceil(16).saturating_mul(16);
        let mut at = PREAMBLE_LEN + 48 + TAG_LEN;
        if lens[0] > 48 {
            at += padded(lens[0] - 48) + TAG_LEN;
        }
        if rest[1] > 1 {
            at += lens[1..].iter().map(|len| padded(*len)).sum::<usize>() + 16 + TAG_LEN;
        }
        rest = rest.get_mut(at..).unwrap_or_default();
    }
}
