//! Who may log in, and the tickets they get.
//!
//! Facts: `auth/cephx/CephxServiceHandler.cc`, `auth/cephx/CephxProtocol.cc`, `auth/cephx/CephxKeyServer.cc`.

use crate::settings::{Auth, Settings, User};
use bytes::{Bytes, BytesMut};
use linger_core::UnixTime;
use linger_wire::cephx::{
    AuthName, AuthTicket, Authenticate, Authorize, AuthorizeChallenge, AuthorizeReply, Authorizer,
    CryptoError, CryptoKey, KeyType, LoginReply, Operation, RequestHeader, ResponseHeader, Secret,
    ServiceTicket, ServiceTicketInfo, ServiceTicketRequest, TicketBlob, TicketEntry, TicketForm, TicketReply,
    Usage, proof,
};
use linger_wire::errno::{EACCES, EINVAL, EPERM};
use linger_wire::frame::ConMode;
use linger_wire::{Decode, Encode, EntityType, Name, UTime};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many keys of a service are good at a time: the one in use and those before it.
const KEYS_KEPT: u64 = 3;
/// Clients' numbers that are kept as given at once (`mon_globalid_prealloc`).
const NUMBERS: u64 = 10_000;
/// Bytes of the secret of a secure connection, as many as Ceph gives.
const SECRET_LEN: usize = 64;

/// What a login gave.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// The client's number.
    pub global_id: u64,
    /// The key that signs the handshake; none without authentication.
    pub session_key: Option<CryptoKey>,
    /// What the connection is sealed with, in secure mode.
    pub secret: Option<Secret>,
    /// What the client may do at this daemon.
    pub caps: String,
}

/// What a client asks for in a login.
pub(crate) struct Ask<'a> {
    /// Who it is.
    pub name: &'a AuthName,
    /// What the server asked it to prove its key with.
    pub challenge: u64,
    /// The number it wants again, 0 for a new one; in a session the one it has.
    pub global_id: u64,
    /// Whether the connection is to be sealed.
    pub secure: bool,
    /// Its request.
    pub payload: &'a [u8],
}

/// The monitors' key server, and every service's copy of the keys for tickets.
#[derive(Debug)]
pub(crate) struct Keys {
    /// How clients log in.
    pub auth: Auth,
    /// How connections may be protected.
    pub modes: Vec<ConMode>,
    users: BTreeMap<AuthName, User>,
    admin: User,
    ticket_ttl: Duration,
    login_ttl: Duration,
    /// All keys of services are drawn from this.
    master: [u8; 32],
    rng: ChaCha20Rng,
    next_global_id: u64,
    /// Numbers below this are given, if anybody asks after a restart.
    kept_global_id: u64,
}

/// What of the key server outlives its process.
#[derive(Debug, Clone)]
pub(crate) struct KeptKeys {
    /// The key of `client.admin`.
    pub admin: CryptoKey,
    /// What the services' keys are drawn from.
    pub master: [u8; 32],
    /// No client has had this number, or a greater one.
    pub next_global_id: u64,
}

/// A refusal: a positive errno.
type Refused<T> = Result<T, i32>;

impl Keys {
    pub fn new(settings: &Settings, unix: UnixTime, rng: &mut impl Rng) -> Self {
        let (mut master, mut seed) = ([0; 32], [0; 32]);
        rng.fill_bytes(&mut master);
        rng.fill_bytes(&mut seed);
        let mut rng = ChaCha20Rng::from_seed(seed);
        let kind = match settings.auth {
            Auth::Cephx(kind) => kind,
            Auth::None => KeyType::Aes,
        };
        let key = draw(kind, utime(unix.0), &mut rng);
        let admin = User {
            name: AuthName::client("admin"),
            key,
            osd_caps: "allow *".into(),
            mon_caps: "allow *".into(),
        };
        let mut users: BTreeMap<_, _> =
            settings.users.iter().map(|user| (user.name.clone(), user.clone())).collect();
        users.insert(admin.name.clone(), admin.clone());
        let (ticket_ttl, login_ttl) = (settings.ticket_ttl, settings.login_ttl);
        let mode = |mode: &linger_core::auth::ConMode| match mode {
            linger_core::auth::ConMode::Secure => ConMode::SECURE,
            _ => ConMode::CRC,
        };
        let (auth, modes) = (settings.auth, settings.modes.iter().map(mode).collect());
        Self {
            auth,
            modes,
            users,
            admin,
            ticket_ttl,
            login_ttl,
            master,
            rng,
            next_global_id: 4100,
            kept_global_id: 0,
        }
    }

