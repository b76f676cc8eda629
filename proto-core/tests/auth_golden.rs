//! Authentication against what real clusters sent: sessions of Ceph's own client with Pacific (AES keys)
//! and Tentacle (aes256k keys), replayed with that client's random numbers.

use linger_core::Timestamp;
use linger_core::auth::{
    AuthMethod, AuthName, ConMode, Credentials, CryptoKey, KeyType, MonHandshake, MonLogin, TicketStore,
};
use linger_wire::cephx::{
    Authenticate, Authorize, Authorizer, LoginReply, ServiceTicket, TicketReply, Usage, signature,
    verify_signature,
};
use linger_wire::{Decode, EntityType};
use rand_core::{Infallible, TryCryptoRng, TryRng};
use std::collections::{BTreeMap, VecDeque};

/// The payloads of one captured session, by name.
struct Capture(BTreeMap<&'static str, Vec<u8>>);

impl Capture {
    fn new(text: &'static str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(|line| line.split_once(' ')).map(|(name, hex)| (name, unhex(hex))).collect())
    }

    fn get(&self, name: &str) -> &[u8] {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not in the capture"))
    }

    fn number(&self, name: &str) -> u64 {
        self.get(name).iter().rev().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }

    fn key(&self) -> CryptoKey {
        core::str::from_utf8(self.get("key")).unwrap().parse().unwrap()
    }

    fn log_in(&self, session: &str, now: Timestamp) -> MonLogin {
        let credentials = Credentials { name: AuthName::client("admin"), key: Some(self.key()) };
        let modes = [ConMode::Crc, ConMode::Secure];
        let mut shake = MonHandshake::new(credentials, &[AuthMethod::Cephx], &modes, None).unwrap();
        assert_eq!(shake.start().blob, self.get("mon.request"));

        let theirs = self.get(&format!("{session}.answer"));
        let theirs = Authenticate::decode(&theirs[2..]).unwrap();
        let mut rng = Script::new([theirs.client_challenge]);
        let answer = shake.more(self.get(&format!("{session}.challenge")), &mut rng).unwrap();
        assert_eq!(answer[..2], [0, 1]);
        // librados wants the tickets of managers too.
        let ours = Authenticate::decode(&answer[2..]).unwrap();
        assert_eq!(ours.other_keys, 5);
        assert_eq!(Authenticate { other_keys: theirs.other_keys, ..ours }, theirs);

        let (id, mode) =
            (self.number(&format!("{session}.global_id")), self.number(&format!("{session}.con_mode")));
        shake.done(now, id, mode as u32, self.get(&format!("{session}.done"))).unwrap()
    }

    /// The session keys in a login's last payload, read apart from the code under test.
    fn session_keys(&self, name: &str) -> BTreeMap<EntityType, CryptoKey> {
        let reply = LoginReply::decode(&self.get(name)[6..]).unwrap();
        let mut keys = open(&reply.tickets, &self.key());
        let auth = keys[&EntityType::AUTH].clone();
        keys.extend(open(&TicketReply::decode(&reply.extra).unwrap(), &auth));
        keys
    }
}

fn open(reply: &TicketReply, key: &CryptoKey) -> BTreeMap<EntityType, CryptoKey> {
    let open = |sealed| key.open_as::<ServiceTicket>(Usage::TicketSessionKey, sealed).unwrap().session_key;
    reply.0.iter().map(|entry| (entry.service, open(&entry.sealed))).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| core::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// Gives the numbers it was made with; bytes are zero.
struct Script(VecDeque<u64>);

impl Script {
    fn new(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().collect())
    }
}

impl TryRng for Script {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("not used")
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.pop_front().expect("more random numbers than the original took"))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(0);
        Ok(())
    }
}

impl TryCryptoRng for Script {}

