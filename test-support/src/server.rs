//! The server's end of one connection.

use crate::maps::FSID;
use bytes::{Buf, Bytes, BytesMut};
use linger_core::{FEATURES, REQUIRED};
use linger_wire::frame::{
    Assembler, AuthDone, Banner, Chunks, ConMode, Control, FrameLimits, Hello, IDENT_LOSSY, MessageHeader,
    Received, ServerIdent, Tag, emit_control, emit_message,
};
use linger_wire::msg::{
    GetVersionReply, Kind, MapMessage, Message, MonInfo, MonMap, Msg, NotifyOpcode, Op, OpReply, OpRequest,
    OpResult, WatchNotify,
};
use linger_wire::osdmap::OsdMap;
use linger_wire::{AddrType, AddrVec, EVersion, Encode, EntityAddr, EntityType};
use std::net::SocketAddr;

/// Who is at the server's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The only monitor.
    Mon,
    /// An OSD.
    Osd(i32),
}

/// The monitor's address.
pub(crate) fn mon_addr() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 3300))
}

fn mon_map() -> MonMap {
    let addr = EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock: Some(mon_addr()) };
    let info = MonInfo { name: "a".into(), addrs: AddrVec(vec![addr]), priority: 0, weight: 0 };
    let mons = [(info.name.clone(), info)].into();
    MonMap { fsid: FSID, epoch: 1, mons, min_release: 16, ..MonMap::default() }
}

/// What all servers know and do.
#[derive(Debug)]
pub struct Script {
    /// The map's newest epoch.
    pub epoch: u32,
    /// That map, encoded.
    pub full: Bytes,
    /// Whether requests to OSDs are left unanswered.
    pub hold: bool,
    /// The tid and body of each request that was left unanswered, with who got it; bounded.
    pub held: Vec<(Who, u64, OpRequest)>,
    /// How many requests came.
    pub requests: u64,
    /// The last request, with its tid.
    pub last: Option<(u64, OpRequest)>,
    /// The client's number.
    pub global_id: u64,
}

impl Script {
    /// Servers that answer everything by this map.
    #[must_use]
    pub fn new(map: &OsdMap) -> Self {
        let full = map.encode_for(FEATURES);
        Self {
            epoch: map.epoch,
            full,
            hold: false,
            held: Vec::new(),
            requests: 0,
            last: None,
            global_id: 4100,
        }
    }
}

/// The server's end of one connection.
#[derive(Debug)]
pub struct Server {
    /// Whose end it is.
    pub who: Who,
    /// Bytes for the client.
    pub out: Chunks,
    assembler: Assembler,
    seq: u64,
    up: bool,
}

impl Server {
    /// A server that has just accepted: its banner waits to be sent.
    #[must_use]
    pub fn new(who: Who) -> Self {
        let mut out = Chunks::new();
        Banner { supported: 3, required: 0 }.encode(out.tail());
        Self { who, out, assembler: Assembler::new(FrameLimits::default()), seq: 0, up: false }
    }

    /// Whether the handshake is over.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// All bytes that wait for the client.
    pub fn take(&mut self) -> Bytes {
        self.out.copy_to_bytes(self.out.remaining())
    }

    /// Queues a frame that is not a message.
    pub fn control(&mut self, control: &Control) {
        emit_control(control, &mut self.out);
    }

    /// Queues a message.
    pub fn message<M: Message>(&mut self, tid: u64, message: &M) {
        let mut front = BytesMut::new();
        message.encode_front(&mut front);
        self.segments(M::KIND, tid, &front, message.data());
    }

    /// Queues a message of any kind with any content.
    pub fn segments(&mut self, kind: Kind, tid: u64, front: &[u8], data: Bytes) {
        self.seq += 1;
        let plain = MessageHeader::new(kind.code, kind.version, kind.compat);
        let header = MessageHeader { seq: self.seq, tid, ..plain };
        emit_message(&header, |out: &mut BytesMut| out.extend_from_slice(front), data, &mut self.out);
    }