    pub fn admin(&self) -> &User {
        &self.admin
    }

    /// Whether clients got numbers that are not kept as given yet.
    pub fn gave_numbers(&self) -> bool {
        self.next_global_id > self.kept_global_id
    }

    /// What is to be kept; of numbers a whole range, as they are given often.
    pub fn keep(&mut self) -> KeptKeys {
        if self.gave_numbers() {
            self.kept_global_id = self.next_global_id.saturating_add(NUMBERS);
        }
        KeptKeys { admin: self.admin.key.clone(), master: self.master, next_global_id: self.kept_global_id }
    }

    /// Goes on with keys and numbers of before.
    pub fn take_back(&mut self, kept: KeptKeys) {
        self.admin.key = kept.admin;
        self.users.insert(self.admin.name.clone(), self.admin.clone());
        self.master = kept.master;
        self.next_global_id = kept.next_global_id;
    }

    pub fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Takes the number a client wants, or gives it a new one.
    pub fn global_id(&mut self, wanted: u64) -> u64 {
        let id = if wanted == 0 { self.next_global_id } else { wanted };
        self.next_global_id = self.next_global_id.max(id.saturating_add(1));
        id
    }

    /// Answers a request to the auth service, at login or in a session.
    pub fn answer(&mut self, unix: UnixTime, ask: &Ask<'_>) -> Refused<(Bytes, Option<Grant>)> {
        let operation = RequestHeader::decode(ask.payload).map_err(|_| EINVAL)?.operation;
        let body = ask.payload.get(2..).ok_or(EINVAL)?;
        let mut out = BytesMut::new();
        ResponseHeader { operation, status: 0 }.encode(&mut out);
        match operation {
            Operation::AUTH_SESSION_KEY => {
                let (reply, grant) = self.log_in(unix, ask, body)?;
                reply.encode(&mut out);
                Ok((out.freeze(), Some(grant)))
            }
            Operation::PRINCIPAL_SESSION_KEY => {
                self.more_tickets(unix, body)?.encode(&mut out);
                Ok((out.freeze(), None))
            }
            _ => Err(EINVAL),
        }
    }

    fn log_in(&mut self, unix: UnixTime, who: &Ask<'_>, body: &[u8]) -> Refused<(LoginReply, Grant)> {
        let Ask { name, challenge, global_id: wanted, secure, .. } = *who;
        let ask = Authenticate::decode(body).map_err(|_| EINVAL)?;
        let user = self.users.get(name).ok_or(EACCES)?.clone();
        if proof(&user.key, challenge, ask.client_challenge).map_err(|_| EACCES)? != ask.key {
            return Err(EACCES);
        }
        let old = self.open(unix, EntityType::AUTH, &ask.old_ticket);
        // Whoever wants a number again has to show that it was the client's.
        if wanted != 0 && old.as_ref().is_none_or(|old| old.ticket.global_id != wanted) {
            return Err(EACCES);
        }
        let global_id = self.global_id(wanted);
        let old_key = old.map(|old| old.session_key);
        let (auth, session_key) =
            self.ticket(unix, &user, EntityType::AUTH, global_id, &user.key, old_key.as_ref())?;
        let mut reply = LoginReply { tickets: TicketReply(vec![auth]), ..LoginReply::default() };
        if ask.other_keys != 0 {
            reply.extra = self.services(unix, &user, ask.other_keys, global_id, &session_key)?.to_bytes();
        }
        let secret = secure.then(|| self.secret());
        if let Some(secret) = &secret {
            let sealed = session_key.seal(Usage::ConnectionSecret, &self.confounder(), secret);
            reply.connection_secret = sealed.map_err(failed)?.to_bytes();
        }
        let grant = Grant { global_id, session_key: Some(session_key), secret, caps: user.mon_caps };
        Ok((reply, grant))
    }

