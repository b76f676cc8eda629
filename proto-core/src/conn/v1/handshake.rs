//! From the first byte to a session: greetings, the request to connect, and with a mon the login by messages.

use super::{Msgr1, Stage};
use crate::auth::{ConMode, LoginStep};
use crate::conn::{ConnEvent, Login, Peer};
use crate::error::ConnFault;
use crate::{FEATURES, REQUIRED, Rng, Timestamp};
use bytes::{BufMut, Bytes};
use linger_wire::legacy::{
    CONNECT_LOSSY, ClientGreeting, Connect, ConnectReply, Message, Received, ReplyTag, ServerGreeting,
};
use linger_wire::msg::{AuthRequest, Kind, Message as _, Msg};
use linger_wire::{AddrType, Encode, EntityAddr, EntityName, EntityType, Features, errno};
use rand_core::Rng as _;

/// What a peer must have beside [`REQUIRED`]: signatures, and their present form.
const REQUIRED_V1: Features = REQUIRED.with(Features::MSG_AUTH).with(Features::CEPHX_V2);

/// Requests that are sent again that one handshake may have.
const AGAIN_MAX: u32 = 8;

/// The first message's number is random up to this: a signature is made over it.
const FIRST_SEQ_MASK: u32 = 0x7fff_ffff;

const PRIORITY: u16 = 127;

/// What is needed only until the session is there.
pub(super) struct Handshake {
    login: Login,
    /// The auth method's number and the authorizer to show; nothing to a mon.
    authorizer: (u32, Bytes),
    /// Requests sent again.
    again: u32,
}

impl Handshake {
    pub(super) fn new(login: Login) -> Self {
        let authorizer = match &login {
            Login::Mon(_) => (0, Bytes::new()),
            Login::Service(login) => {
                let request = login.start();
                (request.method, request.blob)
            }
        };
        Self { login, authorizer, again: 0 }
    }

    pub(super) fn begin(conn: &mut Msgr1) {
        conn.link.outbox.tail().put_slice(ClientGreeting::BANNER);
    }

    fn on_greeting(&mut self, conn: &mut Msgr1, greeting: &ServerGreeting) -> Result<(), ConnFault> {
        if !is_same(&greeting.own, &conn.link.target) {
            return Err(ConnFault::WrongAddress { found: greeting.own });
        }
        let Some(ip) = greeting.peer.ip() else {
            return Err(ConnFault::Unexpected("blank address in a greeting"));
        };
        conn.link.learn_addr(AddrType::LEGACY, ip);
        if let Some(own) = conn.link.own_addr {
            ClientGreeting { own }.encode_addr(conn.link.outbox.tail());
        }
        conn.stage = Stage::Connecting;
        self.connect(conn);
        Ok(())
    }

    fn connect(&mut self, conn: &mut Msgr1) {
        let (authorizer_protocol, authorizer) = &self.authorizer;
        let connect = Connect {
            features: FEATURES,
            host_type: EntityType::CLIENT,
            // The field is half as wide as in msgr2; no client opens that many connections.
            global_seq: u32::try_from(conn.link.global_seq).unwrap_or(u32::MAX),
            connect_seq: 0,
            protocol_version: protocol_version(conn.link.peer),
            authorizer_protocol: *authorizer_protocol,
            authorizer_len: authorizer.len() as u32,
            flags: CONNECT_LOSSY,
        };
        connect.encode(conn.link.outbox.tail());
        conn.link.outbox.push(authorizer.clone());
    }

    fn on_reply(
        &mut self,
        conn: &mut Msgr1,
        reply: &ConnectReply,
        answer: &[u8],
        rng: &mut Rng,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        match (reply.tag, &mut self.login) {
            (ReplyTag::READY | ReplyTag::SEQ, _) => return self.on_let_in(conn, reply, answer, rng),
            (ReplyTag::CHALLENGE_AUTHORIZER, Login::Service(login)) => {
                self.authorizer.1 = login.more(answer, rng).map_err(ConnFault::Auth)?;
            }
            (ReplyTag::RETRY_GLOBAL, _) => {
                let next = u64::from(reply.global_seq).saturating_add(1);
                conn.link.global_seq = conn.link.global_seq.max(next);
            }
            (ReplyTag::BAD_AUTHORIZER, Login::Service(login)) => {
                let method = login.method().number();
                let refused = login.bad_method(-errno::EACCES, &[method], &[]);
                return Err(ConnFault::Auth(refused));
            }
            (ReplyTag::FEATURES, _) => {
                return Err(ConnFault::ClientLacks(reply.features.missing_in(FEATURES)));
            }
            (ReplyTag::BAD_PROTOCOL, _) => {
                let (ours, theirs) = (protocol_version(conn.link.peer), reply.protocol_version);
                return Err(ConnFault::ProtocolVersion { ours, theirs });
            }
            (tag, _) => return Err(ConnFault::Unexpected(tag.name())),
        }
        self.again += 1;
        if self.again > AGAIN_MAX {
            return Err(ConnFault::Unexpected("repetition"));
        }
        self.connect(conn);
        Ok(None)
    }

