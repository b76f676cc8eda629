//! The tests of real clusters, and which of them fit a cluster.

use super::command::{Packages, filtered, tests};
use super::tally::Tally;
use anyhow::Result;
use linger_testbed::{Cluster, Mode, Release, available};
use std::env;
use std::path::Path;

/// Packages whose tests need clusters.
pub(super) const CLUSTER: &[&str] = &["linger-testbed", "linger-tokio", "linger-smol", "linger"];

/// Tests that boot clusters of their own: what those are like does not depend on the shared one.
const OWN: &[&str] = &[
    "an_osd_out_of_reach",
    "daemons::",
    "failover::",
    "losses::",
    "map_equals_ceph_osd_map",
    "no_longer_allowed",
    "own_modes::",
    "own_mons::",
    "own_v1::",
];

/// Tests of what only a cluster with keys refuses.
const KEYS: &[&str] = &["a_wrong_key", "caps", "must_be_secure"];

/// The main ways through everything, for when there is little time.
const SHORT: &[&str] = &["both_ways::", "modes::the_first", "watches::", "placement::", "objects::"];

/// Some of these tests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Suite {
    /// All of them, on every runtime, and those of the testbed itself.
    Whole,
    /// The same on one runtime.
    Functional,
    /// Those of them that use the shared cluster.
    Shared,
    /// The same on a cluster that asks for no key.
    Keyless,
    /// A part of those that use the shared cluster.
    Short,
}

impl Suite {
    /// Runs them on the cluster of a ceph.conf; tests that boot their own take that release.
    ///
    /// # Errors
    /// They do not run at all. What fails is in the tally.
    pub(crate) fn run(self, release: Release, conf: &Path) -> Result<Tally> {
        let conf = conf.display().to_string();
        let envs = [("LINGER_TEST_CONF", conf.as_str()), ("LINGER_RELEASE", release.name())];
        let packages = Packages::Only(&["linger-tokio", "linger"]);
        match self {
            Self::Whole => tests(Packages::Only(CLUSTER), &envs),
            Self::Functional => tests(packages, &envs),
            Self::Shared => filtered(packages, &envs, &[], OWN),
            Self::Keyless => filtered(packages, &envs, &[], &[OWN, KEYS].concat()),
            Self::Short => filtered(packages, &envs, SHORT, OWN),
        }
    }
}

/// A default cluster of the newest release, whose keys are of another type.
pub(super) fn tentacle() -> Result<Tally> {
    unless_elsewhere("tentacle", || on(Release::Tentacle, Mode::Default, Suite::Whole))
}

/// What differs between releases, and all in secure mode.
pub(super) fn others() -> Result<Tally> {
    unless_elsewhere("others", || {
        let mut tally = on(Release::Nautilus, Mode::Secure, Suite::Short)?;
        tally.add(&on(Release::Reef, Mode::Secure, Suite::Short)?);
        Ok(tally)
    })
}

fn on(release: Release, mode: Mode, suite: Suite) -> Result<Tally> {
    let cluster = Cluster::builder().release(release).mode(mode).boot()?;
    suite.run(release, cluster.conf())
}

/// Without clusters, or on somebody's own, the first step of them has run and counted everything.
fn unless_elsewhere(name: &str, run: impl FnOnce() -> Result<Tally>) -> Result<Tally> {
    match available() {
        Err(why) => Ok(Tally::skip(&format!("{name}: {why}"))),
        Ok(()) if env::var_os("LINGER_TEST_CONF").is_some() => {
            Ok(Tally::skip(&format!("{name}: LINGER_TEST_CONF names a cluster")))
        }
        Ok(()) => run(),
    }
}
