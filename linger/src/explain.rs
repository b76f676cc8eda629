//! What to try when the cluster or the library says no.

use crate::failure::Failure;
use linger_client::config::Settings;
use linger_client::{ClusterEvent, ConnectError, Error};
use linger_core::auth::AuthError;
use linger_core::{CommandError, ConfigError, ConnFault, LossCause, MapError, OpError, WatchError};
use linger_wire::{DecodeErrorKind, errno};

/// Why there is no connection.
pub fn connecting(error: &Error, settings: &Settings) -> Failure {
    let Error::Connect(failed) = error else { return explain(error) };
    let fault = match &failed.last {
        Some(ClusterEvent::MonFault { fault, .. }) => Some(fault),
        _ => None,
    };
    match fault {
        Some(ConnFault::Auth(why)) => Failure::new(
            format_args!("cannot log in as {}", settings.name),
            why,
            hint_of_login(why, settings),
        ),
        _ => Failure::new("cannot reach the cluster", reached(failed), hint_of_connecting(failed, settings)),
    }
}

fn hint_of_login(why: &AuthError, settings: &Settings) -> String {
    match why {
        AuthError::ModesRefused { .. } | AuthError::NoMode => {
            "allow one of those modes in ms_mon_client_mode and ms_client_mode".to_owned()
        }
        AuthError::MethodsRefused { .. } => "set auth_client_required to what the cluster allows".to_owned(),
        AuthError::KeyType { .. } => {
            format!("make a key that linger knows: 'ceph auth get-or-create' {}", settings.name)
        }
        _ => format!("compare {} with 'ceph auth get {}'", key_source(settings), settings.name),
    }
}

/// Why an OSD does not let the client in, whose monitors did.
pub fn osd_login(osd: i32, why: &AuthError) -> Failure {
    let hint = match why {
        AuthError::ModesRefused { .. } | AuthError::NoMode => "allow one of those modes in ms_client_mode",
        _ => "see the OSD's log, and whether its clock is right",
    };
    Failure::new(format_args!("cannot log in at osd.{osd}"), why, hint)
}

/// The connection is gone while something else was expected.
pub fn closed() -> Failure {
    Failure::new("cannot go on", "the client was closed", "try again with -v")
}

/// Where the key that was used comes from.
fn key_source(settings: &Settings) -> String {
    match &settings.keyring_path {
        Some(path) => path.display().to_string(),
        None => "the key".to_owned(),
    }
}

fn reached(error: &ConnectError) -> String {
    let within = error.within.map(|within| format!(" within {within:?}")).unwrap_or_default();
    match &error.last {
        Some(last) => {
            format!("{last}{}", if within.is_empty() { within } else { format!(", no better{within}") })
        }
        None => format!("no monitor answered{within}"),
    }
}

fn hint_of_connecting(error: &ConnectError, settings: &Settings) -> String {
    if settings.mon_host.is_none() {
        let conf = match &settings.conf_file {
            Some(file) => format!("{} has no mon_host", file.display()),
            None => "there is no configuration file".to_owned(),
        };
        return format!("{conf}: name one with -c/--conf, or the monitors with -m/--mon-host");
    }
    match &error.last {
        Some(ClusterEvent::MonFault { fault, .. }) => match fault {
            ConnFault::Unreachable | ConnFault::HandshakeTimeout | ConnFault::KeepaliveTimeout => {
                "check mon_host, the network, and that monitors run"
            }
            ConnFault::WrongCluster { .. } => "check fsid and mon_host",
            ConnFault::ClientLacks(_) | ConnFault::PeerLacks(_) => {
                "clusters from Nautilus to Tentacle are supported"
            }
            _ => "check that mon_host names msgr2 ports of monitors, 3300 as a rule",
        },
        Some(ClusterEvent::MapFault { error, .. }) => hint_of_map(error),
        Some(ClusterEvent::ResolveFault { .. }) => "check mon_host and the name service",
        _ => "check mon_host, the network, and that monitors run",
    }
    .to_owned()
}

fn hint_of_map(error: &MapError) -> &'static str {
    match error {
        MapError::Decode(error) => match error.kind {
            DecodeErrorKind::TooNew { .. } => "the cluster is newer than this linger: try a newer one",
            DecodeErrorKind::TooOld { .. } => "clusters from Nautilus on are supported",
            _ => "look at the map with 'ceph osd getmap' and 'linger osdmap'",
        },
        _ => "look at the map with 'ceph osd getmap' and 'linger osdmap'",
    }
}

/// Why the library did not do what it was asked for.
pub fn explain(error: &Error) -> Failure {
    match error {
        Error::Op { what, object, error } => {
            Failure::new(format_args!("cannot {what} {object}"), error, hint_of_op(error))
        }
        Error::Watch { object, error } => {
            Failure::new(format_args!("cannot watch {object}"), error, hint_of_watch(error))
        }
        Error::Command { what, object, error } => {
            Failure::new(format_args!("cannot {what} {object}"), error, hint_of_command(error))
        }
        Error::Config(error) => {
            Failure::new("no client can start with this configuration", error, hint_of_config(error))
        }
        Error::Settings(error) => Failure::settings(error),
        Error::Connect(_) => Failure::new("cannot reach the cluster", error, "try again with -v"),
        _ => Failure::new("cannot go on", error, "try again with -v"),
    }
}

fn hint_of_op(error: &OpError) -> &'static str {
    match error {
        OpError::NoPool => POOLS,
        OpError::Errno(errno::ENOENT) => "create it first, as 'linger watch --create' does",
        OpError::Errno(errno::EPERM | errno::EACCES) => CAPS,
        OpError::Errno(errno::EBLOCKLISTED) => BLOCKLIST,
        OpError::DeadlinePassed => HEALTH,
        _ => "try again with -v",
    }
}

/// What to try after a watch was lost for good.
fn hint_of_watch(error: &WatchError) -> &'static str {
    match error.cause {
        LossCause::ObjectGone => "create it with --create",
        LossCause::PoolGone => POOLS,
        LossCause::Denied => CAPS,
        LossCause::Blocklisted => BLOCKLIST,
        LossCause::Held => HEALTH,
        _ => "try again with -v",
    }
}

pub const POOLS: &str = "'ceph osd pool ls' lists the pools";
const CAPS: &str = "see 'ceph auth get' for the client's caps, or log in as another with -n/--name";
const BLOCKLIST: &str = "see 'ceph osd blocklist ls'; a new client gets a new address";
pub const HEALTH: &str = "see 'ceph health': the object's OSDs may be down or full";

fn hint_of_command(error: &CommandError) -> &'static str {
    match error {
        CommandError::TooLong { .. } => "make it shorter",
        CommandError::NoName => "give it a name",
        CommandError::BadTimeout => "give another --timeout",
        _ => "try again",
    }
}

fn hint_of_config(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::NoAuthMethod => "set auth_client_required to cephx",
        ConfigError::NoKey => "name a keyring with -k/--keyring",
        ConfigError::NoMode => {
            "secure mode needs a key; or allow crc in ms_client_mode and ms_mon_client_mode"
        }
        ConfigError::NoV2Monitor => "name msgr2 addresses with -m/--mon-host: v2:HOST:3300",
        _ => "correct the configuration",
    }
}
