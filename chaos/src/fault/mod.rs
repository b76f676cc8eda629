//! The faults: what strikes a cluster, and how that heals.

mod daemons;
mod maps;
mod objects;

use crate::arena::Arena;
use anyhow::{Context, Error, Result};
use linger_testbed::{Builder, Cluster};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "`about` says what each is")]
pub enum Fault {
    OsdKilled,
    OsdFrozen,
    OsdRestarted,
    AllOsdsStopped,
    MarkedDown,
    MarkedOut,
    Paused,
    PgNum,
    PgTemp,
    PrimaryAffinity,
    MinSize,
    Size,
    Upmap,
    PoolRemoved,
    ObjectRemoved,
    Blocklisted,
    MonRestarted,
    MonLeaderChanged,
    TicketsExpire,
    SocketResets,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::OsdKilled,
        Self::OsdFrozen,
        Self::OsdRestarted,
        Self::AllOsdsStopped,
        Self::MarkedDown,
        Self::MarkedOut,
        Self::Paused,
        Self::PgNum,
        Self::PgTemp,
        Self::PrimaryAffinity,
        Self::MinSize,
        Self::Size,
        Self::Upmap,
        Self::PoolRemoved,
        Self::ObjectRemoved,
        Self::Blocklisted,
        Self::MonRestarted,
        Self::MonLeaderChanged,
        Self::TicketsExpire,
        Self::SocketResets,
    ];

    /// Those that a random mix draws from: on the cluster that it has they can strike any number of times, within
    /// seconds.
    #[must_use]
    pub fn mixed() -> Vec<Self> {
        let no_mix = [Self::PgNum, Self::PoolRemoved, Self::MonLeaderChanged, Self::TicketsExpire];
        Self::ALL.into_iter().filter(|fault| !no_mix.contains(fault)).collect()
    }

    /// What happens.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::OsdKilled => "an OSD is killed and started again",
            Self::OsdFrozen => "an OSD is frozen (SIGSTOP) for longer than a lease",
            Self::OsdRestarted => "an OSD is restarted at once, under another address",
            Self::AllOsdsStopped => "all OSDs are stopped and started again",
            Self::MarkedDown => "OSDs are marked down and come back by themselves",
            Self::MarkedOut => "an OSD is marked out, and in again",
            Self::Paused => "reads and writes are paused for longer than a lease",
            Self::PgNum => "placement groups are split and merged",
            Self::PgTemp => "placement groups get temporary primaries",
            Self::PrimaryAffinity => "OSDs lose their affinity to be primary",
            Self::MinSize => "min_size goes up and down",
            Self::Size => "size goes down and up",
            Self::Upmap => "placement groups are moved by upmap",
            Self::PoolRemoved => "the pool is removed",
            Self::ObjectRemoved => "objects are removed, and made again",
            Self::Blocklisted => "both watchers' clients are blocklisted",
            Self::MonRestarted => "a monitor is killed and started again",
            Self::MonLeaderChanged => "of three monitors the leader is killed",
            Self::TicketsExpire => "tickets of seconds expire, OSDs restart meanwhile",
            Self::SocketResets => "sockets of OSDs are reset at random",
        }
    }

    /// The cluster that it strikes.
    #[must_use]
    pub fn cluster(self) -> Builder {
        let four = Cluster::builder().osds(4);
        match self {
            Self::MonLeaderChanged => four.mons(3),
            Self::TicketsExpire => {
                // Rotating keys live as long; the OSDs know three of them.
                four.conf("auth_service_ticket_ttl", "5").conf("auth_mon_ticket_ttl", "12")
            }
            _ => four,
        }
    }

    /// Strikes, holds for as long, heals, and waits until both watchers answer for every object again; or, where
    /// nothing is left to answer for, until linger said so.
    ///
    /// # Errors
    /// It can not be brought about, or does not heal.
    pub fn strike(self, arena: &Arena, hold: Duration) -> Result<()> {
        self.happen(arena, hold).with_context(|| format!("{self} can not be brought about"))?;
        if self == Self::PoolRemoved {
            return arena.wait_all_lost();
        }
        arena.settle(Instant::now()).with_context(|| format!("after {self}"))
    }

    /// How long it is held when nothing else is said.
    #[must_use]
    pub fn hold(self) -> Duration {
        match self {
            Self::OsdFrozen | Self::Paused | Self::AllOsdsStopped => Duration::from_secs(9),
            Self::TicketsExpire => Duration::from_secs(20),
            Self::SocketResets => Duration::from_secs(8),
            _ => Duration::from_secs(3),
        }
    }

    fn happen(self, arena: &Arena, hold: Duration) -> Result<()> {
        match self {
            Self::OsdKilled => daemons::osd_killed(arena, hold),
            Self::OsdFrozen => daemons::osd_frozen(arena, hold),
            Self::OsdRestarted => daemons::osd_restarted(arena),
            Self::AllOsdsStopped => daemons::all_osds_stopped(arena, hold),
            Self::MonRestarted => daemons::mon_restarted(arena, hold),
            Self::MonLeaderChanged => daemons::mon_leader_changed(arena, hold),
            Self::TicketsExpire => daemons::tickets_expire(arena, hold),
            Self::SocketResets => daemons::socket_resets(arena, hold),
            Self::MarkedDown => maps::marked_down(arena),
            Self::MarkedOut => maps::marked_out(arena, hold),
            Self::Paused => maps::paused(arena, hold),
            Self::PgNum => maps::pg_num(arena),
            Self::PgTemp => maps::pg_temp(arena, hold),
            Self::PrimaryAffinity => maps::primary_affinity(arena, hold),
            Self::MinSize => maps::pool_value(arena, "min_size", ["3", "1"], hold),
            Self::Size => maps::pool_value(arena, "size", ["2", "3"], hold),
            Self::Upmap => maps::upmap(arena, hold),
            Self::PoolRemoved => objects::pool_removed(arena),
            Self::ObjectRemoved => objects::removed(arena, hold),
            Self::Blocklisted => objects::blocklisted(arena),
        }
    }
}

impl fmt::Display for Fault {
    /// `osd_killed` and the like.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, letter) in format!("{self:?}").char_indices() {
            if letter.is_uppercase() && at > 0 {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|fault| fault.to_string() == name);
        found.with_context(|| format!("no such fault: {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Fault::PgNum.to_string(), "pg_num");
        for fault in Fault::ALL {
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault);
        }
        assert!("bad_luck".parse::<Fault>().is_err());
    }
}
