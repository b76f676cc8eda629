//! One accepted connection: the handshake, then messages.
//!
//! Facts: `msg/async/ProtocolV2.cc`.

use crate::keys::{Grant, Keys};
use crate::login::{Login, Step};
use crate::who::Who;
use bytes::{Buf, Bytes, BytesMut};
use linger_core::auth::ConMode;
use linger_core::{FEATURES, REQUIRED, UnixTime};
use linger_wire::cephx::{LoginRequest, signature, verify_signature};
use linger_wire::crypto::default_provider;
use linger_wire::frame::{
    Assembler, Banner, Chunks, ClientIdent, Control, Emitter, Frame, FrameError, FrameLimits, Hello,
    IDENT_LOSSY, MessageHeader, Received, Role, ServerIdent, Tag, secure,
};
use linger_wire::msg::{Kind, Message, Msg, SubscribeItem};
use linger_wire::{AddrType, AddrVec, Encode, EntityAddr, Features, Name};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Bytes of a handshake that are kept for its signatures.
const TRANSCRIPT_MAX: usize = 64 << 10;

/// Messages a client may send; a watch-notify's payload and a write are in one.
const LIMITS: FrameLimits =
    FrameLimits { control: 64 << 10, front: 16 << 20, middle: 16 << 20, data: 64 << 20 };

/// The connection is to be closed: the peer broke the protocol, or is not wanted any more.
#[derive(Debug)]
pub(crate) struct Broken;

/// A client whose session is open.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Its number: as it said to an OSD, as it logged in at a monitor.
    pub id: u64,
    /// Its addresses, which name the instance.
    pub addrs: AddrVec,
    /// What it is for others.
    pub addr: EntityAddr,
    /// Counts its connections.
    pub global_seq: u64,
    /// What both sides can.
    pub features: Features,
    /// What it may do here.
    pub caps: String,
}

#[derive(Debug)]
enum Stage {
    Banner,
    Hello,
    Login(Box<Login>),
    /// The client's signature is to come; it signs these bytes.
    Signature {
        login: Box<Login>,
        grant: Box<Grant>,
        sent: Bytes,
    },
    Ident(Box<Grant>),
    Open,
}

/// What a connection has to say to its daemon.
pub(crate) enum News {
    /// The session is open.
    Opened,
    /// A message.
    Message(Box<MessageHeader>, Box<Msg>),
}

/// The server's end of a connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub who: Who,
    peer: SocketAddr,
    /// The daemon's address, nonce included: a client that means another one is turned away.
    me: EntityAddr,
    assembler: Assembler,
    emitter: Emitter,
    /// How frames are protected.
    pub mode: ConMode,
    /// Bytes for the client.
    pub out: Chunks,
    /// What was said in the handshake, up to the signature.
    sent: BytesMut,
    seq: u64,
    stage: Stage,
    /// Once the session is open.
    pub client: Option<Client>,
    /// At a monitor: what renewals of tickets refer to.
    pub login: Option<(u64, LoginRequest)>,
    /// At a monitor: what the client subscribed to.
    pub subs: BTreeMap<Name, SubscribeItem>,
    /// At an OSD: the newest map the client is known to have.
    pub epoch: u32,
    /// At an OSD: how many backoffs were sent.
    pub backoffs: u64,
    /// What came while the daemon was paused.
    pub backlog: BytesMut,
}

impl Conn {
    /// A connection that was just accepted: the banner waits to be sent.
    pub fn new(who: Who, me: EntityAddr, peer: SocketAddr) -> Self {
        let mut assembler = Assembler::new(LIMITS);
        assembler.start_transcript(TRANSCRIPT_MAX);
        let mut conn = Self {
            who,
            peer,
            me,
            assembler,
            emitter: Emitter::new(),
            mode: ConMode::Crc,
            out: Chunks::new(),
            sent: BytesMut::new(),
            seq: 0,
            stage: Stage::Banner,
            client: None,
            login: None,
            subs: BTreeMap::new(),
            epoch: 0,
            backoffs: 0,
            backlog: BytesMut::new(),
        };
        conn.say_raw(&Banner::OURS.to_bytes());
        conn
    }

    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    /// What the two sides can.
    pub fn features(&self) -> Features {
        self.client.as_ref().map_or(Features::NONE, |client| client.features)
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.assembler.push(bytes);
    }

    /// Takes in the next thing that came; `None` if there is nothing more for the daemon.
    pub fn pull(&mut self, unix: UnixTime, keys: &mut Keys) -> Result<Option<News>, Broken> {
        while let Some(received) = self.assembler.pull().map_err(|_| Broken)? {
            match received {
                Received::Banner(banner) => {
                    Banner::OURS.accept(&banner).map_err(|_| Broken)?;
                    self.stage = Stage::Hello;
                }
                Received::Frame(frame) if frame.tag == Tag::Message => {
                    return if self.is_open() { message(&frame).map(Some) } else { Err(Broken) };
                }
                Received::Frame(frame) => {
                    let control = frame.control().map_err(|_| Broken)?;
                    if self.on_control(unix, control, keys)? {
                        return Ok(Some(News::Opened));
                    }
                }
                _ => return Err(Broken),
            }
        }
        Ok(None)
    }

