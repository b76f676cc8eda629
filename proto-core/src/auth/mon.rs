//! The login at a mon.

mod messages;

pub use messages::LoginStep;

use super::negotiate::Modes;
use super::ticket::{self, Grant, Proven, WANTED};
use super::{AuthError, AuthMethod, AuthRequest, ConMode, Credentials};
use crate::Timestamp;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use linger_wire::cephx::{CryptoKey, LoginRequest, Operation, Secret, ServerChallenge, TicketBlob};
use linger_wire::{Decode, Encode, EntityType};
use rand_core::CryptoRng;

/// What lets a new login keep the global id of an earlier one.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The global id.
    pub global_id: u64,
    /// The AUTH ticket that was given with it, and its session key; with auth none there is none.
    pub auth_ticket: Option<(TicketBlob, CryptoKey)>,
}

/// What a finished login gives.
#[derive(Debug)]
pub struct MonLogin {
    /// Our global id; another one than before the login means that all watches are gone.
    pub global_id: u64,
    /// The connection mode that the mon chose.
    pub con_mode: ConMode,
    /// The key of the transcript signatures; none with auth none.
    pub session_key: Option<CryptoKey>,
    /// What secure mode's keys are made of; none in crc mode.
    pub connection_secret: Option<Secret>,
    /// The tickets, for [`TicketStore::adopt`](super::TicketStore::adopt).
    pub grant: Grant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The request is out; cephx waits for the challenge, none for the end.
    Requested,
    /// The challenge is answered.
    Proven { server_challenge: u64 },
    /// Ended, well or not.
    Over,
}

/// The client's side of a login at a mon.
///
/// [`start`](Self::start) gives the first payload; every answer of the mon goes to the method named after
/// it. After an error the handshake is over.
#[derive(Debug)]
pub struct MonHandshake {
    credentials: Credentials,
    /// The method in use, then those still to be tried.
    methods: Vec<AuthMethod>,
    all_methods: Vec<AuthMethod>,
    modes: Modes,
    resume: Option<Resume>,
    step: Step,
}

impl MonHandshake {
    /// A login with the first of `methods` that the credentials allow, in one of `modes`; both in order
    /// of preference. `resume` asks for an earlier login's global id.
    ///
    /// # Errors
    /// [`AuthError::NoMethod`], [`AuthError::NoMode`], [`AuthError::NoKey`] or [`AuthError::KeyType`] if
    /// no login can succeed with these settings.
    pub fn new(
        credentials: Credentials,
        methods: &[AuthMethod],
        modes: &[ConMode],
        resume: Option<Resume>,
    ) -> Result<Self, AuthError> {
        let modes = Modes::new(modes)?;
        let mut why = AuthError::NoMethod;
        let mut usable = Vec::new();
        for &method in methods {
            match check(&credentials, method, &modes) {
                Ok(()) => usable.push(method),
                Err(error) => why = error,
            }
        }
        if usable.is_empty() {
            return Err(why);
        }
        let all_methods = usable.clone();
        Ok(Self { credentials, methods: usable, all_methods, modes, resume, step: Step::Requested })
    }

    /// The method in use.
    #[must_use]
    pub fn method(&self) -> AuthMethod {
        self.methods.first().copied().unwrap_or(AuthMethod::Cephx)
    }

    /// The first payload.
    #[must_use]
    pub fn start(&self) -> AuthRequest {
        let global_id = self.resume.as_ref().map_or(0, |resume| resume.global_id);
        let login = LoginRequest { name: self.credentials.name.clone(), global_id };
        let method = self.method();
        AuthRequest { method: method.number(), modes: self.modes.with(method), blob: login.to_bytes() }
    }

    /// Takes AUTH_BAD_METHOD: gives the next request, for the same connection.
    ///
    /// If the mon does allow the method, it refused *us*, and no weaker method is tried.
    ///
    /// # Errors
    /// [`AuthError::Refused`], [`AuthError::MethodsRefused`] or [`AuthError::ModesRefused`].
    pub fn bad_method(
        &mut self,
        method: u32,
        result: i32,
        allowed_methods: &[u32],
        allowed_modes: &[u32],
    ) -> Result<AuthRequest, AuthError> {
        let used = self.method();
        if self.step == Step::Over || method != used.number() {
            self.step = Step::Over;
            return Err(AuthError::OutOfStep { what: "refusal of an auth method" });
        }
        self.step = Step::Over;
        if allowed_methods.contains(&used.number()) {
            let key = self.credentials.key.as_ref().filter(|_| used == AuthMethod::Cephx);
            let key_type = key.map(CryptoKey::key_type);
            return Err(self.modes.refusal(used, allowed_modes).unwrap_or(AuthError::Refused {
                method: used,
                key_type,
                errno: result.saturating_neg(),
                resumed: self.resume.is_some(),
            }));
        }
        self.methods.retain(|method| *method != used && allowed_methods.contains(&method.number()));
        if self.methods.is_empty() {
            let offered = self.all_methods.clone();
            return Err(AuthError::MethodsRefused { offered, allowed: allowed_methods.to_vec() });
        }
        self.step = Step::Requested;
        Ok(self.start())
    }

