//! Tickets: kept, used, renewed in time.

use super::negotiate::Modes;
use super::service::Holder;
use super::{AuthError, AuthMethod, ConMode, Credentials, Resume, ServiceHandshake};
use crate::Timestamp;
use alloc::collections::BTreeMap;
use bytes::{Bytes, BytesMut};
use core::time::Duration;
use linger_wire::cephx::{
    Authenticate, CryptoError, CryptoKey, KeyType, LoginReply, NoneAuthorizer, Operation, RequestHeader,
    ResponseHeader, Secret, ServiceTicket, ServiceTicketRequest, TicketBlob, TicketForm, TicketReply, Usage,
    proof,
};
use linger_wire::{Decode, Encode, EntityType};
use rand_core::CryptoRng;

/// The services whose tickets a client wants: mons and OSDs, as a bit-or of entity types.
pub(super) const WANTED: u32 = SERVICES[0].0 as u32 | SERVICES[1].0 as u32;
const SERVICES: [EntityType; 2] = [EntityType::MON, EntityType::OSD];

/// How long to wait when a renewal was refused or did not bring what was asked for; librados' tick.
const RETRY: Duration = Duration::from_secs(10);

/// A ticket is not renewed sooner than this, however short its life.
const SHORTEST: Duration = Duration::from_secs(1);

/// A ticket and what its holder must know of it.
#[derive(Debug, Clone)]
pub(super) struct Ticket {
    pub(super) session_key: CryptoKey,
    pub(super) blob: TicketBlob,
    renew_after: Timestamp,
    expires: Timestamp,
    /// False once a service did not take it.
    usable: bool,
}

impl Ticket {
    fn good(&self, now: Timestamp) -> bool {
        self.usable && now < self.expires
    }
}

/// What a login at a mon leaves for the [`TicketStore`].
#[derive(Debug, Clone)]
pub struct Grant {
    pub(super) global_id: u64,
    /// None with auth none.
    pub(super) proven: Option<Proven>,
}

#[derive(Debug, Clone)]
pub(super) struct Proven {
    pub(super) server_challenge: u64,
    pub(super) tickets: BTreeMap<EntityType, Ticket>,
}

/// All tickets of a client.
///
/// Times are those of the client's clock only: a ticket's life is counted from when it came.
#[derive(Debug)]
pub struct TicketStore {
    credentials: Credentials,
    global_id: u64,
    /// None before the first login and with auth none.
    proven: Option<Proven>,
    /// The renewal that is on its way, and the services it asks for.
    asked: Option<(Operation, u32)>,
    /// No renewal before this.
    not_before: Timestamp,
}