    fn more_tickets(&mut self, unix: UnixTime, body: &[u8]) -> Refused<TicketReply> {
        let authorizer = Authorizer::decode(body).map_err(|_| EINVAL)?;
        let keys = body.get(authorizer.to_bytes().len()..).ok_or(EINVAL)?;
        let keys = ServiceTicketRequest::decode(keys).map_err(|_| EINVAL)?.keys;
        let info = self.open(unix, EntityType::AUTH, &authorizer.ticket).ok_or(EPERM)?;
        let opened = info.session_key.open_as::<Authorize>(Usage::Authorize, &authorizer.sealed);
        opened.map_err(|_| EPERM)?;
        let user = self.users.get(&info.ticket.name).ok_or(EACCES)?.clone();
        self.services(unix, &user, keys, info.ticket.global_id, &info.session_key)
    }

    fn services(
        &mut self,
        unix: UnixTime,
        user: &User,
        keys: u32,
        global_id: u64,
        under: &CryptoKey,
    ) -> Refused<TicketReply> {
        let services = [EntityType::MON, EntityType::OSD, EntityType::MGR];
        let asked = services.into_iter().filter(|service| u32::from(service.0) & keys != 0);
        let tickets = asked.map(|service| Ok(self.ticket(unix, user, service, global_id, under, None)?.0));
        tickets.collect::<Refused<_>>().map(TicketReply)
    }

    /// A ticket, its session key for whoever has the key `under`; sealed for whoever has `old`.
    fn ticket(
        &mut self,
        unix: UnixTime,
        user: &User,
        service: EntityType,
        global_id: u64,
        under: &CryptoKey,
        old: Option<&CryptoKey>,
    ) -> Refused<(TicketEntry, CryptoKey)> {
        let validity = self.validity(service);
        let session_key = draw(user.key.key_type(), utime(unix.0), &mut self.rng);
        let ticket = AuthTicket {
            name: user.name.clone(),
            global_id,
            old_auid: u64::MAX,
            created: utime(unix.0),
            expires: utime(unix.0.saturating_add(validity)),
            allow_all: false,
            caps: Name::from(user.osd_caps.as_str()).to_bytes(),
            flags: 0,
        };
        let info = ServiceTicketInfo { ticket, session_key: session_key.clone() };
        let secret_id = self.secret_id(unix, service);
        let sealed = self.service_key(service, secret_id).seal(Usage::TicketInfo, &self.confounder(), &info);
        let blob = TicketBlob { secret_id, blob: sealed.map_err(failed)? };
        let ticket = match old {
            None => TicketForm::Plain(blob),
            Some(old) => {
                let sealed = old.seal(Usage::TicketBlob, &self.confounder(), &blob.to_bytes());
                TicketForm::Sealed(sealed.map_err(failed)?)
            }
        };
        let mine = ServiceTicket { session_key: session_key.clone(), validity: utime(validity) };
        let sealed = under.seal(Usage::TicketSessionKey, &self.confounder(), &mine).map_err(failed)?;
        Ok((TicketEntry { service, sealed, ticket }, session_key))
    }

    /// What is in a ticket, if it is one for this service and still good.
    fn open(&self, unix: UnixTime, service: EntityType, ticket: &TicketBlob) -> Option<ServiceTicketInfo> {
        let newest = self.secret_id(unix, service);
        if !(newest.saturating_sub(KEYS_KEPT)..=newest).contains(&ticket.secret_id) {
            return None;
        }
        let key = self.service_key(service, ticket.secret_id);
        let info = key.open_as::<ServiceTicketInfo>(Usage::TicketInfo, &ticket.blob).ok()?;
        (info.ticket.expires >= utime(unix.0)).then_some(info)
    }

