//! Names of things that live inside a [`Client`](crate::Client).
//!
//! Each is an index with a generation: one that outlives its thing is recognised and does nothing.

use core::fmt;
use slotmap::{Key, KeyData, new_key_type};

new_key_type! {
    pub(crate) struct ConnKey;
    pub(crate) struct WatchKey;
    pub(crate) struct NotifyKey;
    pub(crate) struct CallKey;
    pub(crate) struct ResolveKey;
}

macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident($key:ident), $tag:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(KeyData);

        impl $name {
            pub(crate) fn key(self) -> $key {
                $key::from(self.0)
            }

            /// The id as a number, unique among all ids of this kind that a client ever made.
            #[must_use]
            pub fn as_u64(self) -> u64 {
                self.0.as_ffi()
            }
        }

        impl From<$key> for $name {
            fn from(key: $key) -> Self {
                Self(key.data())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($tag, "{:?}"), self.0)
            }
        }
    };
}

public_id! {
    /// A connection that the adapter opens, feeds and closes on the core's behalf.
    ConnId(ConnKey), "conn"
}
public_id! {
    /// A watch.
    WatchId(WatchKey), "watch"
}
public_id! {
    /// A notify of one's own.
    NotifyId(NotifyKey), "notify"
}
public_id! {
    /// An operation on an object: create, write, read, stat, remove, list watchers.
    CallId(CallKey), "call"
}
public_id! {
    /// A question to the adapter's name resolver.
    ResolveId(ResolveKey), "resolve"
}
