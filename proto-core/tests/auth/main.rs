//! Authentication step by step against small servers, and everything that can go wrong in it.

mod server;
mod week;

use linger_core::Timestamp;
use linger_core::auth::{
    AuthError, AuthMethod, AuthName, ConMode, Credentials, CryptoKey, KeyType, MonHandshake, Resume, Side,
    TicketStore,
};
use linger_wire::cephx::{Authenticate, LoginRequest, NoneAuthorizer, ServerChallenge, Usage, proof};
use linger_wire::{Decode, Encode, EntityType, UTime};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use server::Server;

const CRC: &[ConMode] = &[ConMode::Crc];
const BOTH: &[ConMode] = &[ConMode::Secure, ConMode::Crc];
const CEPHX: &[AuthMethod] = &[AuthMethod::Cephx];

fn key(kind: KeyType, seed: u8) -> CryptoKey {
    CryptoKey::new(kind, UTime::default(), &vec![seed; kind.secret_len().unwrap()]).unwrap()
}

fn admin(key: Option<CryptoKey>) -> Credentials {
    Credentials { name: AuthName::client("admin"), key }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(7)
}

fn refused(kind: KeyType) -> AuthError {
    AuthError::Refused { method: AuthMethod::Cephx, key_type: Some(kind), errno: 13, resumed: false }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const KINDS: [KeyType; 2] = [KeyType::Aes, KeyType::Aes256k];

#[test]
fn logs_in_and_authenticates_at_a_service_in_either_mode() {
    for kind in KINDS {
        for mode in [ConMode::Crc, ConMode::Secure] {
            let mut server = Server::new(kind);
            let login = server.log_in(at(0), mode, None);
            assert_eq!((login.global_id, login.con_mode), (4100, mode));
            assert_eq!(login.connection_secret.is_some(), mode == ConMode::Secure);
            let mut store = TicketStore::new(admin(Some(server.client_key.clone())));
            store.adopt(login.grant);
            let mut shake = store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
            assert_eq!(shake.start().modes, [2, 1]);
            server.secret = vec![6; 64];
            let done = server.serve(&mut shake, mode.number(), |_| ()).unwrap();
            assert_eq!(
                done.connection_secret.map(|s| s.as_bytes()[0]),
                (mode == ConMode::Secure).then_some(6)
            );
        }
    }
}

#[test]
fn debug_output_has_no_secret_in_any_form() {
    for kind in KINDS {
        let mut server = Server::new(kind);
        let credentials = admin(Some(server.client_key.clone()));
        let login = server.log_in(at(0), ConMode::Secure, None);
        let session = login.session_key.clone().unwrap();
        let connection = login.connection_secret.clone().unwrap();
        let mut text = format!("{credentials:?} {login:#?} {login:?}");
        let mut store = TicketStore::new(credentials.clone());
        store.adopt(login.grant);
        let shake = store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
        let config = linger_core::Config::new(credentials.clone(), None);
        let mon = MonHandshake::new(credentials, CEPHX, BOTH, store.resume()).unwrap();
        text += &format!("{store:?} {shake:?} {mon:?} {config:?} {:?}", store.resume());
        for secret in [server.client_key.secret(), session.secret(), connection.as_bytes()] {
            let list = format!("{:?}", &secret[..4]);
            let hex: String = secret[..4].iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(list.trim_matches(['[', ']'])) && !text.contains(&hex), "{list}: {text}");
        }
        for key in [&server.client_key, &session] {
            assert!(!text.contains(&key.to_base64()));
        }
    }
}

#[test]
fn a_ticket_key_may_be_of_another_type_than_the_clients() {
    let mut server = Server::new(KeyType::Aes);
    server.service_key = key(KeyType::Aes256k, 3);
    let store = server.store(at(0));
    let mut shake = store.authorizer(EntityType::OSD, CRC, &mut rng()).unwrap();
    let done = server.serve(&mut shake, 1, |_| ()).unwrap();
    assert_eq!(done.session_key.unwrap().key_type(), KeyType::Aes256k);
}

