//! A monitor and three OSDs that speak msgr1, around a client, in virtual time.

use crate::admin;
use crate::map::{FSID, first_map};
use crate::server::Server;
use bytes::{Buf, Bytes, BytesMut};
use linger_core::auth::{AuthMethod, CryptoKey, KeyType};
use linger_core::{
    Client, CloseReason, Config, ConnFault, ConnId, Deadline, Event, FEATURES, ObjectRef, Output, Timestamp,
    UnixTime, WatchEvent, WatchOptions,
};
use linger_wire::cephx::{
    Authorize, AuthorizeChallenge, AuthorizeReply, Authorizer, MonLoginRequest, Secret, ServerChallenge,
    Usage, message_signature, verify_message,
};
use linger_wire::frame::{Chunks, Role};
use linger_wire::legacy::{
    CONNECT_LOSSY, Connect, ConnectReply, Message, MessageFlags, MessageHeader, Received, Record, ReplyTag,
    ServerGreeting, Stream, StreamLimits, emit_message,
};
use linger_wire::msg::{
    AuthReply, MapMessage, Message as Content, MonInfo, MonMap, Msg, OpReply, OpRequest, OpResult,
};
use linger_wire::osdmap::OsdMap;
use linger_wire::{
    AddrType, AddrVec, Decode, EVersion, Encode, EntityAddr, EntityName, EntityType, Features, Name,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What a server does otherwise than it should, each time.
#[derive(Debug, Clone, PartialEq)]
pub enum Bend {
    /// Greets as somebody else.
    Greeting(ServerGreeting),
    /// Sends this instead of a greeting.
    Raw(Vec<u8>),
    /// Answers a request to connect so.
    Reply(ConnectReply),
    /// Lets in without asking for a number.
    Ready,
    /// Says that it has seen this number.
    Seq(u64),
    /// Refuses the login with this errno.
    Refuse(i32),
    /// Does not sign.
    Unsigned,
    /// Signs wrongly.
    Forged,
    /// Says nothing any more once the session is there.
    Mute,
    /// Closes the session with a record.
    Closes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Mon,
    Osd(i32),
}

struct End {
    who: Who,
    stream: Stream,
    out: Chunks,
    seq: u64,
    key: Option<CryptoKey>,
    lost: bool,
}

pub struct World {
    pub client: Client,
    pub now: Timestamp,
    pub server: Server,
    auth: AuthMethod,
    pub map: OsdMap,
    ends: BTreeMap<ConnId, End>,
    pub bends: BTreeMap<Who, Bend>,
    pub connects: Vec<(Who, Connect)>,
    pub records: Vec<(Who, Record)>,
    /// Whether messages to OSDs were signed.
    pub signed: Vec<bool>,
    pub events: Vec<Event>,
    pub drops: Vec<(Who, ConnFault)>,
    pub dials: Vec<Who>,
    pub news: Vec<WatchEvent>,
    pub log: Vec<String>,
    pub deadline: Option<Deadline>,
    piece: usize,
}

pub fn mon_addr() -> EntityAddr {
    EntityAddr { kind: AddrType::LEGACY, nonce: 0, sock: Some(SocketAddr::from(([127, 0, 1, 1], 6789))) }
}

/// A reply as it should be.
pub fn reply(tag: ReplyTag) -> ConnectReply {
    ConnectReply {
        tag,
        features: FEATURES,
        global_seq: 9,
        connect_seq: 1,
        protocol_version: 1,
        authorizer_len: 0,
        flags: CONNECT_LOSSY,
    }
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl World {
    /// `kind` of the keys; none for a cluster without authentication.
    pub fn new(kind: Option<KeyType>, piece: usize, change: impl FnOnce(&mut Config)) -> Self {
        let server = Server::new(kind.unwrap_or(KeyType::Aes));
        let auth = kind.map_or(AuthMethod::None, |_| AuthMethod::Cephx);
        let credentials = admin(kind.map(|_| server.client_key.clone()));
        let mons = format!("v1:{}", mon_addr().sock.unwrap());
        let mut config = Config::new(credentials, Some(mons.parse().unwrap()));
        change(&mut config);
        let now = Timestamp::from_micros(1_000_000);
        let mut map = first_map();
        for addrs in &mut map.osd_addrs {
            addrs.0.iter_mut().for_each(|addr| addr.kind = AddrType::LEGACY);
        }
        Self {
            client: Client::new(now, UnixTime(secs(1_700_000_000)), config, [3; 32]).unwrap(),
            now,
            server,
            auth,
            map,
            ends: BTreeMap::new(),
            bends: BTreeMap::new(),
            connects: vec![],
            records: vec![],
            signed: vec![],
            events: vec![],
            drops: vec![],
            dials: vec![],
            news: vec![],
            log: vec![],
            deadline: None,
            piece,
        }
    }

    /// Watches an object, and runs for a while.
    pub fn watch(&mut self, span: Duration) {
        self.client.watch(self.now, ObjectRef::new("rbd", "obj"), WatchOptions::default()).unwrap();
        self.run(span);
    }

    pub fn is_live(&self) -> bool {
        matches!(self.news[..], [WatchEvent::Live(_)])
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        self.settle();
        for _ in 0..10_000 {
            let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= end) else { break };
            self.now = self.now.max(deadline.at);
            self.client.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
        self.client.handle_timeout(self.now);
        self.settle();
    }

    fn settle(&mut self) {
        loop {
            self.drain();
            let Some((conn, end)) = self.ends.iter_mut().find(|(_, end)| !end.out.is_empty() || end.lost)
            else {
                return;
            };
            let conn = *conn;
            let bytes = end.out.copy_to_bytes(end.out.remaining());
            if bytes.is_empty() {
                self.ends.remove(&conn);
                self.client.handle_closed(self.now, conn, CloseReason::Closed);
                continue;
            }
            for piece in bytes.chunks(self.piece) {
                self.client.handle_bytes(self.now, conn, piece);
            }
        }
    }

    fn drain(&mut self) {
        loop {
            let output = self.client.poll_output();
            self.log.push(format!("{:?} {output:?}", self.now));
            match output {
                Output::Connect { conn, addr } => self.accept(conn, addr),
                Output::Write(conn) => self.carry(conn),
                Output::Disconnect { conn, why } => {
                    let who = self.ends.remove(&conn).map(|end| end.who);
                    self.drops.extend(who.map(|who| (who, why)));
                }
                Output::Event(Event::Readable(watch)) => {
                    while let Some(event) = self.client.next(watch) {
                        self.log.push(format!("{event:?}"));
                        self.news.push(event);
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn accept(&mut self, conn: ConnId, addr: SocketAddr) {
        let osd = |osd: &i32| self.map.addrs(*osd).is_some_and(|addrs| addrs.0[0].sock == Some(addr));
        let who = if mon_addr().sock == Some(addr) { Who::Mon } else { Who::Osd((0..3).find(osd).unwrap()) };
        self.dials.push(who);
        let own = match who {
            Who::Mon => mon_addr(),
            Who::Osd(osd) => self.map.addrs(osd).unwrap().0[0],
        };
        let peer =
            EntityAddr { kind: AddrType::LEGACY, nonce: 0, sock: Some(([192, 0, 2, 1], 40000).into()) };
        let mut out = Chunks::new();
        match self.bends.get(&who) {
            Some(Bend::Raw(bytes)) => out.push(bytes.clone().into()),
            Some(Bend::Greeting(greeting)) => greeting.encode(out.tail()),
            _ => ServerGreeting { own, peer }.encode(out.tail()),
        }
        let stream = Stream::new(Role::Server, StreamLimits::default());
        self.ends.insert(conn, End { who, stream, out, seq: 100, key: None, lost: false });
        self.client.handle_connected(self.now, conn);
    }

    fn carry(&mut self, conn: ConnId) {
        let Some(end) = self.ends.get_mut(&conn) else { return };
        let mut outbox = self.client.outbox(conn);
        let bytes = outbox.copy_to_bytes(outbox.remaining());
        self.log.push(format!("{:?} {:?} <- {bytes:?}", self.now, end.who));
        end.stream.push(&bytes);
        while let Some(received) = self.ends.get_mut(&conn).and_then(|end| end.stream.pull().unwrap()) {
            self.serve(conn, received);
        }
    }

    fn serve(&mut self, conn: ConnId, received: Received) {
        let who = self.ends[&conn].who;
        match received {
            Received::ClientGreeting(greeting) => {
                assert_eq!(greeting.own.sock, Some(([192, 0, 2, 1], 0).into()));
                assert_ne!(greeting.own.nonce, 0);
            }
            Received::Connect(connect, authorizer) => {
                self.connects.push((who, connect));
                self.on_connect(conn, &connect, &authorizer);
            }
            Received::Seq(seq) => assert_eq!(seq, 0),
            Received::Record(record) => {
                self.records.push((who, record));
                if let Record::Keepalive2(stamp) = record
                    && self.bends.get(&who) != Some(&Bend::Mute)
                {
                    Record::Keepalive2Ack(stamp).encode(self.ends.get_mut(&conn).unwrap().out.tail());
                }
            }
            Received::Message(message) => self.on_message(conn, &message),
            other => panic!("{other:?}"),
        }
    }

    fn on_connect(&mut self, conn: ConnId, connect: &Connect, authorizer: &Bytes) {
        let who = self.ends[&conn].who;
        let bend = self.bends.get(&who).cloned();
        assert_eq!(
            (connect.host_type, connect.connect_seq, connect.flags),
            (EntityType::CLIENT, 0, CONNECT_LOSSY)
        );
        if let Some(Bend::Reply(reply)) = bend {
            // A server that asks for another number is content with it.
            if reply.tag == ReplyTag::RETRY_GLOBAL {
                self.bends.remove(&who);
            }
            return self.put_reply(conn, reply, &Bytes::new());
        }
        let answer = match (who, self.auth) {
            (Who::Mon, _) => {
                assert_eq!(
                    (connect.authorizer_protocol, connect.protocol_version),
                    (0, Connect::MON_PROTOCOL)
                );
                Bytes::new()
            }
            (Who::Osd(_), AuthMethod::None) => {
                assert_eq!(connect.authorizer_protocol, 1);
                Bytes::new()
            }
            (Who::Osd(_), AuthMethod::Cephx) => {
                assert_eq!(
                    (connect.authorizer_protocol, connect.protocol_version),
                    (2, Connect::OSD_PROTOCOL)
                );
                let Some(answer) = self.authorize(conn, authorizer) else { return };
                answer
            }
        };
        let tag = if bend == Some(Bend::Ready) { ReplyTag::READY } else { ReplyTag::SEQ };
        self.put_reply(conn, reply(tag), &answer);
        let end = self.ends.get_mut(&conn).unwrap();
        match (tag, bend) {
            (ReplyTag::READY, _) => end.stream.open(),
            (_, Some(Bend::Seq(seq))) => end.out.tail().extend_from_slice(&seq.to_le_bytes()),
            _ => end.out.tail().extend_from_slice(&[0; 8]),
        }
        end.stream.expect_seq();
    }

    /// An OSD's challenge first, then what it proves itself with.
    fn authorize(&mut self, conn: ConnId, authorizer: &Bytes) -> Option<Bytes> {
        let authorizer = Authorizer::decode(authorizer).unwrap();
        let key = self.server.open(&authorizer.ticket).expect("our ticket");
        let inside: Authorize = key.open_as(Usage::Authorize, &authorizer.sealed).unwrap();
        let confounder = self.server.confounder();
        let Some(answered) = inside.challenge_plus_one else {
            let challenge = AuthorizeChallenge { server_challenge: 41 };
            let sealed = key.seal(Usage::AuthorizeChallenge, &confounder, &challenge).unwrap();
            self.put_reply(conn, reply(ReplyTag::CHALLENGE_AUTHORIZER), &sealed);
            return None;
        };
        assert_eq!(answered, 42);
        let nonce_plus_one = inside.nonce.wrapping_add(1);
        let proof = AuthorizeReply { nonce_plus_one, connection_secret: Secret::default() };
        let sealed = key.seal(Usage::AuthorizeReply, &confounder, &proof).unwrap();
        self.ends.get_mut(&conn).unwrap().key = Some(key);
        Some(sealed.to_bytes())
    }

    fn put_reply(&mut self, conn: ConnId, reply: ConnectReply, answer: &Bytes) {
        let end = self.ends.get_mut(&conn).unwrap();
        ConnectReply { authorizer_len: answer.len() as u32, ..reply }.encode(end.out.tail());
        end.out.push(answer.clone());
    }

    fn put<M: Content>(&mut self, conn: ConnId, tid: u64, content: &M) {
        let end = self.ends.get_mut(&conn).unwrap();
        end.seq += 1;
        let header = MessageHeader {
            seq: end.seq,
            tid,
            kind: M::KIND.code,
            priority: 127,
            version: M::KIND.version,
            data_off: 0,
            source: EntityName::default(),
            compat_version: M::KIND.compat,
        };
        let bend = self.bends.get(&end.who);
        let sign = |signed: &_| {
            let right = message_signature(end.key.as_ref()?, signed).unwrap();
            match bend {
                Some(Bend::Unsigned) => None,
                Some(Bend::Forged) => Some(right ^ 1 << 40),
                _ => Some(right),
            }
        };
        let front = |out: &mut BytesMut| content.encode_front(out);
        emit_message(&header, front, content.data(), sign, &mut end.out);
        if bend == Some(&Bend::Closes) {
            Record::Close.encode(end.out.tail());
        }
    }

    fn on_message(&mut self, conn: ConnId, message: &Message) {
        let end = &self.ends[&conn];
        if let Some(key) = &end.key {
            self.signed.push(message.flags.has(MessageFlags::SIGNED));
            assert!(
                !self.signed[self.signed.len() - 1]
                    || verify_message(key, &message.signed, message.signature)
            );
        }
        let (who, header) = (end.who, &message.header);
        let (version, compat) = (header.version, header.compat_version);
        match Msg::decode(header.kind, version, compat, &message.front, &message.data).unwrap() {
            Msg::Auth(request) => {
                let before = matches!(request.protocol, 0) || header.source.num == -1;
                assert_eq!(
                    header.source,
                    if before { EntityName::client(u64::MAX) } else { EntityName::client(4100) }
                );
                // What a monitor sends a client that is new to it, before anything else.
                self.put(conn, 0, &mon_map());
                self.on_login(conn, request.protocol, &request.payload);
            }
            Msg::MonGetMap => self.put(conn, 0, &mon_map()),
            Msg::Subscribe(_) => {
                let fulls = [(self.map.epoch, self.map.encode_for(FEATURES))].into();
                let newest = self.map.epoch;
                self.put(
                    conn,
                    0,
                    &MapMessage { fsid: FSID, oldest: 1, newest, fulls, ..MapMessage::default() },
                );
            }
            Msg::OpRequest(request) => {
                assert_eq!((who != Who::Mon, header.source), (true, EntityName::client(4100)));
                self.put(conn, header.tid, &answer(&request));
            }
            Msg::GetVersion(_) => {}
            other => panic!("{other:?}"),
        }
    }

    fn on_login(&mut self, conn: ConnId, protocol: u32, payload: &Bytes) {
        let bend = self.bends.get(&Who::Mon);
        let (result, payload) = match (protocol, self.auth) {
            _ if let Some(Bend::Refuse(errno)) = bend => (-errno, Bytes::new()),
            (0, _) => {
                let request = MonLoginRequest::decode(payload).unwrap();
                assert!(request.methods.contains(&self.auth.number()), "{:?}", request.methods);
                let server_challenge = self.server.challenge;
                match self.auth {
                    AuthMethod::None => (0, Bytes::new()),
                    AuthMethod::Cephx => (0, ServerChallenge { server_challenge }.to_bytes()),
                }
            }
            _ => (0, self.server.answer(payload)),
        };
        let protocol = self.auth.number();
        let reply = AuthReply { protocol, result, global_id: 4100, payload, message: Name::from("") };
        self.put(conn, 0, &reply);
    }
}

fn answer(request: &OpRequest) -> OpReply {
    let results = request.ops.iter().map(|op| OpResult { op: op.clone(), result: 0, output: Bytes::new() });
    OpReply {
        oid: request.oid.clone(),
        pgid: request.pgid.pg,
        flags: i64::from(request.flags.0),
        result: 0,
        epoch: 10,
        ops: results.collect(),
        retry_attempt: request.retry_attempt,
        replay_version: EVersion::default(),
        user_version: 5,
        redirect: None,
    }
}

fn mon_map() -> MonMap {
    let name = Name::from("a");
    let info = MonInfo { name: name.clone(), addrs: AddrVec(vec![mon_addr()]), priority: 0, weight: 0 };
    MonMap { fsid: FSID, epoch: 1, mons: [(name, info)].into(), min_release: 16, ..MonMap::default() }
}

/// All features but one.
pub fn without(feature: Features) -> Features {
    Features(FEATURES.0 & !feature.0)
}
