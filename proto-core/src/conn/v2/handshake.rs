//! From the first byte to a session: banner, HELLO, login, signatures, idents.
//!
//! Facts: `msg/async/ProtocolV2.cc`, `msg/async/frames_v2.h`.

use super::Msgr2;
use super::stage::Stage;
use crate::auth::{self, AuthError};
use crate::conn::{ConnEvent, Dial, Login, Peer};
use crate::error::ConnFault;
use crate::{FEATURES, REQUIRED, Rng, Timestamp};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{Buf, BytesMut};
use linger_wire::cephx::{CryptoKey, Secret, signature, verify_signature};
use linger_wire::frame::{
    AuthBadMethod, AuthDone, AuthMethod, AuthRequest, Banner, Chunks, ClientIdent, ConMode, Control, Hello,
    IDENT_LOSSY, Role, ServerIdent, emit_control, secure,
};
use linger_wire::{AddrType, AddrVec, Encode, EntityType};

/// Repeated idents and compression requests that one handshake may have.
const EXTRA_MAX: u32 = 8;

/// What is needed only until the session is there.
pub(super) struct Handshake {
    login: Login,
    global_id: Option<u64>,
    /// What this end sent up to its last login frame: the peer signs it.
    sent: BytesMut,
    session_key: Option<CryptoKey>,
    transcript_max: usize,
    /// Answers given between the signatures and the end: a peer gets a few.
    extra: u32,
}

impl Handshake {
    pub(super) fn new(dial: Dial, transcript_max: usize) -> Self {
        Self {
            login: dial.login,
            global_id: dial.global_id,
            sent: BytesMut::new(),
            session_key: None,
            transcript_max,
            extra: 0,
        }
    }

    /// Counts an answer that a peer may ask for more than once, within reason.
    fn count_extra(&mut self) -> Result<(), ConnFault> {
        self.extra += 1;
        if self.extra > EXTRA_MAX { Err(ConnFault::Unexpected("repetition")) } else { Ok(()) }
    }

    pub(super) fn begin(&mut self, conn: &mut Msgr2) {
        conn.inbox.start_transcript(self.transcript_max);
        Banner::OURS.encode(&mut self.sent);
        Banner::OURS.encode(conn.link.outbox.tail());
    }

    /// Sends a frame that is part of the transcript.
    fn send(&mut self, conn: &mut Msgr2, control: &Control) {
        let mut frame = Chunks::new();
        emit_control(control, &mut frame);
        while frame.has_remaining() {
            let chunk = frame.chunk();
            self.sent.extend_from_slice(chunk);
            conn.link.outbox.tail().extend_from_slice(chunk);
            let len = chunk.len();
            frame.advance(len);
        }
    }

    fn on_hello(&mut self, conn: &mut Msgr2, hello: &Hello) -> Result<(), ConnFault> {
        let expected = conn.link.peer.entity_type();
        if hello.entity_type != expected {
            return Err(ConnFault::WrongPeer { found: hello.entity_type, expected });
        }
        let Some(ip) = hello.peer_addr.ip() else {
            return Err(ConnFault::Unexpected("blank address in HELLO"));
        };
        conn.link.learn_addr(AddrType::ANY, ip);
        let request = match &mut self.login {
            Login::Mon(login) => login.start(),
            Login::Service(login) => login.start(),
        };
        self.send(conn, &Control::AuthRequest(auth_frame(request)));
        conn.stage = Stage::Auth;
        Ok(())
    }

    fn on_more(&mut self, conn: &mut Msgr2, blob: &[u8], rng: &mut Rng) -> Result<(), ConnFault> {
        let answer = match &mut self.login {
            Login::Mon(login) => login.more(blob, rng),
            Login::Service(login) => login.more(blob, rng),
        };
        self.send(conn, &Control::AuthRequestMore(answer.map_err(ConnFault::Auth)?));
        Ok(())
    }

    fn on_bad_method(&mut self, conn: &mut Msgr2, refusal: &AuthBadMethod) -> Result<(), ConnFault> {
        let methods: Vec<u32> = refusal.allowed_methods.iter().map(|method| method.0).collect();
        let modes: Vec<u32> = refusal.allowed_modes.iter().map(|mode| mode.0).collect();
        let next = match &mut self.login {
            Login::Mon(login) => login.bad_method(refusal.method.0, refusal.result, &methods, &modes),
            Login::Service(login) => Err(login.bad_method(refusal.result, &methods, &modes)),
        };
        self.send(conn, &Control::AuthRequest(auth_frame(next.map_err(ConnFault::Auth)?)));
        Ok(())
    }

    fn on_done(
        &mut self,
        conn: &mut Msgr2,
        now: Timestamp,
        done: &AuthDone,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let (event, secret) = match &mut self.login {
            Login::Mon(login) => {
                let mut login = login
                    .done(now, done.global_id, done.con_mode.0, &done.payload)
                    .map_err(ConnFault::Auth)?;
                self.session_key.clone_from(&login.session_key);
                self.global_id = Some(login.global_id);
                conn.link.mode = login.con_mode.into();
                let secret = login.connection_secret.take();
                (Some(ConnEvent::LoggedIn(Box::new(login))), secret)
            }
            Login::Service(login) => {
                let login = login.done(done.con_mode.0, &done.payload).map_err(ConnFault::Auth)?;
                self.session_key = login.session_key;
                conn.link.mode = login.con_mode.into();
                (None, login.connection_secret)
            }
        };
        let heard = conn.inbox.take_transcript();
        // The signatures are the first frames in the new mode.
        if let Some(secret) = secret {
            conn.protect(&secret)?;
        }
        conn.emit(&Control::AuthSignature(signature(self.session_key.as_ref(), &heard)))?;
        conn.stage = Stage::Signature;
        Ok(event)
    }