#[test]
fn a_resumed_login_shows_its_ticket_and_opens_the_sealed_one() {
    for kind in KINDS {
        let mut server = Server::new(kind);
        let mut store = server.store(at(0));
        let before = store.resume().unwrap().auth_ticket.unwrap();
        let again = server.log_in(at(50), ConMode::Crc, store.resume());
        store.adopt(again.grant);
        let after = store.resume().unwrap().auth_ticket.unwrap();
        assert_ne!(before.1, after.1);
        assert!(server.open(&after.0).unwrap() == after.1);
        assert!(store.have(EntityType::OSD, at(149)) && !store.have(EntityType::OSD, at(150)));
    }
}

#[test]
fn auth_none_sends_names_only_and_never_offers_secure() {
    let methods = [AuthMethod::Cephx, AuthMethod::None];
    let mut shake = MonHandshake::new(admin(None), &methods, BOTH, None).unwrap();
    let start = shake.start();
    assert_eq!((start.method, start.modes), (1, vec![1]));
    assert_eq!(&start.blob[..], b"\x0a\x08\0\0\0\x05\0\0\0admin\0\0\0\0\0\0\0\0");
    let login = shake.done(at(0), 4200, 1, &[]).unwrap();
    assert!(login.session_key.is_none() && login.connection_secret.is_none());

    let mut store = TicketStore::new(admin(None));
    assert!(!store.have(EntityType::OSD, at(0)));
    store.adopt(login.grant);
    assert!(store.have(EntityType::OSD, at(1 << 40)));
    assert_eq!((store.next_due(), store.renewal(at(9), &mut rng())), (None, None));
    let mut shake = store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
    let expected = NoneAuthorizer { name: AuthName::client("admin"), global_id: 4200 };
    assert_eq!(NoneAuthorizer::decode(&shake.start().blob).unwrap(), expected);
    assert!(shake.done(1, &[]).unwrap().session_key.is_none());

    assert_eq!(
        MonHandshake::new(admin(None), &[AuthMethod::None], &[ConMode::Secure], None).unwrap_err(),
        AuthError::NoMode
    );
}

#[test]
fn settings_that_can_not_work_are_refused_at_once() {
    let new = |key, methods: &[AuthMethod], modes: &[ConMode]| {
        MonHandshake::new(admin(key), methods, modes, None).unwrap_err()
    };
    let aes = key(KeyType::Aes, 1);
    assert_eq!(new(Some(aes.clone()), &[], CRC), AuthError::NoMethod);
    assert_eq!(new(Some(aes), CEPHX, &[]), AuthError::NoMode);
    assert_eq!(new(None, CEPHX, CRC), AuthError::NoKey { name: AuthName::client("admin") });
    let odd = CryptoKey::new(KeyType::Other(9), UTime::default(), &[1; 20]).unwrap();
    let error = new(Some(odd), CEPHX, CRC);
    assert_eq!(error.to_string(), "key type 9 is not supported");
    assert_eq!(error.side(), Side::Local);
}