    /// A service's answer to a client that shows its ticket: a sealed challenge at first, then the reply
    /// that ends the login.
    pub fn authorize(
        &mut self,
        unix: UnixTime,
        service: EntityType,
        challenge: u64,
        secure: bool,
        payload: &[u8],
    ) -> Refused<Authorized> {
        let authorizer = Authorizer::decode(payload).map_err(|_| EINVAL)?;
        let info = self.open(unix, service, &authorizer.ticket).ok_or(EACCES)?;
        let key = info.session_key;
        let inside: Authorize = key.open_as(Usage::Authorize, &authorizer.sealed).map_err(|_| EACCES)?;
        if inside.challenge_plus_one != Some(challenge.wrapping_add(1)) {
            let challenge = AuthorizeChallenge { server_challenge: challenge };
            let sealed = key.seal(Usage::AuthorizeChallenge, &self.confounder(), &challenge);
            return sealed.map(Authorized::Challenge).map_err(failed);
        }
        let nonce_plus_one = inside.nonce.wrapping_add(1);
        let secret = secure.then(|| self.secret());
        let reply = AuthorizeReply { nonce_plus_one, connection_secret: secret.clone().unwrap_or_default() };
        let sealed = key.seal(Usage::AuthorizeReply, &self.confounder(), &reply).map_err(failed)?;
        let AuthTicket { global_id, caps, .. } = info.ticket;
        let caps = Name::decode(&caps).map(|caps| caps.to_string_lossy().into_owned()).unwrap_or_default();
        let grant = Grant { global_id, session_key: Some(key), secret, caps };
        Ok(Authorized::Done(sealed.to_bytes(), grant))
    }

    fn validity(&self, service: EntityType) -> Duration {
        if service == EntityType::AUTH { self.login_ttl } else { self.ticket_ttl }
    }

    /// Services change their key once in a ticket's lifetime.
    fn secret_id(&self, unix: UnixTime, service: EntityType) -> u64 {
        unix.0.as_secs() / self.validity(service).as_secs().max(1) + 1
    }

    fn service_key(&self, service: EntityType, secret_id: u64) -> CryptoKey {
        let mut seed = self.master;
        seed.iter_mut().zip(secret_id.to_le_bytes()).for_each(|(byte, id)| *byte ^= id);
        seed[31] ^= service.0;
        let kind = match self.auth {
            Auth::Cephx(kind) => kind,
            Auth::None => KeyType::Aes,
        };
        draw(kind, UTime::default(), &mut ChaCha20Rng::from_seed(seed))
    }

    /// What a connection is sealed with.
    fn secret(&mut self) -> Secret {
        let mut bytes = vec![0; SECRET_LEN];
        self.rng.fill_bytes(&mut bytes);
        Secret::from(bytes)
    }

    fn confounder(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }
}

/// A service's answer to an authorizer.
pub(crate) enum Authorized {
    /// The payload of `AUTH_REPLY_MORE`.
    Challenge(Bytes),
    /// The payload of `AUTH_DONE`, and who it is.
    Done(Bytes, Grant),
}

fn failed(_: CryptoError) -> i32 {
    EPERM
}

fn draw(kind: KeyType, created: UTime, rng: &mut impl Rng) -> CryptoKey {
    let mut secret = [0; 32];
    rng.fill_bytes(&mut secret);
    let len = kind.secret_len().unwrap_or(0).min(secret.len());
    let key = CryptoKey::new(kind, created, &secret[..len]);
    key.unwrap_or_else(|_| draw(KeyType::Aes, created, rng))
}

/// A time or a span as it travels.
pub(crate) fn utime(span: Duration) -> UTime {
    UTime { sec: u32::try_from(span.as_secs()).unwrap_or(u32::MAX), nsec: span.subsec_nanos() }
}