    fn on_signature(&mut self, conn: &mut Msgr2, received: &[u8; 32]) -> Result<(), ConnFault> {
        if !verify_signature(self.session_key.as_ref(), &self.sent, received) {
            return Err(ConnFault::BadSignature);
        }
        conn.stage = Stage::Ident;
        self.send_ident(conn)
    }

    fn send_ident(&self, conn: &mut Msgr2) -> Result<(), ConnFault> {
        let gid = match (conn.link.peer, self.global_id) {
            (Peer::Osd(_), Some(id)) => id.cast_signed(),
            _ => -1,
        };
        let ident = ClientIdent {
            addrs: AddrVec(conn.link.own_addr.into_iter().collect()),
            target: conn.link.target,
            gid,
            global_seq: conn.link.global_seq,
            supported: FEATURES,
            required: REQUIRED,
            flags: IDENT_LOSSY,
            cookie: 0,
        };
        conn.emit(&Control::ClientIdent(ident))
    }
}

fn auth_frame(request: auth::AuthRequest) -> AuthRequest {
    AuthRequest {
        method: AuthMethod(request.method),
        preferred_modes: request.modes.into_iter().map(ConMode).collect(),
        payload: request.blob,
    }
}

impl Msgr2 {
    /// Runs a step of the handshake, which borrows both it and the connection.
    pub(super) fn handshake_step<T>(
        &mut self,
        step: impl FnOnce(&mut Handshake, &mut Self) -> T,
    ) -> Option<T> {
        let mut handshake = self.handshake.take()?;
        let result = step(&mut handshake, self);
        if self.stage != Stage::Ready {
            self.handshake = Some(handshake);
        }
        Some(result)
    }

    /// Seals and opens all frames from now on.
    fn protect(&mut self, secret: &Secret) -> Result<(), ConnFault> {
        let ciphers = secure(secret.as_bytes(), Role::Client, self.crypto);
        let (sealer, opener) = ciphers.ok_or(ConnFault::Auth(AuthError::NoConnectionSecret))?;
        self.emitter.set_secure(sealer);
        self.inbox.set_secure(opener);
        Ok(())
    }

    pub(super) fn on_banner(&mut self, banner: &Banner) -> Result<Option<ConnEvent>, ConnFault> {
        Banner::OURS.accept(banner).map_err(ConnFault::Frame)?;
        self.stage = Stage::Hello;
        self.handshake_step(|handshake, conn| {
            let hello = Hello { entity_type: EntityType::CLIENT, peer_addr: conn.link.target };
            handshake.send(conn, &Control::Hello(hello));
        });
        Ok(None)
    }

    /// Handles a frame that its stage admits.
    pub(super) fn on_handshake(
        &mut self,
        now: Timestamp,
        control: Control,
        rng: &mut Rng,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let step = move |handshake: &mut Handshake, conn: &mut Self| match control {
            Control::Hello(hello) => handshake.on_hello(conn, &hello).map(|()| None),
            Control::AuthReplyMore(blob) => handshake.on_more(conn, &blob, rng).map(|()| None),
            Control::AuthBadMethod(refusal) => handshake.on_bad_method(conn, &refusal).map(|()| None),
            Control::AuthDone(done) => handshake.on_done(conn, now, &done),
            Control::AuthSignature(signature) => handshake.on_signature(conn, &signature).map(|()| None),
            Control::CompressionRequest { .. } => {
                handshake.count_extra()?;
                conn.emit(&Control::CompressionDone { on: false, method: 0 }).map(|()| None)
            }
            Control::SessionRetryGlobal { global_seq } => {
                handshake.count_extra()?;
                conn.link.global_seq = conn.link.global_seq.max(global_seq.saturating_add(1));
                handshake.send_ident(conn).map(|()| None)
            }
            Control::IdentMissingFeatures(mask) => Err(ConnFault::ClientLacks(mask)),
            Control::ServerIdent(ident) => conn.on_server_ident(&ident).map(Some),
            other => Err(ConnFault::Unexpected(other.tag().name())),
        };
        self.handshake_step(step).unwrap_or(Ok(None))
    }

    fn on_server_ident(&mut self, ident: &ServerIdent) -> Result<ConnEvent, ConnFault> {
        let missing = REQUIRED.missing_in(ident.supported);
        if missing.0 != 0 {
            return Err(ConnFault::PeerLacks(missing));
        }
        let missing = ident.required.missing_in(FEATURES);
        if missing.0 != 0 {
            return Err(ConnFault::ClientLacks(missing));
        }
        self.enter_session(ident.supported);
        Ok(ConnEvent::Ready)
    }
}
