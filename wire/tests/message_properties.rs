//! What holds for every message: it survives the wire, and no peer gets anything but an error out
//! of a broken one.

use bytes::{BufMut, Bytes, BytesMut};
use linger_wire::msg::{
    AuthReply, AuthRequest, Backoff, BackoffOp, ConfigValues, GetVersion, GetVersionReply, Kind,
    ListedObject, MapMessage, Message, MonCommand, MonCommandAck, MonInfo, MonMap, Msg, NotifyAck,
    NotifyAcks, NotifyOpcode, ObjectList, Op, OpFlags, OpReply, OpRequest, OpResult, PoolAction, PoolOp,
    PoolOpReply, Redirect, Subscribe, SubscribeAck, SubscribeItem, WatchNotify, WatchOp, Watcher, WatcherId,
    WatcherList,
};
use linger_wire::{
    AddrType, AddrVec, Decode, DecodeErrorKind, EVersion, Encode, EntityAddr, EntityName, EntityType,
    Features, Fsid, HObject, Name, ObjectLocator, PgId, ReqId, SNAP_HEAD, SpgId, UTime,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use std::fmt::Debug;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

mod support;
use support::{again, written};

fn name() -> impl Strategy<Value = Name> {
    vec(any::<u8>(), 0..12).prop_map(Name::from)
}

fn blob() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn fsid() -> impl Strategy<Value = Fsid> {
    any::<[u8; 16]>().prop_map(Fsid)
}

fn time() -> impl Strategy<Value = UTime> {
    any::<(u32, u32)>().prop_map(|(sec, nsec)| UTime { sec, nsec })
}

fn pg() -> impl Strategy<Value = PgId> {
    any::<(i64, u32)>().prop_map(|(pool, seed)| PgId { pool, seed })
}

fn spg() -> impl Strategy<Value = SpgId> {
    (pg(), any::<i8>()).prop_map(|(pg, shard)| SpgId { pg, shard })
}

fn entity() -> impl Strategy<Value = EntityName> {
    any::<(u8, i64)>().prop_map(|(kind, num)| EntityName { kind: EntityType(kind), num })
}

fn addr() -> impl Strategy<Value = EntityAddr> {
    let v4 = any::<(Ipv4Addr, u16)>().prop_map(SocketAddr::from);
    let v6 = any::<(Ipv6Addr, u16, u32, u32)>()
        .prop_map(|(ip, port, flow, scope)| SocketAddrV6::new(ip, port, flow, scope).into());
    (any::<u32>(), any::<u32>(), option::of(prop_oneof![v4, v6])).prop_map(|(kind, nonce, sock)| EntityAddr {
        kind: AddrType(kind),
        nonce,
        sock,
    })
}

fn addrs() -> impl Strategy<Value = AddrVec> {
    vec(addr(), 0..4).prop_map(AddrVec)
}

fn hobject() -> impl Strategy<Value = HObject> {
    (name(), name(), any::<u64>(), any::<u32>(), any::<bool>(), name(), any::<i64>()).prop_map(
        |(key, oid, snap, hash, max, nspace, pool)| HObject { key, oid, snap, hash, max, nspace, pool },
    )
}

fn locator() -> impl Strategy<Value = ObjectLocator> {
    (any::<i64>(), name(), name(), prop_oneof![Just(-1), any::<i64>()])
        .prop_map(|(pool, key, nspace, hash)| ObjectLocator { pool, key, nspace, hash })
}

fn watcher_id() -> impl Strategy<Value = WatcherId> {
    any::<(u64, u64)>().prop_map(|(client, cookie)| WatcherId { client, cookie })
}

fn op() -> impl Strategy<Value = Op> {
    let sub = [WatchOp::Unwatch, WatchOp::Legacy, WatchOp::Watch, WatchOp::Reconnect, WatchOp::Ping];
    prop_oneof![
        any::<(u64, u64)>().prop_map(|(offset, len)| Op::Read { offset, len }),
        Just(Op::Stat),
        any::<bool>().prop_map(|exclusive| Op::Create { exclusive }),
        blob().prop_map(|data| Op::WriteFull { data }),
        Just(Op::Delete),
        (prop::sample::select(sub.to_vec()), any::<(u64, u32, u32)>())
            .prop_map(|(op, (cookie, generation, timeout))| Op::Watch { op, cookie, generation, timeout }),
        (any::<(u64, u32)>(), blob()).prop_map(|((cookie, timeout), payload)| Op::Notify {
            cookie,
            timeout,
            payload
        }),
        (any::<(u64, u64)>(), blob()).prop_map(|((notify_id, cookie), reply)| Op::NotifyAck {
            notify_id,
            cookie,
            reply
        }),
        Just(Op::ListWatchers),
        // CALL: one that has no form of its own.
        (any::<u32>(), any::<[u8; 28]>(), blob()).prop_map(|(flags, args, data)| Op::Other {
            code: 0x1401,
            flags,
            args,
            data
        }),
    ]
}

/// An operation as replies echo it: without input.
fn echo() -> impl Strategy<Value = Op> {
    op().prop_map(|op| match op {
        Op::WriteFull { .. } | Op::Notify { .. } | Op::NotifyAck { .. } => {
            Op::Other { code: op.code(), flags: 2, args: [3; 28], data: Bytes::new() }
        }
        Op::Other { code, flags, args, .. } => Op::Other { code, flags, args, data: Bytes::new() },
        op => op,
    })
}

fn request() -> impl Strategy<Value = Sample> {
    (spg(), any::<(u32, u32, u32, i32, u64)>(), time(), locator(), name(), vec(op(), 0..4)).prop_map(
        |(pgid, (hash, epoch, flags, retry_attempt, features), mtime, locator, oid, ops)| {
            let request = OpRequest {
                pgid,
                hash,
                epoch,
                flags: OpFlags(flags),
                reqid: ReqId::default(),
                mtime,
                locator,
                oid,
                ops,
                snapid: SNAP_HEAD,
                retry_attempt,
                features: Features(features),
            };
            sample(&again(&request), Msg::OpRequest(request.clone()))
        },
    )
}

fn reply() -> impl Strategy<Value = Sample> {
    let result =
        (echo(), any::<i32>(), blob()).prop_map(|(op, result, output)| OpResult { op, result, output });
    // A redirect to nowhere is none.
    let redirect = (locator(), name())
        .prop_map(|(locator, object)| Redirect { locator, object })
        .prop_filter("a target", |to| to.locator.pool != -1 || !to.object.is_empty());
    let numbers = any::<(i64, i32, u32, i32, u64, u64, u32)>();
    (name(), pg(), numbers, vec(result, 0..4), option::of(redirect)).prop_map(
        |(oid, pgid, (flags, result, epoch, retry_attempt, user_version, version, at), ops, redirect)| {
            let replay_version = EVersion { version, epoch: at };
            let reply = OpReply {
                oid,
                pgid,
                flags,
                result,
                epoch,
                ops,
                retry_attempt,
                replay_version,
                user_version,
                redirect,
            };
            sample(&reply, Msg::OpReply(reply.clone()))
        },
    )
}

fn watch_notify() -> impl Strategy<Value = Sample> {
    let opcode = [NotifyOpcode::Notify, NotifyOpcode::Complete, NotifyOpcode::Disconnect];
    // Also a payload that is not copied out of the front.
    let payload = prop_oneof![9 => blob(), 1 => Just(Bytes::from(vec![7; 5000]))];
    (prop::sample::select(opcode.to_vec()), any::<(u64, u64, u64, i32, u64)>(), payload, blob()).prop_map(
        |(opcode, (cookie, version, notify_id, return_code, notifier), payload, reply)| {
            let message =
                WatchNotify { opcode, cookie, version, notify_id, payload, return_code, notifier, reply };
            sample(&message, Msg::WatchNotify(message.clone()))
        },
    )
}

fn backoff() -> impl Strategy<Value = Sample> {
    let op = [BackoffOp::Block, BackoffOp::AckBlock, BackoffOp::Unblock];
    (spg(), any::<(u32, u64)>(), prop::sample::select(op.to_vec()), hobject(), hobject()).prop_map(
        |(pgid, (epoch, id), op, begin, end)| {
            let message = Backoff { pgid, epoch, op, id, begin, end };
            sample(&message, Msg::Backoff(message.clone()))
        },
    )
}

fn mon_command() -> impl Strategy<Value = Sample> {
    (fsid(), vec(name(), 0..3), blob()).prop_map(|(fsid, words, input)| {
        let message = MonCommand { fsid, words, input };
        sample(&message, Msg::MonCommand(message.clone()))
    })
}

fn mon_command_ack() -> impl Strategy<Value = Sample> {
    (any::<(u64, i32)>(), name(), vec(name(), 0..3), blob()).prop_map(
        |((version, result), text, words, output)| {
            let message = MonCommandAck { version, result, text, words, output };
            sample(&message, Msg::MonCommandAck(message.clone()))
        },
    )
}

fn pool_op() -> impl Strategy<Value = Sample> {
    let action = [PoolAction::Create, PoolAction::Delete, PoolAction::Other(0x21)];
    let numbers = any::<(u32, u64, i16)>();
    (fsid(), numbers, prop::sample::select(action.to_vec()), name()).prop_map(
        |(fsid, (pool, snapid, crush_rule), action, name)| {
            let message = PoolOp { fsid, pool, action, snapid, name, crush_rule };
            sample(&message, Msg::PoolOp(message.clone()))
        },
    )
}

fn pool_op_reply() -> impl Strategy<Value = Sample> {
    (fsid(), any::<(i32, u32)>(), option::of(blob())).prop_map(|(fsid, (result, epoch), output)| {
        let message = PoolOpReply { fsid, result, epoch, output };
        sample(&message, Msg::PoolOpReply(message.clone()))
    })
}

fn mon_map() -> impl Strategy<Value = Sample> {
    let mon = (name(), addrs(), any::<u16>(), any::<u16>())
        .prop_map(|(name, addrs, priority, weight)| MonInfo { name, addrs, priority, weight });
    (fsid(), any::<(u32, u8)>(), time(), time(), btree_map(name(), mon, 0..3), vec(name(), 0..3)).prop_map(
        |(fsid, (epoch, min_release), last_changed, created, mons, ranks)| {
            let map = MonMap { fsid, epoch, last_changed, created, mons, ranks, min_release };
            sample(&map, Msg::MonMap(map.clone()))
        },
    )
}

fn mon() -> impl Strategy<Value = Sample> {
    let item = any::<(u64, u8)>().prop_map(|(start, flags)| SubscribeItem { start, flags });
    prop_oneof![
        (btree_map(name(), item, 0..4), name()).prop_map(|(what, hostname)| {
            let message = Subscribe { what, hostname };
            sample(&message, Msg::Subscribe(message.clone()))
        }),
        (any::<u32>(), fsid()).prop_map(|(interval, fsid)| {
            let message = SubscribeAck { interval, fsid };
            sample(&message, Msg::SubscribeAck(message.clone()))
        }),
        (any::<u64>(), name()).prop_map(|(handle, what)| {
            let message = GetVersion { handle, what };
            sample(&message, Msg::GetVersion(message.clone()))
        }),
        any::<(u64, u64, u64)>().prop_map(|(handle, newest, oldest)| {
            let message = GetVersionReply { handle, newest, oldest };
            sample(&message, Msg::GetVersionReply(message.clone()))
        }),
        btree_map(name(), name(), 0..4).prop_map(|values| {
            let message = ConfigValues { values };
            sample(&message, Msg::Config(message.clone()))
        }),
    ]
}

fn auth() -> impl Strategy<Value = Sample> {
    prop_oneof![
        (any::<u32>(), blob(), any::<u32>()).prop_map(|(protocol, payload, monmap_epoch)| {
            let message = AuthRequest { protocol, payload, monmap_epoch };
            // The epoch came without a version: a sender may leave it out.
            Sample { optional: 4, ..sample(&message, Msg::Auth(message.clone())) }
        }),
        (any::<(u32, i32, u64)>(), blob(), name()).prop_map(
            |((protocol, result, global_id), payload, message)| {
                let message = AuthReply { protocol, result, global_id, payload, message };
                sample(&message, Msg::AuthReply(message.clone()))
            }
        ),
    ]
}

fn maps() -> impl Strategy<Value = Sample> {
    let maps = || btree_map(any::<u32>(), blob(), 0..3);
    (fsid(), maps(), maps(), any::<(u32, u32)>()).prop_map(|(fsid, incrementals, fulls, (oldest, newest))| {
        let message = MapMessage { fsid, incrementals, fulls, oldest, newest };
        // The removed snapshots are not read.
        Sample { optional: 4, ..sample(&message, Msg::OsdMap(message.clone())) }
    })
}

/// A message as a value and as it travels.
#[derive(Debug, Clone)]
struct Sample {
    kind: Kind,
    front: Bytes,
    data: Bytes,
    /// Bytes at the front's end that may be missing.
    optional: usize,
    value: Msg,
}

fn sample<M: Message>(message: &M, value: Msg) -> Sample {
    let (front, data) = written(message);
    Sample { kind: M::KIND, front, data, optional: 0, value }
}

impl Sample {
    fn decode(&self, front: &Bytes, data: &Bytes) -> Result<Msg, linger_wire::DecodeError> {
        Msg::decode(self.kind.code, self.kind.version, self.kind.compat, front, data)
    }
}

fn any_message() -> impl Strategy<Value = Sample> {
    let commands = prop_oneof![mon_command(), mon_command_ack(), pool_op(), pool_op_reply()];
    prop_oneof![request(), reply(), watch_notify(), backoff(), mon_map(), mon(), auth(), maps(), commands]
}

/// Checks a value that is no message: both ways, cut short at every byte, with bytes after it.
fn survives<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    let bytes = value.to_bytes();
    assert_eq!(T::decode(&bytes).as_ref(), Ok(value));
    for len in 0..bytes.len() {
        let error = T::decode(&bytes[..len]).expect_err("cut short");
        assert_eq!(error.kind, DecodeErrorKind::Truncated, "at {len} of {}: {error}", bytes.len());
        assert!(error.offset <= len, "{error}");
    }
    let longer = [&bytes[..], &[0xff; 3]].concat();
    assert_eq!(T::decode(&longer).as_ref(), Ok(value));
}

