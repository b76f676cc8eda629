//! The fixed-point logarithm of straw2, bit for bit as Ceph's tables give it.
//!
//! Facts: `crush/mapper.c`, `crush/crush_ln_table.h` of Ceph. The second table of Ceph is not an
//! exact logarithm; what it adds is part of every cluster's placement and so is kept here.

/// 2⁴⁸ · log2(`u` + 1) / 16, roughly: 0 for 0 and just below 2⁴⁸ for 0xffff.
///
/// Only the low 16 bits of `u` count.
#[inline]
pub(super) fn ln(u: u32) -> u64 {
    let x = (u & 0xffff) + 1;
    // Normalises x to [2^15, 2^16]; 2^16 stays.
    let shift = if x & 0x1_8000 == 0 { x.leading_zeros() - 16 } else { 0 };
    let x = u64::from(x << shift);
    let exponent = u64::from(15 - shift);
    let k = ((x >> 8) - 128) as usize;
    let (reciprocal, log) = COARSE[k];
    let j = (x.wrapping_mul(reciprocal) >> 48) & 0xff;
    (exponent << 44) + ((log + FINE[j as usize]) >> 4)
}

/// For k in 0..=128: ceil(2⁴⁸ / (1 + k/128)) and floor(2⁴⁸ · log2(1 + k/128)).
static COARSE: [(u64, u64); 129] = coarse();

/// For k in 0..256: floor(2⁴⁸ · log2(1 + k/2¹⁵)), plus what Ceph's table adds.
static FINE: [u64; 256] = fine();

const fn coarse() -> [(u64, u64); 129] {
    let mut table = [(0, 0); 129];
    let mut k = 0;
    while k < 128 {
        table[k] = ((1u64 << 55).div_ceil(128 + k as u64), log2(128 + k as u64, 7));
        k += 1;
    }
    table[128] = (1 << 47, 0xffff_0000_0000);
    table
}

const fn fine() -> [u64; 256] {
    let mut table = [0; 256];
    let mut k = 0;
    while k < 256 {
        table[k] = log2((1 << 15) + k as u64, 15) + if exact(k) { 0 } else { COMMON_EXCESS };
        k += 1;
    }
    let mut n = 0;
    while n < ODD_EXCESS.len() {
        let (k, excess) = ODD_EXCESS[n];
        table[k] = table[k] - COMMON_EXCESS + excess;
        n += 1;
    }
    table
}

/// floor(2⁴⁸ · log2(`n` / 2^`bits`)) for 1 ≤ `n` / 2^`bits` < 2.
const fn log2(n: u64, bits: u32) -> u64 {
    // Squaring doubles the logarithm: each time it passes 1, that is the next binary digit.
    let mut y = (n as u128) << (63 - bits);
    let mut digits = 0;
    let mut n = 0;
    while n < 48 {
        y = (y * y) >> 63;
        digits <<= 1;
        if y >> 64 != 0 {
            digits |= 1;
            y >>= 1;
        }
        n += 1;
    }
    digits
}

const COMMON_EXCESS: u64 = 0x1_4770_0000;

/// Whether Ceph's table has the exact logarithm for `k`.
const fn exact(k: usize) -> bool {
    matches!(k, 0 | 1 | 203 | 216 | 222 | 233 | 237..=239 | 243..=246 | 248..)
}

/// The entries that exceed the exact value by something else.
const ODD_EXCESS: [(usize, u64); 23] = [
    (56, 0x1_3ed9_b9b0),
    (127, 0x3a4f_4285),
    (134, 0xd5e8_95a5),
    (181, 0xeee4_abc5),
    (184, 0x1_4340_b8bf),
    (188, 0x833e_b34b),
    (193, 0xe43e_ed13),
    (198, 0x95ad_3c32),
    (199, 0x9f2a_5b80),
    (200, 0xe2f4_5e65),
    (207, 0x1_2cba_cd37),
    (210, 0x1_144d_0710),
    (212, 0xdac5_961c),
    (225, 0xbf46_f5f9),
    (227, 0x5a42_d14a),
    (228, 0x9eac_5357),
    (229, 0x217c_fafc),
    (231, 0xd2d5_723c),
    (235, 0x1_21cb_06eb),
    (236, 0x1_3ac6_617a),
    (240, 0x9df6_bfdd),
    (241, 0xfa8d_3579),
    (247, 0x1595_5a58),
];

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::String, vec::Vec};
    use sha2::{Digest, Sha256};

    fn sha256(words: impl Iterator<Item = u64>) -> String {
        let bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn tables_are_those_of_ceph() {
        assert_eq!(
            sha256(COARSE.iter().flat_map(|&(reciprocal, log)| [reciprocal, log])),
            "304b097c8de73930d785af5802b1f6b4e9827a69175038f910f6120565e8364c"
        );
        assert_eq!(
            sha256(FINE.iter().copied()),
            "56fecbea65b1d35d0d20f0327d783a870652a56356e9a5326b6ab16d6c31b6ca"
        );
    }

    #[test]
    fn values() {
        let expected = [
            (0, 0),
            (1, 0x1000_0000_0000),
            (2, 0x195c_01a3_9fbd),
            (0x8000, 0xf000_2e2a_60a0),
            (0xfffe, 0xffff_fd61_ad10),
            (0xffff, 0xffff_f000_0000),
        ];
        for (u, value) in expected {
            assert_eq!(ln(u), value, "{u:#x}");
        }
    }
}
