//! Counted sequences: `u32 count`, then the elements; and length-prefixed bytes.

use super::{Encode, Input, Parse, Parsed, fail};
use crate::DecodeErrorKind;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// Parses a count; each element takes at least one byte, so more elements than bytes is an error
/// before anything is allocated.
pub(crate) fn count(i: Input<'_>) -> Parsed<'_, usize> {
    let (rest, n) = u32::parse(i)?;
    if n as usize > rest.len() {
        return fail(i, "", DecodeErrorKind::Truncated);
    }
    Ok((rest, n as usize))
}

/// Parses length-prefixed bytes without copying them.
pub(crate) fn blob(i: Input<'_>) -> Parsed<'_, &[u8]> {
    let (rest, len) = count(i)?;
    let (bytes, rest) = rest.split_at(len);
    Ok((rest, bytes))
}

/// Appends length-prefixed bytes.
pub(crate) fn put_blob(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32_le(bytes.len() as u32);
    out.put_slice(bytes);
}

/// Parses `n` elements, growing as they come.
pub(crate) fn elements<T: Parse>(mut i: Input<'_>, n: usize) -> Parsed<'_, Vec<T>> {
    // A wrong count must not reserve more than the input could ever fill.
    let mut list = Vec::with_capacity(n.min(i.len()).min(4096));
    for _ in 0..n {
        let (rest, item) = T::parse(i)?;
        list.push(item);
        i = rest;
    }
    Ok((i, list))
}

impl<T: Parse> Parse for Vec<T> {
    const WHAT: &'static str = T::WHAT;
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, n) = count(i)?;
        elements(i, n)
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(self.len() as u32);
        self.iter().for_each(|item| item.encode(out));
    }
}

impl<T: Parse + Ord> Parse for BTreeSet<T> {
    const WHAT: &'static str = T::WHAT;
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, list) = Vec::parse(i)?;
        Ok((i, list.into_iter().collect()))
    }
}

impl<T: Encode> Encode for BTreeSet<T> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(self.len() as u32);
        self.iter().for_each(|item| item.encode(out));
    }
}

impl<K: Parse + Ord, V: Parse> Parse for BTreeMap<K, V> {
    const WHAT: &'static str = V::WHAT;
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (mut i, n) = count(i)?;
        let mut map = Self::new();
        for _ in 0..n {
            let (rest, key) = K::parse(i)?;
            let (rest, value) = V::parse(rest)?;
            map.insert(key, value);
            i = rest;
        }
        Ok((i, map))
    }
}

impl<K: Encode, V: Encode> Encode for BTreeMap<K, V> {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(self.len() as u32);
        for (key, value) in self {
            key.encode(out);
            value.encode(out);
        }
    }
}

impl<A: Parse, B: Parse> Parse for (A, B) {
    const WHAT: &'static str = A::WHAT;
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, a) = A::parse(i)?;
        let (i, b) = B::parse(i)?;
        Ok((i, (a, b)))
    }
}

impl<A: Encode, B: Encode> Encode for (A, B) {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl Parse for Bytes {
    const WHAT: &'static str = "blob";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, bytes) = blob(i)?;
        Ok((i, Self::copy_from_slice(bytes)))
    }
}

impl Encode for Bytes {
    fn encode(&self, out: &mut BytesMut) {
        put_blob(out, self);
    }
}
