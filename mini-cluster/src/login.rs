//! The server's part of a handshake, up to an open session.
//!
//! Facts: `msg/async/ProtocolV2.cc`, `auth/AuthRegistry.cc` (modes), `auth/none/AuthNoneServiceHandler.h`.

use crate::keys::{Ask, Authorized, Grant, Keys};
use crate::settings::Auth;
use crate::who::Who;
use bytes::Bytes;
use linger_core::UnixTime;
use linger_wire::cephx::{LoginRequest, NoneAuthorizer, ServerChallenge};
use linger_wire::errno::{EACCES, EINVAL, EOPNOTSUPP};
use linger_wire::frame::{AuthBadMethod, AuthDone, AuthMethod, AuthRequest, ConMode, Control};
use linger_wire::{Decode, Encode};

/// A login under way.
#[derive(Debug)]
pub(crate) struct Login {
    who: Who,
    challenge: u64,
    /// What the client and the cluster agreed on.
    mode: ConMode,
    /// At a monitor: who wants in, and the number it wants again.
    request: Option<LoginRequest>,
}

/// What a client's step led to.
pub(crate) enum Step {
    /// Say this, and go on.
    Say(Control),
    /// Say this: the client is in.
    Done(Control, Grant),
}

impl Login {
    pub fn new(who: Who, keys: &mut Keys) -> Self {
        Self { who, challenge: keys.random(), mode: ConMode::CRC, request: None }
    }

    /// The challenge of this session, and who logged in at a monitor: renewals need both.
    pub fn session(self) -> (u64, Option<LoginRequest>) {
        (self.challenge, self.request)
    }

    /// The client proposes how to log in.
    pub fn on_request(&mut self, unix: UnixTime, request: &AuthRequest, keys: &mut Keys) -> Step {
        let Some(mode) = pick(&request.preferred_modes, keys).filter(|_| request.method == method(keys.auth))
        else {
            return Step::Say(refuse(request.method, EOPNOTSUPP, keys));
        };
        self.mode = mode;
        let step = match (keys.auth, self.who) {
            (Auth::None, Who::Mon(_)) => LoginRequest::decode(&request.payload).map(|request| {
                let global_id = keys.global_id(request.global_id);
                self.request = Some(request);
                self.done(Bytes::new(), unproven(global_id))
            }),
            (Auth::None, Who::Osd(_)) => NoneAuthorizer::decode(&request.payload)
                .map(|shown| self.done(Bytes::new(), unproven(shown.global_id))),
            (Auth::Cephx(_), Who::Mon(_)) => LoginRequest::decode(&request.payload).map(|request| {
                self.request = Some(request);
                let challenge = ServerChallenge { server_challenge: self.challenge };
                Step::Say(Control::AuthReplyMore(challenge.to_bytes()))
            }),
            (Auth::Cephx(_), Who::Osd(_)) => return self.on_authorizer(unix, &request.payload, keys),
        };
        step.unwrap_or_else(|_| Step::Say(refuse(request.method, EINVAL, keys)))
    }

    /// The client's next step.
    pub fn on_more(&mut self, unix: UnixTime, payload: &[u8], keys: &mut Keys) -> Step {
        if let Who::Osd(_) = self.who {
            return self.on_authorizer(unix, payload, keys);
        }
        let Some(LoginRequest { name, global_id }) = self.request.clone() else {
            return Step::Say(refuse(AuthMethod::CEPHX, EINVAL, keys));
        };
        let (challenge, secure) = (self.challenge, self.mode == ConMode::SECURE);
        match keys.answer(unix, &Ask { name: &name, challenge, global_id, secure, payload }) {
            Ok((reply, Some(grant))) => self.done(reply, grant),
            Ok((_, None)) => Step::Say(refuse(AuthMethod::CEPHX, EACCES, keys)),
            Err(errno) => Step::Say(refuse(AuthMethod::CEPHX, errno, keys)),
        }
    }

    fn on_authorizer(&mut self, unix: UnixTime, payload: &[u8], keys: &mut Keys) -> Step {
        let secure = self.mode == ConMode::SECURE;
        match keys.authorize(unix, self.who.kind(), self.challenge, secure, payload) {
            Ok(Authorized::Challenge(sealed)) => Step::Say(Control::AuthReplyMore(sealed)),
            Ok(Authorized::Done(reply, grant)) => self.done(reply, grant),
            Err(errno) => Step::Say(refuse(AuthMethod::CEPHX, errno, keys)),
        }
    }

    fn done(&self, payload: Bytes, grant: Grant) -> Step {
        let done = AuthDone { global_id: grant.global_id, con_mode: self.mode, payload };
        Step::Done(Control::AuthDone(done), grant)
    }
}

/// What a client gets that has shown nothing.
fn unproven(global_id: u64) -> Grant {
    Grant { global_id, session_key: None, secret: None, caps: "allow *".into() }
}

/// The first of a client's modes that is allowed. Without keys there is nothing to seal with.
fn pick(preferred: &[ConMode], keys: &Keys) -> Option<ConMode> {
    let allowed =
        |mode: &&ConMode| keys.modes.contains(mode) && (keys.auth != Auth::None || **mode == ConMode::CRC);
    preferred.iter().find(allowed).copied()
}

fn method(auth: Auth) -> AuthMethod {
    match auth {
        Auth::None => AuthMethod::NONE,
        Auth::Cephx(_) => AuthMethod::CEPHX,
    }
}

fn refuse(method: AuthMethod, errno: i32, keys: &Keys) -> Control {
    Control::AuthBadMethod(AuthBadMethod {
        method,
        result: -errno,
        allowed_methods: vec![self::method(keys.auth)],
        allowed_modes: keys.modes.clone(),
    })
}