    /// Takes what the client wrote, and answers it.
    ///
    /// # Panics
    /// If the client wrote anything that does not decode.
    pub fn receive(&mut self, bytes: &[u8], script: &mut Script) {
        self.assembler.push(bytes);
        while let Some(received) = self.assembler.pull().expect("the client's frames are right") {
            match received {
                Received::Frame(frame) if frame.tag == Tag::Message => {
                    let header = frame.header().expect("a header");
                    let (version, compat) = (header.version, header.compat_version);
                    let msg = Msg::decode(header.kind, version, compat, frame.front(), frame.data());
                    self.on_message(header.tid, msg.expect("the client's messages are right"), script);
                }
                Received::Frame(frame) => self.on_control(&frame.control().expect("a control frame"), script),
                _ => {}
            }
        }
    }

    fn on_control(&mut self, control: &Control, script: &Script) {
        match control {
            Control::Hello(_) => {
                let sock = Some(SocketAddr::from(([192, 0, 2, 1], 40000)));
                let peer_addr = EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock };
                let entity_type = match self.who {
                    Who::Mon => EntityType::MON,
                    Who::Osd(_) => EntityType::OSD,
                };
                self.control(&Control::Hello(Hello { entity_type, peer_addr }));
            }
            Control::AuthRequest(_) => {
                let (global_id, con_mode) = (script.global_id, ConMode::CRC);
                self.control(&Control::AuthDone(AuthDone { global_id, con_mode, payload: Bytes::new() }));
                self.control(&Control::AuthSignature([0; 32]));
            }
            Control::ClientIdent(_) => {
                self.up = true;
                self.control(&Control::ServerIdent(ServerIdent {
                    addrs: AddrVec::default(),
                    gid: 0,
                    global_seq: 1,
                    supported: FEATURES,
                    required: REQUIRED,
                    flags: IDENT_LOSSY,
                    cookie: 0,
                }));
            }
            Control::Keepalive2(stamp) => self.control(&Control::Keepalive2Ack(*stamp)),
            _ => {}
        }
    }

    fn on_message(&mut self, tid: u64, msg: Msg, script: &mut Script) {
        match msg {
            Msg::MonGetMap => self.message(0, &mon_map()),
            Msg::Subscribe(wanted) => {
                let maps = wanted.what.iter().find(|(name, _)| name.as_bytes() == b"osdmap");
                if maps.is_some_and(|(_, item)| item.start <= script.epoch.into()) {
                    let fulls = [(script.epoch, script.full.clone())].into();
                    let newest = script.epoch;
                    let message =
                        MapMessage { fsid: FSID, oldest: 1, newest, fulls, ..MapMessage::default() };
                    self.message(0, &message);
                }
            }
            Msg::GetVersion(query) => {
                let newest = script.epoch.into();
                self.message(0, &GetVersionReply { handle: query.handle, newest, oldest: 1 });
            }
            Msg::OpRequest(request) => {
                script.requests += 1;
                script.last = Some((tid, request.clone()));
                if !script.hold {
                    self.reply(tid, &request, 0);
                } else if script.held.len() < 1024 {
                    script.held.push((self.who, tid, request));
                }
            }
            _ => {}
        }
    }

    /// Queues the reply to a request.
    pub fn reply(&mut self, tid: u64, request: &OpRequest, result: i32) {
        let output = |op: &Op| match op {
            Op::Notify { .. } => Bytes::copy_from_slice(&tid.to_le_bytes()),
            _ => Bytes::new(),
        };
        let ops = request.ops.iter().map(|op| OpResult { op: op.clone(), result: 0, output: output(op) });
        let reply = OpReply {
            oid: request.oid.clone(),
            pgid: request.pgid.pg,
            flags: i64::from(request.flags.0),
            result,
            epoch: request.epoch,
            ops: ops.collect(),
            retry_attempt: request.retry_attempt,
            replay_version: EVersion::default(),
            user_version: 5,
            redirect: None,
        };
        self.message(tid, &reply);
    }
}

/// A notify for the watch of a cookie.
#[must_use]
pub fn watch_notify(cookie: u64, notify_id: u64, payload: Bytes) -> WatchNotify {
    WatchNotify {
        opcode: NotifyOpcode::Notify,
        cookie,
        version: 5,
        notify_id,
        payload,
        return_code: 0,
        notifier: 9000,
        reply: Bytes::new(),
    }
}
