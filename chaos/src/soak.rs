//! A soak: tickets and keys that live for seconds, for minutes, while daemons restart.

use crate::arena::Arena;
use crate::table::Row;
use anyhow::{Context, Result, ensure};
use linger_testbed::{Cluster, Daemon};
use std::thread;
use std::time::{Duration, Instant};

/// The watches' timeout, as users have it: no restart here takes as long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Between two restarts.
const PAUSE: Duration = Duration::from_secs(15);
/// Every so many restarts it is a monitor's turn.
const MON_EVERY: u32 = 4;
const MONS: u32 = 3;
const OSDS: u32 = 3;

/// A soak.
#[derive(Debug, Clone, Copy)]
pub struct Soak {
    /// How long it goes on.
    pub time: Duration,
    /// How long tickets live, and each of the keys that they are sealed with.
    pub lifetime: Duration,
}

impl Soak {
    /// Runs it on a cluster of its own.
    ///
    /// The restarted daemons make clients connect, for which they need good tickets; a restarted monitor makes them
    /// move to another one.
    ///
    /// # Errors
    /// A daemon does not restart, or linger lost a watch.
    pub fn run(self) -> Result<Row> {
        let seconds = self.lifetime.as_secs().to_string();
        let cluster = Cluster::builder().mons(MONS).osds(OSDS);
        let cluster = cluster.conf("auth_service_ticket_ttl", &seconds).conf("auth_mon_ticket_ttl", &seconds);
        let arena = Arena::open_with(cluster, TIMEOUT)?;
        let start = Instant::now();
        let mut restarts = 0;
        while start.elapsed() < self.time {
            thread::sleep(PAUSE.min(self.time));
            let daemon = match restarts % MON_EVERY {
                0 => Daemon::Mon(restarts / MON_EVERY % MONS),
                _ => Daemon::Osd(restarts % OSDS),
            };
            restart(&arena, daemon).with_context(|| format!("{daemon} does not restart"))?;
            restarts += 1;
            println!(
                "{:>7.1?} {daemon} restarted; linger: {}",
                start.elapsed(),
                arena.verdict(crate::Side::Linger)
            );
        }
        let name = format!("{} s of {seconds} s lifetimes, {restarts} restarts", self.time.as_secs());
        let row = arena.close(&name)?;
        ensure!(row.linger.errors == 0, "{}: {} watches were lost", row.name, row.linger.errors);
        Ok(row)
    }
}

fn restart(arena: &Arena, daemon: Daemon) -> Result<()> {
    arena.cluster().stop(daemon)?;
    arena.cluster().start(daemon)?;
    arena.cluster().wait_clean()?;
    arena.settle(Instant::now())
}
