//! Secure mode: the blocks that a frame is sealed in, and the nonces of each.
//!
//! ```text
//! block A   preamble | first 48 bytes of segment 0                   96 bytes with its tag
//! block B   the rest of segment 0                                    only if there is more
//! block C   segment 1 | segment 2 | segment 3 | late status          only with more than one segment
//! ```
//!
//! Each is one operation of AES-128-GCM, has its tag behind it, and takes one nonce. Inside a block all
//! parts are filled up with zeros to 16 bytes. The tags take the place of the segments' checksums.
//!
//! A direction's nonce is 4 fixed bytes and a counter of 64 bits that may wrap around, but not come
//! back to where it began: then the connection is over.
//!
//! Facts: `msg/async/crypto_onwire.cc`, `msg/async/frames_v2.h` of Ceph; checked against captures.

use super::{FrameError, PREAMBLE_LEN};
use crate::crypto::{Aead, CryptoProvider, KEY_LEN, NONCE_LEN, TAG_LEN};
use alloc::boxed::Box;
use core::fmt;

/// Bytes of segment 0 that are sealed together with the preamble.
pub(super) const INLINE: usize = 48;

/// Bytes of the first block, tag included: what must be there before a frame's length is known.
pub(super) const HEAD_LEN: usize = PREAMBLE_LEN + INLINE + TAG_LEN;

/// What all parts of a block are filled up to.
pub(super) const ALIGN: usize = 16;

/// The end of block C: the late status, filled up.
pub(super) const EPILOGUE_LEN: usize = ALIGN;

/// Bytes of a connection secret that are used: a key and two nonces. Ceph gives 64.
const SECRET_LEN: usize = KEY_LEN + 2 * NONCE_LEN;

/// Operations that a frame may take.
const BLOCKS_MAX: u64 = 3;

/// Which end of a connection this is: each seals with what the other opens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The end that dialled.
    Client,
    /// The end that was dialled.
    Server,
}

/// What seals the frames that one end sends.
pub struct Sealer(Direction);

/// What opens the frames that one end receives.
pub struct Opener(Direction);

/// Makes both directions' ciphers from a connection secret.
///
/// Returns `None` for a secret of fewer than 40 bytes. A secret may be used for one connection only.
#[must_use]
pub fn secure(secret: &[u8], role: Role, provider: &dyn CryptoProvider) -> Option<(Sealer, Opener)> {
    let (secret, _) = secret.split_first_chunk::<SECRET_LEN>()?;
    let (key, nonces) = secret.split_first_chunk::<KEY_LEN>()?;
    let (to_client, to_server) = nonces.split_first_chunk::<NONCE_LEN>()?;
    let to_server = to_server.first_chunk()?;
    let (seals, opens) = match role {
        Role::Client => (to_server, to_client),
        Role::Server => (to_client, to_server),
    };
    let direction = |first| Direction { cipher: provider.aes_128_gcm(key), nonces: Nonces::new(first) };
    Some((Sealer(direction(seals)), Opener(direction(opens))))
}

/// One direction of a connection.
struct Direction {
    cipher: Box<dyn Aead>,
    nonces: Nonces,
}

impl Sealer {
    /// Fails when the next frame may need more nonces than are left; so no frame is begun in vain.
    pub(super) fn check_room(&self) -> Result<(), FrameError> {
        if self.0.nonces.left() < BLOCKS_MAX { Err(FrameError::OutOfNonces) } else { Ok(()) }
    }

    /// Seals `block` in place, whose last bytes are room for the tag.
    pub(super) fn seal(&mut self, block: &mut [u8]) -> Result<(), FrameError> {
        let Some((data, tag)) = block.split_last_chunk_mut::<TAG_LEN>() else { return Ok(()) };
        let nonce = self.0.nonces.take()?;
        *tag = self.0.cipher.seal(&nonce, data);
        Ok(())
    }
}

impl Opener {
    /// Opens, in place, a block that ends with its tag; returns what was sealed.
    pub(super) fn open<'a>(&mut self, block: &'a mut [u8]) -> Result<&'a mut [u8], FrameError> {
        let Some((data, tag)) = block.split_last_chunk_mut::<TAG_LEN>() else {
            return Err(FrameError::Forged);
        };
        let nonce = self.0.nonces.take()?;
        self.0.cipher.open(&nonce, data, tag).map_err(|_| FrameError::Forged)?;
        Ok(data)
    }
}

/// The length of a part inside a block.
pub(super) const fn padded(len: usize) -> usize {
    len.saturating_add(ALIGN - 1) / ALIGN * ALIGN
}

