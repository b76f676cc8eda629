//! What a server says: from right to anything.

use arbitrary::Arbitrary;
use bytes::Bytes;
use linger_core::{ConnId, FEATURES};
use linger_test_support::maps::{FSID, next};
use linger_test_support::{Server, Who, World, watch_notify};
use linger_wire::frame::Control;
use linger_wire::msg::{
    AuthReply, Backoff, BackoffOp, GetVersionReply, Kind, MapMessage, NotifyAcks, NotifyOpcode, WatchNotify,
};
use linger_wire::osdmap::{Incremental, Pool};
use linger_wire::{Encode, HObject, PgId, SpgId, UTime};

#[derive(Debug, Arbitrary)]
pub(super) enum Say<'a> {
    /// Of a watch or a notify.
    Watch {
        opcode: u8,
        cookie: u8,
        notify_id: u8,
        len: u8,
        code: i8,
        reply: Option<&'a [u8]>,
    },
    /// The answer to a held request.
    Answer {
        which: u8,
        result: i8,
        again: bool,
    },
    /// The same answer under any tid.
    Stray {
        tid: u8,
        result: i8,
    },
    Backoff {
        op: u8,
        seed: u8,
        id: u8,
        whole: bool,
    },
    Version {
        handle: u8,
        newest: u8,
    },
    Tickets {
        result: i8,
        payload: &'a [u8],
    },
    /// The map's next epoch, told at once or kept back.
    Map {
        change: Change,
        told: bool,
    },
    /// Everything that was kept back.
    Newest,
    /// A map of any epoch, full or not.
    AnyMap {
        epoch: u8,
        full: bool,
        raw: &'a [u8],
    },
    Control(u8),
    /// A message of any kind.
    Message {
        kind: u8,
        version: u8,
        compat: u8,
        tid: u8,
        front: &'a [u8],
        data: &'a [u8],
    },
    Raw(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
pub(super) enum Change {
    Nothing,
    Weight { osd: u8, weight: u16 },
    State { osd: u8, bits: u8 },
    Temp { seed: u8, osds: [i8; 3] },
    PrimaryTemp { seed: u8, osd: i8 },
    PgNum { pg_num: u8, force: bool },
    NewPool,
    OldPool(u8),
    Flags(u32),
    MaxOsd(u8),
}

/// A number that is small more often than not.
fn id(which: u8) -> u64 {
    if which == u8::MAX { u64::MAX } else { which.into() }
}

impl Say<'_> {
    pub(super) fn say(self, world: &mut World, conn: ConnId) {
        match self {
            Self::Map { change, told } => {
                let message = change.make(world);
                if told {
                    to_all_mons(world, &message);
                }
            }
            Self::Newest => {
                let fulls = [(world.script.epoch, world.script.full.clone())].into();
                let newest = world.script.epoch;
                let message = MapMessage { fsid: FSID, oldest: newest, newest, fulls, ..Default::default() };
                to_all_mons(world, &message);
            }
            Self::Answer { which, result, again } => answer(world, which, result, again),
            Self::Raw(bytes) => world.client.handle_bytes(world.now, conn, bytes),
            other => {
                let last = world.script.last.clone();
                let Some(server) = world.servers.get_mut(&conn).filter(|server| server.is_up()) else {
                    return;
                };
                match (other, last) {
                    (Self::Stray { tid, result }, Some((_, request))) => {
                        server.reply(id(tid), &request, result.into());
                    }
                    (other, _) => other.message(server),
                }
                world.talking.insert(conn);
            }
        }
    }

    fn message(self, server: &mut Server) {
        match self {
            Self::Watch { opcode, cookie, notify_id, len, code, reply } => {
                let opcode = match opcode % 8 {
                    0 => NotifyOpcode::Disconnect,
                    1 | 2 => NotifyOpcode::Complete,
                    _ => NotifyOpcode::Notify,
                };
                let reply = match reply {
                    Some(bytes) => Bytes::copy_from_slice(bytes),
                    None => NotifyAcks::default().to_bytes(),
                };
                let plain = watch_notify(id(cookie), id(notify_id), super::payload(len));
                server.message(0, &WatchNotify { opcode, return_code: code.into(), reply, ..plain });
            }
            Self::Backoff { op, seed, id, whole } => {
                let op = [BackoffOp::Block, BackoffOp::Unblock, BackoffOp::AckBlock][usize::from(op % 3)];
                let pg = PgId { pool: 1, seed: seed.into() };
                let end = HObject { max: whole, hash: u32::MAX, ..HObject::min() };
                let pgid = SpgId { pg, shard: -1 };
                server.message(0, &Backoff { pgid, epoch: 1, op, id: id.into(), begin: HObject::min(), end });
            }
            Self::Version { handle, newest } => {
                server.message(0, &GetVersionReply { handle: id(handle), newest: id(newest), oldest: 1 });
            }
            Self::Tickets { result, payload } => {
                let payload = Bytes::copy_from_slice(payload);
                let (result, message) = (result.into(), "".into());
                server.message(0, &AuthReply { protocol: 2, result, global_id: 4100, payload, message });
            }
            Self::AnyMap { epoch, full, raw } => {
                let maps = [(epoch.into(), Bytes::copy_from_slice(raw))].into();
                let mut message = MapMessage { fsid: FSID, newest: epoch.into(), ..Default::default() };
                *if full { &mut message.fulls } else { &mut message.incrementals } = maps;
                server.message(0, &message);
            }
            Self::Control(which) => server.control(&match which % 6 {
                0 => Control::Keepalive2(UTime::default()),
                1 => Control::Keepalive2Ack(UTime::default()),
                2 => Control::Ack { seq: which.into() },
                3 => Control::SessionReset { full: which > 127 },
                4 => Control::Wait,
                _ => Control::AuthSignature([0; 32]),
            }),
            Self::Message { kind, version, compat, tid, front, data } => {
                let kind = Kind { code: kind.into(), version: version.into(), compat: compat.into() };
                server.segments(kind, id(tid), front, Bytes::copy_from_slice(data));
            }
            _ => {}
        }
    }
}

