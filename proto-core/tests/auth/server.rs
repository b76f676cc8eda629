//! A mon and an OSD, as far as authentication goes.

use crate::{BOTH, CEPHX, admin, key, rng};
use bytes::{Bytes, BytesMut};
use linger_core::Timestamp;
use linger_core::auth::{
    AuthError, AuthName, ConMode, CryptoKey, KeyType, MonHandshake, MonLogin, Resume, Secret,
    ServiceHandshake, ServiceLogin, TicketStore,
};
use linger_wire::cephx::{
    AuthTicket, Authenticate, Authorize, AuthorizeChallenge, AuthorizeReply, Authorizer, LoginReply,
    LoginRequest, Operation, RequestHeader, ResponseHeader, ServerChallenge, ServiceTicket,
    ServiceTicketInfo, ServiceTicketRequest, TicketBlob, TicketEntry, TicketForm, TicketReply, Usage, proof,
};
use linger_wire::{Decode, Encode, EntityType, UTime};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A mon and an OSD: enough of both for one client.
pub struct Server {
    pub client_key: CryptoKey,
    /// What the services' rotating keys are, and of which type new session keys.
    pub service_key: CryptoKey,
    /// The number of that key; the one before it is still good.
    generation: u64,
    old_key: Option<CryptoKey>,
    rng: ChaCha8Rng,
    pub challenge: u64,
    pub validity: UTime,
    pub secret: Vec<u8>,
    /// The tickets it gives besides AUTH's, as a bit-or.
    pub gives: u32,
}

impl Server {
    pub fn new(kind: KeyType) -> Self {
        Self {
            client_key: key(kind, 1),
            service_key: key(kind, 2),
            generation: 3,
            old_key: None,
            rng: ChaCha8Rng::seed_from_u64(9),
            challenge: 77,
            validity: UTime { sec: 100, nsec: 0 },
            secret: vec![],
            gives: 5,
        }
    }

    /// A new rotating key; the one before the last is forgotten.
    pub fn rotate(&mut self) {
        let mut bytes = vec![0; self.service_key.secret().len()];
        self.rng.fill_bytes(&mut bytes);
        let new = CryptoKey::new(self.service_key.key_type(), UTime::default(), &bytes).unwrap();
        self.old_key = Some(core::mem::replace(&mut self.service_key, new));
        self.generation += 1;
    }