#[test]
fn a_refused_method_gives_way_to_the_next_but_a_refused_client_does_not() {
    let methods = [AuthMethod::Cephx, AuthMethod::None];
    let new = || MonHandshake::new(admin(Some(key(KeyType::Aes, 1))), &methods, BOTH, None).unwrap();
    assert_eq!(new().bad_method(2, -95, &[1], &[1, 2]).unwrap().method, 1);

    let mut shake = new();
    let error = shake.bad_method(2, -13, &[2, 1], &[1, 2]).unwrap_err();
    assert_eq!(error, refused(KeyType::Aes));
    assert_eq!(
        error.to_string(),
        "cephx with a key of type aes refused: wrong key or unknown entity, EACCES"
    );
    assert!(matches!(shake.more(&[1; 9], &mut rng()), Err(AuthError::OutOfStep { .. })));

    let error = new().bad_method(2, -95, &[4, 9], &[1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the peer allows authentication by gssapi, unknown (9), we allow cephx, none"
    );
    let crc = MonHandshake::new(admin(Some(key(KeyType::Aes, 1))), CEPHX, CRC, None);
    let error = crc.unwrap().bad_method(2, -95, &[2], &[2]).unwrap_err();
    assert_eq!(error.to_string(), "the peer allows connections in mode secure, we allow crc");
    assert!(matches!(new().bad_method(1, -1, &[1], &[1]), Err(AuthError::OutOfStep { .. })));

    let resume = Some(Resume { global_id: 5, auth_ticket: None });
    let mut shake = MonHandshake::new(admin(Some(key(KeyType::Aes, 1))), CEPHX, CRC, resume).unwrap();
    assert_eq!(LoginRequest::decode(&shake.start().blob).unwrap().global_id, 5);
    let error = shake.bad_method(2, -13, &[2], &[1]).unwrap_err();
    assert!(error.to_string().ends_with("(perhaps only the old global id)"), "{error}");
}

#[test]
fn a_mon_that_does_not_have_our_key_is_noticed() {
    for kind in KINDS {
        let mut server = Server::new(kind);
        let credentials = admin(Some(server.client_key.clone()));
        let mut shake = MonHandshake::new(credentials, CEPHX, CRC, None).unwrap();
        let challenge = ServerChallenge { server_challenge: 77 }.to_bytes();
        let answer = shake.more(&challenge, &mut rng()).unwrap();
        let ask = Authenticate::decode(&answer[2..]).unwrap();
        // It does not check the proof and seals with a key of its own.
        server.client_key = key(kind, 66);
        let key = proof(&server.client_key, 77, ask.client_challenge).unwrap();
        let forged = [&[0, 1], &*Authenticate { key, ..ask }.to_bytes()].concat();
        let error = shake.done(at(0), 4100, 1, &server.answer(&forged)).unwrap_err();
        assert_eq!(error, AuthError::Undecryptable { what: "ticket" });
    }
}

#[test]
fn a_service_that_can_not_read_the_ticket_is_noticed() {
    for kind in KINDS {
        let mut server = Server::new(kind);
        let store = server.store(at(0));
        let shake = || store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
        let wrong = server.serve(&mut shake(), 1, |reply| reply.nonce_plus_one ^= 1);
        assert_eq!(wrong.unwrap_err(), AuthError::WrongProof);
        let unknown = server.serve(&mut shake(), 3, |_| ());
        assert_eq!(unknown.unwrap_err(), AuthError::ModeNotOffered { mode: 3 });
        let bare = server.serve(&mut shake(), 2, |_| ());
        assert_eq!(bare.unwrap_err(), AuthError::NoConnectionSecret);
        let mut only_crc = store.authorizer(EntityType::OSD, CRC, &mut rng()).unwrap();
        assert_eq!(
            server.serve(&mut only_crc, 2, |_| ()).unwrap_err(),
            AuthError::ModeNotOffered { mode: 2 }
        );

        let sealed = key(kind, 5).seal(Usage::AuthorizeChallenge, &[0; 16], &7_u64).unwrap();
        let error = shake().more(&sealed, &mut rng()).unwrap_err();
        assert_eq!(error, AuthError::Undecryptable { what: "service's challenge" });
        assert_eq!(shake().bad_method(-13, &[2], &[1, 2]), refused(kind));
    }
}

#[test]
fn renewals_come_at_three_quarters_and_bring_everything_at_once() {
    for kind in KINDS {
        let mut server = Server::new(kind);
        let mut store = server.store(at(0));
        assert_eq!(store.next_due(), Some(at(75)));
        assert_eq!(store.renewal(at(74), &mut rng()), None);
        let request = store.renewal(at(75), &mut rng()).unwrap();
        let reply = server.answer(&request);
        store.on_renewal_reply(at(76), 0, &reply).unwrap();
        assert_eq!(store.next_due(), Some(at(151)));
        assert!(store.have(EntityType::OSD, at(175)));
        assert!(matches!(store.on_renewal_reply(at(77), 0, &reply), Err(AuthError::OutOfStep { .. })));
    }
}

#[test]
fn an_invalidated_ticket_is_asked_for_again_with_auth() {
    let mut server = Server::new(KeyType::Aes);
    let mut store = server.store(at(0));
    assert!(store.invalidate(EntityType::OSD), "the first refusal of a ticket is news");
    assert!(!store.invalidate(EntityType::OSD), "others that had it too say the same");
    assert!(!store.have(EntityType::OSD, at(1)) && store.have(EntityType::MON, at(1)));
    let error = store.authorizer(EntityType::OSD, CRC, &mut rng()).unwrap_err();
    assert_eq!(error, AuthError::NoTicket { service: EntityType::OSD });
    assert_eq!(error.to_string(), "no ticket for osd services");
    let request = store.renewal(at(1), &mut rng()).unwrap();
    assert_eq!(Authenticate::decode(&request[2..]).unwrap().other_keys, 4);
    store.on_renewal_reply(at(1), 0, &server.answer(&request)).unwrap();
    let mut shake = store.authorizer(EntityType::OSD, CRC, &mut rng()).unwrap();
    server.serve(&mut shake, 1, |_| ()).unwrap();
}

#[test]
fn what_the_mon_does_not_give_is_asked_for_only_now_and_then() {
    let mut server = Server::new(KeyType::Aes);
    server.gives = 1;
    let mut store = server.store(at(0));
    assert!(!store.have(EntityType::OSD, at(0)));
    let request = store.renewal(at(0), &mut rng()).unwrap();
    assert_eq!(request[..2], [0, 2]);
    store.on_renewal_reply(at(0), 0, &server.answer(&request)).unwrap();
    assert_eq!(store.next_due(), Some(at(10)));
    assert!(store.renewal(at(10), &mut rng()).is_some());
    assert_eq!(store.on_renewal_reply(at(11), -13, &[]), Err(AuthError::Failed { errno: 13 }));
    assert_eq!(store.next_due(), Some(at(21)));
}

#[test]
fn tickets_without_life_do_not_make_a_storm() {
    let mut server = Server::new(KeyType::Aes);
    server.validity = UTime::default();
    let mut store = server.store(at(0));
    assert_eq!(store.next_due(), Some(at(1)));
    let request = store.renewal(at(1), &mut rng()).unwrap();
    store.on_renewal_reply(at(1), 0, &server.answer(&request)).unwrap();
    assert_eq!(store.next_due(), Some(at(2)));
}

#[test]
fn a_new_global_id_drops_the_old_tickets() {
    let mut server = Server::new(KeyType::Aes);
    let mut store = server.store(at(0));
    let mut none = MonHandshake::new(admin(None), &[AuthMethod::None], CRC, None).unwrap();
    store.adopt(none.done(at(0), 9, 1, &[]).unwrap().grant);
    assert_eq!(store.global_id(), 9);
    assert!(store.resume().unwrap().auth_ticket.is_none());
    store.forget();
    assert!(store.resume().is_none() && !store.have(EntityType::OSD, at(0)));
}

proptest! {
    #[test]
    fn no_payload_makes_it_panic(
        blob in prop::collection::vec(any::<u8>(), 0..200), cut in 0..2000_usize, at_byte in 0..2000_usize,
        bit in 0..8_u8, mode in 0..4_u32,
    ) {
        let mut server = Server::new(KeyType::Aes);
        let new = || MonHandshake::new(admin(Some(key(KeyType::Aes, 1))), CEPHX, BOTH, None).unwrap();
        let _ = new().more(&blob, &mut rng());
        let mut shake = new();
        let challenge = ServerChallenge { server_challenge: 77 }.to_bytes();
        let mut reply = server.answer(&shake.more(&challenge, &mut rng()).unwrap()).to_vec();
        if let Some(byte) = reply.get_mut(at_byte) {
            *byte ^= 1 << bit;
        }
        reply.truncate(cut);
        let _ = shake.done(at(0), 4100, mode, &reply);
        let mut store = server.store(at(0));
        let mut shake = store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap();
        let _ = shake.more(&blob, &mut rng());
        let _ = store.authorizer(EntityType::OSD, BOTH, &mut rng()).unwrap().done(mode, &blob);
        let _ = store.renewal(at(90), &mut rng());
        let _ = store.on_renewal_reply(at(90), 0, &reply);
        prop_assert!(store.next_due().is_some());
    }
}
