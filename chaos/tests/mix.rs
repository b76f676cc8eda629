//! Two minutes of faults at random; `cargo xtask chaos --minutes M` for more.

use anyhow::Result;
use linger_chaos::Mix;
use linger_testbed::need_ceph;
use std::time::Duration;

#[test]
fn a_random_mix() -> Result<()> {
    need_ceph!(Ok(()));
    Mix::new(Duration::from_secs(120))?.run()?.check()
}
