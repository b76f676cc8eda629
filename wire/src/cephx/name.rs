//! The names that keys belong to.

use crate::primitives::{Input, Parse, Parsed, fail};
use crate::{DecodeErrorKind, Encode, EntityType, Name};
use bytes::{BufMut, BytesMut};
use core::fmt;
use core::str::FromStr;

/// An entity as the auth service knows it, such as `client.admin` (`EntityName`).
///
/// ```
/// use linger_wire::cephx::AuthName;
/// let name: AuthName = "client.rbd.mirror".parse()?;
/// assert_eq!(name, AuthName::client("rbd.mirror"));
/// assert_eq!(name.to_string(), "client.rbd.mirror");
/// # Ok::<(), linger_wire::cephx::AuthNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthName {
    /// What it is.
    pub kind: EntityType,
    /// Which one: free text, without the type.
    pub id: Name,
}

impl AuthName {
    /// The client with this id, such as `admin`.
    #[must_use]
    pub fn client(id: &str) -> Self {
        Self { kind: EntityType::CLIENT, id: id.into() }
    }
}

impl FromStr for AuthName {
    type Err = AuthNameError;

    fn from_str(text: &str) -> Result<Self, AuthNameError> {
        let (kind, id) = text.split_once('.').ok_or(AuthNameError)?;
        let known = [
            EntityType::MON,
            EntityType::MDS,
            EntityType::OSD,
            EntityType::CLIENT,
            EntityType::MGR,
            EntityType::AUTH,
        ];
        let kind = known.into_iter().find(|known| known.name() == kind).ok_or(AuthNameError)?;
        if id.is_empty() {
            return Err(AuthNameError);
        }
        Ok(Self { kind, id: id.into() })
    }
}

impl fmt::Display for AuthName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.name(), self.id)
    }
}

impl Parse for AuthName {
    const WHAT: &'static str = "EntityName";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, kind) = parse_wide_type(i)?;
        let (i, id) = Name::parse(i)?;
        Ok((i, Self { kind, id }))
    }
}

impl Encode for AuthName {
    fn encode(&self, out: &mut BytesMut) {
        put_wide_type(out, self.kind);
        self.id.encode(out);
    }
}

/// Parses an entity type in the four bytes that auth structures give it.
pub(super) fn parse_wide_type(i: Input<'_>) -> Parsed<'_, EntityType> {
    let (rest, kind) = u32::field(i, "entity type")?;
    match u8::try_from(kind) {
        Ok(kind) => Ok((rest, EntityType(kind))),
        Err(_) => fail(i, "entity type", DecodeErrorKind::Invalid),
    }
}

/// Appends an entity type in four bytes.
pub(super) fn put_wide_type(out: &mut BytesMut, kind: EntityType) {
    out.put_u32_le(kind.0.into());
}

/// A text that is not `TYPE.ID` with a type that Ceph knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthNameError;

impl fmt::Display for AuthNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an entity name (expected TYPE.ID, such as client.admin)")
    }
}

impl core::error::Error for AuthNameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Decode;

    #[test]
    fn names_need_a_known_type_and_an_id() {
        assert_eq!("osd.0".parse(), Ok(AuthName { kind: EntityType::OSD, id: "0".into() }));
        for text in ["admin", "client.", ".admin", "klient.admin", "", "unknown.x"] {
            assert_eq!(text.parse::<AuthName>(), Err(AuthNameError), "{text}");
        }
    }

    #[test]
    fn the_type_has_four_bytes_of_which_one_is_used() {
        let bytes = AuthName::client("a").to_bytes();
        assert_eq!(bytes[..], [8, 0, 0, 0, 1, 0, 0, 0, b'a']);
        assert!(AuthName::decode(&[8, 1, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
