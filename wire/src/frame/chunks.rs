//! Bytes that wait to be sent, as a list of buffers.

use alloc::collections::VecDeque;
use bytes::{Buf, Bytes, BytesMut};
#[cfg(feature = "std")]
use std::io::IoSlice;

/// Buffers up to this many bytes are cheaper to copy than to send as a buffer of their own.
const COPY_MAX: usize = 2 << 10;

/// A tail beyond this many bytes is given back once it is sent.
const KEEP: usize = 64 << 10;

/// Bytes that wait to be sent.
///
/// Small things are appended to one growing tail, large ones are kept as the buffers they are. To
/// send, read it as a [`Buf`]: `chunks_vectored` for a vectored write, then `advance` by what was
/// written.
#[derive(Debug, Default)]
pub struct Chunks {
    queue: VecDeque<Bytes>,
    /// Bytes in `queue`.
    queued: usize,
    /// Follows everything in `queue`.
    tail: BytesMut,
}

impl Chunks {
    /// Nothing to send; allocates with the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queued + self.tail.len()
    }

    /// Whether no bytes wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The buffer to append to: what is encoded here is sent after everything already inside.
    pub fn tail(&mut self) -> &mut BytesMut {
        &mut self.tail
    }

    /// Appends a buffer, without copying it when it is large.
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPY_MAX {
            self.tail.extend_from_slice(&bytes);
            return;
        }
        if !self.tail.is_empty() {
            self.queued += self.tail.len();
            self.queue.push_back(self.tail.split().freeze());
        }
        self.queued += bytes.len();
        self.queue.push_back(bytes);
    }
}

impl Buf for Chunks {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.queue.front().map_or(&self.tail, |first| first)
    }

    /// # Panics
    /// When `count` is more than [`Chunks::len`].
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len(), "can not advance by {count} of {}", self.len());
        while let Some(first) = self.queue.front_mut() {
            let step = count.min(first.len());
            first.advance(step);
            self.queued -= step;
            count -= step;
            if !first.is_empty() {
                return;
            }
            self.queue.pop_front();
        }
        self.tail.advance(count);
        if self.tail.is_empty() && self.tail.capacity() > KEEP {
            self.tail = BytesMut::new();
        }
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let chunks = self.queue.iter().map(|chunk| &chunk[..]).chain(tail);
        out.iter_mut().zip(chunks).map(|(slot, chunk)| *slot = IoSlice::new(chunk)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    #[cfg(feature = "std")]
    use {alloc::vec::Vec, proptest::prelude::*};

    #[test]
    fn large_buffers_are_not_copied() {
        let large = Bytes::from(vec![7; COPY_MAX + 1]);
        let mut chunks = Chunks::new();
        chunks.push(Bytes::from_static(b"head"));
        chunks.push(large.clone());
        chunks.push(Bytes::from(vec![8; COPY_MAX]));
        assert_eq!(chunks.len(), 4 + 2 * COPY_MAX + 1);
        assert_eq!(chunks.chunk(), b"head");
        chunks.advance(4);
        assert_eq!(chunks.chunk().as_ptr(), large.as_ptr());
        chunks.advance(COPY_MAX + 1);
        assert_eq!(chunks.chunk(), vec![8; COPY_MAX]);
    }

    #[test]
    fn a_large_tail_is_given_back() {
        let mut chunks = Chunks::new();
        chunks.tail().extend_from_slice(&vec![1; KEEP + 1]);
        chunks.advance(KEEP);
        assert_eq!(chunks.chunk(), [1]);
        chunks.advance(1);
        assert!(chunks.is_empty());
        assert_eq!(chunks.tail().capacity(), 0);
    }

    #[test]
    #[should_panic(expected = "can not advance")]
    fn advancing_beyond_the_end_is_a_bug() {
        Chunks::new().advance(1);
    }

    #[cfg(feature = "std")]
    proptest! {
        #[test]
        fn partial_writes_lose_and_repeat_nothing(
            pushes in prop::collection::vec((any::<u8>(), 0usize..3 * COPY_MAX), 0..12),
            steps in prop::collection::vec(1usize..3 * COPY_MAX, 64),
        ) {
            let mut chunks = Chunks::new();
            let mut expected = vec![];
            for (byte, len) in pushes {
                chunks.push(Bytes::from(vec![byte; len]));
                expected.extend(vec![byte; len]);
            }
            let mut sent = vec![];
            for step in steps {
                let mut slots = [IoSlice::new(&[]); 3];
                let used = chunks.chunks_vectored(&mut slots);
                let written: Vec<u8> =
                    slots[..used].iter().flat_map(|slot| slot.iter().copied()).take(step).collect();
                chunks.advance(written.len());
                sent.extend(written);
                prop_assert_eq!(chunks.remaining(), expected.len() - sent.len());
            }
            sent.extend_from_slice(&chunks.copy_to_bytes(chunks.remaining()));
            prop_assert_eq!(sent, expected);
        }
    }
}
