//! Names of objects, namespaces, locator keys and pools.

use super::collections::{blob, put_blob};
use super::{Encode, Input, Parse, Parsed};
use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::BytesMut;
use core::fmt;

/// A name as Ceph has them: any bytes, mostly UTF-8.
///
/// ```
/// use linger_wire::Name;
/// let name = Name::from("rbd_header.1");
/// assert_eq!(name.as_bytes(), b"rbd_header.1");
/// assert_eq!(name.to_string(), "rbd_header.1");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Box<[u8]>);

impl Name {
    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the name has no bytes: for a namespace or a key that means "none".
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name as text, with U+FFFD for what is not UTF-8.
    #[must_use]
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(name.as_bytes().into())
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name.into_bytes().into())
    }
}

impl From<&[u8]> for Name {
    fn from(name: &[u8]) -> Self {
        Self(name.into())
    }
}

impl From<Vec<u8>> for Name {
    fn from(name: Vec<u8>) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_string_lossy())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string_lossy(), f)
    }
}

impl Parse for Name {
    const WHAT: &'static str = "name";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, bytes) = blob(i)?;
        Ok((i, Self(bytes.into())))
    }
}

impl Encode for Name {
    fn encode(&self, out: &mut BytesMut) {
        put_blob(out, &self.0);
    }
}
