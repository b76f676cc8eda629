//! Whole sessions of `rados watch` over msgr1 with Ceph 16.2.15 and 20.2.4, as they were on the wire.
//!
//! The client logs in at a mon by messages and gets a ticket; with it it is let in by an OSD, where it watches an
//! object, is notified, acknowledges and unwatches. Keys are of type aes in the one and aes256k in the other. The
//! files hold all bytes of one direction each, and the client's key.

use bytes::{Buf, BufMut, Bytes};
use linger_wire::cephx::{
    CryptoKey, KeyType, LoginReply, MonLoginRequest, Operation, ResponseHeader, ServiceTicket, TicketReply,
    Usage, message_signature, verify_message,
};
use linger_wire::frame::{Chunks, Role};
use linger_wire::legacy::{
    CONNECT_LOSSY, Connect, ConnectReply, Message, MessageFlags, Received, ReplyTag, Signed, Stream,
    StreamLimits, emit_message,
};
use linger_wire::msg::{AuthReply, Kind, Msg};
use linger_wire::{AddrType, Decode, Encode, EntityType};

struct Session {
    key: &'static str,
    kind: KeyType,
    mon: [&'static [u8]; 2],
    osd: [&'static [u8]; 2],
}

macro_rules! session {
    ($name:literal, $kind:expr) => {
        Session {
            key: include_str!(concat!("data/v1-", $name, ".key")),
            kind: $kind,
            mon: [
                include_bytes!(concat!("data/v1-", $name, "-mon.client")),
                include_bytes!(concat!("data/v1-", $name, "-mon.server")),
            ],
            osd: [
                include_bytes!(concat!("data/v1-", $name, "-osd.client")),
                include_bytes!(concat!("data/v1-", $name, "-osd.server")),
            ],
        }
    };
}

const SESSIONS: [Session; 2] = [session!("pacific", KeyType::Aes), session!("tentacle", KeyType::Aes256k)];

/// All that comes out of one direction at its receiver. `lets_in` says after how many requests the server lets
/// the client in, as only the server's replies tell.
fn received(raw: &[u8], at: Role, lets_in: usize, piece: usize) -> Vec<Received> {
    let mut stream = Stream::new(at, StreamLimits::default());
    let mut all = vec![];
    let mut requests = 0;
    for piece in raw.chunks(piece) {
        stream.push(piece);
        while let Some(received) = stream.pull().expect("a valid stream") {
            requests += usize::from(matches!(received, Received::Connect(..) | Received::Reply(..)));
            if requests == lets_in {
                stream.expect_seq();
            }
            all.push(received);
        }
    }
    all
}

/// The bytes of what was received, encoded anew; the signatures are those received.
fn sent(all: &[Received]) -> Vec<u8> {
    let mut out = Chunks::new();
    for received in all {
        match received {
            Received::ServerGreeting(greeting) => greeting.encode(out.tail()),
            Received::ClientGreeting(greeting) => greeting.encode(out.tail()),
            Received::Connect(connect, authorizer) => {
                connect.encode(out.tail());
                out.push(authorizer.clone());
            }
            Received::Reply(reply, answer) => {
                reply.encode(out.tail());
                out.push(answer.clone());
            }
            Received::Seq(seq) => out.tail().put_u64_le(*seq),
            Received::Record(record) => record.encode(out.tail()),
            Received::Message(message) => {
                let sign = |signed: &Signed| {
                    assert_eq!(*signed, message.signed);
                    message.flags.has(MessageFlags::SIGNED).then_some(message.signature)
                };
                let front = |out: &mut bytes::BytesMut| out.put_slice(&message.front);
                emit_message(&message.header, front, message.data.clone(), sign, &mut out);
            }
            other => panic!("{other:?}"),
        }
    }
    out.copy_to_bytes(out.remaining()).to_vec()
}

fn messages(all: &[Received]) -> Vec<&Message> {
    all.iter()
        .filter_map(|received| match received {
            Received::Message(message) => Some(message),
            _ => None,
        })
        .collect()
}

fn decoded(message: &Message) -> Msg {
    let header = &message.header;
    Msg::decode(header.kind, header.version, header.compat_version, &message.front, &message.data)
        .unwrap_or_else(|error| panic!("{}: {error}", header.kind))
}

#[test]
fn both_directions_are_understood_and_said_again_to_the_byte() {
    for session in &SESSIONS {
        // A mon lets a client in at once, an OSD asks for an answer to its challenge first.
        for ([client, server], lets_in) in [(session.mon, 1), (session.osd, 2)] {
            for (raw, at) in [(client, Role::Server), (server, Role::Client)] {
                let all = received(raw, at, lets_in, raw.len());
                assert_eq!(sent(&all), raw);
                for piece in [1, 2, 31, 54, 1000] {
                    assert_eq!(received(raw, at, lets_in, piece), all, "in pieces of {piece}");
                }
            }
        }
    }
}

#[test]
fn greetings_and_connects_are_those_of_a_client() {
    for session in &SESSIONS {
        for ([client, server], lets_in, version) in
            [(session.mon, 1, Connect::MON_PROTOCOL), (session.osd, 2, Connect::OSD_PROTOCOL)]
        {
            let (client, server) =
                (received(client, Role::Server, lets_in, 64), received(server, Role::Client, lets_in, 64));
            let (Received::ClientGreeting(ours), Received::ServerGreeting(theirs)) = (&client[0], &server[0])
            else {
                panic!("no greetings")
            };
            assert_eq!(theirs.own.kind, AddrType::LEGACY);
            assert_eq!(theirs.own.nonce == 0, lets_in == 1, "mons have no nonce");
            assert_eq!((ours.own.ip(), ours.own.sock.map(|sock| sock.port())), (theirs.peer.ip(), Some(0)));
            let (Received::Connect(connect, authorizer), Received::Reply(reply, answer)) =
                (&client[lets_in], &server[lets_in])
            else {
                panic!("no connect")
            };
            assert_eq!((connect.host_type, connect.connect_seq), (EntityType::CLIENT, 0));
            assert_eq!((connect.protocol_version, connect.flags), (version, CONNECT_LOSSY));
            assert_eq!(connect.authorizer_len as usize, authorizer.len());
            assert_eq!((reply.tag, reply.flags, reply.connect_seq), (ReplyTag::SEQ, CONNECT_LOSSY, 1));
            assert_eq!(reply.authorizer_len as usize, answer.len());
            let none = authorizer.is_empty() && answer.is_empty();
            assert_eq!(
                (connect.authorizer_protocol, none),
                if lets_in == 1 { (0, true) } else { (2, false) }
            );
        }
        let challenge = received(session.osd[1], Role::Client, 2, 64);
        let Received::Reply(ConnectReply { tag, .. }, _) = &challenge[1] else { panic!("no reply") };
        assert_eq!(*tag, ReplyTag::CHALLENGE_AUTHORIZER);
    }
}

/// The payloads of the mon's answers.
fn auth_replies(session: &Session) -> Vec<AuthReply> {
    let all = received(session.mon[1], Role::Client, 1, 64);
    let replies = messages(&all).into_iter().filter(|message| message.header.kind == Kind::AUTH_REPLY.code);
    replies
        .map(|message| match decoded(message) {
            Msg::AuthReply(reply) => reply,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// Reads the session key of the OSDs' newest ticket out of the login.
fn osd_key(session: &Session) -> CryptoKey {
    let opened = |key: &CryptoKey, tickets: &TicketReply, service| -> Option<CryptoKey> {
        let entry = tickets.0.iter().find(|entry| entry.service == service)?;
        let ticket: ServiceTicket = key.open_as(Usage::TicketSessionKey, &entry.sealed).expect("our key");
        Some(ticket.session_key)
    };
    let answer = |reply: &AuthReply, operation| -> Bytes {
        let header = ResponseHeader::decode(&reply.payload).expect("a header");
        assert_eq!((header.operation, header.status), (operation, 0));
        reply.payload.slice(6..)
    };
    let key: CryptoKey = session.key.parse().expect("a key");
    assert_eq!(key.key_type(), session.kind);
    let replies = auth_replies(session);
    let login = LoginReply::decode(&answer(&replies[1], Operation::AUTH_SESSION_KEY)).expect("a login reply");
    assert!(login.connection_secret.is_empty(), "there is nothing to be encrypted");
    let auth_key = opened(&key, &login.tickets, EntityType::AUTH).expect("an AUTH ticket");
    let mut found = None;
    if !login.extra.is_empty() {
        let tickets = TicketReply::decode(&login.extra).expect("tickets");
        found = opened(&auth_key, &tickets, EntityType::OSD);
    }
    for reply in &replies[2..] {
        let tickets = TicketReply::decode(&answer(reply, Operation::PRINCIPAL_SESSION_KEY)).expect("tickets");
        found = opened(&auth_key, &tickets, EntityType::OSD).or(found);
    }
    found.expect("a ticket for OSDs")
}

#[test]
fn the_login_is_by_messages() {
    for session in &SESSIONS {
        let all = received(session.mon[0], Role::Server, 1, 64);
        let all = messages(&all);
        let Msg::Auth(request) = decoded(all[0]) else { panic!("no MAuth") };
        assert_eq!((request.protocol, all[0].header.source.num), (0, -1));
        let login = MonLoginRequest::decode(&request.payload).expect("a login request");
        assert_eq!((login.login.name.to_string(), login.login.global_id), ("client.admin".to_owned(), 0));
        assert_eq!(login.to_bytes(), request.payload);
        assert!(login.methods.contains(&2), "{:?}", login.methods);
        for reply in auth_replies(session) {
            assert_eq!((reply.protocol, reply.result), (2, 0));
            assert_ne!(reply.global_id, 0);
        }
    }
}

#[test]
fn every_message_with_an_osd_is_signed_and_none_with_a_mon() {
    for session in &SESSIONS {
        let key = osd_key(session);
        assert_eq!(key.key_type(), session.kind);
        let mut count = 0;
        for (raw, at) in [(session.osd[0], Role::Server), (session.osd[1], Role::Client)] {
            let all = received(raw, at, 2, 64);
            for message in messages(&all) {
                assert!(message.flags.has(MessageFlags::SIGNED));
                assert_eq!(message_signature(&key, &message.signed), Ok(message.signature));
                assert!(verify_message(&key, &message.signed, message.signature));
                assert!(!verify_message(&key, &message.signed, message.signature ^ 1));
                let mut other = message.signed;
                other.0[31] ^= 1;
                assert!(!verify_message(&key, &other, message.signature));
                decoded(message);
                count += 1;
            }
        }
        assert!(count >= 8, "{count}");
        for (raw, at) in [(session.mon[0], Role::Server), (session.mon[1], Role::Client)] {
            let all = received(raw, at, 1, 64);
            for message in messages(&all) {
                assert_eq!((message.flags, message.signature), (MessageFlags::COMPLETE, 0));
            }
        }
    }
}