/// The nonces of one direction, each given once.
struct Nonces {
    fixed: [u8; 4],
    first: u64,
    next: u64,
    /// Tells "none yet" from "all".
    used: bool,
}

impl Nonces {
    fn new(raw: &[u8; NONCE_LEN]) -> Self {
        let [a, b, c, d, counter @ ..] = *raw;
        let first = u64::from_le_bytes(counter);
        Self { fixed: [a, b, c, d], first, next: first, used: false }
    }

    /// How many are left, or somewhat more than that.
    fn left(&self) -> u64 {
        if self.used { self.first.wrapping_sub(self.next) } else { u64::MAX }
    }

    fn take(&mut self) -> Result<[u8; NONCE_LEN], FrameError> {
        if self.left() == 0 {
            return Err(FrameError::OutOfNonces);
        }
        let mut nonce = [0; NONCE_LEN];
        nonce[..4].copy_from_slice(&self.fixed);
        nonce[4..].copy_from_slice(&self.next.to_le_bytes());
        self.next = self.next.wrapping_add(1);
        self.used = true;
        Ok(nonce)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::RustCrypto;
    use alloc::vec::Vec;

    fn pair(first: u64) -> (Sealer, Opener) {
        let mut secret = [7; 64];
        for at in [20, 32] {
            secret[at..at + 8].copy_from_slice(&first.to_le_bytes());
        }
        let (sealer, _) = secure(&secret, Role::Client, &RustCrypto).unwrap();
        let (_, opener) = secure(&secret, Role::Server, &RustCrypto).unwrap();
        (sealer, opener)
    }

    /// The counter that leaves `left` nonces, after all before were used.
    fn late(nonces: &mut Nonces, left: u64) {
        (nonces.next, nonces.used) = (nonces.first.wrapping_sub(left), true);
    }

    #[test]
    fn a_nonce_is_four_fixed_bytes_and_a_counter() {
        let mut nonces = Nonces::new(&[1, 2, 3, 4, 0xff, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(nonces.take(), Ok([1, 2, 3, 4, 0xff, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(nonces.take(), Ok([1, 2, 3, 4, 0, 1, 0, 0, 0, 0, 0, 0]));
    }

    #[test]
    fn the_counter_wraps_around_and_ends_where_it_began() {
        for first in [0, 1, 5, u64::MAX - 1, u64::MAX] {
            let mut nonces = Nonces::new(&[9; NONCE_LEN]);
            (nonces.first, nonces.next) = (first, first);
            assert_eq!(nonces.left(), u64::MAX);
            late(&mut nonces, 3);
            let given: Vec<_> = core::iter::from_fn(|| nonces.take().ok()).collect();
            let counters: Vec<_> = [3, 2, 1].map(|n| first.wrapping_sub(n).to_le_bytes()).into();
            assert_eq!(given.iter().map(|nonce| &nonce[4..]).collect::<Vec<_>>(), counters);
            assert_eq!(nonces.take(), Err(FrameError::OutOfNonces), "and it stays so");
            assert_eq!(nonces.take(), Err(FrameError::OutOfNonces));
        }
    }

    #[test]
    fn both_ends_go_over_the_wrap_together_and_stop_together() {
        for first in [0, 1, u64::MAX] {
            let (mut sealer, mut opener) = pair(first);
            // Over 2^64 first, then to the end.
            for left in [first.wrapping_add(3), 4] {
                late(&mut sealer.0.nonces, left);
                late(&mut opener.0.nonces, left);
                for n in 0..4 {
                    let mut block = [n; 48];
                    sealer.seal(&mut block).unwrap();
                    assert_eq!(opener.open(&mut block).unwrap(), [n; 32]);
                    if sealer.0.nonces.left() == 0 {
                        break;
                    }
                }
            }
            assert_eq!(sealer.seal(&mut [0; 32]), Err(FrameError::OutOfNonces));
            assert_eq!(opener.open(&mut [0; 32]), Err(FrameError::OutOfNonces));
        }
    }

    #[test]
    fn a_frame_is_not_begun_without_nonces_for_all_of_it() {
        let (mut sealer, _) = pair(17);
        assert_eq!(sealer.check_room(), Ok(()));
        late(&mut sealer.0.nonces, 3);
        assert_eq!(sealer.check_room(), Ok(()));
        late(&mut sealer.0.nonces, 2);
        assert_eq!(sealer.check_room(), Err(FrameError::OutOfNonces));
    }

    #[test]
    fn a_short_secret_is_none() {
        assert!(secure(&[1; 39], Role::Client, &RustCrypto).is_none());
        assert!(secure(&[1; 40], Role::Client, &RustCrypto).is_some());
    }
}