proptest! {
    #[test]
    fn every_message_survives(sample in any_message()) {
        prop_assert_eq!(sample.decode(&sample.front, &sample.data), Ok(sample.value.clone()));
        let mut longer = BytesMut::from(&sample.front[..]);
        longer.put_slice(&[0xff; 3]);
        prop_assert_eq!(sample.decode(&longer.freeze(), &sample.data), Ok(sample.value.clone()));
    }

    #[test]
    fn a_message_cut_short_is_an_error(sample in any_message()) {
        for len in 0..sample.front.len() - sample.optional {
            let error = sample.decode(&sample.front.slice(..len), &sample.data);
            let error = error.expect_err("cut short");
            prop_assert!(error.offset <= len, "{}", error);
        }
        for len in sample.front.len() - sample.optional..sample.front.len() {
            let _any = sample.decode(&sample.front.slice(..len), &sample.data);
        }
        // A watch's message keeps whatever data it has; of operations it is known how much they need.
        let needs_data = matches!(sample.value, Msg::OpRequest(_) | Msg::OpReply(_));
        for len in 0..sample.data.len() {
            let decoded = sample.decode(&sample.front, &sample.data.slice(..len));
            prop_assert_eq!(decoded.is_err(), needs_data);
        }
    }

    /// Every four bytes are a count once.
    #[test]
    fn hostile_counts_neither_allocate_nor_panic(sample in any_message(), count in any::<u32>()) {
        for hostile in [u32::MAX, i32::MAX as u32, count] {
            for at in 0..sample.front.len().saturating_sub(3) {
                let mut front = BytesMut::from(&sample.front[..]);
                front[at..at + 4].copy_from_slice(&hostile.to_le_bytes());
                let _any = sample.decode(&front.freeze(), &sample.data);
            }
        }
    }

    #[test]
    fn any_bytes_are_no_reason_to_panic(
        code in prop_oneof![2u16..64, any::<u16>()],
        version in 0u16..12,
        compat in 0u16..12,
        front in vec(any::<u8>(), 0..300),
        data in blob(),
    ) {
        let _any = Msg::decode(code, version, compat, &front.into(), &data);
    }

    #[test]
    fn primitives_survive(
        addr in addr(), addrs in addrs(), hobject in hobject(), locator in locator(), spg in spg(), pg in pg(),
        entity in entity(), tid in any::<u64>(), inc in any::<i32>(), name in name(), time in time(),
    ) {
        survives(&addr);
        survives(&addrs);
        survives(&hobject);
        survives(&locator);
        survives(&spg);
        survives(&pg);
        survives(&entity);
        survives(&ReqId { name: entity, tid, inc });
        survives(&EVersion { version: tid, epoch: pg.seed });
        survives(&name);
        survives(&time);
        survives(&Features(tid));
        survives(&Redirect { locator, object: name });
    }

    #[test]
    fn outputs_survive(
        acks in vec((watcher_id(), blob()), 0..3),
        missed in vec(watcher_id(), 0..3),
        watchers in vec((entity(), any::<(u64, u32)>(), addr()), 0..3),
        next in hobject(),
        objects in vec((name(), name(), name()), 0..3),
    ) {
        let acks = acks.into_iter().map(|(watcher, reply)| NotifyAck { watcher, reply }).collect();
        survives(&NotifyAcks { acks, missed });
        let watcher = |(name, (cookie, timeout), addr)| Watcher { name, cookie, timeout, addr };
        survives(&WatcherList(watchers.into_iter().map(watcher).collect()));
        let objects = objects.into_iter().map(|(nspace, oid, key)| ListedObject { nspace, oid, key }).collect();
        survives(&ObjectList { next, objects });
    }

    #[test]
    fn objects_are_in_one_order(a in hobject(), b in hobject(), c in hobject()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a == b, a.cmp(&b).is_eq());
        prop_assert!(!(a <= b && b <= c) || a <= c);
    }
}
