//! The Ceph releases that Debian has packages of.

use std::{fmt, str::FromStr};

use anyhow::{Error, Result, bail};

/// A Ceph release, as one Debian suite packages it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// 14, in bullseye.
    Nautilus,
    /// 16, in bookworm.
    Pacific,
    /// 18, in trixie.
    Reef,
    /// 20, in forky. Its clusters make `aes256k` keys unless [`KeyType::Aes`](crate::KeyType::Aes) is asked for.
    Tentacle,
}

impl Release {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] = [Self::Nautilus, Self::Pacific, Self::Reef, Self::Tentacle];

    /// The name in lower case, as Ceph's `--version` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nautilus => "nautilus",
            Self::Pacific => "pacific",
            Self::Reef => "reef",
            Self::Tentacle => "tentacle",
        }
    }

    /// The major version.
    pub fn major(self) -> u32 {
        match self {
            Self::Nautilus => 14,
            Self::Pacific => 16,
            Self::Reef => 18,
            Self::Tentacle => 20,
        }
    }

    /// Whether its `ceph-dencoder` knows any type: Debian leaves out the modules that newer ones need.
    pub fn has_dencoder(self) -> bool {
        self == Self::Nautilus
    }

    pub(crate) fn suite(self) -> &'static str {
        match self {
            Self::Nautilus => "bullseye",
            Self::Pacific => "bookworm",
            Self::Reef => "trixie",
            Self::Tentacle => "forky",
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Release {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        match Self::ALL.into_iter().find(|r| r.name() == s) {
            Some(release) => Ok(release),
            None => bail!("no such release: {s} (nautilus, pacific, reef, tentacle)"),
        }
    }
}
