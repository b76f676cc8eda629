//! The first bytes of a connection, from both sides at once.

use super::FrameError;
use crate::Encode;
use bytes::{Buf, BufMut, BytesMut};

const MAGIC: &[u8; 8] = b"ceph v2\n";

/// What every version of the messenger before msgr2 starts with.
const MAGIC_V1: &[u8; 8] = b"ceph v02";

/// Magic and length field.
const HEAD: usize = 10;

/// The two fields that are known.
const FIELDS: u16 = 16;

/// The longest payload that is accepted; newer peers may append fields.
const PAYLOAD_MAX: u16 = 1024;

/// The features of a peer's messenger, exchanged before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Banner {
    /// The features that the sender has.
    pub supported: u64,
    /// The features that the sender wants its peer to have.
    pub required: u64,
}

impl Banner {
    /// Revision 1 of msgr2: late Nautilus and everything after it.
    pub const REVISION_1: u64 = 1;

    /// An exchange of compression methods before the session; Quincy and everything after it.
    pub const COMPRESSION: u64 = 2;

    /// What is spoken here: revision 1 and nothing else.
    pub const OURS: Self = Self { supported: Self::REVISION_1, required: Self::REVISION_1 };

    /// Judges a peer's banner from the point of view of one's own.
    ///
    /// # Errors
    /// [`FrameError::Revision0`] when the peer lacks a required revision 1, else
    /// [`FrameError::BannerFeatures`] with what either side requires and the other lacks.
    pub const fn accept(&self, peer: &Self) -> Result<(), FrameError> {
        let peer_lacks = self.required & !peer.supported;
        if peer_lacks & Self::REVISION_1 != 0 {
            return Err(FrameError::Revision0);
        }
        match peer_lacks | peer.required & !self.supported {
            0 => Ok(()),
            bits => Err(FrameError::BannerFeatures(bits)),
        }
    }

    /// Reads a banner from the front of `bytes`: the banner and its length, or `None` while it is
    /// incomplete. Wrong bytes are an error as soon as they are there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let seen = bytes.len().min(MAGIC.len());
        if bytes[..seen] != MAGIC[..seen] {
            let v1 = bytes[..seen] == MAGIC_V1[..seen];
            // Seven bytes can not tell a v1 peer from something else.
            return match (v1, seen == MAGIC_V1.len()) {
                (true, false) => Ok(None),
                (true, true) => Err(FrameError::Msgr1),
                (false, _) => Err(FrameError::NotCeph),
            };
        }
        let Some((mut len, rest)) = bytes.get(MAGIC.len()..).and_then(|rest| rest.split_at_checked(2)) else {
            return Ok(None);
        };
        let len = len.get_u16_le();
        if !(FIELDS..=PAYLOAD_MAX).contains(&len) {
            return Err(FrameError::BannerLength(len));
        }
        let Some(mut payload) = rest.get(..len.into()) else { return Ok(None) };
        let banner = Self { supported: payload.get_u64_le(), required: payload.get_u64_le() };
        Ok(Some((banner, HEAD + usize::from(len))))
    }
}

impl Encode for Banner {
    fn encode(&self, out: &mut BytesMut) {
        out.put_slice(MAGIC);
        out.put_u16_le(FIELDS);
        out.put_u64_le(self.supported);
        out.put_u64_le(self.required);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let bytes = Banner { supported: 3, required: 1 }.to_bytes();
        assert_eq!(&bytes[..], b"ceph v2\n\x10\0\x03\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0");
        assert_eq!(Banner::read(&bytes), Ok(Some((Banner { supported: 3, required: 1 }, 26))));
        for len in 0..bytes.len() {
            assert_eq!(Banner::read(&bytes[..len]), Ok(None), "{len} bytes");
        }
    }

    #[test]
    fn appended_fields_are_stepped_over_up_to_a_bound() {
        let mut bytes = b"ceph v2\n\x14\0".to_vec();
        bytes.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9]);
        assert_eq!(Banner::read(&bytes), Ok(None));
        bytes.extend_from_slice(&[9, 7]);
        assert_eq!(Banner::read(&bytes), Ok(Some((Banner { supported: 1, required: 0 }, 30))));

        let head = |len: u16| [&MAGIC[..], &len.to_le_bytes()].concat();
        assert_eq!(Banner::read(&head(PAYLOAD_MAX)), Ok(None));
        assert_eq!(Banner::read(&head(PAYLOAD_MAX + 1)), Err(FrameError::BannerLength(PAYLOAD_MAX + 1)));
        assert_eq!(Banner::read(&head(15)), Err(FrameError::BannerLength(15)));
    }

    #[test]
    fn other_protocols_are_named() {
        assert_eq!(Banner::read(b"ceph v027"), Err(FrameError::Msgr1));
        assert_eq!(Banner::read(b"ceph v0"), Ok(None));
        assert_eq!(Banner::read(b"ceph v03"), Err(FrameError::NotCeph));
        assert_eq!(Banner::read(b"SSH-2.0"), Err(FrameError::NotCeph));
        assert_eq!(Banner::read(b"x"), Err(FrameError::NotCeph));
    }

    #[test]
    fn features_are_judged_from_both_sides() {
        let peer = |supported, required| Banner::OURS.accept(&Banner { supported, required });
        assert_eq!(peer(1, 0), Ok(()));
        assert_eq!(peer(3, 1), Ok(()));
        assert_eq!(peer(0, 0), Err(FrameError::Revision0));
        assert_eq!(peer(2, 0), Err(FrameError::Revision0));
        assert_eq!(peer(3, 3), Err(FrameError::BannerFeatures(2)));
    }
}
