//! What is wrong with a configuration, and what is only odd about it.

use super::conf_file::ParseErrorKind;
use linger_core::mon_host::MonHostError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why there are no settings. Its text is one line: what failed, why, and what to try.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// None of the configuration files asked for can be opened.
    ConfNotFound {
        /// Where was looked, in order.
        searched: Vec<PathBuf>,
        /// Why the last of them could not be opened.
        source: io::Error,
    },
    /// A file is there but cannot be read.
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A configuration file or a keyring is not in Ceph's format.
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        kind: ParseErrorKind,
    },
    /// An option of the command line or of `CEPH_ARGS` came without its value.
    ArgumentWithoutValue {
        /// The option as written.
        option: String,
    },
    /// An option has a value that it cannot have.
    Value {
        /// The option, with underscores.
        option: String,
        /// Where the value comes from.
        origin: Origin,
        /// What is wrong with it; never the value of a key.
        why: String,
    },
    /// `mon_host` does not parse.
    MonHost {
        /// Where the value comes from.
        origin: Origin,
        /// The part that is wrong.
        source: MonHostError,
    },
    /// The client is to authenticate with cephx, and there is no key for it.
    NoKey(KeyMissing),
}

/// Where the value of an option comes from, the strongest last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// What Ceph takes where nothing is set.
    Default,
    /// A line of a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable, such as `CEPH_ARGS`.
    Environment(&'static str),
    /// The program: its command line or its code.
    Explicit,
}

/// Why there is no key for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMissing {
    /// No keyring can be opened, and neither `key` nor `keyfile` is set.
    NoKeyring {
        /// The client, as `type.id`.
        name: String,
        /// Where was looked, in order.
        searched: Vec<PathBuf>,
        /// One of those that exist and may not be read.
        denied: Option<PathBuf>,
    },
    /// The keyring has no key for this client.
    NoEntry {
        /// The client, as `type.id`.
        name: String,
        /// The keyring.
        file: PathBuf,
        /// The names it has keys for.
        others: Vec<String>,
    },
}

/// Something that does not prevent settings and that the user may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Every user of the machine can read a file that holds a key.
    ReadableByAll {
        /// The file.
        file: PathBuf,
    },
    /// No configuration file was found in the usual places.
    NoConf {
        /// Where was looked, in order.
        searched: Vec<PathBuf>,
    },
    /// There is no key; only a cluster without authentication will do.
    NoKey(KeyMissing),
    /// A method or mode in a list that is not known here was left out.
    Unknown {
        /// The option, with underscores.
        option: &'static str,
        /// What was left out.
        item: String,
    },
    /// An option is set that is not used here.
    NoEffect {
        /// The option, with underscores.
        option: &'static str,
    },
}

fn list(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfNotFound { searched, source } => write!(
                f,
                "no configuration file at {}: {source} (name an existing one with -c/--conf)",
                list(searched)
            ),
            Self::Read { file, source } => write!(
                f,
                "cannot read {}: {source} (check that it is a text file that this user may read)",
                file.display()
            ),
            Self::Syntax { file, line, kind } => {
                write!(f, "cannot parse {} line {line}: {kind} (correct that line)", file.display())
            }
            Self::ArgumentWithoutValue { option } => {
                write!(f, "option {option} has no value: it is the last word (put the value behind it)")
            }
            Self::Value { option, origin, why } => {
                write!(f, "bad value of {option} in {origin}: {why} (correct it there)")
            }
            Self::MonHost { origin, source } => write!(
                f,
                "bad value of mon_host in {origin}: {source} (write it like [v2:10.0.0.1:3300,v1:10.0.0.1:6789])"
            ),
            Self::NoKey(missing) => missing.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::ConfNotFound { source, .. } | Self::Read { source, .. } => Some(source),
            Self::MonHost { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the defaults"),
            Self::File { path, line } => write!(f, "{} line {line}", path.display()),
            Self::Environment(variable) => write!(f, "the environment variable {variable}"),
            Self::Explicit => f.write_str("the program's arguments"),
        }
    }
}

impl fmt::Display for KeyMissing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKeyring { name, denied: Some(file), .. } => write!(
                f,
                "no key for {name}: {} may not be read by this user (run as its owner, or name another with -k/--keyring)",
                file.display()
            ),
            Self::NoKeyring { name, searched, .. } if searched.is_empty() => {
                write!(f, "no key for {name}: none is set (name a keyring with -k/--keyring)")
            }
            Self::NoKeyring { name, searched, .. } => {
                write!(f, "no key for {name}: no keyring at {} (name one with -k/--keyring)", list(searched))
            }
            Self::NoEntry { name, file, others } if others.is_empty() => write!(
                f,
                "no key for {name}: {} holds no key at all (name another with -k/--keyring)",
                file.display()
            ),
            Self::NoEntry { name, file, others } => write!(
                f,
                "no key for {name}: {} has keys for {} only (choose one with -n/--name, or another keyring with -k/--keyring)",
                file.display(),
                others.join(", ")
            ),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadableByAll { file } => {
                write!(f, "{} holds a key and everyone can read it (chmod o-r it)", file.display())
            }
            Self::NoConf { searched } => {
                write!(f, "no configuration file at {} (name one with -c/--conf)", list(searched))
            }
            Self::NoKey(missing) => missing.fmt(f),
            Self::Unknown { option, item } => {
                write!(f, "'{item}' in {option} is not known here and left out")
            }
            Self::NoEffect { option } => write!(f, "{option} is set and has no effect here"),
        }
    }
}

/// Shorthand for a bad value.
pub(crate) fn bad(option: &str, origin: &Origin, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { option: option.to_owned(), origin: origin.clone(), why: why.into() }
}

/// Shorthand for a file that cannot be read.
pub(crate) fn unreadable(file: &Path) -> impl FnOnce(io::Error) -> ConfigError {
    let file = file.to_owned();
    move |source| ConfigError::Read { file, source }
}
