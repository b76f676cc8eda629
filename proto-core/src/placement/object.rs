//! From an object's name to its placement group, and to the number CRUSH places the group by.
//!
//! Facts: `pg_pool_t::hash_key` and `raw_pg_to_pps` in `osd/osd_types.cc`, `common/ceph_hash.cc`, `include/rados.h`.

use super::crush::hash::mix;
use super::crush::hash2;
use linger_wire::osdmap::{Pool, pool_flags};
use linger_wire::{Name, PgId};
use smallvec::SmallVec;

const LINUX: u8 = 1;
const RJENKINS: u8 = 2;

/// Stands between namespace and name in what is hashed.
const SEPARATOR: u8 = 0x1f;

/// The hash of an object by which it is placed; `kind` is [`Pool::object_hash`].
///
/// `name` is the object's locator key if it has one, else its name.
#[must_use]
pub fn object_hash(kind: u8, nspace: &Name, name: &Name) -> u32 {
    if nspace.is_empty() {
        return string_hash(kind, name.as_bytes());
    }
    let mut text = SmallVec::<[u8; 128]>::from_slice(nspace.as_bytes());
    text.push(SEPARATOR);
    text.extend_from_slice(name.as_bytes());
    string_hash(kind, &text)
}

fn string_hash(kind: u8, text: &[u8]) -> u32 {
    match kind {
        LINUX => linux_hash(text),
        RJENKINS => rjenkins_hash(text),
        // As Ceph does; no such pool has ever been made.
        _ => u32::MAX,
    }
}

/// As Linux hashed directory entries.
fn linux_hash(text: &[u8]) -> u32 {
    text.iter().fold(0u32, |hash, byte| {
        let byte = u32::from(*byte);
        hash.wrapping_add(byte << 4).wrapping_add(byte >> 4).wrapping_mul(11)
    })
}

/// Bob Jenkins' hash of 1996 ("lookup2"), from zero.
fn rjenkins_hash(text: &[u8]) -> u32 {
    let (mut a, mut b, mut c) = (0x9e37_79b9, 0x9e37_79b9, 0);
    let (blocks, tail) = text.as_chunks::<12>();
    for block in blocks {
        add_block(block, [&mut a, &mut b, &mut c]);
        mix(&mut a, &mut b, &mut c);
    }
    // The length stands in the lowest byte of the third word, the tail above it.
    let mut last = [0; 12];
    let (front, back) = tail.split_at(tail.len().min(8));
    last[..front.len()].copy_from_slice(front);
    last[9..9 + back.len()].copy_from_slice(back);
    add_block(&last, [&mut a, &mut b, &mut c]);
    c = u32::wrapping_add(c, text.len() as u32);
    mix(&mut a, &mut b, &mut c);
    c
}

fn add_block(block: &[u8; 12], words: [&mut u32; 3]) {
    for (bytes, word) in block.as_chunks::<4>().0.iter().zip(words) {
        *word = word.wrapping_add(u32::from_le_bytes(*bytes));
    }
}

/// `x` modulo `n`, such that few values move when `n` grows (`ceph_stable_mod`). 0 if `n` is 0.
#[must_use]
pub const fn stable_mod(x: u32, n: u32) -> u32 {
    let mask = mask(n);
    if x & mask < n { x & mask } else { x & (mask >> 1) }
}

/// The smallest 2^k - 1 that is at least `n` - 1.
const fn mask(n: u32) -> u32 {
    match n.saturating_sub(1).checked_ilog2() {
        Some(bits) => u32::MAX >> (31 - bits),
        None => 0,
    }
}

/// The placement group of a raw one, whose seed is an object's whole hash.
#[must_use]
pub const fn actual_pg(pool: &Pool, raw: PgId) -> PgId {
    PgId { pool: raw.pool, seed: stable_mod(raw.seed, pool.pg_num) }
}

/// The number by which CRUSH places a group, and by which OSDs turn down the primary role.
#[must_use]
pub fn placement_seed(pool: &Pool, pg: PgId) -> u32 {
    let seed = stable_mod(pg.seed, pool.pgp_num);
    // Only the low half of the pool's number counts.
    let id = pg.pool as u32;
    match pool.has_flag(pool_flags::HASHPSPOOL) {
        true => hash2(seed, id),
        // Pools of the same size overlap then; so it was before 2013.
        false => seed.wrapping_add(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hash_as_in_ceph() {
        // Seen on a live cluster: `ceph osd map` of this object.
        assert_eq!(object_hash(2, &Name::default(), &Name::from("vpobj")), 0x84de_4f9e);
    }

    #[test]
    fn linux_hash_of_short_names() {
        // (0 + 'a' * 16 + 'a' / 16) * 11, and once more with 'b'.
        let a = (97 * 16 + 6) * 11;
        assert_eq!(object_hash(1, &Name::default(), &Name::from("a")), a);
        assert_eq!(object_hash(1, &Name::default(), &Name::from("ab")), (a + 98 * 16 + 6) * 11);
        assert_eq!(object_hash(1, &Name::from("a"), &Name::from("b")), {
            object_hash(1, &Name::default(), &Name::from("a\x1fb"))
        });
        assert_eq!(object_hash(7, &Name::default(), &Name::from("a")), u32::MAX);
    }

    #[test]
    fn stable_mod_folds_the_upper_half() {
        assert_eq!((0..16).map(|x| stable_mod(x, 12)).collect::<Vec<_>>()[8..], [8, 9, 10, 11, 4, 5, 6, 7]);
        assert!((0..100).all(|x| stable_mod(x, 8) == x % 8));
        assert!((0..100).all(|x| stable_mod(x, 1) == 0 && stable_mod(x, 0) == 0));
        assert_eq!(stable_mod(u32::MAX, u32::MAX), u32::MAX >> 1);
        assert_eq!(stable_mod(u32::MAX, 0x8000_0001), u32::MAX >> 1);
    }

    #[test]
    fn growing_moves_only_into_new_groups() {
        for n in 1..70 {
            for x in 0..1000 {
                let (before, after) = (stable_mod(x, n), stable_mod(x, n + 1));
                assert!(after == before || after == n, "{x} of {n}: {before} {after}");
            }
        }
    }
}
