//! The cipher of `aes256k` keys: aes256-cts-hmac-sha384-192 of RFC 8009.
//!
//! Facts: RFC 8009, RFC 3962 (ciphertext stealing); key usage numbers: `auth/Crypto.h`.

use super::CryptoError;
use super::envelope::CONFOUNDER_LEN;
use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use alloc::vec::Vec;
use hmac::{Hmac, Mac};
use sha2::Sha384;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

const BLOCK: usize = 16;
const MAC_LEN: usize = 24;

/// The key derivation's last constant byte: for encryption, and for the integrity check.
const FOR_ENCRYPTION: u8 = 0xaa;
const FOR_INTEGRITY: u8 = 0x55;

/// Encrypts `confounder ‖ plain` and appends the integrity check.
pub(super) fn encrypt(
    secret: &[u8],
    usage: u32,
    confounder: &[u8; CONFOUNDER_LEN],
    plain: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut data = Vec::with_capacity(CONFOUNDER_LEN + plain.len() + MAC_LEN);
    data.extend_from_slice(confounder);
    data.extend_from_slice(plain);
    encrypt_cts(&cipher(secret, usage)?, &mut data);
    let mac = integrity(secret, usage, &data);
    data.extend_from_slice(&mac);
    Ok(data)
}

/// Checks the integrity, decrypts, and drops the confounder.
pub(super) fn decrypt(secret: &[u8], usage: u32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let Some((data, mac)) = sealed.split_last_chunk::<MAC_LEN>() else { return Err(CryptoError::Garbled) };
    if data.len() < CONFOUNDER_LEN || !bool::from(integrity(secret, usage, data).ct_eq(mac)) {
        return Err(CryptoError::Garbled);
    }
    let mut data = Zeroizing::new(data.to_vec());
    decrypt_cts(&cipher(secret, usage)?, &mut data);
    data.drain(..CONFOUNDER_LEN);
    Ok(data)
}

fn cipher(secret: &[u8], usage: u32) -> Result<Aes256, CryptoError> {
    let derived = Zeroizing::new(derive(secret, usage, FOR_ENCRYPTION, 256));
    Aes256::new_from_slice(&derived[..32]).map_err(|_| CryptoError::Garbled)
}

fn integrity(secret: &[u8], usage: u32, data: &[u8]) -> [u8; MAC_LEN] {
    let derived = Zeroizing::new(derive(secret, usage, FOR_INTEGRITY, 192));
    let mac = hmac_sha384(&derived[..MAC_LEN], &[&[0; BLOCK], data]);
    let mut short = [0; MAC_LEN];
    short.copy_from_slice(&mac[..MAC_LEN]);
    short
}

/// KDF-HMAC-SHA2 of RFC 8009: one block is enough for every key asked for here.
fn derive(secret: &[u8], usage: u32, purpose: u8, bits: u32) -> [u8; 48] {
    let [u0, u1, u2, u3] = usage.to_be_bytes();
    hmac_sha384(secret, &[&1_u32.to_be_bytes(), &[u0, u1, u2, u3, purpose], &[0], &bits.to_be_bytes()])
}