    /// Whether the session is open now, and was not before.
    fn on_control(&mut self, unix: UnixTime, control: Control, keys: &mut Keys) -> Result<bool, Broken> {
        match (std::mem::replace(&mut self.stage, Stage::Banner), control) {
            (Stage::Hello, Control::Hello(_)) => {
                let peer_addr = EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock: Some(self.peer) };
                self.say(&Control::Hello(Hello { entity_type: self.who.kind(), peer_addr }));
                self.stage = Stage::Login(Box::new(Login::new(self.who, keys)));
            }
            (Stage::Login(mut login), Control::AuthRequest(request)) => {
                let step = login.on_request(unix, &request, keys);
                self.after(login, step)?;
            }
            (Stage::Login(mut login), Control::AuthRequestMore(payload)) => {
                let step = login.on_more(unix, &payload, keys);
                self.after(login, step)?;
            }
            (Stage::Signature { login, grant, sent }, Control::AuthSignature(received)) => {
                if !verify_signature(grant.session_key.as_ref(), &sent, &received) {
                    return Err(Broken);
                }
                let (challenge, request) = login.session();
                self.login = request.map(|request| (challenge, request));
                self.stage = Stage::Ident(grant);
            }
            (Stage::Ident(grant), Control::ClientIdent(ident)) => {
                self.on_ident(*grant, &ident)?;
                return Ok(true);
            }
            (Stage::Open, control) => {
                self.stage = Stage::Open;
                match control {
                    Control::Keepalive2(stamp) => self.say(&Control::Keepalive2Ack(stamp)),
                    Control::Keepalive2Ack(_) | Control::Ack { .. } => {}
                    _ => return Err(Broken),
                }
            }
            _ => return Err(Broken),
        }
        Ok(false)
    }

    fn after(&mut self, login: Box<Login>, step: Step) -> Result<(), Broken> {
        match step {
            Step::Say(control) => {
                self.say(&control);
                self.stage = Stage::Login(login);
            }
            Step::Done(control, grant) => {
                self.say(&control);
                let received = self.assembler.take_transcript();
                let sent = self.sent.split().freeze();
                let signed = signature(grant.session_key.as_ref(), &received);
                // The signatures are the first frames in the new mode.
                if let Some(secret) = &grant.secret {
                    let ciphers = secure(secret.as_bytes(), Role::Server, default_provider());
                    let (sealer, opener) = ciphers.ok_or(Broken)?;
                    self.mode = ConMode::Secure;
                    self.emitter.set_secure(sealer);
                    self.assembler.set_secure(opener);
                }
                self.stage = Stage::Signature { login, grant: Box::new(grant), sent };
                self.say(&Control::AuthSignature(signed));
            }
        }
        Ok(())
    }

    fn on_ident(&mut self, grant: Grant, ident: &ClientIdent) -> Result<(), Broken> {
        let addr = ident.addrs.0.first().copied().filter(|addr| addr.sock.is_some()).ok_or(Broken)?;
        if ident.target != self.me {
            return Err(Broken);
        }
        if !ident.supported.has(REQUIRED) || ident.required.missing_in(FEATURES) != Features::NONE {
            let missing = REQUIRED.missing_in(ident.supported);
            self.say(&Control::IdentMissingFeatures(missing));
            return Err(Broken);
        }
        self.stage = Stage::Open;
        let id = match self.who {
            Who::Mon(_) => grant.global_id,
            Who::Osd(_) => ident.gid.cast_unsigned(),
        };
        self.client = Some(Client {
            id,
            addrs: ident.addrs.clone(),
            addr,
            global_seq: ident.global_seq,
            features: ident.supported & FEATURES,
            caps: grant.caps,
        });
        self.say(&Control::ServerIdent(ServerIdent {
            addrs: AddrVec(vec![self.me]),
            gid: self.who.number(),
            global_seq: 1,
            supported: FEATURES,
            required: REQUIRED,
            flags: IDENT_LOSSY,
            cookie: 0,
        }));
        Ok(())
    }

    /// Sends a control frame.
    fn say(&mut self, control: &Control) {
        if self.is_open() {
            return sent(self.emitter.control(control, &mut self.out));
        }
        let mut frame = Chunks::new();
        sent(self.emitter.control(control, &mut frame));
        let bytes = frame.copy_to_bytes(frame.remaining());
        self.say_raw(&bytes);
    }

    fn say_raw(&mut self, bytes: &[u8]) {
        self.out.tail().extend_from_slice(bytes);
        self.sent.extend_from_slice(bytes);
    }

    /// Sends a message.
    pub fn send<M: Message>(&mut self, tid: u64, message: &M) {
        self.seq += 1;
        let Kind { code, version, compat } = M::KIND;
        let header = MessageHeader { seq: self.seq, tid, ..MessageHeader::new(code, version, compat) };
        let front = |out: &mut BytesMut| message.encode_front(out);
        sent(self.emitter.message(&header, front, message.data(), &mut self.out));
    }
}

/// A frame is not sent once all nonces are used: after 2^64 blocks, longer than any process runs.
fn sent(result: Result<(), FrameError>) {
    debug_assert!(result.is_ok(), "{result:?}");
}

fn message(frame: &Frame) -> Result<News, Broken> {
    let header = frame.header().map_err(|_| Broken)?;
    let (version, compat) = (header.version, header.compat_version);
    let msg = Msg::decode(header.kind, version, compat, frame.front(), frame.data());
    Ok(News::Message(Box::new(header), Box::new(msg.map_err(|_| Broken)?)))
}