impl TicketStore {
    /// A store without tickets.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, global_id: 0, proven: None, asked: None, not_before: Timestamp::default() }
    }

    /// Our global id; 0 before the first login.
    #[must_use]
    pub const fn global_id(&self) -> u64 {
        self.global_id
    }

    /// How the last login was done; cephx before the first.
    #[must_use]
    pub const fn method(&self) -> AuthMethod {
        if self.global_id != 0 && self.proven.is_none() { AuthMethod::None } else { AuthMethod::Cephx }
    }

    /// Takes what a login brought. Tickets of an earlier login stay where this one brought none, unless
    /// the global id is another one.
    pub fn adopt(&mut self, grant: Grant) {
        let earlier = self.proven.take();
        let same = self.global_id == grant.global_id;
        self.global_id = grant.global_id;
        self.asked = None;
        self.not_before = Timestamp::default();
        self.proven = grant.proven;
        if let (true, Some(proven), Some(earlier)) = (same, &mut self.proven, earlier) {
            for (service, ticket) in earlier.tickets {
                proven.tickets.entry(service).or_insert(ticket);
            }
        }
    }

    /// What the next login needs to keep the global id; none before the first login.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        let ticket = self.proven.as_ref().and_then(|proven| proven.tickets.get(&EntityType::AUTH));
        let auth_ticket = ticket.map(|ticket| (ticket.blob.clone(), ticket.session_key.clone()));
        (self.global_id != 0).then_some(Resume { global_id: self.global_id, auth_ticket })
    }

    /// Forgets the global id: the next login gets a new one.
    pub fn forget(&mut self) {
        *self = Self::new(self.credentials.clone());
    }

    /// Whether a connection to `service` can be authenticated now.
    #[must_use]
    pub fn have(&self, service: EntityType, now: Timestamp) -> bool {
        match &self.proven {
            None => self.global_id != 0,
            Some(proven) => proven.tickets.get(&service).is_some_and(|ticket| ticket.good(now)),
        }
    }

    /// Starts authentication at a service, in one of `modes`, in order of preference.
    ///
    /// # Errors
    /// [`AuthError::NoTicket`] before a login, or if there is no ticket that the service may take;
    /// [`AuthError::NoMode`], [`AuthError::KeyType`].
    pub fn authorizer(
        &self,
        service: EntityType,
        modes: &[ConMode],
        rng: &mut impl CryptoRng,
    ) -> Result<ServiceHandshake, AuthError> {
        let modes = Modes::new(modes)?;
        if self.global_id == 0 {
            return Err(AuthError::NoTicket { service });
        }
        let Some(proven) = &self.proven else {
            let name = self.credentials.name.clone();
            let none = NoneAuthorizer { name, global_id: self.global_id };
            return Ok(ServiceHandshake::none(&none, modes));
        };
        let ticket = proven.tickets.get(&service).filter(|ticket| ticket.usable);
        let ticket = ticket.ok_or(AuthError::NoTicket { service })?;
        ServiceHandshake::cephx(self.holder(service, ticket, rng), modes, rng)
    }

    fn holder(&self, service: EntityType, ticket: &Ticket, rng: &mut impl CryptoRng) -> Holder {
        Holder {
            global_id: self.global_id,
            service,
            ticket: ticket.blob.clone(),
            session_key: ticket.session_key.clone(),
            nonce: rng.next_u64(),
        }
    }

    /// Marks the ticket for `service` and the AUTH ticket as not usable, so that new ones are asked for:
    /// a service that refuses a ticket has seen its key rotate, and the AUTH ticket may be as old.
    ///
    /// Returns whether this is news of the service's ticket: of several logins with one ticket the first
    /// refusal is. Without tickets each refusal is.
    pub fn invalidate(&mut self, service: EntityType) -> bool {
        let Some(proven) = &mut self.proven else { return true };
        let mut news = false;
        for one in [service, EntityType::AUTH] {
            if let Some(ticket) = proven.tickets.get_mut(&one) {
                news |= core::mem::replace(&mut ticket.usable, false) && one == service;
            }
        }
        news
    }

    /// When [`renewal`](Self::renewal) will have something to ask; none while a renewal is on its way, and
    /// where there are no tickets to renew.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let proven = self.proven.as_ref()?;
        if self.asked.is_some() {
            return None;
        }
        let due = |service: EntityType| match proven.tickets.get(&service) {
            Some(ticket) if ticket.usable => ticket.renew_after,
            _ => Timestamp::default(),
        };
        let first = SERVICES.into_iter().map(due).fold(due(EntityType::AUTH), Timestamp::min);
        Some(first.max(self.not_before))
    }

    /// The payload of an MAuth (method cephx) for the present mon session, if a renewal is due. One that
    /// renews the AUTH ticket asks for the services' tickets that are due with it.
    pub fn renewal(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Option<Bytes> {
        if self.next_due().is_none_or(|due| now < due) {
            return None;
        }
        let proven = self.proven.as_ref()?;
        let auth = proven.tickets.get(&EntityType::AUTH)?;
        let wanting = |service: &EntityType| proven.tickets.get(service).is_none_or(|t| due(t, now));
        let keys = SERVICES.into_iter().filter(wanting).fold(0, |keys, service| keys | u32::from(service.0));
        let mut out = BytesMut::new();
        let operation = if due(auth, now) {
            let (key, challenge) = (self.credentials.key.as_ref()?, proven.server_challenge);
            put_authenticate(&mut out, key, challenge, auth.blob.clone(), keys, rng).ok()?;
            Operation::AUTH_SESSION_KEY
        } else {
            let operation = Operation::PRINCIPAL_SESSION_KEY;
            RequestHeader { operation }.encode(&mut out);
            let holder = self.holder(EntityType::AUTH, auth, rng);
            holder.authorizer(None, rng).ok()?.encode(&mut out);
            ServiceTicketRequest { keys }.encode(&mut out);
            operation
        };
        self.asked = Some((operation, keys));
        Some(out.freeze())
    }

    /// Takes the answer to a renewal: `result` and payload of an MAuthReply.
    ///
    /// # Errors
    /// [`AuthError::Failed`] if the mon refused; [`AuthError::Undecryptable`], [`AuthError::Malformed`],
    /// [`AuthError::OutOfStep`]. Tickets at hand stay as they are, and the renewal is tried again later.
    pub fn on_renewal_reply(&mut self, now: Timestamp, result: i32, blob: &[u8]) -> Result<(), AuthError> {
        let (Some((asked, keys)), Some(proven)) = (self.asked.take(), &mut self.proven) else {
            return Err(AuthError::OutOfStep { what: "answer to a ticket renewal" });
        };
        self.not_before = now.saturating_add(RETRY);
        if result < 0 {
            return Err(AuthError::Failed { errno: result.saturating_neg() });
        }
        let what = "mon's renewal reply";
        let reply = after_header(blob, asked, what)?;
        let auth_key = proven.tickets.get(&EntityType::AUTH).map(|auth| &auth.session_key);
        let tickets = if asked == Operation::AUTH_SESSION_KEY {
            let key = self.credentials.key.as_ref().ok_or(AuthError::OutOfStep { what })?;
            open_login(now, key, auth_key, what, reply)?.0
        } else {
            let key = auth_key.ok_or(AuthError::OutOfStep { what })?;
            let reply = TicketReply::decode(reply).map_err(|error| AuthError::Malformed { what, error })?;
            open_reply(now, key, None, reply)?
        };
        // What did not come is asked for again at once after AUTH's turn, and only later after its own.
        let came = tickets.keys().fold(0, |came, service| came | u32::from(service.0));
        if asked == Operation::AUTH_SESSION_KEY || came & keys == keys {
            self.not_before = now;
        }
        proven.tickets.extend(tickets);
        Ok(())
    }
}

