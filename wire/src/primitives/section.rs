//! Versioned sections: `u8 version, u8 compat, u32 length, body` (`ENCODE_START` in Ceph).

use super::{Encode, Input, Parse, Parsed, fail};
use crate::DecodeErrorKind;
use bytes::{BufMut, BytesMut};

/// Parses a section whose readers must know at least `known`.
///
/// `body` gets the version and exactly the section's bytes; what it leaves is skipped, since newer
/// encoders append fields.
pub fn section<'a, T>(
    i: Input<'a>,
    what: &'static str,
    known: u8,
    body: impl FnOnce(Input<'a>, u8) -> Parsed<'a, T>,
) -> Parsed<'a, T> {
    let (after_version, version) = u8::field(i, what)?;
    let (after_compat, compat) = u8::field(after_version, what)?;
    if compat > known {
        return fail(i, what, DecodeErrorKind::TooNew { compat: compat.into(), known: known.into() });
    }
    let (rest, len) = u32::field(after_compat, what)?;
    let Some((inside, rest)) = rest.split_at_checked(len as usize) else {
        return fail(after_compat, what, DecodeErrorKind::Truncated);
    };
    let (_, value) = body(inside, version)?;
    Ok((rest, value))
}

/// Steps over a section without looking inside.
pub fn skip_section<'a>(i: Input<'a>, what: &'static str) -> Parsed<'a, ()> {
    section(i, what, u8::MAX, |i, _| Ok((i, ())))
}

/// Appends a section; its length is filled in after `body` ran.
pub fn put_section(out: &mut BytesMut, version: u8, compat: u8, body: impl FnOnce(&mut BytesMut)) {
    version.encode(out);
    compat.encode(out);
    let at = out.len();
    out.put_u32_le(0);
    body(out);
    // Sections are built from values of bounded size; 4 GiB can not be reached.
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}
