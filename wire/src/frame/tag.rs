//! What a frame is.

use super::FrameError;

macro_rules! tags {
    ($($(#[$doc:meta])* $name:ident = $value:literal,)*) => {
        /// What a frame is; the first byte of its preamble.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Tag { $($(#[$doc])* $name = $value,)* }

        impl Tag {
            /// All tags.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The tag's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        impl TryFrom<u8> for Tag {
            type Error = FrameError;
            fn try_from(value: u8) -> Result<Self, FrameError> {
                match value {
                    $($value => Ok(Self::$name),)*
                    _ => Err(FrameError::UnknownTag(value)),
                }
            }
        }
    };
}

tags! {
    /// Who I am and where I see you; the first frame of both sides.
    Hello = 1,
    /// The client proposes how to authenticate.
    AuthRequest = 2,
    /// The server does not allow what was proposed.
    AuthBadMethod = 3,
    /// A further step of the authentication, from the server.
    AuthReplyMore = 4,
    /// A further step of the authentication, from the client.
    AuthRequestMore = 5,
    /// The client is authenticated.
    AuthDone = 6,
    /// A proof over all bytes of the handshake so far.
    AuthSignature = 7,
    /// The client opens a session.
    ClientIdent = 8,
    /// The server accepts the session.
    ServerIdent = 9,
    /// The client lacks features that the server requires.
    IdentMissingFeatures = 10,
    /// The client continues a session.
    SessionReconnect = 11,
    /// The server has forgotten the session.
    SessionReset = 12,
    /// The client's connection counter is too old.
    SessionRetry = 13,
    /// The client's global counter is too old.
    SessionRetryGlobal = 14,
    /// The session continues.
    SessionReconnectOk = 15,
    /// Another connection of the same two peers wins; only between daemons.
    Wait = 16,
    /// A message.
    Message = 17,
    /// Are you there?
    Keepalive2 = 18,
    /// Yes.
    Keepalive2Ack = 19,
    /// Messages have been received.
    Ack = 20,
    /// The client proposes how to compress.
    CompressionRequest = 21,
    /// The server's choice of compression.
    CompressionDone = 22,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn every_other_value_is_unknown() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|&v| Tag::try_from(v).is_ok()).collect();
        assert_eq!(known, (1..=22).collect::<Vec<u8>>());
        assert!(Tag::ALL.iter().all(|&tag| Tag::try_from(tag as u8) == Ok(tag)));
    }
}
