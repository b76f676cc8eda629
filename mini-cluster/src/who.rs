//! The daemons of a cluster.

use linger_wire::EntityType;
use std::fmt;

/// A daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// A monitor, by its place in [`Settings::mons`](crate::Settings::mons).
    Mon(usize),
    /// An OSD, by its id.
    Osd(i32),
}

impl Who {
    pub(crate) fn kind(self) -> EntityType {
        match self {
            Self::Mon(_) => EntityType::MON,
            Self::Osd(_) => EntityType::OSD,
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Mon(rank) => i64::try_from(rank).unwrap_or(0),
            Self::Osd(osd) => osd.into(),
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mon(rank) => write!(f, "mon.{rank}"),
            Self::Osd(osd) => write!(f, "osd.{osd}"),
        }
    }
}
