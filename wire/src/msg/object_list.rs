//! The output of PGNLS: objects of a placement group.
//!
//! Facts: `osd/osd_types_client.h` (`pg_nls_response_template`), `librados/ListObjectImpl.h`.

use crate::primitives::{Input, Parse, Parsed, codec, put_section, section};
use crate::{Encode, HObject, Name};
use alloc::vec::Vec;
use bytes::BytesMut;

/// An object that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its namespace, empty for the default one.
    pub nspace: Name,
    /// Its name.
    pub oid: Name,
    /// Its locator key, empty for none.
    pub key: Name,
}

codec!(ListedObject { nspace, oid, key });

/// Some objects of a placement group, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectList {
    /// Where to go on: an object of this group, or the start of the next one.
    pub next: HObject,
    /// The objects.
    pub objects: Vec<ListedObject>,
}

impl Parse for ObjectList {
    const WHAT: &'static str = "pg_nls_response_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 1, |i, _| {
            let (i, next) = HObject::parse(i)?;
            let (i, objects) = Vec::parse(i)?;
            Ok((i, Self { next, objects }))
        })
    }
}

impl Encode for ObjectList {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 1, 1, |out| {
            self.next.encode(out);
            self.objects.encode(out);
        });
    }
}
