//! Pools that librados makes and removes by a message of its own, not by a command.
//!
//! Facts: `mon/OSDMonitor.cc` (`preprocess_pool_op`, `prepare_pool_op`).

use super::{Caller, pool};
use crate::servers::Servers;
use linger_core::Timestamp;
use linger_wire::errno::{EINVAL, ENOENT, EOPNOTSUPP, EPERM};
use linger_wire::msg::{PoolAction, PoolOp, PoolOpReply};

/// Does what a client asks for. A pool that is there already, or is gone, is no error to monitors: clients look first.
///
/// Removal needs no `mon_allow_pool_delete` here.
pub(crate) fn pool_op(servers: &mut Servers, now: Timestamp, from: &Caller, op: &PoolOp) -> PoolOpReply {
    let result = answer(servers, now, from, op).err().map_or(0, |errno| -errno);
    PoolOpReply { fsid: servers.fsid(), result, epoch: servers.map().epoch, output: None }
}

fn answer(servers: &mut Servers, now: Timestamp, from: &Caller, op: &PoolOp) -> Result<(), i32> {
    if !crate::osd::grants(&from.caps, 'w') {
        return Err(EPERM);
    }
    match op.action {
        PoolAction::Create if op.name.is_empty() => return Err(EINVAL),
        // There is one rule.
        PoolAction::Create if op.crush_rule > 0 => return Err(ENOENT),
        PoolAction::Create if servers.map().pool_id(&op.name).is_some() => {}
        PoolAction::Create => _ = servers.create_pool(now, op.name.clone(), pool::PG_NUM),
        PoolAction::Delete => servers.remove_pool(now, op.pool.into()),
        PoolAction::Other(_) => return Err(EOPNOTSUPP),
    }
    Ok(())
}
