//! Operations on a whole placement group: which objects does it have?
//!
//! Facts: `osd/PrimaryLogPG.cc` (`do_pg_op`), `include/rados.h`, `include/rados/librados.hpp` (`all_nspaces`).

use super::{Cx, Osd, backoff, failure};
use crate::store::ObjectKey;
use bytes::Buf;
use linger_core::placement::actual_pg;
use linger_wire::errno::{EINVAL, EOPNOTSUPP};
use linger_wire::msg::{ListedObject, ObjectList, Op, OpReply, OpRequest};
use linger_wire::{Decode, Encode, HObject, PgId, SNAP_HEAD};

/// Objects in one answer (`osd_max_pgls`).
const OBJECTS_MAX: u64 = 1024;
/// The namespace that stands for all of them.
const ALL_NAMESPACES: &[u8] = b"\x01";
const PGNLS: u16 = 0x1505;

/// Whether an operation is about a group, not about an object (`CEPH_OSD_OP_TYPE_PG`).
pub(super) fn is_about_group(op: &Op) -> bool {
    op.code() & 0x0f00 == 0x0500
}

impl Osd {
    /// Answers a request about a group.
    pub(super) fn inspect(&self, request: &OpRequest, cx: &Cx<'_>) -> OpReply {
        let mut reply = failure(request, 0);
        reply.user_version = cx.store.version;
        for (op, result) in request.ops.iter().zip(&mut reply.ops) {
            match self.list(op, request, cx) {
                Ok((list, ended)) => {
                    result.output = list.to_bytes();
                    reply.result = ended.into();
                }
                Err(errno) => {
                    reply.result = -errno;
                    break;
                }
            }
        }
        reply
    }

    /// Some objects of a group, in their order, and whether these are its last.
    fn list(&self, op: &Op, request: &OpRequest, cx: &Cx<'_>) -> Result<(ObjectList, bool), i32> {
        let Op::Other { code: PGNLS, args, data, .. } = op else { return Err(EOPNOTSUPP) };
        let mut args = &args[..];
        let (_cookie, count) = (args.get_u64_le(), args.get_u64_le().min(OBJECTS_MAX));
        let pg = request.pgid.pg;
        let map = self.map(cx);
        let (Some(pool), Some((begin, end))) = (map.pool(pg.pool), backoff::range(&map, pg)) else {
            return Err(EINVAL);
        };
        let from = HObject::decode(data).map_err(|_| EINVAL)?;
        if request.snapid != SNAP_HEAD || from != HObject::min() && !(begin..end.clone()).contains(&from) {
            return Err(EINVAL);
        }
        let nspace = &request.locator.nspace;
        let wanted = cx.store.existing(pg.pool).filter(|key| {
            let here = actual_pg(pool, PgId { pool: pg.pool, seed: key.hash }) == pg;
            here && (nspace.as_bytes() == ALL_NAMESPACES || key.nspace == *nspace)
        });
        let mut objects: Vec<HObject> =
            wanted.map(ObjectKey::object).filter(|object| *object >= from).collect();
        objects.sort_unstable();
        let next = objects.get(count as usize).cloned();
        objects.truncate(count as usize);
        let objects =
            objects.into_iter().map(|HObject { nspace, oid, key, .. }| ListedObject { nspace, oid, key });
        let ended = next.is_none();
        Ok((ObjectList { next: next.unwrap_or(end), objects: objects.collect() }, ended))
    }
}
