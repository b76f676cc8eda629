//! One cluster for all tests of a process.

use std::{env, path::Path, sync::OnceLock};

use anyhow::Result;

use crate::Cluster;

/// A cluster that the tests of this process share, booted by the first that asks: Pacific, or the release that
/// `LINGER_RELEASE` names, with three OSDs. With `LINGER_TEST_CONF` it is the cluster of that ceph.conf.
///
/// Tests that stop daemons boot their own. Call [`need_cluster!`](crate::need_cluster) first.
///
/// # Panics
/// There is none to be had.
pub fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Result<Cluster>> = OnceLock::new();
    match SHARED.get_or_init(boot) {
        Ok(cluster) => cluster,
        Err(e) => panic!("no shared cluster: {e:#}"),
    }
}

fn boot() -> Result<Cluster> {
    if let Some(conf) = env::var_os("LINGER_TEST_CONF") {
        return Cluster::from_conf(Path::new(&conf));
    }
    Cluster::builder().boot()
}
