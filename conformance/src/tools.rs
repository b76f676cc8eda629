//! Ceph's tools, where they can be had.

use anyhow::Result;
use linger_testbed::{Release, Root};

/// A release's tools, for the test of this name. Without them the test is noted as skipped and
/// there are none.
///
/// # Errors
/// This machine can have them, but they can not be fetched.
///
/// # Panics
/// If they can not be had and `LINGER_NEED_CLUSTER` says that nothing may be skipped.
pub fn tools(release: Release, test: &str) -> Result<Option<Root>> {
    if let Err(why) = linger_testbed::available() {
        linger_testbed::skip(test, &why);
        return Ok(None);
    }
    Root::fetch(release).map(Some)
}
