//! The settings of a client, typed.

use super::error::{ConfigError, Origin, Warning, bad};
use super::keyring;
use super::search::items;
use super::sources::{Sources, default};
use super::{Builder, Environment};
use linger_core::mon_host::MonHost;
use linger_wire::Fsid;
use linger_wire::cephx::{AuthName, CryptoKey};
use std::path::PathBuf;
use std::time::Duration;

/// What a client needs to know to reach its cluster, from wherever it was set.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Who authenticates; `client.admin` by default.
    pub name: AuthName,
    /// The name of the cluster on this machine; `ceph` by default.
    pub cluster: String,
    /// The configuration file that was read.
    pub conf_file: Option<PathBuf>,
    /// Where the monitors are. If that is `None`, the core asks for the DNS record of `mon_dns_srv_name`; no
    /// runtime's adapter looks such records up yet, so connecting fails.
    pub mon_host: Option<MonHost>,
    /// The service in the DNS SRV record of the monitors: `ceph-mon` is `_ceph-mon._tcp`. A domain may
    /// follow an underscore.
    pub mon_dns_srv_name: String,
    /// The cluster's id, if one is set: another cluster is refused.
    pub fsid: Option<Fsid>,
    /// The key of `name`. If it is `None`, only a cluster without authentication will do.
    pub key: Option<CryptoKey>,
    /// The keyring that holds the key, if one does.
    pub keyring_path: Option<PathBuf>,
    /// The methods the client may authenticate by, at least one.
    pub auth_client_required: Vec<AuthMethod>,
    /// Connection modes for all daemons but monitors, at least one, the preferred first.
    pub ms_client_mode: Vec<ConMode>,
    /// Connection modes for monitors, at least one, the preferred first.
    pub ms_mon_client_mode: Vec<ConMode>,
    /// Whether messages over msgr1 are signed; true by default.
    pub cephx_sign_messages: bool,
    /// After how long an operation on an object fails; `None` is never, the default.
    pub rados_osd_op_timeout: Option<Duration>,
    /// How long connecting to the cluster may take; `None` is for ever, the default 300 s.
    pub client_mount_timeout: Option<Duration>,
    /// Whether somebody set `client_mount_timeout`, be it to the default.
    pub client_mount_timeout_is_set: bool,
    /// What was odd; the library prints nothing.
    pub warnings: Vec<Warning>,
}

/// How a client authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuthMethod {
    /// By tickets, with a shared key.
    Cephx,
    /// Not at all.
    None,
}

/// How frames are protected after authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConMode {
    /// Against accidents, by checksums.
    Crc,
    /// Against everyone, by encryption.
    Secure,
}

/// librados limits commands to monitors by it, of which linger has none.
const MON_OP_TIMEOUT: &str = "rados_mon_op_timeout";

impl Settings {
    /// Starts settings that depend on nothing outside of the program: no file, no environment.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Reads what Ceph's programs read: the environment, the configuration file and the keyring.
    ///
    /// # Errors
    /// What [`Builder::build`] finds.
    pub fn from_environment(environment: Environment) -> Result<Self, ConfigError> {
        Self::builder().environment(environment).build()
    }

    pub(crate) fn read(sources: &Sources, mut warnings: Vec<Warning>) -> Result<Self, ConfigError> {
        // The old name for all auth_*_required at once is the stronger one.
        let required = match sources.value("auth_supported") {
            Some(_) => "auth_supported",
            None => "auth_client_required",
        };
        let methods = choices(sources, required, AUTH_METHODS, &mut warnings)?;
        if timeout(sources, MON_OP_TIMEOUT)?.is_some() {
            warnings.push(Warning::NoEffect { option: MON_OP_TIMEOUT });
        }
        let mut settings = Self {
            name: sources.name.clone(),
            cluster: sources.cluster.clone(),
            conf_file: sources.file.as_ref().map(|(path, _)| path.clone()),
            mon_host: mon_host(sources)?,
            mon_dns_srv_name: text(sources, "mon_dns_srv_name"),
            fsid: fsid(sources)?,
            key: None,
            keyring_path: None,
            ms_client_mode: choices(sources, "ms_client_mode", CON_MODES, &mut warnings)?,
            ms_mon_client_mode: choices(sources, "ms_mon_client_mode", CON_MODES, &mut warnings)?,
            cephx_sign_messages: flag(sources, "cephx_sign_messages")?,
            rados_osd_op_timeout: timeout(sources, "rados_osd_op_timeout")?,
            client_mount_timeout: timeout(sources, "client_mount_timeout")?,
            client_mount_timeout_is_set: is_set(sources, "client_mount_timeout"),
            auth_client_required: methods,
            warnings,
        };
        if settings.auth_client_required.contains(&AuthMethod::Cephx) {
            match keyring::find(sources, &settings.name, &mut settings.warnings)? {
                Ok(found) => {
                    settings.key = Some(found.key);
                    settings.keyring_path = found.keyring;
                }
                // A cluster that asks for no key may be meant.
                Err(missing)
                    if settings.auth_client_required.contains(&AuthMethod::None) && !missing.named =>
                {
                    settings.warnings.push(Warning::NoKey(missing.why));
                }
                Err(missing) => return Err(ConfigError::NoKey(missing.why)),
            }
        }
        Ok(settings)
    }
}