fn to_all_mons(world: &mut World, message: &MapMessage) {
    for (conn, server) in &mut world.servers {
        if server.who == Who::Mon && server.is_up() {
            server.message(0, message);
            world.talking.insert(*conn);
        }
    }
}

fn answer(world: &mut World, which: u8, result: i8, again: bool) {
    if world.script.held.is_empty() {
        return;
    }
    let at = usize::from(which) % world.script.held.len();
    let (who, tid, request) = world.script.held[at].clone();
    if !again {
        world.script.held.remove(at);
    }
    let Some(conn) = world.conn_to(who) else { return };
    let Some(server) = world.servers.get_mut(&conn) else { return };
    server.reply(tid, &request, result.into());
    world.talking.insert(conn);
}

impl Change {
    fn make(self, world: &mut World) -> MapMessage {
        let mut inc: Incremental = next(&world.map);
        let pg = |seed: u8| PgId { pool: 1, seed: seed.into() };
        match self {
            Self::Nothing => {}
            Self::Weight { osd, weight } => _ = inc.new_weight.insert((osd % 3).into(), weight.into()),
            Self::State { osd, bits } => _ = inc.new_state.insert((osd % 3).into(), bits.into()),
            Self::Temp { seed, osds } => {
                let osds = osds.iter().filter(|osd| **osd != i8::MIN).map(|osd| i32::from(*osd)).collect();
                inc.new_pg_temp.insert(pg(seed % 16), osds);
            }
            Self::PrimaryTemp { seed, osd } => _ = inc.new_primary_temp.insert(pg(seed % 16), osd.into()),
            Self::PgNum { pg_num, force } => {
                if let Some(pool) = world.map.pool(1) {
                    let (pg_num, last) = (u32::from(pg_num % 32), inc.epoch);
                    let resend = if force { last } else { pool.last_force_op_resend };
                    let mut pool = pool.clone();
                    (pool.pg_num, pool.pgp_num, pool.last_force_op_resend) = (pg_num, pg_num, resend);
                    inc.new_pools.insert(1, pool);
                }
            }
            Self::NewPool => {
                inc.new_pool_max = Some(3);
                inc.new_pools.insert(3, Pool::replicated(2, 4, 0));
                inc.new_pool_names.insert(3, "no such".into());
            }
            Self::OldPool(pool) => _ = inc.old_pools.insert(i64::from(pool % 4)),
            Self::Flags(flags) => inc.new_flags = Some(flags),
            Self::MaxOsd(max) => inc.new_max_osd = Some((max % 8).into()),
        }
        // What does not fit the cluster's own map is told all the same.
        if world.map.clone().apply(&inc).is_ok() {
            return world.step(&inc);
        }
        let incrementals = [(inc.epoch, inc.encode_for(FEATURES))].into();
        MapMessage { fsid: FSID, oldest: 1, newest: inc.epoch, incrementals, ..Default::default() }
    }
}
