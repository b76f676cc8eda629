//! Authentication at a service (an OSD, a manager) with a ticket.

use super::negotiate::Modes;
use super::{AuthError, AuthMethod, AuthRequest, ConMode};
use bytes::Bytes;
use linger_wire::cephx::{
    Authorize, AuthorizeChallenge, AuthorizeReply, Authorizer, CONFOUNDER_LEN, CryptoKey, NoneAuthorizer,
    Secret, TicketBlob, Usage,
};
use linger_wire::{Decode, Encode, EntityType};
use rand_core::CryptoRng;

/// What a finished handshake with a service gives.
#[derive(Debug)]
pub struct ServiceLogin {
    /// The connection mode that the service chose.
    pub con_mode: ConMode,
    /// The key of the transcript signatures; none with auth none.
    pub session_key: Option<CryptoKey>,
    /// What secure mode's keys are made of; none in crc mode.
    pub connection_secret: Option<Secret>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Requested,
    Challenged,
    Over,
}

/// The client's side of authentication at a service, made by
/// [`TicketStore::authorizer`](super::TicketStore::authorizer).
#[derive(Debug)]
pub struct ServiceHandshake {
    /// None with auth none.
    holder: Option<Holder>,
    /// The first payload.
    first: Bytes,
    modes: Modes,
    step: Step,
}

/// A ticket in use.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) global_id: u64,
    pub(super) service: EntityType,
    pub(super) ticket: TicketBlob,
    pub(super) session_key: CryptoKey,
    pub(super) nonce: u64,
}

impl Holder {
    /// The authorizer, with the answer to the service's challenge if there was one.
    pub(super) fn authorizer(
        &self,
        challenge: Option<u64>,
        rng: &mut impl CryptoRng,
    ) -> Result<Authorizer, AuthError> {
        let authorize =
            Authorize { nonce: self.nonce, challenge_plus_one: challenge.map(|c| c.wrapping_add(1)) };
        let mut confounder = [0; CONFOUNDER_LEN];
        rng.fill_bytes(&mut confounder);
        let sealed = self.session_key.seal(Usage::Authorize, &confounder, &authorize);
        Ok(Authorizer {
            global_id: self.global_id,
            service: self.service,
            ticket: self.ticket.clone(),
            sealed: sealed.map_err(|error| AuthError::within("authorizer", error))?,
        })
    }
}

impl ServiceHandshake {
    pub(super) fn none(authorizer: &NoneAuthorizer, modes: Modes) -> Self {
        Self { holder: None, first: authorizer.to_bytes(), modes, step: Step::Requested }
    }

    pub(super) fn cephx(holder: Holder, modes: Modes, rng: &mut impl CryptoRng) -> Result<Self, AuthError> {
        let first = holder.authorizer(None, rng)?.to_bytes();
        Ok(Self { holder: Some(holder), first, modes, step: Step::Requested })
    }

    /// The method in use.
    #[must_use]
    pub const fn method(&self) -> AuthMethod {
        match self.holder {
            None => AuthMethod::None,
            Some(_) => AuthMethod::Cephx,
        }
    }

    /// The first payload.
    #[must_use]
    pub fn start(&self) -> AuthRequest {
        let method = self.method();
        AuthRequest { method: method.number(), modes: self.modes.with(method), blob: self.first.clone() }
    }

    /// Takes AUTH_BAD_METHOD, which ends the handshake. A service that [refused](AuthError::Refused) us may
    /// have lost the key that the ticket is sealed with: invalidate the ticket, and come again.
    #[must_use]
    pub fn bad_method(&mut self, result: i32, allowed_methods: &[u32], allowed_modes: &[u32]) -> AuthError {
        self.step = Step::Over;
        let method = self.method();
        if !allowed_methods.contains(&method.number()) {
            let offered = alloc::vec![method];
            return AuthError::MethodsRefused { offered, allowed: allowed_methods.to_vec() };
        }
        let key_type = self.holder.as_ref().map(|holder| holder.session_key.key_type());
        let refused = AuthError::Refused { method, key_type, errno: result.saturating_neg(), resumed: false };
        self.modes.refusal(method, allowed_modes).unwrap_or(refused)
    }

    /// Takes AUTH_REPLY_MORE: gives the payload of AUTH_REQUEST_MORE.
    ///
    /// # Errors
    /// [`AuthError::Undecryptable`] if the service has another session key, [`AuthError::Malformed`], or
    /// [`AuthError::OutOfStep`] on a second challenge.
    pub fn more(&mut self, blob: &[u8], rng: &mut impl CryptoRng) -> Result<Bytes, AuthError> {
        let step = core::mem::replace(&mut self.step, Step::Over);
        let (Step::Requested, Some(holder)) = (step, &self.holder) else {
            return Err(AuthError::OutOfStep { what: "auth challenge" });
        };
        let challenge: AuthorizeChallenge = (holder.session_key)
            .open_as(Usage::AuthorizeChallenge, blob)
            .map_err(|error| AuthError::within("service's challenge", error))?;
        let answer = holder.authorizer(Some(challenge.server_challenge), rng)?;
        self.step = Step::Challenged;
        Ok(answer.to_bytes())
    }

    /// Takes AUTH_DONE.
    ///
    /// # Errors
    /// [`AuthError::WrongProof`] if the service could not read the ticket; [`AuthError::Undecryptable`],
    /// [`AuthError::Malformed`], [`AuthError::ModeNotOffered`] and other faults of the service.
    pub fn done(&mut self, con_mode: u32, blob: &[u8]) -> Result<ServiceLogin, AuthError> {
        let step = core::mem::replace(&mut self.step, Step::Over);
        if step == Step::Over {
            return Err(AuthError::OutOfStep { what: "end of authentication" });
        }
        let Some(holder) = &self.holder else {
            let (con_mode, connection_secret) = self.modes.settle(AuthMethod::None, con_mode, None)?;
            return Ok(ServiceLogin { con_mode, session_key: None, connection_secret });
        };
        let what = "service's reply";
        let sealed = Bytes::decode(blob).map_err(|error| AuthError::Malformed { what, error })?;
        let reply: AuthorizeReply = (holder.session_key)
            .open_as(Usage::AuthorizeReply, &sealed)
            .map_err(|error| AuthError::within(what, error))?;
        if reply.nonce_plus_one != holder.nonce.wrapping_add(1) {
            return Err(AuthError::WrongProof);
        }
        let secret = Some(reply.connection_secret);
        let (con_mode, connection_secret) = self.modes.settle(AuthMethod::Cephx, con_mode, secret)?;
        Ok(ServiceLogin { con_mode, session_key: Some(holder.session_key.clone()), connection_secret })
    }
}