fn captures() -> [(KeyType, Capture); 2] {
    [
        (KeyType::Aes, Capture::new(include_str!("vectors/cephx-pacific.txt"))),
        (KeyType::Aes256k, Capture::new(include_str!("vectors/cephx-tentacle.txt"))),
    ]
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[test]
fn logs_in_and_agrees_on_both_signatures() {
    for (kind, capture) in captures() {
        assert_eq!(capture.key().key_type(), kind);
        let login = capture.log_in("mon", at(0));
        assert_eq!((login.con_mode, login.connection_secret), (ConMode::Crc, None));
        let key = login.session_key.as_ref();
        assert_eq!(key.unwrap().key_type(), kind);
        assert_eq!(signature(key, capture.get("mon.server_sent")), capture.get("mon.client_signature"));
        assert!(verify_signature(key, capture.get("mon.client_sent"), capture.get("mon.server_signature")));
        assert!(!verify_signature(key, capture.get("mon.server_sent"), capture.get("mon.server_signature")));
    }
}

/// Compares two authorizers; the ciphertext of an AES key is the same for the same input.
fn assert_same(ours: &[u8], theirs: &[u8], key: &CryptoKey) {
    let (ours, theirs) = (Authorizer::decode(ours).unwrap(), Authorizer::decode(theirs).unwrap());
    let inside = |a: &Authorizer| key.open_as::<Authorize>(Usage::Authorize, &a.sealed).unwrap();
    assert_eq!(inside(&ours), inside(&theirs));
    if key.key_type() == KeyType::Aes {
        assert_eq!(ours, theirs);
    }
    assert_eq!(Authorizer { sealed: theirs.sealed.clone(), ..ours }, theirs);
}

fn nonce(authorizer: &[u8], key: &CryptoKey) -> u64 {
    let authorizer = Authorizer::decode(authorizer).unwrap();
    key.open_as::<Authorize>(Usage::Authorize, &authorizer.sealed).unwrap().nonce
}

#[test]
fn authenticates_at_an_osd_in_crc_and_secure_mode() {
    for (_, capture) in captures() {
        for (mon, osd, mode) in [("mon", "osd", ConMode::Crc), ("secure.mon", "secure.osd", ConMode::Secure)]
        {
            let login = capture.log_in(mon, at(0));
            assert_eq!(login.con_mode, mode);
            let key = &capture.session_keys(&format!("{mon}.done"))[&EntityType::OSD];
            let mut tickets =
                TicketStore::new(Credentials { name: AuthName::client("admin"), key: Some(capture.key()) });
            let secret_len =
                |secret: &Option<linger_core::auth::Secret>| secret.as_ref().map(|s| s.as_bytes().len());
            let expected = if mode == ConMode::Secure { Some(64) } else { None };
            assert_eq!(secret_len(&login.connection_secret), expected);
            tickets.adopt(login.grant);

            let theirs = capture.get(&format!("{osd}.answer"));
            let mut rng = Script::new([nonce(theirs, key)]);
            let mut shake = tickets.authorizer(EntityType::OSD, &[mode], &mut rng).unwrap();
            if mode == ConMode::Crc {
                assert_same(&shake.start().blob, capture.get("osd.request"), key);
            }
            let answer = shake.more(capture.get(&format!("{osd}.challenge")), &mut rng).unwrap();
            assert_same(&answer, theirs, key);
            let done = shake.done(mode.number(), capture.get(&format!("{osd}.done"))).unwrap();
            assert_eq!(done.session_key.as_ref(), Some(key));
            assert_eq!(secret_len(&done.connection_secret), expected);
            if mode == ConMode::Crc {
                let ours = signature(Some(key), capture.get("osd.server_sent"));
                assert_eq!(ours, capture.get("osd.client_signature"));
                assert!(verify_signature(
                    Some(key),
                    capture.get("osd.client_sent"),
                    capture.get("osd.server_signature")
                ));
            }
        }
    }
}

/// The cluster gave service tickets for 16 s and AUTH tickets for 24 s.
#[test]
fn renews_as_the_original_did() {
    for (_, capture) in captures() {
        let credentials = Credentials { name: AuthName::client("admin"), key: Some(capture.key()) };
        let mut tickets = TicketStore::new(credentials);
        tickets.adopt(capture.log_in("mon", at(0)).grant);
        let auth = capture.session_keys("mon.done").remove(&EntityType::AUTH).unwrap();
        assert!(tickets.have(EntityType::OSD, at(15)) && !tickets.have(EntityType::OSD, at(16)));
        assert!(tickets.have(EntityType::AUTH, at(23)) && !tickets.have(EntityType::AUTH, at(24)));

        // The services' tickets.
        assert_eq!(tickets.next_due(), Some(at(12)));
        let theirs = &capture.get("renewal0.request")[2..];
        let mut rng = Script::new([nonce(theirs, &auth)]);
        assert_eq!(tickets.renewal(Timestamp::from_micros(11_999_999), &mut rng), None);
        let ours = tickets.renewal(at(12), &mut rng).unwrap();
        assert_eq!(ours[..2], [0, 2]);
        assert_same(&ours[2..], theirs, &auth);
        assert_eq!(ours[ours.len() - 5..], [1, 5, 0, 0, 0]);
        assert_eq!((tickets.next_due(), tickets.renewal(at(13), &mut rng)), (None, None));
        tickets.on_renewal_reply(at(12), 0, capture.get("renewal0.reply")).unwrap();
        assert!(tickets.have(EntityType::OSD, at(27)));

        // The AUTH ticket alone: every field as librados sent it.
        assert_eq!(tickets.next_due(), Some(at(18)));
        renew_auth(&capture, &mut tickets, at(18), 1, 0);
        assert!(tickets.have(EntityType::AUTH, at(41)) && !tickets.have(EntityType::AUTH, at(42)));

        // The services' again, under the new session key, then both at once.
        assert_eq!(tickets.next_due(), Some(at(24)));
        let mut rng = Script::new([1]);
        assert_eq!(tickets.renewal(at(24), &mut rng).unwrap()[..2], [0, 2]);
        tickets.on_renewal_reply(at(24), 0, capture.get("renewal2.reply")).unwrap();
        assert_eq!(tickets.next_due(), Some(at(36)));
        renew_auth(&capture, &mut tickets, at(36), 3, 5);
        assert!(tickets.have(EntityType::OSD, at(51)) && tickets.have(EntityType::AUTH, at(59)));
        assert_eq!(tickets.next_due(), Some(at(48)));
    }
}

fn renew_auth(capture: &Capture, tickets: &mut TicketStore, now: Timestamp, number: u32, keys: u32) {
    let theirs = capture.get(&format!("renewal{number}.request"));
    assert_eq!(theirs[..2], [0, 1]);
    let theirs = Authenticate::decode(&theirs[2..]).unwrap();
    let mut rng = Script::new([theirs.client_challenge]);
    let ours = tickets.renewal(now, &mut rng).unwrap();
    let ours = Authenticate::decode(&ours[2..]).unwrap();
    assert_eq!(ours.other_keys, keys);
    assert_eq!(Authenticate { other_keys: theirs.other_keys, ..ours }, theirs);
    tickets.on_renewal_reply(now, 0, capture.get(&format!("renewal{number}.reply"))).unwrap();
}
