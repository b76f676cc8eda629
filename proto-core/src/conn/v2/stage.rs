//! The stages of a connection, and which frames each one admits.
//!
//! | stage | admits | then |
//! |---|---|---|
//! | Dialing | nothing | TCP is connected: the banner is sent → Banner |
//! | Banner | the peer's banner | HELLO is sent → Hello |
//! | Hello | HELLO | AUTH_REQUEST is sent → Auth |
//! | Auth | AUTH_REPLY_MORE, AUTH_BAD_METHOD | answered, stays |
//! | Auth | AUTH_DONE | AUTH_SIGNATURE is sent → Signature |
//! | Signature | AUTH_SIGNATURE | CLIENT_IDENT is sent → Ident |
//! | Ident | COMPRESSION_REQUEST | answered with no, stays |
//! | Ident | SESSION_RETRY_GLOBAL | CLIENT_IDENT is sent again, stays |
//! | Ident | IDENT_MISSING_FEATURES | fault |
//! | Ident | SERVER_IDENT | → Ready |
//! | Ready | MESSAGE, KEEPALIVE2, KEEPALIVE2_ACK, ACK | stays |
//! | Ready | SESSION_RESET | fault |
//!
//! Everything else, everywhere, is a fault: the connection is dropped.

use linger_wire::frame::Tag;

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Dialing,
    Banner,
    Hello,
    Auth,
    Signature,
    Ident,
    Ready,
}

impl Stage {
    /// Whether bytes may come at all.
    pub(super) fn hears(self) -> bool {
        self != Self::Dialing
    }

    /// Whether a frame may come now.
    pub(super) fn admits(self, tag: Tag) -> bool {
        match self {
            Self::Dialing | Self::Banner => false,
            Self::Hello => tag == Tag::Hello,
            Self::Auth => matches!(tag, Tag::AuthReplyMore | Tag::AuthBadMethod | Tag::AuthDone),
            Self::Signature => tag == Tag::AuthSignature,
            Self::Ident => matches!(
                tag,
                Tag::ServerIdent
                    | Tag::CompressionRequest
                    | Tag::SessionRetryGlobal
                    | Tag::IdentMissingFeatures
            ),
            Self::Ready => matches!(
                tag,
                Tag::Message | Tag::Keepalive2 | Tag::Keepalive2Ack | Tag::Ack | Tag::SessionReset
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_admits_exactly_its_row() {
        use Stage::*;
        let rows: [(Stage, &[Tag]); 7] = [
            (Dialing, &[]),
            (Banner, &[]),
            (Hello, &[Tag::Hello]),
            (Auth, &[Tag::AuthReplyMore, Tag::AuthBadMethod, Tag::AuthDone]),
            (Signature, &[Tag::AuthSignature]),
            (
                Ident,
                &[
                    Tag::ServerIdent,
                    Tag::CompressionRequest,
                    Tag::SessionRetryGlobal,
                    Tag::IdentMissingFeatures,
                ],
            ),
            (Ready, &[Tag::Message, Tag::Keepalive2, Tag::Keepalive2Ack, Tag::Ack, Tag::SessionReset]),
        ];
        for (stage, admitted) in rows {
            for tag in Tag::ALL {
                assert_eq!(stage.admits(*tag), admitted.contains(tag), "{stage:?} {tag:?}");
            }
        }
    }
}
