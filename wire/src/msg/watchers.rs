//! The output of LIST_WATCHERS.
//!
//! Facts: `osd/osd_types.h` (`obj_list_watch_response_t`, `watch_item_t`).

use crate::primitives::{Input, Parse, Parsed, put_section, section};
use crate::{Encode, EntityAddr, EntityName};
use alloc::vec::Vec;
use bytes::BytesMut;

/// A watch that an OSD has on an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watcher {
    /// The client.
    pub name: EntityName,
    /// The watch among the client's.
    pub cookie: u64,
    /// Seconds without a ping until the OSD drops it.
    pub timeout: u32,
    /// The client's address as it named itself.
    pub addr: EntityAddr,
}

impl Parse for Watcher {
    const WHAT: &'static str = "watch_item_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 2, |i, version| {
            let (i, name) = EntityName::parse(i)?;
            let (i, cookie) = u64::parse(i)?;
            let (i, timeout) = u32::parse(i)?;
            let (i, addr) = if version >= 2 { EntityAddr::parse(i)? } else { (i, EntityAddr::default()) };
            Ok((i, Self { name, cookie, timeout, addr }))
        })
    }
}

impl Encode for Watcher {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 2, 1, |out| {
            self.name.encode(out);
            self.cookie.encode(out);
            self.timeout.encode(out);
            self.addr.encode(out);
        });
    }
}

/// All watches of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatcherList(pub Vec<Watcher>);

impl Parse for WatcherList {
    const WHAT: &'static str = "obj_list_watch_response_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 1, |i, _| {
            let (i, list) = Vec::parse(i)?;
            Ok((i, Self(list)))
        })
    }
}

impl Encode for WatcherList {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 1, 1, |out| self.0.encode(out));
    }
}
