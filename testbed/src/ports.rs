//! Ranges of free loopback ports, one per cluster.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    process,
};

use anyhow::{Context, Result, bail};

/// Ports of one cluster: mons from the first on, OSDs and mgr from the eleventh.
pub(crate) const SPAN: u16 = 200;

/// All below 32768, above which the kernel gives out ports for outgoing connections.
const FIRST: u16 = 20_000;
const SLOTS: u16 = 60;

/// A range of ports that no other testbed process takes while this value lives.
///
/// Once daemons listen there the range is also refused to later comers without the lock, which is what protects the
/// clusters that outlive the process that booted them.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) base: u16,
    _lock: Option<File>,
}

impl Ports {
    /// Any free range.
    pub(crate) fn claim() -> Result<Self> {
        let folder = std::env::temp_dir().join("linger-ports");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let start = process::id() % u32::from(SLOTS);
        for i in 0..u32::from(SLOTS) {
            let slot = u16::try_from((start + i * 7) % u32::from(SLOTS))?;
            let base = FIRST + slot * SPAN;
            let lock = File::create(folder.join(base.to_string()))?;
            if lock.try_lock().is_ok() && all_free(base) {
                return Ok(Self { base, _lock: Some(lock) });
            }
        }
        bail!("no free range of {SPAN} ports from {FIRST} on")
    }

    /// This range, if nothing listens there.
    pub(crate) fn exactly(base: u16) -> Result<Self> {
        if !(1024..=32_768 - SPAN).contains(&base) {
            bail!("port base {base} is not from 1024 to {}", 32_768 - SPAN);
        }
        if !all_free(base) {
            bail!("a port from {base} to {} is in use", base + SPAN - 1);
        }
        Ok(Self { base, _lock: None })
    }
}

fn all_free(base: u16) -> bool {
    (base..base + SPAN).all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_do_not_overlap() {
        let (a, b) = (Ports::claim().unwrap(), Ports::claim().unwrap());
        assert!(a.base.abs_diff(b.base) >= SPAN);
    }

    #[test]
    fn a_range_with_a_listener_is_not_free() {
        let claimed = Ports::claim().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, claimed.base + 50)).unwrap();
        assert!(Ports::exactly(claimed.base).is_err());
        drop(listener);
        assert!(Ports::exactly(claimed.base).is_ok());
    }
}