fn hmac_sha384(key: &[u8], parts: &[&[u8]]) -> [u8; 48] {
    // HMAC takes keys of every length, so this can not fail.
    let Ok(mut mac) = Hmac::<Sha384>::new_from_slice(key) else { return [0; 48] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn xor(block: &mut [u8; BLOCK], with: &[u8; BLOCK]) {
    block.iter_mut().zip(with).for_each(|(a, b)| *a ^= b);
}

/// CBC with ciphertext stealing, variant CS3 (the last two blocks always change places), vector zero.
/// `data` is at least one block long.
fn encrypt_cts(cipher: &Aes256, data: &mut Vec<u8>) {
    let len = data.len();
    data.resize(len.next_multiple_of(BLOCK), 0);
    let (blocks, _) = data.as_chunks_mut::<BLOCK>();
    let mut previous = [0; BLOCK];
    for block in blocks.iter_mut() {
        xor(block, &previous);
        cipher.encrypt_block(block.into());
        previous = *block;
    }
    if let [.., a, b] = blocks {
        core::mem::swap(a, b);
    }
    data.truncate(len);
}

fn decrypt_cts(cipher: &Aes256, data: &mut Vec<u8>) {
    let len = data.len();
    data.resize(len.next_multiple_of(BLOCK), 0);
    let stolen = data.len() - len;
    let (blocks, _) = data.as_chunks_mut::<BLOCK>();
    if let [.., a, b] = blocks {
        // `a` holds the last full block; `b` the one before, whose end was stolen: it is what `a`
        // decrypts to in those places, as the plaintext there was zeros.
        let mut tail = *a;
        cipher.decrypt_block((&mut tail).into());
        b[BLOCK - stolen..].copy_from_slice(&tail[BLOCK - stolen..]);
        core::mem::swap(a, b);
    }
    let mut previous = [0; BLOCK];
    for block in blocks {
        let ciphertext = *block;
        cipher.decrypt_block(block.into());
        xor(block, &previous);
        previous = ciphertext;
    }
    data.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let pairs = digits.chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// The 256-bit key of RFC 8009, appendix A.
    fn base_key() -> Vec<u8> {
        unhex("6D404D37FAF79F9DF0D33568D320669800EB4836472EA8A026D16B7182460C52")
    }

    #[test]
    fn keys_derive_as_in_rfc_8009() {
        let ke = "56AB22BEE63D82D7BC5227F6773F8EA7A5EB1C825160C38312980C442E5C7E49";
        assert_eq!(derive(&base_key(), 2, FOR_ENCRYPTION, 256)[..32], unhex(ke));
        let ki = "69B16514E3CD8E56B82010D5C73012B622C4D00FFC23ED1F";
        assert_eq!(derive(&base_key(), 2, FOR_INTEGRITY, 192)[..MAC_LEN], unhex(ki));
    }

    /// Sample encryptions of RFC 8009, appendix A: usage 2; confounder, plaintext, ciphertext.
    const SAMPLES: [[&str; 3]; 4] = [
        [
            "F764E9FA15C276478B2C7D0C4E5F58E4",
            "",
            "41F53FA5BFE7026D91FAF9BE959195A058707273A96A40F0A01960621AC612748B9BBFBE7EB4CE3C",
        ],
        [
            "B80D3251C1F6471494256FFE712D0B9A",
            "000102030405",
            "4ED7B37C2BCAC8F74F23C1CF07E62BC7B75FB3F637B9F559C7F664F69EAB7B60\
             92237526EA0D1F61CB20D69D10F2",
        ],
        [
            "53BF8A0D105265D4E276428624CE5E63",
            "000102030405060708090A0B0C0D0E0F",
            "BC47FFEC7998EB91E8115CF8D19DAC4BBBE2E163E87DD37F49BECA92027764F6\
             8CF51F14D798C2273F35DF574D1F932E40C4FF255B36A266",
        ],
        [
            "763E65367E864F02F55153C7E3B58AF1",
            "000102030405060708090A0B0C0D0E0F1011121314",
            "40013E2DF58E8751957D2878BCD2D6FE101CCFD556CB1EAE79DB3C3EE86429F2\
             B2A602AC86FEF6ECB647D6295FAE077A1FEB517508D2C16B4192E01F62",
        ],
    ];

    #[test]
    fn messages_encrypt_and_decrypt_as_in_rfc_8009() {
        for [confounder, plain, sealed] in SAMPLES {
            let confounder: [u8; 16] = unhex(confounder).try_into().unwrap();
            let (plain, sealed) = (unhex(plain), unhex(sealed));
            assert_eq!(encrypt(&base_key(), 2, &confounder, &plain).unwrap(), sealed);
            assert_eq!(*decrypt(&base_key(), 2, &sealed).unwrap(), plain);
        }
    }

    #[test]
    fn any_flipped_bit_another_usage_or_length_is_refused() {
        let sealed = unhex(SAMPLES[3][2]);
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 0x10;
            assert_eq!(decrypt(&base_key(), 2, &bad), Err(CryptoError::Garbled));
            assert_eq!(decrypt(&base_key(), 2, &sealed[..at]), Err(CryptoError::Garbled));
        }
        assert_eq!(decrypt(&base_key(), 3, &sealed), Err(CryptoError::Garbled));
    }
}
