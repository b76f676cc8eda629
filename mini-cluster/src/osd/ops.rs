//! What operations do to an object.
//!
//! Facts: `osd/PrimaryLogPG.cc` (`do_osd_ops`), `include/rados.h`.

use super::watch::{Effect, Loaded};
use super::{Cx, Osd, failure};
use crate::store::{Object, ObjectId};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use linger_wire::errno::{EEXIST, EINVAL, ENOENT, ENOTCONN, EOPNOTSUPP, ERANGE, ETIMEDOUT};
use linger_wire::msg::{Op, OpReply, OpRequest, WatchOp, Watcher, WatcherId, WatcherList};
use linger_wire::{EVersion, Encode, EntityAddr, EntityName, UTime};
use std::borrow::Cow;

/// The largest object (`osd_max_object_size`, 128 MiB).
const OBJECT_MAX: u64 = 128 << 20;
/// A value is too large.
const EFBIG: i32 = 27;

/// Operations that have no form of their own in the codec (`CEPH_OSD_OP_*`).
mod code {
    pub const ASSERT_VERSION: u16 = 0x1208;
    pub const WRITE: u16 = 0x2201;
    pub const TRUNCATE: u16 = 0x2203;
    pub const APPEND: u16 = 0x2206;
    pub const SET_ALLOC_HINT: u16 = 0x2223;
}

/// Who sent a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct From {
    pub client: u64,
    pub addr: EntityAddr,
}

/// What became of a request.
pub(super) struct Done {
    pub reply: OpReply,
    /// What follows, if all went well.
    pub effects: Vec<Effect>,
}

/// A request under way: nothing is kept unless all of it succeeds.
struct Draft<'a> {
    object: Option<Cow<'a, Object>>,
    loaded: &'a Loaded,
    from: From,
    mtime: UTime,
    /// Seconds, where the client gives none.
    watch_timeout: u32,
    notify_timeout: u32,
    next_notify: &'a mut dyn FnMut() -> u64,
    effects: Vec<Effect>,
    /// Whether what users see of the object changed.
    changed: bool,
}

impl Osd {
    pub(super) fn execute(&mut self, id: ObjectId, from: From, request: &OpRequest, cx: &mut Cx<'_>) -> Done {
        let mut reply = failure(request, 0);
        let epoch = self.epoch;
        let notifies = &mut self.notifies;
        let mut next_notify = || {
            *notifies += 1;
            u64::from(epoch) << 32 | u64::from(*notifies - 1)
        };
        let empty = Loaded::default();
        let mut draft = Draft {
            object: cx.store.get(id).map(Cow::Borrowed),
            loaded: self.loaded.get(&id).unwrap_or(&empty),
            from,
            mtime: request.mtime,
            watch_timeout: cx.settings.watch_timeout,
            notify_timeout: cx.settings.notify_timeout,
            next_notify: &mut next_notify,
            effects: Vec::new(),
            changed: false,
        };
        for (op, result) in request.ops.iter().zip(&mut reply.ops) {
            match draft.apply(op) {
                Ok(output) => result.output = output,
                Err(errno) => {
                    result.result = -errno;
                    reply.result = -errno;
                    let existing = cx.store.get(id);
                    reply.user_version = existing.map_or(0, |object| object.version);
                    return Done { reply, effects: Vec::new() };
                }
            }
        }
        let Draft { object, effects, changed, .. } = draft;
        // Only what was made anew is put back.
        let owned = match object {
            Some(Cow::Borrowed(object)) => {
                reply.user_version = object.version;
                return Done { reply, effects };
            }
            Some(Cow::Owned(object)) => Some(object),
            None => None,
        };
        let object = owned.map(|mut object| {
            if changed {
                cx.store.version += 1;
                object.version = cx.store.version;
            }
            object
        });
        reply.user_version = object.as_ref().map_or(0, |object| object.version);
        reply.replay_version = EVersion { version: cx.store.version, epoch };
        cx.store.put(id, object);
        Done { reply, effects }
    }
}

