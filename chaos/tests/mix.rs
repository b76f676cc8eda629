//! Two minutes of faults at random; `cargo xtask chaos --minutes M` for more.

use anyhow::Result;
use linger_chaos::Mix;
use linger_testbed::{available, skip};
use std::time::Duration;

#[test]
fn a_random_mix() -> Result<()> {
    if let Err(why) = available() {
        skip("mix::a_random_mix", &why);
        return Ok(());
    }
    Mix::new(Duration::from_secs(120))?.run()?.check()
}
