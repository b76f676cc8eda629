//! The server's end of one connection: handshake, then messages.

use super::map::FSID;
use bytes::{Buf, Bytes, BytesMut};
use linger_core::{ConnId, FEATURES, REQUIRED};
use linger_wire::frame::{
    Assembler, AuthDone, Banner, Chunks, ConMode, Control, Frame, FrameLimits, Hello, IDENT_LOSSY,
    MessageHeader, Received, ServerIdent, Tag, emit_control, emit_message,
};
use linger_wire::msg::{Message, MonInfo, MonMap, Msg, SubscribeItem};
use linger_wire::{AddrType, AddrVec, Encode, EntityAddr, EntityType};
use std::collections::BTreeMap;
use std::net::SocketAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    Mon(usize),
    Osd(i32),
}

/// What a server says next in a handshake, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Banner,
    Hello,
    AuthDone,
    Signature,
    Ident,
    Session,
}

pub const STAGES: [Stage; 5] = [Stage::Banner, Stage::Hello, Stage::AuthDone, Stage::Signature, Stage::Ident];

/// What a server does instead of what it should say.
#[derive(Debug, Clone)]
pub enum Misdeed {
    Silence,
    Close,
    /// These bytes, then silence.
    Raw(Vec<u8>),
    /// These frames first, then what it should say.
    Before(Vec<Control>),
    /// This frame instead.
    Instead(Control),
}

/// What to do with the connection after bytes came.
pub enum Reaction {
    Message(Box<MessageHeader>, Msg),
    Control(Control),
}

pub struct Peer {
    pub conn: ConnId,
    pub who: Who,
    assembler: Assembler,
    /// Bytes for the client.
    pub out: Chunks,
    out_seq: u64,
    pub stage: Stage,
    pub silent: bool,
    /// The server closes once `out` is delivered.
    pub closing: bool,
    /// Nothing is read from the client any more.
    pub stalled: bool,
    pub global_id: u64,
    /// A monitor's: subscriptions.
    pub subs: BTreeMap<String, SubscribeItem>,
}

impl Peer {
    pub fn new(conn: ConnId, who: Who, global_id: u64) -> Self {
        let limits = FrameLimits::default();
        Self {
            conn,
            who,
            assembler: Assembler::new(limits),
            out: Chunks::new(),
            out_seq: 0,
            stage: Stage::Banner,
            silent: false,
            closing: false,
            stalled: false,
            global_id,
            subs: BTreeMap::new(),
        }
    }

    pub fn is_up(&self) -> bool {
        self.stage == Stage::Session && !self.silent && !self.closing
    }

    /// Says what is due at a stage, unless the misdeed says otherwise.
    pub fn say(&mut self, stage: Stage, misdeed: Option<Misdeed>) {
        if self.silent || self.closing {
            return;
        }
        match misdeed {
            None => self.say_it(stage),
            Some(Misdeed::Silence) => self.silent = true,
            Some(Misdeed::Close) => self.closing = true,
            Some(Misdeed::Raw(bytes)) => {
                self.out.push(bytes.into());
                self.silent = true;
            }
            Some(Misdeed::Before(frames)) => {
                frames.iter().for_each(|frame| self.control(frame));
                self.say_it(stage);
            }
            Some(Misdeed::Instead(frame)) => self.control(&frame),
        }
    }

    fn say_it(&mut self, stage: Stage) {
        match stage {
            Stage::Banner => Banner { supported: 3, required: 0 }.encode(self.out.tail()),
            Stage::Hello => {
                let sock = Some(SocketAddr::from(([192, 0, 2, 1], 40000)));
                let peer_addr = EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock };
                let entity_type = match self.who {
                    Who::Mon(_) => EntityType::MON,
                    Who::Osd(_) => EntityType::OSD,
                };
                self.control(&Control::Hello(Hello { entity_type, peer_addr }));
            }
            Stage::AuthDone => {
                let con_mode = ConMode::CRC;
                let done = AuthDone { global_id: self.global_id, con_mode, payload: Bytes::new() };
                self.control(&Control::AuthDone(done));
            }
            Stage::Signature => self.control(&Control::AuthSignature([0; 32])),
            Stage::Ident => {
                self.control(&Control::ServerIdent(ident()));
                self.stage = Stage::Session;
            }
            Stage::Session => {}
        }
    }

    pub fn control(&mut self, control: &Control) {
        emit_control(control, &mut self.out);
    }

    pub fn message<M: Message>(&mut self, tid: u64, message: &M) {
        self.out_seq += 1;
        let header = MessageHeader {
            seq: self.out_seq,
            tid,
            ..MessageHeader::new(M::KIND.code, M::KIND.version, M::KIND.compat)
        };
        let front = |out: &mut BytesMut| message.encode_front(out);
        emit_message(&header, front, message.data(), &mut self.out);
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.assembler.push(bytes);
    }

    /// The next thing that the client said.
    pub fn pull(&mut self) -> Option<Reaction> {
        loop {
            let frame = match self.assembler.pull().expect("the client's frames are right")? {
                Received::Banner(banner) => {
                    assert_eq!(banner, Banner::OURS);
                    continue;
                }
                Received::Frame(frame) => frame,
                other => panic!("{other:?}"),
            };
            if frame.tag != Tag::Message {
                return Some(Reaction::Control(frame.control().unwrap()));
            }
            return Some(message_of(&frame));
        }
    }
}

fn message_of(frame: &Frame) -> Reaction {
    let header = frame.header().unwrap();
    let (front, data) = (frame.front(), frame.data());
    let msg = Msg::decode(header.kind, header.version, header.compat_version, front, data).unwrap();
    Reaction::Message(Box::new(header), msg)
}

pub fn ident() -> ServerIdent {
    ServerIdent {
        addrs: AddrVec::default(),
        gid: 0,
        global_seq: 1,
        supported: FEATURES,
        required: REQUIRED,
        flags: IDENT_LOSSY,
        cookie: 0,
    }
}

pub fn mon_addr(mon: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 1, 1 + mon as u8], 3300))
}

pub fn mon_map(mons: usize) -> MonMap {
    let info = |mon: usize| {
        let addr = EntityAddr { kind: AddrType::MSGR2, nonce: 0, sock: Some(mon_addr(mon)) };
        let name = linger_wire::Name::from(format!("m{mon}").as_str());
        (name.clone(), MonInfo { name, addrs: AddrVec(vec![addr]), priority: 0, weight: 0 })
    };
    MonMap { fsid: FSID, epoch: 1, mons: (0..mons).map(info).collect(), min_release: 16, ..MonMap::default() }
}

/// All bytes that wait for the client.
pub fn take_out(out: &mut Chunks) -> Bytes {
    out.copy_to_bytes(out.remaining())
}