fn due(ticket: &Ticket, now: Timestamp) -> bool {
    !ticket.usable || now >= ticket.renew_after
}

/// Whether a key is of a type that this side can use.
pub(super) fn check_key(key: &CryptoKey) -> Result<(), AuthError> {
    match key.key_type() {
        KeyType::Aes | KeyType::Aes256k => Ok(()),
        key_type => Err(AuthError::KeyType { key_type }),
    }
}

/// Appends a request for the AUTH ticket.
pub(super) fn put_authenticate(
    out: &mut BytesMut,
    key: &CryptoKey,
    server_challenge: u64,
    old_ticket: TicketBlob,
    other_keys: u32,
    rng: &mut impl CryptoRng,
) -> Result<(), AuthError> {
    let client_challenge = rng.next_u64();
    let proof = proof(key, server_challenge, client_challenge)
        .map_err(|error| AuthError::within("proof of the key", error))?;
    RequestHeader { operation: Operation::AUTH_SESSION_KEY }.encode(out);
    Authenticate { client_challenge, key: proof, old_ticket, other_keys, shows_old_ticket: true }.encode(out);
    Ok(())
}

/// Checks the header of an answer and returns what follows it.
pub(super) fn after_header<'a>(
    blob: &'a [u8],
    asked: Operation,
    what: &'static str,
) -> Result<&'a [u8], AuthError> {
    let header = ResponseHeader::decode(blob).map_err(|error| AuthError::Malformed { what, error })?;
    if header.operation != asked {
        return Err(AuthError::OutOfStep { what });
    }
    if header.status != 0 {
        return Err(AuthError::Failed { errno: header.status.saturating_neg() });
    }
    Ok(blob.get(6..).unwrap_or_default())
}

/// Opens the answer to a request for the AUTH ticket: all its tickets, and the sealed connection secret.
pub(super) fn open_login(
    now: Timestamp,
    key: &CryptoKey,
    old_key: Option<&CryptoKey>,
    what: &'static str,
    reply: &[u8],
) -> Result<(BTreeMap<EntityType, Ticket>, Option<Secret>), AuthError> {
    let malformed = |error| AuthError::Malformed { what, error };
    let reply = LoginReply::decode(reply).map_err(malformed)?;
    let mut tickets = open_reply(now, key, old_key, reply.tickets)?;
    let auth = tickets.get(&EntityType::AUTH).ok_or(AuthError::NoTicket { service: EntityType::AUTH })?;
    let session_key = auth.session_key.clone();

    let mut secret = None;
    if !reply.connection_secret.is_empty() {
        let what = "connection secret";
        let sealed =
            Bytes::decode(&reply.connection_secret).map_err(|error| AuthError::Malformed { what, error })?;
        let opened = session_key.open_as(Usage::ConnectionSecret, &sealed);
        secret = Some(opened.map_err(|error| AuthError::within(what, error))?);
    }
    if !reply.extra.is_empty() {
        let extra = TicketReply::decode(&reply.extra).map_err(malformed)?;
        let mut extra = open_reply(now, &session_key, None, extra)?;
        // The AUTH ticket above must not be replaced.
        extra.remove(&EntityType::AUTH);
        tickets.append(&mut extra);
    }
    Ok((tickets, secret))
}

/// Opens all tickets of a reply. `key` is what the reply is sealed with, `old_key` the session key of the
/// AUTH ticket that is replaced.
pub(super) fn open_reply(
    now: Timestamp,
    key: &CryptoKey,
    old_key: Option<&CryptoKey>,
    reply: TicketReply,
) -> Result<BTreeMap<EntityType, Ticket>, AuthError> {
    let what = "ticket";
    let within = |error: CryptoError| AuthError::within(what, error);
    let mut tickets = BTreeMap::new();
    for entry in reply.0 {
        let mine: ServiceTicket = key.open_as(Usage::TicketSessionKey, &entry.sealed).map_err(within)?;
        check_key(&mine.session_key)?;
        let blob = match (entry.ticket, old_key) {
            (TicketForm::Plain(blob), _) => blob,
            (TicketForm::Sealed(sealed), Some(old_key)) => {
                let blob: Bytes = old_key.open_as(Usage::TicketBlob, &sealed).map_err(within)?;
                TicketBlob::decode(&blob).map_err(|error| AuthError::Malformed { what, error })?
            }
            (TicketForm::Sealed(_), None) => return Err(AuthError::OutOfStep { what: "sealed ticket" }),
        };
        let validity = Duration::new(mine.validity.sec.into(), mine.validity.nsec.min(999_999_999));
        let ticket = Ticket {
            session_key: mine.session_key,
            blob,
            renew_after: now.saturating_add((validity - validity / 4).max(SHORTEST)),
            expires: now.saturating_add(validity),
            usable: true,
        };
        tickets.insert(entry.service, ticket);
    }
    Ok(tickets)
}