    /// Takes AUTH_REPLY_MORE: gives the payload of AUTH_REQUEST_MORE.
    ///
    /// # Errors
    /// [`AuthError::Malformed`], or [`AuthError::OutOfStep`] if nothing was to be asked any more.
    pub fn more(&mut self, blob: &[u8], rng: &mut impl CryptoRng) -> Result<Bytes, AuthError> {
        let step = core::mem::replace(&mut self.step, Step::Over);
        let (Step::Requested, AuthMethod::Cephx, Some(key)) = (step, self.method(), &self.credentials.key)
        else {
            return Err(AuthError::OutOfStep { what: "auth challenge" });
        };
        let what = "mon's challenge";
        let challenge =
            ServerChallenge::decode(blob).map_err(|error| AuthError::Malformed { what, error })?;
        let server_challenge = challenge.server_challenge;
        let old_ticket = match &self.resume {
            Some(Resume { auth_ticket: Some((ticket, _)), .. }) => ticket.clone(),
            _ => TicketBlob::default(),
        };
        let mut out = BytesMut::new();
        ticket::put_authenticate(&mut out, key, server_challenge, old_ticket, WANTED, rng)?;
        self.step = Step::Proven { server_challenge };
        Ok(out.freeze())
    }

    /// Takes AUTH_DONE.
    ///
    /// # Errors
    /// [`AuthError::Undecryptable`] if the mon does not have our key; [`AuthError::Failed`],
    /// [`AuthError::Malformed`], [`AuthError::ModeNotOffered`] and other faults of the mon.
    pub fn done(
        &mut self,
        now: Timestamp,
        global_id: u64,
        con_mode: u32,
        blob: &[u8],
    ) -> Result<MonLogin, AuthError> {
        let step = core::mem::replace(&mut self.step, Step::Over);
        let key = self.credentials.key.clone();
        match (step, self.method(), key) {
            (Step::Requested, AuthMethod::None, _) => {
                let (con_mode, connection_secret) = self.modes.settle(AuthMethod::None, con_mode, None)?;
                let grant = Grant { global_id, proven: None };
                Ok(MonLogin { global_id, con_mode, session_key: None, connection_secret, grant })
            }
            (Step::Proven { server_challenge }, AuthMethod::Cephx, Some(key)) => {
                self.login(now, global_id, con_mode, blob, &key, server_challenge)
            }
            _ => Err(AuthError::OutOfStep { what: "end of authentication" }),
        }
    }

    fn login(
        &self,
        now: Timestamp,
        global_id: u64,
        con_mode: u32,
        blob: &[u8],
        key: &CryptoKey,
        server_challenge: u64,
    ) -> Result<MonLogin, AuthError> {
        let what = "mon's login reply";
        let reply = ticket::after_header(blob, Operation::AUTH_SESSION_KEY, what)?;
        let old_key = match &self.resume {
            Some(Resume { auth_ticket: Some((_, session_key)), .. }) => Some(session_key),
            _ => None,
        };
        let (tickets, secret) = ticket::open_login(now, key, old_key, what, reply)?;
        let session_key = tickets.get(&EntityType::AUTH).map(|auth| auth.session_key.clone());
        let (con_mode, connection_secret) = self.modes.settle(AuthMethod::Cephx, con_mode, secret)?;
        let grant = Grant { global_id, proven: Some(Proven { server_challenge, tickets }) };
        Ok(MonLogin { global_id, con_mode, session_key, connection_secret, grant })
    }
}

/// Whether a login by `method` is possible at all.
fn check(credentials: &Credentials, method: AuthMethod, modes: &Modes) -> Result<(), AuthError> {
    if method == AuthMethod::Cephx {
        match &credentials.key {
            None => return Err(AuthError::NoKey { name: credentials.name.clone() }),
            Some(key) => ticket::check_key(key)?,
        }
    }
    if modes.with(method).is_empty() { Err(AuthError::NoMode) } else { Ok(()) }
}