    pub fn confounder(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    pub fn ticket(
        &mut self,
        service: EntityType,
        under: &CryptoKey,
        old: Option<&CryptoKey>,
    ) -> (TicketEntry, CryptoKey) {
        let kind = self.service_key.key_type();
        let mut bytes = vec![0; kind.secret_len().unwrap()];
        self.rng.fill_bytes(&mut bytes);
        let session_key = CryptoKey::new(kind, UTime::default(), &bytes).unwrap();
        let ticket = AuthTicket {
            name: AuthName::client("admin"),
            global_id: 4100,
            old_auid: u64::MAX,
            created: UTime::default(),
            expires: self.validity,
            allow_all: false,
            caps: Bytes::new(),
            flags: 0,
        };
        let info = ServiceTicketInfo { ticket, session_key: session_key.clone() };
        let confounder = self.confounder();
        let blob = self.service_key.seal(Usage::TicketInfo, &confounder, &info).unwrap();
        let blob = TicketBlob { secret_id: self.generation, blob };
        let mine = ServiceTicket { session_key: session_key.clone(), validity: self.validity };
        let ticket = match old {
            None => TicketForm::Plain(blob),
            Some(old) => {
                TicketForm::Sealed(old.seal(Usage::TicketBlob, &confounder, &blob.to_bytes()).unwrap())
            }
        };
        let sealed = under.seal(Usage::TicketSessionKey, &confounder, &mine).unwrap();
        (TicketEntry { service, sealed, ticket }, session_key)
    }

    pub fn services(&mut self, keys: u32, under: &CryptoKey) -> TicketReply {
        let services = [EntityType::MON, EntityType::OSD];
        let keys = keys & self.gives;
        let asked = services.into_iter().filter(|s| u32::from(s.0) & keys != 0);
        TicketReply(asked.map(|service| self.ticket(service, under, None).0).collect())
    }

    pub fn open(&self, ticket: &TicketBlob) -> Option<CryptoKey> {
        let key = match self.generation.checked_sub(ticket.secret_id)? {
            0 => &self.service_key,
            1 => self.old_key.as_ref()?,
            _ => return None,
        };
        let info = key.open_as::<ServiceTicketInfo>(Usage::TicketInfo, &ticket.blob);
        info.ok().map(|info| info.session_key)
    }

    /// Answers a request for the AUTH ticket, or for services' tickets.
    pub fn answer(&mut self, request: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        let operation = RequestHeader::decode(request).unwrap().operation;
        ResponseHeader { operation, status: 0 }.encode(&mut out);
        if operation == Operation::AUTH_SESSION_KEY {
            let ask = Authenticate::decode(&request[2..]).unwrap();
            assert_eq!(ask.key, proof(&self.client_key, self.challenge, ask.client_challenge).unwrap());
            let (client_key, old) = (self.client_key.clone(), self.open(&ask.old_ticket));
            let (auth, session_key) = self.ticket(EntityType::AUTH, &client_key, old.as_ref());
            let mut reply = LoginReply { tickets: TicketReply(vec![auth]), ..LoginReply::default() };
            if !self.secret.is_empty() {
                let secret = Secret::from(self.secret.clone());
                let sealed = session_key.seal(Usage::ConnectionSecret, &self.confounder(), &secret);
                reply.connection_secret = sealed.unwrap().to_bytes();
            }
            if ask.other_keys != 0 {
                reply.extra = self.services(ask.other_keys, &session_key).to_bytes();
            }
            reply.encode(&mut out);
        } else {
            let authorizer = Authorizer::decode(&request[2..]).unwrap();
            assert_eq!(authorizer.service, EntityType::AUTH);
            let session_key = self.open(&authorizer.ticket).unwrap();
            session_key.open_as::<Authorize>(Usage::Authorize, &authorizer.sealed).unwrap();
            let keys =
                ServiceTicketRequest::decode(&request[2 + authorizer.to_bytes().len()..]).unwrap().keys;
            self.services(keys, &session_key).encode(&mut out);
        }
        out.freeze()
    }

    pub fn log_in(&mut self, now: Timestamp, mode: ConMode, resume: Option<Resume>) -> MonLogin {
        let credentials = admin(Some(self.client_key.clone()));
        let mut shake = MonHandshake::new(credentials, CEPHX, BOTH, resume).unwrap();
        assert_eq!(LoginRequest::decode(&shake.start().blob).unwrap().name, AuthName::client("admin"));
        let challenge = ServerChallenge { server_challenge: self.challenge }.to_bytes();
        let answer = shake.more(&challenge, &mut rng()).unwrap();
        self.secret = if mode == ConMode::Secure { vec![5; 64] } else { vec![] };
        let reply = self.answer(&answer);
        self.secret.clear();
        shake.done(now, 4100, mode.number(), &reply).unwrap()
    }

    pub fn store(&mut self, now: Timestamp) -> TicketStore {
        let mut store = TicketStore::new(admin(Some(self.client_key.clone())));
        store.adopt(self.log_in(now, ConMode::Crc, None).grant);
        store
    }

    /// An OSD's part; what it sends last can be bent.
    pub fn serve(
        &mut self,
        shake: &mut ServiceHandshake,
        mode: u32,
        bend: impl FnOnce(&mut AuthorizeReply),
    ) -> Result<ServiceLogin, AuthError> {
        let first = Authorizer::decode(&shake.start().blob).unwrap();
        let session_key = self.open(&first.ticket).unwrap();
        let challenge = AuthorizeChallenge { server_challenge: u64::MAX };
        let sealed = session_key.seal(Usage::AuthorizeChallenge, &self.confounder(), &challenge).unwrap();
        let second = Authorizer::decode(&shake.more(&sealed, &mut rng())?).unwrap();
        let inside = |a: &Authorizer| session_key.open_as::<Authorize>(Usage::Authorize, &a.sealed).unwrap();
        assert_eq!(inside(&first).challenge_plus_one, None);
        assert_eq!(inside(&second), Authorize { challenge_plus_one: Some(0), ..inside(&first) });
        let secret = Secret::from(self.secret.clone());
        let nonce_plus_one = inside(&second).nonce.wrapping_add(1);
        let mut reply = AuthorizeReply { nonce_plus_one, connection_secret: secret };
        bend(&mut reply);
        let sealed = session_key.seal(Usage::AuthorizeReply, &self.confounder(), &reply).unwrap();
        shake.done(mode, &sealed.to_bytes())
    }
}