impl Draft<'_> {
    fn apply(&mut self, op: &Op) -> Result<Bytes, i32> {
        match op {
            Op::Create { exclusive: true } if self.object.is_some() => return Err(EEXIST),
            Op::Create { .. } => self.write(Ok)?,
            Op::WriteFull { data } => self.write(|_| Ok(data.clone()))?,
            Op::Other { code, args, data, .. } => return self.other(*code, args, data),
            // Everything else needs an object.
            _ => return self.on_existing(op),
        }
        Ok(Bytes::new())
    }

    fn on_existing(&mut self, op: &Op) -> Result<Bytes, i32> {
        let object = self.object.as_deref().ok_or(ENOENT)?;
        Ok(match op {
            Op::Read { offset, len } => slice(&object.data, *offset, *len),
            Op::Stat => {
                let mut out = BytesMut::new();
                out.put_u64_le(object.data.len() as u64);
                object.mtime.encode(&mut out);
                out.freeze()
            }
            Op::ListWatchers => WatcherList(object.watchers.values().cloned().collect()).to_bytes(),
            Op::Delete => {
                self.object = None;
                self.effects.push(Effect::Deleted);
                Bytes::new()
            }
            Op::Watch { op, cookie, timeout, .. } => {
                self.watch(*op, *cookie, *timeout)?;
                Bytes::new()
            }
            Op::Notify { cookie, timeout, payload } => {
                let notify_id = (self.next_notify)();
                self.effects.push(Effect::Notify {
                    notify_id,
                    cookie: *cookie,
                    timeout: if *timeout == 0 { self.notify_timeout } else { *timeout },
                    payload: payload.clone(),
                    version: object.version,
                });
                notify_id.to_bytes()
            }
            Op::NotifyAck { notify_id, cookie, reply } => {
                let (notify_id, cookie, reply) = (*notify_id, *cookie, reply.clone());
                self.effects.push(Effect::Ack { notify_id, cookie, reply });
                Bytes::new()
            }
            _ => return Err(EOPNOTSUPP),
        })
    }

    fn watch(&mut self, op: WatchOp, cookie: u64, timeout: u32) -> Result<(), i32> {
        let watcher = WatcherId { client: self.from.client, cookie };
        let object = self.object.as_mut().ok_or(ENOENT)?;
        let registered = object.watchers.get(&watcher).map(|entry| entry.timeout);
        match op {
            WatchOp::Watch | WatchOp::Legacy => {
                let timeout = if timeout == 0 { self.watch_timeout } else { timeout };
                let name = EntityName::client(self.from.client);
                let entry = Watcher { name, cookie, timeout, addr: self.from.addr };
                // An entry that is there keeps its timeout.
                let kept = object.to_mut().watchers.entry(watcher).or_insert(entry).timeout;
                let will_ping = op == WatchOp::Watch;
                self.effects.push(Effect::Connect { watcher, timeout: kept, will_ping });
            }
            WatchOp::Reconnect => {
                let timeout = registered.ok_or(ENOTCONN)?;
                self.effects.push(Effect::Connect { watcher, timeout, will_ping: true });
            }
            WatchOp::Ping => {
                registered.ok_or(ENOTCONN)?;
                if !self.loaded.is_connected(watcher) {
                    return Err(ETIMEDOUT);
                }
                self.effects.push(Effect::Ping { watcher });
            }
            WatchOp::Unwatch => {
                if registered.is_some() {
                    object.to_mut().watchers.remove(&watcher);
                }
                self.effects.push(Effect::Remove { watcher });
            }
        }
        Ok(())
    }

    fn other(&mut self, code: u16, mut args: &[u8], data: &Bytes) -> Result<Bytes, i32> {
        let mut arg = || args.try_get_u64_le().map_err(|_| EINVAL);
        match code {
            code::WRITE => {
                let (offset, len) = (arg()?, arg()?);
                if len != data.len() as u64 {
                    return Err(EINVAL);
                }
                self.write(|old| splice(&old, offset, data))?;
            }
            code::APPEND => self.write(|old| splice(&old, old.len() as u64, data))?,
            code::TRUNCATE => {
                let len = arg()?;
                self.write(|old| resize(&old, len))?;
            }
            code::SET_ALLOC_HINT => {}
            code::ASSERT_VERSION => {
                let (_unused, version) = (arg()?, arg()?);
                let object = self.object.as_deref().ok_or(ENOENT)?;
                match version {
                    0 => return Err(EINVAL),
                    version if version < object.version => return Err(ERANGE),
                    version if version > object.version => return Err(EOVERFLOW),
                    _ => {}
                }
            }
            _ => return Err(EOPNOTSUPP),
        }
        Ok(Bytes::new())
    }

    /// Replaces the content, of a new object if there is none.
    fn write(&mut self, change: impl FnOnce(Bytes) -> Result<Bytes, i32>) -> Result<(), i32> {
        let object = self.object.get_or_insert_with(|| Cow::Owned(Object::default()));
        let data = change(object.data.clone())?;
        let object = object.to_mut();
        object.data = data;
        object.mtime = self.mtime;
        self.changed = true;
        Ok(())
    }
}

/// The object is older than what was asserted.
const EOVERFLOW: i32 = 75;

/// `len` bytes from `offset` on, as far as there are any; 0 stands for all.
fn slice(data: &Bytes, offset: u64, len: u64) -> Bytes {
    let size = data.len() as u64;
    let begin = offset.min(size);
    let end = if len == 0 { size } else { offset.saturating_add(len).min(size) };
    data.slice(begin as usize..end.max(begin) as usize)
}

fn splice(old: &[u8], offset: u64, new: &[u8]) -> Result<Bytes, i32> {
    let end = offset.checked_add(new.len() as u64).filter(|end| *end <= OBJECT_MAX).ok_or(EFBIG)?;
    let mut data = old.to_vec();
    data.resize(data.len().max(end as usize), 0);
    data[offset as usize..end as usize].copy_from_slice(new);
    Ok(data.into())
}

fn resize(old: &[u8], len: u64) -> Result<Bytes, i32> {
    let len = usize::try_from(len).ok().filter(|len| *len as u64 <= OBJECT_MAX).ok_or(EFBIG)?;
    let mut data = old.to_vec();
    data.resize(len, 0);
    Ok(data.into())
}