const AUTH_METHODS: &[(&str, AuthMethod)] = &[("cephx", AuthMethod::Cephx), ("none", AuthMethod::None)];
const CON_MODES: &[(&str, ConMode)] = &[("crc", ConMode::Crc), ("secure", ConMode::Secure)];

/// Reads a list of names; as in Ceph unknown ones are left out, and an empty list means the default.
fn choices<T: Copy + PartialEq>(
    sources: &Sources,
    option: &'static str,
    known: &[(&str, T)],
    warnings: &mut Vec<Warning>,
) -> Result<Vec<T>, ConfigError> {
    let (text, origin) = match sources.value(option) {
        Some((text, origin)) => (text.to_string(), origin),
        None => (default(option).unwrap_or_default().to_owned(), Origin::Default),
    };
    let mut chosen = Vec::new();
    for item in items(&text) {
        match known.iter().find(|(name, _)| *name == item) {
            Some((_, choice)) if chosen.contains(choice) => {}
            Some((_, choice)) => chosen.push(*choice),
            None => warnings.push(Warning::Unknown { option, item: item.to_owned() }),
        }
    }
    if chosen.is_empty() {
        let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
        return Err(bad(option, &origin, format!("'{text}' names none of {}", names.join(", "))));
    }
    Ok(chosen)
}

/// Reads a text that is not empty.
fn text(sources: &Sources, option: &str) -> String {
    let text = sources.value(option).map(|(text, _)| text.to_string());
    text.unwrap_or_else(|| default(option).unwrap_or_default().to_owned())
}

/// Reads a boolean in Ceph's spellings (`common/options.cc`): a word, or a number that is 0 or not.
fn flag(sources: &Sources, option: &'static str) -> Result<bool, ConfigError> {
    let (text, origin) = match sources.value(option) {
        Some((text, origin)) => (text.to_string(), origin),
        None => (default(option).unwrap_or_default().to_owned(), Origin::Default),
    };
    match text.trim() {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        text => match text.parse::<i64>() {
            Ok(number) => Ok(number != 0),
            Err(_) => Err(bad(option, &origin, format!("'{text}' is neither true nor false"))),
        },
    }
}

fn mon_host(sources: &Sources) -> Result<Option<MonHost>, ConfigError> {
    let Some((text, origin)) = sources.value("mon_host") else { return Ok(None) };
    text.parse().map(Some).map_err(|source| ConfigError::MonHost { origin, source })
}

fn fsid(sources: &Sources) -> Result<Option<Fsid>, ConfigError> {
    let Some((text, origin)) = sources.value("fsid") else { return Ok(None) };
    let Some(id) = parse_uuid(&text) else {
        return Err(bad("fsid", &origin, format!("'{}' is not a UUID", *text)));
    };
    // Ceph's default, all zeros, stands for none.
    Ok(Some(Fsid(id)).filter(|_| id != [0; 16]))
}

/// Parses 8-4-4-4-12 hexadecimal digits.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let groups: Vec<_> = text.split('-').collect();
    if !groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) {
        return None;
    }
    let digits = groups.concat();
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}

/// Whether an option has a value that is not just the default.
fn is_set(sources: &Sources, option: &str) -> bool {
    sources.value(option).is_some_and(|(_, origin)| origin != Origin::Default)
}

fn timeout(sources: &Sources, option: &str) -> Result<Option<Duration>, ConfigError> {
    let Some((text, origin)) = sources.value(option) else { return Ok(None) };
    match parse_duration(&text) {
        Ok(duration) => Ok(Some(duration).filter(|duration| !duration.is_zero())),
        Err(why) => Err(bad(option, &origin, why)),
    }
}

/// Parses `300`, `1.5` or `1h 5min` (`common/ceph_time.cc`; seconds were fractional before Octopus).
fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = |why: &str| format!("'{text}' is not a time: {why}");
    let mut seconds = 0.0;
    let mut rest = text.trim();
    let mut terms = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| wrong("a number is expected"))?;
        let after = after.trim_start();
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        terms += 1;
        rest = after.trim_start();
        let factor = match unit {
            "" if terms == 1 && rest.is_empty() => 1,
            "s" | "sec" | "second" | "seconds" => 1,
            "m" | "min" | "minute" | "minutes" => 60,
            "h" | "hr" | "hour" | "hours" => 60 * 60,
            "d" | "day" | "days" => 24 * 60 * 60,
            "w" | "wk" | "week" | "weeks" => 7 * 24 * 60 * 60,
            "mo" | "month" | "months" => 30 * 24 * 60 * 60,
            "y" | "yr" | "year" | "years" => 365 * 24 * 60 * 60,
            _ => return Err(wrong("units are s, min, h, d, w, mo and y")),
        };
        seconds += number * f64::from(factor);
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong("it is too long"))
}

#[cfg(test)]
mod tests;
