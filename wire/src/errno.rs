//! Error numbers as they travel: Linux numbering on every host, negative in results.

/// Operation not permitted: capabilities or the key do not allow it.
pub const EPERM: i32 = 1;
/// No such object or pool.
pub const ENOENT: i32 = 2;
/// Input/output error; also operations on a pool flagged EIO.
pub const EIO: i32 = 5;
/// Bad handle.
pub const EBADF: i32 = 9;
/// Try again: the OSD wants the op resent.
pub const EAGAIN: i32 = 11;
/// Permission denied.
pub const EACCES: i32 = 13;
/// The object exists already.
pub const EEXIST: i32 = 17;
/// Invalid argument.
pub const EINVAL: i32 = 22;
/// The pool or cluster is full.
pub const ENOSPC: i32 = 28;
/// Version or size out of range.
pub const ERANGE: i32 = 34;
/// The OSD or pool does not support the operation.
pub const EOPNOTSUPP: i32 = 95;
/// The watch is not, or no longer, registered.
pub const ENOTCONN: i32 = 107;
/// The client is blocklisted (`ESHUTDOWN`).
pub const EBLOCKLISTED: i32 = 108;
/// The watch is registered but no connection is bound to it; or a notify's time is over.
pub const ETIMEDOUT: i32 = 110;
/// A quota is exhausted.
pub const EDQUOT: i32 = 122;