    fn on_let_in(
        &mut self,
        conn: &mut Msgr1,
        reply: &ConnectReply,
        answer: &[u8],
        rng: &mut Rng,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let missing = REQUIRED_V1.missing_in(reply.features);
        if missing != Features::NONE {
            return Err(ConnFault::PeerLacks(missing));
        }
        conn.link.features = FEATURES & reply.features;
        conn.link.out_seq = u64::from(rng.next_u32() & FIRST_SEQ_MASK);
        if let Login::Service(login) = &mut self.login {
            let login = login.done(ConMode::Crc.number(), answer).map_err(ConnFault::Auth)?;
            conn.key = login.session_key.filter(|_| conn.signs);
        }
        if reply.tag == ReplyTag::SEQ {
            conn.inbox.expect_seq();
            conn.stage = Stage::Seq;
            return Ok(None);
        }
        conn.inbox.open();
        Ok(self.enter(conn))
    }

    /// The server has seen nothing of a session that is new, and neither has the client.
    fn on_seq(&self, conn: &mut Msgr1, seen: u64) -> Result<Option<ConnEvent>, ConnFault> {
        if seen != 0 {
            return Err(ConnFault::Unexpected("number of an older session"));
        }
        conn.link.outbox.tail().put_u64_le(0);
        Ok(self.enter(conn))
    }

    /// Records flow: an OSD is ready, and a monitor wants to know who this is.
    fn enter(&self, conn: &mut Msgr1) -> Option<ConnEvent> {
        let Login::Mon(login) = &self.login else {
            conn.enter_session();
            return Some(ConnEvent::Ready);
        };
        conn.stage = Stage::Login;
        send_auth(conn, 0, login.first_message());
        None
    }

    /// Handles a message of the login.
    fn on_message(
        &mut self,
        conn: &mut Msgr1,
        now: Timestamp,
        message: &Message,
        rng: &mut Rng,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let header = &message.header;
        conn.link.took(header.seq)?;
        if header.kind != Kind::AUTH_REPLY.code {
            return Ok(None);
        }
        let (version, compat) = (header.version, header.compat_version);
        let msg = Msg::decode(header.kind, version, compat, &message.front, &message.data);
        let (Msg::AuthReply(reply), Login::Mon(login)) = (msg.map_err(ConnFault::Message)?, &mut self.login)
        else {
            return Err(ConnFault::Unexpected("login reply"));
        };
        match login.on_reply(now, &reply, rng).map_err(ConnFault::Auth)? {
            LoginStep::Send { method, payload } => {
                send_auth(conn, method, payload);
                Ok(None)
            }
            LoginStep::Done(login) => {
                conn.source = EntityName::client(login.global_id);
                conn.entering = true;
                Ok(Some(ConnEvent::LoggedIn(login)))
            }
        }
    }
}

/// Whether the server is the one that was dialled; one that is bound to all addresses says no IP.
fn is_same(said: &EntityAddr, dialled: &EntityAddr) -> bool {
    let (Some(said_at), Some(dialled_at)) = (said.sock, dialled.sock) else { return false };
    let same_ip = said_at.ip().is_unspecified() || said_at.ip() == dialled_at.ip();
    same_ip && said_at.port() == dialled_at.port() && said.nonce == dialled.nonce
}

fn protocol_version(peer: Peer) -> u32 {
    match peer {
        Peer::Mon => Connect::MON_PROTOCOL,
        Peer::Osd(_) => Connect::OSD_PROTOCOL,
    }
}

fn send_auth(conn: &mut Msgr1, method: u32, payload: Bytes) {
    let request = AuthRequest { protocol: method, payload, monmap_epoch: 0 };
    conn.send(Kind::AUTH, 0, PRIORITY, |out| request.encode_front(out), Bytes::new());
}

impl Msgr1 {
    /// Handles what comes before the session.
    pub(super) fn on_handshake(
        &mut self,
        now: Timestamp,
        received: Received,
        rng: &mut Rng,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let Some(mut handshake) = self.handshake.take() else { return Err(ConnFault::Unexpected("input")) };
        let event = match (self.stage, received) {
            (Stage::Greeting, Received::ServerGreeting(greeting)) => {
                handshake.on_greeting(self, &greeting).map(|()| None)
            }
            (Stage::Connecting, Received::Reply(reply, answer)) => {
                handshake.on_reply(self, &reply, &answer, rng)
            }
            (Stage::Seq, Received::Seq(seen)) => handshake.on_seq(self, seen),
            (Stage::Login, Received::Message(message)) => handshake.on_message(self, now, &message, rng),
            _ => Err(ConnFault::Unexpected("input")),
        };
        if self.stage != Stage::Ready {
            self.handshake = Some(handshake);
        }
        event
    }
}
